/** The failover-detector node: turns signals into verdicts. */
import {
  type FailoverDetectorSettings,
  type FailoverDetectorState,
  failoverDetector,
  failoverDetectorDefaults,
} from './recovery/failover-detector';
import type { Message } from './recovery/step';
import type { Status } from './runtime/keyed-node';
import { policyNode } from './runtime/policy-node';
import { choiceOf, durationOf, type NodeConfig, numberOf } from './runtime/settings';

const outputs = { session: 0, mcu: 1, healer: 2 } as const;

/** What the presets of the dialog stand for; the fields under *Advanced* count with `custom`. */
const presets: { readonly [preset: string]: Partial<FailoverDetectorSettings> } = {
  standard: {},
  quick: { missedHeartbeats: 1, failoverWindowMs: 10_000 },
  patient: { missedHeartbeats: 4, failoverWindowMs: 60_000 },
};

function settingsOf(config: NodeConfig): FailoverDetectorSettings {
  const defaults = failoverDetectorDefaults;
  const preset = presets[choiceOf(config, 'preset', ['standard', 'quick', 'patient', 'custom'])];
  if (preset) return { ...defaults, ...preset };
  return {
    ...defaults,
    probing: config.probing !== false,
    failoverWindowMs: durationOf(config, 'failoverWindow', defaults.failoverWindowMs),
    probeIntervalMs: durationOf(config, 'probeInterval', defaults.probeIntervalMs),
    missedHeartbeats: Math.max(1, numberOf(config, 'missedHeartbeats', defaults.missedHeartbeats)),
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

function statusOf({ verdicts, suppression }: FailoverDetectorState): Status {
  if (suppression) return { fill: 'grey', shape: 'ring', text: 'suppressed' };
  const open = Object.values(verdicts).map(({ level, mcu, phase }) => `${mcu ?? level} ${phase}`);
  if (open.length === 0) return { fill: 'green', shape: 'dot', text: 'all well' };
  return { fill: 'yellow', shape: 'ring', text: open.slice(0, 2).join(' · ') };
}

export = policyNode<FailoverDetectorState, FailoverDetectorSettings>({
  type: 'failover-detector',
  machine: failoverDetector,
  outputs: 3,
  settingsOf,
  outputOf,
  isBusy,
  statusOf,
  statusOfMany: (busy, all) =>
    busy > 0
      ? { fill: 'yellow', shape: 'ring', text: `${busy} of ${all} failing` }
      : { fill: all > 0 ? 'green' : 'grey', shape: 'dot', text: all > 0 ? `${all} watched` : 'waiting' },
});
