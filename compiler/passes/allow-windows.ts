// Lets bounds checks of memory 0 be satisfied by grant windows (D10). Takes a fresh IrModule, in which every access has a
// `mem.addr` of its own; gives each of them the rights of its access. Knows no grants and no machine.
import { GrantRight } from '../abi/os-layout.js';
import type { Inst } from '../ir/function.js';
import type { IrModule } from '../ir/module.js';
import { Op } from '../ir/ops.js';
import { setWindowRights, windowRights } from '../ir/windows.js';

/** Marks `mem.addr` and bulk operations of all bodies in place. */
export function allowWindows(module: IrModule): void {
  for (const { blocks } of module.bodies) {
    for (const { insts } of blocks) for (const inst of insts) mark(inst);
  }
}

function mark(inst: Inst): void {
  const { op } = inst;
  if (op >= Op.I32Load && op <= Op.F64Load) addRights(inst.args[0]!, GrantRight.Read);
  else if (op >= Op.I32Store && op <= Op.F64Store) addRights(inst.args[0]!, GrantRight.Write);
  else if ((op === Op.MemoryFill || op === Op.MemoryInit) && inst.imm === 0) setWindowRights(inst, GrantRight.Write);
  else if (op === Op.MemoryCopy && inst.imm === 0 && inst.imm2 === 0)
    setWindowRights(inst, GrantRight.Read | GrantRight.Write);
}

function addRights(check: Inst, rights: number): void {
  if (check.op === Op.MemAddr && check.imm2 === 0) setWindowRights(check, windowRights(check) | rights);
}
