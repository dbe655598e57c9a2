// The operand fields of LX6 instruction formats: where their bits lie and what value they stand for. Takes values or
// raw bits, gives the other. Refuses to know which instruction uses which field (rows/).

import type { FieldCodec } from './types.js';
import { SPECIAL_REGISTERS, USER_REGISTERS, numbersWith } from './special-registers.js';
import type { SystemAccess, SystemRegister } from './special-registers.js';

/** How raw bits become a value. Small integers so that one class serves all fields and calls stay monomorphic. */
const LINEAR = 0;
/** value = table[raw]. */
const TABLE = 1;
/** value = 32 - raw; raw 0 is reserved (slli). */
const FROM_32 = 2;

/** What a pc-relative displacement counts from, beside its constant bias. */
const BASE_PC = 0;
/** The pc rounded down to 4 (CALLn). */
const BASE_PC_DOWN = 1;
/** The pc rounded up to 4 (L32R). */
const BASE_PC_UP = 2;

type Span = readonly [high: number, low: number];

interface FieldOptions {
  /** Largest value before scaling; raw bits above it stand for negative numbers. Default: all ones (unsigned). */
  readonly top?: number;
  readonly shift?: number;
  readonly bias?: number;
  readonly base?: number;
  readonly table?: readonly number[];
  readonly from32?: boolean;
  /** Raw values that exist; default all. */
  readonly only?: readonly number[];
}

/** One field codec; see FieldCodec for the contract of each member. */
export class Field implements FieldCodec {
  readonly name: string;
  readonly spans: readonly Span[];
  readonly wordMask: number;
  private readonly transform: number;
  private readonly rawMask: number;
  private readonly modulus: number;
  private readonly top: number;
  private readonly shift: number;
  private readonly bias: number;
  private readonly base: number;
  private readonly table: readonly number[];
  private readonly rawOf: ReadonlyMap<number, number>;
  private readonly only: Uint8Array | undefined;
  private readonly lowWidth: number;
  private readonly lowMask: number;
  private readonly lowShift: number;
  private readonly highMask: number;
  private readonly highShift: number;

  constructor(name: string, spans: readonly Span[], options: FieldOptions = {}) {
    const low = spans[spans.length - 1] as Span;
    const high = spans.length === 2 ? (spans[0] as Span) : undefined;
    this.name = name;
    this.spans = spans;
    this.lowWidth = low[0] - low[1] + 1;
    this.lowMask = (1 << this.lowWidth) - 1;
    this.lowShift = low[1];
    const highWidth = high === undefined ? 0 : high[0] - high[1] + 1;
    this.highMask = (1 << highWidth) - 1;
    this.highShift = high === undefined ? 0 : high[1];
    this.wordMask = (this.lowMask << this.lowShift) | (this.highMask << this.highShift);
    this.modulus = 1 << (this.lowWidth + highWidth);
    this.rawMask = this.modulus - 1;
    this.top = options.top ?? this.rawMask;
    this.shift = options.shift ?? 0;
    this.bias = options.bias ?? 0;
    this.base = options.base ?? BASE_PC;
    this.table = options.table ?? [];
    this.rawOf = new Map(this.table.map((value, raw) => [value, raw]));
    this.transform = options.table !== undefined ? TABLE : options.from32 === true ? FROM_32 : LINEAR;
    if (options.only !== undefined) {
      this.only = new Uint8Array(this.modulus);
      for (const raw of options.only) this.only[raw] = 1;
    } else {
      this.only = undefined;
    }
  }

  /** What is added to the scaled raw value at this pc. */
  private biasAt(pc: number): number {
    if (this.base === BASE_PC) return this.bias;
    return this.base === BASE_PC_DOWN ? this.bias - (pc & 3) : this.bias + (-pc & 3);
  }

  minimum(pc: number): number {
    if (this.transform === TABLE) return Math.min(...this.table);
    if (this.transform === FROM_32) return 1;
    return (this.top - this.rawMask) * (1 << this.shift) + this.biasAt(pc);
  }

  maximum(pc: number): number {
    if (this.transform === TABLE) return Math.max(...this.table);
    if (this.transform === FROM_32) return 31;
    return this.top * (1 << this.shift) + this.biasAt(pc);
  }

  fits(value: number, pc: number): boolean {
    if (this.transform === TABLE) return this.rawOf.has(value);
    if ((value | 0) !== value) return false;
    if (this.transform === FROM_32) return value >= 1 && value <= 31;
    const scaled = value - this.biasAt(pc);
    if ((scaled & ((1 << this.shift) - 1)) !== 0) return false;
    const unit = scaled >> this.shift;
    if (unit > this.top || unit < this.top - this.rawMask) return false;
    return this.only === undefined || this.only[unit & this.rawMask] === 1;
  }

  toRaw(value: number, pc: number): number {
    if (this.transform === TABLE) return this.rawOf.get(value) ?? 0;
    if (this.transform === FROM_32) return 32 - value;
    return ((value - this.biasAt(pc)) >> this.shift) & this.rawMask;
  }

  fromRaw(raw: number, pc: number): number {
    if (this.transform === TABLE) return this.table[raw] as number;
    if (this.transform === FROM_32) return 32 - raw;
    const unit = raw > this.top ? raw - this.modulus : raw;
    return (unit << this.shift) + this.biasAt(pc);
  }

  valid(raw: number): boolean {
    if (this.transform === FROM_32) return raw !== 0;
    return this.only === undefined || this.only[raw] === 1;
  }

  place(raw: number): number {
    return ((raw & this.lowMask) << this.lowShift) | (((raw >> this.lowWidth) & this.highMask) << this.highShift);
  }

  extract(word: number): number {
    return ((word >> this.lowShift) & this.lowMask) | (((word >> this.highShift) & this.highMask) << this.lowWidth);
  }
}

/** Largest positive value of a two's complement field of `bits` bits. */
const signed = (bits: number): number => (1 << (bits - 1)) - 1;

// Register fields. The format's r, s and t nibbles; MAC16 names m0-m3 by one or two bits.
export const R = new Field('r', [[15, 12]]);
export const S = new Field('s', [[11, 8]]);
export const T = new Field('t', [[7, 4]]);
export const MX = new Field('mx', [[14, 14]]);
export const MY = new Field('my', [[6, 6]], { bias: 2 });
export const MW = new Field('mw', [[13, 12]]);
/** First of four, or of eight, boolean registers (any4/all4, any8/all8). */
export const BS4 = new Field('bs4', [[11, 10]], { shift: 2 });
export const BS8 = new Field('bs8', [[11, 11]], { shift: 3 });

// Immediate fields of the 24-bit formats.
export const SIMM8 = new Field('simm8', [[23, 16]], { top: signed(8) });
export const SIMM8_X256 = new Field('simm8x256', [[23, 16]], { top: signed(8), shift: 8 });
export const UIMM8 = new Field('uimm8', [[23, 16]]);
export const UIMM8_X2 = new Field('uimm8x2', [[23, 16]], { shift: 1 });
export const UIMM8_X4 = new Field('uimm8x4', [[23, 16]], { shift: 2 });
/** movi: the upper four bits sit in the s nibble. */
// prettier-ignore
export const SIMM12B = new Field('simm12b', [[11, 8], [23, 16]], { top: signed(12) });
export const UIMM12_X8 = new Field('uimm12x8', [[23, 12]], { shift: 3 });
/** l32e/s32e: negative word offsets -64..-4. */
export const RIMM_X4 = new Field('immrx4', [[15, 12]], { shift: 2, bias: -64 });
/** clamps/sext: bit position 7..22. */
export const TIMM_PLUS_7 = new Field('tp7', [[7, 4]], { bias: 7 });
/** rotw: -8..7 windows. */
export const SIMM4_T = new Field('simm4', [[7, 4]], { top: signed(4) });
export const UIMM_S = new Field('uimm_s', [[11, 8]]);
export const UIMM_T = new Field('uimm_t', [[7, 4]]);
// prettier-ignore
export const SHIFT_LEFT = new Field('msalp32', [[20, 20], [7, 4]], { from32: true });
// prettier-ignore
export const SHIFT_RIGHT_S = new Field('sargt', [[20, 20], [11, 8]]);
// prettier-ignore
export const SHIFT_SAR = new Field('sas', [[4, 4], [11, 8]]);
// prettier-ignore
export const EXTRACT_SHIFT = new Field('sae', [[16, 16], [11, 8]]);
/** extui: width of the extracted field, 1..16. */
export const EXTRACT_WIDTH = new Field('op2p1', [[23, 20]], { bias: 1 });
// prettier-ignore
export const BIT_INDEX = new Field('bbi', [[12, 12], [7, 4]]);
const B4_TAIL = [2, 3, 4, 5, 6, 7, 8, 10, 12, 16, 32, 64, 128, 256] as const;
export const B4CONST = new Field('b4const', [[15, 12]], { table: [-1, 1, ...B4_TAIL] });
export const B4CONSTU = new Field('b4constu', [[15, 12]], { table: [32768, 65536, ...B4_TAIL] });

// Immediate fields of the 16-bit formats.
/** addi.n: -1, 1..15. */
export const AI4CONST = new Field('ai4const', [[7, 4]], {
  table: [-1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
});
export const UIMM4_X4 = new Field('lsi4x4', [[15, 12]], { shift: 2 });
/** movi.n: -32..95. */
// prettier-ignore
export const SIMM7 = new Field('simm7', [[6, 4], [15, 12]], { top: 95 });

// Displacements. Branches, loops and jumps count from pc + 4 whatever the instruction's own length is.
export const LABEL8 = new Field('label8', [[23, 16]], { top: signed(8), bias: 4 });
export const ULABEL8 = new Field('ulabel8', [[23, 16]], { bias: 4 });
export const LABEL12 = new Field('label12', [[23, 12]], { top: signed(12), bias: 4 });
// prettier-ignore
export const ULABEL6 = new Field('ulabel6', [[5, 4], [15, 12]], { bias: 4 });
export const JUMP18 = new Field('soffset', [[23, 6]], { top: signed(18), bias: 4 });
export const CALL18 = new Field('soffsetx4', [[23, 6]], { top: signed(18), shift: 2, bias: 4, base: BASE_PC_DOWN });
/** l32r: one-extended, always backward. */
export const LITERAL16 = new Field('uimm16x4', [[23, 8]], { top: -1, shift: 2, base: BASE_PC_UP });

function systemField(
  name: string,
  spans: readonly Span[],
  file: readonly SystemRegister[],
  access: SystemAccess,
): Field {
  return new Field(name, spans, { only: numbersWith(file, access) });
}
export const SR_READ = systemField('sr', [[15, 8]], SPECIAL_REGISTERS, 'r');
export const SR_WRITE = systemField('sr', [[15, 8]], SPECIAL_REGISTERS, 'w');
export const SR_EXCHANGE = systemField('sr', [[15, 8]], SPECIAL_REGISTERS, 'x');
export const UR_READ = systemField('st', [[11, 4]], USER_REGISTERS, 'r');
export const UR_WRITE = systemField('sr', [[15, 8]], USER_REGISTERS, 'w');
