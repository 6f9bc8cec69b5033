import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { drawSchedule } from './schedule';

const root = join(__dirname, '../..');

describe('simulation', () => {
  it('MSG-2 MSG-8 FE-7 FE-11 FE-12 MCU-5 GU-3 20,000 schedules hold all invariants and visit every cell', function () {
    this.timeout(300_000);
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      ['scripts/simulate.mjs', '--schedules', '20000', '--seed', '1'],
      { cwd: root, encoding: 'utf8' },
    );
    assert.equal(status, 0, `${stdout}${stderr}`);
  });

  it('the same seed draws the same schedule', () => {
    assert.deepEqual(drawSchedule(4711), drawSchedule(4711));
  });
});
