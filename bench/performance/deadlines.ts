/** P4: deadlines by the hundred thousand, beside Node's timers, and in a give-up-timer, beside the core trigger node. */
import { factAbout, inBatches, pump, singly } from './conferences';
import { startNodeRed } from './embedded';
import { type Line, median, type Scale } from './line';

const { Deadlines } = require('../../dist/runtime/deadlines') as typeof import('../../nodes/runtime/deadlines');

const nothing = { due(): void {} };

/** Random durations of 5 to 60 s, the same in every run. */
function durations(count: number): Float64Array {
  const all = new Float64Array(count);
  let seed = 1;
  for (let index = 0; index < count; index += 1) {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) & 0x7fff_ffff;
    all[index] = 5_000 + (seed / 0x7fff_ffff) * 55_000;
  }
  return all;
}

/** ns for each, and garbage is collected outside of what is timed. */
function timed(count: number, run: () => void): number {
  (globalThis as { gc?: () => void }).gc?.();
  const startedAt = process.hrtime.bigint();
  run();
  return Number(process.hrtime.bigint() - startedAt) / count;
}

function armAndCancel(count: number, rounds: number): { arm: number; cancel: number } {
  const all = durations(count);
  const handles = new Float64Array(count);
  const [arms, cancels]: number[][] = [[], []];
  const deadlines = new Deadlines();
  for (let round = 0; round < rounds; round += 1) {
    const now = Date.now();
    arms?.push(
      timed(count, () => {
        for (let index = 0; index < count; index += 1) {
          handles[index] = deadlines.set(now + (all[index] as number), nothing);
        }
      }),
    );
    cancels?.push(
      timed(count, () => {
        for (let index = 0; index < count; index += 1) deadlines.cancel(handles[(index * 7_919) % count] as number);
      }),
    );
  }
  return { arm: median(arms ?? []), cancel: median(cancels ?? []) };
}

function armAndCancelTimers(count: number, rounds: number): { arm: number; cancel: number } {
  const all = durations(count);
  const timers: NodeJS.Timeout[] = new Array(count);
  const [arms, cancels]: number[][] = [[], []];
  for (let round = 0; round < rounds; round += 1) {
    arms?.push(
      timed(count, () => {
        for (let index = 0; index < count; index += 1) timers[index] = setTimeout(nothing.due, all[index]);
      }),
    );
    cancels?.push(
      timed(count, () => {
        for (let index = 0; index < count; index += 1) clearTimeout(timers[(index * 7_919) % count]);
      }),
    );
  }
  return { arm: median(arms ?? []), cancel: median(cancels ?? []) };
}

/** The lateness in ms that one in a hundred exceeds, of so many spread over some time. `arm` calls back when one fires. */
async function lateness(count: number, overMs: number, arm: (at: number, fired: () => void) => void): Promise<number> {
  const late: number[] = [];
  const begin = Date.now() + 500;
  await new Promise<void>((done) => {
    for (let index = 0; index < count; index += 1) {
      const at = begin + Math.round((index * overMs) / count);
      arm(at, () => {
        late.push(Math.max(0, performance.timeOrigin + performance.now() - at));
        if (late.length === count) done();
      });
    }
  });
  late.sort((one, other) => one - other);
  return late[Math.floor(late.length * 0.99)] as number;
}

/** µs to arm one of so many, in a give-up-timer by conference, and in a trigger node by topic. */
async function throughNodes(counts: readonly number[]): Promise<{ giveUp: number[]; trigger: number[] }> {
  const red = await startNodeRed();
  await red.deploy([
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
  ]);
  const figures: { giveUp: number[]; trigger: number[] } = { giveUp: [], trigger: [] };
  for (const [serial, count] of counts.entries()) {
    const lost = Array.from({ length: count }, (_, index) =>
      factAbout(index, 'conference-session', 1 + serial, {
        event: 'state-changed',
        previous: 'Connected',
        state: 'Reconnecting',
        mode: 'recovering',
        dialog: 1,
        incident: `outage-${index}-${serial}`,
      }),
    );
    figures.giveUp.push((await pump(red, 'give-up', singly(lost), 'armed', count)) / 1_000);
    const found = lost.map((fact) => ({
      ...fact,
      event: 'state-changed',
      previous: 'Reconnecting',
      state: 'Connected',
      mode: null,
      seq: fact.seq + 1_000,
    }));
    await pump(red, 'give-up', inBatches(found, 100), 'armed', count);
    const topics = lost.map(({ conference }) => ({ topic: conference, payload: 1 }));
    figures.trigger.push((await pump(red, 'core-trigger', topics, 'triggered', count)) / 1_000);
    await red.deploy([]);
  }
  await red.stop();
  return figures;
}

export async function run(scale: Scale): Promise<Line[]> {
  const quick = scale === 'quick';
  const lines: Line[] = [];
  const add = (line: Omit<Line, 'lowerIsBetter'>): void => void lines.push({ ...line, lowerIsBetter: true });
  for (const [letter, count] of Object.entries(quick ? { a: 100_000 } : { a: 100_000, b: 1_000_000 })) {
    const timers = armAndCancelTimers(count, 3);
    const ours = armAndCancel(count, quick ? 5 : 9);
    const what = `of ${count} pending`;
    add({
      id: `P4${letter}`,
      what: `arm a deadline, ${what}`,
      goal: 100,
      unit: 'ns',
      figure: ours.arm,
      reference: 'setTimeout',
      referenceFigure: timers.arm,
    });
    add({
      id: `P4${letter}'`,
      what: `cancel one, ${what}`,
      goal: 50,
      unit: 'ns',
      figure: ours.cancel,
      reference: 'clearTimeout',
      referenceFigure: timers.cancel,
    });
  }
  const deadlines = new Deadlines();
  const [count, overMs] = quick ? [20_000, 1_000] : [100_000, 5_000];
  const timersLate = await lateness(count, overMs, (at, fired) => void setTimeout(fired, at - Date.now()));
  const late = await lateness(count, overMs, (at, fired) => void deadlines.set(at, { due: fired }));
  add({
    id: 'P4c',
    what: `lateness of ${count} in ${overMs / 1_000} s, p99`,
    goal: 5,
    unit: 'ms',
    figure: late,
    reference: 'setTimeout',
    referenceFigure: timersLate,
  });
  if (!quick) {
    const far = Date.now() + 600_000;
    const handles = Array.from({ length: 1_000_000 }, (_, index) => deadlines.set(far + index, nothing));
    const among = await lateness(count, overMs, (at, fired) => void deadlines.set(at, { due: fired }));
    for (const handle of handles) deadlines.cancel(handle);
    add({
      id: 'P4d',
      what: 'the same among 1,000,000 that are pending, p99',
      goal: 5,
      unit: 'ms',
      figure: among,
      reference: 'setTimeout, alone',
      referenceFigure: timersLate,
    });
  }
  const counts = quick ? [500] : [2_000, 20_000];
  const nodes = await throughNodes(counts);
  for (const [index, of] of counts.entries()) {
    add({
      id: index === 0 ? 'P4e' : 'P4f',
      what: `arm a give-up-timer, of ${of} conferences, its fact included`,
      goal: 20,
      unit: 'µs',
      figure: nodes.giveUp[index] as number,
      reference: 'core trigger node by topic',
      referenceFigure: nodes.trigger[index] as number,
    });
  }
  return lines;
}
