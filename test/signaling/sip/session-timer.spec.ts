import assert from 'node:assert/strict';
import { SessionExpiration } from '../../../nodes/signaling/sip/session-expiration';
import {
  type Agreement,
  acceptance,
  agreementOf,
  expiresAfterMs,
  isTooShort,
  proposal,
  refreshAfterMs,
  retryAfterMs,
} from '../../../nodes/signaling/sip/session-timer';
import { VirtualClock } from '../../support/virtual-clock';

const ours: Agreement = { intervalMs: 600_000, refresher: 'us' };
const theirs: Agreement = { intervalMs: 600_000, refresher: 'peer' };

describe('session timers: arithmetic (RFC 4028)', () => {
  it('offers 30 minutes and to refresh, then what was agreed, in the roles of the request (7.1, 7.4)', () => {
    assert.deepEqual(proposal(null, 90), ['Session-Expires: 1800;refresher=uac']);
    assert.deepEqual(proposal(ours, 90), ['Session-Expires: 600;refresher=uac']);
    assert.deepEqual(proposal(theirs, 90), ['Session-Expires: 600;refresher=uas']);
  });

  it('offers no less than a 422 has asked for, and says so (7.3)', () => {
    assert.deepEqual(proposal(null, 3600), ['Session-Expires: 3600;refresher=uac', 'Min-SE: 3600']);
    assert.deepEqual(proposal(null, 120), ['Session-Expires: 1800;refresher=uac', 'Min-SE: 120']);
  });

  it('takes from an answer what it says, and no timer from one that says nothing (7.2)', () => {
    assert.deepEqual(agreementOf({ sessionExpires: '600;refresher=uac' }), ours);
    assert.deepEqual(agreementOf({ sessionExpires: ' 600 ; Refresher = UAS ;x=y' }), theirs);
    assert.deepEqual(agreementOf({ sessionExpires: '600' }), ours);
    for (const sessionExpires of [undefined, '', '0', '-1', 'soon', '6e2', '99999999999'])
      assert.equal(agreementOf({ sessionExpires }), null, String(sessionExpires));
    assert.equal(agreementOf({ sessionExpires: '4294967295' })?.intervalMs, 2_000_000_000);
  });

  it('refuses less than 90 s, but not from somebody who could not understand that (9)', () => {
    assert.ok(isTooShort({ sessionExpires: '89', supported: 'timer' }));
    assert.ok(!isTooShort({ sessionExpires: '90', supported: 'timer' }));
    assert.ok(!isTooShort({ sessionExpires: '89', supported: '100rel' }));
    assert.ok(!isTooShort({ supported: 'timer' }));
  });

  // biome-ignore format: table 2 of RFC 4028, and what is not in it
  const answers: [string, { sessionExpires?: string; supported?: string }, Agreement | null, string[], Agreement['refresher'] | null][] = [
    ['who refreshes goes on',         { sessionExpires: '600;refresher=uac', supported: 'timer' },       null,   ['600;refresher=uac', 'timer'], 'peer'],
    ['who asks us to refresh',        { sessionExpires: '600;refresher=uas', supported: 'x, Timer' },    null,   ['600;refresher=uas', 'timer'], 'us'],
    ['who leaves it to us',           { sessionExpires: '600', supported: 'timer' },                     null,   ['600;refresher=uac', 'timer'], 'peer'],
    ['who knows no timer',            { sessionExpires: '600' },                                         null,   ['600;refresher=uas'],          'us'],
    ['who does not ask',              { supported: 'timer' },                                            null,   [],                             null],
    ['who forgets to ask, as before', { supported: 'timer' },                                            theirs, ['600;refresher=uac', 'timer'], 'peer'],
    ['who is refreshed by us',        { supported: 'timer' },                                            ours,   ['600;refresher=uas', 'timer'], 'us'],
    ['who knows no timer any more',   {},                                                                theirs, ['600;refresher=uas'],          'us'],
  ];
  for (const [who, request, agreed, [expires, require], refresher] of answers) {
    it(`answers ${who} (9)`, () => {
      const headers = [
        ...(expires ? [`Session-Expires: ${expires}`] : []),
        ...(require ? [`Require: ${require}`] : []),
      ];
      assert.deepEqual(acceptance(request, agreed), {
        headers,
        agreed: refresher && { intervalMs: 600_000, refresher },
      });
    });
  }

  it('refreshes at half the interval, and gives up at its end, or before it as the one who waits (10)', () => {
    assert.equal(refreshAfterMs(ours), 300_000);
    assert.equal(expiresAfterMs(ours), 600_000);
    assert.equal(expiresAfterMs(theirs), 568_000);
    assert.equal(expiresAfterMs({ ...theirs, intervalMs: 90_000 }), 60_000);
  });

  it('tries a failed refresh again at half of what remains, while there is time', () => {
    assert.equal(retryAfterMs(300_000), 150_000);
    assert.equal(retryAfterMs(20_000), 10_000);
    assert.equal(retryAfterMs(19_999), null);
  });
});

describe('the session timer of a dialog', () => {
  let clock: VirtualClock;
  let session: SessionExpiration;
  /** What happened, with the seconds since the start. */
  let log: string[];
  let startedAt: number;

  beforeEach(() => {
    clock = new VirtualClock();
    startedAt = clock.now();
    log = [];
    const note = (what: string) => () => log.push(`${(clock.now() - startedAt) / 1000} ${what}`);
    session = new SessionExpiration(clock, { refresh: note('refresh'), expired: note('expired'), changed: () => {} });
  });

  it('does nothing before anything is agreed', () => {
    clock.advance(10_000_000);
    assert.deepEqual([log, clock.pending], [[], 0]);
  });

  it('as refresher asks for refreshes, more often when they fail, until the session is over', () => {
    session.learn({ sessionExpires: '160;refresher=uac' });
    clock.advance(1_000_000);
    assert.deepEqual(log, ['80 refresh', '120 refresh', '140 refresh', '150 refresh', '160 expired']);
    assert.equal(clock.pending, 0);
  });

  it('as refresher begins anew with each answer, also one that changes the interval', () => {
    session.learn({ sessionExpires: '90;refresher=uac' });
    clock.advance(45_000);
    session.learn({ sessionExpires: '120;refresher=uac' });
    clock.advance(60_000);
    assert.deepEqual(log, ['45 refresh', '105 refresh']);
    session.learn({});
    clock.advance(1_000_000);
    assert.equal(log.length, 2);
  });

  it('as the one who waits is content with each refresh, and tells when none has come in time', () => {
    const refresh = { sessionExpires: '90;refresher=uac', supported: 'timer' };
    session.learn({ sessionExpires: '90;refresher=uas' });
    clock.advance(50_000);
    assert.deepEqual(session.accept(refresh), ['Session-Expires: 90;refresher=uac', 'Require: timer']);
    clock.advance(1_000_000);
    assert.deepEqual(log, ['110 expired']);
  });

  it('stands still while paused, and then has its full interval again (HOP-14)', () => {
    session.learn({ sessionExpires: '90;refresher=uas' });
    clock.advance(30_000);
    session.pause();
    clock.advance(1_000_000);
    session.resume();
    clock.advance(59_000);
    assert.deepEqual(log, []);
    clock.advance(1000);
    assert.deepEqual(log, ['1090 expired']);
  });

  it('sends at once, after a pause, the refresh that the far end has waited for (HOP-14)', () => {
    session.learn({ sessionExpires: '90;refresher=uac' });
    clock.advance(10_000);
    session.pause();
    clock.advance(10_000);
    session.resume();
    clock.advance(25_000);
    assert.deepEqual(log, ['45 refresh']);
    session.pause();
    clock.advance(100_000);
    session.resume();
    clock.advance(0);
    assert.deepEqual(log, ['45 refresh', '145 refresh']);
    session.pause();
    // Healed by a request that has refreshed the session as well.
    session.learn({ sessionExpires: '90;refresher=uac' });
    assert.equal(clock.pending, 0);
    session.resume();
    clock.advance(44_000);
    assert.equal(log.length, 2);
  });

  it('asks again for longer after a 422, but neither forever nor for ever longer', () => {
    assert.equal(session.raise('120'), true);
    assert.deepEqual(session.proposal, ['Session-Expires: 1800;refresher=uac', 'Min-SE: 120']);
    for (const minSe of ['120', '90', '86401', undefined, 'x']) assert.equal(session.raise(minSe), false, minSe);
  });

  it('is quiet when it is stopped, whatever comes', () => {
    session.learn({ sessionExpires: '90;refresher=uac' });
    session.stop();
    session.learn({ sessionExpires: '90;refresher=uac' });
    session.resume();
    assert.equal(clock.pending, 0);
  });
});
