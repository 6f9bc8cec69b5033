/** The contract against SIPp as Focus: no rosters beyond the first, no re-INVITE, no texts. */
import { setTimeout as delay } from 'node:timers/promises';
import { SipPort } from '../../../nodes/signaling/sip/sip-port';
import { SippFocus, skipWithoutPeers } from '../../support/peers';
import { type Capabilities, type Peer, signalingContract } from '../contract';
import { leewayMs, systemClock } from './harness';

const capabilities: Capabilities = {
  documents: false,
  operation: { name: 'lock', arguments: {} },
  healing: ['UPDATE', 'OPTIONS'],
  call: { mcu: 'audio-video', media: ['audio'], watched: false, reported: false },
  text: null,
};

describe('SIP to SIPp', function () {
  this.timeout(60_000);

  before(async function () {
    skipWithoutPeers(this);
  });

  for (const transport of ['tcp', 'udp'] as const) {
    const makePeer = async (): Promise<Peer> => {
      // One for each test: it ends when a connection of its is reset.
      const focus = await new SippFocus(transport).start();
      const { port } = focus;
      return {
        port: new SipPort(
          { uri: 'sip:alice@127.0.0.1', host: '127.0.0.1', port, transport, commands: 'cccp' },
          systemClock,
        ),
        conference: `sip:focus@127.0.0.1:${port}`,
        capabilities,
        patienceMs: 400,
        leewayMs,
        pass: delay,
        fallSilent: () => focus.hang(),
        dispose: () => focus.stop(),
      };
    };
    signalingContract(`SIP over ${transport.toUpperCase()}, to SIPp`, makePeer, { capabilities, fallSilent: () => {} });
  }
});
