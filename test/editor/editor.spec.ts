/** The dialogs, in a real browser on a real Node-RED. Pictures of them are in test/output afterwards. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DEFAULT_RULES, type DetectorRule, rulesOf } from '../../nodes/recovery/detector-rules';
import { answer, SmallServer } from '../signaling/sip/small-server';
import { CertificateAuthority } from '../support/certificates';
import { freePort } from '../support/free-port';
import { type NodeRedProcess, packageRoot, startNodeRed } from '../support/node-red-process';
import { browserFound, type Dialog, Editor, type EditorNode } from './editor';

type Values = { [property: string]: string | boolean };

/** What a test does with the dialog of one type. */
interface DialogCase {
  /** Other values than the defaults, for every field; also for those behind *Advanced*. */
  values: Values;
  /** Wrong values: field, what is entered, and what else must be chosen for the field to matter. */
  wrong: [property: string, value: string, first?: Values][];
  hasAdvanced: boolean;
}

const conference = 'sip:meeting@pool.example;gruu;opaque=app:conf:focus:id:1';
const wrongConferences: DialogCase['wrong'] = [
  ['conference', 'meeting'],
  ['conference', 'sip:meeting'],
  ['conference', '   '],
];

const cases: { [type: string]: DialogCase } = {
  'conference-endpoint': {
    values: {
      name: 'a pool',
      frontEnds: '5',
      hops: '1',
      seed: '42',
      latency: '20',
      latencyUnit: 'ms',
      failoverDelay: '1.5',
      failoverDelayUnit: 'min',
      mcuFailover: '3',
      mcuFailoverUnit: 's',
      mcuPlacement: 'together',
      lobby: true,
      sipServer: true,
      sipServerPort: '5080',
      participants: 'sip:one@pool.example, sips:two@pool.example',
      recoveryRate: '0',
    },
    wrong: [
      ['frontEnds', '0'],
      ['frontEnds', '1001'],
      ['hops', '0'],
      ['hops', '-1'],
      ['seed', 'x'],
      ['latency', '-10'],
      ['participants', 'ada, grace'],
      ['sipServerPort', '65536', { sipServer: true }],
      ['uri', 'me@example.com', { system: 'sip' }],
      ['uri', 'sip:@example.com', { system: 'sip' }],
      ['host', '', { system: 'sip' }],
      ['port', '99999', { system: 'sip' }],
      ['port', '0', { system: 'sip' }],
      ['outboundProxy', 'proxy.example.com', { system: 'sip' }],
      ['webSocketPath', 'ws', { system: 'sip', transport: 'wss' }],
      ['keepAlive', 'soon', { system: 'sip' }],
      ['recoveryRate', '-1'],
    ],
    hasAdvanced: true,
  },
  'conference-session': {
    values: {
      name: 'a session',
      conference,
      alias: 'meeting',
      displayName: 'Ada',
      role: 'presenter',
      failedOperations: 'catch',
      heartbeat: '0',
      heartbeatUnit: 'ms',
      operationTimeout: '20',
      operationTimeoutUnit: 's',
      repairTimeout: '2',
      repairTimeoutUnit: 's',
      rejoinTimeout: '1',
      rejoinTimeoutUnit: 'min',
      lobbyTimeout: '1',
      lobbyTimeoutUnit: 'h',
      closingTimeout: '500',
      closingTimeoutUnit: 'ms',
      keepState: 'journal-fsync',
    },
    wrong: [
      ...wrongConferences,
      ['heartbeat', '-1'],
      ['operationTimeout', '0'],
      ['repairTimeout', '-4'],
      ['rejoinTimeout', ''],
      ['lobbyTimeout', 'soon'],
      ['closingTimeout', '-5'],
    ],
    hasAdvanced: true,
  },
  'mcu-session': {
    values: {
      name: 'an MCU',
      conference,
      mcu: 'chat',
      failedOperations: 'catch',
      activationTimeout: '1',
      activationTimeoutUnit: 'min',
      keepState: 'context:file',
    },
    wrong: [...wrongConferences, ['mcu', ''], ['mcu', 'two words'], ['activationTimeout', '-30']],
    hasAdvanced: true,
  },
  'failover-detector': {
    values: {
      name: 'a detector',
      conference,
      preset: 'custom',
      heartbeatDetector: 'phi',
      missedHeartbeats: '3',
      phiThreshold: '10.5',
      phiAcceptablePause: '0',
      phiAcceptablePauseUnit: 'ms',
      phiWindow: '200',
      phiMinimumDeviation: '0.5',
      phiMinimumDeviationUnit: 's',
      failoverWindow: '1',
      failoverWindowUnit: 'min',
      probing: true,
      probeInterval: '250',
      probeIntervalUnit: 'ms',
      keepState: 'journal',
    },
    wrong: [
      ...wrongConferences,
      ['missedHeartbeats', '0', { preset: 'custom' }],
      ['heartbeatTimeout', '0', { preset: 'custom', heartbeatDetector: 'fixed' }],
      ['phiThreshold', 'x', { preset: 'custom', heartbeatDetector: 'phi' }],
      ['phiAcceptablePause', '-1', { preset: 'custom', heartbeatDetector: 'phi' }],
      ['phiWindow', '0', { preset: 'custom', heartbeatDetector: 'suspicion' }],
      ['phiMinimumDeviation', '0', { preset: 'custom', heartbeatDetector: 'suspicion' }],
      ['suspicionPhi', '-2', { preset: 'custom' }],
      ['confirmation', '0', { preset: 'custom' }],
      ['routeSilence', '', { preset: 'custom' }],
      ['failoverWindow', '-32', { preset: 'custom' }],
      ['probeInterval', '0', { preset: 'custom' }],
    ],
    hasAdvanced: true,
  },
  'route-healer': {
    values: {
      name: 'a healer',
      conference,
      period: '1',
      periodUnit: 'min',
      mode: 'LimitedRetry',
      horizon: '10',
      horizonUnit: 'min',
      method: 'OPTIONS',
      attemptTimeout: '2',
      attemptTimeoutUnit: 's',
      jitter: '25',
      backOff: '1.5',
      keepState: 'context:memory',
    },
    wrong: [
      ...wrongConferences,
      ['period', '-30'],
      ['jitter', '101'],
      ['backOff', '0.5'],
      ['attemptTimeout', '0'],
      ['horizon', '-3', { mode: 'LimitedRetry' }],
    ],
    hasAdvanced: true,
  },
  'give-up-timer': {
    values: {
      name: 'a timer',
      conference,
      giveUpAfter: '0',
      giveUpAfterUnit: 'h',
      attempts: '3',
      mediaEnded: '90',
      mediaEndedUnit: 's',
      tick: '5',
      tickUnit: 's',
      criteria: '{"all":[{"elapsedMs":5000},{"attempts":2}],"notWhile":{"mediaFlows":true}}',
      keepState: 'journal',
    },
    wrong: [
      ...wrongConferences,
      ['giveUpAfter', '-5'],
      ['attempts', '1.5'],
      ['mediaEnded', '-1'],
      ['criteria', '{"any": []}'],
      ['criteria', 'soon'],
      ['tick', '0'],
    ],
    hasAdvanced: true,
  },
  'fault-injector': {
    values: { name: 'an injector', conference },
    wrong: wrongConferences,
    hasAdvanced: false,
  },
};

const types = Object.keys(cases);
/** Those that keep state. */
const keepingTypes = types.filter((type) => 'keepState' in (cases[type] as DialogCase).values);
const paletteTypes = types.filter((type) => type !== 'conference-endpoint');
const examplesFolder = join(packageRoot, 'examples');
const examples = existsSync(examplesFolder)
  ? readdirSync(examplesFolder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.json'))
  : [];

describe('editor', function () {
  this.timeout(180_000);
  let nodeRed: NodeRedProcess;
  let editor: Editor;

  before(async function () {
    if (!browserFound()) return this.skip();
    nodeRed = await startNodeRed({
      flows: [{ id: 'tab', type: 'tab', label: 'Test' }],
      settings: {
        contextStorage: { default: 'memory', memory: { module: 'memory' }, file: { module: 'localfilesystem' } },
      },
    });
    editor = await Editor.open(nodeRed.url);
    await editor.evaluate(`RED.nodes.import(${JSON.stringify(freshNodes())})`);
  });

  after(async () => {
    await editor?.close();
    await nodeRed?.stop();
    assert.deepEqual(editor?.pageErrors ?? [], [], 'exceptions that no code caught');
  });

  afterEach(async () => {
    // What a failed test leaves open would be in the way of all that follow.
    await editor?.evaluate("$('.red-ui-tray-toolbar:last [id$=dialog-cancel]').trigger('click')");
  });

  /** A node of each type, as the palette would make it: with the defaults of its definition. */
  function freshNodes(): object[] {
    return types.map((type, index) => ({
      id: type,
      type,
      ...(type === 'conference-endpoint' ? {} : { z: 'tab', x: 200, y: 60 * index, wires: [] }),
    }));
  }

  /** Gives a node the defaults of its definition, and a valid endpoint where it needs one. */
  async function reset(type: string): Promise<void> {
    await editor.evaluate(`(() => {
      for (const node of [RED.nodes.node('conference-endpoint'), RED.nodes.node('${type}')]) {
        for (const [property, { value }] of Object.entries(node._def.defaults)) node[property] = value;
        if (node._def.defaults.endpoint) node.endpoint = 'conference-endpoint';
        RED.editor.validateNode(node);
      }
    })()`);
  }

  it('has every type in the palette, with an icon of its own and a label', async () => {
    const icons = new Set<string>();
    for (const type of paletteTypes) {
      const entry = editor.page.locator(`.red-ui-palette-node[data-palette-type="${type}"]`);
      assert.match((await entry.locator('.red-ui-palette-label').textContent()) ?? '', /^[\w\s-]{8,}$/, type);
      const background = await entry.locator('.red-ui-palette-icon').evaluate((icon) => icon.style.backgroundImage);
      const icon = /url\("?([^")]+)/.exec(background)?.[1] ?? '';
      assert.match(icon, new RegExp(`/${type}\\.svg$`));
      const answer = await fetch(new URL(icon, nodeRed.url));
      assert.equal(answer.status, 200);
      icons.add(await answer.text());
    }
    assert.equal(icons.size, paletteTypes.length, 'icons differ');
    assert.ok(await editor.evaluate("RED.nodes.getType('conference-endpoint').category === 'config'"));
    await editor.page.locator('#red-ui-palette-base-category-conference_recovery').scrollIntoViewIfNeeded();
    await editor.screenshot('palette');
  });

  for (const type of types) {
    const { values, wrong, hasAdvanced } = cases[type] as DialogCase;

    describe(type, () => {
      beforeEach(() => reset(type));

      it('is valid with its defaults and an endpoint', async () => {
        const { valid, validationErrors } = await editor.node(type);
        assert.ok(valid, String(validationErrors));
      });

      it('names its outputs', async () => {
        const labels = await editor.evaluate<string[]>(`(() => {
          const node = RED.nodes.node('${type}');
          return Array.from({ length: node._def.outputs ?? 0 }, (_, index) => node._def.outputLabels.call(node, index));
        })()`);
        for (const label of labels) assert.match(label, /^[a-z][a-zA-Z ]+$/);
      });

      it('opens with *Advanced* closed, and text in every label; by keyboard, and in the dark', async () => {
        const dialog = await editor.edit(type);
        await editor.screenshot(type, dialog.tray);
        if (hasAdvanced) {
          const section = dialog.form.locator(`#${await dialog.toggle.getAttribute('aria-controls')}`);
          assert.equal(await dialog.toggle.getAttribute('aria-expanded'), 'false');
          assert.equal(await section.isVisible(), false);
          await dialog.toggle.focus();
          await editor.page.keyboard.press('Enter');
          assert.equal(await dialog.toggle.getAttribute('aria-expanded'), 'true');
          assert.equal(await section.isVisible(), true);
          await editor.screenshot(`${type}-advanced`, dialog.tray);
        }
        assert.deepEqual(await dialog.unreached(), [], 'by keyboard');
        await editor.darken(true);
        try {
          assert.deepEqual(await dialog.illegible(), [], 'in the dark');
          await editor.screenshot(`${type}-dark`, dialog.tray);
        } finally {
          await editor.darken(false);
        }
        for (const translated of await dialog.form.locator('[data-i18n]').all()) {
          const key = (await translated.getAttribute('data-i18n')) ?? '';
          const attribute = /^\[(.+?)\]/.exec(key)?.[1];
          const text = attribute ? await translated.getAttribute(attribute) : await translated.textContent();
          assert.ok(text && !key.includes(`:${text}`), `text of ${key}`);
        }
        for (const input of await dialog.form.locator('.form-row input:not([type=hidden]), .form-row select').all()) {
          const id = await input.getAttribute('id');
          const named =
            (await input.getAttribute('aria-label')) ?? (await dialog.form.locator(`label[for="${id}"]`).count());
          assert.ok(named, `name of ${id}`);
        }
        await dialog.cancel();
      });

      it('keeps what is entered, and shows it again', async () => {
        let dialog = await editor.edit(type);
        if (hasAdvanced) await dialog.toggle.click();
        for (const [property, value] of Object.entries(values)) await dialog.fill(property, value);
        await dialog.done();
        const saved = await editor.node(type);
        assert.ok(saved.valid, String(saved.validationErrors));
        for (const [property, value] of Object.entries(values)) assert.equal(saved[property], value, property);

        await editor.evaluate(`void (RED.nodes.node('${type}').changed = false)`);
        dialog = await editor.edit(type);
        for (const [property, value] of Object.entries(values))
          assert.equal(await dialog.read(property), value, property);
        await dialog.done();
        assert.deepEqual(await editor.node(type), saved);
        assert.ok(!(await editor.evaluate(`RED.nodes.node('${type}').changed`)), 'opening and saving changes nothing');
      });

      it('takes environment variables for what is typed in', async () => {
        const dialog = await editor.edit(type);
        // biome-ignore lint/suspicious/noTemplateCurlyInString: this is how Node-RED writes environment variables.
        await dialog.fill(type === 'conference-endpoint' ? 'frontEnds' : 'conference', '${FROM_ENVIRONMENT}');
        await dialog.done();
        assert.ok((await editor.node(type)).valid);
      });

      it('marks wrong values while they are entered, and is invalid with them', async () => {
        for (const [property, value, first] of wrong) {
          await reset(type);
          const dialog = await editor.edit(type);
          for (const [other, choice] of Object.entries(first ?? {})) await dialog.fill(other, choice);
          await dialog.fill(property, value);
          assert.ok(await dialog.isMarked(property), `"${value}" as ${property}`);
          const complaint = (await dialog.complaint(property).textContent()) ?? '';
          await dialog.done();
          const { valid, validationErrors } = await editor.node(type);
          assert.equal(valid, false, `"${value}" as ${property}`);
          assert.match(complaint, property === 'criteria' ? /^criteria\S* (must|is not) / : /^[A-Z].+: .+ expected/);
          assert.ok(validationErrors.join().includes(complaint));
        }
        const dialog = await editor.edit(type);
        const [property] = wrong.at(-1) as [string, string];
        assert.ok(await dialog.shows(property), 'a wrong value is not folded away');
        await dialog.cancel();
      });
    });
  }

  for (const type of paletteTypes.filter((name) => /session|injector/.test(name))) {
    it(`${type} needs an endpoint`, async () => {
      await reset(type);
      await editor.evaluate(`(() => {
        const node = RED.nodes.node('${type}');
        node.endpoint = '';
        RED.editor.validateNode(node);
      })()`);
      assert.deepEqual((await editor.node(type)).validationErrors, ['endpoint']);
      const dialog = await editor.edit(type);
      assert.ok(await dialog.isMarked('endpoint'));
      await dialog.cancel();
    });
  }

  it('shows of an endpoint only the fields of its system, and minds only those', async () => {
    await reset('conference-endpoint');
    const dialog = await editor.edit('conference-endpoint');
    assert.equal(await dialog.shows('frontEnds'), true);
    assert.equal(await dialog.shows('host'), false);
    assert.equal(await dialog.shows('sipServerPort'), false);
    await dialog.fill('sipServer', true);
    assert.equal(await dialog.shows('sipServerPort'), true);
    await editor.screenshot('conference-endpoint-sip-server', dialog.tray);
    await dialog.fill('sipServerPort', 'x');
    await dialog.fill('frontEnds', '-1');
    await dialog.fill('system', 'sip');
    assert.equal(await dialog.shows('frontEnds'), false);
    await dialog.fill('uri', 'sip:me@example.com');
    await dialog.fill('host', 'sip.example.com');
    await dialog.fill('port', '5070');
    await dialog.fill('username', 'me');
    await dialog.fill('password', 'secret');
    await editor.screenshot('conference-endpoint-sip', dialog.tray);
    await dialog.done();
    const { valid, validationErrors } = await editor.node('conference-endpoint');
    assert.ok(valid, String(validationErrors));
    const exported = await editor.evaluate(
      "JSON.stringify(RED.nodes.createExportableNodeSet([RED.nodes.node('conference-endpoint')]))",
    );
    assert.match(String(exported), /sip\.example\.com/);
    assert.ok(!String(exported).includes('secret'), 'the password is no part of an exported flow');
  });

  describe('where values come from', () => {
    it('a conference comes from messages, context or the environment', async () => {
      const names: { [kind: string]: string } = { msg: 'topic', flow: 'room', global: 'room', env: 'ROOM' };
      await reset('conference-session');
      for (const [kind, name] of Object.entries(names)) {
        const dialog = await editor.edit('conference-session');
        await dialog.chooseKind('conference', kind);
        await dialog.fill('conference', 'two words');
        assert.equal(await dialog.isMarked('conference'), kind !== 'env');
        await dialog.fill('conference', name);
        assert.equal(await dialog.isMarked('conference'), false);
        await dialog.done();
        const { valid, conference, conferenceType } = await editor.node('conference-session');
        assert.deepEqual([valid, conference, conferenceType], [true, name, kind]);
      }
      const dialog = await editor.edit('conference-session');
      assert.equal(await dialog.typed('conference').inputValue(), 'ROOM');
      await dialog.cancel();
    });

    it('may be chosen alike in all nodes that have a conference', async () => {
      const kinds = await editor.evaluate<string[]>(`$('script[data-template-name]').toArray()
        .map((template) => $(template.innerHTML).find('#node-input-conference').attr('data-typed'))
        .filter(Boolean)`);
      assert.deepEqual(kinds, new Array(paletteTypes.length).fill('str msg flow global env'));
    });

    it('a duration may come from the environment; its unit is that of the dialog', async () => {
      await reset('give-up-timer');
      let dialog = await editor.edit('give-up-timer');
      await dialog.chooseKind('giveUpAfter', 'env');
      await dialog.fill('giveUpAfter', 'PATIENCE');
      await dialog.fill('giveUpAfterUnit', 'min');
      await editor.screenshot('give-up-timer-environment', dialog.tray);
      await dialog.done();
      const { valid, giveUpAfter, giveUpAfterType, giveUpAfterUnit } = await editor.node('give-up-timer');
      assert.deepEqual([valid, giveUpAfter, giveUpAfterType, giveUpAfterUnit], [true, 'PATIENCE', 'env', 'min']);
      dialog = await editor.edit('give-up-timer');
      assert.equal(await dialog.typed('giveUpAfter').inputValue(), 'PATIENCE');
      await dialog.cancel();
    });

    it('a preset of the detector has figures, also where a variable was named', async () => {
      await reset('failover-detector');
      const dialog = await editor.edit('failover-detector');
      await dialog.fill('preset', 'custom');
      await dialog.chooseKind('failoverWindow', 'env');
      await dialog.fill('failoverWindow', 'WINDOW');
      await dialog.fill('preset', 'patient');
      await dialog.done();
      const { failoverWindow, failoverWindowType } = await editor.node('failover-detector');
      assert.deepEqual([failoverWindow, failoverWindowType], ['60', 'num']);
    });
  });

  it('shows of a transport only what matters for it, and keeps what is entered', async () => {
    await reset('conference-endpoint');
    let dialog = await editor.edit('conference-endpoint');
    await dialog.toggle.click();
    await dialog.fill('system', 'sip');
    const security = ['caFile', 'certificateFile', 'keyFile'];
    const shown: { [transport: string]: string[] } = {
      auto: [...security, 'keepAlive'],
      udp: [],
      tcp: ['keepAlive'],
      tls: [...security, 'keepAlive'],
      ws: ['webSocketPath', 'keepAlive'],
      wss: [...security, 'webSocketPath', 'keepAlive'],
    };
    for (const [transport, properties] of Object.entries(shown)) {
      await dialog.fill('transport', transport);
      for (const property of shown.wss ?? []) {
        assert.equal(await dialog.shows(property), properties.includes(property), `${property}, ${transport}`);
      }
    }
    const values: Values = {
      host: 'example.com',
      port: '',
      transport: 'wss',
      outboundProxy: 'sip:proxy.example.com:5061;transport=tls;lr',
      caFile: '/etc/ssl/ca.pem',
      certificateFile: '/etc/ssl/client.pem',
      keyFile: '/etc/ssl/client-key.pem',
      webSocketPath: '/sip',
      keepAlive: '10',
      keepAliveUnit: 's',
    };
    for (const [property, value] of Object.entries(values)) await dialog.fill(property, value);
    await editor.screenshot('conference-endpoint-wss', dialog.tray);
    await dialog.done();
    const saved = await editor.node('conference-endpoint');
    assert.ok(saved.valid, String(saved.validationErrors));
    dialog = await editor.edit('conference-endpoint');
    for (const [property, value] of Object.entries(values)) {
      assert.deepEqual([saved[property], await dialog.read(property)], [value, value], property);
    }
    await dialog.cancel();
  });

  describe('test of the connection', () => {
    /** Presses the button by keyboard, and waits for what it says. */
    async function test(dialog: Dialog): Promise<string[]> {
      const button = dialog.form.getByRole('button', { name: 'Test the connection' });
      await button.focus();
      await editor.page.keyboard.press('Enter');
      await editor.page.waitForFunction("$('.conference-endpoint-test').is(':not([aria-disabled])')");
      assert.ok(await button.evaluate((element) => element === document.activeElement), 'the focus stays');
      return dialog.form.getByRole('status').locator('li').allTextContents();
    }

    beforeEach(() => reset('conference-endpoint'));

    it('says that the embedded pool needs none', async () => {
      const dialog = await editor.edit('conference-endpoint');
      const [line, ...others] = await test(dialog);
      assert.match(line ?? '', /The embedded pool needs no connection. .+ 3 front ends\./);
      assert.deepEqual(others, []);
      await dialog.cancel();
    });

    it('says what it has found at the server that the dialog shows, and saves nothing', async () => {
      const authority = new CertificateAuthority('Authority of tests');
      const server = await new SmallServer('tls', { certified: authority.issue('127.0.0.1') }).start();
      const place = `127.0.0.1:${server.port}`;
      const dialog = await editor.edit('conference-endpoint');
      try {
        for (const [property, value] of Object.entries({
          system: 'sip',
          transport: 'tls',
          host: '127.0.0.1',
          port: String(server.port),
        }))
          await dialog.fill(property, value);
        const [reason, remedy] = await test(dialog);
        assert.match(reason ?? '', /\(TLS\): .*certificate/);
        assert.match(remedy ?? '', /name that of its authority as CA file/);
        await dialog.fill('caFile', authority.file('ca.pem', authority.certificate));
        server.answer = (text) => answer(text, '200 OK', ['Server: small/1.0', 'Allow-Events: conference']);
        const [reached, peer, options, events] = await test(dialog);
        await editor.screenshot('conference-endpoint-tested', dialog.tray);
        assert.equal(reached, `${place} (TLS): connected`);
        assert.match(peer ?? '', /^TLSv1\.3 with 127\.0\.0\.1, certified by Authority of tests until [\d/]+$/);
        assert.equal(options, `OPTIONS to sip:${place} was answered 200 OK by small/1.0`);
        assert.match(events ?? '', /It offers rosters/);
        server.answer = (text) => answer(text, '401 Unauthorized');
        const found = await test(dialog);
        assert.ok(found.some((line) => /Enter a user name and password/.test(line)));
        assert.ok(found.some((line) => /does not say whether it offers rosters/.test(line)));
      } finally {
        await dialog.cancel();
        await server.stop();
        authority.dispose();
      }
      assert.equal((await editor.node('conference-endpoint')).host, '');
    });

    it('says what was tried in vain, and what makes no sense', async () => {
      const dialog = await editor.edit('conference-endpoint');
      await dialog.fill('system', 'sip');
      assert.deepEqual(await test(dialog), ['Nothing was tried: no host: name the SIP server in the dialog']);
      await dialog.fill('host', '127.0.0.1');
      const port = await freePort();
      await dialog.fill('port', String(port));
      assert.deepEqual(await test(dialog), [`127.0.0.1:${port} (TCP): connection refused (ECONNREFUSED)`]);
      await editor.screenshot('conference-endpoint-refused', dialog.tray);
      await dialog.cancel();
    });
  });

  it('needs no server where there is an outbound proxy', async () => {
    await reset('conference-endpoint');
    const dialog = await editor.edit('conference-endpoint');
    await dialog.fill('system', 'sip');
    await dialog.fill('outboundProxy', 'sips:proxy.example.com');
    await dialog.done();
    const { valid, validationErrors } = await editor.node('conference-endpoint');
    assert.ok(valid, String(validationErrors));
  });

  it('shows the figures of a preset of the detector, and starts "custom" from them', async () => {
    await reset('failover-detector');
    const dialog = await editor.edit('failover-detector');
    await dialog.fill('preset', 'quick');
    assert.equal(await dialog.read('failoverWindow'), '10');
    assert.equal(await dialog.read('missedHeartbeats'), '1');
    assert.ok(await dialog.field('failoverWindow').isDisabled());
    await dialog.fill('preset', 'custom');
    assert.ok(await dialog.shows('failoverWindow'));
    assert.ok(await dialog.field('failoverWindow').isEnabled());
    assert.equal(await dialog.read('failoverWindow'), '10');
    await editor.screenshot('failover-detector-custom', dialog.tray);
    await dialog.cancel();
  });

  it('shows the figures of a way to judge heartbeats only where it is chosen', async () => {
    await reset('failover-detector');
    const dialog = await editor.edit('failover-detector');
    await dialog.fill('preset', 'custom');
    const shown: { [detector: string]: string[] } = {
      suspicion: ['suspicionPhi', 'confirmation', 'routeSilence', 'phiWindow', 'phiMinimumDeviation'],
      missed: [],
      fixed: ['heartbeatTimeout'],
      phi: ['phiThreshold', 'phiAcceptablePause', 'phiWindow', 'phiMinimumDeviation'],
    };
    const all = new Set(Object.values(shown).flat());
    for (const [detector, properties] of Object.entries(shown)) {
      await dialog.fill('heartbeatDetector', detector);
      for (const property of all) {
        assert.equal(await dialog.shows(property), properties.includes(property), `${property} of ${detector}`);
      }
    }
    await dialog.cancel();
  });

  describe('rules of the detector (DET-5)', () => {
    const rows = () => editor.page.locator('#failover-detector-rules .failover-detector-rule');
    const field = (row: number, property: string) => rows().nth(row).locator(`[data-property="${property}"]`);
    const saved = async () => (await editor.node('failover-detector')).rules as DetectorRule[] | '';

    async function open(): Promise<Dialog> {
      const dialog = await editor.edit('failover-detector');
      await dialog.toggle.click();
      return dialog;
    }

    beforeEach(() => reset('failover-detector'));

    it('shows the default rules, and saves nothing as long as they are unchanged', async () => {
      const dialog = await open();
      assert.equal(await rows().count(), DEFAULT_RULES.length);
      assert.equal(await field(0, 'name').inputValue(), 'probe-answered');
      assert.equal(await field(0, 'status').inputValue(), '200-299');
      assert.equal(await field(3, 'status').isVisible(), false, 'a far end that heals the route answers nothing');
      await rows().first().scrollIntoViewIfNeeded();
      await editor.screenshot('failover-detector-rules', dialog.tray);
      await dialog.done();
      assert.equal(await saved(), '');
    });

    it('keeps a rule that is switched off, changed and added, and shows them again', async () => {
      let dialog = await open();
      await field(4, 'off').uncheck();
      await field(5, 'purposes').fill('operation, refresh');
      await editor.page.locator('.red-ui-editableList-addButton').first().click();
      const last = DEFAULT_RULES.length;
      await field(last, 'name').fill('rolling-over');
      await field(last, 'status').fill('500, 580 - 589');
      await field(last, 'diagnostics').fill('24067');
      await field(last, 'methods').fill('INFO');
      await field(last, 'recoveryAction').selectOption('Wait-For-Session-Update');
      await field(last, 'level').selectOption('focus');
      await field(last, 'level').blur();
      await dialog.done();
      const rules = await saved();
      assert.deepEqual(rules[4], { ...DEFAULT_RULES[4], off: true });
      assert.deepEqual(rules[5], { ...DEFAULT_RULES[5], purposes: ['operation', 'refresh'] });
      assert.deepEqual(rules[last], {
        name: 'rolling-over',
        signal: 'response',
        status: [500, [580, 589]],
        methods: ['INFO'],
        recoveryAction: 'Wait-For-Session-Update',
        diagnostics: [24067],
        level: 'focus',
        phase: 'failed',
      });
      assert.equal(rulesOf(rules).complaint, null);
      assert.ok((await editor.node('failover-detector')).valid);
      dialog = await open();
      assert.equal(await field(last, 'status').inputValue(), '500, 580-589');
      assert.equal(await field(4, 'off').isChecked(), false);
      await dialog.done();
      assert.deepEqual(await saved(), rules, 'opening and saving changes nothing');
      dialog = await open();
      await editor.page.getByText('default rules', { exact: true }).click();
      await dialog.done();
      assert.equal(await saved(), '');
    });

    it('are moved by keyboard', async () => {
      const dialog = await open();
      const [first = '', second = ''] = DEFAULT_RULES.map(({ name }) => name);
      const down = rows().nth(0).getByRole('button', { name: 'Move down' });
      await down.focus();
      await editor.page.keyboard.press('Enter');
      assert.equal(await field(0, 'name').inputValue(), second);
      await editor.page.keyboard.press('Enter');
      assert.equal(await field(2, 'name').inputValue(), first, 'the focus goes along');
      assert.ok(await editor.page.getByRole('button', { name: 'Delete' }).first().isVisible());
      await dialog.done();
      assert.deepEqual((await saved()).slice(0, 3), [DEFAULT_RULES[1], DEFAULT_RULES[2], DEFAULT_RULES[0]]);
    });

    it('marks a bad rule, and names its row', async () => {
      const dialog = await open();
      await field(4, 'status').fill('4xx');
      await field(4, 'status').blur();
      assert.match((await field(4, 'status').getAttribute('class')) ?? '', /input-error/);
      await dialog.done();
      const { valid, validationErrors } = await editor.node('failover-detector');
      assert.equal(valid, false);
      assert.match(validationErrors.join(), /Rules: 5: status codes such as .+ expected/);
      assert.match(rulesOf(await saved()).complaint ?? '', /Rule 5 \("dialog-gone"\): "status"/);
    });
  });

  it('shows the horizon of the healer only where there is one', async () => {
    await reset('route-healer');
    const dialog = await editor.edit('route-healer');
    await dialog.toggle.click();
    assert.equal(await dialog.shows('horizon'), false);
    await dialog.fill('mode', 'LimitedRetry');
    assert.equal(await dialog.shows('horizon'), true);
    await dialog.cancel();
  });

  it('says what is wrong with a tree of criteria, and shows no other field that would not count', async () => {
    await reset('give-up-timer');
    const dialog = await editor.edit('give-up-timer');
    const complaint = dialog.complaint('criteria');
    const note = dialog.form.locator('[data-when="criteria!="]');
    assert.equal(await note.isVisible(), false);
    await dialog.fill('criteria', '{"any": [{"elapsedMs": 60000}, {"attempts": 0}]}');
    assert.equal(await complaint.textContent(), 'criteria.any[1].attempts must be a whole number from 1; it is 0.');
    assert.equal(await dialog.shows('giveUpAfter'), false);
    assert.equal(await dialog.shows('attempts'), false);
    assert.equal(await note.isVisible(), true);
    await editor.screenshot('give-up-timer-criteria', dialog.tray);
    await dialog.fill('criteria', '{"any": [{"elapsedMs": 60000}, {"attempts": 3}]}');
    assert.equal(await complaint.textContent(), '');
    await dialog.fill('criteria', '');
    assert.equal(await complaint.textContent(), '');
    assert.equal(await dialog.shows('giveUpAfter'), true);
    await dialog.done();
    assert.ok((await editor.node('give-up-timer')).valid);
  });

  describe('criteria of the give-up timer', () => {
    const rows = () => editor.page.locator('.give-up-timer-criterion');
    const member = (row: number, name: string) => rows().nth(row).locator(`[data-member="${name}"]`);
    const joined = () => editor.page.locator('#give-up-timer-join');

    beforeEach(() => reset('give-up-timer'));

    async function open(): Promise<Dialog> {
      const dialog = await editor.edit('give-up-timer');
      if ((await dialog.toggle.getAttribute('aria-expanded')) === 'false') await dialog.toggle.click();
      return dialog;
    }

    it('are a table of rows, which are added, changed, moved and deleted', async () => {
      let dialog = await open();
      assert.equal(await rows().count(), 0);
      await joined().selectOption('all');
      await member(0, 'elapsedMs').fill('90');
      await rows().nth(0).getByLabel('Unit of time').selectOption('s');
      await dialog.form.locator('.red-ui-editableList-addButton').click();
      await rows().nth(1).locator('.give-up-timer-kind').selectOption('outages');
      await member(1, 'outages').fill('3');
      await rows().nth(1).getByRole('button', { name: 'Move up' }).press('Enter');
      await dialog.form.locator('#give-up-timer-notWhile').check();
      await editor.screenshot('give-up-timer-table', dialog.tray);
      await dialog.done();
      const { criteria, valid } = await editor.node('give-up-timer');
      assert.ok(valid);
      assert.deepEqual(JSON.parse(String(criteria)), {
        all: [{ outages: 3, withinMs: 300_000 }, { elapsedMs: 90_000 }],
        notWhile: { mediaFlows: true },
      });

      dialog = await open();
      assert.equal(await joined().inputValue(), 'all');
      assert.equal(await member(1, 'elapsedMs').inputValue(), '90');
      assert.ok(await dialog.form.locator('#give-up-timer-notWhile').isChecked());
      for (const left of [1, 0]) {
        await rows().first().locator('xpath=ancestor::li').getByRole('button', { name: 'Delete' }).press('Enter');
        await editor.page.waitForFunction(`$('.give-up-timer-criterion').length === ${left}`);
      }
      assert.equal(await joined().inputValue(), 'none');
      await dialog.done();
      assert.equal((await editor.node('give-up-timer')).criteria, '');
    });

    it('follow their JSON, also where no table can show it, and are not changed by being looked at', async () => {
      const dialog = await open();
      await dialog.fill('criteria', '{"error": "SIP-403"}');
      assert.equal(await joined().inputValue(), 'any');
      assert.equal(await member(0, 'error').inputValue(), 'SIP-403');
      const nested = '{"any":[{"all":[{"elapsedMs":1000},{"attempts":2}]},{"external":true}]}';
      await dialog.fill('criteria', nested);
      assert.equal(await joined().inputValue(), 'nested');
      assert.equal(await rows().count(), 0);
      await dialog.done();
      await (await open()).done();
      assert.equal((await editor.node('give-up-timer')).criteria, nested);
    });

    it('a wrong figure in a row is told of in the line below', async () => {
      const dialog = await open();
      await joined().selectOption('any');
      await member(0, 'elapsedMs').fill('soon');
      await member(0, 'elapsedMs').blur();
      assert.match((await dialog.complaint('criteria').textContent()) ?? '', /^criteria\.any\[0\]\.elapsedMs must be/);
      await dialog.cancel();
    });
  });

  describe('where state is kept over a restart', () => {
    it('is chosen alike in all five nodes that keep any: not at all, in a journal, in a context store of the settings', async () => {
      assert.equal(keepingTypes.length, 5);
      for (const type of keepingTypes) {
        await reset(type);
        const dialog = await editor.edit(type);
        await dialog.toggle.click();
        assert.equal(await dialog.read('keepState'), 'none', type);
        assert.deepEqual(await dialog.field('keepState').locator('option').allTextContents(), [
          'not at all',
          'in a journal',
          'in a journal, forced to disk',
          'in the context store memory',
          'in the context store file',
        ]);
        assert.match((await dialog.form.locator('#node-input-keepState-hint').textContent()) ?? '', /the same in all/);
        await dialog.cancel();
      }
    });

    it('a store that is no longer configured stays in sight, is refused, and the remedy is named', async () => {
      const remedy = 'there is no context store redis. Add it to contextStorage in settings.js and restart Node-RED';
      for (const type of keepingTypes) {
        await reset(type);
        await editor.evaluate(`void (RED.nodes.node('${type}').keepState = 'context:redis')`);
        let dialog = await editor.edit(type);
        const complaint = dialog.complaint('keepState');
        assert.ok(await dialog.shows('keepState'), 'a wrong choice is not folded away');
        assert.ok(await dialog.isMarked('keepState'));
        assert.equal(
          await dialog.field('keepState').locator('option:checked').textContent(),
          'in the context store redis (missing)',
        );
        assert.ok((await complaint.textContent())?.includes(remedy));
        await dialog.field('keepState').scrollIntoViewIfNeeded();
        await editor.screenshot(`${type}-missing-store`, dialog.tray);
        await dialog.done();
        const { valid, validationErrors, keepState } = await editor.node(type);
        assert.deepEqual([valid, keepState], [false, 'context:redis']);
        assert.ok(validationErrors.join().includes(remedy), validationErrors.join());

        dialog = await editor.edit(type);
        await dialog.fill('keepState', 'context:file');
        assert.equal(await dialog.isMarked('keepState'), false);
        assert.equal(await complaint.textContent(), '');
        await dialog.done();
        assert.ok((await editor.node(type)).valid);
      }
    });

    it('may come from an environment variable, which is left alone', async () => {
      await reset('route-healer');
      // biome-ignore lint/suspicious/noTemplateCurlyInString: this is how Node-RED writes environment variables.
      const keepState = '${KEEP_STATE}';
      await editor.evaluate(`void (RED.nodes.node('route-healer').keepState = ${JSON.stringify(keepState)})`);
      const dialog = await editor.edit('route-healer');
      await dialog.toggle.click();
      assert.equal(await dialog.isMarked('keepState'), false);
      await dialog.done();
      const saved = await editor.node('route-healer');
      assert.deepEqual([saved.valid, saved.keepState], [true, keepState]);
    });
  });

  describe('versions of what is saved', () => {
    /** Leaves of a node only what is given. */
    async function strip(type: string, left: object): Promise<void> {
      await editor.evaluate(`(() => {
        const node = RED.nodes.node('${type}');
        for (const [property, { type }] of Object.entries(node._def.defaults)) if (!type) delete node[property];
        Object.assign(node, ${JSON.stringify(left)}, { changed: false });
      })()`);
    }

    for (const type of types) {
      it(`${type} of an older version is saved as one of today's, with what it did before`, async () => {
        await reset(type);
        const { configVersion, ...today } = await editor.node(type);
        await strip(type, { name: 'old' });
        const dialog = await editor.edit(type);
        await dialog.done();
        const { valid, validationErrors, ...saved } = await editor.node(type);
        assert.ok(valid, String(validationErrors));
        const expected: EditorNode = { ...today, name: 'old', configVersion };
        if (type === 'conference-endpoint') expected.port = '5060';
        // Rules that are not saved are the default ones, as empty ones are.
        if (type === 'failover-detector') expected.rules = undefined;
        assert.deepEqual({ ...saved, valid, validationErrors }, expected);
        assert.ok(
          await editor.evaluate(`RED.nodes.node('${type}').changed`),
          'Node-RED knows that it is to be deployed',
        );
      });

      it(`${type} of a newer version is marked, until somebody has looked at it and pressed Done`, async () => {
        await reset(type);
        const { configVersion } = await editor.node(type);
        await editor.evaluate(`(() => {
          const node = RED.nodes.node('${type}');
          node.configVersion = ${Number(configVersion) + 1};
          RED.editor.validateNode(node);
        })()`);
        const { valid, validationErrors } = await editor.node(type);
        assert.equal(valid, false);
        assert.match(validationErrors.join(), /saved by a newer version of .+Update the pack, or .+press Done/);
        const dialog = await editor.edit(type);
        await dialog.done();
        const saved = await editor.node(type);
        assert.deepEqual([saved.valid, saved.configVersion], [true, configVersion]);
      });
    }

    it('a duration without a unit is shown in milliseconds', async () => {
      await reset('route-healer');
      await strip('route-healer', { period: '1500' });
      const dialog = await editor.edit('route-healer');
      assert.deepEqual([await dialog.read('period'), await dialog.read('periodUnit')], ['1500', 'ms']);
      await dialog.done();
      const { period, periodUnit, configVersion } = await editor.node('route-healer');
      assert.deepEqual([period, periodUnit, configVersion], ['1500', 'ms', 2]);
    });
  });

  it('has help for every type, and it begins with the paragraph that the palette shows', async () => {
    for (const type of types) {
      const help = await editor.evaluate<string>(`$("script[data-help-name='${type}']").html()`);
      assert.match(help.trim(), /^<p>[^<]{40,}/, type);
    }
  });

  for (const example of examples) {
    it(`imports the example ${example} without unknown or invalid nodes`, async () => {
      const flow = readFileSync(join(examplesFolder, example), 'utf8');
      const problems = await editor.evaluate<string[]>(`(() => {
        const { nodes } = RED.nodes.import(${JSON.stringify(flow)}, { generateIds: true, addFlow: true });
        const problems = nodes
          .filter((node) => node.type === 'unknown' || !RED.editor.validateNode(node))
          .map((node) => node.type + ' ' + (node.name || node.id) + ': ' + (node.validationErrors ?? []));
        return problems;
      })()`);
      assert.deepEqual(problems, []);
    });
  }
});
