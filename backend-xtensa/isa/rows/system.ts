// Exceptions, interrupts, special and user registers, synchronisation, debug and protection rows of LX6. A table: one
// line per instruction. Knows no vector addresses and no register contents.

import { AR, load, row, simm, special, store, uimm, user } from './build.js';
import * as F from '../fields.js';

const RING0 = { privileged: true } as const;
const TRAP = { flow: 'trap' } as const;
const EXCEPTION_RETURN = { flow: 'exception-return', privileged: true } as const;

export const SYSTEM_ROWS = [
  // Special registers: below 64 for everyone, the rest for ring 0 (isPrivileged in special-registers.ts decides).
  row('rsr', 0x030000, [AR.t.d, special('use', F.SR_READ)], 'core', RING0),
  row('wsr', 0x130000, [AR.t.u, special('def', F.SR_WRITE)], 'core', RING0),
  row('xsr', 0x610000, [AR.t.m, special('usedef', F.SR_EXCHANGE)], 'core', RING0),
  row('rur', 0xe30000, [AR.r.d, user('use', F.UR_READ)], 'userregister'),
  row('wur', 0xf30000, [AR.t.u, user('def', F.UR_WRITE)], 'userregister'),

  // Pipeline synchronisation.
  row('isync', 0x002000, [], 'core'),
  row('rsync', 0x002010, [], 'core'),
  row('esync', 0x002020, [], 'core'),
  row('dsync', 0x002030, [], 'core'),
  row('excw', 0x002080, [], 'exception'),

  // Exceptions and their returns.
  row('ill', 0x000000, [], 'core', TRAP),
  row('ill.n', 0xf06d, [], 'density', TRAP),
  row('syscall', 0x005000, [], 'exception', TRAP),
  row('simcall', 0x005100, [], 'simcall', TRAP),
  row('rfe', 0x003000, [], 'exception', EXCEPTION_RETURN),
  row('rfde', 0x003200, [], 'exception', EXCEPTION_RETURN),
  row('rfwo', 0x003400, [], 'windowed', EXCEPTION_RETURN),
  row('rfwu', 0x003500, [], 'windowed', EXCEPTION_RETURN),
  row('rotw', 0x408000, [simm(F.SIMM4_T)], 'windowed', {
    privileged: true,
    uses: ['windowbase'],
    defs: ['windowbase'],
  }),

  // Interrupts.
  row('rfi', 0x003010, [uimm(F.UIMM_S)], 'interrupt', EXCEPTION_RETURN),
  row('rsil', 0x006000, [AR.t.d, uimm(F.UIMM_S)], 'interrupt', { privileged: true, uses: ['ps'], defs: ['ps'] }),
  row('waiti', 0x007000, [uimm(F.UIMM_S)], 'interrupt', { privileged: true, defs: ['ps'] }),

  // Debug. The two .p forms pass words between memory and DDR for a debugger.
  row('break', 0x004000, [uimm(F.UIMM_S), uimm(F.UIMM_T)], 'debug', TRAP),
  row('break.n', 0xf02d, [uimm(F.UIMM_S)], 'debug', TRAP),
  row('lddr32.p', 0x0070e0, [AR.s.m], 'debug', { privileged: true, access: load(4), defs: ['ddr'] }),
  row('sddr32.p', 0x0070f0, [AR.s.m], 'debug', { privileged: true, access: store(4), uses: ['ddr'] }),

  // Region protection (the TLB opcodes on a core without an MMU).
  row('ritlb0', 0x503000, [AR.t.d, AR.s.u], 'tlb', RING0),
  row('iitlb', 0x504000, [AR.s.u], 'tlb', RING0),
  row('pitlb', 0x505000, [AR.t.d, AR.s.u], 'tlb', RING0),
  row('witlb', 0x506000, [AR.t.u, AR.s.u], 'tlb', RING0),
  row('ritlb1', 0x507000, [AR.t.d, AR.s.u], 'tlb', RING0),
  row('rdtlb0', 0x50b000, [AR.t.d, AR.s.u], 'tlb', RING0),
  row('idtlb', 0x50c000, [AR.s.u], 'tlb', RING0),
  row('pdtlb', 0x50d000, [AR.t.d, AR.s.u], 'tlb', RING0),
  row('wdtlb', 0x50e000, [AR.t.u, AR.s.u], 'tlb', RING0),
  row('rdtlb1', 0x50f000, [AR.t.d, AR.s.u], 'tlb', RING0),

  // External registers (debug, performance counters).
  row('rer', 0x406000, [AR.t.d, AR.s.u], 'externalregs', RING0),
  row('wer', 0x407000, [AR.t.u, AR.s.u], 'externalregs', RING0),
] as const;
