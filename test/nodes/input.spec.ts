import assert from 'node:assert/strict';
import { type ArgumentKind, type ArgumentRule, commands } from '../../nodes/recovery/commands';
import { heeded } from '../../nodes/recovery/heeded';
import type { Source } from '../../nodes/recovery/messages';
import { CONFERENCE, catching, deepFreeze, Flow, type FlowNode, type Loose, packNode, tab } from '../support/flow';
import { check } from '../support/schema';

const OTHER = 'sip:other@pool.example';

const ids: { [source in Source]: string } = {
  'conference-session': 'session',
  'mcu-session': 'mcu',
  'failover-detector': 'detector',
  'route-healer': 'healer',
  'give-up-timer': 'give-up',
  'fault-injector': 'injector',
};
const sources = Object.keys(ids) as Source[];

/** One node of every type, for any conference, and Catch. `errors`: where the error outputs lead. */
function everyNode(failedOperations: 'output' | 'catch', errors: string[]): FlowNode[] {
  const nodes = sources.map((source) => packNode(source, ids[source], { conference: '', failedOperations }));
  for (const { type, wires } of nodes)
    if (type === 'conference-session' || type === 'mcu-session') wires?.splice(3, 1, errors);
  const sink = { id: 'errors', type: 'sink', z: 'tab', x: 1, y: 1, wires: [] };
  return [tab, packNode('conference-endpoint', 'endpoint'), ...nodes, sink, ...catching()];
}

/** Does this node, in this flow, tell failures on its error output? */
function tellsOnOutput(source: Source, failedOperations: 'output' | 'catch', errors: string[]): boolean {
  return (
    (source === 'conference-session' || source === 'mcu-session') && failedOperations === 'output' && errors.length > 0
  );
}

const huge = 'x'.repeat(1_000_000);

/** What is no message of the pack, whatever node gets it. */
const rubbish: { [what: string]: unknown } = {
  'a number': 5,
  null: null,
  undefined: undefined,
  true: true,
  'an empty string': '',
  'an unknown word': 'nonsense',
  'a huge word': huge,
  'an empty object': {},
  'a buffer': Buffer.from('join'),
  'a date': new Date(0),
  'a command that is a number': { command: 5 },
  'a command that is null': { command: null },
  'a command that is an object': { command: { command: 'status' } },
  'an unknown command': { command: 'nonsense', conference: CONFERENCE },
  'a name of Object.prototype': { command: 'constructor', conference: CONFERENCE },
  'another name of Object.prototype': { command: '__proto__', conference: CONFERENCE },
  'own __proto__ and constructor': JSON.parse('{"__proto__": {"command": "status"}, "constructor": {"name": 1}}'),
  'no conference': { command: 'status' },
  'a conference that is a number': { command: 'status', conference: 5 },
  'a conference that is a list': { command: 'status', conference: [CONFERENCE] },
  'a conference of spaces': { command: 'status', conference: '  ' },
};

/** Values that an argument of a kind must not have. */
function wrong(kind: ArgumentKind): unknown[] {
  if (typeof kind !== 'string') return ['nonsense', 5, [kind[0]], {}];
  return {
    uri: [5, '', ' ', ['sip:a@b.c'], {}, true],
    string: [5, ['text'], {}, true],
    boolean: ['yes', 1, {}],
    duration: [-1, Number.NaN, Number.POSITIVE_INFINITY, '5', [5], {}, 1e300],
    integer: [-1, 1.5, '1', Number.NaN, 1e300, {}],
    uris: [[], [5], [''], 'sip:a@b.c', {}, [['sip:a@b.c']]],
    strings: [[5], 'audio', {}, [null]],
    list: [5, {}],
    object: [5, 'text', []],
    error: ['Aborted', {}, { name: 'OperationFailureException', code: 'Aborted', bases: 'Exception' }],
  }[kind];
}

/** Every command of a node with every argument left out that it needs, or as it must not be. */
function* wrongRequests(source: Source): Generator<object> {
  for (const [command, rules] of Object.entries(commands[source])) {
    const good = Object.fromEntries(Object.entries(rules).map(([name, { kind }]) => [name, right(kind)]));
    for (const [name, { kind, required }] of Object.entries(rules) as [string, ArgumentRule][]) {
      const { [name]: _, ...others } = good;
      const request = { command, conference: CONFERENCE, ...others };
      if (required) yield request;
      for (const value of wrong(kind)) yield { ...request, [name]: value };
    }
  }
}

function right(kind: ArgumentKind): unknown {
  if (typeof kind !== 'string') return kind[0];
  return {
    uri: 'sip:a@b.c',
    string: 'text',
    boolean: true,
    duration: 5,
    integer: 1,
    uris: ['sip:a@b.c'],
    strings: ['audio'],
    list: [],
    object: {},
    error: { name: 'OperationFailureException', code: 'Aborted', bases: [] },
  }[kind];
}

/** Facts of kinds that nodes act on, with parts that nobody can act on. */
const brokenFacts: object[] = [
  { event: 'failover-detected', level: 'mcu', phase: 'failed', mcu: 'audio-video', rule: 'mine' },
  { event: 'failover-detected', level: 'mcu', phase: 'failed', mcu: 'audio-video', rule: 'mine', evidence: 5 },
  { event: 'failover-detected', level: 'hop', phase: 'failed', rule: 'mine', evidence: [], recoveryAction: 5 },
  { event: 'failover-detected', level: 'hop', phase: 'failed', rule: 'mine', evidence: [], incident: 5 },
  { event: 'failover-detected', level: 'focus', phase: 'failed', rule: 'mine', evidence: [], incident: { id: 1 } },
  { event: 'signal', signal: 'response', status: 430, recoveryAction: 5 },
  { event: 'signal', signal: 'response', status: 503, purpose: 'heal', attempt: 1, retryAfterMs: 'soon' },
  { event: 'signal', signal: 'response', status: 503, purpose: 'heal', attempt: 1, retryAfterMs: 1e300 },
  { event: 'route-status-changed', status: 'Recovering', recoveryMode: 'MaximumRetry', attempts: 'many' },
  { event: 'heal-attempted', outcome: 'refused', attempt: 'first' },
  { event: 'roster-changed', left: 'everybody', total: 0 },
  { event: 'operation-failed', operation: 'lock', error: { name: 'OperationFailureException', code: 'Aborted' } },
  { event: 'operation-failed', operation: 'lock', error: null },
];

describe('bad input', () => {
  let flow: Flow;
  afterEach(() => flow.unload());

  /** One input: exactly one typed error, by the way that it has to take, and `done` once. */
  async function expectOneError(source: Source, payload: unknown, onOutput: boolean, what: string): Promise<Loose> {
    flow.mark();
    const asked = flow.ask(ids[source], payload, { own: 'mine' });
    const done = await asked.done;
    const facts = flow.since();
    const reported = flow.takeErrors();
    assert.equal(asked.dones, 1, what);
    if (onOutput) {
      assert.equal(done, undefined, what);
      assert.deepEqual([facts.length, reported.length], [1, 0], what);
      assert.equal(facts[0].event, 'operation-failed', what);
      return facts[0].error;
    }
    assert.deepEqual([facts.length, reported.length], [0, 1], what);
    assert.equal(done, reported[0]?.error, what);
    assert.ok(done, what);
    assert.equal(done.code, done.cause?.code, `${what}: ${done.stack}`);
    check('RecoveryError', done.cause);
    return done.cause;
  }

  for (const failedOperations of ['output', 'catch'] as const) {
    for (const errors of [['errors'], []]) {
      const where = `${failedOperations}${errors.length ? '' : ', nothing wired there'}`;

      it(`gives one typed error each, on every node, and touches nothing else; failed operations to: ${where} (MSG-5 ERR-8)`, async () => {
        flow = await Flow.load(everyNode(failedOperations, errors));
        flow.ask('session', { command: 'join', conference: OTHER });
        await flow.waitFor(({ state, mcu }) => state === 'Active' && mcu === 'audio-video', 'Active');
        flow.mark();
        for (const source of sources) {
          const onOutput = tellsOnOutput(source, failedOperations, errors);
          for (const [what, payload] of Object.entries(rubbish)) {
            const error = await expectOneError(source, payload, onOutput, `${source}, ${what}`);
            assert.match(error.name, /^(Argument|InvalidOperation)Exception$/);
            assert.ok(error.message.length < 1_000, `${source}, ${what}: ${error.message.length} characters`);
          }
          for (const request of wrongRequests(source)) {
            const error = await expectOneError(source, request, onOutput, `${source}, ${JSON.stringify(request)}`);
            assert.equal(error.name, 'ArgumentException', JSON.stringify(request));
          }
        }
        flow.mark();
        flow.ask('session', { command: 'status', conference: OTHER });
        flow.ask('mcu', { command: 'status', conference: OTHER });
        assert.deepEqual(
          flow.since().map(({ result }) => result.state),
          ['Connected', 'Active'],
        );
      });
    }
  }

  it('in a batch gives one error for each bad member, nested lists included, and done once (MSG-4 MSG-5)', async () => {
    const bad = [5, null, [{ command: 'status', conference: CONFERENCE }], 'nonsense', {}, [[]]];
    for (const errors of [['errors'], []]) {
      flow = await Flow.load(everyNode('output', errors));
      for (const source of sources) {
        flow.mark();
        const good = source === 'mcu-session' ? [] : [{ command: 'status', conference: CONFERENCE }];
        if (source === 'fault-injector') good.pop();
        const asked = flow.ask(ids[source], [...bad, ...good]);
        assert.equal(await asked.done, undefined);
        const onOutput = tellsOnOutput(source, 'output', errors);
        const facts = flow.since('operation-failed');
        const reported = flow.takeErrors();
        assert.deepEqual([facts.length, reported.length], onOutput ? [bad.length, 0] : [0, bad.length], source);
        for (const { error, message } of reported) {
          assert.equal(error.code, error.cause?.code);
          assert.equal(message, asked.message);
        }
        assert.equal(flow.since().length - facts.length, good.length, source);
        assert.equal(asked.dones, 1);
      }
      if (errors.length) await flow.unload();
    }
  });

  it('of facts that nobody can act on gives one typed error, and no state is touched (MSG-5)', async () => {
    flow = await Flow.load(everyNode('output', ['errors']));
    flow.ask('session', { command: 'join', conference: CONFERENCE });
    await flow.waitFor(({ state, mcu }) => state === 'Active' && mcu === 'audio-video', 'Active');
    const envelope = {
      conference: CONFERENCE,
      dialog: 1,
      seq: 1,
      at: new Date(0).toISOString(),
      incident: null,
      active: false,
      severity: 'info',
      version: 1,
    };
    for (const source of sources) {
      for (const broken of brokenFacts) {
        flow.mark();
        const asked = flow.ask(ids[source], { ...envelope, source: 'route-healer', ...broken });
        await asked.done;
        assert.equal(asked.dones, 1);
        const codes = flow.takeErrors().map(({ error }) => error.code);
        const told = flow.since('operation-failed').map(({ error }) => error.code);
        const concerned = Object.hasOwn(heeded[source], (broken as { event: string }).event);
        assert.deepEqual([...codes, ...told], concerned ? ['Argument'] : [], `${source} ${JSON.stringify(broken)}`);
      }
    }
    flow.mark();
    flow.ask('session', { command: 'status', conference: CONFERENCE });
    assert.equal(flow.since()[0].result.state, 'Connected');
  });

  it('facts of others, and facts without a conference, are ignored without a word', async () => {
    flow = await Flow.load(everyNode('output', []));
    for (const source of sources) {
      for (const payload of [
        { event: 'mine', conference: CONFERENCE },
        { event: 5, conference: CONFERENCE },
        { event: 'signal' },
        { event: 'constructor', conference: '__proto__' },
        [],
      ]) {
        const asked = flow.ask(ids[source], payload);
        assert.equal(await asked.done, undefined);
        assert.equal(asked.dones, 1);
      }
    }
    assert.deepEqual(flow.since(), []);
  });

  it('names of Object.prototype are names like others (MSG-5)', async () => {
    flow = await Flow.load(everyNode('output', []));
    for (const conference of ['__proto__', 'constructor', 'toString']) {
      flow.mark();
      flow.ask('session', { command: 'join', conference });
      await flow.waitFor(({ state, source }) => source === 'conference-session' && state === 'Connected', conference);
      for (const participant of ['__proto__', 'constructor', 'toString']) {
        flow.mark();
        flow.ask('injector', { command: 'participant-join', conference, participant });
        const { joined, total } = await flow.waitFor(
          ({ event, mcu }) => event === 'roster-changed' && !mcu,
          participant,
        );
        assert.deepEqual([joined.map(({ entity }: Loose) => entity), total], [[participant], 5]);
        flow.mark();
        flow.ask('injector', { command: 'participant-leave', conference, participant });
        const { left } = await flow.waitFor(
          ({ event, mcu }) => event === 'roster-changed' && !mcu,
          `${participant} left`,
        );
        assert.deepEqual(
          left.map(({ entity }: Loose) => entity),
          [participant],
        );
      }
    }
    assert.equal(({} as Loose).entity, undefined);
  });

  it('a Catch node sees code and cause, and the message with all that it had (rule 4, section 6)', async () => {
    flow = await Flow.load(everyNode('catch', ['errors']));
    for (const source of sources) {
      const before = flow.sunk.length;
      const payload = { command: 'nonsense', conference: CONFERENCE };
      flow.ask(ids[source], payload, { own: { mine: 1 }, topic: 'here' });
      const { message, node } = await flow.until(() => flow.sunk[before], 'caught');
      assert.equal(node, 'caught');
      assert.deepEqual([message.payload, message.own, message.topic], [payload, { mine: 1 }, 'here']);
      assert.equal(message.error.source.id, ids[source]);
      assert.equal(message.error.code, 'InvalidOperation');
      check('RecoveryError', message.error.cause);
      assert.equal(message.error.cause.name, 'InvalidOperationException');
      assert.match(message.error.message, /InvalidOperationException: .* has no command "nonsense"/);
      assert.equal(flow.takeErrors().length, 1);
    }
  });

  it('a failed operation is told once, on the output or to Catch (section 6)', async () => {
    for (const [failedOperations, errors] of [
      ['output', ['errors']],
      ['output', []],
      ['catch', ['errors']],
    ] as const) {
      flow = await Flow.load(everyNode(failedOperations, [...errors]));
      const { length } = flow.sunk;
      const asked = flow.ask('session', { command: 'lock', conference: CONFERENCE }, { own: 1 });
      await asked.done;
      const { node, message } = await flow.until(() => flow.sunk[length], 'told');
      const onOutput = failedOperations === 'output' && errors.length > 0;
      assert.equal(node, onOutput ? 'errors' : 'caught');
      assert.equal(message.own, 1);
      assert.equal(onOutput ? message.payload.error.name : message.error.cause.name, 'InvalidOperationException');
      assert.equal(flow.takeErrors().length, onOutput ? 0 : 1);
      assert.deepEqual([flow.sunk.length, asked.dones], [length + 1, 1]);
      if (failedOperations === 'output') await flow.unload();
    }
  });
});

describe('answers and what goes with them', () => {
  let flow: Flow;
  afterEach(() => flow.unload());

  /** The whole flow, every output of every node wired to two sinks. */
  function doubled(): FlowNode[] {
    const nodes = everyNode('output', []).map((node) =>
      Object.values(ids).includes(node.id) ? { ...node, wires: node.wires?.map(() => ['one', 'two']) ?? [] } : node,
    );
    const sinks = ['one', 'two'].map((id) => ({ id, type: 'sink', z: 'tab', x: 1, y: 1, wires: [] }));
    return [...nodes, ...sinks];
  }

  it('an answer keeps all properties of the message, late ones included (rule 4)', async () => {
    flow = await Flow.load(everyNode('output', ['errors']));
    const req = { answer: () => {} };
    const properties = { _msgid: 'mine', req, own: { deep: [1] }, parts: { id: 1 } };
    const requests: [string, object, string][] = [
      ['session', { command: 'join' }, 'operation-completed'],
      ['session', { command: 'lock' }, 'operation-completed'],
      ['session', { command: 'status' }, 'operation-completed'],
      ['session', { command: 'eject', participant: 'sip:nobody@pool.example' }, 'operation-failed'],
      ['mcu', { command: 'status' }, 'operation-completed'],
      ['mcu', { command: 'mute' }, 'operation-completed'],
      ['mcu', { command: 'hang-up' }, 'operation-failed'],
      ['detector', { command: 'status' }, 'detector-status'],
      ['healer', { command: 'status' }, 'healer-status'],
      ['give-up', { command: 'status' }, 'give-up-status'],
      ['injector', { command: 'status' }, 'fault-injected'],
      ['session', { command: 'terminate' }, 'operation-completed'],
    ];
    for (const [node, request, event] of requests) {
      const from = flow.sent.length;
      const payload = deepFreeze({ conference: CONFERENCE, ...request });
      const asked = flow.ask(node, payload, properties);
      assert.equal(await asked.done, undefined);
      const answers = flow.sent.slice(from).filter(({ message }) => message._msgid === 'mine');
      assert.deepEqual(
        answers.map((sent) => [sent.node, sent.payload.event]),
        [[node, event]],
      );
      const message: Loose = answers[0]?.message;
      assert.equal(message.req, req);
      assert.deepEqual([message.own, message.parts], [properties.own, properties.parts]);
      assert.match(message.topic, /^conference\/daily@pool\.example\//);
      assert.equal(asked.message.payload, payload);
      assert.equal(asked.message.topic, undefined);
    }
  });

  it('a fact that answers nobody is a new message (rule 4)', async () => {
    flow = await Flow.load(everyNode('output', []));
    await flow.ask('session', { command: 'join', conference: CONFERENCE }, { own: 1, _msgid: 'mine' }).done;
    for (const { message, payload } of flow.sent) {
      assert.equal(message.own, payload.event === 'operation-completed' ? 1 : undefined);
    }
  });

  it('no two outputs and no two wires share an object (rule 4, ORD-6)', async () => {
    flow = await Flow.load(doubled());
    const own = { deep: [{ er: 1 }] };
    const batch = ['roster', 'status', 'lock', 'roster'].map((command) => ({ command, conference: CONFERENCE }));
    await flow.ask('session', { command: 'join', conference: CONFERENCE }).done;
    await flow.ask('session', batch, { own }).done;
    flow.ask('injector', { command: 'kill-front-end', conference: CONFERENCE });
    await flow.until(() => flow.sunk.filter(({ message }) => message.payload.event === 'fault-injected').length === 2);
    const owners = new Map<object, number>();
    for (const [index, { original }] of flow.sunk.entries()) {
      for (const object of objectsIn(original)) {
        assert.ok(
          !owners.has(object) || owners.get(object) === index,
          `shared: ${JSON.stringify(object).slice(0, 200)}`,
        );
        owners.set(object, index);
      }
    }
    assert.ok(flow.sunk.filter(({ message }) => message.own).length >= 4);
  });

  function* objectsIn(value: Loose): Generator<object> {
    if (typeof value !== 'object' || value === null) return;
    yield value;
    for (const inner of Object.values(value)) yield* objectsIn(inner);
  }

  it('who changes what he received harms nobody (ORD-6 MSG-2)', async () => {
    flow = await Flow.load(doubled(), { hostile: true });
    const roster = async (): Promise<Loose> => {
      flow.mark();
      const asked = flow.ask('session', { command: 'roster', conference: CONFERENCE });
      let entities: string[] = [];
      // The answer is spoilt as soon as it arrives, so it is read as it leaves.
      const [{ result }] = flow.since('operation-completed');
      entities = result.participants.map(({ entity }: Loose) => entity);
      await asked.done;
      return entities.sort();
    };
    await flow.ask('session', { command: 'join', conference: CONFERENCE }).done;
    const before = await roster();
    flow.ask('injector', {
      command: 'participant-join',
      conference: CONFERENCE,
      participant: 'sip:edsger@pool.example',
    });
    await flow.until(() => flow.since('roster-changed').length > 0);
    assert.deepEqual(await roster(), [...before, 'sip:edsger@pool.example'].sort());
    assert.equal(before.length, 4);
  });

  it('seq increases with every fact of a conference and node, refusals and restarts of a session included (MSG-3)', async () => {
    flow = await Flow.load(everyNode('output', ['errors']));
    // Flow checks it for every fact that leaves: here are those that have no record of a conference behind them.
    for (const payload of ['nonsense', 'nonsense', 5]) await flow.ask('session', payload).done;
    for (const command of ['nonsense', 'eject', 'join', 'nonsense', 'terminate', 'join', 'terminate', 'nonsense']) {
      await flow.ask('session', { command, conference: CONFERENCE }).done;
    }
    const seqs = flow
      .since()
      .filter(({ source, conference }) => source === 'conference-session' && conference === CONFERENCE)
      .map(({ seq }) => seq);
    assert.deepEqual(
      seqs,
      [...seqs].sort((one, other) => one - other),
    );
  });
});

describe('batches', () => {
  let flow: Flow;
  afterEach(() => flow.unload());

  /** What is the same whenever it happens. */
  function timeless(payload: Loose): Loose {
    const text = JSON.stringify(payload, (key, value) =>
      /At$|^(at|elapsedMs|operationId|incident|remainingMs)$/.test(key) && value !== null ? key : value,
    );
    return JSON.parse(text);
  }

  const envelope = {
    conference: CONFERENCE,
    at: new Date(0).toISOString(),
    source: 'conference-session',
    incident: null,
    active: false,
    severity: 'info',
    version: 1,
    dialog: 1,
  };
  const status = { ...envelope, event: 'session-status', seq: 1, state: 'Connected', mode: null, restored: false };
  const refusal = {
    ...envelope,
    event: 'signal',
    seq: 2,
    signal: 'response',
    purpose: 'operation',
    method: 'INFO',
    status: 430,
  };
  const report = { ...envelope, event: 'signal', seq: 3, signal: 'mcu-report', mcu: 'chat', report: 'failing-over' };
  const gone = { ...refusal, seq: 4, status: 481 };
  const broken = {
    ...envelope,
    source: 'failover-detector',
    event: 'failover-detected',
    seq: 1,
    level: 'hop',
    phase: 'failed',
    rule: 'mine',
    evidence: [],
    incident: 'one',
    active: true,
  };
  const healed = {
    ...envelope,
    event: 'signal',
    seq: 5,
    signal: 'response',
    purpose: 'heal',
    method: 'UPDATE',
    status: 200,
    attempt: 1,
  };
  const ask = (command: string, more: object = {}) => ({ command, conference: CONFERENCE, ...more });

  const batches: { [source: string]: unknown[] } = {
    'conference-session': [ask('status'), ask('lock'), ask('nonsense'), ask('roster'), ask('terminate'), ask('status')],
    'mcu-session': [ask('status'), ask('nonsense'), ask('roster'), ask('hang-up')],
    'failover-detector': [status, refusal, report, ask('status'), ask('nonsense'), gone, ask('reset')],
    'route-healer': [status, broken, ask('status'), ask('nonsense'), healed, ask('stop')],
    'give-up-timer': [
      { ...status, state: 'Reconnecting', mode: 'recovering', incident: 'one', active: true },
      ask('pause'),
      ask('pause'),
      ask('extend', { byMs: 1_000 }),
      ask('resume'),
      ask('give-up'),
      ask('status'),
    ],
    'fault-injector': [
      ask('status'),
      ask('kill-front-end', { frontEnd: 'front-end-1' }),
      ask('kill-front-end', { frontEnd: 'front-end-1' }),
      ask('restore-front-end'),
    ],
  };

  for (const source of sources) {
    it(`${source}: the same facts in the same order as one by one, in one array per output (MSG-4)`, async () => {
      const members = batches[source] as unknown[];
      const single = new Map<number, Loose[]>();
      flow = await Flow.load(everyNode('output', ['errors']));
      for (const member of members) await flow.ask(ids[source], member).done;
      for (const { node, output, payload } of flow.sent) {
        if (node === ids[source]) single.set(output, [...(single.get(output) ?? []), timeless(payload)]);
      }
      const singleErrors = flow.takeErrors().map(({ error }) => error.code);
      await flow.unload();

      flow = await Flow.load(everyNode('output', ['errors']));
      const asked = flow.ask(ids[source], deepFreeze(structuredClone(members)), { own: 1 });
      assert.equal(await asked.done, undefined);
      assert.equal(asked.dones, 1);
      const messages = new Set(flow.sent.filter(({ node }) => node === ids[source]).map(({ message }) => message));
      const batched = flow.sent.filter(({ node }) => node === ids[source]);
      assert.equal(messages.size, new Set(batched.map(({ output }) => output)).size, 'one message per output');
      for (const message of messages) assert.deepEqual([Array.isArray(message.payload), message.own], [true, 1]);
      for (const [output, facts] of single) {
        assert.deepEqual(
          batched.filter((sent) => sent.output === output).map(({ payload }) => timeless(payload)),
          facts,
        );
      }
      assert.deepEqual(
        flow.takeErrors().map(({ error }) => error.code),
        singleErrors,
      );
      assert.ok(batched.length >= 3);
    });
  }

  it('answers that come later leave by themselves, and done waits for all of them (MSG-4)', async () => {
    flow = await Flow.load(everyNode('output', ['errors']));
    const asked = flow.ask('session', [ask('join'), ask('status')], { own: { mine: 1 } });
    assert.deepEqual(
      flow.since('operation-completed').map(({ operation }) => operation),
      ['status'],
    );
    assert.equal(asked.dones, 0);
    await asked.done;
    assert.deepEqual(
      flow.since('operation-completed').map(({ operation }) => operation),
      ['status', 'join'],
    );
    flow.mark();
    const operations = flow.ask(
      'session',
      [ask('lock'), ask('eject', { participant: 'sip:nobody@pool.example' }), ask('unlock')],
      { own: { mine: 1 } },
    );
    await operations.done;
    assert.equal(operations.dones, 1);
    assert.deepEqual(
      flow
        .since()
        .filter(({ operation }) => operation)
        .map(({ event, operation }) => `${event} ${operation}`),
      ['operation-completed lock', 'operation-failed eject', 'operation-completed unlock'],
    );
  });

  it('a batch beyond the limit is one error (MSG-6)', async () => {
    flow = await Flow.load(everyNode('catch', []));
    const asked = flow.ask('session', new Array(10_001).fill('status'));
    assert.equal((await asked.done)?.code, 'Argument');
    assert.equal(flow.takeErrors().length, 1);
  });
});
