import assert from 'node:assert/strict';
import {
  type GiveUpTimerSettings,
  type GiveUpTimerState,
  giveUpTimer,
  giveUpTimerDefaults,
} from '../../nodes/recovery/give-up-timer';
import type { Message } from '../../nodes/recovery/step';
import { CONFERENCE, only } from '../support/driver';
import { names, Policy } from './hearsay';

type Timer = Policy<GiveUpTimerState, GiveUpTimerSettings>;

const quiet = { tickMs: 0 };

/** A timer that has heard the session join. */
function listening(settings: Partial<GiveUpTimerSettings> = {}): Timer {
  const timer: Timer = new Policy(giveUpTimer, { ...giveUpTimerDefaults, ...settings });
  timer.session('Connecting', 'Connected');
  return timer;
}

function enters(timer: Timer, incident = 'outage-1'): Message[] {
  timer.incident = incident;
  return timer.session('Connected', 'Reconnecting');
}

/** A timer that is armed. */
function armed(settings: Partial<GiveUpTimerSettings> = {}): Timer {
  const timer = listening({ ...quiet, ...settings });
  enters(timer);
  return timer;
}

function leaves(timer: Timer): Message[] {
  const messages = timer.session('Reconnecting', 'Connected', { reason: 'RouteHealed' });
  timer.incident = null;
  return messages;
}

function attempted(timer: Timer, attempt: number, outcome = 'refused', members: object = {}): Message[] {
  return timer.hear({ event: 'heal-attempted', attempt, outcome, status: 503, nextAttemptAt: null, ...members });
}

function media(timer: Timer, flowing: boolean, mcu = 'audio-video'): Message[] {
  return timer.hear({ event: 'media-changed', mcu, flowing, lastPacketAt: null, packets: 0 });
}

function call(timer: Timer, state: string, mcu = 'audio-video'): Message[] {
  return timer.hear({ event: 'call-state-changed', mcu, previous: 'Establishing', state, reason: 'Accepted' });
}

const decision = (messages: readonly Message[]) => only(messages, 'gave-up')[0];
const isoIn = (timer: Timer, ms: number) => new Date(timer.now + ms).toISOString();

describe('give-up timer: elapsed', () => {
  it('GU-1 starts on entering Reconnecting and only then', () => {
    const timer = listening();
    assert.deepEqual(timer.after(1_000_000), []);
    const [message, ...others] = enters(timer);
    assert.deepEqual(others, []);
    const [told] = only(message ? [message] : [], 'give-up-armed');
    assert.equal(told.deadlineAt, isoIn(timer, 300_000));
    assert.deepEqual(told.criteria, ['elapsed']);
    assert.deepEqual([told.incident, told.active], ['outage-1', true]);
  });

  it('O18 it starts in either mode', () => {
    const timer = listening();
    assert.deepEqual(names(timer.session('Connected', 'Reconnecting', { mode: 'rejoining' })), ['give-up-armed']);
  });

  it('GU-2 is cancelled when Reconnecting is left', () => {
    const timer = armed();
    const [cancelled] = only(leaves(timer), 'give-up-cancelled');
    assert.deepEqual([cancelled.reason, cancelled.incident, cancelled.active], ['recovered', 'outage-1', false]);
    assert.deepEqual(timer.after(1_000_000), []);
    assert.equal(timer.deadlines.size, 0);
  });

  it('GU-2 and when the session ends', () => {
    const timer = armed();
    const [cancelled] = only(timer.session('Reconnecting', 'Disconnecting'), 'give-up-cancelled');
    assert.equal(cancelled.reason, 'ended');
    assert.equal(giveUpTimer.idle(armed().state), false);
    assert.deepEqual(timer.session('Disconnecting', 'Disconnected'), []);
    assert.equal(timer.deadlines.size, 0);
    assert.equal(giveUpTimer.idle(timer.state), true);
  });

  it('GU-3 GU-9 on expiry terminates the session exactly once and says why, with the figures', () => {
    const timer = armed();
    attempted(timer, 10);
    assert.deepEqual(timer.after(299_999), []);
    const messages = timer.after(1);
    const explanation = 'Gave up after 5 min 0 s in Reconnecting (limit 5 min): 10 healing attempts failed.';
    assert.deepEqual(messages[0], {
      conference: CONFERENCE,
      command: 'terminate',
      reason: 'GaveUp',
      incident: 'outage-1',
      dialog: 1,
      criterion: 'elapsed',
      explanation,
    });
    const gaveUp = decision(messages);
    assert.deepEqual([gaveUp.criterion, gaveUp.explanation, gaveUp.severity], ['elapsed', explanation, 'critical']);
    assert.equal(messages.length, 2);
    assert.deepEqual(timer.after(1_000_000), []);
    assert.deepEqual(attempted(timer, 11), []);
    assert.deepEqual(timer.session('Reconnecting', 'Disconnecting'), []);
  });

  it('GU-9 figures read well, whatever they are', () => {
    const cases: [giveUpAfterMs: number, attempts: number, explanation: string][] = [
      [90_000, 0, 'Gave up after 1 min 30 s in Reconnecting (limit 1 min 30 s): no healing attempts failed.'],
      [3_660_000, 1, 'Gave up after 1 h 1 min 0 s in Reconnecting (limit 1 h 1 min): 1 healing attempt failed.'],
      [500, 2, 'Gave up after 0.5 s in Reconnecting (limit 0.5 s): 2 healing attempts failed.'],
      [10, 2, 'Gave up after 0 s in Reconnecting (limit 0 s): 2 healing attempts failed.'],
    ];
    for (const [giveUpAfterMs, attempts, explanation] of cases) {
      const timer = armed({ giveUpAfterMs });
      if (attempts > 0) attempted(timer, attempts);
      assert.equal(decision(timer.after(giveUpAfterMs)).explanation, explanation);
    }
  });

  it('GU-5 does not restart on further failures within the same Reconnecting period', () => {
    const timer = armed();
    timer.after(200_000);
    const turned = { event: 'mode-changed', previousMode: 'recovering', mode: 'rejoining', reason: 'FocusFailover' };
    timer.dialog = 2;
    assert.deepEqual(timer.hear(turned as never), []);
    assert.deepEqual(timer.session('Connected', 'Reconnecting'), []);
    const [terminate] = only(timer.after(100_000), 'terminate');
    assert.equal(terminate.dialog, 2);
  });

  it('a second outage is timed from its own beginning', () => {
    const timer = armed();
    attempted(timer, 4);
    timer.after(200_000);
    leaves(timer);
    enters(timer, 'outage-2');
    timer.after(299_999);
    assert.match(decision(timer.after(1)).explanation, /no healing attempts/);
  });

  it('after giving up, the next outage is armed again', () => {
    const timer = armed();
    timer.after(300_000);
    assert.deepEqual(leaves(timer), []);
    assert.deepEqual(names(enters(timer, 'outage-2')), ['give-up-armed']);
  });

  it('GU-6 with no criterion on, nothing is armed', () => {
    const timer = listening({ giveUpAfterMs: 0 });
    assert.deepEqual(enters(timer), []);
    assert.deepEqual(timer.after(10_000_000), []);
  });

  it('ticks tell the time that is left, and end with it', () => {
    const timer = listening({ giveUpAfterMs: 3_000 });
    enters(timer);
    assert.deepEqual(
      only(timer.after(2_999), 'give-up-tick').map(({ remainingMs }) => remainingMs),
      [2_000, 1_000],
    );
    assert.deepEqual(names(timer.after(1)), ['terminate', 'gave-up']);
  });

  it('there are no ticks without a deadline', () => {
    const timer = listening({ giveUpAfterMs: 0, attempts: 3 });
    const [told] = only(enters(timer), 'give-up-armed');
    assert.equal(told.deadlineAt, null);
    assert.deepEqual(timer.after(10_000), []);
  });
});

describe('give-up timer: attempts', () => {
  it('GU-12 counts by the highest attempt number, not by messages', () => {
    const timer = armed({ attempts: 3 });
    assert.deepEqual(attempted(timer, 1), []);
    assert.deepEqual(attempted(timer, 2), []);
    assert.deepEqual(attempted(timer, 2, 'timeout'), []);
    assert.deepEqual(attempted(timer, 1), []);
    timer.after(60_000);
    const gaveUp = decision(attempted(timer, 3, 'unreachable'));
    assert.equal(gaveUp.criterion, 'attempts');
    assert.equal(gaveUp.explanation, 'Gave up after 1 min 0 s in Reconnecting: 3 healing attempts failed (limit 3).');
  });

  it('what healed is no failed attempt', () => {
    const timer = armed({ attempts: 1 });
    assert.deepEqual(attempted(timer, 1, 'healed'), []);
    assert.deepEqual(attempted(timer, 1, 'healed-by-peer'), []);
  });

  it('the failed first repair counts, though it is told before the session enters Reconnecting', () => {
    const timer = listening({ ...quiet, attempts: 2 });
    attempted(timer, 1, 'refused', { incident: 'outage-1' });
    enters(timer);
    assert.equal(timer.state.attempts, 1);
    const eager = listening({ ...quiet, attempts: 1 });
    attempted(eager, 1, 'refused', { incident: 'outage-1' });
    assert.deepEqual(names(enters(eager)), ['give-up-armed', 'terminate', 'gave-up']);
  });

  it('attempts of an outage that never reached Reconnecting do not count', () => {
    const timer = listening({ ...quiet, attempts: 5 });
    attempted(timer, 4, 'refused', { incident: 'outage-1' });
    enters(timer, 'outage-2');
    assert.equal(timer.state.attempts, 0);
  });

  it('MSG-8 attempts of another dialog or incident change nothing', () => {
    const timer = armed({ attempts: 1 });
    assert.deepEqual(attempted(timer, 9, 'refused', { dialog: 2 }), []);
    assert.deepEqual(attempted(timer, 9, 'refused', { incident: 'another' }), []);
  });
});

describe('give-up timer: media', () => {
  const settings = { giveUpAfterMs: 0, mediaEndedMs: 60_000 };

  // Found by simulation, seed 3697460766: the second outage would have lasted for ever.
  it('GU-1 GU-5 the next outage has its own time, though the end of the one before was not heard', () => {
    for (const before of [(timer: Timer) => timer.command('cancel'), (timer: Timer) => timer.after(60_000), () => []]) {
      const timer = listening({ ...quiet, giveUpAfterMs: 60_000 });
      enters(timer, 'outage-1');
      before(timer);
      enters(timer, 'outage-2');
      assert.deepEqual(decision(timer.after(60_000)).incident, 'outage-2');
    }
  });

  // Found by simulation, seed 752165267: the record was never idle again, and the next outage would have been given up.
  it('GU-4 late news of the calls of a session that has ended say nothing of the next one', () => {
    const timer = listening({ ...quiet, ...settings });
    timer.session('Connected', 'Disconnected', { incident: null });
    call(timer, 'Established');
    call(timer, 'Terminated');
    assert.ok(timer.machine.idle(timer.state));
  });

  it('GU-4 media that have ended for so long have the same effect', () => {
    const timer = listening({ ...quiet, ...settings });
    media(timer, true);
    const [told] = only(enters(timer), 'give-up-armed');
    assert.deepEqual([told.deadlineAt, told.criteria], [null, ['media-ended']]);
    timer.after(30_000);
    media(timer, false);
    assert.deepEqual(timer.after(59_999), []);
    const gaveUp = decision(timer.after(1));
    assert.equal(gaveUp.criterion, 'media-ended');
    assert.equal(gaveUp.explanation, 'Gave up after 1 min 30 s in Reconnecting: no media for 1 min 0 s (limit 1 min).');
  });

  it('GU-4 while the media of one call flow, it does not decide', () => {
    const timer = listening({ ...quiet, ...settings });
    call(timer, 'Established');
    call(timer, 'Established', 'chat');
    enters(timer);
    call(timer, 'Terminated', 'chat');
    media(timer, true);
    assert.deepEqual(timer.after(600_000), []);
    call(timer, 'Terminated');
    timer.after(30_000);
    media(timer, true);
    assert.deepEqual(timer.after(600_000), [], 'they came back in time');
  });

  it('a call counts as flowing until somebody says otherwise', () => {
    const timer = listening({ ...quiet, ...settings });
    call(timer, 'Establishing');
    assert.deepEqual(timer.state.flowing, []);
    call(timer, 'Established');
    assert.deepEqual(timer.state.flowing, ['audio-video']);
    media(timer, false);
    assert.deepEqual(timer.state.flowing, []);
    assert.equal(giveUpTimer.idle(timer.state), false);
  });

  it('it decides only if there had been media', () => {
    const timer = armed(settings);
    media(timer, false);
    call(timer, 'Terminated', 'chat');
    assert.deepEqual(timer.after(600_000), []);
  });

  it('media that had ended before are counted from the beginning of the outage', () => {
    const timer = listening({ ...quiet, ...settings });
    media(timer, true);
    media(timer, false);
    timer.after(600_000);
    enters(timer);
    assert.deepEqual(timer.after(59_999), []);
    assert.equal(decision(timer.after(1)).criterion, 'media-ended');
  });

  it('media of one session are forgotten with it', () => {
    const timer = listening({ ...quiet, ...settings });
    media(timer, true);
    media(timer, false);
    timer.session('Connected', 'Disconnected');
    timer.session('Connecting', 'Connected');
    enters(timer);
    assert.deepEqual(timer.after(600_000), []);
  });

  it('off, the end of media decides nothing', () => {
    const timer = armed();
    media(timer, true);
    media(timer, false);
    assert.deepEqual([...timer.deadlines], [['decision', timer.now + 300_000]]);
  });

  it('any of the criteria decides', () => {
    const timer = listening({ ...quiet, attempts: 2, mediaEndedMs: 60_000 });
    media(timer, true);
    const [told] = only(enters(timer), 'give-up-armed');
    assert.deepEqual(told.criteria, ['elapsed', 'attempts', 'media-ended']);
    assert.equal(decision(attempted(timer, 2)).criterion, 'attempts');
    assert.equal(timer.deadlines.size, 0);
  });
});

describe('give-up timer: commands', () => {
  it('GU-10 extend moves the deadline', () => {
    const timer = armed();
    timer.after(299_000);
    const [told] = only(timer.command('extend', { byMs: 60_000 }), 'give-up-armed');
    assert.equal(told.deadlineAt, isoIn(timer, 61_000));
    timer.after(60_999);
    assert.match(decision(timer.after(1)).explanation, /after 6 min 0 s in Reconnecting \(limit 6 min\)/);
  });

  it('GU-10 extend brings the ticks back', () => {
    const timer = listening({ giveUpAfterMs: 1_500 });
    enters(timer);
    timer.after(1_200);
    timer.command('extend', { byMs: 1_000 });
    assert.deepEqual(names(timer.after(1_000)), ['give-up-tick']);
  });

  it('GU-10 pause keeps the time that is left, and resume goes on with it', () => {
    const timer = listening({ mediaEndedMs: 200_000 });
    media(timer, true);
    enters(timer);
    media(timer, false);
    timer.after(100_000);
    const [paused] = only(timer.command('pause'), 'give-up-armed');
    assert.equal(paused.deadlineAt, null);
    assert.equal(timer.deadlines.size, 0);
    assert.deepEqual(timer.after(1_000_000), []);
    const [resumed] = only(timer.command('resume'), 'give-up-armed');
    assert.equal(resumed.deadlineAt, isoIn(timer, 100_000));
    assert.equal(decision(timer.after(100_000)).criterion, 'media-ended');
  });

  it('GU-10 while paused, extend lengthens what is left', () => {
    const timer = armed();
    timer.after(100_000);
    timer.command('pause');
    timer.command('extend', { byMs: 50_000 });
    timer.after(1_000);
    assert.equal(only(timer.command('resume'), 'give-up-armed')[0].deadlineAt, isoIn(timer, 250_000));
  });

  it('while paused nothing decides, and what happened meanwhile decides on resume', () => {
    const timer = armed({ attempts: 3 });
    timer.command('pause');
    assert.deepEqual(attempted(timer, 3), []);
    assert.deepEqual(names(timer.command('resume')), ['give-up-armed', 'terminate', 'gave-up']);
  });

  it('media that end and flow while paused are followed', () => {
    const timer = listening({ ...quiet, mediaEndedMs: 60_000 });
    media(timer, true);
    enters(timer);
    timer.command('pause');
    media(timer, false);
    media(timer, true);
    media(timer, false);
    timer.after(600_000);
    timer.command('resume');
    assert.equal(timer.deadlines.get('decision'), timer.now + 60_000);
  });

  it('a paused timer is cancelled like any other', () => {
    const timer = armed();
    timer.command('pause');
    assert.deepEqual(names(leaves(timer)), ['give-up-cancelled']);
    const ending = armed();
    ending.command('pause');
    assert.equal(only(ending.session('Reconnecting', 'Disconnected'), 'give-up-cancelled')[0].reason, 'ended');
  });

  it('GU-10 cancel disarms until the next Reconnecting period', () => {
    for (const first of ['status', 'pause']) {
      const timer = armed();
      timer.command(first);
      const [cancelled] = only(timer.command('cancel'), 'give-up-cancelled');
      assert.deepEqual([cancelled.reason, cancelled.active], ['cancelled', true]);
      assert.deepEqual(timer.after(1_000_000), []);
      assert.deepEqual(timer.session('Connected', 'Reconnecting'), []);
      assert.deepEqual(leaves(timer), []);
      assert.deepEqual(names(enters(timer, 'outage-2')), ['give-up-armed']);
    }
  });

  it('give-up gives up at once, paused or not', () => {
    for (const first of ['status', 'pause']) {
      const timer = armed();
      timer.after(40_000);
      timer.command(first);
      const gaveUp = decision(timer.command('give-up'));
      assert.equal(gaveUp.criterion, 'external');
      assert.equal(gaveUp.explanation, 'Gave up after 40 s in Reconnecting: somebody sent the command give-up.');
    }
  });

  it('GU-10 a command for a conference without an armed timer is reported, not swallowed', () => {
    const cancelled = armed();
    cancelled.command('cancel');
    const gaveUp = armed();
    gaveUp.command('give-up');
    const states: [timer: Timer, commands: string[]][] = [
      [listening(), ['extend', 'pause', 'resume', 'cancel', 'give-up']],
      [cancelled, ['extend', 'pause', 'resume', 'cancel', 'give-up']],
      [gaveUp, ['extend', 'pause', 'resume', 'cancel', 'give-up']],
      [armed(), ['resume']],
      [armed({ giveUpAfterMs: 0, attempts: 3 }), ['extend']],
    ];
    for (const [timer, commands] of states) {
      for (const command of commands) {
        const [failed] = only(timer.command(command, { byMs: 1_000 }), 'operation-failed');
        assert.deepEqual([failed.operation, failed.operationId], [command, null]);
        assert.deepEqual([failed.error.name, failed.error.state], ['InvalidOperationException', timer.state.session]);
      }
    }
    const paused = armed();
    paused.command('pause');
    assert.match(only(paused.command('pause'), 'operation-failed')[0].error.message, /paused already/);
  });

  it('status tells what is counted', () => {
    const idle = listening();
    assert.deepEqual(only(idle.command('status'), 'give-up-status')[0].status, {
      session: 'Connected',
      phase: 'disarmed',
      criteria: ['elapsed'],
      reconnectingSinceAt: null,
      deadlineAt: null,
      remainingMs: null,
      attempts: 0,
      outages: 0,
      spentMs: 0,
      flowing: [],
      mediaEndedAt: null,
      aloneSinceAt: null,
    });
    const timer = listening({ ...quiet, attempts: 9 });
    media(timer, true);
    enters(timer);
    timer.after(1_000);
    media(timer, false);
    assert.deepEqual(only(timer.command('status'), 'give-up-status')[0].status, {
      session: 'Reconnecting',
      phase: 'armed',
      criteria: ['elapsed', 'attempts'],
      reconnectingSinceAt: isoIn(timer, -1_000),
      deadlineAt: isoIn(timer, 299_000),
      remainingMs: 299_000,
      attempts: 0,
      outages: 1,
      spentMs: 0,
      flowing: [],
      mediaEndedAt: isoIn(timer, 0),
      aloneSinceAt: null,
    });
    timer.command('pause');
    const { status } = only(timer.command('status'), 'give-up-status')[0];
    assert.deepEqual([status.phase, status.deadlineAt, status.remainingMs], ['paused', null, 299_000]);
  });
});

describe('give-up timer: restarts', () => {
  it('PER-6 GU-7 after a start it goes on with the saved deadline', () => {
    const timer = armed();
    timer.after(100_000);
    timer.deadlines.clear();
    assert.deepEqual(timer.status('Reconnecting'), []);
    assert.deepEqual(names(timer.after(200_000)), ['terminate', 'gave-up']);
  });

  it('PER-1 a deadline that is long past fires once, and tells how late it was', () => {
    const timer = armed();
    timer.now += 900_000;
    const { messages } = timer.give({ input: 'deadline', deadline: 'decision' });
    assert.deepEqual(names(messages), ['terminate', 'gave-up']);
    assert.match(decision(messages).explanation, /after 15 min 0 s in Reconnecting \(limit 5 min\)/);
    assert.deepEqual(timer.give({ input: 'deadline', deadline: 'decision' }).messages, []);
  });

  it('PER-6 GU-7 a restart of the process changes neither deadline nor phase', () => {
    for (const command of [null, 'pause', 'cancel']) {
      const timer = armed();
      timer.after(100_000);
      if (command !== null) timer.command(command);
      const { phase, deadlines } = timer.state;
      assert.deepEqual(timer.restored('Reconnecting'), []);
      assert.deepEqual([timer.state.phase, timer.state.deadlines], [phase, deadlines]);
    }
  });

  it('PER-6 GU-2 another outage of the restored session is counted from now', () => {
    const timer = armed();
    timer.after(200_000);
    const messages = timer.restored('Reconnecting', { incident: 'outage-2' });
    assert.deepEqual(names(messages), ['give-up-cancelled', 'give-up-armed']);
    assert.deepEqual(names(timer.after(299_999)), []);
    assert.deepEqual(names(timer.after(1)), ['terminate', 'gave-up']);
  });

  it('PER-6 GU-3 a session that is in Reconnecting still has not heard of the decision: it is asked again', () => {
    const timer = armed();
    const asked = only(timer.after(300_000), 'terminate');
    const again = timer.restored('Reconnecting');
    assert.deepEqual([names(again), again], [['terminate'], asked]);
    assert.deepEqual(timer.status('Reconnecting'), [], 'only after a restart');
  });

  it('PER-6 it cancels if the session recovered or ended meanwhile', () => {
    assert.equal(only(armed().status('Connected'), 'give-up-cancelled')[0].reason, 'recovered');
    assert.equal(only(armed().status('Idle'), 'give-up-cancelled')[0].reason, 'ended');
  });

  it('PER-6 a timer that has forgotten is armed by a session in Reconnecting', () => {
    const timer: Timer = new Policy(giveUpTimer, { ...giveUpTimerDefaults, ...quiet });
    timer.incident = 'outage-1';
    assert.deepEqual(names(timer.status('Reconnecting')), ['give-up-armed']);
  });

  it('a session without an incident is given up without one', () => {
    const timer = listening(quiet);
    timer.session('Connected', 'Reconnecting', { active: false });
    const messages = timer.after(300_000);
    assert.equal(only(messages, 'terminate')[0].incident, null);
    assert.equal(only(leavesWithout(timer), 'give-up-cancelled').length, 0);
    timer.session('Connected', 'Reconnecting', { active: false });
    const [cancelled] = only(leavesWithout(timer), 'give-up-cancelled');
    assert.deepEqual([cancelled.incident, cancelled.active], [null, false]);
  });

  function leavesWithout(timer: Timer): Message[] {
    return timer.session('Reconnecting', 'Connected');
  }

  it('MSG-7 whatever does not concern it leaves the very same record', () => {
    const { state } = armed();
    for (const message of [
      { command: 'terminate' },
      { event: 'route-status-changed', status: 'Healthy' },
      { event: 'roster-changed' },
      { event: 'state-changed', source: 'mcu-session', mcu: 'chat', state: 'Retrying' },
    ] as unknown as Message[]) {
      const step = giveUpTimer.step(state, { input: 'message', message }, { now: 0, random: 0 }, giveUpTimerDefaults);
      assert.equal(step.state, state);
      assert.deepEqual(step.messages, []);
    }
  });

  it('a stale deadline decides nothing', () => {
    const timer = listening();
    for (const deadline of ['decision', 'tick']) {
      assert.deepEqual(timer.give({ input: 'deadline', deadline }).messages, []);
    }
  });
});
