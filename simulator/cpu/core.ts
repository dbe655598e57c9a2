// One LX6 core: state, exceptions, interrupts, windows' bookkeeping and special register behaviour. Takes a bus and
// callbacks for time; gives the operations that instructions without a template are made of. Knows no decoding and no
// peripheral.

import type { Bus } from '../bus/bus.js';
import { MachineStop, hex32 } from '../stop.js';
import { EXCEPTION_ENTRY } from '../timing.js';
import { EDGE_MASK, LEVEL_MASKS, LEVEL_VECTORS, NMI_MASK, SOFTWARE_MASK, TIMER_INTERRUPTS } from './interrupts.js';
import type { RoundingMode } from './float.js';
import { Cause, CpuState, DEBUG_LEVEL, EXCM_LEVEL, PANES, PS, SR, UR, causeName } from './state.js';

/** Vectors as offsets from VECBASE. */
export const Vector = {
  OVERFLOW4: 0x000,
  UNDERFLOW4: 0x040,
  OVERFLOW8: 0x080,
  UNDERFLOW8: 0x0c0,
  OVERFLOW12: 0x100,
  UNDERFLOW12: 0x140,
  KERNEL: 0x300,
  USER: 0x340,
  DOUBLE: 0x3c0,
} as const;

/** Exceptions in a row without one completed instruction before the machine gives up. */
const MAX_BARREN_EXCEPTIONS = 8;

/** What a core needs from the machine around it. */
export interface CoreHost {
  /** Calls back when the cycle counter reaches `cycle`; one request per timer 0-2, a new one replaces the old. */
  setTimer(timer: number, cycle: number): void;
  /** True when code can be fetched from the address. */
  isExecutable(address: number): boolean;
  /** LEND took a value it never had: translated code that runs across that address knows nothing of it. */
  loopEndAdded(end: number, begin: number): void;
}

export class Core {
  readonly state = new CpuState();
  /** FCR.RM for the templates; an object so that generated code can close over it. */
  readonly rounding: { mode: RoundingMode } = { mode: 0 };
  /** The interpreter must leave its block after this instruction. */
  breakOut = false;
  /** An enabled interrupt above the current level is pending. */
  interruptPending = false;
  /** In `waiti`: no instruction until an interrupt comes. */
  waiting = false;
  /** Window exceptions are possible: every instruction must be checked. */
  windowCheck = false;
  /** PS.EXCM, FCR or CPENABLE make translated code, which assumes the usual, unusable. */
  unusualMode = true;
  /** Every value LEND ever had, with the last LBEG that came with it. */
  readonly loopEnds = new Map<number, number>();
  /** What SIMCALL does; undefined: it is an illegal instruction, as on the chip. */
  onSimcall: (() => void) | undefined = undefined;
  private ccountOffset = 0;
  /** Level-triggered interrupt lines from the matrix. */
  private lines = 0;
  /** Lines of edge-triggered interrupts as last seen. */
  private edgeLines = 0;
  private barrenExceptions = 0;
  private instructionsAtException = -1;

  constructor(
    readonly bus: Bus,
    private readonly host: CoreHost,
  ) {
    this.reset();
  }

  reset(): void {
    this.state.reset();
    this.rounding.mode = 0;
    this.waiting = false;
    this.lines = 0;
    this.ccountOffset = 0;
    this.refreshMode();
    this.refreshInterrupts();
    this.scheduleTimers();
  }

  // ---- modes ----

  /** Recomputes what depends on PS, WINDOWSTART, FCR and CPENABLE. */
  refreshMode(): void {
    const { sr } = this.state;
    const ps = sr[SR.PS] as number;
    const excm = (ps & PS.EXCM) !== 0;
    const others = (sr[SR.WINDOWSTART] as number) & ~(1 << (sr[SR.WINDOWBASE] as number));
    this.windowCheck = (ps & PS.WOE) !== 0 && !excm && others !== 0;
    this.unusualMode = excm || this.windowCheck || this.rounding.mode !== 0;
  }

  get floatEnabled(): boolean {
    return ((this.state.sr[SR.CPENABLE] as number) & 1) !== 0;
  }

  /** The level at or below which interrupts are masked. */
  private currentLevel(): number {
    const ps = this.state.sr[SR.PS] as number;
    const level = ps & PS.INTLEVEL;
    return (ps & PS.EXCM) !== 0 ? Math.max(level, EXCM_LEVEL) : level;
  }

  // ---- exceptions ----

  /** Enters the general exception vector for the instruction at `pc`. Windowed state is left alone. */
  enterException(cause: number, address: number | undefined, pc: number): void {
    const { sr } = this.state;
    const ps = sr[SR.PS] as number;
    let vector: number;
    sr[SR.EXCCAUSE] = cause;
    if (address !== undefined) sr[SR.EXCVADDR] = address;
    if ((ps & PS.EXCM) !== 0) {
      sr[SR.DEPC] = pc;
      vector = Vector.DOUBLE;
    } else {
      sr[SR.EPC1] = pc;
      vector = (ps & PS.UM) !== 0 ? Vector.USER : Vector.KERNEL;
    }
    sr[SR.PS] = ps | PS.EXCM;
    this.enterVector(vector, pc, () => `${causeName(cause)} at ${hex32(pc)}${addressText(address)}`);
  }

  private enterVector(offset: number, pc: number, what: () => string): void {
    const { state } = this;
    const target = ((state.sr[SR.VECBASE] as number) + offset) >>> 0;
    this.countException(pc, what);
    if (!this.host.isExecutable(target)) {
      state.pc = pc;
      throw new MachineStop('unhandled-exception', `${what()}: no handler at ${hex32(target)}`);
    }
    state.pc = target;
    state.counts[1] = (state.counts[1] as number) + EXCEPTION_ENTRY;
    this.waiting = false;
    this.refreshMode();
    this.refreshInterrupts();
  }

  private countException(pc: number, what: () => string): void {
    const done = this.state.counts[0] as number;
    this.barrenExceptions = done === this.instructionsAtException ? this.barrenExceptions + 1 : 0;
    this.instructionsAtException = done;
    if (this.barrenExceptions >= MAX_BARREN_EXCEPTIONS) {
      this.state.pc = pc;
      throw new MachineStop('unhandled-exception', `${what()}: the exception handlers raise exceptions themselves`);
    }
  }

  /** Enters the debug vector (BREAK). @returns the vector's address */
  enterDebug(cause: number, pc: number): number {
    const { sr } = this.state;
    sr[SR.DEBUGCAUSE] = cause;
    this.enterLevel(DEBUG_LEVEL, pc, () => `break at ${hex32(pc)}`);
    return this.state.pc;
  }

  private enterLevel(level: number, pc: number, what: () => string): void {
    const { sr } = this.state;
    sr[SR.EPC1 + level - 1] = pc;
    sr[SR.EPS2 + level - 2] = sr[SR.PS] as number;
    sr[SR.PS] = ((sr[SR.PS] as number) & ~PS.INTLEVEL) | level | PS.EXCM;
    this.enterVector(LEVEL_VECTORS[level] as number, pc, what);
  }

  /** SIMCALL. @returns next pc */
  simcall(next: number): number {
    if (this.onSimcall === undefined) return this.bus.raise(Cause.ILLEGAL_INSTRUCTION, undefined);
    this.onSimcall();
    return next;
  }

  // ---- interrupts ----

  /** INTERRUPT as software reads it. */
  get pendingInterrupts(): number {
    return (this.state.sr[SR.INTERRUPT] as number) | this.lines;
  }

  /** Drives the lines that the interrupt matrix owns; `lines` are the active ones. */
  setInterruptLines(lines: number): void {
    const rising = lines & EDGE_MASK & ~this.edgeLines;
    this.edgeLines = lines & EDGE_MASK;
    this.lines = lines & ~EDGE_MASK;
    this.state.sr[SR.INTERRUPT] = (this.state.sr[SR.INTERRUPT] as number) | rising;
    this.refreshInterrupts();
  }

  /** Latches an internal interrupt (timer) or an injected one. */
  latchInterrupt(number: number): void {
    this.state.sr[SR.INTERRUPT] = (this.state.sr[SR.INTERRUPT] as number) | (1 << number);
    this.refreshInterrupts();
  }

  /** Recomputes `interruptPending`; to be called when lines, INTENABLE or PS change. */
  refreshInterrupts(): void {
    this.interruptPending = this.deliverableLevel() > 0;
    if (this.interruptPending) this.breakOut = true;
  }

  private deliverableLevel(): number {
    const active = this.pendingInterrupts & ((this.state.sr[SR.INTENABLE] as number) | NMI_MASK);
    if (active === 0) return 0;
    for (let level = 7, masked = this.currentLevel(); level > masked; level--) {
      if ((active & (LEVEL_MASKS[level] as number)) !== 0) return level;
    }
    return 0;
  }

  /** Takes the pending interrupt of the highest level, if any: pc becomes its vector. */
  takeInterrupt(): void {
    const level = this.deliverableLevel();
    if (level === 0) return;
    const { pc } = this.state;
    this.waiting = false;
    if (level === 1) {
      this.enterException(Cause.LEVEL1_INTERRUPT, undefined, pc);
    } else {
      // NMI is an edge in this configuration: taking it consumes it.
      if (level === 7) this.state.sr[SR.INTERRUPT] = (this.state.sr[SR.INTERRUPT] as number) & ~NMI_MASK;
      this.enterLevel(level, pc, () => `level ${level} interrupt at ${hex32(pc)}`);
    }
  }

  /** True when some interrupt that is enabled could still wake `waiti` through a CPU timer. */
  timerCanWake(timer: number): boolean {
    const bit = 1 << (TIMER_INTERRUPTS[timer] as number);
    return ((this.state.sr[SR.INTENABLE] as number) & bit) !== 0;
  }

  // ---- time ----

  get ccount(): number {
    return ((this.state.counts[1] as number) + this.ccountOffset) | 0;
  }

  private scheduleTimers(): void {
    for (let timer = 0; timer < 3; timer++) this.scheduleTimer(timer);
  }

  /** Asks for the next match of CCOMPARE; a full turn ahead when it matches right now. */
  scheduleTimer(timer: number): void {
    const distance = ((this.state.sr[SR.CCOMPARE0 + timer] as number) - this.ccount) >>> 0;
    this.host.setTimer(timer, (this.state.counts[1] as number) + (distance === 0 ? 2 ** 32 : distance));
  }

  /** CCOUNT reached CCOMPARE. */
  timerMatched(timer: number): void {
    this.scheduleTimer(timer);
    this.latchInterrupt(TIMER_INTERRUPTS[timer] as number);
  }

  // ---- special registers ----

  readSpecial(number: number): number {
    if (number === SR.CCOUNT) return this.ccount;
    if (number === SR.INTERRUPT) return this.pendingInterrupts;
    return this.state.sr[number] as number;
  }

  writeSpecial(number: number, value: number): void {
    const { sr } = this.state;
    switch (number) {
      case SR.SAR:
        sr[number] = value & 63;
        return;
      case SR.LEND:
        sr[number] = value;
        this.addLoopEnd(value >>> 0, (sr[SR.LBEG] as number) >>> 0);
        return;
      case SR.LBEG:
        sr[number] = value;
        return;
      case SR.BR:
        sr[number] = value & 0xffff;
        return;
      case SR.ACCHI:
        sr[number] = (value << 24) >> 24;
        return;
      case SR.WINDOWBASE:
        this.state.setWindowBase(value);
        this.refreshMode();
        return;
      case SR.WINDOWSTART:
        sr[number] = value & ((1 << PANES) - 1);
        this.refreshMode();
        return;
      case SR.PS:
        sr[number] = value & 0x70fff;
        this.refreshMode();
        this.refreshInterrupts();
        return;
      case SR.VECBASE:
        sr[number] = value & ~0x3ff;
        return;
      case SR.INTERRUPT: // wsr.intset
        sr[number] = (sr[number] as number) | (value & SOFTWARE_MASK);
        this.refreshInterrupts();
        return;
      case SR.INTCLEAR:
        sr[SR.INTERRUPT] = (sr[SR.INTERRUPT] as number) & ~(value & (SOFTWARE_MASK | EDGE_MASK));
        this.refreshInterrupts();
        return;
      case SR.INTENABLE:
        sr[number] = value;
        this.refreshInterrupts();
        return;
      case SR.CCOUNT:
        this.ccountOffset = (value >>> 0) - (this.state.counts[1] as number);
        this.scheduleTimers();
        return;
      case SR.CPENABLE:
        sr[number] = value & 0xff;
        return;
      case SR.IBREAKENABLE:
      case SR.DBREAKC0:
      case SR.DBREAKC0 + 1:
      case SR.ICOUNTLEVEL:
        if (value !== 0) throw new MachineStop('unmodelled', 'the debug module (breakpoints, ICOUNT) is not modelled');
        return;
      default:
        sr[number] = value;
        if (number >= SR.CCOMPARE0 && number < SR.CCOMPARE0 + 3) {
          const timer = number - SR.CCOMPARE0;
          sr[SR.INTERRUPT] = (sr[SR.INTERRUPT] as number) & ~(1 << (TIMER_INTERRUPTS[timer] as number));
          this.scheduleTimer(timer);
          this.refreshInterrupts();
        }
    }
  }

  writeUser(number: number, value: number): void {
    this.state.ur[number] = value;
    if (number === UR.FCR) {
      this.state.ur[number] = value & 0x7f;
      this.rounding.mode = value & 3;
      this.refreshMode();
    } else if (number === UR.FSR) {
      this.state.ur[number] = value & 0xf80;
    }
  }

  addLoopEnd(end: number, begin: number): void {
    const known = this.loopEnds.has(end);
    this.loopEnds.set(end, begin);
    if (!known) this.host.loopEndAdded(end, begin);
  }
}

function addressText(address: number | undefined): string {
  return address === undefined ? '' : `, address ${hex32(address)}`;
}
