/** A call between us and an MCU: an INVITE dialog of its own (RFC 4579, 5; UCMA, McuSession calls). */
import type { Outcome, SignalingEvent } from '../../recovery/signaling';
import { Dialog } from './dialog';
import type { Exchange } from './exchange';
import type { IncomingRequestMessage } from './library';
import { MediaWatch } from './media';
import { calledOff, dialogGone, outcomeOf } from './outcome';
import { SessionDescription } from './session-description';
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
    const body = (localHost: string) => this.description.offer(localHost);
    this.invitation = this.agent.send(this.dialog, { method: 'INVITE', body }, timeoutMs, (answer) => {
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

  /** Text into the call (RFC 3428, in a dialog). */
  sendText(text: string, timeoutMs: number, settled: (outcome: Outcome) => void): void {
    if (!this.established) return settled(dialogGone());
    const body = { contentType: 'text/plain;charset=UTF-8', content: text };
    this.agent.send(this.dialog, { method: 'MESSAGE', body }, timeoutMs, (answer) => settled(outcomeOf(answer)));
  }

  /** Tells the far end where we are now, after the route has been healed. */
  refresh(): void {
    if (!this.established) return;
    this.agent.send(this.dialog, { method: 'UPDATE' }, refreshTimeoutMs, (answer) => {
      const outcome = outcomeOf(answer);
      if (!this.established || outcome.kind !== 'refused' || outcome.status !== 481) return;
      this.forget();
      this.ended('RemoteHungUp');
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

  private ended(reason: 'HungUp' | 'RemoteHungUp'): void {
    this.established = false;
    this.tell({ event: 'call-ended', callId: this.callId, mcu: this.mcu, reason });
  }

  private forget(): void {
    this.isOver = true;
    this.media?.close();
    this.agent.unregister(this);
    this.over();
  }
}
