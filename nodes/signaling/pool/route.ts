import type { Agenda, Appointment } from './agenda';
import type { PoolOptions } from './options';
import type { Random } from './random';
import type { SavedRoute } from './saved';

/** How a hop can be broken: it refuses connections, it swallows everything, or another one has taken its place. */
export type Breakage = 'refuse' | 'silent' | 'stale-route';

/** One intermediate hop. `repair` is when it restores itself. */
export interface Hop {
  readonly name: string;
  condition: 'up' | Breakage;
  repair: Appointment | null;
}

/**
 * The hops between us and the front ends. Two things can be wrong: the path itself, for everything that is sent, and the
 * route sets of dialogs that were established over a hop that is no longer there (MS-SIPRE 3.7). A route set is
 * represented by the number of hop replacements that it knows of.
 */
export class Route {
  readonly hops: Hop[] = [];
  /** Does a message get through now? */
  path: 'up' | 'refuse' | 'silent' = 'up';
  /** The route set of whoever sets up or heals a dialog now. */
  routeSet = 0;
  private oldestValid = 0;

  constructor(
    private readonly options: PoolOptions,
    private readonly agenda: Agenda,
    private readonly random: Random,
    /** What is to be kept has changed. */
    private readonly changed: () => void,
  ) {
    for (let number = 1; number <= options.hops; number += 1) {
      this.hops.push({ name: `hop-${number}`, condition: 'up', repair: null });
    }
  }

  /** How long the next message travels, one way. */
  travelMs(): number {
    const { latencyMs, jitterMs } = this.options;
    if (jitterMs === 0) return latencyMs;
    this.changed();
    return latencyMs + Math.floor(this.random() * (jitterMs + 1));
  }

  /** Does a dialog with this route set meet a hop that knows nothing of it? */
  isStale(routeSet: number): boolean {
    return routeSet < this.oldestValid;
  }

  /** Breaks a hop until it is restored, or for a time; `restored` is called in the latter case. */
  break(how: Breakage, forMs: number | null, restored: () => void): Hop {
    // A refused connection is only seen at our own hop; what happens further on is seen behind the last.
    const hop = (how === 'refuse' ? this.hops[0] : this.hops.at(-1)) as Hop;
    hop.condition = how;
    if (how === 'stale-route') {
      this.routeSet += 1;
      this.oldestValid = this.routeSet;
    }
    this.agenda.cancel(hop.repair);
    hop.repair = forMs === null ? null : this.repairAt(hop, this.agenda.now() + forMs, restored);
    this.survey();
    return hop;
  }

  private repairAt(hop: Hop, at: number, restored: () => void): Appointment {
    return this.agenda.at(at, () => this.restore([hop], restored));
  }

  /** What is to be kept over a restart. */
  saved(): SavedRoute {
    const hops = this.hops.map(({ condition, repair }) => ({ condition, repairAt: repair?.at ?? null }));
    return { hops, routeSet: this.routeSet, oldestValid: this.oldestValid, random: this.random.position };
  }

  /** The route as it was kept, and as it has become since; hops that there were more are gone. */
  restoreSaved({ hops, routeSet, oldestValid, random }: SavedRoute, restored: () => void): void {
    Object.assign(this, { routeSet, oldestValid });
    this.random.position = random;
    for (const [index, hop] of this.hops.entries()) {
      const { condition = 'up', repairAt = null } = hops[index] ?? {};
      hop.condition = condition;
      this.agenda.cancel(hop.repair);
      hop.repair = repairAt === null ? null : this.repairAt(hop, repairAt, restored);
    }
    this.restore(
      this.hops.filter(({ repair }) => repair !== null && repair.at <= this.agenda.now()),
      restored,
    );
  }

  /** Restores hops; a hop that is back knows the old route sets again. */
  restore(hops: readonly Hop[], restored: () => void): void {
    for (const hop of hops) {
      hop.condition = 'up';
      this.agenda.cancel(hop.repair);
      hop.repair = null;
    }
    if (this.hops.every(({ condition }) => condition === 'up')) this.oldestValid = 0;
    this.survey();
    restored();
  }

  private survey(): void {
    this.path = 'up';
    for (const { condition } of this.hops) {
      if (condition !== 'refuse' && condition !== 'silent') continue;
      this.path = condition;
      break;
    }
  }
}
