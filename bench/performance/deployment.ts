/** P9: how long it takes to deploy a flow anew that holds conferences, and to take it away. */
import { joinAll, mcuNode, offerStillEndpoint, sessionNode, stillEndpoint } from './conferences';
import { type FlowNode, startNodeRed } from './embedded';
import { type Line, median, type Scale, stopwatch } from './line';

const conferences = { full: 100_000, quick: 5_000 };
const rounds = 3;

const flow: FlowNode[] = [
  stillEndpoint(0),
  sessionNode([['detector', 'healer', 'give-up'], [], ['results'], ['errors'], ['detector', 'healer']]),
  mcuNode('audio-video'),
  { id: 'detector', type: 'failover-detector', preset: 'standard', wires: [['session'], [], ['healer']] },
  { id: 'healer', type: 'route-healer', wires: [['session']] },
  { id: 'give-up', type: 'give-up-timer', wires: [['session']] },
  { id: 'results', type: 'bench', wires: [] },
  { id: 'errors', type: 'bench', wires: [] },
];

/** In ms. */
async function timed(run: () => Promise<unknown>): Promise<number> {
  const elapsed = stopwatch();
  await run();
  return elapsed() / 1e6;
}

export async function run(scale: Scale): Promise<Line[]> {
  const count = conferences[scale];
  const red = await startNodeRed();
  offerStillEndpoint(red);
  await red.deploy(flow);
  const empty = { deployed: [] as number[], closed: [] as number[] };
  const full = { deployed: [] as number[], closed: [] as number[] };
  for (let round = 0; round < rounds; round += 1) {
    empty.deployed.push(await timed(() => red.deploy(flow)));
    empty.closed.push(await timed(() => red.deploy([])));
    await red.deploy(flow);
    await joinAll(red, count, 'results');
    full.deployed.push(await timed(() => red.deploy(flow)));
    full.closed.push(await timed(() => red.deploy([])));
    await red.deploy(flow);
  }
  await red.stop();
  const line = (id: string, what: string, times: 'deployed' | 'closed'): Line => ({
    id,
    what: `${what} a flow with ${count.toLocaleString('en')} conferences`,
    goal: 1_000,
    unit: 'ms',
    figure: median(full[times]),
    reference: 'the same flow without any',
    referenceFigure: median(empty[times]),
    lowerIsBetter: true,
  });
  return [line('P9a', 'deploy anew', 'deployed'), line('P9b', 'close', 'closed')];
}
