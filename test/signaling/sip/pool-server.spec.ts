/** The embedded pool as a SIP server: the contract, through the whole client and server stacks. */
import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { Pool } from '../../../nodes/signaling/pool/pool';
import type { Clock, SignalingPort } from '../../../nodes/signaling/port';
import { SipServer } from '../../../nodes/signaling/sip/server/sip-server';
import { SipPort } from '../../../nodes/signaling/sip/sip-port';
import { VirtualClock } from '../../support/virtual-clock';
import { type Capabilities, type Peer, signalingContract } from '../contract';
import { leewayMs, systemClock } from './harness';
import { memoryPort, passVirtually } from './memory-flow';

const conference = 'sip:standup@pool.example';
const us = 'sip:node-red@pool.example';
const alice = 'sip:alice@example.com';
const capabilities: Capabilities = {
  documents: true,
  operation: { name: 'lock', arguments: {} },
  healing: ['UPDATE', 're-INVITE', 'OPTIONS'],
  call: { mcu: 'audio-video', media: ['audio'], watched: false, reported: true },
  text: { mcu: 'chat' },
};

function serverOf(pool: Pool, clock: Clock): SipServer {
  const options = { port: 0, domain: 'pool.example', reserved: us };
  return new SipServer(options, clock, (identity) => pool.guestPort(identity));
}

async function memoryPeer(): Promise<Peer> {
  const clock = new VirtualClock();
  const pool = new Pool({}, clock);
  const server = serverOf(pool, clock);
  await server.load();
  const makePort = (): SignalingPort => memoryPort(server, alice, clock);
  return {
    port: makePort(),
    restart: makePort,
    conference,
    capabilities,
    patienceMs: 1_000,
    pass: (ms) => passVirtually(clock, ms),
    fallSilent: () => void pool.inject({ command: 'break-hop', how: 'silent' }, conference),
    forgetDialogs: () => void pool.inject({ command: 'kill-front-end' }, conference),
    async dispose() {
      await server.close();
      await pool.port({ uri: us }).close();
      assert.equal(clock.pending, 0, 'timers left after close');
    },
  };
}

async function loopbackPeer(transport: 'tcp' | 'udp'): Promise<Peer> {
  const pool = new Pool({ latencyMs: 1 }, systemClock);
  const server = serverOf(pool, systemClock);
  const port = await server.listen();
  const makePort = (): SipPort =>
    new SipPort({ uri: alice, host: '127.0.0.1', port, transport, commands: 'cccp' }, systemClock);
  return {
    port: makePort(),
    restart: makePort,
    conference,
    capabilities,
    patienceMs: 500,
    leewayMs,
    pass: delay,
    fallSilent: () => void pool.inject({ command: 'break-hop', how: 'silent' }, conference),
    forgetDialogs: () => void pool.inject({ command: 'kill-front-end' }, conference),
    async dispose() {
      await server.close();
      await pool.port({ uri: us }).close();
    },
  };
}

describe('the pool as a SIP server', function () {
  this.timeout(60_000);
  signalingContract('SIP in memory, to the pool', memoryPeer);
  signalingContract('SIP over TCP, to the pool', () => loopbackPeer('tcp'));
  signalingContract('SIP over UDP, to the pool', () => loopbackPeer('udp'));
});
