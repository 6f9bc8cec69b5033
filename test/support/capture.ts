/** What Wireshark's dissectors think of our messages. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import type { Clock } from '../../nodes/signaling/port';
import type { Flow, FlowListener } from '../../nodes/signaling/sip/flow/flow';

/** A message as it went over a flow. */
export interface Captured {
  /** `O`: we have sent it; `I`: we have received it. */
  direction: 'I' | 'O';
  text: string;
}

/** What is missing for `dissect`; null when all is there. */
export function missingDissectors(): string | null {
  const folders = (process.env.PATH ?? '').split(delimiter);
  const missing = ['tshark', 'text2pcap'].filter((name) => !folders.some((folder) => existsSync(join(folder, name))));
  return missing.length > 0 ? `Not installed: ${missing.join(', ')}. On Debian: apt-get install tshark` : null;
}

type MakeFlow = (clock: Clock, listener: FlowListener) => Flow;

/** The flow that `makeFlow` makes, whose messages are noted in `into` both ways. */
export function recorded(makeFlow: MakeFlow, into: Captured[]): MakeFlow {
  return (clock, listener) => {
    const flow = makeFlow(clock, {
      up: () => listener.up(),
      down: (message) => listener.down(message),
      wanted: () => listener.wanted(),
      message: (text) => {
        into.push({ direction: 'I', text });
        listener.message(text);
      },
    });
    const { send } = flow;
    flow.send = (text) => {
      into.push({ direction: 'O', text });
      return send.call(flow, text);
    };
    return flow;
  };
}

/** One message as the dissectors see it. */
export interface Dissected {
  /** Names of the protocols, outermost first. */
  protocols: string[];
  /** What is wrong with it: expert information of severity "error", malformed packets among them. */
  errors: string[];
}

/** Writes a capture of the messages, one TCP segment each, and has tshark read it. */
export function dissect(messages: readonly Captured[]): Dissected[] {
  const folder = mkdtempSync(join(tmpdir(), 'capture-'));
  try {
    const dump = messages.map(({ direction, text }) => `${direction}\n${hexDump(Buffer.from(text))}`).join('\n');
    writeFileSync(join(folder, 'dump'), dump);
    const run = (file: string, ...parameters: string[]): string =>
      execFileSync(file, parameters, { cwd: folder, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
    run('text2pcap', '-q', '-D', '-4', '127.0.0.2,127.0.0.1', '-T', '5060,5060', 'dump', 'capture');
    const fields = ['frame.protocols', '_ws.expert.severity', '_ws.expert.message'];
    const parameters = fields.flatMap((field) => ['-e', field]);
    const format = ['-T', 'fields', '-E', 'separator=/t', '-E', 'aggregator=|'];
    const lines = run('tshark', '-r', 'capture', ...format, ...parameters)
      .trimEnd()
      .split('\n');
    return lines.map((line) => {
      const [protocols = '', severities = '', texts = ''] = line.split('\t');
      const all = texts.split('|');
      const errors = severities
        .split('|')
        .flatMap((severity, index) => (Number(severity) === error ? [all[index] ?? ''] : []));
      return { protocols: protocols.split(':'), errors };
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Severity "error" of expert information (PI_ERROR of Wireshark). */
const error = 0x800000;

/** As `text2pcap` reads it: offset and octets. */
function hexDump(bytes: Buffer): string {
  const lines: string[] = [];
  for (let at = 0; at < bytes.length; at += 16) {
    const octets = [...bytes.subarray(at, at + 16)].map((octet) => octet.toString(16).padStart(2, '0'));
    lines.push(`${at.toString(16).padStart(6, '0')} ${octets.join(' ')}`);
  }
  return `${lines.join('\n')}\n`;
}
