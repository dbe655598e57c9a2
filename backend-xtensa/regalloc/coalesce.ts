// Takes live ranges, gives the initial bundles: values joined by edges, copies and two-address operands share one
// bundle if their ranges do not overlap, hottest join first. Knows no register and no allocation order.
//
// Conservative only in interference, as in aggressive coalescing (Chaitin 1982); a bundle that then finds no register
// as a whole is split again. Small bundles keep sorted segment lists that are compared pairwise; large ones (phi webs
// of interpreter loops) get a bitmap over positions, so that joining n values is not quadratic in n.
import { ConstraintKind } from './api.js';
import type { LiveRanges } from './liveness.js';
import { Pieces } from './pieces.js';
import { blockFrom, blockTo, constraintOf, OP_DEF, type Problem } from './problem.js';
import { Bundle, NIL, type SegmentPool } from './ranges.js';
import type { SpillPlan } from './spill-plan.js';

/** Above this number of segments a bundle is kept as bitmap plus unsorted chain. */
const SMALL = 24;
/** Joins over edges colder than this are not worth a longer range. */
const COLD = 0.005;

export interface Coalesced {
  /** Bundles by id; entries are never removed. */
  readonly bundles: Bundle[];
  /** Representative of the values that share a stack slot, per vreg. */
  readonly home: Int32Array;
  /** Joins that did not come about, as hints: list per vreg of a segment of the other value. */
  readonly affinityHead: Int32Array;
  readonly affinityNext: Int32Array;
  readonly affinitySegment: Int32Array;
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
  /** Links of the lists; the pool's own are left alone. */
  readonly next: Int32Array;
  /** First segment per set; sorted unless the set has a bitmap. */
  readonly head: Int32Array;
  constructor(
    private readonly p: Problem,
    private readonly pool: SegmentPool,
    heads: ArrayLike<number>,
    n: number,
  ) {
    const head = Int32Array.from(heads);
    this.head = head;
    this.next = pool.next.slice(0, pool.count);
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
      for (let s = head[v]!; s !== NIL; s = this.next[s]!) {
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
    for (let s = this.head[root]!; s !== NIL; s = this.next[s]!) {
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
      if (pool.to[s]! <= pool.from[t]!) s = this.next[s]!;
      else if (pool.to[t]! <= pool.from[s]!) t = this.next[t]!;
      else return true;
    }
    return false;
  }

  private overlapBits(bits: Uint32Array, small: number): boolean {
    const { pool } = this;
    for (let s = this.head[small]!; s !== NIL; s = this.next[s]!) {
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

/** Pairs of places that want one register, grouped by weight: (vreg, position) twice. */
function candidates(p: Problem): Map<number, number[]> {
  const groups = new Map<number, number[]>();
  const { input, opStart, opVReg, opFlags, opFixed } = p;
  for (let b = 0; b < p.blockCount; b++) {
    const weight = p.blockWeight[b]!;
    let group = groups.get(weight);
    if (group === undefined) groups.set(weight, (group = []));
    const succs = p.succs[b]!;
    const end = blockTo(p, b) - 1;
    for (let s = 0; s < succs.length; s++) {
      const args = input.edgeArgs(b, s);
      if (args.length === 0) continue;
      const params = input.blockParams(succs[s]!);
      const start = blockFrom(p, succs[s]!);
      for (let k = 0; k < args.length; k++) group.push(params[k]!, start, args[k]!, end);
    }
    for (let i = p.blockFirst[b]!; i < p.blockFirst[b + 1]!; i++) {
      const early = 2 * (i + b + 1);
      if (input.isMove(i)) {
        let def = NIL;
        let use = NIL;
        for (let k = opStart[i]!; k < opStart[i + 1]!; k++) {
          if ((opFlags[k]! & OP_DEF) !== 0) def = opVReg[k]!;
          else use = opVReg[k]!;
        }
        group.push(def, early + 1, use, early);
        continue;
      }
      for (let k = opStart[i]!; k < opStart[i + 1]!; k++) {
        if (constraintOf(opFlags[k]!) === ConstraintKind.Reuse) {
          group.push(opVReg[k]!, early + 1, opVReg[opStart[i]! + opFixed[k]!]!, early - 1);
        }
      }
    }
  }
  return groups;
}

/** Which values may share a stack slot: as by joining whole values, wherever they are in registers. */
function homes(p: Problem, live: LiveRanges, groups: ReadonlyMap<number, readonly number[]>): Int32Array {
  const joiner = new Joiner(p, live.segments, live.firstSegment, p.vregCount);
  for (const weight of [...groups.keys()].sort((a, b) => b - a)) {
    const group = groups.get(weight)!;
    for (let k = 0; k < group.length; k += 4) {
      const a = group[k]!;
      const b = group[k + 2]!;
      if (live.firstSegment[a] === NIL || live.firstSegment[b] === NIL || p.vregClass[a] !== p.vregClass[b]) continue;
      joiner.join(a, b);
    }
  }
  const home = new Int32Array(p.vregCount);
  for (let v = 0; v < p.vregCount; v++) home[v] = joiner.find(v);
  return home;
}

export function coalesce(p: Problem, live: LiveRanges, plan: SpillPlan | undefined): Coalesced {
  const { segments, uses } = live;
  const groups = candidates(p);
  const home = plan === undefined ? undefined : homes(p, live, groups);
  const pieces = new Pieces(p, live, plan);
  const joiner = new Joiner(p, segments, pieces.firstSegment, pieces.count);
  const weights = [...groups.keys()].sort((a, b) => b - a);
  const affinityHead = new Int32Array(p.vregCount).fill(NIL);
  const next: number[] = [];
  const other: number[] = [];
  const hint = (v: number, segment: number): void => {
    next.push(affinityHead[v]!);
    affinityHead[v] = other.length;
    other.push(segment);
  };
  let joins = 0;
  for (const weight of weights) {
    const group = groups.get(weight)!;
    for (let k = 0; k < group.length; k += 4) {
      const v = group[k]!;
      const w = group[k + 2]!;
      const a = pieces.at(v, group[k + 1]!);
      const b = pieces.at(w, group[k + 3]!);
      if (a === NIL || b === NIL || p.vregClass[v] !== p.vregClass[w]) continue;
      if (pieces.firstSegment[a] === NIL || pieces.firstSegment[b] === NIL) continue;
      if (weight >= COLD && joiner.join(a, b)) {
        joins++;
        continue;
      }
      hint(v, pieces.firstSegment[b]!);
      hint(w, pieces.firstSegment[a]!);
    }
  }
  const bundles: Bundle[] = [];
  for (let v = 0; v < pieces.count; v++) {
    if (joiner.find(v) !== v || joiner.head[v] === NIL) continue;
    const bundle = new Bundle(bundles.length, p.vregClass[pieces.vreg[v]!]!);
    bundles.push(bundle);
    bundle.firstSegment = joiner.head[v]!;
    if (joiner.bits[v] !== undefined) {
      const list: number[] = [];
      for (let s = joiner.head[v]!; s !== NIL; s = joiner.next[s]!) list.push(s);
      const { from } = segments;
      list.sort((a, b) => from[a]! - from[b]!);
      for (let k = 0; k < list.length; k++) joiner.next[list[k]!] = list[k + 1] ?? NIL;
      bundle.firstSegment = list[0]!;
    }
    for (let s = bundle.firstSegment; s !== NIL; s = joiner.next[s]!) segments.bundle[s] = bundle.id;
    bundle.firstUse = pieces.firstUse[v]!;
    if (joiner.memberNext[v] !== NIL) {
      const list: number[] = [];
      for (let m: number = v; m !== NIL; m = joiner.memberNext[m]!) {
        for (let u = pieces.firstUse[m]!; u !== NIL; u = uses.next[u]!) list.push(u);
      }
      const { from } = uses;
      list.sort((a, b) => from[a]! - from[b]!);
      for (let k = 0; k < list.length; k++) uses.next[list[k]!] = list[k + 1] ?? NIL;
      bundle.firstUse = list[0] ?? NIL;
    }
  }
  segments.next.set(joiner.next);
  return {
    bundles,
    home: home ?? Int32Array.from({ length: p.vregCount }, (_, v) => joiner.find(v)),
    affinityHead,
    affinityNext: Int32Array.from(next),
    affinitySegment: Int32Array.from(other),
    joins,
  };
}
