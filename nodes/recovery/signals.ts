/** Signals: what the conferencing system did, as evidence for the detector and the healer (contract, section 4). */
import type { FactEnvelope, Signal } from './messages';
import type { SignalingEvent } from './signaling';

/** The part of a signal that is its own. */
export type SignalBody = Omit<Signal, keyof FactEnvelope | 'event'>;

type Occurrence = Extract<
  SignalingEvent,
  {
    event:
      | 'remote-bye'
      | 'transport-lost'
      | 'transport-restored'
      | 'subscription-lost'
      | 'session-expired'
      | 'remote-update';
  }
>;

/** Something that happened by itself. */
export function signalOf({ event }: Occurrence): SignalBody {
  return { signal: event };
}

/** Identifier of a healing request, from which its attempt can be told again. */
export function healId(attempt: number): string {
  return `heal-${attempt}`;
}

function attemptOf(requestId: string): number {
  return Number(requestId.slice('heal-'.length));
}

/** How a request ended; null where that is no evidence of anything (nothing was sent, or nothing readable came back). */
export function signalOfOutcome({
  purpose,
  method,
  outcome,
  elapsedMs,
  requestId,
}: Extract<SignalingEvent, { event: 'outcome' }>): SignalBody | null {
  const common = {
    purpose,
    method,
    elapsedMs,
    ...(purpose === 'operation' ? { operationId: requestId } : {}),
    ...(purpose === 'heal' ? { attempt: attemptOf(requestId) } : {}),
  };
  // After a restart, the dialog is looked for when it suits us: that teaches no interval.
  const isHeartbeat = purpose === 'refresh' && requestId !== 'resume';
  switch (outcome.kind) {
    case 'unsupported':
      return purpose === 'operation' ? null : { signal: 'response', ...common, status: 501 };
    case 'ok':
      if (isHeartbeat) return { signal: 'heartbeat', ...common, roundTripMs: elapsedMs };
      return { signal: 'response', ...common, status: outcome.status };
    case 'refused': {
      const { status, recoveryAction, retryAfterMs, diagnostics } = outcome;
      return {
        signal: 'response',
        ...common,
        status,
        ...(recoveryAction ? { recoveryAction } : {}),
        ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
        ...(diagnostics ? { diagnostics } : {}),
      };
    }
    case 'unreachable':
      if (outcome.cause === 'timeout') return { signal: isHeartbeat ? 'heartbeat-missed' : 'timeout', ...common };
      return { signal: 'transport-lost', ...common };
  }
}
