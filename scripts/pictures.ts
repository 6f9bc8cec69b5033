/**
 * `npm run pictures`: the pictures of the README, taken from the real editor (Chromium needed). The canonical flow has
 * joined its conference and called the audio-video MCU.
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
}

async function main(): Promise<void> {
  const flows: FlowNode[] = JSON.parse(readFileSync(join(packageRoot, 'examples/canonical.json'), 'utf8'));
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
    await editor.close();
  } finally {
    await nodeRed.stop();
  }
}

main().catch((error: Error) => {
  console.error(error.message);
  process.exitCode = 1;
});
