/**
 * One request of ours and its one answer, with our own patience: a client transaction of the library (RFC 3261, 17.1), or
 * several where the answer only says how or when to ask again.
 */
import type { Clock } from '../port';
import { type Dialog, sessionRefreshing } from './dialog';
import type { FlowError } from './flow/flow';
import type { ClientTransaction, IncomingResponseMessage, OutgoingRequestMessage } from './library';
import type { Change } from './negotiation';

/** How a request ended, before anybody says what that means (see `outcome.ts`). */
export type Answer =
  | { kind: 'response'; response: IncomingResponseMessage }
  /** Not sent: too many of the kind wait for their turn in the dialog. */
  | { kind: 'crowded' }
  | { kind: 'unreachable'; cause: 'timeout' | 'transport' | 'tls' | 'malformed'; written: boolean; message: string };

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
  compose(dialog: Dialog, draft: Draft, sequence: number): OutgoingRequestMessage;
  /** Sends a request in a client transaction, whose responses go to `Exchange.receive`. */
  start(exchange: Exchange, message: OutgoingRequestMessage): ClientTransaction;
  /** Whether a refused request is to be sent again, and when: the delay in ms, or null where the refusal stands. */
  again(exchange: Exchange, response: IncomingResponseMessage): number | null;
  cancel(invitation: OutgoingRequestMessage, dialog: Dialog): void;
  acknowledge(exchange: Exchange, response: IncomingResponseMessage, dialog: Dialog): void;
  /** Ends a dialog that nobody waits for any more: ACK, then BYE (RFC 3261, 13.2.2.4). */
  hangUp(exchange: Exchange, response: IncomingResponseMessage): void;
  /**
   * The target has failed: by its answer (503), or because it could not be reached. Whether requests can go to another one
   * from now on.
   */
  moveOn(failure: IncomingResponseMessage | string): boolean;
  /** Nobody waits for this exchange any more, though its transaction may live on. */
  settled(exchange: Exchange): void;
  /** The exchange's transaction is over. */
  forget(exchange: Exchange): void;
}

/** How long a cancelled INVITE is waited for (RFC 3261, 9.1: 64·T1), in ms. */
const cancelledAfterMs = 32_000;
/** So often one request may be sent again on advice of those who refuse it, whatever they say. */
const mostRepetitions = 16;
/** What may go to the next target as well: twice does no more than once, and what failed has done nothing (RFC 3263, 4.3). */
const movable: ReadonlySet<string> = new Set(['INVITE', 'SUBSCRIBE', 'OPTIONS']);

/** Settles exactly once: with the final response, with the reason why none came, or at its time-out. */
export class Exchange implements Change {
  transaction: ClientTransaction | null = null;
  /** Challenges answered, by who asked. */
  readonly answered = new Map<string, number>();
  /** The request went to the connection; before that nothing can have happened. */
  written = false;
  private settled: ((answer: Answer) => void) | null;
  private cancelTimer: () => void;
  private cancelRepetition: () => void = () => {};
  /** CSeq number of the request that is under way. */
  private sequence: number | null = null;
  private readonly deadline: number;
  private repetitions = 0;
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
    this.deadline = host.clock.now() + timeoutMs;
    this.queue();
  }

  get offers(): boolean {
    return this.draft.method === 'INVITE';
  }

  /** Nobody wants the answer any more. An INVITE is cancelled, or hung up on if it succeeds all the same. */
  abandon(): void {
    if (!this.settled) return;
    this.settled = null;
    this.leave();
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
    const again =
      status >= 300 && this.settled && this.repetitions < mostRepetitions ? this.host.again(this, response) : null;
    if (again !== null && this.host.clock.now() + again < this.deadline) {
      this.sequence = null;
      this.repetitions += 1;
      return this.repeat(again);
    }
    if (status === 503 && this.movable) {
      // What is still under way when the target is left fails with it.
      this.host.forget(this);
      if (this.host.moveOn(response)) return this.repeat(0);
    }
    if (invite && status < 300) this.accept(response);
    else {
      if (status < 300) this.dialog.learnFromAnswer(response, this.draft.withoutRoute ?? false);
      this.settle({ kind: 'response', response });
    }
    if (!invite || status >= 300) this.end();
    // In a dialog it is for recovery to say what follows; but what is sent next goes elsewhere.
    if (status === 503) this.host.moveOn(response);
  }

  /** No answer can come. */
  fail(cause: 'timeout' | 'transport' | 'tls', message: string, written = this.written): void {
    if (cause === 'transport' && this.transaction && this.movable && this.host.moveOn(message)) return this.repeat(0);
    this.end();
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
    if (error) return this.fail(error.reason, error.message, this.written);
    try {
      this.sequence ??= this.dialog.nextSequence();
      this.transaction = this.host.start(this, this.host.compose(this.dialog, this.draft, this.sequence));
      this.written = true;
    } catch (failure) {
      this.end();
      const message = failure instanceof Error ? failure.message : String(failure);
      this.settle({ kind: 'unreachable', cause: 'malformed', written: false, message });
    }
  }

  /** Whether the request may go to another target (RFC 3263, 4.3): not in a dialog, where it could be carried out twice. */
  private get movable(): boolean {
    return this.settled !== null && this.dialog.remoteTag === undefined && movable.has(this.draft.method);
  }

  /**
   * The same request in a new transaction: to another target with the same CSeq (RFC 3263, 4.3), else with the next one
   * (RFC 3261, 8.1.3.5).
   */
  private repeat(delayMs: number): void {
    this.host.forget(this);
    this.transaction = null;
    this.provisional = false;
    if (delayMs === 0) return this.whenReady();
    // Meanwhile it is the far end's turn, too: its offer may be what ours has met.
    this.leave();
    this.cancelRepetition = this.host.clock.after(delayMs, () => this.queue());
  }

  /** What changes the session waits for its turn in the dialog (RFC 3261, 14.1; RFC 3311, 5.1). */
  private queue(): void {
    if (!sessionRefreshing.has(this.draft.method)) return this.whenReady();
    if (this.dialog.negotiation.enter(this, () => this.whenReady())) return;
    // Nobody expects an answer before it knows what it has asked.
    queueMicrotask(() => this.settle({ kind: 'crowded' }));
  }

  private leave(): void {
    this.dialog.negotiation.leave(this);
  }

  private whenReady(): void {
    this.host.whenReady((error) => this.begin(error));
  }

  private expire(timeoutMs: number): void {
    const message = `no answer to ${this.draft.method} within ${timeoutMs} ms`;
    this.settle({ kind: 'unreachable', cause: 'timeout', written: this.written, message });
    this.giveUp();
  }

  private giveUp(): void {
    this.cancelTimer();
    if (this.draft.method !== 'INVITE' || !this.transaction) return this.end();
    this.givenUp = true;
    // A request that has had no response yet must not be cancelled: that waits for the first one (RFC 3261, 9.1).
    if (this.provisional) this.host.cancel(this.transaction.request, this.dialog);
    this.cancelTimer = this.host.clock.after(cancelledAfterMs, () => this.end());
  }

  private settle(answer: Answer): void {
    const { settled } = this;
    if (!settled) return;
    this.settled = null;
    this.cancelTimer();
    this.leave();
    this.host.settled(this);
    settled(answer);
  }

  /** It is over: neither timer nor transaction of it is left. */
  end(): void {
    this.cancelTimer();
    this.cancelRepetition();
    this.host.forget(this);
  }
}
