// One function through the backend: lowered IR in, CompiledFunction out. Knows the order of the stages and hands each
// stage's result on; no instruction and no object format.
import { InternalError } from '../compiler/diagnostics.js';
import type { Func } from '../compiler/ir/function.js';
import type { Abi } from './abi/abi.js';
import type { CalleeFacts, CompiledFunction } from './compiled.js';
import { encodeFunction } from './emit/encode-function.js';
import { expand } from './emit/expand.js';
import { Frame } from './frame.js';
import { select } from './lower/select.js';
import { SITE_CALL } from '../compiler/abi/traps.js';
import { LoopConflict, makeHardwareLoops } from './mach/hardware-loops.js';
import { layOut } from './mach/layout.js';
import { quickWay } from './mach/quick-way.js';
import { shrinkWrap } from './mach/shrink-wrap.js';
import { sinkInstructions } from './mach/sink.js';
import { MachRegallocInput } from './mach/regalloc-input.js';
import { allocate } from './regalloc/allocate.js';
import type { PReg, RegallocInput, RegallocOutput, RegallocStats } from './regalloc/api.js';

export interface FunctionContext {
  readonly abi: Abi;
  /** Code symbol by function index. */
  readonly symbols: readonly string[];
  readonly stackLimit: string;
  /** What is known of functions compiled before, by symbol: the clobbers and stack that their callers reckon with. */
  readonly callees: ReadonlyMap<string, CalleeFacts>;
  readonly checkReturns: boolean;
  /** Use LOOP for counted loops. */
  readonly hardwareLoops: boolean;
  /** Leave the frame to the part of a function that needs one. */
  readonly shrinkWrap: boolean;
  /** Copy a little code where that saves jumps. */
  readonly copyForSpeed: boolean;
  /** Looks at every allocation (the checker, in tests). */
  readonly inspectAllocation?: (input: RegallocInput, output: RegallocOutput) => void;
  readonly onStats?: (stats: RegallocStats) => void;
}

/** What the module says about one function. */
export interface FunctionFacts {
  /** Signature word before the entry, for functions whose address is taken. */
  readonly signature: number | null;
  /** Byte offset of the body in the .wasm file. */
  readonly bodyOffset: number;
  /** The stack check cannot be left to callers (call-graph.ts). */
  readonly ownCheck: boolean;
}

export function compileFunction(func: Func, context: FunctionContext, facts: FunctionFacts): CompiledFunction {
  const skip = new Set<number>();
  for (;;) {
    try {
      return attempt(func, context, facts, skip);
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
  facts: FunctionFacts,
  skip: ReadonlySet<number>,
): CompiledFunction {
  const mach = select(func, context);
  if (context.hardwareLoops) makeHardwareLoops(mach, skip);
  if (context.shrinkWrap) shrinkWrap(mach);
  layOut(mach);
  sinkInstructions(mach);
  const input = new MachRegallocInput(mach, context.abi);
  const allocation = allocate(input);
  context.inspectAllocation?.(input, allocation);
  const hasCalls = input.insts.some((inst) => inst.site === SITE_CALL);
  let belowBytes = 0;
  for (const callee of mach.callees) {
    belowBytes = Math.max(belowBytes, context.callees.get(callee)?.uncheckedBytes ?? 0);
  }
  const frame = new Frame(context.abi, context, {
    written: allocation.writtenRegisters,
    slotCount: allocation.slotCount,
    hasCalls,
    ownCheck: facts.ownCheck,
    belowBytes,
  });
  const unframed = quickWay(mach, input, allocation, context.abi);
  const buffer = expand({
    mach,
    input,
    allocation,
    frame,
    unframed,
    bodyOffset: facts.bodyOffset,
    mayCopy: context.copyForSpeed,
  });
  const symbol = context.symbols[func.index]!;
  const encoded = encodeFunction(buffer, symbol, facts.signature);
  context.onStats?.(allocation.stats);
  return {
    index: func.index,
    name: func.name,
    symbol,
    ...encoded,
    ...inWasm(func, encoded),
    asCallee: {
      uncheckedBytes: frame.uncheckedBytes,
      clobbers: destroyed(context.abi, allocation.writtenRegisters, frame.scratch),
    },
    frame: {
      bytes: frame.bytes,
      start: frame.savesReturn ? encoded.frameStart : -1,
      stackCheck: frame.stackCheck,
      directCallees: [...mach.callees],
      hasIndirectCalls: mach.hasIndirectCalls,
    },
  };
}

type Located = Pick<CompiledFunction, 'sites' | 'lines'>;

/** Sites and lines by byte offset in the .wasm file; up to here inlined code has numbers of its function instead. */
function inWasm(func: Func, { sites, lines }: Located): Located {
  if (func.inlined.length === 0) return { sites, lines };
  return {
    sites: sites.map((site) => {
      const chain = func.inlinedFrom(site.wasmOffset);
      const wasmOffset = func.offsetOf(site.wasmOffset);
      if (chain.length === 0) return site;
      return { ...site, wasmOffset, inlined: chain.map((c) => ({ func: c.func, callOffset: func.offsetOf(c.call) })) };
    }),
    lines: lines.map(([offset, loc]) => [offset, func.offsetOf(loc)]),
  };
}

/** The caller-saved registers among those written. */
function destroyed({ callClobbers }: Abi, written: ReadonlySet<PReg>, scratch: readonly PReg[]): readonly PReg[] {
  const list = callClobbers.filter((register) => written.has(register) || scratch.includes(register));
  return list.length === callClobbers.length ? callClobbers : list;
}
