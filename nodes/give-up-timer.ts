/** The give-up-timer node: decides when recovery has taken too long. */
import { readCriteria } from './recovery/criteria-syntax';
import {
  type GiveUpTimerSettings,
  type GiveUpTimerState,
  giveUpTimer,
  giveUpTimerDefaults,
} from './recovery/give-up-timer';
import type { Message } from './recovery/step';
import type { Status } from './runtime/keyed-node';
import { policyNode } from './runtime/policy-node';
import { durationOf, type NodeConfig, numberOf } from './runtime/settings';

const outputs = { session: 0, timer: 1 } as const;

/** With criteria that make no sense, somebody has to give up all the same: after the default time. */
function settingsOf(config: NodeConfig): GiveUpTimerSettings {
  const defaults = giveUpTimerDefaults;
  const { criteria, complaint } = readCriteria(config.criteria);
  if (complaint !== null) return defaults;
  return {
    criteria,
    giveUpAfterMs: durationOf(config, 'giveUpAfter', defaults.giveUpAfterMs),
    attempts: numberOf(config, 'attempts', defaults.attempts),
    mediaEndedMs: durationOf(config, 'mediaEnded', defaults.mediaEndedMs),
    tickMs: durationOf(config, 'tick', defaults.tickMs),
  };
}

function outputOf(message: Message): number {
  return 'command' in message ? outputs.session : outputs.timer;
}

function statusOf({ phase, deadlines: { decision }, attempts }: GiveUpTimerState): Status {
  switch (phase) {
    case 'disarmed':
      return { fill: 'grey', shape: 'ring', text: 'not armed' };
    case 'armed': {
      const left = decision === undefined ? `${attempts} attempts` : `${secondsUntil(decision)} s left`;
      return { fill: 'blue', shape: 'dot', text: left };
    }
    case 'paused':
      return { fill: 'blue', shape: 'ring', text: 'paused' };
    case 'cancelled':
      return { fill: 'grey', shape: 'ring', text: 'cancelled' };
    case 'given-up':
      return { fill: 'red', shape: 'dot', text: 'gave up' };
  }
}

function secondsUntil(at: number): number {
  return Math.max(0, Math.ceil((at - Date.now()) / 1_000));
}

export = policyNode<GiveUpTimerState, GiveUpTimerSettings>({
  type: 'give-up-timer',
  machine: giveUpTimer,
  outputs: 2,
  settingsOf,
  complaintAbout: ({ criteria }) => readCriteria(criteria).complaint,
  outputOf,
  isBusy: ({ phase }) => phase === 'armed' || phase === 'paused',
  statusOf,
  statusOfMany: (busy, all) =>
    busy > 0
      ? { fill: 'blue', shape: 'dot', text: `${busy} of ${all} armed` }
      : { fill: 'grey', shape: 'ring', text: 'not armed' },
});
