// Where the constants that a block uses are made: for blocks in loops the place before the outermost loop around them
// that makes no calls, else nowhere in particular (near the use). Takes a function whose blocks know their loop depth;
// knows no constant.
import { controlFlow } from '../../compiler/analysis/cfg.js';
import { DominatorTree } from '../../compiler/analysis/dominators.js';
import { findLoops, type Loop } from '../../compiler/analysis/loops.js';
import { computePreds, type Block, type Func } from '../../compiler/ir/function.js';
import { OPS } from '../../compiler/ir/ops.js';

/** Home by block id, null where constants stay local. A constant over a call would have to be made again anyway. */
export function constantHomes(func: Func): (Block | null)[] | null {
  if (func.blocks.every(({ loopDepth }) => loopDepth === 0)) return null;
  computePreds(func);
  const cfg = controlFlow(func);
  const tree = new DominatorTree(cfg);
  const { loops, loopOf } = findLoops(cfg, tree);
  const calls = new Set<Loop>();
  for (const block of cfg.order) {
    if (block.cold || !block.insts.some((inst) => OPS[inst.op]!.effect === 'call')) continue;
    for (let loop = loopOf[block.id] ?? null; loop !== null; loop = loop.parent) calls.add(loop);
  }
  // Outer loops come first, so the parent's home is known.
  const homeOf = new Map<Loop, Block>();
  for (const loop of loops) {
    if (calls.has(loop)) continue;
    const inherited = loop.parent === null ? undefined : homeOf.get(loop.parent);
    homeOf.set(loop, inherited ?? cfg.order[tree.idom[cfg.number[loop.header.id]!]!]!);
  }
  const homes: (Block | null)[] = [];
  for (const block of cfg.order) {
    const loop = loopOf[block.id] ?? null;
    homes[block.id] = loop === null || block.cold ? null : (homeOf.get(loop) ?? null);
  }
  return homes;
}
