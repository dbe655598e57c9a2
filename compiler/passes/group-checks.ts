// Joins the bounds checks of accesses off one address that stand close together: one check for the whole stretch. Takes a
// function before address lowering. Knows no ranges and no dominance (bounds.ts); works within blocks.
import { mayTrap, writes } from '../analysis/effects.js';
import { type Block, type Func, type Inst, replace, resolve, resolveUses } from '../ir/function.js';
import { Op } from '../ir/ops.js';
import { canJoinRights, setWindowRights, windowRights } from '../ir/windows.js';

/**
 * No memory has 2^30 bytes or more on a 32-bit chip (nor in the reference interpreter), so an address that passed a check
 * plus a smaller constant does not wrap.
 */
export const MAX_DISTANCE = 2 ** 30;

/** Root and constant part of an address. A constant is its own root. */
export function splitAddress(address: Inst): [root: Inst, offset: number] {
  let at = address;
  let offset = 0;
  while (at.op === Op.I32Add && at.args[1]!.op === Op.I32Const) {
    offset = (offset + at.args[1]!.imm) | 0;
    at = at.args[0]!;
  }
  return [at, offset];
}

/** Checks of one memory and root with nothing observable between them. */
interface Group {
  readonly root: Inst;
  readonly memory: number;
  readonly members: Inst[];
  /** Distance of each member from the first one. */
  readonly distances: number[];
  readonly firstOffset: number;
  /** Stretch they touch, relative to the first one's address. */
  from: number;
  to: number;
  /** Of windows: what all of them together need. */
  rights: number;
}

/**
 * Rewrites `func` in place; gives the number of checks saved. Between the first and the last check of a group nothing is
 * written, called or trapped on for another reason, so the joint check at the place of the first one traps exactly when one
 * of them would have, with the same code and the same state.
 */
export function groupChecks(func: Func): number {
  let saved = 0;
  for (const block of func.blocks) {
    const groups = groupsOf(block);
    if (groups.length > 0) saved += rewrite(func, block, groups);
  }
  if (saved > 0) resolveUses(func);
  return saved;
}

/** Groups of at least two checks. */
function groupsOf(block: Block): Group[] {
  const found: Group[] = [];
  /** By root: groups that nothing observable has ended yet. */
  const open = new Map<Inst, Group>();
  for (const inst of block.insts) {
    if (inst.op !== Op.MemAddr) {
      if (open.size > 0 && (writes(inst) !== 0 || mayTrap(inst))) open.clear();
      continue;
    }
    if (inst.imm === 0) continue;
    const [root, offset] = splitAddress(inst.args[0]!);
    const rights = windowRights(inst);
    let group = open.get(root);
    if (group === undefined) {
      group = { root, memory: inst.imm2, members: [], distances: [], firstOffset: offset, from: 0, to: 0, rights };
      open.set(root, group);
    } else if (group.memory !== inst.imm2 || !canJoinRights(group.rights, rights)) continue;
    const distance = (offset - group.firstOffset) | 0;
    const from = Math.min(group.from, distance);
    const to = Math.max(group.to, distance + inst.imm);
    if (to - from >= MAX_DISTANCE) continue;
    group.from = from;
    group.to = to;
    group.rights |= rights;
    group.members.push(inst);
    group.distances.push(distance);
    if (group.members.length === 2) found.push(group);
  }
  return found;
}

function rewrite(func: Func, block: Block, groups: readonly Group[]): number {
  const memberships = new Map<Inst, { readonly group: Group; readonly distance: number }>();
  for (const group of groups) {
    group.members.forEach((member, i) => memberships.set(member, { group, distance: group.distances[i]! }));
  }
  const joint = new Map<Group, Inst>();
  const out: Inst[] = [];
  const emit = (like: Inst, op: number, args: Inst[], imm: number, imm2 = 0): Inst => {
    const inst = func.create(op, args, imm, imm2);
    inst.block = block;
    inst.loc = like.loc;
    out.push(inst);
    return inst;
  };
  const plus = (like: Inst, value: Inst, by: number): Inst =>
    by === 0 ? value : emit(like, Op.I32Add, [value, emit(like, Op.I32Const, [], by)], 0);
  let saved = 0;
  for (const inst of block.insts) {
    const membership = memberships.get(inst);
    if (membership === undefined) {
      out.push(inst);
      continue;
    }
    const { group, distance } = membership;
    let check = joint.get(group);
    if (check === undefined) {
      const offset = (group.firstOffset + group.from) | 0;
      const address = group.from === 0 ? resolve(inst.args[0]!) : plus(inst, resolve(group.root), offset);
      check = emit(inst, Op.MemAddr, [address], group.to - group.from, group.memory);
      setWindowRights(check, group.rights);
      joint.set(group, check);
    } else {
      saved++;
      func.checks?.merge(inst, check, 'grouped');
    }
    inst.block = null;
    replace(inst, plus(inst, check, distance - group.from));
  }
  block.insts = out;
  return saved;
}
