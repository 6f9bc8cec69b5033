/**
 * A roster by the slowest means there is: it keeps every document since the last full one, and reads them all again
 * whenever somebody asks who is there (RFC 4575, 4.6).
 */
import type { Endpoint, Media, Participant } from '../../nodes/recovery/messages';
import type { ConferenceDocument, DocumentUser } from '../../nodes/recovery/signaling';

/** Who came, who went, who became different; each list sorted by URI. */
export interface NaiveDifference {
  joined: Participant[];
  left: Participant[];
  changed: Participant[];
}

/** A roster as the history of the documents that it rests on. */
export class NaiveRoster {
  private history: ConferenceDocument[] = [];
  private version: number | null = null;

  /** What a document means for us: it counts, it is old news, a whole roster that is older, or something before it was lost. */
  hear(document: ConferenceDocument): 'applied' | 'stale' | 'older' | 'gap' {
    const known = this.version;
    if (known !== null && document.version < known && document.state !== 'partial') return 'older';
    if (known !== null && document.version <= known) return 'stale';
    if (document.state === 'partial' && (known === null || document.version > known + 1)) return 'gap';
    if (document.state !== 'partial') this.history = [];
    this.history.push(document);
    this.version = document.version;
    return 'applied';
  }

  /** A new subscription counts its documents anew. */
  expectFirstDocument(): void {
    this.version = null;
  }

  /** There was a document in this subscription. */
  expectsMore(): boolean {
    return this.version !== null;
  }

  /** Everybody who is there, by URI. */
  participants(): Participant[] {
    const present: Participant[] = [];
    for (const document of this.history) {
      if (document.state === 'deleted') continue;
      for (const user of document.users) {
        const index = present.findIndex(({ entity }) => entity === user.entity);
        const before = index < 0 ? undefined : present.splice(index, 1)[0];
        if (user.state !== 'deleted') present.push(participantAfter(before, user));
      }
    }
    return sortedByEntity(present);
  }
}

function participantAfter(before: Participant | undefined, user: DocumentUser): Participant {
  const merging = before !== undefined && user.state === 'partial';
  const endpoints: Endpoint[] = merging ? [...before.endpoints] : [];
  for (const { state, ...endpoint } of user.endpoints) {
    const index = endpoints.findIndex(({ entity }) => entity === endpoint.entity);
    const known = index < 0 ? undefined : endpoints[index];
    if (index >= 0) endpoints.splice(index, 1);
    if (state === 'deleted') continue;
    const status = endpoint.status ?? (state === 'partial' ? known?.status : undefined);
    const media = state === 'partial' && known ? mediaAfter(known.media, endpoint.media) : endpoint.media;
    endpoints.push({ entity: endpoint.entity, ...(status === undefined ? {} : { status }), media });
  }
  const displayName = user.displayName ?? (merging ? before.displayName : undefined);
  return {
    entity: user.entity,
    ...(displayName === undefined ? {} : { displayName }),
    roles: merging && user.roles.length === 0 ? before.roles : user.roles,
    endpoints,
  };
}

/** A stream that is told of again keeps what is not told again. */
function mediaAfter(before: readonly Media[], told: readonly Media[]): Media[] {
  const all = before.map((stream) => ({ ...stream, ...told.find(({ id }) => id === stream.id) }));
  return [...all, ...told.filter(({ id }) => !before.some((stream) => stream.id === id))];
}

/** What is different between two rosters, found by looking everybody up in both (FE-18 to FE-21). */
export function naiveDifference(before: Participant[], after: Participant[]): NaiveDifference {
  const find = (list: Participant[], wanted: Participant) => list.find(({ entity }) => entity === wanted.entity);
  return {
    joined: sortedByEntity(after.filter((participant) => !find(before, participant))),
    left: sortedByEntity(before.filter((participant) => !find(after, participant))),
    changed: sortedByEntity(
      after.filter((participant) => {
        const known = find(before, participant);
        return known !== undefined && portrait(known) !== portrait(participant);
      }),
    ),
  };
}

/** Is there anything to tell? */
export function isNews({ joined, left, changed }: NaiveDifference): boolean {
  return joined.length + left.length + changed.length > 0;
}

/** In the order of their URIs: no order of a roster means anything. */
export function sortedByEntity<T extends { entity: string }>(list: readonly T[]): T[] {
  return [...list].sort((one, other) => (one.entity < other.entity ? -1 : 1));
}

/** A participant as a text in which only what matters makes a difference. */
function portrait({ entity, displayName, roles, endpoints }: Participant): string {
  return JSON.stringify([
    entity,
    displayName ?? null,
    [...roles].sort(),
    sortedByEntity(endpoints).map((endpoint) => [
      endpoint.entity,
      endpoint.status ?? null,
      [...endpoint.media]
        .sort((one, other) => (one.id < other.id ? -1 : 1))
        .map(({ id, type, status }) => [id, type ?? null, status ?? null]),
    ]),
  ]);
}
