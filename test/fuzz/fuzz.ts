/** One run of the fuzzer: inputs by number, what they may cost, and the smallest one that still does harm. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { seeded } from '../support/seeded';
import { type Input, inputOf } from './inputs';
import { Target } from './target';

/** What an input may cost, in ms of CPU time. */
const longestMs = 50;
/** How often an input that cost more is tried again, on an endpoint of its own: the garbage of others is not its fault. */
const trials = 4;
/** What may be in memory beyond the start, in bytes. */
const mostMemory = 50 * 1024 * 1024;
const inputsPerCount = 500;

/** When to stop, and where to begin. */
export interface Extent {
  seed: number;
  /** Number of the first input. */
  from: number;
  /** How many inputs, or until when (ms since 1970). */
  count?: number;
  until?: number;
}

/** What came of a run. */
export interface Result {
  inputs: number;
  dearestMs: number;
  memory: number;
  /** The first input that did harm, and what harm. */
  failure?: { input: number; harm: string; shrunk: Input };
}

/** Sends inputs until one does harm or the extent is reached; without touching the clock but for `until`. */
export async function fuzz({ seed, from, count, until }: Extent): Promise<Result> {
  const thrown: unknown[] = [];
  const note = (error: unknown): void => {
    thrown.push(error);
  };
  let target = await new Target().start();
  process.on('unhandledRejection', note);
  process.on('uncaughtException', note);
  const result: Result = { inputs: 0, dearestMs: 0, memory: 0 };
  try {
    await warmUp(target);
    const start = memory();
    for (let number = from; more(number); number += 1) {
      const input = numbered(seed, number);
      const { harm, costMs } = await harmOf(target, input, thrown);
      result.inputs += 1;
      result.dearestMs = Math.max(result.dearestMs, costMs);
      if (result.inputs % inputsPerCount === 0) result.memory = Math.max(result.memory, memory() - start);
      const leak = result.memory > mostMemory ? `${result.memory} bytes more in memory than at the start` : null;
      if (!harm && !leak) continue;
      await target.close();
      target = await new Target().start();
      result.failure = { input: number, harm: harm ?? leak ?? '', shrunk: harm ? await shrink(input, thrown) : input };
      break;
    }
    result.memory = Math.max(result.memory, memory() - start);
  } finally {
    await target.close();
    process.off('unhandledRejection', note);
    process.off('uncaughtException', note);
  }
  return result;

  function more(number: number): boolean {
    return count !== undefined ? number < from + count : Date.now() < (until ?? 0);
  }
}

/** The input of that number. */
export function numbered(seed: number, number: number): Input {
  const random = seeded(Math.imul(seed + 1, 0x9e3779b1) ^ Math.imul(number + 1, 0x85ebca6b) || 1);
  for (let skipped = 0; skipped < 8; skipped += 1) random();
  return inputOf(random);
}

/** What harm an input does, and what it costs; the target is used up when it does harm. */
async function harmOf(
  target: Target,
  input: Input,
  thrown: unknown[],
): Promise<{ harm: string | null; costMs: number }> {
  thrown.length = 0;
  let costMs: number;
  try {
    costMs = await target.feed(input);
    const complaint = await target.complaint();
    if (thrown.length > 0) return { harm: `an exception: ${describe(thrown[0])}`, costMs };
    if (complaint) return { harm: complaint, costMs };
  } catch (error) {
    return { harm: `an exception: ${describe(error)}`, costMs: 0 };
  }
  for (let trial = 1; trial < trials && costMs > longestMs; trial += 1) {
    const other = await new Target().start();
    costMs = Math.min(costMs, await other.feed(input));
    await other.close();
  }
  return { harm: costMs > longestMs ? `${costMs.toFixed()} ms of CPU time` : null, costMs };
}

/** Leaves out whatever the harm does not need, in ever smaller pieces, for half a minute at most. */
async function shrink(input: Input, thrown: unknown[]): Promise<Input> {
  const harmful = async (candidate: Input): Promise<boolean> => {
    const target = await new Target().start();
    const { harm } = await harmOf(target, candidate, thrown);
    await target.close();
    return harm !== null;
  };
  const deadline = Date.now() + 30_000;
  let smallest = input;
  const whole = { ...input, cuts: [] };
  if (input.cuts.length > 0 && (await harmful(whole))) smallest = whole;
  for (let piece = smallest.text.length >> 1; piece >= 1 && Date.now() < deadline; piece >>= 1) {
    for (let at = 0; at < smallest.text.length && Date.now() < deadline; ) {
      const text = smallest.text.slice(0, at) + smallest.text.slice(at + piece);
      const candidate = { ...smallest, text, cuts: smallest.cuts.filter((cut) => cut <= text.length) };
      if (await harmful(candidate)) smallest = candidate;
      else at += piece;
    }
  }
  return smallest;
}

/** The compiler is not what is measured. */
async function warmUp(target: Target): Promise<void> {
  for (let number = 0; number < 50; number += 1) {
    await target.feed({ ...numbered(0, number), cuts: [] });
    await target.complaint();
  }
}

const collect = ((): (() => void) => {
  setFlagsFromString('--expose-gc');
  return runInNewContext('gc') as () => void;
})();

function memory(): number {
  collect();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
