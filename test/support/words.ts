/** The message catalogues of the pack, as `RED._` reads them. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from './node-red-process';

/** A catalogue: texts, and groups of them. */
export type Catalogue = { readonly [key: string]: string | Catalogue };

/** The catalogues of a language, by the file that they are for. */
export function cataloguesOf(language: string): { readonly [file: string]: Catalogue } {
  const folder = join(packageRoot, 'locales', language);
  const files = readdirSync(folder).filter((name) => name.endsWith('.json'));
  return Object.fromEntries(
    files.map((name) => [name.replace('.json', ''), JSON.parse(readFileSync(join(folder, name), 'utf8')) as Catalogue]),
  );
}

/** `RED._` for nodes that run in a test: a catalogue's text with its figures, of which `count` chooses the plural. */
export function translator(language: string): (key: string, figures?: { [figure: string]: unknown }) => string {
  const catalogues = cataloguesOf(language);
  return (key, figures = {}) => {
    const [, file = '', path = ''] = /^@conference-recovery\/node-red\/([^:]+):(.+)$/.exec(key) ?? [];
    const at = (name: string): unknown =>
      name.split('.').reduce<unknown>((group, part) => (group as Catalogue | undefined)?.[part], catalogues[file]);
    const many = 'count' in figures && figures.count !== 1 ? at(`${path}_plural`) : undefined;
    const text = many ?? at(path);
    if (typeof text !== 'string') throw new Error(`no text ${key} in ${language}`);
    return text.replace(/__(\w+?)__/g, (_, figure) => String(figures[figure]));
  };
}
