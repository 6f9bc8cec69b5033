import assert from 'node:assert/strict';
import { type Message, ScriptedFocus } from '../signaling/sip/scripted-focus';
import { Flow, type FlowNode, type Loose, packNode, tab } from '../support/flow';
import { audioPortIn, RtpSender } from '../support/rtp';

const bob = 'sip:bob@example.com';

describe('nodes at a SIP server', function () {
  this.timeout(60_000);
  let focus: ScriptedFocus;
  let flow: Flow;
  let sender: RtpSender | undefined;
  /** What the Focus answers to REFER, and what it tells then of the request that it has sent; undefined is silence. */
  let referral: { status: string; result?: string } | undefined;

  const roster = (): string =>
    '<conference-info xmlns="urn:ietf:params:xml:ns:conference-info" entity="sip:room@x" state="full" version="1">' +
    '<users><user entity="sip:alice@example.com"/></users></conference-info>';

  const serve = (request: Message): { status: string; headers?: string[] } | undefined => {
    switch (request.what) {
      case 'INVITE':
        return { status: '200 OK', headers: ['Allow: INVITE, ACK, BYE, CANCEL, UPDATE, OPTIONS, SUBSCRIBE, REFER'] };
      case 'SUBSCRIBE':
        setImmediate(() =>
          notify(request, 'conference', 'active;expires=600', 'application/conference-info+xml', roster()),
        );
        return { status: '200 OK' };
      case 'REFER':
        setImmediate(() => {
          const { result } = referral ?? {};
          if (result) notify(request, 'refer', 'terminated;reason=noresource', 'message/sipfrag', `SIP/2.0 ${result}`);
        });
        return referral;
      default:
        return { status: '200 OK' };
    }
  };

  const notify = (subscription: Message, event: string, state: string, type: string, body: string): void =>
    focus.send(
      'NOTIFY',
      subscription,
      [`Event: ${event}`, `Subscription-State: ${state}`, `Content-Type: ${type}`],
      body,
    );

  const nodes = (endpoint: object = {}, names = ''): FlowNode[] => {
    const conference = `sip:room@127.0.0.1:${focus.port}`;
    const server = { system: 'sip', host: '127.0.0.1', port: `${focus.port}`, uri: 'sip:alice@example.com' };
    return [
      tab,
      packNode('conference-endpoint', 'endpoint', { ...server, ...endpoint }),
      packNode('conference-session', 'session', {
        conference,
        name: names,
        wires: [[], [], [], ['errors'], []],
        operationTimeout: '300',
        operationTimeoutUnit: 'ms',
        repairTimeout: '100',
        repairTimeoutUnit: 'ms',
      }),
      packNode('mcu-session', 'audio-video', { conference, name: names }),
      { id: 'errors', type: 'sink', z: 'tab', x: 1, y: 1, wires: [] },
    ];
  };

  const start = async (endpoint: object = {}): Promise<void> => {
    flow = await Flow.load(nodes(endpoint));
    await flow.join('session', ['audio-video']);
    flow.mark();
  };

  /** What came of an operation. */
  const ask = (operation: string): Promise<Loose> => {
    flow.ask('session', { command: operation, participant: bob });
    return flow.waitFor((fact) => fact.operation === operation, operation);
  };

  const refused = async (operation: string): Promise<Loose> => {
    const fact = await ask(operation);
    assert.equal(fact.event, 'operation-failed');
    return fact.error;
  };

  beforeEach(async () => {
    referral = { status: '202 Accepted', result: '200 OK' };
    focus = await new ScriptedFocus().start();
    focus.script = serve;
  });

  afterEach(async () => {
    sender?.stop();
    sender = undefined;
    await focus.stop();
    await flow.unload();
  });

  it('mcu-session tells when the media of its call begin, end and come back', async () => {
    await start({ mediaTimeout: '200', mediaTimeoutUnit: 'ms' });
    flow.ask('audio-video', { command: 'call', media: ['audio'] });
    const { body } = await focus.next('INVITE', 2);
    await flow.waitFor(({ state }) => state === 'Established', 'Established');
    sender = new RtpSender(audioPortIn(body));
    const changes = (): Loose[] => flow.since('media-changed').filter(({ source }) => source === 'mcu-session');
    for (const [index, flowing] of [true, false, true].entries()) {
      if (flowing) sender.start();
      else sender.pause();
      const change = await flow.until(() => changes()[index], `media-changed, ${flowing}`);
      assert.equal(change.flowing, flowing);
      assert.equal(change.mcu, 'audio-video');
      assert.ok(change.packets > 0);
      assert.ok(Math.abs(Date.parse(change.at) - Date.parse(change.lastPacketAt)) < 2000);
    }
    // To the conference it is evidence.
    await flow.until(
      () => flow.since('signal').filter(({ signal }) => signal === 'media').length === 3,
      'three signals',
    );
    flow.ask('audio-video', 'hang-up');
    await flow.waitFor(({ state }) => state === 'Terminated', 'Terminated');
    assert.equal(changes().length, 3);
  });

  it('a redeploy says nothing to anybody: dialog, subscription, call and its media live on (PER-1)', async () => {
    await start({ mediaTimeout: '200', mediaTimeoutUnit: 'ms' });
    flow.ask('audio-video', { command: 'call', media: ['audio'] });
    const { body } = await focus.next('INVITE', 2);
    await flow.waitFor(({ state }) => state === 'Established', 'Established');
    await focus.next('ACK', 2);
    const said = focus.received.length;
    await flow.deploy(nodes({ mediaTimeout: '200', mediaTimeoutUnit: 'ms' }, 'changed'), 'full');
    assert.equal(await flow.askAndWait('session', 'status'), undefined);
    assert.deepEqual(
      focus.received.slice(said).map(({ what }) => what),
      [],
    );
    sender = new RtpSender(audioPortIn(body));
    sender.start();
    await flow.waitFor(({ event, flowing }) => event === 'media-changed' && flowing, 'media');
  });

  it('other settings of the endpoint: dialog and call are resumed over a new connection (PER-1)', async () => {
    await start();
    flow.ask('audio-video', { command: 'call', media: ['audio'] });
    await flow.waitFor(({ state }) => state === 'Established', 'Established');
    const said = focus.received.length;
    flow.mark();
    await flow.deploy(nodes({ keepAlive: '20', keepAliveUnit: 's' }), 'full');
    await flow.until(() => {
      const since = focus.received.slice(said).map(({ what }) => what);
      return since.includes('SUBSCRIBE') && since.filter((what) => what === 'UPDATE').length === 2;
    }, 'resumed');
    assert.equal(await flow.askAndWait('session', { command: 'eject', participant: bob }), undefined);
    assert.equal(await flow.askAndWait('audio-video', 'hang-up'), undefined);
    const since = focus.received.slice(said).map(({ what }) => what);
    assert.ok(!since.includes('INVITE'), `${since}`);
    assert.equal(since.filter((what) => what === 'BYE').length, 1);
    assert.deepEqual(flow.states(), []);
  });

  it('another URI of ours: the dialog is left by BYE, and is gone', async () => {
    await start();
    const said = focus.received.length;
    flow.mark();
    await flow.deploy(nodes({ uri: 'sip:carol@example.com' }), 'full');
    const signal = await flow.waitFor(({ event, status }) => event === 'signal' && status === 481, '481');
    assert.equal(signal.purpose, 'refresh');
    await flow.until(() => focus.received.slice(said).some(({ what }) => what === 'BYE'), 'BYE');
  });

  it('by default a call has no media, and nothing is told of any', async () => {
    await start();
    flow.ask('audio-video', { command: 'call', media: ['audio'] });
    assert.match((await focus.next('INVITE', 2)).body, /m=audio 9 RTP\/AVP 0\r\na=inactive/);
    await flow.waitFor(({ state }) => state === 'Established', 'Established');
    flow.ask('audio-video', 'hang-up');
    await flow.waitFor(({ state }) => state === 'Terminated', 'Terminated');
    assert.deepEqual(flow.since('media-changed'), []);
  });

  it('invite and eject are completed when the Focus tells that they are done', async () => {
    await start();
    for (const [index, [operation, referTo]] of [
      ['invite', `<${bob}>`],
      ['eject', `<${bob};method=BYE>`],
    ].entries()) {
      assert.equal((await ask(operation as string)).event, 'operation-completed');
      assert.equal((await focus.next('REFER', index + 1)).headers['refer-to'], referTo);
    }
  });

  it('somebody who does not want to be invited: a typed error with what was answered, and the session goes on', async () => {
    referral = { status: '202 Accepted', result: '603 Decline' };
    await start();
    const error = await refused('invite');
    assert.equal(error.name, 'ConferenceFailureException');
    assert.equal(error.code, 'SIP-603');
    assert.equal(error.response.status, 603);
    assert.equal(error.retryable, false);
    assert.match(error.message, /603 Decline/);
    assert.deepEqual(flow.since('state-changed'), []);
  });

  it('somebody who is gone already (481) is no failover of the Focus', async () => {
    referral = { status: '202 Accepted', result: '481 Call/Transaction Does Not Exist' };
    await start();
    assert.equal((await refused('eject')).code, 'SIP-481');
    assert.deepEqual(
      flow.since('signal').map(({ signal, status }) => [signal, status]),
      [['response', 202]],
    );
    assert.deepEqual(flow.since('state-changed'), []);
  });

  it('an invitation whose result is never told: OperationTimeoutException', async () => {
    referral = { status: '202 Accepted' };
    await start();
    const error = await refused('invite');
    assert.equal(error.name, 'OperationTimeoutException');
    assert.equal(error.safeToReplay, false);
  });

  it('what plain SIP cannot do: NotSupported, and who could', async () => {
    await start();
    const error = await refused('lock');
    assert.equal(error.name, 'InvalidOperationException');
    assert.equal(error.code, 'NotSupported');
    assert.match(error.message, /plain SIP has no request for it.*Lync/);
    assert.deepEqual(flow.since('state-changed'), []);
  });

  it('invite at a server that takes no REFER: NotSupported, and who could', async () => {
    focus.script = (request) => (request.what === 'INVITE' ? { status: '200 OK' } : serve(request));
    await start();
    const error = await refused('invite');
    assert.equal(error.code, 'NotSupported');
    assert.match(error.message, /Focus which takes REFER.*Lync/);
    assert.equal(focus.all('REFER').length, 0);
  });
});
