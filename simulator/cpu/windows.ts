// Register windows: the checks and exceptions of the windowed ABI's instructions. Takes a core, moves its window or
// enters a window vector; gives the address to go on at. Knows no decoding. Source: ISA reference, 4.7.1.

import { hex32 } from '../stop.js';
import { EXCEPTION_ENTRY } from '../timing.js';
import type { Core } from './core.js';
import { Vector } from './core.js';
import { Cause, PANES, PS, SR } from './state.js';

const paneBit = (pane: number): number => 1 << (pane & (PANES - 1));

/**
 * Checks that a4..a(4*panes+3) are free before an instruction touches them.
 * @param panes 1 for a4-a7, 2 up to a11, 3 up to a15
 * @returns -1 when they are, else the overflow vector that was entered on behalf of the instruction at `pc`
 */
export function checkOverflow(core: Core, panes: number, pc: number): number {
  const { sr } = core.state;
  const base = sr[SR.WINDOWBASE] as number;
  const start = sr[SR.WINDOWSTART] as number;
  for (let i = 1; i <= panes; i++) {
    if ((start & paneBit(base + i)) === 0) continue;
    const pane = base + i;
    let vector: number = Vector.OVERFLOW12;
    if ((start & paneBit(pane + 1)) !== 0) vector = Vector.OVERFLOW4;
    else if ((start & paneBit(pane + 2)) !== 0) vector = Vector.OVERFLOW8;
    enterWindowVector(core, vector, base, pane, pc);
    return core.state.pc;
  }
  return -1;
}

function enterWindowVector(core: Core, vector: number, oldBase: number, newBase: number, pc: number): void {
  const { state } = core;
  const { sr } = state;
  sr[SR.EPC1] = pc;
  sr[SR.PS] = ((sr[SR.PS] as number) & ~PS.OWB) | (oldBase << PS.OWB_SHIFT) | PS.EXCM;
  state.setWindowBase(newBase);
  state.counts[1] = (state.counts[1] as number) + EXCEPTION_ENTRY;
  state.pc = ((sr[SR.VECBASE] as number) + vector) >>> 0;
  core.refreshMode();
  core.refreshInterrupts();
}

function requireWindows(core: Core): void {
  const ps = core.state.sr[SR.PS] as number;
  if ((ps & PS.WOE) === 0 || (ps & PS.EXCM) !== 0) core.bus.raise(Cause.ILLEGAL_INSTRUCTION, undefined);
}

/** CALL4/8/12 and CALLX: leaves the return address in a4/a8/a12 with the window increment in its top bits. */
export function windowedCall(core: Core, increment: number, pc: number, returnTo: number, target: number): number {
  const { state } = core;
  const overflow = core.windowCheck ? checkOverflow(core, increment, pc) : -1;
  if (overflow >= 0) return overflow;
  state.sr[SR.PS] = ((state.sr[SR.PS] as number) & ~PS.CALLINC) | (increment << PS.CALLINC_SHIFT);
  state.a[increment * 4] = (increment << 30) | (returnTo & 0x3fffffff);
  return target >>> 0;
}

/** ENTRY as, imm: rotates to the callee's frame. @returns next pc */
export function entry(core: Core, register: number, frame: number, pc: number, next: number): number {
  requireWindows(core);
  if (register > 3) core.bus.raise(Cause.ILLEGAL_INSTRUCTION, undefined);
  const { state } = core;
  const { sr } = state;
  const increment = ((sr[SR.PS] as number) & PS.CALLINC) >>> PS.CALLINC_SHIFT;
  const overflow = core.windowCheck ? checkOverflow(core, increment, pc) : -1;
  if (overflow >= 0) return overflow;
  const stack = ((state.a[register] as number) - frame) | 0;
  state.a[increment * 4 + register] = stack;
  state.setWindowBase((sr[SR.WINDOWBASE] as number) + increment);
  sr[SR.WINDOWSTART] = (sr[SR.WINDOWSTART] as number) | paneBit(sr[SR.WINDOWBASE] as number);
  core.refreshMode();
  return next;
}

/** RETW. @returns next pc: the return address or an underflow vector */
export function windowedReturn(core: Core, pc: number): number {
  requireWindows(core);
  const { state } = core;
  const { sr } = state;
  const a0 = state.a[0] as number;
  const increment = a0 >>> 30;
  const old = sr[SR.WINDOWBASE] as number;
  const start = sr[SR.WINDOWSTART] as number;
  let live = 0;
  for (let i = 1; i <= 3 && live === 0; i++) if ((start & paneBit(old - i)) !== 0) live = i;
  if (increment === 0 || (live !== 0 && live !== increment)) core.bus.raise(Cause.ILLEGAL_INSTRUCTION, undefined);
  const target = ((pc & 0xc0000000) | (a0 & 0x3fffffff)) >>> 0;
  const base = (old - increment) & (PANES - 1);
  if ((start & paneBit(base)) === 0) {
    const vectors = [Vector.UNDERFLOW4, Vector.UNDERFLOW8, Vector.UNDERFLOW12];
    enterWindowVector(core, vectors[increment - 1] as number, old, base, pc);
    return state.pc;
  }
  sr[SR.WINDOWSTART] = start & ~paneBit(old);
  state.setWindowBase(base);
  core.refreshMode();
  return target;
}

/** RFWO and RFWU: back from a window vector. */
export function returnFromWindowVector(core: Core, overflow: boolean): number {
  const { state } = core;
  const { sr } = state;
  const bit = paneBit(sr[SR.WINDOWBASE] as number);
  const start = sr[SR.WINDOWSTART] as number;
  sr[SR.WINDOWSTART] = overflow ? start & ~bit : start | bit;
  const ps = sr[SR.PS] as number;
  sr[SR.PS] = ps & ~PS.EXCM;
  state.setWindowBase((ps & PS.OWB) >>> PS.OWB_SHIFT);
  core.refreshMode();
  core.refreshInterrupts();
  return (sr[SR.EPC1] as number) >>> 0;
}

/** MOVSP: fine only while the caller's frame is in registers. */
export function moveStackPointer(core: Core, target: number, source: number): void {
  const { state } = core;
  const base = state.sr[SR.WINDOWBASE] as number;
  const callers = paneBit(base - 1) | paneBit(base - 2) | paneBit(base - 3);
  if (((state.sr[SR.WINDOWSTART] as number) & callers) === 0) core.bus.raise(Cause.ALLOCA, undefined);
  state.a[target] = state.a[source] as number;
}

export function rotate(core: Core, panes: number): void {
  core.state.setWindowBase((core.state.sr[SR.WINDOWBASE] as number) + panes);
  core.refreshMode();
}

/** For messages: which window frames are live. */
export function describeWindows(core: Core): string {
  const { sr } = core.state;
  return `WINDOWBASE ${sr[SR.WINDOWBASE]} WINDOWSTART ${hex32(sr[SR.WINDOWSTART] as number)}`;
}
