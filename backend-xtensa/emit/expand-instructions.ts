// One machine instruction or move with its allocated registers in, its code out: expands pseudos, folds registers and
// immediates into rows, loads and stores spill slots. Knows frames and the table's operand order; no order of blocks.
import { InternalError } from '../../compiler/diagnostics.js';
import { SITE_CALL } from '../../compiler/abi/traps.js';
import { WindowSymbol, windowDescriptor } from '../../compiler/abi/window.js';
import { A0, BR_BASE, FR_BASE, RegClass, SP } from '../abi/abi.js';
import type { Frame } from '../frame.js';
import { Op, rowOf } from '../isa/table.js';
import { Pseudo, isBranch, type MachBlock, type MachFunction, type MachInst } from '../mach/inst.js';
import type { MachRegallocInput } from '../mach/regalloc-input.js';
import { isSlot, slotOf, type Location, type Move, type RegallocOutput } from '../regalloc/api.js';
import { CodeBuffer } from './code-buffer.js';

/** Special register number of the boolean registers. */
const SR_BR = 4;
/** Scratch registers of the runtime that rt_window takes its operand and its caller's a0 in. */
const SR_MISC0 = 244;
const SR_MISC1 = 245;
const DIRECT_REACH = 1020;
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

export class InstructionExpander {
  readonly out = new CodeBuffer();
  /** Registers of the instruction being expanded, by operand. */
  regs: readonly Location[] = [];
  /** Item number where some branch comes in, the last one so far. */
  lastTarget = -1;
  /** Operands of the row being emitted. */
  private readonly values: [number, number, number, number] = [0, 0, 0, 0];
  private readonly windowChecks: WindowCheck[] = [];
  private readonly mach: MachFunction;
  private readonly frame: Frame;
  private readonly unframed: ReadonlySet<MachBlock> | null;
  private readonly bodyOffset: number;

  /** @param labelOf label of the code that a jump to a block reaches in the end */
  constructor(
    func: AllocatedFunction,
    private readonly labelOf: (block: MachBlock) => number,
  ) {
    this.mach = func.mach;
    this.frame = func.frame;
    this.unframed = func.unframed;
    this.bodyOffset = func.bodyOffset;
  }

  /** What lies behind all blocks. */
  finish(): void {
    for (const check of this.windowChecks) this.askForWindow(check);
  }

  /** Number within its file of the register of operand k. */
  reg(k: number): number {
    return fileNumber(this.regs[k]!);
  }

  inst(inst: MachInst, block: MachBlock): void {
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
    const targets = block.succs.map(({ target }) => this.labelOf(target));
    return this.out.tables.push(block.table!.map((k) => targets[k]!)) - 1;
  }

  // -- moves

  move(move: Move): void {
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
