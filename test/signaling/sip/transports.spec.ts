import assert from 'node:assert/strict';
import type { TransportName } from '../../../nodes/signaling/sip/flow/targets';
import { CertificateAuthority } from '../../support/certificates';
import { KamailioEdge, KamailioFocus, peersTimeoutMs, SippFocus, skipWithoutPeers } from '../../support/peers';
import { Endpoint, hurried, systemClock } from './harness';

const transports: readonly TransportName[] = ['udp', 'tcp', 'tls', 'ws', 'wss'];

describe('SIP over each transport, with real peers', function () {
  this.timeout(60_000);
  const authority = new CertificateAuthority();
  const caFile = authority.file('ca.pem', authority.certificate);
  let focus: KamailioFocus;
  let edge: KamailioEdge;
  let rooms = 0;
  const endpoints: Endpoint[] = [];

  before(async function () {
    this.timeout(peersTimeoutMs);
    skipWithoutPeers(this);
    const { certificate, key } = authority.issue('127.0.0.1');
    const files = { certificate: authority.file('edge.pem', certificate), key: authority.file('edge-key.pem', key) };
    focus = await new KamailioFocus().start();
    edge = await new KamailioEdge(focus.port, { tls: files }).start();
  });

  afterEach(async () => {
    for (const each of endpoints.splice(0)) await each.port.close();
  });

  after(async () => {
    await edge?.stop();
    await focus?.stop();
    authority.dispose();
  });

  /** `times`: so much faster than real the time of the flow passes. */
  const through = (transport: TransportName, times = 1): Endpoint => {
    const port = transport === 'tls' || transport === 'wss' ? edge.tlsPort : edge.port;
    const conference = `sip:room${rooms}@127.0.0.1:${focus.port}`;
    const created = new Endpoint({ port }, conference, { transport, caFile }, systemClock, hurried(times));
    endpoints.push(created);
    return created;
  };

  for (const transport of transports) {
    it(`${transport.toUpperCase()}: joins, has the roster, heals by each method, leaves`, async () => {
      rooms += 1;
      const alice = through(transport);
      const { document } = await alice.join();
      assert.ok(document?.users.some(({ entity }) => entity === 'sip:alice@example.com'));
      for (const method of ['UPDATE', 're-INVITE', 'OPTIONS'] as const) {
        assert.deepEqual((await alice.request('heal', { method })).outcome, { kind: 'ok', status: 200 }, method);
      }
      const bob = through(transport === 'tcp' ? 'udp' : 'tcp');
      await bob.join();
      await alice.next('document', (event) => event.document.users.length === 2);
      alice.perform({ effect: 'leave', dialog: 1, silently: false });
      await alice.next('left');
    });
  }

  for (const transport of transports.filter((each) => each !== 'udp')) {
    it(`${transport.toUpperCase()}: the hop hangs, is found out by its silence, and is healed when it goes on`, async () => {
      rooms += 1;
      const alice = through(transport, 10);
      await alice.join();
      edge.hang();
      try {
        const { message } = await alice.next('transport-lost');
        assert.match(message, /no sign of life/);
      } finally {
        edge.resume();
      }
      await alice.next('transport-restored');
      assert.equal((await alice.request('heal')).outcome.kind, 'ok');
    });
  }

  for (const transport of ['udp', 'tcp'] as const) {
    it(`${transport.toUpperCase()}: joins SIPp, heals, leaves`, async () => {
      const sipp = await new SippFocus(transport).start();
      try {
        const alice = new Endpoint(sipp, `sip:focus@127.0.0.1:${sipp.port}`, { transport });
        endpoints.push(alice);
        await alice.join();
        assert.equal((await alice.request('heal')).outcome.kind, 'ok');
        alice.perform({ effect: 'leave', dialog: 1, silently: false });
        await alice.next('left');
      } finally {
        await sipp.stop();
      }
    });
  }
});
