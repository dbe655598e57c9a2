// Branches, jumps, calls, returns and zero-overhead loops of LX6. A table: one line per instruction. Knows no ABI and
// no relaxation of far branches.

import { AR, BR, label, row, simm, uimm } from './build.js';
import * as F from '../fields.js';

const BRANCH = { flow: 'branch' } as const;
const LOOP = { flow: 'loop', defs: ['lbeg', 'lend', 'lcount'] } as const;
const CALL0 = { flow: 'call', defs: ['a0'] } as const;
const CALLX0 = { flow: 'callreg', defs: ['a0'] } as const;
const RETURN = { flow: 'return', uses: ['a0'] } as const;
const RETURN_WINDOWED = { flow: 'return', uses: ['a0', 'windowstart'], defs: ['windowbase', 'windowstart'] } as const;
const TARGET8 = label(F.LABEL8);
const TARGET12 = label(F.LABEL12);
const TARGET6 = label(F.ULABEL6);
const LOOP_END = label(F.ULABEL8);
const CALL_TARGET = label(F.CALL18);
const BIT = uimm(F.BIT_INDEX);

/** CALL4/8/12 leave the return address in the callee's future a0, which is the caller's a4/a8/a12. */
const windowedCall = (register: string) => ({ flow: 'call', defs: [register, 'ps'] }) as const;
const windowedCallx = (register: string) => ({ flow: 'callreg', defs: [register, 'ps'] }) as const;

export const CONTROL_ROWS = [
  // Two registers.
  row('bnone', 0x000007, [AR.s.u, AR.t.u, TARGET8], 'core', BRANCH),
  row('beq', 0x001007, [AR.s.u, AR.t.u, TARGET8], 'core', BRANCH),
  row('blt', 0x002007, [AR.s.u, AR.t.u, TARGET8], 'core', BRANCH),
  row('bltu', 0x003007, [AR.s.u, AR.t.u, TARGET8], 'core', BRANCH),
  row('ball', 0x004007, [AR.s.u, AR.t.u, TARGET8], 'core', BRANCH),
  row('bbc', 0x005007, [AR.s.u, AR.t.u, TARGET8], 'core', BRANCH),
  row('bbci', 0x006007, [AR.s.u, BIT, TARGET8], 'core', BRANCH),
  row('bany', 0x008007, [AR.s.u, AR.t.u, TARGET8], 'core', BRANCH),
  row('bne', 0x009007, [AR.s.u, AR.t.u, TARGET8], 'core', BRANCH),
  row('bge', 0x00a007, [AR.s.u, AR.t.u, TARGET8], 'core', BRANCH),
  row('bgeu', 0x00b007, [AR.s.u, AR.t.u, TARGET8], 'core', BRANCH),
  row('bnall', 0x00c007, [AR.s.u, AR.t.u, TARGET8], 'core', BRANCH),
  row('bbs', 0x00d007, [AR.s.u, AR.t.u, TARGET8], 'core', BRANCH),
  row('bbsi', 0x00e007, [AR.s.u, BIT, TARGET8], 'core', BRANCH),

  // Register and zero.
  row('beqz', 0x000016, [AR.s.u, TARGET12], 'core', BRANCH),
  row('bnez', 0x000056, [AR.s.u, TARGET12], 'core', BRANCH),
  row('bltz', 0x000096, [AR.s.u, TARGET12], 'core', BRANCH),
  row('bgez', 0x0000d6, [AR.s.u, TARGET12], 'core', BRANCH),
  row('beqz.n', 0x008c, [AR.s.u, TARGET6], 'density', BRANCH),
  row('bnez.n', 0x00cc, [AR.s.u, TARGET6], 'density', BRANCH),

  // Register and constant.
  row('beqi', 0x000026, [AR.s.u, simm(F.B4CONST), TARGET8], 'core', BRANCH),
  row('bnei', 0x000066, [AR.s.u, simm(F.B4CONST), TARGET8], 'core', BRANCH),
  row('blti', 0x0000a6, [AR.s.u, simm(F.B4CONST), TARGET8], 'core', BRANCH),
  row('bgei', 0x0000e6, [AR.s.u, simm(F.B4CONST), TARGET8], 'core', BRANCH),
  row('bltui', 0x0000b6, [AR.s.u, uimm(F.B4CONSTU), TARGET8], 'core', BRANCH),
  row('bgeui', 0x0000f6, [AR.s.u, uimm(F.B4CONSTU), TARGET8], 'core', BRANCH),

  // Boolean register.
  row('bf', 0x000076, [BR.s.u, TARGET8], 'boolean', BRANCH),
  row('bt', 0x001076, [BR.s.u, TARGET8], 'boolean', BRANCH),

  // Zero-overhead loops.
  row('loop', 0x008076, [AR.s.u, LOOP_END], 'loop', LOOP),
  row('loopnez', 0x009076, [AR.s.u, LOOP_END], 'loop', LOOP),
  row('loopgtz', 0x00a076, [AR.s.u, LOOP_END], 'loop', LOOP),

  // Jumps, calls, returns.
  row('j', 0x000006, [label(F.JUMP18)], 'core', { flow: 'jump' }),
  row('jx', 0x0000a0, [AR.s.u], 'core', { flow: 'jumpreg' }),
  row('call0', 0x000005, [CALL_TARGET], 'core', CALL0),
  row('callx0', 0x0000c0, [AR.s.u], 'core', CALLX0),
  row('ret', 0x000080, [], 'core', RETURN),
  row('ret.n', 0xf00d, [], 'density', RETURN),

  // Windowed calls.
  row('call4', 0x000015, [CALL_TARGET], 'windowed', windowedCall('a4')),
  row('call8', 0x000025, [CALL_TARGET], 'windowed', windowedCall('a8')),
  row('call12', 0x000035, [CALL_TARGET], 'windowed', windowedCall('a12')),
  row('callx4', 0x0000d0, [AR.s.u], 'windowed', windowedCallx('a4')),
  row('callx8', 0x0000e0, [AR.s.u], 'windowed', windowedCallx('a8')),
  row('callx12', 0x0000f0, [AR.s.u], 'windowed', windowedCallx('a12')),
  row('entry', 0x000036, [AR.s.m, uimm(F.UIMM12_X8)], 'windowed', {
    uses: ['ps', 'windowbase', 'windowstart'],
    defs: ['windowbase', 'windowstart'],
  }),
  row('retw', 0x000090, [], 'windowed', RETURN_WINDOWED),
  row('retw.n', 0xf01d, [], 'windowed', RETURN_WINDOWED),
  row('movsp', 0x001000, [AR.t.d, AR.s.u], 'windowed', { uses: ['windowbase', 'windowstart'] }),
] as const;
