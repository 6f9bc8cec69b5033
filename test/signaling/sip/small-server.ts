/** The far end of a flow, no more: takes messages and writes them, over any transport. */
import { createSocket, type RemoteInfo } from 'node:dgram';
import { createServer as createHttp } from 'node:http';
import { createServer as createHttps } from 'node:https';
import { type AddressInfo, createServer as createTcp, type Server, type Socket } from 'node:net';
import { createServer as createTls, type TLSSocket } from 'node:tls';
import { type WebSocket, WebSocketServer } from 'ws';
import { Framer } from '../../../nodes/signaling/sip/flow/framing';
import type { TransportName } from '../../../nodes/signaling/sip/flow/targets';
import type { Certified } from '../../support/certificates';

/** What differs from one server to the other. */
export interface SmallServerOptions {
  certified?: Certified;
  /** Clients must have a certificate of this authority (PEM). */
  clientAuthority?: string;
  host?: string;
  port?: number;
  /** Subprotocols of WebSocket that it knows. */
  subprotocol?: string;
}

/** One header of a message. */
export const header = (text: string, name: string): string =>
  new RegExp(`^${name}: *(.*?) *$`, 'im').exec(text.slice(0, text.indexOf('\r\n\r\n')))?.[1] ?? '';
/** The branch of the topmost Via. */
export const branchOf = (text: string): string => /branch=([^;\s]+)/.exec(header(text, 'Via'))?.[1] ?? '';
/** The method of a request. */
export const methodOf = (text: string): string => text.slice(0, text.indexOf(' '));

/** The answer of a Focus to a request; to ACK there is none. */
export function answer(request: string, status = '200 OK', headers: string[] = []): string | undefined {
  if (/^(ACK|SIP\/2\.0) /.test(request)) return undefined;
  const to = header(request, 'To');
  const lines = [
    `SIP/2.0 ${status}`,
    ...['Via', 'From', 'Call-ID', 'CSeq'].map((name) => `${name}: ${header(request, name)}`),
    `To: ${to}${to.includes('tag=') ? '' : ';tag=focus'}`,
    'Contact: <sip:room@example.com>;isfocus',
    ...headers,
    'Content-Length: 0',
  ];
  return `${lines.join('\r\n')}\r\n\r\n`;
}

/** One server on the loopback interface. */
export class SmallServer {
  port = 0;
  /** Messages, in order. */
  readonly received: string[] = [];
  /** Connections that were made, with what was asked for. */
  readonly connections: { serverName?: string; path?: string; subprotocol?: string }[] = [];
  /** What was written to ask for a sign of life. */
  pings = 0;
  /** What was written to give one. */
  pongs = 0;
  /** Reads and answers nothing. */
  hung = false;
  /** Answers each message. */
  answer: (text: string) => string | undefined = () => undefined;
  private readonly sockets = new Set<Socket>();
  private write: (text: string) => void = () => {};
  private stopListening: () => Promise<void> = async () => {};

  constructor(
    readonly transport: TransportName,
    private readonly options: SmallServerOptions = {},
  ) {
    this.port = options.port ?? 0;
  }

  async start(): Promise<this> {
    if (this.transport === 'udp') await this.listenForDatagrams();
    else await this.listen(this.server());
    return this;
  }

  async stop(): Promise<void> {
    this.drop();
    await this.stopListening();
    this.stopListening = async () => {};
  }

  /** Connections that are open. */
  get open(): number {
    return this.sockets.size;
  }

  /** Breaks all connections. */
  drop(): void {
    for (const socket of this.sockets) socket.resetAndDestroy();
  }

  /** Reads nothing any more. */
  pause(): void {
    for (const socket of this.sockets) socket.pause();
  }

  /** Writes to the latest client. */
  send(text: string): void {
    this.write(text);
  }

  private server(): Server {
    const { certified, clientAuthority } = this.options;
    const tls = {
      ...(certified ? { cert: certified.certificate, key: certified.key } : {}),
      ...(clientAuthority ? { ca: clientAuthority, requestCert: true, rejectUnauthorized: true } : {}),
    };
    switch (this.transport) {
      case 'tls':
        return createTls(tls, (socket) =>
          this.stream(socket, (socket as TLSSocket & { servername?: string }).servername),
        );
      case 'ws':
        return this.upgrading(createHttp());
      case 'wss':
        return this.upgrading(createHttps(tls));
      default:
        return createTcp((socket) => this.stream(socket));
    }
  }

  private async listen(server: Server): Promise<void> {
    server.on('connection', (socket: Socket) => {
      this.sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => this.sockets.delete(socket));
    });
    await new Promise<void>((resolve) => server.listen(this.port, this.options.host ?? '127.0.0.1', resolve));
    this.port = (server.address() as AddressInfo).port;
    this.stopListening = () => new Promise((resolve) => server.close(() => resolve()));
  }

  private stream(socket: Socket, serverName?: string | false): void {
    this.connections.push(typeof serverName === 'string' ? { serverName } : {});
    socket.on('error', () => {});
    const framer = new Framer();
    this.write = (text) => socket.write(text);
    socket.on('data', (chunk) => {
      if (this.hung) return;
      const { messages, pinged } = framer.push(chunk);
      if (chunk.toString() === '\r\n') this.pongs += 1;
      if (pinged) {
        this.pings += 1;
        socket.write('\r\n');
      }
      for (const message of messages) this.take(message);
    });
  }

  private upgrading<Http extends ReturnType<typeof createHttp>>(server: Http): Http {
    const { subprotocol = 'sip' } = this.options;
    const handleProtocols = (offered: Set<string>) => (offered.has(subprotocol) ? subprotocol : false);
    const sockets = new WebSocketServer({ server, handleProtocols, autoPong: false });
    sockets.on('connection', (socket: WebSocket, request) => {
      this.connections.push({ path: request.url ?? '', subprotocol: socket.protocol });
      socket.on('error', () => {});
      this.write = (text) => socket.send(text);
      socket.on('message', (data) => {
        if (!this.hung) this.take(data.toString());
      });
      socket.on('ping', () => {
        if (this.hung) return;
        this.pings += 1;
        socket.pong();
      });
    });
    return server;
  }

  private async listenForDatagrams(): Promise<void> {
    const socket = createSocket('udp4');
    let client: RemoteInfo | null = null;
    socket.on('message', (datagram, from) => {
      if (this.hung) return;
      client = from;
      const text = datagram.toString();
      if (text.trim() === '') this.pings += 1;
      else this.take(text);
    });
    this.write = (text) => {
      if (client) socket.send(text, client.port, client.address);
    };
    await new Promise<void>((resolve) => socket.bind(this.port, this.options.host ?? '127.0.0.1', resolve));
    this.port = socket.address().port;
    this.stopListening = () => new Promise((resolve) => socket.close(() => resolve()));
  }

  private take(text: string): void {
    this.received.push(text);
    const answer = this.answer(text);
    if (answer !== undefined) this.write(answer);
  }
}
