import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sinon from 'sinon';
import type { Endpoint } from '../../nodes/signaling/endpoint';
import { CONFERENCE, canonical, Flow, type FlowNode, type Loose } from '../support/flow';

/** The canonical flow, whose nodes keep their state. */
function keeping(keepState: string, overrides = {}): FlowNode[] {
  return canonical(overrides).map((node) => (/tab|sink/.test(node.type) ? node : { ...node, keepState }));
}

for (const keepState of ['journal', 'journal-fsync', 'context:kept']) {
  describe(`a restart, with state kept in ${keepState}`, () => {
    let flow: Flow;
    let userDir: string;

    const load = async (overrides = {}): Promise<void> => {
      const contextStorage = {
        default: { module: 'memory' },
        kept: { module: 'localfilesystem', config: { dir: userDir } },
      };
      flow = await Flow.load(keeping(keepState, overrides), { settings: { userDir, contextStorage } });
    };

    /** Restarts, and gives what left since. */
    const restart = async (): Promise<void> => {
      flow.mark();
      await flow.restart();
    };

    const status = (): Loose => flow.node('endpoint').endpoint.pool.status(CONFERENCE);

    beforeEach(() => {
      userDir = mkdtempSync(join(tmpdir(), 'conference-recovery-'));
    });

    afterEach(async () => {
      await flow.unload();
      rmSync(userDir, { recursive: true, force: true });
    });

    it('Connected, in a call, with an operation pending: all goes on but the operation (PER-2 MSG-3)', async () => {
      await load();
      await flow.join();
      await flow.call();
      const { seq } = flow
        .since()
        .filter(({ source }) => source === 'conference-session')
        .at(-1);
      flow.ask('session', { command: 'lock' });
      await restart();
      const { error } = await flow.waitFor(({ event }) => event === 'operation-failed', 'failed');
      assert.equal(error.code, 'SessionRetrying');
      const [first, ...others] = flow.since().filter(({ source }) => source === 'conference-session');
      assert.equal(`${first.event} ${first.state} ${first.restored}`, 'session-status Connected true');
      assert.ok(first.seq > seq);
      assert.ok(others.every(({ restored }) => restored !== true));
      await flow.waitFor(({ purpose, status }) => purpose === 'refresh' && status === 200, 'resumed');
      assert.equal(status().calls.length, 1);
      assert.equal(status().placement, 'conference');
      assert.deepEqual(flow.states(), []);
      assert.deepEqual(flow.since('call-state-changed'), []);
      assert.equal(await flow.askAndWait('audio-video', 'hang-up'), undefined);
      assert.equal(await flow.askAndWait('session', { command: 'lock' }), undefined);
      assert.equal(await flow.askAndWait('session', 'terminate'), undefined);
    });

    it('a conference that nobody had joined is told of, and can be (PER-6)', async () => {
      await load();
      await restart();
      const told = await flow.waitFor(({ event }) => event === 'session-status', 'told of');
      assert.equal(told.state, 'Idle');
      await flow.join();
    });

    it('Connecting: the join has failed, as retryable (PER-2)', async () => {
      await load({ endpoint: { latency: '200' } });
      flow.ask('session', 'join');
      await flow.waitFor(({ state }) => state === 'Connecting', 'Connecting');
      await restart();
      const { error } = await flow.waitFor(({ operation }) => operation === 'join', 'failed');
      assert.equal(error.code, 'SessionRetrying');
      assert.deepEqual(flow.states(), ['Connecting → Idle, JoinFailed']);
      flow.mark();
      await flow.join();
    });

    it('InLobby: it goes on waiting, and is let in (PER-2)', async () => {
      await load();
      await flow.askAndWait('injector', 'place-in-lobby');
      flow.ask('session', 'join');
      await flow.waitFor(({ state }) => state === 'InLobby', 'InLobby');
      await restart();
      flow.ask('injector', 'admit');
      await flow.waitFor(({ reason }) => reason === 'Admitted', 'Admitted');
    });

    it('the route is being healed: it goes on, in the same outage (PER-2 PER-6)', async () => {
      await load();
      await flow.join();
      flow.ask('injector', { command: 'break-hop', how: 'refuse' });
      const { incident } = await flow.waitFor(({ event }) => event === 'give-up-armed', 'armed');
      await restart();
      flow.ask('injector', 'restore-hop');
      const healed = await flow.waitFor(({ reason }) => reason === 'RouteHealed', 'RouteHealed');
      assert.equal(healed.incident, incident);
    });

    it('the Focus is failing over: it is re-joined, once (PER-2 PER-3 FE-11)', async () => {
      await load({ endpoint: { failoverDelay: '600' } });
      await flow.join();
      flow.ask('injector', 'kill-front-end');
      flow.ask('session', { command: 'lock' });
      await flow.waitFor(({ state }) => state === 'Reconnecting', 'Reconnecting');
      await restart();
      const effects = flow.effectsOf();
      await flow.waitFor(({ reason }) => reason === 'Rejoined', 'Rejoined');
      assert.equal(effects.filter(({ effect }) => effect === 'join').length, 1);
    });

    it('the one re-join waits for its turn: it is sent, once (PER-2 PER-3 FE-11 O2)', async () => {
      await load();
      await flow.join();
      const { recoveries } = flow.node('endpoint').endpoint as Endpoint;
      const turn = sinon.stub(recoveries, 'turn');
      flow.ask('injector', 'kill-front-end');
      flow.ask('session', { command: 'lock' });
      await flow.until(() => turn.called, 'waiting');
      await restart();
      const effects = flow.effectsOf();
      await flow.waitFor(({ reason }) => reason === 'Rejoined', 'Rejoined');
      assert.equal(effects.filter(({ effect }) => effect === 'join').length, 1);
    });

    it('the one re-join is under way: it is not sent again, and the session ends (PER-3)', async () => {
      await load({ endpoint: { latency: '100' } });
      await flow.join();
      flow.ask('injector', 'kill-front-end');
      flow.ask('session', { command: 'lock' });
      const effects = flow.effectsOf();
      await flow.until(() => effects.some(({ effect }) => effect === 'join'), 'the re-join');
      await restart();
      const afterwards = flow.effectsOf();
      await flow.waitFor(({ reason, state }) => reason === 'RejoinFailed' && state === 'Disconnected', 'ended');
      assert.ok(!afterwards.some(({ effect }) => effect === 'join'));
    });

    it('Disconnecting: it ends (PER-2)', async () => {
      await load();
      await flow.join();
      await flow.askAndWait('injector', { command: 'break-hop', how: 'silent' });
      flow.ask('session', 'terminate');
      await flow.waitFor(({ state }) => state === 'Disconnecting', 'Disconnecting');
      await restart();
      await flow.waitFor(({ state, mcu }) => state === 'Disconnected' && !mcu, 'Disconnected');
    });

    it('a deadline that has passed meanwhile fires once (PER-1 PER-2 GU-7)', async () => {
      await load({ 'give-up': { giveUpAfter: '300', giveUpAfterUnit: 'ms' } });
      await flow.join();
      flow.ask('injector', { command: 'break-hop', how: 'refuse' });
      const { deadlineAt } = await flow.waitFor(({ event }) => event === 'give-up-armed', 'armed');
      await flow.stop();
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, Date.parse(deadlineAt) - Date.now())));
      await restart();
      await flow.waitFor(({ reason, state }) => reason === 'GaveUp' && state === 'Disconnected', 'gave up');
      assert.equal(flow.since('gave-up').length, 1);
    });

    it('a node that was deleted has forgotten its state (PER-4)', async () => {
      await load();
      await flow.join();
      const nodes = keeping(keepState);
      await flow.deploy(
        nodes.filter(({ id }) => id !== 'session'),
        'full',
      );
      await flow.deploy(nodes, 'full');
      await restart();
      const told = await flow.waitFor(({ event }) => event === 'session-status', 'told of');
      assert.equal(told.state, 'Idle');
    });
  });
}
