/** Schedules: a setting, and what is done when. The same seed draws the same schedule. */
import type { ConferenceSessionState } from '../../nodes/recovery/conference-session';
import type { McuReport } from '../../nodes/recovery/messages';
import { Chance } from './chance';
import {
  type Deed,
  type Draw,
  disturbWire,
  drawDeed,
  drawFailure,
  drawFocusEvidence,
  drawHealingDeed,
  drawLobbyDeed,
  drawMaintenanceDeed,
  drawMcuDeed,
  drawPatienceDeed,
  drawRequest,
  drawRestart,
  drawTerminate,
} from './deeds';
import type { Asked } from './parts';
import { drawSetting, type Setting, suspiciousRules } from './setting';
import type { Disturbance } from './wires';

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
  'Disconnecting',
  'Disconnected',
  'Idle',
];

/** Phases that last as long as an answer takes. */
const brief: ReadonlySet<string> = new Set(['Connecting', 'Rejoining', 'Disconnecting']);

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
  actions.push(...chance.weighted(shapes)(chance, setting));
  if (chance.happens(0.5)) {
    actions.push({ when: drawWhen(chance, 20_000), deed: drawTerminate(chance) });
    if (chance.happens(0.4)) {
      const afterMs = chance.duration(1, 2_000);
      actions.push({ when: { phase: 'Disconnected', afterMs }, deed: { deed: 'ask', of: 'session', request: join } });
    }
  }
  // A calm that is full of heartbeats costs much and shows little.
  const isTalkative = setting.session.heartbeatMs > 0 && setting.session.heartbeatMs < 3_000;
  return { seed, setting, actions, tailMs: chance.duration(10, 60_000), calm: chance.happens(isTalkative ? 0.2 : 0.6) };
}

/** The actions of a schedule; what they need of the setting is set there. */
type Shape = (chance: Chance, setting: Setting) => Action[];

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

/** An MCU fails, with calls, texts and operations on their way to it and back. */
const mcuTrouble: Shape = (chance, setting) => {
  const atMs = chance.duration(500, 4_000);
  const when = chance.happens(0.7) ? drawCluster(chance, 3_000, atMs) : () => drawWhen(chance, 3_000, atMs);
  setting.pool.latencyMs = chance.one([10, 60, 250]);
  return [
    { when: { phase: 'Connected', afterMs: 300 }, deed: { deed: 'ask', of: 'chat', request: { ...call } } },
    { when: { phase: 'Connected', afterMs: 300 }, deed: { deed: 'ask', of: 'audio-video', request: { ...call } } },
    { when: { atMs }, deed: rollOver(chance) },
    ...(chance.happens(0.4) ? [{ when: when(), deed: report('chat', 'failing-over') }] : []),
    ...(chance.happens(0.4) ? [{ when: when(), deed: report('chat', 'inactive') }] : []),
    ...times(chance.whole(4, 12), () => ({ when: when(), deed: drawMcuDeed(chance) })),
  ];
};

/** An MCU that is not active for long: operations wait for it, are sent all the same, and meet whatever becomes of it. */
const idleMcu: Shape = (chance, setting) => {
  const when = drawCluster(chance, 2_000, 100);
  const askedMs = chance.whole(50, 900);
  const activationTimeoutMs = chance.one([100, 300, 30_000]);
  const latencyMs = chance.one([10, 250]);
  setting.pool.mcuActivationMs = chance.one([1_000, 12_000]);
  setting.pool.latencyMs = latencyMs;
  setting.mcu.activationTimeoutMs = activationTimeoutMs;
  const answer: Deed = {
    deed: 'roughen',
    roughness: { rough: 'answer', purpose: 'operation', outcome: { kind: 'ok', status: 200 }, count: 4 },
  };
  // While the operation that has waited in vain is on its way, it turns out what the MCU is.
  const saidMs = askedMs + activationTimeoutMs + chance.whole(0, 2 * latencyMs);
  return [
    { when: { atMs: 0 }, deed: answer },
    { when: { atMs: askedMs }, deed: { deed: 'ask', of: 'audio-video', request: { command: 'unmute' } } },
    {
      when: chance.happens(0.5) ? { atMs: saidMs } : when(),
      deed: report('audio-video', chance.one(['active', 'inactive', 'unsupported'])),
    },
    ...times(chance.whole(4, 12), () => ({ when: when(), deed: drawMcuDeed(chance) })),
  ];
};

function report(mcu: 'audio-video' | 'chat', said: McuReport): Deed {
  return { deed: 'happen', occurrence: { event: 'mcu-report', mcu, report: said } };
}

/** Failures that nobody is to hear of, with evidence that comes, is withdrawn, and comes again. */
const maintenance: Shape = (chance, setting) => {
  const atMs = chance.duration(300, 4_000);
  const when = () => ({ atMs: atMs + chance.duration(1, 4_000) - 1 });
  Object.assign(setting.detector, {
    missedHeartbeats: chance.one([2, 3]),
    probing: chance.happens(0.6),
    rules: chance.happens(0.6) ? suspiciousRules : setting.detector.rules,
  });
  setting.session.heartbeatMs = 500;
  setting.session.repairTimeoutMs = 200;
  return [
    { when: { atMs: chance.duration(100, atMs) }, deed: drawMaintenanceDeed(chance) },
    { when: { atMs: chance.duration(100, atMs) }, deed: drawFocusEvidence(chance) },
    { when: { atMs }, deed: suppress(chance) },
    ...times(chance.whole(2, 5), () => ({ when: when(), deed: drawFocusEvidence(chance) })),
    ...times(chance.whole(1, 6), () => ({ when: when(), deed: drawMaintenanceDeed(chance) })),
  ];
};

/** The route breaks, and its healing is meddled with. */
const meddling: Shape = (chance, setting) => {
  const atMs = chance.duration(100, 4_000);
  const when = chance.happens(0.5) ? drawCluster(chance, 8_000, atMs) : () => drawWhen(chance, 8_000, atMs);
  if (chance.happens(0.3))
    Object.assign(setting.healer, { mode: 'LimitedRetry', horizonMs: chance.duration(200, 15_000) });
  return [
    { when: { atMs }, deed: breakHop(chance) },
    ...times(chance.whole(3, 10), () => ({ when: when(), deed: drawHealingDeed(chance) })),
  ];
};

const noticeLoss: Draw = () => ({ deed: 'happen', occurrence: { event: 'transport-lost', message: 'simulated' } });

/** A silent hop that is noticed at once: the repair, which gets no answer, is in flight for long. */
const repair: Shape = (chance, setting) => {
  const atMs = chance.duration(100, 4_000);
  if (chance.happens(0.3))
    Object.assign(setting.healer, { mode: 'LimitedRetry', horizonMs: chance.duration(200, 15_000) });
  if (chance.happens(0.5)) setting.healer.periodMs = 400;
  return [
    { when: { atMs }, deed: { deed: 'fault', fault: { command: 'break-hop', how: 'silent' } } },
    { when: { atMs: atMs + chance.whole(0, 50) }, deed: noticeLoss(chance) },
    ...times(chance.whole(2, 7), () => ({ when: drawWhen(chance, 8_000, atMs), deed: drawHealingDeed(chance) })),
  ];
};

/** Nobody gives up before the user does. */
const patience: Shape = (chance, setting) => {
  const atMs = chance.duration(100, 4_000);
  const failure = chance.happens(0.7) ? breakHop(chance) : drawFailure(chance);
  const when = chance.happens(0.5) ? drawCluster(chance, 10_000, atMs) : () => drawWhen(chance, 15_000, atMs);
  setting.giveUp.giveUpAfterMs = chance.one([5_000, 20_000, 60_000]);
  return [
    { when: { phase: 'Connected', afterMs: 300 }, deed: { deed: 'ask', of: 'audio-video', request: { ...call } } },
    ...(chance.happens(0.5) ? [{ when: { atMs }, deed: disturbWire('give-up>session')(chance) }] : []),
    ...(chance.happens(0.3) ? [{ when: { atMs }, deed: dropMedia }] : []),
    ...(chance.happens(0.2) ? ultimatum(chance) : []),
    ...(chance.happens(0.2) ? pausedMedia(chance) : []),
    { when: { atMs }, deed: failure },
    { when: { atMs: atMs + chance.whole(0, 50) }, deed: noticeLoss(chance) },
    ...times(chance.whole(4, 12), () => ({ when: when(), deed: drawPatienceDeed(chance) })),
  ];
};

/** It is decided to give up, and takes its time to be done. */
function ultimatum(chance: Chance): Action[] {
  const disturbance: Disturbance = {
    wire: 'give-up>session',
    mishap: chance.one(['late', 'lost']),
    byMs: 20_000,
    forMs: 60_000,
    share: 1,
  };
  return [
    { when: { phase: 'Recovering', afterMs: 0 }, deed: { deed: 'disturb', disturbance } },
    { when: { phase: 'Recovering', afterMs: chance.duration(1, 2_000) }, deed: tellGiveUp('give-up') },
  ];
}

/** The media end and come back while the timer stands still. */
function pausedMedia(chance: Chance): Action[] {
  const inRecovery = (mostMs: number): When => ({ phase: 'Recovering', afterMs: chance.duration(1, mostMs) });
  return [
    { when: inRecovery(100), deed: tellGiveUp('pause') },
    { when: inRecovery(500), deed: dropMedia },
    { when: inRecovery(2_500), deed: { deed: 'fault', fault: { command: 'restore-media', mcu: 'audio-video' } } },
  ];
}

function tellGiveUp(command: 'give-up' | 'pause'): Deed {
  return { deed: 'ask', of: 'give-up', request: { command } };
}

/** A Focus fails, and who is to hear of it hears late or wrongly. */
const slowVerdicts: Shape = (chance, setting) => {
  const atMs = chance.duration(100, 4_000);
  setting.detector.probing = chance.happens(0.4);
  if (chance.happens(0.5)) setting.detector.rules = suspiciousRules;
  const when = drawCluster(chance, 4_000, atMs);
  return [
    { when: { atMs: 0 }, deed: disturbWire('detector>session')(chance) },
    { when: { atMs }, deed: drawFailure(chance) },
    { when: { atMs }, deed: drawFocusEvidence(chance) },
    ...times(chance.whole(3, 9), () => ({ when: when(), deed: drawFocusEvidence(chance) })),
    ...times(chance.whole(0, 2), () => ({ when: when(), deed: suppress(chance) })),
    ...times(chance.whole(0, 3), () => ({ when: when(), deed: drawMaintenanceDeed(chance) })),
  ];
};

/** Who joins waits, and is let in while things go wrong. */
const lobby: Shape = (chance, setting) => {
  setting.pool.lobby = chance.happens(0.9);
  if (chance.happens(0.4)) setting.session.lobbyTimeoutMs = chance.duration(300, 6_000);
  return [
    ...(chance.happens(0.4) ? [{ when: { atMs: 0 }, deed: admitTwice }] : []),
    { when: { phase: 'InLobby', afterMs: chance.duration(1, 3_000) }, deed: drawFailure(chance) },
    ...(chance.happens(0.3) ? admittedMeanwhile(chance) : []),
    ...times(chance.whole(3, 9), () => ({ when: drawWhen(chance, 6_000), deed: drawLobbyDeed(chance) })),
  ];
};

/** The route is broken for a moment, and we are let in before that was noticed. */
function admittedMeanwhile(chance: Chance): Action[] {
  const hop: Deed = { deed: 'fault', fault: { command: 'break-hop', how: 'refuse', forMs: chance.duration(5, 300) } };
  const admit: Deed = { deed: 'fault', fault: { command: 'admit' } };
  return [
    { when: { phase: 'InLobby', afterMs: chance.duration(1, 1_000) }, deed: hop },
    { when: { phase: 'Recovering', afterMs: chance.duration(100, 2_500) }, deed: admit },
  ];
}

/** The answer to a join or re-join is lost, and we are let in, or thrown out, before the join is given up. */
const lostAnswer: Shape = (chance, setting) => {
  const phase = chance.one(['Connecting', 'Rejoining'] as const);
  setting.pool.lobby = true;
  const { latencyMs } = setting.pool;
  const brokenMs = latencyMs + chance.duration(5, 300);
  const hop: Deed = { deed: 'fault', fault: { command: 'break-hop', how: 'silent', forMs: brokenMs } };
  const afterMs = latencyMs + chance.whole(0, latencyMs);
  return [
    ...(phase === 'Rejoining'
      ? [{ when: { phase: 'InLobby', afterMs: chance.duration(10, 1_000) } as When, deed: drawFocusEvidence(chance) }]
      : []),
    { when: { phase, afterMs }, deed: hop },
    ...times(chance.whole(1, 4), () => ({
      when: { phase, afterMs: afterMs + brokenMs + chance.duration(1, 3_000) },
      deed: drawLobbyDeed(chance),
    })),
  ];
};

/** Something goes on, and the process is killed in the middle of it, and perhaps again. */
const killed: Shape = (chance, setting) => [
  ...chance.weighted(disturbances)(chance, setting),
  ...times(chance.whole(1, 3), () => ({ when: drawWhen(chance, 10_000), deed: drawRestart(chance) })),
];

const call: Asked = { command: 'call', media: ['audio'] };

const admitTwice: Deed = { deed: 'roughen', roughness: { rough: 'admitted', how: 'twice', count: 2 } };

const dropMedia: Deed = { deed: 'fault', fault: { command: 'drop-media', mcu: 'audio-video' } };

const disturbances: readonly (readonly [number, Shape])[] = [
  [4, single],
  [5, piledUp],
  [5, surprises],
  [2, flapping],
  [4, storm],
  [3, mcuTrouble],
  [2, idleMcu],
  [3, maintenance],
  [2, meddling],
  [2, repair],
  [4, patience],
  [2, slowVerdicts],
  [4, lobby],
  [1, lostAnswer],
];

const shapes: readonly (readonly [number, Shape])[] = [...disturbances, [10, killed]];

function drawWhen(chance: Chance, withinMs: number, fromMs = 0): When {
  if (chance.happens(0.35)) return drawMoment(chance);
  return { atMs: fromMs + (chance.happens(0.5) ? chance.whole(0, withinMs) : chance.duration(1, withinMs)) };
}

/** Draws instants that cluster, so that what takes some milliseconds is met while it lasts. */
function drawCluster(chance: Chance, withinMs: number, fromMs: number): () => When {
  const instants = times(chance.whole(1, 3), () => fromMs + chance.duration(1, withinMs));
  return () =>
    chance.happens(0.25) ? drawMoment(chance) : { atMs: chance.one(instants) + chance.duration(1, 400) - 1 };
}

function drawMoment(chance: Chance): When {
  const phase = chance.one(delicate);
  return { phase, afterMs: chance.happens(0.3) ? 0 : chance.duration(1, brief.has(phase) ? 100 : 5_000) };
}

function times<Item>(count: number, draw: (round: number) => Item): Item[] {
  return Array.from({ length: count }, (_, round) => draw(round));
}
