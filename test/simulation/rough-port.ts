/**
 * A conferencing system with rough edges: the embedded pool, which is well-behaved, seen through a port that loses and
 * repeats notifications, answers in words that the pool does not know, and tells of what does not happen there. What it
 * does keeps the rules of a signaling port (`nodes/signaling/port.ts`).
 */
import type { JsonObject, SignalPurpose } from '../../nodes/recovery/messages';
import type { McuReports, Outcome, SignalingEffect, SignalingEvent } from '../../nodes/recovery/signaling';
import type { Clock, SignalingPort } from '../../nodes/signaling/port';

type DialogEvent = Extract<SignalingEvent, { dialog: number }>;
/** An event of the dialog that is open, without its number; or a text in a call. */
export type Occurrence =
  | (DialogEvent extends infer E ? (E extends DialogEvent ? Omit<E, 'dialog'> : never) : never)
  | Extract<SignalingEvent, { event: 'text' }>;

/** Something rough that happens to the next events of a kind. */
export type Roughness =
  /** The next documents are lost, or come twice; or an older one follows a full one. */
  | { rough: 'document'; how: 'lost' | 'twice' | 'overtaken'; count: number }
  /** That we are let in is told twice. */
  | { rough: 'admitted'; how: 'twice'; count: number }
  /** The next requests of a purpose are answered like this. */
  | { rough: 'answer'; purpose: SignalPurpose; outcome: Outcome; count: number }
  /** The next join or re-join finds MCUs like these. */
  | { rough: 'mcus'; mcus: McuReports };

/** A port that is rough when it is told to. */
export class RoughPort implements SignalingPort {
  private readonly listeners = new Map<string, (event: SignalingEvent) => void>();
  private roughness: Roughness[] = [];
  /** Number of the dialog that is open, or being opened; 0 when none is. */
  private dialog = 0;

  constructor(
    private readonly port: SignalingPort,
    private readonly clock: Clock,
    private readonly silentOnMcus: boolean,
  ) {}

  attach(conference: string, listener: (event: SignalingEvent) => void): void {
    this.listeners.set(conference, listener);
    this.port.attach(conference, (event) => this.hear(event, listener));
  }

  perform(conference: string, effect: SignalingEffect): void {
    if (effect.effect === 'join') this.dialog = effect.dialog;
    if (effect.effect === 'leave') this.dialog = 0;
    this.port.perform(conference, effect);
  }

  detach(conference: string): void {
    this.dialog = 0;
    this.listeners.delete(conference);
    this.port.detach(conference);
  }

  close(): Promise<void> {
    return this.port.close();
  }

  saved(conference: string): JsonObject | null {
    return this.port.saved(conference);
  }

  restore(conference: string, saved: JsonObject): boolean {
    this.dialog = (saved.line as { dialog: number }).dialog;
    return this.port.restore(conference, saved);
  }

  savedSystem(): JsonObject | null {
    return this.port.savedSystem();
  }

  restoreSystem(saved: JsonObject): boolean {
    return this.port.restoreSystem(saved);
  }

  watch(): void {
    // Nothing is kept. And what is told later is told never: a whole run of schedules is one turn of the event loop.
  }

  abandon(conference: string): void {
    this.dialog = 0;
    this.listeners.delete(conference);
    this.port.abandon(conference);
  }

  release(): Promise<void> {
    return this.port.release();
  }

  /** From now on, what comes next is rough. */
  roughen(roughness: Roughness): void {
    this.roughness.push({ ...roughness });
  }

  /** Nothing is rough any more. */
  smooth(): void {
    this.roughness = [];
  }

  /** Something happens in the dialog, if there is one. */
  happen(conference: string, occurrence: Occurrence): void {
    const { dialog } = this;
    const event = { ...occurrence, ...(occurrence.event === 'text' ? {} : { dialog }) } as SignalingEvent;
    if (dialog !== 0) this.clock.after(0, () => this.tellIfOpen(conference, dialog, event));
  }

  private tellIfOpen(conference: string, dialog: number, event: SignalingEvent): void {
    if (dialog === this.dialog) this.listeners.get(conference)?.(event);
  }

  private hear(event: SignalingEvent, listener: (event: SignalingEvent) => void): void {
    switch (event.event) {
      case 'document': {
        const { document } = event;
        const rough = this.take('document', ({ how }) => how !== 'overtaken' || document.state === 'full');
        if (rough?.how === 'lost') return;
        if (rough?.how === 'twice') listener(event);
        listener(event);
        if (rough?.how === 'overtaken')
          listener({ ...event, document: { ...document, version: document.version - 1 } });
        return;
      }
      case 'outcome': {
        const rough = this.take('answer', ({ purpose }) => purpose === event.purpose);
        return listener(rough ? { ...event, outcome: rough.outcome } : event);
      }
      case 'joined':
      case 'admitted': {
        if (event.event === 'joined' && event.placement === 'lobby') return listener(event);
        const rough = this.take('mcus', () => true);
        const mcus = this.silentOnMcus ? null : rough ? { ...event.mcus, ...rough.mcus } : event.mcus;
        listener({ ...event, mcus });
        if (event.event === 'admitted' && this.take('admitted', () => true)) listener({ ...event, mcus });
        return;
      }
      case 'mcu-report':
        if (this.silentOnMcus) return;
        break;
      case 'ended':
      case 'join-failed':
        this.dialog = 0;
    }
    listener(event);
  }

  private take<Kind extends Roughness['rough']>(
    kind: Kind,
    fits: (roughness: Extract<Roughness, { rough: Kind }>) => boolean,
  ): Extract<Roughness, { rough: Kind }> | undefined {
    if (this.roughness.length === 0) return undefined;
    const index = this.roughness.findIndex(
      (one) => one.rough === kind && fits(one as Extract<Roughness, { rough: Kind }>),
    );
    const found = this.roughness[index] as Extract<Roughness, { rough: Kind }> | undefined;
    if (!found) return undefined;
    if ('count' in found && found.count > 1) found.count -= 1;
    else this.roughness.splice(index, 1);
    return found;
  }
}
