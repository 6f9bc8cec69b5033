import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import type { Node } from 'node-red';
import sinon from 'sinon';
import { deadlines } from '../../nodes/runtime/deadlines';
import { type Status, type StatusKey, StatusLine, type Words } from '../../nodes/runtime/status';
import { translator } from '../support/words';

const english = translator('en-US');

/** A node whose status is `status`, with all that it has shown. */
class Shown extends EventEmitter {
  readonly texts: (string | undefined)[] = [];
  translated = 0;
  private readonly line: StatusLine;

  constructor(private current: Status | null = null) {
    super();
    const translate = (key: StatusKey, figures?: { [figure: string]: unknown }): string => {
      this.translated += 1;
      return english(
        `@conference-recovery/node-red/conference-endpoint:conference-endpoint.shared.status.${key}`,
        figures,
      );
    };
    this.line = new StatusLine(this as unknown as Node, translate, () => this.current);
    this.line.touch();
  }

  show(status: Status | null): void {
    this.current = status;
    this.line.touch();
  }

  status({ text }: { text?: string }): void {
    this.texts.push(text);
  }
}

function statusOf(words: readonly Words[], time?: Status['time']): Status {
  return { fill: 'blue', shape: 'dot', words, time };
}

describe('status', () => {
  let clock: sinon.SinonFakeTimers;
  let nodes: Shown[];
  beforeEach(() => {
    clock = sinon.useFakeTimers({ now: 1_000_000, toFake: ['setTimeout', 'clearTimeout', 'Date'] });
    nodes = [];
  });
  afterEach(() => {
    for (const node of nodes) node.emit('close');
    assert.equal(deadlines.size, 0);
    clock.runAll();
    clock.restore();
  });
  const showing = (status: Status | null): Shown => {
    const node = new Shown(status);
    nodes.push(node);
    return node;
  };

  it('tells the state, and the figures in the words of the catalogue', () => {
    const words: Words[] = ['Reconnecting', ['attempt', { attempt: 4 }]];
    assert.deepEqual(showing(statusOf(words, { key: 'left', at: 1_038_000 })).texts, [
      'Reconnecting · attempt 4 · 38 s left',
    ]);
    assert.deepEqual(showing(statusOf([['recovering', { busy: 3, all: 812 }]])).texts, ['3 of 812 recovering']);
    assert.deepEqual(showing(statusOf(['Connected', ['participants', { count: 1 }]])).texts, [
      'Connected · 1 participant',
    ]);
  });

  it('counts down once per second, to zero and no further', () => {
    const { texts } = showing(statusOf(['Reconnecting'], { key: 'left', at: 1_002_500 }));
    clock.tick(10_000);
    assert.deepEqual(
      texts,
      ['3 s', '2 s', '1 s', '0 s'].map((time) => `Reconnecting · ${time} left`),
    );
    assert.equal(deadlines.size, 0);
  });

  it('counts up, without a word of what has not lasted for a second', () => {
    const { texts } = showing(statusOf(['InLobby'], { key: 'for', at: 1_000_000 }));
    clock.tick(2_999);
    assert.deepEqual(texts, ['InLobby', 'InLobby · for 1 s', 'InLobby · for 2 s']);
  });

  it('is shown anew as often as the time reads differently', () => {
    const { texts } = showing(statusOf([['suppressed']], { key: 'left', at: 1_000_000 + 600_000 }));
    clock.tick(480_000);
    assert.deepEqual(
      [texts[0], texts.at(-1), texts.length],
      ['suppressed · 10 min left', 'suppressed · 120 s left', 9],
    );
    const longer = showing(statusOf(['InLobby'], { key: 'for', at: clock.now - 3_600_000 * 5 }));
    const longest = showing(statusOf(['InLobby'], { key: 'for', at: clock.now - 86_400_000 * 5 }));
    clock.tick(3_599_999);
    assert.deepEqual([...longer.texts, ...longest.texts], ['InLobby · for 5 h', 'InLobby · for 5 d']);
  });

  it('is put into words only when it reads differently, and leaves one deadline at most', () => {
    const node = showing(statusOf(['Reconnecting', ['attempt', { attempt: 1 }]], { key: 'left', at: 1_030_000 }));
    const { translated } = node;
    for (let message = 0; message < 40; message += 1) {
      node.show(statusOf(['Reconnecting', ['attempt', { attempt: 1 }]], { key: 'left', at: 1_030_000 }));
    }
    assert.deepEqual([node.texts.length, node.translated, deadlines.size], [1, translated, 1]);
    node.show(statusOf([['notArmed']]));
    assert.equal(deadlines.size, 0);
    node.show(null);
    assert.deepEqual(node.texts.slice(1), ['not armed', undefined]);
  });

  it('of thousands that follow each other at once shows the first, one now and then, and the last', () => {
    const node = showing(statusOf(['0']));
    for (let message = 1; message <= 5_000; message += 1) {
      node.show(statusOf([`${message}`]));
      if (message % 10 === 0) clock.tick(1);
    }
    assert.deepEqual([node.texts.slice(0, 2), node.texts.length], [['0', '1'], 60]);
    clock.tick(50);
    assert.deepEqual([node.texts.at(-1), node.texts.length], ['5000', 60]);
    assert.equal(deadlines.size, 0);
  });

  it('is not shown anew once the node is closed', () => {
    const node = showing(statusOf(['Reconnecting'], { key: 'left', at: 1_030_000 }));
    node.emit('close');
    assert.equal(deadlines.size, 0);
    node.show(statusOf(['Reconnecting'], { key: 'left', at: 1_020_000 }));
    assert.equal(deadlines.size, 0);
  });

  it('of too many words keeps the state and the time; what is still too long is cut', () => {
    const words: Words[] = ['Reconnecting', ['attempt', { attempt: 12_345 }]];
    assert.deepEqual(showing(statusOf(words, { key: 'left', at: 1_000_000 + 119 * 60_000 })).texts, [
      'Reconnecting · 119 min left',
    ]);
    const [cut = ''] = showing(statusOf([['secondSession', { mcu: 'x'.repeat(50) }]])).texts;
    assert.match(cut, /^second session of x+…$/);
    assert.equal(cut.length, 39);
  });
});
