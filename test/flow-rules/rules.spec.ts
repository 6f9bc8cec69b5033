/** Each rule about a flow: one that has the trap, and what comes close to it without being one. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { FlowNode } from '../../nodes/flow-rules/places';
import { findingsIn, rules } from '../../nodes/flow-rules/rules';
import { packageRoot } from '../support/node-red-process';
import { languages, textsOf } from '../support/words';

// biome-ignore lint/suspicious/noTemplateCurlyInString: this is how Node-RED writes environment variables.
const fromEnvironment = '${FROM_ENVIRONMENT}';

const outputs: { readonly [type: string]: number } = {
  'conference-session': 5,
  'mcu-session': 5,
  'failover-detector': 3,
  'route-healer': 2,
  'give-up-timer': 2,
};

/** A flow that changes are made to. */
class FlowFile {
  readonly nodes: FlowNode[] = [{ id: 'tab', type: 'tab', disabled: false }];

  /** Adds a node of any type, on the tab unless told otherwise. */
  add(type: string, id: string, settings: object = {}): this {
    const wires = Array.from({ length: outputs[type] ?? 0 }, () => []);
    this.nodes.push({ id, type, z: 'tab', wires, ...settings });
    return this;
  }

  /** Wires an output (1: the first) to nodes. */
  wire(id: string, output: number, ...targets: string[]): this {
    const wires = this.node(id).wires as string[][];
    while (wires.length < output) wires.push([]);
    wires[output - 1]?.push(...targets);
    return this;
  }

  /** Takes all wires from an output (1: the first) to nodes of an id. */
  cut(id: string, output: number, target: string): this {
    const wires = this.node(id).wires as string[][];
    assert.ok(wires[output - 1]?.includes(target), `${id}.${output} is wired to ${target}`);
    wires[output - 1] = (wires[output - 1] ?? []).filter((one) => one !== target);
    return this;
  }

  set(id: string, settings: object): this {
    Object.assign(this.node(id), settings);
    return this;
  }

  remove(id: string): this {
    this.nodes.splice(this.nodes.indexOf(this.node(id)), 1);
    return this;
  }

  node(id: string): FlowNode {
    const node = this.nodes.find((one) => one.id === id);
    assert.ok(node, id);
    return node;
  }

  /** What is found, as `<rule> <node>`. */
  get found(): string[] {
    return findingsIn(this.nodes).map(({ rule, node }) => `${rule} ${node}`);
  }
}

/** A flow with all that recovery needs. */
function complete(): FlowFile {
  return new FlowFile()
    .add('conference-endpoint', 'endpoint', { z: undefined, system: 'pool' })
    .add('conference-session', 'session', { endpoint: 'endpoint', conference: 'sip:daily@pool.example' })
    .add('failover-detector', 'detector', { preset: 'standard', failoverWindow: '32', failoverWindowUnit: 's' })
    .add('route-healer', 'healer', { mode: 'MaximumRetry', period: '30', periodUnit: 's' })
    .add('give-up-timer', 'timer', {
      giveUpAfter: '5',
      giveUpAfterUnit: 'min',
      attempts: '0',
      mediaEnded: '0',
      criteria: '',
    })
    .add('mcu-session', 'mcu', { endpoint: 'endpoint', mcu: 'audio-video' })
    .add('debug', 'errors')
    .wire('session', 1, 'detector', 'healer', 'timer')
    .wire('session', 4, 'errors')
    .wire('session', 5, 'detector', 'healer')
    .wire('detector', 1, 'session')
    .wire('detector', 2, 'mcu')
    .wire('detector', 3, 'healer')
    .wire('healer', 1, 'session')
    .wire('healer', 2, 'timer')
    .wire('mcu', 4, 'errors')
    .wire('mcu', 5, 'timer')
    .wire('timer', 1, 'session');
}

/** A second flow of the same kind beside the first, with a conference of its own. */
function besides(flow: FlowFile): FlowFile {
  const renamed = JSON.parse(
    JSON.stringify(complete().nodes.filter(({ type }) => type !== 'tab' && type !== 'conference-endpoint')).replace(
      /"(session|detector|healer|timer|mcu|errors)"/g,
      '"$1-2"',
    ),
  );
  flow.nodes.push(...renamed);
  return flow.set('session-2', { conference: 'sip:weekly@pool.example' });
}

/** A flow of each rule that is trapped, with the only finding; and flows that are not. */
interface Case {
  trapped: { [what: string]: [flow: FlowFile, node: string] };
  well: { [what: string]: FlowFile };
}

const cases: { readonly [rule: string]: Case } = {
  'signals-without-detector': {
    trapped: {
      'signals go nowhere': [complete().cut('session', 5, 'detector'), 'session'],
      'signals are only looked at': [complete().cut('session', 5, 'detector').wire('session', 5, 'errors'), 'session'],
    },
    well: {
      'through a node that chooses': complete()
        .cut('session', 5, 'detector')
        .add('switch', 'choice')
        .wire('session', 5, 'choice')
        .wire('choice', 1, 'detector'),
      'to another machine, and from there': complete()
        .cut('session', 5, 'detector')
        .add('mqtt out', 'out')
        .add('mqtt in', 'in')
        .wire('session', 5, 'out')
        .wire('in', 1, 'detector'),
    },
  },
  'second-session': {
    trapped: {
      'the same conference': [
        besides(complete()).set('session-2', { conference: 'sip:daily@pool.example' }),
        'session-2',
      ],
    },
    well: {
      'another conference': besides(complete()),
      'another endpoint': besides(complete())
        .add('conference-endpoint', 'endpoint-2', { z: undefined })
        .set('session-2', { conference: 'sip:daily@pool.example', endpoint: 'endpoint-2' })
        .set('mcu-2', { endpoint: 'endpoint-2' }),
      'conferences by message': besides(complete())
        .set('session', { conference: '' })
        .set('session-2', { conference: '' }),
      'conferences by environment': besides(complete())
        .set('session', { conference: fromEnvironment })
        .set('session-2', { conference: fromEnvironment }),
      'conferences by typed input': besides(complete())
        .set('session', { conference: 'topic', conferenceType: 'msg' })
        .set('session-2', { conference: 'topic', conferenceType: 'msg' }),
    },
  },
  'errors-unheard': {
    trapped: {
      'no wire and no Catch node': [complete().cut('session', 4, 'errors'), 'session'],
      'Catch is chosen and there is none': [complete().set('mcu', { failedOperations: 'catch' }), 'mcu'],
      'a Catch node for others': [
        complete()
          .cut('session', 4, 'errors')
          .add('catch', 'catch', { scope: ['healer'] }),
        'session',
      ],
      'a Catch node for another group': [
        complete()
          .cut('session', 4, 'errors')
          .add('group', 'group')
          .add('group', 'other')
          .set('session', { g: 'other' })
          .add('catch', 'catch', { scope: 'group', g: 'group' }),
        'session',
      ],
      'a Catch node on another tab': [
        complete()
          .cut('session', 4, 'errors')
          .add('tab', 'tab-2', { z: undefined })
          .add('catch', 'catch', { scope: null, z: 'tab-2' }),
        'session',
      ],
      'a wire to what is disabled': [
        complete().cut('session', 4, 'errors').add('debug', 'off', { d: true }).wire('session', 4, 'off'),
        'session',
      ],
    },
    well: {
      'a Catch node for all': complete().cut('session', 4, 'errors').add('catch', 'catch', { scope: null }),
      'a Catch node for it': complete()
        .cut('session', 4, 'errors')
        .add('catch', 'catch', { scope: ['session'] }),
      'a Catch node for the group around its group': complete()
        .cut('session', 4, 'errors')
        .add('group', 'outer')
        .add('group', 'inner', { g: 'outer' })
        .set('session', { g: 'inner' })
        .add('catch', 'catch', { scope: 'group', g: 'outer' }),
    },
  },
  'mcu-without-session': {
    trapped: {
      'a session on another endpoint': [
        complete().add('conference-endpoint', 'other', { z: undefined }).set('mcu', { endpoint: 'other' }),
        'mcu',
      ],
    },
    well: {
      'no endpoint yet': complete().set('mcu', { endpoint: '' }),
    },
  },
  'mcu-without-detector': {
    trapped: { 'no verdict about MCUs': [complete().cut('detector', 2, 'mcu'), 'mcu'] },
    well: {
      'verdicts from elsewhere': complete().cut('detector', 2, 'mcu').add('mqtt in', 'in').wire('in', 1, 'mcu'),
    },
  },
  'detector-without-session': {
    trapped: { 'verdicts go nowhere': [complete().cut('detector', 1, 'session'), 'detector'] },
    well: {
      'by a junction': complete()
        .cut('detector', 1, 'session')
        .add('junction', 'junction')
        .wire('detector', 1, 'junction')
        .wire('junction', 1, 'session'),
    },
  },
  'hop-verdicts-without-healer': {
    trapped: {
      'no healer': [
        complete()
          .cut('detector', 3, 'healer')
          .cut('session', 1, 'healer')
          .cut('session', 5, 'healer')
          .remove('healer'),
        'detector',
      ],
    },
    well: {
      'by links': complete()
        .cut('detector', 3, 'healer')
        .add('link out', 'out', { mode: 'link', links: ['in'] })
        .add('link in', 'in', { links: ['out'] })
        .wire('detector', 3, 'out')
        .wire('in', 1, 'healer'),
      'by a link call': complete()
        .cut('detector', 3, 'healer')
        .add('link call', 'call', { linkType: 'static', links: ['in'] })
        .add('link in', 'in', { links: [] })
        .wire('detector', 3, 'call')
        .wire('in', 1, 'healer'),
    },
  },
  'state-unheard': {
    trapped: {
      'a detector': [complete().cut('session', 1, 'detector'), 'detector'],
      'a healer': [complete().cut('session', 1, 'healer'), 'healer'],
    },
    well: {
      'state through a node that chooses': complete()
        .cut('session', 1, 'healer')
        .add('switch', 'choice')
        .wire('session', 1, 'choice')
        .wire('choice', 2, 'healer'),
    },
  },
  'healer-without-verdicts': {
    trapped: {
      'another healer gets them': [
        complete()
          .add('route-healer', 'other', { mode: 'LimitedRetry' })
          .wire('session', 1, 'other')
          .wire('session', 5, 'other')
          .wire('other', 1, 'session'),
        'other',
      ],
    },
    well: {
      'a link whose target a message names': complete()
        .cut('detector', 3, 'healer')
        .add('link call', 'call', { linkType: 'dynamic', links: [] })
        .wire('detector', 3, 'call')
        .add('link in', 'in')
        .add('http in', 'page')
        .wire('in', 1, 'healer')
        .wire('page', 1, 'healer'),
    },
  },
  'healer-without-signals': {
    trapped: { 'no signals': [complete().cut('session', 5, 'healer'), 'healer'] },
    well: {
      'signals from elsewhere': complete().cut('session', 5, 'healer').add('mqtt in', 'in').wire('in', 1, 'healer'),
    },
  },
  'healer-without-session': {
    trapped: { 'requests go nowhere': [complete().cut('healer', 1, 'session'), 'healer'] },
    well: {
      'to another machine': complete().cut('healer', 1, 'session').add('mqtt out', 'out').wire('healer', 1, 'out'),
    },
  },
  'healer-without-give-up': {
    trapped: {
      'no timer': [
        complete()
          .cut('session', 1, 'timer')
          .cut('healer', 2, 'timer')
          .cut('mcu', 5, 'timer')
          .cut('timer', 1, 'session')
          .remove('timer'),
        'healer',
      ],
      'a timer that is disabled': [complete().set('timer', { d: true }), 'healer'],
      'a timer for another session': [
        (() => {
          const flow = besides(complete());
          return flow.remove('timer').cut('session', 1, 'timer').cut('healer', 2, 'timer').cut('mcu', 5, 'timer');
        })(),
        'healer',
      ],
    },
    well: {
      'a healer that stops by itself': complete().remove('timer').set('healer', { mode: 'LimitedRetry' }),
      'a healer that does nothing': complete().remove('timer').set('healer', { mode: 'None' }),
      'a timer behind a node that chooses': complete()
        .cut('timer', 1, 'session')
        .add('function', 'log')
        .wire('timer', 1, 'log')
        .wire('log', 1, 'session'),
    },
  },
  'two-healers': {
    trapped: {
      'both hear and tell the same': [twoHealers(complete()).wire('detector', 3, 'other'), 'other'],
    },
    well: {
      'two flows': besides(complete()),
      'one for each kind of conference': twoHealers(complete())
        .cut('detector', 3, 'healer')
        .add('switch', 'choice')
        .wire('detector', 3, 'choice')
        .wire('choice', 1, 'healer')
        .wire('choice', 2, 'other'),
    },
  },
  'give-up-without-session': {
    trapped: {
      'its decision goes nowhere': [complete().set('healer', { mode: 'None' }).cut('timer', 1, 'session'), 'timer'],
    },
    well: {
      'to another machine': complete().cut('timer', 1, 'session').add('mqtt out', 'out').wire('timer', 1, 'out'),
    },
  },
  'give-up-without-state': {
    trapped: { 'no state': [complete().cut('session', 1, 'timer'), 'timer'] },
    well: {
      'state from elsewhere': complete().cut('session', 1, 'timer').add('mqtt in', 'in').wire('in', 1, 'timer'),
    },
  },
  'give-up-never': {
    trapped: { 'all limits off': [complete().set('timer', { giveUpAfter: '0' }), 'timer'] },
    well: {
      'a number of attempts': complete().set('timer', { giveUpAfter: '0', attempts: '3' }),
      'a time without media': complete().set('timer', { giveUpAfter: '0', mediaEnded: '60' }),
      criteria: complete().set('timer', { giveUpAfter: '0', criteria: '{"elapsedMs":60000}' }),
      'wrong criteria, for which the default time counts': complete().set('timer', { giveUpAfter: '0', criteria: '{' }),
      'a limit by environment': complete().set('timer', { giveUpAfter: fromEnvironment }),
      'a limit by typed input': complete().set('timer', { giveUpAfter: 'LIMIT', giveUpAfterType: 'env' }),
    },
  },
  'give-up-without-attempts': {
    trapped: {
      'a number of attempts': [complete().set('timer', { attempts: '3' }).cut('healer', 2, 'timer'), 'timer'],
      'attempts among its criteria': [
        complete()
          .set('timer', { criteria: '{"any":[{"elapsedMs":300000},{"all":[{"attempts":2}]}]}' })
          .cut('healer', 2, 'timer'),
        'timer',
      ],
    },
    well: { 'time only': complete().cut('healer', 2, 'timer') },
  },
  'give-up-without-media': {
    trapped: {
      'a time without media': [complete().set('timer', { mediaEnded: '60' }).cut('mcu', 5, 'timer'), 'timer'],
      'not while media flow': [
        complete()
          .set('timer', { criteria: '{"elapsedMs":60000,"notWhile":{"mediaFlows":true}}' })
          .cut('mcu', 5, 'timer'),
        'timer',
      ],
    },
    well: { 'time only': complete().cut('mcu', 5, 'timer') },
  },
  'give-up-without-roster': {
    trapped: { 'nobody else': [complete().set('timer', { criteria: '{"aloneMs":60000}' }), 'timer'] },
    well: {
      'a roster': complete().set('timer', { criteria: '{"aloneMs":60000}' }).wire('session', 2, 'timer'),
    },
  },
  'give-up-without-errors': {
    trapped: { 'an error': [complete().set('timer', { criteria: '{"error":"SIP-403"}' }), 'timer'] },
    well: {
      'failed operations of the session': complete()
        .set('timer', { criteria: '{"error":"SIP-403"}' })
        .wire('session', 4, 'timer'),
      'errors by a Catch node': complete()
        .set('timer', { criteria: '{"error":"SIP-403"}' })
        .add('catch', 'catch', { scope: null })
        .add('change', 'cause')
        .wire('catch', 1, 'cause')
        .wire('cause', 1, 'timer'),
    },
  },
  'give-up-before-healing': {
    trapped: {
      'a short time': [
        complete()
          .set('timer', { giveUpAfter: '40', giveUpAfterUnit: 's' })
          .set('healer', { period: '1', periodUnit: 'min' }),
        'timer',
      ],
      'criteria that are met for certain': [
        complete()
          .set('timer', { criteria: '{"all":[{"elapsedMs":40000},{"budgetMs":50000}]}' })
          .set('healer', { period: '1', periodUnit: 'min' }),
        'timer',
      ],
    },
    well: {
      'criteria that may not be met': complete()
        .set('timer', { criteria: '{"all":[{"elapsedMs":40000},{"attempts":3}]}' })
        .set('healer', { period: '1', periodUnit: 'min' }),
      'a healer for another session': besides(complete())
        .set('timer', { giveUpAfter: '40', giveUpAfterUnit: 's' })
        .set('healer-2', { period: '1', periodUnit: 'min' }),
    },
  },
  'give-up-before-failover': {
    trapped: {
      'a short time': [
        complete().set('timer', { giveUpAfter: '20', giveUpAfterUnit: 's' }).set('healer', { period: '5' }),
        'timer',
      ],
    },
    well: {
      'a quick detector': complete()
        .set('timer', { giveUpAfter: '20', giveUpAfterUnit: 's' })
        .set('healer', { period: '5' })
        .set('detector', { preset: 'quick', failoverWindow: '10' }),
      'not while media flow': complete()
        .set('timer', { criteria: '{"elapsedMs":20000,"notWhile":{"mediaFlows":true}}' })
        .set('healer', { period: '5' }),
    },
  },
  'kept-state-differs': {
    trapped: {
      'a healer that keeps nothing': [keepingAll('journal').set('healer', { keepState: 'none' }), 'healer'],
      'an MCU session that keeps nothing': [keepingAll('journal').set('mcu', { keepState: undefined }), 'mcu'],
    },
    well: {
      'all the same': keepingAll('context:file'),
      'nothing, in two ways': keepingAll('none').set('timer', { keepState: undefined }),
      'by environment': keepingAll('journal').set('timer', { keepState: fromEnvironment }),
    },
  },
};

function twoHealers(flow: FlowFile): FlowFile {
  return flow
    .add('route-healer', 'other', { mode: 'MaximumRetry' })
    .wire('session', 1, 'other')
    .wire('session', 5, 'other')
    .wire('other', 1, 'session');
}

function keepingAll(keepState: string): FlowFile {
  const flow = complete();
  for (const id of ['session', 'detector', 'healer', 'timer', 'mcu']) flow.set(id, { keepState });
  return flow;
}

describe('rules about a flow', () => {
  it('find nothing in a flow that has all', () => {
    assert.deepEqual(complete().found, []);
  });

  it('are all tested here', () => {
    assert.deepEqual(Object.keys(cases), Object.keys(rules));
  });

  for (const [rule, { trapped, well }] of Object.entries(cases)) {
    describe(rule, () => {
      for (const [what, [flow, node]] of Object.entries(trapped)) {
        it(`finds: ${what}`, () => assert.deepEqual(flow.found, [`${rule} ${node}`]));
      }
      for (const [what, flow] of Object.entries(well)) {
        it(`does not mind: ${what}`, () => assert.deepEqual(flow.found, []));
      }
    });
  }

  it('name the other node, and durations in units', () => {
    const flow = complete()
      .set('timer', { giveUpAfter: '40', giveUpAfterUnit: 's' })
      .set('healer', { period: '1.5', periodUnit: 'min', name: 'slow healer' });
    assert.deepEqual(findingsIn(flow.nodes), [
      {
        rule: 'give-up-before-healing',
        node: 'timer',
        within: [],
        figures: { limit: '40 s', patience: '1 min 30 s', other: 'slow healer' },
        off: false,
      },
    ]);
  });

  it('say so of a finding that its node has switched off', () => {
    const flow = complete()
      .cut('session', 5, 'detector')
      .set('session', { warningsOff: ['signals-without-detector'] })
      .cut('detector', 1, 'session')
      .set('detector', { warningsOff: ['signals-without-detector'] });
    assert.deepEqual(
      findingsIn(flow.nodes).map(({ rule, off }) => [rule, off]),
      [
        ['signals-without-detector', true],
        ['detector-without-session', false],
      ],
    );
  });

  describe('leave out what does not run', () => {
    it('a disabled node, and a disabled tab', () => {
      assert.deepEqual(complete().add('route-healer', 'lonely', { d: true }).found, []);
      assert.deepEqual(complete().add('route-healer', 'lonely').set('tab', { disabled: true }).found, []);
    });

    it('a subflow that nobody uses', () => {
      assert.deepEqual(
        complete().add('subflow', 'template', { z: undefined }).add('route-healer', 'lonely', { z: 'template' }).found,
        [],
      );
    });
  });

  describe('look into subflows', () => {
    /** Detector, healer and timer in a subflow: what it is told comes in, what is for the session goes out. */
    function withSubflow(): FlowFile {
      const flow = complete();
      for (const id of ['detector', 'healer', 'timer']) flow.set(id, { z: 'template' });
      for (const output of [1, 5]) {
        const wires = flow.node('session').wires as string[][];
        wires[output - 1] = ['instance'];
      }
      (flow.node('mcu').wires as string[][])[4] = ['instance'];
      flow
        .cut('detector', 1, 'session')
        .cut('detector', 2, 'mcu')
        .cut('healer', 1, 'session')
        .cut('timer', 1, 'session');
      return flow
        .add('subflow', 'template', {
          z: undefined,
          in: [{ wires: [{ id: 'detector' }, { id: 'healer' }, { id: 'timer' }] }],
          out: [
            {
              wires: [
                { id: 'detector', port: 0 },
                { id: 'healer', port: 0 },
                { id: 'timer', port: 0 },
              ],
            },
            { wires: [{ id: 'detector', port: 1 }] },
          ],
        })
        .add('subflow:template', 'instance')
        .wire('instance', 1, 'session')
        .wire('instance', 2, 'mcu');
    }

    it('follow messages in and out', () => {
      assert.deepEqual(withSubflow().found, []);
      assert.deepEqual(withSubflow().cut('instance', 2, 'mcu').found, ['mcu-without-detector mcu']);
    });

    it('tell the instance in which a node inside was found', () => {
      const flow = withSubflow().cut('instance', 1, 'session').wire('instance', 2, 'session');
      const found = findingsIn(flow.nodes);
      assert.deepEqual(
        found.map(({ rule, node }) => `${rule} ${node}`),
        ['detector-without-session detector', 'healer-without-session healer', 'give-up-without-session timer'],
      );
      for (const { within } of found) assert.deepEqual(within, ['instance']);
    });

    it('tell once of a node that is there twice', () => {
      const flow = withSubflow()
        .set('healer', { mode: 'MaximumRetry' })
        .cut('healer', 2, 'timer')
        .set('timer', { attempts: '3' });
      flow
        .add('conference-session', 'session-2', { endpoint: 'endpoint', conference: 'sip:weekly@pool.example' })
        .wire('session-2', 1, 'instance-2')
        .wire('session-2', 4, 'errors')
        .wire('session-2', 5, 'instance-2')
        .add('subflow:template', 'instance-2')
        .wire('instance-2', 1, 'session-2');
      assert.deepEqual(
        findingsIn(flow.nodes).map(({ rule, node, within }) => [rule, node, within]),
        [['give-up-without-attempts', 'timer', ['instance', 'instance-2']]],
      );
    });

    it('find no end in one that holds itself', () => {
      const flow = withSubflow().add('subflow:template', 'inner', { z: 'template' });
      assert.deepEqual(flow.found, []);
    });

    it('know a Catch node around it, and one inside', () => {
      const flow = withSubflow()
        .add('mcu-session', 'chat', { z: 'template', endpoint: 'endpoint', mcu: 'chat' })
        .wire('detector', 2, 'chat');
      assert.deepEqual(flow.found, ['errors-unheard chat']);
      flow.add('catch', 'around', { scope: ['instance'] });
      assert.deepEqual(flow.found, []);
      flow.remove('around').add('catch', 'inside', { z: 'template', scope: ['chat'] });
      assert.deepEqual(flow.found, []);
    });
  });

  it('take a flow file that is not as it should be', () => {
    const wrong = ['x', null, 7, {}, [[null]], [7]];
    for (const value of wrong) {
      for (const property of ['wires', 'links', 'scope', 'in', 'out', 'warningsOff', 'criteria', 'period', 'g', 'z']) {
        const flow = complete().add('link out', 'link').wire('session', 5, 'link');
        for (const node of flow.nodes) Object.assign(node, { [property]: value });
        assert.doesNotThrow(() => findingsIn(flow.nodes), `${property}: ${JSON.stringify(value)}`);
      }
    }
  });

  it('stand in docs/flow-warnings.md as people read them', () => {
    const page = readFileSync(join(packageRoot, 'docs/flow-warnings.md'), 'utf8');
    const texts = textsOf('en-US');
    const rows = Object.entries(rules).map(([rule, { on }]) => {
      const [message, remedy] = ['message', 'remedy'].map((part) => texts.get(`flow-warnings.rule.${rule}.${part}`));
      return `| \`${rule}\` | ${on.join(', ')} | ${message} | ${remedy} |`;
    });
    assert.deepEqual(page.match(/^\| `.*\|$/gm), rows);
  });

  for (const name of readdirSync(join(packageRoot, 'examples'), { recursive: true, encoding: 'utf8' })) {
    if (!name.endsWith('.json')) continue;
    it(`find nothing to warn of in examples/${name}`, () => {
      const flow = JSON.parse(readFileSync(join(packageRoot, 'examples', name), 'utf8')) as FlowNode[];
      assert.deepEqual(
        findingsIn(flow).filter(({ off }) => !off),
        [],
      );
    });
  }

  for (const language of languages) {
    it(`have a message and a remedy each (${language})`, () => {
      const texts = [...textsOf(language).keys()].filter((path) => path.startsWith('flow-warnings.rule.'));
      const expected = Object.keys(rules).flatMap((rule) =>
        ['message', 'remedy'].map((part) => `flow-warnings.rule.${rule}.${part}`),
      );
      assert.deepEqual(texts.sort(), expected.sort());
    });
  }
});
