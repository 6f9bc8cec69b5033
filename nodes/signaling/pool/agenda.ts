import type { Clock } from '../port';

/** Something that will be done; `run` is null once it was called off. */
export interface Appointment {
  readonly at: number;
  readonly order: number;
  run: (() => void) | null;
}

/**
 * What is to be done at the same time is done until so many ms have passed; then the event loop has its turn. Few, for what
 * it causes in the nodes takes several times as long and comes before the next turn. Virtual time stands still meanwhile, and
 * is never cut.
 */
export const longestSliceMs = 1;
/** The longest delay that a timer of JavaScript takes; later ones are waited for in several steps. */
const longestDelayMs = 0x7fff_ffff;

/**
 * All that the pool will do, in the order of its time and, at the same instant, in the order in which it was arranged. One
 * timer of the clock serves it: clocks need not keep an order between timers, and closing has one timer to call off.
 */
export class Agenda {
  /** Binary heap, earliest first. */
  private readonly heap: Appointment[] = [];
  private arranged = 0;
  private closed = false;
  private running = false;
  private wakeAt = Number.POSITIVE_INFINITY;
  private callOff: (() => void) | null = null;

  constructor(private readonly clock: Clock) {}

  /** Milliseconds since 1970. */
  now(): number {
    return this.clock.now();
  }

  /** Does something `delayMs` from now; with 0 still not before the caller has returned. */
  after(delayMs: number, run: () => void): Appointment {
    return this.at(this.clock.now() + delayMs, run);
  }

  /** Does something at an instant. */
  at(at: number, run: () => void): Appointment {
    const appointment: Appointment = { at, order: this.arranged, run };
    this.arranged += 1;
    if (this.closed) return appointment;
    this.rise(appointment);
    if (!this.running && at < this.wakeAt) this.wake(at);
    return appointment;
  }

  /** Calls something off; null, past and repeated ones do no harm. */
  cancel(appointment: Appointment | null): void {
    if (appointment !== null) appointment.run = null;
  }

  /** Calls everything off, and does nothing any more, also of what is arranged from now on. */
  close(): void {
    this.closed = true;
    this.heap.length = 0;
    this.sleep();
  }

  private wake(at: number): void {
    this.sleep();
    this.wakeAt = at;
    const delayMs = Math.min(Math.max(0, at - this.clock.now()), longestDelayMs);
    this.callOff = this.clock.after(delayMs, this.runDue);
  }

  private sleep(): void {
    this.callOff?.();
    this.callOff = null;
    this.wakeAt = Number.POSITIVE_INFINITY;
  }

  private readonly runDue = (): void => {
    this.callOff = null;
    this.wakeAt = Number.POSITIVE_INFINITY;
    const now = this.clock.now();
    // What is arranged meanwhile waits for the next turn, so that two sides that answer at once cannot block the process.
    const last = this.arranged;
    this.running = true;
    try {
      for (;;) {
        const head = this.heap[0];
        if (head === undefined || head.at > now || head.order >= last) break;
        this.sink();
        head.run?.();
        if (this.clock.now() - now >= longestSliceMs) break;
      }
    } finally {
      this.running = false;
      const head = this.heap[0];
      if (head !== undefined) this.wake(head.at);
    }
  };

  private rise(appointment: Appointment): void {
    const { heap } = this;
    let index = heap.length;
    heap.push(appointment);
    while (index > 0) {
      const above = (index - 1) >> 1;
      const parent = heap[above] as Appointment;
      // A new one is the latest of its instant, so the order need not be compared.
      if (parent.at <= appointment.at) break;
      heap[index] = parent;
      index = above;
    }
    heap[index] = appointment;
  }

  /** Takes the head away. */
  private sink(): void {
    const { heap } = this;
    const moved = heap.pop() as Appointment;
    const size = heap.length;
    if (size === 0) return;
    let index = 0;
    for (;;) {
      let below = 2 * index + 1;
      if (below >= size) break;
      if (below + 1 < size && earlier(heap[below + 1] as Appointment, heap[below] as Appointment)) below += 1;
      const child = heap[below] as Appointment;
      if (earlier(moved, child)) break;
      heap[index] = child;
      index = below;
    }
    heap[index] = moved;
  }
}

function earlier(one: Appointment, other: Appointment): boolean {
  return one.at < other.at || (one.at === other.at && one.order < other.order);
}
