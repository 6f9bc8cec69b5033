/** The examples, in a real browser on a real Node-RED. Pictures of them are in test/output afterwards. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type NodeRedProcess, packageRoot, startNodeRed } from '../support/node-red-process';
import { browserFound, Editor } from './editor';

const folder = join(packageRoot, 'examples');
const names = readdirSync(folder).map((file) => file.replace(/\.json$/, ''));

/** A node as it is drawn: middle, width and height, in pixels. */
interface Drawn {
  id: string;
  label: string;
  x: number;
  y: number;
  w: number;
  h: number;
}

/** Do two nodes touch each other? Their statuses, below them, count too: 20 pixels. */
function touch(one: Drawn, other: Drawn): boolean {
  const [upper, lower] = one.y <= other.y ? [one, other] : [other, one];
  const isBeside = Math.abs(one.x - other.x) >= (one.w + other.w) / 2;
  return !isBeside && lower.y - lower.h / 2 - (upper.y + upper.h / 2) < 0;
}

describe('examples in the editor', function () {
  this.timeout(120_000);
  let nodeRed: NodeRedProcess;
  let editor: Editor;

  before(async function () {
    if (!browserFound()) return this.skip();
    nodeRed = await startNodeRed();
    editor = await Editor.open(nodeRed.url);
    await editor.page.setViewportSize({ width: 1640, height: 1000 });
    await editor.evaluate(`RED.actions.invoke('core:toggle-sidebar'); RED.actions.invoke('core:toggle-palette')`);
  });

  after(async () => {
    await editor?.close();
    await nodeRed?.stop();
  });

  for (const name of names) {
    it(`${name}: imported, every node valid, none upon another`, async () => {
      const { id, label } = JSON.parse(readFileSync(join(folder, `${name}.json`), 'utf8'))[0];
      await editor.evaluate(`(() => {
        RED.view.importNodes(${readFileSync(join(folder, `${name}.json`), 'utf8')}, { generateIds: false });
        RED.workspaces.show('${id}');
      })()`);
      await editor.page.waitForFunction(`RED.workspaces.active() === '${id}'`);
      await editor.page.waitForFunction(`document.querySelectorAll('.red-ui-flow-node').length > 0`);
      await editor.evaluate(`document.querySelectorAll('.red-ui-notification').forEach((one) => one.remove())`);
      await editor.screenshot(`example-${name}`);

      const invalid = await editor.evaluate<string[]>(`(() => {
        const wrong = [];
        const look = (node) => node.valid === false && wrong.push(node.type + ': ' + node.validationErrors);
        RED.nodes.eachNode((node) => node.z === '${id}' && look(node));
        RED.nodes.eachConfig(look);
        return wrong;
      })()`);
      assert.deepEqual(invalid, []);

      const drawn = await editor.evaluate<Drawn[]>(
        `RED.nodes.filterNodes({ z: '${id}' }).map(({ id, type, name, x, y, w, h }) => ({ id, label: name || type, x, y, w, h }))`,
      );
      for (const [index, node] of drawn.entries()) {
        assert.ok(node.x - node.w / 2 >= 0 && node.y - node.h / 2 >= 0, `${label}: ${node.label} is in view`);
        for (const other of drawn.slice(index + 1)) {
          assert.ok(!touch(node, other), `${label}: "${node.label}" lies upon "${other.label}"`);
        }
      }
    });
  }

  it('all of them deployed beside each other, without an error of the page', async () => {
    await editor.page.click('#red-ui-header-button-deploy');
    await editor.page.waitForFunction('!RED.nodes.dirty()');
    assert.deepEqual(editor.pageErrors, []);
  });

  it('the page of the dashboard shows the sessions', async () => {
    const { page } = editor;
    const [button] = await editor.evaluate<string[]>(
      `RED.nodes.filterNodes({ type: 'inject' }).filter(({ name }) => name === 'join three conferences').map(({ id }) => id)`,
    );
    await page.goto(`${nodeRed.url}/conferences`);
    await page.evaluate(`fetch('/inject/${button}', { method: 'POST' })`);
    await page.locator('tr.Connected').nth(2).waitFor();
    await editor.screenshot('example-dashboard-page');
    const cells = await page.locator('tr.Connected td:nth-child(-n + 2)').allTextContents();
    assert.deepEqual(
      cells,
      ['daily', 'board', 'town-hall'].flatMap((name) => [`sip:${name}@pool.example`, 'Connected']),
    );
    assert.deepEqual(editor.pageErrors, []);
  });
});
