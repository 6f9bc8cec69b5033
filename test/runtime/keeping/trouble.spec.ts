import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { systemFiles } from '../../../nodes/runtime/keeping/files';
import { journalPath } from '../../../nodes/runtime/keeping/journal-keeper';
import { lineOf } from '../../../nodes/runtime/keeping/lines';
import { readJournal } from '../../../nodes/runtime/keeping/read-journal';
import { recordOf, saved, UserDirectory, watchedFiles } from './harness';

describe('a journal that cannot be written', () => {
  let directory: UserDirectory;
  beforeEach(() => {
    directory = new UserDirectory();
  });
  afterEach(() => directory.remove());

  const full = (): never => {
    throw Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' });
  };

  for (const [call, nth] of [
    ['mkdir', 1],
    ['open', 2],
    ['open', 3],
    ['write', 1],
    ['write', 2],
    ['write', 3],
    ['datasync', 1],
    ['datasync', 2],
    ['rename', 1],
    ['sync', 1],
    ['truncate', 1],
  ] as const) {
    it(`PER-2 ${call} fails, at time ${nth}, and works again: nobody waits, nothing is lost, trouble is told once`, async () => {
      let calls = 0;
      let failing = 0;
      const files = watchedFiles((name) => {
        if (name !== call) return;
        calls += 1;
        if (calls !== nth) return;
        failing += 1;
        full();
      });
      const keeper = directory.keeper('node', { sync: true, files });
      await keeper.load();
      for (let seq = 1; seq <= 5; seq += 1) {
        keeper.save('sip:a@x', recordOf('sip:a@x', seq));
        await saved(keeper);
      }
      await keeper.close();
      const told = directory.troubles.filter((trouble) => trouble !== null);
      assert.ok(told.length <= 1, `${told}`);
      for (const trouble of told) assert.match(trouble as string, /^state is not kept: .*ENOSPC/);
      assert.equal((await directory.stored()).get('sip:a@x')?.state.seq, 5);
      // Some calls are not made unless something else has failed.
      assert.ok(failing === 1 || calls < nth);
    });
  }

  it('PER-2 a disk that was full for a moment: all is written anew after a while, and the trouble ends', async () => {
    let failures = 0;
    const files = watchedFiles((call) => (call === 'write' && failures++ === 1 ? full() : undefined));
    const keeper = directory.keeper('node', { files });
    await keeper.load();
    keeper.save('sip:a@x', recordOf('sip:a@x', 1));
    await saved(keeper);
    assert.equal(directory.troubles.length, 1);
    keeper.save('sip:b@x', recordOf('sip:b@x', 1));
    while (directory.troubles.length === 1) await delay(5);
    assert.equal(directory.troubles[1], null);
    // Killed now.
    assert.equal((await readJournal(systemFiles, journalPath(directory.path)))?.records.get('node')?.size, 2);
    await keeper.close();
  });

  it('PER-2 a disk that stays full: told once, whoever waits goes on, and it ends within its time', async () => {
    const files = watchedFiles((call) => (call === 'write' ? full() : undefined));
    const keeper = directory.keeper('node', { files });
    await keeper.load();
    for (let seq = 1; seq <= 20; seq += 1) {
      keeper.save('sip:a@x', recordOf('sip:a@x', seq));
      await saved(keeper);
    }
    await keeper.close();
    assert.equal(directory.troubles.length, 1);
    assert.match(directory.troubles[0] as string, /^state is not kept: .*ENOSPC/);
  });

  it('PER-2 what had been stored before the disk was full is not lost by it', async () => {
    let isFull = false;
    const files = watchedFiles((call) => (isFull && call === 'write' ? full() : undefined));
    const keeper = directory.keeper('node', { files });
    await keeper.load();
    keeper.save('sip:a@x', recordOf('sip:a@x', 1));
    await saved(keeper);
    isFull = true;
    keeper.save('sip:a@x', recordOf('sip:a@x', 2));
    await saved(keeper);
    await keeper.close();
    assert.equal((await directory.stored()).get('sip:a@x')?.state.seq, 1);
  });

  it('PER-2 a disk that does not answer: nobody waits for longer than two seconds', async () => {
    let release = (): void => {};
    const hangs = new Promise<void>((resolve) => {
      release = resolve;
    });
    let hanging = false;
    const files = watchedFiles((call) => (hanging && call === 'write' ? hangs : undefined));
    const keeper = directory.keeper('node', { files });
    await keeper.load();
    keeper.save('sip:a@x', recordOf('sip:a@x', 1));
    await saved(keeper);
    hanging = true;
    keeper.save('sip:a@x', recordOf('sip:a@x', 2));
    await saved(keeper);
    assert.match(directory.troubles[0] as string, /has not answered for 2 s/);
    // Whoever comes now does not wait at all.
    keeper.save('sip:a@x', recordOf('sip:a@x', 3));
    await saved(keeper);
    hanging = false;
    release();
    while (directory.troubles.at(-1) !== null) await delay(5);
    await keeper.close();
    assert.equal((await directory.stored()).get('sip:a@x')?.state.seq, 3);
  });

  it('PER-2 a file where the directory should be, and a device that is always full: trouble, in words', async () => {
    const path = journalPath(directory.path);
    writeFileSync(dirname(path), 'in the way');
    const keeper = directory.keeper();
    await keeper.load();
    keeper.save('sip:a@x', recordOf('sip:a@x', 1));
    await saved(keeper);
    await keeper.close();
    assert.match(directory.troubles[0] as string, /^state is not kept: .*(EEXIST|ENOTDIR)/);
    rmSync(dirname(path));
    mkdirSync(dirname(path));
    symlinkSync('/dev/full', `${path}.new`);
    const another = directory.keeper('another');
    await another.load();
    another.save('sip:a@x', recordOf('sip:a@x', 1));
    await saved(another);
    await another.close();
  });

  it('PER-8 a journal of a newer version is refused, and left as it is', async () => {
    const keeper = directory.keeper();
    keeper.save('sip:a@x', recordOf('sip:a@x', 1));
    await keeper.close();
    const path = journalPath(directory.path);
    const newer = readFileSync(path, 'utf8').replace(
      /^.*\n/,
      lineOf({ journal: 'conference-recovery', version: 99 } as never),
    );
    writeFileSync(path, newer);
    const again = directory.keeper();
    await assert.rejects(
      again.load(),
      /newer version of this pack \(format 99, this one knows 1\); it is left as it is/,
    );
    again.save('sip:a@x', recordOf('sip:a@x', 2));
    await saved(again);
    await again.close();
    assert.equal(readFileSync(path, 'utf8'), newer);
  });

  it('PER-2 damaged lines are left out, and told of; the rest is used', async () => {
    const keeper = directory.keeper();
    for (const name of ['a', 'b', 'c']) keeper.save(`sip:${name}@x`, recordOf(`sip:${name}@x`, 1));
    await keeper.close();
    const path = journalPath(directory.path);
    writeFileSync(path, readFileSync(path, 'utf8').replace('sip:b@x","record', 'sip:B@x","record'));
    const records = await directory.stored();
    assert.deepEqual([...records.keys()].sort(), ['sip:a@x', 'sip:c@x']);
    assert.match(directory.logs.join(), /1 damaged lines were left out/);
    directory.logs.length = 0;
    assert.equal((await directory.stored()).size, 2);
    assert.deepEqual(directory.logs, [], 'the file is whole again');
  });

  it('is for one file, however it is called: nodes share it, and it can be opened again', async () => {
    const [one, two] = [directory.keeper('one'), directory.keeper('two')];
    await one.load();
    await two.load();
    one.save('sip:a@x', recordOf('sip:a@x', 1));
    await one.close();
    two.save('sip:b@x', recordOf('sip:b@x', 1));
    const closing = two.close();
    const three = directory.keeper('one');
    assert.equal((await three.load()).size, 1);
    await closing;
    await three.close();
    assert.equal(join(directory.path, 'conference-recovery', 'journal.jsonl'), journalPath(directory.path));
  });
});
