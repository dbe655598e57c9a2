// Emission of runtime calls with their trap checks. Takes a rewriter and a LibCall row; knows no Wasm op.
import type { LibCall } from '../abi/libcalls.js';
import { TrapCode } from '../abi/traps.js';
import type { Inst } from '../ir/function.js';
import { Op } from '../ir/ops.js';
import { Type } from '../ir/types.js';
import type { Rewriter } from './rewrite.js';

/** f64 values are i64 from legalize-f64 on. */
const wordType = (type: Type): Type => (type === Type.F64 ? Type.I64 : type);

/** Calls `call` and gives its value; with a `value-status` row the traps of float-to-integer conversion come after it. */
export function emitLibCall(rewriter: Rewriter, call: LibCall, args: Inst[]): Inst {
  const checked = call.status === 'value-status';
  const inst = rewriter.emit(Op.LibCall, args, 0, 0, checked ? Type.Multi : wordType(call.results[0]!));
  inst.aux = call;
  if (!checked) return inst;
  const value = rewriter.emit(Op.Proj, [inst], 0, 0, wordType(call.results[0]!));
  const status = rewriter.emit(Op.Proj, [inst], 1, 0, Type.I32);
  rewriter.trapIf(Op.TrapIfEq, [status, rewriter.i32(1)], TrapCode.IntegerOverflow);
  rewriter.trapIf(Op.TrapIfNez, [status], TrapCode.InvalidConversion);
  return value;
}

/** Calls a `status` row and traps with `trapCode` on failure. */
export function emitStatusCall(rewriter: Rewriter, call: LibCall, args: Inst[], trapCode: number): void {
  const inst = rewriter.emit(Op.LibCall, args, 0, 0, Type.I32);
  inst.aux = call;
  rewriter.trapIf(Op.TrapIfNez, [inst], trapCode);
}
