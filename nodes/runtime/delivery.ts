/** One message that came in: what answers it keeps its properties, and Node-RED is told once when it has been dealt with. */
import { deserialize, serialize } from 'node:v8';
import type { NodeMessage } from 'node-red';
import type { RecoveryError } from '../recovery/messages';

/** `send` and `done`, as Node-RED hands them to an input handler. */
export type Send = (message: NodeMessage | (NodeMessage | null)[]) => void;
export type Done = (error?: Error) => void;

/** What a Catch node sees as `msg.error`: `code` and `cause` survive there, the class name is part of the message. */
export function catchable(error: RecoveryError): Error {
  const thrown = new Error(error.message, { cause: error });
  thrown.name = error.name;
  return Object.assign(thrown, { code: error.code });
}

/** A copy as deep as can be; what cannot be copied (a function, a socket) is shared. */
function copyOf(value: unknown): unknown {
  if (typeof value !== 'object') return value;
  try {
    return deserialize(serialize(value));
  } catch {
    return value;
  }
}

/** A message and what of it is still under way. */
export class Delivery {
  private open = 1;
  private failure: Error | null = null;

  /** `report` tells Node-RED of a failed member of a batch, whose `done` can be called but once. */
  constructor(
    readonly message: NodeMessage,
    readonly batch: boolean,
    readonly send: Send,
    private readonly done: Done,
    private readonly report: (error: Error, message: NodeMessage) => void,
  ) {}

  /** The message's own properties, for an answer. A batch has several answers, which must not share what one could change. */
  properties(): NodeMessage {
    if (!this.batch) return this.message;
    const { payload: _, ...own } = this.message;
    for (const name of Object.keys(own)) if (name !== 'req' && name !== 'res') own[name] = copyOf(own[name]);
    return own;
  }

  /** Something of the message goes on after its input handler has returned. */
  hold(): void {
    this.open += 1;
  }

  /** One part is done; with the last one Node-RED is told. */
  release(): void {
    this.open -= 1;
    if (this.open > 0) return;
    if (this.failure) this.done(this.failure);
    else this.done();
  }

  /** A part failed, and Catch nodes are to hear of it. */
  fail(error: RecoveryError): void {
    if (this.batch) this.report(catchable(error), this.message);
    else this.failure = catchable(error);
  }
}
