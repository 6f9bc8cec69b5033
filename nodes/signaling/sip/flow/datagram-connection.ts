/** SIP over UDP (RFC 3261, 18): one message is one datagram, and what is lost is sent again. */
import { createSocket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import type { Clock } from '../../port';
import type { Connection, ConnectionFailure, ConnectionListener } from './connection';
import { closedByOtherEnd, failureOf } from './connection';
import { Retransmissions } from './retransmission';
import type { Target } from './targets';

/** To a target that has failed, this long nothing but a keep-alive is sent: it may be refused, in ms. */
const refusalMs = 500;
/** Nothing to anybody (RFC 3261, 7.5), and refused all the same where nobody listens. */
const nothing = '\r\n\r\n';

/**
 * "Connects" a UDP socket: it sends to one target and hears of nobody else. That way a refusal (ICMP) comes as an error, at
 * once; a socket that is not connected would be told nothing.
 */
export function connectDatagrams(
  target: Target,
  clock: Clock,
  listener: ConnectionListener,
  doubtful: boolean,
): Connection {
  const socket = createSocket(isIPv6(target.address) ? 'udp6' : 'udp4');
  let failure: ConnectionFailure = closedByOtherEnd;
  let open = true;
  let cancelTimer = (): void => {};

  const close = (): void => {
    if (!open) return;
    open = false;
    cancelTimer();
    retransmissions.stop();
    socket.close();
  };
  const fail = (error: Error): void => {
    failure = failureOf(error);
    close();
  };
  const write = (text: string, done?: (error?: Error) => void): void => {
    if (!open) return done?.(new Error('the socket is closed'));
    socket.send(text, (error: NodeJS.ErrnoException | null) => {
      // A refusal of what was sent before; only that this message is too long says nothing of the target.
      if (error && error.code !== 'EMSGSIZE') fail(error);
      done?.(error ?? undefined);
    });
  };
  const retransmissions = new Retransmissions(clock, write);
  const ready = (): void => {
    cancelTimer = (): void => {};
    const { address: host, port } = socket.address();
    listener.connected({ host, port });
  };

  socket.on('connect', () => {
    if (!open) return;
    if (!doubtful) return ready();
    write(nothing);
    cancelTimer = clock.after(refusalMs, ready);
  });
  socket.on('message', (datagram) => {
    listener.heard();
    const text = datagram.toString();
    if (text.trim() !== '' && retransmissions.receive(text)) listener.message(text);
  });
  socket.on('error', fail);
  socket.on('close', () => listener.closed(failure));
  socket.connect(target.port, target.address);

  return {
    // What the system cannot take it drops: nothing waits.
    backlog: 0,
    send: (text, done) => {
      retransmissions.sent(text);
      write(text, done);
    },
    ping: null,
    destroy: close,
  };
}
