/** Invariant 4: the book of operations, in which each is begun once and completed once. */
import type { Message } from '../../nodes/recovery/step';
import { holds } from './violation';
import type { NodeName } from './wires';

/** What becomes of the operations of one schedule. */
export class Operations {
  private begun = 0;
  private readonly open = new Map<string, { at: NodeName; command: string }>();
  private readonly abandoned = new Set<string>();

  /** Somebody asks a session for something; returns the name under which it will be answered. */
  begin(at: NodeName, command: string): string {
    this.begun += 1;
    const id = `operation-${this.begun}`;
    this.open.set(id, { at, command });
    return id;
  }

  /** The request does not concern the session any more. */
  ignored(id: string): void {
    this.close(id, 'ignored');
  }

  /** A session says something. `asking` is the request of this very step. */
  said(at: NodeName, message: Message, asking: string | null): void {
    if (!('event' in message)) return;
    if (message.event !== 'operation-completed' && message.event !== 'operation-failed') return;
    if (at !== 'session' && at !== 'audio-video' && at !== 'chat') return;
    const id = message.operationId ?? asking;
    // A failure that nobody asked for, as of the subscription.
    if (id === null) return;
    this.close(id, `${message.event} ${message.operation} at ${at}`);
  }

  /** A node goes, and nobody waits for what was asked of it. */
  abandon(at: NodeName): void {
    for (const [id, operation] of this.open) {
      if (operation.at !== at) continue;
      this.open.delete(id);
      this.abandoned.add(id);
    }
  }

  /** Nothing may be open any more. */
  end(): void {
    holds(this.open.size === 0, 4, () => {
      const left = [...this.open].map(([id, { at, command }]) => `${id} (${command} at ${at})`);
      return `never completed: ${left.join(', ')}`;
    });
  }

  private close(id: string, how: string): void {
    holds(this.open.delete(id) || this.abandoned.has(id), 4, () => `${id} completes once more: ${how}`);
  }
}
