import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { Endpoint, hurried, until } from './harness';
import { answer, branchOf, header, methodOf, SmallServer } from './small-server';

const notification = (subscribe: string, branch: string): string => {
  const body =
    '<conference-info xmlns="urn:ietf:params:xml:ns:conference-info" entity="sip:room@x" state="full" version="1"/>';
  return [
    'NOTIFY sip:alice@127.0.0.1 SIP/2.0',
    `Via: SIP/2.0/UDP 127.0.0.1;branch=${branch}`,
    `From: ${header(subscribe, 'To')};tag=focus`,
    `To: ${header(subscribe, 'From')}`,
    `Call-ID: ${header(subscribe, 'Call-ID')}`,
    'CSeq: 1 NOTIFY',
    'Event: conference',
    'Subscription-State: active;expires=600',
    'Content-Type: application/conference-info+xml',
    `Content-Length: ${body.length}`,
    '',
    body,
  ].join('\r\n');
};

describe('SIP over UDP, where datagrams are lost', function () {
  this.timeout(60_000);
  let focus: SmallServer;
  let alice: Endpoint;

  beforeEach(async () => {
    focus = await new SmallServer('udp').start();
    alice = new Endpoint(focus, 'sip:room@example.com', { transport: 'udp' }, hurried(10), hurried(10));
  });

  afterEach(async () => {
    await alice.port.close();
    await focus.stop();
  });

  const requests = (method: string): string[] => focus.received.filter((text) => methodOf(text) === method);

  it('joins and heals though each request is lost once, and each answer as well', async () => {
    focus.answer = (text) => {
      const copies = focus.received.filter(
        (each) => branchOf(each) === branchOf(text) && methodOf(each) === methodOf(text),
      );
      return copies.length < 3 ? undefined : answer(text);
    };
    await alice.join();
    assert.deepEqual((await alice.request('heal')).outcome, { kind: 'ok', status: 200 });
    assert.equal(requests('INVITE').length, 3);
    assert.equal(new Set(requests('INVITE')).size, 1, 'the very same request');
    assert.equal(requests('UPDATE').length, 3);
    assert.equal((await alice.request('probe')).outcome.kind, 'ok');
  });

  it('acknowledges an INVITE whenever it is answered again', async () => {
    focus.answer = (text) => answer(text);
    await alice.join();
    const [invite = ''] = requests('INVITE');
    await until(() => requests('ACK').length === 1);
    focus.send(answer(invite) ?? '');
    await until(() => requests('ACK').length === 2);
    assert.deepEqual(requests('ACK')[0], requests('ACK')[1]);
  });

  it('answers a repeated NOTIFY again, and reads it once', async () => {
    focus.answer = (text) => answer(text);
    await alice.join();
    const [subscribe = ''] = requests('SUBSCRIBE');
    const before = alice.count('document');
    for (let copy = 0; copy < 3; copy += 1) focus.send(notification(subscribe, 'z9hG4bKonce'));
    const answers = () => focus.received.filter((text) => text.startsWith('SIP/2.0 200'));
    await until(() => answers().length === 3);
    await delay(50);
    assert.equal(new Set(answers()).size, 1, 'the very same answer');
    assert.equal(alice.count('document'), before + 1);
  });

  it('answers a repeated BYE again, and tells it once', async () => {
    focus.answer = (text) => answer(text);
    await alice.join();
    const [invite = ''] = requests('INVITE');
    const bye = answer(invite)?.replace(/^SIP\/2\.0 200 OK/, 'BYE sip:alice@127.0.0.1 SIP/2.0') ?? '';
    const from = header(bye, 'From');
    const swapped = bye
      .replace(/^Via:.*$/m, 'Via: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bKbye')
      .replace(/^From:.*$/m, `From: ${header(bye, 'To')}`)
      .replace(/^To: .*;tag=focus$/m, `To: ${from}`)
      .replace(/^CSeq:.*$/m, 'CSeq: 7 BYE');
    focus.send(swapped);
    focus.send(swapped);
    await until(() => focus.received.filter((text) => text.startsWith('SIP/2.0 200')).length === 2);
    await alice.next('remote-bye');
    assert.equal(alice.count('remote-bye'), 1);
  });
});
