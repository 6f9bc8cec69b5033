/** Session descriptions (RFC 4566) of somebody who signals and carries no media: every stream is inactive (RFC 3264, 5.1). */

import type { Body } from './exchange';

/** An offer with one inactive stream per kind of media; servers want at least one (FreeSWITCH: 488 otherwise). */
export function inactiveOffer(host: string, media: readonly string[] = ['audio']): Body {
  const kinds = media.filter((kind) => kind === 'audio' || kind === 'video');
  return description(host, (kinds.length > 0 ? kinds : ['audio']).map(stream));
}

/** The answer that accepts each stream of an offer as inactive; without an offer, an offer of our own (RFC 3261, 14.2). */
export function inactiveAnswer(host: string, offer: string): Body {
  const lines = offer.split(/\r?\n/).filter((line) => line.startsWith('m='));
  if (lines.length === 0) return inactiveOffer(host);
  return description(
    host,
    lines.map((line) =>
      line.replace(/^(m=\S+) (\d+)/, (_, kind: string, port: string) => `${kind} ${port === '0' ? 0 : 9}`),
    ),
  );
}

function stream(kind: string): string {
  return `m=${kind} 9 RTP/AVP ${kind === 'video' ? 34 : 0}`;
}

function description(host: string, streams: string[]): Body {
  const address = `IN ${host.includes(':') ? 'IP6' : 'IP4'} ${host}`;
  const head = ['v=0', `o=- 1 1 ${address}`, 's=-', `c=${address}`, 't=0 0'];
  const lines = [...head, ...streams.flatMap((line) => [line, 'a=inactive'])];
  return { contentType: 'application/sdp', content: `${lines.join('\r\n')}\r\n` };
}
