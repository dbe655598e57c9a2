// The meaning of every op that computes a value from values: one table used by the interpreter and the constant folder.
// Takes and gives bit patterns (so that NaN payloads survive); knows no state, no block and no type checking.
import { TrapCode } from '../abi/traps.js';
import { Op } from './ops.js';

/** i32 and the bits of f32: a signed 32-bit number. i64 and the bits of f64: a signed 64-bit bigint. */
export type Value = number | bigint;

/** Thrown by evaluators of trapping ops. */
export class EvalTrap {
  constructor(readonly code: number) {}
}

export type Evaluator = (a: Value, b: Value, c: Value, d: Value) => Value;

const table: (Evaluator | undefined)[] = [];
/** Evaluator by op number; undefined for ops that need more than their operands' values. */
export const EVALUATORS: readonly (Evaluator | undefined)[] = table;

const def = <A extends Value>(op: number, f: (a: A, b: A, c: A, d: A) => Value): void => {
  table[op] = f as unknown as Evaluator;
};
const bits32 = new Int32Array(1);
const float32 = new Float32Array(bits32.buffer);
const bits64 = new BigInt64Array(1);
const float64 = new Float64Array(bits64.buffer);

export const CANONICAL_NAN32 = 0x7fc00000;
export const CANONICAL_NAN64 = 0x7ff8000000000000n;

/** Number of an f32's bits. */
export function f32FromBits(bits: number): number {
  bits32[0] = bits;
  return float32[0]!;
}
/** Bits of a number rounded to f32; any NaN gives the canonical one. */
export function f32ToBits(value: number): number {
  if (value !== value) return CANONICAL_NAN32;
  float32[0] = value;
  return bits32[0]!;
}
export function f64FromBits(bits: bigint): number {
  bits64[0] = bits;
  return float64[0]!;
}
export function f64ToBits(value: number): bigint {
  if (value !== value) return CANONICAL_NAN64;
  float64[0] = value;
  return bits64[0]!;
}

const bool = (x: boolean): number => (x ? 1 : 0);
const i64 = (x: bigint): bigint => BigInt.asIntN(64, x);
const u64 = (x: bigint): bigint => BigInt.asUintN(64, x);
const trap = (code: number): never => {
  throw new EvalTrap(code);
};
const MIN64 = -0x8000000000000000n;

export const ctz32 = (x: number): number => (x === 0 ? 32 : 31 - Math.clz32(x & -x));
export function popcnt32(x: number): number {
  let v = x - ((x >>> 1) & 0x55555555);
  v = (v & 0x33333333) + ((v >>> 2) & 0x33333333);
  return Math.imul((v + (v >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}
const lo = (x: bigint): number => Number(BigInt.asIntN(32, x));
const hi = (x: bigint): number => Number(BigInt.asIntN(32, x >> 32n));
export const makeI64 = (low: number, high: number): bigint => (BigInt(high) << 32n) | BigInt(low >>> 0);

// -- i32
def<number>(Op.I32Eqz, (a) => bool(a === 0));
def<number>(Op.I32Eq, (a, b) => bool(a === b));
def<number>(Op.I32Ne, (a, b) => bool(a !== b));
def<number>(Op.I32LtS, (a, b) => bool(a < b));
def<number>(Op.I32LtU, (a, b) => bool(a >>> 0 < b >>> 0));
def<number>(Op.I32GtS, (a, b) => bool(a > b));
def<number>(Op.I32GtU, (a, b) => bool(a >>> 0 > b >>> 0));
def<number>(Op.I32LeS, (a, b) => bool(a <= b));
def<number>(Op.I32LeU, (a, b) => bool(a >>> 0 <= b >>> 0));
def<number>(Op.I32GeS, (a, b) => bool(a >= b));
def<number>(Op.I32GeU, (a, b) => bool(a >>> 0 >= b >>> 0));
def<number>(Op.I32Clz, (a) => Math.clz32(a));
def<number>(Op.I32Ctz, (a) => ctz32(a));
def<number>(Op.I32Popcnt, (a) => popcnt32(a));
def<number>(Op.I32Add, (a, b) => (a + b) | 0);
def<number>(Op.I32Sub, (a, b) => (a - b) | 0);
def<number>(Op.I32Mul, (a, b) => Math.imul(a, b));
def<number>(Op.I32DivS, (a, b) => {
  if (b === 0) trap(TrapCode.IntegerDivideByZero);
  if (a === -0x80000000 && b === -1) trap(TrapCode.IntegerOverflow);
  return (a / b) | 0;
});
def<number>(Op.I32DivU, (a, b) => (b === 0 ? trap(TrapCode.IntegerDivideByZero) : ((a >>> 0) / (b >>> 0)) | 0));
def<number>(Op.I32RemS, (a, b) => (b === 0 ? trap(TrapCode.IntegerDivideByZero) : (a % b) | 0));
def<number>(Op.I32RemU, (a, b) => (b === 0 ? trap(TrapCode.IntegerDivideByZero) : ((a >>> 0) % (b >>> 0)) | 0));
def<number>(Op.I32And, (a, b) => a & b);
def<number>(Op.I32Or, (a, b) => a | b);
def<number>(Op.I32Xor, (a, b) => a ^ b);
def<number>(Op.I32Shl, (a, b) => a << b);
def<number>(Op.I32ShrS, (a, b) => a >> b);
def<number>(Op.I32ShrU, (a, b) => (a >>> b) | 0);
def<number>(Op.I32Rotl, (a, b) => (a << b) | (a >>> (-b & 31)));
def<number>(Op.I32Rotr, (a, b) => (a >>> b) | (a << (-b & 31)));
def<number>(Op.I32Extend8S, (a) => (a << 24) >> 24);
def<number>(Op.I32Extend16S, (a) => (a << 16) >> 16);
// -- i64
def<bigint>(Op.I64Eqz, (a) => bool(a === 0n));
def<bigint>(Op.I64Eq, (a, b) => bool(a === b));
def<bigint>(Op.I64Ne, (a, b) => bool(a !== b));
def<bigint>(Op.I64LtS, (a, b) => bool(a < b));
def<bigint>(Op.I64LtU, (a, b) => bool(u64(a) < u64(b)));
def<bigint>(Op.I64GtS, (a, b) => bool(a > b));
def<bigint>(Op.I64GtU, (a, b) => bool(u64(a) > u64(b)));
def<bigint>(Op.I64LeS, (a, b) => bool(a <= b));
def<bigint>(Op.I64LeU, (a, b) => bool(u64(a) <= u64(b)));
def<bigint>(Op.I64GeS, (a, b) => bool(a >= b));
def<bigint>(Op.I64GeU, (a, b) => bool(u64(a) >= u64(b)));
def<bigint>(Op.I64Clz, (a) => BigInt(hi(a) !== 0 ? Math.clz32(hi(a)) : 32 + Math.clz32(lo(a))));
def<bigint>(Op.I64Ctz, (a) => BigInt(lo(a) !== 0 ? ctz32(lo(a)) : 32 + ctz32(hi(a))));
def<bigint>(Op.I64Popcnt, (a) => BigInt(popcnt32(lo(a)) + popcnt32(hi(a))));
def<bigint>(Op.I64Add, (a, b) => i64(a + b));
def<bigint>(Op.I64Sub, (a, b) => i64(a - b));
def<bigint>(Op.I64Mul, (a, b) => i64(a * b));
def<bigint>(Op.I64DivS, (a, b) => {
  if (b === 0n) trap(TrapCode.IntegerDivideByZero);
  if (a === MIN64 && b === -1n) trap(TrapCode.IntegerOverflow);
  return a / b;
});
def<bigint>(Op.I64DivU, (a, b) => (b === 0n ? trap(TrapCode.IntegerDivideByZero) : i64(u64(a) / u64(b))));
def<bigint>(Op.I64RemS, (a, b) => (b === 0n ? trap(TrapCode.IntegerDivideByZero) : a % b));
def<bigint>(Op.I64RemU, (a, b) => (b === 0n ? trap(TrapCode.IntegerDivideByZero) : i64(u64(a) % u64(b))));
def<bigint>(Op.I64And, (a, b) => a & b);
def<bigint>(Op.I64Or, (a, b) => a | b);
def<bigint>(Op.I64Xor, (a, b) => a ^ b);
def<bigint>(Op.I64Shl, (a, b) => i64(a << (b & 63n)));
def<bigint>(Op.I64ShrS, (a, b) => a >> (b & 63n));
def<bigint>(Op.I64ShrU, (a, b) => i64(u64(a) >> (b & 63n)));
def<bigint>(Op.I64Rotl, (a, b) => i64((a << (b & 63n)) | (u64(a) >> (-b & 63n))));
def<bigint>(Op.I64Rotr, (a, b) => i64((a << (-b & 63n)) | (u64(a) >> (b & 63n))));
def<bigint>(Op.I64Extend8S, (a) => BigInt.asIntN(8, a));
def<bigint>(Op.I64Extend16S, (a) => BigInt.asIntN(16, a));
def<bigint>(Op.I64Extend32S, (a) => BigInt.asIntN(32, a));

// -- floats: the same rules for both widths; an f32 result is the double result rounded once more, which is exact for
// + - * / and sqrt (Figueroa 1995).

/** Round half to even. */
function nearest(x: number): number {
  if (!(Math.abs(x) < 2 ** 52)) return x;
  const down = Math.floor(x);
  const rest = x - down;
  const rounded = rest < 0.5 || (rest === 0.5 && down % 2 === 0) ? down : down + 1;
  return rounded === 0 && (x < 0 || Object.is(x, -0)) ? -0 : rounded;
}

interface FloatOps<B extends Value> {
  readonly from: (bits: B) => number;
  readonly to: (value: number) => B;
  /** First op of the width: the ops of both widths are in the same order. */
  readonly eq: number;
  readonly abs: (bits: B) => B;
  readonly neg: (bits: B) => B;
  readonly copysign: (a: B, b: B) => B;
}

function defineFloat<B extends Value>({ from, to, eq, abs, neg, copysign }: FloatOps<B>): void {
  const at = (op: number): number => op - Op.F32Eq + eq;
  const compare = (op: number, f: (a: number, b: number) => boolean): void =>
    def<B>(at(op), (a, b) => bool(f(from(a), from(b))));
  const unary = (op: number, f: (a: number) => number): void => def<B>(at(op), (a) => to(f(from(a))));
  const binary = (op: number, f: (a: number, b: number) => number): void =>
    def<B>(at(op), (a, b) => to(f(from(a), from(b))));
  compare(Op.F32Eq, (a, b) => a === b);
  compare(Op.F32Ne, (a, b) => a !== b);
  compare(Op.F32Lt, (a, b) => a < b);
  compare(Op.F32Gt, (a, b) => a > b);
  compare(Op.F32Le, (a, b) => a <= b);
  compare(Op.F32Ge, (a, b) => a >= b);
  unary(Op.F32Ceil, Math.ceil);
  unary(Op.F32Floor, Math.floor);
  unary(Op.F32Trunc, Math.trunc);
  unary(Op.F32Nearest, nearest);
  unary(Op.F32Sqrt, Math.sqrt);
  binary(Op.F32Add, (a, b) => a + b);
  binary(Op.F32Sub, (a, b) => a - b);
  binary(Op.F32Mul, (a, b) => a * b);
  binary(Op.F32Div, (a, b) => a / b);
  binary(Op.F32Min, Math.min);
  binary(Op.F32Max, Math.max);
  def<B>(at(Op.F32Abs), abs);
  def<B>(at(Op.F32Neg), neg);
  def<B>(at(Op.F32Copysign), copysign);
}

defineFloat<number>({
  from: f32FromBits,
  to: f32ToBits,
  eq: Op.F32Eq,
  abs: (a) => a & 0x7fffffff,
  neg: (a) => a ^ -0x80000000,
  copysign: (a, b) => (a & 0x7fffffff) | (b & -0x80000000),
});
defineFloat<bigint>({
  from: f64FromBits,
  to: f64ToBits,
  eq: Op.F64Eq,
  abs: (a) => a & 0x7fffffffffffffffn,
  neg: (a) => i64(a ^ MIN64),
  copysign: (a, b) => (a & 0x7fffffffffffffffn) | (b & MIN64),
});

// -- conversions

interface IntTarget {
  readonly min: number;
  /** First value too large. */
  readonly limit: number;
  readonly convert: (whole: number) => Value;
  readonly lowest: Value;
  readonly highest: Value;
}
const S32: IntTarget = {
  min: -(2 ** 31),
  limit: 2 ** 31,
  convert: (x) => x | 0,
  lowest: -0x80000000,
  highest: 0x7fffffff,
};
const U32: IntTarget = { min: 0, limit: 2 ** 32, convert: (x) => x | 0, lowest: 0, highest: -1 };
const S64: IntTarget = { min: -(2 ** 63), limit: 2 ** 63, convert: BigInt, lowest: MIN64, highest: ~MIN64 };
const U64: IntTarget = { min: 0, limit: 2 ** 64, convert: (x) => i64(BigInt(x)), lowest: 0n, highest: -1n };

function defineTruncation(op: number, saturating: number, from: (bits: never) => number, target: IntTarget): void {
  const zero = typeof target.lowest === 'number' ? 0 : 0n;
  def<never>(op, (bits) => {
    const x = from(bits);
    if (x !== x) trap(TrapCode.InvalidConversion);
    const whole = Math.trunc(x);
    if (whole < target.min || whole >= target.limit) trap(TrapCode.IntegerOverflow);
    return target.convert(whole);
  });
  def<never>(saturating, (bits) => {
    const x = from(bits);
    if (x !== x) return zero;
    const whole = Math.trunc(x);
    return whole < target.min ? target.lowest : whole >= target.limit ? target.highest : target.convert(whole);
  });
}
defineTruncation(Op.I32TruncF32S, Op.I32TruncSatF32S, f32FromBits, S32);
defineTruncation(Op.I32TruncF32U, Op.I32TruncSatF32U, f32FromBits, U32);
defineTruncation(Op.I32TruncF64S, Op.I32TruncSatF64S, f64FromBits, S32);
defineTruncation(Op.I32TruncF64U, Op.I32TruncSatF64U, f64FromBits, U32);
defineTruncation(Op.I64TruncF32S, Op.I64TruncSatF32S, f32FromBits, S64);
defineTruncation(Op.I64TruncF32U, Op.I64TruncSatF32U, f32FromBits, U64);
defineTruncation(Op.I64TruncF64S, Op.I64TruncSatF64S, f64FromBits, S64);
defineTruncation(Op.I64TruncF64U, Op.I64TruncSatF64U, f64FromBits, U64);

/** A 64-bit integer rounded once to f32: what lies below 53 bits is made sticky, so that the step over double is exact. */
function f32FromI64(x: bigint): number {
  const magnitude = x < 0n ? -x : x;
  if (magnitude < 1n << 53n) return f32ToBits(Number(x));
  const sticky = (magnitude >> 11n) | ((magnitude & 0x7ffn) !== 0n ? 1n : 0n);
  const rounded = Math.fround(Number(sticky)) * 2048;
  return f32ToBits(x < 0n ? -rounded : rounded);
}
def<bigint>(Op.I32WrapI64, lo);
def<number>(Op.I64ExtendI32S, (a) => BigInt(a));
def<number>(Op.I64ExtendI32U, (a) => BigInt(a >>> 0));
def<number>(Op.F32ConvertI32S, (a) => f32ToBits(a));
def<number>(Op.F32ConvertI32U, (a) => f32ToBits(a >>> 0));
def<bigint>(Op.F32ConvertI64S, f32FromI64);
def<bigint>(Op.F32ConvertI64U, (a) => f32FromI64(u64(a)));
def<bigint>(Op.F32DemoteF64, (a) => f32ToBits(f64FromBits(a)));
def<number>(Op.F64ConvertI32S, (a) => f64ToBits(a));
def<number>(Op.F64ConvertI32U, (a) => f64ToBits(a >>> 0));
def<bigint>(Op.F64ConvertI64S, (a) => f64ToBits(Number(a)));
def<bigint>(Op.F64ConvertI64U, (a) => f64ToBits(Number(u64(a))));
def<number>(Op.F64PromoteF32, (a) => f64ToBits(f32FromBits(a)));
def<Value>(Op.I32ReinterpretF32, (a) => a);
def<Value>(Op.I64ReinterpretF64, (a) => a);
def<Value>(Op.F32ReinterpretI32, (a) => a);
def<Value>(Op.F64ReinterpretI64, (a) => a);

// -- beyond Wasm
def<Value>(Op.Select, (cond, yes, no) => (cond !== 0 ? yes : no));
def<number>(Op.I32MulHU, (a, b) => hi(BigInt(a >>> 0) * BigInt(b >>> 0)));
def<number>(Op.I32MulHS, (a, b) => hi(BigInt(a) * BigInt(b)));
def<number>(Op.I32MinS, (a, b) => Math.min(a, b));
def<number>(Op.I32MinU, (a, b) => (a >>> 0 < b >>> 0 ? a : b));
def<number>(Op.I32MaxS, (a, b) => Math.max(a, b));
def<number>(Op.I32MaxU, (a, b) => (a >>> 0 > b >>> 0 ? a : b));
def<number>(Op.I64Make, makeI64);
def<bigint>(Op.I64Lo, lo);
def<bigint>(Op.I64Hi, hi);
def<number>(Op.I32AddHi, (aLo, aHi, bHi, sum) => (aHi + bHi + bool(sum >>> 0 < aLo >>> 0)) | 0);
def<number>(Op.I32SubHi, (aLo, aHi, bLo, bHi) => (aHi - bHi - bool(aLo >>> 0 < bLo >>> 0)) | 0);
def<number>(Op.I32Funnel, (high, low, n) => ((n & 31) === 0 ? low : (low >>> n) | (high << (32 - (n & 31)))));
def<number>(Op.I32FunnelL, (high, low, n) => ((n & 31) === 0 ? high : (high << n) | (low >>> (32 - (n & 31)))));
