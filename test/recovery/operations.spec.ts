import assert from 'node:assert/strict';
import { type ConferenceSessionInput, conferenceSession } from '../../nodes/recovery/conference-session';
import { limits } from '../../nodes/recovery/limits';
import type { RecoveryAction } from '../../nodes/recovery/messages';
import type { Outcome } from '../../nodes/recovery/signaling';
import { effectsOf, only } from '../support/driver';
import {
  closing,
  connected,
  focusFailed,
  left,
  ok,
  operation,
  outcome,
  refused,
  routeHealthy,
  sessions,
  silence,
  terminate,
  unreachable,
} from './sessions';

const malformed: Outcome = { kind: 'unreachable', cause: 'malformed', written: true, message: 'not XML' };
const unsupported: Outcome = { kind: 'unsupported', message: 'There is no such thing.' };

/** What becomes of an operation that meets an outcome: its error, or that it is held. */
function fate(name: string, met: Outcome, settings = {}): string {
  const session = connected(settings);
  session.give(operation('a', name, { participant: 'sip:alan@pool.example' }));
  const [failed] = only(session.give(outcome('a', met)).messages, 'operation-failed');
  return failed ? failed.error.code : 'held';
}

describe('operations of a conference session', () => {
  it('HOP-1 HOP-3 HOP-17 O4 430, with each recovery action', () => {
    const stale = (...recoveryAction: RecoveryAction[]) => fate('lock', refused(430, { recoveryAction }));
    assert.equal(stale('Dialog-Route-Set-Update'), 'held');
    assert.equal(stale('Registration-Route-Set-Update', 'Dialog-Route-Set-Update'), 'held');
    assert.equal(stale('Registration-Route-Set-Update'), 'held');
    assert.equal(fate('lock', refused(430)), 'held');
    assert.equal(stale('Wait-For-Session-Update'), 'SIP-430');
    assert.equal(stale('Dialog-Route-Set-Update', 'Wait-For-Session-Update'), 'SIP-430');
  });

  it('HOP-16 what may not have arrived is held; what may have taken effect only if twice is the same as once', () => {
    assert.deepEqual(
      [fate('invite', unreachable), fate('lock', unreachable), fate('invite', silence), fate('lock', silence)],
      ['held', 'held', 'OperationTimeout', 'held'],
    );
  });

  it('HOP-16 twice is the same as once for everything but bringing somebody in, and for nothing that nobody knows', () => {
    const repeatable = ['lock', 'unlock', 'end-conference', 'eject', 'modify-role', 'modify-configuration'];
    for (const name of [...repeatable, 'admit', 'deny', 'mute', 'unmute'])
      assert.equal(fate(name, silence), 'held', name);
    for (const name of ['invite', 'dial-out', 'call', 'send', 'make-coffee', ''])
      assert.equal(fate(name, silence), 'OperationTimeout', name);
  });

  it('HOP-16 what was answered, in whatever way, is not sent again', () => {
    assert.deepEqual(
      [fate('lock', refused(403)), fate('lock', refused(503)), fate('lock', malformed), fate('lock', unsupported)],
      ['SIP-403', 'SIP-503', 'MessageParsing', 'NotSupported'],
    );
    assert.equal(fate('lock', refused(430), { signalsWired: false }), 'SIP-430', 'nobody would repair anything');
  });

  it('HOP-16 O25 a silent repair sends again what was held, twice at most, and leaves alone what awaits a verdict', () => {
    const session = connected();
    session.give(operation('a'));
    session.give(operation('b', 'unlock'));
    session.give(outcome('a', refused(430)));
    session.give(outcome('b', refused(481)));
    assert.deepEqual(
      effectsOf(session.give(routeHealthy).effects, 'request').map(({ requestId }) => requestId),
      ['a'],
    );
    session.give(outcome('a', refused(430)));
    session.give(routeHealthy);
    const [failed] = only(session.give(outcome('a', refused(430))).messages, 'operation-failed');
    assert.deepEqual([failed.operationId, failed.error.code], ['a', 'SIP-430']);
  });

  it('FE-7 a hold that has ended otherwise does not end again', () => {
    const session = connected();
    session.give(operation('a'));
    assert.deepEqual(session.give({ input: 'deadline', deadline: 'hold-expired:a' }).messages, []);
    assert.deepEqual(session.give({ input: 'deadline', deadline: 'hold-expired:b' }).messages, []);
  });

  it('FE-7 ORD-1 an operation of an MCU session completes there, with its result', () => {
    const session = connected();
    session.give({ ...operation('a', 'mute'), mcu: 'chat' } as ConferenceSessionInput);
    session.now += 20;
    const { messages, effects } = session.give(outcome('a', { kind: 'ok', status: 200, result: { muted: 1 } }));
    assert.deepEqual(only(messages, 'operation-completed'), []);
    assert.deepEqual(effectsOf(effects, 'mcu')[0].input, {
      input: 'completed',
      operation: 'mute',
      operationId: 'a',
      elapsedMs: 20,
      result: { muted: 1 },
    });
    assert.deepEqual(session.give(outcome('a', ok)).effects, []);
  });

  it('ERR-8 no operation both is refused and completes, and every one that has begun completes once', () => {
    const ends: ((session: ReturnType<typeof connected>) => void)[] = [
      (session) => void session.give(focusFailed()),
      (session) => void session.give(terminate),
      (session) => void session.give({ event: 'ended', dialog: 1, cause: 'conference-ended' }),
      (session) => void ['a', 'b', 'c'].forEach((id) => void session.give(outcome(id, refused(500)))),
      (session) => void ['a', 'b', 'c'].forEach((id) => void session.give(outcome(id, ok))),
    ];
    for (const end of ends) {
      const session = connected();
      session.give(operation('a', 'invite', { participant: 'sip:x@y' }));
      session.give(operation('b', 'end-conference'));
      session.give(operation('c'));
      end(session);
      session.give(operation('d', 'unlock'));
      for (const id of ['a', 'b', 'c', 'd']) session.give(outcome(id, ok));
      session.pass(60_000);
      const told = [...only(session.messages, 'operation-completed'), ...only(session.messages, 'operation-failed')];
      const count = (id: string) => told.filter(({ operationId }) => operationId === id).length;
      const refusals = told.filter(({ operationId }) => operationId === null).length;
      assert.deepEqual(['a', 'b', 'c'].map(count), [1, 1, 1]);
      assert.equal(count('d') + refusals, 1);
      assert.equal(session.state.pending, 0);
    }
  });

  it('MSG-6 ORD-4 so many may wait for the end, and one more is refused', () => {
    const session = closing();
    for (let count = 1; count < limits.operations; count += 1) {
      session.give({ input: 'terminate', operationId: `t-${count}` });
    }
    const { messages } = session.give({ input: 'terminate', operationId: 'one-more' });
    assert.equal(only(messages, 'operation-failed')[0].error.code, 'LimitReached');
    const ended = session.give(left());
    assert.equal(only(ended.messages, 'operation-completed').length, limits.operations);
  });
});

describe('signals of outcomes', () => {
  const signalOf = (met: Outcome, members = {}) =>
    only(connected().give(outcome('heal-3', met, members)).messages, 'signal')[0];
  const heal = { purpose: 'heal', method: 'UPDATE' } as const;

  it('DET-8 HEAL-4 say everything that a rule or a healer could ask for', () => {
    const diagnostics = { id: 24_067 };
    const signal = signalOf(
      refused(430, { retryAfterMs: 2_000, diagnostics, recoveryAction: ['Wait-For-Session-Update'] }),
      heal,
    );
    assert.deepEqual(
      [signal.signal, signal.status, signal.attempt, signal.retryAfterMs, signal.diagnostics, signal.recoveryAction],
      ['response', 430, 3, 2_000, diagnostics, ['Wait-For-Session-Update']],
    );
    const operation = signalOf(refused(403));
    assert.equal(operation.operationId, 'heal-3');
    for (const absent of ['attempt', 'retryAfterMs', 'diagnostics', 'recoveryAction'])
      assert.ok(!(absent in operation));
    assert.ok(!('operationId' in signal));
  });

  it('DET-1 tell silence from a broken transport, and a missed heartbeat from both', () => {
    assert.deepEqual(
      [signalOf(silence, heal), signalOf(unreachable, heal), signalOf(malformed, heal)].map(({ signal }) => signal),
      ['timeout', 'transport-lost', 'transport-lost'],
    );
    const refresh = { purpose: 'refresh', method: 'OPTIONS' } as const;
    assert.deepEqual(
      [signalOf(silence, refresh).signal, signalOf(ok, refresh).signal, signalOf(ok, refresh).roundTripMs],
      ['heartbeat-missed', 'heartbeat', 5],
    );
  });

  it('HEAL-3 a healing request that cannot be sent at all has a signal too, an operation that cannot has none', () => {
    assert.deepEqual([signalOf(unsupported, heal).status, signalOf(unsupported)], [501, undefined]);
  });
});

describe('what a conference session tells on demand', () => {
  it('PER-6 its status, after a start', () => {
    const told = (session: ReturnType<typeof connected>) => {
      const { state, messages } = conferenceSession.status(session.state, { now: session.now, random: 0.5 });
      const [status] = only(messages, 'session-status');
      assert.equal(state.seq, session.state.seq + 1);
      return [status.state, status.mode, status.active];
    };
    assert.deepEqual(told(sessions.Recovering()), ['Reconnecting', 'recovering', true]);
    assert.deepEqual(told(sessions.Rejoining()), ['Reconnecting', 'rejoining', true]);
    assert.deepEqual(told(connected()), ['Connected', null, false]);
  });

  it('MCU-2 FE-9 an MCU session that comes late, what there is to know', () => {
    const told = (session: ReturnType<typeof connected>) =>
      conferenceSession.introduction(session.state).map(({ input }) => input);
    assert.deepEqual(told(connected()), ['recovered', 'joined', 'roster']);
    assert.deepEqual(told(sessions.Recovering()), ['joined', 'roster', 'reconnecting']);
    assert.deepEqual(told(sessions.AwaitingFailover()), ['reconnecting']);
    for (const each of ['Idle', 'Connecting', 'InLobby', 'Rejoining', 'Disconnected'] as const) {
      assert.deepEqual(told(sessions[each]()), []);
    }
  });

  it('MSG-6 whether it may be forgotten', () => {
    const idle = Object.entries(sessions).filter(([, make]) => conferenceSession.idle(make().state));
    assert.deepEqual(
      idle.map(([phase]) => phase),
      ['Idle', 'Disconnected'],
    );
  });

  it('FE-1 HOP-2 an outage that nobody named gets a name, and keeps it until it is over', () => {
    const session = connected();
    const { messages } = session.give({ input: 'focus-failed', dialog: 1, incident: null });
    const [{ incident, active }] = only(messages, 'state-changed');
    assert.match(incident, /focus/);
    assert.equal(active, true);
    const [ended] = only(session.give(terminate).messages, 'state-changed');
    assert.deepEqual([ended.incident, ended.active], [incident, false]);
  });
});
