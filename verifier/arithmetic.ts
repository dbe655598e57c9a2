// What arithmetic instructions leave in their registers: values where they are constants or sums with constants, else arcs.
// A family of per-instruction rules. Knows no memory and no control flow.
import { Op } from '../backend-xtensa/isa/table.js';
import {
  FULL,
  and,
  high,
  low,
  negate,
  or,
  range,
  scaleDown,
  shift,
  signedHigh,
  signedLow,
  sum,
  type Arc,
} from './arc.js';
import { CONSTANT, Made, NOTHING, joinFacts, type Fact, type Value } from './facts.js';
import type { Walk } from './walk.js';

/** Operands in row order; the first is the destination. */
type Rule = (walk: Walk, operands: readonly number[]) => void;

const constant = (value: number): Value => ({ symbol: CONSTANT, offset: value | 0 });
const isConstant = (value: Value): boolean => value.symbol === CONSTANT;

export function addValues(walk: Walk, slot: number, a: Value, b: Value): Value {
  if (isConstant(b)) return { symbol: a.symbol, offset: (a.offset + b.offset) | 0 };
  if (isConstant(a)) return { symbol: b.symbol, offset: (a.offset + b.offset) | 0 };
  if (a.symbol === b.symbol) {
    const twice = shiftLeft(walk, slot, a, 1);
    return { symbol: twice.symbol, offset: (twice.offset + b.offset - a.offset) | 0 };
  }
  const arc =
    remainder(walk, a, b, Made.NegativeMultiple) ??
    remainder(walk, b, a, Made.NegativeMultiple) ??
    sum(walk.arc(a), walk.arc(b));
  return walk.within(slot, arc);
}

/** What `a` leaves over if `multiple` is the multiple of a number next below it (or that negated); null if it is not. */
function remainder(walk: Walk, a: Value, multiple: Value, made: Made): Arc | null {
  if (isConstant(multiple)) return null;
  const fact = walk.state.fact(multiple.symbol);
  if (fact.made !== made || fact.of !== a.symbol) return null;
  const beyond = made === Made.Multiple ? -multiple.offset : multiple.offset;
  return shift(range(0, fact.detail - 1), (a.offset - fact.offset + beyond) | 0);
}

function subtract(walk: Walk, slot: number, a: Value, b: Value): Value {
  if (a.symbol === b.symbol) return constant(a.offset - b.offset);
  if (isConstant(b)) return { symbol: a.symbol, offset: (a.offset - b.offset) | 0 };
  return walk.within(slot, remainder(walk, a, b, Made.Multiple) ?? sum(walk.arc(a), negate(walk.arc(b))));
}

function shiftLeft(walk: Walk, slot: number, a: Value, bits: number): Value {
  if (isConstant(a)) return constant(bits > 31 ? 0 : a.offset << bits);
  if (bits === 0) return a;
  if (bits > 31) return walk.within(slot, FULL);
  const known = walk.state.shiftedFrom(a.symbol, bits);
  if (known !== null) return { symbol: known.symbol, offset: (a.offset - known.offset) << bits };
  return walk.make(slot, { ...NOTHING, made: Made.Shifted, of: a.symbol, offset: a.offset, detail: bits });
}

/** Slot of a second symbol that one instruction makes. */
const second = (walk: Walk): number => walk.locations;

const sumOf =
  (bits: number, minus: boolean): Rule =>
  (walk, [d, a, b]) => {
    walk.begin();
    const scaled = shiftLeft(walk, second(walk), walk.get(a!), bits);
    walk.define(d!, (minus ? subtract : addValues)(walk, d!, scaled, walk.get(b!)));
  };

const addImmediate: Rule = (walk, [d, a, imm]) => {
  const value = walk.get(a!);
  walk.define(d!, { symbol: value.symbol, offset: (value.offset + imm!) | 0 });
};

const move: Rule = (walk, [d, s]) => walk.define(d!, walk.get(s!));
const load: Rule = (walk, [d, imm]) => walk.define(d!, constant(imm!));

/** Result from the operands' arcs; constants fold. */
function binary(fold: ((a: number, b: number) => number) | null, arcs: (a: Arc, b: Arc) => Arc): Rule {
  return (walk, [d, a, b]) => {
    walk.begin();
    const x = walk.get(a!);
    const y = walk.get(b!);
    if (fold !== null && isConstant(x) && isConstant(y)) walk.define(d!, constant(fold(x.offset, y.offset)));
    else walk.define(d!, walk.within(d!, arcs(walk.arc(x), walk.arc(y))));
  };
}

/** or d, a, a is how a register is copied. */
const orRule: Rule = (walk, operands) => {
  if (operands[1] === operands[2]) move(walk, operands);
  else binary((a, b) => a | b, or)(walk, operands);
};

function unary(fold: ((a: number, imm: number) => number) | null, arcs: (a: Arc, imm: number) => Arc): Rule {
  return (walk, [d, a, imm]) => {
    walk.begin();
    const x = walk.get(a!);
    if (fold !== null && isConstant(x)) walk.define(d!, constant(fold(x.offset, imm!)));
    else walk.define(d!, walk.within(d!, arcs(walk.arc(x), imm!)));
  };
}

/** The smaller of two values is below whatever either is below. */
const minimumUnsigned: Rule = (walk, [d, a, b]) => {
  walk.begin();
  const x = walk.get(a!);
  const y = walk.get(b!);
  const p = walk.arc(x);
  const q = walk.arc(y);
  const fact: Fact = { ...NOTHING, arc: range(Math.min(low(p), low(q)), Math.min(high(p), high(q))) };
  const bounds = [x, y].flatMap((value) =>
    walk.state
      .relatedObjects(value)
      .map((object) => ({ object, slack: walk.state.slack(value, object, walk.minimum) })),
  );
  const result = walk.make(d!, fact);
  for (const { object, slack } of bounds)
    if (slack >= 0) walk.state.addRelation(result.symbol, { object, offset: 0, slack });
  walk.define(d!, result);
};

const largerUnsigned = binary(
  (a, b) => Math.max(a >>> 0, b >>> 0),
  (a, b) => range(Math.max(low(a), low(b)), Math.max(high(a), high(b))),
);
/** Of a value and a constant: a result above the constant is the value. */
const maximumUnsigned: Rule = (walk, operands) => {
  const [x, y] = [walk.get(operands[1]!), walk.get(operands[2]!)];
  largerUnsigned(walk, operands);
  const [value, floor] = isConstant(y) ? [x, y] : [y, x];
  const { symbol } = walk.get(operands[0]!);
  if (isConstant(value) || !isConstant(floor) || symbol === value.symbol) return;
  const { state } = walk;
  state.facts.set(symbol, {
    ...state.fact(symbol),
    made: Made.Maximum,
    of: value.symbol,
    offset: value.offset,
    detail: floor.offset >>> 0,
  });
};
const signedRange = (from: number, to: number): Arc => ({
  start: from >>> 0,
  length: to - from,
  stride: to === from ? 0 : 1,
});
const minimumSigned = binary(
  (a, b) => Math.min(a, b),
  (a, b) => signedRange(Math.min(signedLow(a), signedLow(b)), Math.min(signedHigh(a), signedHigh(b))),
);
const maximumSigned = binary(
  (a, b) => Math.max(a, b),
  (a, b) => signedRange(Math.max(signedLow(a), signedLow(b)), Math.max(signedHigh(a), signedHigh(b))),
);

const extract: Rule = (walk, [d, a, at, width]) => {
  walk.begin();
  const x = walk.get(a!);
  const mask = 2 ** width! - 1;
  if (isConstant(x)) {
    walk.define(d!, constant((x.offset >>> at!) & mask));
    return;
  }
  const shifted = scaleDown(walk.arc(x), at!);
  walk.define(d!, walk.within(d!, high(shifted) <= mask ? shifted : range(0, mask)));
};

const shiftRightBy: Rule = (walk, [d, a, bits]) => {
  walk.begin();
  const x = walk.get(a!);
  if (isConstant(x)) walk.define(d!, constant(x.offset >>> bits!));
  else
    walk.define(
      d!,
      walk.make(d!, { ...NOTHING, made: Made.ShiftedDown, of: x.symbol, offset: x.offset, detail: bits! }),
    );
};

const shiftLeftBy: Rule = (walk, [d, a, bits]) => {
  walk.begin();
  walk.define(d!, shiftLeft(walk, d!, walk.get(a!), bits!));
};

function product(a: Arc, b: Arc): Arc {
  const top = high(a) * high(b);
  return top > 0xffffffff ? FULL : range(low(a) * low(b), top);
}

const quotient: Rule = (walk, [d, a, b]) => {
  walk.begin();
  const x = walk.get(a!);
  const y = walk.get(b!);
  const arc = range(0, Math.floor(high(walk.arc(x)) / Math.max(1, low(walk.arc(y)))));
  const divisor = y.offset >>> 0;
  const made = isConstant(y) && divisor > 0 && !isConstant(x);
  const origin = { made: Made.Quotient, of: x.symbol, offset: x.offset, detail: divisor };
  walk.define(d!, walk.make(d!, { ...NOTHING, arc, ...(made ? origin : {}) }));
};

const multiply: Rule = (walk, operands) => {
  walk.begin();
  const [d, a, b] = operands as [number, number, number];
  const [x, y] = isConstant(walk.get(a)) ? [walk.get(b), walk.get(a)] : [walk.get(a), walk.get(b)];
  const fact = isConstant(x) || x.offset !== 0 || !isConstant(y) ? NOTHING : walk.state.fact(x.symbol);
  const sign =
    fact.made !== Made.Quotient ? 0 : y.offset === (fact.detail | 0) ? 1 : y.offset === (-fact.detail | 0) ? -1 : 0;
  if (sign === 0) multiplyAny(walk, operands);
  else {
    const made = sign > 0 ? Made.Multiple : Made.NegativeMultiple;
    const { of, offset, detail } = fact;
    walk.define(d, walk.make(d, { ...NOTHING, made, of, offset, detail }));
  }
};
const multiplyAny = binary(Math.imul, product);

/** d keeps its value or becomes s. */
const conditionalMove: Rule = (walk, [d, s]) => {
  walk.begin();
  const fact = joinFacts(walk.state.describe(walk.get(d!)), walk.state.describe(walk.get(s!)), walk.minimum);
  walk.define(d!, walk.make(d!, fact));
};

const upTo = (top: number): (() => Arc) => {
  const arc = range(0, top);
  return () => arc;
};
const anything = (): Arc => FULL;

/** Rule by opcode; instructions without one leave something unknown in the registers they write. */
export const ARITHMETIC: readonly (Rule | undefined)[] = table({
  [Op.ADD]: sumOf(0, false),
  [Op.ADD_N]: sumOf(0, false),
  [Op.ADDX2]: sumOf(1, false),
  [Op.ADDX4]: sumOf(2, false),
  [Op.ADDX8]: sumOf(3, false),
  [Op.SUB]: sumOf(0, true),
  [Op.SUBX2]: sumOf(1, true),
  [Op.SUBX4]: sumOf(2, true),
  [Op.SUBX8]: sumOf(3, true),
  [Op.ADDI]: addImmediate,
  [Op.ADDI_N]: addImmediate,
  [Op.ADDMI]: addImmediate,
  [Op.MOV_N]: move,
  [Op.MOVI]: load,
  [Op.MOVI_N]: load,
  [Op.AND]: binary((a, b) => a & b, and),
  [Op.OR]: orRule,
  [Op.XOR]: binary((a, b) => a ^ b, or),
  [Op.NEG]: unary(
    (a) => -a,
    (a) => negate(a),
  ),
  [Op.ABS]: unary((a) => Math.abs(a), upTo(0x80000000)),
  [Op.SLLI]: shiftLeftBy,
  [Op.SRLI]: shiftRightBy,
  [Op.SRAI]: unary(
    (a, bits) => a >> bits,
    (a, bits) =>
      high(a) <= 0x7fffffff ? scaleDown(a, bits) : signedRange(signedLow(a) >> bits, signedHigh(a) >> bits),
  ),
  [Op.EXTUI]: extract,
  [Op.SEXT]: unary(
    (a, bit) => (a << (31 - bit)) >> (31 - bit),
    (a, bit) => (high(a) < 2 ** bit ? a : signedRange(-(2 ** bit), 2 ** bit - 1)),
  ),
  [Op.CLAMPS]: unary(null, (_a, bit) => signedRange(-(2 ** bit), 2 ** bit - 1)),
  // A right shift by an unknown amount makes no unsigned number larger.
  [Op.SRL]: unary(null, (a) => range(0, high(a))),
  [Op.SRA]: unary(null, (a) => (high(a) <= 0x7fffffff ? range(0, high(a)) : FULL)),
  [Op.NSA]: unary(null, upTo(31)),
  [Op.NSAU]: unary(
    (a) => Math.clz32(a),
    (a) => range(Math.clz32(high(a)), Math.clz32(low(a))),
  ),
  [Op.MIN]: minimumSigned,
  [Op.MAX]: maximumSigned,
  [Op.MINU]: minimumUnsigned,
  [Op.MAXU]: maximumUnsigned,
  [Op.MUL16U]: binary(null, upTo(0xfffe0001)),
  [Op.MULL]: multiply,
  [Op.MULUH]: binary(null, (a, b) => range(0, Math.min(0xffffffff, Math.ceil((high(a) * high(b)) / 2 ** 32)))),
  [Op.QUOU]: quotient,
  [Op.REMU]: binary(null, (a, b) => range(0, Math.min(high(a), Math.max(0, high(b) - 1)))),
  [Op.QUOS]: binary(null, anything),
  [Op.REMS]: binary(null, anything),
  [Op.MOVEQZ]: conditionalMove,
  [Op.MOVNEZ]: conditionalMove,
  [Op.MOVLTZ]: conditionalMove,
  [Op.MOVGEZ]: conditionalMove,
  [Op.MOVF]: conditionalMove,
  [Op.MOVT]: conditionalMove,
});

function table(rules: Readonly<Record<number, Rule>>): (Rule | undefined)[] {
  const list: (Rule | undefined)[] = [];
  for (const [opcode, rule] of Object.entries(rules)) list[Number(opcode)] = rule;
  return list;
}
