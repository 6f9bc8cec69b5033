import type { JsonObject } from '../../recovery/messages';
import type { Clock } from '../port';
import { Agenda } from './agenda';
import { Conferences } from './conferences';
import { Focus } from './focus';
import { type FrontEnd, FrontEnds } from './front-ends';
import type { Line } from './line';
import { completeOptions, type PoolOptions, poolLimits } from './options';
import { seeded } from './random';
import { type Breakage, type Hop, Route } from './route';
import { readSystem, type SavedFocus, type SavedSystem } from './saved';

/** Who we are. */
export interface Identity {
  uri: string;
  displayName?: string;
}

/** Somebody who takes part through a port of the pool. */
export class Member {
  /** Conferences that they serve, by URI. */
  readonly lines = new Map<string, Line>();

  constructor(public identity: Identity) {}
}

/** Everything there is in one pool: servers, hops, conferences, and the lines to them. */
export class System {
  readonly options: PoolOptions;
  readonly agenda: Agenda;
  readonly frontEnds: FrontEnds;
  readonly route: Route;
  readonly foci: Conferences;
  /** The endpoint that the pool is embedded for: faults that say whom they strike by nothing strike us. */
  readonly ours = new Member({ uri: 'sip:nobody@pool.example' });
  /** All who have a port, ourselves included. */
  readonly members = new Set<Member>([this.ours]);
  /** Conferences whose lobby the next join of ours ends up in, by URI. */
  readonly lobbyNext = new Set<string>();
  /** Nothing happens any more. */
  closed = false;
  private watcher: ((conference: string | null) => void) | null = null;
  /** What has changed since the watcher was told, and what is known to be the same since it was asked for. */
  private readonly changed = new Set<string | null>();
  private readonly kept = new Map<string | null, JsonObject>();

  constructor(options: Partial<PoolOptions>, clock: Clock) {
    this.options = completeOptions(options);
    this.agenda = new Agenda(clock);
    this.foci = new Conferences(this.agenda);
    this.frontEnds = new FrontEnds(this.options.frontEnds);
    this.route = new Route(this.options, this.agenda, seeded(this.options.seed), () => this.touch(null));
  }

  /** The conference, which comes into being when it is first asked for; null when there are too many. */
  open(uri: string): Focus | null {
    const known = this.foci.get(uri);
    if (known) return known;
    if (this.foci.size >= poolLimits.conferences) return null;
    const focus = new Focus(this, uri);
    this.foci.add(focus);
    return focus;
  }

  /** The conference, which is not there, as it was kept. */
  restored(uri: string, saved: SavedFocus): Focus {
    const focus = new Focus(this, uri, saved);
    this.foci.add(focus);
    return focus;
  }

  /** The conference is over, for everybody. */
  end(focus: Focus): void {
    focus.dismissAll();
    this.touch(focus.uri);
    this.foci.delete(focus);
    for (const { lines } of this.members) {
      const line = lines.get(focus.uri);
      if (line) line.conferenceOver = true;
    }
  }

  // --------------------------------------------------------------------------------------------------- over restarts

  /** Something of a conference (null: of what all share) is not what it was. */
  touch(conference: string | null): void {
    this.kept.delete(conference);
    const { watcher, changed } = this;
    if (watcher === null || this.closed) return;
    if (changed.size === 0) {
      queueMicrotask(() => {
        const told = [...changed];
        changed.clear();
        if (!this.closed) for (const each of told) watcher(each);
      });
    }
    changed.add(conference);
  }

  /** Tells what has changed, later and once for many changes. */
  watch(watcher: (conference: string | null) => void): void {
    this.watcher = watcher;
  }

  /** What is to be kept of a conference (null: of what all share); made anew only when something has changed. */
  keep(conference: string | null, make: () => JsonObject | null): JsonObject | null {
    const known = this.kept.get(conference);
    if (known) return known;
    const made = make();
    if (made) this.kept.set(conference, made);
    return made;
  }

  /** What all conferences share. */
  saved(): JsonObject {
    const system: SavedSystem = {
      version: 1,
      down: this.frontEnds.casualties,
      route: this.route.saved(),
      lobbyNext: [...this.lobbyNext],
    };
    return system as unknown as JsonObject;
  }

  /** The same, as it was kept; false when it cannot be used. */
  restoreSaved(saved: JsonObject): boolean {
    const read = readSystem(saved);
    if (!read) return false;
    const { down, route, lobbyNext } = read;
    for (const name of down) {
      const frontEnd = this.frontEnds.livingOne(name);
      if (frontEnd) this.frontEnds.kill(frontEnd);
    }
    this.route.restoreSaved(route, () => this.connectionMayBeBack());
    for (const conference of lobbyNext) this.lobbyNext.add(conference);
    this.touch(null);
    return true;
  }

  /** A front end dies, with all Focuses and MCUs on it. */
  kill(frontEnd: FrontEnd): void {
    this.frontEnds.kill(frontEnd);
    this.touch(null);
    this.foci.strikeAll((focus) => {
      focus.frontEndDied(frontEnd);
      this.touch(focus.uri);
    });
  }

  /** A front end is up again. What has moved away stays where it is. */
  restore(frontEnd: FrontEnd): void {
    this.frontEnds.restore(frontEnd);
    this.touch(null);
    this.foci.strikeAll((focus) => {
      focus.frontEndRestored();
      this.touch(focus.uri);
    });
  }

  /** Breaks a hop until it is restored, or for a time. */
  breakHop(how: Breakage, forMs: number | null): Hop {
    const hop = this.route.break(how, forMs, () => this.connectionMayBeBack());
    this.touch(null);
    if (how === 'refuse') for (const line of this.lines()) line.connectionLost();
    return hop;
  }

  /** Restores every broken hop. */
  restoreHops(): void {
    this.route.restore(this.route.hops, () => this.connectionMayBeBack());
    this.touch(null);
  }

  private *lines(): Iterable<Line> {
    for (const { lines } of this.members) yield* lines.values();
  }

  private connectionMayBeBack(): void {
    this.touch(null);
    if (this.route.path === 'refuse') return;
    for (const line of this.lines()) line.connectionRestored();
  }

  /** Forgets all conferences and calls off all that was due. */
  close(): void {
    this.closed = true;
    for (const line of this.lines()) line.close();
    for (const { lines } of this.members) lines.clear();
    this.members.clear();
    this.foci.clear();
    this.kept.clear();
    this.lobbyNext.clear();
    this.agenda.close();
  }
}
