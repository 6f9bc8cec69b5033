/** In which setting a schedule takes place: what users may set in the dialogs, and what the conferencing system is like. */
import { type ConferenceSessionSettings, conferenceSessionDefaults } from '../../nodes/recovery/conference-session';
import type { DetectorRule } from '../../nodes/recovery/detector-rules';
import { type FailoverDetectorSettings, failoverDetectorDefaults } from '../../nodes/recovery/failover-detector';
import { type GiveUpTimerSettings, giveUpTimerDefaults } from '../../nodes/recovery/give-up-timer';
import { type McuSessionSettings, mcuSessionDefaults } from '../../nodes/recovery/mcu-session';
import { type RouteHealerSettings, routeHealerDefaults } from '../../nodes/recovery/route-healer';
import { type PoolOptions, poolDefaults } from '../../nodes/signaling/pool/pool';
import type { Chance } from './chance';

/** Everything that holds for a whole schedule. */
export interface Setting {
  session: ConferenceSessionSettings;
  mcu: McuSessionSettings;
  detector: FailoverDetectorSettings;
  healer: RouteHealerSettings;
  giveUp: GiveUpTimerSettings;
  pool: PoolOptions;
  /** The conferencing system says nothing of its MCUs, as plain SIP. */
  silentOnMcus: boolean;
  /** Every fact reaches every node, loops included (MSG-7); else the canonical wiring. */
  everythingWired: boolean;
  /** A deadline fires up to so much late, as on a busy machine. */
  latenessMs: number;
}

/** As the pack is delivered, without what only fills time: ticks and heartbeats. */
export const plainSetting: Setting = {
  session: { ...conferenceSessionDefaults, heartbeatMs: 0 },
  mcu: mcuSessionDefaults,
  detector: failoverDetectorDefaults,
  healer: { ...routeHealerDefaults, periodMs: 3_000, maximumPeriodMs: 20_000 },
  giveUp: { ...giveUpTimerDefaults, giveUpAfterMs: 60_000, tickMs: 0 },
  pool: poolDefaults,
  silentOnMcus: false,
  everythingWired: false,
  latenessMs: 0,
};

/** Rules that somebody has added: suspicions, and their ends, on levels where the default rules have none. */
export const suspiciousRules: readonly DetectorRule[] = [
  { name: 'slow-focus', signal: 'heartbeat-missed', level: 'focus', phase: 'suspected' },
  { name: 'focus-answers', signal: 'heartbeat', during: 'suspected', level: 'focus', phase: 'cleared' },
  { name: 'shaky-focus', signal: 'subscription-lost', level: 'focus', phase: 'suspected' },
  { name: 'focus-alive', signal: 'remote-update', level: 'focus', phase: 'cleared' },
  { name: 'idle-mcu', signal: 'mcu-report', reports: ['inactive'], level: 'mcu', phase: 'suspected' },
  ...failoverDetectorDefaults.rules,
];

type Choices<Members> = { readonly [name in keyof Members]?: readonly Members[name][] };

const choices: {
  readonly session: Choices<ConferenceSessionSettings>;
  readonly mcu: Choices<McuSessionSettings>;
  readonly detector: Choices<FailoverDetectorSettings>;
  readonly healer: Choices<RouteHealerSettings>;
  readonly giveUp: Choices<GiveUpTimerSettings>;
  readonly pool: Choices<PoolOptions>;
} = {
  session: {
    operationTimeoutMs: [300, 2_000],
    repairTimeoutMs: [150, 1_000],
    joinTimeoutMs: [200, 3_000],
    lobbyTimeoutMs: [1_500, 15_000, 60_000],
    closingTimeoutMs: [0, 60],
    heartbeatMs: [500, 3_000, 10_000],
  },
  mcu: { activationTimeoutMs: [300, 5_000], callTimeoutMs: [200, 1_000] },
  detector: {
    rules: [suspiciousRules],
    probing: [false],
    probeIntervalMs: [100, 3_000],
    failoverWindowMs: [300, 5_000],
    missedHeartbeats: [1, 3],
  },
  healer: {
    mode: ['None', 'LimitedRetry'],
    periodMs: [400, 10_000, 30_000],
    attemptTimeoutMs: [150, 1_000],
    backOff: [2],
    maximumPeriodMs: [5_000],
    horizonMs: [500, 4_000, 20_000],
    method: ['re-INVITE', 'OPTIONS'],
  },
  giveUp: {
    giveUpAfterMs: [0, 300, 2_000, 15_000],
    attempts: [1, 3],
    mediaEndedMs: [200, 3_000],
    tickMs: [300, 5_000],
  },
  pool: {
    frontEnds: [1, 2],
    hops: [1],
    latencyMs: [0, 1, 60, 250],
    jitterMs: [5, 80],
    failoverMs: [0, 100, 6_000, 40_000],
    mcuFailoverMs: [0, 100, 6_000],
    mcuActivationMs: [0, 3_000, 12_000],
    mcuPlacement: ['together'],
    participants: [[], ['sip:ada@pool.example']],
    mcus: [['audio-video'], ['chat'], []],
    lobby: [true],
  },
};

/** Draws a setting: in most respects as delivered, in some not. */
export function drawSetting(chance: Chance): Setting {
  const deviation = chance.one([0, 0.15, 0.35]);
  return {
    session: {
      ...drawMembers(chance, deviation, plainSetting.session, choices.session),
      signalsWired: !chance.happens(0.03),
    },
    mcu: drawMembers(chance, deviation, plainSetting.mcu, choices.mcu),
    detector: drawMembers(chance, deviation, plainSetting.detector, choices.detector),
    healer: drawMembers(chance, deviation, plainSetting.healer, choices.healer),
    giveUp: drawMembers(chance, deviation, plainSetting.giveUp, choices.giveUp),
    pool: { ...drawMembers(chance, deviation, plainSetting.pool, choices.pool), seed: chance.whole(1, 1_000) },
    silentOnMcus: chance.happens(0.04),
    everythingWired: chance.happens(0.03),
    latenessMs: chance.happens(0.2) ? chance.one([1, 20, 500]) : 0,
  };
}

function drawMembers<Members extends object>(
  chance: Chance,
  deviation: number,
  plain: Members,
  of: Choices<Members>,
): Members {
  const drawn = { ...plain };
  for (const name in of)
    if (chance.happens(deviation)) drawn[name] = chance.one(of[name] as readonly Members[typeof name][]);
  return drawn;
}
