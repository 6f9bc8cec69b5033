/** The conference-endpoint config node: who we are, and which conferencing system we talk to. */
import type { Node, NodeAPI, NodeDef } from 'node-red';
import { complaintAboutVersion } from './runtime/config-versions';
import { configurationOf, evaluatorOf } from './runtime/configuration';
import { systemClock } from './runtime/deadlines';
import { deploymentsOf, type Heritage, keyOf } from './runtime/deployment';
import {
  choiceOf,
  complaintAboutUnset,
  durationOf,
  type NodeConfig,
  numberOf,
  textOf,
  withEnvironment,
} from './runtime/settings';
import { Endpoint } from './signaling/endpoint';
import { Pool, poolDefaults } from './signaling/pool/pool';
import type { SignalingPort } from './signaling/port';
import { checkConnection, type SipCheck } from './signaling/sip/connection-check';
import { SipServer } from './signaling/sip/server/sip-server';
import { type SipOptions, SipPort } from './signaling/sip/sip-port';

/** Domain of the conferences of an embedded pool, as its examples have it. */
const poolDomain = 'pool.example';
/** Who we are in an embedded pool. */
const poolIdentity = { uri: `sip:node-red@${poolDomain}`, displayName: 'Node-RED' };
/** What a system takes without being overrun by us, in re-joins and healing requests per second. */
const defaultRecoveryRate = 500;

function poolOf(config: NodeConfig): { port: SignalingPort; pool: Pool } {
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
  return { port: pool.port(poolIdentity), pool };
}

/** The SIP server of an embedded pool. */
function serverOf(config: NodeConfig, pool: Pool): SipServer {
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

function sipOptionsOf(config: NodeConfig, secrets: Partial<Secrets>): SipOptions {
  const uri = textOf(config, 'uri');
  if (!/^sips?:\S+@\S+$/i.test(uri)) throw new RangeError(`our own URI must be like sip:me@example.com, not "${uri}"`);
  const username = typeof secrets.username === 'string' ? secrets.username.trim() : '';
  const password = typeof secrets.password === 'string' ? secrets.password : '';
  // Neither belongs between the quotes of a header, and no server knows such a name (RFC 3261, 25.1, quoted-string).
  if (/[\p{Cc}"\\]/u.test(username)) throw new RangeError('the user name must not contain quotes or backslashes');
  const displayName = textOf(config, 'displayName');
  return {
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
  };
}

function sipOf(config: NodeConfig, secrets: Partial<Secrets>): { port: SignalingPort; pool: null } {
  return { port: new SipPort(sipOptionsOf(config, secrets), systemClock), pool: null };
}

/** Empty is as DNS says. */
function portOf({ port }: NodeConfig): { port?: number } {
  return port === undefined || port === '' ? {} : { port: Number(port) };
}

/** Those of some texts that are not empty. */
function given<Property extends string>(
  config: NodeConfig,
  properties: readonly Property[],
): { [property in Property]?: string } {
  const texts = properties.map((property) => [property, textOf(config, property)]);
  return Object.fromEntries(texts.filter(([, text]) => text !== ''));
}

/** What lives on when the node is deployed anew: the endpoint with all its dialogs. */
class LastingEndpoint implements Heritage {
  constructor(
    readonly endpoint: Endpoint,
    /** The settings that it was made with, as one text. */
    readonly settings: string,
    public server: SipServer | null,
  ) {}

  end(): void {
    // What it had to say goodbye to is gone, and there is no node left that could report anything.
    this.close().catch(() => {});
  }

  async close(): Promise<void> {
    await this.server?.close();
    await this.endpoint.close();
  }
}

/** Throws a RangeError that names an environment variable which is wanted and not set. */
function checkEnvironment(config: NodeConfig): void {
  const unset = complaintAboutUnset(config);
  if (unset) throw new RangeError(unset.text);
}

/**
 * A new endpoint; or the one that was there, on a new port: what it held goes on there. Throws a RangeError where the
 * settings make no sense.
 */
function begin(
  config: NodeConfig,
  secrets: Partial<Secrets>,
  left: LastingEndpoint | null,
  complain: (error: Error) => void,
): LastingEndpoint {
  checkEnvironment(config);
  const { port, pool } =
    choiceOf(config, 'system', ['pool', 'sip']) === 'pool' ? poolOf(config) : sipOf(config, secrets);
  const server = pool && config.sipServer === true ? serverOf(config, pool) : null;
  const endpoint = left?.endpoint ?? new Endpoint(port, pool, systemClock, recoveryRateOf(config));
  const renewed = left ? left.endpoint.renew(port, pool) : Promise.resolve();
  renewed.catch(complain);
  if (server) {
    // The old one may have the port that this one wants.
    Promise.resolve(left?.server?.close())
      .then(() => server.listen())
      .catch((error: Error) => {
        complain(error);
        endpoint.fail();
      });
  } else left?.server?.close().catch(complain);
  return new LastingEndpoint(endpoint, settingsText(config, secrets), server);
}

/** Re-joins and healing requests per second, and probes; 0: as they come. */
function recoveryRateOf(config: NodeConfig): number {
  const rate = numberOf(config, 'recoveryRate', defaultRecoveryRate);
  return rate >= 0 ? rate : defaultRecoveryRate;
}

/** What a port is made of, as one text: another one needs another port. */
function settingsText(config: NodeConfig, secrets: Partial<Secrets>): string {
  const { id: _id, z: _z, name: _name, recoveryRate: _rate, ...settings } = config;
  return JSON.stringify([settings, secrets.username, secrets.password]);
}

/** The endpoint that a dialog wants to have tested: as the dialog shows it, saved or not. */
interface TestRequest {
  id: string;
  config: NodeConfig;
  /** A password that was not entered anew is what the editor shows in its place; see `savedPassword`. */
  credentials: Partial<Secrets>;
  /** URI of a conference that a node on this endpoint serves, or ''. */
  conference: string;
}

/** What a test has found. `complaint`: the settings make no sense, and nothing was tried. */
type TestReport =
  | { system: 'pool'; running: boolean; frontEnds: number }
  | ({ system: 'sip' } & SipCheck)
  | { complaint: string };

/** What the editor shows of a password that is saved. */
const savedPassword = '__PWRD__';
/** Tests at a time; each takes seconds at the most. */
const mostTests = 8;

async function tested(RED: NodeAPI, { id, config, credentials, conference }: TestRequest): Promise<TestReport> {
  const node = RED.nodes.getNode(id) as unknown as { endpoint?: Endpoint } | null;
  const evaluate = evaluatorOf(RED, node as unknown as Node);
  const variable = /^\$\{[^}]+\}$/;
  const substituted = (value: unknown): unknown =>
    typeof value === 'string' && variable.test(value) ? evaluate(value, 'env', {}) : value;
  const given = Object.entries(config).map(([property, value]) => [property, substituted(value)]);
  const settings = withEnvironment(Object.fromEntries(given), evaluate);
  if (choiceOf(settings, 'system', ['pool', 'sip']) === 'pool') {
    const running = Boolean(node?.endpoint?.pool);
    return { system: 'pool', running, frontEnds: numberOf(settings, 'frontEnds', poolDefaults.frontEnds) };
  }
  try {
    const saved = RED.nodes.getCredentials(id) as Partial<Secrets> | undefined;
    const password = credentials.password === savedPassword ? saved?.password : credentials.password;
    checkEnvironment(settings);
    const options = sipOptionsOf(settings, { ...credentials, password });
    return {
      system: 'sip',
      ...(await checkConnection(options, textOf({ conference }, 'conference') || null, systemClock)),
    };
  } catch (error) {
    return { complaint: (error as Error).message };
  }
}

/** Answers the dialog's *Test the connection*: a TestRequest by a TestReport. It changes nothing, here or at the far end. */
function offerTest(RED: NodeAPI): void {
  let tests = 0;
  const permission = RED.auth.needsPermission('conference-endpoint.write');
  RED.httpAdmin.post('/conference-recovery/test-connection', permission, ({ body }, response) => {
    if (!isTestRequest(body)) return void response.sendStatus(400);
    if (tests >= mostTests) return void response.sendStatus(503);
    tests += 1;
    tested(RED, body)
      .then((report) => response.json(report))
      .catch(() => response.sendStatus(500))
      .finally(() => {
        tests -= 1;
      });
  });
}

function isTestRequest(body: unknown): body is TestRequest {
  const { id, config, credentials } = (body ?? {}) as Partial<TestRequest>;
  return typeof id === 'string' && [config, credentials].every((part) => typeof part === 'object' && part !== null);
}

export = (RED: NodeAPI): void => {
  const deployments = deploymentsOf(RED);
  offerTest(RED);

  function conferenceEndpoint(this: Node<Secrets> & { endpoint?: Endpoint }, config: NodeDef): void {
    RED.nodes.createNode(this, config);
    const settings = configurationOf(RED, this, 'conference-endpoint', config);
    // Its users have a red status of their own; this is the one line that says why.
    const complain = (error: Error): void => this.error(`conference-endpoint: ${error.message}`);
    const complaint = complaintAboutVersion('conference-endpoint', settings);
    if (complaint !== null) complain(new Error(complaint));
    const secrets = this.credentials ?? {};
    const text = settingsText(settings, secrets);
    const heritage = deployments.take(keyOf(this));
    const left = heritage instanceof LastingEndpoint ? heritage : null;
    if (!left) heritage?.end();
    let lasting = left?.settings === text ? left : null;
    if (!lasting) {
      try {
        lasting = begin(settings, secrets, left, complain);
      } catch (error) {
        left?.end();
        complain(error as Error);
      }
    }
    if (lasting) {
      this.endpoint = lasting.endpoint;
      lasting.endpoint.changeRecoveryRate(recoveryRateOf(settings));
    }
    this.on('close', (removed: boolean, done: () => void) => {
      if (lasting && deployments.reasonFor(removed) === 'redeploy') {
        deployments.leave(keyOf(this), lasting);
        return done();
      }
      Promise.resolve(lasting?.close())
        .catch((error: Error) => this.error(error.message))
        .then(done);
    });
  }
  RED.nodes.registerType('conference-endpoint', conferenceEndpoint, {
    credentials: { username: { type: 'text' }, password: { type: 'password' } },
  });
};
