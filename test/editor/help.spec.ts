/** The help texts of each language against the table of commands and the schema of messages: nothing is left out or made up. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { commands } from '../../nodes/recovery/commands';
import { packageRoot } from '../support/node-red-process';
import { helpOf, languages } from '../support/words';

/** What of a JSON Schema is read here. */
interface Definition {
  enum?: (string | null)[];
  properties?: { [property: string]: { const?: string; enum?: string[] } };
}

const { definitions } = JSON.parse(readFileSync(require.resolve('@conference-recovery/node-red/schema'), 'utf8')) as {
  definitions: { [name: string]: Definition };
};

function valuesOf({ const: only, enum: several }: { const?: string; enum?: string[] } = {}): string[] {
  return only === undefined ? (several ?? []) : [only];
}

const facts = Object.values(definitions).filter(({ properties }) => properties?.event);
const events = new Set(facts.flatMap(({ properties }) => valuesOf(properties?.event)));

/** Words of the help that are set as code, or stand as a term in a list. */
function termsOf(html: string): Set<string> {
  const terms = [...html.matchAll(/<(?:code|dt)[^>]*>([^<]+)/g)].flatMap(([, text]) => (text ?? '').split(','));
  return new Set(terms.map((term) => term.trim()));
}

/** What a help text lists under outputs as facts. */
function eventsTold(html: string): string[] {
  const [, outputs = ''] = /<ol class="node-ports">([\s\S]*?)<\/ol>/.exec(html) ?? [];
  return [...outputs.matchAll(/<dt[^>]*>([^<]+?) <span class="property-type">event/g)].flatMap(([, names]) =>
    (names ?? '').split(', '),
  );
}

for (const language of languages) {
  describe(`help (${language})`, () => {
    const helps = helpOf(language);
    const allTerms = new Set([...helps.values()].flatMap((html) => [...termsOf(html)]));

    for (const [type, known] of Object.entries(commands)) {
      const html = helps.get(type) ?? '';
      const terms = termsOf(html);

      it(`of ${type} names every command, and every argument`, () => {
        for (const [command, rule] of Object.entries(known)) {
          for (const word of [command, ...Object.keys(rule)]) assert.ok(terms.has(word), `${word} (of ${command})`);
        }
      });

      it(`of ${type} names no command or event that does not exist`, () => {
        const everyCommand = new Set(Object.values(commands).flatMap((others) => Object.keys(others)));
        for (const [, names, kind] of html.matchAll(
          /<dt[^>]*>([^<]+?) <span class="property-type">(command|event)</g,
        )) {
          for (const name of (names ?? '').split(', ')) {
            assert.ok((kind === 'event' ? events : everyCommand).has(name), `${kind} ${name}`);
          }
        }
      });

      it(`of ${type} names every property of what leaves it`, () => {
        const told = eventsTold(html);
        assert.ok(told.length > 0);
        for (const { properties = {} } of facts) {
          const { event, source, ...others } = properties;
          const names = valuesOf(event).filter((name) => told.includes(name));
          if (names.length === 0 || (source?.const ?? type) !== type) continue;
          for (const property of ['source', ...Object.keys(others)]) {
            assert.ok(terms.has(property), `${property} of ${names}`);
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
        const terms = termsOf(helps.get(type) ?? '');
        for (const word of ['operation-failed', 'keep-state', 'StateNotKept'])
          assert.ok(terms.has(word), `${word}: ${type}`);
      }
    });

    it('names every event somewhere', () => {
      assert.ok(events.size > 20);
      for (const event of events) assert.ok(allTerms.has(event), event);
    });

    it('of conference-session names every field of an error', () => {
      const terms = termsOf(helps.get('conference-session') ?? '');
      for (const type of ['RecoveryError', 'ResponseData', 'Diagnostics']) {
        const fields = Object.keys(definitions[type]?.properties ?? {});
        assert.ok(fields.length > 2);
        for (const field of fields) assert.ok(terms.has(field), `${field} of ${type}`);
      }
    });

    it('names every property of a participant, and every word that a property is one of', () => {
      for (const type of ['Participant', 'Endpoint', 'Media', 'Evidence']) {
        for (const property of Object.keys(definitions[type]?.properties ?? {})) {
          assert.ok(allTerms.has(property), `${property} of ${type}`);
        }
      }
      for (const [type, definition] of Object.entries(definitions)) {
        // Those are the nodes themselves.
        if (type === 'Source') continue;
        const inline = Object.values(definition.properties ?? {}).flatMap((property) => valuesOf(property));
        for (const word of [...(definition.enum ?? []), ...inline]) {
          if (typeof word === 'string' && !(word in commands)) assert.ok(allTerms.has(word), `${word} of ${type}`);
        }
      }
    });
  });
}
