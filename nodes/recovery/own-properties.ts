/**
 * Objects as dictionaries whose keys come from outside: a server may send any entity, also a name that every object
 * inherits, or the one name that an object takes for something else (ECMA-262, B.2.2.1).
 */

/** The object's own value under a key; what it inherits does not count. */
export function ownOf<Value>(dictionary: { readonly [key: string]: Value }, key: string): Value | undefined {
  return Object.hasOwn(dictionary, key) ? dictionary[key] : undefined;
}

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
