/**
 * Configurations of nodes: how one that an older version of the pack has saved becomes one of today's, version by version.
 * The build puts this file into the dialogs as well, so that a node means the same after somebody has opened it and pressed
 * Done: it must not need any other at run time.
 */
import type { Source } from '../recovery/messages';
import type { NodeConfig } from './settings';

/** One step: a configuration of some version, as the next version would have saved it. */
type Migration = (config: NodeConfig) => NodeConfig;

/** By type of node: the first leads from version 0 (no `configVersion`) to version 1, and so on. */
const migrations: { readonly [type in Source | 'conference-endpoint']: readonly Migration[] } = {
  'conference-endpoint': [
    (config) => withPort(withUnits(config, ['latency', 'failoverDelay', 'mcuFailover', 'mediaTimeout', 'keepAlive'])),
  ],
  'conference-session': [
    (config) =>
      withUnits(config, [
        'heartbeat',
        'operationTimeout',
        'repairTimeout',
        'rejoinTimeout',
        'lobbyTimeout',
        'closingTimeout',
      ]),
  ],
  'mcu-session': [(config) => withUnits(config, ['activationTimeout'])],
  'failover-detector': [
    (config) =>
      withUnits(config, [
        'heartbeatTimeout',
        'confirmation',
        'routeSilence',
        'phiAcceptablePause',
        'phiMinimumDeviation',
        'failoverWindow',
        'probeInterval',
      ]),
  ],
  'route-healer': [(config) => withUnits(config, ['period', 'attemptTimeout', 'horizon'])],
  'give-up-timer': [(config) => withUnits(config, ['giveUpAfter', 'mediaEnded', 'tick'])],
  'fault-injector': [(config) => config],
};

/** An endpoint always had port 5060, until an empty one came to mean what DNS says. */
function withPort(config: NodeConfig): NodeConfig {
  return { ...config, port: config.port ?? '5060' };
}

/** A duration without a unit has always counted in milliseconds. */
function withUnits(config: NodeConfig, durations: readonly string[]): NodeConfig {
  const units = durations
    .filter((duration) => config[duration] !== undefined)
    .map((duration) => [`${duration}Unit`, config[`${duration}Unit`] ?? 'ms']);
  return { ...config, ...Object.fromEntries(units) };
}

/** A type of node whose configuration has versions. */
export type ConfiguredType = keyof typeof migrations;

/** The version of configuration that the dialog of a type saves today. */
export function configVersionOf(type: ConfiguredType): number {
  return migrations[type].length;
}

/** The version of a saved configuration; 0 where none is saved. */
function savedVersion({ configVersion }: NodeConfig): number {
  const version = Number(configVersion);
  return Number.isSafeInteger(version) && version > 0 ? version : 0;
}

/**
 * A configuration of today's version, from one of this or any older version. One of a newer version is given back as it is:
 * what is known of it counts; see `complaintAboutVersion`.
 */
export function migrateConfig(type: ConfiguredType, config: NodeConfig): NodeConfig {
  const version = savedVersion(config);
  const steps = migrations[type].slice(version);
  if (steps.length === 0) return config;
  return { ...steps.reduce((migrated, step) => step(migrated), config), configVersion: configVersionOf(type) };
}

/** What is wrong with the version of a configuration, in one line; null when nothing is. */
export function complaintAboutVersion(type: ConfiguredType, config: NodeConfig): string | null {
  const version = savedVersion(config);
  const known = configVersionOf(type);
  if (version <= known) return null;
  return (
    `newer configuration: this ${type} was saved by a newer version of @conference-recovery/node-red (configuration ` +
    `version ${version}, known up to ${known}). Update the pack, or open the node, check it, and press Done.`
  );
}
