import assert from 'node:assert/strict';
import { type ArgumentKind, complaintIn } from '../../nodes/recovery/commands';
import { complaintAboutFact, heeded } from '../../nodes/recovery/heeded';
import type { JsonObject, Source } from '../../nodes/recovery/messages';

const nodes = Object.keys(heeded) as Source[];

/** Something of each kind, something that is not, and what is said of that. */
const kinds: { readonly [kind in Extract<ArgumentKind, string>]: readonly [unknown, readonly unknown[], RegExp] } = {
  uri: ['sip:ada@pool.example', ['', ' ', 7], /a URI such as/],
  string: ['anything', [7, {}, ['x']], /a string$/],
  boolean: [false, ['yes', 0], /true or false/],
  duration: [0, [-1, '5s', Number.NaN, 1e15], /milliseconds, zero or more/],
  integer: [0, [-1, 1.5, '1', 2 ** 53], /a whole number, zero or more/],
  uris: [['sip:ada@pool.example'], [[], [''], 'sip:ada@pool.example'], /a list of at least one URI/],
  strings: [[], ['x', [7]], /a list of strings/],
  list: [[], ['x', {}], /a list$/],
  object: [{}, ['x', 7, []], /an object$/],
  error: [
    { name: 'ArgumentException', code: 'Argument', bases: [] },
    ['x', 7, {}, { name: 'X', code: 'X', bases: 'X' }, { name: 'X', code: 7, bases: [] }, { code: 'X', bases: [] }],
    /an error with name, code and bases/,
  ],
};

const sampleOf = (kind: ArgumentKind) =>
  typeof kind === 'string' ? kinds[kind] : ([kind[0], ['nonsense', 7], /one of "/] as const);

describe('facts that a node heeds', () => {
  for (const node of nodes) {
    for (const [event, rule] of Object.entries(heeded[node])) {
      const all = Object.entries(rule);
      const whole = {
        event,
        ...Object.fromEntries(all.map(([key, { kind }]) => [key, sampleOf(kind)[0]])),
      };
      const told = (change: JsonObject) => complaintAboutFact(node, { ...whole, ...change });

      it(`MSG-5 ${node} is told what is wrong with a malformed ${event}`, () => {
        assert.equal(told({}), null);
        assert.equal(told({ 'something-else': 7 }), null, 'more than it needs does no harm');
        for (const [key, { kind, required }] of all) {
          const [, wrong, said] = sampleOf(kind);
          for (const absent of [undefined, null]) {
            const error = told({ [key]: absent });
            assert.equal(error?.name, required && 'ArgumentException');
            if (required) assert.match(error?.message ?? '', new RegExp(`^"${event}" needs "${key}": `));
          }
          for (const value of wrong) {
            const error = told({ [key]: value });
            assert.equal(error?.name, 'ArgumentException', `${key}: ${JSON.stringify(value)}`);
            assert.match(error?.message ?? '', new RegExp(`^"${key}" of "${event}" must be `));
            assert.match(error?.message.replace(/\.$/, '') ?? '', said);
          }
        }
      });
    }

    it(`MSG-7 ${node} ignores what it does not heed, however malformed`, () => {
      for (const event of ['batch-done', 'text-received', 'constructor', '__proto__', '']) {
        assert.equal(complaintAboutFact(node, { event }), undefined);
      }
      const elsewhere = nodes.flatMap((other) => Object.keys(heeded[other]));
      for (const event of elsewhere) {
        if (!Object.hasOwn(heeded[node], event)) assert.equal(complaintAboutFact(node, { event }), undefined);
      }
    });
  }

  it('MSG-7 the fault injector heeds none', () => {
    assert.deepEqual(heeded['fault-injector'], {});
  });
});

describe('arguments of every kind', () => {
  for (const kind of Object.keys(kinds) as (keyof typeof kinds)[]) {
    it(`MSG-5 ${kind}: what is right is taken, and what is wrong is told what would be right`, () => {
      const [right, wrong, said] = kinds[kind];
      assert.equal(complaintIn('x', { key: right }, { key: { kind } }), null);
      for (const value of wrong) {
        assert.match(complaintIn('x', { key: value }, { key: { kind } })?.message.replace(/\.$/, '') ?? '', said);
      }
    });
  }

  it('MSG-5 an error that is none is told so', () => {
    const rule = { error: { kind: 'error', required: true } } as const;
    assert.match(complaintIn('x', {}, rule)?.message ?? '', /needs "error": an error with name, code and bases/);
  });
});
