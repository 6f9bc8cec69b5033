import assert from 'node:assert/strict';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import type { Files } from '../../../nodes/runtime/keeping/files';
import { journalPath } from '../../../nodes/runtime/keeping/journal-keeper';
import type { SavedRecord } from '../../../nodes/runtime/keeping/keeper';
import { readJournal } from '../../../nodes/runtime/keeping/read-journal';
import { seeded } from '../../support/seeded';
import { recordOf, saved, UserDirectory } from './harness';

describe('the journal', () => {
  let directory: UserDirectory;
  beforeEach(() => {
    directory = new UserDirectory();
  });
  afterEach(() => directory.remove());

  it('PER-2 gives back what was saved, whole records and changes', async () => {
    const keeper = directory.keeper();
    assert.equal((await keeper.load()).size, 0);
    const first = recordOf('sip:a@x', 1, { roster: { 'sip:p@x': { state: 'on' }, 'sip:q@x': null } });
    keeper.save('sip:a@x', first);
    await saved(keeper);
    const state = { ...first.state, seq: 2, roster: JSON.parse('{"__proto__": {"x": 1}, "sip:q@x": null}') };
    keeper.save('sip:a@x', { ...first, state });
    keeper.save('sip:b@x', recordOf('sip:b@x', 7));
    keeper.save('sip:c@x', recordOf('sip:c@x', 7));
    keeper.save('sip:c@x', null);
    await keeper.close();
    assert.deepEqual(
      await directory.stored(),
      new Map<string, SavedRecord>([
        ['sip:a@x', { ...first, state }],
        ['sip:b@x', recordOf('sip:b@x', 7)],
      ]),
    );
    assert.deepEqual([directory.troubles, directory.logs], [[], []]);
  });

  it('is a file that only its owner may read', async () => {
    const keeper = directory.keeper();
    keeper.save('sip:a@x', recordOf('sip:a@x', 1));
    await keeper.close();
    assert.equal(statSync(journalPath(directory.path)).mode & 0o777, 0o600);
  });

  /** Some saving, and what a load should give after each save. */
  async function saveAtRandom(steps: number): Promise<string[]> {
    const random = seeded(5);
    const keeper = directory.keeper('n');
    await keeper.load();
    const current = new Map<string, SavedRecord>();
    const states = [textOf(current)];
    for (let step = 0; step < steps; step += 1) {
      const conference = `sip:${Math.floor(random() * 5)}@x`;
      const before = current.get(conference);
      if (before && random() < 0.1) {
        current.delete(conference);
        keeper.save(conference, null);
      } else {
        const record = before
          ? { ...before, state: { ...before.state, seq: before.state.seq + 1 } }
          : recordOf(conference, 1);
        current.set(conference, record);
        keeper.save(conference, record);
      }
      states.push(textOf(current));
      if (random() < 0.2) await saved(keeper);
    }
    await keeper.close();
    return states;
  }

  it('PER-2 a crash at any byte leaves what had been saved up to some point', async () => {
    const states = await saveAtRandom(80);
    const whole = readFileSync(journalPath(directory.path));
    let reached = 0;
    for (let length = 0; length <= whole.length; length += 1) {
      const journal = await readJournal(filesWith(whole.subarray(0, length)), 'journal');
      const next = states.indexOf(textOf(journal?.records.get('n')), reached);
      assert.notEqual(next, -1, `${length} bytes`);
      reached = next;
    }
    assert.equal(reached, states.length - 1);
  });

  it('PER-2 goes on after a crash at any byte', async () => {
    await saveAtRandom(50);
    const path = journalPath(directory.path);
    const whole = readFileSync(path);
    const random = seeded(6);
    for (let crash = 0; crash < 50; crash += 1) {
      writeFileSync(path, whole.subarray(0, Math.floor(random() * whole.length)));
      const before = await directory.stored('n');
      const keeper = directory.keeper('n');
      await keeper.load();
      keeper.save('sip:new@x', recordOf('sip:new@x', crash));
      await keeper.close();
      before.set('sip:new@x', recordOf('sip:new@x', crash));
      directory.logs.length = 0;
      assert.equal(textOf(await directory.stored('n')), textOf(before));
      assert.deepEqual(directory.logs, []);
    }
  });
});

function textOf(records: Map<string, SavedRecord> = new Map()): string {
  return JSON.stringify([...records].sort());
}

/** A file system with one file. */
function filesWith(content: Buffer): Files {
  let position = 0;
  const file = {
    async read(buffer: Buffer, offset: number, length: number) {
      const bytesRead = content.copy(buffer, offset, position, position + length);
      position += bytesRead;
      return { buffer, bytesRead };
    },
    close: async () => {},
  };
  return { open: async () => file } as unknown as Files;
}
