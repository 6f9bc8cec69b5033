import assert from 'node:assert/strict';
import { SaxesParser } from 'saxes';
import { parseXml, type XmlElement } from '../../../nodes/signaling/sip/xml';

/** As saxes reads it, which knows namespaces too: names of the elements as they end; null where it refuses. */
function asSaxesReads(text: string): string[] | null {
  const names: string[] = [];
  let refused = false;
  const parser = new SaxesParser({ xmlns: true });
  parser.on('error', () => {
    refused = true;
  });
  parser.on('closetag', ({ uri, local }) => names.push(`{${uri}}${local}`));
  parser.write(text).close();
  return refused ? null : names;
}

function asWeRead(text: string): string[] | null {
  const names: string[] = [];
  const nameOf = ({ namespace, name }: XmlElement): string => `{${namespace}}${name}`;
  const root = parseXml(text, (element) => {
    names.push(nameOf(element));
    return true;
  });
  return 'error' in root ? null : [...names, nameOf(root)];
}

const declared = 'xmlns="urn:d" xmlns:a="urn:a" xmlns:b="urn:a"';
const xml = 'http://www.w3.org/XML/1998/namespace';
const xmlns = 'http://www.w3.org/2000/xmlns/';

describe('namespaces in XML 1.0', () => {
  for (const [what, text, good] of [
    ['elements without and with a prefix', `<r ${declared}><a:x/><y/><b:z><a:w/></b:z></r>`, true],
    ['no namespace', '<r><x y="1"/></r>', true],
    ['a default that is taken back', `<r ${declared}><x xmlns=""><y/></x><z/></r>`, true],
    [
      'a prefix that is declared anew, and ends',
      `<a:r ${declared}><a:x xmlns:a="urn:x"><a:y/></a:x><a:z/></a:r>`,
      true,
    ],
    ['blanks around a namespace', '<r xmlns=" urn:d "/>', true],
    ['the prefix xml', `<r xml:lang="en" xmlns:xml="${xml}"/>`, true],
    ['attributes of one local name in two namespaces', `<r ${declared} a:x="1" x="2"/>`, true],
    ['names that only begin as declarations do', '<r xmlnsx="1"/>', true],
    ['an unknown prefix of an element', '<r><a:x/></r>', false],
    ['an unknown prefix of an attribute', '<r a:x="1"/>', false],
    ['a prefix after its element has ended', '<r><x xmlns:a="urn:a"/><a:y/></r>', false],
    ['one attribute under two prefixes', `<r ${declared} a:x="1" b:x="2"/>`, false],
    ['one attribute twice', '<r x="1" x="2"/>', false],
    ['a prefix for nothing', '<r xmlns:a=""/>', false],
    ['another namespace for xml', '<r xmlns:xml="urn:x"/>', false],
    ['another prefix for the namespace of xml', `<r xmlns:a="${xml}"/>`, false],
    ['the prefix xmlns declared', `<r xmlns:xmlns="${xmlns}"/>`, false],
    ['the namespace of declarations as the default', `<r xmlns="${xmlns}"/>`, false],
    ['an element with the prefix xmlns', '<xmlns:r/>', false],
    ['two colons', `<r ${declared}><a:b:c/></r>`, false],
    ['nothing before the colon', '<:r/>', false],
    ['nothing after the colon', `<r ${declared}><a:/></r>`, false],
    ['an attribute with two colons', `<r ${declared} a:b:c="1"/>`, false],
    ['a colon in the name of an instruction', '<?a:b c?><r/>', false],
  ] as const) {
    it(`${good ? 'reads' : 'refuses'} ${what}, as the parser's own do`, () => {
      const read = asWeRead(text);
      assert.equal(read !== null, good);
      assert.deepEqual(read, asSaxesReads(text));
    });
  }
});
