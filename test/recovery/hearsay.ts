/** Messages as the machines that only decide hear them, and a driver for such a machine. */
import type { ConferenceState, Fact, FactEnvelope, Request, Source } from '../../nodes/recovery/messages';
import type { PolicyState } from '../../nodes/recovery/policy';
import type { DeadlineEffect, Message, PolicyInput, PolicyMachine } from '../../nodes/recovery/step';
import { CONFERENCE, Driver } from '../support/driver';
import { checkMessage } from '../support/schema';

/** What a test says of a fact: its own members, and any of the envelope. */
type Told = { event: Fact['event'] } & Partial<FactEnvelope> & { [member: string]: unknown };

const sources: { readonly [event in Fact['event']]?: Source } = {
  'heal-attempted': 'route-healer',
  'failover-detected': 'failover-detector',
  'call-state-changed': 'mcu-session',
  'media-changed': 'mcu-session',
};

/** A policy machine under test: hears facts, obeys commands, and lets time pass. */
export class Policy<State extends PolicyState, Settings> extends Driver<State, PolicyInput, DeadlineEffect> {
  dialog = 1;
  incident: string | null = null;
  private told = 0;

  constructor(
    readonly machine: PolicyMachine<State, Settings>,
    public settings: Settings,
  ) {
    super(
      machine.start(CONFERENCE),
      (state, input, moment) => machine.step(state, input, moment, this.settings),
      (deadline) => ({ input: 'deadline', deadline }),
    );
  }

  /** Hears a fact. Returns what it caused. */
  hear(told: Told): Message[] {
    this.told += 1;
    const fact = {
      conference: CONFERENCE,
      at: new Date(this.now).toISOString(),
      seq: this.told,
      source: sources[told.event] ?? 'conference-session',
      incident: this.incident,
      active: this.incident !== null,
      severity: 'info',
      dialog: this.dialog,
      version: 1,
      ...told,
    } as unknown as Fact;
    checkMessage(fact);
    return this.give({ input: 'message', message: fact }).messages;
  }

  /** Hears that the session has changed its state. */
  session(previous: ConferenceState, state: ConferenceState, members: Partial<Told> = {}): Message[] {
    const active = state === 'Reconnecting';
    return this.hear({
      event: 'state-changed',
      previous,
      state,
      mode: active ? 'recovering' : null,
      reason: active ? 'RouteBroken' : 'Joined',
      startedAt: new Date(this.now).toISOString(),
      endedAt: null,
      elapsedMs: 0,
      attempts: 0,
      restored: false,
      active,
      ...members,
    });
  }

  /** Hears what the session is, after a start. */
  status(state: ConferenceState, members: Partial<Told> = {}): Message[] {
    const mode = state === 'Reconnecting' ? 'recovering' : null;
    return this.hear({ event: 'session-status', state, mode, restored: false, owner: '', epoch: 1, ...members });
  }

  /** Hears what the session is that has outlived its process. */
  restored(state: ConferenceState, members: Partial<Told> = {}): Message[] {
    return this.status(state, { restored: true, ...members });
  }

  /** Hears a signal. */
  signal(signal: string, members: { [member: string]: unknown } = {}): Message[] {
    return this.hear({ event: 'signal', signal, ...members });
  }

  /** Hears an answer to a request. */
  answer(status: number, members: { [member: string]: unknown } = {}): Message[] {
    return this.signal('response', { purpose: 'operation', method: 'INFO', status, ...members });
  }

  /** Obeys a command. Returns what it caused. */
  command(command: string, members: { [member: string]: unknown } = {}): Message[] {
    return this.give({ input: 'message', message: { command, ...members } as Request }).messages;
  }

  /** Lets time pass. Returns what it caused. */
  after(ms: number): Message[] {
    return this.pass(ms).messages;
  }
}

/** Messages in one word each: `failover-detected`, `heal`, … */
export function names(messages: readonly Message[]): string[] {
  return messages.map((message) => ('event' in message ? message.event : message.command));
}
