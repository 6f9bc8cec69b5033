/**
 * A Focus is asked to call somebody, or to hang up on somebody, by REFER (RFC 4579, 5; RFC 3515), and says in NOTIFYs what
 * came of it. The request stands outside of our dialog with the Focus: within it, many servers take it for a transfer of
 * ourselves; and dialogs are not to be shared (RFC 6665, 4.5.2).
 */
import type { Outcome } from '../../recovery/signaling';
import { Dialog } from './dialog';
import type { IncomingRequestMessage } from './library';
import { outcomeOf } from './outcome';
import type { Reply, Usage, UserAgent } from './user-agent';

/** What a Focus can be asked for; the method is that of the request which it then sends. */
const referredMethods: ReadonlyMap<string, 'INVITE' | 'BYE'> = new Map([
  ['invite', 'INVITE'],
  ['eject', 'BYE'],
]);

/** Whether there is a REFER for an operation. */
export function isReferable(operation: string): boolean {
  return referredMethods.has(operation);
}

/** The URI that REFER names (RFC 3515, 2.1) for somebody; undefined where `participant` is no URI that can be called. */
export function referTarget(operation: string, participant: unknown): string | undefined {
  // Neither headers nor a method of its own: both would make another request of it.
  if (typeof participant !== 'string' || !/^(?:sips?:|tel:)[^\s<>"?,]+$/i.test(participant)) return undefined;
  if (/;method=/i.test(participant)) return undefined;
  const method = referredMethods.get(operation);
  return method === 'INVITE' ? participant : `${participant};method=${method}`;
}

/** One REFER, from its sending to its result. */
export class Referral implements Usage {
  readonly dialog: Dialog;
  private settled: ((outcome: Outcome) => void) | null = null;
  private cancelTimer: () => void = () => {};
  private accepted = 202;

  constructor(
    private readonly agent: UserAgent,
    /** The Contact of the Focus, which is the URI of the conference (RFC 4579, 5.1). */
    focus: string,
    displayName: string,
  ) {
    this.dialog = new Dialog(focus, displayName);
  }

  /**
   * Sends it. `settled` is called exactly once: with a refusal of the REFER, with what the Focus tells of the request that
   * it has sent, or after `timeoutMs`.
   */
  send(referTo: string, referredBy: string, timeoutMs: number, settled: (outcome: Outcome) => void): void {
    const { agent } = this;
    const sentAt = agent.clock.now();
    this.settled = settled;
    agent.register(this);
    // That we can do without NOTIFYs is said, so that a Focus which sends none may say so too (RFC 4488).
    const headers = [`Refer-To: <${referTo}>`, `Referred-By: <${referredBy}>`, 'Supported: norefersub'];
    agent.send(this.dialog, { method: 'REFER', headers }, timeoutMs, (answer) => {
      const outcome = outcomeOf(answer);
      if (outcome.kind !== 'ok' || answer.kind !== 'response') return this.settle(outcome);
      if (!this.settled) return;
      this.accepted = outcome.status;
      const unreported = /^\s*false/i.test(answer.response.getHeader('refer-sub') ?? '');
      if (unreported) return this.settle(outcome);
      const restMs = Math.max(0, timeoutMs - (agent.clock.now() - sentAt));
      const message = `the Focus has accepted it, but told no result within ${timeoutMs} ms`;
      this.cancelTimer = agent.clock.after(restMs, () =>
        this.settle({ kind: 'unreachable', cause: 'timeout', written: true, message }),
      );
    });
  }

  /** Nobody waits for it any more; the Focus hears so when it tells its result (481). */
  drop(): void {
    const message = 'the dialog with the Focus has ended';
    this.settle({ kind: 'unreachable', cause: 'transport', written: true, message });
  }

  receive(request: IncomingRequestMessage, reply: Reply): void {
    if (request.method !== 'NOTIFY') return reply(405);
    reply(200);
    const result = this.resultIn(request.body ?? '');
    if (result) return this.settle(result);
    if (!/^\s*terminated/i.test(request.getHeader('subscription-state') ?? '')) return;
    const message = 'the Focus has ended its report of it without a result';
    this.settle({ kind: 'unreachable', cause: 'malformed', written: true, message });
  }

  /** A final status in a `message/sipfrag` (RFC 3515, 2.4.5; RFC 3420). */
  private resultIn(fragment: string): Outcome | undefined {
    const [, code, reason = ''] = /^SIP\/2\.0 ([2-6]\d\d) ?([^\r\n]*)/.exec(fragment) ?? [];
    if (code === undefined) return undefined;
    const status = Number(code);
    if (status < 300) return { kind: 'ok', status };
    // It says nothing of our way to the Focus, or of our dialog: the status is that of the Focus's answer to us.
    return {
      kind: 'refused',
      status: this.accepted,
      conferenceReason: `SIP-${status}`,
      response: { status, reason, headers: {}, body: fragment },
    };
  }

  private settle(outcome: Outcome): void {
    const { settled } = this;
    if (!settled) return;
    this.settled = null;
    this.cancelTimer();
    this.agent.unregister(this);
    settled(outcome);
  }
}
