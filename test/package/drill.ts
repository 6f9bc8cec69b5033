/**
 * The canonical flow in a real Node-RED with the packed pack. Looks on from outside: what it knows, it knows from the
 * messages that leave the nodes. Ids and wires are those of `examples/canonical.json`; only settings differ.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Fact, McuStateChanged, OperationFailed, StateChanged } from '../../nodes/recovery/messages';
import { type NodeRedProcess, packageRoot, startNodeRed } from '../support/node-red-process';
import { checkMessage } from '../support/schema';

/** A node of a flow file, as far as drills care. */
export interface FlowNode {
  id: string;
  type: string;
  conference?: string;
  mcu?: string;
  wires?: string[][];
  [property: string]: unknown;
}

/** Other settings, by node type. */
export type Overrides = { [type: string]: { [property: string]: unknown } };

/** The canonical flow as it is shipped. */
export function canonicalFlow(): FlowNode[] {
  return JSON.parse(readFileSync(join(packageRoot, 'examples/canonical.json'), 'utf8')) as FlowNode[];
}

/** The canonical flow with other settings, and of another conference. */
export function flowWith(overrides: Overrides, conference?: string): FlowNode[] {
  return canonicalFlow().map((node) => ({
    ...node,
    ...(conference && node.conference ? { conference } : {}),
    ...overrides[node.type],
  }));
}

/** The settings of patient people, made quick: no test waits for seconds that prove nothing. */
export const quick: Overrides = {
  'conference-session': {
    heartbeat: '500',
    heartbeatUnit: 'ms',
    repairTimeout: '500',
    repairTimeoutUnit: 'ms',
    closingTimeout: '500',
    closingTimeoutUnit: 'ms',
  },
  'failover-detector': { preset: 'custom', probeInterval: '100', probeIntervalUnit: 'ms' },
  'route-healer': {
    period: '300',
    periodUnit: 'ms',
    attemptTimeout: '500',
    attemptTimeoutUnit: 'ms',
  },
};

/** `a` over `b`, node type by node type. */
export function merge(b: Overrides, a: Overrides): Overrides {
  const merged = { ...b };
  for (const [type, settings] of Object.entries(a)) merged[type] = { ...merged[type], ...settings };
  return merged;
}

const packTypes = new Set([
  'conference-session',
  'mcu-session',
  'failover-detector',
  'route-healer',
  'give-up-timer',
  'fault-injector',
]);

/** What a fact has to have, property by property. */
type Description<T> = { [property in keyof T]?: T[property] };

/** One Node-RED with one flow. Waits look from the last `mark` on. */
export class Drill {
  private since = 0;
  private checked = 0;
  /** Length of the log up to which errors are known and expected. */
  private forgiven = 0;

  private constructor(
    readonly nodeRed: NodeRedProcess,
    readonly flow: FlowNode[],
  ) {}

  static async start(flow: FlowNode[]): Promise<Drill> {
    return new Drill(await startNodeRed({ flows: flow, install: 'tarball', observe: true }), flow);
  }

  /** From here on: what was seen before counts no more. */
  mark(): void {
    this.since = this.nodeRed.messages.length;
  }

  /** Hands a node of the flow a message. */
  ask(type: string, payload: unknown, mcu?: string): void {
    const node = this.flow.find((one) => one.type === type && (mcu === undefined || one.mcu === mcu));
    assert.ok(node, `the flow has a ${mcu ?? ''} ${type}`);
    this.nodeRed.ask(node.id, payload);
  }

  /** Everything that left nodes of the pack since the mark: facts, in the order in which they left. */
  facts(): Fact[] {
    return this.messagesOfPack(this.since).filter((payload): payload is Fact => 'event' in payload);
  }

  /** The facts among them that answer a description. */
  all<T extends Fact>(description: Description<T>): T[] {
    return this.facts().filter((fact) => answers(fact, description)) as T[];
  }

  /** The first fact since the mark that answers a description, be it past or to come. */
  async next<T extends Fact>(description: Description<T>, withinMs = 10_000): Promise<T> {
    const wanted = JSON.stringify(description);
    const message = await this.nodeRed
      .waitFor(({ type, payload }) => packTypes.has(type) && answers(payload, description), {
        since: this.since,
        withinMs,
      })
      .catch((error: Error) => {
        throw new Error(`${wanted} ${error.message}\n${this.nodeRed.log()}`);
      });
    return message.payload as T;
  }

  /** Waits until the session is in a state. */
  session(state: StateChanged['state'], withinMs?: number): Promise<StateChanged> {
    return this.next<StateChanged>({ event: 'state-changed', source: 'conference-session', state }, withinMs);
  }

  /** Waits until an MCU session is in a state. */
  mcu(mcu: string, state: McuStateChanged['state']): Promise<McuStateChanged> {
    return this.next<McuStateChanged>({ event: 'state-changed', source: 'mcu-session', mcu, state });
  }

  /** Waits until an operation has failed with a code. */
  async failed(operation: string, code: string): Promise<OperationFailed> {
    const failure = await this.next<OperationFailed>({ event: 'operation-failed', operation });
    assert.equal(failure.error.code, code, JSON.stringify(failure));
    return failure;
  }

  /** The way of the session since the mark, one line per state. */
  path(): string[] {
    return this.all<StateChanged>({ event: 'state-changed', source: 'conference-session' }).map(
      ({ state, mode, reason }) => (mode ? `${state} (${mode}) ${reason}` : `${state} ${reason}`),
    );
  }

  /** The way of an MCU session since the mark. */
  mcuPath(mcu: string): string[] {
    return this.all<McuStateChanged>({ event: 'state-changed', source: 'mcu-session', mcu }).map(
      ({ state, reason }) => `${state} ${reason}`,
    );
  }

  /** How many dialogs the session has had; by asking it. */
  async status(): Promise<{ [property: string]: unknown }> {
    this.mark();
    this.ask('conference-session', 'status');
    const { result } = await this.next<Extract<Fact, { event: 'operation-completed' }>>({
      event: 'operation-completed',
      operation: 'status',
    });
    return result as { [property: string]: unknown };
  }

  /** Lines in the log that tell of an error, without those that were forgiven. */
  complaints(): string[] {
    return this.nodeRed
      .log()
      .slice(this.forgiven)
      .split('\n')
      .filter((line) => /\[error\]|unhandled|uncaught/i.test(line));
  }

  /** The errors in the log so far were expected. */
  forgive(): void {
    this.forgiven = this.nodeRed.log().length;
  }

  /** Every message that was seen is valid, `seq` of each node strictly increases, and the log is free of errors. */
  check(): void {
    const messages = this.messagesOfPack(this.checked);
    for (const message of messages) checkMessage(message);
    this.checked = this.nodeRed.messages.length;
    const latest = new Map<string, number>();
    for (const { nodeId, payload } of this.nodeRed.messages) {
      const { seq, event } = payload as { seq?: number; event?: string };
      if (seq === undefined || !packTypes.has((payload as Fact).source)) continue;
      assert.ok(seq > (latest.get(nodeId) ?? 0), `seq of ${event} increases: ${JSON.stringify(payload)}`);
      latest.set(nodeId, seq);
    }
    assert.deepEqual(this.complaints(), []);
  }

  async stop(): Promise<void> {
    await this.nodeRed.stop();
  }

  private messagesOfPack(since: number): object[] {
    return this.nodeRed.messages
      .slice(since)
      .filter(({ type }) => packTypes.has(type))
      .flatMap(({ payload }) => payload as object);
  }
}

function answers(payload: unknown, description: object): boolean {
  if (typeof payload !== 'object' || payload === null) return false;
  return Object.entries(description).every(([name, value]) => (payload as { [name: string]: unknown })[name] === value);
}
