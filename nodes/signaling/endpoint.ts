/**
 * What stands behind a conference-endpoint: the signaling port, and who serves which conference. Conference session and
 * MCU sessions of one conference meet here; nobody else knows both.
 */
import type { McuSessionInput } from '../recovery/mcu-session';
import type { SignalingEffect, SignalingEvent } from '../recovery/signaling';
import type { Pool } from './pool/pool';
import type { SignalingPort } from './port';

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
}

/** One endpoint: who we are on one conferencing system. */
export class Endpoint {
  private readonly sessions = new Map<string, SessionHolder>();
  private readonly holders = new Set<SessionHolder>();
  private readonly mcus = new Set<McuHolder>();
  /** Texts under way, by request. */
  private readonly texts = new Map<string, { sender: McuHolder; conference: string }>();

  private failed = false;

  /** `pool` is set where the port is that of an embedded pool. */
  constructor(
    readonly port: SignalingPort,
    readonly pool: Pool | null,
  ) {}

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

  /** Makes a node the only one that serves a conference; false when another one does. */
  claim(conference: string, session: SessionHolder): boolean {
    const holder = this.sessions.get(conference);
    if (holder) return holder === session;
    this.sessions.set(conference, session);
    this.port.attach(conference, (event) => this.route(conference, event));
    return true;
  }

  /** The name in topics that the session of a conference uses; undefined when nobody serves it. */
  nameOf(conference: string): string | undefined {
    return this.sessions.get(conference)?.nameOf(conference);
  }

  /** Gives a conference up, and whatever is open of it. */
  release(conference: string, session: SessionHolder): void {
    if (this.sessions.get(conference) !== session) return;
    this.sessions.delete(conference);
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
