/** Our part in a conference from one join on: the INVITE dialog with the Focus, and the subscription beside it (RFC 4579). */
import type { HealingMethod } from '../../recovery/messages';
import type { ConferenceDocument, Outcome, SignalingEffect, SignalingEvent } from '../../recovery/signaling';
import { type C3pResponse, c3pRequest, c3pType, readC3pResponse } from './c3p';
import type { ConferenceUri, ReadDocument } from './conference-document';
import { contactOf, Dialog } from './dialog';
import type { Answer, Body, Draft, Exchange } from './exchange';
import { type IncomingRequestMessage, type IncomingResponseMessage, token } from './library';
import { McuView } from './mcu-view';
import { dialogGone, findsRouteStale, meaningOf, outcomeOf, released } from './outcome';
import { isReferable, Referral, referTarget } from './referral';
import type { SavedParticipation } from './saved';
import { SessionDescription } from './session-description';
import { SessionExpiration } from './session-expiration';
import { Subscription } from './subscription';
import { refreshTarget } from './target-refresh';
import type { Reply, Usage, UserAgent } from './user-agent';

/** How long a join waits for the first roster once it has been accepted, in ms. */
const firstDocumentMs = 2000;
/** How long the answer to a session refresh is waited for, in ms; the next one comes no sooner than that. */
const sessionRefreshMs = 8000;
/** From what says most to what says least; where one is not understood, the next is tried. */
const healingMethods: readonly HealingMethod[] = ['UPDATE', 're-INVITE', 'OPTIONS'];
/** How long the answer to a BYE is waited for, in ms. */
const farewellMs = 2000;

/** One request of the model. */
export type RequestEffect = Extract<SignalingEffect, { effect: 'request' }>;

/** What a participation needs of its conference. */
export interface ParticipationHost {
  readonly agent: UserAgent;
  readonly conference: string;
  /** Our URI. */
  readonly uri: string;
  readonly joinTimeoutMs: number;
  readonly commands: 'none' | 'cccp';
  random(): number;
  /** Passes an event on, unless this participation has been replaced meanwhile. */
  tell(from: Participation, event: SignalingEvent): void;
  /** Name of the MCU that a purpose of `conf-uris` stands for. */
  mcuOf(purpose: string): string;
  /** URI of an MCU, as far as the conference has told it. */
  mcuUri(mcu: string): string | undefined;
  /** What is kept of the participation is not what it was. */
  changed(): void;
}

/** Joining, joined or gone: each `join` makes a new one. */
export class Participation implements Usage {
  private readonly mcus: McuView;
  private phase: 'joining' | 'entering' | 'joined' | 'over' = 'joining';
  private invitation: Exchange | null = null;
  private subscription: Subscription | null = null;
  private cancelTimer: () => void = () => {};
  private conferenceOver = false;
  /** The Focus has ended the dialog with a BYE. */
  private dialogEnded = false;
  private description = new SessionDescription();
  /** The Focus takes REFER (RFC 4579, 5). */
  private takesReferrals = false;
  private readonly referrals = new Set<Referral>();
  /** Commands that were accepted (202) and whose result comes in a later INFO. */
  private readonly results = new Map<string, (outcome: Outcome) => void>();

  constructor(
    private readonly host: ParticipationHost,
    readonly number: number,
    private readonly displayName: string,
    readonly dialog = new Dialog(host.conference, displayName),
  ) {
    this.mcus = new McuView((purpose) => host.mcuOf(purpose));
    const changed = (): void => host.changed();
    dialog.changed = changed;
    dialog.session = new SessionExpiration(host.agent.clock, {
      refresh: () => this.refreshSession(),
      expired: () => host.tell(this, { event: 'session-expired', dialog: number }),
      changed,
    });
  }

  /** As another process has kept it. Nothing is sent before it is resumed. */
  static restored(host: ParticipationHost, saved: SavedParticipation, displayName: string): Participation {
    const { number, dialog, takesReferrals, conferenceOver, dialogEnded } = saved;
    const participation = new Participation(host, number, displayName, Dialog.restored(dialog, displayName));
    participation.phase = 'joined';
    participation.description = SessionDescription.restored(saved.description);
    participation.takesReferrals = takesReferrals;
    participation.conferenceOver = conferenceOver;
    participation.dialogEnded = dialogEnded;
    participation.subscription = participation.subscriptionTo(saved.subscription.target);
    participation.subscription.restore(saved.subscription);
    participation.mcus.restore(saved.mcus);
    if (dialog.session) participation.dialog.session?.restore(dialog.session);
    host.agent.register(participation);
    return participation;
  }

  /** What another process needs to go on with it; null until it is joined. */
  save(): SavedParticipation | null {
    const { number, description, takesReferrals, conferenceOver, dialogEnded, mcus } = this;
    const subscription = this.subscription?.save();
    if (this.phase !== 'joined' || !subscription) return null;
    const dialog = this.dialog.save();
    return {
      number,
      dialog,
      description: description.save(),
      takesReferrals,
      conferenceOver,
      dialogEnded,
      subscription,
      mcus: mcus.save(),
    };
  }

  /** Where MCUs are reached, as far as the conference has told it. */
  get conferenceUris(): readonly ConferenceUri[] {
    return this.mcus.conferenceUris;
  }

  /** Whether the Focus has a dialog with us, as far as we know. */
  get hasDialog(): boolean {
    return this.phase === 'entering' || this.phase === 'joined';
  }

  /** Dials in (RFC 4579, 5.1). Tells `joined` or `join-failed`. */
  join(): void {
    const { agent } = this.host;
    agent.register(this);
    this.invitation = agent.send(
      this.dialog,
      { method: 'INVITE', body: this.offering },
      this.host.joinTimeoutMs,
      (answer) => {
        const outcome = outcomeOf(answer);
        if (outcome.kind !== 'ok' || answer.kind !== 'response') return this.failed(outcome);
        if (contactOf(answer.response) === undefined) {
          agent.send(this.dialog, { method: 'BYE' }, farewellMs, () => {});
          const message = 'the INVITE was accepted without a Contact, so that the Focus cannot be addressed';
          return this.failed({ kind: 'unreachable', cause: 'malformed', written: true, message });
        }
        this.takesReferrals = takesReferrals(answer.response);
        this.enter();
      },
    );
  }

  /** Unsubscribes and says BYE; `done` when that is answered, or at the latest after 2 s. Silently: nothing is sent. */
  leave(silently: boolean, done: () => void): void {
    const sayBye = this.hasDialog && !this.dialogEnded && !silently;
    if (silently) this.subscription?.drop();
    else this.subscription?.end();
    this.invitation?.abandon();
    this.drop();
    if (sayBye) this.host.agent.send(this.dialog, { method: 'BYE' }, farewellMs, done);
    else done();
  }

  /** Another join takes its place: the Focus has lost this one, so nothing is said to it. */
  replace(): void {
    this.subscription?.drop();
    this.invitation?.abandon();
    this.drop();
  }

  /**
   * After it was restored: tells the Focus where we are now, with a session timer from now on, and subscribes to the roster
   * anew, unless the dialog has turned out to be gone.
   */
  resume(timeoutMs: number, settled: (method: string, outcome: Outcome) => void): void {
    if (!this.hasDialog || this.dialogEnded) return settled('UPDATE', dialogGone());
    this.refreshTarget(healingMethods, timeoutMs, (method, outcome) => {
      const sent = method === 're-INVITE' ? 'INVITE' : method;
      const gone = outcome.kind === 'refused' && meaningOf(outcome.status, sent).ends !== 'request';
      if (!gone) this.refreshRoster(true);
      settled(method, outcome);
    });
  }

  /** Forgets it without a word to the Focus. What waits for an answer gets one. */
  release(): void {
    const isEntering = this.phase === 'entering';
    this.replace();
    if (isEntering) this.host.tell(this, { event: 'join-failed', dialog: this.number, outcome: released() });
  }

  /** Asks for a full document; with `anew`, in a new subscription. */
  refreshRoster(anew: boolean): void {
    if (this.hasDialog) this.subscription?.ask(anew);
  }

  /** One request in the dialog or in the subscription; `settled` with the method that was used. */
  request(effect: RequestEffect, settled: (method: string, outcome: Outcome) => void): void {
    const { timeoutMs } = effect;
    switch (effect.purpose) {
      case 'operation':
        if (this.host.commands === 'none') return this.refer(effect, (outcome) => settled('REFER', outcome));
        return this.command(effect, (outcome) => settled('INFO', outcome));
      case 'heal':
        return this.heal(effect.method ?? 'UPDATE', timeoutMs, settled);
      case 'subscription':
        this.subscription?.refresh(timeoutMs, (answer) => settled('SUBSCRIBE', outcomeOf(answer)));
        return;
      default:
        return this.send({ method: 'OPTIONS' }, timeoutMs, (answer) => settled('OPTIONS', outcomeOf(answer)));
    }
  }

  receive(request: IncomingRequestMessage, reply: Reply): void {
    switch (request.method) {
      case 'BYE':
        reply(200);
        return this.ended();
      case 'UPDATE':
        reply(200, [], request.body ? this.answer(request) : undefined);
        return this.host.tell(this, { event: 'remote-update', dialog: this.number });
      case 'INVITE':
        return reply(200, [], this.answer(request));
      case 'INFO':
        reply(200);
        return this.readResult(request);
      case 'ACK':
        return;
      case 'OPTIONS':
        return reply(200);
      default:
        reply(405);
    }
  }

  // ---------------------------------------------------------------------------------------------------------- join

  /** A re-INVITE repeats the description of the first: nothing about the session has changed (RFC 3264, 8). */
  private readonly offering = (localHost: string): Body => this.description.offer(localHost);

  private failed(outcome: Outcome): void {
    this.drop();
    this.host.tell(this, { event: 'join-failed', dialog: this.number, outcome });
  }

  /** The Focus has accepted us; the join is complete with the first roster, or when there will be none. */
  private enter(): void {
    const { agent } = this.host;
    this.phase = 'entering';
    this.cancelTimer = agent.clock.after(firstDocumentMs, () => this.joined(null));
    this.subscription = this.subscriptionTo(this.dialog.remoteTarget);
    this.subscription.refresh(undefined, (answer) => {
      // 489, 405, …: this server has conferences, but no rosters.
      if (outcomeOf(answer).kind === 'refused') this.joined(null);
    });
  }

  private subscriptionTo(target: string): Subscription {
    return new Subscription(this.host.agent, () => this.host.random(), target, this.displayName, {
      document: (read, newSubscription) => this.document(read, newSubscription),
      unreadable: (message) => this.host.tell(this, { event: 'unreadable', dialog: this.number, message }),
      lost: (reason) => this.subscriptionLost(reason),
      changed: () => this.host.changed(),
    });
  }

  private answer(request: IncomingRequestMessage): Body {
    const { version } = this.description;
    const body = this.description.answer(this.host.agent.localHost, request.body);
    if (this.description.version !== version) this.host.changed();
    return body;
  }

  private joined(document: ConferenceDocument | null): void {
    if (this.phase !== 'entering') return;
    this.phase = 'joined';
    this.host.changed();
    this.cancelTimer();
    const event = {
      event: 'joined',
      dialog: this.number,
      placement: 'conference',
      document,
      mcus: this.mcus.reports(),
    } as const;
    this.host.tell(this, event);
  }

  // ------------------------------------------------------------------------------------------------------- roster

  private document(read: ReadDocument, newSubscription: boolean): void {
    const { document } = read;
    const before = this.mcus.reports();
    const { conferenceUris } = this.mcus;
    this.mcus.learn(read);
    if (conferenceUris !== this.mcus.conferenceUris) this.host.changed();
    if (document.state === 'deleted') return this.conferenceEnded();
    if (this.phase === 'entering') {
      // Without a full one there is nothing to merge a part into (RFC 4575, 4.6).
      if (document.state === 'full') this.joined(document);
      else this.subscription?.ask(false);
      return;
    }
    const anew = newSubscription ? { newSubscription: true as const } : {};
    this.host.tell(this, { event: 'document', dialog: this.number, document, ...anew });
    const after = this.mcus.reports();
    for (const mcu of new Set([...Object.keys(before ?? {}), ...Object.keys(after ?? {})])) {
      const report = after?.[mcu] ?? 'inactive';
      if (before?.[mcu] === report) continue;
      this.host.changed();
      this.host.tell(this, { event: 'mcu-report', dialog: this.number, mcu, report });
    }
  }

  private conferenceEnded(): void {
    if (this.conferenceOver) return;
    this.joined(null);
    this.conferenceOver = true;
    this.host.changed();
    this.host.tell(this, { event: 'ended', dialog: this.number, cause: 'conference-ended' });
  }

  private subscriptionLost(reason: string): void {
    // Ended before it had brought anything: a server without rosters has its own ways to say so.
    if (this.phase === 'entering') return this.joined(null);
    // To us, who take part, `noresource` says that there is no conference any more (RFC 6665, 4.1.3).
    if (reason === 'noresource') return this.conferenceEnded();
    if (!this.conferenceOver) this.host.tell(this, { event: 'subscription-lost', dialog: this.number, reason });
  }

  private ended(): void {
    if (!this.hasDialog || this.dialogEnded) return;
    this.dialogEnded = true;
    this.host.changed();
    this.joined(null);
    if (!this.conferenceOver) this.host.tell(this, { event: 'remote-bye', dialog: this.number });
  }

  // ----------------------------------------------------------------------------------------------------- requests

  private send(draft: Draft, timeoutMs: number, settled: (answer: Answer) => void): void {
    this.host.agent.send(this.dialog, draft, timeoutMs, (answer) => {
      if (findsRouteStale(outcomeOf(answer))) this.dialog.routeStale = true;
      settled(answer);
    });
  }

  /** A target refresh tells the Focus our new address (RFC 3311; RFC 3261, 14); OPTIONS only tries the route. */
  private heal(method: HealingMethod, timeoutMs: number, settled: (method: string, outcome: Outcome) => void): void {
    this.refreshTarget(healingMethods.slice(healingMethods.indexOf(method)), timeoutMs, settled);
  }

  private refreshTarget(
    methods: readonly HealingMethod[],
    timeoutMs: number,
    settled: (method: string, outcome: Outcome) => void,
  ): void {
    refreshTarget(this.host.agent, this.dialog, methods, this.offering, timeoutMs, (method, answer) => {
      const outcome = outcomeOf(answer);
      if (findsRouteStale(outcome)) this.dialog.routeStale = true;
      settled(method, outcome);
    });
  }

  /** Nobody has asked for it, so the model hears of it under a name of ours. */
  private refreshSession(): void {
    const { clock } = this.host.agent;
    const startedAt = clock.now();
    this.refreshTarget(['UPDATE', 're-INVITE'], sessionRefreshMs, (method, outcome) => {
      const elapsedMs = clock.now() - startedAt;
      const request = { requestId: 'session-refresh', dialog: this.number, purpose: 'refresh', method } as const;
      this.host.tell(this, { event: 'outcome', ...request, outcome, elapsedMs });
    });
  }

  private command(effect: RequestEffect, settled: (outcome: Outcome) => void): void {
    const { operation = '', mcu, timeoutMs } = effect;
    const requestId = token();
    const mcuUri = mcu === undefined ? undefined : this.host.mcuUri(mcu);
    const content = c3pRequest({
      operation,
      arguments: effect.arguments ?? {},
      requestId,
      conference: this.host.conference,
      from: this.host.uri,
      ...(mcuUri === undefined ? {} : { mcuUri }),
    });
    if (content === undefined)
      return settled(notPossible(operation, 'C3P has no request for it, or it lacks a participant'));
    const startedAt = this.host.agent.clock.now();
    this.send({ method: 'INFO', body: { contentType: c3pType, content } }, timeoutMs, (answer) => {
      const outcome = outcomeOf(answer);
      if (outcome.kind === 'unreachable' || outcome.kind === 'unsupported' || answer.kind !== 'response') {
        return settled(outcome);
      }
      const result = readC3pResponse(answer.response.body ?? '');
      if (result && result.code !== 'pending') return settled(resultOf(result, answer.response.body, outcome));
      if (outcome.kind === 'ok' && outcome.status === 202) {
        const remainingMs = timeoutMs - (this.host.agent.clock.now() - startedAt);
        return this.awaitResult(requestId, Math.max(0, remainingMs), timeoutMs, settled);
      }
      settled(outcome);
    });
  }

  /** What plain SIP can do: have the Focus call somebody, or hang up on somebody. */
  private refer(effect: RequestEffect, settled: (outcome: Outcome) => void): void {
    const { operation = '', mcu, timeoutMs } = effect;
    const participant = effect.arguments?.participant;
    if (mcu !== undefined || !isReferable(operation)) {
      return settled(notPossible(operation, `plain SIP has no request for it; ${others}`));
    }
    if (!this.takesReferrals) {
      const reason =
        'this server does not say that it is a Focus which takes REFER (isfocus in Contact, REFER in Allow)';
      return settled(notPossible(operation, `${reason}; ${others}`));
    }
    const target = referTarget(operation, participant);
    if (target === undefined) return settled(notPossible(operation, `"${participant}" is no SIP address of somebody`));
    const referral = new Referral(this.host.agent, this.dialog.remoteTarget, this.displayName);
    this.referrals.add(referral);
    referral.send(target, this.host.uri, timeoutMs, (outcome) => {
      this.referrals.delete(referral);
      settled(outcome);
    });
  }

  /** The Focus has accepted a command, and says in a later INFO what became of it (MS-CONFBAS; MS-CONFIM). */
  private awaitResult(
    requestId: string,
    remainingMs: number,
    timeoutMs: number,
    settled: (outcome: Outcome) => void,
  ): void {
    const finish = (outcome: Outcome): void => {
      cancel();
      this.results.delete(requestId);
      settled(outcome);
    };
    const message = `accepted, but no result within ${timeoutMs} ms`;
    const cancel = this.host.agent.clock.after(remainingMs, () =>
      finish({ kind: 'unreachable', cause: 'timeout', written: true, message }),
    );
    this.results.set(requestId, finish);
  }

  private readResult(request: IncomingRequestMessage): void {
    const response = readC3pResponse(request.body ?? '');
    if (!response || response.code === 'pending') return;
    this.results.get(response.requestId)?.(resultOf(response, request.body, { kind: 'ok', status: 202 }));
  }

  private drop(): void {
    this.phase = 'over';
    this.cancelTimer();
    for (const referral of this.referrals) referral.drop();
    const message = 'the dialog with the Focus has ended';
    for (const finish of this.results.values())
      finish({ kind: 'unreachable', cause: 'transport', written: true, message });
    this.dialog.session?.stop();
    this.host.agent.unregister(this);
  }
}

/** Whether requests to invite and to eject can be sent there: it is a Focus, and says that it takes REFER. */
function takesReferrals(answer: IncomingResponseMessage): boolean {
  const methods = answer
    .getHeaders('allow')
    .join()
    .toUpperCase()
    .split(/[\s,]+/);
  return methods.includes('REFER') && /;\s*isfocus\b/i.test(answer.getHeader('contact') ?? '');
}

/** Who can do what plain SIP cannot. */
const others = 'servers that take C3P in INFO (Lync, Skype for Business) have one, if the endpoint is set to that';

function notPossible(operation: string, reason: string): Outcome {
  return { kind: 'unsupported', message: `The operation "${operation}" is not possible: ${reason}` };
}

/** What a C3P response makes of the outcome of the request that carried it. */
function resultOf(
  result: C3pResponse,
  body: string,
  outcome: Exclude<Outcome, { kind: 'unreachable' | 'unsupported' }>,
): Outcome {
  if (result.code !== 'failure') return outcome;
  const conferenceReason = result.reason ?? 'otherFailure';
  if (outcome.kind === 'refused') return { ...outcome, conferenceReason };
  const { status } = outcome;
  return {
    kind: 'refused',
    status,
    conferenceReason,
    response: { status, reason: conferenceReason, headers: {}, body },
  };
}
