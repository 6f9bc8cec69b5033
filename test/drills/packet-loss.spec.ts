/** SIP over UDP on a bad line. */
import assert from 'node:assert/strict';
import { Endpoint } from '../signaling/sip/harness';
import { LossyRelay } from '../support/lossy-relay';
import { KamailioEdge, KamailioFocus, peersTimeoutMs, skipWithoutPeers } from '../support/peers';

const participants = 40;
const updatesEach = 5;
/** The life of a transaction (RFC 3261, timer F), in ms. */
const timeoutMs = 32_000;

describe('packet loss', function () {
  this.timeout(180_000);
  const endpoints: Endpoint[] = [];
  let focus: KamailioFocus;
  let edge: KamailioEdge;
  let relay: LossyRelay;

  before(async function () {
    this.timeout(peersTimeoutMs);
    skipWithoutPeers(this);
    focus = await new KamailioFocus().start();
    edge = await new KamailioEdge(focus.port).start();
    relay = await new LossyRelay(edge.port, 0.1, 20_261_125).start();
  });

  after(async () => {
    await Promise.all(endpoints.map(({ port }) => port.close()));
    relay?.stop();
    await edge?.stop();
    await focus?.stop();
  });

  it(`10 % of the datagrams are lost: ${participants} joins and ${participants * updatesEach} UPDATEs all succeed`, async () => {
    // Rosters of a few: 40 in one would be a test of the Focus.
    for (let number = 1; number <= participants; number += 1) {
      const conference = `sip:room${number % 10}@127.0.0.1:${focus.port}`;
      endpoints.push(new Endpoint(relay, conference, { uri: `sip:p${number}@example.com`, transport: 'udp' }));
    }
    // Ten at a time, for the same reason: each join makes it tell everybody, from its only process.
    for (let first = 0; first < participants; first += 10) {
      await Promise.all(
        endpoints.slice(first, first + 10).map(async (endpoint) => {
          endpoint.perform({ effect: 'join', dialog: 1, rejoin: false });
          await endpoint.next('joined', undefined, { withinMs: timeoutMs + 4000 });
        }),
      );
    }
    const elapsed = await Promise.all(
      endpoints.map(async (endpoint) => {
        const each: number[] = [];
        for (let update = 1; update <= updatesEach; update += 1) {
          const { outcome, elapsedMs } = await endpoint.request('heal', { timeoutMs });
          assert.deepEqual(outcome, { kind: 'ok', status: 200 });
          each.push(elapsedMs);
        }
        return each;
      }),
    );
    const sorted = elapsed.flat().sort((one, other) => one - other);
    const { passed, lost } = relay;
    const share = ((100 * lost) / (passed + lost)).toFixed(1);
    console.log(`      lost ${lost} of ${passed + lost} datagrams (${share} %); slowest UPDATE ${sorted.at(-1)} ms`);
    assert.ok(lost > 0);
    assert.equal(endpoints.filter((endpoint) => endpoint.count('transport-lost') > 0).length, 0);
  });
});
