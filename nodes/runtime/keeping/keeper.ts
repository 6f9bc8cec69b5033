/** What keeps a node's state over a restart: one interface for the journal and for context stores. */
import type { JsonObject } from '../../recovery/messages';
import type { MachineState } from '../../recovery/step';

/** Stands for a conference where the record is the node's own, and of none in particular. No URI is like this. */
export const ownRecord = '*';

/** What of one conference outlives the process; plain JSON. */
export interface SavedRecord {
  state: MachineState;
  /** Its name in topics. */
  name: string;
  /** Absolute instants, ms since 1970, by deadline. */
  deadlines: { readonly [deadline: string]: number };
  /** What the signaling port needs to go on; only of conference sessions. */
  signaling?: JsonObject | null;
}

/** Keeps the records of one node. */
export interface Keeper {
  /**
   * All that is stored for this node, by conference; to be called once, before anything is saved. Rejects with an Error that
   * a user can read.
   */
  load(): Promise<Map<string, SavedRecord>>;
  /**
   * Puts a record into the next commit; null removes it. Records are never changed in place: what has the same reference as
   * in the last save has not changed.
   */
  save(conference: string, record: SavedRecord | null): void;
  /**
   * Calls `run`, later and in the order of the calls, when all that was saved before is stored; also when that failed, or
   * takes too long: trouble with a store must not harm a session.
   */
  whenSaved(run: () => void): void;
  /** The node was deleted: nothing of it is to be found any more. */
  drop(): void;
  /** Settles when all that was saved is stored. */
  close(): Promise<void>;
}
