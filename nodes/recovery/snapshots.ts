/**
 * Snapshots: what a node gives to another that is to go on with its conference, and reading one that may be anything
 * (contract, `snapshot` and `restore`).
 */
import type { ConferenceSessionState } from './conference-session';
import { argument, invalidOperation } from './errors';
import type { McuSessionState } from './mcu-session';
import type { ConferenceSnapshot, JsonObject, RecoveryError } from './messages';
import { type Migrated, migrate } from './migrations';
import { amount, count, json, Misfit, object, orNull, table, text } from './shapes';
import { instant } from './step';

/** Version of the snapshots that are written today. */
const version = 1;

/** More MCUs than any conferencing system has. */
const mostMcus = 100;

/** What the model does not know of a conference itself. */
export interface Surroundings {
  /** What the signaling port needs to go on; null when nothing is open. */
  signaling: JsonObject | null;
  /** The deadlines that are set, in ms since 1970. */
  deadlines: { readonly [deadline: string]: number };
  /** States of the MCU sessions, by MCU. */
  mcus: { readonly [mcu: string]: McuSessionState };
}

/** A snapshot that can be used, in today's words. */
export interface Readable extends Omit<ConferenceSnapshot, 'state' | 'mcus'> {
  state: ConferenceSessionState;
  mcus: { [mcu: string]: McuSessionState };
}

/** A copy of all that another node needs: without secrets, and without what only the one that began it can complete. */
export function snapshotOf(
  state: ConferenceSessionState,
  now: number,
  { signaling, deadlines, mcus }: Surroundings,
): ConferenceSnapshot {
  const { conference, owner, epoch } = state;
  const copied = structuredClone({ state: unpending(state), signaling, mcus, deadlines: { ...deadlines } });
  for (const deadline of Object.keys(deadlines)) if (deadline.includes(':')) delete copied.deadlines[deadline];
  return {
    version,
    conference,
    owner,
    epoch,
    at: instant(now),
    state: copied.state as unknown as JsonObject,
    deadlines: copied.deadlines,
    signaling: copied.signaling,
    mcus: Object.fromEntries(
      Object.entries(copied.mcus).map(([mcu, saved]) => [mcu, unpendingMcu(saved) as unknown as JsonObject]),
    ),
  };
}

function unpending(state: ConferenceSessionState): ConferenceSessionState {
  const { passcode: _, ...joinArguments } = state.joinArguments;
  return { ...state, joinArguments, joining: null, terminating: [], operations: {}, pending: 0 };
}

function unpendingMcu(state: McuSessionState): McuSessionState {
  const call = state.call && { ...state.call, operationId: null };
  return { ...state, call, queue: [], texts: [] };
}

const outline = object<Omit<ConferenceSnapshot, 'version' | 'state' | 'mcus'>>({
  conference: text,
  owner: text,
  epoch: count,
  at: text,
  deadlines: table(amount),
  signaling: orNull(json),
});

/**
 * Reads what is said to be a snapshot of this conference. `deadlines` are the names that its deadlines may have.
 * ArgumentException: says what is wrong with it; InvalidOperationException: a newer version has written it.
 */
export function readSnapshot(
  given: unknown,
  conference: string,
  deadlines: readonly string[],
): { snapshot: Readable } | { error: RecoveryError } {
  try {
    return { snapshot: read(given, conference, deadlines) };
  } catch (error) {
    if (error instanceof Newer) return { error: invalidOperation(error.message) };
    const { message } = error as Error;
    return { error: argument(`This snapshot cannot be restored: ${message}`) };
  }
}

/** A newer version of the pack has written it. */
class Newer extends Error {}

function read(given: unknown, conference: string, deadlines: readonly string[]): Readable {
  const { version: written, state, mcus } = json(given, 'snapshot');
  if (written !== version) {
    if (Number(written) > version) throw newer('snapshot', Number(written));
    throw new Misfit(`"snapshot.version" must be ${version}.`);
  }
  const rest = outline(given, 'snapshot');
  if (rest.conference !== conference) throw new Misfit(`"snapshot.conference" must be "${conference}".`);
  for (const deadline of Object.keys(rest.deadlines)) {
    if (!deadlines.includes(deadline)) throw new Misfit(`"snapshot.deadlines" has an unknown one: ${deadline}.`);
  }
  const session = taken(migrate('conference-session', state), 'state') as ConferenceSessionState;
  if (session.conference !== conference) throw new Misfit(`"state.conference" must be "${conference}".`);
  const ofMcus = Object.entries(table(json, mostMcus)(mcus, 'snapshot.mcus')).map(([mcu, saved]) => {
    const known = taken(migrate('mcu-session', saved), `mcus.${mcu}`) as McuSessionState;
    if (known.mcu !== mcu) throw new Misfit(`"mcus.${mcu}.mcu" must be "${mcu}".`);
    return [mcu, unpendingMcu({ ...known, conference })] as const;
  });
  return { ...rest, version, state: unpending(session), mcus: Object.fromEntries(ofMcus) };
}

function taken(migrated: Migrated, what: string) {
  if ('newer' in migrated) throw newer(what, migrated.newer);
  if ('unusable' in migrated) throw new Misfit(`in "${what}", ${migrated.unusable}`);
  return migrated.state;
}

function newer(what: string, written: number): Newer {
  return new Newer(
    `The ${what} is of version ${written}, which a newer version of this pack has written; it is kept as it is.`,
  );
}
