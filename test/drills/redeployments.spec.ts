/** A hundred conferences, deployed again and again: what the process holds does not grow. */
import assert from 'node:assert/strict';
import type { OperationCompleted } from '../../nodes/recovery/messages';
import { Drill } from '../package/drill';
import type { Census } from '../support/node-red-process';
import { OutsideFocus } from './outside-focus';

/** How often the flow is deployed; `npm run test:long` deploys it a thousand times. */
const deployments = Number(process.env.DEPLOYMENTS ?? 100);
/** By then everything has been loaded, compiled and cached. */
const warm = 20;
/** How much memory a deployment may cost for good, in bytes: what Node-RED itself loses is within it. */
const heapPerDeployment = 20_000;

describe('drill: many deployments', function () {
  this.timeout(60_000 + deployments * 5_000);
  let focus: OutsideFocus;
  let drill: Drill;
  const joins: string[] = [];

  before(async () => {
    focus = await new OutsideFocus(({ effect }, conference) => effect === 'join' && joins.push(conference)).start();
    drill = await Drill.start(focus.flow({ 'conference-session': { heartbeat: '0' } }), {
      nodeArguments: ['--expose-gc'],
    });
  });

  after(async () => {
    await drill?.stop();
    await focus?.stop();
  });

  it(`${deployments} of them with 100 conferences: timers, listeners, sockets and memory as before (PER-5)`, async () => {
    const conferences = Array.from({ length: 100 }, (_, index) => `sip:room${index}@pool.example`);
    for (const conference of conferences) {
      drill.ask('conference-session', { command: 'join', conference });
      drill.ask('mcu-session', { command: 'call', media: ['audio'], conference }, 'audio-video');
      await drill.next<OperationCompleted>({ event: 'operation-completed', operation: 'join', conference });
    }
    const samples: Census[] = [];
    for (let round = 0; round <= deployments; round += 1) {
      if (round >= warm && (round - warm) % 10 === 0) samples.push(await drill.nodeRed.census());
      const flow = drill.flow.map((node) => (node.type === 'tab' ? node : { ...node, name: `deployment ${round}` }));
      await drill.nodeRed.deploy(flow, (['full', 'flows', 'nodes'] as const)[round % 3] ?? 'full');
    }
    const first = samples[0] as Census;
    const last = samples.at(-1) as Census;
    const slope = slopeOf(samples.map(({ heapBytes }) => heapBytes)) / 10;
    console.log(
      `      memory: ${(first.heapBytes / 1e6).toFixed(1)} MB, ${(slope / 1e3).toFixed(1)} kB per deployment`,
    );
    assert.deepEqual(last.listeners, first.listeners);
    // Timers of transactions run out meanwhile, so that less is no harm.
    for (const [kind, count] of Object.entries(last.resources)) {
      assert.ok(
        count <= (first.resources[kind] ?? 0),
        `${count} ${kind}, and before ${JSON.stringify(first.resources)}`,
      );
    }
    assert.equal(last.deadlines, first.deadlines);
    assert.ok(slope < heapPerDeployment, `${slope} bytes per deployment`);
    assert.deepEqual(joins, conferences, 'one join each');
    drill.check();
  });
});

/** Slope of the straight line that fits values at 0, 1, 2 … best (least squares). */
function slopeOf(values: number[]): number {
  const middle = (values.length - 1) / 2;
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const covariance = values.reduce((sum, value, index) => sum + (index - middle) * (value - mean), 0);
  return covariance / values.reduce((sum, _, index) => sum + (index - middle) ** 2, 0);
}
