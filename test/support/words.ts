/** What the pack says to people, in each language: its message catalogues and help texts. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from './node-red-process';

/** The first is the one that all others are translated from. */
export const languages = ['en-US', 'de', 'ja'];

/** A catalogue: texts, and groups of them. */
type Catalogue = { readonly [key: string]: string | Catalogue };

/** All texts of a language, by their full path: the type of node, and the keys. */
export function textsOf(language: string): ReadonlyMap<string, string> {
  const texts = new Map<string, string>();
  const gather = (group: Catalogue, path: string): void => {
    for (const [key, value] of Object.entries(group)) {
      if (typeof value === 'string') texts.set(path + key, value);
      else gather(value, `${path}${key}.`);
    }
  };
  for (const [file, text] of filesOf(language, '.json')) {
    const catalogue = JSON.parse(text) as Catalogue;
    if (Object.keys(catalogue).join() !== file) throw new Error(`${language}/${file}.json is not of ${file}`);
    gather(catalogue, '');
  }
  return texts;
}

/** The help texts of a language, by type of node. */
export function helpOf(language: string): ReadonlyMap<string, string> {
  return filesOf(language, '.html');
}

function filesOf(language: string, ending: string): Map<string, string> {
  const folder = join(packageRoot, 'locales', language);
  const names = readdirSync(folder).filter((name) => name.endsWith(ending));
  return new Map(names.map((name) => [name.slice(0, -ending.length), readFileSync(join(folder, name), 'utf8')]));
}

/** `RED._` for nodes that run in a test: a text with its figures, of which `count` chooses the plural. */
export function translator(language: string): (key: string, figures?: { [figure: string]: unknown }) => string {
  const texts = textsOf(language);
  return (key, figures = {}) => {
    const path = key.replace(/^@conference-recovery\/node-red\/[^:]+:/, '');
    const many = 'count' in figures && figures.count !== 1 ? texts.get(`${path}_plural`) : undefined;
    const text = many ?? texts.get(path);
    if (text === undefined) throw new Error(`no text ${key} in ${language}`);
    return text.replace(/__(\w+?)__/g, (_, figure) => String(figures[figure]));
  };
}
