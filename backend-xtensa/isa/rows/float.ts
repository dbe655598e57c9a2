// Single-precision FPU and boolean-register rows of LX6. A table: one line per instruction. Knows no rounding and no
// NaN rules: those are the simulator's and the runtime's.

import { AR, BR, BR4, BR8, FR, load, row, store, uimm } from './build.js';
import * as F from '../fields.js';

/** Arithmetic rounds by FCR and raises sticky flags in FSR; the step instructions do neither. */
const ROUNDS = { uses: ['fcr'], defs: ['fsr'] } as const;
const FLAGS = { defs: ['fsr'] } as const;
const SCALE = uimm(F.UIMM_T);

export const FLOAT_ROWS = [
  // Loads and stores; the p forms add the offset to the base afterwards.
  row('lsi', 0x000003, [FR.t.d, AR.s.u, uimm(F.UIMM8_X4)], 'fp', { access: load(4) }),
  row('ssi', 0x004003, [FR.t.u, AR.s.u, uimm(F.UIMM8_X4)], 'fp', { access: store(4) }),
  row('lsip', 0x008003, [FR.t.d, AR.s.m, uimm(F.UIMM8_X4)], 'fp', { access: load(4) }),
  row('ssip', 0x00c003, [FR.t.u, AR.s.m, uimm(F.UIMM8_X4)], 'fp', { access: store(4) }),
  row('lsx', 0x080000, [FR.r.d, AR.s.u, AR.t.u], 'fp', { access: load(4) }),
  row('lsxp', 0x180000, [FR.r.d, AR.s.m, AR.t.u], 'fp', { access: load(4) }),
  row('ssx', 0x480000, [FR.r.u, AR.s.u, AR.t.u], 'fp', { access: store(4) }),
  row('ssxp', 0x580000, [FR.r.u, AR.s.m, AR.t.u], 'fp', { access: store(4) }),

  // Arithmetic.
  row('add.s', 0x0a0000, [FR.r.d, FR.s.u, FR.t.u], 'fp', ROUNDS),
  row('sub.s', 0x1a0000, [FR.r.d, FR.s.u, FR.t.u], 'fp', ROUNDS),
  row('mul.s', 0x2a0000, [FR.r.d, FR.s.u, FR.t.u], 'fp', ROUNDS),
  row('madd.s', 0x4a0000, [FR.r.m, FR.s.u, FR.t.u], 'fp', ROUNDS),
  row('msub.s', 0x5a0000, [FR.r.m, FR.s.u, FR.t.u], 'fp', ROUNDS),
  row('abs.s', 0xfa0010, [FR.r.d, FR.s.u], 'fp'),
  row('neg.s', 0xfa0060, [FR.r.d, FR.s.u], 'fp'),

  // Moves.
  row('mov.s', 0xfa0000, [FR.r.d, FR.s.u], 'fp'),
  row('rfr', 0xfa0040, [AR.r.d, FR.s.u], 'fp'),
  row('wfr', 0xfa0050, [FR.r.d, AR.s.u], 'fp'),
  row('moveqz.s', 0x8b0000, [FR.r.m, FR.s.u, AR.t.u], 'fp'),
  row('movnez.s', 0x9b0000, [FR.r.m, FR.s.u, AR.t.u], 'fp'),
  row('movltz.s', 0xab0000, [FR.r.m, FR.s.u, AR.t.u], 'fp'),
  row('movgez.s', 0xbb0000, [FR.r.m, FR.s.u, AR.t.u], 'fp'),
  row('movf.s', 0xcb0000, [FR.r.m, FR.s.u, BR.t.u], 'fp'),
  row('movt.s', 0xdb0000, [FR.r.m, FR.s.u, BR.t.u], 'fp'),

  // Conversions; the immediate is a power of two to scale by.
  row('round.s', 0x8a0000, [AR.r.d, FR.s.u, SCALE], 'fp', FLAGS),
  row('trunc.s', 0x9a0000, [AR.r.d, FR.s.u, SCALE], 'fp', FLAGS),
  row('floor.s', 0xaa0000, [AR.r.d, FR.s.u, SCALE], 'fp', FLAGS),
  row('ceil.s', 0xba0000, [AR.r.d, FR.s.u, SCALE], 'fp', FLAGS),
  row('float.s', 0xca0000, [FR.r.d, AR.s.u, SCALE], 'fp', ROUNDS),
  row('ufloat.s', 0xda0000, [FR.r.d, AR.s.u, SCALE], 'fp', ROUNDS),
  row('utrunc.s', 0xea0000, [AR.r.d, FR.s.u, SCALE], 'fp', FLAGS),

  // Comparisons into a boolean register: u = unordered or ..., o = ordered and ....
  row('un.s', 0x1b0000, [BR.r.d, FR.s.u, FR.t.u], 'fp', FLAGS),
  row('oeq.s', 0x2b0000, [BR.r.d, FR.s.u, FR.t.u], 'fp', FLAGS),
  row('ueq.s', 0x3b0000, [BR.r.d, FR.s.u, FR.t.u], 'fp', FLAGS),
  row('olt.s', 0x4b0000, [BR.r.d, FR.s.u, FR.t.u], 'fp', FLAGS),
  row('ult.s', 0x5b0000, [BR.r.d, FR.s.u, FR.t.u], 'fp', FLAGS),
  row('ole.s', 0x6b0000, [BR.r.d, FR.s.u, FR.t.u], 'fp', FLAGS),
  row('ule.s', 0x7b0000, [BR.r.d, FR.s.u, FR.t.u], 'fp', FLAGS),

  // Step instructions of the division, reciprocal and square root sequences.
  row('maddn.s', 0x6a0000, [FR.r.m, FR.s.u, FR.t.u], 'fpstep'),
  row('divn.s', 0x7a0000, [FR.r.m, FR.s.u, FR.t.u], 'fpstep', ROUNDS),
  row('const.s', 0xfa0030, [FR.r.d, uimm(F.UIMM_S)], 'fpstep'),
  row('div0.s', 0xfa0070, [FR.r.d, FR.s.u], 'fpstep'),
  row('recip0.s', 0xfa0080, [FR.r.d, FR.s.u], 'fpstep', FLAGS),
  row('sqrt0.s', 0xfa0090, [FR.r.d, FR.s.u], 'fpstep'),
  row('rsqrt0.s', 0xfa00a0, [FR.r.d, FR.s.u], 'fpstep', FLAGS),
  row('nexp01.s', 0xfa00b0, [FR.r.d, FR.s.u], 'fpstep'),
  row('mksadj.s', 0xfa00c0, [FR.r.d, FR.s.u], 'fpstep', FLAGS),
  row('mkdadj.s', 0xfa00d0, [FR.r.m, FR.s.u], 'fpstep', FLAGS),
  row('addexp.s', 0xfa00e0, [FR.r.m, FR.s.u], 'fpstep'),
  row('addexpm.s', 0xfa00f0, [FR.r.m, FR.s.u], 'fpstep'),

  // Boolean registers.
  row('andb', 0x020000, [BR.r.d, BR.s.u, BR.t.u], 'boolean'),
  row('andbc', 0x120000, [BR.r.d, BR.s.u, BR.t.u], 'boolean'),
  row('orb', 0x220000, [BR.r.d, BR.s.u, BR.t.u], 'boolean'),
  row('orbc', 0x320000, [BR.r.d, BR.s.u, BR.t.u], 'boolean'),
  row('xorb', 0x420000, [BR.r.d, BR.s.u, BR.t.u], 'boolean'),
  row('any4', 0x008000, [BR.t.d, BR4], 'boolean'),
  row('all4', 0x009000, [BR.t.d, BR4], 'boolean'),
  row('any8', 0x00a000, [BR.t.d, BR8], 'boolean'),
  row('all8', 0x00b000, [BR.t.d, BR8], 'boolean'),
] as const;
