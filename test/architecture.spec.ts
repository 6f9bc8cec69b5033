import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';

const root = resolve(__dirname, '../nodes');

function sources(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return sources(path);
    return entry.name.endsWith('.ts') ? [path] : [];
  });
}

/** The room a file is in: `recovery`, `flow-rules`, `runtime`, `timeline`, `signaling`, `signaling/pool`, `signaling/sip`, `signaling/sip/server`, or `nodes`. */
function roomOf(path: string): string {
  return relative(root, dirname(path)).split(sep).join('/') || 'nodes';
}

function importsOf(file: string): string[] {
  return [...readFileSync(file, 'utf8').matchAll(/(?:from|import|require)\s*\(?\s*'([^']+)'/g)].map(
    (match) => match[1] as string,
  );
}

/** Which room may know which, or which file of another. */
const allowed: { [room: string]: string[] } = {
  recovery: ['recovery'],
  'flow-rules': ['recovery', 'flow-rules', 'runtime/settings'],
  signaling: ['recovery', 'signaling', 'signaling/pool'],
  'signaling/pool': ['recovery', 'signaling', 'signaling/pool'],
  'signaling/sip': ['recovery', 'signaling', 'signaling/sip', 'signaling/sip/flow'],
  'signaling/sip/flow': ['signaling', 'signaling/sip/flow'],
  'signaling/sip/server': ['recovery', 'signaling', 'signaling/sip', 'signaling/sip/flow', 'signaling/sip/server'],
  timeline: ['recovery', 'timeline'],
  runtime: ['recovery', 'runtime', 'runtime/keeping', 'timeline'],
  'runtime/keeping': ['recovery', 'runtime/keeping'],
  nodes: [
    'recovery',
    'flow-rules',
    'signaling',
    'signaling/pool',
    'signaling/sip',
    'signaling/sip/flow',
    'signaling/sip/server',
    'runtime',
    'runtime/keeping',
    'timeline',
  ],
};

/** Rooms that are functions of what they are given. */
const pure = ['recovery', 'flow-rules'];

describe('architecture', () => {
  for (const file of sources(root)) {
    it(`${relative(root, file)} knows only whom it may know`, () => {
      const room = roomOf(file);
      for (const imported of importsOf(file)) {
        if (imported.startsWith('.')) {
          const path = resolve(dirname(file), imported);
          const known = [roomOf(path), relative(root, path).split(sep).join('/')];
          assert.ok(
            known.some((other) => allowed[room]?.includes(other)),
            `${room} must not know ${imported}`,
          );
        } else {
          assert.ok(!pure.includes(room), `${room} imports nothing from outside: ${imported}`);
          assert.ok(imported !== 'sip.js' || room === 'signaling/sip', 'only signaling/sip knows the SIP library');
          if (!imported.startsWith('node:') && imported !== 'node-red') {
            assert.ok(['signaling/sip', 'signaling/sip/flow'].includes(room), `${room} must not need ${imported}`);
          }
        }
      }
    });
  }

  it('model and rules read no clock and draw no random number', () => {
    for (const file of pure.flatMap((room) => sources(join(root, room)))) {
      const code = readFileSync(file, 'utf8');
      assert.doesNotMatch(code, /Date\.now|Math\.random|setTimeout|setInterval|process\./, relative(root, file));
    }
  });
});
