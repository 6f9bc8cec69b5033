/** Reading what a dialog saved. Values are forgiven where a default makes sense, so that old flows keep working. */

/** A node's configuration as Node-RED hands it over. */
export type NodeConfig = { readonly [property: string]: unknown };

const unitMs: { readonly [unit: string]: number } = { ms: 1, s: 1_000, min: 60_000, h: 3_600_000 };

/** A duration in ms: the number in `property`, in the unit of `<property>Unit`; in ms where that is no unit. */
export function durationOf(config: NodeConfig, property: string, defaultMs: number): number {
  const value = numberOf(config, property, Number.NaN);
  const unit = unitMs[String(config[`${property}Unit`])] ?? 1;
  return Number.isNaN(value) || value < 0 ? defaultMs : value * unit;
}

/** A number. */
export function numberOf(config: NodeConfig, property: string, otherwise: number): number {
  const value = config[property];
  if (value === undefined || value === null || value === '') return otherwise;
  const number = Number(value);
  return Number.isFinite(number) ? number : otherwise;
}

/** A text without surrounding space. */
export function textOf(config: NodeConfig, property: string, otherwise = ''): string {
  const value = config[property];
  return typeof value === 'string' && value.trim() !== '' ? value.trim() : otherwise;
}

/** One of a few words. */
export function choiceOf<T extends string>(config: NodeConfig, property: string, choices: readonly [T, ...T[]]): T {
  const value = config[property];
  return choices.includes(value as T) ? (value as T) : choices[0];
}
