import type { Clock } from '../../nodes/signaling/port';

interface Timer {
  at: number;
  order: number;
  run: (() => void) | null;
}

/** Time that passes when it is told to. Timers run in the order of their time, then of their setting. */
export class VirtualClock implements Clock {
  private readonly timers: Timer[] = [];
  private set = 0;
  /** Timers that have neither run nor been called off. */
  pending = 0;

  constructor(private time = 1_767_225_600_000) {}

  now(): number {
    return this.time;
  }

  after(delayMs: number, run: () => void): () => void {
    const timer: Timer = { at: this.time + Math.max(0, delayMs), order: this.set, run };
    this.set += 1;
    this.pending += 1;
    this.push(timer);
    return () => {
      if (timer.run === null) return;
      timer.run = null;
      this.pending -= 1;
    };
  }

  /** Lets so much time pass, and runs what is due in it, also what is set meanwhile. */
  advance(ms: number): void {
    const until = this.time + ms;
    while (this.runNext(until));
    this.time = until;
  }

  /** Jumps to the next timer and runs it; false when there is none until then. */
  runNext(until = Number.POSITIVE_INFINITY): boolean {
    for (let timer = this.timers[0]; timer !== undefined && timer.at <= until; timer = this.timers[0]) {
      this.pop();
      const { run } = timer;
      if (run === null) continue;
      timer.run = null;
      this.pending -= 1;
      this.time = timer.at;
      run();
      return true;
    }
    return false;
  }

  private push(timer: Timer): void {
    const { timers } = this;
    let index = timers.length;
    while (index > 0) {
      const above = (index - 1) >> 1;
      const parent = timers[above] as Timer;
      if (earlier(parent, timer)) break;
      timers[index] = parent;
      index = above;
    }
    timers[index] = timer;
  }

  private pop(): void {
    const { timers } = this;
    const moved = timers.pop() as Timer;
    const size = timers.length;
    if (size === 0) return;
    let index = 0;
    for (let below = 1; below < size; below = 2 * index + 1) {
      if (below + 1 < size && earlier(timers[below + 1] as Timer, timers[below] as Timer)) below += 1;
      const child = timers[below] as Timer;
      if (earlier(moved, child)) break;
      timers[index] = child;
      index = below;
    }
    timers[index] = moved;
  }
}

function earlier(one: Timer, other: Timer): boolean {
  return one.at < other.at || (one.at === other.at && one.order < other.order);
}
