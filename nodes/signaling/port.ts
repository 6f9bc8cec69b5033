/**
 * The interface between the pack and a conferencing system. Two implementations, `pool/` and `sip/`, pass one contract
 * suite (`test/signaling/contract.ts`).
 */
import type { JsonObject } from '../recovery/messages';
import type { SignalingEffect, SignalingEvent } from '../recovery/signaling';

/**
 * One conferencing system, as one endpoint sees it. It carries out the model's effects and tells what happens, keyed by
 * conference. Rules that keep implementations interchangeable:
 * - events are delivered asynchronously: never from inside `perform` or `attach`;
 * - what the comments in `recovery/signaling.ts` call an answer comes exactly once, also when the connection is lost;
 * - a dialog that a later `join` or a `leave` has replaced tells nothing any more (but `left`, and the outcomes of its own
 *   requests);
 * - nothing throws: what cannot be done is an outcome.
 */
export interface SignalingPort {
  /** Begins to serve a conference: its events go to `listener` until `detach`. */
  attach(conference: string, listener: (event: SignalingEvent) => void): void;
  /** Carries out one effect for an attached conference. */
  perform(conference: string, effect: SignalingEffect): void;
  /** Forgets a conference: what it held open is closed (BYE, unsubscribe) without waiting, and no event follows. */
  detach(conference: string): void;
  /** Detaches every conference, closes connections and timers. Settles when nothing is left, within a second. */
  close(): Promise<void>;

  // A conference may outlive its port: what the port knows of it can be kept, and taken up by another port, in this process
  // or in the next one. All of it is plain, versioned JSON without secrets.

  /** What it takes to go on with a conference; null when nothing is open. The same reference as long as nothing changed. */
  saved(conference: string): JsonObject | null;
  /**
   * Takes up what `saved` gave, for an attached conference: its dialogs and calls are there again. Nothing is sent; that is
   * for the effect `resume`. False, and nothing is done, when it cannot be used.
   */
  restore(conference: string, saved: JsonObject): boolean;
  /** The same for what all conferences share, to be restored before them; null where there is nothing. */
  savedSystem(): JsonObject | null;
  restoreSystem(saved: JsonObject): boolean;
  /** Tells, later and once for many changes, that `saved` of a conference (null: of the system) is not what it was. */
  watch(changed: (conference: string | null) => void): void;
  /** Forgets a conference without a word to the far end: somebody else has taken it over. No event follows. */
  abandon(conference: string): void;
  /** Like `close`, without a word to the far end. Requests under way are first answered: unreachable, written. */
  release(): Promise<void>;
}

/** Time, as a port sees it; injected, so that the pool can run on virtual time. */
export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
  /** Calls `run` once, `delayMs` from now. Returns a function that calls it off. */
  after(delayMs: number, run: () => void): () => void;
}
