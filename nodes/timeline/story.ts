/** What a conference's facts mean on a timeline: bars, marks and lines, in ms since 1970. Needs no other file. */
import type { Entry, ShownFact } from './history';

/** What lasts for a while; `to` is null while it does. */
export interface Bar {
  from: number;
  to: number | null;
  /** State, in the field's words. */
  word: string;
  mode: string | null;
}

/** What one node, or the call of one, was like in the course of time. */
export interface Lane {
  kind: 'session' | 'mcu' | 'call' | 'media';
  node: string;
  /** Null for the conference session. */
  mcu: string | null;
  bars: Bar[];
}

/** What happens at an instant. */
export interface Mark {
  at: number;
  kind: MarkKind;
  /** The MCU that it concerns; null when it concerns Focus, route or conference. */
  mcu: string | null;
  entry: Entry;
}

export type MarkKind =
  | 'suspected'
  | 'failed'
  | 'failed-over'
  | 'cleared'
  | 'attempt'
  | 'healed'
  | 'abandoned'
  | 'gave-up'
  | 'error'
  | 'fault';

/** A give-up timer that runs, or has run. */
export interface Countdown {
  armedAt: number;
  /** Null when no criterion is a matter of time alone. */
  deadlineAt: number | null;
  /** When it was called off or set anew, or gave up; null while it runs. */
  endedAt: number | null;
  gaveUp: boolean;
}

/** One outage. */
export interface Outage {
  id: string;
  from: number;
  /** Null while it is open. */
  to: number | null;
}

/** A conference's timeline. */
export interface Story {
  lanes: Lane[];
  marks: Mark[];
  countdowns: Countdown[];
  /** The latest first. */
  outages: Outage[];
}

const laneOrder = ['session', 'mcu', 'call', 'media'];

/** Tells the story of a conference from what was recorded of it, oldest first. `gone` are nodes that are no more. */
export function storyOf(standing: readonly Entry[], entries: readonly Entry[], gone: readonly string[] = []): Story {
  const lanes = new Map<string, Lane>();
  const running = new Map<string, Countdown>();
  const outages = new Map<string, Outage>();
  const story: Story = { lanes: [], marks: [], countdowns: [], outages: [] };
  for (const entry of [...standing, ...entries]) {
    extend(lanes, entry);
    countDown(story.countdowns, running, entry);
  }
  for (const entry of entries) {
    const kind = markOf(entry.fact);
    if (kind) story.marks.push({ at: entry.at, kind, mcu: mcuOf(entry.fact), entry });
    noteOutage(outages, entry);
  }
  for (const lane of lanes.values()) if (gone.includes(lane.node)) endAt(lane, lastOf(lane, entries));
  story.lanes = [...lanes.values()].sort(
    (a, b) =>
      (a.mcu ?? '').localeCompare(b.mcu ?? '') ||
      a.node.localeCompare(b.node) ||
      laneOrder.indexOf(a.kind) - laneOrder.indexOf(b.kind),
  );
  story.outages = [...outages.values()].reverse();
  return story;
}

/** Everything that was recorded of an outage, for a report. */
export function reportOf(conference: string, outage: Outage, entries: readonly Entry[]): object {
  return {
    conference,
    incident: outage.id,
    startedAt: new Date(outage.from).toISOString(),
    endedAt: outage.to === null ? null : new Date(outage.to).toISOString(),
    facts: entries.filter(({ fact }) => fact.incident === outage.id).map(({ fact }) => fact),
  };
}

function extend(lanes: Map<string, Lane>, { at, node, fact }: Entry): void {
  switch (fact.event) {
    case 'state-changed':
      if (fact.source === 'mcu-session') {
        enter(laneOf(lanes, 'mcu', node, fact.mcu), at, fact.state, null, fact.previous);
      } else {
        const before = Date.parse(fact.startedAt);
        enter(laneOf(lanes, 'session', node, null), at, fact.state, fact.mode, fact.previous, before);
      }
      break;
    case 'session-status':
      enter(laneOf(lanes, 'session', node, null), at, fact.state, fact.mode, null);
      break;
    case 'mode-changed':
      enter(laneOf(lanes, 'session', node, null), at, 'Reconnecting', fact.mode, null);
      break;
    case 'call-state-changed':
      enter(laneOf(lanes, 'call', node, fact.mcu), at, fact.state, null, fact.previous);
      if (fact.state === 'Terminated') endAt(lanes.get(`media ${node}`), at);
      break;
    case 'media-changed':
      enter(laneOf(lanes, 'media', node, fact.mcu), at, fact.flowing ? 'flowing' : 'silent', null, null);
      break;
  }
}

function laneOf(lanes: Map<string, Lane>, kind: Lane['kind'], node: string, mcu: string | null): Lane {
  const key = `${kind} ${node}`;
  const lane = lanes.get(key) ?? { kind, node, mcu, bars: [] };
  lanes.set(key, lane);
  return lane;
}

/** `previous` is what it was before, for a lane that begins here: since `before`, or since ever. */
function enter(
  lane: Lane,
  at: number,
  word: string,
  mode: string | null,
  previous: string | null,
  before = Number.NEGATIVE_INFINITY,
): void {
  const last = lane.bars.at(-1);
  if (last && last.to === null && last.word === word && last.mode === mode) return;
  endAt(lane, at);
  if (!last && previous !== null) lane.bars.push({ from: before, to: at, word: previous, mode: null });
  lane.bars.push({ from: at, to: null, word, mode });
}

function endAt(lane: Lane | undefined, at: number): void {
  const last = lane?.bars.at(-1);
  if (last && last.to === null) last.to = Math.max(last.from, at);
}

/** When the node of a lane was last heard. */
function lastOf(lane: Lane, entries: readonly Entry[]): number {
  const own = entries.filter(({ node }) => node === lane.node);
  return own.at(-1)?.at ?? lane.bars.at(-1)?.from ?? 0;
}

function countDown(all: Countdown[], running: Map<string, Countdown>, { at, node, fact }: Entry): void {
  if (fact.event !== 'give-up-armed' && fact.event !== 'give-up-cancelled' && fact.event !== 'gave-up') return;
  const runs = running.get(node);
  if (runs) Object.assign(runs, { endedAt: at, gaveUp: fact.event === 'gave-up' });
  running.delete(node);
  if (fact.event !== 'give-up-armed') return;
  const deadlineAt = fact.deadlineAt === null ? null : Date.parse(fact.deadlineAt);
  const countdown: Countdown = { armedAt: at, deadlineAt, endedAt: null, gaveUp: false };
  running.set(node, countdown);
  all.push(countdown);
}

function markOf(fact: ShownFact): MarkKind | null {
  switch (fact.event) {
    case 'failover-detected':
      return fact.phase;
    case 'heal-attempted':
      return fact.outcome === 'healed' || fact.outcome === 'healed-by-peer' ? 'healed' : 'attempt';
    case 'healing-abandoned':
      return 'abandoned';
    case 'gave-up':
      return 'gave-up';
    case 'operation-failed':
      return 'error';
    case 'fault-injected':
      return 'fault';
    default:
      return null;
  }
}

function mcuOf(fact: ShownFact): string | null {
  return 'mcu' in fact ? (fact.mcu ?? null) : null;
}

/** An error does not open an outage that is over, nor does any other late word: the first that closes it counts. */
function noteOutage(outages: Map<string, Outage>, { at, fact }: Entry): void {
  if (fact.incident === null) return;
  const outage = outages.get(fact.incident) ?? { id: fact.incident, from: at, to: null };
  if (!fact.active && outage.to === null) outage.to = at;
  outages.set(fact.incident, outage);
}
