/**
 * What is looked at before anybody acts on a message. The library parses whatever it is given, at 30 µs for each parameter
 * and 0.3 ms for each Contact, and keeps only the last of two fields that must be one.
 */
import type { IncomingRequestMessage } from './library';

/** Most lines of a head, continuations not counted; 70 hops add 140 of them at most. */
const mostFields = 512;
/** Most of those fields that the library parses. */
const mostParsedFields = 64;
/** Longest text of the first line and all parsed fields, in UTF-16 units; that of the long request in RFC 4475 (3.1.1.7) is 2,000. */
const longestParsed = 8 * 1024;
/** Most parameters and list members in them. */
const mostParameters = 512;
/** Largest CSeq number (RFC 3261, 8.1.1.5). */
const largestSequence = 2 ** 31 - 1;

/** Fields that the library parses on arrival, in both forms. Of Via it parses the first one only. */
const parsedFields: ReadonlySet<string> = new Set(
  'from f to t record-route call-id i contact m content-length l content-type c cseq max-forwards www-authenticate proxy-authenticate refer-to r'.split(
    ' ',
  ),
);
/** Fields that a request has once (RFC 3261, 20), in their compact forms. */
const singleFields: ReadonlyMap<string, string> = new Map([
  ['from', 'f'],
  ['to', 't'],
  ['call-id', 'i'],
  ['cseq', 'cseq'],
  ['max-forwards', 'max-forwards'],
]);

/** Why a request is refused before anybody has looked at what it wants. */
export interface Fault {
  status: number;
  headers?: string[];
}

/** Whether parsing a message costs no more than a message may; anything else is dropped unread. */
export function isBearable(text: string): boolean {
  let fields = 0;
  let parsed = 0;
  let length = 0;
  let parameters = 0;
  // The first line is parsed as well.
  let counted = true;
  let viaSeen = false;
  for (let begin = 0; !text.startsWith('\r\n', begin); ) {
    const end = text.indexOf('\r\n', begin);
    if (end < 0) return false;
    const line = text.slice(begin, end);
    if (begin > 0 && !/^[ \t]/.test(line)) {
      const colon = line.indexOf(':');
      // The library would look for the colon in everything that follows.
      if (colon < 1) return false;
      const name = nameIn(line.slice(0, colon));
      const via = name === 'via' || name === 'v';
      counted = via ? !viaSeen : parsedFields.has(name);
      viaSeen ||= via;
      fields += 1;
      if (counted) parsed += 1;
    }
    if (counted) {
      length += line.length;
      parameters += line.match(/[,;&]/g)?.length ?? 0;
    }
    if (fields > mostFields || parsed > mostParsedFields) return false;
    if (length > longestParsed || parameters > mostParameters) return false;
    begin = end + 2;
  }
  return true;
}

/** What every request must be, whatever it wants (RFC 3261, 8.2); `supported` are the option tags that we know. */
export function faultOf(request: IncomingRequestMessage, supported: readonly string[]): Fault | undefined {
  const headEnd = request.data.indexOf('\r\n\r\n');
  const [start = '', ...lines] = request.data.slice(0, headEnd < 0 ? undefined : headEnd).split('\r\n');
  if (!/ SIP\/2\.0$/i.test(start)) return { status: 505 };

  const names = lines.flatMap((line) => (/^[ \t]/.test(line) ? [] : [nameIn(line.slice(0, line.indexOf(':')))]));
  for (const [name, compact] of singleFields) {
    if (names.filter((each) => each === name || each === compact).length > 1) return { status: 400 };
  }
  const sequence: { value: number; method: string } | undefined = request.parseHeader('cseq');
  if (!sequence || sequence.method !== request.method || sequence.value > largestSequence) return { status: 400 };

  // What it cannot read as a SIP URI the library leaves as text.
  if (typeof request.ruri?.scheme !== 'string') return { status: /^\S+ sips?:/i.test(start) ? 400 : 416 };
  const unknown = request
    .getHeaders('require')
    .flatMap((value) => value.split(','))
    .map((tag) => tag.trim())
    .filter((tag) => tag !== '' && !supported.includes(tag.toLowerCase()));
  if (unknown.length > 0) return { status: 420, headers: [`Unsupported: ${unknown.join(', ')}`] };
  return undefined;
}

function nameIn(text: string): string {
  return text.trim().toLowerCase();
}
