// Drops writes that nobody can see: stores and global.sets that another one overwrites in the same block before anything
// reads the place, traps or leaves the function. Takes a function after bounds.ts; looks at addresses with one root only.
import { mayTrap, reads } from '../analysis/effects.js';
import type { Block, Func, Inst } from '../ir/function.js';
import type { IrModule } from '../ir/module.js';
import { Op, OPS, Resource } from '../ir/ops.js';
import { accessWidth, place } from './gvn.js';

/** Bytes that a later store of the block writes, relative to a root. */
interface Overwritten {
  readonly root: Inst;
  readonly memory: number;
  readonly from: number;
  readonly to: number;
}

/** Later stores that are looked at for one. */
const SEARCH_LIMIT = 16;

const isLoad = (op: number): boolean => op >= Op.I32Load && op <= Op.F64Load;
const isStore = (op: number): boolean => op >= Op.I32Store && op <= Op.F64Store;

/** Rewrites `func` in place; gives the number of writes dropped. */
export function dropDeadStores(func: Func, module: IrModule): number {
  let dropped = 0;
  for (const block of func.blocks) dropped += dropIn(block, module);
  return dropped;
}

/** Walks backwards, with what will be overwritten in any case. */
function dropIn(block: Block, module: IrModule): number {
  let bytes: Overwritten[] = [];
  const globals = new Set<number>();
  const { insts } = block;
  const dead = new Set<Inst>();
  for (let i = insts.length - 1; i >= 0; i--) {
    const inst = insts[i]!;
    const { op } = inst;
    if (isStore(op)) {
      const own = bytesOf(inst);
      if (bytes.some((later) => covers(later, own))) dead.add(inst);
      else if (bytes.length < SEARCH_LIMIT) bytes.push(own);
    } else if (op === Op.GlobalSet) {
      // Two imported globals may be one.
      if (module.globals[inst.imm]!.import !== null) continue;
      if (globals.has(inst.imm)) dead.add(inst);
      else globals.add(inst.imm);
    } else if (isLoad(op)) {
      if (bytes.length > 0) {
        const read = bytesOf(inst);
        bytes = bytes.filter((later) => apart(later, read));
      }
    } else if (op === Op.GlobalGet) globals.delete(inst.imm);
    else if (mayTrap(inst) || OPS[op]!.effect === 'call') {
      // Whoever is called, or looks at what a trap has left behind, sees everything.
      bytes = [];
      globals.clear();
    } else {
      if ((reads(inst) & Resource.Memory) !== 0) bytes = [];
      if ((reads(inst) & Resource.Global) !== 0) globals.clear();
    }
  }
  if (dead.size > 0) block.insts = insts.filter((inst) => !dead.has(inst));
  for (const inst of dead) inst.block = null;
  return dead.size;
}

function bytesOf(access: Inst): Overwritten {
  const [root, from] = place(access);
  return { root, memory: access.imm2, from, to: from + accessWidth(access.op) };
}

const covers = (later: Overwritten, own: Overwritten): boolean =>
  later.root === own.root && later.memory === own.memory && later.from <= own.from && own.to <= later.to;

/** Can the two not overlap? */
const apart = (a: Overwritten, b: Overwritten): boolean =>
  a.root === b.root && a.memory === b.memory && (a.to <= b.from || b.to <= a.from);
