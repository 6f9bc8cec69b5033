/**
 * What the fuzzer sends: messages of real flows with something wrong in them, and bytes that were never a message. Where
 * the identifiers of a living dialog belong stands their name in braces, so that an input is the same in each run.
 */

/** What an input is about. `answer`: a response to a request of the endpoint; `ask`: a request in a dialog of it. */
export type Subject =
  | { kind: 'answer'; to: 'UPDATE' | 'OPTIONS' | 'INFO' | 'SUBSCRIBE' | 'INVITE' }
  | { kind: 'ask'; within: 'INVITE' | 'SUBSCRIBE' };

/** One input. */
export interface Input {
  subject: Subject;
  /** Octets, as characters up to U+00FF. */
  text: string;
  /** Where the text is cut into chunks. */
  cuts: number[];
  /** Correct Content-Length at the end, so that the body is read as such. */
  fit: boolean;
}

type Random = () => number;

const octets = (text: string): string => Buffer.from(text).toString('latin1');

function below(random: Random, limit: number): number {
  return Math.floor(random() * limit);
}

function pick<Item>(random: Random, items: readonly Item[]): Item {
  return items[below(random, items.length)] as Item;
}

const conferenceDocument = octets(
  '<?xml version="1.0" encoding="UTF-8"?><conference-info xmlns="urn:ietf:params:xml:ns:conference-info" ' +
    'entity="sip:room@example.com" state="full" version="2"><conference-description><display-text>Jour fixe ü</display-text>' +
    '<conf-uris><entry><uri>sip:audio@example.com</uri><purpose>audio-video</purpose></entry></conf-uris>' +
    '<maximum-user-count>40</maximum-user-count></conference-description><conference-state><user-count>2</user-count>' +
    '<active>true</active><locked>false</locked></conference-state><users><user entity="sip:alice@example.com" state="full">' +
    '<display-text>Alice &amp; &#x1F600;</display-text><roles><entry>presenter</entry></roles>' +
    '<endpoint entity="sip:alice@example.com;gruu" state="partial"><status>connected</status><media id="1"><type>audio</type>' +
    '<status>sendrecv</status></media></endpoint></user><user entity="sip:bob@example.com" state="deleted"/></users></conference-info>',
);
const commandResult =
  '<?xml version="1.0"?><response xmlns="urn:ietf:params:xml:ns:cccp" requestId="1" C3PVersion="1" code="failure">' +
  '<addUser reason="otherFailure"><conferenceKeys confEntity="sip:room@example.com"/></addUser></response>';
const sessionDescription = [
  'v=0',
  'o=- 1 2 IN IP4 192.0.2.1',
  's=-',
  'c=IN IP4 192.0.2.1',
  't=0 0',
  'm=audio 4000 RTP/AVP 8 0 101',
  'a=rtpmap:101 telephone-event/8000',
  'm=video 0 RTP/AVP 34',
  'a=sendrecv',
  '',
].join('\r\n');

const bodies: readonly [type: string, body: string][] = [
  ['application/conference-info+xml', conferenceDocument],
  ['application/cccp+xml', commandResult],
  ['application/sdp', sessionDescription],
  ['text/plain;charset=UTF-8', octets('Grüße 😀')],
];

function withBody(head: string[], type: string, body: string): string {
  return [...head, `Content-Type: ${type}`, `Content-Length: ${body.length}`, '', body].join('\r\n');
}

function validAnswer(random: Random, to: string): string {
  const status = pick(random, [
    '100 Trying',
    '183 Session Progress',
    '200 OK',
    '200 OK',
    '202 Accepted',
    '302 Moved Temporarily',
    '401 Unauthorized',
    '408 Request Timeout',
    '422 Session Interval Too Small',
    '430 Flow Failed',
    '481 Call/Transaction Does Not Exist',
    '489 Bad Event',
    '500 Server Internal Error',
    '503 Service Unavailable',
    '603 Decline',
  ]);
  const head = [
    `SIP/2.0 ${status}`,
    'Via: {via}',
    'From: {from}',
    'To: {to}',
    'Call-ID: {call-id}',
    'CSeq: {cseq}',
    'Contact: <sip:room@192.0.2.1:5060;transport=tcp>;isfocus',
    'Record-Route: <sip:edge1.example.com;lr>, <sip:edge2.example.com;lr>',
    'Allow: INVITE, ACK, BYE, CANCEL, UPDATE, INFO, OPTIONS, SUBSCRIBE, NOTIFY',
    'Supported: timer, ms-dialog-route-set-update',
    'Session-Expires: 1800;refresher=uas',
    'Min-SE: 90',
    'Retry-After: 5 (maintenance);duration=3600',
    'P-Dialog-Recovery-Action: Dialog-Route-Set-Update',
    'ms-diagnostics: 1000;reason="Final handshake failed";source="fe1.example.com"',
    'WWW-Authenticate: Digest realm="example.com", nonce="84a4cc6f3082121f32b42a2187831a9e", algorithm=MD5, qop="auth"',
    'Expires: 600',
  ];
  const [type, body] = to === 'INVITE' ? (bodies[2] as [string, string]) : pick(random, bodies);
  return withBody(head, type, body);
}

function validRequest(random: Random, within: 'INVITE' | 'SUBSCRIBE'): string {
  const methods =
    within === 'SUBSCRIBE' ? ['NOTIFY', 'BENOTIFY'] : ['UPDATE', 'INVITE', 'INFO', 'OPTIONS', 'BYE', 'ACK', 'REFER'];
  const method = pick(random, methods);
  const head = [
    `${method} sip:alice@127.0.0.1:5060;transport=tcp SIP/2.0`,
    'Via: SIP/2.0/TCP 192.0.2.1:5060;branch=z9hG4bKnashds10;received=192.0.2.2',
    'Max-Forwards: 70',
    'From: {to}',
    'To: {from}',
    'Call-ID: {call-id}',
    `CSeq: {next} ${method}`,
    'Contact: "The room" <sip:room@192.0.2.1:5060;transport=tcp>;isfocus',
    'Record-Route: <sip:edge1.example.com;lr>, <sip:edge2.example.com;lr>',
    'Event: conference;id=1',
    'Subscription-State: active;expires=600;reason=none;retry-after=5',
    'Session-Expires: 1800;refresher=uac',
    'Require: timer',
    'Supported: timer',
  ];
  const [type, body] = within === 'SUBSCRIBE' ? (bodies[0] as [string, string]) : pick(random, bodies);
  return withBody(head, type, body);
}

/** Values that parsers and arithmetic do not like. */
const awkward: readonly string[] = [
  '-1',
  '0',
  '4294967296',
  '9'.repeat(400),
  '1e309',
  '0x7fffffff',
  'NaN',
  '',
  '\0',
  '\r',
  '\n',
  '\t',
  '"',
  '\\',
  '<',
  '>',
  ';',
  ',',
  '%',
  '%00',
  '\xff\xfe',
  '\xed\xa0\x80',
  '\xc0\xaf',
  '\xf4\x90\x80\x80',
  octets('\u2028\ufeff'),
  '__proto__',
  'constructor',
  'hasOwnProperty',
  '{{',
  '<!DOCTYPE a [<!ENTITY b "c">]>',
  '&b;',
  '&#0;',
  '&#x110000;',
  ']]>',
  '<![CDATA[',
  '<!--',
  '[::1',
  'sip:',
  'tag=',
  ';lr;lr',
];

type Mutation = (text: string, random: Random) => string;

/** Changes one line of the head, given as lines. */
function inHead(change: (lines: string[], at: number, random: Random) => void): Mutation {
  return (text, random) => {
    const end = text.indexOf('\r\n\r\n');
    if (end < 0) return text;
    const lines = text.slice(0, end).split('\r\n');
    change(lines, below(random, lines.length), random);
    return lines.join('\r\n') + text.slice(end);
  };
}

function splice(text: string, at: number, length: number, by: string): string {
  return text.slice(0, at) + by + text.slice(at + length);
}

const mutations: readonly Mutation[] = [
  (text, random) => splice(text, below(random, text.length), 1, String.fromCharCode(below(random, 256))),
  (text, random) => splice(text, below(random, text.length), below(random, 40), ''),
  (text, random) => splice(text, below(random, text.length), 0, pick(random, awkward)),
  (text, random) => text.slice(0, below(random, text.length)),
  (text, random) => {
    const from = below(random, text.length);
    return splice(text, below(random, text.length), 0, text.slice(from, from + below(random, 200)));
  },
  // A number becomes another one.
  (text, random) => {
    const numbers = [...text.matchAll(/\d+/g)];
    const number = numbers.length > 0 ? pick(random, numbers) : undefined;
    return number ? splice(text, number.index, number[0].length, pick(random, awkward)) : text;
  },
  inHead((lines, at) => void lines.splice(at, 1)),
  inHead((lines, at) => void lines.splice(at, 0, lines[at] ?? '')),
  inHead((lines, at, random) => void lines.splice(at, 0, ...lines.splice(below(random, lines.length), 1))),
  inHead((lines, at, random) => {
    const line = lines[at] ?? '';
    lines[at] = `${line.slice(0, line.indexOf(':') + 1)} ${pick(random, awkward)}`;
  }),
  inHead((lines, at, random) => {
    lines[at] = (lines[at] ?? '').replace(/ /g, () => (random() < 0.5 ? ' ' : '\r\n '));
  }),
  inHead((lines, at) => {
    lines[at] = (lines[at] ?? '').toUpperCase();
  }),
];

/** Of these one is enough. */
const bombs: readonly Mutation[] = [
  inHead(
    (lines, at, random) =>
      void lines.splice(
        at + 1,
        0,
        `${pick(random, ['X', 'Via', 'Contact', 'Record-Route', 'l'])}: ${pick(random, awkward).repeat(below(random, 9000))}`,
      ),
  ),
  inHead((lines, at, random) => {
    const line = lines[Math.max(1, at)] ?? '';
    lines.push(...new Array(below(random, 3000)).fill(line));
  }),
  inHead((lines, at, random) => {
    const line = lines[at] ?? '';
    const piece = pick(random, [';a=b', ' ', ',<sip:a@b>', '\\"', '(', '&a=b', '%41', ':1', '.a', '\r\n ']);
    lines[at] = splice(line, below(random, line.length), 0, piece.repeat(below(random, 16_000)));
  }),
  (text, random) => {
    const body = text.indexOf('\r\n\r\n') + 4;
    const piece = pick(random, [
      '<a>',
      '<a/>',
      '<a b="c"/>',
      ' a="b"',
      '<user entity="a"/>',
      '&amp;',
      '<!--a-->',
      'm=audio 1 RTP/AVP 0\r\n',
      '\r\n',
      'x',
    ]);
    return splice(
      text,
      body + below(random, text.length - body),
      0,
      piece.repeat(below(random, 200_000 / piece.length)),
    );
  },
  (text, random) =>
    `${pick(random, ['\r\n', '\n', ' ', '\0', 'x\r\n', 'a:b\r\n'])}`.repeat(below(random, 30_000)) + text,
];

/** The input of that number in the run of that seed. */
export function inputOf(random: Random): Input {
  const subject: Subject =
    random() < 0.4
      ? { kind: 'answer', to: pick(random, ['UPDATE', 'OPTIONS', 'INFO', 'SUBSCRIBE', 'INVITE']) }
      : { kind: 'ask', within: pick(random, ['INVITE', 'SUBSCRIBE']) };
  let text = subject.kind === 'answer' ? validAnswer(random, subject.to) : validRequest(random, subject.within);
  const what = random();
  if (what < 0.05) {
    text = Array.from({ length: below(random, 2000) }, () => String.fromCharCode(below(random, 256))).join('');
  } else {
    for (let count = below(random, 5); count > 0; count -= 1) text = pick(random, mutations)(text, random);
    if (what < 0.2) text = pick(random, bombs)(text, random);
  }
  const cuts = Array.from({ length: random() < 0.3 ? below(random, 8) : 0 }, () => below(random, text.length + 1));
  return { subject, text, cuts: cuts.sort((one, other) => one - other), fit: random() < 0.5 };
}
