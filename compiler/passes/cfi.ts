// Control-flow integrity, forward edge: expands call_indirect and return_call_indirect into index check, table load,
// signature check and call_ref. Refuses to know how tables are laid out (lower-memory) and the backward edge (frames).
import { signatureId } from '../abi/signature-id.js';
import { TrapCode } from '../abi/traps.js';
import type { Func, Inst } from '../ir/function.js';
import type { IrModule } from '../ir/module.js';
import { Op } from '../ir/ops.js';
import { Rewriter } from './rewrite.js';

/**
 * - `none`: indirect calls are not checked at all. Unsafe; to measure what the checks cost
 * - `forward`: table bounds, null, signature
 * - `full`: `forward`, and the backend checks return addresses
 */
export type CfiLevel = 'none' | 'forward' | 'full';

/** Expands every indirect call of `func`; returns how many there were. */
export function expandIndirectCalls(func: Func, module: IrModule, level: CfiLevel): number {
  let count = 0;
  const rewriter = new Rewriter(func);
  rewriter.run(func.blocks, (inst) => {
    if (inst.op !== Op.CallIndirect && inst.op !== Op.ReturnCallIndirect) {
      rewriter.keep(inst);
      return;
    }
    count++;
    expand(rewriter, inst, module, level);
  });
  return count;
}

function expand(rewriter: Rewriter, inst: Inst, module: IrModule, level: CfiLevel): void {
  const index = inst.args[0]!;
  const table = inst.imm;
  if (level === 'none') rewriter.func.checks?.dropCall(inst, 'switched off');
  if (level !== 'none') {
    rewriter.trapIf(Op.TrapIfGeU, [index, rewriter.emit(Op.TableSize, [], table)], TrapCode.UndefinedElement);
  }
  const ref = rewriter.emit(Op.TableLoad, [index], table);
  if (level !== 'none') {
    const signature = rewriter.emit(Op.RefSignature, [ref]);
    const expected = signatureId(module.types[inst.imm2]!);
    if (level === 'full') {
      // The constant must not occur in the code as it is: a corrupted reference to such a literal would pass the check.
      const difference = rewriter.emit(Op.I32Add, [signature, rewriter.i32(-expected | 0)]);
      rewriter.trapIf(Op.TrapIfNez, [difference], TrapCode.IndirectCallTypeMismatch);
    } else {
      rewriter.trapIf(Op.TrapIfNe, [signature, rewriter.i32(expected)], TrapCode.IndirectCallTypeMismatch);
    }
  }
  inst.args[0] = ref;
  inst.op = inst.op === Op.CallIndirect ? Op.CallRef : Op.ReturnCallRef;
  inst.imm = 0;
  rewriter.keep(inst);
}
