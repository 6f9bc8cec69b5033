/** What answers mean to the model: SIP responses as outcomes. Nobody above this file reads a header. */
import { diagnosticsOf, headerOf } from '../../recovery/diagnostics';
import type { RecoveryAction, ResponseData } from '../../recovery/messages';
import type { Outcome } from '../../recovery/signaling';
import type { Answer } from './exchange';
import type { IncomingResponseMessage } from './library';

const recoveryActions: readonly RecoveryAction[] = [
  'Registration-Route-Set-Update',
  'Dialog-Route-Set-Update',
  'Wait-For-Session-Update',
];

/** The outcome of a request. */
export function outcomeOf(answer: Answer): Outcome {
  switch (answer.kind) {
    case 'response':
      return outcomeOfResponse(responseData(answer.response));
    case 'crowded':
      return outcomeOfResponse({ status: 491, reason: 'Request Pending', headers: {}, body: '' });
    case 'unreachable':
      return answer;
  }
}

/** What a refusal means to the dialog it was met in. */
export interface Meaning {
  /** What it ends: the request alone, what the request belongs to (session or subscription), or all in the dialog. */
  ends: 'request' | 'usage' | 'dialog';
  /** What the same request needs to be sent again: we have it, or can wait for it. */
  needs?: 'credentials' | 'route' | 'interval' | 'method' | 'patience';
}

/**
 * Refusals in a dialog that mean more than that the request was refused (RFC 5057, 5.1; MS-SIPRE, 3.7). 408 and 503 are
 * not here: RFC 3261, 12.2.1.2, would end the dialog at a 408, but a broken route is no reason to lose a conference.
 */
// biome-ignore format: a table is read in columns
const meanings: { readonly [status: number]: Meaning } = {
  401: { ends: 'request', needs: 'credentials' },
  404: { ends: 'dialog' },
  405: { ends: 'usage',   needs: 'method' },
  407: { ends: 'request', needs: 'credentials' },
  410: { ends: 'dialog' },
  416: { ends: 'dialog' },
  422: { ends: 'request', needs: 'interval' },
  430: { ends: 'request', needs: 'route' },
  480: { ends: 'usage' },
  481: { ends: 'usage' },
  482: { ends: 'dialog' },
  484: { ends: 'dialog' },
  485: { ends: 'dialog' },
  489: { ends: 'usage' },
  491: { ends: 'request', needs: 'patience' },
  500: { ends: 'request', needs: 'patience' },
  501: { ends: 'usage',   needs: 'method' },
  502: { ends: 'dialog' },
  604: { ends: 'dialog' },
};
/** What makes or renews a usage; the far end must know these. An unknown UPDATE or INFO kills nothing. */
const vital: ReadonlySet<string> = new Set(['INVITE', 'SUBSCRIBE', 'NOTIFY']);

/** What the refusal of a request in a dialog means. */
export function meaningOf(status: number | undefined, method: string): Meaning {
  const meaning = meanings[status ?? 0] ?? { ends: 'request' };
  return meaning.needs === 'method' && !vital.has(method) ? { ...meaning, ends: 'request' } : meaning;
}

/** A response as errors show it. A header that occurs several times is one value with commas (RFC 3261, 7.3.1). */
export function responseData(response: IncomingResponseMessage): ResponseData {
  return {
    status: response.statusCode ?? 0,
    reason: response.reasonPhrase ?? '',
    headers: Object.fromEntries(
      Object.keys(response.headers).map((name) => [name, response.getHeaders(name).join(', ')]),
    ),
    body: response.body ?? '',
  };
}

/** The outcome that a final response means (RFC 3261, 21). */
export function outcomeOfResponse(response: ResponseData): Outcome {
  const { status, headers } = response;
  if (status >= 200 && status < 300) return { kind: 'ok', status };
  const recoveryAction = recoveryActionsIn(headerOf(headers, 'p-dialog-recovery-action'));
  const retryAfterMs = retryAfterIn(headerOf(headers, 'retry-after'));
  const diagnostics = diagnosticsOf(headers);
  return {
    kind: 'refused',
    status,
    response,
    ...(recoveryAction.length > 0 ? { recoveryAction } : {}),
    ...(retryAfterMs !== undefined ? { retryAfterMs } : {}),
    ...(diagnostics ? { diagnostics } : {}),
  };
}

/** What the far end would answer to a request in a dialog that does not exist; nothing is sent to hear it. */
export function dialogGone(): Outcome {
  return outcomeOfResponse({ status: 481, reason: 'Call/Transaction Does Not Exist', headers: {}, body: '' });
}

/** What the far end answers to an INVITE that was cancelled (RFC 3261, 15.1.2); it is not waited for. */
export function calledOff(): Outcome {
  return outcomeOfResponse({ status: 487, reason: 'Request Terminated', headers: {}, body: '' });
}

/** What becomes of a request whose port is released before its answer has come. */
export function released(): Outcome {
  return { kind: 'unreachable', cause: 'transport', written: true, message: 'the port was released' };
}

/** Whether the answer asks for a new route set, which a target refresh without the old one brings (MS-SIPRE, 3.7). */
export function asksForNewRoute(outcome: Outcome): boolean {
  return outcome.kind === 'refused' && (outcome.recoveryAction?.includes('Dialog-Route-Set-Update') ?? false);
}

/**
 * Whether the answer says that our route set leads nowhere any more, be it for us to find another or for the far end
 * (MS-SIPRE, 3.7.5.1).
 */
export function findsRouteStale(outcome: Outcome): boolean {
  return (
    asksForNewRoute(outcome) ||
    (outcome.kind === 'refused' && (outcome.recoveryAction?.includes('Wait-For-Session-Update') ?? false))
  );
}

/** `P-Dialog-Recovery-Action` (MS-SIPRE 2.2.18): in any case; tokens that we do not know are dropped. */
function recoveryActionsIn(value: string): RecoveryAction[] {
  const tokens = new Set(value.split(',').map((each) => each.trim().toLowerCase()));
  return recoveryActions.filter((action) => tokens.has(action.toLowerCase()));
}

/** `Retry-After` (RFC 3261, 20.33), in ms. */
export function retryAfterIn(value: string): number | undefined {
  const seconds = /^\s*(\d{1,10})(?!\d)/.exec(value)?.[1];
  return seconds === undefined ? undefined : Number(seconds) * 1000;
}
