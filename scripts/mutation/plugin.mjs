/**
 * What Stryker needs to know of this project: how to run mocha 12 over CommonJS that tsx compiles (Stryker's own mocha
 * runner ends at mocha 11), and which mutants would say nothing.
 */
import { readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { resolve, sep } from 'node:path';
import { declareClassPlugin, declareValuePlugin, PluginKind } from '@stryker-mutator/api/plugin';
import {
  DryRunStatus,
  determineHitLimitReached,
  MutantRunStatus,
  TestStatus,
  toMutantRunResult,
} from '@stryker-mutator/api/test-runner';
import Mocha from 'mocha';

/** Runs all specs in one process; which mutant is switched on is a matter of a global variable. */
class MochaInProcess {
  static inject = ['options'];

  coverage = false;
  /** The modules that are loaded, if any, are not those of the unchanged model. */
  spoilt = true;

  constructor(options) {
    globalThis.__stryker__ ??= {};
    this.stryker = globalThis.__stryker__;
    this.files = options.mocha.specs
      .flatMap((folder) => readdirSync(folder, { recursive: true }).map((file) => resolve(folder, file)))
      .filter((file) => file.endsWith('.spec.ts'))
      .sort();
  }

  capabilities() {
    return { reloadEnvironment: true };
  }

  async dryRun({ coverageAnalysis, disableBail }) {
    this.load();
    this.spoilt = false;
    this.coverage = coverageAnalysis === 'perTest';
    const result = await this.run(disableBail);
    this.coverage = false;
    if (coverageAnalysis !== 'off') result.mutantCoverage = this.stryker.mutantCoverage;
    return result;
  }

  async mutantRun({ activeMutant, testFilter, disableBail, hitLimit, mutantActivation, reloadEnvironment }) {
    this.stryker.hitLimit = hitLimit;
    this.stryker.hitCount = hitLimit === undefined ? undefined : 0;
    // A mutant of what runs when a module is loaded (the tables) needs fresh modules, and leaves spoilt ones behind.
    const atLoad = mutantActivation === 'static';
    this.stryker.activeMutant = atLoad ? activeMutant.id : undefined;
    this.spoilt ||= atLoad;
    try {
      if (atLoad || reloadEnvironment || this.spoilt) this.load();
    } catch (error) {
      // Many specs try the model while they describe their tests; what fails then is killed as well.
      return {
        status: MutantRunStatus.Killed,
        killedBy: testFilter ?? [],
        failureMessage: String(error),
        nrOfTests: 1,
      };
    }
    this.spoilt = atLoad;
    this.stryker.activeMutant = activeMutant.id;
    this.mocha.grep(testFilter ? new RegExp(testFilter.map((id) => `^${escaped(id)}$`).join('|')) : /./);
    return toMutantRunResult(await this.run(disableBail));
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

  async run(disableBail) {
    const tests = [];
    bail(this.mocha.suite, !disableBail);
    await new Promise((done) => {
      const running = this.mocha.run(done);
      running.on('pass', (test) => tests.push(reported(test, { status: TestStatus.Success })));
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
  return { id, name: id, timeSpentMs: test.duration ?? 0, fileName: test.file, ...result };
}

function bail(suite, yes) {
  suite.bail(yes);
  for (const child of suite.suites) bail(child, yes);
}

function escaped(text) {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
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
