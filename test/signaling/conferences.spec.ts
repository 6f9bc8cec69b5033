import assert from 'node:assert/strict';
import { Agenda } from '../../nodes/signaling/pool/agenda';
import { Conferences } from '../../nodes/signaling/pool/conferences';
import type { Focus } from '../../nodes/signaling/pool/focus';

/** So many conferences of a pool. To strike one takes 0.4 ms, or as long as is said. */
class Struck {
  private time = 0;
  private waiting: (() => void)[] = [];
  readonly conferences = new Conferences(
    new Agenda({
      now: () => this.time,
      after: (_, run) => {
        this.waiting.push(run);
        return () => {};
      },
    }),
  );
  readonly foci: Focus[];
  /** What has struck which, in order. */
  readonly log: string[] = [];

  constructor(
    count: number,
    private readonly eachMs = 0.4,
  ) {
    this.foci = Array.from({ length: count }, (_, number) => ({ uri: `room${number}` }) as Focus);
    for (const focus of this.foci) this.conferences.add(focus);
  }

  strike(what: string): void {
    this.conferences.strikeAll(({ uri }) => {
      this.time += this.eachMs;
      this.log.push(`${what} ${uri}`);
    });
  }

  /** The event loop has its turn; false when nothing waits. */
  turn(): boolean {
    const run = this.waiting.shift();
    run?.();
    return run !== undefined;
  }
}

describe('conferences of the pool', () => {
  it('are struck at once while they are few', () => {
    const struck = new Struck(1_000, 0);
    struck.strike('death');
    assert.equal(struck.log.length, 1_000);
    assert.equal(struck.turn(), false);
  });

  it('are struck in slices when they are many, each once (O2)', () => {
    const struck = new Struck(10);
    struck.strike('death');
    assert.equal(struck.log.length, 3);
    while (struck.turn());
    assert.deepEqual(
      struck.log,
      struck.foci.map(({ uri }) => `death ${uri}`),
    );
  });

  it('have been struck when they are looked at, by everything in its order', () => {
    const struck = new Struck(10);
    struck.strike('death');
    struck.strike('return');
    assert.equal(struck.conferences.get('room7'), struck.foci[7]);
    assert.deepEqual(struck.log.slice(3), ['death room7', 'return room7']);
    while (struck.turn());
    assert.equal(struck.log.length, 20);
    for (const { uri } of struck.foci) {
      assert.ok(struck.log.indexOf(`death ${uri}`) < struck.log.indexOf(`return ${uri}`));
    }
  });

  it('are left alone when they have ended, or have begun since', () => {
    const struck = new Struck(10);
    struck.strike('death');
    struck.conferences.delete(struck.foci[7] as Focus);
    struck.conferences.add({ uri: 'later' } as Focus);
    while (struck.turn());
    assert.equal(struck.log.length, 9);
    assert.ok(!struck.log.includes('death room7') && !struck.log.includes('death later'));
  });
});
