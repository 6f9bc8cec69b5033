/** What the failover-detector node makes of what its dialog saved. */
import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import type { NodeAPI } from 'node-red';

import register = require('../../nodes/failover-detector');

import { DEFAULT_RULES } from '../../nodes/recovery/detector-rules';
import type { Fact, FailoverDetected } from '../../nodes/recovery/messages';
import { CONFERENCE } from '../support/driver';
import { translator } from '../support/words';

/** As much of Node-RED as the node touches. */
class DetectorNode extends EventEmitter {
  readonly log: string[] = [];
  readonly statuses: { fill?: string; text?: string }[] = [];
  readonly sent: Fact[] = [];
  settings: { [setting: string]: { value: unknown; exportable: boolean } } = {};

  constructor(config: object) {
    super();
    register({
      _: translator('en-US'),
      events: new EventEmitter(),
      nodes: {
        createNode: () => {},
        registerType: (_type: string, create: (config: object) => void, options: Pick<DetectorNode, 'settings'>) => {
          this.settings = options.settings;
          create.call(this, config);
        },
      },
    } as unknown as NodeAPI);
  }

  error(text: string): void {
    this.log.push(text);
  }

  status(status: object): void {
    this.statuses.push(status);
  }

  /** Hears a fact of the session. */
  hear(members: object): void {
    const payload = {
      conference: CONFERENCE,
      at: new Date().toISOString(),
      seq: 1,
      source: 'conference-session',
      incident: null,
      active: false,
      severity: 'info',
      dialog: 1,
      version: 1,
      ...members,
    };
    const send = (outputs: ({ payload: Fact } | null)[]) => {
      for (const message of outputs) if (message) this.sent.push(message.payload);
    };
    this.emit('input', { payload }, send, () => {});
  }

  send(outputs: ({ payload: Fact } | null)[]): void {
    for (const message of outputs) if (message) this.sent.push(message.payload);
  }

  close(): void {
    this.emit('close', false, () => {});
  }

  verdicts(): string[] {
    return this.sent
      .filter((fact): fact is FailoverDetected => fact.event === 'failover-detected')
      .map(({ rule, level, phase }) => `${rule}: ${level} ${phase}`);
  }
}

const ownRule = { name: 'own', signal: 'response', status: [481], level: 'hop', phase: 'failed' };

describe('failover-detector node', () => {
  let node: DetectorNode;
  afterEach(() => node.close());

  it('DET-5 rules of the configuration count, whatever the preset', () => {
    node = new DetectorNode({ preset: 'quick', rules: [ownRule, ...DEFAULT_RULES] });
    assert.deepEqual(node.log, []);
    node.hear({ event: 'signal', signal: 'response', purpose: 'operation', status: 481 });
    assert.deepEqual(node.verdicts(), ['own: hop failed']);
  });

  it('DET-5 a bad rule is a red status and one line in the log that name its row; the default rules are used', () => {
    node = new DetectorNode({ preset: 'standard', rules: [ownRule, { ...ownRule, name: 'worse', level: 'proxy' }] });
    const [line = ''] = node.log;
    assert.equal(node.log.length, 1);
    assert.match(
      line,
      /^Rule 2 \("worse"\): "level" must be one of focus, mcu, hop, not "proxy"\. The default rules are/,
    );
    node.hear({ event: 'signal', signal: 'response', purpose: 'operation', status: 481 });
    assert.deepEqual(node.verdicts(), ['dialog-gone: focus failed']);
    const [status] = node.statuses;
    assert.deepEqual([node.statuses.length, status?.fill, status?.text], [1, 'red', 'rule 2 ("worse") is wrong']);
  });

  it('DET-5 the dialog gets the default rules, and the words that rules are made of', () => {
    node = new DetectorNode({});
    const shared = node.settings.failoverDetectorRules;
    assert.equal(shared?.exportable, true);
    assert.deepEqual(Object.keys(shared?.value as object), ['defaults', 'words']);
  });

  it('DET-7 the dialog chooses the detector of heartbeats, and its figures count with the preset "custom" only', () => {
    const missed = { event: 'signal', signal: 'heartbeat-missed', purpose: 'refresh' };
    node = new DetectorNode({ preset: 'custom', heartbeatDetector: 'missed', missedHeartbeats: '1', probing: false });
    node.hear(missed);
    assert.deepEqual(node.verdicts(), ['missed-heartbeats: hop failed']);
    node.close();
    node = new DetectorNode({ preset: 'standard', heartbeatDetector: 'missed', missedHeartbeats: '1' });
    node.hear(missed);
    assert.deepEqual(node.verdicts(), ['heartbeat-missed: hop suspected']);
  });
});
