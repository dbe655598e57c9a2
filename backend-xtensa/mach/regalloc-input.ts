// A laid-out machine function seen as the allocator wants it: dense instruction numbers, classes, edges. Knows no
// register and no meaning of instructions but which are copies.
import type { Abi } from '../abi/abi.js';
import type { Operand, PReg, RegallocInput, RegisterClass, VReg } from '../regalloc/api.js';
import { Pseudo, type MachBlock, type MachFunction, type MachInst } from './inst.js';

export class MachRegallocInput implements RegallocInput {
  readonly classes: readonly RegisterClass[];
  readonly vregCount: number;
  readonly blockCount: number;
  readonly instCount: number;
  readonly insts: MachInst[] = [];
  private readonly blocks: readonly MachBlock[];
  private readonly starts: Int32Array;

  constructor(
    private readonly mach: MachFunction,
    abi: Abi,
  ) {
    this.classes = abi.classes;
    this.vregCount = mach.classOf.length;
    this.blocks = mach.blocks;
    this.blockCount = mach.blocks.length;
    this.starts = new Int32Array(this.blockCount + 1);
    mach.blocks.forEach((block, index) => {
      this.starts[index] = this.insts.length;
      for (const inst of block.insts) this.insts.push(inst);
    });
    this.instCount = this.starts[this.blockCount] = this.insts.length;
  }

  vregClass(vreg: VReg): number {
    return this.mach.classOf[vreg]!;
  }
  rematToken(vreg: VReg): number {
    return this.mach.rematOf[vreg]!;
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
    return this.blocks[block]!.succs.map(({ target }) => target.index);
  }
  blockPreds(block: number): readonly number[] {
    return this.blocks[block]!.preds.map((pred) => pred.index);
  }
  edgeArgs(block: number, succ: number): readonly VReg[] {
    return this.blocks[block]!.succs[succ]!.args;
  }
  blockWeight(block: number): number {
    return this.blocks[block]!.weight;
  }
  operands(inst: number): readonly Operand[] {
    return this.insts[inst]!.operands;
  }
  clobbers(inst: number): readonly PReg[] {
    return this.insts[inst]!.clobbers;
  }
  isMove(inst: number): boolean {
    return this.insts[inst]!.op === Pseudo.Move;
  }
}
