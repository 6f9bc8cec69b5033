/** Schedules: a setting, and what is done when. The same seed draws the same schedule. */
import type { ConferenceSessionState } from '../../nodes/recovery/conference-session';
import { Chance } from './chance';
import {
  type Deed,
  type Draw,
  drawDeed,
  drawFailure,
  drawHealingDeed,
  drawLobbyDeed,
  drawMaintenanceDeed,
  drawMcuDeed,
  drawPatienceDeed,
  drawRequest,
  drawTerminate,
} from './deeds';
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

/** A failure of one kind, and much of what matters with that kind, at once or in delicate moments. */
function around(failure: Draw, deed: Draw, withinMs: number): Shape {
  return (chance) => {
    const atMs = chance.duration(100, 4_000);
    return [
      { when: { atMs }, deed: failure(chance) },
      ...times(chance.whole(3, 9), () => ({ when: drawWhen(chance, withinMs, atMs), deed: deed(chance) })),
    ];
  };
}

const breakHop: Draw = (chance) => ({
  deed: 'fault',
  fault: { command: 'break-hop', how: chance.one(['refuse', 'silent', 'stale-route']) },
});

const rollOver: Draw = (chance) => ({
  deed: 'fault',
  fault: { command: 'roll-over-mcu', mcu: chance.one(['audio-video', 'chat']), forMs: chance.duration(10, 10_000) },
});

const suppress: Draw = (chance) => ({
  deed: 'ask',
  of: 'detector',
  request: { command: 'suppress', forMs: chance.duration(500, 30_000) },
});

const noticeLoss: Draw = () => ({ deed: 'happen', occurrence: { event: 'transport-lost', message: 'simulated' } });

/** A silent hop that is noticed at once: the repair, which gets no answer, is in flight for long. */
const repair: Shape = (chance) => {
  const atMs = chance.duration(100, 4_000);
  return [
    { when: { atMs }, deed: { deed: 'fault', fault: { command: 'break-hop', how: 'silent' } } },
    { when: { atMs: atMs + chance.whole(0, 50) }, deed: noticeLoss(chance) },
    ...times(chance.whole(2, 7), () => ({ when: drawWhen(chance, 8_000, atMs), deed: drawHealingDeed(chance) })),
  ];
};

/** Nobody gives up before the user does. */
const patience: Shape = (chance) => {
  const atMs = chance.duration(100, 4_000);
  const failure = chance.happens(0.7) ? breakHop(chance) : drawFailure(chance);
  return [
    { when: { atMs }, deed: failure },
    { when: { atMs: atMs + chance.whole(0, 50) }, deed: noticeLoss(chance) },
    ...times(chance.whole(3, 10), () => ({ when: drawWhen(chance, 15_000, atMs), deed: drawPatienceDeed(chance) })),
  ];
};

/** Who joins waits, and is let in while things go wrong. */
const lobby: Shape = (chance) => [
  { when: { atMs: 0 }, deed: { deed: 'fault', fault: { command: 'place-in-lobby' } } },
  { when: { phase: 'InLobby', afterMs: chance.duration(1, 3_000) }, deed: drawFailure(chance) },
  ...times(chance.whole(3, 9), () => ({ when: drawWhen(chance, 6_000), deed: drawLobbyDeed(chance) })),
];

/** The answer to a join or re-join is lost, and we are let in, or thrown out, before the join is given up. */
const lostAnswer: Shape = (chance) => {
  const phase = chance.one(['Connecting', 'Rejoining'] as const);
  const brokenMs = chance.duration(10, 300);
  const hop: Deed = { deed: 'fault', fault: { command: 'break-hop', how: 'silent', forMs: brokenMs } };
  return [
    ...(phase === 'Rejoining' ? [{ when: { atMs: 1_000 }, deed: drawFailure(chance) }] : []),
    { when: { phase: chance.one(['Connecting', 'Connected', 'AwaitingFailover']), afterMs: 0 }, deed: placeInLobby },
    { when: { phase, afterMs: chance.duration(5, 400) }, deed: hop },
    ...times(chance.whole(1, 4), () => ({
      when: { phase, afterMs: brokenMs + chance.duration(5, 3_000) },
      deed: drawLobbyDeed(chance),
    })),
  ];
};

const placeInLobby: Deed = { deed: 'fault', fault: { command: 'place-in-lobby' } };

const shapes: readonly (readonly [number, Shape])[] = [
  [4, single],
  [5, piledUp],
  [5, surprises],
  [2, flapping],
  [4, storm],
  [2, around(rollOver, drawMcuDeed, 3_000)],
  [2, around(suppress, drawMaintenanceDeed, 10_000)],
  [2, around(breakHop, drawHealingDeed, 8_000)],
  [2, repair],
  [3, patience],
  [3, lobby],
  [1, lostAnswer],
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
