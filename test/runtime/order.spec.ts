import assert from 'node:assert/strict';
import type { Message } from '../../nodes/recovery/step';
import { inOrder, sessionEffectsFirst } from '../../nodes/runtime/order';

describe('order of what a step causes', () => {
  const [told, asked] = [{ event: 'signal' }, { command: 'probe' }] as unknown as Message[];
  const effects = [{ effect: 'request' }, { effect: 'mcu' }, { effect: 'set-deadline' }];
  const step = { state: {}, messages: [told, asked] as Message[], effects };

  it('ORD-1 ORD-2 one after the other: what others are told first, then our messages, then what is to be done', () => {
    assert.deepEqual(inOrder(step, ['mcu']), [effects[1], told, asked, effects[0], effects[2]]);
    assert.deepEqual(inOrder(step, []), [told, asked, ...effects]);
  });

  it('PER-7 the port takes up what it is given before MCU sessions use it', () => {
    const handedOver = { ...step, effects: [{ effect: 'adopt' }, ...effects, { effect: 'resume' }] };
    const order = inOrder(handedOver, sessionEffectsFirst).map((item) => ('effect' in item ? item.effect : 'message'));
    assert.deepEqual(order, ['adopt', 'mcu', 'message', 'message', 'request', 'set-deadline', 'resume']);
  });
});
