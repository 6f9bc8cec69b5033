/**
 * Saved states: how one of an older version becomes one of today's, version by version, and whether it is one at all. What
 * a newer version has written is not touched: whoever has it keeps it.
 */
import type { JsonObject, Source } from './messages';
import { machineState } from './saved-states';
import type { MachineState } from './step';

/** One step: a state of some version, as the next version would have written it. */
type Migration = (state: JsonObject) => JsonObject;

/** By machine, from version 1 on: the first leads to version 2, and so on. The version of today is one more than there are. */
const migrations: { readonly [machine in Source]?: readonly Migration[] } = {
  'conference-session': [
    // Ownership came, and with it the first name for who holds a conference; the first version had not always the other two.
    (state) => ({
      resyncs: 0,
      behind: false,
      ...state,
      owner: '',
      epoch: Number(state.dialog) > 0 ? 1 : 0,
      stoodDown: false,
    }),
  ],
};

/** The version that a machine writes today. */
export function versionOf(machine: Source): number {
  return 1 + (migrations[machine]?.length ?? 0);
}

/** A state of today's version, or why there is none: it is of a `newer` version, or it is no state at all. */
export type Migrated = { state: MachineState } | { newer: number } | { unusable: string };

/** Reads a saved state of any version. Never throws; what it gives is a copy, read by shape. */
export function migrate(machine: Source, saved: unknown): Migrated {
  const { version } = (saved ?? {}) as { version?: unknown };
  if (!Number.isSafeInteger(version) || (version as number) < 1) {
    return { unusable: '"state.version" must be a whole number, one or more.' };
  }
  if ((version as number) > versionOf(machine)) return { newer: version as number };
  try {
    let state = saved as JsonObject;
    for (const step of (migrations[machine] ?? []).slice((version as number) - 1)) state = step(state);
    return { state: machineState(machine, { ...state, version: versionOf(machine) }) };
  } catch (error) {
    return { unusable: (error as Error).message };
  }
}
