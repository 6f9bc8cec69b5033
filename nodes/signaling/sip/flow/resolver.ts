/** Asks DNS, and whoever else the system asks for addresses. */
import { lookup, Resolver } from 'node:dns/promises';
import { type Answers, type DnsRecord, keyOf, locate, type Question, type Server, type Target } from './targets';

/** How long one server of DNS is waited for, and how often it is asked; in ms. */
const patience = { timeout: 1000, tries: 2 };

/** Asks one question. Settles with no records where there are none; rejects when nobody can say. */
export type Ask = (question: Question) => Promise<DnsRecord[]>;

/** Who can be asked. */
export interface Dns {
  ask: Ask;
  /** Nobody waits for the answers any more. */
  cancel(): void;
}

/**
 * Asks DNS. Addresses are asked of the system, which knows /etc/hosts as well.
 * @param servers addresses of DNS servers to ask instead of those of the system, for everything
 */
export function askDns(servers?: readonly string[]): Dns {
  const resolver = new Resolver(patience);
  if (servers) resolver.setServers(servers);
  const ask: Ask = async ({ type, name }) => {
    try {
      switch (type) {
        case 'NAPTR':
          return (await resolver.resolveNaptr(name)).map((record) => ({ type, ...record }));
        case 'SRV':
          return (await resolver.resolveSrv(name)).map((record) => ({ type, ...record }));
        default: {
          const family = type === 'A' ? 4 : 6;
          if (!servers) return (await lookup(name, { family, all: true })).map(({ address }) => ({ type, address }));
          const addresses = type === 'A' ? await resolver.resolve4(name) : await resolver.resolve6(name);
          return addresses.map((address) => ({ type, address }));
        }
      }
    } catch (error) {
      if (saysNone.has((error as { code?: string }).code ?? '')) return [];
      throw error;
    }
  };
  return { ask, cancel: () => resolver.cancel() };
}

/** Errors that are an answer: there is no such name, or no such record. */
const saysNone: ReadonlySet<string> = new Set(['ENOTFOUND', 'ENODATA']);

/**
 * The targets of a server, in the order in which to try them; none where the name is unknown. Rejects when DNS could not
 * say. That it says nothing of NAPTR and SRV, while the name has addresses, is passed over: some firewalls and home
 * routers know only addresses.
 */
export async function findTargets(server: Server, { ask }: Dns, random: () => number): Promise<Target[]> {
  const answers = new Map<string, readonly DnsRecord[]>();
  let unanswered: unknown = null;
  for (;;) {
    const located = locate(server, answers as Answers, random);
    if ('targets' in located) {
      if (located.targets.length === 0 && unanswered !== null) throw unanswered;
      return located.targets;
    }
    await Promise.all(
      located.questions.map(async (question) => {
        let records: DnsRecord[] = [];
        try {
          records = await ask(question);
        } catch (error) {
          unanswered = error;
        }
        answers.set(keyOf(question), records);
      }),
    );
  }
}
