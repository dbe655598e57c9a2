// Takes a problem, gives the pairs of places that want one register: edge arguments and parameters, copies, two-address
// operands; hottest first. Knows no live range.
import { ConstraintKind } from './api.js';
import { blockFrom, blockTo, constraintOf, OP_DEF, type Problem } from './problem.js';
import { NIL } from './ranges.js';
import { i32, roomI32 } from './scratch.js';

/** Joins over edges colder than this are not worth a longer range. */
const COLD = 0.12;
const BUCKETS = 128;
/** Bucket of weight 1. */
const HEAVIEST = 100;
/** Parameters of the same edge to look at on either side. */
const NEIGHBOURS = 6;

export /** Pairs of places that want one register, in order of falling weight. */
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
