// Machine blocks with their allocated registers in, a code buffer out: expands pseudos, moves, prologue and epilogues,
// turns successors into branches and fall-through. Knows frames and the table's operand order; no offsets, no bytes.
import { InternalError } from '../../compiler/diagnostics.js';
import { SITE_CALL } from '../../compiler/abi/traps.js';
import { WindowSymbol, windowDescriptor } from '../../compiler/abi/window.js';
import { A0, BR_BASE, FR_BASE, RegClass, SP } from '../abi/abi.js';
import type { Frame } from '../frame.js';
import { Op, rowOf } from '../isa/table.js';
import { inverseBranch } from '../lower/cond.js';
import { LoopConflict } from '../mach/hardware-loops.js';
import { Pseudo, isBranch, type MachBlock, type MachFunction, type MachInst } from '../mach/inst.js';
import { rotateLoops } from '../mach/rotate.js';
import type { MachRegallocInput } from '../mach/regalloc-input.js';
import { isSlot, slotOf, type Location, type Move, type RegallocOutput } from '../regalloc/api.js';
import { CodeBuffer } from './code-buffer.js';

/** Special register number of the boolean registers. */
const SR_BR = 4;
/** Scratch registers of the runtime that rt_window takes its operand and its caller's a0 in. */
const SR_MISC0 = 244;
const SR_MISC1 = 245;
const DIRECT_REACH = 1020;
/** Least weight of a block within a loop. */
const LOOP_WEIGHT = 10;
/** Instructions, moves and branch that are copied to save a jump. */
const MAX_COPIED = 3;
/** Pseudos that may be among them: those that mean the same everywhere. */
const COPIED: ReadonlySet<number> = new Set([Pseudo.Move, Pseudo.Const, Pseudo.Symbol, Pseudo.SetIf]);

/** Number of a register within its own file. */
const fileNumber = (register: number): number =>
  register >= BR_BASE ? register - BR_BASE : register >= FR_BASE ? register - FR_BASE : register;

/** A check whose failing way asks for a window, and what that way needs to know. */
interface WindowCheck {
  readonly inst: MachInst;
  readonly start: number;
  /** Where it goes on with the pointer. */
  readonly end: number;
  readonly pointer: number;
  readonly address: number;
}

export interface AllocatedFunction {
  readonly mach: MachFunction;
  readonly input: MachRegallocInput;
  readonly allocation: RegallocOutput;
  readonly frame: Frame;
  /** Blocks that run without a frame, which the function's `frameBlock` makes then; null: it is made at the entry. */
  readonly unframed: ReadonlySet<MachBlock> | null;
  /** Byte offset of the body in the .wasm file. */
  readonly bodyOffset: number;
  /** Copy a little code where that saves jumps. */
  readonly mayCopy: boolean;
}

export const expand = (func: AllocatedFunction): CodeBuffer => new Expander(func).run();

class Expander {
  private readonly out = new CodeBuffer();
  /** Label of each block. */
  private readonly labels: number[];
  /** For blocks without code of their own: where they lead. */
  private readonly forward: (MachBlock | null)[];
  private regs: readonly Location[] = [];
  /** Item number where some branch comes in, the last one so far. */
  private lastTarget = -1;
  /** Operands of the row being emitted. */
  private readonly values: [number, number, number, number] = [0, 0, 0, 0];
  /** Label of LEND by loop. */
  /** Loops that need another try without LOOP; what is emitted from there on is thrown away. */
  private readonly loopConflicts = new Set<number>();
  private readonly loopEnds = new Map<number, number>();
  private readonly windowChecks: WindowCheck[] = [];

  private readonly mach: MachFunction;
  private readonly input: MachRegallocInput;
  private readonly allocation: RegallocOutput;
  private readonly frame: Frame;
  private readonly unframed: ReadonlySet<MachBlock> | null;
  private readonly bodyOffset: number;
  private readonly mayCopy: boolean;

  constructor(func: AllocatedFunction) {
    const { mach } = func;
    this.mach = mach;
    this.input = func.input;
    this.allocation = func.allocation;
    this.frame = func.frame;
    this.unframed = func.unframed;
    this.bodyOffset = func.bodyOffset;
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
      if (isTarget[block.index] !== 0) this.lastTarget = out.count;
      out.setWeight(block.weight);
      this.block(block, kept[b + 1]);
    }
    for (const check of this.windowChecks) this.askForWindow(check);
    if (this.loopConflicts.size > 0) throw new LoopConflict(this.loopConflicts);
    return out;
  }

  private block(block: MachBlock, next: MachBlock | undefined): void {
    const { out, input } = this;
    const { movesBefore, skipped, locations } = this.allocation;
    const end = input.blockEnd(block.index);
    for (let i = input.blockStart(block.index); i < end; i++) {
      const moves = movesBefore.get(i);
      if (moves !== undefined) for (const move of moves) this.move(move);
      if (skipped.has(i)) continue;
      const inst = input.insts[i]!;
      this.regs = locations[i]!;
      out.setLoc(inst.loc);
      if (i === end - 1) this.terminator(inst, block, next);
      else if (inst.op === Pseudo.Loop) this.loopStart(inst, block, next);
      else this.inst(inst, block);
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

  private reg(k: number): number {
    return fileNumber(this.regs[k]!);
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
        const target = this.reg(0);
        if (isFramed) frame.epilogue(out, inst.loc);
        out.inst(Op.JX, target);
        return;
      }
      case Pseudo.LoopEnd:
        this.loopEnd(inst, block, next);
        return;
      case Pseudo.BrTable:
        out.inst(Op.JX, this.reg(0));
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
    this.out.loop(this.reg(0), label, inst.loop);
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
    if (this.lastTarget === out.count) out.inst(Op.NOP_N);
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
    const second = this.regs.length > 1 ? this.reg(1) : inst.imm;
    if (taken === other) {
      this.jump(taken, next);
    } else if (taken === next) {
      out.branch(inverseBranch(inst.op), this.reg(0), second, this.labels[other.index]!);
    } else if (other !== next && taken.id < 0 && other.id >= 0) {
      // A block made for an edge leads past something, which is the less likely way.
      out.branch(inverseBranch(inst.op), this.reg(0), second, this.labels[other.index]!);
      this.jump(taken, next);
    } else {
      out.branch(inst.op, this.reg(0), second, this.labels[taken.index]!);
      this.jump(other, next);
    }
  }

  // -- instructions

  private inst(inst: MachInst, block: MachBlock): void {
    const { out } = this;
    switch (inst.op) {
      case Pseudo.Entry:
        out.setLoc(this.bodyOffset);
        if (this.unframed === null) this.frame.prologue(out, this.bodyOffset, this.frame.abi.scratch);
        return;
      case Pseudo.MakeFrame:
        out.setLoc(this.bodyOffset);
        if (this.unframed !== null) this.frame.prologue(out, this.bodyOffset, [this.reg(0), this.reg(1)]);
        return;
      case Pseudo.Copy:
      case Pseudo.Move:
        this.copy(this.regs[1]!, this.regs[0]!);
        return;
      case Pseudo.Const:
        out.constant(this.reg(0), inst.imm);
        return;
      case Pseudo.Symbol:
        out.symbolAddress(this.reg(0), inst.symbol!, inst.imm);
        return;
      case Pseudo.TableAddress:
        out.tableAddress(this.reg(0), this.jumpTable(block));
        return;
      case Pseudo.Call:
        out.symbolTransfer(Op.CALL0, inst.symbol!);
        out.returnSite(SITE_CALL, inst.loc);
        return;
      case Pseudo.SetIf:
        out.inst(Op.MOVI, this.reg(0), 1);
        this.skipIf(inst, 1, this.regs.length, () => out.inst(Op.MOVI, this.reg(0), 0));
        return;
      case Pseudo.MoveUnless: {
        const other = this.regs.length - 2;
        this.tied();
        this.skipIf(inst, 1, other, () => this.copy(this.regs[other]!, this.regs[0]!));
        return;
      }
      case Pseudo.AddUnless:
        this.tied();
        this.skipIf(inst, 1, this.regs.length - 1, () => out.inst(Op.ADDI, this.reg(0), this.reg(0), inst.amount));
        return;
      case Pseudo.WindowAddress:
        this.windowAddress(inst);
        return;
      case Pseudo.ReadBool:
        out.inst(Op.RSR, this.reg(0), SR_BR);
        out.inst(Op.EXTUI, this.reg(0), this.reg(0), this.reg(1), 1);
        return;
      default:
        this.row(inst);
    }
  }

  /** One row of the table: registers in row order, immediates where the row wants them. */
  private row(inst: MachInst): void {
    const { out } = this;
    const { op } = inst;
    if (inst.site !== 0 && isBranch(op)) {
      out.check(op, this.reg(0), this.regs.length > 1 ? this.reg(1) : inst.imm, inst.site, inst.loc);
      return;
    }
    const specs = rowOf(op).operands;
    const { values } = this;
    let register = 0;
    let immediates = 0;
    for (let k = 0; k < 4; k++) {
      if (k >= specs.length) {
        values[k] = 0;
        continue;
      }
      const { kind, role } = specs[k]!;
      if (kind === 'ar' || kind === 'fr' || kind === 'br') {
        if (role === 'usedef') this.tied();
        values[k] = this.reg(register++);
      } else {
        values[k] = immediates++ === 0 ? inst.imm : inst.imm2;
      }
    }
    const [a, b, c, d] = values;
    if (inst.site === SITE_CALL) {
      out.inst(op, a, b, c, d);
      out.returnSite(SITE_CALL, inst.loc);
      return;
    }
    if (inst.site !== 0) out.trapSite(inst.site, inst.loc);
    out.inst(op, a, b, c, d);
  }

  private windowAddress(inst: MachInst): void {
    const { out } = this;
    const [pointer, address, base] = [this.reg(0), this.reg(1), this.reg(2)];
    const check: WindowCheck = { inst, start: out.newLabel(), end: out.newLabel(), pointer, address };
    if (this.regs.length > 3) out.outOfLine(Op.BGEU, address, this.reg(3), check.start);
    else out.outOfLine(Op.BGEUI, address, inst.amount, check.start);
    out.inst(Op.ADD, pointer, address, base);
    out.bind(check.end);
    this.lastTarget = out.count;
    this.windowChecks.push(check);
  }

  /**
   * The way of a check that failed: a call that preserves all registers but the one for the pointer, which is 0 if there is
   * no such window. The verifier knows this very sequence.
   */
  private askForWindow({ inst, start, end, pointer, address }: WindowCheck): void {
    const { out } = this;
    const refused = out.newLabel();
    out.setWeight(0);
    out.setLoc(inst.loc);
    // The descriptor is read as a word.
    out.align();
    out.bind(start);
    out.inst(Op.WSR, A0, SR_MISC0);
    out.inst(Op.WSR, address, SR_MISC1);
    out.symbolAddress(A0, WindowSymbol.Translate, 0);
    out.inst(Op.CALLX0, A0);
    out.data(windowDescriptor(inst.imm, inst.imm2));
    out.inst(Op.RSR, A0, SR_MISC0);
    out.inst(Op.RSR, pointer, SR_MISC1);
    out.branch(Op.BEQZ, pointer, 0, refused);
    out.jump(end);
    out.bind(refused);
    out.trapSite(inst.site, inst.loc);
    out.inst(Op.ILL_N);
  }

  /** The tied input, always the last operand, must sit in the def's register. */
  private tied(): void {
    if (this.regs[0] !== this.regs[this.regs.length - 1]) throw new InternalError('tied operands differ');
  }

  /** Branch `imm2` over what `body` emits; its registers are operands first..end-1. */
  private skipIf(inst: MachInst, first: number, end: number, body: () => void): void {
    const { out } = this;
    const label = out.newLabel();
    out.branch(inst.imm2, this.reg(first), end - first > 1 ? this.reg(first + 1) : inst.imm, label);
    body();
    out.bind(label);
    this.lastTarget = out.count;
  }

  private jumpTable(block: MachBlock): number {
    const targets = block.succs.map(({ target }) => this.labels[this.resolve(target).index]!);
    return this.out.tables.push(block.table!.map((k) => targets[k]!)) - 1;
  }

  // -- moves

  private move(move: Move): void {
    if (move.rematToken >= 0) {
      const { symbol, imm } = this.mach.remats[move.rematToken]!;
      if (isSlot(move.to)) throw new InternalError('constant rematerialised into a slot');
      if (symbol === null) this.out.constant(move.to, imm);
      else this.out.symbolAddress(move.to, symbol, imm);
      return;
    }
    if (isSlot(move.from)) this.slotAccess(move.classIndex, false, move.to, slotOf(move.from));
    else if (isSlot(move.to)) this.slotAccess(move.classIndex, true, move.from, slotOf(move.to));
    else this.copy(move.from, move.to);
  }

  private copy(from: Location, to: Location): void {
    if (from === to) return;
    if (to < FR_BASE) this.out.move(to, from);
    else if (to < BR_BASE) this.out.inst(Op.MOV_S, to - FR_BASE, from - FR_BASE);
    else this.out.inst(Op.ORB, to - BR_BASE, from - BR_BASE, from - BR_BASE);
  }

  private slotAccess(classIndex: number, isStore: boolean, register: Location, slot: number): void {
    const { out } = this;
    if (classIndex === RegClass.BR) throw new InternalError('boolean register spilled');
    const isFloat = classIndex === RegClass.FR;
    const op = isFloat ? (isStore ? Op.SSI : Op.LSI) : isStore ? Op.S32I : Op.L32I;
    const number = fileNumber(register);
    const offset = this.frame.slotOffset(slot);
    if (offset <= DIRECT_REACH) {
      out.inst(op, number, SP, offset);
      return;
    }
    // a0 is saved in such frames and free between calls.
    const low = offset & 255;
    const high = offset - low;
    if (high <= 32512) {
      out.inst(Op.ADDMI, A0, SP, high);
    } else {
      out.constant(A0, high);
      out.inst(Op.ADD, A0, A0, SP);
    }
    out.inst(op, number, A0, low);
  }
}
