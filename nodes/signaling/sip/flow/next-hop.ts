/** Where everything goes that is sent: the server that was configured, or the proxy before it. */
import { isIP } from 'node:net';
import type { Clock } from '../../port';
import type { Flow, FlowListener } from './flow';
import { ReconnectingFlow } from './reconnecting-flow';
import { askDns, findTargets } from './resolver';
import type { Server } from './targets';
import { type TlsFiles, tlsSettings } from './tls';

/** The way to the conferencing system, as it is configured. */
export interface NextHopOptions extends TlsFiles {
  /** The conferencing system or its domain; with an outbound proxy it is not needed. */
  host?: string;
  /** Absent: as DNS says, or the default of the transport (RFC 3263, 4.2). */
  port?: number;
  transport: Server['transport'];
  /** A SIP URI: goes there instead of to `host`, and requests outside of a dialog name it as Route (RFC 3261, 8.1.2). */
  outboundProxy?: string;
  /** Path of the WebSocket; default `/`. */
  webSocketPath?: string;
  /** After so much silence the far end is asked for a sign of life, in ms; default 6000, 0 is never. */
  keepAliveMs?: number;
  /** How long a connection attempt may take, in ms; default 4000. */
  connectTimeoutMs?: number;
  /** DNS servers to ask, as `address:port`, instead of those of the system. */
  dnsServers?: readonly string[];
  /** Uniform in [0, 1); default `Math.random`. */
  random?: () => number;
}

const transports: readonly Server['transport'][] = ['auto', 'udp', 'tcp', 'tls', 'ws', 'wss'];

/** Makes flows to the next hop. Throws a RangeError where the options make no sense or name files that cannot be used. */
export function flowsTo(options: NextHopOptions): (clock: Clock, listener: FlowListener) => Flow {
  const server = serverOf(options);
  const { connectTimeoutMs = 4000, keepAliveMs = 6000, webSocketPath = '/', random = Math.random } = options;
  if (!/^\/?[^\s#]*$/.test(webSocketPath)) {
    throw new RangeError(`the WebSocket path must be like /ws, not "${webSocketPath}"`);
  }
  const tls = tlsSettings(options);
  const settings = { domain: server.host, tls, webSocketPath, connectTimeoutMs, keepAliveMs, random };
  return (clock, listener) => {
    const dns = askDns(options.dnsServers);
    const find = { targets: () => findTargets(server, dns, random), cancel: () => dns.cancel() };
    return new ReconnectingFlow({ ...settings, find }, clock, listener);
  };
}

/** Values of Route for requests outside of a dialog: the outbound proxy, as a loose router (RFC 3261, 16.12.1). */
export function preloadedRoute({ outboundProxy }: NextHopOptions): string[] {
  if (outboundProxy === undefined) return [];
  return [`<${/;lr(?:[;=?]|$)/i.test(outboundProxy) ? outboundProxy : `${outboundProxy};lr`}>`];
}

function serverOf({ host = '', port, transport, outboundProxy }: NextHopOptions): Server {
  if (outboundProxy !== undefined) return serverOfUri(outboundProxy, transport);
  if (host === '') throw new RangeError('no host: name the SIP server in the dialog');
  return checked(withoutBrackets(host), port, transport);
}

/** What a SIP URI says of host, port and transport; where it says nothing of the transport, `otherwise` is it. */
function serverOfUri(uri: string, otherwise: Server['transport']): Server {
  const [, scheme, host, port, parameters = ''] =
    /^(sips?):(?:[^@\s]+@)?(\[[\da-f:.]+\]|[\w.-]+)(?::(\d+))?((?:;[^\s?<>]*)?)$/i.exec(uri) ?? [];
  if (scheme === undefined || host === undefined) {
    throw new RangeError(`the outbound proxy must be like sip:proxy.example.com;transport=tls, not "${uri}"`);
  }
  const named = /;transport=([\w-]+)/i.exec(parameters)?.[1]?.toLowerCase();
  const plain = (named ?? otherwise) as Server['transport'];
  // Over SIPS everything is secure (RFC 3261, 26.2.2).
  const secure = plain === 'ws' || plain === 'wss' ? 'wss' : 'tls';
  const transport = scheme.toLowerCase() === 'sips' ? secure : plain;
  return checked(withoutBrackets(host), port === undefined ? undefined : Number(port), transport);
}

function checked(host: string, port: number | undefined, transport: Server['transport']): Server {
  if (!isIP(host) && !/^[\w-]+(?:\.[\w-]+)*\.?$/.test(host))
    throw new RangeError(`"${host}" is not the name of a host`);
  if (port !== undefined && (!Number.isInteger(port) || port < 1 || port > 65_535)) {
    throw new RangeError(`port ${port}: a port is a whole number from 1 to 65535`);
  }
  if (!transports.includes(transport)) throw new RangeError(`"${transport}" is not a transport of SIP`);
  return port === undefined ? { host, transport } : { host, port, transport };
}

function withoutBrackets(host: string): string {
  return host.replace(/^\[(.*)\]$/, '$1');
}
