/** Schedules: a setting, and what is done when. The same seed draws the same schedule. */
import type { ConferenceSessionState } from '../../nodes/recovery/conference-session';
import { Chance } from './chance';
import { type Deed, drawDeed, drawFailure, drawRequest, drawTerminate } from './deeds';
import { drawSetting, type Setting } from './setting';

/** So long after the beginning, or after the session has come to a phase for the next time. */
export type When = { atMs: number } | { phase: ConferenceSessionState['phase']; afterMs: number };

/** One deed at its time. */
export interface Action {
  when: When;
  deed: Deed;
}

/** All that happens in one simulated conference. */
export interface Schedule {
  seed: number;
  setting: Setting;
  actions: Action[];
  /** How long the conference goes on after the last timed action. */
  tailMs: number;
  /** Before the end, everything is repaired, and there is time to recover. */
  calm: boolean;
}

/** Phases in which things may happen that were not foreseen there. */
const delicate: readonly ConferenceSessionState['phase'][] = [
  'Connecting',
  'InLobby',
  'Connected',
  'Recovering',
  'Recovering',
  'AwaitingFailover',
  'AwaitingFailover',
  'Rejoining',
  'Rejoining',
  'Disconnecting',
  'Disconnected',
  'Idle',
];

/** Draws a schedule. */
export function drawSchedule(seed: number): Schedule {
  const chance = new Chance(seed);
  const setting = drawSetting(chance);
  const actions: Action[] = [];
  const join = { command: 'join', displayName: 'Recorder' } as const;
  if (!chance.happens(0.02)) actions.push({ when: { atMs: 0 }, deed: { deed: 'ask', of: 'session', request: join } });
  for (const of of ['audio-video', 'chat'] as const) {
    if (!chance.happens(0.5)) continue;
    const deed: Deed = { deed: 'ask', of, request: { command: 'call', media: ['audio'] } };
    actions.push({ when: { atMs: chance.duration(20, 3_000) }, deed });
  }
  actions.push(...chance.weighted(shapes)(chance));
  if (chance.happens(0.5)) {
    actions.push({ when: drawWhen(chance, 20_000), deed: drawTerminate(chance) });
    if (chance.happens(0.4)) {
      const afterMs = chance.duration(1, 2_000);
      actions.push({ when: { phase: 'Disconnected', afterMs }, deed: { deed: 'ask', of: 'session', request: join } });
    }
  }
  return { seed, setting, actions, tailMs: chance.duration(10, 60_000), calm: chance.happens(0.6) };
}

type Shape = (chance: Chance) => Action[];

/** One failure, in peace. */
const single: Shape = (chance) => {
  const atMs = chance.duration(300, 8_000);
  const requests = times(chance.whole(1, 4), () => ({
    when: { atMs: atMs + chance.whole(-300, 3_000) },
    deed: drawRequest(chance),
  }));
  return [{ when: { atMs }, deed: drawFailure(chance) }, ...requests];
};

/** A failure, and others and requests while it is dealt with. */
const piledUp: Shape = (chance) => {
  const atMs = chance.duration(100, 5_000);
  return [
    { when: { atMs }, deed: drawFailure(chance) },
    ...times(chance.whole(2, 7), () => ({ when: drawWhen(chance, 6_000, atMs), deed: drawDeed(chance) })),
  ];
};

/** Things happen in delicate moments only. */
const surprises: Shape = (chance) => [
  ...times(chance.whole(1, 2), () => ({ when: { atMs: chance.duration(300, 10_000) }, deed: drawFailure(chance) })),
  ...times(chance.whole(2, 8), () => ({ when: drawMoment(chance), deed: drawDeed(chance) })),
];

/** The route breaks and heals again and again. */
const flapping: Shape = (chance) => {
  const periodMs = chance.duration(30, 5_000);
  const how = chance.one(['refuse', 'silent', 'stale-route'] as const);
  const breaks = times(
    chance.whole(2, 8),
    (round): Action => ({
      when: { atMs: 500 + round * periodMs },
      deed: { deed: 'fault', fault: { command: 'break-hop', how, forMs: Math.ceil(periodMs * chance.fraction()) } },
    }),
  );
  return [
    ...breaks,
    ...times(chance.whole(2, 6), () => ({ when: drawWhen(chance, 10_000), deed: drawRequest(chance) })),
  ];
};

/** Everything at once, and for long. */
const storm: Shape = (chance) =>
  times(chance.whole(8, 24), () => ({ when: drawWhen(chance, 60_000), deed: drawDeed(chance) }));

const shapes: readonly (readonly [number, Shape])[] = [
  [3, single],
  [4, piledUp],
  [4, surprises],
  [1, flapping],
  [3, storm],
];

function drawWhen(chance: Chance, withinMs: number, fromMs = 0): When {
  if (chance.happens(0.35)) return drawMoment(chance);
  return { atMs: fromMs + (chance.happens(0.5) ? chance.whole(0, withinMs) : chance.duration(1, withinMs)) };
}

function drawMoment(chance: Chance): When {
  return { phase: chance.one(delicate), afterMs: chance.happens(0.3) ? 0 : chance.duration(1, 5_000) };
}

function times<Item>(count: number, draw: (round: number) => Item): Item[] {
  return Array.from({ length: count }, (_, round) => draw(round));
}
