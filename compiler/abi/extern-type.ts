// Types of exported and imported memories, tables and globals as one line of text, and the rule when an export satisfies
// an import (Wasm core specification, "External Types: matching"). Takes declarations; knows no linker.
import type { GlobalDecl, MemoryDecl, TableDecl } from '../ir/module.js';
import { Type } from '../ir/types.js';

const LETTERS: Readonly<Record<number, string>> = {
  [Type.I32]: 'i',
  [Type.I64]: 'I',
  [Type.F32]: 'f',
  [Type.F64]: 'F',
};
const refLetter = (refType: 'funcref' | 'externref'): string => (refType === 'funcref' ? 'r' : 'e');

/** `min:max:pageShift`, max `-` for none. */
export const memoryTypeText = (m: MemoryDecl): string => `${m.minPages}:${m.maxPages ?? '-'}:${m.pageShift}`;
/** `min:max:r` or `min:max:e`. */
export const tableTypeText = (t: TableDecl): string => `${t.min}:${t.max ?? '-'}:${refLetter(t.refType)}`;
/** Type letter, then `v` for mutable, `c` for constant. */
export const globalTypeText = (g: GlobalDecl): string =>
  `${g.refType !== null ? refLetter(g.refType) : LETTERS[g.type]}${g.mutable ? 'v' : 'c'}`;

/** True if an export of type `given` may be imported as `wanted`; both of the same kind. */
export function externTypeMatches(kind: 'memory' | 'table' | 'global', given: string, wanted: string): boolean {
  if (kind === 'global') return given === wanted;
  const [givenMin, givenMax, givenRest] = given.split(':');
  const [wantedMin, wantedMax, wantedRest] = wanted.split(':');
  if (givenRest !== wantedRest || Number(givenMin) < Number(wantedMin)) return false;
  return wantedMax === '-' || (givenMax !== '-' && Number(givenMax) <= Number(wantedMax));
}
