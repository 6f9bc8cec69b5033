/**
 * What stands behind a conference-endpoint: the signaling port, and who serves which conference. Conference session and
 * MCU sessions of one conference meet here; nobody else knows both.
 */
import { setImmediate as turn } from 'node:timers/promises';
import type { McuSessionInput, McuSessionState } from '../recovery/mcu-session';
import type { JsonObject } from '../recovery/messages';
import type { SignalingEffect, SignalingEvent } from '../recovery/signaling';
import { Pacer } from './pacer';
import type { Pool } from './pool/pool';
import type { Clock, SignalingPort } from './port';

type TextOutcome = Extract<SignalingEvent, { event: 'outcome' }>;

/** How a text ends whose answer nobody can hear any more. */
const detached: Omit<TextOutcome, 'requestId'> = {
  event: 'outcome',
  dialog: 0,
  purpose: 'operation',
  method: 'MESSAGE',
  outcome: { kind: 'unreachable', cause: 'transport', written: true, message: 'The conference session has ended.' },
  elapsedMs: 0,
};

/** A conference-session node, as the endpoint sees it. */
export interface SessionHolder {
  hear(conference: string, event: SignalingEvent): void;
  /** Name of a conference in topics. */
  nameOf(conference: string): string;
  /** The endpoint does not work, and has said why in the log. */
  endpointFailed(): void;
  /** An MCU session has come late and wants to know how things are. */
  introduce(mcu: McuHolder): void;
  /** What the port knows of a conference (null: of all of them) is not what it was. */
  signalingChanged(conference: string | null): void;
  /** Another port has taken up all conferences: dialogs and calls are to be resumed. */
  portRenewed(): void;
  /** An MCU session's operation, to be sent through the Focus. */
  proxy(
    conference: string,
    mcu: string,
    operation: string,
    operationId: string,
    given: { [name: string]: unknown },
  ): void;
}

/** An mcu-session node, as the endpoint sees it. */
export interface McuHolder {
  readonly mcu: string;
  /** The only conference that it serves, or '' for any. */
  readonly conference: string;
  /** The endpoint does not work, and has said why in the log. */
  endpointFailed(): void;
  tell(conference: string, input: McuSessionInput): void;
  /** Its state in a conference, for a snapshot. */
  stateOf(conference: string): McuSessionState | undefined;
}

/** One endpoint: who we are on one conferencing system. */
export class Endpoint {
  private readonly sessions = new Map<string, SessionHolder>();
  private readonly holders = new Set<SessionHolder>();
  private readonly mcus = new Set<McuHolder>();
  /** Texts under way, by request. */
  private readonly texts = new Map<string, { sender: McuHolder; conference: string }>();

  private failed = false;
  /** What all conferences share has been restored. */
  private systemRestored = false;

  /** When re-joins and healing requests leave; a conference that is given up has no turn any more. */
  readonly recoveries: Pacer;
  /** The same for probes of Focuses that fail over: apart, so that a re-join does not wait for what others ask. */
  readonly probes: Pacer;

  /** `pool` is set where the port is that of an embedded pool. */
  constructor(
    /** Another one after `renew`. */
    public port: SignalingPort,
    public pool: Pool | null,
    clock: Clock,
    recoveryRate: number,
  ) {
    this.recoveries = new Pacer(clock, recoveryRate);
    this.probes = new Pacer(clock, recoveryRate);
    this.watch();
  }

  /** So many recoveries per second from now on, and as many probes; 0: as they come. */
  changeRecoveryRate(rate: number): void {
    this.recoveries.changeRate(rate);
    this.probes.changeRate(rate);
  }

  /** Says goodbye everywhere, and closes the port. */
  close(): Promise<void> {
    return this.port.close();
  }

  /**
   * Uses another port from now on, that of an endpoint with other settings: it takes up all conferences, and the nodes go on
   * without noticing more than that their dialogs are resumed. What it cannot go on with, because we are somebody else now
   * or it is another system, is left.
   */
  async renew(port: SignalingPort, pool: Pool | null): Promise<void> {
    const { port: old } = this;
    const system = old.savedSystem();
    Object.assign(this, { port, pool, failed: false });
    this.watch();
    if (system) port.restoreSystem(system);
    let saysGoodbye = false;
    for (const conference of this.sessions.keys()) {
      const saved = old.saved(conference);
      if (this.attach(conference, saved) || !saved) continue;
      old.detach(conference);
      saysGoodbye = true;
    }
    for (const holder of this.holders) holder.portRenewed();
    // A BYE leaves in this turn, and nobody waits for its answer.
    if (saysGoodbye) await turn();
    await old.release();
  }

  private watch(): void {
    this.port.watch((conference) => {
      if (conference !== null) this.sessions.get(conference)?.signalingChanged(conference);
      else for (const holder of this.holders) holder.signalingChanged(null);
    });
  }

  /** False when what was saved could not be taken up. */
  private attach(conference: string, saved: JsonObject | null): boolean {
    this.port.attach(conference, (event) => this.route(conference, event));
    return saved !== null && this.port.restore(conference, saved);
  }

  /** Something that the endpoint was to do beside serving sessions cannot be: they are told, those to come as well. */
  fail(): void {
    this.failed = true;
    for (const node of [...this.holders, ...this.mcus]) node.endpointFailed();
  }

  /** A session node has come, or goes. */
  register(session: SessionHolder): void {
    this.holders.add(session);
    if (this.failed) session.endpointFailed();
  }

  unregister(session: SessionHolder): void {
    this.holders.delete(session);
    for (const [conference, holder] of this.sessions) if (holder === session) this.release(conference, session);
  }

  /** A session node takes the place of another one: it serves what that one served. */
  replace(session: SessionHolder, heir: SessionHolder): void {
    this.holders.delete(session);
    this.register(heir);
    for (const [conference, holder] of this.sessions) if (holder === session) this.sessions.set(conference, heir);
  }

  /** A session node goes, and will be back after a restart: nothing is said to the far end. */
  letGo(session: SessionHolder): void {
    for (const [conference, holder] of this.sessions) if (holder === session) this.port.abandon(conference);
    this.unregister(session);
  }

  /** Makes a node the only one that serves a conference; false when another one does. */
  claim(conference: string, session: SessionHolder): boolean {
    const holder = this.sessions.get(conference);
    if (holder) return holder === session;
    this.sessions.set(conference, session);
    this.attach(conference, null);
    return true;
  }

  /** Claims a conference, and goes on with what the port of another process, or of another endpoint, has saved of it. */
  takeUp(conference: string, session: SessionHolder, saved: JsonObject | null): boolean {
    if (!this.claim(conference, session)) return false;
    if (saved) this.port.restore(conference, saved);
    return true;
  }

  /** Gives a conference up without a word to the far end: somebody else has taken it over. */
  abandon(conference: string, session: SessionHolder): void {
    if (this.sessions.get(conference) !== session) return;
    this.port.abandon(conference);
    this.release(conference, session);
  }

  /** What the port knows of a conference, and of what all share (see `SignalingPort`). */
  saved(conference: string): JsonObject | null {
    return this.port.saved(conference);
  }

  savedSystem(): JsonObject | null {
    return this.port.savedSystem();
  }

  /** Several session nodes may have kept it; what happened while nothing ran, happened to all alike. */
  restoreSystem(saved: JsonObject): void {
    if (!this.systemRestored) this.port.restoreSystem(saved);
    this.systemRestored = true;
  }

  /** The state of each MCU session of a conference, by MCU. */
  mcuStates(conference: string): { [mcu: string]: McuSessionState } {
    const states: { [mcu: string]: McuSessionState } = {};
    for (const mcu of this.mcus) {
      const state = this.serves(mcu, conference) ? mcu.stateOf(conference) : undefined;
      if (state) states[mcu.mcu] = state;
    }
    return states;
  }

  /** The name in topics that the session of a conference uses; undefined when nobody serves it. */
  nameOf(conference: string): string | undefined {
    return this.sessions.get(conference)?.nameOf(conference);
  }

  /** Gives a conference up, and whatever is open of it. */
  release(conference: string, session: SessionHolder): void {
    if (this.sessions.get(conference) !== session) return;
    this.sessions.delete(conference);
    this.recoveries.cancel(conference);
    this.probes.cancel(conference);
    this.port.detach(conference);
    for (const [requestId, text] of this.texts)
      if (text.conference === conference) this.answerText(requestId, detached);
  }

  /** An mcu-session node has come; false when there is one for the same MCU and conference. */
  registerMcu(mcu: McuHolder): boolean {
    for (const other of this.mcus) if (other.mcu === mcu.mcu && other.conference === mcu.conference) return false;
    this.mcus.add(mcu);
    if (this.failed) mcu.endpointFailed();
    for (const holder of this.holders) holder.introduce(mcu);
    return true;
  }

  /** An mcu-session node takes the place of another one of the same MCU; false when it must not, for its conference. */
  replaceMcu(mcu: McuHolder, heir: McuHolder): boolean {
    if (!this.mcus.delete(mcu)) return false;
    for (const text of this.texts.values()) if (text.sender === mcu) text.sender = heir;
    for (const other of this.mcus) if (other.mcu === heir.mcu && other.conference === heir.conference) return false;
    this.mcus.add(heir);
    if (this.failed) heir.endpointFailed();
    return true;
  }

  unregisterMcu(mcu: McuHolder): void {
    this.mcus.delete(mcu);
    for (const [requestId, { sender }] of this.texts) if (sender === mcu) this.texts.delete(requestId);
  }

  /** Tells one MCU session of a conference, or all (null), something. */
  tellMcu(conference: string, name: string | null, input: McuSessionInput): void {
    for (const mcu of this.mcus) {
      if ((name === null || mcu.mcu === name) && this.serves(mcu, conference)) mcu.tell(conference, input);
    }
  }

  /** Is this the node for its MCU of a conference? One for just this conference goes before one for any. */
  serves(mcu: McuHolder, conference: string): boolean {
    if (!this.mcus.has(mcu)) return false;
    if (mcu.conference !== '') return mcu.conference === conference;
    for (const other of this.mcus) if (other.mcu === mcu.mcu && other.conference === conference) return false;
    return true;
  }

  /** Hands an MCU session's operation to the conference session; false when there is none. */
  proxy(
    conference: string,
    mcu: string,
    operation: string,
    operationId: string,
    given: { [name: string]: unknown },
  ): boolean {
    const session = this.sessions.get(conference);
    session?.proxy(conference, mcu, operation, operationId, given);
    return session !== undefined;
  }

  /** Carries out an effect of the model. */
  perform(conference: string, effect: SignalingEffect, sender: McuHolder | null = null): void {
    if (effect.effect === 'send-text' && sender) this.texts.set(effect.requestId, { sender, conference });
    this.port.perform(conference, effect);
  }

  private route(conference: string, event: SignalingEvent): void {
    switch (event.event) {
      case 'call-accepted':
      case 'call-failed':
      case 'call-ended':
      case 'text':
        return this.tellMcu(conference, event.mcu, event);
      case 'media':
        // To the call it is news, to the conference evidence.
        this.tellMcu(conference, event.mcu, event);
        break;
      case 'outcome':
        if (this.answerText(event.requestId, event)) return;
    }
    this.sessions.get(conference)?.hear(conference, event);
  }

  /** Tells whoever sent a text how it ended; false when there is no such text. */
  private answerText(requestId: string, outcome: Omit<TextOutcome, 'requestId'>): boolean {
    const text = this.texts.get(requestId);
    if (!text) return false;
    this.texts.delete(requestId);
    text.sender.tell(text.conference, { ...outcome, requestId });
    return true;
  }
}
