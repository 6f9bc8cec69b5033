import assert from 'node:assert/strict';
import { giveUpTimer } from '../../nodes/recovery/give-up-timer';
import { conferenceName, fact, instant, mintIncident } from '../../nodes/recovery/step';
import { CONFERENCE } from '../support/driver';

describe('steps', () => {
  it('two outages of one level in the same millisecond are told apart', () => {
    const state = giveUpTimer.start(CONFERENCE);
    const now = Date.UTC(2026, 0, 1);
    const first = mintIncident(state, 'hop', now);
    assert.deepEqual(first, { id: 'daily@pool.example/hop/2026-01-01T00:00:00.000Z/1', startedAt: now });
    fact(state, 'failover-detector', { now, random: 0 }, 'info', { event: 'give-up-tick', remainingMs: 0 });
    assert.notEqual(mintIncident(state, 'hop', now).id, first.id);
    assert.notEqual(mintIncident(state, 'focus', now).id, first.id);
    assert.notEqual(mintIncident(state, 'hop', now + 1).id, first.id);
  });

  it('an instant after the last one that can be told is the last one', () => {
    assert.equal(instant(Number.MAX_VALUE), '+275760-09-13T00:00:00.000Z');
  });

  it('a conference has a short name, fit for topics', () => {
    const names = {
      'sip:daily@pool.example': 'daily@pool.example',
      'sips:daily@pool.example;transport=tcp': 'daily@pool.example',
      'sip:ada@pool.example;gruu;opaque=app:conf:focus:id:A1B2?x=1': 'A1B2',
      'sip:ada@pool.example;opaque=a/b': 'a-b',
      'sip:a+b #c@pool.example': 'a-b--c@pool.example',
      'sip:': '-',
      'bridge.sip:5060': 'bridge.sip:5060',
    };
    for (const [uri, name] of Object.entries(names)) assert.equal(conferenceName(uri), name);
  });
});
