import assert from 'node:assert/strict';
import {
  complaintAboutUnset,
  durationOf,
  type Evaluate,
  type NodeConfig,
  numberOf,
  readerOf,
  textOf,
  withEnvironment,
} from '../../nodes/runtime/settings';

/** What the environment, a message and the contexts hold. */
const values: { [type: string]: { [name: string]: unknown } } = {
  env: { ROOM: ' sip:env@example.com ', SECONDS: '90', NUMBER: 7 },
  msg: { topic: 'sip:msg@example.com', number: 5 },
  flow: { room: 'sip:flow@example.com' },
  global: { room: 'sip:global@example.com' },
};

const evaluate: Evaluate = (name, type) => {
  if (name === 'slow') throw new Error('Context store does not answer at once');
  return values[type]?.[name] ?? (type === 'env' ? '' : undefined);
};

describe('values of typed inputs', () => {
  const session = (conferenceType: string, conference: string): NodeConfig => ({ conference, conferenceType });

  it('are those of the dialog where no kind is saved, or none that is known', () => {
    for (const config of [{ conference: 'sip:a@b' }, session('str', 'sip:a@b'), session('jsonata', 'sip:a@b')]) {
      assert.equal(textOf(withEnvironment(config, evaluate), 'conference'), 'sip:a@b');
      assert.equal(readerOf(config, 'conference', evaluate), null);
      assert.equal(complaintAboutUnset(config), null);
    }
  });

  it('come from the environment at the start: texts, numbers, durations in the unit of the dialog', () => {
    assert.equal(textOf(withEnvironment(session('env', 'ROOM'), evaluate), 'conference'), 'sip:env@example.com');
    const timer = withEnvironment({ period: 'SECONDS', periodType: 'env', periodUnit: 's' }, evaluate);
    assert.equal(durationOf(timer, 'period', 1), 90_000);
    assert.equal(numberOf(withEnvironment({ hops: 'NUMBER', hopsType: 'env' }, evaluate), 'hops', 1), 7);
  });

  it('a variable that is not set gives the default, and a line that names field, variable and remedy', () => {
    const config = withEnvironment({ period: 'NOWHERE', periodType: 'env', periodUnit: 's' }, evaluate);
    assert.equal(durationOf(config, 'period', 30_000), 30_000);
    assert.equal(complaintAboutUnset(config)?.name, 'NOWHERE');
    assert.match(
      complaintAboutUnset(config)?.text ?? '',
      /^period: the environment variable "NOWHERE" is not set\. Set it and restart, or open the node and enter a value\.$/,
    );
    assert.equal(textOf(withEnvironment(session('env', 'NOWHERE'), evaluate), 'conference'), '');
  });

  for (const [type, name] of [
    ['msg', 'topic'],
    ['flow', 'room'],
    ['global', 'room'],
  ] as const) {
    it(`of ${type} are read at each message, and are nothing before`, () => {
      const config = withEnvironment(session(type, name), evaluate);
      assert.equal(textOf(config, 'conference'), '');
      assert.equal(readerOf(config, 'conference', evaluate)?.({}), `sip:${type}@example.com`);
    });
  }

  it('that there are not, that are no texts, or that cannot be read at once, read as nothing', () => {
    for (const name of ['missing', 'number', 'slow']) {
      assert.equal(readerOf(session('msg', name), 'conference', evaluate)?.({}), '', name);
    }
  });
});
