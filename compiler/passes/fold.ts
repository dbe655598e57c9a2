// Constant folding, algebraic identities, simplification of branches and checks. Takes a function, gives one in which every
// instruction was simplified once its operands were. Identities of i32 are in fold-int.ts; meaning comes from ir/eval.ts.
import { controlFlow, removeUnreachable } from '../analysis/cfg.js';
import { countUses } from '../analysis/uses.js';
import { EVALUATORS, EvalTrap, f32FromBits, f64FromBits, makeI64, type Value } from '../ir/eval.js';
import { type Edge, type Func, type Inst, resolve } from '../ir/function.js';
import { Op, OPS } from '../ir/ops.js';
import { Type } from '../ir/types.js';
import { foldI32, foldSelect, invert, isCompare, symbolPlus } from './fold-int.js';
import { accessWidth } from './gvn.js';
import { isI32, isI32Const, Rewriter } from './rewrite.js';

/** Largest offset of a word access. */
const MAX_WORD_OFFSET = 1020;

const isConstant = (inst: Inst): boolean => inst.op >= Op.I32Const && inst.op <= Op.F64Const;

function constantValue(inst: Inst): Value {
  return inst.op === Op.I32Const || inst.op === Op.F32Const ? inst.imm : makeI64(inst.imm, inst.imm2);
}

/** Rewrites `func` in place; gives the number of instructions simplified. */
export function fold(func: Func): number {
  removeUnreachable(func);
  const folder = new Folder(func);
  folder.rewriter.run(controlFlow(func).order, (inst) => folder.visit(inst));
  removeUnreachable(func);
  return folder.count;
}

class Folder {
  readonly rewriter: Rewriter;
  count = 0;
  /** Block whose rest cannot be reached, because a check in it always fails. */
  private ended = -1;

  private readonly uses: Uint32Array;

  constructor(func: Func) {
    this.rewriter = new Rewriter(func);
    this.uses = countUses(func);
  }

  visit(inst: Inst): void {
    const r = this.rewriter;
    if (this.ended === r.block.id) {
      inst.block = null;
      return;
    }
    if (OPS[inst.op]!.effect === 'terminator') {
      this.terminator(inst);
      return;
    }
    if (inst.op >= Op.TrapIfLtU && inst.op <= Op.TrapIfEqz) {
      this.check(inst);
      return;
    }
    // A fold may give something that folds again; the chain is short.
    let at = inst;
    for (let steps = 0; steps < 8; steps++) {
      const simpler = this.simplify(at);
      if (simpler === null) break;
      this.count++;
      if (at === inst) at = simpler;
      else {
        this.drop(at);
        at = simpler;
      }
      if (at.block !== r.block || r.out[r.out.length - 1] !== at) break;
    }
    if (at === inst) r.keep(inst);
    else r.replaceBy(inst, at);
  }

  /** Takes the instruction emitted last back out, if it is that. */
  private drop(inst: Inst): void {
    const { out } = this.rewriter;
    const at = out.lastIndexOf(inst);
    if (at >= 0 && at >= out.length - 4) out.splice(at, 1);
  }

  private simplify(inst: Inst): Inst | null {
    const { args } = inst;
    if (args.length > 0 && EVALUATORS[inst.op] !== undefined) {
      if (args.every(isConstant)) return this.evaluate(inst);
      if (OPS[inst.op]!.commutative && isConstant(args[0]!) && !isConstant(args[1]!)) {
        inst.args = [args[1]!, args[0]!];
      }
    }
    if (inst.op >= Op.I32Load && inst.op <= Op.F64Store) {
      this.foldOffset(inst);
      return null;
    }
    if (inst.op === Op.Select) return foldSelect(this.rewriter, inst);
    if (inst.op === Op.I32Add && args[1]!.op === Op.Symbol) return this.nativePointer(args[0]!, args[1]!);
    if (inst.type === Type.I32) return foldI32(this.rewriter, inst) ?? this.convert(inst);
    return inst.type === Type.I64 ? this.foldI64(inst) : this.convert(inst);
  }

  /**
   * (x + c) + symbol, modulo 2^32, where x + c is not needed otherwise. A constant that loads and stores have room for goes
   * outermost, where it becomes their offset and x + symbol serves all accesses off x; another one goes into the symbol.
   */
  private nativePointer(address: Inst, symbol: Inst): Inst | null {
    const r = this.rewriter;
    if (address.op !== Op.I32Add || !isI32Const(address.args[1]!)) return null;
    const x = address.args[0]!;
    const c = address.args[1]!.imm;
    if (address.id >= this.uses.length || this.uses[address.id] !== 1) return null;
    if (c < -128 || c > MAX_WORD_OFFSET) return r.emit(Op.I32Add, [x, symbolPlus(r, symbol, c)]);
    return r.emit(Op.I32Add, [r.emit(Op.I32Add, [x, symbol]), r.i32(c)]);
  }

  /** Takes constants added to a native pointer into the access's offset, as far as instructions have room for it. */
  private foldOffset(inst: Inst): void {
    const limit = 255 * accessWidth(inst.op);
    for (;;) {
      const pointer = inst.args[0]!;
      if (pointer.op !== Op.I32Add || !isI32Const(pointer.args[1]!)) return;
      const offset = inst.imm + pointer.args[1]!.imm;
      if (offset < 0 || offset > limit) return;
      inst.args[0] = pointer.args[0]!;
      inst.imm = offset;
      this.count++;
    }
  }

  /** The constant that an instruction with constant operands gives; null if it traps or gives a NaN, whose payload is free. */
  private evaluate(inst: Inst): Inst | null {
    const { args } = inst;
    const value = (i: number): Value => (i < args.length ? constantValue(args[i]!) : 0);
    let result: Value;
    try {
      result = EVALUATORS[inst.op]!(value(0), value(1), value(2), value(3));
    } catch (error) {
      if (error instanceof EvalTrap) return null;
      throw error;
    }
    return this.constant(inst.type, result);
  }

  private constant(type: Type, value: Value): Inst | null {
    const r = this.rewriter;
    if (type === Type.I32) return r.i32(value as number);
    if (type === Type.F32) {
      return Number.isNaN(f32FromBits(value as number)) ? null : r.emit(Op.F32Const, [], value as number);
    }
    if (type === Type.F64 && Number.isNaN(f64FromBits(value as bigint))) return null;
    const low = Number(BigInt.asIntN(32, value as bigint));
    const high = Number(BigInt.asIntN(32, (value as bigint) >> 32n));
    return r.emit(type === Type.F64 ? Op.F64Const : Op.I64Const, [], low, high);
  }

  private wide(value: bigint): Inst {
    return this.constant(Type.I64, BigInt.asIntN(64, value))!;
  }

  /** Conversions that undo each other. */
  private convert(inst: Inst): Inst | null {
    const r = this.rewriter;
    const a = inst.args[0];
    if (a === undefined) return null;
    switch (inst.op) {
      case Op.I32WrapI64:
        if (a.op === Op.I64ExtendI32S || a.op === Op.I64ExtendI32U) return a.args[0]!;
        // The low word of these depends on the low words alone.
        if (a.op >= Op.I64Add && a.op <= Op.I64Mul) return this.narrow(a, a.op - Op.I64Add + Op.I32Add);
        if (a.op >= Op.I64And && a.op <= Op.I64Xor) return this.narrow(a, a.op - Op.I64And + Op.I32And);
        return null;
      case Op.I32ReinterpretF32:
        return a.op === Op.F32ReinterpretI32 ? a.args[0]! : null;
      case Op.F32ReinterpretI32:
        return a.op === Op.I32ReinterpretF32 ? a.args[0]! : null;
      case Op.F64ReinterpretI64:
        return a.op === Op.I64ReinterpretF64 ? a.args[0]! : null;
      case Op.F32Neg:
      case Op.F64Neg:
        return a.op === inst.op ? a.args[0]! : null;
      case Op.F32Abs:
      case Op.F64Abs:
        return a.op === inst.op ? a : null;
      case Op.I64Eqz:
        return a.op === Op.I64ExtendI32S || a.op === Op.I64ExtendI32U ? r.emit(Op.I32Eqz, [a.args[0]!]) : null;
      default:
        return null;
    }
  }

  /** wrap(x op y) with operands whose low words are at hand. */
  private narrow(wide: Inst, op: number): Inst | null {
    const words = wide.args.map((arg) => {
      if (arg.op === Op.I64ExtendI32S || arg.op === Op.I64ExtendI32U) return arg.args[0]!;
      return arg.op === Op.I64Const ? 'constant' : null;
    });
    if (words.includes(null)) return null;
    const r = this.rewriter;
    const operands = words.map((word, i) => (word === 'constant' ? r.i32(wide.args[i]!.imm) : (word as Inst)));
    return r.emit(op, operands);
  }

  private foldI64(inst: Inst): Inst | null {
    const r = this.rewriter;
    const [a, b] = inst.args as [Inst, Inst];
    if (inst.op === Op.I64ReinterpretF64) return a.op === Op.F64ReinterpretI64 ? a.args[0]! : null;
    if (b === undefined || b.op !== Op.I64Const) return null;
    const c = makeI64(b.imm, b.imm2);
    const unsigned = BigInt.asUintN(64, c);
    const power = unsigned !== 0n && (unsigned & (unsigned - 1n)) === 0n ? unsigned.toString(2).length - 1 : -1;
    switch (inst.op) {
      case Op.I64Add:
      case Op.I64Sub:
      case Op.I64Or:
      case Op.I64Xor:
        if (c === 0n) return a;
        if (inst.op === Op.I64Sub) return r.emit(Op.I64Add, [a, this.wide(-c)]);
        if (inst.op === Op.I64Add && a.op === Op.I64Add && a.args[1]!.op === Op.I64Const) {
          return r.emit(Op.I64Add, [a.args[0]!, this.wide(c + makeI64(a.args[1]!.imm, a.args[1]!.imm2))]);
        }
        return null;
      case Op.I64And:
        return c === 0n ? b : c === -1n ? a : null;
      case Op.I64Mul:
        if (c === 0n) return b;
        if (c === 1n) return a;
        return power > 0 ? r.emit(Op.I64Shl, [a, this.wide(BigInt(power))]) : null;
      case Op.I64DivU:
        if (c === 1n) return a;
        return power > 0 ? r.emit(Op.I64ShrU, [a, this.wide(BigInt(power))]) : null;
      case Op.I64RemU:
        return power >= 0 ? r.emit(Op.I64And, [a, this.wide(unsigned - 1n)]) : null;
      case Op.I64DivS: {
        if (c === 1n) return a;
        if (power <= 0 || c < 0n) return null;
        const sign = r.emit(Op.I64ShrS, [a, this.wide(63n)]);
        const bias = r.emit(Op.I64ShrU, [sign, this.wide(BigInt(64 - power))]);
        return r.emit(Op.I64ShrS, [r.emit(Op.I64Add, [a, bias]), this.wide(BigInt(power))]);
      }
      case Op.I64Shl:
      case Op.I64ShrS:
      case Op.I64ShrU:
      case Op.I64Rotl:
      case Op.I64Rotr:
        return (c & 63n) === 0n ? a : null;
      default:
        return null;
    }
  }

  /** trap_if.*: never, always, or a simpler condition. */
  private check(inst: Inst): void {
    const r = this.rewriter;
    const [a, b] = inst.args as [Inst, Inst];
    const constant = inst.args.every(isI32Const);
    const x = a.imm >>> 0;
    const y = b === undefined ? 0 : b.imm >>> 0;
    let fires: boolean | null = null;
    switch (inst.op) {
      case Op.TrapIfLtU:
        fires = constant ? x < y : isI32(b, 0) || isI32(a, -1) || a === b ? false : null;
        break;
      case Op.TrapIfGeU:
        fires = constant ? x >= y : isI32(b, 0) || a === b ? true : null;
        break;
      case Op.TrapIfEq:
        fires = constant ? x === y : a === b ? true : null;
        break;
      case Op.TrapIfNe:
        fires = constant ? x !== y : a === b ? false : null;
        break;
      case Op.TrapIfNez:
      case Op.TrapIfEqz:
        fires = constant ? (x !== 0) === (inst.op === Op.TrapIfNez) : null;
        if (fires === null && this.checkOfCompare(inst, a)) return;
        break;
      default:
    }
    if (fires === null) {
      r.keep(inst);
      return;
    }
    this.count++;
    inst.block = null;
    if (!fires) {
      this.rewriter.func.checks?.drop(inst, 'never fails');
      return;
    }
    const trap = r.emit(Op.Trap, [], inst.imm);
    trap.loc = inst.loc;
    this.ended = r.block.id;
  }

  /** trap_if.nez(compare) becomes the check of the compare itself. */
  private checkOfCompare(inst: Inst, a: Inst): boolean {
    const r = this.rewriter;
    const wanted = inst.op === Op.TrapIfNez;
    const [x, y] = a.args as [Inst, Inst];
    const rewrite = (op: number, args: Inst[]): boolean => {
      this.count++;
      inst.op = op;
      inst.args = args;
      r.keep(inst);
      return true;
    };
    switch (a.op) {
      case Op.I32Eqz:
        return rewrite(wanted ? Op.TrapIfEqz : Op.TrapIfNez, [x]);
      case Op.I32Eq:
        return rewrite(wanted ? Op.TrapIfEq : Op.TrapIfNe, [x, y]);
      case Op.I32Ne:
        return rewrite(wanted ? Op.TrapIfNe : Op.TrapIfEq, [x, y]);
      case Op.I32LtU:
        return rewrite(wanted ? Op.TrapIfLtU : Op.TrapIfGeU, [x, y]);
      case Op.I32GeU:
        return rewrite(wanted ? Op.TrapIfGeU : Op.TrapIfLtU, [x, y]);
      case Op.I32GtU:
        return rewrite(wanted ? Op.TrapIfLtU : Op.TrapIfGeU, [y, x]);
      case Op.I32LeU:
        return rewrite(wanted ? Op.TrapIfGeU : Op.TrapIfLtU, [y, x]);
      default:
        return false;
    }
  }

  private terminator(inst: Inst): void {
    for (const edge of inst.edges) for (let i = 0; i < edge.args.length; i++) edge.args[i] = resolve(edge.args[i]!);
    if (inst.op === Op.BrIf) this.branch(inst);
    else if (inst.op === Op.BrTable) this.table(inst);
    this.rewriter.keep(inst);
  }

  private jump(inst: Inst, edge: Edge): void {
    this.count++;
    inst.op = Op.Jump;
    inst.args = [];
    inst.edges = [edge];
  }

  private branch(inst: Inst): void {
    const [yes, no] = inst.edges as [Edge, Edge];
    const cond = inst.args[0]!;
    if (isI32Const(cond)) return this.jump(inst, cond.imm !== 0 ? yes : no);
    if (yes.block === no.block && this.sameTarget(inst, cond, yes, no)) return;
    if (cond.op === Op.I32Eqz) {
      this.count++;
      inst.args = [cond.args[0]!];
      inst.edges = [no, yes];
      this.branch(inst);
    } else if (cond.op === Op.I32Ne && isI32(cond.args[1]!, 0)) {
      this.count++;
      inst.args = [cond.args[0]!];
      this.branch(inst);
    }
  }

  /** Both ways lead to one block: the arguments are selected instead, if they are few. */
  private sameTarget(inst: Inst, cond: Inst, yes: Edge, no: Edge): boolean {
    const differ = yes.args.filter((arg, i) => arg !== no.args[i]);
    if (differ.length > 2 || differ.some((arg) => arg.type !== Type.I32 && arg.type !== Type.F32)) return false;
    const args = yes.args.map((arg, i) => {
      const other = no.args[i]!;
      return arg === other ? arg : this.selected(cond, arg, other);
    });
    this.jump(inst, { block: yes.block, args });
    return true;
  }

  private selected(cond: Inst, yes: Inst, no: Inst): Inst {
    const r = this.rewriter;
    if (isCompare(cond) && isI32(yes, 1) && isI32(no, 0)) return cond;
    if (isCompare(cond) && isI32(yes, 0) && isI32(no, 1)) {
      const inverse = invert(r, cond);
      if (inverse !== null) return inverse;
    }
    return r.emit(Op.Select, [cond, yes, no], 0, 0, yes.type);
  }

  private table(inst: Inst): void {
    const index = inst.args[0]!;
    const { edges } = inst;
    const last = edges.length - 1;
    if (isI32Const(index)) return this.jump(inst, edges[Math.min(index.imm >>> 0, last)]!);
    const same = (a: Edge, b: Edge): boolean => a.block === b.block && a.args.every((arg, i) => arg === b.args[i]);
    // Entries at the end that go where the default goes are not needed.
    while (edges.length > 1 && same(edges[edges.length - 2]!, edges[edges.length - 1]!)) {
      edges.splice(edges.length - 2, 1);
      this.count++;
    }
    if (edges.length === 1) return this.jump(inst, edges[0]!);
    if (edges.length === 2) {
      this.count++;
      inst.op = Op.BrIf;
      inst.edges = [edges[1]!, edges[0]!];
      this.branch(inst);
    }
  }
}
