/**
 * What a node says of itself under its box in the editor: the state in the field's words, and the figure that matters now,
 * in the language of the Node-RED server. Node-RED's editor can translate a text without figures only.
 */
import type { Node } from 'node-red';
import { deadlines, type Handle } from './deadlines';

/** What is translated: keys under `conference-endpoint.shared.status` of the message catalogues. */
export type StatusKey =
  | 'abandoned'
  | 'active'
  | 'allWell'
  | 'armed'
  | 'attempt'
  | 'attemptOf'
  | 'badCriteria'
  | 'badRule'
  | 'call'
  | 'cancelled'
  | 'conferences'
  | 'endpointBroken'
  | 'failing'
  | 'gaveUp'
  | 'healthy'
  | 'keptState'
  | 'newerConfiguration'
  | 'noEndpoint'
  | 'noPool'
  | 'notArmed'
  | 'notSet'
  | 'participants'
  | 'paused'
  | 'recovering'
  | 'repairing'
  | 'retrying'
  | 'routesRecovering'
  | 'secondSession'
  | 'suppressed'
  | 'waiting'
  | 'waitingOperations'
  | 'watched'
  | TimeKey
  | Unit;

/** How a time is said: how long it has been, how long it will be, and when the next attempt is made. */
export type TimeKey = 'for' | 'left' | 'next';

type Unit = 'seconds' | 'minutes' | 'hours' | 'days';

/** Words of the field stay as they are; all others are a key, with the figures in it. */
export type Words = string | readonly [key: StatusKey, figures?: { readonly [figure: string]: number | string }];

/** A status, before it is put into words. */
export interface Status {
  fill: 'red' | 'green' | 'yellow' | 'blue' | 'grey';
  shape: 'ring' | 'dot';
  /** What it says, the most important first. */
  words: readonly Words[];
  /** The time that it ends with, from or to an instant (ms since 1970). */
  time?: { readonly key: TimeKey; readonly at: number } | undefined;
}

/** Puts words into the language of the Node-RED server. */
export type Translate = (key: StatusKey, figures?: { readonly [figure: string]: number | string }) => string;

/** So many statuses may follow each other at once; then one in so many ms, as people can read them. */
const mostAtOnce = 50;
const pauseMs = 50;

/** More does not fit under a node in the editor. */
const longest = 39;

/** Each with its length in ms, and how long it is told in whole ones of it. */
const units: readonly { readonly unit: Unit; readonly ms: number; readonly upToMs: number }[] = [
  { unit: 'seconds', ms: 1_000, upToMs: 120_000 },
  { unit: 'minutes', ms: 60_000, upToMs: 7_200_000 },
  { unit: 'hours', ms: 3_600_000, upToMs: 172_800_000 },
  { unit: 'days', ms: 86_400_000, upToMs: Number.POSITIVE_INFINITY },
];

/** A time as it reads now, and from when on it will read differently (ms since 1970; null when it never will). */
interface Reading {
  unit: Unit;
  number: number;
  changesAt: number | null;
}

function read(key: TimeKey, at: number, now: number): Reading {
  const past = key === 'for';
  const ms = Math.max(0, past ? now - at : at - now);
  const { unit, ms: unitMs } = units.find(({ upToMs }) => ms <= upToMs) as (typeof units)[number];
  const number = past ? Math.floor(ms / unitMs) : Math.ceil(ms / unitMs);
  if (past) return { unit, number, changesAt: at + (number + 1) * unitMs };
  return { unit, number, changesAt: number > 0 ? at - (number - 1) * unitMs : null };
}

/** The status of one node: shown when it reads differently, and put into words only then. */
export class StatusLine {
  private shown = '';
  /** When the time in it will read differently (ms since 1970; null for never), and what waits for that. */
  private changesAt: number | null = null;
  private refresh: Handle = 0;
  /** As if the latest status had been shown at that instant (ms since 1970), each a pause after the one before. */
  private pacedAt = 0;
  /** What waits for its turn. */
  private next: Handle = 0;
  private closed = false;

  /** `status` tells what there is to be shown; null for nothing. */
  constructor(
    private readonly node: Node,
    private readonly translate: Translate,
    private readonly status: () => Status | null,
  ) {
    node.on('close', () => {
      this.closed = true;
      this.wake(null);
      deadlines.cancel(this.next);
    });
  }

  /** The status may be another one: shows it; later, when thousands of messages touch it at once. */
  touch(): void {
    if (this.next !== 0 || this.closed) return;
    const now = Date.now();
    this.pacedAt = Math.max(this.pacedAt, now - mostAtOnce * pauseMs) + pauseMs;
    if (this.pacedAt <= now) return this.show();
    const due = (): void => {
      this.next = 0;
      this.show();
    };
    this.next = deadlines.set(this.pacedAt, { due });
  }

  private show(): void {
    const status = this.status();
    const { key, at } = status?.time ?? {};
    const reading = key === undefined || at === undefined ? null : read(key, at, Date.now());
    this.wake(reading?.changesAt ?? null);
    const what = status
      ? JSON.stringify([status.fill, status.shape, status.words, reading?.unit, reading?.number])
      : '';
    if (what === this.shown) return;
    this.shown = what;
    if (!status) return void this.node.status({});
    const { fill, shape } = status;
    this.node.status({ fill, shape, text: this.textOf(status, key, reading) });
  }

  private textOf({ words }: Status, key: TimeKey | undefined, reading: Reading | null): string {
    const parts = words.map((each) => (typeof each === 'string' ? each : this.translate(...each)));
    // What has just begun has lasted for no time that would be worth a word.
    if (key && reading && (key !== 'for' || reading.number > 0)) {
      const time = this.translate(reading.unit, { number: reading.number });
      parts.push(this.translate(key, { time }));
    }
    // State and time come first and last: what is between them gives way.
    while (parts.length > 2 && parts.join(' · ').length > longest) parts.splice(1, 1);
    const text = parts.join(' · ');
    return text.length > longest ? `${text.slice(0, longest - 1)}…` : text;
  }

  private wake(at: number | null): void {
    if (at === this.changesAt) return;
    deadlines.cancel(this.refresh);
    this.changesAt = at;
    if (at === null || this.closed) return;
    const due = (): void => {
      this.changesAt = null;
      this.show();
    };
    this.refresh = deadlines.set(at, { due });
  }
}
