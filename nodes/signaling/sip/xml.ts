/** XML from the network: namespaces, hard limits, and no document types, so nothing that expands or fetches. */
import { SaxesParser } from 'saxes';
import { NamespaceScopes, type XmlAttribute } from './xml-names';

/** Longest text that is parsed, in UTF-16 units. */
const longestText = 2 * 1024 * 1024;
const deepest = 32;
const mostAttributes = 64;

/** An element with all that is below it. */
export interface XmlElement {
  /** Local name. */
  name: string;
  namespace: string;
  children: XmlElement[];
  /** Character data of an element without children, joined and trimmed. */
  text: string;
  /** In the order in which they were written; see `attribute`. */
  readonly attributes: readonly XmlAttribute[];
}

/**
 * Told of each element when it ends, with those that it is in, the root first. Where it returns true it has taken the element,
 * which is then not kept in the tree: a list of thousands never stands in memory as a whole.
 */
export type TakeElement = (element: XmlElement, ancestors: readonly XmlElement[]) => boolean;

/** Parses a whole document; what it cannot read is an error that says so in words, never an exception. */
export function parseXml(text: string, take: TakeElement = keep): XmlElement | { error: string } {
  if (text.length > longestText) return { error: `longer than ${longestText} characters` };
  try {
    reader ??= new Reader();
    return reader.read(text, take) ?? { error: 'no element' };
  } catch (error) {
    // It has stopped in the middle of a document, and there is no way to have it begin anew.
    reader = null;
    return { error: error instanceof Error ? error.message : String(error) };
  }
}

/** Kept from one document to the next: what makes it fast (see its constructor) is worth a document or two. */
let reader: Reader | null = null;
const childless: XmlElement[] = [];
const keep: TakeElement = () => false;

/** The parser, and the elements that it is in. */
class Reader {
  private readonly parser = new SaxesParser({ xmlns: false });
  private readonly scopes = new NamespaceScopes();
  private readonly open: XmlElement[] = [];
  private root: XmlElement | undefined;
  private take = keep;
  /** Of the tag that is being read. */
  private attributes: XmlAttribute[] = [];

  constructor() {
    const { parser } = this;
    // A handler that throws is the way out of saxes, which would otherwise go on after an error.
    const refuse = (reason: string): never => {
      throw new Error(reason);
    };
    parser.on('error', (error) => refuse(`not well-formed: ${error.message}`));
    parser.on('doctype', () => refuse('a document type declaration, which is not allowed'));
    parser.on('processinginstruction', ({ target }) => {
      // Namespaces in XML 1.0, 7.
      if (target.includes(':')) refuse(`not well-formed: a colon in the name "${target}"`);
    });
    parser.on('opentagstart', () => {
      this.attributes = [];
      if (this.open.length >= deepest) refuse(`elements nested more than ${deepest} deep`);
    });
    parser.on('attribute', (attribute) => {
      this.attributes.push(attribute);
      if (this.attributes.length > mostAttributes) refuse(`more than ${mostAttributes} attributes in one element`);
    });
    parser.on('opentag', ({ name: written }) => {
      const { attributes } = this;
      const { local: name, namespace } = this.scopes.enter(written, attributes);
      this.open.push({ name, namespace, attributes, children: childless, text: '' });
    });
    const addText = (value: string): void => {
      const element = this.open.at(-1);
      if (element && element.children === childless) element.text += value;
    };
    parser.on('text', addText);
    parser.on('cdata', addText);
    parser.on('closetag', () => {
      const element = this.open.pop();
      if (element) this.close(element);
    });
    // Handlers are properties that saxes sets by computed names, for which V8 makes the parser a dictionary, four times as
    // slow. An object that serves as a prototype is made a fast one again.
    void Object.create(parser).write;
  }

  private close(element: XmlElement): void {
    this.scopes.leave();
    element.text = element.children === childless ? element.text.trim() : '';
    const parent = this.open.at(-1);
    if (!parent) {
      this.root = element;
      return;
    }
    const taken = this.take(element, this.open);
    if (parent.children === childless) parent.children = taken ? [] : [element];
    else if (!taken) parent.children.push(element);
  }

  read(text: string, take: TakeElement): XmlElement | undefined {
    this.take = take;
    this.parser.write(text).close();
    const { root } = this;
    this.root = undefined;
    this.take = keep;
    return root;
  }
}

/** Value of an attribute by its local name; attributes in a namespace included. */
export function attribute(element: XmlElement | undefined, name: string): string | undefined {
  return element?.attributes.find((each) => isCalled(each.name, name))?.value;
}

function isCalled(qualified: string, local: string): boolean {
  const prefix = qualified.length - local.length;
  return prefix === 0 ? qualified === local : prefix > 1 && qualified[prefix - 1] === ':' && qualified.endsWith(local);
}

/** All children of that name in the namespace of their parent: extensions of others have theirs. */
export function childrenOf(element: XmlElement | undefined, name: string): XmlElement[] {
  return element?.children.filter((each) => each.name === name && each.namespace === element.namespace) ?? [];
}

/** The first of them. */
export function child(element: XmlElement | undefined, name: string): XmlElement | undefined {
  return element?.children.find((each) => each.name === name && each.namespace === element.namespace);
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
