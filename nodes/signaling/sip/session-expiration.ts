/** The session timer of one dialog (RFC 4028): runs by what the last INVITE or UPDATE has agreed on, in either role. */
import type { Clock } from '../port';
import type { SavedSession } from './saved';
import {
  type Agreement,
  acceptance,
  agreementOf,
  expiresAfterMs,
  isTooShort,
  proposal,
  readSeconds,
  refreshAfterMs,
  retryAfterMs,
  shortestSeconds,
  type Terms,
} from './session-timer';

/** A Min-SE beyond is refused rather than taken up: a day, in seconds. */
const longestMinimumSeconds = 86_400;

/** Whose dialog it is. */
export interface SessionOwner {
  /** A refresh is due. It counts when its 2xx is learnt; until then this is called again, more and more often. */
  refresh(): void;
  /** Neither side has refreshed the session in time. Called once. */
  expired(): void;
  /** What is kept of the session timer is not what it was. */
  changed(): void;
}

export class SessionExpiration {
  private agreed: Agreement | null = null;
  private minimumSeconds = shortestSeconds;
  private refreshedAt = 0;
  private expiresAt = 0;
  private standsStill = false;
  private stopped = false;
  private cancelTimer: () => void = () => {};

  constructor(
    private readonly clock: Clock,
    private readonly owner: SessionOwner,
  ) {}

  /** What another process needs to go on with it. */
  save(): SavedSession {
    const { agreed, minimumSeconds, standsStill } = this;
    return { agreed, minimumSeconds, standsStill };
  }

  /** As another process has kept it, with its full interval: what is left of it is not known, and a refresh comes first. */
  restore({ agreed, minimumSeconds, standsStill }: SavedSession): void {
    this.minimumSeconds = minimumSeconds;
    this.standsStill = standsStill;
    this.agree(agreed);
  }

  /** Headers of an INVITE or UPDATE of ours. */
  get proposal(): string[] {
    return proposal(this.agreed, this.minimumSeconds);
  }

  /** Learns from a 2xx to one. */
  learn(answer: Terms): void {
    this.agree(agreementOf(answer));
  }

  /** A 422 says what the shortest interval is (RFC 4028, 6). Whether it is worth asking again. */
  raise(minSe: string | undefined): boolean {
    const seconds = readSeconds(minSe);
    if (seconds === undefined || seconds <= this.minimumSeconds || seconds > longestMinimumSeconds) return false;
    this.minimumSeconds = seconds;
    this.owner.changed();
    return true;
  }

  /** The refusal (422) of an INVITE or UPDATE of the far end that wants too short an interval, as headers; null: none. */
  refusalOf(request: Terms): string[] | null {
    return isTooShort(request) ? [`Min-SE: ${shortestSeconds}`] : null;
  }

  /** Headers of a 2xx to an INVITE or UPDATE of the far end, which refresh the session. */
  accept(request: Terms): string[] {
    const { headers, agreed } = acceptance(request, this.agreed);
    this.agree(agreed);
    return headers;
  }

  /** Stands still while the route is broken (UCMA, Session dialog resiliency). */
  pause(): void {
    if (!this.standsStill) this.owner.changed();
    this.standsStill = true;
    this.cancelTimer();
  }

  /** Starts again with the full interval. A refresh that was due meanwhile is sent at once: the far end did not pause. */
  resume(): void {
    if (this.standsStill) this.owner.changed();
    this.standsStill = false;
    if (!this.agreed) return;
    const now = this.clock.now();
    this.expiresAt = now + expiresAfterMs(this.agreed);
    this.schedule(Math.max(0, this.refreshedAt + refreshAfterMs(this.agreed) - now));
  }

  stop(): void {
    this.stopped = true;
    this.cancelTimer();
  }

  private agree(agreed: Agreement | null): void {
    const { intervalMs, refresher } = this.agreed ?? {};
    if (agreed?.intervalMs !== intervalMs || agreed?.refresher !== refresher) this.owner.changed();
    this.agreed = agreed;
    this.cancelTimer();
    if (!agreed) return;
    this.refreshedAt = this.clock.now();
    this.expiresAt = this.refreshedAt + expiresAfterMs(agreed);
    this.schedule(refreshAfterMs(agreed));
  }

  /** Waits for the next refresh of ours, or for the end when there is to be none. */
  private schedule(refreshInMs: number | null): void {
    this.cancelTimer();
    if (this.stopped || this.standsStill) return;
    const remainingMs = this.expiresAt - this.clock.now();
    if (this.agreed?.refresher === 'us' && refreshInMs !== null) {
      this.cancelTimer = this.clock.after(refreshInMs, () => this.refresh());
    } else {
      this.cancelTimer = this.clock.after(remainingMs, () => this.owner.expired());
    }
  }

  private refresh(): void {
    this.schedule(retryAfterMs(this.expiresAt - this.clock.now()));
    this.owner.refresh();
  }
}
