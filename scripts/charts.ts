/**
 * `npm run charts`: the state charts, from the tables themselves: as Mermaid in `docs/state-charts.md`, and as text above
 * each table (`chart of …`). A test fails when they are stale.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Passage, passagesOf } from './exploration';
import { tables } from './tables';

const root = join(__dirname, '..');

/** What is to be said of each machine, and where its tables stand. */
const subjects: { readonly [machine: string]: { title: string; about: string; first: string } } = {
  'conference-session': {
    title: 'Conference session',
    about: `UCMA knows what is inside of Reconnecting as one state; facts tell it apart by \`mode\`: \`recovering\` is Recovering,
\`rejoining\` the other two. A \`join\` after Disconnected begins a new session. *At once*: the way from Reconnecting to the end,
on which nobody is waited for.`,
    first: 'Idle',
  },
  'mcu-session': {
    title: 'MCU session',
    about: `Unbound shows as Idle: the conference has not been joined, or is one that begins anew. *At once*: a verdict that is
older than the report that the MCU is active again.`,
    first: 'Unbound',
  },
  'failover-detector': {
    title: 'Failover detector: one verdict',
    about: `There is one verdict at most for the Focus, one for the route and one for each MCU. The second chart is that of
maintenance (\`suppress\`), during which verdicts are kept back.`,
    first: 'quiet',
  },
  'route-healer': { title: 'Route healer', about: 'One outage of one route.', first: 'idle' },
  'give-up-timer': {
    title: 'Give-up timer',
    about: 'One outage, from entering Reconnecting to leaving it.',
    first: 'disarmed',
  },
};

/** States behind one that people see. */
const composite: { readonly [machine: string]: { name: string; parts: readonly string[] } } = {
  'conference-session': { name: 'Reconnecting', parts: ['Recovering', 'AwaitingFailover', 'Rejoining'] },
};

/** One arrow of a chart. */
interface Arrow {
  from: string;
  to: string;
  by: string[];
}

/** The files that hold charts, as they should be, by path from the root. */
export function charts(): Map<string, string> {
  const files = new Map<string, string>();
  const sections: string[] = [];
  for (const { machine } of tables) {
    const { title, about, first } = subjects[machine] as (typeof subjects)[string];
    const passages = passagesOf(machine);
    const parts = [...new Set(passages.map(({ part }) => part))];
    const file = `nodes/recovery/${machine}.ts`;
    let source = readFileSync(join(root, file), 'utf8');
    sections.push(`## ${title}\n\n${about}`);
    for (const part of parts) {
      const arrows = arrowsOf(passages.filter((passage) => passage.part === part));
      sections.push(`\`\`\`mermaid\n${mermaid(machine, first, arrows)}\n\`\`\``);
      source = withChart(source, part, drawn(arrows));
    }
    files.set(file, source);
  }
  const head = `# State charts

Generated from the tables of the model by \`npm run charts\`: every machine is led through everything that it can hear, in all
states, and tells where its cells lead. What leads nowhere is left out. The words on the arrows are the inputs of the tables.`;
  return files.set('docs/state-charts.md', `${[head, ...sections].join('\n\n')}\n`);
}

function arrowsOf(passages: readonly Passage[]): Arrow[] {
  const arrows: Arrow[] = [];
  for (const { from, to, by } of passages) {
    const known = arrows.find((arrow) => arrow.from === from && arrow.to === to);
    if (!known) arrows.push({ from, to, by: [by] });
    else if (!known.by.includes(by)) known.by.push(by);
  }
  return arrows;
}

function mermaid(machine: string, first: string, arrows: readonly Arrow[]): string {
  const inside = composite[machine];
  return [
    'stateDiagram-v2',
    ...(inside ? [`  state ${inside.name} {`, ...inside.parts.map((part) => `    ${part}`), '  }'] : []),
    ...(arrows.some(({ from }) => from === first) ? [`  [*] --> ${identifier(first)}`] : []),
    ...arrows.map(({ from, to, by }) => `  ${identifier(from)} --> ${identifier(to)}: ${by.join(', ')}`),
  ].join('\n');
}

/** Mermaid takes no hyphens in the names of states. */
function identifier(state: string): string {
  return state.replaceAll('-', '_');
}

/** All arrows of a state below each other, all heads in one column. */
function drawn(arrows: readonly Arrow[]): string[] {
  const states = [...new Set(arrows.map(({ from }) => from))];
  const margin = Math.max(...states.map(({ length }) => length));
  const reach = Math.max(...arrows.map(({ by }) => by.join(', ').length));
  return states.flatMap((state) => {
    const leaving = arrows.filter(({ from }) => from === state);
    return leaving.map(({ to, by }, index) => {
      const isLast = index === leaving.length - 1;
      const branch = index === 0 ? (isLast ? '──' : '┬─') : isLast ? '└─' : '├─';
      const name = index === 0 ? `${state} `.padEnd(margin + 2, '─') : ' '.repeat(margin + 2);
      return `${name}${branch} ${`${by.join(', ')} `.padEnd(reach + 2, '─')}> ${to}`;
    });
  });
}

function withChart(source: string, part: string, lines: readonly string[]): string {
  const place = new RegExp(`/\\* chart of ${part}\\b[^]*?\\*/`);
  if (!place.test(source)) throw new Error(`There is no place for the "chart of ${part}".`);
  return source.replace(
    place,
    `/* chart of ${part} (npm run charts)\n *\n${lines.map((line) => ` *   ${line}\n`).join('')} */`,
  );
}

if (require.main === module) for (const [file, content] of charts()) writeFileSync(join(root, file), content);
