/**
 * The canonical flow in a real Node-RED with the packed pack. Looks on from outside: what it knows, it knows from the
 * messages that leave the nodes. Ids and wires are those of `examples/canonical.json`; only settings differ.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type {
  Fact,
  McuStateChanged,
  OperationCompleted,
  OperationFailed,
  RosterChanged,
  StateChanged,
} from '../../nodes/recovery/messages';
import { type NodeRedOptions, type NodeRedProcess, packageRoot, startNodeRed } from '../support/node-red-process';
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

/** A flow with ids of its own, so that it can run beside the one that it is a copy of. */
export function copyOf(flow: FlowNode[], suffix: string): FlowNode[] {
  const ids = new Set(flow.map(({ id }) => id));
  const renamed = (_: string, value: unknown): unknown =>
    typeof value === 'string' && ids.has(value) ? `${value}-${suffix}` : value;
  return JSON.parse(JSON.stringify(flow, renamed)) as FlowNode[];
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

/** The palette entries of the pack. */
export const packTypes: ReadonlySet<string> = new Set([
  'conference-session',
  'mcu-session',
  'failover-detector',
  'route-healer',
  'give-up-timer',
  'fault-injector',
]);

/** What a fact has to have, property by property. */
type Description<T> = { [property in keyof T]?: T[property] };

/** One flow in a Node-RED. Waits look from the last `mark` on. */
export class Drill {
  protected since = 0;
  private checked = 0;
  private readonly nodes: ReadonlySet<string>;

  constructor(
    readonly nodeRed: NodeRedProcess,
    readonly flow: FlowNode[],
  ) {
    this.nodes = new Set(flow.filter(({ type }) => packTypes.has(type)).map(({ id }) => id));
  }

  /** Starts a Node-RED with one flow. */
  static async start(flow: FlowNode[], options: NodeRedOptions = {}): Promise<Drill> {
    return new Drill(await startNodeRed({ flows: flow, install: 'tarball', observe: true, ...options }), flow);
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
  next<T extends Fact>(description: Description<T>, withinMs?: number): Promise<T> {
    return this.find((fact) => answers(fact, description), JSON.stringify(description), withinMs);
  }

  /** The first change of the conference's roster since the mark that matches. */
  roster(matches: (change: RosterChanged) => boolean): Promise<RosterChanged> {
    return this.find(
      (fact) =>
        fact.event === 'roster-changed' && fact.source === 'conference-session' && matches(fact as RosterChanged),
      `roster-changed with ${matches}`,
    );
  }

  private async find<T extends Fact>(matches: (fact: Fact) => boolean, what: string, withinMs = 30_000): Promise<T> {
    const message = await this.nodeRed
      .waitFor(({ nodeId, payload }) => this.nodes.has(nodeId) && matches(payload as Fact), {
        since: this.since,
        withinMs,
      })
      .catch((error: Error) => {
        const heard = this.facts().filter((fact) => fact.event !== 'signal' || fact.signal !== 'heartbeat');
        const account = [...heard.map((fact) => JSON.stringify(fact)), this.nodeRed.log()].join('\n');
        throw new Error(`${what}: ${error.message}. Seen:\n${account}`);
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

  /** A new session of the canonical flow, in the conference; waits until all that follows a join is through. */
  async join(): Promise<void> {
    this.mark();
    this.ask('conference-session', 'join');
    await Promise.all([
      this.session('Connected'),
      this.mcu('audio-video', 'Active'),
      this.mcu('chat', 'Active'),
      this.next<OperationCompleted>({ event: 'operation-completed', operation: 'join' }),
    ]);
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

  /** Every message seen is valid, the `seq` of each node and conference increases, and the log has no errors but those expected. */
  check(...expected: RegExp[]): void {
    for (const message of this.messagesOfPack(this.checked)) checkMessage(message);
    this.checked = this.nodeRed.messages.length;
    const latest = new Map<string, number>();
    for (const { nodeId, type, payload } of this.nodeRed.messages) {
      if (!this.nodes.has(nodeId)) continue;
      const { seq, source, conference } = payload as Partial<Fact>;
      if (seq === undefined || source !== type) continue;
      const emitter = `${nodeId} ${conference}`;
      assert.ok(seq > (latest.get(emitter) ?? 0), `seq increases: ${JSON.stringify(payload)}`);
      latest.set(emitter, seq);
    }
    const complaints = this.nodeRed
      .log()
      .split('\n')
      .filter((line) => /\[error\]|unhandled|uncaught/i.test(line));
    for (const pattern of expected) {
      const index = complaints.findIndex((line) => pattern.test(line));
      assert.notEqual(index, -1, `${pattern} is in the log:\n${this.nodeRed.log()}`);
      complaints.splice(index, 1);
    }
    assert.deepEqual(complaints, []);
  }

  async stop(): Promise<void> {
    await this.nodeRed.stop();
  }

  private messagesOfPack(since: number): object[] {
    return this.nodeRed.messages
      .slice(since)
      .filter(({ nodeId }) => this.nodes.has(nodeId))
      .flatMap(({ payload }) => payload as object);
  }
}

function answers(payload: unknown, description: object): boolean {
  if (typeof payload !== 'object' || payload === null) return false;
  return Object.entries(description).every(([name, value]) => (payload as { [name: string]: unknown })[name] === value);
}
