/** The fault-injector node: breaks the embedded pool on purpose. */
import type { Node, NodeAPI, NodeDef } from 'node-red';
import { invalidOperation } from './recovery/errors';
import type { JsonObject, Request } from './recovery/messages';
import { fact, type MachineState, type Message } from './recovery/step';
import { endpointOf } from './runtime/config-nodes';
import { configurationOf } from './runtime/configuration';
import type { Delivery } from './runtime/delivery';
import { KeyedNode, newOperationId, present } from './runtime/keyed-node';
import type { Surroundings } from './runtime/lasting-node';
import { type NodeConfig, textOf } from './runtime/settings';
import type { Status } from './runtime/status';
import { surroundingsOf } from './runtime/surroundings';
import type { Endpoint } from './signaling/endpoint';
import type { PoolFault } from './signaling/pool/pool';

class FaultInjectorNode extends KeyedNode<MachineState, never> {
  /** The latest fault, and when it ends by itself (ms since 1970; null: not). */
  private latest: { readonly fault: string; readonly until: number | null } | null = null;

  constructor(
    node: Node,
    surroundings: Surroundings,
    config: NodeConfig,
    private readonly endpoint: Endpoint | null | undefined,
  ) {
    super(node, surroundings, {
      source: 'fault-injector',
      conference: textOf(config, 'conference'),
      alias: '',
      outputs: 1,
      errorOutput: null,
    });
    if (!endpoint) this.lackEndpoint(endpoint);
    else if (!endpoint.pool)
      this.trouble('no embedded pool: faults can be injected into an embedded pool only', ['noPool']);
    this.settle();
    this.showStatus();
  }

  protected succeeds(): boolean {
    return true;
  }

  protected arrive(): void {}

  protected override inherit(previous: this): void {
    super.inherit(previous);
    this.latest = previous.latest;
  }

  protected start(conference: string): MachineState {
    return { version: 1, conference, seq: 0, dialog: 0, incident: null };
  }

  protected isIdle(): boolean {
    return true;
  }

  protected onFact(): void {
    // Facts do not concern the injector: any output may be wired to it.
  }

  protected onRequest(conference: string, request: Request & JsonObject, delivery: Delivery): void {
    const { command } = request;
    const pool = this.endpoint?.pool;
    const record = this.recordOf(conference);
    if (!record) return this.refuse(conference, command, this.fullError(), delivery);
    if (!pool) {
      const error = invalidOperation(
        'Faults can be injected into an embedded pool only: choose one in the dialog.',
        'NotSupported',
      );
      return this.refuse(conference, command, error, delivery);
    }
    const injected = pool.inject(request as unknown as PoolFault, conference);
    if (!injected.ok) return this.refuse(conference, command, invalidOperation(injected.message), delivery);
    const { forMs } = injected.detail;
    this.latest = { fault: command, until: typeof forMs === 'number' ? Date.now() + forMs : null };
    const asking = newOperationId();
    this.await(asking, delivery);
    const state = { ...record.state };
    const body = { event: 'fault-injected' as const, fault: command, detail: injected.detail };
    const messages = [fact(state, 'fault-injector', present(), 'info', body)];
    this.take(record, { state, messages, effects: [] }, [], asking);
    this.forget(asking);
  }

  protected onDeadline(): void {}

  protected perform(): void {}

  protected outputOf(_: Message): number {
    return 0;
  }

  protected status(): Status | null {
    const { fault, until } = this.latest ?? {};
    if (fault === undefined || (until && until <= Date.now())) return null;
    return { fill: 'blue', shape: 'dot', words: [fault], time: until ? { key: 'left', at: until } : undefined };
  }
}

export = (RED: NodeAPI): void => {
  RED.nodes.registerType('fault-injector', function (this: Node, config: NodeDef) {
    RED.nodes.createNode(this, config);
    const settings = configurationOf(RED, this, 'fault-injector', config);
    const surroundings = surroundingsOf(RED, this, settings, 'fault-injector');
    new FaultInjectorNode(this, surroundings, settings, endpointOf<Endpoint>(RED, settings));
  });
};
