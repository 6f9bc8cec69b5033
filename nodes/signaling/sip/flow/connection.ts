/** One connection to one target. The transports differ here; that connections come and go is the flow's (`reconnecting-flow.ts`). */
import type { Clock } from '../../port';
import { connectDatagrams } from './datagram-connection';
import type { FlowAddress } from './flow';
import { connectStream } from './stream-connection';
import type { Target } from './targets';
import type { TlsPeer, TlsSettings } from './tls';
import { connectWebSocket } from './websocket-connection';

/** Why there is no connection (any more), as said to people. */
export interface ConnectionFailure {
  cause: 'transport' | 'tls';
  reason: string;
}

/** Who listens to a connection. Nothing is told from inside a call of the connection. */
export interface ConnectionListener {
  /** `peer` is set where the connection is secure. */
  connected(local: FlowAddress, peer?: TlsPeer): void;
  message(text: string): void;
  /** Anything arrived, be it only the answer to a ping. */
  heard(): void;
  /** It is over, or could not be made. Told once, and last. */
  closed(failure: ConnectionFailure): void;
}

/** One connection, from the attempt to make it on. */
export interface Connection {
  /** Bytes that wait to be sent. */
  readonly backlog: number;
  /** Sends one message; `done` once. */
  send(text: string, done: (error?: Error) => void): void;
  /** Asks the far end for a sign of life; null where there is no way to ask. */
  readonly ping: (() => void) | null;
  /** Ends it at once. */
  destroy(): void;
}

/** What all connections of an endpoint share. */
export interface ConnectionSettings {
  clock: Clock;
  /** The name that was configured: a certificate must be for it, whatever DNS said (RFC 5922, 7.2). */
  domain: string;
  tls: TlsSettings;
  /** Path of the WebSocket, for instance `/ws`. */
  webSocketPath: string;
}

/** Begins to connect. `doubtful`: the target has failed a short time ago. */
export function connect(
  target: Target,
  settings: ConnectionSettings,
  listener: ConnectionListener,
  doubtful: boolean,
): Connection {
  switch (target.transport) {
    case 'udp':
      return connectDatagrams(target, settings.clock, listener, doubtful);
    case 'tcp':
    case 'tls':
      return connectStream(target, settings, listener);
    case 'ws':
    case 'wss':
      return connectWebSocket(target, settings, listener);
  }
}

/** What ended a connection whose other end has said nothing. */
export const closedByOtherEnd: ConnectionFailure = { cause: 'transport', reason: 'closed by the other end' };

/** What an error of a socket says to people. `secure`: while a secure connection was being agreed on. */
export function failureOf(error: Error & { code?: string }, secure = false): ConnectionFailure {
  return { cause: isTlsFailure(error.code ?? '', secure) ? 'tls' : 'transport', reason: readable(error) };
}

/** Codes with which a connection breaks, also one that is being secured: nobody has refused anything. */
const broken: ReadonlySet<string> = new Set(['ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'EHOSTUNREACH', 'ENETUNREACH']);

/** Alerts of the far end may come late: with TLS 1.3 it judges our certificate when to us all is done (RFC 8446, 4.4.2.4). */
function isTlsFailure(code: string, secure: boolean): boolean {
  return code === 'EPROTO' || code.startsWith('ERR_SSL_') || (secure && !broken.has(code));
}

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
