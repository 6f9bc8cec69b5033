/** What the specs of this directory share: a system clock, and a port whose events can be waited for. */
import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import type { SignalingEffect, SignalingEvent } from '../../../nodes/recovery/signaling';
import type { Clock } from '../../../nodes/signaling/port';
import { flowsTo } from '../../../nodes/signaling/sip/flow/next-hop';
import { type SipOptions, SipPort } from '../../../nodes/signaling/sip/sip-port';
import { type Captured, recorded } from '../../support/capture';

export const systemClock: Clock = {
  now: () => Date.now(),
  after(delayMs, run) {
    const timer = setTimeout(run, delayMs);
    return () => clearTimeout(timer);
  },
};

/** How late anything may be, on a machine as busy as it likes. Only waits that fail take as long. */
export const leewayMs = 15_000;

/** Waits until something holds. */
export async function until(holds: () => boolean, withinMs = leewayMs): Promise<void> {
  const deadline = Date.now() + withinMs;
  while (!holds()) {
    assert.ok(Date.now() < deadline, `not within ${withinMs} ms: ${holds}`);
    await delay(5);
  }
}

/** The system clock, so many times as fast. */
export function hurried(times: number): Clock {
  return {
    now: () => times * Date.now(),
    after: (delayMs, run) => systemClock.after(delayMs / times, run),
  };
}

type EventOf<Name extends SignalingEvent['event']> = Extract<SignalingEvent, { event: Name }>;
type RequestEffect = Extract<SignalingEffect, { effect: 'request' }>;

/** One endpoint in one conference, and all that it was told. */
export class Endpoint {
  readonly port: SipPort;
  readonly events: SignalingEvent[] = [];
  private requests = 0;

  constructor(
    /** A server on the loopback interface; null where the options say where to go. */
    host: { port: number } | null,
    readonly conference: string,
    options: Partial<SipOptions> = {},
    clock: Clock = systemClock,
    /** Sockets live in real time, whatever the clock of the dialogs says; or as much faster as a test says. */
    flowClock: Clock = systemClock,
    /** Where what goes over the wire is noted. */
    captured: Captured[] = [],
  ) {
    const uri = 'sip:alice@example.com';
    const there = host ? { host: '127.0.0.1', port: host.port } : {};
    const complete = { uri, ...there, transport: 'tcp', ...options } as const;
    const makeFlow = recorded(flowsTo(complete), captured);
    this.port = new SipPort(complete, clock, (_, listener) => makeFlow(flowClock, listener));
    this.port.attach(conference, (event) => this.events.push(event));
  }

  perform(effect: SignalingEffect): void {
    this.port.perform(this.conference, effect);
  }

  /** The first event of that name, from position `since` on. */
  async next<Name extends SignalingEvent['event']>(
    name: Name,
    matches: (event: EventOf<Name>) => boolean = () => true,
    { since = 0, withinMs = leewayMs } = {},
  ): Promise<EventOf<Name>> {
    const deadline = Date.now() + withinMs;
    for (;;) {
      const found = this.events.slice(since).find((event) => event.event === name && matches(event as EventOf<Name>));
      if (found) return found as EventOf<Name>;
      const heard = this.events.map((event) => JSON.stringify(event)).join('\n');
      assert.ok(Date.now() < deadline, `no event "${name}" within ${withinMs} ms, but:\n${heard}`);
      await delay(5);
    }
  }

  async join(dialog = 1): Promise<EventOf<'joined'>> {
    this.perform({ effect: 'join', dialog, rejoin: dialog > 1 });
    return this.next('joined', (event) => event.dialog === dialog);
  }

  /** Sends a request and waits for its outcome. */
  async request(purpose: RequestEffect['purpose'], more: Partial<RequestEffect> = {}): Promise<EventOf<'outcome'>> {
    this.requests += 1;
    const requestId = `request-${this.requests}`;
    const timeoutMs = more.timeoutMs ?? leewayMs;
    this.perform({ effect: 'request', requestId, dialog: 1, purpose, ...more, timeoutMs });
    return this.next('outcome', (event) => event.requestId === requestId, { withinMs: timeoutMs + leewayMs });
  }

  count(name: SignalingEvent['event']): number {
    return this.events.filter((event) => event.event === name).length;
  }
}
