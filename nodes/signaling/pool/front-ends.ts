/** One server of the pool. */
export interface FrontEnd {
  readonly name: string;
  up: boolean;
}

/** The servers of the pool, and who of them takes what. */
export class FrontEnds {
  readonly all: FrontEnd[] = [];
  /** How many are up. */
  living: number;
  private lastKilled: FrontEnd | null = null;

  constructor(count: number) {
    for (let number = 1; number <= count; number += 1) this.all.push({ name: `front-end-${number}`, up: true });
    this.living = count;
  }

  /** Names of those that are down, the one that was killed last at the end: what is to be kept over a restart. */
  get casualties(): string[] {
    const down = this.all
      .filter(({ up }) => !up)
      .sort((one, other) => Number(one === this.lastKilled) - Number(other === this.lastKilled));
    return down.map(({ name }) => name);
  }

  /** The one of this name. */
  named(name: string): FrontEnd | undefined {
    return this.all.find((frontEnd) => frontEnd.name === name);
  }

  /** The one of this name, if there is one and it is up. */
  livingOne(name: string | null): FrontEnd | null {
    const found = this.named(name ?? '');
    return found?.up ? found : null;
  }

  /** The one that was killed last and is still down. */
  get latestCasualty(): FrontEnd | null {
    return this.lastKilled;
  }

  /** Marks a living one as dead. */
  kill(frontEnd: FrontEnd): void {
    frontEnd.up = false;
    this.living -= 1;
    this.lastKilled = frontEnd;
  }

  /** Marks a dead one as living. */
  restore(frontEnd: FrontEnd): void {
    frontEnd.up = true;
    this.living += 1;
    if (this.lastKilled === frontEnd) this.lastKilled = this.all.find(({ up }) => !up) ?? null;
  }

  /**
   * A living one, chosen by the key so that keys spread; not one of those to avoid where there is a choice, the first of
   * them mattering most. Null if all are dead.
   */
  place(key: number, avoided: readonly (FrontEnd | null)[]): FrontEnd | null {
    for (let mattering = avoided.length; mattering >= 0; mattering -= 1) {
      const avoids = avoided.slice(0, mattering);
      const eligible = this.all.filter((frontEnd) => frontEnd.up && !avoids.includes(frontEnd));
      const chosen = eligible[key % eligible.length];
      if (chosen) return chosen;
    }
    return null;
  }
}
