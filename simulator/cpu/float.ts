// Single-precision arithmetic as the FPU does it, on bit patterns: NaN rules, the fused multiply-add, directed rounding
// and conversions. Pure functions; knows no registers. The division and root steps are in float-steps.ts.
//
// Measured facts this follows (ESP32-S3 silicon, public measurements; the LX6 FPU is the same design and no measurement
// says otherwise): subnormals are not flushed, the last NaN operand in (fs, ft) order wins with its quiet bit set, the
// accumulator of a multiply-add outranks both, generated NaNs are 0x7fc00000, FCR's rounding mode is honoured.
// Status flags (FSR) are not modelled: the register only keeps what software wrote.

export const DEFAULT_NAN = 0x7fc00000;
const QUIET = 0x400000;
const MIN_NORMAL = 2 ** -126;

const f32 = new Float32Array(1);
const i32 = new Int32Array(f32.buffer);
const f64 = new Float64Array(1);
const w64 = new Int32Array(f64.buffer);

/** FCR.RM. */
export const enum RoundingMode {
  NEAREST = 0,
  TOWARD_ZERO = 1,
  UP = 2,
  DOWN = 3,
}

/** Value of a bit pattern that is no NaN. */
export function floatOf(bits: number): number {
  i32[0] = bits;
  return f32[0] as number;
}

/** Bits of a value, rounded to nearest even. NaNs come out with unspecified payload: test before. */
export function bitsOf(value: number): number {
  f32[0] = value;
  return i32[0] as number;
}

export function isNaN32(bits: number): boolean {
  return (bits & 0x7fffffff) > 0x7f800000;
}

/** NaN result of an operation on `a` and `b`: one of them, or a new one. */
export function nan2(a: number, b: number): number {
  if (isNaN32(b)) return b | QUIET;
  if (isNaN32(a)) return a | QUIET;
  return DEFAULT_NAN;
}

/**
 * Rounds `head` + `residual` (an exact sum, |residual| at most half an ulp of head) to odd: a double that rounds to
 * single in any way exactly as the exact sum would, because 53 >= 24 + 2.
 */
export function roundToOdd(head: number, residual: number): number {
  f64[0] = head;
  if (residual === 0 || ((w64[0] as number) & 1) !== 0) return head;
  if (residual > 0 === head > 0) {
    w64[0] = (w64[0] as number) | 1;
  } else {
    if (w64[0] === 0) w64[1] = (w64[1] as number) - 1;
    w64[0] = (w64[0] as number) - 1;
  }
  return f64[0] as number;
}

/** The exact error of `sum = a + b` in doubles (Knuth's TwoSum). */
export function sumError(a: number, b: number, sum: number): number {
  const bb = sum - a;
  return a - (sum - bb) + (b - bb);
}

/** `d + a * b` (or `d - a * b`) with one rounding to nearest even. */
export function fusedMultiplyAdd(d: number, a: number, b: number, negate: boolean): number {
  if (isNaN32(d)) return d | QUIET;
  if (isNaN32(a) || isNaN32(b)) return nan2(a, b);
  const addend = floatOf(d);
  let product = floatOf(a) * floatOf(b);
  if (negate) product = -product;
  const sum = addend + product;
  if (sum !== sum) return DEFAULT_NAN;
  if (!Number.isFinite(sum)) return bitsOf(sum);
  return bitsOf(roundToOdd(sum, sumError(addend, product, sum)));
}

/**
 * True when rounding the double `sum` of an exact product and an addend to single could differ from rounding once:
 * only when it lies exactly between two singles, or among the subnormals, or is a NaN.
 */
export function needsFusedRounding(sum: number): boolean {
  f64[0] = sum;
  return ((w64[0] as number) & 0x1fffffff) === 0x10000000 || !(sum >= MIN_NORMAL || sum <= -MIN_NORMAL);
}

/** Rounds an exact head + residual to single in a directed mode. */
function roundDirected(head: number, residual: number, mode: RoundingMode): number {
  const nearest = bitsOf(head);
  const rounded = floatOf(nearest);
  const difference = head - rounded;
  const error = difference !== 0 ? difference : residual;
  if (error === 0 || head === Infinity || head === -Infinity) return nearest;
  const negative = head < 0;
  const wantAbove = mode === RoundingMode.UP || (mode === RoundingMode.TOWARD_ZERO && negative);
  // error > 0: the exact value lies above the rounded one.
  if (wantAbove === error > 0) return stepFloat(nearest, wantAbove);
  return nearest;
}

/** The neighbouring single above or below. */
function stepFloat(bits: number, up: boolean): number {
  if ((bits & 0x7fffffff) === 0) return up ? 1 : 0x80000001 | 0;
  const negative = bits < 0;
  return negative === up ? bits - 1 : bits + 1;
}

/** add.s, sub.s, mul.s in a rounding mode other than to nearest. */
export function directed(operator: '+' | '-' | '*', a: number, b: number, mode: RoundingMode): number {
  if (isNaN32(a) || isNaN32(b)) return nan2(a, b);
  const x = floatOf(a);
  const y = operator === '-' ? -floatOf(b) : floatOf(b);
  const head = operator === '*' ? x * y : x + y;
  if (head !== head) return DEFAULT_NAN;
  if (operator === '*') return roundDirected(head, 0, mode);
  if (!Number.isFinite(head)) return bitsOf(head);
  if (head === 0) return zeroOfSum(x, y, mode);
  return roundDirected(head, sumError(x, y, head), mode);
}

/** Sign of an exactly zero sum: minus when rounding down, unless both terms are +0 (IEEE 754, 6.3). */
function zeroOfSum(x: number, y: number, mode: RoundingMode): number {
  if (Object.is(x, y)) return bitsOf(x);
  return mode === RoundingMode.DOWN ? 0x80000000 | 0 : 0;
}

export function directedFused(d: number, a: number, b: number, negate: boolean, mode: RoundingMode): number {
  if (isNaN32(d)) return d | QUIET;
  if (isNaN32(a) || isNaN32(b)) return nan2(a, b);
  const addend = floatOf(d);
  const product = negate ? -(floatOf(a) * floatOf(b)) : floatOf(a) * floatOf(b);
  const sum = addend + product;
  if (sum !== sum) return DEFAULT_NAN;
  if (!Number.isFinite(sum)) return bitsOf(sum);
  if (sum === 0) return zeroOfSum(addend, product, mode);
  return roundDirected(sum, sumError(addend, product, sum), mode);
}

function toInt(value: number): number {
  if (value !== value) return 0x7fffffff;
  if (value >= 2147483647) return 0x7fffffff;
  if (value <= -2147483648) return 0x80000000 | 0;
  return value | 0;
}

const scaled = (bits: number, scale: number): number => (isNaN32(bits) ? NaN : floatOf(bits) * 2 ** scale);

/** round.s: to nearest, ties to even. */
export function roundToInt(bits: number, scale: number): number {
  const value = scaled(bits, scale);
  let rounded = Math.round(value);
  if (rounded - value === 0.5 && rounded % 2 !== 0) rounded--;
  return toInt(rounded);
}

export function truncToInt(bits: number, scale: number): number {
  return toInt(Math.trunc(scaled(bits, scale)));
}

export function floorToInt(bits: number, scale: number): number {
  return toInt(Math.floor(scaled(bits, scale)));
}

export function ceilToInt(bits: number, scale: number): number {
  return toInt(Math.ceil(scaled(bits, scale)));
}

/** utrunc.s: negatives in int32 range wrap like a signed conversion, lower ones give 0x80000000 (measured). */
export function truncToUint(bits: number, scale: number): number {
  const value = Math.trunc(scaled(bits, scale));
  if (value !== value || value >= 4294967296) return -1;
  if (value < 0) return toInt(value);
  return value | 0;
}

/** float.s: the integer rounded to single, then divided by 2^scale (exact). */
export function intToFloat(value: number, scale: number, mode: RoundingMode): number {
  const bits = mode === RoundingMode.NEAREST ? bitsOf(value) : roundDirected(value, 0, mode);
  return scale === 0 ? bits : bitsOf(floatOf(bits) * 2 ** -scale);
}

export function uintToFloat(value: number, scale: number, mode: RoundingMode): number {
  return intToFloat(value >>> 0, scale, mode);
}
