// Selection rules of comparisons as values (0 or 1) and of select: LX6 has no set-on-condition, so these are bit tricks,
// conditional moves or a branch over one instruction. Knows conditions (cond.ts); no blocks and no targets.
import { Op as Ir } from '../../compiler/ir/ops.js';
import type { Inst } from '../../compiler/ir/function.js';
import { Type } from '../../compiler/ir/types.js';
import { Op } from '../isa/table.js';
import { Pseudo, def, reuseDef, use } from '../mach/inst.js';
import type { VReg } from '../regalloc/api.js';
import { condition, conditionLateUses, conditionUses, invert, isConst, lessUnsigned, type Condition } from './cond.js';
import type { Lowering } from './context.js';
import type { Rule, Rules } from './rules.js';

const COMPARISONS: ReadonlySet<number> = new Set([
  Ir.I32Eqz,
  Ir.I32Eq,
  Ir.I32Ne,
  Ir.I32LtS,
  Ir.I32LtU,
  Ir.I32GtS,
  Ir.I32GtU,
  Ir.I32LeS,
  Ir.I32LeU,
  Ir.I32GeS,
  Ir.I32GeU,
  Ir.F32Eq,
  Ir.F32Ne,
  Ir.F32Lt,
  Ir.F32Gt,
  Ir.F32Le,
  Ir.F32Ge,
]);

/** The value is 0 or 1 and its condition is one branch. */
export const isComparison = (inst: Inst): boolean => COMPARISONS.has(inst.op);

export const comparison = condition;
export const unsignedLess = (lo: Lowering, a: Inst, b: Inst): Condition => lessUnsigned(lo, a, b, true);

/** A comparison whose value is wanted. */
const compare: Rule = (lo, inst) => {
  setIf(lo, lo.result(inst), condition(lo, inst, true));
};

/** d = condition ? 1 : 0. Straight-line where that takes no more instructions than a branch. */
function setIf(lo: Lowering, d: VReg, c: Condition): void {
  switch (c.op) {
    case Op.BEQZ:
      return setZero(lo, d, c.a);
    case Op.BNEZ:
      return setNonZero(lo, d, c.a);
    case Op.BEQ:
      return setZero(lo, d, lo.binary(Op.SUB, c.a, c.b));
    case Op.BNE:
      return setNonZero(lo, d, lo.binary(Op.SUB, c.a, c.b));
    case Op.BEQI:
      return setZero(lo, d, lo.addImmediate(c.a, -c.imm));
    case Op.BNEI:
      return setNonZero(lo, d, lo.addImmediate(c.a, -c.imm));
    case Op.BLTZ:
      lo.emit(Op.EXTUI, [def(d), use(c.a)], 31, 1);
      return;
    case Op.BGEZ:
      lo.emit(Op.ADDI, [def(d), use(lo.immediate(Op.SRAI, c.a, 31))], 1);
      return;
    case Op.BBSI:
      lo.emit(Op.EXTUI, [def(d), use(c.a)], c.imm, 1);
      return;
    case Op.BT:
      lo.emit(Pseudo.ReadBool, [def(d), use(c.a)]);
      return;
    default:
      lo.emit(Pseudo.SetIf, [def(d), ...conditionLateUses(c)], c.imm, c.op);
  }
}

/** x == 0: the number of leading zeros is 32 only then. */
function setZero(lo: Lowering, d: VReg, x: VReg): void {
  lo.emit(Op.SRLI, [def(d), use(lo.immediate(Op.NSAU, x, 0))], 5);
}

/** x != 0: 1, replaced by x when x is 0. */
function setNonZero(lo: Lowering, d: VReg, x: VReg): void {
  lo.emit(Op.MOVEQZ, [reuseDef(d, 3), use(x), use(x), use(lo.freshConstant(1))]);
}

/** Conditional moves: [taken when register satisfies the branch, for AR and FR]. */
const MOVES = new Map<number, readonly [number, number]>([
  [Op.BEQZ, [Op.MOVEQZ, Op.MOVEQZ_S]],
  [Op.BNEZ, [Op.MOVNEZ, Op.MOVNEZ_S]],
  [Op.BLTZ, [Op.MOVLTZ, Op.MOVLTZ_S]],
  [Op.BGEZ, [Op.MOVGEZ, Op.MOVGEZ_S]],
  [Op.BT, [Op.MOVT, Op.MOVT_S]],
  [Op.BF, [Op.MOVF, Op.MOVF_S]],
]);

/** A condition of one register that a conditional move takes, at the price of one instruction; or null. */
function moveCondition(lo: Lowering, c: Condition): Condition | null {
  if (MOVES.has(c.op)) return c;
  const register = (op: number, a: VReg): Condition => ({ op, a, b: -1, imm: 0 });
  switch (c.op) {
    case Op.BEQ:
      return register(Op.BEQZ, lo.binary(Op.SUB, c.a, c.b));
    case Op.BNE:
      return register(Op.BNEZ, lo.binary(Op.SUB, c.a, c.b));
    case Op.BEQI:
      return register(Op.BEQZ, lo.addImmediate(c.a, -c.imm));
    case Op.BNEI:
      return register(Op.BNEZ, lo.addImmediate(c.a, -c.imm));
    case Op.BNONE:
      return register(Op.BEQZ, lo.binary(Op.AND, c.a, c.b));
    case Op.BANY:
      return register(Op.BNEZ, lo.binary(Op.AND, c.a, c.b));
    case Op.BBSI:
      return register(Op.BNEZ, lo.immediate(Op.EXTUI, c.a, c.imm, 1));
    case Op.BBCI:
      return register(Op.BEQZ, lo.immediate(Op.EXTUI, c.a, c.imm, 1));
    default:
      return null;
  }
}

/** select(cond, a, b). The result takes the register of the value that is not moved; a constant gets a fresh one. */
const select: Rule = (lo, inst) => {
  const [test, a, b] = inst.args as [Inst, Inst, Inst];
  // The tied input is overwritten: prefer one that has no other use.
  const tieA = keepCost(lo, a) < keepCost(lo, b);
  const other = lo.value(tieA ? b : a);
  const wanted = condition(lo, test, !tieA);
  const tied = tiedValue(lo, tieA ? a : b);
  const c = moveCondition(lo, wanted);
  const d = lo.result(inst);
  if (c !== null) {
    const op = MOVES.get(c.op)![inst.type === Type.F32 ? 1 : 0];
    lo.emit(op, [reuseDef(d, 3), use(other), use(c.a), use(tied)]);
    return;
  }
  // The branch inside is taken when the tied value stays.
  const stays = invert(wanted);
  const uses = conditionUses(stays);
  lo.emit(Pseudo.MoveUnless, [reuseDef(d, uses.length + 2), ...uses, use(other), use(tied)], stays.imm, stays.op);
};

function keepCost(lo: Lowering, inst: Inst): number {
  if (isConst(inst)) return 0;
  return lo.foldable(inst) ? 1 : 2;
}

function tiedValue(lo: Lowering, inst: Inst): VReg {
  return isConst(inst) ? lo.freshConstant(inst.imm) : lo.value(inst);
}

const rules: Record<number, Rule> = { [Ir.Select]: select };
for (const op of COMPARISONS) rules[op] = compare;
export const COMPARE_RULES: Rules = rules;
