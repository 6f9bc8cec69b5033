/** The examples that alert: each outage as trigger and resolve, in the shape that its receiver has published. */
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import Ajv from 'ajv';
import addFormats from 'ajv-formats';
import type { StateChanged } from '../../nodes/recovery/messages';
import { Mosquitto, skipWithoutMosquitto } from '../support/mosquitto';
import { shapes } from './published-shapes';
import { Receiver } from './receiver';
import { type Performance, type Settings, Stage } from './stage';

const ajv = new Ajv({ allErrors: true });
addFormats(ajv);

/** Is it what the receiver has published? */
function assertShape(name: keyof typeof shapes, body: unknown): void {
  assert.ok(ajv.validate(shapes[name], body), `${ajv.errorsText()}: ${JSON.stringify(body)}`);
}

describe('examples: alerts', function () {
  this.timeout(60_000);
  let stage: Stage;
  let receiver: Receiver;
  let example: Performance;

  before(async () => {
    stage = await Stage.open();
  });

  after(() => stage?.close());

  beforeEach(async () => {
    receiver = await Receiver.start();
  });

  afterEach(async () => {
    await stage.nodeRed.deploy([], 'full');
    await receiver.stop();
  });

  /** Plays an example up to the point where its session is in the conference. */
  const play = async (name: string, settings: Settings): Promise<void> => {
    example = await stage.play(name, settings);
    example.press('join');
    await example.session('Connected');
    example.mark();
  };
  /** An outage begins. */
  const broken = async (): Promise<StateChanged> => {
    example.mark();
    example.press('break a hop for good');
    return example.session('Reconnecting');
  };
  /** And is over. */
  const healed = async (): Promise<StateChanged> => {
    example.mark();
    example.press('restore the hop');
    return example.session('Connected');
  };
  /** Or ends the session for good. */
  const givenUp = async (): Promise<StateChanged> => {
    example.mark();
    example.press('give up now');
    return example.session('Disconnecting');
  };

  it('nothing is sent as long as no address or key is filled in, and the alert is shown all the same', async () => {
    for (const [name, node, question] of [
      ['alert-chat', 'as a line', 'address filled in?'],
      ['alert-e-mail', 'as mail', 'key filled in?'],
      ['alert-pagerduty', 'as PagerDuty event', 'key filled in?'],
    ] as const) {
      await play(name, {});
      await broken();
      assert.ok(await example.from('change', node));
      assert.equal(example.count('switch', question), 0);
      example.check();
    }
  });

  it('alert-pagerduty: one trigger and one resolve per outage; a lost conference stays open as critical', async () => {
    const key = '0123456789abcdef0123456789abcdef';
    await play('alert-pagerduty', { env: { PAGERDUTY_URL: `${receiver.url}/v2/enqueue`, PAGERDUTY_ROUTING_KEY: key } });
    const { incident } = await broken();
    await healed();
    await broken();
    await givenUp();
    const [trigger, resolve, again, lost] = await Promise.all([0, 1, 2, 3].map((index) => receiver.request(index)));
    for (const { method, path, body, headers } of receiver.received) {
      assert.deepEqual([method, path, headers['content-type']], ['POST', '/v2/enqueue', 'application/json']);
      assertShape('pagerDutyEvent', body);
      assert.equal(body.routing_key, key);
    }
    assert.deepEqual([trigger?.body.event_action, trigger?.body.dedup_key], ['trigger', incident]);
    assert.equal(trigger?.body.payload.severity, 'warning');
    assert.equal(trigger?.body.payload.summary, 'daily: Reconnecting, RouteBroken');
    assert.deepEqual([resolve?.body.event_action, resolve?.body.dedup_key], ['resolve', incident]);
    assert.notEqual(again?.body.dedup_key, incident);
    assert.deepEqual(
      [lost?.body.event_action, lost?.body.dedup_key, lost?.body.payload.severity],
      ['trigger', again?.body.dedup_key, 'critical'],
    );
    assert.equal(receiver.received.length, 4);
    example.check();
  });

  it('alert-chat: what is not accepted is sent again, in order; what is refused is not', async () => {
    await play('alert-chat', { env: { CHAT_WEBHOOK_URL: `${receiver.url}/hook` } });
    receiver.answers.push({ status: 503, headers: { 'retry-after': '1' } });
    await broken();
    await receiver.request(0);
    await healed();
    const [first, second, third] = await Promise.all([0, 1, 2].map((index) => receiver.request(index)));
    for (const { body } of receiver.received) assertShape('chatMessage', body);
    assert.equal(first?.body.text, '🔴 daily: Reconnecting, RouteBroken');
    assert.equal(second?.body.text, first?.body.text);
    assert.match(third?.body.text, /^🟢 daily: Connected, RouteHealed after \d+ s$/);
    receiver.answers.push({ status: 404 });
    await broken();
    await givenUp();
    assert.match((await receiver.request(4)).body.text, /^⚫ daily: Disconnecting, GaveUp after \d+ s \(Gave up /);
    assert.equal(receiver.received.length, 5);
    example.check();
  });

  it('alert-e-mail: two mails per outage, in one thread', async () => {
    const env = { MAIL_API_URL: `${receiver.url}/v3/mail/send`, MAIL_API_KEY: 'SG.key', MAIL_TO: 'ops@example.com' };
    await play('alert-e-mail', { env });
    receiver.answers.push({ status: 202 }, { status: 202 });
    const { incident } = await broken();
    await healed();
    const [outage, recovered] = await Promise.all([0, 1].map((index) => receiver.request(index)));
    for (const { method, path, headers, body } of receiver.received) {
      assert.deepEqual([method, path, headers.authorization], ['POST', '/v3/mail/send', 'Bearer SG.key']);
      assertShape('sendGridMail', body);
      assert.equal(body.personalizations[0].to[0].email, 'ops@example.com');
    }
    assert.equal(outage?.body.subject, '[outage] daily: Reconnecting, RouteBroken');
    assert.match(recovered?.body.subject, /^\[recovered\] daily: Connected, RouteHealed after \d+ s$/);
    assert.ok(outage?.body.content[0].value.includes(`Incident: ${incident}`));
    assert.equal(outage?.body.headers.References, recovered?.body.headers.References);
    example.check();
  });

  it('alert-alertmanager: fires while the outage lasts, again and again, and resolves', async () => {
    await play('alert-alertmanager', { env: { ALERTMANAGER_URL: receiver.url } });
    const opening = await broken();
    const firing = await receiver.request(0);
    example.press('every minute');
    assert.deepEqual((await receiver.request(1)).body, firing.body);
    // Until its end has been accepted, it is told.
    receiver.answers.push({ status: 500 });
    const closing = await healed();
    const resolved = await receiver.request(2);
    example.press('every minute');
    assert.deepEqual((await receiver.request(3)).body, resolved.body);
    for (const { method, path, body } of receiver.received) {
      assert.deepEqual([method, path], ['POST', '/api/v2/alerts']);
      assertShape('alertmanagerAlerts', body);
    }
    const [alert] = firing.body;
    assert.equal(alert.labels.alertname, 'ConferenceOutage');
    assert.equal(alert.labels.incident, opening.incident);
    assert.deepEqual([alert.startsAt, alert.endsAt], [opening.startedAt, undefined]);
    assert.deepEqual(resolved.body[0].labels, alert.labels);
    assert.equal(resolved.body[0].endsAt, closing.endedAt);

    // A conference that is lost fires on, until it is joined again.
    await broken();
    await givenUp();
    await example.session('Disconnected');
    const lost = (await receiver.request(5)).body;
    assert.deepEqual([lost.length, lost[0].annotations.severity, lost[0].endsAt], [1, 'critical', undefined]);
    example.mark();
    example.press('restore the hop');
    example.press('join');
    await example.session('Connected');
    assert.ok((await receiver.request(6)).body[0].endsAt);
    example.check();
  });

  describe('alert-home-assistant', () => {
    let broker: Mosquitto;

    before(async function () {
      skipWithoutMosquitto(this);
      broker = await Mosquitto.start();
    });

    after(() => broker?.stop());

    it('announces each conference over MQTT, and tells what becomes of it', async () => {
      const listener = await Listener.connect(broker.port);
      await play('alert-home-assistant', { overrides: { 'mqtt-broker': { port: String(broker.port) } } });
      const discovery = await listener.next('homeassistant/device/conference_daily/config');
      assertShape('homeAssistantDevice', discovery);
      const { problem, state } = discovery.components;
      assert.equal(problem.state_topic, 'conference/daily/state');
      assert.equal(state.state_topic, problem.state_topic);
      assert.equal(await listener.next(discovery.availability_topic), 'online');
      const opening = await broken();
      await listener.next(problem.state_topic, ({ state: now, active }) => now === 'Reconnecting' && active);
      const closing = await healed();
      assert.equal(closing.incident, opening.incident);
      const over = await listener.next(
        problem.state_topic,
        ({ state: now, incident }) => now === 'Connected' && incident === closing.incident,
      );
      assert.equal(over.active, false);
      assert.equal(listener.all('homeassistant/device/conference_daily/config').length, 1);

      // Whoever comes later finds the last of everything.
      const latecomer = await Listener.connect(broker.port);
      assert.equal((await latecomer.next(problem.state_topic)).state, 'Connected');
      assertShape('homeAssistantDevice', await latecomer.next('homeassistant/device/conference_daily/config'));
      await stage.nodeRed.deploy([], 'full');
      assert.equal(await listener.next(discovery.availability_topic, (word) => word === 'offline'), 'offline');
      for (const one of [listener, latecomer]) await one.close();
      example.check();
    });
  });
});

// biome-ignore lint/suspicious/noExplicitAny: tests look at any property of any message
type Loose = any;

/** An MQTT client that hears everything. The library is the one of Node-RED. */
class Listener {
  private readonly heard: { topic: string; payload: Loose }[] = [];
  private readonly watchers = new Set<() => void>();

  private constructor(private readonly client: Loose) {
    client.on('message', (topic: string, bytes: Buffer) => {
      const words = bytes.toString();
      this.heard.push({ topic, payload: words.startsWith('{') ? JSON.parse(words) : words });
      for (const watch of [...this.watchers]) watch();
    });
  }

  static async connect(port: number): Promise<Listener> {
    const mqtt = createRequire(require.resolve('node-red'))('mqtt');
    const listener = new Listener(await mqtt.connectAsync(`mqtt://127.0.0.1:${port}`));
    await listener.client.subscribeAsync('#');
    return listener;
  }

  all(topic: string): Loose[] {
    return this.heard.filter((one) => one.topic === topic).map(({ payload }) => payload);
  }

  /** The first message of a topic that matches, be it past or to come. */
  next(topic: string, matches: (payload: Loose) => boolean = () => true): Promise<Loose> {
    return new Promise((found) => {
      const watch = (): void => {
        const one = this.all(topic).find(matches);
        if (one === undefined) return;
        this.watchers.delete(watch);
        found(one);
      };
      this.watchers.add(watch);
      watch();
    });
  }

  close(): Promise<void> {
    return this.client.endAsync(true);
  }
}
