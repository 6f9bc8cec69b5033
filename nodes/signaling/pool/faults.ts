/** What can be broken on purpose (contract, section 7). Each command does what its name says at once, on the server's side. */
import type {
  BreakHopRequest,
  FrontEndFaultRequest,
  JsonObject,
  McuFaultRequest,
  OwnPlacementRequest,
  ParticipantFaultRequest,
  PlainFaultRequest,
} from '../../recovery/messages';
import type { Call } from './call';
import type { Focus, Mcu } from './focus';
import type { FrontEnd } from './front-ends';
import { poolLimits } from './options';
import type { System } from './system';

/** A fault to inject. */
export type PoolFault =
  | FrontEndFaultRequest
  | McuFaultRequest
  | BreakHopRequest
  | PlainFaultRequest
  | ParticipantFaultRequest
  | OwnPlacementRequest
  | { command: 'end-conference' | 'status'; conference?: string };

/** What became of it: details for people, or why it is impossible. Then nothing has changed. */
export type FaultResult = { ok: true; detail: JsonObject } | { ok: false; message: string };

/** Thrown inside this file only; its message is for people. */
class Impossible extends Error {}

/** Injects a fault. Front ends and hops are shared by all conferences; a fault of them strikes every one. */
export function injectFault(system: System, fault: PoolFault, conference: string): FaultResult {
  if (system.closed) return { ok: false, message: 'The pool is closed.' };
  try {
    return { ok: true, detail: inject(system, fault, conference) };
  } catch (error) {
    if (error instanceof Impossible) return { ok: false, message: error.message };
    throw error;
  }
}

function inject(system: System, fault: PoolFault, conference: string): JsonObject {
  switch (fault.command) {
    case 'kill-front-end': {
      const frontEnd = frontEndToKill(system, fault.frontEnd, conference);
      system.kill(frontEnd);
      return { frontEnd: frontEnd.name, left: system.frontEnds.living };
    }
    case 'restore-front-end': {
      const frontEnd = frontEndToRestore(system, fault.frontEnd);
      system.restore(frontEnd);
      return { frontEnd: frontEnd.name };
    }
    case 'roll-over-mcu': {
      const focus = focusOf(system, conference);
      const mcu = mcuOf(focus, fault.mcu);
      if (mcu.host === null) throw new Impossible(`The MCU "${mcu.name}" of ${conference} is failing over already.`);
      const { name: frontEnd } = mcu.host;
      const forMs = duration(fault.forMs) ?? system.options.mcuFailoverMs;
      focus.rollOver(mcu, forMs);
      return { mcu: mcu.name, frontEnd, forMs };
    }
    case 'break-hop': {
      const { how = 'refuse' } = fault;
      if (how !== 'refuse' && how !== 'silent' && how !== 'stale-route') {
        throw new Impossible(`A hop can be broken as "refuse", "silent" or "stale-route", not as "${how}".`);
      }
      const forMs = duration(fault.forMs);
      return { hop: system.breakHop(how, forMs).name, how, ...(forMs === null ? {} : { forMs }) };
    }
    case 'restore-hop': {
      const broken = system.route.hops.filter(({ condition }) => condition !== 'up');
      if (broken.length === 0) throw new Impossible('No hop is broken.');
      system.restoreHops();
      return { hops: broken.map(({ name }) => name) };
    }
    case 'drop-media': {
      const calls = callsOf(system, conference, fault.mcu).filter(({ flowing }) => flowing);
      if (calls.length === 0) throw new Impossible(`No media flows between us and the MCU "${fault.mcu}".`);
      for (const call of calls) call.stopMedia(system.agenda.now());
      return { mcu: fault.mcu, calls: calls.length };
    }
    case 'restore-media': {
      const calls = callsOf(system, conference, fault.mcu).filter(({ flowing }) => !flowing);
      if (calls.length === 0) throw new Impossible(`No call with the MCU "${fault.mcu}" lacks its media.`);
      for (const call of calls) call.startMedia(system.agenda.now());
      return { mcu: fault.mcu, calls: calls.length };
    }
    case 'place-in-lobby':
      if (system.lobbyNext.size >= poolLimits.conferences) throw new Impossible('Too many conferences.');
      system.lobbyNext.add(conference);
      return { from: 'the next join or re-join' };
    case 'admit': {
      const focus = focusOf(system, conference);
      if (!focus.lobby.has(system.ours.identity.uri)) throw new Impossible(`We are not in the lobby of ${conference}.`);
      focus.emptyLobby([system.ours.identity.uri], true);
      return {};
    }
    case 'eject':
      if (!focusOf(system, conference).remove(system.ours.identity.uri)) {
        throw new Impossible(`We are neither in ${conference} nor in its lobby.`);
      }
      return {};
    case 'end-conference':
      system.end(focusOf(system, conference));
      return {};
    case 'participant-join': {
      const focus = focusOf(system, conference);
      const participant = uri(fault.participant);
      if (focus.users.has(participant) || focus.lobby.has(participant) || participant === system.ours.identity.uri) {
        throw new Impossible(`${participant} is in ${conference} already, or is ourselves.`);
      }
      if (!focus.hasRoom()) {
        throw new Impossible(
          `${conference} is full: a conference has at most ${poolLimits.participants} participants.`,
        );
      }
      focus.arrive(participant);
      return { participant, placement: focus.users.has(participant) ? 'conference' : 'lobby' };
    }
    case 'participant-leave': {
      const focus = focusOf(system, conference);
      const participant = uri(fault.participant);
      if (participant === system.ours.identity.uri) throw new Impossible('To end our own participation, use "eject".');
      if (!focus.remove(participant)) throw new Impossible(`${participant} is not in ${conference}.`);
      return { participant };
    }
    case 'status':
      return statusOf(system, conference);
    default:
      throw new Impossible(`The pool knows no fault "${(fault as { command: unknown }).command}".`);
  }
}

/** Who hosts what, which hops are broken, how many there are. */
export function statusOf(system: System, conference: string): JsonObject {
  const { frontEnds, route, foci, ours, agenda } = system;
  const { identity, lines } = ours;
  const focus = foci.get(conference);
  const line = lines.get(conference);
  const now = agenda.now();
  return {
    conference,
    exists: focus !== undefined,
    focus: focus?.host?.name ?? null,
    mcus: Object.fromEntries(
      (focus?.mcus ?? []).map(({ name, report, host }) => [name, { report, frontEnd: host?.name ?? null }]),
    ),
    dialog: focus?.dialogs.get(identity.uri)?.number ?? null,
    placement: focus?.users.has(identity.uri) ? 'conference' : focus?.lobby.has(identity.uri) ? 'lobby' : null,
    participants: focus?.users.size ?? 0,
    lobby: focus?.lobby.size ?? 0,
    calls: Array.from(line?.calls.values() ?? [], (call) => {
      const { callId, mcu, flowing, lastPacketAt, packets } = call.report(now);
      return { callId, mcu, phase: call.phase, flowing, lastPacketAt, packets };
    }),
    frontEnds: frontEnds.all.map(({ name, up }) => ({ name, up })),
    path: route.path,
    staleRoute: line?.hasStaleRoute ?? false,
    sessionTimer: line?.sessionTimer ?? null,
    hops: route.hops.map(({ name, condition }) => ({ name, condition })),
  };
}

function focusOf({ foci }: System, conference: string): Focus {
  const focus = foci.get(conference);
  if (!focus) throw new Impossible(`There is no conference ${conference}: nobody has joined it.`);
  return focus;
}

function mcuOf(focus: Focus, name: string): Mcu {
  const mcu = focus.mcu(name);
  if (!mcu)
    throw new Impossible(`There is no MCU "${name}". There are: ${focus.mcus.map((one) => one.name).join(', ')}.`);
  return mcu;
}

/** Established calls that have packets. */
function callsOf(system: System, conference: string, name: string): Call[] {
  mcuOf(focusOf(system, conference), name);
  const calls = [...(system.ours.lines.get(conference)?.calls.values() ?? [])];
  return calls.filter(({ mcu, phase, hasPackets }) => mcu === name && phase === 'established' && hasPackets);
}

function frontEndToKill(system: System, name: string | undefined, conference: string): FrontEnd {
  if (name === undefined) {
    const { host } = focusOf(system, conference);
    if (host === null) throw new Impossible(`The Focus of ${conference} is failing over already; name a front end.`);
    return host;
  }
  const frontEnd = frontEndNamed(system, name);
  if (!frontEnd.up) throw new Impossible(`${name} is dead already.`);
  return frontEnd;
}

function frontEndToRestore(system: System, name: string | undefined): FrontEnd {
  const frontEnd = name === undefined ? system.frontEnds.latestCasualty : frontEndNamed(system, name);
  if (frontEnd === null) throw new Impossible('No front end is dead.');
  if (frontEnd.up) throw new Impossible(`${name} is not dead.`);
  return frontEnd;
}

function frontEndNamed({ frontEnds }: System, name: string): FrontEnd {
  const frontEnd = frontEnds.named(name);
  if (!frontEnd) {
    throw new Impossible(`There is no front end "${name}". They are front-end-1 to front-end-${frontEnds.all.length}.`);
  }
  return frontEnd;
}

function duration(forMs: number | undefined): number | null {
  if (forMs === undefined || forMs === null) return null;
  if (typeof forMs === 'number' && forMs >= 0 && forMs < Number.POSITIVE_INFINITY) return forMs;
  throw new Impossible('"forMs" must be a number of milliseconds, zero or more.');
}

function uri(participant: string): string {
  if (typeof participant === 'string' && participant.trim() !== '') return participant;
  throw new Impossible('"participant" must be a URI such as "sip:ada@pool.example".');
}
