/** What a node needs of the Node-RED that it lives in. */
import { createHash } from 'node:crypto';
import { hostname } from 'node:os';
import { resolve } from 'node:path';
import type { Node, NodeAPI } from 'node-red';
import type { Source } from '../recovery/messages';
import { migrate } from '../recovery/migrations';
import type { MachineState } from '../recovery/step';
import { complaintAboutVersion } from './config-versions';
import { evaluatorOf } from './configuration';
import { deploymentsOf, keyOf } from './deployment';
import type { Context } from './keeping/context-keeper';
import { ownRecord } from './keeping/keeper';
import { keeperFor } from './keeping/keepers';
import type { Surroundings } from './lasting-node';
import { complaintAboutUnset, type NodeConfig, readerOf, textOf } from './settings';

/** Where the catalogues have the words of statuses. */
const words = '@conference-recovery/node-red/conference-endpoint:conference-endpoint.shared.status';

/** The surroundings of a node. */
export function surroundingsOf(RED: NodeAPI, node: Node, config: NodeConfig, source: Source): Surroundings {
  const keepState = textOf(config, 'keepState', 'none');
  return {
    complaint: complaintAbout(source, config),
    readerOf: (property) => readerOf(config, property, evaluatorOf(RED, node)),
    translate: (key, figures) => RED._(`${words}.${key}`, figures),
    deployments: deploymentsOf(RED),
    owner: ownerIn(userDirOf(RED)),
    keepState,
    makeKeeper: (report) => {
      // Asking for the context of a node makes one.
      if (keepState === 'none') return null;
      const { contextStorage } = RED.settings as { contextStorage?: unknown };
      return keeperFor(keepState, {
        node: keyOf(node),
        userDir: userDirOf(RED),
        context: node.context() as unknown as Context,
        contextStorage,
        migrate: (state) => migrated(source, state),
        report,
        log: (text) => node.warn(text),
      });
    },
  };
}

function complaintAbout(source: Source, config: NodeConfig): Surroundings['complaint'] {
  const version = complaintAboutVersion(source, config);
  if (version !== null) return { text: version, words: ['newerConfiguration'] };
  const unset = complaintAboutUnset(config);
  return unset && { text: unset.text, words: ['notSet', { name: unset.name }] };
}

function userDirOf({ settings }: NodeAPI): string {
  return (settings as { userDir?: string } | undefined)?.userDir ?? '.';
}

function ownerIn(userDir: string): string {
  return `${hostname()}/${createHash('sha256').update(resolve(userDir)).digest('hex').slice(0, 8)}`;
}

/** Throws an Error that says what is wrong with a state which is none. */
function migrated(source: Source, state: MachineState): { state: MachineState } | { newer: true } {
  // The numbering of a node's facts, which is no machine's.
  if (state.conference === ownRecord) return { state };
  const read = migrate(source, state);
  if ('unusable' in read) throw new Error(read.unusable);
  return 'state' in read ? read : { newer: true };
}
