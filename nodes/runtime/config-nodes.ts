/** How nodes find the config node that their dialog names. */
import type { NodeAPI } from 'node-red';
import { type NodeConfig, textOf } from './settings';

/**
 * What the conference-endpoint chosen in a dialog offers; null when none is chosen, or it is no longer there, and
 * undefined when its settings are wrong.
 */
export function endpointOf<Endpoint>(RED: NodeAPI, config: NodeConfig): Endpoint | null | undefined {
  const node = RED.nodes.getNode(textOf(config, 'endpoint')) as unknown as { endpoint?: Endpoint } | null;
  return node ? node.endpoint : null;
}
