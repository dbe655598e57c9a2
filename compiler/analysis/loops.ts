// Natural loops. Takes a function with control flow and dominators; gives the loop forest and marks blocks with their
// nesting depth and whether they are cold. Irreducible cycles (Wasm has none) are not loops here.
import type { Block, Func } from '../ir/function.js';
import { Op } from '../ir/ops.js';
import { type ControlFlow, controlFlow } from './cfg.js';
import { DominatorTree } from './dominators.js';
import { computePreds } from '../ir/function.js';

export interface Loop {
  readonly header: Block;
  readonly parent: Loop | null;
  readonly depth: number;
  /** All blocks, those of inner loops included, header first. */
  readonly blocks: readonly Block[];
}

export interface LoopForest {
  /** Outer loops before inner ones. */
  readonly loops: readonly Loop[];
  /** Innermost loop of a block, by block id. */
  readonly loopOf: readonly (Loop | null)[];
}

interface MutableLoop {
  header: Block;
  parent: MutableLoop | null;
  depth: number;
  blocks: Block[];
}

/** Loops of the function whose preds, control flow and dominators are given. */
export function findLoops(cfg: ControlFlow, tree: DominatorTree): LoopForest {
  const { order, number } = cfg;
  const inner: (MutableLoop | null)[] = [];
  for (const block of order) inner[block.id] = null;
  const loops: MutableLoop[] = [];
  // Inner headers come later in reverse postorder, so going backwards meets inner loops first.
  for (let i = order.length - 1; i >= 0; i--) {
    const header = order[i]!;
    const latches = header.preds.filter((p) => number[p.id] !== -1 && tree.dominates(header, p));
    if (latches.length === 0) continue;
    const loop: MutableLoop = { header, parent: null, depth: 0, blocks: [header] };
    collect(loop, latches, inner, number);
    loops.push(loop);
  }
  loops.reverse();
  for (const loop of loops) {
    loop.depth = (loop.parent?.depth ?? 0) + 1;
    for (const block of loop.blocks) if (inner[block.id] === loop) addToOuter(loop.parent, block);
  }
  return { loops, loopOf: inner };
}

/** Walks backwards from the latches; a block of an inner loop stands for that whole loop. */
function collect(
  loop: MutableLoop,
  latches: readonly Block[],
  inner: (MutableLoop | null)[],
  number: Int32Array,
): void {
  const work = [...latches];
  if (inner[loop.header.id] === null) inner[loop.header.id] = loop;
  while (work.length > 0) {
    const block = work.pop()!;
    let within = inner[block.id]!;
    if (within === null) {
      inner[block.id] = loop;
      loop.blocks.push(block);
      for (const pred of block.preds) if (number[pred.id] !== -1) work.push(pred);
      continue;
    }
    while (within !== loop && within.parent !== null) within = within.parent;
    if (within === loop) continue;
    within.parent = loop;
    for (const pred of within.header.preds) if (number[pred.id] !== -1) work.push(pred);
  }
}

function addToOuter(loop: MutableLoop | null, block: Block): void {
  for (let outer = loop; outer !== null; outer = outer.parent) outer.blocks.push(block);
}

/**
 * Sets `loopDepth` and `cold` of every block: cold are blocks from which every way leads to a trap, for layout and for
 * allocation weights.
 */
export function markBlocks(func: Func): void {
  computePreds(func);
  const cfg = controlFlow(func);
  const { loopOf } = findLoops(cfg, new DominatorTree(cfg));
  for (let i = cfg.order.length - 1; i >= 0; i--) {
    const block = cfg.order[i]!;
    block.loopDepth = loopOf[block.id]?.depth ?? 0;
    const last = block.terminator;
    block.cold =
      last.op === Op.Trap ||
      (last.edges.length > 0 &&
        last.edges.every((e) => e.block.cold && cfg.number[e.block.id]! > cfg.number[block.id]!));
  }
}
