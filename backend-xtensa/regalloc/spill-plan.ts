// Takes live ranges and a register class, decides ahead of allocation which values are in registers where, so that no
// more values ask for registers than there are. Gives register intervals per vreg for those that are not always in one.
// Knows no particular register.
//
// Belady's MIN carried over to control flow graphs: M. Braun and S. Hack, "Register spilling and live-range splitting
// for SSA-form programs" (CC 2009). The value whose next use is furthest away leaves, uses behind a loop's exit are far
// away, a loop header starts with what its loop uses. Reloads then stay in a register as long as they pay, instead of
// being done anew at each use. A value that is stored is stored once, after its def, so leaving costs nothing twice.
import type { RegisterClass } from './api.js';
import { ConstraintKind } from './api.js';
import { isMovedUse, type LiveRanges } from './liveness.js';
import type { Occupancy } from './occupancy.js';
import { blockFrom, blockTo, constraintOf, OP_DEF, OP_LATE, type Problem } from './problem.js';
import { EXIT_DISTANCE, NEVER, NextUses } from './next-use.js';
import { NIL } from './ranges.js';
import { f64, i32, roomI32, u8 } from './scratch.js';

/** At a join, values in a register on some of the ways to it are reloaded on the others if those are at most this share. */
const RELOAD_SHARE = 0.8;

/** Register intervals of the values that are not in a register all the time. */
export class SpillPlan {
  /** 1: the vreg's intervals are in the lists below; 0: it is in a register wherever it lives. */
  readonly partial: Uint8Array;
  /** Intervals of vreg v: first[v], next[first[v]], ... ascending. */
  readonly first: Int32Array;
  private readonly last: Int32Array;
  next = i32(64);
  from = i32(64);
  to = i32(64);
  private count = 0;
  constructor(vregCount: number) {
    this.partial = u8(vregCount);
    this.first = i32(vregCount, NIL);
    this.last = i32(vregCount, NIL);
  }
  add(v: number, from: number, to: number): void {
    if (from >= to) return;
    const last = this.last[v]!;
    if (last !== NIL && this.to[last]! >= from) {
      this.to[last] = Math.max(this.to[last]!, to);
      return;
    }
    const at = this.count++;
    this.next = roomI32(this.next, at);
    this.from = roomI32(this.from, at);
    this.to = roomI32(this.to, at);
    this.next[at] = NIL;
    this.from[at] = from;
    this.to[at] = to;
    if (last === NIL) this.first[v] = at;
    else this.next[last] = at;
    this.last[v] = at;
  }
}

/** Values of the class live at each position, and whether that ever exceeds what instructions leave free. */
function pressure(p: Problem, live: LiveRanges, occupancy: Occupancy, classIndex: number, cls: RegisterClass) {
  const positions = 2 * p.slotCount;
  const change = i32(positions + 1);
  const { segments } = live;
  for (let s = 0; s < segments.count; s++) {
    if (p.vregClass[segments.vreg[s]!] !== classIndex) continue;
    change[segments.from[s]!]!++;
    change[segments.to[s]!]!--;
  }
  const blockMax = i32(p.blockCount);
  let exceeded = false;
  let now = 0;
  for (let at = 0; at < positions; at++) {
    now += change[at]!;
    const block = p.slotBlock[at >> 1]!;
    if (now > blockMax[block]!) blockMax[block] = now;
    if (!exceeded && now > 0 && now > cls.order.length - occupancy.reservedAt(cls.order, at)) exceeded = true;
  }
  return { blockMax, exceeded };
}

class Planner {
  private readonly cls: RegisterClass;
  private readonly uses: NextUses;
  /** Values that leave block b in a register: exits[exitFrom[b]] .. exits[exitTo[b] - 1]; exitTo is 0 before b is done. */
  private exits: Int32Array<ArrayBuffer>;
  private exitCount = 1;
  private readonly exitFrom: Int32Array;
  private readonly exitTo: Int32Array;
  /** Predecessors done that a value leaves in a register: their number and weight. */
  private readonly inExits: Int32Array;
  private readonly inWeight: Float64Array;
  private readonly inW: Uint8Array;
  /** The values in registers now. */
  private w = i32(64);
  private wCount = 0;
  /** Scratch lists of chooseEntry. */
  private readonly candidates: number[] = [];
  private readonly through: number[] = [];
  private readonly since: Int32Array;
  /** End of the last use or def, and the block of it. */
  private readonly lastEnd: Int32Array;
  private readonly lastBlock: Int32Array;
  private readonly operandOf: Int32Array;

  constructor(
    private readonly p: Problem,
    private readonly live: LiveRanges,
    private readonly occupancy: Occupancy,
    private readonly classIndex: number,
    private readonly blockMax: Int32Array,
    private readonly plan: SpillPlan,
  ) {
    this.cls = p.input.classes[classIndex]!;
    this.uses = new NextUses(p, live, classIndex, occupancy);
    this.exits = i32(8 * p.blockCount + 64);
    this.exitFrom = i32(p.blockCount);
    this.exitTo = i32(p.blockCount);
    this.inExits = i32(p.vregCount);
    this.inWeight = f64(p.vregCount);
    this.inW = u8(p.vregCount);
    this.since = i32(p.vregCount);
    this.lastEnd = i32(p.vregCount);
    this.lastBlock = i32(p.vregCount, NIL);
    this.operandOf = i32(p.vregCount, NIL);
  }

  run(): void {
    const { p } = this;
    for (let b = 0; b < p.blockCount; b++) this.block(b);
  }

  /** Values that begin block b in a register. */
  private chooseEntry(b: number): void {
    const { p, live, inExits, inWeight, classIndex, exits, exitFrom, exitTo, candidates, through } = this;
    const { uses } = this;
    const { next } = uses;
    candidates.length = 0;
    through.length = 0;
    const preds = p.preds[b]!;
    let done = 0;
    let doneWeight = 0;
    let isHeader = false;
    const sameDepth = p.depthWeight[b]! * 0.5;
    for (const pred of preds) {
      const to = exitTo[pred]!;
      if (to === 0) {
        // A block still to come is a way back of a loop, or cold code laid out at the end that joins in again.
        if (p.depthWeight[pred]! >= sameDepth) isHeader = true;
        continue;
      }
      done++;
      // Of edges with moves at the successor's start the successor's weight counts; there is only one then.
      const weight = preds.length === 1 ? p.blockWeight[b]! : p.blockWeight[pred]!;
      doneWeight += weight;
      for (let k = exitFrom[pred]!; k < to; k++) {
        inExits[exits[k]!]!++;
        inWeight[exits[k]!]! += weight;
      }
    }
    for (let e = live.liveInHead[b]!; e !== NIL; e = live.liveInNext[e]!) {
      const v = live.liveInVReg[e]!;
      if (p.vregClass[v] !== classIndex) continue;
      const known = inExits[v]!;
      const isFar = uses.reach(b, v) >= EXIT_DISTANCE;
      if (isHeader) (isFar ? through : candidates).push(v);
      else if (known === done) candidates.push(v);
      else if (known > 0 && !isFar && doneWeight - inWeight[v]! < p.blockWeight[b]! * RELOAD_SHARE) candidates.push(v);
    }
    for (const v of p.input.blockParams(b)) {
      if (p.vregClass[v] === classIndex && next[v] !== NEVER) candidates.push(v);
    }
    const limit = this.cls.order.length;
    const order = (x: number, y: number): number => next[x]! - next[y]! || x - y;
    if (candidates.length > limit) candidates.sort(order).length = limit;
    if (through.length > 0) {
      let most = 0;
      let last = b;
      for (const pred of preds) if (pred > last && p.depthWeight[pred]! >= sameDepth) last = pred;
      for (let block = b; block <= last; block++) {
        if (this.blockMax[block]! > most && p.depthWeight[block]! >= sameDepth) most = this.blockMax[block]!;
      }
      // What the loop needs at its worst, beside the values that only pass through it.
      const room = Math.min(limit - candidates.length, limit - (most - through.length));
      through.sort(order);
      for (let k = 0, taken = 0; k < through.length && taken < room; k++) {
        if (inExits[through[k]!]! < done) continue;
        candidates.push(through[k]!);
        taken++;
      }
    }
    for (const pred of preds) {
      for (let k = exitFrom[pred]!; k < exitTo[pred]!; k++) {
        inExits[exits[k]!] = 0;
        inWeight[exits[k]!] = 0;
      }
    }
    const start = blockFrom(p, b);
    for (const v of candidates) this.enter(v, start);
    for (let e = live.liveInHead[b]!; e !== NIL; e = live.liveInNext[e]!) {
      const v = live.liveInVReg[e]!;
      if (p.vregClass[v] === classIndex && this.inW[v] === 0) this.plan.partial[v] = 1;
    }
    for (const v of p.input.blockParams(b)) {
      if (p.vregClass[v] === classIndex && this.inW[v] === 0 && next[v] !== NEVER) this.plan.partial[v] = 1;
    }
  }

  private enter(v: number, position: number): void {
    this.inW[v] = 1;
    this.w = roomI32(this.w, this.wCount);
    this.w[this.wCount++] = v;
    this.since[v] = position;
  }

  /** The value leaves its register: before instruction i, or behind its use there. */
  private leave(v: number, b: number, early: number): void {
    this.plan.partial[v] = 1;
    this.inW[v] = 0;
    if (this.lastBlock[v] !== b) return; // Came with the block and was not used: it need not have come.
    const end = this.lastEnd[v]!;
    this.plan.add(v, this.since[v]!, end <= early ? (end + 1) & ~1 : end);
  }

  /** Throws out the furthest until at most `limit` remain, sparing operands of instruction `i` unless it is NIL. */
  private limit(limit: number, b: number, i: number, early: number): void {
    const { w, operandOf } = this;
    const { next } = this.uses;
    while (this.wCount > limit) {
      let worst = NIL;
      let distance = -1;
      for (let k = 0; k < this.wCount; k++) {
        const v = w[k]!;
        if (i !== NIL && operandOf[v] === i) continue;
        const far = this.eviction(v, next[v]!);
        if (far > distance) {
          distance = far;
          worst = k;
        }
      }
      if (worst === NIL) return;
      const v = w[worst]!;
      w[worst] = w[--this.wCount]!;
      this.leave(v, b, early);
    }
  }

  /** Distance as weighed for eviction: what costs less to bring back seems further away. */
  private eviction(v: number, distance: number): number {
    if (this.p.defInst[v]! >= 0 && this.p.input.rematToken(v) >= 0) return distance * 2 + 4;
    return this.plan.partial[v] === 1 ? distance * 1.25 : distance;
  }

  private usedUntil(v: number, b: number, end: number): void {
    if (this.lastBlock[v] === b && this.lastEnd[v]! > end) return;
    this.lastBlock[v] = b;
    this.lastEnd[v] = end;
  }

  private block(b: number): void {
    const { p, plan, operandOf, inW, cls, classIndex, occupancy } = this;
    const { next, after } = this.uses;
    this.uses.enterBlock(b);
    this.wCount = 0;
    this.chooseEntry(b);
    const first = p.blockFirst[b]!;
    for (let i = first; i < p.blockFirst[b + 1]!; i++) {
      const early = 2 * (i + b + 1);
      const k0 = p.opStart[i]!;
      const k1 = p.opStart[i + 1]!;
      let earlyDefs = 0;
      let lateDefs = 0;
      for (let k = k0; k < k1; k++) {
        const v = p.opVReg[k]!;
        const flags = p.opFlags[k]!;
        if (p.vregClass[v] !== classIndex) continue;
        const constraint = constraintOf(flags);
        if ((flags & OP_DEF) !== 0) {
          if (constraint === ConstraintKind.Fixed || constraint === ConstraintKind.Any) continue;
          lateDefs++;
          if (constraint === ConstraintKind.Reuse || (flags & OP_LATE) === 0) earlyDefs++;
          continue;
        }
        if (isMovedUse(flags)) {
          if (inW[v] === 1) this.usedUntil(v, b, early);
          continue;
        }
        if (constraint === ConstraintKind.Any && inW[v] === 0 && p.input.rematToken(v) < 0) continue;
        operandOf[v] = i;
        if (inW[v] === 0) {
          plan.partial[v] = 1;
          this.enter(v, early);
        }
        this.usedUntil(v, b, (flags & OP_LATE) !== 0 ? early + 2 : early + 1);
      }
      // Inputs that die by being moved into a fixed or reused register are out of the way of the instruction.
      for (let k = k0; k < k1; k++) {
        const v = p.opVReg[k]!;
        if (p.vregClass[v] !== classIndex || (p.opFlags[k]! & OP_DEF) !== 0) continue;
        next[v] = after[k]!;
        if (next[v] === NEVER && inW[v] === 1 && operandOf[v] !== i) this.drop(v, early);
      }
      const size = cls.order.length;
      this.limit(size - occupancy.reservedAt(cls.order, early) - earlyDefs, b, i, early);
      for (let k = k0; k < k1; k++) {
        const v = p.opVReg[k]!;
        if ((p.opFlags[k]! & OP_DEF) === 0 && inW[v] === 1 && p.vregClass[v] === classIndex && next[v] === NEVER) {
          this.drop(v, early + 2);
        }
      }
      this.limit(size - occupancy.reservedAt(cls.order, early + 1) - lateDefs, b, NIL, early);
      for (let k = k0; k < k1; k++) {
        const v = p.opVReg[k]!;
        const flags = p.opFlags[k]!;
        if ((flags & OP_DEF) === 0 || p.vregClass[v] !== classIndex || after[k] === NEVER) continue;
        next[v] = after[k]!;
        const isEarly = constraintOf(flags) === ConstraintKind.Reuse || (flags & OP_LATE) === 0;
        this.enter(v, isEarly ? early : early + 1);
        this.usedUntil(v, b, early + 2);
      }
    }
    const end = blockTo(p, b);
    const { w } = this;
    this.exitFrom[b] = this.exitCount;
    for (let k = 0; k < this.wCount; k++) {
      const v = w[k]!;
      inW[v] = 0;
      plan.add(v, this.since[v]!, end);
      this.exits = roomI32(this.exits, this.exitCount);
      this.exits[this.exitCount++] = v;
    }
    this.exitTo[b] = this.exitCount;
    this.uses.leaveBlock();
  }

  /** The value is dead from `position` on. */
  private drop(v: number, position: number): void {
    const { w } = this;
    this.inW[v] = 0;
    let at = 0;
    while (w[at] !== v) at++;
    w[at] = w[--this.wCount]!;
    this.plan.add(v, this.since[v]!, position);
  }
}

/** The plan, or undefined if everything fits into registers anyway. */
export function planSpills(p: Problem, live: LiveRanges, occupancy: Occupancy): SpillPlan | undefined {
  let plan: SpillPlan | undefined;
  p.input.classes.forEach((cls, classIndex) => {
    const { blockMax, exceeded } = pressure(p, live, occupancy, classIndex, cls);
    if (!exceeded) return;
    plan ??= new SpillPlan(p.vregCount);
    new Planner(p, live, occupancy, classIndex, blockMax, plan).run();
  });
  return plan;
}
