/** How the torture messages are written down. */

/** A message of one of the RFCs. */
export interface TortureMessage {
  /** Its name in the RFC. */
  name: string;
  /** Section of the RFC. */
  section: string;
  bytes: Buffer;
}

/**
 * A message from its head, one line each, and its body. Lines end in CRLF; every character is one octet, so that an octet
 * beyond ASCII is written as the two digits of an escape.
 */
export function message(section: string, name: string, head: string, body = ''): TortureMessage {
  const text = `${head.replace(/^\n/, '').replace(/\n/g, '\r\n')}\r\n\r\n${body}`;
  return { name, section, bytes: Buffer.from(text, 'latin1') };
}

/** A session description of so many lines, with the address that the RFC uses in that message. */
export function description(address: string, family = 'IP4'): string {
  const lines = [
    'v=0',
    `o=mhandley 29739 7272939 IN ${family} ${address}`,
    's=-',
    `c=IN ${family} ${address}`,
    't=0 0',
    'm=audio 49217 RTP/AVP 0 12',
    'm=video 3227 RTP/AVP 31',
    'a=rtpmap:31 LPC',
  ];
  return lines.map((line) => `${line}\r\n`).join('');
}
