import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { Criteria, Criterion } from '../../nodes/recovery/criteria';
import { readCriteria } from '../../nodes/recovery/criteria-syntax';
import { type GiveUpTimerState, giveUpTimer, giveUpTimerDefaults } from '../../nodes/recovery/give-up-timer';
import type { Message } from '../../nodes/recovery/step';
import { only } from '../support/driver';
import { names, Policy } from './hearsay';

/** A timer that decides by a tree, with what happens to it in words. */
class Trial extends Policy<GiveUpTimerState, typeof giveUpTimerDefaults> {
  constructor(criteria: Criteria) {
    super(giveUpTimer, { ...giveUpTimerDefaults, criteria, tickMs: 0 });
    this.session('Connecting', 'Connected');
  }

  breaks(incident = 'outage-1'): Message[] {
    this.incident = incident;
    return this.session('Connected', 'Reconnecting');
  }

  heals(): Message[] {
    const messages = this.session('Reconnecting', 'Connected', { reason: 'RouteHealed' });
    this.incident = null;
    return messages;
  }

  attempt(attempt: number): Message[] {
    return this.hear({ event: 'heal-attempted', attempt, outcome: 'refused', status: 503, nextAttemptAt: null });
  }

  media(flowing: boolean, mcu = 'audio-video'): Message[] {
    return this.hear({ event: 'media-changed', mcu, flowing, lastPacketAt: null, packets: 0 });
  }

  roster(total: number, left: string[] = [], members: object = {}): Message[] {
    const gone = left.map((name) => ({ entity: `sip:${name}@pool.example`, roles: [], endpoints: [] }));
    const change = { joined: [], left: gone, changed: [], total, cause: 'notification' } as const;
    return this.hear({ event: 'roster-changed', ...change, ...members });
  }

  failure(code: string, members: object = {}): Message[] {
    const error = {
      name: 'FailureResponseException',
      bases: ['RealTimeException', 'Exception'],
      failureReason: null,
      code,
      retryable: false,
      retryAfterMs: null,
      safeToReplay: true,
      response: null,
      diagnostics: null,
      message: 'No.',
      incident: this.incident,
      state: 'Reconnecting',
    };
    return this.hear({ event: 'operation-failed', operation: 'lock', operationId: 'a', error, ...members });
  }
}

const explanation = (messages: readonly Message[]): string => only(messages, 'gave-up')[0].explanation;
const criterion = (messages: readonly Message[]): string => only(messages, 'gave-up')[0].criterion;

describe('criteria: each of them', () => {
  it('GU-8 GU-9 elapsed', () => {
    const trial = new Trial({ elapsedMs: 60_000 });
    trial.breaks();
    assert.deepEqual(trial.after(59_999), []);
    const messages = trial.after(1);
    assert.equal(criterion(messages), 'elapsed');
    assert.equal(
      explanation(messages),
      'Gave up after 1 min 0 s in Reconnecting (limit 1 min): no healing attempts failed.',
    );
  });

  it('GU-8 GU-9 GU-12 attempts', () => {
    const trial = new Trial({ attempts: 3 });
    trial.breaks();
    assert.deepEqual([...trial.attempt(2), ...trial.attempt(2)], []);
    assert.equal(
      explanation(trial.attempt(3)),
      'Gave up after 0 s in Reconnecting: 3 healing attempts failed (limit 3).',
    );
  });

  it('GU-8 GU-9 the end of media, at once if so wanted', () => {
    const trial = new Trial({ mediaEndedMs: 0 });
    trial.media(true);
    trial.breaks();
    const messages = trial.media(false);
    assert.equal(criterion(messages), 'media-ended');
    assert.equal(explanation(messages), 'Gave up after 0 s in Reconnecting: no media for 0 s (limit 0 s).');
  });

  it('GU-8 GU-9 flapping: so many outages of the session within so long', () => {
    const trial = new Trial({ outages: 3, withinMs: 600_000 });
    for (const incident of ['outage-1', 'outage-2']) {
      assert.deepEqual(names(trial.breaks(incident)), ['give-up-armed']);
      trial.after(10_000);
      trial.heals();
      trial.after(290_000);
    }
    const messages = trial.breaks('outage-3');
    assert.deepEqual(names(messages), ['give-up-armed', 'terminate', 'gave-up']);
    assert.equal(criterion(messages), 'outages');
    assert.equal(explanation(messages), 'Gave up after 0 s in Reconnecting: 3 outages within 10 min (limit 3).');
  });

  it('GU-8 outages that are too far apart, or of an earlier session, are no flapping', () => {
    const rare = new Trial({ outages: 2, withinMs: 10_000 });
    rare.breaks();
    rare.heals();
    rare.after(10_001);
    assert.deepEqual(names(rare.breaks('outage-2')), ['give-up-armed']);
    const anew = new Trial({ outages: 2, withinMs: 10_000 });
    anew.breaks();
    anew.session('Reconnecting', 'Disconnected');
    anew.session('Connecting', 'Connected');
    assert.deepEqual(names(anew.breaks('outage-2')), ['give-up-armed']);
  });

  it('MSG-6 no more outages are remembered than can be asked for', () => {
    const trial = new Trial({ outages: 100, withinMs: 600_000 });
    for (let outage = 1; outage < 100; outage += 1) {
      assert.deepEqual(names(trial.breaks(`outage-${outage}`)), ['give-up-armed']);
      trial.heals();
    }
    assert.equal(criterion(trial.breaks('outage-100')), 'outages');
    trial.heals();
    trial.breaks('outage-101');
    assert.equal(trial.state.outages.length, 100);
  });

  it('GU-8 GU-9 everybody else has left', () => {
    const trial = new Trial({ aloneMs: 20_000 });
    trial.roster(3);
    trial.breaks();
    trial.roster(2, ['ada']);
    assert.deepEqual(trial.after(60_000), []);
    trial.roster(1, ['grace']);
    trial.after(10_000);
    trial.roster(2);
    assert.deepEqual(trial.after(60_000), [], 'somebody came back');
    trial.roster(1, ['grace']);
    trial.after(19_999);
    const messages = trial.after(1);
    assert.equal(criterion(messages), 'alone');
    assert.equal(
      explanation(messages),
      'Gave up after 2 min 30 s in Reconnecting: nobody else was there for 20 s (limit 20 s).',
    );
  });

  it('GU-8 who had left before is counted from the beginning of the outage', () => {
    const trial = new Trial({ aloneMs: 20_000 });
    trial.roster(1, ['grace']);
    trial.after(60_000);
    trial.breaks();
    assert.deepEqual(trial.after(19_999), []);
    assert.equal(criterion(trial.after(1)), 'alone');
  });

  it('GU-8 a conference that was empty from the beginning, and the roster of an MCU, say nothing', () => {
    const trial = new Trial({ aloneMs: 0 });
    trial.roster(1);
    trial.roster(1, ['ada'], { mcu: 'chat', source: 'mcu-session' });
    assert.deepEqual(names(trial.breaks()), ['give-up-armed']);
    assert.equal(criterion(trial.roster(1, ['ada'], { dialog: 2 })), 'alone', 'whatever dialog it speaks of');
  });

  it('GU-8 GU-9 a class of error, by name, base or code', () => {
    for (const error of ['FailureResponseException', 'RealTimeException', 'SIP-403']) {
      const trial = new Trial({ error });
      trial.breaks();
      trial.after(2_000);
      const messages = trial.failure('SIP-403');
      assert.equal(criterion(messages), 'error');
      assert.equal(
        explanation(messages),
        'Gave up after 2 s in Reconnecting: lock failed with FailureResponseException (SIP-403).',
      );
    }
  });

  it('GU-8 an error of another class, outage or node, or before the outage, does not count', () => {
    const trial = new Trial({ all: [{ error: 'SIP-403' }, { error: 'SIP-500' }] });
    trial.failure('SIP-403');
    trial.breaks();
    trial.failure('SIP-403', { source: 'give-up-timer' });
    trial.failure('SIP-403', { incident: 'outage-0' });
    trial.failure('SIP-404');
    assert.deepEqual(trial.state.errors, []);
    trial.failure('SIP-403', { source: 'mcu-session', mcu: 'chat', dialog: 2 });
    trial.failure('SIP-403', { operation: 'unlock' });
    assert.deepEqual(
      trial.state.errors.map(({ word, operation }) => [word, operation]),
      [['SIP-403', 'lock']],
    );
    assert.equal(criterion(trial.failure('SIP-500')), 'error');
    trial.heals();
    trial.breaks('outage-2');
    assert.deepEqual(trial.state.errors, []);
  });

  it('GU-8 GU-9 a budget of all outages of the session together', () => {
    const trial = new Trial({ budgetMs: 60_000 });
    trial.breaks();
    trial.after(40_000);
    trial.heals();
    trial.after(600_000);
    trial.breaks('outage-2');
    assert.deepEqual(trial.after(19_999), []);
    const messages = trial.after(1);
    assert.equal(criterion(messages), 'budget');
    assert.equal(
      explanation(messages),
      'Gave up after 20 s in Reconnecting: 1 min 0 s of all outages together (limit 1 min).',
    );
  });

  it('GU-8 the budget counts an outage that was called off, but no pause, and a new session has it whole', () => {
    const trial = new Trial({ budgetMs: 60_000 });
    trial.breaks();
    trial.after(10_000);
    trial.command('pause');
    trial.after(100_000);
    trial.command('cancel');
    trial.after(20_000);
    trial.heals();
    assert.equal(trial.state.spentMs, 30_000);
    trial.breaks('outage-2');
    trial.command('pause');
    trial.after(5_000);
    trial.heals();
    assert.equal(trial.state.spentMs, 30_000);
    trial.session('Connected', 'Disconnected');
    assert.equal(trial.state.spentMs, 0);
  });

  it('GU-8 an external message decides as the tree says, paused or not', () => {
    const trial = new Trial({ external: true, notWhile: { mediaFlows: true } });
    trial.media(true);
    trial.breaks();
    assert.deepEqual(trial.command('give-up'), []);
    trial.command('pause');
    trial.media(false);
    const messages = trial.command('resume');
    assert.equal(criterion(messages), 'external');
    const told = new Trial({ any: [{ external: true }, { elapsedMs: 1_000 }] });
    told.breaks();
    assert.equal(criterion(told.command('give-up')), 'external');
  });

  it('GU-8 a tree that does not speak of it is overruled by give-up', () => {
    const trial = new Trial({ elapsedMs: 60_000, notWhile: { mediaFlows: true } });
    trial.media(true);
    trial.breaks();
    assert.equal(
      explanation(trial.command('give-up')),
      'Gave up after 0 s in Reconnecting: somebody sent the command give-up.',
    );
  });
});

describe('criteria: trees', () => {
  it('GU-9 of any, the one that decided is named', () => {
    const trial = new Trial({ any: [{ elapsedMs: 60_000 }, { attempts: 2 }] });
    assert.deepEqual(only(trial.breaks(), 'give-up-armed')[0].criteria, ['elapsed', 'attempts']);
    assert.equal(criterion(trial.attempt(2)), 'attempts');
  });

  it('GU-9 of all, all are named', () => {
    const trial = new Trial({ all: [{ elapsedMs: 60_000 }, { attempts: 2 }, { mediaEndedMs: 30_000 }] });
    trial.media(true);
    assert.equal(only(trial.breaks(), 'give-up-armed')[0].deadlineAt, null);
    trial.attempt(5);
    trial.after(40_000);
    trial.media(false);
    const messages = trial.after(30_000);
    assert.equal(criterion(messages), 'elapsed, attempts, and media-ended');
    assert.equal(
      explanation(messages),
      'Gave up after 1 min 10 s in Reconnecting (limit 1 min): 5 healing attempts failed (limit 2) and no media for 30 s (limit 30 s).',
    );
  });

  it('GU-9 two limits of time stand side by side', () => {
    const trial = new Trial({ all: [{ elapsedMs: 1_000 }, { elapsedMs: 2_000 }] });
    trial.breaks();
    const messages = trial.after(2_000);
    assert.equal(criterion(messages), 'elapsed');
    assert.match(explanation(messages), /^Gave up after 2 s in Reconnecting \(limit 1 s and 2 s\): no healing/);
  });

  it('GU-8 GU-9 but not while: what held it back is told when it ends', () => {
    const trial = new Trial({ elapsedMs: 60_000, notWhile: { mediaFlows: true } });
    trial.media(true);
    trial.media(true, 'chat');
    assert.deepEqual(only(trial.breaks(), 'give-up-armed')[0].criteria, ['elapsed']);
    assert.deepEqual(trial.after(90_000), []);
    assert.deepEqual(trial.media(false, 'chat'), []);
    assert.equal(
      explanation(trial.media(false)),
      'Gave up after 1 min 30 s in Reconnecting (limit 1 min): no healing attempts failed; until then it was held back because media flowed (audio-video).',
    );
  });

  it('GU-9 what could have held it back, but did not, is not told', () => {
    const trial = new Trial({ elapsedMs: 60_000, notWhile: { mediaFlows: true } });
    trial.media(true);
    trial.breaks();
    trial.media(false);
    assert.doesNotMatch(explanation(trial.after(60_000)), /held back/);
  });

  it('GU-9 so it is when what held it back ends by time alone', () => {
    const trial = new Trial({
      attempts: 1,
      notWhile: { any: [{ mediaFlows: true, notWhile: { elapsedMs: 30_000 } }, { external: true }] },
    });
    trial.media(true);
    trial.breaks();
    assert.deepEqual(trial.attempt(1), []);
    assert.deepEqual(trial.after(29_999), []);
    assert.equal(
      explanation(trial.after(1)),
      'Gave up after 30 s in Reconnecting: 1 healing attempt failed (limit 1); until then it was held back because media flowed (audio-video).',
    );
  });

  it('GU-9 what is held back by a limit of time says how much had passed', () => {
    const trial = new Trial({ attempts: 1, notWhile: { all: [{ elapsedMs: 10_000 }, { mediaFlows: true }] } });
    trial.media(true);
    trial.breaks();
    trial.after(10_000);
    trial.attempt(1);
    trial.after(5_000);
    assert.match(
      explanation(trial.media(false)),
      /held back because 15 s had passed \(limit 10 s\) and media flowed \(audio-video\)\.$/,
    );
  });

  it('GU-8 a tree that time makes false again decides nothing later', () => {
    const trial = new Trial({ attempts: 1, notWhile: { elapsedMs: 30_000 } });
    trial.breaks();
    trial.after(30_000);
    assert.deepEqual(trial.attempt(1), []);
    assert.deepEqual(trial.after(600_000), []);
  });

  it('GU-10 extend puts off the limits of time in Reconnecting, of this outage', () => {
    const trial = new Trial({ any: [{ elapsedMs: 60_000 }, { budgetMs: 70_000 }, { mediaEndedMs: 300_000 }] });
    trial.media(true);
    trial.media(false);
    trial.breaks();
    const [told] = only(trial.command('extend', { byMs: 30_000 }), 'give-up-armed');
    assert.equal(Date.parse(told.deadlineAt), trial.now + 90_000);
    trial.after(80_000);
    trial.heals();
    assert.equal(criterion(trial.breaks('outage-2')), 'budget', 'it has been spent, and is not extended any more');
  });

  it('GU-10 with a tree without a limit of time in Reconnecting, extend is refused', () => {
    const trial = new Trial({ any: [{ mediaEndedMs: 1_000 }, { attempts: 1, notWhile: { elapsedMs: 5 } }] });
    trial.breaks();
    assert.deepEqual(names(trial.command('extend', { byMs: 1 })), ['operation-failed']);
  });

  it('GU-10 GU-9 a pause counts for no criterion, and is told', () => {
    const trial = new Trial({ all: [{ elapsedMs: 60_000 }, { aloneMs: 50_000 }] });
    trial.breaks();
    trial.after(10_000);
    trial.roster(1, ['ada']);
    trial.command('pause');
    trial.after(100_000);
    assert.equal(only(trial.command('status'), 'give-up-status')[0].status.remainingMs, 50_000);
    trial.command('resume');
    assert.deepEqual(trial.after(49_999), []);
    assert.match(
      explanation(trial.after(1)),
      /^Gave up after 2 min 40 s in Reconnecting \(limit 1 min, paused for 1 min 40 s\): nobody else was there for 50 s/,
    );
  });

  it('PER-1 other criteria than those that set a deadline decide when it is due', () => {
    const trial = new Trial({ elapsedMs: 60_000 });
    trial.breaks();
    trial.settings = { ...trial.settings, criteria: { elapsedMs: 90_000 } };
    assert.deepEqual(trial.after(89_999), []);
    assert.equal(criterion(trial.after(1)), 'elapsed');
    const off = new Trial({ elapsedMs: 60_000 });
    off.settings = { ...off.settings, tickMs: 1_000 };
    off.breaks();
    off.settings = { ...off.settings, criteria: { attempts: 3 } };
    assert.deepEqual(off.after(1_000), []);
    assert.equal(off.deadlines.size, 0);
  });

  it('PER-1 a deadline that is long past decides by what was true when it was due', () => {
    const trial = new Trial({ elapsedMs: 60_000, notWhile: { elapsedMs: 120_000 } });
    trial.breaks();
    trial.now += 600_000;
    const { messages } = trial.give({ input: 'deadline', deadline: 'decision' });
    assert.match(explanation(messages), /^Gave up after 10 min 0 s in Reconnecting \(limit 1 min\)/);
  });
});

// --------------------------------------------------------------------------------- any tree, whatever happens to the timer

const seconds = (least: number, most: number) => fc.integer({ min: least, max: most }).map((figure) => figure * 1_000);

const anyCriterion: fc.Arbitrary<Criterion> = fc.oneof(
  fc.record({ elapsedMs: seconds(1, 40) }),
  fc.record({ attempts: fc.integer({ min: 1, max: 4 }) }),
  fc.record({ mediaEndedMs: seconds(0, 20) }),
  fc.record({ outages: fc.integer({ min: 2, max: 3 }), withinMs: seconds(1, 60) }),
  fc.record({ aloneMs: seconds(0, 20) }),
  fc.record({ error: fc.constantFrom('SIP-403', 'SIP-500', 'RealTimeException') }),
  fc.record({ budgetMs: seconds(1, 60) }),
  fc.constant<Criterion>({ external: true }),
  fc.constant<Criterion>({ mediaFlows: true }),
);

const { tree: anyTree } = fc.letrec<{ tree: Criteria; node: Criteria }>((tie) => ({
  tree: fc
    .tuple(tie('node'), fc.option(tie('tree'), { nil: undefined, freq: 2, maxDepth: 3, depthIdentifier: 'tree' }))
    .map(([node, notWhile]) => (notWhile === undefined ? node : { ...node, notWhile })),
  node: fc.oneof(
    { maxDepth: 3, depthIdentifier: 'tree', withCrossShrink: true },
    anyCriterion,
    fc.record({ any: fc.array(tie('tree'), { minLength: 1, maxLength: 3 }) }),
    fc.record({ all: fc.array(tie('tree'), { minLength: 1, maxLength: 3 }) }),
  ),
}));

const happenings = {
  wait: fc.integer({ min: 1, max: 15 }),
  breaks: fc.constant(null),
  heals: fc.constant(null),
  attempt: fc.integer({ min: 1, max: 5 }),
  media: fc.boolean(),
  roster: fc.boolean(),
  failure: fc.constantFrom('SIP-403', 'SIP-500'),
  extend: fc.integer({ min: 1, max: 10 }),
  pause: fc.constant(null),
  resume: fc.constant(null),
  cancel: fc.constant(null),
  'give-up': fc.constant(null),
};
type Happening = { [Name in keyof typeof happenings]: [Name, unknown] }[keyof typeof happenings];
const anyHappening = fc.oneof(
  ...(Object.entries(happenings) as [keyof typeof happenings, fc.Arbitrary<unknown>][]).map(([name, detail]) => ({
    weight: name === 'wait' ? 6 : name === 'breaks' ? 3 : name === 'cancel' || name === 'give-up' ? 1 : 2,
    arbitrary: detail.map((value): Happening => [name, value]),
  })),
);

/**
 * The same by other means: counters that go up once a second, and a tree that is looked at whenever anything has happened.
 * It knows of no deadline, and of no instant but the present one.
 */
class Reference {
  phase: 'disarmed' | 'armed' | 'paused' | 'spent' = 'disarmed';
  seconds = 0;
  elapsed = 0;
  extended = 0;
  spent = 0;
  attempts = 0;
  flows = false;
  hadMedia = false;
  withoutMedia = 0;
  isAlone = false;
  alone = 0;
  errors = new Set<string>();
  told = false;
  outages: number[] = [];

  constructor(readonly tree: Criteria) {}

  /** Does the timer give up by what happened just now? */
  decides(): boolean {
    if (this.phase !== 'armed' || !this.holds(this.tree)) return false;
    this.phase = 'spent';
    return true;
  }

  holds(node: Criteria): boolean {
    return this.isMet(node) && !(node.notWhile && this.holds(node.notWhile));
  }

  isMet(node: Criteria): boolean {
    if ('any' in node) return node.any.some((part) => this.holds(part));
    if ('all' in node) return node.all.every((part) => this.holds(part));
    if ('elapsedMs' in node) return this.elapsed * 1_000 >= node.elapsedMs + this.extended * 1_000;
    if ('attempts' in node) return this.attempts >= node.attempts;
    if ('mediaEndedMs' in node) return !this.flows && this.hadMedia && this.withoutMedia * 1_000 >= node.mediaEndedMs;
    if ('aloneMs' in node) return this.isAlone && this.alone * 1_000 >= node.aloneMs;
    if ('error' in node) return this.errors.has(node.error);
    if ('budgetMs' in node) return (this.spent + this.elapsed) * 1_000 >= node.budgetMs + this.extended * 1_000;
    if ('external' in node) return this.told;
    if ('mediaFlows' in node) return this.flows;
    const began = this.outages.at(-1) ?? 0;
    return this.outages.filter((at) => (began - at) * 1_000 <= node.withinMs).length >= node.outages;
  }

  second(): void {
    this.seconds += 1;
    if (this.phase === 'disarmed' || this.phase === 'paused') return;
    this.elapsed += 1;
    if (!this.flows) this.withoutMedia += 1;
    if (this.isAlone) this.alone += 1;
  }

  happen([name, detail]: Happening, knowsExternal: boolean): void {
    const counts = this.phase === 'armed' || this.phase === 'paused';
    if (name === 'breaks' && this.phase === 'disarmed') {
      Object.assign(this, { phase: 'armed', elapsed: 0, extended: 0, attempts: 0, told: false });
      Object.assign(this, { withoutMedia: 0, alone: 0, errors: new Set() });
      this.outages.push(this.seconds);
    } else if (name === 'heals' && this.phase !== 'disarmed') {
      this.spent += this.elapsed;
      this.phase = 'disarmed';
    } else if (name === 'attempt' && counts) this.attempts = Math.max(this.attempts, detail as number);
    else if (name === 'media' && detail !== this.flows) {
      this.flows = detail as boolean;
      this.hadMedia = true;
      this.withoutMedia = 0;
    } else if (name === 'roster' && detail !== this.isAlone) {
      this.isAlone = detail as boolean;
      this.alone = 0;
    } else if (name === 'failure' && counts) {
      for (const word of [detail as string, 'RealTimeException']) this.errors.add(word);
    } else if (name === 'extend' && counts) this.extended += detail as number;
    else if (name === 'pause' && this.phase === 'armed') this.phase = 'paused';
    else if (name === 'resume' && this.phase === 'paused') this.phase = 'armed';
    else if (name === 'cancel' && counts) this.phase = 'spent';
    else if (name === 'give-up' && counts) {
      if (knowsExternal) this.told = true;
      else this.phase = 'spent';
    }
  }
}

function some(node: Criteria, test: (node: Criteria) => boolean, guards = true): boolean {
  const parts = 'any' in node ? node.any : 'all' in node ? node.all : [];
  const inParts = test(node) || parts.some((part) => some(part, test, guards));
  return inParts || (guards && node.notWhile !== undefined && some(node.notWhile, test, guards));
}

describe('criteria: any tree', () => {
  const oneSentence = /^Gave up after (\d+ (h|min|s) ?)+in Reconnecting( \(limit [^()]+\))?: \S.*[^.]\.$/;

  it('GU-8 GU-9 GU-3 the decision is made once, at the first instant at which the tree holds; is explained, and never flips', () => {
    let decisions = 0;
    let heldBack = 0;
    fc.assert(
      fc.property(anyTree, fc.array(anyHappening, { minLength: 10, maxLength: 60, size: 'max' }), (tree, history) => {
        const trial = new Trial(tree);
        const reference = new Reference(tree);
        const knowsExternal = some(tree, (node) => 'external' in node);
        const extendable = some(tree, (node) => 'elapsedMs' in node || 'budgetMs' in node, false);
        trial.roster(2);

        const compare = (messages: Message[], decides: boolean, what: string) => {
          const gaveUp = only(messages, 'gave-up');
          assert.equal(gaveUp.length, decides ? 1 : 0, `${what} at ${reference.seconds} s`);
          assert.equal(only(messages, 'terminate').length, gaveUp.length, 'GU-3');
          for (const { explanation, criterion } of gaveUp) {
            decisions += 1;
            if (explanation.includes('held back')) heldBack += 1;
            assert.match(explanation, oneSentence);
            assert.ok(criterion.length > 0);
            assert.equal(trial.deadlines.size, 0);
          }
          assert.ok(trial.deadlines.size <= 1, 'one deadline suffices');
        };

        for (const happening of history) {
          const [name, detail] = happening;
          if (name === 'wait') {
            for (let second = 0; second < (detail as number); second += 1) {
              reference.second();
              compare(trial.after(1_000), reference.decides(), 'time passes');
            }
            continue;
          }
          const { phase } = reference;
          const isOutage = phase !== 'disarmed';
          if ((name === 'breaks') === isOutage && (name === 'breaks' || name === 'heals')) continue;
          if (name === 'heals' && !isOutage) continue;
          if (name === 'extend' && !extendable) continue;
          reference.happen(happening, knowsExternal);
          const overruled = name === 'give-up' && !knowsExternal && (phase === 'armed' || phase === 'paused');
          const messages = {
            breaks: () => trial.breaks(`outage-${reference.outages.length}`),
            heals: () => trial.heals(),
            attempt: () => (isOutage ? trial.attempt(detail as number) : []),
            media: () => trial.media(detail as boolean),
            roster: () => trial.roster(detail ? 1 : 2, detail ? ['ada'] : []),
            failure: () => trial.failure(detail as string),
            extend: () => trial.command('extend', { byMs: (detail as number) * 1_000 }),
            pause: () => trial.command('pause'),
            resume: () => trial.command('resume'),
            cancel: () => trial.command('cancel'),
            'give-up': () => trial.command('give-up'),
          }[name]();
          compare(messages, reference.decides() || overruled, name);
        }
      }),
      { numRuns: 1_500 },
    );
    assert.ok(decisions > 300 && heldBack > 5, `${decisions} decisions, ${heldBack} of them held back before`);
  });
});

// -------------------------------------------------------------------------------------------------------------- syntax

describe('criteria: syntax', () => {
  it('GU-8 every tree can be written down and read', () => {
    fc.assert(
      fc.property(anyTree, (tree) => {
        const text = JSON.stringify(tree);
        const { criteria, complaint } = readCriteria(text);
        if (complaint !== null) assert.match(complaint, /more than 100 nodes/);
        else assert.deepEqual(criteria, JSON.parse(text));
      }),
    );
  });

  it('nothing is no tree', () => {
    for (const nothing of ['', null, undefined]) {
      assert.deepEqual(readCriteria(nothing), { criteria: null, complaint: null });
    }
  });

  it('a tree that is no text has been read already', () => {
    assert.deepEqual(readCriteria({ attempts: 3 }), { criteria: { attempts: 3 }, complaint: null });
  });

  it('a complaint names the place, and what would be right', () => {
    const cases: [given: unknown, complaint: RegExp][] = [
      ['{', /^criteria is not JSON such as \{"elapsedMs": 300000\}: ./],
      ['5', /^criteria must be a criterion such as .*\{"any": \[…\]\} or \{"all": \[…\]\}; it is 5\.$/],
      ['null', /^criteria must be a criterion .* it is null\.$/],
      ['[{"attempts":1}]', /^criteria must be a criterion .* it is \[\{"attempts":1\}\]\.$/],
      [{}, /^criteria names no criterion; it has nothing\. There are "elapsedMs", .*"any", "all"\.$/],
      [{ elapsedms: 5 }, /^criteria names no criterion; it has "elapsedms"\. There are "elapsedMs", /],
      [{ notWhile: { mediaFlows: true } }, /^criteria names no criterion; it has "notWhile"\./],
      [{ attempts: 1, elapsedMs: 5 }, /^criteria has "elapsedMs", "attempts"; put each into an object of its own/],
      [{ attempts: 1, notwhile: {} }, /^criteria has "notwhile"; beside "attempts" there may be "notWhile" only\.$/],
      [{ outages: 3, within: 1 }, /has "within"; beside "outages" there may be "withinMs", "notWhile" only\.$/],
      [
        { outages: 3 },
        /^criteria\.withinMs must be a number of milliseconds from 1, ten years at most; it is missing\.$/,
      ],
      [{ outages: 1, withinMs: 5 }, /^criteria\.outages must be a whole number from 2 to 100; it is 1\.$/],
      [{ attempts: 1.5 }, /^criteria\.attempts must be a whole number from 1; it is 1\.5\.$/],
      [{ attempts: '3' }, /^criteria\.attempts must be a whole number from 1; it is "3"\.$/],
      [{ elapsedMs: 0 }, /^criteria\.elapsedMs must be a number of milliseconds from 1/],
      [{ elapsedMs: 1e300 }, /^criteria\.elapsedMs must be .* ten years at most/],
      [{ mediaEndedMs: -1 }, /^criteria\.mediaEndedMs must be a number of milliseconds from 0/],
      [{ aloneMs: null }, /^criteria\.aloneMs must be .* it is null\.$/],
      [{ budgetMs: Number.NaN }, /^criteria\.budgetMs must be/],
      [{ error: 'no such' }, /^criteria\.error must be the name of an error such as "OperationFailureException"/],
      [{ external: false }, /^criteria\.external must be true; it is false\.$/],
      [{ mediaFlows: 'yes' }, /^criteria\.mediaFlows must be true/],
      [{ any: [] }, /^criteria\.any must be a list of at least one criterion; it is \[\]\.$/],
      [{ all: { attempts: 1 } }, /^criteria\.all must be a list of at least one criterion; it is \{"attempts":1\}\.$/],
      [{ any: [{ attempts: 1 }, { all: [{ attempts: 0 }] }] }, /^criteria\.any\[1\]\.all\[0\]\.attempts must be/],
      [{ attempts: 1, notWhile: { any: [7] } }, /^criteria\.notWhile\.any\[0\] must be a criterion/],
      [{ attempts: 1, notWhile: undefined }, /^criteria\.notWhile must be a criterion .* it is missing\.$/],
      [{ any: Array.from({ length: 100 }, () => ({ attempts: 1 })) }, /^criteria has more than 100 nodes/],
    ];
    for (const [given, expected] of cases) {
      const { criteria, complaint } = readCriteria(given);
      assert.equal(criteria, null);
      assert.match(complaint ?? '', expected);
    }
  });
});
