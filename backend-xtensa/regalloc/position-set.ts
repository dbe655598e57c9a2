// A growing set of positions as a bitmap over the stretch it spans. For comparing large sets of live range segments in
// time proportional to the smaller. Knows no segment list and no register.
import { u32 } from './scratch.js';

/** Bits of one word from position `from` to `to` (exclusive), both clipped to word `w`. */
function wordMask(w: number, from: number, to: number): number {
  let mask = -1;
  if (w === from >>> 5) mask &= -1 << (from & 31);
  if (w === (to - 1) >>> 5) mask &= -1 >>> (31 - ((to - 1) & 31));
  return mask;
}

export class PositionSet {
  /** First word of the function's positions that `words` holds. */
  private base = 0;
  private words = u32(0);

  /** @param limit number of words that the function's positions take */
  constructor(private readonly limit: number) {}

  /** Makes room for words [first, last], with some to spare on both sides. */
  private span(first: number, last: number): void {
    const end = this.base + this.words.length;
    if (this.words.length > 0 && first >= this.base && last < end) return;
    const from = this.words.length === 0 ? first : Math.min(first, this.base);
    const to = this.words.length === 0 ? last + 1 : Math.max(last + 1, end);
    const spare = to - from;
    const base = Math.max(0, first < this.base || this.words.length === 0 ? from - spare : from);
    const stop = Math.min(this.limit, last >= end ? to + spare : to);
    const words = u32(stop - base);
    if (this.words.length > 0) words.set(this.words, this.base - base);
    this.base = base;
    this.words = words;
  }

  add(from: number, to: number): void {
    const first = from >>> 5;
    const last = (to - 1) >>> 5;
    this.span(first, last);
    for (let w = first; w <= last; w++) this.words[w - this.base]! |= wordMask(w, from, to);
  }

  addAll(other: PositionSet): void {
    if (other.words.length === 0) return;
    this.span(other.base, other.base + other.words.length - 1);
    const shift = other.base - this.base;
    for (let k = 0; k < other.words.length; k++) this.words[k + shift]! |= other.words[k]!;
  }

  /** True if any position of [from, to) is in the set. */
  meets(from: number, to: number): boolean {
    const first = Math.max(from >>> 5, this.base);
    const last = Math.min((to - 1) >>> 5, this.base + this.words.length - 1);
    for (let w = first; w <= last; w++) if ((this.words[w - this.base]! & wordMask(w, from, to)) !== 0) return true;
    return false;
  }

  meetsAny(other: PositionSet): boolean {
    const first = Math.max(this.base, other.base);
    const end = Math.min(this.base + this.words.length, other.base + other.words.length);
    for (let w = first; w < end; w++)
      if ((this.words[w - this.base]! & other.words[w - other.base]!) !== 0) return true;
    return false;
  }
}
