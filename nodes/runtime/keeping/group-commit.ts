/**
 * Commits in groups: whatever is saved while a commit is under way goes into the next one, so that the cost of a commit is
 * shared by all that wait for it. Here is also how patience ends: trouble with a store must not harm a session.
 */

/** What is committed to. */
export interface Store {
  /** How it is called in what people read. */
  readonly name: string;
  /** Stores all that is to be stored now. Never rejects: it says `failed` where that is due. */
  commit(): Promise<void>;
  /** Time has passed since it failed: it may work again. */
  retry(): void;
  /** There is trouble, in words; null: it is over. */
  report(trouble: string | null): void;
  /** Something for the log. */
  log(text: string): void;
}

/** Longest that anybody waits for a commit. */
const patienceMs = 2_000;
const firstRetryMs = 1_000;
const longestRetryMs = 60_000;

/** The commits of one store. */
export class GroupCommit {
  private waiting: (() => void)[] = [];
  private underWay: (() => void)[] = [];
  /** When the first that is waiting began to (ms since 1970). */
  private waitingSince = 0;
  private isWanted = false;
  private running: Promise<void> | null = null;
  private isSlow = false;
  private failure: string | null = null;
  private retryTimer: NodeJS.Timeout | null = null;
  private retryMs = firstRetryMs;
  private isEnded = false;

  constructor(private readonly store: Store) {}

  /** Has storing failed, and not worked since? */
  get isFailing(): boolean {
    return this.failure !== null;
  }

  /** There is something to commit. */
  want(): void {
    this.isWanted = true;
    this.running ??= this.run();
  }

  /** Calls `run` when all is committed that is to be committed now; at the latest when patience ends. */
  whenCommitted(run: () => void): void {
    if (this.waiting.length === 0) this.waitingSince = Date.now();
    this.waiting.push(run);
    if (this.isSlow) setImmediate(() => (this.isSlow ? this.letGo() : this.want()));
    else this.want();
  }

  /** Storing failed: nobody waits for it any more until it works again. Trouble that lasts is told once. */
  failed(trouble: string): void {
    if (this.failure === null) {
      this.failure = trouble;
      this.store.report(trouble);
    }
    this.retryLater();
  }

  /** Calls `retry` of the store once, later each time. */
  retryLater(): void {
    if (this.retryTimer || this.isEnded) return;
    this.retryTimer = setTimeout(() => {
      this.retryTimer = null;
      this.store.retry();
    }, this.retryMs).unref();
    this.retryMs = Math.min(2 * this.retryMs, longestRetryMs);
  }

  /** It works, again. */
  works(): void {
    this.clearRetry();
    this.retryMs = firstRetryMs;
    if (this.failure === null) return;
    this.failure = null;
    if (!this.isSlow) this.store.report(null);
  }

  /** Resolves when nothing is being committed and nothing wants to be. */
  async settled(): Promise<void> {
    while (this.running) await this.running;
  }

  /** Nothing is tried again from now on, and no timer is left. */
  end(): void {
    this.isEnded = true;
    this.clearRetry();
  }

  private clearRetry(): void {
    if (this.retryTimer) clearTimeout(this.retryTimer);
    this.retryTimer = null;
  }

  private async run(): Promise<void> {
    // What is saved in the same turn makes one group.
    await new Promise((resolve) => setImmediate(resolve));
    while (this.isWanted) {
      this.isWanted = false;
      this.underWay = this.waiting;
      this.waiting = [];
      const waited = this.underWay.length > 0 ? Date.now() - this.waitingSince : 0;
      const patience = setTimeout(() => this.losePatience(), patienceMs - waited);
      await this.store.commit();
      clearTimeout(patience);
      this.regainPatience();
      const done = this.underWay;
      this.underWay = [];
      this.call(done);
    }
    this.running = null;
  }

  private losePatience(): void {
    this.isSlow = true;
    if (this.failure === null) {
      this.store.report(`state is not kept in time: ${this.store.name} has not answered for ${patienceMs / 1_000} s`);
    }
    this.letGo();
  }

  private regainPatience(): void {
    if (!this.isSlow) return;
    this.isSlow = false;
    if (this.failure === null) this.store.report(null);
  }

  private letGo(): void {
    const all = [...this.underWay, ...this.waiting];
    this.underWay = [];
    this.waiting = [];
    this.call(all);
  }

  private call(runs: (() => void)[]): void {
    for (const run of runs) {
      try {
        run();
      } catch (error) {
        // A defect of one must not keep the others waiting.
        this.store.log((error as Error).stack ?? String(error));
      }
    }
  }
}
