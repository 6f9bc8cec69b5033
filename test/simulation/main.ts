/**
 * `npm run simulate`: plays seeded schedules, and checks the invariants after every step of each.
 *
 *   --schedules N   how many, at least (10 000)
 *   --minutes M     go on for so long, at least
 *   --seed S        which ones (1)
 *   --only SEED     just the one that a failure named, told step by step
 *   --rarest N      also name the N places that were visited least (0)
 */
import { parseArgs } from 'node:util';
import type { Message } from '../../nodes/recovery/step';
import { checkMessage } from '../support/schema';
import { seedOf } from './chance';
import type { Deed } from './deeds';
import { type Failure, run } from './run';
import { drawSchedule, type Schedule } from './schedule';
import { peculiarities, shrink } from './shrink';
import { Violation } from './violation';
import { Visits } from './visits';
import type { Options } from './world';

/** One of so many schedules is checked with more care: messages against the schema, records for being plain and frozen. */
const carefulEvery = 250;
const leastStepsPerSchedule = 25;
const mostFailures = 3;
// Impossible faults are errors by the million, whose stacks nobody reads.
Error.stackTraceLimit = 0;

const { values } = parseArgs({
  options: {
    schedules: { type: 'string', default: '10000' },
    minutes: { type: 'string', default: '0' },
    seed: { type: 'string', default: '1' },
    only: { type: 'string' },
    rarest: { type: 'string', default: '0' },
  },
});

function valid(message: Message): void {
  try {
    checkMessage(message);
  } catch (error) {
    throw new Violation('schema', (error as Error).message);
  }
}

function see(visits: Visits, careful: boolean): (now: number, at: string, what: Message | Deed) => void {
  return (_, at, what) => {
    if (at === 'fate') return;
    visits.said(what as Message);
    if (careful) valid(what as Message);
  };
}

function isCareful({ seed }: Schedule): boolean {
  return seed % carefulEvery === 0;
}

/** How to play a schedule again, without counting its visits once more. */
function optionsFor(schedule: Schedule): Options {
  if (!isCareful(schedule)) return { meticulous: false };
  return { meticulous: true, see: (_, at, what) => at !== 'fate' && valid(what as Message) };
}

function tell(schedule: Schedule, { invariant, message }: Failure): void {
  console.log(`\nSeed ${schedule.seed} fails: ${message}`);
  const smallest = shrink(schedule, invariant, optionsFor(schedule));
  console.log(`A minimal schedule, of ${smallest.actions.length} of its ${schedule.actions.length} actions:`);
  console.log(`  setting ${JSON.stringify(peculiarities(smallest.setting))}`);
  for (const { when, deed } of smallest.actions) {
    const time = 'atMs' in when ? `at ${when.atMs} ms` : `${when.afterMs} ms after ${when.phase}`;
    console.log(`  ${time}: ${JSON.stringify(deed)}`);
  }
  console.log(`  then ${smallest.tailMs} ms${smallest.calm ? ', repair and calm' : ''}, and terminate`);
  if (values.only !== undefined) narrate(smallest);
  else console.log(`Told step by step by: npm run simulate -- --only ${schedule.seed}`);
}

function narrate(schedule: Schedule): void {
  Error.stackTraceLimit = 20;
  let begun: number | null = null;
  console.log('');
  const { failure } = run(schedule, {
    meticulous: isCareful(schedule),
    see: (now, at, what) => {
      begun ??= now;
      console.log(`${String(now - begun).padStart(8)} ms  ${at.padEnd(12)} ${brief(what)}`);
    },
  });
  console.log(failure ? failure.message : 'Nothing is wrong with it.');
}

const envelope = new Set(['conference', 'at', 'source', 'version', 'severity', 'startedAt', 'endedAt', 'elapsedMs']);

function brief(what: Message | Deed): string {
  return JSON.stringify(what, (name, value) => (envelope.has(name) ? undefined : value)).slice(0, 400);
}

function simulate(): boolean {
  const visits = new Visits();
  const least = Number(values.schedules);
  const untilMs = Date.now() + 60_000 * Number(values.minutes);
  const chosen = Number(values.seed);
  const idle = process.cpuUsage();
  let steps = 0;
  let played = 0;
  let failures = 0;
  const plain = see(visits, false);
  const careful = see(visits, true);
  while (played < least || played % 256 !== 0 || Date.now() < untilMs) {
    const schedule = drawSchedule(seedOf(chosen, played));
    const meticulous = isCareful(schedule);
    const result = run(schedule, { meticulous, see: meticulous ? careful : plain });
    played += 1;
    steps += result.steps;
    if (!result.failure) continue;
    failures += 1;
    tell(schedule, result.failure);
    if (failures === mostFailures) break;
  }
  // Time on the processor, so that neighbours do not count.
  const { user, system } = process.cpuUsage(idle);
  const seconds = (user + system) / 1e6;
  const perSecond = (count: number): string => Math.round(count / seconds).toLocaleString('en');
  console.log(
    `${played.toLocaleString('en')} schedules of ${(steps / played).toFixed(1)} steps, seed ${values.seed}: ` +
      `${perSecond(played)} schedules and ${perSecond(steps)} steps per second and core`,
  );
  const { missing, total } = visits;
  console.log(`${total - missing.length} of ${total} cells, facts, ways and reasons were visited`);
  for (const name of missing) console.log(`  never: ${name}`);
  for (const [name, count] of visits.rarest(Number(values.rarest))) console.log(`  ${count} ${name}`);
  if (steps / played < leastStepsPerSchedule) console.log(`Fewer than ${leastStepsPerSchedule} steps per schedule.`);
  return failures === 0 && missing.length === 0 && steps / played >= leastStepsPerSchedule;
}

if (values.only === undefined) {
  process.exitCode = simulate() ? 0 : 1;
} else {
  const schedule = drawSchedule(Number(values.only));
  const { failure } = run(schedule, optionsFor(schedule));
  if (failure) tell(schedule, failure);
  else narrate(schedule);
  process.exitCode = failure ? 1 : 0;
}
