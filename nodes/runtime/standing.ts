/** The deadlines of a record: a chain of objects, of which most records have none, or one. */
import type { Handle, Target } from './deadlines';

/** A record, as far as this file is concerned. */
interface HasDeadlines<Holder> {
  deadlines: Standing<Holder> | null;
}

/** A deadline of a record. */
export class Standing<Holder> implements Target {
  /** What waits for the instant; 0 when nothing does. */
  handle: Handle = 0;
  /** Next in the chain of the record. */
  next: Standing<Holder> | null = null;

  /** `owner` is told when the instant `at` (ms since 1970) has come. */
  constructor(
    public owner: { due(standing: Standing<Holder>): void },
    readonly record: Holder,
    readonly name: string,
    public at = 0,
  ) {}

  due(): void {
    this.owner.due(this);
  }
}

/** The deadline of this name; null when the record has none. */
export function findDeadline<Holder extends HasDeadlines<Holder>>(
  record: Holder,
  name: string,
): Standing<Holder> | null {
  let each = record.deadlines;
  while (each && each.name !== name) each = each.next;
  return each;
}

/** Puts a deadline into its record, which has none of this name. */
export function putDeadline<Holder extends HasDeadlines<Holder>>(standing: Standing<Holder>): Standing<Holder> {
  const { record } = standing;
  standing.next = record.deadlines;
  record.deadlines = standing;
  return standing;
}

/** Takes a deadline out of its record. */
export function dropDeadline<Holder extends HasDeadlines<Holder>>(standing: Standing<Holder>): void {
  const { record, next } = standing;
  standing.handle = 0;
  if (record.deadlines === standing) record.deadlines = next;
  else for (let each = record.deadlines; each; each = each.next) if (each.next === standing) each.next = next;
}

/** The deadlines of a record: ms since 1970, by name. */
export function instantsOf<Holder extends HasDeadlines<Holder>>(record: Holder): { [deadline: string]: number } {
  const instants: { [deadline: string]: number } = {};
  for (let each = record.deadlines; each; each = each.next) instants[each.name] = each.at;
  return instants;
}
