import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { SipPort } from '../../../nodes/signaling/sip/sip-port';
import { freePort } from '../../support/free-port';
import { KamailioEdge, KamailioFocus, peersTimeoutMs, SippFocus, skipWithoutPeers } from '../../support/peers';
import { type Capabilities, type Peer, signalingContract } from '../contract';
import { Endpoint, leewayMs, systemClock } from './harness';

describe('SIP over TCP, with real peers', function () {
  this.timeout(60_000);
  let focus: KamailioFocus;
  let edge: KamailioEdge;
  let conference: string;
  let rooms = 0;
  const endpoints: Endpoint[] = [];

  const endpoint = (options: ConstructorParameters<typeof Endpoint>[2] = {}): Endpoint => {
    const created = new Endpoint(edge, conference, options);
    endpoints.push(created);
    return created;
  };

  const direct = (options: ConstructorParameters<typeof Endpoint>[2] = {}): Endpoint => {
    const created = new Endpoint(focus, conference, options);
    endpoints.push(created);
    return created;
  };

  before(async function () {
    this.timeout(peersTimeoutMs);
    skipWithoutPeers(this);
    focus = await new KamailioFocus().start();
    edge = await new KamailioEdge(focus.port).start();
  });

  beforeEach(() => {
    rooms += 1;
    conference = `sip:room${rooms}@127.0.0.1:${focus.port}`;
  });

  afterEach(async () => {
    for (const each of endpoints.splice(0)) await each.port.close();
    if (!focus) return;
    for (const method of ['INVITE', 'UPDATE', 'INFO', 'OPTIONS', 'SUBSCRIBE', 'BYE']) await focus.fault(method, 0);
  });

  after(async () => {
    await edge?.stop();
    await focus?.stop();
  });

  it('joins, and has the roster', async () => {
    const alice = endpoint();
    const joined = await alice.join();
    assert.equal(joined.placement, 'conference');
    assert.equal(joined.mcus, null);
    assert.equal(joined.document?.state, 'full');
    assert.ok(joined.document.users.some((user) => user.entity === 'sip:alice@example.com'));
  });

  it('hears of a second participant', async () => {
    const alice = endpoint();
    await alice.join();
    await endpoint({ uri: 'sip:bob@example.com', displayName: 'Bob "the \\ builder"\r\nX: y' }).join();
    const { document } = await alice.next('document', (event) =>
      event.document.users.some((user) => user.entity === 'sip:bob@example.com'),
    );
    assert.ok(document.version > 0);
  });

  it('tells a lost hop, comes back with it, and heals the route by UPDATE', async () => {
    const alice = endpoint();
    await alice.join();
    await edge.kill();
    const lost = await alice.next('transport-lost');
    assert.match(lost.message, /127\.0\.0\.1:\d+ \(TCP\)/);
    const whileDown = await alice.request('heal', { method: 'UPDATE', attempt: 1 });
    assert.equal(whileDown.outcome.kind, 'unreachable');
    assert.ok(whileDown.outcome.kind === 'unreachable' && whileDown.outcome.cause === 'transport');
    assert.equal(whileDown.outcome.written, false);
    assert.match(whileDown.outcome.message, /ECONNREFUSED/);

    await edge.start();
    await alice.next('transport-restored');
    const since = alice.events.length;
    const healed = await alice.request('heal', { method: 'UPDATE', attempt: 2 });
    assert.deepEqual(healed.outcome, { kind: 'ok', status: 200 });
    alice.perform({ effect: 'refresh-roster', dialog: 1 });
    await alice.next('document', (event) => event.document.state === 'full', { since });
    assert.equal(alice.count('transport-lost'), 1);
    assert.equal(alice.count('subscription-lost'), 0);

    await endpoint({ uri: 'sip:bob@example.com' }).join();
    await alice.next('document', (event) => event.document.users.some((user) => user.entity.includes('bob')), {
      since,
    });
  });

  it('fails a pending request when the hop is lost', async () => {
    const alice = endpoint();
    await alice.join();
    await focus.fault('UPDATE', 1);
    const before = await focus.requests('UPDATE');
    const pending = alice.request('heal', { timeoutMs: 30_000 });
    while ((await focus.requests('UPDATE')) === before) await delay(20);
    await edge.kill();
    const { outcome, elapsedMs } = await pending;
    assert.ok(outcome.kind === 'unreachable' && outcome.cause === 'transport' && outcome.written);
    // Long before its time is up.
    assert.ok(elapsedMs < 20_000);
    await edge.start();
  });

  it('heals by re-INVITE and by OPTIONS', async () => {
    const alice = endpoint();
    await alice.join();
    for (const method of ['re-INVITE', 'OPTIONS'] as const) {
      const healed = await alice.request('heal', { method });
      assert.deepEqual([healed.method, healed.outcome], [method, { kind: 'ok', status: 200 }]);
    }
  });

  it('tells that the Focus knows the dialog no more', async () => {
    const alice = endpoint();
    await alice.join();
    await focus.fault('UPDATE', 481);
    const { outcome } = await alice.request('heal');
    assert.ok(outcome.kind === 'refused');
    assert.equal(outcome.status, 481);
    assert.equal(outcome.response.status, 481);
  });

  it('tells the answers of a server from the silence of one', async () => {
    // Without the edge: a proxy makes 500 of a 503 that is not its own (RFC 3261, 16.7).
    const alice = direct();
    await alice.join();
    for (const status of [408, 503]) {
      await focus.fault('UPDATE', status);
      const { outcome } = await alice.request('heal');
      assert.ok(outcome.kind === 'refused', `${status} is an answer`);
      assert.equal(outcome.status, status);
    }
    await focus.fault('UPDATE', 1);
    const { outcome, elapsedMs } = await alice.request('heal', { timeoutMs: 300 });
    assert.ok(outcome.kind === 'unreachable' && outcome.cause === 'timeout' && outcome.written);
    assert.ok(elapsedMs >= 295 && elapsedMs < 300 + leewayMs, `${elapsedMs} ms`);
  });

  it('probes the Focus outside of the dialog', async () => {
    const alice = endpoint();
    const before = await alice.request('probe', { dialog: 0 });
    assert.deepEqual([before.method, before.outcome], ['OPTIONS', { kind: 'ok', status: 200 }]);
    await alice.join();
    assert.equal((await alice.request('probe')).outcome.kind, 'ok');
    assert.equal((await alice.request('refresh')).outcome.kind, 'ok');
    assert.equal((await alice.request('subscription')).outcome.kind, 'ok');
  });

  it('has no operations over plain SIP, and says so', async () => {
    const alice = endpoint();
    await alice.join();
    const { outcome } = await alice.request('operation', { operation: 'lock' });
    assert.ok(outcome.kind === 'unsupported');
    assert.match(outcome.message, /"lock".*plain SIP/);
  });

  it('sends operations as C3P in INFO, where that is asked for', async () => {
    const alice = endpoint({ commands: 'cccp' });
    await alice.join();
    const sent = await alice.request('operation', { operation: 'lock' });
    assert.deepEqual([sent.method, sent.outcome], ['INFO', { kind: 'ok', status: 200 }]);
    await focus.fault('INFO', 603);
    const { outcome } = await alice.request('operation', { operation: 'eject', arguments: { participant: 'sip:b@c' } });
    assert.ok(outcome.kind === 'refused' && outcome.status === 603);
  });

  it('times out at a hung hop, and works again when it does', async () => {
    const alice = endpoint();
    await alice.join();
    edge.hang();
    try {
      const { outcome, elapsedMs } = await alice.request('heal', { timeoutMs: 400 });
      assert.ok(outcome.kind === 'unreachable' && outcome.cause === 'timeout' && outcome.written);
      assert.ok(elapsedMs >= 395 && elapsedMs < 400 + leewayMs, `${elapsedMs} ms`);
    } finally {
      edge.resume();
    }
    assert.equal((await alice.request('heal')).outcome.kind, 'ok');
  });

  it('leaves: the others see it go, and it hears nothing more', async () => {
    const alice = endpoint();
    await alice.join();
    const bob = endpoint({ uri: 'sip:bob@example.com' });
    await bob.join();
    const since = alice.events.length;
    bob.perform({ effect: 'leave', dialog: 1, silently: false });
    await bob.next('left');
    const heard = bob.events.length;
    await alice.next('document', (event) => !event.document.users.some((user) => user.entity.includes('bob')), {
      since,
    });
    assert.equal(bob.events.length, heard);
    assert.equal((await bob.request('heal')).outcome.kind, 'refused');
  });

  it('joins again after the Focus has lost everything, with a new dialog', async () => {
    const alice = endpoint();
    await alice.join();
    await focus.kill();
    await focus.start();
    const { outcome } = await alice.request('heal');
    assert.ok(outcome.kind === 'refused' && outcome.status === 481);
    const rejoined = await alice.join(2);
    assert.ok(rejoined.document?.users.some((user) => user.entity === 'sip:alice@example.com'));
    assert.equal((await alice.request('heal', { dialog: 2 })).outcome.kind, 'ok');
    assert.equal(alice.count('subscription-lost'), 0);
  });

  it('joins without a roster where there is none', async () => {
    await focus.fault('SUBSCRIBE', 489);
    const alice = endpoint();
    const joined = await alice.join();
    assert.equal(joined.document, null);
  });

  it('says why a join failed: refused, silent, unreachable', async () => {
    await focus.fault('INVITE', 403);
    const refused = endpoint();
    refused.perform({ effect: 'join', dialog: 1, rejoin: false });
    const { outcome } = await refused.next('join-failed');
    assert.ok(outcome.kind === 'refused' && outcome.status === 403);

    await focus.fault('INVITE', 1);
    const silent = endpoint({ joinTimeoutMs: 300 });
    silent.perform({ effect: 'join', dialog: 1, rejoin: false });
    const late = await silent.next('join-failed');
    assert.ok(late.outcome.kind === 'unreachable' && late.outcome.cause === 'timeout');

    const nowhere = new Endpoint({ port: await freePort() }, conference);
    endpoints.push(nowhere);
    nowhere.perform({ effect: 'join', dialog: 1, rejoin: false });
    const unreachable = await nowhere.next('join-failed');
    assert.ok(unreachable.outcome.kind === 'unreachable' && unreachable.outcome.cause === 'transport');
    assert.match(unreachable.outcome.message, /127\.0\.0\.1:\d+.*refused/);
  });

  it('places a call, sends text into it, and ends it', async () => {
    const alice = endpoint();
    await alice.join();
    alice.perform({ effect: 'place-call', callId: 'c1', mcu: 'audio-video', media: ['audio'], timeoutMs: leewayMs });
    await alice.next('call-accepted', (event) => event.callId === 'c1');
    alice.perform({
      effect: 'send-text',
      requestId: 't1',
      callId: 'c1',
      mcu: 'audio-video',
      text: 'hello',
      timeoutMs: leewayMs,
    });
    const { outcome } = await alice.next('outcome', (event) => event.requestId === 't1');
    assert.equal(outcome.kind, 'ok');
    alice.perform({ effect: 'end-call', callId: 'c1', mcu: 'audio-video' });
    assert.equal((await alice.next('call-ended')).reason, 'HungUp');

    await focus.fault('INVITE', 486);
    alice.perform({ effect: 'place-call', callId: 'c2', mcu: 'audio-video', media: [], timeoutMs: leewayMs });
    const failed = await alice.next('call-failed');
    assert.ok(failed.outcome.kind === 'refused' && failed.outcome.status === 486);
  });

  it('joins at SIPp', async () => {
    const sipp = await new SippFocus().start();
    try {
      const alice = new Endpoint(sipp, `sip:focus@127.0.0.1:${sipp.port}`);
      endpoints.push(alice);
      const joined = await alice.join();
      assert.deepEqual(
        joined.document?.users.map((user) => user.entity),
        ['sip:alice@127.0.0.1'],
      );
      for (const method of ['UPDATE', 'OPTIONS'] as const) {
        assert.equal((await alice.request('heal', { method })).outcome.kind, 'ok');
      }
      alice.perform({ effect: 'leave', dialog: 1, silently: false });
      await alice.next('left');
    } finally {
      await sipp.stop();
    }
  });

  const capabilities: Capabilities = {
    documents: true,
    operation: { name: 'lock', arguments: {} },
    healing: ['UPDATE', 're-INVITE', 'OPTIONS'],
    call: { mcu: 'audio-video', media: ['audio'], watched: false, reported: false },
    text: { mcu: 'chat' },
  };
  const makePort = (): SipPort =>
    new SipPort(
      { uri: 'sip:alice@example.com', host: '127.0.0.1', port: edge.port, transport: 'tcp', commands: 'cccp' },
      systemClock,
    );
  signalingContract(
    'SIP over TCP, through Kamailio',
    (): Peer => ({
      port: makePort(),
      restart: makePort,
      conference,
      capabilities,
      patienceMs: 500,
      leewayMs,
      pass: delay,
      fallSilent: () => edge.hang(),
      async forgetDialogs() {
        await focus.kill();
        await focus.start();
      },
      dispose: () => edge.resume(),
    }),
  );
});
