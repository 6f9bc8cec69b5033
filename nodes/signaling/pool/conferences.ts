import { type Agenda, longestSliceMs } from './agenda';
import type { Focus } from './focus';

/** What has happened to the servers, and the conferences that have not felt it yet. */
interface Incident {
  readonly strike: (focus: Focus) => void;
  readonly unaware: Set<Focus>;
}

/**
 * The conferences that exist, by URI. What happens to the servers strikes thousands of them in slices, so that others have
 * their turn meanwhile; one that is looked at before has felt it.
 */
export class Conferences {
  private readonly foci = new Map<string, Focus>();
  /** Those that have not struck everywhere yet, the oldest first. */
  private readonly incidents: Incident[] = [];

  constructor(private readonly agenda: Agenda) {}

  get size(): number {
    return this.foci.size;
  }

  get(uri: string): Focus | undefined {
    const focus = this.foci.get(uri);
    if (focus === undefined) return undefined;
    for (const { strike, unaware } of this.incidents) if (unaware.delete(focus)) strike(focus);
    return focus;
  }

  add(focus: Focus): void {
    this.foci.set(focus.uri, focus);
  }

  delete(focus: Focus): void {
    this.foci.delete(focus.uri);
    for (const { unaware } of this.incidents) unaware.delete(focus);
  }

  clear(): void {
    this.foci.clear();
    this.incidents.length = 0;
  }

  /** Strikes all that exist now: a few at once, thousands within some ms. */
  strikeAll(strike: (focus: Focus) => void): void {
    this.incidents.push({ strike, unaware: new Set(this.foci.values()) });
    if (this.incidents.length === 1) this.spread();
  }

  private readonly spread = (): void => {
    const begun = this.agenda.now();
    for (let incident = this.incidents[0]; incident; incident = this.incidents[0]) {
      const { strike, unaware } = incident;
      for (const focus of unaware) {
        unaware.delete(focus);
        strike(focus);
        if (this.agenda.now() - begun < longestSliceMs) continue;
        this.agenda.after(0, this.spread);
        return;
      }
      this.incidents.shift();
    }
  };
}
