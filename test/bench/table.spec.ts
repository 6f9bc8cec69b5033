/** The table of `npm run bench`: what is a miss, what is worse than before, and what of it a page keeps. */
import assert from 'node:assert/strict';
import type { Line } from '../../bench/performance/line';
import { bestOf, isWorse, keptRatios, missesGoal, ratioOf, tableOf, withTable } from '../../bench/performance/table';

const line = (more: Partial<Line> = {}): Line => ({
  id: 'P1',
  what: 'an event',
  goal: 10,
  unit: 'µs',
  figure: 12,
  reference: 'a bare node',
  referenceFigure: 4,
  lowerIsBetter: true,
  ...more,
});
const rate = line({ id: 'P2a', unit: 'M/s', figure: 0.5, goal: 0.25, referenceFigure: 1, lowerIsBetter: false });
const alone = line({ id: 'P10', referenceFigure: null });
const page = 'Before.\n<!-- table -->\nold\n<!-- end of table -->\nAfter.\n';

describe('table of the benchmarks', () => {
  it('a ratio is the better the less it is, whichever way the figure goes', () => {
    assert.deepEqual([line(), rate, alone].map(ratioOf), [3, 2, null]);
    assert.deepEqual([line(), rate].map(missesGoal), [true, false]);
  });

  it('what misses its goal is bold; the page keeps what it says beside it', () => {
    const table = tableOf([line(), rate, alone], { P1: 2.5 });
    assert.match(table, /\| P1 \| an event \| ≤ 10 µs \| \*\*12 µs\*\* \| a bare node \| 4 µs \| 3 \| 2.5 \|/);
    assert.match(table, /\| P2a \| an event \| ≥ 0.25 M\/s \| 0.5 M\/s \| a bare node \| 1 M\/s \| 2 \| {2}\|/);
    const written = withTable(page, table, '2026-01-01, 2 cores');
    assert.match(written, /^Before\.\n<!-- table -->\nMeasured on 2026-01-01, 2 cores\.\n\n\| {2}\| what/);
    assert.match(written, /<!-- end of table -->\nAfter\.\n$/);
    assert.throws(() => withTable('nothing', table, ''), /has no <!-- table -->/);
    assert.deepEqual(keptRatios(written), { P1: 2.5 });
    assert.deepEqual(keptRatios(written, [line(), rate, alone]), { P1: 3, P2a: 2 });
  });

  it('the page keeps the rows of lines that were not measured this time, in their order', () => {
    const first = withTable(page, tableOf([line({ id: 'P2' }), line({ id: 'P10' })], {}), '2026-01-01');
    const written = withTable(
      first,
      tableOf([line({ id: 'P3' }), line({ id: 'P2', figure: 8 })], { P2: 2 }),
      '2026-01-02',
    );
    const rows = written.match(/^\| P\d+ .*$/gm);
    assert.deepEqual(
      rows?.map((row) => row.slice(2, 5).trim()),
      ['P2', 'P3', 'P10'],
    );
    assert.match(rows?.[0] ?? '', /8 µs .* 2 \|$/);
    assert.match(written, /Measured on 2026-01-02\./);
    assert.doesNotMatch(written, /2026-01-01/);
  });

  it('only what is more than twice as bad as what was kept is worse', () => {
    assert.equal(isWorse(line(), { P1: 1.5 }), false);
    assert.equal(isWorse(line(), { P1: 1.4 }), true);
    assert.equal(isWorse(line(), {}), false);
    assert.equal(isWorse(alone, { P10: 0.1 }), false);
  });

  it('of two measurements the better one counts, line by line', () => {
    const again = [line({ figure: 20 }), { ...rate, figure: 0.8 }, alone];
    assert.deepEqual(bestOf([line(), rate, alone], again), [line(), again[1], alone]);
  });
});
