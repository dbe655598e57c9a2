// Instruction selection of one function: lowered IR in (machine-ops.ts says which ops), machine blocks over virtual
// registers out. Knows the rule tables and the order of the walk; no rule, no layout and no allocation.
import { InternalError } from '../../compiler/diagnostics.js';
import { Op as Ir, OPS } from '../../compiler/ir/ops.js';
import type { Block, Func } from '../../compiler/ir/function.js';
import { MachBlock, type MachFunction } from '../mach/inst.js';
import { CALL_RULES, lowerParameters } from './call.js';
import { COMPARE_RULES } from './compare.js';
import { Lowering, type LowerEnvironment } from './context.js';
import { CHECK_RULES, lowerTerminator } from './control.js';
import { FLOAT_RULES } from './float.js';
import { INT_RULES } from './int.js';
import { MEM_RULES } from './mem.js';
import type { Rule } from './rules.js';

const RULES: (Rule | undefined)[] = new Array<Rule | undefined>(OPS.length).fill(undefined);
for (const family of [INT_RULES, COMPARE_RULES, MEM_RULES, FLOAT_RULES, CALL_RULES, CHECK_RULES]) {
  for (const [op, rule] of Object.entries(family)) RULES[Number(op)] = rule;
}
// Made where they are used (Lowering.constant); their own place means nothing, and nobody demands them.
RULES[Ir.I32Const] = RULES[Ir.Symbol] = () => undefined;

/** Ops that may go when nobody wants the result: loads are of checked addresses, so they cannot trap. */
const DROPPABLE: readonly boolean[] = OPS.map(
  (info) => info.effect === 'pure' || (info.effect === 'read' && !info.traps),
);

export function select(func: Func, env: LowerEnvironment): MachFunction {
  const lo = new Lowering(func, env);
  const { mach } = lo;
  const postorder = reachablePostorder(func);
  const machOf = new Map<Block, MachBlock>();
  const extra = new Map<MachBlock, MachBlock[]>();
  for (const block of postorder) {
    const made = new MachBlock();
    made.id = block.id;
    made.weight = block.cold ? 0.01 : 10 ** Math.min(block.loopDepth, 6);
    machOf.set(block, made);
  }
  for (const block of postorder) {
    const made = machOf.get(block)!;
    lo.beginBlock(block);
    const { insts } = block;
    const last = insts.length - 1;
    lo.position = last;
    lo.loc = insts[last]!.loc;
    const behind = lowerTerminator(lo, insts[last]!, made, (edge) => machOf.get(edge.block)!);
    if (behind.length > 0) extra.set(made, behind);
    lo.flush();
    lo.emitShared();
    lo.flush();
    for (let i = last - 1; i >= 0; i--) {
      const inst = insts[i]!;
      if (DROPPABLE[inst.op]! && !lo.demanded(inst)) continue;
      const rule = RULES[inst.op];
      if (rule === undefined) throw new InternalError(`no selection rule for ${OPS[inst.op]!.name}`);
      lo.position = i;
      lo.loc = inst.loc;
      rule(lo, inst);
      lo.flush();
    }
    if (block === func.entry) lowerParameters(lo, block.params);
    else made.params = block.params.map((param) => lo.result(param));
    made.insts = lo.endBlock();
  }
  for (const block of func.blocks) {
    const made = machOf.get(block);
    if (made === undefined) continue;
    mach.blocks.push(made, ...(extra.get(made) ?? []));
  }
  return mach;
}

/** Blocks that the entry reaches, every block after its successors (but for back edges). */
function reachablePostorder(func: Func): Block[] {
  const seen = new Set<Block>([func.entry]);
  const order: Block[] = [];
  const stack: Block[] = [func.entry];
  const next: number[] = [0];
  while (stack.length > 0) {
    const block = stack[stack.length - 1]!;
    const { edges } = block.terminator;
    const at = next[next.length - 1]!++;
    if (at < edges.length) {
      const target = edges[at]!.block;
      if (!seen.has(target)) {
        seen.add(target);
        stack.push(target);
        next.push(0);
      }
    } else {
      order.push(block);
      stack.pop();
      next.pop();
    }
  }
  return order;
}
