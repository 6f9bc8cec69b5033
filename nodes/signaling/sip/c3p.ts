/**
 * Conference commands in Microsoft's C3P (MS-CONFPRO; MS-CONFBAS, 2.2.3; namespaces as in draft-levin-xcon-cccp). Names
 * and keys of the commands are those of the documents; where only a third-party dialect was readable the comment says so.
 */
import type { JsonObject } from '../../recovery/messages';
import { attribute, child, escapeXml, parseXml, type XmlElement } from './xml';

/** Media type of requests and responses. */
export const c3pType = 'application/cccp+xml';

const namespaces = [
  'xmlns="urn:ietf:params:xml:ns:cccp"',
  'xmlns:mscp="http://schemas.microsoft.com/rtc/2005/08/cccpextensions"',
  'xmlns:ci="urn:ietf:params:xml:ns:conference-info"',
  'xmlns:msci="http://schemas.microsoft.com/rtc/2005/08/confinfoextensions"',
].join(' ');

/** Who asks for what. */
export interface Command {
  operation: string;
  arguments: JsonObject;
  requestId: string;
  conference: string;
  /** Our URI. */
  from: string;
  /** URI of the MCU that the command is for. */
  mcuUri?: string;
}

/** What a C3P response says (MS-CONFPRO, 2.2.3). */
export interface C3pResponse {
  requestId: string;
  /** `success`, `failure`, `pending`. */
  code: string;
  reason?: string;
}

/** The request that carries out an operation; undefined where C3P has none for it. */
export function c3pRequest(command: Command): string | undefined {
  const build = Object.hasOwn(commands, command.operation) ? commands[command.operation] : undefined;
  const body = build?.(command);
  if (body === undefined) return undefined;
  const { conference, from, requestId } = command;
  const attributes = attributesOf({ C3PVersion: '1', to: conference, from, requestId });
  return `<?xml version="1.0" encoding="UTF-8"?>\r\n<request ${namespaces} ${attributes}>${body}</request>`;
}

/** Reads a response; undefined when the text is none. */
export function readC3pResponse(text: string): C3pResponse | undefined {
  const root = parseXml(text);
  if ('error' in root || root.name !== 'response') return undefined;
  const reason = reasonIn(root);
  return {
    requestId: attribute(root, 'requestId') ?? '',
    code: (attribute(root, 'code') ?? '').toLowerCase(),
    ...(reason ? { reason } : {}),
  };
}

/** The reason stands at the response or at the command's own element, as an attribute or as an element. */
function reasonIn(element: XmlElement, depth = 0): string | undefined {
  const own = attribute(element, 'reason') ?? child(element, 'reason')?.text;
  if (own || depth > 2) return own;
  for (const below of element.children) {
    const reason = reasonIn(below, depth + 1);
    if (reason) return reason;
  }
  return undefined;
}

const commands: { [operation: string]: (command: Command) => string | undefined } = {
  lock: (command) => conferenceCommand(command, 'modifyConferenceLock', '<locked>true</locked>'),
  unlock: (command) => conferenceCommand(command, 'modifyConferenceLock', '<locked>false</locked>'),
  'end-conference': (command) => conferenceCommand(command, 'deleteConference'),
  eject: (command) => named(command, (user) => element(command, 'deleteUser', userKeys(command, user))),
  'modify-role': (command) =>
    named(command, (user) => {
      const roles = `<ci:user-roles><ci:entry>${escapeXml(text(command.arguments.role))}</ci:entry></ci:user-roles>`;
      return element(command, 'modifyUserRoles', userKeys(command, user) + roles);
    }),
  // Seen in a third-party dialect only: the shape of setLobbyAccess is not confirmed.
  admit: (command) => lobbyAccess(command, 'granted'),
  deny: (command) => lobbyAccess(command, 'denied'),
  mute: (command) => audio(command, 'recvonly'),
  unmute: (command) => audio(command, 'sendrecv'),
  invite: (command) => dialOut(command),
  'dial-out': (command) => dialOut(command),
  'modify-configuration': (command) => {
    const { accessLevel, lobbyBypass, automaticLeaderAssignment } = command.arguments;
    const settings = [
      optional('msci:admission-policy', accessLevel),
      optional('msci:lobby-bypass', lobbyBypass),
      optional('msci:autopromote', automaticLeaderAssignment),
    ].join('');
    const description = `<ci:conference-description>${settings}</ci:conference-description>`;
    const info = `<ci:conference-info ${attributesOf({ entity: command.conference })}>${description}</ci:conference-info>`;
    return element(command, 'modifyConference', info);
  },
};

function conferenceCommand(command: Command, name: string, content = ''): string {
  return element(command, name, `<conferenceKeys ${attributesOf({ confEntity: command.conference })}/>${content}`);
}

function lobbyAccess(command: Command, access: string): string | undefined {
  const { participants } = command.arguments;
  if (!Array.isArray(participants) || participants.length === 0) return undefined;
  const keys = participants.map((user) => userKeys(command, text(user))).join('');
  return element(command, 'setLobbyAccess', `${keys}<access>${access}</access>`);
}

function audio(command: Command, status: string): string | undefined {
  return named(command, (user) => {
    const keys = `<mediaKeys ${attributesOf({ confEntity: command.conference, userEntity: user })}/>`;
    const media = `<ci:media><ci:type>audio</ci:type><ci:status>${status}</ci:status></ci:media>`;
    return element(command, 'modifyEndpointMedia', keys + media);
  });
}

function dialOut(command: Command): string | undefined {
  return named(command, (user) => {
    const entity = attributesOf({ entity: user });
    const endpoint = `<ci:endpoint ${entity}><ci:joining-method>dialed-out</ci:joining-method></ci:endpoint>`;
    const roles = '<ci:roles><ci:entry>attendee</ci:entry></ci:roles>';
    return conferenceCommand(command, 'addUser', `<ci:user ${entity}>${roles}${endpoint}</ci:user>`);
  });
}

/** A command about one participant; without one there is no such command. */
function named(command: Command, build: (participant: string) => string): string | undefined {
  const { participant } = command.arguments;
  return typeof participant === 'string' && participant !== '' ? build(participant) : undefined;
}

function element(command: Command, name: string, content: string): string {
  const target = command.mcuUri === undefined ? '' : ` ${attributesOf({ 'mscp:mcuUri': command.mcuUri })}`;
  return `<${name}${target}>${content}</${name}>`;
}

function userKeys(command: Command, user: string): string {
  return `<userKeys ${attributesOf({ confEntity: command.conference, userEntity: user })}/>`;
}

function optional(name: string, value: unknown): string {
  return value === undefined ? '' : `<${name}>${escapeXml(text(value))}</${name}>`;
}

function attributesOf(attributes: { [name: string]: string }): string {
  return Object.entries(attributes)
    .map(([name, value]) => `${name}="${escapeXml(value)}"`)
    .join(' ');
}

function text(value: unknown): string {
  return typeof value === 'string' || typeof value === 'boolean' || typeof value === 'number' ? String(value) : '';
}
