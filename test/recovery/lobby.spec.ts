import assert from 'node:assert/strict';
import { effectsOf, only } from '../support/driver';
import {
  admitted,
  connecting,
  failedOver,
  focusFailed,
  inLobby,
  joined,
  left,
  lobbied,
  rejoining,
  routeHealthy,
  routeLost,
  type Session,
  stateOf,
  states,
  terminate,
} from './sessions';

const minute = 60_000;

/** From the lobby into each mode of Reconnecting. */
const ways = {
  Recovering: (session: Session) => session.give(routeLost()),
  AwaitingFailover: (session: Session) => session.give(focusFailed()),
  Rejoining: (session: Session) => {
    session.give(focusFailed());
    session.give(failedOver());
  },
};

describe('the lobby', () => {
  it('ST-4 a join that nobody answers in time fails, and leads back to Idle', () => {
    const session = connecting();
    session.pass(31_999);
    assert.equal(stateOf(session), 'Connecting');
    const { messages, effects } = session.pass(1);
    assert.equal(stateOf(session), 'Idle');
    const [{ error, operationId }] = only(messages, 'operation-failed');
    assert.deepEqual([operationId, error.name, error.retryable], ['join-1', 'OperationTimeoutException', true]);
    assert.equal(effectsOf(effects, 'leave')[0].silently, false, 'the server may have let us in meanwhile');
  });

  it('ST-6 who is admitted before the join was answered is in', () => {
    const session = connecting();
    const { messages } = session.give(admitted(1));
    assert.equal(stateOf(session), 'Connected');
    assert.equal(only(messages, 'operation-completed')[0].operationId, 'join-1');
    assert.equal(session.deadlines.size, 0);
  });

  it('ST-7 the end of the conference, and removal with a reason, fail the join with that reason', () => {
    for (const [cause, reason, failureReason, why] of [
      ['conference-ended', undefined, 'ConferenceEnded', 'ConferenceEnded'],
      ['ejected', 'Forbidden', 'Forbidden', 'LobbyDenied'],
      ['ejected', undefined, 'LobbyDenied', 'LobbyDenied'],
    ] as const) {
      const session = lobbied();
      const { messages } = session.give({ event: 'ended', dialog: 1, cause, ...(reason && { reason }) });
      const [{ error }] = only(messages, 'operation-failed');
      assert.deepEqual([error.name, error.failureReason], ['ConferenceFailureException', failureReason]);
      session.give(left());
      const [, , closing, idle] = only(session.messages, 'state-changed');
      assert.deepEqual([closing.state, closing.reason, idle.state, idle.reason], ['Disconnecting', why, 'Idle', why]);
    }
  });

  it('ST-9 patience is 15 min from when we were placed there, to the millisecond', () => {
    const session = lobbied();
    session.pass(15 * minute - 1);
    assert.equal(stateOf(session), 'InLobby');
    session.pass(1);
    assert.equal(stateOf(session), 'Disconnecting');
  });

  for (const [phase, goTo] of Object.entries(ways)) {
    it(`O21 O22 ST-9 ${phase}: the join stays pending, and patience goes on`, () => {
      const session = lobbied();
      session.pass(14.9 * minute);
      goTo(session);
      assert.deepEqual(only(session.messages, 'operation-failed'), []);
      const { messages } = session.pass(0.1 * minute);
      const [{ error, operationId }] = only(messages, 'operation-failed');
      assert.deepEqual([operationId, error.name], ['join-1', 'OperationTimeoutException']);
      assert.deepEqual(states(session).slice(-3), ['Reconnecting', 'Disconnecting', 'Idle']);
      assert.equal(session.deadlines.size, 0);
    });

    it(`ST-7 ST-8 ${phase}: removal and terminate fail the join, and end Idle`, () => {
      for (const end of [terminate, { event: 'ended', dialog: 0, cause: 'ejected' }] as const) {
        const session = lobbied();
        goTo(session);
        session.give('event' in end ? { ...end, dialog: session.state.dialog } : end);
        assert.deepEqual(states(session).slice(-2), ['Disconnecting', 'Idle']);
        const [{ error }] = only(session.messages, 'operation-failed');
        assert.equal(error.name, 'event' in end ? 'ConferenceFailureException' : 'OperationFailureException');
      }
    });
  }

  it('FE-15 O22 a re-join that ends there again leaves the patience of who waited, and gives it to who did not', () => {
    const waiting = lobbied();
    waiting.pass(10 * minute);
    ways.Rejoining(waiting);
    waiting.give(inLobby(2));
    assert.equal(stateOf(waiting), 'InLobby');
    assert.equal(only(waiting.pass(5 * minute).messages, 'operation-failed')[0].operationId, 'join-1');

    const inside = rejoining();
    inside.pass(10_000);
    inside.give(inLobby(2));
    inside.pass(15 * minute - 1);
    assert.equal(stateOf(inside), 'InLobby');
    inside.pass(1);
    inside.give(left(2));
    assert.equal(stateOf(inside), 'Disconnected', 'its join had completed long before');
    assert.deepEqual(only(inside.messages, 'operation-failed'), []);
  });

  it('FE-16 who was placed there by a re-join is admitted like anybody, and no join completes twice', () => {
    const session = rejoining();
    session.give(inLobby(2));
    const { messages } = session.give(admitted(2));
    assert.equal(stateOf(session), 'Connected');
    assert.deepEqual(only(messages, 'operation-completed'), []);
  });

  it('ST-12 a session that rolls back takes back what it has shown of the conference, before Idle', () => {
    const session = lobbied();
    session.give(routeLost());
    const shown = session.give(admitted(1));
    assert.equal(only(shown.messages, 'roster-changed')[0].joined.length, 2);
    const { messages } = session.give(terminate);
    const names = messages.map((message) => ('state' in message ? message.state : 'event' in message && message.event));
    assert.deepEqual(names, ['Disconnecting', 'operation-failed', 'roster-changed', 'Idle', 'operation-completed']);
    const [roster] = only(messages, 'roster-changed');
    assert.deepEqual([roster.left.length, roster.total], [2, 0]);
  });

  it('O20 admitted while the route is healed: the MCU sessions hear of it, and the way back is into the conference', () => {
    const session = lobbied();
    session.give(routeLost());
    const { effects } = session.give(admitted(1));
    assert.deepEqual(
      effectsOf(effects, 'mcu').map(({ input }) => input.input),
      ['joined', 'roster'],
    );
    const back = session.give(routeHealthy);
    assert.equal(stateOf(session), 'Connected');
    assert.equal(only(back.messages, 'operation-completed')[0].operationId, 'join-1');
  });

  it('FE-12 a re-join from there that is refused, or not answered, ends Idle', () => {
    for (const silent of [false, true]) {
      const session = lobbied();
      ways.Rejoining(session);
      const outcome = { kind: 'unreachable', cause: 'transport', written: false, message: 'gone' } as const;
      if (silent) session.pass(32_000);
      else session.give({ event: 'join-failed', dialog: 2, outcome });
      assert.deepEqual(states(session).slice(-2), ['Disconnecting', 'Idle']);
      const [{ error }] = only(session.messages, 'operation-failed');
      assert.equal(error.name, silent ? 'OperationTimeoutException' : 'ConnectionFailureException');
    }
  });

  it('FE-2 O21 a Focus that comes back in time completes the join as if nothing had been', () => {
    const session = lobbied();
    ways.Rejoining(session);
    const { messages } = session.give(joined(2));
    assert.equal(only(messages, 'operation-completed')[0].operation, 'join');
    assert.equal(session.deadlines.size, 0);
  });
});
