/** What a secure connection is made with: whom we trust, and who we are. */
import { readFileSync } from 'node:fs';
import { createSecureContext, type SecureContext } from 'node:tls';

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
