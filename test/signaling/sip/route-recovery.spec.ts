/** Microsoft's recovery of a stale route set (MS-SIPRE, 3.7), with Kamailio in the part of the proxies. */
import assert from 'node:assert/strict';
import { KamailioEdge, KamailioFocus, peersTimeoutMs, skipWithoutPeers } from '../../support/peers';
import { Endpoint } from './harness';
import { type Message, ScriptedFocus } from './scripted-focus';

describe('route recovery (MS-SIPRE), with Kamailio', function () {
  this.timeout(60_000);
  let focus: KamailioFocus;
  let edge: KamailioEdge;
  let alice: Endpoint;

  before(async function () {
    this.timeout(peersTimeoutMs);
    skipWithoutPeers(this);
    focus = await new KamailioFocus().start();
    edge = await new KamailioEdge(focus.port, { variants: ['SIPRE'] }).start();
  });

  beforeEach(async () => {
    alice = new Endpoint(edge, `sip:room@127.0.0.1:${focus.port}`, { commands: 'cccp' });
    await alice.join();
  });

  afterEach(() => alice?.port.close());

  after(async () => {
    for (const peer of [edge, focus]) await peer?.stop();
  });

  it('meets 430 at a proxy that knows the route no more, heals without the old one, and repeats (HOP-1, HOP-9, HOP-10)', async () => {
    await edge.forgetRoutes();
    const { outcome } = await alice.request('operation', { operation: 'lock' });
    assert.ok(outcome.kind === 'refused');
    assert.deepEqual([outcome.status, outcome.recoveryAction], [430, ['Dialog-Route-Set-Update']]);
    assert.deepEqual((await alice.request('heal')).outcome, { kind: 'ok', status: 200 });
    assert.deepEqual((await alice.request('operation', { operation: 'lock' })).outcome, { kind: 'ok', status: 200 });
  });

  it('heals by re-INVITE as well', async () => {
    await edge.forgetRoutes();
    const stale = await alice.request('heal', { method: 're-INVITE' });
    assert.ok(stale.outcome.kind === 'refused' && stale.outcome.status === 430);
    assert.equal((await alice.request('heal', { method: 're-INVITE' })).outcome.kind, 'ok');
    assert.equal((await alice.request('operation', { operation: 'lock' })).outcome.kind, 'ok');
  });

  it('gives the subscription and calls a new route, too (HOP-18)', async () => {
    alice.perform({ effect: 'place-call', callId: 'c', mcu: 'chat', media: [], timeoutMs: 2000 });
    await alice.next('call-accepted');
    await edge.forgetRoutes();
    const since = alice.events.length;
    alice.perform({ effect: 'refresh-call', callId: 'c', mcu: 'chat' });
    const text = { effect: 'send-text', callId: 'c', mcu: 'chat', text: 'hi', timeoutMs: 2000 } as const;
    alice.perform({ ...text, requestId: 't' });
    assert.equal((await alice.next('outcome', ({ requestId }) => requestId === 't')).outcome.kind, 'ok');
    assert.equal((await alice.request('subscription')).outcome.kind, 'refused');
    assert.equal((await alice.request('subscription')).outcome.kind, 'ok');
    assert.equal(alice.events.slice(since).filter(({ event }) => event.startsWith('call-')).length, 0);
  });
});

describe('route recovery (MS-SIPRE), with a scripted Focus', () => {
  let focus: ScriptedFocus;
  let alice: Endpoint;
  let invite: Message;
  let stale: boolean;

  const route = (name: string): string => `<sip:${name}@127.0.0.1:${focus.port};transport=tcp;lr>`;
  const nameIn = ({ headers }: Message): string | undefined => /sip:(\w+)@/.exec(headers.route ?? '')?.[1];

  const begin = async (recoveryAction: string): Promise<void> => {
    focus = await new ScriptedFocus().start();
    alice = new Endpoint(focus, `sip:room@127.0.0.1:${focus.port}`, { commands: 'cccp' });
    stale = false;
    focus.script = ({ what, headers }) => {
      if (what === 'SUBSCRIBE') return { status: '489 Bad Event' };
      if (stale && headers.route?.includes('sip:old@')) {
        return { status: '430 Flow Failed', headers: [`P-Dialog-Recovery-Action: ${recoveryAction}`] };
      }
      return { status: '200 OK', headers: [`Record-Route: ${route(stale ? 'new' : 'old')}`] };
    };
    await alice.join();
    invite = await focus.next('INVITE');
    stale = true;
  };

  const lock = async () => (await alice.request('operation', { operation: 'lock' })).outcome;

  afterEach(async () => {
    await alice.port.close();
    await focus.stop();
  });

  for (const action of ['Dialog-Route-Set-Update', 'registration-route-set-update, dialog-route-set-update']) {
    it(`heals after ${action} without the old route, and adopts the new one (HOP-10, HOP-17, HOP-23)`, async () => {
      await begin(action);
      const met = await lock();
      assert.ok(met.kind === 'refused' && met.recoveryAction);
      assert.ok(met.recoveryAction.includes('Dialog-Route-Set-Update'));
      assert.equal(met.recoveryAction.includes('Registration-Route-Set-Update'), action.startsWith('registration'));
      const healed = await alice.request('heal', { refreshRegistration: action.startsWith('registration') });
      assert.equal(healed.outcome.kind, 'ok');
      assert.equal(nameIn(await focus.next('UPDATE')), undefined);
      assert.equal((await lock()).kind, 'ok');
      assert.equal(nameIn(await focus.next('INFO', 2)), 'new');
    });
  }

  it('adopts the route that the far end has found, after Wait-For-Session-Update (HOP-3, HOP-8)', async () => {
    await begin('Wait-For-Session-Update');
    const met = await lock();
    assert.ok(met.kind === 'refused');
    assert.deepEqual(met.recoveryAction, ['Wait-For-Session-Update']);
    focus.send('UPDATE', invite, [`Record-Route: ${route('theirs')}`]);
    await alice.next('remote-update');
    assert.match((await focus.next('200')).headers['record-route'] ?? '', /theirs/);
    assert.equal((await lock()).kind, 'ok');
    assert.equal(nameIn(await focus.next('INFO', 2)), 'theirs');
  });

  it('keeps its route set through an UPDATE of the far end that records one, when it is not stale (RFC 3261, 12.2)', async () => {
    await begin('Dialog-Route-Set-Update');
    focus.send('UPDATE', invite, [`Record-Route: ${route('theirs')}`]);
    await alice.next('remote-update');
    await lock();
    assert.equal(nameIn(await focus.next('INFO')), 'old');
  });

  it('goes without the old route until it has a new one', async () => {
    await begin('Dialog-Route-Set-Update');
    await lock();
    const { script } = focus;
    focus.script = () => ({ status: '504 Server Time-out' });
    assert.equal((await alice.request('heal')).outcome.kind, 'refused');
    focus.script = script;
    assert.equal((await alice.request('heal')).outcome.kind, 'ok');
    assert.deepEqual(focus.all('UPDATE').map(nameIn), [undefined, undefined]);
  });
});
