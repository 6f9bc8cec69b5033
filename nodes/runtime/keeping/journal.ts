/**
 * The journal: one append-only file per process that nodes keep their state in. An entry is what changed since the last
 * one of the same conference. A file that has grown is replaced by one with whole records (compaction); so is one that
 * could not be written to, as soon as that is possible again.
 */
import { dirname } from 'node:path';
import type { JsonObject } from '../../recovery/messages';
import { type File, type Files, syncDirectory, writeAt } from './files';
import { GroupCommit } from './group-commit';
import type { SavedRecord } from './keeper';
import { type Entry, header, lineOf } from './lines';
import { difference } from './patch';
import { type ReadJournal, type Records, readJournal } from './read-journal';

/** Who is told of trouble. */
export interface JournalListener {
  /** State is not kept, in words; null: it is again. */
  report(trouble: string | null): void;
  /** Something for the log. */
  log(text: string): void;
}

/** A smaller journal is never compacted. */
const smallestCompaction = 2 ** 20;
/** How much larger than after the last compaction a journal may become. */
const growth = 4;
/** What may wait to be written, in characters. */
const longestQueue = 2 ** 26;
/** How much of a new file is written at a time, in characters. */
const sliceSize = 2 ** 18;
/** Longest that closing waits for the disk. */
const closingMs = 2_000;

/** Lines that wait to be written. */
class Queue {
  private lines: string[] = [];
  size = 0;

  push(line: string): void {
    this.lines.push(line);
    this.size += line.length;
  }

  take(): Buffer {
    const bytes = Buffer.from(this.lines.join(''));
    this.lines = [];
    this.size = 0;
    return bytes;
  }
}

/** The file that entries are appended to. */
interface Current {
  file: File;
  /** Up to the end of the last line that was written whole. */
  size: number;
  queue: Queue;
}

/** The file that is to take its place. */
interface Successor {
  file: File | null;
  size: number;
  /** What was saved since its writing began. */
  queue: Queue;
  /** Are all records in it? Then only the queue is missing. */
  isComplete: boolean;
}

export class Journal {
  private readonly records: Records = new Map();
  private readonly listeners = new Set<JournalListener>();
  private readonly commits: GroupCommit;
  private readonly opened: Promise<void>;
  private isOpen = false;
  private current: Current | null = null;
  private compactedSize = 0;
  private successor: Successor | null = null;
  private rewriting: Promise<void> | null = null;
  /** Has anything been appended that must reach the disk itself? */
  private mustSync = false;
  private trouble: string | null = null;
  /** Why nothing is read nor written. */
  private refusal: Error | null = null;

  /** `before` settles when the file is free. */
  constructor(
    private readonly path: string,
    private readonly files: Files,
    before: Promise<void>,
  ) {
    this.commits = new GroupCommit({
      name: path,
      commit: () => this.commit(),
      retry: () => this.rewrite(),
      report: (trouble) => this.report(trouble),
      log: (text) => this.log(text),
    });
    this.opened = before
      .then(() => this.open())
      .then(() => {
        this.isOpen = true;
      });
  }

  listen(listener: JournalListener): void {
    this.listeners.add(listener);
    if (this.trouble !== null) listener.report(this.trouble);
  }

  /** Nobody listens any more when this returns true. */
  ignore(listener: JournalListener): boolean {
    this.listeners.delete(listener);
    return this.listeners.size === 0;
  }

  /** What is stored for a node. Rejects when the journal cannot be used. */
  async load(node: string): Promise<Map<string, SavedRecord>> {
    await this.opened;
    if (this.refusal) throw this.refusal;
    return new Map(this.records.get(node));
  }

  /** Puts a record, or its removal (null), into the next commit. `sync`: it is to reach the disk itself. */
  save(node: string, conference: string, record: SavedRecord | null, sync: boolean): void {
    if (!this.isOpen) return void this.opened.then(() => this.save(node, conference, record, sync));
    let ofNode = this.records.get(node);
    const before = ofNode?.get(conference);
    if (!record) {
      if (ofNode?.delete(conference)) this.append({ node, conference, removed: true }, sync);
      return;
    }
    if (!ofNode) {
      ofNode = new Map();
      this.records.set(node, ofNode);
    }
    ofNode.set(conference, record);
    if (!before) return this.append({ node, conference, record }, sync);
    const patch = difference(before as unknown as JsonObject, record as unknown as JsonObject);
    if (patch) this.append({ node, conference, patch }, sync);
  }

  /** Puts the removal of all that is stored for a node into the next commit. */
  drop(node: string, sync: boolean): void {
    if (!this.isOpen) return void this.opened.then(() => this.drop(node, sync));
    if (this.records.delete(node)) this.append({ node, dropped: true }, sync);
  }

  /** Calls `run` when all that was saved before is stored, or cannot be. */
  whenSaved(run: () => void): void {
    this.commits.whenCommitted(run);
  }

  /** Stores what can be stored, and leaves the file. */
  async close(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const tooLong = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, closingMs);
    });
    await Promise.race([this.finish(), tooLong]);
    clearTimeout(timer);
    this.commits.end();
  }

  private async finish(): Promise<void> {
    await this.opened;
    this.commits.end();
    if (this.commits.isFailing) {
      this.rewrite();
      await this.rewriting;
    }
    await this.commits.settled();
    await this.abandon();
    await this.rewriting;
    const { current } = this;
    this.current = null;
    await current?.file.close().catch(() => {});
  }

  // ---------------------------------------------------------------------------------------------------------------- opening

  private async open(): Promise<void> {
    let read: ReadJournal | null;
    try {
      read = await readJournal(this.files, this.path);
    } catch (error) {
      this.refusal = new Error(`state is not kept: ${this.path}: ${(error as Error).message}`);
      this.report(this.refusal.message);
      return;
    }
    if (read) {
      for (const [node, records] of read.records) this.records.set(node, records);
      this.tellDamage(read);
    }
    try {
      await this.files.mkdir(dirname(this.path), { recursive: true, mode: 0o700 });
      await this.files.rm(this.successorPath, { force: true });
      if (read && read.damaged === 0 && read.size > 0) await this.goOn(read);
      else this.rewrite();
    } catch (error) {
      this.failed(error as Error);
    }
  }

  private tellDamage({ damaged, torn }: ReadJournal): void {
    if (damaged > 0) this.log(`${this.path}: ${damaged} damaged lines were left out`);
    if (torn > 0) this.log(`${this.path}: the last line was not written to its end (${torn} bytes), and was left out`);
  }

  private async goOn({ size, torn, compactedSize }: ReadJournal): Promise<void> {
    const file = await this.files.open(this.path, 'r+');
    this.current = { file, size, queue: new Queue() };
    this.compactedSize = compactedSize;
    if (torn > 0) await file.truncate(size);
  }

  // -------------------------------------------------------------------------------------------------------------- appending

  private append(entry: Entry, sync: boolean): void {
    const { current, successor } = this;
    // While nothing can be written, nothing is remembered but the records.
    if (!current && !successor) return;
    const line = lineOf(entry);
    current?.queue.push(line);
    successor?.queue.push(line);
    this.mustSync ||= sync;
    if ((current?.queue.size ?? 0) + (successor?.queue.size ?? 0) > longestQueue) {
      this.failed(new Error('the disk is too slow: too much waits to be written'));
    }
    this.commits.want();
  }

  private async commit(): Promise<void> {
    await this.opened;
    if (!this.current && !this.commits.isFailing) await this.rewriting;
    if (this.successor?.isComplete) await this.replace(this.successor);
    const { current } = this;
    if (!current || current.queue.size === 0) return;
    const bytes = current.queue.take();
    const sync = this.mustSync;
    this.mustSync = false;
    try {
      await writeAt(current.file, bytes, current.size);
      if (sync) await current.file.datasync();
      current.size += bytes.length;
    } catch (error) {
      // A crash before it can be written anew should find whole lines.
      await current.file.truncate(current.size).catch(() => {});
      if (this.current === current) this.failed(error as Error);
      return;
    }
    if (current.size > Math.max(smallestCompaction, growth * this.compactedSize)) this.rewrite();
  }

  /** Nothing more can be written to the file: everything is to be written anew. */
  private failed(error: Error): void {
    const { current } = this;
    this.current = null;
    void current?.file.close().catch(() => {});
    void this.abandon();
    this.commits.failed(`state is not kept: ${this.path}: ${error.message}`);
  }

  // ------------------------------------------------------------------------------------------------------------- compacting

  private get successorPath(): string {
    return `${this.path}.new`;
  }

  /** Writes a new file with all records, unless that is being done. */
  private rewrite(): void {
    if (this.rewriting || this.successor) return;
    const successor: Successor = { file: null, size: 0, queue: new Queue(), isComplete: false };
    this.successor = successor;
    this.rewriting = this.writeAll(successor).finally(() => {
      this.rewriting = null;
    });
  }

  /** Records are never changed in place, so those of now are written, and then what has been saved since. */
  private async writeAll(successor: Successor): Promise<void> {
    const nodes = [...this.records].map(([node, records]) => ({
      node,
      conferences: [...records.keys()],
      records: [...records.values()],
    }));
    try {
      await this.files.mkdir(dirname(this.path), { recursive: true, mode: 0o700 });
      successor.file = await this.files.open(this.successorPath, 'w', 0o600);
      let slice = lineOf(header);
      for (const { node, conferences, records } of nodes) {
        for (const [index, record] of records.entries()) {
          slice += lineOf({ node, conference: conferences[index] as string, record });
          if (slice.length < sliceSize) continue;
          await this.writeMore(successor, Buffer.from(slice));
          slice = '';
        }
      }
      await this.writeMore(successor, Buffer.from(slice));
      await successor.file.datasync();
      await this.writeMore(successor, successor.queue.take());
      successor.isComplete = true;
    } catch (error) {
      await this.notReplaced(successor, error as Error);
    }
    this.commits.want();
  }

  private async writeMore(successor: Successor, bytes: Buffer): Promise<void> {
    if (this.successor !== successor) throw new Error('it is no longer wanted');
    await writeAt(successor.file as File, bytes, successor.size);
    successor.size += bytes.length;
  }

  /** Between two commits: puts the new file into the place of the old one. */
  private async replace(successor: Successor): Promise<void> {
    const file = successor.file as File;
    try {
      await this.writeMore(successor, successor.queue.take());
      await file.datasync();
      await this.files.rename(this.successorPath, this.path);
    } catch (error) {
      await this.notReplaced(successor, error as Error);
      return;
    }
    // It may have failed for another reason meanwhile.
    if (this.successor !== successor) return;
    const { current } = this;
    this.current = { file, size: successor.size, queue: successor.queue };
    this.successor = null;
    this.compactedSize = successor.size;
    void current?.file.close().catch(() => {});
    try {
      await syncDirectory(this.files, dirname(this.path));
      this.commits.works();
    } catch (error) {
      this.failed(error as Error);
    }
  }

  /** With the old file all is as it was; without one, nothing is kept. */
  private async notReplaced(successor: Successor, error: Error): Promise<void> {
    const wasWanted = this.successor === successor;
    if (wasWanted) this.successor = null;
    await this.discard(successor);
    const { current } = this;
    if (wasWanted && !current) return this.failed(error);
    if (wasWanted) this.log(`${this.path} could not be compacted: ${error.message}`);
    // Not with every commit: later.
    if (current) this.compactedSize = current.size;
    this.commits.retryLater();
  }

  /** The successor is no longer wanted. As long as it is being written, whoever writes it discards it. */
  private async abandon(): Promise<void> {
    const { successor } = this;
    this.successor = null;
    if (successor?.isComplete) await this.discard(successor);
  }

  private async discard(successor: Successor): Promise<void> {
    await successor.file?.close().catch(() => {});
    await this.files.rm(this.successorPath, { force: true }).catch(() => {});
  }

  // ------------------------------------------------------------------------------------------------------------------ words

  private report(trouble: string | null): void {
    this.trouble = trouble;
    for (const listener of this.listeners) listener.report(trouble);
  }

  private log(text: string): void {
    // One of them is enough.
    for (const { log } of [...this.listeners].slice(0, 1)) log(text);
  }
}
