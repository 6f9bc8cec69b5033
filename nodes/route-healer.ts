/** The route-healer node: decides when a broken route is tried again. */
import {
  type RouteHealerSettings,
  type RouteHealerState,
  routeHealer,
  routeHealerDefaults,
} from './recovery/route-healer';
import type { Message } from './recovery/step';
import { policyNode } from './runtime/policy-node';
import { choiceOf, durationOf, type NodeConfig, numberOf } from './runtime/settings';
import type { Status, Words } from './runtime/status';

const outputs = { session: 0, attempts: 1 } as const;

function settingsOf(config: NodeConfig): RouteHealerSettings {
  const defaults = routeHealerDefaults;
  return {
    ...defaults,
    mode: choiceOf(config, 'mode', ['MaximumRetry', 'LimitedRetry', 'None']),
    periodMs: durationOf(config, 'period', defaults.periodMs),
    jitter: numberOf(config, 'jitter', defaults.jitter * 100) / 100,
    backOff: Math.max(1, numberOf(config, 'backOff', defaults.backOff)),
    method: choiceOf(config, 'method', ['UPDATE', 're-INVITE', 'OPTIONS']),
    attemptTimeoutMs: durationOf(config, 'attemptTimeout', defaults.attemptTimeoutMs),
    horizonMs: durationOf(config, 'horizon', defaults.horizonMs),
  };
}

function outputOf(message: Message): number {
  const forPeople = 'event' in message && (message.event === 'heal-attempted' || message.event === 'healer-status');
  return forPeople ? outputs.attempts : outputs.session;
}

function statusOf({ phase, attempt, deadlines, abandonedFor }: RouteHealerState): Status {
  switch (phase) {
    case 'idle':
      return { fill: 'green', shape: 'dot', words: ['Healthy'] };
    case 'repairing':
      return { fill: 'blue', shape: 'ring', words: [['repairing']] };
    case 'waiting':
      return recovering(attempt, deadlines.attempt);
    case 'attempting':
      return recovering(attempt);
    case 'abandoned':
      return { fill: 'red', shape: 'ring', words: [['abandoned'], ...(abandonedFor ? [abandonedFor] : [])] };
  }
}

function recovering(attempt: number, nextAt?: number): Status {
  const words: Words[] = ['Recovering', ['attempt', { attempt }]];
  return { fill: 'yellow', shape: 'ring', words, time: nextAt === undefined ? undefined : { key: 'next', at: nextAt } };
}

export = policyNode<RouteHealerState, RouteHealerSettings>({
  type: 'route-healer',
  machine: routeHealer,
  outputs: 2,
  settingsOf,
  outputOf,
  isBusy: (state) => !routeHealer.idle(state),
  statusOf,
  statusOfMany: (busy, all) =>
    busy > 0
      ? { fill: 'yellow', shape: 'ring', words: [['routesRecovering', { busy, all }]] }
      : { fill: all > 0 ? 'green' : 'grey', shape: 'dot', words: [all > 0 ? ['healthy', { all }] : ['waiting']] },
});
