// Lowers memories, tables, globals, references and segments to symbols, checks, loads, stores and runtime calls. Takes IR
// without i64 and f64, gives machine ops. Struct offsets come from abi/layout.ts, names from abi/symbols.ts.
import { WASM_MEMORY, WASM_SEGMENT, WASM_TABLE } from '../abi/layout.js';
import { LIBCALLS, type LibCall } from '../abi/libcalls.js';
import {
  dataSymbol,
  descriptorRef,
  elemSymbol,
  globalSymbol,
  memoryDataSymbol,
  memorySymbol,
  tableElemsSymbol,
  tableSymbol,
} from '../abi/symbols.js';
import { TrapCode } from '../abi/traps.js';
import { fitsWindow, WINDOW_BASE } from '../abi/window.js';
import type { Func, Inst } from '../ir/function.js';
import type { IrModule } from '../ir/module.js';
import { Op } from '../ir/ops.js';
import { Type } from '../ir/types.js';
import { windowRights } from '../ir/windows.js';
import { emitStatusCall } from './libcall.js';
import { Rewriter } from './rewrite.js';

/** imm2 of loads and stores that touch runtime state instead of a linear memory. */
const STATE = -1;

/** Rewrites `func` in place. `symbols`: functionSymbols(module). */
export function lowerMemory(func: Func, module: IrModule, symbols: readonly string[]): void {
  const lowering = new MemoryLowering(func, module, symbols);
  lowering.run();
}

class MemoryLowering {
  private readonly rewriter: Rewriter;

  constructor(
    private readonly func: Func,
    private readonly module: IrModule,
    private readonly symbols: readonly string[],
  ) {
    this.rewriter = new Rewriter(func);
  }

  run(): void {
    this.rewriter.run(this.func.blocks, (inst) => {
      const value = this.visit(inst);
      if (value === KEEP) this.rewriter.keep(inst);
      else if (value !== null) this.rewriter.replaceBy(inst, value);
    });
  }

  /** The value that replaces `inst`, null if it has none, KEEP if it stays. */
  private visit(inst: Inst): Inst | null | typeof KEEP {
    const { args, imm, imm2 } = inst;
    const [a, b, c] = args;
    switch (inst.op) {
      case Op.MemAddr:
        return usesWindow(inst) ? this.windowAddress(inst) : this.address(inst);
      case Op.MemBytes:
        return this.memoryBytes(imm);
      case Op.MemorySize:
        return this.memoryPages(imm);
      case Op.MemoryGrow:
        return this.call(LIBCALLS.memoryGrow, [this.memory(imm), a!]);
      case Op.MemoryFill:
        return this.bulk(inst, LIBCALLS.memoryFill, LIBCALLS.windowMemoryFill, [this.memory(imm), a!, b!, c!]);
      case Op.MemoryCopy: {
        const operands = [this.memory(imm), this.memory(imm2), a!, b!, c!];
        return this.bulk(inst, LIBCALLS.memoryCopy, LIBCALLS.windowMemoryCopy, operands);
      }
      case Op.MemoryInit: {
        const operands = [this.memory(imm), this.rewriter.symbol(dataSymbol(this.module.name, imm2)), a!, b!, c!];
        return this.bulk(inst, LIBCALLS.memoryInit, LIBCALLS.windowMemoryInit, operands);
      }
      case Op.DataDrop:
        return this.drop(dataSymbol(this.module.name, imm));
      case Op.ElemDrop:
        return this.drop(elemSymbol(this.module.name, imm));
      case Op.GlobalGet:
        return this.load(this.global(imm), imm2 * 4, inst.type);
      case Op.GlobalSet:
        return this.store(this.global(imm), imm2 * 4, a!);
      case Op.RefFunc: {
        const ref = descriptorRef(this.module, this.symbols, imm);
        return this.rewriter.symbol(ref.symbol, ref.addend);
      }
      case Op.TableGet:
        this.tableCheck(a!, imm);
        return this.load(this.entry(a!, imm), 0, Type.I32);
      case Op.TableLoad:
        return this.load(this.entry(a!, imm), 0, Type.I32);
      case Op.TableSet:
        this.tableCheck(a!, imm);
        return this.store(this.entry(a!, imm), 0, b!);
      case Op.TableSize:
        return this.tableSize(imm);
      case Op.TableGrow:
        return this.call(LIBCALLS.tableGrow, [this.table(imm), a!, b!]);
      case Op.TableFill:
        return this.checked(LIBCALLS.tableFill, [this.table(imm), a!, b!, c!], TrapCode.TableOutOfBounds);
      case Op.TableCopy: {
        const operands = [this.table(imm), this.table(imm2), a!, b!, c!];
        return this.checked(LIBCALLS.tableCopy, operands, TrapCode.TableOutOfBounds);
      }
      case Op.TableInit: {
        const operands = [this.table(imm), this.rewriter.symbol(elemSymbol(this.module.name, imm2)), a!, b!, c!];
        return this.checked(LIBCALLS.tableInit, operands, TrapCode.TableOutOfBounds);
      }
      default:
        return KEEP;
    }
  }

  private load(address: Inst, offset: number, type: Type): Inst {
    return this.rewriter.emit(type === Type.F32 ? Op.F32Load : Op.I32Load, [address], offset, STATE);
  }
  private store(address: Inst, offset: number, value: Inst): null {
    this.rewriter.emit(value.type === Type.F32 ? Op.F32Store : Op.I32Store, [address, value], offset, STATE);
    return null;
  }
  private call(call: LibCall, args: Inst[]): Inst {
    const inst = this.rewriter.emit(Op.LibCall, args, 0, 0, Type.I32);
    inst.aux = call;
    return inst;
  }
  private checked(call: LibCall, args: Inst[], code: number): null {
    emitStatusCall(this.rewriter, call, args, code);
    return null;
  }
  private bulk(inst: Inst, plain: LibCall, windows: LibCall, args: Inst[]): null {
    return this.checked(windowRights(inst) === 0 ? plain : windows, args, TrapCode.MemoryOutOfBounds);
  }
  private drop(segment: string): null {
    return this.store(this.rewriter.symbol(segment), WASM_SEGMENT.offset.length, this.rewriter.i32(0));
  }

  private global(index: number): Inst {
    return this.rewriter.symbol(globalSymbol(this.module.name, this.module.globals[index]!));
  }
  private memory(index: number): Inst {
    return this.rewriter.symbol(memorySymbol(this.module.name, this.module.memories[index]!));
  }
  private table(index: number): Inst {
    return this.rewriter.symbol(tableSymbol(this.module.name, this.module.tables[index]!));
  }

  /** Bytes of a memory as u32; 2^32 shows as 0xffffffff. */
  private memoryBytes(index: number): Inst {
    const decl = this.module.memories[index]!;
    if (decl.growable) return this.load(this.memory(index), WASM_MEMORY.offset.bytes, Type.I32);
    return this.rewriter.i32(Math.min(decl.minPages * 2 ** decl.pageShift, 0xffffffff));
  }
  private memoryPages(index: number): Inst {
    const decl = this.module.memories[index]!;
    return decl.growable
      ? this.load(this.memory(index), WASM_MEMORY.offset.pages, Type.I32)
      : this.rewriter.i32(decl.minPages);
  }

  /** Bounds check and native pointer. `bytes - extent` cannot wrap: either the minimum size or a check says so. */
  private address(inst: Inst): Inst {
    const { imm: extent, imm2: index } = inst;
    const address = inst.args[0]!;
    const decl = this.module.memories[index]!;
    const { rewriter } = this;
    const code = TrapCode.MemoryOutOfBounds;
    const minBytes = decl.minPages * 2 ** decl.pageShift;
    if (extent === 0) {
      // Proved in bounds; only the address is translated.
    } else if (!decl.growable) {
      if (extent > minBytes) rewriter.trapIf(Op.TrapIfEqz, [rewriter.i32(0)], code);
      else if (address.op !== Op.I32Const || (address.imm >>> 0) + extent > minBytes) {
        rewriter.trapIf(Op.TrapIfLtU, [rewriter.i32(minBytes - extent), address], code);
      }
    } else if (address.op !== Op.I32Const || (address.imm >>> 0) + extent > minBytes) {
      // No memory of the chip has more than 2^32 - 1 bytes.
      if (extent > 0xffffffff) rewriter.trapIf(Op.TrapIfEqz, [rewriter.i32(0)], code);
      else {
        const bytes = this.memoryBytes(index);
        const size = rewriter.i32(extent);
        if (extent > minBytes) rewriter.trapIf(Op.TrapIfLtU, [bytes, size], code);
        rewriter.trapIf(Op.TrapIfLtU, [rewriter.emit(Op.I32Sub, [bytes, size]), address], code);
      }
    }
    const base = this.memoryBase(index);
    const inside = address.op === Op.I32Const && (address.imm >>> 0) + extent <= minBytes;
    if (inside && extent !== 0) this.func.checks?.drop(inst, 'constant address');
    if (base.op === Op.Symbol && inside) {
      base.imm = address.imm >>> 0;
      return base;
    }
    return rewriter.emit(Op.I32Add, [address, base]);
  }
  /**
   * The same where a window may hold the address: what is at or above the limit is looked up in the grant table. A memory
   * too small for the extent has limit 0, so that everything is.
   */
  private windowAddress(inst: Inst): Inst {
    const { args, imm: extent, imm2: index } = inst;
    const decl = this.module.memories[index]!;
    const { rewriter } = this;
    const minBytes = decl.minPages * 2 ** decl.pageShift;
    let limit: Inst;
    if (!decl.growable) limit = rewriter.i32(Math.min(Math.max(minBytes - extent + 1, 0), WINDOW_BASE));
    else {
      limit = this.memoryBytes(index);
      if (extent > 1) {
        const before = rewriter.i32(extent - 1);
        if (extent > minBytes) limit = rewriter.emit(Op.I32MaxU, [limit, before]);
        limit = rewriter.emit(Op.I32Sub, [limit, before]);
      }
    }
    return rewriter.emit(Op.WindowAddr, [args[0]!, limit, this.memoryBase(index)], extent, windowRights(inst));
  }
  private memoryBase(index: number): Inst {
    const decl = this.module.memories[index]!;
    if (decl.import === null) return this.rewriter.symbol(memoryDataSymbol(this.module.name, index));
    return this.load(this.memory(index), WASM_MEMORY.offset.base, Type.I32);
  }

  private tableSize(index: number): Inst {
    const decl = this.module.tables[index]!;
    if (!decl.growable) return this.rewriter.i32(decl.min);
    return this.load(this.table(index), WASM_TABLE.offset.size, Type.I32);
  }
  private tableCheck(at: Inst, index: number): void {
    this.rewriter.trapIf(Op.TrapIfGeU, [at, this.tableSize(index)], TrapCode.TableOutOfBounds);
  }
  /** Address of entry `at`, which is checked already. */
  private entry(at: Inst, index: number): Inst {
    const { rewriter } = this;
    const decl = this.module.tables[index]!;
    const elems =
      decl.import === null && !decl.growable
        ? rewriter.symbol(tableElemsSymbol(this.module.name, index))
        : this.load(this.table(index), WASM_TABLE.offset.elems, Type.I32);
    if (elems.op === Op.Symbol && at.op === Op.I32Const && at.imm >>> 0 < decl.min) {
      elems.imm = at.imm * 4;
      return elems;
    }
    return rewriter.emit(Op.I32Add, [elems, rewriter.emit(Op.I32Shl, [at, rewriter.i32(2)])]);
  }
}

/** Constant addresses are no window's: those are handed out when the program runs. */
const usesWindow = ({ args, imm: extent, aux }: Inst): boolean =>
  aux !== null && fitsWindow(extent) && args[0]!.op !== Op.I32Const;

const KEEP = Symbol('keep');
