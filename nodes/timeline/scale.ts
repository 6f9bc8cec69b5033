/** The arithmetic of a drawing to scale: what a timeline shows, and where on it something is. Needs no other file. */

/** The part of time that is in view, in ms since 1970. */
export interface View {
  from: number;
  to: number;
}

/** The shortest and the longest time that is ever in view, in ms. */
export const shortestSpan = 10_000;
export const longestSpan = 4_000_000;

/** Part of the width that is left for what is to come. */
const future = 0.12;

/** A view of `span` ms that goes with time; of more, up to twice as much, where that brings the instant `ahead` into view. */
export function following(now: number, span: number, ahead: number | null): View {
  const to = now + span * future;
  const margin = (span * future) / 2;
  const reach = ahead !== null && ahead - now <= span ? Math.max(to, ahead + margin) : to;
  return { from: now - span * (1 - future), to: reach };
}

/** A span of time that may be in view, as near as can be to the one that is wanted, in ms. */
export function allowedSpan(wanted: number): number {
  return Math.min(longestSpan, Math.max(shortestSpan, wanted));
}

/** Where an instant is, in the unit of `width`. */
export function placeOf(view: View, width: number, at: number): number {
  return ((at - view.from) / (view.to - view.from)) * width;
}

/** What instant is there. */
export function instantAt(view: View, width: number, place: number): number {
  return view.from + (place / width) * (view.to - view.from);
}

/** A view of more (factor above 1) or less time; the instant `around` stays where it is. */
export function zoomed(view: View, factor: number, around: number): View {
  const span = view.to - view.from;
  const wanted = allowedSpan(span * factor);
  const before = ((around - view.from) / span) * wanted;
  return { from: around - before, to: around - before + wanted };
}

/** A view of as much time, `byMs` later. */
export function moved(view: View, byMs: number): View {
  return { from: view.from + byMs, to: view.to + byMs };
}

/** The part of a stretch of time that is in view, at least one unit wide; null when none is. */
export function stretch(view: View, width: number, from: number, to: number): { x: number; width: number } | null {
  if (to < view.from || from > view.to) return null;
  const x = Math.max(0, placeOf(view, width, from));
  return { x, width: Math.max(1, Math.min(width, placeOf(view, width, to)) - x) };
}

const second = 1_000;
const minute = 60 * second;
const steps = [1, 2, 5, 10, 15, 30].flatMap((count) => [count * second, count * minute]).sort((a, b) => a - b);

/** Round instants in view, at least `spacing` units apart. */
export function ticks(view: View, width: number, spacing: number): number[] {
  const least = ((view.to - view.from) / width) * spacing;
  const step = steps.find((each) => each >= least) ?? 60 * minute;
  const found: number[] = [];
  for (let at = Math.ceil(view.from / step) * step; at <= view.to; at += step) found.push(at);
  return found;
}

/** Marks that would lie on each other, as one: `items` in the order of time, those less than `gap` units after the first of theirs. */
export function clusters<Item extends { at: number }>(view: View, width: number, gap: number, items: Item[]): Item[][] {
  const found: Item[][] = [];
  let end = Number.NEGATIVE_INFINITY;
  for (const item of items) {
    if (item.at < view.from || item.at > view.to) continue;
    const place = placeOf(view, width, item.at);
    if (place < end) found.at(-1)?.push(item);
    else {
      found.push([item]);
      end = place + gap;
    }
  }
  return found;
}
