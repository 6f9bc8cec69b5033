/** Reading what a dialog saved. Values are forgiven where a default makes sense, so that old flows keep working. */

import type { NodeMessage } from 'node-red';

/** A node's configuration as Node-RED hands it over. */
export type NodeConfig = { readonly [property: string]: unknown };

const unitMs: { readonly [unit: string]: number } = { ms: 1, s: 1_000, min: 60_000, h: 3_600_000 };

/** Evaluates what a typed input names, as `RED.util.evaluateNodeProperty` does: an environment variable, a property. */
export type Evaluate = (name: string, type: string, message: NodeMessage) => unknown;

/** Where typed inputs take values from that are not the dialog's own: `<property>Type`. */
const elsewhere: ReadonlySet<unknown> = new Set(['env', 'msg', 'flow', 'global']);

function isElsewhere(config: NodeConfig, property: string): boolean {
  return elsewhere.has(config[`${property}Type`]);
}

/**
 * A configuration with the values of the environment variables that typed inputs name. One that is not set stays, see
 * `complaintAboutUnset`; so does what may be another one with each message, see `readerOf`.
 */
export function withEnvironment(config: NodeConfig, evaluate: Evaluate): NodeConfig {
  const values: { [property: string]: unknown } = {};
  for (const property of environmental(config)) {
    const value = evaluate(String(config[property]), 'env', {});
    if (value === undefined || value === '') continue;
    values[property] = value;
    values[`${property}Type`] = typeof value;
  }
  return { ...config, ...values };
}

function environmental(config: NodeConfig): string[] {
  const ending = /Type$/;
  return Object.keys(config)
    .filter((key) => ending.test(key) && config[key] === 'env')
    .map((key) => key.replace(ending, ''));
}

/** What is wrong with a configuration from `withEnvironment`: the variable, and a line about it; null when nothing is. */
export function complaintAboutUnset(config: NodeConfig): { name: string; text: string } | null {
  const [property] = environmental(config);
  if (property === undefined) return null;
  const name = String(config[property]);
  const text = `${property}: the environment variable "${name}" is not set. Set it and restart, or open the node and enter a value.`;
  return { name, text };
}

/**
 * Reads a text that a typed input takes from each message, or from the context as it is then; null where it takes none. What
 * there is not, or is no text, or is in a context store that does not answer at once, reads as ''.
 */
export function readerOf(
  config: NodeConfig,
  property: string,
  evaluate: Evaluate,
): ((message: NodeMessage) => string) | null {
  const type = String(config[`${property}Type`]);
  if (!elsewhere.has(type) || type === 'env') return null;
  return (message) => {
    try {
      const value = evaluate(String(config[property]), type, message);
      return typeof value === 'string' ? value.trim() : '';
    } catch {
      return '';
    }
  };
}

/** A duration in ms: the number in `property`, in the unit of `<property>Unit`; in ms where that is no unit. */
export function durationOf(config: NodeConfig, property: string, defaultMs: number): number {
  const value = numberOf(config, property, Number.NaN);
  const unit = unitMs[String(config[`${property}Unit`])] ?? 1;
  return Number.isNaN(value) || value < 0 ? defaultMs : value * unit;
}

/** A number. */
export function numberOf(config: NodeConfig, property: string, otherwise: number): number {
  const value = isElsewhere(config, property) ? '' : config[property];
  if (value === undefined || value === null || value === '') return otherwise;
  const number = Number(value);
  return Number.isFinite(number) ? number : otherwise;
}

/** A text without surrounding space; `otherwise` where there is none, or it is taken from elsewhere. */
export function textOf(config: NodeConfig, property: string, otherwise = ''): string {
  const value = isElsewhere(config, property) ? '' : config[property];
  return typeof value === 'string' && value.trim() !== '' ? value.trim() : otherwise;
}

/** One of a few words. */
export function choiceOf<T extends string>(config: NodeConfig, property: string, choices: readonly [T, ...T[]]): T {
  const value = config[property];
  return choices.includes(value as T) ? (value as T) : choices[0];
}
