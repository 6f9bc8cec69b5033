/**
 * What the timeline knows of one conference: its facts of the last hour, within a bound, and how things stood before them.
 * The runtime records with it, and the editor keeps with it what it has fetched; so it needs no other file.
 */
import type { Fact } from '../recovery/messages';

/** The facts that a timeline shows. Rosters, signals, results and ticks are not among them. */
export type ShownFact = Extract<Fact, { event: ShownEvent }>;

type ShownEvent =
  | 'state-changed'
  | 'mode-changed'
  | 'session-status'
  | 'call-state-changed'
  | 'media-changed'
  | 'operation-failed'
  | 'failover-detected'
  | 'suppression-changed'
  | 'heal-attempted'
  | 'route-status-changed'
  | 'healing-abandoned'
  | 'give-up-armed'
  | 'give-up-cancelled'
  | 'gave-up'
  | 'fault-injected';

/** One recorded fact. */
export interface Entry {
  /** Counts all entries of all conferences. */
  cursor: number;
  /** Id of the node that told it. */
  node: string;
  /** When it was recorded, in ms since 1970. */
  at: number;
  fact: ShownFact;
}

/** How long a fact is kept, in ms. */
export const keptMs = 3_600_000;

/** Entries of one conference. A verdict counts one more for each evidence. */
const longestHistory = 1_000;
/** Nodes and what of them lasts: nobody has that many for one conference. */
const lastingKinds = 64;

/** What an entry counts towards the bounds. At about half a kilobyte each. */
export function sizeOf({ fact }: Entry): number {
  return fact.event === 'failover-detected' ? 1 + fact.evidence.length : 1;
}

/** What of a node goes on after the fact, until the next one of the same kind; null for what is over at once. */
export function lastingKind({ fact }: Entry): 'session' | 'mcu' | 'call' | 'media' | 'give-up' | null {
  switch (fact.event) {
    case 'state-changed':
      return fact.source === 'mcu-session' ? 'mcu' : 'session';
    case 'mode-changed':
    case 'session-status':
      return 'session';
    case 'call-state-changed':
      return 'call';
    case 'media-changed':
      return 'media';
    case 'give-up-armed':
    case 'give-up-cancelled':
    case 'gave-up':
      return 'give-up';
    default:
      return null;
  }
}

/** The last hour of one conference. */
export class History {
  /** Oldest first. */
  readonly entries: Entry[] = [];
  /** What the entries count towards the bounds. */
  size = 0;
  private readonly before = new Map<string, Entry>();

  /** Entries that are no longer kept, and still tell how things stood when the others begin. */
  get standing(): Entry[] {
    return [...this.before.values()];
  }

  /** Adds an entry, and lets go of what is too old or too much. */
  add(entry: Entry): void {
    this.entries.push(entry);
    this.size += sizeOf(entry);
    while (this.size > longestHistory) this.forgetOldest();
    this.forgetBefore(entry.at - keptMs);
  }

  /** Lets go of what is older than an instant. */
  forgetBefore(instant: number): void {
    while (this.entries[0] && this.entries[0].at < instant) this.forgetOldest();
  }

  /** Lets go of the oldest entry; how things stood after it is still known. */
  forgetOldest(): void {
    const oldest = this.entries.shift();
    if (!oldest) return;
    this.size -= sizeOf(oldest);
    this.stand(oldest);
  }

  /** Takes an entry as one that tells how things stood before all others. */
  stand(entry: Entry): void {
    const kind = lastingKind(entry);
    if (kind === null) return;
    const key = `${kind} ${entry.node}`;
    // The latest comes last, and the one that has been quiet for longest goes when there are too many.
    this.before.delete(key);
    this.before.set(key, entry);
    if (this.before.size <= lastingKinds) return;
    const [first] = this.before.keys();
    if (first !== undefined) this.before.delete(first);
  }
}
