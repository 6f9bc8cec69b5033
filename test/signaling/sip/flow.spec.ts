import assert from 'node:assert/strict';
import type { Clock } from '../../../nodes/signaling/port';
import type { FlowError } from '../../../nodes/signaling/sip/flow/flow';
import { flowsTo, type NextHopOptions } from '../../../nodes/signaling/sip/flow/next-hop';
import { reconnectionDelay } from '../../../nodes/signaling/sip/flow/reconnecting-flow';
import type { TransportName } from '../../../nodes/signaling/sip/flow/targets';
import { CertificateAuthority } from '../../support/certificates';
import { freePort } from '../../support/free-port';
import { hurried, systemClock, until } from './harness';
import { SmallServer } from './small-server';

const message = (body = ''): string =>
  `MESSAGE sip:a@b SIP/2.0\r\nVia: SIP/2.0/X h;branch=z9hG4bK1\r\nCSeq: 1 MESSAGE\r\nCall-ID: c\r\n` +
  `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;

describe('a flow', function () {
  this.timeout(60_000);
  const authority = new CertificateAuthority();
  const certified = authority.issue('localhost', '127.0.0.1');
  const caFile = authority.file('ca.pem', authority.certificate);
  let wanted = true;
  const open: { close(): void }[] = [];
  const servers: SmallServer[] = [];

  const serve = async (...given: ConstructorParameters<typeof SmallServer>): Promise<SmallServer> => {
    const server = await new SmallServer(...given).start();
    servers.push(server);
    return server;
  };

  /** A flow, and what it told. */
  const flowTo = (
    transport: TransportName,
    port: number,
    more: Partial<NextHopOptions> = {},
    clock: Clock = systemClock,
  ) => {
    const events: string[] = [];
    const make = flowsTo({ host: '127.0.0.1', port, transport, caFile, random: () => 0.5, ...more });
    const flow = make(clock, {
      up: () => events.push('up'),
      down: (reason) => events.push(reason),
      message: (text) => events.push(text),
      wanted: () => wanted,
    });
    open.push(flow);
    const up = () => new Promise<FlowError | undefined>((resolve) => flow.whenUp(resolve));
    return { flow, events, up };
  };

  beforeEach(() => {
    wanted = true;
  });

  afterEach(async () => {
    for (const flow of open.splice(0)) flow.close();
    for (const server of servers.splice(0)) await server.stop();
  });

  after(() => authority.dispose());

  it('reconnects at once, then after 1, 2, 4, … 30 s, jittered at any attempt', () => {
    const longest = [0, 1, 2, 3, 4, 5, 6, 7, 60].map((failures) => reconnectionDelay(failures, 0));
    assert.deepEqual(longest, [0, 1000, 2000, 4000, 8000, 16000, 30000, 30000, 30000]);
    assert.equal(reconnectionDelay(60, 0.5), 22_500);
  });

  for (const transport of ['udp', 'tcp', 'tls', 'ws', 'wss'] as const) {
    const name = transport.toUpperCase();

    describe(`over ${name}`, () => {
      it('carries messages both ways, of 1,300 bytes and more', async () => {
        const server = await serve(transport, { certified });
        const { flow, events, up } = flowTo(transport, server.port);
        assert.equal(await up(), undefined);
        assert.equal(flow.protocol, name);
        assert.equal(flow.local?.host, '127.0.0.1');
        assert.ok((flow.local?.port ?? 0) > 0);
        await flow.send(message('grüße'));
        const long = message('x'.repeat(9000));
        await flow.send(long);
        await until(() => server.received.length === 2);
        assert.deepEqual(server.received, [message('grüße'), long]);
        server.send(long);
        await until(() => events.length === 2);
        assert.deepEqual(events, ['up', long]);
      });

      it('says whom it could not reach', async () => {
        const port = await freePort();
        const { flow, up, events } = flowTo(transport, port);
        wanted = false;
        const refused = new RegExp(`127\\.0\\.0\\.1:${port} \\(${name}\\).*: connection refused \\(ECONNREFUSED\\)$`);
        if (transport === 'udp') {
          // Nothing is known before something is sent; then the refusal comes as soon as it can.
          assert.equal(await up(), undefined);
          flow.send(message()).catch(() => {});
          await until(() => events.length === 2);
          assert.match(events[1] ?? '', refused);
        }
        const error = await up();
        assert.match(error?.message ?? 'up', refused);
        assert.deepEqual([error?.written, error?.reason], [false, 'transport']);
        await assert.rejects(flow.send('x'), /not connected/);
      });

      it('comes back when it was lost, for as long as it is wanted', async () => {
        const server = await serve(transport, { certified });
        const { flow, events, up } = flowTo(transport, server.port);
        await up();
        await server.stop();
        // A datagram finds out only when it is sent that nobody is there.
        if (transport === 'udp') flow.send(message()).catch(() => {});
        await until(() => events.length === 2);
        assert.match(
          events[1] ?? '',
          new RegExp(`^The connection to 127\\.0\\.0\\.1:${server.port} \\(${name}\\) was lost: `),
        );
        await server.start();
        await until(() => events.length === 3, 5000);
        assert.equal(events[2], 'up');
        wanted = false;
        flow.close();
        assert.equal((await up())?.message, 'the port is closed');
        await assert.rejects(flow.send('x'), /not connected/);
      });
    });
  }

  for (const transport of ['tcp', 'tls', 'ws', 'wss'] as const) {
    it(`over ${transport.toUpperCase()} asks for a sign of life, and is lost without one`, async () => {
      const server = await serve(transport, { certified });
      const { events, up } = flowTo(transport, server.port, {}, hurried(20));
      await up();
      await until(() => server.pings >= 2);
      assert.deepEqual(events, ['up']);
      server.hung = true;
      await until(() => events.length > 1);
      assert.match(events[1] ?? '', /was lost: no sign of life for \d+ ms$/);
    });
  }

  it('answers when it is asked for a sign of life itself', async () => {
    const server = await serve('tcp');
    const { events, up } = flowTo('tcp', server.port, { keepAliveMs: 0 });
    await up();
    server.send('\r\n\r\n');
    server.send(message());
    await until(() => events.length === 2);
    assert.deepEqual(events, ['up', message()]);
    await until(() => server.pongs === 1);
  });

  it('gives up on a connection that is not made in time', async () => {
    // Takes connections, but agrees on nothing.
    const server = await serve('tcp');
    for (const transport of ['tls', 'ws', 'wss'] as const) {
      wanted = false;
      const { up } = flowTo(transport, server.port, { connectTimeoutMs: 100 });
      const error = await up();
      assert.match(error?.message ?? 'up', /: not connected within 100 ms$/);
      assert.equal(error?.reason, 'transport');
    }
  });

  it('has one connection, however often it is asked for', async () => {
    const server = await serve('tcp');
    const { up } = flowTo('tcp', server.port);
    await Promise.all([up(), up(), up()]);
    assert.equal(server.connections.length, 1);
  });

  it('is lost when the far end stops reading', async () => {
    const server = await serve('tcp');
    const { flow, events, up } = flowTo('tcp', server.port);
    await up();
    wanted = false;
    server.pause();
    let refused: Error | null = null;
    for (let sent = 0; sent < 100 && !refused; sent += 1) {
      flow.send(message('x'.repeat(1_000_000))).catch((error: Error) => {
        refused = error;
      });
      await new Promise((resolve) => setImmediate(resolve));
    }
    assert.match(String(refused), /stopped reading|not connected|destroyed|closed/);
    assert.match(events[1] ?? '', /was lost: the other end has stopped reading$/);
  });

  it('is lost when the far end does not speak SIP', async () => {
    const server = await serve('tcp');
    const { events, up } = flowTo('tcp', server.port);
    await up();
    wanted = false;
    server.send('MESSAGE sip:a SIP/2.0\r\nContent-Length: much\r\n\r\n');
    await until(() => events.length === 2);
    assert.match(events[1] ?? '', /was lost: it sent Content-Length "much"/);
  });

  describe('and TLS', () => {
    const refusal = async (
      transport: 'tls' | 'wss',
      server: ConstructorParameters<typeof SmallServer>[1],
      more: Partial<NextHopOptions> = {},
    ): Promise<FlowError> => {
      wanted = false;
      const { up } = flowTo(transport, (await serve(transport, server)).port, more);
      const error = await up();
      assert.ok(error, 'a connection was made');
      assert.deepEqual([error.reason, error.written], ['tls', false], error.message);
      return error;
    };

    for (const transport of ['tls', 'wss'] as const) {
      it(`asks over ${transport.toUpperCase()} for the name that was configured, and takes no certificate for another`, async () => {
        const other = authority.issue('other.example.com');
        const error = await refusal(transport, { certified: other }, { host: 'localhost' });
        assert.match(
          error.message,
          /localhost at 127\.0\.0\.1:\d+ .*not in the cert's altnames: DNS:other\.example\.com/,
        );
        await refusal(transport, { certified: authority.issue('localhost') });
      });
    }

    it('names the server (SNI), but no address', async () => {
      const server = await serve('tls', { certified });
      await flowTo('tls', server.port, { host: 'localhost' }).up();
      await flowTo('tls', server.port).up();
      await until(() => server.connections.length === 2);
      assert.deepEqual(server.connections, [{ serverName: 'localhost' }, {}]);
    });

    it('trusts no authority but that of the file', async () => {
      const stranger = new CertificateAuthority('Stranger').issue('127.0.0.1');
      assert.match((await refusal('tls', { certified: stranger })).message, /unable to verify|self.signed|issuer/i);
    });

    it('shows its certificate where one is asked for', async () => {
      const mine = authority.issue('node-red.example.com');
      const files = {
        certificateFile: authority.file('client.pem', mine.certificate),
        keyFile: authority.file('client-key.pem', mine.key),
      };
      const strict = { certified, clientAuthority: authority.certificate };
      const { up } = flowTo('tls', (await serve('tls', strict)).port, files);
      assert.equal(await up(), undefined);

      wanted = false;
      const without = flowTo('tls', (await serve('tls', strict)).port);
      await without.up();
      await until(() => without.events.length === 2);
      assert.match(without.events[1] ?? '', /was lost: .*certificate required/i);
    });

    it('takes what breaks while it is being agreed on for a broken connection', async () => {
      const server = await serve('tcp');
      wanted = false;
      const { up } = flowTo('tls', server.port);
      setTimeout(() => server.drop(), 50);
      assert.equal((await up())?.reason, 'transport');
    });
  });

  describe('and WebSocket', () => {
    it('speaks the subprotocol `sip`, at the path that was configured', async () => {
      const server = await serve('ws');
      await flowTo('ws', server.port, { webSocketPath: '/voice/sip?x=1' }).up();
      assert.deepEqual(server.connections, [{ path: '/voice/sip?x=1', subprotocol: 'sip' }]);
    });

    it('does without a server that does not know it', async () => {
      const server = await serve('ws', { subprotocol: 'chat' });
      wanted = false;
      assert.match((await flowTo('ws', server.port).up())?.message ?? '', /subprotocol/i);
    });

    it('is lost when a message has a head of more than 64 kB, or is longer than any', async () => {
      const server = await serve('ws');
      wanted = false;
      for (const [length, complaint] of [
        [70_000, /was lost: it sent a message head longer than 65536 bytes$/],
        [5_000_000, /was lost: Max payload size exceeded$/],
      ] as const) {
        const { events, up } = flowTo('ws', server.port);
        await up();
        server.send('x'.repeat(length));
        await until(() => events.length === 2);
        assert.match(events[1] ?? '', complaint);
      }
    });

    it('says what a server answers that has no WebSocket there', async () => {
      const server = await serve('tls', { certified });
      server.answer = () => 'HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n';
      wanted = false;
      const error = await flowTo('wss', server.port).up();
      assert.match(error?.message ?? '', /404/);
      assert.equal(error?.reason, 'transport');
    });
  });

  describe('says of settings that make no sense', () => {
    const bad: [string, Partial<NextHopOptions>, RegExp][] = [
      ['no host', { host: '' }, /no host/],
      ['a host that is none', { host: 'a b' }, /not the name of a host/],
      ['a port that is none', { port: 70_000 }, /port 70000/],
      ['a transport that is none', { transport: 'sctp' as 'tcp' }, /not a transport/],
      ['a CA file that is not there', { caFile: '/nowhere/ca.pem' }, /CA file cannot be read: ENOENT/],
      ['a CA file that is none', { caFile: __filename }, /not in PEM/],
      ['a certificate without its key', { certificateFile: caFile }, /go together/],
      [
        'a key that is not that of the certificate',
        {
          certificateFile: authority.file('one.pem', certified.certificate),
          keyFile: authority.file('two.pem', authority.issue('x').key),
        },
        /TLS cannot use .*key values mismatch/,
      ],
      ['an outbound proxy that is no SIP URI', { outboundProxy: 'proxy.example.com' }, /outbound proxy must be like/],
      ['an outbound proxy over what is no transport', { outboundProxy: 'sip:p;transport=sctp' }, /not a transport/],
      ['a path that is none', { webSocketPath: '/a b' }, /WebSocket path/],
    ];
    for (const [what, options, complaint] of bad) {
      it(what, () => {
        const given: NextHopOptions = { host: 'example.com', transport: 'tls', ...options };
        assert.throws(
          () => flowsTo(given),
          (error) => error instanceof RangeError && complaint.test(error.message),
        );
      });
    }
  });
});
