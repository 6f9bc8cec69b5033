import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer } from 'node:net';

/** Ports that no system gives to outgoing connections (Linux: from 32768 on; IANA's dynamic ports: from 49152 on). */
const lowest = 20_000;
const highest = 32_000;

/**
 * A port of 127.0.0.1 that nobody has, over TCP or UDP. Nobody gets it as the port of an outgoing connection either: a
 * server that is killed finds it free when it is started again.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = lowest + Math.floor(Math.random() * (highest - lowest));
    if ((await isFree(port, 'tcp')) && (await isFree(port, 'udp'))) return port;
  }
}

async function isFree(port: number, transport: 'tcp' | 'udp'): Promise<boolean> {
  const socket = transport === 'tcp' ? createServer() : createSocket('udp4');
  const bound = once(socket, 'listening').then(
    () => true,
    () => false,
  );
  if ('bind' in socket) socket.bind(port, '127.0.0.1');
  else socket.listen(port, '127.0.0.1');
  if (!(await bound)) return false;
  await new Promise<void>((closed) => socket.close(() => closed()));
  return true;
}
