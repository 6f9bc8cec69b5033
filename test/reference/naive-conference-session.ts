/**
 * The conference session once more, as somebody would write it who has read the conformance list and nothing else: one
 * class, a few flags, lists of what is pending. What it says is what the documents settle; a property that it leaves out
 * is nobody's promise.
 */
import type { ConferenceSessionInput, ConferenceSessionSettings } from '../../nodes/recovery/conference-session';
import type {
  ConferenceState,
  JsonObject,
  Participant,
  ReconnectingMode,
  StateReason,
} from '../../nodes/recovery/messages';
import type { ConferenceDocument, McuReports, Outcome, SignalingEvent } from '../../nodes/recovery/signaling';
import { cutOff, errorOf, invalid, type NaiveError, retryable, stale, timedOut } from './naive-errors';
import { isNews, NaiveRoster, naiveDifference, sortedByEntity } from './naive-roster';
import { type Said, SOME_TEXT } from './side-by-side';

/** What one input or one moment caused. */
export interface Caused {
  facts: Said[];
  signals: Said[];
  effects: Said[];
}

interface Waiting {
  id: string;
  since: number;
}

interface Pending {
  id: string;
  operation: string;
  arguments: JsonObject;
  mcu: string | undefined;
  since: number;
  timesSent: number;
  /** What it met, while it is held for the repair or for the verdict. */
  met: NaiveError | null;
  /** Held for the repair: to be sent again. Otherwise it only waits for the verdict. */
  worthSendingAgain: boolean;
}

interface Alarm {
  name: string;
  at: number;
}

/** May be sent twice without doing harm. */
const harmlessTwice = [
  'lock',
  'unlock',
  'eject',
  'modify-role',
  'modify-configuration',
  'admit',
  'deny',
  'end-conference',
  'mute',
  'unmute',
];

/** A conference session, naively. */
export class NaiveConferenceSession {
  state: ConferenceState = 'Idle';
  mode: ReconnectingMode | null = null;
  dialog = 0;
  alarms: Alarm[] = [];
  /** The open outage; its name is only known once the model has minted it. */
  outage: { id: string | null; since: number; attempts: number } | null = null;
  pending: Pending[] = [];
  /** Who holds the conference, the how manyth holder that is, and whether it is somebody else. */
  owner = '';
  epoch = 0;
  heldByOthers = false;

  /** Reconnecting began in the lobby, and nobody has let us in since. */
  goBackToLobby = false;

  private now = 0;
  private since = 0;
  private caused: Caused = { facts: [], signals: [], effects: [] };
  private rejoinSent = false;
  private joining: Waiting | null = null;
  private joinArguments: JsonObject = {};
  private terminating: Waiting[] = [];
  private rollBack = false;
  private endReason: StateReason = 'Terminated';
  private roster = new NaiveRoster();
  /** The roster is wrong until a full document comes. */
  private refreshing = false;
  /** How many seconds after the latest request for one the next may follow; 0 when there was none for so long. */
  private patience = 0;
  /** A full document came that was older than ours. */
  private suspicious = false;
  private closedOutages: string[] = [];
  private registrationIsStale = false;
  private lobby: Participant[] = [];
  private properties: JsonObject = {};
  private mcus: McuReports = {};

  constructor(private readonly settings: ConferenceSessionSettings) {}

  /** One input. */
  hear(input: ConferenceSessionInput, now: number): Caused {
    this.now = now;
    this.caused = { facts: [], signals: [], effects: [] };
    if ('event' in input) this.hearFocus(input);
    else if (input.input === 'restarted') this.restarted();
    else if (input.input === 'stand-down') this.standDown(input.owner, input.epoch);
    else if (this.isOfAnotherOutage(input)) this.ignore(input);
    else if (this.isOfAnotherDialog(input)) this.ignore(input);
    else if (this.isOfAnotherOwner(input)) this.refuseAsStale(input);
    else if (input.input === 'join') this.join(input.operationId, input.arguments, input.epoch);
    else if (input.input === 'terminate') this.terminate(input);
    else if (input.input === 'operation') this.operate(input);
    else if (input.input === 'query') this.answer(input);
    else if (input.input === 'deadline') throw new Error('the reference has alarms of its own');
    else if (input.input === 'snapshot' || input.input === 'restore') throw new Error('see takenOver');
    else this.hearPolicy(input);
    return this.caused;
  }

  /** MSG-8, contract 1.8: it speaks of an outage that is over. */
  private isOfAnotherOutage(input: Exclude<ConferenceSessionInput, { event: string }>): boolean {
    if (!('incident' in input) || !input.incident) return false;
    if (input.input === 'terminate') return input.incident !== this.outage?.id;
    return this.closedOutages.includes(input.incident);
  }

  private isOfAnotherDialog(input: Exclude<ConferenceSessionInput, { event: string }>): boolean {
    // Who gives up an outage means that outage, and need not have heard of the dialog of its re-join (GU-3).
    if (input.input === 'terminate' && input.incident) return false;
    return 'dialog' in input && input.dialog !== undefined && input.dialog !== this.dialog;
  }

  private ignore(input: Exclude<ConferenceSessionInput, { event: string }>): void {
    if ('operationId' in input) this.do({ effect: 'ignore', operationId: input.operationId });
  }

  /** What is due by now. */
  ring(now: number): Caused {
    this.now = now;
    this.caused = { facts: [], signals: [], effects: [] };
    for (;;) {
      const due = this.alarms.filter(({ at }) => at <= now).sort((one, other) => one.at - other.at)[0];
      if (!due) return this.caused;
      this.alarms.splice(this.alarms.indexOf(due), 1);
      this.wake(due.name);
    }
  }

  // ------------------------------------------------------------------------------------------------------------- joining

  private join(id: string, given: JsonObject, epoch: number | undefined): void {
    if (this.state === 'Reconnecting') return this.refuse('join', retryable);
    if (this.state !== 'Idle' && this.state !== 'Disconnected') return this.refuse('join', invalid);
    if (this.owner !== this.settings.owner) this.epoch += 1;
    this.epoch = Math.max(1, epoch ?? this.epoch);
    this.owner = this.settings.owner;
    this.heldByOthers = false;
    // A new session begins with this join, and has not been Idle for any time.
    if (this.state === 'Disconnected') this.since = 0;
    if (this.state === 'Disconnected') this.state = 'Idle';
    this.since ||= this.now;
    this.roster = new NaiveRoster();
    this.lobby = [];
    this.properties = {};
    this.forgetRequests();
    this.joinArguments = given;
    this.joining = { id, since: this.now };
    this.dialog = 1;
    this.tell(null, { input: 'joining' });
    this.become('Connecting', 'JoinRequested');
    this.sendJoin(false);
  }

  private sendJoin(rejoin: boolean): void {
    this.registrationIsStale = false;
    this.do({ effect: 'join', dialog: this.dialog, rejoin, ...this.joinArguments });
    this.setAlarm('join', this.settings.joinTimeoutMs);
  }

  private arrive(
    placement: 'conference' | 'lobby',
    document: ConferenceDocument | null,
    mcus: McuReports,
    reason: StateReason,
  ): void {
    const again = this.state === 'Reconnecting';
    this.clearAlarm('join');
    if (again) this.tell(null, { input: 'recovered' });
    if (placement === 'conference') this.mcus = mcus;
    if (placement === 'conference') this.tell(null, { input: 'joined', dialog: this.dialog, mcus });
    if (document) this.readDocument(document, again ? 'resync' : 'join');
    this.rejoinSent = false;
    if (placement === 'lobby') {
      this.become('InLobby', reason);
      // O22: a wait that has begun goes on.
      if (!this.hasAlarm('lobby')) this.setAlarm('lobby', this.settings.lobbyTimeoutMs);
    } else {
      this.clearAlarm('lobby');
      this.become('Connected', reason);
    }
    this.startHeart();
    if (placement === 'conference') this.completeJoin();
  }

  private completeJoin(): void {
    if (!this.joining) return;
    this.complete('join', this.joining);
    this.joining = null;
  }

  private failJoin(error: NaiveError): void {
    if (!this.joining) return;
    this.caused.facts.push({ event: 'operation-failed', operation: 'join', operationId: this.joining.id, error });
    this.joining = null;
  }

  private joinFailed(error: NaiveError, silently: boolean): void {
    this.alarms = [];
    this.do({ effect: 'leave', dialog: this.dialog, silently });
    this.become('Idle', 'JoinFailed');
    this.failJoin(error);
  }

  // ----------------------------------------------------------------------------------------------------- what the Focus says

  private hearFocus(event: Exclude<ConferenceSessionInput, { input: string }>): void {
    if (event.event === 'media') {
      const takesPart = ['InLobby', 'Connected', 'Reconnecting'].includes(this.state);
      const { mcu, flowing } = event;
      if (takesPart) this.caused.signals.push({ signal: 'media', mcu, flowing, dialog: this.dialog });
      return;
    }
    if (event.dialog !== this.dialog || this.state === 'Disconnected' || this.state === 'Idle') return;
    const joiningNow = this.state === 'Connecting' || (this.state === 'Reconnecting' && this.rejoinSent);
    switch (event.event) {
      case 'joined':
        if (this.state === 'Connecting')
          this.arrive(
            event.placement,
            event.document,
            event.mcus,
            event.placement === 'lobby' ? 'PlacedInLobby' : 'Joined',
          );
        else if (joiningNow) {
          this.tellRejoin();
          const reason = event.placement === 'lobby' ? 'PlacedInLobby' : 'Rejoined';
          this.arrive(event.placement, event.document, event.mcus, reason);
        }
        return;
      case 'admitted':
        return this.admitted(event);
      case 'join-failed':
        if (!joiningNow) return;
        if (this.state === 'Connecting') return this.joinFailed(errorOf(event.outcome) ?? invalid, true);
        return this.close('RejoinFailed', { joinError: errorOf(event.outcome) ?? invalid, gone: true });
      case 'ended':
        return this.endedByFocus(event);
      case 'left':
        if (this.state === 'Disconnecting') this.closed();
        return;
      case 'outcome':
        return this.answered(event);
      case 'document':
        // The lobby tells nothing of the conference (CSSE), a Focus that failed nothing that counts (FE-17).
        if (this.state !== 'Connected' && (this.mode !== 'recovering' || this.goBackToLobby)) return;
        if (event.newSubscription) this.roster.expectFirstDocument();
        return this.readDocument(event.document, 'notification');
      case 'mcu-report':
        // As with documents; and the answer to a join tells of all MCUs again.
        if (this.state !== 'Connected' && (this.mode !== 'recovering' || this.goBackToLobby)) return;
        this.signal({ signal: 'mcu-report', mcu: event.mcu, report: event.report });
        this.mcus = { ...this.mcus, [event.mcu]: event.report };
        this.tell(event.mcu, { input: 'report', report: event.report });
        return;
      case 'unreadable':
        if (this.state === 'Disconnecting') return;
        this.caused.facts.push({
          event: 'operation-failed',
          operationId: null,
          error: { name: 'MessageParsingException' },
        });
        return;
      case 'remote-update':
        // A dialog whose other end is dead has no route to be healed.
        if (this.mode !== 'rejoining') this.signal({ signal: 'remote-update' });
        return;
      default:
        this.signal({ signal: event.event });
    }
  }

  private admitted(event: Extract<SignalingEvent, { event: 'admitted' }>): void {
    // It may overtake the answer to the join, and says all that the answer would have said.
    if (this.state === 'Connecting') return this.arrive('conference', event.document, event.mcus, 'Joined');
    if (this.state === 'InLobby') return this.arrive('conference', event.document, event.mcus, 'Admitted');
    if (this.state !== 'Reconnecting') return;
    if (this.rejoinSent) {
      this.tellRejoin();
      return this.arrive('conference', event.document, event.mcus, 'Rejoined');
    }
    if (!this.goBackToLobby) return;
    this.goBackToLobby = false;
    this.clearAlarm('lobby');
    // O20, where it is about a re-join, means the new one: whatever the failed Focus tells is of no use any more.
    if (this.mode === 'rejoining') return;
    this.mcus = event.mcus;
    this.tell(null, { input: 'joined', dialog: this.dialog, mcus: event.mcus });
    if (event.document) this.readDocument(event.document, 'join');
  }

  private endedByFocus({ cause, reason }: Extract<SignalingEvent, { event: 'ended' }>): void {
    const error: NaiveError = {
      name: 'ConferenceFailureException',
      ...(reason === undefined ? {} : { code: reason, failureReason: reason }),
    };
    if (this.state === 'Connecting') return this.joinFailed(error, true);
    if (this.state === 'Disconnecting') return;
    const why = cause === 'conference-ended' ? 'ConferenceEnded' : this.joining ? 'LobbyDenied' : 'Ejected';
    this.close(why, { joinError: error });
  }

  // --------------------------------------------------------------------------------------------------- what the policies say

  private hearPolicy(
    input: Extract<ConferenceSessionInput, { input: string; dialog: number }> & { input: string },
  ): void {
    const joined = this.state === 'Connected' || this.state === 'InLobby';
    const recovering = this.state === 'Reconnecting' && this.mode === 'recovering';
    switch (input.input) {
      case 'focus-failed':
        if (joined) {
          this.startOutage(input.incident);
          this.goBackToLobby = this.state === 'InLobby';
          this.mode = 'rejoining';
          this.quiet();
          this.become('Reconnecting', 'FocusFailover');
        } else if (recovering) {
          this.mode = 'rejoining';
          this.caused.facts.push({ event: 'mode-changed', previousMode: 'recovering', mode: 'rejoining' });
        } else return;
        this.tell(null, { input: 'reconnecting', focusFailed: true });
        for (const operation of [...this.pending]) this.fail(operation, cutOff('SessionRetrying'));
        return;
      case 'focus-failed-over':
        if (this.state !== 'Reconnecting' || this.mode !== 'rejoining' || this.rejoinSent) return;
        this.rejoinSent = true;
        if (this.outage) this.outage.attempts += 1;
        this.dialog += 1;
        this.roster.expectFirstDocument();
        this.forgetRequests();
        return this.sendJoin(true);
      case 'route-recovering':
        if (!joined) return;
        this.startOutage(input.incident);
        if (this.outage) this.outage.attempts = input.attempts;
        this.goBackToLobby = this.state === 'InLobby';
        this.mode = 'recovering';
        this.quiet();
        this.become('Reconnecting', 'RouteBroken');
        this.tell(null, { input: 'reconnecting', focusFailed: false });
        this.do({ effect: 'pause-session-timer', dialog: this.dialog });
        for (const operation of [...this.pending]) {
          const waits = operation.met !== null && operation.worthSendingAgain && input.recoveryMode === 'LimitedRetry';
          // In LimitedRetry it waits for the route, however long that takes.
          if (waits) this.clearAlarm(`hold ${operation.id}`);
          // Known disagreement (contract 2, held operations): what was answered 481 should fail with SessionRetrying.
          else this.fail(operation, operation.met ?? cutOff('SessionRetrying'));
        }
        return;
      case 'route-healthy':
        if (recovering) {
          this.do({ effect: 'resume-session-timer', dialog: this.dialog });
          this.tell(null, { input: 'recovered' });
          this.become(this.goBackToLobby ? 'InLobby' : 'Connected', 'RouteHealed');
          this.startHeart();
          if (!this.goBackToLobby) this.completeJoin();
        }
        if (this.state !== 'Connected') return;
        // HOP-18: subscription and calls share the route. Whoever has had a roster waits for the answer.
        this.patience = 0;
        this.suspicious = false;
        if (this.roster.expectsMore()) this.refreshing = true;
        if (this.refreshing) this.ask();
        else this.do({ effect: 'refresh-roster', dialog: this.dialog });
        this.tell(null, { input: 'route-healed' });
        for (const operation of this.pending)
          if (operation.met !== null && operation.worthSendingAgain) this.send(operation);
        return;
      case 'route-abandoned':
        if (recovering) return this.close('RouteAbandoned', { joinError: cutOff('SessionTerminated') });
        return joined ? this.goOnUnhealed() : undefined;
      case 'route-unhealed':
        if (joined) this.goOnUnhealed();
        else if (recovering) this.failHeld();
        return;
      case 'heal':
        if (!joined && !recovering) return;
        if (this.outage) this.outage.attempts = Math.max(this.outage.attempts, input.attempt);
        this.do({
          effect: 'request',
          dialog: this.dialog,
          purpose: 'heal',
          method: input.method,
          attempt: input.attempt,
          refreshRegistration: this.registrationIsStale ? true : undefined,
          timeoutMs: this.settings.repairTimeoutMs,
        });
        return;
      case 'probe':
        if ((!joined && this.state !== 'Reconnecting') || this.rejoinSent) return;
        this.do({ effect: 'request', dialog: this.dialog, purpose: 'probe', timeoutMs: this.settings.repairTimeoutMs });
    }
  }

  /** O25: without a repair what was held fails, and the state stays as it is; who thought otherwise is told. */
  private goOnUnhealed(): void {
    this.failHeld();
    this.caused.facts.push(this.status());
  }

  private failHeld(): void {
    for (const operation of [...this.pending])
      if (operation.met !== null && operation.worthSendingAgain) this.fail(operation, operation.met);
  }

  private startOutage(incident: string | null): void {
    this.outage ??= { id: incident, since: this.now, attempts: 0 };
  }

  /** The session timer rests while Reconnecting (HOP-14). */
  private quiet(): void {
    this.clearAlarm('heartbeat');
    this.clearAlarm('ask again');
    this.clearAlarm('suspicion');
  }

  private startHeart(): void {
    if (this.settings.heartbeatMs > 0) this.setAlarm('heartbeat', this.settings.heartbeatMs);
  }

  // ----------------------------------------------------------------------------------------------------------- operations

  private operate(input: Extract<ConferenceSessionInput, { input: 'operation' }>): void {
    if (this.state === 'Reconnecting') return this.refuse(input.operation, retryable, input);
    if (this.heldByOthers) return this.refuse(input.operation, stale, input);
    if (this.state !== 'Connected') return this.refuse(input.operation, invalid, input);
    const operation: Pending = {
      id: input.operationId,
      operation: input.operation,
      arguments: input.arguments,
      mcu: input.mcu,
      since: this.now,
      timesSent: 0,
      met: null,
      worthSendingAgain: false,
    };
    this.pending.push(operation);
    this.send(operation);
  }

  private send(operation: Pending): void {
    operation.timesSent += 1;
    operation.met = null;
    operation.worthSendingAgain = false;
    this.clearAlarm(`hold ${operation.id}`);
    this.do({
      effect: 'request',
      requestId: operation.id,
      dialog: this.dialog,
      purpose: 'operation',
      operation: operation.operation,
      arguments: operation.arguments,
      mcu: operation.mcu,
      timeoutMs: this.settings.operationTimeoutMs,
    });
  }

  private answered({ requestId, purpose, outcome, method }: Extract<SignalingEvent, { event: 'outcome' }>): void {
    const said = signalOf(purpose, requestId, outcome);
    if (said) this.signal({ ...said, purpose, method });
    if (this.state === 'Connecting' || this.state === 'Disconnecting' || this.rejoinSent) return;
    // HOP-17: whoever asks for a new registration gets one with the next repair, until a repair gets through.
    if (outcome.kind === 'ok' && purpose === 'heal') this.registrationIsStale = false;
    if (outcome.kind === 'refused' && outcome.recoveryAction?.includes('Registration-Route-Set-Update'))
      this.registrationIsStale = true;
    const operation = this.pending.find(({ id, met }) => id === requestId && met === null);
    if (purpose !== 'operation' || !operation) return;
    if (outcome.kind === 'ok') return this.succeed(operation, outcome.result);
    const error = { ...(errorOf(outcome) ?? invalid), ...replaySafety(operation.operation, outcome) };
    const gone = outcome.kind === 'refused' && outcome.status === 481;
    const again = mayBeSentAgain(operation.operation, outcome);
    if (!this.settings.signalsWired || (!gone && !again) || (again && operation.timesSent >= 3))
      return this.fail(operation, error);
    operation.met = error;
    operation.worthSendingAgain = again;
    // How long a verdict or a repair may take to be reported is nowhere said: as long as an answer.
    this.setAlarm(`hold ${operation.id}`, this.settings.operationTimeoutMs);
  }

  private complete(operation: string, { id, since }: Waiting, mcu?: string, result?: unknown): void {
    if (mcu !== undefined)
      return this.tell(mcu, { input: 'completed', operation, operationId: id, result: result ?? null });
    this.caused.facts.push({
      event: 'operation-completed',
      operation,
      operationId: id,
      elapsedMs: this.now - since,
      ...(result === undefined ? {} : { result }),
    });
  }

  private succeed(operation: Pending, result?: unknown): void {
    this.pending.splice(this.pending.indexOf(operation), 1);
    this.clearAlarm(`hold ${operation.id}`);
    this.complete(operation.operation, operation, operation.mcu, result);
  }

  private fail(operation: Pending, error: NaiveError): void {
    this.pending.splice(this.pending.indexOf(operation), 1);
    this.clearAlarm(`hold ${operation.id}`);
    if (operation.mcu !== undefined)
      return this.tell(operation.mcu, {
        input: 'failed',
        operation: operation.operation,
        operationId: operation.id,
        error,
      });
    this.caused.facts.push({
      event: 'operation-failed',
      operation: operation.operation,
      operationId: operation.id,
      error,
    });
  }

  /** Refused before anything was begun: it never had an id. */
  private refuse(
    operation: string,
    error: NaiveError,
    { mcu, operationId }: { mcu?: string; operationId?: string } = {},
  ): void {
    if (mcu !== undefined) return this.tell(mcu, { input: 'failed', operation, operationId, error });
    this.caused.facts.push({ event: 'operation-failed', operation, operationId: null, error });
  }

  private answer({ operation, operationId }: Extract<ConferenceSessionInput, { input: 'query' }>): void {
    const result =
      operation === 'roster' ? { participants: this.roster.participants() } : { state: this.state, mode: this.mode };
    this.caused.facts.push({ event: 'operation-completed', operation, operationId, elapsedMs: 0, result });
  }

  // ------------------------------------------------------------------------------------------------------ restart, ownership

  /** PER-2, PER-3, PER-9. */
  private restarted(): void {
    if (this.epoch > 0 && !this.heldByOthers) this.owner = this.settings.owner;
    this.caused.facts.push({ ...this.status(), restored: true });
    if (this.state === 'Connecting') return this.joinFailed(cutOff('SessionRetrying'), false);
    if (this.state === 'Idle' || this.state === 'Disconnected' || this.state === 'Disconnecting') {
      const { owner, epoch } = this;
      this.tell(null, this.heldByOthers ? { input: 'stood-down', owner, epoch } : { input: 'terminated' });
    }
    if (this.state === 'Disconnecting') return this.do({ effect: 'leave', dialog: this.dialog, silently: false });
    if (this.state === 'Reconnecting' && this.rejoinSent)
      return this.close('RejoinFailed', { joinError: cutOff('SessionRetrying') });
    if (this.state === 'Idle' || this.state === 'Disconnected') return;
    if (this.state === 'Connected') this.tell(null, { input: 'recovered' });
    if (this.state === 'Connected' || (this.mode === 'recovering' && !this.goBackToLobby)) {
      this.tell(null, { input: 'joined', dialog: this.dialog, mcus: this.mcus });
      this.tell(null, { input: 'roster', participants: this.roster.participants(), cause: 'join' });
    }
    if (this.mode) this.tell(null, { input: 'reconnecting', focusFailed: this.mode === 'rejoining' });
    if (this.mode !== 'rejoining') {
      for (const [mcu, report] of Object.entries(this.mcus ?? {}))
        if (report === 'failing-over') this.signal({ signal: 'mcu-report', mcu, report });
    }
    for (const operation of [...this.pending]) this.fail(operation, cutOff('SessionRetrying'));
    this.do({ effect: 'resume', dialog: this.dialog });
    if (this.mode === 'recovering') this.do({ effect: 'pause-session-timer', dialog: this.dialog });
  }

  private status(): Said {
    return {
      event: 'session-status',
      state: this.state,
      mode: this.mode,
      restored: false,
      owner: this.owner,
      epoch: this.epoch,
      incident: this.outage ? (this.outage.id ?? SOME_TEXT) : null,
    };
  }

  /** PER-10: another node goes on with what a snapshot of this one says. */
  takenOver(now: number): Caused {
    this.now = now;
    this.caused = { facts: [], signals: [], effects: [{ effect: 'adopt', signaling: null }] };
    this.pending = [];
    this.alarms = this.alarms.filter(({ name }) => !name.startsWith('hold '));
    this.joining = null;
    this.terminating = [];
    this.owner = this.settings.owner;
    this.epoch += 1;
    this.heldByOthers = false;
    this.tell(null, { input: 'joining' });
    this.restarted();
    const result = { owner: this.owner, epoch: this.epoch };
    this.caused.facts.push({ event: 'operation-completed', operation: 'restore', result });
    return this.caused;
  }

  private isOfAnotherOwner(input: Exclude<ConferenceSessionInput, { event: string }>): boolean {
    const named = 'epoch' in input ? input.epoch : undefined;
    const isIdle = this.state === 'Idle' || this.state === 'Disconnected';
    const claims = input.input === 'join' && isIdle;
    if (named !== undefined && named > this.epoch) {
      if (!claims) this.standDown('', named);
      return !claims;
    }
    if (named !== undefined && named < this.epoch) return true;
    return claims && this.heldByOthers;
  }

  private refuseAsStale(input: Exclude<ConferenceSessionInput, { event: string }>): void {
    const operation = 'operation' in input ? input.operation : input.input;
    this.refuse(operation, stale, input as { mcu?: string; operationId?: string });
  }

  /** PER-7: somebody else goes on, also with the outage. */
  private standDown(owner: string, epoch: number): void {
    if (epoch <= this.epoch) return;
    this.owner = owner;
    this.epoch = epoch;
    this.heldByOthers = true;
    // It goes on under its name elsewhere.
    if (this.outage) this.outage.id = null;
    if (this.state === 'Idle' || this.state === 'Disconnected') return;
    this.alarms = [];
    this.do({ effect: 'abandon' });
    if (this.state === 'Connecting') {
      this.become('Idle', 'StoodDown');
      return this.failJoin(stale);
    }
    this.endReason = 'StoodDown';
    if (this.state === 'Disconnecting') return this.closed();
    this.tell(null, { input: 'stood-down', owner, epoch });
    this.become('Disconnecting', 'StoodDown', { incident: null, active: false });
    for (const operation of [...this.pending])
      this.fail(operation, { ...stale, safeToReplay: harmlessTwice.includes(operation.operation) });
    this.rollBack = this.joining !== null;
    this.failJoin(stale);
    this.rejoinSent = false;
    this.closed();
  }

  // -------------------------------------------------------------------------------------------------------------- the end

  private terminate(input: Extract<ConferenceSessionInput, { input: 'terminate' }>): void {
    const request = { id: input.operationId, since: this.now };
    if (this.state === 'Idle' || this.state === 'Disconnected') {
      this.heldByOthers = false;
      return this.complete('terminate', request);
    }
    this.terminating.push(request);
    if (this.state === 'Disconnecting') return;
    if (this.state === 'Connecting') {
      this.do({ effect: 'leave', dialog: this.dialog, silently: false });
      this.alarms = [];
      this.become('Idle', 'TerminateRequested');
      this.failJoin(cutOff('SessionTerminated'));
      return this.completeTerminates();
    }
    const { criterion, explanation } = input;
    this.close(input.reason === 'GaveUp' ? 'GaveUp' : 'TerminateRequested', {
      joinError: cutOff('SessionTerminated'),
      ...(criterion === undefined ? {} : { criterion }),
      ...(explanation === undefined ? {} : { explanation }),
    });
  }

  private close(
    reason: StateReason,
    {
      joinError,
      gone = false,
      ...told
    }: { joinError: NaiveError; gone?: boolean; criterion?: string; explanation?: string },
  ): void {
    const outOfReach = this.state === 'Reconnecting';
    // There is nobody to say goodbye to where the Focus is known to be dead, or has refused us.
    const silently = gone || (this.mode === 'rejoining' && !this.rejoinSent);
    this.alarms = [];
    this.tell(null, { input: 'terminated' });
    this.become('Disconnecting', reason, told);
    this.endReason = reason;
    for (const operation of [...this.pending]) {
      // The end of the conference is just what it had asked for.
      if (reason === 'ConferenceEnded' && operation.operation === 'end-conference') this.succeed(operation);
      else this.fail(operation, cutOff('SessionTerminated'));
    }
    this.rollBack = this.joining !== null;
    this.failJoin(joinError);
    this.do({ effect: 'leave', dialog: this.dialog, silently });
    if (outOfReach) this.closed();
    else this.setAlarm('closing', this.settings.closingTimeoutMs);
  }

  private closed(): void {
    this.alarms = [];
    const left = this.rollBack ? this.roster.participants() : [];
    if (left.length > 0) {
      this.caused.facts.push({ event: 'roster-changed', joined: [], left, changed: [], total: 0 });
      this.tell(null, { input: 'roster', participants: [] });
    }
    this.roster = new NaiveRoster();
    this.lobby = [];
    this.properties = {};
    this.become(this.rollBack ? 'Idle' : 'Disconnected', this.endReason);
    this.completeTerminates();
  }

  private completeTerminates(): void {
    for (const request of this.terminating) this.complete('terminate', request);
    this.terminating = [];
  }

  // --------------------------------------------------------------------------------------------------------------- alarms

  private wake(name: string): void {
    const held = this.pending.find(({ id }) => name === `hold ${id}`);
    if (held) return this.fail(held, held.met ?? invalid);
    if (name === 'join' && this.state === 'Connecting') return this.joinFailed(timedOut, false);
    if (name === 'join') return this.close('RejoinFailed', { joinError: timedOut });
    if (name === 'lobby') return this.close('LobbyTimeout', { joinError: timedOut });
    if (name === 'closing') return this.closed();
    if (name === 'ask again' && this.state === 'Connected') {
      if (this.refreshing) this.ask();
      else this.patience = 0;
    }
    if (name === 'suspicion' && this.state === 'Connected' && this.suspicious) this.want();
    if (name === 'heartbeat') {
      this.startHeart();
      this.do({
        effect: 'request',
        dialog: this.dialog,
        purpose: 'refresh',
        timeoutMs: this.settings.repairTimeoutMs,
      });
    }
  }

  private setAlarm(name: string, inMs: number): void {
    this.clearAlarm(name);
    this.alarms.push({ name, at: this.now + inMs });
  }

  private clearAlarm(name: string): void {
    this.alarms = this.alarms.filter((alarm) => alarm.name !== name);
  }

  private hasAlarm(name: string): boolean {
    return this.alarms.some((alarm) => alarm.name === name);
  }

  // --------------------------------------------------------------------------------------------------------------- roster

  private forgetRequests(): void {
    this.refreshing = false;
    this.patience = 0;
    this.suspicious = false;
  }

  /** RFC 4575, 4.6: a full document is needed; one request at a time. */
  private want(): void {
    if (this.refreshing) return;
    this.refreshing = true;
    if (this.patience === 0) this.ask();
  }

  /** 2, 4, 8, … 60 s apart. A server that counts anew is asked in a subscription of its own. */
  private ask(): void {
    this.do({ effect: 'refresh-roster', dialog: this.dialog, ...(this.suspicious ? { anew: true } : {}) });
    this.suspicious = false;
    this.patience = this.patience === 0 ? 2 : Math.min(60, this.patience * 2);
    this.setAlarm('ask again', this.patience * 1000);
  }

  private readDocument(document: ConferenceDocument, cause: 'notification' | 'resync' | 'join'): void {
    const before = this.roster.participants();
    const meaning = this.roster.hear(document);
    if (meaning === 'gap') this.want();
    if (meaning === 'older' && !this.suspicious) {
      this.suspicious = true;
      this.setAlarm('suspicion', 1500);
    }
    if (meaning !== 'applied') return;
    if (this.suspicious) this.clearAlarm('suspicion');
    this.suspicious = false;
    const why = this.refreshing && cause === 'notification' ? 'resync' : cause;
    if (document.state === 'full') this.refreshing = false;
    const after = this.roster.participants();
    const difference = naiveDifference(before, after);
    if (isNews(difference))
      this.caused.facts.push({ event: 'roster-changed', ...difference, total: after.length, cause: why });
    if (document.lobby) {
      const { joined: added, left: removed } = naiveDifference(this.lobby, document.lobby);
      this.lobby = document.lobby;
      if (added.length + removed.length > 0)
        this.caused.facts.push({
          event: 'lobby-changed',
          added: sortedByEntity(added),
          removed: sortedByEntity(removed),
        });
    }
    const changed: JsonObject = {};
    for (const [name, value] of Object.entries(document.properties ?? {}))
      if (JSON.stringify(this.properties[name]) !== JSON.stringify(value)) changed[name] = value;
    this.properties = { ...this.properties, ...changed };
    if (Object.keys(changed).length > 0) this.caused.facts.push({ event: 'properties-changed', changed });
    if (isNews(difference)) this.tell(null, { input: 'roster', participants: after, cause: why });
  }

  // ---------------------------------------------------------------------------------------------------------------- telling

  private become(state: ConferenceState, reason: StateReason, told: Said = {}): void {
    const closesOutage = this.outage !== null && state !== 'Reconnecting';
    if (state !== 'Reconnecting') this.mode = null;
    this.caused.facts.push({
      event: 'state-changed',
      previous: this.state,
      state,
      mode: this.mode,
      reason,
      incident: this.outage ? (this.outage.id ?? SOME_TEXT) : null,
      active: this.outage !== null && !closesOutage,
      ...severityOf(this.state, state, reason),
      ...(this.outage ? { endedAt: closesOutage ? new Date(this.now).toISOString() : null } : {}),
      restored: false,
      criterion: undefined,
      explanation: undefined,
      attempts: this.outage?.attempts ?? 0,
      startedAt: new Date(this.outage?.since ?? this.since).toISOString(),
      elapsedMs: this.now - (this.outage?.since ?? this.since),
      // Which dialog the fact of a join that is just being sent belongs to is nowhere said.
      ...(state === 'Connecting' ? {} : { dialog: this.dialog }),
      ...told,
    });
    this.state = state;
    this.since = this.now;
    if (closesOutage && this.outage?.id) this.closedOutages.push(this.outage.id);
    if (closesOutage) this.outage = null;
  }

  /** The one attempt tells the policies that it went well; its failure they see from the state. */
  private tellRejoin(): void {
    this.caused.signals.push({ signal: 'response', status: 200, purpose: 'rejoin', dialog: this.dialog });
  }

  /** A session that has not arrived, or is leaving, is no patient of the policies. */
  private signal(said: Said): void {
    if (this.state === 'Connecting' || this.state === 'Disconnecting' || this.rejoinSent) return;
    this.caused.signals.push({ ...said, dialog: this.dialog });
  }

  private tell(mcu: string | null, input: Said): void {
    this.do({ effect: 'mcu', mcu, input });
  }

  private do(effect: Said): void {
    this.caused.effects.push(effect);
  }
}

/** Contract 1.7, where it says anything: giving up and failing for good, the outage, and the recovery from it. */
function severityOf(previous: ConferenceState, state: ConferenceState, reason: StateReason): Said {
  if (previous === 'Reconnecting' && ['GaveUp', 'RejoinFailed', 'RouteAbandoned'].includes(reason))
    return { severity: 'critical' };
  if (state === 'Reconnecting') return { severity: 'warning' };
  return ['RouteHealed', 'Rejoined', 'Joined', 'Admitted', 'TerminateRequested'].includes(reason)
    ? { severity: 'info' }
    : {};
}

/** The signal that a request's end gives; null for an operation of which nothing was sent. */
function signalOf(purpose: string, requestId: string, outcome: Outcome): Said | null {
  const heartbeat = purpose === 'refresh' && requestId !== 'resume';
  if (outcome.kind === 'ok')
    return heartbeat ? { signal: 'heartbeat' } : { signal: 'response', status: outcome.status };
  if (outcome.kind === 'refused') return { signal: 'response', status: outcome.status };
  if (outcome.kind === 'unsupported') return purpose === 'operation' ? null : { signal: 'response', status: 501 };
  if (outcome.cause === 'timeout') return { signal: heartbeat ? 'heartbeat-missed' : 'timeout' };
  return { signal: 'transport-lost' };
}

/** HOP-16: what has gone unanswered after it may have left has perhaps been done already. */
function replaySafety(operation: string, outcome: Outcome): { safeToReplay?: boolean } {
  if (outcome.kind !== 'unreachable') return {};
  return { safeToReplay: !outcome.written || harmlessTwice.includes(operation) };
}

/** Contract, held operations. */
function mayBeSentAgain(operation: string, outcome: Outcome): boolean {
  if (outcome.kind === 'refused')
    return outcome.status === 430 && !outcome.recoveryAction?.includes('Wait-For-Session-Update');
  if (outcome.kind !== 'unreachable' || outcome.cause === 'malformed') return false;
  // A connection that broke after the request had left is as good as a time-out: nobody knows.
  return !outcome.written || harmlessTwice.includes(operation);
}
