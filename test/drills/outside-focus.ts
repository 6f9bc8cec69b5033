import type { SignalingEffect } from '../../nodes/recovery/signaling';
import { Pool, type PoolFault } from '../../nodes/signaling/pool/pool';
import { SipServer } from '../../nodes/signaling/sip/server/sip-server';
import { flowWith, merge, type Overrides, quick } from '../package/drill';
import { systemClock } from '../signaling/sip/harness';

/** A conferencing system that outlives the Node-RED under test: an embedded pool in this process, spoken to over SIP. */
export class OutsideFocus {
  port = 0;
  private readonly pool = new Pool({ latencyMs: 1, failoverMs: 300, mcuFailoverMs: 200 }, systemClock);
  private readonly server = new SipServer(
    { port: 0, domain: 'pool.example', reserved: 'sip:nobody@pool.example' },
    systemClock,
    (identity) => {
      const port = this.pool.guestPort(identity);
      const perform = port.perform.bind(port);
      port.perform = (conference, effect) => {
        this.watch(effect, conference);
        perform(conference, effect);
      };
      return port;
    },
  );

  /** `watch` is told of all that is asked of it, as effects that a port of its own would be asked for. */
  constructor(private readonly watch: (effect: SignalingEffect, conference: string) => void) {}

  async start(): Promise<this> {
    this.port = await this.server.listen();
    return this;
  }

  inject(fault: PoolFault, conference: string): void {
    this.pool.inject(fault, conference);
  }

  async stop(): Promise<void> {
    await this.server.close();
    await this.pool.port({ uri: 'sip:nobody@pool.example' }).close();
  }

  /** The canonical flow, as a client of this system. Which conferences there are is for messages to say. */
  flow(overrides: Overrides) {
    const endpoint = {
      system: 'sip',
      uri: 'sip:node-red@example.com',
      host: '127.0.0.1',
      port: String(this.port),
      transport: 'tcp',
      commands: 'cccp',
    };
    const settings = merge(merge(quick, { 'conference-endpoint': endpoint }), overrides);
    // Faults are injected here.
    return flowWith(settings).filter(({ type }) => type !== 'fault-injector');
  }
}
