import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { Endpoint, leewayMs, systemClock, until } from './harness';
import { type Message, ScriptedFocus } from './scripted-focus';

const document = (version: number, users = '', attributes = 'state="full"', description = ''): string =>
  `<conference-info xmlns="urn:ietf:params:xml:ns:conference-info" entity="sip:room@x" ${attributes} version="${version}">` +
  `${description}<users>${users}</users></conference-info>`;
const uris = (...purposes: string[]): string =>
  '<conference-description><conf-uris>' +
  purposes
    .map((purpose) => `<entry><uri>sip:${purpose}@127.0.0.1</uri><purpose>${purpose}</purpose></entry>`)
    .join('') +
  '</conf-uris></conference-description>';
const notifyHeaders = [
  'Event: conference',
  'Subscription-State: active;expires=600',
  'Content-Type: application/conference-info+xml',
];

describe('SIP over TCP, with a scripted Focus', function () {
  this.timeout(60_000);
  let focus: ScriptedFocus;
  let alice: Endpoint;
  let invite: Message;
  let subscribe: Message;

  const notify = (body: string, headers = notifyHeaders): void => focus.send('NOTIFY', subscribe, headers, body);
  const join = async (first = document(1, '<user entity="sip:alice@example.com"/>')) => {
    alice.perform({ effect: 'join', dialog: 1, rejoin: false });
    invite = await focus.next('INVITE');
    subscribe = await focus.next('SUBSCRIBE');
    notify(first);
    return alice.next('joined');
  };

  beforeEach(async () => {
    focus = await new ScriptedFocus().start();
    alice = new Endpoint(focus, `sip:room@127.0.0.1:${focus.port}`, { commands: 'cccp' });
  });

  afterEach(async () => {
    await alice.port.close();
    await focus.stop();
  });

  it('introduces itself as it should, and opts in to 430 for a stale route (HOP-24)', async () => {
    await join();
    assert.match(invite.headers.contact ?? '', /^<sip:alice@127\.0\.0\.1:\d+;transport=tcp>$/);
    assert.match(invite.headers.allow ?? '', /UPDATE/);
    assert.match(invite.headers.supported ?? '', /ms-dialog-route-set-update/);
    assert.match(invite.body, /m=audio 9 RTP\/AVP 0\r\na=inactive\r\n/);
    assert.equal(subscribe.start, `SUBSCRIBE sip:room@127.0.0.1:${focus.port};transport=tcp SIP/2.0`);
    assert.notEqual(subscribe.headers['call-id'], invite.headers['call-id']);
    const ack = await focus.next('ACK');
    assert.match(ack.headers.to ?? '', /tag=focus/);
    assert.equal(ack.headers.cseq, '1 ACK');
    assert.ok(await focus.next('200'));
  });

  it('answers UPDATE of the Focus with 200, and follows its new address (HOP-8)', async () => {
    await join();
    focus.send('UPDATE', invite, [], '', { Contact: `<sip:elsewhere@127.0.0.1:${focus.port};transport=tcp>` });
    await alice.next('remote-update');
    const answer = await focus.next('200', 2);
    assert.match(answer.headers.contact ?? '', /^<sip:alice@/);
    await alice.request('heal');
    assert.match((await focus.next('UPDATE')).start, /^UPDATE sip:elsewhere@/);
  });

  it('answers re-INVITE with inactive media, OPTIONS and INFO with 200, the unknown with 405', async () => {
    await join();
    const offer =
      'v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8\r\nm=video 0 RTP/AVP 34\r\n';
    focus.send('INVITE', invite, ['Content-Type: application/sdp'], offer);
    const answer = await focus.next('200', 2);
    assert.match(answer.body, /m=audio 9 RTP\/AVP 8\r\na=inactive\r\nm=video 0 RTP\/AVP 34\r\na=inactive/);
    focus.send('ACK', invite);
    for (const method of ['OPTIONS', 'INFO']) focus.send(method, invite);
    await focus.next('200', 4);
    focus.send('REFER', invite);
    await focus.next('405');
    assert.equal(alice.count('remote-update'), 0);
  });

  it('answers 481 to what is in no dialog of its own, and nothing to a BENOTIFY', async () => {
    await join();
    focus.send('UPDATE', invite, [], '', { 'Call-ID': 'unknown' });
    await focus.next('481');
    focus.send('NOTIFY', subscribe, notifyHeaders, document(9), { To: '<sip:alice@example.com>;tag=other' });
    await focus.next('481', 2);
    focus.send('UPDATE', invite, [], '', { From: '<sip:room@x>;tag=other' });
    await focus.next('481', 3);
    const responses = focus.received.length;
    focus.send('BENOTIFY', subscribe, notifyHeaders, document(2));
    assert.equal((await alice.next('document')).document.version, 2);
    focus.send('BENOTIFY', subscribe, notifyHeaders, document(3), { 'Call-ID': 'unknown' });
    await delay(50);
    assert.equal(focus.received.length, responses);
    assert.equal(alice.count('document'), 1);
  });

  it('refuses a request that is older than the last (RFC 3261, 12.2.2)', async () => {
    await join();
    focus.send('UPDATE', invite, [], '', { CSeq: '100 UPDATE' });
    focus.send('UPDATE', invite, [], '', { CSeq: '99 UPDATE' });
    await focus.next('500');
    assert.equal(alice.count('remote-update'), 1);
  });

  it('tells a BYE of the Focus, once, and sends none back', async () => {
    await join();
    focus.send('BYE', invite);
    await alice.next('remote-bye');
    await focus.next('200', 2);
    focus.send('BYE', invite);
    await focus.next('200', 3);
    alice.perform({ effect: 'leave', dialog: 1, silently: false });
    await alice.next('left');
    assert.equal(alice.count('remote-bye'), 1);
    assert.equal(focus.all('BYE').length, 0);
  });

  it('reads NOTIFY without Event, and goes on after one that it cannot read', async () => {
    await join();
    const [, state = '', type = ''] = notifyHeaders;
    notify(document(2).slice(0, -5));
    assert.match((await alice.next('unreadable')).message, /not well-formed/);
    notify('hello', [state, 'Content-Type: text/plain']);
    await alice.next('unreadable', (event) => event.message.includes('text/plain'));
    notify('', [state]);
    notify(document(3), [state, type]);
    assert.equal((await alice.next('document')).document.version, 3);
    assert.equal((await focus.next('200', 5)).what, '200');
    assert.equal(alice.count('subscription-lost'), 0);
  });

  it('takes a subscription that ends for want of a resource for the end of the conference', async () => {
    await join();
    notify('', ['Subscription-State: terminated;reason=noresource']);
    assert.equal((await alice.next('ended')).cause, 'conference-ended');
    assert.equal(alice.count('subscription-lost'), 0);
  });

  it('joins without a roster when the subscription is ended before it began', async () => {
    alice.perform({ effect: 'join', dialog: 1, rejoin: false });
    subscribe = await focus.next('SUBSCRIBE');
    notify('', ['Subscription-State: terminated;reason=noresource']);
    // It does not wait for the first roster as long as it might, which is 2 s.
    assert.equal((await alice.next('joined', undefined, { withinMs: 1_900 })).document, null);
    assert.equal(alice.count('subscription-lost'), 0);
  });

  it('takes its first roster up to 2 s after the join, and not a part of one', async () => {
    alice.perform({ effect: 'join', dialog: 1, rejoin: false });
    subscribe = await focus.next('SUBSCRIBE');
    notify(document(1, '', 'state="partial"'));
    const before = Date.now();
    assert.equal((await alice.next('joined')).document, null);
    assert.ok(Date.now() - before > 1500);
    notify(document(2));
    assert.equal((await alice.next('document')).document.version, 2);
  });

  it('does not refresh like mad when it is granted nonsense', async () => {
    await join();
    for (const expires of ['0', '-1', '0.001', '99999999999', 'soon']) {
      notify(document(2), [`Subscription-State: active;expires=${expires}`, ...notifyHeaders.slice(2)]);
    }
    await focus.next('200', 6);
    await delay(50);
    assert.equal(focus.all('SUBSCRIBE').length, 1);
  });

  it('tells that the Focus has forgotten the subscription', async () => {
    await join();
    focus.script = (request) => ({ status: request.what === 'SUBSCRIBE' ? '481 Gone' : '200 OK' });
    const { outcome } = await alice.request('subscription');
    assert.ok(outcome.kind === 'refused' && outcome.status === 481);
    assert.match((await alice.next('subscription-lost')).reason, /481/);
  });

  it('tells the end of a conference, and nothing that follows from it', async () => {
    await join();
    notify(document(2, '', 'state="deleted"'), [
      'Subscription-State: terminated;reason=noresource',
      ...notifyHeaders.slice(2),
    ]);
    assert.equal((await alice.next('ended')).cause, 'conference-ended');
    focus.send('BYE', invite);
    await focus.next('200', 3);
    await delay(30);
    assert.deepEqual(
      alice.events.map((event) => event.event),
      ['joined', 'ended'],
    );
  });

  it('tells what conf-uris say of MCUs, and calls there', async () => {
    const joined = await join(document(1, '', 'state="full"', uris('audio-video', 'chat')));
    assert.deepEqual(joined.mcus, { 'audio-video': 'active', chat: 'active' });
    alice.perform({ effect: 'place-call', callId: 'c', mcu: 'chat', media: ['text'], timeoutMs: 1000 });
    assert.match((await focus.next('INVITE', 2)).start, /^INVITE sip:chat@127\.0\.0\.1 /);
    await alice.next('call-accepted');
    const call = focus.all('INVITE')[1] as Message;
    focus.send('MESSAGE', call, ['Content-Type: text/plain'], 'grüße', { From: '<sip:bob@b>;tag=focus' });
    const text = await alice.next('text');
    assert.deepEqual([text.from, text.text, text.mcu], ['sip:bob@b', 'grüße', 'chat']);
    notify(document(2, '', 'state="full"', uris('audio-video')));
    const report = await alice.next('mcu-report');
    assert.deepEqual([report.mcu, report.report], ['chat', 'inactive']);
    focus.send('BYE', call);
    assert.equal((await alice.next('call-ended')).reason, 'RemoteHungUp');
  });

  it('calls an invitation off', async () => {
    await join();
    focus.script = (request) => (request.what === 'INVITE' ? { status: '180 Ringing' } : { status: '200 OK' });
    alice.perform({ effect: 'place-call', callId: 'c', mcu: 'audio-video', media: ['audio'], timeoutMs: 1000 });
    const placed = await focus.next('INVITE', 2);
    alice.perform({ effect: 'end-call', callId: 'c', mcu: 'audio-video' });
    await alice.next('call-ended');
    assert.equal(alice.count('call-failed'), 1);
    focus.answer(placed, '200 OK');
    await focus.next('BYE');
    assert.equal(alice.count('call-accepted'), 0);
  });

  it('heals without the old route set after 430, and adopts the new one (HOP-9, HOP-10)', async () => {
    const route = (name: string): string => `Record-Route: <sip:${name}@127.0.0.1:${focus.port};transport=tcp;lr>`;
    focus.script = (request) =>
      request.what === 'INVITE' ? { status: '200 OK', headers: [route('b'), route('a')] } : { status: '200 OK' };
    await join();
    focus.script = (request) => {
      if (request.what === 'INFO' && /<sip:a@/.test(request.headers.route ?? '')) {
        return { status: '430 Flow Failed', headers: ['P-Dialog-Recovery-Action: dialog-route-set-update'] };
      }
      return { status: '200 OK', headers: request.what === 'UPDATE' ? [route('c')] : [] };
    };
    const { outcome } = await alice.request('operation', { operation: 'lock' });
    assert.ok(outcome.kind === 'refused' && outcome.status === 430);
    assert.deepEqual(outcome.recoveryAction, ['Dialog-Route-Set-Update']);
    assert.equal((await alice.request('heal')).outcome.kind, 'ok');
    assert.equal((await focus.next('UPDATE')).headers.route, undefined);
    assert.equal((await alice.request('operation', { operation: 'lock' })).outcome.kind, 'ok');
    assert.match((await focus.next('INFO', 2)).headers.route ?? '', /^<sip:c@/);
  });

  it('reads the result of a command from the answer, or from a later INFO', async () => {
    await join();
    const response = (requestId: string, more: string): string =>
      `<response xmlns="urn:ietf:params:xml:ns:cccp" requestId="${requestId}" C3PVersion="1" ${more}/>`;
    const headers = ['Content-Type: application/cccp+xml'];
    focus.script = () => ({
      status: '200 OK',
      headers,
      body: response('1', 'code="failure" reason="conferenceLocked"'),
    });
    const failed = await alice.request('operation', { operation: 'lock' });
    assert.ok(failed.outcome.kind === 'refused');
    assert.equal(failed.outcome.conferenceReason, 'conferenceLocked');

    focus.script = (request) => {
      const requestId = /requestId="(\w+)"/.exec(request.body)?.[1] ?? '';
      setTimeout(() => focus.send('INFO', invite, headers, response(requestId, 'code="success"')), 30);
      return { status: '202 Accepted' };
    };
    assert.deepEqual((await alice.request('operation', { operation: 'unlock' })).outcome, { kind: 'ok', status: 202 });

    focus.script = () => ({ status: '202 Accepted' });
    const late = await alice.request('operation', { operation: 'lock', timeoutMs: 100 });
    assert.ok(late.outcome.kind === 'unreachable' && late.outcome.cause === 'timeout' && late.outcome.written);
  });

  it('waits for no result of a command once the dialog has ended', async () => {
    await join();
    focus.script = (request) => {
      if (request.what === 'INFO') setTimeout(() => alice.perform({ effect: 'leave', dialog: 1, silently: true }), 30);
      return { status: '202 Accepted' };
    };
    const { outcome } = await alice.request('operation', { operation: 'lock', timeoutMs: 600_000 });
    assert.ok(outcome.kind === 'unreachable' && outcome.cause === 'transport' && outcome.written);
  });

  it('cancels a join that takes too long, and hangs up when it is accepted all the same', async () => {
    await alice.port.close();
    alice = new Endpoint(focus, 'sip:room@127.0.0.1', { joinTimeoutMs: 100 });
    focus.script = (request) => (request.what === 'INVITE' ? { status: '180 Ringing' } : { status: '200 OK' });
    alice.perform({ effect: 'join', dialog: 1, rejoin: false });
    const { outcome } = await alice.next('join-failed');
    assert.ok(outcome.kind === 'unreachable' && outcome.cause === 'timeout');
    const cancel = await focus.next('CANCEL');
    invite = await focus.next('INVITE');
    assert.equal(cancel.headers.via, invite.headers.via);
    assert.equal(cancel.headers.cseq, '1 CANCEL');
    focus.answer(invite, '200 OK');
    await focus.next('ACK');
    assert.match((await focus.next('BYE')).headers.to ?? '', /tag=focus/);
    assert.equal(alice.count('joined'), 0);
  });

  it('lets a later join take the place of an earlier one, which tells nothing any more', async () => {
    await join();
    focus.script = (request) => (request.what === 'UPDATE' ? undefined : { status: '200 OK' });
    alice.perform({ effect: 'request', requestId: 'old', dialog: 1, purpose: 'heal', timeoutMs: 200 });
    const since = alice.events.length;
    alice.perform({ effect: 'join', dialog: 2, rejoin: true });
    notify(document(5));
    const old = subscribe;
    subscribe = await focus.next('SUBSCRIBE', 2);
    notify(document(1));
    await alice.next('joined', (event) => event.dialog === 2);
    assert.equal((await alice.next('outcome', (event) => event.requestId === 'old')).outcome.kind, 'unreachable');
    focus.send('NOTIFY', old, notifyHeaders, document(6));
    await focus.next('481');
    assert.equal(alice.events.slice(since).filter((event) => 'dialog' in event && event.dialog === 1).length, 1);
    assert.equal(focus.all('BYE').length, 0);
  });

  it('leaves without a word when asked to, and within 2 s when nobody answers', async () => {
    await join();
    focus.script = () => undefined;
    const before = Date.now();
    alice.perform({ effect: 'leave', dialog: 1, silently: false });
    await alice.next('left');
    const waited = Date.now() - before;
    assert.ok(waited >= 1990 && waited < 2000 + leewayMs, `${waited} ms`);
    assert.equal((await focus.next('SUBSCRIBE', 2)).headers.expires, '0');
    alice.perform({ effect: 'leave', dialog: 7, silently: true });
    await alice.next('left', (event) => event.dialog === 7);
    assert.equal(focus.all('BYE').length, 1);
  });

  it('survives garbage', async () => {
    await join();
    const garbage = [
      '\r\n\r\n\r\n',
      'GET / HTTP/1.1\r\nHost: x\r\n\r\n',
      'SIP/2.0 200 OK\r\n\r\n',
      'UPDATE sip:a SIP/2.0\r\nVia: ;;;\r\nFrom: <\r\nTo:\r\nCSeq: x\r\nCall-ID: \r\n\r\n',
      'NOTIFY sip:a@b SIP/2.0\r\n__proto__: x\r\nconstructor: y\r\nContact: *\r\nCSeq: 1 NOTIFY\r\n\r\n',
      `SIP/2.0 999 Odd\r\nVia: SIP/2.0/TCP x;branch=z9hG4bKx\r\nFrom: <sip:a@b>\r\nTo: <sip:a@b>\r\nCall-ID: 1\r\nCSeq: 1 UPDATE\r\n\r\n`,
      '\u0000\u0001\u0002\r\n\r\n',
    ];
    for (const text of garbage) focus.write(text);
    assert.equal((await alice.request('heal')).outcome.kind, 'ok');
    const { headers } = await focus.next('UPDATE');
    for (const [name, value] of [
      ['From', ''],
      ['Via', 'x'],
      ['CSeq', '1'],
      ['Contact', '<<>>'],
    ]) {
      focus.send('UPDATE', invite, [], '', { [name as string]: value as string });
    }
    assert.equal((await alice.request('heal')).outcome.kind, 'ok');
    assert.ok(headers);
    const since = alice.events.length;
    focus.write('UPDATE sip:a SIP/2.0\r\nContent-Length: 99999999999\r\n\r\n');
    assert.match((await alice.next('transport-lost', undefined, { since })).message, /Content-Length|body/);
    await alice.next('transport-restored', undefined, { since });
    assert.equal((await alice.request('heal')).outcome.kind, 'ok');
  });

  it('refuses what is no SIP URI, and tells nothing from inside a call', async () => {
    const heard: string[] = [];
    alice.port.attach('not a uri', (event) => heard.push(event.event));
    alice.port.perform('not a uri', { effect: 'join', dialog: 1, rejoin: false });
    alice.port.perform('not a uri', { effect: 'leave', dialog: 3, silently: true });
    alice.port.perform('unknown', { effect: 'join', dialog: 1, rejoin: false });
    assert.deepEqual(heard, []);
    await until(() => heard.length >= 2);
    assert.deepEqual(heard, ['left', 'join-failed']);
  });

  it('leaves no timer behind', async () => {
    const timers = (): number => process.getActiveResourcesInfo().filter((resource) => resource === 'Timeout').length;
    // By then the test's own timer runs.
    await delay(1);
    const before = timers();
    await join();
    assert.ok(timers() > before);
    focus.script = () => undefined;
    alice.perform({
      effect: 'request',
      requestId: 'r',
      dialog: 1,
      purpose: 'heal',
      method: 're-INVITE',
      timeoutMs: 50,
    });
    await alice.next('outcome');
    alice.perform({ effect: 'join', dialog: 2, rejoin: true });
    await focus.next('INVITE', 3);
    await alice.port.close();
    assert.ok(timers() <= before, `${before} before, ${timers()} after`);
  });

  it('says BYE when it is closed, and is quiet then', async () => {
    await join();
    const heard = alice.events.length;
    const before = systemClock.now();
    await alice.port.close();
    assert.ok(systemClock.now() - before < 1000);
    await focus.next('BYE');
    assert.equal(alice.events.length, heard);
    alice.perform({ effect: 'join', dialog: 2, rejoin: true });
    await delay(20);
    assert.equal(alice.events.length, heard);
  });
});
