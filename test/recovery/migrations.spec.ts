import assert from 'node:assert/strict';
import { conferenceSession } from '../../nodes/recovery/conference-session';
import { failoverDetector } from '../../nodes/recovery/failover-detector';
import { giveUpTimer } from '../../nodes/recovery/give-up-timer';
import { mcuSession } from '../../nodes/recovery/mcu-session';
import type { JsonObject, Source } from '../../nodes/recovery/messages';
import { migrate, versionOf } from '../../nodes/recovery/migrations';
import { routeHealer } from '../../nodes/recovery/route-healer';
import type { MachineState } from '../../nodes/recovery/step';
import { CONFERENCE } from '../support/driver';
import { withCall } from './mcu-sessions';
import { inEach, operation, outcome, phases, refused } from './sessions';

/** A state as the first version wrote it, word by word. */
const first = {
  version: 1,
  conference: 'sip:daily@pool.example',
  seq: 12,
  dialog: 1,
  incident: { id: 'daily@pool.example/hop/2026-01-01T00:00:00.000Z/9', startedAt: 1767225600000 },
  closedIncidents: ['outage-0'],
  phase: 'Recovering',
  returnTo: 'Connected',
  since: 1767225600000,
  attempts: 3,
  joinArguments: { displayName: 'Recorder' },
  joining: null,
  terminating: [],
  closing: null,
  operations: {},
  pending: 0,
  roster: {
    version: 4,
    participants: {
      'sip:ada@pool.example': {
        entity: 'sip:ada@pool.example',
        roles: ['presenter'],
        endpoints: [{ entity: 'ada-1', status: 'connected', media: [{ id: '1', type: 'audio' }] }],
      },
    },
    total: 1,
  },
  resyncing: true,
  lobby: [],
  properties: { locked: true },
  mcus: { 'audio-video': 'active' },
  registrationStale: false,
};

const machines: { readonly [machine in Source]?: MachineState } = {
  'conference-session': conferenceSession.start(CONFERENCE),
  'mcu-session': mcuSession.start(CONFERENCE, 'chat'),
  'failover-detector': failoverDetector.start(CONFERENCE),
  'route-healer': routeHealer.start(CONFERENCE),
  'give-up-timer': giveUpTimer.start(CONFERENCE),
};

describe('saved states', () => {
  it('PER-8 a conference session of version 1 has an owner and an epoch in version 2, and is the same otherwise', () => {
    const { version: _, ...same } = first;
    const added = { version: 2, resyncs: 0, behind: false, owner: '', epoch: 1, stoodDown: false };
    assert.deepEqual(migrate('conference-session', first), { state: { ...same, ...added } });
  });

  it('PER-8 whoever had joined held the conference, whoever had not did not; requests for rosters are not forgotten', () => {
    const waiting = { ...first, dialog: 0, resyncs: 2, behind: true };
    const migrated = migrate('conference-session', waiting) as { state: MachineState & JsonObject };
    const { epoch, resyncs, behind } = migrated.state;
    assert.deepEqual([epoch, resyncs, behind], [0, 2, true]);
  });

  for (const [machine, fresh] of Object.entries(machines) as [Source, MachineState][]) {
    it(`PER-8 a ${machine} of today is left as it is, and is not shared`, () => {
      assert.equal(fresh.version, versionOf(machine));
      const migrated = migrate(machine, fresh);
      assert.deepEqual(migrated, { state: fresh });
      assert.notEqual('state' in migrated && migrated.state, fresh);
    });

    it(`PER-8 a ${machine} of a newer version is refused by its number`, () => {
      const newer = Object.freeze({ version: versionOf(machine) + 1, whatever: true });
      assert.deepEqual(migrate(machine, newer), { newer: versionOf(machine) + 1 });
    });

    it(`PER-8 MSG-5 what is no ${machine} is told what is wrong with it`, () => {
      for (const version of [undefined, null, 0, -1, 1.5, '1', {}]) {
        assert.deepEqual(migrate(machine, { ...fresh, version }), {
          unusable: '"state.version" must be a whole number, one or more.',
        });
      }
      for (const nothing of [undefined, null, 7, 'state', []]) assert.ok('unusable' in migrate(machine, nothing));
      for (const member of ['conference', 'seq', 'dialog', 'incident']) {
        const migrated = migrate(machine, { ...fresh, [member]: {} });
        assert.match('unusable' in migrated ? migrated.unusable : '', new RegExp(`^"state\\.${member}`));
      }
      const hidden = Object.defineProperty({ ...fresh }, 'seq', {
        enumerable: true,
        get() {
          throw new Error('no way');
        },
      });
      assert.deepEqual(migrate(machine, hidden), { unusable: 'no way' });
    });
  }

  it('PER-8 whatever a session can be is read as it was', () => {
    inEach(phases, (session) => {
      session.give(operation('lock-1'));
      session.give(outcome('lock-1', refused(430)));
      assert.deepEqual(migrate('conference-session', session.state), { state: session.state });
    });
    const mcu = withCall();
    assert.deepEqual(migrate('mcu-session', mcu.state), { state: mcu.state });
  });

  it('PER-8 MSG-5 names of participants and properties that an object takes for something else stay names', () => {
    const named = JSON.parse(`{"__proto__": {"entity": "__proto__", "roles": [], "endpoints": []}}`);
    const state = { ...conferenceSession.start(CONFERENCE), roster: { version: 1, participants: named, total: 0 } };
    const migrated = migrate('conference-session', state) as { state: typeof state };
    assert.deepEqual(Object.keys(migrated.state.roster.participants), ['__proto__']);
    assert.equal(migrated.state.roster.total, 1);
  });
});
