/**
 * The conference session (UCMA, ConferenceSession state transitions; Conference recovery). A table, state × input; every
 * cell names what happens. `Reconnecting` hides three phases: `Recovering` (the route of the same dialog is healed),
 * `AwaitingFailover` (the Focus failed, and has not moved yet) and `Rejoining` (the one attempt is under way).
 */
import {
  conferenceFailure,
  failureOf,
  invalidOperation,
  operationFailure,
  retryableOperation,
  sessionRetrying,
  staleOwner,
  timeout,
} from './errors';
import { limits } from './limits';
import type { McuParentInput } from './mcu-session';
import type {
  ConferenceState,
  Fact,
  HealingMethod,
  JsonObject,
  Participant,
  ReconnectingMode,
  RecoveryError,
  RouteSetRecoveryMode,
  Severity,
  StateChanged,
  StateReason,
} from './messages';
import { versionOf } from './migrations';
import { idempotent, interrupted, type Operation, treatmentOf } from './operations';
import { nothing, without } from './own-properties';
import { legalTransition } from './policy';
import {
  applyDocument,
  awaitingResync,
  copyOfAll,
  differenceBetween,
  emptyRoster,
  isDifferent,
  type Roster,
  type RosterDifference,
} from './roster';
import type { ConferenceDocument, McuReports, Placement, SignalingEffect, SignalingEvent } from './signaling';
import { healId, signalOf, signalOfOutcome } from './signals';
import { readSnapshot, type Surroundings, snapshotOf } from './snapshots';
import {
  type DeadlineEffect,
  type FactBody,
  fact,
  instant,
  type MachineState,
  type Moment,
  mintIncident,
  type Step,
} from './step';

/** Settings of a conference session; durations in ms. */
export interface ConferenceSessionSettings {
  /** An answer to an operation. */
  operationTimeoutMs: number;
  /** An answer to a healing request, a probe or a heartbeat. */
  repairTimeoutMs: number;
  /** A join or re-join; a re-join that takes longer has failed (RFC 3261, 64·T1). */
  joinTimeoutMs: number;
  /** The wait in the lobby (UCMA, LobbyTimeout: 15 min). */
  lobbyTimeoutMs: number;
  /** Closing of dialogs and subscription. */
  closingTimeoutMs: number;
  /** How often the dialog is checked by an OPTIONS in it; 0 switches it off. */
  heartbeatMs: number;
  /** Is anything wired to the signals? If not, no repair will come, and nothing is held for one. */
  signalsWired: boolean;
  /** Who we are, for others that might hold the same conference. */
  owner: string;
}

export const conferenceSessionDefaults: ConferenceSessionSettings = {
  operationTimeoutMs: 10_000,
  repairTimeoutMs: 4_000,
  joinTimeoutMs: 32_000,
  lobbyTimeoutMs: 15 * 60_000,
  closingTimeoutMs: 5_000,
  heartbeatMs: 10_000,
  signalsWired: true,
  owner: '',
};

/** How long a newer document may take to follow one that came late, in ms. */
const restartAfterMs = 1_500;
/** How long the first request for a full document may go unanswered, and any, in ms. */
const firstResyncMs = 2_000;
const longestResyncMs = 60_000;

type Phase = Exclude<ConferenceState, 'Reconnecting'> | 'Recovering' | 'AwaitingFailover' | 'Rejoining';

/** State of one conference session; plain JSON, absolute instants. */
export interface ConferenceSessionState extends MachineState {
  phase: Phase;
  /** Who holds the conference, as far as is known; empty before the first join, and when nobody said who. */
  owner: string;
  /** Counts the owners of the conference; 0 before the first join. */
  epoch: number;
  /** Somebody else holds the conference, in this epoch. */
  stoodDown: boolean;
  /** Outages that are over, oldest first; what still speaks of one changes nothing. */
  closedIncidents: readonly string[];
  /** Where Reconnecting leads back to. */
  returnTo: 'Connected' | 'InLobby';
  /** When the present state (in UCMA's words) began, ms since 1970. */
  since: number;
  /** Healing attempts and re-joins of the present outage. */
  attempts: number;
  /** Arguments of the join, for the re-join. */
  joinArguments: JsonObject;
  /** The `join` that has not completed: while Connecting, and in the lobby. */
  joining: { id: string; startedAt: number } | null;
  /** The `terminate`s that complete when closing is done. */
  terminating: { id: string; startedAt: number }[];
  /** Where closing leads. */
  closing: { phase: 'Idle' | 'Disconnected'; reason: StateReason } | null;
  /** Pending operations by id, oldest first. */
  operations: { readonly [id: string]: Operation };
  pending: number;
  roster: Roster;
  /** The roster is known to be wrong, and a full document is wanted. */
  resyncing: boolean;
  /** How often a full document has been asked for since there was peace; while it is not 0, the next one has to wait. */
  resyncs: number;
  /** A full document came that is older than the roster: late, unless nothing newer follows. */
  behind: boolean;
  lobby: Participant[];
  properties: JsonObject;
  /** The latest that the Focus said of each MCU. */
  mcus: McuReports;
  /** An answer asked for a new registration too; it is refreshed before the dialog is (MS-SIPRE 3.7.5.3.1). */
  registrationStale: boolean;
}

/** What reaches a conference session. */
export type ConferenceSessionInput =
  | { input: 'join'; operationId: string; arguments: JsonObject; epoch?: number }
  | {
      input: 'terminate';
      operationId: string;
      reason?: string;
      incident?: string | null;
      dialog?: number;
      criterion?: string;
      explanation?: string;
      epoch?: number;
    }
  | { input: 'operation'; operation: string; operationId: string; arguments: JsonObject; mcu?: string; epoch?: number }
  | { input: 'query'; operation: 'roster' | 'status'; operationId: string; epoch?: number }
  | ({ input: 'snapshot'; operationId: string; epoch?: number } & Surroundings)
  /** `epoch` is the one to be; without it, the one after that of the snapshot. */
  | { input: 'restore'; operationId: string; snapshot: unknown; epoch?: number }
  | { input: 'heal'; dialog: number; attempt: number; method: HealingMethod; epoch?: number }
  | { input: 'probe'; dialog: number; epoch?: number }
  /** The state has been read from a store: the process before has ended. Comes once, before anything else. */
  | { input: 'restarted' }
  /** Somebody holds the conference in this epoch. */
  | { input: 'stand-down'; owner: string; epoch: number }
  | { input: 'focus-failed'; dialog: number; incident: string | null }
  | { input: 'focus-failed-over'; dialog: number; incident: string | null }
  | {
      input: 'route-recovering';
      dialog: number;
      incident: string | null;
      recoveryMode: RouteSetRecoveryMode;
      attempts: number;
    }
  | { input: 'route-healthy'; dialog: number; incident?: string | null }
  /** The healer gives up, and so does the session. */
  | { input: 'route-abandoned'; dialog: number; incident?: string | null }
  /** Nobody heals the route (any more). */
  | { input: 'route-unhealed'; dialog: number; incident?: string | null }
  | { input: 'deadline'; deadline: string }
  | Exclude<SignalingEvent, { event: 'call-accepted' | 'call-failed' | 'call-ended' | 'text' }>;

/** What a conference session asks for; `mcu` tells one MCU session, or all (null), something. */
export type ConferenceSessionEffect =
  | DeadlineEffect
  | SignalingEffect
  | { effect: 'mcu'; mcu: string | null; input: McuParentInput }
  /** What another port has saved of the conference is ours now; null: nothing is open. Comes before all that relies on it. */
  | { effect: 'adopt'; signaling: JsonObject | null }
  /** Somebody else holds the conference: the port forgets it without a word to the far end. */
  | { effect: 'abandon' }
  /** The request does not concern this session any more; nothing will answer it. */
  | { effect: 'ignore'; operationId: string };

interface Draft {
  state: ConferenceSessionState;
  messages: Step<ConferenceSessionState, ConferenceSessionEffect>['messages'];
  effects: ConferenceSessionEffect[];
  moment: Moment;
  settings: ConferenceSessionSettings;
}

type Deadline =
  | 'join-timeout'
  | 'lobby-timeout'
  | 'closing-timeout'
  | 'heartbeat-due'
  | 'hold-expired'
  | 'resync-due'
  | 'restart-assumed';
type DirectInput = Exclude<ConferenceSessionInput, { input: 'deadline' }>;
type InputKind =
  | (DirectInput extends infer I
      ? I extends { input: infer K extends string }
        ? K
        : I extends { event: infer E extends string }
          ? E
          : never
      : never)
  | Deadline;
type InputOf<K extends InputKind> = K extends Deadline
  ? { input: 'deadline'; deadline: string }
  : Extract<DirectInput, { input: K } | { event: K }>;
type Cell<K extends InputKind> = (draft: Draft, input: InputOf<K>) => void;
type Row<K extends InputKind> = readonly [
  Cell<K>,
  Cell<K>,
  Cell<K>,
  Cell<K>,
  Cell<K>,
  Cell<K>,
  Cell<K>,
  Cell<K>,
  Cell<K>,
];

const phases: readonly Phase[] = [
  'Idle',
  'Connecting',
  'InLobby',
  'Connected',
  'Recovering',
  'AwaitingFailover',
  'Rejoining',
  'Disconnecting',
  'Disconnected',
];

/** UCMA, ConferenceSession state transitions: all that may ever be emitted. */
const legal: { readonly [state in ConferenceState]: readonly ConferenceState[] } = {
  Idle: ['Connecting'],
  Connecting: ['Connected', 'InLobby', 'Idle'],
  InLobby: ['Connected', 'Reconnecting', 'Disconnecting'],
  Connected: ['Reconnecting', 'Disconnecting'],
  Reconnecting: ['Connected', 'InLobby', 'Disconnecting'],
  Disconnecting: ['Disconnected', 'Idle'],
  Disconnected: [],
};

/* chart of conference-session (npm run charts)
 *
 *   Idle ─────────────┬─ join ──────────────────────────────────────────────────────────────────────────────> Connecting
 *                     ├─ restore ───────────────────────────────────────────────────────────────────────────> InLobby
 *                     ├─ restore ───────────────────────────────────────────────────────────────────────────> Connected
 *                     ├─ restore ───────────────────────────────────────────────────────────────────────────> Recovering
 *                     ├─ restore ───────────────────────────────────────────────────────────────────────────> AwaitingFailover
 *                     ├─ restore ───────────────────────────────────────────────────────────────────────────> Disconnecting
 *                     └─ restore ───────────────────────────────────────────────────────────────────────────> Disconnected
 *   Disconnected ─────┬─ join ──────────────────────────────────────────────────────────────────────────────> Connecting
 *                     ├─ restore ───────────────────────────────────────────────────────────────────────────> Idle
 *                     ├─ restore ───────────────────────────────────────────────────────────────────────────> InLobby
 *                     ├─ restore ───────────────────────────────────────────────────────────────────────────> Connected
 *                     ├─ restore ───────────────────────────────────────────────────────────────────────────> Recovering
 *                     ├─ restore ───────────────────────────────────────────────────────────────────────────> AwaitingFailover
 *                     └─ restore ───────────────────────────────────────────────────────────────────────────> Disconnecting
 *   Connecting ───────┬─ terminate, join-failed, ended, join-timeout, restarted, stand-down ────────────────> Idle
 *                     ├─ joined, admitted ──────────────────────────────────────────────────────────────────> Connected
 *                     └─ joined ────────────────────────────────────────────────────────────────────────────> InLobby
 *   InLobby ──────────┬─ terminate, ended, lobby-timeout, stand-down ───────────────────────────────────────> Disconnecting
 *                     ├─ focus-failed ──────────────────────────────────────────────────────────────────────> AwaitingFailover
 *                     ├─ route-recovering ──────────────────────────────────────────────────────────────────> Recovering
 *                     └─ admitted ──────────────────────────────────────────────────────────────────────────> Connected
 *   Connected ────────┬─ terminate, ended, stand-down ──────────────────────────────────────────────────────> Disconnecting
 *                     ├─ focus-failed ──────────────────────────────────────────────────────────────────────> AwaitingFailover
 *                     └─ route-recovering ──────────────────────────────────────────────────────────────────> Recovering
 *   Recovering ───────┬─ terminate, route-abandoned, ended, lobby-timeout, stand-down ──────────────────────> Disconnecting
 *                     ├─ focus-failed ──────────────────────────────────────────────────────────────────────> AwaitingFailover
 *                     ├─ route-healthy ─────────────────────────────────────────────────────────────────────> Connected
 *                     └─ route-healthy ─────────────────────────────────────────────────────────────────────> InLobby
 *   Disconnecting ────┬─ at once, left, closing-timeout, stand-down ────────────────────────────────────────> Disconnected
 *                     └─ at once, left, closing-timeout, stand-down ────────────────────────────────────────> Idle
 *   AwaitingFailover ─┬─ terminate, ended, lobby-timeout, stand-down ───────────────────────────────────────> Disconnecting
 *                     └─ focus-failed-over ─────────────────────────────────────────────────────────────────> Rejoining
 *   Rejoining ────────┬─ terminate, join-failed, ended, join-timeout, lobby-timeout, restarted, stand-down ─> Disconnecting
 *                     ├─ joined, admitted ──────────────────────────────────────────────────────────────────> Connected
 *                     └─ joined ────────────────────────────────────────────────────────────────────────────> InLobby
 */
/** State × input. Every cell is specified: the compiler refuses a row that is missing or too short. */
// biome-ignore format: a table is read in columns
const table: { readonly [K in InputKind]: Row<K> } = {
  //                     Idle          Connecting     InLobby        Connected      Recovering     AwaitingFailover Rejoining     Disconnecting  Disconnected
  // requests
  'join':               [join,         refuseJoin,    refuseJoin,    refuseJoin,    refuseRetry,   refuseRetry,   refuseRetry,   refuseBegin,   joinAnew],
  'terminate':          [ended,        cancelJoin,    terminate,     terminate,     terminate,     terminate,     terminate,     joinClosing,   ended],
  'operation':          [refuseBegin,  refuseBegin,   refuseBegin,   begin,         refuseRetry,   refuseRetry,   refuseRetry,   refuseBegin,   refuseBegin],
  'query':              [answer,       answer,        answer,        answer,        answer,        answer,        answer,        answer,        answer],
  'snapshot':           [snapshot,     snapshot,      snapshot,      snapshot,      snapshot,      snapshot,      snapshot,      snapshot,      snapshot],
  'restore':            [takeOver,     hold,          hold,          hold,          hold,          hold,          hold,          hold,          takeOver],
  'heal':               [none,         none,          heal,          heal,          heal,          none,          none,          none,          none],
  'probe':              [none,         none,          probe,         probe,         probe,         probe,         none,          none,          none],
  // verdicts and the healer's word
  'focus-failed':       [none,         none,          loseFocus,     loseFocus,     turnToRejoin,  none,          none,          none,          none],
  'focus-failed-over':  [none,         none,          none,          none,          none,          rejoin,        none,          none,          none],
  'route-recovering':   [none,         none,          loseRoute,     loseRoute,     none,          none,          none,          none,          none],
  'route-healthy':      [none,         none,          none,          followRoute,   regainRoute,   none,          none,          none,          none],
  'route-abandoned':    [none,         none,          stayOnRoute,   stayOnRoute,   abandonRoute,  none,          none,          none,          none],
  'route-unhealed':     [none,         none,          stayOnRoute,   stayOnRoute,   failHeld,      none,          none,          none,          none],
  // the conferencing system
  'joined':             [none,         joined,        none,          none,          none,          none,          rejoined,      none,          none],
  'join-failed':        [none,         joinFailed,    none,          none,          none,          none,          rejoinFailed,  none,          none],
  'admitted':           [none,         joined,        admitted,      none,          admitMeanwhile, admitLater,   rejoined,      none,          none],
  'ended':              [none,         joinDenied,    closedByFocus, closedByFocus, closedByFocus, closedByFocus, closedByFocus, none,          none],
  'left':               [none,         none,          none,          none,          none,          none,          none,          finish,        none],
  'outcome':            [none,         none,          requestEnded,  requestEnded,  requestEnded,  requestEnded,  none,          none,          none],
  'document':           [none,         none,          none,          notified,      notified,      none,          none,          none,          none],
  'unreadable':         [none,         unreadable,    unreadable,    unreadable,    unreadable,    unreadable,    unreadable,    none,          none],
  'remote-bye':         [none,         none,          signal,        signal,        signal,        signal,        none,          none,          none],
  'transport-lost':     [none,         none,          signal,        signal,        signal,        signal,        none,          none,          none],
  'transport-restored': [none,         none,          signal,        signal,        signal,        signal,        none,          none,          none],
  'subscription-lost':  [none,         none,          signal,        signal,        signal,        signal,        none,          none,          none],
  'session-expired':    [none,         none,          signal,        signal,        signal,        signal,        none,          none,          none],
  'remote-update':      [none,         none,          signal,        signal,        signal,        none,          none,          none,          none],
  'mcu-report':         [none,         none,          none,          reportMcu,     reportMcu,     none,          none,          none,          none],
  'media':              [none,         none,          reportMedia,   reportMedia,   reportMedia,   reportMedia,   reportMedia,   none,          none],
  // deadlines
  'join-timeout':       [none,         joinTimedOut,  none,          none,          none,          none,          rejoinTimedOut, none,         none],
  'lobby-timeout':      [none,         none,          lobbyTimedOut, none,          lobbyTimedOut, lobbyTimedOut, lobbyTimedOut, none,          none],
  'closing-timeout':    [none,         none,          none,          none,          none,          none,          none,          finish,        none],
  'heartbeat-due':      [none,         none,          beat,          beat,          none,          none,          none,          none,          none],
  'hold-expired':       [none,         none,          none,          stopHolding,   none,          none,          none,          none,          none],
  'resync-due':         [none,         none,          none,          resyncDue,     none,          none,          none,          none,          none],
  'restart-assumed':    [none,         none,          none,          restartAssumed, none,         none,          none,          none,          none],
  // the life of the node
  'restarted':          [stayEnded,    loseJoin,      goOn,          goOn,          goOn,          goOn,          loseRejoin,    leaveAgain,    stayEnded],
  'stand-down':         [giveWay,      abandonJoin,   standDown,     standDown,     standDown,     standDown,     standDown,     abandonClosing, giveWay],
};

/** The table as tools see it: for charts, for the simulation, and to switch cells off one by one. */
export const conferenceSessionTable = { phases, legal, cells: table, nothing: none } as const;

/** Member by member: of an object with more than twenty, a spread takes twenty times as long (V8), and every step begins with one. */
function copyOf(state: ConferenceSessionState): ConferenceSessionState {
  return {
    version: state.version,
    conference: state.conference,
    seq: state.seq,
    dialog: state.dialog,
    incident: state.incident,
    owner: state.owner,
    epoch: state.epoch,
    stoodDown: state.stoodDown,
    closedIncidents: state.closedIncidents,
    phase: state.phase,
    returnTo: state.returnTo,
    since: state.since,
    attempts: state.attempts,
    joinArguments: state.joinArguments,
    joining: state.joining,
    terminating: state.terminating,
    closing: state.closing,
    operations: state.operations,
    pending: state.pending,
    roster: state.roster,
    resyncing: state.resyncing,
    resyncs: state.resyncs,
    behind: state.behind,
    lobby: state.lobby,
    properties: state.properties,
    mcus: state.mcus,
    registrationStale: state.registrationStale,
  };
}

/** The conference session machine. */
export const conferenceSession = {
  /** A fresh record: Idle. */
  start(conference: string): ConferenceSessionState {
    return {
      version: versionOf('conference-session'),
      conference,
      seq: 0,
      dialog: 0,
      incident: null,
      owner: '',
      epoch: 0,
      stoodDown: false,
      closedIncidents: nothing.list,
      phase: 'Idle',
      returnTo: 'Connected',
      since: 0,
      attempts: 0,
      joinArguments: nothing.table,
      joining: null,
      terminating: nothing.list,
      closing: null,
      operations: nothing.table,
      pending: 0,
      roster: emptyRoster,
      resyncing: false,
      resyncs: 0,
      behind: false,
      lobby: nothing.list,
      properties: nothing.table,
      mcus: nothing.table,
      registrationStale: false,
    };
  },

  /** One step. Never throws; never changes `state` or `input`. What speaks of another dialog changes nothing (MSG-8). */
  step(
    state: ConferenceSessionState,
    input: ConferenceSessionInput,
    moment: Moment,
    settings: ConferenceSessionSettings,
  ): Step<ConferenceSessionState, ConferenceSessionEffect> {
    const draft: Draft = { state: copyOf(state), messages: [], effects: [], moment, settings };
    if (speaksOfAnother(state, input)) {
      if ('operationId' in input) ignore(draft, input);
      return draft;
    }
    if (!isRefusedAsStale(draft, input)) give(draft, input);
    return draft;
  },

  /** The fact that tells policy nodes, after a start, how things are. */
  status(state: ConferenceSessionState, moment: Moment): Step<ConferenceSessionState, never> {
    const next = copyOf(state);
    return { state: next, messages: [statusOf(next, moment, false)], effects: [] };
  },

  /** What an MCU session has to know that comes late, or has missed something. One that knows it all has no use for it. */
  introduction({ phase, returnTo, dialog, mcus, roster, incident }: ConferenceSessionState): McuParentInput[] {
    const joined: McuParentInput[] = [
      { input: 'joined', dialog, mcus },
      { input: 'roster', participants: roster.participants, cause: 'join' },
    ];
    switch (phase) {
      case 'Connected':
        return [{ input: 'recovered' }, ...joined];
      case 'Recovering':
        // From the lobby, nothing is known of any MCU.
        return [...(returnTo === 'Connected' ? joined : []), { input: 'reconnecting', focusFailed: false, incident }];
      case 'AwaitingFailover':
        return [{ input: 'reconnecting', focusFailed: true, incident }];
      default:
        return [];
    }
  },

  /** Does the input speak of another dialog, or of what is over, so that it changes nothing? */
  speaksOfAnother,

  /** The state in UCMA's words. */
  stateOf: (state: ConferenceSessionState): ConferenceState => shown(state.phase),

  /** `rejoining` or `recovering` while in Reconnecting, else null. */
  modeOf: (state: ConferenceSessionState): ReconnectingMode | null => modeOf(state.phase),

  /** Nothing is open: the record may be forgotten when room is needed. */
  idle: (state: ConferenceSessionState): boolean => state.phase === 'Idle' || state.phase === 'Disconnected',
};

function statusOf(state: ConferenceSessionState, moment: Moment, restored: boolean): Fact {
  const { phase, owner, epoch } = state;
  const body = {
    event: 'session-status' as const,
    state: shown(phase),
    mode: modeOf(phase),
    restored,
    owner,
    epoch,
  };
  return fact(state, 'conference-session', moment, 'info', body);
}

/**
 * Does the input speak of another dialog, or of an outage or an ownership that is over (contract, rule 8)? Who gives up an
 * outage need not have heard that its re-join has begun a new dialog.
 */
function speaksOfAnother(
  { dialog, incident, closedIncidents, epoch }: ConferenceSessionState,
  input: ConferenceSessionInput,
): boolean {
  const told: Told = input;
  const { incident: of } = told;
  if (of && told.input === 'terminate') return of !== incident?.id;
  if (of && of !== incident?.id && closedIncidents.includes(of)) return true;
  if (told.input === 'stand-down') return (told.epoch as number) <= epoch;
  return told.dialog !== undefined && told.dialog !== dialog;
}

/** What an input may have, of whichever kind: to ask for it costs less than to find out the kind. */
interface Told {
  input?: Exclude<ConferenceSessionInput, { event: string }>['input'];
  event?: SignalingEvent['event'];
  incident?: string | null;
  dialog?: number;
  epoch?: number;
  deadline?: string;
}

/** Does the cell of the present phase. */
function give(draft: Draft, input: ConferenceSessionInput): void {
  const cell = table[kindOf(input)][phases.indexOf(draft.state.phase)];
  (cell as (draft: Draft, input: ConferenceSessionInput) => void)(draft, input);
}

function kindOf(input: ConferenceSessionInput): InputKind {
  const { event, input: kind, deadline = '' }: Told = input;
  if (event !== undefined) return event as InputKind;
  return (kind === 'deadline' ? deadline.split(':', 1)[0] : kind) as InputKind;
}

function shown(phase: Phase): ConferenceState {
  return phase === 'Recovering' || phase === 'AwaitingFailover' || phase === 'Rejoining' ? 'Reconnecting' : phase;
}

function modeOf(phase: Phase): ReconnectingMode | null {
  if (phase === 'Recovering') return 'recovering';
  return phase === 'AwaitingFailover' || phase === 'Rejoining' ? 'rejoining' : null;
}

// ------------------------------------------------------------------------------------------------ the one writer of state

interface Explanation {
  criterion?: string | undefined;
  explanation?: string | undefined;
}

/** The only writer of the phase: checks that the transition is documented, and tells of it. */
function enter(draft: Draft, phase: Phase, reason: StateReason, { criterion, explanation }: Explanation = {}): void {
  const { state, moment } = draft;
  const previous = shown(state.phase);
  const next = shown(phase);
  const previousMode = modeOf(state.phase);
  const mode = modeOf(phase);
  state.phase = phase;
  if (previous === next) {
    if (previousMode !== null && mode !== null && previousMode !== mode) {
      const body = { event: 'mode-changed' as const, previousMode, mode, reason };
      draft.messages.push(fact(state, 'conference-session', moment, 'warning', body));
    }
    return;
  }
  legalTransition(legal, previous, next);
  const { incident } = state;
  const begins = next === 'Reconnecting';
  const startedAt = begins ? moment.now : state.since || moment.now;
  if (!begins && incident) {
    state.closedIncidents = [...state.closedIncidents, incident.id].slice(-limits.closedIncidents);
    state.incident = null;
  }
  const body: FactBody<StateChanged> = {
    event: 'state-changed',
    previous,
    state: next,
    mode,
    reason,
    startedAt: instant(startedAt),
    endedAt: previous === 'Reconnecting' ? instant(moment.now) : null,
    elapsedMs: moment.now - startedAt,
    attempts: state.attempts,
    restored: false,
  };
  if (criterion !== undefined) body.criterion = criterion;
  if (explanation !== undefined) body.explanation = explanation;
  const outage = { id: incident?.id ?? null, active: begins };
  draft.messages.push(fact(state, 'conference-session', moment, severityOf(previous, next, reason), body, outage));
  state.since = moment.now;
  if (!begins) state.attempts = 0;
}

function severityOf(previous: ConferenceState, next: ConferenceState, reason: StateReason): Severity {
  if (next === 'Reconnecting') return 'warning';
  if (reason === 'JoinFailed') return 'error';
  const lost = reason === 'GaveUp' || reason === 'RejoinFailed' || reason === 'RouteAbandoned';
  return lost && previous === 'Reconnecting' ? 'critical' : 'info';
}

function none(): void {}

function setDeadline(draft: Draft, deadline: Deadline, inMs: number): void {
  draft.effects.push({ effect: 'set-deadline', deadline, at: draft.moment.now + inMs });
}

function cancelDeadlines(draft: Draft, ...deadlines: Deadline[]): void {
  for (const deadline of deadlines) draft.effects.push({ effect: 'cancel-deadline', deadline });
}

function tellMcus(draft: Draft, input: McuParentInput): void {
  draft.effects.push({ effect: 'mcu', mcu: null, input });
}

// -------------------------------------------------------------------------------------------------------- joining, leaving

function join(draft: Draft, input: InputOf<'join'>): void {
  const { operationId, arguments: given } = input;
  const { state, moment, settings } = draft;
  if (isOfOthers(state, input)) return refuseAsStale(draft, input);
  const next = state.owner === settings.owner ? state.epoch : state.epoch + 1;
  own(draft, Math.max(1, input.epoch ?? next));
  state.joinArguments = given;
  state.joining = { id: operationId, startedAt: moment.now };
  tellMcus(draft, { input: 'joining', seq: state.seq });
  enter(draft, 'Connecting', 'JoinRequested');
  sendJoin(draft, false);
  setDeadline(draft, 'join-timeout', settings.joinTimeoutMs);
}

/** A session that has ended begins anew; its numbering of facts goes on. */
function joinAnew(draft: Draft, input: InputOf<'join'>): void {
  const { conference, seq, closedIncidents, owner, epoch, stoodDown } = draft.state;
  if (isOfOthers(draft.state, input)) return refuseAsStale(draft, input);
  const kept = { seq, closedIncidents, owner, epoch, stoodDown };
  draft.state = { ...conferenceSession.start(conference), ...kept, since: draft.moment.now };
  join(draft, input);
}

function sendJoin(draft: Draft, rejoin: boolean): void {
  const { state } = draft;
  state.dialog = rejoin ? state.dialog + 1 : 1;
  state.roster = awaitingResync(state.roster);
  Object.assign(state, { resyncing: false, resyncs: 0, behind: false, registrationStale: false });
  draft.effects.push({ effect: 'join', dialog: state.dialog, rejoin, ...state.joinArguments });
}

function joined(draft: Draft, input: InputOf<'joined' | 'admitted'>): void {
  cancelDeadlines(draft, 'join-timeout');
  if (placementOf(input) === 'lobby') {
    enter(draft, 'InLobby', 'PlacedInLobby');
    setDeadline(draft, 'lobby-timeout', draft.settings.lobbyTimeoutMs);
    startHeartbeat(draft);
  } else {
    arrive(draft, input, 'join', 'Joined');
  }
}

function admitted(draft: Draft, input: InputOf<'admitted'>): void {
  arrive(draft, input, 'join', 'Admitted');
}

/** Recovery first: that we were let in only changes where it leads back to (O20). */
function admitLater(draft: Draft): void {
  cancelDeadlines(draft, 'lobby-timeout');
  draft.state.returnTo = 'Connected';
}

function admitMeanwhile(draft: Draft, input: InputOf<'admitted'>): void {
  admitLater(draft);
  receive(draft, input, 'join');
}

function placementOf(input: InputOf<'joined' | 'admitted'>): Placement {
  return input.event === 'admitted' ? 'conference' : input.placement;
}

/** In the conference: MCUs, roster, state, completion, in this order. */
function arrive(
  draft: Draft,
  input: InputOf<'joined' | 'admitted'>,
  cause: 'join' | 'resync',
  reason: StateReason,
): void {
  cancelDeadlines(draft, 'lobby-timeout');
  receive(draft, input, cause);
  enter(draft, 'Connected', reason);
  startHeartbeat(draft);
  const { joining } = draft.state;
  draft.state.joining = null;
  if (joining) complete(draft, 'join', joining.id, joining.startedAt, { total: draft.state.roster.total });
}

/** What the conference tells those who are in. */
function receive(
  draft: Draft,
  { document, mcus, dialog }: InputOf<'joined' | 'admitted'>,
  cause: 'join' | 'resync',
): void {
  draft.state.mcus = mcus;
  tellMcus(draft, { input: 'joined', dialog, mcus });
  if (document) apply(draft, document, cause);
}

function joinFailed(draft: Draft, { outcome }: InputOf<'join-failed'>): void {
  if (outcome.kind !== 'ok') rollBack(draft, 'JoinFailed', failureOf(outcome, 'The join', true), true);
}

function joinDenied(draft: Draft, { cause }: InputOf<'ended'>): void {
  const reason = cause === 'ejected' ? 'LobbyDenied' : 'ConferenceEnded';
  rollBack(draft, 'JoinFailed', conferenceFailure(reason, 'The conference did not let us in.'), true);
}

function joinTimedOut(draft: Draft): void {
  rollBack(draft, 'JoinFailed', joinTimeout(draft), false);
}

function joinTimeout({ settings }: Draft): RecoveryError {
  return timeout(`The join was not answered within ${settings.joinTimeoutMs / 1000} s.`, true);
}

function cancelJoin(draft: Draft, input: InputOf<'terminate'>): void {
  rollBack(draft, 'TerminateRequested', leftBeforeJoined(), false);
  complete(draft, 'terminate', input.operationId, draft.moment.now, null);
}

function leftBeforeJoined(): RecoveryError {
  return operationFailure('SessionTerminated', 'The session was terminated before the join had completed.', true);
}

/** From Connecting back to Idle. */
function rollBack(draft: Draft, reason: StateReason, error: RecoveryError, silently: boolean): void {
  const { joining, dialog } = draft.state;
  draft.state.joining = null;
  cancelDeadlines(draft, 'join-timeout');
  draft.effects.push(reason === 'StoodDown' ? { effect: 'abandon' } : { effect: 'leave', dialog, silently });
  enter(draft, 'Idle', reason);
  if (joining) fail(draft, 'join', joining.id, error);
}

function lobbyTimedOut(draft: Draft): void {
  const { lobbyTimeoutMs } = draft.settings;
  const error = timeout(`Nobody admitted us from the lobby within ${lobbyTimeoutMs / 60_000} min.`, true);
  close(draft, 'LobbyTimeout', { joinError: error });
}

function terminate(draft: Draft, input: InputOf<'terminate'>): void {
  const { state, moment } = draft;
  state.terminating = [{ id: input.operationId, startedAt: moment.now }];
  const reason = input.reason === 'GaveUp' ? 'GaveUp' : 'TerminateRequested';
  close(draft, reason, { joinError: leftBeforeJoined(), because: input });
}

function ignore({ effects }: Draft, { operationId }: { operationId: string }): void {
  effects.push({ effect: 'ignore', operationId });
}

function joinClosing(draft: Draft, input: InputOf<'terminate'>): void {
  const { operationId } = input;
  const { state, moment } = draft;
  if (state.terminating.length >= limits.operations) {
    return fail(
      draft,
      'terminate',
      null,
      invalidOperation('Too many wait for the session to end already.', 'LimitReached'),
    );
  }
  state.terminating = [...state.terminating, { id: operationId, startedAt: moment.now }];
}

/** Who ends what somebody else holds lets go of it: from now on, it may be joined again. */
function ended(draft: Draft, input: InputOf<'terminate'>): void {
  draft.state.stoodDown = false;
  complete(draft, 'terminate', input.operationId, draft.moment.now, null);
}

function closedByFocus(draft: Draft, { cause, reason }: InputOf<'ended'>): void {
  const waiting = draft.state.joining !== null;
  const why: StateReason = cause === 'conference-ended' ? 'ConferenceEnded' : waiting ? 'LobbyDenied' : 'Ejected';
  close(draft, why, { joinError: conferenceFailure(reason ?? why, 'The conference did not let us in.') });
}

/**
 * Begins to close; `gone`: there is no dialog to leave any more. A session whose first join is still pending goes back to
 * Idle, any other ends Disconnected. From Reconnecting nobody is waited for: the other side is known to be out of reach. Nor
 * is anybody when somebody else goes on with the conference: to the far end, nothing ends.
 */
function close(
  draft: Draft,
  reason: StateReason,
  { joinError, because, gone = false }: { joinError: RecoveryError; because?: Explanation; gone?: boolean },
): void {
  const { state, settings } = draft;
  const { joining, dialog, phase } = state;
  state.joining = null;
  state.closing = { phase: joining ? 'Idle' : 'Disconnected', reason };
  cancelDeadlines(draft, 'join-timeout', 'lobby-timeout', 'heartbeat-due', 'resync-due', 'restart-assumed');
  const handedOver = reason === 'StoodDown';
  endMcus(draft);
  enter(draft, 'Disconnecting', reason, because);
  for (const operation of Object.values(state.operations)) {
    if (reason === 'ConferenceEnded' && operation.operation === 'end-conference') completeOperation(draft, operation);
    else failOperation(draft, operation, handedOver ? takenAway(draft, operation) : cutShort(operation));
  }
  if (joining) fail(draft, 'join', joining.id, joinError);
  // Behind a broken route the Focus still holds our dialog, and a BYE may get through; so does one that a re-join is on its
  // way to. A Focus that failed over does not.
  const silently = gone || phase === 'AwaitingFailover';
  draft.effects.push(handedOver ? { effect: 'abandon' } : { effect: 'leave', dialog, silently });
  if (handedOver || shown(phase) === 'Reconnecting') finish(draft);
  else setDeadline(draft, 'closing-timeout', settings.closingTimeoutMs);
}

function endMcus(draft: Draft): void {
  const { stoodDown, owner, epoch } = draft.state;
  tellMcus(draft, stoodDown ? { input: 'stood-down', owner, epoch } : { input: 'terminated' });
}

function cutShort({ operation }: Operation): RecoveryError {
  const message = `The conference session ended before ${operation} was answered.`;
  return operationFailure('SessionTerminated', message, idempotent(operation));
}

function finish(draft: Draft): void {
  const { state } = draft;
  const { phase, reason } = state.closing as NonNullable<ConferenceSessionState['closing']>;
  const { terminating } = state;
  cancelDeadlines(draft, 'closing-timeout');
  // What a session that rolled back had shown of the conference is taken back before Idle (UCMA, transition 5).
  if (phase === 'Idle') {
    showRoster(draft, emptyRoster, differenceBetween(state.roster.participants, {}), 'notification');
  }
  state.terminating = nothing.list;
  state.closing = null;
  enter(draft, phase, reason);
  for (const { id, startedAt } of terminating) complete(draft, 'terminate', id, startedAt, null);
  const { list: lobby, table } = nothing;
  Object.assign(state, { roster: emptyRoster, lobby, properties: table, mcus: table });
}

// -------------------------------------------------------------------------------------------------- after a start (PER-2)

/** The first fact of a session that has outlived its process; from here on, it is held by whoever we are now. */
function tellRestored(draft: Draft): void {
  const { state, settings, moment } = draft;
  if (!state.stoodDown && state.epoch > 0) state.owner = settings.owner;
  draft.messages.push(statusOf(state, moment, true));
}

/** Whether the dialog is still there is found out by a request in it. What was asked of the process before is given up. */
function goOn(draft: Draft): void {
  const { state, settings, effects } = draft;
  tellRestored(draft);
  for (const input of conferenceSession.introduction(state)) tellMcus(draft, input);
  if (state.phase !== 'AwaitingFailover') tellMcusFailing(draft);
  failAll(draft, interrupted);
  effects.push({ effect: 'resume', dialog: state.dialog, timeoutMs: settings.repairTimeoutMs });
  if (state.phase === 'Recovering') effects.push({ effect: 'pause-session-timer', dialog: state.dialog });
}

/** Whoever judges MCUs may not have heard it, or his verdict may not have arrived. */
function tellMcusFailing(draft: Draft): void {
  for (const [mcu, report] of Object.entries(draft.state.mcus ?? {})) {
    if (report === 'failing-over') sendSignal(draft, { signal: 'mcu-report', mcu, report });
  }
}

/** MCU sessions whose state was saved before the end hear of it again. */
function stayEnded(draft: Draft): void {
  tellRestored(draft);
  endMcus(draft);
}

function loseJoin(draft: Draft): void {
  tellRestored(draft);
  rollBack(draft, 'JoinFailed', sessionRetrying('join', true), false);
}

/** The one attempt may have been sent. What became of it nobody knows, and a second one must not be sent (PER-3). */
function loseRejoin(draft: Draft): void {
  tellRestored(draft);
  close(draft, 'RejoinFailed', { joinError: sessionRetrying('join', true) });
}

function leaveAgain(draft: Draft): void {
  stayEnded(draft);
  draft.effects.push({ effect: 'leave', dialog: draft.state.dialog, silently: false });
}

// ------------------------------------------------------------------------------------------------------ ownership (PER-7)

function own({ state, settings }: Draft, epoch: number): void {
  // Somebody may have named an epoch that nothing can be counted up from.
  const counted = Math.min(epoch, Number.MAX_SAFE_INTEGER);
  Object.assign(state, { owner: settings.owner, epoch: counted, stoodDown: false });
}

/** Is the conference somebody else's, and will it be so? Who knows of a newer epoch than theirs may begin it. */
function isOfOthers({ stoodDown, epoch }: ConferenceSessionState, input: { epoch?: number }): boolean {
  return stoodDown && (input.epoch ?? epoch) <= epoch;
}

/**
 * Requests of an older epoch are refused; one of a newer epoch says that somebody else holds the conference by now. What a
 * `restore`, or a `join` where nothing is held, has as its epoch is the one to come.
 */
function isRefusedAsStale(draft: Draft, input: ConferenceSessionInput): boolean {
  const { epoch } = draft.state;
  const told = (input as Told).epoch;
  if (told === undefined || !('epoch' in input) || input.input === 'restore' || input.input === 'stand-down')
    return false;
  if (told === epoch || (told > epoch && input.input === 'join' && conferenceSession.idle(draft.state))) return false;
  if (told > epoch) give(draft, { input: 'stand-down', owner: '', epoch: told });
  refuseAsStale(draft, input);
  return true;
}

function refuseAsStale(
  draft: Draft,
  input: { input: string; operation?: string; operationId?: string; mcu?: string },
): void {
  const { operation = input.input, operationId = '', mcu } = input;
  const error = staleOwner(operation, draft.state);
  if (mcu === undefined) return fail(draft, operation, null, error);
  draft.effects.push({ effect: 'mcu', mcu, input: { input: 'failed', operation, operationId, error } });
}

function takenAway({ state }: Draft, { operation }: Operation): RecoveryError {
  return staleOwner(operation, state, idempotent(operation));
}

function giveWay({ state }: Draft, { owner, epoch }: InputOf<'stand-down'>): void {
  // The new owner goes on with the outage: nothing is resolved by this.
  Object.assign(state, { owner, epoch, stoodDown: true, incident: null });
}

function abandonJoin(draft: Draft, input: InputOf<'stand-down'>): void {
  giveWay(draft, input);
  rollBack(draft, 'StoodDown', staleOwner('join', draft.state), true);
}

function standDown(draft: Draft, input: InputOf<'stand-down'>): void {
  giveWay(draft, input);
  close(draft, 'StoodDown', { joinError: staleOwner('join', draft.state) });
}

function abandonClosing(draft: Draft, input: InputOf<'stand-down'>): void {
  giveWay(draft, input);
  const { closing } = draft.state;
  draft.state.closing = { phase: 'Disconnected', ...closing, reason: 'StoodDown' };
  draft.effects.push({ effect: 'abandon' });
  finish(draft);
}

function snapshot(draft: Draft, { operationId, signaling, deadlines, mcus }: InputOf<'snapshot'>): void {
  const { now } = draft.moment;
  complete(draft, 'snapshot', operationId, now, snapshotOf(draft.state, now, { signaling, deadlines, mcus }));
}

/** Deadlines that outlive the node; those of operations end with them. */
const lasting: readonly Deadline[] = [
  'join-timeout',
  'lobby-timeout',
  'closing-timeout',
  'heartbeat-due',
  'resync-due',
  'restart-assumed',
];

/** From a snapshot, as after a restart. Our own past is none: what we have ended since must not come back. */
function takeOver(draft: Draft, input: InputOf<'restore'>): void {
  const { operationId } = input;
  const { conference, seq, owner, epoch, stoodDown } = draft.state;
  const read = readSnapshot(input.snapshot, conference, lasting);
  if ('error' in read) return fail(draft, 'restore', null, read.error);
  const { state, signaling, deadlines, mcus, ...told } = read.snapshot;
  const ours = told.epoch === epoch && told.owner === owner && !stoodDown;
  if (ours && input.epoch === undefined && state.seq <= seq) return ignore(draft, input);
  const next = input.epoch ?? told.epoch + 1;
  if (told.epoch < epoch || next <= Math.max(epoch, told.epoch)) return refuseAsStale(draft, input);
  draft.state = { ...state, seq: Math.max(seq, state.seq) };
  own(draft, next);
  draft.effects.push({ effect: 'adopt', signaling });
  for (const [deadline, at] of Object.entries(deadlines)) draft.effects.push({ effect: 'set-deadline', deadline, at });
  tellMcus(draft, { input: 'joining', seq });
  for (const [mcu, saved] of Object.entries(mcus)) {
    draft.effects.push({ effect: 'mcu', mcu, input: { input: 'restore', state: saved } });
  }
  give(draft, { input: 'restarted' });
  const held = { owner: draft.state.owner, epoch: draft.state.epoch };
  complete(draft, 'restore', operationId, draft.moment.now, held);
}

/** We hold the conference: our own snapshot that comes back is nothing new, and only a newer epoch takes it from us. */
function hold(draft: Draft, input: InputOf<'restore'>): void {
  const { conference, owner, epoch } = draft.state;
  const read = readSnapshot(input.snapshot, conference, lasting);
  if ('error' in read) return fail(draft, 'restore', null, read.error);
  const told = read.snapshot;
  const newest = Math.max(told.epoch, input.epoch ?? 0);
  if (newest > epoch) {
    give(draft, { input: 'stand-down', owner: told.epoch === newest ? told.owner : '', epoch: newest });
  } else if (told.epoch === epoch && told.owner === owner) {
    return ignore(draft, input);
  }
  refuseAsStale(draft, input);
}

// ---------------------------------------------------------------------------------------------------------- Focus failover

function loseFocus(draft: Draft, { incident }: InputOf<'focus-failed'>): void {
  startOutage(draft, incident, 'focus');
  tellMcus(draft, { input: 'reconnecting', focusFailed: true, incident: draft.state.incident });
  enter(draft, 'AwaitingFailover', 'FocusFailover');
  failAll(draft, interrupted);
}

/** Healing met a dialog that is gone: the route was not all that failed. */
function turnToRejoin(draft: Draft): void {
  tellMcus(draft, { input: 'reconnecting', focusFailed: true, incident: draft.state.incident });
  enter(draft, 'AwaitingFailover', 'FocusFailover');
  failAll(draft, interrupted);
}

function startOutage(draft: Draft, incident: string | null, level: 'focus' | 'hop'): void {
  const { state, moment } = draft;
  state.returnTo = state.phase === 'InLobby' ? 'InLobby' : 'Connected';
  state.attempts = 0;
  state.incident = incident === null ? mintIncident(state, level, moment.now) : { id: incident, startedAt: moment.now };
  cancelDeadlines(draft, 'heartbeat-due', 'resync-due', 'restart-assumed');
}

/** The one re-join of this failover. */
function rejoin(draft: Draft): void {
  draft.state.attempts += 1;
  enter(draft, 'Rejoining', 'FocusFailover');
  sendJoin(draft, true);
  setDeadline(draft, 'join-timeout', draft.settings.joinTimeoutMs);
}

function rejoined(draft: Draft, input: InputOf<'joined' | 'admitted'>): void {
  cancelDeadlines(draft, 'join-timeout');
  sendSignal(draft, { signal: 'response', purpose: 'rejoin', method: 'INVITE', status: 200 });
  tellMcus(draft, { input: 'recovered' });
  if (placementOf(input) === 'conference') return arrive(draft, input, 'resync', 'Rejoined');
  // Somebody who waited in the lobby before goes on with the same patience (O22).
  if (draft.state.returnTo === 'Connected') setDeadline(draft, 'lobby-timeout', draft.settings.lobbyTimeoutMs);
  enter(draft, 'InLobby', 'PlacedInLobby');
  startHeartbeat(draft);
}

function rejoinFailed(draft: Draft, { outcome }: InputOf<'join-failed'>): void {
  if (outcome.kind === 'ok') return;
  close(draft, 'RejoinFailed', { joinError: failureOf(outcome, 'The re-join', true), gone: true });
}

function rejoinTimedOut(draft: Draft): void {
  close(draft, 'RejoinFailed', { joinError: joinTimeout(draft) });
}

// --------------------------------------------------------------------------------------------------- intermediate hop failure

function loseRoute(draft: Draft, { incident, recoveryMode, attempts }: InputOf<'route-recovering'>): void {
  const { state, effects } = draft;
  startOutage(draft, incident, 'hop');
  state.attempts = attempts;
  tellMcus(draft, { input: 'reconnecting', focusFailed: false, incident: state.incident });
  enter(draft, 'Recovering', 'RouteBroken');
  effects.push({ effect: 'pause-session-timer', dialog: state.dialog });
  const waits = recoveryMode === 'LimitedRetry';
  for (const operation of Object.values(state.operations)) {
    const { met } = operation;
    if (waits && isHeld(operation)) effects.push({ effect: 'cancel-deadline', deadline: holdOf(operation) });
    else if (met) failAsMet(draft, operation, met);
    else failOperation(draft, operation, interrupted(operation));
  }
}

function regainRoute(draft: Draft): void {
  const { state, effects } = draft;
  tellMcus(draft, { input: 'recovered' });
  enter(draft, state.returnTo, 'RouteHealed');
  effects.push({ effect: 'resume-session-timer', dialog: state.dialog });
  startHeartbeat(draft);
  if (state.returnTo === 'InLobby') return;
  const { joining } = state;
  state.joining = null;
  if (joining) complete(draft, 'join', joining.id, joining.startedAt, { total: state.roster.total });
  followRoute(draft);
}

/**
 * A silent repair, or the end of the outage. The dialogs related to the Focus's take the new route too (MS-SIPRE 3.7.5.3.4):
 * the subscription, whose refresh brings the full roster, and those of the calls. Then what was held is sent again.
 */
function followRoute(draft: Draft): void {
  refreshRoster(draft);
  tellMcus(draft, { input: 'route-healed' });
  for (const operation of Object.values(draft.state.operations)) {
    if (!isHeld(operation)) continue;
    draft.effects.push({ effect: 'cancel-deadline', deadline: holdOf(operation) });
    send(draft, { ...operation, met: null, sends: operation.sends + 1 });
  }
}

function abandonRoute(draft: Draft): void {
  close(draft, 'RouteAbandoned', { joinError: leftBeforeJoined() });
}

/**
 * The silent repair was given up, or there is none (RouteSetRecoveryMode None): nobody saw a state change, and there will
 * be none (O25). Whoever holds an outage open for this route hears that the session knows of none, so that the next
 * failure is a new one.
 */
function stayOnRoute(draft: Draft): void {
  failHeld(draft);
  draft.messages.push(statusOf(draft.state, draft.moment, false));
}

/** What waits for the route waits in vain. */
function failHeld(draft: Draft): void {
  for (const operation of Object.values(draft.state.operations)) {
    if (isHeld(operation)) failAsMet(draft, operation, operation.met);
  }
}

function heal(draft: Draft, { attempt, method }: InputOf<'heal'>): void {
  const { state, settings } = draft;
  if (state.phase === 'Recovering') state.attempts = Math.max(state.attempts, attempt);
  draft.effects.push({
    effect: 'request',
    requestId: healId(attempt),
    dialog: state.dialog,
    purpose: 'heal',
    method,
    attempt,
    timeoutMs: settings.repairTimeoutMs,
    ...(state.registrationStale ? { refreshRegistration: true } : {}),
  });
}

function probe({ state, settings, effects }: Draft): void {
  effects.push({
    effect: 'request',
    requestId: 'probe',
    dialog: state.dialog,
    purpose: 'probe',
    timeoutMs: settings.repairTimeoutMs,
  });
}

function startHeartbeat(draft: Draft): void {
  if (draft.settings.heartbeatMs > 0) setDeadline(draft, 'heartbeat-due', draft.settings.heartbeatMs);
}

/** One per interval, answered or not: a detector that waits for the next one must not wait for the last one's time-out. */
function beat(draft: Draft): void {
  const { state, settings, effects } = draft;
  startHeartbeat(draft);
  effects.push({
    effect: 'request',
    requestId: 'heartbeat',
    dialog: state.dialog,
    purpose: 'refresh',
    timeoutMs: settings.repairTimeoutMs,
  });
}

// -------------------------------------------------------------------------------------------------------------- operations

function begin(draft: Draft, input: InputOf<'operation'>): void {
  const { state, moment } = draft;
  const { operation, operationId, mcu = null } = input;
  if (state.pending >= limits.operations) {
    const error = invalidOperation(
      `${limits.operations} operations are pending already; wait for one to complete.`,
      'LimitReached',
    );
    return refuse(draft, input, error);
  }
  state.pending += 1;
  send(draft, {
    id: operationId,
    operation,
    arguments: input.arguments,
    mcu,
    startedAt: moment.now,
    sends: 1,
    met: null,
  });
}

function send(draft: Draft, operation: Operation): void {
  const { state, settings } = draft;
  state.operations = { ...state.operations, [operation.id]: operation };
  draft.effects.push({
    effect: 'request',
    requestId: operation.id,
    dialog: state.dialog,
    purpose: 'operation',
    operation: operation.operation,
    arguments: operation.arguments,
    timeoutMs: settings.operationTimeoutMs,
    ...(operation.mcu === null ? {} : { mcu: operation.mcu }),
  });
}

function requestEnded(draft: Draft, input: InputOf<'outcome'>): void {
  const { state, settings } = draft;
  const body = signalOfOutcome(input);
  if (body) sendSignal(draft, body);
  noteRegistration(state, input);
  const operation = input.purpose === 'operation' ? state.operations[input.requestId] : undefined;
  if (!operation) return;
  const { outcome } = input;
  if (outcome.kind === 'ok') return completeOperation(draft, operation, outcome.result);
  const treatment = settings.signalsWired ? treatmentOf(operation, outcome) : 'fail';
  if (treatment === 'fail') return failAsMet(draft, operation, outcome);
  state.operations = { ...state.operations, [operation.id]: { ...operation, met: outcome } };
  const at = draft.moment.now + settings.operationTimeoutMs;
  draft.effects.push({ effect: 'set-deadline', deadline: holdOf(operation), at });
}

/** Wanted from the first answer that says so until a repair gets through. */
function noteRegistration(state: ConferenceSessionState, { purpose, outcome }: InputOf<'outcome'>): void {
  if (outcome.kind === 'refused' && outcome.recoveryAction?.includes('Registration-Route-Set-Update')) {
    state.registrationStale = true;
  } else if (outcome.kind === 'ok' && purpose === 'heal') {
    state.registrationStale = false;
  }
}

/** Does it wait for the route? What was answered 481 waits for the verdict on the Focus instead. */
function isHeld(operation: Operation): operation is Operation & { met: NonNullable<Operation['met']> } {
  const { met } = operation;
  return met !== null && !(met.kind === 'refused' && met.status === 481);
}

function holdOf({ id }: Operation): string {
  return `hold-expired:${id}`;
}

/** Neither repair nor verdict came. */
function stopHolding(draft: Draft, { deadline }: InputOf<'hold-expired'>): void {
  const operation = draft.state.operations[deadline.slice('hold-expired:'.length)];
  if (operation?.met) failAsMet(draft, operation, operation.met);
}

function failAll(draft: Draft, error: (operation: Operation) => RecoveryError): void {
  for (const operation of Object.values(draft.state.operations)) failOperation(draft, operation, error(operation));
}

function remove(draft: Draft, operation: Operation): void {
  draft.state.operations = draft.state.pending === 1 ? nothing.table : without(draft.state.operations, operation.id);
  draft.state.pending -= 1;
  if (operation.met) draft.effects.push({ effect: 'cancel-deadline', deadline: holdOf(operation) });
}

function completeOperation(draft: Draft, operation: Operation, result: unknown = null): void {
  remove(draft, operation);
  const { mcu, id: operationId, startedAt } = operation;
  if (mcu === null) return complete(draft, operation.operation, operationId, startedAt, result);
  const elapsedMs = draft.moment.now - startedAt;
  const input = { input: 'completed' as const, operation: operation.operation, operationId, elapsedMs, result };
  draft.effects.push({ effect: 'mcu', mcu, input });
}

function failOperation(draft: Draft, operation: Operation, error: RecoveryError): void {
  remove(draft, operation);
  const { mcu, id: operationId } = operation;
  if (mcu === null) return fail(draft, operation.operation, operationId, error);
  draft.effects.push({
    effect: 'mcu',
    mcu,
    input: { input: 'failed', operation: operation.operation, operationId, error },
  });
}

function failAsMet(draft: Draft, operation: Operation, met: NonNullable<Operation['met']>): void {
  failOperation(draft, operation, failureOf(met, operation.operation, idempotent(operation.operation)));
}

function refuse(draft: Draft, input: InputOf<'operation'>, error: RecoveryError): void {
  const { mcu, operation, operationId } = input;
  if (mcu === undefined) return fail(draft, operation, null, error);
  draft.effects.push({ effect: 'mcu', mcu, input: { input: 'failed', operation, operationId, error } });
}

function refuseBegin(draft: Draft, input: InputOf<'operation' | 'join'>): void {
  const operation = input.input === 'join' ? 'join' : input.operation;
  if (draft.state.stoodDown) return refuseAsStale(draft, input);
  const error = invalidOperation(`${operation} is not possible while the session is ${shown(draft.state.phase)}.`);
  if (input.input === 'join') fail(draft, 'join', null, error);
  else refuse(draft, input, error);
}

function refuseJoin(draft: Draft): void {
  fail(
    draft,
    'join',
    null,
    invalidOperation(`The session is ${shown(draft.state.phase)} already; terminate it to join again.`),
  );
}

function refuseRetry(draft: Draft, input: InputOf<'operation' | 'join'>): void {
  const operation = input.input === 'join' ? 'join' : input.operation;
  const error = retryableOperation(operation, 'the session is Reconnecting');
  if (input.input === 'join') fail(draft, 'join', null, error);
  else refuse(draft, input, error);
}

function complete(draft: Draft, operation: string, operationId: string, startedAt: number, result: unknown): void {
  const { state, moment } = draft;
  const body = {
    event: 'operation-completed' as const,
    operation,
    operationId,
    elapsedMs: moment.now - startedAt,
    result,
  };
  draft.messages.push(fact(state, 'conference-session', moment, 'info', body));
}

function fail(draft: Draft, operation: string, operationId: string | null, error: RecoveryError): void {
  const { state, moment } = draft;
  const placed = { ...error, incident: state.incident?.id ?? null, state: shown(state.phase) };
  const body = { event: 'operation-failed' as const, operation, operationId, error: placed };
  draft.messages.push(fact(state, 'conference-session', moment, 'error', body));
}

function answer(draft: Draft, { operation, operationId }: InputOf<'query'>): void {
  const { phase, dialog, incident, attempts, roster, lobby, properties, pending, owner, epoch } = draft.state;
  const result =
    operation === 'roster'
      ? {
          participants: copyOfAll(roster.participants),
          lobby: structuredClone(lobby),
          properties: structuredClone(properties),
        }
      : {
          state: shown(phase),
          mode: modeOf(phase),
          dialog,
          attempts,
          pending,
          incident: incident?.id ?? null,
          participants: roster.total,
          owner,
          epoch,
        };
  complete(draft, operation, operationId, draft.moment.now, result);
}

// ------------------------------------------------------------------------------------------------ roster, reports, signals

function notified(draft: Draft, { document, newSubscription }: InputOf<'document'>): void {
  if (newSubscription) draft.state.roster = awaitingResync(draft.state.roster);
  apply(draft, document, draft.state.resyncing ? 'resync' : 'notification');
}

function apply(draft: Draft, document: ConferenceDocument, cause: 'notification' | 'resync' | 'join'): void {
  const { state } = draft;
  const applied = applyDocument(state.roster, document);
  switch (applied.kind) {
    case 'stale':
      return;
    case 'behind':
      if (state.behind) return;
      state.behind = true;
      return setDeadline(draft, 'restart-assumed', restartAfterMs);
    case 'full-up':
      return fail(
        draft,
        'roster',
        null,
        invalidOperation(`A roster has at most ${limits.participants} participants.`, 'LimitReached'),
      );
    case 'gap':
      return wantRoster(draft);
    case 'applied':
      if (document.state === 'full') state.resyncing = false;
      if (state.behind) cancelDeadlines(draft, 'restart-assumed');
      state.behind = false;
      showRoster(draft, applied.roster, applied.difference, cause);
      showLobby(draft, document.lobby);
      showProperties(draft, document.properties);
  }
}

/** Something is missing: a full document is wanted, at once unless one was asked for a moment ago (RFC 4575, 4.6). */
function wantRoster(draft: Draft): void {
  const { state } = draft;
  if (state.resyncing) return;
  state.resyncing = true;
  if (state.resyncs === 0) askForRoster(draft);
}

/** After the route was healed, whatever was asked before it broke. Who never had a roster must not go on asking for one. */
function refreshRoster(draft: Draft): void {
  const { state } = draft;
  state.resyncs = 0;
  state.behind = false;
  state.resyncing ||= state.roster.version !== null;
  if (state.resyncing) askForRoster(draft);
  else draft.effects.push({ effect: 'refresh-roster', dialog: state.dialog });
}

/** One request at a time, and each later than the one before it. */
function askForRoster(draft: Draft): void {
  const { state } = draft;
  const anew = state.behind ? { anew: true as const } : {};
  draft.effects.push({ effect: 'refresh-roster', dialog: state.dialog, ...anew });
  state.behind = false;
  setDeadline(draft, 'resync-due', Math.min(longestResyncMs, firstResyncMs * 2 ** state.resyncs));
  state.resyncs += 1;
}

/** Nothing has come of the last request, or peace has. */
function resyncDue(draft: Draft): void {
  if (draft.state.resyncing) askForRoster(draft);
  else draft.state.resyncs = 0;
}

/** The server counts anew: what it sends in this subscription would be dropped for a long time. */
function restartAssumed(draft: Draft): void {
  if (draft.state.behind) wantRoster(draft);
}

function showRoster(
  draft: Draft,
  roster: Roster,
  difference: RosterDifference,
  cause: 'notification' | 'resync' | 'join',
): void {
  const { state, moment } = draft;
  state.roster = roster;
  if (!isDifferent(difference)) return;
  const body = { event: 'roster-changed' as const, ...difference, total: roster.total, cause };
  draft.messages.push(fact(state, 'conference-session', moment, 'info', body));
  tellMcus(draft, { input: 'roster', participants: roster.participants, cause });
}

function showLobby(draft: Draft, waiting: Participant[] | undefined): void {
  if (!waiting) return;
  const { state, moment } = draft;
  const added = waiting.filter(({ entity }) => !state.lobby.some((known) => known.entity === entity));
  const removed = state.lobby.filter(({ entity }) => !waiting.some((present) => present.entity === entity));
  state.lobby = waiting.length === 0 ? nothing.list : waiting;
  if (added.length === 0 && removed.length === 0) return;
  const body = { event: 'lobby-changed' as const, added: structuredClone(added), removed: structuredClone(removed) };
  draft.messages.push(fact(state, 'conference-session', moment, 'info', body));
}

function showProperties(draft: Draft, properties: JsonObject | undefined): void {
  const { state, moment } = draft;
  const changed: JsonObject = {};
  for (const [name, value] of Object.entries(properties ?? {})) {
    if (JSON.stringify(state.properties[name]) !== JSON.stringify(value)) changed[name] = value;
  }
  if (Object.keys(changed).length === 0) return;
  state.properties = { ...state.properties, ...changed };
  const body = { event: 'properties-changed' as const, changed: structuredClone(changed) };
  draft.messages.push(fact(state, 'conference-session', moment, 'info', body));
}

/** The server sent something unreadable: told, and otherwise without consequence. */
function unreadable(draft: Draft, { message }: InputOf<'unreadable'>): void {
  const error = failureOf(
    { kind: 'unreachable', cause: 'malformed', written: true, message },
    'The subscription',
    true,
  );
  fail(draft, 'notification', null, error);
}

function reportMcu(draft: Draft, { mcu, report }: InputOf<'mcu-report'>): void {
  draft.state.mcus = { ...draft.state.mcus, [mcu]: report };
  sendSignal(draft, { signal: 'mcu-report', mcu, report });
  draft.effects.push({ effect: 'mcu', mcu, input: { input: 'report', report, seq: draft.state.seq } });
}

/** Evidence that an MCU is, or is not, reached over another way than signaling; the calls themselves are the MCU sessions'. */
function reportMedia(draft: Draft, { mcu, flowing }: InputOf<'media'>): void {
  sendSignal(draft, { signal: 'media', mcu, flowing });
}

function signal(draft: Draft, input: Parameters<typeof signalOf>[0]): void {
  sendSignal(draft, signalOf(input));
}

function sendSignal(draft: Draft, body: Omit<ReturnType<typeof signalOf>, 'event'>): void {
  const { state, moment } = draft;
  draft.messages.push(fact(state, 'conference-session', moment, 'info', { event: 'signal', ...body }));
}
