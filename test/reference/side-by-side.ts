/** Runs a machine of the model and its naive reference side by side, and says where they part. */
import { isDeepStrictEqual } from 'node:util';
import type { DeadlineEffect, MachineState, Message, Moment, Step } from '../../nodes/recovery/step';

/** Something said or done, with the properties that the documents settle. */
export type Said = { [property: string]: unknown };

/** In a reference's statement: some text, but which is not settled. */
export const SOME_TEXT = Symbol('some text');

/** However many runs are asked for, they may take their time. */
export const PATIENCE_MS = 3_600_000;

/**
 * How a property is tried: so often, unless `FAST_CHECK_RUNS` says otherwise, from the seed `FAST_CHECK_SEED`. In a hurry
 * (mutation testing) the first counterexample will do.
 */
export function trials(usual: number): { seed: number; numRuns: number; endOnFailure: boolean } {
  const { FAST_CHECK_RUNS, FAST_CHECK_SEED, FAST_CHECK_HURRY } = process.env;
  return {
    seed: Number(FAST_CHECK_SEED ?? 20_260_101),
    numRuns: Number(FAST_CHECK_RUNS ?? usual),
    endOnFailure: FAST_CHECK_HURRY !== undefined,
  };
}

/**
 * Does what was said include all that was expected? Only the properties that the reference gives are compared;
 * one that it gives as undefined must be absent. Whatever has an `entity` (participants, endpoints) is compared in full.
 */
export function includes(expected: unknown, actual: unknown): boolean {
  if (expected === SOME_TEXT) return typeof actual === 'string' && actual !== '';
  if (Array.isArray(expected))
    return (
      Array.isArray(actual) &&
      expected.length === actual.length &&
      expected.every((item, index) => includes(item, actual[index]))
    );
  if (typeof expected === 'object' && expected !== null)
    return (
      typeof actual === 'object' &&
      actual !== null &&
      (!('entity' in expected) || isDeepStrictEqual(Object.keys(expected).sort(), Object.keys(actual).sort())) &&
      Object.entries(expected).every(([name, value]) => includes(value, (actual as Said)[name]))
    );
  return isDeepStrictEqual(expected, actual);
}

/** The same with every list of participants or endpoints sorted: no order of a roster means anything. */
export function tidy(value: unknown): unknown {
  if (Array.isArray(value)) {
    const items: unknown[] = value.map(tidy);
    return items.every(hasEntity) ? items.sort((one, other) => (one.entity < other.entity ? -1 : 1)) : items;
  }
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, tidy(part)]));
}

function hasEntity(value: unknown): value is { entity: string } {
  return typeof value === 'object' && value !== null && 'entity' in value;
}

/** What a machine of the model did since it was last asked, and when it wants to be woken. */
export class ModelSide<State extends MachineState, Input, Effect extends { effect: string }> {
  readonly deadlines = new Map<string, number>();
  messages: Message[] = [];
  effects: Effect[] = [];

  constructor(
    public state: State,
    private readonly step: (state: State, input: Input, moment: Moment) => Step<State, Effect>,
    private readonly onDeadline: (deadline: string) => Input,
  ) {}

  /** One input. */
  hear(input: Input, now: number): void {
    const { state, messages, effects } = this.step(this.state, input, { now, random: 0.5 });
    this.state = state;
    for (const effect of effects as unknown as DeadlineEffect[]) {
      if (effect.effect === 'set-deadline') {
        this.deadlines.delete(effect.deadline);
        this.deadlines.set(effect.deadline, effect.at);
      } else if (effect.effect === 'cancel-deadline') this.deadlines.delete(effect.deadline);
      else this.effects.push(effect as unknown as Effect);
    }
    this.messages.push(...messages);
  }

  /** When the next deadline is due; infinity without one. */
  nextDeadline(): number {
    return Math.min(...this.deadlines.values());
  }

  /** Fires what is due, in order. */
  ring(now: number): void {
    for (;;) {
      const due = [...this.deadlines].filter(([, at]) => at <= now).sort(([, one], [, other]) => one - other)[0];
      if (!due) return;
      this.deadlines.delete(due[0]);
      this.hear(this.onDeadline(due[0]), now);
    }
  }

  /** Takes what has come together. */
  take(): { messages: Message[]; effects: Effect[] } {
    const { messages, effects } = this;
    this.messages = [];
    this.effects = [];
    return { messages, effects };
  }
}

/** Where the two sides parted, with everything that led there. */
export class Disagreement extends Error {
  constructor(about: string, expected: unknown, actual: unknown, history: readonly string[]) {
    super(
      `${about}\n  the documents (reference): ${show(expected)}\n  the model:                 ${show(actual)}\nafter\n  ${history.join('\n  ')}`,
    );
    this.name = 'Disagreement';
  }
}

/** One line for one thing. */
export function show(value: unknown): string {
  return JSON.stringify(value, (_, part) => (typeof part === 'symbol' ? String(part) : part)) ?? 'nothing';
}
