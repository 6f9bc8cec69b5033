/** The invariants, by the numbers of the issue that asks for them; those without a number were added here. */
export const invariants = {
  1: 'while re-joining, no MCU session is Active and no call was ended by it',
  2: 'one re-join at most per failover, and its failure ends the session',
  3: "an MCU failover ends that MCU's call only",
  4: 'every operation completes exactly once',
  5: "Reconnecting after a hop failure is left only by healing, give-up, terminate or the conference's end",
  6: 'with a give-up timer, time in Reconnecting is bounded by its limit',
  7: 'roster before + facts = roster after',
  8: '`seq` strictly increases and no fact of a session follows its Disconnected',
  9: 'at the end no deadline, operation or dialog is left',
  10: 'no legal-transition check ever fails',
  incident: 'an incident opens and closes once',
  recovery: 'what can be recovered is recovered once everything works again',
  schema: 'every message is valid against the schema',
} as const;

/** Name of an invariant. */
export type Invariant = keyof typeof invariants;

/** An invariant does not hold. */
export class Violation extends Error {
  constructor(
    readonly invariant: Invariant,
    detail: string,
  ) {
    super(`(${invariant}) ${invariants[invariant]}: ${detail}`);
  }
}

/** Throws unless the invariant holds. */
export function holds(condition: boolean, invariant: Invariant, detail: () => string): void {
  if (!condition) throw new Violation(invariant, detail());
}
