/** SIP over TCP and TLS (RFC 3261, 18). */
import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import {
  type Connection,
  type ConnectionFailure,
  type ConnectionListener,
  type ConnectionSettings,
  closedByOtherEnd,
  failureOf,
} from './connection';
import type { FlowAddress } from './flow';
import { Framer } from './framing';
import type { Target } from './targets';
import { peerOf } from './tls';

/** Ping and pong of a stream (RFC 5626, 3.5.1). */
const ping = '\r\n\r\n';
const pong = '\r\n';

/**
 * A socket that connects to a target, over TLS where its transport says so: with the configured name as server name
 * (SNI), and a certificate for that name.
 */
export function openSocket(target: Target, { domain, tls }: ConnectionSettings): Socket {
  const { address: host, port } = target;
  const secure = target.transport === 'tls' || target.transport === 'wss';
  // A server name is never an IP address (RFC 6066, 3); the certificate is compared with the address then.
  const servername = isIP(domain) ? {} : { servername: domain };
  const socket = secure ? connectTls({ host, port, ...servername, ...tls }) : connectTcp({ host, port });
  // Requests are small and wait for answers: Nagle's algorithm would hold each second one back for 40 ms.
  socket.setNoDelay(true);
  return socket;
}

/** Our end of a socket. */
export function localEnd(socket: Socket): FlowAddress {
  return { host: socket.localAddress ?? '127.0.0.1', port: socket.localPort ?? 0 };
}

/** Connects over TCP or TLS. */
export function connectStream(target: Target, settings: ConnectionSettings, listener: ConnectionListener): Connection {
  const framer = new Framer();
  const socket = openSocket(target, settings);
  const ready = target.transport === 'tls' ? 'secureConnect' : 'connect';
  let securing = false;
  let failure: ConnectionFailure = closedByOtherEnd;

  socket.on('connect', () => {
    securing = target.transport === 'tls';
  });
  socket.on(ready, () => {
    securing = false;
    listener.connected(localEnd(socket), peerOf(socket));
  });
  socket.on('data', (chunk) => {
    listener.heard();
    const { messages, pinged, error } = framer.push(chunk);
    if (pinged) socket.write(pong);
    for (const message of messages) listener.message(message);
    if (error !== undefined) socket.destroy(new Error(`it sent ${error}`));
  });
  socket.on('error', (error) => {
    failure = failureOf(error, securing);
  });
  socket.on('close', () => listener.closed(failure));

  return {
    get backlog() {
      return socket.writableLength;
    },
    send: (text, done) => {
      socket.write(text, (error) => done(error ?? undefined));
    },
    ping: () => {
      socket.write(ping);
    },
    destroy: () => {
      socket.destroy();
    },
  };
}
