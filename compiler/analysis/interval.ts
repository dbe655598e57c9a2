// Intervals of 32-bit values. A value is in an interval if it equals, modulo 2^32, some integer between lo and hi; lo is at
// least -2^31 and hi at most 2^32 - 1, so that both readings, signed and unsigned, can be held. Knows no IR.

export interface Interval {
  readonly lo: number;
  readonly hi: number;
}

const WORD = 2 ** 32;
const HALF = 2 ** 31;

export const ANY: Interval = { lo: 0, hi: WORD - 1 };
export const ANY_SIGNED: Interval = { lo: -HALF, hi: HALF - 1 };

/** The interval lo..hi of plain integers, moved into the allowed window; ANY if it does not fit. */
export function interval(lo: number, hi: number): Interval {
  if (hi - lo >= WORD) return ANY;
  if (lo >= -HALF && hi < WORD) return { lo, hi };
  if (lo >= -HALF + WORD && hi < 2 * WORD) return { lo: lo - WORD, hi: hi - WORD };
  if (lo >= -HALF - WORD && hi < 0) return { lo: lo + WORD, hi: hi + WORD };
  return ANY;
}

export const single = (value: number): Interval => ({ lo: value, hi: value });

/** The same values read as unsigned: both ends at least 0. */
export function unsigned(x: Interval): Interval {
  if (x.lo >= 0) return x;
  return x.hi < 0 ? { lo: x.lo + WORD, hi: x.hi + WORD } : ANY;
}

/** The same values read as signed. */
export function signed(x: Interval): Interval {
  if (x.hi < HALF) return x;
  return x.lo >= HALF ? { lo: x.lo - WORD, hi: x.hi - WORD } : ANY_SIGNED;
}

const width = (x: Interval): number => x.hi - x.lo;

/** Values in both, or in the narrower one where the two are held in different readings. */
export function intersect(a: Interval, b: Interval): Interval {
  let [x, y] = [a, b];
  if (x.lo < 0 || y.lo < 0) {
    // A reading both can be held in exactly.
    if (signed(x) !== ANY_SIGNED || x === ANY_SIGNED) x = signed(x);
    else return width(x) <= width(y) ? x : y;
    if (signed(y) !== ANY_SIGNED || y === ANY_SIGNED) y = signed(y);
    else return width(x) <= width(y) ? x : y;
  }
  const lo = Math.max(x.lo, y.lo);
  const hi = Math.min(x.hi, y.hi);
  // Contradiction: the place is not reached; any answer is right, keep a plain one.
  return lo <= hi ? { lo, hi } : x;
}

export function union(a: Interval, b: Interval): Interval {
  if ((a.lo < 0 && b.hi >= HALF) || (b.lo < 0 && a.hi >= HALF)) {
    const [x, y] = [unsigned(a), unsigned(b)];
    return x === ANY || y === ANY ? ANY : { lo: Math.min(x.lo, y.lo), hi: Math.max(x.hi, y.hi) };
  }
  return { lo: Math.min(a.lo, b.lo), hi: Math.max(a.hi, b.hi) };
}

export const add = (a: Interval, b: Interval): Interval => interval(a.lo + b.lo, a.hi + b.hi);
export const sub = (a: Interval, b: Interval): Interval => interval(a.lo - b.hi, a.hi - b.lo);

/** Product with a constant. */
export function scale(a: Interval, by: number): Interval {
  return by >= 0 ? interval(a.lo * by, a.hi * by) : interval(a.hi * by, a.lo * by);
}
