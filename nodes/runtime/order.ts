/** In which order a step takes effect: the same in the nodes and in the simulation. */
import type { Message, Step } from '../recovery/step';

/**
 * What a step causes, in order: effects named `first`, so that what they cause at other nodes leaves before; then the
 * messages; then all other effects.
 */
export function inOrder<Effect extends { effect: string }>(
  { messages, effects }: Step<unknown, Effect>,
  first: string | null,
): (Message | Effect)[] {
  if (first === null) return [...messages, ...effects];
  const before = effects.filter(({ effect }) => effect === first);
  const after = effects.filter(({ effect }) => effect !== first);
  return [...before, ...messages, ...after];
}
