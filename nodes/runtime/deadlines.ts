/**
 * All deadlines of the process in one binary heap with one real timer: a deadline costs a few dozen bytes and no timer of
 * its own, at any number of conferences.
 */

/** A deadline that is set; what `cancel` takes. */
export interface Deadline {
  at: number;
  run: () => void;
  /** Place in the heap; -1 when it is due and about to fire, -2 when it has fired or was cancelled. */
  place: number;
}

/** Node's timers overflow beyond this, so a far deadline is approached in steps. */
const longestTimer = 2 ** 31 - 1;

/** A set of deadlines. The nodes share `deadlines`; tests make their own. */
export class Deadlines {
  private readonly heap: Deadline[] = [];
  private timer: NodeJS.Timeout | null = null;
  private armedFor = Number.POSITIVE_INFINITY;

  /** `report` is told of what a deadline threw; the others fire all the same. */
  constructor(private readonly report: (error: unknown) => void = (error) => console.error(error)) {}

  /** How many are pending. */
  get size(): number {
    return this.heap.length;
  }

  /** Calls `run` once when the instant `at` (ms since 1970) has come; never from inside this call. */
  set(at: number, run: () => void): Deadline {
    const deadline: Deadline = { at, run, place: this.heap.length };
    this.heap.push(deadline);
    this.rise(deadline);
    this.arm();
    return deadline;
  }

  /** Calls a deadline off; one that has fired is left alone. */
  cancel(deadline: Deadline): void {
    if (deadline.place >= 0) this.remove(deadline);
    deadline.place = -2;
    this.arm();
  }

  private remove(deadline: Deadline): void {
    const last = this.heap.pop() as Deadline;
    const { place } = deadline;
    deadline.place = -1;
    if (last === deadline) return;
    this.heap[place] = last;
    last.place = place;
    this.rise(last);
    this.sink(last);
  }

  private rise(deadline: Deadline): void {
    const { heap } = this;
    while (deadline.place > 0) {
      const parent = heap[(deadline.place - 1) >> 1] as Deadline;
      if (parent.at <= deadline.at) return;
      this.swap(parent, deadline);
    }
  }

  private sink(deadline: Deadline): void {
    const { heap } = this;
    for (;;) {
      const left = heap[2 * deadline.place + 1];
      const right = heap[2 * deadline.place + 2];
      const child = right && left && right.at < left.at ? right : left;
      if (!child || child.at >= deadline.at) return;
      this.swap(deadline, child);
    }
  }

  private swap(upper: Deadline, lower: Deadline): void {
    const { place } = upper;
    upper.place = lower.place;
    lower.place = place;
    this.heap[upper.place] = upper;
    this.heap[lower.place] = lower;
  }

  private arm(): void {
    const next = this.heap[0]?.at ?? Number.POSITIVE_INFINITY;
    if (next === this.armedFor) return;
    if (this.timer) clearTimeout(this.timer);
    this.timer = null;
    this.armedFor = next;
    if (next === Number.POSITIVE_INFINITY) return;
    this.timer = setTimeout(() => this.fire(), Math.min(longestTimer, Math.max(0, next - Date.now())));
  }

  private fire(): void {
    const now = Date.now();
    this.armedFor = Number.POSITIVE_INFINITY;
    this.timer = null;
    // What is set while firing waits for the next turn, so that a deadline that sets itself anew cannot spin here.
    const due: Deadline[] = [];
    for (let next = this.heap[0]; next && next.at <= now; next = this.heap[0]) {
      this.remove(next);
      due.push(next);
    }
    for (const deadline of due) {
      // One that was due at the same time may have called it off.
      if (deadline.place === -2) continue;
      deadline.place = -2;
      try {
        deadline.run();
      } catch (error) {
        this.report(error);
      }
    }
    this.arm();
  }
}

/** The deadlines of all nodes in this process. */
export const deadlines = new Deadlines();

/** Real time, for signaling ports. */
export const systemClock = {
  now: (): number => Date.now(),
  after(delayMs: number, run: () => void): () => void {
    const deadline = deadlines.set(Date.now() + delayMs, run);
    return () => deadlines.cancel(deadline);
  },
};
