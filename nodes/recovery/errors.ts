/**
 * Typed errors: UCMA's exception model (UCMA 5.0 exception model; enumerations OperationFailureReason and
 * InvalidOperationReason) as plain objects with advice. Only this file makes them.
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
  const bases: string[] = [];
  for (let at: ErrorName | 'Exception' = base[name]; ; at = base[at]) {
    bases.push(at);
    if (at === 'Exception') return bases;
  }
}

type Detail = Partial<Omit<RecoveryError, 'name' | 'bases' | 'message'>>;

function make(name: ErrorName, message: string, detail: Detail = {}): RecoveryError {
  return {
    name,
    bases: basesOf(name),
    failureReason: null,
    code: detail.failureReason ?? name.replace(/Exception$/, ''),
    retryable: false,
    retryAfterMs: null,
    safeToReplay: true,
    response: null,
    diagnostics: null,
    message,
    incident: null,
    state: null,
    ...detail,
  };
}

/** OperationFailureException: the operation had begun and could not be finished. */
export function operationFailure(reason: OperationFailureReason, message: string, detail: Detail = {}): RecoveryError {
  return make('OperationFailureException', message, { failureReason: reason, ...detail });
}

/** Pending when the Focus failed over: the operation may have taken effect, and may be tried again after recovery. */
export function sessionRetrying(operation: string, idempotent: boolean): RecoveryError {
  return operationFailure(
    'SessionRetrying',
    `The conference session is being recovered, so ${operation} was given up. Try again when the state is Connected.`,
    { retryable: true, safeToReplay: idempotent },
  );
}

/** RealTimeInvalidOperationException/RetryableOperation: refused at once, nothing was sent. */
export function retryableOperation(operation: string, state: string): RecoveryError {
  const reason: InvalidOperationReason = 'RetryableOperation';
  return make(
    'RealTimeInvalidOperationException',
    `${operation} is not possible while ${state}. Nothing was sent; try again after recovery.`,
    { failureReason: reason, retryable: true },
  );
}

/** InvalidOperationException: not possible in this state, now or by waiting. */
export function invalidOperation(
  message: string,
  code?: 'NotSupported' | 'LimitReached' | 'StaleOwner',
): RecoveryError {
  return make('InvalidOperationException', message, code ? { code, retryable: code === 'LimitReached' } : {});
}

/** ArgumentException: says what was wrong with the request and what would be right. */
export function argument(message: string): RecoveryError {
  return make('ArgumentException', message);
}

/** OperationTimeoutException. */
export function timeout(message: string, idempotent: boolean): RecoveryError {
  return make('OperationTimeoutException', message, { retryable: true, safeToReplay: idempotent });
}

/** ConferenceFailureException: the server's C3P failure, with its reason string. */
export function conferenceFailure(
  reason: string,
  message: string,
  response: ResponseData | null = null,
): RecoveryError {
  return make('ConferenceFailureException', message, { failureReason: reason, code: reason, response });
}

/**
 * The error of a request that did not end with 2xx. `what` names the operation; `idempotent` says whether sending it twice
 * does the same as once, which decides `safeToReplay` where the first one may have arrived.
 */
export function failureOf(outcome: Exclude<Outcome, { kind: 'ok' }>, what: string, idempotent: boolean): RecoveryError {
  switch (outcome.kind) {
    case 'unsupported':
      return invalidOperation(outcome.message, 'NotSupported');
    case 'unreachable':
      switch (outcome.cause) {
        case 'timeout':
          return timeout(`${what} was not answered in time: ${outcome.message}`, idempotent || !outcome.written);
        case 'tls':
          return make('TlsFailureException', `${what} failed: ${outcome.message}`);
        case 'malformed':
          return make('MessageParsingException', `${what} was answered with something unreadable: ${outcome.message}`, {
            safeToReplay: idempotent,
          });
        case 'transport':
          return make('ConnectionFailureException', `${what} could not be sent: ${outcome.message}`, {
            retryable: true,
            safeToReplay: idempotent || !outcome.written,
          });
      }
      break;
    case 'refused':
      return refusal(outcome, what);
  }
  throw new Error('unreachable');
}

function refusal(outcome: Extract<Outcome, { kind: 'refused' }>, what: string): RecoveryError {
  const { status, response, retryAfterMs = null, diagnostics = null, conferenceReason } = outcome;
  const message = `${what} was refused: ${status} ${response.reason}`;
  const detail = { response, diagnostics, retryAfterMs };
  if (conferenceReason !== undefined) {
    return make('ConferenceFailureException', `${message} (${conferenceReason})`, {
      ...detail,
      failureReason: conferenceReason,
      code: conferenceReason,
    });
  }
  const name: ErrorName = status === 401 || status === 407 ? 'AuthenticationException' : 'FailureResponseException';
  return make(name, message, { ...detail, code: `SIP-${status}`, retryable: retriableStatus(status, retryAfterMs) });
}

/** May the same request succeed later? 430 and 5xx of the moment yes, 6xx and refusals on the merits no (MS-CONFBAS, INFO). */
function retriableStatus(status: number, retryAfterMs: number | null): boolean {
  return retryAfterMs !== null || [408, 430, 480, 481, 491, 500, 503, 504].includes(status);
}
