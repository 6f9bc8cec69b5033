/** Seeded traces: paths that lose and delay, and a sender that pauses. Times are in ms. */

/** What is wrong with paths and sender. */
export interface Behaviour {
  /** Share of packets that are lost, one by one. */
  loss?: number;
  /** Share of beats at which a path stops carrying anything for 1 to 4 beats. */
  burst?: number;
  /** Share of beats at which the sender stops for a while. */
  pause?: number;
  /** Bursts hit both paths at the same time. */
  shared?: boolean;
  /** The calls have media, on a path that nothing is wrong with. */
  mediaFlow?: boolean;
  /** Nobody dies but the route of the dialog: probes are answered for ever. */
  routeOnly?: boolean;
}

/** Round trip: lognormal, half of them below 50 ms, one in a hundred above 630 ms. A later one may overtake. */
const roundTrip = { medianMs: 50, sigma: 1.09 };
/** Pauses are exponential. */
const meanPauseMs = 400;
const longestBurst = 4;

/** Mulberry32: the same numbers for the same seed. */
export class Random {
  private spare: number | null = null;

  constructor(private seed: number) {}

  /** Uniform in [0, 1). */
  next(): number {
    this.seed = (this.seed + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.seed ^ (this.seed >>> 15), 1 | this.seed);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  /** Standard normal (Box and Muller, who get two at a time). */
  normal(): number {
    const { spare } = this;
    this.spare = null;
    if (spare !== null) return spare;
    const radius = Math.sqrt(-2 * Math.log(1 - this.next()));
    const angle = 2 * Math.PI * this.next();
    this.spare = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  }
}

/** One way between us and the sender, both directions together. */
export class Path {
  private lostBeats = 0;

  /** `bursts`: the path whose bursts hit this one as well. */
  constructor(
    private readonly behaviour: Behaviour,
    private readonly random: Random,
    private readonly bursts: Path | null = null,
  ) {}

  /** The next beat begins. */
  beat(): void {
    const { burst = 0 } = this.behaviour;
    if (burst === 0) return;
    if (this.lostBeats > 0) this.lostBeats -= 1;
    else if (this.random.next() < burst) this.lostBeats = 1 + Math.floor(this.random.next() * longestBurst);
  }

  /** The round trip of a packet that is sent now; null when it is lost. */
  delay(): number | null {
    const { loss = 0 } = this.behaviour;
    const { lostBeats } = this.bursts ?? this;
    const lost = lostBeats > 0 || (loss > 0 && this.random.next() < loss);
    return lost ? null : roundTrip.medianMs * Math.exp(roundTrip.sigma * this.random.normal());
  }
}

/** Who answers. */
export class Sender {
  private pausedUntil = 0;

  constructor(
    private readonly behaviour: Behaviour,
    private readonly random: Random,
  ) {}

  /** The next beat begins. */
  beat(at: number): void {
    const { pause = 0 } = this.behaviour;
    if (pause === 0 || this.random.next() >= pause) return;
    this.pausedUntil = Math.max(this.pausedUntil, at - meanPauseMs * Math.log(1 - this.random.next()));
  }

  /** When something that arrives now is answered. */
  answersAt(at: number): number {
    return Math.max(at, this.pausedUntil);
  }
}
