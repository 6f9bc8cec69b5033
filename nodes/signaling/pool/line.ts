/** A participant's side of one conference, in comments ours: what is asked for travels to the pool, what the pool says travels back. */
import type { JsonObject } from '../../recovery/messages';
import type { Outcome, SignalingEffect, SignalingEvent } from '../../recovery/signaling';
import type { Appointment } from './agenda';
import {
  accepted,
  connectionRefused,
  dialogGone,
  focusAway,
  noAnswer,
  refused,
  routeStale,
  unsupported,
} from './answers';
import { Call, type Caller } from './call';
import { Dialog, type Mcu, type Subscriber } from './focus';
import { focusOperations, mcuOperations } from './operations';
import { inviteTimeoutMs, poolLimits } from './options';
import { readConference, type SavedCall, type SavedConference } from './saved';
import type { Identity, Member, System } from './system';

type Effect<Name extends SignalingEffect['effect']> = Extract<SignalingEffect, { effect: Name }>;
type Request = Effect<'request'>;

/** One conference that we serve: its dialogs and calls as we see them. */
export class Line implements Subscriber, Caller {
  /** The conference that we joined is over, whether or not we could hear it: a re-join finds nothing. */
  conferenceOver = false;
  /** Calls that have not ended, as far as we have heard. */
  readonly calls = new Map<string, Call>();
  /** Nothing expires in a pool, but whoever asks for its status sees what we were told. */
  sessionTimer: 'running' | 'paused' = 'running';
  /** The dialog that speaks; 0 when none does. */
  private dialog = 0;
  private established = false;
  private connected = true;
  /** The route set that our dialogs were established or healed with. */
  private routeSet = 0;
  /** How to end each request that awaits an answer. */
  private readonly awaited = new Set<(outcome: Outcome) => void>();
  /** Messages of one direction do not overtake each other: when the latest of them arrives. */
  private latestUp = 0;
  private latestDown = 0;
  private closed = false;

  constructor(
    private readonly system: System,
    private readonly member: Member,
    private readonly conference: string,
    private readonly listener: (event: SignalingEvent) => void,
  ) {}

  get identity(): Identity {
    return this.member.identity;
  }

  /** Do our dialogs meet a hop that knows nothing of them? */
  get hasStaleRoute(): boolean {
    return this.system.route.isStale(this.routeSet);
  }

  /** Carries out one effect. */
  perform(effect: SignalingEffect): void {
    this.touch();
    switch (effect.effect) {
      case 'join':
        this.join(effect);
        break;
      case 'leave':
        this.leave(effect);
        break;
      case 'request':
        this.request(effect);
        break;
      case 'refresh-roster':
        this.refreshRoster(effect);
        break;
      case 'place-call':
        this.placeCall(effect);
        break;
      case 'end-call':
        this.endCall(effect);
        break;
      case 'send-text':
        this.sendText(effect);
        break;
      case 'refresh-call':
        // All our dialogs share one route set here, so the heal has done it for the calls as well.
        this.missCall(effect.callId, effect.mcu);
        break;
      case 'resume':
        this.resume(effect);
        break;
      case 'pause-session-timer':
        this.sessionTimer = 'paused';
        break;
      case 'resume-session-timer':
        this.sessionTimer = 'running';
    }
  }

  /** Nothing is told any more. With a conference behind it, BYE is sent and not waited for. */
  detach(): void {
    const { dialog } = this;
    this.close();
    if (dialog !== 0) this.sayGoodbye(dialog);
  }

  /** All that awaits an answer ends without one: we are about to be replaced. */
  interrupt(): void {
    for (const settle of [...this.awaited]) settle(connectionRefused(true));
  }

  /** Nothing is told any more. */
  close(): void {
    this.closed = true;
    this.calls.clear();
  }

  // --------------------------------------------------------------------------------------------- the dialog with the Focus

  private join(effect: Effect<'join'>): void {
    const { system } = this;
    const { dialog: number } = effect;
    this.dialog = number;
    this.established = false;
    this.sessionTimer = 'running';
    const toLobby = this.member === system.ours && system.lobbyNext.has(this.conference);
    let joined: { dialog: Dialog; event: SignalingEvent } | null = null;
    this.exchange(
      inviteTimeoutMs,
      () => {
        if (system.frontEnds.living === 0) return focusAway();
        if (this.conferenceOver && effect.rejoin) return refused(404, 'ConferenceDoesNotExist');
        this.conferenceOver = false;
        const focus = system.open(this.conference);
        if (focus === null) return refused(403, 'MaximumConferencesExceeded');
        const dialog = focus.join(effect, this, toLobby);
        if (!(dialog instanceof Dialog)) return dialog;
        if (toLobby) system.lobbyNext.delete(this.conference);
        this.routeSet = system.route.routeSet;
        const { placement } = dialog;
        const content =
          placement === 'lobby'
            ? { document: null, mcus: {} }
            : { document: focus.document(dialog), mcus: focus.reports() };
        joined = { dialog, event: { event: 'joined', dialog: number, placement, ...content } };
        return accepted;
      },
      (outcome) => {
        if (outcome.kind !== 'ok' || joined === null) this.tell({ event: 'join-failed', dialog: number, outcome });
        else if (joined.dialog.lost) this.tell({ event: 'join-failed', dialog: number, outcome: focusAway() });
        else this.tell(joined.event);
      },
    );
  }

  private leave({ dialog, silently }: Effect<'leave'>): void {
    if (dialog === this.dialog) this.silence();
    const left = (): void => this.tell({ event: 'left', dialog });
    if (silently) this.system.agenda.after(0, left);
    // Whether or not a BYE arrives, the dialog is over once it was sent (RFC 3261, 15.1.1).
    else this.sayGoodbye(dialog, () => this.travelDown(left));
  }

  private sayGoodbye(dialog: number, sent?: () => void): void {
    const { route, foci } = this.system;
    const getsThrough = route.path === 'up';
    this.travelUp(() => {
      if (getsThrough && route.path === 'up' && !this.hasStaleRoute) {
        foci.get(this.conference)?.leave(this, dialog);
      }
      sent?.();
    });
  }

  private request(effect: Request): void {
    const { agenda } = this.system;
    const { requestId, dialog, purpose } = effect;
    const method = methodOf(effect);
    const sentAt = agenda.now();
    const tell = (outcome: Outcome): void =>
      this.tell({ event: 'outcome', requestId, dialog, purpose, method, outcome, elapsedMs: agenda.now() - sentAt });
    const refusal = this.impossible(effect);
    if (refusal !== null) {
      agenda.after(0, () => tell(refusal));
      return;
    }
    let answering: Dialog | null = null;
    this.exchange(
      effect.timeoutMs,
      () => {
        if (purpose === 'probe') return this.answerProbe();
        if (purpose !== 'heal' && this.hasStaleRoute) return routeStale();
        if (this.system.frontEnds.living === 0) return focusAway();
        answering = this.dialogAtFocus(dialog);
        return answering === null ? dialogGone() : this.answer(effect, answering);
      },
      (outcome) => tell(unlessLost(answering, outcome)),
    );
  }

  private refreshRoster({ dialog }: Effect<'refresh-roster'>): void {
    const { route, foci } = this.system;
    if (route.path !== 'up') return;
    this.travelUp(() => {
      const atFocus = this.dialogAtFocus(dialog);
      if (route.path !== 'up' || this.hasStaleRoute || atFocus === null) return;
      foci.get(this.conference)?.publishTo(atFocus);
    });
  }

  private answerProbe(): Outcome {
    const { foci, frontEnds } = this.system;
    const focus = foci.get(this.conference);
    if (frontEnds.living === 0 || focus?.host === null) return focusAway();
    return focus ? accepted : refused(404);
  }

  private answer({ purpose, operation, arguments: given = {}, mcu: mcuName }: Request, dialog: Dialog): Outcome {
    if (purpose === 'heal') this.routeSet = this.system.route.routeSet;
    if (purpose !== 'operation') return accepted;
    if (dialog.placement === 'lobby') return refused(403, 'Forbidden');
    const focus = this.system.foci.get(this.conference);
    if (!focus || operation === undefined) return dialogGone();
    if (mcuName === undefined) return focusOperations[operation]?.(focus, given, this.system) ?? dialogGone();
    const mcu = focus.mcu(mcuName) as Mcu;
    if (mcu.report !== 'active') return refused(503);
    return mcuOperations[operation]?.(focus, given, mcu, this.identity.uri) ?? dialogGone();
  }

  /** What is refused here, before anything is sent. */
  private impossible({ purpose, operation = '', mcu }: Request): Outcome | null {
    if (purpose === 'rejoin') return unsupported('A re-join is a join.');
    if (purpose !== 'operation') return null;
    if (mcu !== undefined && !this.system.options.mcus.includes(mcu))
      return unsupported(`The pool has no MCU "${mcu}".`);
    const known = Object.hasOwn(mcu === undefined ? focusOperations : mcuOperations, operation);
    return known
      ? null
      : unsupported(`The pool has no operation "${operation}"${mcu === undefined ? '' : ' of an MCU'}.`);
  }

  private dialogAtFocus(number: number): Dialog | null {
    const dialog = this.system.foci.get(this.conference)?.dialogs.get(this.identity.uri);
    return dialog !== undefined && dialog.number === number && dialog.subscriber === this ? dialog : null;
  }

  // ------------------------------------------------------------------------------------------------- calls to the MCUs

  private placeCall({ callId, mcu: name, media, timeoutMs }: Effect<'place-call'>): void {
    const { agenda, foci, options } = this.system;
    const fail = (outcome: Outcome): void => this.tell({ event: 'call-failed', callId, mcu: name, outcome });
    if (!options.mcus.includes(name)) {
      agenda.after(0, () => fail(unsupported(`The pool has no MCU "${name}".`)));
      return;
    }
    if (this.calls.size >= poolLimits.calls || this.calls.has(callId)) {
      agenda.after(0, () =>
        fail(refused(486, undefined, `No more than ${poolLimits.calls} calls, and each only once`)),
      );
      return;
    }
    const call = new Call(this, callId, name, media);
    this.calls.set(callId, call);
    this.exchange(
      timeoutMs,
      () => {
        const focus = foci.get(this.conference);
        const mcu = focus?.mcu(name);
        if (!focus?.users.has(this.identity.uri) || !mcu) return refused(403);
        if (mcu.report !== 'active') return refused(mcu.report === 'inactive' ? 480 : 503);
        if (call.phase === 'over') return refused(487);
        call.phase = 'accepted';
        mcu.calls.add(call);
        return accepted;
      },
      (outcome) => {
        const hungUpHere = this.calls.get(callId) !== call;
        if (outcome.kind === 'ok' && call.phase === 'accepted' && !hungUpHere) {
          call.phase = 'established';
          this.tell({ event: 'call-accepted', callId, mcu: name });
          if (call.hasPackets) call.startMedia(agenda.now());
          foci.get(this.conference)?.callsChanged(this.identity.uri);
          return;
        }
        if (!hungUpHere) this.calls.delete(callId);
        foci.get(this.conference)?.mcu(name)?.calls.delete(call);
        call.phase = 'over';
        fail(outcome.kind === 'ok' ? refused(hungUpHere ? 487 : 503) : outcome);
      },
    );
  }

  private endCall({ callId, mcu: name }: Effect<'end-call'>): void {
    const { route, foci } = this.system;
    const call = this.calls.get(callId);
    this.calls.delete(callId);
    const getsThrough = route.path === 'up';
    this.travelUp(() => {
      const focus = foci.get(this.conference);
      if (call && getsThrough && route.path === 'up' && focus?.mcu(name)?.calls.delete(call))
        focus.callsChanged(this.identity.uri);
      // As with leaving: over once the BYE was sent.
      this.travelDown(() => this.tell({ event: 'call-ended', callId, mcu: name, reason: 'HungUp' }));
    });
  }

  private sendText({ requestId, callId, mcu, timeoutMs }: Effect<'send-text'>): void {
    const { agenda } = this.system;
    const { dialog } = this;
    const sentAt = agenda.now();
    const call = this.calls.get(callId);
    const tell = (outcome: Outcome): void =>
      this.tell({
        event: 'outcome',
        requestId,
        dialog,
        purpose: 'operation',
        method: 'MESSAGE',
        outcome,
        elapsedMs: agenda.now() - sentAt,
      });
    if (call?.hasPackets) {
      agenda.after(0, () => tell(unsupported(`A call to "${mcu}" takes no text.`)));
      return;
    }
    this.exchange(
      timeoutMs,
      () => {
        if (this.hasStaleRoute) return routeStale();
        return call?.phase === 'established' ? accepted : dialogGone();
      },
      tell,
    );
  }

  // ------------------------------------------------------------------------------------------------- what reaches us

  notify(dialog: Dialog, event: SignalingEvent): void {
    const { route } = this.system;
    if (route.path !== 'up') return;
    this.travelDown(() => {
      if (route.path === 'up' && !dialog.lost) this.tell(event);
    });
  }

  hangUp(call: Call): void {
    const { route } = this.system;
    const { callId, mcu } = call;
    if (route.path !== 'up') return;
    this.travelDown(() => {
      if (route.path !== 'up' || this.calls.get(callId) !== call) return;
      this.calls.delete(callId);
      this.tell({ event: 'call-ended', callId, mcu, reason: 'RemoteHungUp' });
    });
  }

  /** Packets take another way than signaling, so no hop is asked. */
  mediaChanged(call: Call): void {
    const report = call.report(this.system.agenda.now());
    this.travelDown(() => {
      if (this.calls.get(call.callId) === call) this.tell(report);
    });
  }

  /** Our own hop takes no connections any more: told once, if there is a dialog. */
  connectionLost(): void {
    if (!this.established || !this.connected) return;
    this.connected = false;
    this.touch();
    const { dialog } = this;
    this.system.agenda.after(0, () =>
      this.tell({ event: 'transport-lost', dialog, message: 'The first hop closed the connection.' }),
    );
  }

  /** It takes connections again: told to whoever was told of the loss. */
  connectionRestored(): void {
    if (this.connected) return;
    this.connected = true;
    this.touch();
    const { dialog } = this;
    if (this.established) this.system.agenda.after(0, () => this.tell({ event: 'transport-restored', dialog }));
  }

  private tell(event: SignalingEvent): void {
    if (this.closed) return;
    if ('dialog' in event && event.dialog !== this.dialog && event.event !== 'left' && event.event !== 'outcome')
      return;
    switch (event.event) {
      case 'joined':
        this.established = true;
        break;
      case 'join-failed':
      case 'ended':
        this.silence();
    }
    this.touch();
    this.listener(event);
  }

  /** No dialog speaks from now on. */
  private silence(): void {
    this.dialog = 0;
    this.established = false;
  }

  // --------------------------------------------------------------------------------------------------------- the way

  /**
   * One request and its answer. `serve` answers where the request arrives, `done` gets the one outcome, which is a time-out
   * when the answer is not here within `timeoutMs`, whatever became of the request.
   */
  private exchange(timeoutMs: number, serve: () => Outcome, done: (outcome: Outcome) => void): void {
    const { agenda, route } = this.system;
    if (this.awaited.size >= poolLimits.requests) {
      agenda.after(0, () => done(refused(500, undefined, `More than ${poolLimits.requests} requests await an answer`)));
      return;
    }
    const deadline = agenda.now() + Math.max(0, timeoutMs);
    const settle = (outcome: Outcome): void => {
      if (this.awaited.delete(settle)) done(outcome);
    };
    this.awaited.add(settle);
    const expire = (): Appointment => agenda.at(deadline, () => settle(noAnswer(timeoutMs)));
    const lose = (written: boolean): unknown =>
      route.path === 'refuse' ? agenda.after(0, () => settle(connectionRefused(written))) : expire();

    if (route.path !== 'up') {
      lose(false);
      return;
    }
    const arrivesAt = this.travelUp(() => {
      if (route.path !== 'up') return lose(true);
      const outcome = serve();
      const returnsAt = this.travelDown(() => (route.path === 'up' ? settle(outcome) : lose(true)));
      return returnsAt > deadline ? expire() : undefined;
    });
    if (arrivesAt > deadline) expire();
  }

  private travelUp(arrive: () => void): number {
    const { agenda, route } = this.system;
    this.latestUp = Math.max(agenda.now() + route.travelMs(), this.latestUp);
    agenda.at(this.latestUp, () => this.arrive(arrive));
    return this.latestUp;
  }

  private travelDown(arrive: () => void): number {
    const { agenda, route } = this.system;
    this.latestDown = Math.max(agenda.now() + route.travelMs(), this.latestDown);
    agenda.at(this.latestDown, () => this.arrive(arrive));
    return this.latestDown;
  }

  /** Whatever arrives, at either end, may change what is to be kept. */
  private arrive(arrive: () => void): void {
    arrive();
    this.touch();
  }

  private touch(): void {
    this.system.touch(this.conference);
  }

  // --------------------------------------------------------------------------------------------------- over restarts

  /** What is to be kept of the conference; null when we have no part in it. */
  saved(): JsonObject | null {
    const { dialog, established, connected, routeSet, sessionTimer, conferenceOver } = this;
    if (dialog === 0 && this.calls.size === 0) return null;
    const focus = this.system.foci.get(this.conference);
    const calls: SavedCall[] = [];
    for (const call of this.calls.values()) {
      const { phase } = call;
      // One that is being placed ends with the process: its answer reaches nobody.
      if (phase !== 'established' && phase !== 'over') continue;
      calls.push({ ...call.saved(focus?.mcu(call.mcu)?.calls.has(call) === true), phase });
    }
    const line = { dialog, established, connected, routeSet, sessionTimer, conferenceOver, calls };
    const saved: SavedConference = { version: 1, line, focus: focus?.saved(this) ?? null };
    // Plain data once and for all: documents that were sent may hold the same objects.
    return JSON.parse(JSON.stringify(saved)) as JsonObject;
  }

  /** Takes up what was kept; false when it cannot be used. */
  restore(saved: JsonObject): boolean {
    const read = readConference(saved);
    if (!read) return false;
    const { line, focus: kept } = read;
    const { calls, ...own } = line;
    Object.assign(this, own);
    const { system, conference } = this;
    const { uri } = this.identity;
    // One that is there has gone on without us, and knows better what it still has.
    const there = system.foci.get(conference);
    const focus = there ?? (kept && system.restored(conference, kept));
    let someLost = false;
    for (const saved of calls) {
      const call = Call.restored(this, saved);
      this.calls.set(call.callId, call);
      const mcu = focus?.mcu(call.mcu);
      const known = there ? mcu && takeFrom(mcu, call) : saved.known && mcu?.host;
      if (known) {
        mcu?.calls.add(call);
        continue;
      }
      Object.assign(call, { phase: 'over', flowing: false });
      someLost ||= saved.known;
    }
    if (someLost) focus?.callsChanged(uri);
    const dialog = there ? there.dialogs.get(uri) : kept?.dialog;
    if (dialog && dialog.number === kept?.dialog?.number) focus?.resume(dialog, this);
    this.touch();
    return true;
  }

  /** Is our dialog still there? If so, all is told that we may have missed. */
  private resume({ dialog, timeoutMs }: Effect<'resume'>): void {
    const { agenda, foci } = this.system;
    const sentAt = agenda.now();
    const about = { event: 'outcome', requestId: 'resume', dialog, purpose: 'refresh', method: 'UPDATE' } as const;
    let answering: Dialog | null = null;
    this.exchange(
      timeoutMs,
      () => {
        if (this.hasStaleRoute) return routeStale();
        if (this.system.frontEnds.living === 0) return focusAway();
        answering = this.dialogAtFocus(dialog);
        if (answering === null) return dialogGone();
        foci.get(this.conference)?.welcomeBack(answering);
        return accepted;
      },
      (answer) => {
        const outcome = unlessLost(answering, answer);
        this.tell({ ...about, outcome, elapsedMs: agenda.now() - sentAt });
        if (outcome.kind !== 'ok') return;
        for (const call of [...this.calls.values()]) {
          this.missCall(call.callId, call.mcu);
          if (call.phase === 'established' && call.hasPackets) this.mediaChanged(call);
        }
      },
    );
  }

  /** A call that is not there any more has been hung up by the other side. */
  private missCall(callId: string, mcu: string): void {
    const call = this.calls.get(callId);
    if (call && call.phase !== 'over') return;
    this.calls.delete(callId);
    this.system.agenda.after(0, () => this.tell({ event: 'call-ended', callId, mcu, reason: 'RemoteHungUp' }));
  }
}

/** An answer, when it is here: the Focus may have died on the dialog meanwhile. */
function unlessLost(answering: Dialog | null, outcome: Outcome): Outcome {
  return answering?.lost && outcome.kind !== 'unreachable' ? dialogGone() : outcome;
}

/** Takes a call from our end as it was before; false when the MCU does not know it any more. */
function takeFrom(mcu: Mcu, { callId, caller }: Call): boolean {
  const ours = (one: Call): boolean => one.callId === callId && one.caller.identity.uri === caller.identity.uri;
  return [...mcu.calls].filter(ours).some((one) => mcu.calls.delete(one));
}

function methodOf({ purpose, method = 'UPDATE' }: Request): string {
  switch (purpose) {
    case 'operation':
      return 'INFO';
    case 'heal':
      return method === 're-INVITE' ? 'INVITE' : method;
    case 'subscription':
      return 'SUBSCRIBE';
    case 'rejoin':
      return 'INVITE';
    case 'probe':
    case 'refresh':
      return 'OPTIONS';
  }
}
