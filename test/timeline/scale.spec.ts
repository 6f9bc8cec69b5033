import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import {
  clusters,
  following,
  instantAt,
  longestSpan,
  moved,
  placeOf,
  shortestSpan,
  stretch,
  ticks,
  zoomed,
} from '../../nodes/timeline/scale';

const view = { from: 1_000, to: 11_000 };

describe('scale of a timeline', () => {
  it('places instants to scale, and tells the instant of a place', () => {
    assert.deepEqual([placeOf(view, 200, 1_000), placeOf(view, 200, 6_000), placeOf(view, 200, 11_000)], [0, 100, 200]);
    assert.equal(instantAt(view, 200, 100), 6_000);
  });

  it('goes with time, and leaves some room for what is to come', () => {
    const { from, to } = following(100_000, 50_000, null);
    assert.equal(to - from, 50_000);
    assert.ok(from < 100_000 && to > 100_000);
  });

  it('reaches as far as what is ahead, unless that is so far that the past would be squeezed', () => {
    const usual = following(100_000, 50_000, null);
    const { from, to } = following(100_000, 50_000, 150_000);
    assert.equal(from, usual.from);
    assert.ok(to > 150_000);
    for (const ahead of [99_000, 101_000, 150_001]) assert.deepEqual(following(100_000, 50_000, ahead), usual);
  });

  it('zooms around an instant, which stays where it is, within its limits', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0.01, max: 100, noNaN: true }),
        fc.integer({ min: 0, max: 10_000 }),
        (factor, after) => {
          const around = view.from + after;
          const { from, to } = zoomed(view, factor, around);
          assert.ok(to - from >= shortestSpan - 1e-6 && to - from <= longestSpan + 1e-6);
          assert.ok(Math.abs(placeOf({ from, to }, 200, around) - placeOf(view, 200, around)) < 1e-6);
        },
      ),
    );
    assert.deepEqual(zoomed(view, 2, 1_000), { from: 1_000, to: 21_000 });
  });

  it('moves without changing how much is in view', () => {
    assert.deepEqual(moved(view, -500), { from: 500, to: 10_500 });
  });

  it('clips what is partly in view, leaves out what is not, and shows the shortest', () => {
    assert.deepEqual(stretch(view, 200, 0, 6_000), { x: 0, width: 100 });
    assert.deepEqual(stretch(view, 200, Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY), { x: 0, width: 200 });
    assert.deepEqual(stretch(view, 200, 6_000, 6_001), { x: 100, width: 1 });
    assert.equal(stretch(view, 200, 0, 999), null);
    assert.equal(stretch(view, 200, 11_001, 20_000), null);
  });

  it('ticks are at round instants, far enough apart, at any zoom', () => {
    assert.deepEqual(ticks({ from: 59_000, to: 91_000 }, 320, 75), [60_000, 70_000, 80_000, 90_000]);
    for (let span = shortestSpan; span <= longestSpan; span *= 1.3) {
      const found = ticks({ from: 12_345, to: 12_345 + span }, 300, 75);
      assert.ok(found.length <= 5, `${found.length} in ${span} ms`);
      assert.ok(found.every((at) => at % 1_000 === 0));
    }
  });

  it('marks that would lie on each other are one, however many there are', () => {
    const marks = [0, 1_000, 1_100, 1_200, 6_000, 6_400, 6_600, 20_000].map((at) => ({ at }));
    const groups = clusters(view, 200, 10, marks).map((group) => group.map(({ at }) => at));
    assert.deepEqual(groups, [[1_000, 1_100, 1_200], [6_000, 6_400], [6_600]]);
    const many = Array.from({ length: 10_000 }, (_, index) => ({ at: 1_000 + index }));
    assert.ok(clusters(view, 200, 10, many).length <= 21);
  });
});
