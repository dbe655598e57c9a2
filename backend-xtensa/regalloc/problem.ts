// Takes a RegallocInput, gives the same facts in flat typed arrays with a linear numbering of program positions, and
// refuses inputs that break the interface's promises. Knows no live range and no decision.
//
// Positions. Every instruction has a *slot*, and so has every block's header, so that block parameters have a place to
// begin before the first instruction. Slot s has two positions: 2s (early: operands are read, moves "before s" have
// just happened) and 2s + 1 (late: results are written). Ranges are half open: an early use at s ends at 2s + 1, a late
// def at s begins at 2s + 1.
import { InternalError } from '../../compiler/diagnostics.js';
import { blockFrequencies } from './frequency.js';
import { f64, i32, roomI32, roomU8, u8 } from './scratch.js';
import { ConstraintKind, OperandKind, OperandPos, type RegallocInput } from './api.js';

export const OP_DEF = 1;
export const OP_LATE = 2;
export const OP_CONSTRAINT_SHIFT = 2;
/** Set on an input that a def reuses: its value is moved into the def's register before the instruction. */
export const OP_REUSED = 16;

/** Least weight of a block: even code that never runs has a size. */
const MIN_WEIGHT = 0.001;

/** What an instruction counts for its size alone, in executions per call of the function. */
const SIZE_WEIGHT = 0.1;

export interface Problem {
  readonly input: RegallocInput;
  readonly vregCount: number;
  readonly blockCount: number;
  readonly instCount: number;
  /** Number of slots; positions are 0 .. 2 * slotCount - 1. */
  readonly slotCount: number;
  /** Operands of instruction i are opStart[i] .. opStart[i + 1] - 1 in the three arrays below. */
  readonly opStart: Int32Array;
  readonly opVReg: Int32Array;
  readonly opFlags: Uint8Array;
  /** PReg of Fixed, operand index within the instruction of Reuse, else -1. */
  readonly opFixed: Int32Array;
  readonly vregClass: Uint8Array;
  /** Block and kind of the def: instruction index, or -1 for a block parameter, -2 for none. */
  readonly defBlock: Int32Array;
  readonly defInst: Int32Array;
  readonly blockFirst: Int32Array;
  readonly succs: readonly (readonly number[])[];
  readonly preds: readonly (readonly number[])[];
  /** The input's weights, which tell loop depth and coldness. */
  readonly depthWeight: Float64Array;
  /** Estimated execution frequency. */
  readonly blockWeight: Float64Array;
  /** Block of a slot. The instruction of a slot is slot - block - 1, which is the block's first one for a header. */
  readonly slotBlock: Int32Array;
  /** Highest PReg number + 1. */
  readonly pregCount: number;
}

export const headerSlot = (p: Problem, block: number): number => p.blockFirst[block]! + block;
export const instSlot = (inst: number, block: number): number => inst + block + 1;
/** First position of a block (its header) and the position after its last. */
export const blockFrom = (p: Problem, block: number): number => 2 * (p.blockFirst[block]! + block);
export const blockTo = (p: Problem, block: number): number => 2 * (p.blockFirst[block + 1]! + block + 1);

function maxPReg(input: RegallocInput): number {
  let max = 0;
  for (const cls of input.classes) for (const reg of cls.order) if (reg > max) max = reg;
  return max;
}

export function flatten(input: RegallocInput): Problem {
  const { vregCount, blockCount, instCount } = input;
  const blockFirst = i32(blockCount + 1);
  const blockWeight = f64(blockCount);
  const succs: (readonly number[])[] = [];
  const preds: (readonly number[])[] = [];
  const slotBlock = i32(instCount + blockCount);
  const defBlock = i32(vregCount, -1);
  const defInst = i32(vregCount, -2);
  const vregClass = u8(vregCount);
  for (let v = 0; v < vregCount; v++) vregClass[v] = input.vregClass(v);
  const opStart = i32(instCount + 1);
  const capacity = instCount * 4 + 16;
  let opVReg = i32(capacity);
  let opFixed = i32(capacity);
  let opFlags = u8(capacity);
  let pregCount = maxPReg(input) + 1;
  let opCount = 0;
  let known: readonly number[] | undefined;
  const define = (v: number, block: number, inst: number): void => {
    if (defInst[v] !== -2) throw new InternalError(`v${v} is defined twice (block ${block})`);
    defBlock[v] = block;
    defInst[v] = inst;
  };
  if (blockCount > 0 && input.blockPreds(0).length > 0) throw new InternalError('the entry block has predecessors');
  for (let b = 0; b < blockCount; b++) {
    const first = input.blockStart(b);
    const end = input.blockEnd(b);
    if (first >= end || (b > 0 ? input.blockEnd(b - 1) : 0) !== first) {
      throw new InternalError(`block ${b} is empty or out of order`);
    }
    blockFirst[b] = first;
    succs.push(input.blockSuccs(b));
    preds.push(input.blockPreds(b));
    blockWeight[b] = Math.max(input.blockWeight(b), MIN_WEIGHT);
    slotBlock.fill(b, first + b, end + b + 1);
    for (const v of input.blockParams(b)) define(v, b, -1);
    for (let i = first; i < end; i++) {
      const operands = input.operands(i);
      const n = operands.length;
      opStart[i] = opCount;
      let hasReuse = false;
      if (opCount + n > opVReg.length) {
        opVReg = roomI32(opVReg, opCount + n);
        opFixed = roomI32(opFixed, opCount + n);
        opFlags = roomU8(opFlags, opCount + n);
      }
      for (let k = 0; k < n; k++) {
        const op = operands[k]!;
        let constraint: number = op.constraint;
        let fixed = op.fixed;
        let late: number = op.pos;
        const isDef = op.kind === OperandKind.Def;
        if (isDef) {
          define(op.vreg, b, i);
          if (i === end - 1) throw new InternalError(`instruction ${i} is a terminator with a def`);
          if (constraint === ConstraintKind.Reuse) {
            hasReuse = true;
            const source = operands[fixed]!;
            if (source.constraint === ConstraintKind.Fixed) {
              constraint = ConstraintKind.Fixed;
              fixed = source.fixed;
              late = OperandPos.Late;
            }
          }
        }
        if (constraint === ConstraintKind.Fixed && fixed >= pregCount) pregCount = fixed + 1;
        opVReg[opCount] = op.vreg;
        opFixed[opCount] = fixed;
        opFlags[opCount] =
          (isDef ? OP_DEF : 0) | (late === OperandPos.Late ? OP_LATE : 0) | (constraint << OP_CONSTRAINT_SHIFT);
        opCount++;
      }
      // A reused input may come before or after its def in the list.
      for (let at = hasReuse ? opStart[i]! : opCount; at < opCount; at++) {
        if (constraintOf(opFlags[at]!) === ConstraintKind.Reuse) {
          const input = opStart[i]! + opFixed[at]!;
          if ((opFlags[input]! & OP_DEF) !== 0 || (opFlags[input]! & OP_REUSED) !== 0) {
            throw new InternalError(`instruction ${i}: bad Reuse operand`);
          }
          opFlags[input] = opFlags[input]! | OP_REUSED;
        }
      }
      const clobbers = input.clobbers(i);
      // Calls usually share one list.
      if (clobbers !== known) {
        known = clobbers;
        for (let k = 0; k < clobbers.length; k++) if (clobbers[k]! >= pregCount) pregCount = clobbers[k]! + 1;
      }
    }
  }
  blockFirst[blockCount] = instCount;
  opStart[instCount] = opCount;
  const frequencies = blockFrequencies(blockWeight, succs, preds);
  for (let b = 0; b < blockCount; b++) frequencies[b]! += SIZE_WEIGHT;
  return {
    input,
    vregCount,
    blockCount,
    instCount,
    slotCount: instCount + blockCount,
    opStart,
    opVReg,
    opFlags,
    opFixed,
    vregClass,
    defBlock,
    defInst,
    blockFirst,
    succs,
    preds,
    blockWeight: frequencies,
    depthWeight: blockWeight,
    slotBlock,
    pregCount,
  };
}

/** Constraint of a flattened operand's flags. */
export const constraintOf = (flags: number): number => (flags >> OP_CONSTRAINT_SHIFT) & 3;
