/** P4: deadlines by the hundred thousand, beside Node's timers, and in a give-up-timer, beside the core trigger node. */
import { factAbout, pump, singly } from './conferences';
import { type FlowNode, startNodeRed } from './embedded';
import { type Line, median, type Scale, stopwatch } from './line';

const { Deadlines } = require('../../dist/runtime/deadlines') as typeof import('../../nodes/runtime/deadlines');

const nothing = { due(): void {} };

/** Two ways to wait. */
const ways = ['deadlines', 'timers'] as const;
type Way = (typeof ways)[number];
type Both = { [way in Way]: number };

/** What a round of each way came to; the rounds of one take turns with those of the other. */
class Samples {
  private readonly samples = { deadlines: [] as number[], timers: [] as number[] };

  add(way: Way, sample: number): void {
    this.samples[way].push(sample);
  }

  get medians(): Both {
    return { deadlines: median(this.samples.deadlines), timers: median(this.samples.timers) };
  }
}

/** Random times of 5 to 60 s in ms, the same in every run. */
function durations(count: number): Float64Array {
  const all = new Float64Array(count);
  let seed = 1;
  for (let index = 0; index < count; index += 1) {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) & 0x7fff_ffff;
    all[index] = 5_000 + (seed / 0x7fff_ffff) * 55_000;
  }
  return all;
}

/** ns for each; garbage is collected outside of what is timed. */
function timed(count: number, one: (index: number) => void): number {
  (globalThis as { gc?: () => void }).gc?.();
  const elapsed = stopwatch();
  for (let index = 0; index < count; index += 1) one(index);
  return elapsed() / count;
}

/** ns to arm and to cancel one of so many, in an order that is none. */
function armAndCancel(count: number, rounds: number): { arm: Both; cancel: Both } {
  const all = durations(count);
  const deadlines = new Deadlines();
  const handles = new Float64Array(count);
  const timers: NodeJS.Timeout[] = new Array(count);
  const [arm, cancel] = [new Samples(), new Samples()];
  for (let round = 0; round < rounds; round += 1) {
    const now = Date.now();
    arm.add(
      'deadlines',
      timed(count, (index) => {
        handles[index] = deadlines.set(now + (all[index] as number), nothing);
      }),
    );
    cancel.add(
      'deadlines',
      timed(count, (index) => deadlines.cancel(handles[(index * 7_919) % count] as number)),
    );
    arm.add(
      'timers',
      timed(count, (index) => {
        timers[index] = setTimeout(nothing.due, all[index]);
      }),
    );
    cancel.add(
      'timers',
      timed(count, (index) => clearTimeout(timers[(index * 7_919) % count])),
    );
  }
  return { arm: arm.medians, cancel: cancel.medians };
}

/** The lateness in ms that `quantile` do not exceed of those that fall due within a second, while so many are pending. */
async function lateness(pending: number, rounds: number, quantile: number): Promise<Both> {
  const deadlines = new Deadlines();
  const arm: { [way in Way]: (at: number, due: () => void) => void } = {
    deadlines: (at, due) => deadlines.set(at, { due }),
    timers: (at, due) => setTimeout(due, at - Date.now()),
  };
  const far = durations(pending).map((duration) => 600_000 + duration);
  const handles = far.map((delay) => deadlines.set(Date.now() + delay, nothing));
  const timers = Array.from(far, (delay) => setTimeout(nothing.due, delay));
  const samples = new Samples();
  for (let turn = 0; turn < rounds; turn += 1) {
    for (const way of ways) samples.add(way, await latenessOf(10_000, arm[way], quantile));
  }
  for (const handle of handles) deadlines.cancel(handle);
  for (const timer of timers) clearTimeout(timer);
  return samples.medians;
}

/** The same of one way, of so many. */
async function latenessOf(
  count: number,
  arm: (at: number, due: () => void) => void,
  quantile: number,
): Promise<number> {
  const late: number[] = [];
  (globalThis as { gc?: () => void }).gc?.();
  const begin = Date.now() + 200;
  await new Promise<void>((done) => {
    for (let index = 0; index < count; index += 1) {
      const at = begin + Math.round((index * 1_000) / count);
      arm(at, () => {
        late.push(Math.max(0, performance.timeOrigin + performance.now() - at));
        if (late.length === count) done();
      });
    }
  });
  late.sort((one, other) => one - other);
  return late[Math.floor(late.length * quantile)] as number;
}

const flow: FlowNode[] = [
  { id: 'give-up', type: 'give-up-timer', wires: [[], ['armed']] },
  {
    id: 'core-trigger',
    type: 'trigger',
    op1: '1',
    op1type: 'str',
    op2: '0',
    op2type: 'str',
    duration: '250',
    units: 's',
    bytopic: 'topic',
    topic: 'topic',
    outputs: 1,
    wires: [['triggered']],
  },
  { id: 'armed', type: 'bench', wires: [] },
  { id: 'triggered', type: 'bench', wires: [] },
];

/** µs to arm one of so many, in a give-up-timer by conference, and in a trigger node by topic. */
async function throughNodes(counts: readonly number[]): Promise<Both[]> {
  const red = await startNodeRed();
  const figures: Both[] = [];
  for (const count of counts) {
    const samples = new Samples();
    // The first round warms up. The trigger node looks at all of its topics for each message: once is long enough.
    const rounds = count > 2_000 ? 2 : 4;
    for (let round = 0; round < rounds; round += 1) {
      // Anew, since nothing else calls off what a trigger node waits for.
      await red.deploy(flow);
      const lost = Array.from({ length: count }, (_, index) =>
        factAbout(index, 'conference-session', 1, {
          event: 'state-changed',
          previous: 'Connected',
          state: 'Reconnecting',
          mode: 'recovering',
          dialog: 1,
          incident: `outage-${index}`,
        }),
      );
      const topics = lost.map(({ conference }) => ({ topic: conference, payload: 1 }));
      const deadlines = (await pump(red, 'give-up', singly(lost), 'armed', count)) / 1_000;
      const timers = (await pump(red, 'core-trigger', topics, 'triggered', count)) / 1_000;
      if (round === 0) continue;
      samples.add('deadlines', deadlines);
      samples.add('timers', timers);
    }
    figures.push(samples.medians);
  }
  await red.stop();
  return figures;
}

export async function run(scale: Scale): Promise<Line[]> {
  const quick = scale === 'quick';
  const lines: Line[] = [];
  const add = (id: string, what: string, goal: number, unit: string, reference: string, both: Both): void => {
    const [figure, referenceFigure] = [both.deadlines, both.timers];
    lines.push({ id, what, goal, unit, figure, reference, referenceFigure, lowerIsBetter: true });
  };
  for (const [arming, cancelling, count] of [
    ['P4a', 'P4b', 100_000],
    ['P4c', 'P4d', 1_000_000],
  ] as const) {
    if (quick && count > 100_000) break;
    const { arm, cancel } = armAndCancel(count, 5);
    add(arming, `arm a deadline, of ${count.toLocaleString('en')}`, 100, 'ns', 'setTimeout', arm);
    add(cancelling, `cancel one of ${count.toLocaleString('en')}`, 50, 'ns', 'clearTimeout', cancel);
  }
  for (const [id, pending] of [
    ['P4e', 100_000],
    ['P4f', 1_000_000],
  ] as const) {
    if (quick && pending > 100_000) break;
    // A machine that does other things makes the latest of both as late as it likes.
    const [rounds, quantile] = quick ? [3, 0.5] : [5, 0.99];
    const late = await lateness(pending, rounds, quantile);
    const what = `lateness with ${pending.toLocaleString('en')} pending, p${100 * quantile}`;
    add(id, what, 5, 'ms', 'setTimeout', late);
  }
  const counts = quick ? [2_000] : [2_000, 20_000];
  const nodes = await throughNodes(counts);
  for (const [index, count] of counts.entries()) {
    const what = `arm in a give-up-timer, of ${count.toLocaleString('en')} conferences, its fact included`;
    add(`P4${'gh'[index]}`, what, 20, 'µs', 'core trigger node by topic', nodes[index] as Both);
  }
  return lines;
}
