// Final order of machine blocks: splits critical edges, puts cold blocks last, gives blocks their numbers and
// predecessors. Takes blocks in source order; knows no instruction but which blocks fall through.
import { MachBlock, MachInst, Pseudo, type MachFunction } from './inst.js';

const COLD = 0.1;

export function layOut(mach: MachFunction): void {
  // Selection has folded branches on constants: what only they led to is gone.
  const reached = reachable(mach);
  const blocks = mach.blocks.filter((block) => reached.has(block));
  const predCount = new Map<MachBlock, number>();
  for (const block of blocks) {
    for (const { target } of block.succs) predCount.set(target, (predCount.get(target) ?? 0) + 1);
  }
  const source = hotFirst(blocks);
  const order: MachBlock[] = [];
  let deferred: MachBlock[] = [];
  for (let i = 0; i < source.length; i++) {
    const block = source[i]!;
    const next = source[i + 1];
    order.push(block);
    if (block.succs.length > 1) {
      const near: MachBlock[] = [];
      block.succs.forEach((edge, k) => {
        if (predCount.get(edge.target)! < 2) return;
        const split = splitEdge(block, k);
        // A split edge that stays empty vanishes again; one with moves had better be on the likelier path's side.
        if (edge.target === next) near.push(split);
        else if (next === undefined || split.weight >= next.weight) near.unshift(split);
        else deferred.push(split);
      });
      order.push(...near);
    }
    const fallsThrough = next !== undefined && block.succs.some(({ target }) => target === next);
    if (!fallsThrough && deferred.length > 0) {
      order.push(...deferred);
      deferred = [];
    }
  }
  order.push(...deferred);
  mach.blocks = order;
  order.forEach((block, index) => {
    block.index = index;
    block.preds.length = 0;
  });
  for (const block of order) for (const { target } of block.succs) target.preds.push(block);
}

function reachable({ blocks }: MachFunction): Set<MachBlock> {
  const reached = new Set([blocks[0]!]);
  const work = [blocks[0]!];
  for (let block = work.pop(); block !== undefined; block = work.pop()) {
    for (const { target } of block.succs) {
      if (reached.has(target)) continue;
      reached.add(target);
      work.push(target);
    }
  }
  return reached;
}

function hotFirst(blocks: readonly MachBlock[]): MachBlock[] {
  const hot = blocks.filter((block, i) => i === 0 || block.weight >= COLD);
  return hot.length === blocks.length ? hot : [...hot, ...blocks.filter((block, i) => i !== 0 && block.weight < COLD)];
}

/** A block of its own for successor number k of `block`: the place for the edge's moves. */
function splitEdge(block: MachBlock, k: number): MachBlock {
  const { target, args } = block.succs[k]!;
  const split = new MachBlock();
  split.weight = target.loopHeader ? block.weight : Math.min(block.weight, target.weight);
  split.insts.push(new MachInst(Pseudo.Jump, 0, block.insts[block.insts.length - 1]!.loc));
  split.succs.push({ target, args });
  block.succs[k] = { target: split, args: [] };
  return split;
}
