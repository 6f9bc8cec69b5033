/**
 * The one shape of every machine of the model: `step(state, input, moment, settings)` returns the next state, the
 * messages that leave, and the effects to be carried out. Nothing in here, or in any machine, reads a clock, draws a
 * random number, or does I/O: time and randomness come in as a `Moment`, and effects are data.
 */
import type { Fact, FactEnvelope, Request, Severity, Source } from './messages';

/** The present, as a step sees it. */
export interface Moment {
  /** Milliseconds since 1970. */
  now: number;
  /** Uniform in [0, 1); the only randomness that a step has. */
  random: number;
}

/** A deadline of one conference: `set-deadline` replaces an earlier one of the same name; firing is an input. */
export type DeadlineEffect =
  | { effect: 'set-deadline'; deadline: string; at: number }
  | { effect: 'cancel-deadline'; deadline: string };

/** What leaves a node: a fact, or a request to another node. */
export type Message = Fact | Request;

/** Result of a step. `messages` are in the order in which they leave. */
export interface Step<State, Effect> {
  state: State;
  messages: Message[];
  effects: Effect[];
}

/** Input of the machines that only decide: a message from a wire, or a deadline that is due. */
export type PolicyInput = { input: 'message'; message: Message } | { input: 'deadline'; deadline: string };

/** What a record of any machine has: plain, JSON-serialisable, one per conference. */
export interface MachineState {
  /** Version of this shape, for migrations of saved state (`migrations.ts`). */
  version: number;
  conference: string;
  /** `seq` of the latest fact. */
  seq: number;
  /** The dialog that the machine knows of; 0 before the first join. */
  dialog: number;
  /** The outage that the machine knows of, with the instant (ms since 1970) it began. */
  incident: Incident | null;
}

/** One outage. */
export interface Incident {
  id: string;
  startedAt: number;
}

/** A machine that only decides. */
export interface PolicyMachine<State extends MachineState, Settings> {
  /** A fresh record. */
  start(conference: string): State;
  step(state: State, input: PolicyInput, moment: Moment, settings: Settings): Step<State, DeadlineEffect>;
  /** Nothing is pending: the record may be forgotten when room is needed. */
  idle(state: State): boolean;
}

/** The last instant that a Date can tell (ECMA-262, 21.4.1.1); what is set for later is as good as never. */
const lastInstant = 8.64e15;

/** Instants that were written lately, each at the place of its last bits: to write a date costs as much as a whole step. */
const written = Array.from({ length: 256 }, () => ({ now: Number.NaN, text: '' }));

/** An instant as messages carry it: ISO 8601, UTC, milliseconds. */
export function instant(now: number): string {
  const latest = written[now & 255] as (typeof written)[number];
  if (now !== latest.now) {
    latest.text = new Date(Math.min(now, lastInstant)).toISOString();
    latest.now = now;
  }
  return latest.text;
}

/** The latest instant that was read, for the same reason. */
const latestRead = { text: '', at: 0 };

/** What a message carries as an instant, in ms since 1970; 0 for what is none. */
export function readInstant(text: string): number {
  if (text !== latestRead.text) {
    latestRead.at = Date.parse(text) || 0;
    latestRead.text = text;
  }
  return latestRead.at;
}

/**
 * An outage that begins now. The number of the fact that is about to tell of it keeps two of one level apart that begin in
 * the same millisecond (contract, rule 7).
 */
export function mintIncident({ conference, seq }: MachineState, level: string, now: number): Incident {
  return { id: `${conferenceName(conference)}/${level}/${instant(now)}/${seq + 1}`, startedAt: now };
}

/**
 * Short name of a conference for topics and incidents: the id of an `opaque=` parameter (MS-CONFBAS), else `user@host`;
 * what would break an MQTT topic becomes `-`.
 */
export function conferenceName(conference: string): string {
  if (conference !== latestNamed.conference) {
    latestNamed.name = nameIn(conference);
    latestNamed.conference = conference;
  }
  return latestNamed.name;
}

/** The latest name: a session and its MCU sessions, which all ask for it, need not keep one each. */
const latestNamed = { conference: '', name: '-' };

function nameIn(conference: string): string {
  const opaque = /[;?]opaque=(?:[^;]*:id:)?([^;?]+)/i.exec(conference)?.[1];
  const plain = conference.replace(/^sips?:/i, '').replace(/[;?].*$/, '');
  return (opaque ?? plain).replace(/[/+#\s]/g, '-') || '-';
}

/** The part of a fact that is its own. */
export type FactBody<F extends Fact = Fact> = F extends Fact ? Omit<F, keyof FactEnvelope> : never;

/**
 * Completes a fact: the only place that numbers, dates and signs one. The body becomes the fact, and must be nobody else's (a
 * copy of objects of many shapes costs more than all else in a step). Counts `state.seq` up; `incident` and `active` are those
 * of the machine's open outage unless given (an outage that this very fact closes is given with `active: false`).
 */
export function fact(
  state: MachineState,
  source: Source,
  moment: Moment,
  severity: Severity,
  body: FactBody,
  outage?: { id: string | null; active: boolean },
): Fact {
  const { incident } = state;
  state.seq += 1;
  const completed = body as Fact;
  completed.conference = state.conference;
  completed.at = instant(moment.now);
  completed.seq = state.seq;
  completed.source = source;
  completed.incident = outage ? outage.id : (incident?.id ?? null);
  completed.active = outage ? outage.active : incident !== null;
  completed.severity = severity;
  completed.dialog = state.dialog;
  completed.version = 1;
  return completed;
}
