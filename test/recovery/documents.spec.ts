import assert from 'node:assert/strict';
import { limits } from '../../nodes/recovery/limits';
import { applyDocument, emptyRoster, participantsOf } from '../../nodes/recovery/roster';
import type { ConferenceDocument } from '../../nodes/recovery/signaling';
import { only } from '../support/driver';
import { connected, full, user } from './sessions';

const document = (version: number, extra: Partial<ConferenceDocument> = {}) =>
  ({
    event: 'document',
    dialog: 1,
    document: { ...full(version, user('ada'), user('grace')), ...extra },
  }) as const;
const waiting = (name: string) => ({ entity: `sip:${name}@pool.example`, roles: [], endpoints: [] });

describe('conference documents', () => {
  it('ST-5 MSG-2 the lobby travels as differences', () => {
    const session = connected();
    const told = (version: number, ...names: string[]) => {
      const { messages } = session.give(document(version, { lobby: names.map(waiting) }));
      return only(messages, 'lobby-changed').map(({ added, removed }) => [added.length, removed.length]);
    };
    assert.deepEqual(told(2, 'alan', 'edsger'), [[2, 0]]);
    assert.deepEqual(told(3, 'alan', 'edsger'), []);
    assert.deepEqual(told(4, 'barbara', 'edsger'), [[1, 1]]);
    assert.deepEqual(told(5), [[0, 2]]);
  });

  it('FE-20 MSG-2 properties travel as differences, and what a document does not state is unchanged', () => {
    const session = connected();
    const told = (version: number, properties?: ConferenceDocument['properties']) =>
      only(session.give(document(version, properties ? { properties } : {})).messages, 'properties-changed').map(
        ({ changed }) => changed,
      );
    assert.deepEqual(told(2, { locked: true, subject: 'Daily' }), [{ locked: true, subject: 'Daily' }]);
    assert.deepEqual(told(3, { locked: true }), []);
    assert.deepEqual(told(4), []);
    assert.deepEqual(told(5, { locked: false }), [{ locked: false }]);
    assert.deepEqual(session.state.properties, { locked: false, subject: 'Daily' });
  });

  it('MSG-6 a roster that would grow beyond its limit is one typed error, and the old one stays', () => {
    const session = connected();
    const crowd = Array.from({ length: limits.participants + 1 }, (_, index) => user(`u${index}`));
    for (const state of ['full', 'partial'] as const) {
      const { messages } = session.give({
        event: 'document',
        dialog: 1,
        document: { state, version: 2, users: crowd },
      });
      const [failed] = only(messages, 'operation-failed');
      assert.deepEqual([failed.operation, failed.error.code], ['roster', 'LimitReached']);
      assert.equal(session.state.roster.total, 2);
    }
  });

  it('MSG-6 one that cannot be read is one typed error, and changes nothing', () => {
    const session = connected();
    const before = session.state.roster;
    const { messages } = session.give({ event: 'unreadable', dialog: 1, message: 'no XML' });
    const [{ operation, error }] = only(messages, 'operation-failed');
    assert.deepEqual([operation, error.code, error.safeToReplay], ['notification', 'MessageParsing', true]);
    assert.match(error.message, /^The subscription /);
    assert.deepEqual(session.state.roster, before);
  });

  it('MCU-2 a report on one MCU leaves what is known of the others', () => {
    const session = connected();
    session.give({ event: 'mcu-report', dialog: 1, mcu: 'chat', report: 'inactive' });
    assert.deepEqual(session.state.mcus, { 'audio-video': 'active', chat: 'inactive' });
  });

  it('MSG-8 a document that is not newer changes nothing', () => {
    const session = connected();
    assert.deepEqual(session.give(document(1, { users: [] })).messages, []);
  });

  it('FE-17 a full document lists nobody whom it says to be gone', () => {
    const applied = applyDocument(emptyRoster, full(1, user('ada'), user('grace', { state: 'deleted' })));
    assert.ok(applied.kind === 'applied');
    assert.deepEqual([applied.roster.total, Object.keys(applied.roster.participants)], [1, ['sip:ada@pool.example']]);
  });

  it('FE-20 FE-21 a user who is told again in part is compared by everything that people see', () => {
    const start = applyDocument(emptyRoster, full(1, user('ada', { displayName: 'Ada' })));
    assert.ok(start.kind === 'applied');
    const again = (extra: Partial<ReturnType<typeof user>>) => {
      const users = [user('ada', { state: 'partial', ...extra })];
      const applied = applyDocument(start.roster, { state: 'partial', version: 2, users });
      assert.ok(applied.kind === 'applied');
      return applied.difference.changed.length;
    };
    assert.equal(again({}), 0);
    assert.equal(again({ displayName: 'Ada' }), 0);
    assert.equal(again({ displayName: 'Ada L.' }), 1);
    assert.equal(again({ roles: ['presenter'] }), 1);
    assert.equal(again({ roles: ['attendee', 'presenter'] }), 1);
    assert.equal(again({ endpoints: [{ entity: 'ada-1', status: 'on-hold', media: [], state: 'partial' }] }), 1);
    assert.equal(again({ endpoints: [{ entity: 'ada-2', media: [], state: 'partial' }] }), 1);
  });

  it('MCU-16 media of any name by which servers call it belong to their MCU', () => {
    const present = (mcu: string, type: string) =>
      Object.keys(
        participantsOf(
          { ada: { entity: 'ada', roles: [], endpoints: [{ entity: '1', media: [{ id: '1', type }] }] } },
          mcu,
        ),
      );
    for (const type of ['audio', 'video', 'audio-video']) assert.deepEqual(present('audio-video', type), ['ada'], type);
    for (const type of ['text', 'message', 'chat']) {
      assert.deepEqual(present('chat', type), ['ada'], type);
      assert.deepEqual(present('audio-video', type), [], type);
    }
  });

  it('MCU-16 an MCU that nobody has described mixes the media of its own name', () => {
    const ada = { entity: 'ada', roles: [], endpoints: [{ entity: 'ada-1', media: [{ id: 'applicationsharing' }] }] };
    assert.deepEqual(Object.keys(participantsOf({ ada }, 'applicationsharing')), ['ada']);
    assert.deepEqual(Object.keys(participantsOf({ ada }, 'audio-video')), []);
  });
});
