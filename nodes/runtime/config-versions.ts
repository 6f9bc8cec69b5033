/**
 * Configurations of nodes: how one that an older version of the pack has saved becomes one of today's, version by version.
 * The build puts this file into the dialogs as well, so that a node means the same after somebody has opened it and pressed
 * Done: it must not need any other at run time.
 */
import type { Source } from '../recovery/messages';
import type { NodeConfig } from './settings';

/** Durations by type of node. */
const durations = {
  'conference-endpoint': ['latency', 'failoverDelay', 'mcuFailover', 'mediaTimeout', 'keepAlive'],
  'conference-session': [
    'heartbeat',
    'operationTimeout',
    'repairTimeout',
    'rejoinTimeout',
    'lobbyTimeout',
    'closingTimeout',
  ],
  'mcu-session': ['activationTimeout'],
  'failover-detector': [
    'heartbeatTimeout',
    'confirmation',
    'routeSilence',
    'phiAcceptablePause',
    'phiMinimumDeviation',
    'failoverWindow',
    'probeInterval',
  ],
  'route-healer': ['period', 'attemptTimeout', 'horizon'],
  'give-up-timer': ['giveUpAfter', 'mediaEnded', 'tick'],
  'fault-injector': [],
} as const satisfies { readonly [type in Source | 'conference-endpoint']: readonly string[] };

/** Texts that may come from elsewhere than the dialog, by type of node. */
const texts: { readonly [type in keyof typeof durations]: readonly string[] } = {
  'conference-endpoint': ['uri', 'displayName', 'host'],
  'conference-session': ['conference', 'displayName'],
  'mcu-session': ['conference'],
  'failover-detector': ['conference'],
  'route-healer': ['conference'],
  'give-up-timer': ['conference'],
  'fault-injector': ['conference'],
};

/** The first leads from version 0 (no `configVersion`) to version 1, and so on. */
const migrations: readonly ((type: ConfiguredType, config: NodeConfig) => NodeConfig)[] = [
  (type, config) => withUnits(type === 'conference-endpoint' ? withPort(config) : config, durations[type]),
  (type, config) => withTypes(withTypes(config, durations[type], 'num'), texts[type], 'str'),
];

/** An endpoint always had port 5060, until an empty one came to mean what DNS says. */
function withPort(config: NodeConfig): NodeConfig {
  return { ...config, port: config.port ?? '5060' };
}

/** A duration without a unit has always counted in milliseconds. */
function withUnits(config: NodeConfig, properties: readonly string[]): NodeConfig {
  return withBeside(config, properties, 'Unit', 'ms');
}

/** Values were always those of the dialog itself, until they came to be taken from elsewhere as well. */
function withTypes(config: NodeConfig, properties: readonly string[], type: 'num' | 'str'): NodeConfig {
  return withBeside(config, properties, 'Type', type);
}

/** With a property of another name for each of some that there are, unless there is one. */
function withBeside(config: NodeConfig, properties: readonly string[], ending: string, value: string): NodeConfig {
  const beside = properties
    .filter((property) => config[property] !== undefined)
    .map((property) => [`${property}${ending}`, config[`${property}${ending}`] ?? value]);
  return { ...config, ...Object.fromEntries(beside) };
}

/** A type of node whose configuration has versions. */
export type ConfiguredType = keyof typeof durations;

/** The version of configuration that the dialogs save today. */
export const configVersion = migrations.length;

/** The version of a saved configuration; 0 where none is saved. */
function savedVersion(config: NodeConfig): number {
  const version = Number(config.configVersion);
  return Number.isSafeInteger(version) && version > 0 ? version : 0;
}

/**
 * A configuration of today's version, from one of this or any older version. One of a newer version is given back as it is:
 * what is known of it counts; see `complaintAboutVersion`.
 */
export function migrateConfig(type: ConfiguredType, config: NodeConfig): NodeConfig {
  const steps = migrations.slice(savedVersion(config));
  if (steps.length === 0) return config;
  return { ...steps.reduce((migrated, step) => step(type, migrated), config), configVersion };
}

/** What is wrong with the version of a configuration, in one line; null when nothing is. */
export function complaintAboutVersion(type: ConfiguredType, config: NodeConfig): string | null {
  const version = savedVersion(config);
  if (version <= configVersion) return null;
  return (
    `newer configuration: this ${type} was saved by a newer version of @conference-recovery/node-red (configuration ` +
    `version ${version}, known up to ${configVersion}). Update the pack, or open the node, check it, and press Done.`
  );
}
