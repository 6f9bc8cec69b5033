/**
 * The route healer: decides when the next healing request is sent, and what its outcome means (contract, section 4;
 * conformance HEAL-1 to HEAL-7, O13 to O15, O25). The session sends the requests and changes its state.
 *
 * The first repair is silent: nobody sees a state change unless it fails. After that the route is Recovering, and one
 * attempt follows another, for ever in MaximumRetry (UCMA, conference recovery: intermediate hop failover).
 */
import type {
  FailoverDetected,
  HealAttempted,
  HealingAbandoned,
  HealingMethod,
  Request,
  RouteSetRecoveryMode,
  SessionStatus,
  Signal,
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
import { instant, mintIncident, type PolicyInput, type PolicyMachine } from './step';

/** What a user decides about healing (HEAL-2). */
export interface RouteHealerSettings {
  /** `None` repairs nothing, `LimitedRetry` abandons at the horizon, `MaximumRetry` never does (O25). */
  mode: RouteSetRecoveryMode;
  /** From one attempt's end to the next attempt, and so the pace at which a lasting outage is tried; 100 at least. */
  periodMs: number;
  /** Fraction of every wait by which it is lengthened or shortened at random; 0.02 to 1, so that no fleet marches. */
  jitter: number;
  /** Every wait is so many times the one before; 1, the least, keeps the period. */
  backOff: number;
  /** Where back-off ends, before jitter; never less than the period. */
  maximumPeriodMs: number;
  method: HealingMethod;
  /** An attempt without any signal in this time counts as `timeout` (HEAL-3). */
  attemptTimeoutMs: number;
  /** With `LimitedRetry`: healing is abandoned so long after the route broke. */
  horizonMs: number;
}

export const routeHealerDefaults: RouteHealerSettings = {
  mode: 'MaximumRetry',
  periodMs: 30_000,
  jitter: 0.1,
  backOff: 1,
  maximumPeriodMs: 300_000,
  method: 'UPDATE',
  attemptTimeoutMs: 5_000,
  horizonMs: 180_000,
};

/**
 * - `idle`: as far as we know, the route is healthy;
 * - `repairing`: the silent first repair is in flight;
 * - `waiting`: Recovering, the next attempt has a deadline;
 * - `attempting`: Recovering, an attempt is in flight;
 * - `abandoned`: no more attempts in this outage.
 */
export type HealingPhase = 'idle' | 'repairing' | 'waiting' | 'attempting' | 'abandoned';

/** The record of one conference. */
export interface RouteHealerState extends PolicyState {
  phase: HealingPhase;
  /** Number of the latest attempt of this outage; 0 before the first. */
  attempt: number;
  /** No attempt before this instant (ms since 1970): somebody answered with Retry-After (HEAL-4). */
  notBefore: number;
  /** When `heal-now` last brought an attempt forward, or will have (ms since 1970). */
  hurriedAt: number;
  /** When the latest two silent repairs succeeded (ms since 1970). */
  silentRepairs: readonly number[];
  /** Why no more attempts are made in this outage; null while they are. */
  abandonedFor: HealingAbandoned['reason'] | null;
  /** The outage that was last heard to be over; what still speaks of it changes nothing (MSG-8). */
  closedIncident: string | null;
  /** The outage that a restored session did not know of, so that its healing was dropped; null when there was none. */
  droppedIncident: string | null;
}

/** Heals the route of one dialog at a time. */
export const routeHealer: PolicyMachine<RouteHealerState, RouteHealerSettings> = {
  start: (conference) => ({
    ...blank(conference),
    phase: 'idle',
    attempt: 0,
    notBefore: 0,
    hurriedAt: 0,
    silentRepairs: [],
    abandonedFor: null,
    closedIncident: null,
    droppedIncident: null,
  }),
  step(state, input, moment, settings) {
    const healing = new Draft('route-healer', state, moment, settings);
    read(healing, input);
    return healing.finish();
  },
  idle: ({ phase }) => phase === 'idle',
};

type Healing = Draft<RouteHealerState, RouteHealerSettings>;

/** Two silent repairs in this time, and the next failure is not repaired silently (HEAL-7). */
const spinningMs = 60_000;
const silentRepairsAllowed = 2;
/** `heal-now` brings at most one attempt forward in this time (HEAL-6). */
const hurryMs = 1_000;
const leastPeriodMs = 100;
const leastJitter = 0.02;
/**
 * Routes that broke in the same instant make their first periodic attempts over at least this time, so that 3.4 % of them
 * come in any 100 ms: below the 5 % of HEAL-5 by more than chance adds to 10,000 (one standard deviation is 0.2 %). A
 * period of less than 2 s has no room for that, and is spread over one and a half times itself.
 */
const fleetMs = 3_000;
const fleetPeriods = 1.5;
/** Over how long the attempts of a fleet spread whose transport was restored (HEAL-7). */
const restoredMs = 1_000;

// ---------------------------------------------------------------------------------------------------------------- pace

/** The wait for an attempt, of which chance chooses one instant: `leastMs` and up to `spreadMs` more. */
export interface Wait {
  leastMs: number;
  spreadMs: number;
}

/**
 * The wait after attempt number `attempt` (0: there was none, and the other end has to heal first). Back-off, then its
 * limit, then jitter, so that the spread grows with the wait and never vanishes (HEAL-2); a Retry-After moves the least of
 * it and keeps the spread, since all who were sent away together would come back together (HEAL-4).
 */
export function waitAfterAttempt(attempt: number, settings: RouteHealerSettings, retryAfterMs = 0): Wait {
  const periodMs = periodOf(settings);
  const grownMs = periodMs * Math.max(1, settings.backOff) ** Math.max(0, attempt - 1);
  const waitMs = Math.min(grownMs, Math.max(periodMs, settings.maximumPeriodMs));
  const chosen = Math.min(Math.max(settings.jitter, leastJitter), 1);
  // Later attempts inherit the spread of the first.
  const jitter = attempt > 1 ? chosen : Math.max(chosen, fleetSpreadOf(periodMs) / 2 / periodMs);
  return {
    leastMs: Math.max(waitMs * (1 - jitter), retryAfterMs),
    spreadMs: 2 * jitter * Math.max(waitMs, retryAfterMs),
  };
}

function periodOf({ periodMs }: RouteHealerSettings): number {
  return Math.max(periodMs, leastPeriodMs);
}

function fleetSpreadOf(periodMs: number): number {
  return Math.min(fleetMs, fleetPeriods * periodMs);
}

// --------------------------------------------------------------------------------------------------------- the machine

/** How an attempt failed. */
interface Failure {
  outcome: 'refused' | 'timeout' | 'unreachable';
  status: number | null;
  retryAfterMs: number;
}

/** What the machine distinguishes in its input, with what comes along. */
interface Events {
  /** A verdict: the hop has failed. */
  broken: FailoverDetected;
  /** With the status of the answer. */
  healed: number;
  failed: Failure;
  'dialog-gone': number;
  'healed-by-peer': null;
  'transport-restored': null;
  'attempt-due': null;
  horizon: null;
  'heal-now': null;
  stop: null;
  /** After a start, the session says that it is recovering. */
  'still-recovering': StateChanged | SessionStatus;
  /** The process was restarted: what it had asked is not answered any more, and what it had said may not have been heard. */
  restarted: null;
  /** There is no outage of this route any more, by no doing of ours. */
  over: null;
}

type Table = {
  readonly [phase in HealingPhase]: {
    readonly [event in keyof Events]: (healing: Healing, event: Events[event]) => void;
  };
};

/* chart of route-healer (npm run charts)
 *
 *   idle ───────┬─ broken ────────────────────────────────────> repairing
 *               └─ broken, still-recovering ──────────────────> waiting
 *   repairing ──┬─ healed, healed-by-peer, over ──────────────> idle
 *               ├─ failed ────────────────────────────────────> waiting
 *               └─ dialog-gone, horizon, stop ────────────────> abandoned
 *   waiting ────┬─ healed, healed-by-peer, over ──────────────> idle
 *               ├─ transport-restored, attempt-due, heal-now ─> attempting
 *               └─ horizon, stop ─────────────────────────────> abandoned
 *   attempting ─┬─ healed, healed-by-peer, over ──────────────> idle
 *               ├─ failed ────────────────────────────────────> waiting
 *               └─ dialog-gone, horizon, stop ────────────────> abandoned
 *   abandoned ──┬─ broken ────────────────────────────────────> repairing
 *               ├─ broken ────────────────────────────────────> waiting
 *               └─ over ──────────────────────────────────────> idle
 */
const table: Table = {
  idle: {
    broken: begin,
    healed: ignore,
    failed: ignore,
    'dialog-gone': ignore,
    'healed-by-peer': ignore,
    'transport-restored': ignore,
    'attempt-due': ignore,
    horizon: ignore,
    'heal-now': refuseHealNow,
    stop: refuseStop,
    'still-recovering': resume,
    restarted: ignore,
    over: ignore,
  },
  repairing: {
    broken: ignore,
    healed: healedSilently,
    failed: recoverAfter,
    'dialog-gone': dialogGone,
    'healed-by-peer': healedSilentlyByPeer,
    'transport-restored': ignore,
    'attempt-due': ignore,
    horizon: abandonAtHorizon,
    'heal-now': ignore,
    stop: abandonAsTold,
    'still-recovering': ignore,
    restarted: attemptAgain,
    over: forget,
  },
  waiting: {
    broken: ignore,
    // Late: it may have waited for its turn longer than for its answer.
    healed: healedAtLast,
    failed: ignore,
    'dialog-gone': ignore,
    'healed-by-peer': healedByPeer,
    'transport-restored': tryAgainSoon,
    'attempt-due': attempt,
    horizon: abandonAtHorizon,
    'heal-now': hurry,
    stop: abandonAsTold,
    'still-recovering': ignore,
    restarted: ignore,
    over: forget,
  },
  attempting: {
    broken: ignore,
    healed: healedAtLast,
    failed: waitAfter,
    'dialog-gone': dialogGone,
    'healed-by-peer': healedByPeer,
    'transport-restored': ignore,
    'attempt-due': ignore,
    horizon: abandonAtHorizon,
    'heal-now': ignore,
    stop: abandonAsTold,
    'still-recovering': ignore,
    restarted: attemptAgain,
    over: forget,
  },
  abandoned: {
    broken: begin,
    healed: ignore,
    failed: ignore,
    'dialog-gone': ignore,
    'healed-by-peer': ignore,
    'transport-restored': ignore,
    'attempt-due': ignore,
    horizon: ignore,
    'heal-now': refuseHealNow,
    stop: refuseStop,
    'still-recovering': ignore,
    restarted: tellAbandoned,
    over: forget,
  },
};

const legal: { readonly [phase in HealingPhase]: readonly HealingPhase[] } = {
  idle: ['repairing', 'waiting', 'abandoned'],
  repairing: ['idle', 'waiting', 'abandoned'],
  waiting: ['idle', 'attempting', 'abandoned'],
  attempting: ['idle', 'waiting', 'abandoned'],
  abandoned: ['idle', 'repairing', 'waiting', 'abandoned'],
};

/** The table as tools see it: for charts, for the simulation, and to switch cells off one by one. */
export const routeHealerTable = { legal, cells: table, nothing: ignore } as const;

function run<Event extends keyof Events>(healing: Healing, event: Event, detail: Events[Event]): void {
  table[healing.state.phase][event](healing, detail);
}

/** The one writer of the phase. */
function enter(healing: Healing, phase: HealingPhase): void {
  healing.change({ phase: legalTransition(legal, healing.state.phase, phase) });
}

// --------------------------------------------------------------------------------------------------------------- cells

function ignore(): void {}

function begin(healing: Healing, verdict: FailoverDetected): void {
  openOutage(healing, verdict);
  if (healing.settings.mode === 'None') return abandon(healing, 'disabled');
  startHorizon(healing);
  if (peerHasToHeal(verdict) || isSpinning(healing)) {
    enter(healing, 'waiting');
    tellRecovering(healing);
    healing.schedule('attempt', during(healing, waitAfterAttempt(0, healing.settings)));
  } else {
    enter(healing, 'repairing');
    sendHeal(healing);
  }
}

/** After a restart, or when a verdict went astray. A fleet starts together: its first attempts spread over a whole period. */
function resume(healing: Healing, status: StateChanged | SessionStatus): void {
  openOutage(healing, status);
  if (healing.settings.mode === 'None') return abandon(healing, 'disabled');
  startHorizon(healing);
  enter(healing, 'waiting');
  tellRecovering(healing);
  const periodMs = periodOf(healing.settings);
  const spreadMs = Math.max(periodMs, fleetSpreadOf(periodMs));
  healing.schedule('attempt', during(healing, { leastMs: 0, spreadMs }));
}

function attempt(healing: Healing): void {
  enter(healing, 'attempting');
  sendHeal(healing);
}

/** The same attempt again, not the next one: what became of it, nobody will tell. */
function attemptAgain(healing: Healing): void {
  requestHeal(healing, healing.state.attempt);
}

function recoverAfter(healing: Healing, failure: Failure): void {
  waitAfter(healing, failure);
  tellRecovering(healing);
}

function waitAfter(healing: Healing, { outcome, status, retryAfterMs }: Failure): void {
  const wait = waitAfterAttempt(healing.state.attempt, healing.settings, retryAfterMs);
  const at = during(healing, wait);
  healing.cancel('answer');
  // All who were sent away together would hurry back together.
  healing.change({ notBefore: retryAfterMs > 0 ? during(healing, { ...wait, leastMs: retryAfterMs }) : 0 });
  enter(healing, 'waiting');
  healing.schedule('attempt', at);
  tellAttempted(healing, outcome, status, at);
}

function healedSilently(healing: Healing, status: number): void {
  rememberSilentRepair(healing);
  heal(healing, 'healed', status);
}

function healedAtLast(healing: Healing, status: number): void {
  heal(healing, 'healed', status);
}

function healedSilentlyByPeer(healing: Healing): void {
  rememberSilentRepair(healing);
  heal(healing, 'healed-by-peer', null);
}

function healedByPeer(healing: Healing): void {
  heal(healing, 'healed-by-peer', null);
}

function dialogGone(healing: Healing, status: number): void {
  tellAttempted(healing, 'dialog-gone', status, null);
  abandon(healing, 'dialog-gone');
}

function abandonAtHorizon(healing: Healing): void {
  abandon(healing, 'horizon');
}

function abandonAsTold(healing: Healing): void {
  abandon(healing, 'stopped');
}

/**
 * The network may be back, for everybody at once: a fleet comes back over a second (HEAL-7), a tenth of it in any 100 ms.
 * That is twice what HEAL-5 allows, which is about attempts that come period after period into a system that is down;
 * these come once, over a transport that has just been seen to work, and people are waiting.
 */
function tryAgainSoon(healing: Healing): void {
  const spreadMs = Math.min(restoredMs, periodOf(healing.settings));
  bringForward(healing, during(healing, { leastMs: 0, spreadMs }));
}

function hurry(healing: Healing): void {
  const at = Math.max(healing.now, healing.state.hurriedAt + hurryMs);
  if (bringForward(healing, at)) healing.change({ hurriedAt: at });
}

function refuseHealNow(healing: Healing): void {
  healing.refuse(
    'heal-now',
    'No route is being healed, so there is no attempt to bring forward. It needs a failed hop.',
  );
}

function refuseStop(healing: Healing): void {
  healing.refuse('stop', 'No route is being healed, so there is nothing to stop. It needs a failed hop.');
}

/** The session has recovered, ended or begun to re-join, and has said so itself. */
function forget(healing: Healing): void {
  healing.change({ silentRepairs: [] });
  close(healing);
}

// ---------------------------------------------------------------------------------------------------------- what cells do

function openOutage(healing: Healing, { dialog, incident }: FailoverDetected | StateChanged | SessionStatus): void {
  const { now, state } = healing;
  healing.change({
    dialog,
    incident: incident === null ? mintIncident(state, 'hop', now) : { id: incident, startedAt: now },
    attempt: 0,
    notBefore: 0,
    abandonedFor: null,
  });
}

function startHorizon(healing: Healing): void {
  const { mode, horizonMs } = healing.settings;
  if (mode === 'LimitedRetry') healing.schedule('horizon', healing.now + horizonMs);
}

/** `Wait-For-Session-Update`: the other end has to heal first (MS-SIPRE 3.7). */
function peerHasToHeal({ recoveryAction = [] }: FailoverDetected): boolean {
  return recoveryAction.includes('Wait-For-Session-Update');
}

function isSpinning({ state, now }: Healing): boolean {
  return state.silentRepairs.filter((at) => now - at < spinningMs).length >= silentRepairsAllowed;
}

function rememberSilentRepair(healing: Healing): void {
  healing.change({ silentRepairs: [...healing.state.silentRepairs, healing.now].slice(-silentRepairsAllowed) });
}

function sendHeal(healing: Healing): void {
  const attempt = healing.state.attempt + 1;
  healing.change({ attempt });
  healing.cancel('attempt');
  requestHeal(healing, attempt);
}

function requestHeal(healing: Healing, attempt: number): void {
  const { dialog, incident } = healing.state;
  const { method, attemptTimeoutMs } = healing.settings;
  healing.schedule('answer', healing.now + attemptTimeoutMs);
  healing.ask({ command: 'heal', dialog, attempt, method, incident: incident?.id ?? null });
}

/** The instant within a wait from now that chance chooses (ms since 1970). */
function during({ now, random }: Healing, { leastMs, spreadMs }: Wait): number {
  return Math.round(now + leastMs + spreadMs * random);
}

/** Moves the next attempt to `at`, or as near as Retry-After allows; false if it is not later than that anyway. */
function bringForward(healing: Healing, at: number): boolean {
  const { deadlines, notBefore } = healing.state;
  const sooner = Math.max(at, notBefore);
  if (deadlines.attempt !== undefined && deadlines.attempt <= sooner) return false;
  if (sooner <= healing.now) attempt(healing);
  else healing.schedule('attempt', sooner);
  return true;
}

function heal(healing: Healing, outcome: 'healed' | 'healed-by-peer', status: number | null): void {
  tellAttempted(healing, outcome, status, null);
  tellRouteStatus(healing, 'Healthy');
  close(healing);
}

function abandon(healing: Healing, reason: HealingAbandoned['reason']): void {
  healing.cancelAll();
  enter(healing, 'abandoned');
  healing.change({ abandonedFor: reason });
  tellAbandoned(healing);
}

function tellAbandoned(healing: Healing): void {
  const { abandonedFor, attempt: attempts } = healing.state;
  const reason = abandonedFor as HealingAbandoned['reason'];
  healing.tell(reason === 'horizon' ? 'critical' : 'warning', { event: 'healing-abandoned', reason, attempts });
}

function close(healing: Healing): void {
  healing.cancelAll();
  enter(healing, 'idle');
  healing.change({ incident: null, attempt: 0, notBefore: 0, abandonedFor: null });
}

function tellRecovering(healing: Healing): void {
  tellRouteStatus(healing, 'Recovering');
}

function tellRouteStatus(healing: Healing, status: 'Recovering' | 'Healthy'): void {
  const { attempt: attempts, incident } = healing.state;
  healing.tell(
    status === 'Healthy' ? 'info' : 'warning',
    {
      event: 'route-status-changed',
      status,
      recoveryMode: healing.settings.mode,
      attempts,
      elapsedMs: healing.now - (incident?.startedAt ?? healing.now),
    },
    status === 'Healthy' ? outageOnceHealed(healing) : undefined,
  );
}

/** The session's own fact closes an outage that it had shown; a silent one ends here (contract, rule 7). */
function outageOnceHealed({ state }: Healing): { id: string | null; active: boolean } {
  return { id: state.incident?.id ?? null, active: state.session === 'Reconnecting' };
}

function tellAttempted(
  healing: Healing,
  outcome: HealAttempted['outcome'],
  status: number | null,
  nextAt: number | null,
): void {
  const isHealed = outcome === 'healed' || outcome === 'healed-by-peer';
  healing.tell(
    isHealed ? 'info' : 'warning',
    {
      event: 'heal-attempted',
      attempt: healing.state.attempt,
      outcome,
      status,
      nextAttemptAt: nextAt === null ? null : instant(nextAt),
    },
    isHealed ? outageOnceHealed(healing) : undefined,
  );
}

// --------------------------------------------------------------------------------------------------------------- input

function read(healing: Healing, input: PolicyInput): void {
  if (input.input === 'deadline') {
    const isDue = healing.takeDue(input.deadline) !== undefined;
    if (isDue) whenDue[input.deadline as keyof typeof whenDue](healing);
    return;
  }
  const { message } = input;
  if ('command' in message) return obey(healing, message);
  if (isFromSession(message)) hearSession(healing, message);
  else if (message.event === 'signal') hearSignal(healing, message);
  else if (message.event === 'failover-detected') hearVerdict(healing, message);
}

const whenDue = {
  attempt: (healing: Healing) => run(healing, 'attempt-due', null),
  answer: (healing: Healing) => run(healing, 'failed', { outcome: 'timeout', status: null, retryAfterMs: 0 }),
  horizon: (healing: Healing) => run(healing, 'horizon', null),
};

function hearVerdict(healing: Healing, verdict: FailoverDetected): void {
  const { level, phase, incident, active } = verdict;
  if (level !== 'hop' || !concerns(healing.state, verdict)) return;
  if (!active) {
    // Whoever goes on with a repair speaks of an outage no more that is over.
    const ours = incident !== null && incident === healing.state.incident?.id;
    healing.change({ closedIncident: incident, ...(ours && { incident: null }) });
  } else if (phase === 'failed' && (incident === null || incident !== healing.state.closedIncident)) {
    // A repair that has outlived its own incident goes on for the sake of this one.
    if (incident !== null && healing.state.incident === null && healing.state.phase === 'repairing') {
      healing.change({ incident: { id: incident, startedAt: healing.now } });
    }
    run(healing, 'broken', verdict);
  }
}

function hearSignal(healing: Healing, signal: Signal): void {
  if (signal.dialog !== healing.state.dialog) return;
  if (signal.signal === 'remote-update') run(healing, 'healed-by-peer', null);
  else if (signal.signal === 'transport-restored') run(healing, 'transport-restored', null);
  else if (signal.purpose === 'heal' && (signal.attempt ?? healing.state.attempt) === healing.state.attempt) {
    hearOutcome(healing, signal);
  }
}

function hearOutcome(healing: Healing, signal: Signal): void {
  const { status, retryAfterMs = 0 } = signal;
  if (signal.signal === 'timeout') run(healing, 'failed', { outcome: 'timeout', status: null, retryAfterMs });
  else if (signal.signal === 'transport-lost')
    run(healing, 'failed', { outcome: 'unreachable', status: null, retryAfterMs });
  else if (signal.signal !== 'response' || status === undefined) return;
  else if (status >= 200 && status < 300) run(healing, 'healed', status);
  // The dialog itself is unknown there: no route leads to it (O14, HOP-19).
  else if (status === 481 || status === 404 || status === 410) run(healing, 'dialog-gone', status);
  else run(healing, 'failed', { outcome: 'refused', status, retryAfterMs });
}

function hearSession(healing: Healing, fact: SessionFact): void {
  if (isOutdated(healing.state, fact)) return;
  const isOver = endsHealing(healing.state, fact);
  const { phase, incident, droppedIncident } = healing.state;
  // That the route is Recovering was on its way when the session spoke: it knows of the outage after all.
  const isTakenUp = fact.event === 'state-changed' && fact.incident !== null && fact.incident === droppedIncident;
  const session = fact.event === 'mode-changed' ? 'Reconnecting' : fact.state;
  if (fact.event === 'session-status') healing.renewDeadlines();
  if (!fact.active && fact.incident !== null) healing.change({ closedIncident: fact.incident });
  healing.change(heardOf(fact));
  healing.change({ session });
  if (isOver) run(healing, 'over', null);
  if (isOver && hasOutlivedProcess(fact) && phase !== 'abandoned') {
    healing.change({ droppedIncident: incident?.id ?? null });
  }
  if (hasOutlivedProcess(fact)) run(healing, 'restarted', null);
  if (fact.mode === 'recovering' && fact.event !== 'mode-changed' && (isTakenUp || fact.event === 'session-status')) {
    run(healing, 'still-recovering', fact);
  }
}

/** Does the session's fact end the outage that is being healed, or make a question of the Focus of it? */
function endsHealing(state: RouteHealerState, fact: SessionFact): boolean {
  if (fact.mode === 'rejoining' || fact.dialog !== state.dialog) return true;
  if (fact.event === 'mode-changed') return false;
  if (!takesPart[fact.state]) return true;
  // It has not heard of our outage, or has seen its end: what shows that the route is broken will show it again.
  if (hasOutlivedProcess(fact)) return fact.state !== 'Reconnecting' && state.phase !== 'repairing';
  return fact.event === 'state-changed' && fact.previous === 'Reconnecting' && !ofAnotherIncident(state, fact);
}

function obey(healing: Healing, request: Request): void {
  switch (request.command) {
    case 'heal-now':
    case 'stop':
      return run(healing, request.command, null);
    case 'status':
      return report(healing);
    default:
  }
}

function report(healing: Healing): void {
  const { session, phase, attempt: attempts, deadlines } = healing.state;
  healing.tell('info', {
    event: 'healer-status',
    status: {
      session,
      phase,
      attempts,
      recoveryMode: healing.settings.mode,
      nextAttemptAt: deadlines.attempt === undefined ? null : instant(deadlines.attempt),
      horizonAt: deadlines.horizon === undefined ? null : instant(deadlines.horizon),
    },
  });
}
