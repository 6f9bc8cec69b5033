import assert from 'node:assert/strict';
import { type ArgumentKind, complaintAbout, complaintIn } from '../../nodes/recovery/commands';
import { complaintAboutFact } from '../../nodes/recovery/heeded';

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
    ['object', [{}], [[], 'a', 7]],
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
