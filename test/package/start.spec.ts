/** `npm start` as a newcomer would see it: the script itself, in a process of its own. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { packageRoot } from '../support/node-red-process';
import { canonicalFlow, type FlowNode } from './drill';

interface Ended {
  status: number | null;
  output: string;
  /** The table at the end, one line per failure. */
  table: string[];
}

/** Runs the script to its end. */
function start(...parameters: string[]): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const folder = join(mkdtempSync(join(tmpdir(), 'conference-recovery-')), 'node-red');
    const all = ['scripts/start.mjs', '--once', '--folder', folder, ...parameters];
    const child = spawn(process.execPath, all, { cwd: packageRoot });
    const stopped = () => child.kill('SIGKILL');
    process.once('exit', stopped);
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk));
    child.once('error', reject);
    child.once('close', (status) => {
      process.off('exit', stopped);
      rmSync(dirname(folder), { recursive: true, force: true });
      const lines = output.split('\n');
      const table = lines.slice(lines.findIndex((line) => line.startsWith('FAILURE')) + 1);
      resolve({ status, output, table: table.filter((line) => /^The |^A hop/.test(line)) });
    });
  });
}

/** The canonical flow without its nodes of one type, and without the wires to them. */
function flowWithout(type: string): FlowNode[] {
  const gone = new Set(
    canonicalFlow()
      .filter((node) => node.type === type)
      .map(({ id }) => id),
  );
  return canonicalFlow()
    .filter(({ id }) => !gone.has(id))
    .map(({ wires, ...node }) =>
      wires ? { ...node, wires: wires.map((to) => (Array.isArray(to) ? to.filter((id) => !gone.has(id)) : to)) } : node,
    );
}

describe('start', function () {
  this.timeout(240_000);
  let folder: string;

  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'conference-recovery-'));
  });

  after(() => rmSync(folder, { recursive: true, force: true }));

  const saved = (flow: FlowNode[]): string => {
    const file = join(folder, 'flow.json');
    writeFileSync(file, JSON.stringify(flow));
    return file;
  };

  it('--once plays three failures, all are recovered, and it exits with 0', async () => {
    const { status, output, table } = await start();
    assert.equal(status, 0, output);
    assert.equal(table.length, 3, output);
    for (const row of table) assert.match(row, / {2}recovered {2,}\d+\.\d\d s {2}/);
    for (const state of ['Reconnecting (rejoining)', 'Retrying', 'Reconnecting (recovering)', 'SessionRetrying']) {
      assert.ok(output.includes(state), state);
    }
    assert.doesNotMatch(output, /unhandled|uncaught|\[error\]/i);
  });

  it('tells that nothing heals a route in a flow without a route-healer, and exits with 1', async () => {
    const { status, output, table } = await start('--flow', saved(flowWithout('route-healer')), '--patience', '20');
    assert.equal(status, 1, output);
    assert.deepEqual(
      table.map((row) => /NOT RECOVERED|recovered/.exec(row)?.[0]),
      ['recovered', 'recovered', 'NOT RECOVERED'],
      output,
    );
    assert.doesNotMatch(output, /unhandled|uncaught|\[error\]/i);
  });

  it('tells so too when nothing is recovered, without a failover-detector', async () => {
    const { status, output, table } = await start('--flow', saved(flowWithout('failover-detector')), '--patience', '8');
    assert.equal(status, 1, output);
    assert.equal(table.length, 3, output);
    for (const row of table) assert.match(row, /NOT RECOVERED/);
    assert.doesNotMatch(output, /unhandled|uncaught/i);
  });
});
