/**
 * Namespaces in XML 1.0: what a prefix stands for, while a document is read. The parser could do it too, but makes an
 * object and a search of each element for it, which rosters feel (docs/sip.md, "Rosters").
 */

/** An attribute as it was written. */
export interface XmlAttribute {
  name: string;
  value: string;
}

type Prefixes = ReadonlyMap<string, string>;

const xml = 'http://www.w3.org/XML/1998/namespace';
const xmlns = 'http://www.w3.org/2000/xmlns/';
const outermost: Prefixes = new Map([['xml', xml]]);

/** What the prefixes stand for in the elements that are open. */
export class NamespaceScopes {
  private readonly scopes: Prefixes[] = [];

  /**
   * An element begins: what it is called. An error in words is thrown for what Namespaces in XML 1.0 forbids: a prefix that
   * nobody has declared (5), a reserved one (3), two attributes of one name (6.3), a name that has two colons (4).
   */
  enter(name: string, attributes: readonly XmlAttribute[]): { local: string; namespace: string } {
    const around = this.scopes.at(-1) ?? outermost;
    const scope = attributes.some(isDeclaration) ? declare(around, attributes.filter(isDeclaration)) : around;
    this.scopes.push(scope);
    if (attributes.length > 0) checkAttributes(scope, attributes);
    const colon = colonOf(name);
    if (colon < 0) return { local: name, namespace: scope.get('') ?? '' };
    return { local: name.slice(colon + 1), namespace: resolve(scope, name.slice(0, colon)) };
  }

  /** The element ends that was entered last. */
  leave(): void {
    this.scopes.pop();
  }
}

function isDeclaration({ name }: XmlAttribute): boolean {
  return name.startsWith('xmlns') && (name.length === 5 || name[5] === ':');
}

function declare(around: Prefixes, declarations: readonly XmlAttribute[]): Prefixes {
  const scope = new Map(around);
  for (const { name, value } of declarations) {
    const prefix = name.slice(6);
    const namespace = value.trim();
    if (prefix !== '' && namespace === '') throw new Error(`the prefix "${prefix}" is declared as nothing`);
    if (prefix === 'xmlns' || namespace === xmlns || (prefix === 'xml') !== (namespace === xml)) {
      throw new Error(`"${name}" declares what is reserved`);
    }
    scope.set(prefix, namespace);
  }
  return scope;
}

/** Attributes without a prefix are in no namespace, and that no two of them are the same has the parser seen to. */
function checkAttributes(scope: Prefixes, attributes: readonly XmlAttribute[]): void {
  let seen: Set<string> | undefined;
  for (const attribute of attributes) {
    const { name } = attribute;
    const colon = colonOf(name);
    if (colon < 0 || isDeclaration(attribute)) continue;
    const expanded = `${resolve(scope, name.slice(0, colon))} ${name.slice(colon + 1)}`;
    seen ??= new Set();
    if (seen.has(expanded)) throw new Error(`the attribute "${name}" is there twice`);
    seen.add(expanded);
  }
}

function resolve(scope: Prefixes, prefix: string): string {
  const namespace = scope.get(prefix);
  if (namespace === undefined) throw new Error(`the prefix "${prefix}" is not declared`);
  return namespace;
}

/** Where the prefix of a name ends; -1 where it has none. */
function colonOf(name: string): number {
  const colon = name.indexOf(':');
  if (colon >= 0 && (colon === 0 || colon === name.length - 1 || name.includes(':', colon + 1))) {
    throw new Error(`malformed name "${name}"`);
  }
  return colon;
}
