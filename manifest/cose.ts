// COSE_Sign1 (RFC 9052) with EdDSA and Ed25519: the envelope of packages. CBOR is cborg's, cryptography node:crypto's.
import { sign, verify } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { decode, encode } from 'cborg';
import { DiagnosticError } from '../compiler/diagnostics.js';

/** CBOR tag 18. */
const COSE_SIGN1_TAG = 0xd2;
const HEADER_ALG = 1;
const ALG_EDDSA = -8;

const NOTHING = new Uint8Array(0);
const protectedHeader = (): Uint8Array => encode(new Map([[HEADER_ALG, ALG_EDDSA]]));

function signedBytes(header: Uint8Array, payload: Uint8Array, context: Uint8Array): Uint8Array {
  return encode(['Signature1', header, context, payload]);
}

/**
 * The tagged COSE_Sign1 of a payload.
 * @param context external_aad: what kind of message it is, so that a signature of one kind is none of another
 */
export function signMessage(payload: Uint8Array, privateKey: KeyObject, context: Uint8Array = NOTHING): Uint8Array {
  const header = protectedHeader();
  const signature = sign(null, signedBytes(header, payload, context), privateKey);
  return Buffer.concat([Uint8Array.of(COSE_SIGN1_TAG), encode([header, {}, payload, Uint8Array.from(signature)])]);
}

/**
 * The payload of a COSE_Sign1, whose signature is checked if a key is given.
 * @throws DiagnosticError W815 malformed or of another kind, W813 not signed with this key
 */
export function openMessage(
  message: Uint8Array,
  file: string,
  publicKey: KeyObject | null,
  context: Uint8Array = NOTHING,
): Uint8Array {
  const fail = (what: string): never => {
    throw new DiagnosticError('W815', what, { file });
  };
  let parts: unknown;
  try {
    parts = decode(message[0] === COSE_SIGN1_TAG ? message.subarray(1) : message, { allowIndefinite: false });
  } catch (error) {
    return fail(`no COSE_Sign1: ${error instanceof Error ? error.message : String(error)}`);
  }
  if (!Array.isArray(parts) || parts.length !== 4) return fail('no COSE_Sign1: not an array of four');
  const [header, , payload, signature] = parts as unknown[];
  if (!(header instanceof Uint8Array) || !(payload instanceof Uint8Array) || !(signature instanceof Uint8Array))
    return fail('no COSE_Sign1: parts are no byte strings');
  if (Buffer.compare(header, protectedHeader()) !== 0) return fail('signed with another algorithm than EdDSA');
  if (publicKey !== null && !verify(null, signedBytes(header, payload, context), publicKey, signature))
    throw new DiagnosticError('W813', 'not signed with this key, or changed since', { file });
  return payload;
}
