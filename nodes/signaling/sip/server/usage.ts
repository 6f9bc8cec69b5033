/** What the parts of the server need of each other. */
import type { Outcome } from '../../../recovery/signaling';
import type { Clock } from '../../port';
import type { Dialog } from '../dialog';
import type { IncomingRequestMessage } from '../library';
import type { Addresses } from './addresses';
import type { Link } from './link';
import type { AnswerContent, OutgoingRequest } from './messages';

/** A request as it has come in, and the way to answer it. */
export interface ServerRequest {
  readonly message: IncomingRequestMessage;
  readonly link: Link;
  /** Answers it; after a final answer nothing is sent any more. */
  answer(status: number, content?: AnswerContent): void;
}

/** Who gets the requests of one dialog (RFC 5057). */
export interface ServerUsage {
  readonly dialog: Dialog;
  /** Where the client is now: where its latest request came from. */
  link: Link;
  receive(request: ServerRequest): void;
}

/** What usages need of the server. */
export interface ServerHost {
  readonly clock: Clock;
  readonly addresses: Addresses;
  register(usage: ServerUsage): void;
  unregister(usage: ServerUsage): void;
  /** Sends a request; `done` is called once with the status of its final answer, or null when there is none. */
  send(link: Link, request: OutgoingRequest, done?: (status: number | null) => void): void;
}

/** What the pool waits for an answer, in ms: the life of a transaction (RFC 3261, 17.1.2.2: timer F). */
export const requestTimeoutMs = 32_000;

/**
 * Answers as the pool has: a refusal as it is; silence with silence; and where the first hop takes no connections, the
 * connection is cut, or on UDP, which has none, 503 is said.
 */
export function answerAs(outcome: Outcome, request: ServerRequest, accepted: () => void): void {
  switch (outcome.kind) {
    case 'ok':
      return accepted();
    case 'refused': {
      const headers = Object.entries(outcome.response.headers).map(([name, value]) => `${name}: ${value}`);
      return request.answer(outcome.status, { headers });
    }
    case 'unsupported':
      return request.answer(501);
    case 'unreachable':
      if (outcome.cause === 'transport' && !request.link.cut()) request.answer(503);
  }
}
