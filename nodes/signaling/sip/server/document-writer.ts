/** Conference documents (RFC 4575) as the pool's server sends them. */
import type { JsonObject } from '../../../recovery/messages';
import type { DocumentUser } from '../../../recovery/signaling';
import type { ConferenceUri } from '../conference-document';
import { escapeXml } from '../xml';

/** What is to be told. */
export interface DocumentContent {
  conference: string;
  state: 'full' | 'partial' | 'deleted';
  version: number;
  users: readonly DocumentUser[];
  properties?: JsonObject;
  /** Where MCUs are reached; absent ones are unchanged. */
  conferenceUris?: readonly ConferenceUri[];
}

/** Writes a document. */
export function writeConferenceDocument(content: DocumentContent): string {
  const { conference, state, version, users, properties, conferenceUris } = content;
  const head = attributes({ entity: conference, state, version: String(version) });
  const partial = state === 'partial' ? ' state="partial"' : '';
  return [
    '<?xml version="1.0" encoding="UTF-8"?>\r\n',
    `<conference-info xmlns="urn:ietf:params:xml:ns:conference-info" ${head}>`,
    conferenceUris ? description(conferenceUris) : '',
    typeof properties?.locked === 'boolean'
      ? `<conference-state>${element('locked', String(properties.locked))}</conference-state>`
      : '',
    state === 'deleted' ? '' : `<users${partial}>${users.map(writeUser).join('')}</users>`,
    '</conference-info>',
  ].join('');
}

function description(uris: readonly ConferenceUri[]): string {
  const entries = uris.map(({ uri, purpose }) => `<entry>${element('uri', uri)}${element('purpose', purpose)}</entry>`);
  return `<conference-description><conf-uris>${entries.join('')}</conf-uris></conference-description>`;
}

function writeUser({ entity, state, displayName, roles, endpoints }: DocumentUser): string {
  const devices = endpoints.map(
    (endpoint) =>
      `<endpoint ${attributes({ entity: endpoint.entity, state: endpoint.state })}>` +
      element('status', endpoint.status) +
      endpoint.media
        .map(
          ({ id, type, status }) =>
            `<media ${attributes({ id })}>${element('type', type)}${element('status', status)}</media>`,
        )
        .join('') +
      '</endpoint>',
  );
  const entries = roles.map((role) => element('entry', role)).join('');
  return (
    `<user ${attributes({ entity, state })}>${element('display-text', displayName)}` +
    `${entries === '' ? '' : `<roles>${entries}</roles>`}${devices.join('')}</user>`
  );
}

function element(name: string, text: string | undefined): string {
  return text === undefined ? '' : `<${name}>${escapeXml(text)}</${name}>`;
}

function attributes(values: { [name: string]: string }): string {
  return Object.entries(values)
    .map(([name, value]) => `${name}="${escapeXml(value)}"`)
    .join(' ');
}
