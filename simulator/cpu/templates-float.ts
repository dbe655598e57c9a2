// Source templates of the single-precision instructions (see templates.ts). NaN results are made by helpers on bits, so
// that payloads are what the FPU gives and never what a JavaScript engine leaves in a NaN.

import type { Emitter, Template } from './templates.js';

const BR = 4;

const bits = (e: Emitter, i: number): string => `FB[${e.n(i)}]`;
const value = (e: Emitter, i: number): string => `F[${e.n(i)}]`;

/** d = a op b in double, rounded once to single: exact for + - * by innocuous double rounding. */
const arithmetic =
  (operator: '+' | '-' | '*'): Template =>
  (e) => {
    const [d, a, b] = [e.n(0), e.n(1), e.n(2)];
    const nearest =
      `v = F[${a}] ${operator} F[${b}]; ` + `if (v === v) F[${d}] = v; else FB[${d}] = nan2(FB[${a}], FB[${b}]);`;
    if (!e.anyRounding) return nearest;
    return `if (rounding.mode !== 0) FB[${d}] = directed('${operator}', FB[${a}], FB[${b}], rounding.mode); else { ${nearest} }`;
  };

const fused =
  (negate: boolean): Template =>
  (e) => {
    const [d, a, b] = [e.n(0), e.n(1), e.n(2)];
    const nearest =
      `v = F[${d}] ${negate ? '-' : '+'} F[${a}] * F[${b}]; ` +
      `if (needsFusedRounding(v)) FB[${d}] = fusedMultiplyAdd(FB[${d}], FB[${a}], FB[${b}], ${negate}); ` +
      `else F[${d}] = v;`;
    if (!e.anyRounding) return nearest;
    const other = `directedFused(FB[${d}], FB[${a}], FB[${b}], ${negate}, rounding.mode)`;
    return `if (rounding.mode !== 0) FB[${d}] = ${other}; else { ${nearest} }`;
  };

const conditionalMove =
  (condition: (e: Emitter) => string): Template =>
  (e) =>
    `if (${condition(e)}) ${bits(e, 0)} = ${bits(e, 1)};`;
const booleanBit = (e: Emitter, i: number): string => `((${e.sr(BR)} >>> ${e.n(i)}) & 1)`;

const compare =
  (expression: (a: string, b: string) => string): Template =>
  (e) =>
    `u = ${expression(value(e, 1), value(e, 2))} ? 1 : 0; ` +
    `${e.sr(BR)} = (${e.sr(BR)} & ~(1 << ${e.n(0)})) | (u << ${e.n(0)});`;

const toInteger =
  (helper: string): Template =>
  (e) =>
    `${e.w(0)} = ${helper}(${bits(e, 1)}, ${e.n(2)});`;
const fromInteger =
  (helper: string): Template =>
  (e) =>
    `${bits(e, 0)} = ${helper}(${e.r(1)}, ${e.n(2)}, rounding.mode);`;

const baseOffset = (e: Emitter): string => `(${e.r(1)} + ${e.n(2)}) | 0`;
const baseIndex = (e: Emitter): string => `(${e.r(1)} + ${e.r(2)}) | 0`;
const bump = (e: Emitter, by: string): string => `${e.w(1)} = (${e.r(1)} + ${by}) | 0;`;

const step1 =
  (helper: string): Template =>
  (e) =>
    `${bits(e, 0)} = ${helper}(${bits(e, 1)});`;
const step2 =
  (helper: string): Template =>
  (e) =>
    `${bits(e, 0)} = ${helper}(${bits(e, 0)}, ${bits(e, 1)});`;

export const FLOAT_TEMPLATES: Readonly<Record<string, Template>> = {
  'add.s': arithmetic('+'),
  'sub.s': arithmetic('-'),
  'mul.s': arithmetic('*'),
  'madd.s': fused(false),
  'msub.s': fused(true),
  'abs.s': (e) => `${bits(e, 0)} = ${bits(e, 1)} & 0x7fffffff;`,
  'neg.s': (e) => `${bits(e, 0)} = ${bits(e, 1)} ^ 0x80000000;`,
  'mov.s': (e) => `${bits(e, 0)} = ${bits(e, 1)};`,
  rfr: (e) => `${e.w(0)} = ${bits(e, 1)};`,
  wfr: (e) => `${bits(e, 0)} = ${e.r(1)};`,
  'moveqz.s': conditionalMove((e) => `${e.r(2)} === 0`),
  'movnez.s': conditionalMove((e) => `${e.r(2)} !== 0`),
  'movltz.s': conditionalMove((e) => `${e.r(2)} < 0`),
  'movgez.s': conditionalMove((e) => `${e.r(2)} >= 0`),
  'movf.s': conditionalMove((e) => `${booleanBit(e, 2)} === 0`),
  'movt.s': conditionalMove((e) => `${booleanBit(e, 2)} !== 0`),
  'round.s': toInteger('roundToInt'),
  'trunc.s': toInteger('truncToInt'),
  'floor.s': toInteger('floorToInt'),
  'ceil.s': toInteger('ceilToInt'),
  'utrunc.s': toInteger('truncToUint'),
  'float.s': fromInteger('intToFloat'),
  'ufloat.s': fromInteger('uintToFloat'),
  'un.s': compare((a, b) => `(${a} !== ${a} || ${b} !== ${b})`),
  'oeq.s': compare((a, b) => `(${a} === ${b})`),
  'ueq.s': compare((a, b) => `!(${a} < ${b} || ${a} > ${b})`),
  'olt.s': compare((a, b) => `(${a} < ${b})`),
  'ult.s': compare((a, b) => `!(${a} >= ${b})`),
  'ole.s': compare((a, b) => `(${a} <= ${b})`),
  'ule.s': compare((a, b) => `!(${a} > ${b})`),

  lsi: (e) => e.load(4, baseOffset(e), (word) => `${bits(e, 0)} = ${word};`),
  lsx: (e) => e.load(4, baseIndex(e), (word) => `${bits(e, 0)} = ${word};`),
  // The base is updated after the access (post-increment): `lsip` and friends of the newer FPU, not `lsiu`.
  lsip: (e) => e.load(4, e.r(1), (word) => `${bits(e, 0)} = ${word}; ${bump(e, e.n(2))}`),
  lsxp: (e) => e.load(4, e.r(1), (word) => `${bits(e, 0)} = ${word}; ${bump(e, e.r(2))}`),
  ssi: (e) => e.store(4, baseOffset(e), bits(e, 0)),
  ssx: (e) => e.store(4, baseIndex(e), bits(e, 0)),
  ssip: (e) => e.store(4, e.r(1), bits(e, 0), bump(e, e.n(2))),
  ssxp: (e) => e.store(4, e.r(1), bits(e, 0), bump(e, e.r(2))),

  'maddn.s': (e) => `FB[${e.n(0)}] = fusedMultiplyAdd(FB[${e.n(0)}], FB[${e.n(1)}], FB[${e.n(2)}], false);`,
  'divn.s': (e) => `FB[${e.n(0)}] = divideNormalize(FB[${e.n(0)}], FB[${e.n(1)}], FB[${e.n(2)}]);`,
  'const.s': (e) => `${bits(e, 0)} = floatConstant(${e.n(1)});`,
  'div0.s': step1('divideEstimate'),
  'recip0.s': step1('reciprocalEstimate'),
  'sqrt0.s': step1('rootEstimate'),
  'rsqrt0.s': step1('reciprocalRootEstimate'),
  'nexp01.s': step1('normalizeExponent01'),
  'mksadj.s': step1('makeRootAdjust'),
  'mkdadj.s': step2('makeDivideAdjust'),
  'addexp.s': step2('addExponent'),
  'addexpm.s': step2('addExponentFromMantissa'),
};
