/**
 * `npm run simulate`: compiles the simulation and runs it (test/simulation/main.ts says with which arguments). Compiled, it
 * is about twice as fast as through tsx, whose functions keep their names at a price.
 */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));
const run = (file, ...given) => spawnSync(process.execPath, [file, ...given], { stdio: 'inherit' }).status ?? 1;
const compiled = run('node_modules/typescript/bin/tsc', '-p', 'test/simulation');
process.exit(compiled || run('test/output/simulation/test/simulation/main.js', ...process.argv.slice(2)));
