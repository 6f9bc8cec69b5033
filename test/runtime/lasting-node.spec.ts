import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { setImmediate as turn } from 'node:timers/promises';
import type { Node } from 'node-red';
import { limits } from '../../nodes/recovery/limits';
import { Deployments } from '../../nodes/runtime/deployment';
import type { Keeper, SavedRecord } from '../../nodes/runtime/keeping/keeper';
import { LastingNode } from '../../nodes/runtime/lasting-node';

/** Node-RED, as far as a node's life is concerned. */
class Runtime {
  readonly events = new EventEmitter();
  readonly deployments = new Deployments(this.events as never);
  private config = {};

  start(): void {
    this.events.emit('flows:started', { config: this.config });
  }

  /** Deploys: closes some nodes, and runs `create`, which makes others. */
  async deploy(closed: LivingNode[], create: () => void, removed = false): Promise<void> {
    this.config = {};
    this.events.emit('flows:stopping', { config: this.config });
    await Promise.all(closed.map((node) => node.closeAs(removed)));
    create();
    this.start();
  }

  async stop(nodes: LivingNode[]): Promise<void> {
    this.events.emit('flows:stopping', { config: this.config });
    await Promise.all(nodes.map((node) => node.closeAs(false)));
  }
}

/** A store in memory, that answers when it is told to. */
class Memory implements Keeper {
  readonly log: string[] = [];
  closed = false;
  private readonly loading: ((records: Map<string, SavedRecord>) => void)[] = [];
  private readonly waiting: (() => void)[] = [];
  failing: ((error: Error) => void) | null = null;

  load(): Promise<Map<string, SavedRecord>> {
    return new Promise((resolve, reject) => {
      this.loading.push(resolve);
      this.failing = reject;
    });
  }

  /** Everything is loaded: this. */
  async loaded(conferences: string[]): Promise<void> {
    for (const resolve of this.loading.splice(0)) resolve(new Map(conferences.map((name) => [name, saved(name)])));
    await turn();
  }

  save(conference: string): void {
    this.log.push(`save ${conference}`);
  }

  whenSaved(run: () => void): void {
    this.waiting.push(run);
  }

  /** All that was saved is stored. */
  stored(): void {
    for (const run of this.waiting.splice(0)) run();
  }

  drop(): void {
    this.log.push('drop');
  }

  async close(): Promise<void> {
    this.closed = true;
    this.stored();
  }
}

function saved(conference: string): SavedRecord {
  return { state: { version: 1, conference, seq: 0, dialog: 0, incident: null }, name: conference, deadlines: {} };
}

/** A node that notes what becomes of it. */
class LivingNode extends LastingNode {
  held: string[] = [];
  readonly log: string[];

  constructor(
    runtime: Runtime,
    readonly name: string,
    {
      keeper = null,
      keepState = keeper ? 'journal' : 'none',
      log = [],
      like = () => true,
    }: { keeper?: Memory | null; keepState?: string; log?: string[]; like?: () => boolean } = {},
  ) {
    const emitter = new EventEmitter();
    const node = Object.assign(emitter, { id: 'node', error: (text: string | Error) => log.push(`error: ${text}`) });
    super(node as unknown as Node, {
      complaint: null,
      readerOf: () => null,
      translate: (key) => key,
      owner: 'us',
      deployments: runtime.deployments,
      keepState,
      makeKeeper: (report) => {
        this.report = report;
        return keeper;
      },
    });
    this.log = log;
    this.like = like;
    this.settle();
  }

  report: (trouble: string | null) => void = () => {};
  private readonly like: () => boolean;

  closeAs(removed: boolean): Promise<void> {
    return new Promise((resolve) => (this.node as unknown as EventEmitter).emit('close', removed, resolve));
  }

  /** Something reaches the node. */
  hear(what: string): void {
    if (this.away) return this.later((node) => node.hear(what));
    this.note(`heard ${what}`);
    this.keeper?.save(what, null);
    this.whenSaved((node) => node.note(`said ${what}`));
  }

  /** Something reaches the node that goes wrong. */
  fail(): void {
    this.later(() => {
      throw new Error('wrong');
    });
  }

  note(what: string): void {
    this.log.push(`${this.name} ${what}`);
  }

  protected succeeds(): boolean {
    return this.like();
  }
  protected arrive(): void {
    this.note('arrived');
  }
  protected inherit(previous: this): void {
    this.held = previous.held;
    this.note(`inherited ${this.held}`);
  }
  protected restore(conference: string): void {
    this.held.push(conference);
    this.note(`restored ${conference}`);
  }
  protected goOn(): void {
    this.note('went on');
  }
  protected announce(): void {
    this.note('announced');
  }
  protected finish(): void {
    this.note('finished');
  }
  protected rest(): void {
    this.note('rested');
  }
  protected saveAll(): void {
    this.note('saved all');
  }
  protected storeTrouble(trouble: string | null): void {
    this.note(`trouble: ${trouble}`);
  }
  protected run(cause: () => void): void {
    try {
      cause();
    } catch (error) {
      this.log.push(`thrown: ${error}`);
    }
  }
}

describe('the life of a node', () => {
  let runtime: Runtime;
  let log: string[];
  beforeEach(() => {
    runtime = new Runtime();
    log = [];
  });

  it('a node that is deployed anew leaves what it holds to its heir; what comes meanwhile is put off (PER-1)', async () => {
    const first = new LivingNode(runtime, 'first', { log });
    first.held = ['daily'];
    runtime.start();
    first.hear('one');
    await runtime.deploy([first], () => {
      first.hear('two');
      new LivingNode(runtime, 'second', { log });
      first.hear('three');
    });
    first.hear('four');
    assert.deepEqual(log, [
      'first arrived',
      'first went on',
      'first announced',
      'first heard one',
      'first said one',
      'second inherited daily',
      'second went on',
      'second heard two',
      'second said two',
      'second heard three',
      'second said three',
      'second announced',
      'second heard four',
      'second said four',
    ]);
  });

  it('what is on its way when a deployment begins arrives before the node is closed (PER-1)', async () => {
    const first = new LivingNode(runtime, 'first', { log });
    runtime.start();
    setImmediate(() => first.hear('late'));
    let closed = false;
    await runtime.deploy([first], () => {
      closed = true;
      assert.ok(!log.includes('first heard late'));
      new LivingNode(runtime, 'second', { log });
    });
    assert.ok(closed);
    assert.ok(log.includes('second heard late'));
  });

  it('nodes that stay stand still as well while others are deployed (PER-1)', async () => {
    const [stays, goes] = [new LivingNode(runtime, 'stays', { log }), new LivingNode(runtime, 'goes', { log: [] })];
    runtime.start();
    log.length = 0;
    await runtime.deploy([goes], () => {
      stays.hear('one');
      assert.deepEqual(log, []);
    });
    assert.deepEqual(log, ['stays went on', 'stays heard one', 'stays said one', 'stays announced']);
  });

  it('what nobody takes is ended once all flows have started (PER-4)', async () => {
    const first = new LivingNode(runtime, 'first', { log });
    runtime.start();
    await runtime.deploy([first], () => {});
    assert.equal(log.at(-1), 'first finished');
    first.hear('too late');
    assert.equal(log.at(-1), 'first finished');
  });

  it('what the new node cannot go on with is ended before it begins (PER-4)', async () => {
    const first = new LivingNode(runtime, 'first', { log });
    runtime.start();
    await runtime.deploy([first], () => new LivingNode(runtime, 'second', { log, like: () => false }));
    assert.deepEqual(log.slice(3), ['first finished', 'second arrived', 'second went on', 'second announced']);
  });

  it('a deleted node ends what it holds, and nothing of it stays in its store (PER-4)', async () => {
    const keeper = new Memory();
    const first = new LivingNode(runtime, 'first', { log, keeper });
    await keeper.loaded([]);
    runtime.start();
    await runtime.deploy([first], () => {}, true);
    assert.equal(log.at(-1), 'first finished');
    assert.deepEqual(keeper.log, ['drop']);
    assert.ok(keeper.closed);
  });

  it('Node-RED ends: without a store everything is ended, with one it rests (PER-2)', async () => {
    const keeper = new Memory();
    const [without, kept] = [
      new LivingNode(runtime, 'without', { log }),
      new LivingNode(runtime, 'kept', { log, keeper }),
    ];
    await keeper.loaded([]);
    runtime.start();
    await runtime.stop([without, kept]);
    assert.deepEqual(log.slice(-2), ['without finished', 'kept rested']);
    assert.deepEqual(keeper.log, []);
    assert.ok(keeper.closed);
  });

  it('what was kept is restored first; what comes before waits (PER-2)', async () => {
    const keeper = new Memory();
    const node = new LivingNode(runtime, 'node', { log, keeper });
    node.hear('early');
    runtime.start();
    node.hear('still early');
    assert.deepEqual(log, ['node arrived']);
    await keeper.loaded(['daily']);
    assert.deepEqual(log.slice(1), [
      'node restored daily',
      'node went on',
      'node heard early',
      'node heard still early',
      'node announced',
    ]);
  });

  it('a change is stored before it is announced (PER-2)', async () => {
    const keeper = new Memory();
    const node = new LivingNode(runtime, 'node', { log, keeper });
    await keeper.loaded([]);
    runtime.start();
    node.hear('one');
    assert.deepEqual(keeper.log, ['save one']);
    assert.equal(log.at(-1), 'node heard one');
    keeper.stored();
    assert.equal(log.at(-1), 'node said one');
  });

  it('what is stored while the node is deployed anew is announced by its heir, once (PER-1)', async () => {
    const keeper = new Memory();
    const first = new LivingNode(runtime, 'first', { log, keeper });
    await keeper.loaded([]);
    runtime.start();
    first.hear('one');
    await runtime.deploy([first], () => {
      new LivingNode(runtime, 'second', { log, keeper: new Memory() });
      keeper.stored();
    });
    assert.deepEqual(
      log.filter((line) => line.endsWith('said one')),
      ['second said one'],
    );
  });

  it('a node that is deployed anew while it loads goes on when all is there (PER-1 PER-2)', async () => {
    const keeper = new Memory();
    const first = new LivingNode(runtime, 'first', { log, keeper });
    runtime.start();
    first.hear('early');
    await runtime.deploy([first], () => new LivingNode(runtime, 'second', { log, keeper: new Memory() }));
    assert.ok(!log.includes('second heard early'));
    await keeper.loaded(['daily']);
    assert.deepEqual(log.slice(-4), [
      'second restored daily',
      'second went on',
      'second heard early',
      'second announced',
    ]);
  });

  it('another choice in the dialog: all is kept there from now on, and no longer where it was', async () => {
    const [before, after] = [new Memory(), new Memory()];
    const first = new LivingNode(runtime, 'first', { log, keeper: before });
    await before.loaded([]);
    runtime.start();
    await runtime.deploy([first], () => new LivingNode(runtime, 'second', { log, keeper: after, keepState: 'other' }));
    await after.loaded(['stale']);
    assert.deepEqual(before.log, ['drop']);
    assert.ok(before.closed);
    assert.ok(log.includes('second saved all'));
    assert.ok(!log.includes('second restored stale'));
  });

  it('what cannot be loaded leaves a node that works, and keeps nothing', async () => {
    const keeper = new Memory();
    const node = new LivingNode(runtime, 'node', { log, keeper });
    runtime.start();
    keeper.failing?.(new Error('unreadable'));
    await turn();
    node.hear('one');
    assert.ok(log.includes('node trouble: unreadable'));
    assert.deepEqual(log.slice(-2), ['node heard one', 'node said one']);
    assert.deepEqual(keeper.log, []);
  });

  it('trouble with a store is told by the node that is there now', async () => {
    const keeper = new Memory();
    const first = new LivingNode(runtime, 'first', { log, keeper });
    await keeper.loaded([]);
    runtime.start();
    await runtime.deploy([first], () => new LivingNode(runtime, 'second', { log, keeper: new Memory() }));
    first.report('full');
    first.report(null);
    assert.deepEqual(log.slice(-2), ['second trouble: full', 'second trouble: null']);
  });

  it('what is put off has a limit, which is told once; nothing that goes wrong in it stops the rest (MSG-6 MSG-5)', async () => {
    const keeper = new Memory();
    const node = new LivingNode(runtime, 'node', { log, keeper });
    runtime.start();
    node.fail();
    for (let count = 1; count < limits.putOff + 10; count += 1) node.hear('more');
    assert.equal(log.filter((line) => line.startsWith('error: More than')).length, 1);
    await keeper.loaded([]);
    assert.ok(log.includes('thrown: Error: wrong'));
    assert.equal(log.filter((line) => line === 'node heard more').length, limits.putOff - 1);
  });
});
