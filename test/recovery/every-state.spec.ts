import assert from 'node:assert/strict';
import { type ConferenceSessionInput, conferenceSession } from '../../nodes/recovery/conference-session';
import { effectsOf, only } from '../support/driver';
import {
  admitted,
  awaitingFailover,
  type connected,
  failedOver,
  full,
  inEach,
  join,
  joined,
  lobbied,
  operation,
  outcome,
  type Phase,
  phases,
  recovering,
  refused,
  routeHealthy,
  sessions,
  silence,
  stateOf,
  terminate,
  user,
} from './sessions';

/** The states in which the session takes part, and is not on its way to a new dialog. */
const inDialog: readonly Phase[] = ['InLobby', 'Connected', 'Recovering', 'AwaitingFailover'];
const others = (but: readonly Phase[]) => phases.filter((phase) => !but.includes(phase));
const reconnecting: readonly Phase[] = ['Recovering', 'AwaitingFailover', 'Rejoining'];

describe('conference session, in every state', () => {
  it('ORD-6 answers roster and status, with copies that nothing changes later', () => {
    inEach(phases, (session, phase) => {
      const [roster] = only(
        session.give({ input: 'query', operation: 'roster', operationId: 'q-1' }).messages,
        'operation-completed',
      );
      const before = structuredClone(session.state);
      for (const participant of roster.result.participants) participant.endpoints.length = 0;
      Object.assign(roster.result.properties, { locked: 'perhaps' });
      roster.result.lobby.push('somebody');
      assert.deepEqual(session.state, before);
      const [status] = only(
        session.give({ input: 'query', operation: 'status', operationId: 'q-2' }).messages,
        'operation-completed',
      );
      assert.equal(status.operationId, 'q-2');
      assert.equal(status.result.state, stateOf(session));
      assert.equal(status.result.mode, conferenceSession.modeOf(session.state));
      assert.equal(status.result.mode !== null, reconnecting.includes(phase));
    });
  });

  it('O3 ORD-4 FE-10 takes a terminate, and completes it once, at the end', () => {
    inEach(phases, (session, phase) => {
      session.give(terminate);
      if (stateOf(session) === 'Disconnecting') session.give({ event: 'left', dialog: session.state.dialog });
      const rollsBack: readonly Phase[] = ['Idle', 'Connecting', 'InLobby'];
      assert.equal(stateOf(session), rollsBack.includes(phase) ? 'Idle' : 'Disconnected');
      const completed = only(session.messages, 'operation-completed').filter(
        ({ operationId }) => operationId === 'terminate-1',
      );
      assert.equal(completed.length, 1);
      assert.equal(session.messages.at(-1), completed[0]);
      assert.equal(session.deadlines.size, 0);
    });
  });

  it('FE-8 O4 refuses to begin anything while Reconnecting: RetryableOperation, at once, and nothing is sent', () => {
    inEach(reconnecting, (session) => {
      for (const begun of [operation('x', 'unlock'), { ...join, operationId: 'x' }]) {
        const { messages, effects } = session.give(begun);
        const [{ error, operationId }] = only(messages, 'operation-failed');
        assert.deepEqual([operationId, error.code, error.state], [null, 'RetryableOperation', 'Reconnecting']);
        assert.deepEqual(effects, []);
      }
    });
  });

  it('ERR-8 refuses operations outside of the conference: InvalidOperationException, at once, and nothing is sent', () => {
    inEach(['Idle', 'Connecting', 'InLobby', 'Disconnecting', 'Disconnected'], (session, phase) => {
      const { messages, effects } = session.give(operation('x'));
      const [{ error, operationId }, ...more] = only(messages, 'operation-failed');
      assert.deepEqual([operationId, error.name, error.retryable], [null, 'InvalidOperationException', false]);
      assert.match(error.message, new RegExp(phase));
      assert.deepEqual([more, effects], [[], []]);
    });
  });

  it('ERR-8 tells an MCU session of a refusal, and nobody else', () => {
    inEach(others(['Connected']), (session) => {
      const { messages, effects } = session.give({ ...operation('x', 'mute'), mcu: 'chat' } as ConferenceSessionInput);
      assert.deepEqual(messages, []);
      const [told] = effectsOf(effects, 'mcu');
      assert.deepEqual([told.mcu, told.input.input, told.input.operationId], ['chat', 'failed', 'x']);
    });
  });

  it('ST-2 begins a join from Idle, and after the end; elsewhere it is invalid, or retryable while Reconnecting', () => {
    inEach(phases, (session, phase) => {
      const { messages } = session.give({ ...join, operationId: 'join-2' });
      const failed = only(messages, 'operation-failed');
      if (phase === 'Idle' || phase === 'Disconnected') {
        assert.deepEqual([failed.length, stateOf(session)], [0, 'Connecting']);
      } else {
        const { error, operationId } = failed[0];
        assert.deepEqual([failed.length, operationId, error.retryable], [1, null, reconnecting.includes(phase)]);
        assert.equal(messages.length, 1);
      }
    });
  });

  describe('evidence', () => {
    const kinds = [
      'remote-bye',
      'transport-lost',
      'transport-restored',
      'subscription-lost',
      'session-expired',
    ] as const;
    for (const event of kinds) {
      it(`DET-1 ${event} is one signal while there is a dialog, and nothing else`, () => {
        const happened = { event, dialog: 1, message: '', reason: '' } as ConferenceSessionInput;
        inEach(inDialog, (session) => {
          const { messages, effects } = session.give(happened);
          assert.deepEqual(
            messages.map((message) => 'signal' in message && message.signal),
            [event],
          );
          assert.deepEqual(effects, []);
        });
        inEach(others(inDialog), (session) => {
          assert.deepEqual(session.give({ ...happened, dialog: session.state.dialog }).messages, []);
        });
      });
    }

    it('HOP-8 an UPDATE of the far end is one signal while there is a dialog that it can heal', () => {
      const healed = (dialog: number) => ({ event: 'remote-update', dialog }) as const;
      const heals: readonly Phase[] = ['InLobby', 'Connected', 'Recovering'];
      inEach(heals, (session) => {
        assert.deepEqual(
          session.give(healed(1)).messages.map((message) => 'signal' in message && message.signal),
          ['remote-update'],
        );
      });
      inEach(others(heals), (session) => assert.deepEqual(session.give(healed(session.state.dialog)).messages, []));
    });

    it('DET-1 DET-3 the outcome of a probe, a heal or a heartbeat is one signal while there is a dialog', () => {
      inEach(inDialog, (session) => {
        for (const purpose of ['probe', 'heal', 'refresh'] as const) {
          const { messages } = session.give(outcome('heal-1', refused(503), { purpose, method: 'OPTIONS' }));
          const [signal, ...more] = only(messages, 'signal');
          assert.deepEqual([signal.purpose, signal.status, more], [purpose, 503, []]);
        }
      });
      inEach(others(inDialog), (session) => {
        const { dialog } = session.state;
        assert.deepEqual(session.give(outcome('probe', refused(503), { purpose: 'probe', dialog })).messages, []);
      });
    });

    it('FE-5 HOP-21 the media of calls are evidence, and calls live on, until the session ends', () => {
      const live: readonly Phase[] = [...inDialog, 'Rejoining'];
      inEach(live, (session) => {
        for (const flowing of [false, true]) {
          const { messages, effects } = session.give({
            event: 'media',
            callId: 'call-1',
            mcu: 'audio-video',
            flowing,
            lastPacketAt: null,
            packets: 7,
          });
          const [signal, ...more] = only(messages, 'signal');
          assert.deepEqual(
            [signal.signal, signal.mcu, signal.flowing, more, effects],
            ['media', 'audio-video', flowing, [], []],
          );
        }
      });
      inEach(others(live), (session) => {
        const stopped = {
          event: 'media',
          callId: 'c',
          mcu: 'chat',
          flowing: false,
          lastPacketAt: null,
          packets: 0,
        } as const;
        assert.deepEqual(session.give(stopped).messages, []);
      });
    });

    it('MCU-4 MCU-8 reports of MCUs are told to detector and MCU session, in the conference and while its route is healed', () => {
      const inside: readonly Phase[] = ['Connected', 'Recovering'];
      inEach(phases, (session, phase) => {
        const { dialog } = session.state;
        const { messages, effects } = session.give({
          event: 'mcu-report',
          dialog,
          mcu: 'chat',
          report: 'failing-over',
        });
        assert.equal(only(messages, 'signal').length, Number(inside.includes(phase)));
        assert.deepEqual(
          effectsOf(effects, 'mcu').map(({ mcu, input }) => [mcu, input.input, input.report]),
          inside.includes(phase) ? [['chat', 'report', 'failing-over']] : [],
        );
      });
    });

    it('MSG-5 what the server sends and nobody can read is one typed error, and changes nothing', () => {
      const heard = others(['Idle', 'Disconnecting', 'Disconnected']);
      inEach(phases, (session, phase) => {
        const before = stateOf(session);
        const { dialog } = session.state;
        const { messages } = session.give({ event: 'unreadable', dialog, message: 'not XML' });
        assert.deepEqual(
          only(messages, 'operation-failed').map(({ error }) => error.name),
          heard.includes(phase) ? ['MessageParsingException'] : [],
        );
        assert.equal(stateOf(session), before);
      });
    });
  });

  describe('requests of the policy nodes', () => {
    it('HOP-5 HEAL-1 a heal is one request in the dialog, as long as that is worth healing', () => {
      const healable: readonly Phase[] = ['InLobby', 'Connected', 'Recovering'];
      inEach(phases, (session, phase) => {
        const { dialog } = session.state;
        const { messages, effects } = session.give({ input: 'heal', dialog, attempt: 1, method: 're-INVITE' });
        const requests = effectsOf(effects, 'request');
        assert.deepEqual(
          requests.map(({ purpose, method, attempt }) => [purpose, method, attempt]),
          healable.includes(phase) ? [['heal', 're-INVITE', 1]] : [],
        );
        assert.deepEqual(messages, []);
      });
    });

    it('DET-3 a probe is one request, until the re-join is sent', () => {
      inEach(phases, (session, phase) => {
        const { effects } = session.give({ input: 'probe', dialog: session.state.dialog });
        assert.deepEqual(
          effectsOf(effects, 'request').map(({ purpose }) => purpose),
          inDialog.includes(phase) ? ['probe'] : [],
        );
      });
    });

    it('HOP-15 the dialog is refreshed with no operation involved, but not while Reconnecting', () => {
      const refreshed: readonly Phase[] = ['InLobby', 'Connected'];
      for (const phase of phases.filter((each) => each !== 'Disconnecting' && each !== 'Disconnected')) {
        const session = (sessions[phase] as typeof connected)({ heartbeatMs: 10_000, lobbyTimeoutMs: 3_600_000 });
        const { effects } = session.pass(10_000);
        const requests = effectsOf(effects, 'request').map(({ purpose, requestId }) => [purpose, requestId]);
        assert.deepEqual(requests, refreshed.includes(phase) ? [['refresh', 'heartbeat']] : [], phase);
        if (!refreshed.includes(phase)) continue;
        session.give(outcome('heartbeat', silence, { purpose: 'refresh', method: 'OPTIONS' }));
        assert.equal(effectsOf(session.pass(10_000).effects, 'request').length, 1, 'and again');
      }
    });

    it('HOP-13 healing that was given up changes no state but Recovering', () => {
      for (const input of ['route-abandoned', 'route-unhealed'] as const) {
        inEach(phases, (session, phase) => {
          const before = stateOf(session);
          session.give({ input, dialog: session.state.dialog });
          const expected = phase === 'Recovering' && input === 'route-abandoned' ? 'Disconnected' : before;
          assert.equal(stateOf(session), expected);
        });
      }
      const [status] = only(lobbied().give({ input: 'route-abandoned', dialog: 1 }).messages, 'session-status');
      assert.equal(status.state, 'InLobby');
    });
  });

  describe('the Focus', () => {
    it('ST-10 ends our participation in every state in which there is one', () => {
      for (const cause of ['ejected', 'conference-ended'] as const) {
        inEach(phases, (session, phase) => {
          const before = stateOf(session);
          const { messages } = session.give({ event: 'ended', dialog: session.state.dialog, cause });
          const path = only(messages, 'state-changed').map(({ state }) => state);
          if (phase === 'Connecting') assert.deepEqual(path, ['Idle']);
          else if (phase === 'InLobby' || phase === 'Connected') assert.deepEqual(path, ['Disconnecting']);
          else if (before === 'Reconnecting') assert.deepEqual(path, ['Disconnecting', 'Disconnected']);
          else assert.deepEqual(path, []);
        });
      }
    });

    it('MSG-2 documents change the roster in the conference and while its route is healed', () => {
      const inside: readonly Phase[] = ['Connected', 'Recovering'];
      inEach(phases, (session, phase) => {
        const { dialog } = session.state;
        const { messages } = session.give({ event: 'document', dialog, document: full(2, user('alan')) });
        const changes = only(messages, 'roster-changed');
        assert.equal(changes.length, Number(inside.includes(phase)));
        if (changes.length > 0) assert.deepEqual([changes[0].total, changes[0].cause], [1, 'notification']);
      });
    });

    it('ST-6 FE-16 O20 admits us, at once or when recovery is over', () => {
      inEach(phases, (session, phase) => {
        const before = stateOf(session);
        session.give(admitted(session.state.dialog));
        const enters: readonly Phase[] = ['Connecting', 'InLobby', 'Rejoining'];
        assert.equal(stateOf(session), enters.includes(phase) ? 'Connected' : before);
      });
      const failing = lobbied();
      failing.give({ input: 'focus-failed', dialog: 1, incident: 'outage-1' });
      failing.give(admitted(1));
      assert.equal(failing.state.returnTo, 'Connected');
      assert.equal(failing.deadlines.size, 0, 'nobody waits in a lobby any more');
      assert.equal(stateOf(failing), 'Reconnecting');
    });
  });

  it('FE-12 FE-26 nothing but the re-join itself ends a re-join', () => {
    const session = sessions.Rejoining();
    for (const input of [
      failedOver(2),
      { input: 'focus-failed', dialog: 2, incident: 'outage-1' },
      { input: 'route-recovering', dialog: 2, incident: 'x', recoveryMode: 'MaximumRetry', attempts: 1 },
      { ...routeHealthy, dialog: 2 },
      { input: 'route-abandoned', dialog: 2 },
      { event: 'join-failed', dialog: 2, outcome: { kind: 'ok', status: 200 } },
    ] as const) {
      assert.deepEqual(session.give(input), { messages: [], effects: [] });
    }
    session.give(joined(2));
    assert.equal(stateOf(session), 'Connected');
  });

  it('FE-27 verdicts and the healer are heard only by a session that takes part', () => {
    const deaf = others(['InLobby', 'Connected', 'Recovering', 'AwaitingFailover', 'Rejoining']);
    inEach(deaf, (session) => {
      const { dialog } = session.state;
      for (const input of [
        { input: 'focus-failed', dialog, incident: 'outage-1' },
        { input: 'focus-failed-over', dialog, incident: 'outage-1' },
        { input: 'route-recovering', dialog, incident: 'x', recoveryMode: 'MaximumRetry', attempts: 1 },
        { input: 'route-healthy', dialog },
      ] as const) {
        assert.deepEqual(session.give(input), { messages: [], effects: [] });
      }
    });
  });

  it('O26 a failed Focus is left at once, a broken route only by its own ways out', () => {
    assert.deepEqual([stateOf(awaitingFailover()), awaitingFailover().state.attempts], ['Reconnecting', 0]);
    const session = recovering();
    session.give({
      input: 'route-recovering',
      dialog: 1,
      incident: 'other',
      recoveryMode: 'LimitedRetry',
      attempts: 9,
    });
    assert.equal(session.state.incident?.id, 'outage-2');
  });
});
