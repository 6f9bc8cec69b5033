/**
 * `npm run pictures`: the pictures of the README, taken from the real editor (Chromium needed). The canonical flow has
 * joined its conference and called the audio-video MCU; the timeline then shows how it gets over two faults, and goes
 * through a third.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Editor } from '../test/editor/editor';
import { packageRoot, startNodeRed } from '../test/support/node-red-process';

interface FlowNode {
  id: string;
  type: string;
  name?: string;
  [property: string]: unknown;
}

/** Half a minute of faults, and a recovery that is under way at the end. */
async function drawTimeline(editor: Editor, press: (name: string) => Promise<void>): Promise<void> {
  const { page } = editor;
  await page.setViewportSize({ width: 1280, height: 729 });
  await editor.evaluate(`RED.actions.invoke('core:toggle-sidebar')`);
  await editor.evaluate(`RED.actions.invoke('conference-recovery:show-timeline')`);
  const edge = await page.locator('#red-ui-sidebar-separator').boundingBox();
  await page.mouse.move((edge?.x ?? 0) + 3, 500);
  await page.mouse.down();
  await page.mouse.move(680, 500, { steps: 4 });
  await page.mouse.up();
  for (let zoom = 0; zoom < 2; zoom += 1) await page.getByRole('button', { name: 'Show less time' }).click();
  await sleep(4_000);
  await press('roll over the audio-video MCU');
  await sleep(8_000);
  await press('kill the Focus’s front end');
  await sleep(10_000);
  await press('break a hop for 12 s');
  await sleep(11_000);
  await page.locator('.conference-recovery-timeline').screenshot({ path: join(packageRoot, 'docs/timeline.png') });
}

async function main(): Promise<void> {
  const flows: FlowNode[] = JSON.parse(readFileSync(join(packageRoot, 'examples/canonical.json'), 'utf8'));
  // So that the deadline is in view along with what has happened.
  for (const node of flows) if (node.type === 'give-up-timer') node.giveUpAfter = '1';
  const nodeRed = await startNodeRed({ flows });
  const press = async (name: string) => {
    const button = flows.find((node) => node.type === 'inject' && node.name === name);
    await fetch(`${nodeRed.url}/inject/${button?.id}`, { method: 'POST' });
    await sleep(700);
  };
  try {
    const editor = await Editor.open(nodeRed.url);
    await editor.page.setViewportSize({ width: 1640, height: 760 });
    await editor.evaluate(`RED.actions.invoke('core:toggle-sidebar'); RED.actions.invoke('core:toggle-palette')`);
    await press('join');
    await press('call the audio-video MCU');
    await editor.page.screenshot({
      path: join(packageRoot, 'docs/canonical-flow.png'),
      clip: { x: 0, y: 40, width: 1640, height: 680 },
    });
    await drawTimeline(editor, press);
    await editor.close();
  } finally {
    await nodeRed.stop();
  }
}

main().catch((error: Error) => {
  console.error(error.message);
  process.exitCode = 1;
});
