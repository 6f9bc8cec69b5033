/** A call between us and an MCU: an INVITE dialog of its own (RFC 4579, 5; UCMA, McuSession calls). */
import type { Outcome, SignalingEvent } from '../../recovery/signaling';
import { Dialog } from './dialog';
import type { Body, Exchange } from './exchange';
import type { IncomingRequestMessage } from './library';
import { MediaWatch } from './media';
import { asksForNewRoute, calledOff, dialogGone, meaningOf, outcomeOf } from './outcome';
import { SessionDescription } from './session-description';
import { SessionExpiration } from './session-expiration';
import { refreshTarget } from './target-refresh';
import type { Reply, Usage, UserAgent } from './user-agent';

/** How long the answer to a BYE is waited for, in ms. */
const farewellMs = 2000;
const refreshTimeoutMs = 8000;

/** One call, from its INVITE to its BYE. */
export class Call implements Usage {
  readonly dialog: Dialog;
  private invitation: Exchange | null = null;
  private established = false;
  private isOver = false;
  private description = new SessionDescription();
  private readonly media: MediaWatch | null;

  constructor(
    private readonly agent: UserAgent,
    private readonly callId: string,
    readonly mcu: string,
    target: string,
    displayName: string,
    private readonly tell: (event: SignalingEvent) => void,
    /** Called once, when the call is over. */
    private readonly over: () => void,
    /** Its audio has ended after so long without a packet, in ms; 0: it has none, every stream is inactive. */
    mediaTimeoutMs: number,
  ) {
    this.dialog = new Dialog(target, displayName);
    this.media =
      mediaTimeoutMs > 0
        ? new MediaWatch(agent.clock, mediaTimeoutMs, (report) => tell({ event: 'media', callId, mcu, ...report }))
        : null;
    this.dialog.session = new SessionExpiration(agent.clock, {
      refresh: () => this.refresh(),
      expired: () => this.expire(),
    });
  }

  /** Invites. Tells `call-accepted` or `call-failed`, and then what becomes of the media. */
  place(kinds: readonly string[], timeoutMs: number): void {
    const { agent, media } = this;
    const until = agent.clock.now() + timeoutMs;
    agent.register(this);
    if (!media) {
      this.description = new SessionDescription(kinds);
      return this.invite(until);
    }
    // Where the ports are to be is known once the connection is up.
    agent.whenReady((error) => {
      if (this.isOver) return;
      // The invitation meets the same, and says so.
      if (error) return this.invite(until);
      media.open(agent.localHost).then(
        (port) => {
          if (this.isOver) return;
          this.description = new SessionDescription(['audio', ...kinds.filter((kind) => kind !== 'audio')], port);
          this.invite(until);
        },
        (reason: Error) => {
          if (this.isOver) return;
          const message = `there is no port for its media: ${reason.message}`;
          this.failed({ kind: 'unreachable', cause: 'transport', written: false, message });
        },
      );
    });
  }

  private invite(until: number): void {
    const { callId, mcu } = this;
    const timeoutMs = Math.max(0, until - this.agent.clock.now());
    this.invitation = this.agent.send(this.dialog, { method: 'INVITE', body: this.offering }, timeoutMs, (answer) => {
      const outcome = outcomeOf(answer);
      if (outcome.kind !== 'ok') return this.failed(outcome);
      this.established = true;
      this.tell({ event: 'call-accepted', callId, mcu });
      this.media?.begin();
    });
  }

  private failed(outcome: Outcome): void {
    this.forget();
    this.tell({ event: 'call-failed', callId: this.callId, mcu: this.mcu, outcome });
  }

  /**
   * Hangs up: tells `call-ended` when that is answered, or at the latest after 2 s. An invitation is called off, which
   * tells `call-failed` before.
   */
  end(): void {
    const ended = (): void => this.ended('HungUp');
    this.forget();
    if (this.established) {
      this.agent.send(this.dialog, { method: 'BYE' }, farewellMs, ended);
      return;
    }
    this.invitation?.abandon();
    this.tell({ event: 'call-failed', callId: this.callId, mcu: this.mcu, outcome: calledOff() });
    ended();
  }

  /** Text into the call (RFC 3428, in a dialog). One that met a stale route is sent again when that is repaired. */
  sendText(text: string, timeoutMs: number, settled: (outcome: Outcome) => void, repeated = false): void {
    if (!this.established) return settled(dialogGone());
    const body = { contentType: 'text/plain;charset=UTF-8', content: text };
    const startedAt = this.agent.clock.now();
    this.agent.send(this.dialog, { method: 'MESSAGE', body }, timeoutMs, (answer) => {
      const outcome = outcomeOf(answer);
      const remainingMs = timeoutMs - (this.agent.clock.now() - startedAt);
      if (!asksForNewRoute(outcome) || repeated || remainingMs <= 0) return settled(outcome);
      this.dialog.routeStale = true;
      this.refresh(remainingMs, () => {
        if (this.dialog.routeStale) settled(outcome);
        else this.sendText(text, timeoutMs - (this.agent.clock.now() - startedAt), settled, true);
      });
    });
  }

  /** Tells the far end where we are now, after the route has been healed; takes a new route where the old one is stale. */
  refresh(timeoutMs = refreshTimeoutMs, done: () => void = () => {}): void {
    if (!this.established) return done();
    refreshTarget(this.agent, this.dialog, ['UPDATE', 're-INVITE'], this.offering, timeoutMs, (method, answer) => {
      const outcome = outcomeOf(answer);
      if (asksForNewRoute(outcome) && !this.dialog.routeStale) {
        this.dialog.routeStale = true;
        return this.refresh(timeoutMs, done);
      }
      const sent = method === 're-INVITE' ? 'INVITE' : method;
      if (this.established && outcome.kind === 'refused' && meaningOf(outcome.status, sent).ends !== 'request') {
        this.forget();
        this.ended('RemoteHungUp');
      }
      done();
    });
  }

  receive(request: IncomingRequestMessage, reply: Reply): void {
    switch (request.method) {
      case 'BYE':
        reply(200);
        if (!this.established) return;
        this.forget();
        return this.ended('RemoteHungUp');
      case 'INVITE':
        return reply(200, [], this.description.answer(this.agent.localHost, request.body));
      case 'MESSAGE':
        reply(200);
        return this.tell({ event: 'text', mcu: this.mcu, from: request.from.uri.toRaw(), text: request.body });
      case 'ACK':
        return;
      case 'UPDATE':
        return reply(200, [], request.body ? this.description.answer(this.agent.localHost, request.body) : undefined);
      case 'OPTIONS':
      case 'INFO':
        return reply(200);
      default:
        reply(405);
    }
  }

  /** Nobody has refreshed the call in time: to the far end it is over, or will be (RFC 4028, 10). */
  private expire(): void {
    this.forget();
    this.agent.send(this.dialog, { method: 'BYE' }, farewellMs, () => {});
    this.ended('RemoteHungUp');
  }

  /** A re-INVITE repeats the description of the first: nothing about the session has changed (RFC 3264, 8). */
  private readonly offering = (localHost: string): Body => this.description.offer(localHost);

  private ended(reason: 'HungUp' | 'RemoteHungUp'): void {
    this.established = false;
    this.tell({ event: 'call-ended', callId: this.callId, mcu: this.mcu, reason });
  }

  private forget(): void {
    this.isOver = true;
    this.media?.close();
    this.dialog.session?.stop();
    this.agent.unregister(this);
    this.over();
  }
}
