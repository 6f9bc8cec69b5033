import assert from 'node:assert/strict';
import { type ArgumentKind, complaintAbout, complaintIn } from '../../nodes/recovery/commands';
import { complaintAboutFact } from '../../nodes/recovery/heeded';
import {
  conferenceSessionHears,
  mcuRequest,
  mcuSessionHears,
  operationRequest,
  routeRequest,
} from '../../nodes/recovery/inputs';
import { mcuSession } from '../../nodes/recovery/mcu-session';
import type { Fact, JsonObject, Request } from '../../nodes/recovery/messages';
import { CONFERENCE } from '../support/driver';

const fact = (body: object) => ({ dialog: 1, incident: 'outage-1', ...body }) as unknown as Fact;
const request = (body: object) => body as Request & JsonObject;

describe('what a message means to a session', () => {
  it('DET-2 of verdicts, those about the Focus that have failed or failed over', () => {
    const heard = (level: string, phase: string) => {
      const input = conferenceSessionHears(fact({ event: 'failover-detected', level, phase }));
      return input && 'input' in input ? input.input : null;
    };
    assert.deepEqual(
      ['suspected', 'failed', 'failed-over', 'cleared'].map((phase) => heard('focus', phase)),
      [null, 'focus-failed', 'focus-failed-over', null],
    );
    for (const level of ['hop', 'mcu']) assert.equal(heard(level, 'failed'), null);
  });

  it('HOP-12 HOP-13 of healing that was given up, everything but a dialog that is gone', () => {
    const heard = (reason: string) => {
      const input = conferenceSessionHears(fact({ event: 'healing-abandoned', reason }));
      return input && 'input' in input ? input.input : null;
    };
    assert.deepEqual(['horizon', 'disabled', 'stopped', 'dialog-gone'].map(heard), [
      'route-abandoned',
      'route-unhealed',
      'route-unhealed',
      null,
    ]);
    assert.equal(conferenceSessionHears(fact({ event: 'gave-up' })), null);
  });

  it('MCU-5 MSG-8 to an MCU session, verdicts about its own MCU and dialog', () => {
    const state = { ...mcuSession.start(CONFERENCE, 'chat'), dialog: 1 };
    const heard = (body: object) =>
      mcuSessionHears(fact({ event: 'failover-detected', level: 'mcu', phase: 'failed', mcu: 'chat', ...body }), state);
    assert.ok(heard({}));
    const others = [
      { mcu: 'audio-video' },
      { dialog: 2 },
      { phase: 'cleared' },
      { level: 'focus' },
      { event: 'signal' },
    ];
    for (const other of others) assert.equal(heard(other), null);
  });

  it('HEAL-2 a heal names its method, or means UPDATE', () => {
    const method = (given: object) => {
      const input = routeRequest(request({ command: 'heal', dialog: 1, attempt: 1, ...given }));
      return input && 'method' in input ? input.method : null;
    };
    assert.deepEqual([method({}), method({ method: 'OPTIONS' })], ['UPDATE', 'OPTIONS']);
    assert.equal(routeRequest(request({ command: 'lock' })), null);
    assert.deepEqual(routeRequest(request({ command: 'probe', dialog: 2 })), { input: 'probe', dialog: 2 });
  });

  it('MSG-7 every other request is an operation, without the name of its conference', () => {
    const inputs = ['join', 'terminate', 'roster', 'status', 'lock'].map((command) =>
      operationRequest(request({ command, conference: CONFERENCE }), 'a'),
    );
    assert.deepEqual(
      inputs.map((input) => 'input' in input && input.input),
      ['join', 'terminate', 'query', 'query', 'operation'],
    );
    assert.doesNotMatch(JSON.stringify(inputs), /sip:/);
    assert.deepEqual(mcuRequest(request({ command: 'mute', conference: CONFERENCE, participant: 'p' }), 'a'), {
      input: 'operation',
      operation: 'mute',
      operationId: 'a',
      arguments: { participant: 'p' },
    });
  });
});

describe('what a request and a fact must have', () => {
  const cases: [kind: ArgumentKind, right: unknown[], wrong: unknown[]][] = [
    ['string', ['', 'x'], [7, {}]],
    ['uri', ['sip:ada@example.com'], ['', ' ', 7]],
    ['boolean', [true, false], ['yes', 0]],
    ['duration', [0, 1.5, 86_400_000], [-1, Number.NaN, Number.POSITIVE_INFINITY, 1e15, '5']],
    ['integer', [0, 7], [1.5, -1, 2 ** 60, '1']],
    ['uris', [['a', 'b']], [[], ['a', ''], 'a']],
    ['strings', [[], ['a']], [[1], 'a']],
    ['list', [[], [{}]], [{}, 'a']],
    ['error', [{ name: 'n', code: 'c', bases: ['b'] }], [{}, 'no', { name: 'n', code: 'c', bases: [7] }]],
    [['one', 'two'], ['one'], ['three', 1]],
  ];

  for (const [kind, right, wrong] of cases) {
    it(`MSG-5 ${String(kind)}: whatever is not, is told what would be right`, () => {
      const complaint = (value: unknown) => complaintIn('x', { value }, { value: { kind, required: true } });
      for (const value of right) assert.equal(complaint(value), null);
      for (const value of wrong) assert.match(complaint(value)?.message ?? '', /^"value" of "x" must be .+\.$/);
      for (const value of [undefined, null]) assert.match(complaint(value)?.message ?? '', /^"x" needs "value": .+\.$/);
      assert.equal(complaintIn('x', {}, { value: { kind } }), null);
    });
  }

  it('MSG-5 a command that does not exist is named as far as a person would read', () => {
    const error = complaintAbout('give-up-timer', { command: 'x'.repeat(1_000) });
    assert.match(error?.message ?? '', /"x{49}…"/);
    assert.ok((error?.message.length ?? 0) < 300);
    assert.equal(complaintAbout('give-up-timer', { command: 7 })?.name, 'ArgumentException');
  });

  it('MSG-5 MSG-7 facts that a node heeds are checked, all others are ignored', () => {
    assert.equal(complaintAboutFact('route-healer', { event: 'roster-changed' }), undefined);
    assert.equal(complaintAboutFact('route-healer', { event: 'toString' }), undefined);
    assert.equal(complaintAboutFact('give-up-timer', { event: 'media-changed', mcu: 'chat', flowing: true }), null);
    assert.equal(
      complaintAboutFact('give-up-timer', { event: 'media-changed', mcu: 'chat' })?.name,
      'ArgumentException',
    );
  });
});
