/** Conference sessions in any state, and what they hear. */
import {
  type ConferenceSessionEffect,
  type ConferenceSessionInput,
  type ConferenceSessionSettings,
  type ConferenceSessionState,
  conferenceSession,
  conferenceSessionDefaults,
} from '../../nodes/recovery/conference-session';
import type { JsonObject } from '../../nodes/recovery/messages';
import type { ConferenceDocument, DocumentUser, Outcome, SignalingEvent } from '../../nodes/recovery/signaling';
import { CONFERENCE, Driver, only } from '../support/driver';

export type Session = Driver<ConferenceSessionState, ConferenceSessionInput, ConferenceSessionEffect>;

// ----------------------------------------------------------------------------------------------------- what it hears

export function user(name: string, extra: Partial<DocumentUser> = {}): DocumentUser {
  const media = [{ id: '1', type: 'audio', status: 'sendrecv' }];
  return {
    entity: `sip:${name}@pool.example`,
    roles: ['attendee'],
    state: 'full',
    endpoints: [{ entity: `${name}-1`, status: 'connected', media, state: 'full' }],
    ...extra,
  };
}

export function full(version: number, ...users: DocumentUser[]): ConferenceDocument {
  return { state: 'full', version, users };
}

export function joined(dialog: number, document: ConferenceDocument | null = full(1, user('ada'), user('grace'))) {
  return { event: 'joined', dialog, placement: 'conference', document, mcus: { 'audio-video': 'active' } } as const;
}

export function inLobby(dialog: number) {
  return { event: 'joined', dialog, placement: 'lobby', document: null, mcus: {} } as const;
}

export function admitted(dialog: number) {
  return { ...joined(dialog), event: 'admitted' } as const;
}

export function refused(status: number, extra: JsonObject = {}): Exclude<Outcome, { kind: 'ok' }> {
  return { kind: 'refused', status, response: { status, reason: 'No', headers: {}, body: '' }, ...extra };
}

export const ok: Outcome = { kind: 'ok', status: 200 };
export const unreachable: Outcome = { kind: 'unreachable', cause: 'transport', written: false, message: 'lost' };
export const silence: Outcome = { kind: 'unreachable', cause: 'timeout', written: true, message: 'no answer' };

export function outcome(
  requestId: string,
  result: Outcome,
  members: Partial<Extract<SignalingEvent, { event: 'outcome' }>> = {},
): ConferenceSessionInput {
  const common = { event: 'outcome', dialog: 1, purpose: 'operation', method: 'INFO', elapsedMs: 5 } as const;
  return { ...common, requestId, outcome: result, ...members };
}

export const focusFailed = (dialog = 1) => ({ input: 'focus-failed', dialog, incident: 'outage-1' }) as const;
export const failedOver = (dialog = 1) => ({ input: 'focus-failed-over', dialog, incident: 'outage-1' }) as const;
export const routeLost = (recoveryMode: 'MaximumRetry' | 'LimitedRetry' = 'MaximumRetry') =>
  ({ input: 'route-recovering', dialog: 1, incident: 'outage-2', recoveryMode, attempts: 1 }) as const;
export const routeHealthy = { input: 'route-healthy', dialog: 1 } as const;
export const join = { input: 'join', operationId: 'join-1', arguments: { displayName: 'Recorder' } } as const;
export const terminate = { input: 'terminate', operationId: 'terminate-1' } as const;
export const left = (dialog = 1) => ({ event: 'left', dialog }) as const;

export function operation(operationId: string, name = 'lock', given: JsonObject = {}): ConferenceSessionInput {
  return { input: 'operation', operation: name, operationId, arguments: given };
}

// ------------------------------------------------------------------------------------------------------- how it is

export function newSession(settings: Partial<ConferenceSessionSettings> = {}): Session {
  const all = { ...conferenceSessionDefaults, heartbeatMs: 0, owner: 'us', ...settings };
  return new Driver<ConferenceSessionState, ConferenceSessionInput, ConferenceSessionEffect>(
    conferenceSession.start(CONFERENCE),
    (state, input, moment) => conferenceSession.step(state, input, moment, all),
    (deadline) => ({ input: 'deadline', deadline }),
  );
}

function after(session: Session, ...inputs: ConferenceSessionInput[]): Session {
  for (const input of inputs) session.give(input);
  return session;
}

type Settings = Partial<ConferenceSessionSettings>;

export const connecting = (settings: Settings = {}) => after(newSession(settings), join);
export const lobbied = (settings: Settings = {}) => after(connecting(settings), inLobby(1));
export const connected = (settings: Settings = {}) => after(connecting(settings), joined(1));
export const recovering = (settings: Settings = {}) => after(connected(settings), routeLost());
export const awaitingFailover = (settings: Settings = {}) => after(connected(settings), focusFailed());
export const rejoining = (settings: Settings = {}) => after(awaitingFailover(settings), failedOver());
export const closing = () => after(connected(), { ...terminate, operationId: 'terminate-0' });
export const ended = () => after(closing(), left());

/** A session in each state; those that hide behind Reconnecting apart. */
export const sessions = {
  Idle: newSession,
  Connecting: connecting,
  InLobby: lobbied,
  Connected: connected,
  Recovering: recovering,
  AwaitingFailover: awaitingFailover,
  Rejoining: rejoining,
  Disconnecting: closing,
  Disconnected: ended,
} as const;

export type Phase = keyof typeof sessions;
export const phases = Object.keys(sessions) as Phase[];

/** Runs a check on a fresh session in each of some states, and tells which one it was that failed. */
export function inEach(which: readonly Phase[], check: (session: Session, phase: Phase) => void): void {
  for (const phase of which) {
    try {
      check(sessions[phase](), phase);
    } catch (error) {
      throw new Error(`in ${phase}: ${(error as Error).message}`, { cause: error });
    }
  }
}

export const stateOf = (session: Session) => conferenceSession.stateOf(session.state);
export const states = (session: Session) => only(session.messages, 'state-changed').map(({ state }) => state);
