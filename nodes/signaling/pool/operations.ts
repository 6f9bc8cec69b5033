/** What a participant may ask of a conference (contract, sections 2 and 3), and what it does there. */
import type { JsonObject } from '../../recovery/messages';
import type { DocumentUser, Outcome } from '../../recovery/signaling';
import { accepted, refused } from './answers';
import { type Focus, type Mcu, mixes } from './focus';
import { mediaOf, mediaTypesOf, medium, user, withMedia } from './participants';
import type { System } from './system';

type FocusOperation = (focus: Focus, given: JsonObject, system: System) => Outcome;
type McuOperation = (focus: Focus, given: JsonObject, mcu: Mcu, asker: string) => Outcome;

const noSuchParticipant = (): Outcome => refused(404, 'EndpointDoesNotExist');
const noRoom = (): Outcome => refused(403, 'MaximumMeetingSizeExceeded');
const notAUri = (): Outcome => refused(400, 'InvalidUserEntity');

/** Operations on the conference. */
export const focusOperations: { readonly [operation: string]: FocusOperation } = {
  lock: (focus) => configure(focus, { locked: true }),
  unlock: (focus) => configure(focus, { locked: false }),
  'modify-configuration': (focus, { accessLevel, lobbyBypass, automaticLeaderAssignment }) => {
    const given: JsonObject = { accessLevel, lobbyBypass, automaticLeaderAssignment };
    for (const name in given) if (given[name] === undefined) delete given[name];
    return configure(focus, given);
  },
  eject: (focus, { participant }) => (focus.remove(String(participant)) ? accepted : noSuchParticipant()),
  'modify-role': (focus, { participant, role }) => {
    const known = focus.users.get(String(participant));
    if (!known) return noSuchParticipant();
    if (role !== 'attendee' && role !== 'presenter') return refused(400, 'InvalidRole');
    if (known.roles[0] !== role) focus.put({ ...known, roles: [role] });
    return accepted;
  },
  admit: (focus, { participants }) => emptyLobby(focus, participants, true),
  deny: (focus, { participants }) => emptyLobby(focus, participants, false),
  invite: (focus, { participant }) => {
    if (typeof participant !== 'string') return notAUri();
    if (focus.users.has(participant)) return accepted;
    if (!focus.hasRoom()) return noRoom();
    focus.lobby.delete(participant);
    focus.put(user(participant, 'attendee', []));
    return accepted;
  },
  'end-conference': (focus, _, system) => {
    system.end(focus);
    return accepted;
  },
};

/** Operations on one MCU. */
export const mcuOperations: { readonly [operation: string]: McuOperation } = {
  'dial-out': (focus, { participant }, mcu) => {
    if (typeof participant !== 'string') return notAUri();
    const known = focus.users.get(participant);
    if (!known && !focus.hasRoom()) return noRoom();
    if (known && mediaOf(known).some((media) => mixes(mcu, media))) return accepted;
    const media = medium(mediaTypesOf(mcu.name)[0] as string);
    focus.put(known ? withMedia(known, [...mediaOf(known), media]) : user(participant, 'attendee', [media]));
    return accepted;
  },
  eject: (focus, { participant }, mcu) => {
    const known = focus.users.get(String(participant));
    if (!known) return noSuchParticipant();
    if (focus.dialogs.has(known.entity)) {
      focus.hangUp(mcu, known.entity);
      focus.callsChanged(known.entity);
      return accepted;
    }
    const left = mediaOf(known).filter((media) => !mixes(mcu, media));
    if (left.length === mediaOf(known).length) return refused(404, 'MediaDoesNotExist');
    focus.put(withMedia(known, left));
    return accepted;
  },
  mute: (focus, { participant }, mcu, asker) => direct(focus, participant, mcu, asker, 'recvonly'),
  unmute: (focus, { participant }, mcu, asker) => direct(focus, participant, mcu, asker, 'sendrecv'),
};

function configure(focus: Focus, properties: JsonObject): Outcome {
  focus.configure(properties);
  return accepted;
}

function emptyLobby(focus: Focus, participants: unknown, admitted: boolean): Outcome {
  const entities = Array.isArray(participants) ? participants.map(String) : [];
  if (entities.length === 0) return notAUri();
  if (!entities.every((entity) => focus.lobby.has(entity))) return noSuchParticipant();
  focus.emptyLobby(new Set(entities), admitted);
  return accepted;
}

/** Sets the direction of the media of one participant or, without one, of everybody but the asker. */
function direct(focus: Focus, participant: unknown, mcu: Mcu, asker: string, status: string): Outcome {
  const everybody = participant === undefined;
  const chosen = everybody ? [...focus.users.values()] : [focus.users.get(String(participant))];
  const changed: DocumentUser[] = [];
  for (const known of chosen) {
    if (!known) return noSuchParticipant();
    if (everybody && known.entity === asker) continue;
    const media = mediaOf(known);
    const mixed = media.filter((one) => mixes(mcu, one));
    if (!everybody && mixed.length === 0) return refused(404, 'MediaDoesNotExist');
    if (mixed.every((one) => one.status === status)) continue;
    changed.push(
      withMedia(
        known,
        media.map((one) => (mixes(mcu, one) ? { ...one, status } : one)),
      ),
    );
  }
  if (changed.length > 0) focus.putAll(changed);
  return accepted;
}
