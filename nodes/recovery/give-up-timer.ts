/**
 * The give-up timer: decides when a recovery has taken too long. A conference session does not leave Reconnecting unless
 * healing succeeds, so the application should have timers or other criteria, such as the end of media (UCMA, conference
 * recovery: intermediate hop failover; contract, section 4; conformance GU-1 to GU-12, O18).
 *
 * Criteria decide only while the session is in Reconnecting (`criteria.ts`). After whatever changes a figure, the first
 * instant at which they hold if only time passes is computed anew: that is the one deadline, `decision`.
 */
import {
  allCriteriaIn,
  type CaughtError,
  type Criteria,
  criteriaIn,
  decidesAt,
  decisionBy,
  type Figures,
  hasTimeLimit,
  holds,
  namesOf,
  withoutPause,
} from './criteria';
import { mostOutages } from './criteria-syntax';
import type {
  CallStateChanged,
  HealAttempted,
  OperationFailed,
  RecoveryError,
  Request,
  RosterChanged,
  SessionStatus,
  StateChanged,
} from './messages';
import {
  blank,
  concerns,
  Draft,
  hasOutlivedProcess,
  heardOf,
  isFromSession,
  isOutdated,
  legalTransition,
  ofAnotherIncident,
  type PolicyState,
  type SessionFact,
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
  /** A tree of criteria, instead of the three above, of which any is enough; null for none. */
  criteria: Criteria | null;
  /** How often the time that is left is told; 0 is never. */
  tickMs: number;
}

export const giveUpTimerDefaults: GiveUpTimerSettings = {
  giveUpAfterMs: 300_000,
  attempts: 0,
  mediaEndedMs: 0,
  criteria: null,
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

/** The record of one conference. */
export interface GiveUpTimerState extends PolicyState, Figures {
  phase: GiveUpPhase;
  /** The outage that `attempts` belongs to. */
  attemptsOf: string | null;
  /** Since when the clock stands still (ms since 1970); null while it goes. */
  pausedAt: number | null;
  /** What was decided in this outage; null as long as nothing was. */
  decision: { readonly criterion: string; readonly explanation: string } | null;
}

/** What is forgotten with a session. */
const nothingOfSession = { spentMs: 0, outages: [], flowing: [], mediaEndedAt: null, aloneSince: null };

/** Member by member: of an object with more than twenty, a spread takes twenty times as long (V8). */
function copyOf(state: GiveUpTimerState): GiveUpTimerState {
  return {
    version: state.version,
    conference: state.conference,
    seq: state.seq,
    dialog: state.dialog,
    incident: state.incident,
    session: state.session,
    heard: state.heard,
    heardAt: state.heardAt,
    deadlines: state.deadlines,
    spentMs: state.spentMs,
    outages: state.outages,
    flowing: state.flowing,
    mediaEndedAt: state.mediaEndedAt,
    aloneSince: state.aloneSince,
    phase: state.phase,
    enteredAt: state.enteredAt,
    countedSince: state.countedSince,
    extendedMs: state.extendedMs,
    attempts: state.attempts,
    attemptsOf: state.attemptsOf,
    errors: state.errors,
    told: state.told,
    pausedAt: state.pausedAt,
    decision: state.decision,
  };
}

/** Gives up a recovery that takes too long. */
export const giveUpTimer: PolicyMachine<GiveUpTimerState, GiveUpTimerSettings> = {
  start: (conference) =>
    copyOf({
      ...blank(conference),
      ...nothingOfSession,
      phase: 'disarmed',
      enteredAt: 0,
      countedSince: 0,
      extendedMs: 0,
      attempts: 0,
      attemptsOf: null,
      errors: [],
      told: false,
      pausedAt: null,
      decision: null,
    }),
  step(state, input, moment, settings) {
    const timer = new Draft('give-up-timer', state, moment, settings, copyOf);
    read(timer, input);
    return timer.finish();
  },
  // Of a session that takes part, it knows what nobody tells twice: media, people, earlier outages.
  idle: ({ session }) => session === null || !takesPart[session],
};

type Timer = Draft<GiveUpTimerState, GiveUpTimerSettings>;

const trees = new WeakMap<GiveUpTimerSettings, Criteria>();

/** The criteria that decide; those of settings without a tree are put together once, and not in every step. */
function criteriaOf({ settings }: Timer): Criteria {
  let tree = settings.criteria ?? trees.get(settings);
  if (tree === undefined) {
    tree = criteriaOfDialog(settings);
    trees.set(settings, tree);
  }
  return tree;
}

/** The criteria of a dialog. Without any, no tree holds ever. */
function criteriaOfDialog({ giveUpAfterMs, attempts, mediaEndedMs }: GiveUpTimerSettings): Criteria {
  return {
    any: [
      ...(giveUpAfterMs > 0 ? [{ elapsedMs: giveUpAfterMs }] : []),
      ...(attempts > 0 ? [{ attempts }] : []),
      ...(mediaEndedMs > 0 ? [{ mediaEndedMs }] : []),
    ],
  };
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
  'operation-failed': OperationFailed;
  /** Some figure has changed. */
  changed: null;
  /** The deadline of a decision; when it was due (ms since 1970). */
  due: number;
  tick: null;
  /** The process was restarted, and the session is in Reconnecting: it may not have heard what was decided. */
  restarted: null;
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
  'operation-failed': ignore,
  changed: ignore,
  due: ignore,
  tick: ignore,
  restarted: ignore,
  ...refusals,
};

/* chart of give-up-timer (npm run charts)
 *
 *   disarmed ──── reconnecting ──────────────────────────> armed
 *   armed ─────┬─ recovered, ended ──────────────────────> disarmed
 *              ├─ attempt-failed, changed, due, give-up ─> given-up
 *              ├─ pause ─────────────────────────────────> paused
 *              └─ cancel ────────────────────────────────> cancelled
 *   paused ────┬─ recovered, ended ──────────────────────> disarmed
 *              ├─ resume ────────────────────────────────> armed
 *              ├─ cancel ────────────────────────────────> cancelled
 *              └─ give-up ───────────────────────────────> given-up
 *   cancelled ─── recovered, ended ──────────────────────> disarmed
 *   given-up ──── recovered, ended ──────────────────────> disarmed
 */
const table: { readonly [phase in GiveUpPhase]: Row } = {
  disarmed: {
    reconnecting: arm,
    recovered: ignore,
    ended: ignore,
    'attempt-failed': countAttempt,
    'operation-failed': ignore,
    changed: ignore,
    due: ignore,
    tick: ignore,
    restarted: ignore,
    ...refusals,
  },
  armed: {
    reconnecting: ignore,
    recovered: disarmRecovered,
    ended: disarmEnded,
    'attempt-failed': countAttempt,
    'operation-failed': catchError,
    changed: decide,
    due: decideInTime,
    tick,
    restarted: ignore,
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
    'operation-failed': catchError,
    changed: ignore,
    due: ignore,
    tick: ignore,
    restarted: ignore,
    pause: refusePause,
    resume,
    extend,
    cancel,
    'give-up': giveUpAsTold,
  },
  cancelled: spent,
  'given-up': { ...spent, restarted: askToTerminate },
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
  if (criteriaIn(criteriaOf(timer)).length === 0) return;
  const { now, state } = timer;
  enter(timer, 'armed');
  timer.change({
    incident: incident === null ? null : { id: incident, startedAt: now },
    enteredAt: now,
    countedSince: now,
    extendedMs: 0,
    // The attempt that failed first may be told before the state that follows from it.
    attempts: state.attemptsOf === incident ? state.attempts : 0,
    attemptsOf: incident,
    outages: [...state.outages, now].slice(-mostOutages),
    // What had ended before is counted from now.
    mediaEndedAt: state.mediaEndedAt === null ? null : now,
    aloneSince: state.aloneSince === null ? null : now,
    errors: [],
    told: false,
  });
  tellArmed(timer);
  decide(timer);
}

function countAttempt(timer: Timer, { attempt, incident }: HealAttempted): void {
  const { attempts, attemptsOf } = timer.state;
  timer.change({ attempts: attemptsOf === incident ? Math.max(attempts, attempt) : attempt, attemptsOf: incident });
  run(timer, 'changed', null);
}

/** Keeps the first error of each class that some criterion names. */
function catchError(timer: Timer, { operation, error }: OperationFailed): void {
  const { name, code } = error;
  const words = new Set(allCriteriaIn(criteriaOf(timer)).flatMap((one) => ('error' in one ? [one.error] : [])));
  const caught = [...words]
    .filter((word) => isOfClass(error, word) && !timer.state.errors.some((known) => known.word === word))
    .map((word): CaughtError => ({ word, operation, name, code }));
  timer.change({ errors: [...timer.state.errors, ...caught] });
  run(timer, 'changed', null);
}

function isOfClass({ name, bases, code }: RecoveryError, word: string): boolean {
  return name === word || code === word || bases.includes(word);
}

function decideInTime(timer: Timer, dueAt: number): void {
  const criteria = criteriaOf(timer);
  // The settings may be others than those by which the deadline was set.
  if (holds(criteria, timer.state, dueAt)) giveUp(timer, criteria, dueAt);
  else decide(timer);
}

function tick(timer: Timer): void {
  const at = decisionAt(timer);
  if (at !== null) timer.tell('info', { event: 'give-up-tick', remainingMs: Math.max(0, at - timer.now) });
  decide(timer);
}

function pause(timer: Timer): void {
  timer.cancelAll();
  timer.change({ pausedAt: timer.now });
  enter(timer, 'paused');
  tellArmed(timer);
}

function resume(timer: Timer): void {
  setClockGoing(timer);
  enter(timer, 'armed');
  tellArmed(timer);
  decide(timer);
}

/** Puts off every limit of time in Reconnecting, in this outage: those of `elapsed` and of the budget. */
function extend(timer: Timer, byMs: number): void {
  if (!hasTimeLimit(criteriaOf(timer))) {
    return timer.refuse('extend', 'No limit of time in Reconnecting is set, so there is none to extend.');
  }
  timer.change({ extendedMs: timer.state.extendedMs + byMs });
  tellArmed(timer);
  run(timer, 'changed', null);
}

function cancel(timer: Timer): void {
  timer.tell('info', { event: 'give-up-cancelled', reason: 'cancelled' });
  timer.cancelAll();
  setClockGoing(timer);
  enter(timer, 'cancelled');
}

/** Criteria that know of the command decide what it means; otherwise it is enough. */
function giveUpAsTold(timer: Timer): void {
  const isCriterion = allCriteriaIn(criteriaOf(timer)).some((criterion) => 'external' in criterion);
  timer.change({ told: true });
  if (isCriterion) run(timer, 'changed', null);
  else giveUp(timer, { external: true }, timer.now);
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
  setClockGoing(timer);
  enter(timer, 'disarmed');
  const { spentMs, countedSince } = timer.state;
  timer.change({
    spentMs: spentMs + timer.now - countedSince,
    incident: null,
    attempts: 0,
    attemptsOf: null,
    decision: null,
  });
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

/** Gives up if it is time, else sets the one deadline for when it will be. */
function decide(timer: Timer): void {
  const at = decisionAt(timer);
  if (at === null) {
    timer.cancelAll();
  } else if (at <= timer.now) {
    giveUp(timer, criteriaOf(timer), at);
  } else {
    if (at !== timer.state.deadlines.decision) timer.schedule('decision', at);
    scheduleTick(timer, at);
  }
}

/** When it will give up if nothing happens but that time passes; while paused, if it were resumed now. */
function decisionAt(timer: Timer): number | null {
  return decidesAt(criteriaOf(timer), goingOn(timer), timer.now);
}

/** The record with its clock going. */
function goingOn({ state, now }: Timer): GiveUpTimerState {
  return state.pausedAt === null ? state : { ...withoutPause(state, state.pausedAt, now), pausedAt: null };
}

function setClockGoing(timer: Timer): void {
  if (timer.state.pausedAt !== null) timer.change(goingOn(timer));
}

function scheduleTick(timer: Timer, decisionAt: number): void {
  const { tickMs } = timer.settings;
  const at = timer.now + tickMs;
  if (tickMs > 0 && timer.state.deadlines.tick === undefined && at < decisionAt) timer.schedule('tick', at);
}

function tellArmed(timer: Timer): void {
  const at = timer.state.phase === 'armed' ? decisionAt(timer) : null;
  timer.tell('info', {
    event: 'give-up-armed',
    deadlineAt: at === null ? null : instant(at),
    criteria: namesOf(criteriaIn(criteriaOf(timer))),
  });
}

/** `at`: when the criteria began to hold. */
function giveUp(timer: Timer, criteria: Criteria, at: number): void {
  setClockGoing(timer);
  const { state, now, before } = timer;
  const { criterion, explanation } = decisionBy(criteria, state, { at, now, before });
  timer.cancelAll();
  enter(timer, 'given-up');
  timer.change({ decision: { criterion, explanation } });
  askToTerminate(timer);
  timer.tell('critical', { event: 'gave-up', criterion, explanation });
}

function askToTerminate(timer: Timer): void {
  const { dialog, incident, decision } = timer.state;
  timer.ask({ command: 'terminate', reason: 'GaveUp', incident: incident?.id ?? null, dialog, ...decision });
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
  if (isFromSession(message)) return hearSession(timer, message);
  switch (message.event) {
    case 'heal-attempted':
      return hearAttempt(timer, message);
    case 'media-changed':
      return hearMedia(timer, message.mcu, message.flowing);
    case 'call-state-changed':
      return hearCall(timer, message);
    case 'roster-changed':
      return hearRoster(timer, message);
    case 'operation-failed':
      return hearFailure(timer, message);
    default:
  }
}

const whenDue = {
  decision: (timer: Timer, dueAt: number) => run(timer, 'due', dueAt),
  tick: (timer: Timer) => run(timer, 'tick', null),
};

function hearSession(timer: Timer, fact: SessionFact): void {
  if (isOutdated(timer.state, fact)) return;
  timer.change(heardOf(fact));
  // A change of mode is the same Reconnecting (GU-5).
  if (fact.event === 'mode-changed') return;
  timer.change({ session: fact.state });
  if (fact.event === 'session-status') timer.renewDeadlines();
  // The end of the outage before may have been lost on the way, but there are not two at a time.
  if (fact.state === 'Reconnecting' && ofAnotherIncident(timer.state, fact)) run(timer, 'recovered', null);
  if (fact.state === 'Reconnecting') run(timer, 'reconnecting', fact);
  else run(timer, takesPart[fact.state] ? 'recovered' : 'ended', null);
  if (fact.state === 'Reconnecting' && hasOutlivedProcess(fact)) run(timer, 'restarted', null);
  if (!takesPart[fact.state]) timer.change(nothingOfSession);
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
  run(timer, 'changed', null);
}

/**
 * Of the roster of the conference, only we ourselves are left. One that nobody else was ever in has not been left. The
 * roster of a re-join speaks of a dialog of which the session tells only afterwards, so all are heard.
 */
function hearRoster(timer: Timer, { mcu, left, total }: RosterChanged): void {
  const isAlone = total <= 1;
  if (mcu !== undefined || isAlone === (timer.state.aloneSince !== null) || (isAlone && left.length === 0)) return;
  timer.change({ aloneSince: isAlone ? timer.now : null });
  run(timer, 'changed', null);
}

/** What failed in this outage. A re-join belongs to it, and its dialog may be newer than the one that was told. */
function hearFailure(timer: Timer, failure: OperationFailed): void {
  const ofSession = failure.source === 'conference-session' || failure.source === 'mcu-session';
  const { incident } = timer.state;
  if (ofSession && failure.incident === (incident?.id ?? null)) run(timer, 'operation-failed', failure);
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
  const { session, phase, enteredAt, attempts, outages, spentMs, flowing, mediaEndedAt, aloneSince, deadlines } =
    timer.state;
  const { decision } = deadlines;
  const isCounting = phase === 'armed' || phase === 'paused';
  const at = isCounting ? decisionAt(timer) : null;
  timer.tell('info', {
    event: 'give-up-status',
    status: {
      session,
      phase,
      criteria: namesOf(criteriaIn(criteriaOf(timer))),
      reconnectingSinceAt: isCounting ? instant(enteredAt) : null,
      deadlineAt: decision === undefined ? null : instant(decision),
      remainingMs: at === null ? null : at - timer.now,
      attempts,
      outages: outages.length,
      spentMs,
      flowing: [...flowing],
      mediaEndedAt: mediaEndedAt === null ? null : instant(mediaEndedAt),
      aloneSinceAt: aloneSince === null ? null : instant(aloneSince),
    },
  });
}
