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

/** The ratios of the quick way that a page has, and those of `quick` in their place. */
export function keptRatios(page: string, quick: readonly Line[] = []): Ratios {
  const ratios: { [id: string]: number } = {};
  for (const row of page.split('\n')) {
    const cells = row.split('|').map((cell) => cell.trim());
    const ratio = Number(cells[columns.length]);
    if (/^P\d+/.test(cells[1] ?? '') && cells[columns.length] !== '' && !Number.isNaN(ratio)) {
      ratios[cells[1] as string] = ratio;
    }
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
  return [columns, columns.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

/** Three digits that say something. */
function told(figure: number): string {
  if (!Number.isFinite(figure)) return '–';
  if (Math.abs(figure) >= 100) return Math.round(figure).toString();
  return Number(figure.toPrecision(3)).toString();
}

/** The page with another table between its marks, and with where and when it was measured. */
export function withTable(page: string, table: string, measured: string): string {
  const [before, rest] = page.split(begin);
  const after = rest?.split(end)[1];
  if (before === undefined || after === undefined) throw new Error(`The page has no ${begin} and ${end}.`);
  return `${before}${begin}\nMeasured on ${measured}.\n\n${table}\n${end}${after}`;
}
