/**
 * Reading JSON that may be anything: a shape copies what it expects and drops the rest, so that what was read is plain data
 * that nobody else can change. What does not fit is a `Misfit`, which names the place.
 */
import type { JsonObject } from './messages';

/** Reads a value; `path` is its place for people, such as `state.roster.total`. Throws a `Misfit`. */
export type Shape<T> = (value: unknown, path: string) => T;

/** Something does not have the shape that it should have; the message names it. */
export class Misfit extends Error {}

function misfit(path: string, expected: string): Misfit {
  return new Misfit(`"${path}" must be ${expected}.`);
}

/** Free JSON deeper than this is nobody's. */
const deepest = 64;

export const text: Shape<string> = (value, path) => {
  if (typeof value !== 'string') throw misfit(path, 'a string');
  return value;
};

/** Any finite number. */
export const number: Shape<number> = (value, path) => {
  if (!Number.isFinite(value)) throw misfit(path, 'a number');
  return value as number;
};

/** Zero or more; also used for instants in ms since 1970, which may have fractions. */
export const amount: Shape<number> = (value, path) => {
  if (!Number.isFinite(value) || (value as number) < 0) throw misfit(path, 'a number, zero or more');
  return value as number;
};

export const count: Shape<number> = (value, path) => {
  if (!Number.isSafeInteger(value) || (value as number) < 0) throw misfit(path, 'a whole number, zero or more');
  return value as number;
};

export const flag: Shape<boolean> = (value, path) => {
  if (typeof value !== 'boolean') throw misfit(path, 'true or false');
  return value;
};

/** One of some words. */
export function word<T extends string>(...words: readonly T[]): Shape<T> {
  return (value, path) => {
    if (!words.includes(value as T)) throw misfit(path, `one of ${words.join(', ')}`);
    return value as T;
  };
}

/** The value, or null. */
export function orNull<T>(shape: Shape<T>): Shape<T | null> {
  return (value, path) => (value === null ? null : shape(value, path));
}

/** A member that may be missing. */
export function optional<T>(shape: Shape<T>): Shape<T | undefined> {
  return (value, path) => (value === undefined ? undefined : shape(value, path));
}

/** A list of at most so many. */
export function list<T>(shape: Shape<T>, most = Number.POSITIVE_INFINITY): Shape<T[]> {
  return (value, path) => {
    if (!Array.isArray(value)) throw misfit(path, 'a list');
    if (value.length > most) throw misfit(path, `a list of ${most} at most`);
    return value.map((item, index) => shape(item, `${path}[${index}]`));
  };
}

/** An object with such members. */
export function object<T>(members: { readonly [member in keyof Required<T>]: Shape<T[member]> }): Shape<T> {
  return (value, path) => {
    const given = objectAt(value, path);
    const read: JsonObject = {};
    for (const [member, shape] of Object.entries(members) as [string, Shape<unknown>][]) {
      const taken = shape(Object.hasOwn(given, member) ? given[member] : undefined, `${path}.${member}`);
      if (taken !== undefined) read[member] = taken;
    }
    return read as T;
  };
}

/** An object whose members are all alike, at most so many. */
export function table<T>(shape: Shape<T>, most = Number.POSITIVE_INFINITY): Shape<{ [name: string]: T }> {
  return (value, path) => {
    const given = Object.entries(objectAt(value, path)).filter(([, item]) => item !== undefined);
    if (given.length > most) throw misfit(path, `an object with ${most} members at most`);
    // As data properties, whatever they are called (ECMA-262, B.2.2.1).
    return Object.fromEntries(given.map(([name, item]) => [name, shape(item, `${path}.${name}`)]));
  };
}

/** Any JSON object. */
export const json: Shape<JsonObject> = (value, path) =>
  table((item, place) => anyJson(item, place, deepest))(value, path);

function anyJson(value: unknown, path: string, depth: number): unknown {
  if (depth === 0) throw misfit(path, 'less deep');
  const below: Shape<unknown> = (item, place) => anyJson(item, place, depth - 1);
  if (Array.isArray(value)) return list(below)(value, path);
  if (typeof value === 'object' && value !== null) return table(below)(value, path);
  if (value === null || ['string', 'boolean'].includes(typeof value) || Number.isFinite(value)) return value;
  throw misfit(path, 'JSON');
}

function objectAt(value: unknown, path: string): JsonObject {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw misfit(path, 'an object');
  return value as JsonObject;
}
