/**
 * The user agent core (RFC 3261, 6): composes and sends requests, finds the owner of what comes in. It stands in the place
 * of the library's own core, which answers UPDATE with 405, a NOTIFY without Event with 489, and an unexpected
 * Request-URI with 404 before anybody else sees them.
 */
import type { Clock } from '../port';
import { Authenticator, type Credentials, copyAuthorization } from './authentication';
import { type Dialog, sessionRefreshing, targetRefreshing, termsOf } from './dialog';
import { type Answer, type Body, type Draft, Exchange, type ExchangeHost } from './exchange';
import { type Flow, FlowError, type FlowListener } from './flow/flow';
import { faultOf } from './inspection';
import {
  type ClientTransaction,
  type IncomingRequestMessage,
  type IncomingResponseMessage,
  type LoggerFactory,
  loadSipLibrary,
  type OutgoingRequestMessage,
  parseMessage,
  quietLoggers,
  type SipLibrary,
  type Transport,
  token,
  type URI,
} from './library';
import { meaningOf, retryAfterIn } from './outcome';
import { repetitionDelay } from './repetition';
import { FlowTransport } from './transport';

/** Methods that we answer. Without UPDATE in it, nobody sends us one (RFC 3311, 4). */
const allow = 'Allow: INVITE, ACK, CANCEL, BYE, UPDATE, INFO, OPTIONS, NOTIFY, MESSAGE';
/** Opt-in to route recovery: without it a stale route is answered 481, and the dialog is lost (MS-SIPRE, 3.7). */
const supported = ['ms-dialog-route-set-update'];
/** What others may require of us. Session timers are offered where there is a session. */
const understood = [...supported, 'timer'];
const userAgentName = 'conference-recovery';
/** Methods that make sense only in a dialog. */
const withinDialogs: ReadonlySet<string> = new Set(['ACK', 'BYE', 'UPDATE', 'INFO', 'PRACK', 'NOTIFY', 'BENOTIFY']);
/** Methods that others may be asked for; any other one is unknown to us (RFC 3261, 21.4.6 and 21.5.2). */
const outsideDialogs: ReadonlySet<string> = new Set(['MESSAGE', 'REGISTER', 'PUBLISH', 'REFER', 'SUBSCRIBE']);
/** How long a BYE or an unsubscription may hold up `close`, in ms. */
const farewellMs = 500;
/** For how long `close` goes on to write and read them: each takes about 1 ms, and there may be thousands. */
const farewellWorkMs = 300;
/** Parsed URIs that are kept: parsing is most of the cost of a request, and a dialog's URIs hardly ever change. */
const mostUris = 10_000;

/** Answers the request being received. */
export type Reply = (status: number, headers?: string[], body?: Body) => void;

/** Who owns a dialog: gets the requests that arrive in it (RFC 5057, dialog usages). */
export interface Usage {
  readonly dialog: Dialog;
  receive(request: IncomingRequestMessage, reply: Reply): void;
}

/** Who listens to a user agent. */
export interface UserAgentListener {
  up(): void;
  down(message: string): void;
  wanted(): boolean;
}

/** One user agent on one flow. */
export class UserAgent implements ExchangeHost {
  private readonly flow: Flow;
  private library: SipLibrary | null = null;
  private loggers: LoggerFactory | null = null;
  private readonly transport: Transport;
  private authenticator: Authenticator | null = null;
  private readonly uris = new Map<string, URI>();
  private readonly usages = new Map<string, Usage>();
  /** Exchanges whose answer somebody waits for. */
  private readonly exchanges = new Set<Exchange>();
  /** Exchanges with a living transaction, by branch and method (RFC 3261, 17.1.3). */
  private readonly transactions = new Map<string, Exchange>();
  private onIdle: (() => void) | null = null;
  /** Set by `close`: until when messages are still written and read. */
  private closingAt: number | null = null;

  constructor(
    /** Who we are: the URI in From. */
    private readonly uri: string,
    makeFlow: (listener: FlowListener) => Flow,
    readonly clock: Clock,
    private readonly listener: UserAgentListener,
    private readonly credentials: Credentials | null = null,
    /** Values of Route for requests outside of a dialog. */
    private readonly preloadedRoute: readonly string[] = [],
    /** Uniform in [0, 1): so that two who have collided do not do so again. */
    private readonly random: () => number = Math.random,
  ) {
    this.flow = makeFlow({
      up: () => this.listener.up(),
      down: (message) => this.lost(message),
      message: (text) => this.receive(text),
      wanted: () => this.listener.wanted(),
    });
    this.transport = new FlowTransport(this.flow);
  }

  /** Host of our end, for session descriptions. */
  get localHost(): string {
    return this.flow.local?.host ?? '127.0.0.1';
  }

  /** Sends a request, in its dialog. `settled` is called exactly once, never before `send` has returned. */
  send(dialog: Dialog, draft: Draft, timeoutMs: number, settled: (answer: Answer) => void): Exchange {
    const exchange = new Exchange(this, dialog, draft, timeoutMs, settled);
    this.exchanges.add(exchange);
    return exchange;
  }

  /** From now on requests in this dialog go to its usage. */
  register(usage: Usage): void {
    this.usages.set(usage.dialog.callId, usage);
  }

  /** From now on requests in this dialog are answered 481. */
  unregister(usage: Usage): void {
    if (this.usages.get(usage.dialog.callId) === usage) this.usages.delete(usage.dialog.callId);
  }

  /** Closes the connection at once: nothing is said to anybody, and what waits for an answer fails. */
  release(): void {
    this.closingAt ??= this.clock.now();
    this.flow.close();
    for (const exchange of [...this.exchanges, ...this.transactions.values()]) {
      // It need not have been written. But who was told so might repeat what was on its way to be.
      exchange.fail('transport', 'the port was released', true);
    }
  }

  /** Waits a moment for what is still under way, then closes the connection. */
  async close(): Promise<void> {
    if (this.closingAt !== null) return;
    this.closingAt = this.clock.now() + farewellWorkMs;
    if (this.flow.local && this.exchanges.size > 0) {
      await new Promise<void>((resolve) => {
        const cancel = this.clock.after(farewellMs, resolve);
        this.onIdle = () => {
          cancel();
          resolve();
        };
      });
    }
    this.flow.close();
    for (const exchange of [...this.exchanges, ...this.transactions.values()]) {
      exchange.fail('transport', 'the port was closed');
    }
  }

  // ------------------------------------------------------------------------------------------------- for exchanges

  whenReady(done: (error?: FlowError) => void): void {
    const whenLoaded = (): void => {
      if (this.tooLate || (this.closingAt !== null && !this.flow.local))
        done(new FlowError('the port is closed', false));
      else this.flow.whenUp(done);
    };
    if (this.library) {
      // Callers expect no answer before they know what they have asked.
      queueMicrotask(whenLoaded);
      return;
    }
    loadSipLibrary().then(
      (library) => {
        this.loggers ??= quietLoggers(library);
        if (this.credentials) this.authenticator = new Authenticator(library, this.loggers, this.credentials);
        this.library = library;
        whenLoaded();
      },
      (error: unknown) => done(new FlowError(`sip.js could not be loaded: ${String(error)}`, false)),
    );
  }

  compose(dialog: Dialog, draft: Draft, sequence: number): OutgoingRequestMessage {
    const inDialog = dialog.remoteTag !== undefined;
    const session = sessionRefreshing.has(draft.method) ? dialog.session : null;
    const headers = [...(draft.headers ?? []), ...(session?.proposal ?? [])];
    if (targetRefreshing.has(draft.method)) headers.unshift(this.contact(), allow);
    const body = typeof draft.body === 'function' ? draft.body(this.localHost) : draft.body;
    const learned = draft.withoutRoute ? [] : dialog.routeSet;
    const routeSet = inDialog ? learned : [...this.preloadedRoute];
    const optionTags = session ? understood : supported;
    const message = this.message(dialog, draft.method, sequence, { headers, body, routeSet, optionTags });
    this.authenticator?.authorize(message, body?.content, dialog.authorizations);
    return message;
  }

  again({ dialog, draft, answered }: Exchange, response: IncomingResponseMessage): number | null {
    switch (meaningOf(response.statusCode, draft.method).needs) {
      case 'credentials':
        return this.authenticator?.accept(response, dialog.authorizations, answered) ? 0 : null;
      case 'interval':
        return dialog.session?.raise(response.getHeader('min-se')) ? 0 : null;
      case 'patience':
        return dialog.remoteTag === undefined ? null : repetitionDelay(draft.method, response, this.random());
      default:
        return null;
    }
  }

  start(exchange: Exchange, message: OutgoingRequestMessage): ClientTransaction {
    const { NonInviteClientTransaction, InviteClientTransaction, TransactionState } = this.loaded();
    const Transaction = message.method === 'INVITE' ? InviteClientTransaction : NonInviteClientTransaction;
    const transaction = new Transaction(message, this.transport, {
      loggerFactory: this.loggers as LoggerFactory,
      receiveResponse: (response) => exchange.receive(response),
      onRequestTimeout: () => exchange.fail('timeout', `no answer to ${message.method} within 32 s (RFC 3261, 17.1)`),
      onTransportError: (error) => exchange.fail('transport', error.message),
      onStateChange: (state) => {
        if (state === TransactionState.Terminated && exchange.transaction === transaction) exchange.end();
      },
    });
    this.transactions.set(transaction.id + message.method, exchange);
    return transaction;
  }

  cancel(invitation: OutgoingRequestMessage, dialog: Dialog): void {
    const cancel = this.message(dialog, 'CANCEL', invitation.cseq, { routeSet: invitation.getHeaders('route') });
    cancel.setViaHeader(invitation.branch ?? token(), this.flow.protocol);
    // Nobody waits for its answer: what counts is the final answer of the INVITE.
    this.write(cancel.toString());
  }

  acknowledge(exchange: Exchange, response: IncomingResponseMessage, dialog: Dialog): void {
    const { transaction } = exchange;
    if (!(transaction instanceof this.loaded().InviteClientTransaction)) return;
    const ack = this.message(dialog, 'ACK', response.cseq, { routeSet: dialog.routeSet });
    copyAuthorization(transaction.request, ack);
    transaction.ackResponse(ack);
  }

  hangUp(exchange: Exchange, response: IncomingResponseMessage): void {
    const unwanted = exchange.dialog.branchOff();
    unwanted.learnFromAnswer(response, false);
    this.acknowledge(exchange, response, unwanted);
    this.send(unwanted, { method: 'BYE' }, farewellMs * 4, () => {});
  }

  moveOn(failure: IncomingResponseMessage | string): boolean {
    if (typeof failure === 'string') return this.flow.moveOn(failure);
    const message = `it answered ${failure.statusCode} ${failure.reasonPhrase}`;
    return this.flow.moveOn(message, retryAfterIn(failure.getHeader('retry-after') ?? ''));
  }

  settled(exchange: Exchange): void {
    this.exchanges.delete(exchange);
    if (this.exchanges.size === 0) this.onIdle?.();
  }

  forget(exchange: Exchange): void {
    const { transaction } = exchange;
    if (!transaction) return;
    this.transactions.delete(transaction.id + transaction.request.method);
    transaction.dispose();
  }

  // -------------------------------------------------------------------------------------------------------- inside

  private message(
    dialog: Dialog,
    method: string,
    cseq: number,
    parts: { headers?: string[]; body?: Body | undefined; routeSet: string[]; optionTags?: string[] },
  ): OutgoingRequestMessage {
    const { OutgoingRequestMessage } = this.loaded();
    const body = parts.body && { contentDisposition: '', ...parts.body };
    return new OutgoingRequestMessage(
      method,
      this.parseUri(dialog.remoteTarget),
      this.parseUri(this.uri),
      this.parseUri(dialog.remoteUri),
      {
        callId: dialog.callId,
        cseq,
        fromTag: dialog.localTag,
        fromDisplayName: quotable(dialog.displayName),
        // A CANCEL and the ACK of a dialog that is being made repeat the To of the INVITE.
        ...(dialog.remoteTag !== undefined ? { toTag: dialog.remoteTag } : {}),
        routeSet: parts.routeSet,
        viaHost: this.address(),
        forceRport: true,
        optionTags: parts.optionTags ?? supported,
        userAgentString: userAgentName,
      },
      parts.headers,
      body,
    );
  }

  private address(): string {
    const { host, port } = this.flow.local ?? { host: '127.0.0.1', port: 0 };
    return `${host.includes(':') ? `[${host}]` : host}:${port}`;
  }

  /** Our Contact: the end of the flow that is up now. */
  private contact(): string {
    const user = /^sips?:([^@;?]+)@/i.exec(this.uri)?.[1];
    // In a URI both kinds of WebSocket have one name (RFC 7118, 5.2).
    const transport = this.flow.protocol.toLowerCase().replace('wss', 'ws');
    return `Contact: <sip:${user === undefined ? '' : `${user}@`}${this.address()};transport=${transport}>`;
  }

  private parseUri(text: string): URI {
    const uri = this.uris.get(text) ?? this.loaded().Grammar.URIParse(text);
    if (!uri) throw new Error(`"${text}" is not a SIP URI`);
    if (this.uris.size >= mostUris) this.uris.clear();
    this.uris.set(text, uri);
    return uri;
  }

  private loaded(): SipLibrary {
    if (!this.library) throw new Error('sip.js is not loaded yet');
    return this.library;
  }

  private lost(message: string): void {
    for (const exchange of [...this.transactions.values()]) exchange.fail('transport', message);
    this.listener.down(message);
  }

  private get tooLate(): boolean {
    return this.closingAt !== null && this.clock.now() > this.closingAt;
  }

  private receive(text: string): void {
    if (this.tooLate) return;
    try {
      const message = parseMessage(this.loaded(), this.loggers as LoggerFactory, text);
      if (message instanceof this.loaded().IncomingResponseMessage) this.receiveResponse(message);
      else if (message) this.receiveRequest(message);
    } catch {
      // Whatever a peer sends must not be able to stop us: what the parser chokes on is dropped (RFC 3261, 16.3; RFC 4475).
    }
  }

  private receiveResponse(response: IncomingResponseMessage): void {
    if (response.getHeaders('via').length > 1) return;
    const exchange = this.transactions.get(response.viaBranch + response.method);
    // The transaction would take the 408 of a server for its own time-out, and say nothing of the answer.
    if (response.statusCode === 408 && response.method !== 'INVITE') exchange?.receive(response);
    else exchange?.transaction?.receiveResponse(response);
  }

  private receiveRequest(request: IncomingRequestMessage): void {
    const reply: Reply = (status, headers = [], body) => this.reply(request, status, headers, body);
    // ACK ends an exchange, and BENOTIFY asks for no answer (MS-SIP, BENOTIFY).
    const silent: Reply = () => {};
    const answer = request.method === 'ACK' || request.method === 'BENOTIFY' ? silent : reply;
    const fault = faultOf(request, understood);
    if (fault) return answer(fault.status, fault.headers);
    // What could be cancelled has been answered by then (RFC 3261, 9.2).
    if (request.method === 'CANCEL') return answer(481);
    const usage = this.usages.get(request.callId);
    if (usage?.dialog.owns(request)) {
      if (!usage.dialog.inOrder(request)) return answer(500);
      return this.receiveInDialog(usage, request, answer);
    }
    if (request.method === 'OPTIONS' && !request.toTag) return answer(200);
    if (request.toTag || withinDialogs.has(request.method)) return answer(481);
    // Nobody calls a participant: calls are placed by us.
    if (request.method === 'INVITE') return answer(480);
    answer(outsideDialogs.has(request.method) ? 405 : 501);
  }

  private receiveInDialog(usage: Usage, request: IncomingRequestMessage, answer: Reply): void {
    const { dialog } = usage;
    if (request.method === 'ACK') dialog.negotiation.acknowledged();
    if (!sessionRefreshing.has(request.method)) {
      dialog.learnFromRequest(request);
      return usage.receive(request, answer);
    }
    const proposal = { method: request.method, offers: request.body !== '' && request.body !== undefined };
    const refusal = dialog.negotiation.refusalOf(proposal, this.clock.now());
    if (refusal === 491) return answer(491);
    if (refusal === 500) return answer(500, [`Retry-After: ${Math.floor(this.random() * 11)}`]);
    const tooShort = dialog.session?.refusalOf(termsOf(request));
    if (tooShort) return answer(422, tooShort);
    dialog.negotiation.received(proposal);
    dialog.learnFromRequest(request);
    usage.receive(request, (status, headers = [], body) => {
      dialog.negotiation.answered(proposal, status, this.clock.now());
      const terms = status < 300 ? (dialog.session?.accept(termsOf(request)) ?? []) : [];
      answer(status, [...headers, ...terms], body);
    });
  }

  private reply(request: IncomingRequestMessage, status: number, headers: string[], body: Body | undefined): void {
    const extraHeaders = [...headers, allow];
    if (status < 300) {
      extraHeaders.unshift(...request.getHeaders('record-route').map((route) => `Record-Route: ${route}`));
      if (targetRefreshing.has(request.method)) extraHeaders.push(this.contact());
    }
    const { message } = this.loaded().constructOutgoingResponse(request, {
      statusCode: status,
      toTag: token(),
      userAgent: userAgentName,
      extraHeaders,
      ...(body ? { body: { contentDisposition: '', ...body } } : {}),
    });
    this.write(message);
  }

  private write(message: string): void {
    this.flow.send(message).catch(() => {
      // The connection is down: who waits for this will hear of that, or ask again.
    });
  }
}

/** A display name as it may stand between quotes (RFC 3261, 25.1, quoted-string); control characters become spaces. */
function quotable(name: string): string {
  const printable = [...name].map((character) => (character < ' ' || character === '\u007f' ? ' ' : character));
  return printable.join('').replace(/["\\]/g, '\\$&');
}
