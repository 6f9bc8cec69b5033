import type { Clock } from '../port';
import { Agenda } from './agenda';
import { Focus } from './focus';
import { type FrontEnd, FrontEnds } from './front-ends';
import type { Line } from './line';
import { completeOptions, type PoolOptions, poolLimits } from './options';
import { seeded } from './random';
import { type Breakage, type Hop, Route } from './route';

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
  /** Conferences that exist, by URI. */
  readonly foci = new Map<string, Focus>();
  /** The endpoint that the pool is embedded for: faults that say whom they strike by nothing strike us. */
  readonly ours = new Member({ uri: 'sip:nobody@pool.example' });
  /** All who have a port, ourselves included. */
  readonly members = new Set<Member>([this.ours]);
  /** Conferences whose lobby the next join of ours ends up in, by URI. */
  readonly lobbyNext = new Set<string>();
  /** Nothing happens any more. */
  closed = false;

  constructor(options: Partial<PoolOptions>, clock: Clock) {
    this.options = completeOptions(options);
    this.agenda = new Agenda(clock);
    this.frontEnds = new FrontEnds(this.options.frontEnds);
    this.route = new Route(this.options, this.agenda, seeded(this.options.seed));
  }

  /** The conference, which comes into being when it is first asked for; null when there are too many. */
  open(uri: string): Focus | null {
    const known = this.foci.get(uri);
    if (known) return known;
    if (this.foci.size >= poolLimits.conferences) return null;
    const focus = new Focus(this, uri);
    this.foci.set(uri, focus);
    return focus;
  }

  /** The conference is over, for everybody. */
  end(focus: Focus): void {
    focus.dismissAll();
    this.foci.delete(focus.uri);
    for (const { lines } of this.members) {
      const line = lines.get(focus.uri);
      if (line) line.conferenceOver = true;
    }
  }

  /** A front end dies, with all Focuses and MCUs on it. */
  kill(frontEnd: FrontEnd): void {
    this.frontEnds.kill(frontEnd);
    for (const focus of this.foci.values()) focus.frontEndDied(frontEnd);
  }

  /** A front end is up again. What has moved away stays where it is. */
  restore(frontEnd: FrontEnd): void {
    this.frontEnds.restore(frontEnd);
    for (const focus of this.foci.values()) focus.frontEndRestored();
  }

  /** Breaks a hop until it is restored, or for a time. */
  breakHop(how: Breakage, forMs: number | null): Hop {
    const hop = this.route.break(how, forMs, () => this.connectionMayBeBack());
    if (how === 'refuse') for (const line of this.lines()) line.connectionLost();
    return hop;
  }

  /** Restores every broken hop. */
  restoreHops(): void {
    this.route.restore(this.route.hops, () => this.connectionMayBeBack());
  }

  private *lines(): Iterable<Line> {
    for (const { lines } of this.members) yield* lines.values();
  }

  private connectionMayBeBack(): void {
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
    this.lobbyNext.clear();
    this.agenda.close();
  }
}
