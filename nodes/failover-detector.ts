/** The failover-detector node: turns signals into verdicts. */
import { DEFAULT_RULES, rulesOf, ruleWords } from './recovery/detector-rules';
import {
  type FailoverDetectorSettings,
  type FailoverDetectorState,
  failoverDetector,
  failoverDetectorDefaults,
} from './recovery/failover-detector';
import type { Message } from './recovery/step';
import { policyNode } from './runtime/policy-node';
import { choiceOf, durationOf, type NodeConfig, numberOf } from './runtime/settings';
import type { Status } from './runtime/status';

const outputs = { session: 0, mcu: 1, healer: 2 } as const;

/** What the presets of the dialog stand for; the fields under *Advanced* count with `custom`. */
const presets: { readonly [preset: string]: Partial<FailoverDetectorSettings> } = {
  standard: {},
  quick: { missedHeartbeats: 1, confirmationMs: 1_200, routeSilenceMs: 4_000, failoverWindowMs: 10_000 },
  patient: { missedHeartbeats: 4, confirmationMs: 5_000, routeSilenceMs: 20_000, failoverWindowMs: 60_000 },
};

function settingsOf(config: NodeConfig): FailoverDetectorSettings {
  const preset = presets[choiceOf(config, 'preset', ['standard', 'quick', 'patient', 'custom'])];
  const { rules } = rulesOf(config.rules);
  return { ...failoverDetectorDefaults, ...(preset ?? customOf(config)), rules };
}

function customOf(config: NodeConfig): Partial<FailoverDetectorSettings> {
  const defaults = failoverDetectorDefaults;
  const duration = (property: string, otherwise: number): number => durationOf(config, property, otherwise);
  const atLeast = (least: number, property: string, otherwise: number): number =>
    Math.max(least, numberOf(config, property, otherwise));
  return {
    heartbeatDetector: choiceOf(config, 'heartbeatDetector', ['suspicion', 'missed', 'fixed', 'phi']),
    missedHeartbeats: atLeast(1, 'missedHeartbeats', defaults.missedHeartbeats),
    heartbeatTimeoutMs: duration('heartbeatTimeout', defaults.heartbeatTimeoutMs),
    phiThreshold: Math.min(100, atLeast(0.5, 'phiThreshold', defaults.phiThreshold)),
    phiWindow: atLeast(2, 'phiWindow', defaults.phiWindow),
    phiMinimumDeviationMs: Math.max(1, duration('phiMinimumDeviation', defaults.phiMinimumDeviationMs)),
    phiAcceptablePauseMs: duration('phiAcceptablePause', defaults.phiAcceptablePauseMs),
    suspicionPhi: Math.min(100, atLeast(0.5, 'suspicionPhi', defaults.suspicionPhi)),
    confirmationMs: Math.max(1, duration('confirmation', defaults.confirmationMs)),
    routeSilenceMs: duration('routeSilence', defaults.routeSilenceMs),
    probing: config.probing !== false,
    failoverWindowMs: duration('failoverWindow', defaults.failoverWindowMs),
    probeIntervalMs: duration('probeInterval', defaults.probeIntervalMs),
  };
}

function outputOf(message: Message): number {
  if (!('event' in message) || message.event !== 'failover-detected') return outputs.session;
  return message.level === 'hop' ? outputs.healer : message.level === 'mcu' ? outputs.mcu : outputs.session;
}

function isBusy({ verdicts }: FailoverDetectorState): boolean {
  for (const _ in verdicts) return true;
  return false;
}

function statusOf({ verdicts, suppression, failover }: FailoverDetectorState): Status {
  if (suppression) {
    return { fill: 'grey', shape: 'ring', words: [['suppressed']], time: { key: 'left', at: suppression.until } };
  }
  const open = Object.values(verdicts);
  const [first] = open;
  if (!first) return { fill: 'green', shape: 'dot', words: [['allWell']] };
  const since = first.level === 'focus' && failover ? failover.since : Date.parse(first.evidence[0]?.at ?? '');
  return {
    fill: 'yellow',
    shape: 'ring',
    words: open.slice(0, 2).map(({ level, mcu, phase }) => `${mcu ?? level} ${phase}`),
    time: Number.isNaN(since) ? undefined : { key: 'for', at: since },
  };
}

function complaintAbout({ rules }: NodeConfig) {
  const { complaint } = rulesOf(rules);
  if (complaint === null) return null;
  // It names the row, unless there are none.
  const rule = /^Rule (\d+(?: \(".*?"\))?): /.exec(complaint)?.[1] ?? '';
  return { text: complaint, words: ['badRule', { rule }] as const };
}

export = policyNode<FailoverDetectorState, FailoverDetectorSettings>({
  type: 'failover-detector',
  machine: failoverDetector,
  outputs: 3,
  settingsOf,
  complaintAbout,
  shared: { failoverDetectorRules: { defaults: DEFAULT_RULES, words: ruleWords } },
  outputOf,
  isBusy,
  statusOf,
  statusOfMany: (busy, all) =>
    busy > 0
      ? { fill: 'yellow', shape: 'ring', words: [['failing', { busy, all }]] }
      : { fill: all > 0 ? 'green' : 'grey', shape: 'dot', words: [all > 0 ? ['watched', { all }] : ['waiting']] },
});
