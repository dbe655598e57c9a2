// Selection rules of f32 on the single-precision FPU: IR ops in, FR instructions out. Knows what TRUNC.S gives for NaN
// and how to mend it; no libcalls and no comparisons (cond.ts).
import { Op as Ir } from '../../compiler/ir/ops.js';
import { Op } from '../isa/table.js';
import { def, reuseDef, use } from '../mach/inst.js';
import type { Lowering } from './context.js';
import type { Rule, Rules } from './rules.js';

function binary(op: number): Rule {
  return (lo, inst) => lo.emit(op, [lo.def(inst), lo.use(inst.args[0]!), lo.use(inst.args[1]!)]);
}
function unary(op: number): Rule {
  return (lo, inst) => lo.emit(op, [lo.def(inst), lo.use(inst.args[0]!)], 0);
}

/** CONST.S knows four values. */
const CONST_S = new Map<number, number>([
  [0x00000000, 0],
  [0x3f800000, 1],
  [0x40000000, 2],
  [0x3f000000, 3],
]);

const constant: Rule = (lo, inst) => {
  const known = CONST_S.get(inst.imm);
  if (known !== undefined) lo.emit(Op.CONST_S, [lo.def(inst)], known);
  else lo.emit(Op.WFR, [lo.def(inst), use(lo.constant(inst.imm))]);
};

/** TRUNC.S saturates as Wasm does, but gives 0x7fffffff for NaN instead of 0. */
const truncSatS: Rule = (lo, inst) => {
  const x = lo.value(inst.args[0]!);
  const value = lo.temp();
  lo.emit(Op.TRUNC_S, [def(value), use(x)], 0);
  const unordered = lo.boolTemp();
  const zero = lo.constant(0);
  lo.emit(Op.UN_S, [def(unordered), use(x), use(x)]);
  lo.emit(Op.MOVT, [reuseDef(lo.result(inst), 3), use(zero), use(unordered), use(value)]);
};

/** UTRUNC.S is right for x >= 0; everything else, NaN included, gives 0. */
const truncSatU: Rule = (lo: Lowering, inst) => {
  const x = lo.value(inst.args[0]!);
  const value = lo.temp();
  lo.emit(Op.UTRUNC_S, [def(value), use(x)], 0);
  const floatZero = lo.floatTemp();
  lo.emit(Op.CONST_S, [def(floatZero)], 0);
  const positive = lo.boolTemp();
  const zero = lo.constant(0);
  lo.emit(Op.OLE_S, [def(positive), use(floatZero), use(x)]);
  lo.emit(Op.MOVF, [reuseDef(lo.result(inst), 3), use(zero), use(positive), use(value)]);
};

export const FLOAT_RULES: Rules = {
  [Ir.F32Const]: constant,
  [Ir.F32Add]: binary(Op.ADD_S),
  [Ir.F32Sub]: binary(Op.SUB_S),
  [Ir.F32Mul]: binary(Op.MUL_S),
  [Ir.F32Neg]: unary(Op.NEG_S),
  [Ir.F32Abs]: unary(Op.ABS_S),
  [Ir.F32ConvertI32S]: unary(Op.FLOAT_S),
  [Ir.F32ConvertI32U]: unary(Op.UFLOAT_S),
  [Ir.I32TruncSatF32S]: truncSatS,
  [Ir.I32TruncSatF32U]: truncSatU,
};
