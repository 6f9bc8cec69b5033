/**
 * The give-up timer: decides when a recovery has taken too long. A conference session does not leave Reconnecting unless
 * healing succeeds, so the application should have timers or other criteria, such as the end of media (UCMA, conference
 * recovery: intermediate hop failover; contract, section 4; conformance GU-1 to GU-12, O18).
 *
 * Criteria decide only while the session is in Reconnecting, and any of them is enough.
 */
import type { CallStateChanged, HealAttempted, ModeChanged, Request, SessionStatus, StateChanged } from './messages';
import {
  blank,
  concerns,
  Draft,
  isFromSession,
  isOutdated,
  legalTransition,
  ofAnotherIncident,
  type PolicyState,
  takesPart,
} from './policy';
import { instant, type PolicyInput, type PolicyMachine } from './step';

/** What a user decides about giving up. With no criterion at all, the session waits for ever (GU-6; UCMA's default). */
export interface GiveUpTimerSettings {
  /** Criterion `elapsed`: time in Reconnecting; 0 is off. */
  giveUpAfterMs: number;
  /** Criterion `attempts`: failed healing attempts; 0 is off. */
  attempts: number;
  /** Criterion `media-ended`: how long the media of every call have been gone; 0 is off. */
  mediaEndedMs: number;
  /** How often the time that is left is told; 0 is never. */
  tickMs: number;
}

export const giveUpTimerDefaults: GiveUpTimerSettings = {
  giveUpAfterMs: 300_000,
  attempts: 0,
  mediaEndedMs: 0,
  tickMs: 1_000,
};

/**
 * - `disarmed`: the session is not in Reconnecting, or no criterion is on;
 * - `armed`: the criteria decide;
 * - `paused`: time stands still and nothing decides, until `resume`;
 * - `cancelled`: somebody called it off for this outage;
 * - `given-up`: it has decided, once and for all for this outage.
 */
export type GiveUpPhase = 'disarmed' | 'armed' | 'paused' | 'cancelled' | 'given-up';

/** What can decide; `external` is the command `give-up`. */
export type CriterionName = 'elapsed' | 'attempts' | 'media-ended' | 'external';

/** The record of one conference. */
export interface GiveUpTimerState extends PolicyState {
  phase: GiveUpPhase;
  /** When the session entered Reconnecting (ms since 1970). */
  enteredAt: number;
  /** Highest number of a failed healing attempt (GU-12), and the outage that it belongs to. */
  attempts: number;
  attemptsOf: string | null;
  /** MCUs whose media flow. */
  flowing: readonly string[];
  /** When the last media ended (ms since 1970); null while some flow, and as long as there were none. */
  mediaEndedAt: number | null;
  /** While paused: what was left of each criterion of time, in ms. */
  remaining: { readonly [criterion in TimedCriterion]?: number };
}

/** Gives up a recovery that takes too long. */
export const giveUpTimer: PolicyMachine<GiveUpTimerState, GiveUpTimerSettings> = {
  start: (conference) => ({
    ...blank(conference),
    phase: 'disarmed',
    enteredAt: 0,
    attempts: 0,
    attemptsOf: null,
    flowing: [],
    mediaEndedAt: null,
    remaining: {},
  }),
  step(state, input, moment, settings) {
    const timer = new Draft('give-up-timer', state, moment, settings);
    read(timer, input);
    return timer.finish();
  },
  idle: ({ phase, flowing, mediaEndedAt }) => phase === 'disarmed' && flowing.length === 0 && mediaEndedAt === null,
};

type Timer = Draft<GiveUpTimerState, GiveUpTimerSettings>;

// ------------------------------------------------------------------------------------------------------------ criteria

/** Criteria that a deadline of the same name decides. */
type TimedCriterion = 'elapsed' | 'media-ended';

interface Criterion {
  isOn(settings: GiveUpTimerSettings): boolean;
  /** The figures that decided, as the end of a sentence (GU-9). */
  figures(timer: Timer): string;
}

const timedCriteria: readonly TimedCriterion[] = ['elapsed', 'media-ended'];

const criteria: { readonly [name in CriterionName]: Criterion } = {
  elapsed: {
    isOn: ({ giveUpAfterMs }) => giveUpAfterMs > 0,
    figures: ({ state }) => `${count(state.attempts)} failed`,
  },
  attempts: {
    isOn: ({ attempts }) => attempts > 0,
    figures: ({ state, settings }) => `${count(state.attempts)} failed (limit ${settings.attempts})`,
  },
  'media-ended': {
    isOn: ({ mediaEndedMs }) => mediaEndedMs > 0,
    figures: ({ state, settings, now }) =>
      `no media for ${spell(now - (state.mediaEndedAt ?? now))} (limit ${limit(settings.mediaEndedMs)})`,
  },
  external: {
    isOn: () => false,
    figures: () => 'somebody sent the command give-up',
  },
};

function criteriaThatAreOn(settings: GiveUpTimerSettings): CriterionName[] {
  return (Object.keys(criteria) as CriterionName[]).filter((name) => criteria[name].isOn(settings));
}

/** `dueAt`: with a criterion of time, when it was due (ms since 1970). */
function explain(timer: Timer, criterion: CriterionName, dueAt?: number): string {
  const { enteredAt } = timer.state;
  const allowed = criterion === 'elapsed' && dueAt !== undefined ? ` (limit ${limit(dueAt - enteredAt)})` : '';
  return `Gave up after ${spell(timer.now - enteredAt)} in Reconnecting${allowed}: ${criteria[criterion].figures(timer)}.`;
}

function count(attempts: number): string {
  return attempts === 1 ? '1 healing attempt' : `${attempts || 'no'} healing attempts`;
}

/** A duration for people, from its largest unit down to seconds: `5 min 0 s`. */
function spell(ms: number): string {
  const units = inUnits(ms);
  const largest = units.findIndex(([figure, unit]) => figure > 0 || unit === 's');
  return join(units.slice(largest));
}

/** A duration that somebody has set: `5 min`. */
function limit(ms: number): string {
  return join(inUnits(ms).filter(([figure]) => figure > 0)) || spell(ms);
}

function join(units: [figure: number, unit: string][]): string {
  return units.map(([figure, unit]) => `${figure} ${unit}`).join(' ');
}

function inUnits(ms: number): [figure: number, unit: string][] {
  const tenths = Math.round(ms / 100);
  return [
    [Math.floor(tenths / 36_000), 'h'],
    [Math.floor(tenths / 600) % 60, 'min'],
    [(tenths % 600) / 10, 's'],
  ];
}

// --------------------------------------------------------------------------------------------------------- the machine

/** What the machine distinguishes in its input, with what comes along. */
interface Events {
  /** The session is in Reconnecting. */
  reconnecting: StateChanged | SessionStatus;
  /** The session takes part, and is not in Reconnecting. */
  recovered: null;
  /** The session does not take part any more, or not yet. */
  ended: null;
  'attempt-failed': HealAttempted;
  /** The first media flow. */
  'media-flowing': null;
  /** The last media have ended. */
  'media-ended': null;
  /** A criterion of time is met. */
  due: { criterion: TimedCriterion; dueAt: number };
  tick: null;
  pause: null;
  resume: null;
  /** By so many ms. */
  extend: number;
  cancel: null;
  'give-up': null;
}

type Row = { readonly [event in keyof Events]: (timer: Timer, event: Events[event]) => void };

/** There is nothing that a command could act on (GU-10). */
const refusals = {
  pause: refuseAs('pause'),
  resume: refuseAs('resume'),
  extend: refuseAs('extend'),
  cancel: refuseAs('cancel'),
  'give-up': refuseAs('give-up'),
};

/** Nothing more is to be decided in this outage. */
const spent: Row = {
  reconnecting: ignore,
  recovered: rest,
  ended: rest,
  'attempt-failed': ignore,
  'media-flowing': ignore,
  'media-ended': ignore,
  due: ignore,
  tick: ignore,
  ...refusals,
};

const table: { readonly [phase in GiveUpPhase]: Row } = {
  disarmed: {
    reconnecting: arm,
    recovered: ignore,
    ended: ignore,
    'attempt-failed': countAttempt,
    'media-flowing': ignore,
    'media-ended': ignore,
    due: ignore,
    tick: ignore,
    ...refusals,
  },
  armed: {
    reconnecting: ignore,
    recovered: disarmRecovered,
    ended: disarmEnded,
    'attempt-failed': countAttemptAndDecide,
    'media-flowing': stopMediaClock,
    'media-ended': startMediaClock,
    due: giveUpInTime,
    tick,
    pause,
    resume: refuseResume,
    extend,
    cancel,
    'give-up': giveUpAsTold,
  },
  paused: {
    reconnecting: ignore,
    recovered: disarmRecovered,
    ended: disarmEnded,
    'attempt-failed': countAttempt,
    'media-flowing': stopMediaClock,
    'media-ended': startMediaClock,
    due: ignore,
    tick: ignore,
    pause: refusePause,
    resume,
    extend,
    cancel,
    'give-up': giveUpAsTold,
  },
  cancelled: spent,
  'given-up': spent,
};

const legal: { readonly [phase in GiveUpPhase]: readonly GiveUpPhase[] } = {
  disarmed: ['armed'],
  armed: ['disarmed', 'paused', 'cancelled', 'given-up'],
  paused: ['disarmed', 'armed', 'cancelled', 'given-up'],
  cancelled: ['disarmed'],
  'given-up': ['disarmed'],
};

/** The table as tools see it: for charts, for the simulation, and to switch cells off one by one. */
export const giveUpTimerTable = { legal, cells: table, nothing: ignore } as const;

function run<Event extends keyof Events>(timer: Timer, event: Event, detail: Events[Event]): void {
  table[timer.state.phase][event](timer, detail);
}

/** The one writer of the phase. */
function enter(timer: Timer, phase: GiveUpPhase): void {
  timer.change({ phase: legalTransition(legal, timer.state.phase, phase) });
}

// --------------------------------------------------------------------------------------------------------------- cells

function ignore(): void {}

function arm(timer: Timer, { incident }: StateChanged | SessionStatus): void {
  const { now, settings, state } = timer;
  if (criteriaThatAreOn(settings).length === 0) return;
  enter(timer, 'armed');
  timer.change({
    incident: incident === null ? null : { id: incident, startedAt: now },
    enteredAt: now,
    // The attempt that failed first may be told before the state that follows from it.
    attempts: state.attemptsOf === incident ? state.attempts : 0,
    attemptsOf: incident,
  });
  if (criteria.elapsed.isOn(settings)) startClock(timer, 'elapsed', settings.giveUpAfterMs);
  if (state.mediaEndedAt !== null) startMediaClock(timer);
  scheduleTick(timer);
  tellArmed(timer);
  decideByAttempts(timer);
}

function countAttempt(timer: Timer, { attempt, incident }: HealAttempted): void {
  const { attempts, attemptsOf } = timer.state;
  timer.change({ attempts: attemptsOf === incident ? Math.max(attempts, attempt) : attempt, attemptsOf: incident });
}

function countAttemptAndDecide(timer: Timer, attempted: HealAttempted): void {
  countAttempt(timer, attempted);
  decideByAttempts(timer);
}

function startMediaClock(timer: Timer): void {
  if (criteria['media-ended'].isOn(timer.settings)) startClock(timer, 'media-ended', timer.settings.mediaEndedMs);
}

function stopMediaClock(timer: Timer): void {
  const { 'media-ended': _stopped, ...remaining } = timer.state.remaining;
  timer.cancel('media-ended');
  timer.change({ remaining });
}

function tick(timer: Timer): void {
  const { elapsed = timer.now } = timer.state.deadlines;
  timer.tell('info', { event: 'give-up-tick', remainingMs: Math.max(0, elapsed - timer.now) });
  scheduleTick(timer);
}

function pause(timer: Timer): void {
  const { deadlines } = timer.state;
  const left: { [criterion in TimedCriterion]?: number } = {};
  for (const name of timedCriteria) {
    const at = deadlines[name];
    if (at !== undefined) left[name] = Math.max(0, at - timer.now);
  }
  timer.cancelAll();
  timer.change({ remaining: left });
  enter(timer, 'paused');
  tellArmed(timer);
}

function resume(timer: Timer): void {
  const { remaining } = timer.state;
  enter(timer, 'armed');
  timer.change({ remaining: {} });
  for (const name of timedCriteria) {
    const left = remaining[name];
    if (left !== undefined) startClock(timer, name, left);
  }
  scheduleTick(timer);
  tellArmed(timer);
  decideByAttempts(timer);
}

function extend(timer: Timer, byMs: number): void {
  const { remaining, deadlines } = timer.state;
  const left = remaining.elapsed ?? (deadlines.elapsed === undefined ? null : deadlines.elapsed - timer.now);
  if (left === null) return timer.refuse('extend', 'No limit of time is set, so there is none to extend.');
  startClock(timer, 'elapsed', left + byMs);
  scheduleTick(timer);
  tellArmed(timer);
}

function cancel(timer: Timer): void {
  timer.tell('info', { event: 'give-up-cancelled', reason: 'cancelled' });
  timer.cancelAll();
  enter(timer, 'cancelled');
}

function giveUpInTime(timer: Timer, { criterion, dueAt }: Events['due']): void {
  giveUp(timer, criterion, dueAt);
}

function giveUpAsTold(timer: Timer): void {
  giveUp(timer, 'external');
}

function disarmRecovered(timer: Timer): void {
  disarm(timer, 'recovered');
}

function disarmEnded(timer: Timer): void {
  disarm(timer, 'ended');
}

/** Ready for the next outage. */
function rest(timer: Timer): void {
  timer.cancelAll();
  enter(timer, 'disarmed');
  timer.change({ incident: null, attempts: 0, attemptsOf: null, remaining: {} });
}

function refuseAs(command: string): (timer: Timer) => void {
  return (timer) =>
    timer.refuse(
      command,
      `No give-up timer is armed, so ${command} has nothing to act on. One is armed in Reconnecting.`,
    );
}

function refusePause(timer: Timer): void {
  timer.refuse('pause', 'The give-up timer is paused already. It goes on with resume.');
}

function refuseResume(timer: Timer): void {
  timer.refuse('resume', 'The give-up timer is running. Only a paused one can resume.');
}

// ---------------------------------------------------------------------------------------------------------- what cells do

/** Lets a criterion of time have `leftMs` from now; while paused, from `resume`. */
function startClock(timer: Timer, criterion: TimedCriterion, leftMs: number): void {
  const { phase, remaining } = timer.state;
  if (phase === 'paused') timer.change({ remaining: { ...remaining, [criterion]: leftMs } });
  else timer.schedule(criterion, timer.now + leftMs);
}

function scheduleTick(timer: Timer): void {
  const { elapsed, tick: scheduled } = timer.state.deadlines;
  const { tickMs } = timer.settings;
  const at = timer.now + tickMs;
  if (tickMs > 0 && scheduled === undefined && elapsed !== undefined && at < elapsed) timer.schedule('tick', at);
}

function tellArmed(timer: Timer): void {
  const { elapsed } = timer.state.deadlines;
  timer.tell('info', {
    event: 'give-up-armed',
    deadlineAt: elapsed === undefined ? null : instant(elapsed),
    criteria: criteriaThatAreOn(timer.settings),
  });
}

function decideByAttempts(timer: Timer): void {
  const { settings, state } = timer;
  if (criteria.attempts.isOn(settings) && state.attempts >= settings.attempts) giveUp(timer, 'attempts');
}

function giveUp(timer: Timer, criterion: CriterionName, dueAt?: number): void {
  const { dialog, incident } = timer.state;
  const explanation = explain(timer, criterion, dueAt);
  timer.cancelAll();
  enter(timer, 'given-up');
  timer.ask({ command: 'terminate', reason: 'GaveUp', incident: incident?.id ?? null, dialog, criterion, explanation });
  timer.tell('critical', { event: 'gave-up', criterion, explanation });
}

/** The session's own fact has closed the outage before ours leaves. */
function disarm(timer: Timer, reason: 'recovered' | 'ended'): void {
  const outage = { id: timer.state.incident?.id ?? null, active: false };
  timer.tell('info', { event: 'give-up-cancelled', reason }, outage);
  rest(timer);
}

// --------------------------------------------------------------------------------------------------------------- input

function read(timer: Timer, input: PolicyInput): void {
  if (input.input === 'deadline') {
    const dueAt = timer.takeDue(input.deadline);
    if (dueAt !== undefined) whenDue[input.deadline as keyof typeof whenDue](timer, dueAt);
    return;
  }
  const { message } = input;
  if ('command' in message) return obey(timer, message);
  if (isFromSession(message)) hearSession(timer, message);
  else if (message.event === 'heal-attempted') hearAttempt(timer, message);
  else if (message.event === 'media-changed') hearMedia(timer, message.mcu, message.flowing);
  else if (message.event === 'call-state-changed') hearCall(timer, message);
}

const whenDue = {
  elapsed: (timer: Timer, dueAt: number) => run(timer, 'due', { criterion: 'elapsed', dueAt }),
  'media-ended': (timer: Timer, dueAt: number) => run(timer, 'due', { criterion: 'media-ended', dueAt }),
  tick: (timer: Timer) => run(timer, 'tick', null),
};

function hearSession(timer: Timer, fact: StateChanged | ModeChanged | SessionStatus): void {
  if (isOutdated(timer.state, fact)) return;
  timer.change({ dialog: fact.dialog, heard: fact.seq });
  // A change of mode is the same Reconnecting (GU-5).
  if (fact.event === 'mode-changed') return;
  timer.change({ session: fact.state });
  if (fact.event === 'session-status') timer.renewDeadlines();
  // The end of the outage before may have been lost on the way, but there are not two at a time.
  if (fact.state === 'Reconnecting' && ofAnotherIncident(timer.state, fact)) run(timer, 'recovered', null);
  if (fact.state === 'Reconnecting') run(timer, 'reconnecting', fact);
  else run(timer, takesPart[fact.state] ? 'recovered' : 'ended', null);
  if (!takesPart[fact.state]) timer.change({ flowing: [], mediaEndedAt: null });
}

function hearAttempt(timer: Timer, attempted: HealAttempted): void {
  const { outcome } = attempted;
  if (!concerns(timer.state, attempted) || ofAnotherIncident(timer.state, attempted)) return;
  if (outcome !== 'healed' && outcome !== 'healed-by-peer') run(timer, 'attempt-failed', attempted);
}

/** Media flow from the moment a call is established until somebody says otherwise. */
function hearCall(timer: Timer, { mcu, state }: CallStateChanged): void {
  if (state === 'Established') hearMedia(timer, mcu, true);
  else if (state === 'Terminated') hearMedia(timer, mcu, false);
}

/** Calls outlive the dialogs of their conference (FE-5), so media are heard whatever dialog they speak of. */
function hearMedia(timer: Timer, mcu: string, flows: boolean): void {
  const { session, flowing: before } = timer.state;
  // Late news of a session that has ended say nothing of the next one.
  if (session !== null && !takesPart[session]) return;
  if (before.includes(mcu) === flows) return;
  const flowing = flows ? [...before, mcu] : before.filter((other) => other !== mcu);
  timer.change({ flowing, mediaEndedAt: flowing.length === 0 ? timer.now : null });
  if (flowing.length === 0) run(timer, 'media-ended', null);
  else if (before.length === 0) run(timer, 'media-flowing', null);
}

function obey(timer: Timer, request: Request): void {
  switch (request.command) {
    case 'extend':
      return run(timer, 'extend', request.byMs);
    case 'pause':
    case 'resume':
    case 'cancel':
    case 'give-up':
      return run(timer, request.command, null);
    case 'status':
      return report(timer);
    default:
  }
}

function report(timer: Timer): void {
  const { session, phase, enteredAt, attempts, flowing, mediaEndedAt, deadlines, remaining } = timer.state;
  const isCounting = phase === 'armed' || phase === 'paused';
  timer.tell('info', {
    event: 'give-up-status',
    status: {
      session,
      phase,
      criteria: criteriaThatAreOn(timer.settings),
      reconnectingSinceAt: isCounting ? instant(enteredAt) : null,
      deadlineAt: deadlines.elapsed === undefined ? null : instant(deadlines.elapsed),
      remainingMs: remaining.elapsed ?? (deadlines.elapsed === undefined ? null : deadlines.elapsed - timer.now),
      attempts,
      flowing: [...flowing],
      mediaEndedAt: mediaEndedAt === null ? null : instant(mediaEndedAt),
    },
  });
}
