// Chooses for every block between interpreting and translated code, and keeps instruction and cycle limits exact. Takes
// a core and its code cache; runs until a limit, a break-out or a breakpoint. Knows no peripheral and no instruction.

import type { IsaFeature } from '../../backend-xtensa/isa/types.js';
import type { Memory } from '../bus/memory.js';
import type { CodeCache, Entry, Region } from './code-cache.js';
import type { Core } from './core.js';
import type { FetchByte } from './decoded.js';
import type { TraceHook } from './interpreter.js';
import { Interpreter } from './interpreter.js';
import { Translator } from './translate.js';

export interface DispatcherOptions {
  readonly fetch: FetchByte;
  /** Throws MachineStop for addresses whose execution is refused for reasons of the model. */
  readonly fetchRefused: (address: number) => void;
  readonly translate: boolean;
  /** How often a block is interpreted before a region is translated from it. */
  readonly translateAfter: number;
  /** Unaligned data accesses work. */
  readonly unaligned: boolean;
}

/** A region that comes back this often without having done anything is given up. */
const MAX_IDLE = 16;
/** Counts inside regions are small integers. */
const MAX_SLICE = 1 << 29;

export class Dispatcher {
  private readonly interpreter: Interpreter;
  private readonly translator: Translator | undefined;
  private breakpoints: ReadonlySet<number> = new Set();
  /** Every address that ever was a breakpoint: blocks and regions never run through one. */
  private readonly barriers = new Set<number>();

  constructor(
    private readonly core: Core,
    memory: Memory,
    private readonly cache: CodeCache,
    features: ReadonlySet<IsaFeature>,
    private readonly options: DispatcherOptions,
  ) {
    const isBarrier = (pc: number): boolean => this.barriers.has(pc);
    this.interpreter = new Interpreter(core, memory, features, cache, options.fetch, isBarrier);
    this.translator = options.translate
      ? new Translator(core, memory, cache, this.interpreter, { features, unaligned: options.unaligned, isBarrier })
      : undefined;
  }

  setTrace(hook: TraceHook | undefined): void {
    this.interpreter.trace = hook;
  }

  setBreakpoints(addresses: ReadonlySet<number>): void {
    this.breakpoints = addresses;
    let added = false;
    for (const address of addresses) {
      if (this.barriers.has(address)) continue;
      this.barriers.add(address);
      // Code that was decoded before must stop here from now on.
      if (this.cache.isCovered(address)) added = true;
    }
    if (added) this.cache.clear();
  }

  /**
   * Runs at least one instruction (unless an exception keeps it from that) and goes on until an instruction count or
   * cycle is reached, `core.breakOut` is raised or pc is a breakpoint. Never passes `instructionLimit`; passes
   * `cycleLimit` by at most one instruction.
   */
  run(instructionLimit: number, cycleLimit: number): void {
    const { core, cache, breakpoints } = this;
    const { state } = core;
    const { counts } = state;
    core.breakOut = false;
    do {
      const { pc } = state;
      const entry = cache.entry(pc);
      const { region } = entry;
      if (region === undefined || !this.runRegion(entry, region, instructionLimit, cycleLimit)) {
        this.interpret(entry, instructionLimit, cycleLimit);
      }
    } while (
      !core.breakOut &&
      (counts[0] as number) < instructionLimit &&
      (counts[1] as number) < cycleLimit &&
      !(breakpoints.size > 0 && breakpoints.has(state.pc))
    );
  }

  /** @returns false when the region could not do anything here */
  private runRegion(entry: Entry, region: Region, instructionLimit: number, cycleLimit: number): boolean {
    const { core } = this;
    const { counts } = core.state;
    const before = counts[0] as number;
    const instructions = instructionLimit - before - region.maxInstructions;
    const cycles = cycleLimit - (counts[1] as number) - region.maxCycles;
    if (
      instructions < 0 ||
      cycles < 0 ||
      core.unusualMode ||
      this.interpreter.trace !== undefined ||
      (region.usesFloat && !core.floatEnabled)
    ) {
      return false;
    }
    core.state.pc = region.run(
      instructions < MAX_SLICE ? instructions : MAX_SLICE,
      cycles < MAX_SLICE ? cycles : MAX_SLICE,
    );
    if (counts[0] !== before) return true;
    if (++entry.idle > MAX_IDLE) {
      this.cache.dropRegion(entry);
      entry.heat = -Infinity;
    }
    return false;
  }

  private interpret(entry: Entry, instructionLimit: number, cycleLimit: number): void {
    const { interpreter, translator, core } = this;
    const block = interpreter.blockOf(entry);
    if (block === undefined) {
      this.options.fetchRefused(entry.pc);
      interpreter.fetchFault(entry.pc);
      return;
    }
    entry.warm = true;
    if (
      translator !== undefined &&
      ++entry.heat >= this.options.translateAfter &&
      entry.region === undefined &&
      !core.unusualMode
    ) {
      entry.heat = 0;
      translator.translate(entry);
    }
    interpreter.run(block, instructionLimit - (core.state.counts[0] as number), cycleLimit);
  }
}
