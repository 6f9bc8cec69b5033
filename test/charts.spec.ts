import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { charts } from '../scripts/charts';

describe('state charts', () => {
  const files = charts();
  for (const [file, content] of files) {
    it(`${file} has those of the tables as they are (npm run charts)`, () => {
      assert.equal(readFileSync(join(__dirname, '..', file), 'utf8'), content);
    });
  }
});
