/** C3P as a Focus sees it: reads the requests that `c3p.ts` writes, and writes the responses that it reads. */
import type { JsonObject } from '../../../recovery/messages';
import { attribute, escapeXml, parseXml, type XmlElement } from '../xml';
import { mcuIn } from './addresses';

/** A command of a participant. */
export interface C3pCommand {
  requestId: string;
  operation: string;
  arguments: JsonObject;
  mcu: string | undefined;
}

/** Reads a request; undefined when it is none, or of a command that is not known. */
export function readC3pRequest(text: string): C3pCommand | undefined {
  const root = parseXml(text);
  if ('error' in root || root.name !== 'request') return undefined;
  const [command] = root.children;
  if (!command) return undefined;
  const read = Object.hasOwn(commands, command.name) ? commands[command.name] : undefined;
  const mcu = mcuIn(attribute(command, 'mcuUri') ?? '');
  const [operation, given] = read?.(command, mcu) ?? [];
  if (operation === undefined || given === undefined) return undefined;
  return { requestId: attribute(root, 'requestId') ?? '', operation, arguments: given, mcu };
}

/** Writes a response (MS-CONFPRO, 2.2.3). */
export function writeC3pResponse(requestId: string, success: boolean, reason?: string): string {
  const said = reason === undefined ? '' : ` reason="${escapeXml(reason)}"`;
  return (
    '<?xml version="1.0" encoding="UTF-8"?>\r\n<response xmlns="urn:ietf:params:xml:ns:cccp" C3PVersion="1" ' +
    `requestId="${escapeXml(requestId)}" code="${success ? 'success' : 'failure'}"${said}/>`
  );
}

type Read = (command: XmlElement, mcu: string | undefined) => [operation: string, given: JsonObject];

const commands: { [name: string]: Read } = {
  modifyConferenceLock: (command) => [textOf(command, 'locked') === 'true' ? 'lock' : 'unlock', {}],
  deleteConference: () => ['end-conference', {}],
  deleteUser: (command) => ['eject', { participant: userIn(command) }],
  modifyUserRoles: (command) => [
    'modify-role',
    { participant: userIn(command), role: textOf(command, 'user-roles', 'entry') },
  ],
  setLobbyAccess: (command) => [
    textOf(command, 'access') === 'granted' ? 'admit' : 'deny',
    {
      participants: command.children
        .filter(({ name }) => name === 'userKeys')
        .map((each) => attribute(each, 'userEntity') ?? ''),
    },
  ],
  modifyEndpointMedia: (command) => [
    textOf(command, 'media', 'status') === 'recvonly' ? 'mute' : 'unmute',
    { participant: attribute(find(command, 'mediaKeys'), 'userEntity') ?? '' },
  ],
  addUser: (command, mcu) => [
    mcu === undefined ? 'invite' : 'dial-out',
    { participant: attribute(find(command, 'user'), 'entity') ?? '' },
  ],
  modifyConference: (command) => {
    const settings = ['conference-info', 'conference-description'];
    const accessLevel = textOf(command, ...settings, 'admission-policy');
    const lobbyBypass = textOf(command, ...settings, 'lobby-bypass');
    const automaticLeaderAssignment = textOf(command, ...settings, 'autopromote');
    return ['modify-configuration', { accessLevel, lobbyBypass, automaticLeaderAssignment }];
  },
};

function userIn(command: XmlElement): string {
  return attribute(find(command, 'userKeys'), 'userEntity') ?? '';
}

function textOf(element: XmlElement, ...path: string[]): string | undefined {
  return find(element, ...path)?.text;
}

/** C3P mixes the namespaces of its elements, so names alone lead the way. */
function find(element: XmlElement, ...path: string[]): XmlElement | undefined {
  let found: XmlElement | undefined = element;
  for (const name of path) found = found?.children.find((each) => each.name === name);
  return found;
}
