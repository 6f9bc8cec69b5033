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

/** Everything there is in one pool: servers, hops, conferences, and our lines to them. */
export class System {
  readonly options: PoolOptions;
  readonly agenda: Agenda;
  readonly frontEnds: FrontEnds;
  readonly route: Route;
  /** Conferences that exist, by URI. */
  readonly foci = new Map<string, Focus>();
  /** Conferences that we serve, by URI. */
  readonly lines = new Map<string, Line>();
  /** Conferences whose lobby the next join of ours ends up in, by URI. */
  readonly lobbyNext = new Set<string>();
  /** Nothing happens any more. */
  closed = false;
  /** Whose port was taken. */
  identity: Identity = { uri: 'sip:nobody@pool.example' };

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
    focus.dismiss('conference-ended');
    this.foci.delete(focus.uri);
    const line = this.lines.get(focus.uri);
    if (line) line.conferenceOver = true;
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
    if (how === 'refuse') for (const line of this.lines.values()) line.connectionLost();
    return hop;
  }

  /** Restores every broken hop. */
  restoreHops(): void {
    this.route.restore(this.route.hops, () => this.connectionMayBeBack());
  }

  private connectionMayBeBack(): void {
    if (this.route.path === 'refuse') return;
    for (const line of this.lines.values()) line.connectionRestored();
  }

  /** Forgets all conferences and calls off all that was due. */
  close(): void {
    this.closed = true;
    for (const line of this.lines.values()) line.close();
    this.lines.clear();
    this.foci.clear();
    this.lobbyNext.clear();
    this.agenda.close();
  }
}
