/**
 * What happens to a node when flows are deployed. Node-RED only says `close`, and whether the node was deleted; whether
 * another node is about to take its place can be told from its events.
 */
import type { Node, NodeAPI } from 'node-red';

/**
 * Why a node is closed: it is deployed anew, it was deleted, or nothing takes its place for now (Node-RED ends, or its flows
 * are stopped).
 */
export type Closing = 'redeploy' | 'removed' | 'stop';

/** What a closed node leaves to the one that takes its place. */
export interface Heritage {
  /** Nobody has taken it: what it holds open is ended. */
  end(): void;
}

/** Who wants to know of deployments. */
export interface DeploymentListener {
  /** Flows are deployed while they run: nodes are about to be closed, and messages to them to be lost. */
  begins(): void;
  /** All flows have started. */
  started(): void;
}

/** Node-RED's events of a deployment carry the whole configuration, as one object for as long as it is in force. */
interface DeploymentEvent {
  config: unknown;
}

/** The deployments of one Node-RED. */
export class Deployments {
  private readonly heritages = new Map<string, Heritage>();
  private readonly listeners = new Set<DeploymentListener>();
  /** The configuration that runs; undefined before any. */
  private running: unknown;
  private redeploying = false;

  constructor(events: NodeAPI['events']) {
    // A stop that another configuration is the reason of is a deployment; `diff` is not told of every deployment.
    events.on('flows:stopping', ({ config }: DeploymentEvent) => {
      this.redeploying = config !== this.running;
      if (this.redeploying) for (const listener of [...this.listeners]) listener.begins();
    });
    events.on('flows:started', ({ config }: DeploymentEvent) => {
      this.running = config;
      const untaken = [...this.heritages.values()];
      this.heritages.clear();
      for (const heritage of untaken) heritage.end();
      for (const listener of [...this.listeners]) listener.started();
    });
  }

  /** Why a node is closed that Node-RED closes just now. */
  reasonFor(removed: boolean): Closing {
    if (removed) return 'removed';
    return this.redeploying ? 'redeploy' : 'stop';
  }

  /** Leaves something to the node that takes this one's place. Until all flows have started: then it is ended. */
  leave(key: string, heritage: Heritage): void {
    this.heritages.set(key, heritage);
  }

  /** What the node of this key has left; at most once. */
  take(key: string): Heritage | undefined {
    const heritage = this.heritages.get(key);
    this.heritages.delete(key);
    return heritage;
  }

  /** Tells of deployments until the function that it returns is called. */
  listen(listener: DeploymentListener): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }
}

const known = new WeakMap<object, Deployments>();

/** The deployments of the Node-RED that a node's file was loaded by. */
export function deploymentsOf({ events }: NodeAPI): Deployments {
  const deployments = known.get(events) ?? new Deployments(events);
  known.set(events, deployments);
  return deployments;
}

/** What stays the same of a node when it is deployed anew: inside of a subflow its id does not. */
export function keyOf(node: Node): string {
  const { id, _alias, _path } = node as Node & { _alias?: string; _path?: string };
  return _alias === undefined ? id : (_path ?? id);
}
