// The shape of a calling convention as data (D5): registers, roles, what a call destroys. Takes nothing, gives types
// and the numbering of physical registers; knows no particular convention and no instruction.
import type { PReg, RegisterClass } from '../regalloc/api.js';

/** Class indices of virtual registers. */
export const enum RegClass {
  AR = 0,
  FR = 1,
  BR = 2,
}

/** First physical register number of each file: a0..a15 = 0.., f0..f15 = 16.., b0..b15 = 32... */
export const FR_BASE = 16;
export const BR_BASE = 32;

export const SP: PReg = 1;
export const A0: PReg = 0;

export interface Abi {
  readonly name: 'call0' | 'windowed';
  /** Argument words in order; further words go to the argument buffer. */
  readonly arguments: readonly PReg[];
  /** Result words in order; further words go to the argument buffer. */
  readonly results: readonly PReg[];
  /** What a call may destroy, beside the registers it defines. */
  readonly callClobbers: readonly PReg[];
  /** The same for runtime functions, which are built without the FPU. */
  readonly runtimeClobbers: readonly PReg[];
  /** Runtime functions written in assembly, with what exactly they may destroy; some of them use the FPU all the same. */
  readonly knownRuntime: ReadonlyMap<string, readonly PReg[]>;
  readonly calleeSaved: readonly PReg[];
  /**
   * Free at function entry and at exit: not arguments, results or callee-saved. The first one is where the linker's
   * veneers put their target, so it is dead at every direct call and tail jump.
   */
  readonly scratch: readonly [PReg, PReg, PReg];
  /** Register classes for the allocator, indexed by RegClass. */
  readonly classes: readonly RegisterClass[];
  /** Stack alignment in bytes. */
  readonly stackAlign: number;
}
