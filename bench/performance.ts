/**
 * `npm run bench`: measures what the pack costs at scale (docs/performance.md), and prints a table with the goal, the figure,
 * what it is compared with in the same run, and the ratio of the two. Exits with 1 when a figure misses its goal.
 *
 *   P1 P4 …   only these lines
 *   --quick   seconds instead of minutes; exits with 1 when a ratio is twice as bad as the one that was kept, three times in a
 *             row, since a machine that does other things makes any figure bad once
 *   --write   measures both ways, and keeps the rows in docs/performance.md
 */
import { fork } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { Line, Scale } from './performance/line';
import { bestOf, isWorse, keptRatios, missesGoal, tableOf, withTable } from './performance/table';

/** The files of `performance/`, by the line of the table that they measure. */
const files: { readonly [line: string]: string } = {
  P1: 'hops',
  P2: 'hops',
  P3: 'memory',
  P4: 'deadlines',
  P5: 'fleet',
  P6: 'rosters',
  P7: 'schedules',
  P8: 'growth',
  P9: 'deployment',
  P10: 'soak',
};

const page = 'docs/performance.md';

function measure(file: string, scale: Scale): Promise<Line[]> {
  const child = fork(join(__dirname, 'performance', 'line-process.ts'), [file, scale], {
    execArgv: ['--expose-gc', '--max-old-space-size=8192', '--import', 'tsx'],
  });
  return new Promise((resolve, reject) => {
    child.once('message', (lines) => resolve(lines as Line[]));
    child.once('exit', (code) => reject(new Error(`${file} has ended with ${code} before it had measured anything.`)));
  });
}

async function measureAll(chosen: readonly string[], scale: Scale): Promise<Line[]> {
  const lines: Line[] = [];
  for (const file of chosen) lines.push(...(await measure(file, scale)));
  return lines;
}

/** The quick way: while a line is worse than what was kept, its file is measured again, twice at most. */
async function compare(chosen: readonly string[]): Promise<boolean> {
  const kept = keptRatios(readFileSync(page, 'utf8'));
  let fine = true;
  for (const file of chosen) {
    let lines = await measure(file, 'quick');
    for (let again = 0; again < 2 && lines.some((line) => isWorse(line, kept)); again += 1) {
      lines = bestOf(lines, await measure(file, 'quick'));
    }
    console.log(tableOf(lines, kept));
    for (const line of lines.filter((each) => isWorse(each, kept))) {
      fine = false;
      console.log(`${line.id} is more than twice as bad as the ratio in ${page}.`);
    }
  }
  return fine;
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { quick: { type: 'boolean', default: false }, write: { type: 'boolean', default: false } },
  });
  const unknown = positionals.filter((line) => !Object.hasOwn(files, line));
  if (unknown.length > 0) {
    throw new Error(`There is no line ${unknown.join(', ')}. There are ${Object.keys(files).join(', ')}.`);
  }
  const wanted = positionals.length > 0 ? positionals : Object.keys(files);
  const chosen = [...new Set(wanted.map((line) => files[line] as string))];
  if (values.quick) {
    process.exitCode = (await compare(chosen)) ? 0 : 1;
    return;
  }
  const lines = await measureAll(chosen, 'full');
  const quick = values.write ? await measureAll(chosen, 'quick') : [];
  const table = tableOf(lines, keptRatios(readFileSync(page, 'utf8'), quick));
  console.log(table);
  const missed = lines.filter(missesGoal);
  console.log(`${lines.length - missed.length} of ${lines.length} goals are met.`);
  if (values.write) {
    const machine = `${cpus().length} cores of ${cpus()[0]?.model.trim()}, Node.js ${process.version.slice(1)}`;
    const written = withTable(
      readFileSync(page, 'utf8'),
      table,
      `${new Date().toISOString().slice(0, 10)}, ${machine}`,
    );
    writeFileSync(page, written);
  }
  process.exitCode = missed.length > 0 ? 1 : 0;
}

void main();
