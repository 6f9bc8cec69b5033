/** What a node needs of the Node-RED that it lives in. */
import type { Node, NodeAPI } from 'node-red';
import type { Source } from '../recovery/messages';
import { deploymentsOf } from './deployment';
import type { Surroundings } from './lasting-node';
import { type NodeConfig, textOf } from './settings';

/** The surroundings of a node. */
export function surroundingsOf(RED: NodeAPI, node: Node, config: NodeConfig, source: Source): Surroundings {
  const keepState = textOf(config, 'keepState', 'none');
  return { deployments: deploymentsOf(RED), keepState, makeKeeper: () => null };
}
