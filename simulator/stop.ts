// Why a simulated machine stopped: the closed set of reasons, and the exceptions that carry a stop out of the middle of
// an instruction. Knows nothing of the machine that stops.

/**
 * - `breakpoint`: pc is one of the addresses given as `until` or as a breakpoint; that instruction has not run
 * - `limit`: maxInstructions or maxCycles reached exactly
 * - `halted`: `waiti` with no event left that could wake the core
 * - `fault`: something the chip would not survive, or that this strict simulator refuses to guess
 * - `exit`: the program asked for it (SIMCALL, only when enabled)
 * - `reset`: a watchdog or a software reset fired
 * - `watch`: a watched range was touched
 * - `request`: a hook called `Machine.requestStop`
 */
export type StopReason = 'breakpoint' | 'limit' | 'halted' | 'fault' | 'exit' | 'reset' | 'watch' | 'request';

export type FaultKind =
  /** An exception with no usable handler: vector not mapped, or exceptions without progress. */
  | 'unhandled-exception'
  /** Fetch from the mask ROM, whose code is not modelled. */
  | 'rom-execution'
  /** A register no peripheral model knows, or a use of one that is not modelled. */
  | 'unmodelled';

export interface FaultInfo {
  readonly kind: FaultKind;
  /** EXCCAUSE of the exception, when there is one. */
  readonly cause: number | undefined;
  /** Address accessed or fetched, when there is one. */
  readonly address: number | undefined;
}

export interface WatchHit {
  readonly name: string;
  readonly access: 'load' | 'store';
  readonly address: number;
  readonly bytes: number;
}

export interface StopInfo {
  readonly reason: StopReason;
  readonly pc: number;
  /** Instructions completed since the machine was made; exact. */
  readonly instructions: number;
  /** Cycles of the timing model (timing.ts) since the machine was made. */
  readonly cycles: number;
  /** One line for people. */
  readonly message: string;
  readonly fault?: FaultInfo;
  readonly exitCode?: number;
  readonly watch?: WatchHit;
  /** For `reset`: the reset cause number the mask ROM would print. */
  readonly resetCause?: number;
}

/** Thrown by a slow path when the current instruction raises an exception of the chip. One object, reused. */
export class CpuException {
  cause = 0;
  /** EXCVADDR, or undefined when the cause does not set it. */
  address: number | undefined = undefined;
}

/** Thrown when the machine must stop within an instruction, which then has not completed. */
export class MachineStop extends Error {
  constructor(
    readonly kind: FaultKind,
    message: string,
    readonly address: number | undefined = undefined,
  ) {
    super(message);
  }
}

/** 0x-prefixed, eight digits. */
export function hex32(value: number): string {
  return `0x${(value >>> 0).toString(16).padStart(8, '0')}`;
}
