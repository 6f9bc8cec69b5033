import { limits } from '../../recovery/limits';

/** What the embedded pool looks like. Durations are milliseconds. */
export interface PoolOptions {
  /** Front-end servers. */
  frontEnds: number;
  /** Signaling hops between us and the front ends. */
  hops: number;
  /** Decides where conferences live, and the jitter: the same seed and the same calls give the same events. */
  seed: number;
  /** One way over the whole route. */
  latencyMs: number;
  /** Up to so much is added to the latency of each message; messages of one direction keep their order. */
  jitterMs: number;
  /** From the death of a front end until a Focus that it hosted lives on another one. */
  failoverMs: number;
  /** From the failure of an MCU until it is active again. */
  mcuFailoverMs: number;
  /** From the first join of a conference until its MCUs are active. */
  mcuActivationMs: number;
  /** Do the MCUs of a conference live on the front end of its Focus, or on others where there are any? */
  mcuPlacement: 'separate' | 'together';
  /** URIs of those who are in every conference from its beginning. */
  participants: readonly string[];
  /** MCUs of every conference, by name. */
  mcus: readonly string[];
  /** Do new joiners wait in the lobby? */
  lobby: boolean;
}

/** Three front ends behind two hops, and three people in every conference. */
export const poolDefaults: Readonly<PoolOptions> = {
  frontEnds: 3,
  hops: 2,
  seed: 1,
  latencyMs: 10,
  jitterMs: 0,
  failoverMs: 2_000,
  mcuFailoverMs: 1_500,
  mcuActivationMs: 200,
  mcuPlacement: 'separate',
  participants: ['sip:ada@pool.example', 'sip:grace@pool.example', 'sip:alan@pool.example'],
  mcus: ['audio-video', 'chat'],
  lobby: false,
};

/** Bounds of the pool. What would exceed one is refused, with the bound in its message. */
export const poolLimits = {
  frontEnds: 1_000,
  hops: 100,
  mcus: 20,
  /** Conferences that exist at the same time. */
  conferences: limits.conferences,
  /** Participants of one conference, the lobby included. */
  participants: limits.participants,
  /** Calls of ours in one conference. */
  calls: 100,
  /** Requests of ours to one conference that await an answer. */
  requests: 10_000,
} as const;

/** An answer to an INVITE is awaited for so long: timer B, 64·T1 (RFC 3261, 17.1.1.2). */
export const inviteTimeoutMs = 32_000;

/** An audio call sends a packet this often (RFC 3551, 4.5: 20 ms). */
export const packetIntervalMs = 20;

/** Completes the options; throws a RangeError that names the option that cannot be. */
export function completeOptions(given: Partial<PoolOptions>): PoolOptions {
  const options = { ...poolDefaults, ...given };
  whole('frontEnds', options.frontEnds, 1, poolLimits.frontEnds);
  whole('hops', options.hops, 1, poolLimits.hops);
  whole('participants', options.participants.length, 0, poolLimits.participants - 1);
  whole('mcus', options.mcus.length, 0, poolLimits.mcus);
  for (const name of ['latencyMs', 'jitterMs', 'failoverMs', 'mcuFailoverMs', 'mcuActivationMs'] as const) {
    if (!(options[name] >= 0 && options[name] < Number.POSITIVE_INFINITY)) {
      throw new RangeError(`${name} must be a number of milliseconds, zero or more, not ${options[name]}.`);
    }
  }
  return options;
}

function whole(name: string, value: number, least: number, most: number): void {
  if (!Number.isInteger(value) || value < least || value > most) {
    throw new RangeError(`The pool takes ${least} to ${most} ${name}, not ${value}.`);
  }
}
