/** How nodes find the endpoint that their dialog names. */
import type { Node, NodeAPI } from 'node-red';
import type { Endpoint } from './endpoint';
import { type NodeConfig, textOf } from './settings';

/** A conference-endpoint node, as other nodes see it. */
export interface EndpointNode extends Node {
  endpoint: Endpoint;
}

/** The endpoint chosen in a dialog; null when there is none, or it is no longer there. */
export function endpointOf(RED: NodeAPI, config: NodeConfig): Endpoint | null {
  const node = RED.nodes.getNode(textOf(config, 'endpoint')) as EndpointNode | null;
  return node?.endpoint ?? null;
}
