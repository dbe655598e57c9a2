// The one table of WebAssembly opcodes: name, immediates, operand and result types, natural alignment, feature. Also
// names the proposals whose opcodes we refuse. Pure data; knows no validation rule beyond plain operand types, and no IR.
import { ValType } from './types.js';

/** Features beyond Wasm 1.0 that we support. */
export type FeatureName =
  | 'multi-value'
  | 'sign-extension'
  | 'saturating-conversions'
  | 'bulk-memory'
  | 'reference-types'
  | 'mutable-globals'
  | 'tail-call'
  | 'extended-const'
  | 'multi-memory'
  | 'custom-page-sizes';

/** Kind of an opcode's immediates. */
export const Imm = {
  None: 0,
  Block: 1,
  Label: 2,
  LabelTable: 3,
  /** One index: function, local, global, table, memory or segment. */
  Index: 4,
  /** Two indices: type and table, segment and table/memory, destination and source. */
  Index2: 5,
  SelectTypes: 6,
  Memarg: 7,
  I32: 8,
  I64: 9,
  F32: 10,
  F64: 11,
  RefType: 12,
} as const;

export interface OpcodeInfo {
  /** One byte, or 0x100 + the number after the 0xFC prefix. */
  readonly opcode: number;
  readonly name: string;
  readonly imm: number;
  /** Operand type and count for the plain numeric, load and store ops (all their stack operands but an address). */
  readonly operand: number;
  readonly operandCount: number;
  readonly result: number;
  /** log2 of the natural alignment of loads and stores, else 0. */
  readonly align: number;
  readonly feature: FeatureName | null;
}

/** Opcodes of the 0xFC prefix are looked up at this base. */
export const PREFIX_FC = 0x100;
/** Size of tables indexed by opcode. */
export const OPCODE_SPACE = 0x120;

const table: (OpcodeInfo | undefined)[] = new Array<OpcodeInfo | undefined>(OPCODE_SPACE).fill(undefined);

function row(
  opcode: number,
  name: string,
  imm: number,
  operand = 0,
  operandCount = 0,
  result = 0,
  align = 0,
  feature: FeatureName | null = null,
): void {
  table[opcode] = { opcode, name, imm, operand, operandCount, result, align, feature };
}

const { I32, I64, F32, F64 } = ValType;

// Control, variables, tables: typing is the validator's.
row(0x00, 'unreachable', Imm.None);
row(0x01, 'nop', Imm.None);
row(0x02, 'block', Imm.Block);
row(0x03, 'loop', Imm.Block);
row(0x04, 'if', Imm.Block);
row(0x05, 'else', Imm.None);
row(0x0b, 'end', Imm.None);
row(0x0c, 'br', Imm.Label);
row(0x0d, 'br_if', Imm.Label);
row(0x0e, 'br_table', Imm.LabelTable);
row(0x0f, 'return', Imm.None);
row(0x10, 'call', Imm.Index);
row(0x11, 'call_indirect', Imm.Index2);
row(0x12, 'return_call', Imm.Index, 0, 0, 0, 0, 'tail-call');
row(0x13, 'return_call_indirect', Imm.Index2, 0, 0, 0, 0, 'tail-call');
row(0x1a, 'drop', Imm.None);
row(0x1b, 'select', Imm.None);
row(0x1c, 'select', Imm.SelectTypes, 0, 0, 0, 0, 'reference-types');
row(0x20, 'local.get', Imm.Index);
row(0x21, 'local.set', Imm.Index);
row(0x22, 'local.tee', Imm.Index);
row(0x23, 'global.get', Imm.Index);
row(0x24, 'global.set', Imm.Index);
row(0x25, 'table.get', Imm.Index, 0, 0, 0, 0, 'reference-types');
row(0x26, 'table.set', Imm.Index, 0, 0, 0, 0, 'reference-types');
row(0x3f, 'memory.size', Imm.Index);
row(0x40, 'memory.grow', Imm.Index);
row(0x41, 'i32.const', Imm.I32);
row(0x42, 'i64.const', Imm.I64);
row(0x43, 'f32.const', Imm.F32);
row(0x44, 'f64.const', Imm.F64);
row(0xd0, 'ref.null', Imm.RefType, 0, 0, 0, 0, 'reference-types');
row(0xd1, 'ref.is_null', Imm.None, 0, 0, 0, 0, 'reference-types');
row(0xd2, 'ref.func', Imm.Index, 0, 0, 0, 0, 'reference-types');

// Loads: result type and log2 of the access width; stores: operand type and log2 width.
const loads: readonly [string, number, number][] = [
  ['i32.load', I32, 2],
  ['i64.load', I64, 3],
  ['f32.load', F32, 2],
  ['f64.load', F64, 3],
  ['i32.load8_s', I32, 0],
  ['i32.load8_u', I32, 0],
  ['i32.load16_s', I32, 1],
  ['i32.load16_u', I32, 1],
  ['i64.load8_s', I64, 0],
  ['i64.load8_u', I64, 0],
  ['i64.load16_s', I64, 1],
  ['i64.load16_u', I64, 1],
  ['i64.load32_s', I64, 2],
  ['i64.load32_u', I64, 2],
];
loads.forEach(([name, type, align], i) => row(0x28 + i, name, Imm.Memarg, 0, 0, type, align));
const stores: readonly [string, number, number][] = [
  ['i32.store', I32, 2],
  ['i64.store', I64, 3],
  ['f32.store', F32, 2],
  ['f64.store', F64, 3],
  ['i32.store8', I32, 0],
  ['i32.store16', I32, 1],
  ['i64.store8', I64, 0],
  ['i64.store16', I64, 1],
  ['i64.store32', I64, 2],
];
stores.forEach(([name, type, align], i) => row(0x36 + i, name, Imm.Memarg, type, 1, 0, align));

// Plain numeric ops: `count` operands of one type, one result.
function numeric(first: number, type: number, count: number, result: number, names: string): void {
  names.split(' ').forEach((name, i) => row(first + i, name, Imm.None, type, count, result));
}
function prefixed(prefix: string, names: string): string {
  return names
    .split(' ')
    .map((name) => `${prefix}.${name}`)
    .join(' ');
}
const INT_COMPARE = 'eq ne lt_s lt_u gt_s gt_u le_s le_u ge_s ge_u';
const FLOAT_COMPARE = 'eq ne lt gt le ge';
const INT_BINARY = 'add sub mul div_s div_u rem_s rem_u and or xor shl shr_s shr_u rotl rotr';
const FLOAT_UNARY = 'abs neg ceil floor trunc nearest sqrt';
const FLOAT_BINARY = 'add sub mul div min max copysign';
numeric(0x45, I32, 1, I32, 'i32.eqz');
numeric(0x46, I32, 2, I32, prefixed('i32', INT_COMPARE));
numeric(0x50, I64, 1, I32, 'i64.eqz');
numeric(0x51, I64, 2, I32, prefixed('i64', INT_COMPARE));
numeric(0x5b, F32, 2, I32, prefixed('f32', FLOAT_COMPARE));
numeric(0x61, F64, 2, I32, prefixed('f64', FLOAT_COMPARE));
numeric(0x67, I32, 1, I32, 'i32.clz i32.ctz i32.popcnt');
numeric(0x6a, I32, 2, I32, prefixed('i32', INT_BINARY));
numeric(0x79, I64, 1, I64, 'i64.clz i64.ctz i64.popcnt');
numeric(0x7c, I64, 2, I64, prefixed('i64', INT_BINARY));
numeric(0x8b, F32, 1, F32, prefixed('f32', FLOAT_UNARY));
numeric(0x92, F32, 2, F32, prefixed('f32', FLOAT_BINARY));
numeric(0x99, F64, 1, F64, prefixed('f64', FLOAT_UNARY));
numeric(0xa0, F64, 2, F64, prefixed('f64', FLOAT_BINARY));
numeric(0xa7, I64, 1, I32, 'i32.wrap_i64');
numeric(0xa8, F32, 1, I32, 'i32.trunc_f32_s i32.trunc_f32_u');
numeric(0xaa, F64, 1, I32, 'i32.trunc_f64_s i32.trunc_f64_u');
numeric(0xac, I32, 1, I64, 'i64.extend_i32_s i64.extend_i32_u');
numeric(0xae, F32, 1, I64, 'i64.trunc_f32_s i64.trunc_f32_u');
numeric(0xb0, F64, 1, I64, 'i64.trunc_f64_s i64.trunc_f64_u');
numeric(0xb2, I32, 1, F32, 'f32.convert_i32_s f32.convert_i32_u');
numeric(0xb4, I64, 1, F32, 'f32.convert_i64_s f32.convert_i64_u');
numeric(0xb6, F64, 1, F32, 'f32.demote_f64');
numeric(0xb7, I32, 1, F64, 'f64.convert_i32_s f64.convert_i32_u');
numeric(0xb9, I64, 1, F64, 'f64.convert_i64_s f64.convert_i64_u');
numeric(0xbb, F32, 1, F64, 'f64.promote_f32');
numeric(0xbc, F32, 1, I32, 'i32.reinterpret_f32');
numeric(0xbd, F64, 1, I64, 'i64.reinterpret_f64');
numeric(0xbe, I32, 1, F32, 'f32.reinterpret_i32');
numeric(0xbf, I64, 1, F64, 'f64.reinterpret_i64');
const SIGN: FeatureName = 'sign-extension';
row(0xc0, 'i32.extend8_s', Imm.None, I32, 1, I32, 0, SIGN);
row(0xc1, 'i32.extend16_s', Imm.None, I32, 1, I32, 0, SIGN);
row(0xc2, 'i64.extend8_s', Imm.None, I64, 1, I64, 0, SIGN);
row(0xc3, 'i64.extend16_s', Imm.None, I64, 1, I64, 0, SIGN);
row(0xc4, 'i64.extend32_s', Imm.None, I64, 1, I64, 0, SIGN);

// 0xFC prefix
const SAT: FeatureName = 'saturating-conversions';
row(PREFIX_FC + 0, 'i32.trunc_sat_f32_s', Imm.None, F32, 1, I32, 0, SAT);
row(PREFIX_FC + 1, 'i32.trunc_sat_f32_u', Imm.None, F32, 1, I32, 0, SAT);
row(PREFIX_FC + 2, 'i32.trunc_sat_f64_s', Imm.None, F64, 1, I32, 0, SAT);
row(PREFIX_FC + 3, 'i32.trunc_sat_f64_u', Imm.None, F64, 1, I32, 0, SAT);
row(PREFIX_FC + 4, 'i64.trunc_sat_f32_s', Imm.None, F32, 1, I64, 0, SAT);
row(PREFIX_FC + 5, 'i64.trunc_sat_f32_u', Imm.None, F32, 1, I64, 0, SAT);
row(PREFIX_FC + 6, 'i64.trunc_sat_f64_s', Imm.None, F64, 1, I64, 0, SAT);
row(PREFIX_FC + 7, 'i64.trunc_sat_f64_u', Imm.None, F64, 1, I64, 0, SAT);
const BULK: FeatureName = 'bulk-memory';
const REF: FeatureName = 'reference-types';
row(PREFIX_FC + 8, 'memory.init', Imm.Index2, 0, 0, 0, 0, BULK);
row(PREFIX_FC + 9, 'data.drop', Imm.Index, 0, 0, 0, 0, BULK);
row(PREFIX_FC + 10, 'memory.copy', Imm.Index2, 0, 0, 0, 0, BULK);
row(PREFIX_FC + 11, 'memory.fill', Imm.Index, 0, 0, 0, 0, BULK);
row(PREFIX_FC + 12, 'table.init', Imm.Index2, 0, 0, 0, 0, BULK);
row(PREFIX_FC + 13, 'elem.drop', Imm.Index, 0, 0, 0, 0, BULK);
row(PREFIX_FC + 14, 'table.copy', Imm.Index2, 0, 0, 0, 0, BULK);
row(PREFIX_FC + 15, 'table.grow', Imm.Index, 0, 0, 0, 0, REF);
row(PREFIX_FC + 16, 'table.size', Imm.Index, 0, 0, 0, 0, REF);
row(PREFIX_FC + 17, 'table.fill', Imm.Index, 0, 0, 0, 0, REF);

/** Rows by opcode; `undefined` where no supported instruction is. */
export const OPCODES: readonly (OpcodeInfo | undefined)[] = table;

// The columns that per-instruction code needs, as flat arrays.
/** `Imm` kind + 1, 0 for no instruction. */
export const IMM_KIND = new Uint8Array(OPCODE_SPACE);
export const OPERAND_TYPE = new Uint8Array(OPCODE_SPACE);
export const OPERAND_COUNT = new Uint8Array(OPCODE_SPACE);
export const RESULT_TYPE = new Uint8Array(OPCODE_SPACE);
export const NATURAL_ALIGN = new Uint8Array(OPCODE_SPACE);
for (const info of table) {
  if (info === undefined) continue;
  IMM_KIND[info.opcode] = info.imm + 1;
  OPERAND_TYPE[info.opcode] = info.operand;
  OPERAND_COUNT[info.opcode] = info.operandCount;
  RESULT_TYPE[info.opcode] = info.result;
  NATURAL_ALIGN[info.opcode] = info.align;
}

/** Feature of each opcode, null where it is 1.0 (or no instruction). */
export const OPCODE_FEATURE: readonly (FeatureName | null)[] = table.map((info) => info?.feature ?? null);

const EXCEPTIONS = 'exception handling';
const TYPED_REFS = 'typed function references';
const REFUSED: Readonly<Record<number, string>> = {
  0x06: EXCEPTIONS,
  0x07: EXCEPTIONS,
  0x08: EXCEPTIONS,
  0x09: EXCEPTIONS,
  0x0a: EXCEPTIONS,
  0x18: EXCEPTIONS,
  0x19: EXCEPTIONS,
  0x1f: EXCEPTIONS,
  0x14: TYPED_REFS,
  0x15: TYPED_REFS,
  0xd4: TYPED_REFS,
  0xd5: TYPED_REFS,
  0xd6: TYPED_REFS,
  0xd3: 'garbage collection',
  0xfb: 'garbage collection',
  0xfd: 'SIMD (v128)',
  0xfe: 'threads and atomics',
  0xe0: 'stack switching',
  0xe1: 'stack switching',
  0xe2: 'stack switching',
  0xe3: 'stack switching',
  0xe4: 'stack switching',
  0xe5: 'stack switching',
};

/** The proposal that a first byte belongs to when we do not support it, else null: then it is malformed. */
export function refusedOpcode(byte: number): string | null {
  return REFUSED[byte] ?? null;
}

const REFUSED_TYPES: Readonly<Record<number, string>> = {
  0x7b: 'SIMD (v128)',
  0x69: EXCEPTIONS,
  0x74: EXCEPTIONS,
  0x63: TYPED_REFS,
  0x64: TYPED_REFS,
  0x6a: 'garbage collection',
  0x6b: 'garbage collection',
  0x6c: 'garbage collection',
  0x6d: 'garbage collection',
  0x6e: 'garbage collection',
  0x71: 'garbage collection',
  0x72: 'garbage collection',
  0x73: 'garbage collection',
  0x68: 'stack switching',
  0x75: 'stack switching',
};

/** The same for the byte of a value or heap type. */
export function refusedType(byte: number): string | null {
  return REFUSED_TYPES[byte] ?? null;
}
