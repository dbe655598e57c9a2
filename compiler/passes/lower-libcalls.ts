// Lowers the single-precision operations and conversions that LX6 has no instruction for to runtime calls or integer code,
// and makes the overflow check of signed division explicit.
// Runs after legalize-f64 and before legalize-i64; refuses to know how the calls are made.
import { LIBCALLS, type LibCall } from '../abi/libcalls.js';
import { TrapCode } from '../abi/traps.js';
import type { Func, Inst } from '../ir/function.js';
import { Op } from '../ir/ops.js';
import { emitLibCall } from './libcall.js';
import { Rewriter } from './rewrite.js';

const L = LIBCALLS;
const CALLS: ReadonlyMap<number, LibCall> = new Map([
  [Op.F32Div, L.f32Div],
  [Op.F32Sqrt, L.f32Sqrt],
  [Op.F32Ceil, L.f32Ceil],
  [Op.F32Floor, L.f32Floor],
  [Op.F32Trunc, L.f32Trunc],
  [Op.F32Nearest, L.f32Nearest],
  [Op.F32Min, L.f32Min],
  [Op.F32Max, L.f32Max],
  [Op.F32ConvertI64S, L.f32ConvertI64S],
  [Op.F32ConvertI64U, L.f32ConvertI64U],
  [Op.I64TruncSatF32S, L.i64TruncSatF32S],
  [Op.I64TruncSatF32U, L.i64TruncSatF32U],
  [Op.I32TruncF32S, L.i32TruncF32S],
  [Op.I32TruncF32U, L.i32TruncF32U],
  [Op.I64TruncF32S, L.i64TruncF32S],
  [Op.I64TruncF32U, L.i64TruncF32U],
]);

/** Ops that the pass has something to do for. */
export const LOWERED_TO_CALLS: ReadonlySet<number> = new Set([...CALLS.keys(), Op.F32Copysign, Op.I32DivS]);

/** Rewrites `func` in place. */
export function lowerLibCalls(func: Func): void {
  const rewriter = new Rewriter(func);
  rewriter.run(func.blocks, (inst) => {
    const call = CALLS.get(inst.op);
    if (call !== undefined) rewriter.replaceBy(inst, emitLibCall(rewriter, call, inst.args));
    else if (inst.op === Op.F32Copysign) rewriter.replaceBy(inst, copysign(rewriter, inst.args[0]!, inst.args[1]!));
    else {
      if (inst.op === Op.I32DivS) checkQuotient(rewriter, inst.args[0]!, inst.args[1]!);
      rewriter.keep(inst);
    }
  });
}

/** -2^31 / -1 overflows; QUOS would give -2^31. Division by zero traps in hardware. */
function checkQuotient(rewriter: Rewriter, dividend: Inst, divisor: Inst): void {
  if (divisor.op === Op.I32Const && divisor.imm !== -1) return;
  if (dividend.op === Op.I32Const && dividend.imm !== -0x80000000) return;
  const notMinimum = rewriter.emit(Op.I32Xor, [dividend, rewriter.i32(-0x80000000)]);
  const notMinusOne = rewriter.emit(Op.I32Xor, [divisor, rewriter.i32(-1)]);
  rewriter.trapIf(Op.TrapIfEqz, [rewriter.emit(Op.I32Or, [notMinimum, notMinusOne])], TrapCode.IntegerOverflow);
}

function copysign(rewriter: Rewriter, magnitude: Inst, sign: Inst): Inst {
  const mask = rewriter.i32(0x7fffffff);
  const bits = rewriter.emit(Op.I32And, [rewriter.emit(Op.I32ReinterpretF32, [magnitude]), mask]);
  const top = rewriter.emit(Op.I32And, [rewriter.emit(Op.I32ReinterpretF32, [sign]), rewriter.i32(-0x80000000)]);
  return rewriter.emit(Op.F32ReinterpretI32, [rewriter.emit(Op.I32Or, [bits, top])]);
}
