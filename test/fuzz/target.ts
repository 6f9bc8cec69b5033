/** What is fuzzed: a SIP endpoint with two conferences on one flow, its library, its clock and no socket. */
import type { SignalingEvent } from '../../nodes/recovery/signaling';
import type { Flow, FlowListener } from '../../nodes/signaling/sip/flow/flow';
import { Framer } from '../../nodes/signaling/sip/flow/framing';
import { loadSipLibrary } from '../../nodes/signaling/sip/library';
import { SipPort } from '../../nodes/signaling/sip/sip-port';
import { VirtualClock } from '../support/virtual-clock';
import type { Input, Subject } from './inputs';

const attacked = 'sip:attacked@192.0.2.1';
const witness = 'sip:witness@192.0.2.1';
/** How long the endpoint waits for an answer that the fuzzer spoils, in ms. */
const patienceMs = 1000;

/** The wire: a flow whose other end is the fuzzer. */
class Wire implements Flow {
  readonly protocol = 'TCP';
  readonly local = { host: '127.0.0.1', port: 5060 };
  private framer = new Framer();
  readonly sent: string[] = [];
  onSent: (text: string) => void = () => {};

  constructor(private readonly listener: FlowListener) {}

  whenUp(done: () => void): void {
    done();
  }

  send(text: string): Promise<void> {
    this.onSent(text);
    return Promise.resolve();
  }

  moveOn(): boolean {
    return false;
  }

  close(): void {}

  receive(chunk: Buffer): void {
    const { messages, error } = this.framer.push(chunk);
    for (const message of messages) this.listener.message(message);
    if (error !== undefined) this.reconnect(error);
  }

  /** As when a stream cannot be read any further. */
  reconnect(reason: string): void {
    this.framer = new Framer();
    this.listener.down(reason);
    this.listener.up();
  }
}

function fieldOf(message: string, name: string): string {
  return new RegExp(`^${name}: *(.*)$`, 'im').exec(message)?.[1]?.trim() ?? '';
}

/** The endpoint. */
export class Target {
  private readonly clock = new VirtualClock();
  private readonly port: SipPort;
  private wire!: Wire;
  private readonly events: { [conference: string]: SignalingEvent[] } = { [attacked]: [], [witness]: [] };
  /** The latest request of the attacked conference, by method. */
  private readonly requests = new Map<string, string>();
  /** Requests of this method the Focus does not answer. */
  private unanswered = '';
  private dialog = 0;
  /** The dialog that is attacked has ended, as an input may well have asked for. */
  private over = false;
  private requestId = 0;
  private sequence = 1000;

  constructor() {
    const options = { uri: 'sip:alice@example.com', host: '192.0.2.1', transport: 'tcp', commands: 'cccp' } as const;
    this.port = new SipPort({ ...options, random: () => 0.5 }, this.clock, (_, listener) => {
      this.wire = new Wire(listener);
      this.wire.onSent = (text) => this.take(text);
      return this.wire;
    });
    for (const conference of [attacked, witness]) {
      this.port.attach(conference, (event) => this.events[conference]?.push(event));
    }
  }

  /** Joins both conferences. */
  async start(): Promise<this> {
    await loadSipLibrary();
    await this.join(witness, 1);
    await this.rejoin();
    return this;
  }

  close(): Promise<void> {
    const closed = this.port.close();
    this.clock.advance(10_000);
    return closed;
  }

  /** Gives it an input; settles with the ms of CPU time that this has cost. */
  async feed(input: Input): Promise<number> {
    if (this.over) await this.rejoin();
    await this.prepare(input.subject);
    const text = this.filled(input);
    const chunks = [...input.cuts, text.length].map((cut, index) =>
      Buffer.from(text.slice(input.cuts[index - 1] ?? 0, cut), 'latin1'),
    );

    const before = process.cpuUsage();
    for (const chunk of chunks) this.wire.receive(chunk);
    await settled();
    const { user, system } = process.cpuUsage(before);

    // What is left of it must not become part of the next one.
    this.wire.reconnect('the next input');
    this.unanswered = '';
    await settled();
    this.clock.advance(patienceMs + 3000);
    await settled();
    return (user + system) / 1000;
  }

  /** Why the other dialog has not gone on; null when it has. */
  async complaint(): Promise<string | null> {
    for (const [purpose, method] of [
      ['refresh', 'OPTIONS'],
      ['heal', 'UPDATE'],
    ] as const) {
      const requestId = `request ${++this.requestId}`;
      this.port.perform(witness, { effect: 'request', requestId, dialog: 1, purpose, timeoutMs: patienceMs });
      await settled();
      const outcome = this.events[witness]?.find((event) => event.event === 'outcome' && event.requestId === requestId);
      if (outcome?.event !== 'outcome') return `no outcome of ${method} in the other dialog`;
      if (outcome.outcome.kind !== 'ok') return `${method} in the other dialog: ${JSON.stringify(outcome.outcome)}`;
    }
    const told = this.events[witness]?.splice(0).map(({ event }) => event) ?? [];
    const unexpected = told.filter((event) => !['outcome', 'transport-lost', 'transport-restored'].includes(event));
    const ends = ['remote-bye', 'ended', 'subscription-lost'];
    if (this.events[attacked]?.splice(0).some(({ event }) => ends.includes(event))) this.over = true;
    return unexpected.length > 0 ? `the other conference was told ${unexpected.join(', ')}` : null;
  }

  private async rejoin(): Promise<void> {
    this.over = false;
    this.dialog += 1;
    await this.join(attacked, this.dialog);
  }

  private async join(conference: string, dialog: number): Promise<void> {
    this.port.perform(conference, { effect: 'join', dialog, rejoin: dialog > 1 });
    for (let turn = 0; turn < 500 && !this.heard(conference, 'joined'); turn += 1) {
      await settled();
      if (turn > 5) this.clock.advance(1000);
    }
    if (!this.heard(conference, 'joined')) throw new Error(`${conference} could not be joined`);
    this.events[conference]?.splice(0);
  }

  private heard(conference: string, name: SignalingEvent['event']): boolean {
    return this.events[conference]?.some(({ event }) => event === name) ?? false;
  }

  /** Has the endpoint wait for the answer that is to be spoiled. */
  private async prepare(subject: Subject): Promise<void> {
    if (subject.kind === 'ask') return;
    const { dialog } = this;
    this.unanswered = subject.to;
    const requestId = `request ${++this.requestId}`;
    const request = { effect: 'request', requestId, dialog, timeoutMs: patienceMs } as const;
    switch (subject.to) {
      case 'UPDATE':
        this.port.perform(attacked, { ...request, purpose: 'heal', method: 'UPDATE' });
        break;
      case 'INVITE':
        this.port.perform(attacked, { ...request, purpose: 'heal', method: 're-INVITE' });
        break;
      case 'OPTIONS':
        this.port.perform(attacked, { ...request, purpose: 'refresh' });
        break;
      case 'INFO':
        this.port.perform(attacked, { ...request, purpose: 'operation', operation: 'lock' });
        break;
      case 'SUBSCRIBE':
        this.port.perform(attacked, { ...request, purpose: 'subscription' });
        break;
    }
    await settled();
  }

  /** The text with the identifiers of the dialog, and with the right Content-Length where it is to have that. */
  private filled({ subject, text, fit }: Input): string {
    const about = this.requests.get(subject.kind === 'answer' ? subject.to : subject.within) ?? '';
    const to = fieldOf(about, 'to');
    this.sequence += 1;
    const values: { [name: string]: string } = {
      via: fieldOf(about, 'via'),
      from: fieldOf(about, 'from'),
      to: to.includes('tag=') ? to : `${to};tag=focus`,
      'call-id': fieldOf(about, 'call-id'),
      cseq: fieldOf(about, 'cseq'),
      next: String(this.sequence),
    };
    const filled = text.replace(/\{([a-z-]+)\}/g, (all, name: string) => values[name] ?? all);
    const end = filled.indexOf('\r\n\r\n');
    if (!fit || end < 0) return filled;
    return (
      filled.slice(0, end).replace(/^Content-Length:.*$/im, `Content-Length: ${filled.length - end - 4}`) +
      filled.slice(end)
    );
  }

  /** The Focus: answers what it is not told to leave unanswered. */
  private take(text: string): void {
    const method = text.slice(0, text.indexOf(' '));
    if (method === 'SIP/2.0' || method === 'ACK') return;
    const attackedDialog = fieldOf(text, 'to').includes('attacked') || text.includes('sip:attacked@');
    if (attackedDialog) this.requests.set(method, text);
    if (method === 'BYE') this.over ||= attackedDialog;
    if (attackedDialog && method === this.unanswered) return;
    const to = fieldOf(text, 'to');
    const room = attackedDialog ? attacked : witness;
    const answer = [
      'SIP/2.0 200 OK',
      `Via: ${fieldOf(text, 'via')}`,
      `From: ${fieldOf(text, 'from')}`,
      `To: ${to}${to.includes('tag=') ? '' : ';tag=focus'}`,
      `Call-ID: ${fieldOf(text, 'call-id')}`,
      `CSeq: ${fieldOf(text, 'cseq')}`,
      `Contact: <${room}>;isfocus`,
      'Allow: INVITE, ACK, BYE, CANCEL, UPDATE, INFO, OPTIONS',
      'Content-Length: 0',
    ];
    const bytes = Buffer.from(`${answer.join('\r\n')}\r\n\r\n`);
    queueMicrotask(() => this.wire.receive(bytes));
  }
}

/** Lets everything happen that does not wait for time to pass. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 3; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}
