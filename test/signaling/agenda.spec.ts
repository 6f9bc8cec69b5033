import assert from 'node:assert/strict';
import { Agenda } from '../../nodes/signaling/pool/agenda';
import { VirtualClock } from '../support/virtual-clock';

describe('agenda of the pool', () => {
  it('what is due is done in slices, in its order, and the next slice follows at once (O2)', () => {
    // Everything that is done takes 0.4 ms.
    const clock = { time: 0, wakes: [] as { delayMs: number; run: () => void }[] };
    const agenda = new Agenda({
      now: () => clock.time,
      after(delayMs, run) {
        clock.wakes.push({ delayMs, run });
        return () => {};
      },
    });
    const done: number[] = [];
    for (let number = 0; number < 10; number += 1) {
      agenda.at(5, () => {
        clock.time += 0.4;
        done.push(number);
      });
    }
    clock.time = 5;
    const slices: number[] = [];
    for (let wake = clock.wakes.shift(); wake; wake = clock.wakes.shift()) {
      const before = done.length;
      if (slices.length > 0) assert.equal(wake.delayMs, 0);
      wake.run();
      slices.push(done.length - before);
    }
    assert.deepEqual(slices, [3, 3, 3, 1]);
    assert.deepEqual(
      done,
      Array.from({ length: 10 }, (_, number) => number),
    );
  });

  it('on virtual time, however much is due is done in one', () => {
    const clock = new VirtualClock();
    const agenda = new Agenda(clock);
    let done = 0;
    for (let number = 0; number < 10_000; number += 1) {
      agenda.after(5, () => {
        done += 1;
      });
    }
    clock.advance(4);
    assert.equal(clock.pending, 1);
    assert.ok(clock.runNext());
    assert.equal(done, 10_000);
    assert.equal(clock.pending, 0);
  });
});
