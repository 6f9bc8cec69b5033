/** The nodes of a flow as they run: subflows are unrolled, and what is disabled is left out. */

/** A node as Node-RED saves it, with what is known of every type. Flow files may be written by hand, so nothing is sure. */
export interface FlowNode {
  readonly id: string;
  readonly type: string;
  /** The tab or subflow that it is on. */
  readonly z?: string;
  readonly [setting: string]: unknown;
}

/** A node that runs: as often as its subflow is used. */
export interface Place {
  /** The ids of the instances of subflows that it is in, and its own, joined by slashes. */
  readonly path: string;
  readonly node: FlowNode;
  /** The instances of subflows that it is in, the outermost first. */
  readonly within: readonly FlowNode[];
  /** Paths of what is wired to it, by output; the way into an instance of a subflow is its only output. */
  readonly wires: readonly (readonly string[])[];
  /** Is it such an instance, which passes on what enters it? */
  readonly isInstance: boolean;
}

/** Where a wire inside of a subflow begins. */
interface End {
  readonly id: string;
  readonly port?: number;
}

const typeOfInstance = 'subflow:';

/** All nodes that run, by path, in the order of the flow. */
export function placesOf(nodes: readonly FlowNode[]): ReadonlyMap<string, Place> {
  const places = new Map<string, Place>();
  const inside = new Map<unknown, FlowNode[]>();
  for (const node of nodes) {
    const others = inside.get(node.z);
    if (others) others.push(node);
    else inside.set(node.z, [node]);
  }
  const subflows = new Map(nodes.filter(({ type }) => type === 'subflow').map((node) => [node.id, node]));

  /** `exits`: what is wired to the outputs of the subflow, by `<id>:<port>` of the node inside. */
  function unroll(z: string, prefix: string, within: readonly FlowNode[], exits: ReadonlyMap<string, string[]>): void {
    for (const node of inside.get(z) ?? []) {
      if (node.d === true) continue;
      const path = prefix + node.id;
      const wires = listOf<string[]>(node.wires).map((targets, port) => [
        ...listOf<string>(targets).map((target) => prefix + target),
        ...(exits.get(`${node.id}:${port}`) ?? []),
      ]);
      const subflow = subflows.get(String(node.type).slice(typeOfInstance.length));
      const isInstance = node.type === typeOfInstance + subflow?.id;
      // Node-RED refuses a subflow that holds itself.
      if (!subflow || !isInstance || within.some(({ type }) => type === node.type)) {
        places.set(path, { path, node, within, wires, isInstance: false });
        continue;
      }
      const leaving = exitsOf(subflow, wires);
      const entrance = endsOf(subflow.in)
        .flat()
        .map(({ id }) => `${path}/${id}`);
      places.set(path, {
        path,
        node,
        within,
        wires: [[...entrance, ...(leaving.get(`${subflow.id}:0`) ?? [])]],
        isInstance,
      });
      unroll(subflow.id, `${path}/`, [...within, node], leaving);
    }
  }

  for (const { id, type, disabled } of nodes) if (type === 'tab' && disabled !== true) unroll(id, '', [], new Map());
  return places;
}

function exitsOf(subflow: FlowNode, wires: readonly string[][]): Map<string, string[]> {
  const exits = new Map<string, string[]>();
  for (const [output, ends] of endsOf(subflow.out).entries()) {
    for (const { id, port = 0 } of ends) {
      const from = `${id}:${port}`;
      exits.set(from, [...(exits.get(from) ?? []), ...(wires[output] ?? [])]);
    }
  }
  return exits;
}

/** What the inputs or outputs of a subflow are wired to inside of it. */
function endsOf(ports: unknown): End[][] {
  return listOf<{ wires?: unknown }>(ports).map((port) => listOf<End>(port.wires));
}

/** A list, or none. */
export function listOf<Item>(value: unknown): Item[] {
  return Array.isArray(value) ? value : [];
}
