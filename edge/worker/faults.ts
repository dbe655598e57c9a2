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

const TABLE_MESSAGE = 'out of bounds table access';
/** The same of a call. */
const CALL_MESSAGE = 'undefined element';

/** V8's messages in the words of the specification, which the device uses. */
const MESSAGES: readonly (readonly [RegExp, string])[] = [
  [/divide by zero|remainder by zero/, 'integer divide by zero'],
  [/unrepresentable/, 'integer overflow'],
  [/memory access|data segment/, 'out of bounds memory access'],
  [/signature mismatch/, 'indirect call type mismatch'],
  [/table|element segment/, TABLE_MESSAGE],
  [/unreachable/, 'unreachable'],
];
const STACK_MESSAGE = /call stack/;

/** Frames of a fault that are told; the rest of a deep recursion says nothing new. */
const MAX_FRAMES = 16;
/** Those of the host's functions between them count. */
const STACK_LINES = MAX_FRAMES + 8;
/** What runs a module's function. */
const ENTRY = /at ModuleRuntime\.(?:enter|start) /;

Error.stackTraceLimit = STACK_LINES;

/** What the module is known by. */
export interface FaultContext {
  readonly names: readonly string[];
  /** Byte offset in the original file of an instruction of the rewritten one. */
  originalOffset(offset: number): number;
  /** Is the instruction at an offset of the original file a call through a table? */
  isIndirectCall(offset: number): boolean;
}

/** Null: the error is none of the module's. */
export function faultOf(error: unknown, context: FaultContext): Fault | null {
  const fault = (reason: Fault['reason'], message: string, backtrace = framesOf(error as Error, context)): Fault => {
    return { reason, message, backtrace };
  };
  if (error instanceof Exited) return fault('exited', error.message, []);
  if (error instanceof ContractBroken) return fault('contract broken', error.message, []);
  if (error instanceof Killed) return fault('killed', error.message);
  if (error instanceof DeadlineExpired) return fault('deadline expired', 'deadline expired');
  if (error instanceof RangeError && STACK_MESSAGE.test(error.message)) return fault('trapped', 'call stack exhausted');
  if (!(error instanceof WebAssembly.RuntimeError)) return null;
  const backtrace = framesOf(error, context);
  const message = MESSAGES.find(([pattern]) => pattern.test(error.message))?.[1] ?? error.message;
  const isCall = message === TABLE_MESSAGE && backtrace[0] !== undefined && context.isIndirectCall(backtrace[0].offset);
  return fault('trapped', isCall ? CALL_MESSAGE : message, backtrace);
}

/** Reads V8's stack traces: `name (wasm://…:wasm-function[3]:0x4f)`; down to where the invocation began. */
function framesOf({ stack = '' }: Error, { names, originalOffset }: FaultContext): Fault['backtrace'] {
  const [own = ''] = stack.split(ENTRY);
  return [...own.matchAll(/wasm-function\[(\d+)\]:0x([0-9a-f]+)/g)].slice(0, MAX_FRAMES).map(([, index, offset]) => ({
    func: Number(index),
    name: names[Number(index)] ?? `func${index}`,
    offset: originalOffset(parseInt(offset!, 16)),
  }));
}
