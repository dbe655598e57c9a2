// Algebraic identities of 32-bit integer ops, one op at a time: a per-op family. Takes an instruction whose operands are
// folded already, gives a simpler value or null. Constants stand on the right of commutative ops here. Knows no memory.
import type { Inst } from '../ir/function.js';
import { Op } from '../ir/ops.js';
import { Type } from '../ir/types.js';
import { isI32, isI32Const, type Rewriter } from './rewrite.js';

const isBool = (inst: Inst): boolean => isCompare(inst) || isI32(inst, 0) || isI32(inst, 1);
const isI32Compare = (op: number): boolean => op >= Op.I32Eqz && op <= Op.I32GeU;

/** Does it give 0 or 1? */
export function isCompare(inst: Inst): boolean {
  const { op } = inst;
  return (
    isI32Compare(op) ||
    (op >= Op.I64Eqz && op <= Op.I64GeU) ||
    (op >= Op.F32Eq && op <= Op.F32Ge) ||
    (op >= Op.F64Eq && op <= Op.F64Ge)
  );
}

/** The comparison that gives the opposite, where there is one (floats: only eq and ne, because of NaN). */
export const INVERSE: ReadonlyMap<number, number> = new Map(
  [
    [Op.I32Eq, Op.I32Ne],
    [Op.I32LtS, Op.I32GeS],
    [Op.I32LtU, Op.I32GeU],
    [Op.I32GtS, Op.I32LeS],
    [Op.I32GtU, Op.I32LeU],
    [Op.I64Eq, Op.I64Ne],
    [Op.I64LtS, Op.I64GeS],
    [Op.I64LtU, Op.I64GeU],
    [Op.I64GtS, Op.I64LeS],
    [Op.I64GtU, Op.I64LeU],
    [Op.F32Eq, Op.F32Ne],
    [Op.F64Eq, Op.F64Ne],
  ].flatMap(([a, b]) => [
    [a!, b!],
    [b!, a!],
  ]),
);

/** The comparison with its operands exchanged. */
const SWAPPED: ReadonlyMap<number, number> = new Map([
  [Op.I32LtS, Op.I32GtS],
  [Op.I32LtU, Op.I32GtU],
  [Op.I32GtS, Op.I32LtS],
  [Op.I32GtU, Op.I32LtU],
  [Op.I32LeS, Op.I32GeS],
  [Op.I32LeU, Op.I32GeU],
  [Op.I32GeS, Op.I32LeS],
  [Op.I32GeU, Op.I32LeU],
]);

const log2 = (value: number): number => ((value & (value - 1)) === 0 && value !== 0 ? 31 - Math.clz32(value) : -1);

/** A simpler value for an i32 instruction, or null. */
export function foldI32(r: Rewriter, inst: Inst): Inst | null {
  const [a, b] = inst.args as [Inst, Inst];
  const constant = b !== undefined && isI32Const(b);
  const c = constant ? b.imm : 0;
  /** Is it (x op constant) op constant? */
  const inner = constant && a.op === inst.op && a.args.length === 2 && isI32Const(a.args[1]!);
  switch (inst.op) {
    case Op.I32Add:
      if (isI32(b, 0)) return a;
      if (inner) return r.emit(Op.I32Add, [a.args[0]!, r.i32(a.args[1]!.imm + c)]);
      if (constant && a.op === Op.Symbol) return symbolPlus(r, a, c);
      return null;
    case Op.I32Sub:
      if (constant) return r.emit(Op.I32Add, [a, r.i32(-c)]);
      if (a === b) return r.i32(0);
      // (x + y) - y = x
      if (a.op === Op.I32Add && a.args[1] === b) return a.args[0]!;
      if (a.op === Op.I32Add && a.args[0] === b) return a.args[1]!;
      return null;
    case Op.I32Mul: {
      if (!constant) return null;
      if (c === 0) return b;
      if (c === 1) return a;
      if (c === -1) return r.emit(Op.I32Sub, [r.i32(0), a]);
      if (log2(c) >= 0) return r.emit(Op.I32Shl, [a, r.i32(log2(c))]);
      return inner ? r.emit(Op.I32Mul, [a.args[0]!, r.i32(Math.imul(a.args[1]!.imm, c))]) : null;
    }
    case Op.I32DivU:
      if (c === 1) return a;
      return constant && log2(c) > 0 ? r.emit(Op.I32ShrU, [a, r.i32(log2(c))]) : null;
    case Op.I32RemU:
      return constant && log2(c) >= 0 ? r.emit(Op.I32And, [a, r.i32(c - 1)]) : null;
    case Op.I32DivS:
      if (c === 1) return a;
      return constant && c > 0 && log2(c) > 0 ? r.emit(Op.I32ShrS, [biased(r, a, log2(c)), r.i32(log2(c))]) : null;
    case Op.I32RemS:
      if (c === 1 || c === -1) return r.i32(0);
      if (!constant || c <= 0 || log2(c) < 0) return null;
      return r.emit(Op.I32Sub, [a, r.emit(Op.I32And, [biased(r, a, log2(c)), r.i32(-c)])]);
    case Op.I32And:
      if (isI32(b, 0) || a === b) return b;
      if (isI32(b, -1)) return a;
      if (inner) return r.emit(Op.I32And, [a.args[0]!, r.i32(a.args[1]!.imm & c)]);
      if (c === 1 && constant && isCompare(a)) return a;
      return null;
    case Op.I32Or:
      if (isI32(b, 0) || a === b) return a;
      if (isI32(b, -1)) return b;
      return inner ? r.emit(Op.I32Or, [a.args[0]!, r.i32(a.args[1]!.imm | c)]) : null;
    case Op.I32Xor:
      if (isI32(b, 0)) return a;
      if (a === b) return r.i32(0);
      if (c === 1 && constant && isCompare(a)) return invert(r, a);
      return inner ? r.emit(Op.I32Xor, [a.args[0]!, r.i32(a.args[1]!.imm ^ c)]) : null;
    case Op.I32Shl:
    case Op.I32ShrU:
    case Op.I32ShrS:
    case Op.I32Rotl:
    case Op.I32Rotr:
      return foldShift(r, inst, a, b);
    case Op.I32Funnel:
    case Op.I32FunnelL:
      return foldFunnel(r, inst);
    case Op.I32AddHi:
      return foldAddHi(r, inst);
    case Op.I32MulHU:
      return isI32(b, 0) ? b : isI32(b, 1) ? r.i32(0) : null;
    case Op.I32Extend8S:
      return foldExtend(a, 24);
    case Op.I32Extend16S:
      return foldExtend(a, 16);
    case Op.I32Eqz:
      if (isI32Compare(a.op) || INVERSE.has(a.op)) return invert(r, a);
      if (a.op === Op.I32Sub || a.op === Op.I32Xor) return r.emit(Op.I32Eq, [a.args[0]!, a.args[1]!]);
      if (a.op === Op.I32Add && isI32Const(a.args[1]!)) return r.emit(Op.I32Eq, [a.args[0]!, r.i32(-a.args[1]!.imm)]);
      return null;
    default:
      return isI32Compare(inst.op) ? foldCompare(r, inst, a, b) : null;
  }
}

/** symbol + by. */
export function symbolPlus(r: Rewriter, symbol: Inst, by: number): Inst {
  return r.symbol(symbol.aux as string, symbol.imm + by);
}

/** Dividend plus 2^k - 1 if it is negative, for division that rounds towards zero. */
function biased(r: Rewriter, a: Inst, k: number): Inst {
  if (k === 0) return a;
  const sign = r.emit(Op.I32ShrS, [a, r.i32(31)]);
  return r.emit(Op.I32Add, [a, r.emit(Op.I32ShrU, [sign, r.i32(32 - k)])]);
}

/** The negation of a 0/1 value, or null if there is no single op for it. */
export function invert(r: Rewriter, compare: Inst): Inst | null {
  if (compare.op === Op.I32Eqz)
    return isBool(compare.args[0]!) ? compare.args[0]! : r.emit(Op.I32Ne, [compare.args[0]!, r.i32(0)]);
  const inverse = INVERSE.get(compare.op);
  return inverse === undefined ? null : r.emit(inverse, [...compare.args]);
}

function foldShift(r: Rewriter, inst: Inst, a: Inst, b: Inst): Inst | null {
  if (isI32(a, 0)) return a;
  if (!isI32Const(b)) {
    // The count is taken modulo 32 already.
    return b.op === Op.I32And && isI32Const(b.args[1]!) && (b.args[1]!.imm & 31) === 31
      ? r.emit(inst.op, [a, b.args[0]!])
      : null;
  }
  const n = b.imm & 31;
  if (n === 0) return a;
  if (n !== b.imm) return r.emit(inst.op, [a, r.i32(n)]);
  const m = a.args.length === 2 && isI32Const(a.args[1]!) ? a.args[1]!.imm & 31 : -1;
  const x = a.args[0]!;
  if (inst.op === Op.I32Rotl) return r.emit(Op.I32Rotr, [a, r.i32(32 - n)]);
  if (inst.op === Op.I32Shl) {
    if (m >= 0 && a.op === Op.I32Shl) return m + n > 31 ? r.i32(0) : r.emit(Op.I32Shl, [x, r.i32(m + n)]);
    if (m === n && (a.op === Op.I32ShrU || a.op === Op.I32ShrS)) return r.emit(Op.I32And, [x, r.i32(-1 << n)]);
  } else if (inst.op === Op.I32ShrU) {
    if (m >= 0 && a.op === Op.I32ShrU) return m + n > 31 ? r.i32(0) : r.emit(Op.I32ShrU, [x, r.i32(m + n)]);
    if (m === n && a.op === Op.I32Shl) return r.emit(Op.I32And, [x, r.i32(-1 >>> n)]);
    if (n === 31 && a.op === Op.I32ShrS) return r.emit(Op.I32ShrU, [x, b]);
  } else if (inst.op === Op.I32ShrS) {
    if (m >= 0 && a.op === Op.I32ShrS) return r.emit(Op.I32ShrS, [x, r.i32(Math.min(m + n, 31))]);
    if (m === 24 && n === 24 && a.op === Op.I32Shl) return r.emit(Op.I32Extend8S, [x]);
    if (m === 16 && n === 16 && a.op === Op.I32Shl) return r.emit(Op.I32Extend16S, [x]);
  }
  return null;
}

function foldFunnel(r: Rewriter, inst: Inst): Inst | null {
  const [high, low, count] = inst.args as [Inst, Inst, Inst];
  if (!isI32Const(count)) return null;
  const left = inst.op === Op.I32FunnelL;
  const n = count.imm & 31;
  if (n === 0) return left ? high : low;
  if (high === low) return r.emit(Op.I32Rotr, [low, r.i32(left ? 32 - n : n)]);
  if (isI32(high, 0)) return r.emit(Op.I32ShrU, [low, r.i32(left ? 32 - n : n)]);
  if (isI32(low, 0)) return r.emit(Op.I32Shl, [high, r.i32(left ? n : 32 - n)]);
  return left ? r.emit(Op.I32Funnel, [high, low, r.i32(32 - n)]) : null;
}

/** aHi + bHi + carry, where the carry of a sum with zero is none. */
function foldAddHi(r: Rewriter, inst: Inst): Inst | null {
  const [aLo, aHi, bHi, sum] = inst.args as [Inst, Inst, Inst, Inst];
  return aLo === sum ? r.emit(Op.I32Add, [aHi, bHi]) : null;
}

/** Sign extension of a value that is one already. `bits` = bits above the extended part. */
function foldExtend(a: Inst, bits: number): Inst | null {
  if (a.op === Op.I32Extend8S || a.op === Op.I32Load8S || isCompare(a)) return a;
  if (bits === 16 && (a.op === Op.I32Extend16S || a.op === Op.I32Load16S || a.op === Op.I32Load8U)) return a;
  if (a.op === Op.I32ShrS && isI32Const(a.args[1]!) && (a.args[1]!.imm & 31) >= bits) return a;
  return null;
}

function foldCompare(r: Rewriter, inst: Inst, a: Inst, b: Inst): Inst | null {
  const { op } = inst;
  if (a === b)
    return r.i32(
      op === Op.I32Eq || op === Op.I32LeS || op === Op.I32LeU || op === Op.I32GeS || op === Op.I32GeU ? 1 : 0,
    );
  if (isI32Const(a)) {
    const swapped = SWAPPED.get(op);
    if (swapped !== undefined) return r.emit(swapped, [b, a]);
  }
  if (!isI32Const(b)) return null;
  const c = b.imm;
  switch (op) {
    case Op.I32Eq:
      if (c === 0) return r.emit(Op.I32Eqz, [a]);
      if (c === 1 && isCompare(a)) return a;
      break;
    case Op.I32Ne:
      if (c === 0 && isCompare(a)) return a;
      if (c === 0 && (a.op === Op.I32Sub || a.op === Op.I32Xor)) return r.emit(Op.I32Ne, [a.args[0]!, a.args[1]!]);
      if (c === 1 && isCompare(a)) return invert(r, a);
      break;
    case Op.I32LtU:
      if (c === 0) return r.i32(0);
      if (c === 1) return r.emit(Op.I32Eqz, [a]);
      break;
    case Op.I32GeU:
      if (c === 0) return r.i32(1);
      if (c === 1) return r.emit(Op.I32Ne, [a, r.i32(0)]);
      break;
    case Op.I32GtU:
      if (c === 0) return r.emit(Op.I32Ne, [a, b]);
      if (c === -1) return r.i32(0);
      break;
    case Op.I32LeU:
      if (c === 0) return r.emit(Op.I32Eqz, [a]);
      if (c === -1) return r.i32(1);
      break;
    case Op.I32GtS:
      if (c === -1) return r.emit(Op.I32GeS, [a, r.i32(0)]);
      break;
    case Op.I32LeS:
      if (c === -1) return r.emit(Op.I32LtS, [a, r.i32(0)]);
      break;
    default:
      break;
  }
  // x + c1 == c2
  if ((op === Op.I32Eq || op === Op.I32Ne) && a.op === Op.I32Add && isI32Const(a.args[1]!)) {
    return r.emit(op, [a.args[0]!, r.i32(c - a.args[1]!.imm)]);
  }
  return null;
}

/** select(cond, yes, no) with values of any type. */
export function foldSelect(r: Rewriter, inst: Inst): Inst | null {
  const [cond, yes, no] = inst.args as [Inst, Inst, Inst];
  if (isI32Const(cond)) return cond.imm !== 0 ? yes : no;
  if (yes === no) return yes;
  if (cond.op === Op.I32Eqz) return r.emit(Op.Select, [cond.args[0]!, no, yes], 0, 0, inst.type);
  if (cond.op === Op.I32Ne && isI32(cond.args[1]!, 0))
    return r.emit(Op.Select, [cond.args[0]!, yes, no], 0, 0, inst.type);
  if (inst.type !== Type.I32) return null;
  if (isCompare(cond)) {
    if (isI32(yes, 1) && isI32(no, 0)) return cond;
    if (isI32(yes, 0) && isI32(no, 1)) return invert(r, cond);
  }
  return minMax(r, cond, yes, no);
}

/** The four comparisons of two values that choose the smaller or larger of them. */
function minMax(r: Rewriter, cond: Inst, yes: Inst, no: Inst): Inst | null {
  const [x, y] = cond.args as [Inst, Inst];
  if (y === undefined || !((x === yes && y === no) || (x === no && y === yes))) return null;
  const straight = x === yes;
  switch (cond.op) {
    case Op.I32LtS:
    case Op.I32LeS:
      return r.emit(straight ? Op.I32MinS : Op.I32MaxS, [x, y]);
    case Op.I32LtU:
    case Op.I32LeU:
      return r.emit(straight ? Op.I32MinU : Op.I32MaxU, [x, y]);
    case Op.I32GtS:
    case Op.I32GeS:
      return r.emit(straight ? Op.I32MaxS : Op.I32MinS, [x, y]);
    case Op.I32GtU:
    case Op.I32GeU:
      return r.emit(straight ? Op.I32MaxU : Op.I32MinU, [x, y]);
    default:
      return null;
  }
}
