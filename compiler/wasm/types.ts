// The decoded form of a WebAssembly module: declarations with their byte offsets, bodies and data still as byte ranges.
// Pure data. Knows nothing of IR and makes no promise of validity: decode.ts fills it, validate.ts judges it.
import type { FeatureName } from './opcodes.js';

/** Value types by their binary encoding. `Bottom` is the validator's unknown type of polymorphic stacks. */
export const ValType = {
  Bottom: 0,
  I32: 0x7f,
  I64: 0x7e,
  F32: 0x7d,
  F64: 0x7c,
  FuncRef: 0x70,
  ExternRef: 0x6f,
} as const;

const VAL_TYPE_NAMES: Readonly<Record<number, string>> = {
  0: 'any',
  0x7f: 'i32',
  0x7e: 'i64',
  0x7d: 'f32',
  0x7c: 'f64',
  0x70: 'funcref',
  0x6f: 'externref',
};

/** Text name of a value type byte. */
export function valTypeName(type: number): string {
  return VAL_TYPE_NAMES[type] ?? `0x${type.toString(16)}`;
}

export function isRefType(type: number): boolean {
  return type === ValType.FuncRef || type === ValType.ExternRef;
}

/** A function type; the numbers are `ValType` bytes. */
export interface FuncType {
  readonly params: readonly number[];
  readonly results: readonly number[];
}

/** Text of a function type, e.g. `(i32, i64) -> (f32)`. */
export function formatFuncType(type: FuncType): string {
  return `(${type.params.map(valTypeName).join(', ')}) -> (${type.results.map(valTypeName).join(', ')})`;
}

export type ExternKind = 'func' | 'table' | 'memory' | 'global';

/** One import; `index` is its place in the index space of its kind. */
export interface WasmImport {
  readonly module: string;
  readonly name: string;
  readonly kind: ExternKind;
  readonly index: number;
  readonly offset: number;
}

export interface WasmFunc {
  readonly typeIndex: number;
  readonly import: WasmImport | null;
  /** Offset of the declaration (type index) in the file. */
  readonly offset: number;
  /** Byte range of the body (local declarations, then code), set by the code section; 0 for imports. */
  bodyStart: number;
  bodyEnd: number;
}

export interface WasmTable {
  readonly refType: number;
  readonly min: number;
  readonly max: number | null;
  readonly import: WasmImport | null;
  readonly offset: number;
}

export interface WasmMemory {
  /** In pages of 2^pageShift bytes. */
  readonly min: number;
  readonly max: number | null;
  readonly pageShift: number;
  readonly import: WasmImport | null;
  readonly offset: number;
}

/** One instruction of a constant expression. `imm`, `imm2` as in the IR's constants, or an index, or a type byte. */
export interface ConstInst {
  readonly opcode: number;
  readonly offset: number;
  readonly imm: number;
  readonly imm2: number;
}

export interface ConstExpr {
  readonly offset: number;
  readonly insts: readonly ConstInst[];
}

export interface WasmGlobal {
  readonly type: number;
  readonly mutable: boolean;
  readonly import: WasmImport | null;
  readonly init: ConstExpr | null;
  readonly offset: number;
}

export interface WasmExport {
  readonly name: string;
  readonly kind: ExternKind;
  readonly index: number;
  readonly offset: number;
}

export type SegmentMode = 'active' | 'passive' | 'declared';

export interface WasmElem {
  readonly mode: SegmentMode;
  readonly table: number;
  /** Where an active segment goes; null otherwise. */
  readonly place: ConstExpr | null;
  readonly refType: number;
  /** Exactly one of the two is set. */
  readonly funcs: readonly number[] | null;
  readonly exprs: readonly ConstExpr[] | null;
  readonly offset: number;
}

export interface WasmData {
  readonly mode: 'active' | 'passive';
  readonly memory: number;
  readonly place: ConstExpr | null;
  /** Byte range of the contents in the file. */
  readonly start: number;
  readonly end: number;
  readonly offset: number;
}

export interface CustomSection {
  readonly name: string;
  /** Byte range of the contents after the name. */
  readonly start: number;
  readonly end: number;
}

/** Index spaces hold imports first, as the spec orders them. */
export interface WasmModule {
  readonly bytes: Uint8Array;
  readonly types: FuncType[];
  readonly imports: WasmImport[];
  readonly funcs: WasmFunc[];
  readonly tables: WasmTable[];
  readonly memories: WasmMemory[];
  readonly globals: WasmGlobal[];
  readonly exports: WasmExport[];
  /** Start function's index, or null. */
  start: { readonly index: number; readonly offset: number } | null;
  readonly elems: WasmElem[];
  readonly data: WasmData[];
  /** Value of the data count section, or null. */
  dataCount: number | null;
  readonly customs: CustomSection[];
  /** Function names of the name section. */
  readonly funcNames: Map<number, string>;
  moduleName: string | null;
  /** Non-fatal findings, e.g. a malformed name section. */
  readonly warnings: string[];
  /** Number of imported functions: the first index with a body. */
  importedFuncs: number;
  importedGlobals: number;
  /** Features beyond the 1.0 core that the structure or a body uses. */
  readonly features: Set<FeatureName>;
}

/** Display names of all functions: name section, else `module.name` of imports, else first export, else `func<index>`. */
export function funcNames(m: WasmModule): string[] {
  const exported = new Map<number, string>();
  for (const { kind, index, name } of m.exports) {
    if (kind === 'func' && !exported.has(index)) exported.set(index, name);
  }
  return m.funcs.map((func, index) => {
    const named = m.funcNames.get(index);
    if (named !== undefined && named !== '') return named;
    if (func.import !== null) return `${func.import.module}.${func.import.name}`;
    return exported.get(index) ?? `func${index}`;
  });
}
