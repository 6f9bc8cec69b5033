/** What the pool's server says on the wire, where the contract does not look. In virtual time. */
import assert from 'node:assert/strict';
import { Pool, type PoolOptions } from '../../../nodes/signaling/pool/pool';
import type { Link } from '../../../nodes/signaling/sip/server/link';
import { SipServer } from '../../../nodes/signaling/sip/server/sip-server';
import { VirtualClock } from '../../support/virtual-clock';

const conference = 'sip:standup@pool.example';
const us = 'sip:node-red@pool.example';

/** A client made of texts. */
class Client implements Link {
  readonly peer = { host: '127.0.0.1', port: 5999 };
  open = true;
  readonly received: string[] = [];
  private readonly branches = new Map<string, string>();

  constructor(
    private readonly server: SipServer,
    readonly protocol = 'TCP',
    private readonly uri = 'sip:alice@example.com',
  ) {}

  send(text: string): void {
    this.received.push(text);
  }

  cut(): boolean {
    if (this.protocol === 'UDP') return false;
    this.open = false;
    return true;
  }

  /** Sends a request; one `as` an earlier one has its branch. */
  say(start: string, headers: string[] = [], { to = `<${conference}>`, callId = 'c1', cseq = 1, as = '' } = {}): void {
    const method = start.split(' ')[0] ?? '';
    const branch = this.branches.get(as) ?? `z9hG4bK${method}${cseq}${callId}`;
    this.branches.set(method, branch);
    const lines = [
      `${start} SIP/2.0`,
      `Via: SIP/2.0/${this.protocol} 127.0.0.1:5999;branch=${branch};rport`,
      'Max-Forwards: 70',
      `From: "Alice" <${this.uri}>;tag=a`,
      `To: ${to}`,
      `Call-ID: ${callId}`,
      `CSeq: ${cseq} ${method}`,
      'Contact: <sip:alice@127.0.0.1:5999>',
      ...headers,
      'Content-Length: 0',
    ];
    this.server.receive(`${lines.join('\r\n')}\r\n\r\n`, this);
  }

  /** What has come since the last look, as statuses and methods. */
  heard(): string[] {
    return this.received.splice(0).map((text) => /^SIP\/2\.0 (\d+)/.exec(text)?.[1] ?? text.split(' ')[0] ?? '');
  }
}

describe('the server of the pool, on the wire', () => {
  let clock: VirtualClock;
  let pool: Pool;
  let server: SipServer;
  let alice: Client;

  const start = async (options: Partial<PoolOptions> = {}): Promise<void> => {
    clock = new VirtualClock();
    pool = new Pool({ mcuActivationMs: 0, ...options }, clock);
    const settings = { port: 5070, domain: 'pool.example', reserved: us };
    server = new SipServer(settings, clock, (identity) => pool.guestPort(identity));
    await server.load();
    alice = new Client(server);
  };
  const tagIn = (text = ''): string => /^To: (.*)$/im.exec(text)?.[1]?.trim() ?? '';
  /** Joins, and gives the To of what follows in the dialog. */
  const join = (client = alice): string => {
    client.say(`INVITE ${conference}`);
    clock.advance(100);
    const to = tagIn(client.received.at(-1));
    assert.deepEqual(client.heard(), ['100', '200']);
    client.say(`ACK ${conference}`, [], { to });
    return to;
  };

  beforeEach(() => start());

  afterEach(async () => {
    await server.close();
    await pool.port({ uri: us }).close();
    assert.equal(clock.pending, 0, 'timers left after close');
  });

  it('says where the request came from, that it is a focus, and what it can (RFC 3581, 4579, 3311)', () => {
    alice.say(`INVITE ${conference}`);
    clock.advance(100);
    const answer = alice.received.at(-1) ?? '';
    assert.match(answer, /;rport=5999;received=127\.0\.0\.1\r\n/);
    assert.match(answer, /^Contact: <sip:standup@127\.0\.0\.1:5070>;isfocus\r$/m);
    assert.match(answer, /^Allow: .*UPDATE.*\r$/m);
  });

  it('lets those in the lobby wait with 182, and in with 200', async () => {
    await start({ lobby: true });
    const port = pool.port({ uri: us });
    port.attach(conference, () => {});
    port.perform(conference, { effect: 'join', dialog: 1, rejoin: false });
    clock.advance(100);
    pool.inject({ command: 'admit' }, conference);
    alice.say(`INVITE ${conference}`);
    clock.advance(100);
    assert.deepEqual(alice.heard(), ['100', '182']);
    port.perform(conference, {
      effect: 'request',
      requestId: 'r',
      dialog: 1,
      purpose: 'operation',
      operation: 'admit',
      arguments: { participants: ['sip:alice@example.com'] },
      timeoutMs: 1000,
    });
    clock.advance(100);
    assert.deepEqual(alice.heard(), ['200']);
    await server.close();
    await port.close();
    assert.equal(clock.pending, 0);
    await start();
  });

  it('answers 487 to what is called off (RFC 3261, 9.2), and the pool forgets it', () => {
    alice.say(`INVITE ${conference}`);
    alice.say(`CANCEL ${conference}`, [], { as: 'INVITE' });
    assert.deepEqual(alice.heard(), ['100', '200', '487']);
    clock.advance(100);
    assert.deepEqual(alice.heard(), []);
  });

  it('hangs up on who does not acknowledge (RFC 3261, 13.3.1.4)', () => {
    alice.say(`INVITE ${conference}`);
    clock.advance(40_000);
    assert.deepEqual(alice.heard(), ['100', '200', 'BYE']);
  });

  it('refuses our own URI, watchers, other packages, and dialogs that are none', () => {
    new Client(server, 'TCP', us).say(`INVITE ${conference}`);
    alice.say(`SUBSCRIBE ${conference}`, ['Event: conference']);
    alice.say(`SUBSCRIBE ${conference}`, ['Event: presence'], { callId: 'c2' });
    alice.say(`UPDATE ${conference}`, [], { to: `<${conference}>;tag=none`, callId: 'c3' });
    alice.say(`REGISTER ${conference}`, [], { callId: 'c4' });
    assert.deepEqual(alice.heard(), ['403', '489', '481', '405']);
  });

  it('is silent where a hop is, cuts TCP where one refuses, and says 503 on UDP', () => {
    const to = join();
    pool.inject({ command: 'break-hop', how: 'silent' }, conference);
    alice.say(`UPDATE ${conference}`, [], { to, cseq: 2 });
    clock.advance(1000);
    assert.deepEqual(alice.heard(), []);
    pool.inject({ command: 'restore-hop' }, conference);
    pool.inject({ command: 'break-hop', how: 'refuse' }, conference);
    clock.advance(1000);
    assert.equal(alice.open, false);
    const bob = new Client(server, 'UDP', 'sip:bob@example.com');
    bob.say(`INVITE ${conference}`, [], { callId: 'b1' });
    clock.advance(1000);
    assert.deepEqual(bob.heard(), ['100', '503']);
  });

  it('ends a subscription whose documents nobody answers (RFC 6665, 4.2.2)', () => {
    join();
    alice.say(`SUBSCRIBE ${conference}`, ['Event: conference', 'Expires: 100'], { callId: 's1' });
    clock.advance(100);
    assert.match(
      alice.received.at(-1) ?? '',
      /Subscription-State: active;expires=100\r[\s\S]*state="full" version="1"/,
    );
    assert.deepEqual(alice.heard(), ['200', 'NOTIFY']);
    clock.advance(200_000);
    assert.deepEqual(alice.heard(), [], 'the first was not answered');
  });

  it('takes no harm from what is no SIP', () => {
    for (const text of ['', '\r\n\r\n', 'INVITE', 'INVITE sip:a SIP/2.0\r\n\r\n', 'SIP/2.0 200 OK\r\n\r\n']) {
      server.receive(text, alice);
    }
    assert.deepEqual(alice.heard(), []);
    join();
  });
});
