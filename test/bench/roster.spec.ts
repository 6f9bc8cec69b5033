/** The bench of rosters, scaled down: that it measures what it says; how long things take is not asserted. */
import assert from 'node:assert/strict';
import { documentOf, measure, measureBare } from '../../bench/roster';
import { readConferenceDocument } from '../../nodes/signaling/sip/conference-document';

describe('bench of rosters', () => {
  it('reads documents of so many users, of whom one in twenty has changed', () => {
    const [one, other] = [0, 1].map((version) => {
      const read = readConferenceDocument(documentOf(100, version));
      if ('error' in read) assert.fail(read.error);
      return read.document;
    });
    assert.equal(one?.users.length, 100);
    const changed = one?.users.filter((user, index) => JSON.stringify(user) !== JSON.stringify(other?.users[index]));
    assert.equal(changed?.length, 5);
  });

  it('measures parser, comparison and facts', () => {
    const { median, best } = measure(50, 5);
    assert.ok(median.parseMs > 0 && median.totalMs >= median.parseMs && best.totalMs <= median.totalMs);
    const bare = measureBare(50, 5);
    assert.ok(bare.best > 0 && bare.best <= bare.median);
  });
});
