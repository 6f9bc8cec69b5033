import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { setTimeout as delay } from 'node:timers/promises';
import fc from 'fast-check';
import { isMediaPacket, type MediaReport, MediaWatch, mostWatchedCalls } from '../../../nodes/signaling/sip/media';
import { audioPortIn, RtpSender, rtcp, rtp } from '../../support/rtp';
import { VirtualClock } from '../../support/virtual-clock';
import { Endpoint, leewayMs } from './harness';
import { type Message, ScriptedFocus } from './scripted-focus';

const timeoutMs = 5000;

describe('media packets', () => {
  /** A packet with other bytes at the front. */
  const changed = (packet: Buffer, ...start: number[]): Buffer => {
    const copy = Buffer.from(packet);
    copy.set(start);
    return copy;
  };
  const report = rtcp().subarray(0, 28);

  const wellFormed: [string, Buffer][] = [
    ['RTP', rtp()],
    ['RTP without a payload', rtp().subarray(0, 12)],
    ['RTP with contributing sources', changed(rtp(), 0x8f)],
    [
      'RTP with an extension',
      Buffer.concat([changed(rtp().subarray(0, 12), 0x90), Buffer.from([0, 0, 0, 1, 0, 0, 0, 0])]),
    ],
    ['RTP with padding', Buffer.concat([changed(rtp(), 0xa0), Buffer.from([0, 0, 0, 4])])],
    ['comfort noise', changed(rtp().subarray(0, 13), 0x80, 13)],
    ['a marked packet', changed(rtp(), 0x80, 0x80)],
    ['a sender report', report],
    ['a receiver report', Buffer.from([0x80, 201, 0, 1, 0, 0, 0, 1])],
    ['a compound packet', rtcp()],
  ];
  for (const [name, packet] of wellFormed) it(`${name} counts`, () => assert.ok(isMediaPacket(packet)));

  const malformed: [string, Buffer][] = [
    ['nothing', Buffer.alloc(0)],
    ['STUN', Buffer.from('000100002112a442000000000000000000000000', 'hex')],
    ['text', Buffer.from('OPTIONS sip:a@b SIP/2.0\r\n\r\n')],
    ['RTP of another version', changed(rtp(), 0x40)],
    ['RTP that is too short', rtp().subarray(0, 11)],
    ['RTP that is too short for its sources', changed(rtp().subarray(0, 71), 0x8f)],
    ['RTP that is too short for the head of its extension', changed(rtp().subarray(0, 15), 0x90)],
    [
      'RTP that is too short for its extension',
      Buffer.concat([changed(rtp().subarray(0, 12), 0x90), Buffer.from([0, 0, 0, 2, 0, 0, 0, 0])]),
    ],
    ['RTP with padding of no length', Buffer.concat([changed(rtp(), 0xa0), Buffer.from([0])])],
    ['RTP with more padding than packet', Buffer.concat([changed(rtp(), 0xa0), Buffer.from([200])])],
    ['RTCP that begins with no report', rtcp().subarray(28)],
    ['RTCP that is too short', report.subarray(0, 20)],
    ['RTCP with something behind it', Buffer.concat([report, Buffer.from([0, 0, 0])])],
    ['RTCP with another version behind it', Buffer.concat([report, Buffer.from([0x41, 202, 0, 0])])],
  ];
  for (const [name, packet] of malformed) it(`${name} does not count`, () => assert.ok(!isMediaPacket(packet)));

  it('no bytes whatever make it fail', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.constantFrom(0, 0x80, 0x90, 0xa0, 0xbf), (bytes, first) => {
        const packet = Buffer.from([first, ...bytes]);
        assert.equal(typeof isMediaPacket(packet), 'boolean');
      }),
    );
  });
});

describe('media watch', () => {
  let clock: VirtualClock;
  let reports: MediaReport[];
  let watch: MediaWatch;
  let sender: RtpSender | undefined;

  const open = async (host = '127.0.0.1'): Promise<number> => {
    const port = await watch.open(host);
    sender = new RtpSender(port, host);
    return port;
  };

  beforeEach(() => {
    clock = new VirtualClock();
    reports = [];
    watch = new MediaWatch(clock, timeoutMs, (report) => reports.push(report));
  });

  afterEach(() => {
    watch.close();
    sender?.stop();
    sender = undefined;
    assert.equal(clock.pending, 0);
  });

  it('has an even port for RTP and the next for RTCP, and counts both (RFC 3550, 11)', async () => {
    const port = await open();
    assert.equal(port % 2, 0);
    watch.begin();
    await sender?.send(rtp());
    await sender?.send(rtcp(), 1);
    await sender?.send(Buffer.from('something else'));
    assert.deepEqual(reports, [{ flowing: true, lastPacketAt: clock.now(), packets: 1 }]);
    clock.advance(timeoutMs);
    assert.deepEqual(reports[1], { flowing: false, lastPacketAt: clock.now() - timeoutMs, packets: 2 });
  });

  it('tells when media begin, end and come back, and nothing in between', async () => {
    await open();
    watch.begin();
    for (let packet = 1; packet <= 3; packet += 1) {
      clock.advance(timeoutMs - 1);
      await sender?.send(rtp(packet));
    }
    const lastPacketAt = clock.now();
    assert.deepEqual(
      reports.map(({ flowing }) => flowing),
      [true],
    );
    clock.advance(timeoutMs - 1);
    assert.equal(reports.length, 1);
    clock.advance(1);
    assert.deepEqual(reports[1], { flowing: false, lastPacketAt, packets: 3 });
    clock.advance(10 * timeoutMs);
    await sender?.send(rtp(4));
    assert.deepEqual(reports.slice(2), [{ flowing: true, lastPacketAt: clock.now(), packets: 4 }]);
    clock.advance(timeoutMs);
    assert.deepEqual(
      reports.map(({ flowing }) => flowing),
      [true, false, true, false],
    );
  });

  it('tells that none have come', async () => {
    await open();
    watch.begin();
    clock.advance(timeoutMs);
    assert.deepEqual(reports, [{ flowing: false, lastPacketAt: null, packets: 0 }]);
  });

  it('says nothing before the call is established, but counts what comes early', async () => {
    await open();
    await sender?.send(rtp());
    clock.advance(2 * timeoutMs);
    assert.deepEqual(reports, []);
    watch.begin();
    assert.deepEqual(
      reports.map(({ flowing, packets }) => [flowing, packets]),
      [[true, 1]],
    );
    clock.advance(timeoutMs);
    assert.deepEqual(
      reports.map(({ flowing }) => flowing),
      [true, false],
    );
  });

  it('says nothing once it is closed, and gives its ports back', async () => {
    const port = await open();
    watch.begin();
    watch.close();
    await sender?.send(rtp());
    clock.advance(timeoutMs);
    watch.begin();
    assert.deepEqual(reports, []);
    for (const freed of [port, port + 1]) {
      const socket = createSocket('udp4');
      await new Promise<void>((resolve, reject) => {
        socket.once('error', reject);
        socket.bind(freed, '127.0.0.1', () => socket.close(() => resolve()));
      });
    }
  });

  it('works over IPv6', async function () {
    try {
      await open('::1');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EADDRNOTAVAIL') throw error;
      console.log('    skipped: this machine has no IPv6 loopback');
      return this.skip();
    }
    watch.begin();
    await sender?.send(rtp());
    assert.equal(reports.length, 1);
  });

  it('says why there is no port: an address that is not ours', async () => {
    await assert.rejects(watch.open('192.0.2.1'), /EADDRNOTAVAIL/);
  });

  it('opens nothing when it is closed meanwhile', async () => {
    const opening = watch.open('127.0.0.1');
    watch.close();
    await assert.rejects(opening, /call is over/);
  });

  it('opens no more ports than a process should have, and some again when others are closed', async () => {
    const watches = Array.from({ length: mostWatchedCalls }, () => new MediaWatch(clock, timeoutMs, () => {}));
    try {
      for (const each of watches) await each.open('127.0.0.1');
      await assert.rejects(open(), new RegExp(`${mostWatchedCalls} calls`));
      watches.pop()?.close();
      assert.equal((await open()) % 2, 0);
    } finally {
      for (const each of watches) each.close();
    }
  });
});

describe('media of a SIP call', function () {
  this.timeout(60_000);
  const mediaTimeoutMs = 200;
  let focus: ScriptedFocus;
  let alice: Endpoint;
  let sender: RtpSender | undefined;

  /** Joins and places a call; returns its INVITE. */
  const call = async (mcu = 'audio-video', media = ['audio']): Promise<Message> => {
    alice.perform({ effect: 'join', dialog: 1, rejoin: false });
    await focus.next('SUBSCRIBE');
    alice.perform({ effect: 'place-call', callId: 'c', mcu, media, timeoutMs: 1000 });
    const invite = await focus.next('INVITE', 2);
    await alice.next('call-accepted');
    return invite;
  };

  beforeEach(async () => {
    focus = await new ScriptedFocus().start();
    alice = new Endpoint(focus, `sip:room@127.0.0.1:${focus.port}`, { mediaTimeoutMs });
  });

  afterEach(async () => {
    sender?.stop();
    sender = undefined;
    await alice.port.close();
    await focus.stop();
  });

  it('flow while RTP arrives at the port that was offered, end when it stops, and come back', async () => {
    const { body } = await call();
    assert.match(body, /\r\nc=IN IP4 127\.0\.0\.1\r\n/);
    assert.match(body, /\r\nm=audio \d+ RTP\/AVP 0 8\r\na=recvonly\r\n$/);
    sender = new RtpSender(audioPortIn(body));
    sender.start();
    const began = await alice.next('media', ({ flowing }) => flowing);
    assert.equal(began.callId, 'c');
    assert.equal(began.mcu, 'audio-video');
    await delay(2 * mediaTimeoutMs);
    assert.equal(alice.count('media'), 1);

    sender.pause();
    const ended = await alice.next('media', ({ flowing }) => !flowing);
    assert.ok(ended.packets >= 2, `${ended.packets} packets`);
    assert.ok(Number(ended.lastPacketAt) <= Date.now() - mediaTimeoutMs);

    const since = alice.events.length;
    sender.start();
    const back = await alice.next('media', ({ flowing }) => flowing, { since });
    assert.equal(back.packets, ended.packets + 1);
  });

  it('have ended when none ever come', async () => {
    await call();
    const { flowing, lastPacketAt, packets } = await alice.next('media');
    assert.deepEqual({ flowing, lastPacketAt, packets }, { flowing: false, lastPacketAt: null, packets: 0 });
  });

  it('keep their port when the far end changes the session, by re-INVITE or by UPDATE (RFC 3264, 8)', async () => {
    const invite = await call();
    const offer = (direction: string): string =>
      `v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0 8\r\na=${direction}\r\n`;
    const headers = ['Content-Type: application/sdp'];
    const answers = (): Message[] => focus.all('200').filter(({ headers }) => /INVITE|UPDATE/.test(headers.cseq ?? ''));
    const answer = async (method: string, body: string): Promise<string> => {
      const before = answers().length;
      focus.send(method, invite, body === '' ? [] : headers, body);
      for (let waited = 0; answers().length === before && waited < leewayMs; waited += 5) await delay(5);
      if (method === 'INVITE')
        focus.send('ACK', invite, [], '', { CSeq: `${answers().at(-1)?.headers.cseq?.split(' ')[0]} ACK` });
      return answers().at(-1)?.body ?? '';
    };
    assert.equal(await answer('INVITE', offer('sendrecv')), invite.body);
    assert.equal(await answer('INVITE', ''), invite.body);
    const held = await answer('UPDATE', offer('inactive'));
    assert.equal(audioPortIn(held), audioPortIn(invite.body));
    assert.match(held, /o=- 1 2 .*a=inactive/s);
    assert.equal(await answer('UPDATE', ''), '');
    assert.equal(audioPortIn(await answer('INVITE', offer('sendrecv'))), audioPortIn(invite.body));
  });

  it('stay inactive where only the conference is watched, where text is exchanged, and by default', async () => {
    const text = await call('chat', ['text']);
    assert.match(text.body, /m=audio 9 RTP\/AVP 0\r\na=inactive/);
    assert.match((await focus.next('INVITE')).body, /m=audio 9 RTP\/AVP 0\r\na=inactive/);
    await alice.port.close();
    alice = new Endpoint(focus, `sip:room@127.0.0.1:${focus.port}`);
    focus.received.length = 0;
    assert.match((await call()).body, /m=audio 9 RTP\/AVP 0\r\na=inactive/);
    await delay(2 * mediaTimeoutMs);
    assert.equal(alice.count('media'), 0);
  });

  it('give their port back when the call ends, by whoever', async () => {
    const invite = await call();
    const port = audioPortIn(invite.body);
    const isFree = (): Promise<boolean> => {
      const socket = createSocket('udp4');
      return new Promise((resolve) => {
        socket.once('error', () => resolve(false));
        socket.bind(port, '127.0.0.1', () => socket.close(() => resolve(true)));
      });
    };
    assert.equal(await isFree(), false);
    focus.send('BYE', invite);
    await alice.next('call-ended');
    assert.equal(await isFree(), true);
    await delay(2 * mediaTimeoutMs);
    assert.equal(alice.count('media'), 0);
  });

  it('are forgotten when the port is closed', async () => {
    const { body } = await call();
    await alice.port.close();
    const socket = createSocket('udp4');
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject);
      socket.bind(audioPortIn(body), '127.0.0.1', () => socket.close(() => resolve()));
    });
  });

  it('without a port there is no call: one typed outcome, and nothing is sent', async () => {
    const others = Array.from(
      { length: mostWatchedCalls },
      () => new MediaWatch(new VirtualClock(), timeoutMs, () => {}),
    );
    try {
      for (const each of others) await each.open('127.0.0.1');
      alice.perform({ effect: 'join', dialog: 1, rejoin: false });
      await focus.next('SUBSCRIBE');
      alice.perform({ effect: 'place-call', callId: 'c', mcu: 'audio-video', media: ['audio'], timeoutMs: 1000 });
      const { outcome } = await alice.next('call-failed');
      assert.ok(outcome.kind === 'unreachable' && outcome.cause === 'transport' && !outcome.written);
      assert.match(outcome.message, /no port for its media/);
      assert.equal(focus.all('INVITE').length, 1);
    } finally {
      for (const each of others) each.close();
    }
  });

  it('a call that is called off before its port is open is never placed', async () => {
    alice.perform({ effect: 'join', dialog: 1, rejoin: false });
    await focus.next('SUBSCRIBE');
    alice.perform({ effect: 'place-call', callId: 'c', mcu: 'audio-video', media: ['audio'], timeoutMs: 1000 });
    alice.perform({ effect: 'end-call', callId: 'c', mcu: 'audio-video' });
    await alice.next('call-ended');
    assert.equal(alice.count('call-failed'), 1);
    await delay(50);
    assert.equal(focus.all('INVITE').length, 1);
  });

  it('a call to a server that is not there fails as it does without media', async () => {
    await focus.stop();
    alice.perform({ effect: 'place-call', callId: 'c', mcu: 'audio-video', media: ['audio'], timeoutMs: 1000 });
    const { outcome } = await alice.next('call-failed');
    assert.ok(outcome.kind === 'unreachable' && outcome.cause === 'transport' && !outcome.written);
    assert.match(outcome.message, /ECONNREFUSED/);
    focus = await new ScriptedFocus().start();
  });
});
