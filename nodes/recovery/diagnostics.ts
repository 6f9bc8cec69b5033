/**
 * Diagnostics of an answer: an id that decides, and words for people (UCMA, Diagnostics and error reporting; MS-OCER).
 * Applications have the ids from 60000 to 62999 to themselves: 61000 to 61999 for failures that are to be expected, 62000 to
 * 62999 for those that are not.
 */
import type { Diagnostics } from './messages';

/** Where they stand, best first: `-public` is what crosses federation, `-client` comes from the endpoints of users. */
const headerNames = ['ms-diagnostics', 'ms-diagnostics-public', 'ms-client-diagnostics'];

/** What an answer says of its cause: `ms-diagnostics` or a relative, else `Warning` (RFC 3261, 20.43), else nothing. */
export function diagnosticsOf(headers: { readonly [name: string]: string }): Diagnostics | undefined {
  for (const name of headerNames) {
    const found = errorIn(headerOf(headers, name));
    if (found) return found;
  }
  return warningIn(headerOf(headers, 'warning'));
}

/** The value of a header, whatever the case of its name (RFC 3261, 7.3.1); empty when there is none. */
export function headerOf(headers: { readonly [name: string]: string }, name: string): string {
  return Object.entries(headers).find(([key]) => key.toLowerCase() === name)?.[1] ?? '';
}

/** `id;source="…";reason="…";name=value`, the first of several. */
function errorIn(value: string): Diagnostics | undefined {
  const head = /^\s*(\d{1,9})\s*(?=[;,]|$)/.exec(value);
  if (!head) return undefined;
  const parameters: [string, string][] = [];
  const parameter = /\s*;\s*([\w.!%*+`'~-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;,"]*))/y;
  parameter.lastIndex = head[0].length;
  for (let found = parameter.exec(value); found; found = parameter.exec(value)) {
    const [, name = '', quoted, plain = ''] = found;
    parameters.push([wellKnown(name), quoted === undefined ? plain : unquoted(quoted)]);
  }
  return { ...Object.fromEntries(parameters), id: Number(head[1]) };
}

/** UCMA itself writes `Reason` as well as `reason`. */
function wellKnown(name: string): string {
  const lower = name.toLowerCase();
  return lower === 'reason' || lower === 'source' ? lower : name;
}

/** `code agent "text"`. */
function warningIn(value: string): Diagnostics | undefined {
  const found = /^\s*(\d{3}) +(\S+) +"((?:[^"\\]|\\.)*)"/.exec(value);
  return found ? { id: Number(found[1]), source: found[2] as string, reason: unquoted(found[3] as string) } : undefined;
}

function unquoted(text: string): string {
  return text.replace(/\\(.)/g, '$1');
}
