/** What *Test the connection* finds at servers of all kinds, and that nothing of it stays. */
import assert from 'node:assert/strict';
import { checkConnection, type SipCheck } from '../../../nodes/signaling/sip/connection-check';
import type { SipOptions } from '../../../nodes/signaling/sip/sip-port';
import { CertificateAuthority } from '../../support/certificates';
import { freePort } from '../../support/free-port';
import { systemClock, until } from './harness';
import { answer, methodOf, SmallServer } from './small-server';

const conference = 'sip:room@example.com';

describe('a connection that is tested', function () {
  this.timeout(60_000);
  let server: SmallServer;

  const listen = async (...given: ConstructorParameters<typeof SmallServer>): Promise<void> => {
    server = await new SmallServer(...given).start();
    server.answer = (text) => answer(text, '200 OK', ['Server: small/1.0', 'Allow-Events: presence, conference']);
  };

  afterEach(() => server?.stop());

  const check = (
    options: Partial<SipOptions> = {},
    about: string | null = null,
    timeoutMs?: number,
  ): Promise<SipCheck> => {
    const there = { uri: 'sip:alice@example.com', host: '127.0.0.1', port: server.port, transport: server.transport };
    return checkConnection({ ...there, ...options }, about, systemClock, timeoutMs);
  };

  it('tells the address, what the server answered and calls itself, and that it has the conference package', async () => {
    await listen('tcp');
    assert.deepEqual(await check(), {
      attempts: [{ transport: 'tcp', address: '127.0.0.1', port: server.port, failure: null, peer: null }],
      asked: `sip:127.0.0.1:${server.port}`,
      answer: { status: 200, reason: 'OK', server: 'small/1.0' },
      failure: null,
      conferencePackage: true,
    });
    assert.deepEqual(server.received.map(methodOf), ['OPTIONS']);
  });

  it('leaves no connection behind', async () => {
    await listen('tcp');
    await check();
    await until(() => server.open === 0);
  });

  it('asks a conference where one is known', async () => {
    await listen('tcp');
    assert.equal((await check({}, conference)).asked, conference);
    assert.match(server.received[0] ?? '', /^OPTIONS sip:room@example\.com SIP/);
  });

  for (const [status, found] of [
    ['202 Accepted', true],
    ['489 Bad Event', false],
    ['403 Forbidden', null],
  ] as const) {
    it(`asks for the roster of this moment where OPTIONS says nothing of events: ${status}`, async () => {
      await listen('udp');
      server.answer = (text) => answer(text, methodOf(text) === 'SUBSCRIBE' ? status : '200 OK');
      assert.equal((await check({}, conference)).conferencePackage, found);
      assert.match(server.received.at(-1) ?? '', /^SUBSCRIBE [\s\S]*\r\nExpires: 0\r\n/);
    });
  }

  it('says who is at the other end of TLS', async () => {
    const authority = new CertificateAuthority('Authority of tests');
    try {
      for (const transport of ['tls', 'wss'] as const) {
        await listen(transport, { certified: authority.issue('127.0.0.1') });
        const { attempts } = await check({ caFile: authority.file('ca.pem', authority.certificate) });
        const { subject, issuer, validTo, protocol } = attempts[0]?.peer ?? {};
        assert.deepEqual([subject, issuer, protocol], ['127.0.0.1', 'Authority of tests', 'TLSv1.3']);
        assert.ok(Date.parse(validTo ?? '') > Date.now());
        await server.stop();
      }
    } finally {
      authority.dispose();
    }
  });

  it('says why TLS could not be agreed on', async () => {
    await listen('tls', { certified: new CertificateAuthority().issue('127.0.0.1') });
    const { attempts, answer: answered, failure } = await check();
    assert.equal(answered, null);
    assert.match(failure ?? '', /No connection to 127\.0\.0\.1:\d+ \(TLS\): .*certificate/);
    assert.match(attempts[0]?.failure ?? '', /certificate/);
  });

  it('says that nobody listens', async () => {
    await listen('tcp');
    const port = await freePort();
    const { attempts, failure } = await check({ port });
    assert.match(failure ?? '', /connection refused/);
    assert.deepEqual(attempts, [
      { transport: 'tcp', address: '127.0.0.1', port, failure: 'connection refused (ECONNREFUSED)', peer: null },
    ]);
  });

  it('says that nobody answers, and waits no longer than it was told', async () => {
    await listen('tcp');
    server.answer = () => undefined;
    const { attempts, failure } = await check({}, null, 2_000);
    // To connect took a part of the time.
    const [, waitedMs] = /no answer to OPTIONS within (\d+) ms/.exec(failure ?? '') ?? [];
    assert.ok(Number(waitedMs) <= 2_000, failure ?? '');
    assert.equal(attempts[0]?.failure, null);
  });

  it('tells a refusal as it is', async () => {
    await listen('tcp');
    server.answer = (text) => answer(text, '401 Unauthorized', ['WWW-Authenticate: Digest realm="x", nonce="y"']);
    assert.deepEqual((await check()).answer, { status: 401, reason: 'Unauthorized', server: '' });
  });

  it('refuses options that make no sense', async () => {
    await listen('tcp');
    await assert.rejects(check({ host: 'two words' }), RangeError);
  });
});
