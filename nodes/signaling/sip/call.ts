/** A call between us and an MCU: an INVITE dialog of its own (RFC 4579, 5; UCMA, McuSession calls). */
import type { HealingMethod } from '../../recovery/messages';
import type { Outcome, SignalingEvent } from '../../recovery/signaling';
import { Dialog } from './dialog';
import type { Body, Exchange } from './exchange';
import type { IncomingRequestMessage } from './library';
import { MediaWatch } from './media';
import { asksForNewRoute, calledOff, dialogGone, meaningOf, outcomeOf, released } from './outcome';
import type { SavedCall } from './saved';
import { SessionDescription } from './session-description';
import { SessionExpiration } from './session-expiration';
import { refreshTarget } from './target-refresh';
import type { Reply, Usage, UserAgent } from './user-agent';

/** How long the answer to a BYE is waited for, in ms. */
const farewellMs = 2000;
const refreshTimeoutMs = 8000;

/** What a call needs of its conference. */
export interface CallHost {
  readonly agent: UserAgent;
  tellAlways(event: SignalingEvent): void;
  /** Called once, when the call is over. */
  over(call: Call): void;
  /** What is kept of the call is not what it was. */
  changed(): void;
}

/** One call, from its INVITE to its BYE. */
export class Call implements Usage {
  private invitation: Exchange | null = null;
  private established = false;
  private isOver = false;
  private description = new SessionDescription();
  private readonly media: MediaWatch | null;
  /**
   * Where the far end sends its audio: to our ports (`here`), or to those of another process (`elsewhere`) until ours are
   * open (`moving`) and it has been told (`moved`).
   */
  private audio: 'here' | 'elsewhere' | 'moving' | 'moved' = 'here';

  constructor(
    private readonly host: CallHost,
    readonly callId: string,
    readonly mcu: string,
    readonly dialog: Dialog,
    /** Its audio has ended after so long without a packet, in ms; 0: it has none, every stream is inactive. */
    mediaTimeoutMs: number,
  ) {
    const { clock } = host.agent;
    this.media =
      mediaTimeoutMs > 0
        ? new MediaWatch(clock, mediaTimeoutMs, (report) => this.tell({ event: 'media', callId, mcu, ...report }))
        : null;
    const changed = (): void => host.changed();
    dialog.changed = changed;
    dialog.session = new SessionExpiration(clock, {
      refresh: () => this.refresh(),
      expired: () => this.expire(),
      changed,
    });
  }

  /** A call as another process has kept it. Nothing is sent before it is refreshed. */
  static restored(host: CallHost, saved: SavedCall, displayName: string, mediaTimeoutMs: number): Call {
    const { callId, mcu, description } = saved;
    const hadAudio = description.audioPort !== null;
    const call = new Call(host, callId, mcu, Dialog.restored(saved.dialog, displayName), hadAudio ? mediaTimeoutMs : 0);
    call.description = SessionDescription.restored(description);
    call.established = true;
    if (hadAudio) call.audio = 'elsewhere';
    if (saved.dialog.session) call.dialog.session?.restore(saved.dialog.session);
    host.agent.register(call);
    return call;
  }

  /** What another process needs to go on with it; null while it is being placed. */
  save(): SavedCall | null {
    const { callId, mcu, dialog, description } = this;
    return this.established ? { callId, mcu, dialog: dialog.save(), description: description.save() } : null;
  }

  /** Invites. Tells `call-accepted` or `call-failed`, and then what becomes of the media. */
  place(kinds: readonly string[], timeoutMs: number): void {
    const { media } = this;
    const { agent } = this.host;
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
    const { agent } = this.host;
    const timeoutMs = Math.max(0, until - agent.clock.now());
    this.invitation = agent.send(this.dialog, { method: 'INVITE', body: this.offering }, timeoutMs, (answer) => {
      const outcome = outcomeOf(answer);
      if (outcome.kind !== 'ok') return this.failed(outcome);
      this.established = true;
      this.host.changed();
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
      this.host.agent.send(this.dialog, { method: 'BYE' }, farewellMs, ended);
      return;
    }
    this.invitation?.abandon();
    this.tell({ event: 'call-failed', callId: this.callId, mcu: this.mcu, outcome: calledOff() });
    ended();
  }

  /** Forgets the call without a word to the far end. */
  release(): void {
    this.invitation?.abandon();
    if (this.established) this.forget();
    else this.failed(released());
  }

  /** Text into the call (RFC 3428, in a dialog). One that met a stale route is sent again when that is repaired. */
  sendText(text: string, timeoutMs: number, settled: (outcome: Outcome) => void, repeated = false): void {
    if (!this.established) return settled(dialogGone());
    const body = { contentType: 'text/plain;charset=UTF-8', content: text };
    const { agent } = this.host;
    const startedAt = agent.clock.now();
    agent.send(this.dialog, { method: 'MESSAGE', body }, timeoutMs, (answer) => {
      const outcome = outcomeOf(answer);
      const remainingMs = timeoutMs - (agent.clock.now() - startedAt);
      if (!asksForNewRoute(outcome) || repeated || remainingMs <= 0) return settled(outcome);
      this.dialog.routeStale = true;
      this.refresh(remainingMs, () => {
        if (this.dialog.routeStale) settled(outcome);
        else this.sendText(text, timeoutMs - (agent.clock.now() - startedAt), settled, true);
      });
    });
  }

  /**
   * Tells the far end where we are now, after the route has been healed or in another process; takes a new route where the
   * old one is stale.
   */
  refresh(timeoutMs = refreshTimeoutMs, done: () => void = () => {}): void {
    if (!this.established || this.audio === 'moving') return done();
    if (this.audio === 'elsewhere') return this.move(() => this.refresh(timeoutMs, done), done);
    const { agent } = this.host;
    // An UPDATE has no session description of ours, and where there is a new one, re-INVITE is for that (RFC 3311, 5.1).
    const methods: HealingMethod[] = this.audio === 'moved' ? ['re-INVITE'] : ['UPDATE', 're-INVITE'];
    refreshTarget(agent, this.dialog, methods, this.offering, timeoutMs, (method, answer) => {
      const outcome = outcomeOf(answer);
      if (method === 're-INVITE' && outcome.kind === 'ok') {
        this.audio = 'here';
        this.media?.begin();
      }
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

  /** Opens ports in place of those of another process; where there are none, the audio becomes inactive. */
  private move(moved: () => void, failed: () => void): void {
    const { agent } = this.host;
    this.audio = 'moving';
    agent.whenReady((error) => {
      if (this.isOver || error) {
        this.audio = 'elsewhere';
        return failed();
      }
      const opened = this.media?.open(agent.localHost) ?? Promise.reject(new Error('media are not counted'));
      opened
        .catch(() => null)
        .then((port) => {
          if (this.isOver) return failed();
          this.description.move(agent.localHost, port);
          this.audio = 'moved';
          this.host.changed();
          moved();
        });
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
        return reply(200, [], this.answer(request));
      case 'MESSAGE':
        reply(200);
        return this.tell({ event: 'text', mcu: this.mcu, from: request.from.uri.toRaw(), text: request.body });
      case 'ACK':
        return;
      case 'UPDATE':
        return reply(200, [], request.body ? this.answer(request) : undefined);
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
    this.host.agent.send(this.dialog, { method: 'BYE' }, farewellMs, () => {});
    this.ended('RemoteHungUp');
  }

  /** A re-INVITE repeats the description of the first: nothing about the session has changed (RFC 3264, 8). */
  private readonly offering = (localHost: string): Body => this.description.offer(localHost);

  private answer(request: IncomingRequestMessage): Body {
    const { version } = this.description;
    const body = this.description.answer(this.host.agent.localHost, request.body);
    if (this.description.version !== version) this.host.changed();
    return body;
  }

  private tell(event: SignalingEvent): void {
    this.host.tellAlways(event);
  }

  private ended(reason: 'HungUp' | 'RemoteHungUp'): void {
    this.established = false;
    this.tell({ event: 'call-ended', callId: this.callId, mcu: this.mcu, reason });
  }

  private forget(): void {
    this.isOver = true;
    this.media?.close();
    this.dialog.session?.stop();
    this.host.agent.unregister(this);
    this.host.over(this);
  }
}
