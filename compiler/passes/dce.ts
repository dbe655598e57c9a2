// Dead code elimination: takes a function, drops unreachable blocks, instructions whose value nobody needs and which do
// nothing else, and block parameters that only feed themselves. Knows effects only through analysis/effects.ts.
import { removeUnreachable } from '../analysis/cfg.js';
import { incomingEdges, paramPositions } from '../analysis/edges.js';
import { isRemovable } from '../analysis/effects.js';
import type { Func, Inst } from '../ir/function.js';
import { Op } from '../ir/ops.js';

/** Rewrites `func` in place; gives the number of instructions and parameters dropped. Optimistic: dead cycles go too. */
export function eliminateDeadCode(func: Func): number {
  removeUnreachable(func);
  const live = new Uint8Array(func.instCount);
  const work: Inst[] = [];
  const mark = (inst: Inst): void => {
    if (live[inst.id] !== 0) return;
    live[inst.id] = 1;
    work.push(inst);
  };
  for (const block of func.blocks) for (const inst of block.insts) if (!isRemovable(inst)) mark(inst);
  for (const param of func.entry.params) mark(param);
  const incoming = incomingEdges(func);
  const positions = paramPositions(func);
  while (work.length > 0) {
    const inst = work.pop()!;
    for (const arg of inst.args) mark(arg);
    if (inst.op !== Op.Param) continue;
    const index = positions[inst.id]!;
    for (const edge of incoming[inst.block!.id]!) mark(edge.args[index]!);
  }
  let dropped = 0;
  for (const block of func.blocks) {
    const { insts, params } = block;
    let kept = 0;
    for (const inst of insts) {
      if (live[inst.id] !== 0) insts[kept++] = inst;
      else inst.block = null;
    }
    dropped += insts.length - kept;
    insts.length = kept;
    if (block === func.entry || params.every((p) => live[p.id] !== 0)) continue;
    dropped += dropParams(params, incoming[block.id]!, live);
  }
  return dropped;
}

function dropParams(params: Inst[], incoming: readonly { args: Inst[] }[], live: Uint8Array): number {
  const before = params.length;
  for (const edge of incoming) edge.args = edge.args.filter((_, i) => live[params[i]!.id] !== 0);
  let kept = 0;
  for (const param of params) if (live[param.id] !== 0) params[kept++] = param;
  params.length = kept;
  return before - kept;
}
