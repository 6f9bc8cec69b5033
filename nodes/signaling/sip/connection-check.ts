/** Whether a SIP server can be reached with some options, and what it is: asked once, outside of any conference. */
import { headerOf } from '../../recovery/diagnostics';
import type { Clock } from '../port';
import { Dialog } from './dialog';
import type { Answer, Draft } from './exchange';
import type { Attempt } from './flow/flow';
import { flowsTo, preloadedRoute } from './flow/next-hop';
import { responseData } from './outcome';
import type { SipOptions } from './sip-port';
import { UserAgent } from './user-agent';

/** What was found: plain JSON, for the dialog. */
export interface SipCheck {
  /** The addresses that were tried, in order. */
  attempts: Attempt[];
  /** Where the OPTIONS went: the URI of a conference, or of the server. */
  asked: string;
  /** How it was answered; null where it was not. `server` is what the server calls itself, or ''. */
  answer: { status: number; reason: string; server: string } | null;
  /** Why there is no answer; null where there is one. */
  failure: string | null;
  /** Whether rosters can be subscribed to (`Event: conference`, RFC 4575); null where nobody has said. */
  conferencePackage: boolean | null;
}

/** How long all of it may take, in ms: somebody looks at the dialog and waits. */
const patienceMs = 8000;
/** How long one address may take, in ms. */
const connectTimeoutMs = 3000;

/**
 * Asks a server for its abilities (RFC 3261, 11), and, where the answer says nothing of events, the conference for its
 * roster of this moment (RFC 6665, 4.4.3). Nothing of it stays: no dialog, no subscription, no connection.
 * @param conference a conference on the server, if one is known; without one the server itself is asked
 * @throws RangeError where the options make no sense, or name files that cannot be used
 */
export async function checkConnection(
  options: SipOptions,
  conference: string | null,
  clock: Clock,
  timeoutMs = patienceMs,
): Promise<SipCheck> {
  const attempts: Attempt[] = [];
  const makeFlow = flowsTo({ ...options, connectTimeoutMs });
  const agent = new UserAgent(
    options.uri,
    (listener) => makeFlow(clock, { ...listener, tried: (attempt) => attempts.push(attempt) }),
    clock,
    { up: () => {}, down: () => {}, wanted: () => false },
    options.credentials,
    preloadedRoute(options),
  );
  const asked = conference ?? serverUri(options);
  const deadline = clock.now() + timeoutMs;
  const ask = (draft: Draft): Promise<Answer> =>
    new Promise((settled) => agent.send(new Dialog(asked), draft, deadline - clock.now(), settled));
  try {
    const answer = await ask({ method: 'OPTIONS' });
    if (answer.kind !== 'response') {
      const failure = answer.kind === 'unreachable' ? answer.message : answer.kind;
      return { attempts, asked, answer: null, failure, conferencePackage: null };
    }
    const { status, reason, headers } = responseData(answer.response);
    const server = headerOf(headers, 'server') || headerOf(headers, 'user-agent');
    const events = headerOf(headers, 'allow-events') || headerOf(headers, 'u');
    const conferencePackage = saysConference(events) ?? (conference === null ? null : saysSubscriber(await ask(fetch)));
    return { attempts, asked, answer: { status, reason, server }, failure: null, conferencePackage };
  } finally {
    agent.release();
  }
}

/** A subscription that ends as it begins. */
const fetch: Draft = {
  method: 'SUBSCRIBE',
  headers: ['Event: conference', 'Accept: application/conference-info+xml', 'Expires: 0'],
};

function saysConference(events: string): boolean | null {
  return events === '' ? null : events.split(',').some((event) => event.trim() === 'conference');
}

function saysSubscriber(answer: Answer): boolean | null {
  const status = answer.kind === 'response' ? (answer.response.statusCode ?? 0) : 0;
  if (status === 489) return false;
  return status >= 200 && status < 300 ? true : null;
}

/** The server itself; behind an outbound proxy alone it is that of our own domain. */
function serverUri({ host = '', port, uri }: SipOptions): string {
  if (host === '') return `sip:${uri.replace(/^[^@]*@/, '').replace(/[;?].*$/, '')}`;
  const name = host.includes(':') && !host.startsWith('[') ? `[${host}]` : host;
  return `sip:${name}${port === undefined ? '' : `:${port}`}`;
}
