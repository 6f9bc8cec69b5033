/**
 * What UDP needs of transactions and the library does not do: requests are sent again until they are answered, and answers
 * to repeated requests as well (RFC 3261, 17). It sees texts, and knows a transaction by what its messages say.
 */
import type { Clock } from '../../port';

/** Estimated round trip (RFC 3261, 17.1.1.1), in ms. */
const t1 = 500;
/** Longest interval between retransmissions of what is no INVITE (RFC 3261, 17.1.2.2), in ms. */
const t2 = 4000;
/** The life of a transaction: timers B, F, H and J (RFC 3261, 17), in ms. */
const lifetimeMs = 64 * t1;
/** Transactions that are remembered, of each kind; the oldest is forgotten first. */
const mostTransactions = 10_000;

/** What a message says of its transaction. */
interface Head {
  /** Status of a response; null in a request. */
  status: number | null;
  method: string;
  /** Same for a request, its responses and the ACK of a non-2xx (RFC 3261, 17.1.3, 17.2.3). */
  branch: string;
  /** Same for an INVITE and its ACK, whatever their branches. */
  call: string;
}

/** One message that is sent again. */
interface Pending {
  text: string;
  intervalMs: number;
  longestMs: number;
  until: number;
  cancelTimer: () => void;
}

/** The retransmissions of one socket. */
export class Retransmissions {
  /** Requests of ours without a final response, by transaction; for an INVITE: without any response. */
  private readonly requests = new Map<string, Pending>();
  /** Final answers of ours to an INVITE that has not been acknowledged, by call. */
  private readonly answers = new Map<string, Pending>();
  /** ACKs of ours to a non-2xx, by the transaction of their INVITE. */
  private readonly acknowledgements: Recent<string>;
  /** Responses of ours by transaction; null as long as there is none. */
  private readonly responses: Recent<string | null>;

  constructor(
    private readonly clock: Clock,
    private readonly write: (text: string) => void,
  ) {
    this.acknowledgements = new Recent(clock);
    this.responses = new Recent(clock);
  }

  /** A message of ours was sent, for the first time. */
  sent(text: string): void {
    const head = headOf(text);
    if (!head) return;
    if (head.status !== null) this.sentResponse(text, head, head.status);
    else if (head.method === 'ACK') this.acknowledgements.set(`${head.branch} INVITE`, text);
    else {
      // Timers A and E: of an INVITE the interval doubles without end (RFC 3261, 17.1.1.2, 17.1.2.2).
      const longestMs = head.method === 'INVITE' ? Number.POSITIVE_INFINITY : t2;
      this.repeat(this.requests, `${head.branch} ${head.method}`, text, longestMs);
    }
  }

  /** A message arrived: whether it is new, and not one that has been dealt with before. */
  receive(text: string): boolean {
    const head = headOf(text);
    if (!head) return true;
    const key = `${head.branch} ${head.method}`;
    return head.status !== null ? this.receiveResponse(key, head, head.status) : this.receiveRequest(key, head);
  }

  /** Sends nothing any more. */
  stop(): void {
    for (const pending of [...this.requests.values(), ...this.answers.values()]) pending.cancelTimer();
    this.requests.clear();
    this.answers.clear();
  }

  private receiveResponse(key: string, head: Head, status: number): boolean {
    const pending = this.requests.get(key);
    if (status >= 200 || head.method === 'INVITE') this.end(this.requests, key);
    // In the state Proceeding timer E runs at T2 (RFC 3261, 17.1.2.2).
    else if (pending) pending.intervalMs = t2;
    const acknowledgement = head.method === 'INVITE' && status >= 300 ? this.acknowledgements.get(key) : undefined;
    if (acknowledgement === undefined) return true;
    this.write(acknowledgement);
    return false;
  }

  private receiveRequest(key: string, head: Head): boolean {
    if (head.method === 'ACK') {
      this.end(this.answers, head.call);
      return true;
    }
    const response = this.responses.get(key);
    if (response === undefined) {
      this.responses.set(key, null);
      return true;
    }
    if (response !== null) this.write(response);
    return false;
  }

  private sentResponse(text: string, head: Head, status: number): void {
    this.responses.set(`${head.branch} ${head.method}`, text);
    // Timer G, and the same for a 2xx (RFC 3261, 17.2.1, 13.3.1.4).
    if (head.method === 'INVITE' && status >= 200) this.repeat(this.answers, head.call, text, t2);
  }

  private repeat(table: Map<string, Pending>, key: string, text: string, longestMs: number): void {
    this.end(table, key);
    const oldest = table.size >= mostTransactions ? table.keys().next().value : undefined;
    if (oldest !== undefined) this.end(table, oldest);
    const until = this.clock.now() + lifetimeMs;
    const pending: Pending = { text, intervalMs: t1, longestMs, until, cancelTimer: () => {} };
    table.set(key, pending);
    this.schedule(table, key, pending);
  }

  private schedule(table: Map<string, Pending>, key: string, pending: Pending): void {
    pending.cancelTimer = this.clock.after(pending.intervalMs, () => {
      if (this.clock.now() >= pending.until) return this.end(table, key);
      this.write(pending.text);
      pending.intervalMs = Math.min(2 * pending.intervalMs, pending.longestMs);
      this.schedule(table, key, pending);
    });
  }

  private end(table: Map<string, Pending>, key: string): void {
    table.get(key)?.cancelTimer();
    table.delete(key);
  }
}

/** Values for as long as a transaction lives. All live equally long, so the first one set is the first one out. */
class Recent<Value> {
  private readonly entries = new Map<string, { value: Value; until: number }>();

  constructor(private readonly clock: Clock) {}

  get(key: string): Value | undefined {
    const entry = this.entries.get(key);
    return entry && entry.until > this.clock.now() ? entry.value : undefined;
  }

  set(key: string, value: Value): void {
    const now = this.clock.now();
    this.entries.delete(key);
    for (const [oldest, { until }] of this.entries) {
      if (until > now && this.entries.size < mostTransactions) break;
      this.entries.delete(oldest);
    }
    this.entries.set(key, { value, until: now + lifetimeMs });
  }
}

/** Reads what tells a transaction; undefined where a message does not say enough. */
function headOf(text: string): Head | undefined {
  const end = text.indexOf('\r\n\r\n');
  const head = end < 0 ? text : text.slice(0, end);
  const status = /^SIP\/2\.0 (\d{3})/i.exec(head)?.[1];
  const branch = /^(?:via|v)[ \t]*:[^\r\n]*?;[ \t]*branch[ \t]*=[ \t]*([^;,\s]+)/im.exec(head)?.[1];
  const [, sequence, method] = /^cseq[ \t]*:[ \t]*(\d+)[ \t]+(\S+)/im.exec(head) ?? [];
  const callId = /^(?:call-id|i)[ \t]*:[ \t]*(\S+)/im.exec(head)?.[1];
  if (branch === undefined || sequence === undefined || method === undefined || callId === undefined) return undefined;
  return {
    status: status === undefined ? null : Number(status),
    method: method.toUpperCase(),
    branch,
    call: `${callId} ${sequence}`,
  };
}
