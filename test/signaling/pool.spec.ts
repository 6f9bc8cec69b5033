import assert from 'node:assert/strict';
import type { JsonObject } from '../../nodes/recovery/messages';
import { applyDocument, emptyRoster, type Participants } from '../../nodes/recovery/roster';
import type { Outcome, SignalingEffect, SignalingEvent } from '../../nodes/recovery/signaling';
import { Agenda } from '../../nodes/signaling/pool/agenda';
import { Pool, type PoolFault, type PoolOptions, poolDefaults, poolLimits } from '../../nodes/signaling/pool/pool';
import { seeded } from '../../nodes/signaling/pool/random';
import type { SignalingPort } from '../../nodes/signaling/port';
import { VirtualClock } from '../support/virtual-clock';
import { type Peer, signalingContract, Watch } from './contract';

const conference = 'sip:standup@pool.example';
const us = 'sip:us@pool.example';
const [ada, grace] = poolDefaults.participants as [string, string, string];

function poolPeer(options: Partial<PoolOptions>): Peer {
  const clock = new VirtualClock();
  let pool = new Pool(options, clock);
  const port = (): SignalingPort => pool.port({ uri: us, displayName: 'Us' });
  return {
    port: port(),
    conference,
    restart: () => {
      pool = new Pool(options, clock);
      return port();
    },
    capabilities: {
      documents: true,
      operation: { name: 'lock', arguments: {} },
      healing: ['UPDATE', 're-INVITE', 'OPTIONS'],
      call: { mcu: 'audio-video', media: ['audio', 'video'], watched: true, reported: true },
      text: { mcu: 'chat' },
    },
    patienceMs: 1_000,
    pass: (ms) => clock.advance(ms),
    fallSilent: () => void pool.inject({ command: 'break-hop', how: 'silent' }, conference),
    forgetDialogs: () => void pool.inject({ command: 'kill-front-end' }, conference),
    dispose: () => assert.equal(clock.pending, 0, 'timers left after close'),
  };
}

const abilities = poolPeer({});
signalingContract('pool', () => poolPeer({}), abilities);
signalingContract('pool without latency', () => poolPeer({ latencyMs: 0, mcuActivationMs: 0 }), abilities);
signalingContract('pool with jitter', () => poolPeer({ jitterMs: 30, seed: 7 }), abilities);
signalingContract(
  'pool with one hop and all servers together',
  () => poolPeer({ frontEnds: 2, hops: 1, mcuPlacement: 'together' }),
  abilities,
);

/** A pool with us in it, on virtual time. */
class Scene {
  readonly clock = new VirtualClock();
  readonly pool: Pool;
  readonly port: SignalingPort;
  readonly watch: Watch;
  private seen = 0;

  constructor(options: Partial<PoolOptions> = {}) {
    this.pool = new Pool(options, this.clock);
    this.port = this.pool.port({ uri: us, displayName: 'Us' });
    this.watch = new Watch({
      port: this.port,
      conference,
      capabilities: { documents: true, operation: null, healing: [], call: null, text: null },
      patienceMs: 1_000,
      pass: (ms) => this.clock.advance(ms),
    });
  }

  /** Joined, and the MCUs are active. */
  static joined(options: Partial<PoolOptions> = {}): Scene {
    const scene = new Scene(options);
    scene.watch.join();
    scene.pass(1_000);
    scene.fresh();
    return scene;
  }

  pass(ms: number): void {
    this.clock.advance(ms);
  }

  /** Events since the last look. */
  fresh(): SignalingEvent[] {
    const events = this.watch.events.slice(this.seen);
    this.seen = this.watch.events.length;
    return events;
  }

  after(ms: number): SignalingEvent[] {
    this.pass(ms);
    return this.fresh();
  }

  inject(fault: PoolFault): JsonObject {
    const result = this.pool.inject(fault, conference);
    assert.ok(result.ok, result.ok ? '' : result.message);
    return result.detail;
  }

  refuses(fault: PoolFault, message: RegExp): void {
    this.fresh();
    const result = this.pool.inject(fault, conference);
    assert.ok(!result.ok, JSON.stringify(result));
    assert.match(result.message, message);
    assert.deepEqual(this.after(0), []);
  }

  status(): JsonObject {
    return this.pool.status(conference);
  }

  /** The outcome of a request that is sent now; other events stay to be looked at. */
  ask(purpose: 'heal' | 'refresh' | 'probe' | 'subscription', dialog = 1, timeoutMs = 500): Outcome {
    return this.outcomeOf((requestId) => this.watch.request(requestId, purpose, { dialog, timeoutMs }), timeoutMs);
  }

  operate(operation: string, given: JsonObject = {}, mcu?: string): Outcome {
    return this.outcomeOf(
      (requestId) =>
        this.watch.request(requestId, 'operation', {
          operation,
          arguments: given,
          ...(mcu === undefined ? {} : { mcu }),
        }),
      1_000,
    );
  }

  sendText(callId: string): Outcome {
    return this.outcomeOf(
      (requestId) =>
        this.watch.perform({ effect: 'send-text', requestId, callId, mcu: 'chat', text: 'Hello', timeoutMs: 500 }),
      500,
    );
  }

  call(mcu = 'audio-video', media: string[] = ['audio'], callId = `${mcu}-call`): void {
    this.watch.perform({ effect: 'place-call', callId, mcu, media, timeoutMs: 1_000 });
    this.pass(100);
  }

  private requests = 0;

  private outcomeOf(send: (requestId: string) => void, timeoutMs: number): Outcome {
    this.requests += 1;
    const requestId = `request-${this.requests}`;
    send(requestId);
    const at = this.clock.now() + timeoutMs;
    const found = (): SignalingEvent | undefined =>
      this.watch.events.find((event) => event.event === 'outcome' && event.requestId === requestId);
    this.pass(0);
    while (!found() && this.clock.now() < at) this.pass(1);
    const event = found();
    assert.ok(event?.event === 'outcome', `no outcome of ${requestId}`);
    return event.outcome;
  }
}

function status(outcome: Outcome): number | string {
  return outcome.kind === 'ok' || outcome.kind === 'refused'
    ? outcome.status
    : outcome.kind === 'unreachable'
      ? outcome.cause
      : outcome.kind;
}

function names(events: SignalingEvent[]): string[] {
  return events.map(({ event }) => event);
}

function documents(events: SignalingEvent[]): Extract<SignalingEvent, { event: 'document' }>['document'][] {
  return events.flatMap((event) => (event.event === 'document' ? [event.document] : []));
}

describe('pool: joining', () => {
  it('gives everybody who is there, us included, and the MCUs become active after their time', () => {
    const scene = new Scene();
    scene.watch.join();
    assert.deepEqual(scene.after(19), []);
    const [joined, ...others] = scene.after(1);
    assert.ok(joined?.event === 'joined' && joined.document);
    assert.deepEqual(others, []);
    const { document, mcus, placement } = joined;
    assert.equal(placement, 'conference');
    assert.deepEqual(mcus, { 'audio-video': 'inactive', chat: 'inactive' });
    assert.equal(document.version, 1);
    assert.deepEqual(
      document.users.map(({ entity }) => entity),
      [...poolDefaults.participants, us],
    );
    const self = document.users.at(-1);
    assert.equal(self?.displayName, 'Contract');
    assert.deepEqual(self?.roles, ['presenter']);
    assert.deepEqual(self?.endpoints[0]?.media, []);
    assert.ok(document.users.some(({ endpoints }) => endpoints[0]?.media.some(({ type }) => type === 'text')));
    assert.deepEqual(names(scene.after(200)), ['mcu-report', 'mcu-report']);
    assert.deepEqual(scene.after(10_000), []);
  });

  it('finds the MCUs active in a conference that existed before', () => {
    const scene = Scene.joined();
    scene.watch.perform({ effect: 'leave', dialog: 1, silently: false });
    assert.deepEqual(names(scene.after(20)), ['left']);
    assert.equal(scene.status().participants, 3);
    scene.watch.join(2);
    const [joined] = scene.after(20);
    assert.ok(joined?.event === 'joined');
    assert.deepEqual(joined.mcus, { 'audio-video': 'active', chat: 'active' });
    assert.equal(joined.document?.version, 1);
  });

  it('spreads conferences over the front ends, the same way for the same seed', () => {
    const hosts = (seed: number): unknown[] => {
      const clock = new VirtualClock();
      const pool = new Pool({ seed }, clock);
      const port = pool.port({ uri: us });
      return Array.from({ length: 300 }, (_, index) => {
        const uri = `sip:conference-${index}@pool.example`;
        port.attach(uri, () => {});
        port.perform(uri, { effect: 'join', dialog: 1, rejoin: false });
        clock.advance(20);
        return pool.status(uri).focus;
      });
    };
    const first = hosts(1);
    assert.deepEqual(first, hosts(1));
    assert.notDeepEqual(first, hosts(2));
    for (const name of ['front-end-1', 'front-end-2', 'front-end-3']) {
      const share = first.filter((host) => host === name).length;
      assert.ok(share > 60 && share < 140, `${name}: ${share}`);
    }
  });

  it('keeps MCUs away from the front end of the Focus, or with it', () => {
    for (const placement of ['separate', 'together'] as const) {
      const { focus, mcus } = Scene.joined({ mcuPlacement: placement }).status();
      for (const { frontEnd } of Object.values(mcus as { [name: string]: { frontEnd: string } })) {
        if (placement === 'together') assert.equal(frontEnd, focus);
        else assert.notEqual(frontEnd, focus);
      }
    }
  });

  it('refuses options that cannot be', () => {
    for (const options of [
      { frontEnds: 0 },
      { hops: 1.5 },
      { latencyMs: -1 },
      { failoverMs: Number.NaN },
      { mcus: Array(99) },
    ]) {
      assert.throws(() => new Pool(options as Partial<PoolOptions>, new VirtualClock()), RangeError);
    }
  });
});

describe('pool: lobby', () => {
  it('has us wait until we are admitted', () => {
    const scene = new Scene({ lobby: true });
    scene.watch.join();
    assert.deepEqual(scene.after(1_000), [
      { event: 'joined', dialog: 1, placement: 'lobby', document: null, mcus: {} },
    ]);
    assert.equal(status(scene.operate('lock')), 403);
    assert.equal(status(scene.ask('refresh')), 200);
    scene.fresh();
    scene.inject({ command: 'admit' });
    const [admitted, ...others] = scene.after(10);
    assert.ok(admitted?.event === 'admitted');
    assert.equal(admitted.document?.version, 1);
    assert.equal(admitted.document?.users.length, 4);
    assert.deepEqual(admitted.mcus, { 'audio-video': 'active', chat: 'active' });
    assert.deepEqual(others, []);
    assert.equal(status(scene.operate('lock')), 200);
  });

  it('turns us away', () => {
    const scene = Scene.joined({ lobby: true });
    scene.inject({ command: 'eject' });
    assert.deepEqual(scene.after(10), [{ event: 'ended', dialog: 1, cause: 'ejected' }]);
    scene.refuses({ command: 'admit' }, /not in the lobby/);
    scene.refuses({ command: 'eject' }, /neither in/);
  });

  it('is kept over a re-join, and so is having been admitted', () => {
    const scene = Scene.joined({ lobby: true });
    scene.inject({ command: 'kill-front-end' });
    scene.pass(2_000);
    scene.watch.join(2, true);
    assert.equal(scene.after(20).find((event) => event.event === 'joined')?.event, 'joined');
    assert.equal(scene.status().placement, 'lobby');
    scene.inject({ command: 'admit' });
    assert.deepEqual(names(scene.after(20)), ['admitted']);
    scene.watch.join(3, true);
    const [joined] = scene.after(20);
    assert.ok(joined?.event === 'joined' && joined.placement === 'conference');
  });

  it('may be left while the Focus is away: the re-join ends in the conference', () => {
    const scene = Scene.joined({ lobby: true });
    scene.inject({ command: 'kill-front-end' });
    scene.inject({ command: 'admit' });
    assert.deepEqual(scene.after(2_000), []);
    scene.watch.join(2, true);
    const [joined] = scene.after(20);
    assert.ok(joined?.event === 'joined' && joined.placement === 'conference');
  });

  it('takes the next join or re-join on demand, once', () => {
    const scene = Scene.joined();
    scene.inject({ command: 'place-in-lobby' });
    assert.deepEqual(scene.after(1_000), []);
    for (const [dialog, placement] of [
      [2, 'lobby'],
      [3, 'lobby'],
    ] as const) {
      scene.watch.join(dialog, true);
      const [joined] = scene.after(20);
      assert.ok(joined?.event === 'joined' && joined.placement === placement, `dialog ${dialog}`);
    }
    scene.watch.join(4, false);
    const [joined] = scene.after(20);
    assert.ok(joined?.event === 'joined' && joined.placement === 'conference');
    assert.equal(scene.status().participants, 4);
    assert.equal(scene.status().lobby, 0);
  });

  it('shows others who wait, and we admit or deny them', () => {
    const scene = new Scene({ lobby: true });
    scene.watch.join();
    scene.pass(1_000);
    scene.inject({ command: 'admit' });
    scene.pass(10);
    scene.fresh();
    for (const participant of ['sip:one@x', 'sip:two@x']) scene.inject({ command: 'participant-join', participant });
    const waiting = documents(scene.after(10));
    assert.deepEqual(
      waiting.at(-1)?.lobby?.map(({ entity }) => entity),
      ['sip:one@x', 'sip:two@x'],
    );
    assert.equal('state' in (waiting.at(-1)?.lobby?.[0] ?? {}), false);
    assert.equal(status(scene.operate('admit', { participants: ['sip:one@x'] })), 200);
    const [admitted] = documents(scene.fresh());
    assert.deepEqual(
      admitted?.users.map(({ entity }) => entity),
      ['sip:one@x'],
    );
    assert.deepEqual(
      admitted?.lobby?.map(({ entity }) => entity),
      ['sip:two@x'],
    );
    assert.equal(status(scene.operate('deny', { participants: ['sip:two@x'] })), 200);
    assert.deepEqual(documents(scene.fresh())[0]?.lobby, []);
    assert.equal(status(scene.operate('admit', { participants: ['sip:two@x'] })), 404);
    assert.equal(status(scene.operate('admit', { participants: [] })), 400);
  });
});

describe('pool: operations', () => {
  const cases: [
    string,
    JsonObject,
    string | undefined,
    (document: ReturnType<typeof documents>[number]) => unknown,
    unknown,
  ][] = [
    ['lock', {}, undefined, (document) => document.properties, { locked: true }],
    [
      'modify-configuration',
      { accessLevel: 'Invited' },
      undefined,
      ({ properties }) => properties,
      { accessLevel: 'Invited' },
    ],
    ['eject', { participant: ada }, undefined, ({ users }) => users[0]?.state, 'deleted'],
    [
      'modify-role',
      { participant: grace, role: 'presenter' },
      undefined,
      ({ users }) => users[0]?.roles,
      ['presenter'],
    ],
    ['invite', { participant: 'sip:new@x' }, undefined, ({ users }) => users[0]?.endpoints[0]?.status, 'connected'],
    ['dial-out', { participant: 'sip:new@x' }, 'chat', ({ users }) => users[0]?.endpoints[0]?.media[0]?.type, 'text'],
    ['eject', { participant: ada }, 'audio-video', ({ users }) => users[0]?.endpoints[0]?.media[0]?.type, 'text'],
    ['mute', { participant: ada }, 'audio-video', ({ users }) => users[0]?.endpoints[0]?.media[0]?.status, 'recvonly'],
    ['mute', {}, 'audio-video', ({ users }) => users.length, 3],
  ];
  for (const [operation, given, mcu, look, expected] of cases) {
    it(`${operation} ${JSON.stringify(given)}${mcu ? ` at ${mcu}` : ''} takes effect before its outcome`, () => {
      const scene = Scene.joined();
      assert.equal(status(scene.operate(operation, given, mcu)), 200);
      const events = scene.fresh();
      assert.deepEqual(names(events), ['document', 'outcome']);
      const [document] = documents(events);
      assert.ok(document);
      assert.equal(document.state, 'partial');
      assert.equal(document.version, 2);
      assert.deepEqual(look(document), expected);
    });
  }

  const refusals: [string, JsonObject, string | undefined, number | string, string | undefined][] = [
    ['eject', { participant: 'sip:nobody@x' }, undefined, 404, 'EndpointDoesNotExist'],
    ['eject', { participant: 'sip:nobody@x' }, 'chat', 404, 'EndpointDoesNotExist'],
    ['mute', { participant: grace }, 'chat', 404, 'MediaDoesNotExist'],
    ['modify-role', { participant: ada, role: 'king' }, undefined, 400, 'InvalidRole'],
    ['invite', {}, undefined, 400, 'InvalidUserEntity'],
    ['toString', {}, undefined, 'unsupported', undefined],
    ['lock', {}, 'chat', 'unsupported', undefined],
    ['mute', {}, undefined, 'unsupported', undefined],
    ['mute', {}, 'fax', 'unsupported', undefined],
  ];
  for (const [operation, given, mcu, code, reason] of refusals) {
    it(`${operation} ${JSON.stringify(given)}${mcu ? ` at ${mcu}` : ''} is answered ${code} and changes nothing`, () => {
      const scene = Scene.joined();
      const outcome = scene.operate(operation, given, mcu);
      assert.equal(status(outcome), code);
      if (outcome.kind === 'refused') assert.equal(outcome.conferenceReason, reason);
      assert.deepEqual(names(scene.fresh()), ['outcome']);
    });
  }

  it('an operation that changes nothing is ok, without a document', () => {
    const scene = Scene.joined();
    scene.operate('lock');
    scene.fresh();
    assert.equal(status(scene.operate('lock')), 200);
    assert.equal(status(scene.operate('invite', { participant: ada })), 200);
    assert.deepEqual(names(scene.fresh()), ['outcome', 'outcome']);
  });

  it('end-conference ends our participation, then has its outcome; the conference can be joined afresh', () => {
    const scene = Scene.joined();
    scene.operate('lock');
    scene.fresh();
    assert.equal(status(scene.operate('end-conference')), 200);
    assert.deepEqual(names(scene.fresh()), ['ended', 'outcome']);
    assert.equal(scene.status().exists, false);
    assert.equal(status(scene.ask('refresh')), 481);
    assert.equal(status(scene.ask('probe')), 404);
    scene.fresh();
    scene.watch.join(2, true);
    const [failed] = scene.after(20);
    assert.ok(failed?.event === 'join-failed' && failed.outcome.kind === 'refused');
    assert.equal(failed.outcome.conferenceReason, 'ConferenceDoesNotExist');
    scene.watch.join(3);
    const [joined] = scene.after(20);
    assert.ok(joined?.event === 'joined');
    assert.deepEqual(joined.document?.properties, { locked: false });
  });

  it('an MCU that is not active takes no operations', () => {
    const scene = Scene.joined();
    scene.inject({ command: 'roll-over-mcu', mcu: 'chat' });
    assert.equal(status(scene.operate('mute', {}, 'chat')), 503);
    assert.equal(status(scene.operate('mute', {}, 'audio-video')), 200);
  });
});

describe('pool: a front end dies', () => {
  it('leaves 481 for the dialog and 504 for probes until the Focus has moved, then 200 for probes', () => {
    const scene = Scene.joined();
    const before = scene.status().focus;
    scene.inject({ command: 'kill-front-end' });
    assert.equal(scene.status().focus, null);
    for (const purpose of ['heal', 'refresh', 'subscription'] as const) assert.equal(status(scene.ask(purpose)), 481);
    assert.equal(status(scene.operate('lock')), 481);
    assert.equal(status(scene.ask('probe')), 504);
    scene.watch.join(2, true);
    const [failed] = scene.after(20).filter(({ event }) => event === 'join-failed');
    assert.ok(failed?.event === 'join-failed');
    assert.equal(status(failed.outcome), 504);
    scene.pass(2_000);
    assert.equal(status(scene.ask('probe')), 200);
    assert.equal(status(scene.ask('refresh')), 481);
    assert.notEqual(scene.status().focus, before);
    scene.fresh();
    assert.deepEqual(scene.after(10_000), []);
  });

  it('answers at its time, with 481, what was in flight at that instant', () => {
    for (const sinceMs of [0, 5, 10, 15, 19]) {
      const scene = Scene.joined();
      scene.watch.request('pending', 'operation', { operation: 'eject', arguments: { participant: ada } });
      scene.pass(sinceMs);
      scene.inject({ command: 'kill-front-end' });
      assert.deepEqual(scene.after(19 - sinceMs), []);
      const events = scene.after(1);
      assert.deepEqual(names(events), ['outcome']);
      assert.ok(events[0]?.event === 'outcome');
      assert.equal(status(events[0].outcome), 481);
    }
  });

  it('gives a re-join a full roster with what has changed meanwhile', () => {
    const scene = Scene.joined();
    scene.inject({ command: 'kill-front-end' });
    scene.inject({ command: 'participant-join', participant: 'sip:new@x' });
    scene.inject({ command: 'participant-leave', participant: ada });
    assert.deepEqual(scene.after(2_000), []);
    scene.watch.join(2, true);
    const [joined] = scene.after(20);
    assert.ok(joined?.event === 'joined' && joined.document);
    assert.equal(joined.document.version, 1);
    const entities = joined.document.users.map(({ entity }) => entity);
    assert.ok(entities.includes('sip:new@x') && entities.includes(us) && !entities.includes(ada));
    scene.inject({ command: 'participant-leave', participant: 'sip:new@x' });
    const [next] = scene.after(10);
    assert.ok(next?.event === 'document' && next.dialog === 2 && next.document.version === 2);
  });

  it('does not touch calls when the MCUs live elsewhere', () => {
    const scene = Scene.joined();
    scene.call();
    scene.fresh();
    scene.inject({ command: 'kill-front-end' });
    assert.deepEqual(scene.after(2_000), []);
    scene.watch.join(2, true);
    const [joined] = scene.after(20);
    assert.ok(joined?.event === 'joined');
    assert.deepEqual(joined.mcus, { 'audio-video': 'active', chat: 'active' });
    assert.deepEqual(
      joined.document?.users.find(({ entity }) => entity === us)?.endpoints[0]?.media.map(({ type }) => type),
      ['audio'],
    );
    const [call] = scene.status().calls as { flowing: boolean; packets: number }[];
    assert.equal(call?.flowing, true);
    assert.ok((call?.packets ?? 0) > 100);
  });

  it('takes the MCUs along that live on it; they are reported to the next dialog', () => {
    const scene = Scene.joined({ mcuPlacement: 'together', mcuFailoverMs: 5_000 });
    scene.call();
    scene.fresh();
    scene.inject({ command: 'kill-front-end' });
    const events = scene.after(2_000);
    assert.deepEqual(names(events), ['media']);
    scene.watch.join(2, true);
    const [joined] = scene.after(20);
    assert.ok(joined?.event === 'joined');
    assert.deepEqual(joined.mcus, { 'audio-video': 'failing-over', chat: 'failing-over' });
    assert.deepEqual(names(scene.after(3_000)), ['mcu-report', 'mcu-report']);
  });

  it('that hosts an MCU only is an MCU failover only', () => {
    const scene = Scene.joined();
    const { frontEnd } = (scene.status().mcus as { [name: string]: { frontEnd: string } }).chat as { frontEnd: string };
    scene.inject({ command: 'kill-front-end', frontEnd });
    const reports = scene.after(1_499);
    assert.ok(reports.every((event) => event.event === 'mcu-report' && event.report === 'failing-over'));
    assert.equal(status(scene.ask('refresh')), 200);
    assert.ok(
      scene.fresh().some((event) => event.event === 'mcu-report' && event.mcu === 'chat' && event.report === 'active'),
    );
  });

  it('and all others too: the Focus is down until one is restored', () => {
    const scene = Scene.joined();
    for (const name of ['front-end-1', 'front-end-2', 'front-end-3']) {
      scene.inject({ command: 'kill-front-end', frontEnd: name });
    }
    scene.pass(60_000);
    assert.equal(status(scene.ask('probe')), 504);
    assert.equal(status(scene.ask('refresh')), 504);
    for (const mcu of Object.values(scene.status().mcus as JsonObject)) {
      assert.deepEqual(mcu, { report: 'failing-over', frontEnd: null });
    }
    scene.refuses({ command: 'kill-front-end' }, /failing over already/);
    scene.refuses({ command: 'kill-front-end', frontEnd: 'front-end-1' }, /dead already/);
    assert.equal(scene.inject({ command: 'restore-front-end' }).frontEnd, 'front-end-3');
    assert.equal(scene.status().focus, 'front-end-3');
    assert.equal(status(scene.ask('probe')), 200);
    assert.equal(status(scene.ask('refresh')), 481);
    assert.deepEqual(scene.status().mcus, {
      'audio-video': { report: 'active', frontEnd: 'front-end-3' },
      chat: { report: 'active', frontEnd: 'front-end-3' },
    });
    scene.inject({ command: 'restore-front-end' });
    assert.equal(scene.status().focus, 'front-end-3');
  });

  it('again while the first one fails over: each death needs its own time', () => {
    const scene = Scene.joined({ frontEnds: 3 });
    scene.inject({ command: 'kill-front-end' });
    scene.pass(2_000);
    scene.watch.join(2, true);
    scene.pass(20);
    scene.inject({ command: 'kill-front-end' });
    assert.equal(status(scene.ask('refresh', 2)), 481);
    assert.equal(status(scene.ask('probe')), 504);
    scene.pass(2_000);
    assert.equal(status(scene.ask('probe')), 200);
  });

  it('frees a join that was in flight with 504', () => {
    const scene = Scene.joined();
    scene.watch.join(2, true);
    scene.pass(15);
    scene.inject({ command: 'kill-front-end' });
    const [failed] = scene.after(20);
    assert.ok(failed?.event === 'join-failed' && status(failed.outcome) === 504);
  });
});

describe('pool: an MCU rolls over', () => {
  it('is reported at once and when it is active again; its calls die without a word', () => {
    const scene = Scene.joined();
    scene.call('audio-video', ['audio', 'video']);
    scene.call('chat', []);
    const beforeFailure = scene.fresh();
    assert.deepEqual(
      beforeFailure.filter(({ event }) => event === 'media').length,
      1,
      'only the call that has packets has a media event',
    );
    scene.inject({ command: 'roll-over-mcu', mcu: 'audio-video' });
    const events = scene.after(10);
    assert.deepEqual(names(events), ['mcu-report', 'document', 'media']);
    assert.ok(events[0]?.event === 'mcu-report' && events[0].report === 'failing-over');
    assert.ok(events[2]?.event === 'media' && !events[2].flowing && events[2].packets > 0);
    scene.call('audio-video', [], 'too-early');
    const [failed] = scene.fresh();
    assert.ok(failed?.event === 'call-failed' && status(failed.outcome) === 503);
    assert.deepEqual(scene.after(1_399), []);
    assert.deepEqual(scene.after(10), [{ event: 'mcu-report', dialog: 1, mcu: 'audio-video', report: 'active' }]);
    scene.watch.perform({ effect: 'end-call', callId: 'audio-video-call', mcu: 'audio-video' });
    assert.deepEqual(scene.after(20), [
      { event: 'call-ended', callId: 'audio-video-call', mcu: 'audio-video', reason: 'HungUp' },
    ]);
    scene.call('audio-video', ['audio'], 'second');
    assert.ok(names(scene.fresh()).includes('call-accepted'));
    assert.equal(status(scene.sendText('chat-call')), 200);
  });

  it('for a given time; and twice at once is impossible', () => {
    const scene = Scene.joined();
    scene.inject({ command: 'roll-over-mcu', mcu: 'chat', forMs: 300 });
    scene.refuses({ command: 'roll-over-mcu', mcu: 'chat' }, /failing over already/);
    assert.deepEqual(names(scene.after(309)), ['mcu-report']);
    assert.deepEqual(names(scene.after(1)), ['mcu-report']);
  });

  it('before it was ever active', () => {
    const scene = new Scene();
    scene.watch.join();
    scene.pass(100);
    scene.fresh();
    scene.inject({ command: 'roll-over-mcu', mcu: 'chat', forMs: 1_000 });
    const reports = scene.after(2_000).filter((event) => event.event === 'mcu-report' && event.mcu === 'chat');
    assert.deepEqual(
      reports.map((event) => event.event === 'mcu-report' && event.report),
      ['failing-over', 'active'],
    );
  });

  it('while its answer to a call is on its way: the call fails', () => {
    const scene = Scene.joined();
    scene.watch.perform({ effect: 'place-call', callId: 'unlucky', mcu: 'chat', media: [], timeoutMs: 1_000 });
    scene.pass(15);
    scene.inject({ command: 'roll-over-mcu', mcu: 'chat' });
    assert.ok(scene.after(10).some((event) => event.event === 'call-failed' && status(event.outcome) === 503));
  });
});

describe('pool: a hop breaks', () => {
  it('and refuses: requests fail at once, the loss and the return are told once', () => {
    const scene = Scene.joined();
    scene.inject({ command: 'break-hop', how: 'refuse' });
    scene.inject({ command: 'break-hop', how: 'refuse' });
    assert.deepEqual(names(scene.after(0)), ['transport-lost']);
    scene.watch.request('now', 'refresh');
    const [event] = scene.after(0);
    assert.ok(event?.event === 'outcome');
    assert.deepEqual(
      { ...event.outcome, message: '' },
      { kind: 'unreachable', cause: 'transport', written: false, message: '' },
    );
    assert.equal(event.elapsedMs, 0);
    assert.equal(status(scene.ask('probe')), 'transport');
    scene.inject({ command: 'restore-hop' });
    scene.fresh();
    assert.deepEqual(scene.after(0), [{ event: 'transport-restored', dialog: 1 }]);
    assert.equal(status(scene.ask('refresh')), 200);
    scene.refuses({ command: 'restore-hop' }, /No hop is broken/);
  });

  it('and refuses while a request is in flight: it may have been written', () => {
    for (const sinceMs of [5, 15]) {
      const scene = Scene.joined();
      scene.watch.request('pending', 'refresh');
      scene.pass(sinceMs);
      scene.inject({ command: 'break-hop' });
      const outcome = scene.after(20).find((event) => event.event === 'outcome');
      assert.ok(outcome?.event === 'outcome' && outcome.outcome.kind === 'unreachable');
      assert.ok(outcome.outcome.cause === 'transport' && outcome.outcome.written);
    }
  });

  it('and is silent: nothing gets through either way, and what was lost stays lost', () => {
    const scene = Scene.joined();
    scene.inject({ command: 'break-hop', how: 'silent' });
    scene.watch.request('unheard', 'operation', { operation: 'lock', timeoutMs: 800 });
    scene.inject({ command: 'participant-leave', participant: ada });
    scene.inject({ command: 'roll-over-mcu', mcu: 'chat', forMs: 100 });
    assert.deepEqual(scene.after(799), []);
    const events = scene.after(1);
    assert.deepEqual(names(events), ['outcome']);
    assert.ok(events[0]?.event === 'outcome' && status(events[0].outcome) === 'timeout');
    scene.inject({ command: 'restore-hop' });
    assert.deepEqual(scene.after(5_000), []);
    scene.inject({ command: 'participant-leave', participant: grace });
    const [document] = documents(scene.after(10));
    assert.equal(document?.version, 3, 'there is a gap');
    scene.watch.perform({ effect: 'refresh-roster', dialog: 1 });
    const [full] = documents(scene.after(20));
    assert.equal(full?.state, 'full');
    assert.equal(full?.version, 4);
    assert.equal(full?.users.length, 2);
  });

  it('restores itself', () => {
    for (const how of ['refuse', 'silent', 'stale-route'] as const) {
      const scene = Scene.joined();
      scene.inject({ command: 'break-hop', how, forMs: 300 });
      scene.pass(299);
      assert.notEqual(status(scene.ask('refresh', 1, 0)), 200);
      scene.pass(2);
      assert.equal(status(scene.ask('refresh')), 200, how);
      assert.equal(scene.watch.all('transport-restored').length, how === 'refuse' ? 1 : 0);
    }
  });

  it('and was replaced: 430 until a heal gets through, which adopts the new route', () => {
    const scene = Scene.joined();
    scene.call('chat', []);
    scene.inject({ command: 'break-hop', how: 'stale-route' });
    const outcome = scene.operate('lock');
    assert.ok(outcome.kind === 'refused' && outcome.status === 430);
    assert.deepEqual(outcome.recoveryAction, ['Dialog-Route-Set-Update']);
    assert.equal(status(scene.ask('refresh')), 430);
    assert.equal(status(scene.sendText('chat-call')), 430);
    assert.equal(status(scene.ask('probe')), 200);
    assert.equal(scene.status().staleRoute, true);
    scene.inject({ command: 'break-hop', how: 'silent' });
    assert.equal(status(scene.ask('heal')), 'timeout');
    scene.inject({ command: 'break-hop', how: 'stale-route' });
    assert.equal(status(scene.ask('refresh')), 430);
    assert.equal(status(scene.ask('heal')), 200);
    assert.equal(status(scene.ask('refresh')), 200);
    assert.equal(status(scene.sendText('chat-call')), 200);
    assert.equal(scene.status().staleRoute, false);
  });

  it('and was replaced: a re-join has the new route, and a heal of a lost dialog is 481', () => {
    const scene = Scene.joined();
    scene.inject({ command: 'break-hop', how: 'stale-route' });
    scene.inject({ command: 'kill-front-end' });
    assert.equal(status(scene.ask('refresh')), 430);
    assert.equal(status(scene.ask('heal')), 481);
    scene.pass(2_000);
    scene.watch.join(2, true);
    scene.pass(20);
    assert.equal(status(scene.ask('refresh', 2)), 200);
  });

  it('fails joins and calls, and leaves established calls alone', () => {
    for (const [how, code, waitMs] of [
      ['refuse', 'transport', 0],
      ['silent', 'timeout', 32_000],
    ] as const) {
      const scene = Scene.joined();
      scene.call();
      scene.inject({ command: 'break-hop', how });
      scene.pass(0);
      scene.fresh();
      scene.watch.perform({ effect: 'place-call', callId: 'second', mcu: 'chat', media: [], timeoutMs: 100 });
      scene.watch.join(2, true);
      const events = scene.after(waitMs);
      assert.deepEqual(names(events), ['call-failed', 'join-failed']);
      assert.ok(events[1]?.event === 'join-failed' && status(events[1].outcome) === code);
      const [call] = scene.status().calls as { flowing: boolean }[];
      assert.equal(call?.flowing, true);
    }
  });

  it('leaves ended calls and dialogs answered', () => {
    for (const how of ['refuse', 'silent'] as const) {
      const scene = Scene.joined();
      scene.call();
      scene.inject({ command: 'break-hop', how });
      scene.pass(0);
      scene.fresh();
      scene.watch.perform({ effect: 'end-call', callId: 'audio-video-call', mcu: 'audio-video' });
      scene.watch.perform({ effect: 'leave', dialog: 1, silently: false });
      assert.deepEqual(names(scene.after(20)), ['call-ended', 'left']);
      assert.equal(scene.status().participants, 4, 'the server has not heard of it');
    }
  });
});

describe('pool: faults of the conference', () => {
  it('participants come and go', () => {
    const scene = Scene.joined();
    scene.inject({ command: 'participant-join', participant: 'sip:new@x' });
    scene.inject({ command: 'participant-leave', participant: 'sip:new@x' });
    assert.deepEqual(
      documents(scene.after(10)).map(({ version, users }) => [version, users[0]?.entity, users[0]?.state]),
      [
        [2, 'sip:new@x', 'full'],
        [3, 'sip:new@x', 'deleted'],
      ],
    );
    scene.refuses({ command: 'participant-leave', participant: 'sip:new@x' }, /is not in/);
    scene.refuses({ command: 'participant-join', participant: ada }, /already/);
    scene.refuses({ command: 'participant-join', participant: '' }, /must be a URI/);
  });

  it('ejects us: our calls end, then our participation', () => {
    const scene = Scene.joined();
    scene.call();
    scene.call('chat', []);
    scene.fresh();
    scene.inject({ command: 'eject' });
    const events = scene.after(10);
    assert.deepEqual(names(events), ['media', 'call-ended', 'call-ended', 'ended']);
    assert.ok(events[1]?.event === 'call-ended' && events[1].reason === 'RemoteHungUp');
    assert.equal(scene.status().participants, 3);
    scene.inject({ command: 'participant-leave', participant: ada });
    assert.deepEqual(scene.after(1_000), []);
  });

  it('ends the conference', () => {
    const scene = Scene.joined();
    scene.inject({ command: 'end-conference' });
    assert.deepEqual(scene.after(10), [{ event: 'ended', dialog: 1, cause: 'conference-ended' }]);
    scene.refuses({ command: 'end-conference' }, /no conference/);
  });

  it('drops and restores media, with the packets counted', () => {
    const scene = Scene.joined();
    scene.refuses({ command: 'drop-media', mcu: 'audio-video' }, /No media flows/);
    scene.call();
    scene.fresh();
    scene.pass(1_000);
    scene.inject({ command: 'drop-media', mcu: 'audio-video' });
    const [dropped] = scene.after(100);
    assert.ok(dropped?.event === 'media' && !dropped.flowing);
    assert.equal(dropped.packets, 54);
    assert.ok(dropped.lastPacketAt !== null && scene.clock.now() - dropped.lastPacketAt <= 120);
    scene.inject({ command: 'restore-media', mcu: 'audio-video' });
    const [restored] = scene.after(100);
    assert.ok(restored?.event === 'media' && restored.flowing && restored.packets === 54);
    scene.refuses({ command: 'restore-media', mcu: 'audio-video' }, /lacks its media/);
  });

  it('says what is impossible and why', () => {
    const scene = Scene.joined();
    scene.refuses({ command: 'kill-front-end', frontEnd: 'front-end-9' }, /no front end "front-end-9"/);
    scene.refuses({ command: 'restore-front-end' }, /No front end is dead/);
    scene.refuses({ command: 'restore-front-end', frontEnd: 'front-end-1' }, /not dead/);
    scene.refuses({ command: 'roll-over-mcu', mcu: 'fax' }, /no MCU "fax"/);
    scene.refuses({ command: 'roll-over-mcu', mcu: 'chat', forMs: -1 }, /milliseconds/);
    scene.refuses({ command: 'break-hop', how: 'gently' } as unknown as PoolFault, /not as "gently"/);
    scene.refuses({ command: 'meteor' } as unknown as PoolFault, /no fault "meteor"/);
    const elsewhere = scene.pool.inject({ command: 'eject' }, 'sip:elsewhere@x');
    assert.ok(!elsewhere.ok && /nobody has joined/.test(elsewhere.message));
    assert.throws(() => scene.pool.port({ uri: us }), /taken already/);
  });

  it('status says who hosts what', () => {
    const scene = Scene.joined();
    const before = scene.inject({ command: 'status' });
    assert.equal(before.exists, true);
    assert.equal(before.placement, 'conference');
    assert.equal(before.participants, 4);
    assert.deepEqual(before.hops, [
      { name: 'hop-1', condition: 'up' },
      { name: 'hop-2', condition: 'up' },
    ]);
    scene.inject({ command: 'break-hop', how: 'silent' });
    assert.equal(scene.status().path, 'silent');
    assert.equal((scene.status().frontEnds as unknown[]).length, 3);
  });
});

describe('pool: calls', () => {
  it('shows our media in the roster, and takes it away', () => {
    const scene = Scene.joined();
    scene.call('audio-video', ['audio', 'video']);
    const events = scene.fresh();
    assert.deepEqual(names(events), ['call-accepted', 'media', 'document']);
    assert.deepEqual(
      documents(events)[0]?.users[0]?.endpoints[0]?.media.map(({ type }) => type),
      ['audio', 'video'],
    );
    scene.watch.perform({ effect: 'end-call', callId: 'audio-video-call', mcu: 'audio-video' });
    assert.deepEqual(documents(scene.after(20))[0]?.users[0]?.endpoints[0]?.media, []);
  });

  it('are refused by an MCU that is not active yet, and without being in the conference', () => {
    const scene = new Scene();
    scene.call('chat', [], 'outsider');
    scene.watch.join();
    scene.pass(20);
    scene.call('chat', [], 'early');
    const failures = scene.watch.all('call-failed');
    assert.deepEqual(
      failures.map(({ outcome }) => status(outcome)),
      [403, 480],
    );
  });

  it('have a limit, with a clear failure', () => {
    const scene = Scene.joined();
    for (let index = 0; index < 101; index += 1) scene.call('chat', [], `call-${index}`);
    const [failed] = scene.watch.all('call-failed');
    assert.ok(failed?.outcome.kind === 'refused');
    assert.match(failed.outcome.response.reason, /100 calls/);
  });

  it('time out when the answer takes longer than asked for', () => {
    const scene = Scene.joined({ latencyMs: 100 });
    scene.watch.perform({ effect: 'place-call', callId: 'slow', mcu: 'chat', media: [], timeoutMs: 150 });
    const events = scene.after(1_000);
    assert.deepEqual(names(events), ['call-failed']);
    assert.ok(events[0]?.event === 'call-failed' && status(events[0].outcome) === 'timeout');
  });
});

/** Everything that can be done to a pool, at random; the same for the same seed. */
function chaos(seed: number, steps: number): { scene: Scene; sent: Map<string, number> } {
  const random = seeded(seed);
  const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)] as T;
  const scene = new Scene({
    seed,
    jitterMs: 25,
    lobby: seed % 3 === 0,
    mcuPlacement: seed % 2 ? 'together' : 'separate',
  });
  const sent = new Map<string, number>();
  let dialog = 0;
  const someone = (): string => `sip:someone-${Math.floor(random() * 5)}@x`;
  const request = (index: number): void => {
    const requestId = `request-${index}`;
    sent.set(requestId, scene.clock.now());
    const purpose = pick(['operation', 'heal', 'probe', 'refresh', 'subscription'] as const);
    scene.watch.request(requestId, purpose, {
      dialog: Math.max(1, dialog - Math.floor(random() * 2)),
      timeoutMs: pick([0, 15, 200, 1_000, 1_000]),
      ...(purpose === 'operation'
        ? {
            operation: pick([
              'lock',
              'unlock',
              'eject',
              'modify-role',
              'invite',
              'admit',
              'mute',
              'dial-out',
              'end-conference',
            ]),
            arguments: { participant: pick([ada, us, someone()]), participants: [someone()], role: 'presenter' },
            ...(random() < 0.4 ? { mcu: pick(['audio-video', 'chat', 'fax']) } : {}),
          }
        : {}),
    });
  };
  for (let index = 0; index < steps; index += 1) {
    const mcu = pick(['audio-video', 'chat']);
    const callId = `call-${Math.floor(random() * 12)}`;
    const forMs = pick([undefined, 0, 50, 3_000]);
    const timed = forMs === undefined ? {} : { forMs };
    const faults: PoolFault[] = [
      { command: 'kill-front-end' },
      { command: 'kill-front-end', frontEnd: pick(['front-end-1', 'front-end-2', 'front-end-3']) },
      { command: 'restore-front-end' },
      { command: 'restore-front-end' },
      { command: 'roll-over-mcu', mcu, ...timed },
      { command: 'break-hop', how: pick(['refuse', 'silent', 'stale-route'] as const), ...timed },
      { command: 'restore-hop' },
      { command: 'restore-hop' },
      { command: 'restore-hop' },
      { command: 'drop-media', mcu },
      { command: 'restore-media', mcu },
      { command: 'place-in-lobby' },
      { command: 'admit' },
      { command: 'admit' },
      { command: 'eject' },
      { command: 'end-conference' },
      { command: 'participant-join', participant: someone() },
      { command: 'participant-leave', participant: someone() },
    ];
    const choice = random();
    if (choice < 0.14) scene.pool.inject(pick(faults), conference);
    else if (choice < 0.24) {
      dialog += 1;
      scene.watch.join(dialog, random() < 0.5);
    } else if (choice < 0.55) request(index);
    else if (choice < 0.7) scene.watch.perform({ effect: 'place-call', callId, mcu, media: ['video'], timeoutMs: 200 });
    else if (choice < 0.75) scene.watch.perform({ effect: 'end-call', callId, mcu });
    else if (choice < 0.8) scene.watch.perform({ effect: 'refresh-roster', dialog: Math.max(1, dialog) });
    else if (choice < 0.83)
      scene.watch.perform({ effect: 'leave', dialog: Math.max(1, dialog), silently: random() < 0.5 });
    scene.pass(pick([0, 0, 3, 12, 40, 500]));
  }
  scene.pass(120_000);
  return { scene, sent };
}

describe('pool: things that cross on the way', () => {
  it('requests arrive in the order in which they were sent, whatever the jitter', () => {
    const scene = Scene.joined({ jitterMs: 50 });
    for (let index = 0; index < 50; index += 1) {
      const given = { arguments: { participant: 'sip:guest@x' } };
      scene.watch.request(`in-${index}`, 'operation', { operation: 'invite', ...given });
      scene.watch.request(`out-${index}`, 'operation', { operation: 'eject', ...given });
    }
    const events = scene.after(1_000);
    assert.equal(events.filter((event) => event.event === 'outcome' && status(event.outcome) === 200).length, 100);
    assert.deepEqual(
      documents(events).map(({ version }) => version),
      Array.from({ length: 100 }, (_, index) => index + 2),
    );
  });

  it('a call that is accepted while we hang up fails, then ends', () => {
    for (const sinceMs of [5, 15]) {
      const scene = Scene.joined();
      scene.watch.perform({ effect: 'place-call', callId: 'call', mcu: 'audio-video', media: [], timeoutMs: 1_000 });
      scene.pass(sinceMs);
      scene.watch.perform({ effect: 'end-call', callId: 'call', mcu: 'audio-video' });
      const events = scene.after(1_000);
      assert.deepEqual(names(events), ['call-failed', 'call-ended']);
      assert.ok(events[0]?.event === 'call-failed' && status(events[0].outcome) === 487);
    }
  });

  it('a call that both sides end has ended once', () => {
    const scene = Scene.joined();
    scene.call('chat', []);
    scene.fresh();
    scene.inject({ command: 'eject' });
    scene.watch.perform({ effect: 'end-call', callId: 'chat-call', mcu: 'chat' });
    assert.deepEqual(names(scene.after(1_000)), ['ended', 'call-ended']);
  });

  it('media that stop while we hang up are not reported', () => {
    const scene = Scene.joined();
    scene.call();
    scene.fresh();
    scene.inject({ command: 'drop-media', mcu: 'audio-video' });
    scene.watch.perform({ effect: 'end-call', callId: 'audio-video-call', mcu: 'audio-video' });
    assert.deepEqual(names(scene.after(1_000)), ['document', 'call-ended']);
  });

  it('a BYE over a stale route is not heard', () => {
    const scene = Scene.joined();
    scene.inject({ command: 'break-hop', how: 'stale-route' });
    scene.watch.perform({ effect: 'leave', dialog: 1, silently: false });
    assert.deepEqual(names(scene.after(20)), ['left']);
    assert.equal(scene.status().participants, 4);
  });

  it('a dialog of the session before us is not ours', () => {
    const scene = Scene.joined();
    scene.inject({ command: 'break-hop', how: 'silent' });
    scene.port.detach(conference);
    scene.pass(100);
    scene.inject({ command: 'restore-hop' });
    const events: SignalingEvent[] = [];
    scene.port.attach(conference, (event) => events.push(event));
    scene.port.perform(conference, {
      effect: 'request',
      requestId: 'old',
      dialog: 1,
      purpose: 'refresh',
      timeoutMs: 100,
    });
    scene.pass(100);
    assert.ok(events[0]?.event === 'outcome' && status(events[0].outcome) === 481);
  });

  it('a connection that is back tells nothing to a session that has left', () => {
    const scene = Scene.joined();
    scene.inject({ command: 'break-hop', how: 'refuse' });
    scene.watch.perform({ effect: 'leave', dialog: 1, silently: true });
    scene.pass(100);
    scene.fresh();
    scene.inject({ command: 'restore-hop' });
    assert.deepEqual(scene.after(100), []);
  });

  it('a conference that was joined afresh after its end can be re-joined', () => {
    const scene = Scene.joined();
    scene.inject({ command: 'end-conference' });
    for (const [dialog, rejoin] of [
      [2, false],
      [3, true],
    ] as const) {
      scene.watch.join(dialog, rejoin);
      assert.equal(names(scene.after(30)).at(-1), 'joined');
    }
  });

  it('a re-join keeps the role that we were given', () => {
    const scene = Scene.joined();
    scene.watch.perform({ effect: 'join', dialog: 2, rejoin: true });
    const [joined] = scene.after(20);
    assert.ok(joined?.event === 'joined');
    assert.deepEqual(joined.document?.users.find(({ entity }) => entity === us)?.roles, ['presenter']);
  });

  it('an MCU that fails before it was active keeps its time when a front end comes back', () => {
    const scene = new Scene();
    scene.watch.join();
    scene.pass(100);
    const { focus } = scene.status();
    scene.inject({ command: 'roll-over-mcu', mcu: 'chat', forMs: 1_000 });
    const other = ['front-end-1', 'front-end-2', 'front-end-3'].find((name) => name !== focus) as string;
    scene.pass(400);
    scene.inject({ command: 'kill-front-end', frontEnd: other });
    scene.inject({ command: 'restore-front-end', frontEnd: other });
    const { chat } = scene.status().mcus as { [mcu: string]: unknown };
    assert.deepEqual(chat, { report: 'failing-over', frontEnd: null });
  });

  it('a hop that breaks again stays broken for the later time', () => {
    const scene = Scene.joined();
    scene.inject({ command: 'break-hop', how: 'silent', forMs: 100 });
    scene.inject({ command: 'break-hop', how: 'silent', forMs: 500 });
    scene.pass(499);
    assert.equal(scene.status().path, 'silent');
    scene.pass(1);
    assert.equal(scene.status().path, 'up');
  });

  it('packets are counted whenever one looks', () => {
    const scene = Scene.joined();
    scene.call();
    for (let index = 0; index < 130; index += 1) {
      scene.status();
      scene.pass(7);
    }
    // 80 ms of them while the call was set up.
    assert.equal((scene.status().calls as { packets: number }[])[0]?.packets, Math.floor((80 + 130 * 7) / 20));
  });

  it('a port that is closed from inside an event leaves nothing behind', () => {
    const scene = Scene.joined();
    scene.port.attach(conference, (event) => {
      if (event.event === 'call-accepted') void scene.port.close();
    });
    scene.watch.join(2);
    scene.pass(100);
    scene.call();
    assert.equal(scene.clock.pending, 0);
    assert.deepEqual(scene.pool.inject({ command: 'break-hop', forMs: 10 }, conference), {
      ok: false,
      message: 'The pool is closed.',
    });
    assert.equal(scene.clock.pending, 0);
  });

  it('two sides that answer at once leave room for others', () => {
    const clock = new VirtualClock();
    const agenda = new Agenda(clock);
    let turns = 0;
    const turn = (): void => {
      turns += 1;
      agenda.after(0, turn);
    };
    agenda.after(0, turn);
    clock.runNext();
    assert.equal(turns, 1);
    clock.runNext();
    assert.equal(turns, 2);
  });
});

describe('pool: guests', () => {
  const bob = 'sip:bob@pool.example';
  let scene: Scene;
  let guest: SignalingPort;
  let told: SignalingEvent[];

  const perform = (effect: SignalingEffect): void => guest.perform(conference, effect);
  const names = (): string[] => told.splice(0).map(({ event }) => event);
  const enter = (): void => {
    perform({ effect: 'join', dialog: 1, rejoin: false, displayName: 'Bob' });
    scene.pass(1_000);
  };

  beforeEach(() => {
    scene = Scene.joined();
    told = [];
    guest = scene.pool.guestPort({ uri: bob });
    guest.attach(conference, (event) => told.push(event));
  });

  it('see us and are seen, come and go', () => {
    enter();
    const [joined] = told.splice(0);
    assert.ok(joined?.event === 'joined' && joined.document?.users.some(({ entity }) => entity === us));
    const [come] = scene.fresh();
    assert.ok(come?.event === 'document' && come.document.state === 'partial');
    assert.deepEqual(
      come.document.users.map(({ entity, displayName }) => [entity, displayName]),
      [[bob, 'Bob']],
    );
    perform({ effect: 'leave', dialog: 1, silently: false });
    const [gone] = scene.after(1_000);
    assert.ok(gone?.event === 'document');
    assert.deepEqual(
      gone.document.users.map(({ entity, state }) => [entity, state]),
      [[bob, 'deleted']],
    );
    assert.deepEqual(names(), ['left']);
  });

  it('are ejected with a word to them, and their calls end; ours go on', () => {
    enter();
    for (const [port, callId] of [
      [guest, 'theirs'],
      [scene.port, 'ours'],
    ] as const) {
      port.perform(conference, { effect: 'place-call', callId, mcu: 'chat', media: [], timeoutMs: 5_000 });
    }
    scene.pass(1_000);
    told.splice(0);
    scene.inject({ command: 'participant-leave', participant: bob });
    scene.pass(1_000);
    assert.deepEqual(names(), ['call-ended', 'ended']);
    assert.deepEqual(
      scene.fresh().filter(({ event }) => event === 'call-ended'),
      [],
    );
  });

  it('wait in the lobby, are let in and turned away', () => {
    scene = new Scene({ lobby: true });
    guest = scene.pool.guestPort({ uri: bob });
    guest.attach(conference, (event) => told.push(event));
    scene.watch.join();
    scene.pass(1_000);
    scene.inject({ command: 'admit' });
    for (const operation of ['admit', 'deny']) {
      enter();
      const [waiting] = told.splice(0);
      assert.ok(waiting?.event === 'joined' && waiting.placement === 'lobby');
      scene.watch.request(operation, 'operation', { operation, arguments: { participants: [bob] } });
      scene.pass(1_000);
      assert.deepEqual(names().slice(0, 1), [operation === 'admit' ? 'admitted' : 'ended']);
      perform({ effect: 'leave', dialog: 1, silently: false });
      scene.pass(1_000);
      told.splice(0);
    }
  });

  it('lose their dialogs with ours, and the conference ends for all', () => {
    enter();
    scene.inject({ command: 'kill-front-end' });
    perform({ effect: 'request', requestId: 'ask', dialog: 1, purpose: 'refresh', timeoutMs: 5_000 });
    scene.pass(1_000);
    const lost = told.at(-1);
    assert.ok(lost?.event === 'outcome' && lost.outcome.kind === 'refused' && lost.outcome.status === 481);
    scene.pass(5_000);
    perform({ effect: 'join', dialog: 2, rejoin: true });
    scene.pass(1_000);
    told.splice(0);
    scene.inject({ command: 'end-conference' });
    scene.pass(1_000);
    assert.deepEqual(names(), ['ended']);
  });

  it('are gone when their port is closed; with ours the pool is', async () => {
    enter();
    scene.fresh();
    await guest.close();
    const [gone] = scene.after(1_000);
    assert.ok(gone?.event === 'document' && gone.document.users[0]?.state === 'deleted');
    const another = scene.pool.guestPort({ uri: bob });
    await scene.port.close();
    another.attach(conference, () => assert.fail('told after close'));
    another.perform(conference, { effect: 'join', dialog: 1, rejoin: false });
    assert.equal(scene.clock.pending, 0);
  });
});

describe('pool: limits', () => {
  it('requests that await an answer', () => {
    const scene = Scene.joined();
    scene.inject({ command: 'break-hop', how: 'silent' });
    for (let index = 0; index <= poolLimits.requests; index += 1) scene.watch.request(`${index}`, 'refresh');
    const [event] = scene.after(0);
    assert.ok(event?.event === 'outcome' && event.outcome.kind === 'refused');
    assert.equal(event.outcome.status, 500);
    assert.match(event.outcome.response.reason, /10000 requests/);
    assert.equal(scene.after(5_000).length, poolLimits.requests);
  });

  it('participants', () => {
    const participants = Array.from({ length: poolLimits.participants - 1 }, (_, index) => `sip:${index}@x`);
    const scene = Scene.joined({ participants });
    scene.refuses({ command: 'participant-join', participant: 'sip:late@x' }, /full/);
    for (const [operation, mcu] of [['invite'], ['dial-out', 'chat']] as const) {
      const outcome = scene.operate(operation, { participant: 'sip:late@x' }, mcu);
      assert.ok(outcome.kind === 'refused' && outcome.conferenceReason === 'MaximumMeetingSizeExceeded');
    }
    scene.watch.perform({ effect: 'leave', dialog: 1, silently: false });
    scene.pass(20);
    scene.inject({ command: 'participant-join', participant: 'sip:late@x' });
    scene.fresh();
    scene.watch.join(2);
    const [failed] = scene.after(20);
    assert.ok(failed?.event === 'join-failed' && status(failed.outcome) === 403);
  });
});

describe('pool: under everything at once', () => {
  it('every request has exactly one outcome, in time, and every roster is what its documents say', () => {
    let compared = 0;
    for (let seed = 1; seed <= 150; seed += 1) {
      const { scene, sent } = chaos(seed, 150);
      const outcomes = scene.watch.all('outcome');
      assert.equal(outcomes.length, sent.size, `seed ${seed}`);
      assert.equal(new Set(outcomes.map(({ requestId }) => requestId)).size, sent.size, `seed ${seed}`);
      for (const { elapsedMs } of outcomes) assert.ok(elapsedMs <= 1_000);
      scene.watch.verify();
      compared += checkRosters(scene, seed);
      void scene.port.close();
      assert.equal(scene.clock.pending, 0, `seed ${seed}`);
    }
    assert.ok(compared > 100, `only ${compared} rosters could be compared`);
  });

  it('the same seed gives the same events', () => {
    for (let seed = 1; seed <= 20; seed += 1) {
      assert.deepEqual(chaos(seed, 150).scene.watch.events, chaos(seed, 150).scene.watch.events);
    }
  });
});

/** Merging every document that came without a gap gives the roster that the next full document states. */
function checkRosters(scene: Scene, seed: number): number {
  let compared = 0;
  let roster = emptyRoster;
  let gap = true;
  for (const event of scene.watch.events) {
    const document =
      event.event === 'joined' || event.event === 'admitted' || event.event === 'document' ? event.document : null;
    if (event.event === 'joined' || event.event === 'admitted') roster = emptyRoster;
    if (!document) continue;
    const applied = applyDocument(roster, document);
    if (applied.kind === 'gap') {
      gap = true;
      continue;
    }
    if (applied.kind === 'stale') continue;
    assert.ok(applied.kind === 'applied');
    if (
      document.state === 'full' &&
      !gap &&
      document.version === (roster.version ?? 0) + 1 &&
      roster.version !== null
    ) {
      assert.deepEqual(plain(applied.roster.participants), plain(roster.participants), `seed ${seed}`);
      compared += 1;
    }
    gap = false;
    roster = applied.roster;
  }
  return compared;
}

function plain(participants: Participants): unknown {
  return JSON.parse(JSON.stringify(participants));
}

describe('pool: speed', () => {
  it('takes a thousand failovers with a re-join each in the blink of an eye', () => {
    const scene = Scene.joined({ frontEnds: 3, failoverMs: 100 });
    const before = process.cpuUsage();
    for (let dialog = 2; dialog < 1_002; dialog += 1) {
      scene.inject({ command: 'kill-front-end' });
      scene.pass(100);
      scene.watch.join(dialog, true);
      scene.pass(20);
      scene.inject({ command: 'restore-front-end' });
    }
    assert.equal(scene.watch.all('joined').length, 1_001);
    const { user, system } = process.cpuUsage(before);
    assert.ok(user + system < 1_000_000, `${user + system} µs`);
  });
});
