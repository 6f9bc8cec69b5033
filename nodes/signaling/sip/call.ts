/** A call between us and an MCU: an INVITE dialog of its own (RFC 4579, 5; UCMA, McuSession calls). */
import type { Outcome, SignalingEvent } from '../../recovery/signaling';
import { Dialog } from './dialog';
import type { Body, Exchange } from './exchange';
import type { IncomingRequestMessage } from './library';
import { calledOff, dialogGone, outcomeOf } from './outcome';
import { inactiveAnswer, inactiveOffer } from './session-description';
import type { Reply, Usage, UserAgent } from './user-agent';

/** How long the answer to a BYE is waited for, in ms. */
const farewellMs = 2000;
const refreshTimeoutMs = 8000;

/** One call, from its INVITE to its BYE. */
export class Call implements Usage {
  readonly dialog: Dialog;
  private invitation: Exchange | null = null;
  private established = false;

  constructor(
    private readonly agent: UserAgent,
    private readonly callId: string,
    readonly mcu: string,
    target: string,
    displayName: string,
    private readonly tell: (event: SignalingEvent) => void,
    /** Called once, when the call is over. */
    private readonly over: () => void,
  ) {
    this.dialog = new Dialog(target, displayName);
  }

  /** Invites. Tells `call-accepted` or `call-failed`. */
  place(media: readonly string[], timeoutMs: number): void {
    const { callId, mcu } = this;
    this.agent.register(this);
    const body = (localHost: string): Body => inactiveOffer(localHost, media);
    this.invitation = this.agent.send(this.dialog, { method: 'INVITE', body }, timeoutMs, (answer) => {
      const outcome = outcomeOf(answer);
      if (outcome.kind === 'ok') {
        this.established = true;
        return this.tell({ event: 'call-accepted', callId, mcu });
      }
      this.forget();
      this.tell({ event: 'call-failed', callId, mcu, outcome });
    });
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
        return reply(200, [], inactiveAnswer(this.agent.localHost, request.body));
      case 'MESSAGE':
        reply(200);
        return this.tell({ event: 'text', mcu: this.mcu, from: request.from.uri.toRaw(), text: request.body });
      case 'ACK':
        return;
      case 'UPDATE':
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
    this.agent.unregister(this);
    this.over();
  }
}
