/** Plays the examples as they are shipped, one after the other in one Node-RED: deploys them, and presses their buttons. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { copyOf, Drill, type FlowNode, merge, type Overrides, quick } from '../package/drill';
import { type NodeRedProcess, packageRoot, startNodeRed } from '../support/node-red-process';

/** Servers that fail over as quickly as tests are patient. */
const quicker: Overrides = merge(quick, {
  'conference-endpoint': {
    latency: '1',
    failoverDelay: '300',
    failoverDelayUnit: 'ms',
    mcuFailover: '300',
    mcuFailoverUnit: 'ms',
  },
});

/** An example as it is shipped. */
export function exampleFile(name: string): FlowNode[] {
  return JSON.parse(readFileSync(join(packageRoot, 'examples', `${name}.json`), 'utf8')) as FlowNode[];
}

/** What a test sets in an example: settings by node type, and values of the variables of its tab. */
export interface Settings {
  overrides?: Overrides;
  env?: { [name: string]: string };
}

/** One example that runs. */
export class Performance extends Drill {
  /** Presses the button of an inject node. */
  press(name: string): void {
    this.nodeRed.ask(this.id('inject', name), '');
  }

  /** The payload of the first message since the mark that leaves the node of a type with a name, and matches. */
  async from<T>(type: string, name: string, port = 0, matches: (payload: T) => boolean = () => true): Promise<T> {
    const nodeId = this.id(type, name);
    const { payload } = await this.nodeRed.waitFor(
      (sent) => sent.nodeId === nodeId && sent.port === port && matches(sent.payload as T),
      { since: this.since },
    );
    return payload as T;
  }

  /** How many messages have left the node of a type with a name, at a port, since the mark. */
  count(type: string, name: string, port = 0): number {
    const nodeId = this.id(type, name);
    return this.nodeRed.messages.slice(this.since).filter((sent) => sent.nodeId === nodeId && sent.port === port)
      .length;
  }

  private id(type: string, name: string): string {
    const node = this.flow.find((one) => one.type === type && one.name === name);
    if (!node) throw new Error(`no ${type} "${name}" in the example`);
    return node.id;
  }
}

/** A Node-RED for examples. */
export class Stage {
  private played = 0;

  private constructor(readonly nodeRed: NodeRedProcess) {}

  static async open(): Promise<Stage> {
    return new Stage(await startNodeRed({ install: 'tarball', observe: true }));
  }

  /** Deploys an example, in place of the one before. */
  async play(name: string, { overrides = {}, env = {} }: Settings = {}): Promise<Performance> {
    const settings = merge(quicker, overrides);
    const flow = exampleFile(name).map((node) =>
      node.type === 'tab' ? filledIn(node, env) : { ...node, ...settings[node.type] },
    );
    return this.deploy(flow);
  }

  /** Deploys a flow, with ids that nothing played before has had. */
  async deploy(flow: FlowNode[]): Promise<Performance> {
    this.played += 1;
    const copy = copyOf(flow, String(this.played));
    await this.nodeRed.deploy(copy, 'full');
    const performance = new Performance(this.nodeRed, copy);
    performance.mark();
    return performance;
  }

  close(): Promise<void> {
    return this.nodeRed.stop();
  }
}

/** The tab with values for its variables, which must be there already; secrets go where Node-RED keeps them. */
function filledIn(tab: FlowNode, values: { [name: string]: string }): FlowNode {
  const env = tab.env as { name: string; type: string }[];
  for (const name of Object.keys(values)) {
    if (!env.some((one) => one.name === name)) throw new Error(`the tab has no variable ${name}`);
  }
  const secrets = env.filter(({ name, type }) => type === 'cred' && name in values);
  return {
    ...tab,
    env: env.map((one) => (one.name in values && one.type !== 'cred' ? { ...one, value: values[one.name] } : one)),
    credentials: Object.fromEntries(secrets.map(({ name }) => [name, values[name]])),
  };
}
