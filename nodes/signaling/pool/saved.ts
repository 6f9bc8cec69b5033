/** What the pool keeps over a restart: types and shapes of it. It may come from anywhere, so it is read by shape. */
import type { JsonObject, Participant } from '../../recovery/messages';
import { participant } from '../../recovery/saved-states';
import { amount, count, flag, json, list, Misfit, object, orNull, type Shape, text, word } from '../../recovery/shapes';
import type { McuReports, Placement } from '../../recovery/signaling';
import { poolLimits } from './options';
import type { Hop } from './route';

/** A call that was established, as our end knows it; `known` is whether its MCU does. */
export interface SavedCall {
  callId: string;
  mcu: string;
  media: readonly string[];
  phase: 'established' | 'over';
  flowing: boolean;
  flowingSince: number;
  packets: number;
  lastPacketAt: number | null;
  known: boolean;
}

/** Our end of a conference. */
export interface SavedLine {
  dialog: number;
  established: boolean;
  connected: boolean;
  routeSet: number;
  sessionTimer: 'running' | 'paused';
  conferenceOver: boolean;
  calls: SavedCall[];
}

/** One MCU; instants are ms since 1970. */
export interface SavedMcu {
  name: string;
  report: Exclude<NonNullable<McuReports>[string], 'unsupported'>;
  host: string | null;
  failed: string | null;
  activationAt: number | null;
}

/** A conference, without those who take part through ports of their own. */
export interface SavedFocus {
  users: Participant[];
  lobby: Participant[];
  properties: JsonObject;
  host: string | null;
  moves: number;
  /** When the Focus lives on another front end, and on which it failed. */
  move: { at: number; failed: string | null } | null;
  mcus: SavedMcu[];
  /** Ours. */
  dialog: { number: number; version: number; placement: Placement } | null;
}

/** Both ends of a conference. */
export interface SavedConference {
  version: 1;
  line: SavedLine;
  focus: SavedFocus | null;
}

/** The hops. */
export interface SavedRoute {
  hops: { condition: Hop['condition']; repairAt: number | null }[];
  routeSet: number;
  oldestValid: number;
  /** Position of what the jitter is drawn from. */
  random: number;
}

/** What all conferences share. */
export interface SavedSystem {
  version: 1;
  /** Names of the front ends that are down; the one that was killed last comes last. */
  down: string[];
  route: SavedRoute;
  /** Conferences whose lobby our next join ends up in. */
  lobbyNext: string[];
}

const one: Shape<1> = (value, path) => {
  if (value !== 1) throw new Misfit(`"${path}" must be 1.`);
  return 1;
};

const participants = list(participant, poolLimits.participants);

const conference = object<SavedConference>({
  version: one,
  line: object<SavedLine>({
    dialog: count,
    established: flag,
    connected: flag,
    routeSet: count,
    sessionTimer: word('running', 'paused'),
    conferenceOver: flag,
    calls: list(
      object<SavedCall>({
        callId: text,
        mcu: text,
        media: list(text),
        phase: word('established', 'over'),
        flowing: flag,
        flowingSince: amount,
        packets: count,
        lastPacketAt: orNull(amount),
        known: flag,
      }),
      poolLimits.calls,
    ),
  }),
  focus: orNull(
    object<SavedFocus>({
      users: participants,
      lobby: participants,
      properties: json,
      host: orNull(text),
      moves: count,
      move: orNull(object<NonNullable<SavedFocus['move']>>({ at: amount, failed: orNull(text) })),
      mcus: list(
        object<SavedMcu>({
          name: text,
          report: word('active', 'inactive', 'failing-over'),
          host: orNull(text),
          failed: orNull(text),
          activationAt: orNull(amount),
        }),
        poolLimits.mcus,
      ),
      dialog: orNull(
        object<NonNullable<SavedFocus['dialog']>>({
          number: count,
          version: count,
          placement: word('conference', 'lobby'),
        }),
      ),
    }),
  ),
});

const system = object<SavedSystem>({
  version: one,
  down: list(text, poolLimits.frontEnds),
  route: object<SavedRoute>({
    hops: list(
      object<SavedRoute['hops'][number]>({
        condition: word('up', 'refuse', 'silent', 'stale-route'),
        repairAt: orNull(amount),
      }),
      poolLimits.hops,
    ),
    routeSet: count,
    oldestValid: count,
    random: count,
  }),
  lobbyNext: list(text, poolLimits.conferences),
});

/** A conference that was kept; null when it is none, or of a version that is not known here. */
export function readConference(saved: JsonObject): SavedConference | null {
  return read(conference, saved);
}

/** The same of what all conferences share. */
export function readSystem(saved: JsonObject): SavedSystem | null {
  return read(system, saved);
}

function read<T>(shape: Shape<T>, saved: JsonObject): T | null {
  try {
    return shape(saved, 'signaling');
  } catch (error) {
    if (error instanceof Misfit) return null;
    throw error;
  }
}
