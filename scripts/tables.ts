/** All that the model decides by, one switch each: the cells of its tables, and the rules of the detector. */
import { conferenceSessionTable } from '../nodes/recovery/conference-session';
import { DEFAULT_RULES, type DetectorRule } from '../nodes/recovery/detector-rules';
import { failoverDetectorTables } from '../nodes/recovery/failover-detector';
import { giveUpTimerTable } from '../nodes/recovery/give-up-timer';
import { mcuSessionTable } from '../nodes/recovery/mcu-session';
import { routeHealerTable } from '../nodes/recovery/route-healer';

/** A cell of any machine. */
export type Cell = (...given: never[]) => void;

/** Rows of cells, by name or by column; the detector has a table of tables. */
export type Cells = { [name: string]: Cells | Cell[] | Cell };

/** A table as its machine hands it to tools. */
export interface Table {
  machine: string;
  cells: Cells;
  /** The cell in which nothing happens. */
  nothing: Cell;
  /** Names of the columns of rows that are lists. */
  columns: readonly string[];
}

/** One cell in its row. */
export interface Place {
  table: Table;
  /** Machine, row and column. */
  path: readonly string[];
  cell: Cell;
  /** Puts another cell in its place; the row may be shared with other states, and those keep it. */
  replace(other: Cell): void;
}

function tableOf(
  machine: string,
  { cells, nothing, phases = [] }: { cells: object; nothing: Cell; phases?: readonly string[] },
): Table {
  return { machine, cells: cells as Cells, nothing, columns: phases };
}

/** Every table of the model. */
export const tables: readonly Table[] = [
  tableOf('conference-session', conferenceSessionTable),
  tableOf('mcu-session', mcuSessionTable),
  tableOf('failover-detector', failoverDetectorTables),
  tableOf('route-healer', routeHealerTable),
  tableOf('give-up-timer', giveUpTimerTable),
];

/** Every cell of a table in which something happens. */
export function placesOf(table: Table): Place[] {
  return placesIn(table, table.cells, [table.machine]);
}

function placesIn(table: Table, rows: Cells, path: readonly string[]): Place[] {
  return Object.entries(rows).flatMap(([name, row]) => {
    const below = Object.values(row);
    if (!Array.isArray(row) && below.some((each) => typeof each !== 'function'))
      return placesIn(table, row as Cells, [...path, name]);
    return Object.entries(row as { [column: string]: Cell })
      .filter(([, cell]) => cell !== table.nothing)
      .map(([column, cell]) => ({
        table,
        path: [...path, name, Array.isArray(row) ? (table.columns[Number(column)] ?? column) : column],
        cell,
        replace: (other) => {
          rows[name] = Object.assign(Array.isArray(rows[name]) ? [] : {}, rows[name], { [column]: other }) as Cells;
        },
      }));
  });
}

/** Something that can be switched off. */
export interface Switch {
  name: string;
  off(): void;
  on(): void;
}

/** One switch for each cell and each rule. */
export function switches(): Switch[] {
  const cells = tables.flatMap(placesOf).map(({ table, path, cell, replace }) => ({
    name: path.join('/'),
    off: () => replace(table.nothing),
    on: () => replace(cell),
  }));
  const rules = DEFAULT_RULES as DetectorRule[];
  return [
    ...cells,
    ...rules.map((rule, index) => ({
      name: `rule/${rule.name}`,
      off: () => {
        rules[index] = { ...rule, off: true };
      },
      on: () => {
        rules[index] = rule;
      },
    })),
  ];
}
