// One function through the backend: lowered IR in, CompiledFunction out. Knows the order of the stages and hands each
// stage's result on; no instruction and no object format.
import { InternalError } from '../compiler/diagnostics.js';
import type { Func } from '../compiler/ir/function.js';
import type { Abi } from './abi/abi.js';
import type { CompiledFunction } from './compiled.js';
import { encodeFunction } from './emit/encode-function.js';
import { expand } from './emit/expand.js';
import { Frame } from './frame.js';
import { select } from './lower/select.js';
import { SITE_CALL } from '../compiler/abi/traps.js';
import { LoopConflict, makeHardwareLoops } from './mach/hardware-loops.js';
import { layOut } from './mach/layout.js';
import { sinkInstructions } from './mach/sink.js';
import { MachRegallocInput } from './mach/regalloc-input.js';
import { allocate } from './regalloc/allocate.js';
import type { RegallocInput, RegallocOutput, RegallocStats } from './regalloc/api.js';

export interface FunctionContext {
  readonly abi: Abi;
  /** Code symbol by function index. */
  readonly symbols: readonly string[];
  readonly stackLimit: string;
  readonly checkReturns: boolean;
  /** Use LOOP for counted loops. */
  readonly hardwareLoops: boolean;
  /** Looks at every allocation (the checker, in tests). */
  readonly inspectAllocation?: (input: RegallocInput, output: RegallocOutput) => void;
  readonly onStats?: (stats: RegallocStats) => void;
}

/**
 * @param signature signature word before the entry, for functions whose address is taken
 * @param bodyOffset byte offset of the body in the .wasm file
 */
export function compileFunction(
  func: Func,
  context: FunctionContext,
  signature: number | null,
  bodyOffset: number,
): CompiledFunction {
  const skip = new Set<number>();
  for (;;) {
    try {
      return attempt(func, context, signature, bodyOffset, skip);
    } catch (error) {
      if (!(error instanceof LoopConflict)) throw error;
      for (const header of error.headers) {
        if (skip.has(header)) throw new InternalError(`loop at block ${header} is in conflict without being one`);
        skip.add(header);
      }
    }
  }
}

/** @param skip loops that are known not to fit the hardware's loops */
function attempt(
  func: Func,
  context: FunctionContext,
  signature: number | null,
  bodyOffset: number,
  skip: ReadonlySet<number>,
): CompiledFunction {
  const mach = select(func, context);
  if (context.hardwareLoops) makeHardwareLoops(mach, skip);
  layOut(mach);
  sinkInstructions(mach);
  const input = new MachRegallocInput(mach, context.abi);
  const allocation = allocate(input);
  context.inspectAllocation?.(input, allocation);
  const hasCalls = input.insts.some((inst) => inst.site === SITE_CALL);
  const frame = new Frame(context.abi, context, allocation.writtenRegisters, allocation.slotCount, hasCalls);
  const buffer = expand(mach, input, allocation, frame, bodyOffset);
  const symbol = context.symbols[func.index]!;
  const encoded = encodeFunction(buffer, symbol, signature);
  context.onStats?.(allocation.stats);
  return {
    index: func.index,
    name: func.name,
    symbol,
    ...encoded,
    frame: {
      bytes: frame.bytes,
      returnSlot: frame.returnSlot,
      directCallees: [...mach.callees],
      hasIndirectCalls: mach.hasIndirectCalls,
    },
  };
}
