/** All machines of the model, wired as in the canonical flow (contract, section 5), with a test in place of the server. */
import {
  type ConferenceSessionEffect,
  type ConferenceSessionInput,
  conferenceSession,
  conferenceSessionDefaults,
} from '../../nodes/recovery/conference-session';
import { failoverDetector, failoverDetectorDefaults } from '../../nodes/recovery/failover-detector';
import { giveUpTimer, giveUpTimerDefaults } from '../../nodes/recovery/give-up-timer';
import {
  conferenceSessionHears,
  mcuRequest,
  mcuSessionHears,
  operationRequest,
  routeRequest,
} from '../../nodes/recovery/inputs';
import {
  type McuSessionEffect,
  type McuSessionInput,
  mcuSession,
  mcuSessionDefaults,
} from '../../nodes/recovery/mcu-session';
import type { CallState, JsonObject, Request } from '../../nodes/recovery/messages';
import { type RouteHealerSettings, routeHealer, routeHealerDefaults } from '../../nodes/recovery/route-healer';
import type { Outcome, SignalingEffect, SignalingEvent } from '../../nodes/recovery/signaling';
import type { DeadlineEffect, MachineState, Message, Moment, PolicyMachine, Step } from '../../nodes/recovery/step';
import { inOrder, sessionEffectsFirst } from '../../nodes/runtime/order';
import { CONFERENCE } from '../support/driver';
import { checkMessage } from '../support/schema';

type Name = 'session' | 'detector' | 'healer' | 'give-up' | `mcu ${string}`;
type AnyEffect = ConferenceSessionEffect | McuSessionEffect | DeadlineEffect;
type RequestEffect = Extract<SignalingEffect, { effect: 'request' }>;

/** One machine with its record. */
interface Part {
  state: MachineState;
  step(moment: Moment): Step<MachineState, AnyEffect>;
}

/** The model as a whole. */
export class Wired {
  now = Date.UTC(2026, 0, 1);
  /** What left any machine, in order. */
  readonly messages: Message[] = [];
  /** What is asked of the conferencing system, in order. */
  readonly effects: SignalingEffect[] = [];
  private readonly states = new Map<Name, MachineState>();
  private readonly deadlines = new Map<string, { at: number; fire: () => void }>();
  private operations = 0;

  constructor(
    private readonly healing: Partial<RouteHealerSettings> = {},
    private readonly mcus: readonly string[] = ['audio-video', 'chat'],
  ) {
    this.states.set('session', conferenceSession.start(CONFERENCE));
    for (const mcu of mcus) this.states.set(`mcu ${mcu}`, mcuSession.start(CONFERENCE, mcu));
    this.states.set('detector', failoverDetector.start(CONFERENCE));
    this.states.set('healer', routeHealer.start(CONFERENCE));
    this.states.set('give-up', giveUpTimer.start(CONFERENCE));
  }

  get session() {
    return conferenceSession.stateOf(this.stateOf('session'));
  }

  mcu(name: string) {
    return mcuSession.stateOf(this.stateOf(`mcu ${name}`));
  }

  /** The latest call with an MCU. */
  call(name: string): { id: string; state: CallState } {
    return this.stateOf<ReturnType<typeof mcuSession.start>>(`mcu ${name}`).call ?? { id: '', state: 'None' };
  }

  /** How many deadlines any machine has set. */
  get pending(): number {
    return this.deadlines.size;
  }

  /** Connected, with calls to both MCUs. */
  static inCall(healing: Partial<RouteHealerSettings> = {}): Wired {
    const wired = new Wired(healing);
    wired.ask({ command: 'join' });
    wired.joined(1);
    for (const mcu of ['audio-video', 'chat']) {
      const callId = wired.askMcu(mcu, { command: 'call' });
      wired.hear({ event: 'call-accepted', callId, mcu });
    }
    wired.forget();
    return wired;
  }

  /** Forgets what has left so far. */
  forget(): void {
    this.messages.length = 0;
    this.effects.length = 0;
  }

  // ----------------------------------------------------------------------------------------------------------- inputs

  /** A request to the session; returns its operation id. */
  ask(request: Request): string {
    this.operations += 1;
    const operationId = `operation-${this.operations}`;
    const given = request as Request & JsonObject;
    this.toSession(routeRequest(given) ?? operationRequest(given, operationId));
    return operationId;
  }

  askMcu(mcu: string, request: Request): string {
    this.operations += 1;
    const operationId = `operation-${this.operations}`;
    this.toMcu(mcu, mcuRequest(request as Request & JsonObject, operationId));
    return operationId;
  }

  /** The conferencing system tells something. */
  hear(event: SignalingEvent): void {
    const ofCall = 'callId' in event || event.event === 'text';
    if (ofCall) this.toMcu(event.mcu, event as McuSessionInput);
    if (!ofCall || event.event === 'media') this.toSession(event as ConferenceSessionInput);
  }

  joined(dialog: number): void {
    const mcus = { 'audio-video': 'active', chat: 'active' } as const;
    this.hear({
      event: 'joined',
      dialog,
      placement: 'conference',
      document: { state: 'full', version: 1, users: [] },
      mcus,
    });
  }

  /** Requests that were sent and not answered yet, oldest first. */
  requests(purpose: RequestEffect['purpose']): RequestEffect[] {
    return this.effects.filter((effect): effect is RequestEffect => 'purpose' in effect && effect.purpose === purpose);
  }

  /** Answers the latest request of a purpose. */
  answer(purpose: RequestEffect['purpose'], outcome: Outcome): void {
    const { requestId, dialog, method } = this.requests(purpose).at(-1) as RequestEffect;
    const names = { operation: 'INFO', heal: method, probe: 'OPTIONS', refresh: 'OPTIONS' } as {
      [purpose: string]: string;
    };
    this.hear({ event: 'outcome', requestId, dialog, purpose, method: names[purpose] ?? '', outcome, elapsedMs: 0 });
  }

  /** Lets time pass. */
  pass(ms: number): void {
    const until = this.now + ms;
    for (;;) {
      const next = [...this.deadlines].sort(([, one], [, other]) => one.at - other.at)[0];
      if (!next || next[1].at > until) break;
      this.deadlines.delete(next[0]);
      this.now = next[1].at;
      next[1].fire();
    }
    this.now = until;
  }

  // ------------------------------------------------------------------------------------------------------- the machines

  private stateOf<State = never>(name: Name): State {
    return this.states.get(name) as State;
  }

  private toSession(input: ConferenceSessionInput): void {
    this.run('session', {
      state: this.stateOf('session'),
      step: (moment) => conferenceSession.step(this.stateOf('session'), input, moment, conferenceSessionDefaults),
    });
  }

  private toMcu(mcu: string, input: McuSessionInput): void {
    const name: Name = `mcu ${mcu}`;
    this.run(name, {
      state: this.stateOf(name),
      step: (moment) => mcuSession.step(this.stateOf(name), input, moment, mcuSessionDefaults),
    });
  }

  private toPolicy(
    name: 'detector' | 'healer' | 'give-up',
    input: Parameters<PolicyMachine<never, never>['step']>[1],
  ): void {
    const step = (moment: Moment): Step<MachineState, DeadlineEffect> => {
      switch (name) {
        case 'detector':
          return failoverDetector.step(this.stateOf(name), input, moment, failoverDetectorDefaults);
        case 'healer':
          return routeHealer.step(this.stateOf(name), input, moment, { ...routeHealerDefaults, ...this.healing });
        case 'give-up':
          return giveUpTimer.step(this.stateOf(name), input, moment, giveUpTimerDefaults);
      }
    };
    this.run(name, { state: this.stateOf(name), step });
  }

  private run(name: Name, { step }: Part): void {
    const caused = step({ now: this.now, random: 0.5 });
    this.states.set(name, caused.state);
    for (const item of inOrder(caused, name === 'session' ? sessionEffectsFirst : [])) {
      if ('effect' in item) this.carryOut(name, item);
      else this.deliver(name, item);
    }
  }

  private carryOut(name: Name, effect: AnyEffect): void {
    switch (effect.effect) {
      case 'mcu':
        for (const mcu of this.mcus) if (effect.mcu === null || effect.mcu === mcu) this.toMcu(mcu, effect.input);
        return;
      case 'proxy':
        return this.toSession({ ...effect, input: 'operation', mcu: name.slice('mcu '.length) });
      case 'ignore':
      case 'adopt':
      case 'abandon':
        return;
      case 'set-deadline':
        this.deadlines.set(`${name}/${effect.deadline}`, {
          at: effect.at,
          fire: () => this.fire(name, effect.deadline),
        });
        return;
      case 'cancel-deadline':
        this.deadlines.delete(`${name}/${effect.deadline}`);
        return;
      default:
        this.effects.push(effect);
    }
  }

  private fire(name: Name, deadline: string): void {
    const input = { input: 'deadline', deadline } as const;
    if (name === 'session') this.toSession(input);
    else if (name === 'detector' || name === 'healer' || name === 'give-up') this.toPolicy(name, input);
    else this.toMcu(name.slice('mcu '.length), input);
  }

  /** Along the wires; requests of policy nodes go to the session. */
  private deliver(from: Name, message: Message): void {
    checkMessage(message);
    this.messages.push(message);
    if ('command' in message) {
      this.ask(message);
      return;
    }
    const input = conferenceSessionHears(message);
    if (from !== 'session' && input) this.toSession(input);
    for (const mcu of this.mcus) {
      const heard = mcuSessionHears(message, this.stateOf(`mcu ${mcu}`));
      if (heard) this.toMcu(mcu, heard);
    }
    for (const name of ['detector', 'healer', 'give-up'] as const) {
      if (from !== name) this.toPolicy(name, { input: 'message', message });
    }
  }
}
