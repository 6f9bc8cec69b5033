/**
 * The failover detector: turns signals of the conferencing system into verdicts, by rules (contract, section 4;
 * conformance DET-1 to DET-8, O1, O26). It only says what has failed; the sessions and the healer act on it.
 *
 * There is one verdict at most for the Focus, one for the route (`hop`), and one for each MCU. The verdicts about Focus
 * and route share one incident; every MCU has its own. When heartbeats fall silent, `heartbeat.ts` says from when on that
 * means something (DET-7).
 */
import { DEFAULT_RULES, type DetectorRule, decidingRule, showsFocusLives, showsRouteWorks } from './detector-rules';
import {
  countDecides,
  countedAnew,
  figuresOf,
  type HeartbeatSettings,
  type Heartbeats,
  heartbeatArrived,
  heartbeatDefaults,
  interrupted,
  nextCheck,
  nothingHeard,
  probesPerConfirmation,
  type SignOfLife,
  type Suspicion,
  type Watch,
} from './heartbeat';
import { limits } from './limits';
import type {
  Evidence,
  FailoverDetected,
  FailureLevel,
  FailurePhase,
  ReconnectingMode,
  RecoveryAction,
  Request,
  Severity,
  Signal,
} from './messages';
import { without } from './own-properties';
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
import { type FactBody, type Incident, instant, mintIncident, type PolicyInput, type PolicyMachine } from './step';

/** What a user decides about detection. */
export interface FailoverDetectorSettings extends HeartbeatSettings {
  /** The first that matches a signal decides (DET-5). */
  rules: readonly DetectorRule[];
  /** Ask a failed Focus whether it is back, before the one re-join is spent on it (DET-3), and a suspected one (DET-7). */
  probing: boolean;
  /** A probe that was not answered with 2xx is repeated so long after its answer or time-out. */
  probeIntervalMs: number;
  /** A Focus that has failed counts as failed over after so long, answered probe or not (RFC 3261, 64·T1). */
  failoverWindowMs: number;
}

export const failoverDetectorDefaults: FailoverDetectorSettings = {
  ...heartbeatDefaults,
  rules: DEFAULT_RULES,
  probing: true,
  probeIntervalMs: 1_000,
  failoverWindowMs: 32_000,
};

/** Phase of an open verdict. `withdrawn`: over, but suppression keeps us from saying so yet. */
export type VerdictPhase = Exclude<FailurePhase, 'cleared'> | 'withdrawn';

/** A verdict that is open: until it is closed, further evidence is added and no second one leaves (DET-1). */
export interface Verdict {
  level: FailureLevel;
  /** With level `mcu`; else null. */
  mcu: string | null;
  phase: VerdictPhase;
  /** Name of the rule that led to the phase (DET-8). */
  rule: string;
  incident: Incident;
  /** At most `limits.evidence`. */
  evidence: readonly Evidence[];
  /** What the latest evidence asks for, if anything. */
  recoveryAction: readonly RecoveryAction[];
}

/** The record of one conference. */
export interface FailoverDetectorState extends PolicyState {
  mode: ReconnectingMode | null;
  /** Open verdicts, by `focus`, `hop` or `mcu/<name>`. */
  verdicts: { readonly [key: string]: Verdict };
  /** Missed heartbeats since the route last worked. */
  missedHeartbeats: number;
  heartbeats: Heartbeats;
  suspicion: Suspicion | null;
  /** The MCUs whose media flow. */
  flowing: readonly string[];
  /** While the Focus has failed and is probed: since when, until when (ms since 1970), and whether a probe is out. */
  failover: { readonly since: number; readonly until: number; readonly probeInFlight: boolean } | null;
  /** Maintenance: until when (ms since 1970), and the verdicts that it kept back, as `level/phase`. */
  suppression: { readonly until: number; readonly withheld: readonly string[] } | null;
}

/** Detects failures of Focus, route and MCUs. */
export const failoverDetector: PolicyMachine<FailoverDetectorState, FailoverDetectorSettings> = {
  start: (conference) => ({
    ...blank(conference),
    mode: null,
    verdicts: {},
    missedHeartbeats: 0,
    heartbeats: nothingHeard,
    suspicion: null,
    flowing: [],
    failover: null,
    suppression: null,
  }),
  step(state, input, moment, settings) {
    const detection = new Draft('failover-detector', state, moment, settings);
    read(detection, input);
    keepWatch(detection);
    return detection.finish();
  },
  idle: ({ verdicts, deadlines }) => Object.keys(verdicts).length === 0 && Object.keys(deadlines).length === 0,
};

type Detection = Draft<FailoverDetectorState, FailoverDetectorSettings>;

/** What a rule makes of a signal; `evidence` is null for what is found without one (a deadline, a command). */
interface Finding<Phase extends FailurePhase = FailurePhase> {
  level: FailureLevel;
  mcu: string | null;
  phase: Phase;
  rule: string;
  evidence: Evidence | null;
  /** What the evidence asks for. */
  recoveryAction?: readonly RecoveryAction[] | undefined;
}

/** A probe without any signal in this time is taken for lost; its sender should have given up long before. */
const probePatienceMs = 15_000;

// ------------------------------------------------------------------------------------------------------------ verdicts

type OpeningRow = {
  readonly [Phase in FailurePhase]: (detection: Detection, finding: Finding<Phase>) => void;
};
type Row = {
  readonly [Phase in FailurePhase]: (detection: Detection, finding: Finding<Phase>, verdict: Verdict) => void;
};

/** Phase of a verdict × finding of its level. */
type VerdictTable = { readonly quiet: OpeningRow } & { readonly [phase in VerdictPhase]: Row };

/* chart of watching (npm run charts)
 *
 *   quiet ───────┬─ suspected ───> suspected
 *                └─ failed ──────> failed
 *   suspected ───┬─ failed ──────> failed
 *                └─ cleared ─────> quiet
 *   failed ──────┬─ failed-over ─> failed-over
 *                └─ cleared ─────> quiet
 *   failed-over ─── cleared ─────> quiet
 */
const watching: VerdictTable = {
  quiet: { suspected: open, failed: open, 'failed-over': ignore, cleared: ignore },
  suspected: { suspected: corroborate, failed: advance, 'failed-over': ignore, cleared: withdraw },
  failed: { suspected: corroborate, failed: corroborate, 'failed-over': failOver, cleared: withdrawFailed },
  'failed-over': { suspected: corroborate, failed: corroborate, 'failed-over': ignore, cleared: withdrawFailed },
  withdrawn: { suspected: ignore, failed: ignore, 'failed-over': ignore, cleared: ignore },
};

/* chart of suppressed (npm run charts)
 *
 *   suspected ───── cleared ─> withdrawn
 *   failed ──────── cleared ─> withdrawn
 *   failed-over ─── cleared ─> withdrawn
 */
/** During maintenance (DET-6): every cell that would emit a verdict counts it instead. */
const suppressed: VerdictTable = {
  quiet: { suspected: withhold, failed: withhold, 'failed-over': ignore, cleared: ignore },
  suspected: { suspected: corroborate, failed: withhold, 'failed-over': ignore, cleared: withholdClearance },
  failed: { suspected: corroborate, failed: corroborate, 'failed-over': withholdFailover, cleared: withholdClearance },
  'failed-over': { suspected: corroborate, failed: corroborate, 'failed-over': ignore, cleared: withholdClearance },
  withdrawn: { suspected: withhold, failed: withhold, 'failed-over': ignore, cleared: ignore },
};

const legal: { readonly [phase in VerdictPhase | 'quiet']: readonly (VerdictPhase | 'quiet')[] } = {
  quiet: ['suspected', 'failed'],
  suspected: ['failed', 'withdrawn', 'quiet'],
  failed: ['failed-over', 'withdrawn', 'quiet'],
  'failed-over': ['withdrawn', 'quiet'],
  withdrawn: ['quiet', 'failed'],
};

/** The tables as tools see them: for charts, for the simulation, and to switch cells off one by one. */
export const failoverDetectorTables = { legal, cells: { watching, suppressed }, nothing: ignore } as const;

function judge<Phase extends FailurePhase>(detection: Detection, finding: Finding<Phase>): void {
  const table = detection.state.suppression === null ? watching : suppressed;
  const verdict = detection.state.verdicts[keyOf(finding)];
  if (verdict === undefined) table.quiet[finding.phase](detection, finding);
  else table[verdict.phase][finding.phase](detection, finding, verdict);
}

function ignore(): void {}

function open(detection: Detection, finding: Finding<'suspected' | 'failed'>): void {
  const { level, mcu, phase, rule } = finding;
  const incident = incidentFor(detection, level, mcu);
  advance(detection, finding, { level, mcu, phase, rule, incident, evidence: [], recoveryAction: [] });
}

function advance(detection: Detection, finding: Finding<'suspected' | 'failed'>, verdict: Verdict): void {
  const { phase, rule } = finding;
  announce(detection, put(detection, { ...supported(verdict, finding), phase, rule }), phase, true);
  if (verdict.level === 'focus' && phase === 'failed') awaitFailover(detection, rule);
}

function corroborate(detection: Detection, finding: Finding, verdict: Verdict): void {
  put(detection, supported(verdict, finding));
}

function failOver(detection: Detection, finding: Finding<'failed-over'>, verdict: Verdict): void {
  const { phase, rule } = finding;
  stopProbing(detection);
  announce(detection, put(detection, { ...supported(verdict, finding), phase, rule }), phase, true);
}

function withdraw(detection: Detection, finding: Finding, verdict: Verdict): void {
  conclude(detection, { ...supported(verdict, finding), rule: finding.rule });
}

/** The session has acted on a failed Focus, and only its own outcome ends that (O16). */
function withdrawFailed(detection: Detection, finding: Finding, verdict: Verdict): void {
  if (!actedOn(detection, verdict)) withdraw(detection, finding, verdict);
}

function withhold(detection: Detection, finding: Finding): void {
  const { suppression } = detection.state;
  const name = `${keyOf(finding)}/${finding.phase}`;
  if (suppression === null || suppression.withheld.includes(name)) return;
  detection.change({ suppression: { ...suppression, withheld: [...suppression.withheld, name] } });
}

function withholdFailover(detection: Detection, finding: Finding): void {
  withhold(detection, finding);
  detection.cancel('probe');
  detection.cancel('failover-window');
}

function withholdClearance(detection: Detection, finding: Finding, verdict: Verdict): void {
  if (actedOn(detection, verdict)) return;
  withhold(detection, finding);
  if (verdict.level === 'focus') stopProbing(detection);
  put(detection, { ...supported(verdict, finding), phase: 'withdrawn', rule: finding.rule });
}

function actedOn(detection: Detection, verdict: Verdict): boolean {
  return verdict.level === 'focus' && detection.state.mode === 'rejoining';
}

/** Closes a verdict and says so. An outage that the session knows of stays open: the session's fact closes it (rule 7). */
function conclude(detection: Detection, verdict: Verdict): void {
  drop(detection, verdict);
  const { incident, session } = detection.state;
  const shared = incident !== null && incident.id === verdict.incident.id;
  const lasts = shared && (session === 'Reconnecting' || sharedVerdicts(detection).length > 0);
  if (shared && !lasts) detection.change({ incident: null });
  announce(detection, verdict, 'cleared', lasts);
}

/** Closes, without a word, what the session's own fact has closed. */
function closeShared(detection: Detection, { incident }: { incident: string | null }): void {
  for (const verdict of sharedVerdicts(detection)) if (verdict.incident.id === incident) drop(detection, verdict);
  // Of an outage that the session had under another name, nobody else says that it is over.
  clear(detection, sharedVerdicts(detection), 'session-recovered');
  detection.change({ incident: null, missedHeartbeats: 0 });
}

function clear(detection: Detection, verdicts: readonly Verdict[], rule: string): void {
  for (const { level, mcu } of verdicts) judge(detection, { level, mcu, phase: 'cleared', rule, evidence: null });
}

function allVerdicts(detection: Detection): Verdict[] {
  return Object.values(detection.state.verdicts);
}

function sharedVerdicts(detection: Detection): Verdict[] {
  return allVerdicts(detection).filter(({ level }) => level !== 'mcu');
}

function keyOf({ level, mcu }: { level: FailureLevel; mcu: string | null }): string {
  return mcu === null ? level : `mcu/${mcu}`;
}

function incidentFor(detection: Detection, level: FailureLevel, mcu: string | null): Incident {
  const { incident } = detection.state;
  if (mcu !== null) return mintIncident(detection.state, `mcu-${mcu}`, detection.now);
  if (incident !== null) return incident;
  const minted = mintIncident(detection.state, level, detection.now);
  detection.change({ incident: minted });
  return minted;
}

/** The verdict with a finding's evidence added. */
function supported(verdict: Verdict, { evidence, recoveryAction = [] }: Finding): Verdict {
  if (evidence === null) return verdict;
  return {
    ...verdict,
    evidence: [...verdict.evidence.slice(0, limits.evidence - 1), evidence],
    recoveryAction: recoveryAction.slice(),
  };
}

function evidenceOf({ signal, at, seq, purpose, method, status, report }: Signal): Omit<Evidence, 'rule'> {
  const evidence: Omit<Evidence, 'rule'> = { signal, at, seq };
  if (purpose !== undefined) evidence.purpose = purpose;
  if (method !== undefined) evidence.method = method;
  if (status !== undefined) evidence.status = status;
  if (report !== undefined) evidence.report = report;
  return evidence;
}

/** The one writer of a verdict and its phase. */
function put(detection: Detection, verdict: Verdict): Verdict {
  const { verdicts } = detection.state;
  const from = verdicts[keyOf(verdict)]?.phase ?? 'quiet';
  if (from !== verdict.phase) legalTransition(legal, from, verdict.phase);
  detection.change({ verdicts: { ...verdicts, [keyOf(verdict)]: verdict } });
  return verdict;
}

function drop(detection: Detection, verdict: Verdict): void {
  detection.change({ verdicts: without(detection.state.verdicts, keyOf(verdict)) });
  if (verdict.level === 'focus') stopProbing(detection);
}

function announce(detection: Detection, verdict: Verdict, phase: FailurePhase, active: boolean): void {
  const { level, mcu, rule, evidence, recoveryAction, incident } = verdict;
  // Whoever gets the fact may change it, and must not change the verdict with it.
  const body: FactBody<FailoverDetected> = {
    event: 'failover-detected',
    level,
    phase,
    rule,
    evidence: evidence.map(({ ...one }) => (one.figures ? { ...one, figures: { ...one.figures } } : one)),
  };
  if (mcu !== null) body.mcu = mcu;
  if (recoveryAction.length > 0) body.recoveryAction = recoveryAction.slice();
  detection.tell(severityOf(level, phase), body, { id: incident.id, active });
}

/** Contract, rule 7: a broken route may still be repaired without anybody noticing. */
function severityOf(level: FailureLevel, phase: FailurePhase): Severity {
  return level === 'hop' || phase === 'suspected' || phase === 'cleared' ? 'info' : 'warning';
}

// -------------------------------------------------------------------------------------------------- failover of a Focus

/** After `failed`: the route of a dead Focus is no question any more, and the re-join waits until it is worth trying. */
function awaitFailover(detection: Detection, rule: string): void {
  leaveRoute(detection);
  const { settings, now } = detection;
  if (!settings.probing) return failedOver(detection, rule);
  const until = now + settings.failoverWindowMs;
  detection.change({ failover: { since: now, until, probeInFlight: false } });
  detection.schedule('failover-window', until);
  sendProbe(detection);
}

/** Closes the question of the route; in words only if the outage of the Focus is another one, which will not close it. */
function leaveRoute(detection: Detection): void {
  const { hop } = detection.state.verdicts;
  if (hop === undefined) return;
  if (hop.incident.id === detection.state.incident?.id) drop(detection, hop);
  else clear(detection, [hop], 'rejoining');
}

function failedOver(detection: Detection, rule: string): void {
  judge(detection, { level: 'focus', mcu: null, phase: 'failed-over', rule, evidence: null });
}

function failoverWindowEnded(detection: Detection): void {
  failedOver(detection, 'failover-window');
}

function sendProbe(detection: Detection): void {
  const { failover } = detection.state;
  if (failover !== null) detection.change({ failover: { ...failover, probeInFlight: true } });
  askFocus(detection);
  detection.schedule('probe', detection.now + probePatienceMs);
}

function askFocus(detection: Detection): void {
  const { dialog, incident } = detection.state;
  detection.ask({ command: 'probe', dialog, incident: incident?.id ?? null });
}

/** The probe that was out has ended without a failover: the next one follows after a pause. */
function probeEnded(detection: Detection): void {
  const { failover, deadlines } = detection.state;
  if (!failover?.probeInFlight || deadlines.probe === undefined) return;
  detection.change({ failover: { ...failover, probeInFlight: false } });
  detection.schedule('probe', detection.now + detection.settings.probeIntervalMs);
}

function stopProbing(detection: Detection): void {
  detection.cancel('probe');
  detection.cancel('failover-window');
  detection.change({ failover: null });
}

// ------------------------------------------------------------------------------------------------------------- signals

function read(detection: Detection, input: PolicyInput): void {
  if (input.input === 'deadline') {
    const at = detection.takeDue(input.deadline);
    if (at !== undefined) whenDue[input.deadline as keyof typeof whenDue](detection, at);
    return;
  }
  const { message } = input;
  if ('command' in message) obey(detection, message);
  else if (message.event === 'signal') hearSignal(detection, message);
  else if (isFromSession(message)) hearSession(detection, message);
}

const whenDue = {
  probe: sendProbe,
  'failover-window': failoverWindowEnded,
  suppression: endSuppression,
  heartbeat: heartbeatDue,
  'confirming-probe': sendConfirmingProbe,
};

function hearSignal(detection: Detection, signal: Signal): void {
  const { state } = detection;
  if (!concerns(state, signal) || isOutrun(detection, signal)) return;
  if (signal.purpose === 'probe' && askedBeforeFailure(detection, signal)) return;
  if (signal.dialog !== state.dialog) adoptDialog(detection, signal);
  noteEvidence(detection, signal);
  const finding = findingOf(detection, signal);
  if (finding !== null && heeds(state, finding.level)) {
    judge(detection, finding);
    if (finding.level === 'hop' && finding.phase === 'suspected') seekConfirmation(detection);
  }
  // Last, for an answer may have closed a verdict, and silence is counted anew.
  if (showsRouteWorks(signal)) noteLife(detection, signal);
  if (signal.purpose === 'probe') probeEnded(detection);
}

/** The answer to a probe that was sent before the Focus failed tells nothing of what it is now (DET-1). */
function askedBeforeFailure({ state, now }: Detection, { elapsedMs = 0 }: Signal): boolean {
  return state.failover !== null && now - elapsedMs < state.failover.since;
}

/** Only while no fact of the session was heard: then signals alone tell that it has joined anew. */
function adoptDialog(detection: Detection, { dialog }: Signal): void {
  clear(detection, sharedVerdicts(detection), 'new-dialog');
  detection.change({ dialog, heartbeats: interrupted(detection.state.heartbeats) });
}

/** While the session re-joins, the route of the dialog that it leaves behind is no question (DET-1). */
function heeds({ mode }: FailoverDetectorState, level: FailureLevel): boolean {
  return level !== 'hop' || mode !== 'rejoining';
}

function mcuOf(level: FailureLevel, { mcu = null }: { readonly mcu?: string | null }): string | null {
  return level === 'mcu' ? mcu : null;
}

function findingOf(detection: Detection, signal: Signal): Finding | null {
  const { state, settings } = detection;
  const rule = decidingRule(
    settings.rules,
    signal,
    (level) => state.verdicts[keyOf({ level, mcu: mcuOf(level, signal) })]?.phase,
  );
  if (rule === undefined) return null;
  const { level, phase, name } = rule;
  const { recoveryAction } = signal;
  const evidence: Evidence = { ...evidenceOf(signal), rule: name };
  const finding: Finding = { level, mcu: mcuOf(level, signal), phase, rule: name, evidence, recoveryAction };
  if (signal.signal !== 'heartbeat-missed') return finding;
  evidence.figures = presentFigures(detection);
  const enough = countDecides(watchOf(state), settings) && state.missedHeartbeats >= settings.missedHeartbeats;
  return enough && phase === 'suspected' ? { ...finding, phase: 'failed', rule: 'missed-heartbeats' } : finding;
}

// ---------------------------------------------------------------------------------------------------------- heartbeats

function watchOf({ heartbeats, suspicion, missedHeartbeats, flowing }: FailoverDetectorState): Watch {
  return { heartbeats, suspicion, missedHeartbeats, mediaFlow: flowing.length > 0 };
}

function presentFigures({ state, settings, now }: Detection): { [figure: string]: number } {
  return figuresOf(watchOf(state), settings, now);
}

/** Heartbeats tell something as long as the route is in use and nobody acts on its failure, or on that of the Focus. */
function watches({ session, verdicts: { focus, hop } }: FailoverDetectorState): boolean {
  return session !== 'Reconnecting' && mayFail(focus) && mayFail(hop);
}

function mayFail(verdict: Verdict | undefined): boolean {
  return verdict === undefined || mayYetFail[verdict.phase];
}

const mayYetFail: { readonly [phase in VerdictPhase]: boolean } = {
  suspected: true,
  failed: false,
  'failed-over': false,
  withdrawn: true,
};

/** A heartbeat that was missed before the route worked again is no evidence: its time-out was longer than the outage. */
function isOutrun({ state, now }: Detection, { signal, elapsedMs = 0 }: Signal): boolean {
  const { lastSign } = state.heartbeats;
  return signal === 'heartbeat-missed' && lastSign !== null && now - elapsedMs < lastSign.at;
}

function noteEvidence(detection: Detection, signal: Signal): void {
  const { state, now } = detection;
  if (signal.signal === 'media') noteMedia(detection, signal);
  else if (signal.signal === 'heartbeat-missed') noteMissed(detection, signal);
  else if (state.suspicion !== null && showsFocusLives(signal))
    detection.change({ suspicion: { ...state.suspicion, answeredAt: now, probesMissed: 0 } });
}

function noteMedia(detection: Detection, { mcu = '', flowing }: Signal): void {
  const others = detection.state.flowing.filter((name) => name !== mcu);
  detection.change({ flowing: flowing === true ? [...others, mcu] : others });
}

function noteMissed(detection: Detection, signal: Signal): void {
  const { state, now } = detection;
  if (!heeds(state, 'hop')) return;
  detection.change({ missedHeartbeats: state.missedHeartbeats + 1 });
  // Silence lasts since that heartbeat was sent, at least.
  const since = { at: now - (signal.elapsedMs ?? 0), evidence: evidenceOf(signal) };
  if (watches(state) && state.heartbeats.lastSign === null)
    detection.change({ heartbeats: { ...state.heartbeats, lastSign: since } });
}

/** Any answer in the dialog is life, once heartbeats are expected at all; but only heartbeats teach their interval. */
function noteLife(detection: Detection, signal: Signal): void {
  const { state, settings } = detection;
  const { heartbeats } = state;
  if (state.missedHeartbeats > 0) detection.change({ missedHeartbeats: 0 });
  if (!watches(state)) return;
  const sign: SignOfLife = { at: detection.now, evidence: evidenceOf(signal) };
  if (signal.signal === 'heartbeat')
    detection.change({ suspicion: null, heartbeats: heartbeatArrived(heartbeats, sign, settings.phiWindow) });
  else if (heartbeats.lastSign !== null || heartbeats.learned > 0)
    detection.change({ suspicion: null, heartbeats: { ...heartbeats, lastSign: sign } });
}

/** Brings the deadlines of heartbeats in line with what is known by now. */
function keepWatch(detection: Detection): void {
  const { state } = detection;
  const { heartbeats, suspicion } = state;
  if (!watches(state) && (heartbeats.lastSign !== null || suspicion !== null)) {
    detection.change({ suspicion: null, heartbeats: interrupted(heartbeats) });
  }
  if (detection.state.suspicion === null) detection.cancel('confirming-probe');
  const check = nextCheck(watchOf(detection.state), detection.settings);
  if (check === null) return detection.cancel('heartbeat');
  const at = Math.ceil(check.at);
  if (at !== detection.state.deadlines.heartbeat) detection.schedule('heartbeat', Math.max(at, detection.now));
}

/** A deadline that fires so much later shows that this process stood still, or was not there. */
const standstillMs = 500;

function heartbeatDue(detection: Detection, at: number): void {
  const { state, settings, now } = detection;
  const watch = watchOf(state);
  // A node that is not well itself must not judge others (Lifeguard, local health).
  if (now - at > standstillMs) return detection.change(countedAnew(watch, now));
  const check = nextCheck(watch, settings);
  // Somebody may have chosen another detector meanwhile.
  if (check === null) return;
  const { phase, rule } = check;
  const lastSign = state.heartbeats.lastSign as SignOfLife;
  const evidence = { ...lastSign.evidence, rule, figures: presentFigures(detection) };
  judge(detection, { level: 'hop', mcu: null, phase, rule, evidence });
  if (phase === 'suspected') seekConfirmation(detection);
  else detection.change({ suspicion: null, heartbeats: interrupted(state.heartbeats) });
}

/** A suspicion asks on the second path, until there is life or the verdict (DET-7). */
function seekConfirmation(detection: Detection): void {
  const { state, settings, now } = detection;
  if (settings.heartbeatDetector !== 'suspicion' || state.suspicion !== null) return;
  if (state.heartbeats.lastSign === null) return;
  detection.change({ suspicion: { since: now, answeredAt: null, probesMissed: 0 } });
  if (settings.probing) sendConfirmingProbe(detection);
}

function sendConfirmingProbe(detection: Detection): void {
  const suspicion = detection.state.suspicion as Suspicion;
  askFocus(detection);
  detection.change({ suspicion: { ...suspicion, probesMissed: suspicion.probesMissed + 1 } });
  const pauseMs = Math.ceil(detection.settings.confirmationMs / probesPerConfirmation);
  detection.schedule('confirming-probe', detection.now + pauseMs);
}

// ------------------------------------------------------------------------------------------------------- the session

function hearSession(detection: Detection, fact: SessionFact): void {
  if (isOutdated(detection.state, fact)) return;
  const session = fact.event === 'mode-changed' ? 'Reconnecting' : fact.state;
  const ofClosedIncident = ofAnotherIncident(detection.state, fact);
  if (fact.event === 'session-status') detection.renewDeadlines();
  detection.change(heardOf(fact));
  detection.change({ session, mode: fact.mode });
  if (hasOutlivedProcess(fact)) resumeAfterRestart(detection);
  // Whoever starts the session anew may have given its heartbeats another interval.
  else if (fact.event === 'session-status') detection.change({ suspicion: null, heartbeats: nothingHeard });
  if (!takesPart[session]) sessionEnded(detection, fact);
  else if (session === 'Reconnecting') sessionReconnecting(detection, fact);
  // A session that takes part and is not recovering knows nothing of what we hold open, and will not close it.
  else if (fact.event === 'session-status') clear(detection, sharedVerdicts(detection), 'session-status');
  else if (fact.event === 'state-changed' && fact.previous === 'Reconnecting' && !ofClosedIncident)
    closeShared(detection, fact);
}

/**
 * No answer comes to what was asked of the process before, and silence is counted anew: suspicions hold. What we said of MCUs
 * may be lost, as may what was said to us; the session tells again which of them are failing over.
 */
function resumeAfterRestart(detection: Detection): void {
  const { failover, deadlines } = detection.state;
  const ofMcus = allVerdicts(detection).filter(({ level }) => level === 'mcu');
  clear(detection, ofMcus, 'session-status');
  detection.change(countedAnew(watchOf(detection.state), detection.now));
  if (failover?.probeInFlight && deadlines.probe !== undefined) sendProbe(detection);
}

/** What the session's own fact does not close is closed by `cleared`, lest an incident stays open for ever. */
function sessionEnded(detection: Detection, fact: { incident: string | null }): void {
  if (fact.incident === detection.state.incident?.id) closeShared(detection, fact);
  clear(detection, allVerdicts(detection), 'session-ended');
  detection.change({
    incident: null,
    missedHeartbeats: 0,
    heartbeats: nothingHeard,
    suspicion: null,
    flowing: [],
  });
}

function sessionReconnecting(detection: Detection, fact: SessionFact): void {
  if (fact.incident !== null && fact.incident !== detection.state.incident?.id) {
    detection.change({ incident: { id: fact.incident, startedAt: detection.now } });
  }
  const { focus } = detection.state.verdicts;
  if (fact.mode !== 'rejoining') {
    // What we said of the Focus was lost. Whether it lives is being asked: the answer is evidence anew.
    if (focus !== undefined && hasOutlivedProcess(fact)) clear(detection, [focus], fact.event);
    return;
  }
  leaveRoute(detection);
  detection.change({ missedHeartbeats: 0 });
  if (focus?.phase !== 'failed' && (focus?.phase !== 'failed-over' || hasOutlivedProcess(fact))) {
    resumeFailover(detection, fact.event);
  }
}

/**
 * A session that waits for `failed-over` would wait in vain if we had forgotten after a restart (PER-6), if what we said was
 * lost with the process, or if we had withdrawn the verdict that was on its way to it.
 */
function resumeFailover(detection: Detection, rule: string): void {
  const { focus } = detection.state.verdicts;
  const incident = focus?.incident ?? incidentFor(detection, 'focus', null);
  const evidence = focus?.evidence ?? [];
  if (focus !== undefined) drop(detection, focus);
  put(detection, { level: 'focus', mcu: null, phase: 'failed', rule, incident, evidence, recoveryAction: [] });
  awaitFailover(detection, rule);
}

// ------------------------------------------------------------------------------------------------------------ commands

function obey(detection: Detection, request: Request): void {
  switch (request.command) {
    case 'reset':
      return reset(detection);
    case 'suppress':
      return suppress(detection, request.forMs);
    case 'status':
      return report(detection);
    default:
  }
}

/** Forgets all evidence, and ends maintenance. */
function reset(detection: Detection): void {
  detection.change({
    missedHeartbeats: 0,
    heartbeats: interrupted(detection.state.heartbeats),
    suspicion: null,
  });
  if (detection.state.suppression !== null) endSuppression(detection);
  clear(detection, allVerdicts(detection), 'reset');
}

function suppress(detection: Detection, forMs: number): void {
  const until = detection.now + forMs;
  const withheld = detection.state.suppression?.withheld ?? [];
  detection.change({ suppression: { until, withheld } });
  detection.schedule('suppression', until);
  tellSuppression(detection, until, withheld.length);
}

function endSuppression(detection: Detection): void {
  const { withheld } = detection.state.suppression as NonNullable<FailoverDetectorState['suppression']>;
  detection.cancel('suppression');
  detection.change({ suppression: null });
  tellSuppression(detection, null, withheld.length);
  for (const verdict of allVerdicts(detection)) if (verdict.phase === 'withdrawn') conclude(detection, verdict);
  resumeProbing(detection);
}

/** A failover that was withheld is asked for again, unless its window is over. */
function resumeProbing(detection: Detection): void {
  const { failover, deadlines } = detection.state;
  if (failover === null || deadlines['failover-window'] !== undefined) return;
  if (failover.until <= detection.now) return failoverWindowEnded(detection);
  detection.schedule('failover-window', failover.until);
  sendProbe(detection);
}

function tellSuppression(detection: Detection, until: number | null, withheld: number): void {
  const suppressedUntil = until === null ? null : instant(until);
  detection.tell('info', { event: 'suppression-changed', suppressedUntil, withheld });
}

function report(detection: Detection): void {
  const { session, mode, verdicts, missedHeartbeats, heartbeats, failover, suppression } = detection.state;
  detection.tell('info', {
    event: 'detector-status',
    status: {
      session,
      mode,
      verdicts: Object.values(verdicts).map(({ level, mcu, phase, rule, incident, evidence }) => ({
        level,
        mcu,
        phase,
        rule,
        incident: incident.id,
        evidence: evidence.length,
      })),
      missedHeartbeats,
      ...(heartbeats.lastSign !== null && { heartbeats: presentFigures(detection) }),
      failoverWindowEndsAt: failover === null ? null : instant(failover.until),
      suppressedUntil: suppression === null ? null : instant(suppression.until),
      withheld: suppression?.withheld.length ?? 0,
    },
  });
}
