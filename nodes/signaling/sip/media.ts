/**
 * Media, only as evidence: RTP and RTCP (RFC 3550) that arrive for a call are counted, and that is all. Nothing is decoded,
 * and nothing is sent.
 */
import { createSocket, type Socket } from 'node:dgram';
import type { Clock } from '../port';

/** Calls whose media are counted at the same time, in this process: each takes two sockets. */
export const mostWatchedCalls = 500;
/** Pairs of ports that are tried before a call fails. */
const attempts = 20;

let watchedCalls = 0;

/** What our end of a call knows of its media. */
export interface MediaReport {
  flowing: boolean;
  /** ms since 1970; null before the first packet. */
  lastPacketAt: number | null;
  /** RTP and RTCP packets so far. */
  packets: number;
}

/** The RTP and RTCP ports of one call. */
export class MediaWatch {
  private sockets: Socket[] = [];
  private state: 'new' | 'open' | 'watching' | 'closed' = 'new';
  private packets = 0;
  private lastPacketAt: number | null = null;
  private flowing: boolean | null = null;
  private cancelTimer: () => void = () => {};

  constructor(
    private readonly clock: Clock,
    /** Media have ended after so long without a packet, in ms. */
    private readonly timeoutMs: number,
    /** Called when media begin, end, or come back. */
    private readonly tell: (report: MediaReport) => void,
  ) {}

  /**
   * Opens an even port for RTP and the next one for RTCP (RFC 3550, 11) at a local address. Resolves with the even one;
   * rejects with an Error that says why there is none.
   */
  async open(host: string): Promise<number> {
    if (watchedCalls >= mostWatchedCalls) throw new Error(`the media of ${mostWatchedCalls} calls are counted already`);
    watchedCalls += 1;
    this.state = 'open';
    let sockets: Socket[];
    try {
      sockets = await bindPair(host);
    } catch (error) {
      this.close();
      throw error;
    }
    if (!this.isOpen) {
      closeAll(sockets);
      throw new Error('the call is over');
    }
    this.sockets = sockets;
    for (const socket of sockets) {
      socket.on('message', (packet) => this.receive(packet));
      // A socket that only listens has nothing to say but what silence says too.
      socket.on('error', () => {});
    }
    return Math.min(...sockets.map((socket) => socket.address().port));
  }

  /** The call is established: from now on it is told whether media flow. Packets that came earlier count. */
  begin(): void {
    if (this.state !== 'open') return;
    this.state = 'watching';
    if (this.packets > 0) this.say(true);
    this.waitForSilence(this.timeoutMs);
  }

  /** Closes the ports. Nothing is told any more. */
  close(): void {
    if (this.isOpen) watchedCalls -= 1;
    this.state = 'closed';
    this.cancelTimer();
    closeAll(this.sockets);
    this.sockets = [];
  }

  private get isOpen(): boolean {
    return this.state === 'open' || this.state === 'watching';
  }

  private receive(packet: Buffer): void {
    if (!this.isOpen || !isMediaPacket(packet)) return;
    this.packets += 1;
    this.lastPacketAt = this.clock.now();
    if (this.state !== 'watching' || this.flowing === true) return;
    this.say(true);
    this.waitForSilence(this.timeoutMs);
  }

  /** One timer for all packets: it looks when the last one came, and waits for the rest of the time. */
  private waitForSilence(delayMs: number): void {
    this.cancelTimer();
    this.cancelTimer = this.clock.after(delayMs, () => {
      const restMs = (this.lastPacketAt ?? 0) + this.timeoutMs - this.clock.now();
      if (restMs > 0) this.waitForSilence(restMs);
      else this.say(false);
    });
  }

  private say(flowing: boolean): void {
    this.flowing = flowing;
    const { lastPacketAt, packets } = this;
    this.tell({ flowing, lastPacketAt, packets });
  }
}

/** Whether this is well-formed RTP or RTCP, of version 2. */
export function isMediaPacket(packet: Buffer): boolean {
  if (packet.length < 8 || versionOf(packet) !== 2) return false;
  const type = packet.readUInt8(1);
  // What tells one from the other (RFC 5761, 4).
  return type >= 192 && type <= 223 ? isRtcp(packet) : isRtp(packet);
}

/** RFC 3550, 5.1 and A.1. */
function isRtp(packet: Buffer): boolean {
  const first = packet.readUInt8(0);
  const hasPadding = (first & 0x20) !== 0;
  const hasExtension = (first & 0x10) !== 0;
  let needed = 12 + 4 * (first & 0x0f);
  if (hasExtension) {
    if (packet.length < needed + 4) return false;
    needed += 4 + 4 * packet.readUInt16BE(needed + 2);
  }
  if (packet.length < needed) return false;
  const padding = hasPadding ? packet.readUInt8(packet.length - 1) : 0;
  return hasPadding ? padding > 0 && needed + padding <= packet.length : true;
}

/** A compound packet, which begins with a report (RFC 3550, 6.1 and A.2). */
function isRtcp(packet: Buffer): boolean {
  const first = packet.readUInt8(1);
  if (first !== 200 && first !== 201) return false;
  let at = 0;
  while (at + 4 <= packet.length && versionOf(packet, at) === 2) at += 4 + 4 * packet.readUInt16BE(at + 2);
  return at === packet.length;
}

function versionOf(packet: Buffer, at = 0): number {
  return packet.readUInt8(at) >> 6;
}

/** Two sockets on neighbouring ports, of which the lower is even. */
async function bindPair(host: string): Promise<Socket[]> {
  for (let attempt = 1; ; attempt += 1) {
    const any = await bind(host, 0);
    try {
      return [any, await bind(host, any.address().port ^ 1)];
    } catch (error) {
      any.close();
      // The neighbour is somebody else's: another pair may be free.
      if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE' || attempt === attempts) throw error;
    }
  }
}

function bind(host: string, port: number): Promise<Socket> {
  const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
  return new Promise((resolve, reject) => {
    socket.once('error', (error) => {
      socket.close();
      reject(error);
    });
    socket.bind(port, host, () => {
      socket.removeAllListeners('error');
      resolve(socket);
    });
  });
}

function closeAll(sockets: Socket[]): void {
  for (const socket of sockets) socket.close();
}
