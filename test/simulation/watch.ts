/** Watches every step of every machine, and checks the invariants that are about the course of a recovery. */
import type {
  ConferenceSessionEffect,
  ConferenceSessionInput,
  ConferenceSessionState,
} from '../../nodes/recovery/conference-session';
import type { GiveUpTimerState } from '../../nodes/recovery/give-up-timer';
import type { McuSessionEffect, McuSessionInput, McuSessionState } from '../../nodes/recovery/mcu-session';
import type { CallReason, Fact } from '../../nodes/recovery/messages';
import type { PolicyState } from '../../nodes/recovery/policy';
import type { SignalingEffect } from '../../nodes/recovery/signaling';
import type { Message, Step } from '../../nodes/recovery/step';
import { Incidents } from './incidents';
import { Rosters } from './rosters';
import { holds } from './violation';
import type { NodeName } from './wires';
import type { World } from './world';

type Phase = ConferenceSessionState['phase'];

/** What kind of input it is, as the tables have it. */
function kindOf(input: ConferenceSessionInput | McuSessionInput): string {
  if ('event' in input) return input.event;
  if (input.input !== 'deadline') return input.input;
  return input.deadline.split(':', 1)[0] as string;
}

/** What may end a call, by the reason that is given for it. */
const callEndings: { readonly [reason in CallReason]?: readonly string[] } = {
  TerminatedByMcuFailover: ['verdict'],
  ConferenceTerminated: ['terminated', 'joined', 'report'],
  HungUp: ['operation', 'call-ended', 'restarted'],
  RemoteHungUp: ['call-ended'],
  MediaEnded: ['call-ended'],
  Failed: ['call-failed', 'restarted'],
};

/** What may lead out of the healing of a route. */
const waysOutOfHealing = ['route-healthy', 'focus-failed', 'terminate', 'ended', 'lobby-timeout', 'route-abandoned'];

/** What may still leave after the end of a session: late completions (ORD-3). */
const posthumous: readonly Fact['event'][] = ['operation-completed', 'operation-failed', 'session-status'];

/** Time in Reconnecting, as far as the give-up timer has to answer for it. */
interface Outage {
  countedFrom: number;
  /** When the user paused the timer; null while it runs. */
  pausedAt: number | null;
  /** What was added to its limit. */
  extendedMs: number;
  /** The user called the timer off for this outage. */
  cancelled: boolean;
}

/** Watches one schedule. */
export class Watch {
  private readonly rosters = new Rosters();
  private readonly incidents = new Incidents();
  private readonly seqs = new Map<NodeName, number>();
  private readonly failingMcus = new Set<string>();
  /** The machine whose step started what is going on: MCU verdicts may not reach beyond their MCU. */
  private verdictFor: string | null = null;
  private rejoins = 0;
  /** A healing request of this dialog was answered, or the far end healed it, since its route was last in question. */
  private healed = false;
  private ended = true;
  private outage: Outage | null = null;

  constructor(private readonly world: World) {}

  // ----------------------------------------------------------------------------------------------------------- the session

  /** The conference session has made a step. */
  sessionStepped(
    before: ConferenceSessionState,
    input: ConferenceSessionInput,
    { state, messages }: Step<ConferenceSessionState, ConferenceSessionEffect>,
  ): void {
    const kind = kindOf(input);
    if (kind === 'outcome' || kind === 'remote-update') this.noteHealing(before, input);
    this.rosters.sessionStepped(before, state, messages);
    if (before.phase === state.phase) return;
    holds(this.verdictFor === null, 3, () => `a verdict on ${this.verdictFor} moved the session to ${state.phase}`);
    if (before.phase === 'Rejoining') this.rejoiningLeft(before, kind, state.phase);
    if (before.phase === 'Recovering') this.healingLeft(kind, state.phase);
    if (!isRejoining(state.phase)) this.rejoins = 0;
    if (isReconnecting(before.phase) !== isReconnecting(state.phase)) {
      const countedFrom = this.world.clock.now();
      this.outage = isReconnecting(before.phase)
        ? null
        : { countedFrom, pausedAt: null, extendedMs: 0, cancelled: false };
    }
  }

  /** The session asks the conferencing system for something. */
  performed(effect: SignalingEffect): void {
    if (effect.effect !== 'join' || !effect.rejoin) return;
    this.rejoins += 1;
    holds(this.rejoins === 1, 2, () => `re-join ${this.rejoins} of the same failover`);
  }

  private noteHealing({ dialog }: ConferenceSessionState, input: ConferenceSessionInput): void {
    if (!('event' in input) || !('dialog' in input) || input.dialog !== dialog) return;
    const answered = input.event === 'outcome' && input.purpose === 'heal' && input.outcome.kind === 'ok';
    if (answered || input.event === 'remote-update') this.healed = true;
  }

  private rejoiningLeft({ joining }: ConferenceSessionState, kind: string, to: Phase): void {
    if (kind !== 'join-failed' && kind !== 'join-timeout') return;
    const end: Phase = joining ? 'Idle' : 'Disconnected';
    holds(to === end, 2, () => `after ${kind} of the re-join the session is ${to}`);
  }

  private healingLeft(kind: string, to: Phase): void {
    holds(waysOutOfHealing.includes(kind), 5, () => `${kind} leads to ${to}`);
    if (kind === 'route-healthy') holds(this.healed, 5, () => 'nobody has healed the route');
    if (kind === 'route-abandoned') {
      const { mode } = this.world.setting.healer;
      holds(mode === 'LimitedRetry', 5, () => `abandoned in ${mode}`);
    }
  }

  // -------------------------------------------------------------------------------------------------------------- the MCUs

  /** An MCU session has made a step. */
  mcuStepped(
    before: McuSessionState,
    input: McuSessionInput,
    { state, messages }: Step<McuSessionState, McuSessionEffect>,
  ): void {
    const kind = kindOf(input);
    if (kind === 'verdict') this.verdictFor = state.mcu;
    for (const message of messages) {
      if (!('event' in message) || message.event !== 'call-state-changed' || message.state !== 'Terminated') continue;
      const { reason } = message;
      const invariant = kind === 'verdict' ? 3 : 1;
      holds(callEndings[reason]?.includes(kind) === true, invariant, () => `${kind} ends a call as ${reason}`);
      if (kind === 'verdict') {
        holds(this.failingMcus.has(state.mcu), 3, () => `the call of ${state.mcu}, which never failed over, was ended`);
      }
    }
    if (this.verdictFor !== null && this.verdictFor !== state.mcu) {
      holds(before.phase === state.phase, 3, () => `a verdict on ${this.verdictFor} moved ${state.mcu}`);
    }
    this.rosters.mcuStepped(before, state, messages);
  }

  /** The node of an MCU session has come again. */
  mcuReplaced(mcu: NodeName): void {
    this.rosters.forgetMcu(mcu);
    this.incidents.forget(mcu);
  }

  // ---------------------------------------------------------------------------------------------------------- the policies

  /** A policy has made a step. */
  policyStepped(name: NodeName, before: PolicyState, after: PolicyState): void {
    const { outage } = this;
    if (name !== 'give-up' || !outage) return;
    const { phase: was } = before as GiveUpTimerState;
    const { phase: is } = after as GiveUpTimerState;
    const now = this.world.clock.now();
    if (is === 'cancelled' && was !== 'cancelled') outage.cancelled = true;
    if (is === 'paused') outage.pausedAt ??= now;
    else if (outage.pausedAt !== null) {
      outage.extendedMs += now - outage.pausedAt;
      outage.pausedAt = null;
    }
  }

  /** The node of a policy has come again; a give-up timer begins to count anew. */
  policyReplaced(name: NodeName): void {
    this.incidents.forget(name);
    if (name !== 'give-up' || !this.outage) return;
    this.outage = { countedFrom: this.world.clock.now(), pausedAt: null, extendedMs: 0, cancelled: false };
  }

  /** The user gives the give-up timer more time. */
  extended(byMs: number): void {
    if (this.outage) this.outage.extendedMs += byMs;
  }

  // -------------------------------------------------------------------------------------------------------------- messages

  /** A message leaves a node. */
  said(at: NodeName, message: Message): void {
    if (!('event' in message)) return;
    const { seq, event } = message;
    const latest = this.seqs.get(at) ?? 0;
    holds(seq > latest, 8, () => `${at} says ${event} as ${seq} after ${latest}`);
    this.seqs.set(at, seq);
    this.incidents.said(at, message);
    if (at === 'session' || at === 'audio-video' || at === 'chat') {
      if (event === 'state-changed' && message.source === 'conference-session')
        this.ended = message.state === 'Disconnected';
      else holds(!this.ended || posthumous.includes(event), 8, () => `${event} of ${at} after Disconnected`);
      if (event === 'signal' && message.report === 'failing-over') this.failingMcus.add(message.mcu as string);
    } else if (event === 'failover-detected' && message.level === 'hop' && message.phase === 'failed') {
      // What was healed a moment ago, and told in this outage, counts for it.
      if (!isReconnecting(this.world.session.state.phase)) this.healed = false;
    }
  }

  /** A step and all that it has caused is done. */
  settled(): void {
    this.verdictFor = null;
    const { session, mcus } = this.world;
    const { phase, pending } = session.state;
    if (isRejoining(phase)) {
      for (const { state } of mcus) holds(state.phase !== 'Active', 1, () => `${state.mcu} is Active while ${phase}`);
      holds(pending === 0, 1, () => `${pending} operations are pending while ${phase}`);
    }
  }

  /** Time has passed. */
  timePassed(): void {
    const { outage, world } = this;
    const { giveUpAfterMs } = world.setting.giveUp;
    if (!outage || outage.cancelled || outage.pausedAt !== null || giveUpAfterMs === 0 || world.wires.lossy) return;
    if (world.down) return;
    const lastedMs = world.clock.now() - outage.countedFrom - outage.extendedMs;
    const allowedMs = giveUpAfterMs + world.slackMs;
    holds(lastedMs <= allowedMs, 6, () => `${lastedMs} ms in Reconnecting, of ${allowedMs} allowed`);
  }

  /** Everything is over. */
  end(): void {
    if (!this.world.wires.lossy) this.incidents.end();
  }
}

function isRejoining(phase: Phase): boolean {
  return phase === 'AwaitingFailover' || phase === 'Rejoining';
}

function isReconnecting(phase: Phase): boolean {
  return phase === 'Recovering' || isRejoining(phase);
}
