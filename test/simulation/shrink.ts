/** Makes a failing schedule minimal: delta debugging over its actions, then its setting (Zeller and Hildebrandt, 2002). */
import { run } from './run';
import type { Action, Schedule } from './schedule';
import { plainSetting, type Setting, suspiciousRules } from './setting';
import type { Invariant } from './violation';
import type { Options } from './world';

/** The smallest schedule that is found to break the same invariant. */
export function shrink(schedule: Schedule, invariant: Invariant, options: Options): Schedule {
  const fails = (candidate: Schedule): boolean => run(candidate, options).failure?.invariant === invariant;
  let smallest = schedule;
  for (let before = -1; before !== smallest.actions.length; ) {
    before = smallest.actions.length;
    smallest = withFewerActions(smallest, fails);
    smallest = withPlainerSetting(smallest, fails);
  }
  return smallest;
}

function withFewerActions(schedule: Schedule, fails: (candidate: Schedule) => boolean): Schedule {
  let { actions } = schedule;
  for (let size = Math.ceil(actions.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let start = 0; start < actions.length; ) {
      const rest: Action[] = [...actions.slice(0, start), ...actions.slice(start + size)];
      if (fails({ ...schedule, actions: rest })) actions = rest;
      else start += size;
    }
  }
  return { ...schedule, actions };
}

function withPlainerSetting(schedule: Schedule, fails: (candidate: Schedule) => boolean): Schedule {
  let smallest = schedule;
  const attempt = (setting: Setting): void => {
    const candidate = { ...smallest, setting };
    if (fails(candidate)) smallest = candidate;
  };
  for (const part in plainSetting) {
    const name = part as keyof Setting;
    const plain = plainSetting[name];
    if (typeof plain !== 'object') {
      attempt({ ...smallest.setting, [name]: plain });
      continue;
    }
    for (const member in plain) {
      const current = smallest.setting[name] as unknown as { [member: string]: unknown };
      const plainly = (plain as unknown as { [member: string]: unknown })[member];
      if (current[member] !== plainly) attempt({ ...smallest.setting, [name]: { ...current, [member]: plainly } });
    }
  }
  return smallest;
}

/** The members of a setting that are not as delivered. */
export function peculiarities(setting: Setting): { [member: string]: unknown } {
  const found: { [member: string]: unknown } = {};
  for (const part in plainSetting) {
    const name = part as keyof Setting;
    const plain = plainSetting[name] as unknown as { [member: string]: unknown };
    const drawn = setting[name] as unknown as { [member: string]: unknown };
    if (typeof plain !== 'object') {
      if (drawn !== plain) found[name] = drawn;
      continue;
    }
    for (const member in plain) if (drawn[member] !== plain[member]) found[`${name}.${member}`] = named(drawn[member]);
  }
  return found;
}

/** Rules are many, and there is one list besides the default one. */
function named(value: unknown): unknown {
  return value === suspiciousRules ? 'suspiciousRules' : value;
}
