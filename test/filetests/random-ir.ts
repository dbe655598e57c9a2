// Random IR functions for comparing levels: nested loops with constant and variable ends, branches, arithmetic of i32 and i64,
// and memory accesses through mem.addr. Takes a seed, gives a module; the same seed gives the same module.
import { type Block, Func, type Inst } from '../../compiler/ir/function.js';
import type { IrModule } from '../../compiler/ir/module.js';
import { Op } from '../../compiler/ir/ops.js';
import { parseModule } from '../../compiler/ir/parse.js';
import { Type } from '../../compiler/ir/types.js';

/** Park-Miller generator. */
export class Random {
  private state: number;
  constructor(seed: number) {
    this.state = (seed % 2147483646) + 1;
  }
  below(n: number): number {
    this.state = (this.state * 48271) % 2147483647;
    return this.state % n;
  }
  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!;
  }
}

const BINARY = [
  Op.I32Add, Op.I32Add, Op.I32Add, Op.I32Sub, Op.I32Mul, Op.I32And, Op.I32And, Op.I32Or, Op.I32Xor, Op.I32Shl, Op.I32ShrU,
  Op.I32ShrS, Op.I32Rotl, Op.I32RemU, Op.I32DivS, Op.I32RemS, Op.I32DivU,
]; // prettier-ignore
const COMPARE = [
  Op.I32Eq,
  Op.I32Ne,
  Op.I32LtS,
  Op.I32LtU,
  Op.I32GtS,
  Op.I32GtU,
  Op.I32LeS,
  Op.I32LeU,
  Op.I32GeS,
  Op.I32GeU,
];
const UNARY = [Op.I32Eqz, Op.I32Clz, Op.I32Ctz, Op.I32Popcnt, Op.I32Extend8S, Op.I32Extend16S];
const WIDE = [Op.I64Add, Op.I64Sub, Op.I64Mul, Op.I64Xor, Op.I64And, Op.I64Shl, Op.I64ShrU, Op.I64ShrS, Op.I64Rotr];
const LOADS: readonly (readonly [op: number, bytes: number])[] = [
  [Op.I32Load, 4], [Op.I32Load8U, 1], [Op.I32Load8S, 1], [Op.I32Load16U, 2], [Op.I32Load16S, 2],
]; // prettier-ignore
const STORES: readonly (readonly [op: number, bytes: number])[] = [
  [Op.I32Store, 4],
  [Op.I32Store8, 1],
  [Op.I32Store16, 2],
];
const CONSTANTS = [
  0, 1, 2, 3, 4, 7, 8, 16, 31, 32, 64, 100, 255, 1024, 2046, 4095, 65535, 65532, -1, -2, -4, -8, -64, -2048, 0x7fffffff,
  -0x80000000,
];

/** Bytes of the memory: small, so that accesses near its end happen. */
const PAGES = 1;

class Generator {
  readonly func = new Func(0, 'f', { params: [Type.I32, Type.I32], results: [Type.I32] });
  private block: Block;
  /** Values that can be used at the current place. */
  private scope: Inst[];
  /** Counters of the loops around the current place. */
  private readonly counters: Inst[] = [];
  private budget = 60;

  constructor(private readonly random: Random) {
    this.block = this.func.addBlock();
    this.scope = [this.func.addParam(this.block, Type.I32), this.func.addParam(this.block, Type.I32)];
  }

  run(): Func {
    this.statements(0);
    let sum = this.scope[0]!;
    for (const value of this.scope.slice(1)) {
      sum = this.emit(Op.I32Xor, [this.emit(Op.I32Rotl, [sum, this.i32(5)]), value]);
    }
    this.emit(Op.Return, [sum]);
    return this.func;
  }

  private emit(op: number, args: Inst[], imm = 0, imm2 = 0, type?: Type): Inst {
    return this.func.append(this.block, this.func.create(op, args, imm, imm2, type));
  }
  private i32(value: number): Inst {
    return this.emit(Op.I32Const, [], value | 0);
  }
  private value(): Inst {
    const { random } = this;
    return random.below(3) === 0 ? this.i32(random.pick(CONSTANTS)) : random.pick(this.scope);
  }
  private note(value: Inst): void {
    this.scope.push(value);
  }

  private statements(depth: number): void {
    for (let n = 2 + this.random.below(4); n > 0 && this.budget > 0; n--) {
      this.budget--;
      const kind = this.random.below(12);
      if (kind < 5) this.arithmetic();
      else if (kind < 8) this.access();
      else if (kind < 9) this.wide();
      else if (kind < 10 && depth < 3) this.branch(depth);
      else if (depth < 3) this.loop(depth);
    }
  }

  private arithmetic(): void {
    const { random } = this;
    const kind = random.below(10);
    if (kind < 6) this.note(this.emit(random.pick(BINARY), [this.value(), this.value()]));
    else if (kind < 7) this.note(this.emit(random.pick(UNARY), [this.value()]));
    else if (kind < 8) this.note(this.emit(random.pick(COMPARE), [this.value(), this.value()]));
    else this.note(this.emit(Op.Select, [this.value(), this.value(), this.value()], 0, 0, Type.I32));
  }

  private wide(): void {
    const a = this.emit(this.random.pick([Op.I64ExtendI32S, Op.I64ExtendI32U]), [this.value()]);
    const b = this.emit(this.random.pick([Op.I64ExtendI32S, Op.I64ExtendI32U]), [this.value()]);
    let x = this.emit(this.random.pick(WIDE), [a, b]);
    x = this.emit(this.random.pick(WIDE), [x, b]);
    if (this.random.below(2) === 0) {
      this.note(this.emit(this.random.pick([Op.I64LtS, Op.I64LtU, Op.I64Eq, Op.I64GeU]), [x, a]));
      return;
    }
    const shift = this.emit(Op.I64Const, [], this.random.below(64));
    this.note(this.emit(Op.I32WrapI64, [this.emit(Op.I64ShrU, [x, shift])]));
  }

  /** One to five accesses off one address, sometimes masked into the memory. */
  private access(): void {
    const { random } = this;
    // Counters run up to the memory's end and over it, so what is proved of them is put to the test.
    const counter = this.counters[this.counters.length - 1];
    const counted = counter !== undefined && random.below(2) === 0;
    let address = counted ? counter : this.value();
    if (!counted && random.below(3) !== 0)
      address = this.emit(Op.I32And, [address, this.i32(random.pick([255, 2046, 4095, 65535]))]);
    for (let n = 1 + random.below(5); n > 0; n--) {
      const at =
        random.below(2) === 0
          ? address
          : this.emit(Op.I32Add, [address, this.i32(random.pick([1, 2, 4, 8, 61, 1020, -4, -64]))]);
      const offset = random.pick(counted ? [0, 0, 1, 2, 4] : [0, 0, 1, 2, 4, 12, 100, 4096]);
      const isStore = random.below(3) === 0;
      const [op, bytes] = random.pick(isStore ? STORES : LOADS);
      const pointer = this.emit(Op.MemAddr, [at], offset + bytes);
      if (isStore) this.emit(op, [pointer, this.value()], offset);
      else this.note(this.emit(op, [pointer], offset));
    }
  }

  private branch(depth: number): void {
    const { func } = this;
    const cond =
      this.random.below(2) === 0 ? this.value() : this.emit(this.random.pick(COMPARE), [this.value(), this.value()]);
    const [yes, no, join] = [func.createBlock(), func.createBlock(), func.createBlock()];
    const fork = this.emit(Op.BrIf, [cond]);
    fork.edges = [
      { block: yes, args: [] },
      { block: no, args: [] },
    ];
    const outer = [...this.scope];
    const merged = func.addParam(join, Type.I32);
    for (const arm of [yes, no]) {
      func.blocks.push(arm);
      this.block = arm;
      this.scope = [...outer];
      this.statements(depth + 1);
      this.emit(Op.Jump, []).edges = [{ block: join, args: [this.random.pick(this.scope)] }];
    }
    func.blocks.push(join);
    this.block = join;
    this.scope = [...outer, merged];
  }

  /** Up or down, tested at the top or the bottom, by equality or order, with a limit on rounds that always ends it. */
  private loop(depth: number): void {
    const { func, random } = this;
    const [header, exit] = [func.createBlock(), func.createBlock()];
    const start =
      random.below(4) === 0
        ? this.value()
        : this.i32(random.pick([0, 1, 16, 1024, -64, -2048, 65472, 65472, 65500, 256]));
    const rounds = this.i32(1 + random.below(40));
    const outer = this.scope;
    this.emit(Op.Jump, []).edges = [{ block: header, args: [start, rounds] }];
    func.blocks.push(header);
    this.block = header;
    const counter = func.addParam(header, Type.I32);
    const left = func.addParam(header, Type.I32);
    this.scope = [...outer, counter];
    this.counters.push(counter);
    const step = random.pick([1, 1, 2, 4, 8, -1, -4, 12]);
    const end = (): Inst =>
      random.below(4) === 0
        ? this.value()
        : this.i32(random.pick([0, 16, 64, 256, 1040, 2048, -8, 65536, 65536, 65532, 65540]));
    if (random.below(3) === 0) {
      const body = func.createBlock();
      const test = this.emit(Op.BrIf, [this.emit(random.pick(COMPARE), [counter, end()])]);
      test.edges = [
        { block: body, args: [] },
        { block: exit, args: [] },
      ];
      func.blocks.push(body);
      this.block = body;
    }
    this.statements(depth + 1);
    const next = this.emit(Op.I32Add, [counter, this.i32(step)]);
    const fewer = this.emit(Op.I32Add, [left, this.i32(-1)]);
    const goesOn = this.emit(random.pick([Op.I32Ne, Op.I32Ne, Op.I32LtU, Op.I32LtS, Op.I32GtS]), [next, end()]);
    const more = func.createBlock();
    this.emit(Op.BrIf, [goesOn]).edges = [
      { block: more, args: [] },
      { block: exit, args: [] },
    ];
    func.blocks.push(more);
    this.block = more;
    // The limit is far beyond what most ends need; it is there for the others.
    const limit = this.emit(Op.I32GtS, [fewer, this.i32(random.below(2) === 0 ? 0 : -1000)]);
    this.emit(Op.BrIf, [limit]).edges = [
      { block: header, args: [next, fewer] },
      { block: exit, args: [] },
    ];
    func.blocks.push(exit);
    this.block = exit;
    this.counters.pop();
    this.scope = [...outer, counter];
  }
}

/** A module with one function `f(i32, i32) -> i32` and one memory filled with a pattern. */
export function randomModule(seed: number): IrModule {
  const bytes = Array.from({ length: 256 }, (_, i) => ((i * 37 + 11) & 0xff).toString(16).padStart(2, '0')).join('');
  const { module } = parseModule(
    `module "random"\nmemory 0 ${PAGES}..${PAGES}\ndata 0 passive "${bytes}"\ndecl 0 @f(i32, i32) -> (i32) taken\n`,
  );
  module.bodies.unshift(new Generator(new Random(seed)).run());
  return module;
}
