// Moves cheap instructions down to where their results are needed: into the one successor that uses them, or behind the
// last use of their input. A loop's `next = i + 1` then no longer overlaps `i`, so both can have one register and the
// copy at the loop's end goes away; and what only one way needs is not computed on the other. Takes a laid-out machine
// function before allocation; knows no registers.
import { Op } from '../isa/table.js';
import { ConstraintKind, OperandKind, OperandPos, type VReg } from '../regalloc/api.js';
import { Pseudo, type MachBlock, type MachFunction, type MachInst } from './inst.js';

/** Single-cycle arithmetic without SAR, memory or traps. */
const SINKABLE: ReadonlySet<number> = new Set([
  Op.ADD,
  Op.ADDI,
  Op.ADDMI,
  Op.ADDX2,
  Op.ADDX4,
  Op.ADDX8,
  Op.AND,
  Op.EXTUI,
  Op.NEG,
  Op.OR,
  Op.SLLI,
  Op.SRAI,
  Op.SRLI,
  Op.SUB,
  Op.SUBX2,
  Op.SUBX4,
  Op.SUBX8,
  Op.XOR,
]);

/** Instructions to look ahead within a block. */
const REACH = 64;

const NOWHERE = -1;
const MANY = -2;

class Uses {
  /** Layout index of the only block that uses a vreg, NOWHERE or MANY. */
  readonly block: Int32Array;
  readonly count: Int32Array;
  constructor(mach: MachFunction) {
    this.block = new Int32Array(mach.classOf.length).fill(NOWHERE);
    this.count = new Int32Array(mach.classOf.length);
    for (const block of mach.blocks) {
      for (const { operands } of block.insts) {
        for (let k = 0; k < operands.length; k++) {
          if (operands[k]!.kind === OperandKind.Use) this.add(operands[k]!.vreg, block.index);
        }
      }
      for (const { args } of block.succs) for (const arg of args) this.add(arg, block.index);
    }
  }
  private add(vreg: VReg, block: number): void {
    this.count[vreg]!++;
    const known = this.block[vreg]!;
    if (known === NOWHERE) this.block[vreg] = block;
    else if (known !== block) this.block[vreg] = MANY;
  }
}

/** The vreg that the instruction reads if it may be moved and reads exactly one, else NOWHERE. */
function onlyInput(inst: MachInst): VReg {
  if (inst.op >= Pseudo.Entry || !SINKABLE.has(inst.op) || inst.site !== 0) return NOWHERE;
  const { operands } = inst;
  let input = NOWHERE;
  for (let k = 0; k < operands.length; k++) {
    const operand = operands[k]!;
    if (operand.constraint !== ConstraintKind.Reg) return NOWHERE;
    if (operand.kind === OperandKind.Def) continue;
    if (operand.pos !== OperandPos.Early || (input !== NOWHERE && input !== operand.vreg)) return NOWHERE;
    input = operand.vreg;
  }
  return input;
}

const resultOf = (inst: MachInst): VReg => inst.operands.find(({ kind }) => kind === OperandKind.Def)!.vreg;

function uses(inst: MachInst, vreg: VReg): boolean {
  const { operands } = inst;
  for (let k = 0; k < operands.length; k++) {
    if (operands[k]!.vreg === vreg && operands[k]!.kind === OperandKind.Use) return true;
  }
  return false;
}

/** The successor of `block` that alone uses `vreg`, if the way to it comes from nowhere else. */
function onlyUser(block: MachBlock, vreg: VReg, known: Uses): MachBlock | undefined {
  const user = known.block[vreg]!;
  if (user < 0 || user === block.index || block.succs.length < 2) return undefined;
  for (const { target } of block.succs) {
    if (target.index === user) return target.preds.length === 1 ? target : undefined;
  }
  return undefined;
}

/**
 * Place in `later` (the instructions behind, last one first) before which the result is first used, if the input is
 * used in between; else NOWHERE.
 */
function placeBehindInput(later: readonly MachInst[], result: VReg, input: VReg): number {
  let seen = false;
  const end = Math.max(0, later.length - REACH);
  for (let at = later.length - 1; at >= end; at--) {
    if (uses(later[at]!, result)) return seen ? at + 1 : NOWHERE;
    if (uses(later[at]!, input)) seen = true;
  }
  return NOWHERE;
}

/** @returns how many instructions were moved */
export function sinkInstructions(mach: MachFunction): number {
  const known = new Uses(mach);
  let moved = 0;
  for (const block of mach.blocks) {
    const { insts } = block;
    const later: MachInst[] = [];
    for (let i = insts.length - 1; i >= 0; i--) {
      const inst = insts[i]!;
      const input = onlyInput(inst);
      if (input !== NOWHERE) {
        const result = resultOf(inst);
        const user = onlyUser(block, result, known);
        if (user !== undefined) {
          user.insts.unshift(inst);
          if (known.count[input] === 1) known.block[input] = user.index;
          else if (known.block[input] !== user.index) known.block[input] = MANY;
          moved++;
          continue;
        }
        const place = placeBehindInput(later, result, input);
        if (place !== NOWHERE) {
          later.splice(place, 0, inst);
          moved++;
          continue;
        }
      }
      later.push(inst);
    }
    block.insts = later.reverse();
  }
  return moved;
}
