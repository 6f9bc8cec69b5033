/** What the dialogs of policy nodes have saved, as far as rules about a flow need it. What is not known is NaN or infinite. */
import type { Criteria } from '../recovery/criteria';
import { readCriteria } from '../recovery/criteria-syntax';
import { durationOf, numberOf } from '../runtime/settings';
import type { FlowNode } from './places';

/** The healer's period, in ms. */
export function periodOf(healer: FlowNode): number {
  return durationOf(healer, 'period', Number.NaN);
}

/** The longest that the detector waits for a Focus to fail over, in ms. The dialog saves that of a preset, too. */
export function failoverWindowOf(detector: FlowNode): number {
  return durationOf(detector, 'failoverWindow', Number.NaN);
}

/** Time in Reconnecting after which the timer gives up for certain, in ms. Infinite where something else may decide. */
export function giveUpLimitOf(timer: FlowNode): number {
  const { criteria, complaint } = readCriteria(timer.criteria);
  if (complaint !== null) return Number.POSITIVE_INFINITY;
  if (criteria) return certainLimitOf(criteria);
  const limitMs = durationOf(timer, 'giveUpAfter', 0);
  return limitMs > 0 ? limitMs : Number.POSITIVE_INFINITY;
}

function certainLimitOf(criteria: Criteria): number {
  if (criteria.notWhile) return Number.POSITIVE_INFINITY;
  if ('any' in criteria) return Math.min(...criteria.any.map(certainLimitOf));
  if ('all' in criteria) return Math.max(...criteria.all.map(certainLimitOf));
  if ('elapsedMs' in criteria) return criteria.elapsedMs;
  if ('budgetMs' in criteria) return criteria.budgetMs;
  return Number.POSITIVE_INFINITY;
}

/** Has somebody switched off all that the timer could decide by? */
export function neverGivesUp(timer: FlowNode): boolean {
  const { criteria, complaint } = readCriteria(timer.criteria);
  const isOff = (property: string): boolean => numberOf(timer, property, Number.NaN) === 0;
  return criteria === null && complaint === null && ['giveUpAfter', 'attempts', 'mediaEnded'].every(isOff);
}

/** What a timer may decide by besides time, and what it has to hear for that. */
export type Need = 'attempts' | 'media' | 'participants' | 'errors';

const needOf: { readonly [member: string]: Need } = {
  attempts: 'attempts',
  mediaEndedMs: 'media',
  mediaFlows: 'media',
  aloneMs: 'participants',
  error: 'errors',
};

/** All that a timer has to hear besides the state of the session. */
export function needsOf(timer: FlowNode): Need[] {
  const { criteria, complaint } = readCriteria(timer.criteria);
  if (complaint !== null) return [];
  if (criteria) return [...new Set(membersIn(criteria).flatMap((member) => needOf[member] ?? []))];
  const isOn = (property: string): boolean => numberOf(timer, property, 0) > 0;
  return [...(isOn('attempts') ? ['attempts' as const] : []), ...(isOn('mediaEnded') ? ['media' as const] : [])];
}

function membersIn(tree: object): string[] {
  return Object.entries(tree).flatMap(([member, value]) => [
    member,
    ...(typeof value === 'object' && value !== null ? membersIn(value) : []),
  ]);
}
