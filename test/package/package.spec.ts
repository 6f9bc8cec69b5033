/**
 * The package that would be published: the rules of Node-RED's package check (`node-red-dev validate`) as far as they need
 * no registry, and what is in the tarball.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { packed } from '../support/node-red-process';
import { languages } from '../support/words';

interface Manifest {
  name: string;
  license?: string;
  repository?: { url?: string };
  bugs?: { url?: string };
  keywords?: string[];
  engines?: { node?: string };
  dependencies?: { [name: string]: string };
  exports: { [path: string]: string | { [condition: string]: string } };
  'node-red': { version: string; nodes: { [type: string]: string } };
}

/** The registration of one node type, as a dialog file has it. */
interface Registration {
  type: string;
  category: string;
  icon: string | undefined;
}

// Semantic versions as Node-RED itself reads them.
const semver = createRequire(require.resolve('node-red'))('semver') as {
  satisfies(version: string, range: string): boolean;
};

function registrationsOf(html: string): Registration[] {
  return [...html.matchAll(/registerType\('([^']+)', \{\s*category: '([^']+)',([\s\S]*?)\n {2}\}\);/g)].map(
    ([, type = '', category = '', rest = '']) => ({ type, category, icon: /\bicon: '([^']+)'/.exec(rest)?.[1] }),
  );
}

describe('package', function () {
  this.timeout(60_000);
  let folder: string;
  /** Files of the tarball, without the `package/` before them. */
  let files: string[];
  let manifest: Manifest;
  let readme: string;

  const textOf = (file: string): string => readFileSync(join(folder, 'package', file), 'utf8');
  const nodes = (): [type: string, file: string][] => Object.entries(manifest['node-red'].nodes);
  const registrations = (): Registration[] =>
    nodes().flatMap(([, file]) => registrationsOf(textOf(file.replace(/\.js$/, '.html'))));

  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'conference-recovery-'));
    execFileSync('tar', ['--extract', '--gzip', '--file', packed(), '--directory', folder]);
    files = readdirSync(join(folder, 'package'), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(join(folder, 'package/').length));
    manifest = JSON.parse(textOf('package.json')) as Manifest;
    readme = files.includes('README.md') ? textOf('README.md') : '';
  });

  after(() => {
    if (folder) rmSync(folder, { recursive: true, force: true });
  });

  describe('rules of the package check', () => {
    it('P01: a licence', () => {
      assert.equal(manifest.license, 'Apache-2.0');
      assert.match(textOf('LICENSE'), /Apache License\s+Version 2\.0/);
    });

    it('P03: a repository and a place for complaints', () => {
      assert.match(manifest.repository?.url ?? '', /^git\+https:/);
      assert.match(manifest.bugs?.url ?? '', /^https:/);
    });

    it('P04: a scoped name', () => {
      assert.match(manifest.name, /^@[a-z\d][\w-.]+\/[a-z\d][\w-.]*$/);
    });

    it('P05: the keyword node-red', () => {
      assert.ok(manifest.keywords?.includes('node-red'));
    });

    it('P06: takes Node-RED 4.1 and 5.0, and nothing older', () => {
      const { version } = manifest['node-red'];
      for (const supported of ['4.1.0', '4.1.15', '5.0.7']) assert.ok(semver.satisfies(supported, version), supported);
      assert.ok(!semver.satisfies('4.0.9', version));
    });

    it('P07: takes the oldest Node that Node-RED takes, and the one that we test on', () => {
      const range = manifest.engines?.node ?? '';
      for (const supported of ['20.19.0', '22.9.0', '24.0.0', process.versions.node]) {
        assert.ok(semver.satisfies(supported, range), `${supported} in ${range}`);
      }
    });

    it('N01: one dialog per type, under the name of the type, and no name twice', () => {
      const types = registrations().map(({ type }) => type);
      assert.deepEqual(types, [...new Set(types)]);
      assert.deepEqual(
        types,
        nodes().map(([type]) => type),
      );
      for (const [type, file] of nodes()) {
        assert.match(textOf(file), new RegExp(`registerType\\('${type}'|type: '${type}'`));
        const html = textOf(file.replace(/\.js$/, '.html'));
        assert.ok(html.includes(`data-template-name="${type}"`), `${type} has a template`);
      }
    });

    it('N02: every node in an example', () => {
      const used = new Set<string>();
      for (const file of files.filter((name) => /^examples\/.*\.json$/.test(name))) {
        const flow = JSON.parse(textOf(file)) as { type: string }[];
        assert.ok(Array.isArray(flow), `${file} is a list of nodes`);
        for (const { type } of flow) used.add(type);
      }
      const shown = registrations().filter(({ category }) => category !== 'config');
      assert.ok(shown.length > 0);
      for (const { type } of shown) assert.ok(used.has(type), `${type} is in an example`);
    });

    it('D01: six dependencies at most', () => {
      assert.ok(Object.keys(manifest.dependencies ?? {}).length <= 6);
    });

    it('the README names the package, every node, what it needs, and the licence', () => {
      assert.ok(readme.includes(manifest.name));
      for (const { type } of registrations()) assert.ok(readme.includes(type), type);
      for (const need of [manifest['node-red'].version, manifest.engines?.node ?? '']) {
        const version = need.replace(/^>=/, '').replace(/\.0$/, '');
        assert.ok(readme.includes(version), `${version} is mentioned`);
      }
      assert.match(readme, /Apache License 2\.0/);
    });
  });

  describe('tarball', () => {
    it('holds the built nodes, examples, README and LICENSE, and nothing else', () => {
      for (const file of ['package.json', 'README.md', 'LICENSE', 'examples/canonical.json']) {
        assert.ok(files.includes(file), file);
      }
      const others = files.filter(
        (file) => !/^(package\.json|README\.md|LICENSE|CHANGELOG\.md)$|^(dist|examples)\//.test(file),
      );
      assert.deepEqual(others, []);
    });

    it('holds no sources, tests or leftovers', () => {
      const leftovers = files.filter(
        (file) =>
          (/\.(ts|tsbuildinfo|log|tgz)$/.test(file) && !/\.d\.ts$/.test(file)) || /\.spec\.|(^|\/)test\//.test(file),
      );
      assert.deepEqual(leftovers, []);
    });

    it('holds every file that package.json names', () => {
      const named = [
        ...nodes().map(([, file]) => file),
        ...Object.values(manifest.exports).flatMap((target) =>
          typeof target === 'string' ? [target] : Object.values(target),
        ),
      ];
      for (const file of named) assert.ok(files.includes(file.replace(/^\.\//, '')), file);
    });

    it('holds dialog, help, texts and icon of every node, where Node-RED looks for them', () => {
      for (const [type, file] of nodes()) {
        const beside = file.slice(0, file.lastIndexOf('/'));
        const texts = languages.flatMap((language) =>
          ['json', 'html'].map((ending) => `${beside}/locales/${language}/${type}.${ending}`),
        );
        for (const needed of [`${beside}/${type}.html`, ...texts]) {
          assert.ok(files.includes(needed), needed);
        }
      }
      for (const { type, category, icon } of registrations()) {
        if (category === 'config') continue;
        assert.ok(icon, `${type} has an icon`);
        assert.ok(files.includes(`dist/icons/${icon}`), icon);
      }
    });

    it('needs nothing at run time that it does not name', () => {
      const wanted = new Set<string>();
      for (const file of files.filter((name) => /^dist\/.*\.js$/.test(name))) {
        for (const [, name = ''] of textOf(file).matchAll(/require\("([^"]+)"\)/g)) {
          if (!name.startsWith('.') && !name.startsWith('node:')) wanted.add(name);
        }
      }
      for (const name of wanted) {
        const module = name.startsWith('@') ? name.split('/').slice(0, 2).join('/') : name.split('/')[0];
        assert.ok(module && manifest.dependencies?.[module], `${name} is a dependency`);
      }
    });
  });
});
