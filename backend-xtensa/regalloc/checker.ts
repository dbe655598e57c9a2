// Takes a RegallocInput and the RegallocOutput for it, and throws unless the output is right: symbolic execution over
// all paths, in which each location holds the set of vregs whose value is certainly there. Knows nothing of how the
// allocator came to its result and shares no code with it.
//
// At joins the sets are intersected, until nothing changes; then every use must find its vreg in its location. Same
// idea as the checker of Cranelift's allocator (C. Fallin, "Cranelift, part 3: correctness in register allocation").
import { InternalError } from '../../compiler/diagnostics.js';
import {
  ConstraintKind,
  isSlot,
  OperandKind,
  OperandPos,
  slotOf,
  type Location,
  type Operand,
  type RegallocInput,
  type RegallocOutput,
} from './api.js';

/** Values per location. A rematerialised constant of token t is the pseudo-vreg vregCount + t. */
type State = Map<Location, Set<number>>;

/**
 * A rematerialisable constant is also a location, one that nobody can write: block parameters that get it over an edge
 * are equal to it from there on, though they may be in no register yet.
 */
const constantLocation = (token: number): Location => -0x40000000 - token;

function fail(message: string): never {
  throw new InternalError(`register allocation: ${message}`);
}

const nameOf = (location: Location): string => (isSlot(location) ? `slot${slotOf(location)}` : `r${location}`);

class Checker {
  private readonly entry: (State | undefined)[];
  private readonly maxWords: number;
  private readonly slotWords = new Map<number, number>();

  constructor(
    private readonly input: RegallocInput,
    private readonly output: RegallocOutput,
  ) {
    this.entry = new Array<State | undefined>(input.blockCount).fill(undefined);
    this.maxWords = Math.max(1, ...input.classes.map((cls) => cls.slotWords));
  }

  run(): void {
    const { input } = this;
    this.checkShape();
    this.entry[0] = new Map();
    const work = [0];
    while (work.length > 0) {
      const block = work.pop()!;
      const state = this.copy(this.entry[block]!);
      for (let i = input.blockStart(block); i < input.blockEnd(block); i++) this.execute(state, i, false);
      input.blockSuccs(block).forEach((succ, k) => {
        const incoming = this.overEdge(state, block, k, succ);
        if (this.meet(succ, incoming)) work.push(succ);
      });
    }
    // The states are final: now every use is held against them.
    for (let block = 0; block < input.blockCount; block++) {
      const entry = this.entry[block];
      if (entry === undefined) continue;
      const state = this.copy(entry);
      for (let i = input.blockStart(block); i < input.blockEnd(block); i++) this.execute(state, i, true);
    }
  }

  private copy(state: State): State {
    const result: State = new Map();
    for (const [location, values] of state) result.set(location, new Set(values));
    return result;
  }

  /** Intersects `incoming` into the block's entry state; true if that changed it. */
  private meet(block: number, incoming: State): boolean {
    const known = this.entry[block];
    if (known === undefined) {
      this.entry[block] = incoming;
      return true;
    }
    let changed = false;
    for (const [location, values] of known) {
      const other = incoming.get(location);
      for (const value of values) {
        if (other === undefined || !other.has(value)) {
          values.delete(value);
          changed = true;
        }
      }
      if (values.size === 0) known.delete(location);
    }
    return changed;
  }

  private overEdge(state: State, block: number, index: number, succ: number): State {
    for (const arg of this.input.edgeArgs(block, index)) {
      const token = this.input.rematToken(arg);
      if (token >= 0) this.constant(state, token);
    }
    const result = this.copy(state);
    const params = this.input.blockParams(succ);
    const args = this.input.edgeArgs(block, index);
    if (params.length !== args.length) fail(`edge ${block} -> ${succ}: argument count`);
    for (const values of result.values()) for (const param of params) values.delete(param);
    for (const [location, values] of state) {
      params.forEach((param, k) => {
        if (this.holds(values, args[k]!)) result.get(location)!.add(param);
      });
    }
    return result;
  }

  /** What equals the constant of a token. */
  private constant(state: State, token: number): Set<number> {
    let values = state.get(constantLocation(token));
    if (values === undefined) {
      values = new Set([this.input.vregCount + token]);
      state.set(constantLocation(token), values);
    }
    return values;
  }

  private holds(values: ReadonlySet<number> | undefined, vreg: number): boolean {
    if (values === undefined) return false;
    if (values.has(vreg)) return true;
    const token = this.input.rematToken(vreg);
    return token >= 0 && values.has(this.input.vregCount + token);
  }

  private write(state: State, location: Location, values: Set<number>, classIndex: number): void {
    if (isSlot(location)) {
      const slot = slotOf(location);
      const words = this.input.classes[classIndex]!.slotWords;
      for (let other = slot - this.maxWords + 1; other < slot + words; other++) {
        if (other !== slot && other + (this.slotWords.get(other) ?? 1) > slot) state.delete(-(other + 1));
      }
      this.slotWords.set(slot, words);
    }
    state.set(location, values);
  }

  private checkShape(): void {
    const { input, output } = this;
    for (const [inst, moves] of output.movesBefore) {
      if (inst < 0 || inst >= input.instCount) fail(`moves before instruction ${inst}, which does not exist`);
      for (const move of moves) {
        const cls = input.classes[move.classIndex]!;
        if (move.rematToken >= 0 ? isSlot(move.to) : isSlot(move.from) && isSlot(move.to)) {
          fail(`instruction ${inst}: move from memory to memory`);
        }
        if (!isSlot(move.to) && !output.writtenRegisters.has(move.to))
          fail(`r${move.to} is missing in writtenRegisters`);
        if (isSlot(move.to) && slotOf(move.to) + cls.slotWords > output.slotCount) fail(`slot beyond slotCount`);
      }
    }
    for (const inst of output.skipped) {
      const operands = input.operands(inst);
      if (operands.length !== 1 || input.rematToken(operands[0]!.vreg) < 0) fail(`instruction ${inst} was skipped`);
    }
  }

  private execute(state: State, inst: number, check: boolean): void {
    const { input, output } = this;
    for (const move of output.movesBefore.get(inst) ?? []) {
      const values = move.rematToken >= 0 ? this.constant(state, move.rematToken) : state.get(move.from);
      this.write(state, move.to, new Set(values ?? []), move.classIndex);
    }
    if (output.skipped.has(inst)) return;
    const operands = input.operands(inst);
    const locations = output.locations[inst]!;
    if (check) this.checkOperands(state, inst, operands, locations);
    for (const preg of input.clobbers(inst)) state.delete(preg);
    // A copy's result equals its source, wherever that is.
    const source = input.isMove(inst) ? operands.find(({ kind }) => kind === OperandKind.Use) : undefined;
    const copied = source === undefined ? undefined : state.get(locations[operands.indexOf(source)]!);
    operands.forEach((operand, k) => {
      if (operand.kind !== OperandKind.Def) return;
      for (const values of state.values()) values.delete(operand.vreg);
      if (source !== undefined) {
        for (const values of state.values()) if (this.holds(values, source.vreg)) values.add(operand.vreg);
      }
      const token = input.rematToken(operand.vreg);
      const values = new Set(copied === undefined ? [] : copied);
      values.add(operand.vreg);
      if (token >= 0) values.add(input.vregCount + token);
      this.write(state, locations[k]!, values, input.vregClass(operand.vreg));
    });
  }

  private checkOperands(
    state: State,
    inst: number,
    operands: readonly Operand[],
    locations: readonly Location[],
  ): void {
    const { input, output } = this;
    const clobbers = input.clobbers(inst);
    operands.forEach((operand, k) => {
      const location = locations[k];
      if (location === undefined) fail(`instruction ${inst} operand ${k} has no location`);
      const cls = input.classes[input.vregClass(operand.vreg)]!;
      const where = `instruction ${inst} operand ${k} (v${operand.vreg}) in ${nameOf(location)}`;
      if (operand.constraint === ConstraintKind.Fixed) {
        if (location !== operand.fixed) fail(`${where} must be in r${operand.fixed}`);
      } else if (isSlot(location)) {
        if (operand.constraint !== ConstraintKind.Any) fail(`${where} needs a register`);
        if (slotOf(location) + cls.slotWords > output.slotCount) fail(`${where}: slot beyond slotCount`);
      } else if (!cls.order.includes(location)) fail(`${where} is not in class ${cls.name}`);
      if (operand.constraint === ConstraintKind.Reuse && location !== locations[operand.fixed]) {
        fail(`${where} must be where operand ${operand.fixed} is`);
      }
      if (operand.kind === OperandKind.Use) {
        if (!this.holds(state.get(location), operand.vreg)) {
          fail(`${where}: the location holds {${[...(state.get(location) ?? [])].map((v) => `v${v}`).join(', ')}}`);
        }
        if (operand.pos === OperandPos.Late && clobbers.includes(location)) fail(`${where} is clobbered`);
        return;
      }
      if (!isSlot(location) && !output.writtenRegisters.has(location)) {
        fail(`r${location} is missing in writtenRegisters`);
      }
      if (operand.constraint !== ConstraintKind.Fixed && clobbers.includes(location)) fail(`${where} is clobbered`);
      operands.forEach((other, n) => {
        if (n === k || locations[n] !== location) return;
        if (other.kind === OperandKind.Def) fail(`${where}: two results in one place`);
        if (operand.constraint === ConstraintKind.Reuse && operand.fixed === n) return;
        if (other.pos === OperandPos.Late || operand.pos === OperandPos.Early) {
          fail(`${where} overwrites operand ${n} before it is read`);
        }
      });
    });
  }
}

/** Throws an InternalError that names the first fault of `output`. */
export function checkAllocation(input: RegallocInput, output: RegallocOutput): void {
  new Checker(input, output).run();
}
