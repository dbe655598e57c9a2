// Incoming edges of every block. Takes a function; gives the Edge objects themselves, so that passes can edit arguments.
import type { Block, Edge, Func } from '../ir/function.js';

/** Edges into each block, by block id, in the order of `func.blocks`. */
export function incomingEdges(func: Func): Edge[][] {
  const incoming: Edge[][] = [];
  for (const block of func.blocks) incoming[block.id] = [];
  for (const block of func.blocks) for (const edge of block.terminator.edges) incoming[edge.block.id]!.push(edge);
  return incoming;
}

/** Drops parameter number `index` of `block` and the arguments given to it. */
export function removeParam(block: Block, index: number, incoming: readonly Edge[]): void {
  block.params.splice(index, 1);
  for (const edge of incoming) edge.args.splice(index, 1);
}

/** Position of every parameter in its block's list, by instruction id. */
export function paramPositions(func: Func): Int32Array {
  const positions = new Int32Array(func.instCount);
  for (const block of func.blocks) block.params.forEach((param, i) => (positions[param.id] = i));
  return positions;
}
