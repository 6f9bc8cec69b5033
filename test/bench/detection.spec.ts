/** The bench of detectors, scaled down: its measurements are seeded, and on virtual time. */
import assert from 'node:assert/strict';
import { complaintsAbout, detectors, type Measurement, measure, traces } from '../../bench/detection';

const extent = { beats: 20_000, deaths: 200, seed: 1 };

function measured(trace: string, detector: string, seed = 1): Measurement {
  const found = traces.find(({ name }) => name === trace);
  assert.ok(found, trace);
  return measure(found, detector, { ...extent, seed });
}

describe('bench of detectors', () => {
  it('the same seed gives the same figures, another one others', () => {
    const once = measured('10 % lost', 'suspicion');
    assert.deepEqual(measured('10 % lost', 'suspicion'), once);
    assert.notDeepEqual(measured('10 % lost', 'suspicion', 2), once);
  });

  for (const { name } of traces.slice(0, 4)) {
    it(`DET-7 the default notices a death in 3 s on average, and nothing else: ${name}`, () => {
      const { meanMs, p50Ms, p99Ms, falsePerDay } = measured(name, 'suspicion');
      assert.ok(meanMs <= 3_000 && p50Ms <= p99Ms, `${meanMs} ${p50Ms} ${p99Ms}`);
      assert.equal(falsePerDay, 0);
    });
  }

  it('DET-7 bursts make a fixed time-out cry wolf, and a second path prevents it unless it is hit as well', () => {
    assert.ok(measured('bursts of 1 to 4 lost', 'fixed: 3.5 s').falsePerDay > 40);
    assert.equal(measured('bursts of 1 to 4 lost', 'suspicion').falsePerDay, 0);
    assert.ok(measured('bursts on both paths', 'suspicion').falsePerDay > 40);
    assert.equal(measured('the same, media flow', 'suspicion').falsePerDay, 0);
  });

  it('DET-7 each detector notices each death', () => {
    for (const detector of Object.keys(detectors)) {
      const { meanMs, p99Ms } = measured('only the route dies', detector);
      assert.ok(meanMs > 2_000 && p99Ms < 10_000, `${detector}: ${meanMs} ${p99Ms}`);
    }
  });

  it('complains of goals that are missed, and of traces that are not what they should be', () => {
    const figures = { trace: '1 % lost', meanMs: 2_900, p50Ms: 2_900, p99Ms: 3_500, falsePerDay: 0.2 };
    const complaints = (detector: string, members: Partial<Measurement>) =>
      complaintsAbout([{ ...figures, detector, ...members }]).length;
    assert.equal(complaints('suspicion', {}), 0);
    assert.equal(complaints('suspicion', { meanMs: 3_001 }), 1);
    assert.equal(complaints('suspicion', { falsePerDay: 1 }), 1);
    assert.equal(complaints('suspicion', { meanMs: Number.NaN }), 1);
    assert.equal(complaints('fixed: 3.5 s', {}), 0);
    assert.equal(complaints('fixed: 3.5 s', { falsePerDay: 0.05 }), 1);
    assert.equal(complaints('fixed: 3.5 s', { falsePerDay: 0.5 }), 1);
    assert.equal(complaints('phi: 8, pause 3 s', { meanMs: 9_000, falsePerDay: 50 }), 0);
    assert.equal(complaints('suspicion', { trace: 'bursts on both paths', falsePerDay: 90 }), 0);
  });
});
