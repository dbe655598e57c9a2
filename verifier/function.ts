// Verifies one function: iterates abstract states over its blocks until they hold for every execution, then looks at each
// instruction once more and collects what cannot be accepted. Knows no particular instruction beyond its row.
import { Op } from '../backend-xtensa/isa/table.js';
import { access } from './accesses.js';
import { high, low } from './arc.js';
import { ARITHMETIC } from './arithmetic.js';
import { decodeFunction, targetOf, type Code, type Violation } from './code.js';
import type { Image, ModuleFunction } from './image.js';
import type { ReferenceFlow } from './references.js';
import { NOTHING, join, sameState, State, implies, weaken, type Arrival, type HardwareLoop } from './state.js';
import { call, jumpRegister, leave, refine, tailCall } from './transfers.js';
import { Walk, type VerifyOptions } from './walk.js';
import { functionCallee } from './references.js';

/** Visits of one block after which the function is given up; widening ends every loop long before. */
const MAX_VISITS = 400;
/** Rounds without widening after the states have settled. */
const DESCENTS = 2;
/** Rounds of dropping what is not proved; in the first ones weaker facts take its place. */
const MAX_WEAKENINGS = 40;
const ADOPTIONS = 4;

/** @returns what cannot be accepted, in address order; empty if the function is proved */
export function verifyFunction(
  image: Image,
  func: ModuleFunction,
  notes: ReferenceFlow,
  options: VerifyOptions,
): Violation[] {
  const code = decodeFunction(image, func);
  if (Array.isArray(code)) return code;
  const walk = new Walk(image, code as Code, notes, options);
  return new FunctionVerifier(walk).run();
}

class FunctionVerifier {
  private readonly code: Code;
  /** States on the edges into each block, by source block and outcome. */
  private incoming: Map<number, State>[];
  private before: (State | null)[];
  private readonly visits: Int32Array;
  private readonly order: Int32Array;
  private readonly byPosition: Int32Array;
  private readonly pending: Uint8Array;
  /** By block that begins the body of a zero-overhead loop: most times it goes round. */
  private readonly rounds = new Map<number, number>();
  private firstPending = 0;
  /** Number of the block being looked at's first outgoing edge. */
  private edge = 0;

  constructor(private readonly walk: Walk) {
    const { code } = walk;
    this.code = code;
    this.incoming = code.blocks.map(() => new Map());
    this.before = code.blocks.map(() => null);
    this.visits = new Int32Array(code.blocks.length);
    this.pending = new Uint8Array(code.blocks.length);
    this.order = positions(code, walk.image);
    this.byPosition = new Int32Array(code.blocks.length);
    this.order.forEach((position, block) => (this.byPosition[position] = block));
  }

  run(): Violation[] {
    const { walk } = this;
    if (!this.ascend()) return this.giveUp(0, 'the function is too complicated to verify');
    for (let round = 0; round < DESCENTS; round++) this.descend();
    // Whatever way the states were found: what counts is that each follows from those before it. What does not is dropped.
    for (let round = 0; ; round++) {
      const unproved = this.check(round);
      if (unproved < 0) break;
      if (round === MAX_WEAKENINGS) return this.giveUp(unproved, 'the verifier found no invariant here that holds');
    }
    return walk.violations.sort((a, b) => a.address - b.address);
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
    const entry = walk.entryState();
    const callee = functionCallee(this.code.func);
    for (let k = 0; k < 6; k++)
      entry.facts.set(entry.symbols[2 + k]!, { ...NOTHING, origins: [`param ${callee} ${k}`] });
    this.arrive(0, ENTRY_EDGE, entry);
  }

  /** Iterates from below until nothing changes; false if that takes too long. */
  private ascend(): boolean {
    const { pending, walk } = this;
    this.enter();
    for (;;) {
      while (this.firstPending < pending.length && pending[this.firstPending] === 0) this.firstPending++;
      if (this.firstPending === pending.length) return true;
      const block = this.byPosition[this.firstPending]!;
      pending[this.firstPending] = 0;
      const visits = ++this.visits[block]!;
      if (visits > MAX_VISITS) return false;
      const before = this.before[block]!;
      const state = join(this.arrival(block), 'up', walk, walk.minimum);
      if (before === null || !sameState(before, state)) this.runBlock(block, state);
    }
  }

  /** One round without widening. */
  private descend(): void {
    const { walk } = this;
    for (let p = 0; p < this.byPosition.length; p++) {
      const block = this.byPosition[p]!;
      if (this.incoming[block]!.size > 0) this.runBlock(block, join(this.arrival(block), 'down', walk, walk.minimum));
    }
  }

  /**
   * Looks at every instruction in the states found, collecting violations, and proves the states: each must follow from those
   * at the ends of the blocks before. States that do not are weakened; gives the first such block, or -1.
   */
  private check(round: number): number {
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
    let unproved = -1;
    for (let b = 0; b < code.blocks.length; b++) {
      if (this.incoming[b]!.size === 0) continue;
      const assumed = this.before[b]!;
      if (assumed === null) {
        if (unproved < 0) unproved = b;
        this.before[b] = join(this.arrival(b), 'strict', walk, walk.minimum);
        continue;
      }
      const proved = join(this.arrival(b), 'strict', walk, walk.minimum);
      if (implies(proved, assumed, b, walk, walk.minimum)) continue;
      if (unproved < 0) unproved = b;
      this.before[b] = weaken(proved, assumed, b, walk, walk.minimum, round < ADOPTIONS);
    }
    return unproved;
  }

  private arrive(block: number, edge: number, state: State): void {
    state.prune();
    this.incoming[block]!.set(edge, state);
    const position = this.order[block]!;
    this.pending[position] = 1;
    if (position < this.firstPending) this.firstPending = position;
  }

  private arrival(block: number): Arrival {
    const edges = this.incoming[block]!;
    return {
      block,
      incoming: [...edges.values()],
      isForward: [...edges.keys()].map((edge) => this.isForward(edge, block)),
      before: this.before[block]!,
      visits: this.visits[block]!,
      loop: this.hardwareLoop(block),
    };
  }

  private isForward(edge: number, block: number): boolean {
    if (edge === ENTRY_EDGE) return true;
    return !isLoopBack(edge) && this.order[(edge >> 1) - 1]! < this.order[block]!;
  }

  private runBlock(block: number, state: State): void {
    this.before[block] = state;
    this.walk.state = state.copy();
    this.edge = 2 * (block + 1);
    this.block(block);
  }

  /** The zero-overhead loop whose body begins with the block, if it is known how often that runs. */
  private hardwareLoop(block: number): HardwareLoop | null {
    const rounds = this.rounds.get(block);
    if (rounds === undefined || rounds === Infinity) return null;
    return { rounds, isBack: [...this.incoming[block]!.keys()].map(isLoopBack) };
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

/** Reverse postorder position of each block; jump tables count as branches to all their entries. */
function positions(code: Code, image: Image): Int32Array {
  const { blocks, func } = code;
  const inside = (address: number): number => {
    const offset = address - func.start;
    const at = offset >= 0 && offset < func.size ? code.at[offset]! : -1;
    return at < 0 ? -1 : code.blockOf[at]!;
  };
  const tables: number[] = [];
  for (let address = func.poolStart; address + 4 <= func.start; address += 4) {
    const block = inside(image.word(address) ?? -1);
    if (block >= 0) tables.push(block);
  }
  const successors = (b: number): number[] => {
    const last = blocks[b]!.end - 1;
    const inst = code.instructions[last]!;
    const { flow } = inst.row;
    const list: number[] = [];
    if (flow === 'branch' || flow === 'jump' || flow === 'loop')
      list.push(inside(targetOf(inst, code.addresses[last]! >>> 0)));
    if (flow === 'jumpreg') list.push(...tables);
    if (flow !== 'jump' && flow !== 'jumpreg' && flow !== 'return' && flow !== 'trap' && b + 1 < blocks.length)
      list.push(b + 1);
    return list.filter((s) => s >= 0);
  };
  const position = new Int32Array(blocks.length).fill(-1);
  const seen = new Uint8Array(blocks.length);
  let next = blocks.length - 1;
  const visitFrom = (root: number): void => {
    const stack: { block: number; list: number[]; at: number }[] = [{ block: root, list: successors(root), at: 0 }];
    seen[root] = 1;
    while (stack.length > 0) {
      const top = stack[stack.length - 1]!;
      if (top.at === top.list.length) {
        position[top.block] = next--;
        stack.pop();
        continue;
      }
      const s = top.list[top.at++]!;
      if (seen[s] === 1) continue;
      seen[s] = 1;
      stack.push({ block: s, list: successors(s), at: 0 });
    }
  };
  visitFrom(0);
  for (let b = 0; b < blocks.length; b++) if (seen[b] === 0) visitFrom(b);
  return position;
}
