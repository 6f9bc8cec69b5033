/**
 * What Stryker needs to know of this project: how to run mocha 12 over what the compiler has made of model and specs
 * (Stryker's own mocha runner ends at mocha 11), and which mutants would say nothing.
 */
import { readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { relative, resolve, sep } from 'node:path';
import { declareClassPlugin, declareValuePlugin, PluginKind } from '@stryker-mutator/api/plugin';
import {
  DryRunStatus,
  determineHitLimitReached,
  MutantRunStatus,
  TestStatus,
  toMutantRunResult,
} from '@stryker-mutator/api/test-runner';
import Mocha from 'mocha';

/** Where `buildCommand` puts what is compiled. */
const COMPILED = 'test/output/mutation';

/** A mutant meets the tests that take less than 40 ms first, those that take seconds last, if it lives so long. */
const PASSES_MS = [
  [0, 40],
  [40, 1_000],
  [1_000, Number.POSITIVE_INFINITY],
];

/** Runs all specs in one process; which mutant is switched on is a matter of a global variable. */
class MochaInProcess {
  static inject = ['options'];

  coverage = false;
  /** The longest that each test has taken in this process, by title. */
  tookMs = new Map();
  /** The modules that are loaded, if any, are not those of the unchanged model. */
  spoilt = true;

  constructor(options) {
    globalThis.__stryker__ ??= {};
    this.stryker = globalThis.__stryker__;
    this.files = options.mocha.specs
      .flatMap((folder) =>
        readdirSync(resolve(COMPILED, folder), { recursive: true }).map((file) => resolve(COMPILED, folder, file)),
      )
      .filter((file) => file.endsWith('.spec.js'))
      .sort();
  }

  capabilities() {
    return { reloadEnvironment: true };
  }

  async dryRun({ coverageAnalysis, disableBail }) {
    this.load();
    this.spoilt = false;
    this.coverage = coverageAnalysis === 'perTest';
    const result = await this.run(() => true, disableBail);
    this.coverage = false;
    if (coverageAnalysis !== 'off') result.mutantCoverage = this.stryker.mutantCoverage;
    return result;
  }

  async mutantRun({
    activeMutant,
    sandboxFileName,
    testFilter,
    disableBail,
    hitLimit,
    mutantActivation,
    reloadEnvironment,
  }) {
    this.stryker.hitLimit = hitLimit;
    this.stryker.hitCount = hitLimit === undefined ? undefined : 0;
    // A mutant of what runs when a module is loaded (the tables) needs fresh modules, and leaves spoilt ones behind.
    const atLoad = mutantActivation === 'static';
    this.stryker.activeMutant = atLoad ? activeMutant.id : undefined;
    this.spoilt ||= atLoad;
    try {
      if (atLoad || reloadEnvironment || this.spoilt) this.load();
    } catch (error) {
      if (!atLoad) throw error;
      // Many specs try the model while they describe their tests; what fails then is killed as well.
      return {
        status: MutantRunStatus.Killed,
        killedBy: [],
        failureMessage: String(error),
        nrOfTests: 1,
      };
    }
    this.spoilt = atLoad;
    this.stryker.activeMutant = activeMutant.id;
    const chosen = new Set(testFilter ?? this.testsThatLoad(sandboxFileName));
    const tookMs = new Map(this.tookMs);
    const tests = [];
    for (const [fromMs, toMs] of PASSES_MS) {
      const isNext = (title) => chosen.has(title) && isWithin(tookMs.get(title) ?? 0, fromMs, toMs);
      const result = await this.run(isNext, disableBail);
      if (result.status !== DryRunStatus.Complete) return toMutantRunResult(result);
      tests.push(...result.tests);
      if (!disableBail && result.tests.some(({ status }) => status === TestStatus.Failed)) break;
    }
    return toMutantRunResult({ status: DryRunStatus.Complete, tests });
  }

  load() {
    const require = createRequire(resolve('test/'));
    const { cache } = require;
    for (const file of Object.keys(cache)) {
      if (file.startsWith(process.cwd() + sep) && !file.includes(`${sep}node_modules${sep}`)) delete cache[file];
    }
    this.mocha?.dispose();
    this.mocha = new Mocha({ reporter: class {}, timeout: 0 });
    this.mocha.cleanReferencesAfterRun(false);
    const { suite } = this.mocha;
    const runner = this;
    suite.beforeEach(function () {
      if (runner.coverage) runner.stryker.currentTestId = this.currentTest.fullTitle();
    });
    for (const file of this.files) {
      suite.emit('pre-require', globalThis, file, this.mocha);
      require(file);
      suite.emit('require', null, file, this.mocha);
      suite.emit('post-require', globalThis, file, this.mocha);
    }
  }

  /** The titles of all tests in specs that load a file of the model, directly or by way of others. */
  testsThatLoad(file) {
    const compiled = resolve(COMPILED, relative('.', file)).replace(/ts$/, 'js');
    const { cache } = createRequire(resolve('test/'));
    const loads = (module, seen) =>
      module.filename === compiled ||
      module.children.some((child) => !seen.has(child) && loads(child, seen.add(child)));
    const specs = new Set(this.files.filter((spec) => loads(cache[spec], new Set())));
    const titles = [];
    this.mocha.suite.eachTest((test) => {
      if (specs.has(test.file)) titles.push(test.fullTitle());
    });
    return titles;
  }

  /** Runs those tests whose title is chosen. */
  async run(isChosen, disableBail) {
    const tests = [];
    bail(this.mocha.suite, !disableBail);
    this.mocha.grep({ test: isChosen });
    await new Promise((done) => {
      const running = this.mocha.run(done);
      running.on('pass', (test) => {
        const title = test.fullTitle();
        this.tookMs.set(title, Math.max(this.tookMs.get(title) ?? 0, test.duration));
        tests.push(reported(test, { status: TestStatus.Success }));
      });
      running.on('fail', (test, error) =>
        tests.push(reported(test, { status: TestStatus.Failed, failureMessage: String(error?.message ?? error) })),
      );
    });
    return (
      determineHitLimitReached(this.stryker.hitCount, this.stryker.hitLimit) ?? { status: DryRunStatus.Complete, tests }
    );
  }
}

function reported(test, result) {
  const id = test.fullTitle();
  // The report shows the source, and an incremental run compares it with what it was.
  const fileName = resolve(relative(resolve(COMPILED), test.file)).replace(/js$/, 'ts');
  return { id, name: id, timeSpentMs: test.duration ?? 0, fileName, ...result };
}

function isWithin(value, from, to) {
  return value >= from && value < to;
}

function bail(suite, yes) {
  suite.bail(yes);
  for (const child of suite.suites) bail(child, yes);
}

/** Sentences are for people: another wording is no other behaviour. Names, which flows and tests compare, have no spaces. */
const sentences = {
  shouldIgnore(path) {
    const text = path.isStringLiteral()
      ? path.node.value
      : path.isTemplateLiteral()
        ? path.node.quasis.map(({ value }) => value.raw).join('')
        : '';
    return /\s/.test(text.trim()) ? 'a sentence for people' : undefined;
  },
};

export const strykerPlugins = [
  declareClassPlugin(PluginKind.TestRunner, 'mocha-in-process', MochaInProcess),
  declareValuePlugin(PluginKind.Ignore, 'sentences', sentences),
];
