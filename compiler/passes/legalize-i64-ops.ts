// The arithmetic of i64 as pairs of i32, one op at a time. Takes an i64 instruction and access to the pairs of its operands,
// emits i32 instructions. A per-op family, so longer than most files. Refuses to know control flow and calls.
import { LIBCALLS, type LibCall } from '../abi/libcalls.js';
import { TrapCode } from '../abi/traps.js';
import { InternalError } from '../diagnostics.js';
import type { Inst } from '../ir/function.js';
import { Op, OPS } from '../ir/ops.js';
import { Type } from '../ir/types.js';
import { isI32, isI32Const, type Rewriter } from './rewrite.js';

/** The legaliser's side: words of values. */
export interface PairOps {
  readonly rewriter: Rewriter;
  lo(inst: Inst): Inst;
  hi(inst: Inst): Inst;
  /** Records the words of an i64 value. */
  set(inst: Inst, lo: Inst, hi: Inst): void;
}

const MIN = -0x80000000;

// -- i32 emission with the identities that pairs make common (a known upper half), so that -O0 code is not silly

function and(r: Rewriter, a: Inst, b: Inst): Inst {
  if (isI32(a, 0) || isI32(b, -1)) return a;
  if (isI32(b, 0) || isI32(a, -1)) return b;
  return r.emit(Op.I32And, [a, b]);
}
function or(r: Rewriter, a: Inst, b: Inst): Inst {
  if (isI32(b, 0) || isI32(a, -1)) return a;
  if (isI32(a, 0) || isI32(b, -1)) return b;
  return r.emit(Op.I32Or, [a, b]);
}
function xor(r: Rewriter, a: Inst, b: Inst): Inst {
  if (isI32(b, 0)) return a;
  if (isI32(a, 0)) return b;
  if (isI32Const(a) && isI32Const(b)) return r.i32(a.imm ^ b.imm);
  return r.emit(Op.I32Xor, [a, b]);
}
function add(r: Rewriter, a: Inst, b: Inst): Inst {
  if (isI32(b, 0)) return a;
  if (isI32(a, 0)) return b;
  return r.emit(Op.I32Add, [a, b]);
}
function mul(r: Rewriter, a: Inst, b: Inst): Inst {
  if (isI32(a, 0) || isI32(b, 1)) return a;
  if (isI32(b, 0) || isI32(a, 1)) return b;
  return r.emit(Op.I32Mul, [a, b]);
}
const select = (r: Rewriter, cond: Inst, yes: Inst, no: Inst): Inst =>
  r.emit(Op.Select, [cond, yes, no], 0, 0, Type.I32);
const signOf = (r: Rewriter, lo: Inst): Inst => r.emit(Op.I32ShrS, [lo, r.i32(31)]);
const isSignOf = (hi: Inst, lo: Inst): boolean => hi.op === Op.I32ShrS && hi.args[0] === lo && isI32(hi.args[1]!, 31);

/** Lowers one instruction that has an i64 operand or result (not calls, not terminators). */
export function lowerI64Op(p: PairOps, inst: Inst): void {
  const r = p.rewriter;
  const [a, b] = inst.args as [Inst, Inst];
  switch (inst.op) {
    case Op.I64Const:
      return p.set(inst, r.i32(inst.imm), r.i32(inst.imm2));
    case Op.I64Make:
      return p.set(inst, a, b);
    case Op.I64Lo:
    case Op.I32WrapI64:
      return r.replaceBy(inst, p.lo(a));
    case Op.I64Hi:
      return r.replaceBy(inst, p.hi(a));
    case Op.I64ExtendI32U:
      return p.set(inst, a, r.i32(0));
    case Op.I64ExtendI32S:
      return p.set(inst, a, signOf(r, a));
    case Op.I64Extend8S:
    case Op.I64Extend16S: {
      const lo = r.emit(inst.op === Op.I64Extend8S ? Op.I32Extend8S : Op.I32Extend16S, [p.lo(a)]);
      return p.set(inst, lo, signOf(r, lo));
    }
    case Op.I64Extend32S:
      return p.set(inst, p.lo(a), signOf(r, p.lo(a)));
    case Op.I64Add: {
      if (isI32(p.lo(b), 0)) return p.set(inst, p.lo(a), add(r, p.hi(a), p.hi(b)));
      const lo = r.emit(Op.I32Add, [p.lo(a), p.lo(b)]);
      return p.set(inst, lo, r.emit(Op.I32AddHi, [p.lo(a), p.hi(a), p.hi(b), lo]));
    }
    case Op.I64Sub: {
      const lo = r.emit(Op.I32Sub, [p.lo(a), p.lo(b)]);
      return p.set(inst, lo, r.emit(Op.I32SubHi, [p.lo(a), p.hi(a), p.lo(b), p.hi(b)]));
    }
    case Op.I64Mul:
      return multiply(p, inst, a, b);
    case Op.I64And:
      return p.set(inst, and(r, p.lo(a), p.lo(b)), and(r, p.hi(a), p.hi(b)));
    case Op.I64Or:
      return p.set(inst, or(r, p.lo(a), p.lo(b)), or(r, p.hi(a), p.hi(b)));
    case Op.I64Xor:
      return p.set(inst, xor(r, p.lo(a), p.lo(b)), xor(r, p.hi(a), p.hi(b)));
    case Op.I64Shl:
    case Op.I64ShrS:
    case Op.I64ShrU:
    case Op.I64Rotl:
    case Op.I64Rotr:
      return shift(p, inst, a, p.lo(b));
    case Op.I64Clz: {
      const low = r.emit(Op.I32Add, [r.emit(Op.I32Clz, [p.lo(a)]), r.i32(32)]);
      return p.set(inst, select(r, p.hi(a), r.emit(Op.I32Clz, [p.hi(a)]), low), r.i32(0));
    }
    case Op.I64Ctz: {
      const high = r.emit(Op.I32Add, [r.emit(Op.I32Ctz, [p.hi(a)]), r.i32(32)]);
      return p.set(inst, select(r, p.lo(a), r.emit(Op.I32Ctz, [p.lo(a)]), high), r.i32(0));
    }
    case Op.I64Popcnt: {
      const sum = r.emit(Op.I32Add, [r.emit(Op.I32Popcnt, [p.lo(a)]), r.emit(Op.I32Popcnt, [p.hi(a)])]);
      return p.set(inst, sum, r.i32(0));
    }
    case Op.I64DivS:
      return divide(p, inst, a, b, LIBCALLS.i64DivS);
    case Op.I64DivU:
      return divide(p, inst, a, b, LIBCALLS.i64DivU);
    case Op.I64RemS:
      return divide(p, inst, a, b, LIBCALLS.i64RemS);
    case Op.I64RemU:
      return divide(p, inst, a, b, LIBCALLS.i64RemU);
    case Op.Select: {
      const [cond, yes, no] = inst.args as [Inst, Inst, Inst];
      return p.set(inst, select(r, cond, p.lo(yes), p.lo(no)), select(r, cond, p.hi(yes), p.hi(no)));
    }
    case Op.GlobalGet: {
      const lo = r.emit(Op.GlobalGet, [], inst.imm, 0, Type.I32);
      return p.set(inst, lo, r.emit(Op.GlobalGet, [], inst.imm, 1, Type.I32));
    }
    case Op.GlobalSet:
      r.emit(Op.GlobalSet, [p.lo(a)], inst.imm, 0);
      r.emit(Op.GlobalSet, [p.hi(a)], inst.imm, 1);
      return;
    default:
      if (inst.op >= Op.I64Load && inst.op <= Op.I64Load32U) return load(p, inst);
      if (inst.op >= Op.I64Store && inst.op <= Op.I64Store32) return store(p, inst);
      return compare(p, inst);
  }
}

function multiply(p: PairOps, inst: Inst, a: Inst, b: Inst): void {
  const r = p.rewriter;
  const [al, ah, bl, bh] = [p.lo(a), p.hi(a), p.lo(b), p.hi(b)];
  const lo = mul(r, al, bl);
  if (isSignOf(ah, al) && isSignOf(bh, bl)) return p.set(inst, lo, r.emit(Op.I32MulHS, [al, bl]));
  const cross = add(r, mul(r, al, bh), mul(r, ah, bl));
  p.set(inst, lo, add(r, r.emit(Op.I32MulHU, [al, bl]), cross));
}

function shift(p: PairOps, inst: Inst, a: Inst, count: Inst): void {
  const r = p.rewriter;
  const [lo, hi] = [p.lo(a), p.hi(a)];
  if (isI32Const(count)) return constantShift(p, inst, lo, hi, count.imm & 63);
  const far = r.emit(Op.I32And, [count, r.i32(32)]);
  switch (inst.op) {
    case Op.I64Shl: {
      const up = isI32(hi, 0) && isI32(lo, 1) ? null : r.emit(Op.I32FunnelL, [hi, lo, count]);
      const low = r.emit(Op.I32Shl, [lo, count]);
      const zero = r.i32(0);
      // 1 << n: the funnel's upper word is 0 for n < 32.
      return p.set(inst, select(r, far, zero, low), select(r, far, low, up ?? zero));
    }
    case Op.I64ShrU:
    case Op.I64ShrS: {
      const down = r.emit(Op.I32Funnel, [hi, lo, count]);
      const high = r.emit(inst.op === Op.I64ShrU ? Op.I32ShrU : Op.I32ShrS, [hi, count]);
      const fill = inst.op === Op.I64ShrU ? r.i32(0) : signOf(r, hi);
      return p.set(inst, select(r, far, high, down), select(r, far, fill, high));
    }
    default: {
      const funnel = inst.op === Op.I64Rotl ? Op.I32FunnelL : Op.I32Funnel;
      const [x, y] = [select(r, far, lo, hi), select(r, far, hi, lo)];
      // Left: the upper word of (x:y) and of (y:x); right: the lower word of (y:x) above, of (x:y) below.
      const first = r.emit(funnel, [x, y, count]);
      const second = r.emit(funnel, [y, x, count]);
      return inst.op === Op.I64Rotl ? p.set(inst, second, first) : p.set(inst, first, second);
    }
  }
}

function constantShift(p: PairOps, inst: Inst, lo: Inst, hi: Inst, count: number): void {
  const r = p.rewriter;
  const n = count & 31;
  /** Low word of (high:low) >> n. */
  const funnel = (high: Inst, low: Inst, by: number): Inst => r.emit(Op.I32Funnel, [high, low, r.i32(by)]);
  const far = count >= 32;
  switch (inst.op) {
    case Op.I64Shl:
      if (far) return p.set(inst, r.i32(0), n === 0 ? lo : r.emit(Op.I32Shl, [lo, r.i32(n)]));
      if (n === 0) return p.set(inst, lo, hi);
      return p.set(inst, r.emit(Op.I32Shl, [lo, r.i32(n)]), funnel(hi, lo, 32 - n));
    case Op.I64ShrU:
      if (far) return p.set(inst, n === 0 ? hi : r.emit(Op.I32ShrU, [hi, r.i32(n)]), r.i32(0));
      if (n === 0) return p.set(inst, lo, hi);
      return p.set(inst, funnel(hi, lo, n), r.emit(Op.I32ShrU, [hi, r.i32(n)]));
    case Op.I64ShrS:
      if (far) return p.set(inst, n === 0 ? hi : r.emit(Op.I32ShrS, [hi, r.i32(n)]), signOf(r, hi));
      if (n === 0) return p.set(inst, lo, hi);
      return p.set(inst, funnel(hi, lo, n), r.emit(Op.I32ShrS, [hi, r.i32(n)]));
    default: {
      const right = inst.op === Op.I64Rotr ? count : (64 - count) & 63;
      const [low, high] = right >= 32 ? [hi, lo] : [lo, hi];
      const by = right & 31;
      if (by === 0) return p.set(inst, low, high);
      return p.set(inst, funnel(high, low, by), funnel(low, high, by));
    }
  }
}

function divide(p: PairOps, inst: Inst, a: Inst, b: Inst, call: LibCall): void {
  const r = p.rewriter;
  const [al, ah, bl, bh] = [p.lo(a), p.hi(a), p.lo(b), p.hi(b)];
  if (isI32(ah, 0) && isI32(bh, 0)) return narrowDivide(p, inst, al, bl);
  const constant = isI32Const(bl) && isI32Const(bh);
  if (!constant || (bl.imm | bh.imm) === 0) {
    r.trapIf(Op.TrapIfEqz, [or(r, bl, bh)], TrapCode.IntegerDivideByZero);
  }
  if (inst.op === Op.I64DivS && (!constant || (bl.imm & bh.imm) === -1)) {
    const notMinimum = or(r, al, xor(r, ah, r.i32(MIN)));
    const notMinusOne = xor(r, and(r, bl, bh), r.i32(-1));
    r.trapIf(Op.TrapIfEqz, [or(r, notMinimum, notMinusOne)], TrapCode.IntegerOverflow);
  }
  const quotient = r.emit(Op.LibCall, [al, ah, bl, bh], 0, 0, Type.Multi);
  quotient.aux = call;
  const lo = r.emit(Op.Proj, [quotient], 0, 0, Type.I32);
  p.set(inst, lo, r.emit(Op.Proj, [quotient], 1, 0, Type.I32));
}

/** Both operands are below 2^32: the 32-bit instruction does it, division by zero included. */
function narrowDivide(p: PairOps, inst: Inst, a: Inst, b: Inst): void {
  const remainder = inst.op === Op.I64RemS || inst.op === Op.I64RemU;
  const lo = p.rewriter.emit(remainder ? Op.I32RemU : Op.I32DivU, [a, b]);
  p.set(inst, lo, p.rewriter.i32(0));
}

const NARROW_LOADS: ReadonlyMap<number, readonly [number, signed: boolean]> = new Map([
  [Op.I64Load8S, [Op.I32Load8S, true]],
  [Op.I64Load8U, [Op.I32Load8U, false]],
  [Op.I64Load16S, [Op.I32Load16S, true]],
  [Op.I64Load16U, [Op.I32Load16U, false]],
  [Op.I64Load32S, [Op.I32Load, true]],
  [Op.I64Load32U, [Op.I32Load, false]],
]);
const NARROW_STORES: ReadonlyMap<number, number> = new Map([
  [Op.I64Store8, Op.I32Store8],
  [Op.I64Store16, Op.I32Store16],
  [Op.I64Store32, Op.I32Store],
]);

function load(p: PairOps, inst: Inst): void {
  const r = p.rewriter;
  const pointer = inst.args[0]!;
  const narrow = NARROW_LOADS.get(inst.op);
  const lo = r.emit(narrow?.[0] ?? Op.I32Load, [pointer], inst.imm, inst.imm2);
  if (narrow === undefined) p.set(inst, lo, r.emit(Op.I32Load, [pointer], inst.imm + 4, inst.imm2));
  else p.set(inst, lo, narrow[1] ? signOf(r, lo) : r.i32(0));
}

function store(p: PairOps, inst: Inst): void {
  const r = p.rewriter;
  const [pointer, value] = inst.args as [Inst, Inst];
  r.emit(NARROW_STORES.get(inst.op) ?? Op.I32Store, [pointer, p.lo(value)], inst.imm, inst.imm2);
  if (inst.op === Op.I64Store) r.emit(Op.I32Store, [pointer, p.hi(value)], inst.imm + 4, inst.imm2);
}

/** Ordered comparisons: swap operands, negate the result, signedness of the upper words. */
const ORDERED: ReadonlyMap<number, { readonly swap: boolean; readonly negate: boolean; readonly less: number }> =
  new Map([
    [Op.I64LtS, { swap: false, negate: false, less: Op.I32LtS }],
    [Op.I64LtU, { swap: false, negate: false, less: Op.I32LtU }],
    [Op.I64GtS, { swap: true, negate: false, less: Op.I32LtS }],
    [Op.I64GtU, { swap: true, negate: false, less: Op.I32LtU }],
    [Op.I64LeS, { swap: true, negate: true, less: Op.I32LtS }],
    [Op.I64LeU, { swap: true, negate: true, less: Op.I32LtU }],
    [Op.I64GeS, { swap: false, negate: true, less: Op.I32LtS }],
    [Op.I64GeU, { swap: false, negate: true, less: Op.I32LtU }],
  ]);

function compare(p: PairOps, inst: Inst): void {
  const r = p.rewriter;
  const a = inst.args[0]!;
  if (inst.op === Op.I64Eqz) return r.replaceBy(inst, r.emit(Op.I32Eqz, [or(r, p.lo(a), p.hi(a))]));
  const b = inst.args[1]!;
  if (inst.op === Op.I64Eq || inst.op === Op.I64Ne) {
    const differ = or(r, xor(r, p.lo(a), p.lo(b)), xor(r, p.hi(a), p.hi(b)));
    const zero = r.i32(0);
    return r.replaceBy(inst, r.emit(inst.op === Op.I64Eq ? Op.I32Eq : Op.I32Ne, [differ, zero]));
  }
  const rule = ORDERED.get(inst.op);
  if (rule === undefined) throw new InternalError(`no i64 legalisation of ${OPS[inst.op]!.name}`);
  const [x, y] = rule.swap ? [b, a] : [a, b];
  const [xl, xh, yl, yh] = [p.lo(x), p.hi(x), p.lo(y), p.hi(y)];
  let less: Inst;
  if (isI32(yl, 0) && isI32(yh, 0) && rule.less === Op.I32LtS) less = r.emit(Op.I32LtS, [xh, yh]);
  else if (isI32(xh, 0) && isI32(yh, 0)) less = r.emit(Op.I32LtU, [xl, yl]);
  else {
    const upper = r.emit(rule.less, [xh, yh]);
    const lower = r.emit(Op.I32LtU, [xl, yl]);
    less = select(r, r.emit(Op.I32Ne, [xh, yh]), upper, lower);
  }
  r.replaceBy(inst, rule.negate ? r.emit(Op.I32Eqz, [less]) : less);
}
