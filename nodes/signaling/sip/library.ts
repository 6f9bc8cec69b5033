/**
 * The one door to `sip.js`: its core only (parser, messages, transactions), loaded on first use, since it is 16 MB and an
 * ES module while this pack is CommonJS.
 */
import { randomBytes } from 'node:crypto';
import { isBearable } from './inspection';

/** What `sip.js` offers. */
export type SipLibrary = typeof import('sip.js/lib/core/index.js', { with: { 'resolution-mode': 'import' }});

export type ClientTransaction = InstanceType<SipLibrary['InviteClientTransaction' | 'NonInviteClientTransaction']>;
export type IncomingMessage = InstanceType<SipLibrary['IncomingMessage']>;
export type IncomingRequestMessage = InstanceType<SipLibrary['IncomingRequestMessage']>;
export type IncomingResponseMessage = InstanceType<SipLibrary['IncomingResponseMessage']>;
export type LoggerFactory = InstanceType<SipLibrary['LoggerFactory']>;
export type OutgoingRequestMessage = InstanceType<SipLibrary['OutgoingRequestMessage']>;
export type Transport = ConstructorParameters<SipLibrary['NonInviteClientTransaction']>[1];
export type URI = InstanceType<SipLibrary['URI']>;

let loading: Promise<SipLibrary> | undefined;

/** Loads `sip.js`, once per process. */
export function loadSipLibrary(): Promise<SipLibrary> {
  loading ??= import('sip.js/lib/core/index.js').then((library) => {
    // A branch of sip.js is one of 10^7: of 10,000 routes that heal at once several would share one, and their answers.
    const transactions = library.ClientTransaction as unknown as {
      makeId(request: OutgoingRequestMessage): string;
    };
    transactions.makeId = (request) => (request.method === 'CANCEL' && request.branch) || `z9hG4bK${token()}`;
    return library;
  });
  return loading;
}

/** A logger factory that says nothing: what matters leaves as events. */
export function quietLoggers(library: SipLibrary): LoggerFactory {
  const loggers = new library.LoggerFactory();
  loggers.builtinEnabled = false;
  return loggers;
}

/**
 * Reads a message; undefined when it costs too much to read, or lacks what every message has (RFC 3261, 8.1.1). The parser
 * throws at some others.
 */
export function parseMessage(
  library: SipLibrary,
  loggers: LoggerFactory,
  text: string,
): IncomingRequestMessage | IncomingResponseMessage | undefined {
  if (!isBearable(text)) return undefined;
  const message = library.Parser.parseMessage(text, loggers.getLogger('parser'));
  const complete =
    message?.callId && message.from && message.to && message.via && message.method && message.cseq !== undefined;
  return complete ? message : undefined;
}

/** A globally unique token: for Call-IDs, tags and branches (RFC 3261, 19.3). */
export function token(): string {
  return randomBytes(12).toString('hex');
}
