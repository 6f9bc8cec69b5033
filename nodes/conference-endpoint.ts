/** The conference-endpoint config node: who we are, and which conferencing system we talk to. */
import type { Node, NodeAPI, NodeDef } from 'node-red';
import { systemClock } from './runtime/deadlines';
import { choiceOf, durationOf, type NodeConfig, numberOf, textOf } from './runtime/settings';
import { Endpoint } from './signaling/endpoint';
import { Pool, poolDefaults } from './signaling/pool/pool';
import { SipPort } from './signaling/sip/sip-port';

/** Who we are in an embedded pool. */
const poolIdentity = { uri: 'sip:node-red@pool.example', displayName: 'Node-RED' };

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

function sipEndpoint(config: NodeConfig): Endpoint {
  const host = textOf(config, 'host');
  const uri = textOf(config, 'uri');
  const port = numberOf(config, 'port', 5060);
  if (!host) throw new RangeError('no host: name the SIP server in the dialog');
  if (!/^sips?:\S+@\S+$/i.test(uri)) throw new RangeError(`our own URI must be like sip:me@example.com, not "${uri}"`);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) {
    throw new RangeError(`port ${port}: a port is a whole number from 1 to 65535`);
  }
  const displayName = textOf(config, 'displayName');
  const options = {
    uri,
    host,
    port,
    transport: 'tcp',
    commands: choiceOf(config, 'commands', ['none', 'cccp']),
    mediaTimeoutMs: durationOf(config, 'mediaTimeout', 0),
  } as const;
  return new Endpoint(new SipPort(displayName ? { ...options, displayName } : options, systemClock), null);
}

export = (RED: NodeAPI): void => {
  RED.nodes.registerType('conference-endpoint', function (this: Node & { endpoint?: Endpoint }, config: NodeDef) {
    RED.nodes.createNode(this, config);
    const settings = config as unknown as NodeConfig;
    try {
      this.endpoint =
        choiceOf(settings, 'system', ['pool', 'sip']) === 'pool' ? poolEndpoint(settings) : sipEndpoint(settings);
    } catch (error) {
      // Its users have a red status of their own; this is the one line that says why.
      this.error(`conference-endpoint: ${(error as Error).message}`);
    }
    this.on('close', (_removed: boolean, done: () => void) => {
      const closed = this.endpoint ? this.endpoint.port.close() : Promise.resolve();
      closed.catch((error: Error) => this.error(error.message)).then(done);
    });
  });
};
