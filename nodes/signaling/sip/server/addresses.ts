/** How the conferences of a pool, and their MCUs, are addressed over SIP. */
import type { FlowAddress } from '../flow/flow';
import type { URI } from '../library';

/** What a URI stands for. */
export interface Addressed {
  /** URI of the conference in the pool. */
  conference: string;
  /** An MCU of it, if the URI is that of an MCU. */
  mcu: string | undefined;
}

/**
 * A conference is called by its own URI, for which a client needs the server as its outbound proxy, or by its user part at
 * the address of the server. Whoever calls the latter means the conference of that name in the domain of the pool. The
 * parameter `mcu` names an MCU, and `domain` the domain, where it is another one.
 */
export class Addresses {
  constructor(
    private readonly server: FlowAddress,
    private readonly domain: string,
  ) {}

  /** Where the server is, as in Via. */
  get authority(): string {
    return `${this.server.host}:${this.server.port}`;
  }

  get host(): string {
    return this.server.host;
  }

  /** What a Request-URI stands for; undefined without a user part. */
  read(uri: URI): Addressed | undefined {
    const { user, host, port } = uri;
    if (!user) return undefined;
    const here = (host === this.server.host || host === 'localhost') && (port ?? 5060) === this.server.port;
    const elsewhere = port === undefined ? host : `${host}:${port}`;
    const domain = here ? (parameterOf(uri, 'domain') ?? this.domain) : elsewhere;
    return { conference: `sip:${user}@${domain}`, mcu: parameterOf(uri, 'mcu') };
  }

  /** The address at which the server takes requests for a conference or one of its MCUs. */
  write(conference: string, mcu?: string): string {
    const [user = '', domain = ''] = conference.replace(/^sips?:/i, '').split('@');
    const parameters = [
      ...(domain === this.domain ? [] : [`;domain=${domain}`]),
      ...(mcu === undefined ? [] : [`;mcu=${mcu}`]),
    ];
    return `sip:${user}@${this.authority}${parameters.join('')}`;
  }
}

/** The MCU that the URI of an MCU names. */
export function mcuIn(uri: string): string | undefined {
  return /;mcu=([^;?>\s]+)/i.exec(uri)?.[1];
}

/** Who somebody is: their URI without what belongs to one request only. */
export function identityIn(uri: URI): string {
  const identity = uri.clone();
  identity.clearParams();
  identity.clearHeaders();
  return identity.toString();
}

function parameterOf(uri: URI, name: string): string | undefined {
  return uri.getParam(name) ?? undefined;
}
