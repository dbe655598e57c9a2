// What an instruction may do beside giving a value: refines the op table's effect classes by operands and immediates.
// Takes single instructions; knows no control flow.
import type { LibCall } from '../abi/libcalls.js';
import type { Inst } from '../ir/function.js';
import { Op, OPS, Resource } from '../ir/ops.js';

/** Is it a division or remainder whose constant divisor rules every trap out? */
function dividesSafely(inst: Inst): boolean {
  const divisor = inst.args[1]!;
  switch (inst.op) {
    case Op.I32DivU:
    case Op.I32RemS:
    case Op.I32RemU:
      return divisor.op === Op.I32Const && divisor.imm !== 0;
    case Op.I32DivS:
      return divisor.op === Op.I32Const && divisor.imm !== 0 && divisor.imm !== -1;
    case Op.I64DivU:
    case Op.I64RemS:
    case Op.I64RemU:
      return divisor.op === Op.I64Const && (divisor.imm | divisor.imm2) !== 0;
    case Op.I64DivS:
      return divisor.op === Op.I64Const && (divisor.imm | divisor.imm2) !== 0 && (divisor.imm & divisor.imm2) !== -1;
    default:
      return false;
  }
}

/** Can executing it trap? */
export function mayTrap(inst: Inst): boolean {
  if (!OPS[inst.op]!.traps) return false;
  if (inst.op === Op.MemAddr) return inst.imm !== 0;
  if (inst.op === Op.LibCall) return false;
  return !dividesSafely(inst);
}

/** Resources it may write, as bits. */
export function writes(inst: Inst): number {
  if (inst.op === Op.LibCall) return (inst.aux as LibCall).effect === 'pure' ? 0 : Resource.All;
  return OPS[inst.op]!.writes;
}

/** Resources it may read, as bits. */
export function reads(inst: Inst): number {
  if (inst.op === Op.LibCall) return (inst.aux as LibCall).effect === 'pure' ? 0 : Resource.All;
  return OPS[inst.op]!.reads;
}

/** May it be dropped when nobody uses its value? */
export function isRemovable(inst: Inst): boolean {
  if (inst.op === Op.LibCall) return (inst.aux as LibCall).effect === 'pure';
  const { effect } = OPS[inst.op]!;
  if (effect === 'pure' || effect === 'read') return !mayTrap(inst);
  return effect === 'trap' && !mayTrap(inst);
}

/**
 * May it run where the program would not have run it? Not if it can trap, and not if it loads through a computed pointer,
 * whose check or proof may only hold where the load stands.
 */
export function isSpeculatable(inst: Inst): boolean {
  if (mayTrap(inst)) return false;
  const { op } = inst;
  const loads = (op >= Op.I32Load && op <= Op.F64Load) || op === Op.TableLoad;
  return !loads || inst.args[0]!.op === Op.Symbol;
}
