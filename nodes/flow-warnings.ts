/** Warnings about the flow itself: this half writes what the rules find into the log, the other shows it in the editor. */
import type { NodeAPI } from 'node-red';
import type { FlowNode } from './flow-rules/places';
import { type Finding, findingsIn } from './flow-rules/rules';

/** Node-RED's event of a start of the flows, and what a line of its log may say about a node. */
interface FlowsStarted {
  config: { flows: readonly FlowNode[] };
}
type Log = { log(line: { level: number; id: string; type: string; name: unknown; z: unknown; msg: string }): void };

const texts = '@conference-recovery/node-red/conference-recovery-flow-warnings:flow-warnings.rule';

export = (RED: NodeAPI): void => {
  /** What the flows that run have been warned of. */
  let warned: ReadonlySet<string> = new Set();

  RED.events.on('flows:started', ({ config: { flows } }: FlowsStarted) => {
    const findings = findingsIn(flows).filter(({ off }) => !off);
    const before = warned;
    warned = new Set(findings.map(keyOf));
    for (const finding of findings) if (!before.has(keyOf(finding))) warn(finding, flows);
  });

  function warn({ rule, node, figures }: Finding, flows: readonly FlowNode[]): void {
    const about = flows.find(({ id }) => id === node);
    const [message, remedy] = ['message', 'remedy'].map((part) => RED._(`${texts}.${rule}.${part}`, figures));
    (RED.log as unknown as Log).log({
      level: RED.log.WARN,
      id: node,
      type: about?.type ?? '',
      name: about?.name,
      z: about?.z,
      msg: `${message} ${remedy} (${rule})`,
    });
  }
};

function keyOf({ rule, node }: Finding): string {
  return `${rule} ${node}`;
}
