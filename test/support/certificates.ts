/** Certificates for tests, made on the spot: X.509 (RFC 5280) in DER, signed with ECDSA on P-256. */
import { generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { isIPv4 } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A certificate and its key, in PEM. */
export interface Certified {
  certificate: string;
  key: string;
}

/** An authority that issues certificates; its own is in `certificate`. */
export class CertificateAuthority {
  readonly certificate: string;
  private readonly key: KeyObject;
  private folder: string | null = null;

  constructor(private readonly name = 'Test authority') {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    this.key = privateKey;
    this.certificate = this.certify(name, publicKey, basicConstraints(true));
  }

  /** A certificate for host names and IPv4 addresses. */
  issue(...names: [string, ...string[]]): Certified {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const certificate = this.certify(names[0], publicKey, basicConstraints(false), subjectAltName(names));
    return { certificate, key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString() };
  }

  /** Writes a text to a file, which is there until `dispose`; returns its path. */
  file(name: string, text: string): string {
    this.folder ??= mkdtempSync(join(tmpdir(), 'certificates-'));
    const path = join(this.folder, name);
    writeFileSync(path, text, { mode: 0o600 });
    return path;
  }

  /** Removes the files. */
  dispose(): void {
    if (this.folder !== null) rmSync(this.folder, { recursive: true, force: true });
    this.folder = null;
  }

  private certify(subject: string, key: KeyObject, ...extensions: Buffer[]): string {
    const day = 86_400_000;
    const validity = sequence(time(Date.now() - day), time(Date.now() + 30 * day));
    const serial = Buffer.concat([Buffer.from([1]), randomBytes(8)]);
    const toBeSigned = sequence(
      tagged(0xa0, integer(Buffer.from([2]))),
      integer(serial),
      ecdsaWithSha256,
      distinguishedName(this.name),
      validity,
      distinguishedName(subject),
      key.export({ type: 'spki', format: 'der' }),
      tagged(0xa3, sequence(...extensions)),
    );
    const signature = sign('sha256', toBeSigned, this.key);
    const der = sequence(toBeSigned, ecdsaWithSha256, tagged(0x03, Buffer.from([0]), signature));
    const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
    return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
  }
}

function tagged(tag: number, ...parts: Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  const size = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...size]), content]);
}

function sequence(...parts: Buffer[]): Buffer {
  return tagged(0x30, ...parts);
}

function integer(bytes: Buffer): Buffer {
  return tagged(0x02, bytes);
}

/** An object identifier, in hexadecimal as it is encoded. */
function identifier(hex: string): Buffer {
  return tagged(0x06, Buffer.from(hex, 'hex'));
}

const ecdsaWithSha256 = sequence(identifier('2a8648ce3d040302'));

/** One common name. */
function distinguishedName(name: string): Buffer {
  return sequence(tagged(0x31, sequence(identifier('550403'), tagged(0x0c, Buffer.from(name)))));
}

/** UTCTime, `YYMMDDHHMMSSZ`. */
function time(at: number): Buffer {
  const digits = new Date(at).toISOString().replace(/[-:T]/g, '').slice(2, 14);
  return tagged(0x17, Buffer.from(`${digits}Z`));
}

function basicConstraints(authority: boolean): Buffer {
  const critical = tagged(0x01, Buffer.from([0xff]));
  const value = authority ? sequence(tagged(0x01, Buffer.from([0xff]))) : sequence();
  return sequence(identifier('551d13'), critical, tagged(0x04, value));
}

function subjectAltName(names: readonly string[]): Buffer {
  const general = names.map((name) =>
    isIPv4(name) ? tagged(0x87, Buffer.from(name.split('.').map(Number))) : tagged(0x82, Buffer.from(name)),
  );
  return sequence(identifier('551d11'), tagged(0x04, sequence(...general)));
}
