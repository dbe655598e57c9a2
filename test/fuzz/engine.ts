// The contract between the fuzzer and an engine that runs generated modules, and what it observes. Knows no engine.
import type { GeneratedModule, NumType } from './generate.js';

/** A call: which function, argument bits. */
export interface FuzzCall {
  readonly func: number;
  readonly args: readonly bigint[];
}

/** How a call ended: result bits, or a trap class (see `TRAP_CLASS`). */
export type FuzzOutcome = { readonly results: readonly bigint[] } | { readonly trap: string };

/** Everything an engine shows of a run. `outcomes` may be shorter than the calls when a call was inconclusive. */
export interface Observation {
  readonly outcomes: readonly FuzzOutcome[];
  /** Bits of the exported globals. */
  readonly globals: readonly bigint[];
  /** Pages and a hash of the contents, for each memory. */
  readonly memories: readonly string[];
}

/** Instantiation trapped (a segment did not fit). */
export interface InstantiationFailure {
  readonly instantiation: string;
}

export interface FuzzEngine {
  readonly name: string;
  run(module: GeneratedModule, calls: readonly FuzzCall[]): Observation | InstantiationFailure;
}

/** Trap messages of ours -> classes that every engine can tell apart (V8 merges some). */
export const TRAP_CLASS: Readonly<Record<string, string>> = {
  unreachable: 'unreachable',
  'integer divide by zero': 'divide by zero',
  'integer overflow': 'unrepresentable',
  'invalid conversion to integer': 'unrepresentable',
  'out of bounds memory access': 'memory',
  'out of bounds table access': 'table',
  'undefined element': 'table',
  'uninitialized element': 'signature',
  'indirect call type mismatch': 'signature',
  'call stack exhausted': 'exhausted',
};

/** Fast hash of memory contents (FNV-1a over words), as text with the size. */
export function hashMemory(bytes: Uint8Array): string {
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length >> 2);
  let h = 0x811c9dc5;
  for (let i = 0; i < words.length; i++) h = Math.imul(h ^ words[i]!, 0x01000193);
  return `${bytes.length}:${(h >>> 0).toString(16)}`;
}

const WIDE: ReadonlySet<NumType> = new Set([0x7e, 0x7c] as NumType[]);
export const isWide = (type: NumType): boolean => WIDE.has(type);
