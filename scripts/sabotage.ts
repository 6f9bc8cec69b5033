/**
 * `npm run conformance -- --sabotage`: switches off every cell of the tables and every rule of the detector, one by one, and
 * runs the tests of the model: one that names a statement must fail. Words after it choose what is switched off, for
 * instance `-- --sabotage mcu-session/ rule/`. The work is shared out over the processors.
 */
import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import Mocha, { type Runner } from 'mocha';
import { idsIn } from './statements';
import { type Switch, switches } from './tables';

/** Tests that take longer, in ms, are only asked about what no other test has seen. */
const quickMs = 20;

/** Switches off what is named by one of the words, or everything; prints which statements object. */
export async function sabotage(words: readonly string[]): Promise<void> {
  const names = switches()
    .map(({ name }) => name)
    .filter((name) => words.length === 0 || words.some((word) => name.includes(word)));
  const survivors: string[] = [];
  let told = 0;
  const share = async (_: unknown, index: number, all: unknown[]): Promise<void> => {
    const mine = names.filter((_name, place) => place % all.length === index);
    const worker = spawn(process.execPath, ['--import=tsx', __filename, ...mine], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    for await (const line of createInterface(worker.stdout)) {
      const [name = '', ids] = line.split('\t');
      told += 1;
      if (!ids) survivors.push(name);
      console.log(`${name.padEnd(56)} ${ids || 'NOBODY OBJECTS'}`);
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }).map(share));
  console.log(`\n${told} of ${names.length} switched off, ${survivors.length} without a statement that objects.`);
  for (const name of survivors) console.log(`  ${name}`);
  process.exitCode = survivors.length > 0 || told < names.length ? 1 : 0;
}

/** Titles of the tests that ran, with how long each took, in ms, and whether it failed. */
type Results = Map<string, { ms: number; failed: boolean }>;

/** The tests of the model, loaded once and run as often as wanted. */
class Suite {
  private readonly mocha = new Mocha({ timeout: 10_000 });
  private results: Results = new Map();

  constructor() {
    const folder = join(__dirname, '../test/recovery');
    for (const file of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
      if (file.endsWith('.spec.ts')) this.mocha.addFile(join(folder, file));
    }
    const { results } = this;
    this.mocha.cleanReferencesAfterRun(false);
    this.mocha.reporter(
      class {
        constructor(runner: Runner) {
          runner.on('test end', (test) => {
            results.set(test.fullTitle(), { ms: test.duration ?? 0, failed: test.state === 'failed' });
          });
        }
      } as unknown as string,
    );
  }

  /** Loads the files; once. */
  async load(): Promise<void> {
    await this.mocha.loadFilesAsync();
  }

  /** Runs the tests whose titles are wanted. */
  async run(wanted: (title: string) => boolean): Promise<Results> {
    this.results.clear();
    this.mocha.grep({ test: wanted } as RegExp);
    await new Promise((ended) => this.mocha.run(ended));
    return new Map(this.results);
  }
}

async function work(names: readonly string[]): Promise<void> {
  const suite = new Suite();
  await suite.load();
  // The first run pays for what is compiled once, so the second is the one that measures.
  await suite.run((title) => idsIn(title).length > 0);
  const stating = await suite.run((title) => idsIn(title).length > 0);
  const quick = new Set([...stating].filter(([, { ms }]) => ms <= quickMs).map(([title]) => title));
  const failing = [...stating].filter(([, { failed }]) => failed).map(([title]) => title);
  if (failing.length > 0) throw new Error(`Some tests fail before anything is switched off:\n${failing.join('\n')}`);
  const known = new Map(switches().map((each) => [each.name, each]));
  for (const name of names) {
    const each = known.get(name) as Switch;
    each.off();
    const objecting = idsOfFailures(await suite.run((title) => quick.has(title)));
    if (objecting.length === 0) {
      objecting.push(...idsOfFailures(await suite.run((title) => stating.has(title) && !quick.has(title))));
    }
    each.on();
    console.log(`${name}\t${objecting.join(' ')}`);
  }
}

function idsOfFailures(results: Results): string[] {
  const failures = [...results].filter(([, { failed }]) => failed);
  return [...new Set(failures.flatMap(([title]) => idsIn(title)))];
}

if (require.main === module) void work(process.argv.slice(2));
