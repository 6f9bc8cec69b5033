/** Facts for tests of the timeline. */
import type { Fact } from '../../nodes/recovery/messages';
import type { Entry, ShownFact } from '../../nodes/timeline/history';

export const conference = 'sip:daily@pool.example';

/** A fact of the conference session, unless `body` says otherwise. */
export function factOf(body: object): Fact {
  return {
    conference,
    at: '2026-01-01T00:00:00.000Z',
    seq: 1,
    source: 'conference-session',
    incident: null,
    active: false,
    severity: 'info',
    dialog: 1,
    version: 1,
    ...body,
  } as unknown as Fact;
}

/** The session enters a state. */
export function stateFact(previous: string, state: string, body: object = {}): Fact {
  const startedAt = '2026-01-01T00:00:00.000Z';
  const rest = { mode: null, reason: 'Joined', startedAt, endedAt: null, elapsedMs: 0, attempts: 0, restored: false };
  return factOf({ event: 'state-changed', previous, state, ...rest, ...body });
}

export function mcuFact(previous: string, state: string, body: object = {}): Fact {
  const mcu = { source: 'mcu-session', mcu: 'audio-video', reason: 'Activated' };
  return factOf({ event: 'state-changed', previous, state, ...mcu, ...body });
}

export function verdictFact(phase: string, evidence = 1, body: object = {}): Fact {
  const each = { signal: 'timeout', at: '2026-01-01T00:00:00.000Z', seq: 1, rule: 'silence' };
  const detector = { source: 'failover-detector', level: 'hop', rule: 'silence' };
  return factOf({ event: 'failover-detected', ...detector, phase, evidence: Array(evidence).fill(each), ...body });
}

export function attemptFact(outcome: string, body: object = {}): Fact {
  const healer = { source: 'route-healer', attempt: 1, status: null, nextAttemptAt: null };
  return factOf({ event: 'heal-attempted', ...healer, outcome, ...body });
}

export function giveUpFact(body: object): Fact {
  return factOf({ source: 'give-up-timer', ...body });
}

let cursor = 0;

/** A fact as recorded `at`. */
export function entryOf(at: number, fact: Fact, node = 'session'): Entry {
  cursor += 1;
  return { cursor, node, at, fact: fact as ShownFact };
}
