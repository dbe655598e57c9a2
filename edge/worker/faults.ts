// What an exception of the engine means: a trap, an exit, a breach, the end of the time; with the module's frames. Takes
// errors, gives faults in the device's words. Knows no thread.
/// <reference lib="dom" />
import type { Fault } from './protocol.js';

/** proc_exit. */
export class Exited extends Error {}
/** Breach of the interface by a handler. */
export class ContractBroken extends Error {}
/** The time of the innermost invocation is over. */
export class DeadlineExpired extends Error {}
/** Its instance is gone, or a window that it has used is closed. */
export class Killed extends Error {}

/** V8's messages in the words of the specification, which the device uses. */
const MESSAGES: readonly (readonly [RegExp, string])[] = [
  [/divide by zero|remainder by zero/, 'integer divide by zero'],
  [/unrepresentable/, 'integer overflow'],
  [/memory access|data segment/, 'out of bounds memory access'],
  [/signature mismatch/, 'indirect call type mismatch'],
  [/table index is out of bounds/, 'undefined element'],
  [/table|element segment/, 'out of bounds table access'],
  [/unreachable/, 'unreachable'],
];
const STACK_MESSAGE = /call stack/;

/** Frames of a fault that are told; the rest of a deep recursion says nothing new. */
const MAX_FRAMES = 16;

/** Null: the error is none of the module's. */
export function faultOf(error: unknown, frames: Frames): Fault | null {
  const fault = (reason: Fault['reason'], message: string, backtrace = frames(error as Error)): Fault => {
    return { reason, message, backtrace };
  };
  if (error instanceof Exited) return fault('exited', error.message, []);
  if (error instanceof ContractBroken) return fault('contract broken', error.message, []);
  if (error instanceof Killed) return fault('killed', error.message);
  if (error instanceof DeadlineExpired) return fault('deadline expired', 'deadline expired');
  if (error instanceof RangeError && STACK_MESSAGE.test(error.message)) return fault('trapped', 'call stack exhausted');
  if (error instanceof WebAssembly.RuntimeError)
    return fault('trapped', MESSAGES.find(([pattern]) => pattern.test(error.message))?.[1] ?? error.message);
  return null;
}

export type Frames = (error: Error) => Fault['backtrace'];

/** Reads V8's stack traces: `name (wasm://…:wasm-function[3]:0x4f)`. */
export function frameReader(names: readonly string[], originalOffset: (offset: number) => number): Frames {
  Error.stackTraceLimit = MAX_FRAMES + 4;
  return ({ stack = '' }) =>
    [...stack.matchAll(/wasm-function\[(\d+)\]:0x([0-9a-f]+)/g)].slice(0, MAX_FRAMES).map(([, index, offset]) => ({
      func: Number(index),
      name: names[Number(index)] ?? `func${index}`,
      offset: originalOffset(parseInt(offset!, 16)),
    }));
}
