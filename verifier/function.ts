// Verifies one function: iterates abstract states over its blocks until they hold for every execution, then looks at each
// instruction once more and collects what cannot be accepted. Knows no particular instruction beyond its row.
import { Op } from '../backend-xtensa/isa/table.js';
import { access } from './accesses.js';
import { ARITHMETIC } from './arithmetic.js';
import { decodeFunction, targetOf, type Code, type Violation } from './code.js';
import type { Image, ModuleFunction } from './image.js';
import type { ReferenceFlow } from './references.js';
import { NOTHING, join, sameState, State } from './state.js';
import { call, jumpRegister, leave, refine, tailCall } from './transfers.js';
import { Walk, type VerifyOptions } from './walk.js';
import { functionCallee } from './references.js';

/** Visits of one block after which the function is given up; widening ends every loop long before. */
const MAX_VISITS = 400;

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

export class FunctionVerifier {
  private readonly code: Code;
  /** States on the edges into each block, by source block and outcome. */
  private readonly incoming: Map<number, State>[];
  private readonly before: (State | null)[];
  private readonly visits: Int32Array;
  private readonly order: Int32Array;
  private readonly pending: Uint8Array;
  private firstPending = 0;
  private edge = 0;

  constructor(private readonly walk: Walk) {
    const { code } = walk;
    this.code = code;
    this.incoming = code.blocks.map(() => new Map());
    this.before = code.blocks.map(() => null);
    this.visits = new Int32Array(code.blocks.length);
    this.pending = new Uint8Array(code.blocks.length);
    this.order = positions(code, walk.image);
  }

  run(): Violation[] {
    const { walk, code, pending } = this;
    const byPosition = new Int32Array(code.blocks.length);
    this.order.forEach((position, block) => (byPosition[position] = block));
    const entry = walk.entryState();
    const callee = functionCallee(code.func);
    for (let k = 0; k < 6; k++)
      entry.facts.set(entry.symbols[2 + k]!, { ...NOTHING, origins: [`param ${callee} ${k}`] });
    this.arrive(0, -1, entry);
    for (;;) {
      while (this.firstPending < pending.length && pending[this.firstPending] === 0) this.firstPending++;
      if (this.firstPending === pending.length) break;
      const block = byPosition[this.firstPending]!;
      pending[this.firstPending] = 0;
      if (!this.visit(block)) {
        walk.checking = true;
        walk.index = code.blocks[block]!.first;
        walk.complain('the function is too complicated to verify');
        return walk.violations;
      }
    }
    walk.checking = true;
    for (let b = 0; b < code.blocks.length; b++) {
      const state = this.before[b];
      if (state === null || state === undefined) continue;
      walk.state = state.copy();
      this.edge = 2 * (b + 1);
      this.block(b);
    }
    return walk.violations.sort((a, b) => a.address - b.address);
  }

  private arrive(block: number, edge: number, state: State): void {
    if (this.walk.checking) return;
    state.prune();
    this.incoming[block]!.set(edge, state);
    const position = this.order[block]!;
    this.pending[position] = 1;
    if (position < this.firstPending) this.firstPending = position;
  }

  private visit(block: number): boolean {
    const visits = ++this.visits[block]!;
    if (visits > MAX_VISITS) return false;
    const before = this.before[block]!;
    const { walk } = this;
    const state = join(block, [...this.incoming[block]!.values()], before, visits, walk, walk.minimum);
    if (before !== null && sameState(before, state)) return true;
    this.before[block] = state;
    walk.state = state.copy();
    this.edge = 2 * (block + 1);
    this.block(block);
    return true;
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
    const back = this.code.loopBack.get(next);
    if (back !== undefined) this.follow(back, -edge - 2, state.copy());
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
