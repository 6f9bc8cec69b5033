/**
 * Where the cells of each table lead. It is not written down anywhere: every machine is led through all that it can hear in
 * all states that differ in what matters, while its cells tell from where to where they go.
 */
import {
  type ConferenceSessionInput,
  type ConferenceSessionState,
  conferenceSession,
  conferenceSessionDefaults,
  conferenceSessionTable,
} from '../nodes/recovery/conference-session';
import {
  type FailoverDetectorState,
  failoverDetector,
  failoverDetectorDefaults,
} from '../nodes/recovery/failover-detector';
import { giveUpTimer, giveUpTimerDefaults } from '../nodes/recovery/give-up-timer';
import {
  type McuSessionInput,
  type McuSessionState,
  mcuSession,
  mcuSessionDefaults,
  mcuSessionTable,
} from '../nodes/recovery/mcu-session';
import type {
  ConferenceState,
  Fact,
  FailurePhase,
  HealAttempted,
  JsonObject,
  ReconnectingMode,
  Request,
  Signal,
  StateChanged,
} from '../nodes/recovery/messages';
import type { PolicyState } from '../nodes/recovery/policy';
import { routeHealer, routeHealerDefaults } from '../nodes/recovery/route-healer';
import type { ConferenceDocument, Outcome } from '../nodes/recovery/signaling';
import { snapshotOf } from '../nodes/recovery/snapshots';
import type { Message, PolicyInput, PolicyMachine } from '../nodes/recovery/step';
import { type Cell, placesOf, type Table, tables } from './tables';

/** One way through a table: from a state, by what is heard there, to another. */
export interface Passage {
  /** The table, where a machine has several. */
  part: string;
  from: string;
  by: string;
  to: string;
}

/** Every passage of a machine, in the order of its table. Fails when some cell was never come to. */
export function passagesOf(machine: string): Passage[] {
  const table = tables.find((each) => each.machine === machine) as Table;
  const { lead, phaseOf, throughRows } = expeditions[machine] as Expedition;
  const places = placesOf(table);
  const found: Passage[][] = places.map(() => []);
  const visited = new Set<number>();
  places.forEach(({ path, cell, replace }, index) => {
    const [column = '', row = '', part = ''] = [...path].reverse();
    const recorder = (...given: Parameters<Cell>): void => {
      visited.add(index);
      const told = messagesOf(given).length;
      let from = phaseOf(...given);
      let by = throughRows ? row : column;
      cell(...given);
      for (const to of [...passedThrough(messagesOf(given).slice(told)), phaseOf(...given)]) {
        const isKnown = found[index]?.some((known) => known.from === from && known.to === to);
        if (from !== to && !isKnown) found[index]?.push({ part, from, by, to });
        from = to;
        by = 'at once';
      }
    };
    replace(recorder);
  });
  lead();
  places.forEach(({ cell, replace }) => void replace(cell));
  const missed = places.filter((_, index) => !visited.has(index)).map(({ path }) => path.join('/'));
  if (missed.length > 0) throw new Error(`No way was found to ${missed.join(', ')}: see scripts/exploration.ts`);
  return found.flat();
}

interface Expedition {
  /** Leads the machine everywhere. */
  lead(): void;
  /** The state that the chart shows, from what a cell is given. */
  phaseOf(...given: unknown[]): string;
  /** Are inputs the rows of the table, and states its columns? */
  throughRows: boolean;
}

function messagesOf([draft]: readonly unknown[]): readonly Message[] {
  return (draft as { messages?: readonly Message[] }).messages ?? [];
}

/** States that were entered and left again at once: all that were told but the last. */
function passedThrough(messages: readonly Message[]): string[] {
  const told = messages.filter(
    (message): message is StateChanged => 'event' in message && message.event === 'state-changed',
  );
  return told.slice(0, -1).map(({ state }) => state);
}

/** Gives every input in every state that is reached and differs in its essence from those before. */
function explore<State, Input>(
  start: State,
  inputsIn: (state: State) => Input[],
  step: (state: State, input: Input) => State,
  essenceOf: (state: State) => unknown,
): void {
  const known = new Set([JSON.stringify(essenceOf(start))]);
  const open = [start];
  for (let state = open.pop(); state !== undefined; state = open.pop()) {
    for (const input of inputsIn(state)) {
      const next = step(state, input);
      const essence = JSON.stringify(essenceOf(next));
      if (known.has(essence)) continue;
      known.add(essence);
      open.push(next);
    }
  }
}

const conference = 'sip:any@example.com';
const now = Date.UTC(2026, 0, 1);
const moment = { now, random: 0.5 };
const refused = { kind: 'refused', status: 430, response: { status: 430, reason: '', headers: {}, body: '' } } as const;
const roster: ConferenceDocument = { state: 'full', version: 1, users: [] };
const { phases: everyPhase } = conferenceSessionTable;
const { phases: everyMcuPhase } = mcuSessionTable;

// ------------------------------------------------------------------------------------------------------------ sessions

/** For each row of the conference session's table, what leads into it. */
function conferenceInputs(state: ConferenceSessionState): ConferenceSessionInput[] {
  const { dialog, epoch } = state;
  const joined = { dialog, document: roster, mcus: null };
  const told = { dialog, incident: null };
  const ended = (outcome: Outcome) =>
    ({
      event: 'outcome',
      dialog,
      requestId: 'a',
      purpose: 'operation',
      method: 'INFO',
      outcome,
      elapsedMs: 0,
    }) as const;
  const due = (deadline: string) => [{ input: 'deadline', deadline } as const];
  const rows: { readonly [row in keyof (typeof conferenceSessionTable)['cells']]: readonly ConferenceSessionInput[] } =
    {
      join: [{ input: 'join', operationId: 'j', arguments: {} }],
      terminate: [{ input: 'terminate', operationId: 't' }],
      operation: [{ input: 'operation', operation: 'lock', operationId: 'a', arguments: {} }],
      query: [{ input: 'query', operation: 'status', operationId: 'q' }],
      snapshot: [{ input: 'snapshot', operationId: 's', signaling: null, deadlines: {}, mcus: {} }],
      restore: everyPhase.map((phase) => ({
        input: 'restore',
        operationId: 'r',
        snapshot: snapshotOf(
          { ...state, phase, closing: { phase: 'Disconnected', reason: 'TerminateRequested' } },
          now,
          { signaling: null, deadlines: {}, mcus: {} },
        ),
      })),
      restarted: [{ input: 'restarted' }],
      'stand-down': [{ input: 'stand-down', owner: 'another', epoch: epoch + 1 }],
      heal: [{ input: 'heal', dialog, attempt: 1, method: 'UPDATE' }],
      probe: [{ input: 'probe', dialog }],
      'focus-failed': [{ input: 'focus-failed', ...told }],
      'focus-failed-over': [{ input: 'focus-failed-over', ...told }],
      'route-recovering': [{ input: 'route-recovering', ...told, recoveryMode: 'MaximumRetry', attempts: 1 }],
      'route-healthy': [{ input: 'route-healthy', dialog }],
      'route-abandoned': [{ input: 'route-abandoned', dialog }],
      'route-unhealed': [{ input: 'route-unhealed', dialog }],
      joined: [
        { event: 'joined', ...joined, placement: 'conference' },
        { event: 'joined', ...joined, placement: 'lobby' },
      ],
      'join-failed': [{ event: 'join-failed', dialog, outcome: refused }],
      admitted: [{ event: 'admitted', ...joined }],
      ended: [{ event: 'ended', dialog, cause: 'ejected' }],
      left: [{ event: 'left', dialog }],
      outcome: [ended(refused), ended({ kind: 'ok', status: 200 })],
      document: [{ event: 'document', dialog, document: roster }],
      unreadable: [{ event: 'unreadable', dialog, message: '' }],
      'remote-bye': [{ event: 'remote-bye', dialog }],
      'transport-lost': [{ event: 'transport-lost', dialog, message: '' }],
      'transport-restored': [{ event: 'transport-restored', dialog }],
      'subscription-lost': [{ event: 'subscription-lost', dialog, reason: '' }],
      'session-expired': [{ event: 'session-expired', dialog }],
      'remote-update': [{ event: 'remote-update', dialog }],
      'mcu-report': [{ event: 'mcu-report', dialog, mcu: 'chat', report: 'active' }],
      media: [{ event: 'media', callId: 'c', mcu: 'chat', flowing: false, lastPacketAt: null, packets: 0 }],
      'join-timeout': due('join-timeout'),
      'lobby-timeout': due('lobby-timeout'),
      'closing-timeout': due('closing-timeout'),
      'heartbeat-due': due('heartbeat-due'),
      'hold-expired': due('hold-expired:a'),
      'resync-due': due('resync-due'),
      'restart-assumed': due('restart-assumed'),
    };
  return Object.values(rows).flat();
}

/** For each row of the MCU session's table, what leads into it. */
function mcuInputs({ call }: McuSessionState): McuSessionInput[] {
  const ofCall = { callId: call?.id ?? '', mcu: 'chat' };
  const error = null as never;
  const verdict = { evidence: [], incident: null, dialog: 1 } as unknown as Extract<
    McuSessionInput,
    { input: 'verdict' }
  >['verdict'];
  const reports = ['active', 'inactive', 'failing-over', 'unsupported'] as const;
  const operations = ['mute', 'call', 'hang-up', 'send', 'status'];
  const rows: { readonly [row in keyof (typeof mcuSessionTable)['cells']]: readonly McuSessionInput[] } = {
    joining: [{ input: 'joining' }],
    joined: reports.map((report) => ({ input: 'joined', dialog: 1, mcus: { chat: report } })),
    reconnecting: [true, false].map((focusFailed) => ({ input: 'reconnecting', focusFailed, incident: null })),
    recovered: [{ input: 'recovered' }],
    'route-healed': [{ input: 'route-healed' }],
    report: reports.map((report) => ({ input: 'report', report, seq: 1 })),
    roster: [{ input: 'roster', participants: {}, cause: 'resync' }],
    terminated: [{ input: 'terminated' }],
    'stood-down': [{ input: 'stood-down', owner: 'another', epoch: 2 }],
    restarted: [{ input: 'restarted' }],
    restore: everyMcuPhase.map((phase) => ({
      input: 'restore',
      state: { ...mcuSession.start(conference, 'chat'), phase },
    })),
    completed: [{ input: 'completed', operation: 'mute', operationId: 'a', elapsedMs: 0, result: null }],
    failed: [{ input: 'failed', operation: 'mute', operationId: 'a', error }],
    operation: operations.map((operation) => ({
      input: 'operation',
      operation,
      operationId: operation,
      arguments: {},
    })),
    verdict: [{ input: 'verdict', verdict }],
    deadline: operations.map((deadline) => ({ input: 'deadline', deadline })),
    'call-accepted': [{ event: 'call-accepted', ...ofCall }],
    'call-failed': [{ event: 'call-failed', ...ofCall, outcome: refused }],
    'call-ended': [{ event: 'call-ended', ...ofCall, reason: 'RemoteHungUp' }],
    media: [{ event: 'media', ...ofCall, flowing: false, lastPacketAt: null, packets: 0 }],
    text: [{ event: 'text', mcu: 'chat', from: '', text: '' }],
    outcome: [
      { event: 'outcome', dialog: 1, requestId: 'a', purpose: 'operation', method: '', outcome: refused, elapsedMs: 0 },
    ],
  };
  return Object.values(rows).flat();
}

// ------------------------------------------------------------------------------------------------------ policy machines

const states: readonly ConferenceState[] = ['InLobby', 'Connected', 'Reconnecting', 'Disconnected'];
const modes: readonly ReconnectingMode[] = ['rejoining', 'recovering'];

/** Rules by which an answer to an operation says anything that a rule can say about the Focus. */
const phases: readonly FailurePhase[] = ['suspected', 'failed', 'failed-over', 'cleared'];
const anyFinding = phases.map((phase, index) => ({
  name: phase,
  signal: 'response' as const,
  purposes: ['operation' as const],
  status: [600 + index],
  level: 'focus' as const,
  phase,
}));

/** Anything that goes over the wires and makes a difference to any of them. */
function policyInputs({ dialog, incident, deadlines }: PolicyState): PolicyInput[] {
  const told = (body: JsonObject): PolicyInput => {
    const envelope = {
      conference,
      at: '',
      seq: 1,
      dialog,
      incident: incident?.id ?? 'any',
      active: true,
      severity: 'info',
    };
    return { input: 'message', message: { source: 'conference-session', ...envelope, ...body } as unknown as Fact };
  };
  const signal = (kind: Signal['signal'], body: Partial<Signal>) => told({ event: 'signal', signal: kind, ...body });
  const ask = (command: string, given: JsonObject = {}): PolicyInput => ({
    input: 'message',
    message: { command, ...given } as Request,
  });
  const broken = { event: 'failover-detected', level: 'hop', phase: 'failed', source: 'failover-detector' };
  const attempted = (outcome: HealAttempted['outcome']) => told({ event: 'heal-attempted', attempt: 1, outcome });
  return [
    ...states.flatMap((state) => {
      const active = state === 'Reconnecting';
      const changes = active ? modes.map((mode) => ({ state, mode, active })) : [{ state, mode: null, active }];
      return changes.flatMap((change) => [
        told({ event: 'state-changed', previous: active ? 'Connected' : 'Reconnecting', ...change }),
        told({ event: 'session-status', ...change }),
        told({ event: 'session-status', restored: true, ...change }),
      ]);
    }),
    told(broken),
    told({ ...broken, recoveryAction: ['Wait-For-Session-Update'] }),
    ...[600, 601, 602, 603].map((status) => signal('response', { purpose: 'operation', status })),
    ...[200, 430, 481].map((status) => signal('response', { purpose: 'heal', status })),
    signal('remote-update', {}),
    signal('transport-restored', {}),
    attempted('refused'),
    told({ event: 'operation-failed', error: { name: '', bases: [], code: '' } }),
    told({ event: 'media-changed', mcu: 'chat', flowing: true }),
    told({ event: 'media-changed', mcu: 'chat', flowing: false }),
    ...['reset', 'heal-now', 'stop', 'pause', 'resume', 'cancel', 'give-up', 'status'].map((command) => ask(command)),
    ask('suppress', { forMs: 1_000 }),
    ask('extend', { byMs: 1_000 }),
    ...Object.keys(deadlines).map((deadline) => ({ input: 'deadline', deadline }) as const),
  ];
}

function policyExpedition<State extends PolicyState, Settings>(
  machine: PolicyMachine<State, Settings>,
  settings: Settings,
  essenceOf: (state: State) => unknown,
): () => void {
  const lead = (random: number): void =>
    explore(
      machine.start(conference),
      policyInputs,
      (state, input) => {
        const due = input.input === 'deadline' ? state.deadlines[input.deadline] : undefined;
        return machine.step(state, input, { now: due ?? now, random }, settings).state;
      },
      (state) => [state.session, Object.keys(state.deadlines).sort(), essenceOf(state)],
    );
  // Chance decides what is done at once, and what later.
  return () => [0, 0.5].forEach(lead);
}

const ownPhase = (draft: unknown): string => (draft as { state: { phase: string } }).state.phase;

/** Phase of the verdict that a finding is about. */
function verdictPhase(detection: unknown, finding: unknown): string {
  const { verdicts } = (detection as { state: FailoverDetectorState }).state;
  const { level, mcu } = finding as { level: string; mcu: string | null };
  return verdicts[mcu === null ? level : `mcu/${mcu}`]?.phase ?? 'quiet';
}

const expeditions: { readonly [machine: string]: Expedition } = {
  'conference-session': {
    lead: () =>
      explore(
        conferenceSession.start(conference),
        conferenceInputs,
        (state, input) => conferenceSession.step(state, input, moment, conferenceSessionDefaults).state,
        ({ phase, returnTo, joining, closing, operations, stoodDown }) => [
          phase,
          returnTo,
          joining !== null,
          closing,
          operations,
          stoodDown,
        ],
      ),
    phaseOf: ownPhase,
    throughRows: true,
  },
  'mcu-session': {
    lead: () =>
      explore(
        mcuSession.start(conference, 'chat'),
        mcuInputs,
        (state, input) => mcuSession.step(state, input, moment, mcuSessionDefaults).state,
        ({ phase, reconnecting, call, queue, activeReport }) => [
          phase,
          reconnecting,
          call?.state,
          queue.length > 0,
          activeReport,
        ],
      ),
    phaseOf: ownPhase,
    throughRows: true,
  },
  'failover-detector': {
    lead: policyExpedition(
      failoverDetector,
      { ...failoverDetectorDefaults, rules: anyFinding },
      ({ mode, verdicts, suppression }) => [
        mode,
        Object.values(verdicts).map(({ phase }) => phase),
        suppression === null,
      ],
    ),
    phaseOf: verdictPhase,
    throughRows: false,
  },
  'route-healer': {
    lead: policyExpedition(
      routeHealer,
      { ...routeHealerDefaults, mode: 'LimitedRetry' },
      ({ phase, silentRepairs }) => [phase, silentRepairs.length],
    ),
    phaseOf: ownPhase,
    throughRows: false,
  },
  'give-up-timer': {
    lead: policyExpedition(
      giveUpTimer,
      { ...giveUpTimerDefaults, attempts: 1, mediaEndedMs: 60_000 },
      ({ phase, flowing }) => [phase, flowing.length],
    ),
    phaseOf: ownPhase,
    throughRows: false,
  },
};
