/**
 * The machines of the model, each with what a node holds for it: its record and its deadlines. What the nodes do around a
 * machine is done here with the same functions (`recovery/inputs.ts`, `runtime/order.ts`, `signaling/endpoint.ts`), but
 * on virtual time and without Node-RED.
 */
import {
  type ConferenceSessionEffect,
  type ConferenceSessionInput,
  type ConferenceSessionState,
  conferenceSession,
} from '../../nodes/recovery/conference-session';
import { invalidOperation } from '../../nodes/recovery/errors';
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
  type McuSessionState,
  mcuSession,
} from '../../nodes/recovery/mcu-session';
import type { JsonObject, Request } from '../../nodes/recovery/messages';
import type { PolicyState } from '../../nodes/recovery/policy';
import type { SignalingEvent } from '../../nodes/recovery/signaling';
import type {
  DeadlineEffect,
  MachineState,
  Message,
  Moment,
  PolicyInput,
  PolicyMachine,
  Step,
} from '../../nodes/recovery/step';
import { inOrder, sessionEffectsFirst } from '../../nodes/runtime/order';
import type { McuHolder, SessionHolder } from '../../nodes/signaling/endpoint';
import { holds } from './violation';
import type { NodeName } from './wires';
import type { World } from './world';

/** The one conference of a schedule. */
export const conference = 'sip:daily@pool.example';

/** A request as the user or another node sends it. */
export type Asked = Request & JsonObject;

/** A machine with its record and its deadlines. */
export abstract class Part<State extends MachineState, Input, Effect extends { effect: string }> {
  private readonly deadlines = new Map<string, { at: number; callOff: () => void }>();

  constructor(
    protected readonly world: World,
    readonly name: NodeName,
    public state: State,
    /** Effects that come before messages. */
    private readonly first: readonly string[] = [],
  ) {}

  /** A message comes in over a wire. */
  abstract receive(message: Message): void;
  /** Somebody asks for something. */
  abstract ask(request: Asked): void;
  protected abstract work(state: State, input: Input, moment: Moment): Step<State, Effect>;
  protected abstract perform(effect: Exclude<Effect, DeadlineEffect>): void;
  /** Shows a step to whoever checks it. */
  protected abstract show(before: State, input: Input, step: Step<State, Effect>): void;

  /** One step of the machine, and all that it causes. `asking` is the request that this very step answers. */
  protected step(input: Input, asking: string | null = null): void {
    const { world, state } = this;
    world.stepBegins();
    if (world.meticulous) deepFreeze([state, input]);
    const step = this.work(state, input, world.moment());
    this.show(state, input, step);
    this.take(step, asking);
    world.stepEnds();
  }

  /** Takes a step into account, as a node does. */
  protected take(step: Step<State, Effect>, asking: string | null = null): void {
    // A saved and restored record is as good as the record itself.
    this.state = this.world.meticulous ? (JSON.parse(JSON.stringify(step.state)) as State) : step.state;
    for (const item of inOrder(step, this.first)) {
      if (!('effect' in item)) this.world.leaves(this.name, item, asking);
      else if (item.effect === 'set-deadline' || item.effect === 'cancel-deadline') {
        this.keepDeadline(item as unknown as DeadlineEffect);
      } else this.perform(item as Exclude<Effect, DeadlineEffect>);
    }
  }

  private keepDeadline(effect: DeadlineEffect): void {
    const { deadline } = effect;
    const { clock } = this.world;
    this.deadlines.get(deadline)?.callOff();
    this.deadlines.delete(deadline);
    if (effect.effect === 'cancel-deadline') return;
    const { at } = effect;
    const callOff = clock.after(Math.max(0, at - clock.now()) + this.world.lateness(), () => {
      this.deadlines.delete(deadline);
      this.step({ input: 'deadline', deadline } as Input);
    });
    this.deadlines.set(deadline, { at, callOff });
  }

  /** The process has ended: what was saved of the last step is all that there is, and time does not go on. */
  stop(): void {
    this.state = JSON.parse(JSON.stringify(this.state)) as State;
    for (const { callOff } of this.deadlines.values()) callOff();
  }

  /** In the next process, deadlines are due when they were; those that are past, at once. */
  goOn(): void {
    for (const [deadline, { at }] of [...this.deadlines]) this.keepDeadline({ effect: 'set-deadline', deadline, at });
  }

  /** How many deadlines are set. */
  protected get waiting(): number {
    return this.deadlines.size;
  }

  /** The node is closed: nothing is due any more. */
  protected close(): void {
    for (const { callOff } of this.deadlines.values()) callOff();
    this.deadlines.clear();
  }
}

/** The conference session. */
export class SessionPart
  extends Part<ConferenceSessionState, ConferenceSessionInput, ConferenceSessionEffect>
  implements SessionHolder
{
  constructor(world: World) {
    super(world, 'session', conferenceSession.start(conference), sessionEffectsFirst);
  }

  receive(message: Message): void {
    if ('command' in message) return this.ask(message as Asked);
    const input = conferenceSessionHears(message);
    if (input) this.step(input);
  }

  ask(request: Asked): void {
    const route = routeRequest(request);
    if (route) return this.step(route);
    if (request.command === 'join') this.world.endpoint.claim(conference, this);
    const operationId = this.world.operations.begin(this.name, request.command);
    this.step(operationRequest(request, operationId), operationId);
  }

  /** Goes on after a restart, with what the port knew. */
  restart(signaling: JsonObject | null): void {
    if (!conferenceSession.idle(this.state)) this.world.endpoint.takeUp(conference, this, signaling);
    this.step({ input: 'restarted' });
  }

  /** Tells the policy nodes how things are. */
  announce(): void {
    this.take(conferenceSession.status(this.state, this.world.moment()));
  }

  hear(_: string, event: SignalingEvent): void {
    this.step(event as ConferenceSessionInput);
  }

  nameOf(): string {
    return 'daily';
  }

  endpointFailed(): void {
    // It has nothing beside its port that could fail.
  }

  signalingChanged(): void {
    // The far end lives on with its pool, so nothing of it is kept.
  }

  portRenewed(): void {
    // The port stays what it is.
  }

  introduce(mcu: McuHolder): void {
    for (const input of conferenceSession.introduction(this.state)) mcu.tell(conference, input);
  }

  proxy(_: string, mcu: string, operation: string, operationId: string, given: JsonObject): void {
    this.step({ input: 'operation', operation, operationId, arguments: given, mcu });
  }

  protected override step(input: ConferenceSessionInput, asking: string | null = null): void {
    const before = this.state;
    super.step(input, asking);
    if (!conferenceSession.idle(before) && conferenceSession.idle(this.state)) {
      this.world.endpoint.release(conference, this);
      holds(this.waiting === 0, 9, () => `the session is ${this.state.phase}, and ${this.waiting} deadlines are set`);
    }
  }

  protected work(state: ConferenceSessionState, input: ConferenceSessionInput, moment: Moment) {
    return conferenceSession.step(state, input, moment, this.world.setting.session);
  }

  protected perform(effect: Exclude<ConferenceSessionEffect, DeadlineEffect>): void {
    const { endpoint, operations, watch } = this.world;
    if (effect.effect === 'mcu') endpoint.tellMcu(conference, effect.mcu, effect.input);
    else if (effect.effect === 'ignore') operations.ignored(effect.operationId);
    else if (effect.effect !== 'adopt' && effect.effect !== 'abandon') {
      watch.performed(effect);
      endpoint.perform(conference, effect);
    }
  }

  protected show(
    before: ConferenceSessionState,
    input: ConferenceSessionInput,
    step: Step<ConferenceSessionState, ConferenceSessionEffect>,
  ): void {
    this.world.watch.sessionStepped(before, input, step);
  }
}

/** The MCU session of one MCU. */
export class McuPart extends Part<McuSessionState, McuSessionInput, McuSessionEffect> implements McuHolder {
  readonly conference = '';

  constructor(
    world: World,
    readonly mcu: 'audio-video' | 'chat',
  ) {
    super(world, mcu, mcuSession.start(conference, mcu));
  }

  endpointFailed(): void {
    // As for the session.
  }

  receive(message: Message): void {
    if ('command' in message) return;
    const input = mcuSessionHears(message, this.state);
    if (input) this.step(input);
  }

  ask(request: Asked): void {
    const operationId = this.world.operations.begin(this.name, request.command);
    this.step(mcuRequest(request, operationId), operationId);
  }

  stateOf(): McuSessionState {
    return this.state;
  }

  tell(_: string, input: McuSessionInput): void {
    this.step(input);
    const { phase } = this.state;
    const over = phase === 'Terminated' || phase === 'Unbound';
    holds(
      !over || this.waiting === 0,
      9,
      () => `the ${this.mcu} session is ${phase}, and ${this.waiting} deadlines are set`,
    );
  }

  /** Goes on after a restart. */
  restart(): void {
    this.step({ input: 'restarted' });
  }

  /** The node is closed and comes again, as when only it is deployed. What it had begun is not waited for any more. */
  replace(): void {
    const { endpoint, operations, watch } = this.world;
    const { call, seq } = this.state;
    if (call && call.state !== 'Terminated') {
      endpoint.perform(conference, { effect: 'end-call', callId: call.id, mcu: this.mcu });
    }
    endpoint.unregisterMcu(this);
    this.close();
    operations.abandon(this.name);
    watch.mcuReplaced(this.mcu);
    // Numbers of facts never come twice.
    this.state = { ...mcuSession.start(conference, this.mcu), seq };
    endpoint.registerMcu(this);
  }

  protected work(state: McuSessionState, input: McuSessionInput, moment: Moment) {
    return mcuSession.step(state, input, moment, this.world.setting.mcu);
  }

  protected perform(effect: Exclude<McuSessionEffect, DeadlineEffect>): void {
    const { endpoint } = this.world;
    if (effect.effect !== 'proxy') return endpoint.perform(conference, effect, this);
    const { operation, operationId } = effect;
    if (endpoint.proxy(conference, this.mcu, operation, operationId, effect.arguments)) return;
    const error = invalidOperation('No conference-session serves this conference.');
    this.step({ input: 'failed', operation, operationId, error });
  }

  protected show(before: McuSessionState, input: McuSessionInput, step: Step<McuSessionState, McuSessionEffect>): void {
    this.world.watch.mcuStepped(before, input, step);
  }
}

/** A machine that only decides. */
export class PolicyPart<State extends PolicyState, Settings> extends Part<State, PolicyInput, DeadlineEffect> {
  constructor(
    world: World,
    name: NodeName,
    readonly machine: PolicyMachine<State, Settings>,
    private readonly settings: Settings,
  ) {
    super(world, name, machine.start(conference));
  }

  receive(message: Message): void {
    this.step({ input: 'message', message });
  }

  ask(request: Asked): void {
    this.step({ input: 'message', message: { ...request, conference } });
  }

  /** The node is closed and comes again with nothing in mind. */
  replace(): void {
    const { seq } = this.state;
    this.close();
    this.state = { ...this.machine.start(conference), seq };
    this.world.watch.policyReplaced(this.name);
  }

  protected override step(input: PolicyInput): void {
    super.step(input);
    const known = Object.keys(this.state.deadlines).length;
    holds(this.waiting === known, 9, () => `the ${this.name} knows of ${known} deadlines, and ${this.waiting} are set`);
  }

  /** Nothing is pending. */
  get idle(): boolean {
    return this.machine.idle(this.state);
  }

  protected work(state: State, input: PolicyInput, moment: Moment): Step<State, DeadlineEffect> {
    return this.machine.step(state, input, moment, this.settings);
  }

  protected perform(): void {
    // Deadlines are the only effects of a policy.
  }

  protected show(before: State, _: PolicyInput, step: Step<State, DeadlineEffect>): void {
    this.world.watch.policyStepped(this.name, before, step.state);
  }
}

function deepFreeze(value: unknown): void {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return;
  Object.freeze(value);
  for (const member of Object.values(value)) deepFreeze(member);
}
