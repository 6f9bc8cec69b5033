import assert from 'node:assert/strict';
import { failureOf } from '../../../nodes/recovery/errors';
import type { DnsRecord, TransportName } from '../../../nodes/signaling/sip/flow/targets';
import type { SipOptions } from '../../../nodes/signaling/sip/sip-port';
import { CertificateAuthority } from '../../support/certificates';
import { DnsStub } from '../../support/dns-stub';
import { Endpoint, hurried, until } from './harness';
import { answer, branchOf, header, methodOf, SmallServer } from './small-server';

describe('the next server of a name (RFC 3263, 4.3)', function () {
  this.timeout(60_000);
  let dns: DnsStub;
  let first: SmallServer;
  let second: SmallServer;
  const endpoints: Endpoint[] = [];
  const servers: SmallServer[] = [];

  /** Two servers of one name: the second one serves when the first does not. */
  const serve = async (transport: TransportName): Promise<void> => {
    [first, second] = await Promise.all([new SmallServer(transport).start(), new SmallServer(transport).start()]);
    servers.push(first, second);
    first.answer = (text) => answer(text);
    second.answer = (text) => answer(text);
    const srv = (priority: number, { port }: SmallServer): DnsRecord => ({
      type: 'SRV',
      priority,
      weight: 1,
      port,
      name: `hop${priority}.example.com`,
    });
    const address: DnsRecord = { type: 'A', address: '127.0.0.1' };
    Object.assign(dns.records, {
      [transport === 'udp' ? '_sip._udp.example.com' : '_sip._tcp.example.com']: [srv(2, second), srv(1, first)],
      'hop1.example.com': [address],
      'hop2.example.com': [address],
    });
  };

  /** In a hurry, so that silence does not take its time. */
  const endpoint = (options: Partial<SipOptions> = {}): Endpoint => {
    const more = { host: 'example.com', dnsServers: [dns.address], joinTimeoutMs: 30_000, ...options };
    const created = new Endpoint(null, 'sip:room@example.com', more, hurried(10), hurried(10));
    endpoints.push(created);
    return created;
  };

  const requests = (server: SmallServer, method: string): string[] =>
    server.received.filter((text) => methodOf(text) === method);

  const join = async (alice: Endpoint): Promise<void> => {
    alice.perform({ effect: 'join', dialog: 1, rejoin: false });
    await alice.next('joined');
  };

  beforeEach(async () => {
    dns = await new DnsStub().start();
  });

  afterEach(async () => {
    for (const each of endpoints.splice(0)) await each.port.close();
    for (const server of servers.splice(0)) await server.stop();
    await dns.stop();
  });

  it('is asked when one refuses a join with 503: a new transaction of the same request', async () => {
    await serve('tcp');
    first.answer = (text) => answer(text, '503 Service Unavailable');
    await join(endpoint());
    const [refused = ''] = requests(first, 'INVITE');
    const [accepted = ''] = requests(second, 'INVITE');
    for (const name of ['Call-ID', 'CSeq', 'From', 'To']) {
      assert.equal(header(accepted, name), header(refused, name), name);
    }
    assert.notEqual(branchOf(accepted), branchOf(refused));
    assert.notEqual(header(accepted, 'Contact'), header(refused, 'Contact'), 'our end is another one');
    assert.deepEqual([requests(first, 'INVITE').length, requests(second, 'INVITE').length], [1, 1]);
    assert.equal(requests(first, 'ACK').length, 1);
  });

  it('is asked when one cannot be connected to', async () => {
    await serve('tcp');
    await first.stop();
    await join(endpoint());
    assert.equal(requests(second, 'INVITE').length, 1);
  });

  it('is asked when the connection breaks before the answer', async () => {
    await serve('tcp');
    first.answer = () => {
      first.drop();
      return undefined;
    };
    const alice = endpoint();
    await join(alice);
    assert.equal(
      header(requests(first, 'INVITE')[0] ?? '', 'Call-ID'),
      header(requests(second, 'INVITE')[0] ?? '', 'Call-ID'),
    );
    assert.equal(alice.count('join-failed'), 0);
  });

  for (const transport of ['tcp', 'udp'] as const) {
    it(`is asked over ${transport.toUpperCase()} when one gives no sign of life`, async () => {
      await serve(transport);
      first.hung = true;
      await join(endpoint({ transport }));
      assert.equal(requests(second, 'INVITE').length, 1);
    });
  }

  it('is asked over UDP at once when nobody listens', async () => {
    await serve('udp');
    await first.stop();
    const alice = endpoint({ transport: 'udp' });
    const before = Date.now();
    await join(alice);
    assert.equal(requests(second, 'INVITE').length, 1);
    assert.ok(Date.now() - before < 3000);
  });

  it('is the last one: when all refuse, the join fails with what the last one said', async () => {
    await serve('tcp');
    for (const server of [first, second]) server.answer = (text) => answer(text, '503 Service Unavailable');
    const alice = endpoint();
    alice.perform({ effect: 'join', dialog: 1, rejoin: false });
    const { outcome } = await alice.next('join-failed');
    assert.ok(outcome.kind === 'refused' && outcome.status === 503);
    assert.deepEqual([requests(first, 'INVITE').length, requests(second, 'INVITE').length], [1, 1]);
  });

  it('is asked in place of one that wants to be left alone (Retry-After), also when it has failed itself since', async () => {
    await serve('tcp');
    first.answer = (text) => answer(text, '503 Service Unavailable', ['Retry-After: 3000']);
    const alice = endpoint();
    await join(alice);
    const connections = first.connections.length;
    second.drop();
    await alice.next('transport-restored');
    assert.equal((await alice.request('heal')).outcome.kind, 'ok');
    assert.equal(requests(second, 'UPDATE').length, 1);
    assert.equal(first.connections.length, connections);
  });

  it('serves the rest of a dialog when one answers 503 in it, and the request is not repeated', async () => {
    await serve('tcp');
    const alice = endpoint({ commands: 'cccp' });
    await join(alice);
    first.answer = (text) => answer(text, '503 Service Unavailable');
    const { outcome } = await alice.request('operation', { operation: 'lock' });
    assert.ok(outcome.kind === 'refused' && outcome.status === 503);
    await alice.next('transport-restored');
    assert.equal((await alice.request('heal')).outcome.kind, 'ok');
    assert.deepEqual([requests(first, 'INFO').length, requests(second, 'INFO').length], [1, 0]);
    const [update = ''] = requests(second, 'UPDATE');
    assert.equal(header(update, 'Call-ID'), header(requests(first, 'INVITE')[0] ?? '', 'Call-ID'));
    assert.match(header(update, 'To'), /tag=focus/);
  });

  it('heals the route when the hop dies, and no operation is carried out twice', async () => {
    await serve('tcp');
    const alice = endpoint({ commands: 'cccp' });
    await join(alice);
    first.answer = () => undefined;
    const pending = alice.request('operation', { operation: 'lock', timeoutMs: 60_000 });
    await until(() => requests(first, 'INFO').length === 1);
    await first.stop();
    const { outcome } = await pending;
    assert.ok(outcome.kind === 'unreachable' && outcome.cause === 'transport' && outcome.written);
    await alice.next('transport-lost');
    await alice.next('transport-restored');
    assert.equal((await alice.request('heal')).outcome.kind, 'ok');
    assert.equal(requests(second, 'INFO').length, 0);
    assert.equal(requests(second, 'INVITE').length, 0);
  });

  it('is known from before while DNS does not answer', async () => {
    await serve('tcp');
    const alice = endpoint();
    await join(alice);
    dns.silent = true;
    await first.stop();
    await alice.next('transport-restored');
    assert.equal((await alice.request('heal')).outcome.kind, 'ok');
    assert.equal(requests(second, 'UPDATE').length, 1);
  });

  it('says that a name is unknown', async () => {
    const alice = endpoint({ host: 'nowhere.example.com' });
    alice.perform({ effect: 'join', dialog: 1, rejoin: false });
    const { outcome } = await alice.next('join-failed');
    assert.ok(outcome.kind === 'unreachable' && outcome.cause === 'transport' && !outcome.written);
    assert.match(outcome.message, /nowhere\.example\.com.*unknown/);
  });

  it('is not what an outbound proxy is for: everything goes there, and names it as Route outside of a dialog', async () => {
    await serve('tcp');
    const proxy = `sip:127.0.0.1:${second.port};transport=tcp`;
    const alice = endpoint({ outboundProxy: proxy });
    await join(alice);
    await alice.request('probe');
    await alice.request('heal');
    assert.equal(first.connections.length, 0);
    assert.deepEqual(dns.queries, []);
    for (const method of ['INVITE', 'SUBSCRIBE', 'OPTIONS']) {
      const [request = ''] = requests(second, method);
      assert.equal(header(request, 'Route'), `<${proxy};lr>`, method);
      assert.match(request, new RegExp(`^${method} sip:room@example.com`));
    }
    assert.equal(header(requests(second, 'UPDATE')[0] ?? '', 'Route'), '', 'the dialog has a route set of its own');
  });

  it('is not asked in the clear: a certificate for another name is a TlsFailureException', async () => {
    const authority = new CertificateAuthority();
    const server = await new SmallServer('tls', { certified: authority.issue('other.example.com') }).start();
    servers.push(server);
    dns.records['_sips._tcp.example.com'] = [
      { type: 'SRV', priority: 1, weight: 1, port: server.port, name: 'other.example.com' },
    ];
    dns.records['other.example.com'] = [{ type: 'A', address: '127.0.0.1' }];
    const alice = endpoint({ transport: 'auto', caFile: authority.file('ca.pem', authority.certificate) });
    alice.perform({ effect: 'join', dialog: 1, rejoin: false });
    const { outcome } = await alice.next('join-failed');
    authority.dispose();
    assert.ok(outcome.kind === 'unreachable');
    assert.deepEqual([outcome.cause, outcome.written], ['tls', false]);
    assert.match(outcome.message, /example\.com at 127\.0\.0\.1:\d+ \(TLS\): Hostname\/IP does not match/);
    assert.equal(server.received.length, 0);
    assert.equal(failureOf(outcome, 'join', true).name, 'TlsFailureException');
  });
});
