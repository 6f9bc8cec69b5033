/**
 * What a run has visited: cells of tables, kinds of facts, ways from state to state with their reasons. What must be
 * visited is read from the tables themselves; the cells are counted where they stand, so nothing is inferred.
 */
import { conferenceSessionTable } from '../../nodes/recovery/conference-session';
import { failoverDetectorTables } from '../../nodes/recovery/failover-detector';
import { giveUpTimerTable } from '../../nodes/recovery/give-up-timer';
import { mcuSessionTable } from '../../nodes/recovery/mcu-session';
import type { CallReason, Fact, McuReason, StateReason } from '../../nodes/recovery/messages';
import { routeHealerTable } from '../../nodes/recovery/route-healer';
import type { Message } from '../../nodes/recovery/step';

type Cell = (...given: unknown[]) => unknown;

/** Kinds of facts; those that the model itself never says are false. */
const facts: { readonly [event in Fact['event']]: boolean } = {
  'state-changed': true,
  'mode-changed': true,
  'session-status': true,
  'call-state-changed': true,
  'media-changed': true,
  'text-received': true,
  'call-available': true,
  'roster-changed': true,
  'lobby-changed': true,
  'properties-changed': true,
  'operation-completed': true,
  'operation-failed': true,
  signal: true,
  'failover-detected': true,
  'route-status-changed': true,
  'healing-abandoned': true,
  'heal-attempted': true,
  'give-up-armed': true,
  'give-up-tick': true,
  'give-up-cancelled': true,
  'gave-up': true,
  'detector-status': true,
  'healer-status': true,
  'give-up-status': true,
  'suppression-changed': true,
  // By the fault-injector, which is a node without a machine.
  'fault-injected': false,
};

const stateReasons: { readonly [reason in StateReason]: boolean } = {
  JoinRequested: true,
  Joined: true,
  PlacedInLobby: true,
  Admitted: true,
  JoinFailed: true,
  FocusFailover: true,
  RouteBroken: true,
  RouteHealed: true,
  Rejoined: true,
  RejoinFailed: true,
  TerminateRequested: true,
  GaveUp: true,
  Ejected: true,
  ConferenceEnded: true,
  LobbyDenied: true,
  LobbyTimeout: true,
  RouteAbandoned: true,
  // One process simulates one owner.
  StoodDown: false,
  // Kept for a system that ends a session without saying why; neither pool nor SIP port does.
  Terminated: false,
};

const mcuReasons: { readonly [reason in McuReason]: boolean } = {
  Activated: true,
  NotSupported: true,
  McuFailover: true,
  FocusFailover: true,
  McuReportedActive: true,
  McuReportedInactive: true,
  ConferenceTerminated: true,
  StoodDown: false,
};

const callReasons: { readonly [reason in CallReason]?: boolean } = {
  Requested: true,
  Accepted: true,
  Failed: true,
  HungUp: true,
  TerminatedByMcuFailover: true,
  RemoteHungUp: true,
  ConferenceTerminated: true,
};

/** What only happens where another one takes over. */
const ofManyProcesses: ReadonlySet<string> = new Set(['stand-down', 'stood-down', 'snapshot', 'restore']);

/** Counts visits of a whole run. */
export class Visits {
  private readonly names: string[] = [];
  private readonly counts: number[] = [];
  private readonly places = new Map<string, number>();

  constructor() {
    this.expectReasons('state-changed of the session, reason', stateReasons);
    this.expectReasons('state-changed of an MCU session, reason', mcuReasons);
    this.expectReasons('call-state-changed, reason', callReasons);
    this.expectReasons('fact', facts);
    this.expectWays('the session', conferenceSessionTable.legal);
    this.expectWays('an MCU session', mcuSessionTable.legal);
    this.watchRows('conference-session', conferenceSessionTable.cells, conferenceSessionTable);
    this.watchRows('mcu-session', mcuSessionTable.cells, mcuSessionTable);
    for (const table of ['watching', 'suppressed'] as const) {
      this.watchCells(
        `failover-detector, ${table}`,
        failoverDetectorTables.cells[table],
        failoverDetectorTables.nothing,
      );
    }
    this.watchCells('route-healer', routeHealerTable.cells, routeHealerTable.nothing);
    this.watchCells('give-up-timer', giveUpTimerTable.cells, giveUpTimerTable.nothing);
  }

  /** A message has left a node. */
  said(message: Message): void {
    if (!('event' in message)) return;
    this.visit(`fact ${message.event}`);
    if (message.event === 'call-state-changed') this.visit(`call-state-changed, reason ${message.reason}`);
    if (message.event !== 'state-changed') return;
    const { previous, state, reason } = message;
    if (message.source === 'mcu-session') {
      this.visit(`an MCU session: ${previous} → ${state}`);
      this.visit(`state-changed of an MCU session, reason ${reason}`);
    } else {
      this.visit(`the session: ${previous} → ${state}`);
      this.visit(`state-changed of the session, reason ${reason}`);
    }
  }

  /** Counts, in the order in which `Visits` of the same build have them; to be added up over processes. */
  get all(): readonly number[] {
    return this.counts;
  }

  /** Adds the counts of another process. */
  add(counts: readonly number[]): void {
    for (const [place, count] of counts.entries()) this.counts[place] = (this.counts[place] ?? 0) + count;
  }

  /** How much there is to visit. */
  get total(): number {
    return this.names.length;
  }

  /** What was never visited. */
  get missing(): string[] {
    return this.names.filter((_, place) => this.counts[place] === 0);
  }

  /** What was visited least, with how often. */
  rarest(most: number): [name: string, count: number][] {
    const all = this.names.map((name, place): [string, number] => [name, this.counts[place] as number]);
    return all.sort(([, one], [, other]) => one - other).slice(0, most);
  }

  private visit(name: string): void {
    const place = this.places.get(name);
    if (place !== undefined) this.counts[place] = (this.counts[place] as number) + 1;
  }

  private expect(name: string): number {
    const place = this.names.length;
    this.names.push(name);
    this.counts.push(0);
    this.places.set(name, place);
    return place;
  }

  private expectReasons(what: string, reasons: { readonly [reason: string]: boolean }): void {
    for (const reason in reasons) if (reasons[reason]) this.expect(`${what} ${reason}`);
  }

  private expectWays(whose: string, legal: { readonly [state: string]: readonly string[] }): void {
    for (const state in legal) for (const next of legal[state] ?? []) this.expect(`${whose}: ${state} → ${next}`);
  }

  /** A table of the sessions: rows by input, with a cell for each phase. */
  private watchRows(
    name: string,
    rows: object,
    { phases, nothing }: { phases: readonly string[]; nothing: Cell },
  ): void {
    const table = rows as { [input: string]: readonly Cell[] };
    for (const input in table) {
      if (ofManyProcesses.has(input)) continue;
      const row = table[input] as readonly Cell[];
      table[input] = row.map((cell, column) => this.counted(`${name}: ${input} × ${phases[column]}`, cell, nothing));
    }
  }

  /** A table of a policy: rows by phase, with a cell for each event. */
  private watchCells(name: string, rows: object, nothing: Cell): void {
    const table = rows as { [phase: string]: { [event: string]: Cell } };
    for (const phase in table) {
      const row = table[phase] as { [event: string]: Cell };
      const counted: { [event: string]: Cell } = {};
      for (const event in row) {
        const cell = row[event] as Cell;
        counted[event] = ofManyProcesses.has(event)
          ? cell
          : this.counted(`${name}: ${phase} × ${event}`, cell, nothing);
      }
      table[phase] = counted;
    }
  }

  private counted(name: string, cell: Cell, nothing: Cell): Cell {
    if (cell === nothing) return cell;
    const place = this.expect(name);
    const { counts } = this;
    return (one, two, three) => {
      counts[place] = (counts[place] as number) + 1;
      return cell(one, two, three);
    };
  }
}
