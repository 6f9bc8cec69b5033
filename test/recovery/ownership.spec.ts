/** Who holds a conference, when more than one node might; and handing it over by a snapshot. */
import assert from 'node:assert/strict';
import {
  type ConferenceSessionInput,
  conferenceSession,
  conferenceSessionDefaults,
} from '../../nodes/recovery/conference-session';
import { limits } from '../../nodes/recovery/limits';
import type { ConferenceSnapshot, JsonObject } from '../../nodes/recovery/messages';
import { migrate } from '../../nodes/recovery/migrations';
import type { Surroundings } from '../../nodes/recovery/snapshots';
import { CONFERENCE, effectsOf, only } from '../support/driver';
import { check } from '../support/schema';
import {
  bound,
  failedOver as failedMcu,
  given,
  idleWithCall,
  routeLost as mcuRouteLost,
  newMcu,
  operation as ofMcu,
  stateOf as stateOfMcu,
  terminated,
  withCall,
} from './mcu-sessions';
import {
  awaitingFailover,
  closing,
  connected,
  connecting,
  ended,
  failedOver,
  full,
  inEach,
  join,
  joined,
  left,
  lobbied,
  newSession,
  ok,
  operation,
  outcome,
  type Phase,
  phases,
  recovering,
  refused,
  rejoining,
  type Session,
  stateOf,
  states,
  terminate,
  user,
} from './sessions';

const newer = { input: 'stand-down', owner: 'them', epoch: 2 } as const;
const idle: readonly Phase[] = ['Idle', 'Disconnected'];
const held = phases.filter((phase) => !idle.includes(phase));
const nothing: Surroundings = { signaling: null, deadlines: {}, mcus: {} };

function ownerOf({ state: { owner, epoch, stoodDown } }: Session) {
  return { owner, epoch, stoodDown };
}

/** A snapshot of a session, as it comes over a wire. */
function snapshotOf(session: Session, surroundings: Partial<Surroundings> = {}): ConferenceSnapshot {
  const asked = { input: 'snapshot', operationId: 'snapshot-1', ...nothing, ...surroundings } as const;
  const [{ result }] = only(session.give(asked).messages, 'operation-completed');
  return JSON.parse(JSON.stringify(result));
}

function restore(snapshot: unknown, epoch?: number): ConferenceSessionInput {
  return { input: 'restore', operationId: 'restore-1', snapshot, ...(epoch === undefined ? {} : { epoch }) };
}

/** Every place in a value, as the names that lead there. */
function placesIn(value: unknown): string[][] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, part]) => [[name], ...placesIn(part).map((path) => [name, ...path])]);
}

/** A copy with something else in one place. */
function withValue(whole: ConferenceSnapshot, path: readonly string[], value: unknown): unknown {
  const copy = structuredClone(whole);
  const above = path.slice(0, -1).reduce((part, name) => part[name] as JsonObject, copy as unknown as JsonObject);
  above[path.at(-1) as string] = value;
  return copy;
}

const errorsOf = (told: { messages: Session['messages'] }) =>
  only(told.messages, 'operation-failed').map(({ operation: name, operationId, error }) => [
    name,
    operationId,
    error.code,
  ]);
const refusedAs = (name: string) => [[name, null, 'StaleOwner']];

/** Everything that may be asked of a session. */
const requests: { readonly [name: string]: ConferenceSessionInput } = {
  join: { ...join, operationId: 'x' },
  terminate: { ...terminate, operationId: 'x' },
  lock: operation('x'),
  roster: { input: 'query', operation: 'roster', operationId: 'x' },
  status: { input: 'query', operation: 'status', operationId: 'x' },
  snapshot: { input: 'snapshot', operationId: 'x', ...nothing },
  heal: { input: 'heal', dialog: 1, attempt: 1, method: 'UPDATE' },
  probe: { input: 'probe', dialog: 1 },
};

describe('who holds a conference', () => {
  it('PER-7 the first join makes it ours, in epoch 1; a re-join, and the next session, change nothing', () => {
    assert.deepEqual(ownerOf(newSession()), { owner: '', epoch: 0, stoodDown: false });
    const ours = { owner: 'us', epoch: 1, stoodDown: false };
    const session = rejoining();
    assert.deepEqual(ownerOf(session), ours);
    session.give(joined(2));
    session.give(terminate);
    session.give(left(2));
    session.give({ ...join, operationId: 'join-2' });
    assert.deepEqual(ownerOf(session), ours);
    const [status] = only(
      session.give({ input: 'query', operation: 'status', operationId: 'q' }).messages,
      'operation-completed',
    );
    assert.deepEqual([status.result.owner, status.result.epoch], ['us', 1]);
    assert.equal(connecting({ owner: '' }).state.epoch, 1);
  });

  it('PER-7 refuses every request of an older epoch, and nothing changes', () => {
    for (const [name, request] of Object.entries(requests)) {
      for (const phase of [...held, 'Disconnected'] as const) {
        inEach([phase], (session) => {
          const { seq: _, ...before } = session.state;
          const dialog = 'dialog' in request ? { dialog: session.state.dialog } : {};
          const { messages, effects } = session.give({ ...request, ...dialog, epoch: 0 } as ConferenceSessionInput);
          assert.deepEqual(errorsOf({ messages }), refusedAs(name));
          const { seq: __, ...after } = session.state;
          assert.deepEqual([effects, after], [[], before]);
        });
      }
    }
  });

  it('PER-7 takes those of the present epoch like all others', () => {
    const session = connected();
    assert.equal(
      effectsOf(session.give({ ...operation('lock-1'), epoch: 1 } as ConferenceSessionInput).effects, 'request').length,
      1,
    );
    session.give({ ...terminate, epoch: 1 });
    assert.equal(stateOf(session), 'Disconnecting');
  });

  it('PER-7 a request of a newer epoch is refused, and tells us to stand down', () => {
    for (const [name, request] of Object.entries(requests)) {
      inEach(held, (session) => {
        const dialog = 'dialog' in request ? { dialog: session.state.dialog } : {};
        const { messages, effects } = session.give({ ...request, ...dialog, epoch: 2 } as ConferenceSessionInput);
        assert.deepEqual(errorsOf({ messages }).at(-1), [name, null, 'StaleOwner']);
        assert.deepEqual(ownerOf(session), { owner: '', epoch: 2, stoodDown: true });
        assert.equal(effectsOf(effects, 'abandon').length, 1);
      });
    }
  });

  it("PER-7 an MCU session's operation of another epoch is refused like our own", () => {
    for (const epoch of [0, 2]) {
      const { effects } = connected().give({
        ...operation('mute-1', 'mute'),
        mcu: 'chat',
        epoch,
      } as ConferenceSessionInput);
      const [{ mcu, input }] = effectsOf(effects, 'mcu').filter(({ mcu }) => mcu !== null);
      assert.deepEqual(
        [mcu, input.input, input.operationId, input.error.code],
        ['chat', 'failed', 'mute-1', 'StaleOwner'],
      );
    }
  });
});

describe('standing down', () => {
  it('PER-7 ends the session without a BYE, and resolves no incident', () => {
    for (const make of [connected, recovering, awaitingFailover, rejoining]) {
      const session = make();
      const { messages, effects } = session.give(newer);
      assert.deepEqual(
        only(messages, 'state-changed').map(({ state, reason, incident, active }) => [state, reason, incident, active]),
        [
          ['Disconnecting', 'StoodDown', null, false],
          ['Disconnected', 'StoodDown', null, false],
        ],
      );
      assert.deepEqual(effectsOf(effects, 'leave'), []);
      assert.deepEqual(effectsOf(effects, 'abandon'), [{ effect: 'abandon' }]);
      assert.deepEqual(effectsOf(effects, 'mcu')[0].input, { input: 'stood-down', owner: 'them', epoch: 2 });
      assert.deepEqual(ownerOf(session), { owner: 'them', epoch: 2, stoodDown: true });
      assert.deepEqual(session.state.closedIncidents, []);
      assert.equal(session.deadlines.size, 0);
    }
  });

  it('PER-7 a join that was pending fails with StaleOwner, and the session is Idle', () => {
    for (const make of [connecting, lobbied]) {
      const session = make();
      const { messages, effects } = session.give(newer);
      assert.deepEqual(errorsOf({ messages }), [['join', 'join-1', 'StaleOwner']]);
      assert.equal(only(messages, 'state-changed').at(-1)?.reason, 'StoodDown');
      assert.deepEqual([states(session).at(-1), session.deadlines.size], ['Idle', 0]);
      assert.deepEqual([effectsOf(effects, 'leave'), effectsOf(effects, 'abandon').length], [[], 1]);
    }
  });

  it('PER-7 FE-7 pending operations fail with StaleOwner, once', () => {
    const session = connected();
    session.give(operation('lock-1'));
    session.give(operation('invite-1', 'invite'));
    session.give({ ...operation('mute-1', 'mute'), mcu: 'chat' } as ConferenceSessionInput);
    const { messages, effects } = session.give(newer);
    assert.deepEqual(
      only(messages, 'operation-failed').map(({ operationId, error }) => [operationId, error.code, error.safeToReplay]),
      [
        ['lock-1', 'StaleOwner', true],
        ['invite-1', 'StaleOwner', false],
      ],
    );
    assert.match(only(messages, 'operation-failed')[0].error.message, /held by them \(epoch 2\)/);
    assert.equal(effectsOf(effects, 'mcu').find(({ mcu }) => mcu === 'chat').input.error.code, 'StaleOwner');
    assert.deepEqual(session.give(outcome('lock-1', ok)).messages, []);
  });

  it('PER-7 ORD-4 one that was leaving is done with it, and whoever waits for that hears of it', () => {
    const session = closing();
    const { messages, effects } = session.give(newer);
    assert.equal(only(messages, 'state-changed')[0].reason, 'StoodDown');
    assert.equal(only(messages, 'operation-completed')[0].operationId, 'terminate-0');
    assert.deepEqual([effectsOf(effects, 'abandon').length, stateOf(session)], [1, 'Disconnected']);
  });

  it('PER-7 where nothing is held, is only noted', () => {
    inEach(idle, (session, phase) => {
      assert.deepEqual(session.give(newer), { messages: [], effects: [] });
      assert.deepEqual([ownerOf(session), stateOf(session)], [{ owner: 'them', epoch: 2, stoodDown: true }, phase]);
    });
  });

  it('PER-7 MSG-8 news of our own epoch, or of an older one, changes nothing', () => {
    inEach([...held, 'Disconnected'], (session) => {
      const before = session.state;
      for (const epoch of [0, 1]) assert.deepEqual(session.give({ ...newer, epoch }), { messages: [], effects: [] });
      assert.deepEqual(session.state, before);
    });
  });

  const stoodDown = (from: () => Session) => {
    const session = from();
    session.give(newer);
    return session;
  };

  it('PER-7 from then on only status, roster and snapshot are answered; all else is refused with StaleOwner', () => {
    for (const from of [newSession, connecting, connected, ended]) {
      for (const [name, request] of Object.entries(requests)) {
        if (['terminate', 'heal', 'probe'].includes(name)) continue;
        for (const epoch of [undefined, 2, 3]) {
          if (name === 'join' && epoch === 3) continue;
          const session = stoodDown(from);
          const told = session.give({
            ...request,
            ...(epoch === undefined ? {} : { epoch }),
          } as ConferenceSessionInput);
          const isAnswered = ['roster', 'status', 'snapshot'].includes(name) && epoch !== 3;
          assert.deepEqual(errorsOf(told), isAnswered ? [] : refusedAs(name));
          assert.deepEqual(told.effects, []);
          assert.equal(ownerOf(session).stoodDown, true);
        }
      }
      const { effects } = stoodDown(from).give({ ...operation('x', 'mute'), mcu: 'chat' } as ConferenceSessionInput);
      assert.equal(effectsOf(effects, 'mcu')[0].input.error.code, 'StaleOwner');
    }
  });

  it('PER-7 a join of a newer epoch makes the conference ours', () => {
    for (const from of [newSession, ended]) {
      const session = stoodDown(from);
      assert.equal(effectsOf(session.give({ ...join, epoch: 3 }).effects, 'join').length, 1);
      assert.deepEqual(ownerOf(session), { owner: 'us', epoch: 3, stoodDown: false });
    }
  });

  it('PER-7 terminate lets go of it: who joins then begins the epoch after that of the other', () => {
    for (const from of [newSession, ended]) {
      const session = stoodDown(from);
      assert.equal(only(session.give(terminate).messages, 'operation-completed').length, 1);
      session.give({ ...join, operationId: 'join-2' });
      assert.deepEqual(ownerOf(session), { owner: 'us', epoch: 3, stoodDown: false });
    }
  });

  it('PER-7 a restart does not make the conference ours again', () => {
    const session = stoodDown(connected);
    session.give({ input: 'restarted' });
    assert.deepEqual(ownerOf(session), { owner: 'them', epoch: 2, stoodDown: true });
  });
});

describe('MCU session, when the conference session stands down', () => {
  const taken = { input: 'stood-down', owner: 'them', epoch: 2 } as const;

  it('PER-7 MCU-11 ends with it: without a BYE, and its outage goes on elsewhere', () => {
    for (const make of [bound, () => bound('inactive'), failedMcu, withCall, idleWithCall]) {
      const mcu = make();
      const { messages, effects } = mcu.give(taken);
      const [{ state, reason, incident, active }] = only(messages, 'state-changed');
      assert.deepEqual([state, reason, incident, active], ['Terminated', 'StoodDown', null, false]);
      assert.deepEqual(effects, []);
      const call = only(messages, 'call-state-changed').map((told) => [told.state, told.reason]);
      assert.deepEqual(call, [withCall, idleWithCall].includes(make) ? [['Terminated', 'StoodDown']] : []);
    }
    assert.deepEqual(given(terminated()).give(taken), { messages: [], effects: [] });
  });

  it('PER-7 FE-7 what is pending fails with StaleOwner', () => {
    const failures = (mcu: ReturnType<typeof newMcu>) =>
      only(mcu.give(taken).messages, 'operation-failed').map(({ operation: name, error }) => [
        name,
        error.code,
        error.safeToReplay,
      ]);
    assert.deepEqual(failures(given(bound('inactive'), ofMcu('mute-1', 'mute'))), [['mute', 'StaleOwner', true]]);
    assert.deepEqual(failures(given(bound(), ofMcu('call-1', 'call'))), [['call', 'StaleOwner', false]]);
    assert.deepEqual(failures(given(withCall(), ofMcu('hang-up-1', 'hang-up'))), [['hang-up', 'StaleOwner', false]]);
    assert.deepEqual(failures(given(withCall(), ofMcu('send-1', 'send', { text: 'a' }))), [
      ['send', 'StaleOwner', false],
    ]);
  });

  it('PER-7 MCU-2 one that was not bound is as new', () => {
    const mcu = given(newMcu(), mcuRouteLost, taken);
    assert.equal(mcu.state.reconnecting, false);
  });
});

describe('a snapshot', () => {
  it('PER-10 is answered in every state, and is valid against the schema', () => {
    inEach(phases, (session, phase) => {
      const snapshot = snapshotOf(session);
      check('ConferenceSnapshot', snapshot);
      assert.deepEqual(
        [snapshot.conference, snapshot.owner, snapshot.epoch, snapshot.at, snapshot.state.phase],
        [CONFERENCE, session.state.owner, session.state.epoch, '2026-01-01T00:00:00.000Z', phase],
      );
    });
  });

  it('PER-10 holds no secret and nothing pending', () => {
    const session = newSession();
    session.give({ ...join, arguments: { displayName: 'Recorder', passcode: '4711' } });
    session.give(joined(1));
    session.give(operation('lock-1'));
    const mcu = given(withCall(), ofMcu('hang-up-1', 'hang-up'), ofMcu('send-1', 'send', { text: 'secret' }));
    const queued = given(bound('inactive'), ofMcu('mute-1', 'mute'));
    const snapshot = snapshotOf(session, {
      signaling: { version: 1, callId: 'a' },
      deadlines: { 'heartbeat-due': 5, 'hold-expired:lock-1': 6 },
      mcus: { 'audio-video': mcu.state, chat: queued.state },
    });
    const { joinArguments, joining, operations, pending } = snapshot.state;
    assert.deepEqual([joinArguments, joining, operations, pending], [{ displayName: 'Recorder' }, null, {}, 0]);
    assert.deepEqual(snapshot.deadlines, { 'heartbeat-due': 5 });
    assert.deepEqual(snapshot.signaling, { version: 1, callId: 'a' });
    const { 'audio-video': ofCall, chat } = snapshot.mcus as { [mcu: string]: JsonObject };
    assert.deepEqual(
      [ofCall?.texts, (ofCall?.call as JsonObject | undefined)?.operationId, chat?.queue],
      [[], null, []],
    );
    assert.doesNotMatch(JSON.stringify(snapshot), /4711|secret|lock-1|hang-up-1|mute-1/);
    assert.deepEqual(snapshotOf(closing()).state.terminating, []);
  });

  it('PER-10 ORD-6 is a copy that anybody may change', () => {
    const session = connected();
    const signaling = Object.freeze({ version: 1, dialog: Object.freeze({}) });
    const asked = {
      input: 'snapshot',
      operationId: 's',
      ...nothing,
      signaling,
      mcus: { 'audio-video': withCall().state },
    } as const;
    const [{ result }] = only(session.give(asked).messages, 'operation-completed');
    const before = structuredClone(session.state);
    result.state.roster.participants = null;
    result.state.joinArguments.role = 'presenter';
    result.signaling.dialog.id = 1;
    result.mcus['audio-video'].call.id = 'another';
    assert.deepEqual(session.state, before);
  });
});

describe('a restore', () => {
  const over = { signaling: { version: 1 }, deadlines: { 'heartbeat-due': 12 } };

  it('PER-10 PER-7 goes on as after a restart, under the next epoch', () => {
    for (const [from, phase] of Object.entries({ connected, recovering, awaitingFailover, lobbied })) {
      for (const make of [newSession, ended]) {
        const there = phase({ owner: 'them' });
        const session = make();
        const { messages, effects } = session.give(restore(snapshotOf(there, over)));
        const [status] = messages as unknown as JsonObject[];
        assert.deepEqual(
          [status?.event, status?.restored, status?.state, status?.incident],
          ['session-status', true, stateOf(there), there.state.incident?.id ?? null],
          from,
        );
        assert.equal(effects[0]?.effect, 'adopt');
        assert.deepEqual(effectsOf(effects, 'adopt'), [{ effect: 'adopt', signaling: { version: 1 } }]);
        assert.deepEqual(effectsOf(effects, 'resume'), [{ effect: 'resume', dialog: 1, timeoutMs: 4_000 }]);
        assert.equal(session.deadlines.get('heartbeat-due'), 12);
        const completed = only(messages, 'operation-completed');
        assert.deepEqual(
          completed.map(({ operation: name, operationId }) => [name, operationId]),
          [['restore', 'restore-1']],
        );
        assert.equal(messages.at(-1), completed[0]);
        assert.equal(completed[0].result.epoch, 2);
        assert.deepEqual([session.state.epoch, session.state.phase], [2, there.state.phase]);
        assert.deepEqual(session.state.roster, there.state.roster);
      }
    }
  });

  it('PER-10 MSG-3 numbers of facts go on above both', () => {
    const there = connected();
    for (const seq of [2, 500]) {
      const session = newSession();
      session.state = { ...session.state, seq };
      const snapshot = snapshotOf(there);
      const [status] = session.give(restore(snapshot)).messages as unknown as { seq: number }[];
      assert.equal(status?.seq, Math.max(seq, snapshot.state.seq as number) + 1);
    }
  });

  it('PER-3 PER-10 a re-join that was under way is not sent again, nor is a join', () => {
    const session = newSession();
    const { messages, effects } = session.give(restore(snapshotOf(rejoining())));
    assert.deepEqual(
      only(messages, 'state-changed').map(({ state }) => state),
      ['Disconnecting', 'Disconnected'],
    );
    assert.deepEqual(effectsOf(effects, 'join'), []);
    assert.equal(messages.at(-1), only(messages, 'operation-completed')[0]);
    assert.deepEqual(effectsOf(session.give(failedOver(2)).effects, 'join'), []);
    const joining = newSession().give(restore(snapshotOf(connecting())));
    assert.deepEqual([only(joining.messages, 'state-changed')[0].state, errorsOf(joining)], ['Idle', []]);
    assert.deepEqual(effectsOf(joining.effects, 'join'), []);
  });

  it('PER-10 hands the MCU sessions their states, and all what there is to know', () => {
    const mcu = given(withCall(), ofMcu('send-1', 'send', { text: 'a' }));
    const { effects } = newSession().give(restore(snapshotOf(connected(), { mcus: { 'audio-video': mcu.state } })));
    const told = effectsOf(effects, 'mcu');
    assert.deepEqual(
      told.map((effect) => [effect.mcu, effect.input.input]),
      [
        [null, 'joining'],
        ['audio-video', 'restore'],
        [null, 'recovered'],
        [null, 'joined'],
        [null, 'roster'],
      ],
    );
    for (const here of [newMcu(), terminated()]) {
      const { seq } = here.state;
      const all = told.map(({ input }) => here.give(input));
      assert.deepEqual(
        all.flatMap((each) => each.effects),
        [{ effect: 'refresh-call', callId: 'call-1', mcu: 'audio-video' }],
      );
      assert.deepEqual([stateOfMcu(here), here.state.call?.state], ['Active', 'Established']);
      assert.ok(here.state.seq >= Math.max(seq, mcu.state.seq));
    }
    const placing = given(bound(), ofMcu('call-1', 'call'));
    const snapshot = snapshotOf(connected(), { mcus: { 'audio-video': placing.state } });
    const state = effectsOf(newSession().give(restore(snapshot)).effects, 'mcu')[1].input;
    const { messages } = newMcu().give(state);
    assert.deepEqual(
      messages.map((message) => 'event' in message && message.event),
      ['call-state-changed'],
    );
    assert.deepEqual(given(bound()).give(state), { messages: [], effects: [] });
  });

  it('PER-7 PER-10 takes the epoch that is given, if it is newer than all that is known', () => {
    const snapshot = snapshotOf(connected());
    const session = newSession();
    session.give(restore(snapshot, 7));
    assert.deepEqual(ownerOf(session), { owner: 'us', epoch: 7, stoodDown: false });
    for (const epoch of [0, 1])
      assert.deepEqual(errorsOf(newSession().give(restore(snapshot, epoch))), refusedAs('restore'));
    const behind = newSession();
    behind.give({ ...newer, epoch: 7 });
    assert.deepEqual(errorsOf(behind.give(restore({ ...snapshot, epoch: 7 }, 7))), refusedAs('restore'));
    behind.give(restore({ ...snapshot, epoch: 7 }));
    assert.deepEqual(ownerOf(behind), { owner: 'us', epoch: 8, stoodDown: false });
  });

  it('PER-7 a snapshot of an older epoch is refused with StaleOwner, and nothing changes', () => {
    const older = { ...snapshotOf(connected()), epoch: 0 };
    for (const phase of [...held, 'Disconnected'] as const) {
      inEach([phase], (session) => {
        const { seq: _, ...before } = session.state;
        const told = session.give(restore(older, 1));
        const { seq: __, ...after } = session.state;
        assert.deepEqual([errorsOf(told), told.effects, after], [refusedAs('restore'), [], before]);
      });
    }
    const stale = newSession();
    stale.give(newer);
    assert.deepEqual(errorsOf(stale.give(restore(snapshotOf(connected()), 9))), refusedAs('restore'));
  });

  it('PER-7 while we hold the conference: our own snapshot is ignored, that of another of the same epoch refused', () => {
    inEach(held, (session) => {
      const before = session.state;
      const own = { ...snapshotOf(connected()), epoch: 1, owner: 'us' };
      assert.deepEqual(session.give(restore(own)), {
        messages: [],
        effects: [{ effect: 'ignore', operationId: 'restore-1' }],
      });
      assert.deepEqual(session.state, before);
      const told = session.give(restore({ ...own, owner: 'them' }));
      assert.deepEqual([errorsOf(told), told.effects], [refusedAs('restore'), []]);
    });
  });

  it('PER-7 and one of a newer epoch tells us to stand down', () => {
    inEach(held, (session) => {
      const snapshot = { ...snapshotOf(connected()), owner: 'them', epoch: 2 };
      assert.deepEqual(errorsOf(session.give(restore(snapshot))).at(-1), ['restore', null, 'StaleOwner']);
      assert.deepEqual(ownerOf(session), { owner: 'them', epoch: 2, stoodDown: true });
    });
    const session = connected();
    session.give(restore(snapshotOf(session), 5));
    assert.deepEqual(ownerOf(session), { owner: '', epoch: 5, stoodDown: true });
  });

  it('PER-7 our own past does not come back after the end', () => {
    const session = connected();
    const snapshot = snapshotOf(session);
    session.give(terminate);
    session.give(left());
    assert.deepEqual(session.give(restore(snapshot)).effects, [{ effect: 'ignore', operationId: 'restore-1' }]);
    assert.equal(stateOf(session), 'Disconnected');
    session.give(restore(snapshot, 2));
    assert.equal(stateOf(session), 'Connected');
  });
});

describe('a restore of something else', () => {
  const { state: _, ...envelope } = snapshotOf(connected(), { mcus: { 'audio-video': withCall().state } });
  const good = () =>
    snapshotOf(connected(), { mcus: { 'audio-video': withCall().state }, deadlines: { 'heartbeat-due': 1 } });
  const someone = { entity: 'sip:ada@pool.example', roles: [], endpoints: [] };
  const crowd = Object.fromEntries(
    Array.from({ length: limits.participants + 1 }, (_, index) => [
      String(index),
      { ...someone, entity: String(index) },
    ]),
  );
  let deep: unknown = 1;
  for (let depth = 0; depth < 10_000; depth += 1) deep = [deep];
  const circular: JsonObject = {};
  circular.self = circular;

  /** By what is wrong: the changed part of a snapshot, and what is said of it. */
  const wrong: { readonly [what: string]: readonly [snapshot: unknown, said: RegExp] } = {
    'not an object': ['Connected', /"snapshot" must be an object/],
    nothing: [null, /"snapshot" must be an object/],
    'a list': [[good()], /"snapshot" must be an object/],
    'no version': [{ ...good(), version: undefined }, /"snapshot.version" must be 1/],
    'an old version': [{ ...good(), version: 0 }, /"snapshot.version" must be 1/],
    'another conference': [{ ...good(), conference: 'sip:x@y' }, /"snapshot.conference" must be "sip:daily/],
    'no owner': [{ ...good(), owner: 7 }, /"snapshot.owner" must be a string/],
    'half an epoch': [{ ...good(), epoch: 1.5 }, /"snapshot.epoch" must be a whole number/],
    'an unknown deadline': [{ ...good(), deadlines: { constructor: 5 } }, /unknown one: constructor/],
    'a deadline at no time': [
      { ...good(), deadlines: { 'heartbeat-due': -1 } },
      /"snapshot.deadlines.heartbeat-due" must be a number/,
    ],
    'a deadline that is a word': [
      { ...good(), deadlines: { 'heartbeat-due': 'now' } },
      /must be a number, zero or more/,
    ],
    'signaling that is a word': [{ ...good(), signaling: 'x' }, /"snapshot.signaling" must be an object/],
    'signaling that is code': [{ ...good(), signaling: { run: () => 1 } }, /"snapshot.signaling.run" must be JSON/],
    'too deep': [{ ...good(), signaling: { deep } }, /must be less deep/],
    circular: [{ ...good(), signaling: circular }, /must be less deep/],
    'no MCUs': [{ ...good(), mcus: [] }, /"snapshot.mcus" must be an object/],
    'too many MCUs': [
      { ...good(), mcus: Object.fromEntries(Array.from({ length: 101 }, (_, index) => [index, {}])) },
      /"snapshot.mcus" must be an object with 100 members at most/,
    ],
    'an MCU that is none': [{ ...good(), mcus: { chat: {} } }, /in "mcus.chat", "state.version" must be/],
    'an MCU under the name of another': [
      { ...good(), mcus: { chat: good().mcus['audio-video'] } },
      /"mcus.chat.mcu" must be "chat"/,
    ],
    'no state': [envelope, /in "state", "state.version" must be/],
    'something that throws': [
      {
        get version() {
          throw new Error('no way');
        },
      },
      /no way/,
    ],
  };

  /** The same of the state inside. */
  const wrongStates: { readonly [what: string]: readonly [change: JsonObject, said: RegExp] } = {
    'an unknown phase': [{ phase: 'Nowhere' }, /"state.phase" must be one of Idle, Connecting/],
    'a state of another conference': [{ conference: 'sip:x@y' }, /"state.conference" must be/],
    'a flag that is a word': [{ behind: 'no' }, /"state.behind" must be true or false/],
    'a list that is none': [{ closedIncidents: {} }, /"state.closedIncidents" must be a list/],
    'a list that is too long': [{ closedIncidents: Array(11).fill('x') }, /must be a list of 10 at most/],
    'an incident without a name': [{ incident: { startedAt: 1 } }, /"state.incident.id" must be a string/],
    'a roster of version x': [
      { roster: { version: 'x', participants: {}, total: 0 } },
      /"state.roster.version" must be a number/,
    ],
    'a roster with nobody': [
      { roster: { version: 1, participants: { a: null }, total: 1 } },
      /"state.roster.participants.a" must be an object/,
    ],
    'a participant under the name of another': [
      { roster: { version: 1, participants: { a: someone }, total: 1 } },
      /"state.roster.participants.a.entity" must be "a"/,
    ],
    'a crowd': [{ roster: { version: 1, participants: crowd, total: 1 } }, /with 20000 members at most/],
    'nowhere to close to': [{ phase: 'Disconnecting', closing: null }, /"state.closing" must be an object/],
  };

  const snapshots = {
    ...wrong,
    ...Object.fromEntries(
      Object.entries(wrongStates).map(([what, [change, said]]) => {
        const snapshot = good();
        return [what, [{ ...snapshot, state: { ...snapshot.state, ...change } }, said] as const];
      }),
    ),
  };

  for (const [what, [snapshot, said]] of Object.entries(snapshots)) {
    it(`PER-10 MSG-5 ${what}: one ArgumentException that says so, and nothing changes`, () => {
      for (const make of [newSession, connected, ended]) {
        const session = make();
        const { seq: _, ...before } = session.state;
        const asked = restore(snapshot);
        // Not by the driver, which looks into what it gives.
        const moment = { now: session.now, random: 0.5 };
        const { state, messages, effects } = conferenceSession.step(
          session.state,
          asked,
          moment,
          conferenceSessionDefaults,
        );
        const [{ operationId, error }, ...more] = only(messages, 'operation-failed');
        assert.deepEqual([operationId, error.name, more, effects], [null, 'ArgumentException', [], []]);
        assert.match(error.message, said);
        const { seq: __, ...after } = state;
        assert.deepEqual(after, before);
      }
    });
  }

  it('PER-10 MSG-5 with any value in any place, it is refused by one ArgumentException, or is one to go on with', function () {
    this.timeout(20_000);
    const odd = [undefined, null, true, -1, 0.5, 1e300, '', '__proto__', [], {}, [null]];
    const inputs: ConferenceSessionInput[] = [
      outcome('resume', refused(481), { purpose: 'refresh' }),
      joined(1),
      { event: 'document', dialog: 1, document: full(9, user('ada')) },
      operation('lock-1'),
      terminate,
      left(),
    ];
    let restored = 0;
    for (const make of [connected, recovering, closing]) {
      const whole = snapshotOf(make(), {
        mcus: { 'audio-video': withCall().state },
        deadlines: { 'heartbeat-due': 1 },
      });
      for (const path of placesIn(whole)) {
        for (const value of odd) {
          const session = newSession();
          const { messages, effects } = session.give(restore(withValue(whole, path, value)));
          const [failed] = only(messages, 'operation-failed');
          if (failed) {
            assert.ok(['ArgumentException', 'InvalidOperationException'].includes(failed.error.name), path.join('.'));
            assert.deepEqual([messages.length, effects], [1, []]);
          } else {
            restored += 1;
            for (const input of inputs) session.give(input);
            for (const { input } of effectsOf(effects, 'mcu')) if (input.input === 'restore') given(newMcu(), input);
          }
        }
      }
    }
    assert.ok(restored > 100);
  });

  it('PER-7 PER-8 an epoch that nothing can be counted up from leaves a state that can be saved', () => {
    const session = newSession();
    session.give(restore({ ...good(), epoch: Number.MAX_SAFE_INTEGER }));
    assert.deepEqual(migrate('conference-session', session.state), { state: session.state });
  });

  it('PER-10 counts anew what follows from the rest', () => {
    const snapshot = good();
    Object.assign(snapshot.state, { pending: 999, operations: {} });
    Object.assign(snapshot.state.roster as JsonObject, { total: 999 });
    const session = newSession();
    session.give(restore(snapshot));
    assert.deepEqual([session.state.pending, session.state.roster.total], [0, 2]);
  });

  it('PER-8 PER-10 one of a newer version is refused with an InvalidOperationException that says so', () => {
    const newer: { [what: string]: object } = {
      snapshot: { ...good(), version: 2 },
      state: { ...good(), state: { ...good().state, version: 99 } },
      'mcus.audio-video': { ...good(), mcus: { 'audio-video': { version: 99 } } },
    };
    for (const [what, snapshot] of Object.entries(newer)) {
      for (const make of [newSession, connected]) {
        const [{ error }] = only(make().give(restore(snapshot)).messages, 'operation-failed');
        assert.deepEqual([error.name, error.code], ['InvalidOperationException', 'InvalidOperation']);
        assert.match(error.message, new RegExp(`^The ${what} is of version \\d+, which a newer version`));
      }
    }
  });
});
