/** Finding the server (RFC 3263, 4): from a name, and what DNS says of it, to targets in the order in which to try them. */
import { isIP } from 'node:net';

/** How SIP travels. */
export type TransportName = 'udp' | 'tcp' | 'tls' | 'ws' | 'wss';

/** What is looked for. */
export interface Server {
  /** A domain, a host or an IP address. */
  host: string;
  port?: number;
  /** `auto`: what DNS says the server prefers. */
  transport: 'auto' | TransportName;
}

/** Where to connect to. */
export interface Target {
  transport: TransportName;
  /** An IP address. */
  address: string;
  port: number;
}

/** What is asked of DNS. */
export interface Question {
  type: 'NAPTR' | 'SRV' | 'A' | 'AAAA';
  name: string;
}

/** One record of an answer. */
export type DnsRecord =
  | { type: 'NAPTR'; order: number; preference: number; flags: string; service: string; replacement: string }
  | { type: 'SRV'; priority: number; weight: number; port: number; name: string }
  | { type: 'A' | 'AAAA'; address: string };

/** All answers so far, by `keyOf` their questions; an empty one says that there is no such record. */
export type Answers = ReadonlyMap<string, readonly DnsRecord[]>;

/** What is still to be asked, or the targets; none where DNS knows none. */
export type Located = { questions: Question[] } | { targets: Target[] };

type Naptr = Extract<DnsRecord, { type: 'NAPTR' }>;
type Srv = Extract<DnsRecord, { type: 'SRV' }>;

/** Everything that differs between transports when a server is looked for. */
interface Kind {
  /** Port where none is named (RFC 3261, 19.1.2; RFC 7118, 10.1). */
  port: number;
  /** Name before the domain in SRV records. */
  service: string;
  /** Service of NAPTR records (RFC 3263, 4.1; RFC 7118, 10.2). */
  naptr: string;
}

const kinds: { readonly [transport in TransportName]: Kind } = {
  tls: { port: 5061, service: '_sips._tcp', naptr: 'sips+d2t' },
  tcp: { port: 5060, service: '_sip._tcp', naptr: 'sip+d2t' },
  udp: { port: 5060, service: '_sip._udp', naptr: 'sip+d2u' },
  wss: { port: 443, service: '_sips._ws', naptr: 'sips+d2w' },
  ws: { port: 80, service: '_sip._ws', naptr: 'sip+d2w' },
};

/** Which of those that a server has we take where it does not say what it prefers: the safest, then the most reliable. */
const preferred: readonly TransportName[] = ['tls', 'tcp', 'udp'];
/** Without any word of DNS (RFC 3263, 4.1). */
const otherwise: TransportName = 'udp';
/** SRV records that are heeded. */
const mostRecords = 50;

/** How answers are found again. */
export function keyOf({ type, name }: Question): string {
  return `${type} ${name.toLowerCase()}`;
}

/**
 * One step of the search: call it again with the answers to what it asks, until it has targets.
 * @param random uniform in [0, 1); shares the load as the weights of SRV records say (RFC 2782)
 */
export function locate({ host, port, transport }: Server, answers: Answers, random: () => number): Located {
  if (isIP(host) || port !== undefined) {
    const chosen = transport === 'auto' ? otherwise : transport;
    return hosts([{ host, port: port ?? kinds[chosen].port, transport: chosen }], answers);
  }
  if (transport !== 'auto') return service(host, transport, answers, random, `${kinds[transport].service}.${host}`);

  const naptr = recordsOf(answers, { type: 'NAPTR', name: host });
  if (!naptr) return { questions: [{ type: 'NAPTR', name: host }] };
  const named = bestOf(naptr as Naptr[]);
  if (named) return service(host, named.transport, answers, random, named.replacement);

  const questions = preferred.map((each): Question => ({ type: 'SRV', name: `${kinds[each].service}.${host}` }));
  const unanswered = questions.filter((question) => !recordsOf(answers, question));
  if (unanswered.length > 0) return { questions: unanswered };
  // One transport, and no other one when its servers fail: TLS that was broken must not become something that can be read.
  const index = questions.findIndex((question) => (recordsOf(answers, question) ?? []).length > 0);
  const chosen = preferred[index] ?? otherwise;
  return service(host, chosen, answers, random, `${kinds[chosen].service}.${host}`);
}

/** The record of the lowest order and preference that leads to a transport of ours (RFC 3263, 4.1). */
function bestOf(records: readonly Naptr[]): { transport: TransportName; replacement: string } | undefined {
  const transports = Object.keys(kinds) as TransportName[];
  return [...records]
    .filter(({ flags }) => flags.toLowerCase() === 's')
    .sort((one, other) => one.order - other.order || one.preference - other.preference)
    .flatMap(({ service: offered, replacement }) => {
      const transport = transports.find((each) => kinds[each].naptr === offered.toLowerCase());
      return transport === undefined ? [] : [{ transport, replacement }];
    })[0];
}

/** The servers that SRV records name, or without any the host itself at the default port (RFC 3263, 4.2). */
function service(
  host: string,
  transport: TransportName,
  answers: Answers,
  random: () => number,
  name: string,
): Located {
  const question: Question = { type: 'SRV', name };
  const records = recordsOf(answers, question);
  if (!records) return { questions: [question] };
  if (records.length === 0) return hosts([{ host, port: kinds[transport].port, transport }], answers);
  // A dot for a name says that there is no such service (RFC 2782, Target).
  const offered = (records as Srv[]).filter((record) => record.name !== '' && record.name !== '.');
  const ordered = inOrder(offered.slice(0, mostRecords), random);
  return hosts(
    ordered.map((record) => ({ host: record.name, port: record.port, transport })),
    answers,
  );
}

/** By priority; within one, drawn one after the other in proportion to the weights (RFC 2782, Weight). */
function inOrder(records: readonly Srv[], random: () => number): Srv[] {
  const ordered: Srv[] = [];
  // Those without weight come first, which gives them their small chance.
  const rest = [...records].sort((one, other) => one.priority - other.priority || one.weight - other.weight);
  while (rest.length > 0) {
    const candidates = rest.filter(({ priority }) => priority === rest[0]?.priority);
    const total = candidates.reduce((sum, { weight }) => sum + weight, 0);
    const drawn = Math.floor(random() * (total + 1));
    let sum = 0;
    const index = candidates.findIndex(({ weight }) => {
      sum += weight;
      return sum >= drawn;
    });
    ordered.push(...rest.splice(index, 1));
  }
  return ordered;
}

/** All addresses of some hosts; of each those of IPv4 first, which is where most of SIP is. */
function hosts(places: { host: string; port: number; transport: TransportName }[], answers: Answers): Located {
  const questions = places
    .filter(({ host }) => !isIP(host))
    .flatMap(({ host: name }): Question[] => [
      { type: 'A', name },
      { type: 'AAAA', name },
    ])
    .filter((question) => !recordsOf(answers, question));
  if (questions.length > 0) return { questions };
  return {
    targets: places.flatMap(({ host, port, transport }) =>
      addressesOf(host, answers).map((address) => ({ transport, address, port })),
    ),
  };
}

function addressesOf(host: string, answers: Answers): string[] {
  if (isIP(host)) return [host];
  return (['A', 'AAAA'] as const).flatMap((type) =>
    (recordsOf(answers, { type, name: host }) ?? []).flatMap((record) => ('address' in record ? [record.address] : [])),
  );
}

function recordsOf(answers: Answers, question: Question): readonly DnsRecord[] | undefined {
  return answers.get(keyOf(question));
}
