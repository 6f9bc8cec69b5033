/** The configuration of a node as its code reads it: of today's version, with the values of environment variables. */
import type { Node, NodeAPI, NodeDef } from 'node-red';
import { type ConfiguredType, migrateConfig } from './config-versions';
import { type Evaluate, type NodeConfig, withEnvironment } from './settings';

/** Evaluates what typed inputs of a node name. */
export function evaluatorOf({ util }: NodeAPI, node: Node): Evaluate {
  return (name, type, message) => util.evaluateNodeProperty(name, type, node, message);
}

/** The configuration of a node. */
export function configurationOf(RED: NodeAPI, node: Node, type: ConfiguredType, config: NodeDef): NodeConfig {
  return withEnvironment(migrateConfig(type, config as unknown as NodeConfig), evaluatorOf(RED, node));
}
