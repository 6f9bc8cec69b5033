/** What the specs of keeping share: a user directory of their own, files that fail when told to, and small records. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { MachineState } from '../../../nodes/recovery/step';
import { type File, type Files, systemFiles } from '../../../nodes/runtime/keeping/files';
import { journalKeeper } from '../../../nodes/runtime/keeping/journal-keeper';
import type { Keeper, SavedRecord } from '../../../nodes/runtime/keeping/keeper';

/** A user directory that is removed after the test. */
export class UserDirectory {
  readonly path = mkdtempSync(join(tmpdir(), 'keeping-'));
  readonly troubles: (string | null)[] = [];
  readonly logs: string[] = [];

  keeper(node = 'node', { sync = false, files = systemFiles as Files } = {}): Keeper {
    const listener = {
      report: (trouble: string | null) => void this.troubles.push(trouble),
      log: (text: string) => void this.logs.push(text),
    };
    return journalKeeper(this.path, node, sync, listener, files);
  }

  /** What a keeper of the node finds. */
  async stored(node = 'node'): Promise<Map<string, SavedRecord>> {
    const keeper = this.keeper(node);
    try {
      return await keeper.load();
    } finally {
      await keeper.close();
    }
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

/** A record of a conference, with any further state. */
export function recordOf(conference: string, seq: number, state: object = {}): SavedRecord {
  return {
    state: { version: 1, conference, seq, dialog: 0, incident: null, ...state } as MachineState,
    name: 'name',
    deadlines: {},
  };
}

/** Resolves when all is stored that was saved before. */
export function saved(keeper: Keeper): Promise<void> {
  return new Promise((resolve) => keeper.whenSaved(resolve));
}

/** The file system, with every call first given to `before`, which may throw, or wait. */
export function watchedFiles(before: (call: string) => unknown): Files {
  const watch = <Value extends object>(target: Value, calls: readonly string[]): Value =>
    new Proxy(target, {
      get(object, property) {
        const value = Reflect.get(object, property);
        if (typeof value !== 'function') return value;
        if (!calls.includes(String(property))) return value.bind(object);
        return async (...parameters: unknown[]) => {
          await before(String(property));
          const result = await value.apply(object, parameters);
          return property === 'open' ? watch(result as File, fileCalls) : result;
        };
      },
    });
  return watch({ ...systemFiles }, ['mkdir', 'open', 'rename', 'rm']);
}

const fileCalls = ['read', 'write', 'datasync', 'sync', 'truncate', 'close'];
