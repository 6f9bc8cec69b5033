/**
 * All deadlines of the process in one hashed timing wheel with one real timer (Varghese and Lauck, 1987, scheme 6): each
 * millisecond has a list, shared with the milliseconds that are whole rounds of the wheel away. To arm or cancel a deadline
 * is to link or unlink it, at any number of them.
 */

/** What a deadline is set for; told, once, that its instant has come. */
export interface Target {
  due(): void;
}

/** Names a deadline that was set; never 0, and never used again. */
export type Handle = number;

/** Lists of the wheel, and ms of one round. A power of two, so that places are found by masks. */
const spokes = 2 ** 14;
const mask = spokes - 1;
/** After the lists of the wheel comes one of what is due. */
const dueList = spokes;
const firstSlot = spokes + 1;

/**
 * Lists and deadlines are rows of one array, 16 bytes each: what comes after and before it in its list; which round of the
 * wheel it waits for; and how often the row was used, so that an old handle is known.
 */
const row = 4;
const after = 0;
const before = 1;
const round = 2;
const uses = 3;

/** A handle is a row, and how often it had been used. */
const mostRows = 2 ** 24;
const mostUses = 2 ** 29;

/** Round of what waits for nothing. No instant is as far. */
const never = 2 ** 31 - 1;
const furthest = (never - 1) * spokes;
/** Node's timers overflow beyond this, so a far deadline is approached in steps. */
const longestTimer = 2 ** 31 - 1;
/** Stands for the instant of the timer while deadlines fire: nothing is as early. */
const firing = Number.NEGATIVE_INFINITY;
/** Deadlines that are due at the same time fire for so many ms; then the event loop has its turn. */
const longestSlice = 2;

/** A set of deadlines. The nodes share `deadlines`; tests make their own. */
export class Deadlines {
  private rows = new Int32Array(2 * firstSlot * row);
  private readonly targets: (Target | null)[] = [];
  /** Rows that were ever used, and the first of those that are free again. */
  private used = firstSlot;
  private free = 0;
  /** A bit for each list of the wheel, set when something was put into it. */
  private readonly filled = new Int32Array(spokes / 32);
  /** Everything up to this ms has been moved to the list of what is due. */
  private swept = Number.NEGATIVE_INFINITY;
  private pending = 0;
  private timer: NodeJS.Timeout | null = null;
  /** When the timer goes off: never after the first instant. */
  private armedFor = Number.POSITIVE_INFINITY;

  /** `report` is told of what a deadline threw; the others fire all the same. */
  constructor(private readonly report: (error: unknown) => void = (error) => console.error(error)) {
    for (let list = 0; list < firstSlot; list += 1) {
      this.rows[list * row + after] = list;
      this.rows[list * row + before] = list;
      this.rows[list * row + uses] = -1;
    }
  }

  /** How many are pending. */
  get size(): number {
    return this.pending;
  }

  /**
   * Calls `target.due` once when the instant `at` (ms since 1970; rounded up) has come; never from inside this call. Of
   * those with the same instant, the first to be set is the first. Throws a RangeError at 16 million.
   */
  set(at: number, target: Target): Handle {
    let tick = Math.ceil(at);
    if (this.pending === 0) this.begin();
    if (!(tick > this.swept)) tick = this.afterSwept(tick);
    else if (tick > furthest) tick = furthest;
    const slot = this.take();
    const { rows } = this;
    const list = tick & mask;
    rows[slot * row + round] = Math.floor(tick / spokes);
    this.append(slot, list);
    this.filled[list >> 5] = (this.filled[list >> 5] as number) | (1 << list);
    this.targets[slot - firstSlot] = target;
    this.pending += 1;
    if (tick < this.armedFor) this.arm(tick);
    return slot + (rows[slot * row + uses] as number) * mostRows;
  }

  /** Calls a deadline off. One that has fired, or was cancelled, is left alone; so is 0. */
  cancel(handle: Handle): void {
    const slot = handle & (mostRows - 1);
    if (this.rows[slot * row + uses] !== Math.floor(handle / mostRows)) return;
    this.release(slot);
    // A timer that goes off too early costs less than one that is set anew each time; but it must not keep a process alive.
    if (this.pending === 0) this.timer?.unref();
  }

  private take(): number {
    const { free: slot } = this;
    if (slot !== 0) {
      this.free = this.rows[slot * row + after] as number;
      return slot;
    }
    if (this.used * row === this.rows.length) this.grow();
    this.used += 1;
    return this.used - 1;
  }

  private grow(): void {
    if (this.used >= mostRows) throw new RangeError(`More than ${mostRows - firstSlot} deadlines are pending.`);
    const rows = new Int32Array(Math.min(2 * this.rows.length, mostRows * row));
    rows.set(this.rows);
    this.rows = rows;
  }

  private release(slot: number): void {
    const { rows } = this;
    this.unlink(slot);
    rows[slot * row + round] = never;
    rows[slot * row + uses] = ((rows[slot * row + uses] as number) + 1) % mostUses;
    rows[slot * row + after] = this.free;
    this.free = slot;
    this.targets[slot - firstSlot] = null;
    this.pending -= 1;
  }

  private append(slot: number, list: number): void {
    const { rows } = this;
    const last = rows[list * row + before] as number;
    rows[slot * row + before] = last;
    rows[slot * row + after] = list;
    rows[last * row + after] = slot;
    rows[list * row + before] = slot;
  }

  private unlink(slot: number): void {
    const { rows } = this;
    const next = rows[slot * row + after] as number;
    const previous = rows[slot * row + before] as number;
    rows[previous * row + after] = next;
    rows[next * row + before] = previous;
  }

  /** The first one after a time without any. */
  private begin(): void {
    if (this.armedFor === firing) return;
    const now = Date.now();
    this.swept = now - 1;
    if (this.armedFor > now) this.timer?.ref();
    // It is about to go off, or the clock was put forward: another takes its place.
    else this.armedFor = Number.POSITIVE_INFINITY;
  }

  /** For an instant that seems to be over: the next one that is not. */
  private afterSwept(tick: number): number {
    // The clock may have been put back.
    this.swept = Math.min(this.swept, Date.now());
    return tick > this.swept ? tick : this.swept + 1;
  }

  private arm(tick: number): void {
    if (this.timer) clearTimeout(this.timer);
    this.armedFor = tick;
    this.timer = setTimeout(this.fire, Math.min(longestTimer, Math.max(0, tick - Date.now())));
  }

  /** Fires what is due, in slices. */
  private readonly fire = (): void => {
    const now = Date.now();
    this.timer = null;
    this.armedFor = firing;
    if (now < this.swept) this.swept = now;
    if (now - this.swept > spokes) this.skipRounds();
    // What is set meanwhile waits for the next turn, so that a deadline that sets itself anew cannot spin here.
    while (this.fireNext() || this.sweep(now)) {
      if (Date.now() - now < longestSlice) continue;
      setImmediate(this.fire);
      return;
    }
    this.armedFor = Number.POSITIVE_INFINITY;
    if (this.pending > 0) this.arm(this.nextTick());
  };

  private fireNext(): boolean {
    const slot = this.rows[dueList * row + after] as number;
    if (slot === dueList) return false;
    const target = this.targets[slot - firstSlot] as Target;
    this.release(slot);
    try {
      target.due();
    } catch (error) {
      this.report(error);
    }
    return true;
  }

  /** Moves what is due next, if it is by `now`, to the list of what is due. */
  private sweep(now: number): boolean {
    const tick = this.nextTick();
    if (tick > now) {
      this.swept = Math.max(this.swept, now);
      return false;
    }
    this.swept = tick;
    const list = tick & mask;
    const thisRound = Math.floor(tick / spokes);
    for (let slot = this.rows[list * row + after] as number; slot !== list; ) {
      const next = this.rows[slot * row + after] as number;
      if (this.rows[slot * row + round] === thisRound) {
        this.unlink(slot);
        this.append(slot, dueList);
      }
      slot = next;
    }
    if (this.rows[list * row + after] === list) {
      this.filled[list >> 5] = (this.filled[list >> 5] as number) & ~(1 << list);
    }
    return true;
  }

  /** The first ms after what is swept whose list may hold something; it may be of a later round. */
  private nextTick(): number {
    const { filled } = this;
    const first = (this.swept + 1) & mask;
    let word = first >> 5;
    let bits = (filled[word] as number) & (-1 << first);
    for (let tried = 0; tried <= filled.length; tried += 1) {
      if (bits !== 0) {
        const list = 32 * word + 31 - Math.clz32(bits & -bits);
        return this.swept + 1 + ((list - first) & mask);
      }
      word = (word + 1) % filled.length;
      bits = filled[word] as number;
    }
    return Number.POSITIVE_INFINITY;
  }

  /** The process has slept for longer than a round: rounds that nothing waits for are left out. */
  private skipRounds(): void {
    let first = never;
    for (let slot = firstSlot; slot < this.used; slot += 1) {
      first = Math.min(first, this.rows[slot * row + round] as number);
    }
    this.swept = Math.max(this.swept, first * spokes - 1);
  }
}

/** The deadlines of all nodes in this process. */
export const deadlines = new Deadlines();

/** Real time, for signaling ports. */
export const systemClock = {
  now: (): number => Date.now(),
  after(delayMs: number, run: () => void): () => void {
    const handle = deadlines.set(Date.now() + delayMs, { due: run });
    return () => deadlines.cancel(handle);
  },
};
