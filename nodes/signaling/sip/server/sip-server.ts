/**
 * A server for SIP clients on the loopback interface, before a conferencing system that speaks the language of signaling
 * ports: the embedded pool. It keeps dialogs and subscriptions, and leaves all else to the system behind it; so its faults
 * show on the wire.
 */
import type { Clock, SignalingPort } from '../../port';
import { faultOf } from '../inspection';
import {
  type IncomingRequestMessage,
  type IncomingResponseMessage,
  type LoggerFactory,
  loadSipLibrary,
  parseMessage,
  quietLoggers,
  type SipLibrary,
} from '../library';
import { Addresses, identityIn } from './addresses';
import type { Invitation } from './invitation';
import { type Link, Listeners } from './link';
import { type AnswerContent, type OutgoingRequest, writeAnswer, writeRequest } from './messages';
import { answerAs, requestTimeoutMs, type ServerHost, type ServerRequest, type ServerUsage } from './usage';
import { Visit } from './visit';

/** Clients with a place in the system behind the server, at the same time. */
const mostGuests = 1000;
/** Requests of ours that await an answer. */
const mostRequests = 10_000;

/** Where the server is, and how it is known. */
export interface SipServerOptions {
  /** Port of the loopback address 127.0.0.1, for TCP and UDP; 0 is one that is free. */
  port: number;
  /** Domain of the conferences that are called by their user part at the server's address. */
  domain: string;
  /** Who is somebody else already, and cannot come in as a client: the endpoint's own URI. */
  reserved: string;
}

/** Somebody who comes in over SIP. */
interface Guest {
  port: SignalingPort;
  visits: Map<string, Visit>;
}

/** Address of the server; nobody else's machine can reach it. */
const host = '127.0.0.1';

/** The server. */
export class SipServer implements ServerHost {
  addresses: Addresses;
  private library: SipLibrary | null = null;
  private loggers: LoggerFactory | null = null;
  private readonly listeners: Listeners;
  private readonly guests = new Map<string, Guest>();
  /** Usages by Call-ID and our tag. */
  private readonly usages = new Map<string, ServerUsage>();
  /** INVITEs without a final answer, by branch, for CANCEL. */
  private readonly invitations = new Map<string, Invitation>();
  /** Who waits for the answer to a request of ours, by branch. */
  private readonly answers = new Map<string, (status: number | null) => void>();
  /** Probes that the pool has not answered. */
  private inquiries = 0;
  private closed = false;

  /** `makePort` gives each client a port of their own. */
  constructor(
    private readonly options: SipServerOptions,
    readonly clock: Clock,
    private readonly makePort: (identity: { uri: string }) => SignalingPort,
  ) {
    this.addresses = new Addresses({ host, port: options.port }, options.domain);
    this.listeners = new Listeners(clock, (text, link) => this.receive(text, link));
  }

  /** Opens the sockets, and gives the port; rejects with a message for people. */
  async listen(): Promise<number> {
    await this.load();
    const { port: wanted, domain } = this.options;
    try {
      const port = await this.listeners.open(host, wanted);
      this.addresses = new Addresses({ host, port }, domain);
      return port;
    } catch (error) {
      await this.listeners.close();
      const { code, message } = error as NodeJS.ErrnoException;
      throw new Error(
        code === 'EADDRINUSE' ? `port ${wanted} is in use: choose another one for the SIP server` : message,
      );
    }
  }

  /** Gets the server ready for `receive`, without sockets. */
  async load(): Promise<void> {
    this.library = await loadSipLibrary();
    this.loggers = quietLoggers(this.library);
  }

  /** Says goodbye to all clients, and closes everything. */
  async close(): Promise<void> {
    if (this.closed) return;
    for (const { visits } of this.guests.values()) for (const visit of visits.values()) visit.close();
    this.closed = true;
    for (const { port } of this.guests.values()) await port.close();
    this.guests.clear();
    for (const answer of [...this.answers.values()]) answer(null);
    await this.listeners.close();
  }

  /** Takes a message of a client. Whatever it is, nothing is thrown: what cannot be read is dropped. */
  receive(text: string, link: Link): void {
    if (this.closed) return;
    try {
      const message = parseMessage(this.loaded(), this.loggers as LoggerFactory, text);
      if (message instanceof this.loaded().IncomingResponseMessage) this.receiveResponse(message);
      else if (message) this.receiveRequest(message, link);
    } catch {
      // The parser chokes on some of what it should refuse (RFC 4475).
    }
  }

  // --------------------------------------------------------------------------------------------------------- for usages

  register(usage: ServerUsage): void {
    this.usages.set(keyOf(usage.dialog.callId, usage.dialog.localTag), usage);
  }

  unregister(usage: ServerUsage): void {
    this.usages.delete(keyOf(usage.dialog.callId, usage.dialog.localTag));
  }

  send(link: Link, request: OutgoingRequest, done: (status: number | null) => void = () => {}): void {
    if (!link.open || this.closed || this.answers.size >= mostRequests) return done(null);
    const { text, branch } = writeRequest(request, link.protocol, this.addresses.authority);
    const answer = (status: number | null): void => {
      cancelTimer();
      if (this.answers.delete(branch)) done(status);
    };
    const cancelTimer = this.clock.after(requestTimeoutMs, () => answer(null));
    this.answers.set(branch, answer);
    link.send(text);
  }

  // ------------------------------------------------------------------------------------------------------------- inside

  private loaded(): SipLibrary {
    if (!this.library) throw new Error('sip.js is not loaded yet');
    return this.library;
  }

  private receiveResponse(response: IncomingResponseMessage): void {
    const status = response.statusCode ?? 0;
    if (status >= 200) this.answers.get(response.viaBranch)?.(status);
  }

  private receiveRequest(message: IncomingRequestMessage, link: Link): void {
    let over = false;
    const request: ServerRequest = {
      message,
      link,
      answer: (status, content) => {
        if (over || this.closed) return;
        over = status >= 200;
        if (over) this.invitations.delete(message.viaBranch);
        this.answer(request, status, content);
      },
    };
    const fault = message.method === 'ACK' ? undefined : faultOf(message, []);
    if (fault) return request.answer(fault.status, fault.headers ? { headers: fault.headers } : {});
    if (message.method === 'CANCEL') {
      const invitation = this.invitations.get(message.viaBranch);
      request.answer(invitation ? 200 : 481);
      return invitation?.cancel();
    }
    if (message.toTag) return this.receiveInDialog(request);
    switch (message.method) {
      case 'INVITE':
        return this.invite(request);
      case 'SUBSCRIBE':
        return this.subscribe(request);
      case 'OPTIONS':
        return this.probe(request);
      case 'ACK':
        return;
      default:
        request.answer(405);
    }
  }

  private receiveInDialog(request: ServerRequest): void {
    const { message } = request;
    const usage = this.usages.get(keyOf(message.callId, message.toTag ?? ''));
    if (!usage?.dialog.owns(message)) return message.method === 'ACK' ? undefined : request.answer(481);
    if (!usage.dialog.inOrder(message)) return message.method === 'ACK' ? undefined : request.answer(500);
    usage.dialog.learnFromRequest(message);
    usage.link = request.link;
    usage.receive(request);
  }

  private invite(request: ServerRequest): void {
    const { message } = request;
    const addressed = this.addresses.read(message.ruri as NonNullable<typeof message.ruri>);
    if (!addressed) return request.answer(404);
    if (!message.hasHeader('contact')) return request.answer(400);
    const { conference, mcu } = addressed;
    const visit = mcu === undefined ? this.visitOrNew(request, conference) : this.visit(request, conference);
    if (!visit) return request.answer(403);
    const invitation = mcu === undefined ? visit.join(request) : visit.call(mcu, request);
    this.invitations.set(message.viaBranch, invitation);
  }

  private subscribe(request: ServerRequest): void {
    const { message } = request;
    const event = message.getHeader('event')?.split(';')[0]?.trim().toLowerCase();
    if (event !== 'conference') return request.answer(489, { headers: ['Allow-Events: conference'] });
    const addressed = this.addresses.read(message.ruri as NonNullable<typeof message.ruri>);
    // The pool shows its rosters to those who take part.
    const visit = addressed && this.visit(request, addressed.conference);
    if (visit) visit.watch(request);
    else request.answer(403);
  }

  /** OPTIONS outside of a dialog: the server answers for itself, and the pool for its conferences. */
  private probe(request: ServerRequest): void {
    const { message } = request;
    const accept = (): void =>
      request.answer(200, { headers: ['Allow-Events: conference', 'Accept: application/sdp'] });
    const conference = this.addresses.read(message.ruri as NonNullable<typeof message.ruri>)?.conference;
    if (conference === undefined) return accept();
    if (this.inquiries >= mostGuests) return request.answer(503);
    this.inquiries += 1;
    const port = this.makePort({ uri: identityIn(message.from.uri) });
    port.attach(conference, (event) => {
      if (event.event !== 'outcome') return;
      this.inquiries -= 1;
      void port.close();
      answerAs(event.outcome, request, accept);
    });
    const requestId = message.callId;
    port.perform(conference, {
      effect: 'request',
      requestId,
      dialog: 0,
      purpose: 'probe',
      timeoutMs: requestTimeoutMs,
    });
  }

  private visit({ message }: ServerRequest, conference: string): Visit | undefined {
    return this.guests.get(identityIn(message.from.uri))?.visits.get(conference);
  }

  private visitOrNew(request: ServerRequest, conference: string): Visit | undefined {
    const known = this.visit(request, conference);
    if (known) return known;
    const uri = identityIn(request.message.from.uri);
    if (uri === this.options.reserved) return undefined;
    const guest = this.guests.get(uri) ?? { port: this.makePort({ uri }), visits: new Map<string, Visit>() };
    if (!this.guests.has(uri) && this.guests.size >= mostGuests) return undefined;
    this.guests.set(uri, guest);
    const { clock, addresses } = this;
    const visit = new Visit(
      {
        clock,
        addresses,
        register: (usage) => this.register(usage),
        unregister: (usage) => this.unregister(usage),
        send: (link, outgoing, done) => this.send(link, outgoing, done),
        perform: (each, effect) => guest.port.perform(each, effect),
        over: () => this.end(uri, conference),
      },
      conference,
    );
    guest.visits.set(conference, visit);
    guest.port.attach(conference, (event) => visit.hear(event));
    return visit;
  }

  private end(uri: string, conference: string): void {
    const guest = this.guests.get(uri);
    if (!guest?.visits.delete(conference)) return;
    guest.port.detach(conference);
    if (guest.visits.size > 0) return;
    this.guests.delete(uri);
    void guest.port.close();
  }

  private answer({ message, link }: ServerRequest, status: number, content?: AnswerContent): void {
    if (message.method !== 'ACK' && link.open) link.send(writeAnswer(this.loaded(), message, link, status, content));
  }
}

function keyOf(callId: string, localTag: string): string {
  return `${callId} ${localTag}`;
}
