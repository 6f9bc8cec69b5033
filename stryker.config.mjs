/**
 * Mutation testing of the model: `npm run mutation`, or `npm run mutation -- --mutate nodes/recovery/roster.ts` for one
 * file. Results are kept in `reports/`, and only what has changed since is tried again.
 */

// The properties are tried on every mutant that the other tests let live, so fewer runs must do, and no shrinking.
process.env.FAST_CHECK_RUNS ??= '200';
process.env.FAST_CHECK_HURRY ??= '1';

export default {
  mutate: ['nodes/recovery/**/*.ts', '!nodes/recovery/messages.ts', '!nodes/recovery/signaling.ts'],
  plugins: ['./scripts/mutation/plugin.mjs'],
  testRunner: 'mocha-in-process',
  buildCommand: 'tsc -p test --noCheck --noEmit false --declaration false --outDir test/output/mutation',
  mocha: { specs: ['test/recovery/', 'test/reference/'] },
  ignorers: ['sentences'],
  coverageAnalysis: 'perTest',
  incremental: true,
  incrementalFile: 'reports/mutation/incremental.json',
  reporters: ['clear-text', 'progress', 'html', 'json'],
  clearTextReporter: { logTests: false, allowColor: false },
  htmlReporter: { fileName: 'reports/mutation/index.html' },
  jsonReporter: { fileName: 'reports/mutation/mutation.json' },
  concurrency: 2,
  // A mutant that is slow only because the machine is busy has not been killed. Endless loops are found by counting.
  timeoutMS: 120_000,
  thresholds: { high: 95, low: 90, break: 90 },
  // No file of that name: Stryker would rewrite tsconfig.json by TypeScript's old interface, which version 7 has not.
  tsconfigFile: 'none.json',
  disableTypeChecks: false,
  checkers: [],
  ignorePatterns: ['dist/**/*.js', 'docs', 'examples', 'reports', 'coverage', 'test/output'],
  tempDirName: '.stryker-tmp',
  cleanTempDir: 'always',
  warnings: { unknownOptions: false },
};
