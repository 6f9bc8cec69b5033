/**
 * The language between the model and a conferencing system: what the model wants done (`SignalingEffect`) and what it
 * hears (`SignalingEvent`). Both are plain data. A signaling port speaks it (`signaling/port.ts`), and knows all that the
 * model must not: SIP timers, tags, Via, SDP, sockets.
 */
import type {
  CallReason,
  Diagnostics,
  Endpoint,
  HealingMethod,
  JsonObject,
  McuReport,
  Participant,
  RecoveryAction,
  ResponseData,
  SignalPurpose,
} from './messages';

/**
 * How a request ended.
 * - `ok`: a 2xx. `result` is what the server returned for an operation.
 * - `refused`: any other final answer, with what it says.
 * - `unreachable`: no answer at all: nobody answered in time, or the way there is broken (`transport`: connection refused,
 *   lost or not there; `written` tells whether the request may have left).
 * - `unsupported`: this conferencing system has no way to do it; nothing was sent.
 */
export type Outcome =
  | { kind: 'ok'; status: number; result?: unknown }
  | {
      kind: 'refused';
      status: number;
      /** What was refused with: that same answer, or the one that a Focus tells of a request which it sent for us (REFER). */
      response: ResponseData;
      /** The Focus has taken the request, and it failed all the same: the reason of a C3P failure (MS-CONFPRO 2.2.3), or `SIP-603`. */
      conferenceReason?: string;
      recoveryAction?: RecoveryAction[];
      retryAfterMs?: number;
      diagnostics?: Diagnostics;
    }
  | { kind: 'unreachable'; cause: 'timeout' | 'transport' | 'tls' | 'malformed'; written: boolean; message: string }
  | { kind: 'unsupported'; message: string };

/** A `user` element of a conference document: a participant with the element's own `state` (RFC 4575, 4.6). */
export interface DocumentUser extends Omit<Participant, 'endpoints'> {
  state: 'full' | 'partial' | 'deleted';
  endpoints: (Endpoint & { state: 'full' | 'partial' | 'deleted' })[];
}

/** A parsed conference document (RFC 4575). Versions and merging are the model's (`roster.ts`). */
export interface ConferenceDocument {
  state: 'full' | 'partial' | 'deleted';
  version: number;
  users: DocumentUser[];
  /** Participants waiting in the lobby; absent where the server does not tell. */
  lobby?: Participant[];
  /** Conference properties that the document states: subject, locked, access level, …; absent ones are unchanged. */
  properties?: JsonObject;
}

/** What the Focus says of each MCU, by the MCU's name; null on a server that says nothing of MCUs. */
export type McuReports = { [mcu: string]: McuReport } | null;

// ------------------------------------------------------------------------------------------------------------- effects

/** What the model asks of the conferencing system. `dialog` numbers are the session's (1, 2, …). */
export type SignalingEffect =
  /** INVITE to the Focus, SUBSCRIBE to its roster. Answered by `joined` or `join-failed`. Supersedes any earlier dialog. */
  | { effect: 'join'; dialog: number; rejoin: boolean; displayName?: string; role?: string; passcode?: string }
  /** Unsubscribe and BYE. Answered by `left`. With `silently` nothing is sent: the other side is gone. */
  | { effect: 'leave'; dialog: number; silently: boolean }
  /**
   * After a restart: finds out whether the dialog is still there, and says where we are now; so for the calls beside it, and
   * with a new subscription. Answered by one `outcome` of purpose `refresh` whose `requestId` is `resume`.
   */
  | { effect: 'resume'; dialog: number; timeoutMs: number }
  /** One request in the dialog. Answered by exactly one `outcome` within `timeoutMs`. */
  | {
      effect: 'request';
      requestId: string;
      dialog: number;
      purpose: SignalPurpose;
      timeoutMs: number;
      /** With purpose `operation`: what to do, and on which MCU. */
      operation?: string;
      arguments?: JsonObject;
      mcu?: string;
      /** With purpose `heal`. */
      method?: HealingMethod;
      attempt?: number;
      /** With purpose `heal`: refresh our registration first, if there is one (MS-SIPRE 3.7.5.3.1). */
      refreshRegistration?: boolean;
    }
  /**
   * Ask for a full conference document: refresh the subscription, or with `anew` make another in its place (a new dialog,
   * whose versions begin anew). Answered by a `document`, or nothing.
   */
  | { effect: 'refresh-roster'; dialog: number; anew?: true }
  /** Let the session timer of the dialog stand still while its route is broken (UCMA, Session dialog resiliency). */
  | { effect: 'pause-session-timer'; dialog: number }
  /** Start it again, with its full interval. */
  | { effect: 'resume-session-timer'; dialog: number }
  /** INVITE dialog of its own with an MCU. Answered by `call-accepted` or `call-failed`. */
  | { effect: 'place-call'; callId: string; mcu: string; media: string[]; timeoutMs: number }
  /** Have a call's dialog take a route that was healed; its media are not touched. Answered by nothing. */
  | { effect: 'refresh-call'; callId: string; mcu: string }
  /** BYE in a call's dialog. Answered by `call-ended`. */
  | { effect: 'end-call'; callId: string; mcu: string }
  /** Text into a call (IM). Answered by exactly one `outcome`. */
  | { effect: 'send-text'; requestId: string; callId: string; mcu: string; text: string; timeoutMs: number };

// -------------------------------------------------------------------------------------------------------------- events

/** Where a join ended up. */
export type Placement = 'conference' | 'lobby';

/** What the conferencing system tells the model. */
export type SignalingEvent =
  | {
      event: 'joined';
      dialog: number;
      placement: Placement;
      /** First full roster; null in the lobby, and on a server without a conference package. */
      document: ConferenceDocument | null;
      mcus: McuReports;
    }
  | { event: 'join-failed'; dialog: number; outcome: Outcome }
  /** A leader let us in; same content as `joined`. */
  | { event: 'admitted'; dialog: number; document: ConferenceDocument | null; mcus: McuReports }
  /** The Focus ended our participation, and said why: removed (from the lobby: denied), or the conference is over. */
  | { event: 'ended'; dialog: number; cause: 'ejected' | 'conference-ended'; reason?: string }
  /** A BYE that no eject or end explains. */
  | { event: 'remote-bye'; dialog: number }
  | { event: 'left'; dialog: number }
  | {
      event: 'outcome';
      requestId: string;
      dialog: number;
      purpose: SignalPurpose;
      /** SIP method on the wire, or the pool's equivalent. */
      method: string;
      outcome: Outcome;
      elapsedMs: number;
    }
  /** `newSubscription`: the first of another subscription than the one before; its versions begin anew (RFC 4575, 4.5). */
  | { event: 'document'; dialog: number; document: ConferenceDocument; newSubscription?: true }
  | { event: 'transport-lost'; dialog: number; message: string }
  | { event: 'transport-restored'; dialog: number }
  | { event: 'subscription-lost'; dialog: number; reason: string }
  | { event: 'session-expired'; dialog: number }
  /** The far end healed the route with an UPDATE, which was answered 200. */
  | { event: 'remote-update'; dialog: number }
  | { event: 'mcu-report'; dialog: number; mcu: string; report: McuReport }
  | { event: 'call-accepted'; callId: string; mcu: string }
  | { event: 'call-failed'; callId: string; mcu: string; outcome: Outcome }
  | {
      event: 'call-ended';
      callId: string;
      mcu: string;
      reason: Extract<CallReason, 'HungUp' | 'RemoteHungUp' | 'MediaEnded'>;
    }
  | { event: 'media'; callId: string; mcu: string; flowing: boolean; lastPacketAt: number | null; packets: number }
  | { event: 'text'; mcu: string; from: string; text: string }
  /** A message from the server that could not be read (not XML, cut short, …); the dialog goes on. */
  | { event: 'unreadable'; dialog: number; message: string };
