/** The real client stack joined to the real server without sockets, in virtual time. */
import { setImmediate as turn } from 'node:timers/promises';
import type { Clock, SignalingPort } from '../../../nodes/signaling/port';
import { type Flow, type FlowAddress, FlowError, type FlowListener } from '../../../nodes/signaling/sip/flow/flow';
import type { Link } from '../../../nodes/signaling/sip/server/link';
import type { SipServer } from '../../../nodes/signaling/sip/server/sip-server';
import { SipPort } from '../../../nodes/signaling/sip/sip-port';
import type { VirtualClock } from '../../support/virtual-clock';

/** How long a message travels, in ms. */
const latencyMs = 1;

/** A connection to a server in this process, which comes back when it is cut and wanted. */
export class MemoryFlow implements Flow {
  readonly protocol = 'TCP';
  local: FlowAddress | null = null;
  private closed = false;
  private link: Link | null = null;

  constructor(
    private readonly server: SipServer,
    private readonly clock: Clock,
    private readonly listener: FlowListener,
  ) {}

  whenUp(done: (error?: FlowError) => void): void {
    if (this.closed) return done(new FlowError('the port is closed', false));
    if (!this.link) this.connect();
    done();
  }

  async send(text: string): Promise<void> {
    const { link } = this;
    if (!link) throw new FlowError('not connected', false);
    this.clock.after(latencyMs, () => {
      if (link.open) this.server.receive(text, link);
    });
  }

  moveOn(): boolean {
    return false;
  }

  close(): void {
    this.closed = true;
    this.link?.cut();
  }

  private connect(): void {
    const peer = { host: '127.0.0.1', port: 5062 };
    let open = true;
    const link: Link = {
      protocol: 'TCP',
      peer,
      get open() {
        return open;
      },
      send: (text) => {
        this.clock.after(latencyMs, () => {
          if (open) this.listener.message(text);
        });
      },
      cut: () => {
        if (!open) return true;
        open = false;
        this.link = null;
        this.local = null;
        if (!this.closed) this.clock.after(latencyMs, () => this.lost());
        return true;
      },
    };
    this.link = link;
    this.local = peer;
    this.listener.up();
  }

  private lost(): void {
    if (this.closed || this.link) return;
    this.listener.down('The connection to the server in memory was lost');
    if (this.listener.wanted()) this.connect();
  }
}

/**
 * Lets virtual time pass, with a turn of the event loop for each step, since the stack answers in microtasks. Its own
 * timers (64·T1, in the library) run in real time: within a test none of them comes due.
 */
export async function passVirtually(clock: VirtualClock, ms: number): Promise<void> {
  const until = clock.now() + ms;
  while (clock.now() < until) {
    clock.advance(Math.min(latencyMs, until - clock.now()));
    await turn();
  }
  await turn();
}

/** A client of the server, in virtual time; while it closes, time passes by itself. */
export function memoryPort(server: SipServer, uri: string, clock: VirtualClock): SignalingPort {
  const options = { uri, host: '127.0.0.1', transport: 'tcp', commands: 'cccp' } as const;
  const port = new SipPort(options, clock, (_, listener) => new MemoryFlow(server, clock, listener));
  return {
    attach: (conference, listener) => port.attach(conference, listener),
    perform: (conference, effect) => port.perform(conference, effect),
    detach: (conference) => port.detach(conference),
    saved: (conference) => port.saved(conference),
    restore: (conference, saved) => port.restore(conference, saved),
    savedSystem: () => port.savedSystem(),
    restoreSystem: () => port.restoreSystem(),
    watch: (changed) => port.watch(changed),
    abandon: (conference) => port.abandon(conference),
    release: () => port.release(),
    async close() {
      let open = true;
      const closed = port.close().then(() => {
        open = false;
      });
      while (open) await passVirtually(clock, 10);
      await closed;
    },
  };
}
