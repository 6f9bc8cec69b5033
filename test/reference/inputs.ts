/** What both properties give to the machines. */
import type { Outcome } from '../../nodes/recovery/signaling';

/** Every way in which a request can end; the first is the good one. */
export const outcomes: readonly Outcome[] = [
  { kind: 'ok', status: 200, result: { done: true } },
  refused(481),
  refused(430, { recoveryAction: ['Dialog-Route-Set-Update'] }),
  refused(430, { recoveryAction: ['Wait-For-Session-Update'] }),
  refused(430, { recoveryAction: ['Registration-Route-Set-Update', 'Dialog-Route-Set-Update'] }),
  refused(403),
  refused(401),
  refused(503),
  refused(603),
  refused(200, { conferenceReason: 'otherFailure' }),
  { kind: 'unreachable', cause: 'timeout', written: true, message: 'no answer' },
  { kind: 'unreachable', cause: 'transport', written: false, message: 'refused' },
  { kind: 'unreachable', cause: 'transport', written: true, message: 'lost' },
  { kind: 'unreachable', cause: 'tls', written: false, message: 'no trust' },
  { kind: 'unreachable', cause: 'malformed', written: true, message: 'not SIP' },
  { kind: 'unsupported', message: 'no such thing here' },
];

function refused(status: number, extra: Partial<Extract<Outcome, { kind: 'refused' }>> = {}): Outcome {
  return { kind: 'refused', status, response: { status, reason: 'No', headers: {}, body: '' }, ...extra };
}
