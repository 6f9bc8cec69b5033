/** The help texts against the table of commands and the types of messages: nothing is left out, nothing is made up. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { commands } from '../../nodes/recovery/commands';
import { packageRoot } from '../support/node-red-process';

/** Words of the help that are set as code, or stand as a term in a list. */
function termsOf(html: string): Set<string> {
  const terms = [...html.matchAll(/<(?:code|dt)[^>]*>([^<]+)/g)].flatMap(([, text]) => (text ?? '').split(','));
  return new Set(terms.map((term) => term.trim()));
}

const messages = readFileSync(join(packageRoot, 'nodes/recovery/messages.ts'), 'utf8');
const events = new Set(
  [...messages.matchAll(/^ {2}event: (.+);$/gm)].flatMap(([, names]) => (names ?? '').match(/[\w-]+/g) ?? []),
);

describe('help', () => {
  const allTerms = new Set<string>();

  for (const [type, known] of Object.entries(commands)) {
    const html = readFileSync(join(packageRoot, `locales/en-US/${type}.html`), 'utf8');
    const terms = termsOf(html);
    for (const term of terms) allTerms.add(term);

    it(`of ${type} names every command, and every argument`, () => {
      for (const [command, rule] of Object.entries(known)) {
        for (const word of [command, ...Object.keys(rule)]) assert.ok(terms.has(word), `${word} (of ${command})`);
      }
    });

    it(`of ${type} names no command or event that does not exist`, () => {
      const everyCommand = new Set(Object.values(commands).flatMap((others) => Object.keys(others)));
      for (const [, names, kind] of html.matchAll(/<dt[^>]*>([^<]+?) <span class="property-type">(command|event)</g)) {
        for (const name of (names ?? '').split(', ')) {
          assert.ok((kind === 'event' ? events : everyCommand).has(name), `${kind} ${name}`);
        }
      }
    });
  }

  it('of every node that keeps state says how it tells that it could not', () => {
    const keeping = Object.keys(commands).filter((type) =>
      readFileSync(join(packageRoot, `nodes/${type}.html`), 'utf8').includes('keepState'),
    );
    assert.equal(keeping.length, 5);
    for (const type of keeping) {
      const terms = termsOf(readFileSync(join(packageRoot, `locales/en-US/${type}.html`), 'utf8'));
      for (const word of ['operation-failed', 'keep-state', 'StateNotKept'])
        assert.ok(terms.has(word), `${word}: ${type}`);
    }
  });

  it('names every event somewhere', () => {
    assert.ok(events.size > 20);
    for (const event of events) assert.ok(allTerms.has(event), event);
  });
});
