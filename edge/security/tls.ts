// Certificate and key of the edge's HTTP side: from files, or made by itself and kept. Takes paths; gives PEM and the
// fingerprint that clients pin. Knows no server.
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { hostname, networkInterfaces } from 'node:os';
import { isIP } from 'node:net';
import { join } from 'node:path';
import { generate } from 'selfsigned';
import { DiagnosticError } from '../../compiler/diagnostics.js';
import { fingerprintOf } from './fingerprint.js';
import { readPrivateFile, readSecret, writePrivateFile } from './private-file.js';

export interface TlsFiles {
  readonly certificate: string;
  readonly key: string;
}

export interface TlsIdentity {
  /** PEM, with intermediate certificates if there are any. */
  readonly cert: string;
  /** PEM. */
  readonly key: string;
  /** SHA-256 of the certificate as `AB:CD:...`. */
  readonly fingerprint: string;
  /** Made by this edge: clients need the fingerprint or the file. */
  readonly selfSigned: boolean;
}

const YEARS = 10;
const RENEW_BEFORE_MS = 30 * 86_400_000;

/** @throws DiagnosticError W601, W910 if they do not belong together, W913 if others can read the key */
export function readTls({ certificate, key }: TlsFiles): TlsIdentity {
  let cert: string;
  try {
    cert = readFileSync(certificate, 'utf8');
  } catch (error) {
    throw new DiagnosticError('W601', (error as Error).message, { file: certificate });
  }
  return check(cert, readSecret(key).toString('utf8'), certificate, false);
}

/**
 * The edge's own certificate, made when there is none or it ends soon.
 * @param folder null: a new one each time
 * @param names beside this machine's own: host names and addresses
 */
export async function ownTls(folder: string | null, names: readonly string[]): Promise<TlsIdentity> {
  const path = folder === null ? null : join(folder, 'tls.pem');
  const kept = path === null ? null : readPrivateFile(path)?.toString('utf8');
  if (kept) {
    const [cert, key] = [/-+BEGIN CERT[^]*?END CERTIFICATE-+/.exec(kept), /-+BEGIN [A-Z ]*PRIVATE[^]*KEY-+/.exec(kept)];
    if (cert === null || key === null) throw new DiagnosticError('W910', 'no certificate with key', { file: path! });
    const until = Date.parse(new X509Certificate(cert[0]).validTo);
    if (until - Date.now() > RENEW_BEFORE_MS) return check(cert[0], key[0], path!, true);
  }
  const made = await generate([{ name: 'commonName', value: hostname() }], {
    keyType: 'ec',
    curve: 'P-256',
    algorithm: 'sha256',
    notAfterDate: new Date(Date.now() + YEARS * 365 * 86_400_000),
    extensions: [
      { name: 'basicConstraints', cA: false, critical: true },
      { name: 'keyUsage', digitalSignature: true, critical: true },
      { name: 'extKeyUsage', serverAuth: true },
      { name: 'subjectAltName', altNames: alternativeNames(names) },
    ],
  });
  if (path !== null) writePrivateFile(path, `${made.cert.trim()}\n${made.private.trim()}\n`);
  return check(made.cert, made.private, path ?? 'certificate', true);
}

/** All by which this machine may be called, for clients that are given the certificate. */
function alternativeNames(names: readonly string[]): ({ type: 7; ip: string } | { type: 2; value: string })[] {
  const addresses = Object.values(networkInterfaces()).flatMap((list) => (list ?? []).map(({ address }) => address));
  const all = new Set(['localhost', '127.0.0.1', '::1', hostname(), ...addresses, ...names]);
  return [...all]
    .filter((name) => name !== '' && !['0.0.0.0', '::'].includes(name) && !name.includes('%'))
    .map((name) => (isIP(name) === 0 ? { type: 2, value: name } : { type: 7, ip: name }));
}

function check(cert: string, key: string, file: string, selfSigned: boolean): TlsIdentity {
  let fits: boolean;
  let certificate: X509Certificate;
  try {
    certificate = new X509Certificate(cert);
    fits = certificate.checkPrivateKey(createPrivateKey(key));
  } catch (error) {
    throw new DiagnosticError('W910', `no certificate and key in PEM form: ${(error as Error).message}`, { file });
  }
  if (!fits) throw new DiagnosticError('W910', 'the key is not that of the certificate', { file });
  return { cert, key, fingerprint: fingerprintOf(certificate.raw), selfSigned };
}
