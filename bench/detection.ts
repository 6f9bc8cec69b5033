/**
 * `npm run bench:detection`: how soon the detector of the pack notices that the other side has died, and how often it says
 * so wrongly, for each way of judging heartbeats, on seeded traces of paths and senders that are not perfect.
 *
 * What runs is the machine of the node, fed with the signals that a conference session sends, on virtual time. Exits with
 * 1 when a goal is missed. Arguments: `--beats N` per line of the table, `--seed S`.
 */
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import {
  type FailoverDetectorSettings,
  type FailoverDetectorState,
  failoverDetector,
  failoverDetectorDefaults,
} from '../nodes/recovery/failover-detector';
import type { Fact, Signal, SignalKind, SignalPurpose } from '../nodes/recovery/messages';
import type { PolicyInput } from '../nodes/recovery/step';
import { type Behaviour, Path, Random, Sender } from './trace';

/** A trace, and what is asked of the detectors on it. */
export interface Trace extends Behaviour {
  name: string;
  /** False verdicts per day of a fixed time-out of 3.5 s: a check of the trace itself, within a factor of two. */
  fixedPerDay: number | null;
}

/**
 * The first four have goals. The others show where a second path does not help, where a third one does, and what it costs
 * that an answered probe holds a verdict back.
 */
export const traces: readonly Trace[] = [
  { name: '1 % lost', loss: 0.01, fixedPerDay: 0.2 },
  { name: '10 % lost', loss: 0.1, fixedPerDay: 81 },
  { name: 'bursts of 1 to 4 lost', burst: 0.002, fixedPerDay: 87 },
  { name: 'sender pauses', pause: 0.003, fixedPerDay: 0.5 },
  { name: 'bursts on both paths', burst: 0.002, shared: true, fixedPerDay: null },
  { name: 'the same, media flow', burst: 0.002, shared: true, mediaFlow: true, fixedPerDay: null },
  { name: 'only the route dies', routeOnly: true, fixedPerDay: null },
];

const fixed = 'fixed: 3.5 s';
const theDefault = 'suspicion';

/** The detectors of the table. */
export const detectors: { readonly [name: string]: Partial<FailoverDetectorSettings> } = {
  'missed: 2': { heartbeatDetector: 'missed' },
  [fixed]: { heartbeatDetector: 'fixed' },
  'phi: 8, pause 3 s': { heartbeatDetector: 'phi' },
  [theDefault]: {},
};

/** What was measured of one detector on one trace. */
export interface Measurement {
  trace: string;
  detector: string;
  falsePerDay: number;
  /** From the death of the sender to the verdict, over all deaths. */
  meanMs: number;
  p50Ms: number;
  p99Ms: number;
}

const goals = { meanMs: 3_000, falsePerDay: 1 };
const beatMs = 1_000;
const day = 86_400_000;
/** After so long the session gives an OPTIONS up (its repair time-out, by default). */
const giveUpMs = 4_000;

/** What is under way to the detector: an answer that left the sender, or the session's word that none came. */
interface Coming {
  at: number;
  /** When the answer left the sender; null for the word that none came, which nothing stops. */
  leftAt: number | null;
  sentAt: number;
  signal: 'heartbeat' | 'heartbeat-missed' | 'response';
}

// ----------------------------------------------------------------------------------------------------------- the world

/** A detector with what it hears, on virtual time. Forks cheaply, since no step of the machine changes its record. */
class World {
  now = 0;
  verdictAt: number | null = null;
  /** In order of arrival. */
  private coming: Coming[] = [];
  private deadlines = new Map<string, number>();
  private diesAt = Number.POSITIVE_INFINITY;
  private probesDieAt = Number.POSITIVE_INFINITY;
  private state: FailoverDetectorState = failoverDetector.start('sip:bench@pool.example');

  constructor(
    private readonly settings: FailoverDetectorSettings,
    private readonly sender: Sender,
    private readonly secondPath: Path,
  ) {}

  /** The session joins; media flow or are not heard of. */
  begin(mediaFlow: boolean): void {
    const joined = { event: 'state-changed', previous: 'Connecting', state: 'Connected', mode: null };
    this.give({ input: 'message', message: { ...signalOf('heartbeat'), ...joined } as unknown as Fact });
    const media = { ...signalOf('media'), mcu: 'audio-video', flowing: true };
    if (mediaFlow) this.give({ input: 'message', message: media });
  }

  /** An OPTIONS of the session is answered when the sender gets to it, or its answer is lost. */
  beat(sentAt: number, delayMs: number | null): void {
    const leftAt = this.sender.answersAt(sentAt);
    const arrives = delayMs !== null && leftAt < this.diesAt && leftAt + delayMs < sentAt + giveUpMs;
    if (arrives) this.expect({ at: leftAt + delayMs, leftAt, sentAt, signal: 'heartbeat' });
    else this.expect({ at: sentAt + giveUpMs, leftAt: null, sentAt, signal: 'heartbeat-missed' });
  }

  /** Lets everything happen that is due before `until`; a fork ends with its verdict. */
  run(until: number): void {
    for (;;) {
      const [deadline, due] = this.nextDeadline();
      const next = this.coming[0];
      const at = Math.min(due, next?.at ?? Number.POSITIVE_INFINITY);
      if (at >= until) break;
      this.now = at;
      if (next !== undefined && next.at === at) {
        this.coming.shift();
        this.hear(next.signal, next.signal === 'response' ? 'probe' : 'refresh', at - next.sentAt);
      } else {
        this.deadlines.delete(deadline);
        this.give({ input: 'deadline', deadline });
      }
      if (this.verdictAt !== null) return;
    }
    this.now = until;
  }

  /** The world as it is, in which the sender dies at some moment; or only the dialog's route does. */
  fork(diesAt: number, routeOnly: boolean): World {
    const fork = new World(this.settings, this.sender, this.secondPath);
    fork.now = this.now;
    fork.state = this.state;
    fork.deadlines = new Map(this.deadlines);
    fork.diesAt = diesAt;
    if (!routeOnly) fork.probesDieAt = diesAt;
    for (const coming of this.coming) {
      const dies = coming.signal === 'response' ? fork.probesDieAt : diesAt;
      if (coming.leftAt === null || coming.leftAt < dies) fork.expect(coming);
      else if (coming.signal === 'heartbeat')
        fork.expect({ ...coming, at: coming.sentAt + giveUpMs, leftAt: null, signal: 'heartbeat-missed' });
    }
    return fork;
  }

  /** The healer finds the route in order, and the verdict is closed. */
  heal(): void {
    this.verdictAt = null;
    this.hear('response', 'heal', 0);
  }

  private hear(signal: Coming['signal'], purpose: SignalPurpose, elapsedMs: number): void {
    const message = signalOf(signal);
    message.purpose = purpose;
    message.method = 'OPTIONS';
    message.elapsedMs = elapsedMs;
    if (signal === 'response') message.status = 200;
    this.give({ input: 'message', message });
  }

  private give(input: PolicyInput): void {
    const { now } = this;
    const step = failoverDetector.step(this.state, input, { now, random: 0 }, this.settings);
    this.state = step.state;
    for (const effect of step.effects) {
      if (effect.effect === 'set-deadline') this.deadlines.set(effect.deadline, effect.at);
      else this.deadlines.delete(effect.deadline);
    }
    for (const message of step.messages) {
      if ('command' in message) this.probe();
      else if (message.event === 'failover-detected' && message.phase === 'failed') this.verdictAt = now;
    }
  }

  private probe(): void {
    const leftAt = this.sender.answersAt(this.now);
    const delayMs = this.secondPath.delay();
    if (delayMs === null || leftAt >= this.probesDieAt) return;
    this.expect({ at: leftAt + delayMs, leftAt, sentAt: this.now, signal: 'response' });
  }

  private expect(coming: Coming): void {
    const { coming: all } = this;
    let place = all.length;
    while (place > 0 && (all[place - 1] as Coming).at > coming.at) place -= 1;
    all.splice(place, 0, coming);
  }

  private nextDeadline(): [deadline: string, at: number] {
    let next: [string, number] = ['', Number.POSITIVE_INFINITY];
    for (const deadline of this.deadlines) if (deadline[1] < next[1]) next = deadline;
    return next;
  }
}

function signalOf(signal: SignalKind): Signal {
  return {
    event: 'signal',
    conference: 'sip:bench@pool.example',
    at: '2026-01-01T00:00:00.000Z',
    seq: 1,
    source: 'conference-session',
    incident: null,
    active: false,
    severity: 'info',
    dialog: 1,
    version: 1,
    signal,
  };
}

// --------------------------------------------------------------------------------------------------------- measurement

/** How much is simulated. */
export interface Extent {
  beats: number;
  /** So many times, in forks of the same run, the sender dies. */
  deaths: number;
  seed: number;
}

/** Runs one detector over one trace. The same seed gives every detector the same trace. */
export function measure(trace: Trace, detector: string, { beats, deaths, seed }: Extent): Measurement {
  const settings = { ...failoverDetectorDefaults, ...detectors[detector] };
  const random = new Random(seed);
  const sender = new Sender(trace, new Random(seed + 1));
  const dialogPath = new Path(trace, random);
  const secondPath = new Path(trace, new Random(seed + 2), trace.shared ? dialogPath : null);
  const world = new World(settings, sender, secondPath);
  const moments = new Random(seed + 3);
  const every = Math.max(1, Math.floor(beats / deaths));
  const times: number[] = [];
  let falseVerdicts = 0;
  world.begin(trace.mediaFlow === true);
  for (let beat = 0; beat < beats; beat += 1) {
    const at = beat * beatMs;
    sender.beat(at);
    dialogPath.beat();
    secondPath.beat();
    world.beat(at, dialogPath.delay());
    // Once the interval is known: a sender that dies before is a matter for missed heartbeats.
    if (beat % every === every - 1 && beat > 100) {
      const time = timeToVerdict(world, at + moments.next() * beatMs, trace.routeOnly === true);
      if (time !== null) times.push(time);
    }
    world.run(at + beatMs);
    if (world.verdictAt !== null) {
      falseVerdicts += 1;
      world.heal();
      world.run(at + beatMs);
    }
  }
  times.sort((one, other) => one - other);
  return {
    trace: trace.name,
    detector,
    falsePerDay: falseVerdicts / ((beats * beatMs) / day),
    meanMs: times.reduce((sum, time) => sum + time, 0) / times.length,
    p50Ms: times[Math.floor(times.length * 0.5)] ?? Number.NaN,
    p99Ms: times[Math.floor(times.length * 0.99)] ?? Number.NaN,
  };
}

/** Null when a false verdict came first: that one is counted where nobody dies. */
function timeToVerdict(world: World, diesAt: number, routeOnly: boolean): number | null {
  const fork = world.fork(diesAt, routeOnly);
  for (let at = world.now + beatMs; fork.verdictAt === null; at += beatMs) {
    fork.run(at);
    fork.beat(at, null);
  }
  return fork.verdictAt < diesAt ? null : fork.verdictAt - diesAt;
}

// ------------------------------------------------------------------------------------------------------------- command

/** What the goals and the checks of the traces have to complain about. */
export function complaintsAbout(measurements: readonly Measurement[]): string[] {
  return measurements.flatMap(({ trace, detector, meanMs, falsePerDay }) => {
    const { fixedPerDay = null } = traces.find(({ name }) => name === trace) ?? {};
    if (fixedPerDay === null) return [];
    const ofTrace = `${detector}, ${trace}:`;
    if (detector === fixed && (falsePerDay < fixedPerDay / 2 || falsePerDay > fixedPerDay * 2))
      return [
        `${ofTrace} ${falsePerDay.toFixed(2)} false verdicts a day; about ${fixedPerDay} show that the trace is right`,
      ];
    if (detector !== theDefault) return [];
    return [
      ...(!(meanMs <= goals.meanMs)
        ? [`${ofTrace} ${Math.round(meanMs)} ms on average; the goal is ${goals.meanMs}`]
        : []),
      ...(!(falsePerDay < goals.falsePerDay)
        ? [`${ofTrace} ${falsePerDay.toFixed(2)} false verdicts a day; the goal is below ${goals.falsePerDay}`]
        : []),
    ];
  });
}

interface Job {
  trace: Trace;
  detector: string;
  extent: Extent;
}

function jobs(beats: number, seed: number): Job[] {
  return traces.flatMap((trace) =>
    Object.keys(detectors).map((detector) => {
      // What is compared with a goal is measured longer.
      const counts = trace.fixedPerDay !== null && (detector === fixed || detector === theDefault);
      return { trace, detector, extent: { beats: counts ? beats : Math.ceil(beats / 6), deaths: 5_000, seed } };
    }),
  );
}

/** Measures in as many threads as there are processors. */
async function measureAll(all: readonly Job[]): Promise<Measurement[]> {
  const measurements: Measurement[] = new Array(all.length);
  let next = 0;
  const work = async (): Promise<void> => {
    for (let index = next++; index < all.length; index = next++) {
      measurements[index] = await new Promise<Measurement>((resolve, reject) => {
        // A thread has to learn of TypeScript by itself.
        const program = `require('tsx/cjs'); require(${JSON.stringify(__filename)})`;
        new Worker(program, { eval: true, workerData: all[index] }).on('message', resolve).on('error', reject);
      });
    }
  };
  await Promise.all(cpus().map(work));
  return measurements;
}

function print(measurements: readonly Measurement[]): void {
  const seconds = (ms: number): string => (ms / 1_000).toFixed(2).padStart(8);
  console.log(`${''.padEnd(24)}${''.padEnd(20)}    time to the verdict, s   false`);
  console.log(`${'trace'.padEnd(24)}${'detector'.padEnd(20)}    mean     p50     p99   a day`);
  for (const { trace, detector, meanMs, p50Ms, p99Ms, falsePerDay } of measurements) {
    const figures = [seconds(meanMs), seconds(p50Ms), seconds(p99Ms), falsePerDay.toFixed(2).padStart(8)].join('');
    console.log(`${trace.padEnd(24)}${detector.padEnd(20)}${figures}`);
  }
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { beats: { type: 'string', default: '3000000' }, seed: { type: 'string', default: '1' } },
  });
  const beats = Number(values.beats);
  const measurements = await measureAll(jobs(beats, Number(values.seed)));
  print(measurements);
  console.log(
    `Heartbeats every second; ${beats} of them (${((beats * beatMs) / day).toFixed(0)} days) where there are goals.`,
  );
  const complaints = complaintsAbout(measurements);
  for (const complaint of complaints) console.log(complaint);
  process.exitCode = complaints.length > 0 ? 1 : 0;
}

if (!isMainThread && parentPort !== null && workerData !== null) {
  const { trace, detector, extent } = workerData as Job;
  parentPort.postMessage(measure(trace, detector, extent));
} else if (require.main === module && isMainThread) {
  void main();
}
