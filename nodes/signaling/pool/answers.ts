import type { RecoveryAction } from '../../recovery/messages';
import type { Outcome } from '../../recovery/signaling';

/** An outcome that is an answer of the conferencing system to the effect that it will not. */
export type Refusal = Extract<Outcome, { kind: 'refused' }>;

const reasons: { [status: number]: string } = {
  400: 'Bad Request',
  403: 'Forbidden',
  404: 'Not Found',
  430: 'Flow Failed',
  480: 'Temporarily Unavailable',
  481: 'Call/Transaction Does Not Exist',
  486: 'Busy Here',
  487: 'Request Terminated',
  500: 'Server Internal Error',
  503: 'Service Unavailable',
  504: 'Server Time-out',
};

/** A final answer other than 2xx; with a reason of the conference (UCMA, CommandFailureReasons) where the Focus gave it. */
export function refused(status: number, conferenceReason?: string, reason = reasons[status] ?? 'Failed'): Refusal {
  const refusal: Refusal = { kind: 'refused', status, response: { status, reason, headers: {}, body: '' } };
  return conferenceReason === undefined ? refusal : { ...refusal, conferenceReason };
}

/** 200. */
export const accepted: Outcome = { kind: 'ok', status: 200 };

/** No front end knows the dialog. */
export function dialogGone(): Refusal {
  return refused(481);
}

/** No front end hosts the Focus at present. */
export function focusAway(): Refusal {
  return refused(504);
}

/** The last hop does not know the route of the dialog, which this end can heal (MS-SIPRE 2.2.18 and 3.7). */
export function routeStale(): Refusal {
  const action: RecoveryAction = 'Dialog-Route-Set-Update';
  const refusal = refused(430);
  refusal.response.headers['P-Dialog-Recovery-Action'] = action;
  return { ...refusal, recoveryAction: [action] };
}

/** Our own hop takes no connection; `written`: it took one when the request left. */
export function connectionRefused(written: boolean): Outcome {
  return { kind: 'unreachable', cause: 'transport', written, message: 'The first hop refuses connections.' };
}

/** Nobody answered in time. */
export function noAnswer(afterMs: number): Outcome {
  return { kind: 'unreachable', cause: 'timeout', written: true, message: `No answer within ${afterMs} ms.` };
}

/** Nothing was sent, because the pool has no such thing. */
export function unsupported(message: string): Outcome {
  return { kind: 'unsupported', message };
}
