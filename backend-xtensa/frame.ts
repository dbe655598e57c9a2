// Stack frames: which words a function saves, where its spill slots are, its prologue and epilogue. Takes what the
// allocator used and the ABI, appends to a code buffer. Knows no instruction of the body.
import { TrapCode } from '../compiler/abi/traps.js';
import { A0, SP, type Abi } from './abi/abi.js';
import type { CodeBuffer } from './emit/code-buffer.js';
import { Op } from './isa/table.js';
import type { StackCheck } from './compiled.js';
import type { PReg } from './regalloc/api.js';

/** Largest offset of l32i and s32i. */
const DIRECT_REACH = 1020;
/** Largest multiple of 256 that addmi adds. */
const ADDMI_REACH = 32512;
/** A leaf's frame up to this size needs no stack check: it lies in the reserve below every module's limit. */
const UNCHECKED_BYTES = 256;

/** Deepest stack that callers check for a function; with more it checks itself, lest they trap needlessly early. */
const COVERED_BYTES = 1024;

export interface FrameOptions {
  /** Symbol of the lowest allowed SP. */
  readonly stackLimit: string;
  /** Keep a copy of the return address at SP + `__wasm_shadow_disp` and compare before returning. */
  readonly checkReturns: boolean;
}

/** Displacement from the stack to its shadow; absolute, defined by the linker. */
export const SHADOW_SYMBOL = '__wasm_shadow_disp';

/** What else the frame depends on. */
export interface FrameNeeds {
  readonly written: ReadonlySet<PReg>;
  readonly slotCount: number;
  readonly hasCalls: boolean;
  /** The stack check cannot be left to callers. */
  readonly ownCheck: boolean;
  /** Stack bytes below this frame that callees leave unchecked. */
  readonly belowBytes: number;
}

/** [return address if saved][callee-saved registers...][spill slots...], from SP up. */
export class Frame {
  readonly bytes: number;
  readonly savesReturn: boolean;
  private readonly saved: readonly PReg[];
  private readonly firstSlot: number;
  /** Stack bytes from the caller's SP down that the caller's check has to cover. */
  readonly uncheckedBytes: number;
  private readonly belowBytes: number;
  private readonly needsCheck: boolean;

  constructor(
    readonly abi: Abi,
    readonly options: FrameOptions,
    { written, slotCount, hasCalls, ownCheck, belowBytes }: FrameNeeds,
  ) {
    this.saved = abi.calleeSaved.filter((register) => written.has(register));
    // Slots out of direct reach are addressed through a0, so it has to be saved.
    const far = 4 * (1 + this.saved.length + slotCount) > DIRECT_REACH;
    this.savesReturn = hasCalls || far;
    this.firstSlot = this.saved.length + (this.savesReturn ? 1 : 0);
    const words = this.firstSlot + slotCount;
    this.bytes = Math.ceil((4 * words) / abi.stackAlign) * abi.stackAlign;
    this.belowBytes = belowBytes;
    const total = this.bytes + belowBytes;
    const counts = this.bytes > 0 && (hasCalls || this.bytes > UNCHECKED_BYTES);
    this.needsCheck = counts && (ownCheck || total > COVERED_BYTES);
    this.uncheckedBytes = counts && !this.needsCheck ? total : 0;
  }

  get stackCheck(): StackCheck {
    return this.needsCheck ? 'own' : this.uncheckedBytes > 0 ? 'callers' : 'none';
  }

  /** Registers that prologue and epilogue may destroy, beside a0. */
  get scratch(): readonly PReg[] {
    const { scratch } = this.abi;
    return this.options.checkReturns || this.bytes > ADDMI_REACH ? scratch : scratch.slice(0, 1);
  }

  /** Byte offset from SP of a spill slot. */
  slotOffset(slot: number): number {
    return 4 * (this.firstSlot + slot);
  }

  /**
   * The limit is raised by what callees leave unchecked. The check comes after SP has moved and before anything is
   * stored: at a StackOverflow trap the return address is still in a0 and the caller's SP is SP + bytes.
   *
   * @param scratch two free registers
   */
  prologue(out: CodeBuffer, loc: number, [limit, second]: readonly [PReg, PReg, ...PReg[]]): void {
    if (this.bytes === 0) return;
    if (this.needsCheck) out.symbolAddress(limit, this.options.stackLimit, this.belowBytes);
    this.moveStack(out, -this.bytes, second);
    if (this.needsCheck) out.check(Op.BLTU, SP, limit, TrapCode.StackOverflow, loc);
    if (this.savesReturn) out.inst(Op.S32I, A0, SP, 0);
    this.saved.forEach((register, i) => out.inst(Op.S32I, register, SP, this.savedOffset(i)));
    if (this.options.checkReturns && this.savesReturn) {
      out.symbolAddress(limit, SHADOW_SYMBOL, 0);
      out.inst(Op.ADD, limit, limit, SP);
      out.inst(Op.S32I, A0, limit, 0);
    }
  }

  /** Restores everything, a0 included. Touches no argument or result register and not the first scratch register. */
  epilogue(out: CodeBuffer, loc: number): void {
    if (this.bytes === 0) return;
    const [, second, third] = this.abi.scratch;
    if (this.savesReturn) out.inst(Op.L32I, A0, SP, 0);
    if (this.options.checkReturns && this.savesReturn) {
      out.symbolAddress(second, SHADOW_SYMBOL, 0);
      out.inst(Op.ADD, second, second, SP);
      out.inst(Op.L32I, third, second, 0);
      out.check(Op.BNE, A0, third, TrapCode.ReturnAddressCorrupted, loc);
    }
    this.saved.forEach((register, i) => out.inst(Op.L32I, register, SP, this.savedOffset(i)));
    this.moveStack(out, this.bytes, second);
  }

  private savedOffset(i: number): number {
    return 4 * (i + (this.savesReturn ? 1 : 0));
  }

  private moveStack(out: CodeBuffer, by: number, scratch: PReg): void {
    if (by >= -128 && by <= 127) {
      out.inst(Op.ADDI, SP, SP, by);
      return;
    }
    const low = (by << 24) >> 24;
    const high = by - low;
    if (high >= -32768 && high <= ADDMI_REACH) {
      out.inst(Op.ADDMI, SP, SP, high);
      if (low !== 0) out.inst(Op.ADDI, SP, SP, low);
    } else {
      out.constant(scratch, by);
      out.inst(Op.ADD, SP, SP, scratch);
    }
  }
}
