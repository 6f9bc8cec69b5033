import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { reconnectionDelay, TcpFlow } from '../../../nodes/signaling/sip/flow';
import { freePort } from '../../support/peers';
import { systemClock } from './harness';

describe('the TCP flow', () => {
  it('reconnects at once, then after 1, 2, 4, … 30 s, jittered at any attempt', () => {
    const longest = [0, 1, 2, 3, 4, 5, 6, 7, 60].map((failures) => reconnectionDelay(failures, 0));
    assert.deepEqual(longest, [0, 1000, 2000, 4000, 8000, 16000, 30000, 30000, 30000]);
    assert.equal(reconnectionDelay(60, 0.5), 22_500);
  });

  it('comes back after a lost connection, and not when nobody wants it', async () => {
    let connections = 0;
    const server = createServer((socket) => {
      connections += 1;
      if (connections === 1) setTimeout(() => socket.resetAndDestroy(), 20);
      socket.on('error', () => {});
    });
    const port = await freePort();
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
    const events: string[] = [];
    let wanted = true;
    const flow = new TcpFlow({ host: '127.0.0.1', port, connectTimeoutMs: 500, random: () => 0.5 }, systemClock, {
      up: () => events.push('up'),
      down: (message) => events.push(message),
      message: () => {},
      wanted: () => wanted,
    });
    await new Promise<void>((resolve) => flow.whenUp(() => resolve()));
    await new Promise((resolve) => setTimeout(resolve, 200));
    assert.deepEqual(events, [
      'up',
      `The connection to 127.0.0.1:${port} (TCP) was lost: connection reset (ECONNRESET)`,
      'up',
    ]);
    wanted = false;
    flow.close();
    await new Promise((resolve) => server.close(resolve));
    assert.equal(await new Promise((resolve) => flow.whenUp((error) => resolve(error?.message))), 'the port is closed');
    await assert.rejects(flow.send('x'), /not connected/);
  });

  it('gives up on a connection that is not made in time', async () => {
    const port = await freePort();
    // No traffic but on loopback, where a connection is never slow: so time is fast.
    const hurried = {
      now: () => Date.now(),
      after(_: number, run: () => void) {
        process.nextTick(run);
        return () => {};
      },
    };
    const options = { host: '127.0.0.1', port, connectTimeoutMs: 50, random: () => 0 };
    const flow = new TcpFlow(options, hurried, { up() {}, down() {}, message() {}, wanted: () => false });
    const message = await new Promise<string>((resolve) => flow.whenUp((error) => resolve(error?.message ?? 'up')));
    assert.equal(message, `No connection to 127.0.0.1:${port} (TCP): not connected within 50 ms`);
    flow.close();
  });
});
