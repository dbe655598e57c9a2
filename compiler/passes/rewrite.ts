// The frame of instruction-by-instruction rewriting passes. Takes a function and a visitor, walks the blocks and rebuilds
// their instruction lists; values a visitor replaced are resolved at the end. Knows no op's meaning beyond constants.
import { type Block, type Func, type Inst, replace, resolve, resolveUses } from '../ir/function.js';
import { Op } from '../ir/ops.js';
import { Type } from '../ir/types.js';

/** Builds the instruction list of the block under rewriting. */
export class Rewriter {
  out: Inst[] = [];
  block: Block;
  /** Wasm byte offset given to new instructions. */
  loc = 0;
  /** Some value was replaced, so that uses have to be resolved. */
  private replaced = false;

  constructor(readonly func: Func) {
    this.block = func.entry;
  }

  /** Appends a new instruction. */
  emit(op: number, args: Inst[], imm = 0, imm2 = 0, type?: Type): Inst {
    return this.keep(this.func.create(op, args, imm, imm2, type));
  }

  /** Appends an instruction that exists already. */
  keep(inst: Inst): Inst {
    if (inst.loc === 0) inst.loc = this.loc;
    inst.block = this.block;
    this.out.push(inst);
    return inst;
  }

  i32(value: number): Inst {
    return this.emit(Op.I32Const, [], value | 0);
  }
  /** The address `symbol + addend`. */
  symbol(symbol: string, addend = 0): Inst {
    const inst = this.emit(Op.Symbol, [], addend);
    inst.aux = symbol;
    return inst;
  }
  trapIf(op: number, args: Inst[], code: number): void {
    this.emit(op, args, code);
  }

  /**
   * Rewrites every block of `blocks`: `visit` either `keep`s the instruction (its operands are resolved already), or
   * emits others and makes one of them stand for it with `replaceBy`, or drops it.
   */
  run(blocks: readonly Block[], visit: (inst: Inst) => void): void {
    for (const block of blocks) {
      const insts = block.insts;
      this.block = block;
      this.out = [];
      for (const inst of insts) {
        const { args } = inst;
        for (let i = 0; i < args.length; i++) if (args[i]!.forward !== null) args[i] = resolve(args[i]!);
        this.loc = inst.loc;
        visit(inst);
      }
      // `this.block` may be another one by now, if the visitor split the block.
      this.block.insts = this.out;
    }
    if (this.replaced) resolveUses(this.func);
  }

  /** Makes `value` stand for `inst`, which leaves the function. */
  replaceBy(inst: Inst, value: Inst): void {
    inst.block = null;
    this.replaced = true;
    replace(inst, value);
  }
}

export const isI32Const = (inst: Inst): boolean => inst.op === Op.I32Const;
/** Is it `i32.const value`? */
export const isI32 = (inst: Inst, value: number): boolean => inst.op === Op.I32Const && inst.imm === value;
