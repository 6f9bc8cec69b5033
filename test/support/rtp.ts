/** A sender of RTP and RTCP (RFC 3550), as small as a test needs. */
import { createSocket } from 'node:dgram';
import { setTimeout as delay } from 'node:timers/promises';

/** An RTP packet of 20 ms of PCMU silence. */
export function rtp(sequence = 0): Buffer {
  const packet = Buffer.alloc(12 + 160, 0xff);
  packet.set([0x80, 0]);
  packet.writeUInt16BE(sequence & 0xffff, 2);
  packet.writeUInt32BE((sequence * 160) >>> 0, 4);
  packet.writeUInt32BE(0x12345678, 8);
  return packet;
}

/** A sender report, and a source description behind it. */
export function rtcp(): Buffer {
  const report = Buffer.alloc(28);
  report.set([0x80, 200, 0, 6]);
  const description = Buffer.from([0x81, 202, 0, 3, 0, 0, 0, 1, 1, 2, 0x61, 0x62, 0, 0, 0, 0]);
  return Buffer.concat([report, description]);
}

/** Sends packets to an address, one every 20 ms, from a port of its own, until it is stopped. */
export class RtpSender {
  private readonly socket;
  private sequence = 0;
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly port: number,
    private readonly host = '127.0.0.1',
  ) {
    this.socket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
  }

  start(): void {
    this.timer = setInterval(() => this.send(rtp(this.sequence++)), 20);
  }

  pause(): void {
    clearInterval(this.timer);
  }

  /** Sends one datagram, to the port or to one so much above it. Settles when it has surely arrived on the loopback. */
  async send(packet: Buffer, above = 0): Promise<void> {
    await new Promise<void>((resolve) => this.socket.send(packet, this.port + above, this.host, () => resolve()));
    await delay(5);
  }

  stop(): void {
    this.pause();
    this.socket.close();
  }
}

/** The port of the first audio stream in a session description. */
export function audioPortIn(description: string): number {
  return Number(/^m=audio (\d+) /m.exec(description)?.[1]);
}
