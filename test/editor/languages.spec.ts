/** The languages of the pack among each other: what one has the others have, and nothing is left in English. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../support/node-red-process';
import { helpOf, languages, textsOf, translator } from '../support/words';

/** Texts that other languages share with English: words of UCMA, SIP and Node-RED, abbreviations, examples. */
const wordsOfTheField: { readonly [language: string]: readonly string[] } = {
  de: [
    'conference session',
    'MCU session',
    'failover detector',
    'route healer',
    'give up timer',
    'fault injector',
    'MCU __mcu__',
    'MCU',
    '__all__ Active',
    '__all__ Healthy',
    'TCP',
    'TLS',
    'UDP',
    'WebSocket',
    'UPDATE',
    're-INVITE',
    'OPTIONS',
    'sip:meeting@pool.example',
    // The same word in German.
    'System',
    'Server',
    'Port',
    'Transport',
    'Lobby',
    'Alias',
    'Heartbeat',
    'Route',
    'Jitter',
    'Back-off',
    '__number__ s',
    '__number__ min',
    '__number__ h',
  ],
  ja: [
    'conference session',
    'MCU session',
    'failover detector',
    'route healer',
    'give up timer',
    'fault injector',
    'MCU __mcu__',
    'MCU',
    'TCP',
    'TLS',
    'UDP',
    'WebSocket',
    'UPDATE',
    're-INVITE',
    'OPTIONS',
    'sip:meeting@pool.example',
  ],
};

const [english = '', ...others] = languages;
const englishTexts = textsOf(english);

function figuresIn(text: string): string[] {
  return (text.match(/__\w+?__/g) ?? []).sort();
}

/** The order of paragraphs, lists and headings. */
function outlineOf(html: string): string[] {
  return [...html.matchAll(/<(\/?(?:h3|h4|p|dl|dt|dd|ol|ul|li|pre|script))\b/g)].map(([, tag]) => tag ?? '');
}

/** What is between some tags, in one line each; of an output its name only. */
function between(html: string, tag: string): string[] {
  const parts = html.matchAll(new RegExp(`<${tag}\\b[^>]*>([\\s\\S]*?)(?:</${tag}>|<dl\\b)`, 'g'));
  return [...parts].map(([, text]) => (text ?? '').replace(/\s+/g, ' ').trim());
}

function linksIn(html: string): string[] {
  return [...html.matchAll(/href="([^"]+)"/g)].map(([, link]) => link ?? '');
}

for (const language of others) {
  describe(`language ${language}`, () => {
    const texts = textsOf(language);

    it('has the texts that English has, and no others', () => {
      assert.deepEqual([...texts.keys()].sort(), [...englishTexts.keys()].sort());
    });

    it('has the same figures in each', () => {
      for (const [path, text] of texts) {
        assert.deepEqual(figuresIn(text), figuresIn(englishTexts.get(path) ?? ''), path);
      }
    });

    it('leaves nothing in English but words of the field, all of which are used', () => {
      const shared = new Set<string>();
      for (const [path, text] of texts) {
        assert.notEqual(text.trim(), '', path);
        if (text !== englishTexts.get(path)) continue;
        assert.ok(wordsOfTheField[language]?.includes(text), `${path} is still "${text}"`);
        shared.add(text);
      }
      assert.deepEqual(
        wordsOfTheField[language]?.filter((word) => !shared.has(word) && texts.size > 0),
        [],
      );
    });

    for (const [type, englishHelp] of helpOf(english)) {
      it(`says the same about ${type}`, () => {
        const help = helpOf(language).get(type) ?? '';
        assert.deepEqual(outlineOf(help), outlineOf(englishHelp));
        for (const tag of ['code', 'pre'])
          assert.deepEqual(between(help, tag).sort(), between(englishHelp, tag).sort());
        assert.deepEqual(linksIn(help), linksIn(englishHelp));
        const paragraphs = new Set(between(englishHelp, 'p'));
        for (const paragraph of between(help, 'p'))
          assert.ok(!paragraphs.has(paragraph), `still English: ${paragraph}`);
      });

      it(`calls the fields of ${type} as its dialog does`, () => {
        const help = helpOf(language).get(type) ?? '';
        const paths = [...englishTexts.keys()].filter(
          (path) => path.startsWith(`${type}.`) || path.startsWith('conference-endpoint.shared.'),
        );
        for (const tag of ['dt', 'li', 'i']) {
          const named = between(help, tag).flatMap((names) => names.split(', '));
          for (const name of between(englishHelp, tag).flatMap((names) => names.split(', '))) {
            const isOutput = tag === 'li';
            const label = paths.find(
              (path) => englishTexts.get(path) === name && path.includes('.output.') === isOutput,
            );
            if (label) assert.ok(named.includes(texts.get(label) ?? ''), `${label}: ${texts.get(label)}`);
          }
        }
      });
    }
  });
}

describe('dialogs', () => {
  for (const [type] of helpOf(english)) {
    it(`of ${type} name no text that there is not`, () => {
      const html = readFileSync(join(packageRoot, `nodes/${type}.html`), 'utf8');
      const keys = [...html.matchAll(/data-i18n="([^"]+)"/g)].flatMap(([, named]) => (named ?? '').split(';'));
      assert.ok(keys.length > 4);
      for (const key of keys) {
        const path = key.replace(/^\[[^\]]+\]/, '');
        // A text of Node-RED's own.
        if (!path.startsWith('node-red:')) assert.ok(englishTexts.has(path.replace(/^.*:/, '')), key);
      }
    });
  }
});

describe('statuses in every language', () => {
  const source = readFileSync(join(packageRoot, 'nodes/runtime/status.ts'), 'utf8');
  const [union = ''] = /export type StatusKey =([^;]+);/.exec(source) ?? [];
  const [times = ''] = /export type TimeKey =([^;]+);/.exec(source) ?? [];
  const [units = ''] = /type Unit =([^;]+);/.exec(source) ?? [];
  const keys = [...`${union}${times}${units}`.matchAll(/'(\w+)'/g)].map(([, key]) => key ?? '');

  it('are those that nodes show, no more and no less', () => {
    const group = 'conference-endpoint.shared.status.';
    const texts = [...englishTexts.keys()].filter((path) => path.startsWith(group) && !path.endsWith('_plural'));
    assert.deepEqual(texts.map((path) => path.slice(group.length)).sort(), keys.sort());
  });

  for (const language of languages) {
    it(`fit under a node, and need no cutting where states are longest (${language})`, () => {
      const say = translator(language);
      const words = (key: string, figures = {}): string => say(`conference-endpoint.shared.status.${key}`, figures);
      const many = {
        busy: 99_999,
        all: 100_000,
        count: 100_000,
        number: 9_999,
        attempt: 99,
        path: 'criteria',
        rule: 99,
      };
      for (const key of keys) {
        const text = words(key, { ...many, state: 'Establishing', mcu: 'audio-video', time: '120 min' });
        assert.ok(text.length < 40, text);
      }
      const left = words('left', { time: words('seconds', { number: 119 }) });
      for (const text of [
        `Reconnecting · ${words('attempt', { attempt: 99 })} · ${left}`,
        `Recovering · ${words('attempt', { attempt: 99 })} · ${words('next', { time: words('seconds', { number: 99 }) })}`,
        `Disconnecting · ${words('for', { time: words('minutes', { number: 120 }) })}`,
      ])
        assert.ok(text.length < 40, text);
    });
  }
});
