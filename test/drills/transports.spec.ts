/**
 * The canonical flow over each transport of SIP, in a real Node-RED, against a real Focus behind a real hop, and every
 * failure that the pack is for. One Node-RED per transport runs a copy of the flow for each kind of hop.
 */
import assert from 'node:assert/strict';
import type { OperationCompleted, OperationFailed, Signal } from '../../nodes/recovery/messages';
import { copyOf, Drill, type FlowNode, flowWith, merge, type Overrides, quick } from '../package/drill';
import { type NodeRedProcess, startNodeRed } from '../support/node-red-process';
import {
  type EdgeVariant,
  KamailioEdge,
  KamailioFocus,
  peersTimeoutMs,
  SippFocus,
  skipWithoutPeers,
} from '../support/peers';

/** What the dialog of the conference-endpoint offers. */
const transports = ['tcp'] as const;
type Transport = (typeof transports)[number];

const self = 'sip:node-red@example.com';
const noFaultsHere = /fault-injector.*embedded pool only/;

/** The flow with its endpoint at a hop. */
function sipFlow(transport: Transport, edge: KamailioEdge, conference: string, more: Overrides = {}): FlowNode[] {
  const endpoint = {
    system: 'sip',
    uri: self,
    host: '127.0.0.1',
    port: String(edge.port),
    transport,
    commands: 'cccp',
  };
  // Nothing is sent but what a drill asks for.
  const overrides = merge(quick, { 'conference-endpoint': endpoint, 'conference-session': { heartbeat: '0' } });
  return flowWith(merge(overrides, more), conference);
}

describe('drills', function () {
  this.timeout(60_000);
  let focus: KamailioFocus;
  let sipp: SippFocus;
  /** One of each kind; the last leads to SIPp. */
  let edges: { plain: KamailioEdge; sipre: KamailioEdge; sipp: KamailioEdge };

  before(async function () {
    this.timeout(peersTimeoutMs);
    skipWithoutPeers(this);
    [focus, sipp] = await Promise.all([new KamailioFocus().start(), new SippFocus('udp').start()]);
    const edge = (variant?: EdgeVariant): Promise<KamailioEdge> =>
      new KamailioEdge(focus.port, { variants: variant ? [variant] : [] }).start();
    const [plain, sipre, beforeSipp] = await Promise.all([edge(), edge('SIPRE'), new KamailioEdge(sipp.port).start()]);
    edges = { plain, sipre, sipp: beforeSipp };
  });

  after(async () => {
    for (const edge of Object.values(edges ?? {})) await edge.stop();
    await sipp?.stop();
    await focus?.stop();
  });

  for (const transport of transports) {
    describe(`over ${transport.toUpperCase()}`, () => {
      let nodeRed: NodeRedProcess;
      let drills: { [kind in keyof typeof edges]: Drill };

      before(async function () {
        this.timeout(peersTimeoutMs);
        const conference = `sip:${transport}@127.0.0.1:${focus.port}`;
        const flows = {
          plain: sipFlow(transport, edges.plain, conference),
          sipre: copyOf(sipFlow(transport, edges.sipre, conference), 'sipre'),
          sipp: copyOf(sipFlow(transport, edges.sipp, `sip:focus@127.0.0.1:${sipp.port}`), 'sipp'),
        };
        nodeRed = await startNodeRed({ flows: Object.values(flows).flat(), install: 'tarball', observe: true });
        const drill = (flow: FlowNode[]): Drill => new Drill(nodeRed, flow);
        drills = { plain: drill(flows.plain), sipre: drill(flows.sipre), sipp: drill(flows.sipp) };
      });

      after(() => nodeRed?.stop());

      const join = async (drill: Drill): Promise<void> => {
        drill.mark();
        drill.ask('conference-session', 'join');
        await Promise.all([
          drill.session('Connected'),
          drill.mcu('audio-video', 'Active'),
          drill.mcu('chat', 'Active'),
          drill.next<OperationCompleted>({ event: 'operation-completed', operation: 'join' }),
        ]);
        drill.mark();
      };

      const leave = async (drill: Drill): Promise<void> => {
        drill.mark();
        drill.ask('conference-session', 'terminate');
        await drill.session('Disconnected');
        drill.check(...Object.keys(drills).map(() => noFaultsHere));
      };

      /** One operation, which is answered. */
      const lock = async (drill: Drill): Promise<void> => {
        drill.mark();
        drill.ask('conference-session', 'lock');
        await drill.next<OperationCompleted>({ event: 'operation-completed', operation: 'lock' });
      };

      const healed = ['Reconnecting (recovering) RouteBroken', 'Connected RouteHealed'];

      /** The dialog that was joined with is still the one. */
      const assertSameDialog = async (drill: Drill): Promise<void> => {
        const healing = drill.all<Signal>({ event: 'signal', purpose: 'heal' });
        assert.ok(healing.length > 0);
        for (const { method } of healing) assert.equal(method, 'UPDATE');
        assert.equal(healing.at(-1)?.status, 200);
        await lock(drill);
        assert.equal((await drill.status()).dialog, 1);
      };

      for (const kind of ['plain', 'sipp'] as const) {
        const peer = { plain: 'Kamailio', sipp: 'SIPp' }[kind];

        it(`${peer}: the hop is killed and started again: healed by UPDATE`, async () => {
          const drill = drills[kind];
          const edge = edges[kind];
          await join(drill);
          await edge.kill();
          await drill.session('Reconnecting');
          await edge.start();
          await drill.session('Connected', 15_000);
          assert.deepEqual(drill.path(), healed);
          await assertSameDialog(drill);
          await leave(drill);
        });
      }

      it('the Focus is started again without memory: joined again with one INVITE', async () => {
        const { plain: drill } = drills;
        await join(drill);
        await focus.kill();
        await focus.start();
        drill.ask('conference-session', 'lock');
        const lost = await drill.session('Reconnecting');
        assert.equal(lost.mode, 'rejoining');
        await drill.failed('lock', 'SessionRetrying');
        await drill.session('Connected');
        await Promise.all([drill.mcu('audio-video', 'Active'), drill.mcu('chat', 'Active')]);
        assert.deepEqual(drill.path(), ['Reconnecting (rejoining) FocusFailover', 'Connected Rejoined']);
        assert.equal(await focus.requests('INVITE'), 1);
        assert.equal((await drill.status()).dialog, 2);
        await leave(drill);
      });

      it('the hop knows the route no more and says so: a new one is learned, and the operation sent again', async () => {
        const { sipre: drill } = drills;
        await join(drill);
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
    });
  }
});
