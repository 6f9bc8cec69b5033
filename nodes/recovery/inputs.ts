/** What a message on a wire means to a session: the one translation, for the nodes and for the simulation. */
import type { ConferenceSessionInput } from './conference-session';
import type { McuSessionInput, McuSessionState } from './mcu-session';
import type { Fact, HealingMethod, JsonObject, Request } from './messages';

/** What a policy node's fact means to a conference session; null when it is none of its business. */
export function conferenceSessionHears(fact: Fact): ConferenceSessionInput | null {
  const { dialog, incident } = fact;
  switch (fact.event) {
    case 'failover-detected':
      if (fact.level !== 'focus') return null;
      if (fact.phase === 'failed') return { input: 'focus-failed', dialog, incident };
      return fact.phase === 'failed-over' ? { input: 'focus-failed-over', dialog, incident } : null;
    case 'route-status-changed':
      if (fact.status === 'Healthy') return { input: 'route-healthy', dialog, incident };
      return { input: 'route-recovering', dialog, incident, recoveryMode: fact.recoveryMode, attempts: fact.attempts };
    case 'healing-abandoned':
      // A dialog that is gone is the detector's business: its verdict on the Focus follows.
      if (fact.reason === 'dialog-gone') return null;
      return { input: fact.reason === 'horizon' ? 'route-abandoned' : 'route-unhealed', dialog, incident };
    default:
      return null;
  }
}

/** A request that nothing answers but a signal: `heal` or `probe`; null for any other. */
export function routeRequest(request: Request & JsonObject): ConferenceSessionInput | null {
  const dialog = request.dialog as number;
  if (request.command === 'probe') return { input: 'probe', dialog };
  if (request.command !== 'heal') return null;
  const method = (request.method as HealingMethod | undefined) ?? 'UPDATE';
  return { input: 'heal', dialog, attempt: request.attempt as number, method };
}

/** A request that is answered as `operationId`. */
export function operationRequest(request: Request & JsonObject, operationId: string): ConferenceSessionInput {
  const { command, conference: _, ...given } = request as { command: string; conference?: string } & JsonObject;
  if (command === 'join') return { input: 'join', operationId, arguments: given };
  if (command === 'terminate') return { ...given, input: 'terminate', operationId };
  if (command === 'roster' || command === 'status') return { input: 'query', operation: command, operationId };
  return { input: 'operation', operation: command, operationId, arguments: given };
}

/** What a detector's fact means to an MCU session; null when it is of another MCU, or of another dialog (MSG-8). */
export function mcuSessionHears(fact: Fact, { mcu, dialog }: McuSessionState): McuSessionInput | null {
  if (fact.event !== 'failover-detected' || fact.level !== 'mcu' || fact.phase !== 'failed') return null;
  return fact.mcu === mcu && fact.dialog === dialog ? { input: 'verdict', verdict: fact } : null;
}

/** A request to an MCU session, answered as `operationId`. */
export function mcuRequest(request: Request & JsonObject, operationId: string): McuSessionInput {
  const { command, conference: _, ...given } = request as { command: string; conference?: string } & JsonObject;
  return { input: 'operation', operation: command, operationId, arguments: given };
}
