// Keys of a fleet: the root that says who belongs to it, and each edge's own. Takes a data directory; makes, keeps and reads
// keys and certificates. Knows no transport.
import { createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { join } from 'node:path';
import { DiagnosticError } from '../../compiler/diagnostics.js';
import { rawPublicKey, readPrivateKey } from '../../manifest/keys.js';
import { isName, openCertificate, publicKeyOf, signCertificate, type EdgeCertificate } from './certificate.js';
import type { EnvelopeIdentity } from './envelope.js';
import { readPrivateFile, writePrivateFile } from './private-file.js';

/** What the owner of the root hands to an edge: who it is, and whom to believe. JSON in a file; nothing in it is secret. */
export interface Enrolment {
  /** Public root key and certificate, base64url. */
  readonly root: string;
  readonly certificate: string;
}

const KEY_FILE = 'identity.pem';
const ENROLMENT_FILE = 'enrolment.json';
/** An edge is warned this long before its certificate ends. */
export const RENEW_BEFORE_MS = 30 * 86_400_000;

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64url');
const fail = (message: string, file?: string): never => {
  throw new DiagnosticError('W912', message, file === undefined ? {} : { file });
};

/** A public key as people pass it on: 43 characters. */
export const keyText = (key: KeyObject): string => text(rawPublicKey(key));

/** @throws DiagnosticError W912 */
export function parseKeyText(key: string): KeyObject {
  if (!/^[A-Za-z0-9_-]{43}$/.test(key)) return fail(`"${key}" is not a public key: 43 characters`);
  return publicKeyOf(Buffer.from(key, 'base64url'));
}

/**
 * The edge's private key, made at the first call.
 * @param folder `security` in the edge's data directory
 * @throws DiagnosticError W813, W913
 */
export function edgeKey(folder: string): KeyObject {
  const path = join(folder, KEY_FILE);
  const kept = readPrivateFile(path);
  if (kept !== null) return readPrivateKey(kept, path);
  const { privateKey } = generateKeyPairSync('ed25519');
  writePrivateFile(path, privateKey.export({ type: 'pkcs8', format: 'pem' }));
  return privateKey;
}

/** Makes the key that a fleet hangs on. @throws DiagnosticError W912 if there is one already */
export function makeRoot(path: string): KeyObject {
  if (readPrivateFile(path) !== null) fail('is there already: all edges would have to be enrolled again', path);
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  writePrivateFile(path, privateKey.export({ type: 'pkcs8', format: 'pem' }));
  return publicKey;
}

/** @throws DiagnosticError W912 if there is none, W813, W913 */
export function readRoot(path: string): KeyObject {
  const pem = readPrivateFile(path);
  return pem === null ? fail('no root key: thingspire fleet init makes one', path) : readPrivateKey(pem, path);
}

/** Signs that a key belongs to edge `name`. @throws DiagnosticError W912 */
export function enrol(name: string, key: KeyObject, root: KeyObject, lifetimeMs: number): Enrolment {
  if (!isName(name)) return fail(`"${name}": lower-case letters, digits and hyphens`);
  const issued = Date.now();
  const certificate = signCertificate({ edge: name, key, issued, expires: issued + lifetimeMs }, root);
  return { root: keyText(createPublicKey(root)), certificate: text(certificate) };
}

/** @throws DiagnosticError W912, W813 and W815 for what is no enrolment of any fleet */
export function parseEnrolment(json: string, file: string): { enrolment: Enrolment; certificate: EdgeCertificate } {
  let value: Partial<Record<keyof Enrolment, unknown>> | null;
  try {
    value = JSON.parse(json) as typeof value;
  } catch {
    return fail('not an enrolment', file);
  }
  const { root, certificate } = value ?? {};
  if (typeof root !== 'string' || typeof certificate !== 'string') return fail('not an enrolment', file);
  const opened = openCertificate(Buffer.from(certificate, 'base64url'), parseKeyText(root), file);
  return { enrolment: { root, certificate }, certificate: opened };
}

/**
 * Keeps an enrolment that was made for this edge's key.
 * @throws DiagnosticError W912 if it is for another key, or of another fleet than before (`replace`: leave that)
 */
export function install(folder: string, json: string, file: string, replace = false): EdgeCertificate {
  const { enrolment, certificate } = parseEnrolment(json, file);
  if (keyText(certificate.key) !== keyText(createPublicKey(edgeKey(folder))))
    fail('made for another key than this edge has', file);
  const path = join(folder, ENROLMENT_FILE);
  const old = readPrivateFile(path);
  if (old !== null && !replace && parseEnrolment(old.toString('utf8'), path).enrolment.root !== enrolment.root)
    fail('this edge belongs to another fleet: --force leaves it', file);
  writePrivateFile(path, `${JSON.stringify(enrolment)}\n`);
  return certificate;
}

/** Public root key of the fleet that an edge is in; null: it is in none. @throws as parseEnrolment */
export function fleetOf(folder: string): string | null {
  const path = join(folder, ENROLMENT_FILE);
  const kept = readPrivateFile(path);
  return kept === null ? null : parseEnrolment(kept.toString('utf8'), path).enrolment.root;
}

/**
 * Who this edge is in its fleet; null: it is in none.
 * @throws DiagnosticError W912 if it has another name or the certificate has ended, W913
 */
export function readIdentity(
  folder: string,
  edge: string,
): (EnvelopeIdentity & { readonly expires: number; readonly rootText: string }) | null {
  const path = join(folder, ENROLMENT_FILE);
  const kept = readPrivateFile(path);
  if (kept === null) return null;
  const { enrolment, certificate } = parseEnrolment(kept.toString('utf8'), path);
  if (certificate.edge !== edge) fail(`enrolled as "${certificate.edge}", started as "${edge}"`, path);
  if (certificate.expires < Date.now()) fail('the certificate has ended: enrol the edge again', path);
  const privateKey = edgeKey(folder);
  if (keyText(certificate.key) !== keyText(createPublicKey(privateKey)))
    fail('made for another key than this edge has', path);
  return {
    edge,
    privateKey,
    certificate: Uint8Array.from(Buffer.from(enrolment.certificate, 'base64url')),
    root: parseKeyText(enrolment.root),
    rootText: enrolment.root,
    expires: certificate.expires,
  };
}
