/**
 * Mocha's spec reporter, and at the end what was skipped, so that nobody takes silence for success. Where a peer has ended
 * by itself (peers.ts warns of it), the next test that fails says so. With TEST_COUNTS set,
 * the counts are added to that file as a line `passed failed skipped`; with TEST_FAILURES set, what failed and why is added
 * to that one.
 */
const { appendFileSync } = require('node:fs');
const { Spec } = require('mocha').reporters;

module.exports = class Reporter extends Spec {
  constructor(runner, options) {
    super(runner, options);
    const skipped = [];
    const ended = [];
    process.on('warning', ({ name, message }) => name === 'PeerEnded' && ended.push(message));
    runner.on('fail', (_, error) => {
      const before = error.message;
      error.message = [before, ...ended.splice(0)].join('\n');
      // The stack begins with the message as it was when it was made.
      error.stack = error.stack?.replace(before, () => error.message);
    });
    runner.on('pending', (test) => skipped.push(test.fullTitle()));
    runner.once('end', () => {
      if (skipped.length > 0) {
        console.log(`Skipped, for the reasons printed above:\n${skipped.map((title) => `  - ${title}`).join('\n')}\n`);
      }
      if (process.env.TEST_COUNTS) {
        const { passes, failures } = this.stats;
        appendFileSync(process.env.TEST_COUNTS, `${passes} ${failures} ${skipped.length}\n`);
      }
      if (process.env.TEST_FAILURES) {
        for (const test of this.failures) {
          const reason = test.err.stack ?? test.err.message;
          appendFileSync(process.env.TEST_FAILURES, `${test.fullTitle()} (Node ${process.version})\n${reason}\n\n`);
        }
      }
    });
  }
};
