import assert from 'node:assert/strict';
import type { Message } from '../../nodes/recovery/step';
import { inOrder } from '../../nodes/runtime/order';

describe('order of what a step causes', () => {
  const [told, asked] = [{ event: 'signal' }, { command: 'probe' }] as unknown as Message[];
  const effects = [{ effect: 'request' }, { effect: 'mcu' }, { effect: 'set-deadline' }];
  const step = { state: {}, messages: [told, asked] as Message[], effects };

  it('ORD-1 ORD-2 one after the other: what others are told first, then our messages, then what is to be done', () => {
    assert.deepEqual(inOrder(step, 'mcu'), [effects[1], told, asked, effects[0], effects[2]]);
    assert.deepEqual(inOrder(step, null), [told, asked, ...effects]);
  });
});
