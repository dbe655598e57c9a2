// Turns counted innermost loops into zero-overhead loops (LOOP): no decrement, no branch, no branch penalty. Takes a
// machine function before layout; knows the hardware's rules for LBEG, LEND and LCOUNT, no registers and no offsets.
//
// A loop qualifies if its only latch ends in a comparison of a counter (a header parameter stepped by a constant) with a
// value from outside, it makes no calls (a callee may use LOOP itself), contains no other loop, and is left only by the
// latch: loops with other ways out seldom run often enough to pay for their set-up, and would leave LCOUNT set. It becomes
//
//   P(q...): count = ...; LOOP count; jump H(q...)     P is laid out right before H: LBEG is the address after LOOP
//   H(p...): body
//   T:       jump M(args...)
//   M(m...): LOOP_END -> H(m...), X                    LEND is right behind M
//
// so that all moves for the way back come before LEND, where both ways are still one. That works only if the allocator
// gives p, q and m the same registers; where it did not, expansion says so (LoopConflict) and the function is compiled
// again with that loop left alone.
import { SITE_CALL } from '../../compiler/abi/traps.js';
import { Op } from '../isa/table.js';
import { OperandKind, type VReg } from '../regalloc/api.js';
import { RegClass } from '../abi/abi.js';
import { MachBlock, MachInst, Pseudo, def, use, type MachFunction } from './inst.js';

/** The loops with these headers (IR block ids) cannot be zero-overhead loops after all. */
export class LoopConflict extends Error {
  constructor(readonly headers: ReadonlySet<number>) {
    super(`loops at blocks ${[...headers].join(', ')} cannot be hardware loops`);
  }
}

/** LEND is at most 259 bytes after LOOP; three bytes an instruction, and moves to come. */
const MAX_INSTRUCTIONS = 70;
const MAX_BLOCKS = 24;

/** Weight of P and M over their surroundings: no move on their way to the header may be worth less than any other. */
const COALESCING_BIAS = 4;

/** @param skip headers (IR block ids) of loops to leave alone */
export function makeHardwareLoops(mach: MachFunction, skip: ReadonlySet<number>): void {
  const latches = mach.blocks.filter((block) => block.succs.length === 2 && LOOP_BRANCHES.has(lastOp(block)));
  if (latches.length === 0) return;
  computePreds(mach);
  const defs = new Definitions(mach);
  const copies = new Map<VReg, LoopCopy>();
  for (const latch of latches) {
    for (let back = 0; back < 2; back++) {
      const header = latch.succs[back]!.target;
      if (header.id < 0 || skip.has(header.id) || header.loopHeader) continue;
      const body = loopBody(mach, header, latch);
      if (body === null) continue;
      const plan = planLoop(defs, header, latch, back, body);
      if (plan === null) continue;
      rewrite(mach, defs, plan, body, copies);
      break;
    }
  }
  if (copies.size > 0) useCopies(mach, copies);
}

/** What stands for a value of a loop's body behind the loop: the parameter of M that carries it. */
interface LoopCopy {
  readonly vreg: VReg;
  readonly body: ReadonlySet<MachBlock>;
}

/** Behind a loop its values live on as M's parameters, or each would need a register of its own beside that. */
function useCopies(mach: MachFunction, copies: ReadonlyMap<VReg, LoopCopy>): void {
  for (const block of mach.blocks) {
    const copyOf = (vreg: VReg): VReg => {
      const copy = copies.get(vreg);
      return copy === undefined || copy.body.has(block) ? vreg : copy.vreg;
    };
    for (const inst of block.insts) {
      for (const operand of inst.operands) {
        if (operand.kind === OperandKind.Use && copyOf(operand.vreg) !== operand.vreg) {
          inst.operands = inst.operands.map((o) => (o.kind === OperandKind.Use ? { ...o, vreg: copyOf(o.vreg) } : o));
          break;
        }
      }
    }
    for (const { args } of block.succs) args.forEach((arg, i) => (args[i] = copyOf(arg)));
  }
}

/** Branches a counted loop may end in; true if it goes on when they are taken. */
const LOOP_BRANCHES: ReadonlyMap<number, boolean> = new Map([
  [Op.BNEZ, true],
  [Op.BEQZ, false],
  [Op.BNE, true],
  [Op.BEQ, false],
  [Op.BNEI, true],
  [Op.BEQI, false],
]);

const lastOp = (block: MachBlock): number => block.insts[block.insts.length - 1]!.op;

function computePreds(mach: MachFunction): void {
  for (const block of mach.blocks) block.preds.length = 0;
  for (const block of mach.blocks) for (const { target } of block.succs) target.preds.push(block);
}

/** True if the body is left elsewhere than by the latch. */
function hasOtherExits(body: ReadonlySet<MachBlock>, header: MachBlock, latch: MachBlock): boolean {
  for (const block of body) {
    if (block !== latch && block.succs.some(({ target }) => target !== header && !body.has(target))) return true;
  }
  return false;
}

/** Blocks of the natural loop header..latch if it qualifies in all but its count; else null. */
function loopBody(mach: MachFunction, header: MachBlock, latch: MachBlock): Set<MachBlock> | null {
  const body = new Set<MachBlock>([header, latch]);
  const work = latch === header ? [] : [latch];
  while (work.length > 0) {
    for (const pred of work.pop()!.preds) {
      if (body.has(pred)) continue;
      body.add(pred);
      work.push(pred);
    }
    if (body.size > MAX_BLOCKS) return null;
  }
  if (body.has(mach.blocks[0]!)) return null;
  let instructions = 0;
  for (const block of body) {
    instructions += block.insts.length;
    if (instructions > MAX_INSTRUCTIONS) return null;
    for (const { op, site } of block.insts) if (site === SITE_CALL || op === Pseudo.Loop) return null;
  }
  if (header.preds.filter((pred) => body.has(pred)).length !== 1 || hasOtherExits(body, header, latch)) return null;
  return hasInnerLoop(header, body) ? null : body;
}

function hasInnerLoop(header: MachBlock, body: ReadonlySet<MachBlock>): boolean {
  const state = new Map<MachBlock, 'open' | 'done'>();
  const visit = (block: MachBlock): boolean => {
    state.set(block, 'open');
    for (const { target } of block.succs) {
      if (target === header || !body.has(target)) continue;
      const seen = state.get(target);
      if (seen === 'open' || (seen === undefined && visit(target))) return true;
    }
    state.set(block, 'done');
    return false;
  };
  return visit(header);
}

/** Where each virtual register is defined, and how often it is used. */
class Definitions {
  readonly inst: (MachInst | null)[] = [];
  readonly block: (MachBlock | null)[] = [];
  readonly uses: number[] = [];

  constructor(mach: MachFunction) {
    const count = mach.classOf.length;
    for (let v = 0; v < count; v++) {
      this.inst.push(null);
      this.block.push(null);
      this.uses.push(0);
    }
    for (const block of mach.blocks) {
      for (const param of block.params) this.block[param] = block;
      for (const inst of block.insts) {
        for (const { vreg, kind } of inst.operands) {
          if (kind === OperandKind.Use) this.uses[vreg]!++;
          else {
            this.inst[vreg] = inst;
            this.block[vreg] = block;
          }
        }
      }
      for (const { args } of block.succs) for (const arg of args) this.uses[arg]!++;
    }
  }

  /** Value of a constant, or null. */
  constant(v: VReg): number | null {
    const inst = this.inst[v] ?? null;
    return inst !== null && inst.op === Pseudo.Const ? inst.imm : null;
  }

  /** Low bits of the value that are certainly zero. */
  trailingZeros(v: VReg, depth = 6): number {
    const inst = this.inst[v] ?? null;
    if (inst === null || depth === 0) return 0;
    const of = (k: number): number => this.trailingZeros(inst.operands[k]!.vreg, depth - 1);
    switch (inst.op) {
      case Pseudo.Const:
        return zerosBelow(inst.imm);
      case Pseudo.Move:
        return of(1);
      case Op.AND:
        return Math.max(of(1), of(2));
      case Op.SLLI:
        return Math.min(32, of(1) + inst.imm);
      case Op.ADD:
        return inst.operands[1]!.vreg === inst.operands[2]!.vreg ? of(1) + 1 : Math.min(of(1), of(2));
      case Op.SUB:
        return Math.min(of(1), of(2));
      case Op.ADDI:
      case Op.ADDMI:
        return Math.min(of(1), zerosBelow(inst.imm));
      case Op.ADDX2:
        return Math.min(of(1) + 1, of(2));
      case Op.ADDX4:
        return Math.min(of(1) + 2, of(2));
      case Op.ADDX8:
        return Math.min(of(1) + 3, of(2));
      case Op.MULL:
        return Math.min(32, of(1) + of(2));
      default:
        return 0;
    }
  }
}

const zerosBelow = (value: number): number => (value === 0 ? 32 : 31 - Math.clz32(value & -value));

interface LoopPlan {
  readonly header: MachBlock;
  readonly latch: MachBlock;
  readonly exit: MachBlock['succs'][number];
  readonly backArgs: readonly VReg[];
  readonly outside: readonly MachBlock[];
  /** Index of the counter among the header's parameters, its stepped value and step. */
  readonly counter: number;
  readonly next: VReg;
  readonly step: number;
  /** The counter's last value: a register, or -1 and a constant. */
  readonly end: VReg;
  readonly endImm: number;
  /** The counter's first value if it is a constant. */
  readonly startImm: number | null;
  /** Difference of end and start if it is known as a value of its own, else -1. */
  readonly difference: VReg;
}

function planLoop(
  defs: Definitions,
  header: MachBlock,
  latch: MachBlock,
  back: number,
  body: ReadonlySet<MachBlock>,
): LoopPlan | null {
  const branch = latch.insts[latch.insts.length - 1]!;
  if (LOOP_BRANCHES.get(branch.op)! !== (back === 0)) return null;
  const outside = header.preds.filter((pred) => !body.has(pred));
  if (outside.length === 0) return null;
  const backArgs = latch.succs[back]!.args;
  const candidates = branch.operands.map(({ vreg }) => vreg);
  for (let k = 0; k < candidates.length; k++) {
    const next = candidates[k]!;
    const counter = backArgs.indexOf(next);
    const inst = defs.inst[next] ?? null;
    if (counter < 0 || inst === null || inst.op !== Op.ADDI) continue;
    if (inst.operands[1]!.vreg !== header.params[counter]) continue;
    const other = candidates.length > 1 ? candidates[1 - k]! : -1;
    const otherBlock = other < 0 ? null : (defs.block[other] ?? null);
    if (otherBlock !== null && body.has(otherBlock) && defs.constant(other) === null) continue;
    const step = inst.imm;
    const starts = outside.flatMap((block) =>
      block.succs.filter(({ target }) => target === header).map(({ args }) => args[counter]!),
    );
    const plan: LoopPlan = {
      header,
      latch,
      exit: latch.succs[1 - back]!,
      backArgs,
      outside,
      counter,
      next,
      step,
      end: other >= 0 && defs.constant(other) === null ? other : -1,
      endImm: other >= 0 ? (defs.constant(other) ?? 0) : branch.imm,
      startImm: starts.length === 1 ? defs.constant(starts[0]!) : null,
      difference: -1,
    };
    return withExactCount(defs, plan, starts);
  }
  return null;
}

/** A step other than 1 or -1 must divide the distance: a power of two that start and end are known to share. */
function withExactCount(defs: Definitions, plan: LoopPlan, starts: readonly VReg[]): LoopPlan | null {
  const size = Math.abs(plan.step);
  if (size === 1) return plan;
  if ((size & (size - 1)) !== 0) return null;
  const bits = zerosBelow(size);
  if (starts.length === 1 && plan.end >= 0) {
    const inst = defs.inst[plan.end] ?? null;
    if (inst !== null && inst.op === Op.ADD && plan.step > 0) {
      const [, a, b] = inst.operands.map(({ vreg }) => vreg) as [VReg, VReg, VReg];
      const difference = a === starts[0] ? b : b === starts[0] ? a : -1;
      if (difference >= 0 && defs.trailingZeros(difference) >= bits) return { ...plan, difference };
    }
  }
  const endZeros = plan.end < 0 ? zerosBelow(plan.endImm) : defs.trailingZeros(plan.end);
  return endZeros >= bits && starts.every((start) => defs.trailingZeros(start) >= bits) ? plan : null;
}

function rewrite(
  mach: MachFunction,
  defs: Definitions,
  plan: LoopPlan,
  body: ReadonlySet<MachBlock>,
  copies: Map<VReg, LoopCopy>,
): void {
  const { header, latch, counter, next } = plan;
  const loc = latch.insts[latch.insts.length - 1]!.loc;
  const newParams = (): VReg[] => header.params.map((param) => mach.newVReg(mach.classOf[param]!));

  const entry = new MachBlock();
  entry.weight = COALESCING_BIAS * plan.outside.reduce((most, block) => Math.max(most, block.weight), 0);
  entry.params = newParams();
  for (const block of plan.outside) {
    block.succs = block.succs.map((edge) => (edge.target === header ? { target: entry, args: edge.args } : edge));
  }
  entry.preds = [...plan.outside];
  entry.insts = countInstructions(mach, plan, entry.params[counter]!, loc);
  const loop = entry.insts[entry.insts.length - 1]!;
  loop.loop = header.id;
  entry.insts.push(new MachInst(Pseudo.Jump, 0, loc));

  const end = new MachBlock();
  end.weight = COALESCING_BIAS * latch.weight;
  end.params = newParams();
  end.preds = [latch];
  const last = new MachInst(Pseudo.LoopEnd, 0, loc);
  last.loop = header.id;
  end.insts = [last];

  // A counter that nothing but the branch needed goes with it.
  const isDead = defs.uses[header.params[counter]!] === 1 && defs.uses[next] === 2;
  const keep = (list: readonly VReg[]): VReg[] => (isDead ? list.filter((_, i) => i !== counter) : [...list]);
  entry.succs = [{ target: header, args: keep(entry.params) }];
  latch.insts.pop();
  latch.insts.push(new MachInst(Pseudo.Jump, 0, loc));
  latch.succs = [{ target: end, args: keep(plan.backArgs) }];
  end.params = keep(end.params);
  end.succs = [
    { target: header, args: [...end.params] },
    { target: plan.exit.target, args: [...plan.exit.args] },
  ];
  const within = new Set([...body, entry]);
  keep(plan.backArgs).forEach((arg, i) => {
    const home = defs.block[arg] ?? null;
    if (home !== null && body.has(home)) copies.set(arg, { vreg: end.params[i]!, body: within });
  });
  if (isDead) {
    const step = defs.inst[next]!;
    const home = defs.block[next]!;
    home.insts = home.insts.filter((inst) => inst !== step);
  }
  header.params = keep(header.params);
  header.loopHeader = true;
  header.preds = [entry, end];
  plan.exit.target.preds = plan.exit.target.preds.map((pred) => (pred === latch ? end : pred));
  mach.blocks.splice(mach.blocks.indexOf(header), 0, entry);
  mach.blocks.splice(mach.blocks.indexOf(latch) + 1, 0, end);
}

/**
 * Iterations into a register and LOOP. With distance d from start to end in the direction of the step: d for a step of
 * one, where 0 stands for 2^32 as it does for the hardware; ((d - size) >> k) + 1 for size = 2^k.
 */
function countInstructions(mach: MachFunction, plan: LoopPlan, start: VReg, loc: number): MachInst[] {
  const out: MachInst[] = [];
  const emit = (op: number, inputs: readonly VReg[], imm = 0, imm2 = 0): VReg => {
    const result = mach.newVReg(RegClass.AR);
    const inst = new MachInst(op, imm, loc);
    inst.operands = [def(result), ...inputs.map(use)];
    inst.imm2 = imm2;
    out.push(inst);
    return result;
  };
  const constant = (value: number): VReg => {
    const result = emit(Pseudo.Const, [], value);
    mach.rematOf[result] = mach.remats.push({ symbol: null, imm: value }) - 1;
    return result;
  };
  const { end, endImm, step, startImm } = plan;
  const up = step > 0;
  let distance: VReg;
  if (end < 0 && startImm !== null) {
    out.push(loopInst(constant(constantCount(startImm, endImm, step)), loc));
    return out;
  }
  if (plan.difference >= 0) distance = plan.difference;
  else if (end >= 0 && up && startImm === 0) distance = end;
  else if (end < 0 && endImm === 0) distance = up ? emit(Op.NEG, [start]) : start;
  else {
    const last = end < 0 ? constant(endImm) : end;
    distance = up ? emit(Op.SUB, [last, start]) : emit(Op.SUB, [start, last]);
  }
  const size = Math.abs(step);
  if (size > 1) {
    const shift = zerosBelow(size);
    const less = emit(Op.ADDI, [distance], -size);
    distance = emit(Op.ADDI, [emit(Op.SRLI, [less], shift)], 1);
  }
  out.push(loopInst(distance, loc));
  return out;
}

function loopInst(count: VReg, loc: number): MachInst {
  const loop = new MachInst(Pseudo.Loop, 0, loc);
  loop.operands = [use(count)];
  return loop;
}

function constantCount(start: number, end: number, step: number): number {
  const distance = (step > 0 ? end - start : start - end) >>> 0;
  const size = Math.abs(step);
  return (size > 1 && distance === 0 ? 2 ** 32 / size : distance / size) | 0;
}
