/** Drives one machine of the model by hand: an injected clock, inputs one by one, and what came out. */
import type { DeadlineEffect, MachineState, Message, Moment, Step } from '../../nodes/recovery/step';
import { checkMessage } from './schema';

export const CONFERENCE = 'sip:daily@pool.example';

/** A machine under test, with its state, its clock and its deadlines. */
export class Driver<State extends MachineState, Input, Effect extends { effect: string }> {
  now = Date.UTC(2026, 0, 1);
  random = 0.5;
  readonly deadlines = new Map<string, number>();
  readonly messages: Message[] = [];

  constructor(
    public state: State,
    private readonly step: (state: State, input: Input, moment: Moment) => Step<State, Effect>,
    private readonly onDeadline: (deadline: string) => Input,
  ) {}

  /** One input; returns what it caused. The given state is frozen, so a step that changes it throws. */
  give(input: Input): { messages: Message[]; effects: Effect[] } {
    const step = this.step(deepFreeze(this.state), deepFreeze(input), { now: this.now, random: this.random });
    this.state = JSON.parse(JSON.stringify(step.state)) as State;
    for (const effect of step.effects as unknown as DeadlineEffect[]) {
      if (effect.effect === 'set-deadline') this.deadlines.set(effect.deadline, effect.at);
      if (effect.effect === 'cancel-deadline') this.deadlines.delete(effect.deadline);
    }
    for (const message of step.messages) checkMessage(message);
    this.messages.push(...step.messages);
    return { messages: step.messages, effects: step.effects };
  }

  /** Lets time pass; deadlines fire in order. Returns what they caused. */
  pass(ms: number): { messages: Message[]; effects: Effect[] } {
    const until = this.now + ms;
    const messages: Message[] = [];
    const effects: Effect[] = [];
    for (;;) {
      const next = [...this.deadlines].sort(([, one], [, other]) => one - other)[0];
      if (!next || next[1] > until) break;
      this.deadlines.delete(next[0]);
      this.now = next[1];
      const caused = this.give(this.onDeadline(next[0]));
      messages.push(...caused.messages);
      effects.push(...caused.effects);
    }
    this.now = until;
    return { messages, effects };
  }
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    Object.values(value).forEach(deepFreeze);
  }
  return value;
}

/** Messages of one event or command, typed as loosely as tests like it. */
// biome-ignore lint/suspicious/noExplicitAny: tests look at any property of any message
export function only(messages: readonly Message[], name: string): any[] {
  return messages.filter((message) => ('event' in message ? message.event : message.command) === name);
}

/** Effects of one kind. */
// biome-ignore lint/suspicious/noExplicitAny: tests look at any property of any effect
export function effectsOf(effects: readonly { effect: string }[], name: string): any[] {
  return effects.filter(({ effect }) => effect === name);
}
