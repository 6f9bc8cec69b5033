/**
 * Digest authentication (RFC 3261, 22; RFC 2617), with MD5 only: that is what the library computes and what SIP servers
 * ask for. Credentials are kept per dialog, that is per Call-ID (RFC 3261, 22.3): what is sent in the dialog later carries
 * them from the start.
 */
import type { IncomingResponseMessage, LoggerFactory, OutgoingRequestMessage, SipLibrary } from './library';

/** Who we are to whoever asks. */
export interface Credentials {
  username: string;
  password: string;
}

/** What a server or a proxy asked for (RFC 3261, 20.44 and 20.27), as the library reads it. */
interface Challenge {
  realm: string;
  nonce: string;
  algorithm?: string;
  stale?: boolean;
}

/** Our answer to one challenge; it counts its uses (`nc`), so each nonce has one of its own. */
interface Authorization {
  header: 'Authorization' | 'Proxy-Authorization';
  challenge: Challenge;
  digest: InstanceType<SipLibrary['DigestAuthentication']>;
}

/** Answers by who asked: server or proxy, and realm. */
export type Authorizations = Map<string, Authorization>;

/** Servers and proxies that may ask for credentials on one dialog's way; there is no more than a handful. */
const mostAuthorizations = 8;

/** Answers challenges with one set of credentials. */
export class Authenticator {
  constructor(
    private readonly library: SipLibrary,
    private readonly loggers: LoggerFactory,
    private readonly credentials: Credentials,
  ) {}

  /**
   * Takes up the challenges of a 401 or 407. Returns whether the request is worth being sent again: each realm is answered
   * once per request, and once more when it says that only the nonce was too old; anything else means that our credentials
   * are wrong. `answered` counts that, for one request.
   */
  accept(response: IncomingResponseMessage, known: Authorizations, answered: Map<string, number>): boolean {
    const challenges = this.challengesIn(response);
    for (const { header, challenge } of challenges) {
      const key = `${header} ${challenge.realm}`;
      const times = answered.get(key) ?? 0;
      if (times > 1 || (times === 1 && challenge.stale !== true)) return false;
      if (!known.has(key) && known.size >= mostAuthorizations) return false;
      answered.set(key, times + 1);
      const { username, password } = this.credentials;
      const digest = new this.library.DigestAuthentication(this.loggers, undefined, username, password);
      known.set(key, { header, challenge, digest });
    }
    return challenges.length > 0;
  }

  /** Puts the answers to all challenges known into a request. */
  authorize(request: OutgoingRequestMessage, body: string | undefined, known: Authorizations): void {
    const values: { [header: string]: string[] } = {};
    for (const { header, challenge, digest } of known.values()) {
      if (!digest.authenticate(request, challenge, body)) continue;
      values[header] = [...(values[header] ?? []), digest.toString()];
    }
    for (const [header, list] of Object.entries(values)) request.setHeader(header, list);
  }

  /** The challenges that we can answer; read from the text, since of several headers the library keeps the last. */
  private challengesIn(response: IncomingResponseMessage): Pick<Authorization, 'header' | 'challenge'>[] {
    const [head = ''] = response.data.split('\r\n\r\n', 1);
    const found = new Map<string, Pick<Authorization, 'header' | 'challenge'>>();
    for (const [, who = '', value = ''] of head.matchAll(/^(www|proxy)-authenticate[ \t]*:[ \t]*(.*)$/gim)) {
      const challenge = this.library.Grammar.parse(value, 'WWW_Authenticate') as Partial<Challenge> | -1;
      if (challenge === -1 || challenge.realm === undefined || challenge.nonce === undefined) continue;
      const { realm, nonce, algorithm = 'MD5' } = challenge;
      if (algorithm !== 'MD5') continue;
      const header = who.toLowerCase() === 'www' ? 'Authorization' : 'Proxy-Authorization';
      if (!found.has(header + realm)) found.set(header + realm, { header, challenge: { ...challenge, realm, nonce } });
    }
    return [...found.values()];
  }
}

/** An ACK carries what its INVITE carried (RFC 3261, 22.1). */
export function copyAuthorization(from: OutgoingRequestMessage, to: OutgoingRequestMessage): void {
  for (const header of ['Authorization', 'Proxy-Authorization']) {
    const values = from.getHeaders(header);
    if (values.length > 0) to.setHeader(header, values);
  }
}
