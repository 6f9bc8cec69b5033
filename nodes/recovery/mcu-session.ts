/**
 * The MCU session: the conference's relation to one MCU (UCMA, McuSession; AudioVideoMcuSession and
 * InstantMessagingMcuSession state transitions), and the call with it. It has no signaling of its own but the call's:
 * its operations are proxied through the conference session to the Focus.
 */
import {
  failureOf,
  invalidOperation,
  operationFailure,
  retryableOperation,
  sessionRetrying,
  staleOwner,
} from './errors';
import { limits } from './limits';
import type {
  CallReason,
  CallState,
  FailoverDetected,
  JsonObject,
  McuReason,
  McuReport,
  McuState,
  RecoveryError,
} from './messages';
import { versionOf } from './migrations';
import { idempotent } from './operations';
import { nothing } from './own-properties';
import { legalTransition } from './policy';
import { copyOfAll, differenceBetween, isDifferent, type Participants, participantsOf } from './roster';
import type { McuReports, SignalingEffect, SignalingEvent } from './signaling';
import { type DeadlineEffect, fact, type MachineState, type Moment, mintIncident, type Step } from './step';

/** Settings of an MCU session. */
export interface McuSessionSettings {
  /** How long an operation waits for an Idle MCU before it is sent all the same, in ms (UCMA, McuSession.State: 30 s). */
  activationTimeoutMs: number;
  /** How long a call may take to be established, in ms. */
  callTimeoutMs: number;
}

export const mcuSessionDefaults: McuSessionSettings = { activationTimeoutMs: 30_000, callTimeoutMs: 32_000 };

/** `Unbound` shows as Idle: the parent has not joined a conference that supports this MCU. */
type Phase = 'Unbound' | McuState;

/** An operation that waits for the MCU to become Active. */
interface Queued {
  operationId: string;
  operation: string;
  arguments: JsonObject;
}

/** The latest call with the MCU. */
interface Call {
  /** That of the operation which placed it, so that no two calls share one, over sessions and restarts of the node. */
  id: string;
  state: CallState;
  /** The `call` or `hang-up` that is under way, and since when (ms since 1970). */
  operationId: string | null;
  operationSince: number;
}

/** State of one MCU session; plain JSON. */
export interface McuSessionState extends MachineState {
  mcu: string;
  phase: Phase;
  /** Is the conference session in Reconnecting? Then no operation is begun. */
  reconnecting: boolean;
  participants: Participants;
  queue: Queued[];
  call: Call | null;
  /** Operation ids of texts that have not been answered. */
  texts: readonly string[];
  /** An MCU failover ended the call, so its return is announced. */
  callLost: boolean;
  /** `seq` of the conference session's latest signal that reported this MCU active; 0 before the first. */
  activeReport: number;
  /** `seq` of the latest evidence of the verdict that was acted on last; a verdict without later evidence is the same one. */
  actedOn: number;
}

/** What the conference session tells its MCU sessions. */
export type McuParentInput =
  /** A new conference session begins with this join; `seq` of the latest fact before it. */
  | { input: 'joining'; seq?: number }
  /** Joined or re-joined; `mcus` is what the Focus says of its MCUs. */
  | { input: 'joined'; dialog: number; mcus: McuReports }
  | { input: 'reconnecting'; focusFailed: boolean; incident: MachineState['incident'] }
  /** Reconnecting has been left. */
  | { input: 'recovered' }
  /** The route works again, and may be another. */
  | { input: 'route-healed' }
  | { input: 'report'; report: McuReport; seq: number }
  | { input: 'roster'; participants: Participants; cause: 'notification' | 'resync' | 'join' }
  | { input: 'terminated' }
  /** Somebody else goes on with the conference, and with the call. */
  | { input: 'stood-down'; owner: string; epoch: number }
  /** The conference is taken over, from a snapshot with this state. */
  | { input: 'restore'; state: McuSessionState }
  | { input: 'completed'; operation: string; operationId: string; elapsedMs: number; result: unknown }
  | { input: 'failed'; operation: string; operationId: string; error: RecoveryError };

/** What the MCU session's own node and its call tell it. */
export type McuSessionInput =
  | McuParentInput
  /** The state has been read from a store: the process before has ended. Comes once, before anything else. */
  | { input: 'restarted' }
  | { input: 'operation'; operation: string; operationId: string; arguments: JsonObject }
  | { input: 'verdict'; verdict: FailoverDetected }
  | { input: 'deadline'; deadline: string }
  | Extract<SignalingEvent, { event: 'call-accepted' | 'call-failed' | 'call-ended' | 'media' | 'text' | 'outcome' }>;

/** What an MCU session asks for; `proxy` hands an operation to the conference session. */
export type McuSessionEffect =
  | DeadlineEffect
  | Extract<SignalingEffect, { effect: 'place-call' | 'refresh-call' | 'end-call' | 'send-text' }>
  | { effect: 'proxy'; operation: string; operationId: string; arguments: JsonObject };

interface Draft {
  state: McuSessionState;
  messages: Step<McuSessionState, McuSessionEffect>['messages'];
  effects: McuSessionEffect[];
  moment: Moment;
  settings: McuSessionSettings;
}

type Kind = McuSessionInput extends infer I
  ? I extends { input: infer K extends string }
    ? K
    : I extends { event: infer E extends string }
      ? E
      : never
  : never;
type InputOf<K extends Kind> = Extract<McuSessionInput, { input: K } | { event: K }>;
type Cell<K extends Kind> = (draft: Draft, input: InputOf<K>) => void;
type Row<K extends Kind> = readonly [Cell<K>, Cell<K>, Cell<K>, Cell<K>, Cell<K>];

const phases: readonly Phase[] = ['Unbound', 'Idle', 'Active', 'Retrying', 'Terminated'];

/** UCMA, McuSession.State: the documented transitions, as states that people see. */
const legal: { readonly [state in McuState]: readonly McuState[] } = {
  Idle: ['Active', 'Terminated'],
  Active: ['Retrying', 'Terminated'],
  Retrying: ['Active', 'Idle', 'Terminated'],
  Terminated: [],
};

/* chart of mcu-session (npm run charts)
 *
 *   Terminated ─── joining ────────────────────────────────> Unbound
 *   Unbound ────┬─ joined, restore ────────────────────────> Active
 *               ├─ joined, restore ────────────────────────> Idle
 *               ├─ joined, restore ────────────────────────> Terminated
 *               └─ restore ────────────────────────────────> Retrying
 *   Idle ───────┬─ joined, report ─────────────────────────> Active
 *               └─ joined, report, terminated, stood-down ─> Terminated
 *   Active ─────┬─ joined, terminated, stood-down ─────────> Terminated
 *               └─ reconnecting, verdict ──────────────────> Retrying
 *   Retrying ───┬─ joined, report, at once ────────────────> Active
 *               ├─ joined, report ─────────────────────────> Idle
 *               └─ joined, terminated, stood-down ─────────> Terminated
 */
/** State × input. Every cell is specified: the compiler refuses a row that is missing or too short. */
// biome-ignore format: a table is read in columns
const table: { readonly [K in Kind]: Row<K> } = {
  //                 Unbound        Idle           Active         Retrying       Terminated
  'joining':        [none,          none,          none,          none,          begin],
  'joined':         [bind,          rebind,        rebind,        rebind,        none],
  'reconnecting':   [pause,         pauseIdle,     pauseActive,   pause,         none],
  'recovered':      [resume,        resume,        resume,        resume,        none],
  'route-healed':   [none,          refreshCall,   refreshCall,   refreshCall,   none],
  'report':         [none,          activate,      noteReport,    reactivate,    none],
  'roster':         [none,          roster,        roster,        roster,        none],
  'terminated':     [end,           end,           end,           end,           none],
  'stood-down':     [end,           standDown,     standDown,     standDown,     none],
  'completed':      [none,          complete,      complete,      complete,      complete],
  'failed':         [none,          passFailure,   passFailure,   passFailure,   passFailure],
  'operation':      [refuseUnbound, enqueue,       perform,       refuseRetrying, refuseEnded],
  'verdict':        [none,          none,          failOver,      failOverAgain, none],
  'deadline':       [none,          sendAnyway,    none,          none,          none],
  'call-accepted':  [none,          callAccepted,  callAccepted,  callAccepted,  none],
  'call-failed':    [none,          callFailed,    callFailed,    callFailed,    none],
  'call-ended':     [none,          callEnded,     callEnded,     callEnded,     none],
  'media':          [none,          mediaChanged,  mediaChanged,  mediaChanged,  none],
  'text':           [none,          textReceived,  textReceived,  textReceived,  none],
  'outcome':        [none,          textSent,      textSent,      textSent,      none],
  'restarted':      [none,          goOn,          goOn,          goOn,          none],
  'restore':        [restore,       none,          none,          none,          none],
};

/** The table as tools see it: for charts, for the simulation, and to switch cells off one by one. */
export const mcuSessionTable = { phases, legal, cells: table, nothing: none } as const;

/** The MCU session machine. */
export const mcuSession = {
  /** A fresh record: Idle, not bound. */
  start(conference: string, mcu: string): McuSessionState {
    return {
      version: versionOf('mcu-session'),
      conference,
      mcu,
      seq: 0,
      dialog: 0,
      incident: null,
      phase: 'Unbound',
      reconnecting: false,
      participants: nothing.table,
      queue: nothing.list,
      call: null,
      texts: nothing.list,
      callLost: false,
      activeReport: 0,
      actedOn: 0,
    };
  },

  /** One step. Never throws; never changes `state` or `input`. */
  step(
    state: McuSessionState,
    input: McuSessionInput,
    moment: Moment,
    settings: McuSessionSettings,
  ): Step<McuSessionState, McuSessionEffect> {
    const draft: Draft = { state: { ...state }, messages: [], effects: [], moment, settings };
    const kind: Kind = 'event' in input ? input.event : input.input;
    const cell = table[kind][phases.indexOf(state.phase)] as (draft: Draft, input: McuSessionInput) => void;
    cell(draft, input);
    return draft;
  },

  /** The state in UCMA's words. */
  stateOf: (state: McuSessionState): McuState => shown(state.phase),
};

function shown(phase: Phase): McuState {
  return phase === 'Unbound' ? 'Idle' : phase;
}

/** The only writer of the phase. */
function enter(draft: Draft, phase: Phase, reason: McuReason): void {
  const { state, moment } = draft;
  const previous = shown(state.phase);
  const next = shown(phase);
  state.phase = phase;
  if (previous === next) return;
  legalTransition(legal, previous, next);
  const closes = next === 'Active' || next === 'Terminated' || next === 'Idle';
  const incident = state.incident;
  const outage = { id: incident?.id ?? null, active: incident !== null && !closes };
  if (closes) state.incident = null;
  draft.messages.push(
    fact(
      state,
      'mcu-session',
      moment,
      next === 'Retrying' ? 'warning' : 'info',
      {
        event: 'state-changed',
        mcu: state.mcu,
        previous,
        state: next,
        reason,
      },
      outage,
    ),
  );
}

function none(): void {}

// ------------------------------------------------------------------------------------------- told by the conference session

function begin(draft: Draft, { seq: actedOn = 0 }: { seq?: number }): void {
  const { conference, mcu, seq } = draft.state;
  // Verdicts on sessions that have ended are none.
  draft.state = { ...mcuSession.start(conference, mcu), seq, actedOn };
}

function bind(draft: Draft, { dialog, mcus }: InputOf<'joined'>): void {
  draft.state.dialog = dialog;
  const report = reportOf(mcus, draft.state.mcu);
  if (report === 'unsupported') return terminate(draft, 'NotSupported');
  enter(draft, 'Idle', 'Activated');
  if (report === 'active') becomeActive(draft, 'Activated');
}

/** Also told of a dialog that is known. Then a server that says nothing of MCUs has not said that this one is back. */
function rebind(draft: Draft, { dialog, mcus }: InputOf<'joined'>): void {
  const isNews = mcus !== null || dialog !== draft.state.dialog;
  draft.state.dialog = dialog;
  const report = reportOf(mcus, draft.state.mcu);
  if (report === 'unsupported') return terminate(draft, 'NotSupported');
  if (draft.state.phase === 'Idle' && report === 'active') becomeActive(draft, 'Activated');
  else if (draft.state.phase === 'Retrying' && report === 'active' && isNews) becomeActive(draft, 'McuReportedActive');
  else if (draft.state.phase === 'Retrying' && report === 'inactive') enter(draft, 'Idle', 'McuReportedInactive');
}

/** A server that says nothing of MCUs has them all (SIP); one that lists them has those it lists (O8). */
function reportOf(mcus: McuReports, mcu: string): McuReport {
  return mcus === null ? 'active' : (mcus[mcu] ?? 'unsupported');
}

function pause(draft: Draft, { incident }: InputOf<'reconnecting'>): void {
  draft.state.reconnecting = true;
  draft.state.incident ??= incident;
}

function pauseIdle(draft: Draft, input: InputOf<'reconnecting'>): void {
  pause(draft, input);
  failQueue(draft, ({ operation }) => sessionRetrying(operation, idempotent(operation)));
}

function pauseActive(draft: Draft, input: InputOf<'reconnecting'>): void {
  pause(draft, input);
  // The call is left alone: that the Focus failed says nothing of the MCU (UCMA, conference recovery).
  if (input.focusFailed) enter(draft, 'Retrying', 'FocusFailover');
}

function resume(draft: Draft): void {
  draft.state.reconnecting = false;
  if (draft.state.phase !== 'Retrying') draft.state.incident = null;
}

function refreshCall({ state: { call, mcu }, effects }: Draft): void {
  if (call?.state === 'Established') effects.push({ effect: 'refresh-call', callId: call.id, mcu });
}

function activate(draft: Draft, input: InputOf<'report'>): void {
  if (input.report === 'unsupported') return terminate(draft, 'NotSupported');
  if (noteReport(draft, input)) becomeActive(draft, 'Activated');
}

function reactivate(draft: Draft, input: InputOf<'report'>): void {
  if (noteReport(draft, input)) becomeActive(draft, 'McuReportedActive');
  else if (input.report === 'inactive') enter(draft, 'Idle', 'McuReportedInactive');
}

function noteReport(draft: Draft, { report, seq }: InputOf<'report'>): boolean {
  if (report === 'active') draft.state.activeReport = seq;
  return report === 'active';
}

function becomeActive(draft: Draft, reason: McuReason): void {
  enter(draft, 'Active', reason);
  const { state } = draft;
  if (state.callLost) {
    state.callLost = false;
    draft.messages.push(fact(state, 'mcu-session', draft.moment, 'info', { event: 'call-available', mcu: state.mcu }));
  }
  releaseQueue(draft);
}

function roster(draft: Draft, { participants, cause }: InputOf<'roster'>): void {
  const { state, moment } = draft;
  const present = participantsOf(participants, state.mcu);
  const difference = differenceBetween(state.participants, present);
  state.participants = present;
  if (!isDifferent(difference)) return;
  const total = Object.keys(present).length;
  const body = { event: 'roster-changed' as const, mcu: state.mcu, ...difference, total, cause };
  draft.messages.push(fact(state, 'mcu-session', moment, 'info', body));
}

function end(draft: Draft): void {
  if (draft.state.phase === 'Unbound') return begin(draft, { seq: draft.state.actedOn });
  terminate(draft, 'ConferenceTerminated');
}

function terminate(draft: Draft, reason: McuReason): void {
  const { state } = draft;
  if (state.call && !over(state.call.state)) hangUp(draft, 'ConferenceTerminated');
  enter(draft, 'Terminated', reason);
  failTexts(draft, textCutShort());
  failQueue(draft, ({ operation }) =>
    reason === 'NotSupported'
      ? invalidOperation(`The conference has no ${state.mcu} MCU, so ${operation} is not possible.`, 'NotSupported')
      : operationFailure('SessionTerminated', `The conference session ended before ${operation} could be sent.`, true),
  );
}

/** The call goes on, with somebody else; to the far end nothing ends, and no outage is over. */
function standDown(draft: Draft, owner: InputOf<'stood-down'>): void {
  const { state } = draft;
  state.incident = null;
  if (state.call && !over(state.call.state)) {
    const { operationId, state: was } = state.call;
    changeCall(draft, 'Terminated', 'StoodDown', null);
    const operation = was === 'Terminating' ? 'hang-up' : 'call';
    if (operationId !== null) fail(draft, operation, operationId, staleOwner(operation, owner, false));
  }
  enter(draft, 'Terminated', 'StoodDown');
  failTexts(draft, staleOwner('send', owner, false));
  failQueue(draft, ({ operation }) => staleOwner(operation, owner));
}

// -------------------------------------------------------------------------------------------------- after a start (PER-2)

/** What was asked of the process before is given up. Whether an established call is still there, its refresh will tell. */
function goOn(draft: Draft): void {
  const { state } = draft;
  failQueue(draft, ({ operation }) => sessionRetrying(operation, true));
  failTexts(draft, sessionRetrying('send', false));
  if (state.call?.state === 'Establishing') hangUp(draft, 'Failed');
  else if (state.call?.state === 'Terminating') hangUp(draft, 'HungUp');
  else refreshCall(draft);
}

function restore(draft: Draft, { state }: InputOf<'restore'>): void {
  draft.state = { ...state, seq: Math.max(draft.state.seq, state.seq) };
  const again: Cell<'restarted'> = table.restarted[phases.indexOf(state.phase)] as Cell<'restarted'>;
  again(draft, { input: 'restarted' });
}

// ------------------------------------------------------------------------------------------------------------- operations

/** Operations of the call: never refused as retryable, since they do not go through the Focus. */
const ofTheCall = new Set(['hang-up', 'send']);
const queries = new Set(['status', 'roster']);

function perform(draft: Draft, input: InputOf<'operation'>): void {
  if (queries.has(input.operation)) return answer(draft, input);
  if (ofTheCall.has(input.operation)) return performOnCall(draft, input);
  if (draft.state.reconnecting)
    return refuse(draft, input, retryableOperation(input.operation, 'the session is Reconnecting'));
  dispatch(draft, input);
}

function enqueue(draft: Draft, input: InputOf<'operation'>): void {
  if (queries.has(input.operation) || ofTheCall.has(input.operation) || draft.state.reconnecting)
    return perform(draft, input);
  const { state, moment, settings } = draft;
  if (state.queue.length >= limits.queued) {
    return refuse(
      draft,
      input,
      invalidOperation(`${limits.queued} operations wait for the ${state.mcu} MCU already.`, 'LimitReached'),
    );
  }
  const { operation, operationId } = input;
  state.queue = [...state.queue, { operation, operationId, arguments: input.arguments }];
  draft.effects.push({ effect: 'set-deadline', deadline: operationId, at: moment.now + settings.activationTimeoutMs });
}

function refuseRetrying(draft: Draft, input: InputOf<'operation'>): void {
  if (queries.has(input.operation) || ofTheCall.has(input.operation)) return perform(draft, input);
  refuse(draft, input, retryableOperation(input.operation, `the ${draft.state.mcu} MCU is Retrying`));
}

function refuseUnbound(draft: Draft, input: InputOf<'operation'>): void {
  if (queries.has(input.operation)) return answer(draft, input);
  refuse(
    draft,
    input,
    invalidOperation(
      `The conference has not been joined, so the ${draft.state.mcu} MCU cannot ${input.operation}. Send "join" to the conference-session first.`,
    ),
  );
}

function refuseEnded(draft: Draft, input: InputOf<'operation'>): void {
  if (queries.has(input.operation)) return answer(draft, input);
  refuse(
    draft,
    input,
    invalidOperation(
      `The ${draft.state.mcu} session is Terminated. It begins anew when the conference is joined again.`,
    ),
  );
}

function answer(draft: Draft, { operation, operationId }: InputOf<'operation'>): void {
  const { mcu, phase, call, participants, queue } = draft.state;
  const result =
    operation === 'roster'
      ? { participants: copyOfAll(participants) }
      : { mcu, state: shown(phase), call: call?.state ?? 'None', queued: queue.length };
  complete(draft, { input: 'completed', operation, operationId, elapsedMs: 0, result });
}

function dispatch(draft: Draft, { operation, operationId, arguments: given }: Queued): void {
  if (operation === 'call') placeCall(draft, operationId, (given.media as string[] | undefined) ?? []);
  else draft.effects.push({ effect: 'proxy', operation, operationId, arguments: given });
}

function releaseQueue(draft: Draft): void {
  const { queue } = draft.state;
  draft.state.queue = nothing.list;
  for (const queued of queue) {
    draft.effects.push({ effect: 'cancel-deadline', deadline: queued.operationId });
    dispatch(draft, queued);
  }
}

function failTexts(draft: Draft, error: RecoveryError): void {
  const { texts } = draft.state;
  draft.state.texts = nothing.list;
  for (const text of texts) fail(draft, 'send', text, error);
}

function failQueue(draft: Draft, error: (queued: Queued) => RecoveryError): void {
  const { queue } = draft.state;
  draft.state.queue = nothing.list;
  for (const queued of queue) {
    draft.effects.push({ effect: 'cancel-deadline', deadline: queued.operationId });
    fail(draft, queued.operation, queued.operationId, error(queued));
  }
}

/** The activation notice may have been lost, so the operation is tried all the same (UCMA, trusted conferencing user). */
function sendAnyway(draft: Draft, { deadline }: InputOf<'deadline'>): void {
  const queued = draft.state.queue.find(({ operationId }) => operationId === deadline);
  if (!queued) return;
  draft.state.queue = draft.state.queue.filter((other) => other !== queued);
  dispatch(draft, queued);
}

function complete(draft: Draft, { operation, operationId, elapsedMs, result }: InputOf<'completed'>): void {
  const { state, moment } = draft;
  const body = { operation, operationId, elapsedMs, result, mcu: state.mcu };
  draft.messages.push(fact(state, 'mcu-session', moment, 'info', { event: 'operation-completed', ...body }));
}

function passFailure(draft: Draft, { operation, operationId, error }: InputOf<'failed'>): void {
  fail(draft, operation, operationId, error);
}

function refuse(draft: Draft, { operation }: InputOf<'operation'>, error: RecoveryError): void {
  fail(draft, operation, null, error);
}

function fail(draft: Draft, operation: string, operationId: string | null, error: RecoveryError): void {
  const { state, moment } = draft;
  draft.messages.push(
    fact(state, 'mcu-session', moment, 'error', {
      event: 'operation-failed',
      operation,
      operationId,
      mcu: state.mcu,
      error: { ...error, incident: state.incident?.id ?? null, state: shown(state.phase) },
    }),
  );
}

// --------------------------------------------------------------------------------------------------------- MCU failover

function failOver(draft: Draft, { verdict }: InputOf<'verdict'>): void {
  if (!isNewVerdict(draft, verdict)) return;
  draft.state.incident = verdict.incident
    ? { id: verdict.incident, startedAt: draft.moment.now }
    : mintIncident(draft.state, draft.state.mcu, draft.moment.now);
  loseCall(draft);
  enter(draft, 'Retrying', 'McuFailover');
  if (latestEvidence(verdict) < draft.state.activeReport) becomeActive(draft, 'McuReportedActive');
}

/** Retrying for the Focus's sake already: now the MCU is known to fail too, and takes its call with it. */
function failOverAgain(draft: Draft, { verdict }: InputOf<'verdict'>): void {
  if (isNewVerdict(draft, verdict)) loseCall(draft);
}

/** A verdict may come twice over a wire; it ends one call, not the one that was placed after it as well (MSG-8). */
function isNewVerdict({ state }: Draft, verdict: FailoverDetected): boolean {
  const latest = latestEvidence(verdict);
  if (latest !== 0 && latest <= state.actedOn) return false;
  state.actedOn = latest;
  return true;
}

/** `seq` of the conference session's signal; 0 for a verdict that rests on none, or on something that nobody has told. */
function latestEvidence({ evidence }: FailoverDetected): number {
  const seq = Number(evidence.at(-1)?.seq);
  return Number.isSafeInteger(seq) && seq > 0 ? seq : 0;
}

function loseCall(draft: Draft): void {
  if (!draft.state.call || over(draft.state.call.state)) return;
  draft.state.callLost = true;
  hangUp(draft, 'TerminatedByMcuFailover');
}

// ---------------------------------------------------------------------------------------------------------------- the call

function over(state: CallState): boolean {
  return state === 'Terminated';
}

function performOnCall(draft: Draft, input: InputOf<'operation'>): void {
  const { state, settings } = draft;
  const { operation, operationId } = input;
  const { call } = state;
  if (!call || over(call.state) || call.state === 'Terminating') {
    return refuse(
      draft,
      input,
      invalidOperation(
        `There is no call with the ${state.mcu} MCU, so ${operation} is not possible. Send "call" first.`,
      ),
    );
  }
  if (operation === 'hang-up') {
    changeCall(draft, 'Terminating', 'HungUp', operationId);
    if (call.operationId !== null) fail(draft, 'call', call.operationId, callOver('Aborted'));
    draft.effects.push({ effect: 'end-call', callId: call.id, mcu: state.mcu });
    return;
  }
  if (call.state !== 'Established') {
    return refuse(
      draft,
      input,
      invalidOperation(`The call is ${call.state}; text can be sent once it is Established.`),
    );
  }
  if (state.texts.length >= limits.operations) {
    const error = invalidOperation(`${limits.operations} texts have not been answered yet.`, 'LimitReached');
    return refuse(draft, input, error);
  }
  state.texts = [...state.texts, operationId];
  draft.effects.push({
    effect: 'send-text',
    requestId: operationId,
    callId: call.id,
    mcu: state.mcu,
    text: input.arguments.text as string,
    timeoutMs: settings.callTimeoutMs,
  });
}

function placeCall(draft: Draft, operationId: string, media: string[]): void {
  const { state, moment, settings } = draft;
  if (state.call && !over(state.call.state)) {
    return fail(
      draft,
      'call',
      operationId,
      invalidOperation(`The call with the ${state.mcu} MCU is ${state.call.state} already.`),
    );
  }
  state.callLost = false;
  state.call = { id: operationId, state: 'None', operationId, operationSince: moment.now };
  changeCall(draft, 'Establishing', 'Requested', operationId);
  const { callTimeoutMs: timeoutMs } = settings;
  draft.effects.push({ effect: 'place-call', callId: operationId, mcu: state.mcu, media, timeoutMs });
}

/** The only writer of the call's state. `operationId` is the operation that the next change will complete. */
function changeCall(draft: Draft, next: CallState, reason: CallReason, operationId: string | null): void {
  const { state, moment } = draft;
  const call = state.call as Call;
  const previous = call.state;
  const operationSince = operationId === call.operationId ? call.operationSince : moment.now;
  state.call = { ...call, state: next, operationId, operationSince };
  draft.messages.push(
    fact(state, 'mcu-session', moment, reason === 'TerminatedByMcuFailover' ? 'warning' : 'info', {
      event: 'call-state-changed',
      mcu: state.mcu,
      previous,
      state: next,
      reason,
    }),
  );
}

function ofThisCall(draft: Draft, { callId }: { callId: string }): Call | null {
  const { call } = draft.state;
  return call && call.id === callId && !over(call.state) ? call : null;
}

/** A call that is being placed or hung up has the operation that does it. */
function completeCallOperation(draft: Draft, operation: string, { operationId, operationSince }: Call): void {
  const elapsedMs = draft.moment.now - operationSince;
  complete(draft, { input: 'completed', operation, operationId: operationId as string, elapsedMs, result: null });
}

function callAccepted(draft: Draft, input: InputOf<'call-accepted'>): void {
  const call = ofThisCall(draft, input);
  if (call?.state !== 'Establishing') return;
  changeCall(draft, 'Established', 'Accepted', null);
  completeCallOperation(draft, 'call', call);
}

function callFailed(draft: Draft, input: InputOf<'call-failed'>): void {
  const call = ofThisCall(draft, input);
  const { outcome } = input;
  if (call?.state !== 'Establishing' || outcome.kind === 'ok') return;
  changeCall(draft, 'Terminated', 'Failed', null);
  fail(draft, 'call', call.operationId, failureOf(outcome, `The call to the ${draft.state.mcu} MCU`, false));
}

function callEnded(draft: Draft, input: InputOf<'call-ended'>): void {
  const call = ofThisCall(draft, input);
  if (!call) return;
  changeCall(draft, 'Terminated', call.state === 'Terminating' ? 'HungUp' : input.reason, null);
  if (call.state === 'Terminating') completeCallOperation(draft, 'hang-up', call);
  else if (call.operationId !== null) fail(draft, 'call', call.operationId, callOver('Aborted'));
}

function callOver(reason: 'Aborted' | 'SessionTerminated' | 'SessionRetrying'): RecoveryError {
  return operationFailure(reason, 'The call ended before it was established.', true);
}

/** Ends the call from our side, without waiting for an answer. */
function hangUp(draft: Draft, reason: 'TerminatedByMcuFailover' | 'ConferenceTerminated' | 'Failed' | 'HungUp'): void {
  const call = draft.state.call as Call;
  changeCall(draft, 'Terminated', reason, null);
  draft.effects.push({ effect: 'end-call', callId: call.id, mcu: draft.state.mcu });
  if (call.operationId === null) return;
  if (call.state === 'Terminating') completeCallOperation(draft, 'hang-up', call);
  else
    fail(
      draft,
      'call',
      call.operationId,
      callOver(reason === 'ConferenceTerminated' ? 'SessionTerminated' : 'SessionRetrying'),
    );
}

function mediaChanged(draft: Draft, input: InputOf<'media'>): void {
  const { state, moment } = draft;
  if (!ofThisCall(draft, input)) return;
  draft.messages.push(
    fact(state, 'mcu-session', moment, 'info', {
      event: 'media-changed',
      mcu: state.mcu,
      flowing: input.flowing,
      lastPacketAt: input.lastPacketAt === null ? null : new Date(input.lastPacketAt).toISOString(),
      packets: input.packets,
    }),
  );
}

function textReceived(draft: Draft, { from, text }: InputOf<'text'>): void {
  const { state, moment } = draft;
  draft.messages.push(
    fact(state, 'mcu-session', moment, 'info', { event: 'text-received', mcu: state.mcu, from, text }),
  );
}

function textCutShort(): RecoveryError {
  return operationFailure('SessionTerminated', 'The conference session ended before the text was answered.', false);
}

function textSent(draft: Draft, { requestId, outcome, elapsedMs }: InputOf<'outcome'>): void {
  const { state } = draft;
  if (!state.texts.includes(requestId)) return;
  state.texts = state.texts.filter((text) => text !== requestId);
  if (outcome.kind === 'ok') {
    complete(draft, { input: 'completed', operation: 'send', operationId: requestId, elapsedMs, result: null });
  } else {
    fail(draft, 'send', requestId, failureOf(outcome, 'The text', false));
  }
}
