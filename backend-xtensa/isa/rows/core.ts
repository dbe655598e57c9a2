// Arithmetic, logic, shift, move and multiply/divide rows of LX6, with their density forms. A table: one line per
// instruction. Knows no control flow (control.ts), memory (memory.ts) or system state (system.ts).

import { AR, BR, row, simm, uimm } from './build.js';
import * as F from '../fields.js';

const SAR = ['sar'] as const;

export const CORE_ROWS = [
  // Add, subtract, scaled forms.
  row('add', 0x800000, [AR.r.d, AR.s.u, AR.t.u], 'core'),
  row('addx2', 0x900000, [AR.r.d, AR.s.u, AR.t.u], 'core'),
  row('addx4', 0xa00000, [AR.r.d, AR.s.u, AR.t.u], 'core'),
  row('addx8', 0xb00000, [AR.r.d, AR.s.u, AR.t.u], 'core'),
  row('sub', 0xc00000, [AR.r.d, AR.s.u, AR.t.u], 'core'),
  row('subx2', 0xd00000, [AR.r.d, AR.s.u, AR.t.u], 'core'),
  row('subx4', 0xe00000, [AR.r.d, AR.s.u, AR.t.u], 'core'),
  row('subx8', 0xf00000, [AR.r.d, AR.s.u, AR.t.u], 'core'),
  row('addi', 0x00c002, [AR.t.d, AR.s.u, simm(F.SIMM8)], 'core'),
  row('addmi', 0x00d002, [AR.t.d, AR.s.u, simm(F.SIMM8_X256)], 'core'),
  row('neg', 0x600000, [AR.r.d, AR.t.u], 'core'),
  row('abs', 0x600100, [AR.r.d, AR.t.u], 'core'),
  row('add.n', 0x000a, [AR.r.d, AR.s.u, AR.t.u], 'density'),
  row('addi.n', 0x000b, [AR.r.d, AR.s.u, simm(F.AI4CONST)], 'density'),

  // Logic.
  row('and', 0x100000, [AR.r.d, AR.s.u, AR.t.u], 'core'),
  row('or', 0x200000, [AR.r.d, AR.s.u, AR.t.u], 'core'),
  row('xor', 0x300000, [AR.r.d, AR.s.u, AR.t.u], 'core'),

  // Moves.
  row('movi', 0x00a002, [AR.t.d, simm(F.SIMM12B)], 'core'),
  row('moveqz', 0x830000, [AR.r.m, AR.s.u, AR.t.u], 'core'),
  row('movnez', 0x930000, [AR.r.m, AR.s.u, AR.t.u], 'core'),
  row('movltz', 0xa30000, [AR.r.m, AR.s.u, AR.t.u], 'core'),
  row('movgez', 0xb30000, [AR.r.m, AR.s.u, AR.t.u], 'core'),
  row('movf', 0xc30000, [AR.r.m, AR.s.u, BR.t.u], 'boolean'),
  row('movt', 0xd30000, [AR.r.m, AR.s.u, BR.t.u], 'boolean'),
  row('mov.n', 0x000d, [AR.t.d, AR.s.u], 'density'),
  row('movi.n', 0x000c, [AR.s.d, simm(F.SIMM7)], 'density'),
  row('nop', 0x0020f0, [], 'core'),
  row('nop.n', 0xf03d, [], 'density'),

  // Shifts and bit fields.
  row('slli', 0x010000, [AR.r.d, AR.s.u, uimm(F.SHIFT_LEFT)], 'core'),
  row('srai', 0x210000, [AR.r.d, AR.t.u, uimm(F.SHIFT_RIGHT_S)], 'core'),
  row('srli', 0x410000, [AR.r.d, AR.t.u, uimm(F.UIMM_S)], 'core'),
  row('extui', 0x040000, [AR.r.d, AR.t.u, uimm(F.EXTRACT_SHIFT), uimm(F.EXTRACT_WIDTH)], 'core'),
  row('sll', 0xa10000, [AR.r.d, AR.s.u], 'core', { uses: SAR }),
  row('srl', 0x910000, [AR.r.d, AR.t.u], 'core', { uses: SAR }),
  row('sra', 0xb10000, [AR.r.d, AR.t.u], 'core', { uses: SAR }),
  row('src', 0x810000, [AR.r.d, AR.s.u, AR.t.u], 'core', { uses: SAR }),
  row('ssr', 0x400000, [AR.s.u], 'core', { defs: SAR }),
  row('ssl', 0x401000, [AR.s.u], 'core', { defs: SAR }),
  row('ssa8l', 0x402000, [AR.s.u], 'core', { defs: SAR }),
  row('ssa8b', 0x403000, [AR.s.u], 'core', { defs: SAR }),
  row('ssai', 0x404000, [uimm(F.SHIFT_SAR)], 'core', { defs: SAR }),

  // Miscellaneous arithmetic.
  row('nsa', 0x40e000, [AR.t.d, AR.s.u], 'nsa'),
  row('nsau', 0x40f000, [AR.t.d, AR.s.u], 'nsa'),
  row('sext', 0x230000, [AR.r.d, AR.s.u, uimm(F.TIMM_PLUS_7)], 'sext'),
  row('clamps', 0x330000, [AR.r.d, AR.s.u, uimm(F.TIMM_PLUS_7)], 'clamps'),
  row('min', 0x430000, [AR.r.d, AR.s.u, AR.t.u], 'minmax'),
  row('max', 0x530000, [AR.r.d, AR.s.u, AR.t.u], 'minmax'),
  row('minu', 0x630000, [AR.r.d, AR.s.u, AR.t.u], 'minmax'),
  row('maxu', 0x730000, [AR.r.d, AR.s.u, AR.t.u], 'minmax'),

  // Multiply and divide.
  row('mul16u', 0xc10000, [AR.r.d, AR.s.u, AR.t.u], 'mul16'),
  row('mul16s', 0xd10000, [AR.r.d, AR.s.u, AR.t.u], 'mul16'),
  row('mull', 0x820000, [AR.r.d, AR.s.u, AR.t.u], 'mul32'),
  row('muluh', 0xa20000, [AR.r.d, AR.s.u, AR.t.u], 'mul32high'),
  row('mulsh', 0xb20000, [AR.r.d, AR.s.u, AR.t.u], 'mul32high'),
  row('quou', 0xc20000, [AR.r.d, AR.s.u, AR.t.u], 'div32'),
  row('quos', 0xd20000, [AR.r.d, AR.s.u, AR.t.u], 'div32'),
  row('remu', 0xe20000, [AR.r.d, AR.s.u, AR.t.u], 'div32'),
  row('rems', 0xf20000, [AR.r.d, AR.s.u, AR.t.u], 'div32'),
] as const;
