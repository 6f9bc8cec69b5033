/**
 * What every signaling port must do, whatever it speaks. A peer is one conferencing system with a port to it; it says
 * what it can, and how time passes for it: a virtual clock is advanced, real time is slept through.
 */
import assert from 'node:assert/strict';
import type { HealingMethod, JsonObject, SignalPurpose } from '../../nodes/recovery/messages';
import type { SignalingEffect, SignalingEvent } from '../../nodes/recovery/signaling';
import type { SignalingPort } from '../../nodes/signaling/port';

/** What a conferencing system, or a port to it, can. */
export interface Capabilities {
  /** It sends conference documents (RFC 4575): with `joined`, or soon after it. */
  documents: boolean;
  /** An operation that succeeds, any number of times; null where there are none. */
  operation: { name: string; arguments: JsonObject; mcu?: string } | null;
  /** How a route can be healed. */
  healing: readonly HealingMethod[];
  /**
   * An MCU that can be called, the media to ask for, whether the port watches them, and whether the system says when the
   * MCU can be called; null where there are no calls.
   */
  call: { mcu: string; media: string[]; watched: boolean; reported: boolean } | null;
  /** An MCU to whose calls text can be sent. */
  text: { mcu: string } | null;
}

/** One conferencing system, fresh for one test. */
export interface Peer {
  port: SignalingPort;
  /** URI of a conference that can be joined. */
  conference: string;
  capabilities: Capabilities;
  /** An event that is due is here within so much of the peer's time: what has not come by then does not come. */
  patienceMs: number;
  /** How much longer it may take all the same, because the machine is busy. Absent where time is virtual. */
  leewayMs?: number;
  /** Lets time pass. */
  pass(ms: number): void | Promise<void>;
  /** From now on nobody answers anything. Absent where that cannot be arranged. */
  fallSilent?(): void | Promise<void>;
  /** The system forgets our dialogs, as after the death of a Focus. Absent where that cannot be arranged. */
  forgetDialogs?(): void | Promise<void>;
  /**
   * The port of another process: for the same user, to the same system as far as that outlives a process. What the peer can
   * arrange concerns the latest system. Absent where ports cannot be taken up.
   */
  restart?(): SignalingPort | Promise<SignalingPort>;
  /** Frees what the peer holds, after all its ports were closed. */
  dispose?(): void | Promise<void>;
}

type Named<Name extends SignalingEvent['event']> = Extract<SignalingEvent, { event: Name }>;
type Request = Extract<SignalingEffect, { effect: 'request' }>;

/** Watches one conference: what was told, and that nothing was told from inside a call of the port. */
export class Watch {
  readonly events: SignalingEvent[] = [];
  /** The events as they were when they were told. */
  private readonly copies: string[] = [];
  private inside = false;
  private toldInside = 0;

  constructor(
    private readonly peer: Peer,
    readonly conference = peer.conference,
  ) {
    this.within(() => peer.port.attach(conference, (event) => this.note(event)));
  }

  perform(effect: SignalingEffect): void {
    this.within(() => this.peer.port.perform(this.conference, effect));
  }

  join(dialog = 1, rejoin = false): void {
    this.perform({ effect: 'join', dialog, rejoin, displayName: 'Contract', role: 'presenter' });
  }

  request(requestId: string, purpose: SignalPurpose, more: Partial<Request> = {}): void {
    this.perform({ effect: 'request', requestId, dialog: 1, purpose, timeoutMs: 5_000, ...more });
  }

  /** All events of a name so far. */
  all<Name extends SignalingEvent['event']>(name: Name): Named<Name>[] {
    return this.events.filter((event): event is Named<Name> => event.event === name);
  }

  /** The first event of a name that fits, as soon as it is there. */
  async next<Name extends SignalingEvent['event']>(
    name: Name,
    fits: (event: Named<Name>) => boolean = () => true,
  ): Promise<Named<Name>> {
    const stepMs = Math.max(1, Math.round(this.peer.patienceMs / 100));
    for (let waitedMs = 0; ; waitedMs += stepMs) {
      const found = this.all(name).find(fits);
      if (found) return found;
      if (waitedMs > this.peer.patienceMs + (this.peer.leewayMs ?? 0)) break;
      await this.peer.pass(stepMs);
    }
    return assert.fail(`no "${name}" within ${this.peer.patienceMs} ms; there were ${JSON.stringify(this.events)}`);
  }

  /** The outcome of a request, after time enough for a second one. */
  async outcome(requestId: string): Promise<Named<'outcome'>> {
    const outcome = await this.next('outcome', (event) => event.requestId === requestId);
    await this.peer.pass(this.peer.patienceMs);
    assert.equal(this.all('outcome').filter((event) => event.requestId === requestId).length, 1, 'exactly one outcome');
    return outcome;
  }

  async joined(dialog = 1): Promise<Named<'joined'>> {
    this.join(dialog);
    return this.next('joined', (event) => event.dialog === dialog);
  }

  /** Nothing was told from inside a call; all that was told is plain data, and was not changed since. */
  verify(): void {
    assert.equal(this.toldInside, 0, 'events told from inside perform or attach');
    assert.deepEqual(
      this.copies.map((copy) => JSON.parse(copy)),
      this.events,
      'events are plain data that does not change',
    );
  }

  private note(event: SignalingEvent): void {
    if (this.inside) this.toldInside += 1;
    this.events.push(event);
    this.copies.push(JSON.stringify(event));
  }

  private within(run: () => void): void {
    this.inside = true;
    try {
      run();
    } finally {
      this.inside = false;
    }
  }
}

/** What tests need that not every peer has. */
export type Abilities = Pick<Peer, 'capabilities' | 'fallSilent' | 'forgetDialogs' | 'restart'>;

/**
 * The contract suite. `makePeer` is called before each test. `abilities` are those of a peer that cannot do everything:
 * tests that need more are left out.
 */
export function signalingContract(
  name: string,
  makePeer: () => Peer | Promise<Peer>,
  abilities: Abilities | null = null,
): void {
  describe(`signaling contract: ${name}`, () => {
    let peer: Peer;
    let watch: Watch;

    beforeEach(async () => {
      peer = await makePeer();
      watch = new Watch(peer);
    });

    afterEach(async () => {
      await peer.port.close();
      await peer.dispose?.();
      watch.verify();
    });

    /** A test that needs something which not every peer has. */
    function itWith<Needed>(
      needed: (peer: Abilities) => Needed | null | undefined | false,
      title: string,
      test: (needed: Needed) => Promise<void>,
    ): void {
      const lacks = (found: ReturnType<typeof needed>): found is null | undefined | false =>
        found === null || found === undefined || found === false;
      if (abilities && lacks(needed(abilities))) return;
      it(title, async () => {
        const found = needed(peer);
        if (lacks(found)) assert.fail('the peer cannot, which was to be said beforehand');
        await test(found);
      });
    }

    /** Places a call, when the MCU can be called. */
    async function call(mcu: string, media: string[], callId = 'call-1'): Promise<void> {
      const reported = (): boolean =>
        watch.all('mcu-report').some((event) => event.mcu === mcu && event.report === 'active');
      const active = watch.all('joined')[0]?.mcus?.[mcu] === 'active' || reported();
      if (peer.capabilities.call?.reported && !active) {
        await watch.next('mcu-report', (event) => event.mcu === mcu && event.report === 'active');
      }
      watch.perform({ effect: 'place-call', callId, mcu, media, timeoutMs: 5_000 });
      await watch.next('call-accepted', (event) => event.callId === callId);
    }

    describe('joining', () => {
      it('tells nothing before anything was asked for', async () => {
        await peer.pass(peer.patienceMs);
        assert.deepEqual(watch.events, []);
      });

      it('answers a join with exactly one `joined`', async () => {
        const { placement } = await watch.joined();
        await peer.pass(peer.patienceMs);
        assert.equal(placement, 'conference');
        assert.equal(watch.all('joined').length, 1);
        assert.equal(watch.all('join-failed').length, 0);
      });

      itWith(
        ({ capabilities }) => capabilities.documents,
        'gives a full document, then versions that follow each other',
        async () => {
          const { document } = await watch.joined();
          const first = document ?? (await watch.next('document')).document;
          assert.equal(first.state, 'full');
          assert.ok(first.users.length > 0);
          await peer.pass(peer.patienceMs);
          const versions = [
            ...(document ? [document] : []),
            ...watch.all('document').map((event) => event.document),
          ].map(({ version }) => version);
          assert.deepEqual(
            versions,
            versions.map((_, index) => first.version + index),
          );
        },
      );

      itWith(
        ({ capabilities }) => capabilities.documents,
        'gives a full document again when the roster is refreshed',
        async () => {
          await watch.joined();
          await peer.pass(peer.patienceMs);
          const before = watch.events.length;
          watch.perform({ effect: 'refresh-roster', dialog: 1 });
          await watch.next(
            'document',
            (event) => watch.events.indexOf(event) >= before && event.document.state === 'full',
          );
        },
      );

      itWith(
        ({ fallSilent }) => fallSilent,
        'tells nothing of a join that was given up by leaving',
        async (fallSilent) => {
          await fallSilent.call(peer);
          watch.join();
          watch.perform({ effect: 'leave', dialog: 1, silently: true });
          await watch.next('left');
          await peer.pass(peer.patienceMs);
          assert.deepEqual(watch.events, [{ event: 'left', dialog: 1 }]);
        },
      );
    });

    describe('requests', () => {
      beforeEach(() => watch.joined());

      itWith(
        ({ capabilities }) => capabilities.operation,
        'an operation has exactly one outcome',
        async ({ name: operation, arguments: given, mcu }) => {
          watch.request('one', 'operation', { operation, arguments: given, ...(mcu === undefined ? {} : { mcu }) });
          const { outcome, dialog, purpose, method, elapsedMs } = await watch.outcome('one');
          assert.equal(outcome.kind, 'ok');
          assert.deepEqual({ dialog, purpose }, { dialog: 1, purpose: 'operation' });
          assert.match(method, /^[A-Z]+$/);
          assert.ok(elapsedMs >= 0);
        },
      );

      itWith(
        ({ capabilities }) => capabilities.operation,
        'many operations at once have one outcome each',
        async ({ name: operation, arguments: given, mcu }) => {
          const ids = Array.from({ length: 20 }, (_, index) => `many-${index}`);
          for (const id of ids) {
            watch.request(id, 'operation', { operation, arguments: given, ...(mcu === undefined ? {} : { mcu }) });
          }
          for (const id of ids) await watch.next('outcome', (event) => event.requestId === id);
          await peer.pass(peer.patienceMs);
          assert.deepEqual(
            watch
              .all('outcome')
              .map(({ requestId }) => requestId)
              .sort(),
            ids.sort(),
          );
        },
      );

      for (const more of [{}, { mcu: 'audio-video' }, { mcu: 'no-such-mcu' }]) {
        it(`an operation that does not exist is unsupported, ${JSON.stringify(more)}`, async () => {
          watch.request('odd', 'operation', { operation: 'make-coffee', arguments: {}, ...more });
          assert.equal((await watch.outcome('odd')).outcome.kind, 'unsupported');
        });
      }

      for (const method of ['UPDATE', 're-INVITE', 'OPTIONS'] as const) {
        itWith(
          ({ capabilities }) => capabilities.healing.includes(method),
          `heals with ${method}`,
          async () => {
            watch.request('heal', 'heal', { method, attempt: 1 });
            const { outcome, purpose } = await watch.outcome('heal');
            assert.equal(outcome.kind, 'ok');
            assert.equal(purpose, 'heal');
          },
        );
      }

      for (const purpose of ['probe', 'refresh'] as const) {
        it(`answers a ${purpose}`, async () => {
          watch.request('ask', purpose);
          const event = await watch.outcome('ask');
          assert.equal(event.outcome.kind, 'ok');
          assert.equal(event.purpose, purpose);
        });
      }

      it('a request in a dialog that never was has one outcome, and it is not ok', async () => {
        watch.request('lost', 'refresh', { dialog: 77 });
        const { outcome, dialog } = await watch.outcome('lost');
        assert.notEqual(outcome.kind, 'ok');
        assert.equal(dialog, 77);
      });

      itWith(
        ({ forgetDialogs }) => forgetDialogs,
        'a dialog that the far end has forgotten is refused with 481',
        async (forgetDialogs) => {
          await forgetDialogs.call(peer);
          watch.request('gone', 'refresh');
          const { outcome } = await watch.outcome('gone');
          assert.ok(outcome.kind === 'refused' && outcome.status === 481, JSON.stringify(outcome));
        },
      );

      itWith(
        ({ fallSilent }) => fallSilent,
        'a request that nobody answers has one outcome, when its time is up',
        async (fallSilent) => {
          await fallSilent.call(peer);
          const timeoutMs = Math.round(peer.patienceMs / 2);
          for (const purpose of ['heal', 'probe', 'refresh', 'subscription'] as const) {
            watch.request(purpose, purpose, { timeoutMs });
          }
          for (const purpose of ['heal', 'probe', 'refresh', 'subscription'] as const) {
            const { outcome, elapsedMs } = await watch.outcome(purpose);
            assert.equal(outcome.kind, 'unreachable', purpose);
            assert.ok(elapsedMs <= timeoutMs + peer.patienceMs / 4 + (peer.leewayMs ?? 0), `${elapsedMs} ms`);
          }
        },
      );
    });

    describe('leaving', () => {
      it('is answered by exactly one `left`, and then the dialog is silent', async () => {
        await watch.joined();
        await peer.pass(peer.patienceMs);
        const before = watch.events.length;
        watch.perform({ effect: 'leave', dialog: 1, silently: false });
        await watch.next('left');
        await peer.pass(peer.patienceMs);
        assert.deepEqual(watch.events.slice(before), [{ event: 'left', dialog: 1 }]);
      });

      it('silently is answered just the same', async () => {
        await watch.joined();
        watch.perform({ effect: 'leave', dialog: 1, silently: true });
        await watch.next('left');
      });

      it('is answered where there was no dialog', async () => {
        watch.perform({ effect: 'leave', dialog: 1, silently: false });
        await watch.next('left');
      });

      itWith(
        ({ fallSilent }) => fallSilent,
        'silently is answered when nobody answers any more',
        async (fallSilent) => {
          await watch.joined();
          await fallSilent.call(peer);
          watch.perform({ effect: 'leave', dialog: 1, silently: true });
          await watch.next('left');
        },
      );

      it('lets us join again', async () => {
        await watch.joined();
        watch.perform({ effect: 'leave', dialog: 1, silently: false });
        await watch.next('left');
        await watch.joined(2);
      });
    });

    describe('joining again', () => {
      beforeEach(() => watch.joined());

      it('replaces the dialog, which is silent then but for its own outcomes', async () => {
        await peer.pass(peer.patienceMs);
        const before = watch.events.length;
        watch.request('old', 'refresh');
        watch.join(2, true);
        await watch.next('joined', ({ dialog }) => dialog === 2);
        await watch.outcome('old');
        for (const event of watch.events.slice(before)) {
          if ('dialog' in event && event.event !== 'outcome') assert.equal(event.dialog, 2, JSON.stringify(event));
        }
        watch.request('new', 'refresh', { dialog: 2 });
        assert.equal((await watch.outcome('new')).outcome.kind, 'ok');
      });

      it('twice at once leaves the last dialog', async () => {
        watch.join(2, true);
        watch.join(3, true);
        await watch.next('joined', ({ dialog }) => dialog === 3);
        await peer.pass(peer.patienceMs);
        assert.equal(watch.all('joined').filter(({ dialog }) => dialog === 2).length, 0);
      });

      it('leaving the replaced dialog does not end the new one', async () => {
        watch.join(2, true);
        await watch.next('joined', ({ dialog }) => dialog === 2);
        watch.perform({ effect: 'leave', dialog: 1, silently: true });
        await watch.next('left', ({ dialog }) => dialog === 1);
        watch.request('still', 'refresh', { dialog: 2 });
        assert.equal((await watch.outcome('still')).outcome.kind, 'ok');
      });
    });

    describe('calls', () => {
      beforeEach(() => watch.joined());

      itWith(
        ({ capabilities }) => capabilities.call,
        'a call is placed, its media flows where that is watched, and it is ended, with one answer each',
        async ({ mcu, media, watched }) => {
          await call(mcu, media);
          if (watched) {
            const flow = await watch.next('media', (event) => event.flowing);
            assert.deepEqual({ callId: flow.callId, mcu: flow.mcu }, { callId: 'call-1', mcu });
          }
          watch.perform({ effect: 'end-call', callId: 'call-1', mcu });
          assert.equal((await watch.next('call-ended')).reason, 'HungUp');
          await peer.pass(peer.patienceMs);
          assert.equal(watch.all('call-accepted').length, 1);
          assert.equal(watch.all('call-ended').length, 1);
          assert.equal(watch.all('call-failed').length, 0);
        },
      );

      itWith(
        ({ capabilities }) => capabilities.call,
        'a call outlives the dialog with the Focus',
        async ({ mcu, media }) => {
          await call(mcu, media);
          watch.join(2, true);
          await watch.next('joined', ({ dialog }) => dialog === 2);
          await peer.pass(peer.patienceMs);
          assert.equal(watch.all('call-ended').length, 0);
          watch.perform({ effect: 'end-call', callId: 'call-1', mcu });
          await watch.next('call-ended');
        },
      );

      itWith(
        ({ capabilities }) => capabilities.call,
        'HOP-18 HOP-21 a call whose dialog is refreshed goes on, and so do sessions whose timers pause and resume',
        async ({ mcu, media }) => {
          await call(mcu, media);
          watch.perform({ effect: 'pause-session-timer', dialog: 1 });
          watch.perform({ effect: 'resume-session-timer', dialog: 1 });
          watch.perform({ effect: 'refresh-call', callId: 'call-1', mcu });
          await peer.pass(peer.patienceMs);
          assert.equal(watch.all('call-ended').length, 0);
          for (const { flowing } of watch.all('media')) assert.ok(flowing);
          watch.perform({ effect: 'end-call', callId: 'call-1', mcu });
          await watch.next('call-ended');
        },
      );

      itWith(
        ({ capabilities }) => capabilities.call,
        'a call that is ended while it is placed fails once and ends once',
        async ({ mcu, media }) => {
          await peer.pass(peer.patienceMs);
          watch.perform({ effect: 'place-call', callId: 'call-1', mcu, media, timeoutMs: 5_000 });
          watch.perform({ effect: 'end-call', callId: 'call-1', mcu });
          await watch.next('call-ended');
          await peer.pass(peer.patienceMs);
          assert.equal(watch.all('call-accepted').length + watch.all('call-failed').length, 1);
          assert.equal(watch.all('call-ended').length, 1);
        },
      );

      it('a call to an MCU that does not exist fails', async () => {
        watch.perform({ effect: 'place-call', callId: 'call-1', mcu: 'no-such-mcu', media: [], timeoutMs: 5_000 });
        assert.notEqual((await watch.next('call-failed')).outcome.kind, 'ok');
        assert.equal(watch.all('call-accepted').length, 0);
      });

      itWith(
        ({ capabilities }) => capabilities.text,
        'text into a call has exactly one outcome',
        async ({ mcu }) => {
          await call(mcu, []);
          watch.perform({
            effect: 'send-text',
            requestId: 'hello',
            callId: 'call-1',
            mcu,
            text: 'Hello',
            timeoutMs: 5_000,
          });
          const { outcome } = await watch.outcome('hello');
          assert.equal(outcome.kind, 'ok');
        },
      );

      it('text into a call that never was has one outcome, and it is not ok', async () => {
        const mcu = peer.capabilities.text?.mcu ?? 'chat';
        watch.perform({ effect: 'send-text', requestId: 'lost', callId: 'none', mcu, text: 'Hello', timeoutMs: 5_000 });
        assert.notEqual((await watch.outcome('lost')).outcome.kind, 'ok');
      });

      it('ending a call that never was is answered', async () => {
        watch.perform({ effect: 'end-call', callId: 'none', mcu: peer.capabilities.call?.mcu ?? 'audio-video' });
        await watch.next('call-ended', ({ callId }) => callId === 'none');
      });
    });

    describe('restarts', () => {
      const restartable = ({ restart }: Abilities): Abilities['restart'] => restart;

      /** The port, of a peer that can be restarted. */
      const resumable = (): SignalingPort => peer.port as SignalingPort;

      /** What is kept of the conference, as it is after it was written and read. */
      function saved(): JsonObject {
        const found = resumable().saved(peer.conference);
        assert.ok(found, 'nothing to be kept');
        const read: JsonObject = JSON.parse(JSON.stringify(found));
        assert.deepEqual(read, found, 'what is kept is plain JSON');
        return read;
      }

      /** The process ends without a word, and the next one takes up what was kept. */
      async function restarted(restart: NonNullable<Abilities['restart']>, kept = saved()): Promise<void> {
        const system = resumable().savedSystem();
        await resumable().release();
        watch.verify();
        const port = await restart.call(peer);
        peer.port = port;
        if (system) assert.ok(port.restoreSystem(JSON.parse(JSON.stringify(system))));
        watch = new Watch(peer);
        assert.ok(port.restore(peer.conference, kept));
      }

      const resume = (dialog = 1, timeoutMs = 5_000): void => watch.perform({ effect: 'resume', dialog, timeoutMs });

      itWith(restartable, 'there is nothing to be kept before a join, and after leaving', async () => {
        assert.equal(resumable().saved(peer.conference), null);
        assert.equal(resumable().saved('sip:never-attached@pool.example'), null);
        await watch.joined();
        saved();
        watch.perform({ effect: 'leave', dialog: 1, silently: false });
        await watch.next('left');
        assert.equal(resumable().saved(peer.conference), null);
      });

      itWith(
        restartable,
        'what is to be kept is the same as long as nothing changes, and changes are told',
        async () => {
          const changed: (string | null)[] = [];
          resumable().watch((conference) => changed.push(conference));
          watch.join();
          assert.equal(changed.length, 0, 'told from inside perform');
          await watch.next('joined');
          await peer.pass(peer.patienceMs);
          assert.ok(changed.includes(peer.conference));
          const before = resumable().saved(peer.conference);
          changed.length = 0;
          await peer.pass(peer.patienceMs);
          assert.ok(!changed.includes(peer.conference));
          assert.equal(resumable().saved(peer.conference), before);
        },
      );

      itWith(
        restartable,
        'PER-2 what is taken up is the same once more, and tells nothing by itself',
        async (restart) => {
          await watch.joined();
          await peer.pass(peer.patienceMs);
          await restarted(restart);
          saved();
          await peer.pass(peer.patienceMs);
          for (const event of watch.events) assert.equal(event.event, 'document', 'what the far end sends may come');
        },
      );

      itWith(restartable, 'PER-2 a dialog goes on in another process, and the roster comes anew', async (restart) => {
        const { documents, operation } = peer.capabilities;
        await watch.joined();
        await peer.pass(peer.patienceMs);
        for (let process = 2; process <= 3; process += 1) {
          await restarted(restart);
          resume();
          const { outcome, dialog, purpose } = await watch.outcome('resume');
          assert.equal(outcome.kind, 'ok', JSON.stringify(outcome));
          assert.deepEqual({ dialog, purpose }, { dialog: 1, purpose: 'refresh' });
          if (documents) {
            const { document } = await watch.next('document', (event) => event.newSubscription === true);
            assert.equal(document.state, 'full');
          }
          if (operation) {
            const { name, arguments: given, mcu } = operation;
            const more = { operation: name, arguments: given, ...(mcu === undefined ? {} : { mcu }) };
            watch.request('go-on', 'operation', more);
            assert.equal((await watch.outcome('go-on')).outcome.kind, 'ok');
          }
          for (const name of ['remote-bye', 'ended', 'joined', 'join-failed', 'subscription-lost'] as const) {
            assert.equal(watch.all(name).length, 0, name);
          }
        }
        watch.perform({ effect: 'leave', dialog: 1, silently: false });
        await watch.next('left');
        assert.equal(resumable().saved(peer.conference), null);
      });

      itWith(restartable, 'PER-2 a dialog that was joined anew goes on under its own number', async (restart) => {
        await watch.joined();
        watch.join(2, true);
        await watch.next('joined', ({ dialog }) => dialog === 2);
        await restarted(restart);
        resume(1);
        const { outcome: replaced } = await watch.outcome('resume');
        assert.ok(replaced.kind === 'refused' && replaced.status === 481, JSON.stringify(replaced));
        resume(2);
        const { outcome } = await watch.next('outcome', ({ dialog }) => dialog === 2);
        assert.equal(outcome.kind, 'ok');
      });

      itWith(restartable, 'a dialog that is not known is refused with 481', async () => {
        resume(7);
        const { outcome, dialog } = await watch.outcome('resume');
        assert.ok(outcome.kind === 'refused' && outcome.status === 481, JSON.stringify(outcome));
        assert.equal(dialog, 7);
      });

      itWith(
        (abilities) => abilities.forgetDialogs && abilities.restart,
        'PER-2 a dialog that the far end has forgotten meanwhile is refused with 481',
        async (restart) => {
          await watch.joined();
          const kept = saved();
          await peer.forgetDialogs?.();
          await restarted(restart, kept);
          resume();
          const { outcome } = await watch.outcome('resume');
          assert.ok(outcome.kind === 'refused' && outcome.status === 481, JSON.stringify(outcome));
          watch.perform({ effect: 'leave', dialog: 1, silently: true });
          await watch.next('left');
        },
      );

      itWith(
        (abilities) => abilities.fallSilent && abilities.restart,
        'a resumption that nobody answers has one outcome, when its time is up',
        async (restart) => {
          await watch.joined();
          await restarted(restart);
          await peer.fallSilent?.();
          const timeoutMs = Math.round(peer.patienceMs / 2);
          resume(1, timeoutMs);
          const { outcome, elapsedMs } = await watch.outcome('resume');
          assert.equal(outcome.kind, 'unreachable');
          assert.ok(elapsedMs <= timeoutMs + peer.patienceMs / 4 + (peer.leewayMs ?? 0), `${elapsedMs} ms`);
        },
      );

      itWith(
        (abilities) => abilities.restart && abilities.capabilities.call,
        'PER-2 a call goes on in another process, and its media are watched again',
        async ({ mcu, media, watched }) => {
          const { restart } = peer;
          assert.ok(restart);
          await watch.joined();
          await call(mcu, media);
          if (watched) await watch.next('media', (event) => event.flowing);
          await restarted(restart);
          resume();
          assert.equal((await watch.outcome('resume')).outcome.kind, 'ok');
          if (watched) {
            const flow = await watch.next('media', (event) => event.flowing);
            assert.deepEqual({ callId: flow.callId, mcu: flow.mcu }, { callId: 'call-1', mcu });
          }
          assert.equal(watch.all('call-ended').length, 0);
          watch.perform({ effect: 'end-call', callId: 'call-1', mcu });
          assert.equal((await watch.next('call-ended')).reason, 'HungUp');
        },
      );

      itWith(
        (abilities) => abilities.restart && abilities.capabilities.call,
        'a call that is refreshed, and is not there any more, has ended',
        async ({ mcu }) => {
          await watch.joined();
          watch.perform({ effect: 'refresh-call', callId: 'never-placed', mcu });
          const ended = await watch.next('call-ended');
          assert.deepEqual(ended, { event: 'call-ended', callId: 'never-placed', mcu, reason: 'RemoteHungUp' });
          await peer.pass(peer.patienceMs);
          assert.equal(watch.all('call-ended').length, 1);
        },
      );

      itWith(restartable, 'what cannot be used is not taken up, and harms nothing', async () => {
        await watch.joined();
        const kept = saved();
        watch.perform({ effect: 'leave', dialog: 1, silently: false });
        await watch.next('left');
        const { version, ...versionless } = kept;
        for (const unusable of [{}, { version }, { ...kept, version: 1_000 }, versionless]) {
          assert.equal(resumable().restore(peer.conference, unusable), false, JSON.stringify(unusable));
        }
        assert.equal(resumable().restore('sip:never-attached@pool.example', kept), false);
        assert.equal(resumable().saved(peer.conference), null);
        await watch.joined(2);
      });

      itWith(restartable, 'an abandoned conference is silent, and can be attached and joined again', async () => {
        await watch.joined();
        resumable().abandon(peer.conference);
        resumable().abandon(peer.conference);
        assert.equal(resumable().saved(peer.conference), null);
        const before = watch.events.length;
        watch.request('nobody', 'refresh');
        await peer.pass(peer.patienceMs);
        assert.equal(watch.events.length, before);
        const again = new Watch(peer);
        await again.joined(2);
        again.verify();
      });

      itWith(
        restartable,
        'what is under way is answered before the port is released, and nothing after it',
        async () => {
          await watch.joined();
          watch.request('late', 'refresh');
          const started = performance.now();
          await resumable().release();
          assert.ok(performance.now() - started < 1_000);
          const [only, ...others] = watch.all('outcome');
          assert.ok(only && others.length === 0, 'exactly one outcome');
          assert.equal(only.requestId, 'late');
          const { outcome } = only;
          assert.ok(outcome.kind === 'unreachable' && outcome.cause === 'transport' && outcome.written);
          const before = watch.events.length;
          await resumable().release();
          watch.join(2);
          await peer.pass(peer.patienceMs);
          assert.equal(watch.events.length, before);
        },
      );
    });

    describe('detaching and closing', () => {
      it('after detach nothing is told', async () => {
        await watch.joined();
        watch.request('late', 'refresh');
        watch.perform({ effect: 'leave', dialog: 1, silently: false });
        watch.join(2);
        peer.port.detach(peer.conference);
        const before = watch.events.length;
        await peer.pass(peer.patienceMs);
        assert.equal(watch.events.length, before);
      });

      it('what is asked of a conference that is not attached does no harm', async () => {
        peer.port.detach(peer.conference);
        peer.port.detach(peer.conference);
        watch.join();
        watch.request('nobody', 'probe');
        await peer.pass(peer.patienceMs);
        assert.deepEqual(watch.events, []);
      });

      it('a conference can be attached and joined again', async () => {
        await watch.joined();
        peer.port.detach(peer.conference);
        const again = new Watch(peer);
        await again.joined();
        await peer.pass(peer.patienceMs);
        again.request('alive', 'refresh');
        assert.equal((await again.outcome('alive')).outcome.kind, 'ok');
        again.verify();
      });

      it('close settles within a second with everything under way, and nothing is told after it', async () => {
        await watch.joined();
        watch.request('late', 'refresh');
        watch.perform({ effect: 'place-call', callId: 'late', mcu: 'audio-video', media: ['audio'], timeoutMs: 5_000 });
        const started = performance.now();
        await peer.port.close();
        assert.ok(performance.now() - started < 1_000);
        const before = watch.events.length;
        await peer.pass(peer.patienceMs);
        assert.equal(watch.events.length, before);
      });

      it('close can be repeated, and what is asked after it does no harm', async () => {
        await peer.port.close();
        await peer.port.close();
        peer.port.attach(peer.conference, () => assert.fail('told after close'));
        watch.join();
        peer.port.detach(peer.conference);
        await peer.pass(peer.patienceMs);
        assert.deepEqual(watch.events, []);
      });
    });
  });
}
