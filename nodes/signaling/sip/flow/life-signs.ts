/** Whether the far end is still there (RFC 5626, 4.4.1). */
import type { Clock } from '../../port';

/** When to ask, and how long to wait. */
export interface Patience {
  /** So long nobody has said anything before a sign of life is asked for, in ms. */
  silenceMs: number;
  /** So long it is waited for, in ms. */
  answerMs: number;
}

/** Watches one connection. Whatever arrives is a sign of life. */
export class LifeSigns {
  private cancelTimer: () => void = () => {};
  private lastHeardAt: number;
  private waiting = false;

  /**
   * @param ask asks the far end for a sign of life; null where there is no way to ask: then requests must bring one
   * @param dead called once, after so many ms without a sign of life
   */
  constructor(
    private readonly clock: Clock,
    private readonly patience: Patience,
    private readonly ask: (() => void) | null,
    private readonly dead: (silentMs: number) => void,
  ) {
    this.lastHeardAt = clock.now();
    if (ask) this.askIn(patience.silenceMs);
  }

  /** Something arrived. */
  heard(): void {
    this.lastHeardAt = this.clock.now();
    if (!this.waiting) return;
    this.stop();
    if (this.ask) this.askIn(this.patience.silenceMs);
  }

  /** A request was sent. */
  requested(): void {
    if (!this.ask && !this.waiting) this.waitFor(this.patience.silenceMs + this.patience.answerMs);
  }

  /** Watches no more. */
  stop(): void {
    this.cancelTimer();
    this.waiting = false;
  }

  private askIn(delayMs: number): void {
    this.cancelTimer = this.clock.after(delayMs, () => {
      const leftMs = this.patience.silenceMs - this.silentMs;
      if (leftMs > 0) return this.askIn(leftMs);
      this.waitFor(this.patience.answerMs);
      this.ask?.();
    });
  }

  private waitFor(ms: number): void {
    this.waiting = true;
    this.cancelTimer = this.clock.after(ms, () => this.dead(this.silentMs));
  }

  private get silentMs(): number {
    return this.clock.now() - this.lastHeardAt;
  }
}
