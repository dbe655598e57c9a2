// Loads, stores and memory ordering rows of LX6 (integer side). A table: one line per instruction. Knows no addresses
// and no alignment rules: those are the bus's.

import { AR, load, row, simm, store, uimm, label } from './build.js';
import * as F from '../fields.js';

export const MEMORY_ROWS = [
  row('l8ui', 0x000002, [AR.t.d, AR.s.u, uimm(F.UIMM8)], 'core', { access: load(1) }),
  row('l16ui', 0x001002, [AR.t.d, AR.s.u, uimm(F.UIMM8_X2)], 'core', { access: load(2) }),
  row('l16si', 0x009002, [AR.t.d, AR.s.u, uimm(F.UIMM8_X2)], 'core', { access: load(2) }),
  row('l32i', 0x002002, [AR.t.d, AR.s.u, uimm(F.UIMM8_X4)], 'core', { access: load(4) }),
  row('l32r', 0x000001, [AR.t.d, label(F.LITERAL16)], 'core', { access: load(4) }),
  row('s8i', 0x004002, [AR.t.u, AR.s.u, uimm(F.UIMM8)], 'core', { access: store(1) }),
  row('s16i', 0x005002, [AR.t.u, AR.s.u, uimm(F.UIMM8_X2)], 'core', { access: store(2) }),
  row('s32i', 0x006002, [AR.t.u, AR.s.u, uimm(F.UIMM8_X4)], 'core', { access: store(4) }),
  row('l32i.n', 0x0008, [AR.t.d, AR.s.u, uimm(F.UIMM4_X4)], 'density', { access: load(4) }),
  row('s32i.n', 0x0009, [AR.t.u, AR.s.u, uimm(F.UIMM4_X4)], 'density', { access: store(4) }),

  // Window spill and fill: only in the window vectors, with the ring of the interrupted code.
  row('l32e', 0x090000, [AR.t.d, AR.s.u, simm(F.RIMM_X4)], 'windowed', { access: load(4), privileged: true }),
  row('s32e', 0x490000, [AR.t.u, AR.s.u, simm(F.RIMM_X4)], 'windowed', { access: store(4), privileged: true }),

  // Multiprocessor synchronisation.
  row('l32ai', 0x00b002, [AR.t.d, AR.s.u, uimm(F.UIMM8_X4)], 'sync', { access: load(4) }),
  row('s32ri', 0x00f002, [AR.t.u, AR.s.u, uimm(F.UIMM8_X4)], 'sync', { access: store(4) }),
  row('s32c1i', 0x00e002, [AR.t.m, AR.s.u, uimm(F.UIMM8_X4)], 's32c1i', {
    access: { kind: 'load-store', bytes: 4 },
    uses: ['scompare1'],
  }),
  row('memw', 0x0020c0, [], 'core'),
  row('extw', 0x0020d0, [], 'core'),
] as const;
