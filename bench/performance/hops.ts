/** P1 and P2: what a message costs in nodes of the pack, above what it costs in nodes that do nothing. */
import {
  factAbout,
  inBatches,
  joinAll,
  offerStillEndpoint,
  pump,
  sessionNode,
  singly,
  stillEndpoint,
} from './conferences';
import { type EmbeddedNodeRed, type FlowNode, startNodeRed } from './embedded';
import { type Line, median, type Scale } from './line';

/** What detector and session do, done by core nodes: per conference, a state in the flow's context, and rules. */
const coreNodes: FlowNode[] = [
  {
    id: 'core-rules',
    type: 'switch',
    property: 'payload.status',
    propertyType: 'msg',
    rules: [{ t: 'eq', v: '481', vt: 'num' }],
    checkall: 'true',
    repair: false,
    outputs: 1,
    wires: [['core-state']],
  },
  {
    id: 'core-state',
    type: 'function',
    func: `const key = 'state:' + msg.payload.conference;
const previous = context.get(key) || 'Connected';
context.set(key, previous === 'Connected' ? 'Reconnecting' : 'Connected');
return { topic: key, payload: { event: 'state-changed', previous, state: context.get(key), at: new Date().toISOString() } };`,
    outputs: 1,
    wires: [['sink']],
  },
];

const flow: FlowNode[] = [
  stillEndpoint(0),
  sessionNode([['sink'], [], ['results'], ['errors'], []]),
  {
    id: 'detector',
    type: 'failover-detector',
    preset: 'standard',
    wires: [['session'], [], []],
  },
  { id: 'sink', type: 'bench', wires: [] },
  { id: 'results', type: 'bench', wires: [] },
  { id: 'errors', type: 'bench', wires: [] },
  { id: 'pass-1', type: 'bench', wires: [['pass-2']] },
  { id: 'pass-2', type: 'bench', wires: [['sink']] },
  ...coreNodes,
];

const perRound = { full: 20_000, quick: 4_000 };
const conferences = { full: 100_000, quick: 4_000 };
/** The first two warm up. */
const rounds = { full: 7, quick: 5 };
const warmUp = 2;

/** Facts of one kind about the first so many conferences. */
function about(count: number, source: string, seq: number, body: (index: number) => { [name: string]: unknown }) {
  return Array.from({ length: count }, (_, index) => factAbout(index, source, seq, body(index)));
}

/** One round: every conference loses its Focus, and gets it back. Dialogs count up by one. */
async function loseFocus(red: EmbeddedNodeRed, count: number, round: number): Promise<number> {
  const dialog = round + 1;
  const gone = { event: 'signal', signal: 'response', method: 'INFO', status: 481, purpose: 'operation', dialog };
  const back = { event: 'signal', signal: 'response', method: 'OPTIONS', status: 200, purpose: 'probe', dialog };
  const failing = singly(about(count, 'conference-session', 1_000 + round, () => ({ ...gone, incident: null })));
  const cost = await pump(red, 'detector', failing, 'sink', count);
  // Not measured: the Focus answers, the session re-joins, and the detector hears of it.
  await pump(
    red,
    'detector',
    inBatches(
      about(count, 'conference-session', 1_000, () => ({ ...back, incident: null })),
      100,
    ),
    'sink',
    count,
  );
  const status = (index: number) => ({
    event: 'state-changed',
    previous: 'Reconnecting',
    state: 'Connected',
    mode: null,
    dialog: dialog + 1,
    incident: null,
    index,
  });
  for (const message of inBatches(about(count, 'conference-session', 2_000 + round, status), 100)) {
    red.receive('detector', message);
  }
  await new Promise((done) => setTimeout(done, 20));
  return cost;
}

/** One fact for every conference, and its opposite, which is not measured. */
async function loseRoute(red: EmbeddedNodeRed, count: number, round: number, size: number): Promise<number> {
  const route = { event: 'route-status-changed', recoveryMode: 'MaximumRetry', attempts: 1, elapsedMs: 10 };
  const facts = (status: string): unknown[] =>
    about(count, 'route-healer', round, (index) => ({
      ...route,
      status,
      dialog: 1,
      incident: `room-${index}/hop/${round}/${size}`,
    }));
  const messages = (status: string) => (size === 1 ? singly(facts(status)) : inBatches(facts(status), size));
  const cost = await pump(red, 'session', messages('Recovering'), 'sink', count);
  await pump(red, 'session', messages('Healthy'), 'sink', count);
  return cost;
}

export async function run(scale: Scale): Promise<Line[]> {
  const red = await startNodeRed();
  offerStillEndpoint(red);
  await red.deploy(flow);
  const all = conferences[scale];
  const some = perRound[scale];
  red.behave('errors', ({ payload }) => {
    throw new Error(`The benchmark met an error: ${JSON.stringify(payload)}`);
  });
  red.behave('sink', () => {});
  await joinAll(red, all, 'results');
  const signals = singly(about(some, 'conference-session', 1, () => ({ event: 'signal', status: 481 })));
  const times = { bare: [], core: [], single: [], batch: [], bareOne: [], focus: [] } as {
    [path: string]: number[];
  };
  const note = (path: string, ns: number): void => void times[path]?.push(ns);
  for (let round = 0; round < rounds[scale]; round += 1) {
    const bare = await pump(red, 'pass-1', signals, 'sink', some);
    const bareOne = await pump(red, 'pass-2', signals, 'sink', some);
    const core = await pump(red, 'core-rules', signals, 'sink', some);
    const single = await loseRoute(red, all, round, 1);
    const batch = await loseRoute(red, all, round, 100);
    if (round < warmUp) continue;
    note('bare', bare);
    note('bareOne', bareOne);
    note('core', core);
    note('single', single);
    note('batch', batch);
  }
  for (let round = 0; round < rounds[scale]; round += 1) {
    const focus = await loseFocus(red, some, round);
    if (round >= warmUp) note('focus', focus);
  }
  await red.stop();
  const of = (path: string): number => median(times[path] as number[]);
  const bareTwo = of('bare');
  return [
    {
      id: 'P1',
      what: 'signal → verdict → state change, above two nodes that pass on',
      goal: 1,
      unit: 'µs',
      figure: (of('focus') - bareTwo) / 1_000,
      reference: 'switch and function node, above the same',
      referenceFigure: (of('core') - bareTwo) / 1_000,
      lowerIsBetter: true,
    },
    {
      id: 'P2a',
      what: `facts through one conference-session, ${all} conferences`,
      goal: 0.25,
      unit: 'M/s',
      figure: 1_000 / of('single'),
      reference: 'one node that passes on',
      referenceFigure: 1_000 / of('bareOne'),
      lowerIsBetter: false,
    },
    {
      id: 'P2b',
      what: 'the same in batches of 100',
      goal: 1.5,
      unit: 'M/s',
      figure: 1_000 / of('batch'),
      reference: 'one node that passes on',
      referenceFigure: 1_000 / of('bareOne'),
      lowerIsBetter: false,
    },
  ];
}
