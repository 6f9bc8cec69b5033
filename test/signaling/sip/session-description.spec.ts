import assert from 'node:assert/strict';
import { SessionDescription } from '../../../nodes/signaling/sip/session-description';

const host = '192.0.2.1';

/** The media part of a description: everything from the first stream on. */
function streams({ content }: { content: string }): string[] {
  return content.slice(content.indexOf('m=')).trimEnd().split('\r\n');
}

function version({ content }: { content: string }): string | undefined {
  return /^o=- 1 (\d+) /m.exec(content)?.[1];
}

function offer(...lines: string[]): string {
  return ['v=0', 'o=- 7 7 IN IP4 192.0.2.9', 's=-', 'c=IN IP4 192.0.2.9', 't=0 0', ...lines, ''].join('\r\n');
}

describe('session descriptions', () => {
  it('without a port, every stream is inactive: one audio stream by default, or what is asked for', () => {
    assert.deepEqual(streams(new SessionDescription().offer(host)), ['m=audio 9 RTP/AVP 0', 'a=inactive']);
    assert.deepEqual(streams(new SessionDescription(['text']).offer(host)), ['m=audio 9 RTP/AVP 0', 'a=inactive']);
    assert.deepEqual(streams(new SessionDescription(['video', 'audio']).offer(host)), [
      'm=video 9 RTP/AVP 34',
      'a=inactive',
      'm=audio 9 RTP/AVP 0',
      'a=inactive',
    ]);
  });

  it('with a port, audio is received as PCMU or PCMA and nothing is sent; video stays inactive', () => {
    const description = new SessionDescription(['audio', 'video'], 4000).offer(host);
    assert.equal(description.contentType, 'application/sdp');
    assert.deepEqual(streams(description), [
      'm=audio 4000 RTP/AVP 0 8',
      'a=recvonly',
      'm=video 9 RTP/AVP 34',
      'a=inactive',
    ]);
    assert.match(
      description.content,
      /^v=0\r\no=- 1 1 IN IP4 192\.0\.2\.1\r\ns=-\r\nc=IN IP4 192\.0\.2\.1\r\nt=0 0\r\n/,
    );
  });

  it('names an IPv6 address as one', () => {
    assert.match(new SessionDescription(['audio'], 4000).offer('2001:db8::1').content, /\r\nc=IN IP6 2001:db8::1\r\n/);
  });

  it('repeats itself with the same version, and counts it up when something changes (RFC 3264, 8)', () => {
    const description = new SessionDescription(['audio'], 4000);
    const first = description.offer(host);
    assert.deepEqual(description.offer(host), first);
    assert.deepEqual(description.answer(host, offer('m=audio 5000 RTP/AVP 0 8')), first);
    const held = description.answer(host, offer('m=audio 5000 RTP/AVP 0 8', 'a=inactive'));
    assert.deepEqual(streams(held), ['m=audio 4000 RTP/AVP 0 8', 'a=inactive']);
    assert.equal(version(held), '2');
    assert.equal(version(description.offer(host)), '2');
    const back = description.answer(host, offer('m=audio 5000 RTP/AVP 0 8'));
    assert.deepEqual(streams(back), streams(first));
    assert.equal(version(back), '3');
  });

  it('keeps its origin and its address when ours becomes another: the port is where it was', () => {
    const description = new SessionDescription(['audio'], 4000);
    assert.deepEqual(description.offer(host), description.offer('192.0.2.2'));
  });

  for (const [said, answered] of [
    ['sendrecv', 'recvonly'],
    ['sendonly', 'recvonly'],
    ['recvonly', 'inactive'],
    ['inactive', 'inactive'],
  ]) {
    it(`answers ${said} with ${answered}, whether the stream or the session says it`, () => {
      const expected = ['m=audio 4000 RTP/AVP 8', `a=${answered}`];
      const description = new SessionDescription(['audio'], 4000);
      assert.deepEqual(streams(description.answer(host, offer('m=audio 5000 RTP/AVP 8', `a=${said}`))), expected);
      assert.deepEqual(streams(description.answer(host, offer(`a=${said}`, 'm=audio 5000 RTP/AVP 8'))), expected);
    });
  }

  it('answers stream by stream: one audio at our port, all else inactive, what is refused stays refused', () => {
    const description = new SessionDescription(['audio'], 4000);
    const answer = description.answer(
      host,
      offer(
        'm=audio 0 RTP/AVP 0',
        'm=audio 5000 RTP/SAVP 0',
        'm=audio 5002/2 RTP/AVPF 96 8 0',
        'a=rtcp-mux',
        'm=audio 5004 RTP/AVP 0',
        'm=video 5006 RTP/AVP 96',
        'm=nonsense',
      ),
    );
    assert.deepEqual(streams(answer), [
      'm=audio 0 RTP/AVP 0',
      'a=inactive',
      'm=audio 9 RTP/SAVP 0',
      'a=inactive',
      'm=audio 4000 RTP/AVPF 0 8',
      'a=recvonly',
      'm=audio 9 RTP/AVP 0',
      'a=inactive',
      'm=video 9 RTP/AVP 96',
      'a=inactive',
      'm=nonsense',
      'a=inactive',
    ]);
  });

  it('never takes RTCP on the port of RTP (RFC 5761, 5.1.1: whoever does not answer rtcp-mux refuses it)', () => {
    const description = new SessionDescription(['audio'], 4000);
    assert.doesNotMatch(description.offer(host).content, /rtcp-mux/);
    const answer = description.answer(host, offer('m=audio 5000 RTP/AVP 0', 'a=rtcp-mux'));
    assert.doesNotMatch(answer.content, /rtcp-mux/);
  });

  it('audio in formats that we do not name is inactive', () => {
    const answer = new SessionDescription(['audio'], 4000).answer(host, offer('m=audio 5000 RTP/AVP 96 101'));
    assert.deepEqual(streams(answer), ['m=audio 9 RTP/AVP 96 101', 'a=inactive']);
  });

  it('answers a request without an offer with one, as it was (RFC 3261, 14.2)', () => {
    const description = new SessionDescription(['audio'], 4000);
    const first = description.offer(host);
    for (const nothing of ['', 'hello', 'v=0\r\n']) assert.deepEqual(description.answer(host, nothing), first);
  });
});
