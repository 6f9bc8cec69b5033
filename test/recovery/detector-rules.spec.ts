import assert from 'node:assert/strict';
import { DEFAULT_RULES, type DetectorRule, rulesOf, ruleWords } from '../../nodes/recovery/detector-rules';
import { failoverDetector, failoverDetectorDefaults } from '../../nodes/recovery/failover-detector';
import type { Message } from '../../nodes/recovery/step';
import { only } from '../support/driver';
import { Policy } from './hearsay';

type Members = { signal: string; [member: string]: unknown };

/** What is true of one default rule: what it finds in which signal, and in which similar one it does not. */
interface Row {
  /** Signals that come before. */
  after?: Members[];
  given: Members;
  gives: string;
  not: Members[];
}

const answer = (status: number, members: object = {}): Members => ({
  signal: 'response',
  purpose: 'operation',
  method: 'UPDATE',
  status,
  ...members,
});
const missed: Members = { signal: 'heartbeat-missed', purpose: 'refresh' };
const mcu = (report: string): Members => ({ signal: 'mcu-report', mcu: 'chat', report });

const rows: { [rule: string]: Row } = {
  'probe-answered': {
    after: [answer(481)],
    given: answer(200, { purpose: 'probe' }),
    gives: 'focus failed-over',
    not: [answer(200), answer(199, { purpose: 'probe' }), answer(300, { purpose: 'probe' })],
  },
  'heal-answered': {
    after: [answer(430)],
    given: answer(200, { purpose: 'heal' }),
    gives: 'hop cleared',
    not: [answer(200), answer(200, { purpose: 'probe' }), answer(430, { purpose: 'heal' })],
  },
  'heal-dialog-gone': {
    given: answer(404, { purpose: 'heal' }),
    gives: 'focus failed',
    not: [answer(404), answer(403, { purpose: 'heal' }), answer(404, { purpose: 'rejoin' })],
  },
  'healed-by-peer': {
    after: [answer(430)],
    given: { signal: 'remote-update' },
    gives: 'hop cleared',
    not: [{ signal: 'transport-restored' }],
  },
  'dialog-gone': {
    given: answer(481),
    gives: 'focus failed',
    not: [answer(480), answer(482), answer(481, { purpose: 'probe' }), answer(481, { purpose: 'rejoin' })],
  },
  'remote-bye': { given: { signal: 'remote-bye' }, gives: 'focus failed', not: [{ signal: 'remote-update' }] },
  'session-expired': { given: { signal: 'session-expired' }, gives: 'focus failed', not: [{ signal: 'media' }] },
  'subscription-lost': { given: { signal: 'subscription-lost' }, gives: 'focus failed', not: [{ signal: 'media' }] },
  'flow-failed': { given: answer(430), gives: 'hop failed', not: [answer(431), answer(430, { purpose: 'probe' })] },
  'request-timeout': { given: answer(408), gives: 'hop failed', not: [answer(407), answer(408, { purpose: 'heal' })] },
  'server-timeout': { given: answer(504), gives: 'hop failed', not: [answer(505), answer(504, { purpose: 'rejoin' })] },
  unavailable: {
    given: answer(503),
    gives: 'hop failed',
    not: [answer(503, { method: 'INFO' }), answer(502), answer(503, { purpose: 'probe' })],
  },
  'no-answer': {
    given: { signal: 'timeout', purpose: 'operation' },
    gives: 'hop failed',
    not: ['heal', 'probe', 'rejoin'].map((purpose) => ({ signal: 'timeout', purpose })),
  },
  'transport-lost': {
    given: { signal: 'transport-lost' },
    gives: 'hop failed',
    not: [{ signal: 'transport-restored' }, { signal: 'transport-lost', purpose: 'probe' }],
  },
  'heartbeat-missed': { given: missed, gives: 'hop suspected', not: [{ signal: 'heartbeat' }] },
  'heartbeat-answered': {
    after: [missed],
    given: { signal: 'heartbeat', purpose: 'refresh' },
    gives: 'hop cleared',
    not: [{ signal: 'media', flowing: true }],
  },
  answered: {
    after: [missed],
    given: answer(200),
    gives: 'hop cleared',
    not: [answer(199), answer(300), answer(200, { purpose: 'probe' })],
  },
  'mcu-failing-over': {
    given: mcu('failing-over'),
    gives: 'mcu failed',
    not: [mcu('inactive'), mcu('unsupported'), mcu('active'), { signal: 'mcu-report', report: 'failing-over' }],
  },
  'mcu-active': {
    after: [mcu('failing-over')],
    given: mcu('active'),
    gives: 'mcu cleared',
    not: [mcu('inactive'), mcu('unsupported'), { ...mcu('active'), mcu: 'audio-video' }],
  },
};

/** Rule, level and phase of the verdicts that a signal brings about, with these rules. */
function verdicts(rules: readonly DetectorRule[], after: Members[], given: Members): string[] {
  const detector = new Policy(failoverDetector, { ...failoverDetectorDefaults, rules });
  detector.session('Connecting', 'Connected');
  for (const { signal, ...members } of after) detector.signal(signal, members);
  const { signal, ...members } = given;
  const messages: Message[] = detector.signal(signal, members);
  return only(messages, 'failover-detected').map(({ rule, level, phase }) => `${rule}: ${level} ${phase}`);
}

describe('detector rules: defaults', () => {
  it('DET-1 every default rule has a row below', () => {
    assert.deepEqual(
      Object.keys(rows),
      DEFAULT_RULES.map(({ name }) => name),
    );
  });

  for (const [name, { after = [], given, gives, not }] of Object.entries(rows)) {
    it(`DET-1 ${name} gives ${gives}, and nothing without that rule`, () => {
      assert.deepEqual(verdicts(DEFAULT_RULES, after, given), [`${name}: ${gives}`]);
      const without = DEFAULT_RULES.map((rule) => (rule.name === name ? { ...rule, off: true } : rule));
      assert.deepEqual(verdicts(without, after, given), []);
    });

    it(`DET-1 ${name} does not find anything similar`, () => {
      for (const similar of not) {
        const found = verdicts(DEFAULT_RULES, after, similar);
        assert.ok(!found.some((verdict) => verdict.startsWith(`${name}:`)), JSON.stringify(similar));
      }
    });
  }

  it('DET-1 an order of their own: a heal that finds the dialog gone is not just dialog-gone', () => {
    assert.deepEqual(verdicts(DEFAULT_RULES, [], answer(481, { purpose: 'heal' })), ['heal-dialog-gone: focus failed']);
  });
});

describe('detector rules: of a user', () => {
  const good: DetectorRule = {
    name: 'rolling-over',
    off: false,
    signal: 'response',
    purposes: ['operation', 'refresh'],
    status: [500, [580, 589]],
    methods: ['INFO'],
    notMethods: ['re-INVITE'],
    recoveryAction: 'Wait-For-Session-Update',
    diagnostics: [24067, [50000, 50010]],
    during: 'suspected',
    level: 'focus',
    phase: 'failed-over',
  };
  const report: DetectorRule = {
    name: 'gone',
    signal: 'mcu-report',
    reports: ['inactive'],
    level: 'mcu',
    phase: 'failed',
  };

  it('DET-5 a list is taken as it is: added, in another order, switched off', () => {
    const rules = [good, ...[...DEFAULT_RULES].reverse(), { ...report, off: true }];
    assert.deepEqual(rulesOf(rules), { rules, complaint: null });
    assert.deepEqual(rulesOf([]), { rules: [], complaint: null });
  });

  it('DET-5 a list may come as JSON, out of an environment variable', () => {
    assert.deepEqual(rulesOf(JSON.stringify([good])), { rules: [good], complaint: null });
  });

  it('DET-5 without any, the default rules count', () => {
    for (const nothing of [undefined, null, '', '  ']) {
      assert.deepEqual(rulesOf(nothing), { rules: DEFAULT_RULES, complaint: null });
    }
  });

  const bad: [what: string, rules: unknown, complaint: RegExp][] = [
    ['no list', { name: 'x' }, /^The rules must be a list/],
    ['no JSON', '[{', /^The rules must be a list/],
    ['no object', [report, 'x'], /^Rule 2: it must be an object .+ not "x"/],
    ['undefined', [undefined], /^Rule 1: it must be an object .+ not undefined/],
    ['null', [null], /^Rule 1: it must be an object .+ not null/],
    ['a list for a rule', [[]], /^Rule 1: it must be an object .+ not \[\]/],
    [
      'an unknown property',
      [{ ...report, statuscode: 481 }],
      /^Rule 1 \("gone"\): "statuscode" is no part of a rule; /,
    ],
    ['no name', [{ ...report, name: undefined }], /^Rule 1: "name" is missing: a name of its own/],
    ['an empty name', [{ ...report, name: ' ' }], /^Rule 1 \(" "\): "name" must be a name of its own/],
    ['a name that is none', [{ ...report, name: 5 }], /^Rule 1: "name" must be a name of its own, .+ not 5/],
    ['the same name twice', [report, good, report], /^Rule 3 \("gone"\): rule 1 has the same name/],
    ['no signal', [{ ...report, signal: undefined }], /"signal" is missing: one of response, timeout/],
    ['no level', [{ ...report, level: undefined }], /"level" is missing: one of focus, mcu, hop/],
    ['no phase', [{ ...report, phase: undefined }], /"phase" is missing: one of suspected, failed/],
    ['an unknown signal', [{ ...report, signal: 'silence' }], /"signal" must be one of .+ not "silence"/],
    ['a signal that is no word', [{ ...report, signal: 1 }], /"signal" must be one of .+ not 1/],
    ['an unknown level', [{ ...report, level: 'proxy' }], /"level" must be one of focus, mcu, hop, not "proxy"/],
    ['an unknown phase', [{ ...report, phase: 'dead' }], /"phase" must be one of .+ not "dead"/],
    ['off that is no switch', [{ ...good, off: 'yes' }], /"off" must be true or false, not "yes"/],
    ['an unknown purpose', [{ ...good, purposes: ['fun'] }], /"purposes" must be a list of some of operation, heal/],
    ['a purpose that is no word', [{ ...good, purposes: [1] }], /"purposes" must be/],
    ['purposes that are no list', [{ ...good, purposes: 'heal' }], /"purposes" must be a list/],
    ['no purposes', [{ ...good, purposes: [] }], /"purposes" must be a list/],
    ['a status that is a text', [{ ...good, status: '5xx' }], /"status" must be a list of numbers .+ not "5xx"/],
    ['a status below 100', [{ ...good, status: [99] }], /"status" must be a list of numbers from 100 to 699/],
    ['a status above 699', [{ ...good, status: [700] }], /"status" must be/],
    ['half a status', [{ ...good, status: [480.5] }], /"status" must be/],
    ['a range backwards', [{ ...good, status: [[599, 500]] }], /"status" must be .+ ranges/],
    ['a range of three', [{ ...good, status: [[1, 2, 3]] }], /"status" must be/],
    ['a range of words', [{ ...good, status: [['a', 'b']] }], /"status" must be/],
    ['a method with a space', [{ ...good, methods: ['re INVITE'] }], /"methods" must be a list of methods/],
    ['a method that is no word', [{ ...good, notMethods: [1] }], /"notMethods" must be a list of methods/],
    ['an unknown action', [{ ...good, recoveryAction: 'Hope' }], /"recoveryAction" must be one of Registration/],
    ['diagnostics below 0', [{ ...good, diagnostics: [-1] }], /"diagnostics" must be a list of numbers from 0/],
    ['an unknown report', [{ ...report, reports: ['well'] }], /"reports" must be a list of some of active/],
    ['an unknown during', [{ ...good, during: 'cleared' }], /"during" must be one of suspected, failed/],
    [
      'a status of a BYE',
      [{ ...report, signal: 'remote-bye', reports: undefined, status: [481] }],
      /"status" goes with/,
    ],
    ['a report in an answer', [{ ...good, reports: ['active'] }], /"reports" goes with the signal "mcu-report" only/],
    ['a hop that failed over', [{ ...good, level: 'hop' }], /only a "focus" can have "failed-over"/],
  ];
  for (const [what, rules, complaint] of bad) {
    it(`DET-5 ${what} is an error that names its row, and the default rules are used`, () => {
      const found = rulesOf(rules);
      // What came over the wire has no members that are undefined, but what a test makes has.
      assert.match(found.complaint ?? '', complaint);
      assert.match(found.complaint ?? '', / The default rules are used instead\.$/);
      assert.equal(found.rules, DEFAULT_RULES);
    });
  }

  it('DET-5 every word of a rule is known to the dialog', () => {
    assert.deepEqual(ruleWords.level, ['focus', 'mcu', 'hop']);
    assert.deepEqual(ruleWords.phase, ['suspected', 'failed', 'failed-over', 'cleared']);
    assert.equal(ruleWords.signal.length, 12);
  });
});
