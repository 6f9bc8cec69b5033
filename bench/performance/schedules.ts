/** P7: schedules of faults that are simulated per second, on virtual time, and on faked timers. */
import { spawnSync } from 'node:child_process';
import { useFakeTimers } from 'sinon';
import { type Line, median, type Scale } from './line';

const start = 1_767_225_600_000;
const counts = { full: 2_000, quick: 150 };
const rounds = 3;

export async function run(scale: Scale): Promise<Line[]> {
  const compiled = spawnSync(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'test/simulation']);
  if (compiled.status !== 0) throw new Error(`The simulation cannot be compiled:\n${compiled.stdout}`);
  const folder = '../../test/output/simulation/test';
  const { run: play } = require(`${folder}/simulation/run`) as typeof import('../../test/simulation/run');
  const { drawSchedule } = require(`${folder}/simulation/schedule`) as typeof import('../../test/simulation/schedule');
  const { seedOf } = require(`${folder}/simulation/chance`) as typeof import('../../test/simulation/chance');
  const { VirtualClock } = require(
    `${folder}/support/virtual-clock`,
  ) as typeof import('../../test/support/virtual-clock');

  /** The same on timers that are faked, as tests of whole flows have them. */
  class FakedTimers extends VirtualClock {
    private readonly faked = useFakeTimers({ now: start, toFake: ['setTimeout', 'clearTimeout', 'Date'] });

    override now(): number {
      return Date.now();
    }

    override after(delayMs: number, run: () => void): () => void {
      this.pending += 1;
      let waits = true;
      const end = (): void => {
        if (waits) this.pending -= 1;
        waits = false;
      };
      const fire = (): void => {
        end();
        run();
      };
      const timer = setTimeout(fire, Math.max(0, delayMs));
      return () => {
        clearTimeout(timer);
        end();
      };
    }

    override advance(ms: number): void {
      this.faked.tick(ms);
    }

    override runNext(until = Number.POSITIVE_INFINITY): boolean {
      const next = Math.min(...Object.values(this.faked.timers ?? {}).map(({ callAt }) => callAt));
      if (next > until || next === Number.POSITIVE_INFINITY) return false;
      this.faked.next();
      return true;
    }

    restore(): void {
      this.faked.restore();
    }
  }

  /** Schedules per second of processor time. */
  function paceOf(from: number, one: (seed: number) => void): number {
    const before = process.cpuUsage();
    for (let index = 0; index < counts[scale]; index += 1) one(seedOf(1, from + index));
    const { user, system } = process.cpuUsage(before);
    return counts[scale] / ((user + system) / 1e6);
  }

  const virtual: number[] = [];
  const faked: number[] = [];
  let steps = 0;
  for (let round = 0; round < rounds; round += 1) {
    const from = round * counts[scale];
    steps = 0;
    virtual.push(
      paceOf(from, (seed) => {
        steps += play(drawSchedule(seed), { meticulous: false }).steps;
      }),
    );
    faked.push(
      paceOf(from, (seed) => {
        const clock = new FakedTimers();
        play(drawSchedule(seed), { meticulous: false, clock });
        clock.restore();
      }),
    );
  }
  const stepsPerSchedule = steps / counts[scale];
  const line = (id: string, what: string, goal: number, factor: number): Line => ({
    id,
    what,
    goal,
    unit: '/s',
    figure: factor * median(virtual),
    reference: 'with faked timers',
    referenceFigure: factor * median(faked),
    lowerIsBetter: false,
  });
  return [
    line('P7a', 'schedules of faults per second and core', 300_000, 1),
    line('P7b', 'steps of the model in them, pool and invariants included', 300_000, stepsPerSchedule),
  ];
}
