/** A Focus made of a script, for what Kamailio and SIPp do not do: it sends requests, and it misbehaves. One client. */
import { createServer, type Server, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { Framer } from '../../../nodes/signaling/sip/flow/framing';
import { leewayMs } from './harness';

/** A message, cut up no further than a test needs. */
export interface Message {
  start: string;
  /** Method of a request, or status of a response. */
  what: string;
  headers: { [lowerCaseName: string]: string };
  body: string;
}

/** What the Focus answers; undefined is silence. */
export type Script = (request: Message) => { status: string; headers?: string[]; body?: string } | undefined;

export class ScriptedFocus {
  port = 0;
  /** Requests and responses of the client. */
  readonly received: Message[] = [];
  script: Script = () => ({ status: '200 OK' });
  private readonly server: Server;
  private socket: Socket | null = null;
  private sequence = 0;

  constructor() {
    this.server = createServer((socket) => {
      const framer = new Framer();
      this.socket = socket;
      socket.on('error', () => {});
      socket.on('data', (chunk) => {
        for (const text of framer.push(chunk).messages) this.take(text);
      });
    });
  }

  async start(): Promise<this> {
    await new Promise<void>((resolve) => this.server.listen(this.port, '127.0.0.1', resolve));
    const address = this.server.address();
    if (typeof address === 'object' && address) this.port = address.port;
    return this;
  }

  async stop(): Promise<void> {
    this.socket?.destroy();
    await new Promise((resolve) => this.server.close(resolve));
  }

  get contact(): string {
    return `<sip:room@127.0.0.1:${this.port};transport=tcp>;isfocus`;
  }

  write(text: string | Buffer): void {
    this.socket?.write(text);
  }

  /** Requests of the client by method, or its responses by status. */
  all(what: string): Message[] {
    return this.received.filter((message) => message.what === what);
  }

  async next(what: string, count = 1): Promise<Message> {
    for (let waited = 0; waited < leewayMs; waited += 5) {
      const found = this.all(what)[count - 1];
      if (found) return found;
      await delay(5);
    }
    throw new Error(`no ${what}, but ${this.received.map((message) => message.start).join(', ')}`);
  }

  /** A request inside the dialog that a request of the client has made; `more` replaces headers by name. */
  send(
    method: string,
    within: Message,
    headers: string[] = [],
    body = '',
    more: { [name: string]: string } = {},
  ): void {
    this.sequence += 1;
    const fields: { [name: string]: string } = {
      Via: `SIP/2.0/TCP 127.0.0.1:${this.port};branch=z9hG4bKs${this.sequence}`,
      'Max-Forwards': '70',
      From: `${within.headers.to ?? ''}${within.headers.to?.includes('tag=') ? '' : ';tag=focus'}`,
      To: within.headers.from ?? '',
      'Call-ID': within.headers['call-id'] ?? '',
      CSeq: `${this.sequence} ${method}`,
      Contact: this.contact,
      ...more,
    };
    const head = [...Object.entries(fields).map(([name, value]) => `${name}: ${value}`), ...headers];
    this.write(
      `${method} sip:alice@127.0.0.1 SIP/2.0\r\n${head.join('\r\n')}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
    );
  }

  /** Answers a request of the client. */
  answer(request: Message, status: string, headers: string[] = [], body = ''): void {
    const to = request.headers.to ?? '';
    const head = [
      `Via: ${request.headers.via}`,
      `From: ${request.headers.from}`,
      `To: ${to}${to.includes('tag=') ? '' : ';tag=focus'}`,
      `Call-ID: ${request.headers['call-id']}`,
      `CSeq: ${request.headers.cseq}`,
      ...(headers.some((header) => header.startsWith('Contact')) ? [] : [`Contact: ${this.contact}`]),
      ...headers,
    ];
    this.write(
      `SIP/2.0 ${status}\r\n${head.join('\r\n')}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
    );
  }

  private take(text: string): void {
    const [head = '', ...rest] = text.split('\r\n\r\n');
    const [start = '', ...lines] = head.split('\r\n');
    const headers: { [name: string]: string } = {};
    for (const line of lines) {
      const name = line.slice(0, line.indexOf(':')).toLowerCase();
      const value = line.slice(line.indexOf(':') + 1).trim();
      headers[name] = headers[name] === undefined ? value : `${headers[name]}, ${value}`;
    }
    const [first = '', second = ''] = start.split(' ');
    const message = { start, what: first === 'SIP/2.0' ? second : first, headers, body: rest.join('\r\n\r\n') };
    this.received.push(message);
    if (first === 'SIP/2.0' || first === 'ACK') return;
    const answer = this.script(message);
    if (answer) this.answer(message, answer.status, answer.headers, answer.body);
  }
}
