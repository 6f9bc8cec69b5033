/** The wires between the nodes, in the canonical flow (contract, section 5), and what can go wrong on them. */
import type { Fact } from '../../nodes/recovery/messages';
import type { Message } from '../../nodes/recovery/step';
import type { Clock } from '../../nodes/signaling/port';
import type { Chance } from './chance';

/** A node of the flow. */
export type NodeName = 'session' | 'audio-video' | 'chat' | 'detector' | 'healer' | 'give-up';

/** From one output to one input. */
export type WireName =
  | 'session.state>detector'
  | 'session.state>healer'
  | 'session.state>give-up'
  | 'session.signal>detector'
  | 'session.signal>healer'
  | 'detector>session'
  | 'detector>mcus'
  | 'detector>healer'
  | 'healer>session'
  | 'healer>give-up'
  | 'mcus>give-up'
  | 'give-up>session';

export const wireNames: readonly WireName[] = [
  'session.state>detector',
  'session.state>healer',
  'session.state>give-up',
  'session.signal>detector',
  'session.signal>healer',
  'detector>session',
  'detector>mcus',
  'detector>healer',
  'healer>session',
  'healer>give-up',
  'mcus>give-up',
  'give-up>session',
];

/** What befalls messages: all of them late, but in order; each by its own delay; once more later; or gone. */
export type Mishap = 'late' | 'out-of-order' | 'twice' | 'lost';

/** For a time, a share of the messages of a wire meets with a mishap. */
export interface Disturbance {
  wire: WireName;
  mishap: Mishap;
  /** The longest delay. */
  byMs: number;
  forMs: number;
  share: number;
}

interface Wire {
  readonly to: readonly NodeName[];
  disturbance: Disturbance | null;
  until: number;
  /** When the latest message arrives: later ones do not overtake it, unless they are out of order. */
  latestAt: number;
}

const mcus: readonly NodeName[] = ['audio-video', 'chat'];
const all: readonly NodeName[] = ['session', ...mcus, 'detector', 'healer', 'give-up'];

/** The wires by which a message of a node leaves. */
function wiresFor(from: NodeName, message: Message): readonly WireName[] {
  const { event } = message as Partial<Fact>;
  switch (from) {
    case 'session':
      if (event === 'signal') return ['session.signal>detector', 'session.signal>healer'];
      return event === 'state-changed' || event === 'mode-changed' || event === 'session-status'
        ? ['session.state>detector', 'session.state>healer', 'session.state>give-up']
        : [];
    case 'audio-video':
    case 'chat':
      return event?.startsWith('call-') || event === 'media-changed' ? ['mcus>give-up'] : [];
    case 'detector': {
      const { level } = message as { level?: string };
      return level === 'hop' ? ['detector>healer'] : level === 'mcu' ? ['detector>mcus'] : ['detector>session'];
    }
    case 'healer':
      return event === 'heal-attempted' ? ['healer>give-up'] : ['healer>session'];
    case 'give-up':
      return 'command' in message ? ['give-up>session'] : [];
  }
}

/** All wires of one flow. */
export class Wires {
  /** Some message was lost: what depends on every message can be expected no more. */
  lossy = false;
  /** Messages of the detector to the session may have changed places: `failed-over` before `failed` is waited for in vain. */
  verdictsSwapped = false;
  private readonly wires = new Map<WireName, Wire>();
  /** Counts processes: what was sent in another one does not arrive. */
  private process = 0;

  constructor(
    private readonly clock: Clock,
    private readonly chance: Chance,
    private readonly options: { everythingWired: boolean; signalsWired: boolean },
    private readonly deliver: (to: NodeName, message: Message) => void,
  ) {
    for (const name of wireNames) {
      if (!options.signalsWired && name.startsWith('session.signal')) continue;
      const target = name.slice(name.indexOf('>') + 1);
      const to = target === 'mcus' ? mcus : [target as NodeName];
      this.wires.set(name, { to, disturbance: null, until: 0, latestAt: 0 });
    }
  }

  /** From now on, messages of a wire meet with a mishap; an earlier disturbance of it ends. */
  disturb(disturbance: Disturbance): void {
    const wire = this.wires.get(disturbance.wire);
    if (!wire) return;
    if (disturbance.wire === 'detector>session' && disturbance.mishap === 'out-of-order') this.verdictsSwapped = true;
    wire.disturbance = disturbance;
    wire.until = this.clock.now() + disturbance.forMs;
  }

  /** The process has ended, and with it everything that was under way. */
  empty(): void {
    this.process += 1;
    for (const wire of this.wires.values()) wire.latestAt = 0;
  }

  /** All wires are in order again; what is on them arrives as it would have. */
  repair(): void {
    for (const wire of this.wires.values()) wire.disturbance = null;
  }

  /** A message leaves a node. As in Node-RED, it arrives after the node that sent it is done. */
  send(from: NodeName, message: Message): void {
    if (this.options.everythingWired && 'event' in message) {
      for (const to of all) this.deliverAfter(0, to, message);
      return;
    }
    for (const name of wiresFor(from, message)) {
      const wire = this.wires.get(name);
      if (wire) this.carry(wire, message);
    }
  }

  private carry(wire: Wire, message: Message): void {
    const now = this.clock.now();
    const { disturbance } = wire;
    if (disturbance && now < wire.until && this.chance.happens(disturbance.share)) {
      const delayMs = Math.round(disturbance.byMs * this.chance.fraction());
      switch (disturbance.mishap) {
        case 'lost':
          this.lossy = true;
          return;
        case 'out-of-order':
          return this.arrive(wire, message, delayMs);
        case 'twice':
          this.arrive(wire, message, delayMs);
          break;
        case 'late':
          wire.latestAt = Math.max(wire.latestAt, now + delayMs);
      }
    }
    this.arrive(wire, message, Math.max(0, wire.latestAt - now));
  }

  private arrive(wire: Wire, message: Message, delayMs: number): void {
    for (const to of wire.to) this.deliverAfter(delayMs, to, message);
  }

  private deliverAfter(delayMs: number, to: NodeName, message: Message): void {
    const { process } = this;
    this.clock.after(delayMs, () => {
      if (process === this.process) this.deliver(to, message);
    });
  }
}
