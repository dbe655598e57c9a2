// What a rewritten module and its host call each other by: functions that the host puts into a table, names of exports. Plain
// data; knows no byte.
import { ValType } from '../../compiler/wasm/types.js';

/** Entries of the table `HOST_TABLE`, in order: functions that the host must put there. */
export const HOST_FUNCTIONS = [
  /** (address, static offset, opcode) -> value; the opcode tells width and extension. */
  'load_i32',
  'load_i64',
  'load_f32',
  'load_f64',
  /** (address, value, static offset, opcode) */
  'store_i32',
  'store_i64',
  'store_f32',
  'store_f64',
  /** (destination, source, bytes): at least one of the addresses is in a window. */
  'copy',
  /** (destination, value, bytes) */
  'fill',
  /** (destination, source offset in the segment, bytes, segment): destination is in a window. */
  'init',
  /** (): the fuel is used up; gives more, or ends the invocation. */
  'interrupt',
] as const;
export type HostFunction = (typeof HOST_FUNCTIONS)[number];

const { I32, I64, F32, F64 } = ValType;
export const VALUE_TYPES: readonly number[] = [I32, I64, F32, F64];

/** Types of HOST_FUNCTIONS as (parameters, results). */
export const HOST_SIGNATURES: readonly (readonly [readonly number[], readonly number[]])[] = [
  ...VALUE_TYPES.map((type) => [[I32, I32, I32], [type]] as const),
  ...VALUE_TYPES.map((type) => [[I32, type, I32, I32], []] as const),
  [[I32, I32, I32], []],
  [[I32, I32, I32], []],
  [[I32, I32, I32, I32], []],
  [[], []],
];

/** Implementations; parameters and results as in HOST_FUNCTIONS, i64 as bigint. Throwing traps. */
export type HostImplementation = Readonly<Record<HostFunction, (...args: never[]) => unknown>>;

/** A data or element segment; each that the module drops has an exported global that is 1 from then on. */
export type SegmentKind = 'data' | 'elem';

/** Export names of what the rewritten module shows to the host. */
export const HOST_TABLE = 'thingspire:host';
/** Rounds of loops and calls until `interrupt`, an i32. */
export const FUEL = 'thingspire:fuel';
/** The start function: the host runs it once the table is filled. */
export const START = 'thingspire:start';
export const exportOfGlobal = (index: number): string => `thingspire:global:${index}`;
export const exportOfTable = (index: number): string => `thingspire:table:${index}`;
export const exportOfMemory = (index: number): string => `thingspire:memory:${index}`;
export const exportOfFunc = (index: number): string => `thingspire:func:${index}`;
export const exportOfDropped = (kind: SegmentKind, index: number): string => `thingspire:${kind}-dropped:${index}`;

/** Rounds between two looks at the clock: some 0.1 ms. */
export const FUEL_ROUNDS = 50_000;

/** Sizes of memories by index; those that are not named are as the module says. */
export type MemoryLimits = readonly {
  /** At the start, and at most. */
  readonly bytes: number;
  readonly maxBytes: number;
  /** Less than whole pages, and of one size for ever: accesses above trap. */
  readonly exact: boolean;
}[];
