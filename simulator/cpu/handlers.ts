// Instructions that change more than registers and memory: control transfers, windows, exceptions, interrupts, special
// registers, zero-overhead loops. Each is a function of the core and the decoded instruction that gives the next pc.
// Long because it is a table. MAC16 is in mac16.ts, everything plain in templates.ts. Source: ISA reference, chapter 6.

import { MachineStop } from '../stop.js';
import type { Core } from './core.js';
import type { DecodedOp } from './decoded.js';
import { MAC16_HANDLERS } from './mac16.js';
import { Cause, DEBUG_LEVEL, PS, SR } from './state.js';
import { entry, moveStackPointer, returnFromWindowVector, rotate, windowedCall, windowedReturn } from './windows.js';

/** @returns the address of the instruction to go on with */
export type Handler = (core: Core, op: DecodedOp) => number;

const BREAK_CAUSE = 1 << 3;
const BREAK_N_CAUSE = 1 << 4;

const ret: Handler = (core) => (core.state.a[0] as number) >>> 0;
const jump: Handler = (_core, op) => op.target;
const jumpRegister: Handler = (core, op) => (core.state.a[op.o0] as number) >>> 0;

const callRegister =
  (increment: number): Handler =>
  (core, op) =>
    windowedCall(core, increment, op.pc, op.next, core.state.a[op.o0] as number);
const call =
  (increment: number): Handler =>
  (core, op) =>
    windowedCall(core, increment, op.pc, op.next, op.target);

/** LOOP, LOOPNEZ, LOOPGTZ: `skip` says when the body does not run at all. */
const loop =
  (skip: (count: number) => boolean): Handler =>
  (core, op) => {
    const { sr } = core.state;
    const count = core.state.a[op.o0] as number;
    sr[SR.LCOUNT] = (count - 1) | 0;
    sr[SR.LBEG] = op.next;
    sr[SR.LEND] = op.target;
    core.addLoopEnd(op.target, op.next);
    return skip(count) ? op.target : op.next;
  };

const raise =
  (cause: number): Handler =>
  (core) =>
    core.bus.raise(cause, undefined);

const unmodelled: Handler = (_core, op) => {
  throw new MachineStop('unmodelled', `instruction ${op.row.name} is not modelled`, op.pc);
};

const REGION_SHIFT = 29;
const ILLEGAL_ATTRIBUTE = 15;

/**
 * WITLB, WDTLB: the attribute of a 512 MiB region. Only what start-up code does is modelled: making the regions illegal
 * that have nothing on the bus anyway, so that nothing changes here.
 */
const protectRegion: Handler = (core, op) => {
  const attribute = (core.state.a[op.o0] as number) & 15;
  const region = (core.state.a[op.o1] as number) >>> REGION_SHIFT;
  const populated = region >= 1 && region <= 3;
  return attribute === ILLEGAL_ATTRIBUTE && !populated ? op.next : unmodelled(core, op);
};

const breakpoint =
  (cause: number): Handler =>
  (core, op) => {
    // Masked at or above the debug level: the instruction then does nothing.
    if (((core.state.sr[SR.PS] as number) & PS.INTLEVEL) >= DEBUG_LEVEL) return op.next;
    return core.enterDebug(cause, op.pc);
  };

/** Leaves exception mode: the last step of rfe, rfde and rfi. */
function restorePs(core: Core, ps: number, pc: number): number {
  core.state.sr[SR.PS] = ps;
  core.refreshMode();
  core.refreshInterrupts();
  return pc >>> 0;
}

export const HANDLERS: Readonly<Record<string, Handler>> = {
  j: jump,
  jx: jumpRegister,
  call0: (core, op) => {
    core.state.a[0] = op.next;
    return op.target;
  },
  callx0: (core, op) => {
    const target = core.state.a[op.o0] as number;
    core.state.a[0] = op.next;
    return target >>> 0;
  },
  ret,
  'ret.n': ret,
  call4: call(1),
  call8: call(2),
  call12: call(3),
  callx4: callRegister(1),
  callx8: callRegister(2),
  callx12: callRegister(3),
  entry: (core, op) => entry(core, op.o0, op.o1, op.pc, op.next),
  retw: (core, op) => windowedReturn(core, op.pc),
  'retw.n': (core, op) => windowedReturn(core, op.pc),
  movsp: (core, op) => {
    moveStackPointer(core, op.o0, op.o1);
    return op.next;
  },
  rotw: (core, op) => {
    rotate(core, op.o0);
    return op.next;
  },
  rfwo: (core) => returnFromWindowVector(core, true),
  rfwu: (core) => returnFromWindowVector(core, false),

  loop: loop(() => false),
  loopnez: loop((count) => count === 0),
  loopgtz: loop((count) => count <= 0),

  rsr: (core, op) => {
    core.state.a[op.o0] = core.readSpecial(op.o1);
    return op.next;
  },
  wsr: (core, op) => {
    core.writeSpecial(op.o1, core.state.a[op.o0] as number);
    return op.next;
  },
  xsr: (core, op) => {
    const old = core.readSpecial(op.o1);
    core.writeSpecial(op.o1, core.state.a[op.o0] as number);
    core.state.a[op.o0] = old;
    return op.next;
  },
  rur: (core, op) => {
    core.state.a[op.o0] = core.state.ur[op.o1] as number;
    return op.next;
  },
  wur: (core, op) => {
    core.writeUser(op.o1, core.state.a[op.o0] as number);
    return op.next;
  },

  ill: raise(Cause.ILLEGAL_INSTRUCTION),
  'ill.n': raise(Cause.ILLEGAL_INSTRUCTION),
  syscall: raise(Cause.SYSCALL),
  simcall: (core, op) => core.simcall(op.next),
  break: breakpoint(BREAK_CAUSE),
  'break.n': breakpoint(BREAK_N_CAUSE),
  rfe: (core) => {
    const { sr } = core.state;
    return restorePs(core, (sr[SR.PS] as number) & ~PS.EXCM, sr[SR.EPC1] as number);
  },
  rfde: (core) => restorePs(core, core.state.sr[SR.PS] as number, core.state.sr[SR.DEPC] as number),
  rfi: (core, op) => {
    const { sr } = core.state;
    if (op.o0 < 2 || op.o0 > 7) return core.bus.raise(Cause.ILLEGAL_INSTRUCTION, undefined);
    return restorePs(core, sr[SR.EPS2 + op.o0 - 2] as number, sr[SR.EPC1 + op.o0 - 1] as number);
  },
  rsil: (core, op) => {
    const ps = core.state.sr[SR.PS] as number;
    core.state.a[op.o0] = ps;
    core.writeSpecial(SR.PS, (ps & ~PS.INTLEVEL) | op.o1);
    return op.next;
  },
  waiti: (core, op) => {
    core.waiting = true;
    core.breakOut = true;
    core.writeSpecial(SR.PS, ((core.state.sr[SR.PS] as number) & ~PS.INTLEVEL) | op.o0);
    return op.next;
  },

  'lddr32.p': unmodelled,
  'sddr32.p': unmodelled,
  ritlb0: unmodelled,
  iitlb: unmodelled,
  pitlb: unmodelled,
  witlb: protectRegion,
  ritlb1: unmodelled,
  rdtlb0: unmodelled,
  idtlb: unmodelled,
  pdtlb: unmodelled,
  wdtlb: protectRegion,
  rdtlb1: unmodelled,
  rer: unmodelled,
  wer: unmodelled,
  ...MAC16_HANDLERS,
};
