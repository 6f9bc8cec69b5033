/** The flow of an endpoint: one connection at a time, to one of the targets of its server, for as long as it is wanted. */
import type { Clock } from '../../port';
import { Avoidance } from './avoidance';
import { type Connection, type ConnectionFailure, type ConnectionSettings, connect } from './connection';
import { type Flow, type FlowAddress, FlowError, type FlowListener } from './flow';
import { LifeSigns } from './life-signs';
import type { Target, TransportName } from './targets';

/** Nobody reads at the other end when so much waits to be sent, in bytes. */
const longestBacklog = 8 * 1024 * 1024;
/** A connection that lasted less, in ms, counts as one more failure: what flaps is not retried at network speed. */
const steadyAfterMs = 5000;
/** Requests bring the next attempt forward, but not sooner than this after a failed one, in ms. */
const attemptsApartMs = 1000;
const longestDelayMs = 30_000;
/** How long DNS is waited for where targets are known from before, in ms: they may serve on. */
const knownMs = 2000;
/** How long it is waited for where none are, in ms: several questions follow each other, and each may be asked twice. */
const unknownMs = 10_000;
/** How long a sign of life is waited for once it has been asked for, in ms. */
const answerMs = 5000;
/** Silence after a request that tells a failed target where nothing can be asked (UDP), beside `answerMs`, in ms. */
const silenceMs = 6000;

/** Names in Via (RFC 3261, 20.42; RFC 7118, 5.1). */
const viaNames: { readonly [transport in TransportName]: string } = {
  udp: 'UDP',
  tcp: 'TCP',
  tls: 'TLS',
  ws: 'WS',
  wss: 'WSS',
};

/** What a flow needs to know. */
export interface FlowOptions extends Omit<ConnectionSettings, 'clock'> {
  /** Finds the targets, in the order in which to try them; rejects when nobody can say, or when it is called off. */
  find: { targets(): Promise<Target[]>; cancel(): void };
  /** How long connecting to a target may take, in ms. */
  connectTimeoutMs: number;
  /** After so much silence a sign of life is asked for, in ms; 0: never. */
  keepAliveMs: number;
  /** Uniform in [0, 1): jitter of the reconnection delays. */
  random: () => number;
}

/**
 * How long to wait before reconnecting, in ms: at once, then 1, 2, 4, … 30 s, each shortened at random by up to a half
 * (the spread of RFC 5626, 4.5, on a faster schedule: a conference is waiting).
 */
export function reconnectionDelay(failures: number, random: number): number {
  if (failures === 0) return 0;
  return Math.min(longestDelayMs, 1000 * 2 ** (failures - 1)) * (1 - random / 2);
}

/** A flow that comes back by itself for as long as its listener wants it: to the same target, or to the next one. */
export class ReconnectingFlow implements Flow {
  local: FlowAddress | null = null;

  private readonly avoidance: Avoidance;
  /** As they were found last. */
  private targets: Target[] = [];
  /** The one that `connection` goes to; the latest one while there is none. */
  private target: Target | null = null;
  private connection: Connection | null = null;
  private lifeSigns: LifeSigns | null = null;
  private busy = false;
  private waiting: ((error?: FlowError) => void)[] = [];
  private cancelTimer: () => void = () => {};
  private failures = 0;
  private upSince = 0;
  private lastFailure: { at: number; error: FlowError } | null = null;
  private closed = false;

  constructor(
    private readonly options: FlowOptions,
    private readonly clock: Clock,
    private readonly listener: FlowListener,
  ) {
    this.avoidance = new Avoidance(clock);
  }

  get protocol(): string {
    return viaNames[this.target?.transport ?? 'tcp'];
  }

  whenUp(done: (error?: FlowError) => void): void {
    if (this.closed) return done(new FlowError('the port is closed', false));
    if (this.local) return done();
    const failed = this.lastFailure;
    if (!this.busy && failed && this.clock.now() - failed.at < attemptsApartMs) return done(failed.error);
    this.waiting.push(done);
    if (!this.busy) this.attempt();
  }

  send(text: string): Promise<void> {
    const { connection } = this;
    if (!connection || !this.local) return Promise.reject(new FlowError('not connected', false));
    if (connection.backlog > longestBacklog) {
      const reason = 'the other end has stopped reading';
      this.lost({ cause: 'transport', reason });
      return Promise.reject(new FlowError(reason, false));
    }
    if (!text.startsWith('SIP/2.0')) this.lifeSigns?.requested();
    return new Promise((resolve, reject) => {
      connection.send(text, (error) => (error ? reject(new FlowError(error.message, true)) : resolve()));
    });
  }

  moveOn(message: string, retryAfterMs?: number): boolean {
    const { target } = this;
    if (this.closed || !target) return false;
    if (this.local) this.avoidance.avoid(target, retryAfterMs);
    if (!this.hasAlternative) return false;
    if (this.local) this.lost({ cause: 'transport', reason: message }, retryAfterMs);
    return true;
  }

  close(): void {
    this.closed = true;
    this.options.find.cancel();
    this.disconnect();
    this.answerWaiting(new FlowError('the port is closed', false));
  }

  // ------------------------------------------------------------------------------------------------------ connecting

  private attempt(): void {
    this.cancelTimer();
    this.busy = true;
    let waits = true;
    const found = (targets: Target[], failure: ConnectionFailure): void => {
      if (!waits || this.closed) return;
      waits = false;
      this.cancelTimer();
      // What is known from before serves while nobody can be asked.
      if (targets.length > 0) this.targets = targets;
      this.tryNext(this.avoidance.sort(this.targets), failure);
    };
    const { domain, find } = this.options;
    const patienceMs = this.targets.length > 0 ? knownMs : unknownMs;
    const silent = { cause: 'transport', reason: `no answer of DNS within ${patienceMs} ms` } as const;
    this.cancelTimer = this.clock.after(patienceMs, () => found([], silent));
    find.targets().then(
      (targets) => found(targets, { cause: 'transport', reason: `the host name ${domain} is unknown (ENOTFOUND)` }),
      (error: Error) => found([], { cause: 'transport', reason: `DNS does not answer: ${error.message}` }),
    );
  }

  /** Connects to the first of some targets that can be connected to. */
  private tryNext(targets: readonly Target[], failure: ConnectionFailure): void {
    const [target, ...others] = targets;
    if (!target) return this.failed(failure);
    const { connectTimeoutMs } = this.options;
    this.target = target;
    const giveUp = (reason: ConnectionFailure): void => {
      this.disconnect();
      this.avoidance.avoid(target);
      this.listener.tried?.({ ...target, failure: reason.reason, peer: null });
      this.tryNext(others, reason);
    };
    const settings = { ...this.options, clock: this.clock };
    const connection = connect(
      target,
      settings,
      {
        connected: (local, peer) => {
          if (this.connection !== connection) return;
          this.listener.tried?.({ ...target, failure: null, peer: peer ?? null });
          this.connected(connection, local);
        },
        heard: () => {
          if (this.connection === connection) this.lifeSigns?.heard();
        },
        message: (text) => {
          if (this.connection === connection) this.listener.message(text);
        },
        closed: (reason) => {
          if (this.connection !== connection) return;
          if (this.local) this.lost(reason);
          else giveUp(reason);
        },
      },
      this.avoidance.avoids(target),
    );
    this.connection = connection;
    this.cancelTimer = this.clock.after(connectTimeoutMs, () =>
      giveUp({ cause: 'transport', reason: `not connected within ${connectTimeoutMs} ms` }),
    );
  }

  private connected(connection: Connection, local: FlowAddress): void {
    this.cancelTimer();
    this.busy = false;
    this.local = local;
    this.upSince = this.clock.now();
    this.lastFailure = null;
    this.watch(connection);
    this.listener.up();
    this.answerWaiting();
  }

  private watch(connection: Connection): void {
    const { keepAliveMs } = this.options;
    const ask = keepAliveMs > 0 ? connection.ping : null;
    const patience = { silenceMs: ask ? keepAliveMs : silenceMs, answerMs };
    this.lifeSigns = new LifeSigns(this.clock, patience, ask, (silentMs) => {
      // Where nothing could be asked, silence may as well be that of whoever is behind the target: only a reason to move on.
      if (!ask && !this.hasAlternative) return this.watch(connection);
      this.lost({ cause: 'transport', reason: `no sign of life for ${Math.round(silentMs)} ms` });
    });
  }

  /** None of the targets could be connected to. */
  private failed({ cause, reason }: ConnectionFailure): void {
    const error = new FlowError(`No connection to ${this.place}: ${reason}`, false, cause);
    this.busy = false;
    this.lastFailure = { at: this.clock.now(), error };
    this.answerWaiting(error);
    this.scheduleAttempt();
  }

  // -------------------------------------------------------------------------------------------------- disconnecting

  private lost({ cause, reason }: ConnectionFailure, retryAfterMs?: number): void {
    const message = `The connection to ${this.place} was lost: ${reason}`;
    if (this.clock.now() - this.upSince >= steadyAfterMs) this.failures = 0;
    this.disconnect();
    if (this.target) this.avoidance.avoid(this.target, retryAfterMs);
    this.listener.down(message);
    this.answerWaiting(new FlowError(message, false, cause));
    this.scheduleAttempt();
  }

  private disconnect(): void {
    const { connection } = this;
    this.cancelTimer();
    this.lifeSigns?.stop();
    this.lifeSigns = null;
    this.connection = null;
    this.local = null;
    connection?.destroy();
  }

  private scheduleAttempt(): void {
    if (this.closed || this.busy || this.local || !this.listener.wanted()) return;
    const delay = reconnectionDelay(this.failures, this.options.random());
    this.failures += 1;
    this.cancelTimer();
    this.cancelTimer = this.clock.after(delay, () => {
      if (!this.closed && !this.busy && !this.local && this.listener.wanted()) this.attempt();
    });
  }

  private answerWaiting(error?: FlowError): void {
    const { waiting } = this;
    this.waiting = [];
    for (const done of waiting) done(error);
  }

  /** Whether there is a target beside the present one that has not failed as well. */
  private get hasAlternative(): boolean {
    return this.targets.some((each) => each !== this.target && !this.avoidance.avoids(each));
  }

  /** The present target, as said to people. */
  private get place(): string {
    const { domain } = this.options;
    if (!this.target) return domain;
    const { address, port } = this.target;
    const host = address.includes(':') ? `[${address}]` : address;
    return address === domain
      ? `${host}:${port} (${this.protocol})`
      : `${domain} at ${host}:${port} (${this.protocol})`;
  }
}
