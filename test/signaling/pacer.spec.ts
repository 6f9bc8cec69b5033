import assert from 'node:assert/strict';
import { Pacer } from '../../nodes/signaling/pacer';
import { seeded } from '../support/seeded';
import { VirtualClock } from '../support/virtual-clock';

interface Turn {
  conference: string;
  at: number;
}

/** A pacer, and the turns that it has given, in ms since the beginning. */
class Paced {
  readonly clock = new VirtualClock();
  readonly turns: Turn[] = [];
  readonly pacer: Pacer;
  private readonly begin = this.clock.now();

  constructor(rate: number) {
    this.pacer = new Pacer(this.clock, rate, seeded(1));
  }

  ask(conference: string, note = conference): void {
    this.pacer.turn(conference, () => this.turns.push({ conference: note, at: this.clock.now() - this.begin }));
  }

  fleet(size: number, name = 'room'): void {
    for (let index = 0; index < size; index += 1) this.ask(`${name}${index}`);
  }

  get names(): string[] {
    return this.turns.map(({ conference }) => conference);
  }

  /** The most turns in any window of so many ms. */
  most(windowMs: number): number {
    let first = 0;
    let most = 0;
    for (const [index, { at }] of this.turns.entries()) {
      while ((this.turns[first] as Turn).at <= at - windowMs) first += 1;
      most = Math.max(most, index - first + 1);
    }
    return most;
  }
}

describe('pacer', () => {
  it('gives a turn at once while the rate is not exceeded (O2)', () => {
    const paced = new Paced(500);
    for (let second = 0; second < 10; second += 1) {
      paced.fleet(50, `second${second}/`);
      assert.equal(paced.turns.length, 50 * (second + 1));
      assert.equal(paced.clock.pending, 0);
      paced.clock.advance(1_000);
    }
  });

  it('beyond it, turns follow each other in the order in which they were asked for, at the rate (O2 HEAL-7)', () => {
    const paced = new Paced(500);
    paced.fleet(10_000);
    assert.equal(paced.turns.length, 50);
    paced.clock.advance(10_000);
    // The burst, and what 10 s allow.
    assert.ok(Math.abs(paced.turns.length - 5_050) <= 2, `${paced.turns.length} turns`);
    paced.clock.advance(10_000);
    assert.deepEqual(
      paced.names,
      Array.from({ length: 10_000 }, (_, index) => `room${index}`),
    );
    assert.equal(paced.clock.pending, 0);
  });

  it('no more than a hundredth of 10,000 in any tenth of a second, and evenly', () => {
    const paced = new Paced(500);
    paced.fleet(10_000);
    paced.clock.advance(30_000);
    assert.ok(paced.most(100) <= 101, `${paced.most(100)} in 100 ms`);
    const pauses = paced.turns.slice(51).map(({ at }, index) => at - (paced.turns[50 + index] as Turn).at);
    assert.ok(Math.max(...pauses) <= 4);
    assert.ok(new Set(pauses).size > 10, 'no two processes march in step');
  });

  it('a rate beyond what timers resolve is kept all the same', () => {
    const paced = new Paced(20_000);
    paced.fleet(22_000);
    paced.clock.advance(1_000);
    assert.ok(paced.turns.length >= 21_990, `${paced.turns.length} turns`);
  });

  it('after a standstill there is no more than a tenth of a second to catch up', () => {
    let now = 0;
    let wake = (): void => {};
    const clock = {
      now: () => now,
      after: (_: number, run: () => void) => {
        wake = run;
        return () => {};
      },
    };
    const pacer = new Pacer(clock, 100);
    for (let index = 0; index < 1_000; index += 1) pacer.turn(`room${index}`, () => {});
    assert.equal(pacer.size, 990);
    now += 5_000;
    wake();
    assert.equal(pacer.size, 980);
  });

  it('one turn per conference: a later one replaces the earlier, and its place is kept', () => {
    const paced = new Paced(10);
    for (const conference of ['a', 'b', 'c']) paced.ask(conference, `${conference} heals`);
    paced.ask('b', 'b re-joins');
    assert.equal(paced.pacer.size, 2);
    paced.clock.advance(1_000);
    assert.deepEqual(paced.names, ['a heals', 'b re-joins', 'c heals']);
  });

  it('whoever comes while others wait goes behind them, also when time has passed', () => {
    const paced = new Paced(10);
    paced.fleet(3);
    paced.clock.advance(50);
    paced.ask('latecomer');
    paced.clock.advance(1_000);
    assert.deepEqual(paced.names, ['room0', 'room1', 'room2', 'latecomer']);
  });

  it('a turn that is taken away costs nobody time, and the last one leaves no timer', () => {
    const paced = new Paced(10);
    paced.fleet(4);
    paced.pacer.cancel('room1');
    paced.pacer.cancel('room2');
    paced.clock.advance(125);
    assert.deepEqual(paced.names, ['room0', 'room3']);
    paced.fleet(2, 'other');
    paced.pacer.cancel('other0');
    paced.pacer.cancel('other1');
    paced.pacer.cancel('unknown');
    assert.equal(paced.clock.pending, 0);
    assert.equal(paced.pacer.size, 0);
  });

  it('what is asked for during a turn waits behind what waits already', () => {
    const paced = new Paced(10);
    paced.pacer.turn('a', () => paced.ask('d'));
    paced.fleet(2);
    paced.clock.advance(1_000);
    assert.deepEqual(paced.names, ['d', 'room0', 'room1']);
  });

  it('0: nobody waits', () => {
    const paced = new Paced(0);
    paced.fleet(10_000);
    assert.equal(paced.turns.length, 10_000);
    assert.equal(paced.clock.pending, 0);
  });

  it('another rate holds for those who wait as well', () => {
    const paced = new Paced(10);
    paced.fleet(100);
    paced.pacer.changeRate(100);
    paced.clock.advance(500);
    assert.ok(Math.abs(paced.turns.length - 51) <= 2, `${paced.turns.length} turns`);
    paced.pacer.changeRate(0);
    assert.equal(paced.turns.length, 100);
    assert.equal(paced.clock.pending, 0);
    paced.pacer.changeRate(10);
    paced.fleet(5, 'later');
    assert.equal(paced.turns.length, 101, 'nobody has to wait for what was free');
  });

  it('a clock that is set back delays nobody for long', () => {
    const paced = new Paced(10);
    paced.fleet(3);
    (paced.clock as unknown as { time: number }).time -= 3_600_000;
    paced.ask('one more');
    paced.clock.advance(3_601_000);
    assert.equal(paced.turns.length, 4);
  });
});
