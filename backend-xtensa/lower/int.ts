// Selection rules of i32 arithmetic, logic, shifts and bit counting: IR ops in, LX6 instructions with folded immediates,
// scaled adds and bit-field extracts out. Knows no memory, no control flow; truth values are compare.ts's.
import { TrapCode } from '../../compiler/abi/traps.js';
import { Op as Ir } from '../../compiler/ir/ops.js';
import type { Inst } from '../../compiler/ir/function.js';
import { Op } from '../isa/table.js';
import { Pseudo, def, reuseDef, use } from '../mach/inst.js';
import { ADDX, isConst, log2Exact, maskWidth, scale, inverseBranch, type Condition } from './cond.js';
import { comparison, isComparison, unsignedLess } from './compare.js';
import type { Lowering } from './context.js';
import type { Rule, Rules } from './rules.js';

function binary(op: number): Rule {
  return (lo, inst) => lo.emit(op, [lo.def(inst), lo.use(inst.args[0]!), lo.use(inst.args[1]!)]);
}
function unary(op: number, imm = 0): Rule {
  return (lo, inst) => lo.emit(op, [lo.def(inst), lo.use(inst.args[0]!)], imm);
}

const SUBX = [Op.SUB, Op.SUBX2, Op.SUBX4, Op.SUBX8];

const add: Rule = (lo, inst) => {
  let a = inst.args[0]!;
  let b = inst.args[1]!;
  if (isConst(a)) [a, b] = [b, a];
  if (isConst(b)) {
    if (b.imm === 0) lo.move(lo.result(inst), lo.value(a));
    else lo.emitAddImmediate(lo.result(inst), lo.value(a), b.imm);
    return;
  }
  if (scale(b) === 0 && scale(a) !== 0) [a, b] = [b, a];
  const n = scale(b);
  if (n !== 0) {
    lo.emit(ADDX[n]!, [lo.def(inst), lo.use(b.args[0]!), lo.use(a)]);
    return;
  }
  if (isComparison(a) && lo.foldable(a) && !isComparison(b)) [a, b] = [b, a];
  if (isComparison(b) && lo.foldable(b)) {
    addIf(lo, inst, a, comparison(lo, b, true), 1);
    return;
  }
  lo.emit(Op.ADD, [lo.def(inst), lo.use(a), lo.use(b)]);
};

/** inst = a + (c ? amount : 0). */
function addIf(lo: Lowering, inst: Inst, a: Inst, c: Condition, amount: number): void {
  conditionalAdd(lo, lo.result(inst), lo.value(a), c, amount);
}

function conditionalAdd(lo: Lowering, d: number, old: number, c: Condition, amount: number): void {
  const uses = c.b < 0 ? [use(c.a)] : [use(c.a), use(c.b)];
  const pseudo = lo.emit(
    Pseudo.AddUnless,
    [reuseDef(d, uses.length + 1), ...uses, use(old)],
    c.imm,
    inverseBranch(c.op),
  );
  pseudo.amount = amount;
}

const sub: Rule = (lo, inst) => {
  const a = inst.args[0]!;
  const b = inst.args[1]!;
  if (isConst(b)) {
    if (b.imm === 0) lo.move(lo.result(inst), lo.value(a));
    else lo.emitAddImmediate(lo.result(inst), lo.value(a), -b.imm | 0);
    return;
  }
  if (isConst(a) && a.imm === 0) {
    lo.emit(Op.NEG, [lo.def(inst), lo.use(b)]);
    return;
  }
  const n = scale(a);
  if (n !== 0) {
    lo.emit(SUBX[n]!, [lo.def(inst), lo.use(a.args[0]!), lo.use(b)]);
    return;
  }
  if (isComparison(b) && lo.foldable(b)) {
    addIf(lo, inst, a, comparison(lo, b, true), -1);
    return;
  }
  lo.emit(Op.SUB, [lo.def(inst), lo.use(a), lo.use(b)]);
};

/** Multiplications by small constants that one or two simple instructions do; the multiplier takes two cycles. */
const mul: Rule = (lo, inst) => {
  let a = inst.args[0]!;
  let b = inst.args[1]!;
  if (isConst(a)) [a, b] = [b, a];
  if (isConst(b)) {
    const shift = log2Exact(b.imm);
    if (shift >= 0) {
      shiftLeft(lo, inst, a, shift);
      return;
    }
    const x = [3, 5, 9].indexOf(b.imm);
    const op = x >= 0 ? ADDX[x + 1]! : b.imm === 7 ? Op.SUBX8 : -1;
    if (op >= 0) {
      const v = lo.value(a);
      lo.emit(op, [lo.def(inst), use(v), use(v)]);
      return;
    }
    if (b.imm === -1) {
      lo.emit(Op.NEG, [lo.def(inst), lo.use(a)]);
      return;
    }
  }
  lo.emit(Op.MULL, [lo.def(inst), lo.use(a), lo.use(b)]);
};

function shiftLeft(lo: Lowering, inst: Inst, a: Inst, n: number): void {
  if (n === 0) {
    lo.move(lo.result(inst), lo.value(a));
  } else if (n === 1) {
    const v = lo.value(a);
    lo.emit(Op.ADD, [lo.def(inst), use(v), use(v)]);
  } else {
    lo.emit(Op.SLLI, [lo.def(inst), lo.use(a)], n);
  }
}

function divide(op: number): Rule {
  return (lo, inst) => {
    const divisor = inst.args[1]!;
    const mach = lo.emit(op, [lo.def(inst), lo.use(inst.args[0]!), lo.use(divisor)]);
    if (!isConst(divisor) || divisor.imm === 0) mach.site = TrapCode.IntegerDivideByZero;
  };
}

const and: Rule = (lo, inst) => {
  let a = inst.args[0]!;
  let b = inst.args[1]!;
  if (isConst(a)) [a, b] = [b, a];
  if (isConst(b)) {
    const width = maskWidth(b.imm);
    if (width > 0 && loadedBits(a) <= width) {
      lo.move(lo.result(inst), lo.value(a));
      return;
    }
    if (width > 0) {
      extract(lo, inst, a, width);
      return;
    }
  }
  lo.emit(Op.AND, [lo.def(inst), lo.use(a), lo.use(b)]);
};

/** Bits that a value can have set, as far as a narrow load says. */
function loadedBits(inst: Inst): number {
  if (inst.op === Ir.I32Load8U) return 8;
  return inst.op === Ir.I32Load16U ? 16 : 32;
}

/** The low `width` bits of a, through a shift right if there is one. */
function extract(lo: Lowering, inst: Inst, a: Inst, width: number): void {
  if (a.op === Ir.I32ShrU || a.op === Ir.I32ShrS) {
    const n = a.args[1]!;
    if (isConst(n) && (n.imm & 31) + width <= 32) {
      lo.emit(Op.EXTUI, [lo.def(inst), lo.use(a.args[0]!)], n.imm & 31, width);
      return;
    }
  }
  lo.emit(Op.EXTUI, [lo.def(inst), lo.use(a)], 0, width);
}

const shl: Rule = (lo, inst) => {
  const n = inst.args[1]!;
  if (isConst(n)) {
    shiftLeft(lo, inst, inst.args[0]!, n.imm & 31);
    return;
  }
  lo.emit(Op.SSL, [lo.use(n)]);
  lo.emit(Op.SLL, [lo.def(inst), lo.use(inst.args[0]!)]);
};

const shrU: Rule = (lo, inst) => {
  const a = inst.args[0]!;
  const n = inst.args[1]!;
  if (!isConst(n)) {
    lo.emit(Op.SSR, [lo.use(n)]);
    lo.emit(Op.SRL, [lo.def(inst), lo.use(a)]);
    return;
  }
  const amount = n.imm & 31;
  if (amount === 0) lo.move(lo.result(inst), lo.value(a));
  else if (amount <= 15) lo.emit(Op.SRLI, [lo.def(inst), lo.use(a)], amount);
  else lo.emit(Op.EXTUI, [lo.def(inst), lo.use(a)], amount, 32 - amount);
};

const shrS: Rule = (lo, inst) => {
  const a = inst.args[0]!;
  const n = inst.args[1]!;
  if (!isConst(n)) {
    lo.emit(Op.SSR, [lo.use(n)]);
    lo.emit(Op.SRA, [lo.def(inst), lo.use(a)]);
    return;
  }
  const amount = n.imm & 31;
  // (x << k) >> k with k <= 25 is a sign extension from bit 31 - k.
  if (a.op === Ir.I32Shl && isConst(a.args[1]!) && a.args[1]!.imm === amount && amount >= 9 && amount <= 24) {
    lo.emit(Op.SEXT, [lo.def(inst), lo.use(a.args[0]!)], 31 - amount);
  } else if (amount === 0) {
    lo.move(lo.result(inst), lo.value(a));
  } else {
    lo.emit(Op.SRAI, [lo.def(inst), lo.use(a)], amount);
  }
};

/** Rotations: SRC on the value twice. SSL leaves 32 - n in SAR, which rotates right by that much: left by n. */
function rotate(left: boolean): Rule {
  return (lo, inst) => {
    const v = lo.value(inst.args[0]!);
    const n = inst.args[1]!;
    if (isConst(n)) {
      const right = left ? -n.imm & 31 : n.imm & 31;
      if (right === 0) {
        lo.move(lo.result(inst), v);
        return;
      }
      lo.emit(Op.SSAI, [], right);
    } else {
      lo.emit(left ? Op.SSL : Op.SSR, [lo.use(n)]);
    }
    lo.emit(Op.SRC, [lo.def(inst), use(v), use(v)]);
  };
}

/** Funnel shifts: right gives the low word of hi:lo >> n, left the high word of hi:lo << n. */
function funnel(left: boolean): Rule {
  return (lo, inst) => {
    const [hi, low, n] = inst.args as [Inst, Inst, Inst];
    if (isConst(n)) {
      const amount = n.imm & 31;
      if (amount === 0) {
        lo.move(lo.result(inst), lo.value(left ? hi : low));
        return;
      }
      lo.emit(Op.SSAI, [], left ? 32 - amount : amount);
    } else {
      lo.emit(left ? Op.SSL : Op.SSR, [lo.use(n)]);
    }
    lo.emit(Op.SRC, [lo.def(inst), lo.use(hi), lo.use(low)]);
  };
}

/** Trailing zeros: 32 - leading zeros of the ones below the lowest set bit, ((x - 1) | x) ^ x; 32 for 0. */
const ctz: Rule = (lo, inst) => {
  const x = lo.value(inst.args[0]!);
  const below = lo.binary(Op.XOR, lo.binary(Op.OR, lo.immediate(Op.ADDI, x, -1), x), x);
  const zeros = lo.immediate(Op.NSAU, below, 0);
  lo.emit(Op.SUB, [lo.def(inst), use(lo.constant(32)), use(zeros)]);
};

/** Population count by halving sums (Warren, Hacker's Delight, 5-1), the last sum by a multiplication. */
const popcnt: Rule = (lo, inst) => {
  const x = lo.value(inst.args[0]!);
  const pairs = lo.binary(Op.SUB, x, lo.binary(Op.AND, lo.immediate(Op.SRLI, x, 1), lo.constant(0x55555555)));
  const low = lo.binary(Op.AND, pairs, lo.constant(0x33333333));
  const high = lo.binary(Op.AND, lo.immediate(Op.SRLI, pairs, 2), lo.constant(0x33333333));
  const nibbles = lo.binary(Op.ADD, low, high);
  const sums = lo.binary(Op.ADD, lo.immediate(Op.SRLI, nibbles, 4), nibbles);
  const bytes = lo.binary(Op.AND, sums, lo.constant(0x0f0f0f0f));
  const total = lo.binary(Op.MULL, bytes, lo.constant(0x01010101));
  lo.emit(Op.EXTUI, [lo.def(inst), use(total)], 24, 8);
};

/** aHi + bHi + (lo <u aLo): an addition and, rarely, one more. */
const addHi: Rule = (lo, inst) => {
  const [aLo, aHi, bHi, low] = inst.args as [Inst, Inst, Inst, Inst];
  const sum = lo.temp();
  const carry = unsignedLess(lo, low, aLo);
  if (isConst(bHi)) emitSum(lo, sum, aHi, bHi.imm);
  else if (isConst(aHi)) emitSum(lo, sum, bHi, aHi.imm);
  else lo.emit(Op.ADD, [def(sum), lo.use(aHi), lo.use(bHi)]);
  conditionalAdd(lo, lo.result(inst), sum, carry, 1);
};

/** aHi - bHi - (aLo <u bLo). */
const subHi: Rule = (lo, inst) => {
  const [aLo, aHi, bLo, bHi] = inst.args as [Inst, Inst, Inst, Inst];
  const difference = lo.temp();
  const borrow = unsignedLess(lo, aLo, bLo);
  if (isConst(bHi)) emitSum(lo, difference, aHi, -bHi.imm | 0);
  else if (isConst(aHi) && aHi.imm === 0) lo.emit(Op.NEG, [def(difference), lo.use(bHi)]);
  else lo.emit(Op.SUB, [def(difference), lo.use(aHi), lo.use(bHi)]);
  conditionalAdd(lo, lo.result(inst), difference, borrow, -1);
};

function emitSum(lo: Lowering, d: number, a: Inst, imm: number): void {
  if (imm === 0) lo.move(d, lo.value(a));
  else lo.emitAddImmediate(d, lo.value(a), imm);
}

export const INT_RULES: Rules = {
  [Ir.I32Add]: add,
  [Ir.I32Sub]: sub,
  [Ir.I32Mul]: mul,
  [Ir.I32MulHU]: binary(Op.MULUH),
  [Ir.I32MulHS]: binary(Op.MULSH),
  [Ir.I32DivS]: divide(Op.QUOS),
  [Ir.I32DivU]: divide(Op.QUOU),
  [Ir.I32RemS]: divide(Op.REMS),
  [Ir.I32RemU]: divide(Op.REMU),
  [Ir.I32And]: and,
  [Ir.I32Or]: binary(Op.OR),
  [Ir.I32Xor]: binary(Op.XOR),
  [Ir.I32Shl]: shl,
  [Ir.I32ShrU]: shrU,
  [Ir.I32ShrS]: shrS,
  [Ir.I32Rotl]: rotate(true),
  [Ir.I32Rotr]: rotate(false),
  [Ir.I32Funnel]: funnel(false),
  [Ir.I32FunnelL]: funnel(true),
  [Ir.I32Clz]: unary(Op.NSAU),
  [Ir.I32Ctz]: ctz,
  [Ir.I32Popcnt]: popcnt,
  [Ir.I32Extend8S]: unary(Op.SEXT, 7),
  [Ir.I32Extend16S]: unary(Op.SEXT, 15),
  [Ir.I32MinS]: binary(Op.MIN),
  [Ir.I32MinU]: binary(Op.MINU),
  [Ir.I32MaxS]: binary(Op.MAX),
  [Ir.I32MaxU]: binary(Op.MAXU),
  [Ir.I32AddHi]: addHi,
  [Ir.I32SubHi]: subHi,
};
