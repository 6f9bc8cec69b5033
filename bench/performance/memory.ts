/** P3: what a conference takes of the heap, beside a record that a function node keeps in its context. */
import {
  conferenceAt,
  inBatches,
  joinAll,
  mcuNode,
  offerStillEndpoint,
  pump,
  sessionNode,
  singly,
  stillEndpoint,
} from './conferences';
import { type EmbeddedNodeRed, type FlowNode, startNodeRed } from './embedded';
import { heapUsed, type Line, type Scale } from './line';

const conferences = { full: 100_000, quick: 4_000 };
const mcus = ['audio-video', 'chat', 'app-sharing'];

const contextNode: FlowNode = {
  id: 'context',
  type: 'function',
  func: "context.set(msg.topic, { state: 'Connected', since: Date.now(), attempts: 0 });\nreturn msg;",
  outputs: 1,
  wires: [['results']],
};

/** Bytes per conference that are there after `fill`, and were not there before. */
async function bytesOf(
  red: EmbeddedNodeRed,
  nodes: readonly FlowNode[],
  count: number,
  fill: () => Promise<unknown>,
): Promise<number> {
  await red.deploy([...nodes, { id: 'results', type: 'bench', wires: [] }]);
  const before = heapUsed();
  await fill();
  // What is shown and told a little later is no part of it.
  await new Promise((done) => setTimeout(done, 500));
  return (heapUsed() - before) / count;
}

export async function run(scale: Scale): Promise<Line[]> {
  const count = conferences[scale];
  const red = await startNodeRed();
  offerStillEndpoint(red);
  const session = sessionNode([[], [], ['results'], ['results'], []]);
  const join = () => joinAll(red, count, 'results');
  const record = await bytesOf(red, [contextNode], count, () => {
    const messages = singly(Array.from({ length: count }, () => null)).map((message, index) => ({
      ...message,
      topic: conferenceAt(index),
    }));
    return pump(red, 'context', messages, 'results', count);
  });
  const withMcus = [stillEndpoint(5), session, ...mcus.map((mcu) => mcuNode(mcu))];
  const whole = await bytesOf(red, withMcus, count, join);
  const joined = await bytesOf(red, [stillEndpoint(0), session], count, join);
  const idle = await bytesOf(red, [stillEndpoint(0), session], count, () => {
    const asked = Array.from({ length: count }, (_, index) => ({ command: 'status', conference: conferenceAt(index) }));
    return pump(red, 'session', inBatches(asked, 100), 'results', count);
  });
  await red.stop();
  const line = (id: string, what: string, goal: number, figure: number): Line => ({
    id,
    what: `heap of each of ${count.toLocaleString('en')} conferences, ${what}`,
    goal,
    unit: 'B',
    figure,
    reference: 'record in the context of a function node',
    referenceFigure: record,
    lowerIsBetter: true,
  });
  return [
    line('P3a', 'with 3 MCU sessions and 5 participants', 2_000, whole),
    line('P3b', 'idle: known, and not joined', 500, idle),
    line('P3c', 'joined, alone and without MCU sessions', 1_000, joined),
  ];
}
