/**
 * One conference: its Focus, its roster and lobby, and its MCUs. What it knows is replicated over the pool, as in a real
 * one: when its front end dies, the dialogs are lost and the conference is not.
 */
import type { JsonObject, McuReport, Media, Participant } from '../../recovery/messages';
import type {
  ConferenceDocument,
  DocumentUser,
  McuReports,
  Placement,
  SignalingEffect,
  SignalingEvent,
} from '../../recovery/signaling';
import type { Appointment } from './agenda';
import { focusAway, type Refusal, refused } from './answers';
import type { Call } from './call';
import type { FrontEnd } from './front-ends';
import { poolLimits } from './options';
import {
  deletedUser,
  documentUser,
  mediaOf,
  mediaTypesOf,
  medium,
  plainParticipant,
  user,
  withMedia,
} from './participants';
import { hash } from './random';
import type { SavedFocus } from './saved';
import type { Identity, System } from './system';

/** Whoever has a dialog with the Focus, and gets its notifications. */
export interface Subscriber {
  readonly identity: Identity;
  /** Sends something over the route. It is lost when the route breaks, or the Focus dies on its dialog, on the way. */
  notify(dialog: Dialog, event: SignalingEvent): void;
}

/** A dialog with the Focus, as the Focus sees it. */
export class Dialog {
  /** Version of the latest document of its subscription. */
  version = 0;
  /** Did the Focus die on it? Then nothing that was on its way arrives. */
  lost = false;

  constructor(
    readonly number: number,
    readonly subscriber: Subscriber,
    public placement: Placement,
  ) {}
}

/** One MCU of a conference. */
export interface Mcu {
  readonly name: string;
  /** Spreads the MCUs of a conference over the front ends. */
  readonly key: number;
  report: Exclude<McuReport, 'unsupported'>;
  /** Null while it fails over. */
  host: FrontEnd | null;
  /** The front end that it failed on, and is not to live on again if there is another one. */
  failed: FrontEnd | null;
  /** When it becomes active; null when it is, or when it waits for any front end to come up. */
  activation: Appointment | null;
  readonly calls: Set<Call>;
}

type Join = Extract<SignalingEffect, { effect: 'join' }>;

/** A conference, as its Focus knows it. */
export class Focus {
  /** The roster, by entity. */
  readonly users = new Map<string, DocumentUser>();
  /** Those who wait to be let in, by entity. */
  readonly lobby = new Map<string, DocumentUser>();
  readonly mcus: readonly Mcu[];
  /** Properties that documents state; replaced, never changed. */
  properties: JsonObject = { locked: false };
  /** Null while the Focus fails over. */
  host: FrontEnd | null;
  /** Dialogs with participants, by their entity. */
  readonly dialogs = new Map<string, Dialog>();
  private move: Appointment | null = null;
  /** Where the Focus failed, while it moves. */
  private failed: FrontEnd | null = null;
  private readonly key: number;
  private moves = 0;

  constructor(
    private readonly system: System,
    readonly uri: string,
    saved: SavedFocus | null = null,
  ) {
    const { options, frontEnds, agenda } = system;
    this.key = hash(uri, options.seed);
    this.host = frontEnds.place(this.key, []);
    this.mcus = options.mcus.map((name, index) => {
      const mcu: Mcu = {
        name,
        key: this.key + index,
        report: 'inactive',
        host: null,
        failed: null,
        activation: null,
        calls: new Set(),
      };
      return mcu;
    });
    if (saved) {
      this.restore(saved);
      return;
    }
    for (const mcu of this.mcus) {
      this.placeMcu(mcu);
      this.activateAt(mcu, agenda.now() + options.mcuActivationMs);
    }
    for (const [index, entity] of options.participants.entries()) {
      this.users.set(entity, user(entity, index === 0 ? 'presenter' : 'attendee', this.initialMedia(index)));
    }
  }

  // ------------------------------------------------------------------------------------------------------- over restarts

  /** What is to be kept, as far as one participant of ours is concerned. */
  saved(ours: Subscriber): SavedFocus {
    const { uri } = ours.identity;
    // Also those whose dialogs the Focus has lost.
    const guests = new Set(this.dialogs.keys());
    for (const { identity, lines } of this.system.members) if (lines.has(this.uri)) guests.add(identity.uri);
    guests.delete(uri);
    const isGuest = ({ entity }: DocumentUser): boolean => guests.has(entity);
    const dialog = this.dialogs.get(uri);
    const { properties, host, moves, move, failed } = this;
    return {
      users: [...this.users.values()].filter((one) => !isGuest(one)).map(plainParticipant),
      lobby: [...this.lobby.values()].filter((one) => !isGuest(one)).map(plainParticipant),
      properties,
      host: host?.name ?? null,
      moves,
      move: move && { at: move.at, failed: failed?.name ?? null },
      mcus: this.mcus.map((mcu) => ({
        name: mcu.name,
        report: mcu.report,
        host: mcu.host?.name ?? null,
        failed: mcu.failed?.name ?? null,
        activationAt: mcu.activation?.at ?? null,
      })),
      dialog:
        dialog?.subscriber === ours
          ? { number: dialog.number, version: dialog.version, placement: dialog.placement }
          : null,
    };
  }

  /** What was kept, and what has become of it since: servers may be down, or may be no longer. */
  private restore({ users, lobby, properties, host, moves, move, mcus }: SavedFocus): void {
    const { frontEnds, agenda, options } = this.system;
    for (const one of users) this.users.set(one.entity, documentUser(one));
    for (const one of lobby) this.lobby.set(one.entity, documentUser(one));
    this.properties = properties;
    this.moves = moves;
    this.host = frontEnds.livingOne(host);
    const failed = frontEnds.named(move?.failed ?? '') ?? null;
    // What waited for a front end need not wait where there is one.
    const someLive = frontEnds.living > 0;
    const past: { at: number; run: () => void }[] = [];
    if (move && move.at <= agenda.now()) past.push({ at: move.at, run: () => this.placeFocus(failed) });
    else if (move) this.moveAt(move.at, failed);
    else if (this.host === null && (host !== null || someLive)) this.moveAt(agenda.now() + options.failoverMs, null);
    for (const mcu of this.mcus) {
      const kept = mcus.find(({ name }) => name === mcu.name);
      mcu.failed = frontEnds.named(kept?.failed ?? '') ?? null;
      mcu.report = kept?.report ?? 'inactive';
      mcu.host = frontEnds.livingOne(kept?.host ?? null);
      if (kept && kept.activationAt !== null) {
        if (kept.activationAt <= agenda.now()) past.push({ at: kept.activationAt, run: () => this.comeUp(mcu) });
        else this.activateAt(mcu, kept.activationAt);
      } else if (mcu.host === null && (!kept || kept.host !== null || someLive)) {
        if (kept && kept.host !== null) mcu.report = 'failing-over';
        this.activateAt(mcu, agenda.now() + (kept ? options.mcuFailoverMs : options.mcuActivationMs));
      }
    }
    // Where each finds a place depends on where the others are by then.
    past.sort((one, other) => one.at - other.at);
    for (const { run } of past) run();
  }

  /** The dialog that a participant had when it was kept, if the Focus has not lost it since. */
  resume(kept: NonNullable<SavedFocus['dialog']>, subscriber: Subscriber): void {
    if (this.host === null) return;
    const dialog = new Dialog(kept.number, subscriber, kept.placement);
    dialog.version = kept.version;
    this.dialogs.set(subscriber.identity.uri, dialog);
  }

  /** Somebody has come back: everything, as the first that a subscription of its own tells, and how each MCU is. */
  welcomeBack(dialog: Dialog): void {
    if (dialog.placement === 'lobby') return;
    const { number, subscriber } = dialog;
    dialog.version = 0;
    subscriber.notify(dialog, {
      event: 'document',
      dialog: number,
      document: this.document(dialog),
      newSubscription: true,
    });
    for (const { name, report } of this.mcus)
      subscriber.notify(dialog, { event: 'mcu-report', dialog: number, mcu: name, report });
  }

  /** The MCU of this name. */
  mcu(name: string): Mcu | undefined {
    return this.mcus.find((mcu) => mcu.name === name);
  }

  // ---------------------------------------------------------------------------------------------------- who has a dialog

  /** Lets somebody in, or into the lobby; replaces the dialog that they had. */
  join(
    { dialog: number, rejoin, displayName, role }: Join,
    subscriber: Subscriber,
    toLobby: boolean,
  ): Dialog | Refusal {
    if (this.host === null) return focusAway();
    const { uri } = subscriber.identity;
    const known = this.users.get(uri);
    if (!known && !this.lobby.has(uri) && !this.hasRoom())
      return refused(403, 'MaximumMeetingSizeExceeded', roomMessage);
    const waits = rejoin ? this.lobby.has(uri) || (this.system.options.lobby && !known) : this.system.options.lobby;
    const placement: Placement = toLobby || waits ? 'lobby' : 'conference';
    const self = user(
      uri,
      role ?? known?.roles[0] ?? 'attendee',
      this.mediaInCalls(uri, known),
      displayName ?? subscriber.identity.displayName,
    );
    const [enters, leaves] = placement === 'conference' ? [this.users, this.lobby] : [this.lobby, this.users];
    this.dialogs.delete(uri);
    enters.set(uri, self);
    const changesPlace = leaves.delete(uri);
    if (placement === 'conference') this.publish([self], changesPlace);
    else this.publish(changesPlace ? [deletedUser(uri)] : [], true);
    const dialog = new Dialog(number, subscriber, placement);
    this.dialogs.set(uri, dialog);
    return dialog;
  }

  /** A participant left. It also clears up what a lost dialog had left behind, as a Focus does with those without one. */
  leave(subscriber: Subscriber, number: number): void {
    const { uri } = subscriber.identity;
    const dialog = this.dialogs.get(uri);
    if (dialog !== undefined && (dialog.subscriber !== subscriber || dialog.number !== number)) return;
    this.forget(uri);
  }

  /** The conference is over: the Focus ends everybody's participation, and their calls. */
  dismissAll(): void {
    const dialogs = [...this.dialogs.values()];
    this.dialogs.clear();
    for (const mcu of this.mcus) for (const { caller } of mcu.calls) this.hangUp(mcu, caller.identity.uri);
    for (const dialog of dialogs) this.dismiss(dialog, 'conference-ended');
  }

  /** Shows somebody's media as their calls have them; says nothing when they are as before. */
  callsChanged(entity: string): void {
    const known = this.users.get(entity);
    if (!known) return;
    const before = mediaOf(known);
    const media = this.mediaInCalls(entity, known);
    if (media.length === before.length && media.every((one) => before.includes(one))) return;
    this.put(withMedia(known, media));
  }

  private dismiss(dialog: Dialog, cause: 'ejected' | 'conference-ended'): void {
    dialog.subscriber.notify(dialog, { event: 'ended', dialog: dialog.number, cause });
  }

  private forget(entity: string): void {
    this.dialogs.delete(entity);
    if (this.users.delete(entity)) this.publish([deletedUser(entity)]);
    if (this.lobby.delete(entity)) this.publish([], true);
    for (const mcu of this.mcus) this.hangUp(mcu, entity);
  }

  private mediaInCalls(entity: string, known: DocumentUser | undefined): Media[] {
    const before = known ? mediaOf(known) : [];
    const media: Media[] = [];
    for (const mcu of this.mcus) {
      for (const call of mcu.calls) {
        if (call.caller.identity.uri !== entity) continue;
        for (const type of call.media) {
          if (media.some(({ id }) => id === type)) continue;
          media.push(before.find(({ id }) => id === type) ?? medium(type));
        }
      }
    }
    return media;
  }

  // --------------------------------------------------------------------------------------------------- participants

  /** Is there room for one more? */
  hasRoom(): boolean {
    return this.users.size + this.lobby.size < poolLimits.participants;
  }

  /** Adds or changes a participant. */
  put(changed: DocumentUser): void {
    this.putAll([changed]);
  }

  /** Adds or changes participants, in one document. */
  putAll(changed: DocumentUser[]): void {
    for (const one of changed) this.users.set(one.entity, one);
    this.publish(changed);
  }

  /** Another participant comes, or waits in the lobby if new joiners do. */
  arrive(entity: string): void {
    const newcomer = user(entity, 'attendee', this.initialMedia(this.users.size));
    if (!this.system.options.lobby) {
      this.put(newcomer);
      return;
    }
    this.lobby.set(entity, newcomer);
    this.publish([], true);
  }

  /** A participant goes, or stops waiting; who has a dialog is told. False if there is no such participant. */
  remove(entity: string): boolean {
    if (!this.users.has(entity) && !this.lobby.has(entity)) return false;
    const dialog = this.dialogs.get(entity);
    this.forget(entity);
    if (dialog) this.dismiss(dialog, 'ejected');
    return true;
  }

  /** Those who wait get in, or are turned away; while the Focus is away, their next re-join will tell. */
  emptyLobby(entities: Iterable<string>, admitted: boolean): void {
    const changed: DocumentUser[] = [];
    const dialogs: Dialog[] = [];
    for (const entity of entities) {
      const waiting = this.lobby.get(entity) as DocumentUser;
      this.lobby.delete(entity);
      const dialog = this.dialogs.get(entity);
      if (dialog) dialogs.push(dialog);
      if (!admitted) {
        this.dialogs.delete(entity);
        continue;
      }
      this.users.set(entity, waiting);
      changed.push(waiting);
    }
    this.publish(changed, true);
    for (const dialog of dialogs) {
      if (admitted) this.admit(dialog);
      else this.dismiss(dialog, 'ejected');
    }
  }

  private admit(dialog: Dialog): void {
    dialog.placement = 'conference';
    dialog.subscriber.notify(dialog, {
      event: 'admitted',
      dialog: dialog.number,
      document: this.document(dialog),
      mcus: this.reports(),
    });
  }

  /** Sets properties of the conference; says nothing when they had these values. */
  configure(properties: JsonObject): void {
    const changed: JsonObject = {};
    let any = false;
    for (const name in properties) {
      if (this.properties[name] === properties[name]) continue;
      changed[name] = properties[name];
      any = true;
    }
    if (!any) return;
    this.properties = { ...this.properties, ...changed };
    this.publish([], false, changed);
  }

  private initialMedia(index: number): Media[] {
    const { mcus } = this.system.options;
    const media: Media[] = [];
    if (mcus.includes('audio-video')) media.push(medium('audio'));
    if (mcus.includes('chat') && index % 2 === 0) media.push(medium('text'));
    return media;
  }

  // ------------------------------------------------------------------------------------------------------ documents

  /** The next document of a subscription, with everything in it. */
  document(dialog: Dialog): ConferenceDocument {
    dialog.version += 1;
    return {
      state: 'full',
      version: dialog.version,
      users: [...this.users.values()],
      lobby: this.waiting(),
      properties: this.properties,
    };
  }

  /** Sends a full document, unless they wait in the lobby. */
  publishTo(dialog: Dialog): void {
    if (dialog.placement === 'lobby') return;
    dialog.subscriber.notify(dialog, { event: 'document', dialog: dialog.number, document: this.document(dialog) });
  }

  private waiting(): Participant[] {
    return [...this.lobby.values()].map(plainParticipant);
  }

  private publish(users: DocumentUser[], lobbyChanged = false, properties?: JsonObject): void {
    const lobby = lobbyChanged ? this.waiting() : undefined;
    for (const dialog of this.attending()) {
      dialog.version += 1;
      const document: ConferenceDocument = { state: 'partial', version: dialog.version, users };
      if (lobby) document.lobby = lobby;
      if (properties) document.properties = properties;
      dialog.subscriber.notify(dialog, { event: 'document', dialog: dialog.number, document });
    }
  }

  /** Dialogs with those who do not wait in the lobby. */
  private attending(): Dialog[] {
    return [...this.dialogs.values()].filter(({ placement }) => placement === 'conference');
  }

  // ------------------------------------------------------------------------------------------------------------ MCUs

  /** What the Focus says of each MCU. */
  reports(): McuReports {
    const reports: McuReports = {};
    for (const { name, report } of this.mcus) reports[name] = report;
    return reports;
  }

  /** An MCU fails and will be active again after a time; its side of our calls is gone, without a word. */
  rollOver(mcu: Mcu, forMs: number): void {
    const { agenda } = this.system;
    agenda.cancel(mcu.activation);
    mcu.failed = mcu.host;
    mcu.host = null;
    this.activateAt(mcu, agenda.now() + forMs);
    this.report(mcu, 'failing-over');
    if (mcu.calls.size === 0) return;
    const calls = [...mcu.calls];
    mcu.calls.clear();
    for (const entity of new Set(calls.map(({ caller }) => caller.identity.uri))) this.callsChanged(entity);
    for (const call of calls) call.lose(agenda.now());
  }

  /** The MCU hangs up on somebody. */
  hangUp(mcu: Mcu, entity: string): void {
    const calls = [...mcu.calls].filter(({ caller }) => caller.identity.uri === entity);
    for (const call of calls) {
      mcu.calls.delete(call);
      call.lose(this.system.agenda.now());
      call.caller.hangUp(call);
    }
  }

  private placeMcu(mcu: Mcu): void {
    const { options, frontEnds } = this.system;
    const { failed } = mcu;
    const together = options.mcuPlacement === 'together' && this.host !== null && this.host !== failed;
    mcu.host = together ? this.host : frontEnds.place(mcu.key, [failed, this.host]);
  }

  private activateAt(mcu: Mcu, at: number): void {
    mcu.activation = this.system.agenda.at(at, () => this.comeUp(mcu));
  }

  private comeUp(mcu: Mcu): void {
    if (mcu.host === null) this.placeMcu(mcu);
    this.activate(mcu);
  }

  /** Without a front end to live on, it goes on failing over until one is restored. */
  private activate(mcu: Mcu): void {
    mcu.activation = null;
    mcu.failed = null;
    this.system.touch(this.uri);
    if (mcu.host !== null) this.report(mcu, 'active');
  }

  private report(mcu: Mcu, report: Mcu['report']): void {
    mcu.report = report;
    for (const dialog of this.attending()) {
      dialog.subscriber.notify(dialog, { event: 'mcu-report', dialog: dialog.number, mcu: mcu.name, report });
    }
  }

  // ------------------------------------------------------------------------------------------------------ front ends

  /** What the death of a front end does to this conference. */
  frontEndDied(frontEnd: FrontEnd): void {
    const { agenda, options } = this.system;
    if (this.host === frontEnd) {
      this.host = null;
      for (const dialog of this.dialogs.values()) dialog.lost = true;
      this.dialogs.clear();
      this.moveAt(agenda.now() + options.failoverMs, frontEnd);
    }
    for (const mcu of this.mcus) if (mcu.host === frontEnd) this.rollOver(mcu, options.mcuFailoverMs);
  }

  /** A front end is up again: what waited for one lives on it. */
  frontEndRestored(): void {
    if (this.host === null && this.move === null) this.placeFocus(null);
    for (const mcu of this.mcus) {
      if (mcu.host !== null || mcu.activation !== null) continue;
      mcu.failed = null;
      this.placeMcu(mcu);
      this.activate(mcu);
    }
  }

  private moveAt(at: number, failed: FrontEnd | null): void {
    this.failed = failed;
    this.move = this.system.agenda.at(at, () => {
      this.move = null;
      this.placeFocus(failed);
      this.system.touch(this.uri);
    });
  }

  private placeFocus(failed: FrontEnd | null): void {
    this.moves += 1;
    this.host = this.system.frontEnds.place(this.key + this.moves, [failed]);
  }
}

const roomMessage = `A conference of the pool has at most ${poolLimits.participants} participants`;

/** Does this MCU mix that medium? */
export function mixes(mcu: Mcu, { type, id }: Media): boolean {
  return mediaTypesOf(mcu.name).includes(type ?? id);
}
