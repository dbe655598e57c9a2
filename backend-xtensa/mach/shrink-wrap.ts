// Finds a quick way out at the top of a function: a path from the entry to a return without a call, which needs no frame.
// Takes a selected machine function before layout; where there is such a path, it gives the rest of the function one
// entry of its own (Pseudo.MakeFrame), from which the two ways never meet again. Knows calls and edges; no frame and no
// register: whether the quick way really does without the frame shows after allocation.
//
// The block that gets MakeFrame dominates all calls and lies outside of loops. What both ways share behind it (a common
// return, say) is copied for the quick way. Values that live on over calls are copied behind MakeFrame, so that the moves
// to callee-saved registers and stack slots come there instead of at the entry.
import { SITE_CALL } from '../../compiler/abi/traps.js';
import { OperandKind, type Operand, type VReg } from '../regalloc/api.js';
import { RegClass } from '../abi/abi.js';
import { MachBlock, MachInst, Pseudo, def, use, type MachEdge, type MachFunction } from './inst.js';

/** Instructions that may be copied for the quick way. */
const MAX_COPIED = 8;
/** Instructions of the quick way: its end must be in reach of `frameStart`. */
const MAX_QUICK = 512;
/** Blocks to look for one outside of all loops. */
const MAX_STEPS = 8;

const needsFrame = ({ op, site }: MachInst): boolean => site === SITE_CALL || op === Pseudo.WindowAddress;
const leaves = (block: MachBlock): boolean => {
  const { op } = block.insts[block.insts.length - 1]!;
  return op === Pseudo.Return || op === Pseudo.TailCall || op === Pseudo.TailCallReg;
};

/** Gives the function a `frameBlock` if it has a quick way. */
export function shrinkWrap(mach: MachFunction): void {
  const entry = mach.blocks[0]!;
  if (entry.succs.length === 0 || entry.insts.some(needsFrame)) return;
  const users = mach.blocks.filter((block) => block.insts.some(needsFrame));
  if (users.length === 0) return;
  const start = new Flow(entry).outsideLoops(users);
  if (start === null || start === entry) return;
  const framed = reachable(start, null);
  const quick = reachable(entry, start);
  const both = [...quick].filter((block) => framed.has(block));
  if (![...quick].some(leaves) || count(quick) > MAX_QUICK || count(both) > MAX_COPIED) return;
  // Zero-overhead loops and jump tables are more than a list of instructions.
  if ([...quick].some(({ loopHeader }) => loopHeader) || both.some(({ table }) => table !== null)) return;
  copyForQuickWay(mach, quick, both);
  makeFrame(mach, start, framed);
}

/** Blocks that `from` reaches without going through `barrier`. */
export function reachable(from: MachBlock, barrier: MachBlock | null): Set<MachBlock> {
  const seen = new Set([from]);
  const work = [from];
  for (let block = work.pop(); block !== undefined; block = work.pop()) {
    for (const { target } of block.succs) {
      if (target === barrier || seen.has(target)) continue;
      seen.add(target);
      work.push(target);
    }
  }
  return seen;
}

function count(blocks: Iterable<MachBlock>): number {
  let sum = 0;
  for (const { insts } of blocks) sum += insts.length;
  return sum;
}

/** Control flow of the reachable blocks: reverse postorder and immediate dominators (Cooper, Harvey, Kennedy 2001). */
class Flow {
  private readonly order: MachBlock[] = [];
  private readonly number = new Map<MachBlock, number>();
  private readonly idom: Int32Array;

  constructor(entry: MachBlock) {
    const seen = new Set([entry]);
    const path: { readonly block: MachBlock; next: number }[] = [{ block: entry, next: 0 }];
    while (path.length > 0) {
      const top = path[path.length - 1]!;
      const edge = top.block.succs[top.next++];
      if (edge === undefined) {
        this.order.push(top.block);
        path.pop();
      } else if (!seen.has(edge.target)) {
        seen.add(edge.target);
        path.push({ block: edge.target, next: 0 });
      }
    }
    this.order.reverse();
    this.order.forEach((block, i) => this.number.set(block, i));
    this.idom = this.dominators();
  }

  private dominators(): Int32Array {
    const preds: number[][] = this.order.map(() => []);
    this.order.forEach(({ succs }, i) => succs.forEach(({ target }) => preds[this.number.get(target)!]!.push(i)));
    const idom = new Int32Array(this.order.length).fill(-1);
    idom[0] = 0;
    for (let changed = true; changed;) {
      changed = false;
      for (let b = 1; b < idom.length; b++) {
        let common = -1;
        for (const pred of preds[b]!) {
          if (idom[pred]! >= 0) common = common < 0 ? pred : meet(idom, common, pred);
        }
        if (idom[b] === common) continue;
        idom[b] = common;
        changed = true;
      }
    }
    return idom;
  }

  /** The nearest block outside of loops that dominates all of `blocks`; null if it is not found soon. */
  outsideLoops(blocks: readonly MachBlock[]): MachBlock | null {
    let at = -1;
    for (const block of blocks) {
      const number = this.number.get(block);
      if (number !== undefined) at = at < 0 ? number : meet(this.idom, at, number);
    }
    for (let step = 0; step < MAX_STEPS && at >= 0; step++) {
      const block = this.order[at]!;
      if (at === 0 || !block.succs.some(({ target }) => reachable(target, null).has(block))) return block;
      at = this.idom[at]!;
    }
    return null;
  }
}

function meet(idom: Int32Array, a: number, b: number): number {
  let [x, y] = [a, b];
  while (x !== y) {
    if (x > y) x = idom[x]!;
    else y = idom[y]!;
  }
  return x;
}

/** Gives the quick way copies of the blocks it shares with the rest. */
function copyForQuickWay(mach: MachFunction, quick: ReadonlySet<MachBlock>, both: readonly MachBlock[]): void {
  const copies = new Map<MachBlock, MachBlock>();
  const renamed = new Map<VReg, VReg>();
  const rename = (vreg: VReg): VReg => renamed.get(vreg) ?? vreg;
  const fresh = (vreg: VReg): VReg => {
    const made = sameKind(mach, vreg);
    renamed.set(vreg, made);
    return made;
  };
  for (const block of both) {
    const copy = new MachBlock();
    copy.id = block.id;
    copy.weight = block.weight;
    copy.params = block.params.map(fresh);
    for (const { operands } of block.insts)
      for (const { kind, vreg } of operands) if (kind === OperandKind.Def) fresh(vreg);
    copies.set(block, copy);
  }
  const toCopy = ({ target, args }: MachEdge): MachEdge => ({ target: copies.get(target) ?? target, args });
  for (const block of both) {
    const copy = copies.get(block)!;
    copy.insts = block.insts.map((inst) => copyInst(inst, rename));
    copy.succs = block.succs.map(({ target, args }) => toCopy({ target, args: args.map(rename) }));
  }
  const shared = new Set(both);
  for (const block of quick) if (!shared.has(block)) block.succs = block.succs.map(toCopy);
  mach.blocks.push(...copies.values());
}

function sameKind(mach: MachFunction, vreg: VReg): VReg {
  const made = mach.newVReg(mach.classOf[vreg]!);
  mach.rematOf[made] = mach.rematOf[vreg]!;
  return made;
}

function copyInst(inst: MachInst, rename: (vreg: VReg) => VReg): MachInst {
  const copy = new MachInst(inst.op, inst.imm, inst.loc);
  copy.operands = inst.operands.map((operand): Operand => ({ ...operand, vreg: rename(operand.vreg) }));
  copy.clobbers = inst.clobbers;
  copy.imm2 = inst.imm2;
  copy.amount = inst.amount;
  copy.symbol = inst.symbol;
  copy.site = inst.site;
  return copy;
}

/** Puts a block with MakeFrame on all ways into `start`, and copies there of what lives on over calls. */
function makeFrame(mach: MachFunction, start: MachBlock, framed: ReadonlySet<MachBlock>): void {
  const block = new MachBlock();
  block.weight = start.weight;
  block.params = start.params.map((param) => sameKind(mach, param));
  const loc = start.insts[0]!.loc;
  const make = new MachInst(Pseudo.MakeFrame, 0, loc);
  make.operands = [def(mach.newVReg(RegClass.AR)), def(mach.newVReg(RegClass.AR))];
  block.insts.push(make);
  const copied = (vreg: VReg): VReg => {
    const copy = sameKind(mach, vreg);
    const inst = new MachInst(Pseudo.Copy, 0, loc);
    inst.operands = [def(copy), use(vreg)];
    block.insts.push(inst);
    return copy;
  };
  const isLong = livesOverCalls(mach, framed);
  const args = start.params.map((param, i) => (isLong[param] === 1 ? copied(block.params[i]!) : block.params[i]!));
  const isLocal = definedIn(mach, framed);
  const copies = new Map<VReg, VReg>();
  isLong.forEach((flag, vreg) => {
    if (flag === 1 && isLocal[vreg] === 0 && mach.rematOf[vreg]! < 0) copies.set(vreg, copied(vreg));
  });
  block.insts.push(new MachInst(Pseudo.Jump, 0, loc));
  block.succs.push({ target: start, args });
  for (const other of mach.blocks) {
    if (framed.has(other)) renameUses(other, copies);
    else other.succs = other.succs.map((edge) => (edge.target === start ? { ...edge, target: block } : edge));
  }
  mach.blocks.splice(mach.blocks.indexOf(start), 0, block);
  mach.frameBlock = block;
}

/** By vreg: 1 if one of the blocks defines it. */
function definedIn(mach: MachFunction, blocks: ReadonlySet<MachBlock>): Uint8Array {
  const defined = new Uint8Array(mach.classOf.length);
  for (const { params, insts } of blocks) {
    for (const param of params) defined[param] = 1;
    for (const { operands } of insts) {
      for (let k = 0; k < operands.length; k++) {
        if (operands[k]!.kind === OperandKind.Def) defined[operands[k]!.vreg] = 1;
      }
    }
  }
  return defined;
}

function renameUses(block: MachBlock, copies: ReadonlyMap<VReg, VReg>): void {
  if (copies.size === 0) return;
  for (const inst of block.insts) {
    if (!inst.operands.some(({ kind, vreg }) => kind === OperandKind.Use && copies.has(vreg))) continue;
    inst.operands = inst.operands.map((operand) => {
      const copy = operand.kind === OperandKind.Use ? copies.get(operand.vreg) : undefined;
      return copy === undefined ? operand : { ...operand, vreg: copy };
    });
  }
  for (const { args } of block.succs) args.forEach((arg, i) => (args[i] = copies.get(arg) ?? arg));
}

/** By vreg: 1 if it has a use behind some call. Those from before the first block, which dominates all, live at that call. */
function livesOverCalls(mach: MachFunction, framed: ReadonlySet<MachBlock>): Uint8Array {
  const behind = new Set<MachBlock>();
  const work: MachBlock[] = [];
  const follow = (block: MachBlock): void => {
    for (const { target } of block.succs) {
      if (behind.has(target)) continue;
      behind.add(target);
      work.push(target);
    }
  };
  for (const block of framed) if (block.insts.some(needsFrame)) follow(block);
  for (let block = work.pop(); block !== undefined; block = work.pop()) follow(block);
  const over = new Uint8Array(mach.classOf.length);
  for (const block of framed) {
    let called = behind.has(block);
    for (const inst of block.insts) {
      const { operands } = inst;
      for (let k = 0; called && k < operands.length; k++) {
        if (operands[k]!.kind === OperandKind.Use) over[operands[k]!.vreg] = 1;
      }
      called ||= needsFrame(inst);
    }
    if (called) for (const { args } of block.succs) for (const arg of args) over[arg] = 1;
  }
  return over;
}
