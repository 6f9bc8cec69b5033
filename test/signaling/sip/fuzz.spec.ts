/** A short run of the fuzzer, the same each time; `npm run fuzz` goes on from there. */
import assert from 'node:assert/strict';
import { fuzz, numbered } from '../../fuzz/fuzz';

describe('fuzzer', function () {
  this.timeout(60_000);

  it('200 inputs: no exception, none dearer than 50 ms, no memory lost, and the other dialog goes on', async () => {
    const { inputs, failure } = await fuzz({ seed: 1, from: 0, count: 200 });
    assert.equal(failure, undefined, JSON.stringify(failure)?.slice(0, 2000));
    assert.equal(inputs, 200);
  });

  it('sends the same for the same seed, and other things for another one', () => {
    assert.deepEqual(numbered(1, 7), numbered(1, 7));
    assert.notDeepEqual(numbered(1, 7), numbered(2, 7));
    assert.notDeepEqual(numbered(1, 7), numbered(1, 8));
  });
});
