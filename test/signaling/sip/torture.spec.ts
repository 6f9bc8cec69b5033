/** Torture messages of RFC 4475 and RFC 5118: what we do about each, and that nobody else suffers. */
import assert from 'node:assert/strict';
import { isBearable } from '../../../nodes/signaling/sip/inspection';
import { loadSipLibrary } from '../../../nodes/signaling/sip/library';
import { Endpoint } from './harness';
import { ScriptedFocus } from './scripted-focus';
import type { TortureMessage } from './torture/message';
import { rfc4475 } from './torture/rfc4475';
import { rfc5118 } from './torture/rfc5118';

/** What the endpoint does, and why. We are no registrar, and nobody calls us: REGISTER is 405, a good INVITE is 480. */
const reactions: { [name: string]: [does: string, why: string] } = {
  wsinv: ['481', 'well-formed; its To tag names no dialog of ours'],
  intmeth: ['501', 'well-formed; the method is unknown (RFC 3261, 21.5.2)'],
  esc01: ['480', 'well-formed'],
  escnull: ['405', 'well-formed'],
  esc02: ['501', 'escapes mean nothing in a method: this is not REGISTER'],
  lwsdisp: ['200', 'well-formed'],
  longreq: ['480', 'well-formed, and not too long'],
  dblreq: ['405 480', 'a stream carries both; in a datagram the second one is to be ignored'],
  semiuri: ['200', 'well-formed'],
  transports: ['200', 'well-formed; the answer goes back on the flow'],
  mpart01: ['405', 'well-formed; text counts only in a call of ours'],
  unreason: ['nothing', 'an answer to nothing that we have asked'],
  noreason: ['nothing', 'an answer to nothing that we have asked'],
  badinv01: ['nothing', 'Via cannot be read, so nobody knows where an answer would go'],
  clerr: ['waits', 'on a stream the rest of the body may still come; nothing else can, meanwhile'],
  ncl: ['hangs up', 'on a stream nobody knows where the next message begins (RFC 3261, 18.3)'],
  scalar02: ['400', 'CSeq is 2^31 or more'],
  scalarlg: ['nothing', 'an answer to nothing that we have asked'],
  quotbal: ['nothing', 'To cannot be read'],
  ltgtruri: ['nothing', 'the first line cannot be read'],
  lwsruri: ['nothing', 'the first line cannot be read'],
  lwsstart: ['nothing', 'the first line cannot be read'],
  trws: ['nothing', 'the first line cannot be read'],
  escruri: ['480', 'headers in the Request-URI are ignored, as the RFC allows'],
  baddate: ['480', 'Date means nothing to us'],
  regbadct: ['nothing', 'Contact cannot be read'],
  badaspec: ['nothing', 'To cannot be read'],
  baddn: ['nothing', 'From cannot be read'],
  badvers: ['505', 'SIP/7.0'],
  mismatch01: ['400', 'CSeq names another method'],
  mismatch02: ['400', 'CSeq names another method'],
  bigcode: ['nothing', 'the first line cannot be read'],
  badbranch: ['200', 'the branch is only repeated'],
  insuf: ['nothing', 'without From, To and Call-ID there is nothing to answer with'],
  unkscm: ['416', 'not a SIP URI'],
  novelsc: ['416', 'not a SIP URI'],
  unksm2: ['nothing', 'To and From cannot be read'],
  bext01: ['420', 'both option tags of Require are unknown; Proxy-Require is none of our business'],
  invut: ['480', 'nobody calls us, whatever they bring'],
  regaut01: ['405', 'well-formed'],
  multi01: ['400', 'there can be only one From, To, Call-ID and CSeq'],
  mcl01: ['hangs up', 'on a stream nobody knows where the next message begins (RFC 3261, 18.3)'],
  bcast: ['nothing', 'two Vias: this answer was meant for somebody else (RFC 3261, 18.1.2)'],
  zeromf: ['200', 'whoever is meant does not forward'],
  cparam01: ['405', 'well-formed'],
  cparam02: ['405', 'well-formed'],
  regescrt: ['405', 'well-formed'],
  sdp01: ['480', 'nobody calls us, whatever they accept'],
  inv2543: ['480', 'well-formed in RFC 2543; its body, of untold length, is noise to be skipped'],
  'ipv6-good': ['405', 'well-formed'],
  'ipv6-bad': ['400', 'an IPv6 address needs brackets'],
  'port-ambiguous': ['405', 'well-formed'],
  'port-unambiguous': ['405', 'well-formed'],
  'via-received-param-with-delim': ['481', 'read, though the brackets are wrong'],
  'via-received-param-no-delim': ['200', 'well-formed'],
  'ipv6-in-sdp': ['480', 'well-formed'],
  'mult-ip-in-header': ['481', 'well-formed; its To tag names no dialog of ours'],
  'mult-ip-in-sdp': ['480', 'well-formed'],
  'ipv4-mapped-ipv6': ['480', 'well-formed'],
  'ipv6-bug-abnf-3-colons': ['nothing', 'three colons are no address'],
};

describe('SIP torture messages', function () {
  this.timeout(60_000);
  let focus: ScriptedFocus;
  let alice: Endpoint;

  before(async () => {
    focus = await new ScriptedFocus().start();
    alice = new Endpoint(focus, `sip:room@127.0.0.1:${focus.port}`);
    await alice.join();
  });

  after(async () => {
    await alice.port.close();
    await focus.stop();
  });

  /** Sends it, then proves that the dialog goes on; says what was done about it. */
  const send = async ({ bytes, name }: TortureMessage): Promise<string> => {
    const received = focus.received.length;
    const heard = alice.events.length;
    focus.write(bytes);
    if (name === 'clerr') {
      // An answer would be taken for more of the body.
      const { script } = focus;
      focus.script = () => undefined;
      assert.equal((await alice.request('refresh', { timeoutMs: 200 })).outcome.kind, 'unreachable');
      focus.script = script;
      focus.write('x'.repeat(9999 - (bytes.length - bytes.indexOf('\r\n\r\n') - 4)));
    } else {
      // What follows the last message that could be told apart is noise up to the next empty line.
      focus.write('\r\n\r\n');
    }
    if (reactions[name]?.[0] === 'hangs up') {
      await alice.next('transport-restored', undefined, { since: heard });
    }
    const { outcome } = await alice.request('refresh');
    assert.equal(outcome.kind, 'ok', JSON.stringify(outcome));
    const answers = focus.received.slice(received).flatMap(({ start }) => /^SIP\/2\.0 (\d+)/.exec(start)?.[1] ?? []);
    if (alice.events.slice(heard).some(({ event }) => event === 'transport-lost')) return 'hangs up';
    if (name === 'clerr') return answers.join(' ') === '480' ? 'waits' : `waits, then ${answers.join(' ')}`;
    return answers.length > 0 ? answers.join(' ') : 'nothing';
  };

  for (const [rfc, messages] of Object.entries({ 'RFC 4475': rfc4475, 'RFC 5118': rfc5118 })) {
    for (const each of messages) {
      const [does, why] = reactions[each.name] ?? ['?', 'nobody has decided'];
      it(`${rfc}, ${each.section}, ${each.name}: ${does}; ${why}`, async () => {
        assert.equal(await send(each), does);
      });
    }
  }

  it('are all there, and each parses or is refused without an exception', async () => {
    assert.equal(rfc4475.length, 49);
    assert.equal(new Set([...rfc4475, ...rfc5118].map(({ name }) => name)).size, Object.keys(reactions).length);
    const library = await loadSipLibrary();
    const loggers = new library.LoggerFactory();
    loggers.builtinEnabled = false;
    for (const { bytes } of [...rfc4475, ...rfc5118]) {
      const text = bytes.toString();
      assert.equal(isBearable(text), true);
      library.Parser.parseMessage(text, loggers.getLogger('parser'));
    }
  });
});

describe('inspection of messages', () => {
  const head = 'OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/TCP h\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:b@b>\r\n';

  it('lets through what a message may be', () => {
    assert.equal(isBearable(`${head}\r\n`), true);
    assert.equal(isBearable(`${head}Subject: ${'x, y; z & '.repeat(5000)}\r\n\r\n`), true);
    assert.equal(
      isBearable(`${head}${`Record-Route: <sip:${'proxy'.repeat(20)}.example.com;lr>\r\n`.repeat(60)}\r\n`),
      true,
    );
  });

  for (const [what, fields] of Object.entries({
    'a list without end': `Contact: ${'<sip:a@b>,'.repeat(600)}<sip:a@b>`,
    'folded parameters without end': `m: <sip:a@b>${'\r\n ;a=b'.repeat(600)}`,
    'the same field again and again': 'Contact: <sip:a@b>\r\n'.repeat(70).trim(),
    'a field too long': `Refer-To: <sip:${'a'.repeat(9000)}@b>`,
    'too many fields': 'X: y\r\n'.repeat(600).trim(),
    'lines without a colon': 'x',
    'a name that is not there': ': x',
  })) {
    it(`drops ${what}`, () => {
      assert.equal(isBearable(`${head}${fields}\r\n\r\n`), false);
    });
  }

  it('drops a head without end', () => {
    assert.equal(isBearable(head), false);
    assert.equal(isBearable('x'), false);
  });

  it('drops a first line too long, and a first Via; further ones are not parsed', () => {
    const parameters = ';a=b'.repeat(600);
    assert.equal(isBearable(head.replace('sip:a@b', `sip:a@b${parameters}`).concat('\r\n')), false);
    assert.equal(
      isBearable(head.replace('Via: SIP/2.0/TCP h', `Via: SIP/2.0/TCP h${parameters}`).concat('\r\n')),
      false,
    );
    assert.equal(isBearable(`${head}v: SIP/2.0/TCP h${parameters}\r\n\r\n`), true);
  });
});
