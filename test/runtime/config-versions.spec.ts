import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { runInNewContext } from 'node:vm';
import { conferenceSessionDefaults } from '../../nodes/recovery/conference-session';
import { failoverDetectorDefaults } from '../../nodes/recovery/failover-detector';
import { giveUpTimerDefaults } from '../../nodes/recovery/give-up-timer';
import { mcuSessionDefaults } from '../../nodes/recovery/mcu-session';
import { routeHealerDefaults } from '../../nodes/recovery/route-healer';
import {
  type ConfiguredType,
  complaintAboutVersion,
  migrateConfig,
  configVersion as today,
} from '../../nodes/runtime/config-versions';
import { durationOf, type NodeConfig } from '../../nodes/runtime/settings';
import { poolDefaults } from '../../nodes/signaling/pool/options';
import { packageRoot } from '../support/node-red-process';

/** What a node does when its configuration lacks a duration: ms, by type and property. */
const durations: { [type in ConfiguredType]: { [property: string]: number } } = {
  'conference-endpoint': {
    latency: poolDefaults.latencyMs,
    failoverDelay: poolDefaults.failoverMs,
    mcuFailover: poolDefaults.mcuFailoverMs,
    mediaTimeout: 0,
    keepAlive: 6_000,
  },
  'conference-session': {
    heartbeat: conferenceSessionDefaults.heartbeatMs,
    operationTimeout: conferenceSessionDefaults.operationTimeoutMs,
    repairTimeout: conferenceSessionDefaults.repairTimeoutMs,
    rejoinTimeout: conferenceSessionDefaults.joinTimeoutMs,
    lobbyTimeout: conferenceSessionDefaults.lobbyTimeoutMs,
    closingTimeout: conferenceSessionDefaults.closingTimeoutMs,
  },
  'mcu-session': { activationTimeout: mcuSessionDefaults.activationTimeoutMs },
  'failover-detector': {
    heartbeatTimeout: failoverDetectorDefaults.heartbeatTimeoutMs,
    confirmation: failoverDetectorDefaults.confirmationMs,
    routeSilence: failoverDetectorDefaults.routeSilenceMs,
    phiAcceptablePause: failoverDetectorDefaults.phiAcceptablePauseMs,
    phiMinimumDeviation: failoverDetectorDefaults.phiMinimumDeviationMs,
    failoverWindow: failoverDetectorDefaults.failoverWindowMs,
    probeInterval: failoverDetectorDefaults.probeIntervalMs,
  },
  'route-healer': {
    period: routeHealerDefaults.periodMs,
    attemptTimeout: routeHealerDefaults.attemptTimeoutMs,
    horizon: routeHealerDefaults.horizonMs,
  },
  'give-up-timer': {
    giveUpAfter: giveUpTimerDefaults.giveUpAfterMs,
    mediaEnded: giveUpTimerDefaults.mediaEndedMs,
    tick: giveUpTimerDefaults.tickMs,
  },
  'fault-injector': {},
};

/** What the dialog of a type saves of a new node, which of its fields are durations, and what may come from elsewhere. */
function dialogOf(type: string): {
  defaults: NodeConfig;
  durations: string[];
  typed: { property: string; entered: string }[];
} {
  const html = readFileSync(join(packageRoot, `nodes/${type}.html`), 'utf8');
  const script = [...html.matchAll(/<script type="text\/javascript">([\s\S]*?)<\/script>/g)].at(-1)?.[1] ?? '';
  let entries: [string, { value: unknown }][] = [];
  const registerType = (_: string, { defaults }: { defaults: { [property: string]: { value: unknown } } }): void => {
    entries = Object.entries(defaults);
  };
  runInNewContext(script, { RED: { nodes: { registerType } } });
  const fields = [...html.matchAll(/id="node-(?:config-)?input-(\w+)"[^>]* data-(duration|typed="str )/g)];
  const typed = fields.map(([, property = '', kind]) => ({ property, entered: kind === 'duration' ? 'num' : 'str' }));
  return {
    defaults: Object.fromEntries(entries.map(([property, { value }]) => [property, value])),
    durations: typed.filter(({ entered }) => entered === 'num').map(({ property }) => property),
    typed,
  };
}

describe('versions of configurations', () => {
  for (const type of Object.keys(durations) as ConfiguredType[]) {
    describe(type, () => {
      const dialog = dialogOf(type);

      it('the dialog saves the version of today, and what a node does without a configuration', () => {
        assert.equal(dialog.defaults.configVersion, today);
        assert.deepEqual(new Set(dialog.durations), new Set(Object.keys(durations[type])));
        for (const [property, ms] of Object.entries(durations[type])) {
          assert.equal(durationOf(dialog.defaults, property, Number.NaN), ms, property);
        }
      });

      it('0 → 1: a duration without a unit is in milliseconds; one with a unit, or none at all, stays as it is', () => {
        for (const property of dialog.durations) {
          const unit = `${property}Unit`;
          assert.deepEqual(migrateConfig(type, { [property]: '250', name: 'n' }), {
            [property]: '250',
            [unit]: 'ms',
            [`${property}Type`]: 'num',
            name: 'n',
            ...(type === 'conference-endpoint' ? { port: '5060' } : {}),
            configVersion: today,
          });
          assert.equal(migrateConfig(type, { [property]: '2', [unit]: 'min' })[unit], 'min');
          assert.equal(migrateConfig(type, {})[unit], undefined);
        }
      });

      it('1 → 2: values are those of the dialog itself; one that is not there gets no kind', () => {
        for (const { property, entered } of dialog.typed) {
          const kind = `${property}Type`;
          assert.equal(dialog.defaults[kind], entered, property);
          const old = { [property]: 'x', configVersion: 1 };
          assert.deepEqual(migrateConfig(type, old), { [property]: 'x', [kind]: entered, configVersion: today });
          assert.equal(migrateConfig(type, { ...old, [kind]: 'env' })[kind], 'env');
          assert.equal(migrateConfig(type, { configVersion: 1 })[kind], undefined);
        }
      });

      it('what the dialog saves is of today already; the given configuration is never changed', () => {
        assert.equal(migrateConfig(type, dialog.defaults), dialog.defaults);
        const old = Object.freeze({ name: 'old' });
        assert.equal(migrateConfig(type, old).configVersion, today);
        assert.deepEqual(migrateConfig(type, migrateConfig(type, old)), migrateConfig(type, old));
        assert.equal(complaintAboutVersion(type, old), null);
        assert.equal(complaintAboutVersion(type, dialog.defaults), null);
      });

      it('one of a newer version stays as it is, with one line that says what to do', () => {
        const newer = { name: 'newer', configVersion: today + 1, unheardOf: true };
        assert.equal(migrateConfig(type, newer), newer);
        const complaint = complaintAboutVersion(type, newer) ?? '';
        assert.match(
          complaint,
          /^newer configuration: this [\w-]+ was saved by a newer version of .+Update the pack, or/,
        );
        assert.ok(complaint.includes(type) && !complaint.includes('\n'));
      });
    });
  }

  it('conference-endpoint 0 → 1: without a port it is 5060, while an empty one is as DNS says', () => {
    assert.equal(migrateConfig('conference-endpoint', {}).port, '5060');
    assert.equal(migrateConfig('conference-endpoint', { port: '' }).port, '');
    assert.equal(migrateConfig('conference-endpoint', { port: '5070' }).port, '5070');
    assert.equal(migrateConfig('conference-endpoint', { configVersion: 1 }).port, undefined);
  });

  it('a version that is none counts as none', () => {
    for (const configVersion of ['', 'x', -1, 0.5, null, {}, Number.NaN]) {
      assert.equal(migrateConfig('route-healer', { configVersion }).configVersion, today, String(configVersion));
      assert.equal(complaintAboutVersion('route-healer', { configVersion }), null);
    }
    const given = { configVersion: String(today) };
    assert.equal(migrateConfig('route-healer', given), given);
  });
});
