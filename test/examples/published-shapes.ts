/** What receivers of alerts have published of the messages that they take, as JSON Schema. Nothing else is let through. */

/** An object of exactly these properties. */
function object(properties: { [name: string]: object }, ...required: string[]): object {
  return { type: 'object', properties, required, additionalProperties: false };
}

const string = { type: 'string' };
const words = { type: 'string', minLength: 1 };
const instant = { type: 'string', format: 'date-time' };
const address = object({ email: { type: 'string', format: 'email' }, name: string }, 'email');

/** A label's name and value. */
const labels = { type: 'object', propertyNames: { pattern: '^[a-zA-Z_][a-zA-Z0-9_]*$' }, additionalProperties: string };

/** Lets binary sensor and sensor be what they are documented to be. */
const entity = (platform: string, more: { [name: string]: object }) =>
  object(
    {
      platform: { const: platform },
      unique_id: words,
      name: words,
      state_topic: words,
      value_template: words,
      json_attributes_topic: words,
      ...more,
    },
    'platform',
    'unique_id',
    'state_topic',
  );

const routing = {
  routing_key: { type: 'string', pattern: '^[0-9A-Za-z]{32}$' },
  dedup_key: { type: 'string', minLength: 1, maxLength: 255 },
};

export const shapes = {
  /** Alertmanager, api/v2/openapi.yaml, postableAlerts; `alertname` as in "Sending alerts". */
  alertmanagerAlerts: {
    type: 'array',
    minItems: 1,
    items: object(
      {
        labels: { ...labels, required: ['alertname'] },
        annotations: labels,
        startsAt: instant,
        endsAt: instant,
        generatorURL: { type: 'string', format: 'uri' },
      },
      'labels',
    ),
  },

  /** PagerDuty, Events API v2, "Send an alert event": only a trigger has a payload that must be there. */
  pagerDutyEvent: {
    oneOf: [
      object(
        {
          ...routing,
          event_action: { const: 'trigger' },
          client: string,
          client_url: string,
          payload: object(
            {
              summary: { type: 'string', minLength: 1, maxLength: 1024 },
              source: words,
              severity: { enum: ['critical', 'error', 'warning', 'info'] },
              timestamp: instant,
              component: string,
              group: string,
              class: string,
              custom_details: { type: 'object' },
            },
            'summary',
            'source',
            'severity',
          ),
        },
        'routing_key',
        'event_action',
        'payload',
      ),
      object(
        { ...routing, event_action: { enum: ['acknowledge', 'resolve'] } },
        'routing_key',
        'event_action',
        'dedup_key',
      ),
    ],
  },

  /** Twilio SendGrid, v3 Mail Send. */
  sendGridMail: object(
    {
      personalizations: {
        type: 'array',
        minItems: 1,
        maxItems: 1000,
        items: object({ to: { type: 'array', minItems: 1, items: address } }, 'to'),
      },
      from: address,
      subject: words,
      content: { type: 'array', minItems: 1, items: object({ type: words, value: words }, 'type', 'value') },
      headers: { type: 'object', additionalProperties: string },
    },
    'personalizations',
    'from',
    'subject',
    'content',
  ),

  /** Slack, Mattermost, Rocket.Chat, Google Chat: what their incoming webhooks have in common. */
  chatMessage: object({ text: { type: 'string', minLength: 1, maxLength: 4000 } }, 'text'),

  /** Home Assistant, MQTT discovery, device discovery payload. */
  homeAssistantDevice: object(
    {
      device: object(
        { identifiers: { type: 'array', minItems: 1, items: words }, name: words, manufacturer: words },
        'identifiers',
      ),
      origin: object({ name: words, sw_version: string, support_url: string }, 'name'),
      availability_topic: words,
      components: {
        type: 'object',
        minProperties: 1,
        additionalProperties: {
          oneOf: [
            entity('binary_sensor', { device_class: { const: 'problem' } }),
            entity('sensor', { device_class: { const: 'enum' }, options: { type: 'array', items: words } }),
          ],
        },
      },
    },
    'device',
    'origin',
    'components',
  ),
};
