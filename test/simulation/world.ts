/** One simulated conference: the production model, wired as in the canonical flow, with the embedded pool, on virtual time. */
import { type FailoverDetectorState, failoverDetector } from '../../nodes/recovery/failover-detector';
import { type GiveUpTimerState, giveUpTimer } from '../../nodes/recovery/give-up-timer';
import { type RouteHealerState, routeHealer } from '../../nodes/recovery/route-healer';
import type { Message, Moment } from '../../nodes/recovery/step';
import { Endpoint } from '../../nodes/signaling/endpoint';
import { Pool } from '../../nodes/signaling/pool/pool';
import { VirtualClock } from '../support/virtual-clock';
import { Chance } from './chance';
import type { Deed } from './deeds';
import { Operations } from './operations';
import { conference, McuPart, PolicyPart, SessionPart } from './parts';
import { RoughPort } from './rough-port';
import type { Action, Schedule } from './schedule';
import { type Setting, suspiciousRules } from './setting';
import { holds } from './violation';
import { Watch } from './watch';
import { type NodeName, Wires } from './wires';

/** What to do beside simulating. */
export interface Options {
  /** Freeze what must not be changed, and save and restore every record at every step: slower by far. */
  meticulous: boolean;
  /** Other time than virtual time. */
  clock?: VirtualClock;
  /** Sees every message that leaves a node, and every deed, when it happens. */
  see?: (now: number, at: NodeName | 'fate', what: Message | Deed) => void;
}

/** Nothing may go on for longer after the end. */
const longestEndMs = 24 * 3_600_000;
/** Whoever makes so many steps in one schedule is in a loop. */
const mostSteps = 100_000;

/** One conference, from a schedule. */
export class World {
  readonly clock: VirtualClock;
  readonly setting: Setting;
  readonly meticulous: boolean;
  readonly operations = new Operations();
  /** Another one after each restart. */
  endpoint: Endpoint;
  readonly wires: Wires;
  readonly watch: Watch;
  readonly session: SessionPart;
  readonly mcus: readonly McuPart[];
  /** How much later than its limit giving up may be seen: late messages on the way there and back, and late deadlines. */
  readonly slackMs: number;
  /** Steps of all machines so far. */
  steps = 0;
  private readonly chance: Chance;
  private readonly pool: Pool;
  private readonly port: RoughPort;
  private readonly nodes: { readonly [name in NodeName]: SessionPart | McuPart | AnyPolicy };
  private readonly healer: PolicyPart<RouteHealerState, Setting['healer']>;
  private readonly giveUp: PolicyPart<GiveUpTimerState, Setting['giveUp']>;
  private readonly policies: readonly AnyPolicy[];
  private readonly awaitingPhase: Action[] = [];
  private depth = 0;
  /** Nothing is done to the conference any more. */
  private over = false;
  /** Begins the next process; null while one is running. */
  private begin: (() => void) | null = null;
  private phase = 'Idle';

  constructor(
    private readonly schedule: Schedule,
    private readonly options: Options,
  ) {
    const { setting } = schedule;
    this.setting = setting;
    this.clock = options.clock ?? new VirtualClock();
    this.meticulous = options.meticulous;
    this.chance = new Chance(schedule.seed ^ 0x5bd1e995);
    this.pool = new Pool(setting.pool, this.clock);
    const identity = { uri: 'sip:node-red@pool.example', displayName: 'Node-RED' };
    this.port = new RoughPort(this.pool.port(identity), this.clock, setting.silentOnMcus);
    this.endpoint = new Endpoint(this.port, this.pool, this.clock, 0);
    const { signalsWired } = setting.session;
    const wiring = { everythingWired: setting.everythingWired, signalsWired };
    this.wires = new Wires(this.clock, this.chance, wiring, (to, message) => this.nodes[to].receive(message));
    this.watch = new Watch(this);
    this.session = new SessionPart(this);
    const audioVideo = new McuPart(this, 'audio-video');
    const chat = new McuPart(this, 'chat');
    this.mcus = [audioVideo, chat];
    const detector = new PolicyPart(this, 'detector', failoverDetector, setting.detector);
    this.healer = new PolicyPart(this, 'healer', routeHealer, setting.healer);
    this.giveUp = new PolicyPart(this, 'give-up', giveUpTimer, setting.giveUp);
    const { healer, giveUp } = this;
    this.policies = [detector, healer, giveUp];
    this.nodes = { session: this.session, 'audio-video': audioVideo, chat, detector, healer, 'give-up': giveUp };
    this.slackMs = slackOf(schedule);
  }

  /** Plays the schedule, to the end and beyond. Throws a Violation, or whatever a machine throws. */
  play(): void {
    const { schedule, clock } = this;
    this.endpoint.register(this.session);
    for (const mcu of this.mcus) this.endpoint.registerMcu(mcu);
    this.session.announce();
    let lastMs = 0;
    for (const action of schedule.actions) {
      if ('phase' in action.when) {
        this.awaitingPhase.push(action);
        continue;
      }
      const atMs = Math.max(0, action.when.atMs);
      lastMs = Math.max(lastMs, atMs);
      clock.after(atMs, () => this.act(action.deed));
    }
    this.pass(lastMs + schedule.tailMs);
    if (schedule.calm) this.calmDown();
    this.end();
  }

  /** Is there no process at present? */
  get down(): boolean {
    return this.begin !== null;
  }

  // -------------------------------------------------------------------------------------------------------- what parts need

  /** The present, for a step. */
  moment(): Moment {
    return { now: this.clock.now(), random: this.chance.fraction() };
  }

  /** How late the next deadline will be. */
  lateness(): number {
    const { latenessMs } = this.setting;
    return latenessMs === 0 ? 0 : this.chance.whole(0, latenessMs);
  }

  stepBegins(): void {
    this.steps += 1;
    this.depth += 1;
    if (this.steps > mostSteps) throw new Error(`a loop: more than ${mostSteps} steps`);
  }

  stepEnds(): void {
    this.depth -= 1;
    if (this.depth > 0) return;
    this.watch.settled();
    const { phase } = this.session.state;
    if (phase === this.phase) return;
    this.phase = phase;
    this.phaseEntered();
  }

  /** A message leaves a node; `asking` is the request that this very step answers. */
  leaves(at: NodeName, message: Message, asking: string | null): void {
    this.options.see?.(this.clock.now(), at, message);
    this.watch.said(at, message);
    this.operations.said(at, message, asking);
    this.wires.send(at, message);
  }

  // ----------------------------------------------------------------------------------------------------------------- deeds

  /** What was to happen in this phase is arranged; in a later visit of it, it does not happen again. */
  private phaseEntered(): void {
    for (let index = this.awaitingPhase.length - 1; index >= 0; index -= 1) {
      const { when, deed } = this.awaitingPhase[index] as Action;
      if (!('phase' in when) || when.phase !== this.phase) continue;
      this.awaitingPhase.splice(index, 1);
      this.clock.after(when.afterMs, () => this.act(deed));
    }
  }

  private act(deed: Deed): void {
    if (this.over) return;
    this.options.see?.(this.clock.now(), 'fate', deed);
    switch (deed.deed) {
      case 'restart':
        if (!this.down) this.restart(deed.downMs);
        return;
      case 'ask':
        if (this.down) return;
        if (deed.request.command === 'extend' && ['armed', 'paused'].includes(this.giveUp.state.phase))
          this.watch.extended(deed.request.byMs as number);
        return this.nodes[deed.of].ask(deed.request);
      case 'fault':
        this.pool.inject(deed.fault, conference);
        return;
      case 'happen':
        if (!this.down) this.port.happen(conference, deed.occurrence);
        return;
      case 'roughen':
        return this.port.roughen(deed.roughness);
      case 'disturb':
        return this.wires.disturb(deed.disturbance);
      case 'replace': {
        if (this.down) return;
        const node = this.nodes[deed.node] as McuPart | AnyPolicy;
        node.replace();
        return this.session.announce();
      }
      case 'announce':
        if (!this.down) this.session.announce();
        return;
    }
  }

  /** The process is killed; the next one has what was saved of the last steps, and nothing that was under way. */
  private restart(downMs: number): void {
    const { clock, nodes, port, wires, mcus, session } = this;
    const signaling = JSON.parse(JSON.stringify(port.saved(conference)));
    for (const node of Object.values(nodes)) node.stop();
    port.abandon(conference);
    wires.empty();
    const callOff = clock.after(downMs, () => this.begin?.());
    this.begin = () => {
      callOff();
      this.begin = null;
      this.endpoint = new Endpoint(port, this.pool, this.clock, 0);
      for (const mcu of mcus) this.endpoint.registerMcu(mcu);
      this.endpoint.register(session);
      for (const node of Object.values(nodes)) node.goOn();
      const restarts = [() => session.restart(signaling), ...mcus.map((mcu) => () => mcu.restart())];
      for (const restart of this.chance.happens(0.5) ? restarts : restarts.reverse()) restart();
    };
  }

  // ------------------------------------------------------------------------------------------------------------------- time

  private pass(ms: number): void {
    const { clock } = this;
    const until = clock.now() + ms;
    while (clock.runNext(until)) this.watch.timePassed();
    clock.advance(until - clock.now());
    this.watch.timePassed();
  }

  /** Everything works again, and nobody does anything. */
  private restore(): void {
    const { pool, wires, port } = this;
    this.over = true;
    this.begin?.();
    wires.repair();
    port.smooth();
    pool.inject({ command: 'restore-hop' }, conference);
    while (pool.inject({ command: 'restore-front-end' }, conference).ok);
  }

  /** Everything works again, and there is time to recover. */
  private calmDown(): void {
    const { detector, healer, pool } = this.setting;
    this.restore();
    const healingMs = healer.backOff > 1 ? Math.max(healer.periodMs, healer.maximumPeriodMs) : healer.periodMs;
    this.pass(60_000 + this.slackMs + pool.failoverMs + detector.failoverWindowMs + 2.5 * healingMs);
    if (this.wires.lossy || this.wires.verdictsSwapped || this.healer.state.phase === 'abandoned' || this.isImpatient())
      return;
    const { phase } = this.session.state;
    const recovering = phase === 'Recovering' || phase === 'AwaitingFailover' || phase === 'Rejoining';
    holds(!recovering, 'recovery', () => `the session is still ${phase}`);
  }

  /** Is somebody not willing to wait for answers as long as they take? Then even a good route may seem to be broken. */
  private isImpatient(): boolean {
    const { session, healer, pool, latenessMs } = this.setting;
    const slowestMs = 2 * (pool.latencyMs + pool.jitterMs) + latenessMs;
    return Math.min(session.repairTimeoutMs, healer.attemptTimeoutMs) <= slowestMs;
  }

  /** May our BYE have been lost, or not have been sent since the Focus was thought to be dead? */
  private mayBeForgotten(): boolean {
    if (this.isImpatient() || this.setting.detector.rules === suspiciousRules) return true;
    return this.schedule.actions.some(
      ({ deed }) =>
        deed.deed === 'happen' ||
        deed.deed === 'roughen' ||
        deed.deed === 'restart' ||
        (deed.deed === 'fault' && deed.fault.command === 'break-hop'),
    );
  }

  /** Leaves, and waits until nothing moves any more. */
  private end(): void {
    const { clock, session, mcus, policies, wires, operations, watch } = this;
    this.awaitingPhase.length = 0;
    this.restore();
    session.ask({ command: 'terminate' });
    const limit = clock.now() + longestEndMs;
    while (clock.runNext(limit)) watch.timePassed();
    operations.end();
    watch.end();
    const { phase, operations: pending, joining, terminating } = session.state;
    holds(phase === 'Idle' || phase === 'Disconnected', 9, () => `the session is ${phase}`);
    holds(Object.keys(pending).length === 0 && session.state.pending === 0, 9, () => 'operations are pending');
    holds(joining === null && terminating.length === 0, 9, () => 'a join or terminate is pending');
    for (const { state } of mcus) {
      const over = state.call === null || state.call.state === 'Terminated';
      const gone = state.phase === 'Unbound' || state.phase === 'Terminated';
      holds(gone && over && state.queue.length === 0, 9, () => `the ${state.mcu} session is ${state.phase}`);
    }
    const { dialog } = this.pool.status(conference);
    holds(dialog === null || this.mayBeForgotten(), 9, () => `the Focus still has dialog ${dialog} with us`);
    if (wires.lossy) return;
    holds(clock.pending === 0, 9, () => `${clock.pending} timers are left`);
    for (const policy of policies) holds(policy.idle, 9, () => `the ${policy.name} is not idle`);
  }
}

type AnyPolicy =
  | PolicyPart<FailoverDetectorState, Setting['detector']>
  | PolicyPart<RouteHealerState, Setting['healer']>
  | PolicyPart<GiveUpTimerState, Setting['giveUp']>;

function slackOf({ actions, setting }: Schedule): number {
  let slackMs = 2 * setting.latenessMs + 1;
  for (const { deed } of actions) {
    if (deed.deed === 'disturb') slackMs += 2 * deed.disturbance.byMs;
    if (deed.deed === 'restart') slackMs += deed.downMs;
  }
  return slackMs;
}
