import assert from 'node:assert/strict';
import { failoverDetector, failoverDetectorDefaults } from '../../nodes/recovery/failover-detector';
import { giveUpTimer, giveUpTimerDefaults } from '../../nodes/recovery/give-up-timer';
import { heardOf, legalTransition, type PolicyState, type SessionFact } from '../../nodes/recovery/policy';
import { routeHealer, routeHealerDefaults } from '../../nodes/recovery/route-healer';
import type { Message, PolicyMachine } from '../../nodes/recovery/step';
import { only } from '../support/driver';
import { seeded } from '../support/seeded';
import { Policy } from './hearsay';

const states = ['Idle', 'Connecting', 'InLobby', 'Connected', 'Reconnecting', 'Disconnecting', 'Disconnected'] as const;
const signals = [
  'response',
  'timeout',
  'transport-lost',
  'transport-restored',
  'remote-bye',
  'remote-update',
  'heartbeat',
  'heartbeat-missed',
] as const;
const commands = ['reset', 'suppress', 'status', 'heal-now', 'stop', 'extend', 'pause', 'resume', 'cancel', 'give-up'];

/** Feeds a machine with anything, in any order, and checks what must hold all the time. */
function disturb<State extends PolicyState, Settings>(
  machine: PolicyMachine<State, Settings>,
  settings: Settings,
  seed: number,
  watch: (messages: readonly Message[], state: State) => void,
): void {
  const random = seeded(seed);
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
  const policy = new Policy(machine, settings);
  const once = (): Message[] => {
    policy.random = random();
    policy.dialog = pick([1, 1, 1, 2]);
    policy.incident = pick([null, 'outage-1', 'outage-2', policy.state.incident?.id ?? null]);
    const active = policy.incident !== null && random() < 0.8;
    const mode = pick(['rejoining', 'recovering', 'recovering', null] as const);
    switch (Math.floor(random() * 9)) {
      case 0:
        return policy.session(pick(states), pick(states), { mode, active });
      case 1:
        return policy.session('Connecting', 'Connected');
      case 2:
        return policy.session('Connected', 'Reconnecting', { mode: 'recovering', active });
      case 3:
        return policy.status(pick(states), { mode });
      case 4:
        return policy.answer(pick([200, 430, 481, 503]), { purpose: pick(['operation', 'heal', 'probe']), attempt: 1 });
      case 5:
        return policy.signal(pick(signals), { purpose: pick(['operation', 'heal', 'probe']) });
      case 6:
        return policy.signal('mcu-report', { mcu: 'chat', report: pick(['active', 'failing-over']) });
      case 7: {
        const verdict = {
          level: 'hop',
          phase: pick(['failed', 'cleared']),
          rule: 'any',
          evidence: [],
          active,
        } as const;
        return [
          ...policy.hear({ event: 'failover-detected', ...verdict }),
          ...policy.hear({ event: 'heal-attempted', attempt: 3, outcome: 'refused', status: 503, nextAttemptAt: null }),
          ...policy.hear({ event: 'media-changed', mcu: 'chat', flowing: active, lastPacketAt: null, packets: 0 }),
        ];
      }
      default:
        return policy.command(pick(commands), { byMs: 1_000, forMs: 5_000 });
    }
  };
  let seq = 0;
  for (let input = 0; input < 400; input += 1) {
    const messages = [...once(), ...policy.after(Math.floor(random() ** 4 * 40_000))];
    for (const message of messages) {
      if (!('event' in message)) continue;
      assert.equal(message.seq, seq + 1);
      seq = message.seq;
    }
    watch(messages, policy.state);
    assert.deepEqual(new Map(Object.entries(policy.state.deadlines)), policy.deadlines);
  }
}

describe('policy machines', () => {
  it('no phase is entered but by a legal transition', () => {
    const legal = { quiet: ['failed'], failed: [] } as const;
    assert.equal(legalTransition<'quiet' | 'failed'>(legal, 'quiet', 'failed'), 'failed');
    assert.throws(() => legalTransition<'quiet' | 'failed'>(legal, 'failed', 'quiet'), /No transition/);
  });

  it('MSG-5 MSG-7 MSG-3 detector: nothing that it hears, in any order, leads out of its tables', () => {
    for (let seed = 1; seed <= 20; seed += 1) {
      let suppressed = false;
      disturb(failoverDetector, failoverDetectorDefaults, seed, (messages) => {
        for (const message of messages) {
          if (!('event' in message)) continue;
          if (message.event === 'suppression-changed') suppressed = message.suppressedUntil !== null;
          if (message.event === 'failover-detected') assert.equal(suppressed, false, 'DET-6');
        }
      });
    }
  });

  it('MSG-5 MSG-7 MSG-3 HEAL-3 healer: the same, and an attempt is in flight or has yet to come, never both', () => {
    for (let seed = 1; seed <= 20; seed += 1) {
      disturb(routeHealer, { ...routeHealerDefaults, mode: 'LimitedRetry' }, seed, (_, { phase, deadlines }) => {
        assert.equal('answer' in deadlines, phase === 'repairing' || phase === 'attempting');
        assert.equal('attempt' in deadlines, phase === 'waiting');
        assert.equal('horizon' in deadlines, phase !== 'idle' && phase !== 'abandoned');
      });
    }
  });

  it('MSG-5 MSG-7 MSG-3 give-up timer: the same, and never two decisions in one armed period', () => {
    for (let seed = 1; seed <= 20; seed += 1) {
      let decided = false;
      disturb(
        giveUpTimer,
        { ...giveUpTimerDefaults, attempts: 3, mediaEndedMs: 20_000, tickMs: 60_000 },
        seed,
        (messages) => {
          for (const message of messages) {
            if (!('event' in message)) continue;
            if (message.event === 'gave-up') {
              assert.equal(decided, false, 'GU-3');
              decided = true;
            }
            // A timer that has decided is armed again by the next outage only.
            if (message.event === 'give-up-armed') decided = false;
          }
        },
      );
    }
  });
});

describe('policy machines: facts out of order', () => {
  // Found by simulation, seed 2486339615: a timer that was armed for an outage that was over stayed so for ever.
  for (const [name, policy] of [
    ['failover-detector', () => new Policy(failoverDetector, failoverDetectorDefaults)],
    ['route-healer', () => new Policy(routeHealer, routeHealerDefaults)],
    ['give-up-timer', () => new Policy(giveUpTimer, giveUpTimerDefaults)],
  ] as const) {
    it(`MSG-7 ${name}: what the session was before does not undo what it is`, () => {
      const late = policy();
      late.session('Connecting', 'Connected', { seq: 1 });
      late.session('Reconnecting', 'Connected', { seq: 3, incident: 'outage-1' });
      const { state } = late;
      assert.deepEqual(late.session('Connected', 'Reconnecting', { seq: 2, incident: 'outage-1' }), []);
      assert.deepEqual(late.state, state);
    });

    it(`MSG-7 ${name}: a session whose node was deployed anew may number its facts anew`, () => {
      const after = policy();
      after.session('Connecting', 'Connected', { seq: 100 });
      after.status('Idle', { seq: 1, incident: null });
      after.session('Idle', 'Connecting', { seq: 2, incident: null });
      assert.equal(after.state.session, 'Connecting');
    });
  }
});

describe('what a machine remembers of the session', () => {
  it('MSG-5 PER-6 a fact that does not say when it was told was told before any other', () => {
    const fact = { seq: 3, dialog: 1, at: 'at some time' } as SessionFact;
    assert.deepEqual(heardOf(fact), { heard: 3, heardAt: 0, dialog: 1 });
    assert.equal(heardOf({ ...fact, at: '1970-01-01T00:00:01.000Z' }).heardAt, 1_000);
  });
});

describe('incidents', () => {
  it('rule 7: a route whose outage has another name than that of the Focus is closed in words', () => {
    const detector = new Policy(failoverDetector, failoverDetectorDefaults);
    detector.session('Connecting', 'Connected', { incident: null });
    const [failed] = only(detector.answer(430, { incident: null }), 'failover-detected');
    const members = { mode: 'rejoining', incident: 'outage-2' } as const;
    const [cleared] = only(detector.session('Connected', 'Reconnecting', members), 'failover-detected');
    assert.deepEqual([cleared.level, cleared.phase, cleared.incident], ['hop', 'cleared', failed.incident]);
  });

  // Found by simulation, seed 3661809585: the session had the outage under another name.
  it('rule 7: a verdict of another incident than the one that the session closes is withdrawn in words', () => {
    const detector = new Policy(failoverDetector, { ...failoverDetectorDefaults, probing: false });
    detector.session('Connecting', 'Connected', { incident: null });
    const [failed] = only(detector.signal('remote-bye', { incident: null }), 'failover-detected');
    detector.session('Connected', 'Reconnecting', { mode: 'rejoining', incident: 'outage-2' });
    const [cleared] = only(
      detector.session('Reconnecting', 'Connected', { incident: 'outage-2' }),
      'failover-detected',
    );
    assert.deepEqual([cleared.phase, cleared.incident, cleared.active], ['cleared', failed.incident, false]);
  });
});
