/**
 * The failover detector: turns signals of the conferencing system into verdicts, by rules (contract, section 4;
 * conformance DET-1 to DET-8, O1, O26). It only says what has failed; the sessions and the healer act on it.
 *
 * There is one verdict at most for the Focus, one for the route (`hop`), and one for each MCU. The verdicts about Focus
 * and route share one incident; every MCU has its own.
 */
import { DEFAULT_RULES, type DetectorRule, decidingRule, showsRouteWorks } from './detector-rules';
import { limits } from './limits';
import type {
  Evidence,
  FailureLevel,
  FailurePhase,
  ModeChanged,
  ReconnectingMode,
  RecoveryAction,
  Request,
  SessionStatus,
  Severity,
  Signal,
  StateChanged,
} from './messages';
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
import { type Incident, instant, mintIncident, type PolicyInput, type PolicyMachine } from './step';

/** What a user decides about detection. */
export interface FailoverDetectorSettings {
  /** The first that matches a signal decides (DET-5). */
  rules: readonly DetectorRule[];
  /** Ask a failed Focus whether it is back, before the one re-join is spent on it (DET-3). */
  probing: boolean;
  /** A probe that was not answered with 2xx is repeated so long after its answer or time-out. */
  probeIntervalMs: number;
  /** A Focus that has failed counts as failed over after so long, answered probe or not (RFC 3261, 64·T1). */
  failoverWindowMs: number;
  /** So many missed heartbeats in a row, and the suspected route has failed. */
  missedHeartbeats: number;
}

export const failoverDetectorDefaults: FailoverDetectorSettings = {
  rules: DEFAULT_RULES,
  probing: true,
  probeIntervalMs: 1_000,
  failoverWindowMs: 32_000,
  missedHeartbeats: 2,
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
    failover: null,
    suppression: null,
  }),
  step(state, input, moment, settings) {
    const detection = new Draft('failover-detector', state, moment, settings);
    read(detection, input);
    return detection.finish();
  },
  idle: (state) => Object.keys(state.verdicts).length === 0 && state.suppression === null,
};

type Detection = Draft<FailoverDetectorState, FailoverDetectorSettings>;

/** What a rule makes of a signal; `signal` is null for what is found without one (a deadline, a command). */
interface Finding<Phase extends FailurePhase = FailurePhase> {
  level: FailureLevel;
  mcu: string | null;
  phase: Phase;
  rule: string;
  signal: Signal | null;
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

const watching: VerdictTable = {
  quiet: { suspected: open, failed: open, 'failed-over': ignore, cleared: ignore },
  suspected: { suspected: corroborate, failed: advance, 'failed-over': ignore, cleared: withdraw },
  failed: { suspected: corroborate, failed: corroborate, 'failed-over': failOver, cleared: withdrawFailed },
  'failed-over': { suspected: corroborate, failed: corroborate, 'failed-over': ignore, cleared: withdrawFailed },
  withdrawn: { suspected: ignore, failed: ignore, 'failed-over': ignore, cleared: ignore },
};

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
  return verdict.level === 'focus' && detection.state.session === 'Reconnecting';
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
  for (const { level, mcu } of verdicts) judge(detection, { level, mcu, phase: 'cleared', rule, signal: null });
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
  const { conference, incident } = detection.state;
  if (mcu !== null) return mintIncident(conference, `mcu-${mcu}`, detection);
  if (incident !== null) return incident;
  const minted = mintIncident(conference, level, detection);
  detection.change({ incident: minted });
  return minted;
}

/** The verdict with a finding's signal as further evidence. */
function supported(verdict: Verdict, { rule, signal }: Finding): Verdict {
  if (signal === null) return verdict;
  const evidence = [...verdict.evidence.slice(0, limits.evidence - 1), evidenceOf(signal, rule)];
  return { ...verdict, evidence, recoveryAction: [...(signal.recoveryAction ?? [])] };
}

function evidenceOf({ signal, at, seq, purpose, method, status, report }: Signal, rule: string): Evidence {
  return {
    signal,
    at,
    seq,
    rule,
    ...(purpose !== undefined && { purpose }),
    ...(method !== undefined && { method }),
    ...(status !== undefined && { status }),
    ...(report !== undefined && { report }),
  };
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
  const { [keyOf(verdict)]: _dropped, ...others } = detection.state.verdicts;
  detection.change({ verdicts: others });
  if (verdict.level === 'focus') stopProbing(detection);
}

function announce(detection: Detection, verdict: Verdict, phase: FailurePhase, active: boolean): void {
  const { level, mcu, rule, evidence, recoveryAction, incident } = verdict;
  detection.tell(
    severityOf(level, phase),
    {
      event: 'failover-detected',
      level,
      phase,
      ...(mcu !== null && { mcu }),
      rule,
      evidence: evidence.map((item) => ({ ...item })),
      ...(recoveryAction.length > 0 && { recoveryAction: [...recoveryAction] }),
    },
    { id: incident.id, active },
  );
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
  judge(detection, { level: 'focus', mcu: null, phase: 'failed-over', rule, signal: null });
}

function failoverWindowEnded(detection: Detection): void {
  failedOver(detection, 'failover-window');
}

function sendProbe(detection: Detection): void {
  const { dialog, incident, failover } = detection.state;
  if (failover !== null) detection.change({ failover: { ...failover, probeInFlight: true } });
  detection.ask({ command: 'probe', dialog, incident: incident?.id ?? null });
  detection.schedule('probe', detection.now + probePatienceMs);
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
    const isDue = detection.takeDue(input.deadline) !== undefined;
    if (isDue) whenDue[input.deadline as keyof typeof whenDue](detection);
    return;
  }
  const { message } = input;
  if ('command' in message) obey(detection, message);
  else if (message.event === 'signal') hearSignal(detection, message);
  else if (isFromSession(message)) hearSession(detection, message);
}

const whenDue = { probe: sendProbe, 'failover-window': failoverWindowEnded, suppression: endSuppression };

function hearSignal(detection: Detection, signal: Signal): void {
  const { state } = detection;
  if (!concerns(state, signal)) return;
  if (signal.purpose === 'probe' && askedBeforeFailure(detection, signal)) return;
  if (signal.dialog !== state.dialog) adoptDialog(detection, signal);
  countHeartbeats(detection, signal);
  const finding = findingOf(detection, signal);
  if (finding !== null && heeds(state, finding.level)) judge(detection, finding);
  if (signal.purpose === 'probe') probeEnded(detection);
}

/** The answer to a probe that was sent before the Focus failed tells nothing of what it is now (DET-1). */
function askedBeforeFailure({ state, now }: Detection, { elapsedMs = 0 }: Signal): boolean {
  return state.failover !== null && now - elapsedMs < state.failover.since;
}

/** Only while no fact of the session was heard: then signals alone tell that it has joined anew. */
function adoptDialog(detection: Detection, { dialog }: Signal): void {
  clear(detection, sharedVerdicts(detection), 'new-dialog');
  detection.change({ dialog });
}

/** While the session re-joins, the route of the dialog that it leaves behind is no question (DET-1). */
function heeds({ mode }: FailoverDetectorState, level: FailureLevel): boolean {
  return level !== 'hop' || mode !== 'rejoining';
}

function countHeartbeats(detection: Detection, signal: Signal): void {
  const { missedHeartbeats } = detection.state;
  if (signal.signal === 'heartbeat-missed') {
    if (heeds(detection.state, 'hop')) detection.change({ missedHeartbeats: missedHeartbeats + 1 });
  } else if (missedHeartbeats > 0 && showsRouteWorks(signal)) {
    detection.change({ missedHeartbeats: 0 });
  }
}

function findingOf({ state, settings }: Detection, signal: Signal): Finding | null {
  const mcuOf = (level: FailureLevel) => (level === 'mcu' ? (signal.mcu ?? null) : null);
  const phaseOf = (level: FailureLevel) => state.verdicts[keyOf({ level, mcu: mcuOf(level) })]?.phase;
  const rule = decidingRule(settings.rules, signal, phaseOf);
  if (rule === undefined) return null;
  const { level, phase, name } = rule;
  const finding: Finding = { level, mcu: mcuOf(level), phase, rule: name, signal };
  const enough = signal.signal === 'heartbeat-missed' && state.missedHeartbeats >= settings.missedHeartbeats;
  return enough && phase === 'suspected' ? { ...finding, phase: 'failed', rule: 'missed-heartbeats' } : finding;
}

// ------------------------------------------------------------------------------------------------------- the session

function hearSession(detection: Detection, fact: StateChanged | ModeChanged | SessionStatus): void {
  if (isOutdated(detection.state, fact)) return;
  const session = fact.event === 'mode-changed' ? 'Reconnecting' : fact.state;
  const ofClosedIncident = ofAnotherIncident(detection.state, fact);
  if (fact.event === 'session-status') detection.renewDeadlines();
  detection.change({ session, heard: fact.seq, mode: fact.mode, dialog: fact.dialog });
  if (!takesPart[session]) sessionEnded(detection, fact);
  else if (session === 'Reconnecting') sessionReconnecting(detection, fact);
  // A session that takes part and is not recovering knows nothing of what we hold open, and will not close it.
  else if (fact.event === 'session-status') clear(detection, sharedVerdicts(detection), 'session-status');
  else if (fact.event === 'state-changed' && fact.previous === 'Reconnecting' && !ofClosedIncident)
    closeShared(detection, fact);
}

/** What the session's own fact does not close is closed by `cleared`, lest an incident stays open for ever. */
function sessionEnded(detection: Detection, fact: { incident: string | null }): void {
  if (fact.incident === detection.state.incident?.id) closeShared(detection, fact);
  clear(detection, allVerdicts(detection), 'session-ended');
  detection.change({ incident: null, missedHeartbeats: 0 });
}

function sessionReconnecting(detection: Detection, fact: StateChanged | ModeChanged | SessionStatus): void {
  if (fact.incident !== null && fact.incident !== detection.state.incident?.id) {
    detection.change({ incident: { id: fact.incident, startedAt: detection.now } });
  }
  if (fact.mode !== 'rejoining') return;
  const { focus } = detection.state.verdicts;
  leaveRoute(detection);
  detection.change({ missedHeartbeats: 0 });
  if (focus === undefined || focus.phase === 'withdrawn') resumeFailover(detection, fact.event);
}

/**
 * A session that waits for `failed-over` would wait in vain if we had forgotten after a restart (PER-6), or had withdrawn
 * the verdict that was on its way to it.
 */
function resumeFailover(detection: Detection, rule: string): void {
  const { focus } = detection.state.verdicts;
  const incident = focus?.incident ?? incidentFor(detection, 'focus', null);
  const evidence = focus?.evidence ?? [];
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
  detection.change({ missedHeartbeats: 0 });
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
  const withheld = detection.state.suppression?.withheld.length ?? 0;
  detection.cancel('suppression');
  detection.change({ suppression: null });
  tellSuppression(detection, null, withheld);
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
  const { session, mode, verdicts, missedHeartbeats, failover, suppression } = detection.state;
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
      failoverWindowEndsAt: failover === null ? null : instant(failover.until),
      suppressedUntil: suppression === null ? null : instant(suppression.until),
      withheld: suppression?.withheld.length ?? 0,
    },
  });
}
