import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { referTarget } from '../../../nodes/signaling/sip/referral';
import { Endpoint, leewayMs } from './harness';
import { type Message, ScriptedFocus } from './scripted-focus';

const allow = 'Allow: INVITE, ACK, BYE, CANCEL, UPDATE, OPTIONS, SUBSCRIBE, REFER';
const bob = 'sip:bob@example.com';

describe('REFER to a Focus', function () {
  this.timeout(60_000);
  let focus: ScriptedFocus;
  let alice: Endpoint;
  /** What the Focus answers to REFER. */
  let answer: { status: string; headers?: string[] } | undefined;

  const join = async (headers = [allow]): Promise<void> => {
    focus.script = (request) => {
      if (request.what === 'INVITE') return { status: '200 OK', headers };
      return request.what === 'REFER' ? answer : { status: '200 OK' };
    };
    alice.perform({ effect: 'join', dialog: 1, rejoin: false });
    await focus.next('SUBSCRIBE');
  };

  /** Asks for an operation; the outcome is still to come. */
  const ask = (operation: string, participant: unknown, more: { mcu?: string; timeoutMs?: number } = {}) =>
    alice.request('operation', { operation, arguments: { participant: participant as string }, ...more });

  const notify = (refer: Message, fragment: string, state = 'terminated;reason=noresource'): void =>
    focus.send(
      'NOTIFY',
      refer,
      ['Event: refer', `Subscription-State: ${state}`, 'Content-Type: message/sipfrag;version=2.0'],
      fragment,
    );

  beforeEach(async () => {
    answer = { status: '202 Accepted' };
    focus = await new ScriptedFocus().start();
    alice = new Endpoint(focus, `sip:room@127.0.0.1:${focus.port}`);
  });

  afterEach(async () => {
    await alice.port.close();
    await focus.stop();
  });

  it('invites: the Focus calls somebody, and tells when that is answered (RFC 4579, 5; RFC 3515, 2.4.4)', async () => {
    await join();
    const asked = ask('invite', bob);
    const refer = await focus.next('REFER');
    assert.equal(refer.start, `REFER sip:room@127.0.0.1:${focus.port};transport=tcp SIP/2.0`);
    assert.equal(refer.headers['refer-to'], `<${bob}>`);
    assert.equal(refer.headers['referred-by'], '<sip:alice@example.com>');
    assert.match(refer.headers.supported ?? '', /norefersub/);
    assert.match(refer.headers.contact ?? '', /^<sip:alice@127\.0\.0\.1:\d+;transport=tcp>$/);
    notify(refer, 'SIP/2.0 100 Trying\r\n', 'active;expires=60');
    notify(refer, 'SIP/2.0 180 Ringing\r\n', 'active;expires=60');
    await delay(30);
    assert.equal(alice.count('outcome'), 0);
    notify(refer, 'SIP/2.0 200 OK\r\n');
    const { outcome, method } = await asked;
    assert.deepEqual(outcome, { kind: 'ok', status: 200 });
    assert.equal(method, 'REFER');
  });

  it('stands outside of the dialog with the Focus, where it would be a transfer of ourselves', async () => {
    await join();
    const asked = ask('invite', bob);
    const refer = await focus.next('REFER');
    assert.notEqual(refer.headers['call-id'], (await focus.next('INVITE')).headers['call-id']);
    assert.doesNotMatch(refer.headers.to ?? '', /tag=/);
    notify(refer, 'SIP/2.0 200 OK\r\n');
    await asked;
  });

  it('ejects: the Focus hangs up on somebody (method=BYE)', async () => {
    await join();
    const asked = ask('eject', bob);
    const refer = await focus.next('REFER');
    assert.equal(refer.headers['refer-to'], `<${bob};method=BYE>`);
    notify(refer, 'SIP/2.0 200 OK');
    assert.equal((await asked).outcome.kind, 'ok');
  });

  it('takes the result also when it comes before the answer', async () => {
    answer = undefined;
    await join();
    const asked = ask('invite', bob);
    const refer = await focus.next('REFER');
    notify(refer, 'SIP/2.0 200 OK\r\n');
    assert.equal((await asked).outcome.kind, 'ok');
    focus.answer(refer, '202 Accepted');
    await delay(30);
    assert.equal(alice.count('outcome'), 1);
  });

  it('is done with its answer when the Focus tells no results (RFC 4488)', async () => {
    answer = { status: '200 OK', headers: ['Refer-Sub: false'] };
    await join();
    assert.deepEqual((await ask('invite', bob)).outcome, { kind: 'ok', status: 200 });
  });

  it('a refusal by the third party is no evidence against the Focus: its status is not that of our dialog', async () => {
    await join();
    for (const [index, status] of ['603 Decline', '481 Call/Transaction Does Not Exist', '430 Flow Failed'].entries()) {
      const asked = ask('eject', bob);
      notify(await focus.next('REFER', index + 1), `SIP/2.0 ${status}\r\n`);
      const { outcome } = await asked;
      assert.ok(outcome.kind === 'refused');
      assert.equal(outcome.status, 202);
      assert.equal(outcome.conferenceReason, `SIP-${status.slice(0, 3)}`);
      assert.equal(`${outcome.response.status} ${outcome.response.reason}`, status);
    }
  });

  it('a refusal by the Focus is one', async () => {
    answer = { status: '403 Forbidden' };
    await join();
    const { outcome } = await ask('eject', bob);
    assert.ok(outcome.kind === 'refused' && outcome.status === 403 && outcome.conferenceReason === undefined);
  });

  it('an accepted one without a result in time is a time-out, and the Focus hears that nobody waits (481)', async () => {
    await join();
    const asked = ask('invite', bob, { timeoutMs: 150 });
    const refer = await focus.next('REFER');
    const { outcome, elapsedMs } = await asked;
    assert.ok(outcome.kind === 'unreachable' && outcome.cause === 'timeout' && outcome.written);
    assert.ok(elapsedMs >= 145 && elapsedMs < 150 + leewayMs, `${elapsedMs} ms`);
    notify(refer, 'SIP/2.0 200 OK\r\n');
    await focus.next('481');
    assert.equal(alice.count('outcome'), 1);
  });

  it('no answer at all is a time-out', async () => {
    answer = undefined;
    await join();
    const { outcome } = await ask('invite', bob, { timeoutMs: 100 });
    assert.ok(outcome.kind === 'unreachable' && outcome.cause === 'timeout' && outcome.written);
  });

  it('a report that ends without a result, or cannot be read, is said to be so', async () => {
    await join();
    for (const [index, fragment] of ['SIP/2.0 100 Trying\r\n', '', 'hello', 'SIP/2.0 99'].entries()) {
      const asked = ask('invite', bob);
      const refer = await focus.next('REFER', index + 1);
      notify(refer, 'hello', 'active');
      notify(refer, fragment);
      const { outcome } = await asked;
      assert.ok(outcome.kind === 'unreachable' && outcome.cause === 'malformed' && outcome.written);
    }
  });

  it('answers nothing but NOTIFY in that dialog', async () => {
    await join();
    const asked = ask('invite', bob);
    const refer = await focus.next('REFER');
    focus.send('INFO', refer);
    await focus.next('405');
    notify(refer, 'SIP/2.0 200 OK\r\n');
    assert.equal((await asked).outcome.kind, 'ok');
  });

  it('is given up with the dialog, with one outcome', async () => {
    await join();
    const asked = ask('invite', bob);
    await focus.next('REFER');
    alice.perform({ effect: 'join', dialog: 2, rejoin: true });
    const { outcome } = await asked;
    assert.ok(outcome.kind === 'unreachable' && outcome.cause === 'transport' && outcome.written);
  });

  it('leaves no timer behind when the port is closed', async () => {
    const timers = (): number => process.getActiveResourcesInfo().filter((resource) => resource === 'Timeout').length;
    // By then the test's own timer runs.
    await delay(1);
    const before = timers();
    await join();
    alice.perform({
      effect: 'request',
      requestId: 'r',
      dialog: 1,
      purpose: 'operation',
      operation: 'invite',
      arguments: { participant: bob },
      timeoutMs: 60_000,
    });
    await focus.next('REFER');
    await delay(30);
    assert.ok(timers() > before);
    await alice.port.close();
    assert.ok(timers() <= before, `${before} before, ${timers()} after`);
  });

  const cannot = async (operation: string, participant: unknown, why: RegExp, mcu?: string): Promise<void> => {
    const { outcome } = await ask(operation, participant, mcu === undefined ? {} : { mcu });
    assert.ok(outcome.kind === 'unsupported', operation);
    assert.match(outcome.message, why);
    assert.match(outcome.message, new RegExp(`"${operation}"`));
    assert.equal(focus.all('REFER').length, 0);
    assert.equal(focus.all('INFO').length, 0);
  };

  it('what plain SIP has no request for is not possible, and it is said who can do it', async () => {
    await join();
    for (const operation of ['lock', 'admit', 'modify-role', 'toString']) await cannot(operation, bob, /Lync/);
    await cannot('eject', bob, /Lync/, 'audio-video');
    await cannot('dial-out', bob, /Lync/, 'audio-video');
    for (const nobody of ['bob', 'sip:b@x>\r\nX: y', 'sip:b@x?Replaces=1', `${bob};method=BYE`, 'http://x', 7]) {
      await cannot('invite', nobody, /no SIP address/);
    }
  });

  it('a server that does not say that it is a Focus and takes REFER is not sent one', async () => {
    await join([allow.replace(', REFER', '')]);
    await cannot('invite', bob, /REFER in Allow.*Lync/);
    alice.perform({ effect: 'leave', dialog: 1, silently: true });
    focus.received.length = 0;
    await join([allow, `Contact: <sip:room@127.0.0.1:${focus.port};transport=tcp>`]);
    await cannot('eject', bob, /isfocus/);
  });

  it('a server that takes C3P is sent that', async () => {
    await alice.port.close();
    alice = new Endpoint(focus, `sip:room@127.0.0.1:${focus.port}`, { commands: 'cccp' });
    await join();
    assert.equal((await ask('eject', bob)).method, 'INFO');
    assert.match((await focus.next('INFO')).body, /deleteUser/);
  });
});

describe('whom a REFER names', () => {
  it('is a URI without headers, and with the method of what is not INVITE', () => {
    assert.equal(referTarget('invite', 'sips:b@x;transport=tls'), 'sips:b@x;transport=tls');
    assert.equal(referTarget('invite', 'tel:+15551234'), 'tel:+15551234');
    assert.equal(referTarget('eject', 'sip:b@x;user=phone'), 'sip:b@x;user=phone;method=BYE');
    for (const none of [undefined, null, '', 'sip:', 'sip:b@x c', 'sip:b@x,sip:c@x', 'sip:b@x"']) {
      assert.equal(referTarget('invite', none), undefined);
    }
  });
});
