/** Validates messages against the published schema; every message that any test sees goes through here. */
import { readFileSync } from 'node:fs';
import Ajv from 'ajv';
import addFormats from 'ajv-formats';

const file = require.resolve('@conference-recovery/node-red/schema');
const ajv = new Ajv({ strict: false, allErrors: true });
addFormats(ajv);
const schema = JSON.parse(readFileSync(file, 'utf8')) as { $id?: string; definitions: Definitions };
ajv.addSchema(schema, 'messages');
const validators = new Map<string, ReturnType<typeof ajv.compile>>();

function validator(definition: string): ReturnType<typeof ajv.compile> {
  let validate = validators.get(definition);
  if (!validate) {
    validate = ajv.compile({ $ref: `messages#/definitions/${definition}` });
    validators.set(definition, validate);
  }
  return validate;
}

/** A type as the schema writes it down, as far as tests look into it. */
export interface Definition {
  $ref?: string;
  type?: string | string[];
  const?: string;
  enum?: string[];
  items?: Definition;
  properties?: { [name: string]: Definition };
  required?: string[];
}
type Definitions = { [name: string]: Definition };

/** The types of the published schema by name. */
export const { definitions } = schema;

/** A type itself, where another one only names it. */
export function resolved(definition: Definition): Definition {
  return definition.$ref ? (definitions[definition.$ref.replace('#/definitions/', '')] as Definition) : definition;
}

/** Throws unless the value is valid against a definition of the schema. */
export function check(definition: string, value: unknown): void {
  // What travels is JSON; a property that is undefined is not there.
  const validate = validator(definition);
  if (validate(JSON.parse(JSON.stringify(value)))) return;
  const [first] = validate.errors ?? [];
  throw new Error(`not a valid ${definition}: ${first?.instancePath} ${first?.message}\n${JSON.stringify(value)}`);
}

const factTypes: { [event: string]: string } = {
  'mode-changed': 'ModeChanged',
  'session-status': 'SessionStatus',
  'call-state-changed': 'CallStateChanged',
  'media-changed': 'MediaChanged',
  'text-received': 'TextReceived',
  'call-available': 'CallAvailable',
  'roster-changed': 'RosterChanged',
  'lobby-changed': 'LobbyChanged',
  'properties-changed': 'PropertiesChanged',
  'operation-completed': 'OperationCompleted',
  'operation-failed': 'OperationFailed',
  signal: 'Signal',
  'failover-detected': 'FailoverDetected',
  'route-status-changed': 'RouteStatusChanged',
  'healing-abandoned': 'HealingAbandoned',
  'heal-attempted': 'HealAttempted',
  'give-up-armed': 'GiveUpArmed',
  'give-up-tick': 'GiveUpTick',
  'give-up-cancelled': 'GiveUpCancelled',
  'gave-up': 'GaveUp',
  'detector-status': 'PolicyStatus',
  'healer-status': 'PolicyStatus',
  'give-up-status': 'PolicyStatus',
  'suppression-changed': 'SuppressionChanged',
  'fault-injected': 'FaultInjected',
};

/** Throws unless a payload is valid: a fact against its own type (for a readable complaint), a request against all. */
export function checkMessage(payload: unknown): void {
  if (Array.isArray(payload)) {
    for (const member of payload) checkMessage(member);
    return;
  }
  const { event, source } = payload as { event?: string; source?: string };
  if (event === undefined) return check('Request', payload);
  if (event === 'state-changed') return check(source === 'mcu-session' ? 'McuStateChanged' : 'StateChanged', payload);
  check(factTypes[event] ?? 'Fact', payload);
}
