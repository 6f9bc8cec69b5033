/** An embedded pool with its SIP server: clients of other makers and the sessions of the flow meet in one conference. */
import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { Endpoint as Participation } from '../signaling/sip/harness';
import { CONFERENCE, canonical, Flow, type FlowNode, type Loose } from '../support/flow';
import { freePort } from '../support/free-port';
import { answersOptions, joinWithSipp, skipWithoutPeers } from '../support/peers';

const bob = 'sip:bob@example.com';

/** The canonical flow, its pool with a SIP server on a port. */
function withServer(port: number): FlowNode[] {
  return canonical({}).map((node) =>
    node.id === 'endpoint' ? { ...node, sipServer: true, sipServerPort: String(port) } : node,
  );
}

describe('an embedded pool with a SIP server', function () {
  this.timeout(60_000);
  let flow: Flow;
  let port: number;

  beforeEach(async () => {
    port = await freePort();
  });

  afterEach(() => flow?.unload());

  for (const transport of ['tcp', 'udp'] as const) {
    it(`shows sessions a participant who joined over SIP (${transport}), and the other way round`, async () => {
      flow = await Flow.load(withServer(port));
      await flow.join();
      const arrived = flow.waitFor(
        ({ event, joined }) =>
          event === 'roster-changed' && joined.some(({ entity }: { entity: string }) => entity === bob),
      );
      const client = new Participation({ port }, CONFERENCE, { uri: bob, transport, commands: 'cccp' });
      const { document } = await client.join();
      assert.ok(document?.users.some(({ entity }) => entity === 'sip:node-red@pool.example'));
      await arrived;

      // What the one does the other hears.
      const locked = await client.request('operation', { operation: 'lock' });
      assert.deepEqual(locked.outcome, { kind: 'ok', status: 200 });
      const removed = flow.waitFor(({ event, left }) => event === 'roster-changed' && left.length > 0);
      await flow.askAndWait('session', { command: 'eject', participant: bob });
      await client.next('remote-bye');
      await removed;
      await client.port.close();
    });
  }

  for (const transport of ['tcp', 'udp'] as const) {
    it(`is joined by SIPp over ${transport}, which finds itself in the roster`, async function () {
      skipWithoutPeers(this);
      flow = await Flow.load(withServer(port));
      await flow.join();
      const seen = (change: 'joined' | 'left') =>
        flow.waitFor(
          (payload) =>
            payload.event === 'roster-changed' &&
            payload[change].some(({ entity }: { entity: string }) => entity === 'sip:sipp@127.0.0.1'),
        );
      const comings = [seen('joined'), seen('left')];
      while (!(await answersOptions(transport, '127.0.0.1', port))) await delay(20);
      const [user = ''] = CONFERENCE.replace('sip:', '').split('@');
      await joinWithSipp(port, user, transport);
      await Promise.all(comings);
    });
  }

  it('a fault that is injected shows on the wire', async () => {
    flow = await Flow.load(withServer(port));
    await flow.join();
    const client = new Participation({ port }, CONFERENCE, { uri: bob });
    await client.join();
    await flow.askAndWait('injector', { command: 'break-hop', how: 'stale-route' });
    const stale = await client.request('refresh');
    assert.ok(stale.outcome.kind === 'refused' && stale.outcome.status === 430);
    assert.deepEqual(stale.outcome.recoveryAction, ['Dialog-Route-Set-Update']);
    assert.equal((await client.request('heal', { method: 'UPDATE' })).outcome.kind, 'ok');
    assert.equal((await client.request('refresh')).outcome.kind, 'ok');
    await flow.askAndWait('injector', { command: 'kill-front-end' });
    const gone = await client.request('refresh');
    assert.ok(gone.outcome.kind === 'refused' && gone.outcome.status === 481);
    await client.port.close();
  });

  it('whose port is in use says so once, its users are red, and the pool works', async () => {
    const holder = createServer();
    await new Promise<void>((resolve) => holder.listen(port, '127.0.0.1', resolve));
    try {
      flow = await Flow.load(withServer(port));
      await flow.until(() => flow.status('session')?.fill === 'red');
      assert.deepEqual(flow.logged(), [
        `conference-endpoint: port ${port} is in use: choose another one for the SIP server`,
      ]);
      for (const { node } of flow.takeErrors()) assert.equal(node, 'endpoint');
      assert.equal(flow.status('audio-video')?.fill, 'red');
      await flow.join();
    } finally {
      await new Promise((resolve) => holder.close(resolve));
    }
  });

  it('frees its port with the flow', async () => {
    flow = await Flow.load(withServer(port));
    await flow.until(() => flow.status('session') !== undefined);
    await flow.unload();
    flow = await Flow.load(withServer(port));
    await flow.join();
    const client = new Participation({ port }, CONFERENCE, { uri: bob });
    await client.join();
    await client.port.close();
    const status = flow.status('session') as Loose | undefined;
    assert.notEqual(status?.fill, 'red');
  });
});
