// Use counts. Takes a function, gives how often each value is an operand or an edge argument.
import type { Func } from '../ir/function.js';

/** Uses by instruction id. */
export function countUses(func: Func): Uint32Array {
  const uses = new Uint32Array(func.instCount);
  const { blocks } = func;
  for (let b = 0; b < blocks.length; b++) {
    const { insts } = blocks[b]!;
    for (let k = 0; k < insts.length; k++) {
      const { args } = insts[k]!;
      for (let i = 0; i < args.length; i++) uses[args[i]!.id]!++;
    }
    for (const { args } of blocks[b]!.terminator.edges) for (let i = 0; i < args.length; i++) uses[args[i]!.id]!++;
  }
  return uses;
}
