/**
 * Session descriptions (RFC 4566) of somebody who signals. Every stream is inactive (RFC 3264, 5.1), but the audio of a
 * call whose packets are counted: that one is received, and nothing is sent.
 */

import type { Body } from './exchange';
import type { SavedDescription } from './saved';

/** Payload types that we say we take: PCMU and PCMA (RFC 3551), which every server has. */
const audioFormats = ['0', '8'];

/** Our description of one session, offer and answer alike: origin and ports stay, the version says whether all is as before. */
export class SessionDescription {
  /** Our address when it was first written, which names the session. */
  private origin = '';
  /** The address of the media. */
  private host = '';
  /** Grows with each change (RFC 3264, 8). */
  version = 0;
  private streams: string[] = [];

  constructor(
    /** Kinds of media to offer; what is neither audio nor video travels as signaling. Servers want at least one stream. */
    private readonly media: readonly string[] = [],
    /** The port at which audio is received; null: it is inactive, as all else. */
    private audioPort: number | null = null,
  ) {}

  /** As another process has kept it. */
  static restored(saved: SavedDescription): SessionDescription {
    return Object.assign(new SessionDescription(), saved);
  }

  /** What another process needs to go on with it. */
  save(): SavedDescription {
    const { origin, host, version, streams, audioPort } = this;
    return { origin, host, version, streams, audioPort };
  }

  /** The audio is received at another port from now on, or at none: the next offer says so (RFC 3264, 8.3.1). */
  move(host: string, port: number | null): void {
    const before = `m=audio ${this.audioPort} `;
    this.streams = this.streams.map((stream) => {
      if (!stream.startsWith(before)) return stream;
      if (port !== null) return stream.replace(before, `m=audio ${port} `);
      return inactive((stream.split('\r\n', 1)[0] ?? '').replace(before, 'm=audio 9 '));
    });
    this.host = host;
    this.audioPort = port;
    this.version += 1;
  }

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
    if (this.origin === '') {
      this.origin = host;
      this.host = host;
    }
    if (streams.join() !== this.streams.join()) this.version += 1;
    this.streams = streams;
    const origin = `o=- 1 ${this.version} ${address(this.origin)}`;
    const lines = ['v=0', origin, 's=-', `c=${address(this.host)}`, 't=0 0', ...streams];
    return { contentType: 'application/sdp', content: `${lines.join('\r\n')}\r\n` };
  }
}

function address(host: string): string {
  return `IN ${host.includes(':') ? 'IP6' : 'IP4'} ${host}`;
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
