import assert from 'node:assert/strict';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { type Script, ScriptedFocus } from '../signaling/sip/scripted-focus';
import { CONFERENCE, canonical, Flow, type FlowNode, type Loose, packNode, tab } from '../support/flow';

const OTHER = 'sip:other@pool.example';

/** Tab and endpoint, and these nodes. */
function nodes(...others: FlowNode[]): FlowNode[] {
  return [tab, packNode('conference-endpoint', 'endpoint'), ...others];
}

describe('nodes that share a flow', () => {
  let flow: Flow;
  afterEach(() => flow.unload());

  it('several conferences in one node do not disturb each other (rule 3)', async () => {
    flow = await Flow.load(
      canonical(
        Object.fromEntries(
          ['session', 'detector', 'audio-video', 'chat', 'healer', 'give-up', 'injector'].map((id) => [
            id,
            { conference: '', alias: '' },
          ]),
        ),
      ),
    );
    for (const conference of [CONFERENCE, OTHER]) flow.ask('session', { command: 'join', conference });
    await flow.until(
      () => flow.since('state-changed').filter(({ state }) => state === 'Active').length === 4,
      'four Active',
    );
    flow.mark();
    flow.ask('injector', { command: 'roll-over-mcu', mcu: 'chat', conference: CONFERENCE });
    await flow.waitFor(({ state }) => state === 'Retrying', 'Retrying');
    await flow.waitFor(({ state }) => state === 'Active', 'Active');
    flow.ask('injector', { command: 'eject', conference: CONFERENCE });
    await flow.waitFor(({ state, mcu }) => state === 'Disconnected' && !mcu, 'Disconnected');
    await flow.ask('session', { command: 'join', conference: CONFERENCE }).done;
    await flow.waitFor(({ operation }) => operation === 'join', 'joined again');
    assert.deepEqual([...new Set(flow.since().map(({ conference }) => conference))], [CONFERENCE]);
    flow.mark();
    for (const node of ['session', 'audio-video', 'chat']) flow.ask(node, { command: 'status', conference: OTHER });
    assert.deepEqual(
      flow.since().map(({ result }) => result.state),
      ['Connected', 'Active', 'Active'],
    );
    assert.equal(flow.status('session')?.text, '2 conferences');
  });

  it('a front end that hosts two conferences fails for both, each with an incident of its own (rule 7)', async () => {
    flow = await Flow.load(
      canonical({
        ...Object.fromEntries(
          ['session', 'detector', 'audio-video', 'chat', 'healer', 'give-up', 'injector'].map((id) => [
            id,
            { conference: '', alias: '' },
          ]),
        ),
        endpoint: { frontEnds: '1', failoverDelay: '50' },
      }),
    );
    for (const conference of [CONFERENCE, OTHER]) await flow.ask('session', { command: 'join', conference }).done;
    flow.mark();
    flow.ask('injector', { command: 'kill-front-end', conference: CONFERENCE });
    flow.ask('injector', { command: 'restore-front-end', conference: CONFERENCE });
    for (const conference of [CONFERENCE, OTHER]) flow.ask('session', { command: 'lock', conference });
    await flow.until(
      () => flow.since('state-changed').filter(({ state }) => state === 'Connected').length === 2,
      'both Connected',
    );
    const incidents = flow
      .since('state-changed')
      .filter(({ mcu }) => !mcu)
      .map(({ conference, incident }) => `${conference} ${incident}`);
    assert.equal(new Set(incidents).size, 2);
    assert.equal(incidents.length, 4);
  });

  it('a second session node for the same conference and endpoint cannot join, until the first has ended (section 3)', async () => {
    flow = await Flow.load(
      nodes(
        packNode('conference-session', 'first'),
        packNode('conference-session', 'second', { failedOperations: 'catch' }),
      ),
    );
    await flow.ask('first', 'join').done;
    const error = await flow.askAndWait('second', 'join');
    assert.deepEqual([error?.code, error?.cause?.name], ['InvalidOperation', 'InvalidOperationException']);
    flow.mark();
    flow.ask('first', 'status');
    assert.equal(flow.since()[0].result.state, 'Connected');
    await flow.askAndWait('first', 'terminate');
    assert.equal(await flow.askAndWait('second', 'join'), undefined);
    assert.match(flow.status('second')?.text ?? '', /^Connected/);
  });

  it('a second mcu-session for the same MCU and conference is a red status, one log line, and no session (section 6)', async () => {
    flow = await Flow.load(
      nodes(
        packNode('conference-session', 'session'),
        packNode('mcu-session', 'first'),
        packNode('mcu-session', 'second'),
        packNode('mcu-session', 'any', { conference: '' }),
      ),
    );
    const [problem, ...others] = flow.takeErrors();
    assert.deepEqual([problem?.node, others.length], ['second', 0]);
    assert.equal(flow.logged().length, 1);
    await flow.join('session', ['audio-video']);
    assert.deepEqual([flow.status('second')?.fill, flow.status('first')?.fill], ['red', 'green']);
    const error = await flow.askAndWait('second', 'call');
    assert.equal(error?.cause?.name, 'InvalidOperationException');
    // The one for any conference leaves this one to the node that is for just this.
    assert.deepEqual(
      flow
        .since()
        .filter(({ mcu }) => mcu)
        .map(({ state }) => state)
        .filter(Boolean),
      ['Idle', 'Active'].slice(1),
    );
  });

  it('an MCU session without a conference session refuses, and is otherwise quiet (MCU-14)', async () => {
    flow = await Flow.load(nodes(packNode('mcu-session', 'mcu')));
    for (const command of [
      'call',
      'mute',
      'hang-up',
      { command: 'send', text: 'hello' },
      { command: 'dial-out', participant: 'sip:a@b.c' },
    ]) {
      const error = await flow.askAndWait('mcu', command);
      assert.equal(error?.cause?.name, 'InvalidOperationException');
      assert.equal(error?.cause?.retryable, false);
    }
    assert.equal(await flow.askAndWait('mcu', 'status'), undefined);
    assert.deepEqual(
      flow.since().map(({ result }) => result.state),
      ['Idle'],
    );
  });
});

describe('wrong settings', () => {
  let flow: Flow;
  afterEach(() => flow.unload());
  const users = ['session', 'mcu', 'injector'];
  const all = (config: object): FlowNode[] => [
    packNode('conference-session', 'session', { ...config, failedOperations: 'catch' }),
    packNode('mcu-session', 'mcu', { ...config, failedOperations: 'catch' }),
    packNode('fault-injector', 'injector', { ...config }),
    packNode('failover-detector', 'detector'),
  ];

  async function expectRefusals(): Promise<void> {
    for (const [user, command] of [
      ['session', 'join'],
      ['mcu', 'call'],
      ['injector', 'kill-front-end'],
    ] as const) {
      assert.equal(flow.status(user)?.fill, 'red', user);
      const error = await flow.askAndWait(user, command);
      assert.equal(error?.cause?.name, 'InvalidOperationException');
      assert.equal(flow.status(user)?.fill, 'red', user);
    }
    assert.notEqual(flow.status('detector')?.fill, 'red');
  }

  for (const endpoint of ['', 'gone']) {
    it(`no endpoint (${endpoint || 'none chosen'}): red, one log line at each, typed errors (section 6)`, async () => {
      flow = await Flow.load([tab, ...all({ endpoint })]);
      assert.deepEqual(
        flow.takeErrors().map(({ node }) => node),
        users,
      );
      await expectRefusals();
    });
  }

  for (const [what, config] of [
    ['no front ends', { frontEnds: '0' }],
    ['half a hop', { hops: '0.5' }],
    ['SIP without a host', { system: 'sip', uri: 'sip:a@b.c' }],
    ['SIP with a URI that is none', { system: 'sip', host: '127.0.0.1', uri: 'nobody' }],
    ['SIP with a port that is none', { system: 'sip', host: '127.0.0.1', uri: 'sip:a@b.c', port: '70000' }],
    ['SIP with a CA file that is not there', { system: 'sip', host: 'b.c', uri: 'sip:a@b.c', caFile: '/nowhere.pem' }],
  ] as const) {
    it(`an endpoint that cannot be (${what}): one line in the log, red at its users, no crash (section 6)`, async () => {
      flow = await Flow.load([tab, packNode('conference-endpoint', 'endpoint', config), ...all({})]);
      assert.deepEqual(
        flow.takeErrors().map(({ node }) => node),
        ['endpoint'],
      );
      assert.equal(flow.logged().length, 1);
      assert.match(flow.logged()[0] ?? '', /^conference-endpoint: /);
      await expectRefusals();
    });
  }

  it('give-up criteria that make no sense are a red status and one log line, and 5 minutes decide (GU-8, section 6)', async () => {
    const criteria = JSON.stringify({ any: [{ attempts: 3 }, { elapsedMs: 'soon' }] });
    flow = await Flow.load([
      tab,
      packNode('give-up-timer', 'mistaken', { criteria, giveUpAfter: '1' }),
      packNode('give-up-timer', 'right', { criteria: JSON.stringify({ attempts: 3 }), giveUpAfter: '1' }),
    ]);
    assert.deepEqual(
      flow.takeErrors().map(({ node }) => node),
      ['mistaken'],
    );
    assert.equal(flow.logged().length, 1);
    assert.match(flow.logged()[0] ?? '', /criteria\.any\[1\]\.elapsedMs must be a number of milliseconds from 1/);
    assert.equal(flow.status('mistaken')?.text, 'criteria.any[1].elapsedMs is wrong');
    const reconnecting = {
      event: 'session-status',
      source: 'conference-session',
      conference: CONFERENCE,
      state: 'Reconnecting',
      mode: 'recovering',
      dialog: 1,
      seq: 1,
      incident: 'outage-1',
      active: true,
    };
    const armed = ['mistaken', 'right'].map((node) => {
      flow.mark();
      flow.ask(node, reconnecting);
      return flow.since('give-up-armed')[0];
    });
    assert.deepEqual(
      armed.map((told) => told?.criteria),
      [['elapsed'], ['attempts']],
    );
    assert.equal(Date.parse(armed[0]?.deadlineAt) - Date.parse(armed[0]?.at), 300_000);
    assert.equal(flow.status('mistaken')?.fill, 'red');
    assert.equal(flow.status('right')?.text, 'Reconnecting');
  });

  it('a fault-injector on a SIP endpoint says that it is not supported (section 7)', async () => {
    flow = await Flow.load([
      tab,
      packNode('conference-endpoint', 'endpoint', { system: 'sip', host: '127.0.0.1', port: '5060', uri: 'sip:a@b.c' }),
      packNode('fault-injector', 'injector'),
    ]);
    assert.equal(flow.takeErrors().length, 1);
    assert.equal(flow.status('injector')?.fill, 'red');
    const error = await flow.askAndWait('injector', 'kill-front-end');
    assert.deepEqual([error?.code, error?.cause?.name], ['NotSupported', 'InvalidOperationException']);
    assert.equal(flow.status('injector')?.fill, 'red');
  });

  it('a SIP server that is not there fails the join, and leaves no socket (ST-4)', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await new Promise((listening) => server.once('listening', listening));
    const { port } = server.address() as AddressInfo;
    await new Promise((closed) => server.close(closed));
    flow = await Flow.load([
      tab,
      packNode('conference-endpoint', 'endpoint', {
        system: 'sip',
        host: '127.0.0.1',
        port: `${port}`,
        uri: 'sip:a@127.0.0.1',
      }),
      packNode('conference-session', 'session'),
    ]);
    const error = await flow.askAndWait('session', 'join');
    assert.equal(error?.cause?.name, 'ConnectionFailureException');
    assert.deepEqual(flow.states(), ['Idle → Connecting, JoinRequested', 'Connecting → Idle, JoinFailed']);
  });

  it('a configuration of a newer version: a red status that says so, and the node runs on what it knows', async () => {
    flow = await Flow.load([
      tab,
      packNode('conference-endpoint', 'endpoint', { configVersion: 99 }),
      packNode('conference-session', 'session', { configVersion: 99 }),
      packNode('give-up-timer', 'give-up', { configVersion: 99 }),
    ]);
    assert.equal(flow.takeErrors().length, 3);
    for (const id of ['session', 'give-up']) {
      assert.equal(flow.status(id)?.fill, 'red');
      assert.equal(flow.status(id)?.text, 'newer configuration');
    }
    assert.equal(await flow.askAndWait('session', 'join'), undefined);
  });

  it('an endpoint from before there was a choice of transports means TCP and port 5060', async () => {
    flow = await Flow.load([
      tab,
      packNode('conference-endpoint', 'endpoint', {
        system: 'sip',
        host: '127.1.2.3',
        uri: 'sip:a@127.0.0.1',
        port: undefined,
        transport: undefined,
      }),
      packNode('conference-session', 'session'),
    ]);
    const error = await flow.askAndWait('session', 'join');
    assert.match(error?.cause?.message ?? '', /127\.1\.2\.3:5060 \(TCP\): connection refused/);
  });

  const askingForAlice: Script = ({ headers }) => {
    const known = headers.authorization?.includes('username="alice"');
    return known
      ? { status: '200 OK' }
      : { status: '401 Unauthorized', headers: ['WWW-Authenticate: Digest realm="a", nonce="b"'] };
  };

  for (const username of ['alice', 'bob']) {
    it(`answers a SIP server that asks who we are, as ${username}, and fails with AuthenticationException if it must`, async () => {
      const server = await new ScriptedFocus().start();
      server.script = askingForAlice;
      flow = await Flow.load(
        [
          tab,
          packNode('conference-endpoint', 'endpoint', {
            system: 'sip',
            host: '127.0.0.1',
            port: `${server.port}`,
            uri: 'sip:a@127.0.0.1',
          }),
          packNode('conference-session', 'session'),
        ],
        { credentials: { endpoint: { username, password: 'secret' } } },
      );
      const error = await flow.askAndWait('session', 'join');
      assert.equal(error?.cause?.name, username === 'alice' ? undefined : 'AuthenticationException');
      await flow.stop();
      await server.stop();
    });
  }

  it('a user name that cannot stand in a header is a configuration error (section 6)', async () => {
    flow = await Flow.load(
      [tab, packNode('conference-endpoint', 'endpoint', { system: 'sip', host: 'a', uri: 'sip:a@b.c' })],
      { credentials: { endpoint: { username: 'a"b', password: 'secret' } } },
    );
    assert.equal(flow.takeErrors().length, 1);
    assert.match(flow.logged()[0] ?? '', /user name must not contain quotes/);
    assert.ok(!flow.logged().join().includes('secret'));
  });
});

describe('faults', () => {
  let flow: Flow;
  afterEach(() => flow.unload());

  it('an impossible fault is one typed error, a possible one one fact (section 7)', async () => {
    flow = await Flow.load(canonical());
    for (const fault of [
      'kill-front-end',
      'restore-front-end',
      'restore-hop',
      'admit',
      'eject',
      'end-conference',
      { command: 'roll-over-mcu', mcu: 'audio-video' },
      { command: 'kill-front-end', frontEnd: 'front-end-9' },
      { command: 'participant-leave', participant: 'sip:ada@pool.example' },
    ]) {
      const error = await flow.askAndWait('injector', fault);
      assert.equal(error?.cause?.name, 'InvalidOperationException', JSON.stringify(fault));
    }
    await flow.join();
    await flow.call();
    flow.mark();
    const faults = [
      'status',
      { command: 'drop-media', mcu: 'audio-video' },
      { command: 'restore-media', mcu: 'audio-video' },
      { command: 'participant-join', participant: 'sip:edsger@pool.example' },
      { command: 'participant-leave', participant: 'sip:edsger@pool.example' },
      { command: 'break-hop', how: 'stale-route' },
      'restore-hop',
      { command: 'kill-front-end', frontEnd: 'front-end-1' },
      'restore-front-end',
      'end-conference',
    ];
    for (const fault of faults) assert.equal(await flow.askAndWait('injector', fault), undefined);
    assert.deepEqual(
      flow.since('fault-injected').map(({ fault }) => fault),
      faults.map((fault) => (typeof fault === 'string' ? fault : fault.command)),
    );
    await flow.waitFor(({ state, reason }) => state === 'Disconnected' && reason === 'ConferenceEnded', 'ended');
  });
});

describe('operations of an MCU session', () => {
  let flow: Flow;
  afterEach(() => flow.unload());

  const operations = (effects: Loose[]): string[] =>
    effects.filter(({ purpose }) => purpose === 'operation').map(({ operation }) => operation);

  it('wait for an Idle MCU, and leave at its activation in their order, once (Q-1 Q-2 Q-4 MCU-2)', async () => {
    flow = await Flow.load(
      canonical({
        'audio-video': { activationTimeout: '400', activationTimeoutUnit: 'ms' },
        session: { heartbeat: '600', heartbeatUnit: 'ms' },
      }),
    );
    const effects = flow.effectsOf();
    await flow.ask('session', 'join').done;
    const asked = [
      flow.ask('audio-video', { command: 'dial-out', participant: 'sip:edsger@pool.example' }),
      flow.ask('audio-video', { command: 'mute', participant: 'sip:ada@pool.example' }),
      flow.ask('audio-video', 'unmute'),
    ];
    flow.mark();
    flow.ask('audio-video', 'status');
    assert.deepEqual(
      flow.since().map(({ result }) => [result.state, result.queued]),
      [['Idle', 3]],
    );
    assert.deepEqual(operations(effects), []);
    for (const { done } of asked) assert.equal(await done, undefined);
    await flow.waitFor(({ signal }) => signal === 'heartbeat', 'a heartbeat after the deadline');
    assert.deepEqual(operations(effects), ['dial-out', 'mute', 'unmute']);
    assert.deepEqual(
      flow
        .since('operation-completed')
        .filter(({ mcu, operation }) => mcu && operation !== 'status')
        .map(({ operation }) => operation),
      ['dial-out', 'mute', 'unmute'],
    );
  });

  it('are sent all the same when the activation does not come in time, once (Q-3 Q-5)', async () => {
    flow = await Flow.load(canonical({ 'audio-video': { activationTimeout: '50', activationTimeoutUnit: 'ms' } }));
    const effects = flow.effectsOf();
    await flow.ask('session', 'join').done;
    const isActive = flow.waitFor(({ state, mcu }) => state === 'Active' && mcu === 'audio-video', 'Active');
    await flow.ask('audio-video', 'mute').done;
    assert.equal(flow.since('operation-failed')[0].error.code, 'SIP-503');
    await isActive;
    await flow.askAndWait('session', { command: 'lock' });
    assert.deepEqual(operations(effects), ['mute', 'lock']);
  });

  it('fail when the Focus fails over before the MCU was active (Q-6 Q-9)', async () => {
    flow = await Flow.load(canonical());
    await flow.ask('session', 'join').done;
    const queued = flow.ask('audio-video', 'mute');
    flow.ask('injector', 'kill-front-end');
    flow.ask('session', { command: 'lock' });
    await queued.done;
    const [error] = flow
      .since('operation-failed')
      .filter(({ mcu }) => mcu)
      .map((failed) => failed.error);
    assert.deepEqual([error.name, error.code, error.retryable], ['OperationFailureException', 'SessionRetrying', true]);
    await flow.waitFor(({ state, reason }) => state === 'Connected' && reason === 'Rejoined', 'Rejoined');
  });

  it('fail when the session ends before the MCU was active, and done is called once (Q-7 Q-9)', async () => {
    flow = await Flow.load(canonical());
    await flow.ask('session', 'join').done;
    const queued = flow.ask('chat', 'mute');
    const terminated = flow.ask('session', 'terminate');
    await Promise.all([queued.done, terminated.done]);
    assert.equal(queued.dones, 1);
    assert.deepEqual(
      flow.since('operation-failed').map(({ mcu, error }) => `${mcu} ${error.code}`),
      ['chat SessionTerminated'],
    );
    assert.equal(await flow.askAndWait('session', 'terminate'), undefined);
  });

  it('a chat call carries text, whatever the session is doing, and hang-up ends it (O4)', async () => {
    flow = await Flow.load(canonical());
    await flow.join();
    const send = { command: 'send', text: 'hello' };
    await flow.ask('chat', send).done;
    assert.equal(flow.since('operation-failed').at(-1).error.name, 'InvalidOperationException');
    await flow.ask('chat', 'call').done;
    flow.mark();
    await flow.ask('chat', send, { own: 1 }).done;
    assert.deepEqual(
      flow.since('operation-completed').map(({ operation }) => operation),
      ['send'],
    );
    // While the route is healed, text is tried, and fails as it does.
    flow.ask('injector', { command: 'break-hop', how: 'refuse' });
    await flow.waitFor(({ state }) => state === 'Reconnecting', 'Reconnecting');
    flow.mark();
    await flow.ask('chat', send).done;
    assert.equal(flow.since('operation-failed')[0].error.name, 'ConnectionFailureException');
    flow.ask('injector', 'restore-hop');
    await flow.waitFor(({ state }) => state === 'Connected', 'Connected');
    flow.mark();
    await flow.ask('chat', 'hang-up').done;
    assert.deepEqual(
      flow.since('call-state-changed').map(({ state, reason }) => `${state} ${reason}`),
      ['Terminating HungUp', 'Terminated HungUp'],
    );
    assert.deepEqual(
      flow.since('operation-completed').map(({ operation }) => operation),
      ['hang-up'],
    );
    await flow.ask('chat', 'hang-up').done;
    assert.equal(flow.since('operation-failed')[0].error.name, 'InvalidOperationException');
  });

  it('text to an audio call is not supported', async () => {
    flow = await Flow.load(canonical());
    await flow.join();
    await flow.call();
    await flow.ask('audio-video', { command: 'send', text: 'hello' }).done;
    assert.equal(flow.since('operation-failed')[0].error.code, 'NotSupported');
  });

  it('a text that is under way when the session ends is told as failed, once (section 6, ORD-3)', async () => {
    flow = await Flow.load(canonical({ session: { closingTimeout: '50', closingTimeoutUnit: 'ms' } }));
    await flow.join();
    await flow.ask('chat', 'call').done;
    await flow.askAndWait('injector', { command: 'break-hop', how: 'silent' });
    flow.mark();
    const text = flow.ask('chat', { command: 'send', text: 'hello' });
    await flow.ask('session', 'terminate').done;
    await flow.until(() => text.dones > 0, 'done of the text');
    assert.deepEqual(
      flow.since('operation-failed').map(({ operation }) => operation),
      ['send'],
    );
  });

  it('a call under way when its session ends is told as failed, once (MCU-11)', async () => {
    flow = await Flow.load(canonical({ session: { closingTimeout: '50', closingTimeoutUnit: 'ms' } }));
    await flow.join();
    await flow.askAndWait('injector', { command: 'break-hop', how: 'silent' });
    flow.mark();
    const call = flow.ask('chat', 'call');
    const lock = flow.ask('session', { command: 'lock' });
    const terminates = [flow.ask('session', 'terminate'), flow.ask('session', 'terminate')];
    await Promise.all([call.done, lock.done, ...terminates.map(({ done }) => done)]);
    assert.deepEqual(
      flow.since('operation-failed').map(({ operation, error }) => `${operation} ${error.code}`),
      ['call SessionTerminated', 'lock SessionTerminated'],
    );
    assert.deepEqual(
      flow.since('operation-completed').map(({ operation }) => operation),
      ['terminate', 'terminate'],
    );
    assert.equal(await flow.askAndWait('session', 'terminate'), undefined);
  });
});

describe('statuses', () => {
  let flow: Flow;
  afterEach(() => flow.unload());
  // Flow checks for every status that it is short enough.

  const shown = (node: string): string[] =>
    flow.statuses.filter((status) => status.node === node).map(({ fill, shape, text }) => `${fill} ${shape} ${text}`);

  it('of all nodes tell each state, and yellow or red what lasts', async () => {
    flow = await Flow.load(
      canonical({
        'give-up': { tick: '50', tickUnit: 'ms', giveUpAfter: '60', giveUpAfterUnit: 's' },
        endpoint: { lobby: true },
      }),
    );
    flow.ask('session', 'join');
    await flow.waitFor(({ state }) => state === 'InLobby', 'InLobby');
    const active = flow.until(
      () => flow.since('state-changed').filter(({ state }) => state === 'Active').length === 2,
      'two Active',
    );
    await flow.askAndWait('injector', 'admit');
    await active;
    await flow.call();
    flow.ask('injector', { command: 'roll-over-mcu', mcu: 'audio-video' });
    await flow.waitFor(({ event }) => event === 'call-available', 'call-available');
    await flow.waitFor(({ phase }) => phase === 'cleared', 'cleared');
    flow.ask('injector', { command: 'break-hop', how: 'refuse' });
    await flow.until(() => flow.since('heal-attempted').length >= 2, 'two attempts');
    flow.ask('give-up', 'pause');
    flow.ask('give-up', 'resume');
    flow.ask('injector', 'restore-hop');
    await flow.waitFor(({ event }) => event === 'give-up-cancelled', 'recovered');
    flow.ask('injector', 'kill-front-end');
    flow.ask('session', { command: 'lock' });
    await flow.waitFor(({ reason }) => reason === 'Rejoined', 'Rejoined');
    await flow.ask('session', 'terminate').done;
    await flow.until(() => flow.status('audio-video')?.text === 'Terminated', 'Terminated');

    // How long each has lasted is not the same at every run.
    const session = shown('session').map((status) => status.replace(/ · for \d+ s$/, ''));
    assert.deepEqual(
      session.filter((status, index) => status !== session[index - 1] && !status.endsWith('attempt 3')),
      [
        'grey ring Idle',
        'yellow ring Connecting',
        'blue ring InLobby',
        'green dot Connected · 4 participants',
        'yellow ring Reconnecting · attempt 1',
        'yellow ring Reconnecting · attempt 2',
        'green dot Connected · 4 participants',
        'yellow ring Reconnecting · rejoining',
        'green dot Connected · 4 participants',
        'yellow ring Disconnecting',
        'grey ring Disconnected',
      ],
    );
    const mcu = shown('audio-video').join('\n');
    for (const words of [
      'grey ring Idle',
      'green dot Active · 3 participants',
      'green dot Active · call Establishing',
      'green dot Active · call Established',
      'yellow ring Retrying · call Terminated',
      'grey ring Terminated',
    ])
      assert.ok(mcu.includes(words), `${words} in\n${mcu}`);
    const detector = shown('detector').join('\n');
    for (const words of [
      'green dot all well',
      'yellow ring audio-video failed',
      'yellow ring hop failed',
      'yellow ring focus failed',
      'yellow ring focus failed-over',
    ])
      assert.ok(detector.includes(words), `${words} in\n${detector}`);
    const healer = shown('healer').join('\n');
    for (const words of [
      'green dot Healthy',
      'blue ring repairing',
      'yellow ring Recovering · attempt 1',
      'yellow ring Recovering · attempt 2',
      'yellow ring Recovering · attempt 1 · next in 1 s',
    ])
      assert.ok(healer.includes(words), `${words} in\n${healer}`);
    const giveUp = shown('give-up').join('\n');
    for (const words of ['grey ring not armed', 'blue dot Reconnecting · 60 s left', 'blue ring paused'])
      assert.ok(giveUp.includes(words), `${words} in\n${giveUp}`);
    assert.equal(flow.status('injector')?.text, 'kill-front-end');
  });

  it('count when there are several conferences', async () => {
    flow = await Flow.load(
      canonical(
        Object.fromEntries(
          ['session', 'detector', 'audio-video', 'chat', 'healer', 'give-up', 'injector'].map((id) => [
            id,
            { conference: '', alias: '' },
          ]),
        ),
      ),
    );
    assert.deepEqual(
      ['session', 'audio-video', 'detector', 'healer', 'give-up'].map((node) => flow.status(node)?.text),
      ['Idle', 'Idle', 'waiting', 'waiting', 'not armed'],
    );
    for (const conference of [CONFERENCE, OTHER]) flow.ask('session', { command: 'join', conference });
    await flow.until(
      () => flow.since('state-changed').filter(({ state }) => state === 'Active').length === 4,
      'four Active',
    );
    flow.ask('injector', { command: 'roll-over-mcu', mcu: 'audio-video', conference: OTHER });
    await flow.until(() => flow.status('audio-video')?.fill === 'yellow');
    await flow.until(() => flow.status('audio-video')?.fill === 'green');
    flow.ask('injector', { command: 'break-hop', how: 'refuse', conference: OTHER });
    await flow.until(
      () => flow.status('session')?.text === '2 of 2 recovering' && flow.status('give-up')?.text === '2 of 2 armed',
    );
    flow.ask('injector', { command: 'restore-hop', conference: OTHER });
    await flow.until(
      () => flow.status('session')?.text === '2 conferences' && flow.status('give-up')?.text === 'not armed',
    );
    const texts = (node: string): string => shown(node).join('\n');
    assert.match(texts('audio-video'), /^yellow ring 1 of 2 Retrying$/m);
    assert.match(texts('audio-video'), /^green dot 2 Active$/m);
    assert.match(texts('detector'), /^yellow ring 2 of 2 failing$/m);
    assert.match(texts('healer'), /^yellow ring 2 of 2 Recovering$/m);
    assert.match(texts('healer'), /^green dot 2 Healthy$/m);
  });

  it('are there right after a deployment, with what matters then', async () => {
    flow = await Flow.load(canonical());
    await flow.join();
    await flow.askAndWait('injector', { command: 'break-hop', how: 'refuse', forMs: 600_000 });
    await flow.waitFor(({ event }) => event === 'give-up-armed', 'armed');
    flow.ask('detector', { command: 'suppress', forMs: 600_000 });
    const before = flow.statuses.length;
    await flow.deploy(canonical({ 'give-up': { giveUpAfter: '200' } }), 'full');
    const first = (id: string): string => flow.statuses.slice(before).find(({ node }) => node === id)?.text ?? '';
    assert.match(first('session'), /^Reconnecting · attempt \d+/);
    assert.match(first('healer'), /^Recovering · attempt \d+/);
    assert.match(first('detector'), /^suppressed · 10 min left$/);
    assert.match(first('give-up'), /^Reconnecting · attempt \d+ · \d+ (s|min) left$/);
    assert.match(first('injector'), /^break-hop · 10 min left$/);
    assert.match(first('audio-video'), /^Active · \d participants$/);
    await flow.ask('session', 'terminate').done;
  });

  it('are cut where names are long', async () => {
    flow = await Flow.load(
      nodes(
        packNode('conference-session', 'session'),
        packNode('mcu-session', 'one', { mcu: 'x'.repeat(100) }),
        packNode('mcu-session', 'two', { mcu: 'x'.repeat(100) }),
      ),
    );
    assert.equal(flow.takeErrors().length, 1);
    assert.match(flow.status('two')?.text ?? '', /^second session of x+…$/);
  });
});
