/** A web server that takes what examples send, and answers as it is told. */
import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

/** One request, as it arrived. */
export interface Received {
  method: string;
  path: string;
  headers: IncomingHttpHeaders;
  /** The body, which must be JSON. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look at any property of any body
  body: any;
}

export class Receiver {
  /** Everything that has arrived, oldest first. */
  readonly received: Received[] = [];
  /** Answers to come, the next one first: status, and further headers. 200 when there are none. */
  readonly answers: { status: number; headers?: { [name: string]: string } }[] = [];
  private readonly arrivals: (() => void)[] = [];

  private constructor(private readonly server: Server) {}

  static async start(): Promise<Receiver> {
    const server = createServer();
    const receiver = new Receiver(server);
    server.on('request', async (request, response: ServerResponse) => {
      const { method = '', url: path = '', headers } = request;
      receiver.received.push({ method, path, headers, body: JSON.parse(await text(request)) });
      const { status, headers: more } = receiver.answers.shift() ?? { status: 200 };
      response.writeHead(status, { 'content-type': 'application/json', ...more }).end('{}');
      for (const arrived of receiver.arrivals.splice(0)) arrived();
    });
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
    return receiver;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** Request number `index`, counted from 0; waits until it has arrived. */
  async request(index: number): Promise<Received> {
    for (;;) {
      const received = this.received[index];
      if (received) return received;
      await new Promise<void>((arrived) => this.arrivals.push(arrived));
    }
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((closed) => this.server.close(closed));
  }
}
