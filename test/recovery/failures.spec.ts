import assert from 'node:assert/strict';
import { decidingRule } from '../../nodes/recovery/detector-rules';
import { diagnosticsOf } from '../../nodes/recovery/diagnostics';
import {
  argument,
  basesOf,
  conferenceFailure,
  type Failure,
  failureOf,
  failures,
  invalidOperation,
  operationFailure,
  retryableOperation,
  sessionRetrying,
  timeout,
} from '../../nodes/recovery/errors';
import type { RecoveryError, Signal } from '../../nodes/recovery/messages';
import type { Outcome } from '../../nodes/recovery/signaling';
import { check } from '../support/schema';
import { refused } from './sessions';

const all = Object.keys(failures) as Failure[];
const named = (name: string) => all.filter((failure) => failures[failure].name === name);
const unreachable = (cause: 'timeout' | 'transport' | 'tls' | 'malformed', written = true): Outcome & object => ({
  kind: 'unreachable',
  cause,
  written,
  message: 'details',
});

/** One error of each kind that our nodes raise by themselves. */
const raised: readonly RecoveryError[] = [
  argument('no'),
  invalidOperation('no'),
  invalidOperation('no', 'NotSupported'),
  invalidOperation('no', 'LimitReached'),
  invalidOperation('no', 'StaleOwner'),
  invalidOperation('no', 'StateNotKept'),
  retryableOperation('lock', 'the session is Reconnecting'),
  sessionRetrying('lock', true),
  operationFailure('SessionTerminated', 'no', true),
  operationFailure('EndpointTerminated', 'no', false),
  timeout('no', true),
  conferenceFailure('LobbyDenied', 'no'),
  ...(['timeout', 'transport', 'tls', 'malformed'] as const).map((cause) =>
    failureOf(unreachable(cause) as Exclude<Outcome, { kind: 'ok' }>, 'lock', true),
  ),
];

describe('the table of failures', () => {
  it('ERR-2 InvalidOperationReason has three values', () => {
    assert.deepEqual(named('RealTimeInvalidOperationException'), ['None', 'RetryableOperation', 'NotInitialized']);
  });

  it("ERR-3 OperationFailureReason has UCMA's nine values", () => {
    assert.deepEqual(named('OperationFailureException'), [
      'Unknown',
      'EndpointTerminated',
      'SessionTerminated',
      'Aborted',
      'ConnectionThrottling',
      'InvalidSessionState',
      'SessionTerminatedAfter200Response',
      'SessionRetrying',
      'MediaFailure',
    ]);
  });

  it('ERR-1 what is not of InvalidOperationException is a RealTimeException, but for wrong arguments', () => {
    for (const name of new Set([...all.map((failure) => failures[failure].name), 'FailureRequestException'] as const)) {
      if (/^RealTimeInvalid|^InvalidOperation|^Argument|^Authentication/.test(name)) continue;
      assert.deepEqual(basesOf(name), ['RealTimeException', 'Exception'], name);
    }
    for (const name of ['CallOperationFailureException', 'OfferAnswerException'] as const)
      assert.deepEqual(basesOf(name), ['RealTimeException', 'Exception'], name);
    for (const name of ['RealTimeException', 'InvalidOperationException', 'ArgumentException'] as const)
      assert.deepEqual(basesOf(name), ['Exception'], name);
  });

  it('ERR-8 what is refused before anything was sent is an InvalidOperationException or an argument, and safe to repeat', () => {
    for (const failure of all) {
      const { name, mayHaveTakenEffect } = failures[failure];
      const begins = name === 'ArgumentException' || [name, ...basesOf(name)].includes('InvalidOperationException');
      if (begins) assert.equal(mayHaveTakenEffect, false, failure);
      assert.equal(basesOf(name).includes('RealTimeException'), !begins, failure);
    }
  });

  it('ERR-10 every failure has a diagnostics id of its own, 61xxx where it is to be expected, else 62xxx', () => {
    const ids = all.map((failure) => failures[failure].id);
    assert.equal(new Set(ids).size, ids.length);
    for (const id of ids) assert.ok(id >= 61_000 && id <= 62_999, String(id));
  });

  it('ERR-10 MSG-1 every error that a node raises carries it, and is valid', () => {
    for (const error of raised) {
      check('RecoveryError', error);
      assert.ok(error.diagnostics && error.diagnostics.id >= 61_000 && error.diagnostics.id <= 62_999, error.name);
      assert.equal(error.diagnostics.source, 'conference-recovery');
    }
  });

  it('ERR-10 ERR-9 what a server refused carries the diagnostics of the server, or none', () => {
    const diagnostics = { id: 3005, source: 'fe1', reason: 'cannot target an MCU' };
    assert.deepEqual(failureOf(refused(403, { diagnostics }), 'lock', true).diagnostics, diagnostics);
    assert.equal(failureOf(refused(403), 'lock', true).diagnostics, null);
  });

  it('ERR-9 what is decided depends on the id, never on the words', () => {
    const told = (reason: string) => {
      const {
        message: _,
        diagnostics: __,
        ...error
      } = failureOf(refused(480, { diagnostics: { id: 24_067, reason } }), 'lock', true);
      const signal = { signal: 'response', status: 480, diagnostics: { id: 24_067, reason } } as unknown as Signal;
      const rules = [
        { name: 'by id', signal: 'response', diagnostics: [[24_000, 24_999]], level: 'mcu', phase: 'failed' },
      ] as const;
      return [error, decidingRule(rules, { ...signal, mcu: 'chat' }, () => undefined)?.name];
    };
    assert.deepEqual(told('Mcu is rolling over'), told('something else'));
    assert.equal(told('')[1], 'by id');
  });

  it('ERR-7 says which refusals are worth another try, and a server that names a time is believed', () => {
    const worth = (status: number) => failureOf(refused(status), 'lock', true).retryable;
    for (const status of [408, 430, 480, 481, 491, 500, 503, 504]) assert.ok(worth(status), String(status));
    for (const status of [400, 401, 403, 404, 405, 407, 486, 488, 501, 600, 603])
      assert.ok(!worth(status), String(status));
    const named = failureOf(refused(486, { retryAfterMs: 2_000 }), 'lock', true);
    assert.deepEqual([named.retryable, named.retryAfterMs], [true, 2_000]);
  });

  it('ERR-4 ERR-5 a challenge that was not met is an AuthenticationException with the response', () => {
    for (const status of [401, 407]) {
      const error = failureOf(refused(status), 'The join', true);
      assert.deepEqual(
        [error.name, error.code, error.response?.status, error.bases[0]],
        ['AuthenticationException', `SIP-${status}`, status, 'FailureResponseException'],
      );
    }
    assert.equal(timeout('no answer', true).response, null);
  });

  it('ERR-6 a C3P failure is told by its reason, whatever the status of the answer that carried it', () => {
    for (const status of [200, 202, 403]) {
      const error = failureOf(refused(status, { conferenceReason: 'Forbidden' }), 'eject', true);
      assert.deepEqual(
        [error.name, error.code, error.failureReason],
        ['ConferenceFailureException', 'Forbidden', 'Forbidden'],
      );
      assert.equal(error.response?.status, status);
    }
    assert.equal(failureOf(refused(403), 'eject', true).failureReason, null);
  });

  it('ERR-8 advice on replaying: not when the first may have taken effect, unless twice is the same as once', () => {
    const advice = (outcome: unknown, idempotent: boolean) =>
      failureOf(outcome as Exclude<Outcome, { kind: 'ok' }>, 'lock', idempotent).safeToReplay;
    for (const cause of ['timeout', 'transport', 'malformed'] as const) {
      assert.deepEqual(
        [advice(unreachable(cause), false), advice(unreachable(cause), true), advice(unreachable(cause, false), false)],
        [false, true, true],
      );
    }
    assert.ok(advice(unreachable('tls'), false), 'nothing was sent before the handshake');
    assert.ok(advice(refused(503), false), 'who refuses has done nothing');
    assert.equal(operationFailure('EndpointTerminated', 'closed', false).safeToReplay, false);
  });
});

describe('diagnostics of an answer', () => {
  const value = '24067;reason="Mcu is \\"rolling\\"; over";source="fe1.example.com";AppName=x;id="7";__proto__="y"';

  it('ERR-9 are an id, source, reason and whatever else was said', () => {
    const diagnostics = diagnosticsOf({ 'Ms-Diagnostics': value });
    assert.deepEqual(
      [diagnostics?.id, diagnostics?.reason, diagnostics?.source, diagnostics?.AppName],
      [24_067, 'Mcu is "rolling"; over', 'fe1.example.com', 'x'],
    );
    assert.equal(Object.getPrototypeOf(diagnostics), Object.prototype);
  });

  it("ERR-9 are read in UCMA's spelling, and the first of several counts", () => {
    assert.deepEqual(
      diagnosticsOf({ 'ms-client-diagnostics': '24067; Reason="over"; Source=fe1, 1; reason="x"; more=y' }),
      {
        id: 24_067,
        reason: 'over',
        source: 'fe1',
      },
    );
    assert.deepEqual(diagnosticsOf({ 'ms-diagnostics': '3000;flag=' }), { id: 3_000, flag: '' });
  });

  it('ERR-9 are those of the server, else what crossed federation, else what a user endpoint said, else a Warning', () => {
    const headers: { [name: string]: string } = {
      Warning: '304 host.example.com "Media type \\"x\\" not available"',
      'ms-client-diagnostics': '52001; reason="x"',
      'ms-diagnostics-public': '1027',
      'ms-diagnostics': '3000',
    };
    assert.equal(diagnosticsOf(headers)?.id, 3_000);
    delete headers['ms-diagnostics'];
    assert.equal(diagnosticsOf(headers)?.id, 1_027);
    delete headers['ms-diagnostics-public'];
    assert.equal(diagnosticsOf(headers)?.id, 52_001);
    delete headers['ms-client-diagnostics'];
    assert.deepEqual(diagnosticsOf(headers), {
      id: 304,
      source: 'host.example.com',
      reason: 'Media type "x" not available',
    });
    assert.equal(diagnosticsOf({}), undefined);
    assert.equal(diagnosticsOf({ 'ms-diagnostics': 'nonsense', Warning: 'nonsense' }), undefined);
  });

  it('ERR-9 are nothing but what the grammar allows: an id first, a Warning with one space or more between its parts', () => {
    assert.equal(diagnosticsOf({ 'ms-diagnostics': 'about 24067;reason="x"' }), undefined);
    assert.equal(diagnosticsOf({ Warning: 'about 304 host "x"' }), undefined);
    assert.equal(diagnosticsOf({ Warning: '  304  host   "x"' })?.id, 304);
  });
});
