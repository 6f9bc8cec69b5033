/** The mcu-session node: owns the state of one kind of MCU in each conference, and the call with it. */
import type { Node, NodeAPI, NodeDef } from 'node-red';
import { invalidOperation } from './recovery/errors';
import { mcuRequest, mcuSessionHears } from './recovery/inputs';
import {
  type McuSessionEffect,
  type McuSessionInput,
  type McuSessionSettings,
  type McuSessionState,
  mcuSession,
  mcuSessionDefaults,
} from './recovery/mcu-session';
import type { Fact, JsonObject, Request } from './recovery/messages';
import type { DeadlineEffect, Message } from './recovery/step';
import { endpointOf } from './runtime/config-nodes';
import { configurationOf } from './runtime/configuration';
import type { Delivery } from './runtime/delivery';
import { type ConferenceRecord, KeyedNode, newOperationId, present } from './runtime/keyed-node';
import type { Surroundings } from './runtime/lasting-node';
import { choiceOf, durationOf, type NodeConfig, textOf } from './runtime/settings';
import type { Status, Words } from './runtime/status';
import { surroundingsOf } from './runtime/surroundings';
import type { Endpoint, McuHolder } from './signaling/endpoint';

const outputs = { state: 0, roster: 1, result: 2, error: 3, call: 4 } as const;

class McuSessionNode extends KeyedNode<McuSessionState, McuSessionEffect> implements McuHolder {
  readonly mcu: string;
  private readonly settings: McuSessionSettings;
  private active = 0;
  private retrying = 0;

  constructor(
    node: Node,
    surroundings: Surroundings,
    config: NodeConfig,
    private readonly endpoint: Endpoint | null | undefined,
  ) {
    super(node, surroundings, {
      source: 'mcu-session',
      conference: textOf(config, 'conference'),
      alias: '',
      outputs: 5,
      errorOutput: choiceOf(config, 'failedOperations', ['output', 'catch']) === 'output' ? outputs.error : null,
    });
    this.mcu = textOf(config, 'mcu', 'audio-video');
    const { activationTimeoutMs, callTimeoutMs } = mcuSessionDefaults;
    this.settings = {
      activationTimeoutMs: durationOf(config, 'activationTimeout', activationTimeoutMs),
      callTimeoutMs,
    };
    if (!endpoint) this.lackEndpoint(endpoint);
    this.settle();
    this.showStatus();
  }

  // ------------------------------------------------------------------------------------------------------ its life

  protected succeeds(previous: this): boolean {
    return previous.endpoint === this.endpoint && previous.mcu === this.mcu;
  }

  protected arrive(): void {
    if (this.endpoint?.registerMcu(this) !== false) return;
    const { mcu } = this;
    const text = `second session of ${mcu}: there is an mcu-session for it and the same conference already`;
    this.trouble(text, ['secondSession', { mcu }]);
  }

  protected override inherit(previous: this): void {
    super.inherit(previous);
    if (this.endpoint?.replaceMcu(previous, this) === false) this.arrive();
  }

  protected override adopt({ state }: ConferenceRecord<McuSessionState>): void {
    this.count(mcuSession.start('', this.mcu), state);
  }

  protected override restart(record: ConferenceRecord<McuSessionState>): void {
    this.step(record, { input: 'restarted' });
  }

  protected override finish(): void {
    for (const { state } of this.records.values()) {
      const { call, conference } = state;
      if (call && call.state !== 'Terminated') {
        this.endpoint?.perform(conference, { effect: 'end-call', callId: call.id, mcu: this.mcu });
      }
    }
    this.endpoint?.unregisterMcu(this);
    super.finish();
  }

  protected override rest(): void {
    super.rest();
    this.endpoint?.unregisterMcu(this);
  }

  // ------------------------------------------------------------------------------------------------- what it is told

  get conference(): string {
    return this.options.conference;
  }

  override nameOf(conference: string): string {
    return this.endpoint?.nameOf(conference) ?? super.nameOf(conference);
  }

  protected start(conference: string): McuSessionState {
    return mcuSession.start(conference, this.mcu);
  }

  protected isIdle(state: McuSessionState): boolean {
    return state.phase === 'Unbound' || state.phase === 'Terminated';
  }

  protected onFact(fact: Fact): void {
    const record = this.records.get(fact.conference);
    const input = record && mcuSessionHears(fact, record.state);
    if (input) this.step(record, input);
  }

  protected onRequest(conference: string, request: Request & JsonObject, delivery: Delivery): void {
    const { command } = request;
    if (!this.endpoint?.serves(this, conference)) {
      const error = invalidOperation(
        `This node does not serve ${conference}: see the endpoint and conference of its dialog.`,
      );
      return this.refuse(conference, command, error, delivery);
    }
    const record = this.recordOf(conference);
    if (!record) return this.refuse(conference, command, this.fullError(), delivery);
    const operationId = newOperationId();
    this.await(operationId, delivery);
    this.step(record, mcuRequest(request, operationId), operationId);
  }

  protected onDeadline(record: ConferenceRecord<McuSessionState>, deadline: string): void {
    this.step(record, { input: 'deadline', deadline });
  }

  stateOf(conference: string): McuSessionState | undefined {
    return this.records.get(conference)?.state;
  }

  tell(conference: string, input: McuSessionInput): void {
    if (this.away) return this.later((node) => node.tell(conference, input));
    const record = this.recordOf(conference);
    if (record) this.run(() => this.step(record, input));
  }

  private step(record: ConferenceRecord<McuSessionState>, input: McuSessionInput, asking: string | null = null): void {
    const before = record.state;
    const step = mcuSession.step(before, input, present(), this.settings);
    this.count(before, step.state);
    this.take(record, step, [], asking);
  }

  private count(before: McuSessionState, after: McuSessionState): void {
    this.active += Number(after.phase === 'Active') - Number(before.phase === 'Active');
    this.retrying += Number(after.phase === 'Retrying') - Number(before.phase === 'Retrying');
  }

  protected perform(
    record: ConferenceRecord<McuSessionState>,
    effect: Exclude<McuSessionEffect, DeadlineEffect>,
  ): void {
    const { conference } = record.state;
    if (effect.effect !== 'proxy') {
      this.endpoint?.perform(conference, effect, this);
      return;
    }
    const { operation, operationId } = effect;
    if (this.endpoint?.proxy(conference, this.mcu, operation, operationId, effect.arguments)) return;
    const error = invalidOperation(`No conference-session serves ${conference} on this endpoint.`);
    this.step(record, { input: 'failed', operation, operationId, error });
  }

  protected outputOf(message: Message): number | null {
    if (!('event' in message)) return null;
    switch (message.event) {
      case 'state-changed':
        return outputs.state;
      case 'roster-changed':
        return outputs.roster;
      case 'operation-completed':
        return outputs.result;
      case 'call-state-changed':
      case 'media-changed':
      case 'text-received':
      case 'call-available':
        return outputs.call;
      default:
        return null;
    }
  }

  protected status(): Status {
    const [only] = this.records.values();
    if (only && this.records.size === 1) return statusOf(only.state);
    const { active, retrying } = this;
    if (retrying > 0) {
      return { fill: 'yellow', shape: 'ring', words: [['retrying', { busy: retrying, all: active + retrying }]] };
    }
    if (active > 0) return { fill: 'green', shape: 'dot', words: [['active', { all: active }]] };
    return { fill: 'grey', shape: 'ring', words: ['Idle'] };
  }
}

function statusOf(state: McuSessionState): Status {
  const { call, participants, queue } = state;
  const word = mcuSession.stateOf(state);
  const ofCall: Words[] = call ? [['call', { state: call.state }]] : [];
  switch (word) {
    case 'Active': {
      const count = Object.keys(participants).length;
      return {
        fill: 'green',
        shape: 'dot',
        words: [word, ...(call ? ofCall : [['participants', { count }] as const])],
      };
    }
    case 'Retrying':
      return { fill: 'yellow', shape: 'ring', words: [word, ...ofCall] };
    case 'Idle':
      return {
        fill: 'grey',
        shape: 'ring',
        words: queue.length > 0 ? [word, ['waitingOperations', { number: queue.length }]] : [word],
      };
    case 'Terminated':
      return { fill: 'grey', shape: 'ring', words: [word] };
  }
}

export = (RED: NodeAPI): void => {
  RED.nodes.registerType('mcu-session', function (this: Node, config: NodeDef) {
    RED.nodes.createNode(this, config);
    const settings = configurationOf(RED, this, 'mcu-session', config);
    const surroundings = surroundingsOf(RED, this, settings, 'mcu-session');
    new McuSessionNode(this, surroundings, settings, endpointOf<Endpoint>(RED, settings));
  });
};
