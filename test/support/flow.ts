/**
 * Runs flows of the pack in a real Node-RED runtime (node-red-node-test-helper), and looks on: every message that leaves
 * an output of a node of the pack is recorded, wired or not, and checked against the published schema; so are statuses,
 * errors, and how often each message was reported as done. What holds of every flow is asserted when it is unloaded.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Node, NodeAPI, NodeDef } from 'node-red';
import helper from 'node-red-node-test-helper';
import conferenceEndpoint from '../../nodes/conference-endpoint';
import conferenceSession from '../../nodes/conference-session';
import failoverDetector from '../../nodes/failover-detector';
import faultInjector from '../../nodes/fault-injector';
import giveUpTimer from '../../nodes/give-up-timer';
import mcuSession from '../../nodes/mcu-session';
import type { RecoveryError } from '../../nodes/recovery/messages';
import routeHealer from '../../nodes/route-healer';
import { deadlines } from '../../nodes/runtime/deadlines';
import type { Endpoint } from '../../nodes/signaling/endpoint';
import { CONFERENCE } from './driver';
import { checkMessage } from './schema';
import { translator } from './words';

export { CONFERENCE } from './driver';

const { NODE_RED_PACKAGE } = process.env;
helper.init(require.resolve(NODE_RED_PACKAGE ? resolve(NODE_RED_PACKAGE) : 'node-red'));

// biome-ignore lint/suspicious/noExplicitAny: tests look at any property of any message
export type Loose = any;

/** Node of a flow file. */
export type FlowNode = { id: string; type: string; wires?: string[][]; [property: string]: unknown };

/** One fact or request that left an output; a batch counts as one each. */
export interface Sent {
  node: string;
  output: number;
  payload: Loose;
  /** The message that carried it. */
  message: Loose;
}

/** One status that a node showed. */
export interface Shown {
  node: string;
  fill?: string;
  shape?: string;
  text?: string;
}

/** One error that a node reported, by `done` or by `node.error`; `message` is what a Catch node gets to see. */
export interface Reported {
  node: string;
  error: Error & { code?: string; cause?: RecoveryError };
  message: Loose;
}

/** A message on its way through a node. */
export interface Asked {
  message: Loose;
  /** How often `done` was called. */
  dones: number;
  /** Resolves when `done` is called, with its error if there is one. */
  done: Promise<Reported['error'] | undefined>;
}

/** What the nodes say is in English here. */
const english = translator('en-US');

/** How long anything may take, on a machine as busy as it likes. Only waits that fail take as long. */
const patienceMs = 15_000;
/** The longest status that the editor shows well. */
const statusLength = 40;

const wholePack = [
  conferenceEndpoint,
  conferenceSession,
  mcuSession,
  failoverDetector,
  routeHealer,
  giveUpTimer,
  faultInjector,
];

// ------------------------------------------------------------------------------------------------------------ flow files

/** Settings by id of a node, or by its type. */
export type Overrides = { [idOrType: string]: { [property: string]: unknown } };

/** Fast enough for tests, and slow enough to be seen. */
export const quick: Overrides = {
  'conference-endpoint': {
    latency: '1',
    latencyUnit: 'ms',
    failoverDelay: '100',
    failoverDelayUnit: 'ms',
    mcuFailover: '100',
    mcuFailoverUnit: 'ms',
  },
  'conference-session': { heartbeat: '0', closingTimeout: '500', closingTimeoutUnit: 'ms' },
  'failover-detector': { preset: 'custom', probeInterval: '50', probeIntervalUnit: 'ms' },
  'route-healer': { period: '200', periodUnit: 'ms', attemptTimeout: '300', attemptTimeoutUnit: 'ms' },
};

/** Ids of the canonical flow's nodes, in words. */
const words: { [type: string]: string } = {
  tab: 'tab',
  'conference-endpoint': 'endpoint',
  'conference-session': 'session',
  'failover-detector': 'detector',
  'route-healer': 'healer',
  'give-up-timer': 'give-up',
  'fault-injector': 'injector',
};

/** Settings over a flow's nodes, `quick` before the others. */
export function configured(nodes: FlowNode[], overrides: Overrides = {}): FlowNode[] {
  return nodes.map((node) => ({
    ...node,
    ...quick[node.type],
    ...overrides[node.type],
    ...overrides[node.id],
  }));
}

/** `examples/canonical.json` as it is. */
export function canonicalFile(): FlowNode[] {
  return JSON.parse(readFileSync(join(__dirname, '../../examples/canonical.json'), 'utf8')) as FlowNode[];
}

/** The canonical flow, with ids in words, no buttons, and sinks for its debug nodes. */
export function canonical(overrides: Overrides = {}): FlowNode[] {
  const file = canonicalFile();
  const ids = new Map(file.map((node) => [node.id, (words[node.type] ?? node.mcu ?? `${node.name}`) as string]));
  let text = JSON.stringify(file.filter(({ type }) => type !== 'comment' && type !== 'inject'));
  for (const [id, word] of ids) text = text.replaceAll(id, word);
  const nodes = (JSON.parse(text) as FlowNode[]).map((node) =>
    node.type === 'debug' ? { id: node.id, type: 'sink', z: 'tab', x: 1, y: 1, wires: [] } : node,
  );
  return configured(nodes, overrides);
}

const outputsOf: { [type: string]: number } = {
  'conference-session': 5,
  'mcu-session': 5,
  'failover-detector': 3,
  'route-healer': 2,
  'give-up-timer': 2,
  'fault-injector': 1,
};

/** A node of the pack with nothing wired to it, for flows that are made up. */
export function packNode(type: string, id: string, config: { [property: string]: unknown } = {}): FlowNode {
  const wires: string[][] = Array.from({ length: outputsOf[type] ?? 0 }, () => []);
  if (type === 'conference-endpoint') return { id, type, system: 'pool', ...quick[type], ...config };
  const common = { conference: CONFERENCE, endpoint: 'endpoint', mcu: 'audio-video' };
  return { id, type, z: 'tab', x: 1, y: 1, ...common, ...quick[type], wires, ...config };
}

/** A Catch node for all of the tab, with a sink `caught` behind it. */
export function catching(): FlowNode[] {
  return [
    { id: 'catch', type: 'catch', z: 'tab', x: 1, y: 1, scope: null, uncaught: false, wires: [['caught']] },
    { id: 'caught', type: 'sink', z: 'tab', x: 1, y: 1, wires: [] },
  ];
}

/** The tab that nodes must be on for Catch nodes to work. */
export const tab: FlowNode = { id: 'tab', type: 'tab', label: 'test', disabled: false, info: '' };

// -------------------------------------------------------------------------------------------------------------- the flow

/** A flow that runs. One at a time. */
export class Flow {
  readonly sent: Sent[] = [];
  readonly statuses: Shown[] = [];
  /** What reached the sinks, by id of the sink. */
  readonly sunk: { node: string; message: Loose; original: Loose }[] = [];
  private reported: Reported[] = [];
  /** What must never happen, and did. */
  private readonly violations: string[] = [];
  private readonly watchers = new Set<() => void>();
  private readonly asked = new Map<object, Asked & { settle: (error?: Reported['error']) => void }>();
  private readonly dones = new WeakMap<object, Map<string, number>>();
  private readonly sequences = new Map<string, number>();
  private readonly snapshots: { payload: Loose; text: string; node: string }[] = [];
  private from = 0;
  private closeStores: () => Promise<void> = async () => {};
  private isUnloaded = false;

  private constructor(private readonly hostile: boolean) {}

  /** Starts a flow. With `hostile`, sinks change every message that they get, as careless function nodes do. */
  static async load(nodes: FlowNode[], { hostile = false, credentials = {}, settings = {} } = {}): Promise<Flow> {
    const flow = new Flow(hostile);
    helper.settings(settings as Loose);
    const registers = [...wholePack.map((register) => flow.watching(register)), flow.sink()];
    const { contextStorage } = settings as Loose;
    await helper.load(registers as Loose, structuredClone(contextStorage ? [] : nodes) as Loose, credentials);
    if (contextStorage) {
      // The helper has forgotten the stores of the settings by now.
      const { _context: context } = helper as Loose;
      context.init((helper as Loose).settings());
      await context.load();
      await flow.deploy(nodes, 'full');
      flow.closeStores = () => context.close();
    }
    return flow;
  }

  /** Deploys another version of the flow. */
  async deploy(nodes: FlowNode[], how: 'full' | 'flows' | 'nodes'): Promise<void> {
    // As the helper does it, but it waits for 300 ms at most, which on a busy machine is too short.
    const { _redNodes: redNodes, _events: events } = helper as Loose;
    const started = new Promise<void>((resolved) => events.once('flows:started', () => resolved()));
    await redNodes.setFlows(structuredClone(nodes), {}, how);
    await within(started, () => this.story('the start of the flow'));
  }

  /** Stops the nodes, as the end of Node-RED does. `unload` is still to be called. */
  async stop(): Promise<void> {
    await helper.clearFlows();
  }

  /** Stops the nodes, and starts the flow again, as a restart of Node-RED does. */
  async restart(): Promise<void> {
    const { _redNodes: redNodes, _events: events } = helper as Loose;
    await this.stop();
    const started = new Promise<void>((resolved) => events.once('flows:started', () => resolved()));
    await redNodes.startFlows();
    await within(started, () => this.story('the start of the flow'));
  }

  /** Listeners for the events of Node-RED that nodes of the pack wait for. */
  static listeners(): number {
    return (helper as Loose)._events.listenerCount('flows:started');
  }

  /** Stops the flow, and asserts what holds of all: nothing invalid, nothing left over, no error that no test expects. */
  async unload(): Promise<void> {
    if (this.isUnloaded) return;
    this.isUnloaded = true;
    for (const { payload, text, node } of this.snapshots) {
      if (!this.hostile && JSON.stringify(payload) !== text)
        this.violations.push(`${node}: changed after it left: ${text}`);
    }
    await helper.unload();
    await this.closeStores();
    assert.deepEqual(this.violations, []);
    assert.deepEqual(
      this.reported.map(({ node, error }) => `${node}: ${error.stack ?? error}`),
      [],
      'errors that no test has taken note of',
    );
    assert.equal(deadlines.size, 0, 'deadlines are left');
  }

  /** A node of the flow. */
  node(id: string): Loose {
    return helper.getNode(id);
  }

  /** Gives a node a message, as a wire would. */
  ask(node: string, payload: unknown, properties: object = {}): Asked {
    const message: Loose = { payload, ...properties };
    let settle: (error?: Reported['error']) => void = () => {};
    const done = new Promise<Reported['error'] | undefined>((resolved) => {
      settle = resolved;
    });
    const asked = { message, dones: 0, done, settle };
    this.asked.set(message, asked);
    this.node(node).receive(message);
    return asked;
  }

  /** Asks a node, and waits until it is done; what it reported is taken note of. */
  async askAndWait(node: string, payload: unknown, properties: object = {}): Promise<Reported['error'] | undefined> {
    const error = await within(this.ask(node, payload, properties).done, () => this.story(`done by ${node}`));
    if (error) this.reported = this.reported.filter((one) => one.error !== error);
    return error;
  }

  /** Joins, and waits until both MCUs of the pool are active. */
  async join(session = 'session', mcus: string[] = ['audio-video', 'chat']): Promise<void> {
    const isActive = mcus.map((mcu) =>
      this.waitFor((fact) => fact.mcu === mcu && fact.state === 'Active', `${mcu} Active`),
    );
    this.ask(session, 'join');
    await this.waitFor((fact) => fact.operation === 'join' && fact.event === 'operation-completed', 'join completed');
    await Promise.all(isActive);
  }

  /** Places an audio call, and waits until its media flow and the roster shows them. */
  async call(mcu = 'audio-video'): Promise<void> {
    const from = this.sent.length;
    const sees = (event: string, source: string): boolean =>
      this.sent.slice(from).some(({ payload }) => payload.event === event && payload.source === source);
    this.ask(mcu, { command: 'call', media: ['audio'] });
    await this.until(
      () => sees('media-changed', 'mcu-session') && sees('roster-changed', 'conference-session'),
      'a call',
    );
  }

  /** From now on `waitFor` and `since` look at what leaves from now on. */
  mark(): void {
    this.from = this.sent.length;
  }

  /** What has left since the mark, of one event or command; of all by default. */
  since(name?: string): Loose[] {
    const all = this.sent.slice(this.from).map(({ payload }) => payload);
    return name === undefined ? all : all.filter(({ event, command }) => (event ?? command) === name);
  }

  /** The first fact or request since the mark that answers the description; waits for it. */
  waitFor(matches: (payload: Loose, sent: Sent) => boolean, what = matches.toString()): Promise<Loose> {
    const { from } = this;
    return this.until(() => {
      return this.sent.slice(from).find((sent) => matches(sent.payload, sent))?.payload;
    }, what);
  }

  /** Waits until something is neither undefined nor false; looks whenever anything happens in the flow, and now and then. */
  async until<T>(look: () => T | undefined | false, what = look.toString()): Promise<T> {
    let watch = (): void => {};
    const found = new Promise<T>((resolved) => {
      watch = () => {
        const seen = look();
        if (seen !== undefined && seen !== false) resolved(seen);
      };
    });
    this.watchers.add(watch);
    const nowAndThen = setInterval(watch, 20);
    watch();
    try {
      return await within(found, () => this.story(what));
    } finally {
      clearInterval(nowAndThen);
      this.watchers.delete(watch);
    }
  }

  /** The session's state changes since the mark, as `Connected → Reconnecting (rejoining), FocusFailover`. */
  states(): string[] {
    return this.since('state-changed')
      .filter(({ source }) => source === 'conference-session')
      .map(({ previous, state, mode, reason }) => `${previous} → ${state}${mode ? ` (${mode})` : ''}, ${reason}`);
  }

  /** Errors reported so far, by whatever way; they count as expected. */
  takeErrors(): Reported[] {
    const { reported } = this;
    this.reported = [];
    return reported;
  }

  /** The latest status of a node. */
  status(node: string): Shown | undefined {
    return this.statuses.filter((shown) => shown.node === node).at(-1);
  }

  /** Lines in the log at level error. */
  logged(): string[] {
    const log = (helper as Loose).log();
    return log.args
      .map(([line]: [Loose]) => line)
      .filter(({ level }: Loose) => level === log.ERROR)
      .map(({ msg }: Loose) => String(msg?.message ?? msg));
  }

  /** Effects that were asked of an endpoint's signaling port, from now on. */
  effectsOf(endpoint = 'endpoint'): Loose[] {
    const { port } = this.node(endpoint).endpoint as Endpoint;
    const effects: Loose[] = [];
    const perform = port.perform.bind(port);
    port.perform = (conference, effect) => {
      effects.push({ conference, ...effect });
      perform(conference, effect);
    };
    return effects;
  }

  // ---------------------------------------------------------------------------------------------------------- looking on

  /** A registration whose nodes are watched from their first moment. */
  private watching(register: (RED: NodeAPI) => void): (RED: NodeAPI) => void {
    return (RED) => {
      const createNode = (node: Node, config: NodeDef): void => {
        RED.nodes.createNode(node, config);
        this.watch(node as Loose);
      };
      register({ ...RED, _: english, nodes: { ...RED.nodes, createNode } } as unknown as NodeAPI);
    };
  }

  private watch(node: Loose): void {
    // A node that starts anew counts anew.
    for (const key of [...this.sequences.keys()]) if (key.startsWith(`${node.id} `)) this.sequences.delete(key);
    let { send } = node;
    const watched = (outputs: Loose): void => {
      this.record(node, outputs);
      send.call(node, outputs);
    };
    // Node-RED writes `send` anew whenever the wires change.
    Object.defineProperty(node, 'send', {
      get: () => watched,
      set: (changed) => {
        send = changed;
      },
    });
    const { status, error, _complete: complete } = node;
    node.status = (shown: object) => {
      this.show(node.id, shown);
      status.call(node, shown);
    };
    node.error = (problem: Loose, message: Loose) => {
      this.reported.push({ node: node.id, error: typeof problem === 'string' ? new Error(problem) : problem, message });
      error.call(node, problem, message);
      this.happened();
    };
    node._complete = (message: object, problem?: Error) => {
      complete.call(node, message, problem);
      this.countDone(node, message, problem);
    };
  }

  private record(node: Loose, outputs: Loose): void {
    for (const [output, message] of outputs.entries()) {
      if (message === null || message === undefined) continue;
      for (const payload of [message.payload].flat()) {
        this.sent.push({ node: node.id, output, payload, message });
        this.snapshots.push({ payload, text: JSON.stringify(payload), node: node.id });
        this.check(node, output, payload, Array.isArray(message.payload));
      }
    }
    this.happened();
  }

  private check({ id, type }: Loose, output: number, payload: Loose, inBatch: boolean): void {
    try {
      checkMessage(payload);
    } catch (error) {
      this.violations.push(`${id}, output ${output + 1}: ${(error as Error).message}`);
    }
    if (payload.event === undefined) return;
    if (payload.source !== type) this.violations.push(`${id}: a fact of ${payload.source}`);
    // What a batch causes leaves output by output, so there the order holds within each.
    const key = `${id} ${payload.conference}`;
    const place = inBatch ? `${key} ${output}` : key;
    const before = this.sequences.get(place) ?? 0;
    if (payload.seq <= before) this.violations.push(`${place}: seq ${payload.seq} of ${payload.event} after ${before}`);
    for (const each of [key, `${key} ${output}`]) {
      this.sequences.set(each, Math.max(payload.seq, this.sequences.get(each) ?? 0));
    }
  }

  private show(node: string, shown: { text?: string }): void {
    if ((shown.text?.length ?? 0) >= statusLength) this.violations.push(`${node}: long status "${shown.text}"`);
    this.statuses.push({ node, ...shown });
    this.happened();
  }

  private countDone({ id }: Loose, message: object, problem?: Error): void {
    const counts = this.dones.get(message) ?? new Map<string, number>();
    this.dones.set(message, counts);
    counts.set(id, (counts.get(id) ?? 0) + 1);
    if ((counts.get(id) ?? 0) > 1) this.violations.push(`${id}: done more than once for ${JSON.stringify(message)}`);
    const asked = this.asked.get(message);
    if (asked) {
      asked.dones += 1;
      asked.settle(problem as Reported['error']);
    }
    this.happened();
  }

  private sink() {
    return (RED: NodeAPI): void => {
      const flow = this;
      RED.nodes.registerType('sink', function (this: Node, config: NodeDef) {
        RED.nodes.createNode(this, config);
        this.on('input', (message, _send, done) => {
          flow.sunk.push({ node: config.id, message: plain(message), original: message });
          if (flow.hostile) spoil(message);
          flow.happened();
          done();
        });
      });
    };
  }

  private happened(): void {
    for (const watch of [...this.watchers]) watch();
  }

  private story(what: string): string {
    const latest = this.sent.slice(-25).map(({ node, output, payload }) => {
      const { event, command, state, status, phase, outcome, operation, error, reason } = payload;
      const words = [event ?? command, state ?? status ?? phase ?? outcome ?? operation, error?.code, reason];
      return `  ${node}.${output + 1} ${words.filter((word) => word !== undefined).join(' ')}`;
    });
    const errors = this.reported.map(({ node, error }) => `  ${node}: ${error.message}`);
    return `not seen: ${what}\nThe latest messages:\n${latest.join('\n')}\nErrors:\n${errors.join('\n')}`;
  }
}

/** A message without what cannot be cloned. */
function plain({ req: _req, res: _res, ...message }: Loose): Loose {
  return JSON.parse(JSON.stringify(message));
}

/** Changes whatever there is to change. */
function spoil(value: Loose): void {
  if (typeof value !== 'object' || value === null) return;
  for (const key of Object.keys(value)) {
    spoil(value[key]);
    value[key] = 'spoilt';
  }
}

function within<T>(promise: Promise<T>, story: () => string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, failed) => {
    timer = setTimeout(() => failed(new Error(story())), patienceMs);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** Freezes a value and all in it, so that whoever changes it throws. */
export function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    Object.values(value).forEach(deepFreeze);
  }
  return value;
}
