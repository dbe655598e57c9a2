// Takes a Problem, gives every virtual register's live range segments and use records, and the live-out lists of the
// blocks. Knows no register.
//
// SSA makes this a walk per value instead of a data flow fixpoint: from each block that uses a value, go up through the
// predecessors until the block of its def (Boissinot, Hack, Grund, Dupont de Dinechin, Rastello: "Fast liveness checking
// for SSA-form programs", CGO 2008; Brandner et al., "Computing liveness sets for SSA-form programs", INRIA RR-7503,
// 2011, "by use"). Time is linear in the size of the live sets. It needs no loop forest, so irreducible control flow is
// nothing special. Segments are then made in one backward walk over the code.
import { InternalError } from '../../compiler/diagnostics.js';
import { ConstraintKind } from './api.js';
import { i32, roomI32 } from './scratch.js';
import { constraintOf, OP_DEF, OP_LATE, OP_REUSED, blockFrom, blockTo, type Problem } from './problem.js';
import { NIL, SegmentPool, UsePool } from './ranges.js';

export interface LiveRanges {
  readonly segments: SegmentPool;
  readonly uses: UsePool;
  /** First segment and first use of a vreg; both lists in ascending order. */
  readonly firstSegment: Int32Array<ArrayBuffer>;
  readonly firstUse: Int32Array<ArrayBuffer>;
  /** Values live out of block b: liveOutVReg[e] for e = liveOutHead[b], liveOutNext[e], ... */
  readonly liveOutHead: Int32Array;
  readonly liveOutNext: Int32Array;
  readonly liveOutVReg: Int32Array;
  /** Values live into block b (without its parameters), likewise. */
  readonly liveInHead: Int32Array;
  readonly liveInNext: Int32Array;
  readonly liveInVReg: Int32Array;
}

/** Lists of small integers, one per key. */
class Lists {
  count = 0;
  readonly head: Int32Array<ArrayBuffer>;
  next = i32(64);
  value = i32(64);
  constructor(keys: number) {
    this.head = i32(keys, NIL);
  }
  push(key: number, value: number): void {
    const at = this.count++;
    if (at >= this.next.length) {
      this.next = roomI32(this.next, at);
      this.value = roomI32(this.value, at);
    }
    this.next[at] = this.head[key]!;
    this.value[at] = value;
    this.head[key] = at;
  }
}

/** Blocks beside the def's own that use each vreg: 2b = used in b, 2b + 1 = given to a successor's parameter by b. */
function usingBlocks(p: Problem): Lists {
  const lists = new Lists(p.vregCount);
  const seen = i32(p.vregCount, NIL);
  const seenOut = i32(p.vregCount, NIL);
  const { opStart, opVReg, opFlags, defBlock, input } = p;
  for (let b = 0; b < p.blockCount; b++) {
    for (let k = opStart[p.blockFirst[b]!]!; k < opStart[p.blockFirst[b + 1]!]!; k++) {
      if ((opFlags[k]! & OP_DEF) !== 0) continue;
      const v = opVReg[k]!;
      if (defBlock[v] === b || seen[v] === b) continue;
      if (defBlock[v] === NIL) throw new InternalError(`v${v} is used and never defined`);
      seen[v] = b;
      lists.push(v, 2 * b);
    }
    const succs = p.succs[b]!;
    for (let s = 0; s < succs.length; s++) {
      for (const v of input.edgeArgs(b, s)) {
        if (seenOut[v] === b) continue;
        if (defBlock[v] === NIL) throw new InternalError(`v${v} is used and never defined`);
        seenOut[v] = b;
        lists.push(v, 2 * b + 1);
      }
    }
  }
  return lists;
}

/** Live-out and live-in lists by exploring upwards from the uses. */
function liveSets(p: Problem): { out: Lists; into: Lists } {
  const out = new Lists(p.blockCount);
  const into = new Lists(p.blockCount);
  const using = usingBlocks(p);
  const stampIn = i32(p.blockCount, NIL);
  const stampOut = i32(p.blockCount, NIL);
  const { defBlock } = p;
  let stack = i32(64);
  for (let v = 0; v < p.vregCount; v++) {
    let depth = 0;
    const home = defBlock[v]!;
    for (let at = using.head[v]!; at !== NIL; at = using.next[at]!) {
      const code = using.value[at]!;
      const b = code >> 1;
      if ((code & 1) !== 0) {
        if (stampOut[b] !== v) {
          stampOut[b] = v;
          out.push(b, v);
        }
        if (b === home) continue;
      }
      if (stampIn[b] !== v) {
        stampIn[b] = v;
        into.push(b, v);
        stack = roomI32(stack, depth);
        stack[depth++] = b;
      }
      while (depth > 0) {
        const at = stack[--depth]!;
        if (at === 0) throw new InternalError(`v${v}: a use is not dominated by the def`);
        const preds = p.preds[at]!;
        for (let k = 0; k < preds.length; k++) {
          const pred = preds[k]!;
          if (stampOut[pred] === v) continue;
          stampOut[pred] = v;
          out.push(pred, v);
          if (pred !== home && stampIn[pred] !== v) {
            stampIn[pred] = v;
            into.push(pred, v);
            stack = roomI32(stack, depth);
            stack[depth++] = pred;
          }
        }
      }
    }
  }
  return { out, into };
}

/** True if an operand with these flags is read by a move before the instruction, not by the instruction itself. */
export const isMovedUse = (flags: number): boolean =>
  (flags & OP_REUSED) !== 0 || constraintOf(flags) === ConstraintKind.Fixed;

/** True if instruction i need not be emitted when the value `v` that it defines is recomputed at each use. */
const isDroppable = (p: Problem, i: number, v: number): boolean =>
  p.input.rematToken(v) >= 0 && p.opStart[i + 1]! - p.opStart[i]! === 1 && p.input.clobbers(i).length === 0;

export function computeLiveness(p: Problem): LiveRanges {
  const { out, into } = liveSets(p);
  const segments = new SegmentPool(p.vregCount + 4 * p.blockCount + 64);
  const uses = new UsePool(p.opStart[p.instCount]! + 2 * p.blockCount + 64);
  const firstSegment = i32(p.vregCount, NIL);
  const firstUse = i32(p.vregCount, NIL);
  /** End of the segment being built, or 0. */
  const openTo = i32(p.vregCount);
  let opened = i32(64);
  let openedCount = 0;
  const { opStart, opVReg, opFlags, opFixed, input } = p;

  const addUse = (v: number, from: number, to: number, preg: number, weight: number): void => {
    firstUse[v] = uses.add(v, from, to, preg, weight, firstUse[v]!);
  };
  const extend = (v: number, to: number): void => {
    if (openTo[v] === 0) {
      opened = roomI32(opened, openedCount);
      opened[openedCount++] = v;
      openTo[v] = to;
    } else if (openTo[v]! < to) openTo[v] = to;
  };
  const close = (v: number, from: number, deadTo: number): void => {
    let to = openTo[v]!;
    openTo[v] = 0;
    if (to === 0) {
      if (deadTo === 0) return;
      to = deadTo;
    }
    const head = firstSegment[v]!;
    if (head !== NIL && segments.from[head] === to) segments.from[head] = from;
    else firstSegment[v] = segments.add(v, from, to, head);
  };

  for (let b = p.blockCount - 1; b >= 0; b--) {
    const weight = p.blockWeight[b]!;
    const start = blockFrom(p, b);
    const end = blockTo(p, b);
    openedCount = 0;
    for (let e = out.head[b]!; e !== NIL; e = out.next[e]!) extend(out.value[e]!, end);
    const succs = p.succs[b]!;
    for (let s = 0; s < succs.length; s++) {
      for (const v of input.edgeArgs(b, s)) addUse(v, end - 1, end - 1, NIL, weight);
    }
    for (let i = p.blockFirst[b + 1]! - 1; i >= p.blockFirst[b]!; i--) {
      const early = 2 * (i + b + 1);
      const k0 = opStart[i]!;
      const k1 = opStart[i + 1]!;
      let moved = false;
      for (let k = k0; k < k1; k++) {
        const flags = opFlags[k]!;
        if ((flags & OP_DEF) === 0) {
          if (isMovedUse(flags)) moved = true;
          continue;
        }
        const v = opVReg[k]!;
        const constraint = constraintOf(flags);
        if (constraint === ConstraintKind.Fixed) {
          close(v, early + 1, 0);
          if (firstSegment[v] !== NIL) addUse(v, early + 1, early + 1, opFixed[k]!, weight);
        } else {
          const from = constraint === ConstraintKind.Reuse || (flags & OP_LATE) === 0 ? early : early + 1;
          close(v, from, early + 2);
          const soft = constraint === ConstraintKind.Any || isDroppable(p, i, v);
          addUse(v, from, soft ? from : early + 2, NIL, weight);
        }
      }
      for (let k = k0; k < k1; k++) {
        const flags = opFlags[k]!;
        if ((flags & OP_DEF) !== 0 || isMovedUse(flags)) continue;
        const v = opVReg[k]!;
        const to = (flags & OP_LATE) !== 0 ? early + 2 : early + 1;
        extend(v, to);
        const soft = constraintOf(flags) === ConstraintKind.Any && input.rematToken(v) < 0;
        addUse(v, early, soft ? early : to, NIL, weight);
      }
      if (!moved) continue;
      for (let k = k0; k < k1; k++) {
        const flags = opFlags[k]!;
        if ((flags & OP_DEF) !== 0 || !isMovedUse(flags)) continue;
        const v = opVReg[k]!;
        extend(v, early);
        // The move reads the location that holds just before the instruction.
        addUse(v, early - 1, early - 1, (flags & OP_REUSED) !== 0 ? NIL : opFixed[k]!, weight);
      }
    }
    for (const v of input.blockParams(b)) {
      if (openTo[v] === 0) continue;
      close(v, start, 0);
      addUse(v, start, start, NIL, weight);
    }
    for (let n = 0; n < openedCount; n++) {
      const v = opened[n]!;
      if (openTo[v] !== 0) close(v, start, 0);
    }
  }
  return {
    segments,
    uses,
    firstSegment,
    firstUse,
    liveOutHead: out.head,
    liveOutNext: out.next,
    liveOutVReg: out.value,
    liveInHead: into.head,
    liveInNext: into.next,
    liveInVReg: into.value,
  };
}
