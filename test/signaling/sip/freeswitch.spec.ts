/**
 * The contract against a FreeSWITCH, where there is one: `FREESWITCH` is its host:port, `FREESWITCH_CONFERENCE` the URI of a
 * conference in it (with `rfc-4579`), by default `sip:3000@` that address. Debian has no package of it, so that tests that
 * run everywhere cannot bring their own.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { SipPort } from '../../../nodes/signaling/sip/sip-port';
import { type Capabilities, type Peer, signalingContract } from '../contract';
import { leewayMs, systemClock } from './harness';

const { FREESWITCH: address, FREESWITCH_CONFERENCE: conference = `sip:3000@${address}` } = process.env;
const [, host = '', port = '5060'] = /^(.+?)(?::(\d+))?$/.exec(address ?? '') ?? [];

const capabilities: Capabilities = {
  documents: true,
  operation: null,
  healing: ['UPDATE', 're-INVITE', 'OPTIONS'],
  call: null,
  text: null,
};

if (address === undefined) {
  console.log('  no contract with FreeSWITCH: set FREESWITCH=host:port (and FREESWITCH_CONFERENCE=sip:…) to run it');
} else {
  describe('SIP to FreeSWITCH', function () {
    this.timeout(60_000);

    for (const transport of ['tcp', 'udp'] as const) {
      const makePeer = (): Peer => ({
        port: new SipPort({ uri: 'sip:alice@example.com', host, port: Number(port), transport }, systemClock),
        conference,
        capabilities,
        patienceMs: 1_000,
        leewayMs,
        pass: delay,
      });
      signalingContract(`SIP over ${transport.toUpperCase()}, to FreeSWITCH`, makePeer, { capabilities });
    }
  });
}
