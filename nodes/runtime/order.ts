/** In which order a step takes effect: the same in the nodes and in the simulation. */
import type { Message, Step } from '../recovery/step';

/**
 * Effects of a conference session that come before its messages: MCU sessions say what they have to say first. They may use
 * the signaling port for it, which before that takes up what it is given.
 */
export const sessionEffectsFirst: readonly string[] = ['adopt', 'mcu'];

/**
 * What a step causes, in order: effects named `first`, so that what they cause at other nodes leaves before; then the
 * messages; then all other effects.
 */
export function inOrder<Effect extends { effect: string }>(
  { messages, effects }: Step<unknown, Effect>,
  first: readonly string[],
): (Message | Effect)[] {
  // What is most of the time so is cheap: this runs for every message.
  if (effects.length === 0) return messages;
  const ordered: (Message | Effect)[] = [];
  for (const each of effects) if (first.includes(each.effect)) ordered.push(each);
  for (const each of messages) ordered.push(each);
  for (const each of effects) if (!first.includes(each.effect)) ordered.push(each);
  return ordered;
}
