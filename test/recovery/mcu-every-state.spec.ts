import assert from 'node:assert/strict';
import { retryableOperation } from '../../nodes/recovery/errors';
import { effectsOf, only } from '../support/driver';
import {
  bound,
  failedOver,
  focusFailed,
  given,
  idleWithCall,
  type Mcu,
  newMcu,
  operation,
  person,
  report,
  retryingWithCall,
  routeLost,
  stateOf,
  terminated,
  verdict,
  withCall,
} from './mcu-sessions';

const mcus: { readonly [phase: string]: () => Mcu } = {
  Unbound: newMcu,
  Idle: () => bound('inactive'),
  Active: bound,
  Retrying: failedOver,
  Terminated: terminated,
};
/** Where something may have been begun. */
const { Unbound: _, ...begun } = mcus;
const calls: { readonly [phase: string]: () => Mcu } = {
  Idle: idleWithCall,
  Active: withCall,
  Retrying: retryingWithCall,
};
const call = { callId: 'call-1', mcu: 'audio-video' };
const recovered = { input: 'recovered' } as const;
const joinedAgain = (said: 'active' | 'inactive') =>
  ({ input: 'joined', dialog: 2, mcus: { 'audio-video': said } }) as const;
const placing = () => given(bound(), operation('call-1', 'call'));

function inEach(which: { readonly [phase: string]: () => Mcu }, check: (mcu: Mcu, phase: string) => void): void {
  for (const [phase, make] of Object.entries(which)) {
    try {
      check(make(), phase);
    } catch (error) {
      throw new Error(`in ${phase}: ${(error as Error).message}`, { cause: error });
    }
  }
}

describe('MCU session, in every state', () => {
  it('MCU-1 ORD-6 answers status and roster', () => {
    inEach(mcus, (mcu, phase) => {
      const [status] = only(mcu.give(operation('q-1', 'status')).messages, 'operation-completed');
      assert.equal(status.result.state, phase === 'Unbound' ? 'Idle' : phase);
      const [roster] = only(mcu.give(operation('q-2', 'roster')).messages, 'operation-completed');
      assert.deepEqual(roster.result, { participants: [] });
    });
  });

  it('FE-7 ORD-3 passes on what became of an operation that was proxied, once, whatever has happened meanwhile', () => {
    inEach(begun, (mcu) => {
      const completed = mcu.give({
        input: 'completed',
        operation: 'mute',
        operationId: 'mute-1',
        elapsedMs: 7,
        result: null,
      });
      assert.deepEqual(
        only(completed.messages, 'operation-completed').map(({ operationId, elapsedMs }) => [operationId, elapsedMs]),
        [['mute-1', 7]],
      );
      const error = retryableOperation('mute', 'the session is Reconnecting');
      const { messages } = mcu.give({ input: 'failed', operation: 'mute', operationId: 'mute-2', error });
      assert.deepEqual(
        only(messages, 'operation-failed').map((failed) => [failed.operationId, failed.error.code]),
        [['mute-2', 'RetryableOperation']],
      );
    });
  });

  it('ORD-3 ORD-5 a text that was sent completes once, with the end of the session at the latest', () => {
    const common = { event: 'outcome', dialog: 1, purpose: 'operation', method: 'MESSAGE', elapsedMs: 4 } as const;
    const ok = { kind: 'ok', status: 200 } as const;
    const silence = { kind: 'unreachable', cause: 'timeout', written: true, message: '' } as const;
    inEach(calls, (mcu) => {
      for (const id of ['send-1', 'send-2', 'send-3']) mcu.give(operation(id, 'send', { text: 'hello' }));
      const sent = mcu.give({ ...common, requestId: 'send-1', outcome: ok });
      assert.equal(only(sent.messages, 'operation-completed')[0].operationId, 'send-1');
      for (const { messages } of [
        mcu.give({ ...common, requestId: 'send-2', outcome: silence }),
        mcu.give({ input: 'terminated' }),
      ]) {
        assert.deepEqual(
          only(messages, 'operation-failed').map(({ error }) => error.safeToReplay),
          [false],
        );
      }
      for (const requestId of ['send-1', 'send-2', 'send-3']) {
        assert.deepEqual(mcu.give({ ...common, requestId, outcome: ok }).messages, []);
      }
    });
  });

  it('FE-9 O4 while the session is Reconnecting, begins nothing; once it has recovered, it does', () => {
    inEach({ ...mcus, Retrying: () => given(failedOver()) }, (mcu, phase) => {
      for (const cause of [focusFailed, routeLost]) {
        mcu.give(cause);
        const refusal = mcu.give(operation('mute-1', 'mute'));
        const [{ error, operationId }] = only(refusal.messages, 'operation-failed');
        const never = phase === 'Unbound' || phase === 'Terminated';
        assert.deepEqual([operationId, error.retryable, refusal.effects], [null, !never, []]);
        mcu.give(recovered);
      }
      if (phase === 'Retrying') mcu.give(report('active', 20));
      const { effects } = mcu.give(operation('mute-2', 'mute'));
      const begun = phase === 'Idle' ? 'set-deadline' : phase === 'Retrying' ? 'proxy' : null;
      if (begun) assert.equal(effectsOf(effects, begun).length, 1);
    });
  });

  it('FE-9 an MCU that becomes Active while the route is healed begins nothing before that is over', () => {
    for (const waiting of [failedOver(), bound('inactive')]) {
      given(waiting, routeLost, report('active', 20));
      assert.equal(stateOf(waiting), 'Active');
      const refusal = waiting.give(operation('mute-1', 'mute'));
      assert.equal(only(refusal.messages, 'operation-failed')[0].error.code, 'RetryableOperation');
      const { effects } = given(waiting, recovered).give(operation('mute-2', 'mute'));
      assert.equal(effectsOf(effects, 'proxy').length, 1);
    }
  });

  it('FE-9 O20 so it is with one that is bound while the route is healed, after the wait in the lobby', () => {
    const mcu = given(newMcu(), routeLost, joinedAgain('active'));
    assert.equal(
      only(mcu.give(operation('mute-1', 'mute')).messages, 'operation-failed')[0].error.code,
      'RetryableOperation',
    );
    assert.equal(effectsOf(given(mcu, recovered).give(operation('mute-2', 'mute')).effects, 'proxy').length, 1);
  });

  it('MCU-2 MCU-14 a session that ended in the lobby, Reconnecting or not, leaves no trace in the next', () => {
    const mcu = given(newMcu(), routeLost, { input: 'terminated' }, { input: 'joining' }, joinedAgain('active'));
    assert.equal(effectsOf(mcu.give(operation('mute-1', 'mute')).effects, 'proxy').length, 1);
    const waiting = given(newMcu(), routeLost, recovered, joinedAgain('active'));
    assert.equal(effectsOf(waiting.give(operation('mute-1', 'mute')).effects, 'proxy').length, 1);
  });

  it('MCU-12 Terminated is for good, until the conference is joined anew: then it begins from Idle', () => {
    const mcu = terminated();
    for (const input of [joinedAgain('active'), report('active', 9), recovered, verdict()]) {
      assert.deepEqual(mcu.give(input), { messages: [], effects: [] });
    }
    given(mcu, { input: 'joining' }, joinedAgain('active'));
    assert.deepEqual(
      only(mcu.messages, 'state-changed').map(({ previous, state }) => [previous, state]),
      [
        ['Idle', 'Active'],
        ['Active', 'Terminated'],
        ['Idle', 'Active'],
      ],
    );
  });

  it('MCU-11 ends with the session, from wherever it is', () => {
    inEach(mcus, (mcu, phase) => {
      const { messages } = mcu.give({ input: 'terminated' });
      const told = only(messages, 'state-changed').map(({ state, reason }) => [state, reason]);
      const ends = phase !== 'Unbound' && phase !== 'Terminated';
      assert.deepEqual(told, ends ? [['Terminated', 'ConferenceTerminated']] : []);
      assert.equal(mcu.deadlines.size, 0);
    });
  });

  it('MCU-2 FE-23 FE-24 MCU-15 O8 follows what the Focus says of it at a join or re-join', () => {
    const says = (make: () => Mcu, said: 'active' | 'inactive' | 'failing-over' | 'unsupported') => {
      const mcu = make();
      mcu.give({ input: 'joined', dialog: 2, mcus: { 'audio-video': said } });
      return stateOf(mcu);
    };
    const table = Object.entries(mcus).map(([phase, make]) => [
      phase,
      ...(['active', 'inactive', 'failing-over', 'unsupported'] as const).map((said) => says(make, said)),
    ]);
    assert.deepEqual(table, [
      ['Unbound', 'Active', 'Idle', 'Idle', 'Terminated'],
      ['Idle', 'Active', 'Idle', 'Idle', 'Terminated'],
      // Only a verdict, or the failure of the Focus itself, makes one Retrying.
      ['Active', 'Active', 'Active', 'Active', 'Terminated'],
      ['Retrying', 'Active', 'Idle', 'Retrying', 'Terminated'],
      ['Terminated', 'Terminated', 'Terminated', 'Terminated', 'Terminated'],
    ]);
  });

  it('MSG-8 MCU-8 a verdict older than the report that it is Active again: Retrying, the end of the call, Active', () => {
    const mcu = given(withCall(), report('failing-over', 10), report('active', 11));
    const { messages } = mcu.give(verdict(10));
    assert.deepEqual(
      only(messages, 'state-changed').map(({ state }) => state),
      ['Retrying', 'Active'],
    );
    assert.equal(only(messages, 'call-state-changed').length, 1);
    assert.deepEqual(
      only(given(mcu, report('failing-over', 12)).give(verdict(12)).messages, 'state-changed').map(
        ({ state }) => state,
      ),
      ['Retrying'],
    );
  });

  it('MCU-4 a verdict without an incident opens one, and one without evidence counts', () => {
    const mcu = bound();
    const { verdict: told } = verdict() as Extract<ReturnType<typeof verdict>, { input: 'verdict' }>;
    const { messages } = mcu.give({ input: 'verdict', verdict: { ...told, incident: null, evidence: [] } });
    const [change] = only(messages, 'state-changed');
    assert.deepEqual([change.state, change.active], ['Retrying', true]);
    assert.match(change.incident, /audio-video/);
  });

  it('MCU-16 FE-22 its roster follows that of the Focus, with a call or without', () => {
    inEach({ ...mcus, ...calls }, (mcu, phase) => {
      const { messages } = mcu.give({ input: 'roster', participants: { a: person('ada', 'audio') }, cause: 'resync' });
      const bound = phase !== 'Unbound' && phase !== 'Terminated';
      assert.equal(only(messages, 'roster-changed').length, Number(bound));
    });
  });
});

describe('the call of an MCU session', () => {
  it('FE-5 HOP-21 lives on while its MCU session is Idle or Retrying for the sake of the Focus', () => {
    inEach(calls, (mcu) => {
      const flowing = mcu.give({ event: 'media', ...call, flowing: true, lastPacketAt: null, packets: 7 });
      assert.equal(only(flowing.messages, 'media-changed')[0].lastPacketAt, null);
      const text = mcu.give({ event: 'text', mcu: 'audio-video', from: 'sip:ada@pool.example', text: 'hi' });
      assert.equal(only(text.messages, 'text-received')[0].text, 'hi');
      const bye = mcu.give({ event: 'call-ended', ...call, reason: 'RemoteHungUp' });
      assert.deepEqual(
        only(bye.messages, 'call-state-changed').map(({ state, reason }) => [state, reason]),
        [['Terminated', 'RemoteHungUp']],
      );
    });
  });

  it('HOP-18 has its dialog refreshed when the route is healed, whatever its MCU session is waiting for', () => {
    inEach(calls, (mcu) => {
      assert.deepEqual(mcu.give({ input: 'route-healed' }), {
        messages: [],
        effects: [{ effect: 'refresh-call', ...call }],
      });
      mcu.give({ event: 'call-ended', ...call, reason: 'RemoteHungUp' });
      assert.deepEqual(mcu.give({ input: 'route-healed' }).effects, []);
    });
  });

  it('FE-5 HOP-21 is hung up and written into, whatever becomes of the session', () => {
    inEach(calls, (mcu) => {
      mcu.give(focusFailed);
      const sent = mcu.give(operation('send-1', 'send', { text: 'hello' }));
      assert.equal(effectsOf(sent.effects, 'send-text').length, 1);
      assert.equal(effectsOf(mcu.give(operation('bye-1', 'hang-up')).effects, 'end-call').length, 1);
      mcu.give({ event: 'call-ended', ...call, reason: 'HungUp' });
      assert.deepEqual(only(mcu.messages, 'operation-completed').at(-1).operationId, 'bye-1');
    });
  });

  it('FE-5 FE-7 one that was being placed is answered all the same, and its operation completes once', () => {
    const lost = { kind: 'unreachable', cause: 'timeout', written: true, message: '' } as const;
    const phases: { readonly [phase: string]: (mcu: Mcu) => Mcu } = {
      Active: (mcu) => mcu,
      Retrying: (mcu) => given(mcu, focusFailed),
      Idle: (mcu) => given(mcu, focusFailed, recovered, joinedAgain('inactive')),
    };
    for (const [phase, goTo] of Object.entries(phases)) {
      const accepted = goTo(placing());
      accepted.give({ event: 'call-accepted', ...call });
      accepted.give({ event: 'call-accepted', ...call });
      assert.equal(accepted.state.call?.state, 'Established', phase);
      assert.equal(only(accepted.messages, 'operation-completed').length, 1, phase);
      const failed = goTo(placing());
      failed.give({ event: 'call-failed', ...call, outcome: lost });
      failed.give({ event: 'call-failed', ...call, outcome: lost });
      assert.equal(failed.state.call?.state, 'Terminated', phase);
      assert.equal(only(failed.messages, 'operation-failed').length, 1, phase);
      const ended = goTo(placing());
      ended.give({ event: 'call-ended', ...call, reason: 'RemoteHungUp' });
      assert.equal(only(ended.messages, 'operation-failed')[0].error.code, 'Aborted', phase);
    }
  });

  it('MCU-5 FE-7 one that was being placed, or hung up, when its MCU failed: its operation completes once', () => {
    const [placed] = only(given(placing(), verdict()).messages, 'operation-failed');
    assert.deepEqual([placed.operation, placed.error.code, placed.error.retryable], ['call', 'SessionRetrying', true]);
    const hungUp = given(withCall(), operation('bye-1', 'hang-up'), verdict());
    assert.equal(only(hungUp.messages, 'operation-completed').at(-1).operationId, 'bye-1');
    hungUp.give({ event: 'call-ended', ...call, reason: 'HungUp' });
    assert.equal(only(hungUp.messages, 'call-state-changed').at(-1).reason, 'TerminatedByMcuFailover');
  });

  it('MCU-11 FE-7 one that was being placed when the session ended fails with SessionTerminated', () => {
    const [{ error }] = only(given(placing(), { input: 'terminated' }).messages, 'operation-failed');
    assert.equal(error.code, 'SessionTerminated');
  });

  it('MSG-8 what speaks of an earlier call changes nothing', () => {
    const mcu = given(withCall(), verdict(), report('active', 11), operation('call-2', 'call'));
    const state = structuredClone(mcu.state);
    mcu.give({ event: 'call-accepted', ...call });
    mcu.give({ event: 'call-failed', ...call, outcome: { kind: 'ok', status: 200 } });
    mcu.give({ event: 'call-ended', ...call, reason: 'RemoteHungUp' });
    mcu.give({ event: 'media', ...call, flowing: false, lastPacketAt: 5, packets: 1 });
    assert.deepEqual(mcu.state, state);
  });

  it('ERR-8 a text before the call is established, and a call while there is one, are invalid', () => {
    const early = placing().give(operation('send-1', 'send', { text: 'x' }));
    assert.match(only(early.messages, 'operation-failed')[0].error.message, /Establishing/);
    const second = placing().give(operation('call-2', 'call'));
    assert.equal(only(second.messages, 'operation-failed')[0].error.name, 'InvalidOperationException');
    const unanswered = given(placing(), { event: 'call-failed', ...call, outcome: { kind: 'ok', status: 200 } });
    assert.equal(unanswered.state.call?.state, 'Establishing', 'a failure that is none');
    const leaving = given(withCall(), operation('bye-1', 'hang-up')).give(operation('bye-2', 'hang-up'));
    assert.equal(only(leaving.messages, 'operation-failed')[0].operationId, null);
  });

  it('Q-3 Q-8 a call that waits for its MCU is placed at its deadline, or fails with it', () => {
    const waiting = given(bound('inactive'), operation('call-1', 'call', { media: ['audio'] }));
    assert.deepEqual(effectsOf(waiting.pass(30_000).effects, 'place-call')[0].media, ['audio']);
    const unsupported = given(bound('inactive'), operation('call-1', 'call')).give(report('unsupported', 3));
    assert.equal(only(unsupported.messages, 'operation-failed')[0].error.code, 'NotSupported');
  });

  it('FE-7 a text is answered once, and one that was never sent not at all', () => {
    const mcu = given(withCall(), operation('send-1', 'send', { text: 'hello' }));
    const sent = (requestId: string) => {
      const common = { event: 'outcome', dialog: 1, purpose: 'operation', method: 'MESSAGE', elapsedMs: 4 } as const;
      return mcu.give({ ...common, requestId, outcome: { kind: 'ok', status: 200 } }).messages.length;
    };
    assert.deepEqual([sent('send-0'), sent('send-1'), sent('send-1')], [0, 1, 0]);
  });

  it('Q-4 a deadline that comes too late sends nothing', () => {
    const mcu = given(bound('inactive'), operation('mute-1', 'mute'));
    assert.deepEqual(mcu.give({ input: 'deadline', deadline: 'mute-0' }).effects, []);
    mcu.give(report('active', 3));
    assert.deepEqual(mcu.give({ input: 'deadline', deadline: 'mute-1' }).effects, []);
  });

  it('MCU-8 MCU-15 reports: a Retrying one becomes Active or Idle, or stays as it is', () => {
    const becomes = (said: 'active' | 'inactive' | 'failing-over') => stateOf(given(failedOver(), report(said, 20)));
    assert.deepEqual([becomes('active'), becomes('inactive'), becomes('failing-over')], ['Active', 'Idle', 'Retrying']);
    assert.equal(stateOf(given(bound('inactive'), report('failing-over', 3))), 'Idle');
  });
});
