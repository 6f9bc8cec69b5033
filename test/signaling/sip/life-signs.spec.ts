import assert from 'node:assert/strict';
import { LifeSigns } from '../../../nodes/signaling/sip/flow/life-signs';
import { VirtualClock } from '../../support/virtual-clock';

const patience = { silenceMs: 6000, answerMs: 5000 };

describe('signs of life', () => {
  let clock: VirtualClock;
  let start: number;
  let asked: number[];
  let deadAfter: number[];

  const watch = (ask: (() => void) | null = () => asked.push(clock.now() - start)): LifeSigns =>
    new LifeSigns(clock, patience, ask, () => deadAfter.push(clock.now() - start));

  beforeEach(() => {
    clock = new VirtualClock();
    start = clock.now();
    asked = [];
    deadAfter = [];
  });

  it('are asked for after 6 s of silence; a far end that hangs is found out within 12 s of its last word', () => {
    const signs = watch();
    clock.advance(4000);
    signs.heard();
    clock.advance(60_000);
    assert.deepEqual(asked, [10_000]);
    assert.deepEqual(deadAfter, [15_000]);
    assert.equal(clock.pending, 0);
  });

  it('are whatever arrives', () => {
    const signs = watch();
    for (let at = 0; at < 60_000; at += 5000) {
      clock.advance(5000);
      signs.heard();
    }
    assert.deepEqual(asked, []);
    clock.advance(6000);
    clock.advance(4999);
    signs.heard();
    clock.advance(6000);
    assert.deepEqual(asked, [66_000, 76_999]);
    assert.deepEqual(deadAfter, []);
  });

  it('may be given while they are asked for', () => {
    const signs: LifeSigns = watch(() => {
      asked.push(clock.now() - start);
      signs.heard();
    });
    clock.advance(60_000);
    assert.equal(asked.length, 10);
    assert.deepEqual(deadAfter, []);
  });

  it('are owed for a request, where there is no way to ask', () => {
    const signs = watch(null);
    clock.advance(600_000);
    signs.requested();
    clock.advance(10_999);
    signs.heard();
    clock.advance(600_000);
    assert.deepEqual(deadAfter, []);
    signs.requested();
    clock.advance(5000);
    signs.requested();
    clock.advance(6000);
    assert.deepEqual(deadAfter, [clock.now() - start]);
  });

  it('are not waited for any more once that was stopped', () => {
    for (const ask of [undefined, null]) {
      const signs = watch(ask);
      signs.requested();
      signs.stop();
    }
    assert.equal(clock.pending, 0);
  });
});
