/** The canonical flow with its endpoint switched to SIP, in a real Node-RED, against real peers on the loopback interface. */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type {
  HealAttempted,
  OperationCompleted,
  OperationFailed,
  Participant,
  RosterChanged,
  Signal,
} from '../../nodes/recovery/messages';
import { Endpoint as Participation } from '../signaling/sip/harness';
import { type Message, ScriptedFocus } from '../signaling/sip/scripted-focus';
import { freePort } from '../support/free-port';
import { KamailioEdge, KamailioFocus, peersTimeoutMs, skipWithoutPeers } from '../support/peers';
import { Drill, flowWith, merge, type Overrides, quick } from './drill';

const self = 'sip:node-red@example.com';
/** The one line with which the canonical flow's injector says that it is of no use here. */
const noFaultsHere = /fault-injector.*embedded pool only/;
const entityOf = ({ entity }: Participant): string => entity;

/** The canonical flow against the SIP server at a port; `heartbeat` 0, so that only what a test does is on the wire. */
function sipFlow(port: number | string, conference: string, more: Overrides = {}) {
  const endpoint = {
    system: 'sip',
    uri: self,
    host: '127.0.0.1',
    port: String(port),
    transport: 'tcp',
    commands: 'none',
  };
  const overrides = merge(quick, { 'conference-endpoint': endpoint, 'conference-session': { heartbeat: '0' } });
  return flowWith(merge(overrides, more), conference);
}

const failures = (drill: Drill): OperationFailed[] => drill.all<OperationFailed>({ event: 'operation-failed' });

describe('SIP: the canonical flow', function () {
  this.timeout(90_000);
  let drill: Drill | undefined;

  const start = async (...flow: Parameters<typeof sipFlow>): Promise<Drill> => {
    drill = await Drill.start(sipFlow(...flow));
    return drill;
  };

  const leave = async (running: Drill): Promise<void> => {
    running.mark();
    running.ask('conference-session', 'terminate');
    await running.session('Disconnected');
  };

  afterEach(async () => {
    await drill?.stop();
    drill = undefined;
  });

  describe('against Kamailio as Focus, behind Kamailio as hop', () => {
    let focus: KamailioFocus;
    let edge: KamailioEdge;
    let conference: string;
    /** Others in the conference, who reach the Focus without the hop. */
    const others: Participation[] = [];

    const arrive = async (uri: string): Promise<Participation> => {
      const other = new Participation(focus, conference, { uri });
      others.push(other);
      await other.join();
      return other;
    };

    const depart = async (other: Participation): Promise<void> => {
      other.perform({ effect: 'leave', dialog: 1, silently: false });
      await other.next('left');
    };

    const isThere =
      (uri: string) =>
      ({ joined }: RosterChanged) =>
        joined.some(({ entity }) => entity === uri);

    before(async function () {
      this.timeout(peersTimeoutMs);
      skipWithoutPeers(this);
      focus = await new KamailioFocus().start();
      edge = await new KamailioEdge(focus.port).start();
      conference = `sip:daily@127.0.0.1:${focus.port}`;
    });

    afterEach(async () => {
      for (const other of others.splice(0)) await other.port.close();
    });

    after(async () => {
      await edge?.stop();
      await focus?.stop();
    });

    it('the hop is killed and comes back: healed by UPDATE, same dialog, roster refreshed', async () => {
      const running = await start(edge.port, conference);
      await running.join();
      const bob = await arrive('sip:bob@example.com');
      await running.roster(isThere('sip:bob@example.com'));
      const invites = await focus.requests('INVITE');
      const updates = await focus.requests('UPDATE');

      running.mark();
      await edge.kill();
      const lost = await running.session('Reconnecting');
      assert.equal(lost.mode, 'recovering');
      running.ask('conference-session', 'lock');
      await running.failed('lock', 'RetryableOperation');
      await running.next<HealAttempted>({ event: 'heal-attempted', attempt: 2, outcome: 'unreachable' });
      await edge.start();
      await running.session('Connected', 15_000);
      assert.deepEqual(running.path(), ['Reconnecting (recovering) RouteBroken', 'Connected RouteHealed']);
      const healing = running.all<Signal>({ event: 'signal', purpose: 'heal' });
      for (const { method } of healing) assert.equal(method, 'UPDATE');
      assert.equal(healing.at(-1)?.status, 200);
      assert.ok((await focus.requests('UPDATE')) > updates);
      assert.equal(await focus.requests('INVITE'), invites);
      assert.deepEqual(running.mcuPath('chat'), []);

      // The roster lives again.
      await depart(bob);
      await running.roster(({ left }) => left.some(({ entity }) => entity === 'sip:bob@example.com'));
      assert.equal((await running.status()).dialog, 1);
      await leave(running);
      running.check(noFaultsHere);
    });

    it('somebody joins while the hop is down: the refreshed roster shows it', async () => {
      const running = await start(edge.port, conference);
      await running.join();
      running.mark();
      await edge.kill();
      await running.session('Reconnecting');
      await arrive('sip:carol@example.com');
      await edge.start();
      await running.session('Connected', 15_000);
      await running.roster(isThere('sip:carol@example.com'));
      assert.deepEqual(running.path(), ['Reconnecting (recovering) RouteBroken', 'Connected RouteHealed']);
      await leave(running);
      running.check(noFaultsHere);
    });

    it('the Focus answers 481: joined again with one INVITE', async () => {
      const running = await start(edge.port, conference, { 'conference-endpoint': { commands: 'cccp' } });
      await running.join();
      const invites = await focus.requests('INVITE');
      await focus.fault('INFO', 481);
      running.mark();
      running.ask('conference-session', 'lock');
      const lost = await running.session('Reconnecting');
      assert.equal(lost.mode, 'rejoining');
      const { error } = await running.failed('lock', 'SessionRetrying');
      assert.equal(error.incident, lost.incident);
      await running.session('Connected');
      await focus.fault('INFO', 0);
      await Promise.all([running.mcu('audio-video', 'Active'), running.mcu('chat', 'Active')]);
      assert.deepEqual(running.path(), ['Reconnecting (rejoining) FocusFailover', 'Connected Rejoined']);
      assert.deepEqual(running.mcuPath('chat'), ['Retrying FocusFailover', 'Active McuReportedActive']);
      assert.equal(await focus.requests('INVITE'), invites + 1);
      assert.equal(failures(running).length, 1);
      assert.equal((await running.status()).dialog, 2);

      running.mark();
      running.ask('conference-session', 'lock');
      await running.next<OperationCompleted>({ event: 'operation-completed', operation: 'lock' });
      await leave(running);
      running.check(noFaultsHere);
    });

    it('the Focus dies and starts again without memory: roster differences tell who came and went', async () => {
      const running = await start(edge.port, conference, { 'conference-endpoint': { commands: 'cccp' } });
      await running.join();
      await arrive('sip:bob@example.com');
      await running.roster(isThere('sip:bob@example.com'));
      running.mark();
      await focus.kill();
      await focus.start();
      await arrive('sip:carol@example.com');
      running.ask('conference-session', 'lock');
      await running.failed('lock', 'SessionRetrying');
      await running.session('Connected');
      assert.deepEqual(running.path(), ['Reconnecting (rejoining) FocusFailover', 'Connected Rejoined']);
      const [difference, ...more] = running.all<RosterChanged>({
        source: 'conference-session',
        event: 'roster-changed',
      });
      assert.deepEqual(more, []);
      assert.equal(difference?.cause, 'resync');
      assert.deepEqual(difference.joined.map(entityOf), ['sip:carol@example.com']);
      assert.deepEqual(difference.left.map(entityOf), ['sip:bob@example.com']);
      // Carol's, and one of ours.
      assert.equal(await focus.requests('INVITE'), 2);
      await leave(running);
      running.check(noFaultsHere);
    });

    it('plain SIP has no lock, and says so', async () => {
      const running = await start(edge.port, conference);
      await running.join();
      running.mark();
      running.ask('conference-session', 'lock');
      const { error } = await running.failed('lock', 'NotSupported');
      assert.equal(error.name, 'InvalidOperationException');
      assert.equal((await running.status()).state, 'Connected');
      await leave(running);
      running.check(noFaultsHere);
    });
  });

  describe('without a server', () => {
    /** A join that must fail, and leave nothing but one typed error. */
    const refusedJoin = async (running: Drill): Promise<OperationFailed> => {
      running.mark();
      running.ask('conference-session', 'join');
      const failure = await running.next<OperationFailed>({ event: 'operation-failed', operation: 'join' });
      assert.equal(failures(running).length, 1);
      // Node-RED and its nodes live on.
      assert.equal((await fetch(`${running.nodeRed.url}/settings`)).status, 200);
      return failure;
    };

    it('nobody listens: one typed error', async () => {
      const port = await freePort();
      const running = await start(port, 'sip:daily@example.com');
      const { error } = await refusedJoin(running);
      assert.equal(error.name, 'ConnectionFailureException');
      assert.match(error.message, new RegExp(`127\\.0\\.0\\.1:${port}`));
      assert.deepEqual(running.path(), ['Connecting JoinRequested', 'Idle JoinFailed']);
      assert.equal((await running.status()).state, 'Idle');
      running.check(noFaultsHere);
    });

    it('a port where no SIP is spoken: one typed error', async () => {
      const web = createServer((_, response) => response.end());
      await new Promise<void>((listening) => web.listen(0, '127.0.0.1', listening));
      try {
        const { port } = web.address() as { port: number };
        const patience = { 'conference-session': { rejoinTimeout: '2' } };
        const running = await start(port, 'sip:daily@example.com', patience);
        const { error } = await refusedJoin(running);
        assert.ok(['ConnectionFailureException', 'OperationTimeoutException'].includes(error.name), error.name);
        assert.deepEqual(running.path(), ['Connecting JoinRequested', 'Idle JoinFailed']);
        assert.equal((await running.status()).state, 'Idle');
        running.check(noFaultsHere);
      } finally {
        web.closeAllConnections();
        await new Promise((closed) => web.close(closed));
      }
    });

    it('a port that is none: one line in the log, one typed error per request', async () => {
      const running = await start(70_000, 'sip:daily@example.com');
      const { error } = await refusedJoin(running);
      assert.equal(error.name, 'InvalidOperationException');
      running.check(/port 70000/);
    });
  });

  it('a roster that cannot be read: one typed error each, and the conference goes on', async () => {
    const focus = await new ScriptedFocus().start();
    try {
      const conference = `sip:daily@127.0.0.1:${focus.port}`;
      const document = (version: number, ...users: string[]): string =>
        '<conference-info xmlns="urn:ietf:params:xml:ns:conference-info" entity="sip:daily@x" state="full" ' +
        `version="${version}"><users>${users.map((user) => `<user entity="${user}"/>`).join('')}</users></conference-info>`;
      const headers = [
        'Event: conference',
        'Subscription-State: active;expires=600',
        'Content-Type: application/conference-info+xml',
      ];
      let subscribe: Message;
      const notify = (body: string): void => focus.send('NOTIFY', subscribe, headers, body);

      const running = await start(focus.port, conference);
      running.mark();
      running.ask('conference-session', 'join');
      subscribe = await focus.next('SUBSCRIBE');
      notify(document(1, self));
      await running.session('Connected');

      const unreadable = ['this is no XML', document(2, self, 'sip:bob@example.com').slice(0, -30)];
      for (const body of unreadable) {
        running.mark();
        notify(body);
        const { error } = await running.next<OperationFailed>({ event: 'operation-failed' });
        assert.equal(error.name, 'MessageParsingException');
        assert.equal((await running.status()).state, 'Connected');
        assert.deepEqual(failures(running), []);
      }

      running.mark();
      notify(document(3, self, 'sip:carol@example.com'));
      await running.roster(({ joined }) => joined.map(entityOf).join() === 'sip:carol@example.com');
      assert.deepEqual(failures(running), []);
      await leave(running);
      running.check(noFaultsHere);
    } finally {
      await focus.stop();
    }
  });
});
