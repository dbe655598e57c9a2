// State and helpers of instruction selection for one function: virtual registers of IR values, demand, constants near
// their uses, the list under construction. Knows no IR op's rule (the rule files) and no physical register but through
// the ABI.
import { Op as Ir } from '../../compiler/ir/ops.js';
import type { Block, Func, Inst } from '../../compiler/ir/function.js';
import { Type } from '../../compiler/ir/types.js';
import { constantHomes } from './constant-homes.js';
import { ADDX, scale } from './cond.js';
import { RegClass, type Abi } from '../abi/abi.js';
import { Op } from '../isa/table.js';
import { MachFunction, MachInst, Pseudo, def, use } from '../mach/inst.js';
import type { CalleeFacts } from '../compiled.js';
import type { Operand, PReg, VReg } from '../regalloc/api.js';

/** What selection must know of the module around the function. */
export interface LowerEnvironment {
  readonly abi: Abi;
  /** Code symbol by function index. */
  readonly symbols: readonly string[];
  /** What is known of functions compiled before, by symbol. */
  readonly callees: ReadonlyMap<string, CalleeFacts>;
}

/**
 * A constant, or the sum of a value and a constant (`addend` and the constant's `sum`), made in the block that uses it;
 * `position` is where its first user's group ends in the reversed list.
 */
interface LocalValue {
  readonly vreg: VReg;
  readonly symbol: string | null;
  readonly imm: number;
  readonly addend: VReg;
  /** The addition: `add`, or `addx` with a shifted addend. */
  readonly op: number;
  readonly sum: VReg;
  readonly loc: number;
  position: number;
}

/**
 * Selection walks the blocks in postorder and each block backwards, so every value's uses are lowered before its
 * definition: a definition that all users folded away is never demanded and disappears. Rules emit forwards; each
 * rule's instructions go to the block's reversed list together.
 */
export class Lowering {
  readonly mach = new MachFunction();
  readonly abi: Abi;
  readonly symbols: readonly string[];
  private readonly callees: ReadonlyMap<string, CalleeFacts>;
  /** Virtual register by IR value id, -1 if nobody asked for it yet. */
  private readonly vregs: Int32Array;
  /** Number of uses by IR value id. */
  readonly useCount: Int32Array;
  /** What the rule being run emitted: the first `outCount` entries. Lists are reused, since emptying one costs. */
  private readonly out: MachInst[] = [];
  private outCount = 0;
  private reversed: MachInst[] = [];
  private readonly locals = new Map<number | string, LocalValue>();
  /** Constants used within loops, by the block that makes them. */
  private readonly shared = new Map<Block, Map<number | string, LocalValue>>();
  private readonly homes: readonly (Block | null)[] | null;
  /** Local values that the rule being run asked for. */
  private readonly touched: LocalValue[] = [];
  private touchedCount = 0;
  private first: MachInst | null = null;
  /** Wasm offset of the instruction being lowered. */
  loc = 0;
  block!: Block;
  /** Place of the instruction being lowered in `block.insts`. */
  position = 0;

  constructor(
    readonly func: Func,
    env: LowerEnvironment,
  ) {
    this.abi = env.abi;
    this.symbols = env.symbols;
    this.callees = env.callees;
    this.vregs = new Int32Array(func.instCount).fill(-1);
    this.useCount = countUses(func);
    this.homes = constantHomes(func);
  }

  /** Registers that a call of a function of this module, or of an import, may destroy. */
  clobbersOf(symbol: string): readonly PReg[] {
    return this.callees.get(symbol)?.clobbers ?? this.abi.callClobbers;
  }

  // -- values

  demanded(inst: Inst): boolean {
    return this.vregs[inst.id]! >= 0;
  }

  /** True when folding `inst` into its only user makes it vanish. */
  foldable(inst: Inst): boolean {
    return this.useCount[inst.id] === 1;
  }

  /** Virtual register that holds an IR value at its use here. */
  value(inst: Inst): VReg {
    if (inst.op === Ir.I32Const) return this.constant(inst.imm);
    if (inst.op === Ir.Symbol) return this.constant(inst.imm, inst.aux as string);
    return this.result(inst);
  }

  /** Virtual register that the definition of an IR value writes. */
  result(inst: Inst): VReg {
    const known = this.vregs[inst.id]!;
    if (known >= 0) return known;
    const vreg = this.mach.newVReg(inst.type === Type.F32 ? RegClass.FR : RegClass.AR);
    this.vregs[inst.id] = vreg;
    return vreg;
  }

  temp(): VReg {
    return this.mach.newVReg(RegClass.AR);
  }
  floatTemp(): VReg {
    return this.mach.newVReg(RegClass.FR);
  }
  boolTemp(): VReg {
    return this.mach.newVReg(RegClass.BR);
  }

  /** Operand that reads an IR value. */
  use(inst: Inst): Operand {
    return use(this.value(inst));
  }
  /** Operand that writes an IR value. */
  def(inst: Inst): Operand {
    return def(this.result(inst));
  }

  // -- constants

  /**
   * Register with a constant: within loops one made before the loop (constant-homes.ts), which the allocator may make
   * again where that is cheaper than keeping it; elsewhere one for the block, made right before its first user.
   */
  constant(imm: number, symbol: string | null = null): VReg {
    const key = symbol === null ? imm : `${symbol}+${imm}`;
    const home = this.homes === null ? null : (this.homes[this.block.id] ?? null);
    const values = home === null ? this.locals : this.sharedAt(home);
    let value = values.get(key);
    if (value === undefined) {
      const vreg = this.temp();
      this.setRemat(vreg, symbol, imm);
      value = { vreg, symbol, imm, addend: -1, op: -1, sum: -1, loc: this.loc, position: 0 };
      values.set(key, value);
    }
    if (home === null) this.touched[this.touchedCount++] = value;
    return value.vreg;
  }

  private sharedAt(home: Block): Map<number | string, LocalValue> {
    let values = this.shared.get(home);
    if (values === undefined) this.shared.set(home, (values = new Map()));
    return values;
  }

  /** Makes the constants that loops after this block share. All of those loops have been lowered before. */
  emitShared(): void {
    for (const value of this.shared.get(this.block)?.values() ?? []) this.out[this.outCount++] = localInst(value);
  }

  /** Register with `value` + symbol + imm, shared within the block and made right before its first user. */
  symbolSum(value: Inst, symbol: string, imm: number): VReg {
    const sum = this.constant(imm, symbol);
    const shift = scale(value);
    const addend = this.value(shift === 0 ? value : value.args[0]!);
    const key = `v${addend}<<${shift}+${symbol}+${imm}`;
    let local = this.locals.get(key);
    if (local === undefined) {
      local = { vreg: this.temp(), symbol, imm, addend, op: ADDX[shift]!, sum, loc: this.loc, position: 0 };
      this.locals.set(key, local);
    }
    this.touched[this.touchedCount++] = local;
    return local.vreg;
  }

  /** Register with a constant of its own, made here: for operands that are overwritten or fixed. */
  freshConstant(imm: number, symbol: string | null = null): VReg {
    const vreg = this.temp();
    this.setRemat(vreg, symbol, imm);
    this.emitConstant(vreg, imm, symbol);
    return vreg;
  }

  emitConstant(vreg: VReg, imm: number, symbol: string | null): void {
    const inst = this.emit(symbol === null ? Pseudo.Const : Pseudo.Symbol, [def(vreg)], imm);
    inst.symbol = symbol;
  }

  private setRemat(vreg: VReg, symbol: string | null, imm: number): void {
    if (this.mach.rematOf[vreg]! >= 0) return;
    this.mach.rematOf[vreg] = this.mach.remats.push({ symbol, imm }) - 1;
  }

  // -- emission

  emit(op: number, operands: Operand[], imm = 0, imm2 = 0): MachInst {
    const inst = new MachInst(op, imm, this.loc);
    inst.operands = operands;
    inst.imm2 = imm2;
    this.out[this.outCount++] = inst;
    return inst;
  }

  /** d = op(a, b) into a new address register. */
  binary(op: number, a: VReg, b: VReg): VReg {
    const d = this.temp();
    this.emit(op, [def(d), use(a), use(b)]);
    return d;
  }
  /** d = op(a, imm) into a new address register. */
  immediate(op: number, a: VReg, imm: number, imm2 = 0): VReg {
    const d = this.temp();
    this.emit(op, [def(d), use(a)], imm, imm2);
    return d;
  }
  /** a + imm into a new register, or `a` itself when imm is 0. */
  addImmediate(a: VReg, imm: number): VReg {
    if (imm === 0) return a;
    const d = this.temp();
    this.emitAddImmediate(d, a, imm);
    return d;
  }
  /** d = a + imm, by the shortest of addi, addmi, both, or an addition. */
  emitAddImmediate(d: VReg, a: VReg, imm: number): void {
    if (imm >= -128 && imm <= 127) {
      this.emit(Op.ADDI, [def(d), use(a)], imm);
      return;
    }
    // Low part sign-extended, high part a multiple of 256.
    const low = (imm << 24) >> 24;
    const high = (imm - low) | 0;
    // In a loop the constant's register is likely to stay: one instruction instead of two.
    if (high >= -32768 && high <= 32512 && (low === 0 || this.block.loopDepth === 0)) {
      if (low === 0) {
        this.emit(Op.ADDMI, [def(d), use(a)], high);
      } else {
        const t = this.immediate(Op.ADDMI, a, high);
        this.emit(Op.ADDI, [def(d), use(t)], low);
      }
      return;
    }
    this.emit(Op.ADD, [def(d), use(a), use(this.constant(imm))]);
  }

  move(d: VReg, s: VReg): void {
    this.emit(Pseudo.Move, [def(d), use(s)]);
  }

  // -- driver interface (select.ts)

  beginBlock(block: Block): void {
    this.block = block;
    this.reversed = [];
    this.locals.clear();
  }

  /** Moves what the rule emitted to the block's list; constants it used come before all of that. */
  flush(): void {
    const { out, touched, reversed } = this;
    for (let i = this.outCount - 1; i >= 0; i--) reversed.push(out[i]!);
    for (let i = 0; i < this.touchedCount; i++) touched[i]!.position = reversed.length;
    this.outCount = 0;
    this.touchedCount = 0;
  }

  /** Makes `inst` the first of the block, which is the function's entry and the last one to be lowered. */
  prepend(inst: MachInst): void {
    this.first = inst;
  }

  /** The finished block, in execution order, local constants in their places. */
  endBlock(): MachInst[] {
    const { reversed } = this;
    // Of two values with one first user, a sum comes after the constant it may use.
    const constants = [...this.locals.values()].sort((a, b) => b.position - a.position || a.sum - b.sum);
    const insts: MachInst[] = [];
    if (this.first !== null) insts.push(this.first);
    this.first = null;
    let next = 0;
    for (let i = reversed.length - 1; i >= 0; i--) {
      while (next < constants.length && constants[next]!.position > i) insts.push(localInst(constants[next++]!));
      insts.push(reversed[i]!);
    }
    while (next < constants.length) insts.push(localInst(constants[next++]!));
    return insts;
  }
}

function localInst({ vreg, symbol, imm, addend, op, sum, loc }: LocalValue): MachInst {
  if (sum >= 0) {
    const inst = new MachInst(op, 0, loc);
    inst.operands = [def(vreg), use(addend), use(sum)];
    return inst;
  }
  const inst = new MachInst(symbol === null ? Pseudo.Const : Pseudo.Symbol, imm, loc);
  inst.operands = [def(vreg)];
  inst.symbol = symbol;
  return inst;
}

function countUses(func: Func): Int32Array {
  const counts = new Int32Array(func.instCount);
  for (const block of func.blocks) {
    for (const inst of block.insts) {
      const { args, edges } = inst;
      for (let i = 0; i < args.length; i++) counts[args[i]!.id]!++;
      for (let e = 0; e < edges.length; e++) {
        const values = edges[e]!.args;
        for (let i = 0; i < values.length; i++) counts[values[i]!.id]!++;
      }
    }
  }
  return counts;
}
