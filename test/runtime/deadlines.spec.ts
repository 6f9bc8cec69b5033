import assert from 'node:assert/strict';
import sinon from 'sinon';
import { Deadlines } from '../../nodes/runtime/deadlines';

describe('deadlines', () => {
  let clock: sinon.SinonFakeTimers;
  beforeEach(() => {
    clock = sinon.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setImmediate', 'clearImmediate', 'Date'] });
  });
  afterEach(() => clock.restore());

  it('GU-11 100,000 fire in the order of their instants, each once, with one timer', () => {
    const deadlines = new Deadlines();
    const fired: number[] = [];
    for (let index = 0; index < 100_000; index += 1) {
      const at = (index * 7919) % 100_003;
      deadlines.set(at, { due: () => fired.push(at) });
    }
    assert.equal(clock.countTimers(), 1);
    for (let second = 0; second <= 101; second += 1) clock.tick(1_000);
    assert.equal(fired.length, 100_000);
    for (let index = 1; index < fired.length; index += 1)
      assert.ok((fired[index] as number) >= (fired[index - 1] as number));
    assert.equal(clock.countTimers(), 0);
  });

  it('none fires before its instant, nor later than the ms it ends in; of the same instant, the first comes first', () => {
    const deadlines = new Deadlines();
    const fired: [name: string, at: number][] = [];
    const set = (name: string, at: number) => deadlines.set(at, { due: () => fired.push([name, Date.now()]) });
    set('a round later', 20_000 + 2 ** 14);
    set('first', 20_000);
    set('second', 20_000);
    set('between two ms', 19_999.2);
    set('over', -5);
    set('two rounds later', 20_000 + 2 ** 15);
    clock.tick(100_000);
    assert.deepEqual(fired, [
      ['over', 0],
      ['first', 20_000],
      ['second', 20_000],
      ['between two ms', 20_000],
      ['a round later', 20_000 + 2 ** 14],
      ['two rounds later', 20_000 + 2 ** 15],
    ]);
  });

  it('of any that are set and cancelled at any time, each that stays fires once and on time', () => {
    const deadlines = new Deadlines();
    const due = new Map<number, number>();
    const handles: number[] = [];
    let seed = 1;
    const random = (below: number) => {
      seed = (Math.imul(seed, 48_271) >>> 0) % 2_147_483_647;
      return seed % below;
    };
    let fired = 0;
    let late = 0;
    for (let step = 0; step < 20_000; step += 1) {
      const victim = random(handles.length + 1);
      if (random(3) === 0 && handles[victim]) {
        deadlines.cancel(handles[victim]);
        due.delete(victim);
      } else {
        const at = Date.now() + random(40_000);
        const name = handles.length;
        due.set(name, at);
        handles.push(
          deadlines.set(at, {
            due: () => {
              fired += 1;
              // A past instant is over at the next ms.
              if (!due.has(name) || Math.max(at, 1) > Date.now() || Date.now() > at + 1) late += 1;
              due.delete(name);
            },
          }),
        );
      }
      assert.equal(deadlines.size, due.size);
      if (step % 20 === 0) clock.tick(random(200));
    }
    clock.tick(50_000);
    assert.ok(fired > 5_000);
    assert.deepEqual([late, due.size, deadlines.size], [0, 0, 0]);
  });

  it('what is cancelled does not fire, even when another that is due at the same time cancels it', () => {
    const deadlines = new Deadlines();
    const fired: string[] = [];
    const early = deadlines.set(50, { due: () => fired.push('early') });
    deadlines.cancel(early);
    deadlines.cancel(early);
    deadlines.set(100, {
      due: () => {
        fired.push('first');
        deadlines.cancel(second);
      },
    });
    const second = deadlines.set(100, { due: () => fired.push('second') });
    clock.tick(200);
    assert.deepEqual(fired, ['first']);
    assert.equal(deadlines.size, 0);
    assert.equal(clock.countTimers(), 0);
  });

  it('a handle of one that has fired or was cancelled cancels no other', () => {
    const deadlines = new Deadlines();
    const fired: string[] = [];
    const gone = [0, deadlines.set(1, { due: () => {} })];
    clock.tick(10);
    gone.push(deadlines.set(20, { due: () => {} }));
    deadlines.cancel(gone.at(-1) as number);
    deadlines.set(20, { due: () => fired.push('other') });
    for (const handle of gone) deadlines.cancel(handle);
    assert.equal(deadlines.size, 1);
    clock.tick(10);
    assert.deepEqual(fired, ['other']);
  });

  it('the real timer is left alone by what comes after the next, and by what is cancelled', () => {
    const set = sinon.spy(globalThis, 'setTimeout');
    try {
      const deadlines = new Deadlines();
      const handles: number[] = [];
      for (let at = 1_000; at < 2_000; at += 1) handles.push(deadlines.set(at, { due: () => {} }));
      for (const handle of handles) deadlines.cancel(handle);
      deadlines.set(1_500, { due: () => {} });
      assert.equal(set.callCount, 1);
      clock.tick(1_500);
      assert.equal(deadlines.size, 0);
    } finally {
      set.restore();
    }
  });

  it('those that are due at once fire in slices, between which the event loop has its turn', () => {
    const deadlines = new Deadlines();
    const fired: number[] = [];
    const turns: number[] = [];
    for (let index = 0; index < 100; index += 1) {
      const due = () => {
        fired.push(index);
        // It takes a ms.
        clock.setSystemTime(Date.now() + 1);
        if (index === 0) setImmediate(() => turns.push(fired.length));
        if (index === 1) deadlines.cancel(last);
      };
      deadlines.set(10 + (index >> 4), { due });
    }
    const last = deadlines.set(20, { due: () => fired.push(-1) });
    clock.tick(10);
    clock.runAll();
    assert.deepEqual(
      fired,
      Array.from({ length: 100 }, (_, index) => index),
    );
    assert.ok((turns[0] as number) < 20);
  });

  it('one that throws is reported, and stops no other', () => {
    const reported: unknown[] = [];
    const deadlines = new Deadlines((error) => reported.push(error));
    const fired: string[] = [];
    deadlines.set(10, {
      due: () => {
        throw new Error('defect');
      },
    });
    deadlines.set(10, { due: () => fired.push('other') });
    clock.tick(10);
    assert.deepEqual([reported.length, fired], [1, ['other']]);
  });

  it('reaches beyond what a timer of Node can', () => {
    const deadlines = new Deadlines();
    const far = 40 * 24 * 3_600_000;
    let fired = 0;
    const due = () => {
      fired += 1;
    };
    deadlines.set(far, { due });
    deadlines.set(Number.POSITIVE_INFINITY, { due });
    clock.tick(far - 1);
    assert.equal(fired, 0);
    clock.tick(1);
    assert.equal(fired, 1);
  });

  it('what became due while the process slept fires in order, and only that', () => {
    const deadlines = new Deadlines();
    const hour = 3_600_000;
    const fired: number[] = [];
    for (const at of [3 * hour, 1_000, 8 * hour, 2 * hour + 1_000, 2 * hour])
      deadlines.set(at, { due: () => fired.push(at) });
    clock.setSystemTime(7 * hour);
    clock.runToLast();
    assert.deepEqual(fired, [1_000, 2 * hour, 2 * hour + 1_000, 3 * hour]);
    clock.tick(hour);
    assert.equal(fired.at(-1), 8 * hour);
  });

  it('a clock that is put back delays nothing that is set after', () => {
    clock.setSystemTime(1_000_000);
    const deadlines = new Deadlines();
    const fired: string[] = [];
    deadlines.set(1_000_100, { due: () => fired.push('before') });
    clock.setSystemTime(500_000);
    deadlines.set(500_200, { due: () => fired.push('after') });
    clock.tick(200);
    assert.deepEqual(fired, ['after']);
    clock.setSystemTime(1_000_000);
    clock.tick(600_000);
    assert.deepEqual(fired, ['after', 'before']);
  });

  it('one that sets itself anew for now does not block the event loop', () => {
    const deadlines = new Deadlines();
    let fired = 0;
    const again = {
      due() {
        fired += 1;
        if (fired < 10) deadlines.set(Date.now(), again);
      },
    };
    deadlines.set(0, again);
    clock.tick(0);
    assert.ok(fired < 10);
    clock.tick(20);
    assert.equal(fired, 10);
  });
});
