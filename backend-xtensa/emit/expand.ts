// Machine blocks with their allocated registers in, a code buffer out: puts the blocks into their last order, turns
// successors into branches and fall-through, returns into epilogues. Knows frames and blocks; no offsets, no bytes.
import { InternalError } from '../../compiler/diagnostics.js';
import type { Frame } from '../frame.js';
import { Op } from '../isa/table.js';
import { inverseBranch } from '../lower/cond.js';
import { LoopConflict } from '../mach/hardware-loops.js';
import { Pseudo, isBranch, type MachBlock, type MachFunction, type MachInst } from '../mach/inst.js';
import { rotateLoops } from '../mach/rotate.js';
import type { MachRegallocInput } from '../mach/regalloc-input.js';
import type { RegallocOutput } from '../regalloc/api.js';
import type { CodeBuffer } from './code-buffer.js';
import { InstructionExpander, type AllocatedFunction } from './expand-instructions.js';

/** Least weight of a block within a loop. */
const LOOP_WEIGHT = 10;
/** Instructions, moves and branch that are copied to save a jump. */
const MAX_COPIED = 3;
/** Pseudos that may be among them: those that mean the same everywhere. */
const COPIED: ReadonlySet<number> = new Set([Pseudo.Move, Pseudo.Const, Pseudo.Symbol, Pseudo.SetIf]);

export const expand = (func: AllocatedFunction): CodeBuffer => new Expander(func).run();

class Expander {
  private readonly code: InstructionExpander;
  private readonly out: CodeBuffer;
  /** Label of each block. */
  private readonly labels: number[];
  /** For blocks without code of their own: where they lead. */
  private readonly forward: (MachBlock | null)[];
  /** Loops that need another try without LOOP; what is emitted from there on is thrown away. */
  private readonly loopConflicts = new Set<number>();
  /** Label of LEND by loop. */
  private readonly loopEnds = new Map<number, number>();

  private readonly mach: MachFunction;
  private readonly input: MachRegallocInput;
  private readonly allocation: RegallocOutput;
  private readonly frame: Frame;
  private readonly unframed: ReadonlySet<MachBlock> | null;
  private readonly mayCopy: boolean;

  constructor(func: AllocatedFunction) {
    const { mach } = func;
    this.code = new InstructionExpander(func, (block) => this.labels[this.resolve(block).index]!);
    this.out = this.code.out;
    this.mach = mach;
    this.input = func.input;
    this.allocation = func.allocation;
    this.frame = func.frame;
    this.unframed = func.unframed;
    this.mayCopy = func.mayCopy;
    this.labels = mach.blocks.map(() => this.out.newLabel());
    this.forward = mach.blocks.map((block) => (this.isEmpty(block) ? block.succs[0]!.target : null));
    this.breakCycles();
  }

  run(): CodeBuffer {
    const { out, mach } = this;
    const withCode = mach.blocks.filter((block) => this.forward[block.index] === null);
    const kept = this.unframedFirst(rotateLoops(withCode, (block) => this.resolve(block)));
    const unframedCount = kept.findIndex((block) => this.unframed?.has(block) !== true);
    const isTarget = this.branchTargets(kept);
    for (let b = 0; b < kept.length; b++) {
      const block = kept[b]!;
      out.bind(this.labels[block.index]!);
      if (b === unframedCount) out.frameStart = out.count;
      if (isTarget[block.index] !== 0) this.code.lastTarget = out.count;
      out.setWeight(block.weight);
      this.block(block, kept[b + 1]);
    }
    this.code.finish();
    if (this.loopConflicts.size > 0) throw new LoopConflict(this.loopConflicts);
    return out;
  }

  private block(block: MachBlock, next: MachBlock | undefined): void {
    const { out, input } = this;
    const { movesBefore, skipped, locations } = this.allocation;
    const end = input.blockEnd(block.index);
    for (let i = input.blockStart(block.index); i < end; i++) {
      const moves = movesBefore.get(i);
      if (moves !== undefined) for (const move of moves) this.code.move(move);
      if (skipped.has(i)) continue;
      const inst = input.insts[i]!;
      this.code.regs = locations[i]!;
      out.setLoc(inst.loc);
      if (i === end - 1) this.terminator(inst, block, next);
      else if (inst.op === Pseudo.Loop) this.loopStart(inst, block, next);
      else this.code.inst(inst, block);
    }
  }

  private unframedFirst(blocks: readonly MachBlock[]): readonly MachBlock[] {
    const { unframed } = this;
    if (unframed === null) return blocks;
    return [...blocks.filter((block) => unframed.has(block)), ...blocks.filter((block) => !unframed.has(block))];
  }

  /** A block that only jumps on, with no moves: branches to it go straight to its successor. */
  private isEmpty(block: MachBlock): boolean {
    const { input } = this;
    const { movesBefore, skipped, locations } = this.allocation;
    const last = input.blockEnd(block.index) - 1;
    if (block.index === 0 || input.insts[last]!.op !== Pseudo.Jump || block.succs[0]!.target === block) return false;
    for (let i = input.blockStart(block.index); i <= last; i++) {
      if (movesBefore.has(i)) return false;
      if (i === last || skipped.has(i)) continue;
      if (input.insts[i]!.op !== Pseudo.Move || locations[i]![0] !== locations[i]![1]) return false;
    }
    return true;
  }

  /** A cycle of empty blocks is an endless loop: one of them has to stay. */
  private breakCycles(): void {
    const visited = new Int32Array(this.forward.length).fill(-1);
    for (const start of this.mach.blocks) {
      let at = start;
      for (let next = this.forward[at.index]!; next !== null; next = this.forward[at.index]!) {
        if (visited[at.index] === start.index) {
          this.forward[at.index] = null;
          break;
        }
        // What an earlier walk has seen leads to an end.
        if (visited[at.index] !== -1) break;
        visited[at.index] = start.index;
        at = next;
      }
    }
  }

  /** Blocks that are reached other than by falling into them from the one before. */
  private branchTargets(kept: readonly MachBlock[]): Uint8Array {
    const isTarget = new Uint8Array(this.forward.length);
    kept.forEach((block, b) => {
      const next = kept[b + 1];
      for (const { target } of block.succs) {
        const reached = this.resolve(target);
        if (reached !== next || block.table !== null) isTarget[reached.index] = 1;
      }
    });
    return isTarget;
  }

  /** The block with code that a jump to `block` reaches in the end. */
  private resolve(block: MachBlock): MachBlock {
    let at = block;
    for (let next = this.forward[at.index]!; next !== null; next = this.forward[at.index]!) at = next;
    return at;
  }

  // -- terminators

  private terminator(inst: MachInst, block: MachBlock, next: MachBlock | undefined): void {
    const { out, frame } = this;
    const isFramed = this.unframed?.has(block) !== true;
    switch (inst.op) {
      case Pseudo.Jump: {
        const target = this.resolve(block.succs[0]!.target);
        if (target !== next && this.isBetterCopied(target, block)) this.block(target, next);
        else this.jump(target, next);
        return;
      }
      case Pseudo.Return:
        if (isFramed) frame.epilogue(out, inst.loc);
        out.inst(Op.RET_N);
        return;
      case Pseudo.Trap:
        out.trapSite(inst.site, inst.loc);
        out.inst(Op.ILL_N);
        return;
      case Pseudo.TailCall:
        if (isFramed) frame.epilogue(out, inst.loc);
        out.symbolTransfer(Op.J, inst.symbol!);
        return;
      case Pseudo.TailCallReg: {
        const target = this.code.reg(0);
        if (isFramed) frame.epilogue(out, inst.loc);
        out.inst(Op.JX, target);
        return;
      }
      case Pseudo.LoopEnd:
        this.loopEnd(inst, block, next);
        return;
      case Pseudo.BrTable:
        out.inst(Op.JX, this.code.reg(0));
        return;
      default:
        if (!isBranch(inst.op)) throw new InternalError(`instruction ${inst.op} ends a block`);
        this.conditional(inst, block, next);
    }
  }

  /** LOOP of block `block`; LBEG is what follows, so nothing may come in between. */
  private loopStart(inst: MachInst, block: MachBlock, next: MachBlock | undefined): void {
    const header = block.succs[0]!.target;
    const jump = this.input.blockEnd(block.index) - 1;
    if (header !== next || this.allocation.movesBefore.has(jump)) this.loopConflicts.add(inst.loop);
    const label = this.out.newLabel();
    this.loopEnds.set(inst.loop, label);
    this.out.loop(this.code.reg(0), label, inst.loop);
  }

  /** The hardware goes back from here to the header, which must be the very block that follows LOOP. */
  private loopEnd(inst: MachInst, block: MachBlock, next: MachBlock | undefined): void {
    const { out } = this;
    const label = this.loopEnds.get(inst.loop);
    const header = this.resolve(block.succs[0]!.target);
    if (label === undefined || header.id !== inst.loop) {
      this.loopConflicts.add(inst.loop);
      return;
    }
    // A branch to LEND itself would leave the loop instead of going back.
    if (this.code.lastTarget === out.count) out.inst(Op.NOP_N);
    out.bindLoopEnd(label);
    this.jump(this.resolve(block.succs[1]!.target), next);
  }

  /** A copy of a few instructions and a branch saves a loop the jump to them. */
  private isBetterCopied(target: MachBlock, from: MachBlock): boolean {
    const { input } = this;
    const { movesBefore, skipped } = this.allocation;
    if (!this.mayCopy || from.weight < LOOP_WEIGHT || target.loopHeader || target.succs.length !== 2) return false;
    if (this.unframed?.has(target) !== this.unframed?.has(from)) return false;
    const last = input.blockEnd(target.index) - 1;
    let size = 0;
    for (let i = input.blockStart(target.index); i <= last; i++) {
      size += movesBefore.get(i)?.length ?? 0;
      if (skipped.has(i)) continue;
      const { op, site } = input.insts[i]!;
      if (++size > MAX_COPIED || (site !== 0 && !isBranch(op)) || (op >= Pseudo.Entry && !COPIED.has(op))) return false;
    }
    return isBranch(input.insts[last]!.op);
  }

  private jump(target: MachBlock, next: MachBlock | undefined): void {
    if (target !== next) this.out.jump(this.labels[target.index]!);
  }

  private conditional(inst: MachInst, block: MachBlock, next: MachBlock | undefined): void {
    const { out } = this;
    const taken = this.resolve(block.succs[0]!.target);
    const other = this.resolve(block.succs[1]!.target);
    const second = this.code.regs.length > 1 ? this.code.reg(1) : inst.imm;
    if (taken === other) {
      this.jump(taken, next);
    } else if (taken === next) {
      out.branch(inverseBranch(inst.op), this.code.reg(0), second, this.labels[other.index]!);
    } else if (other !== next && taken.id < 0 && other.id >= 0) {
      // A block made for an edge leads past something, which is the less likely way.
      out.branch(inverseBranch(inst.op), this.code.reg(0), second, this.labels[other.index]!);
      this.jump(taken, next);
    } else {
      out.branch(inst.op, this.code.reg(0), second, this.labels[taken.index]!);
      this.jump(other, next);
    }
  }
}
