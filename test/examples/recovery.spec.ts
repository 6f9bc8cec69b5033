/** The examples about sessions, recovery and errors, each with its own buttons. */
import assert from 'node:assert/strict';
import type {
  FailoverDetected,
  FaultInjected,
  HealAttempted,
  OperationCompleted,
  RosterChanged,
  RouteStatusChanged,
  Signal,
  StateChanged,
  SuppressionChanged,
} from '../../nodes/recovery/messages';
import { freePort } from '../support/free-port';
import { exampleFile, type Performance, Stage } from './stage';

describe('examples', function () {
  this.timeout(60_000);
  let stage: Stage;
  let example: Performance;

  before(async () => {
    stage = await Stage.open();
  });

  after(() => stage?.close());

  const joined = async (): Promise<void> => {
    example.press('join');
    await example.session('Connected');
    example.mark();
  };
  const completed = (operation: string): Promise<OperationCompleted> =>
    example.next<OperationCompleted>({ event: 'operation-completed', operation });

  it('conference-session: joins, answers, locks, leaves', async () => {
    example = await stage.play('conference-session');
    await joined();
    for (const command of ['roster', 'status', 'lock']) {
      example.press(command);
      await completed(command);
    }
    example.press('terminate');
    await example.session('Disconnected');
    example.check();
  });

  it('failover-detector: finds out that the front end is gone, and the session joins again', async () => {
    example = await stage.play('failover-detector');
    await joined();
    example.press('kill the front end');
    await example.session('Connected');
    assert.deepEqual(example.path(), ['Reconnecting (rejoining) FocusFailover', 'Connected Rejoined']);
    const phases = example
      .all<FailoverDetected>({ event: 'failover-detected', level: 'focus' })
      .map(({ phase }) => phase);
    assert.deepEqual(
      phases.filter((phase) => phase.startsWith('failed')),
      ['failed', 'failed-over'],
    );
    example.press('restore the front end');
    example.check();
  });

  it('route-healer: heals a broken route by UPDATE, and a stale one before anybody notices', async () => {
    example = await stage.play('route-healer');
    await joined();
    example.press('break a hop for 12 s');
    await example.session('Reconnecting');
    await example.next<HealAttempted>({ event: 'heal-attempted' });
    example.ask('fault-injector', 'restore-hop');
    example.press('the network is back: heal now');
    await example.session('Connected');
    assert.deepEqual(example.path(), ['Reconnecting (recovering) RouteBroken', 'Connected RouteHealed']);
    example.mark();
    example.press('make the route stale');
    await example.next<RouteStatusChanged>({ event: 'route-status-changed', status: 'Healthy' });
    assert.deepEqual(example.path(), []);
    example.check();
  });

  it('give-up-timer: ends the session, and says why', async () => {
    example = await stage.play('give-up-timer', { overrides: { 'give-up-timer': { giveUpAfter: '1' } } });
    await joined();
    example.press('break a hop for good');
    await example.session('Disconnected');
    const [, ending] = example.all<StateChanged>({ event: 'state-changed', source: 'conference-session' });
    assert.match(ending?.explanation ?? '', /^Gave up after /);
    example.check();
  });

  it('mcu-session: its call ends with its MCU, and may be placed again', async () => {
    example = await stage.play('mcu-session');
    await joined();
    await example.mcu('audio-video', 'Active');
    example.press('call');
    await completed('call');
    example.mark();
    example.press('roll over the MCU');
    await example.next({ event: 'call-available' });
    assert.deepEqual(example.mcuPath('audio-video'), ['Retrying McuFailover', 'Active McuReportedActive']);
    for (const button of ['mute Ada', 'call', 'hang up']) {
      example.mark();
      example.press(button);
      await completed(button.split(' ')[0] === 'hang' ? 'hang-up' : (button.split(' ')[0] ?? ''));
    }
    example.check();
  });

  it('fault-injector: every button breaks, or mends, what it says', async () => {
    example = await stage.play('fault-injector');
    await joined();
    const buttons = [
      ['status', 'status'],
      ['Edsger joins', 'participant-join'],
      ['Ada leaves', 'participant-leave'],
      ['roll over the chat MCU', 'roll-over-mcu'],
      ['break a hop: refusing', 'break-hop'],
      ['restore the hop', 'restore-hop'],
      ['break a hop: silent', 'break-hop'],
      ['restore the hop', 'restore-hop'],
      ['make the route stale', 'break-hop'],
      ['kill a front end', 'kill-front-end'],
      ['restore it', 'restore-front-end'],
      ['next join: lobby', 'place-in-lobby'],
    ];
    for (const [button = '', fault] of buttons) {
      example.mark();
      example.press(button);
      assert.equal((await example.next<FaultInjected>({ event: 'fault-injected' })).fault, fault, button);
    }
    example.check();
  });

  it('lone-session: join, look around, kill, break, give up', async () => {
    example = await stage.play('lone-session', {
      overrides: { 'give-up-timer': { giveUpAfter: '3', giveUpAfterUnit: 's', tick: '200', tickUnit: 'ms' } },
    });
    await joined();
    for (const [button, operation] of [
      ['who is there?', 'roster'],
      ['lock', 'lock'],
      ['eject Ada', 'eject'],
    ]) {
      example.press(button ?? '');
      await completed(operation ?? '');
    }
    await example.roster(({ left }) => left.length === 1);
    example.press('kill the front end');
    await example.session('Connected');
    example.press('restore the front end');
    example.mark();
    example.press('break a hop for 8 s');
    await example.session('Reconnecting');
    example.press('lock');
    await example.failed('lock', 'RetryableOperation');
    example.press('restore the hop');
    await example.session('Connected');
    example.mark();
    example.press('break a hop for good');
    await example.session('Disconnected');
    assert.deepEqual(example.path(), [
      'Reconnecting (recovering) RouteBroken',
      'Disconnecting GaveUp',
      'Disconnected GaveUp',
    ]);
    example.check();
  });

  it('several-conferences: serves three by one node, and tells them apart', async () => {
    const daily = 'sip:daily@pool.example';
    const board = 'sip:board@pool.example';
    const townHall = 'sip:town-hall@pool.example';
    const all = (state: StateChanged['state']) =>
      Promise.all(
        [daily, board, townHall].map((conference) =>
          example.next<StateChanged>({ event: 'state-changed', conference, state }),
        ),
      );
    example = await stage.play('several-conferences');
    example.press('join all three');
    await all('Connected');
    for (const [port, conference] of [daily, board, townHall].entries()) {
      for (const state of ['Connecting', 'Connected']) {
        await example.from<StateChanged>('switch', 'which conference?', port, (fact) => fact.state === state);
      }
      assert.equal(example.count('switch', 'which conference?', port), 2, conference);
    }
    example.mark();
    example.press('lock board');
    assert.equal((await completed('lock')).conference, board);
    example.press('break a hop for 8 s');
    await all('Reconnecting');
    example.ask('fault-injector', { command: 'restore-hop', conference: daily });
    await all('Connected');
    example.mark();
    example.press("kill daily's front end");
    await example.next<StateChanged>({ event: 'state-changed', conference: daily, reason: 'Rejoined' });
    example.press('restore the front end');
    example.mark();
    example.press('leave town hall');
    await example.next<StateChanged>({ event: 'state-changed', conference: townHall, state: 'Disconnected' });
    assert.deepEqual(example.all<StateChanged>({ event: 'state-changed', conference: daily }), []);
    example.check();
  });

  for (const [name, way] of [
    ['errors-switch', 'the error output'],
    ['errors-catch', 'a Catch node'],
  ] as const) {
    it(`${name}: what failed at ${way} is sorted, and repeated when that is safe`, async () => {
      example = await stage.play(name);
      await joined();
      const sorted = (port: number) => example.from('switch', 'what kind of error?', port);
      example.press('eject whom?');
      await sorted(2);
      example.press('no such command');
      await sorted(3);
      assert.equal(example.count('change', 'the same again'), 0);

      example.mark();
      example.press('break a hop for 8 s');
      await example.session('Reconnecting');
      example.press('lock');
      await sorted(0);
      assert.equal(await example.from('change', 'the same again'), 'lock');
      example.ask('fault-injector', 'restore-hop');
      await completed('lock');
      assert.deepEqual(example.path(), ['Reconnecting (recovering) RouteBroken', 'Connected RouteHealed']);
      example.check();
    });

    it(`${name}: ten times at most`, async () => {
      const quickly = { pauseType: 'delay', timeout: '10', timeoutUnits: 'milliseconds' };
      example = await stage.play(name, { overrides: { delay: quickly } });
      await joined();
      example.press('break a hop for 8 s');
      await example.session('Reconnecting');
      example.press('lock');
      await example.from('switch', 'what kind of error?', 1);
      assert.equal(example.count('change', 'the same again'), 10);
      example.check();
    });
  }

  it('maintenance-window: what breaks during it is no outage, and is counted; afterwards it is one', async () => {
    example = await stage.play('maintenance-window');
    await joined();
    const told = (isOver: boolean): Promise<SuppressionChanged> =>
      example.from('switch', 'begun or over?', 0, ({ suppressedUntil }) => (suppressedUntil === null) === isOver);
    example.press('maintenance for 30 s');
    await told(false);
    example.press('break a hop for 8 s');
    await example.next<Signal>({ event: 'signal', signal: 'transport-lost', purpose: 'refresh' });
    example.ask('fault-injector', 'restore-hop');
    await example.next<Signal>({ event: 'signal', signal: 'transport-restored' });
    assert.deepEqual(example.path(), []);
    assert.deepEqual(example.all<FailoverDetected>({ event: 'failover-detected' }), []);

    example.press('maintenance is over');
    assert.ok((await told(true)).withheld >= 1);
    example.press('break a hop for 8 s');
    await example.session('Reconnecting');
    example.ask('fault-injector', 'restore-hop');
    await example.session('Connected');
    example.check();
  });

  it('sip-server: joins over SIP, and recovers from what happens to the server', async () => {
    const port = await freePort();
    // Another test may have a server at the port of the example.
    const flow = JSON.parse(JSON.stringify(exampleFile('sip-server')).replaceAll('5070', String(port)));
    example = await stage.deploy(flow);
    await joined();
    example.press('Edsger joins');
    await example.roster(({ joined: [one] }: RosterChanged) => one?.entity === 'sip:edsger@pool.example');
    example.press('lock');
    await completed('lock');
    example.press('make the route stale');
    example.press('who is there?');
    await example.next<RouteStatusChanged>({ event: 'route-status-changed', status: 'Healthy' });
    assert.deepEqual(example.path(), []);
    example.press('kill the front end');
    await example.session('Connected');
    assert.deepEqual(example.path(), ['Reconnecting (rejoining) FocusFailover', 'Connected Rejoined']);
    example.press('terminate');
    await example.session('Disconnected');
    example.check();
  });
});
