/**
 * Every message of the pack, as TypeScript types. The JSON Schema in `dist/schema` is generated from this file, so that
 * types, schema and documentation have one source.
 *
 * A payload is either a **fact** (it has `event`: something happened) or a **request** (it has `command`: do something).
 * Names here are the public interface: they are added to, never changed. Durations end in `Ms` and are milliseconds;
 * instants end in `At` and are ISO 8601 in UTC with milliseconds.
 */

// ---------------------------------------------------------------------------------------------------------- vocabulary

/** States of a conference session (UCMA, ConferenceSessionState). */
export type ConferenceState =
  | 'Idle'
  | 'Connecting'
  | 'InLobby'
  | 'Connected'
  | 'Reconnecting'
  | 'Disconnecting'
  | 'Disconnected';

/**
 * What hides behind `Reconnecting` (UCMA, ConferenceSession state transitions, figure): `rejoining` after the Focus
 * failed over (a new join, one attempt), `recovering` while the route of the same dialog is healed (unbounded).
 */
export type ReconnectingMode = 'rejoining' | 'recovering';

/** Why a conference session changed its state. */
export type StateReason =
  | 'JoinRequested'
  | 'Joined'
  | 'PlacedInLobby'
  | 'Admitted'
  | 'JoinFailed'
  | 'FocusFailover'
  | 'RouteBroken'
  | 'RouteHealed'
  | 'Rejoined'
  | 'RejoinFailed'
  | 'TerminateRequested'
  | 'GaveUp'
  | 'Ejected'
  | 'ConferenceEnded'
  | 'LobbyDenied'
  | 'LobbyTimeout'
  | 'RouteAbandoned'
  | 'StoodDown'
  | 'Terminated';

/** States of an MCU session (UCMA, McuSessionState). */
export type McuState = 'Idle' | 'Active' | 'Retrying' | 'Terminated';

/** Why an MCU session changed its state. */
export type McuReason =
  | 'Activated'
  | 'NotSupported'
  | 'McuFailover'
  | 'FocusFailover'
  | 'McuReportedActive'
  | 'McuReportedInactive'
  | 'ConferenceTerminated'
  | 'StoodDown';

/** States of the call between us and an MCU. */
export type CallState = 'None' | 'Establishing' | 'Established' | 'Terminating' | 'Terminated';

/** Why a call changed its state. */
export type CallReason =
  | 'Requested'
  | 'Accepted'
  | 'Failed'
  | 'HungUp'
  | 'TerminatedByMcuFailover'
  | 'RemoteHungUp'
  | 'MediaEnded'
  | 'ConferenceTerminated'
  | 'StoodDown';

/** How serious a fact is; the words are those of PagerDuty's Events API v2. */
export type Severity = 'info' | 'warning' | 'error' | 'critical';

/** Node types that emit facts. */
export type Source =
  | 'conference-session'
  | 'mcu-session'
  | 'failover-detector'
  | 'route-healer'
  | 'give-up-timer'
  | 'fault-injector';

/** The request that heals a route (RFC 3311 UPDATE, RFC 3261 re-INVITE and OPTIONS). */
export type HealingMethod = 'UPDATE' | 're-INVITE' | 'OPTIONS';

/** UCMA, RouteSetRecoveryMode. */
export type RouteSetRecoveryMode = 'None' | 'LimitedRetry' | 'MaximumRetry';

/** Actions of `P-Dialog-Recovery-Action` (MS-SIPRE 2.2.18). Unknown tokens are dropped by whoever parses the header. */
export type RecoveryAction = 'Registration-Route-Set-Update' | 'Dialog-Route-Set-Update' | 'Wait-For-Session-Update';

/** A media stream of an endpoint (RFC 4575, 5.8). */
export interface Media {
  id: string;
  /** `audio`, `video`, `text`, …; absent when the server does not say. */
  type?: string;
  status?: string;
}

/** One device of a participant (RFC 4575, 5.7). */
export interface Endpoint {
  entity: string;
  /** `connected`, `on-hold`, `disconnected`, … */
  status?: string;
  media: Media[];
}

/** One participant, as in the `user` element of RFC 4575, 5.6. */
export interface Participant {
  /** URI of the participant; the key of the roster. */
  entity: string;
  displayName?: string;
  roles: string[];
  endpoints: Endpoint[];
}

/** Free-form JSON object. */
export type JsonObject = { [key: string]: unknown };

// -------------------------------------------------------------------------------------------------------------- errors

/** Class names of errors (UCMA, exception model). */
export type ErrorName =
  | 'OperationFailureException'
  | 'RealTimeInvalidOperationException'
  | 'InvalidOperationException'
  | 'ArgumentException'
  | 'ConferenceFailureException'
  | 'OperationTimeoutException'
  | 'FailureRequestException'
  | 'FailureResponseException'
  | 'AuthenticationException'
  | 'RegisterException'
  | 'PublishSubscribeException'
  | 'ServerPolicyException'
  | 'ConnectionFailureException'
  | 'TlsFailureException'
  | 'MessageParsingException'
  | 'OfferAnswerException'
  | 'CallOperationFailureException'
  | 'RealTimeException';

/** UCMA, OperationFailureReason. */
export type OperationFailureReason =
  | 'Unknown'
  | 'EndpointTerminated'
  | 'SessionTerminated'
  | 'Aborted'
  | 'ConnectionThrottling'
  | 'InvalidSessionState'
  | 'SessionTerminatedAfter200Response'
  | 'SessionRetrying'
  | 'MediaFailure';

/** UCMA, InvalidOperationReason. */
export type InvalidOperationReason = 'None' | 'RetryableOperation' | 'NotInitialized';

/** What a server answered. */
export interface ResponseData {
  status: number;
  reason: string;
  headers: { [name: string]: string };
  body: string;
}

/** The parsed `ms-diagnostics`, `ms-client-diagnostics` or `Warning` header of an answer. */
export interface Diagnostics {
  id: number;
  source?: string;
  reason?: string;
  [parameter: string]: unknown;
}

/** A typed error, as a plain object: it travels as JSON, over MQTT, and as `msg.error.cause` of a Catch node. */
export interface RecoveryError {
  name: ErrorName;
  /** Ancestors of `name`, nearest first. */
  bases: string[];
  /** The reason of the class: OperationFailureReason, InvalidOperationReason, or the server's words; else null. */
  failureReason: string | null;
  /** What a Catch node sees as `msg.error.code`. */
  code: string;
  /** May the same request succeed later? */
  retryable: boolean;
  /** After how long, where somebody said so. */
  retryAfterMs: number | null;
  /** False when the first request may have taken effect already. */
  safeToReplay: boolean;
  response: ResponseData | null;
  diagnostics: Diagnostics | null;
  message: string;
  /** The outage it belongs to. */
  incident: string | null;
  /** State of the session when it failed. */
  state: string | null;
}

// --------------------------------------------------------------------------------------------------------------- facts

/** What every fact carries. */
export interface FactEnvelope {
  conference: string;
  at: string;
  /** Strictly increasing per conference and emitting node. */
  seq: number;
  source: Source;
  /** The outage this fact belongs to; the deduplication key of paging systems. */
  incident: string | null;
  /** Is that incident open? Maps to trigger (true) and resolve (false). */
  active: boolean;
  severity: Severity;
  /** 1 for the first join of a session, one more per re-join; 0 before the first. */
  dialog: number;
  version: 1;
}

export interface StateChanged extends FactEnvelope {
  event: 'state-changed';
  source: 'conference-session';
  previous: ConferenceState;
  state: ConferenceState;
  mode: ReconnectingMode | null;
  reason: StateReason;
  /** When the outage, or else the previous state, began. */
  startedAt: string;
  /** When the outage ended; null while it lasts. */
  endedAt: string | null;
  /** How long the outage, or else the previous state, has lasted. */
  elapsedMs: number;
  /** Healing attempts and re-joins of this outage. */
  attempts: number;
  criterion?: string;
  explanation?: string;
  restored: boolean;
}

export interface ModeChanged extends FactEnvelope {
  event: 'mode-changed';
  source: 'conference-session';
  previousMode: ReconnectingMode;
  mode: ReconnectingMode;
  reason: StateReason;
}

/**
 * How things are, for the policy nodes to reconcile: once after every start, and when nobody heals a broken route that the
 * session is not Reconnecting for.
 */
export interface SessionStatus extends FactEnvelope {
  event: 'session-status';
  source: 'conference-session';
  state: ConferenceState;
  mode: ReconnectingMode | null;
  /** The first fact of a session that has outlived its process, or was taken over from another node. */
  restored: boolean;
  /** Who holds the conference, as far as is known; empty when nobody does, or nobody said who. */
  owner: string;
  /** Counts who held the conference before; 0 before the first join. Of two owners the one with the higher number is right. */
  epoch: number;
}

export interface McuStateChanged extends FactEnvelope {
  event: 'state-changed';
  source: 'mcu-session';
  mcu: string;
  previous: McuState;
  state: McuState;
  reason: McuReason;
}

export interface CallStateChanged extends FactEnvelope {
  event: 'call-state-changed';
  mcu: string;
  previous: CallState;
  state: CallState;
  reason: CallReason;
}

export interface MediaChanged extends FactEnvelope {
  event: 'media-changed';
  mcu: string;
  flowing: boolean;
  lastPacketAt: string | null;
  packets: number;
}

export interface TextReceived extends FactEnvelope {
  event: 'text-received';
  mcu: string;
  from: string;
  text: string;
}

export interface CallAvailable extends FactEnvelope {
  event: 'call-available';
  mcu: string;
}

export interface RosterChanged extends FactEnvelope {
  event: 'roster-changed';
  mcu?: string;
  joined: Participant[];
  left: Participant[];
  changed: Participant[];
  /** Participants after the change. */
  total: number;
  cause: 'notification' | 'resync' | 'join';
}

export interface LobbyChanged extends FactEnvelope {
  event: 'lobby-changed';
  added: Participant[];
  removed: Participant[];
}

export interface PropertiesChanged extends FactEnvelope {
  event: 'properties-changed';
  changed: JsonObject;
}

export interface OperationCompleted extends FactEnvelope {
  event: 'operation-completed';
  operation: string;
  operationId: string;
  elapsedMs: number;
  result: unknown;
  mcu?: string;
}

export interface OperationFailed extends FactEnvelope {
  event: 'operation-failed';
  operation: string;
  /** Null when the request was refused before anything was begun. */
  operationId: string | null;
  error: RecoveryError;
  mcu?: string;
}

/** Why a request was sent; the detector's rules depend on it. */
export type SignalPurpose = 'operation' | 'heal' | 'probe' | 'refresh' | 'subscription' | 'rejoin';

/** What the Focus says of an MCU. */
export type McuReport = 'active' | 'inactive' | 'failing-over' | 'unsupported';

export type SignalKind =
  | 'response'
  | 'timeout'
  | 'transport-lost'
  | 'transport-restored'
  | 'remote-bye'
  | 'subscription-lost'
  | 'session-expired'
  | 'remote-update'
  | 'mcu-report'
  | 'heartbeat'
  | 'heartbeat-missed'
  | 'media';

/** What the conferencing system did or did not do, as evidence for detector and healer. */
export interface Signal extends FactEnvelope {
  event: 'signal';
  signal: SignalKind;
  purpose?: SignalPurpose;
  method?: string;
  status?: number;
  recoveryAction?: RecoveryAction[];
  retryAfterMs?: number;
  diagnostics?: Diagnostics;
  operationId?: string;
  mcu?: string;
  report?: McuReport;
  attempt?: number;
  elapsedMs?: number;
  roundTripMs?: number;
  flowing?: boolean;
}

export type FailureLevel = 'focus' | 'mcu' | 'hop';
export type FailurePhase = 'suspected' | 'failed' | 'failed-over' | 'cleared';

/** One signal that a verdict rests on. */
export interface Evidence {
  signal: SignalKind;
  at: string;
  /** `seq` of the signal, for whoever asks which of two reports is newer. */
  seq: number;
  rule: string;
  purpose?: SignalPurpose;
  method?: string;
  status?: number;
  report?: McuReport;
  /**
   * Of heartbeats, what the verdict was calculated from: `silentMs` since the last sign of life in the dialog (which this
   * evidence is), `intervalMs` and `deviationMs` as learned, `phi`, `missedHeartbeats`, `probesMissed`.
   */
  figures?: { [figure: string]: number };
}

export interface FailoverDetected extends FactEnvelope {
  event: 'failover-detected';
  level: FailureLevel;
  phase: FailurePhase;
  mcu?: string;
  /** Name of the rule that decided. */
  rule: string;
  evidence: Evidence[];
  /** Of the latest evidence, where the server named any (430). */
  recoveryAction?: RecoveryAction[];
}

export interface RouteStatusChanged extends FactEnvelope {
  event: 'route-status-changed';
  status: 'Recovering' | 'Healthy';
  recoveryMode: RouteSetRecoveryMode;
  attempts: number;
  elapsedMs: number;
}

export interface HealingAbandoned extends FactEnvelope {
  event: 'healing-abandoned';
  reason: 'horizon' | 'dialog-gone' | 'stopped' | 'disabled';
  attempts: number;
}

export interface HealAttempted extends FactEnvelope {
  event: 'heal-attempted';
  attempt: number;
  outcome: 'healed' | 'refused' | 'timeout' | 'unreachable' | 'dialog-gone' | 'healed-by-peer';
  status: number | null;
  nextAttemptAt: string | null;
}

export interface GiveUpArmed extends FactEnvelope {
  event: 'give-up-armed';
  /** Null when no criterion is a matter of time alone. */
  deadlineAt: string | null;
  criteria: string[];
}

export interface GiveUpTick extends FactEnvelope {
  event: 'give-up-tick';
  remainingMs: number;
}

export interface GiveUpCancelled extends FactEnvelope {
  event: 'give-up-cancelled';
  reason: 'recovered' | 'ended' | 'cancelled';
}

export interface GaveUp extends FactEnvelope {
  event: 'gave-up';
  criterion: string;
  /** One sentence with the figures. */
  explanation: string;
}

/** Answer of a policy node to the command `status`. */
export interface PolicyStatus extends FactEnvelope {
  event: 'detector-status' | 'healer-status' | 'give-up-status';
  status: JsonObject;
}

/** Maintenance: a suppression of the detector began or ended (`suppressedUntil` is null then). */
export interface SuppressionChanged extends FactEnvelope {
  event: 'suppression-changed';
  suppressedUntil: string | null;
  /** Verdicts that would have left meanwhile. */
  withheld: number;
}

export interface FaultInjected extends FactEnvelope {
  event: 'fault-injected';
  fault: string;
  detail: JsonObject;
}

/** Every fact that leaves a node of the pack. */
export type Fact =
  | StateChanged
  | ModeChanged
  | SessionStatus
  | McuStateChanged
  | CallStateChanged
  | MediaChanged
  | TextReceived
  | CallAvailable
  | RosterChanged
  | LobbyChanged
  | PropertiesChanged
  | OperationCompleted
  | OperationFailed
  | Signal
  | FailoverDetected
  | RouteStatusChanged
  | HealingAbandoned
  | HealAttempted
  | GiveUpArmed
  | GiveUpTick
  | GiveUpCancelled
  | GaveUp
  | PolicyStatus
  | SuppressionChanged
  | FaultInjected;

// ------------------------------------------------------------------------------------------------------------ requests

interface RequestBase {
  /** URI of the conference; without it, the conference of the node's dialog is meant. */
  conference?: string;
  /**
   * The ownership that the sender knows of. A conference-session refuses an older one than its own (StaleOwner), and stands
   * down for a newer one; the other nodes do not look at it.
   */
  epoch?: number;
}

/** What another node needs to go on with a conference: the result of `snapshot`, and what `restore` takes. No secrets. */
export interface ConferenceSnapshot {
  /** Version of this shape; the states inside have versions of their own. */
  version: 1;
  conference: string;
  owner: string;
  epoch: number;
  at: string;
  /** State of the conference session, without its pending operations. */
  state: JsonObject;
  /** Instants in ms since 1970, by deadline. */
  deadlines: { [deadline: string]: number };
  /** What the conferencing system needs to go on; null when nothing is open. */
  signaling: JsonObject | null;
  /** States of the MCU sessions, by MCU. */
  mcus: { [mcu: string]: JsonObject };
}

export interface JoinRequest extends RequestBase {
  command: 'join';
  displayName?: string;
  role?: 'attendee' | 'presenter';
  passcode?: string;
}

export interface TerminateRequest extends RequestBase {
  command: 'terminate';
  reason?: string;
  /** With it the request is ignored once that incident has closed. */
  incident?: string | null;
  dialog?: number;
  criterion?: string;
  explanation?: string;
}

export interface PlainConferenceRequest extends RequestBase {
  command: 'end-conference' | 'lock' | 'unlock' | 'roster' | 'status' | 'snapshot';
}

export interface ParticipantRequest extends RequestBase {
  command: 'eject' | 'invite' | 'dial-out';
  participant: string;
}

export interface ModifyRoleRequest extends RequestBase {
  command: 'modify-role';
  participant: string;
  role: 'attendee' | 'presenter';
}

export interface ModifyConfigurationRequest extends RequestBase {
  command: 'modify-configuration';
  accessLevel?: string;
  lobbyBypass?: boolean;
  automaticLeaderAssignment?: string;
}

export interface LobbyRequest extends RequestBase {
  command: 'admit' | 'deny';
  participants: string[];
}

/** Take over a conference that another node, or this one in an earlier life, has given a snapshot of. */
export interface RestoreRequest extends RequestBase {
  command: 'restore';
  snapshot: ConferenceSnapshot;
  /** The new ownership; without it, the one after that of the snapshot. */
  epoch?: number;
}

/** From the route-healer: send one healing request in the dialog; causes exactly one `signal`. */
export interface HealRequest extends RequestBase {
  command: 'heal';
  dialog: number;
  attempt: number;
  method?: HealingMethod;
  incident?: string | null;
}

/** From the failover-detector: ask the Focus, outside the dialog, whether it is there; causes exactly one `signal`. */
export interface ProbeRequest extends RequestBase {
  command: 'probe';
  dialog: number;
  incident?: string | null;
}

export interface CallRequest extends RequestBase {
  command: 'call';
  media?: string[];
}

export interface PlainMcuRequest extends RequestBase {
  command: 'hang-up';
}

export interface MuteRequest extends RequestBase {
  command: 'mute' | 'unmute';
  participant?: string;
}

export interface SendRequest extends RequestBase {
  command: 'send';
  text: string;
}

export interface DetectorRequest extends RequestBase {
  command: 'reset';
}

export interface SuppressRequest extends RequestBase {
  command: 'suppress';
  forMs: number;
}

export interface HealerRequest extends RequestBase {
  command: 'heal-now' | 'stop';
}

export interface GiveUpRequest extends RequestBase {
  command: 'pause' | 'resume' | 'cancel' | 'give-up';
}

export interface ExtendRequest extends RequestBase {
  command: 'extend';
  byMs: number;
}

export interface FrontEndFaultRequest extends RequestBase {
  command: 'kill-front-end' | 'restore-front-end';
  frontEnd?: string;
}

export interface McuFaultRequest extends RequestBase {
  command: 'roll-over-mcu' | 'drop-media' | 'restore-media';
  mcu: string;
  forMs?: number;
}

export interface BreakHopRequest extends RequestBase {
  command: 'break-hop';
  how?: 'refuse' | 'silent' | 'stale-route';
  forMs?: number;
}

export interface PlainFaultRequest extends RequestBase {
  command: 'restore-hop' | 'place-in-lobby';
}

export interface ParticipantFaultRequest extends RequestBase {
  command: 'participant-join' | 'participant-leave';
  participant: string;
}

/** The injector's `admit` and `eject` concern ourselves: without participants. */
export interface OwnPlacementRequest extends RequestBase {
  command: 'admit' | 'eject';
}

/** Every request that a node of the pack understands or sends. */
export type Request =
  | JoinRequest
  | TerminateRequest
  | PlainConferenceRequest
  | ParticipantRequest
  | ModifyRoleRequest
  | ModifyConfigurationRequest
  | LobbyRequest
  | RestoreRequest
  | HealRequest
  | ProbeRequest
  | CallRequest
  | PlainMcuRequest
  | MuteRequest
  | SendRequest
  | DetectorRequest
  | SuppressRequest
  | HealerRequest
  | GiveUpRequest
  | ExtendRequest
  | FrontEndFaultRequest
  | McuFaultRequest
  | BreakHopRequest
  | PlainFaultRequest
  | ParticipantFaultRequest
  | OwnPlacementRequest;

/** A payload: one fact or request, a command as a bare string, or a batch of those. */
export type Payload = Fact | Request | string | (Fact | Request | string)[];
