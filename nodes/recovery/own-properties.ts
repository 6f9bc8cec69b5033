/**
 * Objects as dictionaries whose keys come from outside: a server may send any entity, also a name that every object
 * inherits, or the one name that an object takes for something else (ECMA-262, B.2.2.1).
 */

/** The object's own value under a key; what it inherits does not count. */
export function ownOf<Value>(dictionary: { readonly [key: string]: Value }, key: string): Value | undefined {
  return Object.hasOwn(dictionary, key) ? dictionary[key] : undefined;
}

/**
 * An empty object that will have keys which no other has. The engine keeps it as a hash table: by default it would make a
 * hidden class for every set of keys that it meets, and those of a hundred thousand rosters take more room than what is in them.
 */
export function dictionary<Value>(): { [key: string]: Value } {
  const empty: { [key: string]: unknown } = { first: null, last: null };
  // Taking away what was not put in last is what makes a hash table of it.
  delete empty.first;
  delete empty.last;
  return empty as { [key: string]: Value };
}

/** What all records share that have nothing there: no record is ever changed in place. */
export const nothing = {
  list: Object.freeze<never[]>([]) as never[],
  table: Object.freeze<{ [key: string]: never }>({}) as { [key: string]: never },
} as const;

/** The dictionary without what it has under a key. */
export function without<Value>(dictionary: { readonly [key: string]: Value }, key: string): { [key: string]: Value } {
  const others: { [key: string]: Value } = {};
  for (const each in dictionary) if (each !== key) put(others, each, dictionary[each] as Value);
  return others;
}

/** Makes `value` the object's own value under any key. */
export function put<Value>(dictionary: { [key: string]: Value }, key: string, value: Value): void {
  if (key !== '__proto__') dictionary[key] = value;
  else Object.defineProperty(dictionary, key, { value, configurable: true, enumerable: true, writable: true });
}
