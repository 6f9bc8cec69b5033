import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { JsonObject } from '../../../nodes/recovery/messages';
import { apply, difference } from '../../../nodes/runtime/keeping/patch';

/** Any JSON object, with names that objects have by themselves too. */
const names = fc.oneof(fc.string(), fc.constantFrom('a', 'b', '__proto__', 'constructor', 'toString', ''));
const { object } = fc.letrec<{ value: unknown; object: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    fc.constantFrom(null, true, 0, 1, 'x'),
    fc.array(tie('value')),
    tie('object'),
  ),
  object: fc.array(fc.tuple(names, tie('value')), { maxLength: 6 }).map((entries) => Object.fromEntries(entries)),
}));

describe('the difference between two states', () => {
  const plain = <T>(value: T): T => JSON.parse(JSON.stringify(value));

  it('PER-2 leads from one to the other, as plain JSON', () => {
    fc.assert(
      fc.property(object as fc.Arbitrary<JsonObject>, object as fc.Arbitrary<JsonObject>, (before, after) => {
        const patch = difference(before, after);
        const changed = plain(before);
        if (patch) assert.ok(apply(changed, plain(patch)));
        assert.deepEqual(changed, plain(after));
      }),
      { numRuns: 2_000, seed: 1 },
    );
  });

  it('is none where nothing is different, and does not look into what is the same object', () => {
    const shared = new Proxy({}, { ownKeys: () => assert.fail('looked into') });
    assert.equal(difference({ shared, a: { b: null } }, { shared, a: { b: null } }), null);
  });

  it('PER-2 of a roster in which one participant changed has that participant only', () => {
    const participants = Object.fromEntries(Array.from({ length: 1_000 }, (_, index) => [`sip:${index}@x`, { index }]));
    const before = { roster: { version: 1, participants } };
    const after = { roster: { version: 2, participants: { ...participants, 'sip:7@x': { index: 70 } } } };
    assert.deepEqual(plain(difference(before, after)), {
      within: {
        roster: { set: { version: 2 }, within: { participants: { within: { 'sip:7@x': { set: { index: 70 } } } } } },
      },
    });
  });

  it('that belongs to another object is refused', () => {
    assert.equal(apply({ a: 1 }, { within: { a: { set: { b: 1 } } } }), false);
    assert.equal(apply({}, { within: { a: { set: { b: 1 } } } }), false);
  });
});
