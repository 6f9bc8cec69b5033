/** SIP over WebSocket (RFC 7118): one message is one frame. */
import { WebSocket } from 'ws';
import {
  type Connection,
  type ConnectionFailure,
  type ConnectionListener,
  type ConnectionSettings,
  closedByOtherEnd,
  failureOf,
} from './connection';
import { complaintOfHead, longestMessage } from './framing';
import { localEnd, openSocket } from './stream-connection';
import type { Target } from './targets';
import { peerOf } from './tls';

/** Name of the subprotocol (RFC 7118, 4.1). */
const subprotocol = 'sip';

/** Connects, and upgrades to a WebSocket. */
export function connectWebSocket(
  target: Target,
  settings: ConnectionSettings,
  listener: ConnectionListener,
): Connection {
  const secure = target.transport === 'wss';
  const host = settings.domain.includes(':') ? `[${settings.domain}]` : settings.domain;
  const tcp = openSocket(target, settings);
  let securing = false;
  let failure: ConnectionFailure = closedByOtherEnd;
  tcp.on('connect', () => {
    securing = secure;
  });
  tcp.on('secureConnect', () => {
    securing = false;
  });

  const socket = new WebSocket(
    `${target.transport}://${host}:${target.port}/${settings.webSocketPath.replace(/^\//, '')}`,
    subprotocol,
    { createConnection: () => tcp, maxPayload: longestMessage, perMessageDeflate: false, followRedirects: false },
  );
  socket.on('open', () => listener.connected(localEnd(tcp), peerOf(tcp)));
  socket.on('message', (data) => {
    listener.heard();
    const text = data.toString();
    const complaint = complaintOfHead(text.length, text.indexOf('\r\n\r\n'));
    if (complaint !== undefined) {
      failure = { cause: 'transport', reason: `it sent ${complaint}` };
      return socket.terminate();
    }
    // Keep-alive of servers that send it as on a stream (RFC 5626, 3.5.1).
    if (text.trim() !== '') listener.message(text);
  });
  socket.on('ping', () => listener.heard());
  socket.on('pong', () => listener.heard());
  socket.on('error', (error) => {
    failure = failureOf(error, securing);
  });
  socket.on('close', () => listener.closed(failure));

  return {
    get backlog() {
      return socket.bufferedAmount;
    },
    send: (text, done) => socket.send(text, done),
    // Every WebSocket server answers these (RFC 6455, 5.5.2); CRLF in a frame is answered only by some (RFC 7118, 6).
    ping: () => socket.ping(),
    destroy: () => socket.terminate(),
  };
}
