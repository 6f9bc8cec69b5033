/**
 * The canonical flow over each transport of SIP, in a real Node-RED with the packed pack, against a real Focus behind a real
 * hop, and every failure that the pack is for. One Node-RED per transport runs a copy of the flow for each kind of hop.
 */
import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import type {
  HealAttempted,
  OperationCompleted,
  OperationFailed,
  RosterChanged,
  Signal,
} from '../../nodes/recovery/messages';
import { copyOf, Drill, type FlowNode, flowWith, merge, type Overrides, quick } from '../package/drill';
import { Endpoint as Participation } from '../signaling/sip/harness';
import { CertificateAuthority } from '../support/certificates';
import { DnsStub } from '../support/dns-stub';
import { type NodeRedProcess, startNodeRed } from '../support/node-red-process';
import {
  type EdgeVariant,
  KamailioEdge,
  KamailioFocus,
  peersTimeoutMs,
  SippFocus,
  skipWithoutPeers,
} from '../support/peers';

const transports = ['udp', 'tcp', 'tls', 'ws', 'wss'] as const;
type Transport = (typeof transports)[number];
const isSecure = (transport: Transport): boolean => transport === 'tls' || transport === 'wss';

/** The user whom an edge that asks lets through. */
const alice = { username: 'alice', password: 'secret' };
/** The name of two edges, and another name for one of them, which its certificate does not have. */
const poolName = 'edge.pool.test';
const strangeName = 'other.test';

const noFaultsHere = /fault-injector.*embedded pool only/;
const healed = ['Reconnecting (recovering) RouteBroken', 'Connected RouteHealed'];

describe('drills', function () {
  this.timeout(90_000);
  const authority = new CertificateAuthority();
  let caFile: string;
  let dns: DnsStub;
  let focus: KamailioFocus;
  let sipp: SippFocus;
  /** One hop of each kind; `sipp` leads to SIPp, all others to the Focus. */
  let edges: { [kind in 'plain' | 'pool' | 'sibling' | 'sipre' | 'asks401' | 'asks407' | 'sipp']: KamailioEdge };

  before(async function () {
    this.timeout(peersTimeoutMs);
    skipWithoutPeers(this);
    const { certificate, key } = authority.issue(poolName, '127.0.0.1');
    caFile = authority.file('ca.pem', authority.certificate);
    const tls = { certificate: authority.file('edge.pem', certificate), key: authority.file('edge.key', key) };
    dns = await new DnsStub().start();
    dns.records[poolName] = ['127.0.0.1', '127.0.0.2'].map((address) => ({ type: 'A', address }));
    dns.records[strangeName] = [{ type: 'A', address: '127.0.0.1' }];
    [focus, sipp] = await Promise.all([new KamailioFocus().start(), new SippFocus('udp').start()]);
    await focus.resolve(poolName, '127.0.0.1');
    const start = (...variants: EdgeVariant[]): Promise<KamailioEdge> =>
      new KamailioEdge(focus.port, { variants, tls }).start();
    const [plain, pool, sipre, asks401, asks407, beforeSipp] = await Promise.all([
      start(),
      start('POOL'),
      start('SIPRE'),
      start('AUTH_401'),
      start('AUTH_407'),
      new KamailioEdge(sipp.port, { tls }).start(),
    ]);
    const sibling = await new KamailioEdge(focus.port, { variants: ['POOL'], tls, sibling: pool }).start();
    edges = { plain, pool, sibling, sipre, asks401, asks407, sipp: beforeSipp };
  });

  after(async () => {
    for (const edge of Object.values(edges ?? {})) await edge.stop();
    await sipp?.stop();
    await focus?.stop();
    await dns?.stop();
    authority.dispose();
  });

  for (const transport of transports) {
    describe(`over ${transport.toUpperCase()}`, () => {
      let nodeRed: NodeRedProcess;
      let conference: string;
      const drills: { [name: string]: Drill } = {};
      /** Somebody else in the conference, who reaches the Focus without a hop. */
      let other: Participation | undefined;

      const drillOf = (name: string): Drill => drills[name] as Drill;

      /** The flow with its endpoint at a hop. */
      const flowTo = (edge: KamailioEdge, endpoint: Overrides[string] = {}, where = conference): FlowNode[] =>
        flowWith(
          merge(quick, {
            'conference-endpoint': {
              system: 'sip',
              uri: 'sip:alice@example.com',
              host: '127.0.0.1',
              port: String(isSecure(transport) ? edge.tlsPort : edge.port),
              transport,
              caFile,
              keepAlive: '500',
              keepAliveUnit: 'ms',
              commands: 'cccp',
              ...endpoint,
            },
            // Where there are no connections, only requests can tell that a hop is gone.
            'conference-session': {
              heartbeat: transport === 'udp' ? '500' : '0',
              operationTimeout: '5',
            },
          }),
          where,
        );

      before(async function () {
        this.timeout(peersTimeoutMs);
        conference = `sip:${transport}@127.0.0.1:${focus.port}`;
        const flows: { [name: string]: FlowNode[] } = {
          plain: flowTo(edges.plain),
          sipp: flowTo(edges.sipp, {}, `sip:focus@127.0.0.1:${sipp.port}`),
          pool: flowTo(edges.pool, { host: poolName }),
          sipre: flowTo(edges.sipre),
          right401: flowTo(edges.asks401),
          wrong401: flowTo(edges.asks401),
          right407: flowTo(edges.asks407),
          wrong407: flowTo(edges.asks407),
          ...(isSecure(transport) ? { strange: flowTo(edges.plain, { host: strangeName }) } : {}),
        };
        const credentials: { [nodeId: string]: typeof alice } = {};
        const copies = Object.entries(flows).map(([name, flow]) => {
          const copy = copyOf(flow, name);
          const endpoint = copy.find(({ type }) => type === 'conference-endpoint') as FlowNode;
          if (name.startsWith('right')) credentials[endpoint.id] = alice;
          if (name.startsWith('wrong')) credentials[endpoint.id] = { ...alice, password: 'wrong' };
          return [name, copy] as const;
        });
        nodeRed = await startNodeRed({
          flows: copies.flatMap(([, copy]) => copy),
          credentials,
          dns: dns.address,
          install: 'tarball',
          observe: true,
        });
        for (const [name, copy] of copies) drills[name] = new Drill(nodeRed, copy);
      });

      after(() => nodeRed?.stop());

      afterEach(async () => {
        await other?.port.close();
        other = undefined;
      });

      const leave = async (drill: Drill): Promise<void> => {
        drill.mark();
        drill.ask('conference-session', 'terminate');
        await drill.session('Disconnected');
        drill.check(...Object.keys(drills).map(() => noFaultsHere));
      };

      /** One operation, which the Focus answers. */
      const lock = async (drill: Drill): Promise<void> => {
        drill.mark();
        drill.ask('conference-session', 'lock');
        await drill.next<OperationCompleted>({ event: 'operation-completed', operation: 'lock' });
      };

      /** The route was healed by UPDATE, the dialog is that of the join, and both ways are open. */
      const assertHealed = async (drill: Drill, path: string[] = healed): Promise<void> => {
        assert.deepEqual(drill.path(), path);
        const healing = drill.all<Signal>({ event: 'signal', purpose: 'heal' });
        for (const { method } of healing) assert.equal(method, 'UPDATE');
        assert.equal(healing.at(-1)?.status, 200);
        await lock(drill);
        assert.equal((await drill.status()).dialog, 1);
        if (drill === drills.sipp) return;
        drill.mark();
        other = new Participation(focus, conference, { uri: 'sip:bob@example.com' });
        await other.join();
        await drill.roster(({ joined }: RosterChanged) =>
          joined.some(({ entity }) => entity === 'sip:bob@example.com'),
        );
        other.perform({ effect: 'leave', dialog: 1, silently: false });
        await drill.roster(({ left }: RosterChanged) => left.some(({ entity }) => entity === 'sip:bob@example.com'));
      };

      for (const [kind, peer] of [
        ['plain', 'Kamailio'],
        ['sipp', 'SIPp'],
      ] as const) {
        it(`${peer}: the hop is killed and started again: healed by UPDATE`, async () => {
          const drill = drillOf(kind);
          await drill.join();
          drill.mark();
          await edges[kind].kill();
          const lost = await drill.session('Reconnecting');
          assert.equal(lost.mode, 'recovering');
          await edges[kind].start();
          await drill.session('Connected', 20_000);
          await assertHealed(drill);
          await leave(drill);
        });

        it(`${peer}: the hop hangs and goes on: noticed and healed`, async () => {
          const drill = drillOf(kind);
          await drill.join();
          drill.mark();
          const hungAt = Date.now();
          edges[kind].hang();
          try {
            const lost = await drill.session('Reconnecting', 20_000);
            assert.equal(lost.mode, 'recovering');
            console.log(`        noticed after ${((Date.now() - hungAt) / 1000).toFixed(1)} s`);
          } finally {
            edges[kind].resume();
          }
          await drill.session('Connected', 20_000);
          await assertHealed(drill);
          await leave(drill);
        });
      }

      it('a sibling takes the place of the hop: healed through it', async () => {
        const drill = drillOf('pool');
        await drill.join();
        drill.mark();
        await focus.resolve(poolName, edges.sibling.host);
        await edges.pool.kill();
        try {
          await drill.next<HealAttempted>({ event: 'heal-attempted', outcome: 'healed' }, 20_000);
          // Mostly the first attempt finds the sibling, and nobody sees a change of state.
          if (drill.path().length > 0) await drill.session('Connected');
          await assertHealed(drill, drill.path().length > 0 ? healed : []);
          await leave(drill);
        } finally {
          await edges.pool.start();
          await focus.resolve(poolName, edges.pool.host);
        }
      });

      for (const [how, loseDialogs] of [
        ['is started again without memory', () => focus.kill().then(() => focus.start())],
        ['answers 481', () => focus.fault('INFO', 481)],
      ] as const) {
        it(`the Focus ${how}: joined again with one INVITE`, async () => {
          const drill = drillOf('plain');
          await drill.join();
          drill.mark();
          await loseDialogs();
          const invites = await focus.requests('INVITE');
          drill.ask('conference-session', 'lock');
          const lost = await drill.session('Reconnecting');
          assert.equal(lost.mode, 'rejoining');
          await drill.session('Connected', 20_000);
          await focus.fault('INFO', 0);
          await Promise.all([drill.mcu('audio-video', 'Active'), drill.mcu('chat', 'Active')]);
          assert.deepEqual(drill.path(), ['Reconnecting (rejoining) FocusFailover', 'Connected Rejoined']);
          assert.equal(await focus.requests('INVITE'), invites + 1);
          await lock(drill);
          assert.equal((await drill.status()).dialog, 2);
          await leave(drill);
          await focus.resolve(poolName, edges.pool.host);
        });
      }

      it('the hop knows the route no more and says so: a new one is learned, and the operation sent again', async () => {
        const drill = drillOf('sipre');
        await drill.join();
        drill.mark();
        const updates = await focus.requests('UPDATE');
        await edges.sipre.forgetRoutes();
        await lock(drill);
        assert.deepEqual(drill.path(), []);
        assert.deepEqual(drill.all<OperationFailed>({ event: 'operation-failed' }), []);
        assert.equal(await focus.requests('UPDATE'), updates + 1);
        // The new route is good for what follows.
        await lock(drill);
        assert.equal(await focus.requests('UPDATE'), updates + 1);
        assert.equal((await drill.status()).dialog, 1);
        await leave(drill);
      });

      for (const status of ['401', '407'] as const) {
        it(`${status} and the right password: joined`, async () => {
          const drill = drillOf(`right${status}`);
          await drill.join();
          drill.mark();
          await lock(drill);
          await leave(drill);
        });

        it(`${status} and a wrong password: one typed error, and no further attempt`, async () => {
          const drill = drillOf(`wrong${status}`);
          const edge = edges[`asks${status}`];
          const invites = await edge.requests('INVITE');
          drill.mark();
          drill.ask('conference-session', 'join');
          const { error } = await drill.next<OperationFailed>({ event: 'operation-failed', operation: 'join' });
          assert.equal(error.name, 'AuthenticationException');
          assert.equal((await drill.status()).state, 'Idle');
          await delay(1000);
          // Without credentials, and once with them.
          assert.equal(await edge.requests('INVITE'), invites + 2);
        });
      }

      if (isSecure(transport)) {
        it('a certificate for another name: one typed error, and everybody else goes on', async () => {
          const beside = drillOf('plain');
          await beside.join();
          beside.mark();
          const drill = drillOf('strange');
          drill.mark();
          drill.ask('conference-session', 'join');
          const { error } = await drill.next<OperationFailed>({ event: 'operation-failed', operation: 'join' });
          assert.equal(error.name, 'TlsFailureException');
          assert.match(error.message, /certificate/i);
          assert.equal((await drill.status()).state, 'Idle');
          await lock(beside);
          assert.deepEqual(beside.path(), []);
          await leave(beside);
        });
      }
    });
  }
});
