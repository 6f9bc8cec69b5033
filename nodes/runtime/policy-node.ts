/** The nodes that only decide: a machine of the model between an input and its outputs, and nothing else. */
import type { Node, NodeAPI, NodeDef } from 'node-red';
import type { Fact, JsonObject, Request, Source } from '../recovery/messages';
import type { DeadlineEffect, MachineState, Message, PolicyInput, PolicyMachine } from '../recovery/step';
import { configurationOf } from './configuration';
import type { Delivery } from './delivery';
import { type ConferenceRecord, KeyedNode, newOperationId, present } from './keyed-node';
import type { Surroundings } from './lasting-node';
import { type NodeConfig, textOf } from './settings';
import type { Status, Words } from './status';
import { surroundingsOf } from './surroundings';

/** What makes one policy node out of a machine. */
export interface PolicyNodeDefinition<State extends MachineState, Settings> {
  type: Source;
  machine: PolicyMachine<State, Settings>;
  outputs: number;
  settingsOf(config: NodeConfig): Settings;
  /** What is wrong with a configuration, so that the node does not do what it says, for log and status; null when nothing is. */
  complaintAbout?(config: NodeConfig): { text: string; words: Words } | null;
  /** What the dialog has to know of the model: a setting of Node-RED, whose name begins with the node's type. */
  shared?: { readonly [setting: string]: unknown };
  /** The output for a message. */
  outputOf(message: Message): number;
  /** Is a conference worth a word in the status? Counted, and shown with `statusOf` when it is the only one. */
  isBusy(state: State): boolean;
  /** What to show of the only conference. */
  statusOf(state: State, settings: Settings): Status;
  /** What to show of several, of which `busy` are. */
  statusOfMany(busy: number, all: number): Status;
}

class PolicyNode<State extends MachineState, Settings> extends KeyedNode<State, DeadlineEffect> {
  private readonly settings: Settings;
  private busy = 0;

  constructor(
    node: Node,
    surroundings: Surroundings,
    config: NodeConfig,
    private readonly definition: PolicyNodeDefinition<State, Settings>,
  ) {
    const { type, outputs } = definition;
    super(node, surroundings, {
      source: type,
      conference: textOf(config, 'conference'),
      alias: '',
      outputs,
      errorOutput: null,
    });
    this.settings = definition.settingsOf(config);
    const complaint = definition.complaintAbout?.(config) ?? null;
    if (complaint !== null) this.trouble(complaint.text, complaint.words);
    this.settle();
    this.showStatus();
  }

  protected succeeds(): boolean {
    return true;
  }

  protected arrive(): void {}

  protected override adopt({ state }: ConferenceRecord<State>): void {
    this.busy += Number(this.definition.isBusy(state));
  }

  protected start(conference: string): State {
    return this.definition.machine.start(conference);
  }

  protected isIdle(state: State): boolean {
    return this.definition.machine.idle(state);
  }

  protected onFact(fact: Fact): void {
    const record = this.recordOf(fact.conference);
    if (record) this.step(record, { input: 'message', message: fact });
  }

  protected onRequest(conference: string, request: Request & JsonObject, delivery: Delivery): void {
    const record = this.recordOf(conference);
    if (!record) return this.refuse(conference, request.command, this.fullError(), delivery);
    const asking = newOperationId();
    this.await(asking, delivery);
    this.step(record, { input: 'message', message: request }, asking);
    this.forget(asking);
  }

  protected onDeadline(record: ConferenceRecord<State>, deadline: string): void {
    this.step(record, { input: 'deadline', deadline });
  }

  private step(record: ConferenceRecord<State>, input: PolicyInput, asking: string | null = null): void {
    const { machine, isBusy } = this.definition;
    const before = record.state;
    const step = machine.step(before, input, present(), this.settings);
    this.busy += Number(isBusy(step.state)) - Number(isBusy(before));
    this.take(record, step, [], asking);
  }

  protected perform(): void {
    // Deadlines are the only effects of a policy.
  }

  protected outputOf(message: Message): number {
    return this.definition.outputOf(message);
  }

  protected status(): Status {
    const { statusOf, statusOfMany } = this.definition;
    const [only] = this.records.values();
    if (only && this.records.size === 1) return statusOf(only.state, this.settings);
    return statusOfMany(this.busy, this.records.size);
  }
}

/** The function that a policy node's file exports. */
export function policyNode<State extends MachineState, Settings>(definition: PolicyNodeDefinition<State, Settings>) {
  const { type, shared = {} } = definition;
  const settings = Object.fromEntries(
    Object.entries(shared).map(([setting, value]) => [setting, { value, exportable: true }]),
  );
  return (RED: NodeAPI): void => {
    RED.nodes.registerType(
      type,
      function (this: Node, config: NodeDef) {
        RED.nodes.createNode(this, config);
        const configuration = configurationOf(RED, this, type, config);
        new PolicyNode(this, surroundingsOf(RED, this, configuration, type), configuration, definition);
      },
      { settings },
    );
  };
}
