/** The conference-session node: owns the state of conference sessions, and talks to the conferencing system. */
import type { Node, NodeAPI, NodeDef } from 'node-red';
import {
  type ConferenceSessionEffect,
  type ConferenceSessionInput,
  type ConferenceSessionSettings,
  type ConferenceSessionState,
  conferenceSession,
  conferenceSessionDefaults,
} from './recovery/conference-session';
import { invalidOperation } from './recovery/errors';
import { conferenceSessionHears, operationRequest, routeRequest } from './recovery/inputs';
import type { Fact, JsonObject, Request } from './recovery/messages';
import type { SignalingEvent } from './recovery/signaling';
import type { DeadlineEffect, Message } from './recovery/step';
import { endpointOf } from './runtime/config-nodes';
import type { Delivery } from './runtime/delivery';
import { type ConferenceRecord, KeyedNode, newOperationId, present, type Status } from './runtime/keyed-node';
import { choiceOf, durationOf, type NodeConfig, textOf } from './runtime/settings';
import type { Endpoint, McuHolder, SessionHolder } from './signaling/endpoint';

const outputs = { state: 0, roster: 1, result: 2, error: 3, signal: 4 } as const;

class ConferenceSessionNode
  extends KeyedNode<ConferenceSessionState, ConferenceSessionEffect>
  implements SessionHolder
{
  private readonly settings: ConferenceSessionSettings;
  private readonly joinDefaults: JsonObject;
  /** Conferences that are neither Idle nor Disconnected, and those of them in Reconnecting. */
  private open = 0;
  private recovering = 0;

  constructor(
    node: Node,
    config: NodeConfig,
    private readonly endpoint: Endpoint | null | undefined,
  ) {
    super(node, {
      source: 'conference-session',
      conference: textOf(config, 'conference'),
      alias: textOf(config, 'alias'),
      outputs: 5,
      errorOutput: choiceOf(config, 'failedOperations', ['output', 'catch']) === 'output' ? outputs.error : null,
    });
    const defaults = conferenceSessionDefaults;
    const isWired = (output: number): boolean => this.isWired(output);
    this.settings = {
      operationTimeoutMs: durationOf(config, 'operationTimeout', defaults.operationTimeoutMs),
      repairTimeoutMs: durationOf(config, 'repairTimeout', defaults.repairTimeoutMs),
      joinTimeoutMs: durationOf(config, 'rejoinTimeout', defaults.joinTimeoutMs),
      lobbyTimeoutMs: durationOf(config, 'lobbyTimeout', defaults.lobbyTimeoutMs),
      closingTimeoutMs: durationOf(config, 'closingTimeout', defaults.closingTimeoutMs),
      heartbeatMs: durationOf(config, 'heartbeat', defaults.heartbeatMs),
      // Wires may change while the node lives on (a deployment of modified nodes).
      get signalsWired() {
        return isWired(outputs.signal);
      },
      owner: defaults.owner,
    };
    this.joinDefaults = {
      displayName: textOf(config, 'displayName'),
      role: choiceOf(config, 'role', ['attendee', 'presenter']),
    };
    if (!endpoint) this.lackEndpoint(endpoint);
    endpoint?.register(this);
    this.showStatus();
  }

  /**
   * Tells the policy nodes how things are, after every start, also of theirs alone: the dialog's conference, and whatever
   * is being recovered, which a policy node that starts anew would not take up otherwise.
   */
  announce(): void {
    const { conference } = this.options;
    if (conference && this.endpoint) this.recordOf(conference);
    for (const [uri, record] of this.records) {
      if (uri !== conference && !isRecovering(record.state)) continue;
      this.run(() => this.take(record, conferenceSession.status(record.state, present())));
    }
  }

  protected start(conference: string): ConferenceSessionState {
    return conferenceSession.start(conference);
  }

  protected isIdle(state: ConferenceSessionState): boolean {
    return conferenceSession.idle(state);
  }

  protected onFact(fact: Fact): void {
    const input = conferenceSessionHears(fact);
    const record = input && this.records.get(fact.conference);
    if (input && record) this.step(record, input);
  }

  protected onRequest(conference: string, request: Request & JsonObject, delivery: Delivery): void {
    const { command } = request;
    if (!this.endpoint) {
      const error = invalidOperation('The node has no conference-endpoint that works; see its dialog.');
      return this.refuse(conference, command, error, delivery);
    }
    const record = this.recordOf(conference);
    if (!record) return this.refuse(conference, command, this.fullError(), delivery);
    const route = routeRequest(request);
    if (route) return this.step(record, route);
    if (command === 'join' && !this.endpoint.claim(conference, this)) {
      const error = invalidOperation(`Another conference-session node serves ${conference} on this endpoint already.`);
      return this.refuse(conference, command, error, delivery);
    }
    const operationId = newOperationId();
    this.await(operationId, delivery);
    this.step(record, this.operationInput(request, operationId), operationId);
  }

  private operationInput(request: Request & JsonObject, operationId: string): ConferenceSessionInput {
    const input = operationRequest(request, operationId);
    if (!('input' in input) || input.input !== 'join') return input;
    return { ...input, arguments: joinArguments(this.joinDefaults, input.arguments) };
  }

  protected onDeadline(record: ConferenceRecord<ConferenceSessionState>, deadline: string): void {
    this.step(record, { input: 'deadline', deadline });
  }

  hear(conference: string, event: SignalingEvent): void {
    const record = this.records.get(conference);
    if (record) this.run(() => this.step(record, event as ConferenceSessionInput));
  }

  introduce(mcu: McuHolder): void {
    for (const [conference, { state }] of this.records) {
      if (!this.endpoint?.serves(mcu, conference)) continue;
      for (const input of conferenceSession.introduction(state)) mcu.tell(conference, input);
    }
  }

  proxy(conference: string, mcu: string, operation: string, operationId: string, given: JsonObject): void {
    const record = this.records.get(conference);
    if (record)
      this.run(() => this.step(record, { input: 'operation', operation, operationId, arguments: given, mcu }));
  }

  private step(
    record: ConferenceRecord<ConferenceSessionState>,
    input: ConferenceSessionInput,
    asking: string | null = null,
  ): void {
    const before = record.state;
    const step = conferenceSession.step(before, input, present(), this.settings);
    this.count(before, step.state);
    this.take(record, step, 'mcu', asking);
    if (!conferenceSession.idle(before) && conferenceSession.idle(step.state)) {
      this.endpoint?.release(step.state.conference, this);
    }
  }

  private count(before: ConferenceSessionState, after: ConferenceSessionState): void {
    this.open += Number(!conferenceSession.idle(after)) - Number(!conferenceSession.idle(before));
    this.recovering += Number(isRecovering(after)) - Number(isRecovering(before));
  }

  protected perform(
    record: ConferenceRecord<ConferenceSessionState>,
    effect: Exclude<ConferenceSessionEffect, DeadlineEffect>,
  ): void {
    const { conference } = record.state;
    if (effect.effect === 'mcu') this.endpoint?.tellMcu(conference, effect.mcu, effect.input);
    else if (effect.effect === 'ignore') this.forget(effect.operationId);
    else if (effect.effect !== 'adopt' && effect.effect !== 'abandon') this.endpoint?.perform(conference, effect);
  }

  protected outputOf(message: Message): number | null {
    if (!('event' in message)) return null;
    switch (message.event) {
      case 'state-changed':
      case 'mode-changed':
      case 'session-status':
        return outputs.state;
      case 'roster-changed':
      case 'lobby-changed':
      case 'properties-changed':
        return outputs.roster;
      case 'operation-completed':
        return outputs.result;
      case 'signal':
        return outputs.signal;
      default:
        return null;
    }
  }

  protected status(): Status {
    const [only] = this.records.values();
    if (only && this.records.size === 1) return statusOf(only.state);
    if (this.recovering > 0) {
      return { fill: 'yellow', shape: 'ring', text: `${this.recovering} of ${this.open} recovering` };
    }
    if (this.open > 0) return { fill: 'green', shape: 'dot', text: `${this.open} conferences` };
    return { fill: 'grey', shape: 'ring', text: 'Idle' };
  }

  protected override close(removed: boolean): void {
    const left = [...this.records.keys()];
    super.close(removed);
    for (const conference of left) this.endpoint?.tellMcu(conference, null, { input: 'terminated' });
    this.endpoint?.unregister(this);
  }
}

function joinArguments(defaults: JsonObject, given: JsonObject): JsonObject {
  const merged: JsonObject = {};
  for (const name of ['displayName', 'role', 'passcode']) {
    const value = given[name] ?? defaults[name];
    if (value !== undefined && value !== '') merged[name] = value;
  }
  return merged;
}

function isRecovering(state: ConferenceSessionState): boolean {
  return conferenceSession.modeOf(state) !== null;
}

function statusOf(state: ConferenceSessionState): Status {
  const word = conferenceSession.stateOf(state);
  switch (word) {
    case 'Connected':
      return { fill: 'green', shape: 'dot', text: `${word} · ${state.roster.total} participants` };
    case 'InLobby':
      return { fill: 'blue', shape: 'ring', text: word };
    case 'Reconnecting':
      return {
        fill: 'yellow',
        shape: 'ring',
        text: `${word} · ${conferenceSession.modeOf(state)} · attempt ${state.attempts}`,
      };
    case 'Connecting':
    case 'Disconnecting':
      return { fill: 'yellow', shape: 'ring', text: word };
    case 'Idle':
    case 'Disconnected':
      return { fill: 'grey', shape: 'ring', text: word };
  }
}

export = (RED: NodeAPI): void => {
  RED.nodes.registerType('conference-session', function (this: Node, config: NodeDef) {
    RED.nodes.createNode(this, config);
    const settings = config as unknown as NodeConfig;
    const session = new ConferenceSessionNode(this, settings, endpointOf<Endpoint>(RED, settings));
    const announce = (): void => session.announce();
    RED.events.on('flows:started', announce);
    this.on('close', () => RED.events.removeListener('flows:started', announce));
  });
};
