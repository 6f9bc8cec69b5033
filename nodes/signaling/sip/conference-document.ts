/** Conference documents (RFC 4575): from `application/conference-info+xml` to what the model merges. */
import { limits } from '../../recovery/limits';
import type { Endpoint, JsonObject, Media } from '../../recovery/messages';
import type { ConferenceDocument, DocumentUser } from '../../recovery/signaling';
import { attribute, child, childrenOf, parseXml, type TakeElement, type XmlElement } from './xml';

/** Media type of a conference document. */
export const conferenceDocumentType = 'application/conference-info+xml';

const namespace = 'urn:ietf:params:xml:ns:conference-info';

/** One entry of `conf-uris`: where a kind of media is reached, in Microsoft's systems an MCU (RFC 4575, 5.3.1). */
export interface ConferenceUri {
  uri: string;
  purpose: string;
}

/** One entry of `available-media` (RFC 4575, 5.3.4). */
export interface Medium {
  type: string;
  /** `sendrecv`, `sendonly`, `recvonly`, `inactive`. */
  status?: string;
}

/** A document as read. */
export interface ReadDocument {
  document: ConferenceDocument;
  /** Entries of `conf-uris` that have a purpose; null when the document has no `conf-uris`. */
  conferenceUris: ConferenceUri[] | null;
  /** Entries of `available-media`; null when the document has none. */
  availableMedia: Medium[] | null;
}

/**
 * Reads a conference document. Participants stay in the order and number in which they were sent, also several of one
 * URI. `users` may say `full` or `deleted` inside a partial document (RFC 4575, 4.6): then the document is given as full,
 * since it replaces the roster. A `users` that says nothing in a partial document is taken as partial, as servers mean it, and
 * not as full, as the schema has it.
 */
export function readConferenceDocument(text: string): ReadDocument | { error: string } {
  const lists = new Map<XmlElement, DocumentUser[]>();
  const root = parseXml(text, takeUsers(lists));
  if ('error' in root) return { error: `The conference document could not be read: ${root.error}` };
  if (root.name !== 'conference-info' || root.namespace !== namespace) {
    return { error: `The conference document could not be read: its root is <${root.name}>, not <conference-info>` };
  }
  const version = attribute(root, 'version') ?? '';
  if (!/^\d{1,10}$/.test(version)) {
    return {
      error: `The conference document could not be read: its version is "${version.slice(0, 40)}", not a number`,
    };
  }
  const users = child(root, 'users');
  const usersState = attribute(users, 'state');
  const listed = (users && usersState !== 'deleted' && lists.get(users)) || [];
  if (listed.length > limits.participants) {
    return { error: `The conference document has more than ${limits.participants} participants` };
  }
  const state = stateOf(root);
  const properties = propertiesOf(root);
  return {
    document: {
      state: state === 'partial' && (usersState === 'full' || usersState === 'deleted') ? 'full' : state,
      version: Number(version),
      users: listed,
      ...(properties ? { properties } : {}),
    },
    conferenceUris: conferenceUrisOf(root),
    availableMedia: availableMediaOf(root),
  };
}

/** Reads each `user` when it ends, into the list of the `users` that it is in, and lets go of its elements. */
function takeUsers(lists: Map<XmlElement, DocumentUser[]>): TakeElement {
  return (element, ancestors) => {
    const users = ancestors[1];
    if (element.name !== 'user' || element.namespace !== namespace) return false;
    if (ancestors.length !== 2 || users?.name !== 'users' || users.namespace !== namespace) return false;
    const user = userOf(element);
    if (!user) return true;
    const list = lists.get(users);
    if (list) list.push(user);
    else lists.set(users, [user]);
    return true;
  };
}

/** Attribute `state`; what is not said is full (RFC 4575, 4.4). */
function stateOf(element: XmlElement): 'full' | 'partial' | 'deleted' {
  const state = attribute(element, 'state');
  return state === 'partial' || state === 'deleted' ? state : 'full';
}

/** A `user` (5.6); one without `entity` has no key and is nobody. */
function userOf(element: XmlElement): DocumentUser | undefined {
  const entity = attribute(element, 'entity');
  if (!entity) return undefined;
  const displayName = child(element, 'display-text')?.text;
  return {
    entity,
    state: stateOf(element),
    ...(displayName ? { displayName } : {}),
    roles: childrenOf(child(element, 'roles'), 'entry')
      .map((entry) => entry.text)
      .filter(Boolean),
    endpoints: childrenOf(element, 'endpoint').map(endpointOf),
  };
}

/** An `endpoint` (5.7). */
function endpointOf(element: XmlElement): Endpoint & { state: 'full' | 'partial' | 'deleted' } {
  const status = child(element, 'status')?.text;
  return {
    entity: attribute(element, 'entity') ?? '',
    state: stateOf(element),
    ...(status ? { status } : {}),
    media: childrenOf(element, 'media').map(mediaOf),
  };
}

/** A `media` (5.8). */
function mediaOf(element: XmlElement): Media {
  const type = child(element, 'type')?.text;
  const status = child(element, 'status')?.text;
  return { id: attribute(element, 'id') ?? '', ...(type ? { type } : {}), ...(status ? { status } : {}) };
}

/** What the document says of the conference itself (5.3 and 5.5); the number of users is left to the roster. */
function propertiesOf(root: XmlElement): JsonObject | undefined {
  const description = child(root, 'conference-description');
  const conferenceState = child(root, 'conference-state');
  const properties: JsonObject = {};
  const texts = { displayText: 'display-text', subject: 'subject', freeText: 'free-text' };
  for (const [property, name] of Object.entries(texts)) {
    const text = child(description, name)?.text;
    if (text !== undefined) properties[property] = text;
  }
  const most = child(description, 'maximum-user-count')?.text;
  if (most !== undefined && /^\d{1,10}$/.test(most)) properties.maximumUserCount = Number(most);
  for (const name of ['active', 'locked']) {
    const text = child(conferenceState, name)?.text;
    if (text !== undefined) properties[name] = text === 'true' || text === '1';
  }
  return Object.keys(properties).length > 0 ? properties : undefined;
}

function conferenceUrisOf(root: XmlElement): ConferenceUri[] | null {
  const list = child(child(root, 'conference-description'), 'conf-uris');
  if (!list) return null;
  return childrenOf(list, 'entry').flatMap((entry) => {
    const uri = child(entry, 'uri')?.text;
    const purpose = child(entry, 'purpose')?.text;
    return uri && purpose ? [{ uri, purpose }] : [];
  });
}

function availableMediaOf(root: XmlElement): Medium[] | null {
  const list = child(child(root, 'conference-description'), 'available-media');
  if (!list) return null;
  return childrenOf(list, 'entry').flatMap((entry) => {
    const type = child(entry, 'type')?.text;
    const status = child(entry, 'status')?.text;
    return type ? [{ type, ...(status ? { status } : {}) }] : [];
  });
}
