/** The conference-endpoint config node: who we are, and which conferencing system we talk to. */
import type { Node, NodeAPI, NodeDef } from 'node-red';
import { systemClock } from './runtime/deadlines';
import { choiceOf, durationOf, type NodeConfig, numberOf, textOf } from './runtime/settings';
import { Endpoint } from './signaling/endpoint';
import { Pool, poolDefaults } from './signaling/pool/pool';
import { SipServer } from './signaling/sip/server/sip-server';
import { SipPort } from './signaling/sip/sip-port';

/** Domain of the conferences of an embedded pool, as its examples have it. */
const poolDomain = 'pool.example';
/** Who we are in an embedded pool. */
const poolIdentity = { uri: `sip:node-red@${poolDomain}`, displayName: 'Node-RED' };

function poolEndpoint(config: NodeConfig): Endpoint {
  const participants = textOf(config, 'participants', poolDefaults.participants.join(','));
  const pool = new Pool(
    {
      frontEnds: numberOf(config, 'frontEnds', poolDefaults.frontEnds),
      hops: numberOf(config, 'hops', poolDefaults.hops),
      seed: numberOf(config, 'seed', poolDefaults.seed),
      latencyMs: durationOf(config, 'latency', poolDefaults.latencyMs),
      failoverMs: durationOf(config, 'failoverDelay', poolDefaults.failoverMs),
      mcuFailoverMs: durationOf(config, 'mcuFailover', poolDefaults.mcuFailoverMs),
      mcuPlacement: choiceOf(config, 'mcuPlacement', ['separate', 'together']),
      lobby: config.lobby === true,
      participants: participants
        .split(',')
        .map((uri) => uri.trim())
        .filter((uri) => uri !== ''),
    },
    systemClock,
  );
  return new Endpoint(pool.port(poolIdentity), pool);
}

/** The SIP server that an embedded pool is to have; null when it is to have none. */
function poolServer(config: NodeConfig, { pool }: Endpoint): SipServer | null {
  if (!pool || config.sipServer !== true) return null;
  const options = {
    port: checkedPort(numberOf(config, 'sipServerPort', 5070)),
    domain: poolDomain,
    reserved: poolIdentity.uri,
  };
  return new SipServer(options, systemClock, (identity) => pool.guestPort(identity));
}

function checkedPort(port: number): number {
  if (Number.isInteger(port) && port >= 1 && port <= 65_535) return port;
  throw new RangeError(`port ${port}: a port is a whole number from 1 to 65535`);
}

/** What Node-RED keeps apart from the flow, encrypted. */
interface Secrets {
  username: unknown;
  password: unknown;
}

function sipEndpoint(config: NodeConfig, secrets: Partial<Secrets>): Endpoint {
  const uri = textOf(config, 'uri');
  if (!/^sips?:\S+@\S+$/i.test(uri)) throw new RangeError(`our own URI must be like sip:me@example.com, not "${uri}"`);
  const username = typeof secrets.username === 'string' ? secrets.username.trim() : '';
  const password = typeof secrets.password === 'string' ? secrets.password : '';
  // Neither belongs between the quotes of a header, and no server knows such a name (RFC 3261, 25.1, quoted-string).
  if (/[\p{Cc}"\\]/u.test(username)) throw new RangeError('the user name must not contain quotes or backslashes');
  const displayName = textOf(config, 'displayName');
  const options = {
    uri,
    host: textOf(config, 'host'),
    ...portOf(config),
    transport: choiceOf(config, 'transport', ['tcp', 'tls', 'ws', 'wss', 'udp', 'auto']),
    webSocketPath: textOf(config, 'webSocketPath', '/'),
    keepAliveMs: durationOf(config, 'keepAlive', 6000),
    ...given(config, ['outboundProxy', 'caFile', 'certificateFile', 'keyFile']),
    commands: choiceOf(config, 'commands', ['none', 'cccp']),
    mediaTimeoutMs: durationOf(config, 'mediaTimeout', 0),
    ...(displayName ? { displayName } : {}),
    ...(username ? { credentials: { username, password } } : {}),
  } as const;
  return new Endpoint(new SipPort(options, systemClock), null);
}

/** Empty is as DNS says; but flows from before there was a choice mean 5060. */
function portOf(config: NodeConfig): { port?: number } {
  const { port = 5060 } = config;
  return port === '' ? {} : { port: Number(port) };
}

/** Those of some texts that are not empty. */
function given<Property extends string>(
  config: NodeConfig,
  properties: readonly Property[],
): { [property in Property]?: string } {
  const texts = properties.map((property) => [property, textOf(config, property)]);
  return Object.fromEntries(texts.filter(([, text]) => text !== ''));
}

export = (RED: NodeAPI): void => {
  function conferenceEndpoint(this: Node<Secrets> & { endpoint?: Endpoint }, config: NodeDef): void {
    RED.nodes.createNode(this, config);
    const settings = config as unknown as NodeConfig;
    // Its users have a red status of their own; this is the one line that says why.
    const complain = (error: Error): void => this.error(`conference-endpoint: ${error.message}`);
    let server: SipServer | null = null;
    try {
      const endpoint =
        choiceOf(settings, 'system', ['pool', 'sip']) === 'pool'
          ? poolEndpoint(settings)
          : sipEndpoint(settings, this.credentials ?? {});
      server = poolServer(settings, endpoint);
      server?.listen().catch((error: Error) => {
        complain(error);
        endpoint.fail();
      });
      this.endpoint = endpoint;
    } catch (error) {
      complain(error as Error);
    }
    this.on('close', (_removed: boolean, done: () => void) => {
      const closed = async (): Promise<void> => {
        await server?.close();
        await this.endpoint?.port.close();
      };
      closed()
        .catch((error: Error) => this.error(error.message))
        .then(done);
    });
  }
  RED.nodes.registerType('conference-endpoint', conferenceEndpoint, {
    credentials: { username: { type: 'text' }, password: { type: 'password' } },
  });
};
