/** Reading what came in over a wire: facts, requests, batches of them, and what is neither (contract, section 1). */
import { commands, complaintAbout } from '../recovery/commands';
import { argument } from '../recovery/errors';
import { complaintAboutFact } from '../recovery/heeded';
import { limits } from '../recovery/limits';
import type { Fact, JsonObject, RecoveryError, Request, Source } from '../recovery/messages';

/** One member of a payload: a fact, a request with its conference, a complaint, or nothing that concerns anybody. */
export type Member =
  | { kind: 'fact'; fact: Fact }
  | { kind: 'request'; request: Request & JsonObject; conference: string }
  | { kind: 'complaint'; error: RecoveryError; command: string; conference: string | null }
  | { kind: 'nothing' };

/** Is the payload a batch that can be taken? */
export function isBatch(payload: unknown): payload is unknown[] {
  return Array.isArray(payload) && payload.length <= limits.batch;
}

/** Reads a payload that is no batch, or a member of one. `conference` is the dialog's, or ''. */
export function memberOf(node: Source, payload: unknown, ownConference: string): Member {
  if (Array.isArray(payload) && payload.length > limits.batch) {
    const error = argument(`A batch has at most ${limits.batch} members; this one has ${payload.length}.`);
    return { kind: 'complaint', error, command: 'batch', conference: null };
  }
  const member: unknown = typeof payload === 'string' ? { command: payload } : payload;
  if (!isObject(member) || (!('event' in member) && !('command' in member))) {
    const error = argument(
      'msg.payload must be a command such as {"command": "status"}, a fact of another node of this pack, or a list of those.',
    );
    return { kind: 'complaint', error, command: 'input', conference: ownConference || null };
  }
  if ('event' in member) {
    const { event, conference } = member;
    if (typeof event !== 'string' || typeof conference !== 'string') return { kind: 'nothing' };
    const error = complaintAboutFact(node, member as JsonObject & { event: string });
    if (error === undefined) return { kind: 'nothing' };
    if (error) return { kind: 'complaint', error, command: 'input', conference };
    return { kind: 'fact', fact: member as unknown as Fact };
  }
  if (isForSession(node, member)) return { kind: 'nothing' };
  const conference = member.conference ?? ownConference;
  const command = typeof member.command === 'string' ? member.command : 'input';
  const error = complaintAbout(node, member) ?? conferenceComplaint(conference);
  if (error)
    return {
      kind: 'complaint',
      error,
      command,
      conference: typeof conference === 'string' ? conference || null : null,
    };
  return {
    kind: 'request',
    request: member as unknown as Request & JsonObject,
    conference: (conference as string).trim(),
  };
}

/**
 * Is it what a policy node asks of a session (`heal`, `probe`, `terminate`; they name the dialog), met on a wire to another
 * node? Any output may be wired to any input, so it is no mistake.
 */
function isForSession(node: Source, { command, dialog }: JsonObject): boolean {
  if (typeof command !== 'string' || !Number.isInteger(dialog)) return false;
  return Object.hasOwn(commands['conference-session'], command) && !Object.hasOwn(commands[node], command);
}

function conferenceComplaint(conference: unknown): RecoveryError | null {
  if (typeof conference === 'string' && conference.trim() !== '') return null;
  return argument(
    'No conference: set one in the dialog of the node, or send its URI as "conference", for instance "sip:daily@example.com".',
  );
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
