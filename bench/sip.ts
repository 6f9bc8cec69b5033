/**
 * `npm run bench:sip`: many dialogs over one TCP connection, held and healed, side by side with SIPp as the client of the
 * same SIPp Focus; and how soon a hung hop is noticed. `--dialogs N` (default 1000), `--updates N` in each (default 10).
 */
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { SignalingEvent } from '../nodes/recovery/signaling';
import { loadSipLibrary } from '../nodes/signaling/sip/library';
import { SipPort } from '../nodes/signaling/sip/sip-port';
import { Endpoint, systemClock } from '../test/signaling/sip/harness';
import { KamailioEdge, KamailioFocus, missingPeers, SippFocus } from '../test/support/peers';

const run = promisify(execFile);
/** How soon a hung hop must be noticed, in ms. */
const hungWithinMs = 12_000;

/** What so many joins or UPDATEs took: in all, and of CPU time. */
interface Cost {
  wallMs: number;
  cpuMs: number;
}

interface Measured {
  joins: Cost;
  updates: Cost;
  /** Per dialog, in bytes. */
  heap?: number;
}

/** The dialogs of one endpoint, and what they wait for. */
class Fleet {
  private readonly port: SipPort;
  private missing = 0;
  private failed: SignalingEvent[] = [];
  private done: () => void = () => {};

  constructor(
    focusPort: number,
    private readonly dialogs: number,
  ) {
    const options = { uri: 'sip:alice@example.com', host: '127.0.0.1', port: focusPort, transport: 'tcp' } as const;
    this.port = new SipPort(options, systemClock);
    for (let index = 0; index < dialogs; index += 1) {
      this.port.attach(this.room(index), (event) => this.hear(event));
    }
  }

  join(): Promise<void> {
    return this.all((room) => this.port.perform(room, { effect: 'join', dialog: 1, rejoin: false }));
  }

  heal(round: number): Promise<void> {
    const request = {
      effect: 'request',
      requestId: `${round}`,
      dialog: 1,
      purpose: 'heal',
      timeoutMs: 30_000,
    } as const;
    return this.all((room) => this.port.perform(room, { ...request, method: 'UPDATE' }));
  }

  leave(): Promise<void> {
    return this.all((room) => this.port.perform(room, { effect: 'leave', dialog: 1, silently: false }));
  }

  close(): Promise<void> {
    return this.port.close();
  }

  private room(index: number): string {
    return `sip:room${index}@127.0.0.1`;
  }

  private async all(perform: (room: string) => void): Promise<void> {
    this.missing = this.dialogs;
    const finished = new Promise<void>((resolve) => {
      this.done = resolve;
    });
    for (let index = 0; index < this.dialogs; index += 1) perform(this.room(index));
    await finished;
    if (this.failed.length > 0) throw new Error(`${this.failed.length} failed: ${JSON.stringify(this.failed[0])}`);
  }

  private hear(event: SignalingEvent): void {
    if (!['joined', 'join-failed', 'outcome', 'left'].includes(event.event)) return;
    if (event.event === 'join-failed' || (event.event === 'outcome' && event.outcome.kind !== 'ok'))
      this.failed.push(event);
    this.missing -= 1;
    if (this.missing === 0) this.done();
  }
}

async function costOf(work: () => Promise<void>): Promise<Cost> {
  const startedAt = performance.now();
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return { wallMs: performance.now() - startedAt, cpuMs: (user + system) / 1000 };
}

async function measureEndpoint(focusPort: number, dialogs: number, updates: number): Promise<Measured> {
  await loadSipLibrary();
  const fleet = new Fleet(focusPort, dialogs);
  const heapBefore = heap();
  const joins = await costOf(() => fleet.join());
  const perDialog = (heap() - heapBefore) / dialogs;
  const healing = await costOf(async () => {
    for (let round = 0; round < updates; round += 1) await fleet.heal(round);
  });
  await fleet.leave();
  await fleet.close();
  return { joins, updates: healing, heap: perDialog };
}

/** SIPp says BYE in each run; what the UPDATEs cost is the difference to a run without any. */
async function measureSipp(focusPort: number, dialogs: number, updates: number): Promise<Measured> {
  const joins = await sippClient(focusPort, dialogs, 0);
  const all = await sippClient(focusPort, dialogs, updates);
  return { joins, updates: { wallMs: all.wallMs - joins.wallMs, cpuMs: all.cpuMs - joins.cpuMs } };
}

async function sippClient(focusPort: number, dialogs: number, updates: number): Promise<Cost> {
  const folder = mkdtempSync(join(tmpdir(), 'bench-sip-'));
  try {
    const scenario = join(folder, 'client.xml');
    const template = readFileSync(join(__dirname, '../test/peers/sipp-client.xml'), 'utf8');
    const all = Array.from({ length: updates }, (_, index) => update(index + 2)).join('\n');
    writeFileSync(scenario, template.replace('{{UPDATES}}', all));
    const where = ['-i', '127.0.0.1', '-t', 't1', '-nostdin', `127.0.0.1:${focusPort}`];
    const load = ['-m', `${dialogs}`, '-l', `${dialogs}`, '-r', `${dialogs}`, '-rp', '100', '-deadcall_wait', '0'];
    // Of a child only its shell knows what it has used.
    const command = 'TIMEFORMAT="cpu %U %S"; time "$0" "$@" >/dev/null';
    const startedAt = performance.now();
    const { stderr } = await run('bash', ['-c', command, 'sipp', '-sf', scenario, ...load, ...where], { cwd: folder });
    const wallMs = performance.now() - startedAt;
    const [, user = '0', system = '0'] = /cpu ([\d.]+) ([\d.]+)/.exec(stderr) ?? [];
    return { wallMs, cpuMs: (Number(user) + Number(system)) * 1000 };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function update(sequence: number): string {
  const head = [
    'UPDATE [next_url] SIP/2.0',
    'Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]',
    'Max-Forwards: 70',
    'From: <sip:sipp@[local_ip]:[local_port]>;tag=[pid]c[call_number]',
    'To: <sip:focus@[remote_ip]:[remote_port]>[peer_tag_param]',
    'Call-ID: [call_id]',
    `CSeq: ${sequence} UPDATE`,
    'Contact: <sip:sipp@[local_ip]:[local_port];transport=[transport]>',
    'Content-Length: 0',
  ];
  return `  <send><![CDATA[\n\n${head.join('\n')}\n\n]]></send>\n  <recv response="200"/>`;
}

/** How long after its hop has been stopped an endpoint is told that the connection is lost, in ms. */
async function measureHungHop(): Promise<number> {
  const focus = await new KamailioFocus().start();
  const edge = await new KamailioEdge(focus.port).start();
  const alice = new Endpoint(edge, `sip:room@127.0.0.1:${focus.port}`);
  try {
    await alice.join();
    edge.hang();
    const startedAt = performance.now();
    await alice.next('transport-lost', undefined, { withinMs: 60_000 });
    return performance.now() - startedAt;
  } finally {
    edge.resume();
    await alice.port.close();
    await edge.stop();
    await focus.stop();
  }
}

const collect = ((): (() => void) => {
  setFlagsFromString('--expose-gc');
  return runInNewContext('gc') as () => void;
})();

function heap(): number {
  collect();
  return process.memoryUsage().heapUsed;
}

function print(ours: Measured, sipps: Measured, dialogs: number, updates: number): void {
  const perSecond = (count: number, { wallMs }: Cost): number => (count / wallMs) * 1000;
  const line = (what: string, our: number, sipp: number | undefined, digits = 0): void => {
    const columns = [our.toFixed(digits), sipp?.toFixed(digits) ?? '', sipp ? (our / sipp).toPrecision(2) : ''];
    console.log(`${what.padEnd(32)}${columns.map((column) => column.padStart(12)).join('')}`);
  };
  console.log(`${''.padEnd(32)}${['endpoint', 'SIPp', 'ratio'].map((column) => column.padStart(12)).join('')}`);
  line('joins per second', perSecond(dialogs, ours.joins), perSecond(dialogs, sipps.joins));
  const count = dialogs * updates;
  line('UPDATEs per second', perSecond(count, ours.updates), perSecond(count, sipps.updates));
  line('CPU time per join, ms', ours.joins.cpuMs / dialogs, sipps.joins.cpuMs / dialogs, 3);
  line('CPU time per UPDATE, ms', ours.updates.cpuMs / count, sipps.updates.cpuMs / count, 3);
  line('heap per dialog, KB', (ours.heap ?? 0) / 1024, undefined, 1);
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { dialogs: { type: 'string', default: '1000' }, updates: { type: 'string', default: '10' } },
  });
  const missing = missingPeers();
  if (missing !== null) throw new Error(missing);
  const dialogs = Number(values.dialogs);
  const updates = Number(values.updates);
  const focus = await new SippFocus().start();
  try {
    const ours = await measureEndpoint(focus.port, dialogs, updates);
    // SIPp ends with the connection of a client that closes it: the next one has one of its own.
    await focus.kill();
    await focus.start();
    const sipps = await measureSipp(focus.port, dialogs, updates);
    console.log(`${dialogs} dialogs over one TCP connection to a SIPp Focus, ${updates} UPDATEs in each.`);
    print(ours, sipps, dialogs, updates);
  } finally {
    await focus.stop();
  }
  const hungMs = await measureHungHop();
  console.log(`A hung hop was noticed after ${(hungMs / 1000).toFixed(1)} s.`);
  if (hungMs > hungWithinMs) {
    console.log(`That is more than ${hungWithinMs / 1000} s.`);
    process.exitCode = 1;
  }
}

void main();
