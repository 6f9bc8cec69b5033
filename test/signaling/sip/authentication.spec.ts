import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { failureOf } from '../../../nodes/recovery/errors';
import { KamailioEdge, KamailioFocus, skipWithoutPeers } from '../../support/peers';
import { Endpoint } from './harness';
import { type Message, ScriptedFocus } from './scripted-focus';

const credentials = { username: 'alice', password: 'sécret' };
const md5 = (text: string): string => createHash('md5').update(text).digest('hex');

const parameter = (value: string, name: string): string => new RegExp(`\\b${name}="?([^",]*)`).exec(value)?.[1] ?? '';

/** Whether an Authorization header is right, by the formula of RFC 2617, 3.2.2.1. */
function isRight(request: Message, header = 'authorization', password = credentials.password): boolean {
  const value = request.headers[header] ?? '';
  const [realm, nonce, uri, qop, nc, cnonce, response] = [
    'realm',
    'nonce',
    'uri',
    'qop',
    'nc',
    'cnonce',
    'response',
  ].map((name) => parameter(value, name));
  const own = md5(`${credentials.username}:${realm}:${password}`);
  const what = md5(`${request.what}:${uri}`);
  return response === md5([own, nonce, ...(qop ? [nc, cnonce, qop] : []), what].join(':'));
}

describe('digest authentication, with a scripted Focus', () => {
  let focus: ScriptedFocus;
  let alice: Endpoint;
  let nonces = 0;

  const challenge = (header = 'WWW-Authenticate', more = ', qop="auth"', realm = 'server.test'): string => {
    nonces += 1;
    return `${header}: Digest realm="${realm}", nonce="nonce-${nonces}"${more}`;
  };
  const unauthorized = (...headers: string[]) => ({ status: '401 Unauthorized', headers });
  const create = (given: typeof credentials | null = credentials): void => {
    alice = new Endpoint(focus, `sip:room@127.0.0.1:${focus.port}`, given ? { credentials: given } : {});
  };
  const failToJoin = async () => {
    alice.perform({ effect: 'join', dialog: 1, rejoin: false });
    const { outcome } = await alice.next('join-failed');
    assert.ok(outcome.kind === 'refused');
    return outcome;
  };

  beforeEach(async () => {
    focus = await new ScriptedFocus().start();
    create();
  });

  afterEach(async () => {
    await alice.port.close();
    await focus.stop();
  });

  it('answers a 401 with the same request in a new transaction, and every request of the dialog after it', async () => {
    focus.script = (request) =>
      isRight(request) || request.what === 'SUBSCRIBE' ? { status: '200 OK' } : unauthorized(challenge());
    await alice.join();
    const [first, second] = focus.all('INVITE') as [Message, Message];
    assert.equal(first.headers.authorization, undefined);
    assert.deepEqual([first.headers.cseq, second.headers.cseq], ['1 INVITE', '2 INVITE']);
    assert.equal(first.headers['call-id'], second.headers['call-id']);
    assert.equal(first.headers.from, second.headers.from);
    assert.notEqual(first.headers.via, second.headers.via);
    const acknowledged = await focus.next('ACK', 2);
    assert.equal(acknowledged.headers.cseq, '2 ACK');
    assert.equal(acknowledged.headers.authorization, second.headers.authorization);
    for (const count of [1, 2]) assert.equal((await alice.request('heal')).outcome.kind, 'ok', `UPDATE ${count}`);
    const updates = focus.all('UPDATE');
    assert.deepEqual(
      updates.map(({ headers }) => [headers.cseq, parameter(headers.authorization ?? '', 'nc')]),
      [
        ['3 UPDATE', '00000002'],
        ['4 UPDATE', '00000003'],
      ],
    );
  });

  it('takes up a new nonce when the old one is stale, and stops when all are', async () => {
    focus.script = (request) => (request.what === 'INVITE' && !isRight(request) ? unauthorized(challenge()) : ok);
    const ok = { status: '200 OK' };
    await alice.join();
    let stale = 1;
    focus.script = () => {
      stale -= 1;
      return stale < 0 ? ok : unauthorized(challenge(undefined, ', qop="auth", stale=true'));
    };
    assert.equal((await alice.request('heal')).outcome.kind, 'ok');
    assert.equal(focus.all('UPDATE').length, 2);
    assert.equal(parameter(focus.all('UPDATE')[1]?.headers.authorization ?? '', 'nonce'), `nonce-${nonces}`);
    stale = 100;
    const { outcome } = await alice.request('heal');
    assert.ok(outcome.kind === 'refused' && outcome.status === 401);
    assert.equal(focus.all('UPDATE').length, 5);
  });

  it('answers the challenges of a proxy and of the server behind it together', async () => {
    focus.script = (request) => {
      if (request.what !== 'INVITE') return { status: '200 OK' };
      if (!isRight(request, 'proxy-authorization')) {
        return {
          status: '407 Proxy Authentication Required',
          headers: [challenge('Proxy-Authenticate', '', 'proxy.test')],
        };
      }
      return isRight(request) ? { status: '200 OK' } : unauthorized(challenge());
    };
    await alice.join();
    assert.equal(focus.all('INVITE').length, 3);
  });

  it('answers MD5 where several algorithms are offered, and nothing where MD5 is not', async () => {
    const strong = ', algorithm=SHA-256, qop="auth"';
    focus.script = (request) =>
      isRight(request)
        ? { status: '200 OK' }
        : unauthorized(
            challenge('WWW-Authenticate', ', algorithm=MD5, qop="auth"'),
            challenge('WWW-Authenticate', strong),
            'WWW-Authenticate: NTLM realm="SIP"',
          );
    await alice.join();
    assert.equal(focus.all('INVITE').length, 2);
    alice.perform({ effect: 'leave', dialog: 1, silently: true });
    focus.script = () => unauthorized(challenge('WWW-Authenticate', strong));
    assert.equal((await failToJoin()).status, 401);
    assert.equal(focus.all('INVITE').length, 3);
  });

  it('fails with AuthenticationException when the password is wrong, after one attempt with it', async () => {
    await alice.port.close();
    create({ ...credentials, password: 'wrong' });
    focus.script = (request) => (isRight(request) ? { status: '200 OK' } : unauthorized(challenge()));
    const outcome = await failToJoin();
    const error = failureOf(outcome, 'join', true);
    assert.deepEqual([error.name, error.code], ['AuthenticationException', 'SIP-401']);
    assert.equal(focus.all('INVITE').length, 2);
    assert.ok(!JSON.stringify([outcome, error]).includes('wrong'));
  });

  it('stops at a proxy that asks for another realm each time', async () => {
    focus.script = () => unauthorized(challenge(undefined, '', `realm-${nonces}`));
    assert.equal((await failToJoin()).status, 401);
    assert.equal(focus.all('INVITE').length, 9);
  });

  it('leaves a 401 as it is without credentials', async () => {
    await alice.port.close();
    create(null);
    focus.script = () => unauthorized(challenge());
    assert.equal((await failToJoin()).status, 401);
    assert.equal(focus.all('INVITE').length, 1);
  });
});

describe('digest authentication, with Kamailio as a proxy that asks twice', function () {
  this.timeout(60_000);
  let focus: KamailioFocus;
  let edge: KamailioEdge;
  let alice: Endpoint | undefined;

  before(async function () {
    skipWithoutPeers(this);
    focus = await new KamailioFocus().start();
    edge = await new KamailioEdge(focus.port, { variants: ['AUTH_407', 'AUTH_401'] }).start();
  });

  afterEach(() => alice?.port.close());

  after(async () => {
    await edge?.stop();
    await focus?.stop();
  });

  it('joins, heals by each method, and subscribes', async () => {
    alice = new Endpoint(edge, `sip:room@127.0.0.1:${focus.port}`, {
      credentials: { username: 'alice', password: 'secret' },
    });
    const { document } = await alice.join();
    assert.equal(document?.users.length, 1);
    for (const method of ['UPDATE', 're-INVITE', 'OPTIONS'] as const) {
      assert.equal((await alice.request('heal', { method })).outcome.kind, 'ok', method);
    }
    assert.equal((await alice.request('subscription')).outcome.kind, 'ok');
  });

  it('is refused with a wrong password', async () => {
    alice = new Endpoint(edge, `sip:room@127.0.0.1:${focus.port}`, {
      credentials: { username: 'alice', password: 'wrong' },
    });
    alice.perform({ effect: 'join', dialog: 1, rejoin: false });
    const { outcome } = await alice.next('join-failed');
    assert.ok(outcome.kind === 'refused' && outcome.status === 407);
  });
});
