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

/** The node that a message came in at, or the one that has taken its place since. */
export interface Host {
  /** Who has taken its place. */
  readonly heir: Host | null;
  /** Sends through the node's own outputs. */
  send(outputs: (NodeMessage | null)[]): void;
  /** Tells Node-RED that a message has been dealt with. */
  complete(message: NodeMessage, error?: Error): void;
  /** Tells Catch nodes of a failed member of a batch, whose `done` can be called but once. */
  report(error: Error, message: NodeMessage): void;
}

/** A message and what of it is still under way. */
export class Delivery {
  private open = 1;
  private failure: Error | undefined = undefined;

  constructor(
    readonly message: NodeMessage,
    readonly batch: boolean,
    private readonly origin: Host,
    private readonly sendFromOrigin: Send,
    private readonly done: Done,
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
    const { host, failure, message } = this;
    if (host !== this.origin) host.complete(message, failure);
    else if (failure) this.done(failure);
    else this.done();
  }

  /** A part failed, and Catch nodes are to hear of it. */
  fail(error: RecoveryError): void {
    if (this.batch) this.host.report(catchable(error), this.message);
    else this.failure = catchable(error);
  }

  /** Sends through the outputs of the node. What Node-RED has handed over with the message serves that very node only. */
  send(outputs: (NodeMessage | null)[]): void {
    const { host } = this;
    if (host === this.origin) this.sendFromOrigin(outputs);
    else host.send(outputs);
  }

  private get host(): Host {
    let host = this.origin;
    while (host.heir) host = host.heir;
    return host;
  }
}
