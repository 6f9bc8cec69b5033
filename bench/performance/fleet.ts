/**
 * P5: a front end of the embedded pool dies with thousands of conferences on it, in the canonical flow. How soon all are
 * told to be Reconnecting, how soon all are back, how evenly they re-join, and for how long nothing else can happen.
 */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';
import { poolDefaults } from '../../nodes/signaling/pool/pool';
import { hash } from '../../nodes/signaling/pool/random';
import { type EmbeddedNodeRed, type FlowNode, startNodeRed } from './embedded';
import { type Line, type Scale, stopwatch } from './line';

/** So many conferences, of which so many may re-join per second. */
const scales = { full: { conferences: 10_000, rate: 500 }, quick: { conferences: 200, rate: 200 } } as const;

/** From the death of a front end until a re-join can succeed: what the pool takes, and the pause between two probes. */
const failoverSeconds = 4;

/** A run that has not come to its end by then never will. */
const longestMs = 180_000;

/** Messages with so many requests each, one in every turn of the event loop. */
const batch = 20;

/** What one death of a front end came to, times in ms since it. */
interface Course {
  /** How many are told to be Reconnecting, and when the last of them was. */
  reconnecting: number;
  reconnectingMs: number;
  /** When each re-join was sent, and each conference was Connected again. */
  rejoins: number[];
  connected: number[];
  longestBlockMs: number;
}

/** A fact, as far as it is looked at here. */
interface Told {
  event?: string;
  state?: string;
  source?: string;
  reason?: string;
}

/** The canonical flow for any conference, with ids of its own; what its debug nodes would show is thrown away. */
function flowOf(run: string, recoveryRate: number): { nodes: FlowNode[]; id(type: string): string } {
  const file = JSON.parse(readFileSync('examples/canonical.json', 'utf8')) as FlowNode[];
  const kept = file.filter(({ type }) => !/^(tab|comment|inject)$/.test(type));
  let text = JSON.stringify(kept.map((node) => (node.type === 'debug' ? { ...node, type: 'bench' } : node)));
  for (const { id } of file) text = text.replaceAll(id, `${run}-${id}`);
  const nodes = (JSON.parse(text) as FlowNode[]).map((node) => ({
    ...node,
    ...('conference' in node && { conference: '', alias: '' }),
    // The front end's death is noticed by all at once, not by each at its next heartbeat.
    ...(node.type === 'conference-session' && { heartbeat: '0' }),
    ...(node.type === 'conference-endpoint' && { recoveryRate: String(recoveryRate) }),
  }));
  return { nodes, id: (type) => nodes.find((node) => node.type === type)?.id as string };
}

/** Conferences whose Focuses live on the first front end. */
function conferencesOnOne(count: number): string[] {
  const { seed, frontEnds } = poolDefaults;
  const found: string[] = [];
  for (let number = 0; found.length < count; number += 1) {
    const uri = `sip:room${number}@pool.example`;
    if (hash(uri, seed) % frontEnds === 0) found.push(uri);
  }
  return found;
}

/** Asks for something in every conference. */
async function askAll(red: EmbeddedNodeRed, session: string, conferences: string[], command: string): Promise<void> {
  for (let first = 0; first < conferences.length; first += batch) {
    const payload = conferences.slice(first, first + batch).map((conference) => ({ command, conference }));
    red.receive(session, { payload });
    await turn();
  }
}

/** Waits until all of something have happened. */
async function until(what: string, all: number, happened: () => number): Promise<void> {
  const startedAt = performance.now();
  while (happened() < all) {
    if (performance.now() - startedAt > longestMs) throw new Error(`${what}: ${happened()} of ${all}.`);
    await sleep(20);
  }
}

/** A death, from the deployment of a flow with these conferences to the last that is back. */
async function courseOf(red: EmbeddedNodeRed, run: string, conferences: string[], rate: number): Promise<Course> {
  const { nodes, id } = flowOf(run, rate);
  const session = id('conference-session');
  const course: Course = { reconnecting: 0, reconnectingMs: 0, rejoins: [], connected: [], longestBlockMs: 0 };
  let diedAt = 0;
  let elapsed = stopwatch();
  const since = (): number => performance.now() - diedAt;
  for (const node of nodes) if (node.type === 'bench') red.behave(node.id, () => {});
  const [state] = (nodes.find((node) => node.id === session)?.wires?.[0] ?? []) as string[];
  let joined = 0;
  red.behave(state as string, ({ payload }) => {
    for (const { event, state: now, reason } of [payload].flat() as Told[]) {
      if (event !== 'state-changed') continue;
      if (now === 'Reconnecting') {
        course.reconnecting += 1;
        if (course.reconnecting === conferences.length) course.reconnectingMs = elapsed() / 1e6;
      } else if (reason === 'Rejoined') course.connected.push(since());
      else if (reason === 'Joined') joined += 1;
      else if (now !== 'Connecting') throw new Error(`A session is ${now}, ${reason}.`);
    }
  });
  await red.deploy(nodes);
  watchJoins(id('conference-endpoint'), () => diedAt > 0 && course.rejoins.push(since()));
  await askAll(red, session, conferences, 'join');
  await until('Joined', conferences.length, () => joined);
  // The MCUs come up.
  await sleep(500);

  const longestBlock = watchTurns();
  diedAt = performance.now();
  elapsed = stopwatch();
  const kill = { command: 'kill-front-end', frontEnd: 'front-end-1', conference: conferences[0] };
  red.receive(id('fault-injector'), { payload: kill });
  await askAll(red, session, conferences, 'lock');
  await until('Rejoined', conferences.length, () => course.connected.length);
  course.longestBlockMs = longestBlock();
  return course;
}

/** Call what it returns for the longest time in ms that the event loop took from one turn of timers to the next. */
function watchTurns(): () => number {
  let longest = 0;
  let elapsed = stopwatch();
  const timer = setInterval(() => {
    longest = Math.max(longest, elapsed());
    elapsed = stopwatch();
  }, 1);
  return () => {
    clearInterval(timer);
    return longest / 1e6;
  };
}

/** Sees the joins that an endpoint of the flow sends. */
function watchJoins(endpoint: string, seen: () => void): void {
  // biome-ignore lint/suspicious/noExplicitAny: Node-RED's embedding API has no types of its own.
  const { runtime } = require('node-red') as any;
  const { port } = runtime._.nodes.getNode(endpoint).endpoint;
  const perform = port.perform.bind(port);
  port.perform = (conference: string, effect: { effect: string }) => {
    if (effect.effect === 'join') seen();
    perform(conference, effect);
  };
}

/** The largest share of all that falls into any 100 ms, in percent. */
function largestShare(instants: number[]): number {
  let first = 0;
  let most = 0;
  for (const [index, at] of instants.entries()) {
    while ((instants[first] as number) <= at - 100) first += 1;
    most = Math.max(most, index - first + 1);
  }
  return (100 * most) / instants.length;
}

export async function run(scale: Scale): Promise<Line[]> {
  const { conferences: count, rate } = scales[scale];
  const conferences = conferencesOnOne(count);
  const red = await startNodeRed();
  // By then everything is loaded and compiled.
  if (scale === 'full') await courseOf(red, 'before', conferences.slice(0, 1_000), 0);
  const unpaced = await courseOf(red, 'unpaced', conferences, 0);
  const paced = await courseOf(red, 'paced', conferences, rate);
  await red.stop();
  const line = (
    letter: string,
    what: string,
    goal: number,
    unit: string,
    measure: (course: Course) => number,
  ): Line => ({
    id: `P5${letter}`,
    what: `a front end dies with ${count.toLocaleString('en')} conferences: ${what}`,
    goal,
    unit,
    figure: measure(paced),
    reference: 'unpaced re-join',
    referenceFigure: measure(unpaced),
    lowerIsBetter: true,
  });
  const last = (instants: number[]): number => instants.at(-1) as number;
  const recovered = `all are back, at ${rate} a second`;
  return [
    line('a', 'all are told to be Reconnecting', 100, 'ms', ({ reconnectingMs }) => reconnectingMs),
    line('b', recovered, count / rate + failoverSeconds, 's', ({ connected }) => last(connected) / 1_000),
    line('c', 'most that re-join in any 100 ms', 5, '%', ({ rejoins }) => largestShare(rejoins)),
    line('d', 'longest block of the event loop', 20, 'ms', ({ longestBlockMs }) => longestBlockMs),
  ];
}
