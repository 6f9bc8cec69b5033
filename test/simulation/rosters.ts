/** Invariant 7: whoever applies the facts one by one has the same roster, lobby and properties as the session. */
import type { ConferenceSessionState } from '../../nodes/recovery/conference-session';
import type { McuSessionState } from '../../nodes/recovery/mcu-session';
import type { JsonObject, LobbyChanged, Participant, RosterChanged } from '../../nodes/recovery/messages';
import type { Message } from '../../nodes/recovery/step';
import { holds } from './violation';

/** What facts have told of the participants of one session. */
class Told {
  readonly participants = new Map<string, Participant>();

  apply({ joined, left, changed, total }: RosterChanged): void {
    for (const one of left) {
      holds(this.participants.delete(one.entity), 7, () => `${one.entity} left, and was not there`);
    }
    for (const one of joined) {
      holds(!this.participants.has(one.entity), 7, () => `${one.entity} joined, and was there`);
      this.participants.set(one.entity, one);
    }
    for (const one of changed) {
      holds(this.participants.has(one.entity), 7, () => `${one.entity} changed, and was not there`);
      this.participants.set(one.entity, one);
    }
    holds(this.participants.size === total, 7, () => `${this.participants.size} participants, and ${total} were told`);
  }

  equals(actual: { readonly [entity: string]: Participant }): boolean {
    let count = 0;
    for (const entity in actual) {
      count += 1;
      const told = this.participants.get(entity);
      if (told !== actual[entity] && !same(told, actual[entity])) return false;
    }
    return count === this.participants.size;
  }
}

/** Follows the rosters of all sessions of one schedule. */
export class Rosters {
  private session = new Told();
  private readonly mcus = new Map<string, Told>();
  private readonly lobby = new Set<string>();
  private properties: JsonObject = {};

  /** A step of the conference session, with what it said. */
  sessionStepped(before: ConferenceSessionState, after: ConferenceSessionState, messages: readonly Message[]): void {
    for (const message of messages) {
      if (!('event' in message)) continue;
      if (message.event === 'roster-changed') this.session.apply(message);
      else if (message.event === 'lobby-changed') this.applyLobby(message);
      else if (message.event === 'properties-changed') this.properties = { ...this.properties, ...message.changed };
      // What an ended session showed is over with it.
      else if (message.event === 'state-changed' && (message.state === 'Disconnected' || message.state === 'Idle'))
        this.forget(message.state);
    }
    if (before.roster !== after.roster) {
      holds(this.session.equals(after.roster.participants), 7, () => 'the roster of the conference session differs');
    }
    if (before.lobby !== after.lobby) {
      const agrees =
        after.lobby.length === this.lobby.size && after.lobby.every(({ entity }) => this.lobby.has(entity));
      holds(agrees, 7, () => 'the lobby differs');
    }
    if (before.properties !== after.properties) {
      holds(same(this.properties, after.properties), 7, () => 'the properties differ');
    }
  }

  /** A step of an MCU session, with what it said. */
  mcuStepped(before: McuSessionState, after: McuSessionState, messages: readonly Message[]): void {
    if (before.participants === after.participants && messages.length === 0) return;
    let told = this.mcus.get(after.mcu) ?? new Told();
    for (const message of messages) {
      if ('event' in message && message.event === 'roster-changed') told.apply(message);
    }
    if (after.phase === 'Terminated' || after.phase === 'Unbound') told = new Told();
    else holds(told.equals(after.participants), 7, () => `the roster of the ${after.mcu} session differs`);
    this.mcus.set(after.mcu, told);
  }

  /** The node of an MCU session has come again. */
  forgetMcu(mcu: string): void {
    this.mcus.delete(mcu);
  }

  private forget(state: 'Disconnected' | 'Idle'): void {
    holds(state === 'Disconnected' || this.session.participants.size === 0, 7, () => 'Idle with participants');
    this.session = new Told();
    this.lobby.clear();
    this.properties = {};
  }

  private applyLobby({ added, removed }: LobbyChanged): void {
    for (const { entity } of removed) {
      holds(this.lobby.delete(entity), 7, () => `${entity} left the lobby, and was not there`);
    }
    for (const { entity } of added) {
      holds(!this.lobby.has(entity), 7, () => `${entity} came to the lobby, and was there`);
      this.lobby.add(entity);
    }
  }
}

/** Are two plain values the same? */
function same(one: unknown, other: unknown): boolean {
  if (one === other) return true;
  if (typeof one !== 'object' || typeof other !== 'object' || one === null || other === null) return false;
  const names = Object.keys(one);
  if (names.length !== Object.keys(other).length) return false;
  return names.every((name) => same((one as JsonObject)[name], (other as JsonObject)[name]));
}
