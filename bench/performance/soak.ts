/** P10: thousands of events per second, for minutes: whether the heap grows, and how late answers are. */
import { getHeapStatistics } from 'node:v8';
import { factAbout, inBatches, joinAll, offerStillEndpoint, pump, sessionNode, stillEndpoint } from './conferences';
import { type EmbeddedNodeRed, type FlowMessage, type FlowNode, startNodeRed } from './embedded';
import type { Line, Scale } from './line';

const seconds = { full: 600, quick: 3 };
const wanted = 50_000;
/** Conferences, members of one message, and outages until names of outages come again; a session remembers ten. */
const [conferences, members, outages] = [2_000, 100, 12];
/** Of what the machine can do at most: with less left to spare, messages queue up. */
const share = 0.6;

const flow: FlowNode[] = [
  stillEndpoint(0),
  sessionNode([['sink'], [], ['results'], ['errors'], []]),
  { id: 'sink', type: 'bench', wires: [] },
  { id: 'results', type: 'bench', wires: [] },
  { id: 'errors', type: 'bench', wires: [] },
];

/** Every route breaks and is healed, again and again: messages that can be sent in a circle. */
function circle(): FlowMessage[] {
  const facts = Array.from({ length: 2 * outages }, (_, step) =>
    Array.from({ length: conferences }, (_, index) =>
      factAbout(index, 'route-healer', step, {
        event: 'route-status-changed',
        status: step % 2 === 0 ? 'Recovering' : 'Healthy',
        recoveryMode: 'MaximumRetry',
        attempts: 1,
        elapsedMs: 10,
        dialog: 1,
        incident: `room-${index}/hop/${step >> 1}`,
      }),
    ),
  ).flat();
  return inBatches(facts, members);
}

interface Course {
  /** Per message, in ms. */
  latencies: Float64Array;
  /** The least that was in use of the heap, by tenths of the time, in bytes. */
  heap: number[];
  eventsPerSecond: number;
}

/** Sends so many events per second for so long. */
async function soak(red: EmbeddedNodeRed, messages: FlowMessage[], rate: number, forMs: number): Promise<Course> {
  const total = Math.round((rate * forMs) / 1_000 / members);
  const latencies = new Float64Array(total);
  const heap: number[] = [];
  const dueAt = (message: number): number => (message * members * 1_000) / rate;
  const startedAt = performance.now();
  let sent = 0;
  let answered = 0;
  await new Promise<void>((done) => {
    red.behave('sink', () => {
      const now = performance.now() - startedAt;
      latencies[answered] = now - dueAt(answered);
      answered += 1;
      const tenth = Math.min(9, Math.floor((10 * answered) / total));
      if (answered % 10 === 0)
        heap[tenth] = Math.min(heap[tenth] ?? Number.POSITIVE_INFINITY, getHeapStatistics().used_heap_size);
      if (answered === total) done();
    });
    const send = (): void => {
      const now = performance.now() - startedAt;
      while (sent < total && dueAt(sent) <= now) {
        red.receive('session', { ...messages[sent % messages.length] });
        sent += 1;
      }
      if (sent < total) setTimeout(send, 1);
    };
    send();
  });
  const eventsPerSecond = (total * members * 1_000) / (performance.now() - startedAt);
  return { latencies: latencies.sort(), heap, eventsPerSecond };
}

export async function run(scale: Scale): Promise<Line[]> {
  const red = await startNodeRed();
  offerStillEndpoint(red);
  await red.deploy(flow);
  await joinAll(red, conferences, 'results');
  const messages = circle();
  const events = messages.length * members;
  await pump(
    red,
    'session',
    messages.map((message) => ({ ...message })),
    'sink',
    events,
  );
  const ns = await pump(
    red,
    'session',
    messages.map((message) => ({ ...message })),
    'sink',
    events,
  );
  const most = 1e9 / ns;
  const rate = Math.min(wanted, share * most);
  const { latencies, heap, eventsPerSecond } = await soak(red, messages, rate, 1_000 * seconds[scale]);
  await red.stop();
  const at = (quantile: number): number => latencies[Math.floor(quantile * (latencies.length - 1))] as number;
  const [early = 0, late = 0] = [Math.min(...heap.slice(2, 5)), Math.min(...heap.slice(7))];
  const during = `${Math.round(eventsPerSecond / 1_000)},000 events/s for ${seconds[scale]} s`;
  const line = (id: string, what: string, goal: number, unit: string, figure: number): Line => ({
    id,
    what,
    goal,
    unit,
    figure,
    reference: '–',
    referenceFigure: null,
    lowerIsBetter: id !== 'P10a',
  });
  return [
    line('P10a', 'events per second that are kept up', wanted, '/s', eventsPerSecond),
    line('P10b', `growth of the heap, ${during}`, 1, '%', Math.max(0, (100 * (late - early)) / early)),
    line('P10c', `latency, ${during}, p99.9`, 5, 'ms', at(0.999)),
    line('P10d', `latency, ${during}, p50`, 5, 'ms', at(0.5)),
  ];
}
