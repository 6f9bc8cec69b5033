import assert from 'node:assert/strict';
import type { Participant } from '../../nodes/recovery/messages';
import { applyDocument, emptyRoster, type Roster } from '../../nodes/recovery/roster';
import type { ConferenceDocument, DocumentUser } from '../../nodes/recovery/signaling';

function user(name: string, extra: Partial<DocumentUser> = {}): DocumentUser {
  const endpoint = {
    entity: `${name}-1`,
    status: 'connected',
    media: [{ id: '1', type: 'audio' }],
    state: 'full' as const,
  };
  return { entity: name, roles: ['attendee'], state: 'full', endpoints: [endpoint], ...extra };
}

function document(state: ConferenceDocument['state'], version: number, ...users: DocumentUser[]): ConferenceDocument {
  return { state, version, users };
}

function applied(roster: Roster, next: ConferenceDocument) {
  const result = applyDocument(roster, next);
  assert.ok(result.kind === 'applied', result.kind);
  return result;
}

const names = (participants: Participant[]) => participants.map(({ entity }) => entity);

describe('roster', () => {
  const start = applied(emptyRoster, document('full', 1, user('ada'), user('grace'))).roster;

  it('RFC 4575 4.6: the first document must be full, a gap needs a refresh, an old one is dropped', () => {
    assert.equal(applyDocument(emptyRoster, document('partial', 1)).kind, 'gap');
    assert.equal(applyDocument(start, document('partial', 3)).kind, 'gap');
    assert.equal(applyDocument(start, document('partial', 1)).kind, 'stale');
    assert.equal(applyDocument(start, document('full', 1)).kind, 'stale');
    assert.equal(applyDocument(start, document('full', 0)).kind, 'behind');
    assert.equal(applyDocument(start, document('full', 9)).kind, 'applied');
  });

  it('a partial document adds, changes and deletes users, endpoints and media', () => {
    const muted = user('ada', {
      state: 'partial',
      roles: [],
      endpoints: [{ entity: 'ada-1', state: 'partial', media: [{ id: '1', status: 'recvonly' }] }],
    });
    const change = applied(start, document('partial', 2, muted, user('grace', { state: 'deleted' }), user('alan')));
    assert.deepEqual(
      [names(change.difference.joined), names(change.difference.left), names(change.difference.changed)],
      [['alan'], ['grace'], ['ada']],
    );
    assert.deepEqual(change.roster.participants.ada?.endpoints[0], {
      entity: 'ada-1',
      status: 'connected',
      media: [{ id: '1', type: 'audio', status: 'recvonly' }],
    });
    assert.deepEqual(change.roster.participants.ada?.roles, ['attendee']);
    assert.equal(change.roster.total, 2);
    const gone = user('ada', { state: 'partial', endpoints: [{ entity: 'ada-1', state: 'deleted', media: [] }] });
    assert.deepEqual(applied(change.roster, document('partial', 3, gone)).roster.participants.ada?.endpoints, []);
  });

  it('RFC 4575 4.6: an endpoint that is told in full is replaced, also within a user that is told in part', () => {
    const told = (state: 'full' | 'partial') =>
      user('ada', { state: 'partial', endpoints: [{ entity: 'ada-1', state, media: [{ id: '2', type: 'video' }] }] });
    const endpoint = (state: 'full' | 'partial') =>
      applied(start, document('partial', 2, told(state))).roster.participants.ada?.endpoints[0];
    assert.deepEqual(endpoint('full'), { entity: 'ada-1', media: [{ id: '2', type: 'video' }] });
    assert.deepEqual(endpoint('partial')?.media.length, 2);
    assert.equal(endpoint('partial')?.status, 'connected');
  });

  it('FE-17 one more user of an entity may say that an endpoint is gone', () => {
    const gone = user('ada', { endpoints: [{ entity: 'ada-1', media: [], state: 'deleted' }] });
    const { roster } = applied(emptyRoster, document('full', 1, user('ada'), gone));
    assert.deepEqual(roster.participants.ada?.endpoints, []);
  });

  it('MSG-2 an entity may have any name, also that of a part of every object', () => {
    const odd = applied(start, document('partial', 2, user('__proto__'), user('constructor')));
    assert.deepEqual(names(odd.difference.joined), ['__proto__', 'constructor']);
    assert.deepEqual(Object.keys(odd.roster.participants).sort(), ['__proto__', 'ada', 'constructor', 'grace']);
    assert.equal(Object.getPrototypeOf(odd.roster.participants), Object.prototype);
    const gone = applied(odd.roster, document('full', 3, user('ada'), user('grace')));
    assert.deepEqual(names(gone.difference.left), ['__proto__', 'constructor']);
  });

  it('FE-20 media whose type has changed is a change', () => {
    const video = { entity: 'ada-1', status: 'connected', media: [{ id: '1', type: 'video' }], state: 'full' as const };
    const { difference } = applied(start, document('full', 2, user('ada', { endpoints: [video] }), user('grace')));
    assert.deepEqual(names(difference.changed), ['ada']);
  });

  it('the same person as two users is one participant with two endpoints', () => {
    const second = user('ada', { endpoints: [{ entity: 'ada-2', media: [], state: 'full' }] });
    const { roster } = applied(emptyRoster, document('full', 1, user('ada'), second));
    assert.equal(roster.total, 1);
    assert.deepEqual(
      roster.participants.ada?.endpoints.map(({ entity }) => entity),
      ['ada-1', 'ada-2'],
    );
  });

  it('two devices of one person may have one endpoint, and differ only in media; one of them can leave', () => {
    const device = (id: string) =>
      user('ada', { endpoints: [{ entity: 'ada', state: 'full', media: [{ id, type: 'audio' }] }] });
    const ids = ({ participants }: Roster) =>
      participants.ada?.endpoints.map(({ entity, media }) => [entity, media.map(({ id }) => id)]);
    const both = [['ada', ['12a', '13a']]];
    const whole = applied(start, document('full', 2, device('12a'), device('13a'))).roster;
    assert.deepEqual(ids(whole), both);
    assert.deepEqual(ids(applied(start, document('partial', 2, device('12a'), device('13a'))).roster), both);
    assert.deepEqual(ids(applied(whole, document('full', 3, device('13a'))).roster), [['ada', ['13a']]]);
    const gone = document('partial', 3, device('12a'), user('ada', { state: 'deleted' }), device('14a'));
    assert.deepEqual(ids(applied(whole, gone).roster), [['ada', ['14a']]]);
  });

  it('FE-21 an unchanged full document differs in nothing', () => {
    const { difference } = applied(start, document('full', 2, user('grace'), user('ada')));
    assert.deepEqual(difference, { joined: [], left: [], changed: [] });
  });

  it('ORD-6 differences are copies: changing them does not change the roster', () => {
    const { roster, difference } = applied(emptyRoster, document('full', 1, user('ada')));
    difference.joined[0]?.endpoints[0]?.media.pop();
    assert.equal(roster.participants.ada?.endpoints[0]?.media.length, 1);
  });

  it('MSG-2 roster before, with every difference applied, is roster after, for any sequence of documents', () => {
    let seed = 7;
    const draw = (below: number) => {
      seed = (seed * 1103515245 + 12345) % 2 ** 31;
      return Math.floor((seed / 2 ** 31) * below);
    };
    const people = ['ada', 'grace', 'alan', 'edsger', 'barbara'];
    let roster = emptyRoster;
    const replica = new Map<string, Participant>();
    for (let version = 1; version <= 500; version += 1) {
      const isFull = version === 1 || draw(5) === 0;
      const states = ['full', 'partial', 'deleted'] as const;
      const users = people
        .filter(() => draw(2) === 0)
        .map((name) =>
          user(name, {
            state: isFull ? 'full' : (states[draw(3)] as 'full'),
            displayName: `${name} ${draw(3)}`,
            endpoints: Array.from({ length: draw(3) }, (_, index) => ({
              entity: `${name}-${index}`,
              status: draw(2) === 0 ? 'connected' : 'on-hold',
              media: [{ id: String(draw(2)), type: 'audio' }],
              state: isFull ? 'full' : (states[draw(3)] as 'full'),
            })),
          }),
        );
      const { roster: next, difference } = applied(roster, document(isFull ? 'full' : 'partial', version, ...users));
      roster = next;
      for (const { entity } of difference.left) assert.ok(replica.delete(entity));
      for (const participant of difference.joined) {
        assert.ok(!replica.has(participant.entity));
        replica.set(participant.entity, participant);
      }
      for (const participant of difference.changed) {
        assert.ok(replica.has(participant.entity));
        replica.set(participant.entity, participant);
      }
      assert.deepEqual(Object.fromEntries(replica), roster.participants);
      assert.equal(roster.total, replica.size);
    }
  });

  it('MSG-6 has a limit', () => {
    const crowd = Array.from({ length: 20_001 }, (_, index) => user(`u${index}`));
    assert.equal(applyDocument(emptyRoster, document('full', 1, ...crowd)).kind, 'full-up');
    const most = applied(emptyRoster, document('full', 1, ...crowd.slice(1))).roster;
    assert.equal(most.total, 20_000);
    assert.equal(applyDocument(most, document('partial', 2, user('one-more'))).kind, 'full-up');
    const swap = document('partial', 2, user('one-more'), user('u1', { state: 'deleted' }));
    assert.equal(applied(most, swap).roster.total, 20_000, 'who comes while another goes finds room');
  });
});
