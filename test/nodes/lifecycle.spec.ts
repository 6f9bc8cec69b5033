import assert from 'node:assert/strict';
import { setImmediate as turn } from 'node:timers/promises';
import { deadlines } from '../../nodes/runtime/deadlines';
import { CONFERENCE, canonical, Flow, type FlowNode, type Loose, packNode, tab } from '../support/flow';

/** Timers and sockets of this process, by kind. */
function resources(): { [kind: string]: number } {
  const counts: { [kind: string]: number } = {};
  for (const kind of process.getActiveResourcesInfo()) {
    if (/Timeout|TCP|TLS|UDP/.test(kind)) counts[kind] = (counts[kind] ?? 0) + 1;
  }
  return counts;
}

/** That nothing is there that was not before. What others had left by then, in the same process, may have gone meanwhile. */
function assertNothingNew(before: { [kind: string]: number }): void {
  for (const [kind, count] of Object.entries(resources())) assert.ok(count <= (before[kind] ?? 0), `${count} ${kind}`);
}

/** Turns of the event loop until what Node-RED itself has put off is done. */
async function quiet(): Promise<void> {
  for (let turns = 0; turns < 5; turns += 1) await turn();
}

const idOf = ({ callId }: Loose): string => callId;

/** The canonical flow with one node's settings changed. */
function changed(id: string, config: object, overrides = {}): FlowNode[] {
  return canonical(overrides).map((node) => (node.id === id ? { ...node, ...config } : node));
}

describe('closing', () => {
  let flow: Flow;
  afterEach(() => flow.unload());

  before(async () => {
    // What the pack has once for the whole process is there from its first node on.
    flow = await Flow.load(canonical());
    await flow.unload();
  });

  it('leaves no timer, no socket and no listener, and every operation gets its done (Q-9 GU-7 PER-4)', async () => {
    // Mocha's own timer for this test runs from its first turn on.
    await quiet();
    const before = resources();
    const listeners = Flow.listeners();
    flow = await Flow.load(
      canonical({ session: { heartbeat: '100', heartbeatUnit: 'ms' }, 'give-up': { tick: '20', tickUnit: 'ms' } }),
    );
    await flow.join();
    await flow.call();
    await flow.ask('chat', 'call').done;
    await flow.askAndWait('injector', { command: 'break-hop', how: 'silent' });
    const pending = [
      flow.ask('session', { command: 'lock' }),
      flow.ask('audio-video', 'mute'),
      flow.ask('chat', { command: 'send', text: 'hello' }),
      flow.ask('session', [{ command: 'unlock' }, { command: 'eject', participant: 'sip:ada@pool.example' }]),
    ];
    assert.ok(deadlines.size > 0);
    await flow.stop();
    for (const { dones } of pending) assert.equal(dones, 1);
    for (const { error } of flow.takeErrors()) assert.ok(error.cause?.name, `${error.stack}`);
    await flow.unload();
    await quiet();
    assertNothingNew(before);
    assert.equal(Flow.listeners(), listeners);
  });

  for (const [state, reach] of [
    ['Connecting', async (flow: Flow) => void flow.ask('session', 'join')],
    [
      'Reconnecting',
      async (flow: Flow) => {
        await flow.join();
        flow.ask('injector', { command: 'break-hop', how: 'refuse' });
        await flow.waitFor(({ event }) => event === 'give-up-armed', 'armed');
      },
    ],
    [
      'Reconnecting',
      async (flow: Flow) => {
        await flow.join();
        flow.ask('injector', 'kill-front-end');
        flow.ask('session', { command: 'lock' });
        await flow.waitFor(({ command }) => command === 'probe', 'probe');
      },
    ],
    [
      'Disconnecting',
      async (flow: Flow) => {
        await flow.join();
        await flow.askAndWait('injector', { command: 'break-hop', how: 'silent' });
        flow.ask('session', 'terminate');
      },
    ],
  ] as const) {
    it(`in ${state} leaves nothing either (Q-9)`, async () => {
      flow = await Flow.load(canonical());
      await reach(flow);
      await flow.stop();
      assert.equal(deadlines.size, 0);
      for (const { error } of flow.takeErrors()) assert.ok(error.cause?.name, `${error.stack}`);
      await flow.unload();
    });
  }

  it('tells nothing of a conference after it (ORD-3)', async () => {
    flow = await Flow.load(canonical());
    await flow.join();
    await flow.stop();
    const { length } = flow.sent;
    await quiet();
    assert.equal(flow.sent.length, length);
    assert.deepEqual(
      flow
        .since()
        .filter(({ state }) => state === 'Terminated')
        .map(({ mcu }) => mcu),
      ['audio-video', 'chat'],
    );
    await flow.unload();
  });

  it('a hundred redeployments leave no more than one (PER-5)', async () => {
    flow = await Flow.load(canonical());
    const listeners = Flow.listeners();
    let after: ReturnType<typeof resources> = {};
    for (let round = 0; round < 100; round += 1) {
      flow.ask('session', 'join');
      await flow.deploy(canonical(), 'full');
      if (round === 10) after = resources();
    }
    flow.takeErrors();
    assert.equal(Flow.listeners(), listeners);
    await quiet();
    assertNothingNew(after);
    await flow.unload();
  });
});

describe('redeploying', () => {
  let flow: Flow;
  afterEach(() => flow.unload());

  it('an mcu-session node alone: it knows the state and the roster of a session that is Connected (MCU-2)', async () => {
    flow = await Flow.load(canonical());
    await flow.join();
    flow.mark();
    const before = flow.sunk.length;
    await flow.deploy(changed('chat', { name: 'changed' }), 'nodes');
    await flow.askAndWait('chat', 'status');
    await flow.askAndWait('chat', 'roster');
    const [status, roster] = flow.since('operation-completed').map(({ result }) => result);
    assert.equal(status.state, 'Active');
    assert.deepEqual(
      roster.participants.map(({ entity }: Loose) => entity),
      ['sip:ada@pool.example', 'sip:alan@pool.example'],
    );
    assert.deepEqual(flow.states(), []);
    // It does not only know: it says so to those that it is wired to.
    await flow.until(() =>
      flow.sunk.slice(before).some(({ node, message }) => node === 'MCU state' && message.payload.state === 'Active'),
    );
    flow.mark();
    assert.equal(await flow.askAndWait('chat', 'call'), undefined);
    assert.deepEqual(
      flow.since('call-state-changed').map(({ state }) => state),
      ['Establishing', 'Established'],
    );
  });

  it('an mcu-session node while the route is healed: operations are refused as retryable (FE-9)', async () => {
    flow = await Flow.load(canonical());
    await flow.join();
    flow.ask('injector', { command: 'break-hop', how: 'refuse' });
    await flow.waitFor(({ state }) => state === 'Reconnecting', 'Reconnecting');
    await flow.deploy(changed('chat', { name: 'changed' }), 'nodes');
    flow.mark();
    await flow.ask('chat', 'call').done;
    assert.equal(flow.since('operation-failed')[0].error.code, 'RetryableOperation');
    flow.ask('injector', 'restore-hop');
    await flow.waitFor(({ state }) => state === 'Connected', 'Connected');
    assert.equal(await flow.askAndWait('chat', 'call'), undefined);
  });

  it('an mcu-session node with a call: the call lives on, and can be ended (PER-1)', async () => {
    flow = await Flow.load(canonical());
    await flow.join();
    await flow.call();
    flow.mark();
    await flow.deploy(changed('audio-video', { name: 'changed' }), 'nodes');
    assert.equal(flow.node('endpoint').endpoint.pool.status(CONFERENCE).calls.length, 1);
    assert.deepEqual(flow.since('call-state-changed'), []);
    assert.equal(await flow.askAndWait('audio-video', 'hang-up'), undefined);
    await flow.until(() => flow.node('endpoint').endpoint.pool.status(CONFERENCE).calls.length === 0, 'no call');
  });

  it('an mcu-session node that is for another MCU from now on: its call is ended', async () => {
    flow = await Flow.load(canonical());
    await flow.join();
    await flow.call();
    await flow.deploy(changed('audio-video', { mcu: 'video' }), 'nodes');
    await flow.until(() => flow.node('endpoint').endpoint.pool.status(CONFERENCE).calls.length === 0, 'no call');
  });

  for (const how of ['full', 'flows', 'nodes'] as const) {
    const everyNode = canonical().map((node) => (node.type === 'tab' ? node : { ...node, name: 'changed' }));

    it(`everything (${how}) while Connected: dialog, call, roster and numbers live on, pending operations are answered (PER-1 MSG-3)`, async () => {
      flow = await Flow.load(canonical());
      await flow.join();
      await flow.call();
      const pool = flow.node('endpoint').endpoint.pool;
      const before = pool.status(CONFERENCE);
      const roster = async (): Promise<Loose> => {
        await flow.askAndWait('session', 'roster');
        return flow.since('operation-completed').at(-1).result.participants;
      };
      const participants = await roster();
      flow.mark();
      const operation = flow.ask('session', { command: 'lock' }, { own: 'kept' });
      await flow.deploy(everyNode, how);
      assert.equal(await operation.done, undefined);
      assert.equal(operation.dones, 1);
      await flow.until(() => flow.sunk.some(({ message }) => message.own === 'kept'), 'the answer, at its wire');
      assert.equal(flow.node('endpoint').endpoint.pool, pool);
      assert.deepEqual(pool.status(CONFERENCE).calls.map(idOf), before.calls.map(idOf));
      assert.deepEqual(flow.states(), []);
      assert.deepEqual(flow.since('roster-changed'), []);
      assert.deepEqual(await roster(), participants);
    });
  }

  for (const [state, reach, goal] of [
    [
      'Connecting',
      async () => void flow.ask('session', 'join'),
      () => flow.waitFor(({ reason }) => reason === 'Joined', 'Joined'),
    ],
    [
      'InLobby',
      async () => {
        await flow.askAndWait('injector', 'place-in-lobby');
        flow.ask('session', 'join');
        await flow.waitFor(({ state }) => state === 'InLobby', 'InLobby');
      },
      async () => {
        flow.ask('injector', 'admit');
        await flow.waitFor(({ reason }) => reason === 'Admitted', 'Admitted');
      },
    ],
    [
      'Reconnecting (recovering)',
      async () => {
        await flow.join();
        flow.ask('injector', { command: 'break-hop', how: 'refuse' });
        await flow.waitFor(({ event }) => event === 'give-up-armed', 'armed');
      },
      async () => {
        flow.ask('injector', 'restore-hop');
        await flow.waitFor(({ reason }) => reason === 'RouteHealed', 'RouteHealed');
      },
    ],
    [
      'Reconnecting (awaiting the failover)',
      async () => {
        await flow.join();
        flow.ask('injector', 'kill-front-end');
        flow.ask('session', { command: 'lock' });
        await flow.waitFor(({ command }) => command === 'probe', 'probe');
      },
      () => flow.waitFor(({ reason }) => reason === 'Rejoined', 'Rejoined'),
    ],
    [
      'Reconnecting (re-joining)',
      async () => {
        await flow.join();
        flow.ask('injector', 'kill-front-end');
        flow.ask('session', { command: 'lock' });
        await flow.waitFor(({ phase }) => phase === 'failed-over', 'failed over');
        await quiet();
      },
      () => flow.waitFor(({ reason }) => reason === 'Rejoined', 'Rejoined'),
    ],
    [
      'Disconnecting',
      async () => {
        await flow.join();
        await flow.askAndWait('injector', { command: 'break-hop', how: 'silent' });
        flow.ask('session', 'terminate');
      },
      () => flow.waitFor(({ state, mcu }) => state === 'Disconnected' && !mcu, 'Disconnected'),
    ],
  ] as const) {
    it(`everything in ${state}: it goes on, with the same outage and one re-join at most (PER-1 FE-11)`, async () => {
      flow = await Flow.load(canonical());
      const effects = flow.effectsOf();
      await reach();
      const incidents = new Set(flow.since().map(({ incident }) => incident));
      for (let round = 0; round < 3; round += 1) await flow.deploy(canonical(), 'full');
      await goal();
      for (const { incident, mcu } of flow.since('state-changed')) {
        if (incident && !mcu) assert.ok(incidents.has(incident), `another outage: ${incident}`);
      }
      assert.ok(effects.filter(({ effect, rejoin }) => effect === 'join' && rejoin).length <= 1);
      flow.takeErrors();
    });
  }

  it('the deadline of giving up stays where it was, and fires once (PER-1 GU-7)', async () => {
    flow = await Flow.load(canonical({ 'give-up': { giveUpAfter: '400', giveUpAfterUnit: 'ms' } }));
    await flow.join();
    flow.ask('injector', { command: 'break-hop', how: 'refuse' });
    const armed = await flow.waitFor(({ event }) => event === 'give-up-armed', 'armed');
    await flow.deploy(canonical({ 'give-up': { giveUpAfter: '400', giveUpAfterUnit: 'ms', name: 'changed' } }), 'full');
    const gone = await flow.waitFor(({ event }) => event === 'gave-up', 'gave up');
    assert.ok(gone.at >= armed.deadlineAt, `${gone.at} is before ${armed.deadlineAt}`);
    await flow.waitFor(({ state, mcu }) => state === 'Disconnected' && !mcu, 'Disconnected');
    assert.equal(flow.since('gave-up').length, 1);
    for (const { deadlineAt } of flow.since('give-up-armed')) assert.equal(deadlineAt, armed.deadlineAt);
  });

  it('other settings of the endpoint: what is held goes on there (PER-1)', async () => {
    flow = await Flow.load(canonical());
    await flow.join();
    await flow.call();
    const { pool } = flow.node('endpoint').endpoint;
    await flow.deploy(changed('endpoint', { latency: '3' }), 'full');
    assert.notEqual(flow.node('endpoint').endpoint.pool, pool);
    assert.equal(await flow.askAndWait('session', { command: 'lock' }), undefined);
    assert.equal(await flow.askAndWait('audio-video', 'hang-up'), undefined);
    assert.deepEqual(flow.states().slice(2), []);
  });

  it('a session node that is disabled, or uses another endpoint: its conference is left (PER-4)', async () => {
    flow = await Flow.load(canonical());
    await flow.join();
    const { endpoint } = flow.node('endpoint');
    await flow.deploy(changed('session', { d: true }), 'nodes');
    await flow.until(() => endpoint.pool.status(CONFERENCE).placement === null, 'left');
  });

  it('the session node alone: its conference is left, and its MCU sessions end (PER-4 MCU-11)', async () => {
    flow = await Flow.load(canonical());
    await flow.join();
    flow.mark();
    await flow.deploy(
      canonical().filter(({ id }) => id !== 'session'),
      'nodes',
    );
    assert.deepEqual(
      flow
        .since('state-changed')
        .filter(({ mcu }) => mcu)
        .map(({ mcu, reason }) => `${mcu} ${reason}`),
      ['audio-video ConferenceTerminated', 'chat ConferenceTerminated'],
    );
    await flow.until(() => flow.node('endpoint').endpoint.pool.status(CONFERENCE).placement === null, 'left');
  });

  it('every start brings one session-status, which the policy nodes hear (PER-6)', async () => {
    flow = await Flow.load(canonical());
    assert.deepEqual(
      flow.since().map(({ event, state }) => `${event} ${state}`),
      ['session-status Idle'],
    );
    await flow.deploy(canonical(), 'full');
    assert.equal(flow.since('session-status').length, 2);
  });

  for (const conference of [CONFERENCE, '']) {
    const which = conference ? 'of its dialog' : 'of any conference';
    const nodes = (overrides = {}): FlowNode[] =>
      canonical(overrides).map((node) => ('conference' in node ? { ...node, conference, alias: '' } : node));
    const ask = (command: string): object => ({ command, conference: CONFERENCE });

    it(`the healer alone in the middle of an outage ${which}: it goes on healing (PER-6)`, async () => {
      flow = await Flow.load(nodes());
      await flow.ask('session', ask('join')).done;
      flow.ask('injector', ask('break-hop'));
      await flow.waitFor(({ state }) => state === 'Reconnecting', 'Reconnecting');
      await flow.deploy(nodes({ healer: { name: 'changed' } }), 'nodes');
      flow.ask('injector', ask('restore-hop'));
      await flow.waitFor(({ state, reason }) => state === 'Connected' && reason === 'RouteHealed', 'RouteHealed');
    });

    it(`the detector alone while the Focus ${which} fails over: it goes on probing (PER-6)`, async () => {
      flow = await Flow.load(nodes());
      await flow.ask('session', ask('join')).done;
      flow.ask('injector', ask('kill-front-end'));
      flow.ask('session', ask('lock'));
      await flow.waitFor(({ state }) => state === 'Reconnecting', 'Reconnecting');
      await flow.deploy(nodes({ detector: { name: 'changed' } }), 'nodes');
      await flow.waitFor(({ state, reason }) => state === 'Connected' && reason === 'Rejoined', 'Rejoined');
    });

    it(`the give-up timer alone in the middle of an outage ${which}: it decides all the same (PER-6)`, async () => {
      flow = await Flow.load(nodes());
      await flow.ask('session', ask('join')).done;
      flow.ask('injector', ask('break-hop'));
      await flow.waitFor(({ event }) => event === 'give-up-armed', 'armed');
      await flow.deploy(nodes({ 'give-up': { giveUpAfter: '100', giveUpAfterUnit: 'ms' } }), 'nodes');
      await flow.waitFor(({ state, reason, mcu }) => state === 'Disconnected' && reason === 'GaveUp' && !mcu, 'GaveUp');
    });
  }

  it('wires alone: from now on nothing is held where no signal is heard, and the other way round (section 2)', async () => {
    const wired = canonical();
    const unwired = wired.map((node) =>
      node.id === 'session' ? { ...node, wires: [...(node.wires ?? []).slice(0, 4), []] } : node,
    );
    flow = await Flow.load(unwired);
    await flow.join();
    const effects = flow.effectsOf();
    flow.mark();
    await flow.askAndWait('injector', { command: 'break-hop', how: 'stale-route' });
    await flow.ask('session', { command: 'lock' }).done;
    assert.equal(flow.since('operation-failed')[0].error.code, 'SIP-430');
    await flow.deploy(wired, 'nodes');
    flow.mark();
    await flow.ask('session', { command: 'lock' }).done;
    assert.deepEqual(flow.since('operation-failed'), []);
    assert.equal(effects.filter(({ operation }) => operation === 'lock').length, 3);
  });

  it('a second mcu-session takes over when the first is deleted', async () => {
    const nodes = [
      tab,
      packNode('conference-endpoint', 'endpoint'),
      packNode('conference-session', 'session'),
      packNode('mcu-session', 'first'),
      packNode('mcu-session', 'second'),
    ];
    flow = await Flow.load(nodes);
    assert.equal(flow.takeErrors().length, 1);
    await flow.join('session', ['audio-video']);
    await flow.deploy(
      nodes.filter(({ id }) => id !== 'first'),
      'full',
    );
    assert.notEqual(flow.status('second')?.fill, 'red');
    await flow.waitFor(({ mcu, state }, { node }) => mcu && node === 'second' && state === 'Active', 'second Active');
  });
});
