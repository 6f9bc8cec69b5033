/** One SIP client in one conference of the pool: what it sends becomes effects, and what the pool tells becomes messages. */
import type { McuReport } from '../../../recovery/messages';
import type { ConferenceDocument, Outcome, SignalingEffect, SignalingEvent } from '../../../recovery/signaling';
import { c3pType } from '../c3p';
import type { ConferenceUri } from '../conference-document';
import { token } from '../library';
import { readC3pRequest, writeC3pResponse } from './c3p-reader';
import { Invitation } from './invitation';
import { Notifier, type Publisher } from './notifier';
import { answerAs, requestTimeoutMs, type ServerHost, type ServerRequest } from './usage';

/** Subscriptions of one client to one conference. */
const mostSubscriptions = 10;
/** Who has sent nothing for so long is gone, in ms: whoever is subscribed refreshes within an hour. */
const longestSilenceMs = 3_900_000;

/** What a visit needs of the server, and of the pool. */
export interface VisitHost extends ServerHost {
  perform(conference: string, effect: SignalingEffect): void;
  /** Nothing is left of the visit. */
  over(): void;
}

/** A call to an MCU. */
interface Call {
  mcu: string;
  invitation: Invitation;
  ended: () => void;
}

type Request = Extract<SignalingEffect, { effect: 'request' }>;

/** One client in one conference, through joins and re-joins. */
export class Visit implements Publisher {
  /** The latest dialog with the Focus; null when there is none. */
  private focus: Invitation | null = null;
  /** Its number in the pool. */
  private dialog = 0;
  /** Who waits for the pool to say that a dialog was left. */
  private readonly leaving = new Map<number, () => void>();
  private readonly subscriptions = new Set<Notifier>();
  private readonly calls = new Map<string, Call>();
  private readonly reports = new Map<string, McuReport>();
  private readonly requests = new Map<string, (outcome: Outcome) => void>();
  private cancelTimer: () => void = () => {};

  constructor(
    private readonly host: VisitHost,
    readonly conference: string,
  ) {
    this.heard();
  }

  /** INVITE to the conference: joins, or joins again. */
  join(request: ServerRequest): Invitation {
    const { host, conference } = this;
    this.heard();
    this.focus?.drop();
    this.dialog += 1;
    const { dialog } = this;
    const callee = {
      leave: (done: () => void) => this.leave(dialog, done),
      request: (each: ServerRequest, accept: () => void) => this.request(dialog, each, accept),
    };
    this.focus = new Invitation(host, callee, host.addresses.write(conference), request);
    const { displayName } = request.message.from;
    this.perform({ effect: 'join', dialog, rejoin: dialog > 1, ...(displayName ? { displayName } : {}) });
    return this.focus;
  }

  /** INVITE to an MCU. */
  call(mcu: string, request: ServerRequest): Invitation {
    const { host, conference } = this;
    this.heard();
    const callId = token();
    const callee = {
      leave: (done: () => void) => this.endCall(callId, done),
      request: (each: ServerRequest, accept: () => void) => this.requestInCall(callId, each, accept),
    };
    const invitation = new Invitation(host, callee, host.addresses.write(conference, mcu), request);
    this.calls.set(callId, { mcu, invitation, ended: () => {} });
    const media = [...request.message.body.matchAll(/^m=(\w+)/gm)].map(([, type = '']) => type);
    this.perform({ effect: 'place-call', callId, mcu, media, timeoutMs: requestTimeoutMs });
    return invitation;
  }

  /** SUBSCRIBE outside of a dialog. */
  watch(request: ServerRequest): void {
    if (this.subscriptions.size >= mostSubscriptions) return request.answer(486);
    const notifier = new Notifier(this.host, this, request);
    this.subscriptions.add(notifier);
    notifier.receive(request);
  }

  /** What the pool tells. */
  hear(event: SignalingEvent): void {
    if ('dialog' in event && event.dialog !== this.dialog && event.event !== 'outcome' && event.event !== 'left')
      return;
    switch (event.event) {
      case 'joined':
        if (event.placement === 'lobby') return this.focus?.queue();
        return this.enter(event);
      case 'admitted':
        return this.enter(event);
      case 'join-failed':
        this.focus?.refuse(event.outcome);
        this.focus = null;
        return this.tidy();
      case 'ended':
        return this.dismiss(event.cause);
      case 'remote-bye':
        return this.dismiss('ejected');
      case 'left':
        this.leaving.get(event.dialog)?.();
        this.leaving.delete(event.dialog);
        return this.tidy();
      case 'outcome':
        this.requests.get(event.requestId)?.(event.outcome);
        this.requests.delete(event.requestId);
        return;
      case 'document':
        return this.publish(event.document);
      case 'mcu-report':
        this.reports.set(event.mcu, event.report);
        for (const each of this.subscriptions) each.mcusChanged();
        return;
      case 'transport-lost':
        this.focus?.link.cut();
        return;
      case 'call-accepted':
        return this.calls.get(event.callId)?.invitation.accept();
      case 'call-failed':
        this.calls.get(event.callId)?.invitation.refuse(event.outcome);
        return this.forgetCall(event.callId);
      case 'call-ended':
        this.calls.get(event.callId)?.ended();
        this.calls.get(event.callId)?.invitation.bye();
        return this.forgetCall(event.callId);
    }
  }

  /** The server closes. */
  close(): void {
    this.cancelTimer();
    for (const each of [...this.subscriptions]) each.end('deactivated');
    for (const { invitation } of this.calls.values()) invitation.bye();
    this.focus?.bye();
  }

  // ------------------------------------------------------------------------------------------------ for subscriptions

  subscribe(request: ServerRequest, accepted: () => void): void {
    this.heard();
    this.ask(this.dialog, { purpose: 'subscription' }, (outcome) => {
      answerAs(outcome, request, accepted);
      // A first SUBSCRIBE that was not accepted has made no subscription.
      if (outcome.kind !== 'ok' && !request.message.toTag) {
        for (const each of this.subscriptions)
          if (each.dialog.callId === request.message.callId) each.end('timeout', true);
      }
    });
  }

  refresh(): void {
    this.perform({ effect: 'refresh-roster', dialog: this.dialog });
  }

  /** MCUs that can be called now. */
  conferenceUris(): ConferenceUri[] {
    const active = [...this.reports].filter(([, report]) => report === 'active');
    return active.map(([mcu]) => ({ uri: this.host.addresses.write(this.conference, mcu), purpose: mcu }));
  }

  over(notifier: Notifier): void {
    this.subscriptions.delete(notifier);
  }

  // ------------------------------------------------------------------------------------------------------------ inside

  private enter({ mcus, document }: Extract<SignalingEvent, { event: 'joined' | 'admitted' }>): void {
    for (const [mcu, report] of Object.entries(mcus ?? {})) this.reports.set(mcu, report);
    this.focus?.accept();
    if (document) this.publish(document);
  }

  private publish(document: ConferenceDocument): void {
    for (const each of this.subscriptions) each.document(document);
  }

  private dismiss(cause: 'ejected' | 'conference-ended'): void {
    const over = cause === 'conference-ended';
    if (!over) this.focus?.bye();
    for (const each of [...this.subscriptions]) each.end(over ? 'noresource' : 'rejected');
    this.focus?.bye();
    this.focus = null;
    this.tidy();
  }

  private leave(dialog: number, done: () => void): void {
    if (dialog !== this.dialog) return done();
    this.focus = null;
    this.leaving.set(dialog, done);
    this.perform({ effect: 'leave', dialog, silently: false });
  }

  private endCall(callId: string, done: () => void): void {
    const call = this.calls.get(callId);
    if (!call) return done();
    call.ended = done;
    this.perform({ effect: 'end-call', callId, mcu: call.mcu });
  }

  private forgetCall(callId: string): void {
    this.calls.delete(callId);
    this.tidy();
  }

  /** A request in the dialog with the Focus. */
  private request(dialog: number, request: ServerRequest, accept: () => void): void {
    this.heard();
    const { method, body } = request.message;
    const answer = (outcome: Outcome): void => answerAs(outcome, request, accept);
    switch (method) {
      case 'UPDATE':
      case 'INVITE':
        return this.ask(dialog, { purpose: 'heal', method: method === 'INVITE' ? 're-INVITE' : method }, answer);
      case 'OPTIONS':
        return this.ask(dialog, { purpose: 'refresh' }, answer);
      case 'INFO':
        if (request.message.getHeader('content-type')?.trim().toLowerCase() !== c3pType) {
          return this.ask(dialog, { purpose: 'refresh' }, answer);
        }
        return this.command(dialog, request, body);
      default:
        request.answer(405);
    }
  }

  private command(dialog: number, request: ServerRequest, body: string): void {
    const command = readC3pRequest(body);
    if (!command) return request.answer(501);
    const { requestId, operation, arguments: given, mcu } = command;
    const effect = {
      purpose: 'operation',
      operation,
      arguments: given,
      ...(mcu === undefined ? {} : { mcu }),
    } as const;
    this.ask(dialog, effect, (outcome) => {
      const reason = outcome.kind === 'refused' ? outcome.conferenceReason : undefined;
      if (outcome.kind !== 'ok' && reason === undefined) return answerAs(outcome, request, () => {});
      const content = writeC3pResponse(requestId, outcome.kind === 'ok', reason);
      const status = outcome.kind === 'refused' ? outcome.status : 200;
      request.answer(status, { body: { contentType: c3pType, content } });
    });
  }

  /** A request in a call. The pool has none that a route is tried with but a text, so the Focus is asked. */
  private requestInCall(callId: string, request: ServerRequest, accept: () => void): void {
    this.heard();
    const mcu = this.calls.get(callId)?.mcu;
    const answer = (outcome: Outcome): void => answerAs(outcome, request, accept);
    if (mcu === undefined) return request.answer(481);
    if (request.message.method !== 'MESSAGE') return this.ask(this.dialog, { purpose: 'probe' }, answer);
    const requestId = this.remember(answer);
    const text = request.message.body;
    this.perform({ effect: 'send-text', requestId, callId, mcu, text, timeoutMs: requestTimeoutMs });
  }

  private ask(
    dialog: number,
    what: Omit<Request, 'effect' | 'requestId' | 'dialog' | 'timeoutMs'>,
    answer: (outcome: Outcome) => void,
  ): void {
    this.perform({ effect: 'request', requestId: this.remember(answer), dialog, timeoutMs: requestTimeoutMs, ...what });
  }

  private remember(answer: (outcome: Outcome) => void): string {
    const requestId = token();
    this.requests.set(requestId, answer);
    return requestId;
  }

  private perform(effect: SignalingEffect): void {
    this.host.perform(this.conference, effect);
  }

  private heard(): void {
    this.cancelTimer();
    this.cancelTimer = this.host.clock.after(longestSilenceMs, () => {
      this.close();
      this.host.over();
    });
  }

  /** Without a dialog with the Focus and without calls there is no visit. */
  private tidy(): void {
    if (this.focus !== null || this.calls.size > 0) return;
    this.cancelTimer();
    for (const each of [...this.subscriptions]) each.end('rejected');
    this.host.over();
  }
}
