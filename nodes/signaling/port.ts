/**
 * The interface between the pack and a conferencing system. Two implementations, `pool/` and `sip/`, pass one contract
 * suite (`test/signaling/contract.ts`).
 */
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
}

/** Time, as a port sees it; injected, so that the pool can run on virtual time. */
export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
  /** Calls `run` once, `delayMs` from now. Returns a function that calls it off. */
  after(delayMs: number, run: () => void): () => void;
}
