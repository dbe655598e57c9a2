// Takes IR with f64, gives IR where every f64 is an i64 of its bits: arithmetic becomes calls of the soft-double runtime,
// sign operations become bit operations. Refuses to know how an i64 is held.
import { LIBCALLS, type LibCall } from '../abi/libcalls.js';
import type { Func, Inst } from '../ir/function.js';
import { Op } from '../ir/ops.js';
import { type Signature, Type } from '../ir/types.js';
import { emitLibCall } from './libcall.js';
import { Rewriter } from './rewrite.js';

const L = LIBCALLS;
/** Ops that are one runtime call with the same operands. */
const CALLS: ReadonlyMap<number, LibCall> = new Map([
  [Op.F64Add, L.f64Add],
  [Op.F64Sub, L.f64Sub],
  [Op.F64Mul, L.f64Mul],
  [Op.F64Div, L.f64Div],
  [Op.F64Sqrt, L.f64Sqrt],
  [Op.F64Ceil, L.f64Ceil],
  [Op.F64Floor, L.f64Floor],
  [Op.F64Trunc, L.f64Trunc],
  [Op.F64Nearest, L.f64Nearest],
  [Op.F64Min, L.f64Min],
  [Op.F64Max, L.f64Max],
  [Op.F64Eq, L.f64Eq],
  [Op.F64Ne, L.f64Ne],
  [Op.F64Lt, L.f64Lt],
  [Op.F64Le, L.f64Le],
  [Op.F64ConvertI32S, L.f64ConvertI32S],
  [Op.F64ConvertI32U, L.f64ConvertI32U],
  [Op.F64ConvertI64S, L.f64ConvertI64S],
  [Op.F64ConvertI64U, L.f64ConvertI64U],
  [Op.F64PromoteF32, L.f64PromoteF32],
  [Op.F32DemoteF64, L.f32DemoteF64],
  [Op.I32TruncSatF64S, L.i32TruncSatF64S],
  [Op.I32TruncSatF64U, L.i32TruncSatF64U],
  [Op.I64TruncSatF64S, L.i64TruncSatF64S],
  [Op.I64TruncSatF64U, L.i64TruncSatF64U],
  [Op.I32TruncF64S, L.i32TruncF64S],
  [Op.I32TruncF64U, L.i32TruncF64U],
  [Op.I64TruncF64S, L.i64TruncF64S],
  [Op.I64TruncF64U, L.i64TruncF64U],
]);

const asI64 = (type: Type): Type => (type === Type.F64 ? Type.I64 : type);
const has = (types: readonly Type[]): boolean => types.includes(Type.F64);

function asI64Signature(sig: Signature): Signature {
  return has(sig.params) || has(sig.results) ? { params: sig.params.map(asI64), results: sig.results.map(asI64) } : sig;
}

/** Rewrites `func` in place. */
export function legalizeF64(func: Func): void {
  func.signature = asI64Signature(func.signature);
  for (const block of func.blocks) for (const param of block.params) param.type = asI64(param.type);
  const rewriter = new Rewriter(func);
  rewriter.run(func.blocks, (inst) => visit(rewriter, inst));
}

function visit(rewriter: Rewriter, inst: Inst): void {
  const call = CALLS.get(inst.op);
  if (call !== undefined) {
    rewriter.replaceBy(inst, emitLibCall(rewriter, call, inst.args));
    return;
  }
  const [a, b] = inst.args;
  switch (inst.op) {
    case Op.F64Gt:
      return rewriter.replaceBy(inst, emitLibCall(rewriter, L.f64Lt, [b!, a!]));
    case Op.F64Ge:
      return rewriter.replaceBy(inst, emitLibCall(rewriter, L.f64Le, [b!, a!]));
    case Op.F64Abs:
      return rewriter.replaceBy(inst, rewriter.emit(Op.I64And, [a!, i64(rewriter, -1, 0x7fffffff)]));
    case Op.F64Neg:
      return rewriter.replaceBy(inst, rewriter.emit(Op.I64Xor, [a!, i64(rewriter, 0, -0x80000000)]));
    case Op.F64Copysign: {
      const magnitude = rewriter.emit(Op.I64And, [a!, i64(rewriter, -1, 0x7fffffff)]);
      const sign = rewriter.emit(Op.I64And, [b!, i64(rewriter, 0, -0x80000000)]);
      return rewriter.replaceBy(inst, rewriter.emit(Op.I64Or, [magnitude, sign]));
    }
    case Op.F64ReinterpretI64:
    case Op.I64ReinterpretF64:
      return rewriter.replaceBy(inst, a!);
    case Op.F64Const:
      inst.op = Op.I64Const;
      break;
    case Op.F64Load:
      inst.op = Op.I64Load;
      break;
    case Op.F64Store:
      inst.op = Op.I64Store;
      break;
    default:
      if (inst.type === Type.Multi && inst.op !== Op.LibCall && has(inst.aux as Type[])) {
        inst.aux = (inst.aux as Type[]).map(asI64);
      }
  }
  inst.type = asI64(inst.type);
  rewriter.keep(inst);
}

function i64(rewriter: Rewriter, lo: number, hi: number): Inst {
  return rewriter.emit(Op.I64Const, [], lo, hi);
}
