import assert from 'node:assert/strict';
import { readConferenceDocument } from '../../../nodes/signaling/sip/conference-document';

const wrap = (content: string, attributes = 'state="full" version="1"'): string =>
  `<?xml version="1.0" encoding="UTF-8"?><conference-info xmlns="urn:ietf:params:xml:ns:conference-info" ` +
  `entity="sip:room@example.com" ${attributes}>${content}</conference-info>`;

const read = (text: string) => {
  const result = readConferenceDocument(text);
  if ('error' in result) assert.fail(result.error);
  return result;
};

const refused = (text: string): string => {
  const result = readConferenceDocument(text);
  assert.ok('error' in result, 'it was read');
  return result.error;
};

describe('conference documents (RFC 4575)', () => {
  it('reads a full document', () => {
    const { document, conferenceUris, availableMedia } = read(
      wrap(
        `<conference-description><display-text>Weekly</display-text><subject>Fish &amp; chips</subject>
           <conf-uris><entry><uri>sip:av@example.com</uri><purpose>audio-video</purpose></entry>
             <entry><uri>sip:none@example.com</uri></entry></conf-uris>
           <available-media><entry label="1"><type>audio</type><status>sendrecv</status></entry><entry label="2"/>
             <entry label="3"><type>text</type></entry></available-media>
           <maximum-user-count>50</maximum-user-count></conference-description>
         <conference-state><user-count>2</user-count><active>true</active><locked>false</locked></conference-state>
         <users>
           <user entity="sip:bob@example.com" state="full"><display-text>Bob</display-text>
             <roles><entry>presenter</entry><entry>speaker</entry></roles>
             <endpoint entity="sip:bob@laptop"><status>connected</status>
               <media id="1"><type>audio</type><status>sendrecv</status></media><media id="2"/></endpoint></user>
           <user entity="sip:alice@example.com"/>
         </users>`,
        'state="full" version="7"',
      ),
    );
    assert.deepEqual(document, {
      state: 'full',
      version: 7,
      users: [
        {
          entity: 'sip:bob@example.com',
          state: 'full',
          displayName: 'Bob',
          roles: ['presenter', 'speaker'],
          endpoints: [
            {
              entity: 'sip:bob@laptop',
              state: 'full',
              status: 'connected',
              media: [{ id: '1', type: 'audio', status: 'sendrecv' }, { id: '2' }],
            },
          ],
        },
        { entity: 'sip:alice@example.com', state: 'full', roles: [], endpoints: [] },
      ],
      properties: { displayText: 'Weekly', subject: 'Fish & chips', maximumUserCount: 50, active: true, locked: false },
    });
    assert.deepEqual(conferenceUris, [{ uri: 'sip:av@example.com', purpose: 'audio-video' }]);
    assert.deepEqual(availableMedia, [{ type: 'audio', status: 'sendrecv' }, { type: 'text' }]);
  });

  it('reads partial documents, with what has gone', () => {
    const { document, conferenceUris } = read(
      wrap(
        '<users state="partial"><user entity="sip:a@b" state="deleted"/>' +
          '<user entity="sip:c@d" state="partial"><endpoint entity="e" state="deleted"/></user></users>',
        'state="partial" version="8"',
      ),
    );
    assert.equal(document.state, 'partial');
    assert.equal(document.properties, undefined);
    assert.equal(conferenceUris, null);
    assert.deepEqual(
      document.users.map((user) => [user.entity, user.state, user.endpoints.map((endpoint) => endpoint.state)]),
      [
        ['sip:a@b', 'deleted', []],
        ['sip:c@d', 'partial', ['deleted']],
      ],
    );
  });

  it('takes a full list of users in a partial document for a full roster', () => {
    assert.equal(read(wrap('<users state="full"/>', 'state="partial" version="2"')).document.state, 'full');
    assert.equal(read(wrap('<users/>', 'state="partial" version="2"')).document.state, 'partial');
  });

  it('takes a list of users that has gone for an empty roster', () => {
    const { document } = read(wrap('<users state="deleted"><user entity="a"/></users>', 'state="partial" version="2"'));
    assert.deepEqual([document.state, document.users], ['full', []]);
  });

  it('reads on after a document that it could not read', () => {
    refused(wrap('<users><user entity="sip:a@b"'));
    assert.equal(read(wrap('<users><user entity="sip:c@d"/></users>')).document.users.length, 1);
  });

  it('takes users only from the first list, and only from there', () => {
    const { document } = read(
      wrap(
        '<user entity="sip:a@b"/><users><x><user entity="sip:c@d"/></x></users><users><user entity="sip:e@f"/></users>',
      ),
    );
    assert.deepEqual(document.users, []);
  });

  it('reads the end of a conference', () => {
    assert.equal(read(wrap('', 'state="deleted" version="9"')).document.state, 'deleted');
  });

  it('takes a document that does not say for full', () => {
    assert.equal(read(wrap('', 'version="0"')).document.state, 'full');
  });

  it('keeps participants who share a URI', () => {
    const user = '<user entity="sip:a@b"/>';
    assert.equal(read(wrap(`<users>${user}${user}</users>`)).document.users.length, 2);
  });

  it('leaves out who has no URI, and what is of another namespace', () => {
    const { document } = read(
      wrap('<users><user/><user entity=""/><x:user xmlns:x="urn:x" entity="sip:x@y"/><user entity="sip:a@b"/></users>'),
    );
    assert.deepEqual(
      document.users.map((user) => user.entity),
      ['sip:a@b'],
    );
  });

  it('reads any prefix, CDATA and names that JavaScript knows', () => {
    const text =
      '<c:conference-info xmlns:c="urn:ietf:params:xml:ns:conference-info" version="1"><c:users>' +
      '<c:user entity="__proto__"><c:display-text><![CDATA[<b>]]></c:display-text></c:user></c:users></c:conference-info>';
    const [user] = read(text).document.users;
    assert.equal(user?.entity, '__proto__');
    assert.equal(user?.displayName, '<b>');
  });

  const laughs = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]>';
  for (const [what, text, expected] of [
    ['nothing', '', /could not be read/],
    ['no XML', 'hello', /not well-formed/],
    ['a cut document', wrap('<users><user entity="sip:a@b"/></users>').slice(0, -30), /not well-formed/],
    ['a document type', `${laughs}${wrap('&b;')}`, /document type/],
    ['an unknown entity', wrap('&nbsp;'), /not well-formed/],
    ['another root', '<presence xmlns="urn:ietf:params:xml:ns:pidf"/>', /<presence>/],
    ['another namespace', '<conference-info version="1"/>', /<conference-info>/],
    ['no version', wrap('', 'state="full"'), /version is ""/],
    ['a strange version', wrap('', 'version="1e3"'), /version is "1e3"/],
    ['too deep a document', wrap('<a>'.repeat(40) + '</a>'.repeat(40)), /deep/],
    ['too long a document', wrap('x'.repeat(2 * 1024 * 1024)), /longer than/],
    [
      'too many attributes',
      wrap(`<a ${Array.from({ length: 70 }, (_, n) => `a${n}=""`).join(' ')}/>`),
      /64 attributes/,
    ],
    ['too many participants', wrap(`<users>${'<user entity="a"/>'.repeat(20_001)}</users>`), /20000 participants/],
  ] as const) {
    it(`refuses ${what}, in words`, () => {
      assert.match(refused(text), expected);
    });
  }
});
