/**
 * `npm run coverage`: how much of the model its own tests run through. They are compiled as the package is, since what tsx
 * adds to every file would count as branches that nobody takes.
 */
import { spawnSync } from 'node:child_process';
import { rmSync, symlinkSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));

function run(program, ...parameters) {
  const { status } = spawnSync(process.execPath, [`node_modules/${program}`, ...parameters], { stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}

const folder = 'coverage/compiled';
rmSync(folder, { recursive: true, force: true });
run(
  'typescript/bin/tsc',
  '-p',
  'test',
  '--noEmit',
  'false',
  '--outDir',
  folder,
  '--sourceMap',
  '--declaration',
  'false',
);
for (const beside of ['dist', 'docs', 'locales']) symlinkSync(`../../${beside}`, `${folder}/${beside}`);
run(
  'c8/bin/c8.js',
  ...['--include', 'nodes/recovery/**', '--exclude-after-remap', '--reporter', 'text', '--check-coverage', '--100'],
  ...['--', 'mocha', '--no-config', '-R', 'dot', '--timeout', '60000', `${folder}/test/recovery/**/*.spec.js`],
);
