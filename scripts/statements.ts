/** The statements of `docs/conformance.md`, and which of them a title names. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const [, decisionsText = '', documentsText = '', nodesText = ''] = readFileSync(
  join(__dirname, '../docs/conformance.md'),
  'utf8',
).split(/^## \d\. /m);

/** Section 1: the points on which the documents are silent, by id. Tests may name them and need not. */
export const decisions = wordsById(decisionsText, /^\| (O\d+) \| (.*?) \|/gm);

/** Sections 2 and 3, by id. */
export const statements = wordsById(documentsText + nodesText, /^- ([A-Z]+-\d+) (.*)$/gm);

const kinds = new Set([...statements.keys()].map((id) => id.split('-', 1)[0]));

/** The ids in the title of a test, each once; also such as no statement has. */
export function idsIn(title: string): string[] {
  const named = [...title.matchAll(/\b(?:([A-Z]+)-\d+|O\d+)\b/g)];
  return [...new Set(named.filter(([, kind]) => kind === undefined || kinds.has(kind)).map(([id]) => id))];
}

function wordsById(text: string, pattern: RegExp): ReadonlyMap<string, string> {
  return new Map([...text.matchAll(pattern)].map(([, id = '', words = '']) => [id, words]));
}
