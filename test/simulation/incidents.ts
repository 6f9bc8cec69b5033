/** Incidents: who pages people by them must be able to resolve what was triggered, once (contract, rule 7). */
import type { Message } from '../../nodes/recovery/step';
import { holds } from './violation';
import type { NodeName } from './wires';

interface Incident {
  /** Somebody has said that it is over. */
  closed: boolean;
  /** Nodes that have said so. */
  closedBy: Set<NodeName>;
  /** A node that knew of it while it was open has forgotten it. */
  orphaned: boolean;
}

/**
 * Follows the incidents of one schedule: what sessions and detector say of them, which open and close them. Wires take their
 * time, so one may speak of an incident that another has just closed; but nobody opens again what he has closed, and
 * everything is closed by somebody.
 */
export class Incidents {
  private readonly incidents = new Map<string, Incident>();

  /** A node says something. */
  said(at: NodeName, message: Message): void {
    if (!('event' in message) || message.incident === null || at === 'healer' || at === 'give-up') return;
    const { incident: id, active, event } = message;
    let incident = this.incidents.get(id);
    if (!incident) {
      incident = { closed: false, closedBy: new Set(), orphaned: false };
      this.incidents.set(id, incident);
    }
    const { closedBy } = incident;
    // The session decides what is an outage: who has withdrawn a verdict too late speaks of it again.
    if (at === 'session' && active && !closedBy.has(at)) closedBy.clear();
    holds(!active || !closedBy.has(at), 'incident', () => `${at} opens ${id} again with ${event}`);
    if (active) return;
    incident.closed = true;
    closedBy.add(at);
  }

  /** A node has come again, and remembers nothing: neither that it has closed an incident nor that it would have to. */
  forget(at: NodeName): void {
    for (const incident of this.incidents.values()) {
      incident.closedBy.delete(at);
      incident.orphaned = true;
    }
  }

  /** Nothing may be open any more. */
  end(): void {
    for (const [id, { closed, orphaned }] of this.incidents) {
      holds(closed || orphaned, 'incident', () => `nobody says that ${id} is over`);
    }
  }
}
