import assert from 'node:assert/strict';
import { useFakeTimers } from 'sinon';
import { History, keptMs } from '../../nodes/timeline/history';
import { Recorder, recorderLimits } from '../../nodes/timeline/recorder';
import { deepFreeze } from '../support/flow';
import { attemptFact, conference, entryOf, factOf, giveUpFact, mcuFact, stateFact, verdictFact } from './facts';

const of = (number: number) => `sip:conference-${number}@pool.example`;

describe('record of the timeline', () => {
  let clock: ReturnType<typeof useFakeTimers>;
  let recorder: Recorder;

  beforeEach(() => {
    clock = useFakeTimers({ now: 1_000_000_000_000, toFake: ['Date'] });
    recorder = new Recorder();
    recorder.start();
  });

  afterEach(() => clock.restore());

  const events = () => recorder.historyOf(conference)?.entries.map(({ fact }) => fact.event) ?? [];

  it('keeps what a timeline shows, with who told it and when, and nothing of what is frequent', () => {
    recorder.record('session', 'daily', stateFact('Idle', 'Connecting'));
    for (const event of ['signal', 'roster-changed', 'give-up-tick', 'operation-completed', 'text-received'])
      recorder.record('session', 'daily', factOf({ event }));
    recorder.record('session', 'daily', { command: 'probe', conference, dialog: 1 });
    const entries = recorder.historyOf(conference)?.entries ?? [];
    assert.deepEqual(events(), ['state-changed']);
    assert.deepEqual([entries[0]?.node, entries[0]?.at, entries[0]?.cursor], ['session', Date.now(), 1]);
  });

  it('keeps nothing before it is switched on', () => {
    const off = new Recorder();
    off.record('session', 'daily', stateFact('Idle', 'Connecting'));
    assert.equal(off.historyOf(conference), undefined);
  });

  it('copies: what others do to a message changes nothing, and no message is changed', () => {
    const verdict = verdictFact('failed', 2);
    const armed = giveUpFact({ event: 'give-up-armed', deadlineAt: null, criteria: ['elapsedMs'] });
    const fault = factOf({
      source: 'fault-injector',
      event: 'fault-injected',
      fault: 'restore-hop',
      detail: { hops: ['hop-1'] },
    });
    for (const fact of [verdict, armed, fault]) recorder.record('node', 'daily', fact);
    const before = JSON.stringify(recorder.historyOf(conference)?.entries);
    Object.assign(verdict, { rule: 'spoilt' });
    Object.assign((verdict as unknown as { evidence: [object] }).evidence[0], { rule: 'spoilt' });
    (armed as { criteria?: string[] }).criteria?.push('spoilt');
    (fault as { detail?: { hops: string[] } }).detail?.hops.push('spoilt');
    assert.equal(JSON.stringify(recorder.historyOf(conference)?.entries), before);
    recorder.record('node', 'daily', deepFreeze(verdictFact('cleared')));
  });

  it('keeps no more of an error than a person reads', () => {
    const error = {
      name: 'FailureResponseException',
      bases: ['RealTimeException'],
      code: 'SIP-500',
      message: 'm'.repeat(10_000),
      response: {
        status: 500,
        reason: 'Server Internal Error',
        headers: { 'Call-ID': 'x' },
        body: 'b'.repeat(100_000),
      },
      diagnostics: { id: 1, reason: 'r'.repeat(10_000), other: 'o'.repeat(10_000) },
    };
    recorder.record(
      'session',
      'daily',
      factOf({ event: 'operation-failed', operation: 'lock', operationId: '1', error }),
    );
    const kept = JSON.stringify(recorder.historyOf(conference)?.entries);
    assert.ok(kept.length < 2_000, `${kept.length} characters`);
    assert.match(kept, /"status":500/);
    assert.match(kept, /"code":"SIP-500"/);
  });

  it('keeps the last hour, and how things stood before it', () => {
    recorder.record('session', 'daily', stateFact('Connecting', 'Connected'));
    recorder.record('mcu', 'daily', mcuFact('Idle', 'Active'));
    recorder.record('healer', 'daily', attemptFact('timeout'));
    clock.tick(keptMs + 1);
    assert.deepEqual(events(), []);
    const standing = recorder.historyOf(conference)?.standing.map(({ node }) => node);
    assert.deepEqual(standing, ['session', 'mcu'], 'an attempt is over at once');
    assert.equal(recorder.summaries(0).conferences[0]?.state, 'Connected');
  });

  it('keeps no more of one conference than its bound, where a verdict counts with its evidence', () => {
    for (let number = 0; number < 2_000; number += 1) recorder.record('healer', 'daily', attemptFact('timeout'));
    assert.equal(events().length, 1_000);
    for (let number = 0; number < 100; number += 1) recorder.record('detector', 'daily', verdictFact('failed', 19));
    assert.equal(recorder.historyOf(conference)?.size, 1_000);
    assert.equal(events().filter((event) => event === 'failover-detected').length, 50);
  });

  it('keeps no more of all than their bound: conferences without news lose theirs first', () => {
    for (let number = 0; number < 30; number += 1)
      for (let each = 0; each < 900; each += 1)
        recorder.record('healer', `${number}`, attemptFact('timeout', { conference: of(number) }));
    const sizes = Array.from({ length: 30 }, (_, number) => recorder.historyOf(of(number))?.entries.length ?? 0);
    const all = sizes.reduce((sum, size) => sum + size, 0);
    assert.ok(all <= recorderLimits.entries && all >= 0.9 * recorderLimits.entries - 1, `${all}`);
    assert.deepEqual([sizes[0], sizes[29]], [0, 900]);
    assert.deepEqual(
      sizes,
      [...sizes].sort((a, b) => a - b),
      'the longer without news, the less is left',
    );
  });

  it('knows a bounded number of conferences: the one without news for longest is forgotten', () => {
    const { conferences: most } = recorderLimits;
    for (let number = 0; number < most; number += 1)
      recorder.record('session', `${number}`, stateFact('Connecting', 'Connected', { conference: of(number) }));
    recorder.record('session', '0', stateFact('Connected', 'Reconnecting', { conference: of(0) }));
    recorder.record('session', 'new', stateFact('Idle', 'Connecting', { conference: of(most) }));
    const { conferences, oldest } = recorder.summaries(0);
    assert.equal(conferences.length, most);
    assert.equal(recorder.historyOf(of(1)), undefined);
    assert.equal(recorder.historyOf(of(0))?.entries.length, 2);
    assert.equal(oldest, 3, 'whoever keeps a list lets go of what has an older cursor');
  });

  it('tells news only, to whoever names the last cursor', () => {
    recorder.record('session', 'one', stateFact('Idle', 'Connecting', { conference: of(1) }));
    recorder.record('session', 'two', stateFact('Idle', 'Connecting', { conference: of(2) }));
    const { cursor } = recorder;
    assert.deepEqual(recorder.summaries(cursor).conferences, []);
    recorder.record('session', 'one', stateFact('Connecting', 'Connected', { conference: of(1) }));
    assert.deepEqual(
      recorder.summaries(cursor).conferences.map(({ name, state }) => [name, state]),
      [['one', 'Connected']],
    );
  });

  it('sums a conference up: its session’s state and mode, and since when', () => {
    recorder.record('session', 'daily', stateFact('Connected', 'Reconnecting', { mode: 'recovering' }));
    const since = Date.now();
    clock.tick(1_000);
    recorder.record('mcu', 'daily', mcuFact('Active', 'Retrying'));
    recorder.record('session', 'daily', factOf({ event: 'mode-changed', mode: 'rejoining' }));
    const { state, mode, since: told } = recorder.summaries(0).conferences[0] ?? {};
    assert.deepEqual([state, mode, told], ['Reconnecting', 'rejoining', since]);
  });

  it('remembers how things stood for a bounded number of nodes', () => {
    const history = new History();
    for (let node = 0; node < 200; node += 1) history.stand(entryOf(node, stateFact('Idle', 'Connecting'), `${node}`));
    assert.equal(history.standing.length, 64);
    assert.equal(history.standing.at(-1)?.node, '199');
  });
});
