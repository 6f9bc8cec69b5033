/** A source of numbers in [0, 1). At the same position it goes on in the same way. */
export interface Random {
  (): number;
  position: number;
}

/** A source with the same sequence for the same seed (Tommy Ettinger's mulberry32, public domain). */
export function seeded(seed: number): Random {
  const next = (): number => {
    random.position = (random.position + 0x6d2b79f5) >>> 0;
    const state = random.position;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000;
  };
  const random: Random = Object.assign(next, { position: seed >>> 0 });
  return random;
}

/** A whole number from 0 to 2^32 - 1 that spreads texts evenly (FNV-1a, finished as in MurmurHash3). */
export function hash(text: string, seed: number): number {
  let value = (0x811c9dc5 ^ seed) >>> 0;
  for (let index = 0; index < text.length; index += 1) value = Math.imul(value ^ text.charCodeAt(index), 0x01000193);
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35);
  return (value ^ (value >>> 16)) >>> 0;
}
