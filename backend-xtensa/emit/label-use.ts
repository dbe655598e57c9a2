// How instructions reach labels: for each kind of use its forms, their sizes and their reach. Pure data and arithmetic;
// knows no buffer. Reaches come from the instruction table's fields.
import { rowOf } from '../isa/table.js';
import { Op } from '../isa/table.js';
import { inverseBranch } from '../lower/cond.js';

/** What an item of the code buffer is. */
export const enum ItemKind {
  /** A whole instruction: operands a, b, c, d in assembler order. */
  Plain = 0,
  /** Conditional branch to a label. */
  Branch = 1,
  /** J to a label. */
  Jump = 2,
  /** L32R of literal `label` into a. */
  Literal = 3,
  /** CALL0 or J to symbol `label`, resolved by the linker. */
  Symbol = 4,
  /** Conditional branch to stub `label`. */
  Check = 5,
  /** LOOP to the label behind the loop's body. */
  Loop = 6,
  /** Three bytes that are no instruction: `label` is their value. */
  Data = 7,
  /** Instructions that nobody executes, so that the next item lies on a word. */
  Align = 8,
}

/** Forms of a Branch or Check, each larger than the one before; relaxation only ever moves up. */
export const enum Form {
  /** beqz.n, bnez.n */
  Narrow = 0,
  /** The branch itself. */
  Direct = 1,
  /** Inverted branch over a J; for a Check, over its own stub. */
  Inverted = 2,
}

export const JUMP_BYTES = 3;
/** A stub is an ill.n, or a J to code out of line. */
export const TRAP_BYTES = 2;
/** Worst size of any item: an inverted branch and a jump. */
export const MAX_ITEM_BYTES = 6;

interface BranchInfo {
  /** Density form, or -1. */
  readonly narrow: number;
  readonly inverse: number;
  /** Reach of the 24-bit form: smallest and largest target - pc. */
  readonly minimum: number;
  readonly maximum: number;
}

const NARROW = new Map<number, number>([
  [Op.BEQZ, Op.BEQZ_N],
  [Op.BNEZ, Op.BNEZ_N],
]);
const INFO: (BranchInfo | undefined)[] = [];

/** Facts about conditional branch `op` (24-bit form). */
export function branchInfo(op: number): BranchInfo {
  const known = INFO[op];
  if (known !== undefined) return known;
  const { operands } = rowOf(op);
  const { field } = operands[operands.length - 1]!;
  const info: BranchInfo = {
    narrow: NARROW.get(op) ?? -1,
    inverse: inverseBranch(op),
    minimum: field.minimum(0),
    maximum: field.maximum(0),
  };
  INFO[op] = info;
  return info;
}

/** Reach of beqz.n and bnez.n. */
export const NARROW_MINIMUM = 4;
export const NARROW_MAXIMUM = 4 + 63;
/** LEND counts from LOOP, forwards only. */
export const LOOP_MAXIMUM = 4 + 255;
export const JUMP_MINIMUM = -131068;
export const JUMP_MAXIMUM = 131075;

/** Bytes of a branch in a form. */
export const BRANCH_BYTES: readonly number[] = [2, 3, 6];
/** Bytes of an inverted branch, without what it skips. */
export const INVERTED_BYTES = 3;
