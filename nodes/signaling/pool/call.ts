import type { SignalingEvent } from '../../recovery/signaling';
import { packetIntervalMs } from './options';
import { mediaTypesOf } from './participants';
import type { SavedCall } from './saved';
import type { Identity } from './system';

/** Our end of a call. */
export interface Caller {
  readonly identity: Identity;
  /** The MCU hangs up. */
  hangUp(call: Call): void;
  /** Packets began or ceased to flow. */
  mediaChanged(call: Call): void;
}

/**
 * A call between us and an MCU. `placing` until the MCU accepts, `accepted` until its answer has arrived here, `over` when
 * the MCU no longer knows it, whether or not we have heard so.
 */
export class Call {
  phase: 'placing' | 'accepted' | 'established' | 'over' = 'placing';
  /** Media types in it: the first that the MCU mixes, and of the others those that were asked for. */
  readonly media: readonly string[];
  /** Do packets arrive? */
  flowing = false;
  private flowingSince = 0;
  private packets = 0;
  private lastPacketAt: number | null = null;

  constructor(
    readonly caller: Caller,
    readonly callId: string,
    readonly mcu: string,
    asked: readonly string[],
  ) {
    const types = mediaTypesOf(mcu);
    this.media = types.filter((type, index) => index === 0 || asked.includes(type));
  }

  /** The call as it was kept. */
  static restored(caller: Caller, { callId, mcu, known: _, ...kept }: SavedCall): Call {
    return Object.assign(new Call(caller, callId, mcu, []), kept);
  }

  /** What is to be kept of it; `known` is whether its MCU knows it. */
  saved(known: boolean): Omit<SavedCall, 'phase'> {
    const { callId, mcu, media, flowing, flowingSince, packets, lastPacketAt } = this;
    return { callId, mcu, media, flowing, flowingSince, packets, lastPacketAt, known };
  }

  /** Text travels as signaling; all other media are packets. */
  get hasPackets(): boolean {
    return !this.media.includes('text');
  }

  /** Packets flow from now on. */
  startMedia(now: number): void {
    this.flowing = true;
    this.flowingSince = now;
    this.caller.mediaChanged(this);
  }

  /** No packets flow from now on. */
  stopMedia(now: number): void {
    this.count(now);
    this.flowing = false;
    this.caller.mediaChanged(this);
  }

  /** The MCU's side is gone. */
  lose(now: number): void {
    this.phase = 'over';
    if (this.flowing) this.stopMedia(now);
  }

  /** What our end of the call knows of its packets. */
  report(now: number): Extract<SignalingEvent, { event: 'media' }> {
    if (this.flowing) this.count(now);
    const { callId, mcu, flowing, lastPacketAt, packets } = this;
    return { event: 'media', callId, mcu, flowing, lastPacketAt, packets };
  }

  private count(now: number): void {
    const arrived = Math.floor((now - this.flowingSince) / packetIntervalMs);
    if (arrived <= 0) return;
    this.packets += arrived;
    this.flowingSince += arrived * packetIntervalMs;
    this.lastPacketAt = this.flowingSince;
  }
}
