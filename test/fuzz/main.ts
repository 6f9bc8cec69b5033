/**
 * `npm run fuzz -- --minutes N --seed S`: sends the SIP endpoint what it should never be sent. `--count N` instead of
 * minutes; `--from N` begins with that input, as a failure says.
 */
import { parseArgs } from 'node:util';
import { fuzz } from './fuzz';

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      minutes: { type: 'string', default: '1' },
      seed: { type: 'string' },
      from: { type: 'string', default: '0' },
      count: { type: 'string' },
    },
  });
  const seed = Number(values.seed ?? Date.now() % 1_000_000);
  const from = Number(values.from);
  console.log(`Seed ${seed}`);
  const extent = values.count
    ? { count: Number(values.count) }
    : { until: Date.now() + Number(values.minutes) * 60_000 };
  const { inputs, dearestMs, memory, failure } = await fuzz({ seed, from, ...extent });
  console.log(
    `${inputs} inputs; the dearest cost ${dearestMs.toFixed(1)} ms of CPU time; ${(memory / 2 ** 20).toFixed(1)} MB more in memory at the most`,
  );
  if (!failure) return;
  console.log(
    `Input ${failure.input}: ${failure.harm}\nAgain: npm run fuzz -- --seed ${seed} --from ${failure.input} --count 1`,
  );
  const shrunk = JSON.stringify(failure.shrunk);
  console.log(`Shrunk to ${failure.shrunk.text.length} characters: ${shrunk.slice(0, 3000)}`);
  process.exitCode = 1;
}

void main().then(() => process.exit());
