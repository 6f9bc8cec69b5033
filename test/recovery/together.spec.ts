import assert from 'node:assert/strict';
import { effectsOf, only } from '../support/driver';
import { ok, refused, silence, unreachable } from './sessions';
import { Wired } from './wired';

const stale = (...recoveryAction: string[]) => refused(430, { recoveryAction });
const ours = 'Dialog-Route-Set-Update';
const theirs = 'Wait-For-Session-Update';

/** States of the session and of its MCU sessions, in the order in which they were told. */
const path = ({ messages }: Wired) =>
  only(messages, 'state-changed').map(({ mcu, state }) => (mcu === undefined ? state : `${mcu} ${state}`));
const statuses = ({ messages }: Wired) => only(messages, 'route-status-changed').map(({ status }) => status);
const kinds = ({ effects }: Wired) => effects.map(({ effect }) => effect);

/** In Recovering, after an operation met a stale route and the first repair was not answered. */
function recovering(): { wired: Wired; operationId: string } {
  const wired = Wired.inCall();
  const operationId = wired.ask({ command: 'lock' });
  wired.answer('operation', stale(ours));
  wired.answer('heal', silence);
  assert.equal(wired.session, 'Reconnecting');
  return { wired, operationId };
}

describe('the machines together: a broken route', () => {
  it('HOP-1 HOP-4 430 that we can heal: UPDATE, then the same request again, and nobody sees a change of state', () => {
    const wired = Wired.inCall();
    const operationId = wired.ask({ command: 'lock' });
    wired.answer('operation', stale(ours));
    assert.equal(wired.requests('heal').length, 1);
    wired.answer('heal', ok);
    assert.deepEqual(
      wired.requests('operation').map(({ requestId }) => requestId),
      [operationId, operationId],
    );
    wired.answer('operation', ok);
    assert.equal(only(wired.messages, 'operation-completed')[0].operationId, operationId);
    assert.deepEqual([path(wired), statuses(wired)], [[], ['Healthy']]);
  });

  for (const status of [403, 500, 603]) {
    it(`HOP-22 HOP-2 a repair that is refused with ${status}: the operation fails with the 430 that it met`, () => {
      const wired = Wired.inCall();
      wired.ask({ command: 'lock' });
      wired.answer('operation', stale(ours));
      wired.answer('heal', refused(status));
      assert.deepEqual([path(wired), statuses(wired)], [['Reconnecting'], ['Recovering']]);
      const [{ error }, ...more] = only(wired.messages, 'operation-failed');
      assert.deepEqual(
        [error.name, error.code, error.response.status, error.retryable, more],
        ['FailureResponseException', 'SIP-430', 430, true, []],
      );
    });
  }

  it('HOP-3 HEAL-1 430 that the far end has to heal: the operation fails with it, and we are Recovering at once', () => {
    const wired = Wired.inCall();
    wired.ask({ command: 'lock' });
    wired.answer('operation', stale(theirs));
    assert.equal(only(wired.messages, 'operation-failed')[0].error.response.status, 430);
    assert.deepEqual([path(wired), wired.requests('heal')], [['Reconnecting'], []]);
    wired.pass(33_000);
    assert.equal(wired.requests('heal').length, 1);
  });

  it('HOP-8 O15 an UPDATE of the far end ends Recovering, and our own late failure changes nothing', () => {
    const { wired } = recovering();
    wired.pass(33_000);
    wired.forget();
    wired.hear({ event: 'remote-update', dialog: 1 });
    assert.deepEqual([path(wired), statuses(wired)], [['Connected'], ['Healthy']]);
    wired.forget();
    wired.hear({
      event: 'outcome',
      requestId: 'heal-2',
      dialog: 1,
      purpose: 'heal',
      method: 'UPDATE',
      outcome: refused(430),
      elapsedMs: 1,
    });
    assert.deepEqual([path(wired), statuses(wired), wired.session], [[], [], 'Connected']);
  });

  it('HOP-15 a refresh that meets 430 starts recovery, with no operation involved', () => {
    const wired = Wired.inCall();
    wired.pass(10_000);
    assert.equal(wired.requests('refresh').length, 1);
    wired.answer('refresh', stale(ours));
    assert.deepEqual([wired.requests('heal').length, path(wired)], [1, []]);
    const waiting = Wired.inCall();
    waiting.pass(10_000);
    waiting.answer('refresh', stale(theirs));
    assert.deepEqual([waiting.requests('heal').length, path(waiting)], [0, ['Reconnecting']]);
    for (const each of [wired, waiting]) assert.deepEqual(only(each.messages, 'operation-failed'), []);
  });

  it('HOP-14 O23 session timers stand still while Recovering, and start again with Healthy', () => {
    const { wired } = recovering();
    const timers = () => wired.effects.filter(({ effect }) => effect.endsWith('session-timer'));
    assert.deepEqual(timers(), [{ effect: 'pause-session-timer', dialog: 1 }]);
    wired.pass(33_000);
    wired.answer('heal', ok);
    assert.deepEqual(timers(), [
      { effect: 'pause-session-timer', dialog: 1 },
      { effect: 'resume-session-timer', dialog: 1 },
    ]);
  });

  it('HOP-17 a registration that is stale too is refreshed before the dialog, until a repair got through', () => {
    const wired = Wired.inCall();
    wired.ask({ command: 'lock' });
    wired.answer('operation', stale('Registration-Route-Set-Update', ours));
    const refreshing = () => wired.requests('heal').map(({ refreshRegistration = false }) => refreshRegistration);
    assert.deepEqual(refreshing(), [true]);
    wired.answer('heal', silence);
    wired.pass(33_000);
    wired.answer('heal', ok);
    wired.ask({ command: 'lock' });
    wired.answer('operation', stale(ours));
    assert.deepEqual(refreshing(), [true, true, false]);
  });

  it('HOP-17 a new dialog needs no refreshed registration', () => {
    const wired = Wired.inCall();
    wired.ask({ command: 'lock' });
    wired.answer('operation', stale('Registration-Route-Set-Update'));
    wired.answer('heal', refused(481));
    wired.answer('probe', ok);
    wired.joined(2);
    wired.ask({ command: 'lock' });
    wired.answer('operation', stale(ours));
    assert.equal(wired.requests('heal').at(-1)?.refreshRegistration, undefined);
  });

  it('HOP-18 related dialogs follow: subscription and calls are refreshed, and media are not touched', () => {
    const related = ['refresh-call', 'refresh-call', 'refresh-roster'];
    const { wired: seen } = recovering();
    seen.pass(33_000);
    seen.forget();
    seen.hear({ event: 'remote-update', dialog: 1 });
    assert.deepEqual(
      kinds(seen)
        .filter((effect) => related.includes(effect))
        .sort(),
      related,
    );
    const unseen = Wired.inCall();
    unseen.ask({ command: 'lock' });
    unseen.answer('operation', stale(ours));
    unseen.answer('heal', ok);
    assert.deepEqual(
      kinds(unseen)
        .filter((effect) => related.includes(effect))
        .sort(),
      related,
    );
    for (const wired of [seen, unseen]) {
      assert.deepEqual([wired.call('audio-video').state, wired.call('chat').state], ['Established', 'Established']);
      assert.deepEqual(
        effectsOf(wired.effects, 'refresh-call').map(({ callId }) => callId),
        [wired.call('audio-video').id, wired.call('chat').id],
      );
    }
  });

  it('HOP-18 an MCU session without an established call has no dialog to refresh', () => {
    const wired = new Wired();
    wired.ask({ command: 'join' });
    wired.joined(1);
    wired.askMcu('chat', { command: 'call' });
    wired.ask({ command: 'lock' });
    wired.answer('operation', stale(ours));
    wired.answer('heal', ok);
    assert.deepEqual(effectsOf(wired.effects, 'refresh-call'), []);
  });

  it('HOP-24 a stale route that is answered 481: the Focus is taken for failed, and nothing is healed', () => {
    const wired = Wired.inCall();
    wired.ask({ command: 'lock' });
    wired.answer('operation', refused(481));
    assert.deepEqual(path(wired)[2], 'Reconnecting');
    assert.deepEqual([wired.requests('heal'), wired.requests('probe').length], [[], 1]);
    assert.equal(only(wired.messages, 'operation-failed')[0].error.code, 'SessionRetrying');
  });

  it('HOP-19 O14 481 to a repair: the one re-join, with the operation failed once', () => {
    const { wired } = recovering();
    wired.pass(33_000);
    wired.answer('heal', refused(481));
    assert.equal(only(wired.messages, 'mode-changed')[0].mode, 'rejoining');
    wired.answer('probe', ok);
    assert.equal(effectsOf(wired.effects, 'join').length, 1);
    wired.joined(2);
    assert.equal(wired.session, 'Connected');
    assert.equal(only(wired.messages, 'operation-failed').length, 1);
  });

  it('HOP-11 GU-3 a route that nobody heals is given up after 5 min, once, and with a reason', () => {
    const { wired } = recovering();
    for (let minutes = 0; minutes < 5; minutes += 1) wired.pass(60_000);
    const ends = only(wired.messages, 'state-changed').filter(({ mcu }) => mcu === undefined);
    assert.deepEqual(
      ends.map(({ state, reason }) => [state, reason]),
      [
        ['Reconnecting', 'RouteBroken'],
        ['Disconnecting', 'GaveUp'],
        ['Disconnected', 'GaveUp'],
      ],
    );
    assert.equal(wired.pending, 0);
  });

  it('HOP-12 O25 LimitedRetry: the operation waits for three minutes, and then ends unsent with the session', () => {
    const wired = Wired.inCall({ mode: 'LimitedRetry' });
    const operationId = wired.ask({ command: 'lock' });
    wired.answer('operation', unreachable);
    wired.answer('heal', silence);
    assert.deepEqual(only(wired.messages, 'operation-failed'), []);
    wired.pass(180_000);
    assert.equal(wired.session, 'Disconnected');
    const [{ error, ...failed }, ...more] = only(wired.messages, 'operation-failed');
    assert.deepEqual([failed.operationId, error.failureReason, more], [operationId, 'SessionTerminated', []]);
    assert.equal(wired.requests('operation').length, 1);
    assert.equal(wired.pending, 0);
  });

  it('HOP-12 LimitedRetry: healed in time, the operation is sent', () => {
    const wired = Wired.inCall({ mode: 'LimitedRetry' });
    wired.ask({ command: 'lock' });
    wired.answer('operation', unreachable);
    wired.answer('heal', silence);
    wired.pass(33_000);
    wired.answer('heal', ok);
    assert.equal(wired.requests('operation').length, 2);
    wired.answer('operation', ok);
    assert.equal(only(wired.messages, 'operation-completed')[0].operation, 'lock');
  });

  it('HOP-13 O25 None: the first 430 fails the operation, and the state is unchanged', () => {
    const wired = Wired.inCall({ mode: 'None' });
    wired.ask({ command: 'lock' });
    wired.answer('operation', stale(ours));
    assert.deepEqual([path(wired), wired.requests('heal')], [[], []]);
    assert.equal(only(wired.messages, 'operation-failed')[0].error.code, 'SIP-430');
  });
});

describe('the machines together: failover', () => {
  it('FE-1 FE-3 FE-5 FE-14 FE-23 the Focus: MCU sessions wait with it, calls live on, all is well after one re-join', () => {
    const wired = Wired.inCall();
    wired.hear({ event: 'remote-bye', dialog: 1 });
    wired.answer('probe', ok);
    wired.joined(2);
    assert.deepEqual(path(wired), [
      'audio-video Retrying',
      'chat Retrying',
      'Reconnecting',
      'audio-video Active',
      'chat Active',
      'Connected',
    ]);
    assert.equal(effectsOf(wired.effects, 'join').length, 1);
    assert.deepEqual(only(wired.messages, 'call-state-changed'), []);
  });

  it('O1 O2 O17 each failover has one re-join of its own, sent as soon as the Focus is back', () => {
    const wired = Wired.inCall();
    for (const dialog of [1, 2]) {
      wired.forget();
      wired.hear({ event: 'remote-bye', dialog });
      wired.answer('probe', refused(504));
      assert.deepEqual(effectsOf(wired.effects, 'join'), []);
      wired.pass(1_000);
      wired.answer('probe', ok);
      assert.deepEqual(
        effectsOf(wired.effects, 'join').map((effect) => effect.dialog),
        [dialog + 1],
      );
      wired.joined(dialog + 1);
      assert.equal(wired.session, 'Connected');
    }
  });

  it('MCU-7 MCU-5 an MCU: that session and that call, and nothing else', () => {
    const wired = Wired.inCall();
    wired.hear({ event: 'mcu-report', dialog: 1, mcu: 'chat', report: 'failing-over' });
    assert.deepEqual(path(wired), ['chat Retrying']);
    assert.deepEqual([wired.call('chat').state, wired.call('audio-video').state], ['Terminated', 'Established']);
    assert.equal(wired.session, 'Connected');
    wired.hear({ event: 'mcu-report', dialog: 1, mcu: 'chat', report: 'active' });
    assert.deepEqual(path(wired), ['chat Retrying', 'chat Active']);
    assert.deepEqual(
      effectsOf(wired.effects, 'end-call').map(({ callId }) => callId),
      [wired.call('chat').id],
    );
  });

  it('MCU-11 ORD-5 terminate: every MCU session and every operation ends before the session does', () => {
    const wired = Wired.inCall();
    wired.ask({ command: 'lock' });
    wired.askMcu('audio-video', { command: 'mute' });
    const terminating = wired.ask({ command: 'terminate' });
    wired.hear({ event: 'left', dialog: 1 });
    const told = path(wired);
    assert.deepEqual(told, ['audio-video Terminated', 'chat Terminated', 'Disconnecting', 'Disconnected']);
    const failed = only(wired.messages, 'operation-failed').map(({ operation }) => operation);
    assert.deepEqual(failed.sort(), ['lock', 'mute']);
    const own = wired.messages.filter((message) => 'source' in message && message.source === 'conference-session');
    assert.deepEqual(
      only(own.slice(-1), 'operation-completed').map(({ operationId }) => operationId),
      [terminating],
      'its own completion comes last',
    );
    assert.equal(wired.pending, 0);
  });

  it('ORD-2 what each machine tells leaves one by one, in the order in which it was numbered', () => {
    const { wired } = recovering();
    wired.pass(33_000);
    wired.answer('heal', refused(481));
    wired.answer('probe', ok);
    wired.joined(2);
    wired.ask({ command: 'terminate' });
    wired.hear({ event: 'left', dialog: 2 });
    const numbers = new Map<string, number>();
    for (const message of wired.messages) {
      if (!('event' in message)) continue;
      const teller = 'mcu' in message && message.source === 'mcu-session' ? `mcu ${message.mcu}` : message.source;
      const before = numbers.get(teller) ?? message.seq - 1;
      assert.equal(message.seq, before + 1, teller);
      numbers.set(teller, message.seq);
    }
    assert.deepEqual([...numbers.keys()].sort(), [
      'conference-session',
      'failover-detector',
      'give-up-timer',
      'mcu audio-video',
      'mcu chat',
      'route-healer',
    ]);
  });

  it('ORD-3 after Disconnected, nothing of that session leaves', () => {
    const wired = Wired.inCall();
    const { id: callId } = wired.call('chat');
    wired.ask({ command: 'terminate' });
    wired.hear({ event: 'left', dialog: 1 });
    wired.forget();
    wired.hear({ event: 'media', callId, mcu: 'chat', flowing: false, lastPacketAt: null, packets: 1 });
    wired.hear({ event: 'call-ended', callId, mcu: 'chat', reason: 'RemoteHungUp' });
    wired.hear({ event: 'text', mcu: 'chat', from: 'sip:ada@pool.example', text: 'too late' });
    wired.hear({ event: 'document', dialog: 1, document: { state: 'full', version: 9, users: [] } });
    wired.hear({ event: 'mcu-report', dialog: 1, mcu: 'chat', report: 'active' });
    wired.hear({ event: 'transport-lost', dialog: 1, message: '' });
    wired.pass(600_000);
    assert.deepEqual(wired.messages, []);
  });
});
