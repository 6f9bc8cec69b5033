import assert from 'node:assert/strict';
import { Framer } from '../../../nodes/signaling/sip/flow/framing';

const message = (body: string, header = `Content-Length: ${Buffer.byteLength(body)}`): string =>
  `INFO sip:a@b SIP/2.0\r\nCall-ID: 1\r\n${header}\r\n\r\n${body}`;

describe('framing of SIP messages', () => {
  it('finds messages wherever the stream is cut', () => {
    const sent = [message('grüße'), message(''), message('<x/>', 'l: 4')];
    const bytes = Buffer.from(`\r\n\r\n${sent.join('\r\n')}`);
    for (let size = 1; size <= bytes.length; size += 1) {
      const framer = new Framer();
      const received: string[] = [];
      for (let at = 0; at < bytes.length; at += size) {
        const { messages, error } = framer.push(bytes.subarray(at, at + size));
        assert.equal(error, undefined);
        received.push(...messages);
      }
      assert.deepEqual(received, sent, `in pieces of ${size} bytes`);
    }
  });

  it('takes a missing Content-Length for an empty body', () => {
    const bare = 'OPTIONS sip:a@b SIP/2.0\r\nCall-ID: 1\r\n\r\n';
    assert.deepEqual(new Framer().push(Buffer.from(bare + message('x'))).messages, [bare, message('x')]);
  });

  it('gives messages that came before an error', () => {
    const { messages, error } = new Framer().push(Buffer.from(message('x') + message('', 'Content-Length: -1')));
    assert.deepEqual(messages, [message('x')]);
    assert.match(error ?? '', /"-1"/);
  });

  for (const [what, bytes, expected] of [
    ['no number', message('', 'Content-Length: many'), /not a number/],
    ['nothing', message('', 'Content-Length:'), /not a number/],
    ['two numbers', message('x', 'Content-Length: 1\r\nl: 2'), /two different/],
    ['too much', message('', 'Content-Length: 99999999'), /body of 99999999 bytes/],
  ] as const) {
    it(`gives up on a Content-Length of ${what}`, () => {
      assert.match(new Framer().push(Buffer.from(bytes)).error ?? '', expected);
    });
  }

  it('does not collect a head without an end', () => {
    const framer = new Framer();
    let error: string | undefined;
    for (let sent = 0; sent < 100 && error === undefined; sent += 1) error = framer.push(Buffer.alloc(1024, 'x')).error;
    assert.match(error ?? '', /head longer/);
  });

  it('reads a long body in small pieces without copying it again and again', () => {
    const framer = new Framer();
    const body = 'x'.repeat(2_000_000);
    const bytes = Buffer.from(message(body));
    let received = 0;
    for (let at = 0; at < bytes.length; at += 100)
      received += framer.push(bytes.subarray(at, at + 100)).messages.length;
    assert.equal(received, 1);
  });
});
