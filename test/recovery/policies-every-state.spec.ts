import assert from 'node:assert/strict';
import type { DetectorRule } from '../../nodes/recovery/detector-rules';
import { failoverDetector, failoverDetectorDefaults } from '../../nodes/recovery/failover-detector';
import { giveUpTimer, giveUpTimerDefaults } from '../../nodes/recovery/give-up-timer';
import type { FailurePhase } from '../../nodes/recovery/messages';
import { routeHealer, routeHealerDefaults } from '../../nodes/recovery/route-healer';
import { only } from '../support/driver';
import { Policy } from './hearsay';

describe('failover detector, in every phase of a verdict', () => {
  /** Answers that are findings about the Focus, whatever they are in real life. */
  const statuses: { readonly [phase in FailurePhase]: number } = {
    suspected: 601,
    failed: 602,
    'failed-over': 603,
    cleared: 604,
  };
  const rules: readonly DetectorRule[] = (Object.keys(statuses) as FailurePhase[]).map((phase) => ({
    name: `says ${phase}`,
    signal: 'response',
    status: [statuses[phase]],
    level: 'focus',
    phase,
  }));

  function detector(...findings: FailurePhase[]) {
    const made = new Policy(failoverDetector, { ...failoverDetectorDefaults, rules });
    made.session('Connecting', 'Connected');
    const find = (finding: FailurePhase) => {
      const found = only(made.answer(statuses[finding]), 'failover-detected');
      return found.map(({ phase }) => phase);
    };
    for (const finding of findings) find(finding);
    const status = () => only(made.command('status'), 'detector-status')[0].status;
    return { made, find, evidence: () => status().verdicts[0]?.evidence, withheld: () => status().withheld };
  }

  const ways: { readonly [phase: string]: FailurePhase[] } = {
    suspected: ['suspected'],
    failed: ['failed'],
    'failed-over': ['failed', 'failed-over'],
  };

  for (const [phase, way] of Object.entries(ways)) {
    it(`DET-1 DET-8 ${phase}: further evidence of no more than that is added, and no second verdict leaves`, () => {
      for (const more of way) {
        if (more === 'failed-over') continue;
        const { find, evidence } = detector(...way);
        assert.deepEqual(find(more), []);
        assert.equal(evidence(), way.length + 1);
        assert.deepEqual(find('suspected'), []);
        assert.equal(evidence(), way.length + 2);
      }
    });

    it(`DET-2 DET-4 ${phase}: what withdraws it, closes it in words`, () => {
      const { find, evidence } = detector(...way);
      assert.deepEqual(find('cleared'), ['cleared']);
      assert.equal(evidence(), undefined);
    });

    it(`DET-6 ${phase}: during maintenance evidence is added, and a withdrawal is told at its end`, () => {
      const { made, find, evidence, withheld } = detector(...way);
      made.command('suppress', { forMs: 60_000 });
      for (const more of [
        'suspected',
        ...(way.length > 1 || way[0] === 'failed' ? ['failed' as const] : []),
      ] as const) {
        const before = evidence();
        assert.deepEqual(find(more), []);
        assert.equal(evidence(), before + 1);
      }
      assert.equal(withheld(), 0);
      assert.deepEqual(find('cleared'), []);
      assert.equal(withheld(), 1);
      // Counted once more when it fails anew: that would have been another verdict.
      find('failed');
      assert.equal(withheld(), 2);
      const [told] = only(made.after(60_000), 'failover-detected');
      assert.deepEqual([told.phase, told.rule], ['cleared', 'says cleared']);
    });
  }

  it('DET-6 nothing that begins or advances during maintenance leaves, and all of it is counted', () => {
    const quiet = detector();
    quiet.made.command('suppress', { forMs: 60_000 });
    assert.deepEqual([quiet.find('suspected'), quiet.withheld()], [[], 1]);
    assert.deepEqual([quiet.find('failed'), quiet.withheld()], [[], 2]);
    const suspecting = detector('suspected');
    suspecting.made.command('suppress', { forMs: 60_000 });
    assert.deepEqual([suspecting.find('failed'), suspecting.withheld()], [[], 1]);
  });

  it('DET-1 MCU-8 an MCU that is reported active again closes the verdict about it', () => {
    const made = new Policy(failoverDetector, failoverDetectorDefaults);
    made.session('Connecting', 'Connected');
    made.signal('mcu-report', { mcu: 'chat', report: 'failing-over' });
    const [told] = only(made.signal('mcu-report', { mcu: 'chat', report: 'active' }), 'failover-detected');
    assert.deepEqual([told.phase, told.mcu, told.active], ['cleared', 'chat', false]);
    const [again] = only(made.signal('mcu-report', { mcu: 'chat', report: 'failing-over' }), 'failover-detected');
    assert.equal(again.phase, 'failed', 'a second rollover is a verdict of its own');
  });
});

describe('route healer, in every phase', () => {
  function healer(mode: 'MaximumRetry' | 'LimitedRetry' = 'MaximumRetry') {
    const made = new Policy(routeHealer, { ...routeHealerDefaults, mode });
    made.session('Connecting', 'Connected');
    made.incident = 'outage-1';
    return made;
  }
  type Healer = ReturnType<typeof healer>;
  const breaks = (made: Healer) => {
    made.hear({ event: 'failover-detected', level: 'hop', phase: 'failed', rule: 'any', evidence: [], active: true });
    return made;
  };
  const fails = (made: Healer, attempt: number) => made.signal('timeout', { purpose: 'heal', attempt });
  const waits = (made: Healer) => {
    fails(breaks(made), 1);
    made.session('Connected', 'Reconnecting');
    return made;
  };
  const attempts = (made: Healer) => {
    waits(made).after(34_000);
    return made;
  };
  const healing: { readonly [phase: string]: (made: Healer) => Healer } = {
    repairing: breaks,
    waiting: waits,
    attempting: attempts,
  };

  for (const [phase, goTo] of Object.entries(healing)) {
    it(`HOP-5 ${phase}: when the session says that the outage is over, no attempt is left`, () => {
      for (const [state, members] of [
        ['Connected', {}],
        ['Disconnecting', { reason: 'TerminateRequested' }],
      ] as const) {
        const made = goTo(healer());
        assert.equal(made.state.phase, phase);
        made.session('Reconnecting', state, { ...members, active: false });
        assert.deepEqual([made.state.phase, made.deadlines.size], ['idle', 0]);
        assert.deepEqual(made.after(600_000), []);
      }
    });

    it(`HOP-13 O25 ${phase}: stop abandons, and the next failure is healed again`, () => {
      const made = goTo(healer());
      assert.equal(only(made.command('stop'), 'healing-abandoned')[0].reason, 'stopped');
      assert.deepEqual([made.state.phase, made.deadlines.size], ['abandoned', 0]);
      made.session('Reconnecting', 'Connected', { active: false });
      assert.equal(made.state.phase, 'idle');
      made.incident = 'outage-2';
      assert.equal(breaks(made).state.phase, 'repairing');
    });

    it(`HOP-12 ${phase}: LimitedRetry ends at its horizon`, () => {
      const made = goTo(healer('LimitedRetry'));
      const told: string[] = [];
      // Attempts are answered too late to count, or not at all: the horizon comes first.
      for (let second = 0; second < 181; second += 1) {
        for (const { reason } of only(made.after(1_000), 'healing-abandoned')) told.push(reason);
      }
      assert.deepEqual(told, ['horizon']);
    });
  }

  it('HOP-12 a horizon that comes while an attempt is in flight ends it', () => {
    for (const goTo of [breaks, attempts]) {
      const made = healer('LimitedRetry');
      made.settings = { ...made.settings, attemptTimeoutMs: 600_000 };
      goTo(made);
      assert.equal(only(made.after(180_000), 'healing-abandoned')[0].reason, 'horizon');
      assert.deepEqual(fails(made, made.state.attempt), []);
    }
  });

  it('HEAL-6 MSG-5 with nothing to heal, heal-now and stop are refused in words', () => {
    const abandoned = breaks(healer());
    abandoned.command('stop');
    for (const made of [healer(), abandoned]) {
      for (const command of ['heal-now', 'stop']) {
        const [{ error, operation, operationId }] = only(made.command(command), 'operation-failed');
        assert.deepEqual([operation, operationId, error.name], [command, null, 'InvalidOperationException']);
      }
    }
  });
});

describe('give-up timer, in every phase', () => {
  function armed() {
    const made = new Policy(giveUpTimer, giveUpTimerDefaults);
    made.session('Connecting', 'Connected');
    made.incident = 'outage-1';
    made.session('Connected', 'Reconnecting');
    return made;
  }
  const commands: { readonly [phase: string]: string[] } = {
    armed: [],
    paused: ['pause'],
    cancelled: ['cancel'],
    'given-up': ['give-up'],
  };

  for (const [phase, given] of Object.entries(commands)) {
    it(`GU-2 ${phase}: when Reconnecting is left, for whatever, it is over, and the next outage arms it again`, () => {
      for (const state of ['Connected', 'InLobby', 'Disconnecting'] as const) {
        const made = armed();
        for (const command of given) made.command(command);
        assert.equal(made.state.phase, phase);
        const told = only(made.session('Reconnecting', state, { active: false }), 'give-up-cancelled');
        const counts = phase === 'armed' || phase === 'paused';
        assert.deepEqual(
          told.map(({ reason }) => reason),
          counts ? [state === 'Disconnecting' ? 'ended' : 'recovered'] : [],
        );
        assert.deepEqual([made.state.phase, made.deadlines.size], ['disarmed', 0]);
        made.incident = 'outage-2';
        made.session('Connected', 'Reconnecting');
        assert.equal(made.state.phase, 'armed');
      }
    });
  }

  it('GU-12 an attempt that failed before Reconnecting was entered for it, counts', () => {
    const made = new Policy(giveUpTimer, { ...giveUpTimerDefaults, attempts: 2 });
    made.session('Connecting', 'Connected');
    made.incident = 'outage-1';
    const attempt = { event: 'heal-attempted', outcome: 'timeout', status: null, nextAttemptAt: null } as const;
    made.hear({ ...attempt, attempt: 1 });
    made.session('Connected', 'Reconnecting');
    assert.equal(made.state.attempts, 1);
    assert.equal(only(made.hear({ ...attempt, attempt: 2 }), 'gave-up')[0].criterion, 'attempts');
  });
});
