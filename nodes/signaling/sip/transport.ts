/** What the library takes for a transport, on top of a flow. */
import type { Flow } from './flow/flow';
import type { Transport } from './library';

/** Adapts a flow to `sip.js`. */
export class FlowTransport implements Transport {
  constructor(private readonly flow: Flow) {}

  get protocol(): string {
    return this.flow.protocol;
  }

  send(message: string): Promise<void> {
    return this.flow.send(message);
  }
}
