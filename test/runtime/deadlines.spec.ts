import assert from 'node:assert/strict';
import sinon from 'sinon';
import { Deadlines } from '../../nodes/runtime/deadlines';

describe('deadlines', () => {
  let clock: sinon.SinonFakeTimers;
  beforeEach(() => {
    clock = sinon.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] });
  });
  afterEach(() => clock.restore());

  it('GU-11 100,000 fire in the order of their instants, each once, with one timer', () => {
    const deadlines = new Deadlines();
    const fired: number[] = [];
    for (let index = 0; index < 100_000; index += 1) {
      const at = (index * 7919) % 100_003;
      deadlines.set(at, () => fired.push(at));
    }
    assert.equal(clock.countTimers(), 1);
    for (let second = 0; second <= 101; second += 1) clock.tick(1_000);
    assert.equal(fired.length, 100_000);
    for (let index = 1; index < fired.length; index += 1)
      assert.ok((fired[index] as number) >= (fired[index - 1] as number));
    assert.equal(clock.countTimers(), 0);
  });

  it('what is cancelled does not fire, even when another that is due at the same time cancels it', () => {
    const deadlines = new Deadlines();
    const fired: string[] = [];
    const early = deadlines.set(50, () => fired.push('early'));
    deadlines.cancel(early);
    deadlines.cancel(early);
    deadlines.set(100, () => {
      fired.push('first');
      deadlines.cancel(second);
    });
    const second = deadlines.set(100, () => fired.push('second'));
    clock.tick(200);
    assert.deepEqual(fired, ['first']);
    assert.equal(deadlines.size, 0);
    assert.equal(clock.countTimers(), 0);
  });

  it('one that throws is reported, and stops no other', () => {
    const reported: unknown[] = [];
    const deadlines = new Deadlines((error) => reported.push(error));
    const fired: string[] = [];
    deadlines.set(10, () => {
      throw new Error('defect');
    });
    deadlines.set(10, () => fired.push('other'));
    clock.tick(10);
    assert.deepEqual([reported.length, fired], [1, ['other']]);
  });

  it('reaches beyond what a timer of Node can', () => {
    const deadlines = new Deadlines();
    const far = 40 * 24 * 3_600_000;
    let fired = 0;
    deadlines.set(far, () => {
      fired += 1;
    });
    clock.tick(far - 1);
    assert.equal(fired, 0);
    clock.tick(1);
    assert.equal(fired, 1);
  });

  it('one that sets itself anew for now does not block the event loop', () => {
    const deadlines = new Deadlines();
    let fired = 0;
    const again = () => {
      fired += 1;
      if (fired < 10) deadlines.set(Date.now(), again);
    };
    deadlines.set(0, again);
    clock.tick(0);
    assert.ok(fired < 10);
    clock.tick(20);
    assert.equal(fired, 10);
  });
});
