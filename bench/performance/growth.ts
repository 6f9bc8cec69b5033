/** P8: what an event costs in a conference-session that holds one conference, and in one that holds a million. */
import { factAbout, joinAll, offerStillEndpoint, pump, sessionNode, singly, stillEndpoint } from './conferences';
import { type EmbeddedNodeRed, type FlowNode, startNodeRed } from './embedded';
import { type Line, median, type Scale } from './line';

const counts = { full: [1, 1_000, 100_000, 1_000_000], quick: [1, 1_000, 10_000] };
const events = { full: 20_000, quick: 4_000 };
const rounds = 7;

const flow: FlowNode[] = [
  stillEndpoint(0),
  sessionNode([['sink'], [], ['results'], ['errors'], []]),
  { id: 'sink', type: 'bench', wires: [] },
  { id: 'results', type: 'bench', wires: [] },
  { id: 'errors', type: 'bench', wires: [] },
];

/** ns per event, of so many: routes that break and are healed, in conferences all over those that there are. */
async function costOf(red: EmbeddedNodeRed, all: number, some: number, round: number): Promise<number> {
  const facts = Array.from({ length: some }, (_, event) => {
    const pair = event >> 1;
    // A prime, so that neighbours in time are none in memory.
    const index = (pair * 7_919) % all;
    const broken = event % 2 === 0;
    return factAbout(index, 'route-healer', event, {
      event: 'route-status-changed',
      status: broken ? 'Recovering' : 'Healthy',
      recoveryMode: 'MaximumRetry',
      attempts: 1,
      elapsedMs: 10,
      dialog: 1,
      incident: `room/hop/${round}/${pair}`,
    });
  });
  return pump(red, 'session', singly(facts), 'sink', some);
}

export async function run(scale: Scale): Promise<Line[]> {
  const red = await startNodeRed();
  offerStillEndpoint(red);
  const figures: number[] = [];
  for (const all of counts[scale]) {
    await red.deploy([]);
    await red.deploy(flow);
    red.behave('errors', ({ payload }) => {
      throw new Error(`The benchmark met an error: ${JSON.stringify(payload)}`);
    });
    await joinAll(red, all, 'results');
    const costs: number[] = [];
    for (let round = 0; round < rounds; round += 1) costs.push(await costOf(red, all, events[scale], round));
    // The first ones warm up.
    figures.push(median(costs.slice(2)) / 1_000);
  }
  await red.stop();
  const [one = Number.NaN] = figures;
  return counts[scale].slice(1).map((all, index) => ({
    id: `P8${'abc'[index]}`,
    what: `an event with ${all.toLocaleString('en')} conferences`,
    goal: 2 * one,
    unit: 'µs',
    figure: figures[index + 1] as number,
    reference: 'with one conference',
    referenceFigure: one,
    lowerIsBetter: true,
  }));
}
