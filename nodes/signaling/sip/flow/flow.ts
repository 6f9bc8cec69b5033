/** A flow: messages to the next hop and back, up or down (RFC 5626, 3). What differs between transports lies behind it. */

import type { Target } from './targets';
import type { TlsPeer } from './tls';

/** Where our end of a flow is; what Via and Contact name. */
export interface FlowAddress {
  host: string;
  port: number;
}

/** Why a message could not be sent. */
export class FlowError extends Error {
  constructor(
    message: string,
    /** Whether the message may have left. */
    readonly written: boolean,
    /** `tls`: no secure connection could be agreed on. */
    readonly reason: 'transport' | 'tls' = 'transport',
  ) {
    super(message);
  }
}

/** One attempt to connect to a target. */
export interface Attempt extends Target {
  /** Why it failed, as said to people; null where it did not. */
  failure: string | null;
  /** The other end of a connection that is secure. */
  peer: TlsPeer | null;
}

/** Who listens to a flow. */
export interface FlowListener {
  up(): void;
  down(message: string): void;
  message(text: string): void;
  /** Whether a lost connection is to be restored without being asked. */
  wanted(): boolean;
  /** An attempt to connect has ended. */
  tried?(attempt: Attempt): void;
}

/** The way to the next hop. */
export interface Flow {
  /** Name of the transport as in Via (RFC 3261, 20.42; RFC 7118, 5.1). */
  readonly protocol: string;
  /** Our end; null while down. */
  readonly local: FlowAddress | null;
  /** Calls `done` once: without an error when the flow is up, else with the reason why it cannot be. May connect. */
  whenUp(done: (error?: FlowError) => void): void;
  /** Rejects with a FlowError. */
  send(text: string): Promise<void>;
  /**
   * The far end has failed a request (503), or was lost: leaves it for another one, and leaves it alone for `retryAfterMs`
   * (RFC 3263, 4.3). False, and nothing happens, when there is no other one that has not failed as well.
   */
  moveOn(message: string, retryAfterMs?: number): boolean;
  close(): void;
}
