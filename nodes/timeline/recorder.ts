/**
 * What the nodes of this process have told lately, conference by conference, for whoever looks at it in the editor. It is
 * fed by every node, so it does next to nothing per message: most facts are not for the timeline, and of the others a
 * copy is put at the end of a list, without a timer and without a word to anybody.
 */
import type { OperationFailed } from '../recovery/messages';
import type { Message } from '../recovery/step';
import { type Entry, History, keptMs, type ShownFact } from './history';

/** Bounds over all conferences; about 25 MB when all are reached. `History` has that of one. */
export const recorderLimits = {
  /** Entries. Where there are more, conferences without news lose theirs first. */
  entries: 20_000,
  /** Conferences. The one that has been without news for longest is forgotten. */
  conferences: 2_000,
} as const;

/** Longest text of an entry, in characters: what servers say may be long. */
const longestText = 500;

/** How a conference is, in the list of all. */
export interface Summary {
  conference: string;
  /** As in topics. */
  name: string;
  /** Of the conference session; null when none has been heard of. */
  state: string | null;
  mode: string | null;
  /** When it entered that state, in ms since 1970. */
  since: number;
  /** Of the latest entry. */
  cursor: number;
}

interface Kept {
  readonly summary: Summary;
  readonly history: History;
}

/** A record of many conferences. */
export class Recorder {
  /** Nothing is recorded as long as nobody could look at it. */
  on = false;
  /** When recording began, in ms since 1970. Tells one life of the process from another, too. */
  since = 0;
  /** Of the latest entry of all. */
  cursor = 0;
  /** The one that has been without news for longest comes first. */
  private readonly conferences = new Map<string, Kept>();
  private size = 0;

  /** Begins to record. */
  start(): void {
    this.on = true;
    this.since = Date.now();
  }

  /** Takes down what leaves a node, if it is for the timeline. `name` is that of the conference in topics. */
  record(node: string, name: string, message: Message): void {
    if (!this.on || !('event' in message)) return;
    const fact = keep(message);
    if (fact) this.add(name, { cursor: ++this.cursor, node, at: Date.now(), fact });
  }

  /** Conferences with news since a cursor, and the one without news for longest. */
  summaries(since: number): { conferences: Summary[]; oldest: number } {
    const conferences: Summary[] = [];
    let oldest = Number.POSITIVE_INFINITY;
    for (const { summary } of this.conferences.values()) {
      oldest = Math.min(oldest, summary.cursor);
      if (summary.cursor > since) conferences.push(summary);
    }
    return { conferences, oldest: Number.isFinite(oldest) ? oldest : 0 };
  }

  /** The last hour of a conference; undefined when nothing is known of it. */
  historyOf(conference: string): History | undefined {
    const history = this.conferences.get(conference)?.history;
    if (history) {
      this.size -= history.size;
      history.forgetBefore(Date.now() - keptMs);
      this.size += history.size;
    }
    return history;
  }

  private add(name: string, entry: Entry): void {
    const { conference } = entry.fact;
    const kept = this.conferences.get(conference) ?? fresh(conference);
    this.conferences.delete(conference);
    this.conferences.set(conference, kept);
    sumUp(kept.summary, name, entry);
    this.size -= kept.history.size;
    kept.history.add(entry);
    this.size += kept.history.size;
    if (this.conferences.size > recorderLimits.conferences) this.forgetQuietest();
    if (this.size > recorderLimits.entries) this.makeRoom();
  }

  private forgetQuietest(): void {
    const [first] = this.conferences;
    if (!first) return;
    const [conference, { history }] = first;
    this.conferences.delete(conference);
    this.size -= history.size;
  }

  /** A tenth at once, so that it is not done for each entry. */
  private makeRoom(): void {
    for (const { history } of this.conferences.values()) {
      while (history.entries.length > 0) {
        if (this.size <= 0.9 * recorderLimits.entries) return;
        this.size -= history.size;
        history.forgetOldest();
        this.size += history.size;
      }
    }
  }
}

/** The record of this process. */
export const recorder = new Recorder();

function fresh(conference: string): Kept {
  const summary = { conference, name: '', state: null, mode: null, since: 0, cursor: 0 };
  return { summary, history: new History() };
}

/** In place: it is done for every entry. */
function sumUp(summary: Summary, name: string, { cursor, at, fact }: Entry): void {
  summary.name = name;
  summary.cursor = cursor;
  // The session has the last word on Focus and route; an MCU that fails over does not make it a conference in trouble.
  if (fact.source !== 'conference-session') return;
  if (fact.event === 'state-changed' || fact.event === 'session-status') {
    if (fact.state !== summary.state) summary.since = at;
    summary.state = fact.state;
    summary.mode = fact.mode;
  } else if (fact.event === 'mode-changed') summary.mode = fact.mode;
}

/** A copy of a fact that the timeline shows, of limited size; null of any other. The message itself goes on to others. */
function keep(fact: Message): ShownFact | null {
  if (!('event' in fact)) return null;
  switch (fact.event) {
    case 'state-changed':
    case 'mode-changed':
    case 'session-status':
    case 'call-state-changed':
    case 'media-changed':
    case 'heal-attempted':
    case 'route-status-changed':
    case 'healing-abandoned':
    case 'suppression-changed':
    case 'give-up-cancelled':
      return { ...fact };
    case 'gave-up':
      return { ...fact, explanation: shortened(fact.explanation) };
    case 'give-up-armed':
      return { ...fact, criteria: [...fact.criteria] };
    case 'failover-detected':
      return { ...fact, evidence: fact.evidence.map((evidence) => ({ ...evidence })) };
    case 'fault-injected':
      return fact.fault === 'status' ? null : { ...fact, detail: structuredClone(fact.detail) };
    case 'operation-failed':
      return keepFailure(fact);
    default:
      return null;
  }
}

/** Without what a server sent along. */
function keepFailure(fact: OperationFailed): OperationFailed {
  const { response, diagnostics, ...error } = fact.error;
  return {
    ...fact,
    error: {
      ...error,
      bases: [...error.bases],
      message: shortened(error.message),
      response: response && { status: response.status, reason: shortened(response.reason), headers: {}, body: '' },
      diagnostics: diagnostics && {
        id: diagnostics.id,
        ...(diagnostics.reason === undefined ? {} : { reason: shortened(diagnostics.reason) }),
      },
    },
  };
}

function shortened(text: string): string {
  return text.length > longestText ? `${text.slice(0, longestText - 1)}…` : text;
}
