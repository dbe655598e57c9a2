// Canonical text and 32-bit identity of function signatures: what the word before an address-taken function holds and
// what an indirect call compares with. Pure; knows no module and no code.
import { type Signature, Type } from '../ir/types.js';

const LETTERS: Readonly<Record<number, string>> = {
  [Type.I32]: 'i',
  [Type.I64]: 'I',
  [Type.F32]: 'f',
  [Type.F64]: 'F',
};

/**
 * Canonical text `params:results`, a letter a value: i I f F for the numeric types, r funcref, e externref (from
 * `Signature.text`, since references are i32 in the IR).
 */
export function signatureText(sig: Signature): string {
  const letters = (types: readonly Type[]): string => types.map((type) => LETTERS[type]).join('');
  return sig.text ?? `${letters(sig.params)}:${letters(sig.results)}`;
}

/** 32-bit FNV-1a hash of the canonical text as a signed number, never 0. */
export function signatureId(sig: Signature): number {
  const text = signatureText(sig);
  let hash = 0x811c9dc5 | 0;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash === 0 ? 1 : hash;
}
