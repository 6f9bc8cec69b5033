/** P6: a roster of a thousand: from a document to facts, and a fact on two wires beside the whole roster on them. */
import { measure, measureBare } from '../roster';
import { conferenceAt, factAbout, pump, singly } from './conferences';
import { startNodeRed } from './embedded';
import { type Line, median, type Scale } from './line';

const users = 1_000;
const rounds = { full: 200, quick: 30 };

function participantAt(index: number) {
  const entity = `sip:user${index}@example.com`;
  const media = [{ id: `${index}a`, type: 'audio', status: 'sendrecv' }];
  return {
    entity,
    displayName: `user${index}`,
    roles: ['attendee'],
    endpoints: [{ entity, status: 'connected', media }],
  };
}

/** µs for a message on two wires. */
async function fanOut(scale: Scale): Promise<{ fact: number; whole: number }> {
  const red = await startNodeRed();
  await red.deploy([
    { id: 'source', type: 'bench', wires: [['one', 'other']] },
    { id: 'one', type: 'bench', wires: [] },
    { id: 'other', type: 'bench', wires: [['sink']] },
    { id: 'sink', type: 'bench', wires: [] },
  ]);
  red.behave('one', () => {});
  const fact = () =>
    factAbout(0, 'conference-session', 1, {
      event: 'roster-changed',
      joined: [],
      left: [],
      changed: [participantAt(1)],
      total: users,
      cause: 'notification',
      conference: conferenceAt(0),
    });
  const whole = () => ({ ...fact(), participants: Array.from({ length: users }, (_, index) => participantAt(index)) });
  const costs: { fact: number[]; whole: number[] } = { fact: [], whole: [] };
  const [some, few] = scale === 'full' ? [2_000, 40] : [500, 10];
  for (let round = 0; round < 7; round += 1) {
    costs.fact.push(await pump(red, 'source', singly(Array.from({ length: some }, fact)), 'sink', some));
    costs.whole.push(await pump(red, 'source', singly(Array.from({ length: few }, whole)), 'sink', few));
  }
  await red.stop();
  return { fact: median(costs.fact) / 1_000, whole: median(costs.whole) / 1_000 };
}

export async function run(scale: Scale): Promise<Line[]> {
  const bare = measureBare(users, rounds[scale]).median;
  const { totalMs } = measure(users, rounds[scale]).median;
  const { fact, whole } = await fanOut(scale);
  return [
    {
      id: 'P6a',
      what: 'document of 1,000 users: parse, compare, facts',
      goal: 15,
      unit: 'ms',
      figure: totalMs,
      reference: 'saxes alone',
      referenceFigure: bare,
      lowerIsBetter: true,
    },
    {
      id: 'P6b',
      what: 'a roster fact on two wires',
      goal: 15,
      unit: 'µs',
      figure: fact,
      reference: 'the whole roster on them',
      referenceFigure: whole,
      lowerIsBetter: true,
    },
  ];
}
