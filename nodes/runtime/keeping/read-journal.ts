/** Reads a journal: what it says in the end, and what became of the file. */
import { constants } from 'node:fs';
import type { JsonObject } from '../../recovery/messages';
import type { Files } from './files';
import type { SavedRecord } from './keeper';
import { type Entry, journalVersion, parseLine, readLines } from './lines';
import { apply, isObject } from './patch';

/** Records by conference, by node. */
export type Records = Map<string, Map<string, SavedRecord>>;

/** What was read. */
export interface ReadJournal {
  records: Records;
  /** Bytes up to the end of the last whole line. */
  size: number;
  /** Bytes of the whole records that it begins with: about its size after the last compaction. */
  compactedSize: number;
  /** Bytes of the torn line after that. */
  torn: number;
  /** Lines that could not be used, the torn one not among them. */
  damaged: number;
}

/** Reads a journal; null when there is none. Rejects when it cannot be read, or is of a newer version. */
export async function readJournal(files: Files, path: string): Promise<ReadJournal | null> {
  const file = await files.open(path, constants.O_RDONLY).catch((error: NodeJS.ErrnoException) => {
    // Where the directory should be may also be something else; then there is no journal either.
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return null;
    throw error;
  });
  if (!file) return null;
  try {
    const journal: ReadJournal = { records: new Map(), size: 0, compactedSize: 0, torn: 0, damaged: 0 };
    let compact = true;
    journal.torn = await readLines(file, (line, length) => {
      const value = parseLine(line);
      const isUsable = journal.size === 0 ? isHeader(value) : isObject(value) && take(journal.records, value);
      if (!isUsable) journal.damaged += 1;
      journal.size += length;
      compact &&= journal.size === length || (isObject(value) && Object.hasOwn(value, 'record'));
      if (compact) journal.compactedSize = journal.size;
    });
    return journal;
  } finally {
    await file.close();
  }
}

/** Is it a header? Throws when it is one of a newer version. */
function isHeader(value: unknown): boolean {
  if (!isObject(value) || value.journal !== 'conference-recovery' || typeof value.version !== 'number') return false;
  if (value.version > journalVersion) {
    throw new Error(
      `it was written by a newer version of this pack (format ${value.version}, this one knows ${journalVersion}); ` +
        'it is left as it is',
    );
  }
  return true;
}

/** Takes an entry into account; false when it cannot be. */
function take(records: Records, value: JsonObject): boolean {
  const entry = value as unknown as Entry;
  if (typeof entry.node !== 'string') return false;
  if ('dropped' in entry) {
    records.delete(entry.node);
    return true;
  }
  if (typeof entry.conference !== 'string') return false;
  const ofNode = records.get(entry.node) ?? new Map<string, SavedRecord>();
  if ('record' in entry && isObject(entry.record)) {
    records.set(entry.node, ofNode.set(entry.conference, entry.record));
    return true;
  }
  if ('removed' in entry) {
    ofNode.delete(entry.conference);
    return true;
  }
  const record = ofNode.get(entry.conference);
  return record !== undefined && 'patch' in entry && apply(record as unknown as JsonObject, entry.patch);
}
