/** Messages out of a byte stream: on TCP the end of a SIP message is told by Content-Length (RFC 3261, 18.3). */

/** Longest head of a message, in bytes; whoever sends more is not speaking SIP to us. */
const longestHead = 64 * 1024;
/** Longest body, in bytes: twice the longest conference document that is read, so that one too long costs no connection. */
const longestBody = 4 * 1024 * 1024;
/** Longest message that is read, in bytes. */
export const longestMessage = longestHead + longestBody;

const carriageReturn = 0x0d;
const lineFeed = 0x0a;

/** What a chunk completed. After an `error` the stream cannot be read any further: the connection has to go. */
export interface Framed {
  messages: string[];
  /** Two empty lines: the far end asks for one as a sign of life (RFC 5626, 3.5.1). */
  pinged: boolean;
  error?: string;
}

/** Cuts one connection's bytes into messages. Holds one unfinished message at most, of bounded size. */
export class Framer {
  private chunks: Buffer[] = [];
  private length = 0;
  /** Fewer bytes than this cannot complete anything: chunks are joined only when it is worth it. */
  private needed = 1;

  push(chunk: Buffer): Framed {
    this.chunks.push(chunk);
    this.length += chunk.length;
    const messages: string[] = [];
    let pinged = false;
    if (this.length < this.needed) return { messages, pinged };

    let rest: Buffer = Buffer.concat(this.chunks);
    let error: string | undefined;
    for (;;) {
      const keepAlive = keepAliveLength(rest);
      pinged ||= rest.toString('latin1', 0, keepAlive).includes('\r\n\r\n');
      rest = rest.subarray(keepAlive);
      const next = measure(rest);
      if ('error' in next) {
        error = next.error;
        rest = Buffer.alloc(0);
        this.needed = 1;
        break;
      }
      this.needed = next.needed;
      if (rest.length < next.needed) break;
      messages.push(rest.toString('utf8', 0, next.needed));
      rest = rest.subarray(next.needed);
    }
    this.chunks = rest.length > 0 ? [rest] : [];
    this.length = rest.length;
    return error === undefined ? { messages, pinged } : { messages, pinged, error };
  }
}

/** Empty lines between messages are keep-alive (RFC 5626, 3.5.1; RFC 3261, 7.5). */
function keepAliveLength(bytes: Buffer): number {
  let length = 0;
  while (bytes[length] === carriageReturn || bytes[length] === lineFeed) length += 1;
  return length;
}

/** What is wrong with the head of a message of so many bytes, if it is too long; `headEnd` is its end, -1 as yet unknown. */
export function complaintOfHead(length: number, headEnd: number): string | undefined {
  if ((headEnd < 0 ? length : headEnd) <= longestHead) return undefined;
  return `a message head longer than ${longestHead} bytes`;
}

/** How many bytes the message at the start of `bytes` needs, as far as it can be told by now. */
function measure(bytes: Buffer): { needed: number } | { error: string } {
  const headEnd = bytes.indexOf('\r\n\r\n');
  const error = complaintOfHead(bytes.length, headEnd);
  if (error !== undefined) return { error };
  if (headEnd < 0) return { needed: bytes.length + 1 };
  // Trimmed by no expression: one that does goes over a run of spaces once for each of them.
  const lengths = new Set(
    [...bytes.toString('latin1', 0, headEnd).matchAll(/^(?:content-length|l)[ \t]*:([^\r\n]*)/gim)].map((match) =>
      (match[1] ?? '').trim(),
    ),
  );
  if (lengths.size > 1) return { error: 'a message with two different Content-Length headers' };
  // A stream needs the header (RFC 3261, 20.14); without it nothing but an empty body can be meant.
  const [value = '0'] = lengths;
  if (!/^\d{1,10}$/.test(value)) return { error: `Content-Length "${value.slice(0, 40)}", which is not a number` };
  const body = Number(value);
  if (body > longestBody) return { error: `a message body of ${body} bytes, more than ${longestBody}` };
  return { needed: headEnd + 4 + body };
}
