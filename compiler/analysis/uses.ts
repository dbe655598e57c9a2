// Use counts. Takes a function, gives how often each value is an operand or an edge argument.
import type { Func } from '../ir/function.js';

/** Uses by instruction id. */
export function countUses(func: Func): Uint32Array {
  const uses = new Uint32Array(func.instCount);
  for (const block of func.blocks) {
    for (const inst of block.insts) {
      for (const arg of inst.args) uses[arg.id]!++;
      for (const edge of inst.edges) for (const arg of edge.args) uses[arg.id]!++;
    }
  }
  return uses;
}
