/** Node-RED without editor, admin and log, in this process, with the nodes as they are built into `dist`. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';

/** A node as it stands in a flow file. */
export interface FlowNode {
  id: string;
  type: string;
  wires?: string[][];
  [property: string]: unknown;
}

/** A message of Node-RED. */
export interface FlowMessage {
  payload?: unknown;
  [property: string]: unknown;
}

/** What a node does with a message; `send` as in an input handler. */
export type Behaviour = (message: FlowMessage, send: (message: unknown) => void) => void;

export interface EmbeddedNodeRed {
  /** Deploys these nodes, on one tab, in place of all that were there. */
  deploy(nodes: readonly FlowNode[]): Promise<void>;
  /** Hands a message to a node, as a wire does. */
  receive(id: string, message: FlowMessage): void;
  /** Adds a type of node; `make` is its constructor. */
  register(type: string, make: (node: object, config: FlowNode) => void): void;
  /** What the `bench` node of this id does from now on; without, it sends on what it gets. */
  behave(id: string, behaviour: Behaviour): void;
  stop(): Promise<void>;
}

interface NodeObject {
  receive(message: FlowMessage): void;
  on(
    event: 'input',
    listener: (message: FlowMessage, send: (message: unknown) => void, done: () => void) => void,
  ): void;
}

/** Files of the core nodes that no line of the table has in its flows; to load them takes longer than to measure something. */
function unneeded(): string[] {
  const core = join(dirname(require.resolve('@node-red/nodes/package.json')), 'core');
  const files = readdirSync(core, { recursive: true }).map((file) => basename(String(file)));
  return files.filter(
    (file) => file.endsWith('.js') && !/-(function|switch|trigger|inject|debug|link)\.js$/.test(file),
  );
}

/** Starts it once per process. Its flows may hold nodes of the type `bench`. */
export async function startNodeRed(): Promise<EmbeddedNodeRed> {
  const userDir = mkdtempSync(join(tmpdir(), 'conference-recovery-bench-'));
  // biome-ignore lint/suspicious/noExplicitAny: Node-RED's embedding API has no types of its own.
  const RED = require('node-red') as any;
  RED.init({
    userDir,
    nodesDir: [resolve('dist')],
    nodesExcludes: unneeded(),
    httpAdminRoot: false,
    httpNodeRoot: false,
    credentialSecret: false,
    telemetry: { enabled: false, updateNotification: false },
    logging: { console: { level: 'error', metrics: false, audit: false } },
  });
  const begun = new Promise((done) => RED.runtime.events.once('flows:started', done));
  await RED.start();
  await begun;
  const behaviours = new Map<string, Behaviour>();
  const register: EmbeddedNodeRed['register'] = (type, make) => {
    function Constructor(this: NodeObject, config: FlowNode): void {
      RED.runtime._.nodes.createNode(this, config);
      make(this, config);
    }
    RED.runtime._.nodes.registerType(type, type, Constructor);
  };
  register('bench', (node, { id }) => {
    (node as NodeObject).on('input', (message, send, done) => {
      const behaviour = behaviours.get(id);
      if (behaviour) behaviour(message, send);
      else send(message);
      done();
    });
  });
  const find = (id: string): NodeObject => RED.runtime._.nodes.getNode(id);
  return {
    async deploy(nodes) {
      const tab = { id: 'tab', type: 'tab', label: 'bench' };
      const started = new Promise((done) => RED.runtime.events.once('flows:started', done));
      await RED.runtime.flows.setFlows({
        flows: { flows: [tab, ...nodes.map((node) => ({ ...node, z: 'tab' }))] },
        deploymentType: 'full',
      });
      await started;
    },
    register,
    receive: (id, message) => find(id).receive(message),
    behave: (id, behaviour) => void behaviours.set(id, behaviour),
    async stop() {
      await RED.stop();
      rmSync(userDir, { recursive: true, force: true });
    },
  };
}
