/**
 * Session descriptions (RFC 4566) of somebody who signals. Every stream is inactive (RFC 3264, 5.1), but the audio of a
 * call whose packets are counted: that one is received, and nothing is sent.
 */

import type { Body } from './exchange';

/** Payload types that we say we take: PCMU and PCMA (RFC 3551), which every server has. */
const audioFormats = ['0', '8'];

/** Our description of one session, offer and answer alike: origin and ports stay, the version says whether all is as before. */
export class SessionDescription {
  private host = '';
  private version = 0;
  private streams: string[] = [];

  constructor(
    /** Kinds of media to offer; what is neither audio nor video travels as signaling. Servers want at least one stream. */
    private readonly media: readonly string[] = [],
    /** The port at which audio is received; null: it is inactive, as all else. */
    private readonly audioPort: number | null = null,
  ) {}

  /** An offer: the first one, or all as it was (RFC 3264, 8). `host` is our address. */
  offer(host: string): Body {
    if (this.streams.length > 0) return this.write(host, this.streams);
    const kinds = this.media.filter((kind) => kind === 'audio' || kind === 'video');
    return this.write(
      host,
      (kinds.length > 0 ? kinds : ['audio']).map((kind) => {
        if (kind === 'audio' && this.audioPort !== null) return audio(this.audioPort, 'RTP/AVP', audioFormats, true);
        return inactive(`m=${kind} 9 RTP/AVP ${kind === 'video' ? 34 : 0}`);
      }),
    );
  }

  /** The answer to an offer, stream by stream (RFC 3264, 6); without an offer, an offer of our own (RFC 3261, 14.2). */
  answer(host: string, offer: string): Body {
    const [session = '', ...sections] = offer.split(/\r?\n(?=m=)/);
    if (sections.length === 0) return this.offer(host);
    let { audioPort } = this;
    return this.write(
      host,
      sections.map((section) => {
        const line = section.split(/\r?\n/, 1)[0] ?? '';
        const [, kind, port, protocol = '', formats = ''] = /^m=(\S+) (\d+)\S* (\S+) (.*)$/.exec(line) ?? [];
        const ours = audioFormats.filter((format) => formats.split(' ').includes(format));
        if (
          kind === 'audio' &&
          port !== '0' &&
          /^RTP\/AVPF?$/.test(protocol) &&
          ours.length > 0 &&
          audioPort !== null
        ) {
          const stream = audio(audioPort, protocol, ours, isSent(section, session));
          audioPort = null;
          return stream;
        }
        return inactive(line.replace(/^(m=\S+) (\d+)/, (_, start: string) => `${start} ${port === '0' ? 0 : 9}`));
      }),
    );
  }

  private write(host: string, streams: string[]): Body {
    // A later address of ours is the signaling's alone: that of the media is where their port is.
    if (this.host === '') this.host = host;
    if (streams.join() !== this.streams.join()) this.version += 1;
    this.streams = streams;
    const address = `IN ${this.host.includes(':') ? 'IP6' : 'IP4'} ${this.host}`;
    const lines = ['v=0', `o=- 1 ${this.version} ${address}`, 's=-', `c=${address}`, 't=0 0', ...streams];
    return { contentType: 'application/sdp', content: `${lines.join('\r\n')}\r\n` };
  }
}

/** A stream at our port. RTCP has the next one: that both share one is not offered, so nobody may (RFC 5761, 5.1.1). */
function audio(port: number, protocol: string, formats: readonly string[], received: boolean): string {
  return `m=audio ${port} ${protocol} ${formats.join(' ')}\r\na=${received ? 'recvonly' : 'inactive'}`;
}

function inactive(line: string): string {
  return `${line}\r\na=inactive`;
}

/** Whether the other side offers to send a stream: what its section says, else the session; by default it does. */
function isSent(section: string, session: string): boolean {
  const direction = /^a=(sendrecv|sendonly|recvonly|inactive)\s*$/m;
  const said = direction.exec(section)?.[1] ?? direction.exec(session)?.[1] ?? 'sendrecv';
  return said.startsWith('send');
}
