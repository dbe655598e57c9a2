// What a machine can be told when it is made, run or called. Types only.

import type { BoardDescription } from '../compiler/abi/boards.js';
import type { Machine } from './machine.js';
import type { UartTiming } from './peripherals/uart.js';
import type { CpuProfile } from './profiles.js';
import type { StopInfo } from './stop.js';

export interface MachineOptions {
  readonly board: BoardDescription;
  /** CPU frequency in Hz that no register changes; left out, the clock tree is followed from the 40 MHz crystal on. */
  readonly clockHz?: number;
  readonly cpu?: CpuProfile;
  /** Bytes that UART0 sends. */
  readonly onConsole?: (bytes: Uint8Array) => void;
  /** What the mask ROM would print; not part of the console. */
  readonly onRom?: (text: string) => void;
  /** Default `instant`. */
  readonly uartTiming?: UartTiming;
  /** Seed of the random number register; default 1. */
  readonly seed?: number;
  /** Boot again after a watchdog or software reset instead of stopping; default false. */
  readonly rebootOnReset?: boolean;
  /** Makes SIMCALL call this instead of raising an illegal instruction; may call `requestStop` or `exit`. */
  readonly onSimcall?: (machine: Machine) => void;
  /** False: never translate, only interpret. For comparing the two. */
  readonly translate?: boolean;
  /** How often a block is interpreted before it is translated; default 600, about where the cost is earned back. */
  readonly translateAfter?: number;
}

export interface RunOptions {
  /** Stops when this many more instructions have completed. */
  readonly maxInstructions?: number;
  /** Stops at the first instruction boundary where this many more cycles have passed. */
  readonly maxCycles?: number;
  /** Stops before the instruction at one of these addresses; not if the run starts on it. */
  readonly until?: number | readonly number[];
}

export interface CallResult {
  readonly stop: StopInfo;
  /** True when the function came back. */
  readonly returned: boolean;
  /** a2-a5 after the return. */
  readonly results: readonly number[];
  readonly instructions: number;
  readonly cycles: number;
}

export interface CallOptions extends RunOptions {
  /** Stack pointer; left out, a1 as it is. */
  readonly stack?: number;
  /** Where the function returns to; the default lies in the ROM, where no code of ours can be. */
  readonly returnAddress?: number;
}
