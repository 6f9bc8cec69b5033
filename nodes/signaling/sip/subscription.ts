/**
 * Our subscription to the roster: SUBSCRIBE and NOTIFY of `Event: conference` in a dialog of their own (RFC 4575, 3;
 * RFC 6665). What may be subscribed to again is, without a word; only where that is of no use somebody hears of it.
 */
import { headerOf } from '../../recovery/diagnostics';
import type { Outcome } from '../../recovery/signaling';
import { conferenceDocumentType, type ReadDocument, readConferenceDocument } from './conference-document';
import { Dialog } from './dialog';
import type { Answer, Exchange } from './exchange';
import { reconnectionDelay } from './flow/reconnecting-flow';
import type { IncomingRequestMessage, IncomingResponseMessage } from './library';
import { asksForNewRoute, outcomeOf } from './outcome';
import type { SavedSubscription } from './saved';
import type { Reply, Usage, UserAgent } from './user-agent';

/** What is asked for; the default of the package (RFC 4575, 3.4), in seconds. */
const expiresSeconds = 3600;
const shortestSeconds = 10;
/** The longest that a Focus may insist on (423), or have us wait (`retry-after`), in seconds. */
const longestSeconds = 86_400;
/** When a refresh failed without ending the subscription, the next one comes so much later, in ms. */
const retryMs = 30_000;
const refreshTimeoutMs = 32_000;
/** Timer N (RFC 6665, 4.1.2.4): how long the NOTIFY that follows an accepted SUBSCRIBE may take, in ms. */
const notifyTimeoutMs = 32_000;
/** A subscription that has held for so long was one: when it ends, the next is made at once, in ms. */
const steadyAfterMs = 60_000;
/** Answers to a refresh that end a subscription (RFC 6665, 4.1.2.2); all others leave it valid until it expires. */
const ending: ReadonlySet<number> = new Set([404, 405, 410, 416, 480, 481, 482, 483, 484, 485, 489, 501, 604]);
/** Answers to a new subscription after which another attempt may succeed. */
const passing: ReadonlySet<number> = new Set([408, 480, 500, 503, 504]);

/** Who listens to a subscription. */
export interface SubscriptionListener {
  /** `newSubscription`: the first document of another subscription than the one before. */
  document(read: ReadDocument, newSubscription: boolean): void;
  /** A NOTIFY whose body could not be read; the subscription goes on. */
  unreadable(message: string): void;
  /** There was a subscription, and there is no way back to one. */
  lost(reason: string): void;
  /** What is kept of it is not what it was. */
  changed(): void;
}

/** One subscription after another to the same roster: where one has ended, a new one takes its place (RFC 6665, 4.1.3). */
export class Subscription implements Usage {
  dialog: Dialog;
  /** `waiting`: between two subscriptions. `over`: ended, and not to be made again unless somebody asks. */
  private state: 'new' | 'accepted' | 'waiting' | 'over' = 'new';
  /** The Focus has ended it in a way that forbids to ask again. */
  private final = false;
  private wasAccepted = false;
  private acceptedAt = 0;
  private expiresAt = 0;
  /** What we ask for; 423 raises it. */
  private requestedSeconds = expiresSeconds;
  /** The refresh that is under way, of which there is one at most. */
  private refreshing: Exchange | null = null;
  /** New subscriptions since one held. */
  private attempts = 0;
  /** While waiting: not before then, because the Focus said so. */
  private notBefore = 0;
  /** The next document is the first of its subscription. */
  private fresh = false;
  private notified = false;
  private everNotified = false;
  /** Accepted requests, one after the other, that no NOTIFY has followed. */
  private silences = 0;
  private cancelTimer: () => void = () => {};
  private cancelTimerN: () => void = () => {};

  constructor(
    private readonly agent: UserAgent,
    private readonly random: () => number,
    /** The Contact of the Focus: what is subscribed to (RFC 4579, 5.1). */
    private readonly target: string,
    private readonly displayName: string,
    private readonly listener: SubscriptionListener,
  ) {
    this.dialog = this.newDialog();
  }

  /**
   * As another process has kept it. A NOTIFY in its dialog is answered 481, which ends it at the Focus (RFC 6665, 4.2.2):
   * what came between is lost, so that nothing of it could be used. `ask` for one anew unsubscribes it, which spares the
   * Focus sending notifications to where nobody is.
   */
  restore(saved: SavedSubscription): void {
    this.final = saved.final;
    this.wasAccepted = saved.wasAccepted;
    this.everNotified = saved.everNotified;
    if (!saved.dialog) return;
    this.dialog = Dialog.restored(saved.dialog, this.displayName);
    this.state = 'accepted';
  }

  /** What another process needs to go on with it. */
  save(): SavedSubscription {
    const { target, dialog, final, wasAccepted, everNotified } = this;
    const isThere = this.state === 'accepted' && dialog.remoteTag !== undefined;
    return { target, dialog: isThere ? dialog.save() : null, final, wasAccepted, everNotified };
  }

  /** Subscribes, or refreshes: either way the Focus sends a full document (RFC 4575, 4.6). */
  refresh(timeoutMs = refreshTimeoutMs, settled: (answer: Answer) => void = () => {}): void {
    const expired = this.state === 'accepted' && this.agent.clock.now() >= this.expiresAt;
    if (this.state === 'over' || this.state === 'waiting' || expired) this.restart();
    this.agent.register(this);
    const { dialog } = this;
    this.notified = false;
    const exchange = this.subscribe(this.requestedSeconds, timeoutMs, (answer) => {
      if (this.refreshing === exchange) this.refreshing = null;
      if (dialog === this.dialog) this.learn(answer);
      settled(answer);
    });
    this.refreshing = exchange;
  }

  /** A full document is wanted; with `anew`, in a new subscription. Nothing is sent while another request for one is under way. */
  ask(anew: boolean): void {
    if (this.final || this.agent.clock.now() < this.notBefore) return;
    if (anew) {
      this.end();
      this.refresh();
    } else if (!this.refreshing) this.refresh();
  }

  /** Unsubscribes, without waiting for what comes of it. */
  end(): void {
    const accepted = this.state === 'accepted';
    this.drop();
    if (accepted) this.subscribe(0, 2000, () => {});
  }

  /** Forgets it, and says nothing to the Focus. */
  drop(): void {
    this.state = 'over';
    this.cancelTimer();
    this.cancelTimerN();
    this.agent.unregister(this);
    this.listener.changed();
  }

  receive(request: IncomingRequestMessage, reply: Reply): void {
    if (request.method !== 'NOTIFY' && request.method !== 'BENOTIFY') return reply(405);
    reply(200);
    this.notified = true;
    if (!this.everNotified) this.listener.changed();
    this.everNotified = true;
    this.silences = 0;
    this.cancelTimerN();
    this.read(request);
    const [state = '', ...parameters] = (request.getHeader('subscription-state') ?? '').split(';');
    const parameter = (name: string): string | undefined =>
      parameters.map((each) => each.trim().split('=')).find(([key]) => key?.toLowerCase() === name)?.[1];
    if (this.state === 'over') return;
    if (state.trim().toLowerCase() === 'terminated') {
      return this.terminated((parameter('reason') ?? '').toLowerCase(), Number(parameter('retry-after') ?? 0));
    }
    this.keepFor(Number(parameter('expires') ?? this.requestedSeconds));
  }

  // ----------------------------------------------------------------------------------------------------- how it ends

  /** The Focus has ended it (RFC 6665, 4.1.3). A reason that we do not know is taken for none. */
  private terminated(reason: string, retryAfterSeconds: number): void {
    switch (reason) {
      case 'invariant':
        // What we have is how it will stay.
        this.final = true;
        return this.drop();
      case 'rejected':
      case 'noresource':
        this.final = true;
        this.drop();
        return this.listener.lost(reason);
      case 'deactivated':
      case 'timeout':
        return this.again();
      case 'probation':
      case 'giveup':
        return this.again(retryAfterSeconds > 0 ? retryAfterSeconds * 1000 : retryMs);
      default:
        return this.again(retryAfterSeconds * 1000);
    }
  }

  private learn(answer: Answer): void {
    if (this.state === 'over' || this.state === 'waiting') return;
    const outcome = outcomeOf(answer);
    if (outcome.kind === 'ok' && answer.kind === 'response') return this.accepted(answer.response);
    if (outcome.kind !== 'refused') return this.failed();
    if (asksForNewRoute(outcome) && !this.dialog.routeStale) {
      this.dialog.routeStale = true;
      return this.refresh();
    }
    const least = Number(headerOf(outcome.response.headers, 'min-expires'));
    if (outcome.status === 423 && least > this.requestedSeconds && least <= longestSeconds) {
      this.requestedSeconds = least;
      return this.refresh();
    }
    this.refused(outcome);
  }

  private accepted(response: IncomingResponseMessage): void {
    this.keepFor(Number(response.getHeader('expires') ?? this.requestedSeconds));
    this.cancelTimerN();
    if (!this.notified) this.cancelTimerN = this.agent.clock.after(notifyTimeoutMs, () => this.notNotified());
  }

  private refused(outcome: Extract<Outcome, { kind: 'refused' }>): void {
    const { status, response, retryAfterMs } = outcome;
    const reason = `refused with ${status} ${response.reason}`;
    if (this.state === 'accepted') {
      if (!ending.has(status)) return this.failed(retryAfterMs);
      // That it was not refreshed in time, for want of a route, says nothing of the Focus.
      if (status !== 481 || this.agent.clock.now() >= this.expiresAt) return this.again(retryAfterMs);
      this.drop();
      return this.listener.lost(reason);
    }
    if (passing.has(status)) return this.again(retryAfterMs);
    this.drop();
    if (this.wasAccepted) this.listener.lost(reason);
    // 489, 405, …: this server has conferences, but no rosters.
    else this.final = true;
  }

  /** No answer, or one that says nothing of the subscription: an accepted one is valid until it expires (4.1.2.2). */
  private failed(retryAfterMs = 0): void {
    if (this.state !== 'accepted') return this.again(retryAfterMs);
    this.refreshIn(Math.max(bounded(retryAfterMs), retryMs * (1 + this.random() / 5)));
  }

  /**
   * Timer N has fired: the subscription is dead, or the Focus sends no NOTIFY in an idle room, as FreeSWITCH does. A second
   * one tells: where there were notifications before, they are lost; where there never were any, it is kept.
   */
  private notNotified(): void {
    this.silences += 1;
    if (this.silences === 1) {
      this.end();
      return this.again();
    }
    if (!this.everNotified) return;
    this.drop();
    this.listener.lost(`no notification within ${notifyTimeoutMs / 1000} s`);
  }

  /** Another subscription: at once, then later and later, and not before the Focus allows it. */
  private again(leastMs = 0): void {
    const now = this.agent.clock.now();
    if (this.state === 'accepted' && now - this.acceptedAt >= steadyAfterMs) this.attempts = 0;
    this.drop();
    this.state = 'waiting';
    this.notBefore = now + bounded(leastMs);
    const delayMs = Math.max(bounded(leastMs), reconnectionDelay(this.attempts, this.random()));
    this.attempts += 1;
    this.refreshIn(delayMs);
  }

  // ------------------------------------------------------------------------------------------------------- inside

  /** A new dialog: with a new Call-ID and From tag (RFC 6665, 4.1.2.2). */
  private restart(): void {
    this.drop();
    this.refreshing = null;
    this.dialog = this.newDialog();
    this.state = 'new';
    this.fresh = true;
  }

  private newDialog(): Dialog {
    const dialog = new Dialog(this.target, this.displayName);
    dialog.changed = () => this.listener.changed();
    return dialog;
  }

  private subscribe(seconds: number, timeoutMs: number, settled: (answer: Answer) => void): Exchange {
    const withoutRoute = this.dialog.routeStale;
    const headers = ['Event: conference', `Accept: ${conferenceDocumentType}`, `Expires: ${seconds}`];
    return this.agent.send(this.dialog, { method: 'SUBSCRIBE', headers, withoutRoute }, timeoutMs, settled);
  }

  private keepFor(granted: number): void {
    // More than was asked for is not granted, and what makes no sense must not become a storm of refreshes.
    const most = this.requestedSeconds;
    const seconds = granted > 0 ? Math.min(Math.max(granted, shortestSeconds), most) : most;
    const now = this.agent.clock.now();
    if (this.state !== 'accepted') {
      this.acceptedAt = now;
      this.listener.changed();
    }
    this.state = 'accepted';
    this.wasAccepted = true;
    this.expiresAt = now + seconds * 1000;
    // Spread, so that the subscriptions of a fleet that joined in one moment are not refreshed in one moment.
    this.refreshIn(seconds * 1000 * (0.5 + this.random() * 0.4));
  }

  private refreshIn(delayMs: number): void {
    this.cancelTimer();
    this.cancelTimer = this.agent.clock.after(delayMs, () => this.refresh());
  }

  private read(request: IncomingRequestMessage): void {
    const { body } = request;
    if (!body) return;
    const type = (request.getHeader('content-type') ?? conferenceDocumentType).split(';')[0]?.trim().toLowerCase();
    if (type !== conferenceDocumentType) {
      return this.listener.unreadable(`A notification came as ${type}, not as ${conferenceDocumentType}`);
    }
    const read = readConferenceDocument(body);
    if ('error' in read) return this.listener.unreadable(read.error);
    const { fresh } = this;
    this.fresh = false;
    this.listener.document(read, fresh);
  }
}

/** A wait that somebody else asks for; what makes no sense is none. */
function bounded(ms: number): number {
  return ms > 0 ? Math.min(ms, longestSeconds * 1000) : 0;
}
