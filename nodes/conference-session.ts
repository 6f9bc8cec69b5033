/** The conference-session node: owns the state of conference sessions, and talks to the conferencing system. */
import type { Node, NodeAPI, NodeDef, NodeMessage } from 'node-red';
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
import { configurationOf } from './runtime/configuration';
import type { Delivery } from './runtime/delivery';
import { ownRecord, type SavedRecord } from './runtime/keeping/keeper';
import { type ConferenceRecord, KeyedNode, newOperationId, present } from './runtime/keyed-node';
import type { Surroundings } from './runtime/lasting-node';
import { sessionEffectsFirst } from './runtime/order';
import { choiceOf, durationOf, type NodeConfig, textOf } from './runtime/settings';
import { instantsOf } from './runtime/standing';
import type { Status } from './runtime/status';
import { surroundingsOf } from './runtime/surroundings';
import type { Endpoint, McuHolder, SessionHolder } from './signaling/endpoint';
import type { Pacer } from './signaling/pacer';

const outputs = { state: 0, roster: 1, result: 2, error: 3, signal: 4 } as const;

class ConferenceSessionNode
  extends KeyedNode<ConferenceSessionState, ConferenceSessionEffect>
  implements SessionHolder
{
  private readonly settings: ConferenceSessionSettings;
  private readonly joinDefaults: JsonObject;
  private readonly displayNameIn: ((message: NodeMessage) => string) | null;
  /** Conferences that are neither Idle nor Disconnected, and those of them in Reconnecting. */
  private open = 0;
  private recovering = 0;
  /** What the port knew of each conference that was restored, until all is announced. */
  private readonly restarted = new Map<string, JsonObject | null>();

  constructor(
    node: Node,
    surroundings: Surroundings,
    config: NodeConfig,
    private readonly endpoint: Endpoint | null | undefined,
  ) {
    super(node, surroundings, {
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
      owner: surroundings.owner,
    };
    this.displayNameIn = surroundings.readerOf('displayName');
    this.joinDefaults = {
      displayName: textOf(config, 'displayName'),
      role: choiceOf(config, 'role', ['attendee', 'presenter']),
    };
    if (!endpoint) this.lackEndpoint(endpoint);
    this.settle();
    this.showStatus();
  }

  // ------------------------------------------------------------------------------------------------------ its life

  protected succeeds(previous: this): boolean {
    return previous.endpoint === this.endpoint;
  }

  protected arrive(): void {
    this.endpoint?.register(this);
  }

  protected override inherit(previous: this): void {
    super.inherit(previous);
    this.endpoint?.replace(previous, this);
  }

  protected override adopt({ state }: ConferenceRecord<ConferenceSessionState>): void {
    this.count(conferenceSession.start(''), state);
  }

  protected override restore(conference: string, saved: SavedRecord): void {
    super.restore(conference, saved);
    if (conference === ownRecord) {
      if (saved.signaling) this.endpoint?.restoreSystem(saved.signaling);
    } else {
      this.restarted.set(conference, saved.signaling ?? null);
    }
  }

  /** After a restart, what was going on is gone on with. */
  protected override restart(record: ConferenceRecord<ConferenceSessionState>): void {
    const { conference } = record.state;
    const signaling = this.restarted.get(conference) ?? null;
    if (!conferenceSession.idle(record.state)) this.endpoint?.takeUp(conference, this, signaling);
    this.step(record, { input: 'restarted' });
  }

  /**
   * Tells the policy nodes how things are, after every start, also of theirs alone: the dialog's conference, and whatever
   * is being recovered, which a policy node that starts anew would not take up otherwise.
   */
  protected override announce(): void {
    const { conference } = this.options;
    if (conference && this.endpoint) this.recordOf(conference);
    for (const [uri, record] of this.records) {
      if (this.restarted.has(uri) || (uri !== conference && !isRecovering(record.state))) continue;
      this.run(() => this.take(record, conferenceSession.status(record.state, present())));
    }
    this.restarted.clear();
    super.announce();
  }

  protected override finish(): void {
    const left = [...this.records.keys()];
    super.finish();
    for (const conference of left) this.endpoint?.tellMcu(conference, null, { input: 'terminated' });
    this.endpoint?.unregister(this);
  }

  protected override rest(): void {
    super.rest();
    this.saveAll();
    this.endpoint?.letGo(this);
  }

  protected override signalingOf(conference: string): JsonObject | null {
    return (conference === ownRecord ? this.endpoint?.savedSystem() : this.endpoint?.saved(conference)) ?? null;
  }

  /** The signaling port knows something new that a restart would have to know. */
  signalingChanged(conference: string | null): void {
    if (conference === null) return this.saveOwn();
    const record = this.records.get(conference);
    if (record) this.save(record);
  }

  /** Another port has taken the place of the one that the dialogs were made with. */
  portRenewed(): void {
    if (this.away) return this.later((node) => node.portRenewed());
    for (const { state } of this.records.values()) {
      if (conferenceSession.idle(state)) continue;
      const { conference, dialog } = state;
      this.endpoint?.perform(conference, { effect: 'resume', dialog, timeoutMs: this.settings.repairTimeoutMs });
    }
  }

  // ------------------------------------------------------------------------------------------------- what it is told

  protected start(conference: string): ConferenceSessionState {
    return conferenceSession.start(conference);
  }

  protected isIdle(state: ConferenceSessionState): boolean {
    return conferenceSession.idle(state);
  }

  protected onFact(fact: Fact): void {
    const input = conferenceSessionHears(fact);
    const record = input && this.records.get(fact.conference);
    if (input && record) this.stepInTurn(record, input);
  }

  /**
   * What a whole fleet would send at once when something that it shares fails waits for its turn before the machine sees
   * it: to the machine, the message was longer on its way.
   */
  private stepInTurn(record: ConferenceRecord<ConferenceSessionState>, input: ConferenceSessionInput): void {
    const { conference } = record.state;
    const pacer = this.endpoint && pacerFor(record.state, input, this.endpoint);
    if (!pacer || conferenceSession.speaksOfAnother(record.state, input)) return this.step(record, input);
    pacer.turn(conference, () => this.later((node) => node.takeTurn(conference, input)));
  }

  private takeTurn(conference: string, input: ConferenceSessionInput): void {
    const record = this.records.get(conference);
    if (record) this.step(record, input);
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
    if (route) return this.stepInTurn(record, route);
    if ((command === 'join' || command === 'restore') && !this.endpoint.claim(conference, this)) {
      const error = invalidOperation(`Another conference-session node serves ${conference} on this endpoint already.`);
      return this.refuse(conference, command, error, delivery);
    }
    const operationId = newOperationId();
    this.await(operationId, delivery);
    this.step(record, this.operationInput(record, request, operationId, delivery), operationId);
    // A snapshot that was refused has claimed the conference in vain.
    if (conferenceSession.idle(record.state)) this.endpoint.release(conference, this);
  }

  private operationInput(
    record: ConferenceRecord<ConferenceSessionState>,
    request: Request & JsonObject,
    operationId: string,
    { message }: Delivery,
  ): ConferenceSessionInput {
    const { conference } = record.state;
    const input = operationRequest(request, operationId);
    if (!('input' in input)) return input;
    switch (input.input) {
      case 'join':
        return { ...input, arguments: joinArguments(this.joinDefaultsFor(message), input.arguments) };
      case 'snapshot':
        return {
          ...input,
          signaling: this.signalingOf(conference),
          deadlines: instantsOf(record),
          mcus: this.endpoint?.mcuStates(conference) ?? {},
        };
      default:
        return input;
    }
  }

  private joinDefaultsFor(message: NodeMessage): JsonObject {
    const { joinDefaults, displayNameIn } = this;
    return displayNameIn ? { ...joinDefaults, displayName: displayNameIn(message) } : joinDefaults;
  }

  protected onDeadline(record: ConferenceRecord<ConferenceSessionState>, deadline: string): void {
    this.step(record, { input: 'deadline', deadline });
  }

  hear(conference: string, event: SignalingEvent): void {
    if (this.away) return this.later((node) => node.hear(conference, event));
    const record = this.records.get(conference);
    if (record) this.run(() => this.step(record, event as ConferenceSessionInput));
  }

  introduce(mcu: McuHolder): void {
    if (this.away) return this.later((node) => node.introduce(mcu));
    for (const [conference, { state }] of this.records) {
      if (!this.endpoint?.serves(mcu, conference)) continue;
      for (const input of conferenceSession.introduction(state)) mcu.tell(conference, input);
    }
  }

  proxy(conference: string, mcu: string, operation: string, operationId: string, given: JsonObject): void {
    if (this.away) return this.later((node) => node.proxy(conference, mcu, operation, operationId, given));
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
    this.take(record, step, sessionEffectsFirst, asking);
    if (!conferenceSession.idle(before) && conferenceSession.idle(step.state)) {
      this.whenSaved((node) => node.endpoint?.release(step.state.conference, node));
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
    else if (effect.effect === 'adopt') this.endpoint?.takeUp(conference, this, effect.signaling);
    else if (effect.effect === 'abandon') this.endpoint?.abandon(conference, this);
    else this.endpoint?.perform(conference, effect);
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
    const { recovering, open } = this;
    if (recovering > 0)
      return { fill: 'yellow', shape: 'ring', words: [['recovering', { busy: recovering, all: open }]] };
    if (open > 0) return { fill: 'green', shape: 'dot', words: [['conferences', { count: open }]] };
    return { fill: 'grey', shape: 'ring', words: ['Idle'] };
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

/** Who says when it is the session's turn to send its re-join, a healing request, or a probe of a Focus that fails over. */
function pacerFor(
  state: ConferenceSessionState,
  input: ConferenceSessionInput,
  { recoveries, probes }: Endpoint,
): Pacer | null {
  if (!('input' in input)) return null;
  const { phase } = state;
  switch (input.input) {
    case 'focus-failed-over':
      return phase === 'AwaitingFailover' ? recoveries : null;
    case 'heal':
      return phase === 'InLobby' || phase === 'Connected' || phase === 'Recovering' ? recoveries : null;
    case 'probe':
      // One that is to confirm a suspicion is awaited at once.
      return phase === 'AwaitingFailover' ? probes : null;
    default:
      return null;
  }
}

function isRecovering(state: ConferenceSessionState): boolean {
  return conferenceSession.modeOf(state) !== null;
}

function statusOf(state: ConferenceSessionState): Status {
  const word = conferenceSession.stateOf(state);
  const mode = conferenceSession.modeOf(state);
  const time = { key: 'for', at: state.since } as const;
  switch (word) {
    case 'Connected':
      return { fill: 'green', shape: 'dot', words: [word, ['participants', { count: state.roster.total }]] };
    case 'InLobby':
      return { fill: 'blue', shape: 'ring', words: [word], time };
    case 'Reconnecting': {
      const { attempts: attempt } = state;
      return {
        fill: 'yellow',
        shape: 'ring',
        words: [word, mode === 'rejoining' ? mode : ['attempt', { attempt }]],
        time,
      };
    }
    case 'Connecting':
    case 'Disconnecting':
      return { fill: 'yellow', shape: 'ring', words: [word], time };
    case 'Idle':
    case 'Disconnected':
      return { fill: 'grey', shape: 'ring', words: [word] };
  }
}

export = (RED: NodeAPI): void => {
  RED.nodes.registerType('conference-session', function (this: Node, config: NodeDef) {
    RED.nodes.createNode(this, config);
    const settings = configurationOf(RED, this, 'conference-session', config);
    const surroundings = surroundingsOf(RED, this, settings, 'conference-session');
    new ConferenceSessionNode(this, surroundings, settings, endpointOf<Endpoint>(RED, settings));
  });
};
