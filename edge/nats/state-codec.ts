// A module's state as bytes: of memories only the pages that are not zero. Takes and gives states; knows no transport.
import { decode, encode } from 'cborg';
import type { ModuleState } from '../host/types.js';
import type { ScalarSnapshot } from '../worker/snapshot.js';

const VERSION = 1;
const PAGE = 4_096;
/** Longest memory that is made for a state from outside. */
const MAX_MEMORY_BYTES = 512 * 1024 * 1024;

/** Offset and bytes: what lies between is zero. */
type Run = [number, Uint8Array];
type Memory = [number, Run[]];
type Written = [
  number,
  Memory[],
  (Uint8Array | null)[],
  Uint8Array[],
  ScalarSnapshot['dropped'],
  ModuleState['timers'],
  ModuleState['subscriptions'],
];

function isZero(bytes: Uint8Array, from: number, to: number): boolean {
  for (let i = from; i < to; i++) if (bytes[i] !== 0) return false;
  return true;
}

function writeMemory(memory: Uint8Array): Memory {
  const runs: Run[] = [];
  let start = -1;
  for (let at = 0; at < memory.length; at += PAGE) {
    if (!isZero(memory, at, Math.min(at + PAGE, memory.length))) {
      if (start < 0) start = at;
    } else if (start >= 0) {
      runs.push([start, memory.subarray(start, at)]);
      start = -1;
    }
  }
  if (start >= 0) runs.push([start, memory.subarray(start)]);
  return [memory.length, runs];
}

function readMemory([length, runs]: Memory): Uint8Array {
  if (!Number.isInteger(length) || length < 0 || length > MAX_MEMORY_BYTES)
    throw new Error(`a memory of ${length} bytes`);
  const memory = new Uint8Array(length);
  // Throws a RangeError for what does not fit.
  for (const [at, bytes] of runs) memory.set(bytes, at);
  return memory;
}

function writeBits(bits: bigint): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, bits, true);
  return bytes;
}

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

function writeTable(entries: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(4 * entries.length);
  entries.forEach((entry, i) => viewOf(bytes).setInt32(4 * i, entry, true));
  return bytes;
}

const readTable = (bytes: Uint8Array): number[] =>
  Array.from({ length: bytes.length / 4 }, (_, i) => viewOf(bytes).getInt32(4 * i, true));

export function encodeState({ scalars, timers, subscriptions }: ModuleState): Uint8Array {
  const { memories, globals, tables, dropped } = scalars;
  return encode([
    VERSION,
    memories.map(writeMemory),
    globals.map((bits) => (bits === null ? null : writeBits(bits))),
    tables.map(writeTable),
    dropped,
    timers,
    subscriptions,
  ] satisfies Written);
}

/** @throws Error for what is not a state */
export function decodeState(bytes: Uint8Array): ModuleState {
  const written = decode(bytes) as Written;
  if (!Array.isArray(written) || written[0] !== VERSION) throw new Error('a state of another version');
  const [, memories, globals, tables, dropped, timers, subscriptions] = written;
  const scalars: ScalarSnapshot = {
    memories: memories.map(readMemory),
    globals: globals.map((value) => (value === null ? null : viewOf(value).getBigUint64(0, true))),
    tables: tables.map(readTable),
    dropped,
  };
  return { scalars, timers, subscriptions };
}
