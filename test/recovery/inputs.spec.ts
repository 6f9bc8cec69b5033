import assert from 'node:assert/strict';
import {
  conferenceSessionHears,
  mcuRequest,
  mcuSessionHears,
  operationRequest,
  routeRequest,
} from '../../nodes/recovery/inputs';
import { mcuSession } from '../../nodes/recovery/mcu-session';
import type { Fact, JsonObject, Request } from '../../nodes/recovery/messages';
import { CONFERENCE } from '../support/driver';

const fact = (members: JsonObject): Fact => ({ dialog: 2, incident: 'outage-1', ...members }) as unknown as Fact;
const request = (members: JsonObject): Request & JsonObject => members as unknown as Request & JsonObject;

describe('what messages mean to the sessions', () => {
  it('DET-2 verdicts on the Focus, failed and failed-over, concern the conference session; others do not', () => {
    const verdict = (level: string, phase: string) =>
      conferenceSessionHears(fact({ event: 'failover-detected', level, phase }));
    assert.deepEqual(verdict('focus', 'failed'), { input: 'focus-failed', dialog: 2, incident: 'outage-1' });
    assert.deepEqual(verdict('focus', 'failed-over'), { input: 'focus-failed-over', dialog: 2, incident: 'outage-1' });
    for (const phase of ['suspected', 'cleared']) assert.equal(verdict('focus', phase), null);
    for (const level of ['hop', 'mcu']) assert.equal(verdict(level, 'failed'), null);
  });

  it('the healer speaks of the route, and of giving it up', () => {
    const status = { event: 'route-status-changed', recoveryMode: 'LimitedRetry', attempts: 3 };
    assert.deepEqual(conferenceSessionHears(fact({ ...status, status: 'Healthy' })), {
      input: 'route-healthy',
      dialog: 2,
      incident: 'outage-1',
    });
    assert.deepEqual(conferenceSessionHears(fact({ ...status, status: 'Recovering' })), {
      input: 'route-recovering',
      dialog: 2,
      incident: 'outage-1',
      recoveryMode: 'LimitedRetry',
      attempts: 3,
    });
    const abandoned = (reason: string) => conferenceSessionHears(fact({ event: 'healing-abandoned', reason }));
    assert.deepEqual(abandoned('horizon'), { input: 'route-abandoned', dialog: 2, incident: 'outage-1' });
    assert.deepEqual(abandoned('stopped'), { input: 'route-unhealed', dialog: 2, incident: 'outage-1' });
    assert.equal(abandoned('dialog-gone'), null);
    assert.equal(conferenceSessionHears(fact({ event: 'gave-up' })), null);
  });

  it('heal and probe are answered by signals, all other requests by an operation', () => {
    assert.deepEqual(routeRequest(request({ command: 'probe', dialog: 1 })), { input: 'probe', dialog: 1 });
    const heal = { command: 'heal', dialog: 1, attempt: 2 };
    assert.deepEqual(routeRequest(request(heal)), { input: 'heal', dialog: 1, attempt: 2, method: 'UPDATE' });
    assert.deepEqual(routeRequest(request({ ...heal, method: 'OPTIONS' })), {
      input: 'heal',
      dialog: 1,
      attempt: 2,
      method: 'OPTIONS',
    });
    assert.equal(routeRequest(request({ command: 'lock' })), null);
    const of = (members: JsonObject) => operationRequest(request({ conference: CONFERENCE, ...members }), 'id-1');
    assert.deepEqual(of({ command: 'join', displayName: 'Ada' }), {
      input: 'join',
      operationId: 'id-1',
      arguments: { displayName: 'Ada' },
    });
    assert.deepEqual(of({ command: 'terminate', reason: 'done' }), {
      input: 'terminate',
      operationId: 'id-1',
      reason: 'done',
    });
    for (const operation of ['roster', 'status']) {
      assert.deepEqual(of({ command: operation }), { input: 'query', operation, operationId: 'id-1' });
    }
    assert.deepEqual(of({ command: 'lock' }), {
      input: 'operation',
      operation: 'lock',
      operationId: 'id-1',
      arguments: {},
    });
    assert.deepEqual(mcuRequest(request({ command: 'call', conference: CONFERENCE, media: ['audio'] }), 'id-1'), {
      input: 'operation',
      operation: 'call',
      operationId: 'id-1',
      arguments: { media: ['audio'] },
    });
  });

  it('MCU-5 MSG-8 a verdict concerns the session of its MCU, in its dialog', () => {
    const chat = { ...mcuSession.start(CONFERENCE, 'chat'), dialog: 2 };
    const verdict = { event: 'failover-detected', level: 'mcu', phase: 'failed', mcu: 'chat' };
    assert.deepEqual(mcuSessionHears(fact(verdict), chat), { input: 'verdict', verdict: fact(verdict) });
    for (const other of [
      { mcu: 'audio-video' },
      { dialog: 1 },
      { phase: 'cleared' },
      { level: 'hop' },
      { event: 'signal' },
    ]) {
      assert.equal(mcuSessionHears(fact({ ...verdict, ...other }), chat), null);
    }
  });
});
