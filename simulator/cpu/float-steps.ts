// The step instructions of division and square root: table estimates, exponent bookkeeping and the final rounding.
// Takes and gives bit patterns. Facts: public bit-for-bit measurements on ESP32-S3 silicon (estimate tables swept over
// all significands; the adjust encodings and divn.s probed on thousands of operands). No document gives them; on LX6
// they are unmeasured, but GCC's and newlib's sequences for both chips are the same.

import { DEFAULT_NAN, bitsOf, floatOf, isNaN32, roundToOdd, sumError } from './float.js';

const SIGN = 0x80000000 | 0;
const INFINITY = 0x7f800000;
const QUIET = 0x400000;
const FRACTION = 0x7fffff;

/**
 * Seven result bits by index, `round(scale / f(midpoint of the interval)) - 128`: that closed form gives every measured
 * entry but two, which are named.
 */
function table(size: number, entry: (midpoint: number) => number): Uint8Array {
  return Uint8Array.from({ length: size }, (_, i) => Math.round(256 / entry(1 + (i + 0.5) / size)) - 128);
}

/** recip0.s, div0.s: by the top 7 significand bits. The last entry never reaches 0. */
const RECIPROCAL = table(128, (x) => x);
RECIPROCAL[127] = 1;
/** rsqrt0.s, sqrt0.s: by the top 6 significand bits, for odd and for even biased exponents. */
const ROOT_ODD = table(64, (x) => Math.sqrt(x));
const ROOT_EVEN = table(64, (x) => Math.sqrt(2 * x));
ROOT_EVEN[13] = 37;

const exponentOf = (bits: number): number => (bits >>> 23) & 0xff;
const isZero = (bits: number): boolean => (bits & 0x7fffffff) === 0;
const isInfinite = (bits: number): boolean => (bits & 0x7fffffff) === INFINITY;

/** Biased exponent of a nonzero finite number with its significand normalized: goes on below 1 for subnormals. */
function normalExponent(bits: number): number {
  const exponent = exponentOf(bits);
  return exponent !== 0 ? exponent : 9 - Math.clz32(bits & FRACTION);
}

/** The 23 fraction bits after normalization. */
function normalFraction(bits: number): number {
  const fraction = bits & FRACTION;
  return exponentOf(bits) !== 0 ? fraction : (fraction << (Math.clz32(fraction) - 8)) & FRACTION;
}

/** Sign, biased exponent out of any range, fraction -> a single: truncated among subnormals, infinity above. */
function pack(sign: number, exponent: number, fraction: number): number {
  if (exponent >= 255) return sign | INFINITY;
  if (exponent > 0) return sign | (exponent << 23) | fraction;
  const shift = 1 - exponent;
  return shift > 31 ? sign : sign | ((fraction | 0x800000) >>> shift);
}

const reciprocalBits = (fraction: number): number => (RECIPROCAL[fraction >>> 16] as number) << 16;
const rootBits = (exponent: number, fraction: number): number =>
  ((exponent & 1 ? ROOT_ODD : ROOT_EVEN)[fraction >>> 17] as number) << 16;

/** recip0.s */
export function reciprocalEstimate(bits: number): number {
  const sign = bits & SIGN;
  if (isNaN32(bits)) return sign | INFINITY | ((0x800000 | reciprocalBits(bits & FRACTION)) >>> 1);
  if (isInfinite(bits)) return sign;
  if (isZero(bits)) return sign | INFINITY;
  return pack(sign, 253 - normalExponent(bits), reciprocalBits(normalFraction(bits)));
}

/** div0.s: like recip0.s, but of the exponent only its parity survives; no special values. */
export function divideEstimate(bits: number): number {
  const sign = bits & SIGN;
  if (isZero(bits)) return sign | (126 << 23) | reciprocalBits(0);
  if (exponentOf(bits) === 255) return sign | (126 << 23) | reciprocalBits(bits & FRACTION);
  return sign | ((125 + (normalExponent(bits) & 1)) << 23) | reciprocalBits(normalFraction(bits));
}

/** rsqrt0.s */
export function reciprocalRootEstimate(bits: number): number {
  const sign = bits & SIGN;
  if (isZero(bits)) return sign | INFINITY;
  if (bits === INFINITY) return 0;
  if (sign !== 0 || isNaN32(bits)) {
    const payload =
      exponentOf(bits) === 255 ? rootBits(1, bits & FRACTION) : rootBits(normalExponent(bits), normalFraction(bits));
    return sign | INFINITY | QUIET | payload;
  }
  const exponent = normalExponent(bits);
  return pack(0, (380 - exponent) >> 1, rootBits(exponent, normalFraction(bits)));
}

/** sqrt0.s: the table value with exponent 126 and the sign, whatever the operand. */
export function rootEstimate(bits: number): number {
  const sign = bits & SIGN;
  let payload: number;
  if (exponentOf(bits) === 255) payload = rootBits(1, bits & FRACTION);
  else if (isZero(bits)) payload = rootBits(0, 0);
  else payload = rootBits(normalExponent(bits), normalFraction(bits));
  return sign | (126 << 23) | payload;
}

/** nexp01.s: the significand in [1, 4) by exponent parity, negated. */
export function normalizeExponent01(bits: number): number {
  if (isNaN32(bits)) return bits ^ SIGN;
  const sign = ~bits & SIGN;
  if (isZero(bits) || isInfinite(bits)) return sign | 0x3f800000;
  return sign | ((127 + ((normalExponent(bits) - 127) & 1)) << 23) | normalFraction(bits);
}

/**
 * An exponent adjustment split in two: 8 * (adjust mod 32) in the exponent field for addexp.s, and
 * 8 * floor(adjust / 32) in fraction bits 21:14 for addexpm.s, each biased by 127.
 */
function adjustment(low: number, high: number): number {
  return (((127 + 8 * low) & 0xff) << 23) | (((127 + 8 * high) & 0xff) << 14) | 0xc000;
}

const splitAdjustment = (adjust: number): number => adjustment(adjust & 31, adjust >> 5);

/** Results that need no arithmetic travel as an adjustment of 384 + code: 0/1 zero, 2/3 infinity, 4/5 NaN; odd: minus. */
const CLASS_BASE = 384;
const classCode = (code: number): number => splitAdjustment(CLASS_BASE + code);

/** mksadj.s */
export function makeRootAdjust(bits: number): number {
  if (isZero(bits)) return classCode(bits < 0 ? 1 : 0);
  if (isNaN32(bits) || bits < 0) return classCode(4);
  if (isInfinite(bits)) return classCode(2);
  return splitAdjustment((normalExponent(bits) - 127) >> 1);
}

/** mkdadj.s: fr holds the denominator, fs the numerator. */
export function makeDivideAdjust(denominator: number, numerator: number): number {
  const minus = (denominator ^ numerator) < 0 ? 1 : 0;
  if (isNaN32(denominator) || isNaN32(numerator)) return classCode(4 + minus);
  if (isZero(numerator)) return classCode((isZero(denominator) ? 4 : 0) + minus);
  if (isInfinite(numerator)) return classCode((isInfinite(denominator) ? 4 : 2) + minus);
  if (isInfinite(denominator)) return classCode(minus);
  if (isZero(denominator)) return classCode(2 + minus);
  // Only the even parts: div0.s and nexp01.s carry the parities.
  return splitAdjustment(((normalExponent(numerator) - 127) & ~1) - ((normalExponent(denominator) - 127) & ~1));
}

/** addexp.s */
export function addExponent(target: number, bits: number): number {
  const exponent = (exponentOf(target) + exponentOf(bits) - 127) & 0xff;
  return ((target ^ (bits & SIGN)) & ~INFINITY) | (exponent << 23);
}

/** addexpm.s */
export function addExponentFromMantissa(target: number, bits: number): number {
  const exponent = (exponentOf(target) + ((bits >>> 14) & 0xff) + 129) & 0xff;
  return ((target ^ ((bits & QUIET) << 9)) & ~INFINITY) | (exponent << 23);
}

/** Exponent excess as divn.s reads it: a signed byte. */
const excess = (bits: number): number => ((exponentOf(bits) - 127) << 24) >> 24;
/** Significand with the implied 1 always there, times a small power of two, signed. */
const significand = (bits: number, power: number): number =>
  (((bits & FRACTION) | 0x800000) / 0x800000) * 2 ** power * (bits < 0 ? -1 : 1);

/**
 * divn.s: fr + fs * ft with the split exponents of fr and ft put together again, rounded once. This last rounding is
 * what makes the division and root sequences correctly rounded.
 */
export function divideNormalize(r: number, s: number, t: number): number {
  if (isNaN32(s)) return s | QUIET;
  const highPart = (excess(r) + 4) >> 3;
  const lowPart = (excess(t) + 4) >> 3;
  const adjust = 32 * highPart + (lowPart & 31);
  if (adjust >= CLASS_BASE && adjust < CLASS_BASE + 6) {
    const code = adjust - CLASS_BASE;
    if (code >= 4) return DEFAULT_NAN;
    return ((code & 1) << 31) | (code >= 2 ? INFINITY : 0);
  }
  const quotient = significand(r, excess(r) - 8 * highPart);
  const correction = floatOf(s) * significand(t, excess(t) - 8 * lowPart);
  const sum = quotient + correction;
  // A sum that cancels exactly runs out of the chip's 50-bit normalization window.
  if (sum === 0) return pack(0, adjust - 50 + 127, 0);
  return bitsOf(roundToOdd(sum, sumError(quotient, correction, sum)) * 2 ** adjust);
}

/** const.s */
export function floatConstant(index: number): number {
  return [0, 0x3f800000, 0x40000000, 0x3f000000][index & 3] as number;
}
