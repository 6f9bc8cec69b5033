/** Our subscription to the roster: SUBSCRIBE and NOTIFY of `Event: conference` in a dialog of their own (RFC 4575, 3; RFC 6665). */
import type { Outcome } from '../../recovery/signaling';
import { conferenceDocumentType, type ReadDocument, readConferenceDocument } from './conference-document';
import { Dialog } from './dialog';
import type { Answer, Exchange } from './exchange';
import type { IncomingRequestMessage } from './library';
import { asksForNewRoute, outcomeOf } from './outcome';
import type { Reply, Usage, UserAgent } from './user-agent';

/** What is asked for; the default of the package (RFC 4575, 3.4), in seconds. */
const expiresSeconds = 3600;
const shortestSeconds = 10;
/** When a refresh failed without ending the subscription, the next one comes so much later, in ms. */
const retryMs = 30_000;
const refreshTimeoutMs = 32_000;
/** Answers to a refresh that end a subscription (RFC 6665, 4.1.2.2); all others leave it valid until it expires. */
const ending: ReadonlySet<number> = new Set([404, 405, 410, 416, 480, 481, 482, 483, 484, 485, 489, 501, 604]);

/** Who listens to a subscription. */
export interface SubscriptionListener {
  document(read: ReadDocument): void;
  /** A NOTIFY whose body could not be read; the subscription goes on. */
  unreadable(message: string): void;
  /** The Focus has ended it, or knows nothing of it. */
  lost(reason: string): void;
}

/** One subscription after another to the same roster: where one has died of age, a new one takes its place. */
export class Subscription implements Usage {
  dialog: Dialog;
  private state: 'new' | 'accepted' | 'over' = 'new';
  private expiresAt = 0;
  private cancelTimer: () => void = () => {};

  constructor(
    private readonly agent: UserAgent,
    private readonly random: () => number,
    /** The Contact of the Focus: what is subscribed to (RFC 4579, 5.1). */
    private readonly target: string,
    private readonly displayName: string,
    private readonly listener: SubscriptionListener,
  ) {
    this.dialog = new Dialog(target, displayName);
  }

  /** Subscribes, or refreshes: either way the Focus sends a full document (RFC 4575, 4.6). */
  refresh(timeoutMs = refreshTimeoutMs, settled: (answer: Answer) => void = () => {}): Exchange {
    if (this.state === 'over') this.restart();
    this.agent.register(this);
    const { dialog } = this;
    return this.subscribe(expiresSeconds, timeoutMs, (answer) => {
      if (dialog === this.dialog) this.learn(answer);
      settled(answer);
    });
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
    this.agent.unregister(this);
  }

  receive(request: IncomingRequestMessage, reply: Reply): void {
    if (request.method !== 'NOTIFY' && request.method !== 'BENOTIFY') return reply(405);
    reply(200);
    this.read(request);
    const [state = '', ...parameters] = (request.getHeader('subscription-state') ?? '').split(';');
    const parameter = (name: string): string | undefined =>
      parameters.map((each) => each.trim().split('=')).find(([key]) => key?.toLowerCase() === name)?.[1];
    if (state.trim().toLowerCase() === 'terminated') {
      this.drop();
      return this.listener.lost(parameter('reason') ?? 'terminated');
    }
    if (this.state !== 'over') this.keepFor(Number(parameter('expires') ?? expiresSeconds));
  }

  private subscribe(seconds: number, timeoutMs: number, settled: (answer: Answer) => void): Exchange {
    const withoutRoute = this.dialog.routeStale;
    const headers = ['Event: conference', `Accept: ${conferenceDocumentType}`, `Expires: ${seconds}`];
    return this.agent.send(this.dialog, { method: 'SUBSCRIBE', headers, withoutRoute }, timeoutMs, settled);
  }

  private learn(answer: Answer): void {
    if (this.state === 'over') return;
    const outcome = outcomeOf(answer);
    if (outcome.kind === 'ok' && answer.kind === 'response') {
      this.keepFor(Number(answer.response.getHeader('expires') ?? expiresSeconds));
    } else if (asksForNewRoute(outcome) && !this.dialog.routeStale) {
      this.dialog.routeStale = true;
      this.refresh();
    } else if (outcome.kind === 'refused' && ending.has(outcome.status)) {
      this.endedBy(outcome);
    } else if (this.state === 'accepted') {
      this.refreshIn(retryMs * (1 + this.random() / 5));
    }
  }

  private endedBy(refusal: Extract<Outcome, { kind: 'refused' }>): void {
    const wasAccepted = this.state === 'accepted';
    const diedOfAge = this.agent.clock.now() >= this.expiresAt;
    this.drop();
    // That it was not refreshed in time, for want of a route, says nothing of the Focus.
    if (wasAccepted && diedOfAge) this.refresh();
    else if (wasAccepted) this.listener.lost(`refused with ${refusal.status} ${refusal.response.reason}`);
  }

  private restart(): void {
    this.dialog = new Dialog(this.target, this.displayName);
    this.state = 'new';
  }

  private keepFor(granted: number): void {
    // More than was asked for is not granted, and what makes no sense must not become a storm of refreshes.
    const seconds = granted > 0 ? Math.min(Math.max(granted, shortestSeconds), expiresSeconds) : expiresSeconds;
    this.state = 'accepted';
    this.expiresAt = this.agent.clock.now() + seconds * 1000;
    // Spread, so that the subscriptions of a fleet that joined in one moment are not refreshed in one moment.
    this.refreshIn(seconds * 1000 * (0.5 + this.random() * 0.4));
  }

  private refreshIn(delayMs: number): void {
    this.cancelTimer();
    this.cancelTimer = this.agent.clock.after(delayMs, () => {
      this.refresh();
    });
  }

  private read(request: IncomingRequestMessage): void {
    const { body } = request;
    if (!body) return;
    const type = (request.getHeader('content-type') ?? conferenceDocumentType).split(';')[0]?.trim().toLowerCase();
    if (type !== conferenceDocumentType) {
      return this.listener.unreadable(`A notification came as ${type}, not as ${conferenceDocumentType}`);
    }
    const read = readConferenceDocument(body);
    if ('error' in read) this.listener.unreadable(read.error);
    else this.listener.document(read);
  }
}
