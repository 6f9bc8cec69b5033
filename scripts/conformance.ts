/**
 * `npm run conformance`: every statement of `docs/conformance.md` with the tests whose titles name it. Fails when a statement
 * of sections 2 and 3 has no test and is not on the list of section 4, and when a test or that list names one that does not
 * exist. With `--sabotage`: see `sabotage.ts`.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { sabotage } from './sabotage';
import { decisions, idsIn, statements } from './statements';

/** A test, as a reader finds it. */
interface Proof {
  file: string;
  title: string;
}

process.chdir(join(__dirname, '..'));
// Some suites read what the build publishes as soon as they are loaded.
if (!existsSync('dist/schema')) node('scripts/build.mjs');
const [mode, ...words] = process.argv.slice(2);
if (mode === '--sabotage') void sabotage(words);
else list(testsByStatement());

function list(tests: ReadonlyMap<string, Proof[]>): void {
  for (const [id, words] of [...decisions, ...statements]) {
    const proofs = tests.get(id) ?? [];
    if (decisions.has(id) && proofs.length === 0) continue;
    console.log(`${id.padEnd(8)}${words}`);
    for (const { file, title } of proofs) console.log(`${' '.repeat(10)}${file}: ${title}`);
    if (proofs.length === 0) console.log(`${' '.repeat(10)}NO TEST`);
  }
  const ids = [...statements.keys()];
  const missing = ids.filter((id) => !tests.has(id));
  const unknown = [...tests.keys()].filter((id) => !statements.has(id) && !decisions.has(id));
  console.log(`\n${ids.length} statements: ${ids.length - missing.length} shown, ${missing.length} without a test.`);
  if (missing.length > 0) console.log(`Without a test: ${missing.join(' ')}`);
  if (unknown.length > 0) console.log(`Named, but not in docs/conformance.md: ${unknown.join(' ')}`);
  process.exitCode = missing.length + unknown.length > 0 ? 1 : 0;
}

/** Tests by the ids in their full titles. A dry run declares all tests and runs none; what is skipped proves nothing. */
function testsByStatement(): ReadonlyMap<string, Proof[]> {
  // Into a file: what else is printed is for people.
  const folder = mkdtempSync(join(tmpdir(), 'conference-recovery-'));
  const list = join(folder, 'tests.json');
  const reporting = ['--reporter=json', `--reporter-option=output=${list}`];
  node('node_modules/mocha/bin/mocha.js', '--dry-run', ...reporting, 'test/**/*.spec.ts');
  const report = JSON.parse(readFileSync(list, 'utf8')) as {
    tests: { file: string; fullTitle: string }[];
    pending: { fullTitle: string }[];
  };
  rmSync(folder, { recursive: true });
  const skipped = new Set(report.pending.map(({ fullTitle }) => fullTitle));
  const found = new Map<string, Proof[]>();
  for (const { file, fullTitle: title } of report.tests) {
    if (skipped.has(title)) continue;
    for (const id of idsIn(title)) found.set(id, [...(found.get(id) ?? []), { file: relative('test', file), title }]);
  }
  return found;
}

function node(...parameters: string[]): string {
  const { status, stdout } = spawnSync(process.execPath, parameters, {
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  if (status === 0) return stdout;
  console.error(stdout);
  process.exit(1);
}
