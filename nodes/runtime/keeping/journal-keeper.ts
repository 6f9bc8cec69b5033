/** A keeper that stores in the journal of its user directory, which all nodes of the process share. */
import { join } from 'node:path';
import type { Files } from './files';
import { Journal, type JournalListener } from './journal';
import type { Keeper } from './keeper';

/** Journals that are in use, by path. */
const journals = new Map<string, Journal>();
/** Those that are being left: whoever wants the same file waits. */
const closing = new Map<string, Promise<void>>();

/** Path of the journal, within Node-RED's user directory. */
export function journalPath(userDir: string): string {
  return join(userDir, 'conference-recovery', 'journal.jsonl');
}

/** The keeper of a node. `sync`: what it saves is to reach the disk itself, so that it outlasts a power failure. */
export function journalKeeper(
  userDir: string,
  node: string,
  sync: boolean,
  listener: JournalListener,
  files: Files,
): Keeper {
  const path = journalPath(userDir);
  const journal = journals.get(path) ?? new Journal(path, files, closing.get(path) ?? Promise.resolve());
  journals.set(path, journal);
  journal.listen(listener);
  return {
    load: () => journal.load(node),
    save: (conference, record) => journal.save(node, conference, record, sync),
    whenSaved: (run) => journal.whenSaved(run),
    drop: () => journal.drop(node, sync),
    async close() {
      await new Promise<void>((resolve) => journal.whenSaved(resolve));
      if (!journal.ignore(listener) || journals.get(path) !== journal) return;
      journals.delete(path);
      const closed = journal.close().finally(() => {
        if (closing.get(path) === closed) closing.delete(path);
      });
      closing.set(path, closed);
      await closed;
    },
  };
}
