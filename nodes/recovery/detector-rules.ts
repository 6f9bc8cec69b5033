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
  return rulesAbout(signal.signal, rules).find(
    (rule) => matches(rule, signal) && (rule.during === undefined || rule.during === phaseOf(rule.level)),
  );
}

const rulesByKind = new WeakMap<readonly DetectorRule[], Map<SignalKind, readonly DetectorRule[]>>();
const noRules: readonly DetectorRule[] = [];

/** The rules about a kind of signal, in their order: sorted out once, since this is asked for every signal. */
function rulesAbout(kind: SignalKind, rules: readonly DetectorRule[]): readonly DetectorRule[] {
  let byKind = rulesByKind.get(rules);
  if (byKind === undefined) {
    byKind = new Map();
    for (const rule of rules) {
      if (rule.off !== true) byKind.set(rule.signal, [...(byKind.get(rule.signal) ?? []), rule]);
    }
    rulesByKind.set(rules, byKind);
  }
  return byKind.get(kind) ?? noRules;
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

// ------------------------------------------------------------------------------------------------- rules of a user (DET-5)

/** The words of a type, all of them: the compiler misses none. */
function wordsOf<Word extends string>(words: { readonly [word in Word]: true }): readonly Word[] {
  return Object.keys(words) as Word[];
}

/** Every word that a rule may use, for the dialog and for the check below. */
export const ruleWords = {
  signal: wordsOf<SignalKind>({
    response: true,
    timeout: true,
    'transport-lost': true,
    'transport-restored': true,
    'remote-bye': true,
    'subscription-lost': true,
    'session-expired': true,
    'remote-update': true,
    'mcu-report': true,
    heartbeat: true,
    'heartbeat-missed': true,
    media: true,
  }),
  purposes: wordsOf<SignalPurpose>({
    operation: true,
    heal: true,
    probe: true,
    refresh: true,
    subscription: true,
    rejoin: true,
  }),
  recoveryAction: wordsOf<RecoveryAction>({
    'Registration-Route-Set-Update': true,
    'Dialog-Route-Set-Update': true,
    'Wait-For-Session-Update': true,
  }),
  reports: wordsOf<McuReport>({ active: true, inactive: true, 'failing-over': true, unsupported: true }),
  during: wordsOf<NonNullable<DetectorRule['during']>>({ suspected: true, failed: true }),
  level: wordsOf<FailureLevel>({ focus: true, mcu: true, hop: true }),
  phase: wordsOf<FailurePhase>({ suspected: true, failed: true, 'failed-over': true, cleared: true }),
} as const;

/** What one property of a rule must be. */
interface Expectation {
  expected: string;
  holds(value: unknown): boolean;
  required?: true;
}

const expectations: { readonly [property in keyof Required<DetectorRule>]: Expectation } = {
  name: {
    expected: 'a name of its own, such as "my-proxy-is-down"',
    holds: (value) => isText(value) && value.trim() !== '',
    required: true,
  },
  off: { expected: 'true or false', holds: (value) => typeof value === 'boolean' },
  signal: { ...oneOf(ruleWords.signal), required: true },
  purposes: someOf(ruleWords.purposes),
  status: codes(100, 699, '[481, [500, 599]]'),
  methods: methods(),
  notMethods: methods(),
  recoveryAction: oneOf(ruleWords.recoveryAction),
  diagnostics: codes(0, 999_999, '[24067, [50000, 50010]]'),
  reports: someOf(ruleWords.reports),
  during: oneOf(ruleWords.during),
  level: { ...oneOf(ruleWords.level), required: true },
  phase: { ...oneOf(ruleWords.phase), required: true },
};

/** Conditions that only one kind of signal can meet. */
const onlyWith: { readonly [property in keyof DetectorRule]?: SignalKind } = {
  status: 'response',
  recoveryAction: 'response',
  diagnostics: 'response',
  reports: 'mcu-report',
};

/**
 * The rules of a configuration. When one of them is bad, the default rules, and a complaint that names its row and says
 * what would be right. Nothing configured means the default rules; a string is a list as JSON (an environment variable).
 */
export function rulesOf(configured: unknown): { rules: readonly DetectorRule[]; complaint: string | null } {
  const list = isText(configured) ? parsed(configured) : configured;
  if (list === null || list === undefined) return { rules: DEFAULT_RULES, complaint: null };
  const complaint = complaintAboutRules(list);
  return complaint === null
    ? { rules: list as DetectorRule[], complaint }
    : { rules: DEFAULT_RULES, complaint: `${complaint} The default rules are used instead.` };
}

function parsed(text: string): unknown {
  if (text.trim() === '') return null;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function complaintAboutRules(list: unknown): string | null {
  if (!Array.isArray(list)) return 'The rules must be a list, such as [{"name": "…", "signal": "timeout", …}].';
  const rowsByName = new Map<unknown, number>();
  for (const [index, rule] of list.entries()) {
    const row = index + 1;
    const complaint = complaintAboutRule(rule);
    if (complaint !== null) return `Rule ${row}${titleOf(rule)}: ${complaint}.`;
    const { name } = rule as DetectorRule;
    const other = rowsByName.get(name);
    if (other !== undefined) return `Rule ${row}${titleOf(rule)}: rule ${other} has the same name; give it another.`;
    rowsByName.set(name, row);
  }
  return null;
}

function complaintAboutRule(rule: unknown): string | null {
  if (!isObject(rule)) return `it must be an object such as {"name": "…", "signal": "timeout", …}, not ${shown(rule)}`;
  for (const property of Object.keys(rule)) {
    if (!Object.hasOwn(expectations, property)) {
      return `"${property}" is no part of a rule; it has ${Object.keys(expectations).join(', ')}`;
    }
  }
  for (const [property, { expected, holds, required }] of Object.entries(expectations)) {
    const value = rule[property];
    if (value === undefined && required) return `"${property}" is missing: ${expected}`;
    if (value !== undefined && !holds(value)) return `"${property}" must be ${expected}, not ${shown(value)}`;
  }
  return complaintAboutSense(rule as unknown as DetectorRule);
}

/** Parts that are right, and do not fit together: such a rule would never match, or change nothing. */
function complaintAboutSense(rule: DetectorRule): string | null {
  for (const [property, signal] of Object.entries(onlyWith)) {
    if (Object.hasOwn(rule, property) && rule.signal !== signal) {
      return `"${property}" goes with the signal "${signal}" only, not with "${rule.signal}"`;
    }
  }
  if (rule.phase === 'failed-over' && rule.level !== 'focus') return 'only a "focus" can have "failed-over"';
  return null;
}

function titleOf(rule: unknown): string {
  return isObject(rule) && isText(rule.name) ? ` ("${rule.name}")` : '';
}

function shown(value: unknown): string {
  return `${JSON.stringify(value)}`.slice(0, 60);
}

function oneOf(words: readonly string[]): Expectation {
  return { expected: `one of ${words.join(', ')}`, holds: (value) => isText(value) && words.includes(value) };
}

function someOf(words: readonly string[]): Expectation {
  return listOf(`a list of some of ${words.join(', ')}`, (item) => isText(item) && words.includes(item));
}

/** Tokens of RFC 3261, 25.1, as far as methods use them. */
function methods(): Expectation {
  return listOf('a list of methods, such as ["INFO", "UPDATE"]', (item) => isText(item) && /^[\w.-]+$/.test(item));
}

function codes(least: number, most: number, example: string): Expectation {
  const isCode = (value: unknown): value is number =>
    Number.isInteger(value) && least <= Number(value) && Number(value) <= most;
  return listOf(
    `a list of numbers from ${least} to ${most}, or of ranges of them, such as ${example}`,
    (item) =>
      isCode(item) ||
      (Array.isArray(item) && item.length === 2 && item.every(isCode) && Number(item[0]) <= Number(item[1])),
  );
}

function listOf(expected: string, holds: (item: unknown) => boolean): Expectation {
  return { expected, holds: (value) => Array.isArray(value) && value.length > 0 && value.every(holds) };
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}

function isObject(value: unknown): value is { readonly [property: string]: unknown } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
