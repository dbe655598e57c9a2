// Random SSA programs for the allocator's tests: any control flow, reducible or not, with every kind of constraint.
// Takes numbers that say how big and how wild, gives a MockFunction. Knows no allocator.
import type { RegisterClass, VReg } from './api.js';
import {
  def,
  defFixed,
  defReuse,
  inst,
  MockFunction,
  Random,
  use,
  useAny,
  useFixed,
  type MockBlock,
  type MockInst,
} from './mock.js';
import { OperandPos } from './api.js';

export interface RandomShape {
  readonly blocks: number;
  readonly instsPerBlock: number;
  /** Registers of the integer class: 0 .. registers - 1, the last `saved` of them callee-saved. */
  readonly registers: number;
  readonly saved: number;
  /** Probability of a call among instructions. */
  readonly calls: number;
  /** Probability that an operand is an old value instead of a recent one: raises pressure. */
  readonly reach: number;
  /** Largest number of block parameters. */
  readonly params: number;
  /** Probability of fixed, early, late and two-address operands. */
  readonly constraints: number;
  /** Lay blocks out at random instead of in depth-first order. */
  readonly shuffle: boolean;
}

const FLOATS = 100;

export function mockClasses(registers: number, saved: number): RegisterClass[] {
  const order = Array.from({ length: registers }, (_, k) => k);
  const floats = [FLOATS, FLOATS + 1, FLOATS + 2, FLOATS + 3];
  return [
    { name: 'int', order, calleeSaved: new Set(order.slice(registers - saved)), slotWords: 1 },
    { name: 'float', order: floats, calleeSaved: new Set(), slotWords: 2 },
  ];
}

/** Random edges between `count` blocks, every block reachable, critical edges split by added blocks. */
function randomEdges(random: Random, count: number): number[][] {
  const succs: number[][] = Array.from({ length: count }, () => []);
  for (let b = 1; b < count; b++) succs[random.chance(0.7) ? b - 1 : random.below(b)]!.push(b);
  const extra = random.below(count + 1);
  for (let k = 0; k < extra && count > 1; k++) {
    const from = random.below(count);
    succs[from]!.push(1 + random.below(count - 1));
  }
  const preds = new Array<number>(count).fill(0);
  for (const list of succs) for (const succ of list) preds[succ]!++;
  for (let b = 0; b < count; b++) {
    const list = succs[b]!;
    if (list.length < 2) continue;
    for (let k = 0; k < list.length; k++) {
      if (preds[list[k]!]! < 2) continue;
      succs.push([list[k]!]);
      list[k] = succs.length - 1;
    }
  }
  return succs;
}

/** Immediate dominators by iteration over depth-first order (Cooper, Harvey & Kennedy). -1 for unreachable blocks. */
function dominators(succs: readonly number[][]): { idom: number[]; order: number[] } {
  const preds: number[][] = succs.map(() => []);
  succs.forEach((list, b) => list.forEach((succ) => preds[succ]!.push(b)));
  const number = new Array<number>(succs.length).fill(-1);
  const post: number[] = [];
  const seen = new Set<number>([0]);
  const visit: { block: number; next: number }[] = [{ block: 0, next: 0 }];
  while (visit.length > 0) {
    const top = visit[visit.length - 1]!;
    const succ = succs[top.block]![top.next++];
    if (succ === undefined) {
      post.push(top.block);
      visit.pop();
    } else if (!seen.has(succ)) {
      seen.add(succ);
      visit.push({ block: succ, next: 0 });
    }
  }
  const order = post.reverse();
  order.forEach((b, k) => (number[b] = k));
  const idom = new Array<number>(succs.length).fill(-1);
  idom[0] = 0;
  for (let changed = true; changed;) {
    changed = false;
    for (const b of order) {
      if (b === 0) continue;
      let best = -1;
      for (const pred of preds[b]!) {
        if (idom[pred] === -1) continue;
        let [x, y] = [pred, best];
        while (y !== -1 && x !== y) {
          if (number[x]! > number[y]!) x = idom[x]!;
          else y = idom[y]!;
        }
        best = x;
      }
      if (best !== idom[b]) {
        idom[b] = best;
        changed = true;
      }
    }
  }
  return { idom, order };
}

class Generator {
  readonly random: Random;
  readonly vregClasses: number[] = [];
  readonly tokens = new Map<VReg, number>();
  constructor(
    readonly shape: RandomShape,
    seed: number,
  ) {
    this.random = new Random(seed);
  }

  vreg(cls = this.random.chance(0.15) ? 1 : 0): VReg {
    return this.vregClasses.push(cls) - 1;
  }

  /** One of `live`, of the class if there is one. */
  choose(live: readonly VReg[], cls: number): VReg | undefined {
    for (let tries = 0; tries < 8 && live.length > 0; tries++) {
      const v = this.random.chance(this.shape.reach)
        ? this.random.pick(live)
        : live[live.length - 1 - this.random.below(Math.min(6, live.length))]!;
      if (this.vregClasses[v] === cls) return v;
    }
    return undefined;
  }

  instruction(live: VReg[]): MockInst {
    const { random, shape } = this;
    if (random.chance(shape.calls)) return this.call(live);
    const int = (): VReg | undefined => this.choose(live, 0);
    const uses = [int(), int()].filter((v): v is VReg => v !== undefined && random.chance(0.8));
    if (random.chance(0.08)) {
      const v = this.vreg(0);
      this.tokens.set(v, random.below(5));
      live.push(v);
      return inst([def(v)]);
    }
    if (random.chance(0.15)) {
      const a = this.choose(live, 1);
      const v = this.vreg(1);
      const operands = [def(v), ...(a === undefined ? [] : [use(a)])];
      live.push(v);
      return inst(operands);
    }
    if (random.chance(0.1) && uses.length > 0) {
      const v = this.vreg(0);
      live.push(v);
      return inst([def(v), use(uses[0]!)], [], true);
    }
    if (random.chance(shape.constraints)) {
      const v = this.vreg(0);
      const result = this.constrained(uses, v);
      if (result !== undefined) {
        live.push(v);
        return result;
      }
      live.push(v);
      return inst([def(v, OperandPos.Early), ...uses.map((u) => use(u))]);
    }
    if (random.chance(0.2)) return inst(uses.map((u) => (random.chance(0.2) ? useAny(u) : use(u))));
    const v = this.vreg(0);
    live.push(v);
    return inst([def(v), ...uses.map((u) => use(u))]);
  }

  private constrained(uses: readonly VReg[], v: VReg): MockInst | undefined {
    const { random, shape } = this;
    const [a, b] = uses;
    const reg = random.below(shape.registers);
    switch (random.below(7)) {
      case 0:
        return a === undefined ? undefined : inst([defReuse(v, 1), use(a), ...(b === undefined ? [] : [use(b)])]);
      case 1:
        return a === undefined ? undefined : inst([use(a), def(v, OperandPos.Early)]);
      case 2:
        return a === undefined ? undefined : inst([def(v), use(a, OperandPos.Late)]);
      case 3:
        return a === undefined ? undefined : inst([useFixed(a, reg), def(v)]);
      case 4:
        return inst([defFixed(v, reg), ...uses.map((u) => use(u))]);
      case 5:
        if (a === undefined || b === undefined) return undefined;
        return inst([useFixed(a, reg), useFixed(b, (reg + 1) % shape.registers), defFixed(v, reg)]);
      default:
        return inst([def(v), ...uses.map((u) => use(u))], [reg]);
    }
  }

  private call(live: VReg[]): MockInst {
    const { random, shape } = this;
    const free = shape.registers - shape.saved;
    const operands = [];
    const count = random.below(Math.min(free, 5));
    for (let k = 0; k < count; k++) {
      const v = this.choose(live, 0);
      if (v !== undefined) operands.push(useFixed(v, k));
    }
    const results = Math.min(random.below(3), free);
    const made: VReg[] = [];
    for (let k = 0; k < results; k++) {
      const v = this.vreg(0);
      made.push(v);
      operands.push(defFixed(v, k));
    }
    live.push(...made);
    const clobbers = Array.from({ length: free }, (_, k) => k);
    return inst(operands, [...clobbers, FLOATS, FLOATS + 1, FLOATS + 2, FLOATS + 3]);
  }
}

/** A random function; the same for the same seed and shape. */
export function randomFunction(shape: RandomShape, seed: number): MockFunction {
  const g = new Generator(shape, seed);
  const { random } = g;
  const succs = randomEdges(random, shape.blocks);
  const { idom, order } = dominators(succs);
  const predCount = new Array<number>(succs.length).fill(0);
  for (const list of succs) for (const succ of list) predCount[succ]!++;
  const blocks: MockBlock[] = succs.map((list) => ({ params: [], insts: [], succs: list, args: [], weight: 1 }));
  const live: VReg[][] = succs.map(() => []);
  for (const b of order) {
    const block = blocks[b]!;
    const known: VReg[] = b === 0 ? [] : [...live[idom[b]!]!];
    block.weight = Math.pow(10, random.below(3)) * (random.chance(0.1) ? 0 : 1);
    if (predCount[b]! > 0) {
      const params = random.chance(0.6) ? random.below(shape.params + 1) : 0;
      for (let k = 0; k < params; k++) block.params.push(g.vreg());
      known.push(...block.params);
    }
    if (b === 0) {
      const params = random.below(Math.min(6, shape.registers) + 1);
      const made = Array.from({ length: params }, () => g.vreg(0));
      block.insts.push(inst(made.map((v, k) => defFixed(v, k))));
      known.push(...made);
    }
    const count = random.below(shape.instsPerBlock + 1);
    for (let k = 0; k < count; k++) block.insts.push(g.instruction(known));
    live[b] = known;
  }
  const available = (b: number, cls: number): VReg => {
    const v = g.choose(live[b]!, cls);
    if (v !== undefined) return v;
    const made = g.vreg(cls);
    blocks[b]!.insts.push(inst([def(made)]));
    live[b]!.push(made);
    return made;
  };
  for (const b of order) {
    const block = blocks[b]!;
    block.args = block.succs.map((succ) => blocks[succ]!.params.map((param) => available(b, g.vregClasses[param]!)));
  }
  for (const b of order) {
    const block = blocks[b]!;
    const operands = [];
    if (block.succs.length !== 1) {
      for (let k = 0; k < 2; k++) {
        const v = g.choose(live[b]!, 0);
        if (v !== undefined && random.chance(0.6)) operands.push(block.succs.length === 0 ? useFixed(v, k) : use(v));
      }
    }
    block.insts.push(inst(operands));
  }
  // Layout: entry first, unreachable blocks kept out of it only if there are none.
  const layout = shape.shuffle ? [0, ...shuffled(random, order.slice(1))] : order;
  const place = new Map(layout.map((b, k) => [b, k]));
  const placed = layout.map((b) => {
    const block = blocks[b]!;
    return { ...block, succs: block.succs.map((succ) => place.get(succ)!) };
  });
  return new MockFunction(mockClasses(shape.registers, shape.saved), placed, g.vregClasses, g.tokens);
}

function shuffled(random: Random, list: number[]): number[] {
  const result = [...list];
  for (let k = result.length - 1; k > 0; k--) {
    const other = random.below(k + 1);
    [result[k], result[other]] = [result[other]!, result[k]!];
  }
  return result;
}
