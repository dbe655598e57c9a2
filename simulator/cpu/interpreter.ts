// Decodes blocks and runs them one instruction at a time. Takes a core, the code cache and fetch; executes until the
// block ends, an exception is taken or something asks to look up. Knows no translation.

import type { IsaFeature } from '../../backend-xtensa/isa/types.js';
import type { Memory } from '../bus/memory.js';
import { CpuException } from '../stop.js';
import type { CodeCache, Entry } from './code-cache.js';
import { Block } from './code-cache.js';
import type { Core } from './core.js';
import type { FetchByte } from './decoded.js';
import { DecodedOp, fetchInstruction } from './decoded.js';
import type { StepHandler } from './step-handlers.js';
import { makeStepHandlers } from './step-handlers.js';
import { Cause, PS, SR } from './state.js';
import { TEMPLATES } from './templates.js';
import { checkOverflow } from './windows.js';

const MAX_BLOCK = 64;

/** Called before each instruction when tracing. */
export type TraceHook = (op: DecodedOp) => void;

export class Interpreter {
  private readonly handlers: readonly StepHandler[];
  trace: TraceHook | undefined = undefined;

  constructor(
    private readonly core: Core,
    memory: Memory,
    features: ReadonlySet<IsaFeature>,
    private readonly cache: CodeCache,
    private readonly fetch: FetchByte,
    /** Blocks must not run through these addresses (breakpoints). */
    private readonly isBarrier: (pc: number) => boolean,
  ) {
    this.handlers = makeStepHandlers(core, memory, features);
  }

  /** The block at an entry, decoded when needed; undefined when its first instruction cannot be had. */
  blockOf(entry: Entry): Block | undefined {
    return (entry.block ??= this.decode(entry.pc));
  }

  private decode(start: number): Block | undefined {
    const ops: DecodedOp[] = [];
    let cycles = 0;
    let pc = start;
    for (;;) {
      const op = this.decodeOne(pc);
      if (op === undefined) break;
      ops.push(op);
      cycles += op.cycles + op.takenCycles;
      pc = op.next;
      if (endsBlock(op) || ops.length === MAX_BLOCK || this.isBarrier(pc)) break;
    }
    if (ops.length === 0) return undefined;
    this.cache.cover(start, pc);
    return new Block(ops, cycles);
  }

  private decodeOne(pc: number): DecodedOp | undefined {
    const instruction = fetchInstruction(this.fetch, pc);
    if (instruction === -1 || instruction === undefined) return undefined;
    const next = fetchInstruction(this.fetch, (pc + instruction.row.size) >>> 0);
    const op = new DecodedOp(instruction, pc, next === -1 ? undefined : next);
    op.run = this.handlers[instruction.opcode] as StepHandler;
    return op;
  }

  /**
   * Runs the block until it ends, at most `maxInstructions`, and stops early at `cycleLimit`.
   * On return, pc and counts are those of an instruction boundary; exceptions of the chip have been entered.
   */
  run(block: Block, maxInstructions: number, cycleLimit: number): void {
    const { core } = this;
    const { state } = core;
    const { counts, sr } = state;
    const { ops } = block;
    const limit = maxInstructions < ops.length ? maxInstructions : ops.length;
    const careful =
      core.windowCheck || this.trace !== undefined || (counts[1] as number) + block.maxCycles > cycleLimit;
    let i = 0;
    try {
      while (i < limit) {
        const op = ops[i] as DecodedOp;
        if (careful) {
          if (i > 0 && (counts[1] as number) >= cycleLimit) break;
          this.trace?.(op);
          if (core.windowCheck && op.panes > 0 && checkOverflow(core, op.panes, op.pc) >= 0) return;
        }
        let pc = op.run(op);
        counts[0] = (counts[0] as number) + 1;
        if (pc !== op.next) {
          counts[1] = (counts[1] as number) + op.cycles + op.takenCycles;
          state.pc = pc;
          return;
        }
        counts[1] = (counts[1] as number) + op.cycles;
        if (
          pc === (sr[SR.LEND] as number) >>> 0 &&
          sr[SR.LCOUNT] !== 0 &&
          op.fallsThrough &&
          ((sr[SR.PS] as number) & PS.EXCM) === 0
        ) {
          sr[SR.LCOUNT] = ((sr[SR.LCOUNT] as number) - 1) | 0;
          pc = (sr[SR.LBEG] as number) >>> 0;
          state.pc = pc;
          return;
        }
        i++;
        state.pc = pc;
        if (core.breakOut) return;
      }
    } catch (error) {
      const op = ops[i] as DecodedOp;
      state.pc = op.pc;
      if (!(error instanceof CpuException)) throw error;
      core.enterException(error.cause, error.address, op.pc);
    }
  }

  /** Raises what the fetch of an instruction that is none raises. */
  fetchFault(pc: number): void {
    const instruction = fetchInstruction(this.fetch, pc);
    if (instruction === -1) this.core.enterException(Cause.FETCH_PROHIBITED, pc, pc);
    else this.core.enterException(Cause.ILLEGAL_INSTRUCTION, undefined, pc);
  }
}

/** Anything but plain instructions: control may go elsewhere, or a mode may change. */
function endsBlock(op: DecodedOp): boolean {
  return TEMPLATES.plain[op.row.name] === undefined && op.row.feature !== 'mac16';
}
