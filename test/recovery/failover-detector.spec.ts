import assert from 'node:assert/strict';
import { DEFAULT_RULES, type DetectorRule } from '../../nodes/recovery/detector-rules';
import {
  type FailoverDetectorSettings,
  type FailoverDetectorState,
  failoverDetector,
  failoverDetectorDefaults,
} from '../../nodes/recovery/failover-detector';
import { limits } from '../../nodes/recovery/limits';
import type { Message } from '../../nodes/recovery/step';
import { only } from '../support/driver';
import { names, Policy } from './hearsay';

type Detector = Policy<FailoverDetectorState, FailoverDetectorSettings>;

function fresh(settings: Partial<FailoverDetectorSettings> = {}): Detector {
  return new Policy(failoverDetector, { ...failoverDetectorDefaults, ...settings });
}

/** A detector that has heard the session join. */
function listening(settings: Partial<FailoverDetectorSettings> = {}): Detector {
  const detector = fresh(settings);
  detector.session('Connecting', 'Connected');
  return detector;
}

/** Verdicts in short: `hop failed`. */
function verdicts(messages: readonly Message[]): string[] {
  return only(messages, 'failover-detected').map(({ level, phase }) => `${level} ${phase}`);
}

const FOCUS_FAILED = ['focus failed'];
const HOP_FAILED = ['hop failed'];

/** The session follows a verdict into Reconnecting. */
function rejoins(detector: Detector, incident = detector.state.incident?.id): void {
  detector.incident = incident ?? null;
  detector.session('Connected', 'Reconnecting', { mode: 'rejoining', reason: 'FocusFailover' });
}

function recovers(detector: Detector): void {
  detector.incident = detector.state.incident?.id ?? null;
  detector.session('Connected', 'Reconnecting');
}

describe('failover detector: rules', () => {
  const cases: [what: string, give: (detector: Detector) => Message[], expected: string[]][] = [
    ['481 to an operation', (d) => d.answer(481), FOCUS_FAILED],
    ['481 to a refresh', (d) => d.answer(481, { purpose: 'refresh', method: 'UPDATE' }), FOCUS_FAILED],
    ['481 to a subscription', (d) => d.answer(481, { purpose: 'subscription', method: 'SUBSCRIBE' }), FOCUS_FAILED],
    ['a BYE that nothing explains', (d) => d.signal('remote-bye'), FOCUS_FAILED],
    ['an expired session', (d) => d.signal('session-expired'), FOCUS_FAILED],
    ['a lost subscription', (d) => d.signal('subscription-lost'), FOCUS_FAILED],
    ['430', (d) => d.answer(430), HOP_FAILED],
    ['408', (d) => d.answer(408), HOP_FAILED],
    ['504', (d) => d.answer(504), HOP_FAILED],
    ['a time-out', (d) => d.signal('timeout', { purpose: 'operation' }), HOP_FAILED],
    ['a lost transport', (d) => d.signal('transport-lost'), HOP_FAILED],
    ['503 to an UPDATE', (d) => d.answer(503, { purpose: 'refresh', method: 'UPDATE' }), HOP_FAILED],
    ['503 to an INFO (ERR-7)', (d) => d.answer(503), []],
    ['a missed heartbeat', (d) => d.signal('heartbeat-missed'), ['hop suspected']],
    ['an MCU that fails over', (d) => d.signal('mcu-report', { mcu: 'chat', report: 'failing-over' }), ['mcu failed']],
    ['an MCU that is inactive', (d) => d.signal('mcu-report', { mcu: 'chat', report: 'inactive' }), []],
    ['200', (d) => d.answer(200), []],
    ['403', (d) => d.answer(403), []],
    ['404 outside healing', (d) => d.answer(404), []],
    ['a restored transport', (d) => d.signal('transport-restored'), []],
    ['a route that the far end healed', (d) => d.signal('remote-update'), []],
    ['481 to a probe', (d) => d.answer(481, { purpose: 'probe', method: 'OPTIONS' }), []],
    ['a probe without answer', (d) => d.signal('timeout', { purpose: 'probe' }), []],
    ['481 to a heal', (d) => d.answer(481, { purpose: 'heal', method: 'UPDATE' }), FOCUS_FAILED],
    ['404 to a heal', (d) => d.answer(404, { purpose: 'heal', method: 'UPDATE' }), FOCUS_FAILED],
    ['410 to a heal', (d) => d.answer(410, { purpose: 'heal', method: 'UPDATE' }), FOCUS_FAILED],
    ['430 to a heal', (d) => d.answer(430, { purpose: 'heal', method: 'UPDATE' }), []],
    ['a heal without answer', (d) => d.signal('timeout', { purpose: 'heal' }), []],
    ['a re-join without answer', (d) => d.signal('timeout', { purpose: 'rejoin' }), []],
    ['481 to a re-join', (d) => d.answer(481, { purpose: 'rejoin', method: 'INVITE' }), []],
  ];
  for (const [what, give, expected] of cases) {
    it(`DET-1 ${what} gives ${expected[0] ?? 'nothing'}`, () => {
      assert.deepEqual(verdicts(give(listening())), expected);
    });
  }

  it('DET-5 the first rule that matches decides, and every condition counts', () => {
    const rule: DetectorRule = {
      name: 'rolling-over',
      signal: 'response',
      purposes: ['operation'],
      status: [500, [580, 589]],
      methods: ['INFO'],
      notMethods: ['MESSAGE'],
      recoveryAction: 'Wait-For-Session-Update',
      diagnostics: [24067],
      level: 'mcu',
      phase: 'failed',
    };
    const matching = {
      mcu: 'chat',
      recoveryAction: ['Wait-For-Session-Update'],
      diagnostics: { id: 24067, source: 'mcu' },
    };
    const given = (status: number, members: object) =>
      verdicts(listening({ rules: [rule] }).answer(status, { ...matching, ...members }));
    assert.deepEqual(given(500, {}), ['mcu failed']);
    assert.deepEqual(given(585, {}), ['mcu failed']);
    assert.deepEqual(given(590, {}), []);
    assert.deepEqual(given(500, { purpose: 'refresh' }), []);
    assert.deepEqual(given(500, { method: 'UPDATE' }), []);
    assert.deepEqual(given(500, { method: 'MESSAGE' }), []);
    assert.deepEqual(given(500, { recoveryAction: [] }), []);
    assert.deepEqual(given(500, { recoveryAction: undefined }), []);
    assert.deepEqual(given(500, { diagnostics: undefined }), []);
    assert.deepEqual(given(500, { diagnostics: { id: 1 } }), []);
    assert.deepEqual(given(500, { mcu: undefined }), []);
    assert.deepEqual(verdicts(listening({ rules: [{ ...rule, off: true }] }).answer(500, matching)), []);
    const first: DetectorRule = { name: 'first', signal: 'response', status: [481], level: 'hop', phase: 'suspected' };
    assert.deepEqual(verdicts(listening({ rules: [first, ...DEFAULT_RULES] }).answer(481)), ['hop suspected']);
  });

  it('DET-5 names of the default rules are unique', () => {
    assert.equal(new Set(DEFAULT_RULES.map(({ name }) => name)).size, DEFAULT_RULES.length);
  });
});

describe('failover detector: verdicts', () => {
  it('DET-8 a verdict names its rule and carries the signals it rests on', () => {
    const detector = listening();
    const [verdict] = only(detector.answer(430, { recoveryAction: ['Dialog-Route-Set-Update'] }), 'failover-detected');
    const at = new Date(detector.now).toISOString();
    assert.equal(verdict.rule, 'flow-failed');
    assert.deepEqual(verdict.recoveryAction, ['Dialog-Route-Set-Update']);
    assert.deepEqual(verdict.evidence, [
      { signal: 'response', at, seq: 2, rule: 'flow-failed', purpose: 'operation', method: 'INFO', status: 430 },
    ]);
  });

  it('DET-8 a verdict about an MCU names it, and carries the report', () => {
    const [verdict] = only(
      listening().signal('mcu-report', { mcu: 'chat', report: 'failing-over' }),
      'failover-detected',
    );
    assert.equal(verdict.mcu, 'chat');
    assert.equal(verdict.evidence[0].report, 'failing-over');
    assert.equal('recoveryAction' in verdict, false);
  });

  it('DET-8 evidence says no more than its signal did', () => {
    const detector = listening();
    const [verdict] = only(detector.signal('transport-lost'), 'failover-detected');
    const at = new Date(detector.now).toISOString();
    assert.deepEqual(verdict.evidence, [{ signal: 'transport-lost', at, seq: 2, rule: verdict.rule }]);
  });

  it('DET-3 what people have to know of is a warning: a failure that no silent repair can mend, and neither doubt nor relief', () => {
    const severities = (...steps: Message[][]) =>
      only(steps.flat(), 'failover-detected').map(({ severity }) => severity);
    const doubts = (level: 'focus' | 'hop'): DetectorRule[] => [
      { name: 'doubt', signal: 'response', status: [400], level, phase: 'suspected' },
      { name: 'relief', signal: 'response', status: [200], level, phase: 'cleared' },
    ];
    assert.deepEqual(severities(listening().answer(481)), ['warning']);
    assert.deepEqual(severities(listening().answer(430)), ['info']);
    const doubting = listening({ rules: doubts('focus'), probing: false });
    assert.deepEqual(severities(doubting.answer(400), doubting.answer(200)), ['info', 'info']);
    const rolling = listening();
    const report = (said: string) => rolling.signal('mcu-report', { mcu: 'chat', report: said });
    assert.deepEqual(severities(report('failing-over'), report('active')), ['warning', 'info']);
  });

  it('DET-1 while a verdict is open, evidence is added to it and no second one leaves', () => {
    const detector = listening();
    detector.answer(430);
    assert.deepEqual(detector.answer(408), []);
    assert.deepEqual(detector.signal('heartbeat-missed'), []);
    const [cleared] = only(detector.answer(200, { purpose: 'heal', method: 'UPDATE' }), 'failover-detected');
    assert.equal(cleared.phase, 'cleared');
    assert.deepEqual(
      cleared.evidence.map(({ rule }: { rule: string }) => rule),
      ['flow-failed', 'request-timeout', 'heartbeat-missed', 'heal-answered'],
    );
  });

  it('MSG-6 evidence is bounded, and a later signal replaces the last', () => {
    const detector = listening();
    for (let i = 0; i < 2 * limits.evidence; i += 1) detector.answer(430);
    const { evidence } = detector.state.verdicts.hop ?? { evidence: [] };
    assert.equal(evidence.length, limits.evidence);
    assert.equal(evidence.at(-1)?.seq, 2 * limits.evidence + 1);
  });

  it('ORD-6 the evidence of a verdict is a copy', () => {
    const detector = listening();
    const [verdict] = only(detector.answer(430), 'failover-detected');
    verdict.evidence[0].status = 200;
    assert.equal(detector.state.verdicts.hop?.evidence[0]?.status, 430);
  });

  it('DET-1 an answered heal clears the hop, and closes the incident when no state change was seen', () => {
    const detector = listening();
    const [failed] = only(detector.answer(430), 'failover-detected');
    const [cleared] = only(detector.answer(200, { purpose: 'heal', method: 'UPDATE' }), 'failover-detected');
    assert.equal(failed.active, true);
    assert.equal(failed.severity, 'info');
    assert.equal(cleared.rule, 'heal-answered');
    assert.equal(cleared.incident, failed.incident);
    assert.equal(cleared.active, false);
    assert.equal(cleared.severity, 'info');
    assert.equal(detector.state.incident, null);
  });

  it('O15 a route that the far end healed clears the hop as well', () => {
    const detector = listening();
    detector.answer(430);
    assert.deepEqual(verdicts(detector.signal('remote-update')), ['hop cleared']);
  });

  it('in Reconnecting, clearing the hop leaves the incident to the state change of the session', () => {
    const detector = listening();
    detector.answer(430);
    recovers(detector);
    const [cleared] = only(detector.answer(200, { purpose: 'heal', method: 'UPDATE' }), 'failover-detected');
    assert.equal(cleared.active, true);
    assert.notEqual(detector.state.incident, null);
    assert.deepEqual(detector.session('Reconnecting', 'Connected', { reason: 'RouteHealed' }), []);
    assert.equal(detector.state.incident, null);
  });

  it('a verdict is closed by the state change that leaves Reconnecting, and the next failure is a new incident', () => {
    const detector = listening();
    const [first] = only(detector.answer(430), 'failover-detected');
    recovers(detector);
    detector.after(1_000);
    assert.deepEqual(detector.session('Reconnecting', 'Connected', { reason: 'RouteHealed' }), []);
    const [second] = only(detector.answer(430), 'failover-detected');
    assert.notEqual(second.incident, first.incident);
  });

  it('MSG-8 the state change of an incident that has closed closes nothing', () => {
    const detector = listening();
    detector.answer(430);
    detector.session('Reconnecting', 'Connected', { incident: 'an earlier one' });
    assert.equal(detector.state.verdicts.hop?.phase, 'failed');
  });

  it('an outage that the session knows keeps its incident in the detector', () => {
    const detector = listening();
    detector.incident = 'minted elsewhere';
    detector.session('Connected', 'Reconnecting', { mode: 'recovering' });
    const [verdict] = only(detector.answer(430), 'failover-detected');
    assert.equal(verdict.incident, 'minted elsewhere');
  });

  it('every MCU has a verdict and an incident of its own, closed when it is active again', () => {
    const detector = listening();
    const [chat] = only(detector.signal('mcu-report', { mcu: 'chat', report: 'failing-over' }), 'failover-detected');
    const [audio] = only(detector.signal('mcu-report', { mcu: 'audio', report: 'failing-over' }), 'failover-detected');
    const [hop] = only(detector.answer(430), 'failover-detected');
    assert.equal(new Set([chat.incident, audio.incident, hop.incident]).size, 3);
    assert.equal(chat.severity, 'warning');
    const [cleared] = only(detector.signal('mcu-report', { mcu: 'chat', report: 'active' }), 'failover-detected');
    assert.deepEqual([cleared.mcu, cleared.phase, cleared.active], ['chat', 'cleared', false]);
    assert.equal(cleared.incident, chat.incident);
    assert.deepEqual(Object.keys(detector.state.verdicts), ['mcu/audio', 'hop']);
  });

  it('MSG-8 a signal of another dialog changes nothing', () => {
    const detector = listening();
    const before = detector.state;
    assert.deepEqual(detector.answer(481, { dialog: 2 }), []);
    assert.deepEqual(detector.state, before);
  });

  it('MSG-7 facts and requests that do not concern it leave the very same record', () => {
    const { state } = listening();
    const moment = { now: 0, random: 0 };
    for (const message of [
      { command: 'probe', dialog: 1 },
      { command: 'join' },
      { event: 'route-status-changed', status: 'Healthy' },
      { event: 'failover-detected', level: 'hop', phase: 'failed' },
      { event: 'state-changed', source: 'mcu-session', mcu: 'chat', state: 'Retrying' },
    ] as unknown as Message[]) {
      const step = failoverDetector.step(state, { input: 'message', message }, moment, failoverDetectorDefaults);
      assert.equal(step.state, state);
      assert.deepEqual(step.messages, []);
    }
  });

  for (const state of ['Idle', 'Connecting', 'Disconnecting', 'Disconnected'] as const) {
    it(`FE-27 signals are ignored while the session is ${state}`, () => {
      const detector = listening();
      detector.session('Connected', state);
      assert.deepEqual(detector.answer(481), []);
    });
  }

  it('a verdict that the session never knew is cleared when it ends, lest the incident stays open', () => {
    const detector = listening();
    detector.signal('heartbeat-missed');
    detector.signal('mcu-report', { mcu: 'chat', report: 'failing-over' });
    const messages = only(detector.session('Connected', 'Disconnecting'), 'failover-detected');
    assert.deepEqual(
      messages.map(({ level, phase, rule, active }) => [level, phase, rule, active]),
      [
        ['hop', 'cleared', 'session-ended', false],
        ['mcu', 'cleared', 'session-ended', false],
      ],
    );
  });

  it('a verdict that the session did know is closed by its end', () => {
    const detector = listening();
    detector.answer(481);
    rejoins(detector);
    assert.deepEqual(detector.session('Reconnecting', 'Disconnecting'), []);
    assert.deepEqual(detector.state.verdicts, {});
    assert.equal(detector.deadlines.size, 0);
  });

  it('admission from the lobby leaves verdicts open', () => {
    const detector = fresh();
    detector.session('Connecting', 'InLobby');
    detector.answer(430);
    assert.deepEqual(detector.session('InLobby', 'Connected', { reason: 'Admitted' }), []);
    assert.equal(detector.state.verdicts.hop?.phase, 'failed');
  });

  it('a detector that has not heard of the session yet takes any dialog for the present one', () => {
    const detector = fresh();
    detector.dialog = 3;
    assert.deepEqual(verdicts(detector.answer(430)), HOP_FAILED);
    assert.equal(detector.state.dialog, 3);
    detector.dialog = 4;
    assert.deepEqual(verdicts(detector.answer(481)), ['hop cleared', 'focus failed']);
  });
});

describe('failover detector: heartbeats', () => {
  it('DET-2 one missed heartbeat is a suspicion, two in a row are a failure', () => {
    const detector = listening({ heartbeatDetector: 'missed' });
    const [suspected] = only(detector.signal('heartbeat-missed'), 'failover-detected');
    const [failed] = only(detector.signal('heartbeat-missed'), 'failover-detected');
    assert.deepEqual([suspected.phase, suspected.rule, suspected.severity], ['suspected', 'heartbeat-missed', 'info']);
    assert.deepEqual([failed.phase, failed.rule], ['failed', 'missed-heartbeats']);
    assert.equal(failed.evidence.length, 2);
    assert.equal(failed.incident, suspected.incident);
  });

  it('DET-4 an answered heartbeat withdraws the suspicion', () => {
    const detector = listening();
    detector.signal('heartbeat-missed');
    const [cleared] = only(detector.signal('heartbeat', { roundTripMs: 20 }), 'failover-detected');
    assert.deepEqual([cleared.level, cleared.phase, cleared.active], ['hop', 'cleared', false]);
    assert.deepEqual(verdicts(detector.signal('heartbeat-missed')), ['hop suspected']);
  });

  it('DET-4 so does any answer that came by the route', () => {
    const detector = listening();
    detector.signal('heartbeat-missed');
    assert.deepEqual(verdicts(detector.answer(200)), ['hop cleared']);
  });

  it('an answered probe, which takes another way, does not', () => {
    const detector = listening({ heartbeatDetector: 'missed' });
    detector.signal('heartbeat-missed');
    assert.deepEqual(detector.answer(200, { purpose: 'probe' }), []);
    assert.deepEqual(verdicts(detector.signal('heartbeat-missed')), HOP_FAILED);
  });

  it('a route that has failed is cleared by healing only', () => {
    const detector = listening();
    detector.answer(430);
    assert.deepEqual(detector.signal('heartbeat'), []);
    assert.deepEqual(detector.answer(200), []);
  });

  it('DET-1 hop evidence is ignored while the session re-joins', () => {
    const detector = listening();
    detector.answer(481);
    rejoins(detector);
    assert.deepEqual(detector.signal('heartbeat-missed'), []);
    assert.deepEqual(detector.answer(430), []);
    assert.equal(detector.state.missedHeartbeats, 0);
    assert.equal(detector.state.verdicts.hop, undefined);
  });

  it('HOP-19 the hop is closed quietly when recovering turns into re-joining', () => {
    const detector = listening();
    detector.answer(430);
    recovers(detector);
    detector.answer(481, { purpose: 'heal', method: 'UPDATE' });
    const turned = { event: 'mode-changed', previousMode: 'recovering', mode: 'rejoining', reason: 'FocusFailover' };
    assert.deepEqual(detector.hear(turned as Parameters<Detector['hear']>[0]), []);
    assert.deepEqual(Object.keys(detector.state.verdicts), ['focus']);
    assert.deepEqual(detector.answer(430), []);
  });
});

describe('failover detector: silence', () => {
  /** A detector that has heard heartbeats, one a second. */
  function beating(settings: Partial<FailoverDetectorSettings> = {}, beats = 10): Detector {
    const detector = listening(settings);
    for (let beat = 0; beat < beats; beat += 1) {
      assert.deepEqual(detector.after(1_000), []);
      heartbeat(detector);
    }
    return detector;
  }

  function heartbeat(detector: Detector): Message[] {
    return detector.signal('heartbeat', { purpose: 'refresh', method: 'OPTIONS', roundTripMs: 20, elapsedMs: 20 });
  }

  function probeAnswered(detector: Detector): Message[] {
    return detector.answer(200, { purpose: 'probe', method: 'OPTIONS', elapsedMs: 20 });
  }

  const FOR_LONG = 3_600_000;

  it('DET-7 fixed: the verdict falls with the time-out, and shows the heartbeat it is counted from and the figures', () => {
    const detector = beating({ heartbeatDetector: 'fixed' });
    const lastAt = new Date(detector.now).toISOString();
    assert.deepEqual(detector.after(3_499), []);
    const [failed] = only(detector.after(1), 'failover-detected');
    assert.deepEqual([failed.level, failed.phase, failed.rule], ['hop', 'failed', 'heartbeat-timeout']);
    assert.deepEqual(failed.evidence, [
      {
        signal: 'heartbeat',
        at: lastAt,
        seq: 11,
        rule: 'heartbeat-timeout',
        purpose: 'refresh',
        method: 'OPTIONS',
        figures: {
          missedHeartbeats: 0,
          silentMs: 3_500,
          intervalMs: 1_000,
          deviationMs: 0,
          phi: failed.evidence[0].figures.phi,
        },
      },
    ]);
    assert.deepEqual(detector.after(FOR_LONG), [], 'one verdict');
  });

  it('DET-7 any answer in the dialog is life', () => {
    const detector = beating({ heartbeatDetector: 'fixed' });
    detector.after(3_000);
    detector.answer(200);
    assert.deepEqual(detector.after(3_499), []);
    assert.deepEqual(verdicts(detector.after(1)), HOP_FAILED);
  });

  it('DET-7 an answer alone, without any heartbeat before, starts nothing', () => {
    const detector = listening({ heartbeatDetector: 'fixed' });
    detector.answer(200);
    assert.deepEqual(detector.after(FOR_LONG), []);
  });

  it('DET-7 only heartbeats teach their interval', () => {
    const detector = beating();
    detector.after(500);
    detector.answer(200);
    detector.after(500);
    heartbeat(detector);
    assert.equal(detector.state.heartbeats.meanMs, 1_000);
  });

  it('DET-7 phi: the verdict falls when such a silence is too improbable', () => {
    const detector = beating({ heartbeatDetector: 'phi' });
    const messages = detector.after(10_000);
    const [failed] = only(messages, 'failover-detected');
    assert.equal(failed.rule, 'heartbeat-phi');
    const { phi, silentMs } = failed.evidence[0].figures;
    assert.ok(phi >= 8 && phi < 8.1, phi);
    assert.ok(silentMs > 4_400 && silentMs < 4_800, silentMs);
  });

  for (const heartbeatDetector of ['fixed', 'phi'] as const) {
    it(`DET-7 ${heartbeatDetector}: as long as no interval is known, missed heartbeats count`, () => {
      const detector = listening({ heartbeatDetector });
      assert.deepEqual(verdicts(detector.signal('heartbeat-missed', { elapsedMs: 4_000 })), ['hop suspected']);
      assert.deepEqual(detector.after(FOR_LONG), []);
      const [failed] = only(detector.signal('heartbeat-missed', { elapsedMs: 4_000 }), 'failover-detected');
      assert.equal(failed.rule, 'missed-heartbeats');
      assert.deepEqual(failed.evidence[1].figures, { missedHeartbeats: 2, silentMs: 4_000 + FOR_LONG });
    });

    it(`DET-7 ${heartbeatDetector}: once it is known, they do not`, () => {
      const detector = beating({ heartbeatDetector, heartbeatTimeoutMs: 60_000, phiAcceptablePauseMs: 60_000 });
      detector.signal('heartbeat-missed');
      assert.deepEqual(detector.signal('heartbeat-missed'), []);
      assert.deepEqual(verdicts(detector.after(100_000)), HOP_FAILED);
    });
  }

  it('DET-7 missed: no silence decides', () => {
    assert.deepEqual(beating({ heartbeatDetector: 'missed' }).after(FOR_LONG), []);
  });

  it('DET-7 suspicion: asks on a second path as soon as a heartbeat is late', () => {
    const detector = beating();
    const messages = detector.after(1_300);
    assert.deepEqual(names(messages), ['failover-detected', 'probe']);
    const [suspected] = only(messages, 'failover-detected');
    const [probe] = only(messages, 'probe');
    assert.deepEqual([suspected.phase, suspected.rule, suspected.severity], ['suspected', 'heartbeat-late', 'info']);
    assert.ok(suspected.evidence[0].figures.phi >= 2);
    assert.deepEqual([probe.dialog, probe.incident], [1, suspected.incident]);
  });

  it('DET-7 suspicion: when that is silent as well, the verdict falls, and shows the figures', () => {
    const detector = beating();
    const messages = detector.after(3_299);
    assert.deepEqual(verdicts(messages), ['hop suspected']);
    assert.equal(only(messages, 'probe').length, 5);
    const [failed] = only(detector.after(1), 'failover-detected');
    assert.deepEqual([failed.phase, failed.rule], ['failed', 'heartbeat-silence']);
    assert.equal(failed.evidence.length, 2);
    const { probesMissed, silentMs, phi } = failed.evidence[1].figures;
    assert.deepEqual([probesMissed, silentMs], [5, 3_300]);
    assert.ok(phi > 100);
    assert.deepEqual(detector.after(FOR_LONG), [], 'and nobody asks any more');
  });

  it('DET-4 suspicion: the heartbeat that comes late clears, and nobody asks any more', () => {
    const detector = beating();
    detector.after(2_000);
    const [cleared] = only(heartbeat(detector), 'failover-detected');
    assert.deepEqual([cleared.phase, cleared.rule, cleared.active], ['cleared', 'heartbeat-answered', false]);
    assert.deepEqual([...detector.deadlines.keys()], ['heartbeat']);
    detector.after(1_000);
    assert.deepEqual(heartbeat(detector), []);
  });

  it('DET-7 suspicion: an answered probe holds the verdict back, an unanswered one does not', () => {
    const detector = beating();
    detector.after(3_000);
    detector.answer(503, { purpose: 'probe' });
    detector.signal('timeout', { purpose: 'probe' });
    assert.deepEqual(probeAnswered(detector), []);
    assert.equal(detector.state.suspicion?.probesMissed, 0);
    assert.deepEqual(verdicts(detector.after(2_299)), []);
    const [failed] = only(detector.after(1), 'failover-detected');
    assert.equal(failed.rule, 'heartbeat-silence');
  });

  it('DET-7 suspicion: a route that stays silent has failed, although the Focus answers', () => {
    const detector = beating();
    const found: string[] = [];
    for (let ms = 0; ms < 10_000; ms += 100) {
      found.push(...only(detector.after(100), 'failover-detected').map(({ phase, rule }) => `${ms} ${phase} ${rule}`));
      if (ms > 1_300) probeAnswered(detector);
      if (ms === 5_000 || ms === 6_000) detector.signal('heartbeat-missed', { elapsedMs: 4_000 });
    }
    assert.deepEqual(found, ['1200 suspected heartbeat-late', '7900 failed route-silence']);
  });

  it('DET-7 suspicion: a second miss that comes later than the bound on silence decides at once', () => {
    const detector = beating();
    detector.after(1_300);
    for (let ms = 0; ms < 9_000; ms += 1_000) {
      probeAnswered(detector);
      detector.after(1_000);
    }
    detector.signal('heartbeat-missed', { elapsedMs: 4_000 });
    detector.signal('heartbeat-missed', { elapsedMs: 4_000 });
    const [failed] = only(detector.after(0), 'failover-detected');
    assert.deepEqual([failed.phase, failed.rule], ['failed', 'route-silence']);
  });

  it('DET-7 suspicion: while media flow, the confirmation takes twice as long', () => {
    const detector = beating();
    detector.signal('media', { mcu: 'audio-video', flowing: true });
    detector.signal('media', { mcu: 'chat', flowing: true });
    detector.signal('media', { mcu: 'chat', flowing: false });
    assert.deepEqual(verdicts(detector.after(5_599)), ['hop suspected']);
    assert.deepEqual(verdicts(detector.after(1)), HOP_FAILED);
  });

  it('DET-7 suspicion: media that stop meanwhile end that', () => {
    const detector = beating();
    detector.signal('media', { flowing: true });
    detector.after(3_000);
    detector.signal('media', { flowing: false });
    assert.deepEqual(verdicts(detector.after(300)), HOP_FAILED);
  });

  it('DET-7 suspicion: without probing nobody is asked, and silence alone decides', () => {
    const messages = beating({ probing: false }).after(3_300);
    assert.deepEqual(names(messages), ['failover-detected', 'failover-detected']);
  });

  it('DET-7 suspicion: before any interval is known, a missed heartbeat raises it', () => {
    const detector = listening();
    assert.deepEqual(names(detector.signal('heartbeat-missed', { elapsedMs: 4_000 })), ['failover-detected', 'probe']);
    assert.deepEqual(verdicts(detector.after(1_149)), []);
    const [failed] = only(detector.after(1), 'failover-detected');
    assert.equal(failed.rule, 'heartbeat-silence');
    assert.deepEqual(failed.evidence[1].figures, { missedHeartbeats: 1, silentMs: 5_150, probesMissed: 3 });
  });

  it('DET-7 suspicion: where no heartbeats are, a rule that suspects leads to no questions', () => {
    const slow: DetectorRule = { name: 'slow', signal: 'timeout', level: 'hop', phase: 'suspected' };
    const detector = listening({ rules: [slow, ...DEFAULT_RULES] });
    assert.deepEqual(names(detector.signal('timeout')), ['failover-detected']);
    assert.deepEqual(detector.after(FOR_LONG), []);
  });

  it('DET-7 a miss that the route has outrun is no evidence', () => {
    const detector = beating();
    assert.deepEqual(detector.signal('heartbeat-missed', { elapsedMs: 4_000 }), []);
    assert.equal(detector.state.missedHeartbeats, 0);
  });

  it('DET-7 nobody watches while the session is Reconnecting, and the time in between teaches nothing', () => {
    const detector = beating();
    recovers(detector);
    assert.deepEqual(detector.after(60_000), []);
    detector.session('Reconnecting', 'Connected', { reason: 'RouteHealed' });
    detector.incident = null;
    assert.deepEqual(detector.after(60_000), []);
    heartbeat(detector);
    assert.equal(detector.state.heartbeats.meanMs, 1_000);
    assert.deepEqual(verdicts(detector.after(3_300)), ['hop suspected', 'hop failed']);
  });

  it('DET-7 a verdict ends the watch, and the answered heal that closes it begins it anew', () => {
    const detector = beating();
    detector.answer(430);
    assert.equal(detector.deadlines.size, 0);
    heartbeat(detector);
    assert.equal(detector.deadlines.size, 0);
    assert.deepEqual(verdicts(detector.answer(200, { purpose: 'heal', method: 'UPDATE' })), ['hop cleared']);
    assert.deepEqual(verdicts(detector.after(3_300)), ['hop suspected', 'hop failed']);
  });

  it('DET-7 a suspicion ends when other evidence decides, or the Focus fails', () => {
    for (const status of [430, 481]) {
      const detector = beating({ probing: false });
      detector.after(2_000);
      assert.equal(detector.state.verdicts.hop?.phase, 'suspected');
      detector.answer(status);
      assert.equal(detector.state.suspicion, null);
      assert.deepEqual(detector.after(FOR_LONG), []);
    }
  });

  it('DET-7 PER-6 a start of the session may bring another interval: what was learned is forgotten', () => {
    const detector = beating();
    detector.status('Connected');
    assert.equal(detector.state.heartbeats.learned, 0);
    assert.deepEqual(detector.after(FOR_LONG), []);
  });

  it('DET-7 the end of the session ends the watch, and forgets the media', () => {
    const detector = beating();
    detector.signal('media', { mcu: 'chat', flowing: true });
    detector.session('Connected', 'Disconnecting');
    assert.deepEqual(detector.after(FOR_LONG), []);
    assert.deepEqual(detector.state.flowing, []);
  });

  it('DET-7 reset forgets the silence so far', () => {
    const detector = beating();
    detector.after(3_000);
    assert.deepEqual(verdicts(detector.command('reset')), ['hop cleared']);
    assert.deepEqual(detector.after(FOR_LONG), []);
  });

  it('DET-7 another dialog, of which signals alone tell, is watched from its first heartbeat on', () => {
    const detector = fresh();
    heartbeat(detector);
    detector.after(1_000);
    heartbeat(detector);
    detector.dialog = 2;
    detector.after(1_000);
    detector.answer(403);
    assert.equal(detector.state.heartbeats.lastSign, null);
    assert.deepEqual(detector.after(FOR_LONG), []);
  });

  /** This process stands still, and the deadlines of heartbeats fire late. */
  function stallFor(detector: Detector, ms: number): Message[] {
    detector.now += ms;
    return ['confirming-probe', 'heartbeat'].flatMap((deadline) =>
      detector.deadlines.delete(deadline) ? detector.give({ input: 'deadline', deadline }).messages : [],
    );
  }

  it('DET-7 silence through which this process stood still means nothing', () => {
    const detector = beating();
    detector.after(1_300);
    probeAnswered(detector);
    assert.deepEqual(verdicts(stallFor(detector, 12_300)), []);
    assert.deepEqual(verdicts(detector.after(3_299)), []);
    assert.deepEqual(verdicts(detector.after(1)), HOP_FAILED);
  });

  it('DET-7 so does the silence before a suspicion; and the interval across it teaches nothing', () => {
    const detector = beating();
    assert.deepEqual(stallFor(detector, 10_000), []);
    assert.deepEqual(heartbeat(detector), []);
    assert.equal(detector.state.heartbeats.meanMs, 1_000);
  });

  it('DET-7 a deadline that is a little late is none the worse', () => {
    const detector = beating({ heartbeatDetector: 'fixed' });
    assert.deepEqual(verdicts(stallFor(detector, 4_000)), HOP_FAILED);
  });

  it('DET-7 whoever chooses another detector meanwhile is asked no more', () => {
    const detector = beating();
    detector.settings = { ...detector.settings, heartbeatDetector: 'missed' };
    assert.deepEqual(detector.after(FOR_LONG), []);
  });

  it('DET-6 silence during maintenance is counted, and comes up again afterwards', () => {
    const detector = beating();
    detector.command('suppress', { forMs: 60_000 });
    const during = detector.after(59_999);
    assert.deepEqual(verdicts(during), []);
    assert.equal(only(detector.after(1), 'suppression-changed')[0].withheld, 2);
    assert.deepEqual(verdicts(detector.signal('heartbeat-missed', { elapsedMs: 4_000 })), ['hop suspected']);
    assert.deepEqual(verdicts(detector.after(1_150)), HOP_FAILED);
  });

  it('DET-7 status shows the figures', () => {
    const detector = beating();
    detector.after(1_000);
    const [{ status }] = only(detector.command('status'), 'detector-status');
    assert.deepEqual(status.heartbeats, {
      missedHeartbeats: 0,
      silentMs: 1_000,
      intervalMs: 1_000,
      deviationMs: 0,
      phi: 0.3,
    });
  });

  it('a record that waits for a heartbeat is not forgotten', () => {
    assert.equal(failoverDetector.idle(beating().state), false);
  });

  it('ORD-6 the figures of a verdict are a copy', () => {
    const detector = beating();
    const [suspected] = only(detector.after(1_300), 'failover-detected');
    suspected.evidence[0].figures.phi = 0;
    assert.notEqual(detector.state.verdicts.hop?.evidence[0]?.figures?.phi, 0);
  });
});

describe('failover detector: failover of the Focus', () => {
  it('DET-3 waits for an answered probe before failed-over', () => {
    const detector = listening();
    const messages = detector.answer(481);
    assert.deepEqual(names(messages), ['failover-detected', 'probe']);
    const [failed] = only(messages, 'failover-detected');
    const [probe] = only(messages, 'probe');
    assert.equal(failed.severity, 'warning');
    assert.deepEqual([probe.dialog, probe.incident], [1, failed.incident]);
    rejoins(detector);
    detector.after(40);
    const [failedOver] = only(
      detector.answer(200, { purpose: 'probe', method: 'OPTIONS', elapsedMs: 40 }),
      'failover-detected',
    );
    assert.deepEqual([failedOver.phase, failedOver.rule], ['failed-over', 'probe-answered']);
    assert.equal(failedOver.incident, failed.incident);
    assert.equal(failedOver.evidence.length, 2);
    assert.equal(detector.deadlines.size, 0);
  });

  it('DET-3 a probe without a good answer is repeated, never two at a time', () => {
    const detector = listening();
    detector.answer(481);
    rejoins(detector);
    assert.deepEqual(detector.after(900), []);
    assert.deepEqual(detector.answer(503, { purpose: 'probe', method: 'OPTIONS' }), []);
    assert.deepEqual(detector.after(999), []);
    assert.deepEqual(names(detector.after(1)), ['probe']);
    assert.deepEqual(detector.signal('timeout', { purpose: 'probe' }), []);
    assert.deepEqual(detector.signal('timeout', { purpose: 'probe' }), [], 'a second signal of the same probe');
    assert.deepEqual(names(detector.after(1_000)), ['probe']);
  });

  it('DET-3 a probe whose signal never arrives is repeated after a generous time', () => {
    const detector = listening();
    detector.answer(481);
    assert.deepEqual(detector.after(14_999), []);
    assert.deepEqual(names(detector.after(1)), ['probe']);
  });

  it('DET-3 the end of the window gives failed-over all the same', () => {
    const detector = listening();
    detector.answer(481);
    rejoins(detector);
    detector.after(31_999);
    const [failedOver] = only(detector.after(1), 'failover-detected');
    assert.deepEqual([failedOver.phase, failedOver.rule], ['failed-over', 'failover-window']);
    assert.deepEqual(detector.after(100_000), []);
  });

  it('DET-3 without probing, failed-over follows failed at once', () => {
    const messages = listening({ probing: false }).answer(481);
    assert.deepEqual(verdicts(messages), ['focus failed', 'focus failed-over']);
    assert.deepEqual(names(messages), ['failover-detected', 'failover-detected']);
  });

  it('DET-1 the answer to a probe that was sent before the failure is no answer', () => {
    const detector = listening();
    detector.answer(481);
    detector.after(10);
    assert.deepEqual(detector.answer(200, { purpose: 'probe', elapsedMs: 500 }), []);
    assert.deepEqual(verdicts(detector.answer(200, { purpose: 'probe', elapsedMs: 9 })), ['focus failed-over']);
  });

  it('an answered probe without a failed Focus is nothing', () => {
    assert.deepEqual(listening().answer(200, { purpose: 'probe' }), []);
  });

  it('a Focus that fails takes the open hop verdict with it, under the same incident', () => {
    const detector = listening();
    const [hop] = only(detector.answer(430), 'failover-detected');
    const messages = detector.answer(481, { purpose: 'heal', method: 'UPDATE' });
    assert.deepEqual(verdicts(messages), FOCUS_FAILED);
    assert.equal(only(messages, 'failover-detected')[0].incident, hop.incident);
    assert.deepEqual(Object.keys(detector.state.verdicts), ['focus']);
  });

  it('FE-28 further evidence while re-joining gives no second verdict', () => {
    const detector = listening({ probing: false });
    detector.answer(481);
    rejoins(detector);
    assert.deepEqual(detector.signal('remote-bye'), []);
    assert.deepEqual(detector.signal('subscription-lost'), []);
  });

  it('FE-25 after a good reconnect a new failover is a new verdict, in the new dialog', () => {
    const detector = listening({ probing: false });
    detector.answer(481);
    rejoins(detector);
    detector.dialog = 2;
    detector.session('Reconnecting', 'Connected', { reason: 'Rejoined' });
    detector.incident = null;
    assert.deepEqual(detector.answer(481, { dialog: 1 }), []);
    const messages = detector.answer(481);
    assert.deepEqual(verdicts(messages), ['focus failed', 'focus failed-over']);
    assert.equal(only(messages, 'failover-detected')[0].dialog, 2);
  });

  it('O16 nothing withdraws a Focus that the session acts on', () => {
    const rules: DetectorRule[] = [
      ...DEFAULT_RULES,
      { name: 'all-well', signal: 'transport-restored', level: 'focus', phase: 'cleared' },
    ];
    const detector = listening({ rules });
    detector.answer(481);
    rejoins(detector);
    assert.deepEqual(detector.signal('transport-restored'), []);
    assert.deepEqual(detector.command('reset'), []);
    assert.equal(detector.state.verdicts.focus?.phase, 'failed');
  });

  it('a suspected hop and a suspected Focus share one incident, open until both are cleared', () => {
    const rules: DetectorRule[] = [
      { name: 'slow', signal: 'timeout', level: 'focus', phase: 'suspected' },
      { name: 'quick', signal: 'transport-restored', level: 'focus', phase: 'cleared' },
      ...DEFAULT_RULES,
    ];
    const detector = listening({ rules });
    detector.signal('heartbeat-missed');
    assert.deepEqual(verdicts(detector.signal('timeout')), ['focus suspected']);
    const [hop] = only(detector.signal('heartbeat'), 'failover-detected');
    assert.equal(hop.active, true);
    const [focus] = only(detector.signal('transport-restored'), 'failover-detected');
    assert.equal(focus.active, false);
    assert.equal(focus.incident, hop.incident);
  });
});

describe('failover detector: maintenance', () => {
  function suppressed(settings: Partial<FailoverDetectorSettings> = {}): Detector {
    const detector = listening(settings);
    detector.command('suppress', { forMs: 60_000 });
    return detector;
  }

  it('DET-6 while suppressed no verdict leaves; what was withheld is told at the end', () => {
    const detector = listening();
    const [began] = only(detector.command('suppress', { forMs: 60_000 }), 'suppression-changed');
    assert.equal(began.suppressedUntil, new Date(detector.now + 60_000).toISOString());
    assert.deepEqual(detector.answer(430), []);
    assert.deepEqual(detector.answer(430), [], 'would have been evidence for the first');
    assert.deepEqual(detector.answer(481), []);
    assert.deepEqual(detector.signal('mcu-report', { mcu: 'chat', report: 'failing-over' }), []);
    const [ended] = only(detector.after(60_000), 'suppression-changed');
    assert.deepEqual([ended.suppressedUntil, ended.withheld], [null, 3]);
    assert.deepEqual(verdicts(detector.answer(430)), HOP_FAILED, 'fresh evidence counts again');
  });

  it('DET-6 a second suppression replaces the end of the first', () => {
    const detector = suppressed();
    detector.answer(430);
    assert.equal(only(detector.command('suppress', { forMs: 90_000 }), 'suppression-changed')[0].withheld, 1);
    assert.deepEqual(detector.after(89_999), []);
    assert.deepEqual(names(detector.after(1)), ['suppression-changed']);
  });

  it('DET-6 reset ends it', () => {
    const detector = suppressed();
    assert.deepEqual(names(detector.command('reset')), ['suppression-changed']);
    assert.equal(detector.deadlines.size, 0);
    assert.deepEqual(detector.after(100_000), []);
  });

  it('DET-6 what is withdrawn meanwhile is cleared at the end, and not again', () => {
    const detector = listening({ heartbeatDetector: 'missed' });
    detector.signal('heartbeat-missed');
    detector.command('suppress', { forMs: 60_000 });
    assert.deepEqual(detector.signal('heartbeat'), []);
    assert.deepEqual(detector.signal('heartbeat'), []);
    assert.deepEqual(detector.signal('heartbeat-missed'), []);
    const messages = detector.after(60_000);
    assert.deepEqual(verdicts(messages), ['hop cleared']);
    assert.equal(only(messages, 'suppression-changed')[0].withheld, 2);
    assert.deepEqual(detector.state.verdicts, {});
  });

  it('DET-6 evidence of an open verdict is collected meanwhile', () => {
    const detector = listening({ heartbeatDetector: 'missed' });
    detector.signal('heartbeat-missed');
    detector.command('suppress', { forMs: 60_000 });
    assert.deepEqual(detector.signal('heartbeat-missed'), []);
    assert.equal(detector.state.verdicts.hop?.phase, 'suspected');
    detector.after(60_000);
    assert.deepEqual(verdicts(detector.signal('heartbeat-missed')), HOP_FAILED);
  });

  it('DET-6 a failover that was answered meanwhile is asked for again afterwards', () => {
    const detector = listening();
    detector.answer(481);
    rejoins(detector);
    detector.command('suppress', { forMs: 5_000 });
    assert.deepEqual(detector.answer(200, { purpose: 'probe' }), []);
    assert.deepEqual(names(detector.after(5_000)), ['suppression-changed', 'probe']);
    assert.deepEqual(verdicts(detector.answer(200, { purpose: 'probe' })), ['focus failed-over']);
  });

  it('DET-6 a failover window that ended meanwhile gives failed-over afterwards', () => {
    const detector = listening();
    detector.answer(481);
    rejoins(detector);
    detector.command('suppress', { forMs: 60_000 });
    const during = detector.after(59_999);
    assert.deepEqual(verdicts(during), []);
    assert.deepEqual(verdicts(detector.after(1)), ['focus failed-over']);
  });

  it('DET-6 probing goes on through a suppression in which nothing was answered', () => {
    const detector = listening();
    detector.answer(481);
    rejoins(detector);
    detector.command('suppress', { forMs: 5_000 });
    assert.deepEqual(names(detector.after(5_000)), ['suppression-changed']);
    detector.command('suppress', { forMs: 5_000 });
    assert.deepEqual(detector.command('reset').length, 1, 'the Focus stays failed: the session acts on it');
    assert.deepEqual(names(detector.after(10_000)), ['probe']);
  });

  it('DET-6 the end of the session is told after the suppression', () => {
    const detector = listening();
    detector.answer(481);
    detector.command('suppress', { forMs: 5_000 });
    assert.deepEqual(detector.session('Connected', 'Disconnecting'), []);
    assert.deepEqual([...detector.deadlines.keys()], ['suppression']);
    assert.deepEqual(verdicts(detector.after(5_000)), ['focus cleared']);
  });

  it('DET-6 a clearance while the session acts on the Focus is nothing to withhold', () => {
    const rules: DetectorRule[] = [
      ...DEFAULT_RULES,
      { name: 'all-well', signal: 'transport-restored', level: 'focus', phase: 'cleared' },
    ];
    const detector = listening({ rules });
    detector.answer(481);
    rejoins(detector);
    detector.command('suppress', { forMs: 5_000 });
    detector.signal('transport-restored');
    assert.equal(only(detector.after(5_000), 'suppression-changed')[0].withheld, 0);
  });
});

describe('failover detector: commands and restarts', () => {
  it('reset clears open verdicts and forgets missed heartbeats', () => {
    const detector = listening();
    detector.signal('heartbeat-missed');
    const [cleared] = only(detector.command('reset'), 'failover-detected');
    assert.deepEqual([cleared.phase, cleared.rule, cleared.active], ['cleared', 'reset', false]);
    assert.deepEqual(verdicts(detector.signal('heartbeat-missed')), ['hop suspected']);
  });

  it('status tells what is open', () => {
    const detector = listening();
    const [quiet] = only(detector.command('status'), 'detector-status');
    assert.deepEqual(quiet.status, {
      session: 'Connected',
      mode: null,
      verdicts: [],
      missedHeartbeats: 0,
      failoverWindowEndsAt: null,
      suppressedUntil: null,
      withheld: 0,
    });
    detector.answer(481);
    detector.command('suppress', { forMs: 1_000 });
    const [busy] = only(detector.command('status'), 'detector-status');
    assert.equal(busy.status.verdicts[0].rule, 'dialog-gone');
    assert.equal(busy.status.failoverWindowEndsAt, new Date(detector.now + 32_000).toISOString());
    assert.equal(busy.status.suppressedUntil, new Date(detector.now + 1_000).toISOString());
  });

  it('a record may be forgotten when nothing is open', () => {
    const detector = listening();
    assert.equal(failoverDetector.idle(detector.state), true);
    detector.answer(430);
    assert.equal(failoverDetector.idle(detector.state), false);
  });

  it('a stale deadline decides nothing', () => {
    const detector = listening();
    for (const deadline of ['probe', 'failover-window', 'suppression', 'constructor']) {
      const before = detector.state;
      assert.deepEqual(detector.give({ input: 'deadline', deadline }).messages, []);
      assert.deepEqual(detector.state, before);
    }
  });

  it('PER-6 after a start, deadlines are set again', () => {
    const detector = listening();
    detector.answer(481);
    rejoins(detector);
    const expected = new Map(detector.deadlines);
    detector.deadlines.clear();
    assert.deepEqual(detector.status('Reconnecting', { mode: 'rejoining' }), []);
    assert.deepEqual(detector.deadlines, expected);
  });

  it('PER-6 a session that is well closes what the detector held open', () => {
    const detector = listening();
    detector.signal('heartbeat-missed');
    const [cleared] = only(detector.status('Connected'), 'failover-detected');
    assert.deepEqual([cleared.phase, cleared.rule, cleared.active], ['cleared', 'session-status', false]);
  });

  it('PER-6 a session that waits for its re-join gets failed-over from a detector that has forgotten', () => {
    const detector = fresh();
    detector.incident = 'outage-1';
    const [probe] = only(detector.status('Reconnecting', { mode: 'rejoining' }), 'probe');
    assert.equal(probe.incident, 'outage-1');
    const [failedOver] = only(detector.answer(200, { purpose: 'probe' }), 'failover-detected');
    assert.deepEqual([failedOver.phase, failedOver.incident], ['failed-over', 'outage-1']);
  });

  // Found by simulation, seed 3589504075: the session waited for the re-join for ever.
  it('DET-2 a verdict that was withdrawn while it was on its way to the session stands all the same', () => {
    const detector = listening();
    detector.answer(481);
    assert.deepEqual(verdicts(detector.command('reset')), ['focus cleared']);
    const stands = detector.session('Connected', 'Reconnecting', { mode: 'rejoining', reason: 'FocusFailover' });
    assert.equal(only(stands, 'probe').length, 1);
    assert.deepEqual(verdicts(detector.answer(200, { purpose: 'probe' })), ['focus failed-over']);
  });

  // Found by simulation, seed 80294017.
  it('DET-2 DET-6 also when it was withdrawn in silence, under maintenance', () => {
    const alive = { name: 'alive', signal: 'remote-update', level: 'focus', phase: 'cleared' } as const;
    const detector = listening({ rules: [alive, ...failoverDetectorDefaults.rules] });
    detector.answer(481);
    detector.command('suppress', { forMs: 10_000 });
    detector.signal('remote-update');
    assert.equal(detector.state.verdicts.focus?.phase, 'withdrawn');
    rejoins(detector);
    detector.answer(200, { purpose: 'probe' });
    const [probe] = only(detector.after(10_000), 'probe');
    assert.ok(probe);
    assert.deepEqual(verdicts(detector.answer(200, { purpose: 'probe' })), ['focus failed-over']);
  });

  it('PER-6 without probing it does so at once', () => {
    assert.deepEqual(verdicts(fresh({ probing: false }).status('Reconnecting', { mode: 'rejoining' })), [
      'focus failed-over',
    ]);
  });

  it('PER-6 DET-3 a probe under way is made again, for its answer is lost; one that is due waits for its time', () => {
    const detector = listening();
    detector.answer(481);
    rejoins(detector);
    const at = detector.deadlines.get('failover-window');
    const [probe, ...more] = only(detector.restored('Reconnecting', { mode: 'rejoining' }), 'probe');
    assert.deepEqual([probe.dialog, more], [1, []]);
    detector.answer(503, { purpose: 'probe' });
    assert.deepEqual(only(detector.restored('Reconnecting', { mode: 'rejoining' }), 'probe'), []);
    assert.equal(only(detector.after(1_000), 'probe').length, 1);
    assert.equal(detector.deadlines.get('failover-window'), at);
    assert.deepEqual(verdicts(detector.answer(200, { purpose: 'probe' })), ['focus failed-over']);
  });

  it('PER-6 DET-6 nothing is asked in maintenance, and no verdict leaves', () => {
    const detector = listening();
    detector.answer(481);
    rejoins(detector);
    detector.command('suppress', { forMs: 60_000 });
    detector.answer(200, { purpose: 'probe' });
    assert.deepEqual(detector.restored('Reconnecting', { mode: 'rejoining' }), []);
  });

  it('PER-6 a session that still waits for its re-join has not heard of the failover: it is found again', () => {
    const detector = listening();
    detector.answer(481);
    rejoins(detector);
    detector.answer(200, { purpose: 'probe' });
    detector.deadlines.clear();
    assert.equal(only(detector.restored('Reconnecting', { mode: 'rejoining' }), 'probe').length, 1);
    assert.deepEqual(verdicts(detector.answer(200, { purpose: 'probe' })), ['focus failed-over']);
    assert.deepEqual(detector.status('Reconnecting', { mode: 'rejoining' }), [], 'only after a restart');
  });

  it('PER-6 a session that waits for its re-join knows more than one who only suspects', () => {
    const slow = { name: 'slow', signal: 'response', status: [600, 600], level: 'focus', phase: 'suspected' } as const;
    const detector = listening({ rules: [slow, ...failoverDetectorDefaults.rules] });
    assert.deepEqual(verdicts(detector.answer(600)), ['focus suspected']);
    assert.equal(only(detector.restored('Reconnecting', { mode: 'rejoining' }), 'probe').length, 1);
    assert.deepEqual(verdicts(detector.answer(200, { purpose: 'probe' })), ['focus failed-over']);
  });

  it('PER-6 a session that heals its route has not heard that the Focus failed: it is told when that is seen again', () => {
    const detector = listening();
    detector.answer(430);
    detector.session('Connected', 'Reconnecting');
    assert.deepEqual(verdicts(detector.answer(481)), ['focus failed']);
    const [cleared] = only(detector.restored('Reconnecting'), 'failover-detected');
    assert.deepEqual([cleared.phase, cleared.active, detector.deadlines.has('probe')], ['cleared', true, false]);
    assert.deepEqual(verdicts(detector.answer(481, { purpose: 'refresh' })), ['focus failed']);
  });

  it('PER-6 MCU-4 the verdict on an MCU is given anew when it is told again', () => {
    const failing = { mcu: 'chat', report: 'failing-over' };
    const detector = listening();
    detector.signal('mcu-report', failing);
    assert.deepEqual(verdicts(detector.restored('Connected')), ['mcu cleared']);
    assert.deepEqual(verdicts(detector.signal('mcu-report', failing)), ['mcu failed']);
  });

  it('PER-6 DET-7 a suspicion holds, with its probes, and silence is counted anew', () => {
    const detector = listening({ probing: true });
    for (let beat = 0; beat < 10; beat += 1) {
      detector.after(1_000);
      detector.signal('heartbeat', { purpose: 'refresh', method: 'OPTIONS', elapsedMs: 0 });
    }
    while (detector.state.suspicion === null) detector.after(100);
    const { heartbeats } = detector.state;
    detector.restored('Connected');
    assert.equal(detector.state.suspicion?.since, detector.now);
    assert.equal(detector.state.heartbeats.learned, heartbeats.learned);
    assert.ok(detector.deadlines.has('confirming-probe'));
    assert.equal(detector.state.heartbeats.lastSign?.at, detector.now);
  });

  it('PER-6 MSG-8 a session whose state is older than what was heard is heard, unless that is what is old', () => {
    const detector = listening();
    detector.answer(481);
    rejoins(detector);
    assert.deepEqual(detector.restored('Connected', { seq: 2, at: new Date(detector.now).toISOString() }), []);
    detector.now += 1;
    assert.deepEqual(verdicts(detector.restored('Connected', { seq: 2 })), ['focus cleared']);
    assert.deepEqual(detector.status('Idle', { seq: 1 }), []);
  });

  it('PER-6 a session that ended meanwhile leaves nothing open', () => {
    const detector = listening();
    detector.answer(430);
    assert.deepEqual(verdicts(detector.status('Idle')), ['hop cleared']);
  });
});
