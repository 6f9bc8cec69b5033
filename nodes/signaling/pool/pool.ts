/**
 * The embedded pool: a conferencing system inside the process, with front ends, Focus, MCUs, hops, a lobby, and faults on
 * purpose. It runs on a clock that it is given and draws no randomness but from its seed, so that the same calls at the
 * same times give the same events. One pool serves one endpoint; others take part through ports of their own.
 */
import type { JsonObject } from '../../recovery/messages';
import type { SignalingEffect, SignalingEvent } from '../../recovery/signaling';
import type { Clock, SignalingPort } from '../port';
import { type FaultResult, injectFault, type PoolFault, statusOf } from './faults';
import { Line } from './line';
import type { PoolOptions } from './options';
import { type Identity, Member, System } from './system';

export type { FaultResult, PoolFault } from './faults';
export { type PoolOptions, poolDefaults, poolLimits } from './options';
export type { Identity } from './system';

/** An embedded pool and its port. */
export class Pool {
  private readonly system: System;
  private served = false;

  /** What is not given is as in `poolDefaults`. Throws a RangeError for a pool that cannot be. */
  constructor(options: Partial<PoolOptions>, clock: Clock) {
    this.system = new System(options, clock);
  }

  /** The pool as this participant sees it; to be called once. Closing the port closes the pool. */
  port(identity: Identity): SignalingPort {
    if (this.served) throw new Error('A pool serves one endpoint, and its port was taken already.');
    this.served = true;
    this.system.ours.identity = identity;
    return new PoolPort(this.system, this.system.ours);
  }

  /**
   * The pool as somebody else sees it, who is one more participant in its conferences: a port per URI. Closing the port
   * says BYE; the pool goes on.
   */
  guestPort(identity: Identity): SignalingPort {
    const guest = new Member(identity);
    if (!this.system.closed) this.system.members.add(guest);
    return new PoolPort(this.system, guest);
  }

  /** Injects a fault; what it causes is told as events, later. */
  inject(fault: PoolFault, conference: string): FaultResult {
    const result = injectFault(this.system, fault, conference);
    this.system.touch(conference);
    // To be placed in the lobby at the next join is kept apart from the conference, which need not exist.
    this.system.touch(null);
    return result;
  }

  /** Who hosts what, which hops are broken, how many participants there are. */
  status(conference: string): JsonObject {
    return statusOf(this.system, conference);
  }
}

class PoolPort implements SignalingPort {
  constructor(
    private readonly system: System,
    private readonly member: Member,
  ) {}

  attach(conference: string, listener: (event: SignalingEvent) => void): void {
    if (!this.system.members.has(this.member)) return;
    this.detach(conference);
    this.member.lines.set(conference, new Line(this.system, this.member, conference, listener));
  }

  perform(conference: string, effect: SignalingEffect): void {
    this.member.lines.get(conference)?.perform(effect);
  }

  detach(conference: string): void {
    this.member.lines.get(conference)?.detach();
    this.forget(conference);
  }

  saved(conference: string): JsonObject | null {
    const line = this.member === this.system.ours ? this.member.lines.get(conference) : undefined;
    return line ? this.system.keep(conference, () => line.saved()) : null;
  }

  restore(conference: string, saved: JsonObject): boolean {
    return this.member.lines.get(conference)?.restore(saved) ?? false;
  }

  savedSystem(): JsonObject | null {
    return this.system.keep(null, () => this.system.saved());
  }

  restoreSystem(saved: JsonObject): boolean {
    return this.system.restoreSaved(saved);
  }

  watch(changed: (conference: string | null) => void): void {
    this.system.watch(changed);
  }

  abandon(conference: string): void {
    this.member.lines.get(conference)?.close();
    this.forget(conference);
  }

  async release(): Promise<void> {
    for (const line of this.member.lines.values()) line.interrupt();
    for (const conference of [...this.member.lines.keys()]) this.abandon(conference);
    return this.close();
  }

  /** There is nothing to be kept of it any more. */
  private forget(conference: string): void {
    if (this.member.lines.delete(conference)) this.system.touch(conference);
  }

  async close(): Promise<void> {
    if (this.member === this.system.ours) return this.system.close();
    for (const conference of [...this.member.lines.keys()]) this.detach(conference);
    this.system.members.delete(this.member);
  }
}
