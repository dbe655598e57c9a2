// Uses what a module never changes: reads of globals that nobody writes become constants, calls through constant entries of
// constant tables become direct. Takes a function and what analysis/module-constants.ts found. Knows no instruction else.
import { signatureText } from '../abi/signature-id.js';
import type { ModuleConstants } from '../analysis/module-constants.js';
import type { Func } from '../ir/function.js';
import type { IrModule } from '../ir/module.js';
import { Op } from '../ir/ops.js';
import { Type } from '../ir/types.js';

const CONSTANT_OF: Readonly<Partial<Record<Type, number>>> = {
  [Type.I32]: Op.I32Const,
  [Type.I64]: Op.I64Const,
  [Type.F32]: Op.F32Const,
  [Type.F64]: Op.F64Const,
};

/** Rewrites `func` in place; gives the number of reads replaced. */
export function foldGlobals(func: Func, { globals }: ModuleConstants): number {
  if (!globals.some((value) => value !== null)) return 0;
  let folded = 0;
  for (const { insts } of func.blocks) {
    for (const inst of insts) {
      if (inst.op !== Op.GlobalGet) continue;
      const value = globals[inst.imm];
      if (value === null || value === undefined) continue;
      inst.op = CONSTANT_OF[inst.type]!;
      [inst.imm, inst.imm2] = value;
      folded++;
    }
  }
  return folded;
}

/** Rewrites `func` in place; gives the number of calls made direct. Entries that would trap are left to trap. */
export function callDirectly(func: Func, module: IrModule, { tables }: ModuleConstants): number {
  if (!tables.some((entries) => entries !== null)) return 0;
  let direct = 0;
  for (const { insts } of func.blocks) {
    for (const inst of insts) {
      if (inst.op !== Op.CallIndirect && inst.op !== Op.ReturnCallIndirect) continue;
      const index = inst.args[0]!;
      const target = index.op === Op.I32Const ? tables[inst.imm]?.[index.imm >>> 0] : undefined;
      if (target === undefined || target === null) continue;
      if (signatureText(module.funcs[target]!.signature) !== signatureText(module.types[inst.imm2]!)) continue;
      func.checks?.dropCall(inst, 'constant table entry');
      inst.args.shift();
      inst.op = inst.op === Op.CallIndirect ? Op.Call : Op.ReturnCall;
      inst.imm = target;
      inst.imm2 = 0;
      direct++;
    }
  }
  return direct;
}
