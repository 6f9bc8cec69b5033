/** README's first screen, word for word, in a real browser: ten actions from nothing to an alert. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { packageRoot } from '../support/node-red-process';
import { browserFound, Editor } from './editor';

const readme = readFileSync(join(packageRoot, 'README.md'), 'utf8');
const section = /^## Your first alert.*?\n(.*?)^## /ms.exec(readme)?.[1] ?? '';
const steps = [...section.matchAll(/^\d+\. (.*(?:\n {3}.*)*)/gm)].map(([, step = '']) => step.replace(/\s+/g, ' '));

describe('first screen of README', function () {
  this.timeout(120_000);
  /** What `npm start` runs: three failures are played in a flow of its own, while we do what README says. */
  let started: ChildProcess | undefined;
  let address: string | undefined;
  let folder: string | undefined;
  let editor: Editor | undefined;

  before(function () {
    if (!browserFound()) this.skip();
  });

  after(async () => {
    await editor?.close();
    if (started?.exitCode === null) {
      started.kill();
      await once(started, 'exit');
    }
    if (folder) rmSync(folder, { recursive: true, force: true });
  });

  /** What a step says. Its words are the only thing that this knows of the flow. */
  async function take(step: string): Promise<void> {
    const [, command] = /^Run `(.+?)`/.exec(step) ?? [];
    if (command) {
      // All is installed and built where tests run: what is left of it is the script.
      assert.equal(command, 'npm install && npm start');
      folder = mkdtempSync(join(tmpdir(), 'conference-recovery-'));
      started = spawn(process.execPath, ['scripts/start.mjs', '--folder', join(folder, 'node-red')], {
        cwd: packageRoot,
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      address = await new Promise<string>((printed, missed) => {
        let output = '';
        started?.stdout?.on('data', (chunk) => {
          output += chunk;
          const [found] = /http:\S+/.exec(output) ?? [];
          if (found) printed(found);
        });
        started?.once('exit', () => missed(new Error(`ended, and printed no address: ${output}`)));
      });
      return;
    }
    if (/^Open the address/.test(step)) {
      editor = await Editor.open(address ?? '');
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
      await page.locator(`[id="${id}"] .red-ui-flow-node-button-button`).click();
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
