/** How one plain JSON object differs from another, as plain JSON: what the journal writes instead of whole records. */
import type { JsonObject } from '../../recovery/messages';
import { ownOf, put } from '../../recovery/own-properties';

/** A difference. Null is a value like any other; a property that is undefined is one that is not there. */
export interface Patch {
  /** New values. */
  set?: JsonObject;
  /** Properties that are gone. */
  unset?: string[];
  /** Differences within objects. */
  within?: { [property: string]: Patch };
}

/**
 * The way from one object to another; null when they are the same. What has the same reference is taken to be the same,
 * objects are compared property by property, everything else is replaced as a whole, arrays too.
 */
export function difference(before: JsonObject, after: JsonObject): Patch | null {
  const patch: Patch = {};
  for (const property of Object.keys(after)) {
    const value = after[property];
    const former = ownOf(before, property);
    if (value === former || value === undefined) continue;
    if (!isObject(value) || !isObject(former)) {
      patch.set ??= {};
      put(patch.set, property, value);
      continue;
    }
    const within = difference(former, value);
    if (!within) continue;
    patch.within ??= {};
    put(patch.within, property, within);
  }
  for (const property of Object.keys(before)) {
    if (before[property] === undefined || ownOf(after, property) !== undefined) continue;
    patch.unset ??= [];
    patch.unset.push(property);
  }
  return patch.set || patch.unset || patch.within ? patch : null;
}

/** Changes `object` by a difference, in place. False when the difference does not belong to it. */
export function apply(object: JsonObject, { set = {}, unset = [], within = {} }: Patch): boolean {
  for (const property of Object.keys(within)) {
    const inner = ownOf(object, property);
    if (!isObject(inner) || !apply(inner, within[property] as Patch)) return false;
  }
  for (const property of unset) delete object[property];
  for (const property of Object.keys(set)) put(object, property, set[property]);
  return true;
}

/** An object that is no array. */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
