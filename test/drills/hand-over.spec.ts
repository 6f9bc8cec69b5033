/** The example of a hand-over, in two Node-REDs with a real MQTT broker between them. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { OperationCompleted, OperationFailed, StateChanged } from '../../nodes/recovery/messages';
import { Drill, type FlowNode } from '../package/drill';
import { Mosquitto, skipWithoutMosquitto } from '../support/mosquitto';
import { packageRoot } from '../support/node-red-process';
import { OutsideFocus } from './outside-focus';

/** What we promise, in ms: from the wish until the new owner has done something in the conference. */
const handOverMs = 2_000;

describe('drill: hand-over by snapshots over MQTT', function () {
  this.timeout(120_000);
  let broker: Mosquitto;
  let focus: OutsideFocus;
  const drills: Drill[] = [];
  /** Joins and leaves that the Focus has seen. */
  const seen: string[] = [];

  before(function () {
    skipWithoutMosquitto(this);
  });

  beforeEach(async () => {
    seen.length = 0;
    broker = await Mosquitto.start();
    focus = await new OutsideFocus(({ effect }) => {
      if (effect === 'join' || effect === 'leave') seen.push(effect);
    }).start();
  });

  afterEach(async () => {
    for (const drill of drills.splice(0)) await drill.stop();
    await focus?.stop();
    await broker?.stop();
  });

  const start = async (): Promise<Drill> => {
    const example = JSON.parse(readFileSync(join(packageRoot, 'examples/hand-over.json'), 'utf8')) as FlowNode[];
    const ports: { [type: string]: number } = { 'mqtt-broker': broker.port, 'conference-endpoint': focus.port };
    const drill = await Drill.start(
      example.map((node) => (node.type in ports ? { ...node, port: String(ports[node.type]) } : node)),
    );
    drills.push(drill);
    return drill;
  };

  /** Presses the button of an inject node. */
  const press = (drill: Drill, name: string): void => {
    const button = drill.flow.find((node) => node.type === 'inject' && node.name === name);
    drill.nodeRed.ask(button?.id ?? '', '');
  };

  /** Waits until one has heard, over MQTT, of the conference being held in an epoch. */
  const hears = (drill: Drill, epoch: number) =>
    drill.nodeRed.waitFor(({ type, payload }) => {
      const { result } = payload as { result?: { epoch: number; state: { phase: string } } };
      return type === 'mqtt in' && result?.epoch === epoch && result.state.phase === 'Connected';
    });

  /** Takes the conference over, locks it, and says how long that took, in ms. */
  const takeOver = async (drill: Drill, epoch: number): Promise<number> => {
    drill.mark();
    const since = Date.now();
    press(drill, 'take over');
    const restored = await drill.next<OperationCompleted>({ event: 'operation-completed', operation: 'restore' });
    assert.equal((restored.result as { epoch: number }).epoch, epoch);
    press(drill, 'lock');
    await drill.next<OperationCompleted>({ event: 'operation-completed', operation: 'lock' });
    return Date.now() - since;
  };

  const refused = async (drill: Drill, command: string): Promise<void> => {
    drill.mark();
    drill.ask('conference-session', command);
    const { error } = await drill.next<OperationFailed>({ event: 'operation-failed', operation: command });
    assert.equal(error.code, 'StaleOwner', command);
  };

  const stoodDown = (drill: Drill) => drill.next<StateChanged>({ event: 'state-changed', reason: 'StoodDown' });

  it('in less than 2 s, there and back; the old owner stands down without a BYE, and refuses commands', async () => {
    const [one, other] = [await start(), await start()];
    press(one, 'join');
    await one.session('Connected');
    await hears(other, 1);
    await refused(other, 'lock');

    one.mark();
    const thereMs = await takeOver(other, 2);
    await stoodDown(one);
    for (const command of ['lock', 'join']) await refused(one, command);

    await hears(one, 2);
    other.mark();
    const backMs = await takeOver(one, 3);
    await refused(other, 'lock');
    console.log(`      there in ${thereMs} ms, back in ${backMs} ms`);
    assert.ok(thereMs < handOverMs, `there in ${thereMs} ms`);
    assert.ok(backMs < handOverMs, `back in ${backMs} ms`);
    assert.deepEqual(seen, ['join'], 'one INVITE, no BYE');

    one.mark();
    press(one, 'terminate');
    await one.session('Disconnected');
    assert.deepEqual(seen, ['join', 'leave']);
    for (const drill of [one, other]) drill.check();
  });

  it('also from one that was killed', async () => {
    const [one, other] = [await start(), await start()];
    press(one, 'join');
    await one.session('Connected');
    await hears(other, 1);
    await one.nodeRed.stop('SIGKILL');
    const tookMs = await takeOver(other, 2);
    assert.ok(tookMs < handOverMs, `in ${tookMs} ms`);
    assert.deepEqual(seen, ['join']);
    other.check();
  });
});
