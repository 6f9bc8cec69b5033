/** One request of ours and its one answer: a client transaction of the library (RFC 3261, 17.1) with our own patience. */
import type { Clock } from '../port';
import type { Dialog } from './dialog';
import type { FlowError } from './flow';
import type { ClientTransaction, IncomingResponseMessage, OutgoingRequestMessage } from './library';

/** How a request ended, before anybody says what that means (see `outcome.ts`). */
export type Answer =
  | { kind: 'response'; response: IncomingResponseMessage }
  | { kind: 'unreachable'; cause: 'timeout' | 'transport' | 'malformed'; written: boolean; message: string };

/** Body of a message. */
export interface Body {
  contentType: string;
  content: string;
}

/** What to send. */
export interface Draft {
  method: 'INVITE' | 'UPDATE' | 'OPTIONS' | 'INFO' | 'MESSAGE' | 'SUBSCRIBE' | 'REFER' | 'BYE';
  headers?: string[];
  /** A function where the body depends on our end of the connection, which may not be up yet. */
  body?: Body | ((localHost: string) => Body);
  /** Leave the route set out, and adopt the one that the answer brings (MS-SIPRE, 3.7). */
  withoutRoute?: boolean;
}

/** What an exchange needs of its user agent. */
export interface ExchangeHost {
  readonly clock: Clock;
  /** Calls back when requests can be sent. */
  whenReady(done: (error?: FlowError) => void): void;
  compose(dialog: Dialog, draft: Draft): OutgoingRequestMessage;
  /** Sends a request in a client transaction, whose responses go to `Exchange.receive`. */
  start(exchange: Exchange, message: OutgoingRequestMessage): ClientTransaction;
  cancel(invitation: OutgoingRequestMessage, dialog: Dialog): void;
  acknowledge(exchange: Exchange, response: IncomingResponseMessage, dialog: Dialog): void;
  /** Ends a dialog that nobody waits for any more: ACK, then BYE (RFC 3261, 13.2.2.4). */
  hangUp(exchange: Exchange, response: IncomingResponseMessage): void;
  /** Nobody waits for this exchange any more, though its transaction may live on. */
  settled(exchange: Exchange): void;
  /** The exchange and its transaction are over. */
  forget(exchange: Exchange): void;
}

/** How long a cancelled INVITE is waited for (RFC 3261, 9.1: 64·T1), in ms. */
const cancelledAfterMs = 32_000;

/** Settles exactly once: with the final response, with the reason why none came, or at its time-out. */
export class Exchange {
  transaction: ClientTransaction | null = null;
  private settled: ((answer: Answer) => void) | null;
  private cancelTimer: () => void;
  private provisional = false;
  private givenUp = false;

  constructor(
    private readonly host: ExchangeHost,
    readonly dialog: Dialog,
    readonly draft: Draft,
    timeoutMs: number,
    settled: (answer: Answer) => void,
  ) {
    this.settled = settled;
    this.cancelTimer = host.clock.after(timeoutMs, () => this.expire(timeoutMs));
    host.whenReady((error) => this.begin(error));
  }

  /** The request went to the connection; before that nothing can have happened. */
  get written(): boolean {
    return this.transaction !== null;
  }

  /** Nobody wants the answer any more. An INVITE is cancelled, or hung up on if it succeeds all the same. */
  abandon(): void {
    if (!this.settled) return;
    this.settled = null;
    this.host.settled(this);
    this.giveUp();
  }

  receive(response: IncomingResponseMessage): void {
    const status = response.statusCode ?? 0;
    const invite = this.draft.method === 'INVITE';
    if (status < 200) {
      this.provisional = true;
      if (this.givenUp && this.transaction) this.host.cancel(this.transaction.request, this.dialog);
      return;
    }
    if (invite && status < 300) this.accept(response);
    else {
      if (status < 300) this.dialog.learnFromAnswer(response, this.draft.withoutRoute ?? false);
      this.settle({ kind: 'response', response });
    }
    if (!invite || status >= 300) this.host.forget(this);
  }

  /** No answer can come. */
  fail(cause: 'timeout' | 'transport', message: string, written = this.written): void {
    this.host.forget(this);
    this.settle({ kind: 'unreachable', cause, written, message });
  }

  private accept(response: IncomingResponseMessage): void {
    const answersAnother = this.dialog.remoteTag !== undefined && this.dialog.remoteTag !== response.toTag;
    if (!this.settled || answersAnother) {
      // A re-INVITE that was answered late is still the answer of a living dialog; a first INVITE has made an unwanted one.
      if (answersAnother || this.dialog.remoteTag === undefined) this.host.hangUp(this, response);
      else this.host.acknowledge(this, response, this.dialog);
      return;
    }
    this.dialog.learnFromAnswer(response, this.draft.withoutRoute ?? false);
    this.host.acknowledge(this, response, this.dialog);
    this.settle({ kind: 'response', response });
  }

  private begin(error?: FlowError): void {
    if (!this.settled) return;
    if (error) return this.fail('transport', error.message, false);
    try {
      this.transaction = this.host.start(this, this.host.compose(this.dialog, this.draft));
    } catch (failure) {
      this.host.forget(this);
      const message = failure instanceof Error ? failure.message : String(failure);
      this.settle({ kind: 'unreachable', cause: 'malformed', written: false, message });
    }
  }

  private expire(timeoutMs: number): void {
    const message = `no answer to ${this.draft.method} within ${timeoutMs} ms`;
    this.settle({ kind: 'unreachable', cause: 'timeout', written: this.written, message });
    this.giveUp();
  }

  private giveUp(): void {
    this.cancelTimer();
    if (this.draft.method !== 'INVITE' || !this.transaction) return this.host.forget(this);
    this.givenUp = true;
    // A request that has had no response yet must not be cancelled: that waits for the first one (RFC 3261, 9.1).
    if (this.provisional) this.host.cancel(this.transaction.request, this.dialog);
    this.cancelTimer = this.host.clock.after(cancelledAfterMs, () => this.host.forget(this));
  }

  private settle(answer: Answer): void {
    const { settled } = this;
    if (!settled) return;
    this.settled = null;
    this.cancelTimer();
    this.host.settled(this);
    settled(answer);
  }

  /** Called when the exchange is over: no timer of it is left. */
  dispose(): void {
    this.cancelTimer();
    this.transaction?.dispose();
  }
}
