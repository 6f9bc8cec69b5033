/** A flow: bytes to the next hop and back, up or down (RFC 5626, 3). The transports of SIP differ here and nowhere else. */
import { connect, type Socket } from 'node:net';
import type { Clock } from '../port';
import { Framer } from './framing';

/** Nobody reads at the other end when so much waits to be sent, in bytes. */
const longestBacklog = 8 * 1024 * 1024;
/** A connection that lasted less, in ms, counts as one more failure: what flaps is not retried at network speed. */
const steadyAfterMs = 5000;
/** Requests bring the next attempt forward, but not sooner than this after a failed one, in ms. */
const attemptsApartMs = 1000;
const longestDelayMs = 30_000;

/** Where our end of a flow is; what Via and Contact name. */
export interface FlowAddress {
  host: string;
  port: number;
}

/** Why a message could not be sent. */
export class FlowError extends Error {
  constructor(
    message: string,
    /** Whether the message may have left. */
    readonly written: boolean,
  ) {
    super(message);
  }
}

/** Who listens to a flow. */
export interface FlowListener {
  up(): void;
  down(message: string): void;
  message(text: string): void;
  /** Whether a lost connection is to be restored without being asked. */
  wanted(): boolean;
}

/** The way to the next hop. */
export interface Flow {
  /** Name of the transport as in Via (RFC 3261, 20.42). */
  readonly protocol: string;
  /** Our end; null while down. */
  readonly local: FlowAddress | null;
  /** Calls `done` once: without an error when the flow is up, else with the reason why it cannot be. May connect. */
  whenUp(done: (error?: FlowError) => void): void;
  /** Rejects with a FlowError. */
  send(text: string): Promise<void>;
  close(): void;
}

/** What a TcpFlow needs to know. */
export interface TcpFlowOptions {
  host: string;
  port: number;
  /** How long a connection attempt may take, in ms. */
  connectTimeoutMs: number;
  /** Uniform in [0, 1): jitter of the reconnection delays. */
  random: () => number;
}

/**
 * How long to wait before reconnecting, in ms: at once, then 1, 2, 4, … 30 s, each shortened at random by up to a half
 * (the spread of RFC 5626, 4.5, on a faster schedule: a conference is waiting).
 */
export function reconnectionDelay(failures: number, random: number): number {
  if (failures === 0) return 0;
  return Math.min(longestDelayMs, 1000 * 2 ** (failures - 1)) * (1 - random / 2);
}

/** One TCP connection (RFC 3261, 18), which comes back by itself for as long as its listener wants it. */
export class TcpFlow implements Flow {
  readonly protocol = 'TCP';
  local: FlowAddress | null = null;

  private socket: Socket | null = null;
  private waiting: ((error?: FlowError) => void)[] = [];
  private cancelTimer: () => void = () => {};
  private failures = 0;
  private upSince = 0;
  private lastFailure: { at: number; message: string } | null = null;
  private closed = false;

  constructor(
    private readonly options: TcpFlowOptions,
    private readonly clock: Clock,
    private readonly listener: FlowListener,
  ) {}

  whenUp(done: (error?: FlowError) => void): void {
    if (this.closed) return done(new FlowError('the port is closed', false));
    if (this.local) return done();
    const failed = this.lastFailure;
    if (!this.socket && failed && this.clock.now() - failed.at < attemptsApartMs) {
      return done(new FlowError(failed.message, false));
    }
    this.waiting.push(done);
    if (!this.socket) this.attempt();
  }

  send(text: string): Promise<void> {
    const { socket } = this;
    if (!socket || !this.local) return Promise.reject(new FlowError('not connected', false));
    if (socket.writableLength > longestBacklog) {
      socket.destroy(new Error('the other end has stopped reading'));
      return Promise.reject(new FlowError('the other end has stopped reading', false));
    }
    return new Promise((resolve, reject) => {
      socket.write(text, (error) => (error ? reject(new FlowError(readable(error), true)) : resolve()));
    });
  }

  close(): void {
    this.closed = true;
    this.cancelTimer();
    this.local = null;
    this.socket?.destroy();
    this.answerWaiting(new FlowError('the port is closed', false));
  }

  private attempt(): void {
    this.cancelTimer();
    const { host, port, connectTimeoutMs } = this.options;
    const framer = new Framer();
    const socket = connect({ host, port });
    let reason: string | null = null;
    this.socket = socket;
    this.cancelTimer = this.clock.after(connectTimeoutMs, () =>
      socket.destroy(new Error(`not connected within ${connectTimeoutMs} ms`)),
    );
    // Requests are small and wait for answers: Nagle's algorithm would hold each second one back for 40 ms.
    socket.setNoDelay(true);
    socket.on('connect', () => {
      this.cancelTimer();
      this.local = { host: socket.localAddress ?? '127.0.0.1', port: socket.localPort ?? 0 };
      this.upSince = this.clock.now();
      this.lastFailure = null;
      this.listener.up();
      this.answerWaiting();
    });
    socket.on('data', (chunk) => {
      const { messages, error } = framer.push(chunk);
      for (const message of messages) this.listener.message(message);
      if (error !== undefined) socket.destroy(new Error(`it sent ${error}`));
    });
    socket.on('error', (error) => {
      reason = readable(error);
    });
    socket.on('close', () => this.lost(reason));
  }

  private lost(reason: string | null): void {
    this.cancelTimer();
    const wasUp = this.local !== null;
    this.socket = null;
    this.local = null;
    if (this.closed) return;

    const { host, port } = this.options;
    const now = this.clock.now();
    const message = wasUp
      ? `The connection to ${host}:${port} (TCP) was lost: ${reason ?? 'closed by the other end'}`
      : `No connection to ${host}:${port} (TCP): ${reason ?? 'closed by the other end'}`;
    if (wasUp && now - this.upSince >= steadyAfterMs) this.failures = 0;
    if (!wasUp) this.lastFailure = { at: now, message };
    if (wasUp) this.listener.down(message);
    this.answerWaiting(new FlowError(message, false));
    this.scheduleAttempt();
  }

  private scheduleAttempt(): void {
    if (this.closed || this.socket || !this.listener.wanted()) return;
    const delay = reconnectionDelay(this.failures, this.options.random());
    this.failures += 1;
    this.cancelTimer = this.clock.after(delay, () => {
      if (!this.closed && !this.socket && this.listener.wanted()) this.attempt();
    });
  }

  private answerWaiting(error?: FlowError): void {
    const { waiting } = this;
    this.waiting = [];
    for (const done of waiting) done(error);
  }
}

/** What an error of a socket says to people. */
function readable(error: Error & { code?: string }): string {
  switch (error.code) {
    case 'ECONNREFUSED':
      return 'connection refused (ECONNREFUSED)';
    case 'ECONNRESET':
      return 'connection reset (ECONNRESET)';
    case 'ENOTFOUND':
      return 'the host name is unknown (ENOTFOUND)';
    case 'EPIPE':
      return 'closed by the other end (EPIPE)';
    default:
      return error.message || error.code || 'unknown error';
  }
}
