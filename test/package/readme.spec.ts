/** What README and docs name is there, and what there is, they name. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { failures } from '../../nodes/recovery/errors';
import { packageRoot } from '../support/node-red-process';
import { definitions } from '../support/schema';

const read = (file: string): string => readFileSync(join(packageRoot, file), 'utf8');
const readme = read('README.md');
const pages = ['README.md', ...readdirSync(join(packageRoot, 'docs')).map((name) => `docs/${name}`)].filter((name) =>
  name.endsWith('.md'),
);

/** The part of README under a heading. */
function section(heading: string): string {
  const part = readme.split(`\n## ${heading}\n`)[1]?.split('\n## ')[0];
  assert.ok(part, `README has "${heading}"`);
  return part;
}

/** What stands in backticks in the first column of a table. */
function firstColumn(part: string): string[] {
  const cells = part.split('\n').filter((line) => line.startsWith('|'));
  return cells.flatMap((line) => [...(line.split('|')[1] ?? '').matchAll(/`([^`]+)`/g)].map(([, name = '']) => name));
}

describe('README and docs', () => {
  for (const page of pages) {
    it(`every link of ${page} leads somewhere`, () => {
      for (const [, target = ''] of read(page).matchAll(/\]\(([^)\s]+)\)/g)) {
        const [path = '', anchor] = target.split('#');
        if (/^https?:/.test(target)) continue;
        const file = path === '' ? page : join(dirname(page), path);
        assert.ok(existsSync(join(packageRoot, file)), `${target} in ${page}`);
        if (!anchor) continue;
        const headings = [...read(file).matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
          heading
            .toLowerCase()
            .replace(/[^\w\- ]/g, '')
            .replaceAll(' ', '-'),
        );
        assert.ok(headings.includes(anchor), `#${anchor} in ${file}`);
      }
    });
  }

  it('examples: all that there are, and no other', () => {
    const there = readdirSync(join(packageRoot, 'examples')).map((file) => file.replace('.json', ''));
    assert.deepEqual(firstColumn(section('Examples')).sort(), there.sort());
  });

  it('messages: every event', () => {
    const events = Object.values(definitions).flatMap(({ properties }) => {
      const { const: one, enum: several = [] } = properties?.event ?? {};
      return one === undefined ? several : [one];
    });
    const named = firstColumn(section('Messages'));
    assert.ok(events.length > 15);
    for (const event of events) assert.ok(named.includes(event), event);
  });

  it('errors: every code, with what to do about it', () => {
    const named = firstColumn(section('Errors'));
    for (const [failure, { name }] of Object.entries(failures)) {
      // A reason is its own code, any other failure has that of its class.
      const code = /^[A-Z]/.test(failure) ? failure : name.replace('Exception', '');
      if (code === 'None' || code === 'ConferenceFailure') continue;
      assert.ok(named.includes(code === 'FailureResponse' ? 'SIP-<status>' : code), code);
    }
  });

  it('commands of npm that are named exist', () => {
    const { scripts } = JSON.parse(read('package.json')) as { scripts: { [name: string]: string } };
    for (const page of pages) {
      for (const [, name = ''] of read(page).matchAll(/npm run (?:--silent )?([\w:]+)/g)) {
        assert.ok(Object.hasOwn(scripts, name), `npm run ${name} in ${page}`);
      }
    }
  });
});
