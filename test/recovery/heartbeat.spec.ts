import assert from 'node:assert/strict';
import {
  deviationsAt,
  type Heartbeats,
  heartbeatArrived,
  heartbeatDefaults,
  interrupted,
  nextCheck,
  nothingHeard,
  phiOf,
  type SignOfLife,
  type Watch,
} from '../../nodes/recovery/heartbeat';

function sign(at: number): SignOfLife {
  return { at, evidence: { signal: 'heartbeat', at: new Date(at).toISOString(), seq: 1 } };
}

/** Heartbeats that arrived at these moments. */
function arrivals(moments: readonly number[], window = 1_000): Heartbeats {
  return moments.reduce((heartbeats, at) => heartbeatArrived(heartbeats, sign(at), window), nothingHeard);
}

function watch(heartbeats: Heartbeats, members: Partial<Watch> = {}): Watch {
  return { heartbeats, suspicion: null, missedHeartbeats: 0, mediaFlow: false, ...members };
}

describe('heartbeats: what arrivals teach', () => {
  it('DET-7 mean and variance of the intervals', () => {
    const { learned, meanMs, variance } = arrivals([0, 1_000, 2_100, 3_000, 4_200]);
    assert.equal(learned, 4);
    assert.equal(meanMs, 1_050);
    const expected = [-50, 50, -150, 150].reduce((sum, difference) => sum + difference ** 2, 0) / 4;
    assert.ok(Math.abs(variance - expected) < 1e-6);
  });

  it('DET-7 beyond the window the old ones fade, and the record stays as small as it was', () => {
    const slow = Array.from({ length: 50 }, (_, index) => index * 10_000);
    const fast = Array.from({ length: 200 }, (_, index) => 490_000 + (index + 1) * 1_000);
    const { learned, meanMs } = arrivals([...slow, ...fast], 20);
    assert.equal(learned, 20);
    assert.ok(Math.abs(meanMs - 1_000) < 1, String(meanMs));
  });

  it('DET-7 what lies between an interruption and the next heartbeat teaches nothing', () => {
    const before = interrupted(arrivals([0, 1_000, 2_000]));
    const after = [90_000, 91_000].reduce((beats, at) => heartbeatArrived(beats, sign(at), 1_000), before);
    assert.deepEqual([after.learned, after.meanMs, after.variance], [3, 1_000, 0]);
  });
});

describe('heartbeats: phi', () => {
  it('DET-7 phi is minus the logarithm of the chance of such a delay', () => {
    assert.ok(Math.abs(phiOf(0) - Math.log10(2)) < 1e-12, 'half of all are later than the mean');
    // Quantiles of the normal distribution; the approximation is good to a few hundredths there.
    assert.ok(Math.abs(phiOf(1.2816) - 1) < 0.01);
    assert.ok(Math.abs(phiOf(2.3263) - 2) < 0.02);
    assert.ok(phiOf(-3) > 0 && phiOf(-3) < 0.001);
  });

  it('DET-7 it grows without bound and without overflow', () => {
    let previous = -1;
    for (const deviations of [-1_000, -1, 0, 1, 5, 10, 100, 10_000]) {
      const phi = phiOf(deviations);
      assert.ok(Number.isFinite(phi) && phi >= 0 && phi >= previous);
      previous = phi;
    }
  });

  it('DET-7 the deadline is the inverse of it', () => {
    for (const phi of [0.5, 1, 2, 8, 12, 100]) assert.ok(Math.abs(phiOf(deviationsAt(phi)) - phi) < 1e-6, String(phi));
  });
});

describe('heartbeats: what silence means', () => {
  const regular = arrivals([0, 1_000, 2_000]);

  it('DET-7 nobody expects anything before there was a sign, or an interval', () => {
    for (const heartbeatDetector of ['missed', 'fixed', 'phi', 'suspicion'] as const) {
      const settings = { ...heartbeatDefaults, heartbeatDetector };
      assert.equal(nextCheck(watch(nothingHeard), settings), null);
      assert.equal(nextCheck(watch(arrivals([5])), settings), null);
    }
  });

  it('DET-7 missed never looks at the clock', () => {
    assert.equal(nextCheck(watch(regular), { ...heartbeatDefaults, heartbeatDetector: 'missed' }), null);
  });

  it('DET-7 fixed waits for its time-out, but at least for one and a half intervals', () => {
    const settings = { ...heartbeatDefaults, heartbeatDetector: 'fixed' } as const;
    const check = { at: 5_500, phase: 'failed', rule: 'heartbeat-timeout' };
    assert.deepEqual(nextCheck(watch(regular), settings), check);
    assert.equal(nextCheck(watch(regular), { ...settings, heartbeatTimeoutMs: 200 })?.at, 3_500);
  });

  it('DET-7 phi waits for the mean, the acceptable pause, and as many deviations as its threshold is worth', () => {
    const settings = { ...heartbeatDefaults, heartbeatDetector: 'phi' } as const;
    const check = nextCheck(watch(regular), settings);
    assert.deepEqual([check?.phase, check?.rule], ['failed', 'heartbeat-phi']);
    assert.equal(check?.at, 2_000 + 1_000 + 3_000 + 100 * deviationsAt(8));
    const irregular = arrivals([0, 500, 2_000]);
    assert.equal(nextCheck(watch(irregular), settings)?.at, 2_000 + 1_000 + 3_000 + 500 * deviationsAt(8));
  });

  it('DET-7 suspicion suspects early, and leaves half of its time for asking however irregular the beats', () => {
    const check = nextCheck(watch(regular), heartbeatDefaults);
    assert.deepEqual(check, { at: 3_000 + 100 * deviationsAt(2), phase: 'suspected', rule: 'heartbeat-late' });
    const irregular = arrivals([0, 100, 2_000, 2_050, 8_000]);
    assert.equal(nextCheck(watch(irregular), heartbeatDefaults)?.at, 8_000 + 2_000 + 1_150);
  });

  const suspicion = { since: 3_200, answeredAt: null, probesMissed: 3 };

  it('DET-7 the verdict falls when the second path is silent as well', () => {
    const failed = { phase: 'failed', rule: 'heartbeat-silence' };
    assert.deepEqual(nextCheck(watch(regular, { suspicion }), heartbeatDefaults), { at: 5_300, ...failed });
    const late = { ...suspicion, since: 4_900 };
    assert.equal(nextCheck(watch(regular, { suspicion: late }), heartbeatDefaults)?.at, 4_900 + 1_150);
  });

  it('DET-7 an answered probe holds it back, and media double its time', () => {
    const answered = { ...suspicion, answeredAt: 4_000 };
    assert.equal(nextCheck(watch(regular, { suspicion: answered }), heartbeatDefaults)?.at, 6_300);
    assert.equal(nextCheck(watch(regular, { suspicion, mediaFlow: true }), heartbeatDefaults)?.at, 7_600);
  });

  it('DET-7 a route that is silent for long has failed, whoever answers probes', () => {
    const answered = { ...suspicion, answeredAt: 9_900 };
    const check = (missedHeartbeats: number) =>
      nextCheck(watch(regular, { suspicion: answered, missedHeartbeats }), heartbeatDefaults);
    assert.deepEqual(check(1), { at: 12_200, phase: 'failed', rule: 'heartbeat-silence' });
    assert.deepEqual(check(2), { at: 10_000, phase: 'failed', rule: 'route-silence' });
  });
});
