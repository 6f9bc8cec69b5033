/**
 * Operations of a conference session: which there are, what is pending, and what their outcomes mean. An operation
 * completes exactly once.
 */
import { sessionRetrying } from './errors';
import type { JsonObject, RecoveryError } from './messages';
import type { Outcome } from './signaling';

/** An operation that has begun and has not completed. */
export interface Operation {
  id: string;
  operation: string;
  arguments: JsonObject;
  /** The MCU session that it is proxied for, or null for one of the conference session's own. */
  mcu: string | null;
  /** ms since 1970. */
  startedAt: number;
  /** How often it was sent. */
  sends: number;
  /** What it met, while it is held until the route is repaired or a verdict is given; null while an answer is awaited. */
  met: Exclude<Outcome, { kind: 'ok' }> | null;
}

/** Doing these twice is the same as doing them once, so they may be sent again after a time-out. */
const repeatable = new Set([
  'lock',
  'unlock',
  'end-conference',
  'eject',
  'modify-role',
  'modify-configuration',
  'admit',
  'deny',
  'mute',
  'unmute',
]);

/** May the operation be sent again when it is not known whether the first one took effect? */
export function idempotent(operation: string): boolean {
  return repeatable.has(operation);
}

/** A request is sent three times at most: once, and twice again after repairs (MS-SIPRE 3.7.5.3.1). */
export const maximumSends = 3;

/**
 * What to do with an operation that did not get a 2xx:
 * - `hold`: the way there is broken; send it again when the route is Healthy;
 * - `await-verdict`: the dialog is gone, so the Focus probably failed over; the verdict will fail it;
 * - `fail`: report the outcome.
 */
export function treatmentOf(
  operation: Operation,
  outcome: Exclude<Outcome, { kind: 'ok' }>,
): 'hold' | 'await-verdict' | 'fail' {
  if (operation.sends >= maximumSends) return 'fail';
  switch (outcome.kind) {
    case 'unsupported':
      return 'fail';
    case 'unreachable':
      if (outcome.cause === 'malformed') return 'fail';
      return !outcome.written || idempotent(operation.operation) ? 'hold' : 'fail';
    case 'refused':
      if (outcome.status === 481) return 'await-verdict';
      if (outcome.status === 430) return waitsForPeer(outcome) ? 'fail' : 'hold';
      return 'fail';
  }
}

/** 430 with Wait-For-Session-Update: the other side has to heal (MS-SIPRE 3.7.5.1). */
function waitsForPeer(outcome: Extract<Outcome, { kind: 'refused' }>): boolean {
  return outcome.recoveryAction?.includes('Wait-For-Session-Update') ?? false;
}

/** The error of an operation that was pending when recovery began. */
export function interrupted({ operation }: Operation): RecoveryError {
  return sessionRetrying(operation, idempotent(operation));
}
