/**
 * `npm run bench:roster`: what one conference document costs, from its text to the facts that leave: parsed, compared with
 * the roster that is known, and turned into facts of the conference session and of an MCU session.
 *
 * Times are processor time of the process, since a machine that is busy with other things makes any clock lie; and each
 * stands beside that of a bare parser: saxes alone, without namespaces or a handler, on the same texts in a process of its own, where
 * it is at its fastest. Exits with 1 when the median misses the goal. Arguments: `--users N`, `--rounds N`.
 */
import { execFileSync } from 'node:child_process';
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

/** Figures in ms of processor time. */
export interface Measurement {
  /** From text to document. */
  parseMs: number;
  /** What differs between the document and the roster. */
  compareMs: number;
  /** The steps of the two sessions, without the comparison. */
  factsMs: number;
  totalMs: number;
}

/** Of many rounds. */
export interface Spread<Figures> {
  median: Figures;
  best: Figures;
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

/** The documents of twenty versions as they come from the network, each string in one piece. */
function textsOf(users: number): string[] {
  return Array.from({ length: 20 }, (_, version) => Buffer.from(documentOf(users, version)).toString());
}

/** The parser alone, told to do nothing. */
export function measureBare(users: number, rounds: number): Spread<number> {
  const texts = textsOf(users);
  const parser = new SaxesParser({ xmlns: false });
  const samples: number[] = [];
  const warmUp = Math.min(20, rounds);
  for (let round = 0; round < rounds + warmUp; round += 1) {
    const [, ms] = timed(() => parser.write(texts[round % texts.length] as string).close());
    if (round >= warmUp) samples.push(ms);
  }
  return spreadOf(samples);
}

/** Reads `rounds` documents of so many users, one after the other, after a warm-up. */
export function measure(users: number, rounds: number): Spread<Measurement> {
  const texts = textsOf(users);
  const samples: Measurement[] = [];
  let session: ConferenceSessionState | null = null;
  let mcu = mcuSession.start(conference, 'audio-video');
  const warmUp = Math.min(20, rounds);
  for (let round = 0; round < rounds + warmUp; round += 1) {
    const text = texts[round % texts.length] as string;
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
    samples.push({ parseMs, compareMs, factsMs: Math.max(0, stepMs - compareMs), totalMs: parseMs + stepMs });
  }
  const spread = (figure: keyof Measurement): Spread<number> => spreadOf(samples.map((sample) => sample[figure]));
  const [parse, compare, facts, total] = [spread('parseMs'), spread('compareMs'), spread('factsMs'), spread('totalMs')];
  const figures = (of: keyof Spread<number>): Measurement => ({
    parseMs: parse[of],
    compareMs: compare[of],
    factsMs: facts[of],
    totalMs: total[of],
  });
  return { median: figures('median'), best: figures('best') };
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

function spreadOf(values: number[]): Spread<number> {
  const sorted = values.sort((one, other) => one - other);
  return { median: sorted[sorted.length >> 1] ?? Number.NaN, best: sorted[0] ?? Number.NaN };
}

function main(): void {
  const { values } = parseArgs({
    options: {
      users: { type: 'string', default: '1000' },
      rounds: { type: 'string', default: '200' },
      bare: { type: 'boolean', default: false },
    },
  });
  const [users, rounds] = [Number(values.users), Number(values.rounds)];
  // This very file in another process, see below.
  if (values.bare) console.log(JSON.stringify(measureBare(users, rounds)));
  else report(users, rounds);
}

function report(users: number, rounds: number): void {
  const again = [...process.execArgv, __filename, '--bare', '--users', `${users}`, '--rounds', `${rounds}`];
  const bare: Spread<number> = JSON.parse(execFileSync(process.execPath, again, { encoding: 'utf8' }));
  const { median, best } = measure(users, rounds);
  const size = (documentOf(users, 0).length / 1000).toFixed(0);
  console.log(`A full conference document of ${users} users (${size} kB), one in twenty of whom has changed.`);
  console.log(`${''.padEnd(12)}  median    best   × bare saxes`);
  const line = (name: string, one: number, other: number): void =>
    console.log(
      `${name.padEnd(12)}${one.toFixed(2).padStart(8)}${other.toFixed(2).padStart(8)}${(one / bare.median).toFixed(2).padStart(8)}`,
    );
  line('bare saxes', bare.median, bare.best);
  line('parse', median.parseMs, best.parseMs);
  line('compare', median.compareMs, best.compareMs);
  line('facts', median.factsMs, best.factsMs);
  line('total', median.totalMs, best.totalMs);
  const missed = users === 1000 && median.totalMs > goalMs;
  console.log(`Goal for 1000 users: ${goalMs} ms${missed ? ', missed' : ''}.`);
  process.exitCode = missed ? 1 : 0;
}

if (require.main === module) main();
