// Certificates of edges: CBOR Web Tokens (RFC 8392) in COSE_Sign1 with a confirmation key (RFC 8747), signed by the fleet's
// root key. Takes and gives bytes and keys; knows no files and no clock.
import { createPublicKey, type KeyObject } from 'node:crypto';
import { decode, encode } from 'cborg';
import { DiagnosticError } from '../../compiler/diagnostics.js';
import { openMessage, signMessage } from '../../manifest/cose.js';
import { rawPublicKey } from '../../manifest/keys.js';

/** Claims (RFC 8392, 3.1; RFC 8747, 3.1). */
const Claim = { Subject: 2, Expires: 4, Issued: 6, Confirmation: 8 } as const;
/** COSE_Key inside the confirmation claim; of an octet key pair (RFC 9053, 7.2): kind, curve, x. */
const CONFIRMATION_KEY = 1;
const KeyLabel = { Kind: 1, Curve: -1, X: -2 } as const;
const OCTET_KEY_PAIR = 1;
const ED25519 = 6;
const ED25519_BYTES = 32;

const CONTEXT = Buffer.from('thingspire edge certificate');

export interface EdgeCertificate {
  /** Name of the edge, without `edge:`. */
  readonly edge: string;
  readonly key: KeyObject;
  /** Milliseconds since 1970. */
  readonly issued: number;
  readonly expires: number;
}

/** A name as places and things have it. */
export const isName = (text: string): boolean => /^[a-z][a-z0-9-]{0,30}$/.test(text);

export function signCertificate({ edge, key, issued, expires }: EdgeCertificate, root: KeyObject): Uint8Array {
  const coseKey = new Map<number, unknown>([
    [KeyLabel.Kind, OCTET_KEY_PAIR],
    [KeyLabel.Curve, ED25519],
    [KeyLabel.X, Uint8Array.from(rawPublicKey(key))],
  ]);
  const claims = new Map<number, unknown>([
    [Claim.Subject, edge],
    [Claim.Expires, Math.floor(expires / 1000)],
    [Claim.Issued, Math.floor(issued / 1000)],
    [Claim.Confirmation, new Map([[CONFIRMATION_KEY, coseKey]])],
  ]);
  return signMessage(encode(claims), root, CONTEXT);
}

/**
 * What a certificate says. Its time is for the caller to check.
 * @param root public key of the fleet
 * @throws DiagnosticError W815 malformed, W813 not signed by the root, W912 other claims than those of an edge
 */
export function openCertificate(bytes: Uint8Array, root: KeyObject, file: string): EdgeCertificate {
  const payload = openMessage(bytes, file, root, CONTEXT);
  const claims = mapOf(decode(payload, { useMaps: true, allowIndefinite: false }));
  const key = mapOf(mapOf(claims?.get(Claim.Confirmation))?.get(CONFIRMATION_KEY));
  const edge = claims?.get(Claim.Subject);
  const [expires, issued] = [claims?.get(Claim.Expires), claims?.get(Claim.Issued)];
  const x = key?.get(KeyLabel.X);
  const fine =
    key?.get(KeyLabel.Kind) === OCTET_KEY_PAIR && key.get(KeyLabel.Curve) === ED25519 && x instanceof Uint8Array;
  if (!fine || x.length !== ED25519_BYTES || typeof edge !== 'string' || !isName(edge))
    throw new DiagnosticError('W912', 'not the certificate of an edge', { file });
  if (typeof expires !== 'number' || typeof issued !== 'number')
    throw new DiagnosticError('W912', 'a certificate without an end', { file });
  return { edge, key: publicKeyOf(x), issued: issued * 1000, expires: expires * 1000 };
}

/** The key object of the 32 bytes of a public key. */
export function publicKeyOf(raw: Uint8Array): KeyObject {
  const x = Buffer.from(raw).toString('base64url');
  return createPublicKey({ format: 'jwk', key: { kty: 'OKP', crv: 'Ed25519', x } });
}

function mapOf(value: unknown): Map<number, unknown> | undefined {
  return value instanceof Map ? (value as Map<number, unknown>) : undefined;
}
