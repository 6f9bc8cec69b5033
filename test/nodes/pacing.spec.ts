/** Re-joins, healing requests and probes of the nodes wait for their turn; who takes it, and when nobody does. */
import assert from 'node:assert/strict';
import sinon from 'sinon';
import type { Endpoint } from '../../nodes/signaling/endpoint';
import { CONFERENCE, canonical, Flow, type Loose } from '../support/flow';

describe('in turn', () => {
  let flow: Flow;
  /** What waits, in the order in which it came. */
  let waiting: (() => void)[];

  afterEach(() => flow.unload());

  const endpoint = (): Endpoint => flow.node('endpoint').endpoint;

  /** From now on, everybody waits until `serve`. */
  function hold(what: 'recoveries' | 'probes' = 'recoveries'): void {
    waiting = [];
    sinon.stub(endpoint()[what], 'turn').callsFake((_, run) => {
      waiting.push(run);
    });
  }

  function serve(): void {
    for (const run of waiting.splice(0)) run();
  }

  /** A flow whose Focus has failed over, and whose re-join waits. */
  async function waitToRejoin(): Promise<Loose[]> {
    flow = await Flow.load(canonical());
    await flow.join();
    hold();
    const effects = flow.effectsOf();
    flow.mark();
    flow.ask('injector', 'kill-front-end');
    flow.ask('session', { command: 'lock' });
    await flow.until(() => waiting.length > 0, 'waiting');
    flow.takeErrors();
    return effects;
  }

  const rejoins = (effects: Loose[]): number => effects.filter(({ effect }) => effect === 'join').length;

  it('a re-join waits in Reconnecting, and leaves when its turn has come (O2 FE-11)', async () => {
    const effects = await waitToRejoin();
    assert.deepEqual(flow.states(), ['Connected → Reconnecting (rejoining), FocusFailover']);
    assert.equal(rejoins(effects), 0);
    serve();
    await flow.waitFor(({ reason }) => reason === 'Rejoined', 'Rejoined');
    assert.equal(rejoins(effects), 1);
    assert.equal(waiting.length, 0);
  });

  it('what is said twice waits once more, and is done once (FE-28)', async () => {
    const effects = await waitToRejoin();
    const [verdict] = flow.since('failover-detected').filter(({ phase }) => phase === 'failed-over');
    flow.ask('session', verdict);
    await flow.until(() => waiting.length === 2, 'both');
    serve();
    await flow.waitFor(({ reason }) => reason === 'Rejoined', 'Rejoined');
    assert.equal(rejoins(effects), 1);
  });

  it('what speaks of another dialog or outage takes no turn from the one that waits (MSG-8)', async () => {
    await waitToRejoin();
    const [verdict] = flow.since('failover-detected').filter(({ phase }) => phase === 'failed-over');
    await flow.askAndWait('session', { ...verdict, dialog: 7 });
    await flow.askAndWait('session', { command: 'heal', dialog: 1, attempt: 1, conference: CONFERENCE });
    assert.equal(waiting.length, 1);
    serve();
    await flow.waitFor(({ reason }) => reason === 'Rejoined', 'Rejoined');
  });

  it('a session that is terminated meanwhile has no turn any more, nor has the next one (MSG-8)', async () => {
    const effects = await waitToRejoin();
    const cancel = sinon.spy(endpoint().recoveries, 'cancel');
    await flow.askAndWait('session', 'terminate');
    assert.ok(cancel.calledWith(CONFERENCE));
    await flow.join();
    serve();
    await flow.askAndWait('session', 'status');
    assert.equal(rejoins(effects), 1, 'the new join');
    assert.equal(flow.states().at(-1), 'Connecting → Connected, Joined');
  });

  it('a session that is deployed anew meanwhile takes its turn (PER-1)', async () => {
    const effects = await waitToRejoin();
    await flow.deploy(canonical({ session: { name: 'another name' } }), 'nodes');
    assert.equal(rejoins(effects), 0);
    serve();
    await flow.waitFor(({ reason }) => reason === 'Rejoined', 'Rejoined');
    assert.equal(rejoins(effects), 1);
  });

  it('so does one whose turn comes while the flow is deployed (PER-1)', async () => {
    const effects = await waitToRejoin();
    const deployed = flow.deploy(canonical({ session: { name: 'another name' } }), 'full');
    serve();
    await deployed;
    await flow.waitFor(({ reason }) => reason === 'Rejoined', 'Rejoined');
    assert.equal(rejoins(effects), 1);
  });

  it('a healing request waits; an answer that comes late for the healer heals all the same (HEAL-3 HEAL-7)', async () => {
    flow = await Flow.load(canonical());
    await flow.join();
    hold();
    const effects = flow.effectsOf();
    flow.mark();
    await flow.askAndWait('injector', { command: 'break-hop', how: 'stale-route' });
    flow.ask('session', { command: 'lock' });
    await flow.waitFor(({ outcome }) => outcome === 'timeout', 'timeout');
    await flow.waitFor(({ state }) => state === 'Reconnecting', 'Reconnecting');
    assert.equal(effects.filter(({ purpose }) => purpose === 'heal').length, 0);
    serve();
    await flow.waitFor(({ reason }) => reason === 'RouteHealed', 'RouteHealed');
    flow.takeErrors();
  });

  it('a probe of a Focus that fails over waits, and a re-join does not wait for one (O2 DET-3)', async () => {
    flow = await Flow.load(canonical({ detector: { failoverWindow: '200', failoverWindowUnit: 'ms' } }));
    await flow.join();
    hold('probes');
    const effects = flow.effectsOf();
    flow.mark();
    flow.ask('injector', 'kill-front-end');
    flow.ask('session', { command: 'lock' });
    await flow.until(() => waiting.length > 0, 'waiting');
    await flow.waitFor(({ reason }) => reason === 'Rejoined', 'Rejoined');
    assert.equal(effects.filter(({ purpose }) => purpose === 'probe').length, 0);
    serve();
    await flow.askAndWait('session', 'status');
    assert.equal(effects.filter(({ purpose }) => purpose === 'probe').length, 0, 'it is not asked for any more');
    flow.takeErrors();
  });

  it('a probe that is to confirm a suspicion does not wait (DET-7)', async () => {
    flow = await Flow.load(canonical());
    await flow.join();
    hold('probes');
    const effects = flow.effectsOf();
    await flow.askAndWait('session', { command: 'probe', dialog: 1, conference: CONFERENCE });
    assert.equal(effects.filter(({ purpose }) => purpose === 'probe').length, 1);
    assert.equal(waiting.length, 0);
  });

  it('another rate renews no port (O2)', async () => {
    flow = await Flow.load(canonical());
    await flow.join();
    const { port } = endpoint();
    const changed = sinon.spy(endpoint(), 'changeRecoveryRate');
    await flow.deploy(canonical({ endpoint: { recoveryRate: '20' } }), 'nodes');
    assert.equal(endpoint().port, port);
    assert.deepEqual(changed.args, [[20]]);
    await flow.deploy(canonical({ endpoint: { recoveryRate: '-3' } }), 'nodes');
    assert.deepEqual(changed.args, [[20], [500]]);
  });
});
