/** The failures of the page, one after the other, in a real Node-RED with the packed pack and the canonical flow. */
import assert from 'node:assert/strict';
import type {
  CallStateChanged,
  GaveUp,
  HealAttempted,
  OperationCompleted,
  OperationFailed,
  Participant,
  RosterChanged,
  RouteStatusChanged,
  Signal,
  StateChanged,
} from '../../nodes/recovery/messages';
import { canonicalFlow, Drill, flowWith, merge, quick } from './drill';

const entityOf = ({ entity }: Participant): string => entity;

const settings = merge(quick, {
  'conference-endpoint': { latency: '10', failoverDelay: '600', failoverDelayUnit: 'ms', mcuFailover: '400' },
});

describe('drill: the canonical flow on the embedded pool', function () {
  this.timeout(120_000);
  let drill: Drill;

  const placeCalls = async (...mcus: string[]): Promise<void> => {
    for (const mcu of mcus) {
      drill.ask('mcu-session', { command: 'call' }, mcu);
      await drill.next<CallStateChanged>({ event: 'call-state-changed', mcu, state: 'Established' });
    }
  };

  const leave = async (): Promise<void> => {
    drill.mark();
    drill.ask('conference-session', 'terminate');
    await drill.next<OperationCompleted>({ event: 'operation-completed', operation: 'terminate' });
  };

  const calls = () => drill.all<CallStateChanged>({ event: 'call-state-changed' });

  describe('with the usual patience', () => {
    before(async () => {
      drill = await Drill.start(flowWith(settings));
    });

    after(() => drill?.stop());

    beforeEach(() => drill.join());

    afterEach(async function () {
      await leave();
      if (this.currentTest?.state === 'passed') drill.check();
    });

    it('runs the flow as it was imported', async () => {
      const response = await fetch(`${drill.nodeRed.url}/flows`);
      const running = (await response.json()) as { id: string; wires?: string[][] }[];
      const skeleton = (nodes: { id: string; wires?: string[][] }[]) => nodes.map(({ id, wires }) => ({ id, wires }));
      assert.deepEqual(skeleton(running), skeleton(canonicalFlow()));
    });

    it('(a) the front end of the Focus dies: re-joined once, calls kept, roster differences', async () => {
      await placeCalls('audio-video', 'chat');
      drill.mark();
      drill.ask('conference-session', 'lock');
      drill.ask('mcu-session', { command: 'mute', participant: 'sip:ada@pool.example' }, 'audio-video');
      drill.ask('fault-injector', 'kill-front-end');
      const lost = await drill.session('Reconnecting');
      assert.equal(lost.mode, 'rejoining');
      assert.ok(lost.incident);
      for (const operation of ['lock', 'mute']) {
        const { error } = await drill.failed(operation, 'SessionRetrying');
        assert.equal(error.name, 'OperationFailureException');
        assert.equal(error.incident, lost.incident);
      }
      await Promise.all([drill.mcu('audio-video', 'Retrying'), drill.mcu('chat', 'Retrying')]);

      drill.ask('conference-session', 'unlock');
      drill.ask('mcu-session', { command: 'unmute', participant: 'sip:ada@pool.example' }, 'audio-video');
      for (const operation of ['unlock', 'unmute']) {
        const { error } = await drill.failed(operation, 'RetryableOperation');
        assert.equal(error.name, 'RealTimeInvalidOperationException');
        assert.ok(error.retryable);
      }
      drill.ask('fault-injector', { command: 'participant-join', participant: 'sip:edsger@pool.example' });
      drill.ask('fault-injector', { command: 'participant-leave', participant: 'sip:alan@pool.example' });

      const back = await drill.session('Connected');
      assert.equal(back.incident, lost.incident);
      assert.equal(back.active, false);
      assert.equal(back.attempts, 1);
      await Promise.all([drill.mcu('audio-video', 'Active'), drill.mcu('chat', 'Active')]);
      assert.deepEqual(drill.path(), ['Reconnecting (rejoining) FocusFailover', 'Connected Rejoined']);
      for (const mcu of ['audio-video', 'chat']) {
        assert.deepEqual(drill.mcuPath(mcu), ['Retrying FocusFailover', 'Active McuReportedActive']);
      }
      assert.deepEqual(calls(), []);
      const fresh = drill.all<RosterChanged>({ source: 'conference-session', cause: 'resync' });
      assert.deepEqual(
        fresh.map(({ joined, left }) => [joined.map(entityOf), left.map(entityOf)]),
        [[['sip:edsger@pool.example'], ['sip:alan@pool.example']]],
      );
      assert.equal((await drill.status()).dialog, 2);

      // What was kept works: the call can be hung up, and the operation that was refused is done now.
      drill.mark();
      drill.ask('mcu-session', 'hang-up', 'chat');
      drill.ask('conference-session', 'unlock');
      const { reason } = await drill.next<CallStateChanged>({ event: 'call-state-changed', state: 'Terminated' });
      assert.equal(reason, 'HungUp');
      await drill.next<OperationCompleted>({ event: 'operation-completed', operation: 'unlock' });
    });

    it('(b) an MCU rolls over: that call ended, the session Connected, the call can be placed again', async () => {
      await placeCalls('audio-video', 'chat');
      drill.mark();
      drill.ask('fault-injector', { command: 'roll-over-mcu', mcu: 'audio-video' });
      await drill.next<CallStateChanged>({ event: 'call-state-changed', mcu: 'audio-video', state: 'Terminated' });
      await drill.mcu('audio-video', 'Active');
      await drill.next({ event: 'call-available', mcu: 'audio-video' });
      assert.deepEqual(drill.mcuPath('audio-video'), ['Retrying McuFailover', 'Active McuReportedActive']);
      await placeCalls('audio-video');
      assert.deepEqual(
        calls().map(({ mcu, state, reason }) => `${mcu} ${state} ${reason}`),
        [
          'audio-video Terminated TerminatedByMcuFailover',
          'audio-video Establishing Requested',
          'audio-video Established Accepted',
        ],
      );
      assert.deepEqual(drill.path(), []);
      assert.deepEqual(drill.mcuPath('chat'), []);
    });

    it('(c) a hop is broken for longer than the repair: UPDATEs until it heals, in the same dialog', async () => {
      await placeCalls('audio-video');
      drill.mark();
      drill.ask('fault-injector', { command: 'break-hop', how: 'refuse' });
      const lost = await drill.session('Reconnecting');
      assert.equal(lost.mode, 'recovering');
      drill.ask('conference-session', 'lock');
      await drill.failed('lock', 'RetryableOperation');
      await drill.next<HealAttempted>({ event: 'heal-attempted', attempt: 3, outcome: 'unreachable' });
      drill.ask('fault-injector', 'restore-hop');
      const back = await drill.session('Connected');
      assert.equal(back.incident, lost.incident);
      assert.deepEqual(drill.path(), ['Reconnecting (recovering) RouteBroken', 'Connected RouteHealed']);
      await drill.next<RouteStatusChanged>({ event: 'route-status-changed', status: 'Healthy' });

      const attempts = drill.all<HealAttempted>({ event: 'heal-attempted' });
      assert.deepEqual(
        attempts.map(({ attempt }) => attempt),
        attempts.map((_, index) => index + 1),
      );
      assert.equal(attempts.at(-1)?.outcome, 'healed');
      const requests = drill.all<Signal>({ event: 'signal', purpose: 'heal' });
      assert.equal(requests.length, attempts.length);
      for (const { method } of requests) assert.equal(method, 'UPDATE');
      assert.deepEqual(calls(), []);
      assert.deepEqual(drill.mcuPath('audio-video'), []);
      assert.equal((await drill.status()).dialog, 1);
    });

    it('can be placed in the lobby by the next join', async () => {
      await leave();
      drill.mark();
      drill.ask('fault-injector', 'place-in-lobby');
      drill.ask('conference-session', 'join');
      await drill.session('InLobby', 3_000);
    });
  });

  describe('with a lobby', () => {
    before(async () => {
      drill = await Drill.start(flowWith(merge(settings, { 'conference-endpoint': { lobby: true } })));
    });

    after(() => drill?.stop());

    it('(d) a hop is broken while we wait in the lobby: back to InLobby, and admitted later', async () => {
      drill.mark();
      drill.ask('conference-session', 'join');
      await drill.session('InLobby');
      drill.mark();
      drill.ask('fault-injector', { command: 'break-hop', how: 'refuse' });
      await drill.session('Reconnecting');
      await drill.next<HealAttempted>({ event: 'heal-attempted', attempt: 3, outcome: 'unreachable' });
      drill.ask('fault-injector', 'restore-hop');
      await drill.session('InLobby');
      assert.deepEqual(drill.path(), ['Reconnecting (recovering) RouteBroken', 'InLobby RouteHealed']);
      assert.equal((await drill.status()).dialog, 1);
      drill.mark();
      drill.ask('fault-injector', 'admit');
      await drill.session('Connected');
      assert.deepEqual(drill.path(), ['Connected Admitted']);
      await drill.next<OperationCompleted>({ event: 'operation-completed', operation: 'join' });
      await leave();
      drill.check();
    });
  });

  describe('with a patience of 6 s', () => {
    before(async () => {
      const impatient = { 'give-up-timer': { giveUpAfter: '6', giveUpAfterUnit: 's' } };
      drill = await Drill.start(flowWith(merge(settings, impatient)));
    });

    after(() => drill?.stop());

    it('(e) the hop never heals: the give-up timer ends the session and says why', async () => {
      await drill.join();
      await placeCalls('audio-video');
      drill.mark();
      drill.ask('fault-injector', { command: 'break-hop', how: 'refuse' });
      const lost = await drill.session('Reconnecting');
      const gaveUp = await drill.next<GaveUp>({ event: 'gave-up' });
      const ended = await drill.session('Disconnected');
      assert.deepEqual(drill.path(), [
        'Reconnecting (recovering) RouteBroken',
        'Disconnecting GaveUp',
        'Disconnected GaveUp',
      ]);
      assert.equal(gaveUp.criterion, 'elapsed');
      assert.match(gaveUp.explanation, /\d/);
      const [, closing] = drill.all<StateChanged>({ event: 'state-changed', source: 'conference-session' });
      assert.equal(closing?.criterion, 'elapsed');
      assert.equal(closing?.explanation, gaveUp.explanation);
      assert.equal(closing?.severity, 'critical');
      assert.equal(closing?.incident, lost.incident);
      assert.equal(closing?.active, false);
      assert.ok(closing.elapsedMs >= 6_000, `${closing.elapsedMs} ms`);
      await drill.mcu('audio-video', 'Terminated');
      await drill.next<CallStateChanged>({ event: 'call-state-changed', mcu: 'audio-video', state: 'Terminated' });
      assert.deepEqual(drill.all<OperationFailed>({ event: 'operation-failed' }), []);

      // The session is over: when the hop heals, nobody cares any more, and a new one can be begun.
      drill.ask('fault-injector', 'restore-hop');
      await drill.next({ event: 'fault-injected', fault: 'restore-hop' });
      const later = drill
        .all({ source: 'conference-session' })
        .filter(({ seq, event }) => seq > ended.seq && event !== 'operation-completed');
      assert.deepEqual(later, []);
      await drill.join();
      await leave();
      drill.check();
    });
  });
});
