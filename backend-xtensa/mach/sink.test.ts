// Sinking: what moves where, and that nothing moves over what it must not.
import { describe, expect, it } from 'vitest';
import { Op } from '../isa/table.js';
import type { Operand } from '../regalloc/api.js';
import { def, MachBlock, MachFunction, MachInst, Pseudo, use } from './inst.js';
import { sinkInstructions } from './sink.js';

function inst(op: number, operands: Operand[], imm = 0): MachInst {
  const made = new MachInst(op, imm, 0);
  made.operands = operands;
  return made;
}

/** A function of blocks with the given instructions; `succs` are block numbers with arguments. */
function build(spec: readonly { insts: MachInst[]; params?: number[]; succs: [number, number[]][] }[]): MachFunction {
  const mach = new MachFunction();
  for (let v = 0; v < 20; v++) mach.newVReg(0);
  mach.blocks = spec.map(({ insts, params }, index) => {
    const block = new MachBlock();
    block.index = index;
    block.insts = insts;
    block.params = params ?? [];
    return block;
  });
  spec.forEach(({ succs }, index) => {
    for (const [target, args] of succs) {
      mach.blocks[index]!.succs.push({ target: mach.blocks[target]!, args });
      mach.blocks[target]!.preds.push(mach.blocks[index]!);
    }
  });
  return mach;
}

const jump = (): MachInst => inst(Pseudo.Jump, []);
const ret = (): MachInst => inst(Pseudo.Return, []);

describe('sinkInstructions', () => {
  it('moves a step into the edge block that passes it on', () => {
    const step = inst(Op.ADDI, [def(1), use(0)], 1);
    const mach = build([
      { insts: [jump()], succs: [[1, [5]]] },
      { insts: [step, inst(Op.BNEZ, [use(0)])], params: [0], succs: [[2, []], [3, []]] }, // prettier-ignore
      { insts: [jump()], succs: [[1, [1]]] },
      { insts: [ret()], succs: [] },
    ]);
    expect(sinkInstructions(mach)).toBe(1);
    expect(mach.blocks[2]!.insts[0]).toBe(step);
    expect(mach.blocks[1]!.insts).toHaveLength(1);
  });

  it('moves a chain in order', () => {
    const first = inst(Op.ADDI, [def(1), use(0)], 1);
    const second = inst(Op.SLLI, [def(2), use(1)], 2);
    const mach = build([
      { insts: [first, second, inst(Op.BNEZ, [use(0)])], succs: [[1, []], [2, []]] }, // prettier-ignore
      { insts: [inst(Op.S32I, [use(2), use(0)]), ret()], succs: [] },
      { insts: [ret()], succs: [] },
    ]);
    expect(sinkInstructions(mach)).toBe(2);
    expect(mach.blocks[1]!.insts.slice(0, 2)).toEqual([first, second]);
  });

  it('moves a step behind the last use of the old value in its block', () => {
    const step = inst(Op.ADDI, [def(1), use(0)], 1);
    const old = inst(Op.S32I, [use(0), use(3)]);
    const branch = inst(Op.BNE, [use(1), use(4)]);
    const mach = build([
      { insts: [step, old, branch], succs: [[1, []], [2, []]] }, // prettier-ignore
      { insts: [ret()], succs: [] },
      { insts: [ret()], succs: [] },
    ]);
    expect(sinkInstructions(mach)).toBe(1);
    expect(mach.blocks[0]!.insts).toEqual([old, step, branch]);
  });

  it('leaves alone what both ways use, what is used at once, and loads', () => {
    const both = inst(Op.ADDI, [def(1), use(0)], 1);
    const load = inst(Op.L32I, [def(2), use(0)], 0);
    const twoInputs = inst(Op.ADD, [def(6), use(0), use(5)]);
    const mach = build([
      { insts: [both, load, twoInputs, inst(Op.BNEZ, [use(0)])], succs: [[1, []], [2, []]] }, // prettier-ignore
      { insts: [inst(Op.S32I, [use(1), use(2)]), inst(Op.S32I, [use(6), use(2)]), ret()], succs: [] },
      { insts: [inst(Op.S32I, [use(1), use(0)]), ret()], succs: [] },
    ]);
    expect(sinkInstructions(mach)).toBe(0);
  });

  it('does not move into a block that can be reached from elsewhere', () => {
    const mach = build([
      { insts: [inst(Op.ADDI, [def(1), use(0)], 1), inst(Op.BNEZ, [use(0)])], succs: [[1, []], [2, []]] }, // prettier-ignore
      { insts: [jump()], succs: [[2, []]] },
      { insts: [inst(Op.S32I, [use(1), use(0)]), ret()], succs: [] },
    ]);
    expect(sinkInstructions(mach)).toBe(0);
  });
});
