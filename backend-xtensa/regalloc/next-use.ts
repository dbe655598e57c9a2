// Takes a register class, tells for every value at a block's start and after each operand how far away its next use is.
// Knows no register count and no decision. Distances as in Braun & Hack (see spill-plan.ts): counted in instructions, and
// behind an edge that leaves a loop, or leads into cold code, everything is far away. So is what lies behind a call that
// leaves few registers of the class alone.
import type { LiveRanges } from './liveness.js';
import type { Occupancy } from './occupancy.js';
import { OP_DEF, type Problem } from './problem.js';
import { NIL } from './ranges.js';
import { f64, i32, roomI32, u8 } from './scratch.js';

export const NEVER = 1e15;
/** Distance of a live value of which no nearer use is known (yet). */
const UNKNOWN = 1e12;
/** Distance that an edge out of a loop or into a cold block adds. */
export const EXIT_DISTANCE = 1e5;
/** Factor in execution weight from which on an edge counts as such. */
const EXIT_RATIO = 4;
const MAX_ROUNDS = 32;

export class NextUses {
  /** Next use of a value counted in instructions from the current block's start, or NEVER. */
  readonly next: Float64Array;
  /** Next use after operand k, likewise. */
  readonly after: Float64Array;
  /** Distance from the block's start to the next use, per entry of the live-in lists. */
  private readonly distanceIn: Float64Array;
  /** 1 for live-in entries whose next use lies in the block. */
  private readonly isInside: Uint8Array;
  /** Per block: place of the first instruction that destroys most registers of the class, or past the block's end. */
  private readonly firstWipe: Int32Array;
  private touched = i32(64);
  private touchedCount = 0;

  constructor(
    private readonly p: Problem,
    private readonly live: LiveRanges,
    private readonly classIndex: number,
    occupancy: Occupancy,
  ) {
    this.next = f64(p.vregCount, NEVER);
    this.after = f64(p.opStart[p.instCount]!);
    this.distanceIn = f64(live.liveInVReg.length, UNKNOWN);
    this.isInside = u8(live.liveInVReg.length);
    this.firstWipe = i32(p.blockCount, 0x7fffffff);
    this.findWipes(occupancy);
    this.propagate();
  }

  /** Next use as seen from the start of block b; far away if few registers could hold the value until then. */
  reach(b: number, v: number): number {
    const distance = this.next[v]!;
    return distance > this.firstWipe[b]! && distance < UNKNOWN ? distance + EXIT_DISTANCE : distance;
  }

  private findWipes(occupancy: Occupancy): void {
    const { p } = this;
    const { order } = p.input.classes[this.classIndex]!;
    for (let b = 0; b < p.blockCount; b++) {
      const first = p.blockFirst[b]!;
      for (let i = first; i < p.blockFirst[b + 1]!; i++) {
        if (2 * occupancy.reservedAt(order, 2 * (i + b + 1) + 1) < order.length) continue;
        this.firstWipe[b] = i - first;
        break;
      }
    }
  }

  /** Makes `next` and `after` hold for block b; `leaveBlock` before the next one. */
  enterBlock(b: number): void {
    this.scanExits(b);
    this.scanInside(b);
  }

  leaveBlock(): void {
    this.forget();
  }

  private propagate(): void {
    const { p } = this;
    for (let b = 0; b < p.blockCount; b++) this.usesInside(b);
    // Distances of values that pass through a block come from its successors, until nothing changes.
    const stale = u8(p.blockCount);
    stale.fill(1);
    for (let round = 0, changed = true; changed && round < MAX_ROUNDS; round++) {
      changed = false;
      for (let b = p.blockCount - 1; b >= 0; b--) {
        if (stale[b] === 0) continue;
        stale[b] = 0;
        if (!this.distances(b)) continue;
        const preds = p.preds[b]!;
        for (let k = 0; k < preds.length; k++) stale[preds[k]!] = 1;
        changed = true;
      }
    }
  }

  private touch(v: number): void {
    this.touched = roomI32(this.touched, this.touchedCount);
    this.touched[this.touchedCount++] = v;
  }

  private near(v: number, distance: number): void {
    const known = this.next[v]!;
    if (known === NEVER) this.touch(v);
    if (distance < known) this.next[v] = distance;
  }

  /** Enters into `next` what follows block b: uses in successors and edge arguments. */
  private scanExits(b: number): void {
    const { p, live, classIndex } = this;
    const length = p.blockFirst[b + 1]! - p.blockFirst[b]!;
    const succs = p.succs[b]!;
    for (let s = 0; s < succs.length; s++) {
      const succ = succs[s]!;
      const exit = p.depthWeight[b]! >= EXIT_RATIO * p.depthWeight[succ]! ? EXIT_DISTANCE : 0;
      for (let e = live.liveInHead[succ]!; e !== NIL; e = live.liveInNext[e]!) {
        const v = live.liveInVReg[e]!;
        if (p.vregClass[v] === classIndex) this.near(v, Math.min(length + exit + this.distanceIn[e]!, UNKNOWN));
      }
      const args = p.input.edgeArgs(b, s);
      for (let k = 0; k < args.length; k++)
        if (p.vregClass[args[k]!] === classIndex) this.near(args[k]!, length + exit);
    }
  }

  /** Goes back over block b's instructions: `next` becomes what it is at the start, `after` is filled in. */
  private scanInside(b: number): void {
    const { p, next, after, classIndex } = this;
    const { opStart, opVReg, opFlags, vregClass } = p;
    const first = p.blockFirst[b]!;
    for (let i = p.blockFirst[b + 1]! - 1; i >= first; i--) {
      const k0 = opStart[i]!;
      const k1 = opStart[i + 1]!;
      for (let k = k0; k < k1; k++) {
        const v = opVReg[k]!;
        if (vregClass[v] !== classIndex) continue;
        after[k] = next[v]!;
        if ((opFlags[k]! & OP_DEF) !== 0) next[v] = NEVER;
      }
      for (let k = k0; k < k1; k++) {
        const v = opVReg[k]!;
        if (vregClass[v] !== classIndex || (opFlags[k]! & OP_DEF) !== 0) continue;
        if (next[v] === NEVER) this.touch(v);
        next[v] = i - first;
      }
    }
  }

  /** Distances of values that block b itself uses. */
  private usesInside(b: number): void {
    const { live, distanceIn, isInside, next } = this;
    this.scanInside(b);
    for (let e = live.liveInHead[b]!; e !== NIL; e = live.liveInNext[e]!) {
      const v = live.liveInVReg[e]!;
      if (next[v] === NEVER) continue;
      distanceIn[e] = this.reach(b, v);
      isInside[e] = 1;
    }
    this.forget();
  }

  private forget(): void {
    const { touched, next } = this;
    for (let k = 0; k < this.touchedCount; k++) next[touched[k]!] = NEVER;
    this.touchedCount = 0;
  }

  /** Distances of values that only pass through block b; true if one changed. */
  private distances(b: number): boolean {
    const { live, distanceIn, isInside } = this;
    this.scanExits(b);
    let changed = false;
    for (let e = live.liveInHead[b]!; e !== NIL; e = live.liveInNext[e]!) {
      if (isInside[e] === 1) continue;
      const distance = this.reach(b, live.liveInVReg[e]!);
      if (distance !== distanceIn[e]) {
        distanceIn[e] = distance;
        changed = true;
      }
    }
    this.forget();
    return changed;
  }
}
