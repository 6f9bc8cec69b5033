import assert from 'node:assert/strict';
import { util } from '@node-red/util';
import type { MachineState } from '../../../nodes/recovery/step';
import type { Context } from '../../../nodes/runtime/keeping/context-keeper';
import { ownRecord } from '../../../nodes/runtime/keeping/keeper';
import { type KeeperOptions, keeperFor } from '../../../nodes/runtime/keeping/keepers';
import { recordOf, saved, UserDirectory } from './harness';

type Callback = (error: unknown, value?: unknown) => void;

/** A context store that answers when it is told to, and takes property paths as Node-RED does. */
class Store implements Context {
  values: { [name: string]: unknown } = {};
  readonly sets: string[] = [];
  failing: Error | null = null;
  private held: (() => void)[] | null = null;

  get(key: string, _store: string, callback: Callback): void {
    this.answer(() => callback(this.failing, util.getObjectProperty(this.values, key)));
  }

  set(key: string, value: unknown, _store: string, callback: Callback): void {
    this.sets.push(key);
    this.answer(() => {
      if (!this.failing)
        util.setObjectProperty(this.values, key, JSON.parse(JSON.stringify(value ?? null)) ?? undefined);
      callback(this.failing);
    });
  }

  hold(): void {
    this.held = [];
  }

  release(): void {
    const held = this.held ?? [];
    this.held = null;
    for (const answer of held) answer();
  }

  private answer(run: () => void): void {
    if (this.held) this.held.push(run);
    else run();
  }
}

describe('state in a context store', () => {
  let store: Store;
  let troubles: (string | null)[];
  let logs: string[];
  let directory: UserDirectory;
  beforeEach(() => {
    store = new Store();
    troubles = [];
    logs = [];
    directory = new UserDirectory();
  });
  afterEach(() => directory.remove());

  const keeper = (choice = 'context:kept', more: Partial<KeeperOptions> = {}) =>
    keeperFor(choice, {
      node: 'node',
      userDir: directory.path,
      context: store,
      contextStorage: { default: { module: 'memory' }, kept: { module: 'localfilesystem' } },
      migrate: (state: MachineState) => ({ state }),
      report: (trouble) => void troubles.push(trouble),
      log: (text) => void logs.push(text),
      ...more,
    });

  it('PER-2 gives back what was saved, whatever the conferences are called', async () => {
    const odd = ['sip:a@x', ownRecord, 'a"b\'c[0].d\\e', '__proto__', 'constructor', 'ü 😀', 'sip:%0041@x'];
    const one = keeper();
    assert.ok(one);
    assert.equal((await one.load()).size, 0);
    for (const [index, conference] of odd.entries()) one.save(conference, recordOf(conference, index));
    one.save('sip:gone@x', recordOf('sip:gone@x', 1));
    one.save('sip:gone@x', null);
    await one.close();
    const found = await keeper()?.load();
    assert.deepEqual(
      [...(found ?? [])],
      odd.map((conference, index) => [conference, recordOf(conference, index)]),
    );
    assert.deepEqual(troubles, []);
  });

  it('PER-2 one write per conference is under way; the latest waits, and those between are never written', async () => {
    const one = keeper();
    await one?.load();
    store.hold();
    for (let seq = 1; seq <= 5; seq += 1) {
      one?.save('sip:a@x', recordOf('sip:a@x', seq));
      await new Promise((resolve) => setImmediate(resolve));
    }
    assert.equal(store.sets.length, 1);
    let stored = false;
    one?.whenSaved(() => {
      stored = true;
    });
    assert.ok(!stored);
    store.release();
    await one?.close();
    assert.ok(stored);
    assert.equal(store.sets.length, 2);
    assert.equal((await keeper()?.load())?.get('sip:a@x')?.state.seq, 5);
  });

  it('PER-2 a store that fails: told once, nobody waits; all is there when it works again', async () => {
    const one = keeper();
    await one?.load();
    store.failing = new Error('no connection');
    for (let seq = 1; seq <= 3; seq += 1) {
      one?.save('sip:a@x', recordOf('sip:a@x', seq));
      await saved(one as never);
    }
    assert.deepEqual(troubles, ['state is not kept: context store "kept": no connection']);
    store.failing = null;
    one?.save('sip:b@x', recordOf('sip:b@x', 1));
    await one?.close();
    assert.deepEqual([troubles.length, troubles.at(-1)], [2, null]);
    assert.equal((await keeper()?.load())?.get('sip:a@x')?.state.seq, 3);
  });

  it('PER-2 a store that cannot be read is told of by the load', async () => {
    store.failing = new Error('no connection');
    await assert.rejects(
      keeper()?.load() ?? Promise.resolve(),
      /state is not kept: context store "kept": no connection/,
    );
  });

  it('PER-4 a node that was deleted leaves nothing', async () => {
    const one = keeper();
    await one?.load();
    one?.save('sip:a@x', recordOf('sip:a@x', 1));
    one?.drop();
    await one?.close();
    assert.equal((await keeper()?.load())?.size, 0);
  });

  it('a store that the settings do not have, and a choice that is none, are told of', () => {
    assert.equal(keeper('none'), null);
    assert.deepEqual(troubles, []);
    assert.equal(keeper('context:other'), null);
    assert.match(String(troubles.at(-1)), /there is no context store "other", only default, kept/);
    assert.equal(keeper('cloud'), null);
    assert.match(String(troubles.at(-1)), /"cloud" is not one of none, journal, journal-fsync, context:<store>/);
    assert.ok(keeper('context:memory', { contextStorage: undefined }));
  });

  for (const choice of ['journal', 'context:kept']) {
    it(`PER-8 state of a newer version, or that makes no sense, is told of, not used, and kept as it is (${choice})`, async () => {
      const before = keeper(choice);
      await before?.load();
      for (const name of ['newer', 'broken', 'fine']) before?.save(`sip:${name}@x`, recordOf(`sip:${name}@x`, 1));
      await before?.close();
      const migrate: KeeperOptions['migrate'] = (state) => {
        if (state.conference === 'sip:newer@x') return { newer: true };
        if (state.conference === 'sip:broken@x') throw new Error('"state.seq" must be a whole number');
        return { state: { ...state, seq: 2 } };
      };
      const now = keeper(choice, { migrate });
      assert.deepEqual([...((await now?.load()) ?? [])], [['sip:fine@x', recordOf('sip:fine@x', 2)]]);
      assert.equal(troubles.length, 1);
      assert.match(troubles[0] as string, /^stored state is not used: .*it is kept as it is/);
      // A session that begins anew in the meantime does not overwrite it.
      now?.save('sip:newer@x', recordOf('sip:newer@x', 9));
      now?.save('sip:broken@x', null);
      now?.save('sip:fine@x', recordOf('sip:fine@x', 3));
      await now?.close();
      const later = keeper(choice);
      const found = await later?.load();
      await later?.close();
      assert.deepEqual(
        ['newer', 'broken', 'fine'].map((name) => found?.get(`sip:${name}@x`)?.state.seq),
        [1, 1, 3],
      );
    });
  }
});
