/**
 * Builds `dist/`: the compiled nodes, beside them their dialogs, icons and locales (Node-RED looks for these next to the
 * `.js` of a node only), and the JSON Schema of all messages. Quiet when all is well; otherwise fails with the reason.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createGenerator } from 'ts-json-schema-generator';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));
rmSync('dist', { recursive: true, force: true });

const tsc = spawnSync(process.execPath, ['node_modules/typescript/bin/tsc'], { stdio: 'inherit' });
if (tsc.status !== 0) process.exit(tsc.status ?? 1);

for (const file of readdirSync('nodes').filter((name) => name.endsWith('.html')))
  writeFileSync(`dist/${file}`, withModel(readFileSync(`nodes/${file}`, 'utf8')));
for (const folder of ['icons', 'locales']) cpSync(folder, `dist/${folder}`, { recursive: true });

mkdirSync('dist/schema');
writeFileSync('dist/schema/messages.schema.json', `${JSON.stringify(messagesSchema(), null, 2)}\n`);

/** A dialog, with the files of the model that it names: what says the same in editor and runtime is written once. */
function withModel(html) {
  return html.replace(
    /<script data-model="([^"]+)" data-as="(\w+)"><\/script>/g,
    (_, file, name) => `<script>\n  window.${name} = ${linked(file)};\n</script>`,
  );
}

/** What a compiled file exports, as an expression that holds all files which it needs, each once and after those it needs. */
function linked(file) {
  const files = new Map();
  const add = (path) => {
    if (files.has(path)) return;
    const code = readFileSync(`dist/${path}.js`, 'utf8').replace(/\brequire\("(\.[^"]+)"\)/g, (_, needed) => {
      const other = join(dirname(path), needed);
      add(other);
      return `files[${JSON.stringify(other)}]`;
    });
    if (/\brequire\(/.test(code)) throw new Error(`${path} needs more than files of ours, so no dialog can have it`);
    files.set(path, code);
  };
  add(file);
  const each = [...files].map(
    ([path, code]) => `files[${JSON.stringify(path)}] = (function (exports) {\n${code}\n  return exports;\n  })({});`,
  );
  return `(function (files) {\n  ${each.join('\n  ')}\n  return files[${JSON.stringify(file)}];\n  })({})`;
}

/** The schema of a payload; the definitions `Fact`, `Request` and `RecoveryError` stand for what their names say. */
function messagesSchema() {
  const { $schema, ...schema } = createGenerator({
    path: 'nodes/recovery/messages.ts',
    tsconfig: 'tsconfig.json',
    type: 'Payload',
    // The generator brings a TypeScript of its own, which is older than ours: ours has checked the types above.
    skipTypeCheck: true,
  }).createSchema('Payload');
  for (const [name, definition] of Object.entries(schema.definitions)) definition.title ??= name;
  return { $schema, $id: 'urn:conference-recovery:messages:1', title: 'Messages of conference recovery', ...schema };
}
