// Shapes of the Xtensa instruction table: what a row, an operand and a decoded instruction are. Knows no encoding of
// any particular instruction (rows/), no allocator and no simulator.

/** Register files of LX6 that an operand can name. `ar` a0-a15, `fr` f0-f15, `br` b0-b15, `mr` m0-m3 (MAC16). */
export type RegisterFile = 'ar' | 'fr' | 'br' | 'mr';

/**
 * What an operand's number means.
 * - a register file: the register's number
 * - `simm`/`uimm`: the *semantic* value (e.g. l32i's byte offset 0..1020, addi's -128..127, b4const's table value)
 * - `pcrel`: the byte displacement target - pc, where pc is the address of the instruction itself
 *   (the row's field codec knows the per-format base, e.g. pc+4 for branches, (pc+3)&~3 for L32R)
 * - `sr`/`ur`: special/user register number
 */
export type OperandKind = RegisterFile | 'simm' | 'uimm' | 'pcrel' | 'sr' | 'ur';

export type OperandRole = 'def' | 'use' | 'usedef';

/** A field codec: maps a semantic value to raw field bits and back, and raw bits to their place in the word. */
export interface FieldCodec {
  readonly name: string;
  /** (high bit, low bit) spans in the instruction word, most significant first. */
  readonly spans: readonly (readonly [number, number])[];
  /** Every bit of the instruction word that the field occupies. */
  readonly wordMask: number;
  /** Smallest and largest semantic value at `pc`; not every value between them need fit. */
  minimum(pc: number): number;
  maximum(pc: number): number;
  /** True if `value` is representable. `pc` matters for pc-relative fields only (alignment of L32R/CALL targets). */
  fits(value: number, pc: number): boolean;
  /** Semantic value -> raw bits (right aligned). Only meaningful when `fits`. */
  toRaw(value: number, pc: number): number;
  fromRaw(raw: number, pc: number): number;
  /** Raw bits that stand for no value (an unknown special register, a reserved shift) are not `valid`. */
  valid(raw: number): boolean;
  /** Raw bits -> their place in the instruction word, and back. */
  place(raw: number): number;
  extract(word: number): number;
}

export interface OperandSpec {
  readonly name: string;
  readonly kind: OperandKind;
  readonly role: OperandRole;
  readonly field: FieldCodec;
}

/** Which part of the LX6 configuration an instruction belongs to (a `--cpu` without it must refuse it). */
export type IsaFeature =
  | 'core'
  | 'density'
  | 'windowed'
  | 'loop'
  | 'mul16'
  | 'mul32'
  | 'mul32high'
  | 'div32'
  | 'mac16'
  | 'minmax'
  | 'sext'
  | 'nsa'
  | 'clamps'
  | 'boolean'
  | 'fp'
  | 'fpstep'
  | 's32c1i'
  | 'sync'
  | 'exception'
  | 'interrupt'
  | 'debug'
  | 'tlb'
  | 'userregister'
  | 'externalregs'
  | 'simcall';

/**
 * How control leaves the instruction. `branch` is conditional; `jump` is `j`; `jumpreg` is `jx`; `loop` sets
 * LBEG/LEND/LCOUNT; `trap` enters an exception vector and never falls through by itself.
 */
export type FlowKind =
  'next' | 'branch' | 'jump' | 'jumpreg' | 'call' | 'callreg' | 'return' | 'loop' | 'trap' | 'exception-return';

export interface MemoryAccess {
  readonly kind: 'load' | 'store' | 'load-store';
  readonly bytes: 1 | 2 | 4;
}

export interface InstructionRow {
  /** Index into INSTRUCTIONS; the value `Op.X` holds. */
  readonly opcode: number;
  /** Assembler mnemonic in lower case, e.g. `add`, `l32i.n`, `madd.s`. */
  readonly name: string;
  readonly size: 2 | 3;
  /** Fixed bits: word & mask === match. */
  readonly match: number;
  readonly mask: number;
  /** In assembler order. */
  readonly operands: readonly OperandSpec[];
  readonly feature: IsaFeature;
  readonly flow: FlowKind;
  /** Memory access in bytes and direction, for loads and stores. */
  readonly access: MemoryAccess | undefined;
  /** Registers read or written without being operands, e.g. `sar`, `a0`, `lcount`, `acc`. */
  readonly implicitUses: readonly string[];
  readonly implicitDefs: readonly string[];
  /**
   * True when only ring 0 code of the firmware may use it (rfe, rsil, ...): the module verifier refuses it. For
   * rsr/wsr/xsr the register decides: ask `isPrivileged` of special-registers.ts.
   */
  readonly privileged: boolean;
}

/** One decoded instruction: the row and the semantic operand values in assembler order. */
export interface DecodedInstruction {
  readonly row: InstructionRow;
  readonly opcode: number;
  readonly operands: readonly number[];
}
