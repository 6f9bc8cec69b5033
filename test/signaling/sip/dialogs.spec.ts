/** What happens in a dialog once there is one, with a scripted Focus and a clock that is told what time it is. */
import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { VirtualClock } from '../../support/virtual-clock';
import { Endpoint } from './harness';
import { type Message, type Script, ScriptedFocus } from './scripted-focus';

describe('dialogs', () => {
  let focus: ScriptedFocus;
  let clock: VirtualClock;
  let alice: Endpoint;
  let invite: Message;
  let silent = false;

  /** Joins a Focus without rosters whose answer to the INVITE carries these headers. */
  const join = async (...headers: string[]): Promise<void> => {
    focus.script = answering({ INVITE: { status: '200 OK', headers }, SUBSCRIBE: { status: '489 Bad Event' } });
    await alice.join();
    await focus.next('ACK');
    [invite] = focus.all('INVITE') as [Message];
    focus.received.length = 0;
    focus.script = () => ({ status: '200 OK' });
  };

  const answering =
    (answers: { [method: string]: ReturnType<Script> }): Script =>
    ({ what }) =>
      what in answers ? answers[what] : { status: '200 OK' };

  const fallSilent = (): void => {
    silent = true;
    focus.script = () => undefined;
  };

  /** Lets time pass so slowly that what is sent meanwhile really leaves. */
  const pass = async (ms: number): Promise<void> => {
    for (let left = ms; left > 0; left -= 5000) {
      clock.advance(Math.min(left, 5000));
      await delay(1);
    }
  };

  const placeCall = async (...headers: string[]): Promise<Message> => {
    focus.script = answering({ INVITE: { status: '200 OK', headers } });
    alice.perform({ effect: 'place-call', callId: 'c', mcu: 'audio-video', media: ['audio'], timeoutMs: 2000 });
    await alice.next('call-accepted');
    focus.script = () => ({ status: '200 OK' });
    await focus.next('ACK');
    const [call] = focus.all('INVITE') as [Message];
    focus.received.length = 0;
    return call;
  };

  beforeEach(async () => {
    focus = await new ScriptedFocus().start();
    clock = new VirtualClock();
    alice = new Endpoint(focus, `sip:room@127.0.0.1:${focus.port}`, { random: () => 0.5 }, clock);
  });

  afterEach(async () => {
    const closing = alice.port.close();
    // Where the Focus does not answer any more, the farewell ends with its time.
    if (silent) clock.advance(1000);
    await closing;
    silent = false;
    assert.equal(clock.pending, 0, 'no timer is left');
    await focus.stop();
  });

  describe('session timers', () => {
    it('offers one in the INVITE, and to refresh it (RFC 4028, 7.1)', async () => {
      await join();
      assert.match(invite.headers.supported ?? '', /\btimer\b/);
      assert.equal(invite.headers['session-expires'], '1800;refresher=uac');
      clock.advance(3_600_000);
      assert.deepEqual(focus.all('UPDATE'), []);
      assert.equal(alice.count('session-expired'), 0);
    });

    it('refreshes by UPDATE at half the interval, and tells what came of it', async () => {
      await join('Session-Expires: 600;refresher=uac');
      clock.advance(299_999);
      assert.equal(focus.all('UPDATE').length, 0);
      clock.advance(1);
      const update = await focus.next('UPDATE');
      assert.equal(update.headers['session-expires'], '600;refresher=uac');
      assert.equal(update.body, '');
      const told = await alice.next('outcome');
      assert.deepEqual([told.purpose, told.method, told.outcome], ['refresh', 'UPDATE', { kind: 'ok', status: 200 }]);
    });

    it('refreshes by re-INVITE with the same description where UPDATE is not allowed (RFC 4028, 7.4)', async () => {
      await join('Session-Expires: 600;refresher=uac', 'Allow: INVITE, ACK, BYE, OPTIONS');
      clock.advance(300_000);
      const again = await focus.next('INVITE');
      assert.equal(again.body, invite.body);
      assert.notEqual(again.body, '');
      assert.equal((await alice.next('outcome')).method, 're-INVITE');
      assert.equal(focus.all('UPDATE').length, 0);
    });

    it('asks for as much as a 422 wants, in the same join (RFC 4028, 7.3)', async () => {
      focus.script = ({ what, headers }) => {
        if (what === 'SUBSCRIBE') return { status: '489 Bad Event' };
        if (headers['min-se'] === '7200') return { status: '200 OK' };
        return { status: '422 Session Interval Too Small', headers: ['Min-SE: 7200'] };
      };
      await alice.join();
      assert.deepEqual(
        focus.all('INVITE').map(({ headers }) => [headers.cseq, headers['session-expires']]),
        [
          ['1 INVITE', '1800;refresher=uac'],
          ['2 INVITE', '7200;refresher=uac'],
        ],
      );
    });

    it('leaves a 422 as it is when it asks for no more', async () => {
      focus.script = () => ({ status: '422 Session Interval Too Small', headers: ['Min-SE: 90'] });
      alice.perform({ effect: 'join', dialog: 1, rejoin: false });
      const { outcome } = await alice.next('join-failed');
      assert.ok(outcome.kind === 'refused' && outcome.status === 422);
    });

    it('tells that the session has expired when the Focus was to refresh it and did not', async () => {
      await join('Session-Expires: 600;refresher=uas');
      clock.advance(567_999);
      focus.send('UPDATE', invite, ['Supported: timer', 'Session-Expires: 300;refresher=uac']);
      const { headers } = await focus.next('200');
      assert.deepEqual([headers['session-expires'], headers.require], ['300;refresher=uac', 'timer']);
      clock.advance(267_999);
      assert.equal(alice.count('session-expired'), 0);
      clock.advance(1);
      assert.equal((await alice.next('session-expired')).dialog, 1);
      assert.equal(focus.all('UPDATE').length, 0);
    });

    it('tells that the session has expired when no refresh of ours was answered', async () => {
      await join('Session-Expires: 600;refresher=uac');
      fallSilent();
      await pass(599_999);
      await focus.next('UPDATE');
      assert.equal(alice.count('session-expired'), 0);
      clock.advance(1);
      await alice.next('session-expired');
      const outcomes = alice.events.filter((event) => event.event === 'outcome');
      assert.ok(outcomes.length > 1);
      for (const { outcome } of outcomes) assert.ok(outcome.kind === 'unreachable' && outcome.cause === 'timeout');
    });

    it('lets a re-INVITE of the Focus refresh the session, and refuses too short an interval', async () => {
      await join('Session-Expires: 600;refresher=uas');
      focus.send('INVITE', invite, ['Supported: timer', 'Session-Expires: 60']);
      assert.equal((await focus.next('422')).headers['min-se'], '90');
      focus.send('ACK', invite);
      focus.send('INVITE', invite, ['Supported: timer', 'Session-Expires: 90']);
      assert.equal((await focus.next('200')).headers['session-expires'], '90;refresher=uac');
      focus.send('ACK', invite);
    });

    it('stands still during recovery, and goes on after it (HOP-14)', async () => {
      await join('Session-Expires: 600;refresher=uac');
      const call = await placeCall('Session-Expires: 600;refresher=uas');
      alice.perform({ effect: 'pause-session-timer', dialog: 1 });
      clock.advance(3_600_000);
      assert.equal(focus.all('UPDATE').length, 0);
      alice.perform({ effect: 'resume-session-timer', dialog: 1 });
      clock.advance(0);
      assert.equal((await focus.next('UPDATE')).headers['call-id'], invite.headers['call-id']);
      assert.equal(alice.count('session-expired') + alice.count('call-ended'), 0);
      clock.advance(568_000);
      await alice.next('call-ended');
      assert.equal((await focus.next('BYE')).headers['call-id'], call.headers['call-id']);
    });

    it('tells that a refresh was answered 430, so that recovery starts with no operation involved (HOP-15)', async () => {
      await join('Session-Expires: 600;refresher=uac', 'Record-Route: <sip:127.0.0.1;lr>');
      const action = 'P-Dialog-Recovery-Action: Dialog-Route-Set-Update';
      focus.script = ({ headers }) =>
        headers.route ? { status: '430 Flow Failed', headers: [action] } : { status: '200 OK' };
      clock.advance(300_000);
      const { purpose, outcome } = await alice.next('outcome');
      assert.equal(purpose, 'refresh');
      assert.ok(outcome.kind === 'refused' && outcome.recoveryAction?.[0] === 'Dialog-Route-Set-Update');
      assert.equal((await alice.request('heal')).outcome.kind, 'ok');
    });

    it('refreshes calls, and ends one that nobody has refreshed', async () => {
      await join();
      const call = await placeCall('Session-Expires: 90;refresher=uac');
      focus.script = answering({ UPDATE: { status: '200 OK', headers: ['Session-Expires: 90;refresher=uac'] } });
      clock.advance(45_000);
      assert.equal((await focus.next('UPDATE')).headers['call-id'], call.headers['call-id']);
      await delay(20);
      focus.script = answering({ UPDATE: undefined });
      await pass(90_000);
      assert.equal((await alice.next('call-ended')).reason, 'RemoteHungUp');
      await focus.next('BYE');
    });
  });

  describe('refreshing the target', () => {
    it('falls back to re-INVITE, then to OPTIONS, where UPDATE is not understood', async () => {
      await join();
      focus.script = answering({ UPDATE: { status: '405 Method Not Allowed' } });
      const first = await alice.request('heal');
      assert.deepEqual([first.method, first.outcome], ['re-INVITE', { kind: 'ok', status: 200 }]);
      const unknown = { status: '501 Not Implemented' };
      focus.script = answering({ UPDATE: unknown, INVITE: unknown });
      const second = await alice.request('heal');
      assert.deepEqual([second.method, second.outcome], ['OPTIONS', { kind: 'ok', status: 200 }]);
      focus.script = () => unknown;
      const third = await alice.request('heal');
      assert.ok(third.method === 'OPTIONS' && third.outcome.kind === 'refused' && third.outcome.status === 501);
    });

    it('gives a call a new route set where the old one is stale, and sends a text again (HOP-9, HOP-18)', async () => {
      await join();
      const route = (name: string): string => `Record-Route: <sip:${name}@127.0.0.1:${focus.port};transport=tcp;lr>`;
      await placeCall(route('a'));
      focus.script = ({ what, headers }) => {
        const stale = { status: '430 Flow Failed', headers: ['P-Dialog-Recovery-Action: Dialog-Route-Set-Update'] };
        if (headers.route?.includes('sip:a@')) return stale;
        return { status: '200 OK', headers: what === 'UPDATE' ? [route('b')] : [] };
      };
      const text = { effect: 'send-text', callId: 'c', mcu: 'audio-video', text: 'hi', timeoutMs: 2000 } as const;
      alice.perform({ ...text, requestId: 't1' });
      assert.equal((await alice.next('outcome', ({ requestId }) => requestId === 't1')).outcome.kind, 'ok');
      assert.deepEqual(
        focus.received.map(({ what, headers }) => `${what} ${/sip:(\w)@/.exec(headers.route ?? '')?.[1]}`),
        ['MESSAGE a', 'UPDATE undefined', 'MESSAGE b'],
      );
    });
  });

  describe('collisions', () => {
    const offer = 'v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8\r\n';
    const sdp = ['Content-Type: application/sdp'];

    it('answers an offer in UPDATE with SDP, and no offer without (RFC 3311, 5.2)', async () => {
      await join();
      focus.send('UPDATE', invite, sdp, offer);
      assert.match((await focus.next('200')).body, /m=audio \d+ RTP\/AVP 8/);
      focus.send('UPDATE', invite);
      assert.equal((await focus.next('200', 2)).body, '');
      const call = await placeCall();
      focus.send('UPDATE', call, sdp, offer);
      assert.match((await focus.next('200')).body, /m=audio \d+ RTP\/AVP 8/);
    });

    it('refuses offers that cross its own with 491, but not an UPDATE that heals (RFC 3261, 14.2; HOP-8)', async () => {
      await join();
      focus.script = () => undefined;
      alice.perform({
        effect: 'request',
        requestId: 'r',
        dialog: 1,
        purpose: 'heal',
        method: 're-INVITE',
        timeoutMs: 9999,
      });
      const ours = await focus.next('INVITE');
      focus.send('INVITE', invite, sdp, offer);
      assert.equal((await focus.next('491')).headers.cseq?.split(' ')[1], 'INVITE');
      focus.send('ACK', invite);
      focus.send('UPDATE', invite, sdp, offer);
      assert.equal((await focus.next('491', 2)).headers.cseq?.split(' ')[1], 'UPDATE');
      focus.send('UPDATE', invite);
      await focus.next('200');
      focus.answer(ours, '200 OK');
      await alice.next('outcome');
      focus.send('INVITE', invite, sdp, offer);
      await focus.next('200', 2);
      focus.script = () => ({ status: '200 OK' });
    });

    it('refuses a second INVITE with 500 until the first is acknowledged, whatever came between (RFC 3261, 12.2.2)', async () => {
      await join();
      focus.send('INVITE', invite, [], '', { CSeq: '10 INVITE' });
      assert.match((await focus.next('200')).body, /m=audio/);
      focus.send('INVITE', invite, sdp, offer, { CSeq: '11 INVITE' });
      const seconds = Number((await focus.next('500')).headers['retry-after']);
      assert.ok(seconds >= 0 && seconds <= 10, `${seconds} s`);
      focus.send('UPDATE', invite, [], '', { CSeq: '12 UPDATE' });
      await focus.next('200', 2);
      focus.send('ACK', invite, [], '', { CSeq: '10 ACK' });
      focus.send('INVITE', invite, sdp, offer, { CSeq: '13 INVITE' });
      await focus.next('200', 3);
      clock.advance(32_000);
      focus.send('INVITE', invite, sdp, offer, { CSeq: '14 INVITE' });
      await focus.next('200', 4);
    });

    it('waits 2.1 to 4 s after a 491, and asks again (RFC 3261, 14.1)', async () => {
      await join();
      focus.script = answering({ UPDATE: { status: '491 Request Pending' } });
      const healed = alice.request('heal', { timeoutMs: 4000 });
      await focus.next('UPDATE');
      await delay(20);
      focus.script = () => ({ status: '200 OK' });
      clock.advance(3049);
      // Meanwhile the far end may go first.
      focus.send('INVITE', invite, sdp, offer);
      await focus.next('200');
      assert.equal(focus.all('UPDATE').length, 1);
      clock.advance(1);
      assert.deepEqual((await healed).outcome, { kind: 'ok', status: 200 });
      const [first, second] = focus.all('UPDATE').map(({ headers }) => Number.parseInt(headers.cseq ?? '', 10));
      assert.equal(second, (first ?? 0) + 1);
    });

    it('tells a 491 when there is no time left to wait', async () => {
      await join();
      focus.script = answering({ UPDATE: { status: '491 Request Pending' } });
      const { outcome } = await alice.request('heal', { timeoutMs: 3050 });
      assert.ok(outcome.kind === 'refused' && outcome.status === 491);
    });

    it('asks again when a 500 says so, and not what could be done twice', async () => {
      await join();
      const later = (seconds: number) => ({ status: '500 Busy', headers: [`Retry-After: ${seconds}`] });
      for (const [seconds, delayMs] of [
        [2, 2000],
        [0, 500],
      ] as const) {
        focus.received.length = 0;
        focus.script = answering({ UPDATE: later(seconds) });
        const healed = alice.request('heal', { timeoutMs: 4000 });
        await focus.next('UPDATE');
        await delay(20);
        focus.script = () => ({ status: '200 OK' });
        clock.advance(delayMs - 1);
        await delay(10);
        assert.equal(focus.all('UPDATE').length, 1);
        clock.advance(1);
        assert.equal((await healed).outcome.kind, 'ok');
      }
      focus.script = () => later(5);
      const { outcome } = await alice.request('heal', { timeoutMs: 4000 });
      assert.ok(outcome.kind === 'refused' && outcome.status === 500 && outcome.retryAfterMs === 5000);
    });

    it('sends one UPDATE at a time, and OPTIONS besides', async () => {
      await join();
      focus.script = answering({ UPDATE: undefined });
      const heal = (requestId: string, method: 'UPDATE' | 're-INVITE' | 'OPTIONS'): void =>
        alice.perform({ effect: 'request', requestId, dialog: 1, purpose: 'heal', method, timeoutMs: 2000 });
      const outcome = (id: string) => alice.next('outcome', ({ requestId }) => requestId === id);
      heal('first', 'UPDATE');
      const first = await focus.next('UPDATE');
      heal('second', 're-INVITE');
      heal('other', 'OPTIONS');
      assert.equal((await outcome('other')).outcome.kind, 'ok');
      assert.equal(focus.all('INVITE').length, 0);
      focus.answer(first, '200 OK');
      assert.equal((await outcome('second')).outcome.kind, 'ok');
      // One that nobody answers makes way when its time is up.
      heal('silent', 'UPDATE');
      await focus.next('UPDATE', 2);
      clock.advance(1000);
      heal('after it', 're-INVITE');
      clock.advance(1000);
      assert.equal((await outcome('silent')).outcome.kind, 'unreachable');
      assert.equal((await outcome('after it')).outcome.kind, 'ok');
    });

    it('lets no more than eight wait for the first, and tells the others at once (MSG-6)', async () => {
      await join();
      focus.script = answering({ UPDATE: undefined });
      for (let count = 1; count <= 11; count += 1) {
        alice.perform({ effect: 'request', requestId: `${count}`, dialog: 1, purpose: 'heal', timeoutMs: 2000 });
      }
      for (const id of ['10', '11']) {
        const { outcome } = await alice.next('outcome', ({ requestId }) => requestId === id);
        assert.ok(outcome.kind === 'refused' && outcome.status === 491);
      }
      assert.equal(alice.count('outcome'), 2);
      await focus.next('UPDATE');
      clock.advance(2000);
      await alice.next('outcome', ({ requestId }) => requestId === '9');
      assert.equal(alice.count('outcome'), 11);
    });
  });
});
