import type { Clock } from './port';

/** What leaves without delay after a pause, in seconds' worth of the rate: as much as would have left in that time. */
const burstSeconds = 0.1;
/** By so much, up or down, the pause before a turn is changed at random, so that several processes do not march in step. */
const jitter = 0.25;
/** Timers are no finer; at high rates there are several turns in each. */
const shortestPauseMs = 1;

/**
 * Spreads over time what all conferences of an endpoint would send at once when something that they share fails. While they
 * are few, nobody waits; beyond the rate, they leave one after the other in the order in which they came, at the rate. There
 * is one turn per conference: of what it could send, the latest counts.
 */
export class Pacer {
  /** What waits, by conference, in the order of its turns. */
  private readonly waiting = new Map<string, () => void>();
  /** Walks along `waiting`: to start from its beginning each time would pass over all that has left. */
  private next = this.waiting.entries();
  /** So many may leave without delay. */
  private credit: number;
  private creditAt: number;
  private callOff: (() => void) | null = null;

  constructor(
    private readonly clock: Clock,
    /** Turns per second; 0: nobody waits. */
    private rate: number,
    private readonly random: () => number = Math.random,
  ) {
    this.credit = this.burst;
    this.creditAt = clock.now();
  }

  /** How many wait. */
  get size(): number {
    return this.waiting.size;
  }

  /** Another rate from now on, also for those who wait. */
  changeRate(rate: number): void {
    this.earn();
    this.rate = rate;
    this.rest();
    this.serve();
  }

  /**
   * Calls `run`, which must not throw, when it is the conference's turn: before this returns if nobody has to wait. What
   * waits of the same conference is replaced, and its place is kept.
   */
  turn(conference: string, run: () => void): void {
    this.waiting.set(conference, run);
    if (this.callOff === null) this.serve();
  }

  /** Takes a conference's turn away. */
  cancel(conference: string): void {
    this.waiting.delete(conference);
    if (this.waiting.size === 0) this.rest();
  }

  private rest(): void {
    this.callOff?.();
    this.callOff = null;
  }

  private get burst(): number {
    return Math.max(1, this.rate * burstSeconds);
  }

  private earn(): void {
    const now = this.clock.now();
    // A clock may be set back.
    const seconds = Math.max(0, now - this.creditAt) / 1000;
    this.credit = Math.min(this.burst, this.credit + seconds * this.rate);
    this.creditAt = now;
  }

  /** Serves as many as may leave now, and comes back for the next one. */
  private serve(): void {
    this.earn();
    while (this.rate === 0 || this.credit >= 1) {
      const run = this.take();
      if (run === undefined) return;
      if (this.rate > 0) this.credit -= 1;
      run();
    }
    if (this.waiting.size === 0) return;
    const pauseMs = ((1 - this.credit) / this.rate) * 1000 * (1 + jitter * (2 * this.random() - 1));
    this.callOff = this.clock.after(Math.max(shortestPauseMs, pauseMs), () => {
      this.callOff = null;
      this.serve();
    });
  }

  private take(): (() => void) | undefined {
    let step = this.next.next();
    if (step.done) {
      // A walk that has come to the end does not go on with what is added later.
      this.next = this.waiting.entries();
      step = this.next.next();
    }
    if (step.done) return undefined;
    const [conference, run] = step.value;
    this.waiting.delete(conference);
    return run;
  }
}
