/** Ways back to clients: a TCP connection each, or a UDP address that a request came from. */
import { createSocket, type Socket as DatagramSocket } from 'node:dgram';
import { createServer, type Server, type Socket } from 'node:net';
import type { Clock } from '../../port';
import type { FlowAddress } from '../flow/flow';
import { Framer } from '../flow/framing';
import { Retransmissions } from '../flow/retransmission';

/** Clients with a connection, and UDP addresses that are remembered; of these the oldest is forgotten first. */
const mostLinks = 1000;
/** Nobody reads at the other end when so much waits to be sent, in bytes. */
const longestBacklog = 8 * 1024 * 1024;

/** The way to one client. */
export interface Link {
  /** As in Via. */
  readonly protocol: string;
  /** Whether a message can be sent. */
  readonly open: boolean;
  /** The far end, as we see it. */
  readonly peer: FlowAddress;
  send(text: string): void;
  /** Closes a connection; false where there is none, as on UDP. */
  cut(): boolean;
}

/** Who takes what clients send. */
export type Receiver = (text: string, link: Link) => void;

/** The sockets of a server, on one port of one address. */
export class Listeners {
  private readonly tcp: Server;
  private readonly udp: DatagramSocket;
  private readonly sockets = new Set<Socket>();
  private readonly datagramLinks = new Map<string, DatagramLink>();

  constructor(
    private readonly clock: Clock,
    private readonly receive: Receiver,
  ) {
    this.tcp = createServer((socket) => this.accept(socket));
    this.tcp.maxConnections = mostLinks;
    this.udp = createSocket('udp4');
    this.udp.on('message', (datagram, { address, port }) => {
      const text = datagram.toString();
      const link = this.datagramLink(address, port);
      if (text.trim() !== '' && link.retransmissions.receive(text)) this.receive(text, link);
    });
  }

  /** Opens both; with port 0 on one that is free. Rejects with the error of the socket that could not be opened. */
  async open(host: string, port: number): Promise<number> {
    await new Promise<void>((resolve, reject) => {
      this.tcp.once('error', reject);
      this.tcp.listen(port, host, resolve);
    });
    const address = this.tcp.address();
    const taken = typeof address === 'object' && address ? address.port : port;
    await new Promise<void>((resolve, reject) => {
      this.udp.once('error', reject);
      this.udp.bind(taken, host, resolve);
    });
    // What can fail from now on concerns one client, who has ways to notice.
    for (const each of [this.tcp, this.udp]) each.removeAllListeners('error').on('error', () => {});
    return taken;
  }

  /** Closes all connections and both sockets. */
  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    for (const link of this.datagramLinks.values()) link.retransmissions.stop();
    this.datagramLinks.clear();
    await Promise.all([this.tcp, this.udp].map(closed));
  }

  private accept(socket: Socket): void {
    const framer = new Framer();
    const link: Link = {
      protocol: 'TCP',
      peer: { host: socket.remoteAddress ?? '127.0.0.1', port: socket.remotePort ?? 0 },
      get open() {
        return socket.writable;
      },
      send: (text) => {
        if (socket.writableLength > longestBacklog) socket.destroy();
        else socket.write(text);
      },
      cut: () => {
        socket.destroy();
        return true;
      },
    };
    this.sockets.add(socket);
    socket.setNoDelay(true);
    socket.on('error', () => {});
    socket.on('close', () => this.sockets.delete(socket));
    socket.on('data', (chunk) => {
      const { messages, pinged, error } = framer.push(chunk);
      if (pinged) socket.write('\r\n');
      for (const message of messages) this.receive(message, link);
      if (error !== undefined) socket.destroy();
    });
  }

  private datagramLink(host: string, port: number): DatagramLink {
    const key = `${host} ${port}`;
    const link = this.datagramLinks.get(key) ?? new DatagramLink(this.udp, this.clock, { host, port });
    this.datagramLinks.delete(key);
    this.datagramLinks.set(key, link);
    const [oldest] = this.datagramLinks;
    if (oldest && this.datagramLinks.size > mostLinks) {
      oldest[1].retransmissions.stop();
      this.datagramLinks.delete(oldest[0]);
    }
    return link;
  }
}

/** A client on UDP: what is lost on the way is sent again. */
class DatagramLink implements Link {
  readonly protocol = 'UDP';
  readonly open = true;
  readonly retransmissions: Retransmissions;

  constructor(
    private readonly socket: DatagramSocket,
    clock: Clock,
    readonly peer: FlowAddress,
  ) {
    this.retransmissions = new Retransmissions(clock, (text) => this.write(text));
  }

  send(text: string): void {
    this.retransmissions.sent(text);
    this.write(text);
  }

  cut(): boolean {
    return false;
  }

  private write(text: string): void {
    // A datagram that cannot be sent (too long, nobody there) is a lost one.
    this.socket.send(text, this.peer.port, this.peer.host, () => {});
  }
}

function closed(each: Server | DatagramSocket): Promise<void> {
  return new Promise((resolve) => {
    try {
      each.close(() => resolve());
    } catch {
      // It was never open.
      resolve();
    }
  });
}
