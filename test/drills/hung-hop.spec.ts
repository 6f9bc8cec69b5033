/** How soon a hop that hangs is noticed with the settings as they come. */
import assert from 'node:assert/strict';
import { Endpoint } from '../signaling/sip/harness';
import { CertificateAuthority } from '../support/certificates';
import { KamailioEdge, KamailioFocus, peersTimeoutMs, skipWithoutPeers } from '../support/peers';

/** What we promise, in ms: 6 s of silence, 5 s without an answer, and a second for everything else. */
const noticedWithinMs = 12_000;

describe('a hop that hangs', function () {
  this.timeout(60_000);
  const authority = new CertificateAuthority();
  const endpoints: Endpoint[] = [];
  let focus: KamailioFocus;
  let edge: KamailioEdge;
  let caFile: string;

  before(async function () {
    this.timeout(peersTimeoutMs);
    skipWithoutPeers(this);
    const { certificate, key } = authority.issue('127.0.0.1');
    caFile = authority.file('ca.pem', authority.certificate);
    const tls = { certificate: authority.file('edge.pem', certificate), key: authority.file('edge.key', key) };
    focus = await new KamailioFocus().start();
    edge = await new KamailioEdge(focus.port, { tls }).start();
  });

  after(async () => {
    edge?.resume();
    for (const { port } of endpoints) await port.close();
    await edge?.stop();
    await focus?.stop();
    authority.dispose();
  });

  it('is noticed within 12 s on every connection, and healed when it goes on', async () => {
    const watched = (['tcp', 'tls', 'ws', 'wss'] as const).map((transport) => {
      const port = transport === 'tls' || transport === 'wss' ? edge.tlsPort : edge.port;
      const conference = `sip:${transport}@127.0.0.1:${focus.port}`;
      const endpoint = new Endpoint({ port }, conference, { transport, caFile });
      endpoints.push(endpoint);
      return { transport, endpoint };
    });
    for (const { endpoint } of watched) await endpoint.join();
    const hungAt = Date.now();
    edge.hang();
    await Promise.all(
      watched.map(async ({ transport, endpoint }) => {
        await endpoint.next('transport-lost', undefined, { withinMs: 20_000 });
        const noticedMs = Date.now() - hungAt;
        console.log(`      ${transport.toUpperCase()}: noticed after ${(noticedMs / 1000).toFixed(1)} s`);
        assert.ok(noticedMs <= noticedWithinMs, `${transport}: ${noticedMs} ms`);
      }),
    );
    edge.resume();
    for (const { endpoint } of watched) {
      await endpoint.next('transport-restored', undefined, { withinMs: 30_000 });
      assert.equal((await endpoint.request('heal', { timeoutMs: 8000 })).outcome.kind, 'ok');
    }
  });
});
