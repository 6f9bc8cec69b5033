/** Errors as the contract names them (section 6), reduced to what a flow would switch on. */
import type { ErrorName } from '../../nodes/recovery/messages';
import type { Outcome } from '../../nodes/recovery/signaling';

/** What must be right about an error. */
export interface NaiveError {
  name: ErrorName;
  code?: string;
  failureReason?: string | null;
  safeToReplay?: boolean;
}

/** The request came too early, too late, or twice. */
export const invalid: NaiveError = {
  name: 'InvalidOperationException',
  code: 'InvalidOperation',
  failureReason: null,
};

/** This conference, or this conferencing system, has no such thing. */
export const notSupported: NaiveError = { ...invalid, code: 'NotSupported' };

/** PER-7: somebody else holds the conference. */
export const stale: NaiveError = { ...invalid, code: 'StaleOwner' };

/** FE-8: refused before anything was begun, and worth another try. */
export const retryable: NaiveError = {
  name: 'RealTimeInvalidOperationException',
  code: 'RetryableOperation',
  failureReason: 'RetryableOperation',
};

/** An operation that something else put an end to. */
export function cutOff(reason: 'SessionRetrying' | 'SessionTerminated' | 'Aborted'): NaiveError {
  return { name: 'OperationFailureException', code: reason, failureReason: reason };
}

/** Nobody answered in time. */
export const timedOut: NaiveError = {
  name: 'OperationTimeoutException',
  code: 'OperationTimeout',
  failureReason: null,
};

/** What a failed outcome is called; null for a good one. */
export function errorOf(outcome: Outcome): NaiveError | null {
  if (outcome.kind === 'ok') return null;
  if (outcome.kind === 'unsupported') return notSupported;
  if (outcome.kind === 'refused') {
    if (outcome.conferenceReason !== undefined)
      return {
        name: 'ConferenceFailureException',
        code: outcome.conferenceReason,
        failureReason: outcome.conferenceReason,
      };
    const name =
      outcome.status === 401 || outcome.status === 407 ? 'AuthenticationException' : 'FailureResponseException';
    return { name, code: `SIP-${outcome.status}`, failureReason: null };
  }
  if (outcome.cause === 'timeout') return timedOut;
  if (outcome.cause === 'transport')
    return { name: 'ConnectionFailureException', code: 'ConnectionFailure', failureReason: null };
  if (outcome.cause === 'tls') return { name: 'TlsFailureException', code: 'TlsFailure', failureReason: null };
  return { name: 'MessageParsingException', code: 'MessageParsing', failureReason: null };
}
