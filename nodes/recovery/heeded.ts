/**
 * The facts that every node heeds, and what they must have to be of use; one table, as `commands.ts` is for requests. A
 * node ignores all others. Facts may come from anywhere (a function node, MQTT), so they are checked like requests.
 */
import { type ArgumentRule, type CommandRule, complaintIn } from './commands';
import type { JsonObject, RecoveryError, Source } from './messages';
import { ownOf } from './own-properties';

const optional = (kind: ArgumentRule['kind']): ArgumentRule => ({ kind });
const required = (kind: ArgumentRule['kind']): ArgumentRule => ({ kind, required: true });

const outage: CommandRule = { dialog: required('integer'), incident: optional('string') };
const modes = ['rejoining', 'recovering'] as const;
const conferenceStates = [
  'Idle',
  'Connecting',
  'InLobby',
  'Connected',
  'Reconnecting',
  'Disconnecting',
  'Disconnected',
] as const;
const mcuStates = ['Idle', 'Active', 'Retrying', 'Terminated'] as const;
const callStates = ['None', 'Establishing', 'Established', 'Terminating', 'Terminated'] as const;

/** The session about itself; an MCU session's `state-changed` may come over the same wires. */
const session: { readonly [event: string]: CommandRule } = {
  'state-changed': { ...outage, state: required([...conferenceStates, ...mcuStates]), mode: optional(modes) },
  'mode-changed': { ...outage, mode: required(modes) },
  'session-status': {
    ...outage,
    state: required(conferenceStates),
    mode: optional(modes),
    restored: optional('boolean'),
  },
};

const signal: CommandRule = {
  ...outage,
  signal: required('string'),
  seq: required('integer'),
  at: required('string'),
  purpose: optional('string'),
  method: optional('string'),
  status: optional('integer'),
  mcu: optional('string'),
  attempt: optional('integer'),
  recoveryAction: optional('strings'),
  retryAfterMs: optional('duration'),
  elapsedMs: optional('duration'),
};

const verdict: CommandRule = {
  ...outage,
  level: required(['focus', 'mcu', 'hop']),
  phase: required(['suspected', 'failed', 'failed-over', 'cleared']),
  evidence: required('list'),
  mcu: optional('string'),
  active: optional('boolean'),
  recoveryAction: optional('strings'),
};

/** Facts by node type (contract, sections 2 to 4). */
export const heeded: { readonly [node in Source]: { readonly [event: string]: CommandRule } } = {
  'conference-session': {
    'failover-detected': verdict,
    'route-status-changed': {
      ...outage,
      status: required(['Recovering', 'Healthy']),
      recoveryMode: optional(['None', 'LimitedRetry', 'MaximumRetry']),
      attempts: required('integer'),
    },
    'healing-abandoned': { ...outage, reason: required('string') },
    // Of other nodes that hold, or take over, the same conference.
    'session-status': { ...session['session-status'], owner: optional('string'), epoch: optional('integer') },
    'operation-completed': { operation: required('string') },
  },
  'mcu-session': { 'failover-detected': verdict },
  'failover-detector': { ...session, signal },
  'route-healer': { ...session, signal, 'failover-detected': verdict },
  'give-up-timer': {
    ...session,
    'heal-attempted': { ...outage, attempt: required('integer'), outcome: required('string') },
    'media-changed': { mcu: required('string'), flowing: required('boolean') },
    'call-state-changed': { mcu: required('string'), state: required(callStates) },
    'roster-changed': { left: required('list'), total: required('integer'), mcu: optional('string') },
    'operation-failed': { incident: optional('string'), operation: required('string'), error: required('error') },
  },
  'fault-injector': {},
};

/** What is wrong with a fact that a node of this type heeds; null when nothing is, undefined for one that it ignores. */
export function complaintAboutFact(
  node: Source,
  fact: JsonObject & { event: string },
): RecoveryError | null | undefined {
  const { event } = fact;
  const rule = ownOf(heeded[node], event);
  return rule && complaintIn(event, fact, rule);
}
