import assert from 'node:assert/strict';
import { readdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { systemFiles } from '../../../nodes/runtime/keeping/files';
import { journalPath } from '../../../nodes/runtime/keeping/journal-keeper';
import type { SavedRecord } from '../../../nodes/runtime/keeping/keeper';
import { readJournal } from '../../../nodes/runtime/keeping/read-journal';
import { seeded } from '../../support/seeded';
import { recordOf, saved, UserDirectory, watchedFiles } from './harness';

describe('compaction of the journal', () => {
  let directory: UserDirectory;
  beforeEach(() => {
    directory = new UserDirectory();
  });
  afterEach(() => directory.remove());

  const bulk = 'x'.repeat(2_000);

  it('PER-2 keeps the file small, and everything in it, while saving goes on', async () => {
    const random = seeded(7);
    const keepers = ['one', 'two'].map((node) => directory.keeper(node));
    for (const keeper of keepers) await keeper.load();
    const expected = keepers.map(() => new Map<string, SavedRecord>());
    let compactions = 0;
    let largest = 0;
    for (let seq = 1; seq <= 6_000; seq += 1) {
      const index = seq % 2;
      const conference = `sip:${Math.floor(random() * 40)}@x`;
      const record = recordOf(conference, seq, { bulk: bulk + seq });
      expected[index]?.set(conference, record);
      keepers[index]?.save(conference, record);
      if (seq % 50 === 0) {
        await saved(keepers[0] as never);
        const { size } = statSync(journalPath(directory.path));
        if (size < largest) compactions += 1;
        largest = size < largest ? size : Math.max(largest, size);
      }
    }
    // 80 records of 2 kB are 160 kB: in peace it becomes no larger than the smallest that is compacted, and a group more.
    for (let seq = 6_001; statSync(journalPath(directory.path)).size > 1.2e6; seq += 1) {
      const record = recordOf('sip:0@x', seq, { bulk: bulk + seq });
      expected[0]?.set('sip:0@x', record);
      keepers[0]?.save('sip:0@x', record);
      await saved(keepers[0] as never);
      await delay(1);
    }
    for (const keeper of keepers) await keeper.close();
    assert.ok(compactions > 0, 'it was never compacted');
    for (const [index, node] of ['one', 'two'].entries()) {
      assert.deepEqual(sorted(await directory.stored(node)), sorted(expected[index] as never));
    }
    assert.deepEqual([directory.troubles, directory.logs], [[], []]);
    assert.deepEqual(readdirSync(dirname(journalPath(directory.path))), ['journal.jsonl']);
  });

  it('PER-2 keeps what a node has that has not come yet', async () => {
    const before = directory.keeper('absent');
    before.save('sip:a@x', recordOf('sip:a@x', 1));
    await before.close();
    const keeper = directory.keeper('present');
    await keeper.load();
    for (let seq = 1; seq <= 1_500; seq += 1) keeper.save('sip:b@x', recordOf('sip:b@x', seq, { bulk: bulk + seq }));
    await keeper.close();
    assert.deepEqual([...(await directory.stored('absent'))], [['sip:a@x', recordOf('sip:a@x', 1)]]);
  });

  it('PER-2 killed in the middle of it: the old file is whole', async () => {
    // From the first renaming on nothing happens any more, as in a process that is no longer there.
    const never = new Promise(() => {});
    const files = watchedFiles((call) => (call === 'rename' && renames++ > 0 ? never : undefined));
    let renames = 0;
    const keeper = directory.keeper('node', { files });
    await keeper.load();
    let seq = 0;
    while (renames < 2) {
      for (let index = 0; index < 20; index += 1) {
        seq += 1;
        keeper.save('sip:a@x', recordOf('sip:a@x', seq, { bulk: bulk + seq }));
      }
      await Promise.race([saved(keeper), delay(20)]);
    }
    const journal = await readJournal(systemFiles, journalPath(directory.path));
    const found = journal?.records.get('node')?.get('sip:a@x')?.state.seq ?? 0;
    assert.ok(found > 0 && found <= seq, `${found} of ${seq}`);
    await keeper.close();
  });

  it('PER-4 a node that was deleted is not in it any more', async () => {
    const keeper = directory.keeper('node');
    keeper.save('sip:a@x', recordOf('sip:a@x', 1));
    keeper.drop();
    await keeper.close();
    assert.equal((await directory.stored('node')).size, 0);
  });
});

function sorted(records: Map<string, SavedRecord>): [string, SavedRecord][] {
  return [...records].sort(([one], [other]) => (one < other ? -1 : 1));
}
