/**
 * Rosters: how a conference document changes one (RFC 4575, 4.6), and what differs between two. A roster is never changed
 * in place, so a reference to one is a snapshot of it.
 */
import { limits } from './limits';
import type { Endpoint, Media, Participant } from './messages';
import { dictionary, nothing, ownOf, put } from './own-properties';
import type { ConferenceDocument, DocumentUser } from './signaling';

/** Participants by entity. */
export type Participants = { readonly [entity: string]: Participant };

/** A roster and how far its subscription has come. */
export interface Roster {
  /** Version of the latest document of this subscription; null before the first. */
  version: number | null;
  participants: Participants;
  total: number;
}

/** What became different; `joined`, `left` and `changed` hold copies that the receiver may keep. */
export interface RosterDifference {
  joined: Participant[];
  left: Participant[];
  changed: Participant[];
}

/**
 * - `applied`: the document is part of the roster now.
 * - `stale`: it is not newer than what is known, and was dropped.
 * - `behind`: the same of a full document that is older. It came late, or the server counts anew inside a living
 *   subscription, as real ones do; what follows it tells which.
 * - `gap`: a document before it is missing; the subscription must be refreshed (RFC 4575, 4.6).
 * - `full-up`: it has more participants than a roster may have.
 */
export type ApplyResult =
  | { kind: 'applied'; roster: Roster; difference: RosterDifference }
  | { kind: 'stale' | 'behind' | 'gap' | 'full-up' };

export const emptyRoster: Roster = { version: null, participants: nothing.table, total: 0 };

/** The same participants, waiting for the first document of a new subscription. */
export function awaitingResync(roster: Roster): Roster {
  return { ...roster, version: null };
}

/** Applies a document by the rules of RFC 4575, 4.6. */
export function applyDocument(roster: Roster, document: ConferenceDocument): ApplyResult {
  if (document.state === 'partial') {
    if (roster.version === null || document.version > roster.version + 1) return { kind: 'gap' };
    if (document.version <= roster.version) return { kind: 'stale' };
    return merge(roster, document);
  }
  if (roster.version !== null && document.version < roster.version) return { kind: 'behind' };
  if (document.version === roster.version) return { kind: 'stale' };
  return replace(roster, document);
}

function replace(roster: Roster, document: ConferenceDocument): ApplyResult {
  const participants = document.users.length > 0 ? dictionary<Participant>() : nothing.table;
  let total = 0;
  for (const user of document.users) {
    if (user.state === 'deleted') continue;
    const known = ownOf(participants, user.entity);
    if (!known) total += 1;
    put(participants, user.entity, known ? mergeUser(known, another(user)) : fullUser(user));
  }
  if (total > limits.participants) return { kind: 'full-up' };
  return {
    kind: 'applied',
    roster: { version: document.version, participants, total },
    difference: differenceBetween(roster.participants, participants),
  };
}

function merge(roster: Roster, document: ConferenceDocument): ApplyResult {
  const participants = dictionary<Participant>();
  for (const entity in roster.participants) put(participants, entity, roster.participants[entity] as Participant);
  const difference: RosterDifference = { joined: [], left: [], changed: [] };
  const touched = new Set<string>();
  for (const user of document.users) {
    const known = ownOf(participants, user.entity);
    if (user.state === 'deleted') delete participants[user.entity];
    else if (known && touched.has(user.entity)) put(participants, user.entity, mergeUser(known, another(user)));
    else put(participants, user.entity, known && user.state === 'partial' ? mergeUser(known, user) : fullUser(user));
    touched.add(user.entity);
  }
  let total = roster.total;
  for (const entity of touched) {
    const before = ownOf(roster.participants, entity);
    const after = ownOf(participants, entity);
    if (after && !before) total += 1;
    if (before && !after) total -= 1;
    compare(before, after, difference);
  }
  if (total > limits.participants) return { kind: 'full-up' };
  return { kind: 'applied', roster: { version: document.version, participants, total }, difference };
}

/**
 * One more user of an entity that the document has named before: real servers list each device of a person as a user of its
 * own, even with the same endpoint, so that only the media differ. It adds to what is there.
 */
function another(user: DocumentUser): DocumentUser {
  const endpoints = user.endpoints.map((each) =>
    each.state === 'full' ? { ...each, state: 'partial' as const } : each,
  );
  return { ...user, state: 'partial', endpoints };
}

/** Field by field, as what takes "the rest" of an object takes three times as long, and rosters have thousands. */
function fullUser({ entity, displayName, roles: told, endpoints }: DocumentUser): Participant {
  const roles = sharedRoles(told);
  const isWhole = endpoints.every(({ state }) => state !== 'deleted');
  const present = (isWhole ? endpoints : endpoints.filter(({ state }) => state !== 'deleted')).map(fullEndpoint);
  return displayName === undefined
    ? { entity, roles, endpoints: present }
    : { entity, displayName, roles, endpoints: present };
}

function fullEndpoint({ entity, status, media: told }: DocumentUser['endpoints'][number]): Endpoint {
  const media = sharedMedia(told);
  return status === undefined ? { entity, media } : { entity, status, media };
}

/** So many different lists are shared, for each of what is below. */
const mostShared = 1_000;

/** Most people have the same roles and the same media, and a hundred thousand rosters need not say so one by one. */
const sharedRoles = shared<string>((role) => role);
const sharedMedia = shared<Media>(({ id, type, status }) => `${id}\n${type}\n${status}`);

/** The first of all equal lists, for any of them; nobody changes one. `keyOf` tells all that there is in an item. */
function shared<Item>(keyOf: (item: Item) => string): (list: Item[]) => Item[] {
  const lists = new Map<string, Item[]>();
  return (list) => {
    const key = list.length === 1 ? keyOf(list[0] as Item) : list.map(keyOf).join('\n\n');
    const known = lists.get(key);
    if (known) return known;
    if (lists.size < mostShared) lists.set(key, list);
    return list;
  };
}

function mergeUser(known: Participant, user: DocumentUser): Participant {
  const endpoints = new Map(known.endpoints.map((endpoint) => [endpoint.entity, endpoint]));
  for (const endpoint of user.endpoints) {
    const before = endpoints.get(endpoint.entity);
    if (endpoint.state === 'deleted') endpoints.delete(endpoint.entity);
    else if (endpoint.state === 'partial' && before) endpoints.set(endpoint.entity, mergeEndpoint(before, endpoint));
    else endpoints.set(endpoint.entity, fullEndpoint(endpoint));
  }
  return {
    ...known,
    ...(user.displayName === undefined ? {} : { displayName: user.displayName }),
    roles: user.roles.length > 0 ? user.roles : known.roles,
    endpoints: [...endpoints.values()],
  };
}

function mergeEndpoint(known: Endpoint, { state: _, ...endpoint }: DocumentUser['endpoints'][number]): Endpoint {
  const media = new Map(known.media.map((stream) => [stream.id, stream]));
  for (const stream of endpoint.media) media.set(stream.id, { ...media.get(stream.id), ...stream });
  return { ...known, ...endpoint, media: [...media.values()] };
}

/** Everything that differs between two sets of participants. */
export function differenceBetween(before: Participants, after: Participants): RosterDifference {
  const difference: RosterDifference = { joined: [], left: [], changed: [] };
  for (const entity in before) compare(before[entity], ownOf(after, entity), difference);
  for (const entity in after) if (!Object.hasOwn(before, entity)) compare(undefined, after[entity], difference);
  return difference;
}

/** Does anything differ? */
export function isDifferent({ joined, left, changed }: RosterDifference): boolean {
  return joined.length > 0 || left.length > 0 || changed.length > 0;
}

function compare(before: Participant | undefined, after: Participant | undefined, difference: RosterDifference): void {
  if (before === after) return;
  if (!before) difference.joined.push(copyOf(after as Participant));
  else if (!after) difference.left.push(copyOf(before));
  else if (!sameParticipant(before, after)) difference.changed.push(copyOf(after));
}

/** Copies of all participants, for a message that others may change. */
export function copyOfAll(participants: Participants): Participant[] {
  return Object.values(participants).map(copyOf);
}

function copyOf(participant: Participant): Participant {
  return {
    ...participant,
    roles: [...participant.roles],
    endpoints: participant.endpoints.map((endpoint) => ({
      ...endpoint,
      media: endpoint.media.map((stream) => ({ ...stream })),
    })),
  };
}

function sameParticipant(one: Participant, other: Participant): boolean {
  return (
    one.displayName === other.displayName &&
    sameList(one.roles, other.roles, (a, b) => a === b) &&
    sameList(one.endpoints, other.endpoints, sameEndpoint)
  );
}

function sameEndpoint(one: Endpoint, other: Endpoint): boolean {
  return one.entity === other.entity && one.status === other.status && sameList(one.media, other.media, sameMedia);
}

function sameMedia(one: Media, other: Media): boolean {
  return one.id === other.id && one.type === other.type && one.status === other.status;
}

function sameList<T>(one: readonly T[], other: readonly T[], same: (a: T, b: T) => boolean): boolean {
  return one.length === other.length && one.every((item, index) => same(item, other[index] as T));
}

/** Media types that an MCU mixes (RFC 4575, 5.8.2; session types of conference servers); others: the MCU's own name. */
export const modalities: { readonly [mcu: string]: readonly string[] } = {
  'audio-video': ['audio', 'video', 'audio-video'],
  chat: ['text', 'message', 'chat'],
};

/**
 * The roster of one MCU: who has media there, with just that media. It follows from the Focus's roster, so it comes without
 * a call to the MCU (UCMA, conference scheduling and management).
 */
export function participantsOf(participants: Participants, mcu: string): Participants {
  const types = modalities[mcu] ?? [mcu];
  const mixes = ({ type, id }: Media): boolean => types.includes(type ?? id);
  const everybody = Object.values(participants);
  const present = everybody.map((participant) => withMedia(participant, mixes));
  // Most of the time it is nobody, or all there are, and a roster that is there already can be shared.
  if (present.every((participant) => participant === null)) return nothing.table;
  if (present.every((participant, index) => participant === everybody[index])) return participants;
  const those = dictionary<Participant>();
  for (const participant of present) if (participant !== null) put(those, participant.entity, participant);
  return those;
}

/** A participant with just such media, who is the same one where that is all of them; null without any. */
function withMedia(participant: Participant, mixes: (stream: Media) => boolean): Participant | null {
  const { endpoints } = participant;
  if (endpoints.length > 0 && endpoints.every(({ media }) => media.length > 0 && media.every(mixes)))
    return participant;
  const present = endpoints
    .map((endpoint) => ({ ...endpoint, media: sharedMedia(endpoint.media.filter(mixes)) }))
    .filter(({ media }) => media.length > 0);
  return present.length > 0 ? { ...participant, endpoints: present } : null;
}
