import assert from 'node:assert/strict';
import { Retransmissions } from '../../../nodes/signaling/sip/flow/retransmission';
import { VirtualClock } from '../../support/virtual-clock';

const message = (start: string, cseq: string, { branch = 'z9hG4bK1', callId = 'call-1' } = {}): string =>
  `${start}\r\nVia: SIP/2.0/UDP 127.0.0.1:5060;rport;branch=${branch}\r\nCall-ID: ${callId}\r\nCSeq: ${cseq}\r\n\r\n`;
const request = (method: string, more = {}): string => message(`${method} sip:a@b SIP/2.0`, `1 ${method}`, more);
const response = (status: number, method: string, more = {}): string =>
  message(`SIP/2.0 ${status} Something`, `1 ${method}`, more);

describe('retransmission over UDP (RFC 3261, 17)', () => {
  let clock: VirtualClock;
  let start: number;
  let written: { at: number; text: string }[];
  let retransmissions: Retransmissions;

  const times = (): number[] => written.map(({ at }) => at);

  beforeEach(() => {
    clock = new VirtualClock();
    start = clock.now();
    written = [];
    retransmissions = new Retransmissions(clock, (text) => written.push({ at: clock.now() - start, text }));
  });

  it('sends an INVITE again with timer A: the interval doubles, until timer B ends it', () => {
    retransmissions.sent(request('INVITE'));
    clock.advance(100_000);
    assert.deepEqual(times(), [500, 1500, 3500, 7500, 15_500, 31_500]);
    assert.ok(written.every(({ text }) => text === request('INVITE')));
    assert.equal(clock.pending, 0);
  });

  it('sends anything else again with timer E: the interval doubles up to 4 s, until timer F ends it', () => {
    retransmissions.sent(request('UPDATE'));
    clock.advance(100_000);
    assert.deepEqual(times(), [500, 1500, 3500, 7500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500]);
    assert.equal(clock.pending, 0);
  });

  it('sends an INVITE no more after any response, and anything else every 4 s after a provisional one', () => {
    retransmissions.sent(request('INVITE'));
    retransmissions.sent(request('INFO'));
    clock.advance(600);
    assert.ok(retransmissions.receive(response(100, 'INVITE')));
    assert.ok(retransmissions.receive(response(100, 'INFO')));
    written = [];
    clock.advance(12_000);
    assert.deepEqual(times(), [1500, 5500, 9500]);
    assert.ok(written.every(({ text }) => text === request('INFO')));
  });

  it('sends nothing more after a final response, and does not mind that of another transaction', () => {
    retransmissions.sent(request('OPTIONS'));
    retransmissions.receive(response(200, 'OPTIONS', { branch: 'z9hG4bK2' }));
    retransmissions.receive(response(200, 'INFO'));
    clock.advance(500);
    assert.equal(written.length, 1);
    assert.ok(retransmissions.receive(response(404, 'OPTIONS')));
    clock.advance(40_000);
    assert.equal(written.length, 1);
    assert.equal(clock.pending, 0);
  });

  it('repeats the ACK of a refusal that arrives again, and lets every 2xx through', () => {
    retransmissions.sent(request('INVITE'));
    assert.ok(retransmissions.receive(response(486, 'INVITE')));
    retransmissions.sent(request('ACK'));
    clock.advance(1000);
    assert.equal(retransmissions.receive(response(486, 'INVITE')), false);
    assert.deepEqual(written, [{ at: 1000, text: request('ACK') }]);
    assert.ok(retransmissions.receive(response(200, 'INVITE')));
    assert.ok(retransmissions.receive(response(200, 'INVITE')));
    // Timer D: after 64·T1 nobody remembers.
    clock.advance(32_000);
    assert.ok(retransmissions.receive(response(486, 'INVITE')));
    assert.equal(written.length, 1);
  });

  it('answers a request that arrives again as it was answered before, for 32 s (timer J)', () => {
    const update = request('UPDATE', { branch: 'z9hG4bKpeer' });
    const answer = response(200, 'UPDATE', { branch: 'z9hG4bKpeer' });
    assert.ok(retransmissions.receive(update));
    assert.equal(retransmissions.receive(update), false, 'it is being answered');
    assert.equal(written.length, 0);
    retransmissions.sent(answer);
    clock.advance(31_000);
    assert.equal(retransmissions.receive(update), false);
    assert.deepEqual(written, [{ at: 31_000, text: answer }]);
    clock.advance(1001);
    assert.ok(retransmissions.receive(update));
  });

  it('sends the answer to an INVITE again until it is acknowledged (timer G; 13.3.1.4)', () => {
    for (const status of [200, 488]) {
      start = clock.now();
      written = [];
      const of = { branch: `z9hG4bK${status}`, callId: `call-${status}` };
      retransmissions.receive(request('INVITE', of));
      retransmissions.sent(response(status, 'INVITE', of));
      clock.advance(12_000);
      assert.deepEqual(times(), [500, 1500, 3500, 7500, 11_500]);
      // The ACK of a 2xx has a branch of its own.
      assert.ok(retransmissions.receive(request('ACK', { ...of, branch: 'z9hG4bKack' })));
      clock.advance(60_000);
      assert.equal(written.length, 5);
    }
    assert.equal(clock.pending, 0);
  });

  it('lets everything through that says too little of itself', () => {
    for (const text of ['', 'hello', 'OPTIONS sip:a SIP/2.0\r\n\r\n']) {
      retransmissions.sent(text);
      assert.ok(retransmissions.receive(text));
      assert.ok(retransmissions.receive(text));
    }
    assert.equal(clock.pending, 0);
  });

  it('reads short names of headers, in any case', () => {
    const compact = 'OPTIONS sip:a SIP/2.0\r\nv:SIP/2.0/UDP h ;BRANCH=z9hG4bKc;rport\r\ni:c\r\ncseq:7 OPTIONS\r\n\r\n';
    assert.ok(retransmissions.receive(compact));
    assert.equal(retransmissions.receive(compact), false);
  });

  it('remembers at most 10,000 transactions of a kind', () => {
    const first = request('UPDATE', { branch: 'z9hG4bK-first' });
    retransmissions.receive(first);
    for (let index = 0; index < 10_000; index += 1) {
      retransmissions.receive(request('UPDATE', { branch: `z9hG4bKin${index}` }));
      retransmissions.sent(request('UPDATE', { branch: `z9hG4bKout${index}` }));
    }
    assert.ok(retransmissions.receive(first), 'forgotten');
    assert.equal(clock.pending, 10_000);
    retransmissions.sent(request('UPDATE', { branch: 'z9hG4bKlast' }));
    assert.equal(clock.pending, 10_000);
    retransmissions.stop();
    assert.equal(clock.pending, 0);
  });
});
