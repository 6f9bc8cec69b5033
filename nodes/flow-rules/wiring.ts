/** Which node of the pack gets what another one says: along wires, links and junctions, and through other nodes. */
import { type FlowNode, listOf, type Place, placesOf } from './places';

/** The nodes of the pack that hear and speak. */
export type PackType =
  | 'conference-session'
  | 'mcu-session'
  | 'failover-detector'
  | 'route-healer'
  | 'give-up-timer'
  | 'fault-injector';

const packTypes: ReadonlySet<string> = new Set<PackType>([
  'conference-session',
  'mcu-session',
  'failover-detector',
  'route-healer',
  'give-up-timer',
  'fault-injector',
]);

/** Nodes of Node-RED that send what they get, if anything, along their wires and nowhere else, and bring nothing from outside. */
const staysInFlow: ReadonlySet<string> = new Set([
  ...['inject', 'debug', 'complete', 'status', 'comment', 'group', 'junction', 'link in', 'link out', 'link call'],
  ...['function', 'switch', 'change', 'range', 'template', 'delay', 'trigger', 'rbe'],
  ...['split', 'join', 'sort', 'batch', 'csv', 'html', 'json', 'xml', 'yaml'],
]);

/** What becomes of what leaves an output. */
export interface Reach {
  /** The nodes of the pack that may get it; they do not pass it on. */
  readonly places: readonly Place[];
  /** May it leave the flow, by a network for instance, and so get anywhere? */
  readonly leaves: boolean;
}

/** The wiring of a flow. */
export class Wiring {
  private readonly places: ReadonlyMap<string, Place>;
  private readonly byType = new Map<string, Place[]>();
  private readonly groups: ReadonlyMap<unknown, FlowNode>;
  private readonly reaches = new Map<string, Reach>();
  /** Who hears some node of a type, by `<type>:<output>`. */
  private readonly hearing = new Map<string, ReadonlySet<Place>>();
  private readonly catches: readonly FlowNode[];
  private readonly fromOutside: ReadonlySet<Place>;

  constructor(nodes: readonly FlowNode[]) {
    this.places = placesOf(nodes);
    for (const place of this.places.values()) {
      const { type } = place.node;
      if (packTypes.has(type)) this.byType.set(type, [...(this.byType.get(type) ?? []), place]);
    }
    this.catches = [...this.places.values()].map(({ node }) => node).filter(({ type }) => type === 'catch');
    this.groups = new Map(nodes.filter(({ type }) => type === 'group').map((node) => [node.id, node]));
    const strangers = [...this.places.values()].filter(
      ({ node: { type }, isInstance }) => !isInstance && !packTypes.has(type) && !staysInFlow.has(type),
    );
    this.fromOutside = new Set(strangers.flatMap(({ wires }) => this.walk(wires.flat(), false).places));
  }

  /** The nodes of one type that run, in the order of the flow. */
  all(type: PackType): readonly Place[] {
    return this.byType.get(type) ?? [];
  }

  /** All nodes of the pack that run, by type. */
  get ours(): Place[] {
    return [...this.byType.values()].flat();
  }

  /** Who may get what leaves an output (0: the first), through whatever nodes it has to pass. */
  reach(from: Place, output: number): Reach {
    return this.remembered(from, output, false);
  }

  /** Who gets all that leaves an output: no node is on the way that could hold it back or change it. */
  directly(from: Place, output: number): readonly Place[] {
    return this.remembered(from, output, true).places;
  }

  /** Does it, as far as one can see here, certainly get nothing of what such nodes say at that output? */
  hearsNothing(place: Place, type: PackType, output: number): boolean {
    const key = `${type}:${output}`;
    const hearing =
      this.hearing.get(key) ?? new Set(this.all(type).flatMap((speaker) => this.reach(speaker, output).places));
    this.hearing.set(key, hearing);
    return !this.fromOutside.has(place) && !hearing.has(place);
  }

  /** Is anything wired to an output? */
  isWired({ wires }: Place, output: number): boolean {
    return (wires[output] ?? []).some((path) => this.places.has(path));
  }

  /** Would some Catch node get the errors of a node? The way Node-RED looks for one: first here, then around the subflow. */
  isCaught({ node, within }: Place): boolean {
    return [node, ...within].some((reporting) =>
      this.catches.some((other) => other.z === reporting.z && this.isInScope(reporting, other)),
    );
  }

  private isInScope(reporting: FlowNode, { scope, g }: FlowNode): boolean {
    if (Array.isArray(scope)) return scope.includes(reporting.id);
    if (scope !== 'group' || g === undefined) return true;
    const seen = new Set<unknown>();
    for (let group = reporting.g; group !== undefined && !seen.has(group); group = this.groups.get(group)?.g) {
      if (group === g) return true;
      seen.add(group);
    }
    return false;
  }

  private remembered(from: Place, output: number, surely: boolean): Reach {
    const key = `${from.path}:${output}:${surely}`;
    const reach = this.reaches.get(key) ?? this.walk(from.wires[output] ?? [], surely);
    this.reaches.set(key, reach);
    return reach;
  }

  private walk(starts: readonly string[], surely: boolean): Reach {
    const paths = new Set(starts);
    const places: Place[] = [];
    let leaves = false;
    // A set that grows while it is read is read to its end.
    for (const path of paths) {
      const place = this.places.get(path);
      if (!place) continue;
      const { node, wires, isInstance } = place;
      if (packTypes.has(node.type)) {
        places.push(place);
        continue;
      }
      const passes = isInstance || node.type === 'junction' || node.type.startsWith('link ');
      if (surely && (!passes || node.type === 'link call')) continue;
      leaves ||= !isInstance && leadsOutside(node);
      for (const next of [...wires.flat(), ...this.linked(place)]) paths.add(next);
    }
    return { places, leaves };
  }

  /** Where a link leads. The ids of links inside of a subflow are those of its nodes. */
  private linked({ path, node }: Place): string[] {
    if (node.type !== 'link out' && node.type !== 'link call') return [];
    const prefix = path.slice(0, path.length - node.id.length);
    return listOf<string>(node.links).map((id) => (this.places.has(prefix + id) ? prefix + id : id));
  }
}

/** The target of a dynamic link is named by the message. */
function leadsOutside({ type, linkType }: FlowNode): boolean {
  return !staysInFlow.has(type) || (type === 'link call' && linkType === 'dynamic');
}
