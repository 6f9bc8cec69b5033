/** README's first screen, word for word, in a real browser: ten actions from nothing to an alert. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type NodeRedProcess, packageRoot, startNodeRed } from '../support/node-red-process';
import { browserFound, Editor } from './editor';

const readme = readFileSync(join(packageRoot, 'README.md'), 'utf8');
const section = /^## Your first alert.*?\n(.*?)^## /ms.exec(readme)?.[1] ?? '';
const steps = [...section.matchAll(/^\d+\. (.*(?:\n {3}.*)*)/gm)].map(([, step = '']) => step.replace(/\s+/g, ' '));

describe('first screen of README', function () {
  this.timeout(120_000);
  let nodeRed: NodeRedProcess | undefined;
  let editor: Editor | undefined;

  before(function () {
    if (!browserFound()) this.skip();
  });

  after(async () => {
    await editor?.close();
    await nodeRed?.stop();
  });

  /** What a step says. Its words are the only thing that this knows of the flow. */
  async function take(step: string): Promise<void> {
    const [, command] = /^Run `(.+?)`/.exec(step) ?? [];
    if (command) {
      // What that does is shown by start.spec.ts; here it is the Node-RED that is to be tested.
      assert.equal(command, 'npm install && npm start');
      nodeRed = await startNodeRed();
      return;
    }
    if (/^Open the address/.test(step)) {
      editor = await Editor.open(nodeRed?.url ?? '');
      await editor.page.setViewportSize({ width: 1920, height: 1080 });
      return;
    }
    assert.ok(editor, 'the editor is open');
    const { page } = editor;
    const dialog = page.locator('.ui-dialog:visible');
    const [, keys] = /^Press \*\*(.+?)\*\*/.exec(step) ?? [];
    const [, button] = /^Press the button of \*\*(.+?)\*\*/.exec(step) ?? [];
    const [, how, text] = /^(Click|Double-click)(?: that tab,)? \*\*(.+?)\*\*/.exec(step) ?? [];
    if (button) {
      const id = await editor.evaluate<string>(
        `RED.nodes.filterNodes({ z: RED.workspaces.active(), type: 'inject' }).find(({ name }) => name === '${button}').id`,
      );
      // Where the view ends at the edge of the window, a person scrolls.
      await page.locator(`[id="${id}"] .red-ui-flow-node-button-button`).dispatchEvent('click');
    } else if (keys) {
      await page.locator('#red-ui-workspace-chart').click({ position: { x: 5, y: 5 } });
      await page.keyboard.press(
        keys.replace('Ctrl', 'Control').replace(/\+([A-Z])$/, (_, key) => `+${key.toLowerCase()}`),
      );
      await dialog.waitFor();
    } else if (text) {
      const where = (await dialog.count()) > 0 ? dialog : page.locator('#red-ui-header, .red-ui-tabs');
      const target = where.getByText(text, { exact: true }).locator('visible=true').first();
      await (how === 'Click' ? target.click() : target.dblclick());
    } else {
      assert.fail(`No test knows how to take this step: ${step}`);
    }
  }

  it('ten actions at most, and the alert is there', async () => {
    assert.ok(steps.length > 0 && steps.length <= 10, `${steps.length} actions`);
    for (const [index, step] of steps.entries()) {
      await take(step).catch((error: Error) => {
        throw new Error(`Action ${index + 1}, "${step}": ${error.message}`);
      });
      // As long as a person takes, at least: a flow that was deployed is started, a conference is joined.
      if (/Deploy|join/.test(step)) await editor?.page.waitForTimeout(1_500);
    }
    const [, begins, ends] = /`(🔴.+?)`.*?`(🟢.+?)`/s.exec(section) ?? [];
    assert.ok(begins && ends, 'README shows how both lines begin');
    const { page } = editor as Editor;
    await page.getByText(begins).locator('visible=true').first().waitFor({ timeout: 60_000 });
    await page.getByText(ends).locator('visible=true').first().waitFor({ timeout: 60_000 });
    await editor?.screenshot('first-alert');
    assert.deepEqual(editor?.pageErrors, []);
  });
});
