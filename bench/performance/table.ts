/** The table of `npm run bench`, as it is printed, and as it is kept in docs/performance.md. */
import type { Line } from './line';

/** Ratios by the id of their lines. */
export type Ratios = { readonly [id: string]: number };

const columns = ['', 'what', 'goal', 'figure', 'compared with', 'which is', 'ratio', 'ratio, quick'];
const begin = '<!-- table -->';
const end = '<!-- end of table -->';

/** Figure to reference, so that less is better; null without a reference. */
export function ratioOf({ figure, referenceFigure, lowerIsBetter }: Line): number | null {
  if (referenceFigure === null) return null;
  return lowerIsBetter ? figure / referenceFigure : referenceFigure / figure;
}

export function missesGoal({ figure, goal, lowerIsBetter }: Line): boolean {
  return lowerIsBetter ? figure > goal : figure < goal;
}

/** Is it more than twice as bad as what was kept? */
export function isWorse(line: Line, kept: Ratios): boolean {
  const ratio = ratioOf(line);
  const before = kept[line.id];
  return ratio !== null && before !== undefined && ratio > 2 * before;
}

/** The rows of a page's table, by the id of their lines. */
function rowsOf(page: string): Map<string, string> {
  const rows = page.split('\n').filter((row) => /^\| P\d/.test(row));
  return new Map(rows.map((row) => [cellsOf(row)[0] as string, row]));
}

function cellsOf(row: string): string[] {
  return row
    .split('|')
    .slice(1, -1)
    .map((cell) => cell.trim());
}

/** Of each line, whichever of two measurements has the better ratio: others make a machine slower, and never faster. */
export function bestOf(lines: readonly Line[], again: readonly Line[]): Line[] {
  return lines.map((line) => {
    const other = again.find(({ id }) => id === line.id) ?? line;
    return (ratioOf(other) ?? 0) < (ratioOf(line) ?? 0) ? other : line;
  });
}

/** The ratios of the quick way that a page has, and those of `quick` in their place. */
export function keptRatios(page: string, quick: readonly Line[] = []): Ratios {
  const ratios: { [id: string]: number } = {};
  for (const [id, row] of rowsOf(page)) {
    const ratio = cellsOf(row)[columns.length - 1];
    if (ratio) ratios[id] = Number(ratio);
  }
  for (const line of quick) {
    const ratio = ratioOf(line);
    if (ratio !== null) ratios[line.id] = ratio;
  }
  return ratios;
}

/** The table in Markdown; a figure that misses its goal is bold. */
export function tableOf(lines: readonly Line[], quick: Ratios): string {
  const rows = lines.map((line) => {
    const { id, what, goal, unit, figure, reference, referenceFigure, lowerIsBetter } = line;
    const ratio = ratioOf(line);
    const missed = missesGoal(line) ? '**' : '';
    return [
      id,
      what,
      `${lowerIsBetter ? '≤' : '≥'} ${told(goal)} ${unit}`,
      `${missed}${told(figure)} ${unit}${missed}`,
      reference,
      referenceFigure === null ? '' : `${told(referenceFigure)} ${unit}`,
      ratio === null ? '' : told(ratio),
      quick[id] === undefined || ratio === null ? '' : told(quick[id] as number),
    ];
  });
  return render(rows.map((cells) => `| ${cells.join(' | ')} |`));
}

function render(rows: readonly string[]): string {
  const head = [columns, columns.map(() => '---')].map((cells) => `| ${cells.join(' | ')} |`);
  return [...head, ...rows].join('\n');
}

/** Three digits that say something. */
function told(figure: number): string {
  if (!Number.isFinite(figure)) return '–';
  if (Math.abs(figure) >= 100) return Math.round(figure).toString();
  return Number(figure.toPrecision(3)).toString();
}

/**
 * The page with the rows of this table in its own, between two marks: in place of those with the same ids, and beside
 * others. Says where and when they were measured.
 */
export function withTable(page: string, table: string, measured: string): string {
  const [before, rest] = page.split(begin);
  const after = rest?.split(end)[1];
  if (before === undefined || after === undefined) throw new Error(`The page has no ${begin} and ${end}.`);
  const rows = [...new Map([...rowsOf(page), ...rowsOf(table)])];
  rows.sort(([one], [other]) => one.localeCompare(other, 'en', { numeric: true }));
  return `${before}${begin}\nMeasured on ${measured}.\n\n${render(rows.map(([, row]) => row))}\n${end}${after}`;
}
