// Control-flow order. Takes a function, gives its blocks in reverse postorder; knows no instruction but the terminator.
import { type Block, computePreds, type Func } from '../ir/function.js';

/** The blocks reachable from the entry in reverse postorder, and each block's place in it. */
export interface ControlFlow {
  readonly order: readonly Block[];
  /** Position in `order` by block id, -1 for unreachable blocks. */
  readonly number: Int32Array;
}

/**
 * Reverse postorder by an explicit stack (functions may nest deeper than the JavaScript stack). Successors are visited
 * last to first, so that of two independent successors the first one comes first in the order.
 */
export function controlFlow(func: Func): ControlFlow {
  const number = new Int32Array(func.blockCount).fill(-1);
  const postorder: Block[] = [];
  const stack: Block[] = [func.entry];
  const next: number[] = [func.entry.terminator.edges.length];
  number[func.entry.id] = 0;
  while (stack.length > 0) {
    const top = stack.length - 1;
    const block = stack[top]!;
    if (next[top] === 0) {
      postorder.push(block);
      stack.pop();
      next.pop();
      continue;
    }
    const succ = block.terminator.edges[--next[top]!]!.block;
    if (number[succ.id] !== -1) continue;
    number[succ.id] = 0;
    stack.push(succ);
    next.push(succ.terminator.edges.length);
  }
  postorder.reverse();
  for (let i = 0; i < postorder.length; i++) number[postorder[i]!.id] = i;
  return { order: postorder, number };
}

/** Drops blocks that cannot be reached from the entry and recomputes `preds`. True if any went. */
export function removeUnreachable(func: Func): boolean {
  const { blocks } = func;
  const reached = new Uint8Array(func.blockCount);
  const stack: Block[] = [func.entry];
  reached[func.entry.id] = 1;
  let count = 0;
  while (stack.length > 0) {
    const block = stack.pop()!;
    count++;
    const { edges } = block.terminator;
    for (let i = 0; i < edges.length; i++) {
      const succ = edges[i]!.block;
      if (reached[succ.id] !== 0) continue;
      reached[succ.id] = 1;
      stack.push(succ);
    }
  }
  const removed = count !== blocks.length;
  if (removed) func.blocks = blocks.filter((block) => reached[block.id] !== 0);
  computePreds(func);
  return removed;
}
