/** Targets that have failed a short time ago, and are left alone for a while (RFC 3263, 4.3; RFC 3261, 21.5.4). */
import type { Clock } from '../../port';
import type { Target } from './targets';

/** For how long, where the target itself does not say, in ms. */
const avoidedForMs = 60_000;
/** For how long at the most, whatever it says, in ms. */
const longestMs = 3_600_000;
/** Targets that are remembered; the one that failed first is forgotten first. */
const mostTargets = 100;

/** Which targets to avoid, and until when. */
export class Avoidance {
  private readonly until = new Map<string, number>();

  constructor(private readonly clock: Clock) {}

  /** A target has failed. */
  avoid(target: Target, forMs = avoidedForMs): void {
    const key = nameOf(target);
    const until = Math.max(this.untilFor(target), this.clock.now() + Math.min(forMs, longestMs));
    this.until.delete(key);
    const [oldest] = this.until.keys();
    if (oldest !== undefined && this.until.size >= mostTargets) this.until.delete(oldest);
    this.until.set(key, until);
  }

  avoids(target: Target): boolean {
    return this.untilFor(target) > this.clock.now();
  }

  /** As given, but those to avoid at the end: the one that may be tried again soonest goes before the others. */
  sort(targets: readonly Target[]): Target[] {
    const now = this.clock.now();
    const waitFor = (target: Target): number => Math.max(0, this.untilFor(target) - now);
    return [...targets].sort((one, other) => waitFor(one) - waitFor(other));
  }

  private untilFor(target: Target): number {
    return this.until.get(nameOf(target)) ?? 0;
  }
}

function nameOf({ transport, address, port }: Target): string {
  return `${transport} ${address} ${port}`;
}
