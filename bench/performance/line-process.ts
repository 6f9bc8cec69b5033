/** Measures the lines of one file of this directory, in a process of its own: what others leave behind counts for nobody. */
import type { Line, Scale } from './line';

const [, , file, scale] = process.argv;

async function main(): Promise<void> {
  const { run } = require(`./${file}`) as { run(scale: Scale): Promise<Line[]> };
  const lines = await run(scale as Scale);
  process.send?.(lines, () => process.exit());
}

void main();
