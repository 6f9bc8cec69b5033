/**
 * The arithmetic of session timers (RFC 4028): what a request proposes, what an answer agrees on, and when which side has
 * to do something. Pure; the timers themselves run in `session-expiration.ts`.
 */

/** What we ask for (RFC 4028, 4: the recommended interval). */
export const preferredSeconds = 1800;
/** Nothing shorter may be asked for (RFC 4028, 5). */
export const shortestSeconds = 90;
/** Longer than timers can count is no different from this: 23 days. */
const longestSeconds = 2_000_000;
/** Whoever waits for a refresh gives up so long before the end, or a third of the interval before it (RFC 4028, 10). */
const longestMarginMs = 32_000;
/** Refreshes that failed are not repeated faster than this, in ms. */
const shortestRetryMs = 10_000;

/** What both sides have agreed on: how long the session lasts without a refresh, and who refreshes it. */
export interface Agreement {
  intervalMs: number;
  refresher: 'us' | 'peer';
}

/** What a message says of the session timer. */
export interface Terms {
  /** Value of Session-Expires. */
  sessionExpires?: string | undefined;
  /** Value of Supported. */
  supported?: string | undefined;
}

interface SessionExpires {
  seconds: number;
  /** A role in the transaction of the message, not in the dialog (RFC 4028, 7.4). */
  refresher: 'uac' | 'uas' | null;
}

/** Value of Session-Expires (RFC 4028, 4); null where it is not there or makes no sense. */
function readSessionExpires(value: string | undefined): SessionExpires | null {
  const digits = /^\s*(\d{1,10})\s*(?:;|$)/.exec(value ?? '')?.[1];
  if (digits === undefined || Number(digits) === 0) return null;
  const refresher = /;\s*refresher\s*=\s*(uac|uas)\b/i.exec(value ?? '')?.[1]?.toLowerCase() ?? null;
  return { seconds: Math.min(Number(digits), longestSeconds), refresher: refresher as SessionExpires['refresher'] };
}

/** A number of seconds in Min-SE (RFC 4028, 5); undefined where there is none. */
export function readSeconds(value: string | undefined): number | undefined {
  const digits = /^\s*(\d{1,10})\s*(?:;|$)/.exec(value ?? '')?.[1];
  return digits === undefined ? undefined : Number(digits);
}

/**
 * Headers of a request of ours that makes or refreshes a session (RFC 4028, 7.1 and 7.4): who refreshes now does so
 * further on, and before there is anything agreed we offer to.
 */
export function proposal(agreed: Agreement | null, minimumSeconds: number): string[] {
  const seconds = Math.max(agreed ? Math.round(agreed.intervalMs / 1000) : preferredSeconds, minimumSeconds);
  const refresher = agreed?.refresher === 'peer' ? 'uas' : 'uac';
  return [
    `Session-Expires: ${seconds};refresher=${refresher}`,
    // The default goes without saying; what a 422 has taught must be said (RFC 4028, 7.3).
    ...(minimumSeconds > shortestSeconds ? [`Min-SE: ${minimumSeconds}`] : []),
  ];
}

/** What a 2xx to a request of ours agrees on (RFC 4028, 7.2); null: the session does not expire. */
export function agreementOf(answer: Terms): Agreement | null {
  const given = readSessionExpires(answer.sessionExpires);
  if (!given) return null;
  return { intervalMs: given.seconds * 1000, refresher: given.refresher === 'uas' ? 'peer' : 'us' };
}

/** Whether a request of the far end has to be refused with 422 (RFC 4028, 9); one that knows no timer must not be. */
export function isTooShort(request: Terms): boolean {
  const asked = readSessionExpires(request.sessionExpires);
  return asked !== null && asked.seconds < shortestSeconds && knowsTimer(request);
}

/**
 * What a 2xx of ours to INVITE or UPDATE says, and agrees on by that (RFC 4028, 9, table 2). A refresh that forgets to
 * ask leaves things as they were: many servers do not expect that this would switch the timer off.
 */
export function acceptance(request: Terms, agreed: Agreement | null): { headers: string[]; agreed: Agreement | null } {
  const asked = readSessionExpires(request.sessionExpires);
  const intervalMs = asked ? asked.seconds * 1000 : agreed?.intervalMs;
  if (intervalMs === undefined) return { headers: [], agreed: null };
  const theirs = asked?.refresher ?? (asked || agreed?.refresher === 'peer' ? 'uac' : 'uas');
  // A far end that does not know session timers cannot be the one who refreshes.
  const refresher = knowsTimer(request) ? theirs : 'uas';
  const headers = [`Session-Expires: ${intervalMs / 1000};refresher=${refresher}`];
  if (knowsTimer(request)) headers.push('Require: timer');
  return { headers, agreed: { intervalMs, refresher: refresher === 'uac' ? 'peer' : 'us' } };
}

function knowsTimer({ supported = '' }: Terms): boolean {
  return supported.split(',').some((tag) => tag.trim().toLowerCase() === 'timer');
}

/** From a refresh on: when the next one is due (RFC 4028, 10: half the interval). */
export function refreshAfterMs({ intervalMs }: Agreement): number {
  return intervalMs / 2;
}

/** From a refresh on: when the session is over for us. Who refreshes may try until the end; who waits must not. */
export function expiresAfterMs({ intervalMs, refresher }: Agreement): number {
  return refresher === 'us' ? intervalMs : intervalMs - Math.min(longestMarginMs, intervalMs / 3);
}

/** After a refresh of which nothing came: when to try again; null when there is no time left for it. */
export function retryAfterMs(remainingMs: number): number | null {
  return remainingMs / 2 >= shortestRetryMs ? remainingMs / 2 : null;
}
