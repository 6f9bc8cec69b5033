/** The languages as Node-RED shows them: statuses in that of the server, dialogs and help in that of the browser. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { CONFERENCE, canonical } from '../support/flow';
import { type NodeRedProcess, startNodeRed } from '../support/node-red-process';
import { helpOf, textsOf } from '../support/words';
import { browserFound, Editor } from './editor';

describe('languages in Node-RED', () => {
  let nodeRed: NodeRedProcess;
  const flows = canonical().filter(({ type }) => type !== 'sink');

  before(async () => {
    nodeRed = await startNodeRed({ flows, settings: { lang: 'ja' }, observe: true });
  });
  after(() => nodeRed?.stop());

  async function shows(node: string, text: RegExp): Promise<void> {
    const deadline = Date.now() + 15_000;
    const shown = (): string => nodeRed.statuses.get(node)?.text ?? '';
    while (!text.test(shown())) {
      assert.ok(Date.now() < deadline, `${node} shows "${shown()}"`);
      await sleep(20);
    }
  }

  it('statuses have the language of the server, with their figures', async () => {
    await shows('session', /^Idle$/);
    await shows('give-up', /^停止中$/);
    nodeRed.ask('session', { command: 'join', conference: CONFERENCE });
    await shows('session', /^Connected · 参加者 4 人$/);
    nodeRed.ask('injector', { command: 'break-hop', how: 'refuse', conference: CONFERENCE });
    await shows('session', /^Reconnecting · 試行 \d+ · \d+秒経過$/);
    await shows('give-up', /^Reconnecting · 試行 \d+ · 残り\d+分$/);
    nodeRed.ask('injector', { command: 'restore-hop', conference: CONFERENCE });
    await shows('session', /^Connected · 参加者 4 人$/);
  });

  for (const language of ['de', 'ja']) {
    it(`dialogs and help have the language of the browser (${language})`, async function () {
      if (!browserFound()) return this.skip();
      const editor = await Editor.open(nodeRed.url, language);
      try {
        for (const [type, text] of helpOf(language)) {
          const help = await editor.evaluate<string>(`$("script[data-help-name='${type}']").last().html()`);
          assert.ok(text.includes(help.trim()), type);
        }
        // The dialog with the most in it; that all others find their texts is tested without a browser.
        const dialog = await editor.edit('detector');
        const said = (await dialog.form.locator('*').allTextContents()).map((text) => text.trim());
        for (const [path, text] of textsOf(language)) {
          if (/^failover-detector\.(label|option)/.test(path)) assert.ok(said.includes(text), `${path} is not shown`);
        }
        await editor.screenshot(`failover-detector-${language}`, dialog.tray);
        assert.deepEqual(editor.pageErrors, []);
      } finally {
        await editor.close();
      }
    });
  }
});
