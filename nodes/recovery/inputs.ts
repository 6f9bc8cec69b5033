/** What a message on a wire means to a session: the one translation, for the nodes and for the simulation. */
import type { ConferenceSessionInput } from './conference-session';
import type { McuSessionInput, McuSessionState } from './mcu-session';
import type { Fact, HealingMethod, JsonObject, Request } from './messages';

/** What a fact of another node means to a conference session; null when it is none of its business. */
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
    case 'session-status':
      return ownership(fact);
    case 'operation-completed':
      return fact.operation === 'snapshot' || fact.operation === 'restore' ? ownership(fact.result) : null;
    default:
      return null;
  }
}

/** Who holds a conference, where that is told; facts may come from anywhere. */
function ownership(told: unknown): ConferenceSessionInput | null {
  const { owner, epoch } = (told ?? {}) as JsonObject;
  if (!Number.isSafeInteger(epoch)) return null;
  return { input: 'stand-down', owner: typeof owner === 'string' ? owner : '', epoch: epoch as number };
}

/** The ownership that a request names, if it does. */
function epochOf({ epoch }: JsonObject): { epoch?: number } {
  return typeof epoch === 'number' ? { epoch } : {};
}

/** A request that nothing answers but a signal: `heal` or `probe`; null for any other. */
export function routeRequest(request: Request & JsonObject): ConferenceSessionInput | null {
  const dialog = request.dialog as number;
  if (request.command === 'probe') return { input: 'probe', dialog, ...epochOf(request) };
  if (request.command !== 'heal') return null;
  const method = (request.method as HealingMethod | undefined) ?? 'UPDATE';
  return { input: 'heal', dialog, attempt: request.attempt as number, method, ...epochOf(request) };
}

/** A request that is answered as `operationId`. What surrounds the session in a `snapshot` is for the node to add. */
export function operationRequest(request: Request & JsonObject, operationId: string): ConferenceSessionInput {
  const { command, conference: _, epoch: __, ...given } = request as { command: string } & JsonObject;
  const asked = { operationId, ...epochOf(request) };
  switch (command) {
    case 'join':
      return { input: 'join', ...asked, arguments: given };
    case 'terminate':
      return { ...given, input: 'terminate', ...asked };
    case 'roster':
    case 'status':
      return { input: 'query', operation: command, ...asked };
    case 'snapshot':
      return { input: 'snapshot', ...asked, signaling: null, deadlines: {}, mcus: {} };
    case 'restore':
      return { input: 'restore', ...asked, snapshot: given.snapshot };
    default:
      return { input: 'operation', operation: command, ...asked, arguments: given };
  }
}

/** What a detector's fact means to an MCU session; null when it is of another MCU, or of another dialog (MSG-8). */
export function mcuSessionHears(fact: Fact, { mcu, dialog }: McuSessionState): McuSessionInput | null {
  if (fact.event !== 'failover-detected' || fact.level !== 'mcu' || fact.phase !== 'failed') return null;
  return fact.mcu === mcu && fact.dialog === dialog ? { input: 'verdict', verdict: fact } : null;
}

/** A request to an MCU session, answered as `operationId`. */
export function mcuRequest(request: Request & JsonObject, operationId: string): McuSessionInput {
  const { command, conference: _, epoch: __, ...given } = request as { command: string } & JsonObject;
  return { input: 'operation', operation: command, operationId, arguments: given };
}
