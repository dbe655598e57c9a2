// A module in IR: functions plus the declarations they refer to. Made by translate/, read by passes and the backend.
// Refuses to know the Wasm binary format: byte ranges have become arrays, names are resolved.
import type { Func } from './function.js';
import type { Signature, Type } from './types.js';

/** Where an imported entity comes from; it becomes the undefined symbol `<module>.<name>`. */
export interface ImportRef {
  readonly module: string;
  readonly name: string;
}

/** The reference types, kept for table and segment declarations; as IR values both are i32. */
export type RefType = 'funcref' | 'externref';

export interface FuncDecl {
  readonly index: number;
  /** Name from the name section, else the first export's name, else `func<index>`. Not unique. */
  readonly name: string;
  readonly typeIndex: number;
  readonly signature: Signature;
  readonly import: ImportRef | null;
  /** Its descriptor's address escapes: exported, in an element segment, or `ref.func`ed. Needs a signature word. */
  readonly addressTaken: boolean;
  readonly exported: boolean;
  /** Byte offset of the body in the .wasm file; 0 for imports. */
  readonly bodyOffset: number;
}

export interface MemoryDecl {
  readonly index: number;
  readonly import: ImportRef | null;
  /** In pages. */
  readonly minPages: number;
  readonly maxPages: number | null;
  /** log2 of the page size in bytes: 16, or 0 with custom page sizes. */
  readonly pageShift: number;
  /**
   * True if the size can change: it is imported, or has a memory.grow or an export and a maximum above its minimum. Else
   * its size is a constant.
   */
  readonly growable: boolean;
  readonly exported: boolean;
}

export interface TableDecl {
  readonly index: number;
  readonly import: ImportRef | null;
  readonly refType: RefType;
  readonly min: number;
  readonly max: number | null;
  /** True if entries or size can change after instantiation (table.set/grow/fill/copy/init, import or export). */
  readonly mutable: boolean;
  /** True if the size can change (table.grow, imported or exported). */
  readonly growable: boolean;
  readonly exported: boolean;
}

export interface GlobalDecl {
  readonly index: number;
  readonly import: ImportRef | null;
  readonly type: Type;
  readonly mutable: boolean;
  readonly refType: RefType | null;
  /** Initial bits (lo, hi) when the initialiser is a plain constant; null when the init function sets it. */
  readonly init: readonly [number, number] | null;
  readonly exported: boolean;
}

/** Data segment. Active segments are copied by the init function through memory.init and then dropped. */
export interface DataSegment {
  readonly index: number;
  readonly bytes: Uint8Array;
  readonly mode: 'active' | 'passive';
  readonly memory: number;
}

/** An element: a function index, or null. Entries that need evaluation (global.get) are set by the init function. */
export interface ElemSegment {
  readonly index: number;
  readonly mode: 'active' | 'passive' | 'declared';
  readonly refType: RefType;
  readonly table: number;
  readonly entries: readonly (number | null)[];
}

export interface ExportDecl {
  readonly name: string;
  readonly kind: 'func' | 'table' | 'memory' | 'global';
  readonly index: number;
}

export interface IrModule {
  /** Name that prefixes the module's symbols: the file's base name made safe, or `--name`. */
  readonly name: string;
  readonly types: readonly Signature[];
  readonly funcs: readonly FuncDecl[];
  readonly memories: readonly MemoryDecl[];
  readonly tables: readonly TableDecl[];
  readonly globals: readonly GlobalDecl[];
  readonly data: readonly DataSegment[];
  readonly elems: readonly ElemSegment[];
  readonly exports: readonly ExportDecl[];
  /** Bodies, in index order. The last one may be the synthesised init function (see `initIndex`). */
  readonly bodies: Func[];
  /** Index of the synthesised function `<module>$init`: evaluates initialisers, applies active segments, calls start. */
  readonly initIndex: number;
}
