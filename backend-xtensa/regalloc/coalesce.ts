// Takes live ranges, gives the initial bundles: values joined by edges, copies and two-address operands share one
// bundle if their ranges do not overlap, hottest join first. Knows no register and no allocation order.
//
// Conservative only in interference, as in aggressive coalescing (Chaitin 1982); a bundle that then finds no register
// as a whole is split again. Small bundles keep sorted segment lists that are compared pairwise; large ones (phi webs
// of interpreter loops) get a bitmap over positions, so that joining n values is not quadratic in n.
import { ConstraintKind } from './api.js';
import type { LiveRanges } from './liveness.js';
import { constraintOf, OP_DEF, type Problem } from './problem.js';
import { Bundle, NIL, type SegmentPool } from './ranges.js';

/** Above this number of segments a bundle is kept as bitmap plus unsorted chain. */
const SMALL = 24;
/** Joins over edges colder than this are not worth a longer range. */
const COLD = 0.005;

export interface Coalesced {
  /** Bundles by id; entries are never removed. */
  readonly bundles: Bundle[];
  /** Representative of the values that share a stack slot, per vreg. */
  readonly home: Int32Array;
  /** Joins that did not come about, as hints: list per vreg of the other vreg. */
  readonly affinityHead: Int32Array;
  readonly affinityNext: Int32Array;
  readonly affinityOther: Int32Array;
  readonly joins: number;
}

class Joiner {
  readonly parent: Int32Array;
  readonly count: Int32Array;
  readonly tail: Int32Array;
  readonly bits: (Uint32Array | undefined)[];
  /** Members of a set as a chain of vregs. */
  readonly memberNext: Int32Array;
  readonly memberTail: Int32Array;
  constructor(
    private readonly p: Problem,
    private readonly pool: SegmentPool,
    /** First segment per set; sorted unless the set has a bitmap. */
    readonly head: Int32Array,
  ) {
    const n = p.vregCount;
    this.parent = new Int32Array(n);
    this.count = new Int32Array(n);
    this.tail = new Int32Array(n);
    this.bits = new Array<Uint32Array | undefined>(n).fill(undefined);
    this.memberNext = new Int32Array(n).fill(NIL);
    this.memberTail = new Int32Array(n);
    for (let v = 0; v < n; v++) {
      this.parent[v] = v;
      this.memberTail[v] = v;
      let count = 0;
      let last = NIL;
      for (let s = head[v]!; s !== NIL; s = pool.next[s]!) {
        last = s;
        count++;
      }
      this.count[v] = count;
      this.tail[v] = last;
      if (count > SMALL) this.makeBits(v);
    }
  }

  find(v: number): number {
    const { parent } = this;
    while (parent[v] !== v) {
      parent[v] = parent[parent[v]!]!;
      v = parent[v]!;
    }
    return v;
  }

  private makeBits(root: number): Uint32Array {
    const bits = new Uint32Array((this.p.slotCount >> 4) + 1);
    const { pool } = this;
    for (let s = this.head[root]!; s !== NIL; s = pool.next[s]!) {
      const from = pool.from[s]!;
      const to = pool.to[s]!;
      const first = from >>> 5;
      const last = (to - 1) >>> 5;
      for (let w = first; w <= last; w++) {
        let mask = -1;
        if (w === first) mask &= -1 << (from & 31);
        if (w === last) mask &= -1 >>> (31 - ((to - 1) & 31));
        bits[w]! |= mask;
      }
    }
    this.bits[root] = bits;
    return bits;
  }

  private overlapLists(a: number, b: number): boolean {
    const { pool } = this;
    let s = this.head[a]!;
    let t = this.head[b]!;
    while (s !== NIL && t !== NIL) {
      if (pool.to[s]! <= pool.from[t]!) s = pool.next[s]!;
      else if (pool.to[t]! <= pool.from[s]!) t = pool.next[t]!;
      else return true;
    }
    return false;
  }

  private overlapBits(bits: Uint32Array, small: number): boolean {
    const { pool } = this;
    for (let s = this.head[small]!; s !== NIL; s = pool.next[s]!) {
      const from = pool.from[s]!;
      const to = pool.to[s]!;
      const first = from >>> 5;
      const last = (to - 1) >>> 5;
      for (let w = first; w <= last; w++) {
        let mask = -1;
        if (w === first) mask &= -1 << (from & 31);
        if (w === last) mask &= -1 >>> (31 - ((to - 1) & 31));
        if ((bits[w]! & mask) !== 0) return true;
      }
    }
    return false;
  }

  private overlap(a: number, b: number): boolean {
    const x = this.bits[a];
    const y = this.bits[b];
    if (x === undefined && y === undefined) return this.overlapLists(a, b);
    if (x === undefined) return this.overlapBits(y!, a);
    if (y === undefined) return this.overlapBits(x, b);
    for (let w = 0; w < x.length; w++) if ((x[w]! & y[w]!) !== 0) return true;
    return false;
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
        s = pool.next[s]!;
      } else {
        take = t;
        t = pool.next[t]!;
      }
      if (last === NIL) first = take;
      else pool.next[last] = take;
      last = take;
    }
    this.head[a] = first;
    this.tail[a] = last;
  }

  /** Joins the sets of two vregs if that is possible; true if they are one set now. */
  join(v: number, w: number): boolean {
    const a = this.find(v);
    const b = this.find(w);
    if (a === b) return true;
    if (this.overlap(a, b)) return false;
    const count = this.count[a]! + this.count[b]!;
    if (count <= SMALL) this.mergeLists(a, b);
    else {
      const x = this.bits[a] ?? this.makeBits(a);
      const y = this.bits[b] ?? this.makeBits(b);
      for (let k = 0; k < x.length; k++) x[k]! |= y[k]!;
      this.bits[b] = undefined;
      this.pool.next[this.tail[a]!] = this.head[b]!;
      this.tail[a] = this.tail[b]!;
    }
    this.count[a] = count;
    this.parent[b] = a;
    this.memberNext[this.memberTail[a]!] = b;
    this.memberTail[a] = this.memberTail[b]!;
    return true;
  }
}

/** Pairs that want one register, grouped by weight. */
function candidates(p: Problem): Map<number, number[]> {
  const groups = new Map<number, number[]>();
  const { input, opStart, opVReg, opFlags, opFixed } = p;
  for (let b = 0; b < p.blockCount; b++) {
    const weight = p.blockWeight[b]!;
    let group = groups.get(weight);
    if (group === undefined) groups.set(weight, (group = []));
    const succs = input.blockSuccs(b);
    for (let s = 0; s < succs.length; s++) {
      const args = input.edgeArgs(b, s);
      if (args.length === 0) continue;
      const params = input.blockParams(succs[s]!);
      for (let k = 0; k < args.length; k++) group.push(params[k]!, args[k]!);
    }
    for (let i = p.blockFirst[b]!; i < p.blockFirst[b + 1]!; i++) {
      if (input.isMove(i)) {
        let def = NIL;
        let use = NIL;
        for (let k = opStart[i]!; k < opStart[i + 1]!; k++) {
          if ((opFlags[k]! & OP_DEF) !== 0) def = opVReg[k]!;
          else use = opVReg[k]!;
        }
        group.push(def, use);
        continue;
      }
      for (let k = opStart[i]!; k < opStart[i + 1]!; k++) {
        if (constraintOf(opFlags[k]!) === ConstraintKind.Reuse) {
          group.push(opVReg[k]!, opVReg[opStart[i]! + opFixed[k]!]!);
        }
      }
    }
  }
  return groups;
}

export function coalesce(p: Problem, live: LiveRanges): Coalesced {
  const { segments, uses, firstSegment, firstUse } = live;
  const joiner = new Joiner(p, segments, firstSegment);
  const groups = candidates(p);
  const weights = [...groups.keys()].sort((a, b) => b - a);
  const affinityHead = new Int32Array(p.vregCount).fill(NIL);
  const next: number[] = [];
  const other: number[] = [];
  let joins = 0;
  for (const weight of weights) {
    const group = groups.get(weight)!;
    for (let k = 0; k < group.length; k += 2) {
      const a = group[k]!;
      const b = group[k + 1]!;
      if (firstSegment[a] === NIL || firstSegment[b] === NIL || p.vregClass[a] !== p.vregClass[b]) continue;
      if (weight >= COLD && joiner.join(a, b)) {
        joins++;
        continue;
      }
      next.push(affinityHead[a]!);
      affinityHead[a] = other.length;
      other.push(b);
      next.push(affinityHead[b]!);
      affinityHead[b] = other.length;
      other.push(a);
    }
  }
  const bundles: Bundle[] = [];
  const home = new Int32Array(p.vregCount);
  let scratch: number[] = [];
  for (let v = 0; v < p.vregCount; v++) {
    home[v] = joiner.find(v);
    if (home[v] !== v || joiner.head[v] === NIL) continue;
    const bundle = new Bundle(bundles.length, p.vregClass[v]!);
    bundles.push(bundle);
    if (joiner.bits[v] !== undefined) {
      scratch = [];
      for (let s = joiner.head[v]!; s !== NIL; s = segments.next[s]!) scratch.push(s);
      const { from } = segments;
      scratch.sort((a, b) => from[a]! - from[b]!);
      for (let k = 0; k < scratch.length; k++) segments.next[scratch[k]!] = scratch[k + 1] ?? NIL;
      bundle.firstSegment = scratch[0]!;
    } else bundle.firstSegment = joiner.head[v]!;
    for (let s = bundle.firstSegment; s !== NIL; s = segments.next[s]!) segments.bundle[s] = bundle.id;
    if (joiner.memberNext[v] === NIL) bundle.firstUse = firstUse[v]!;
    else {
      scratch = [];
      for (let m: number = v; m !== NIL; m = joiner.memberNext[m]!) {
        for (let u = firstUse[m]!; u !== NIL; u = uses.next[u]!) scratch.push(u);
      }
      const { from } = uses;
      scratch.sort((a, b) => from[a]! - from[b]!);
      for (let k = 0; k < scratch.length; k++) uses.next[scratch[k]!] = scratch[k + 1] ?? NIL;
      bundle.firstUse = scratch[0] ?? NIL;
    }
  }
  return {
    bundles,
    home,
    affinityHead,
    affinityNext: Int32Array.from(next),
    affinityOther: Int32Array.from(other),
    joins,
  };
}
