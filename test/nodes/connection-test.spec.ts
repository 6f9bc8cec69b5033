/** *Test the connection* of the endpoint, as its dialog asks for it over HTTP: of a Node-RED where people log in. */
import assert from 'node:assert/strict';
import { answer, header, SmallServer } from '../signaling/sip/small-server';
import { type NodeRedProcess, startNodeRed } from '../support/node-red-process';

/** `password`, as Node-RED keeps it (bcrypt). */
const hash = '$2a$08$zZWtXTja0fB1pzD4sHCMyOCMYz2Z6dNbM6tl8sJogENOMcxWV9DN.';

describe('test of a connection over HTTP', function () {
  this.timeout(120_000);
  let nodeRed: NodeRedProcess;
  let server: SmallServer;
  let token: string;

  before(async () => {
    server = await new SmallServer('tcp').start();
    const sip = {
      id: 'own-server',
      type: 'conference-endpoint',
      system: 'sip',
      uri: 'sip:me@example.com',
      host: '127.0.0.1',
    };
    nodeRed = await startNodeRed({
      flows: [
        { id: 'tab', type: 'tab', label: 'Test' },
        { id: 'own-pool', type: 'conference-endpoint', system: 'pool' },
        { ...sip, port: String(server.port) },
      ],
      credentials: { 'own-server': { username: 'me', password: 'saved' } },
      settings: {
        credentialSecret: false,
        adminAuth: {
          type: 'credentials',
          users: [{ username: 'admin', password: hash, permissions: '*' }],
          default: { permissions: 'read' },
        },
      },
    });
    const login = {
      client_id: 'node-red-admin',
      grant_type: 'password',
      scope: '*',
      username: 'admin',
      password: 'password',
    };
    const given = await fetch(`${nodeRed.url}/auth/token`, { method: 'POST', body: new URLSearchParams(login) });
    ({ access_token: token } = (await given.json()) as { access_token: string });
  });

  after(async () => {
    await nodeRed?.stop();
    await server?.stop();
  });

  const ask = (body: unknown, headers: { [name: string]: string } = { Authorization: `Bearer ${token}` }) =>
    fetch(`${nodeRed.url}/conference-recovery/test-connection`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', ...headers },
      body: JSON.stringify(body),
    });

  const test = async (id: string, config: object, credentials: object = {}) =>
    (await ask({ id, config, credentials, conference: '' })).json() as Promise<{ [property: string]: unknown }>;

  const sip = (more: object = {}): object => ({
    system: 'sip',
    uri: 'sip:me@example.com',
    host: '127.0.0.1',
    port: String(server.port),
    transport: 'tcp',
    ...more,
  });

  /** The server asks who we are, and is told with the next request; gives the Authorization of that. */
  async function authorization(credentials: object): Promise<string> {
    const from = server.received.length;
    server.answer = (text) =>
      header(text, 'Authorization')
        ? answer(text)
        : answer(text, '401 Unauthorized', ['WWW-Authenticate: Digest realm="x", nonce="y"']);
    const { answer: found } = await test('own-server', sip(), credentials);
    assert.equal((found as { status: number }).status, 200);
    return header(server.received.slice(from).at(-1) ?? '', 'Authorization');
  }

  it('is for those who may change endpoints', async () => {
    const { status } = await ask({ id: 'own-pool', config: { system: 'pool' }, credentials: {}, conference: '' }, {});
    assert.equal(status, 401);
    assert.deepEqual(server.received, [], 'nothing was tried');
  });

  it('says that an embedded pool is there, or will be', async () => {
    const config = { system: 'pool', frontEnds: '5' };
    assert.deepEqual(await test('own-pool', config), { system: 'pool', running: true, frontEnds: 5 });
    assert.deepEqual(await test('new', config), { system: 'pool', running: false, frontEnds: 5 });
  });

  it('tests what is sent, saved or not', async () => {
    server.answer = (text) => answer(text);
    const { attempts, answer: found } = await test('new', sip());
    assert.deepEqual([(attempts as unknown[]).length, found], [1, { status: 200, reason: 'OK', server: '' }]);
  });

  it('knows the environment variables of Node-RED', async () => {
    server.answer = (text) => answer(text);
    // biome-ignore lint/suspicious/noTemplateCurlyInString: this is how Node-RED writes environment variables.
    const { complaint, failure } = await test('own-server', sip({ host: '${NR_NODE_ID}' }));
    assert.equal(complaint, undefined);
    assert.match(String(failure), /No connection to own-server: /);
  });

  it('uses the password that is sent, and the saved one where the editor shows only that there is one', async () => {
    const entered = await authorization({ username: 'me', password: 'saved' });
    const kept = await authorization({ username: 'me', password: '__PWRD__' });
    const other = await authorization({ username: 'me', password: 'other' });
    const responseIn = (text: string) => /response="(\w+)"/.exec(text)?.[1];
    assert.ok(responseIn(entered));
    assert.equal(responseIn(kept), responseIn(entered));
    assert.notEqual(responseIn(other), responseIn(entered));
  });

  it('says what is wrong with settings that make no sense', async () => {
    assert.deepEqual(await test('own-server', sip({ host: '' })), {
      complaint: 'no host: name the SIP server in the dialog',
    });
  });

  for (const body of [null, {}, { id: 'own-pool' }, { id: 'own-pool', config: null, credentials: {} }]) {
    it(`refuses ${JSON.stringify(body)}`, async () => {
      assert.equal((await ask(body)).status, 400);
    });
  }
});
