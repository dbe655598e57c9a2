// Objects as the linker sees them after reading: sections, symbols, relocations. Plain data; knows no file format, no
// address and no policy.
import type { ObjectInfo } from '../compiler/abi/object-info.js';

/**
 * What a section is for, which decides where it goes.
 * - `vectors`: exception vectors, at the start of IRAM
 * - `code`: instructions with their literals (word access only)
 * - `rodata`, `data`, `bss`: byte-addressable data
 * - `modules`: the array of pointers to `struct wasm_module`
 * - `memory`: the bytes of a linear memory
 */
export type SectionKind = 'vectors' | 'code' | 'rodata' | 'data' | 'bss' | 'modules' | 'memory';

/** Relocations in columns: entry i patches `offset[i]` with the value of `symbol[i]` plus `addend[i]`. */
export interface RelocationTable {
  readonly count: number;
  readonly offset: Uint32Array;
  /** R_XTENSA_* number. */
  readonly type: Uint8Array;
  /** Index into the object's symbols. */
  readonly symbol: Uint32Array;
  readonly addend: Int32Array;
}

export interface InputSection {
  readonly object: InputObject;
  readonly index: number;
  readonly name: string;
  readonly kind: SectionKind;
  /** Null for NOBITS. */
  readonly bytes: Uint8Array | null;
  readonly size: number;
  readonly align: number;
  readonly relocations: RelocationTable;
}

export type SymbolType = 'none' | 'object' | 'function' | 'section' | 'file';

export interface InputSymbol {
  readonly name: string;
  readonly binding: 'local' | 'global' | 'weak';
  readonly type: SymbolType;
  /** Offset in its section, or the value of an absolute symbol. */
  readonly value: number;
  readonly size: number;
  /** `undefined` must be found elsewhere; `absolute` is its value; `section` is relative to `section`. */
  readonly place: 'undefined' | 'absolute' | 'section';
  readonly section: InputSection | null;
}

export interface InputObject {
  /** For messages: file name or module name. */
  readonly name: string;
  /** Part of the runtime (stays in RAM) or a compiled module. */
  readonly origin: 'runtime' | 'module';
  readonly sections: InputSection[];
  readonly symbols: readonly InputSymbol[];
  readonly info: ObjectInfo | null;
}

export const NO_RELOCATIONS: RelocationTable = {
  count: 0,
  offset: new Uint32Array(0),
  type: new Uint8Array(0),
  symbol: new Uint32Array(0),
  addend: new Int32Array(0),
};
