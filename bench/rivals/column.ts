// What every contestant of the bench is: something that turns a program into a measurement on the simulated chip. Types
// only.
import type { TraceHook } from '../../simulator/cpu/interpreter.js';
import type { Machine } from '../../simulator/machine.js';
import type { BenchProgram } from '../programs.js';

export interface Measurement {
  /** What `run` returned. */
  readonly checksum: number;
  /** Executed between the entry of `run` and its return, exact. */
  readonly instructions: number;
  /** The same in cycles of the simulator's timing model. */
  readonly cycles: number;
  /** Code and literals of the program itself, without the runtime it calls. */
  readonly codeBytes: number;
  /** Static data plus the deepest stack. */
  readonly ramBytes: number;
  /** CPU time. */
  readonly compileMs: number;
}

/** Sees the machine just before the call; the hook it gives is called for every instruction. */
export type Inspect = (machine: Machine, symbols: ReadonlyMap<string, number>) => TraceHook;

export interface Column {
  readonly id: string;
  readonly title: string;
  /** @throws MissingTool when it cannot be made here */
  measure(program: BenchProgram, inspect?: Inspect): Measurement;
}
