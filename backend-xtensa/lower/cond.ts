// Conditions: an IR truth value in, one conditional branch instruction out (opcode, registers, immediate). Folds
// comparisons, masks, bit tests and negations. Knows no targets: the same Condition serves branches, checks, selects.
import { Op as Ir } from '../../compiler/ir/ops.js';
import type { Inst } from '../../compiler/ir/function.js';
import { Op } from '../isa/table.js';
import { operandFits } from '../isa/encode.js';
import { def, lateUse, use } from '../mach/inst.js';
import type { Operand, VReg } from '../regalloc/api.js';
import type { Lowering } from './context.js';

/** "op a, b|imm" is taken when the condition holds. `b` is -1 when the branch has an immediate or one register. */
export interface Condition {
  readonly op: number;
  readonly a: VReg;
  readonly b: VReg;
  readonly imm: number;
}

const PAIRS: readonly (readonly [number, number])[] = [
  [Op.BEQ, Op.BNE],
  [Op.BLT, Op.BGE],
  [Op.BLTU, Op.BGEU],
  [Op.BEQI, Op.BNEI],
  [Op.BLTI, Op.BGEI],
  [Op.BLTUI, Op.BGEUI],
  [Op.BEQZ, Op.BNEZ],
  [Op.BEQZ_N, Op.BNEZ_N],
  [Op.BLTZ, Op.BGEZ],
  [Op.BNONE, Op.BANY],
  [Op.BALL, Op.BNALL],
  [Op.BBC, Op.BBS],
  [Op.BBCI, Op.BBSI],
  [Op.BF, Op.BT],
];
const INVERSE = new Map<number, number>(PAIRS.flatMap(([x, y]) => [[x, y] as const, [y, x] as const]));

/** The branch taken exactly when `op` is not. */
export const inverseBranch = (op: number): number => INVERSE.get(op)!;

export function invert(c: Condition): Condition {
  return { op: inverseBranch(c.op), a: c.a, b: c.b, imm: c.imm };
}

/** Register operands of the branch, in row order. */
export function conditionUses(c: Condition): Operand[] {
  return c.b < 0 ? [use(c.a)] : [use(c.a), use(c.b)];
}
export function conditionLateUses(c: Condition): Operand[] {
  return c.b < 0 ? [lateUse(c.a)] : [lateUse(c.a), lateUse(c.b)];
}

const one = (op: number, a: VReg, imm = 0): Condition => ({ op, a, b: -1, imm });
const two = (op: number, a: VReg, b: VReg): Condition => ({ op, a, b, imm: 0 });

/** Value is a constant. */
export const isConst = (inst: Inst): boolean => inst.op === Ir.I32Const;
/** Shift amount 1..3 if the value is x << 1..3, which a scaled addition takes along, else 0. */
export function scale(inst: Inst): number {
  if (inst.op !== Ir.I32Shl) return 0;
  const n = inst.args[1]!;
  return isConst(n) && n.imm >= 1 && n.imm <= 3 ? n.imm : 0;
}
/** Additions by the shift amount of their first operand. */
export const ADDX: readonly number[] = [Op.ADD, Op.ADDX2, Op.ADDX4, Op.ADDX8];
/** Exponent if `value` is a power of two as u32, else -1. */
export function log2Exact(value: number): number {
  const u = value >>> 0;
  return u !== 0 && (u & (u - 1)) === 0 ? 31 - Math.clz32(u) : -1;
}

const fitsB4 = (value: number): boolean => operandFits(Op.BEQI, 1, value);
const fitsB4U = (value: number): boolean => operandFits(Op.BLTUI, 1, value >>> 0);

/** The branch taken when `inst` is not zero (or zero, if `sense` is false). */
export function condition(lo: Lowering, inst: Inst, sense: boolean): Condition {
  const { args } = inst;
  switch (inst.op) {
    case Ir.I32Eqz:
      return condition(lo, args[0]!, !sense);
    case Ir.I32Eq:
      return equal(lo, args[0]!, args[1]!, sense);
    case Ir.I32Ne:
      return equal(lo, args[0]!, args[1]!, !sense);
    case Ir.I32LtS:
      return lessSigned(lo, args[0]!, args[1]!, sense);
    case Ir.I32GtS:
      return lessSigned(lo, args[1]!, args[0]!, sense);
    case Ir.I32LeS:
      return lessSigned(lo, args[1]!, args[0]!, !sense);
    case Ir.I32GeS:
      return lessSigned(lo, args[0]!, args[1]!, !sense);
    case Ir.I32LtU:
      return lessUnsigned(lo, args[0]!, args[1]!, sense);
    case Ir.I32GtU:
      return lessUnsigned(lo, args[1]!, args[0]!, sense);
    case Ir.I32LeU:
      return lessUnsigned(lo, args[1]!, args[0]!, !sense);
    case Ir.I32GeU:
      return lessUnsigned(lo, args[0]!, args[1]!, !sense);
    case Ir.I32And:
      return masked(lo, inst, sense);
    case Ir.F32Eq:
      return float(lo, Op.OEQ_S, args[0]!, args[1]!, sense);
    case Ir.F32Ne:
      return float(lo, Op.OEQ_S, args[0]!, args[1]!, !sense);
    case Ir.F32Lt:
      return float(lo, Op.OLT_S, args[0]!, args[1]!, sense);
    case Ir.F32Gt:
      return float(lo, Op.OLT_S, args[1]!, args[0]!, sense);
    case Ir.F32Le:
      return float(lo, Op.OLE_S, args[0]!, args[1]!, sense);
    case Ir.F32Ge:
      return float(lo, Op.OLE_S, args[1]!, args[0]!, sense);
    default:
      return one(sense ? Op.BNEZ : Op.BEQZ, lo.value(inst));
  }
}

export function equal(lo: Lowering, a: Inst, b: Inst, sense: boolean): Condition {
  if (isConst(a)) return equal2(lo, b, a, sense);
  return equal2(lo, a, b, sense);
}

function equal2(lo: Lowering, a: Inst, b: Inst, sense: boolean): Condition {
  if (isConst(b)) {
    // (x & bit) == bit
    if (a.op === Ir.I32And && isConst(a.args[1]!) && a.args[1]!.imm === b.imm && log2Exact(b.imm) >= 0) {
      return condition(lo, a, sense);
    }
    if (b.imm === 0 || fitsB4(b.imm)) return equalConstant(lo, a, b.imm, sense);
  }
  // (x & m) == m
  if (a.op === Ir.I32And && lo.foldable(a) && a.args[1] === b) {
    return two(sense ? Op.BALL : Op.BNALL, lo.value(a.args[0]!), lo.value(b));
  }
  return two(sense ? Op.BEQ : Op.BNE, lo.value(a), lo.value(b));
}

/** a == value. */
export function equalConstant(lo: Lowering, a: Inst, value: number, sense: boolean): Condition {
  if (value === 0) return condition(lo, a, !sense);
  if (fitsB4(value)) return one(sense ? Op.BEQI : Op.BNEI, lo.value(a), value);
  return two(sense ? Op.BEQ : Op.BNE, lo.value(a), lo.constant(value));
}

/** a <s b. */
export function lessSigned(lo: Lowering, a: Inst, b: Inst, sense: boolean): Condition {
  if (isConst(b)) {
    if (b.imm === 0) return one(sense ? Op.BLTZ : Op.BGEZ, lo.value(a));
    if (fitsB4(b.imm)) return one(sense ? Op.BLTI : Op.BGEI, lo.value(a), b.imm);
  } else if (isConst(a) && a.imm !== 0x7fffffff) {
    // c < b  ==  b >= c + 1
    const next = a.imm + 1;
    if (next === 0) return one(sense ? Op.BGEZ : Op.BLTZ, lo.value(b));
    if (fitsB4(next)) return one(sense ? Op.BGEI : Op.BLTI, lo.value(b), next);
  }
  return two(sense ? Op.BLT : Op.BGE, lo.value(a), lo.value(b));
}

/** a <u b. */
export function lessUnsigned(lo: Lowering, a: Inst, b: Inst, sense: boolean): Condition {
  if (isConst(b)) {
    const found = belowConstant(lo, a, b.imm >>> 0, sense);
    if (found !== null) return found;
  } else if (isConst(a) && a.imm !== -1) {
    const found = belowConstant(lo, b, (a.imm + 1) >>> 0, !sense);
    if (found !== null) return found;
  }
  return two(sense ? Op.BLTU : Op.BGEU, lo.value(a), lo.value(b));
}

/** a <u limit, if one branch without a constant register does it. */
function belowConstant(lo: Lowering, a: Inst, limit: number, sense: boolean): Condition | null {
  if (limit === 1) return condition(lo, a, !sense);
  if (limit === 0x80000000) return one(sense ? Op.BGEZ : Op.BLTZ, lo.value(a));
  if (fitsB4U(limit)) return one(sense ? Op.BLTUI : Op.BGEUI, lo.value(a), limit);
  return null;
}

/** (x & y) != 0. */
function masked(lo: Lowering, inst: Inst, sense: boolean): Condition {
  const x = inst.args[0]!;
  const y = inst.args[1]!;
  if (!isConst(y) && isConst(x)) return maskedWith(lo, inst, y, x, sense);
  return maskedWith(lo, inst, x, y, sense);
}

function maskedWith(lo: Lowering, inst: Inst, x: Inst, y: Inst, sense: boolean): Condition {
  if (isConst(y)) {
    const bit = log2Exact(y.imm);
    if (bit >= 0) return bitTest(lo, x, bit, sense);
    // A mask extui can take is one instruction, without a constant in a register.
    if (lo.demanded(inst) || maskWidth(y.imm) > 0) return one(sense ? Op.BNEZ : Op.BEQZ, lo.value(inst));
  }
  if (isShiftedOne(y)) return two(sense ? Op.BBS : Op.BBC, lo.value(x), lo.value(y.args[1]!));
  if (isShiftedOne(x)) return two(sense ? Op.BBS : Op.BBC, lo.value(y), lo.value(x.args[1]!));
  return two(sense ? Op.BANY : Op.BNONE, lo.value(x), lo.value(y));
}

const isShiftedOne = (inst: Inst): boolean =>
  inst.op === Ir.I32Shl && isConst(inst.args[0]!) && inst.args[0]!.imm === 1 && !isConst(inst.args[1]!);

/** Width of the mask 2^k - 1 if extui can take it (1..16), else 0. */
export function maskWidth(mask: number): number {
  const width = 32 - Math.clz32(mask);
  return width >= 1 && width <= 16 && mask === 2 ** width - 1 ? width : 0;
}

function bitTest(lo: Lowering, x: Inst, bit: number, sense: boolean): Condition {
  if (x.op === Ir.I32ShrU || x.op === Ir.I32ShrS) {
    const n = x.args[1]!;
    if (isConst(n)) {
      const at = bit + (n.imm & 31);
      if (at < 32) return bitTest(lo, x.args[0]!, at, sense);
    } else if (bit === 0) {
      return two(sense ? Op.BBS : Op.BBC, lo.value(x.args[0]!), lo.value(n));
    }
  }
  if (bit === 31) return one(sense ? Op.BLTZ : Op.BGEZ, lo.value(x));
  return one(sense ? Op.BBSI : Op.BBCI, lo.value(x), bit);
}

function float(lo: Lowering, op: number, a: Inst, b: Inst, sense: boolean): Condition {
  const flag = lo.boolTemp();
  lo.emit(op, [def(flag), lo.use(a), lo.use(b)]);
  return one(sense ? Op.BT : Op.BF, flag);
}
