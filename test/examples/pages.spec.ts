/** The examples with pages: metrics for Prometheus, and a dashboard for people. */
import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import WebSocket from 'ws';
import type { StateChanged } from '../../nodes/recovery/messages';
import { type Family, readExposition } from './exposition';
import { Stage } from './stage';

/** One row of the dashboard. */
interface Row {
  conference: string;
  state: string;
  mode: string | null;
  attempts: number;
  deadline: string | null;
}

describe('examples: pages', function () {
  this.timeout(60_000);
  let stage: Stage;

  before(async () => {
    stage = await Stage.open();
  });

  after(() => stage?.close());

  /** The metrics page, in one of its formats. */
  async function metrics(accept = 'text/plain'): Promise<Map<string, Family>> {
    const response = await fetch(`${stage.nodeRed.url}/metrics`, { headers: { accept } });
    assert.equal(response.status, 200);
    const isOpenMetrics = accept.includes('openmetrics');
    const [type, ...parameters] = (response.headers.get('content-type') ?? '').split('; ');
    assert.equal(type, isOpenMetrics ? 'application/openmetrics-text' : 'text/plain');
    // In whichever order.
    assert.deepEqual(parameters.sort(), ['charset=utf-8', `version=${isOpenMetrics ? '1.0.0' : '0.0.4'}`]);
    return readExposition(await response.text(), isOpenMetrics ? 'openmetrics' : 'prometheus');
  }

  /** The sum of the samples of a family with some labels. */
  const sum = (families: Map<string, Family>, name: string, labels: { [label: string]: string } = {}, suffix = '') =>
    (families.get(name)?.samples ?? [])
      .filter((sample) => sample.name === name + suffix)
      .filter((sample) => Object.entries(labels).every(([label, value]) => sample.labels[label] === value))
      .reduce((total, { value }) => total + value, 0);

  it('metrics: sessions by state, transitions, recovery times, give-ups and healing attempts', async () => {
    const example = await stage.play('metrics');
    const empty = await metrics();
    assert.deepEqual(
      [...empty].map(([name, { type }]) => `${name} ${type}`),
      [
        'conference_sessions gauge',
        'conference_state_transitions_total counter',
        'conference_recovery_seconds histogram',
        'conference_give_ups_total counter',
        'conference_healing_attempts_total counter',
      ],
    );
    assert.equal(sum(empty, 'conference_sessions'), 0);

    example.press('join');
    await example.session('Connected');
    example.mark();
    example.press('break a hop for good');
    await example.session('Reconnecting');
    assert.equal(sum(await metrics(), 'conference_sessions', { state: 'Reconnecting' }), 1);
    await example.next({ event: 'heal-attempted' });
    example.press('restore the hop');
    const { elapsedMs, attempts } = await example.session('Connected');
    const healed = await metrics();
    assert.equal(sum(healed, 'conference_sessions', { state: 'Connected' }), 1);
    assert.equal(sum(healed, 'conference_sessions'), 1);
    const recovered = { reason: 'RouteHealed' };
    assert.equal(sum(healed, 'conference_recovery_seconds', recovered, '_count'), 1);
    assert.equal(sum(healed, 'conference_recovery_seconds', recovered, '_sum'), elapsedMs / 1000);
    assert.equal(sum(healed, 'conference_recovery_seconds', { le: '0.5' }, '_bucket'), elapsedMs <= 500 ? 1 : 0);
    const counted = sum(healed, 'conference_healing_attempts_total');
    assert.ok(counted >= attempts && counted >= 1);
    assert.equal(sum(healed, 'conference_healing_attempts_total', { outcome: 'healed' }), 1);

    example.mark();
    example.press('break a hop for good');
    await example.session('Reconnecting');
    example.press('give up now');
    await example.session('Disconnected');
    const over = await metrics('application/openmetrics-text; version=1.0.0');
    assert.equal(sum(over, 'conference_sessions'), 0);
    assert.equal(sum(over, 'conference_give_ups', {}, '_total'), 1);
    const transition = { from: 'Connected', to: 'Reconnecting', reason: 'RouteBroken' };
    assert.equal(sum(over, 'conference_state_transitions', transition, '_total'), 2);
    example.check();
  });

  it('dashboard: every page that is open follows all sessions', async () => {
    const example = await stage.play('dashboard');
    const response = await fetch(`${stage.nodeRed.url}/conferences`);
    assert.match(response.headers.get('content-type') ?? '', /^text\/html/);
    assert.match(await response.text(), /<title>Conferences<\/title>/);

    example.press('join three conferences');
    for (const name of ['daily', 'board', 'town-hall']) {
      await example.next<StateChanged>({ conference: `sip:${name}@pool.example`, state: 'Connected' });
    }
    const page = await Page.open(stage.nodeRed.url);
    // It asks once, and gets the rows as they are.
    assert.deepEqual(await page.rows((rows) => rows.length === 3).then((rows) => rows.map(({ state }) => state)), [
      'Connected',
      'Connected',
      'Connected',
    ]);
    example.press('break a hop for good');
    const broken = await page.rows((rows) =>
      rows.every(({ attempts, deadline }) => attempts >= 1 && deadline !== null),
    );
    for (const { state, mode } of broken) assert.deepEqual([state, mode], ['Reconnecting', 'recovering']);
    example.press('restore the hop');
    const healed = await page.rows((rows) => rows.every(({ state }) => state === 'Connected'));
    for (const { attempts, deadline } of healed) assert.deepEqual([attempts, deadline], [0, null]);
    example.press('leave them');
    await page.rows((rows) => rows.length === 0);
    page.close();
    example.check();
  });
});

/** What a page of the dashboard does, without what it shows. */
class Page {
  private latest: Row[] = [];

  private constructor(private readonly socket: WebSocket) {
    socket.on('message', (words) => {
      this.latest = JSON.parse(String(words));
    });
  }

  static async open(url: string): Promise<Page> {
    const socket = new WebSocket(`${url.replace('http', 'ws')}/conferences/live`);
    const page = new Page(socket);
    await new Promise((opened, failed) => socket.once('open', opened).once('error', failed));
    socket.send('rows');
    return page;
  }

  /** Waits for rows that match. */
  async rows(matches: (rows: Row[]) => boolean): Promise<Row[]> {
    while (!matches(this.latest) || this.socket.readyState !== WebSocket.OPEN) await delay(20);
    return this.latest;
  }

  close(): void {
    this.socket.close();
  }
}
