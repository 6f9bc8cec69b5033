/**
 * A Node-RED that is killed again and again, at random points of a drill through all three levels of failure, and started
 * again in the same directory. The conferencing system is outside of it, and lives on.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type ConferenceSessionState, conferenceSession } from '../../nodes/recovery/conference-session';
import type {
  ConferenceSnapshot,
  Fact,
  GaveUp,
  GiveUpArmed,
  OperationCompleted,
  OperationFailed,
  SessionStatus,
} from '../../nodes/recovery/messages';
import { systemFiles } from '../../nodes/runtime/keeping/files';
import { journalPath } from '../../nodes/runtime/keeping/journal-keeper';
import { ownRecord } from '../../nodes/runtime/keeping/keeper';
import { type Records, readJournal } from '../../nodes/runtime/keeping/read-journal';
import { type FlowNode, type Overrides, packTypes } from '../package/drill';
import { type NodeRedProcess, type SentMessage, startNodeRed } from '../support/node-red-process';
import { checkMessage } from '../support/schema';
import { seeded } from '../support/seeded';
import { OutsideFocus } from './outside-focus';

/** How often it is killed; `npm run test:long` does it a thousand times. */
const kills = Number(process.env.KILLS ?? 40);
/** A run that failed can be repeated, as far as the scheduling of two processes can. */
const seed = Number(process.env.SEED ?? (Date.now() % 1e9) + 1);
/** How late a deadline may be, counted from the start of the flows, in ms; apart from what the machine stood still for. */
const punctualWithinMs = 100;
/** How long it lives at the most, from the start of its flows on, in ms. */
const longestLifeMs = 1_500;

/** What takes long at the start, and is not needed. */
const sparing = {
  disableEditor: true,
  nodesExcludes: [
    ...['10-mqtt.js', '21-httpin.js', '21-httprequest.js', '22-websocket.js', '31-tcpin.js', '32-udp.js', '05-tls.js'],
    ...['10-file.js', '23-watch.js', '70-CSV.js', '70-HTML.js', '70-JSON.js', '70-XML.js', '70-YAML.js', '90-exec.js'],
    ...['10-function.js', '10-switch.js', '15-change.js', '80-template.js', '89-delay.js', '89-trigger.js'],
  ],
};

const conferences = Array.from({ length: 10 }, (_, index) => `sip:room${index}@pool.example`);
const keeping = { keepState: 'journal' };
const settings: Overrides = {
  'conference-session': keeping,
  'mcu-session': keeping,
  'failover-detector': keeping,
  'route-healer': keeping,
  'give-up-timer': { ...keeping, giveUpAfter: '3', giveUpAfterUnit: 's' },
};

/** What one process has said between its start and its end. */
interface Life {
  startedAt: number;
  /** When it was last seen to do anything, and how long it had stood still at the most, in ms. */
  lastAt: number;
  stalledMs: number;
  messages: SentMessage[];
}

/** Joins that the Focus has seen, and those that there was a reason for. */
class Joins {
  count = 0;
  readonly unasked: string[] = [];
  private readonly wanted = new Set<string>();
  private readonly failed = new Set<string>();

  asked(conference: string): void {
    this.wanted.add(conference);
  }

  failedOver(conference: string): void {
    this.failed.add(conference);
  }

  seen(conference: string): void {
    this.count += 1;
    if (!this.failed.delete(conference) && !this.wanted.delete(conference)) this.unasked.push(conference);
  }
}

describe('drill: killed and started again', function () {
  this.timeout(120_000 + kills * 10_000);
  const random = seeded(seed);
  const pick = <T>(choices: readonly T[]): T => choices[Math.floor(random() * choices.length)] as T;
  const userDir = mkdtempSync(join(tmpdir(), 'conference-recovery-'));
  let focus: OutsideFocus;
  let flow: FlowNode[];
  let nodeRed: NodeRedProcess | undefined;
  const lives: Life[] = [];
  const joins = new Joins();

  before(async () => {
    console.log(`      ${kills} times, SEED=${seed}`);
    focus = await new OutsideFocus(({ effect }, conference) => effect === 'join' && joins.seen(conference)).start();
    flow = focus.flow(settings);
    session = idOf('conference-session');
  });

  after(async () => {
    await nodeRed?.stop('SIGKILL');
    await focus?.stop();
    rmSync(userDir, { recursive: true, force: true });
  });

  const idOf = (type: string, mcu?: string): string =>
    flow.find((node) => node.type === type && (mcu === undefined || node.mcu === mcu))?.id ?? '';
  let session: string;

  /** State of a session, as it was last told. */
  const stateOf = (conference: string): string => {
    const told = lives
      .flatMap(({ messages }) => factsOf(messages))
      .filter((fact) => fact.source === 'conference-session' && fact.conference === conference && 'state' in fact);
    return (told.at(-1) as SessionStatus | undefined)?.state ?? 'Idle';
  };

  /** Does something to a conference, or to the whole system. */
  const stir = (process: NodeRedProcess): void => {
    const conference = pick(conferences);
    const ask = (id: string, request: object): void => process.ask(id, { ...request, conference });
    const state = stateOf(conference);
    if (state === 'Idle' || state === 'Disconnected') {
      joins.asked(conference);
      return ask(session, { command: 'join' });
    }
    const mcu = idOf('mcu-session', pick(['audio-video', 'chat']));
    pick([
      () => ask(session, { command: pick(['lock', 'unlock']) }),
      () => ask(mcu, { command: 'call' }),
      () => ask(mcu, { command: 'hang-up' }),
      () => focus.inject({ command: 'roll-over-mcu', mcu: 'audio-video' }, conference),
      () =>
        focus.inject(
          { command: 'break-hop', how: pick(['refuse', 'silent']), forMs: 50 + random() * 3000 },
          conference,
        ),
      () => {
        focus.inject({ command: 'restore-front-end' }, conference);
        for (const each of conferences) joins.failedOver(each);
        focus.inject({ command: 'kill-front-end' }, conference);
      },
      () => ask(session, { command: 'terminate' }),
    ])();
  };

  /** Starts it, lets it live for a while, and kills it. */
  const live = async (lifeMs: number): Promise<Life> => {
    const observed = { userDir, observe: true, install: 'tarball' } as const;
    nodeRed = await startNodeRed({ ...observed, settings: sparing, ...(lives.length === 0 ? { flows: flow } : {}) });
    const startedAt = nodeRed.starts[0] ?? 0;
    const { messages } = nodeRed;
    const life = { startedAt, lastAt: startedAt, stalledMs: 0, messages: messages as SentMessage[] };
    lives.push(life);
    for (const conference of conferences) nodeRed.ask(session, { command: 'snapshot', conference });
    while (Date.now() < startedAt + lifeMs) {
      stir(nodeRed);
      await delay(random() * 40);
    }
    await nodeRed.stop('SIGKILL');
    Object.assign(life, nodeRed.alive());
    assert.deepEqual(complaintsIn(nodeRed.log()), []);
    return life;
  };

  it(`${kills} times: the state is as the journal says, nothing announced is lost, one re-join per failover (PER-1 PER-2 PER-3 PER-6 MSG-3)`, async () => {
    let kept: Records = new Map();
    const seqs = new Map<string, number>();
    for (let kill = 0; kill < kills; kill += 1) {
      const lifeMs = random() * longestLifeMs;
      const life = await live(lifeMs);
      try {
        assertGoesOn(life, kept, session);
        assertRestored(life, kept, session);
        assertAnswered(life, kept, session);
        assertIncreasing(life, seqs);
        const journal = await readJournal(systemFiles, journalPath(userDir));
        assert.ok(journal, 'there is a journal');
        assert.equal(journal.damaged, 0, 'whole lines that cannot be used');
        kept = journal.records;
        assertKept(seqs, kept);
        assertPunctual(life, kept);
        for (const message of life.messages) if (packTypes.has(message.type)) checkMessage(message.payload as object);
        assert.deepEqual(joins.unasked, [], 'joins that the Focus saw without a reason');
      } catch (error) {
        (error as Error).message = `kill ${kill + 1}, after ${lifeMs.toFixed(0)} ms: ${(error as Error).message}`;
        throw error;
      }
    }
    assertGaveUpOnce(lives);
    assertAnsweredOnce(lives);
    const all = lives.flatMap(({ messages }) => factsOf(messages));
    const restored = all.filter((fact) => fact.event === 'session-status' && fact.restored).length;
    console.log(`      ${all.length} facts, ${restored} sessions restored, ${joins.count} joins seen by the Focus`);
  });
});

function factsOf(messages: readonly SentMessage[]): Fact[] {
  return messages
    .filter(({ type }) => packTypes.has(type))
    .flatMap(({ payload }) => payload as Fact)
    .filter((payload) => 'event' in payload);
}

/** Lines of the log that should not be there. */
function complaintsIn(log: string): string[] {
  return log.split('\n').filter((line) => /\[error\]|unhandled|uncaught/i.test(line));
}

/** The first that is heard of each session after a restart is how the journal has it. */
function assertGoesOn(life: Life, kept: Records, session: string): void {
  for (const [conference, { state }] of kept.get(session) ?? []) {
    if (conference === ownRecord) continue;
    const first = factsOf(life.messages).find(
      (fact) => fact.source === 'conference-session' && fact.conference === conference,
    ) as SessionStatus | undefined;
    // It may have been killed before it could say anything.
    if (!first) continue;
    const before = state as ConferenceSessionState;
    const { event, restored, seq, dialog, incident, state: word, mode } = first;
    assert.deepEqual(
      { event, restored, seq, dialog, incident, word, mode },
      {
        event: 'session-status',
        restored: true,
        seq: before.seq + 1,
        dialog: before.dialog,
        incident: before.incident?.id ?? null,
        word: conferenceSession.stateOf(before),
        mode: conferenceSession.modeOf(before),
      },
      conference,
    );
  }
}

/** What nothing has changed since is as the journal has it: sessions that are over in all, and the roster of the others. */
function assertRestored(life: Life, kept: Records, session: string): void {
  const facts = factsOf(life.messages).filter(({ source }) => source === 'conference-session');
  for (const [conference, { state }] of kept.get(session) ?? []) {
    const own = facts.filter((fact) => fact.conference === conference);
    const place = own.findIndex((fact) => fact.event === 'operation-completed' && fact.operation === 'snapshot');
    if (place < 0 || own.slice(0, place).some(({ event }) => event === 'state-changed' || event === 'roster-changed'))
      continue;
    const { result } = own[place] as OperationCompleted;
    const { seq: _, ...restored } = (result as ConferenceSnapshot).state as unknown as ConferenceSessionState;
    const { seq: __, ...before } = state as ConferenceSessionState;
    if (before.phase === 'Idle' || before.phase === 'Disconnected') assert.deepEqual(restored, before, conference);
    else assert.deepEqual(restored.roster, before.roster, conference);
  }
}

/** What was pending has failed, as one that may be repeated; once a process has had the time to say so. */
function assertAnswered(life: Life, kept: Records, session: string): void {
  if (life.lastAt - life.startedAt < 500 + life.stalledMs) return;
  const failures = factsOf(life.messages).filter((fact): fact is OperationFailed => fact.event === 'operation-failed');
  for (const [conference, { state }] of kept.get(session) ?? []) {
    const { phase, operations = {} } = state as ConferenceSessionState;
    if (!['InLobby', 'Connected', 'Recovering', 'AwaitingFailover'].includes(phase)) continue;
    for (const id of Object.keys(operations)) {
      const codes = failures.filter(({ operationId }) => operationId === id).map(({ error }) => error.code);
      assert.deepEqual(codes, ['SessionRetrying'], `operation ${id} of ${conference}, which was pending in ${phase}`);
    }
  }
}

/** Numbers go on from where they were, whoever was killed meanwhile. */
function assertIncreasing(life: Life, seqs: Map<string, number>): void {
  for (const { nodeId, type, payload } of life.messages) {
    for (const { source, conference, seq } of [payload].flat() as Fact[]) {
      if (source !== type) continue;
      const emitter = `${nodeId} ${conference}`;
      assert.ok(seq > (seqs.get(emitter) ?? 0), `seq ${seq} after ${seqs.get(emitter)} of ${type} for ${conference}`);
      seqs.set(emitter, seq);
    }
  }
}

/** Nothing that has been announced is unknown to the journal. */
function assertKept(seqs: Map<string, number>, kept: Records): void {
  for (const [emitter, seq] of seqs) {
    const [node = '', conference = ''] = emitter.split(' ');
    // What was refused before there was a record counts on the node's own.
    const record = kept.get(node)?.get(conference) ?? kept.get(node)?.get(ownRecord);
    assert.ok(record, `a record of ${emitter}`);
    assert.ok(record.state.seq >= seq, `seq ${record.state.seq} in the journal, ${seq} announced: ${emitter}`);
  }
}

/** No deadline is there any more whose time has come, and whose process had the time for it. */
function assertPunctual({ startedAt, lastAt, stalledMs }: Life, kept: Records): void {
  for (const [node, records] of kept) {
    for (const [conference, { deadlines }] of records) {
      for (const [deadline, at] of Object.entries(deadlines)) {
        const lateMs = lastAt - Math.max(at, startedAt);
        assert.ok(
          lateMs <= punctualWithinMs + stalledMs,
          `${deadline} of ${node} for ${conference} is ${lateMs} ms late, and nothing stood still for longer than ${stalledMs} ms`,
        );
      }
    }
  }
}

/** A deadline that has been announced is kept over all restarts: to the millisecond, within what is punctual, and once. */
function assertGaveUpOnce(lives: Life[]): void {
  const armed = new Map<string, string | null>();
  const gone = new Set<string>();
  for (const { startedAt, stalledMs, messages } of lives) {
    for (const fact of factsOf(messages)) {
      const outage = `${fact.conference} ${fact.incident}`;
      if (fact.event === 'give-up-armed') armed.set(outage, (fact as GiveUpArmed).deadlineAt);
      if (fact.event !== 'gave-up') continue;
      const { at } = fact as GaveUp;
      assert.ok(!gone.has(outage), `gave up twice: ${outage}`);
      gone.add(outage);
      const due = armed.get(outage);
      if (!due) continue;
      assert.ok(at >= due, `gave up at ${at}, and it was due at ${due}`);
      const lateMs = Date.parse(at) - Math.max(Date.parse(due), startedAt);
      assert.ok(lateMs <= punctualWithinMs + stalledMs, `gave up ${lateMs} ms late`);
    }
  }
}

/** However often it was killed, no operation has two outcomes. */
function assertAnsweredOnce(lives: Life[]): void {
  const outcomes = lives
    .flatMap(({ messages }) => factsOf(messages))
    .filter(({ event }) => event === 'operation-completed' || event === 'operation-failed')
    .map((fact) => (fact as OperationCompleted | OperationFailed).operationId)
    .filter((id) => id !== null);
  assert.equal(new Set(outcomes).size, outcomes.length, 'operations with two outcomes');
}
