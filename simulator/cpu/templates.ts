// The semantics of every instruction that needs nothing but registers and memory, each written once as a source
// template. Takes a `Emitter` that says how a register or an access is spelled, gives JavaScript statements; the same
// template makes the single-step handler (interpreter.ts) and the body of translated code (translate.ts).
// Long because it is a table: one row per instruction. Source: Xtensa ISA reference, chapter 6.
//
// Names that generated code may use (bound by runtime.ts): FB/F float registers as bits/floats, mulUnsignedHigh,
// mulSignedHigh, normalizeSigned, clampSigned, funnelRight, nan2, fusedMultiplyAdd, ... and the temporaries t, u, v.

import { FLOAT_TEMPLATES } from './templates-float.js';

/** How registers, immediates and memory accesses are spelled in the code being generated. */
export interface Emitter {
  /** Value of the AR operand `i`, an int32. */
  r(i: number): string;
  /** The AR operand `i` as a place to assign an int32 to. */
  w(i: number): string;
  /** The operand's number: an immediate, or a register's number. */
  n(i: number): string;
  /** Special register by number, as a place: an int32. */
  sr(number: number): string;
  /** Address of the instruction plus the displacement in operand `i`. */
  target(i: number): string;
  /**
   * Statements that load and then run `use(value)`. `value` is a side-effect free int32 expression; bytes and halfwords
   * are zero-extended.
   */
  load(bytes: 1 | 2 | 4, address: string, use: (value: string) => string): string;
  /** Statements that store, and then `after`, which must not run when the store faults. */
  store(bytes: 1 | 2 | 4, address: string, value: string, after?: string): string;
  /** Statement that raises an exception when the condition holds; nothing was changed before. */
  raiseIf(condition: string, cause: number): string;
  /** True when the code must also be right for rounding modes other than to nearest even. */
  readonly anyRounding: boolean;
}

export type Template = (e: Emitter) => string;

export interface Templates {
  /** Statements. */
  readonly plain: Readonly<Record<string, Template>>;
  /** Condition expressions of conditional branches. */
  readonly branch: Readonly<Record<string, Template>>;
}

const SAR = 3;
const BR = 4;
const SCOMPARE1 = 12;
const DIVIDE_BY_ZERO = 6;

const binary =
  (expression: (a: string, b: string) => string): Template =>
  (e) =>
    `${e.w(0)} = ${expression(e.r(1), e.r(2))};`;
const unary =
  (expression: (a: string) => string): Template =>
  (e) =>
    `${e.w(0)} = ${expression(e.r(1))};`;
const immediate =
  (expression: (a: string, imm: string) => string): Template =>
  (e) =>
    `${e.w(0)} = ${expression(e.r(1), e.n(2))};`;
const conditionalMove =
  (condition: (e: Emitter) => string): Template =>
  (e) =>
    `if (${condition(e)}) ${e.w(0)} = ${e.r(1)};`;
const divide =
  (expression: (a: string, b: string) => string): Template =>
  (e) =>
    `${e.raiseIf(`${e.r(2)} === 0`, DIVIDE_BY_ZERO)} ${e.w(0)} = ${expression(e.r(1), e.r(2))};`;

/** Address of a base-plus-offset access: operand 1 + operand 2. */
export const baseOffset = (e: Emitter): string => `(${e.r(1)} + ${e.n(2)}) | 0`;

const load =
  (bytes: 1 | 2 | 4, extend: (value: string) => string = (value) => value): Template =>
  (e) =>
    e.load(bytes, baseOffset(e), (value) => `${e.w(0)} = ${extend(value)};`);
const store =
  (bytes: 1 | 2 | 4): Template =>
  (e) =>
    e.store(bytes, baseOffset(e), e.r(0));

const add = binary((a, b) => `(${a} + ${b}) | 0`);
const addImmediate = immediate((a, imm) => `(${a} + ${imm}) | 0`);
const nothing: Template = () => '';

/** Sets boolean register `operand i` to a 0/1 expression. */
export const setBoolean = (e: Emitter, i: number, value: string): string =>
  `${e.sr(BR)} = (${e.sr(BR)} & ~(1 << ${e.n(i)})) | ((${value}) << ${e.n(i)});`;
export const boolean = (e: Emitter, i: number): string => `((${e.sr(BR)} >>> ${e.n(i)}) & 1)`;

const booleans =
  (expression: (a: string, b: string) => string): Template =>
  (e) =>
    setBoolean(e, 0, `${expression(boolean(e, 1), boolean(e, 2))} & 1`);
const booleanGroup =
  (width: number, all: boolean): Template =>
  (e) => {
    const mask = (1 << width) - 1;
    const group = `((${e.sr(BR)} >>> ${e.n(1)}) & ${mask})`;
    return setBoolean(e, 0, all ? `(${group} === ${mask} ? 1 : 0)` : `(${group} !== 0 ? 1 : 0)`);
  };

const PLAIN: Readonly<Record<string, Template>> = {
  add,
  'add.n': add,
  addx2: binary((a, b) => `((${a} << 1) + ${b}) | 0`),
  addx4: binary((a, b) => `((${a} << 2) + ${b}) | 0`),
  addx8: binary((a, b) => `((${a} << 3) + ${b}) | 0`),
  sub: binary((a, b) => `(${a} - ${b}) | 0`),
  subx2: binary((a, b) => `((${a} << 1) - ${b}) | 0`),
  subx4: binary((a, b) => `((${a} << 2) - ${b}) | 0`),
  subx8: binary((a, b) => `((${a} << 3) - ${b}) | 0`),
  addi: addImmediate,
  'addi.n': addImmediate,
  addmi: addImmediate,
  neg: unary((a) => `-${a} | 0`),
  abs: unary((a) => `(${a} < 0 ? -${a} | 0 : ${a})`),
  and: binary((a, b) => `${a} & ${b}`),
  or: binary((a, b) => `${a} | ${b}`),
  xor: binary((a, b) => `${a} ^ ${b}`),
  movi: (e) => `${e.w(0)} = ${e.n(1)};`,
  'movi.n': (e) => `${e.w(0)} = ${e.n(1)};`,
  'mov.n': unary((a) => a),
  moveqz: conditionalMove((e) => `${e.r(2)} === 0`),
  movnez: conditionalMove((e) => `${e.r(2)} !== 0`),
  movltz: conditionalMove((e) => `${e.r(2)} < 0`),
  movgez: conditionalMove((e) => `${e.r(2)} >= 0`),
  movf: conditionalMove((e) => `${boolean(e, 2)} === 0`),
  movt: conditionalMove((e) => `${boolean(e, 2)} !== 0`),
  nop: nothing,
  'nop.n': nothing,
  memw: nothing,
  extw: nothing,
  isync: nothing,
  rsync: nothing,
  esync: nothing,
  dsync: nothing,
  excw: nothing,

  slli: immediate((a, n) => `${a} << ${n}`),
  srai: immediate((a, n) => `${a} >> ${n}`),
  srli: immediate((a, n) => `(${a} >>> ${n}) | 0`),
  extui: (e) => `${e.w(0)} = (${e.r(1)} >>> ${e.n(2)}) & ((1 << ${e.n(3)}) - 1);`,
  // SAR holds 0..32 for left shifts (32 - amount, ssl) and 0..31 for right shifts; wsr can store 0..63.
  sll: (e) => `${e.w(0)} = funnelRight(${e.r(1)}, 0, ${e.sr(SAR)});`,
  srl: (e) => `${e.w(0)} = ${e.sr(SAR)} > 31 ? 0 : (${e.r(1)} >>> ${e.sr(SAR)}) | 0;`,
  sra: (e) => `${e.w(0)} = ${e.r(1)} >> (${e.sr(SAR)} > 31 ? 31 : ${e.sr(SAR)});`,
  src: (e) => `${e.w(0)} = funnelRight(${e.r(1)}, ${e.r(2)}, ${e.sr(SAR)}) | 0;`,
  ssr: (e) => `${e.sr(SAR)} = ${e.r(0)} & 31;`,
  ssl: (e) => `${e.sr(SAR)} = 32 - (${e.r(0)} & 31);`,
  ssa8l: (e) => `${e.sr(SAR)} = (${e.r(0)} & 3) << 3;`,
  ssa8b: (e) => `${e.sr(SAR)} = 32 - ((${e.r(0)} & 3) << 3);`,
  ssai: (e) => `${e.sr(SAR)} = ${e.n(0)};`,
  nsa: unary((a) => `normalizeSigned(${a})`),
  nsau: unary((a) => `Math.clz32(${a})`),
  sext: (e) => `${e.w(0)} = (${e.r(1)} << (31 - ${e.n(2)})) >> (31 - ${e.n(2)});`,
  clamps: (e) => `${e.w(0)} = clampSigned(${e.r(1)}, ${e.n(2)});`,
  min: binary((a, b) => `(${a} < ${b} ? ${a} : ${b})`),
  max: binary((a, b) => `(${a} > ${b} ? ${a} : ${b})`),
  minu: binary((a, b) => `((${a} >>> 0) < (${b} >>> 0) ? ${a} : ${b})`),
  maxu: binary((a, b) => `((${a} >>> 0) > (${b} >>> 0) ? ${a} : ${b})`),
  mul16u: binary((a, b) => `Math.imul(${a} & 0xffff, ${b} & 0xffff)`),
  mul16s: binary((a, b) => `Math.imul((${a} << 16) >> 16, (${b} << 16) >> 16)`),
  mull: binary((a, b) => `Math.imul(${a}, ${b})`),
  muluh: binary((a, b) => `mulUnsignedHigh(${a}, ${b})`),
  mulsh: binary((a, b) => `mulSignedHigh(${a}, ${b})`),
  quou: divide((a, b) => `((${a} >>> 0) / (${b} >>> 0)) | 0`),
  quos: divide((a, b) => `(${a} / ${b}) | 0`),
  remu: divide((a, b) => `((${a} >>> 0) % (${b} >>> 0)) | 0`),
  rems: divide((a, b) => `(${a} % ${b}) | 0`),

  l8ui: load(1),
  l16ui: load(2),
  l16si: load(2, (value) => `(${value} << 16) >> 16`),
  l32i: load(4),
  'l32i.n': load(4),
  l32ai: load(4),
  l32e: load(4),
  l32r: (e) => e.load(4, `${e.target(1)} | 0`, (value) => `${e.w(0)} = ${value};`),
  s8i: store(1),
  s16i: store(2),
  s32i: store(4),
  's32i.n': store(4),
  s32ri: store(4),
  s32e: store(4),
  // Compares with SCOMPARE1, stores on equality, and returns the old word either way.
  s32c1i: (e) =>
    e.load(
      4,
      baseOffset(e),
      (value) => `u = ${value}; if (u === ${e.sr(SCOMPARE1)}) { ${e.store(4, baseOffset(e), e.r(0))} } ${e.w(0)} = u;`,
    ),

  andb: booleans((a, b) => `${a} & ${b}`),
  andbc: booleans((a, b) => `${a} & ~${b}`),
  orb: booleans((a, b) => `(${a} | ${b})`),
  orbc: booleans((a, b) => `(${a} | ~${b})`),
  xorb: booleans((a, b) => `(${a} ^ ${b})`),
  any4: booleanGroup(4, false),
  all4: booleanGroup(4, true),
  any8: booleanGroup(8, false),
  all8: booleanGroup(8, true),
  ...FLOAT_TEMPLATES,
};

const compare =
  (expression: (a: string, b: string) => string): Template =>
  (e) =>
    expression(e.r(0), e.r(1));
const compareZero =
  (operator: string): Template =>
  (e) =>
    `${e.r(0)} ${operator} 0`;
const compareImmediate =
  (operator: string): Template =>
  (e) =>
    `${e.r(0)} ${operator} ${e.n(1)}`;
const compareUnsigned =
  (operator: string): Template =>
  (e) =>
    `(${e.r(0)} >>> 0) ${operator} (${e.n(1)} >>> 0)`;

const BRANCH: Readonly<Record<string, Template>> = {
  beq: compare((a, b) => `${a} === ${b}`),
  bne: compare((a, b) => `${a} !== ${b}`),
  blt: compare((a, b) => `${a} < ${b}`),
  bge: compare((a, b) => `${a} >= ${b}`),
  bltu: compare((a, b) => `(${a} >>> 0) < (${b} >>> 0)`),
  bgeu: compare((a, b) => `(${a} >>> 0) >= (${b} >>> 0)`),
  bany: compare((a, b) => `(${a} & ${b}) !== 0`),
  bnone: compare((a, b) => `(${a} & ${b}) === 0`),
  ball: compare((a, b) => `(~${a} & ${b}) === 0`),
  bnall: compare((a, b) => `(~${a} & ${b}) !== 0`),
  bbc: compare((a, b) => `((${a} >>> ${b}) & 1) === 0`),
  bbs: compare((a, b) => `((${a} >>> ${b}) & 1) !== 0`),
  bbci: (e) => `((${e.r(0)} >>> ${e.n(1)}) & 1) === 0`,
  bbsi: (e) => `((${e.r(0)} >>> ${e.n(1)}) & 1) !== 0`,
  beqz: compareZero('==='),
  bnez: compareZero('!=='),
  bltz: compareZero('<'),
  bgez: compareZero('>='),
  'beqz.n': compareZero('==='),
  'bnez.n': compareZero('!=='),
  beqi: compareImmediate('==='),
  bnei: compareImmediate('!=='),
  blti: compareImmediate('<'),
  bgei: compareImmediate('>='),
  bltui: compareUnsigned('<'),
  bgeui: compareUnsigned('>='),
  bf: (e) => `${boolean(e, 0)} === 0`,
  bt: (e) => `${boolean(e, 0)} !== 0`,
};

export const TEMPLATES: Templates = { plain: PLAIN, branch: BRANCH };
