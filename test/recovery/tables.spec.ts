/** What nodes take, against the schema that is published for those who send it. */
import assert from 'node:assert/strict';
import { commands, complaintAbout } from '../../nodes/recovery/commands';
import { complaintAboutFact } from '../../nodes/recovery/heeded';
import type { JsonObject, Source } from '../../nodes/recovery/messages';
import { type Definition, definitions, resolved } from '../support/schema';

/** Values that a type lets through, and values that it does not. */
function samplesOf(definition: Definition): { right: unknown[]; wrong: unknown[] } {
  const { type, enum: values, const: only } = resolved(definition);
  const words = values ?? (only === undefined ? [] : [only]);
  if (words.length > 0) return { right: words, wrong: ['nonsense', 7] };
  switch ([type].flat()[0]) {
    case 'boolean':
      return { right: [true, false], wrong: ['yes', 1] };
    case 'number':
      return { right: [0, 7], wrong: ['7', -1] };
    case 'array':
      return { right: [['sip:ada@pool.example']], wrong: ['sip:ada@pool.example', [7]] };
    case 'object':
      return { right: [{}], wrong: [7, 'nonsense'] };
    case 'string':
      return { right: ['sip:ada@pool.example'], wrong: [7, {}] };
    default:
      return { right: [], wrong: [] };
  }
}

/** Types by the word that tells them apart, which is in `command` or in `event`. */
function typesOf(member: 'command' | 'event', word: string): { name: string; definition: Definition }[] {
  return Object.entries(definitions).flatMap(([name, definition]) => {
    const of = definition.properties?.[member];
    return of && (of.const === word || of.enum?.includes(word)) ? [{ name, definition }] : [];
  });
}

describe('what nodes take, and the published schema', () => {
  /** What a request may carry besides, for whoever reads it, and no node looks at. */
  const unread: { [command: string]: string[] } = {
    heal: ['incident'],
    probe: ['incident'],
    'drop-media': ['forMs'],
    'restore-media': ['forMs'],
  };

  for (const node of Object.keys(commands) as Source[]) {
    const isFault = node === 'fault-injector';
    for (const command of Object.keys(commands[node])) {
      const [type] = typesOf('command', command).filter(({ name }) => /Fault|OwnPlacement/.test(name) === isFault);
      // `status` and the like have one type for all nodes.
      const { properties = {}, required = [] } = (type ?? typesOf('command', command)[0])?.definition ?? {};
      const all = Object.entries(properties).filter(
        ([name]) => name !== 'command' && name !== 'conference' && !unread[command]?.includes(name),
      );
      const whole = { command, ...Object.fromEntries(all.map(([name, of]) => [name, samplesOf(of).right[0]])) };
      const told = (change: JsonObject) => complaintAbout(node, { ...whole, ...change })?.name;

      it(`MSG-5 ${node} takes ${command} as published, and nothing else for it`, () => {
        assert.ok(Object.keys(properties).includes('command'), 'is published');
        assert.equal(told({}), undefined);
        for (const [name, of] of all) {
          const { right, wrong } = samplesOf(of);
          for (const value of right) assert.equal(told({ [name]: value }), undefined, `${name}: ${value}`);
          for (const value of wrong) assert.equal(told({ [name]: value }), 'ArgumentException', `${name}: ${value}`);
          assert.equal(told({ [name]: undefined }), required.includes(name) ? 'ArgumentException' : undefined, name);
        }
      });
    }
  }

  /** What each fact must have to be of any use to a node that heeds it. */
  const needs: { [event: string]: string[] } = {
    'state-changed': ['dialog', 'state'],
    'mode-changed': ['dialog', 'mode'],
    'session-status': ['dialog', 'state'],
    signal: ['dialog', 'signal', 'seq', 'at'],
    'failover-detected': ['dialog', 'level', 'phase', 'evidence'],
    'route-status-changed': ['dialog', 'status', 'attempts'],
    'healing-abandoned': ['dialog', 'reason'],
    'heal-attempted': ['dialog', 'attempt', 'outcome'],
    'media-changed': ['mcu', 'flowing'],
    'call-state-changed': ['mcu', 'state'],
    'roster-changed': ['left', 'total'],
    'operation-failed': ['operation', 'error'],
    'operation-completed': ['operation'],
  };
  const session = ['state-changed', 'mode-changed', 'session-status'];
  const heededBy: { [node in Source]: string[] } = {
    'conference-session': [
      'failover-detected',
      'route-status-changed',
      'healing-abandoned',
      'session-status',
      'operation-completed',
    ],
    'mcu-session': ['failover-detected'],
    'failover-detector': [...session, 'signal'],
    'route-healer': [...session, 'signal', 'failover-detected'],
    'give-up-timer': [
      ...session,
      'heal-attempted',
      'media-changed',
      'call-state-changed',
      'roster-changed',
      'operation-failed',
    ],
    'fault-injector': [],
  };

  for (const node of Object.keys(heededBy) as Source[]) {
    for (const event of heededBy[node]) {
      it(`MSG-5 ${node} takes ${event} as published, and misses what it cannot do without`, () => {
        const types = typesOf('event', event);
        assert.ok(types.length > 0);
        for (const { definition } of types) {
          const properties = { dialog: { type: 'number' }, ...definition.properties };
          const all = Object.entries(properties);
          const error = { name: 'ArgumentException', code: 'Argument', bases: [] };
          const whole = Object.fromEntries(all.map(([name, of]) => [name, samplesOf(of).right[0]]));
          const lists = { evidence: [], left: [], joined: [], changed: [] };
          const told = (change: JsonObject) =>
            complaintAboutFact(node, { ...whole, error, ...lists, ...change, event });
          assert.equal(told({}), null);
          for (const [name, of] of all) {
            if (name === 'event') continue;
            for (const value of samplesOf(of).right)
              if (!(name in lists) && name !== 'error') assert.equal(told({ [name]: value }), null);
          }
          for (const name of needs[event] ?? []) {
            assert.equal(told({ [name]: undefined })?.name, 'ArgumentException', name);
            assert.equal(told({ [name]: true === whole[name] ? 7 : true })?.name, 'ArgumentException', name);
          }
          for (const [name, of] of all) {
            const { enum: words } = resolved(of);
            if (words && ['state', 'mode', 'level', 'phase', 'recoveryMode'].includes(name))
              assert.equal(told({ [name]: 'nonsense' })?.name, 'ArgumentException', name);
          }
        }
      });
    }
  }
});
