/** XML from the network: namespaces, hard limits, and no document types, so nothing that expands or fetches. */
import { SaxesParser } from 'saxes';

/** Longest text that is parsed, in UTF-16 units. */
const longestText = 2 * 1024 * 1024;
const deepest = 32;
const mostAttributes = 64;

/** An element with all that is below it. */
export interface XmlElement {
  /** Local name. */
  name: string;
  namespace: string;
  /** By local name; attributes in a namespace included. */
  attributes: Map<string, string>;
  children: XmlElement[];
  /** Character data directly in it, joined and trimmed. */
  text: string;
}

/** Parses a whole document; what it cannot read is an error that says so in words, never an exception. */
export function parseXml(text: string): XmlElement | { error: string } {
  if (text.length > longestText) return { error: `longer than ${longestText} characters` };
  const parser = new SaxesParser({ xmlns: true });
  const open: XmlElement[] = [];
  let root: XmlElement | undefined;
  let attributes = 0;
  // A handler that throws is the way out of saxes, which would otherwise go on after an error.
  const refuse = (reason: string): never => {
    throw new Error(reason);
  };
  parser.on('error', (error) => refuse(`not well-formed: ${error.message}`));
  parser.on('doctype', () => refuse('a document type declaration, which is not allowed'));
  parser.on('opentagstart', () => {
    attributes = 0;
    if (open.length >= deepest) refuse(`elements nested more than ${deepest} deep`);
  });
  parser.on('attribute', () => {
    attributes += 1;
    if (attributes > mostAttributes) refuse(`more than ${mostAttributes} attributes in one element`);
  });
  parser.on('opentag', (tag) => {
    const element: XmlElement = {
      name: tag.local,
      namespace: tag.uri,
      attributes: new Map(Object.values(tag.attributes).map(({ local, value }) => [local, value])),
      children: [],
      text: '',
    };
    open.at(-1)?.children.push(element);
    root ??= element;
    open.push(element);
  });
  const addText = (value: string): void => {
    const element = open.at(-1);
    if (element) element.text += value;
  };
  parser.on('text', addText);
  parser.on('cdata', addText);
  parser.on('closetag', () => {
    const element = open.pop();
    if (element) element.text = element.text.trim();
  });
  try {
    parser.write(text).close();
  } catch (error) {
    return { error: error instanceof Error ? error.message : String(error) };
  }
  return root ?? { error: 'no element' };
}

/** All children of that name in the namespace of their parent: extensions of others have theirs. */
export function childrenOf(element: XmlElement | undefined, name: string): XmlElement[] {
  return element?.children.filter((each) => each.name === name && each.namespace === element.namespace) ?? [];
}

/** The first of them. */
export function child(element: XmlElement | undefined, name: string): XmlElement | undefined {
  return childrenOf(element, name)[0];
}

/** Text as it may stand in an element or between quotes; what XML 1.0 has no way to say (2.2) is left out. */
export function escapeXml(text: string): string {
  return [...text]
    .filter((character) => sayable(character.codePointAt(0) ?? 0))
    .join('')
    .replace(/[&<>"'\r\n\t]/g, (character) => `&#${character.charCodeAt(0)};`);
}

function sayable(code: number): boolean {
  if (code < 0x20) return code === 0x09 || code === 0x0a || code === 0x0d;
  return code < 0xd800 || (code > 0xdfff && code < 0xfffe) || code > 0xffff;
}
