/**
 * Rules about a flow: what wires and settings make of nodes that each are right by themselves. A pure function of the flow;
 * the editor shows what it finds on the nodes, and the runtime writes it into the log. Where a rule cannot know, because
 * messages come or go by a network or a value comes from an environment variable, it finds nothing.
 *
 * Message and remedy of each rule are texts of the catalogue `flow-warnings`, under the rule's id.
 */
import { spellLimit } from '../recovery/durations';
import { textOf } from '../runtime/settings';
import { failoverWindowOf, giveUpLimitOf, type Need, needsOf, neverGivesUp, periodOf } from './figures';
import { type FlowNode, listOf, type Place } from './places';
import { type PackType, Wiring } from './wiring';

/** What the texts of a finding need. */
export type Figures = { readonly [figure: string]: string };

/** A node that has fallen into the trap of a rule. */
export interface Finding {
  rule: string;
  /** The id of the node. */
  node: string;
  /** The ids of the instances of subflows in which it was found. */
  within: string[];
  figures: Figures;
  /** Its `warningsOff` names the rule: nobody is to be warned. */
  off: boolean;
}

interface Rule {
  /** The types of node that it is about. */
  readonly on: readonly PackType[];
  /** Null when all is well. */
  find(place: Place, wiring: Wiring): Figures | null;
}

const session = { state: 0, roster: 1, error: 3, signal: 4 };
const mcu = { error: 3, call: 4 };
const detector = { session: 0, mcu: 1, healer: 2 };
const healer = { session: 0, attempts: 1 };
const timer = { session: 0 };

/** By its id, which is stable: flows name it in `warningsOff`. */
export const rules: { readonly [id: string]: Rule } = {
  'signals-without-detector': {
    on: ['conference-session'],
    find: (place, wiring) => when(missesAll(place, session.signal, 'failover-detector', wiring)),
  },

  'second-session': {
    on: ['conference-session'],
    find: (place, wiring) => {
      const { endpoint } = place.node;
      const conference = textOf(place.node, 'conference');
      if (!isKnown(endpoint) || !isKnown(conference)) return null;
      return named(
        earlier(place, wiring).find(
          ({ node }) => node.endpoint === endpoint && textOf(node, 'conference') === conference,
        ),
      );
    },
  },

  'errors-unheard': {
    on: ['conference-session', 'mcu-session'],
    find: (place, wiring) => {
      const hasOutput = place.node.failedOperations !== 'catch' && wiring.isWired(place, session.error);
      return when(!hasOutput && !wiring.isCaught(place));
    },
  },

  'mcu-without-session': {
    on: ['mcu-session'],
    find: ({ node: { endpoint } }, wiring) =>
      when(isKnown(endpoint) && !wiring.all('conference-session').some(({ node }) => node.endpoint === endpoint)),
  },

  'mcu-without-detector': {
    on: ['mcu-session'],
    find: (place, wiring) => when(wiring.hearsNothing(place, 'failover-detector', detector.mcu)),
  },

  'detector-without-session': {
    on: ['failover-detector'],
    find: (place, wiring) => when(missesAll(place, detector.session, 'conference-session', wiring)),
  },

  'hop-verdicts-without-healer': {
    on: ['failover-detector'],
    find: (place, wiring) => when(missesAll(place, detector.healer, 'route-healer', wiring)),
  },

  'state-unheard': {
    on: ['failover-detector', 'route-healer'],
    find: (place, wiring) =>
      when(
        wiring.hearsNothing(place, 'conference-session', session.state) &&
          !wiring.hearsNothing(place, 'conference-session', session.signal),
      ),
  },

  'healer-without-verdicts': {
    on: ['route-healer'],
    find: (place, wiring) => when(wiring.hearsNothing(place, 'failover-detector', detector.healer)),
  },

  'healer-without-signals': {
    on: ['route-healer'],
    find: (place, wiring) => when(wiring.hearsNothing(place, 'conference-session', session.signal)),
  },

  'healer-without-session': {
    on: ['route-healer'],
    find: (place, wiring) => when(missesAll(place, healer.session, 'conference-session', wiring)),
  },

  // The trap that UCMA's page on conference recovery warns of: MaximumRetry has no limit of its own.
  'healer-without-give-up': {
    on: ['route-healer'],
    find: (place, wiring) => {
      const { mode = 'MaximumRetry' } = place.node;
      const sessions = sessionsOf(place, healer.session, wiring);
      if (mode !== 'MaximumRetry' || sessions.length === 0) return null;
      return when(
        wiring.all('give-up-timer').every((one) => {
          const { places, leaves } = wiring.reach(one, timer.session);
          return !leaves && !places.some((other) => sessions.includes(other));
        }),
      );
    },
  },

  'two-healers': {
    on: ['route-healer'],
    find: (place, wiring) => {
      const told = wiring.directly(place, healer.session);
      const hearing = wiring
        .all('failover-detector')
        .map((one) => wiring.directly(one, detector.healer))
        .filter((heard) => heard.includes(place))
        .flat();
      return named(
        earlier(place, wiring).find(
          (other) =>
            hearing.includes(other) && wiring.directly(other, healer.session).some((one) => told.includes(one)),
        ),
      );
    },
  },

  'give-up-without-session': {
    on: ['give-up-timer'],
    find: (place, wiring) => when(missesAll(place, timer.session, 'conference-session', wiring)),
  },

  'give-up-without-state': {
    on: ['give-up-timer'],
    find: (place, wiring) => when(wiring.hearsNothing(place, 'conference-session', session.state)),
  },

  'give-up-never': {
    on: ['give-up-timer'],
    find: ({ node }) => when(neverGivesUp(node)),
  },

  'give-up-without-attempts': decidesBy('attempts', ['route-healer', healer.attempts]),

  'give-up-without-media': decidesBy('media', ['mcu-session', mcu.call]),

  'give-up-without-roster': decidesBy('participants', ['conference-session', session.roster]),

  'give-up-without-errors': decidesBy('errors', ['conference-session', session.error], ['mcu-session', mcu.error]),

  'give-up-before-healing': {
    on: ['give-up-timer'],
    find: (place, wiring) => comesBefore(place, 'route-healer', periodOf, wiring),
  },

  'give-up-before-failover': {
    on: ['give-up-timer'],
    find: (place, wiring) => comesBefore(place, 'failover-detector', failoverWindowOf, wiring),
  },

  'kept-state-differs': {
    on: ['mcu-session', 'failover-detector', 'route-healer', 'give-up-timer'],
    find: (place, wiring) => {
      const keeping = keepingOf(place);
      const sessions =
        place.node.type === 'mcu-session'
          ? wiring.all('conference-session').filter(({ node }) => node.endpoint === place.node.endpoint)
          : wiring.directly(place, 0).filter(({ node }) => node.type === 'conference-session');
      return named(sessions.find((one) => isKnown(keeping) && isKnown(keepingOf(one)) && keepingOf(one) !== keeping));
    },
  },
};

/** All that the rules find in a flow: nodes as Node-RED saves them, tabs, subflows and config nodes included. */
export function findingsIn(nodes: readonly FlowNode[]): Finding[] {
  const wiring = new Wiring(nodes);
  const findings = new Map<string, Finding>();
  for (const place of wiring.ours) {
    const { node, within } = place;
    for (const [rule, { on, find }] of Object.entries(rules)) {
      const figures = on.includes(node.type as PackType) ? find(place, wiring) : null;
      if (!figures) continue;
      // A node inside of a subflow is there as often as the subflow is used, and is told of once.
      const key = `${rule} ${node.id}`;
      const known = findings.get(key);
      const instances = new Set([...(known?.within ?? []), ...within.map(({ id }) => id)]);
      const off = listOf(node.warningsOff).includes(rule);
      findings.set(key, { rule, node: node.id, within: [...instances], figures: known?.figures ?? figures, off });
    }
  }
  return [...findings.values()];
}

function when(trapped: boolean): Figures | null {
  return trapped ? {} : null;
}

function named(other: Place | undefined): Figures | null {
  return other ? { other: nameOf(other) } : null;
}

function nameOf({ node }: Place): string {
  return typeof node.name === 'string' && node.name !== '' ? node.name : node.type;
}

/** Is a value given, and not one of an environment variable? */
function isKnown(value: unknown): value is string {
  return typeof value === 'string' && value !== '' && !value.includes('${');
}

function keepingOf({ node: { keepState } }: Place): unknown {
  return keepState === undefined || keepState === '' ? 'none' : keepState;
}

/** Does nothing that leaves the output get to such a node? */
function missesAll(place: Place, output: number, type: PackType, wiring: Wiring): boolean {
  const { places, leaves } = wiring.reach(place, output);
  return !leaves && !places.some(({ node }) => node.type === type);
}

function sessionsOf(place: Place, output: number, wiring: Wiring): Place[] {
  return wiring.reach(place, output).places.filter(({ node }) => node.type === 'conference-session');
}

/** Nodes of the same type that come before it in the flow. */
function earlier(place: Place, wiring: Wiring): readonly Place[] {
  const all = wiring.all(place.node.type as PackType);
  return all.slice(0, all.indexOf(place));
}

/** A timer that decides by something hears of it. */
function decidesBy(need: Need, ...speakers: readonly (readonly [type: PackType, output: number])[]): Rule {
  return {
    on: ['give-up-timer'],
    find: (place, wiring) =>
      when(
        needsOf(place.node).includes(need) &&
          speakers.every(([type, output]) => wiring.hearsNothing(place, type, output)),
      ),
  };
}

/** Does a timer give up a session before a node that works for the same session can have done its part? */
function comesBefore(
  place: Place,
  type: 'route-healer' | 'failover-detector',
  patienceOf: (node: FlowNode) => number,
  wiring: Wiring,
): Figures | null {
  const limitMs = giveUpLimitOf(place.node);
  const sessions = wiring
    .directly(place, timer.session)
    .filter((one) => wiring.directly(one, session.state).includes(place));
  const slow = wiring
    .all(type)
    .find(
      (other) =>
        limitMs < patienceOf(other.node) &&
        wiring
          .directly(other, 0)
          .some((one) => sessions.includes(one) && wiring.directly(one, session.signal).includes(other)),
    );
  return slow ? { limit: spellLimit(limitMs), patience: spellLimit(patienceOf(slow.node)), other: nameOf(slow) } : null;
}
