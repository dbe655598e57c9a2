// Integer helpers that JavaScript has no operator for, used by the instruction templates. Pure functions of numbers.

/** High word of the unsigned 64-bit product. */
export function mulUnsignedHigh(a: number, b: number): number {
  const aLow = a & 0xffff;
  const aHigh = a >>> 16;
  const bLow = b & 0xffff;
  const bHigh = b >>> 16;
  const middle = aHigh * bLow + ((aLow * bLow) >>> 16);
  // aLow * bHigh + (middle mod 2^16) stays below 2^32.
  const cross = aLow * bHigh + (middle & 0xffff);
  return (aHigh * bHigh + Math.floor(middle / 0x10000) + (cross >>> 16)) | 0;
}

/** High word of the signed 64-bit product. */
export function mulSignedHigh(a: number, b: number): number {
  return (mulUnsignedHigh(a, b) - (a < 0 ? b : 0) - (b < 0 ? a : 0)) | 0;
}

/** NSA: redundant sign bits. */
export function normalizeSigned(value: number): number {
  return Math.clz32(value < 0 ? ~value : value) - 1;
}

/** CLAMPS: saturates to a signed value of `bits` + 1 bits (7..22). */
export function clampSigned(value: number, bits: number): number {
  const high = (1 << bits) - 1;
  return value > high ? high : value < ~high ? ~high : value;
}

/** SRC and friends: the 32 bits of high:low after a right shift by `amount` (0..32). */
export function funnelRight(high: number, low: number, amount: number): number {
  if (amount === 0) return low;
  if (amount >= 32) return amount === 32 ? high : high >>> (amount - 32);
  return (high << (32 - amount)) | (low >>> amount);
}
