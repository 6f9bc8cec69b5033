import assert from 'node:assert/strict';
import type { McuSessionInput } from '../../nodes/recovery/mcu-session';
import type { McuReport, Participant } from '../../nodes/recovery/messages';
import { migrate } from '../../nodes/recovery/migrations';
import { effectsOf, only } from '../support/driver';
import {
  bound,
  focusFailed,
  given,
  type Mcu,
  newMcu,
  operation,
  person,
  report,
  routeLost,
  stateOf,
  verdict,
  withCall,
} from './mcu-sessions';

describe('MCU session', () => {
  it('MCU-1 MCU-2 is Idle, and Active once the MCU is, with the join or after it', () => {
    assert.equal(stateOf(newMcu()), 'Idle');
    assert.equal(stateOf(bound('active')), 'Active');
    const later = bound('inactive');
    assert.equal(stateOf(later), 'Idle');
    const { messages } = later.give(report('active', 3));
    assert.deepEqual(
      only(messages, 'state-changed').map(({ previous, state, reason }) => [previous, state, reason]),
      [['Idle', 'Active', 'Activated']],
    );
  });

  it('MCU-3 is Terminated when the conference does not support the MCU; a server that says nothing supports all', () => {
    const mcu = newMcu();
    const { messages } = mcu.give({ input: 'joined', dialog: 1, mcus: { chat: 'active' } });
    assert.deepEqual(
      only(messages, 'state-changed').map(({ state, reason }) => [state, reason]),
      [['Terminated', 'NotSupported']],
    );
    const silent = newMcu();
    silent.give({ input: 'joined', dialog: 1, mcus: null });
    assert.equal(stateOf(silent), 'Active');
  });

  describe('MCU failover', () => {
    it('MCU-4 MCU-5 becomes Retrying, and ends the call', () => {
      const { messages, effects } = withCall().give(verdict());
      assert.deepEqual(
        only(messages, 'call-state-changed').map(({ previous, state, reason }) => [previous, state, reason]),
        [['Established', 'Terminated', 'TerminatedByMcuFailover']],
      );
      const [change] = only(messages, 'state-changed');
      assert.deepEqual(
        [change.state, change.reason, change.incident, change.active],
        ['Retrying', 'McuFailover', 'outage-1', true],
      );
      assert.equal(effectsOf(effects, 'end-call').length, 1);
    });

    it('MCU-6 without a call only the state changes', () => {
      const { messages, effects } = bound().give(verdict());
      assert.equal(messages.length, 1);
      assert.deepEqual(effects, []);
    });

    it('MCU-8 MCU-9 MCU-10 comes back with the report; the call is not placed again, but may be', () => {
      const mcu = withCall();
      mcu.give(verdict(10));
      const { messages, effects } = mcu.give(report('active', 11));
      assert.deepEqual(
        only(messages, 'state-changed').map(({ state, active, incident }) => [state, active, incident]),
        [['Active', false, 'outage-1']],
      );
      assert.equal(only(messages, 'call-available').length, 1);
      assert.deepEqual(effects, []);
      assert.equal(effectsOf(mcu.give(operation('call-2', 'call')).effects, 'place-call')[0].callId, 'call-2');
    });

    it('a verdict older than the latest report of Active gives Retrying, the end of the call, and Active at once', () => {
      const mcu = withCall();
      mcu.give(report('failing-over', 10));
      mcu.give(report('active', 11));
      const { messages } = mcu.give(verdict(10));
      assert.deepEqual(
        only(messages, 'state-changed').map(({ state }) => state),
        ['Retrying', 'Active'],
      );
      assert.equal(only(messages, 'call-state-changed').length, 1);
    });

    it('O11 while Retrying operations are retryable', () => {
      const mcu = bound();
      mcu.give(verdict());
      const { messages } = mcu.give(operation('mute-1', 'mute'));
      assert.equal(only(messages, 'operation-failed')[0].error.failureReason, 'RetryableOperation');
    });
  });

  describe('Focus failover', () => {
    it('FE-3 FE-5 Active becomes Retrying, and the call is left alone', () => {
      const { messages, effects } = withCall().give(focusFailed);
      assert.deepEqual(
        only(messages, 'state-changed').map(({ state, reason }) => [state, reason]),
        [['Retrying', 'FocusFailover']],
      );
      assert.equal(only(messages, 'call-state-changed').length, 0);
      assert.deepEqual(effects, []);
    });

    it('FE-4 O9 Idle, Retrying and Terminated stay as they are', () => {
      const idle = bound('inactive');
      const retrying = bound();
      retrying.give(verdict());
      const terminated = bound();
      terminated.give({ input: 'terminated' });
      for (const mcu of [idle, retrying, terminated])
        assert.equal(only(mcu.give(focusFailed).messages, 'state-changed').length, 0);
    });

    it('FE-9 refuses every operation with RetryableOperation, but those of the call', () => {
      for (const cause of [focusFailed, routeLost]) {
        const mcu = withCall();
        mcu.give(cause);
        const { messages, effects } = mcu.give(operation('dial-1', 'dial-out', { participant: 'sip:x@y' }));
        assert.equal(only(messages, 'operation-failed')[0].error.failureReason, 'RetryableOperation');
        assert.deepEqual(effects, []);
        assert.equal(effectsOf(mcu.give(operation('bye', 'hang-up')).effects, 'end-call').length, 1);
      }
    });

    it('FE-23 FE-24 MCU-15 O7 O8 after the re-join follows what the Focus reports', () => {
      const comesBack = (mcus: { [mcu: string]: McuReport }) => {
        const mcu = withCall();
        mcu.give(focusFailed);
        mcu.give({ input: 'recovered' });
        const { messages } = mcu.give({ input: 'joined', dialog: 2, mcus });
        return [stateOf(mcu), mcu.state.call?.state, only(messages, 'state-changed')[0]?.reason];
      };
      assert.deepEqual(comesBack({ 'audio-video': 'active' }), ['Active', 'Established', 'McuReportedActive']);
      assert.deepEqual(comesBack({ 'audio-video': 'inactive' }), ['Idle', 'Established', 'McuReportedInactive']);
      assert.deepEqual(comesBack({ 'audio-video': 'failing-over' }), ['Retrying', 'Established', undefined]);
      assert.deepEqual(comesBack({}), ['Terminated', 'Terminated', 'NotSupported']);
    });

    it('MCU-5 an MCU that fails meanwhile takes its call with it', () => {
      const mcu = withCall();
      mcu.give(focusFailed);
      assert.equal(only(mcu.give(verdict()).messages, 'call-state-changed').length, 1);
    });
  });

  describe('what it says of an outage', () => {
    const told = (mcu: Mcu, input: McuSessionInput) =>
      only(mcu.give(input).messages, 'state-changed').map(({ state, severity, incident, active }) => [
        state,
        severity,
        incident,
        active,
      ]);

    it('FE-3 FE-23 MCU-10 its first fact warns and names it, its last one closes it, and none after that names it', () => {
      for (const [reported, state] of [
        ['active', 'Active'],
        ['inactive', 'Idle'],
      ] as const) {
        const mcu = bound();
        assert.deepEqual(told(mcu, focusFailed), [['Retrying', 'warning', 'outage-2', true]]);
        mcu.give({ input: 'recovered' });
        const joined = { input: 'joined', dialog: 2, mcus: { 'audio-video': reported } } as const;
        assert.deepEqual(told(mcu, joined), [[state, 'info', 'outage-2', false]]);
        assert.deepEqual(told(mcu, { input: 'terminated' }), [['Terminated', 'info', null, false]]);
      }
    });

    it('MCU-11 the end closes it as well', () => {
      const mcu = given(bound(), focusFailed);
      assert.deepEqual(told(mcu, { input: 'terminated' }), [['Terminated', 'info', 'outage-2', false]]);
      given(mcu, { input: 'joining', seq: 0 });
      assert.deepEqual(told(mcu, { input: 'joined', dialog: 1, mcus: null }), [['Active', 'info', null, false]]);
    });

    it('HOP-20 HOP-21 what happens while the route is healed belongs to that outage, what happens later does not', () => {
      const mcu = withCall();
      const incidentOf = (input: McuSessionInput) => only(mcu.give(input).messages, 'media-changed')[0].incident;
      const media = { event: 'media', callId: 'call-1', mcu: 'audio-video', lastPacketAt: null, packets: 0 } as const;
      mcu.give(routeLost);
      assert.equal(incidentOf({ ...media, flowing: false }), 'outage-2');
      mcu.give({ input: 'recovered' });
      assert.equal(incidentOf({ ...media, flowing: true }), null);
    });

    it('MCU-5 an outage that began earlier keeps its name when the Focus fails as well', () => {
      const mcu = given(bound(), verdict(), focusFailed, { input: 'recovered' });
      const joined = { input: 'joined', dialog: 2, mcus: { 'audio-video': 'active' } } as const;
      assert.deepEqual(told(mcu, joined), [['Active', 'info', 'outage-1', false]]);
    });
  });

  it('HOP-20 HOP-21 O6 keeps state and call during route recovery', () => {
    const mcu = withCall();
    assert.deepEqual(mcu.give(routeLost).messages, []);
    assert.deepEqual(mcu.give({ input: 'recovered' }).messages, []);
    assert.equal(effectsOf(mcu.give(operation('mute-1', 'mute')).effects, 'proxy').length, 1);
  });

  describe('the queue of an Idle MCU', () => {
    it('Q-1 Q-2 Q-4 operations wait, and are released in order when the MCU becomes Active', () => {
      const mcu = bound('inactive');
      for (const id of ['mute-1', 'mute-2', 'mute-3'])
        assert.deepEqual(effectsOf(mcu.give(operation(id, 'mute')).effects, 'proxy'), []);
      const { effects } = mcu.give(report('active', 2));
      assert.deepEqual(
        effectsOf(effects, 'proxy').map(({ operationId }) => operationId),
        ['mute-1', 'mute-2', 'mute-3'],
      );
      assert.deepEqual(mcu.pass(60_000).effects, []);
      assert.equal(mcu.deadlines.size, 0);
    });

    it('Q-3 Q-5 O12 without activation each is sent once, 30 s after it came', () => {
      const mcu = bound('inactive');
      mcu.give(operation('mute-1', 'mute'));
      mcu.pass(10_000);
      mcu.give(operation('mute-2', 'mute'));
      assert.deepEqual(
        effectsOf(mcu.pass(20_000).effects, 'proxy').map(({ operationId }) => operationId),
        ['mute-1'],
      );
      assert.deepEqual(
        effectsOf(mcu.pass(10_000).effects, 'proxy').map(({ operationId }) => operationId),
        ['mute-2'],
      );
      assert.deepEqual(mcu.pass(60_000).effects, []);
    });

    it('Q-6 O10 a failover fails them with SessionRetrying', () => {
      const mcu = bound('inactive');
      mcu.give(operation('mute-1', 'mute'));
      const { messages } = mcu.give(focusFailed);
      const [{ operationId, error }] = only(messages, 'operation-failed');
      assert.deepEqual([operationId, error.failureReason], ['mute-1', 'SessionRetrying']);
      assert.equal(mcu.deadlines.size, 0);
    });

    it('Q-7 Q-8 the end of the session, or of the MCU, fails them', () => {
      for (const end of [{ input: 'terminated' }, report('unsupported', 2)] as const) {
        const mcu = bound('inactive');
        mcu.give(operation('mute-1', 'mute'));
        assert.equal(only(mcu.give(end).messages, 'operation-failed')[0].operationId, 'mute-1');
        assert.equal(mcu.deadlines.size, 0);
      }
    });

    it('Q-7 Q-8 ERR-8 they fail with the reason, and were surely not sent', () => {
      const failed = (end: McuSessionInput) => {
        const [{ error }] = only(
          given(bound('inactive'), operation('call-1', 'call')).give(end).messages,
          'operation-failed',
        );
        return [error.name, error.code, error.safeToReplay];
      };
      assert.deepEqual(failed({ input: 'terminated' }), ['OperationFailureException', 'SessionTerminated', true]);
      assert.deepEqual(failed(report('unsupported', 2)), ['InvalidOperationException', 'NotSupported', true]);
    });

    it('MSG-6 has a limit', () => {
      const mcu = bound('inactive');
      for (let count = 1; count <= 100; count += 1) mcu.give(operation(`mute-${count}`, 'mute'));
      assert.equal(
        only(mcu.give(operation('one-more', 'mute')).messages, 'operation-failed')[0].error.code,
        'LimitReached',
      );
    });
  });

  describe('the end', () => {
    it('MCU-11 MCU-12 ends with the conference session, and for good', () => {
      const mcu = withCall();
      const { messages } = mcu.give({ input: 'terminated' });
      assert.deepEqual(
        only(messages, 'state-changed').map(({ state, reason }) => [state, reason]),
        [['Terminated', 'ConferenceTerminated']],
      );
      assert.equal(mcu.state.call?.state, 'Terminated');
      for (const input of [report('active', 9), verdict(), focusFailed]) assert.deepEqual(mcu.give(input).messages, []);
    });

    it('MCU-13 MCU-14 operations are invalid when Terminated, and before the join', () => {
      const terminated = bound();
      terminated.give({ input: 'terminated' });
      for (const mcu of [terminated, newMcu()]) {
        const [{ error }] = only(mcu.give(operation('mute-1', 'mute')).messages, 'operation-failed');
        assert.deepEqual([error.name, error.retryable], ['InvalidOperationException', false]);
      }
    });

    it('begins anew with the next session, and numbers on', () => {
      const mcu = bound();
      mcu.give({ input: 'terminated' });
      const { seq } = mcu.state;
      mcu.give({ input: 'joining', seq: 0 });
      const { messages } = mcu.give({ input: 'joined', dialog: 1, mcus: null });
      assert.equal(only(messages, 'state-changed')[0].seq, seq + 1);
    });
  });

  describe('the call', () => {
    it('is established, carries text, and is hung up', () => {
      const mcu = withCall();
      assert.deepEqual(
        only(mcu.messages, 'call-state-changed').map(({ state, reason }) => [state, reason]),
        [
          ['Establishing', 'Requested'],
          ['Established', 'Accepted'],
        ],
      );
      assert.equal(
        effectsOf(mcu.give(operation('send-1', 'send', { text: 'hello' })).effects, 'send-text')[0].text,
        'hello',
      );
      mcu.give({
        event: 'outcome',
        requestId: 'send-1',
        dialog: 1,
        purpose: 'operation',
        method: 'MESSAGE',
        outcome: { kind: 'ok', status: 200 },
        elapsedMs: 4,
      });
      mcu.give(operation('bye-1', 'hang-up'));
      mcu.give({ event: 'call-ended', callId: 'call-1', mcu: 'audio-video', reason: 'HungUp' });
      assert.deepEqual(
        only(mcu.messages, 'operation-completed').map(({ operationId }) => operationId),
        ['call-1', 'send-1', 'bye-1'],
      );
      assert.equal(mcu.state.call?.state, 'Terminated');
    });

    // Found by simulation, seed 3259524211.
    it('MSG-8 MCU-10 a verdict that comes once more after its outage does not end the next call', () => {
      const mcu = withCall();
      mcu.give(verdict());
      mcu.give(report('active', 11));
      mcu.give(operation('call-2', 'call'));
      assert.deepEqual(mcu.give(verdict()).messages, []);
      mcu.give(focusFailed);
      assert.deepEqual(mcu.give(verdict()).messages, []);
      assert.equal(mcu.state.call?.state, 'Establishing');
    });

    // Found by simulation, seed 3756450834.
    it('MSG-8 a verdict on a session that has ended does not end a call of the next one', () => {
      const mcu = withCall();
      mcu.give({ input: 'terminated' });
      mcu.give({ input: 'joining', seq: 10 });
      mcu.give({ input: 'joined', dialog: 1, mcus: null });
      assert.deepEqual(mcu.give(verdict(10)).messages, []);
      assert.notDeepEqual(mcu.give(verdict(11)).messages, []);
    });

    it('MSG-5 PER-8 a verdict whose evidence nobody has told is acted on, and leaves a state that can be saved', () => {
      for (const seq of [-1, 1.5, 'x', null, undefined, {}] as number[]) {
        const mcu = withCall();
        assert.equal(only(mcu.give(verdict(seq)).messages, 'state-changed')[0].state, 'Retrying');
        assert.deepEqual(migrate('mcu-session', mcu.state), { state: mcu.state });
      }
    });

    // Found by simulation, seed 2948829990: nobody answered, since the port of an ended session is silent.
    it('ORD-5 a text that was not answered when the session ended has failed, once', () => {
      const mcu = withCall();
      mcu.give(operation('send-1', 'send', { text: 'hello' }));
      const [failed] = only(mcu.give({ input: 'terminated' }).messages, 'operation-failed');
      assert.deepEqual(
        [failed.operationId, failed.error.code, failed.error.safeToReplay],
        ['send-1', 'SessionTerminated', false],
      );
      const late = {
        event: 'outcome',
        requestId: 'send-1',
        dialog: 1,
        purpose: 'operation',
        method: 'MESSAGE',
        outcome: { kind: 'ok', status: 200 },
        elapsedMs: 9,
      } as const;
      assert.deepEqual(mcu.give(late).messages, []);
    });

    it('MSG-8 the answer to a text that was never sent, or was answered before, changes nothing', () => {
      const mcu = withCall();
      const common = { event: 'outcome', dialog: 1, purpose: 'operation', method: 'MESSAGE', elapsedMs: 4 } as const;
      const answer = { ...common, requestId: 'send-1', outcome: { kind: 'ok', status: 200 } } as const;
      assert.deepEqual(mcu.give(answer).messages, []);
      mcu.give(operation('send-1', 'send', { text: 'hello' }));
      assert.equal(only(mcu.give(answer).messages, 'operation-completed').length, 1);
      assert.deepEqual(mcu.give(answer).messages, []);
    });

    it('MSG-6 a thousand texts may wait for their answers, and one more is refused', () => {
      const mcu = withCall();
      mcu.state = { ...mcu.state, texts: Array.from({ length: 1_000 }, (_, number) => `send-${number}`) };
      const { messages } = mcu.give(operation('one-more', 'send', { text: 'hello' }));
      assert.equal(only(messages, 'operation-failed')[0].error.code, 'LimitReached');
    });

    it('O4 a text that meets 430 fails with it', () => {
      const mcu = withCall();
      mcu.give(routeLost);
      mcu.give(operation('send-1', 'send', { text: 'hello' }));
      const refusal = {
        kind: 'refused',
        status: 430,
        response: { status: 430, reason: 'Flow Failed', headers: {}, body: '' },
      } as const;
      const { messages } = mcu.give({
        event: 'outcome',
        requestId: 'send-1',
        dialog: 1,
        purpose: 'operation',
        method: 'MESSAGE',
        outcome: refusal,
        elapsedMs: 4,
      });
      assert.equal(only(messages, 'operation-failed')[0].error.code, 'SIP-430');
    });

    it('a call that fails, or is hung up before it is established, completes once', () => {
      const failed = bound();
      failed.give(operation('call-1', 'call'));
      const outcome = { kind: 'unreachable', cause: 'timeout', written: true, message: '' } as const;
      failed.give({ event: 'call-failed', callId: 'call-1', mcu: 'audio-video', outcome });
      assert.equal(only(failed.messages, 'operation-failed')[0].operationId, 'call-1');

      const abandoned = bound();
      abandoned.give(operation('call-1', 'call'));
      abandoned.give(operation('bye-1', 'hang-up'));
      abandoned.give({ event: 'call-accepted', callId: 'call-1', mcu: 'audio-video' });
      abandoned.give({ event: 'call-ended', callId: 'call-1', mcu: 'audio-video', reason: 'HungUp' });
      assert.deepEqual(
        only(abandoned.messages, 'operation-failed').map(({ operationId }) => operationId),
        ['call-1'],
      );
      assert.deepEqual(
        only(abandoned.messages, 'operation-completed').map(({ operationId }) => operationId),
        ['bye-1'],
      );
    });

    it('MSG-1 operations are told with how long they took, and a call without media asks for none', () => {
      const mcu = bound();
      const [placed] = effectsOf(mcu.give(operation('call-1', 'call')).effects, 'place-call');
      assert.deepEqual([placed.callId, placed.media], ['call-1', []]);
      const completed = (input: McuSessionInput) =>
        only(mcu.give(input).messages, 'operation-completed').map(({ operation, elapsedMs }) => [operation, elapsedMs]);
      mcu.pass(300);
      assert.deepEqual(completed({ event: 'call-accepted', callId: 'call-1', mcu: 'audio-video' }), [['call', 300]]);
      mcu.pass(5_000);
      mcu.give(operation('bye-1', 'hang-up'));
      mcu.pass(200);
      const ended = { event: 'call-ended', callId: 'call-1', mcu: 'audio-video', reason: 'HungUp' } as const;
      assert.deepEqual(completed(ended), [['hang-up', 200]]);
    });

    it('MCU-5 its end is a warning when the MCU failed, and else is not', () => {
      const severityOf = (...inputs: McuSessionInput[]) =>
        only(given(withCall(), ...inputs).messages, 'call-state-changed').map(({ severity }) => severity);
      assert.deepEqual(severityOf(verdict()), ['info', 'info', 'warning']);
      assert.deepEqual(severityOf({ input: 'terminated' }), ['info', 'info', 'info']);
    });

    it('ERR-8 a call that was not answered may have been placed; one that ended before it was established was not', () => {
      const safeToReplay = (input: McuSessionInput) => {
        const mcu = given(bound(), operation('call-1', 'call'));
        return only(mcu.give(input).messages, 'operation-failed').map(({ error }) => [error.code, error.safeToReplay]);
      };
      const outcome = { kind: 'unreachable', cause: 'timeout', written: true, message: '' } as const;
      const call = { callId: 'call-1', mcu: 'audio-video' };
      assert.deepEqual(safeToReplay({ event: 'call-failed', ...call, outcome }), [['OperationTimeout', false]]);
      assert.deepEqual(safeToReplay({ event: 'call-ended', ...call, reason: 'RemoteHungUp' }), [['Aborted', true]]);
      assert.deepEqual(safeToReplay(verdict()), [['SessionRetrying', true]]);
      assert.deepEqual(safeToReplay({ input: 'terminated' }), [['SessionTerminated', true]]);
    });

    it('a second call, a text without a call, and a hang-up without one are invalid', () => {
      const [second] = only(withCall().give(operation('call-2', 'call')).messages, 'operation-failed');
      const [text] = only(bound().give(operation('send-1', 'send', { text: 'x' })).messages, 'operation-failed');
      const [bye] = only(bound().give(operation('bye-1', 'hang-up')).messages, 'operation-failed');
      for (const { error } of [second, text, bye]) assert.equal(error.name, 'InvalidOperationException');
    });

    it('tells of media, text, and a remote hang-up', () => {
      const mcu = withCall();
      const call = { callId: 'call-1', mcu: 'audio-video' };
      mcu.give({ event: 'media', ...call, flowing: false, lastPacketAt: 0, packets: 7 });
      mcu.give({ event: 'text', mcu: 'audio-video', from: 'sip:ada@pool.example', text: 'hi' });
      mcu.give({ event: 'call-ended', ...call, reason: 'RemoteHungUp' });
      assert.equal(only(mcu.messages, 'media-changed')[0].flowing, false);
      assert.equal(only(mcu.messages, 'text-received')[0].text, 'hi');
      assert.equal(only(mcu.messages, 'call-state-changed').at(-1).reason, 'RemoteHungUp');
    });
  });

  it('MCU-16 FE-22 its roster is who has media there, told as differences, without a call', () => {
    const mcu = bound();
    const ada = person('ada', 'audio', 'text');
    const first = mcu.give({ input: 'roster', participants: { a: ada, b: person('grace', 'text') }, cause: 'join' });
    assert.deepEqual(
      only(first.messages, 'roster-changed')[0].joined.map(({ entity }: Participant) => entity),
      [ada.entity],
    );
    const same = mcu.give({
      input: 'roster',
      participants: { a: ada, b: person('grace', 'text', 'chat') },
      cause: 'notification',
    });
    assert.deepEqual(same.messages, []);
    const second = mcu.give({ input: 'roster', participants: { b: person('grace', 'video') }, cause: 'resync' });
    const [difference] = only(second.messages, 'roster-changed');
    assert.deepEqual(
      [difference.joined.length, difference.left.length, difference.total, difference.mcu],
      [1, 1, 1, 'audio-video'],
    );
  });

  it('answers status and roster in every state', () => {
    const mcu = withCall();
    const [status] = only(mcu.give(operation('q-1', 'status')).messages, 'operation-completed');
    assert.deepEqual(status.result, { mcu: 'audio-video', state: 'Active', call: 'Established', queued: 0 });
    assert.deepEqual(only(mcu.give(operation('q-2', 'roster')).messages, 'operation-completed')[0].result, {
      participants: [],
    });
    for (const [other, state] of [
      [newMcu(), 'Idle'],
      [bound(), 'Active'],
    ] as const) {
      const [{ result }] = only(other.give(operation('q-1', 'status')).messages, 'operation-completed');
      assert.deepEqual(result, { mcu: 'audio-video', state, call: 'None', queued: 0 });
    }
  });
});
