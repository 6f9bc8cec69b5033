/** Warnings about the flow itself, where people see them: on the nodes of a real editor, and in the log of a real Node-RED. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Locator } from 'playwright-core';
import { canonical } from '../support/flow';
import { type NodeRedProcess, startNodeRed } from '../support/node-red-process';
import { textsOf } from '../support/words';
import { browserFound, Editor } from './editor';

const texts = textsOf('en-US');
const textOf = (rule: string, part: string): string => texts.get(`flow-warnings.rule.${rule}.${part}`) ?? '';

/** The canonical flow, all of whose nodes are there in the editor; its healer has a name, and no timer leads to its session. */
function trapped(settings: object = {}) {
  return canonical().flatMap((node) => {
    if (node.type === 'sink') return [{ ...node, type: 'debug', active: false }];
    if (node.id === 'give-up') return [{ ...node, wires: [[], []] }];
    if (node.id === 'healer') return [{ ...node, name: 'my healer', x: 480, y: 660, ...settings }];
    return [node];
  });
}

describe('warnings about the flow', function () {
  this.timeout(120_000);
  let nodeRed: NodeRedProcess;

  before(async () => {
    nodeRed = await startNodeRed({ flows: trapped(), observe: true });
  });
  after(() => nodeRed?.stop());

  /** Waits until so many lines of the log name a rule: it is written by another process. Gives all of them. */
  async function warned(count: number): Promise<string[]> {
    const deadline = Date.now() + 15_000;
    while (warnings().length < count && Date.now() < deadline) await sleep(20);
    return warnings();
  }

  /** Lines of the log that name a rule. */
  function warnings(): string[] {
    return nodeRed
      .log()
      .split('\n')
      .filter((line) => /\[warn\].* \([a-z]+(-[a-z]+)+\)$/.test(line))
      .map((line) => line.replace(/^.*\[warn\] /, ''));
  }

  const ofHealer = `[route-healer:my healer] ${textOf('healer-without-give-up', 'message')} ${textOf('healer-without-give-up', 'remedy')} (healer-without-give-up)`;
  const ofTimer = `[give-up-timer:give-up] ${textOf('give-up-without-session', 'message')} ${textOf('give-up-without-session', 'remedy')} (give-up-without-session)`;

  describe('in the log', () => {
    it('say at the start what is wrong and what to do, one line each', async () => {
      assert.deepEqual((await warned(2)).sort(), [ofTimer, ofHealer]);
    });

    it('are not repeated by a deployment, but by one that brings the trap back', async () => {
      const before = (await warned(2)).length;
      await nodeRed.deploy(trapped({ period: '7' }), 'nodes');
      await nodeRed.deploy(
        canonical().map((node) => (node.type === 'sink' ? { ...node, type: 'debug' } : node)),
        'full',
      );
      await nodeRed.deploy(trapped(), 'full');
      assert.deepEqual((await warned(before + 2)).slice(before).sort(), [ofTimer, ofHealer]);
    });

    it('leave out what a node has switched off', async () => {
      const before = (await warned(2)).length;
      await nodeRed.deploy(trapped({ mode: 'None' }), 'full');
      await nodeRed.deploy(trapped({ warningsOff: ['healer-without-give-up'] }), 'full');
      await nodeRed.deploy([], 'full');
      await nodeRed.deploy(trapped(), 'full');
      assert.deepEqual((await warned(before + 2)).slice(before).sort(), [ofTimer, ofHealer]);
    });
  });

  describe('in the editor', () => {
    let editor: Editor;

    before(async function () {
      if (!browserFound()) return this.skip();
      editor = await Editor.open(nodeRed.url);
    });
    after(async () => {
      await editor?.close();
      assert.deepEqual(editor?.pageErrors ?? [], [], 'exceptions that no code caught');
    });

    const badge = (node: string): Locator => editor.page.locator(`[id="${node}"] .conference-recovery-warning`);

    async function shows(node: string, isShown: boolean): Promise<void> {
      await badge(node).waitFor({ state: isShown ? 'visible' : 'hidden' });
    }

    it('are a badge on the node, with message and remedy', async () => {
      await shows('healer', true);
      await shows('give-up', true);
      for (const node of ['session', 'detector', 'audio-video']) await shows(node, false);
      await badge('healer').hover();
      const tooltip = editor.page.locator('.red-ui-flow-port-tooltip');
      const lines = await tooltip.evaluate((box) => [...box.querySelectorAll('text')].map((line) => line.textContent));
      const said = lines.join(' ').replace(/\s+/g, ' ');
      assert.ok(said.includes(textOf('healer-without-give-up', 'message')), said);
      assert.ok(said.includes(textOf('healer-without-give-up', 'remedy')), said);
      // Tests have no animations, and by one it would fade in.
      await tooltip.evaluate((box) => box.setAttribute('style', 'opacity: 1'));
      await editor.screenshot('flow-warnings');
      await editor.page.mouse.move(5, 500);
    });

    it('leave the node valid: it is deployed without a question', async () => {
      assert.ok((await editor.node('healer')).valid);
    });

    it('go as soon as a wire is there, and come back with an undo', async () => {
      await editor.evaluate(`(() => {
        const link = { source: RED.nodes.node('give-up'), sourcePort: 0, target: RED.nodes.node('session') };
        RED.nodes.addLink(link);
        RED.history.push({ t: 'add', links: [link], dirty: false });
        RED.view.redraw();
      })()`);
      await shows('healer', false);
      await shows('give-up', false);
      await editor.evaluate('RED.history.pop()');
      await shows('healer', true);
      await shows('give-up', true);
    });

    it('stand in the dialog, where each is switched off, and on again', async () => {
      await badge('healer').click();
      await editor.page.waitForSelector('.conference-recovery-warnings');
      await editor.page.click('#node-dialog-cancel');
      await editor.page.waitForFunction("$('.red-ui-tray').length === 0");

      let dialog = await editor.edit('healer');
      const list = dialog.form.locator('.conference-recovery-warnings');
      const box = list.getByLabel(textOf('healer-without-give-up', 'message'));
      assert.equal(await list.locator('input').count(), 1);
      assert.ok(await box.isChecked());
      assert.equal(
        await list.locator(`[id="${await box.getAttribute('aria-describedby')}"]`).textContent(),
        textOf('healer-without-give-up', 'remedy'),
      );
      await editor.screenshot('flow-warnings-dialog', dialog.tray);
      await box.focus();
      await editor.page.keyboard.press('Space');
      await dialog.done();
      assert.deepEqual((await editor.node('healer')).warningsOff, ['healer-without-give-up']);
      await shows('healer', false);
      await shows('give-up', true);

      dialog = await editor.edit('healer');
      assert.equal(await box.isChecked(), false);
      await editor.screenshot('flow-warnings-off', dialog.tray);
      await dialog.done();
      assert.deepEqual((await editor.node('healer')).warningsOff, ['healer-without-give-up']);

      dialog = await editor.edit('healer');
      await box.check();
      await dialog.done();
      assert.deepEqual((await editor.node('healer')).warningsOff, []);
      await shows('healer', true);
    });

    it('are not in a dialog that has nothing to warn of', async () => {
      const dialog = await editor.edit('session');
      assert.equal(await dialog.form.locator('.conference-recovery-warnings').count(), 0);
      await dialog.done();
      assert.deepEqual((await editor.node('session')).warningsOff, []);
    });

    it('of a node inside of a subflow are on the instance as well, and lead inside', async () => {
      await editor.evaluate(`(() => {
        RED.nodes.import([
          { id: 'template', type: 'subflow', name: 'heal', in: [{ x: 40, y: 40, wires: [{ id: 'inner' }] }], out: [] },
          { id: 'inner', type: 'route-healer', z: 'template', name: 'inner healer', x: 200, y: 80, wires: [[], []] },
          { id: 'instance', type: 'subflow:template', z: 'tab', x: 300, y: 700, wires: [] },
        ]);
        RED.view.redraw(true);
      })()`);
      await shows('instance', true);
      await badge('instance').click();
      await editor.page.waitForFunction("RED.workspaces.active() === 'template'");
      await shows('inner', true);
      await editor.evaluate("RED.workspaces.show('tab')");
    });

    it('follow what is disabled', async () => {
      await editor.evaluate(`(() => {
        RED.view.select({ nodes: [RED.nodes.node('healer')] });
        RED.actions.invoke('core:disable-selected-nodes');
      })()`);
      await shows('healer', false);
      await shows('detector', true);
      await editor.evaluate("RED.actions.invoke('core:enable-selected-nodes')");
      await shows('healer', true);
      await shows('detector', false);
    });
  });

  describe('in another language', () => {
    it('is that of the browser', async function () {
      if (!browserFound()) return this.skip();
      const editor = await Editor.open(nodeRed.url, 'ja');
      try {
        const dialog = await editor.edit('healer');
        const said = await dialog.form.locator('.conference-recovery-warnings label').allTextContents();
        assert.deepEqual(said, [textsOf('ja').get('flow-warnings.rule.healer-without-give-up.message')]);
        await dialog.cancel();
        await editor.page.locator('[id="healer"] .conference-recovery-warning').hover();
        await editor.page.locator('.red-ui-flow-port-tooltip').waitFor();
        await editor.screenshot('flow-warnings-ja');
      } finally {
        await editor.close();
      }
    });
  });
});
