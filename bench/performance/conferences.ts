/**
 * Conferences by the hundred thousand for the lines of the table: a conferencing system that answers every join at once and
 * does nothing else, so that what is measured is the pack.
 */
import type { SignalingEffect, SignalingEvent } from '../../nodes/recovery/signaling';
import type { SignalingPort } from '../../nodes/signaling/port';
import type { EmbeddedNodeRed, FlowMessage, FlowNode } from './embedded';
import { stopwatch } from './line';

const { systemClock } = require('../../dist/runtime/deadlines') as typeof import('../../nodes/runtime/deadlines');
const { Endpoint } = require('../../dist/signaling/endpoint') as typeof import('../../nodes/signaling/endpoint');

type Joined = Extract<SignalingEvent, { event: 'joined' }>;

const names: string[] = [];

/** The URI of a conference: the same string each time, as nodes of the pack hand on the one that they have. */
export function conferenceAt(index: number): string {
  names[index] ??= Buffer.from(`sip:room-${index}@pool.example`).toString('latin1');
  return names[index];
}

/** Answers each join with so many participants, and with the MCUs as Active. */
class StillPort implements SignalingPort {
  private readonly listeners = new Map<string, (event: SignalingEvent) => void>();

  constructor(private readonly participants: number) {}

  attach(conference: string, listener: (event: SignalingEvent) => void): void {
    this.listeners.set(conference, listener);
  }

  detach(conference: string): void {
    this.listeners.delete(conference);
  }

  abandon(conference: string): void {
    this.listeners.delete(conference);
  }

  perform(conference: string, effect: SignalingEffect): void {
    if (effect.effect !== 'join') return;
    setImmediate(() => this.listeners.get(conference)?.(this.joined(conference, effect.dialog)));
  }

  private joined(conference: string, dialog: number): Joined {
    const users = Array.from({ length: this.participants }, (_, index) => {
      const entity = `sip:user-${index}.${conference.slice(4)}`;
      const media = [{ id: '1', type: 'audio', status: 'sendrecv' }];
      return {
        entity,
        displayName: `User ${index}`,
        roles: ['attendee'],
        endpoints: [{ entity, status: 'connected', media }],
      };
    });
    return {
      event: 'joined',
      dialog,
      placement: 'conference',
      document: { state: 'full', version: 1, users, lobby: [], properties: {} } as unknown as Joined['document'],
      mcus: { 'audio-video': 'active', chat: 'active', 'app-sharing': 'active' },
    };
  }

  async close(): Promise<void> {
    this.listeners.clear();
  }

  async release(): Promise<void> {
    this.listeners.clear();
  }

  saved = (): null => null;
  restore = (): boolean => false;
  savedSystem = (): null => null;
  restoreSystem = (): boolean => false;
  watch(): void {}
}

/** Registers the config node `still-endpoint`, whose conferences have so many participants. */
export function offerStillEndpoint(red: EmbeddedNodeRed): void {
  red.register('still-endpoint', (node, { participants }) => {
    Object.assign(node, {
      endpoint: new Endpoint(new StillPort(Number(participants)), null, systemClock, 0),
    });
  });
}

export function stillEndpoint(participants: number): FlowNode {
  return { id: 'endpoint', type: 'still-endpoint', participants };
}

/** A conference-session on it, without heartbeats. */
export function sessionNode(wires: string[][]): FlowNode {
  const settings = { heartbeat: 0, heartbeatUnit: 's', failedOperations: 'output', configVersion: 1 };
  return { id: 'session', type: 'conference-session', endpoint: 'endpoint', ...settings, wires };
}

export function mcuNode(mcu: string, wires: string[][] = []): FlowNode {
  // An id that is the value of a property would make it a config node of its own.
  const id = `node-${mcu}`;
  return { id, type: 'mcu-session', endpoint: 'endpoint', mcu, failedOperations: 'output', wires };
}

/**
 * Hands messages to a node in bursts of so many per turn, and settles when `sink`, a `bench` node that nobody else uses, has
 * got `expected` messages, or members of batches. Returns ns per member.
 */
export async function pump(
  red: EmbeddedNodeRed,
  id: string,
  messages: readonly FlowMessage[],
  sink: string,
  expected: number,
): Promise<number> {
  let missing = expected;
  let finish = (): void => {};
  const finished = new Promise<void>((done) => {
    finish = done;
  });
  red.behave(sink, ({ payload }) => {
    missing -= Array.isArray(payload) ? payload.length : 1;
    if (missing <= 0) finish();
  });
  const elapsed = stopwatch();
  let next = 0;
  const burst = (): void => {
    const end = Math.min(next + 200, messages.length);
    for (; next < end; next += 1) red.receive(id, messages[next] as FlowMessage);
    if (next < messages.length) setImmediate(burst);
  };
  burst();
  await finished;
  return elapsed() / expected;
}

/** Messages, so many members in each. */
export function inBatches(members: readonly unknown[], size: number): FlowMessage[] {
  const batches: FlowMessage[] = [];
  for (let from = 0; from < members.length; from += size) batches.push({ payload: members.slice(from, from + size) });
  return batches;
}

export function singly(members: readonly unknown[]): FlowMessage[] {
  return members.map((payload) => ({ payload }));
}

/** Joins so many conferences; `sink` is wired to the session's results. */
export async function joinAll(red: EmbeddedNodeRed, count: number, sink: string): Promise<void> {
  for (let from = 0; from < count; from += 10_000) {
    const some = Array.from({ length: Math.min(10_000, count - from) }, (_, index) => ({
      command: 'join',
      conference: conferenceAt(from + index),
    }));
    await pump(red, 'session', inBatches(some, 100), sink, some.length);
  }
}

const instant = '2026-01-01T00:00:00.000Z';

/** A fact about a conference as another node would have sent it. */
export function factAbout(index: number, source: string, seq: number, body: { [name: string]: unknown }) {
  return {
    ...body,
    conference: conferenceAt(index),
    at: instant,
    seq,
    source,
    active: false,
    severity: 'info',
    version: 1,
  };
}
