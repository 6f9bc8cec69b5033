import assert from 'node:assert/strict';
import { Avoidance } from '../../../nodes/signaling/sip/flow/avoidance';
import { askDns, findTargets } from '../../../nodes/signaling/sip/flow/resolver';
import {
  type Answers,
  type DnsRecord,
  keyOf,
  locate,
  type Server,
  type Target,
} from '../../../nodes/signaling/sip/flow/targets';
import { DnsStub } from '../../support/dns-stub';
import { seeded } from '../../support/seeded';
import { VirtualClock } from '../../support/virtual-clock';

type Zone = { [name: string]: DnsRecord[] };

const naptr = (order: number, preference: number, service: string, replacement: string): DnsRecord => ({
  type: 'NAPTR',
  order,
  preference,
  flags: 's',
  service,
  replacement,
});
const srv = (priority: number, weight: number, port: number, name: string): DnsRecord => ({
  type: 'SRV',
  priority,
  weight,
  port,
  name,
});
const a = (address: string): DnsRecord => ({ type: 'A', address });
const aaaa = (address: string): DnsRecord => ({ type: 'AAAA', address });

/** What of a zone is asked for, and the targets that come of it, as `tcp 192.0.2.1:5060`. */
function found(server: Server, zone: Zone, random: () => number = () => 0): { asked: string[]; targets: string[] } {
  const asked: string[] = [];
  const answers = new Map<string, readonly DnsRecord[]>();
  for (;;) {
    const located = locate(server, answers as Answers, random);
    if ('targets' in located) return { asked, targets: located.targets.map(shown) };
    for (const question of located.questions) {
      asked.push(keyOf(question));
      answers.set(
        keyOf(question),
        (zone[question.name] ?? []).filter(({ type }) => type === question.type),
      );
    }
  }
}

function shown({ transport, address, port }: Target): string {
  return `${transport} ${address}:${port}`;
}

const zone: Zone = {
  'example.com': [
    naptr(20, 10, 'SIP+D2T', '_sip._tcp.example.com'),
    naptr(10, 50, 'SIPS+D2T', '_sips._tcp.example.com'),
    naptr(10, 10, 'SIP+D2S', '_sip._sctp.example.com'),
    naptr(5, 10, 'E2U+sip', '!nothing!'),
    a('192.0.2.9'),
  ],
  '_sip._tcp.example.com': [srv(1, 0, 5060, 'one.example.com')],
  '_sips._tcp.example.com': [srv(2, 0, 5061, 'two.example.com'), srv(1, 0, 5071, 'one.example.com')],
  '_sip._udp.example.com': [srv(1, 0, 5080, 'two.example.com')],
  '_sips._ws.example.com': [srv(1, 0, 8443, 'one.example.com')],
  'one.example.com': [aaaa('2001:db8::1'), a('192.0.2.1'), a('192.0.2.11')],
  'two.example.com': [a('192.0.2.2')],
};

describe('finding the server (RFC 3263, 4)', () => {
  describe('asks nothing', () => {
    const numeric: [Server, string][] = [
      [{ host: '192.0.2.7', transport: 'auto' }, 'udp 192.0.2.7:5060'],
      [{ host: '192.0.2.7', transport: 'udp' }, 'udp 192.0.2.7:5060'],
      [{ host: '192.0.2.7', transport: 'tcp' }, 'tcp 192.0.2.7:5060'],
      [{ host: '192.0.2.7', transport: 'tls' }, 'tls 192.0.2.7:5061'],
      [{ host: '192.0.2.7', transport: 'ws' }, 'ws 192.0.2.7:80'],
      [{ host: '2001:db8::7', transport: 'wss' }, 'wss 2001:db8::7:443'],
      [{ host: '192.0.2.7', port: 5099, transport: 'tls' }, 'tls 192.0.2.7:5099'],
    ];
    for (const [server, target] of numeric) {
      it(`of a numeric host: ${JSON.stringify(server)} is ${target}`, () => {
        assert.deepEqual(found(server, {}), { asked: [], targets: [target] });
      });
    }
  });

  it('asks only for addresses when a port is named', () => {
    for (const transport of ['auto', 'tcp'] as const) {
      assert.deepEqual(found({ host: 'one.example.com', port: 5099, transport }, zone), {
        asked: ['A one.example.com', 'AAAA one.example.com'],
        targets: ['192.0.2.1', '192.0.2.11', '2001:db8::1'].map(
          (address) => `${transport === 'auto' ? 'udp' : 'tcp'} ${address}:5099`,
        ),
      });
    }
  });

  it('asks for SRV when a transport is named, and goes by priority', () => {
    assert.deepEqual(found({ host: 'example.com', transport: 'tls' }, zone), {
      asked: [
        'SRV _sips._tcp.example.com',
        'A one.example.com',
        'AAAA one.example.com',
        'A two.example.com',
        'AAAA two.example.com',
      ],
      targets: ['tls 192.0.2.1:5071', 'tls 192.0.2.11:5071', 'tls 2001:db8::1:5071', 'tls 192.0.2.2:5061'],
    });
    assert.deepEqual(found({ host: 'example.com', transport: 'wss' }, zone).targets[0], 'wss 192.0.2.1:8443');
    assert.deepEqual(found({ host: 'example.com', transport: 'ws' }, zone).targets, ['ws 192.0.2.9:80']);
  });

  it('asks for NAPTR when nothing is named, and takes the best one that it can speak', () => {
    const { asked, targets } = found({ host: 'example.com', transport: 'auto' }, zone);
    assert.deepEqual(asked.slice(0, 2), ['NAPTR example.com', 'SRV _sips._tcp.example.com']);
    assert.equal(targets[0], 'tls 192.0.2.1:5071');
    assert.ok(
      targets.every((target) => target.startsWith('tls ')),
      'one transport, and no way down from it',
    );
  });

  it('looks without NAPTR which SRV there are: TLS before TCP before UDP', () => {
    const { 'example.com': _, ...rest } = zone;
    const server = { host: 'example.com', transport: 'auto' } as const;
    const all = found(server, rest);
    assert.deepEqual(all.asked.slice(0, 4), [
      'NAPTR example.com',
      'SRV _sips._tcp.example.com',
      'SRV _sip._tcp.example.com',
      'SRV _sip._udp.example.com',
    ]);
    assert.equal(all.targets[0], 'tls 192.0.2.1:5071');
    delete rest['_sips._tcp.example.com'];
    assert.equal(found(server, rest).targets[0], 'tcp 192.0.2.1:5060');
    delete rest['_sip._tcp.example.com'];
    assert.deepEqual(found(server, rest).targets, ['udp 192.0.2.2:5080']);
  });

  it('takes without any of them the addresses of the host, over UDP', () => {
    assert.deepEqual(found({ host: 'two.example.com', transport: 'auto' }, zone).targets, ['udp 192.0.2.2:5060']);
    assert.deepEqual(found({ host: 'unknown.example.com', transport: 'auto' }, zone).targets, []);
  });

  it('has no target where SRV says that there is no such service', () => {
    for (const name of ['.', '']) {
      const none = { '_sip._tcp.example.com': [srv(0, 0, 0, name)], 'example.com': [a('192.0.2.9')] };
      assert.deepEqual(found({ host: 'example.com', transport: 'tcp' }, none).targets, []);
    }
  });

  it('shares the load within a priority as the weights say (RFC 2782)', () => {
    const weighted: Zone = {
      '_sip._tcp.example.com': [
        srv(2, 100, 4, '192.0.2.4'),
        srv(1, 60, 1, '192.0.2.1'),
        srv(1, 30, 2, '192.0.2.2'),
        srv(1, 0, 3, '192.0.2.3'),
      ],
    };
    const random = seeded(7);
    const firsts: { [port: string]: number } = {};
    for (let run = 0; run < 10_000; run += 1) {
      const { targets } = found({ host: 'example.com', transport: 'tcp' }, weighted, random);
      assert.equal(new Set(targets).size, 4);
      assert.equal(targets[3], 'tcp 192.0.2.4:4', 'a lower priority is the last');
      const port = targets[0]?.split(':')[1] ?? '';
      firsts[port] = (firsts[port] ?? 0) + 1;
    }
    assert.ok(Math.abs((firsts['1'] ?? 0) - 6600) < 250, JSON.stringify(firsts));
    assert.ok(Math.abs((firsts['2'] ?? 0) - 3300) < 250, JSON.stringify(firsts));
    assert.ok((firsts['3'] ?? 0) > 0 && (firsts['3'] ?? 0) < 300, JSON.stringify(firsts));
    const draw = () => found({ host: 'example.com', transport: 'tcp' }, weighted, seeded(3)).targets;
    assert.deepEqual(draw(), draw(), 'the same for the same randomness');
  });

  it('heeds no more than 50 records', () => {
    const many = Array.from({ length: 200 }, (_, index) => srv(1, 1, 1 + index, '192.0.2.1'));
    assert.equal(
      found({ host: 'example.com', transport: 'tcp' }, { '_sip._tcp.example.com': many }).targets.length,
      50,
    );
  });

  describe('with a DNS server', () => {
    let dns: DnsStub;

    beforeEach(async () => {
      dns = await new DnsStub().start();
    });

    afterEach(() => dns.stop());

    const find = (server: Server) => findTargets(server, askDns([dns.address]), () => 0);

    it('finds what it knows', async () => {
      Object.assign(dns.records, zone);
      const targets = await find({ host: 'example.com', transport: 'auto' });
      assert.deepEqual(targets.map(shown), found({ host: 'example.com', transport: 'auto' }, zone).targets);
      assert.ok(dns.queries.includes('NAPTR example.com'));
    });

    it('finds nothing where the name is unknown', async () => {
      assert.deepEqual(await find({ host: 'example.com', transport: 'auto' }), []);
    });

    it('rejects when it does not answer', async () => {
      dns.silent = true;
      await assert.rejects(find({ host: 'example.com', port: 1, transport: 'tcp' }), /ETIMEOUT/);
    });
  });

  it('asks the system for addresses, which knows more than DNS', async () => {
    const targets = await findTargets({ host: 'localhost', port: 5060, transport: 'tcp' }, askDns(), () => 0);
    assert.ok(targets.some(({ address }) => address === '127.0.0.1'));
  });
});

describe('targets to avoid', () => {
  const target = (port: number): Target => ({ transport: 'tcp', address: '192.0.2.1', port });
  const ports = (targets: Target[]): number[] => targets.map(({ port }) => port);
  let clock: VirtualClock;
  let avoidance: Avoidance;

  beforeEach(() => {
    clock = new VirtualClock();
    avoidance = new Avoidance(clock);
  });

  it('come last for a minute, or for as long as they have asked (Retry-After)', () => {
    const all = [target(1), target(2), target(3)];
    avoidance.avoid(target(1), 300_000);
    avoidance.avoid(target(2));
    assert.deepEqual(ports(avoidance.sort(all)), [3, 2, 1]);
    clock.advance(60_000);
    assert.deepEqual(ports(avoidance.sort(all)), [2, 3, 1]);
    clock.advance(240_000);
    assert.deepEqual(ports(avoidance.sort(all)), [1, 2, 3]);
    assert.deepEqual(
      all.map((each) => avoidance.avoids(each)),
      [false, false, false],
    );
  });

  it('are avoided no shorter for failing once more, and no longer than an hour', () => {
    avoidance.avoid(target(1), 9_999_999_999);
    avoidance.avoid(target(1));
    clock.advance(3_599_999);
    assert.ok(avoidance.avoids(target(1)));
    clock.advance(1);
    assert.ok(!avoidance.avoids(target(1)));
  });

  it('are at most 100', () => {
    for (let port = 1; port <= 101; port += 1) avoidance.avoid(target(port));
    assert.ok(!avoidance.avoids(target(1)));
    assert.ok(avoidance.avoids(target(2)) && avoidance.avoids(target(101)));
  });
});
