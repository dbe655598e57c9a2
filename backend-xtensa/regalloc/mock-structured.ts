// Structured programs for measurements: nested loops, branches and calls over local variables, turned into SSA as a
// compiler front end would. Takes a shape and a seed, gives a MockFunction. Knows no allocator.
import type { VReg } from './api.js';
import { def, defFixed, inst, MockFunction, Random, use, useFixed, type MockBlock, type MockInst } from './mock.js';
import { mockClasses } from './mock-random.js';

export interface ProgramShape {
  /** Statements in all, roughly. */
  readonly statements: number;
  /** Local variables. */
  readonly variables: number;
  readonly registers: number;
  readonly saved: number;
  /** Probability that a statement is a call. */
  readonly calls: number;
  readonly maxDepth: number;
}

type Statement =
  | { kind: 'op'; to: number; sources: number[]; temps: number }
  | { kind: 'constant'; to: number; token: number }
  | { kind: 'call'; to: number; args: number[] }
  | { kind: 'if'; condition: number; then: Statement[]; otherwise: Statement[] }
  | { kind: 'loop'; condition: number; body: Statement[] };

function assigned(list: readonly Statement[], into: Set<number>): Set<number> {
  for (const statement of list) {
    if (statement.kind === 'if') assigned(statement.otherwise, assigned(statement.then, into));
    else if (statement.kind === 'loop') assigned(statement.body, into);
    else into.add(statement.to);
  }
  return into;
}

class ProgramBuilder {
  private readonly random: Random;
  private readonly classes: number[] = [];
  private readonly tokens = new Map<VReg, number>();
  private readonly blocks: MockBlock[] = [];
  private left: number;
  /** Variables that statements now prefer, so that uses cluster as in real code. */
  private hot: number[] = [];

  constructor(
    private readonly shape: ProgramShape,
    seed: number,
  ) {
    this.random = new Random(seed);
    this.left = shape.statements;
  }

  build(): MockFunction {
    const { shape } = this;
    this.chooseHot();
    const list: Statement[] = [];
    while (this.left > 0) list.push(...this.statements(1 + this.random.below(12), 0));
    const entry = this.block(1);
    const env: VReg[] = [];
    const params = Math.min(4, shape.variables);
    const operands = [];
    for (let k = 0; k < params; k++) {
      const v = this.vreg();
      env.push(v);
      operands.push(defFixed(v, k));
    }
    entry.insts.push(inst(operands));
    while (env.length < shape.variables) {
      const v = this.vreg();
      this.tokens.set(v, 0);
      entry.insts.push(inst([def(v)]));
      env.push(v);
    }
    const last = this.emit(list, entry, env, 1);
    last.insts.push(inst([useFixed(env[0]!, 0)]));
    return new MockFunction(mockClasses(shape.registers, shape.saved), this.blocks, this.classes, this.tokens);
  }

  private chooseHot(): void {
    this.hot = Array.from({ length: 5 }, () => this.random.below(this.shape.variables));
  }

  private variable(): number {
    return this.random.chance(0.75) ? this.random.pick(this.hot) : this.random.below(this.shape.variables);
  }

  private statements(count: number, depth: number): Statement[] {
    const { random, shape } = this;
    const list: Statement[] = [];
    for (let k = 0; k < count && this.left > 0; k++) {
      this.left--;
      if (random.chance(0.05)) this.chooseHot();
      const dice = random.next();
      const to = this.variable();
      if (dice < shape.calls) {
        const args = Array.from({ length: random.below(4) }, () => this.variable());
        list.push({ kind: 'call', to, args });
      } else if (dice < shape.calls + 0.06 && depth < shape.maxDepth) {
        list.push({ kind: 'loop', condition: this.variable(), body: this.statements(2 + random.below(10), depth + 1) });
      } else if (dice < shape.calls + 0.16 && depth < shape.maxDepth + 3) {
        const then = this.statements(1 + random.below(5), depth + 1);
        const otherwise = random.chance(0.5) ? this.statements(1 + random.below(5), depth + 1) : [];
        list.push({ kind: 'if', condition: this.variable(), then, otherwise });
      } else if (dice < shape.calls + 0.22) list.push({ kind: 'constant', to, token: random.below(20) });
      else {
        const sources = Array.from({ length: 1 + random.below(3) }, () => this.variable());
        list.push({ kind: 'op', to, sources, temps: random.below(3) });
      }
    }
    return list;
  }

  private vreg(): VReg {
    return this.classes.push(0) - 1;
  }

  private block(weight: number): MockBlock {
    const block: MockBlock = { params: [], insts: [], succs: [], args: [], weight };
    this.blocks.push(block);
    return block;
  }

  private emit(list: readonly Statement[], block: MockBlock, env: VReg[], weight: number): MockBlock {
    for (const statement of list) {
      switch (statement.kind) {
        case 'op': {
          let value = env[statement.sources[0]!]!;
          for (let k = 0; k <= statement.temps; k++) {
            const other = env[statement.sources[k % statement.sources.length]!]!;
            const made = this.vreg();
            block.insts.push(inst([def(made), use(value), use(other)]));
            value = made;
          }
          env[statement.to] = value;
          break;
        }
        case 'constant': {
          const made = this.vreg();
          this.tokens.set(made, statement.token);
          block.insts.push(inst([def(made)]));
          env[statement.to] = made;
          break;
        }
        case 'call':
          block.insts.push(this.call(statement.to, statement.args, env));
          break;
        case 'if':
          block = this.branch(statement, block, env, weight);
          break;
        case 'loop':
          block = this.loop(statement, block, env, weight);
      }
    }
    return block;
  }

  private call(to: number, args: readonly number[], env: VReg[]): MockInst {
    const free = this.shape.registers - this.shape.saved;
    const operands = args.map((variable, k) => useFixed(env[variable]!, k));
    const made = this.vreg();
    operands.push(defFixed(made, 0));
    env[to] = made;
    return inst(
      operands,
      Array.from({ length: free }, (_, k) => k),
    );
  }

  private branch(
    statement: Extract<Statement, { kind: 'if' }>,
    block: MockBlock,
    env: VReg[],
    weight: number,
  ): MockBlock {
    block.insts.push(inst([use(env[statement.condition]!)]));
    const changed = [...assigned(statement.otherwise, assigned(statement.then, new Set()))];
    const thenEnv = [...env];
    const thenBlock = this.block(weight / 2);
    block.succs.push(this.blocks.length - 1);
    block.args.push([]);
    const thenEnd = this.emit(statement.then, thenBlock, thenEnv, weight / 2);
    thenEnd.insts.push(inst([]));
    const otherEnv = [...env];
    const otherBlock = this.block(weight / 2);
    block.succs.push(this.blocks.length - 1);
    block.args.push([]);
    const otherEnd = this.emit(statement.otherwise, otherBlock, otherEnv, weight / 2);
    otherEnd.insts.push(inst([]));
    const join = this.block(weight);
    for (const [end, from] of [
      [thenEnd, thenEnv],
      [otherEnd, otherEnv],
    ] as const) {
      end.succs.push(this.blocks.length - 1);
      end.args.push(changed.map((variable) => from[variable]!));
    }
    for (const variable of changed) {
      const param = this.vreg();
      join.params.push(param);
      env[variable] = param;
    }
    return join;
  }

  private loop(
    statement: Extract<Statement, { kind: 'loop' }>,
    block: MockBlock,
    env: VReg[],
    weight: number,
  ): MockBlock {
    const changed = [...assigned(statement.body, new Set())];
    const inner = weight * 10;
    block.insts.push(inst([]));
    const header = this.block(inner);
    const headerIndex = this.blocks.length - 1;
    block.succs.push(headerIndex);
    block.args.push(changed.map((variable) => env[variable]!));
    for (const variable of changed) {
      const param = this.vreg();
      header.params.push(param);
      env[variable] = param;
    }
    const end = this.emit(statement.body, header, env, inner);
    end.insts.push(inst([use(env[statement.condition]!)]));
    const latch = this.block(inner);
    end.succs.push(this.blocks.length - 1);
    end.args.push([]);
    latch.insts.push(inst([]));
    latch.succs.push(headerIndex);
    latch.args.push(changed.map((variable) => env[variable]!));
    const exit = this.block(weight);
    end.succs.push(this.blocks.length - 1);
    end.args.push([]);
    return exit;
  }
}

/** A structured program; the same for the same shape and seed. */
export function structuredProgram(shape: ProgramShape, seed: number): MockFunction {
  return new ProgramBuilder(shape, seed).build();
}
