/** When a refused request is worth sending again unchanged, in its dialog. */
import type { IncomingResponseMessage } from './library';
import { retryAfterIn } from './outcome';

/** Requests that may be sent twice without doing more than once: those that change nothing but address and timers. */
const repeatable: ReadonlySet<string> = new Set(['INVITE', 'UPDATE', 'SUBSCRIBE', 'OPTIONS']);
/** A server that says "at once" is not taken at its word: T1 (RFC 3261, 17.1.1.1), in ms. */
const shortestDelayMs = 500;

/**
 * The delay in ms, or null where the refusal stands: after a collision the one who made the Call-ID waits 2.1 to 4 s, in
 * steps of 10 ms (RFC 3261, 14.1; RFC 3311, 5.3), and that is always us; a 500 may say when to come again.
 */
export function repetitionDelay(method: string, response: IncomingResponseMessage, random: number): number | null {
  switch (response.statusCode) {
    case 491:
      return method === 'INVITE' || method === 'UPDATE' ? 2100 + Math.floor(random * 190) * 10 : null;
    case 500: {
      const delayMs = retryAfterIn(response.getHeader('retry-after') ?? '');
      return delayMs !== undefined && repeatable.has(method) ? Math.max(delayMs, shortestDelayMs) : null;
    }
    default:
      return null;
  }
}
