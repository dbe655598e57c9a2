// Takes live ranges and a spill plan, gives the pieces that coalescing and assignment work on: whole values, or for
// values that the plan sends to memory in places, each connected stretch in a register. Knows no register.
import type { LiveRanges } from './liveness.js';
import { blockFrom, blockTo, type Problem } from './problem.js';
import { NIL } from './ranges.js';
import type { SpillPlan } from './spill-plan.js';

export class Pieces {
  count: number;
  /** Per piece: its segments and uses, ascending. Segments in no piece live in memory. */
  readonly firstSegment: number[];
  readonly firstUse: number[];
  readonly vreg: number[];
  /** Per partial vreg: its segments and the piece of each (NIL: memory), ascending; others have none. */
  private readonly partial: (PartialValue | undefined)[];

  constructor(
    private readonly p: Problem,
    private readonly live: LiveRanges,
    plan: SpillPlan | undefined,
  ) {
    this.count = p.vregCount;
    this.firstSegment = Array.from(live.firstSegment);
    this.firstUse = Array.from(live.firstUse);
    this.vreg = Array.from(live.firstSegment, (_, v) => v);
    this.partial = [];
    if (plan === undefined) return;
    for (let v = 0; v < p.vregCount; v++) this.partial.push(undefined);
    const values: number[] = [];
    for (let v = 0; v < p.vregCount; v++) {
      if (plan.partial[v] === 0 || live.firstSegment[v] === NIL) continue;
      this.partial[v] = this.divide(v, plan);
      values.push(v);
    }
    this.connect();
    for (const v of values) this.form(v);
  }

  /** The piece that holds `v` at `position`, or NIL if that is memory. */
  at(v: number, position: number): number {
    const partial = this.partial[v];
    if (partial === undefined) return v;
    const k = partial.find(position);
    return k === NIL ? NIL : partial.piece[k]!;
  }

  /** Cuts the segments of `v` at the bounds of its register intervals. */
  private divide(v: number, plan: SpillPlan): PartialValue {
    const { segments } = this.live;
    const value = new PartialValue();
    let interval = plan.first[v]!;
    for (let s = this.live.firstSegment[v]!; s !== NIL;) {
      const following = segments.next[s]!;
      const end = segments.to[s]!;
      let at = segments.from[s]!;
      let segment = s;
      while (at < end) {
        while (interval !== NIL && plan.to[interval]! <= at) interval = plan.next[interval]!;
        const inRegister = interval !== NIL && plan.from[interval]! <= at;
        let stop = end;
        if (interval !== NIL) stop = Math.min(end, inRegister ? plan.to[interval]! : plan.from[interval]!);
        if (at === segments.from[segment]!) segments.to[segment] = stop;
        else segment = segments.add(v, at, stop, NIL);
        value.push(segment, at, stop, inRegister);
        at = stop;
      }
      s = following;
    }
    return value;
  }

  /** Joins register segments of one value that meet over an edge. */
  private connect(): void {
    const { p, live, partial } = this;
    for (let b = 0; b < p.blockCount; b++) {
      const succs = p.succs[b]!;
      if (succs.length === 0) continue;
      const end = blockTo(p, b) - 1;
      for (let e = live.liveOutHead[b]!; e !== NIL; e = live.liveOutNext[e]!) {
        const v = live.liveOutVReg[e]!;
        const value = partial[v];
        if (value === undefined) continue;
        const here = value.find(end);
        if (value.root[here] === NIL) continue;
        for (const succ of succs) {
          if (p.defBlock[v] === succ) continue;
          const there = value.find(blockFrom(p, succ));
          if (there !== NIL && value.root[there] !== NIL) value.join(here, there);
        }
      }
    }
  }

  /** Makes the pieces of a partial value. */
  private form(v: number): void {
    const { live } = this;
    const { segments, uses } = live;
    const value = this.partial[v]!;
    const lastSegment = new Map<number, number>();
    const lastUse = new Map<number, number>();
    let u = live.firstUse[v]!;
    this.firstSegment[v] = NIL;
    this.firstUse[v] = NIL;
    let ownTaken = false;
    for (let k = 0; k < value.segment.length; k++) {
      const s = value.segment[k]!;
      let piece = NIL;
      segments.next[s] = NIL;
      if (value.root[k] !== NIL) {
        const root = value.representative(k);
        piece = value.piece[root]!;
        if (piece === NIL) {
          piece = ownTaken ? this.count++ : v;
          ownTaken = true;
          value.piece[root] = piece;
          this.vreg[piece] = v;
          this.firstSegment[piece] = s;
          this.firstUse[piece] = NIL;
        } else segments.next[lastSegment.get(piece)!] = s;
        lastSegment.set(piece, s);
        value.piece[k] = piece;
      }
      while (u !== NIL && uses.from[u]! < value.to[k]!) {
        const following = uses.next[u]!;
        uses.next[u] = NIL;
        if (piece !== NIL) {
          const last = lastUse.get(piece);
          if (last === undefined) this.firstUse[piece] = u;
          else uses.next[last] = u;
          lastUse.set(piece, u);
        }
        u = following;
      }
    }
  }
}

/** The segments of one value, with union-find over those in registers. */
class PartialValue {
  readonly segment: number[] = [];
  readonly from: number[] = [];
  readonly to: number[] = [];
  /** Union-find parent, or NIL for segments in memory. */
  readonly root: number[] = [];
  readonly piece: number[] = [];

  push(segment: number, from: number, to: number, inRegister: boolean): void {
    this.root.push(inRegister ? this.segment.length : NIL);
    this.segment.push(segment);
    this.from.push(from);
    this.to.push(to);
    this.piece.push(NIL);
  }

  /** Index of the segment that covers `position`, or NIL. */
  find(position: number): number {
    let low = 0;
    let high = this.from.length - 1;
    while (low <= high) {
      const mid = (low + high) >> 1;
      if (position < this.from[mid]!) high = mid - 1;
      else if (position >= this.to[mid]!) low = mid + 1;
      else return mid;
    }
    return NIL;
  }

  /** Representative of a register segment. */
  representative(k: number): number {
    const { root } = this;
    while (root[k] !== k) {
      root[k] = root[root[k]!]!;
      k = root[k]!;
    }
    return k;
  }

  join(a: number, b: number): void {
    const x = this.representative(a);
    const y = this.representative(b);
    // The earlier one represents both, so that it is met first.
    if (x < y) this.root[y] = x;
    else this.root[x] = y;
  }
}
