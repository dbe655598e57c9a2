// One function under verification: its code, its abstract state while an instruction is looked at, its symbols, its
// complaints. Shared by the files that know instructions (arithmetic, accesses, transfers). Knows none itself.
import type { DecodedInstruction } from '../backend-xtensa/isa/types.js';
import { FULL, isFull, type Arc } from './arc.js';
import type { CallGraph } from './call-graph.js';
import { textOf, type Code, type Violation } from './code.js';
import type { Image, MemoryObject } from './image.js';
import type { ReferenceFlow } from './references.js';
import { CONSTANT, NOTHING, type Fact, type Value } from './facts.js';
import type { Symbols } from './join.js';
import { ENTRY_RETURN, ENTRY_SAVED, ENTRY_SP, FIRST_FREE, REGISTERS, SP, State } from './state.js';

/** Kept of one symbol. */
const MAX_THRESHOLDS = 36;

export interface VerifyOptions {
  /** Return addresses must be compared with the shadow stack before use. */
  readonly checkReturns: boolean;
}

export class Walk implements Symbols {
  state: State;
  /** Instruction being looked at. */
  index = 0;
  /** True in the pass that complains. */
  checking = false;
  readonly violations: Violation[] = [];
  readonly locations: number;
  /** Memories and tables whose contents this function's module may touch. */
  readonly contents: readonly MemoryObject[];
  private readonly keys = new Map<number, number>();
  /** Place that owns each symbol. */
  private readonly owners: number[] = new Array<number>(FIRST_FREE).fill(-1);
  private readonly usedPlaces: Uint8Array;
  private readonly limits = new Map<number, Set<number>>();
  readonly minimum: (object: number) => number;

  constructor(
    readonly image: Image,
    readonly code: Code,
    /** Where references go, over all functions. */
    readonly notes: ReferenceFlow,
    readonly calls: CallGraph,
    readonly options: VerifyOptions,
    /** Bytes below the entry SP that callers have checked. */
    private readonly covered: number,
  ) {
    this.locations = REGISTERS + code.func.frameWords;
    this.usedPlaces = new Uint8Array(code.instructions.length + code.blocks.length + 1);
    this.state = new State(this.locations);
    const { module } = code.func;
    this.contents = image.objects.filter(
      (o) => (o.kind === 'memory-bytes' || o.kind === 'table-entries') && image.mayTouch(module, o),
    );
    this.minimum = (object) => image.objects[object]!.minimum;
  }

  get inst(): DecodedInstruction {
    return this.code.instructions[this.index]!;
  }
  get address(): number {
    return this.code.addresses[this.index]! >>> 0;
  }

  complain(reason: string): void {
    if (!this.checking) return;
    this.violations.push({ address: this.address, instruction: textOf(this.code, this.index), reason });
  }

  // -- symbols

  /** State on entry: every register holds what the caller left there. */
  entryState(): State {
    const state = new State(this.locations);
    const place = this.code.instructions.length + this.code.blocks.length;
    for (let l = 0; l < this.locations; l++) state.set(l, { symbol: this.symbolOf(place, l), offset: 0 });
    state.set(0, { symbol: ENTRY_RETURN, offset: 0 });
    state.set(SP, { symbol: ENTRY_SP, offset: 0 });
    for (let k = 0; k < 4; k++) state.set(12 + k, { symbol: ENTRY_SAVED + k, offset: 0 });
    state.checked = -this.covered;
    return state;
  }

  private symbolOf(place: number, slot: number): number {
    const key = place * (2 * this.locations + 4) + slot;
    let symbol = this.keys.get(key);
    if (symbol === undefined) {
      symbol = this.owners.length;
      this.owners.push(place);
      this.keys.set(key, symbol);
    }
    this.usedPlaces[place] = 1;
    return symbol;
  }
  arrival(block: number, location: number): number {
    return this.symbolOf(this.code.instructions.length + block, location);
  }
  ownedByBlock(symbol: number, block: number): boolean {
    return this.owners[symbol] === this.code.instructions.length + block;
  }
  thresholds(symbol: number): readonly number[] {
    const set = this.limits.get(symbol);
    return set === undefined ? [] : [...set];
  }
  /** A comparison with `limit`: where a loop that changes the value may end. */
  addThreshold(value: Value, limit: number): void {
    if (value.symbol === CONSTANT) return;
    let set = this.limits.get(value.symbol);
    if (set === undefined) this.limits.set(value.symbol, (set = new Set()));
    if (set.size + 3 > MAX_THRESHOLDS) return;
    for (const near of [-1, 0, 1]) set.add((limit + near - value.offset) >>> 0);
  }

  /** The symbol becomes that of a join where ways meet: its loops may end where that one's do. False if that was known. */
  inheritThresholds(value: Value, joined: number): boolean {
    const limits = this.limits.get(joined);
    if (limits === undefined || value.symbol === CONSTANT) return false;
    let set = this.limits.get(value.symbol);
    if (set === undefined) this.limits.set(value.symbol, (set = new Set()));
    const before = set.size;
    for (const limit of limits) if (set.size < MAX_THRESHOLDS) set.add((limit - value.offset) >>> 0);
    return set.size > before;
  }

  // -- definitions

  get(register: number): Value {
    return this.state.get(register);
  }
  arc(value: Value): Arc {
    return this.state.arcOf(value);
  }

  /**
   * To be called before an instruction makes new symbols: what still holds those of its previous execution gets names of
   * its own.
   */
  begin(): void {
    const place = this.index;
    if (this.usedPlaces[place] === 0) return;
    const { state, owners } = this;
    state.forgetSource((symbol) => owners[symbol] === place);
    let renamed: [location: number, fact: Fact][] | null = null;
    for (let l = 0; l < this.locations; l++) {
      const symbol = state.symbols[l]!;
      if (symbol !== CONSTANT && owners[symbol] === place) (renamed ??= []).push([l, state.describe(state.get(l))]);
    }
    if (renamed === null) return;
    for (const [l] of renamed) state.facts.delete(this.symbolOf(place, this.locations + 2 + l));
    for (const [l, fact] of renamed) {
      const stale = this.symbolOf(place, this.locations + 2 + l);
      state.set(l, { symbol: stale, offset: 0 });
      if (fact !== NOTHING) state.facts.set(stale, fact);
    }
  }

  /** A new symbol made by this instruction, number `slot` of those it makes. */
  make(slot: number, fact: Fact = NOTHING): Value {
    const symbol = this.symbolOf(this.index, slot);
    if (fact === NOTHING) this.state.facts.delete(symbol);
    else this.state.facts.set(symbol, fact);
    return { symbol, offset: 0 };
  }

  /** A new symbol of which only its members are known. */
  within(slot: number, arc: Arc): Value {
    return this.make(slot, isFull(arc) ? NOTHING : { ...NOTHING, arc });
  }

  define(register: number, value: Value): void {
    if (register === SP) this.checkStackPointer(value);
    this.state.set(register, value);
  }

  /** The register becomes something unknown. */
  forget(register: number): void {
    this.define(register, this.within(register, FULL));
  }

  /** Big frames move SP in two steps, so where it is matters only when it is used. */
  private checkStackPointer(value: Value): void {
    if (value.symbol !== ENTRY_SP) this.complain('SP becomes something else than a place in the function’s own frame');
  }

  /** SP relative to entry: negative, within the frame. Null when it is not known or somewhere else. */
  get depth(): number | null {
    const { symbol, offset } = this.get(SP);
    return symbol === ENTRY_SP && offset <= 0 && offset >= -4 * this.code.func.frameWords ? offset : null;
  }
}
