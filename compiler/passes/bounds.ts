// Makes bounds checks cheaper without weakening them: drops those that are proved, merges those that another one covers.
// Takes a function before address lowering; gives mem.addr ops with extent 0 (address translation only) where no check is
// needed. Each kind of proof has its counter.
import { controlFlow, removeUnreachable } from '../analysis/cfg.js';
import { DominatorTree } from '../analysis/dominators.js';
import { Ranges } from '../analysis/ranges.js';
import { countUses } from '../analysis/uses.js';
import { type Func, type Inst, replace, resolve, resolveUses } from '../ir/function.js';
import type { IrModule, MemoryDecl } from '../ir/module.js';
import { Op } from '../ir/ops.js';
import { coversRights, setWindowRights, windowRights } from '../ir/windows.js';
import { groupChecks, MAX_DISTANCE, splitAddress } from './group-checks.js';

export interface BoundsCounts {
  /** mem.addr ops seen. */
  checks: number;
  /** Proved: the largest address the value can have is inside the memory's minimum size. */
  range: number;
  /** Covered by a dominating check of an address at a constant distance below. */
  covered: number;
  /** Joined with the checks of neighbouring accesses off the same address; nothing observable lies between. */
  grouped: number;
  /** Made from the address of an earlier check, which spares computing the own address. */
  rebased: number;
}

/** Candidates looked at for one check. */
const SEARCH_LIMIT = 12;

interface Check {
  readonly inst: Inst;
  /** Constant added to the root. */
  readonly offset: number;
  /** Bytes from the address known to be inside once it has run: the extent, also of dropped checks. */
  readonly extent: number;
  /** Of a window that may be what the address is in; 0: it is in the own memory. */
  readonly rights: number;
}

/** Rewrites `func` in place. */
export function reduceBoundsChecks(func: Func, module: IrModule): BoundsCounts {
  removeUnreachable(func);
  const counts: BoundsCounts = { checks: 0, range: 0, covered: 0, grouped: 0, rebased: 0 };
  if (!func.blocks.some((block) => block.insts.some((inst) => inst.op === Op.MemAddr))) return counts;
  counts.grouped = groupChecks(func);
  new BoundsPass(func, module, counts).run();
  counts.checks += counts.grouped;
  return counts;
}

class BoundsPass {
  private readonly cfg;
  private readonly tree;
  private readonly ranges;
  /** Checks by memory and root value; constant addresses have no root and need none, being decided at once. */
  private readonly byRoot: Map<Inst, Check[]>[];
  private readonly uses: Uint32Array;

  constructor(
    private readonly func: Func,
    private readonly module: IrModule,
    private readonly counts: BoundsCounts,
  ) {
    this.cfg = controlFlow(func);
    this.tree = new DominatorTree(this.cfg);
    this.uses = countUses(func);
    this.ranges = new Ranges(func, this.cfg, this.tree);
    this.byRoot = module.memories.map(() => new Map<Inst, Check[]>());
  }

  run(): void {
    for (const block of this.cfg.order) {
      const insts: Inst[] = [];
      for (const inst of block.insts) {
        const { args } = inst;
        for (let i = 0; i < args.length; i++) args[i] = resolve(args[i]!);
        if (inst.op === Op.MemAddr) this.visit(inst, insts);
        else insts.push(inst);
      }
      block.insts = insts;
    }
    resolveUses(this.func);
  }

  private visit(inst: Inst, out: Inst[]): void {
    this.counts.checks++;
    const memory = this.module.memories[inst.imm2]!;
    const [root, offset] = splitAddress(inst.args[0]!);
    const extent = inst.imm;
    const list = this.byRoot[inst.imm2]!.get(root) ?? [];
    const covering = this.find(list, inst, offset, extent);
    if (covering !== null) {
      this.func.checks?.merge(inst, covering.inst, 'covered');
      this.join(inst, covering.inst, offset - covering.offset, out);
      return;
    }
    const proved = extent === 0 || this.inside(inst, extent, memory);
    if (proved && extent !== 0) {
      this.counts.range++;
      this.func.checks?.drop(inst, inst.args[0]!.op === Op.I32Const ? 'constant address' : 'range');
    }
    const below = this.nearestBelow(list, inst, offset);
    // What is inside the own memory says nothing of an address that may be in a window.
    const usable = below !== null && !(proved && below.rights !== 0);
    if (usable && offset !== below.offset && this.uses[inst.args[0]!.id] === 1) {
      // Nothing else needs the address, so the pointer is made from the one below.
      const distance = (offset - below.offset) | 0;
      this.join(inst, proved ? below.inst : this.rebase(inst, below, distance + extent, list, out), distance, out);
      return;
    }
    if (proved) inst.imm = 0;
    list.push({ inst, offset, extent, rights: proved ? 0 : windowRights(inst) });
    this.byRoot[inst.imm2]!.set(root, list);
    out.push(inst);
  }

  /** Is the largest address that the operand can have at this place inside the smallest size of the memory? */
  private inside(inst: Inst, extent: number, memory: MemoryDecl): boolean {
    return this.ranges.upper(inst.args[0]!, inst.block!) + extent <= memory.minPages * 2 ** memory.pageShift;
  }

  /** A check from the address of `below`, which passed one: that address plus the distance does not wrap. */
  private rebase(inst: Inst, below: Check, extent: number, list: Check[], out: Inst[]): Inst {
    this.counts.rebased++;
    const check = this.func.create(Op.MemAddr, [below.inst.args[0]!], extent, inst.imm2);
    check.block = inst.block;
    check.loc = inst.loc;
    setWindowRights(check, windowRights(inst));
    list.push({ inst: check, offset: below.offset, extent, rights: windowRights(inst) });
    out.push(check);
    return check;
  }

  /** A check whose passing implies this one's. */
  private find(list: readonly Check[], inst: Inst, offset: number, extent: number): Check | null {
    const stop = Math.max(0, list.length - SEARCH_LIMIT);
    for (let i = list.length - 1; i >= stop; i--) {
      const check = list[i]!;
      const distance = (offset - check.offset) | 0;
      if (distance < 0 || distance >= MAX_DISTANCE || !this.tree.dominates(check.inst.block!, inst.block!)) continue;
      if (distance + extent <= check.extent && coversRights(check.rights, windowRights(inst))) {
        this.counts.covered++;
        return check;
      }
    }
    return null;
  }

  /** A dominating check of the same root at this address or a constant distance below. */
  private nearestBelow(list: readonly Check[], inst: Inst, offset: number): Check | null {
    const stop = Math.max(0, list.length - SEARCH_LIMIT);
    for (let i = list.length - 1; i >= stop; i--) {
      const check = list[i]!;
      const distance = (offset - check.offset) | 0;
      if (distance >= 0 && distance < MAX_DISTANCE && this.tree.dominates(check.inst.block!, inst.block!)) return check;
    }
    return null;
  }

  /** Makes `checked` + distance stand for `inst`. */
  private join(inst: Inst, checked: Inst, displacement: number, out: Inst[]): void {
    const distance = displacement | 0;
    let pointer = checked;
    if (distance !== 0) {
      const by = this.func.create(Op.I32Const, [], distance);
      pointer = this.func.create(Op.I32Add, [checked, by]);
      by.block = pointer.block = inst.block;
      by.loc = pointer.loc = inst.loc;
      out.push(by, pointer);
    }
    inst.block = null;
    replace(inst, pointer);
  }
}
