import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Agent } from 'node:https';
import { createSecureContext } from 'node:tls';
import type { TlsFiles } from '../model/clickhouse-settings.js';

/** A certificate that cannot be used; the message names setting, file and fix. */
export class TlsFileError extends Error {
  override name = 'TlsFileError';
}

/**
 * Connections with the certificates of the settings. An agent of our own, because the client's own way with a
 * certificate also logs in by it, which servers refuse beside a password.
 *
 * @throws TlsFileError
 */
export function tlsAgent({ caFile, certFile, keyFile }: TlsFiles, maxSockets: number): Agent {
  const files = {
    ...(caFile === undefined ? {} : { ca: certificate('caFile', caFile) }),
    ...(certFile === undefined ? {} : { cert: certificate('certFile', certFile) }),
    ...(keyFile === undefined ? {} : { key: read('keyFile', keyFile) }),
  };
  try {
    createSecureContext(files);
  } catch (error) {
    throw new TlsFileError(
      `clickhouse.tls: certFile and keyFile do not go together or cannot be used: ${words(error)}`,
    );
  }
  return new Agent({ keepAlive: true, maxSockets, minVersion: 'TLSv1.2', ...files });
}

/** What to look at when a connection was refused for its certificates; empty for any other error. */
export function tlsHint(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (UNKNOWN_SIGNER.has(code)) {
    return ` (${code}): the server's certificate is not signed by anybody known; set clickhouse.tls.caFile to the certificate of its signer`;
  }
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    return ` (${code}): the host in clickhouse.url is not one that the server's certificate names`;
  }
  if (/_ALERT_(CERTIFICATE|BAD_CERTIFICATE|UNKNOWN_CA)|CERTIFICATE_REQUIRED/.test(code)) {
    return ` (${code}): the server wants another certificate; see clickhouse.tls.certFile and keyFile`;
  }
  return '';
}

const UNKNOWN_SIGNER = new Set([
  'CERT_SIGNATURE_FAILURE',
  'CERT_UNTRUSTED',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
]);

/** The library would ignore a file without any certificate, and then refuse the server for it. */
function certificate(setting: string, file: string): Buffer {
  const text = read(setting, file);
  if (!isCertificate(text))
    throw new TlsFileError(`clickhouse.tls.${setting}: ${file} holds no certificate in PEM form`);
  return text;
}

function isCertificate(pem: Buffer): boolean {
  try {
    return new X509Certificate(pem).raw.length > 0;
  } catch {
    return false;
  }
}

function read(setting: string, file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    throw new TlsFileError(`clickhouse.tls.${setting}: ${file} cannot be read (${words(error)})`);
  }
}

function words(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
