import assert from 'node:assert/strict';
import { c3pRequest, readC3pResponse } from '../../../nodes/signaling/sip/c3p';
import { attribute, parseXml } from '../../../nodes/signaling/sip/xml';

const request = (operation: string, parameters: { [name: string]: unknown } = {}): string | undefined =>
  c3pRequest({
    operation,
    arguments: parameters,
    requestId: '1',
    conference: 'sip:room@b;x="<&>"',
    from: 'sip:alice@b',
  });

describe('C3P', () => {
  const nasty = `sip:bob@b"/><deleteConference/><a b='&\u0000\r\n`;
  for (const [operation, parameters, element] of [
    ['lock', {}, 'modifyConferenceLock'],
    ['unlock', {}, 'modifyConferenceLock'],
    ['end-conference', {}, 'deleteConference'],
    ['eject', { participant: nasty }, 'deleteUser'],
    ['modify-role', { participant: nasty, role: nasty }, 'modifyUserRoles'],
    ['admit', { participants: [nasty, 'sip:c@d'] }, 'setLobbyAccess'],
    ['deny', { participants: [nasty] }, 'setLobbyAccess'],
    ['mute', { participant: nasty }, 'modifyEndpointMedia'],
    ['unmute', { participant: nasty }, 'modifyEndpointMedia'],
    ['invite', { participant: nasty }, 'addUser'],
    ['dial-out', { participant: nasty }, 'addUser'],
    ['modify-configuration', { accessLevel: nasty, lobbyBypass: true }, 'modifyConference'],
  ] as const) {
    it(`asks for ${operation} with <${element}>, and escapes what it was given`, () => {
      const root = parseXml(request(operation, parameters) ?? '');
      if ('error' in root) assert.fail(root.error);
      assert.equal(root.name, 'request');
      assert.equal(attribute(root, 'C3PVersion'), '1');
      assert.equal(attribute(root, 'to'), 'sip:room@b;x="<&>"');
      assert.deepEqual(
        root.children.map((child) => child.name),
        [element],
      );
    });
  }

  it('has nothing for what it does not know, and for nobody', () => {
    for (const operation of ['fly', 'constructor', '__proto__', 'eject', 'admit', 'mute']) {
      assert.equal(request(operation), undefined);
    }
  });

  it('reads responses, with the reason wherever it stands', () => {
    const response = (attributes: string, content = ''): string =>
      `<response xmlns="urn:ietf:params:xml:ns:cccp" requestId="1" C3PVersion="1" ${attributes}>${content}</response>`;
    assert.deepEqual(readC3pResponse(response('code="success"')), { requestId: '1', code: 'success' });
    const failure = { requestId: '1', code: 'failure', reason: 'userNotFound' };
    assert.deepEqual(readC3pResponse(response('code="failure" reason="userNotFound"')), failure);
    assert.deepEqual(readC3pResponse(response('code="failure"', '<deleteUser reason="userNotFound"/>')), failure);
    assert.deepEqual(readC3pResponse(response('code="failure"', '<x><reason>userNotFound</reason></x>')), failure);
    assert.equal(readC3pResponse('garbage'), undefined);
    assert.equal(readC3pResponse('<request xmlns="urn:ietf:params:xml:ns:cccp"/>'), undefined);
  });
});
