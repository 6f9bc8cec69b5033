/** The timeline in the sidebar, in a real browser on a real Node-RED: what it shows, what it asks for, and who may. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { CONFERENCE, canonical } from '../support/flow';
import { type NodeRedProcess, startNodeRed } from '../support/node-red-process';
import { attemptFact, entryOf, giveUpFact, stateFact, verdictFact } from '../timeline/facts';
import { browserFound, Editor } from './editor';

/** "secret", as Node-RED keeps it. */
const password = '$2b$04$mHHOi0bua9bxWU94MzLiFuYU9XJXFn.gy.Yn4trN6zqHsqlcVfDCe';
const adminAuth = {
  type: 'credentials',
  users: [
    { username: 'reader', password, permissions: 'read' },
    { username: 'stranger', password, permissions: ['flows.read', 'nodes.read', 'plugins.read', 'settings.read'] },
  ],
  default: { permissions: '*' },
};

interface Tokens {
  access_token: string;
}

/** What the server tells of a conference whose route has been broken for most of an hour. */
function hourOfTrouble(): object {
  const now = Date.now();
  const outage = { conference: CONFERENCE, incident: 'daily@pool.example/hop/1', active: true };
  const began = now - 55 * 60_000;
  const attempts = Array.from({ length: 900 }, (_, index) =>
    entryOf(began + index * 3_660, attemptFact('unreachable', { ...outage, attempt: index + 1 }), 'healer'),
  );
  const reconnecting = stateFact('Connected', 'Reconnecting', { ...outage, mode: 'recovering', reason: 'RouteBroken' });
  const entries = [
    entryOf(now - 59 * 60_000, stateFact('Connecting', 'Connected', { conference: CONFERENCE })),
    entryOf(began, verdictFact('failed', 1, outage), 'detector'),
    entryOf(began, reconnecting),
    entryOf(
      began,
      giveUpFact({ ...outage, event: 'give-up-armed', deadlineAt: null, criteria: ['attempts'] }),
      'give-up',
    ),
    ...attempts,
  ];
  const cursor = entries.at(-1)?.cursor ?? 0;
  const summary = {
    conference: CONFERENCE,
    name: 'daily',
    state: 'Reconnecting',
    mode: 'recovering',
    since: began,
    cursor,
  };
  const chosen = { conference: CONFERENCE, standing: [], entries, gone: [], pools: [] };
  return { life: began - 3_600_000, now, cursor, conferences: [summary], oldest: 0, chosen };
}

/** Texts in an element that contrast less than 3 : 1 with what is behind them. Runs in the browser. */
function faintTexts(root: Element): string[] {
  const channels = (color: string) => (color.match(/[\d.]+/g) ?? []).map(Number);
  const luminance = (color: string) => {
    const [red = 0, green = 0, blue = 0] = channels(color).map((value) =>
      value <= 10 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4,
    );
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const behind = (element: Element | null): string => {
    if (!element) return 'rgb(255, 255, 255)';
    const { backgroundColor } = getComputedStyle(element);
    return channels(backgroundColor)[3] === 0 ? behind(element.parentElement) : backgroundColor;
  };
  return [...root.querySelectorAll('div, span, li, button, option, summary, text.label')]
    .filter(({ childNodes }) =>
      [...childNodes].some(({ nodeType, textContent }) => nodeType === 3 && textContent?.trim()),
    )
    .filter((element) => {
      const { color, fill } = getComputedStyle(element);
      const [one, other] = [luminance(element.localName === 'text' ? fill : color), luminance(behind(element))];
      return (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05) < 3;
    })
    .map(({ outerHTML }) => outerHTML);
}

describe('timeline', function () {
  this.timeout(120_000);
  let nodeRed: NodeRedProcess;
  const flows = canonical({
    'route-healer': { period: '1', periodUnit: 's', jitter: '0' },
    'conference-session': { heartbeat: '500', heartbeatUnit: 'ms' },
    'give-up-timer': { giveUpAfter: '1', giveUpAfterUnit: 'min' },
  }).filter(({ type }) => type !== 'sink');

  before(async () => {
    nodeRed = await startNodeRed({ flows, settings: { adminAuth }, observe: true });
  });
  after(() => nodeRed?.stop());

  const told = (event: string, matches: object = {}) =>
    nodeRed.waitFor(({ payload }) =>
      Object.entries({ event, ...matches }).every(
        ([name, value]) => (payload as { [name: string]: unknown })[name] === value,
      ),
    );

  async function login(username: string): Promise<Tokens> {
    const grant = { client_id: 'node-red-editor', grant_type: 'password', scope: '', username, password: 'secret' };
    const response = await fetch(`${nodeRed.url}/auth/token`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(grant),
    });
    return (await response.json()) as Tokens;
  }

  describe('over HTTP', () => {
    async function ask(path: string, user: string | null, body?: object): Promise<Response> {
      const headers: { [name: string]: string } = { 'Content-Type': 'application/json' };
      if (user) headers.Authorization = `Bearer ${(await login(user)).access_token}`;
      const request = body ? { method: 'POST', headers, body: JSON.stringify(body) } : { headers };
      return fetch(`${nodeRed.url}/conference-recovery/${path}`, request);
    }

    const fault = { endpoint: 'endpoint', conference: CONFERENCE, command: 'kill-front-end' };

    it('nobody reads it without conference-recovery.read, nor breaks anything without conference-recovery.write', async () => {
      assert.equal((await ask('timeline', 'stranger')).status, 401);
      assert.equal((await ask('timeline', 'reader')).status, 200);
      assert.equal((await ask('timeline', null)).status, 200);
      assert.equal((await ask('faults', 'stranger', fault)).status, 401);
      assert.equal((await ask('faults', 'reader', fault)).status, 401);
    });

    it('a fault that is impossible is refused with the reason, and one for no embedded pool as well', async () => {
      const impossible = await ask('faults', null, { ...fault, conference: 'sip:nobody@pool.example' });
      assert.equal(impossible.status, 409);
      assert.match(((await impossible.json()) as { message: string }).message, /nobody has joined it/);
      for (const wrong of [
        { ...fault, endpoint: 'session' },
        { ...fault, endpoint: {} },
        { ...fault, conference: 1 },
        {},
      ])
        assert.equal((await ask('faults', null, wrong)).status, 404);
    });

    it('tells what is new since a cursor, of all conferences and of the chosen one', async () => {
      nodeRed.ask('session', { command: 'join', conference: CONFERENCE });
      await told('state-changed', { state: 'Connected', source: 'conference-session' });
      type Answer = {
        life: number;
        cursor: number;
        conferences: { conference: string; name: string; state: string }[];
        chosen?: {
          entries: object[];
          standing: object[];
          gone: string[];
          pools: { endpoint: string; status: object }[];
        };
      };
      const get = async (query: string) => (await (await ask(`timeline?${query}`, null)).json()) as Answer;
      const chosen = `conference=${encodeURIComponent(CONFERENCE)}`;
      const first = await get(chosen);
      assert.deepEqual(
        first.conferences.map(({ conference, name, state }) => [conference, name, state]),
        [[CONFERENCE, 'daily', 'Connected']],
      );
      assert.ok((first.chosen?.entries.length ?? 0) >= 2);
      assert.deepEqual([first.chosen?.gone, first.chosen?.pools.map(({ endpoint }) => endpoint)], [[], ['endpoint']]);
      const { life, cursor } = first;
      const second = await get(`life=${life}&since=${cursor}&after=${cursor}&${chosen}`);
      assert.deepEqual([second.conferences, second.chosen?.entries, second.chosen?.standing], [[], [], []]);
      const restarted = await get(`life=1&since=${cursor}&after=${cursor}&${chosen}`);
      assert.deepEqual(restarted.chosen?.entries, first.chosen?.entries, 'cursors of another life count for nothing');
    });
  });

  describe('in the sidebar', () => {
    let editor: Editor;
    /** Questions of the timeline so far. */
    let asked = 0;

    const content = () => editor.page.locator('.conference-recovery-timeline');
    const chart = () => editor.page.locator('.conference-recovery-timeline-chart');
    const title = () => editor.page.locator('.conference-recovery-timeline-title');
    const says = (words: RegExp) => title().filter({ hasText: words }).waitFor();
    const events = () => editor.page.locator('.conference-recovery-timeline-events li');
    /** In Node-RED 5 the sidebar is low: what is above shall be in the picture. */
    const picture = async (name: string) => {
      await content().evaluate((element) => element.scrollTo(0, 0));
      await editor.screenshot(name, content());
    };
    const options = () => content().getByRole('listbox').getByRole('option');
    const tickLabels = () => chart().locator('text.label[text-anchor="middle"]').allTextContents();
    const button = (name: string) => content().getByRole('button', { name, exact: true });

    before(async function () {
      if (!browserFound()) return this.skip();
      editor = await Editor.open(nodeRed.url);
      editor.page.on('request', (request) => {
        if (request.url().includes('conference-recovery/timeline')) asked += 1;
      });
    });

    after(async () => {
      await editor?.close();
      assert.deepEqual(editor?.pageErrors ?? [], [], 'exceptions that no code caught');
    });

    it('asks for nothing before somebody looks, and begins when it is shown', async () => {
      await sleep(1_500);
      assert.equal(asked, 0);
      await editor.evaluate(`RED.actions.invoke('conference-recovery:show-timeline')`);
      await options().first().waitFor();
      assert.match((await title().textContent()) ?? '', /^daily · Connected$/);
    });

    it('shows a recovery that is going on: states, verdict, attempts, deadline, call and media', async () => {
      nodeRed.ask('audio-video', { command: 'call', media: ['audio'], conference: CONFERENCE });
      await told('media-changed', { flowing: true });
      nodeRed.ask('injector', { command: 'break-hop', how: 'refuse', conference: CONFERENCE });
      nodeRed.ask('injector', { command: 'drop-media', mcu: 'audio-video', conference: CONFERENCE });
      await told('heal-attempted', { attempt: 3 });
      await says(/^daily · Reconnecting \(recovering\) · for \d+\ss · gives up in (1\smin 0|\d+)\ss$/);
      for (let zoom = 0; zoom < 2; zoom += 1) await button('Show less time').click();
      await events().filter({ hasText: 'attempt 3: ' }).first().waitFor();
      const shown = await chart().locator('.bar title').allTextContents();
      for (const expected of [/^Reconnecting \(recovering\)/, /^Active/, /^Established/, /^media flows/, /^no media/])
        assert.ok(
          shown.some((words) => expected.test(words)),
          `${expected} among ${shown.join(' | ')}`,
        );
      for (const row of [
        'session',
        'verdicts',
        'healing and giving up',
        'MCU audio-video',
        'MCU chat',
        'injected faults',
      ])
        assert.equal(await chart().getByText(row, { exact: true }).count(), 1, row);
      assert.ok((await chart().locator('.conference-recovery-timeline-mark.is-trouble').count()) > 0, 'attempts');
      assert.ok((await chart().locator('.countdown').count()) > 0, 'the give-up timer runs');
      assert.equal(await chart().locator('line.deadline').count(), 1, 'and is in view until its end');
      assert.equal(
        await chart()
          .getByText(/^gives up at \d\d:\d\d:\d\d$/)
          .count(),
        1,
      );
      await editor.screenshot('timeline-recovery');
    });

    it('goes on while it is looked at, without being asked to', async () => {
      nodeRed.ask('injector', { command: 'restore-hop', conference: CONFERENCE });
      await says(/^daily · Connected$/);
      await events().filter({ hasText: 'called off: recovered' }).waitFor();
      assert.ok((await chart().locator('.conference-recovery-timeline-mark.is-well').count()) > 0, 'healed');
    });

    it('is used by keyboard: pause, zoom, earlier and later, back to now; another conference', async () => {
      await chart().focus();
      await editor.page.keyboard.press(' ');
      await button('Go with time').waitFor();
      const paused = await tickLabels();
      const news = asked;
      while (asked < news + 2) await sleep(100);
      assert.deepEqual(await tickLabels(), paused, 'it stands still, although there are answers');
      await editor.page.keyboard.press('-');
      assert.notDeepEqual(await tickLabels(), paused);
      await editor.page.keyboard.press('+');
      assert.deepEqual(await tickLabels(), paused);
      for (let step = 0; step < 8; step += 1) await editor.page.keyboard.press('ArrowLeft');
      const earlier = await tickLabels();
      assert.ok((earlier[0] ?? '') < (paused[0] ?? ''), `${earlier} is before ${paused}`);
      await editor.page.keyboard.press('Home');
      await button('Pause').waitFor();
      assert.equal(await editor.evaluate<number>('RED.view.selection().nodes?.length ?? 0'), 0, 'keys go nowhere else');

      nodeRed.ask('session', { command: 'join', conference: 'sip:weekly@pool.example' });
      await options().nth(1).waitFor();
      await content().getByRole('listbox').focus();
      await editor.page.keyboard.press('End');
      await says(/^weekly@pool\.example · Connected$/);
      await editor.page.keyboard.press('Home');
      await says(/^daily · Connected$/);
      await events().first().waitFor();
    });

    it('an event in the list shows its instant, and stands still there', async () => {
      await events().last().getByRole('button').click();
      await button('Go with time').waitFor();
      await button('Go with time').click();
    });

    it('copies an incident as JSON, with every fact of it', async () => {
      await editor.evaluate(`void (RED.clipboard.copyText = (text) => { window.copied = text; })`);
      await button('Copy the incident as JSON').click();
      const report = JSON.parse(await editor.evaluate<string>('window.copied'));
      assert.equal(report.conference, CONFERENCE);
      assert.match(report.incident, /^daily@pool.example\//);
      assert.ok(report.startedAt < report.endedAt);
      const kinds = new Set(report.facts.map(({ event }: { event: string }) => event));
      for (const event of [
        'failover-detected',
        'state-changed',
        'heal-attempted',
        'give-up-armed',
        'give-up-cancelled',
      ])
        assert.ok(kinds.has(event), event);
      assert.ok(report.facts.every(({ incident }: { incident: string }) => incident === report.incident));
    });

    it('has a button for each fault of an embedded pool, says what came of it, and shows it', async () => {
      await content().getByText('Break something').click();
      const commands = await content()
        .locator('[data-fault]')
        .evaluateAll((buttons) => buttons.map((each) => each.getAttribute('data-fault')));
      assert.deepEqual(commands.sort(), [
        'admit',
        'break-hop',
        'drop-media',
        'eject',
        'end-conference',
        'kill-front-end',
        'participant-join',
        'participant-leave',
        'place-in-lobby',
        'restore-front-end',
        'restore-hop',
        'restore-media',
        'roll-over-mcu',
      ]);
      await content().locator('[data-fault="admit"]').click();
      await content().getByText('We are not in the lobby').waitFor();
      await content().getByLabel('Address of the participant').fill('sip:hopper@pool.example');
      await content().locator('[data-fault="participant-join"]').click();
      await events().filter({ hasText: 'participant-join · participant sip:hopper@pool.example' }).waitFor();
      await content().locator('[data-fault="kill-front-end"]').click();
      await content().getByText('2 of 3 front ends up').waitFor();
      await events().filter({ hasText: 'Reconnecting → Connected · Rejoined' }).first().waitFor();
      await editor.screenshot('timeline-faults', content());
    });

    it('everything in it has a name for screen readers, in words and not in keys', async () => {
      const nameless = await content()
        .locator('button, select, input, [role="listbox"], [role="group"], [role="toolbar"]')
        .evaluateAll((elements) =>
          elements
            .filter((element) => !(element.getAttribute('aria-label') ?? element.textContent)?.trim())
            .map((element) => element.outerHTML),
        );
      assert.deepEqual(nameless, []);
      const html = await content().evaluate((element) => element.outerHTML);
      assert.deepEqual(html.match(/["'>]timeline\.[\w.-]+/g) ?? [], []);
    });

    it('takes its colours from the theme', async () => {
      // Node-RED 5 has a dark theme of its own; for 4.1 there are those of others, which set these.
      await editor.evaluate(`(() => {
        const root = document.documentElement;
        const background = () => getComputedStyle(document.querySelector('.conference-recovery-timeline')).backgroundColor;
        const light = background();
        root.classList.add('nr-theme-dark');
        if (background() !== light) return;
        for (const [name, value] of Object.entries({
          'primary-background': '#222', 'secondary-background': '#1b1b1b', 'view-background': '#222',
          'primary-text-color': '#ddd', 'secondary-text-color': '#aaa', 'secondary-border-color': '#444',
          'list-item-color': '#ddd', 'list-item-background': '#222', 'list-item-background-hover': '#333',
          'list-item-background-selected': '#444', 'form-input-background': '#222', 'form-text-color': '#ddd',
          'workspace-button-background': '#333', 'workspace-button-background-hover': '#444',
          'workspace-button-color': '#ddd', 'workspace-button-color-hover': '#fff', 'workspace-button-color-focus': '#fff',
          'text-color-error': '#ff8080',
        })) root.style.setProperty('--red-ui-' + name, value);
      })()`);
      await editor.page.mouse.move(0, 0);
      await picture('timeline-dark');
      // What compiles the tests names functions by this.
      await editor.evaluate('void (globalThis.__name = (named) => named)');
      assert.deepEqual(await content().evaluate(faintTexts), []);
      await editor.evaluate(
        `document.documentElement.classList.remove('nr-theme-dark'); document.documentElement.removeAttribute('style')`,
      );
    });

    it('shows failed operations, and that it gave up', async () => {
      nodeRed.ask('session', { command: 'modify-policy', conference: CONFERENCE });
      await chart().getByText('failed operations', { exact: true }).waitFor();
      assert.equal(await chart().locator('.conference-recovery-timeline-mark.is-bad').last().isVisible(), true);
      nodeRed.ask('injector', { command: 'break-hop', how: 'silent', conference: CONFERENCE });
      await says(/^daily · Reconnecting/);
      nodeRed.ask('give-up', { command: 'give-up', conference: CONFERENCE });
      await says(/^daily · Disconnected$/);
      await events().filter({ hasText: 'Disconnecting → Disconnected · GaveUp' }).first().waitFor();
      const giveUp = chart().locator('g', { hasText: /\d give-up · / });
      assert.equal(await giveUp.locator('.is-bad').count(), 1, 'a mark');
      assert.equal(await chart().locator('line.ahead').count(), 0, 'no give-up timer runs any more');
      await picture('timeline-gave-up');
      nodeRed.ask('injector', { command: 'restore-hop', conference: CONFERENCE });
      nodeRed.ask('session', { command: 'join', conference: CONFERENCE });
      await says(/^daily · Connected$/);
    });

    it('draws a whole hour of trouble with a bounded number of shapes, and lists what came last', async () => {
      await editor.page.route('**/conference-recovery/timeline?*', (route) => route.fulfill({ json: hourOfTrouble() }));
      await says(/^daily · Reconnecting \(recovering\) · for 5\d\smin \d+\ss · give-up timer runs$/);
      for (let zoom = 0; zoom < 8; zoom += 1) await button('Show more time').click();
      assert.ok((await chart().locator('*').count()) < 400);
      assert.equal(await events().count(), 150);
      await editor.screenshot('timeline-long', content());
      await editor.page.unroute('**/conference-recovery/timeline?*');
      await says(/^daily · Connected$/);
      for (let zoom = 0; zoom < 4; zoom += 1) await button('Show less time').click();
    });

    it('lists hundreds of conferences, those in trouble first, and finds one by a part of its name', async () => {
      for (let number = 1; number <= 400; number += 1)
        nodeRed.ask('session', { command: 'join', conference: `sip:room-${number}@pool.example` });
      await told('state-changed', {
        state: 'Connected',
        conference: 'sip:room-400@pool.example',
        source: 'conference-session',
      });
      await content()
        .getByText(/^402 conferences, 0 recovering$/)
        .waitFor();
      assert.equal(await options().count(), 200);
      assert.equal(await content().getByText('202 more').count(), 1);
      await content().getByRole('searchbox').fill('room-37');
      assert.equal(await options().count(), 11);
      await picture('timeline-many');
      await content().getByRole('searchbox').fill('');
      nodeRed.ask('injector', { command: 'break-hop', how: 'refuse', conference: CONFERENCE });
      await content()
        .getByText(/recovering$/)
        .filter({ hasNotText: ' 0 rec' })
        .first()
        .waitFor();
      assert.match((await options().first().textContent()) ?? '', /Reconnecting/);
      nodeRed.ask('injector', { command: 'restore-hop', conference: CONFERENCE });
    });

    it('asks for nothing any more when another tab is shown', async () => {
      await editor.evaluate(`RED.sidebar.show('info')`);
      await content().waitFor({ state: 'hidden' });
      // A question may be under way.
      await sleep(500);
      const before = asked;
      await sleep(2_500);
      assert.equal(asked, before);
    });

    it('offers whoever may only read no faults, and whoever may not read no timeline', async () => {
      const open = async (user: string) => {
        await editor.evaluate(`RED.settings.set('auth-tokens', ${JSON.stringify(await login(user))})`);
        await editor.page.reload();
        await editor.page.waitForFunction("typeof RED !== 'undefined' && RED.workspaces?.active()");
        await editor.page.waitForSelector('#red-ui-loading-progress', { state: 'hidden' });
      };
      await open('reader');
      await editor.evaluate(`RED.actions.invoke('conference-recovery:show-timeline')`);
      await options().first().click();
      await content().getByText('Break something').click();
      await content().getByText('You may look at the timeline, but not inject faults.').waitFor();
      assert.equal(await content().locator('[data-fault]').count(), 0);
      await open('stranger');
      assert.equal(await content().count(), 0);
    });
  });
});
