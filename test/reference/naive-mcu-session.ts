/**
 * The MCU session once more, as somebody would write it who has read the conformance list and nothing else. What it says
 * is what the documents settle; a property that it leaves out is nobody's promise.
 */
import type { McuSessionInput, McuSessionSettings } from '../../nodes/recovery/mcu-session';
import type {
  CallReason,
  CallState,
  JsonObject,
  McuReason,
  McuState,
  Participant,
} from '../../nodes/recovery/messages';
import type { McuReports, Outcome } from '../../nodes/recovery/signaling';
import { cutOff, errorOf, invalid, type NaiveError, notSupported, retryable, stale } from './naive-errors';
import { isNews, naiveDifference } from './naive-roster';
import { type Said, SOME_TEXT } from './side-by-side';

/** What one input or one moment caused. */
export interface McuCaused {
  /** Rosters, states and completions, in their order. */
  facts: Said[];
  /** What concerns the call, in its order. */
  calls: Said[];
  effects: Said[];
}

interface Waiting {
  id: string;
  operation: string;
  arguments: JsonObject;
  sentAt: number;
}

interface Call {
  id: string;
  state: CallState;
  /** The `call` or `hang-up` that is under way. */
  pending: { id: string; operation: string } | null;
}

/** An MCU session, naively. */
export class NaiveMcuSession {
  state: McuState = 'Idle';
  call: Call | null = null;
  queue: Waiting[] = [];

  private caused: McuCaused = { facts: [], calls: [], effects: [] };
  private now = 0;
  /** The parent has joined a conference that has such an MCU. */
  bound = false;
  /** The parent waits for the Focus to fail over, or joins it again. */
  focusIsGone = false;
  /** The parent has come back from a Focus failure since this MCU was last known to fail by itself. */
  afterFocusFailure = false;

  private dialog = 0;
  private parentReconnects = false;
  private lostItsCall = false;
  private latestActiveReport = 0;
  private present: Participant[] = [];
  private texts: string[] = [];
  private newestActedOn = 0;
  private callsPlaced = 0;

  constructor(
    private readonly mcu: string,
    private readonly settings: McuSessionSettings,
  ) {}

  /** When the queued operations are sent at the latest. */
  get alarms(): number[] {
    return this.queue.map(({ sentAt }) => sentAt);
  }

  /** One input. */
  hear(input: McuSessionInput, now: number): McuCaused {
    this.now = now;
    this.caused = { facts: [], calls: [], effects: [] };
    if ('event' in input) this.hearCall(input);
    else this.hearOthers(input);
    return this.caused;
  }

  /** What is due by now. */
  ring(now: number): McuCaused {
    this.now = now;
    this.caused = { facts: [], calls: [], effects: [] };
    const due = this.queue.filter(({ sentAt }) => sentAt <= now);
    this.queue = this.queue.filter(({ sentAt }) => sentAt > now);
    for (const waiting of due) this.send(waiting.operation, waiting.id, waiting.arguments);
    return this.caused;
  }

  private hearOthers(input: Extract<McuSessionInput, { input: string }>): void {
    switch (input.input) {
      case 'joining':
        if (this.state !== 'Terminated') return;
        return this.beginAnew();
      case 'joined':
        return this.arrived(input.mcus, input.dialog);
      case 'reconnecting':
        if (this.state === 'Terminated') return;
        this.parentReconnects = true;
        this.focusIsGone = input.focusFailed;
        this.failQueue(cutOff('SessionRetrying'));
        if (this.state === 'Active' && input.focusFailed) this.become('Retrying', 'FocusFailover');
        return;
      case 'recovered':
        this.parentReconnects = false;
        this.focusIsGone = false;
        return;
      case 'route-healed':
        // HOP-18: the call's dialog takes the new route.
        if (this.call?.state === 'Established')
          this.caused.effects.push({ effect: 'refresh-call', callId: this.call.id, mcu: this.mcu });
        return;
      case 'report':
        if (input.report === 'active') {
          this.latestActiveReport = Math.max(this.latestActiveReport, input.seq);
          this.reportedActive();
        }
        if (input.report === 'unsupported' && this.bound && this.state === 'Idle') this.end('NotSupported');
        // MCU-15: after a Focus reconnect. An MCU that fails over by itself is expected back, not gone.
        if (input.report === 'inactive' && this.state === 'Retrying' && this.afterFocusFailure)
          this.become('Idle', 'McuReportedInactive');
        return;
      case 'verdict':
        return this.judged(input.verdict);
      case 'roster': {
        if (this.state === 'Terminated') return;
        const after = this.concerned(Object.values(input.participants));
        const difference = naiveDifference(this.present, after);
        this.present = after;
        if (isNews(difference))
          this.caused.facts.push({
            event: 'roster-changed',
            mcu: this.mcu,
            ...difference,
            total: after.length,
            cause: input.cause,
          });
        return;
      }
      case 'terminated':
        // One that was never bound has nothing to end.
        return this.bound ? this.end('ConferenceTerminated') : this.beginAnew();
      case 'stood-down':
        return this.bound ? this.standDown() : this.beginAnew();
      case 'restarted':
        return this.restarted();
      case 'restore':
        throw new Error('see takenOver');
      case 'completed':
        return this.complete(input.operation, input.operationId, input.result);
      case 'failed':
        return this.fail(input.operation, input.operationId, { name: input.error.name, code: input.error.code });
      case 'operation':
        return this.operate(input.operation, input.operationId, input.arguments);
      case 'deadline':
        throw new Error('the reference has alarms of its own');
    }
  }

  // --------------------------------------------------------------------------------------------------------------- states

  private beginAnew(): void {
    this.state = 'Idle';
    this.bound = false;
    this.parentReconnects = false;
    this.focusIsGone = false;
    this.afterFocusFailure = false;
    this.call = null;
    this.lostItsCall = false;
    this.latestActiveReport = 0;
    this.present = [];
    this.newestActedOn = 0;
  }

  /** What the Focus says of its MCUs when the parent arrives (MCU-2, MCU-3, O7, O8). */
  private arrived(reports: McuReports, dialog: number): void {
    if (this.state === 'Terminated') return;
    const toldAgain = this.bound && dialog === this.dialog;
    this.dialog = dialog;
    // A server that never speaks of MCUs will not report this one active either.
    const report = reports === null ? 'active' : (reports[this.mcu] ?? 'missing');
    this.bound = true;
    if (report === 'missing' || report === 'unsupported') this.end('NotSupported');
    else if (report === 'active') {
      // Whoever never reports anything has not reported it now, in the same conference.
      if (!(toldAgain && reports === null && this.state === 'Retrying')) this.reportedActive();
    } else if (report === 'inactive' && this.state === 'Retrying') this.become('Idle', 'McuReportedInactive');
    this.afterFocusFailure = true;
  }

  private reportedActive(): void {
    if (!this.bound || this.state === 'Active' || this.state === 'Terminated') return;
    this.become('Active', this.state === 'Idle' ? 'Activated' : 'McuReportedActive');
    if (this.lostItsCall) this.caused.calls.push({ event: 'call-available', mcu: this.mcu });
    this.lostItsCall = false;
    const released = this.queue;
    this.queue = [];
    for (const waiting of released) this.send(waiting.operation, waiting.id, waiting.arguments);
  }

  private judged(verdict: Extract<McuSessionInput, { input: 'verdict' }>['verdict']): void {
    if (this.state !== 'Active' && this.state !== 'Retrying') return;
    // A verdict that comes twice ends one call, not the next one as well (MSG-8).
    const newest = Math.max(...verdict.evidence.map(({ seq }) => seq));
    if (newest <= this.newestActedOn) return;
    this.newestActedOn = newest;
    const wasActive = this.state === 'Active';
    this.afterFocusFailure = false;
    // Known disagreement: by contract 2 the state leaves before the completion of a `call`, the model has it the other way.
    this.endCall('TerminatedByMcuFailover', cutOff('SessionRetrying'));
    if (wasActive) this.become('Retrying', 'McuFailover');
    if (wasActive && newest < this.latestActiveReport) this.reportedActive();
  }

  private end(reason: McuReason): void {
    if (this.state === 'Terminated') return;
    // What is contained ends first (QUE).
    this.endCall('ConferenceTerminated', cutOff('SessionTerminated'));
    this.become('Terminated', reason);
    this.failTexts({ ...cutOff('SessionTerminated'), safeToReplay: false });
    this.failQueue(reason === 'NotSupported' ? notSupported : cutOff('SessionTerminated'));
  }

  // ------------------------------------------------------------------------------------------------------ restart, ownership

  /** PER-2, PER-9: what was asked of the process before is given up; a call that stands is looked for. */
  private restarted(): void {
    if (!this.bound || this.state === 'Terminated') return;
    this.failQueue(cutOff('SessionRetrying'));
    this.failTexts({ ...cutOff('SessionRetrying'), safeToReplay: false });
    if (this.call?.state === 'Establishing') this.endCall('Failed', cutOff('SessionRetrying'));
    else if (this.call?.state === 'Terminating') this.endCall('HungUp', cutOff('SessionRetrying'));
    else if (this.call?.state === 'Established')
      this.caused.effects.push({ effect: 'refresh-call', callId: this.call.id, mcu: this.mcu });
  }

  /** PER-10: another node goes on with what a snapshot of this one says. */
  takenOver(now: number): McuCaused {
    this.now = now;
    this.caused = { facts: [], calls: [], effects: [] };
    this.queue = [];
    this.texts = [];
    if (this.call) this.call.pending = null;
    this.restarted();
    return this.caused;
  }

  /** PER-7: somebody else goes on, also with the call. */
  private standDown(): void {
    if (this.state === 'Terminated') return;
    const { call } = this;
    if (call && call.state !== 'Terminated') {
      const { pending } = call;
      this.callBecomes('Terminated', 'StoodDown');
      if (pending) this.fail(pending.operation, pending.id, { ...stale, safeToReplay: false });
    }
    this.become('Terminated', 'StoodDown');
    this.failTexts({ ...stale, safeToReplay: false });
    this.failQueue(stale);
  }

  private failTexts(error: NaiveError): void {
    for (const id of this.texts) this.fail('send', id, error);
    this.texts = [];
  }

  private become(state: McuState, reason: McuReason): void {
    this.caused.facts.push({ event: 'state-changed', mcu: this.mcu, previous: this.state, state, reason });
    this.state = state;
  }

  // ------------------------------------------------------------------------------------------------------------ operations

  private operate(operation: string, id: string, given: JsonObject): void {
    if (operation === 'status') return this.complete(operation, id, { state: this.state });
    if (operation === 'roster') return this.complete(operation, id, { participants: this.present });
    const ofTheCall = operation === 'hang-up' || operation === 'send';
    if (this.state === 'Terminated' || !this.bound) return this.refuse(operation, invalid);
    if (ofTheCall) return this.send(operation, id, given);
    if (this.parentReconnects || this.state === 'Retrying') return this.refuse(operation, retryable);
    if (this.state === 'Idle') {
      this.queue.push({ id, operation, arguments: given, sentAt: this.now + this.settings.activationTimeoutMs });
      return;
    }
    this.send(operation, id, given);
  }

  private send(operation: string, id: string, given: JsonObject): void {
    const alive = this.call !== null && this.call.state !== 'Terminated';
    if (operation === 'call') {
      // Known disagreement: refused before anything was begun, it should have no `operationId`; the model gives one.
      if (alive) {
        this.caused.facts.push({ event: 'operation-failed', operation, mcu: this.mcu, error: invalid });
        return;
      }
      this.callsPlaced += 1;
      this.lostItsCall = false;
      this.call = { id: `call ${this.callsPlaced}`, state: 'None', pending: { id, operation } };
      this.caused.effects.push({
        effect: 'place-call',
        callId: this.call.id,
        mcu: this.mcu,
        timeoutMs: this.settings.callTimeoutMs,
      });
      return this.callBecomes('Establishing', 'Requested');
    }
    if (operation === 'hang-up') {
      if (!this.call || !alive || this.call.state === 'Terminating') return this.refuse(operation, invalid);
      const { pending } = this.call;
      this.call.pending = { id, operation };
      this.caused.effects.push({ effect: 'end-call', callId: this.call.id, mcu: this.mcu });
      this.callBecomes('Terminating', 'HungUp');
      if (pending) this.fail(pending.operation, pending.id, cutOff('Aborted'));
      return;
    }
    if (operation === 'send') {
      if (this.call?.state !== 'Established') return this.refuse(operation, invalid);
      this.texts.push(id);
      this.caused.effects.push({
        effect: 'send-text',
        requestId: id,
        callId: this.call.id,
        mcu: this.mcu,
        text: given.text,
      });
      return;
    }
    this.caused.effects.push({ effect: 'proxy', operation, operationId: id, arguments: given });
  }

  private failQueue(error: NaiveError): void {
    const failing = this.queue;
    this.queue = [];
    for (const { operation, id } of failing) this.fail(operation, id, error);
  }

  private complete(operation: string, operationId: string, result?: unknown): void {
    this.caused.facts.push({
      event: 'operation-completed',
      operation,
      operationId,
      mcu: this.mcu,
      ...(result === undefined ? {} : { result }),
    });
  }

  private fail(operation: string, operationId: string | null, error: NaiveError): void {
    this.caused.facts.push({ event: 'operation-failed', operation, operationId, mcu: this.mcu, error });
  }

  private refuse(operation: string, error: NaiveError): void {
    this.fail(operation, null, error);
  }

  // -------------------------------------------------------------------------------------------------------------- the call

  private hearCall(event: Extract<McuSessionInput, { event: string }>): void {
    if (event.event === 'outcome') return this.textSent(event.requestId, event.outcome);
    if (event.mcu !== this.mcu || !this.bound || this.state === 'Terminated') return;
    if (event.event === 'text') {
      this.caused.calls.push({ event: 'text-received', mcu: this.mcu, from: event.from, text: event.text });
      return;
    }
    const { call } = this;
    if (!call || call.id !== event.callId || call.state === 'Terminated') return;
    const { pending } = call;
    if (event.event === 'media') {
      const { flowing, packets } = event;
      const lastPacketAt = event.lastPacketAt === null ? null : SOME_TEXT;
      this.caused.calls.push({ event: 'media-changed', mcu: this.mcu, flowing, packets, lastPacketAt });
    } else if (event.event === 'call-accepted') {
      if (call.state !== 'Establishing') return;
      call.pending = null;
      this.callBecomes('Established', 'Accepted');
      if (pending) this.complete(pending.operation, pending.id);
    } else if (event.event === 'call-failed') {
      if (call.state !== 'Establishing') return;
      call.pending = null;
      this.callBecomes('Terminated', 'Failed');
      if (pending) this.fail(pending.operation, pending.id, errorOf(event.outcome) ?? invalid);
    } else {
      call.pending = null;
      // Whatever ended it in the end, it was we who had hung up.
      this.callBecomes('Terminated', call.state === 'Terminating' ? 'HungUp' : event.reason);
      if (pending?.operation === 'hang-up') this.complete(pending.operation, pending.id);
      else if (pending) this.fail(pending.operation, pending.id, cutOff('Aborted'));
    }
  }

  private endCall(reason: CallReason, error: NaiveError): void {
    const { call } = this;
    if (!call || call.state === 'Terminated') return;
    const { pending } = call;
    call.pending = null;
    this.lostItsCall = reason === 'TerminatedByMcuFailover';
    this.caused.effects.push({ effect: 'end-call', callId: call.id, mcu: this.mcu });
    this.callBecomes('Terminated', reason);
    if (pending?.operation === 'hang-up') this.complete(pending.operation, pending.id);
    else if (pending) this.fail(pending.operation, pending.id, error);
  }

  private callBecomes(state: CallState, reason: CallReason): void {
    if (!this.call) return;
    this.caused.calls.push({ event: 'call-state-changed', mcu: this.mcu, previous: this.call.state, state, reason });
    this.call.state = state;
  }

  private textSent(id: string, outcome: Outcome): void {
    if (!this.texts.includes(id)) return;
    this.texts.splice(this.texts.indexOf(id), 1);
    const error = errorOf(outcome);
    if (error) this.fail('send', id, error);
    else this.complete('send', id);
  }

  /** Those who have media there, with just that media: it follows from the Focus's roster (MCU-16). */
  private concerned(all: Participant[]): Participant[] {
    const kinds: string[] = [this.mcu];
    if (this.mcu === 'audio-video') kinds.push('audio', 'video');
    if (this.mcu === 'chat') kinds.push('text', 'message');
    const found: Participant[] = [];
    for (const participant of all) {
      const endpoints = participant.endpoints
        .map((endpoint) => ({
          ...endpoint,
          media: endpoint.media.filter(({ id, type }) => kinds.includes(type ?? id)),
        }))
        .filter(({ media }) => media.length > 0);
      if (endpoints.length > 0) found.push({ ...participant, endpoints });
    }
    return found;
  }
}
