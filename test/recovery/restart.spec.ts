/** What becomes of the sessions when the process ends, and another one reads their state. */
import assert from 'node:assert/strict';
import { type ConferenceSessionInput, conferenceSession } from '../../nodes/recovery/conference-session';
import type { Outcome } from '../../nodes/recovery/signaling';
import { effectsOf, only } from '../support/driver';
import {
  bound,
  failedOver as failedMcu,
  given,
  idleWithCall,
  newMcu,
  operation as ofMcu,
  person,
  report,
  retryingWithCall,
  stateOf as stateOfMcu,
  terminated,
  withCall,
} from './mcu-sessions';
import {
  admitted,
  awaitingFailover,
  closing,
  connected,
  connecting,
  failedOver,
  inEach,
  lobbied,
  newSession,
  ok,
  operation,
  outcome,
  phases,
  recovering,
  refused,
  rejoining,
  routeLost,
  type Session,
  silence,
  stateOf,
  states,
  terminate,
} from './sessions';

const restarted = { input: 'restarted' } as const;
const inDialog = ['InLobby', 'Connected', 'Recovering', 'AwaitingFailover'] as const;

/** What a session that was well before says and does after a restart. */
function restart(session: Session) {
  const told = session.give(restarted);
  return {
    ...told,
    kinds: told.effects.map((effect) => (effect.effect === 'mcu' ? effect.input.input : effect.effect)),
  };
}

describe('conference session, after a restart', () => {
  it('PER-2 PER-6 MSG-3 says first, once, that it is restored, and how it is; numbers of facts go on', () => {
    inEach(phases, (session) => {
      const { seq } = session.state;
      const before = stateOf(session);
      const [first, ...others] = session.give(restarted).messages as unknown as { [member: string]: unknown }[];
      assert.deepEqual([first?.event, first?.state, first?.restored], ['session-status', before, true]);
      assert.equal(first?.seq, seq + 1);
      assert.ok(others.every(({ restored }) => restored !== true));
      for (const message of session.give(terminate).messages) assert.ok(!('restored' in message && message.restored));
    });
  });

  it('PER-2 PER-9 in a dialog, asks whether it is still there, and changes no state', () => {
    inEach(inDialog, (session, phase) => {
      const { messages, effects } = session.give(restarted);
      assert.deepEqual(only(messages, 'state-changed'), []);
      assert.deepEqual(effectsOf(effects, 'resume'), [{ effect: 'resume', dialog: 1, timeoutMs: 4_000 }]);
      assert.equal(session.state.phase, phase);
      const answer = outcome('resume', refused(481), { purpose: 'refresh', method: 'UPDATE' });
      assert.equal(only(session.give(answer).messages, 'signal')[0].status, 481);
    });
    for (const phase of phases.filter((each) => !(inDialog as readonly string[]).includes(each))) {
      inEach([phase], (session) => assert.ok(!restart(session).kinds.includes('resume')));
    }
  });

  // Found by simulation, seed 2868030673: the detector learned an interval from it, by which every heartbeat was late.
  it('PER-9 DET-7 what is asked after a restart is no heartbeat, answered or not', () => {
    const signals = (how: Outcome) => {
      const session = connected();
      session.give(restarted);
      const answer = outcome('resume', how, { purpose: 'refresh', method: 'UPDATE' });
      return only(session.give(answer).messages, 'signal').map(({ signal, purpose }) => [signal, purpose]);
    };
    assert.deepEqual(signals(ok), [['response', 'refresh']]);
    assert.deepEqual(signals(silence), [['timeout', 'refresh']]);
  });

  it('PER-9 HOP-14 the session timer of a broken route stands still in the new process too', () => {
    assert.deepEqual(
      inDialog.filter((phase) => {
        let paused = false;
        inEach([phase], (session) => {
          paused = restart(session).kinds.includes('pause-session-timer');
        });
        return paused;
      }),
      ['Recovering'],
    );
  });

  it('PER-9 FE-6 FE-7 what was pending fails with SessionRetrying, once', () => {
    const session = connected();
    session.give(operation('lock-1'));
    session.give(operation('held-1', 'unlock'));
    session.give(outcome('held-1', refused(430)));
    session.give({ ...operation('mute-1', 'mute'), mcu: 'chat' } as ConferenceSessionInput);
    const { messages, effects } = session.give(restarted);
    assert.deepEqual(
      only(messages, 'operation-failed').map(({ operationId, error }) => [operationId, error.code]),
      [
        ['lock-1', 'SessionRetrying'],
        ['held-1', 'SessionRetrying'],
      ],
    );
    const [ofChat] = effectsOf(effects, 'mcu').filter(({ mcu }) => mcu === 'chat');
    assert.deepEqual([ofChat.input.input, ofChat.input.error.code], ['failed', 'SessionRetrying']);
    assert.equal(session.deadlines.size, 0);
    for (const id of ['lock-1', 'held-1', 'mute-1']) {
      assert.deepEqual(only(session.give(outcome(id, ok)).messages, 'operation-completed'), []);
    }
  });

  it('PER-9 a join that was under way has failed with SessionRetrying, and its dialog is left', () => {
    const session = connecting();
    const { messages, effects } = session.give(restarted);
    const [{ operationId, error }] = only(messages, 'operation-failed');
    assert.deepEqual([operationId, error.code, error.safeToReplay], ['join-1', 'SessionRetrying', true]);
    assert.deepEqual(states(session).slice(-1), ['Idle']);
    assert.equal(only(messages, 'state-changed')[0].reason, 'JoinFailed');
    assert.deepEqual(effectsOf(effects, 'leave'), [{ effect: 'leave', dialog: 1, silently: false }]);
    assert.equal(session.deadlines.size, 0);
  });

  it('PER-9 O21 a join that waits in the lobby goes on waiting', () => {
    const session = lobbied();
    assert.deepEqual(only(session.give(restarted).messages, 'operation-failed'), []);
    assert.equal(only(session.give(admitted(1)).messages, 'operation-completed')[0].operationId, 'join-1');
  });

  it('PER-3 FE-11 FE-12 a re-join that was under way has failed: there is no second one', () => {
    const session = rejoining();
    const { messages, effects } = session.give(restarted);
    assert.deepEqual(
      only(messages, 'state-changed').map(({ state, reason, severity, active }) => [state, reason, severity, active]),
      [
        ['Disconnecting', 'RejoinFailed', 'critical', false],
        ['Disconnected', 'RejoinFailed', 'info', false],
      ],
    );
    assert.deepEqual(effectsOf(effects, 'leave'), [{ effect: 'leave', dialog: 2, silently: false }]);
    for (const dialog of [1, 2]) assert.deepEqual(effectsOf(session.give(failedOver(dialog)).effects, 'join'), []);
    assert.equal(session.deadlines.size, 0);
  });

  it('PER-3 one that had not been sent is sent when its time has come, once', () => {
    const session = awaitingFailover();
    session.give(restarted);
    assert.equal(effectsOf(session.give(failedOver()).effects, 'join').length, 1);
    session.give(restarted);
    assert.deepEqual(effectsOf(session.give(failedOver(2)).effects, 'join'), []);
  });

  it('PER-2 GU-3 the outage goes on under its name', () => {
    for (const make of [recovering, awaitingFailover]) {
      const session = make();
      const { incident } = session.state;
      const [status] = only(session.give(restarted).messages, 'session-status');
      assert.deepEqual([status.incident, status.active], [incident?.id, true]);
      assert.deepEqual(session.state.incident, incident);
    }
  });

  it('PER-6 MCU-4 what was said of an MCU that is failing over is said again; of others there is nothing to say', () => {
    const signals = (session: Session) => only(session.give(restarted).messages, 'signal').map(({ mcu }) => mcu);
    const reported = (session: Session) => {
      session.state = { ...session.state, mcus: { chat: 'failing-over', 'audio-video': 'active' } };
      return session;
    };
    assert.deepEqual(signals(reported(connected())), ['chat']);
    assert.deepEqual(signals(reported(recovering())), ['chat']);
    assert.deepEqual(signals(reported(awaitingFailover())), []);
    assert.deepEqual(signals(connected()), []);
  });

  it('PER-2 FE-27 MCU sessions hear again that a session has ended, or was handed over', () => {
    inEach(['Idle', 'Disconnecting', 'Disconnected'], (session) => {
      const told = () => effectsOf(session.give(restarted).effects, 'mcu').map(({ input }) => input);
      assert.deepEqual(told(), [{ input: 'terminated' }]);
      session.give({ input: 'stand-down', owner: 'them', epoch: 7 });
      assert.deepEqual(told(), [{ input: 'stood-down', owner: 'them', epoch: 7 }]);
    });
  });

  it('PER-2 ORD-4 leaving is asked for again, and whoever waits for the end hears of it', () => {
    const session = closing();
    assert.deepEqual(effectsOf(session.give(restarted).effects, 'leave'), [
      { effect: 'leave', dialog: 1, silently: false },
    ]);
    const { messages } = session.give({ event: 'left', dialog: 1 });
    assert.equal(only(messages, 'operation-completed')[0].operationId, 'terminate-0');
  });

  it('PER-2 MCU sessions hear again what there is to know', () => {
    const told = (session: Session) =>
      effectsOf(session.give(restarted).effects, 'mcu').map(({ mcu, input }) => [mcu, input.input]);
    assert.deepEqual(told(connected()), [
      [null, 'recovered'],
      [null, 'joined'],
      [null, 'roster'],
    ]);
    assert.deepEqual(told(recovering()), [
      [null, 'joined'],
      [null, 'roster'],
      [null, 'reconnecting'],
    ]);
    assert.deepEqual(told(awaitingFailover()), [[null, 'reconnecting']]);
    assert.deepEqual(told(lobbied()), []);
    const atTheDoor = lobbied();
    atTheDoor.give(routeLost());
    assert.deepEqual(told(atTheDoor), [[null, 'reconnecting']]);
  });

  it('PER-7 holds its conference under the name that it has now; one that was never joined has no owner', () => {
    const renamed = connected();
    renamed.state = { ...renamed.state, owner: 'as it was called' };
    assert.equal(only(renamed.give(restarted).messages, 'session-status')[0].owner, 'us');
    assert.equal(only(newSession().give(restarted).messages, 'session-status')[0].owner, '');
  });
});

describe('MCU session, after a restart', () => {
  it('PER-2 HOP-18 an established call is looked for, and goes on', () => {
    for (const make of [withCall, idleWithCall, retryingWithCall]) {
      const mcu = make();
      const { messages, effects } = mcu.give(restarted);
      assert.deepEqual(messages, []);
      assert.deepEqual(effects, [{ effect: 'refresh-call', callId: 'call-1', mcu: 'audio-video' }]);
      const gone = { event: 'call-ended', callId: 'call-1', mcu: 'audio-video', reason: 'RemoteHungUp' } as const;
      assert.equal(only(mcu.give(gone).messages, 'call-state-changed')[0].reason, 'RemoteHungUp');
    }
  });

  it('PER-9 a call that was being placed has failed, and is ended should it have been accepted', () => {
    const mcu = given(bound(), ofMcu('call-1', 'call'));
    const { messages, effects } = mcu.give(restarted);
    const [{ state, reason }] = only(messages, 'call-state-changed');
    assert.deepEqual([state, reason], ['Terminated', 'Failed']);
    assert.equal(only(messages, 'operation-failed')[0].error.code, 'SessionRetrying');
    assert.deepEqual(effects, [{ effect: 'end-call', callId: 'call-1', mcu: 'audio-video' }]);
  });

  it('PER-9 a call that was being hung up is hung up', () => {
    const mcu = given(withCall(), ofMcu('hang-up-1', 'hang-up'));
    const { messages, effects } = mcu.give(restarted);
    assert.equal(only(messages, 'call-state-changed')[0].reason, 'HungUp');
    assert.equal(only(messages, 'operation-completed')[0].operationId, 'hang-up-1');
    assert.deepEqual(effects, [{ effect: 'end-call', callId: 'call-1', mcu: 'audio-video' }]);
  });

  it('PER-9 Q-6 what was queued, and texts without an answer, fail with SessionRetrying', () => {
    const waiting = given(bound('inactive'), ofMcu('mute-1', 'mute'));
    const [queued] = only(waiting.give(restarted).messages, 'operation-failed');
    assert.deepEqual(
      [queued.operationId, queued.error.code, queued.error.safeToReplay],
      ['mute-1', 'SessionRetrying', true],
    );
    assert.equal(waiting.deadlines.size, 0);
    const writing = given(withCall(), ofMcu('send-1', 'send', { text: 'hello' }));
    const [text] = only(writing.give(restarted).messages, 'operation-failed');
    assert.deepEqual(
      [text.operationId, text.error.code, text.error.safeToReplay],
      ['send-1', 'SessionRetrying', false],
    );
  });

  it('PER-2 one that is not bound, or has ended, has nothing to go on with', () => {
    for (const mcu of [newMcu(), terminated()]) assert.deepEqual(mcu.give(restarted), { messages: [], effects: [] });
  });

  it('PER-2 MCU-2 is not activated twice by what the conference session tells again', () => {
    const here = connected().state;
    const mcu = given(newMcu(), ...conferenceSession.introduction(here));
    assert.equal(stateOfMcu(mcu), 'Active');
    for (const input of conferenceSession.introduction(here)) {
      assert.deepEqual(mcu.give(input), { messages: [], effects: [] });
    }
    const broken = recovering().state;
    given(mcu, ...conferenceSession.introduction(broken));
    for (const input of conferenceSession.introduction(broken)) assert.deepEqual(mcu.give(input).messages, []);
  });

  it('PER-2 MCU-8 MCU-15 catches up with what it has missed', () => {
    const again = (mcus: { [mcu: string]: 'active' | 'inactive' } | null) =>
      ({ input: 'joined', dialog: 1, mcus }) as const;
    assert.equal(stateOfMcu(given(bound('inactive'), again({ 'audio-video': 'active' }))), 'Active');
    assert.equal(stateOfMcu(given(failedMcu(), again({ 'audio-video': 'active' }))), 'Active');
    assert.equal(stateOfMcu(given(failedMcu(), again({ 'audio-video': 'inactive' }))), 'Idle');
    // A server that says nothing of MCUs has not said that it is back; but all are there after a re-join.
    assert.equal(stateOfMcu(given(failedMcu(), again(null))), 'Retrying');
    assert.equal(stateOfMcu(given(failedMcu(), { ...again(null), dialog: 2 })), 'Active');
    const focusLost = conferenceSession.introduction(awaitingFailover().state);
    assert.equal(stateOfMcu(given(bound(), ...focusLost)), 'Retrying');
    const back = given(bound(), ...focusLost, ...conferenceSession.introduction({ ...connected().state, dialog: 2 }));
    assert.deepEqual([stateOfMcu(back), back.state.reconnecting], ['Active', false]);
  });

  it('PER-2 MSG-2 tells the difference of its roster, where there is one', () => {
    const told = (name: string) =>
      ({
        input: 'roster',
        participants: { [`sip:${name}@pool.example`]: person(name, 'audio') },
        cause: 'join',
      }) as const;
    const mcu = given(bound(), told('ada'), restarted);
    assert.deepEqual(mcu.give(told('ada')).messages, []);
    const [{ joined, left }] = only(mcu.give(told('grace')).messages, 'roster-changed');
    assert.deepEqual([joined.length, left.length], [1, 1]);
    assert.equal(only(given(mcu, report('active', 30)).messages, 'state-changed').length, 1);
  });
});
