/**
 * The commands of every node: which there are, and what they take. One table, from which bad input is told apart, and
 * against which help texts are tested.
 */
import { argument, invalidOperation } from './errors';
import type { JsonObject, RecoveryError, Source } from './messages';

/**
 * What an argument must be. `uri` is a non-empty string; `duration` is milliseconds, from zero to a hundred years; `error` is
 * a typed error as far as others can tell its class.
 */
export type ArgumentKind =
  | 'uri'
  | 'string'
  | 'boolean'
  | 'duration'
  | 'integer'
  | 'uris'
  | 'strings'
  | 'list'
  | 'object'
  | 'error'
  | readonly string[];

/** One argument of a command. */
export interface ArgumentRule {
  kind: ArgumentKind;
  required?: true;
}

/** Arguments by name. */
export type CommandRule = { readonly [argument: string]: ArgumentRule };

const participant: CommandRule = { participant: { kind: 'uri', required: true } };
const participants: CommandRule = { participants: { kind: 'uris', required: true } };
const mcu: CommandRule = { mcu: { kind: 'string', required: true } };
const roles = ['attendee', 'presenter'] as const;
const nothing: CommandRule = {};
/** What any request may have. */
const common: CommandRule = { epoch: { kind: 'integer' } };

/** Commands by node type (contract, sections 2 to 4 and 7). */
export const commands: { readonly [node in Source]: { readonly [command: string]: CommandRule } } = {
  'conference-session': {
    join: { displayName: { kind: 'string' }, role: { kind: roles }, passcode: { kind: 'string' } },
    terminate: {
      reason: { kind: 'string' },
      incident: { kind: 'string' },
      dialog: { kind: 'integer' },
      criterion: { kind: 'string' },
      explanation: { kind: 'string' },
    },
    'end-conference': nothing,
    lock: nothing,
    unlock: nothing,
    eject: participant,
    invite: participant,
    'modify-role': { ...participant, role: { kind: roles, required: true } },
    'modify-configuration': {
      accessLevel: { kind: 'string' },
      lobbyBypass: { kind: 'boolean' },
      automaticLeaderAssignment: { kind: 'string' },
    },
    admit: participants,
    deny: participants,
    heal: {
      dialog: { kind: 'integer', required: true },
      attempt: { kind: 'integer', required: true },
      method: { kind: ['UPDATE', 're-INVITE', 'OPTIONS'] },
    },
    probe: { dialog: { kind: 'integer', required: true } },
    roster: nothing,
    status: nothing,
    snapshot: nothing,
    restore: { snapshot: { kind: 'object', required: true } },
  },
  'mcu-session': {
    call: { media: { kind: 'strings' } },
    'hang-up': nothing,
    'dial-out': participant,
    eject: participant,
    mute: { participant: { kind: 'uri' } },
    unmute: { participant: { kind: 'uri' } },
    send: { text: { kind: 'string', required: true } },
    status: nothing,
    roster: nothing,
  },
  'failover-detector': { reset: nothing, suppress: { forMs: { kind: 'duration', required: true } }, status: nothing },
  'route-healer': { 'heal-now': nothing, stop: nothing, status: nothing },
  'give-up-timer': {
    extend: { byMs: { kind: 'duration', required: true } },
    pause: nothing,
    resume: nothing,
    cancel: nothing,
    'give-up': nothing,
    status: nothing,
  },
  'fault-injector': {
    'kill-front-end': { frontEnd: { kind: 'string' } },
    'restore-front-end': { frontEnd: { kind: 'string' } },
    'roll-over-mcu': { ...mcu, forMs: { kind: 'duration' } },
    'break-hop': { how: { kind: ['refuse', 'silent', 'stale-route'] }, forMs: { kind: 'duration' } },
    'restore-hop': nothing,
    'drop-media': mcu,
    'restore-media': mcu,
    'place-in-lobby': nothing,
    admit: nothing,
    eject: nothing,
    'end-conference': nothing,
    'participant-join': participant,
    'participant-leave': participant,
    status: nothing,
  },
};

/** What is wrong with a request to a node of this type, or null when nothing is. */
export function complaintAbout(node: Source, request: JsonObject): RecoveryError | null {
  const name = request.command;
  if (typeof name !== 'string') return argument('"command" must be a string such as "status".');
  const known = commands[node];
  const rule = Object.hasOwn(known, name) ? known[name] : undefined;
  if (!rule) {
    const named = name.length > 50 ? `${name.slice(0, 49)}…` : name;
    return invalidOperation(`${node} has no command "${named}". It has: ${Object.keys(known).join(', ')}.`);
  }
  return complaintIn(name, request, rule) ?? complaintIn(name, request, common);
}

/** What is wrong with the properties of something, by a rule, or null when nothing is. */
export function complaintIn(name: string, given: JsonObject, rule: CommandRule): RecoveryError | null {
  for (const { key, kind, required } of listed(rule)) {
    const value = given[key];
    if (value === undefined || value === null) {
      if (required) return argument(`"${name}" needs "${key}": ${describe(kind)}.`);
    } else if (!matches(value, kind)) {
      return argument(`"${key}" of "${name}" must be ${describe(kind)}.`);
    }
  }
  return null;
}

const lists = new WeakMap<CommandRule, readonly (ArgumentRule & { readonly key: string })[]>();

/** The arguments of a rule one after the other: this is asked for every message. */
function listed(rule: CommandRule): readonly (ArgumentRule & { readonly key: string })[] {
  let list = lists.get(rule);
  if (list === undefined) {
    list = Object.entries(rule).map(([key, argument]) => ({ key, ...argument }));
    lists.set(rule, list);
  }
  return list;
}

/** A hundred years: beyond, an instant so long from now could not be written as a date some day. */
const longestMs = 100 * 365 * 86_400_000;

function matches(value: unknown, kind: ArgumentKind): boolean {
  if (typeof kind !== 'string') return typeof value === 'string' && kind.includes(value);
  switch (kind) {
    case 'string':
      return typeof value === 'string';
    case 'uri':
      return isUri(value);
    case 'boolean':
      return typeof value === 'boolean';
    case 'duration':
      return typeof value === 'number' && value >= 0 && value <= longestMs;
    case 'integer':
      return Number.isSafeInteger(value) && (value as number) >= 0;
    case 'uris':
      return Array.isArray(value) && value.length > 0 && value.every(isUri);
    case 'strings':
      return Array.isArray(value) && value.every((item) => typeof item === 'string');
    case 'list':
      return Array.isArray(value);
    case 'object':
      return typeof value === 'object' && !Array.isArray(value);
    case 'error':
      return isError(value);
  }
}

function isError(value: unknown): boolean {
  const { name, code, bases } = value as JsonObject;
  return matches(name, 'string') && matches(code, 'string') && matches(bases, 'strings');
}

function isUri(value: unknown): boolean {
  return typeof value === 'string' && value.trim() !== '';
}

function describe(kind: ArgumentKind): string {
  if (typeof kind !== 'string') return `one of ${kind.map((word) => `"${word}"`).join(', ')}`;
  return {
    uri: 'a URI such as "sip:ada@example.com"',
    string: 'a string',
    boolean: 'true or false',
    duration: 'a number of milliseconds, zero or more and a hundred years at most',
    integer: 'a whole number, zero or more',
    uris: 'a list of at least one URI',
    strings: 'a list of strings',
    list: 'a list',
    object: 'an object',
    error: 'an error with name, code and bases',
  }[kind];
}
