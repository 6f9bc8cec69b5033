/**
 * `npm run coverage`: what the tests of the model reach of it, line by line and branch by branch. Compiled by the project's
 * own compiler first: what tsx makes of a file has branches that nobody wrote.
 */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));
const run = (file, ...given) => spawnSync(process.execPath, [file, ...given], { stdio: 'inherit' }).status ?? 1;
const out = 'test/output/coverage';
const status =
  run('scripts/build.mjs') ||
  run(
    'node_modules/typescript/bin/tsc',
    '-p',
    'test',
    '--noEmit',
    'false',
    '--outDir',
    out,
    '--sourceMap',
    '--declaration',
    'false',
  ) ||
  run(
    'node_modules/c8/bin/c8.js',
    '--exclude-after-remap',
    '--include',
    'nodes/recovery/**',
    '--exclude',
    'nodes/recovery/{messages,signaling}.ts',
    '--all',
    '--src',
    'nodes/recovery',
    '--reporter',
    'text',
    '--check-coverage',
    '--lines',
    '100',
    '--branches',
    '100',
    process.execPath,
    'node_modules/mocha/bin/mocha.js',
    '--no-config',
    '--reporter',
    'dot',
    '--timeout',
    '60000',
    `${out}/test/recovery/**/*.spec.js`,
  );
process.exit(status);
