// The IR's one op table: every op's name, operand types, result type and effect class. Everything that must know about
// ops (builder, printer, parser, verifier, interpreter, passes, selection) asks this table. Knows no pass, no machine.
import { Type } from './types.js';

/**
 * Effect class of an op.
 * - `pure`: value depends on operands only; may be merged, moved, dropped
 * - `trap`: like pure but may trap: not moved above a dominating effect, dropped only if proved not to trap
 * - `read`: reads state in `reads`
 * - `write`: changes state in `writes` (and may read)
 * - `call`: arbitrary effects
 * - `terminator`: ends a block
 */
export type EffectClass = 'pure' | 'trap' | 'read' | 'write' | 'call' | 'terminator';

/** State resources an op may read or write, as bits. */
export const enum Resource {
  None = 0,
  Memory = 1,
  Global = 2,
  Table = 4,
  /** Current size of a memory. */
  MemorySize = 8,
  TableSize = 16,
  /** Dropped state of data and element segments. */
  Segment = 32,
  All = 63,
}

/** Result rule: a fixed type, or taken from the instruction itself (`inst.type`, set by the builder). */
export type ResultRule = Type | 'dynamic';

/** What `inst.imm`, `inst.imm2` and `inst.aux` hold for the op (names only, for printer and parser). */
export interface OpInfo {
  readonly name: string;
  /** Types of the operands; `null` when they vary (calls, block transfers, projections, phi-like). */
  readonly operands: readonly Type[] | null;
  readonly result: ResultRule;
  readonly effect: EffectClass;
  readonly commutative: boolean;
  readonly reads: number;
  readonly writes: number;
  /** May trap (also for `read`, `write` and `call` ops). */
  readonly traps: boolean;
  /** Names of the immediates in `imm` and `imm2`, if used. */
  readonly imm: readonly string[];
}

const table: OpInfo[] = [];

interface OpOptions {
  effect?: EffectClass;
  commutative?: boolean;
  reads?: number;
  writes?: number;
  traps?: boolean;
  imm?: readonly string[];
}

function define(name: string, operands: readonly Type[] | null, result: ResultRule, o: OpOptions = {}): number {
  const effect = o.effect ?? 'pure';
  table.push({
    name,
    operands,
    result,
    effect,
    commutative: o.commutative ?? false,
    reads: o.reads ?? (effect === 'call' ? Resource.All : 0),
    writes: o.writes ?? (effect === 'call' ? Resource.All : 0),
    traps: o.traps ?? (effect === 'trap' || effect === 'call'),
    imm: o.imm ?? [],
  });
  return table.length - 1;
}

const { Void, I32, I64, F32, F64 } = { Void: Type.Void, I32: Type.I32, I64: Type.I64, F32: Type.F32, F64: Type.F64 };
const bin = (n: string, t: Type, commutative = false): number => define(n, [t, t], t, { commutative });
const cmp = (n: string, t: Type, commutative = false): number => define(n, [t, t], I32, { commutative });
const un = (n: string, from: Type, to: Type = from): number => define(n, [from], to);
const trapBin = (n: string, t: Type): number => define(n, [t, t], t, { effect: 'trap' });
const trapUn = (n: string, from: Type, to: Type): number => define(n, [from], to, { effect: 'trap' });
const MEM_IMM = ['offset', 'memory'] as const;
/** Loads and stores take a *native pointer* (see `mem.addr`); `imm` = byte offset, `imm2` = memory index (-1: runtime state). */
const load = (n: string, t: Type): number =>
  define(n, [I32], t, { effect: 'read', reads: Resource.Memory, imm: MEM_IMM });
const store = (n: string, t: Type): number =>
  define(n, [I32, t], Void, { effect: 'write', writes: Resource.Memory, imm: MEM_IMM });

/** Op numbers by name. Numeric ops have Wasm's own names and Wasm's own semantics. */
export const Op = {
  // -- block parameters and constants
  /** Block parameter; lives in `block.params`, not in `block.insts`. */
  Param: define('param', [], 'dynamic'),
  /** imm = value as a signed 32-bit integer. */
  I32Const: define('i32.const', [], I32, { imm: ['value'] }),
  /** imm = low word, imm2 = high word, both signed 32-bit. */
  I64Const: define('i64.const', [], I64, { imm: ['lo', 'hi'] }),
  /** imm = bit pattern as a signed 32-bit integer. */
  F32Const: define('f32.const', [], F32, { imm: ['bits'] }),
  /** imm, imm2 = low and high word of the bit pattern. */
  F64Const: define('f64.const', [], F64, { imm: ['lo', 'hi'] }),
  /** Address of symbol `aux: string` plus imm; known at link time. */
  Symbol: define('symbol', [], I32, { imm: ['addend'] }),
  /** Result number imm of the multi-result call in args[0]; directly follows it. */
  Proj: define('proj', null, 'dynamic', { imm: ['index'] }),

  // -- i32
  I32Eqz: define('i32.eqz', [I32], I32),
  I32Eq: cmp('i32.eq', I32, true),
  I32Ne: cmp('i32.ne', I32, true),
  I32LtS: cmp('i32.lt_s', I32),
  I32LtU: cmp('i32.lt_u', I32),
  I32GtS: cmp('i32.gt_s', I32),
  I32GtU: cmp('i32.gt_u', I32),
  I32LeS: cmp('i32.le_s', I32),
  I32LeU: cmp('i32.le_u', I32),
  I32GeS: cmp('i32.ge_s', I32),
  I32GeU: cmp('i32.ge_u', I32),
  I32Clz: un('i32.clz', I32),
  I32Ctz: un('i32.ctz', I32),
  I32Popcnt: un('i32.popcnt', I32),
  I32Add: bin('i32.add', I32, true),
  I32Sub: bin('i32.sub', I32),
  I32Mul: bin('i32.mul', I32, true),
  I32DivS: trapBin('i32.div_s', I32),
  I32DivU: trapBin('i32.div_u', I32),
  I32RemS: trapBin('i32.rem_s', I32),
  I32RemU: trapBin('i32.rem_u', I32),
  I32And: bin('i32.and', I32, true),
  I32Or: bin('i32.or', I32, true),
  I32Xor: bin('i32.xor', I32, true),
  I32Shl: bin('i32.shl', I32),
  I32ShrS: bin('i32.shr_s', I32),
  I32ShrU: bin('i32.shr_u', I32),
  I32Rotl: bin('i32.rotl', I32),
  I32Rotr: bin('i32.rotr', I32),
  I32Extend8S: un('i32.extend8_s', I32),
  I32Extend16S: un('i32.extend16_s', I32),
  // -- i64
  I64Eqz: define('i64.eqz', [I64], I32),
  I64Eq: cmp('i64.eq', I64, true),
  I64Ne: cmp('i64.ne', I64, true),
  I64LtS: cmp('i64.lt_s', I64),
  I64LtU: cmp('i64.lt_u', I64),
  I64GtS: cmp('i64.gt_s', I64),
  I64GtU: cmp('i64.gt_u', I64),
  I64LeS: cmp('i64.le_s', I64),
  I64LeU: cmp('i64.le_u', I64),
  I64GeS: cmp('i64.ge_s', I64),
  I64GeU: cmp('i64.ge_u', I64),
  I64Clz: un('i64.clz', I64),
  I64Ctz: un('i64.ctz', I64),
  I64Popcnt: un('i64.popcnt', I64),
  I64Add: bin('i64.add', I64, true),
  I64Sub: bin('i64.sub', I64),
  I64Mul: bin('i64.mul', I64, true),
  I64DivS: trapBin('i64.div_s', I64),
  I64DivU: trapBin('i64.div_u', I64),
  I64RemS: trapBin('i64.rem_s', I64),
  I64RemU: trapBin('i64.rem_u', I64),
  I64And: bin('i64.and', I64, true),
  I64Or: bin('i64.or', I64, true),
  I64Xor: bin('i64.xor', I64, true),
  I64Shl: bin('i64.shl', I64),
  I64ShrS: bin('i64.shr_s', I64),
  I64ShrU: bin('i64.shr_u', I64),
  I64Rotl: bin('i64.rotl', I64),
  I64Rotr: bin('i64.rotr', I64),
  I64Extend8S: un('i64.extend8_s', I64),
  I64Extend16S: un('i64.extend16_s', I64),
  I64Extend32S: un('i64.extend32_s', I64),
  // -- f32
  F32Eq: cmp('f32.eq', F32, true),
  F32Ne: cmp('f32.ne', F32, true),
  F32Lt: cmp('f32.lt', F32),
  F32Gt: cmp('f32.gt', F32),
  F32Le: cmp('f32.le', F32),
  F32Ge: cmp('f32.ge', F32),
  F32Abs: un('f32.abs', F32),
  F32Neg: un('f32.neg', F32),
  F32Ceil: un('f32.ceil', F32),
  F32Floor: un('f32.floor', F32),
  F32Trunc: un('f32.trunc', F32),
  F32Nearest: un('f32.nearest', F32),
  F32Sqrt: un('f32.sqrt', F32),
  F32Add: bin('f32.add', F32, true),
  F32Sub: bin('f32.sub', F32),
  F32Mul: bin('f32.mul', F32, true),
  F32Div: bin('f32.div', F32),
  F32Min: bin('f32.min', F32, true),
  F32Max: bin('f32.max', F32, true),
  F32Copysign: bin('f32.copysign', F32),
  // -- f64
  F64Eq: cmp('f64.eq', F64, true),
  F64Ne: cmp('f64.ne', F64, true),
  F64Lt: cmp('f64.lt', F64),
  F64Gt: cmp('f64.gt', F64),
  F64Le: cmp('f64.le', F64),
  F64Ge: cmp('f64.ge', F64),
  F64Abs: un('f64.abs', F64),
  F64Neg: un('f64.neg', F64),
  F64Ceil: un('f64.ceil', F64),
  F64Floor: un('f64.floor', F64),
  F64Trunc: un('f64.trunc', F64),
  F64Nearest: un('f64.nearest', F64),
  F64Sqrt: un('f64.sqrt', F64),
  F64Add: bin('f64.add', F64, true),
  F64Sub: bin('f64.sub', F64),
  F64Mul: bin('f64.mul', F64, true),
  F64Div: bin('f64.div', F64),
  F64Min: bin('f64.min', F64, true),
  F64Max: bin('f64.max', F64, true),
  F64Copysign: bin('f64.copysign', F64),
  // -- conversions
  I32WrapI64: un('i32.wrap_i64', I64, I32),
  I64ExtendI32S: un('i64.extend_i32_s', I32, I64),
  I64ExtendI32U: un('i64.extend_i32_u', I32, I64),
  I32TruncF32S: trapUn('i32.trunc_f32_s', F32, I32),
  I32TruncF32U: trapUn('i32.trunc_f32_u', F32, I32),
  I32TruncF64S: trapUn('i32.trunc_f64_s', F64, I32),
  I32TruncF64U: trapUn('i32.trunc_f64_u', F64, I32),
  I64TruncF32S: trapUn('i64.trunc_f32_s', F32, I64),
  I64TruncF32U: trapUn('i64.trunc_f32_u', F32, I64),
  I64TruncF64S: trapUn('i64.trunc_f64_s', F64, I64),
  I64TruncF64U: trapUn('i64.trunc_f64_u', F64, I64),
  I32TruncSatF32S: un('i32.trunc_sat_f32_s', F32, I32),
  I32TruncSatF32U: un('i32.trunc_sat_f32_u', F32, I32),
  I32TruncSatF64S: un('i32.trunc_sat_f64_s', F64, I32),
  I32TruncSatF64U: un('i32.trunc_sat_f64_u', F64, I32),
  I64TruncSatF32S: un('i64.trunc_sat_f32_s', F32, I64),
  I64TruncSatF32U: un('i64.trunc_sat_f32_u', F32, I64),
  I64TruncSatF64S: un('i64.trunc_sat_f64_s', F64, I64),
  I64TruncSatF64U: un('i64.trunc_sat_f64_u', F64, I64),
  F32ConvertI32S: un('f32.convert_i32_s', I32, F32),
  F32ConvertI32U: un('f32.convert_i32_u', I32, F32),
  F32ConvertI64S: un('f32.convert_i64_s', I64, F32),
  F32ConvertI64U: un('f32.convert_i64_u', I64, F32),
  F32DemoteF64: un('f32.demote_f64', F64, F32),
  F64ConvertI32S: un('f64.convert_i32_s', I32, F64),
  F64ConvertI32U: un('f64.convert_i32_u', I32, F64),
  F64ConvertI64S: un('f64.convert_i64_s', I64, F64),
  F64ConvertI64U: un('f64.convert_i64_u', I64, F64),
  F64PromoteF32: un('f64.promote_f32', F32, F64),
  I32ReinterpretF32: un('i32.reinterpret_f32', F32, I32),
  I64ReinterpretF64: un('i64.reinterpret_f64', F64, I64),
  F32ReinterpretI32: un('f32.reinterpret_i32', I32, F32),
  F64ReinterpretI64: un('f64.reinterpret_i64', I64, F64),

  // -- beyond Wasm: what legalisation and strength reduction make
  /** select(cond, ifNonZero, ifZero); type of the values = inst.type. */
  Select: define('select', null, 'dynamic'),
  /** High word of the unsigned / signed 64-bit product. */
  I32MulHU: bin('i32.mulh_u', I32, true),
  I32MulHS: bin('i32.mulh_s', I32, true),
  I32MinS: bin('i32.min_s', I32, true),
  I32MinU: bin('i32.min_u', I32, true),
  I32MaxS: bin('i32.max_s', I32, true),
  I32MaxU: bin('i32.max_u', I32, true),
  /** i64 from (lo, hi); and back. Exist only around legalisation. */
  I64Make: define('i64.make', [I32, I32], I64),
  I64Lo: define('i64.lo', [I64], I32),
  I64Hi: define('i64.hi', [I64], I32),
  /** High word of a 64-bit sum: aHi + bHi + (lo <u aLo), with lo = aLo + bLo. args: aLo, aHi, bHi, lo. */
  I32AddHi: define('i32.add_hi', [I32, I32, I32, I32], I32),
  /** High word of a 64-bit difference: aHi - bHi - (aLo <u bLo). args: aLo, aHi, bLo, bHi. */
  I32SubHi: define('i32.sub_hi', [I32, I32, I32, I32], I32),
  /** Funnel shift right: low word of ((hi:lo) >> (n & 31)). args: hi, lo, n. */
  I32Funnel: define('i32.funnel', [I32, I32, I32], I32),
  /** Funnel shift left: high word of ((hi:lo) << (n & 31)); n = 0 gives hi. args: hi, lo, n. */
  I32FunnelL: define('i32.funnel_l', [I32, I32, I32], I32),

  // -- linear memory
  /**
   * Checks addr (unsigned) + imm (extent, 1..2^32) <= size of memory imm2, trapping otherwise, and gives the native
   * pointer of addr: address translation and bounds check are this one op (D9, D10). Every load and store takes such a
   * pointer and an offset+width within its extent. Extent 0 is translation alone: the bounds pass has proved, for the
   * places where the pointer is used, that no check is needed. `aux`: rights of windows that satisfy it too (windows.ts).
   */
  MemAddr: define('mem.addr', [I32], I32, { effect: 'trap', reads: Resource.MemorySize, imm: ['extent', 'memory'] }),
  /** Current size of memory imm in bytes (as u32; 2^32 shows as 0xffffffff, no board has it). */
  MemBytes: define('mem.bytes', [], I32, { effect: 'read', reads: Resource.MemorySize, imm: ['memory'] }),
  I32Load: load('i32.load', I32),
  I32Load8S: load('i32.load8_s', I32),
  I32Load8U: load('i32.load8_u', I32),
  I32Load16S: load('i32.load16_s', I32),
  I32Load16U: load('i32.load16_u', I32),
  I64Load: load('i64.load', I64),
  I64Load8S: load('i64.load8_s', I64),
  I64Load8U: load('i64.load8_u', I64),
  I64Load16S: load('i64.load16_s', I64),
  I64Load16U: load('i64.load16_u', I64),
  I64Load32S: load('i64.load32_s', I64),
  I64Load32U: load('i64.load32_u', I64),
  F32Load: load('f32.load', F32),
  F64Load: load('f64.load', F64),
  I32Store: store('i32.store', I32),
  I32Store8: store('i32.store8', I32),
  I32Store16: store('i32.store16', I32),
  I64Store: store('i64.store', I64),
  I64Store8: store('i64.store8', I64),
  I64Store16: store('i64.store16', I64),
  I64Store32: store('i64.store32', I64),
  F32Store: store('f32.store', F32),
  F64Store: store('f64.store', F64),
  /** Size of memory imm in pages. */
  MemorySize: define('memory.size', [], I32, { effect: 'read', reads: Resource.MemorySize, imm: ['memory'] }),
  MemoryGrow: define('memory.grow', [I32], I32, {
    effect: 'write',
    reads: Resource.MemorySize,
    writes: Resource.MemorySize,
    imm: ['memory'],
  }),
  /** (dst, value, n) */
  MemoryFill: define('memory.fill', [I32, I32, I32], Void, {
    effect: 'write',
    reads: Resource.MemorySize,
    writes: Resource.Memory,
    traps: true,
    imm: ['memory'],
  }),
  /** (dst, src, n); imm = destination memory, imm2 = source memory */
  MemoryCopy: define('memory.copy', [I32, I32, I32], Void, {
    effect: 'write',
    reads: Resource.Memory | Resource.MemorySize,
    writes: Resource.Memory,
    traps: true,
    imm: ['memory', 'source'],
  }),
  /** (dst, src, n); imm = memory, imm2 = data segment */
  MemoryInit: define('memory.init', [I32, I32, I32], Void, {
    effect: 'write',
    reads: Resource.MemorySize | Resource.Segment,
    writes: Resource.Memory,
    traps: true,
    imm: ['memory', 'segment'],
  }),
  DataDrop: define('data.drop', [], Void, { effect: 'write', writes: Resource.Segment, imm: ['segment'] }),

  // -- globals, references, tables
  /** Type = the global's type; for a word of a 64-bit global it is i32 and imm2 = 0 for the low, 1 for the high word. */
  GlobalGet: define('global.get', [], 'dynamic', { effect: 'read', reads: Resource.Global, imm: ['global', 'word'] }),
  /** Operand type = the global's type, or i32 with imm2 as in `global.get`. */
  GlobalSet: define('global.set', null, Void, { effect: 'write', writes: Resource.Global, imm: ['global', 'word'] }),
  /** Reference to function imm (address of its descriptor). */
  RefFunc: define('ref.func', [], I32, { imm: ['func'] }),
  TableGet: define('table.get', [I32], I32, {
    effect: 'read',
    reads: Resource.Table | Resource.TableSize,
    traps: true,
    imm: ['table'],
  }),
  TableSet: define('table.set', [I32, I32], Void, {
    effect: 'write',
    reads: Resource.TableSize,
    writes: Resource.Table,
    traps: true,
    imm: ['table'],
  }),
  /** Entry of table imm at an index that was checked already. Made by the CFI pass. */
  TableLoad: define('table.load', [I32], I32, { effect: 'read', reads: Resource.Table, imm: ['table'] }),
  TableSize: define('table.size', [], I32, { effect: 'read', reads: Resource.TableSize, imm: ['table'] }),
  /** (initial value, delta) */
  TableGrow: define('table.grow', [I32, I32], I32, {
    effect: 'write',
    reads: Resource.TableSize,
    writes: Resource.Table | Resource.TableSize,
    imm: ['table'],
  }),
  /** (start, value, n) */
  TableFill: define('table.fill', [I32, I32, I32], Void, {
    effect: 'write',
    reads: Resource.TableSize,
    writes: Resource.Table,
    traps: true,
    imm: ['table'],
  }),
  /** (dst, src, n); imm = destination table, imm2 = source table */
  TableCopy: define('table.copy', [I32, I32, I32], Void, {
    effect: 'write',
    reads: Resource.Table | Resource.TableSize,
    writes: Resource.Table,
    traps: true,
    imm: ['table', 'source'],
  }),
  /** (dst, src, n); imm = table, imm2 = element segment */
  TableInit: define('table.init', [I32, I32, I32], Void, {
    effect: 'write',
    reads: Resource.TableSize | Resource.Segment,
    writes: Resource.Table,
    traps: true,
    imm: ['table', 'segment'],
  }),
  ElemDrop: define('elem.drop', [], Void, { effect: 'write', writes: Resource.Segment, imm: ['segment'] }),

  // -- calls. Results: inst.type is the one result's type, Void, or Multi with `proj`s
  /** Direct call of function imm (index space of the module, imports first). */
  Call: define('call', null, 'dynamic', { effect: 'call', imm: ['func'] }),
  /** args[0] = table index; imm = table, imm2 = type index. Unchecked until the CFI pass has expanded it. */
  CallIndirect: define('call_indirect', null, 'dynamic', { effect: 'call', imm: ['table', 'type'] }),
  /** args[0] = address of a function descriptor already checked; imm2 = type index. Made by the CFI pass. */
  CallRef: define('call_ref', null, 'dynamic', { effect: 'call', imm: ['unused', 'type'] }),
  /**
   * Signature word of the function descriptor at args[0]: a 32-bit load from that address. A null reference traps with
   * UninitializedElement by hardware (address 0 is not mapped), so selection only has to give the load a site.
   */
  RefSignature: define('ref.signature', [I32], I32, { effect: 'trap' }),
  /** Call of runtime function `aux: LibCall` (compiler/abi/libcalls.ts); its effects are those of its table row. */
  LibCall: define('libcall', null, 'dynamic', { effect: 'call' }),

  /**
   * (address, limit, base): base + address if address <u limit; else the pointer that the grant table gives for imm bytes
   * from the window address on with the rights imm2, trapping with MemoryOutOfBounds if there is none. Made by lowering of
   * a `mem.addr` that windows satisfy.
   */
  WindowAddr: define('window.addr', [I32, I32, I32], I32, { effect: 'trap', imm: ['extent', 'rights'] }),

  // -- checks (side effect: may trap with code imm). Made by lowering; selection gives one branch to an out-of-line stub
  /** Trap if args[0] <u args[1]. */
  TrapIfLtU: define('trap_if.lt_u', [I32, I32], Void, { effect: 'trap', imm: ['code'] }),
  TrapIfGeU: define('trap_if.ge_u', [I32, I32], Void, { effect: 'trap', imm: ['code'] }),
  TrapIfEq: define('trap_if.eq', [I32, I32], Void, { effect: 'trap', imm: ['code'] }),
  TrapIfNe: define('trap_if.ne', [I32, I32], Void, { effect: 'trap', imm: ['code'] }),
  /** Trap if args[0] is not zero / is zero. */
  TrapIfNez: define('trap_if.nez', [I32], Void, { effect: 'trap', imm: ['code'] }),
  TrapIfEqz: define('trap_if.eqz', [I32], Void, { effect: 'trap', imm: ['code'] }),

  // -- terminators. Edges in inst.edges
  Jump: define('jump', [], Void, { effect: 'terminator' }),
  /** edges[0] if args[0] is not zero, else edges[1] */
  BrIf: define('br_if', [I32], Void, { effect: 'terminator' }),
  /** edges[min(args[0], edges.length - 1)] */
  BrTable: define('br_table', [I32], Void, { effect: 'terminator' }),
  Return: define('return', null, Void, { effect: 'terminator' }),
  /** Traps with code imm. */
  Trap: define('trap', [], Void, { effect: 'terminator', traps: true, imm: ['code'] }),
  ReturnCall: define('return_call', null, Void, {
    effect: 'terminator',
    traps: true,
    reads: Resource.All,
    writes: Resource.All,
    imm: ['func'],
  }),
  ReturnCallIndirect: define('return_call_indirect', null, Void, {
    effect: 'terminator',
    traps: true,
    reads: Resource.All,
    writes: Resource.All,
    imm: ['table', 'type'],
  }),
  ReturnCallRef: define('return_call_ref', null, Void, {
    effect: 'terminator',
    traps: true,
    reads: Resource.All,
    writes: Resource.All,
    imm: ['unused', 'type'],
  }),
} as const;

export type OpName = keyof typeof Op;

/** The op table, indexed by op number. */
export const OPS: readonly OpInfo[] = table;

/** Op number by text name, for the parser. */
export const OP_BY_NAME: ReadonlyMap<string, number> = new Map(table.map((info, op) => [info.name, op]));
