// Sets of live ranges that are joined as long as they do not overlap: union-find with interference. Takes sorted segment
// lists, leaves the pool's own links alone. Knows no reason for a join.
//
// Small sets keep sorted segment lists that are compared pairwise; large ones (phi webs of interpreter loops) get a
// bitmap over positions, so that joining n values is not quadratic in n.
import { PositionSet } from './position-set.js';
import type { Problem } from './problem.js';
import { NIL, type SegmentPool } from './ranges.js';
import { i32 } from './scratch.js';

/** Above this number of segments a set is kept as bitmap plus unsorted chain. */
export const SMALL = 32;

export class Joiner {
  readonly parent: Int32Array;
  readonly count: Int32Array;
  readonly tail: Int32Array;
  /** Occupied positions of large sets. */
  readonly bits = new Map<number, PositionSet>();
  /** Members of a set as a chain of vregs. */
  readonly memberNext: Int32Array;
  readonly memberTail: Int32Array;
  /** Links of the lists; the pool's own are left alone. */
  readonly next: Int32Array;
  /** First segment per set; sorted unless the set has a bitmap. */
  readonly head: Int32Array;
  constructor(
    private readonly p: Problem,
    private readonly pool: SegmentPool,
    heads: Int32Array,
    n: number,
  ) {
    const head = i32(n);
    head.set(n < heads.length ? heads.subarray(0, n) : heads);
    this.head = head;
    this.next = i32(pool.count);
    this.next.set(pool.next.subarray(0, pool.count));
    this.parent = i32(n);
    this.count = i32(n);
    this.tail = i32(n);
    this.memberNext = i32(n, NIL);
    this.memberTail = i32(n);
    for (let v = 0; v < n; v++) {
      this.parent[v] = v;
      this.memberTail[v] = v;
      let count = 0;
      let last = NIL;
      for (let s = head[v]!; s !== NIL; s = this.next[s]!) {
        last = s;
        count++;
      }
      this.count[v] = count;
      this.tail[v] = last;
      if (count > SMALL) this.makeBits(v);
    }
  }

  /** The representative of each of the first `count` members. */
  sets(count: number): Int32Array {
    const result = i32(count);
    for (let v = 0; v < count; v++) result[v] = this.find(v);
    return result;
  }

  find(v: number): number {
    const { parent } = this;
    while (parent[v] !== v) {
      parent[v] = parent[parent[v]!]!;
      v = parent[v]!;
    }
    return v;
  }

  private makeBits(root: number): PositionSet {
    const bits = new PositionSet((this.p.slotCount >> 4) + 1);
    this.addBits(bits, root);
    this.bits.set(root, bits);
    return bits;
  }

  private addBits(bits: PositionSet, root: number): void {
    const { pool } = this;
    for (let s = this.head[root]!; s !== NIL; s = this.next[s]!) bits.add(pool.from[s]!, pool.to[s]!);
  }

  private overlapLists(a: number, b: number): boolean {
    const { pool } = this;
    let s = this.head[a]!;
    let t = this.head[b]!;
    while (s !== NIL && t !== NIL) {
      if (pool.to[s]! <= pool.from[t]!) s = this.next[s]!;
      else if (pool.to[t]! <= pool.from[s]!) t = this.next[t]!;
      else return true;
    }
    return false;
  }

  private overlapBits(bits: PositionSet, small: number): boolean {
    const { pool } = this;
    for (let s = this.head[small]!; s !== NIL; s = this.next[s]!)
      if (bits.meets(pool.from[s]!, pool.to[s]!)) return true;
    return false;
  }

  private overlap(a: number, b: number): boolean {
    const x = this.count[a]! > SMALL ? this.bits.get(a) : undefined;
    const y = this.count[b]! > SMALL ? this.bits.get(b) : undefined;
    if (x === undefined && y === undefined) return this.overlapLists(a, b);
    if (x === undefined) return this.overlapBits(y!, a);
    if (y === undefined) return this.overlapBits(x, b);
    return x.meetsAny(y);
  }

  private mergeLists(a: number, b: number): void {
    const { pool } = this;
    let s = this.head[a]!;
    let t = this.head[b]!;
    let first = NIL;
    let last = NIL;
    while (s !== NIL || t !== NIL) {
      let take: number;
      if (t === NIL || (s !== NIL && pool.from[s]! < pool.from[t]!)) {
        take = s;
        s = this.next[s]!;
      } else {
        take = t;
        t = this.next[t]!;
      }
      if (last === NIL) first = take;
      else this.next[last] = take;
      last = take;
    }
    this.head[a] = first;
    this.tail[a] = last;
  }

  /** Joins the sets of two vregs if that is possible; true if they are one set now. */
  join(v: number, w: number): boolean {
    let a = this.find(v);
    let b = this.find(w);
    if (a === b) return true;
    if (this.overlap(a, b)) return false;
    if (this.count[a]! < this.count[b]!) [a, b] = [b, a];
    const count = this.count[a]! + this.count[b]!;
    if (count <= SMALL) this.mergeLists(a, b);
    else {
      const bits = this.bits.get(a) ?? this.makeBits(a);
      const other = this.bits.get(b);
      if (other === undefined) this.addBits(bits, b);
      else bits.addAll(other);
      this.bits.delete(b);
      this.next[this.tail[a]!] = this.head[b]!;
      this.tail[a] = this.tail[b]!;
    }
    this.count[a] = count;
    this.parent[b] = a;
    this.memberNext[this.memberTail[a]!] = b;
    this.memberTail[a] = this.memberTail[b]!;
    return true;
  }
}
