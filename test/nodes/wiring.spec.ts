import assert from 'node:assert/strict';
import { canonical, Flow, type FlowNode } from '../support/flow';

/** The canonical flow with every output of every node wired to every input, its own included. */
function everythingToEverything(): FlowNode[] {
  const nodes = canonical();
  const inputs = nodes.filter(({ type, wires }) => type !== 'sink' && wires).map(({ id }) => id);
  return nodes.map((node) =>
    inputs.includes(node.id) ? { ...node, wires: node.wires?.map(() => inputs) ?? [] } : node,
  );
}

/** More messages than this are a loop: the drill below takes about two hundred. */
const runaway = 1_000;

describe('any output wired to any input', () => {
  let flow: Flow;
  afterEach(() => flow.unload());

  it('is harmless for a whole drill: no error, no runaway, and all is recovered from (MSG-7)', async () => {
    flow = await Flow.load(everythingToEverything());
    await flow.join();
    await flow.call();

    flow.mark();
    flow.ask('injector', 'kill-front-end');
    flow.ask('session', { command: 'lock' });
    await flow.waitFor(({ state }) => state === 'Connected', 'Connected after the failover');
    await flow.until(() => flow.since('state-changed').filter(({ state }) => state === 'Active').length === 2);
    assert.deepEqual(flow.states(), [
      'Connected → Reconnecting (rejoining), FocusFailover',
      'Reconnecting → Connected, Rejoined',
    ]);

    flow.mark();
    flow.ask('injector', { command: 'roll-over-mcu', mcu: 'audio-video' });
    await flow.waitFor(({ event }) => event === 'call-available', 'call-available');
    await flow.call();
    assert.deepEqual(flow.states(), []);

    flow.mark();
    flow.ask('injector', { command: 'break-hop', how: 'refuse' });
    await flow.until(() => flow.since('heal-attempted').length >= 2, 'two attempts');
    flow.ask('injector', 'restore-hop');
    await flow.waitFor(({ state }) => state === 'Connected', 'Connected after the hop is back');
    assert.deepEqual(flow.states(), [
      'Connected → Reconnecting (recovering), RouteBroken',
      'Reconnecting → Connected, RouteHealed',
    ]);
    assert.deepEqual(
      flow.since('route-status-changed').map(({ status }) => status),
      ['Recovering', 'Healthy'],
    );

    flow.mark();
    flow.ask('injector', { command: 'break-hop', how: 'refuse' });
    await flow.waitFor(({ event }) => event === 'give-up-armed', 'armed');
    flow.ask('give-up', 'give-up');
    await flow.waitFor(({ state, mcu }) => state === 'Disconnected' && !mcu, 'Disconnected');
    await flow.waitFor(({ event }) => event === 'give-up-cancelled' || event === 'gave-up', 'gave up');
    assert.equal(flow.since('terminate').length, 1);

    assert.deepEqual(flow.takeErrors(), []);
    assert.ok(flow.sent.length < runaway, `${flow.sent.length} messages`);
  });

  it('what was heard by everybody does not go on by itself (MSG-7)', async () => {
    flow = await Flow.load(everythingToEverything());
    await flow.join();
    flow.mark();
    // A message that went in a circle would still be going when the answer to a later request is there.
    for (let round = 0; round < 20; round += 1) await flow.ask('session', { command: 'lock' }).done;
    assert.ok(flow.since().length <= 3 * 20, `${flow.since().length} messages`);
  });
});
