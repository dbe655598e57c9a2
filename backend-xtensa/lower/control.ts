// Selection of checks and terminators: IR branches in, machine blocks' last instructions and edges out. Knows conditions
// and the ABI's words; no layout, no labels and no reach.
import { Op as Ir } from '../../compiler/ir/ops.js';
import type { Edge, Inst } from '../../compiler/ir/function.js';
import { InternalError } from '../../compiler/diagnostics.js';
import { Op } from '../isa/table.js';
import { MachBlock, MachInst, Pseudo, def, fixedUse, use } from '../mach/inst.js';
import type { Operand, VReg } from '../regalloc/api.js';
import { codeOf, passWords } from './call.js';
import { condition, conditionUses, equal, equalConstant, isConst, lessUnsigned, type Condition } from './cond.js';
import type { Lowering } from './context.js';
import type { Rule, Rules } from './rules.js';

function trapIf(make: (lo: Lowering, inst: Inst) => Condition): Rule {
  return (lo, inst) => {
    const c = make(lo, inst);
    lo.emit(c.op, conditionUses(c), c.imm).site = inst.imm;
  };
}

export const CHECK_RULES: Rules = {
  [Ir.TrapIfLtU]: trapIf((lo, inst) => lessUnsigned(lo, inst.args[0]!, inst.args[1]!, true)),
  [Ir.TrapIfGeU]: trapIf((lo, inst) => lessUnsigned(lo, inst.args[0]!, inst.args[1]!, false)),
  [Ir.TrapIfEq]: trapIf((lo, inst) => equal(lo, inst.args[0]!, inst.args[1]!, true)),
  [Ir.TrapIfNe]: trapIf((lo, inst) => equal(lo, inst.args[0]!, inst.args[1]!, false)),
  [Ir.TrapIfNez]: trapIf((lo, inst) => condition(lo, inst.args[0]!, true)),
  [Ir.TrapIfEqz]: trapIf((lo, inst) => condition(lo, inst.args[0]!, false)),
};

/** Up to so many targets a chain of compares is shorter and faster than a table. */
const CHAIN_LIMIT = 4;

/** Lowers the terminator of the block being lowered, fills in `block.succs`, gives blocks made behind it. */
export function lowerTerminator(
  lo: Lowering,
  inst: Inst,
  block: MachBlock,
  machOf: (edge: Edge) => MachBlock,
): MachBlock[] {
  const follow = (edge: Edge): void => {
    block.succs.push({ target: machOf(edge), args: edge.args.map((arg) => lo.value(arg)) });
  };
  switch (inst.op) {
    case Ir.Jump:
      follow(inst.edges[0]!);
      lo.emit(Pseudo.Jump, []);
      return [];
    case Ir.BrIf: {
      const c = branchCondition(lo, inst.args[0]!, inst.edges);
      follow(inst.edges[0]!);
      follow(inst.edges[1]!);
      lo.emit(c.op, conditionUses(c), c.imm);
      return [];
    }
    case Ir.BrTable:
      return branchTable(lo, inst, block, machOf);
    case Ir.Return:
      lo.emit(Pseudo.Return, passWords(lo, inst.args, 0, lo.abi.results));
      return [];
    case Ir.Trap:
      lo.emit(Pseudo.Trap, []).site = inst.imm;
      return [];
    case Ir.ReturnCall: {
      const symbol = lo.symbols[inst.imm]!;
      const uses = passWords(lo, inst.args, 0, lo.abi.arguments);
      lo.mach.callees.add(symbol);
      const call = lo.emit(Pseudo.TailCall, uses);
      call.symbol = symbol;
      call.clobbers = lo.clobbersOf(symbol);
      return [];
    }
    case Ir.ReturnCallRef: {
      const uses: Operand[] = passWords(lo, inst.args, 1, lo.abi.arguments);
      lo.mach.hasIndirectCalls = true;
      const target = fixedUse(codeOf(lo, inst.args[0]!), lo.abi.scratch[0]);
      lo.emit(Pseudo.TailCallReg, [target, ...uses]).clobbers = lo.abi.callClobbers;
      return [];
    }
    default:
      throw new InternalError(`no selection rule for terminator ${inst.op}`);
  }
}

/**
 * Condition of a br_if. A loop that compares its counter before the step compares the stepped value instead: the counter
 * then dies at the step, so both can have one register.
 */
function branchCondition(lo: Lowering, test: Inst, edges: readonly Edge[]): Condition {
  const [counter, limit] = test.args;
  if ((test.op === Ir.I32Ne || test.op === Ir.I32Eq) && counter!.op === Ir.Param && isConst(limit!)) {
    for (const { block, args } of edges) {
      if (block !== counter!.block) continue;
      const stepped = args[block.params.indexOf(counter!)]!;
      const [from, step] = stepped.args;
      if (stepped.op === Ir.I32Add && from === counter && isConst(step!)) {
        return equalConstant(lo, stepped, (limit!.imm + step!.imm) | 0, test.op === Ir.I32Eq);
      }
    }
  }
  return condition(lo, test, true);
}

const sameArgs = (a: Edge, b: Edge): boolean => a.block === b.block && a.args.every((arg, i) => arg === b.args[i]);

/** Distinct edges and, for each table entry, which of them it takes. */
function distinctEdges(edges: readonly Edge[]): { distinct: Edge[]; table: number[] } {
  const distinct: Edge[] = [];
  const table: number[] = [];
  const byBlock = new Map<number, number[]>();
  for (const edge of edges) {
    let candidates = byBlock.get(edge.block.id);
    if (candidates === undefined) byBlock.set(edge.block.id, (candidates = []));
    let at = candidates.find((k) => sameArgs(distinct[k]!, edge));
    if (at === undefined) {
      at = distinct.push(edge) - 1;
      candidates.push(at);
    }
    table.push(at);
  }
  return { distinct, table };
}

function branchTable(lo: Lowering, inst: Inst, block: MachBlock, machOf: (edge: Edge) => MachBlock): MachBlock[] {
  const { distinct, table } = distinctEdges(inst.edges);
  const edgeTo = (k: number): { target: MachBlock; args: VReg[] } => {
    const edge = distinct[k]!;
    return { target: machOf(edge), args: edge.args.map((arg) => lo.value(arg)) };
  };
  const index = inst.args[0]!;
  if (distinct.length === 1 || isConst(index)) {
    const k = isConst(index) ? table[Math.min(index.imm >>> 0, table.length - 1)]! : 0;
    block.succs.push(edgeTo(k));
    lo.emit(Pseudo.Jump, []);
    return [];
  }
  const register = lo.value(index);
  if (table.length <= CHAIN_LIMIT) return compareChain(lo, block, register, table, edgeTo);
  // The last entry is the default: indices beyond it are clamped to it, so the load stays within the table.
  const clamped = lo.binary(Op.MINU, register, lo.constant(table.length - 1));
  const base = lo.temp();
  lo.emit(Pseudo.TableAddress, [def(base)]);
  const entry = lo.binary(Op.ADDX4, clamped, base);
  const target = lo.immediate(Op.L32I, entry, 0);
  lo.emit(Pseudo.BrTable, [use(target)]);
  block.table = table;
  for (let k = 0; k < distinct.length; k++) block.succs.push(edgeTo(k));
  return [];
}

/** One compare and branch for each entry but the default. */
function compareChain(
  lo: Lowering,
  block: MachBlock,
  index: VReg,
  table: readonly number[],
  edgeTo: (k: number) => { target: MachBlock; args: VReg[] },
): MachBlock[] {
  const last = table.length - 1;
  let compares = last;
  // Entries before the default that go where it goes need no compare.
  while (compares > 1 && table[compares - 1] === table[last]) compares--;
  const made: MachBlock[] = [];
  let at = block;
  for (let k = 0; k < compares; k++) {
    const op = k === 0 ? Op.BEQZ : Op.BEQI;
    at.succs.push(edgeTo(table[k]!));
    if (at === block) {
      lo.emit(op, [use(index)], k);
    } else {
      const inst = new MachInst(op, k, lo.loc);
      inst.operands = [use(index)];
      at.insts.push(inst);
    }
    if (k === compares - 1) {
      at.succs.push(edgeTo(table[last]!));
    } else {
      const next = new MachBlock();
      next.weight = block.weight;
      at.succs.push({ target: next, args: [] });
      made.push(next);
      at = next;
    }
  }
  return made;
}
