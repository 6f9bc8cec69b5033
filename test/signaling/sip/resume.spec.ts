/** How dialogs and calls are taken up by another process: on the wire with a scripted Focus, and with real servers. */
import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { setTimeout as delay } from 'node:timers/promises';
import type { JsonObject } from '../../../nodes/recovery/messages';
import { MediaWatch, mostWatchedCalls } from '../../../nodes/signaling/sip/media';
import type { SavedConference } from '../../../nodes/signaling/sip/saved';
import { KamailioEdge, KamailioFocus, peersTimeoutMs, skipWithoutPeers } from '../../support/peers';
import { audioPortIn, RtpSender } from '../../support/rtp';
import { VirtualClock } from '../../support/virtual-clock';
import { Endpoint, until } from './harness';
import { type Message, ScriptedFocus } from './scripted-focus';

const document = (version: number, content = '<users/>'): string =>
  `<conference-info xmlns="urn:ietf:params:xml:ns:conference-info" entity="sip:room@x" state="full" version="${version}">${content}</conference-info>`;
const uris = (...purposes: string[]): string =>
  '<conference-description><conf-uris>' +
  purposes.map((each) => `<entry><uri>sip:${each}@127.0.0.1</uri><purpose>${each}</purpose></entry>`).join('') +
  '</conf-uris></conference-description><users/>';
const notifyHeaders = ['Subscription-State: active;expires=600', 'Content-Type: application/conference-info+xml'];
const numberIn = (message: Message): number => Number(message.headers.cseq?.split(' ')[0]);
/** What names a dialog: Call-ID and both tags. */
const namesOf = ({ headers }: Message): (string | undefined)[] =>
  [headers.from, headers.to].map((field) => /;tag=(.*)$/.exec(field ?? '')?.[1]).concat(headers['call-id']);

describe('taking up SIP dialogs, with a scripted Focus', function () {
  this.timeout(60_000);
  let focus: ScriptedFocus;
  let alice: Endpoint;
  let conference: string;
  let invite: Message;
  let subscribe: Message;
  let others: { stop(): void }[] = [];

  const create = (options: ConstructorParameters<typeof Endpoint>[2] = {}): void => {
    alice = new Endpoint(focus, conference, { commands: 'cccp', ...options });
  };
  const notify = (body: string, within = subscribe): void => focus.send('NOTIFY', within, notifyHeaders, body);
  const join = async (first = document(1)): Promise<void> => {
    alice.perform({ effect: 'join', dialog: 1, rejoin: false });
    invite = await focus.next('INVITE');
    subscribe = await focus.next('SUBSCRIBE');
    notify(first);
    await alice.next('joined');
    // Tests look at what is sent from now on.
    await until(() => focus.all('ACK').length > 0 && focus.all('200').length > 0);
  };
  const saved = (): SavedConference => JSON.parse(JSON.stringify(alice.port.saved(conference)));
  /** The process ends without a word, and the next one has what was kept. */
  const restart = async (kept: JsonObject = saved(), options: Parameters<typeof create>[0] = {}): Promise<void> => {
    await alice.port.release();
    focus.received.length = 0;
    create(options);
    assert.ok(alice.port.restore(conference, kept));
  };
  const resume = async (timeoutMs = 10_000) => {
    const since = alice.events.length;
    alice.perform({ effect: 'resume', dialog: 1, timeoutMs });
    return alice.next('outcome', ({ requestId }) => requestId === 'resume', { since });
  };

  beforeEach(async () => {
    focus = await new ScriptedFocus().start();
    conference = `sip:room@127.0.0.1:${focus.port}`;
    create();
  });

  afterEach(async () => {
    for (const each of others) each.stop();
    others = [];
    await alice.port.close();
    await focus.stop();
  });

  describe('the dialog with the Focus', () => {
    it('PER-2 goes on by an UPDATE with our new Contact and a session timer', async () => {
      const route = '<sip:127.0.0.1;lr>';
      focus.script = () => ({
        status: '200 OK',
        headers: [`Record-Route: ${route}`, 'Session-Expires: 600;refresher=uac', 'Supported: timer'],
      });
      await join();
      await restart();
      assert.deepEqual((await resume()).outcome, { kind: 'ok', status: 200 });
      const update = await focus.next('UPDATE');
      const answered = await focus.next('SUBSCRIBE');
      assert.equal(update.start, `UPDATE sip:room@127.0.0.1:${focus.port};transport=tcp SIP/2.0`);
      assert.deepEqual(namesOf(update), [namesOf(invite)[0], 'focus', namesOf(invite)[2]]);
      assert.equal(update.headers.route, route);
      assert.equal(update.headers['session-expires'], '600;refresher=uac');
      assert.notEqual(update.headers.contact, invite.headers.contact);
      assert.equal(update.headers.contact, answered.headers.contact);
    });

    it('has CSeq numbers that none of its requests can have had, restart after restart', async () => {
      await join();
      const kept = saved();
      for (let count = 0; count < 20; count += 1) await alice.request('refresh');
      const last = Math.max(...focus.received.filter(({ what }) => what === 'OPTIONS').map(numberIn));
      await restart(kept);
      await resume();
      const first = numberIn(await focus.next('UPDATE'));
      assert.ok(first > last && first <= last + 1000, `${first} after ${last}`);
      const again = saved();
      await restart(again);
      await resume();
      assert.ok(numberIn(await focus.next('UPDATE')) > first);
    });

    it('is kept anew before its CSeq numbers go beyond what is left out, and not at each request', async () => {
      await join();
      let told = 0;
      alice.port.watch(() => {
        told += 1;
      });
      const kept = alice.port.saved(conference);
      const ask = async (times: number): Promise<void> => {
        const before = alice.count('outcome');
        for (let count = 0; count < times; count += 1) {
          const requestId = `${before + count}`;
          alice.perform({ effect: 'request', requestId, dialog: 1, purpose: 'refresh', timeoutMs: 10_000 });
        }
        await until(() => alice.count('outcome') === before + times);
      };
      await ask(100);
      assert.equal(alice.port.saved(conference), kept);
      await ask(450);
      assert.ok(told > 0);
      assert.notEqual(alice.port.saved(conference), kept);
    });

    it('is told by re-INVITE that repeats the session, or by OPTIONS, where UPDATE is not taken', async () => {
      focus.script = ({ what }) => (what === 'UPDATE' ? { status: '501 Not Implemented' } : { status: '200 OK' });
      await join();
      await restart();
      const told = await resume();
      assert.deepEqual([told.method, told.outcome.kind], ['re-INVITE', 'ok']);
      assert.equal((await focus.next('INVITE')).body, invite.body);

      focus.script = ({ what }) => (what === 'OPTIONS' ? { status: '200 OK' } : { status: '405 Method Not Allowed' });
      await restart();
      const asked = await resume();
      assert.deepEqual([asked.method, asked.outcome.kind], ['OPTIONS', 'ok']);
    });

    it('remembers which methods the Focus takes', async () => {
      focus.script = () => ({ status: '200 OK', headers: ['Allow: INVITE, ACK, BYE, OPTIONS'] });
      await join();
      await restart();
      assert.equal((await resume()).method, 're-INVITE');
      assert.equal(focus.all('UPDATE').length, 0);
    });

    it('that is gone is told, and nothing is subscribed to', async () => {
      await join();
      focus.script = ({ what }) =>
        what === 'UPDATE' ? { status: '481 Call/Transaction Does Not Exist' } : { status: '200 OK' };
      await restart();
      const { outcome } = await resume();
      assert.ok(outcome.kind === 'refused' && outcome.status === 481);
      await delay(50);
      assert.equal(focus.all('SUBSCRIBE').length, 0);
    });

    it('that the Focus has ended before is gone without a question', async () => {
      await join();
      focus.send('BYE', invite);
      await alice.next('remote-bye');
      await restart();
      const { outcome } = await resume();
      assert.ok(outcome.kind === 'refused' && outcome.status === 481);
      assert.equal(focus.received.length, 0);
    });

    it('answers the Focus before it has been resumed, unless its request is older than those before', async () => {
      await join();
      focus.send('UPDATE', invite, [], '', { CSeq: '70 UPDATE' });
      await alice.next('remote-update');
      const early = saved();
      assert.ok(Number(early.participation?.dialog.remoteSequence) <= 70);
      await restart({
        ...early,
        participation: { ...early.participation, dialog: { ...early.participation?.dialog, remoteSequence: 70 } },
      });
      // Any request brings the connection.
      await alice.request('probe', { dialog: 0 });
      focus.send('UPDATE', invite, [], '', { CSeq: '69 UPDATE' });
      await focus.next('500');
      focus.send('UPDATE', invite, [], '', { CSeq: '70 UPDATE' });
      await alice.next('remote-update');
    });

    it('asks for no credentials to be kept, and answers when it is asked for them again', async () => {
      const credentials = { username: 'alice', password: 'sesame' };
      const challenge = 'WWW-Authenticate: Digest realm="server.test", nonce="nonce-of-before", qop="auth"';
      focus.script = ({ what, headers }) =>
        headers.authorization || what === 'SUBSCRIBE'
          ? { status: '200 OK' }
          : { status: '401 Unauthorized', headers: [challenge] };
      await alice.port.close();
      create({ credentials });
      await join();
      assert.doesNotMatch(JSON.stringify(saved()), /sesame|nonce|digest/i);
      await restart(saved(), { credentials });
      assert.equal((await resume()).outcome.kind, 'ok');
      assert.equal(focus.all('UPDATE').length, 2);
    });

    it('is resumed when there is a connection: until then the outcome is unreachable, and it is said when there is one', async () => {
      await join();
      const { port } = focus;
      await focus.stop();
      await restart();
      const { outcome } = await resume();
      assert.ok(outcome.kind === 'unreachable' && outcome.cause === 'transport', JSON.stringify(outcome));
      focus = new ScriptedFocus();
      focus.port = port;
      await focus.start();
      await alice.next('transport-restored');
      assert.equal(alice.count('transport-lost'), 0);
      assert.equal((await alice.request('heal')).outcome.kind, 'ok');
      // The roster comes by itself.
      notify(document(1), await focus.next('SUBSCRIBE'));
      assert.equal((await alice.next('document')).newSubscription, true);
    });
  });

  describe('the subscription', () => {
    it('is a new one, and the old one is ended: what comes of it is answered 481 (RFC 6665, 4.2.2)', async () => {
      await join();
      await restart();
      await resume();
      const [ended, anew] = [await focus.next('SUBSCRIBE'), await focus.next('SUBSCRIBE', 2)];
      assert.equal(ended.headers.expires, '0');
      assert.deepEqual(namesOf(ended), [namesOf(subscribe)[0], 'focus', namesOf(subscribe)[2]]);
      assert.ok(numberIn(ended) > 1000);
      assert.equal(anew.headers.expires, '3600');
      assert.notEqual(anew.headers['call-id'], subscribe.headers['call-id']);
      notify(document(9));
      await focus.next('481');
      notify(document(0), anew);
      const told = await alice.next('document');
      assert.equal(told.document.version, 0);
      assert.equal(told.newSubscription, true);
      assert.equal(alice.count('document'), 1);
    });

    it('is not asked for again where the server has no rosters', async () => {
      focus.script = ({ what }) => ({ status: what === 'SUBSCRIBE' ? '489 Bad Event' : '200 OK' });
      await alice.join();
      await restart();
      assert.equal((await resume()).outcome.kind, 'ok');
      await delay(50);
      assert.equal(focus.all('SUBSCRIBE').length, 0);
    });

    it('tells of MCUs what has changed since: what is known of them is kept', async () => {
      await join(document(1, uris('audio-video', 'chat')));
      await restart();
      alice.perform({ effect: 'place-call', callId: 'c', mcu: 'chat', media: [], timeoutMs: 1000 });
      assert.match((await focus.next('INVITE')).start, /^INVITE sip:chat@127\.0\.0\.1/);
      await resume();
      notify(document(0, uris('chat')), await focus.next('SUBSCRIBE', 2));
      await alice.next('document');
      const reports = alice.events.flatMap((event) =>
        event.event === 'mcu-report' ? [[event.mcu, event.report]] : [],
      );
      assert.deepEqual(reports, [['audio-video', 'inactive']]);
    });
  });

  describe('calls', () => {
    const place = async (options: Parameters<typeof create>[0] = {}): Promise<Message> => {
      await alice.port.close();
      create(options);
      await join();
      alice.perform({ effect: 'place-call', callId: 'c', mcu: 'audio-video', media: ['audio'], timeoutMs: 1000 });
      const placed = await focus.next('INVITE', 2);
      await alice.next('call-accepted');
      return placed;
    };
    const watched = { mediaTimeoutMs: 300 };

    it('are told where we are now, in dialogs of their own', async () => {
      const placed = await place();
      await restart();
      await resume();
      const [one, other] = [await focus.next('UPDATE'), await focus.next('UPDATE', 2)];
      const update = one.headers['call-id'] === placed.headers['call-id'] ? one : other;
      assert.deepEqual(namesOf(update), [namesOf(placed)[0], 'focus', namesOf(placed)[2]]);
      assert.ok(numberIn(update) > 1000);
      assert.equal(alice.count('call-ended'), 0);
    });

    it('have their media on a new port, by a re-INVITE with the next version of the same session (RFC 3264, 8)', async () => {
      const placed = await place(watched);
      const taken = createSocket('udp4');
      await restart(saved(), watched);
      // So that the new port is another one.
      await new Promise<void>((resolve) => taken.bind(audioPortIn(placed.body), '127.0.0.1', resolve));
      try {
        await resume();
        const { body, headers } = await focus.next('INVITE');
        assert.equal(headers['call-id'], placed.headers['call-id']);
        const port = audioPortIn(body);
        assert.notEqual(port, audioPortIn(placed.body));
        assert.match(placed.body, /^o=- 1 1 IN IP4 127\.0\.0\.1\r$/m);
        assert.match(body, /^o=- 1 2 IN IP4 127\.0\.0\.1\r$/m);
        assert.match(body, /\r\nm=audio \d+ RTP\/AVP 0 8\r\na=recvonly\r\n$/);
        const sender = new RtpSender(port);
        others.push(sender);
        sender.start();
        await alice.next('media', ({ flowing }) => flowing);
        sender.pause();
        await alice.next('media', ({ flowing }) => !flowing);
        // From then on an UPDATE says enough.
        const before = focus.all('UPDATE').length;
        alice.perform({ effect: 'refresh-call', callId: 'c', mcu: 'audio-video' });
        await focus.next('UPDATE', before + 1);
        assert.equal(focus.all('INVITE').length, 1);
      } finally {
        taken.close();
      }
    });

    it('are kept anew when the far end has changed their session, and not when it has repeated it', async () => {
      const placed = await place();
      const change = async (direction: string, format: number): Promise<JsonObject | null> => {
        const since = focus.all('200').length;
        const offer = `v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP ${format}\r\na=${direction}\r\n`;
        focus.send('UPDATE', placed, ['Content-Type: application/sdp'], offer);
        await focus.next('200', since + 1);
        return alice.port.saved(conference);
      };
      const first = await change('sendrecv', 8);
      assert.equal(await change('sendonly', 8), first);
      assert.equal(saved().calls[0]?.description.version, 2);
      assert.notEqual(await change('sendrecv', 0), first);
      assert.equal(saved().calls[0]?.description.version, 3);
    });

    it('are silent to the far end where no port is to be had any more', async () => {
      await place(watched);
      await restart(saved(), watched);
      const full = Array.from({ length: mostWatchedCalls }, () => new MediaWatch(new VirtualClock(), 1, () => {}));
      try {
        for (const each of full) await each.open('127.0.0.1');
        await resume();
        assert.match((await focus.next('INVITE')).body, /^o=- 1 2 .*m=audio 9 RTP\/AVP 0 8\r\na=inactive\r\n$/ms);
        assert.equal(alice.count('call-ended'), 0);
      } finally {
        for (const each of full) each.close();
      }
    });

    it('whose media are not counted any more are silent, too', async () => {
      await place(watched);
      await restart();
      await resume();
      assert.match((await focus.next('INVITE')).body, /m=audio 9 RTP\/AVP 0 8\r\na=inactive\r\n$/);
    });

    it('that are refreshed by everybody at once have one new port', async () => {
      await place(watched);
      await restart(saved(), watched);
      const refreshed = (): void => alice.perform({ effect: 'refresh-call', callId: 'c', mcu: 'audio-video' });
      refreshed();
      await resume();
      refreshed();
      await alice.request('refresh');
      await delay(50);
      assert.equal(focus.all('INVITE').length, 1);
    });

    it('wait for a connection: when there is one, the next refresh brings their media', async () => {
      await place(watched);
      const kept = saved();
      const { port } = focus;
      await focus.stop();
      await restart(kept, watched);
      await resume();
      focus = new ScriptedFocus();
      focus.port = port;
      await focus.start();
      await alice.next('transport-restored');
      alice.perform({ effect: 'refresh-call', callId: 'c', mcu: 'audio-video' });
      assert.ok(audioPortIn((await focus.next('INVITE')).body) > 9);
    });

    it('that the far end does not know any more have ended', async () => {
      const placed = await place();
      focus.script = ({ headers }) => ({
        status: headers['call-id'] === placed.headers['call-id'] ? '481 Unknown' : '200 OK',
      });
      await restart();
      assert.equal((await resume()).outcome.kind, 'ok');
      assert.deepEqual(await alice.next('call-ended'), {
        event: 'call-ended',
        callId: 'c',
        mcu: 'audio-video',
        reason: 'RemoteHungUp',
      });
    });

    it('are kept though our part in the conference is not: it is being joined again', async () => {
      await place();
      focus.script = () => undefined;
      alice.perform({ effect: 'join', dialog: 2, rejoin: true });
      const kept = saved();
      assert.equal(kept.participation, null);
      assert.deepEqual(
        kept.calls.map(({ callId }) => callId),
        ['c'],
      );
      focus.script = () => ({ status: '200 OK' });
      await restart(kept);
      alice.perform({ effect: 'end-call', callId: 'c', mcu: 'audio-video' });
      assert.equal((await alice.next('call-ended')).reason, 'HungUp');
      await focus.next('BYE');
    });

    it('leave no port and no timer behind when the port is released', async () => {
      const sockets = (): number => process.getActiveResourcesInfo().filter((name) => name === 'UDPWrap').length;
      const before = sockets();
      await place(watched);
      assert.equal(sockets(), before + 2);
      await alice.port.release();
      await delay(20);
      assert.equal(sockets(), before);
      assert.equal(focus.all('BYE').length, 0);
    });
  });

  describe('releasing the port', () => {
    const expected = { kind: 'unreachable', cause: 'transport', written: true };
    const kindOf = (outcome: object): object => {
      const { message, ...rest } = outcome as { message?: string };
      assert.ok(message);
      return rest;
    };

    it('answers a join, be it under way or accepted', async () => {
      focus.script = () => undefined;
      alice.perform({ effect: 'join', dialog: 1, rejoin: false });
      await focus.next('INVITE');
      await alice.port.release();
      assert.deepEqual(
        alice.events.map(({ event }) => event),
        ['join-failed'],
      );

      focus.received.length = 0;
      focus.script = ({ what }) => (what === 'INVITE' ? { status: '200 OK' } : undefined);
      create();
      alice.perform({ effect: 'join', dialog: 1, rejoin: false });
      await focus.next('SUBSCRIBE');
      assert.equal(alice.port.saved(conference), null);
      await alice.port.release();
      const { outcome } = await alice.next('join-failed');
      assert.deepEqual(kindOf(outcome), expected);
      assert.equal(alice.events.length, 1);
    });

    it('answers operations that were accepted and whose result has not come', async () => {
      await join();
      focus.script = () => ({ status: '202 Accepted' });
      const outcome = alice.request('operation', { operation: 'lock' });
      await focus.next('INFO');
      // The answer is on its way.
      await delay(50);
      await alice.port.release();
      assert.deepEqual(kindOf((await outcome).outcome), expected);
    });

    it('answers calls that are being placed, also before there is a connection', async () => {
      await alice.port.close();
      create({ mediaTimeoutMs: 300 });
      alice.perform({ effect: 'place-call', callId: 'c', mcu: 'audio-video', media: ['audio'], timeoutMs: 1000 });
      await alice.port.release();
      const { outcome } = await alice.next('call-failed');
      assert.deepEqual(kindOf(outcome), expected);
      await delay(50);
      assert.equal(alice.events.length, 1);
      assert.equal(focus.received.length, 0);
    });
  });

  it('PER-7 an abandoned conference says nothing to the far end, whose requests are answered 481 from then on', async () => {
    await join();
    alice.perform({ effect: 'place-call', callId: 'c', mcu: 'audio-video', media: [], timeoutMs: 1000 });
    await alice.next('call-accepted');
    await focus.next('ACK', 2);
    focus.received.length = 0;
    alice.port.abandon(conference);
    for (const within of [invite, subscribe]) focus.send('OPTIONS', within);
    await focus.next('481', 2);
    await delay(50);
    assert.deepEqual(
      focus.received.map(({ what }) => what),
      ['481', '481'],
    );
  });

  describe('what was kept', () => {
    it('is of no use to somebody else, or for another conference', async () => {
      await join();
      const kept = saved();
      const bob = new Endpoint(focus, conference, { uri: 'sip:bob@example.com' });
      assert.equal(bob.port.restore(conference, kept), false);
      await bob.port.close();
      const elsewhere = new Endpoint(focus, 'sip:other@127.0.0.1');
      assert.equal(elsewhere.port.restore('sip:other@127.0.0.1', kept), false);
      await elsewhere.port.close();
    });

    it('is of no use where something is open already', async () => {
      await join();
      assert.equal(alice.port.restore(conference, saved()), false);
      assert.equal((await alice.request('refresh')).outcome.kind, 'ok');
    });

    it('is not used when a part of it is missing, or is not what it should be; nothing is thrown', async () => {
      await join(document(1, uris('audio-video')));
      alice.perform({ effect: 'place-call', callId: 'c', mcu: 'audio-video', media: [], timeoutMs: 1000 });
      await alice.next('call-accepted');
      const kept = JSON.stringify(saved());
      await alice.port.release();
      let refused = 0;
      let taken = 0;
      for (const path of pathsIn(JSON.parse(kept))) {
        for (const odd of [undefined, null, -1, 1e300, 'a\r\nb: c', '', [], {}, [null], true]) {
          create();
          const changed = JSON.parse(kept);
          set(changed, path, odd);
          if (alice.port.restore(conference, changed)) taken += 1;
          else refused += 1;
          alice.port.saved(conference);
          alice.perform({ effect: 'resume', dialog: 1, timeoutMs: 10_000 });
          await alice.port.release();
          assert.equal(alice.count('outcome'), 1);
        }
      }
      assert.ok(refused > 5 * taken, `${refused} refused, ${taken} taken`);
    });

    it('that names no place ends in one outcome', async () => {
      await join();
      const kept = saved();
      assert.ok(kept.participation);
      kept.participation.dialog.remoteTarget = 'nowhere';
      await restart(kept);
      const { outcome } = await resume();
      assert.ok(outcome.kind === 'unreachable' && outcome.cause === 'malformed', JSON.stringify(outcome));
    });
  });
});

describe('taking up SIP dialogs, with Kamailio', function () {
  this.timeout(60_000);
  let focus: KamailioFocus;
  let edge: KamailioEdge;
  let conference: string;
  let rooms = 0;
  const endpoints: Endpoint[] = [];

  const endpoint = (uri = 'sip:alice@example.com'): Endpoint => {
    const created = new Endpoint(edge, conference, { uri, commands: 'cccp' });
    endpoints.push(created);
    return created;
  };
  /** The process of an endpoint ends without a word; another one takes up what it has kept. */
  const restarted = async (before: Endpoint): Promise<Endpoint> => {
    const kept = JSON.parse(JSON.stringify(before.port.saved(conference)));
    await before.port.release();
    const after = endpoint();
    assert.ok(after.port.restore(conference, kept));
    return after;
  };
  const resume = async (alice: Endpoint) => {
    alice.perform({ effect: 'resume', dialog: 1, timeoutMs: 10_000 });
    return (await alice.next('outcome', ({ requestId }) => requestId === 'resume')).outcome;
  };
  const has = (name: string) => (event: { document: { users: { entity: string }[] } }) =>
    event.document.users.some(({ entity }) => entity === `sip:${name}@example.com`);

  before(async function () {
    this.timeout(peersTimeoutMs);
    skipWithoutPeers(this);
    focus = await new KamailioFocus().start();
    edge = await new KamailioEdge(focus.port).start();
  });

  beforeEach(() => {
    rooms += 1;
    conference = `sip:room${rooms}@127.0.0.1:${focus.port}`;
  });

  afterEach(async () => {
    for (const each of endpoints.splice(0)) await each.port.close();
  });

  after(async () => {
    await edge?.stop();
    await focus?.stop();
  });

  it('PER-2 through a hop: nobody has seen us go, the roster comes anew, and what is new reaches us where we are', async () => {
    const first = endpoint();
    await first.join();
    const bob = endpoint('sip:bob@example.com');
    await bob.join();
    const alice = await restarted(first);
    assert.deepEqual(await resume(alice), { kind: 'ok', status: 200 });
    const { document: roster } = await alice.next('document', ({ newSubscription }) => newSubscription === true);
    assert.equal(roster.state, 'full');
    assert.ok(has('bob')({ document: roster }) && has('alice')({ document: roster }));
    assert.equal((await alice.request('operation', { operation: 'lock' })).outcome.kind, 'ok');
    await endpoint('sip:carol@example.com').join();
    await alice.next('document', has('carol'));
    assert.ok(bob.events.every((event) => event.event !== 'document' || has('alice')(event)));
    alice.perform({ effect: 'leave', dialog: 1, silently: false });
    await alice.next('left');
    await bob.next('document', (event) => !has('alice')(event));
  });

  it('when the hop was killed and came back meanwhile', async () => {
    const first = endpoint();
    await first.join();
    const kept = JSON.parse(JSON.stringify(first.port.saved(conference)));
    await first.port.release();
    await edge.kill();
    await edge.start();
    const alice = endpoint();
    assert.ok(alice.port.restore(conference, kept));
    assert.equal((await resume(alice)).kind, 'ok');
    await alice.next('document', has('alice'));
  });

  it('calls go on, and can be ended', async () => {
    const first = endpoint();
    await first.join();
    const call = { callId: 'c', mcu: 'audio-video' };
    first.perform({ effect: 'place-call', ...call, media: ['audio'], timeoutMs: 10_000 });
    await first.next('call-accepted');
    const alice = await restarted(first);
    assert.equal((await resume(alice)).kind, 'ok');
    alice.perform({ effect: 'send-text', requestId: 'text', ...call, text: 'still here', timeoutMs: 10_000 });
    const { outcome } = await alice.next('outcome', ({ requestId }) => requestId === 'text');
    assert.equal(outcome.kind, 'ok');
    alice.perform({ effect: 'end-call', ...call });
    assert.deepEqual(await alice.next('call-ended'), { event: 'call-ended', ...call, reason: 'HungUp' });
  });

  it('a Focus that was restarted meanwhile does not know the dialog: 481, and the call has ended', async () => {
    const first = endpoint();
    await first.join();
    const call = { callId: 'c', mcu: 'audio-video' };
    first.perform({ effect: 'place-call', ...call, media: ['audio'], timeoutMs: 10_000 });
    await first.next('call-accepted');
    const alice = await restarted(first);
    await focus.kill();
    await focus.start();
    const outcome = await resume(alice);
    assert.ok(outcome.kind === 'refused' && outcome.status === 481, JSON.stringify(outcome));
    assert.deepEqual(await alice.next('call-ended'), { event: 'call-ended', ...call, reason: 'RemoteHungUp' });
    await alice.join(2);
  });
});

type Path = (string | number)[];

/** Where all values of a JSON value are. */
function pathsIn(value: unknown, path: Path = []): Path[] {
  if (typeof value !== 'object' || value === null) return [path];
  return [path, ...Object.entries(value).flatMap(([name, each]) => pathsIn(each, [...path, name]))].filter(
    ({ length }) => length > 0,
  );
}

function set(value: JsonObject, path: Path, changed: unknown): void {
  const [first = '', ...rest] = path;
  if (rest.length > 0) set(value[first] as JsonObject, rest, changed);
  else value[first] = changed;
}
