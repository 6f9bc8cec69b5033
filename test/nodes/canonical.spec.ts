import assert from 'node:assert/strict';
import { CONFERENCE, canonical, canonicalFile, Flow, type Loose } from '../support/flow';

const newcomer = 'sip:edsger@pool.example';
const leaver = 'sip:alan@pool.example';

/** All that left during an outage names the same one, and only the closing facts say that it is over. */
function assertOneIncident(messages: Loose[], incident: string): void {
  const named = messages.filter((message) => typeof message.incident === 'string');
  assert.ok(named.length > 2);
  assert.deepEqual([...new Set(named.map((message) => message.incident))], [incident]);
}

describe('examples/canonical.json', () => {
  it('holds no function node, and none but nodes of the pack that act', () => {
    const types = new Set(canonicalFile().map(({ type }) => type));
    for (const type of ['function', 'switch', 'change']) assert.ok(!types.has(type));
  });
});

describe('the canonical flow', () => {
  let flow: Flow;
  afterEach(() => flow.unload());

  it('front end killed: fails over to another with one re-join, keeps the call (FE-1 FE-3 FE-5 FE-6 FE-7 FE-8 FE-9 FE-11 FE-14 FE-17 FE-18 FE-19 FE-29 MSG-1)', async () => {
    flow = await Flow.load(canonical());
    await flow.join();
    await flow.call();
    const effects = flow.effectsOf();
    flow.mark();
    flow.ask('injector', 'kill-front-end');
    const pending = [flow.ask('session', { command: 'lock' }), flow.ask('audio-video', { command: 'mute' })];
    flow.ask('injector', { command: 'participant-join', participant: newcomer });
    flow.ask('injector', { command: 'participant-leave', participant: leaver });
    const opening = await flow.waitFor(({ state }) => state === 'Reconnecting', 'Reconnecting');
    flow.ask('session', { command: 'unlock' });
    flow.ask('chat', { command: 'mute' });
    const closing = await flow.waitFor(({ state }) => state === 'Connected', 'Connected');
    await flow.until(() => flow.since('state-changed').filter(({ state }) => state === 'Active').length === 2);

    assert.deepEqual(flow.states(), [
      'Connected → Reconnecting (rejoining), FocusFailover',
      'Reconnecting → Connected, Rejoined',
    ]);
    assert.equal(effects.filter(({ effect }) => effect === 'join').length, 1);
    assert.deepEqual(
      flow
        .since('operation-failed')
        .map(({ operation, error, source }) => `${source} ${operation} ${error.name} ${error.code}`),
      [
        'mcu-session mute OperationFailureException SessionRetrying',
        'conference-session lock OperationFailureException SessionRetrying',
        'conference-session unlock RealTimeInvalidOperationException RetryableOperation',
        'mcu-session mute RealTimeInvalidOperationException RetryableOperation',
      ],
    );
    for (const { dones } of pending) assert.equal(dones, 1);
    assert.equal(effects.filter(({ operation }) => operation === 'unlock').length, 0);
    // The call goes on.
    assert.deepEqual(flow.since('call-state-changed'), []);
    assert.deepEqual(flow.since('media-changed'), []);
    assert.deepEqual(
      flow
        .since('state-changed')
        .filter(({ mcu }) => mcu)
        .map(({ mcu, previous, state, reason }) => `${mcu} ${previous} → ${state} ${reason}`)
        .sort(),
      [
        'audio-video Active → Retrying FocusFailover',
        'audio-video Retrying → Active McuReportedActive',
        'chat Active → Retrying FocusFailover',
        'chat Retrying → Active McuReportedActive',
      ],
    );
    // One fresh roster, told as a difference.
    const rosters = flow.since('roster-changed').filter(({ source }) => source === 'conference-session');
    assert.equal(rosters.length, 1);
    const [{ joined, left, changed, cause, total }] = rosters;
    assert.deepEqual(
      [joined.map(({ entity }: Loose) => entity), left.map(({ entity }: Loose) => entity)],
      [[newcomer], [leaver]],
    );
    assert.deepEqual([changed, cause, total], [[], 'resync', 4]);
    // One incident, opened and closed.
    assert.deepEqual([opening.active, closing.active], [true, false]);
    assert.equal(opening.severity, 'warning');
    assert.equal(closing.severity, 'info');
    assert.deepEqual([opening.dialog, closing.dialog], [1, 2]);
    assertOneIncident(flow.since(), opening.incident);
    assert.equal(closing.incident, opening.incident);
    assert.equal(closing.attempts, 1);
    assert.equal(closing.elapsedMs, Date.parse(closing.endedAt) - Date.parse(closing.startedAt));
    // And the conference is there.
    flow.mark();
    assert.equal(await flow.askAndWait('session', { command: 'lock' }), undefined);
    assert.equal(flow.since('operation-completed')[0].operation, 'lock');
    assert.deepEqual(flow.since('route-status-changed'), []);
  });

  it('a second failover is recovered from too, as another incident (FE-25)', async () => {
    flow = await Flow.load(canonical());
    await flow.join();
    const incidents = new Set<string>();
    for (const dialog of [2, 3]) {
      flow.mark();
      flow.ask('injector', 'kill-front-end');
      flow.ask('session', { command: 'lock' });
      const connected = await flow.waitFor(({ state }) => state === 'Connected', 'Connected');
      assert.equal(connected.dialog, dialog);
      incidents.add(connected.incident);
      await flow.askAndWait('injector', 'restore-front-end');
    }
    assert.equal(incidents.size, 2);
  });

  it('the re-join fails: the session ends, after one attempt (FE-12 MCU-11 ST-13 ORD-3)', async () => {
    flow = await Flow.load(
      canonical({
        session: { rejoinTimeout: '300', rejoinTimeoutUnit: 'ms' },
        endpoint: { failoverDelay: '10', failoverDelayUnit: 's' },
        detector: { failoverWindow: '200', failoverWindowUnit: 'ms' },
      }),
    );
    await flow.join();
    const effects = flow.effectsOf();
    flow.mark();
    flow.ask('injector', 'kill-front-end');
    flow.ask('session', { command: 'lock' });
    const ended = await flow.waitFor(
      ({ state, source }) => state === 'Disconnected' && source === 'conference-session',
      'Disconnected',
    );
    assert.deepEqual(flow.states(), [
      'Connected → Reconnecting (rejoining), FocusFailover',
      'Reconnecting → Disconnecting, RejoinFailed',
      'Disconnecting → Disconnected, RejoinFailed',
    ]);
    assert.equal(effects.filter(({ effect }) => effect === 'join').length, 1);
    const all = flow.since();
    const terminated = all.filter(({ source, state }) => source === 'mcu-session' && state === 'Terminated');
    assert.equal(terminated.length, 2);
    for (const before of terminated) assert.ok(all.indexOf(before) < all.indexOf(ended));
    const lost = flow.since('state-changed').find(({ state }) => state === 'Disconnecting');
    assert.deepEqual([lost.severity, lost.active], ['critical', false]);
  });

  it('MCU rolled over: its call ends and can be placed again, nothing else changes (MCU-4 MCU-5 MCU-7 MCU-8 MCU-9 MCU-10)', async () => {
    flow = await Flow.load(canonical());
    await flow.join();
    await flow.call();
    await flow.askAndWait('chat', { command: 'call' });
    flow.mark();
    flow.ask('injector', { command: 'roll-over-mcu', mcu: 'audio-video' });
    const opening = await flow.waitFor(({ state, mcu }) => state === 'Retrying' && mcu === 'audio-video', 'Retrying');
    const refused = flow.ask('audio-video', { command: 'call' });
    await refused.done;
    const closing = await flow.waitFor(({ state, mcu }) => state === 'Active' && mcu === 'audio-video', 'Active');
    await flow.waitFor(({ event }) => event === 'call-available', 'call-available');
    await flow.waitFor(({ event, phase }) => event === 'failover-detected' && phase === 'cleared', 'cleared');

    assert.deepEqual(flow.states(), []);
    assert.deepEqual(
      flow
        .since('call-state-changed')
        .map(({ mcu, previous, state, reason }) => `${mcu} ${previous} → ${state}, ${reason}`),
      ['audio-video Established → Terminated, TerminatedByMcuFailover'],
    );
    assert.deepEqual(
      flow.since('state-changed').map(({ mcu, state, reason }) => `${mcu} ${state} ${reason}`),
      ['audio-video Retrying McuFailover', 'audio-video Active McuReportedActive'],
    );
    assert.equal(flow.since('operation-failed')[0].error.code, 'RetryableOperation');
    assert.equal(opening.incident, closing.incident);
    assert.deepEqual([opening.active, closing.active], [true, false]);
    assertOneIncident(flow.since(), opening.incident);
    flow.mark();
    assert.equal(await flow.askAndWait('audio-video', { command: 'call' }), undefined);
    assert.deepEqual(
      flow.since('call-state-changed').map(({ state }) => state),
      ['Establishing', 'Established'],
    );
  });

  it('hop broken longer than the repair: Recovering, UPDATEs, Healthy, same dialog (HOP-2 HOP-4 HOP-5 HOP-6 HOP-20 HOP-21 FE-8)', async () => {
    flow = await Flow.load(canonical());
    await flow.join();
    await flow.call();
    const effects = flow.effectsOf();
    flow.mark();
    flow.ask('injector', { command: 'break-hop', how: 'refuse' });
    const opening = await flow.waitFor(({ state }) => state === 'Reconnecting', 'Reconnecting');
    flow.ask('session', { command: 'lock' });
    flow.ask('audio-video', { command: 'mute' });
    await flow.until(() => flow.since('heal-attempted').length >= 2, 'two attempts');
    flow.ask('injector', 'restore-hop');
    const closing = await flow.waitFor(({ state }) => state === 'Connected', 'Connected');
    await flow.waitFor(({ event }) => event === 'give-up-cancelled', 'give-up-cancelled');

    assert.deepEqual(flow.states(), [
      'Connected → Reconnecting (recovering), RouteBroken',
      'Reconnecting → Connected, RouteHealed',
    ]);
    assert.deepEqual(
      flow.since('route-status-changed').map(({ status }) => status),
      ['Recovering', 'Healthy'],
    );
    assert.deepEqual(
      flow.since('operation-failed').map(({ operation, error }) => `${operation} ${error.code}`),
      ['lock RetryableOperation', 'mute RetryableOperation'],
    );
    assert.deepEqual(
      flow.since('state-changed').filter(({ source }) => source === 'mcu-session'),
      [],
    );
    assert.deepEqual(flow.since('call-state-changed'), []);
    assert.deepEqual(
      effects.filter(({ effect }) => effect === 'join'),
      [],
    );
    const heals = effects.filter(({ purpose }) => purpose === 'heal');
    assert.ok(heals.every(({ method }) => method === 'UPDATE'));
    assert.equal(heals.length, flow.since('heal-attempted').length);
    assert.deepEqual([opening.active, closing.active, opening.dialog, closing.dialog], [true, false, 1, 1]);
    assert.equal(closing.attempts, heals.length);
    assertOneIncident(flow.since(), opening.incident);
    assert.deepEqual(flow.since('give-up-armed').length, 1);
    assert.deepEqual(
      flow.since('give-up-cancelled').map(({ reason }) => reason),
      ['recovered'],
    );
  });

  it('a silent hop is found by the operation that gets no answer, which is sent again (HOP-2 HOP-6 HOP-16)', async () => {
    flow = await Flow.load(
      canonical({
        session: { operationTimeout: '600', operationTimeoutUnit: 'ms', repairTimeout: '300', repairTimeoutUnit: 'ms' },
        healer: { mode: 'LimitedRetry', horizon: '1', horizonUnit: 'min' },
      }),
    );
    await flow.join();
    const effects = flow.effectsOf();
    flow.mark();
    await flow.askAndWait('injector', { command: 'break-hop', how: 'silent' });
    const lock = flow.ask('session', { command: 'lock' });
    await flow.waitFor(({ state }) => state === 'Reconnecting', 'Reconnecting');
    flow.ask('injector', 'restore-hop');
    await flow.waitFor(({ state }) => state === 'Connected', 'Connected');
    assert.equal(await lock.done, undefined);
    assert.equal(effects.filter(({ operation }) => operation === 'lock').length, 2);
    assert.deepEqual(flow.since('operation-completed').filter(({ operation }) => operation === 'lock').length, 1);
  });

  it('a stale route is repaired silently, and the operation sent once more (HOP-1 HOP-4 HEAL-1)', async () => {
    flow = await Flow.load(canonical());
    await flow.join();
    const effects = flow.effectsOf();
    flow.mark();
    await flow.askAndWait('injector', { command: 'break-hop', how: 'stale-route' });
    assert.equal(await flow.askAndWait('session', { command: 'lock' }), undefined);
    assert.deepEqual(flow.states(), []);
    assert.deepEqual(
      flow.since('route-status-changed').map(({ status }) => status),
      ['Healthy'],
    );
    assert.deepEqual(flow.since('operation-failed'), []);
    assert.deepEqual(
      flow.since('operation-completed').map(({ operation }) => operation),
      ['lock'],
    );
    assert.deepEqual(
      effects.filter(({ effect }) => effect === 'request').map(({ purpose }) => purpose),
      ['operation', 'heal', 'operation'],
    );
    const signals = flow.since('signal');
    assert.deepEqual(
      signals.map(({ status }) => status),
      [430, 200, 200],
    );
    assert.deepEqual(signals[0].recoveryAction, ['Dialog-Route-Set-Update']);
    assertOneIncident(
      flow.since().filter(({ incident }) => incident),
      flow.since('failover-detected')[0].incident,
    );
  });

  it('hop broken while InLobby: back to InLobby, the join stays pending until admitted (HOP-7 ST-5 ST-6 O21)', async () => {
    flow = await Flow.load(canonical({ endpoint: { lobby: true } }));
    const join = flow.ask('session', 'join');
    await flow.waitFor(({ state }) => state === 'InLobby', 'InLobby');
    flow.mark();
    flow.ask('injector', { command: 'break-hop', how: 'refuse' });
    const opening = await flow.waitFor(({ state }) => state === 'Reconnecting', 'Reconnecting');
    await flow.until(() => flow.since('heal-attempted').length >= 2, 'two attempts');
    flow.ask('injector', 'restore-hop');
    const closing = await flow.waitFor(({ state }) => state === 'InLobby', 'InLobby again');
    assert.deepEqual(flow.states(), [
      'InLobby → Reconnecting (recovering), RouteBroken',
      'Reconnecting → InLobby, RouteHealed',
    ]);
    assert.deepEqual(
      flow.since('route-status-changed').map(({ status }) => status),
      ['Recovering', 'Healthy'],
    );
    assert.equal(closing.incident, opening.incident);
    assert.equal(join.dones, 0);
    flow.mark();
    flow.ask('injector', 'admit');
    assert.equal(await join.done, undefined);
    assert.deepEqual(flow.states(), ['InLobby → Connected, Admitted']);
  });

  it('front end killed while InLobby: re-joins into the lobby, the join stays pending (FE-2 FE-15 O21)', async () => {
    flow = await Flow.load(canonical({ endpoint: { lobby: true }, session: { heartbeat: '60', heartbeatUnit: 'ms' } }));
    const join = flow.ask('session', 'join');
    await flow.waitFor(({ state }) => state === 'InLobby', 'InLobby');
    flow.mark();
    flow.ask('injector', 'kill-front-end');
    await flow.waitFor(({ state }) => state === 'InLobby', 'InLobby again');
    assert.deepEqual(flow.states(), [
      'InLobby → Reconnecting (rejoining), FocusFailover',
      'Reconnecting → InLobby, PlacedInLobby',
    ]);
    assert.equal(join.dones, 0);
    flow.ask('injector', 'admit');
    assert.equal(await join.done, undefined);
  });

  it('the re-join ends up in the lobby, and nothing is complete before the admission (FE-15 ST-6)', async () => {
    flow = await Flow.load(canonical());
    await flow.join();
    flow.mark();
    assert.equal(await flow.askAndWait('injector', 'place-in-lobby'), undefined);
    flow.ask('injector', 'kill-front-end');
    flow.ask('session', { command: 'lock' });
    await flow.waitFor(({ state }) => state === 'InLobby', 'InLobby');
    assert.equal(flow.status('session')?.text, 'InLobby');
    flow.ask('injector', 'admit');
    await flow.waitFor(({ state }) => state === 'Connected', 'Connected');
    assert.deepEqual(flow.states(), [
      'Connected → Reconnecting (rejoining), FocusFailover',
      'Reconnecting → InLobby, PlacedInLobby',
      'InLobby → Connected, Admitted',
    ]);
    await flow.until(() => flow.since('state-changed').filter(({ state }) => state === 'Active').length === 2);
  });

  it('hop never heals: the give-up timer ends the session once, and says why (GU-1 GU-3 GU-9 HOP-11)', async () => {
    flow = await Flow.load(
      canonical({ 'give-up': { giveUpAfter: '500', giveUpAfterUnit: 'ms', tick: '200', tickUnit: 'ms' } }),
    );
    await flow.join();
    await flow.call();
    flow.mark();
    flow.ask('injector', { command: 'break-hop', how: 'refuse' });
    const opening = await flow.waitFor(({ state }) => state === 'Reconnecting', 'Reconnecting');
    await flow.waitFor(
      ({ state, source }) => state === 'Disconnected' && source === 'conference-session',
      'Disconnected',
    );
    assert.deepEqual(flow.states(), [
      'Connected → Reconnecting (recovering), RouteBroken',
      'Reconnecting → Disconnecting, GaveUp',
      'Disconnecting → Disconnected, GaveUp',
    ]);
    const [closing] = flow.since('state-changed').filter(({ state }) => state === 'Disconnecting');
    assert.deepEqual([closing.criterion, closing.severity, closing.active], ['elapsed', 'critical', false]);
    assert.match(
      closing.explanation,
      /^Gave up after 0\.\d s in Reconnecting \(limit 0\.5 s\): \d healing attempts? failed\.$/,
    );
    assert.equal(closing.incident, opening.incident);
    assert.equal(flow.since('terminate').length, 1);
    assert.deepEqual(
      flow.since('gave-up').map(({ explanation }) => explanation),
      [closing.explanation],
    );
    assert.ok(flow.since('give-up-tick').length >= 1);
    assertOneIncident(flow.since(), opening.incident);
    // The session begins anew on demand.
    flow.ask('injector', 'restore-hop');
    flow.mark();
    await flow.join();
    assert.equal(flow.since('state-changed')[0].conference, CONFERENCE);
  });
});

describe('controls: the policy is on the wires, and nowhere else', () => {
  let flow: Flow;
  afterEach(() => flow.unload());

  /** The canonical flow without the wires from and to a node. */
  function cut(id: string, which: 'in' | 'out' | 'both', overrides = {}) {
    return canonical(overrides).map((node) => {
      if (!node.wires) return node;
      if (node.id === id) return which === 'in' ? node : { ...node, wires: node.wires.map((): string[] => []) };
      return which === 'out' ? node : { ...node, wires: node.wires.map((wire) => wire.filter((to) => to !== id)) };
    });
  }

  it("without the detector's wires no re-join is sent, and the session stays where it is (O1 DET-2)", async () => {
    for (const which of ['in', 'out'] as const) {
      flow = await Flow.load(
        cut('detector', which, {
          session: { operationTimeout: '2', heartbeat: '50', heartbeatUnit: 'ms' },
        }),
      );
      await flow.join();
      const effects = flow.effectsOf();
      flow.mark();
      flow.ask('injector', 'kill-front-end');
      const lock = flow.ask('session', { command: 'lock' });
      // Longer than the failover, the repair and every period.
      await lock.done;
      assert.equal(flow.since('operation-failed')[0].error.code, 'SIP-481');
      await flow.until(() => flow.since('signal').filter(({ purpose }) => purpose === 'refresh').length >= 3);
      assert.deepEqual(flow.states(), []);
      assert.deepEqual(
        effects.filter(({ effect }) => effect === 'join'),
        [],
      );
      assert.equal(flow.status('session')?.fill, 'green');
      if (which === 'in') await flow.unload();
    }
  });

  it("without the healer's wires it is never Healthy, and the session does nothing by itself (HOP-5)", async () => {
    flow = await Flow.load(cut('healer', 'both', { session: { operationTimeout: '2' } }));
    await flow.join();
    flow.mark();
    await flow.askAndWait('injector', { command: 'break-hop', how: 'stale-route' });
    await flow.ask('session', { command: 'lock' }).done;
    assert.equal(flow.since('operation-failed')[0].error.code, 'SIP-430');
    assert.deepEqual(flow.since('heal'), []);
    assert.deepEqual(flow.since('route-status-changed'), []);
    assert.deepEqual(flow.states(), []);
  });

  it('a healer whose outputs are cut tries for ever, and is never Healthy (HEAL-3)', async () => {
    flow = await Flow.load(cut('healer', 'out', { healer: { period: '50', attemptTimeout: '50' } }));
    await flow.join();
    flow.mark();
    await flow.askAndWait('injector', { command: 'break-hop', how: 'refuse' });
    await flow.askAndWait('injector', 'restore-hop');
    await flow.until(() => flow.since('heal-attempted').length >= 4, 'four attempts');
    assert.deepEqual([...new Set(flow.since('heal-attempted').map(({ outcome }) => outcome))], ['timeout']);
    assert.deepEqual(
      flow.since('route-status-changed').map(({ status }) => status),
      ['Recovering'],
    );
    assert.deepEqual(flow.states(), []);
  });

  it("without the give-up timer's wires it is still Reconnecting after ten times its limit (HOP-11 GU-6)", async () => {
    const limitMs = 40;
    for (const which of ['in', 'out'] as const) {
      flow = await Flow.load(
        cut('give-up', which, { 'give-up': { giveUpAfter: `${limitMs}`, giveUpAfterUnit: 'ms' } }),
      );
      await flow.join();
      flow.mark();
      await flow.askAndWait('injector', { command: 'break-hop', how: 'refuse' });
      const { at } = await flow.waitFor(({ state }) => state === 'Reconnecting', 'Reconnecting');
      await flow.waitFor(
        (fact) => fact.event === 'heal-attempted' && Date.parse(fact.at) - Date.parse(at) > 10 * limitMs,
      );
      flow.mark();
      await flow.askAndWait('session', 'status');
      assert.deepEqual(
        flow.since('operation-completed').map(({ result }) => result.state),
        ['Reconnecting'],
      );
      assert.deepEqual(flow.states(), []);
      if (which === 'in') await flow.unload();
    }
  });
});
