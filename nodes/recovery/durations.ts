/** Durations in words, for sentences that people read. */

/** A duration that was measured, from its largest unit down to seconds: `5 min 0 s`. */
export function spell(ms: number): string {
  const units = inUnits(ms);
  const largest = units.findIndex(([figure, unit]) => figure > 0 || unit === 's');
  return join(units.slice(largest));
}

/** A duration that somebody has set: `5 min`. */
export function spellLimit(ms: number): string {
  return join(inUnits(ms).filter(([figure]) => figure > 0)) || spell(ms);
}

function join(units: [figure: number, unit: string][]): string {
  return units.map(([figure, unit]) => `${figure} ${unit}`).join(' ');
}

function inUnits(ms: number): [figure: number, unit: string][] {
  const tenths = Math.round(ms / 100);
  return [
    [Math.floor(tenths / 36_000), 'h'],
    [Math.floor(tenths / 600) % 60, 'min'],
    [(tenths % 600) / 10, 's'],
  ];
}
