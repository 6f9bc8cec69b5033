/**
 * A keeper that stores in a context store of Node-RED (Node-RED documentation, "Working with context"), with that store's
 * own durability. There is one property per conference under `recovery` in the context of the node.
 */
import { GroupCommit } from './group-commit';
import type { JournalListener } from './journal';
import type { Keeper, SavedRecord } from './keeper';
import { isObject } from './patch';

/** A node's context: `node.context()`. */
export interface Context {
  get(key: string, store: string, callback: (error: unknown, value: unknown) => void): void;
  set(key: string, value: unknown, store: string, callback: (error: unknown) => void): void;
}

const root = 'recovery';
/** A store that has not answered for so long will not. */
const answerMs = 10_000;

export class ContextKeeper implements Keeper {
  private readonly commits: GroupCommit;
  /** What is to be stored with the next commit: the latest of each conference. */
  private changed = new Map<string, SavedRecord | null>();
  private isDropped = false;

  constructor(
    private readonly context: Context,
    private readonly store: string,
    private readonly listener: JournalListener,
  ) {
    this.commits = new GroupCommit({
      name: this.name,
      commit: () => this.commit(),
      retry: () => this.commits.want(),
      report: (trouble) => listener.report(trouble),
      log: (text) => listener.log(text),
    });
  }

  async load(): Promise<Map<string, SavedRecord>> {
    const records = new Map<string, SavedRecord>();
    let stored: unknown;
    try {
      stored = await this.ask((callback) => this.context.get(root, this.store, callback));
    } catch (error) {
      throw new Error(`state is not kept: ${this.name}: ${(error as Error).message}`);
    }
    if (!isObject(stored)) return records;
    let damaged = 0;
    for (const [property, record] of Object.entries(stored)) {
      if (isObject(record) && isObject(record.state))
        records.set(unescaped(property), record as unknown as SavedRecord);
      else damaged += 1;
    }
    if (damaged > 0) this.listener.log(`${this.name}: ${damaged} records could not be read, and were left out`);
    return records;
  }

  save(conference: string, record: SavedRecord | null): void {
    this.changed.set(conference, record);
    this.commits.want();
  }

  whenSaved(run: () => void): void {
    this.commits.whenCommitted(run);
  }

  drop(): void {
    this.changed.clear();
    this.isDropped = true;
    this.commits.want();
  }

  async close(): Promise<void> {
    await new Promise<void>((resolve) => this.commits.whenCommitted(resolve));
    this.commits.end();
  }

  private get name(): string {
    return `context store "${this.store}"`;
  }

  /** One `set` per conference at a time: what is saved meanwhile waits for the next commit. */
  private async commit(): Promise<void> {
    const { changed, isDropped } = this;
    this.changed = new Map();
    this.isDropped = false;
    if (changed.size === 0 && !isDropped) return;
    let failure: Error | null = null;
    const set = async (property: string, value: unknown, again: () => void) => {
      try {
        await this.ask((callback) => this.context.set(property, value, this.store, callback));
      } catch (error) {
        failure = error as Error;
        again();
      }
    };
    if (isDropped) {
      await set(root, undefined, () => {
        this.isDropped = true;
      });
    }
    await Promise.all(
      [...changed].map(([conference, record]) =>
        set(`${root}["${escaped(conference)}"]`, record ?? undefined, () => {
          if (!this.changed.has(conference)) this.changed.set(conference, record);
        }),
      ),
    );
    if (failure) this.commits.failed(`state is not kept: ${this.name}: ${(failure as Error).message}`);
    else this.commits.works();
  }

  /** One call of the store's. Rejects with an Error when it fails, throws, or does not answer. */
  private ask(call: (callback: (error: unknown, value?: unknown) => void) => void): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`no answer for ${answerMs / 1_000} s`)), answerMs).unref();
      const settle = (error: unknown, value?: unknown) => {
        clearTimeout(timer);
        if (error) reject(error instanceof Error ? error : new Error(String(error)));
        else resolve(value);
      };
      try {
        call(settle);
      } catch (error) {
        settle(error);
      }
    });
  }
}

/**
 * A conference as the name of a property that any store can take in quotes: what could end the quotes or be taken for a name
 * that every object has becomes `%` and four hexadecimal digits per UTF-16 unit.
 */
function escaped(conference: string): string {
  return conference.replace(/[^0-9A-Za-z:@.;=-]/g, (unit) => `%${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

function unescaped(property: string): string {
  return property.replace(/%([0-9a-f]{4})/g, (_, digits) => String.fromCharCode(Number.parseInt(digits, 16)));
}
