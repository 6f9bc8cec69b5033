/**
 * What the machines that only decide have in common: how they hear of the session, keep their deadlines, and write a
 * step. They are `failover-detector.ts`, `route-healer.ts` and `give-up-timer.ts` (contract, section 4).
 */
import { invalidOperation } from './errors';
import type {
  ConferenceState,
  Fact,
  FactEnvelope,
  ModeChanged,
  Request,
  SessionStatus,
  Severity,
  Source,
  StateChanged,
} from './messages';
import { without } from './own-properties';
import {
  type DeadlineEffect,
  type FactBody,
  fact,
  type MachineState,
  type Message,
  type Moment,
  readInstant,
  type Step,
} from './step';

/** What a record of any policy machine has. */
export interface PolicyState extends MachineState {
  /** State of the session as last heard; null as long as nothing was heard (a fresh record in the middle of a session). */
  session: ConferenceState | null;
  /** `seq` of the latest fact that the session told of its state, and when it was told (ms since 1970). */
  heard: number;
  heardAt: number;
  /** What is due when (ms since 1970), by name. A deadline that fires and is not in here is stale. */
  deadlines: { readonly [deadline: string]: number };
}

/** The part of a fresh record that all policy machines share. */
export function blank(conference: string): PolicyState {
  return {
    version: 1,
    conference,
    seq: 0,
    dialog: 0,
    incident: null,
    session: null,
    heard: 0,
    heardAt: 0,
    deadlines: {},
  };
}

/** The states in which a session takes part in its conference, so that there is something to recover (FE-27). */
export const takesPart: { readonly [state in ConferenceState]: boolean } = {
  Idle: false,
  Connecting: false,
  InLobby: true,
  Connected: true,
  Reconnecting: true,
  Disconnecting: false,
  Disconnected: false,
};

/**
 * Does a message of some dialog concern the machine: the session takes part, in this very dialog (contract, rule 8; FE-27;
 * MSG-8)? Who has not heard of the session yet takes any.
 */
export function concerns({ session, dialog }: PolicyState, message: { dialog: number }): boolean {
  return session === null || (takesPart[session] && message.dialog === dialog);
}

/** Does the fact name an outage, and another one than the machine knows? It has closed then (contract, rule 7; MSG-8). */
export function ofAnotherIncident(state: MachineState, { incident }: FactEnvelope): boolean {
  return incident !== null && state.incident !== null && incident !== state.incident.id;
}

/** Is the message a fact of the conference session about itself? The MCU sessions' `state-changed` is not. */
export function isFromSession(message: Message): message is SessionFact {
  return (
    'event' in message &&
    (message.event === 'state-changed' || message.event === 'mode-changed' || message.event === 'session-status') &&
    message.source === 'conference-session'
  );
}

/** A fact of the conference session about itself. */
export type SessionFact = StateChanged | ModeChanged | SessionStatus;

/**
 * Is the fact older than what was heard of the session already? Over a wire that does not keep order it would bring the past
 * back. A session whose node was deployed anew may number its facts anew; then its first is its status. So may one that has
 * outlived its process with a state that was saved before it said what we have heard; then it speaks later, all the same.
 */
export function isOutdated({ heard, heardAt }: PolicyState, fact: SessionFact): boolean {
  if (fact.seq > heard) return false;
  return !(fact.event === 'session-status' && (fact.seq === 1 || (fact.restored && readInstant(fact.at) > heardAt)));
}

/** What a machine remembers of the latest fact of the session. */
export function heardOf({ seq, at, dialog }: SessionFact): Pick<PolicyState, 'heard' | 'heardAt' | 'dialog'> {
  return { heard: seq, heardAt: readInstant(at), dialog };
}

/** Does the session outlive its process? Then answers that were under way are lost, and so may be what we told each other. */
export function hasOutlivedProcess(fact: SessionFact): boolean {
  return fact.event === 'session-status' && fact.restored;
}

/** `to`, if the machine may go there from `from`; every writer of a phase asks here. Throws for a mistake of ours. */
export function legalTransition<Phase extends string>(
  legal: { readonly [from in Phase]: readonly Phase[] },
  from: Phase,
  to: Phase,
): Phase {
  if (!legal[from].includes(to)) throw new Error(`No transition leads from ${from} to ${to}.`);
  return to;
}

/** A step in the making: the given record is copied at the first change, and never touched; the copy is changed in place. */
export class Draft<State extends PolicyState, Settings> {
  readonly settings: Settings;
  /** The record as it was. */
  readonly before: Readonly<State>;
  readonly now: number;
  readonly random: number;
  readonly #source: Source;
  readonly #moment: Moment;
  readonly #messages: Message[] = [];
  readonly #effects: DeadlineEffect[] = [];
  #state: State;

  constructor(
    source: Source,
    state: State,
    moment: Moment,
    settings: Settings,
    private readonly copyOf: (state: State) => State = (record) => ({ ...record }),
  ) {
    this.#source = source;
    this.#state = state;
    this.before = state;
    this.#moment = moment;
    this.settings = settings;
    this.now = moment.now;
    this.random = moment.random;
  }

  /** The record as it is by now. */
  get state(): Readonly<State> {
    return this.#state;
  }

  /** Replaces members of the record. */
  change(members: Partial<State>): void {
    Object.assign(this.#own(), members);
  }

  /** The copy of the record. */
  #own(): State {
    if (this.#state === this.before) this.#state = this.copyOf(this.before);
    return this.#state;
  }

  /** Emits a fact. `outage` is given when it is not the open one of the record. */
  tell(severity: Severity, body: FactBody<Fact>, outage?: { id: string | null; active: boolean }): void {
    this.#messages.push(fact(this.#own(), this.#source, this.#moment, severity, body, outage));
  }

  /** Emits a request. */
  ask(request: Request): void {
    this.#messages.push({ conference: this.#state.conference, ...request });
  }

  /** Reports a command that cannot be applied now (GU-10). `message` says what would be right. */
  refuse(operation: string, message: string): void {
    const { incident, session } = this.#state;
    this.tell('error', {
      event: 'operation-failed',
      operation,
      operationId: null,
      error: { ...invalidOperation(message), incident: incident?.id ?? null, state: session },
    });
  }

  /** Sets or replaces a deadline. `at` in ms since 1970. */
  schedule(deadline: string, at: number): void {
    this.change({ deadlines: { ...this.#state.deadlines, [deadline]: at } } as Partial<State>);
    this.#effects.push({ effect: 'set-deadline', deadline, at });
  }

  /** Calls off a deadline, if there is one. */
  cancel(deadline: string): void {
    if (this.takeDue(deadline) !== undefined) this.#effects.push({ effect: 'cancel-deadline', deadline });
  }

  /** Calls off every deadline. */
  cancelAll(): void {
    for (const deadline of Object.keys(this.#state.deadlines)) this.cancel(deadline);
  }

  /** Takes a deadline that has fired off the record, and tells when it was due; a stale one was not, and decides nothing. */
  takeDue(deadline: string): number | undefined {
    if (!Object.hasOwn(this.#state.deadlines, deadline)) return undefined;
    const { deadlines } = this.#state;
    this.change({ deadlines: without(deadlines, deadline) } as Partial<State>);
    return deadlines[deadline];
  }

  /** Sets every deadline of the record again: after a start, nobody else may know of them (PER-1, PER-6). */
  renewDeadlines(): void {
    for (const [deadline, at] of Object.entries(this.#state.deadlines)) {
      this.#effects.push({ effect: 'set-deadline', deadline, at });
    }
  }

  /** The finished step. */
  finish(): Step<State, DeadlineEffect> {
    return { state: this.#state, messages: this.#messages, effects: this.#effects };
  }
}
