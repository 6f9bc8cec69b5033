/** Refreshing a dialog with what the far end understands: UPDATE, else re-INVITE, else OPTIONS. */
import type { HealingMethod } from '../../recovery/messages';
import type { Dialog } from './dialog';
import type { Answer, Body, Draft } from './exchange';
import { meaningOf } from './outcome';
import type { UserAgent } from './user-agent';

/**
 * Tries methods in turn, all within `timeoutMs`, until one is known to the far end: an UPDATE that it does not allow is not
 * sent (RFC 3311, 4), and a 405 or 501 to one goes to the next. `settled` gets the answer, and the method it answers.
 */
export function refreshTarget(
  agent: UserAgent,
  dialog: Dialog,
  methods: readonly HealingMethod[],
  /** Session description of a re-INVITE. */
  offer: (localHost: string) => Body,
  timeoutMs: number,
  settled: (method: HealingMethod, answer: Answer) => void,
): void {
  const [first = 'UPDATE', ...others] = methods;
  if (first === 'UPDATE' && others.length > 0 && !dialog.allows('UPDATE')) {
    return refreshTarget(agent, dialog, others, offer, timeoutMs, settled);
  }
  const startedAt = agent.clock.now();
  const draft: Draft = first === 're-INVITE' ? { method: 'INVITE', body: offer } : { method: first };
  // OPTIONS tries the route, and must take it; a target refresh without one learns a new one (MS-SIPRE, 3.7).
  const withoutRoute = dialog.routeStale && first !== 'OPTIONS';
  agent.send(dialog, { ...draft, withoutRoute }, timeoutMs, (answer) => {
    const refused =
      answer.kind === 'response' && meaningOf(answer.response.statusCode, draft.method).needs === 'method';
    const remainingMs = timeoutMs - (agent.clock.now() - startedAt);
    if (!refused || others.length === 0 || remainingMs <= 0) return settled(first, answer);
    refreshTarget(agent, dialog, others, offer, remainingMs, settled);
  });
}
