/** The shapes of saved states: what a state must be for its machine to go on with it. */
import type { ConferenceSessionState } from './conference-session';
import { limits } from './limits';
import type { McuSessionState } from './mcu-session';
import type { Endpoint, Media, Participant, Source } from './messages';
import type { Operation } from './operations';
import type { Participants } from './roster';
import {
  amount,
  count,
  flag,
  json,
  list,
  Misfit,
  number,
  object,
  optional,
  orNull,
  type Shape,
  table,
  text,
  word,
} from './shapes';
import type { McuReports } from './signaling';
import type { Incident, MachineState } from './step';

const incident = object<Incident>({ id: text, startedAt: amount });

/** What every record has. */
const machine = {
  version: count,
  conference: text,
  seq: count,
  dialog: count,
  incident: orNull(incident),
};

/** A participant, as rosters have them. */
export const participant = object<Participant>({
  entity: text,
  displayName: optional(text) as Shape<string>,
  roles: list(text),
  endpoints: list(
    object<Endpoint>({
      entity: text,
      status: optional(text) as Shape<string>,
      media: list(
        object<Media>({ id: text, type: optional(text) as Shape<string>, status: optional(text) as Shape<string> }),
      ),
    }),
  ),
});

const participants: Shape<Participants> = (value, path) => {
  const read = table(participant, limits.participants)(value, path);
  for (const [entity, known] of Object.entries(read)) {
    if (known.entity !== entity) throw new Misfit(`"${path}.${entity}.entity" must be "${entity}".`);
  }
  return read;
};

const reports: Shape<McuReports> = orNull(table(word('active', 'inactive', 'failing-over', 'unsupported')));
const waiting = object<{ id: string; startedAt: number }>({ id: text, startedAt: amount });

const operation = object<Operation>({
  id: text,
  operation: text,
  arguments: json,
  mcu: orNull(text),
  startedAt: amount,
  sends: count,
  met: orNull(json) as Shape<Operation['met']>,
});

const conferenceSession = object<ConferenceSessionState>({
  ...machine,
  owner: text,
  epoch: count,
  stoodDown: flag,
  phase: word(
    'Idle',
    'Connecting',
    'InLobby',
    'Connected',
    'Recovering',
    'AwaitingFailover',
    'Rejoining',
    'Disconnecting',
    'Disconnected',
  ),
  closedIncidents: list(text, limits.closedIncidents),
  returnTo: word('Connected', 'InLobby'),
  since: amount,
  attempts: count,
  joinArguments: json,
  joining: orNull(waiting),
  terminating: list(waiting, limits.operations),
  closing: orNull(
    object<NonNullable<ConferenceSessionState['closing']>>({
      phase: word('Idle', 'Disconnected'),
      reason: word(
        'TerminateRequested',
        'GaveUp',
        'Ejected',
        'ConferenceEnded',
        'LobbyDenied',
        'LobbyTimeout',
        'RejoinFailed',
        'RouteAbandoned',
        'StoodDown',
      ),
    }),
  ),
  operations: table(operation, limits.operations),
  pending: count,
  roster: object<ConferenceSessionState['roster']>({ version: orNull(number), participants, total: count }),
  resyncing: flag,
  resyncs: count,
  behind: flag,
  lobby: list(participant, limits.participants),
  properties: json,
  mcus: reports,
  registrationStale: flag,
});

const mcuSession = object<McuSessionState>({
  ...machine,
  mcu: text,
  phase: word('Unbound', 'Idle', 'Active', 'Retrying', 'Terminated'),
  reconnecting: flag,
  participants,
  queue: list(
    object<McuSessionState['queue'][number]>({ operationId: text, operation: text, arguments: json }),
    limits.queued,
  ),
  call: orNull(
    object<NonNullable<McuSessionState['call']>>({
      id: text,
      state: word('None', 'Establishing', 'Established', 'Terminating', 'Terminated'),
      operationId: orNull(text),
      operationSince: amount,
    }),
  ),
  texts: list(text, limits.operations),
  callLost: flag,
  activeReport: count,
  actedOn: count,
});

/** Reads a state of today's version. Throws a `Misfit`. */
export function machineState(source: Source, value: unknown): MachineState {
  if (source === 'conference-session') return consistent(conferenceSession(value, 'state'));
  if (source === 'mcu-session') return mcuSession(value, 'state');
  // Those that only decide have kept what they wrote; that they can be addressed is all that others rely on.
  return { ...json(value, 'state'), ...object<MachineState>(machine)(value, 'state') };
}

/** What follows from other members is counted anew, and what closes must know where to. */
function consistent(state: ConferenceSessionState): ConferenceSessionState {
  if (state.phase === 'Disconnecting' && state.closing === null) throw new Misfit('"state.closing" must be an object.');
  state.pending = Object.keys(state.operations).length;
  state.roster.total = Object.keys(state.roster.participants).length;
  return state;
}
