// Sets of 32-bit values as arcs of the circle modulo 2^32, with a stride. Pure arithmetic of an abstract domain: every
// operation gives a superset of the exact answer. Knows no program.

/** { start + k * stride mod 2^32 : 0 <= k * stride <= length }. `length` is a multiple of `stride`; stride 0 only if length is 0. */
export interface Arc {
  readonly start: number;
  readonly length: number;
  readonly stride: number;
}

const SPACE = 0x1_0000_0000;
const MAX = 0xffffffff;

export const FULL: Arc = { start: 0, length: MAX, stride: 1 };
export const single = (value: number): Arc => ({ start: value >>> 0, length: 0, stride: 0 });
/** [low, high] as unsigned numbers, low <= high. */
export const range = (low: number, high: number): Arc =>
  low === high ? single(low) : { start: low, length: high - low, stride: 1 };

export const isFull = (arc: Arc): boolean => arc.length === MAX;
export const isSingle = (arc: Arc): boolean => arc.length === 0;

export function sameArc(a: Arc, b: Arc): boolean {
  return a === b || (a.start === b.start && a.length === b.length && a.stride === b.stride);
}

/** Smallest and largest member read as unsigned. */
export const low = (arc: Arc): number => (arc.start + arc.length < SPACE ? arc.start : 0);
export const high = (arc: Arc): number => (arc.start + arc.length < SPACE ? arc.start + arc.length : MAX);
/** Smallest and largest member read as signed. */
export const signedLow = (arc: Arc): number => low(shift(arc, 0x80000000)) - 0x80000000;
export const signedHigh = (arc: Arc): number => high(shift(arc, 0x80000000)) - 0x80000000;

export function shift(arc: Arc, by: number): Arc {
  return by === 0 || isFull(arc) ? arc : { start: (arc.start + by) >>> 0, length: arc.length, stride: arc.stride };
}

export function gcd(a: number, b: number): number {
  while (b !== 0) {
    const rest = a % b;
    a = b;
    b = rest;
  }
  return a;
}

/** Smallest arc that holds both. */
export function hull(a: Arc, b: Arc): Arc {
  if (sameArc(a, b)) return a;
  const forward = covering(a, b);
  const backward = covering(b, a);
  if (forward === null) return backward ?? FULL;
  return backward === null || forward.length <= backward.length ? forward : backward;
}

/** The arc from a's start over both, or null if that goes round. */
function covering(a: Arc, b: Arc): Arc | null {
  const distance = (b.start - a.start) >>> 0;
  const length = Math.max(a.length, distance + b.length);
  if (length >= SPACE) return null;
  return { start: a.start, length, stride: gcd(gcd(a.stride, b.stride), distance) };
}

/** True if every member of `inner` is one of `outer`. */
export function within(inner: Arc, outer: Arc): boolean {
  if (isFull(outer) || sameArc(inner, outer)) return true;
  const distance = (inner.start - outer.start) >>> 0;
  if (distance + inner.length > outer.length) return false;
  if (outer.stride === 0) return inner.length === 0;
  return distance % outer.stride === 0 && inner.stride % outer.stride === 0;
}

/** A superset of the common members, null if there are none. Exact if the common members are one piece. */
export function intersect(a: Arc, b: Arc): Arc | null {
  if (isFull(b)) return a;
  if (isFull(a)) return b;
  if (a.stride === 1 && b.stride > 1) return intersect(b, a);
  const from = (b.start - a.start) >>> 0;
  const to = from + b.length;
  if (to < SPACE) return from > a.length ? null : piece(a, from, Math.min(a.length, to));
  const wrapped = piece(a, 0, Math.min(a.length, to - SPACE));
  if (from > a.length) return wrapped;
  // Two pieces: no single arc is exact.
  const upper = piece(a, from, a.length);
  if (wrapped === null) return upper;
  if (upper === null) return wrapped;
  return a.length <= b.length ? a : b;
}

function piece(a: Arc, from: number, to: number): Arc | null {
  if (a.stride === 0) return from === 0 ? a : null;
  const first = Math.ceil(from / a.stride) * a.stride;
  const last = Math.floor(to / a.stride) * a.stride;
  if (first > last) return null;
  return { start: (a.start + first) >>> 0, length: last - first, stride: first === last ? 0 : a.stride };
}

/** Without one value, where that leaves one piece. Null if nothing is left. */
export function without(arc: Arc, value: number): Arc | null {
  if (isSingle(arc)) return arc.start === value >>> 0 ? null : arc;
  const { start, length, stride } = arc;
  if (start === value >>> 0) return trimmed((start + stride) >>> 0, length - stride, stride);
  if ((start + length) >>> 0 === value >>> 0) return trimmed(start, length - stride, stride);
  return arc;
}

const trimmed = (start: number, length: number, stride: number): Arc => ({
  start,
  length,
  stride: length === 0 ? 0 : stride,
});

export function sum(a: Arc, b: Arc): Arc {
  const length = a.length + b.length;
  if (length >= SPACE) return FULL;
  return { start: (a.start + b.start) >>> 0, length, stride: gcd(a.stride, b.stride) };
}

export function negate(arc: Arc): Arc {
  if (isFull(arc)) return arc;
  return { start: -(arc.start + arc.length) >>> 0, length: arc.length, stride: arc.stride };
}

/** Members times 2^bits, if none overflows. */
export function scaleUp(arc: Arc, bits: number): Arc {
  const factor = 2 ** bits;
  const top = high(arc) * factor;
  if (top >= SPACE) return bits > 0 ? { start: 0, length: SPACE - factor, stride: factor } : arc;
  return { start: low(arc) * factor, length: top - low(arc) * factor, stride: strideOf(arc) * factor };
}

/** Members divided by 2^bits, rounded down. */
export function scaleDown(arc: Arc, bits: number): Arc {
  const factor = 2 ** bits;
  return range(Math.floor(low(arc) / factor), Math.floor(high(arc) / factor));
}

const strideOf = (arc: Arc): number => (low(arc) === high(arc) ? 0 : arc.start + arc.length < SPACE ? arc.stride : 1);

/** Values x & y can have when x is in `a` and y in `b`. */
export function and(a: Arc, b: Arc): Arc {
  if (isSingle(b)) return masked(a, b.start);
  if (isSingle(a)) return masked(b, a.start);
  return range(0, Math.min(high(a), high(b)));
}

/** A mask that only clears low bits rounds down to a multiple of its lowest bit. */
function masked(arc: Arc, mask: number): Arc {
  const top = high(arc);
  if (mask === 0) return single(0);
  const unit = 2 ** (31 - Math.clz32(mask & -mask));
  const end = mask + unit;
  if (top >= end || !Number.isInteger(Math.log2(end))) return range(0, Math.min(top, mask));
  const from = Math.floor(low(arc) / unit) * unit;
  const to = Math.floor(top / unit) * unit;
  return { start: from, length: to - from, stride: from === to ? 0 : unit };
}

/** Upper bound of x | y and x ^ y: all bits below the highest. */
export function or(a: Arc, b: Arc): Arc {
  const both = Math.max(high(a), high(b));
  return range(0, both === 0 ? 0 : 2 ** (32 - Math.clz32(both)) - 1);
}
