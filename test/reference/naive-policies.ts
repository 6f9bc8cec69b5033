/**
 * The core rules of the three nodes that decide, with default settings: one verdict per level, a silent repair and then
 * Recovering, give up once. Each is a few flags; what they leave out, they do not judge.
 */
import type { Signal } from '../../nodes/recovery/messages';

/** A signal, as far as the rules look at it. */
export type NaiveSignal = Partial<Signal> & Pick<Signal, 'signal'>;

/** DET-1 to DET-3: which verdicts leave, as `level phase` (or `mcu failed <name>`). */
export class NaiveDetector {
  private focus: 'quiet' | 'failed' | 'failed over' = 'quiet';
  private focusFailedAt = 0;
  private hopFailed = false;
  failedMcus: string[] = [];
  /** The session joins anew after a Focus failure. */
  private rejoining = false;

  hear({ signal, purpose, status = 0, method, mcu = '', report }: NaiveSignal, now: number): string[] {
    const good = signal === 'response' && status >= 200 && status < 300;
    if (purpose === 'rejoin') return [];
    if (purpose === 'probe') return good && this.focus === 'failed' ? this.failOver() : [];
    if (purpose === 'heal') {
      if (good) return this.clearHop();
      return [404, 410, 481].includes(status) ? this.failFocus(now) : [];
    }
    // HOP-8: the far end has healed the route.
    if (signal === 'remote-update') return this.clearHop();
    if (signal === 'mcu-report') {
      if (report === 'active' && this.failedMcus.includes(mcu)) {
        this.failedMcus = this.failedMcus.filter((failed) => failed !== mcu);
        return [`mcu cleared ${mcu}`];
      }
      if (report !== 'failing-over' || this.failedMcus.includes(mcu)) return [];
      this.failedMcus.push(mcu);
      return [`mcu failed ${mcu}`];
    }
    if (signal === 'remote-bye' || signal === 'session-expired' || signal === 'subscription-lost' || status === 481)
      return this.failFocus(now);
    const unavailable = status === 503 && method !== 'INFO';
    if (signal === 'timeout' || signal === 'transport-lost' || [408, 430, 504].includes(status) || unavailable) {
      if (this.hopFailed || this.rejoining) return [];
      this.hopFailed = true;
      return ['hop failed'];
    }
    return [];
  }

  /** The failover window ends (DET-3). */
  passUntil(now: number): string[] {
    return this.focus === 'failed' && now >= this.focusFailedAt + 32_000 ? this.failOver() : [];
  }

  /** The session is back, in a new dialog: whatever was open is over. */
  forget(): void {
    this.focus = 'quiet';
    this.hopFailed = false;
    this.rejoining = false;
    this.failedMcus = [];
  }

  private clearHop(): string[] {
    // While re-joining nothing is evidence of a hop.
    const said = this.hopFailed && !this.rejoining ? ['hop cleared'] : [];
    this.hopFailed = false;
    return said;
  }

  private failFocus(now: number): string[] {
    if (this.focus !== 'quiet') return [];
    this.focus = 'failed';
    this.focusFailedAt = now;
    this.rejoining = true;
    return ['focus failed'];
  }

  private failOver(): string[] {
    this.focus = 'failed over';
    return ['focus failed-over'];
  }
}

/** HEAL-1, HEAL-3, HEAL-7, HOP-4, O14: what the healer says and sends, as `heal <attempt>` or a status. */
export class NaiveHealer {
  private broken = false;
  private recovering = false;
  private inFlight = false;
  private attempt = 0;
  private sentAt = 0;
  /** The next attempt is not before, and not after. */
  private next: [earliest: number, latest: number] | null = null;
  private silentRepairs: number[] = [];

  /** The detector's verdict: the hop has failed. */
  fail(peerHeals: boolean, now: number): string[] {
    if (this.broken) return [];
    this.broken = true;
    this.attempt = 0;
    this.silentRepairs = this.silentRepairs.filter((at) => now - at < 60_000);
    if (!peerHeals && this.silentRepairs.length < 2) return this.send(now);
    return this.recover(now);
  }

  /** An answer to the latest attempt. */
  answer(status: number, now: number): string[] {
    const good = status >= 200 && status < 300;
    // A late success is one.
    if (!this.inFlight) return good && this.next !== null && this.attempt > 0 ? this.heal(now) : [];
    this.inFlight = false;
    if (good) return this.heal(now);
    if ([404, 410, 481].includes(status)) return ['abandoned dialog-gone'];
    return this.recover(now);
  }

  /** The far end has healed the route. */
  healedByPeer(now: number): string[] {
    return this.broken ? this.heal(now) : [];
  }

  get isBroken(): boolean {
    return this.broken;
  }

  /** May the next attempt leave now? */
  mayAttempt(now: number): boolean {
    return this.broken && !this.inFlight && this.next !== null && now >= this.next[0] && now <= this.next[1];
  }

  /** Is it overdue? */
  isLate(now: number): boolean {
    return this.broken && !this.inFlight && this.next !== null && now > this.next[1];
  }

  /** The next attempt leaves. */
  send(now: number): string[] {
    this.inFlight = true;
    this.next = null;
    this.attempt += 1;
    this.sentAt = now;
    return [`heal ${this.attempt}`];
  }

  /** An attempt without an answer counts as a time-out after 5 s. */
  passUntil(now: number): string[] {
    if (!this.inFlight || now < this.sentAt + 5_000) return [];
    this.inFlight = false;
    return this.recover(now);
  }

  private recover(now: number): string[] {
    const said = this.recovering ? [] : ['Recovering'];
    this.recovering = true;
    this.next = [now + 27_000, now + 33_000];
    return said;
  }

  private heal(now: number): string[] {
    if (!this.recovering) this.silentRepairs.push(now);
    this.broken = false;
    this.recovering = false;
    this.inFlight = false;
    this.next = null;
    return ['Healthy'];
  }
}

/** GU-1 to GU-3, GU-5: with the default criterion, when to give up. */
export class NaiveGiveUp {
  private since: number | null = null;
  private gaveUp = false;

  /** The session has changed its state. */
  session(reconnecting: boolean, now: number): void {
    if (!reconnecting) this.since = null;
    else if (this.since === null) this.since = now;
    if (!reconnecting) this.gaveUp = false;
  }

  passUntil(now: number): string[] {
    if (this.since === null || this.gaveUp || now < this.since + 300_000) return [];
    this.gaveUp = true;
    return ['terminate'];
  }
}
