/**
 * `npm run bench:roster`: what one conference document costs, from its text to the facts that leave: parsed, compared with
 * the roster that is known, and turned into facts of the conference session and of an MCU session.
 *
 * Times are processor time of the process, since a machine that is busy with other things makes any clock lie; and each
 * stands beside that of a bare parser: saxes alone, without a handler, on the same text in the same process. Exits with 1 when the goal is missed. Arguments:
 * `--users N`, `--rounds N`.
 */
import { parseArgs } from 'node:util';
import { SaxesParser } from 'saxes';
import {
  type ConferenceSessionState,
  conferenceSession,
  conferenceSessionDefaults,
} from '../nodes/recovery/conference-session';
import { mcuSession, mcuSessionDefaults } from '../nodes/recovery/mcu-session';
import { applyDocument, type Participants } from '../nodes/recovery/roster';
import type { ConferenceDocument } from '../nodes/recovery/signaling';
import { readConferenceDocument } from '../nodes/signaling/sip/conference-document';

/** Medians, in ms of processor time. */
export interface Measurement {
  /** The parser alone: saxes, told to do nothing. */
  bareMs: number;
  /** From text to document. */
  parseMs: number;
  /** What differs between the document and the roster. */
  compareMs: number;
  /** The steps of the two sessions, without the comparison. */
  factsMs: number;
  totalMs: number;
}

/** For a document of 1,000 users. */
const goalMs = 15;
const conference = 'sip:room@example.com';
const moment = { now: 1_767_225_600_000, random: 0.5 };

/** A full document of so many users, of whom one in twenty is another, or does something else, in each version. */
export function documentOf(users: number, version: number): string {
  const all = Array.from({ length: users }, (_, index) => user(index, index % 20 === version % 20 ? version : 0));
  return (
    `<?xml version="1.0" encoding="UTF-8"?>\n<conference-info xmlns="urn:ietf:params:xml:ns:conference-info" ` +
    `entity="${conference}" state="full" version="${version}"><conference-description><subject>Weekly</subject>` +
    `</conference-description><conference-state><user-count>${users}</user-count><active>true</active>` +
    `</conference-state>\n<users>\n${all.join('\n')}\n</users></conference-info>`
  );
}

/** As FreeSWITCH describes one (RFC 4575, 5.6 to 5.8). */
function user(index: number, change: number): string {
  const name = index % 40 === 0 && change > 0 ? `guest${index}-${change}` : `user${index}`;
  const uri = `sip:${name}@example.com`;
  return [
    `  <user state="full" entity="${uri}">`,
    `   <display-text>${name} of Example</display-text>`,
    `   <endpoint entity="${uri}">`,
    `    <display-text>${name} of Example</display-text>`,
    '    <status>connected</status>',
    '    <joining-info>',
    '     <when>2026-01-01T09:00:00+00:00</when>',
    '    </joining-info>',
    `    <media id="${index}a">`,
    '     <type>audio</type>',
    `     <src-id>${index * 7919}</src-id>`,
    `     <status>${change > 0 ? 'recvonly' : 'sendrecv'}</status>`,
    '    </media>',
    '   </endpoint>',
    '  </user>',
  ].join('\n');
}

/** Reads `rounds` documents of so many users, one after the other, after a warm-up. */
export function measure(users: number, rounds: number): Measurement {
  const texts = Array.from({ length: 20 }, (_, version) => documentOf(users, version));
  const samples: Measurement[] = [];
  let session: ConferenceSessionState | null = null;
  let mcu = mcuSession.start(conference, 'audio-video');
  const warmUp = Math.min(20, rounds);
  for (let round = 0; round < rounds + warmUp; round += 1) {
    const text = texts[round % texts.length] as string;
    const bareMs = timed(() => {
      new SaxesParser({ xmlns: true }).write(text).close();
    })[1];
    const [parsed, parseMs] = timed(() => readConferenceDocument(text));
    if ('error' in parsed) throw new Error(parsed.error);
    const document: ConferenceDocument = { ...parsed.document, version: round };
    if (session === null) {
      [session, mcu] = joined(document);
      continue;
    }
    const { roster }: ConferenceSessionState = session;
    const compareMs = timed(() => applyDocument(roster, document))[1];
    const before: ConferenceSessionState = session;
    const [stepped, stepMs] = timed(() => {
      const input = { event: 'document' as const, dialog: 1, document };
      const first = conferenceSession.step(before, input, moment, conferenceSessionDefaults);
      const second = tell(mcu, first.state.roster.participants);
      return { session: first, mcu: second };
    });
    if (stepped.session.messages.length === 0) throw new Error('nothing differed');
    session = stepped.session.state;
    mcu = stepped.mcu.state;
    if (round < warmUp) continue;
    samples.push({ bareMs, parseMs, compareMs, factsMs: Math.max(0, stepMs - compareMs), totalMs: parseMs + stepMs });
  }
  const median = (figure: keyof Measurement): number => medianOf(samples.map((sample) => sample[figure]));
  return {
    bareMs: median('bareMs'),
    parseMs: median('parseMs'),
    compareMs: median('compareMs'),
    factsMs: median('factsMs'),
    totalMs: median('totalMs'),
  };
}

/** Both sessions, as they are when the join has brought the first roster. */
function joined(document: ConferenceDocument) {
  const { session, mcu } = {
    session: conferenceSession.start(conference),
    mcu: mcuSession.start(conference, 'audio-video'),
  };
  const joining = { input: 'join' as const, operationId: 'join', arguments: {} };
  const asked = conferenceSession.step(session, joining, moment, conferenceSessionDefaults).state;
  const answer = { event: 'joined' as const, dialog: 1, placement: 'conference' as const, document, mcus: null };
  const inside = conferenceSession.step(asked, answer, moment, conferenceSessionDefaults).state;
  const bound = mcuSession.step(mcu, { input: 'joined', dialog: 1, mcus: null }, moment, mcuSessionDefaults).state;
  return [inside, tell(bound, inside.roster.participants).state] as const;
}

function tell(mcu: ReturnType<typeof mcuSession.start>, participants: Participants) {
  return mcuSession.step(mcu, { input: 'roster', participants, cause: 'notification' }, moment, mcuSessionDefaults);
}

function timed<Result>(run: () => Result): [result: Result, ms: number] {
  const before = process.cpuUsage();
  const result = run();
  const { user, system } = process.cpuUsage(before);
  return [result, (user + system) / 1000];
}

function medianOf(values: number[]): number {
  return values.sort((one, other) => one - other)[values.length >> 1] ?? Number.NaN;
}

function main(): void {
  const { values } = parseArgs({
    options: { users: { type: 'string', default: '1000' }, rounds: { type: 'string', default: '200' } },
  });
  const users = Number(values.users);
  const { bareMs, ...measured } = measure(users, Number(values.rounds));
  const size = (documentOf(users, 0).length / 1000).toFixed(0);
  console.log(`A full conference document of ${users} users (${size} kB), one in twenty of whom has changed; medians.`);
  console.log(`${''.padEnd(12)}      ms   × bare saxes`);
  const line = (name: string, ms: number): void =>
    console.log(`${name.padEnd(12)}${ms.toFixed(2).padStart(8)}${(ms / bareMs).toFixed(2).padStart(10)}`);
  line('bare saxes', bareMs);
  line('parse', measured.parseMs);
  line('compare', measured.compareMs);
  line('facts', measured.factsMs);
  line('total', measured.totalMs);
  const missed = users === 1000 && measured.totalMs > goalMs;
  console.log(`Goal for 1000 users: ${goalMs} ms${missed ? ', missed' : ''}.`);
  process.exitCode = missed ? 1 : 0;
}

if (require.main === module) main();
