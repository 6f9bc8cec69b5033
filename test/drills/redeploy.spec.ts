/**
 * Deployments of a real Node-RED by its HTTP API, as the editor does them, in every state of a session: on the embedded
 * pool, and on SIP, through Kamailio, where what is sent can be counted.
 */
import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import type {
  CallStateChanged,
  GiveUpArmed,
  HealAttempted,
  JsonObject,
  OperationCompleted,
  PolicyStatus,
  StateChanged,
} from '../../nodes/recovery/messages';
import { Drill, type FlowNode, flowWith, merge, quick } from '../package/drill';
import type { DeploymentType } from '../support/node-red-process';
import { KamailioEdge, KamailioFocus, peersTimeoutMs, skipWithoutPeers } from '../support/peers';

describe('drill: deployments on SIP', function () {
  this.timeout(120_000);
  let focus: KamailioFocus;
  let edge: KamailioEdge;
  let drill: Drill;
  let flow: FlowNode[];
  let deployments = 0;

  before(async function () {
    this.timeout(peersTimeoutMs);
    skipWithoutPeers(this);
    focus = await new KamailioFocus().start();
    edge = await new KamailioEdge(focus.port).start();
    const endpoint = {
      system: 'sip',
      uri: 'sip:node-red@example.com',
      host: '127.0.0.1',
      port: String(edge.port),
      transport: 'tcp',
      commands: 'cccp',
    };
    const settings = { 'conference-endpoint': endpoint, 'conference-session': { heartbeat: '0', rejoinTimeout: '30' } };
    flow = flowWith(merge(quick, settings), `sip:daily@127.0.0.1:${focus.port}`).filter(
      // Of no use here, as it says at every deployment.
      ({ type }) => type !== 'fault-injector',
    );
    drill = await Drill.start(flow);
  });

  after(async () => {
    await drill?.stop();
    await edge?.stop();
    await focus?.stop();
  });

  /** Deploys the flow with another name in each node, so that none stays as it is. */
  const deploy = async (type: DeploymentType): Promise<void> => {
    deployments += 1;
    const renamed = flow.map((node) => (node.type === 'tab' ? node : { ...node, name: `deployment ${deployments}` }));
    await drill.nodeRed.deploy(renamed, type);
  };

  /** What we have sent, as the hop has counted it: over TCP, so that nothing is there twice. */
  const requests = async (): Promise<{ invites: number; byes: number }> => ({
    invites: await edge.requests('INVITE'),
    byes: await edge.requests('BYE'),
  });

  const call = async (): Promise<void> => {
    drill.ask('mcu-session', { command: 'call', media: ['audio'] }, 'audio-video');
    await drill.next<CallStateChanged>({ event: 'call-state-changed', mcu: 'audio-video', state: 'Established' });
  };

  const result = async (command: string): Promise<unknown> => {
    drill.mark();
    drill.ask('conference-session', command);
    const answer = await drill.next<OperationCompleted>({ event: 'operation-completed', operation: command });
    return answer.result;
  };

  const policy = async (type: string, event: PolicyStatus['event']): Promise<JsonObject> => {
    drill.mark();
    drill.ask(type, 'status');
    return (await drill.next<PolicyStatus>({ event })).status;
  };

  const leave = async (): Promise<void> => {
    drill.mark();
    drill.ask('conference-session', 'terminate');
    await drill.session('Disconnected');
  };

  const silence = (method: string) => focus.fault(method, 1);

  for (const type of ['full', 'flows', 'nodes'] as const) {
    describe(type, () => {
      afterEach(async function () {
        for (const method of ['INVITE', 'INFO', 'UPDATE', 'BYE']) await focus.fault(method, 0);
        if (this.currentTest?.state === 'passed') drill.check();
      });

      it('Connecting: the join goes on, with its one INVITE (PER-1 MSG-3)', async () => {
        const { invites } = await requests();
        await silence('INVITE');
        drill.mark();
        drill.ask('conference-session', 'join');
        await drill.session('Connecting');
        await deploy(type);
        await focus.fault('INVITE', 0);
        await drill.session('Connected');
        await drill.next<OperationCompleted>({ event: 'operation-completed', operation: 'join' });
        assert.deepEqual(drill.path(), ['Connecting JoinRequested', 'Connected Joined']);
        assert.equal((await requests()).invites, invites + 1, 'INVITEs');
        await leave();
      });

      it('Connected: dialog, call, roster and what is pending live on; nothing is sent (PER-1 MSG-3)', async () => {
        await drill.join();
        await call();
        const before = { ...(await requests()), roster: await result('roster'), status: await result('status') };
        edge.hang();
        drill.mark();
        drill.ask('conference-session', 'lock');
        try {
          // Until it is on its way.
          await delay(100);
          await deploy(type);
        } finally {
          edge.resume();
        }
        await drill.next<OperationCompleted>({ event: 'operation-completed', operation: 'lock' });
        assert.deepEqual(drill.path(), []);
        assert.deepEqual(drill.mcuPath('audio-video'), []);
        assert.deepEqual(drill.all({ event: 'call-state-changed' }), []);
        assert.deepEqual(drill.all({ event: 'roster-changed' }), []);
        const after = { ...(await requests()), roster: await result('roster'), status: await result('status') };
        assert.deepEqual(after, before);

        drill.mark();
        drill.ask('mcu-session', 'hang-up', 'audio-video');
        await drill.next<CallStateChanged>({ event: 'call-state-changed', state: 'Terminated' });
        await leave();
        assert.equal((await requests()).byes, before.byes + 2, 'one BYE for the call, one for the dialog');
      });

      it('Reconnecting (recovering): the same outage, attempts at their times, the same deadline (PER-1)', async () => {
        await drill.join();
        drill.mark();
        await edge.kill();
        const lost = await drill.session('Reconnecting');
        const armed = await drill.next<GiveUpArmed>({ event: 'give-up-armed' });
        const attempted = await drill.next<HealAttempted>({ event: 'heal-attempted', attempt: 2 });
        await deploy(type);
        await drill.next<HealAttempted>({ event: 'heal-attempted', attempt: 4 });
        const attempts = drill.all<HealAttempted>({ event: 'heal-attempted' });
        assert.deepEqual(
          attempts.map(({ attempt }) => attempt),
          attempts.map((_, index) => index + 1),
        );
        const third = attempts[2];
        assert.ok(third && attempted.nextAttemptAt && third.at >= attempted.nextAttemptAt, 'not before its time');
        const path = drill.path();
        const { deadlineAt } = (await policy('give-up-timer', 'give-up-status')) as { deadlineAt?: string };
        assert.equal(deadlineAt, armed.deadlineAt);

        drill.mark();
        await edge.start();
        const back = await drill.session('Connected');
        assert.equal(back.incident, lost.incident);
        assert.deepEqual(
          [...path, ...drill.path()],
          ['Reconnecting (recovering) RouteBroken', 'Connected RouteHealed'],
        );
        // It has counted from zero on.
        assert.deepEqual(await requests(), { invites: 0, byes: 0 });
        assert.equal((await drill.status()).dialog, lost.dialog);
        await leave();
      });

      it('Reconnecting (re-joining): the one re-join goes on (PER-1 PER-3 FE-11)', async () => {
        await drill.join();
        const { invites } = await requests();
        await focus.fault('INFO', 481);
        await silence('INVITE');
        drill.mark();
        drill.ask('conference-session', 'lock');
        const lost = await drill.session('Reconnecting');
        assert.equal(lost.mode, 'rejoining');
        while ((await requests()).invites === invites) await delay(20);
        await deploy(type);
        await focus.fault('INVITE', 0);
        const back = await drill.session('Connected');
        assert.equal((await requests()).invites, invites + 1, 'INVITEs');
        assert.equal(back.incident, lost.incident);
        assert.deepEqual(drill.path(), ['Reconnecting (rejoining) FocusFailover', 'Connected Rejoined']);
        assert.equal(drill.all<StateChanged>({ event: 'state-changed', reason: 'Rejoined' }).length, 1);
        assert.equal((await drill.status()).dialog, 2);
        await leave();
      });

      it('Disconnecting: it is left, with its one BYE (PER-1)', async () => {
        await drill.join();
        const { byes } = await requests();
        await silence('BYE');
        drill.mark();
        drill.ask('conference-session', 'terminate');
        await drill.session('Disconnecting');
        await deploy(type);
        await focus.fault('BYE', 0);
        await drill.session('Disconnected');
        assert.deepEqual(drill.path(), ['Disconnecting TerminateRequested', 'Disconnected TerminateRequested']);
        assert.equal((await requests()).byes, byes + 1, 'BYEs');
      });
    });
  }

  describe('of a flow without the session node', () => {
    it('what it held is ended by BYE, and it knows nothing when it comes back (PER-4)', async () => {
      await drill.join();
      await call();
      const { byes } = await requests();
      const without = flow.filter(({ type }) => type !== 'conference-session');
      await drill.nodeRed.deploy(without, 'nodes');
      while ((await requests()).byes < byes + 2) await delay(20);
      await deploy('nodes');
      assert.equal((await drill.status()).state, 'Idle');
    });
  });
});

describe('drill: deployments on the embedded pool', function () {
  this.timeout(120_000);
  let drill: Drill;
  let flow: FlowNode[];
  let deployments = 0;

  before(async () => {
    const settings = {
      'conference-endpoint': { failoverDelay: '500', failoverDelayUnit: 'ms', latency: '30', latencyUnit: 'ms' },
    };
    flow = flowWith(merge(quick, settings));
    drill = await Drill.start(flow);
  });

  after(async () => {
    await drill?.stop();
  });

  const deploy = async (type: DeploymentType): Promise<void> => {
    deployments += 1;
    const renamed = flow.map((node) => (node.type === 'tab' ? node : { ...node, name: `deployment ${deployments}` }));
    await drill.nodeRed.deploy(renamed, type);
  };

  const injure = (command: string, more = {}): void => drill.ask('fault-injector', { command, ...more });

  for (const type of ['full', 'flows', 'nodes'] as const) {
    describe(type, () => {
      afterEach(async function () {
        drill.ask('conference-session', 'terminate');
        if ((await drill.status()).state !== 'Disconnected') await drill.session('Disconnected');
        if (this.currentTest?.state === 'passed') drill.check();
      });

      it('Connecting: the join goes on (PER-1)', async () => {
        drill.mark();
        drill.ask('conference-session', 'join');
        await drill.session('Connecting');
        await deploy(type);
        await drill.session('Connected');
        await drill.next<OperationCompleted>({ event: 'operation-completed', operation: 'join' });
        assert.deepEqual(drill.path(), ['Connecting JoinRequested', 'Connected Joined']);
      });

      it('InLobby: it waits, and is let in (PER-1)', async () => {
        drill.mark();
        injure('place-in-lobby');
        drill.ask('conference-session', 'join');
        await drill.session('InLobby');
        await deploy(type);
        injure('admit');
        await drill.session('Connected');
        assert.deepEqual(drill.path(), ['Connecting JoinRequested', 'InLobby PlacedInLobby', 'Connected Admitted']);
      });

      it('Connected, in a call that was lost by an MCU failover: it is available again (PER-1)', async () => {
        await drill.join();
        drill.ask('mcu-session', { command: 'call', media: ['audio'] }, 'audio-video');
        await drill.next<CallStateChanged>({ event: 'call-state-changed', state: 'Established' });
        drill.mark();
        injure('roll-over-mcu', { mcu: 'audio-video', forMs: 500 });
        await drill.mcu('audio-video', 'Retrying');
        await deploy(type);
        await drill.mcu('audio-video', 'Active');
        await drill.next({ event: 'call-available' });
        assert.deepEqual(drill.mcuPath('audio-video'), ['Retrying McuFailover', 'Active McuReportedActive']);
      });

      it('Reconnecting (recovering): it is healed, in the same outage (PER-1)', async () => {
        await drill.join();
        drill.mark();
        injure('break-hop', { how: 'refuse' });
        const lost = await drill.session('Reconnecting');
        await deploy(type);
        injure('restore-hop');
        const back = await drill.session('Connected');
        assert.equal(back.incident, lost.incident);
        assert.deepEqual(drill.path(), ['Reconnecting (recovering) RouteBroken', 'Connected RouteHealed']);
      });

      for (const [phase, moment] of [
        ['awaiting the failover', () => drill.session('Reconnecting')],
        ['re-joining', () => drill.next({ event: 'failover-detected', phase: 'failed-over' })],
      ] as const) {
        it(`Reconnecting (${phase}): it is re-joined once, in the same outage (PER-1 PER-3 FE-11)`, async () => {
          await drill.join();
          drill.mark();
          injure('kill-front-end');
          drill.ask('conference-session', 'lock');
          const lost = await drill.session('Reconnecting');
          await moment();
          await deploy(type);
          const back = await drill.session('Connected');
          injure('restore-front-end');
          assert.equal(back.incident, lost.incident);
          assert.deepEqual(drill.path(), ['Reconnecting (rejoining) FocusFailover', 'Connected Rejoined']);
          assert.equal((await drill.status()).dialog, Number(lost.dialog) + 1);
        });
      }

      it('Disconnecting: it is left (PER-1)', async () => {
        await drill.join();
        drill.mark();
        drill.ask('conference-session', 'terminate');
        await drill.session('Disconnecting');
        await deploy(type);
        await drill.session('Disconnected');
        assert.deepEqual(drill.path(), ['Disconnecting TerminateRequested', 'Disconnected TerminateRequested']);
      });
    });
  }
});
