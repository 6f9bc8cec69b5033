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

  it('PER-7 who holds the conference is heard from whoever says so, with or without a name', () => {
    const told = (members: JsonObject) => conferenceSessionHears(fact(members));
    const status = { event: 'session-status', owner: 'them', epoch: 3 };
    assert.deepEqual(told(status), { input: 'stand-down', owner: 'them', epoch: 3 });
    assert.deepEqual(told({ ...status, owner: 7 }), { input: 'stand-down', owner: '', epoch: 3 });
    for (const epoch of [undefined, null, '3', 1.5]) assert.equal(told({ ...status, epoch }), null);
    for (const operation of ['snapshot', 'restore']) {
      const completed = { event: 'operation-completed', operation };
      assert.deepEqual(told({ ...completed, result: { owner: 'them', epoch: 3 } }), {
        input: 'stand-down',
        owner: 'them',
        epoch: 3,
      });
      for (const result of [undefined, null, 7, [], {}]) assert.equal(told({ ...completed, result }), null);
    }
    const other = { event: 'operation-completed', operation: 'status', result: { owner: 'them', epoch: 3 } };
    assert.equal(told(other), null);
  });

  it('PER-7 PER-10 requests name the ownership that they are meant for', () => {
    const of = (members: JsonObject) => operationRequest(request({ conference: CONFERENCE, ...members }), 'id-1');
    const asked = { operationId: 'id-1', epoch: 2 };
    for (const [command, rest] of Object.entries({
      join: { arguments: {} },
      terminate: {},
      lock: { input: 'operation', operation: 'lock', arguments: {} },
      status: { input: 'query', operation: 'status' },
      snapshot: { signaling: null, deadlines: {}, mcus: {} },
      restore: { snapshot: undefined },
    })) {
      assert.deepEqual(of({ command, epoch: 2 }), { input: command, ...asked, ...rest });
      assert.ok(!('epoch' in of({ command, epoch: null })));
    }
    assert.deepEqual(of({ command: 'restore', snapshot: 'x' }), {
      input: 'restore',
      operationId: 'id-1',
      snapshot: 'x',
    });
    assert.deepEqual(routeRequest(request({ command: 'probe', dialog: 1, epoch: 2 })), {
      input: 'probe',
      dialog: 1,
      epoch: 2,
    });
    const heal = routeRequest(request({ command: 'heal', dialog: 1, attempt: 1, epoch: 2 }));
    assert.deepEqual(heal, { input: 'heal', dialog: 1, attempt: 1, method: 'UPDATE', epoch: 2 });
    assert.deepEqual(mcuRequest(request({ command: 'mute', epoch: 2 }), 'id-1'), {
      input: 'operation',
      operation: 'mute',
      operationId: 'id-1',
      arguments: {},
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
