/** A second opinion on our messages: the SIP and SDP dissectors of Wireshark. */
import assert from 'node:assert/strict';
import { type Captured, dissect, missingDissectors } from '../../support/capture';
import { Endpoint, systemClock } from './harness';
import { ScriptedFocus } from './scripted-focus';

describe('SIP, as Wireshark reads it', function () {
  this.timeout(60_000);
  const captured: Captured[] = [];

  before(async function () {
    const missing = missingDissectors();
    if (missing !== null) {
      if (process.env.CI === 'true') throw new Error(missing);
      console.log(`    skipped: ${missing}`);
      this.skip();
    }
    const focus = await new ScriptedFocus().start();
    const alice = new Endpoint(
      focus,
      `sip:room@127.0.0.1:${focus.port}`,
      { displayName: 'Alice "the \\ builder" Müller' },
      systemClock,
      systemClock,
      captured,
    );
    const roster =
      '<conference-info xmlns="urn:ietf:params:xml:ns:conference-info" entity="sip:room@x" state="full" version="1">' +
      '<users><user entity="sip:alice@example.com"/></users></conference-info>';
    const headers = [
      'Event: conference',
      'Subscription-State: active;expires=600',
      'Content-Type: application/conference-info+xml',
    ];
    const join = async (dialog: number): Promise<void> => {
      alice.perform({ effect: 'join', dialog, rejoin: dialog > 1 });
      focus.send('NOTIFY', await focus.next('SUBSCRIBE', dialog), headers, roster);
      await alice.next('joined', (event) => event.dialog === dialog);
    };
    try {
      await join(1);
      await alice.request('heal', { method: 'UPDATE' });
      await alice.request('heal', { method: 're-INVITE' });
      focus.script = ({ what }) =>
        what === 'UPDATE' ? { status: '481 Call/Transaction Does Not Exist' } : { status: '200 OK' };
      await alice.request('heal', { method: 'UPDATE' });
      await join(2);
      alice.perform({ effect: 'leave', dialog: 2, silently: false });
      await alice.next('left');
    } finally {
      await alice.port.close();
      await focus.stop();
    }
  });

  it('a join, a healing and a re-join have no error in them', () => {
    const dissected = dissect(captured);
    assert.equal(dissected.length, captured.length);
    for (const [index, { protocols, errors }] of dissected.entries()) {
      const { text } = captured[index] as Captured;
      assert.ok(protocols.includes('sip'), `${protocols} ${text}`);
      assert.equal(protocols.includes('sdp'), text.includes('application/sdp'), text);
      assert.deepEqual(errors, [], text);
    }
    const sent = captured.filter(({ direction }) => direction === 'O').map(({ text }) => text.split(' ')[0]);
    for (const method of ['INVITE', 'ACK', 'SUBSCRIBE', 'UPDATE', 'BYE', 'SIP/2.0'])
      assert.ok(sent.includes(method), method);
  });

  for (const [what, change] of Object.entries({
    'a port that there is not': (text: string) => text.replace(/^m=audio 9 RTP.AVP 0$/m, 'm=audio 99999999999'),
    'a Content-Length that is no number': (text: string) => text.replace(/^(Content-Length:).*$/m, '$1 x'),
  })) {
    it(`would have one, if there were ${what}`, () => {
      const invitation = captured.find(({ text }) => text.startsWith('INVITE')) as Captured;
      const [before, spoilt, after] = dissect([
        invitation,
        { ...invitation, text: change(invitation.text) },
        invitation,
      ]);
      assert.equal(spoilt?.errors.length, 1);
      assert.deepEqual([before?.errors, after?.errors], [[], []]);
    });
  }
});
