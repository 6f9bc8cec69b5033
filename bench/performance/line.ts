/** One line of the table of `npm run bench`. */
export interface Line {
  /** Place in the table, such as `P4b`; the figure kept in `docs/performance.md` is found by it. */
  id: string;
  what: string;
  goal: number;
  unit: string;
  figure: number;
  /** What the figure is compared with, measured in the same run. */
  reference: string;
  /** Null where there is nothing to compare with. */
  referenceFigure: number | null;
  lowerIsBetter: boolean;
}

/** How much is measured: all, or what takes seconds. */
export type Scale = 'full' | 'quick';

/** The one in the middle. */
export function median(figures: readonly number[]): number {
  const sorted = [...figures].sort((one, other) => one - other);
  return sorted[sorted.length >> 1] ?? Number.NaN;
}

/**
 * Starts to measure; call what it returns for the ns since then: those of the clock, or of the processor if they are fewer.
 * Other processes make the clock's more, and threads that collect garbage make the processor's more; never less.
 */
export function stopwatch(): () => number {
  const before = process.cpuUsage();
  const startedAt = process.hrtime.bigint();
  return () => {
    const passed = Number(process.hrtime.bigint() - startedAt);
    const { user, system } = process.cpuUsage(before);
    return Math.min(passed, (user + system) * 1_000);
  };
}

/** What is kept of bytes when nothing is referred to any more. Needs `--expose-gc`. */
export function heapUsed(): number {
  const { gc } = globalThis as { gc?: () => void };
  if (!gc) throw new Error('Run with --expose-gc.');
  gc();
  gc();
  return process.memoryUsage().heapUsed + process.memoryUsage().arrayBuffers;
}
