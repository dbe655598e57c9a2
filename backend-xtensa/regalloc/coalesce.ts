// Takes live ranges, gives the initial bundles: values joined by edges, copies and two-address operands share one
// bundle if their ranges do not overlap, hottest join first. Knows no register and no allocation order.
//
// Conservative only in interference, as in aggressive coalescing (Chaitin 1982); a bundle that then finds no register
// as a whole is split again. Small bundles keep sorted segment lists that are compared pairwise; large ones (phi webs
// of interpreter loops) get a bitmap over positions, so that joining n values is not quadratic in n.
import { ConstraintKind } from './api.js';
import type { LiveRanges } from './liveness.js';
import { Pieces } from './pieces.js';
import { PositionSet } from './position-set.js';
import { blockFrom, blockTo, constraintOf, OP_DEF, type Problem } from './problem.js';
import { Bundle, NIL, type SegmentPool } from './ranges.js';
import { f64, i32, roomF64, roomI32 } from './scratch.js';
import type { SpillPlan } from './spill-plan.js';

/** Above this number of segments a bundle is kept as bitmap plus unsorted chain. */
const SMALL = 32;
/** Joins over edges colder than this are not worth a longer range. */
const COLD = 0.12;
const BUCKETS = 128;
/** Bucket of weight 1. */
const HEAVIEST = 100;
/** Parameters of the same edge to look at on either side. */
const NEIGHBOURS = 6;

export interface Coalesced {
  /** Bundles by id; entries are never removed. */
  readonly bundles: Bundle[];
  /** Representative of the values that share a stack slot, per vreg. */
  readonly home: Int32Array;
  /**
   * Joins that did not come about, as hints: list per vreg of a segment of the other value and the weight of the move.
   * With negative weight: values whose register the vreg had better not have, as the move into it would have to wait.
   */
  readonly affinityHead: Int32Array;
  readonly affinityNext: Int32Array;
  readonly affinitySegment: Int32Array;
  readonly affinityWeight: Float64Array;
  readonly joins: number;
}

class Joiner {
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

/** Pairs of places that want one register, in order of falling weight. */
class Wishes {
  count = 0;
  private v = i32(256);
  private vAt = i32(256);
  private w = i32(256);
  private wAt = i32(256);
  private bucket = i32(256);
  private readonly sizes = i32(BUCKETS + 1);
  /** Indices in order. */
  order = i32(0);

  constructor(p: Problem) {
    const { input, opStart, opVReg, opFlags, opFixed } = p;
    for (let b = 0; b < p.blockCount; b++) {
      const bucket = bucketOf(p.blockWeight[b]!);
      const succs = p.succs[b]!;
      const end = blockTo(p, b) - 1;
      for (let s = 0; s < succs.length; s++) {
        const args = input.edgeArgs(b, s);
        if (args.length === 0) continue;
        const params = input.blockParams(succs[s]!);
        const start = blockFrom(p, succs[s]!);
        for (let k = 0; k < args.length; k++) this.add(params[k]!, start, args[k]!, end, bucket);
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
          this.add(def, early + 1, use, early, bucket);
          continue;
        }
        for (let k = opStart[i]!; k < opStart[i + 1]!; k++) {
          if (constraintOf(opFlags[k]!) === ConstraintKind.Reuse) {
            this.add(opVReg[k]!, early + 1, opVReg[opStart[i]! + opFixed[k]!]!, early - 1, bucket);
          }
        }
      }
    }
    this.sort();
  }

  private add(v: number, vAt: number, w: number, wAt: number, bucket: number): void {
    const at = this.count++;
    if (at >= this.v.length) {
      this.v = roomI32(this.v, at);
      this.vAt = roomI32(this.vAt, at);
      this.w = roomI32(this.w, at);
      this.wAt = roomI32(this.wAt, at);
      this.bucket = roomI32(this.bucket, at);
    }
    this.v[at] = v;
    this.vAt[at] = vAt;
    this.w[at] = w;
    this.wAt[at] = wAt;
    this.bucket[at] = bucket;
    this.sizes[bucket + 1]!++;
  }

  private sort(): void {
    const { sizes } = this;
    for (let k = 0; k < BUCKETS; k++) sizes[k + 1]! += sizes[k]!;
    this.order = i32(this.count);
    for (let k = 0; k < this.count; k++) this.order[sizes[this.bucket[k]!]!++] = k;
  }

  /** The wish at place k of the order: two vregs and the positions at which they meet. */
  first(k: number): number {
    return this.v[this.order[k]!]!;
  }
  firstAt(k: number): number {
    return this.vAt[this.order[k]!]!;
  }
  second(k: number): number {
    return this.w[this.order[k]!]!;
  }
  secondAt(k: number): number {
    return this.wAt[this.order[k]!]!;
  }
  weight(k: number): number {
    return 2 ** ((HEAVIEST - this.bucket[this.order[k]!]!) / 4);
  }
  /**
   * Calls `visit` with the parameters that the edge of wish k also fills, a few of them. Wishes of one edge are
   * neighbours in the order they were made in.
   */
  others(k: number, visit: (param: number, at: number) => void): void {
    const self = this.order[k]!;
    const first = Math.max(0, self - NEIGHBOURS);
    const last = Math.min(this.count - 1, self + NEIGHBOURS);
    for (let j = first; j <= last; j++) {
      if (j !== self && this.vAt[j] === this.vAt[self] && this.wAt[j] === this.wAt[self])
        visit(this.v[j]!, this.vAt[j]!);
    }
  }
  isCold(k: number): boolean {
    return this.bucket[this.order[k]!]! === BUCKETS - 1;
  }
}

/** Bucket by weight, heavy ones first, four to a factor of two; the last one is for cold code. */
function bucketOf(weight: number): number {
  if (weight < COLD) return BUCKETS - 1;
  return Math.max(0, Math.min(BUCKETS - 2, HEAVIEST - Math.floor(4 * Math.log2(weight))));
}

/** Which values may share a stack slot: as by joining whole values, wherever they are in registers. */
function homes(p: Problem, live: LiveRanges, wishes: Wishes): Int32Array {
  const joiner = new Joiner(p, live.segments, live.firstSegment, p.vregCount);
  for (let k = 0; k < wishes.count; k++) {
    const a = wishes.first(k);
    const b = wishes.second(k);
    if (live.firstSegment[a] === NIL || live.firstSegment[b] === NIL || p.vregClass[a] !== p.vregClass[b]) continue;
    joiner.join(a, b);
  }
  return joiner.sets(p.vregCount);
}

export function coalesce(p: Problem, live: LiveRanges, plan: SpillPlan | undefined): Coalesced {
  const { segments, uses } = live;
  const wishes = new Wishes(p);
  const home = plan === undefined ? undefined : homes(p, live, wishes);
  const pieces = new Pieces(p, live, plan);
  const joiner = new Joiner(p, segments, pieces.firstSegment, pieces.count);
  const affinityHead = i32(p.vregCount, NIL);
  let affinityNext = i32(2 * wishes.count);
  let affinitySegment = i32(2 * wishes.count);
  let affinityWeight = f64(2 * wishes.count);
  let hints = 0;
  const hint = (v: number, segment: number, weight: number): void => {
    affinityNext = roomI32(affinityNext, hints);
    affinitySegment = roomI32(affinitySegment, hints);
    affinityWeight = roomF64(affinityWeight, hints);
    affinityNext[hints] = affinityHead[v]!;
    affinitySegment[hints] = segment;
    affinityWeight[hints] = weight;
    affinityHead[v] = hints++;
  };
  let joins = 0;
  for (let k = 0; k < wishes.count; k++) {
    const v = wishes.first(k);
    const w = wishes.second(k);
    const a = pieces.at(v, wishes.firstAt(k));
    const b = pieces.at(w, wishes.secondAt(k));
    if (a === NIL || b === NIL || p.vregClass[v] !== p.vregClass[w]) continue;
    if (pieces.firstSegment[a] === NIL || pieces.firstSegment[b] === NIL) continue;
    if (!wishes.isCold(k) && joiner.join(a, b)) {
      joins++;
      continue;
    }
    const weight = wishes.weight(k);
    hint(v, pieces.firstSegment[b]!, weight);
    hint(w, pieces.firstSegment[a]!, weight);
    wishes.others(k, (param, at) => {
      const piece = pieces.at(param, at);
      if (piece !== NIL && pieces.firstSegment[piece] !== NIL) hint(w, pieces.firstSegment[piece]!, -weight / 2);
    });
  }
  const bundles: Bundle[] = [];
  for (let v = 0; v < pieces.count; v++) {
    if (joiner.find(v) !== v || joiner.head[v] === NIL) continue;
    const bundle = new Bundle(bundles.length, p.vregClass[pieces.vreg[v]!]!);
    bundles.push(bundle);
    bundle.firstSegment = joiner.head[v]!;
    if (joiner.count[v]! > SMALL) {
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
    home: home ?? joiner.sets(p.vregCount),
    affinityHead,
    affinityNext,
    affinitySegment,
    affinityWeight,
    joins,
  };
}
