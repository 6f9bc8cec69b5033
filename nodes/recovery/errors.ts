/**
 * Typed errors: UCMA's exception model (UCMA 5.0 exception model; enumerations OperationFailureReason and
 * InvalidOperationReason) as plain objects with advice. Only this file makes them, from one table of all failures.
 */
import type {
  ErrorName,
  InvalidOperationReason,
  OperationFailureReason,
  RecoveryError,
  ResponseData,
} from './messages';
import type { Outcome } from './signaling';

/** Direct ancestor of each class; RealTimeInvalidOperationException is not a RealTimeException. */
const base: { [name in ErrorName]: ErrorName | 'Exception' } = {
  RealTimeException: 'Exception',
  InvalidOperationException: 'Exception',
  ArgumentException: 'Exception',
  RealTimeInvalidOperationException: 'InvalidOperationException',
  CallOperationFailureException: 'RealTimeException',
  ConferenceFailureException: 'RealTimeException',
  ConnectionFailureException: 'RealTimeException',
  FailureRequestException: 'RealTimeException',
  FailureResponseException: 'RealTimeException',
  MessageParsingException: 'RealTimeException',
  OfferAnswerException: 'RealTimeException',
  OperationFailureException: 'RealTimeException',
  OperationTimeoutException: 'RealTimeException',
  TlsFailureException: 'RealTimeException',
  AuthenticationException: 'FailureResponseException',
  PublishSubscribeException: 'FailureResponseException',
  RegisterException: 'FailureResponseException',
  ServerPolicyException: 'FailureResponseException',
};

/** Ancestors of a class, nearest first. */
export function basesOf(name: ErrorName): string[] {
  const parent = base[name];
  return parent === 'Exception' ? [parent] : [parent, ...basesOf(parent)];
}

/** Codes of our own, all of them InvalidOperationException (contract, section 6). */
export type OwnCode = 'NotSupported' | 'LimitReached' | 'StaleOwner' | 'StateNotKept';

/** Everything that can go wrong: what is refused here, what UCMA gives a reason to, and how a request can end. */
export type Failure =
  | 'argument'
  | 'invalid-operation'
  | OwnCode
  | InvalidOperationReason
  | OperationFailureReason
  | Extract<Outcome, { kind: 'unreachable' }>['cause']
  | 'conference-failure'
  | 'unauthenticated'
  | 'refused';

/** What a failure is told as. */
interface FailureRule {
  name: ErrorName;
  /** Diagnostics id of our own (ERR-10): 61xxx is to be expected, 62xxx is not. */
  id: number;
  /** May the same request succeed later? */
  retryable: boolean;
  /** Can the first request have taken effect? Then it may only be repeated if twice does the same as once. */
  mayHaveTakenEffect: boolean;
}

function rule(name: ErrorName, id: number, retryable: boolean, mayHaveTakenEffect: boolean): FailureRule {
  return { name, id, retryable, mayHaveTakenEffect };
}

// Advice and effect, as the table says them.
const retry = true;
const doNotRetry = false;
const perhaps = true;
const none = false;

/** From every failure to its error and the advice that goes with it. A failure without a row does not compile. */
// biome-ignore format: a table is read in columns
export const failures: { readonly [failure in Failure]: FailureRule } = {
  // refused here, nothing was sent
  'argument':                         rule('ArgumentException',                 61_001, doNotRetry, none),
  'invalid-operation':                rule('InvalidOperationException',         61_002, doNotRetry, none),
  'NotSupported':                     rule('InvalidOperationException',         61_003, doNotRetry, none),
  'StaleOwner':                       rule('InvalidOperationException',         61_004, doNotRetry, none),
  'StateNotKept':                     rule('InvalidOperationException',         62_002, doNotRetry, none),
  'LimitReached':                     rule('InvalidOperationException',         62_001, retry,      none),
  'None':                             rule('RealTimeInvalidOperationException', 61_010, doNotRetry, none),
  'RetryableOperation':               rule('RealTimeInvalidOperationException', 61_011, retry,      none),
  'NotInitialized':                   rule('RealTimeInvalidOperationException', 61_012, doNotRetry, none),
  // begun, and not finished
  'Unknown':                          rule('OperationFailureException',         62_020, doNotRetry, perhaps),
  'EndpointTerminated':               rule('OperationFailureException',         61_021, doNotRetry, perhaps),
  'SessionTerminated':                rule('OperationFailureException',         61_022, doNotRetry, perhaps),
  'Aborted':                          rule('OperationFailureException',         61_023, doNotRetry, perhaps),
  'ConnectionThrottling':             rule('OperationFailureException',         62_024, retry,      none),
  'InvalidSessionState':              rule('OperationFailureException',         61_025, doNotRetry, none),
  'SessionTerminatedAfter200Response': rule('OperationFailureException',        61_026, doNotRetry, perhaps),
  'SessionRetrying':                  rule('OperationFailureException',         61_027, retry,      perhaps),
  'MediaFailure':                     rule('OperationFailureException',         62_028, retry,      perhaps),
  // sent, and not answered by anything that makes sense
  'timeout':                          rule('OperationTimeoutException',         62_030, retry,      perhaps),
  'transport':                        rule('ConnectionFailureException',        62_031, retry,      perhaps),
  'tls':                              rule('TlsFailureException',               62_032, doNotRetry, none),
  'malformed':                        rule('MessageParsingException',           62_033, doNotRetry, perhaps),
  // answered, and refused; a status or Retry-After may know better whether it is worth another try
  'conference-failure':               rule('ConferenceFailureException',        61_040, doNotRetry, none),
  'unauthenticated':                  rule('AuthenticationException',           61_041, doNotRetry, none),
  'refused':                          rule('FailureResponseException',          61_042, doNotRetry, none),
};

type Detail = Partial<Omit<RecoveryError, 'name' | 'bases' | 'message'>>;

/** `repeatable`: sending the request twice does the same as once, or the first one was surely not sent. */
function make(failure: Failure, message: string, repeatable: boolean, detail: Detail = {}): RecoveryError {
  const { name, id, retryable, mayHaveTakenEffect } = failures[failure];
  return {
    name,
    bases: basesOf(name),
    failureReason: null,
    code: name.replace(/Exception$/, ''),
    retryable,
    retryAfterMs: null,
    safeToReplay: !mayHaveTakenEffect || repeatable,
    response: null,
    diagnostics: { id, source: 'conference-recovery', reason: message },
    message,
    incident: null,
    state: null,
    ...detail,
  };
}

/** OperationFailureException: the operation had begun and could not be finished. `repeatable`: twice does the same as once. */
export function operationFailure(reason: OperationFailureReason, message: string, repeatable: boolean): RecoveryError {
  return make(reason, message, repeatable, { failureReason: reason, code: reason });
}

/** Pending when the Focus failed over: the operation may have taken effect, and may be tried again after recovery. */
export function sessionRetrying(operation: string, idempotent: boolean): RecoveryError {
  return operationFailure(
    'SessionRetrying',
    `The conference session is being recovered, so ${operation} was given up. Try again when the state is Connected.`,
    idempotent,
  );
}

/** RealTimeInvalidOperationException/RetryableOperation: refused at once, nothing was sent. */
export function retryableOperation(operation: string, state: string): RecoveryError {
  const reason: InvalidOperationReason = 'RetryableOperation';
  const message = `${operation} is not possible while ${state}. Nothing was sent; try again after recovery.`;
  return make(reason, message, true, { failureReason: reason, code: reason });
}

/** InvalidOperationException: not possible in this state; with code `LimitReached`, not possible now. */
export function invalidOperation(message: string, code?: OwnCode): RecoveryError {
  return code ? make(code, message, true, { code }) : make('invalid-operation', message, true);
}

/**
 * InvalidOperationException/StaleOwner: somebody else holds the conference, or was believed to. `unsent`: nothing of the
 * operation has left, or twice does the same as once.
 */
export function staleOwner(
  operation: string,
  { owner, epoch }: { owner: string; epoch: number },
  unsent = true,
): RecoveryError {
  const message = `${operation} is not possible: the conference is held by ${owner || 'another node'} (epoch ${epoch}).`;
  return { ...invalidOperation(message, 'StaleOwner'), safeToReplay: unsent };
}

/** ArgumentException: says what was wrong with the request and what would be right. */
export function argument(message: string): RecoveryError {
  return make('argument', message, true);
}

/** OperationTimeoutException. */
export function timeout(message: string, idempotent: boolean): RecoveryError {
  return make('timeout', message, idempotent);
}

/** ConferenceFailureException: the server's C3P failure, with its reason string. */
export function conferenceFailure(
  reason: string,
  message: string,
  response: ResponseData | null = null,
): RecoveryError {
  return make('conference-failure', message, true, { failureReason: reason, code: reason, response });
}

/**
 * The error of a request that did not end with 2xx. `what` names the operation; `idempotent` says whether sending it twice
 * does the same as once, which decides `safeToReplay` where the first one may have arrived.
 */
export function failureOf(outcome: Exclude<Outcome, { kind: 'ok' }>, what: string, idempotent: boolean): RecoveryError {
  switch (outcome.kind) {
    case 'unsupported':
      return invalidOperation(outcome.message, 'NotSupported');
    case 'unreachable': {
      const { cause, written, message } = outcome;
      return make(cause, `${what} ${unreachability[cause]}: ${message}`, idempotent || !written);
    }
    case 'refused':
      return refusal(outcome, what);
  }
}

const unreachability: { readonly [cause in Extract<Outcome, { kind: 'unreachable' }>['cause']]: string } = {
  timeout: 'was not answered in time',
  transport: 'could not be sent',
  tls: 'failed',
  malformed: 'was answered with something unreadable',
};

/** A server's own diagnostics go before ours; where it gave none, there are none (UCMA, DiagnosticInformation). */
function refusal(outcome: Extract<Outcome, { kind: 'refused' }>, what: string): RecoveryError {
  const { response, retryAfterMs = null, diagnostics = null, conferenceReason } = outcome;
  const { status, reason } = response;
  const message = `${what} was refused: ${status} ${reason}`;
  const detail = { response, diagnostics, retryAfterMs, retryable: isWorthAnotherTry(status, retryAfterMs) };
  if (conferenceReason !== undefined) {
    return { ...conferenceFailure(conferenceReason, `${message} (${conferenceReason})`), ...detail };
  }
  const failure = status === 401 || status === 407 ? 'unauthenticated' : 'refused';
  return make(failure, message, true, { ...detail, code: `SIP-${status}` });
}

/** May the same request succeed later? 430 and 5xx of the moment yes, 6xx and refusals on the merits no (MS-CONFBAS, INFO). */
function isWorthAnotherTry(status: number, retryAfterMs: number | null): boolean {
  return retryAfterMs !== null || [408, 430, 480, 481, 491, 500, 503, 504].includes(status);
}
