import assert from 'node:assert/strict';
import { reportOf, storyOf } from '../../nodes/timeline/story';
import { attemptFact, conference, entryOf, factOf, giveUpFact, mcuFact, stateFact, verdictFact } from './facts';

const outage = { incident: 'daily/focus/1', active: true };
const closed = { incident: 'daily/focus/1', active: false };
const call = (previous: string, state: string) =>
  factOf({
    source: 'mcu-session',
    event: 'call-state-changed',
    mcu: 'audio-video',
    previous,
    state,
    reason: 'Requested',
  });
const media = (flowing: boolean) =>
  factOf({
    source: 'mcu-session',
    event: 'media-changed',
    mcu: 'audio-video',
    flowing,
    lastPacketAt: null,
    packets: 1,
  });

describe('story of a timeline', () => {
  const barsOf = (kind: string, ...given: Parameters<typeof storyOf>) =>
    storyOf(...given)
      .lanes.find((lane) => lane.kind === kind)
      ?.bars.map(({ from, to, word, mode }) => [from, to, word, mode]);

  it('the session’s states are bars from one change to the next; the first began when the fact says so', () => {
    const began = Date.parse('2026-01-01T00:00:00.000Z');
    const entries = [
      entryOf(began + 100, stateFact('Connected', 'Reconnecting', { mode: 'recovering', ...outage })),
      entryOf(began + 200, factOf({ event: 'mode-changed', previousMode: 'recovering', mode: 'rejoining', ...outage })),
      entryOf(began + 300, stateFact('Reconnecting', 'Connected', closed)),
    ];
    assert.deepEqual(barsOf('session', [], entries), [
      [began, began + 100, 'Connected', null],
      [began + 100, began + 200, 'Reconnecting', 'recovering'],
      [began + 200, began + 300, 'Reconnecting', 'rejoining'],
      [began + 300, null, 'Connected', null],
    ]);
  });

  it('what stood before the entries goes on into them, and word of the same state changes nothing', () => {
    const standing = [entryOf(1, stateFact('Connecting', 'Connected'))];
    const entries = [entryOf(50, factOf({ event: 'session-status', state: 'Connected', mode: null, restored: false }))];
    assert.deepEqual(barsOf('session', standing, entries)?.at(-1), [1, null, 'Connected', null]);
  });

  it('each MCU has its bar, its call and the call’s media, which end together', () => {
    const entries = [
      entryOf(10, mcuFact('Idle', 'Active'), 'av'),
      entryOf(20, call('None', 'Establishing'), 'av'),
      entryOf(30, call('Establishing', 'Established'), 'av'),
      entryOf(40, media(true), 'av'),
      entryOf(50, media(false), 'av'),
      entryOf(60, call('Established', 'Terminated'), 'av'),
      entryOf(70, mcuFact('Idle', 'Active', { mcu: 'chat' }), 'chat'),
    ];
    const { lanes } = storyOf([], entries);
    assert.deepEqual(
      lanes.map(({ kind, mcu }) => `${kind} ${mcu}`),
      ['mcu audio-video', 'call audio-video', 'media audio-video', 'mcu chat'],
    );
    assert.deepEqual(barsOf('media', [], entries), [
      [40, 50, 'flowing', null],
      [50, 60, 'silent', null],
    ]);
    assert.deepEqual(barsOf('call', [], entries)?.at(-1), [60, null, 'Terminated', null]);
  });

  it('two sessions of one conference, on two endpoints, do not get mixed up', () => {
    const entries = [
      entryOf(10, stateFact('Idle', 'Connecting'), 'one'),
      entryOf(20, stateFact('Idle', 'Connecting'), 'two'),
      entryOf(30, stateFact('Connecting', 'Connected'), 'one'),
    ];
    const { lanes } = storyOf([], entries);
    assert.deepEqual(
      lanes.map(({ node, bars }) => [node, bars.at(-1)?.word]),
      [
        ['one', 'Connected'],
        ['two', 'Connecting'],
      ],
    );
  });

  it('a node that is no more was what it was until it was last heard', () => {
    const entries = [
      entryOf(10, stateFact('Connecting', 'Connected')),
      entryOf(40, factOf({ event: 'operation-failed' })),
    ];
    assert.deepEqual(barsOf('session', [], entries, ['session'])?.at(-1), [10, 40, 'Connected', null]);
  });

  it('verdicts, attempts, errors, faults and giving up are marks, those of an MCU with its name', () => {
    const entries = [
      entryOf(1, verdictFact('suspected'), 'detector'),
      entryOf(2, verdictFact('failed', 1, { level: 'mcu', mcu: 'chat' }), 'detector'),
      entryOf(3, attemptFact('timeout'), 'healer'),
      entryOf(4, attemptFact('healed-by-peer'), 'healer'),
      entryOf(
        5,
        factOf({ source: 'route-healer', event: 'healing-abandoned', reason: 'horizon', attempts: 4 }),
        'healer',
      ),
      entryOf(6, factOf({ event: 'operation-failed' })),
      entryOf(7, factOf({ source: 'fault-injector', event: 'fault-injected', fault: 'eject', detail: {} }), 'injector'),
      entryOf(8, giveUpFact({ event: 'gave-up', criterion: 'elapsedMs', explanation: 'It took too long.' }), 'timer'),
      entryOf(9, factOf({ source: 'route-healer', event: 'route-status-changed', status: 'Healthy' }), 'healer'),
    ];
    assert.deepEqual(
      storyOf([], entries).marks.map(({ at, kind, mcu }) => [at, kind, mcu]),
      [
        [1, 'suspected', null],
        [2, 'failed', 'chat'],
        [3, 'attempt', null],
        [4, 'healed', null],
        [5, 'abandoned', null],
        [6, 'error', null],
        [7, 'fault', null],
        [8, 'gave-up', null],
      ],
    );
  });

  it('a give-up timer runs until it is called off, set anew, or gives up', () => {
    const armed = (deadlineAt: string | null) => giveUpFact({ event: 'give-up-armed', deadlineAt, criteria: [] });
    const entries = [
      entryOf(1, armed('1970-01-01T00:00:09.000Z'), 'timer'),
      entryOf(2, armed('1970-01-01T00:00:20.000Z'), 'timer'),
      entryOf(3, giveUpFact({ event: 'give-up-cancelled', reason: 'recovered' }), 'timer'),
      entryOf(4, armed(null), 'timer'),
      entryOf(5, giveUpFact({ event: 'gave-up', criterion: 'attempts', explanation: '' }), 'timer'),
      entryOf(6, armed('1970-01-01T00:00:30.000Z'), 'timer'),
    ];
    assert.deepEqual(
      storyOf([], entries).countdowns.map(({ armedAt, deadlineAt, endedAt, gaveUp }) => [
        armedAt,
        deadlineAt,
        endedAt,
        gaveUp,
      ]),
      [
        [1, 9_000, 2, false],
        [2, 20_000, 3, false],
        [4, null, 5, true],
        [6, 30_000, null, false],
      ],
    );
  });

  it('an outage lasts from its first word to the one that closes it, and its report holds every fact of it', () => {
    const entries = [
      entryOf(10, verdictFact('failed', 1, outage), 'detector'),
      entryOf(11, stateFact('Connected', 'Reconnecting', outage)),
      entryOf(12, mcuFact('Active', 'Retrying', { incident: 'daily/audio-video/2', active: true }), 'av'),
      entryOf(20, stateFact('Reconnecting', 'Connected', closed)),
      entryOf(21, verdictFact('cleared', 1, closed), 'detector'),
    ];
    const { outages } = storyOf([], entries);
    assert.deepEqual(outages, [
      { id: 'daily/audio-video/2', from: 12, to: null },
      { id: 'daily/focus/1', from: 10, to: 20 },
    ]);
    const report = JSON.parse(JSON.stringify(reportOf(conference, outages[1] as (typeof outages)[0], entries)));
    assert.deepEqual(
      report.facts,
      [0, 1, 3, 4].map((index) => entries[index]?.fact),
    );
    assert.deepEqual(
      [report.conference, report.incident, report.startedAt, report.endedAt],
      [conference, 'daily/focus/1', '1970-01-01T00:00:00.010Z', '1970-01-01T00:00:00.020Z'],
    );
  });
});
