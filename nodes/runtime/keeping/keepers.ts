/** The keeper that a dialog chose. */
import type { MachineState } from '../../recovery/step';
import { type Context, ContextKeeper } from './context-keeper';
import { type Files, systemFiles } from './files';
import { journalKeeper } from './journal-keeper';
import type { Keeper, SavedRecord } from './keeper';

/** What a keeper needs to know of its node. */
export interface KeeperOptions {
  /** Id of the node. */
  node: string;
  /** Node-RED's user directory. */
  userDir: string;
  /** The node's context. */
  context: Context;
  /** `contextStorage` of Node-RED's settings. */
  contextStorage: unknown;
  /** Brings stored state to the present version, or says that it is of a newer one. */
  migrate(state: MachineState): { state: MachineState } | { newer: true };
  /** There is trouble with what is stored, in words whose beginning up to a colon says enough; null: it is over. */
  report(trouble: string | null): void;
  /** Something for the log. */
  log(text: string): void;
  files?: Files;
}

/**
 * The keeper for a choice: `none`, `journal`, `journal-fsync` or `context:<name of a store>`. Null when there is none; also
 * when the choice is not possible, which is reported.
 */
export function keeperFor(choice: string, options: KeeperOptions): Keeper | null {
  const { node, userDir, context, contextStorage, report, log, files = systemFiles } = options;
  if (choice === 'none') return null;
  const troubles = new Troubles(report);
  const listener = { log, report: (trouble: string | null) => troubles.ofStore(trouble) };
  if (choice === 'journal' || choice === 'journal-fsync') {
    const keeper = journalKeeper(userDir, node, choice === 'journal-fsync', listener, files);
    return new MigratingKeeper(keeper, options, troubles);
  }
  const [, store] = /^context:(.+)$/.exec(choice) ?? [];
  if (store === undefined) {
    report(`state is not kept: "${choice}" is not one of none, journal, journal-fsync, context:<store>`);
    return null;
  }
  // Node-RED itself would take its default store instead.
  const stores = storesOf(contextStorage);
  if (!stores.includes(store)) {
    report(`state is not kept: there is no context store "${store}", only ${stores.join(', ')}`);
    return null;
  }
  return new MigratingKeeper(new ContextKeeper(context, store, listener), options, troubles);
}

/** Names of the context stores that the settings make; without any there is one in memory. */
function storesOf(contextStorage: unknown): string[] {
  const names = Object.keys(contextStorage ?? {}).filter((name) => name !== '_');
  return names.length > 0 ? names : ['memory'];
}

/** Troubles of a store come and go, that of state which cannot be used stays. */
class Troubles {
  private store: string | null = null;
  private unusable: string | null = null;

  constructor(private readonly report: (trouble: string | null) => void) {}

  ofStore(trouble: string | null): void {
    this.store = trouble;
    this.report(this.store ?? this.unusable);
  }

  ofState(trouble: string): void {
    this.unusable = trouble;
    if (this.store === null) this.report(trouble);
  }
}

/** Migrates what it loads. State that cannot be migrated stays in the store, untouched. */
class MigratingKeeper implements Keeper {
  private readonly untouched = new Set<string>();

  constructor(
    private readonly keeper: Keeper,
    private readonly options: KeeperOptions,
    private readonly troubles: Troubles,
  ) {}

  async load(): Promise<Map<string, SavedRecord>> {
    const records = await this.keeper.load();
    let trouble: string | null = null;
    for (const [conference, record] of records) {
      const migrated = this.migrate(record);
      if ('state' in migrated) {
        if (migrated.state !== record.state) records.set(conference, { ...record, state: migrated.state });
        continue;
      }
      this.untouched.add(conference);
      records.delete(conference);
      trouble ??= `stored state is not used: that of ${conference} ${migrated.complaint}; it is kept as it is`;
    }
    if (trouble) this.troubles.ofState(trouble);
    return records;
  }

  save(conference: string, record: SavedRecord | null): void {
    if (!this.untouched.has(conference)) this.keeper.save(conference, record);
  }

  whenSaved(run: () => void): void {
    this.keeper.whenSaved(run);
  }

  drop(): void {
    this.keeper.drop();
  }

  close(): Promise<void> {
    return this.keeper.close();
  }

  private migrate({ state }: SavedRecord): { state: MachineState } | { complaint: string } {
    try {
      const migrated = this.options.migrate(state);
      if ('state' in migrated) return migrated;
      return { complaint: `was written by a newer version of this pack (version ${state.version})` };
    } catch (error) {
      return { complaint: `could not be migrated (${(error as Error).message})` };
    }
  }
}
