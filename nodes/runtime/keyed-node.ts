/**
 * What every node of the pack has in common: it keeps one record of a machine per conference, feeds it what comes in,
 * sends what comes out, and keeps its deadlines. One funnel for errors, one place where messages are made.
 */
import type { Node, NodeMessage } from 'node-red';
import { invalidOperation, operationFailure } from '../recovery/errors';
import { limits } from '../recovery/limits';
import type { Fact, JsonObject, OperationFailed, RecoveryError, Request, Source } from '../recovery/messages';
import {
  conferenceName,
  type DeadlineEffect,
  fact,
  type MachineState,
  type Message,
  type Moment,
  type Step,
} from '../recovery/step';
import { recorder } from '../timeline/recorder';
import { deadlines } from './deadlines';
import { catchable, Delivery, type Done, type Host, type Send } from './delivery';
import { ownRecord, type SavedRecord } from './keeping/keeper';
import { LastingNode, type Surroundings } from './lasting-node';
import { inOrder } from './order';
import { isBatch, type Member, memberOf } from './payload';
import { dropDeadline, findDeadline, instantsOf, putDeadline, Standing } from './standing';
import { type Status, StatusLine, type Words } from './status';
import { levelOf, topicPath } from './topics';

/** A machine's state of one conference, with what this process holds for it. */
export interface ConferenceRecord<State> {
  state: State;
  /** Its name in topics. */
  readonly name: string;
  /** The first of a chain; null when there is none. */
  deadlines: Standing<ConferenceRecord<State>> | null;
}

/** How a node differs from others, as far as this file is concerned. */
export interface KeyedNodeOptions {
  source: Source;
  /** Conference of the dialog, or ''. */
  conference: string;
  /** Alias of the dialog's conference, or ''. */
  alias: string;
  outputs: number;
  /** Output for failed operations; null sends them to Catch nodes. */
  errorOutput: number | null;
}

const started = Date.now().toString(36);
let operations = 0;

/** Identifier of an operation, unique in this process and, in practice, over restarts. */
export function newOperationId(): string {
  operations += 1;
  return `${started}-${operations.toString(36)}`;
}

const process = Math.floor(Math.random() * 0xffff_ffff)
  .toString(16)
  .padStart(8, '0');
let messages = 0;

/** A message's `_msgid`, sixteen digits as Node-RED's own, which cost a microsecond each. */
function newMessageId(): string {
  messages = (messages + 1) % 0x1_0000_0000;
  return process + messages.toString(16).padStart(8, '0');
}

/** The present, for a step. */
export function present(): Moment {
  return { now: Date.now(), random: Math.random() };
}

/** Base of all nodes that keep a record per conference. */
export abstract class KeyedNode<State extends MachineState, Effect extends { effect: string }>
  extends LastingNode
  implements Host
{
  protected records = new Map<string, ConferenceRecord<State>>();
  private pending = new Map<string, Delivery>();
  /** Highest `seq` without a record: of a forgotten one, or of a refusal before there was any. Numbers never go back. */
  private seqFloor = 0;
  /** Records of the store that have not gone on yet. */
  private restored: ConferenceRecord<State>[] = [];
  private current: Delivery | null = null;
  /** What leaves together at the end of a batch, by output; null outside of one. */
  private collected: (Message[] | undefined)[] | null = null;
  private readonly statusLine: StatusLine;
  /** Finds the conference of requests that name none, where it is not the dialog's. */
  private readonly conferenceIn: ((message: NodeMessage) => string) | null;
  private lastingTrouble: { text: string; words: Words } | null = null;
  /** What is wrong with the store; null when nothing is. */
  private notKept: string | null = null;

  constructor(
    node: Node,
    surroundings: Surroundings,
    protected readonly options: KeyedNodeOptions,
  ) {
    super(node, surroundings);
    this.statusLine = new StatusLine(node, surroundings.translate, () => this.presentStatus());
    const { complaint } = surroundings;
    if (complaint) this.trouble(complaint.text, complaint.words);
    this.conferenceIn = surroundings.readerOf('conference');
    node.on('input', (message, send, done) => this.receive(message, send as Send, done));
  }

  // ------------------------------------------------------------------------------------------- what a kind of node defines

  /** A fresh record. */
  protected abstract start(conference: string): State;
  /** May a record be forgotten when room is needed? */
  protected abstract isIdle(state: State): boolean;
  protected abstract onFact(fact: Fact): void;
  protected abstract onRequest(conference: string, request: Request & JsonObject, delivery: Delivery): void;
  protected abstract onDeadline(record: ConferenceRecord<State>, deadline: string): void;
  /** Carries out an effect other than a deadline. */
  protected abstract perform(record: ConferenceRecord<State>, effect: Exclude<Effect, DeadlineEffect>): void;
  /** The output for a message; null keeps it in. */
  protected abstract outputOf(message: Message): number | null;
  protected abstract status(): Status | null;
  /** A record has come from another node, or from the store: whoever counts them counts it. */
  protected adopt(_record: ConferenceRecord<State>): void {}
  /** A record of the store goes on: tells the machine. */
  protected restart(_record: ConferenceRecord<State>): void {}
  /** What the signaling port knows of a conference, to be kept with its record. */
  protected signalingOf(_conference: string): JsonObject | null | undefined {
    return undefined;
  }

  // ------------------------------------------------------------------------------------------------------------------ input

  /** `origin` is the node that Node-RED has handed the message to. */
  private receive(message: NodeMessage, send: Send, done: Done, origin: Host = this): void {
    if (this.away) return this.later((node) => node.receive(message, send, done, this));
    const { payload } = message;
    const batch = isBatch(payload);
    const delivery = new Delivery(message, batch, origin, send, done);
    this.current = delivery;
    if (batch) {
      this.collected = new Array(this.options.outputs);
      for (const member of payload) this.takeMember(member, delivery);
    } else this.takeMember(payload, delivery);
    this.current = null;
    this.flush(delivery);
    if (this.keeper) this.whenSaved(() => delivery.release());
    else delivery.release();
    this.showStatus();
  }

  private takeMember(payload: unknown, delivery: Delivery): void {
    const { source, conference } = this.options;
    try {
      const own = this.conferenceIn?.(delivery.message) ?? conference;
      const member: Member = memberOf(source, payload, own);
      if (member.kind === 'fact') this.onFact(member.fact);
      else if (member.kind === 'request') this.onRequest(member.conference, member.request, delivery);
      else if (member.kind === 'complaint') this.refuse(member.conference, member.command, member.error, delivery);
    } catch (error) {
      // A defect of ours must not stop Node-RED, nor take other conferences with it.
      this.node.error(error as Error, delivery.message);
    }
  }

  /** Runs something that no message caused: a deadline, news of the conferencing system. */
  protected run(cause: () => void): void {
    try {
      cause();
    } catch (error) {
      this.node.error(error as Error, {});
    } finally {
      this.showStatus();
    }
  }

  /** The record of a conference; a new one when there is none. Throws nothing: undefined when the node is full. */
  protected recordOf(conference: string): ConferenceRecord<State> | undefined {
    const known = this.records.get(conference);
    if (known) return known;
    if (this.records.size >= limits.conferences && !this.forgetOne()) return undefined;
    const name = this.nameOf(conference);
    const state = this.start(conference);
    state.seq = this.seqFloor;
    const record: ConferenceRecord<State> = { state, name, deadlines: null };
    this.records.set(conference, record);
    return record;
  }

  /**
   * Name of a conference in topics: the alias of the dialog, else the one in the topic of the fact that told of it (so that
   * all nodes call it the same), else what can be read from its URI.
   */
  nameOf(conference: string): string {
    const { alias, conference: own } = this.options;
    if (alias && conference === own) return levelOf(alias);
    return nameInTopic(this.current?.message, conference) ?? conferenceName(conference);
  }

  private forgetOne(): boolean {
    for (const [conference, { state }] of this.records) {
      if (!this.isIdle(state)) continue;
      this.seqFloor = Math.max(this.seqFloor, state.seq);
      this.records.delete(conference);
      this.keeper?.save(conference, null);
      this.saveOwn();
      return true;
    }
    return false;
  }

  /** The error of a node that keeps as many conferences as it may. */
  protected fullError(): RecoveryError {
    return invalidOperation(`This node keeps ${limits.conferences} conferences, which is its limit.`, 'LimitReached');
  }

  // --------------------------------------------------------------------------------------------------------------- requests

  /** From now on, whatever names `operationId` answers this message. */
  protected await(operationId: string, delivery: Delivery): void {
    delivery.hold();
    this.pending.set(operationId, delivery);
  }

  /** Nothing will answer it. */
  protected forget(operationId: string): void {
    const delivery = this.pending.get(operationId);
    this.pending.delete(operationId);
    delivery?.release();
  }

  /** A request that could not be taken: one typed error, and nothing changes. */
  protected refuse(
    conference: string | null,
    operation: string,
    error: RecoveryError,
    delivery: Delivery | null,
  ): void {
    const record = conference === null ? undefined : this.records.get(conference);
    const nobody = { version: 1 as const, conference: conference ?? '', seq: this.seqFloor, dialog: 0, incident: null };
    const state = record?.state ?? nobody;
    const failure = fact(state, this.options.source, present(), 'error', {
      event: 'operation-failed',
      operation,
      operationId: null,
      error,
    }) as OperationFailed;
    if (record) this.save(record);
    else this.seqFloor = nobody.seq;
    if (!record) this.saveOwn();
    const name = record?.name ?? conferenceName(conference ?? '');
    this.fail(failure, name, delivery);
  }

  // ----------------------------------------------------------------------------------------------------------------- output

  /**
   * Takes a step into account: new state, messages, effects. Effects named in `first` come before the messages, so that
   * what they cause at other nodes leaves before.
   */
  protected take(
    record: ConferenceRecord<State>,
    step: Step<State, Effect>,
    first: readonly string[] = [],
    asking: string | null = null,
  ): void {
    record.state = step.state;
    for (const effect of step.effects) if (isDeadline(effect)) this.keepDeadline(record, effect);
    this.save(record);
    for (const item of inOrder(step, first)) {
      if (!('effect' in item)) this.emit(record, item, asking);
      else if (!isDeadline(item)) this.carryOut(record, item as Exclude<Effect, DeadlineEffect>);
    }
  }

  private carryOut(record: ConferenceRecord<State>, effect: Exclude<Effect, DeadlineEffect>): void {
    if (this.keeper) this.whenSaved((node) => node.perform(record, effect));
    else this.perform(record, effect);
  }

  private keepDeadline(record: ConferenceRecord<State>, effect: DeadlineEffect): void {
    const known = findDeadline(record, effect.deadline);
    if (effect.effect === 'set-deadline') {
      this.setDeadline(known ?? putDeadline(new Standing(this, record, effect.deadline)), effect.at);
    } else if (known) {
      deadlines.cancel(known.handle);
      dropDeadline(known);
    }
  }

  private setDeadline(standing: Standing<ConferenceRecord<State>>, at: number): void {
    const { handle } = standing;
    standing.owner = this;
    standing.at = at;
    standing.handle = deadlines.set(at, standing);
    deadlines.cancel(handle);
  }

  /** The instant of a deadline has come. */
  due(standing: Standing<ConferenceRecord<State>>): void {
    const { handle, record, name } = standing;
    this.later((node) => {
      // One that was put off may have been called off since, or set anew.
      if (standing.handle !== handle) return;
      dropDeadline(standing);
      node.onDeadline(record, name);
    });
  }

  /** Sends one message to its output, as the answer to whoever asked for it. `asking` is the request of this very step. */
  private emit(record: ConferenceRecord<State>, message: Message, asking: string | null): void {
    const isFact = 'event' in message;
    const operationId =
      isFact && (message.event === 'operation-completed' || message.event === 'operation-failed')
        ? (message.operationId ?? asking)
        : asking && isFact && isAnswer(message)
          ? asking
          : null;
    const delivery = operationId === null ? null : (this.pending.get(operationId) ?? null);
    if (operationId !== null) this.pending.delete(operationId);
    if (isFact && message.event === 'operation-failed') {
      this.fail(message, record.name, delivery);
    } else {
      recorder.record(this.node.id, record.name, message);
      const output = this.outputOf(message);
      if (output !== null) this.post(message, output, record.name, delivery);
    }
    if (!delivery) return;
    this.whenSaved(() => delivery.release());
  }

  private fail(failure: OperationFailed, name: string, delivery: Delivery | null): void {
    recorder.record(this.node.id, name, failure);
    const { errorOutput } = this.options;
    if (errorOutput !== null && this.isWired(errorOutput)) return this.post(failure, errorOutput, name, delivery);
    this.whenSaved(({ node }) => {
      if (delivery) delivery.fail(failure.error);
      else node.error(catchable(failure.error), { payload: failure, topic: topicOf(failure, name) } as NodeMessage);
    });
  }

  private post(message: Message, output: number, name: string, delivery: Delivery | null): void {
    // Within a batch, everything but the answers of earlier messages leaves together.
    if (this.collected && (delivery === null || delivery === this.current)) {
      const collected = this.collected[output];
      if (collected) collected.push(message);
      else this.collected[output] = [message];
      return;
    }
    const topic = topicOf(message, name);
    const sent = delivery
      ? { ...delivery.properties(), topic, payload: message }
      : { _msgid: newMessageId(), topic, payload: message };
    this.dispatch(place(sent as NodeMessage, output), delivery);
  }

  private dispatch(outputs: (NodeMessage | null)[], delivery: Delivery | null): void {
    if (this.keeper) this.whenSaved((node) => (delivery ?? node).send(outputs));
    else (delivery ?? this).send(outputs);
  }

  /** Sends through the node's own outputs. */
  send(outputs: (NodeMessage | null)[]): void {
    this.node.send(outputs);
  }

  complete(message: NodeMessage, error?: Error): void {
    // What `done` of an input handler does. Node-RED offers it to nobody else.
    const { _complete } = this.node as Node & { _complete?: (message: NodeMessage, error?: Error) => void };
    if (_complete) _complete.call(this.node, message, error);
    else if (error) this.node.error(error, message);
  }

  report(error: Error, message: NodeMessage): void {
    this.node.error(error, message);
  }

  private flush(delivery: Delivery): void {
    const { collected } = this;
    this.collected = null;
    if (!collected) return;
    for (const [output, payload] of collected.entries()) {
      if (payload) this.dispatch(place({ ...delivery.properties(), payload } as NodeMessage, output), delivery);
    }
  }

  /** Is anything connected to this output? */
  protected isWired(output: number): boolean {
    const { wires } = this.node as unknown as { wires?: unknown[][] };
    return (wires?.[output]?.length ?? 0) > 0;
  }

  // ----------------------------------------------------------------------------------------------------------------- status

  /**
   * Something is wrong with the node itself, and stays so: a red status of some words, and one line in the log unless there
   * is one.
   */
  protected trouble(text: string, words: Words, toLog = true): void {
    if (this.lastingTrouble?.text === text) return;
    this.lastingTrouble = { text, words };
    if (toLog) this.node.error(text);
    this.showStatus();
  }

  /** There is no endpoint: none is chosen (null), or it does not work, and has said why in the log (undefined). */
  protected lackEndpoint(endpoint: null | undefined): void {
    if (endpoint === null) this.trouble('no conference-endpoint: choose one in the dialog', ['noEndpoint']);
    else this.trouble('the conference-endpoint does not work: see the log', ['endpointBroken'], false);
  }

  /** The endpoint turned out not to work, and has said why in the log. */
  endpointFailed(): void {
    this.lackEndpoint(undefined);
  }

  /** Shows the status, soon: called after whatever may have changed it. */
  protected showStatus(): void {
    this.statusLine.touch();
  }

  private presentStatus(): Status | null {
    const trouble = this.lastingTrouble?.words ?? (this.notKept === null ? null : (['keptState'] as const));
    return trouble ? { fill: 'red', shape: 'ring', words: [trouble] } : this.status();
  }

  // ------------------------------------------------------------------------------------------------- over deployments

  protected inherit(previous: this): void {
    const { records, pending, seqFloor } = previous;
    this.seqFloor = seqFloor;
    this.records = records;
    this.pending = pending;
    for (const record of records.values()) this.adopt(record);
  }

  protected goOn(): void {
    const { restored } = this;
    this.restored = [];
    for (const record of restored) {
      for (let each = record.deadlines; each; each = each.next) this.setDeadline(each, each.at);
      this.run(() => this.restart(record));
    }
  }

  protected announce(): void {
    this.showStatus();
  }

  protected finish(): void {
    this.stopTime();
    this.records.clear();
    for (const delivery of this.pending.values()) {
      const message = 'The node was closed before the operation had completed.';
      delivery.fail(operationFailure('EndpointTerminated', message, false));
      delivery.release();
    }
    this.pending.clear();
  }

  /** Whoever waits for an answer hears of the operation after the restart. */
  protected rest(): void {
    this.stopTime();
  }

  private stopTime(): void {
    for (const record of this.records.values())
      for (let each = record.deadlines; each; each = each.next) deadlines.cancel(each.handle);
  }

  // ------------------------------------------------------------------------------------------------------- over restarts

  protected restore(conference: string, { state, name, deadlines: saved }: SavedRecord): void {
    if (conference === ownRecord) {
      this.seqFloor = state.seq;
      return;
    }
    const record: ConferenceRecord<State> = { state: state as State, name, deadlines: null };
    for (const [deadline, at] of Object.entries(saved)) putDeadline(new Standing(this, record, deadline, at));
    this.records.set(conference, record);
    this.restored.push(record);
    this.adopt(record);
  }

  protected saveAll(): void {
    this.saveOwn();
    for (const record of this.records.values()) this.save(record);
  }

  /** Puts a record into the keeper's next commit. */
  protected save(record: ConferenceRecord<State>): void {
    if (!this.keeper) return;
    const { state, name } = record;
    const signaling = this.signalingOf(state.conference);
    const extra = signaling === undefined ? {} : { signaling };
    this.keeper.save(state.conference, { state, name, deadlines: instantsOf(record), ...extra });
  }

  /** The same for what concerns no conference in particular. */
  protected saveOwn(): void {
    if (!this.keeper) return;
    const state: MachineState = { version: 1, conference: ownRecord, seq: this.seqFloor, dialog: 0, incident: null };
    const signaling = this.signalingOf(ownRecord);
    this.keeper.save(ownRecord, { state, name: '', deadlines: {}, ...(signaling === undefined ? {} : { signaling }) });
  }

  protected storeTrouble(trouble: string | null): void {
    this.notKept = trouble;
    if (trouble === null) return;
    const error = invalidOperation(`${trouble}.`, 'StateNotKept');
    this.refuse(this.options.conference || null, 'keep-state', error, null);
  }
}

function isDeadline(effect: { effect: string }): effect is DeadlineEffect {
  return effect.effect === 'set-deadline' || effect.effect === 'cancel-deadline';
}

const answers: ReadonlySet<Fact['event']> = new Set([
  'detector-status',
  'healer-status',
  'give-up-status',
  'fault-injected',
]);

/** Facts that answer a request without being the outcome of an operation. */
function isAnswer({ event }: Fact): boolean {
  return answers.has(event);
}

function nameInTopic(message: NodeMessage | undefined, conference: string): string | undefined {
  const { topic, payload } = message ?? {};
  const told = payload as Partial<Fact> | null | undefined;
  if (typeof topic !== 'string' || told?.event === undefined || told.conference !== conference) return undefined;
  return /^conference\/([^/]+)\//.exec(topic)?.[1];
}

function topicOf(message: Message, name: string): string {
  return `conference/${name}/${'event' in message ? topicPath(message) : 'command'}`;
}

function place(message: NodeMessage, output: number): (NodeMessage | null)[] {
  const outputs: (NodeMessage | null)[] = [];
  for (let before = 0; before < output; before += 1) outputs.push(null);
  outputs.push(message);
  return outputs;
}
