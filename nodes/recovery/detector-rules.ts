/**
 * The rules of the failover detector, as data: which signal is evidence of which failure (conformance DET-1, DET-5, O1).
 * A user adds, reorders and switches off rules; the first that matches decides.
 */
import type {
  FailureLevel,
  FailurePhase,
  McuReport,
  RecoveryAction,
  Signal,
  SignalKind,
  SignalPurpose,
} from './messages';

/** Numbers, one by one or as ranges with both ends included. */
export type Codes = readonly (number | readonly [from: number, to: number])[];

/** One rule. Every condition that is given must hold. */
export interface DetectorRule {
  /** Unique; verdicts and their evidence are signed with it (DET-8). */
  name: string;
  /** Switched off: kept in the list, and never matches. */
  off?: boolean;
  signal: SignalKind;
  /** Absent: any purpose, or none, but `heal`, `probe` and `rejoin`, whose outcome means something else. */
  purposes?: readonly SignalPurpose[];
  /** SIP status of the answer. */
  status?: Codes;
  /** SIP methods of the request. */
  methods?: readonly string[];
  notMethods?: readonly string[];
  /** An action that the answer must name (MS-SIPRE 2.2.18). */
  recoveryAction?: RecoveryAction;
  /** Ids of `ms-diagnostics`. */
  diagnostics?: Codes;
  /** With signal `mcu-report`: what the Focus says. */
  reports?: readonly McuReport[];
  /** Only while an open verdict of `level` is in this phase. */
  during?: 'suspected' | 'failed';
  level: FailureLevel;
  phase: FailurePhase;
}

const success: Codes = [[200, 299]];
const dialogGone: Codes = [404, 410, 481];

/** Signals of these purposes are matched only by rules that name the purpose (DET-1, "otherwise"). */
const spokenFor: readonly (SignalPurpose | undefined)[] = ['heal', 'probe', 'rejoin'];

/** DET-1. A route that the far end healed is healed too (O15), and any answer withdraws a suspicion (DET-4). */
export const DEFAULT_RULES: readonly DetectorRule[] = [
  {
    name: 'probe-answered',
    signal: 'response',
    purposes: ['probe'],
    status: success,
    level: 'focus',
    phase: 'failed-over',
  },
  { name: 'heal-answered', signal: 'response', purposes: ['heal'], status: success, level: 'hop', phase: 'cleared' },
  {
    name: 'heal-dialog-gone',
    signal: 'response',
    purposes: ['heal'],
    status: dialogGone,
    level: 'focus',
    phase: 'failed',
  },
  { name: 'healed-by-peer', signal: 'remote-update', level: 'hop', phase: 'cleared' },
  { name: 'dialog-gone', signal: 'response', status: [481], level: 'focus', phase: 'failed' },
  { name: 'remote-bye', signal: 'remote-bye', level: 'focus', phase: 'failed' },
  { name: 'session-expired', signal: 'session-expired', level: 'focus', phase: 'failed' },
  { name: 'subscription-lost', signal: 'subscription-lost', level: 'focus', phase: 'failed' },
  { name: 'flow-failed', signal: 'response', status: [430], level: 'hop', phase: 'failed' },
  { name: 'request-timeout', signal: 'response', status: [408], level: 'hop', phase: 'failed' },
  { name: 'server-timeout', signal: 'response', status: [504], level: 'hop', phase: 'failed' },
  // To an INFO, 503 says that a service behind the Focus is down: a failed operation, not a broken route (ERR-7).
  { name: 'unavailable', signal: 'response', status: [503], notMethods: ['INFO'], level: 'hop', phase: 'failed' },
  { name: 'no-answer', signal: 'timeout', level: 'hop', phase: 'failed' },
  { name: 'transport-lost', signal: 'transport-lost', level: 'hop', phase: 'failed' },
  { name: 'heartbeat-missed', signal: 'heartbeat-missed', level: 'hop', phase: 'suspected' },
  { name: 'heartbeat-answered', signal: 'heartbeat', during: 'suspected', level: 'hop', phase: 'cleared' },
  { name: 'answered', signal: 'response', status: success, during: 'suspected', level: 'hop', phase: 'cleared' },
  { name: 'mcu-failing-over', signal: 'mcu-report', reports: ['failing-over'], level: 'mcu', phase: 'failed' },
  { name: 'mcu-active', signal: 'mcu-report', reports: ['active'], level: 'mcu', phase: 'cleared' },
];

/** The rule that decides about a signal. `phaseOf` tells the phase of the verdict that is open, by level. */
export function decidingRule(
  rules: readonly DetectorRule[],
  signal: Signal,
  phaseOf: (level: FailureLevel) => string | undefined,
): DetectorRule | undefined {
  return rules.find(
    (rule) => matches(rule, signal) && (rule.during === undefined || rule.during === phaseOf(rule.level)),
  );
}

/** Does the signal show that the dialog's route carries requests and answers? A probe takes another way. */
export function showsRouteWorks({ signal, purpose, status }: Signal): boolean {
  return signal === 'heartbeat' || (signal === 'response' && purpose !== 'probe' && covers(success, status));
}

/** Does the signal show that the Focus lives, whatever became of the dialog's route? */
export function showsFocusLives({ signal, purpose, status }: Signal): boolean {
  return signal === 'response' && purpose === 'probe' && covers(success, status);
}

function matches(rule: DetectorRule, signal: Signal): boolean {
  return (
    rule.signal === signal.signal &&
    rule.off !== true &&
    (rule.level !== 'mcu' || signal.mcu !== undefined) &&
    (rule.purposes === undefined ? !spokenFor.includes(signal.purpose) : names(rule.purposes, signal.purpose)) &&
    (rule.status === undefined || covers(rule.status, signal.status)) &&
    (rule.methods === undefined || names(rule.methods, signal.method)) &&
    (rule.notMethods === undefined || !names(rule.notMethods, signal.method)) &&
    (rule.recoveryAction === undefined || signal.recoveryAction?.includes(rule.recoveryAction) === true) &&
    (rule.diagnostics === undefined || covers(rule.diagnostics, signal.diagnostics?.id)) &&
    (rule.reports === undefined || names(rule.reports, signal.report))
  );
}

function names<Name extends string>(list: readonly Name[], name: Name | undefined): boolean {
  return name !== undefined && list.includes(name);
}

function covers(codes: Codes, code: number | undefined): boolean {
  if (code === undefined) return false;
  return codes.some((entry) => (typeof entry === 'number' ? entry === code : entry[0] <= code && code <= entry[1]));
}
