/** The pool dies with its process, and must not be seen to: what it plays is a conferencing system that goes on. */
import assert from 'node:assert/strict';
import type { JsonObject } from '../../nodes/recovery/messages';
import type { SignalingEffect, SignalingEvent } from '../../nodes/recovery/signaling';
import { Pool, type PoolFault, type PoolOptions } from '../../nodes/signaling/pool/pool';
import type { SignalingPort } from '../../nodes/signaling/port';
import { VirtualClock } from '../support/virtual-clock';

const conference = 'sip:standup@pool.example';
const identity = { uri: 'sip:us@pool.example', displayName: 'Us' };

/** A pool with us in it, and what it told. */
class Place {
  readonly pool: Pool;
  readonly port: SignalingPort;
  events: SignalingEvent[] = [];

  constructor(
    readonly clock: VirtualClock,
    options: Partial<PoolOptions>,
  ) {
    this.pool = new Pool(options, clock);
    this.port = this.pool.port(identity);
    this.attach();
  }

  attach(): void {
    this.port.attach(conference, (event) => this.events.push(event));
  }

  /** The same place in another process. */
  again(options: Partial<PoolOptions> = {}): Place {
    const plain = <T>(value: T): T => JSON.parse(JSON.stringify(value));
    const place = new Place(this.clock, options);
    assert.ok(place.port.restoreSystem(plain(this.port.savedSystem()) as JsonObject));
    assert.ok(place.port.restore(conference, plain(this.port.saved(conference)) as JsonObject));
    return place;
  }

  perform(effect: SignalingEffect): void {
    this.port.perform(conference, effect);
  }

  request(requestId: string, purpose: 'heal' | 'operation' | 'probe' | 'refresh', operation = 'lock'): void {
    const more = purpose === 'operation' ? { operation, arguments: {} } : {};
    this.perform({ effect: 'request', requestId, dialog: 1, purpose, timeoutMs: 1_000, ...more });
  }

  inject(fault: PoolFault): void {
    assert.ok(this.pool.inject(fault, conference).ok, fault.command);
  }
}

describe('a pool that is taken up by another process', () => {
  let clock: VirtualClock;
  let places: Place[];

  beforeEach(() => {
    clock = new VirtualClock();
    places = [];
  });

  afterEach(async () => {
    for (const { port } of places) await port.close();
    assert.equal(clock.pending, 0, 'timers left after close');
  });

  const joined = async (options: Partial<PoolOptions> = {}): Promise<Place> => {
    const place = new Place(clock, options);
    places.push(place);
    place.perform({ effect: 'join', dialog: 1, rejoin: false });
    await clock.advance(1_000);
    return place;
  };

  const call = async (place: Place): Promise<void> => {
    place.perform({ effect: 'place-call', callId: 'call-1', mcu: 'audio-video', media: ['audio'], timeoutMs: 1_000 });
    await clock.advance(500);
  };

  const situations: { [name: string]: (place: Place) => void } = {
    'at peace': () => {},
    'with an MCU that fails over': (place) => place.inject({ command: 'roll-over-mcu', mcu: 'audio-video' }),
    'while the Focus fails over': (place) => place.inject({ command: 'kill-front-end' }),
    'with all front ends dead': (place) => {
      for (let number = 1; number <= 3; number += 1) {
        place.inject({ command: 'kill-front-end', frontEnd: `front-end-${number}` });
      }
    },
    'with a hop that is silent for a while': (place) =>
      place.inject({ command: 'break-hop', how: 'silent', forMs: 3_000 }),
    'with a hop that refuses for a while': (place) =>
      place.inject({ command: 'break-hop', how: 'refuse', forMs: 3_000 }),
    'with a hop that knows no old routes': (place) => place.inject({ command: 'break-hop', how: 'stale-route' }),
    'with a call whose media were dropped': (place) => place.inject({ command: 'drop-media', mcu: 'audio-video' }),
    'with somebody more in it': (place) => place.inject({ command: 'participant-join', participant: 'sip:eve@x' }),
    locked: (place) => place.request('before', 'operation'),
  };

  const kinds: [string, Partial<PoolOptions>, (place: Place) => void][] = Object.entries(situations).map(
    ([name, reach]) => [name, {}, reach],
  );
  kinds.push(['with jitter', { jitterMs: 30, seed: 7 }, () => {}]);

  for (const [name, options, reach] of kinds) {
    it(`${name}: it behaves as it would have without that (PER-2)`, async () => {
      const untouched = await joined(options);
      await call(untouched);
      reach(untouched);
      // Nothing is on its way just now: that would be lost with the process, as on a wire.
      await clock.advance(100);
      const taken = untouched.again(options);
      places.push(taken);
      assert.deepEqual(taken.pool.status(conference), untouched.pool.status(conference));
      untouched.events = [];
      for (const place of places) place.perform({ effect: 'resume', dialog: 1, timeoutMs: 500 });
      await clock.advance(1_000);
      for (const place of places) place.request('probe', 'probe');
      await clock.advance(2_500);
      for (const place of places) place.request('heal', 'heal');
      await clock.advance(500);
      for (const place of places) {
        place.request('after', 'operation', 'unlock');
        place.perform({ effect: 'join', dialog: 2, rejoin: true });
      }
      await clock.advance(1_000);
      for (const place of places) {
        place.perform({ effect: 'end-call', callId: 'call-1', mcu: 'audio-video' });
        place.perform({ effect: 'leave', dialog: 2, silently: false });
      }
      await clock.advance(1_000);
      assert.deepEqual(taken.events, untouched.events);
      assert.deepEqual(taken.pool.status(conference), untouched.pool.status(conference));
      assert.ok(untouched.events.length > 5);
    });
  }

  it('in the lobby: it is let in later (PER-2)', async () => {
    const before = await joined({ lobby: true });
    const taken = before.again({ lobby: true });
    places.push(taken);
    taken.inject({ command: 'admit' });
    await clock.advance(100);
    assert.equal(taken.events.at(-1)?.event, 'admitted');
  });

  it('what was due meanwhile has happened: the Focus has moved, the hop is back (PER-2)', async () => {
    const before = await joined();
    before.inject({ command: 'kill-front-end' });
    before.inject({ command: 'break-hop', how: 'refuse', forMs: 1_000 });
    await clock.advance(10);
    const system = before.port.savedSystem() as JsonObject;
    const saved = before.port.saved(conference) as JsonObject;
    await before.port.close();
    await clock.advance(60_000);
    const after = new Place(clock, {});
    places.push(after);
    after.port.restoreSystem(system);
    after.port.restore(conference, saved);
    after.perform({ effect: 'resume', dialog: 1, timeoutMs: 500 });
    await clock.advance(100);
    const outcome = after.events.find((event) => event.event === 'outcome')?.outcome;
    assert.ok(outcome?.kind === 'refused' && outcome.status === 481, JSON.stringify(outcome));
    const { focus, path } = after.pool.status(conference);
    assert.ok(focus);
    assert.equal(path, 'up');
  });

  it('what was due meanwhile has happened in its order: each server is where it would be (PER-2)', async () => {
    for (let seed = 1; seed <= 6; seed += 1) {
      const options = { frontEnds: 4, seed };
      const untouched = await joined(options);
      untouched.inject({ command: 'kill-front-end' });
      for (const mcu of ['audio-video', 'chat']) untouched.pool.inject({ command: 'roll-over-mcu', mcu }, conference);
      const system = untouched.port.savedSystem() as JsonObject;
      const saved = untouched.port.saved(conference) as JsonObject;
      await clock.advance(10_000);
      const taken = new Place(clock, options);
      places.push(taken);
      taken.port.restoreSystem(system);
      taken.port.restore(conference, saved);
      assert.deepEqual(taken.pool.status(conference), untouched.pool.status(conference), `seed ${seed}`);
    }
  });

  it('a Focus that dies while it answers has lost the dialog (PER-2)', async () => {
    const before = await joined();
    const taken = before.again();
    places.push(taken);
    taken.perform({ effect: 'resume', dialog: 1, timeoutMs: 500 });
    await clock.advance(15);
    taken.inject({ command: 'kill-front-end' });
    await clock.advance(100);
    const outcome = taken.events.find((event) => event.event === 'outcome')?.outcome;
    assert.ok(outcome?.kind === 'refused' && outcome.status === 481, JSON.stringify(outcome));
  });

  it('a call that was being placed is not there, and nothing of it is kept for ever (PER-1)', async () => {
    const before = await joined();
    before.perform({ effect: 'place-call', callId: 'call-1', mcu: 'audio-video', media: ['audio'], timeoutMs: 1_000 });
    for (const arrived of ['nowhere', 'at the MCU']) {
      const taken = before.again();
      places.push(taken);
      assert.deepEqual(taken.pool.status(conference).calls, [], arrived);
      taken.perform({ effect: 'leave', dialog: 1, silently: false });
      await clock.advance(15);
      assert.equal(taken.port.saved(conference), null, arrived);
    }
  });

  it('a connection that was lost comes back once, and is lost again later (PER-2)', async () => {
    const untouched = await joined();
    // The fault is that of another conference: a hop is everybody's.
    untouched.port.saved(conference);
    untouched.pool.inject({ command: 'break-hop', how: 'refuse', forMs: 1_000 }, 'sip:other@pool.example');
    await clock.advance(10);
    for (const hopIs of ['broken', 'back']) {
      const taken = untouched.again();
      places.push(taken);
      untouched.events = [];
      await clock.advance(2_000);
      for (const place of [untouched, taken]) place.inject({ command: 'break-hop', how: 'refuse', forMs: 1_000 });
      await clock.advance(2_000);
      assert.deepEqual(taken.events, untouched.events, hopIs);
    }
  });

  it('a pool with more servers: what waited for one lives there (PER-1)', async () => {
    const before = await joined({ frontEnds: 1 });
    before.inject({ command: 'kill-front-end' });
    await clock.advance(5_000);
    const taken = before.again({ frontEnds: 2 });
    places.push(taken);
    await clock.advance(5_000);
    const { focus, mcus } = taken.pool.status(conference);
    assert.equal(focus, 'front-end-2');
    for (const mcu of Object.values(mcus as object)) assert.deepEqual(mcu, { report: 'active', frontEnd: focus });
  });

  it('a pool without an MCU: nobody shows the media of a call to it (PER-1)', async () => {
    const before = await joined();
    await call(before);
    const taken = before.again({ mcus: ['chat'] });
    places.push(taken);
    taken.perform({ effect: 'resume', dialog: 1, timeoutMs: 500 });
    await clock.advance(100);
    const document = taken.events.find((event) => event.event === 'document')?.document;
    const ourselves = document?.users.find(({ entity }) => entity === identity.uri);
    assert.ok(ourselves);
    assert.deepEqual(
      ourselves.endpoints.flatMap(({ media }) => media),
      [],
    );
  });

  it('taken up where it went on without us: what was lost meanwhile stays lost (PER-2)', async () => {
    const place = await joined();
    await call(place);
    const saved = place.port.saved(conference) as JsonObject;
    place.port.abandon(conference);
    place.attach();
    assert.equal(place.port.saved(conference), null, 'nothing is kept of what was abandoned');
    place.port.restore(conference, saved);
    place.perform({ effect: 'resume', dialog: 1, timeoutMs: 500 });
    await clock.advance(100);
    place.port.abandon(conference);
    place.inject({ command: 'kill-front-end' });
    place.pool.inject({ command: 'roll-over-mcu', mcu: 'audio-video' }, conference);
    await clock.advance(5_000);
    place.attach();
    place.port.restore(conference, saved);
    place.perform({ effect: 'resume', dialog: 1, timeoutMs: 500 });
    await clock.advance(100);
    place.perform({ effect: 'refresh-call', callId: 'call-1', mcu: 'audio-video' });
    await clock.advance(100);
    const statuses = place.events.flatMap((event) =>
      event.event === 'outcome' ? [event.outcome.kind === 'refused' ? event.outcome.status : event.outcome.kind] : [],
    );
    assert.deepEqual(statuses, ['ok', 481]);
    assert.equal(place.events.at(-1)?.event, 'call-ended');
  });

  it('a join that nothing came of leaves nothing to be kept', async () => {
    const place = new Place(clock, {});
    places.push(place);
    place.inject({ command: 'break-hop', how: 'silent' });
    place.perform({ effect: 'join', dialog: 1, rejoin: false });
    assert.ok(place.port.saved(conference));
    await clock.advance(60_000);
    assert.equal(place.port.saved(conference), null);
  });

  it('a pool with other servers: what lived where there is nothing any more fails over (PER-1)', async () => {
    const before = await joined({ frontEnds: 8 });
    await call(before);
    const taken = before.again({ frontEnds: 1, hops: 1, mcus: ['chat'] });
    places.push(taken);
    await clock.advance(5_000);
    const { focus, mcus, calls } = taken.pool.status(conference) as {
      focus: string;
      mcus: object;
      calls: JsonObject[];
    };
    assert.equal(focus, 'front-end-1');
    assert.deepEqual(mcus, { chat: { report: 'active', frontEnd: 'front-end-1' } });
    assert.deepEqual(
      calls.map(({ phase }) => phase),
      ['over'],
    );
    taken.perform({ effect: 'refresh-call', callId: 'call-1', mcu: 'audio-video' });
    await clock.advance(10);
    assert.equal(taken.events.at(-1)?.event, 'call-ended');
  });

  it('who took part through another port is not there any more', async () => {
    const before = await joined();
    const guest = before.pool.guestPort({ uri: 'sip:guest@pool.example' });
    guest.attach(conference, () => {});
    guest.perform(conference, { effect: 'join', dialog: 1, rejoin: false });
    await clock.advance(100);
    assert.equal(before.pool.status(conference).participants, 5);
    const taken = before.again();
    places.push(taken);
    assert.equal(taken.pool.status(conference).participants, 4);
    before.inject({ command: 'kill-front-end' });
    const later = before.again();
    places.push(later);
    assert.equal(later.pool.status(conference).participants, 4, 'when the Focus has lost all dialogs');
  });

  it('changes are told once, later, and of the conference that they are in', async () => {
    const place = await joined();
    const told: (string | null)[] = [];
    place.port.watch((changed) => told.push(changed));
    place.inject({ command: 'participant-join', participant: 'sip:eve@x' });
    place.inject({ command: 'participant-leave', participant: 'sip:eve@x' });
    assert.deepEqual(told, []);
    await Promise.resolve();
    assert.deepEqual(told, [conference, null]);
    told.length = 0;
    const kept = place.port.saved(conference);
    assert.equal(place.port.saved(conference), kept);
    place.inject({ command: 'kill-front-end' });
    await Promise.resolve();
    assert.deepEqual(new Set(told), new Set([conference, null]));
    assert.notEqual(place.port.saved(conference), kept);
  });
});
