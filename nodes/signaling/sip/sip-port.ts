/**
 * Real conferencing systems over SIP (RFC 3261, 4579, 4575): the signaling port that speaks to a Focus through one
 * connection to the next hop.
 */
import { setImmediate as eventsHaveLeft } from 'node:timers/promises';
import type { JsonObject } from '../../recovery/messages';
import type { Outcome, SignalingEffect, SignalingEvent } from '../../recovery/signaling';
import type { Clock, SignalingPort } from '../port';
import type { Credentials } from './authentication';
import { Call, type CallHost } from './call';
import { Dialog } from './dialog';
import type { Flow, FlowListener } from './flow/flow';
import { flowsTo, type NextHopOptions, preloadedRoute } from './flow/next-hop';
import { dialogGone, outcomeOf } from './outcome';
import { Participation, type ParticipationHost, type RequestEffect } from './participation';
import { isSavedConference, type SavedConference, savedVersion } from './saved';
import { UserAgent } from './user-agent';

/** What a conference without `conf-uris` carries at its own URI: voice, and text as MESSAGE. */
const ownMcus: ReadonlySet<string> = new Set(['audio-video', 'chat']);

/** Who we are, and where the next hop is: everything that is sent goes there. */
export interface SipOptions extends NextHopOptions {
  /** Who we are, for instance `sip:alice@example.com`. */
  uri: string;
  displayName?: string;
  /** For servers and proxies that ask (401, 407); without them such a refusal stands. */
  credentials?: Credentials;
  /** How long a join may take, in ms; default 32,000 (RFC 3261: 64·T1). */
  joinTimeoutMs?: number;
  /** How operations are sent: not at all (plain SIP has no request for them), or as C3P in INFO. Default `none`. */
  commands?: 'none' | 'cccp';
  /** The audio of a call has ended after so long without a packet, in ms. Default 0: calls have no media. */
  mediaTimeoutMs?: number;
  /** Purpose of `conf-uris` by name of MCU, where the two differ (RFC 4575, 5.3.1). */
  mcuPurposes?: { [mcu: string]: string };
}

/** Signaling over SIP. */
export class SipPort implements SignalingPort {
  private readonly agent: UserAgent;
  private readonly conferences = new Map<string, Conference>();
  private closing: Promise<void> | null = null;
  private events: (() => void)[] = [];
  private watcher: ((conference: string | null) => void) | null = null;
  /** Conferences that the watcher is to be told of. */
  private changes = new Set<string>();

  /**
   * Throws a RangeError where the options make no sense, or name files that cannot be used.
   * @param makeFlow where messages go, if not to the next hop of the options
   */
  constructor(
    private readonly options: SipOptions,
    clock: Clock,
    makeFlow: (clock: Clock, listener: FlowListener) => Flow = flowsTo(options),
  ) {
    this.agent = new UserAgent(
      options.uri,
      (listener) => makeFlow(clock, listener),
      clock,
      {
        up: () => {
          for (const conference of this.conferences.values()) conference.transportRestored();
        },
        down: (message) => {
          for (const conference of this.conferences.values()) conference.transportLost(message);
        },
        wanted: () => [...this.conferences.values()].some((conference) => conference.needsTransport),
      },
      options.credentials,
      preloadedRoute(options),
      options.random,
    );
  }

  attach(conference: string, listener: (event: SignalingEvent) => void): void {
    if (this.closing) return;
    this.detach(conference);
    this.conferences.set(
      conference,
      new Conference(
        conference,
        this.options,
        this.agent,
        listener,
        (deliver) => this.later(deliver),
        () => this.changed(conference),
      ),
    );
  }

  perform(conference: string, effect: SignalingEffect): void {
    this.conferences.get(conference)?.perform(effect);
  }

  detach(conference: string): void {
    this.conferences.get(conference)?.close();
    this.conferences.delete(conference);
  }

  close(): Promise<void> {
    if (!this.closing) {
      for (const conference of [...this.conferences.keys()]) this.detach(conference);
      this.closing = this.agent.close();
    }
    return this.closing;
  }

  saved(conference: string): JsonObject | null {
    return this.conferences.get(conference)?.saved ?? null;
  }

  restore(conference: string, saved: JsonObject): boolean {
    return this.conferences.get(conference)?.restore(saved) ?? false;
  }

  /** Conferences share nothing but the connection. */
  savedSystem(): null {
    return null;
  }

  restoreSystem(): false {
    return false;
  }

  watch(changed: (conference: string | null) => void): void {
    this.watcher = changed;
  }

  abandon(conference: string): void {
    this.conferences.get(conference)?.abandon();
    this.conferences.delete(conference);
  }

  release(): Promise<void> {
    this.closing ??= this.letGo();
    return this.closing;
  }

  private async letGo(): Promise<void> {
    // What becomes of the conferences here is not what is to be kept of them.
    this.watcher = null;
    this.agent.release();
    for (const conference of this.conferences.values()) conference.release();
    await eventsHaveLeft();
    for (const conference of [...this.conferences.keys()]) this.abandon(conference);
  }

  private changed(conference: string): void {
    const { watcher, changes } = this;
    if (!watcher) return;
    if (changes.size === 0) {
      queueMicrotask(() => {
        this.changes = new Set();
        for (const each of changes) if (this.conferences.has(each)) this.watcher?.(each);
      });
    }
    changes.add(conference);
  }

  /** Events leave in the order in which they arose, and never from inside a call of ours. */
  private later(deliver: () => void): void {
    if (this.events.length === 0) {
      queueMicrotask(() => {
        const { events } = this;
        this.events = [];
        for (const each of events) each();
      });
    }
    this.events.push(deliver);
  }
}

/** One attached conference: the participation of its latest join, and its calls, which outlive a re-join. */
class Conference implements ParticipationHost, CallHost {
  private participation: Participation | null = null;
  private readonly calls = new Map<string, Call>();
  private displayName: string;
  /** The model was told that the connection is lost. */
  private toldLost = false;
  private attached = true;
  /** What was saved last, and whether it is so still. */
  private kept: SavedConference | null = null;
  private isCurrent = true;

  constructor(
    readonly conference: string,
    private readonly options: SipOptions,
    readonly agent: UserAgent,
    private readonly listener: (event: SignalingEvent) => void,
    private readonly later: (deliver: () => void) => void,
    private readonly tellChange: () => void,
  ) {
    this.displayName = options.displayName ?? '';
  }

  get uri(): string {
    return this.options.uri;
  }

  get joinTimeoutMs(): number {
    return this.options.joinTimeoutMs ?? 32_000;
  }

  get commands(): 'none' | 'cccp' {
    return this.options.commands ?? 'none';
  }

  random(): number {
    return (this.options.random ?? Math.random)();
  }

  /** There is a dialog that the far end may want to send something in. */
  get needsTransport(): boolean {
    return this.participation?.hasDialog === true || this.calls.size > 0;
  }

  perform(effect: SignalingEffect): void {
    switch (effect.effect) {
      case 'join':
        return this.join(effect.dialog, effect.displayName);
      case 'leave':
        return this.leave(effect.dialog, effect.silently);
      case 'resume':
        return this.resume(effect.dialog, effect.timeoutMs);
      case 'request':
        return this.request(effect);
      case 'refresh-roster':
        return this.current(effect.dialog)?.refreshRoster(effect.anew === true);
      case 'place-call':
        return this.placeCall(effect);
      case 'refresh-call':
        return this.refreshCall(effect.callId, effect.mcu);
      case 'end-call':
        return this.endCall(effect.callId, effect.mcu);
      case 'send-text':
        return this.sendText(effect);
      case 'pause-session-timer':
        for (const { session } of this.dialogs(effect.dialog)) session?.pause();
        return;
      case 'resume-session-timer':
        for (const { session } of this.dialogs(effect.dialog)) session?.resume();
        return;
    }
  }

  /** The conference is detached: BYE and unsubscribe, without waiting. */
  close(): void {
    this.attached = false;
    this.participation?.leave(false, () => {});
    for (const call of [...this.calls.values()]) call.end();
  }

  /** The conference is detached without a word to the far end. */
  abandon(): void {
    this.attached = false;
    this.release();
  }

  /** What waits for an answer gets one, and nothing is said to the far end any more. */
  release(): void {
    this.participation?.release();
    for (const call of [...this.calls.values()]) call.release();
  }

  /** What another process needs to go on; null where nothing is open. */
  get saved(): SavedConference | null {
    if (!this.isCurrent) {
      this.isCurrent = true;
      this.kept = this.save();
    }
    return this.kept;
  }

  /** Takes up what another process has saved; false where that cannot be used, or something is open already. */
  restore(saved: JsonObject): boolean {
    if (this.participation || this.calls.size > 0 || !isSavedConference(saved)) return false;
    const { participation, calls, uri, displayName } = saved;
    // Somebody else's dialogs are not ours, nor are those of another conference.
    if (uri !== this.uri || (participation && participation.dialog.remoteUri !== this.conference)) return false;
    this.displayName = displayName;
    this.participation = participation && Participation.restored(this, participation, displayName);
    for (const call of calls) {
      const mediaTimeoutMs = this.options.mediaTimeoutMs ?? 0;
      this.calls.set(call.callId, Call.restored(this, call, displayName, mediaTimeoutMs));
    }
    this.changed();
    return true;
  }

  transportLost(message: string): void {
    const { participation } = this;
    if (!participation?.hasDialog) return;
    this.toldLost = true;
    this.tell(participation, { event: 'transport-lost', dialog: participation.number, message });
  }

  transportRestored(): void {
    const { participation } = this;
    if (!this.toldLost || !participation) return;
    this.toldLost = false;
    if (participation.hasDialog)
      this.tell(participation, { event: 'transport-restored', dialog: participation.number });
  }

  // ------------------------------------------------------------------------------------------ for participations

  tell(from: Participation, event: SignalingEvent): void {
    this.later(() => {
      if (this.attached && this.participation === from) this.listener(event);
    });
  }

  /** Of all that is open. */
  changed(): void {
    this.isCurrent = false;
    this.tellChange();
  }

  mcuOf(purpose: string): string {
    const named = Object.entries(this.options.mcuPurposes ?? {}).find(([, value]) => value === purpose);
    return named?.[0] ?? purpose;
  }

  mcuUri(mcu: string): string | undefined {
    const uris = this.participation?.conferenceUris ?? [];
    return uris.find(({ purpose }) => this.mcuOf(purpose) === mcu)?.uri;
  }

  // ----------------------------------------------------------------------------------------------------- effects

  private current(dialog: number): Participation | null {
    return this.participation?.number === dialog ? this.participation : null;
  }

  /** The dialog with the Focus, and those of the calls, which take the same way: recovery does not touch them (HOP-21). */
  private dialogs(dialog: number): Dialog[] {
    const { participation } = this;
    if (participation?.number !== dialog) return [];
    return [participation.dialog, ...[...this.calls.values()].map((call) => call.dialog)];
  }

  private join(dialog: number, displayName: string | undefined): void {
    this.participation?.replace();
    this.toldLost = false;
    this.displayName = displayName ?? this.options.displayName ?? '';
    this.participation = new Participation(this, dialog, this.displayName);
    this.participation.join();
    this.changed();
  }

  private leave(dialog: number, silently: boolean): void {
    const participation = this.current(dialog);
    const left = (): void => this.tellAlways({ event: 'left', dialog });
    if (!participation) return left();
    this.participation = null;
    participation.leave(silently, left);
    this.changed();
  }

  private resume(dialog: number, timeoutMs: number): void {
    const startedAt = this.agent.clock.now();
    const settled = (method: string, outcome: Outcome): void => {
      const elapsedMs = this.agent.clock.now() - startedAt;
      // With this the model knows that there is no connection, and wants to hear when there is one.
      this.toldLost ||= outcome.kind === 'unreachable' && outcome.cause === 'transport';
      const request = { requestId: 'resume', dialog, purpose: 'refresh', method } as const;
      this.tellAlways({ event: 'outcome', ...request, outcome, elapsedMs });
    };
    const participation = this.current(dialog);
    if (participation) participation.resume(timeoutMs, settled);
    else settled('UPDATE', dialogGone());
    for (const call of this.calls.values()) call.refresh();
  }

  private request(effect: RequestEffect): void {
    const { requestId, dialog, purpose, timeoutMs } = effect;
    const startedAt = this.agent.clock.now();
    const settled = (method: string, outcome: Outcome): void => {
      const elapsedMs = this.agent.clock.now() - startedAt;
      this.tellAlways({ event: 'outcome', requestId, dialog, purpose, method, outcome, elapsedMs });
    };
    if (purpose === 'probe') {
      const outside = new Dialog(this.conference, this.displayName);
      this.agent.send(outside, { method: 'OPTIONS' }, timeoutMs, (answer) => settled('OPTIONS', outcomeOf(answer)));
      return;
    }
    const participation = this.current(dialog);
    if (participation?.hasDialog) participation.request(effect, settled);
    else settled(purpose === 'operation' ? 'INFO' : (effect.method ?? 'OPTIONS'), dialogGone());
  }

  private placeCall(effect: Extract<SignalingEffect, { effect: 'place-call' }>): void {
    const { callId, mcu } = effect;
    const target = this.mcuUri(mcu) ?? (ownMcus.has(mcu) ? this.conference : undefined);
    if (target === undefined) {
      const message = `The conference says of no MCU "${mcu}" where it is reached (conf-uris)`;
      this.tellAlways({ event: 'call-failed', callId, mcu, outcome: { kind: 'unsupported', message } });
      return;
    }
    const dialog = new Dialog(target, this.displayName);
    const mediaTimeoutMs = hasAudio(mcu, effect.media) ? (this.options.mediaTimeoutMs ?? 0) : 0;
    const call = new Call(this, callId, mcu, dialog, mediaTimeoutMs);
    this.calls.set(callId, call);
    call.place(effect.media, effect.timeoutMs);
  }

  private refreshCall(callId: string, mcu: string): void {
    const call = this.calls.get(callId);
    if (call) call.refresh();
    else this.tellAlways({ event: 'call-ended', callId, mcu, reason: 'RemoteHungUp' });
  }

  private endCall(callId: string, mcu: string): void {
    const call = this.calls.get(callId);
    if (call) call.end();
    else this.tellAlways({ event: 'call-ended', callId, mcu, reason: 'HungUp' });
  }

  private sendText(effect: Extract<SignalingEffect, { effect: 'send-text' }>): void {
    const { requestId, callId, text, timeoutMs } = effect;
    const dialog = this.participation?.number ?? 0;
    const startedAt = this.agent.clock.now();
    const settled = (outcome: Outcome): void => {
      const elapsedMs = this.agent.clock.now() - startedAt;
      this.tellAlways({
        event: 'outcome',
        requestId,
        dialog,
        purpose: 'operation',
        method: 'MESSAGE',
        outcome,
        elapsedMs,
      });
    };
    const call = this.calls.get(callId);
    if (call) call.sendText(text, timeoutMs, settled);
    else settled(dialogGone());
  }

  private save(): SavedConference | null {
    const participation = this.participation?.save() ?? null;
    const calls = [...this.calls.values()].flatMap((call) => call.save() ?? []);
    if (!participation && calls.length === 0) return null;
    const { uri, displayName } = this;
    return { version: savedVersion, uri, displayName, participation, calls };
  }

  // -------------------------------------------------------------------------------------------------- for calls

  over(call: Call): void {
    if (this.calls.get(call.callId) === call) this.calls.delete(call.callId);
    this.changed();
  }

  /** What concerns no dialog of a participation, or is owed also after that was replaced. */
  tellAlways(event: SignalingEvent): void {
    this.later(() => {
      if (this.attached) this.listener(event);
    });
  }
}

/** Whether a call carries audio: where it was asked for, and always with an MCU that mixes it. */
function hasAudio(mcu: string, media: readonly string[]): boolean {
  return media.includes('audio') || mcu === 'audio-video' || mcu === 'audio';
}
