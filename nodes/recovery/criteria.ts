/**
 * When to give up a recovery, as data: criteria, and trees of them in plain JSON (conformance GU-8; UCMA, conference
 * recovery: "timers or other criteria such as media termination"). What a tree may look like is checked by
 * `criteria-syntax.ts`.
 *
 *     {"any": [{"elapsedMs": 1800000}, {"elapsedMs": 300000, "notWhile": {"mediaFlows": true}}]}
 *
 * Everything in here is a function of the tree, the figures of an outage, and an instant.
 */
import { spell, spellLimit } from './durations';

/** The criteria, each under the member by which it is known. Durations in ms. */
export interface CriterionKinds {
  /** Time in Reconnecting. */
  elapsedMs: { readonly elapsedMs: number };
  /** Failed attempts to heal the route, by the highest number (GU-12). */
  attempts: { readonly attempts: number };
  /** The media of every call have been gone for so long. Without any call there were none to end. */
  mediaEndedMs: { readonly mediaEndedMs: number };
  /** The outage is at least the so-manieth of its session, the first of which began at most so long before (flapping). */
  outages: { readonly outages: number; readonly withinMs: number };
  /** Everybody else has left, so long ago. */
  aloneMs: { readonly aloneMs: number };
  /** An operation failed in this outage with an error of this class: its name, one of its bases, or its code. */
  error: { readonly error: string };
  /** Time in Reconnecting, of all outages of the session together. */
  budgetMs: { readonly budgetMs: number };
  /** Somebody sent the command `give-up`. */
  external: { readonly external: true };
  /** The media of some call flow; makes sense in `notWhile`. */
  mediaFlows: { readonly mediaFlows: true };
}

/** One criterion. */
export type Criterion = CriterionKinds[keyof CriterionKinds];

/** A tree of criteria: any of some, or all of some; and each of its nodes *but not while* another tree holds. */
export type Criteria = (Criterion | { readonly any: readonly Criteria[] } | { readonly all: readonly Criteria[] }) & {
  readonly notWhile?: Criteria;
};

/** An operation that failed with an error that some criterion names. */
export interface CaughtError {
  /** What the criterion calls it. */
  word: string;
  operation: string;
  name: string;
  code: string;
}

/** What criteria are decided by: the figures of one outage and its session. Instants are ms since 1970. */
export interface Figures {
  /** When the session entered Reconnecting. */
  enteredAt: number;
  /** The same, later by all pauses: what has passed since then counts. */
  countedSince: number;
  /** What `extend` has added to every limit of time in Reconnecting, in ms. */
  extendedMs: number;
  /** Time in Reconnecting that counted in earlier outages of the session, in ms. */
  spentMs: number;
  /** Highest number of a failed healing attempt (GU-12). */
  attempts: number;
  /** When the outages of the session began, this one last; the latest `mostOutages` of them. */
  outages: readonly number[];
  /** MCUs whose media flow. */
  flowing: readonly string[];
  /** When the last media ended, or the outage began without any; later by all pauses. Null while some flow or were none. */
  mediaEndedAt: number | null;
  /** When the last of the others left, or the outage began without them; later by all pauses. */
  aloneSince: number | null;
  /** The first error of each class that the criteria name. */
  errors: readonly CaughtError[];
  /** Was `give-up` sent? */
  told: boolean;
}

const always = Number.NEGATIVE_INFINITY;
const never = Number.POSITIVE_INFINITY;

/** What there is to know of a kind of criterion. */
interface Kind<Of> {
  /** How messages call it. */
  name: string;
  /** From which instant on it is met, if nothing happens but that time passes. */
  dueAt(criterion: Of, figures: Figures): number;
  /** What was true when it was met, with the figures (GU-9). */
  tell(criterion: Of, figures: Figures, now: number): string;
}

const kinds: { readonly [Member in keyof CriterionKinds]: Kind<CriterionKinds[Member]> } = {
  elapsedMs: {
    name: 'elapsed',
    dueAt: ({ elapsedMs }, { countedSince, extendedMs }) => countedSince + elapsedMs + extendedMs,
    tell: ({ elapsedMs }, { countedSince, extendedMs }, now) =>
      `${spell(now - countedSince)} had passed (limit ${spellLimit(elapsedMs + extendedMs)})`,
  },
  attempts: {
    name: 'attempts',
    dueAt: (criterion, { attempts }) => from(attempts >= criterion.attempts),
    tell: (criterion, { attempts }) => `${countAttempts(attempts)} failed (limit ${criterion.attempts})`,
  },
  mediaEndedMs: {
    name: 'media-ended',
    dueAt: ({ mediaEndedMs }, { mediaEndedAt }) => since(mediaEndedAt, mediaEndedMs),
    tell: ({ mediaEndedMs }, { mediaEndedAt }, now) =>
      `no media for ${spell(now - Number(mediaEndedAt))} (limit ${spellLimit(mediaEndedMs)})`,
  },
  outages: {
    name: 'outages',
    dueAt: (criterion, figures) => from(outagesWithin(criterion.withinMs, figures) >= criterion.outages),
    tell: ({ outages, withinMs }, figures) =>
      `${outagesWithin(withinMs, figures)} outages within ${spellLimit(withinMs)} (limit ${outages})`,
  },
  aloneMs: {
    name: 'alone',
    dueAt: ({ aloneMs }, { aloneSince }) => since(aloneSince, aloneMs),
    tell: ({ aloneMs }, { aloneSince }, now) =>
      `nobody else was there for ${spell(now - Number(aloneSince))} (limit ${spellLimit(aloneMs)})`,
  },
  error: {
    name: 'error',
    dueAt: ({ error }, { errors }) => from(errors.some(({ word }) => word === error)),
    tell: ({ error }, { errors }) =>
      errors
        .filter(({ word }) => word === error)
        .map(({ operation, name, code }) => `${operation} failed with ${name} (${code})`)
        .join(),
  },
  budgetMs: {
    name: 'budget',
    dueAt: ({ budgetMs }, { countedSince, extendedMs, spentMs }) => countedSince + budgetMs + extendedMs - spentMs,
    tell: ({ budgetMs }, { countedSince, extendedMs, spentMs }, now) =>
      `${spell(now - countedSince + spentMs)} of all outages together (limit ${spellLimit(budgetMs + extendedMs)})`,
  },
  external: {
    name: 'external',
    dueAt: (_, { told }) => from(told),
    tell: () => 'somebody sent the command give-up',
  },
  mediaFlows: {
    name: 'media-flows',
    dueAt: (_, { flowing }) => from(flowing.length > 0),
    tell: (_, { flowing }) => `media flowed (${flowing.join(', ')})`,
  },
};

function from(isMet: boolean): number {
  return isMet ? always : never;
}

function since(began: number | null, limitMs: number): number {
  return began === null ? never : began + limitMs;
}

/** Counted back from the beginning of this outage, so that the figure does not change while it lasts. */
function outagesWithin(withinMs: number, { outages, enteredAt }: Figures): number {
  return outages.filter((at) => at >= enteredAt - withinMs).length;
}

function countAttempts(attempts: number): string {
  return attempts === 1 ? '1 healing attempt' : `${attempts || 'no'} healing attempts`;
}

function kindOf(criterion: Criterion): Kind<Criterion> {
  const member = Object.keys(kinds).find((name) => name in criterion) as keyof CriterionKinds;
  return kinds[member] as Kind<never>;
}

// ----------------------------------------------------------------------------------------------------------- the tree

/** A criterion itself; of what consists of parts, what `gather` finds in each. */
function gatherFrom(criteria: Criteria, gather: (part: Criteria) => readonly Criterion[]): Criterion[] {
  if ('any' in criteria) return criteria.any.flatMap(gather);
  return 'all' in criteria ? criteria.all.flatMap(gather) : [criteria];
}

function isCriterion(criteria: Criteria): criteria is Criterion {
  return !('any' in criteria || 'all' in criteria);
}

/** The criteria of a tree that can decide. */
export function criteriaIn(criteria: Criteria): Criterion[] {
  return gatherFrom(criteria, criteriaIn);
}

const allIn = new WeakMap<Criteria, readonly Criterion[]>();

/** The criteria of a tree, with those that hold it back. A tree never changes, and is asked for them in every step. */
export function allCriteriaIn(criteria: Criteria): readonly Criterion[] {
  let all = allIn.get(criteria);
  if (all === undefined) {
    const own = gatherFrom(criteria, (part) => allCriteriaIn(part));
    all = criteria.notWhile === undefined ? own : [...own, ...allCriteriaIn(criteria.notWhile)];
    allIn.set(criteria, all);
  }
  return all;
}

/** How messages call criteria, each once. */
export function namesOf(criteria: readonly Criterion[]): string[] {
  return [...new Set(criteria.map((criterion) => kindOf(criterion).name))];
}

/** Does the tree have a limit of time in Reconnecting that `extend` can put off? */
export function hasTimeLimit(criteria: Criteria): boolean {
  return criteriaIn(criteria).some((criterion) => 'elapsedMs' in criterion || 'budgetMs' in criterion);
}

/** Does the tree hold at an instant (ms since 1970)? */
export function holds(criteria: Criteria, figures: Figures, at: number): boolean {
  return isMet(criteria, figures, at) && !isHeldBack(criteria, figures, at);
}

function isMet(criteria: Criteria, figures: Figures, at: number): boolean {
  if ('any' in criteria) return criteria.any.some((part) => holds(part, figures, at));
  if ('all' in criteria) return criteria.all.every((part) => holds(part, figures, at));
  return kindOf(criteria).dueAt(criteria, figures) <= at;
}

function isHeldBack({ notWhile }: Criteria, figures: Figures, at: number): boolean {
  return notWhile !== undefined && holds(notWhile, figures, at);
}

/**
 * The first instant from `now` on at which the tree holds if nothing happens but that time passes; null if there is none.
 * Every criterion changes once at most by time alone, so that there are no more instants to look at than criteria.
 */
export function decidesAt(criteria: Criteria, figures: Figures, now: number): number | null {
  const changes = allCriteriaIn(criteria)
    .map((criterion) => kindOf(criterion).dueAt(criterion, figures))
    .filter((at) => at > now && at < never)
    .sort((one, other) => one - other);
  return [now, ...changes].find((at) => holds(criteria, figures, at)) ?? null;
}

/** Figures as they were when the clock stood still, as if it had not: what began before began later by the pause. */
export function withoutPause<Given extends Figures>(figures: Given, pausedAt: number, now: number): Given {
  const put = (began: number) => began + now - Math.max(began, pausedAt);
  const putOff = (began: number | null) => (began === null ? null : put(began));
  const { countedSince, mediaEndedAt, aloneSince } = figures;
  return {
    ...figures,
    countedSince: put(countedSince),
    mediaEndedAt: putOff(mediaEndedAt),
    aloneSince: putOff(aloneSince),
  };
}

// -------------------------------------------------------------------------------------------------------- the decision

/** A decision to give up. */
export interface Decision {
  /** Names of the criteria that decided: `elapsed`, or `elapsed and media-ended`. */
  criterion: string;
  /** One sentence with the figures (GU-9). */
  explanation: string;
}

/** When it was decided, and what the figures were just before: only they tell what held the decision back. */
export interface Deciding {
  /** When the tree began to hold (ms since 1970); earlier than `now` when a deadline fired late. */
  at: number;
  now: number;
  before: Figures;
}

/** The decision by a tree that holds. */
export function decisionBy(criteria: Criteria, figures: Figures, { at, now, before }: Deciding): Decision {
  const decisive = decisiveIn(criteria, figures, at);
  const deciders = decisive.filter(isCriterion);
  const heldBackBy = decisive.flatMap((part) => heldBack(part, before, at - 1));
  const others = deciders.filter((criterion) => !('elapsedMs' in criterion));
  const reasons =
    others.length > 0
      ? others.map((criterion) => kindOf(criterion).tell(criterion, figures, now))
      : [`${countAttempts(figures.attempts)} failed`];
  const holdUps = heldBackBy.map((criterion) => kindOf(criterion).tell(criterion, before, at));
  const until = holdUps.length > 0 ? `; until then it was held back because ${list(holdUps)}` : '';
  const duration = `${spell(now - figures.enteredAt)} in Reconnecting${limitsAmong(deciders, figures)}`;
  return {
    criterion: list(namesOf(deciders)),
    explanation: `Gave up after ${duration}: ${list(reasons)}${until}.`,
  };
}

/** The parts of a tree that make it hold: of `any` the first that does, of `all` every one. */
function decisiveIn(criteria: Criteria, figures: Figures, at: number): Criteria[] {
  const look = (part: Criteria) => decisiveIn(part, figures, at);
  if ('all' in criteria) return [criteria, ...criteria.all.flatMap(look)];
  if (!('any' in criteria)) return [criteria];
  const holding = criteria.any.filter((part) => holds(part, figures, at));
  return [criteria, ...holding.slice(0, 1).flatMap(look)];
}

/** What kept a part of a tree that was met from holding. */
function heldBack(criteria: Criteria, figures: Figures, at: number): Criterion[] {
  const { notWhile } = criteria;
  if (notWhile === undefined || !isMet(criteria, figures, at) || !holds(notWhile, figures, at)) return [];
  return decisiveIn(notWhile, figures, at).filter(isCriterion);
}

/** Limits of the time in Reconnecting: they stand beside it. */
function limitsAmong(deciders: readonly Criterion[], { enteredAt, countedSince, extendedMs }: Figures): string {
  const limits = deciders.flatMap((criterion) => ('elapsedMs' in criterion ? [criterion.elapsedMs + extendedMs] : []));
  if (limits.length === 0) return '';
  const paused = countedSince > enteredAt ? `, paused for ${spell(countedSince - enteredAt)}` : '';
  return ` (limit ${list(limits.map(spellLimit))}${paused})`;
}

function list(items: readonly string[]): string {
  return new Intl.ListFormat('en').format(items);
}
