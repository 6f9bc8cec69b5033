/**
 * Heartbeats: what their arrivals teach, and when their silence means something (conformance DET-7). The detector of
 * failures (`failover-detector.ts`) keeps one record per conference, and asks here what it is worth.
 *
 * - `missed` counts heartbeats without answer, and never looks at the clock.
 * - `fixed` waits for a time-out since the last sign of life.
 * - `phi` waits until the silence has become improbable (Hayashibara et al., The φ accrual failure detector, 2004).
 * - `suspicion` suspects as early as phi does without patience, and then asks on a second path: the verdict falls when
 *   that is silent, too (SWIM, 4.2; Lifeguard, arXiv 1707.00788).
 */
import type { Evidence } from './messages';

export type HeartbeatDetector = 'missed' | 'fixed' | 'phi' | 'suspicion';

/** What a user decides about heartbeats. */
export interface HeartbeatSettings {
  heartbeatDetector: HeartbeatDetector;
  /**
   * `missed`: so many missed heartbeats in a row are a failure. `fixed` and `phi` count as well, as long as no interval
   * is known. `suspicion`: so many at least, before the route has failed although the Focus answers probes.
   */
  missedHeartbeats: number;
  /** `fixed`: the time-out. */
  heartbeatTimeoutMs: number;
  /** `phi`: the verdict falls when the chance of a heartbeat that is so late is below 10 to the power of minus this. */
  phiThreshold: number;
  /** Intervals that are remembered; also by `suspicion`. */
  phiWindow: number;
  /** Standard deviation of the intervals, at least; also for `suspicion`. */
  phiMinimumDeviationMs: number;
  /** `phi`: a pause of the sender that is nothing special. */
  phiAcceptablePauseMs: number;
  /** `suspicion`: the phi, without an acceptable pause, from which on the second path is asked. */
  suspicionPhi: number;
  /** `suspicion`: the verdict falls so long after the heartbeat was due, unless the second path shows life. */
  confirmationMs: number;
  /** `suspicion`: a dialog that is silent for so long has lost its route, although the Focus answers probes. */
  routeSilenceMs: number;
}

/** Those of phi are Akka's (reference.conf, akka.cluster.failure-detector); those of suspicion: docs/detection.md. */
export const heartbeatDefaults: HeartbeatSettings = {
  heartbeatDetector: 'suspicion',
  missedHeartbeats: 2,
  heartbeatTimeoutMs: 3_500,
  phiThreshold: 8,
  phiWindow: 1_000,
  phiMinimumDeviationMs: 100,
  phiAcceptablePauseMs: 3_000,
  suspicionPhi: 2,
  confirmationMs: 2_300,
  routeSilenceMs: 8_000,
};

/** Probes that are sent, evenly spaced, in one confirmation: enough for a path that loses one packet in ten. */
export const probesPerConfirmation = 5;

/** A signal that silence is counted from. */
export interface SignOfLife {
  /** When, in ms since 1970. */
  readonly at: number;
  readonly evidence: Omit<Evidence, 'rule'>;
}

/** What is known of the heartbeats of one session. */
export interface Heartbeats {
  /** Intervals that were learned, up to the window. */
  readonly learned: number;
  readonly meanMs: number;
  /** In ms². */
  readonly variance: number;
  /** When the latest heartbeat arrived (ms since 1970); null when the interval up to the next one teaches nothing. */
  readonly arrivedAt: number | null;
  /** The latest sign of life in the dialog; null while there is none to count from. */
  readonly lastSign: SignOfLife | null;
}

/** A suspicion that waits for its confirmation. */
export interface Suspicion {
  /** Ms since 1970. */
  readonly since: number;
  /** When a probe was last answered (ms since 1970). */
  readonly answeredAt: number | null;
  /** Probes sent since then. */
  readonly probesMissed: number;
}

/** All that a verdict about heartbeats rests on. */
export interface Watch {
  readonly heartbeats: Heartbeats;
  readonly suspicion: Suspicion | null;
  readonly missedHeartbeats: number;
  /** Do media flow, on paths of their own? */
  readonly mediaFlow: boolean;
}

/** When silence will mean something, and what. */
export interface Check {
  /** Ms since 1970. */
  at: number;
  phase: 'suspected' | 'failed';
  rule: string;
}

export const nothingHeard: Heartbeats = { learned: 0, meanMs: 0, variance: 0, arrivedAt: null, lastSign: null };

// ------------------------------------------------------------------------------------------------------------ arrivals

/**
 * A heartbeat was answered. Up to the window, all intervals weigh the same in mean and variance; then each newer one
 * weighs a window-th part. So a record is three numbers, not a thousand, of each of 100,000 conferences.
 */
export function heartbeatArrived(heartbeats: Heartbeats, lastSign: SignOfLife, window: number): Heartbeats {
  const { learned, meanMs, variance, arrivedAt } = heartbeats;
  const { at } = lastSign;
  if (arrivedAt === null) return { learned, meanMs, variance, arrivedAt: at, lastSign };
  const known = Math.min(learned + 1, window);
  const difference = at - arrivedAt - meanMs;
  return {
    learned: known,
    meanMs: meanMs + difference / known,
    variance: (1 - 1 / known) * (variance + difference ** 2 / known),
    arrivedAt: at,
    lastSign,
  };
}

/** Nobody expects heartbeats now; what was learned stays. */
export function interrupted({ learned, meanMs, variance }: Heartbeats): Heartbeats {
  return { learned, meanMs, variance, arrivedAt: null, lastSign: null };
}

/** After a standstill of ours, what arrived meanwhile is yet to be heard: silence is counted anew. */
export function countedAnew({ heartbeats, suspicion }: Watch, now: number): Pick<Watch, 'heartbeats' | 'suspicion'> {
  const { lastSign } = heartbeats;
  return {
    heartbeats: { ...heartbeats, arrivedAt: null, lastSign: lastSign && { ...lastSign, at: now } },
    suspicion: suspicion && { ...suspicion, since: now, answeredAt: null },
  };
}

// ------------------------------------------------------------------------------------------------------------- silence

/** What a detector finds in a watch, and when. */
type Judgement = (watch: Watch, at: number, settings: HeartbeatSettings) => Check | null;

const judgements: { readonly [detector in HeartbeatDetector]: Judgement } = {
  missed: () => null,
  fixed: ({ heartbeats }, at, { heartbeatTimeoutMs }) => {
    if (heartbeats.learned === 0) return null;
    // A time-out that is shorter than the interval would find every heartbeat late.
    return {
      at: at + Math.max(heartbeatTimeoutMs, 1.5 * heartbeats.meanMs),
      phase: 'failed',
      rule: 'heartbeat-timeout',
    };
  },
  phi: ({ heartbeats }, at, settings) => {
    if (heartbeats.learned === 0) return null;
    const lateness = deviationsAt(settings.phiThreshold) * deviationOf(heartbeats, settings);
    return {
      at: at + heartbeats.meanMs + settings.phiAcceptablePauseMs + lateness,
      phase: 'failed',
      rule: 'heartbeat-phi',
    };
  },
  suspicion: (watch, at, settings) =>
    watch.suspicion === null ? suspect(watch.heartbeats, at, settings) : confirm(watch, watch.suspicion, at, settings),
};

/** The next moment at which silence means something; null when it will not. */
export function nextCheck(watch: Watch, settings: HeartbeatSettings): Check | null {
  const { lastSign } = watch.heartbeats;
  return lastSign && judgements[settings.heartbeatDetector](watch, lastSign.at, settings);
}

/** Does the mere number of missed heartbeats decide? Suspicions have better means, the others need an interval. */
export function countDecides({ heartbeats }: Watch, { heartbeatDetector }: HeartbeatSettings): boolean {
  return heartbeatDetector === 'missed' || (heartbeatDetector !== 'suspicion' && heartbeats.learned === 0);
}

function suspect(heartbeats: Heartbeats, at: number, settings: HeartbeatSettings): Check | null {
  if (heartbeats.learned === 0) return null;
  const lateness = deviationsAt(settings.suspicionPhi) * deviationOf(heartbeats, settings);
  // However irregular the heartbeats: half of the confirmation remains for asking.
  const patience = Math.min(lateness, settings.confirmationMs / 2);
  return { at: at + heartbeats.meanMs + patience, phase: 'suspected', rule: 'heartbeat-late' };
}

function confirm(
  { heartbeats, missedHeartbeats, mediaFlow }: Watch,
  { since, answeredAt }: Suspicion,
  at: number,
  settings: HeartbeatSettings,
): Check {
  const { confirmationMs, routeSilenceMs } = settings;
  const silentSince = Math.max(at + heartbeats.meanMs, since - confirmationMs / 2, answeredAt ?? 0);
  // Media come from the MCUs. They show that our own network works, not that the Focus does; and as long as people hear
  // each other, patience costs little.
  const silence = silentSince + (mediaFlow ? 2 : 1) * confirmationMs;
  const routeSilence = missedHeartbeats < settings.missedHeartbeats ? Number.POSITIVE_INFINITY : at + routeSilenceMs;
  if (routeSilence < silence) return { at: routeSilence, phase: 'failed', rule: 'route-silence' };
  return { at: silence, phase: 'failed', rule: 'heartbeat-silence' };
}

// ----------------------------------------------------------------------------------------------------------------- phi

/** Coefficients of the logistic approximation of the normal distribution, as in Akka's and other implementations. */
const slope = 1.5976;
const cubic = 0.070566;

/** Minus the common logarithm of the chance that an arrival is so many standard deviations late, or more. */
export function phiOf(deviations: number): number {
  const logit = deviations * (slope + cubic * deviations ** 2);
  // In this form nothing overflows, however late.
  return (Math.max(logit, 0) + Math.log1p(Math.exp(-Math.abs(logit)))) / Math.LN10;
}

/** The inverse of `phiOf`: how many standard deviations late an arrival is at this phi (the real root of a cubic). */
export function deviationsAt(phi: number): number {
  const logit = Math.log(10 ** phi - 1);
  const half = logit / cubic / 2;
  const root = Math.sqrt(half ** 2 + (slope / cubic / 3) ** 3);
  return Math.cbrt(half + root) + Math.cbrt(half - root);
}

function deviationOf({ variance }: Heartbeats, { phiMinimumDeviationMs }: HeartbeatSettings): number {
  return Math.max(Math.sqrt(variance), phiMinimumDeviationMs);
}

// ------------------------------------------------------------------------------------------------------------- figures

/**
 * The figures that a verdict shows: since when nothing was heard in the dialog, the interval and its standard deviation
 * as they were learned, phi (with the acceptable pause, if the detector grants one), and what was missed.
 */
export function figuresOf(watch: Watch, settings: HeartbeatSettings, now: number): { [figure: string]: number } {
  const { heartbeats, suspicion, missedHeartbeats } = watch;
  const { learned, meanMs, lastSign } = heartbeats;
  const silentMs = lastSign === null ? null : now - lastSign.at;
  return {
    missedHeartbeats,
    ...(silentMs !== null && { silentMs }),
    ...(learned > 0 && { intervalMs: Math.round(meanMs), deviationMs: Math.round(Math.sqrt(heartbeats.variance)) }),
    ...(learned > 0 && silentMs !== null && { phi: presentPhi(heartbeats, settings, silentMs) }),
    ...(suspicion !== null && { probesMissed: suspicion.probesMissed }),
  };
}

function presentPhi(heartbeats: Heartbeats, settings: HeartbeatSettings, silentMs: number): number {
  const pauseMs = settings.heartbeatDetector === 'phi' ? settings.phiAcceptablePauseMs : 0;
  const phi = phiOf((silentMs - heartbeats.meanMs - pauseMs) / deviationOf(heartbeats, settings));
  return Math.round(phi * 100) / 100;
}
