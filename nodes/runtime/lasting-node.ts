/**
 * The life of a node whose state outlives it. One that is deployed anew leaves all it holds to the one that takes its place,
 * its heir; what a keeper has kept of a process that has ended is loaded at the start. While flows are deployed all nodes
 * stand still, also those that stay: what reaches them is put off until all flows have started, so that nothing gets lost,
 * and nothing is sent to nodes that are not there.
 */
import { setImmediate as turn } from 'node:timers/promises';
import type { Node, NodeMessage } from 'node-red';
import { limits } from '../recovery/limits';
import { type Deployments, type Heritage, keyOf } from './deployment';
import type { Keeper, SavedRecord } from './keeping/keeper';
import type { Translate, Words } from './status';

/** What a node needs of the Node-RED around it. */
export interface Surroundings {
  /** What is wrong with the node's configuration as a whole; null when nothing is. */
  complaint: { text: string; words: Words } | null;
  /** Reads a text that a typed input takes from elsewhere than the dialog; null where it does not. */
  readerOf(property: string): ((message: NodeMessage) => string) | null;
  translate: Translate;
  deployments: Deployments;
  /** This Node-RED as owner of conferences: the same after each start, and another one in another user directory. */
  owner: string;
  /** What its dialog says of keeping state; another choice makes another keeper. */
  keepState: string;
  /**
   * Makes what keeps state over a restart; null when nothing is to be kept. `report` is told what is wrong with the store,
   * and null when all is well again.
   */
  makeKeeper(report: (trouble: string | null) => void): Keeper | null;
}

/** Base of all nodes that keep state. A subclass calls `settle` when it is complete. */
export abstract class LastingNode implements Heritage {
  /** The node that has taken this one's place. */
  heir: this | null = null;
  protected keeper: Keeper | null = null;
  /** What waits until the node goes on; null while it does. */
  private putOff: ((node: this) => void)[] | null = null;
  private overflown = false;
  private loading = false;
  private started = false;
  private ended = false;
  private stopListening: () => void = () => {};

  constructor(
    protected readonly node: Node,
    private readonly surroundings: Surroundings,
  ) {
    node.on('close', (removed: boolean, done: () => void) => {
      this.close(removed)
        .catch((error: Error) => this.node.error(error))
        .then(done);
    });
  }

  // ------------------------------------------------------------------------------------------- what a kind of node defines

  /** May this node go on with what another one of its kind held? If not, that is ended. */
  protected abstract succeeds(previous: this): boolean;
  /** Nothing was left: the node begins anew. */
  protected abstract arrive(): void;
  /** Takes over all that the node held whose place this one takes. */
  protected abstract inherit(previous: this): void;
  /** Takes up what was kept of a conference, or of the node itself (`ownRecord`). */
  protected abstract restore(conference: string, saved: SavedRecord): void;
  /** All flows have started, and all is there: time goes on. Called at every start of the flows. */
  protected abstract goOn(): void;
  /** After `goOn`, and after what was put off. */
  protected abstract announce(): void;
  /** Ends what it holds open: nobody goes on with it. */
  protected abstract finish(): void;
  /** Lets go of what it holds open without ending it: after a restart it is taken up again. */
  protected abstract rest(): void;
  /** Puts all that it holds into its keeper. */
  protected abstract saveAll(): void;
  /** Something is wrong with the store, or is right again (null). */
  protected abstract storeTrouble(trouble: string | null): void;
  /** Runs something that no message caused. Never throws. */
  protected abstract run(cause: () => void): void;

  // ------------------------------------------------------------------------------------------------------------- beginning

  /** Begins, with what was left or kept if there is anything. */
  protected settle(): void {
    const { deployments } = this.surroundings;
    this.stopListening = deployments.listen({
      begins: () => this.standStill(),
      started: () => {
        this.started = true;
        this.tryToBegin();
      },
    });
    const left = deployments.take(keyOf(this.node));
    const previous = left?.constructor === this.constructor && this.succeeds(left as this) ? (left as this) : null;
    if (!previous) {
      left?.end();
      this.arrive();
      this.useKeeper(false);
      return;
    }
    previous.heir = this;
    this.putOff = previous.putOff;
    this.loading = previous.loading;
    this.inherit(previous);
    if (previous.surroundings.keepState === this.surroundings.keepState) {
      this.keeper = previous.keeper;
      return;
    }
    previous.keeper?.drop();
    previous.keeper?.close().catch((error: Error) => this.node.error(error));
    this.useKeeper(true);
  }

  /** Loads what is kept; what this node holds already comes before that. */
  private useKeeper(holding: boolean): void {
    const report = (trouble: string | null): void => this.later((node) => node.storeTrouble(trouble));
    const keeper = this.surroundings.makeKeeper(report);
    if (!keeper) return;
    this.putOff ??= [];
    this.loading = true;
    keeper.load().then(
      (records) => this.heirOrSelf.loaded(keeper, holding ? null : records),
      (error: Error) => {
        report(error.message);
        this.heirOrSelf.loaded(null, null);
      },
    );
  }

  private loaded(keeper: Keeper | null, records: Map<string, SavedRecord> | null): void {
    this.loading = false;
    if (this.ended) return;
    this.keeper = keeper;
    this.run(() => {
      for (const [conference, saved] of records ?? []) this.restore(conference, saved);
      if (!records) this.saveAll();
    });
    this.tryToBegin();
  }

  private standStill(): void {
    this.started = false;
    this.putOff ??= [];
  }

  private tryToBegin(): void {
    if (this.loading || !this.started || this.ended) return;
    const { putOff } = this;
    this.putOff = null;
    this.run(() => this.goOn());
    for (const each of putOff ?? []) this.run(() => each(this));
    this.run(() => this.announce());
  }

  // ----------------------------------------------------------------------------------------------------------- putting off

  /** Is there nobody, or another node, to take anything up now? */
  protected get away(): boolean {
    return this.putOff !== null || this.heir !== null;
  }

  /** Runs something in the node that goes on with what this one held, as soon as it does. */
  protected later(run: (node: this) => void): void {
    const node = this.heirOrSelf;
    const { putOff } = node;
    if (node.ended) return;
    if (!putOff) node.run(() => run(node));
    else if (putOff.length < limits.putOff) putOff.push(run);
    else node.overflow();
  }

  /** Runs something when all that was saved before is stored; at once where nothing is kept. */
  protected whenSaved(run: (node: this) => void): void {
    if (this.keeper) this.keeper.whenSaved(() => this.later(run));
    else run(this);
  }

  /** The node that goes on with what this one held: itself, as long as none has taken its place. */
  private get heirOrSelf(): this {
    let node = this;
    while (node.heir) node = node.heir;
    return node;
  }

  private overflow(): void {
    if (this.overflown) return;
    this.overflown = true;
    this.node.error(
      `More than ${limits.putOff} messages came while the node could not take them; the others are lost.`,
    );
  }

  // ---------------------------------------------------------------------------------------------------------------- closing

  private async close(removed: boolean): Promise<void> {
    const { deployments } = this.surroundings;
    this.stopListening();
    const closing = deployments.reasonFor(removed);
    if (closing !== 'redeploy') return this.leave(closing === 'removed');
    this.standStill();
    deployments.leave(keyOf(this.node), this);
    // What is on its way to this node still arrives here; when it is closed, Node-RED drops what comes.
    await turn();
  }

  /** Nobody has taken this node's place: it is disabled, or gone. */
  end(): void {
    this.leave(true).catch((error: Error) => this.node.error(error));
  }

  private async leave(forGood: boolean): Promise<void> {
    const { keeper } = this;
    this.ended = true;
    this.putOff ??= [];
    if (forGood || !keeper) this.finish();
    else this.rest();
    if (forGood) keeper?.drop();
    await keeper?.close();
  }
}
