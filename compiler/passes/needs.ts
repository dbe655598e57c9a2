// Which lowering passes a function needs at all: one scan instead of several rewrites that change nothing. Takes a function,
// gives bits.
import type { Func } from '../ir/function.js';
import { Op, OPS } from '../ir/ops.js';
import { Type } from '../ir/types.js';
import { LOWERED_TO_CALLS } from './lower-libcalls.js';

export const enum Need {
  IndirectCalls = 1,
  F64 = 2,
  LibCalls = 4,
  I64 = 8,
}

const typeNeeds = (type: Type): number => (type === Type.F64 ? Need.F64 | Need.I64 : type === Type.I64 ? Need.I64 : 0);

/** Needs that follow from the op alone. */
const OP_NEEDS: Uint8Array = Uint8Array.from(OPS, (info, op) => {
  let bits = op === Op.CallIndirect || op === Op.ReturnCallIndirect ? Need.IndirectCalls : 0;
  if (LOWERED_TO_CALLS.has(op)) bits |= Need.LibCalls;
  for (const type of info.operands ?? []) bits |= typeNeeds(type);
  return info.result === 'dynamic' ? bits : bits | typeNeeds(info.result);
});

/** Bits of `Need`. */
export function needsOf(func: Func): number {
  let bits = 0;
  for (const type of [...func.signature.params, ...func.signature.results]) bits |= typeNeeds(type);
  for (const block of func.blocks) {
    for (const param of block.params) bits |= typeNeeds(param.type);
    for (const inst of block.insts) {
      bits |= OP_NEEDS[inst.op]!;
      if (inst.type >= Type.I64) bits |= inst.type === Type.Multi ? Need.F64 | Need.I64 : typeNeeds(inst.type);
    }
  }
  return bits;
}
