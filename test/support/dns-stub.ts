/** A DNS server on the loopback interface, for what finding a SIP server asks (RFC 1035, 2782, 3403, 3596). */
import { createSocket, type Socket } from 'node:dgram';
import { isIP } from 'node:net';
import type { DnsRecord } from '../../nodes/signaling/sip/flow/targets';

const types = { A: 1, AAAA: 28, SRV: 33, NAPTR: 35 };

/** Records by name; a name without any is unknown (NXDOMAIN). Changes count from the next query on. */
export class DnsStub {
  /** What there is, by name in lower case. */
  readonly records: { [name: string]: DnsRecord[] } = {};
  /** What was asked, as `SRV _sip._tcp.example.com`. */
  readonly queries: string[] = [];
  /** Answers nothing any more. */
  silent = false;
  private readonly socket: Socket = createSocket('udp4');
  private port = 0;

  /** Address for `Resolver.setServers`, and for the option `dnsServers`. */
  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  async start(): Promise<this> {
    this.socket.on('message', (query, from) => {
      const answer = this.answer(query);
      if (answer) this.socket.send(answer, from.port, from.address);
    });
    await new Promise<void>((resolve) => this.socket.bind(0, '127.0.0.1', resolve));
    this.port = this.socket.address().port;
    return this;
  }

  async stop(): Promise<void> {
    await new Promise<void>((resolve) => this.socket.close(() => resolve()));
  }

  private answer(query: Buffer): Buffer | undefined {
    const labels: string[] = [];
    let at = 12;
    for (let length = query[at] ?? 0; length > 0; length = query[at] ?? 0) {
      labels.push(query.toString('latin1', at + 1, at + 1 + length));
      at += 1 + length;
    }
    const name = labels.join('.').toLowerCase();
    const code = query.readUInt16BE(at + 1);
    const question = query.subarray(12, at + 5);
    const type = Object.entries(types).find(([, value]) => value === code)?.[0];
    this.queries.push(`${type ?? code} ${name}`);
    if (this.silent) return undefined;
    const known = this.records[name];
    const found = (known ?? []).filter((record) => record.type === type);
    const header = Buffer.alloc(12);
    query.copy(header, 0, 0, 2);
    // Response, recursion available; 3 is NXDOMAIN.
    header.writeUInt16BE(0x8180 | (known ? 0 : 3), 2);
    header.writeUInt16BE(1, 4);
    header.writeUInt16BE(found.length, 6);
    return Buffer.concat([header, question, ...found.map(encode)]);
  }
}

/** One record whose name is that of the question. */
function encode(record: DnsRecord): Buffer {
  const data = dataOf(record);
  const head = Buffer.alloc(12);
  head.writeUInt16BE(0xc00c, 0);
  head.writeUInt16BE(types[record.type], 2);
  head.writeUInt16BE(1, 4);
  head.writeUInt16BE(data.length, 10);
  return Buffer.concat([head, data]);
}

function dataOf(record: DnsRecord): Buffer {
  switch (record.type) {
    case 'NAPTR':
      return Buffer.concat([
        short(record.order, record.preference),
        ...[record.flags, record.service, ''].map(text),
        domain(record.replacement),
      ]);
    case 'SRV':
      return Buffer.concat([short(record.priority, record.weight, record.port), domain(record.name)]);
    default:
      return addressOf(record.address);
  }
}

function addressOf(address: string): Buffer {
  if (isIP(address) === 4) return Buffer.from(address.split('.').map(Number));
  const [before = [], after = []] = address.split('::').map((part) => part.split(':').filter((group) => group !== ''));
  const zeros = new Array<string>(8 - before.length - after.length).fill('0');
  return short(...[...before, ...zeros, ...after].map((group) => Number.parseInt(group, 16)));
}

function short(...values: number[]): Buffer {
  const bytes = Buffer.alloc(2 * values.length);
  values.forEach((value, index) => {
    bytes.writeUInt16BE(value, 2 * index);
  });
  return bytes;
}

function text(value: string): Buffer {
  return Buffer.concat([Buffer.from([value.length]), Buffer.from(value, 'latin1')]);
}

function domain(name: string): Buffer {
  const labels = name.split('.').filter((label) => label !== '');
  return Buffer.concat([...labels.map(text), Buffer.from([0])]);
}
