/** How a subscription goes on and ends (RFC 6665), with a scripted Focus and a clock that is told what time it is. */
import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { VirtualClock } from '../../support/virtual-clock';
import { Endpoint, until } from './harness';
import { type Message, ScriptedFocus } from './scripted-focus';

const ok = { status: '200 OK' };
const document = (version: number, attributes = 'state="full"', content = '<users/>'): string =>
  `<conference-info xmlns="urn:ietf:params:xml:ns:conference-info" entity="sip:room@x" ${attributes} version="${version}">` +
  `${content}</conference-info>`;
const described = (description: string, state = '', users = ''): string =>
  `<conference-description>${description}</conference-description><conference-state>${state}</conference-state>` +
  `<users>${users}</users>`;
const available = (...entries: [type: string, status: string][]): string =>
  `<available-media>${entries
    .map(([type, status], label) => `<entry label="${label}"><type>${type}</type><status>${status}</status></entry>`)
    .join('')}</available-media>`;
const uris = (...purposes: string[]): string =>
  `<conf-uris>${purposes.map((each) => `<entry><uri>sip:${each}@x</uri><purpose>${each}</purpose></entry>`).join('')}</conf-uris>`;

describe('subscriptions', function () {
  this.timeout(60_000);
  let focus: ScriptedFocus;
  let clock: VirtualClock;
  let alice: Endpoint;

  const subscriptions = (): Message[] => focus.all('SUBSCRIBE');
  const latest = (): Message => subscriptions().at(-1) as Message;
  const notify = async (body: string, state = 'active;expires=3600', within = latest()): Promise<void> => {
    const answered = focus.all('200').length;
    const type = body === '' ? [] : ['Content-Type: application/conference-info+xml'];
    focus.send('NOTIFY', within, [`Subscription-State: ${state}`, ...type], body);
    await until(() => focus.all('200').length > answered);
  };
  const join = async (first: string | null = document(1)) => {
    alice.perform({ effect: 'join', dialog: 1, rejoin: false });
    await focus.next('SUBSCRIBE');
    await delay(20);
    if (first === null) clock.advance(2000);
    else await notify(first);
    return alice.next('joined');
  };
  /** Lets time pass so slowly that what is sent meanwhile really leaves, and is answered. */
  const pass = async (ms: number, stepMs = 5_000): Promise<void> => {
    for (let left = ms; left > 0; left -= stepMs) {
      clock.advance(Math.min(left, stepMs));
      await delay(4);
    }
    await delay(15);
  };
  const answerSubscribe = (status: string, headers: string[] = []): void => {
    focus.script = ({ what }) => (what === 'SUBSCRIBE' ? { status, headers } : ok);
  };
  const refresh = async (): Promise<void> => {
    const before = subscriptions().length;
    alice.perform({ effect: 'refresh-roster', dialog: 1 });
    await until(() => subscriptions().length > before);
    await delay(20);
  };
  const isNew = (one: Message, other: Message): boolean =>
    one.headers['call-id'] !== other.headers['call-id'] && one.headers.from !== other.headers.from;

  beforeEach(async () => {
    focus = await new ScriptedFocus().start();
    clock = new VirtualClock();
    alice = new Endpoint(focus, `sip:room@127.0.0.1:${focus.port}`, { random: () => 0.5 }, clock);
  });

  afterEach(async () => {
    focus.script = () => ok;
    const closing = alice.port.close();
    // Where a request was not answered, the farewell ends with its time.
    await delay(20);
    clock.advance(1000);
    await closing;
    assert.equal(clock.pending, 0, 'no timer is left');
    await focus.stop();
  });

  it('is refreshed before it expires, in its dialog', async () => {
    await join();
    await notify(document(2), 'active;expires=600');
    await pass(400_000, 30_000);
    assert.equal(subscriptions().length, 1);
    await pass(30_000);
    const [first, second] = subscriptions() as [Message, Message];
    assert.equal(first.headers['call-id'], second.headers['call-id']);
    assert.match(second.headers.to ?? '', /tag=focus/);
  });

  for (const [state, afterMs] of [
    ['deactivated', 0],
    ['timeout', 0],
    ['timeout;retry-after=900', 0],
    ['probation;retry-after=120', 120_000],
    ['giveup', 30_000],
    ['somethingelse', 0],
    ['somethingelse;retry-after=60', 60_000],
  ] as const) {
    it(`is made again after "terminated;reason=${state}", ${afterMs === 0 ? 'at once' : `after ${afterMs / 1000} s`}, without a word`, async () => {
      await join();
      await notify('', `terminated;reason=${state}`);
      if (afterMs > 0) {
        await pass(afterMs - 1000);
        alice.perform({ effect: 'refresh-roster', dialog: 1 });
        await delay(20);
        assert.equal(subscriptions().length, 1);
      }
      await pass(1000);
      const [first, second] = subscriptions() as [Message, Message];
      assert.ok(isNew(first, second));
      await notify(document(0));
      const event = await alice.next('document');
      assert.deepEqual([event.document.version, event.newSubscription], [0, true]);
      assert.equal(alice.count('subscription-lost'), 0);
    });
  }

  it('is not made again after "rejected", which is told, and after "invariant", which is not', async () => {
    await join();
    await notify(document(2), 'terminated;reason=invariant');
    alice.perform({ effect: 'refresh-roster', dialog: 1 });
    await pass(7_200_000, 60_000);
    assert.equal(subscriptions().length, 1);
    assert.equal(alice.count('subscription-lost'), 0);

    alice.perform({ effect: 'join', dialog: 2, rejoin: true });
    await focus.next('SUBSCRIBE', 2);
    await delay(20);
    await notify(document(1));
    await alice.next('joined', (event) => event.dialog === 2);
    await notify('', 'terminated;reason=rejected');
    assert.equal((await alice.next('subscription-lost')).reason, 'rejected');
    alice.perform({ effect: 'refresh-roster', dialog: 2 });
    await pass(7_200_000, 60_000);
    assert.equal(subscriptions().length, 2);
  });

  it('is made again later and later where each is ended at once', async () => {
    await join();
    await notify('', 'terminated;reason=deactivated');
    const seen: number[] = [];
    for (let second = 0; second < 60; second += 1) {
      await pass(1000);
      if (subscriptions().length === seen.length + 1) continue;
      seen.push(second);
      await notify('', 'terminated;reason=deactivated');
    }
    // At once, then 1, 2, 4, … s shortened by a quarter (random 0.5).
    assert.ok(seen.length >= 5 && seen.length <= 7, `${seen}`);
  });

  for (const status of [
    '404 Not Found',
    '405 No',
    '410 Gone',
    '480 Away',
    '485 Ambiguous',
    '489 Bad Event',
    '604 Nowhere',
  ]) {
    it(`is made anew when its refresh is answered ${status} (RFC 6665, 4.1.2.2)`, async () => {
      await join();
      focus.script = (request) => {
        if (request.what !== 'SUBSCRIBE') return ok;
        return request.headers.to?.includes('tag=') ? { status } : ok;
      };
      await refresh();
      await pass(1000);
      assert.equal(subscriptions().length, 3);
      assert.ok(isNew(subscriptions()[1] as Message, latest()));
      assert.equal(alice.count('subscription-lost'), 0);
    });
  }

  it('is lost when the new one is refused, too', async () => {
    await join();
    answerSubscribe('404 Not Found');
    await refresh();
    await pass(1000);
    assert.match((await alice.next('subscription-lost')).reason, /404/);
    assert.equal(subscriptions().length, 3);
  });

  it('is lost when its refresh is answered 481, and was not too late', async () => {
    await join();
    answerSubscribe('481 Gone');
    await refresh();
    assert.match((await alice.next('subscription-lost')).reason, /481/);
    assert.equal(subscriptions().length, 2);
  });

  it('is valid until it expires where a refresh fails otherwise, then made anew', async () => {
    await join();
    answerSubscribe('503 Busy', ['Retry-After: 100']);
    await refresh();
    await pass(99_000);
    assert.equal(subscriptions().length, 2);
    await pass(4_000);
    assert.equal(subscriptions().length, 3);
    assert.ok(!isNew(subscriptions()[0] as Message, latest()));
    await notify(document(2), 'active;expires=60', subscriptions()[0]);
    focus.script = ({ what }) => (what === 'SUBSCRIBE' ? undefined : ok);
    await pass(130_000);
    assert.ok(isNew(subscriptions()[0] as Message, latest()));
    assert.equal(alice.count('subscription-lost'), 0);
  });

  it('asks for as long as the Focus wants at least (423)', async () => {
    focus.script = (request) => {
      const tooBrief = request.what === 'SUBSCRIBE' && Number(request.headers.expires) < 7200;
      return tooBrief ? { status: '423 Too Brief', headers: ['Min-Expires: 7200'] } : ok;
    };
    alice.perform({ effect: 'join', dialog: 1, rejoin: false });
    await focus.next('SUBSCRIBE', 2);
    assert.deepEqual(
      subscriptions().map(({ headers }) => headers.expires),
      ['3600', '7200'],
    );
  });

  it('does not follow a Focus that wants too much, or the same again (423)', async () => {
    await join();
    for (const least of ['3600', '99999999', 'much']) {
      const before = subscriptions().length;
      answerSubscribe('423 Too Brief', [`Min-Expires: ${least}`]);
      await refresh();
      assert.equal(subscriptions().length, before + 1, least);
    }
  });

  it('sends one refresh at a time', async () => {
    await join();
    focus.script = ({ what }) => (what === 'SUBSCRIBE' ? undefined : ok);
    await refresh();
    for (let count = 0; count < 5; count += 1) alice.perform({ effect: 'refresh-roster', dialog: 1 });
    await delay(20);
    assert.equal(subscriptions().length, 2);
    await pass(32_000);
    await refresh();
    assert.equal(subscriptions().length, 3);
  });

  it('is made anew on request, and the old one is given back', async () => {
    await join();
    alice.perform({ effect: 'refresh-roster', dialog: 1, anew: true });
    await until(() => subscriptions().length === 3);
    const [first, farewell, second] = subscriptions() as [Message, Message, Message];
    assert.deepEqual([farewell.headers['call-id'], farewell.headers.expires], [first.headers['call-id'], '0']);
    assert.ok(isNew(first, second));
    focus.send('NOTIFY', first, ['Subscription-State: terminated;reason=timeout'], '');
    await focus.next('481');
    await notify(document(0));
    assert.equal((await alice.next('document')).newSubscription, true);
    await notify(document(1));
    const next = await alice.next('document', (event) => event.document.version === 1);
    assert.equal(next.newSubscription, undefined);
  });

  it('Timer N: is made anew when no NOTIFY follows a refresh, and lost when none follows that', async () => {
    await join();
    await refresh();
    await pass(31_000);
    assert.equal(subscriptions().length, 2);
    await pass(2_000);
    const [first, , farewell, second] = subscriptions() as Message[] as [Message, Message, Message, Message];
    assert.equal(farewell.headers.expires, '0');
    assert.ok(isNew(first, second));
    assert.equal(alice.count('subscription-lost'), 0);
    await pass(33_000);
    assert.match((await alice.next('subscription-lost')).reason, /32 s/);
  });

  it('Timer N: a NOTIFY in time is enough, also one before the answer', async () => {
    await join();
    focus.script = (request) => {
      if (request.what === 'SUBSCRIBE') {
        focus.send('NOTIFY', request, ['Subscription-State: active;expires=3600'], '');
      }
      return ok;
    };
    await refresh();
    await pass(100_000);
    assert.equal(subscriptions().length, 2);
  });

  it('goes on with a server that sends no NOTIFY into an idle room, as FreeSWITCH does', async () => {
    assert.equal((await join(null)).document, null);
    await pass(600_000);
    const asked = subscriptions().filter(({ headers }) => headers.expires !== '0').length;
    assert.equal(asked, 2);
    assert.equal(alice.count('subscription-lost'), 0);
    await notify(document(0));
    assert.equal((await alice.next('document')).document.version, 0);
  });

  it('tries again where the first one met a passing failure, and not where there are no rosters', async () => {
    answerSubscribe('503 Busy');
    alice.perform({ effect: 'join', dialog: 1, rejoin: false });
    assert.equal((await alice.next('joined')).document, null);
    answerSubscribe('489 Bad Event');
    await pass(5_000);
    const tried = subscriptions().length;
    assert.ok(tried >= 2);
    await pass(600_000);
    alice.perform({ effect: 'refresh-roster', dialog: 1 });
    await delay(20);
    assert.equal(subscriptions().length, tried);
    assert.equal(alice.count('subscription-lost'), 0);
  });

  it('asks for the whole of a roster that begins with a part', async () => {
    alice.perform({ effect: 'join', dialog: 1, rejoin: false });
    await focus.next('SUBSCRIBE');
    await delay(20);
    await notify(document(1, 'state="partial"'));
    await focus.next('SUBSCRIBE', 2);
    await notify(document(2));
    assert.equal((await alice.next('joined')).document?.version, 2);
  });

  it('does not answer the Focus with another subscription after it has left', async () => {
    await join();
    const before = latest();
    alice.perform({ effect: 'leave', dialog: 1, silently: false });
    await alice.next('left');
    focus.send('NOTIFY', before, ['Subscription-State: terminated;reason=deactivated'], '');
    await focus.next('481');
    await pass(600_000);
    assert.equal(subscriptions().filter(({ headers }) => headers.expires !== '0').length, 1);
  });

  describe('MCUs', () => {
    const user = (type: string, status: string): string =>
      `<user entity="sip:b@x"><endpoint entity="b"><media id="1"><type>${type}</type><status>${status}</status></media></endpoint></user>`;
    const reportsOf = async (content: string) => (await join(document(1, 'state="full"', content))).mcus;

    it('are not spoken of by a server that names none, and active then', async () => {
      const content = described('<conf-uris><entry><uri>sip:room@x</uri></entry></conf-uris>', '<active>true</active>');
      assert.equal(await reportsOf(content), null);
    });

    it('are inactive while the conference is', async () => {
      const [audio] = [available(['audio', 'sendrecv'])];
      assert.deepEqual(await reportsOf(described(audio, '<active>false</active>')), {
        'audio-video': 'inactive',
        chat: 'inactive',
      });
      await notify(document(2, 'state="partial"', described('', '<active>true</active>')));
      const report = await alice.next('mcu-report');
      assert.deepEqual([report.mcu, report.report], ['audio-video', 'active']);
      assert.equal(alice.count('mcu-report'), 1);
    });

    it('are active with an available medium of theirs', async () => {
      const content = described(available(['video', 'sendonly'], ['text', 'inactive']));
      assert.deepEqual(await reportsOf(content), { 'audio-video': 'active', chat: 'inactive' });
    });

    it('are active with a medium that a participant has', async () => {
      const content = described(available(['audio', 'inactive']), '', user('audio', 'recvonly'));
      assert.deepEqual(await reportsOf(content), { 'audio-video': 'active', chat: 'inactive' });
      await notify(document(2, 'state="full"', described('', '', user('audio', 'inactive'))));
      assert.equal((await alice.next('mcu-report')).report, 'inactive');
    });

    it('are those that conf-uris name; of one without media of its own the name is enough', async () => {
      const content = described(
        uris('audio-video', 'meeting', 'constructor', 'participation') + available(['text', 'sendrecv']),
      );
      assert.deepEqual(await reportsOf(content), {
        'audio-video': 'inactive',
        meeting: 'active',
        constructor: 'active',
      });
    });
  });
});
