// Takes live ranges and a spill plan, gives the pieces that coalescing and assignment work on: whole values, or for
// values that the plan sends to memory in places, each connected stretch in a register. Knows no register.
import type { LiveRanges } from './liveness.js';
import { blockFrom, blockTo, type Problem } from './problem.js';
import { NIL } from './ranges.js';
import { i32, roomI32 } from './scratch.js';
import type { SpillPlan } from './spill-plan.js';

export class Pieces {
  count: number;
  /** Per piece: its first segment and use; the lists are ascending. Segments in no piece live in memory. */
  firstSegment: Int32Array<ArrayBuffer>;
  firstUse: Int32Array<ArrayBuffer>;
  vreg: Int32Array<ArrayBuffer>;
  /** Parts of partial vreg v: indices start[v] .. end[v] - 1 of the arrays below, ascending; 0 .. 0 for whole ones. */
  private readonly start: Int32Array<ArrayBuffer>;
  private readonly end: Int32Array<ArrayBuffer>;
  private parts = 0;
  private segment: Int32Array<ArrayBuffer>;
  private from: Int32Array<ArrayBuffer>;
  private to: Int32Array<ArrayBuffer>;
  /** Union-find parent among a vreg's parts in registers, NIL for those in memory. */
  private root: Int32Array<ArrayBuffer>;
  private piece: Int32Array<ArrayBuffer>;

  constructor(
    private readonly p: Problem,
    private readonly live: LiveRanges,
    plan: SpillPlan | undefined,
  ) {
    const n = p.vregCount;
    this.count = n;
    const partial = plan === undefined ? 0 : 1;
    this.firstSegment = live.firstSegment;
    this.firstUse = live.firstUse;
    this.vreg = i32(n);
    for (let v = 0; v < n; v++) this.vreg[v] = v;
    this.start = i32(n * partial);
    this.end = i32(n * partial);
    const size = partial * 256;
    this.segment = i32(size);
    this.from = i32(size);
    this.to = i32(size);
    this.root = i32(size);
    this.piece = i32(size);
    if (plan === undefined) return;
    for (let v = 0; v < n; v++) {
      if (plan.partial[v] === 1 && live.firstSegment[v] !== NIL) this.divide(v, plan);
    }
    this.connect();
    for (let v = 0; v < n; v++) if (this.end[v] !== 0) this.form(v);
  }

  /** The piece that holds `v` at `position`, or NIL if that is memory. */
  at(v: number, position: number): number {
    if (this.parts === 0 || this.end[v] === 0) return v;
    const k = this.find(v, position);
    return k === NIL ? NIL : this.piece[k]!;
  }

  /** Index of the part of `v` that covers `position`, or NIL. */
  private find(v: number, position: number): number {
    const { from, to } = this;
    let low = this.start[v]!;
    let high = this.end[v]! - 1;
    while (low <= high) {
      const mid = (low + high) >> 1;
      if (position < from[mid]!) high = mid - 1;
      else if (position >= to[mid]!) low = mid + 1;
      else return mid;
    }
    return NIL;
  }

  private addPart(segment: number, from: number, to: number, inRegister: boolean): void {
    const at = this.parts++;
    if (at >= this.segment.length) {
      this.segment = roomI32(this.segment, at);
      this.from = roomI32(this.from, at);
      this.to = roomI32(this.to, at);
      this.root = roomI32(this.root, at);
      this.piece = roomI32(this.piece, at);
    }
    this.segment[at] = segment;
    this.from[at] = from;
    this.to[at] = to;
    this.root[at] = inRegister ? at : NIL;
    this.piece[at] = NIL;
  }

  /** Cuts the segments of `v` at the bounds of its register intervals. */
  private divide(v: number, plan: SpillPlan): void {
    const { segments } = this.live;
    this.start[v] = this.parts;
    let interval = plan.first[v]!;
    let s = this.live.firstSegment[v]!;
    while (s !== NIL) {
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
        this.addPart(segment, at, stop, inRegister);
        at = stop;
      }
      s = following;
    }
    this.end[v] = this.parts;
  }

  private representative(k: number): number {
    const { root } = this;
    while (root[k] !== k) {
      root[k] = root[root[k]!]!;
      k = root[k]!;
    }
    return k;
  }

  /** Joins register segments of one value that meet over an edge. */
  private connect(): void {
    const { p, live, root } = this;
    for (let b = 0; b < p.blockCount; b++) {
      const succs = p.succs[b]!;
      if (succs.length === 0) continue;
      const end = blockTo(p, b) - 1;
      for (let e = live.liveOutHead[b]!; e !== NIL; e = live.liveOutNext[e]!) {
        const v = live.liveOutVReg[e]!;
        if (this.end[v] === 0) continue;
        const here = this.find(v, end);
        if (root[here] === NIL) continue;
        for (let k = 0; k < succs.length; k++) {
          const succ = succs[k]!;
          if (p.defBlock[v] === succ) continue;
          const there = this.find(v, blockFrom(p, succ));
          if (there === NIL || root[there] === NIL) continue;
          const x = this.representative(here);
          const y = this.representative(there);
          // The earlier one represents both, so that it is met first.
          if (x < y) root[y] = x;
          else root[x] = y;
        }
      }
    }
  }

  private newPiece(v: number): number {
    const piece = this.count++;
    this.firstSegment = roomI32(this.firstSegment, piece);
    this.firstUse = roomI32(this.firstUse, piece);
    this.vreg = roomI32(this.vreg, piece);
    this.vreg[piece] = v;
    return piece;
  }

  /** Makes the pieces of a partial value. */
  private form(v: number): void {
    const { live, piece } = this;
    const { segments, uses } = live;
    let u = live.firstUse[v]!;
    this.firstSegment[v] = NIL;
    this.firstUse[v] = NIL;
    let ownTaken = false;
    const first = this.start[v]!;
    const end = this.end[v]!;
    const lastSegment = new Map<number, number>();
    const lastUse = new Map<number, number>();
    for (let k = first; k < end; k++) {
      const s = this.segment[k]!;
      let own = NIL;
      segments.next[s] = NIL;
      if (this.root[k] !== NIL) {
        const root = this.representative(k);
        own = piece[root]!;
        if (own === NIL) {
          own = ownTaken ? this.newPiece(v) : v;
          ownTaken = true;
          piece[root] = own;
          this.firstSegment[own] = s;
          this.firstUse[own] = NIL;
        } else segments.next[lastSegment.get(own)!] = s;
        lastSegment.set(own, s);
        piece[k] = own;
      }
      while (u !== NIL && uses.from[u]! < this.to[k]!) {
        const following = uses.next[u]!;
        uses.next[u] = NIL;
        if (own !== NIL) {
          const last = lastUse.get(own);
          if (last === undefined) this.firstUse[own] = u;
          else uses.next[last] = u;
          lastUse.set(own, u);
        }
        u = following;
      }
    }
  }
}
