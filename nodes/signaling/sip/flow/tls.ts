/** What a secure connection is made with: whom we trust, and who we are. */
import { readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { createSecureContext, type PeerCertificate, type SecureContext, TLSSocket } from 'node:tls';

/** Files in PEM; all may be absent: then the authorities that come with Node.js are trusted, and we show no certificate. */
export interface TlsFiles {
  /** Certificates of the authorities that are trusted, instead of those that come with Node.js. */
  caFile?: string;
  /** Our certificate, followed by those between it and its authority. */
  certificateFile?: string;
  /** Its private key. */
  keyFile?: string;
}

/** Options of `tls.connect`. */
export interface TlsSettings {
  secureContext: SecureContext;
}

/** Who is at the other end of a secure connection. */
export interface TlsPeer {
  /** Name in its certificate. */
  subject: string;
  /** Name of the authority that has signed the certificate. */
  issuer: string;
  /** Until when the certificate is valid, an ISO instant. */
  validTo: string;
  /** For instance `TLSv1.3`. */
  protocol: string;
}

/** Who is at the other end; undefined where the connection is not secure. */
export function peerOf(socket: Socket): TlsPeer | undefined {
  if (!(socket instanceof TLSSocket)) return undefined;
  const { subject, issuer, valid_to } = socket.getPeerCertificate();
  return {
    subject: nameIn(subject),
    issuer: nameIn(issuer),
    validTo: new Date(valid_to).toISOString(),
    protocol: socket.getProtocol() ?? '',
  };
}

function nameIn(name: PeerCertificate['subject']): string {
  return [name.CN ?? name.O ?? ''].flat().join(', ');
}

/** Reads the files. Throws a RangeError that says which one cannot be used, and why. */
export function tlsSettings({ caFile, certificateFile, keyFile }: TlsFiles): TlsSettings {
  if ((certificateFile === undefined) !== (keyFile === undefined)) {
    throw new RangeError('a client certificate and its key go together: name both files, or none');
  }
  const ca = caFile === undefined ? {} : { ca: read('CA file', caFile) };
  const own =
    certificateFile === undefined || keyFile === undefined
      ? {}
      : { cert: read('client certificate', certificateFile), key: read('client key', keyFile) };
  try {
    return { secureContext: createSecureContext({ ...ca, ...own, minVersion: 'TLSv1.2' }) };
  } catch (error) {
    const files = [caFile, certificateFile, keyFile].filter((file) => file !== undefined).join(', ');
    throw new RangeError(`TLS cannot use ${files}: ${(error as Error).message}`);
  }
}

function read(what: string, path: string): string {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new RangeError(`the ${what} cannot be read: ${(error as Error).message}`);
  }
  // What is no certificate would be passed over in silence, and nobody trusted.
  if (!text.includes('-----BEGIN ')) throw new RangeError(`the ${what} ${path} is not in PEM`);
  return text;
}
