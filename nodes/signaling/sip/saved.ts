/**
 * What of a conference outlives its process, and the check of it: it may have been kept by an earlier version, or come from
 * somebody else. Credentials are not in it, nor what servers have asked them for.
 */
import type { ConferenceUri, Medium } from './conference-document';
import type { Agreement } from './session-timer';

/** Version of what is kept; what has another one is not taken up. */
export const savedVersion = 1;
/**
 * CSeq numbers that are left out when a dialog is taken up: requests sent after it was kept must not be repeated, and each
 * needs a higher number than those before (RFC 3261, 12.2.1.1). Dialogs are kept anew after half as many.
 */
export const sequenceMargin = 1000;

/** A session timer (RFC 4028). */
export type SavedSession = {
  agreed: Agreement | null;
  minimumSeconds: number;
  standsStill: boolean;
};

/** A dialog (RFC 3261, 12). */
export type SavedDialog = {
  callId: string;
  localTag: string;
  remoteTag: string;
  remoteUri: string;
  remoteTarget: string;
  routeSet: string[];
  localSequence: number;
  /** -1: the far end has sent nothing in it. */
  remoteSequence: number;
  /** Value of Allow; '' where the far end has not said. */
  allow: string;
  session: SavedSession | null;
};

/** Our session description of a dialog: what it was in its last version. */
export type SavedDescription = {
  /** Address in its origin. */
  origin: string;
  /** Address of its media. */
  host: string;
  version: number;
  streams: string[];
  audioPort: number | null;
};

/** The subscription to the roster. */
export type SavedSubscription = {
  target: string;
  /** Null where there was none when it was kept. */
  dialog: SavedDialog | null;
  final: boolean;
  wasAccepted: boolean;
  everNotified: boolean;
};

/** What the conference has said of its MCUs. */
export type SavedMcus = {
  conferenceUris: ConferenceUri[];
  available: Medium[] | null;
  conferenceActive: boolean;
  flowing: string[];
};

/** Our part in a conference. */
export type SavedParticipation = {
  number: number;
  dialog: SavedDialog;
  description: SavedDescription;
  takesReferrals: boolean;
  conferenceOver: boolean;
  dialogEnded: boolean;
  subscription: SavedSubscription;
  mcus: SavedMcus;
};

/** A call with an MCU. */
export type SavedCall = {
  callId: string;
  mcu: string;
  dialog: SavedDialog;
  description: SavedDescription;
};

/** All of a conference. */
export type SavedConference = {
  version: typeof savedVersion;
  /** Who we are. */
  uri: string;
  displayName: string;
  participation: SavedParticipation | null;
  calls: SavedCall[];
};

type Check = (value: unknown) => boolean;
/** A check of each member, none forgotten. */
type Shape<Value> = { [name in keyof Value]: Check };

const flag: Check = (value) => typeof value === 'boolean';
/** Goes into header fields, which end at a line break. */
const text: Check = (value) => typeof value === 'string' && value.length <= 4096 && !/\p{Cc}/u.test(value);
const someText: Check = (value) => text(value) && value !== '';
const stream: Check = (value) => typeof value === 'string' && value.length <= 4096 && value.startsWith('m=');

function whole(least: number, most: number): Check {
  return (value) => Number.isInteger(value) && Number(value) >= least && Number(value) <= most;
}

function oneOf(...values: unknown[]): Check {
  return (value) => values.includes(value);
}

function orNull(check: Check): Check {
  return (value) => value === null || check(value);
}

function list(check: Check, most = 100): Check {
  return (value) => Array.isArray(value) && value.length <= most && value.every(check);
}

function shape<Value>(members: Shape<Required<Value>>): Check {
  const checks: [string, Check][] = Object.entries(members);
  return (value) =>
    typeof value === 'object' &&
    value !== null &&
    checks.every(([name, check]) => check((value as { [name: string]: unknown })[name]));
}

const port = whole(1, 65_535);
const session = shape<SavedSession>({
  agreed: orNull(shape<Agreement>({ intervalMs: whole(1, 2 ** 31 - 1), refresher: oneOf('us', 'peer') })),
  minimumSeconds: whole(1, 86_400),
  standsStill: flag,
});
const dialog = shape<SavedDialog>({
  callId: someText,
  localTag: someText,
  remoteTag: someText,
  remoteUri: someText,
  remoteTarget: someText,
  routeSet: list(someText),
  // Must stay below 2^31 (RFC 3261, 8.1.1.5), also for a while after it was taken up.
  localSequence: whole(1, 2 ** 31 - 1 - 100 * sequenceMargin),
  remoteSequence: whole(-1, 2 ** 31 - 1),
  allow: text,
  session: orNull(session),
});
const description = shape<SavedDescription>({
  origin: text,
  host: text,
  version: whole(0, 2 ** 31 - 1),
  streams: list(stream),
  audioPort: orNull(port),
});
const conference = shape<SavedConference>({
  version: oneOf(savedVersion),
  uri: text,
  displayName: (value) => typeof value === 'string',
  participation: orNull(
    shape<SavedParticipation>({
      number: whole(1, Number.MAX_SAFE_INTEGER),
      dialog,
      description,
      takesReferrals: flag,
      conferenceOver: flag,
      dialogEnded: flag,
      subscription: shape<SavedSubscription>({
        target: someText,
        dialog: orNull(dialog),
        final: flag,
        wasAccepted: flag,
        everNotified: flag,
      }),
      mcus: shape<SavedMcus>({
        conferenceUris: list(shape<ConferenceUri>({ uri: text, purpose: text }), 1000),
        available: orNull(
          list(
            shape<Medium>({ type: text, status: (value) => value === undefined || typeof value === 'string' }),
            1000,
          ),
        ),
        conferenceActive: flag,
        flowing: list(text, 1000),
      }),
    }),
  ),
  calls: list(shape<SavedCall>({ callId: someText, mcu: someText, dialog, description }), 1000),
});

/** Whether it can be taken up. */
export function isSavedConference(saved: unknown): saved is SavedConference {
  return conference(saved);
}
