/** The give-up-timer node: decides when recovery has taken too long. */
import { readCriteria } from './recovery/criteria-syntax';
import {
  type GiveUpTimerSettings,
  type GiveUpTimerState,
  giveUpTimer,
  giveUpTimerDefaults,
} from './recovery/give-up-timer';
import type { Message } from './recovery/step';
import { policyNode } from './runtime/policy-node';
import { durationOf, type NodeConfig, numberOf } from './runtime/settings';
import type { Status, Words } from './runtime/status';

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

function complaintAbout({ criteria }: NodeConfig) {
  const { complaint } = readCriteria(criteria);
  // It begins with the place in the tree.
  return complaint === null
    ? null
    : { text: complaint, words: ['badCriteria', { path: /^\S+/.exec(complaint)?.[0] ?? '' }] as const };
}

function statusOf(state: GiveUpTimerState, settings: GiveUpTimerSettings): Status {
  const { phase, deadlines, pausedAt, decision } = state;
  switch (phase) {
    case 'disarmed':
      return { fill: 'grey', shape: 'ring', words: [['notArmed']] };
    case 'armed': {
      const time = deadlines.decision === undefined ? undefined : { key: 'left' as const, at: deadlines.decision };
      return { fill: 'blue', shape: 'dot', words: ['Reconnecting', ...attemptsOf(state, settings)], time };
    }
    case 'paused':
      return { fill: 'blue', shape: 'ring', words: [['paused']], time: { key: 'for', at: pausedAt ?? Date.now() } };
    case 'cancelled':
      return { fill: 'grey', shape: 'ring', words: [['cancelled']] };
    case 'given-up':
      return { fill: 'red', shape: 'dot', words: [['gaveUp'], ...(decision ? [decision.criterion] : [])] };
  }
}

/** Failed attempts to heal the route, and how many of them are too many. */
function attemptsOf({ attempts }: GiveUpTimerState, settings: GiveUpTimerSettings): Words[] {
  if (settings.criteria === null && settings.attempts > 0)
    return [['attemptOf', { attempt: attempts, all: settings.attempts }]];
  return attempts > 0 ? [['attempt', { attempt: attempts }]] : [];
}

export = policyNode<GiveUpTimerState, GiveUpTimerSettings>({
  type: 'give-up-timer',
  machine: giveUpTimer,
  outputs: 2,
  settingsOf,
  complaintAbout,
  outputOf,
  isBusy: ({ phase }) => phase === 'armed' || phase === 'paused',
  statusOf,
  statusOfMany: (busy, all) =>
    busy > 0
      ? { fill: 'blue', shape: 'dot', words: [['armed', { busy, all }]] }
      : { fill: 'grey', shape: 'ring', words: [['notArmed']] },
});
