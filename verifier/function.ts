// Verifies one function: iterates abstract states over its blocks until they hold for every execution, then looks at each
// instruction once more and collects what cannot be accepted. Knows no particular instruction beyond its row.
import { Op } from '../backend-xtensa/isa/table.js';
import { access } from './accesses.js';
import { high, low } from './arc.js';
import { ARITHMETIC } from './arithmetic.js';
import type { CallGraph } from './call-graph.js';
import { targetOf, type Code, type Violation } from './code.js';
import { flowGraph, isInLoop, type FlowGraph } from './flow-graph.js';
import type { Image } from './image.js';
import { NOTHING } from './facts.js';
import { join, implies, weaken, type Arrival, type HardwareLoop, type Loop } from './join.js';
import { sameState, State } from './state.js';
import { call, jumpRegister, leave, refine, tailCall } from './transfers.js';
import { Walk, type VerifyOptions } from './walk.js';
import { askForWindow, meetWindow } from './windows.js';
import { PASSED_WORDS, functionCallee, type ReferenceFlow } from './references.js';

/** Visits of one block after which the function is given up; widening ends every loop long before. */
const MAX_VISITS = 400;
/** Most rounds without widening after the states have settled; what inner loops lost comes back one nesting level a round. */
const MAX_DESCENTS = 12;
/** Times that what is not proved at one block is weakened. */
const MAX_WEAKENINGS = 60;
/** A function that is not proved is looked at once more, with what was learnt of its loops. */
const MAX_ATTEMPTS = 2;
/** Joins in a row that one threshold is followed over. */
const THRESHOLD_ROUNDS = 6;

/**
 * @param covered bytes below the entry SP that callers have checked
 * @returns what cannot be accepted, in address order; empty if the function is proved
 */
export function verifyFunction(
  image: Image,
  code: Code,
  notes: ReferenceFlow,
  calls: CallGraph,
  options: VerifyOptions,
  covered: number,
): Violation[] {
  return new FunctionVerifier(new Walk(image, code, notes, calls, options, covered)).run();
}

class FunctionVerifier {
  private readonly code: Code;
  /** States on the edges into each block, by source block and outcome. */
  private incoming: Map<number, State>[];
  private before: (State | null)[];
  private readonly visits: Int32Array;
  private readonly graph: FlowGraph;
  private readonly order: Int32Array;
  private readonly byPosition: Int32Array;
  private readonly pending: Uint8Array;
  /** By block that begins the body of a zero-overhead loop: most times it goes round. */
  private readonly rounds = new Map<number, number>();
  /** By loop header, locations that some block of the loop has changed so far, as flags. */
  private readonly changed: (Uint8Array | null)[];
  private firstPending = 0;
  /** Block being looked at, -1 outside of all. */
  private current = -1;
  /** Number of the block being looked at's first outgoing edge. */
  private edge = 0;

  constructor(private readonly walk: Walk) {
    const { code } = walk;
    this.code = code;
    this.incoming = code.blocks.map(() => new Map());
    this.before = code.blocks.map(() => null);
    this.visits = new Int32Array(code.blocks.length);
    this.pending = new Uint8Array(code.blocks.length);
    this.graph = flowGraph(code, walk.image);
    this.order = this.graph.order;
    this.changed = code.blocks.map((_, b) => (this.graph.entries[b] === null ? null : new Uint8Array(walk.locations)));
    this.byPosition = new Int32Array(code.blocks.length);
    this.order.forEach((position, block) => (this.byPosition[position] = block));
  }

  run(): Violation[] {
    const { notes } = this.walk;
    for (let attempt = 1; ; attempt++) {
      const violations = this.attempt();
      if (violations.length === 0 || attempt === MAX_ATTEMPTS || !this.spreadThresholds()) {
        notes.commit();
        return violations.sort((a, b) => a.address - b.address);
      }
      notes.discard();
      this.restart();
    }
  }

  private attempt(): Violation[] {
    const { walk } = this;
    if (!this.ascend()) return this.giveUp(0, 'the function is too complicated to verify');
    for (let round = 0; round < MAX_DESCENTS && this.descend(); round++);
    // Whatever way the states were found: what counts is that each follows from those before it. What does not is dropped.
    const disproved = this.drop();
    if (disproved >= 0 || this.check() >= 0)
      return this.giveUp(Math.max(disproved, 0), 'the verifier found no invariant here that holds');
    return walk.violations;
  }

  /**
   * Where a value is compared behind a join, the loops around that may end at the same constants. False if nothing comes of it:
   * another attempt would end as this one.
   */
  private spreadThresholds(): boolean {
    const { walk } = this;
    let learnt = false;
    for (let round = 0; round < THRESHOLD_ROUNDS; round++) {
      let changed = false;
      for (let p = this.byPosition.length - 1; p >= 0; p--) {
        const block = this.byPosition[p]!;
        const state = this.before[block]!;
        if (state === null) continue;
        for (const edge of this.incoming[block]!.values())
          for (let l = 0; l < walk.locations; l++) {
            const symbol = state.symbols[l]!;
            if (edge.symbols[l] === symbol || !walk.ownedByBlock(symbol, block)) continue;
            const { symbol: from, offset } = edge.get(l);
            if (walk.inheritThresholds({ symbol: from, offset: offset - state.offsets[l]! }, symbol)) changed = true;
          }
      }
      if (!changed) break;
      learnt = true;
    }
    return learnt;
  }

  private restart(): void {
    this.incoming = this.code.blocks.map(() => new Map());
    this.before.fill(null);
    this.visits.fill(0);
    this.pending.fill(0);
    this.firstPending = 0;
    this.rounds.clear();
    for (const flags of this.changed) flags?.fill(0);
    this.walk.checking = false;
    this.walk.violations.length = 0;
  }

  private giveUp(block: number, reason: string): Violation[] {
    const { walk } = this;
    walk.violations.length = 0;
    walk.checking = true;
    walk.index = this.code.blocks[block]!.first;
    walk.complain(reason);
    return walk.violations;
  }

  private enter(): void {
    const { walk } = this;
    this.current = -1;
    const entry = walk.entryState();
    const callee = functionCallee(this.code.func);
    for (let k = 0; k < PASSED_WORDS; k++)
      entry.facts.set(entry.symbols[2 + k]!, { ...NOTHING, origins: [`param ${callee} ${k}`] });
    this.arrive(0, ENTRY_EDGE, entry);
  }

  /** Iterates from below until nothing changes; false if that takes too long. */
  private ascend(): boolean {
    const { walk } = this;
    this.enter();
    for (;;) {
      const block = this.nextPending();
      if (block < 0) return true;
      const visits = ++this.visits[block]!;
      if (visits > MAX_VISITS) return false;
      const before = this.before[block]!;
      const state = join(this.arrival(block), 'up', walk, walk.minimum);
      if (before === null || !sameState(before, state)) this.runBlock(block, state);
    }
  }

  /** Takes the first block in order whose incoming edges have changed, or gives -1. */
  private nextPending(): number {
    const { pending } = this;
    while (this.firstPending < pending.length && pending[this.firstPending] === 0) this.firstPending++;
    if (this.firstPending === pending.length) return -1;
    pending[this.firstPending] = 0;
    return this.byPosition[this.firstPending]!;
  }

  /** One round without widening over what has changed; false if nothing had. */
  private descend(): boolean {
    const { walk } = this;
    let changed = false;
    for (let p = 0; p < this.byPosition.length; p++) {
      const block = this.byPosition[p]!;
      if (this.incoming[block]!.size === 0) continue;
      const state = join(this.arrival(block), 'down', walk, walk.minimum);
      const before = this.before[block]!;
      if (before !== null && sameState(before, state)) continue;
      changed = true;
      this.runBlock(block, state);
    }
    return changed;
  }

  /**
   * Drops from the states what does not follow from those at the ends of the blocks before, until all of them do. Gives a block
   * where that takes too long, or -1.
   */
  private drop(): number {
    const { walk, pending } = this;
    const weakened = new Int32Array(this.code.blocks.length);
    for (let b = 0; b < pending.length; b++) if (this.incoming[b]!.size > 0) pending[this.order[b]!] = 1;
    this.firstPending = 0;
    for (;;) {
      const b = this.nextPending();
      if (b < 0) return -1;
      const proved = join(this.arrival(b), 'strict', walk, walk.minimum);
      const assumed = this.before[b]!;
      if (assumed !== null && implies(proved, assumed, b, walk, walk.minimum)) continue;
      if (++weakened[b]! > MAX_WEAKENINGS) return b;
      this.runBlock(b, assumed === null ? proved : weaken(proved, assumed, b, walk, walk.minimum, weakened[b]!));
    }
  }

  /**
   * The proof: looks at every instruction in the states found, collecting violations, and asks whether each state follows from
   * those at the ends of the blocks before. Gives the first block whose state does not, or -1.
   */
  private check(): number {
    const { walk, code } = this;
    walk.violations.length = 0;
    walk.checking = true;
    this.incoming = code.blocks.map(() => new Map());
    this.rounds.clear();
    this.enter();
    for (let b = 0; b < code.blocks.length; b++) {
      const state = this.before[b]!;
      if (state !== null) this.runBlock(b, state);
    }
    walk.checking = false;
    for (let b = 0; b < code.blocks.length; b++) {
      if (this.incoming[b]!.size === 0) continue;
      const assumed = this.before[b]!;
      if (assumed === null) return b;
      const proved = join(this.arrival(b), 'strict', walk, walk.minimum);
      if (!implies(proved, assumed, b, walk, walk.minimum)) return b;
    }
    return -1;
  }

  private arrive(block: number, edge: number, state: State): void {
    state.prune();
    this.noteChanges(state);
    this.incoming[block]!.set(edge, state);
    const position = this.order[block]!;
    this.pending[position] = 1;
    if (position < this.firstPending) this.firstPending = position;
  }

  /** What the block being looked at changed, all loops around it change. */
  private noteChanges({ symbols, offsets }: State): void {
    if (this.current < 0) return;
    const { changed, graph } = this;
    const before = this.before[this.current]!;
    const innermost = graph.entries[this.current] === null ? graph.loopOf[this.current]! : this.current;
    if (innermost < 0) return;
    for (let l = 0; l < symbols.length; l++) {
      if (symbols[l] === before.symbols[l] && offsets[l] === before.offsets[l]) continue;
      for (let header = innermost; header >= 0; header = graph.loopOf[header]!) {
        const flags = changed[header]!;
        if (flags[l] === 1) break;
        flags[l] = 1;
      }
    }
  }

  private arrival(block: number): Arrival {
    // In an order of their own: what a join finds depends on it.
    const edges = [...this.incoming[block]!].sort(([a], [b]) => a - b);
    return {
      block,
      incoming: edges.map(([, state]) => state),
      isForward: edges.map(([edge]) => this.isForward(edge, block)),
      loops: this.graph.enters[block]!.map((header) => this.loop(header)),
      before: this.before[block]!,
      visits: this.visits[block]!,
      hardware: this.hardwareLoop(
        block,
        edges.map(([edge]) => edge),
      ),
    };
  }

  private loop(header: number): Loop {
    const entering: State[] = [];
    const entries = this.graph.entries[header]!;
    for (const block of entries)
      for (const [edge, state] of this.incoming[block]!)
        if (!isInLoop(this.graph, sourceOf(edge), header)) entering.push(state);
    return { changed: this.changed[header]!, entering, isEnteredOnce: entries.length === 1 };
  }

  private isForward(edge: number, block: number): boolean {
    if (edge === ENTRY_EDGE) return true;
    return !isLoopBack(edge) && this.order[(edge >> 1) - 1]! < this.order[block]!;
  }

  private runBlock(block: number, state: State): void {
    this.before[block] = state;
    this.walk.state = state.copy();
    this.current = block;
    this.edge = 2 * (block + 1);
    this.block(block);
  }

  /** The zero-overhead loop whose body begins with the block, if it is known how often that runs. */
  private hardwareLoop(block: number, edges: readonly number[]): HardwareLoop | null {
    const rounds = this.rounds.get(block);
    if (rounds === undefined || rounds === Infinity) return null;
    return { rounds, isBack: edges.map(isLoopBack) };
  }

  private hasLoopEnd(i: number): boolean {
    const { code } = this;
    const end = targetOf(code.instructions[i]!, code.addresses[i]! >>> 0) - code.func.start;
    return end >= 0 && end < code.func.size && code.at[end]! > i + 1;
  }

  /** Notes how often the body of the loop instruction before `first` can run again. */
  private countRounds(first: number): void {
    const { walk, code } = this;
    const count = walk.arc(walk.get(walk.inst.operands[0]!));
    const block = code.blockOf[first]!;
    // LOOP with a count of 0 runs 2^32 times.
    const known = code.simpleLoops.has(first) && (walk.inst.opcode !== Op.LOOP || low(count) > 0);
    this.rounds.set(block, known ? Math.max(0, high(count) - 1) : Infinity);
  }

  private block(b: number): void {
    const { walk, code } = this;
    const { first, end } = code.blocks[b]!;
    for (let i = first; i < end; i++) {
      walk.index = i;
      const { row, opcode } = walk.inst;
      switch (row.flow) {
        case 'next':
          if (row.access !== undefined) access(walk);
          else this.plain(opcode);
          break;
        case 'call':
        case 'callreg':
          call(walk);
          break;
        case 'branch':
          this.branch(i);
          return;
        case 'jump':
          this.jump();
          return;
        case 'jumpreg':
          for (const target of jumpRegister(walk)) this.follow(target, this.edge, walk.state.copy());
          return;
        case 'return':
          leave(walk);
          return;
        case 'loop':
          // LEND stays set when the loop is left: it must mean nothing to any other function.
          if (!this.hasLoopEnd(i)) walk.complain('the loop does not end at an instruction of the function behind it');
          this.countRounds(i + 1);
          this.follow(i + 1, this.edge, walk.state.copy());
          if (opcode !== Op.LOOP) this.goTo(targetOf(walk.inst, walk.address), this.edge + 1, walk.state.copy());
          return;
        case 'trap':
          if (!walk.code.func.module.traps.has(walk.address)) walk.complain('trap without an entry in the site table');
          return;
        default:
          walk.complain('control leaves in a way that module code must not use');
          return;
      }
    }
    this.fallThrough(end, this.edge, walk.state);
  }

  private plain(opcode: number): void {
    const { walk } = this;
    const rule = ARITHMETIC[opcode];
    const { operands, row } = walk.inst;
    if (rule !== undefined) {
      rule(walk, operands);
      return;
    }
    let begun = false;
    for (let k = 0; k < row.operands.length; k++) {
      const { kind, role } = row.operands[k]!;
      if (kind !== 'ar' || role === 'use') continue;
      if (!begun) walk.begin();
      begun = true;
      walk.forget(operands[k]!);
    }
  }

  /** The next instruction in the file, and the loop's first one where a zero-overhead loop's body ends. */
  private fallThrough(next: number, edge: number, state: State): void {
    for (const back of this.code.loopBack.get(next) ?? []) this.follow(back, loopBackEdge(edge), state.copy());
    if (next >= this.code.instructions.length) this.walk.complain('control runs off the end of the function');
    else this.follow(next, edge, state);
  }

  private follow(instruction: number, edge: number, state: State): void {
    for (const site of this.code.windowEnds.get(instruction) ?? []) meetWindow(this.walk, site, state);
    this.arrive(this.code.blockOf[instruction]!, edge, state);
  }

  /** An address that must be an instruction of the function. */
  private goTo(address: number, edge: number, state: State): void {
    const { code, walk } = this;
    const offset = address - code.func.start;
    if (offset < 0 || offset >= code.func.size) walk.complain('branch out of the function');
    else if (code.at[offset]! < 0) walk.complain('branch into the middle of an instruction');
    else this.follow(code.at[offset]!, edge, state);
  }

  private branch(i: number): void {
    const { walk } = this;
    const { state } = walk;
    const taken = state.copy();
    walk.state = taken;
    if (refine(walk, true)) this.goTo(targetOf(walk.inst, walk.address), this.edge + 1, taken);
    walk.state = state;
    if (refine(walk, false)) this.fallThrough(i + 1, this.edge, state);
  }

  private jump(): void {
    const { walk, code } = this;
    const site = code.windows.get(walk.index);
    if (site !== undefined) {
      askForWindow(walk, site);
      this.goTo(site.end, this.edge, walk.state);
      return;
    }
    const address = targetOf(walk.inst, walk.address);
    const inside = address > code.func.start && address < code.func.start + code.func.size;
    // A jump to the own start is a tail call, unless the frame is still there.
    if (inside || (address === code.func.start && walk.depth !== 0)) this.goTo(address, this.edge, walk.state);
    else tailCall(walk, address);
  }
}

const ENTRY_EDGE = -1;
const loopBackEdge = (edge: number): number => -edge - 2;
const isLoopBack = (edge: number): boolean => edge < ENTRY_EDGE;
/** Block from which the edge leads, -1 for the entry. */
const sourceOf = (edge: number): number => ((isLoopBack(edge) ? loopBackEdge(edge) : edge) >> 1) - 1;
