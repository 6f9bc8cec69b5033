/** Incidents: who pages people by them must be able to resolve what was triggered, once (contract, rule 7). */
import type { Message } from '../../nodes/recovery/step';
import { holds } from './violation';
import type { NodeName } from './wires';

interface Incident {
  active: boolean;
  /** Nodes that have said that it is over. */
  closedBy: Set<NodeName>;
  /** A node that knew of it while it was open has forgotten it. */
  orphaned: boolean;
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
      incident = { active, closedBy: new Set(), orphaned: false };
      this.incidents.set(id, incident);
    }
    if (active) {
      holds(!incident.closedBy.has(at), 'incident', () => `${at} opens ${id} again with ${event}`);
    } else incident.closedBy.add(at);
    incident.active = active;
  }

  /** A node has come again, and remembers nothing: neither that it has closed an incident nor that it would have to. */
  forget(at: NodeName): void {
    for (const incident of this.incidents.values()) {
      incident.closedBy.delete(at);
      incident.orphaned ||= incident.active;
    }
  }

  /** Nothing may be open any more. Who hears late of the end may be the last to speak of an incident, and in error. */
  end(late: boolean): void {
    for (const [id, { active, orphaned, closedBy }] of this.incidents) {
      const closed = late ? closedBy.size > 0 : !active;
      holds(closed || orphaned, 'incident', () => `the last that was said of ${id} is that it is open`);
    }
  }
}
