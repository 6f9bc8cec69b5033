/** What can be done to a conference: by its users, by those who run the servers, and by fate. */
import type { Request, SignalPurpose } from '../../nodes/recovery/messages';
import type { Outcome } from '../../nodes/recovery/signaling';
import type { PoolFault } from '../../nodes/signaling/pool/pool';
import type { Chance } from './chance';
import type { Asked } from './parts';
import type { Occurrence, Roughness } from './rough-port';
import { type Disturbance, type Mishap, type NodeName, type WireName, wireNames } from './wires';

/** One deed, as plain data. */
export type Deed =
  /** Somebody asks a node for something. */
  | { deed: 'ask'; of: NodeName; request: Asked }
  /** Something breaks in the conferencing system, or is repaired there. */
  | { deed: 'fault'; fault: PoolFault }
  /** The port tells of something. */
  | { deed: 'happen'; occurrence: Occurrence }
  | { deed: 'roughen'; roughness: Roughness }
  | { deed: 'disturb'; disturbance: Disturbance }
  /** A node is deployed again: a policy forgets everything, an MCU session comes late. */
  | { deed: 'replace'; node: Exclude<NodeName, 'session'> }
  /** The process ends at once, and the next one begins so much later. */
  | { deed: 'restart'; downMs: number }
  /** The flows were started again: the session tells how things are. */
  | { deed: 'announce' };

const people = ['sip:ada@pool.example', 'sip:grace@pool.example', 'sip:alan@pool.example', 'sip:edsger@pool.example'];
const ourselves = 'sip:node-red@pool.example';

/** Draws a deed. */
export type Draw = (chance: Chance) => Deed;
type Choice = readonly [weight: number, draw: Draw];

function ask(of: NodeName, draw: (chance: Chance) => Request): Draw {
  return (chance) => ({ deed: 'ask', of, request: draw(chance) as Asked });
}

function fault(draw: (chance: Chance) => PoolFault): Draw {
  return (chance) => ({ deed: 'fault', fault: draw(chance) });
}

const somebody = (chance: Chance): string => chance.one(people);
const mcuName = (chance: Chance): 'audio-video' | 'chat' => (chance.happens(0.6) ? 'audio-video' : 'chat');
const anyone = (chance: Chance): string => (chance.happens(0.1) ? ourselves : somebody(chance));

// ------------------------------------------------------------------------------------------------------------------ people

const sessionRequests: readonly Choice[] = [
  [8, ask('session', () => ({ command: 'lock' }))],
  [6, ask('session', () => ({ command: 'unlock' }))],
  [4, ask('session', (chance) => ({ command: 'invite', participant: somebody(chance) }))],
  [3, ask('session', (chance) => ({ command: 'eject', participant: anyone(chance) }))],
  [
    3,
    ask('session', (chance) => ({
      command: 'modify-role',
      participant: somebody(chance),
      role: chance.one(['attendee', 'presenter']),
    })),
  ],
  [3, ask('session', (chance) => ({ command: 'modify-configuration', accessLevel: chance.one(['open', 'closed']) }))],
  [2, ask('session', (chance) => ({ command: 'admit', participants: [somebody(chance)] }))],
  [2, ask('session', (chance) => ({ command: 'deny', participants: [somebody(chance)] }))],
  [1, ask('session', () => ({ command: 'end-conference' }))],
  [4, ask('session', (chance) => ({ command: chance.one(['roster', 'status']) }))],
  [4, ask('session', () => ({ command: 'join' }))],
];

const mcuRequests: readonly Choice[] = [
  [8, (chance) => askMcu(chance, { command: 'call', media: ['audio'] })],
  [4, (chance) => askMcu(chance, { command: 'hang-up' })],
  [4, (chance) => askMcu(chance, { command: 'send', text: 'hello' })],
  [4, (chance) => askMcu(chance, { command: 'mute', participant: somebody(chance) })],
  [2, (chance) => askMcu(chance, { command: 'unmute' })],
  [3, (chance) => askMcu(chance, { command: 'dial-out', participant: somebody(chance) })],
  [2, (chance) => askMcu(chance, { command: 'eject', participant: anyone(chance) })],
  [2, (chance) => askMcu(chance, { command: chance.one(['roster', 'status']) })],
];

function askMcu(chance: Chance, request: Request): Deed {
  return { deed: 'ask', of: mcuName(chance), request: request as Asked };
}

const detectorRequests: readonly Choice[] = [
  [2, ask('detector', () => ({ command: 'reset' }))],
  [4, ask('detector', (chance) => ({ command: 'suppress', forMs: chance.duration(50, 20_000) }))],
  [1, ask('detector', () => ({ command: 'status' }))],
];

const healerRequests: readonly Choice[] = [
  [4, ask('healer', () => ({ command: 'heal-now' }))],
  [3, ask('healer', () => ({ command: 'stop' }))],
  [1, ask('healer', () => ({ command: 'status' }))],
];

const giveUpRequests: readonly Choice[] = [
  [3, ask('give-up', (chance) => ({ command: 'extend', byMs: chance.duration(10, 20_000) }))],
  [4, ask('give-up', () => ({ command: 'pause' }))],
  [4, ask('give-up', () => ({ command: 'resume' }))],
  [2, ask('give-up', () => ({ command: 'cancel' }))],
  [2, ask('give-up', () => ({ command: 'give-up' }))],
  [1, ask('give-up', () => ({ command: 'status' }))],
];

/** What policies ask of a session, sent by people. */
const routeRequests: readonly Choice[] = [
  [1, ask('session', (chance) => ({ command: 'probe', dialog: chance.whole(1, 2) }))],
  [1, ask('session', (chance) => ({ command: 'heal', dialog: chance.whole(1, 2), attempt: chance.whole(1, 3) }))],
];

// ------------------------------------------------------------------------------------------------------------------ servers

const forMs = (chance: Chance, mostMs: number) => (chance.happens(0.8) ? { forMs: chance.duration(5, mostMs) } : {});

const focusFaults: readonly Choice[] = [
  [8, fault(() => ({ command: 'kill-front-end' }))],
  [2, fault((chance) => ({ command: 'kill-front-end', frontEnd: `front-end-${chance.whole(1, 3)}` }))],
  [3, fault(() => ({ command: 'restore-front-end' }))],
];

const mcuFaults: readonly Choice[] = [
  [5, fault((chance) => ({ command: 'roll-over-mcu', mcu: mcuName(chance), ...forMs(chance, 10_000) }))],
];

const hopFaults: readonly Choice[] = [
  [
    8,
    fault((chance) => ({
      command: 'break-hop',
      how: chance.one(['refuse', 'silent', 'stale-route']),
      ...forMs(chance, 30_000),
    })),
  ],
  [3, fault(() => ({ command: 'restore-hop' }))],
];

const conferenceFaults: readonly Choice[] = [
  [4, fault((chance) => ({ command: 'participant-join', participant: somebody(chance) }))],
  [4, fault((chance) => ({ command: 'participant-leave', participant: somebody(chance) }))],
  [2, fault((chance) => ({ command: 'drop-media', mcu: mcuName(chance) }))],
  [1, fault((chance) => ({ command: 'restore-media', mcu: mcuName(chance) }))],
  [2, fault(() => ({ command: 'place-in-lobby' }))],
  [3, fault(() => ({ command: 'admit' }))],
  [1, fault(() => ({ command: 'eject' }))],
  [1, fault(() => ({ command: 'end-conference' }))],
];

// ----------------------------------------------------------------------------------------------------- the rough edges

function answer(status: number, extra: object = {}): Outcome {
  return { kind: 'refused', status, response: { status, reason: 'Simulated', headers: {}, body: '' }, ...extra };
}

const outcomes: readonly Outcome[] = [
  answer(430, { recoveryAction: ['Wait-For-Session-Update'] }),
  answer(430, { recoveryAction: ['Dialog-Route-Set-Update'] }),
  answer(430),
  answer(481),
  answer(404),
  answer(408),
  answer(503),
  answer(503, { retryAfterMs: 700 }),
  answer(504),
  answer(603),
  { kind: 'unreachable', cause: 'timeout', written: true, message: 'simulated' },
  { kind: 'unreachable', cause: 'transport', written: false, message: 'simulated' },
  { kind: 'unreachable', cause: 'transport', written: true, message: 'simulated' },
  { kind: 'unreachable', cause: 'malformed', written: true, message: 'simulated' },
  { kind: 'unsupported', message: 'simulated' },
  { kind: 'ok', status: 200 },
];

const reports = ['active', 'inactive', 'failing-over', 'unsupported'] as const;

function reportMcu(chance: Chance): Deed {
  return { deed: 'happen', occurrence: { event: 'mcu-report', mcu: mcuName(chance), report: chance.one(reports) } };
}

const occurrences: readonly ((chance: Chance) => Occurrence)[] = [
  () => ({ event: 'remote-bye' }),
  () => ({ event: 'session-expired' }),
  () => ({ event: 'subscription-lost', reason: 'simulated' }),
  () => ({ event: 'remote-update' }),
  () => ({ event: 'transport-lost', message: 'simulated' }),
  () => ({ event: 'transport-restored' }),
  () => ({ event: 'unreadable', message: 'simulated' }),
  (chance) => ({ event: 'ended', cause: chance.one(['ejected', 'conference-ended']) }),
  (chance) => ({ event: 'text', mcu: mcuName(chance), from: somebody(chance), text: 'hello' }),
];

function happen(chance: Chance): Deed {
  if (chance.happens(0.15)) return reportMcu(chance);
  return { deed: 'happen', occurrence: chance.one(occurrences)(chance) };
}

function roughen(chance: Chance): Deed {
  const count = chance.whole(1, 4);
  const roughness = chance.weighted<() => Roughness>([
    [2, () => ({ rough: 'document', how: chance.one(['lost', 'twice', 'overtaken']), count })],
    [4, () => ({ rough: 'answer', purpose: 'operation', outcome: chance.one(outcomes), count })],
    [3, () => ({ rough: 'answer', purpose: 'heal', outcome: chance.one(outcomes), count })],
    [2, () => ({ rough: 'answer', purpose: 'probe', outcome: chance.one(outcomes), count })],
    [2, () => ({ rough: 'answer', purpose: 'refresh', outcome: chance.one(outcomes), count })],
    [
      2,
      () => ({
        rough: 'mcus',
        mcus: { [mcuName(chance)]: chance.one(['active', 'inactive', 'failing-over', 'unsupported']) },
      }),
    ],
  ]);
  return { deed: 'roughen', roughness: roughness() };
}

function roughenAnswersTo(purpose: SignalPurpose): Draw {
  return (chance) => {
    const count = chance.whole(1, 4);
    return { deed: 'roughen', roughness: { rough: 'answer', purpose, outcome: chance.one(outcomes), count } };
  };
}

function disturb(chance: Chance): Deed {
  return disturbWire(chance.one(wireNames))(chance);
}

/** Something goes wrong on one wire. */
export function disturbWire(wire: WireName): Draw {
  return (chance) => {
    const mishap = chance.weighted<Mishap>([
      [4, 'late'],
      [3, 'twice'],
      [3, 'out-of-order'],
      [2, 'lost'],
    ]);
    const byMs = chance.duration(1, 15_000);
    const forMs = chance.duration(100, 60_000);
    return { deed: 'disturb', disturbance: { wire, mishap, byMs, forMs, share: chance.one([0.3, 0.7, 1]) } };
  };
}

/** The process ends, and comes again. */
export function drawRestart(chance: Chance): Deed {
  return { deed: 'restart', downMs: chance.happens(0.5) ? 0 : chance.duration(1, 20_000) };
}

function replace(chance: Chance): Deed {
  return { deed: 'replace', node: chance.one(['audio-video', 'chat', 'detector', 'healer', 'give-up']) };
}

const terminate: Deed = { deed: 'ask', of: 'session', request: { command: 'terminate' } as Asked };

/** Ends the session. */
export function drawTerminate(chance: Chance): Deed {
  const request: Request = { command: 'terminate', ...(chance.happens(0.2) ? { reason: 'done' } : {}) };
  return { deed: 'ask', of: 'session', request: request as Asked };
}

const of =
  (choices: readonly Choice[]): Draw =>
  (chance) =>
    chance.weighted(choices)(chance);

/** Something that people want. */
export const drawRequest = of([
  [5, of(sessionRequests)],
  [4, of(mcuRequests)],
]);

/** Something that breaks a recovery, or makes one necessary. */
export const drawFailure = of([
  [5, of(focusFaults)],
  [5, of(hopFaults)],
  [3, of(mcuFaults)],
  [1, happen],
]);

/** An MCU fails, is said to fail, and is worked with. */
export const drawMcuDeed = of([
  [4, of(mcuFaults)],
  [6, of(mcuRequests)],
  [4, reportMcu],
  [3, (chance) => askMcu(chance, { command: 'unmute' })],
  [2, ask('chat', () => ({ command: 'send', text: 'hello' }))],
  [1, of(focusFaults)],
  [1, disturbWire('detector>mcus')],
  [1, ask('detector', () => ({ command: 'reset' }))],
]);

/** A repair goes well, or badly, or is meddled with. */
export const drawHealingDeed = of([
  [4, of(healerRequests)],
  [3, () => ({ deed: 'happen', occurrence: { event: 'remote-update' } })],
  [2, () => ({ deed: 'happen', occurrence: { event: 'transport-restored' } })],
  [3, roughenAnswersTo('heal')],
  [2, of(hopFaults)],
  [1, of(focusFaults)],
  [1, of(routeRequests)],
  [1, () => ({ deed: 'replace', node: 'healer' })],
  [1, ask('detector', () => ({ command: 'reset' }))],
  [1, () => ({ deed: 'happen', occurrence: { event: 'unreadable', message: 'simulated' } })],
]);

/** Somebody loses patience, or has more of it; and what patience depends on. */
export const drawPatienceDeed = of([
  [6, of(giveUpRequests)],
  [2, fault((chance) => ({ command: chance.one(['drop-media', 'restore-media']), mcu: 'audio-video' }))],
  [1, ask('audio-video', (chance) => ({ command: chance.one(['call', 'hang-up']) }))],
  [1, disturbWire('give-up>session')],
  [1, disturbWire('session.state>give-up')],
]);

/** Maintenance: failures that nobody is to hear of. */
export const drawMaintenanceDeed = of([
  [4, of(detectorRequests)],
  [2, of(focusFaults)],
  [2, of(hopFaults)],
  [1, of(mcuFaults)],
  [2, happen],
  [1, roughenAnswersTo('refresh')],
]);

/** What speaks for or against the Focus. */
export const drawFocusEvidence: Draw = (chance) => ({
  deed: 'happen',
  occurrence: chance.one<Occurrence>([
    { event: 'remote-bye' },
    { event: 'session-expired' },
    { event: 'subscription-lost', reason: 'simulated' },
    { event: 'remote-update' },
  ]),
});

/** Who waits in the lobby, and who is let in. */
export const drawLobbyDeed = of([
  [4, fault(() => ({ command: 'admit' }))],
  [2, fault(() => ({ command: 'place-in-lobby' }))],
  [2, fault((chance) => ({ command: 'participant-join', participant: somebody(chance) }))],
  [1, fault((chance) => ({ command: 'participant-leave', participant: somebody(chance) }))],
  [2, ask('session', (chance) => ({ command: chance.one(['admit', 'deny']), participants: [somebody(chance)] }))],
  [1, fault(() => ({ command: 'eject' }))],
  [2, drawFailure],
  [
    2,
    (chance) => ({ deed: 'happen', occurrence: chance.one([{ event: 'remote-bye' }, { event: 'session-expired' }]) }),
  ],
  [1, (chance) => ({ deed: 'roughen', roughness: { rough: 'admitted', how: 'twice', count: chance.whole(1, 2) } })],
]);

/** Anything at all. */
export const drawDeed = of([
  [30, drawRequest],
  [25, drawFailure],
  [10, of(conferenceFaults)],
  [3, of(detectorRequests)],
  [3, of(healerRequests)],
  [4, of(giveUpRequests)],
  [2, of(routeRequests)],
  [5, happen],
  [6, roughen],
  [6, disturb],
  [2, replace],
  [1, () => ({ deed: 'announce' })],
  [4, drawRestart],
  [2, () => terminate],
  [2, () => ({ deed: 'ask', of: 'session', request: { command: 'join' } as Asked })],
]);
