/**
 * What a tree of criteria may look like, and what is wrong with one that does not. The build puts this file into the dialog
 * of the give-up timer as well, so that editor and runtime say the same: it must not need any other at run time.
 */
import type { Criteria, CriterionKinds } from './criteria';

/** Criteria of one tree, with all that they are joined by. */
const mostNodes = 100;

/** The longest duration: ten years of 365 days, in ms. */
const longestMs = 315_360_000_000;

/** Outages of a session that are remembered. */
export const mostOutages = 100;

/** What a member must be. */
interface Expectation {
  is(value: unknown): boolean;
  expected: string;
}

function number(least: number, most: number, expected: string, isWhole = false): Expectation {
  return {
    is: (value) =>
      typeof value === 'number' && value >= least && value <= most && (Number.isInteger(value) || !isWhole),
    expected,
  };
}

const duration = number(0, longestMs, 'a number of milliseconds from 0, ten years at most');
const positive = number(1, longestMs, 'a number of milliseconds from 1, ten years at most');
const count = number(1, Number.MAX_SAFE_INTEGER, 'a whole number from 1', true);
const outages = number(2, mostOutages, `a whole number from 2 to ${mostOutages}`, true);
const yes: Expectation = { is: (value) => value === true, expected: 'true' };
const word: Expectation = {
  is: (value) => typeof value === 'string' && /^\S+$/.test(value),
  expected: 'the name of an error such as "OperationFailureException", or its code such as "SIP-403"',
};

/** The members of each criterion. */
const members: {
  readonly [Member in keyof CriterionKinds]: { readonly [Part in keyof CriterionKinds[Member]]: Expectation };
} = {
  elapsedMs: { elapsedMs: positive },
  attempts: { attempts: count },
  mediaEndedMs: { mediaEndedMs: duration },
  outages: { outages, withinMs: positive },
  aloneMs: { aloneMs: duration },
  error: { error: word },
  budgetMs: { budgetMs: positive },
  external: { external: yes },
  mediaFlows: { mediaFlows: yes },
};

const heads = [...Object.keys(members), 'any', 'all'];
const example = '{"elapsedMs": 300000}';

/** What was read: a tree, none, or what is wrong with it. */
export interface ReadCriteria {
  /** Null when nothing was given, or something wrong. */
  criteria: Criteria | null;
  /** In one sentence: where it is wrong, and what would be right. */
  complaint: string | null;
}

/** Reads a tree from JSON, or one that has been read already. Nothing, or an empty text, is no tree. */
export function readCriteria(given: unknown): ReadCriteria {
  if (given === undefined || given === null || given === '') return { criteria: null, complaint: null };
  let tree = given;
  if (typeof given === 'string') {
    try {
      tree = JSON.parse(given);
    } catch (error) {
      return { criteria: null, complaint: `criteria is not JSON such as ${example}: ${(error as Error).message}` };
    }
  }
  const complaint = complaintAbout(tree, 'criteria', { nodes: 0 });
  return complaint === null ? { criteria: tree as Criteria, complaint } : { criteria: null, complaint };
}

/** `path` leads to the node; `seen` counts nodes. */
function complaintAbout(node: unknown, path: string, seen: { nodes: number }): string | null {
  seen.nodes += 1;
  if (seen.nodes > mostNodes) return `criteria has more than ${mostNodes} nodes, which is the limit.`;
  if (!isObject(node)) {
    return `${path} must be a criterion such as ${example}, {"any": […]} or {"all": […]}; it is ${show(node)}.`;
  }
  const [head, second] = heads.filter((name) => Object.hasOwn(node, name));
  if (head === undefined)
    return `${path} names no criterion; it has ${listOf(Object.keys(node))}. There are ${listOf(heads)}.`;
  if (second !== undefined) {
    return `${path} has ${listOf([head, second])}; put each into an object of its own, in "any" or "all".`;
  }
  const beside = [...Object.keys(expectationsOf(head)).filter((name) => name !== head), 'notWhile'];
  const stranger = Object.keys(node).find((name) => name !== head && !beside.includes(name));
  if (stranger !== undefined) {
    return `${path} has ${listOf([stranger])}; beside ${listOf([head])} there may be ${listOf(beside)} only.`;
  }
  const complaint =
    head === 'any' || head === 'all'
      ? complaintAboutList(node[head], `${path}.${head}`, seen)
      : complaintAboutMembers(node, head, path);
  if (complaint !== null || !Object.hasOwn(node, 'notWhile')) return complaint;
  return complaintAbout(node.notWhile, `${path}.notWhile`, seen);
}

function complaintAboutList(list: unknown, path: string, seen: { nodes: number }): string | null {
  if (!Array.isArray(list) || list.length === 0) {
    return `${path} must be a list of at least one criterion; it is ${show(list)}.`;
  }
  for (const [index, node] of list.entries()) {
    const complaint = complaintAbout(node, `${path}[${index}]`, seen);
    if (complaint !== null) return complaint;
  }
  return null;
}

function complaintAboutMembers(node: { [member: string]: unknown }, head: string, path: string): string | null {
  for (const [name, { is, expected }] of Object.entries(expectationsOf(head))) {
    if (!is(node[name])) return `${path}.${name} must be ${expected}; it is ${show(node[name])}.`;
  }
  return null;
}

function expectationsOf(head: string): { readonly [member: string]: Expectation } {
  return members[head as keyof CriterionKinds] ?? {};
}

function isObject(value: unknown): value is { [member: string]: unknown } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function listOf(names: readonly string[]): string {
  return names.map((name) => `"${name}"`).join(', ') || 'nothing';
}

function show(value: unknown): string {
  return value === undefined ? 'missing' : JSON.stringify(value).slice(0, 60);
}
