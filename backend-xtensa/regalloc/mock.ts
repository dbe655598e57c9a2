// A made-up machine for tests and measurements of the allocator: programs as plain data that satisfy RegallocInput, and
// a random generator of them. Knows no allocator.
import {
  ConstraintKind,
  OperandKind,
  OperandPos,
  type Operand,
  type PReg,
  type RegallocInput,
  type RegisterClass,
  type VReg,
} from './api.js';

export interface MockInst {
  readonly operands: readonly Operand[];
  readonly clobbers: readonly PReg[];
  readonly isMove: boolean;
}

export interface MockBlock {
  params: VReg[];
  insts: MockInst[];
  succs: number[];
  args: VReg[][];
  weight: number;
}

export const use = (vreg: VReg, pos = OperandPos.Early): Operand => ({
  vreg,
  kind: OperandKind.Use,
  pos,
  constraint: ConstraintKind.Reg,
  fixed: -1,
});
export const useAny = (vreg: VReg): Operand => ({ ...use(vreg), constraint: ConstraintKind.Any });
export const useFixed = (vreg: VReg, fixed: PReg): Operand => ({
  ...use(vreg),
  constraint: ConstraintKind.Fixed,
  fixed,
});
export const def = (vreg: VReg, pos = OperandPos.Late): Operand => ({ ...use(vreg, pos), kind: OperandKind.Def });
export const defFixed = (vreg: VReg, fixed: PReg): Operand => ({
  ...def(vreg),
  constraint: ConstraintKind.Fixed,
  fixed,
});
export const defReuse = (vreg: VReg, input: number): Operand => ({
  ...def(vreg),
  constraint: ConstraintKind.Reuse,
  fixed: input,
});
const NONE: readonly PReg[] = [];
export const inst = (operands: readonly Operand[], clobbers = NONE, isMove = false): MockInst => ({
  operands,
  clobbers,
  isMove,
});

/** A RegallocInput over blocks in layout order. */
export class MockFunction implements RegallocInput {
  readonly vregCount: number;
  readonly blockCount: number;
  readonly instCount: number;
  private readonly insts: MockInst[] = [];
  private readonly starts: number[] = [];
  private readonly preds: number[][];

  constructor(
    readonly classes: readonly RegisterClass[],
    readonly blocks: readonly MockBlock[],
    /** Class of each vreg. */
    private readonly vregClasses: readonly number[],
    private readonly tokens: ReadonlyMap<VReg, number> = new Map(),
  ) {
    this.vregCount = vregClasses.length;
    this.blockCount = blocks.length;
    this.preds = blocks.map(() => []);
    blocks.forEach((block, b) => {
      this.starts.push(this.insts.length);
      this.insts.push(...block.insts);
      for (const succ of block.succs) this.preds[succ]!.push(b);
    });
    this.starts.push(this.insts.length);
    this.instCount = this.insts.length;
  }
  vregClass(vreg: VReg): number {
    return this.vregClasses[vreg]!;
  }
  rematToken(vreg: VReg): number {
    return this.tokens.get(vreg) ?? -1;
  }
  blockStart(block: number): number {
    return this.starts[block]!;
  }
  blockEnd(block: number): number {
    return this.starts[block + 1]!;
  }
  blockParams(block: number): readonly VReg[] {
    return this.blocks[block]!.params;
  }
  blockSuccs(block: number): readonly number[] {
    return this.blocks[block]!.succs;
  }
  blockPreds(block: number): readonly number[] {
    return this.preds[block]!;
  }
  edgeArgs(block: number, succ: number): readonly VReg[] {
    return this.blocks[block]!.args[succ]!;
  }
  blockWeight(block: number): number {
    return this.blocks[block]!.weight;
  }
  operands(i: number): readonly Operand[] {
    return this.insts[i]!.operands;
  }
  clobbers(i: number): readonly PReg[] {
    return this.insts[i]!.clobbers;
  }
  isMove(i: number): boolean {
    return this.insts[i]!.isMove;
  }

  /** One line per instruction, for failure reports. */
  print(): string {
    const lines: string[] = [];
    const kinds = ['any', '', 'fixed', 'reuse'];
    this.blocks.forEach((block, b) => {
      lines.push(`block${b}(${block.params.map((v) => `v${v}`).join(', ')}): weight ${block.weight}`);
      block.insts.forEach((item, k) => {
        const text = item.operands.map((op) => {
          const role = op.kind === OperandKind.Def ? 'def' : 'use';
          const late = op.pos === OperandPos.Late ? '!' : '';
          return `${role} v${op.vreg}${late}${kinds[op.constraint]}${op.fixed >= 0 ? op.fixed : ''}`;
        });
        const clobbers = item.clobbers.length > 0 ? ` clobbers ${item.clobbers.join(',')}` : '';
        lines.push(`  ${this.starts[b]! + k}: ${item.isMove ? 'move ' : ''}${text.join(', ')}${clobbers}`);
      });
      block.succs.forEach((succ, k) =>
        lines.push(`  -> block${succ}(${block.args[k]!.map((v) => `v${v}`).join(', ')})`),
      );
    });
    return lines.join('\n');
  }
}

/** Deterministic pseudo-random numbers (mulberry32). */
export class Random {
  constructor(private state: number) {}
  next(): number {
    this.state = (this.state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  }
  below(n: number): number {
    return Math.floor(this.next() * n);
  }
  chance(probability: number): boolean {
    return this.next() < probability;
  }
  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!;
  }
}
