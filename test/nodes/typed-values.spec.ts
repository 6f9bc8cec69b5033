/** Conferences, names and times that come from messages, context or the environment instead of the dialog. */
import assert from 'node:assert/strict';
import { CONFERENCE, Flow, type FlowNode, packNode, tab } from '../support/flow';

const other = 'sip:other@pool.example';

describe('values from elsewhere', function () {
  this.timeout(30_000);
  let flow: Flow;

  const nodes = (session: object, more: FlowNode[] = []): FlowNode[] => [
    tab,
    packNode('conference-endpoint', 'endpoint'),
    packNode('conference-session', 'session', { conference: '', ...session }),
    ...more,
  ];

  afterEach(async () => {
    await flow?.unload();
    delete process.env.TYPED_VALUES;
  });

  it('a conference from a property of the message; what the payload names comes first', async () => {
    flow = await Flow.load(nodes({ conference: 'room', conferenceType: 'msg' }));
    assert.equal(await flow.askAndWait('session', 'join', { room: CONFERENCE }), undefined);
    assert.equal(
      await flow.askAndWait('session', { command: 'join', conference: other }, { room: CONFERENCE }),
      undefined,
    );
    const joined = flow.since('state-changed').filter(({ state }) => state === 'Connected');
    assert.deepEqual(
      joined.map(({ conference }) => conference),
      [CONFERENCE, other],
    );
  });

  it('a message without that property is told what is missing, and nothing changes', async () => {
    flow = await Flow.load(nodes({ conference: 'room', conferenceType: 'msg' }));
    const error = await flow.askAndWait('session', 'join');
    assert.equal(error?.cause?.name, 'ArgumentException');
    assert.match(error?.message ?? '', /No conference: set one in the dialog/);
  });

  for (const type of ['flow', 'global'] as const) {
    it(`a conference from ${type} context, as it is when the message comes`, async () => {
      flow = await Flow.load(nodes({ conference: 'room', conferenceType: type }));
      flow.node('session').context()[type].set('room', other);
      assert.equal(await flow.askAndWait('session', 'join'), undefined);
      assert.ok(
        flow.since('state-changed').some(({ conference, state }) => conference === other && state === 'Connected'),
      );
    });
  }

  it('a conference from the environment is the one of the dialog', async () => {
    process.env.TYPED_VALUES = CONFERENCE;
    flow = await Flow.load(nodes({ conference: 'TYPED_VALUES', conferenceType: 'env', alias: 'daily' }));
    assert.equal(await flow.askAndWait('session', 'join'), undefined);
    await flow.waitFor(({ state }, { message }) => state === 'Connected' && message.topic === 'conference/daily/state');
  });

  it('a variable that is not set: a red status, one line that names it, and no crash', async () => {
    flow = await Flow.load(nodes({ conference: 'TYPED_VALUES', conferenceType: 'env' }));
    assert.deepEqual(flow.status('session'), {
      ...flow.status('session'),
      fill: 'red',
      text: 'TYPED_VALUES is not set',
    });
    const [error, ...others] = flow.takeErrors();
    assert.match(String(error?.error.message), /^conference: the environment variable "TYPED_VALUES" is not set/);
    assert.deepEqual(others, []);
  });

  it('an endpoint whose server is in a variable that is not set says so, and does not start', async () => {
    const server = { system: 'sip', uri: 'sip:me@example.com', host: 'TYPED_VALUES', hostType: 'env' };
    flow = await Flow.load([
      tab,
      packNode('conference-endpoint', 'endpoint', server),
      packNode('conference-session', 'session'),
    ]);
    assert.equal(flow.status('session')?.text, 'the endpoint does not work');
    assert.match(
      String(flow.takeErrors()[0]?.error.message),
      /host: the environment variable "TYPED_VALUES" is not set/,
    );
  });

  it('a display name from the message that joins', async () => {
    flow = await Flow.load(nodes({ conference: CONFERENCE, displayName: 'name', displayNameType: 'msg' }));
    const effects = flow.effectsOf();
    assert.equal(await flow.askAndWait('session', 'join', { name: 'Ada' }), undefined);
    const effect = effects.find(({ effect: kind }) => kind === 'join');
    assert.equal(effect?.displayName, 'Ada');
  });
});
