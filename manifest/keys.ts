// Ed25519 keys as PEM text (PKCS #8, SubjectPublicKeyInfo): made, read, and as the 32 bytes the device has. The
// cryptography is node:crypto's.
import { createPrivateKey, createPublicKey, generateKeyPairSync } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { DiagnosticError } from '../compiler/diagnostics.js';

export interface KeyPair {
  readonly privatePem: string;
  readonly publicPem: string;
}

export function generateKeys(): KeyPair {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  return {
    privatePem: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    publicPem: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
  };
}

/** @throws DiagnosticError W813 */
export function readPrivateKey(pem: Uint8Array, file: string): KeyObject {
  return readKey(() => createPrivateKey(Buffer.from(pem)), 'private', file);
}

/** @throws DiagnosticError W813; a private key's public half is taken */
export function readPublicKey(pem: Uint8Array, file: string): KeyObject {
  return readKey(() => createPublicKey(Buffer.from(pem)), 'public', file);
}

function readKey(read: () => KeyObject, what: string, file: string): KeyObject {
  let key: KeyObject;
  try {
    key = read();
  } catch {
    throw new DiagnosticError('W813', `no ${what} key in PEM form`, { file });
  }
  if (key.asymmetricKeyType !== 'ed25519')
    throw new DiagnosticError('W813', `a key for ${key.asymmetricKeyType}, not for Ed25519`, { file });
  return key;
}

/** The 32 bytes of a public key (RFC 8032). */
export function rawPublicKey(key: KeyObject): Uint8Array {
  const { x } = key.export({ format: 'jwk' });
  return Buffer.from(x!, 'base64url');
}
