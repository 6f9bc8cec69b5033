import assert from 'node:assert/strict';
import { complaintAbout } from '../../nodes/recovery/commands';
import { basesOf, failureOf, retryableOperation, sessionRetrying } from '../../nodes/recovery/errors';
import type { Outcome } from '../../nodes/recovery/signaling';
import { check } from '../support/schema';

function refused(status: number, extra: object = {}): Exclude<Outcome, { kind: 'ok' }> {
  return { kind: 'refused', status, response: { status, reason: 'Refused', headers: {}, body: '' }, ...extra };
}

function unreachable(
  cause: 'timeout' | 'transport' | 'tls' | 'malformed',
  written = true,
): Exclude<Outcome, { kind: 'ok' }> {
  return { kind: 'unreachable', cause, written, message: 'details' };
}

describe('typed errors', () => {
  it('ERR-1 RealTimeInvalidOperationException is an InvalidOperationException, and not a RealTimeException', () => {
    assert.deepEqual(basesOf('RealTimeInvalidOperationException'), ['InvalidOperationException', 'Exception']);
  });

  it('ERR-4 four classes are FailureResponseExceptions', () => {
    for (const name of [
      'AuthenticationException',
      'PublishSubscribeException',
      'RegisterException',
      'ServerPolicyException',
    ] as const) {
      assert.deepEqual(basesOf(name), ['FailureResponseException', 'RealTimeException', 'Exception']);
    }
  });

  it('FE-6 FE-8 the two errors of recovery', () => {
    const pending = sessionRetrying('lock', true);
    assert.deepEqual(
      [pending.name, pending.code, pending.retryable, pending.safeToReplay],
      ['OperationFailureException', 'SessionRetrying', true, true],
    );
    assert.equal(sessionRetrying('invite', false).safeToReplay, false);
    assert.equal(retryableOperation('lock', 'the session is Reconnecting').code, 'RetryableOperation');
  });

  it('ERR-5 ERR-7 a refusal carries the response, and advice by its status', () => {
    const unavailable = failureOf(refused(503, { retryAfterMs: 5_000 }), 'lock', true);
    assert.deepEqual(
      [unavailable.name, unavailable.code, unavailable.retryable, unavailable.retryAfterMs],
      ['FailureResponseException', 'SIP-503', true, 5_000],
    );
    assert.equal(unavailable.response?.status, 503);
    assert.equal(failureOf(refused(603), 'lock', true).retryable, false);
    assert.equal(failureOf(refused(407), 'lock', true).name, 'AuthenticationException');
  });

  it("ERR-6 a failure with a C3P body is a ConferenceFailureException with the server's reason", () => {
    const error = failureOf(refused(404, { conferenceReason: 'EndpointDoesNotExist' }), 'eject', true);
    assert.deepEqual(
      [error.name, error.failureReason, error.code],
      ['ConferenceFailureException', 'EndpointDoesNotExist', 'EndpointDoesNotExist'],
    );
  });

  it('says whether the first one may have taken effect', () => {
    assert.equal(failureOf(unreachable('timeout'), 'invite', false).safeToReplay, false);
    assert.equal(failureOf(unreachable('timeout'), 'lock', true).safeToReplay, true);
    assert.equal(failureOf(unreachable('transport', false), 'invite', false).safeToReplay, true);
    assert.equal(failureOf(unreachable('transport', true), 'invite', false).safeToReplay, false);
    assert.equal(failureOf(unreachable('tls'), 'join', true).name, 'TlsFailureException');
    assert.equal(failureOf(unreachable('malformed'), 'join', true).name, 'MessageParsingException');
    assert.equal(failureOf({ kind: 'unsupported', message: 'no' }, 'lock', true).code, 'NotSupported');
  });

  it('MSG-1 every error is valid against the schema', () => {
    for (const outcome of [refused(403), unreachable('timeout'), { kind: 'unsupported', message: 'no' } as const]) {
      check('RecoveryError', failureOf(outcome, 'lock', true));
    }
  });
});

describe('commands', () => {
  it('an unknown command says which there are', () => {
    const error = complaintAbout('route-healer', { command: 'heal-tomorrow' });
    assert.equal(error?.name, 'InvalidOperationException');
    assert.match(error?.message ?? '', /heal-now, stop, status/);
    assert.ok(complaintAbout('route-healer', { command: 'constructor' }), 'not even one that every object has');
    const long = complaintAbout('route-healer', { command: 'x'.repeat(1_000) });
    assert.match(long?.message ?? '', /no command "x{49}…"/, 'and is not repeated at length');
  });

  it('a bad argument is named, with what would be right', () => {
    const cases = [
      ['conference-session', { command: 'eject' }, /"eject" needs "participant"/],
      ['conference-session', { command: 'eject', participant: 7 }, /"participant" of "eject" must be a URI/],
      [
        'conference-session',
        { command: 'modify-role', participant: 'sip:x@y', role: 'king' },
        /one of "attendee", "presenter"/,
      ],
      ['conference-session', { command: 'admit', participants: [] }, /a list of at least one URI/],
      ['conference-session', { command: 'heal', dialog: 1.5, attempt: 1 }, /whole number/],
      ['conference-session', { command: 'modify-configuration', lobbyBypass: 'yes' }, /true or false/],
      ['mcu-session', { command: 'call', media: 'audio' }, /a list of strings/],
      ['give-up-timer', { command: 'extend', byMs: -1 }, /milliseconds, zero or more/],
      ['give-up-timer', { command: 7 }, /must be a string/],
    ] as const;
    for (const [node, request, expected] of cases) assert.match(complaintAbout(node, request)?.message ?? '', expected);
    assert.equal(complaintAbout('conference-session', { command: 'eject', participant: 'sip:x@y' }), null);
  });
});
