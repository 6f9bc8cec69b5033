/** Runs one schedule, and says what was wrong. */
import type { Schedule } from './schedule';
import { type Invariant, Violation } from './violation';
import { type Options, World } from './world';

/** How one schedule went. */
export interface Result {
  steps: number;
  failure: Failure | null;
}

/** What was wrong with one schedule. */
export interface Failure {
  invariant: Invariant;
  message: string;
}

/** Plays one schedule. */
export function run(schedule: Schedule, options: Options): Result {
  const world = new World(schedule, options);
  try {
    world.play();
    return { steps: world.steps, failure: null };
  } catch (error) {
    return { steps: world.steps, failure: failureOf(error) };
  }
}

function failureOf(error: unknown): Failure {
  if (error instanceof Violation) return { invariant: error.invariant, message: error.message };
  const { stack, message } = error as Error;
  return { invariant: 10, message: `(10) a step throws: ${stack ?? message}` };
}
