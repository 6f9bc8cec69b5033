/**
 * Participants as conference documents show them. They are never changed in place: documents that were sent hold the same
 * objects.
 */
import type { Media, Participant } from '../../recovery/messages';
import type { DocumentUser } from '../../recovery/signaling';

/** Media types that an MCU mixes; an MCU that is not known here mixes one medium of its own name. */
export function mediaTypesOf(mcu: string): readonly string[] {
  if (mcu === 'audio-video') return audioVideo;
  return mcu === 'chat' ? chat : [mcu];
}

const audioVideo = ['audio', 'video'];
const chat = ['text'];

/** A medium that flows both ways (RFC 4575, 5.8.5: status from the participant's point of view). */
export function medium(type: string): Media {
  return { id: type, type, status: 'sendrecv' };
}

/** A participant with one connected device. */
export function user(entity: string, role: string, media: Media[], displayName?: string): DocumentUser {
  return {
    state: 'full',
    entity,
    ...(displayName === undefined ? {} : { displayName }),
    roles: [role],
    endpoints: [{ state: 'full', entity: `${entity};device=1`, status: 'connected', media }],
  };
}

/** What a partial document says of a participant who is gone. */
export function deletedUser(entity: string): DocumentUser {
  return { state: 'deleted', entity, roles: [], endpoints: [] };
}

/** The same participant with other media. */
export function withMedia(known: DocumentUser, media: Media[]): DocumentUser {
  return { ...known, endpoints: known.endpoints.map((endpoint) => ({ ...endpoint, media })) };
}

/** All media of a participant. */
export function mediaOf({ endpoints }: DocumentUser): Media[] {
  return endpoints.flatMap(({ media }) => media);
}

/** A participant in the list of users. */
export function documentUser({ endpoints, ...participant }: Participant): DocumentUser {
  return { state: 'full', ...participant, endpoints: endpoints.map((endpoint) => ({ state: 'full', ...endpoint })) };
}

/** A participant outside of the list of users, where elements have no state. */
export function plainParticipant({ state: _, endpoints, ...participant }: DocumentUser): Participant {
  return { ...participant, endpoints: endpoints.map(({ state: _, ...endpoint }) => endpoint) };
}
