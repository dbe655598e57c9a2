// The MAC16 option of LX6: 16 x 16 -> 40 bit multiply-accumulate rows. A table, written as families of four: which
// halves (l, h) of the two sources are multiplied. Knows no accumulator arithmetic.

import { AR, MR, load, row } from './build.js';
import type { RowExtras, RowSpec } from './build.js';
import type { OperandSpec } from '../types.js';

const SETS = { defs: ['acclo', 'acchi'] } as const;
const ACCUMULATES = { uses: ['acclo', 'acchi'], defs: ['acclo', 'acchi'] } as const;
const ACCUMULATES_AND_LOADS = { ...ACCUMULATES, access: load(4) } as const;

type Halves<P extends string, S extends string> = readonly [
  RowSpec<`${P}.ll${S}`>,
  RowSpec<`${P}.hl${S}`>,
  RowSpec<`${P}.lh${S}`>,
  RowSpec<`${P}.hh${S}`>,
];

/** The four half selections of one family; they differ in bits 17:16. */
function halves<const P extends string, const S extends string>(
  prefix: P,
  suffix: S,
  word: number,
  operands: readonly OperandSpec[],
  extras: RowExtras,
): Halves<P, S> {
  return [
    row(`${prefix}.ll${suffix}`, word, operands, 'mac16', extras),
    row(`${prefix}.hl${suffix}`, word + 0x010000, operands, 'mac16', extras),
    row(`${prefix}.lh${suffix}`, word + 0x020000, operands, 'mac16', extras),
    row(`${prefix}.hh${suffix}`, word + 0x030000, operands, 'mac16', extras),
  ];
}

const AA = [AR.s.u, AR.t.u];
const AD = [AR.s.u, MR.y.u];
const DA = [MR.x.u, AR.t.u];
const DD = [MR.x.u, MR.y.u];
/** With a parallel load of mw from the pre-decremented or pre-incremented as. */
const LOAD_DA = [MR.w.d, AR.s.m, MR.x.u, AR.t.u];
const LOAD_DD = [MR.w.d, AR.s.m, MR.x.u, MR.y.u];

export const MAC16_ROWS = [
  ...halves('umul.aa', '', 0x700004, AA, SETS),
  ...halves('mul.aa', '', 0x740004, AA, SETS),
  ...halves('mul.ad', '', 0x340004, AD, SETS),
  ...halves('mul.da', '', 0x640004, DA, SETS),
  ...halves('mul.dd', '', 0x240004, DD, SETS),
  ...halves('mula.aa', '', 0x780004, AA, ACCUMULATES),
  ...halves('mula.ad', '', 0x380004, AD, ACCUMULATES),
  ...halves('mula.da', '', 0x680004, DA, ACCUMULATES),
  ...halves('mula.dd', '', 0x280004, DD, ACCUMULATES),
  ...halves('muls.aa', '', 0x7c0004, AA, ACCUMULATES),
  ...halves('muls.ad', '', 0x3c0004, AD, ACCUMULATES),
  ...halves('muls.da', '', 0x6c0004, DA, ACCUMULATES),
  ...halves('muls.dd', '', 0x2c0004, DD, ACCUMULATES),
  ...halves('mula.da', '.lddec', 0x580004, LOAD_DA, ACCUMULATES_AND_LOADS),
  ...halves('mula.da', '.ldinc', 0x480004, LOAD_DA, ACCUMULATES_AND_LOADS),
  ...halves('mula.dd', '.lddec', 0x180004, LOAD_DD, ACCUMULATES_AND_LOADS),
  ...halves('mula.dd', '.ldinc', 0x080004, LOAD_DD, ACCUMULATES_AND_LOADS),
  row('lddec', 0x900004, [MR.w.d, AR.s.m], 'mac16', { access: load(4) }),
  row('ldinc', 0x800004, [MR.w.d, AR.s.m], 'mac16', { access: load(4) }),
] as const;
