import assert from 'node:assert/strict';
import type { Outcome } from '../../../nodes/recovery/signaling';
import {
  asksForNewRoute,
  type Meaning,
  meaningOf,
  outcomeOf,
  outcomeOfResponse,
} from '../../../nodes/signaling/sip/outcome';

const response = (status: number, headers: { [name: string]: string } = {}): Extract<Outcome, { kind: 'refused' }> => {
  const outcome = outcomeOfResponse({ status, reason: 'Reason', headers, body: '' });
  assert.ok(outcome.kind === 'refused');
  return outcome;
};

describe('outcomes of SIP responses', () => {
  it('takes any 2xx for ok, and anything else final for refused', () => {
    assert.deepEqual(outcomeOfResponse({ status: 202, reason: 'Accepted', headers: {}, body: '' }), {
      kind: 'ok',
      status: 202,
    });
    for (const status of [302, 408, 430, 481, 503, 603]) assert.equal(response(status).status, status);
  });

  it('passes on that nobody answered', () => {
    const answer = { kind: 'unreachable', cause: 'timeout', written: true, message: 'm' } as const;
    assert.deepEqual(outcomeOf(answer), answer);
  });

  it('takes what was not sent, since too much of it waits, for a collision with ourselves', () => {
    const outcome = outcomeOf({ kind: 'crowded' });
    assert.ok(outcome.kind === 'refused' && outcome.status === 491);
  });

  // biome-ignore format: a table is read in columns
  const rows: [number[], string, Meaning['ends'], Meaning['needs']][] = [
    [[401, 407],                               'UPDATE',    'request', 'credentials'],
    [[430],                                    'INFO',      'request', 'route'],
    [[481],                                    'UPDATE',    'usage',   undefined],
    [[404, 410, 416, 482, 484, 485, 502, 604], 'UPDATE',    'dialog',  undefined],
    [[480, 489],                               'UPDATE',    'usage',   undefined],
    [[405, 501],                               'INVITE',    'usage',   'method'],
    [[405, 501],                               'SUBSCRIBE', 'usage',   'method'],
    [[405, 501],                               'UPDATE',    'request', 'method'],
    [[405, 501],                               'INFO',      'request', 'method'],
    [[408, 503, 504],                          'UPDATE',    'request', undefined],
    [[491, 500],                               'UPDATE',    'request', 'patience'],
    [[422],                                    'UPDATE',    'request', 'interval'],
    [[302, 400, 403, 486, 488, 580, 600, 603], 'UPDATE',    'request', undefined],
  ];
  for (const [statuses, method, ends, needs] of rows) {
    it(`takes ${statuses.join(', ')} to ${method} for the end of the ${ends}${needs ? `, which needs ${needs}` : ''}`, () => {
      for (const status of statuses) {
        const meaning = meaningOf(status, method);
        assert.deepEqual([status, meaning.ends, meaning.needs], [status, ends, needs]);
      }
    });
  }

  it('reads recovery actions in any case and drops unknown ones (HOP-23)', () => {
    const headers = { 'P-Dialog-Recovery-Action': 'dialog-route-SET-update , X-Unknown,wait-for-session-update' };
    assert.deepEqual(response(430, headers).recoveryAction, ['Dialog-Route-Set-Update', 'Wait-For-Session-Update']);
    assert.ok(asksForNewRoute(response(430, headers)));
    assert.equal(response(430, { 'P-Dialog-Recovery-Action': 'X-Unknown' }).recoveryAction, undefined);
    assert.ok(!asksForNewRoute(response(430)));
  });

  it('reads Retry-After', () => {
    assert.equal(response(503, { 'Retry-After': '120 (maintenance);duration=60' }).retryAfterMs, 120_000);
    assert.equal(response(503, { 'Retry-After': 'soon' }).retryAfterMs, undefined);
    assert.equal(response(503, { 'Retry-After': '99999999999' }).retryAfterMs, undefined);
  });

  it('reads ms-diagnostics (ERR-9)', () => {
    const value = '24067;reason="Mcu is \\"rolling\\"; over";source="fe1.example.com";AppName=x;id="7";__proto__="y"';
    const { diagnostics } = response(480, { 'Ms-Diagnostics': value });
    assert.equal(diagnostics?.id, 24067);
    assert.equal(diagnostics?.reason, 'Mcu is "rolling"; over');
    assert.equal(diagnostics?.source, 'fe1.example.com');
    assert.equal(diagnostics?.AppName, 'x');
    assert.equal(Object.getPrototypeOf(diagnostics), Object.prototype);
  });

  it('falls back to ms-client-diagnostics, then to Warning', () => {
    assert.equal(response(480, { 'ms-client-diagnostics': '52001; reason="x"' }).diagnostics?.id, 52001);
    assert.deepEqual(
      response(488, { Warning: '304 host.example.com "Media type \\"x\\" not available"' }).diagnostics,
      {
        id: 304,
        source: 'host.example.com',
        reason: 'Media type "x" not available',
      },
    );
    assert.equal(response(480, { 'ms-diagnostics': 'nonsense', Warning: 'nonsense' }).diagnostics, undefined);
  });
});
