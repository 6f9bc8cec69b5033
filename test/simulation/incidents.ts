/** Incidents: who pages people by them must be able to resolve what was triggered, once (contract, rule 7). */
import type { Message } from '../../nodes/recovery/step';
import { holds } from './violation';
import type { NodeName } from './wires';

interface Incident {
  active: boolean;
  /** Nodes that have said that it is over. */
  closedBy: Set<NodeName>;
}

/** Follows the incidents of one schedule. */
export class Incidents {
  private readonly incidents = new Map<string, Incident>();

  /** A node says something. */
  said(at: NodeName, message: Message): void {
    if (!('event' in message) || message.incident === null) return;
    const { incident: id, active, event } = message;
    let incident = this.incidents.get(id);
    if (!incident) {
      incident = { active, closedBy: new Set() };
      this.incidents.set(id, incident);
    }
    if (active) {
      holds(!incident.closedBy.has(at), 'incident', () => `${at} opens ${id} again with ${event}`);
    } else incident.closedBy.add(at);
    incident.active = active;
  }

  /** A node has come again, and remembers nothing. */
  forget(at: NodeName): void {
    for (const { closedBy } of this.incidents.values()) closedBy.delete(at);
  }

  /** Nothing may be open any more. */
  end(): void {
    for (const [id, { active }] of this.incidents) {
      holds(!active, 'incident', () => `the last that was said of ${id} is that it is open`);
    }
  }
}
