/** An INVITE dialog that a client has made, with the Focus or with an MCU. */
import type { Outcome } from '../../../recovery/signaling';
import { Dialog } from '../dialog';
import { SessionDescription } from '../session-description';
import type { Link } from './link';
import { answerAs, requestTimeoutMs, type ServerHost, type ServerRequest, type ServerUsage } from './usage';

/** What stands behind the dialog. */
export interface Callee {
  /** The client says that it leaves; `done` when that is through. */
  leave(done: () => void): void;
  /** A request in the dialog other than BYE; `accept` is what to do with one that heals, or tries, the route. */
  request(request: ServerRequest, accept: () => void): void;
}

/** One dialog, from its INVITE to its BYE. */
export class Invitation implements ServerUsage {
  readonly dialog: Dialog;
  link: Link;
  private readonly localUri: string;
  private readonly description = new SessionDescription();
  private state: 'ringing' | 'accepted' | 'over' = 'ringing';
  private cancelTimer: () => void = () => {};

  constructor(
    private readonly host: ServerHost,
    private readonly callee: Callee,
    private readonly contact: string,
    private readonly invite: ServerRequest,
  ) {
    this.dialog = Dialog.answering(invite.message);
    this.localUri = invite.message.to.uri.toRaw();
    this.link = invite.link;
    host.register(this);
    invite.answer(100);
  }

  /** The client waits to be let in (RFC 3261, 21.1.5). */
  queue(): void {
    this.invite.answer(182, { toTag: this.dialog.localTag });
  }

  /** Accepts. Whoever does not acknowledge that is not there (RFC 3261, 13.3.1.4). */
  accept(): void {
    if (this.state !== 'ringing') return;
    this.state = 'accepted';
    this.acceptRequest(this.invite);
    this.cancelTimer = this.host.clock.after(requestTimeoutMs, () => {
      this.bye();
      this.callee.leave(() => {});
    });
  }

  /** Refuses, or says nothing, as the pool has. */
  refuse(outcome: Outcome): void {
    this.drop();
    answerAs(outcome, this.invite, () => {});
  }

  /** The client calls the INVITE off (RFC 3261, 9.2). */
  cancel(): void {
    if (this.state !== 'ringing') return;
    this.drop();
    this.invite.answer(487);
    this.callee.leave(() => {});
  }

  receive(request: ServerRequest): void {
    switch (request.message.method) {
      case 'ACK':
        return this.cancelTimer();
      case 'BYE':
        this.drop();
        return this.callee.leave(() => request.answer(200));
      case 'SUBSCRIBE':
        return request.answer(405);
      default:
        this.callee.request(request, () => this.acceptRequest(request));
    }
  }

  /** Says BYE, if there is a dialog to end. */
  bye(): void {
    const { dialog, localUri, contact } = this;
    if (this.state === 'accepted') this.host.send(this.link, { method: 'BYE', dialog, localUri, contact });
    if (this.state === 'ringing') this.invite.answer(480);
    this.drop();
  }

  /** Requests in it are answered 481 from now on. */
  drop(): void {
    this.state = 'over';
    this.cancelTimer();
    this.host.unregister(this);
  }

  private acceptRequest(request: ServerRequest): void {
    const { method, body } = request.message;
    const offers = method === 'INVITE' || (method === 'UPDATE' && body !== '');
    request.answer(200, {
      headers: [`Contact: <${this.contact}>;isfocus`],
      toTag: this.dialog.localTag,
      body: offers ? this.description.answer(this.host.addresses.host, body) : undefined,
    });
  }
}
