/** A bad line: passes datagrams on between clients and one server on the loopback interface, and loses some. */
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { seeded } from './seeded';

/** Stands before a server's UDP port. Each client has a socket of its own towards the server, as behind a NAT. */
export class LossyRelay {
  passed = 0;
  lost = 0;
  /** Port on 127.0.0.1 to send to instead of the server's. */
  port = 0;
  private readonly front = createSocket('udp4');
  private readonly behind = new Map<number, Socket>();
  private readonly random: () => number;

  constructor(
    private readonly serverPort: number,
    /** Share of the datagrams that are lost, in either direction, 0 to 1. */
    private readonly loss: number,
    seed: number,
  ) {
    this.random = seeded(seed);
  }

  async start(): Promise<this> {
    this.front.on('message', (datagram, { port }) => {
      const socket = this.behind.get(port) ?? this.open(port);
      this.pass(() => socket.send(datagram, this.serverPort, '127.0.0.1'));
    });
    this.front.bind(0, '127.0.0.1');
    await once(this.front, 'listening');
    this.port = this.front.address().port;
    return this;
  }

  stop(): void {
    this.front.close();
    for (const socket of this.behind.values()) socket.close();
  }

  private open(clientPort: number): Socket {
    const socket = createSocket('udp4');
    socket.on('message', (datagram) => this.pass(() => this.front.send(datagram, clientPort, '127.0.0.1')));
    this.behind.set(clientPort, socket);
    return socket;
  }

  private pass(send: () => void): void {
    if (this.random() < this.loss) {
      this.lost += 1;
      return;
    }
    this.passed += 1;
    send();
  }
}
