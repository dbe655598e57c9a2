// Removal of redundant push/pop pairs of the operand stack. Takes a function, gives one in which a value crosses a control
// transfer only when it has to. Knows no op but jumps.
//
// Wasm code pushes a value before a branch and pops it behind it. SSA construction has already removed the pairs within a
// block; what is left of the stack (and of locals, which are slots as well) are the edge arguments: each is one push at the
// jump and one pop at the target. A pair is redundant, and this pass removes it, when
// - every edge into the block pushes the same value, or the popped value itself (`trivial`): the users take it directly;
//   so too if they push what is computed alike from the same operands: it is computed behind the branch instead;
// - two slots are always pushed the same values (`duplicate`): one slot is left;
// - the block has one predecessor (`straight`): nothing merges there. The blocks are joined if the jump is unconditional;
// - the block only pushes again what it has popped and jumps on (`threaded`): the first jump goes where the second leads.
import { incomingEdges, paramPositions, removeParam } from '../analysis/edges.js';
import { controlFlow, removeUnreachable } from '../analysis/cfg.js';
import { countUses } from '../analysis/uses.js';
import { type Block, type Edge, type Func, type Inst, replace, resolve, resolveUses } from '../ir/function.js';
import { Op, OPS } from '../ir/ops.js';

/** What the pass did to one function. */
export interface StackPairCounts {
  /** Push/pop pairs across branches before: edge arguments. */
  pairs: number;
  /** Pairs removed, by kind: a slot counts once for each edge that fed it. */
  trivial: number;
  duplicate: number;
  straight: number;
  threaded: number;
  /** Blocks joined with their only predecessor, and jumps led past a block that only jumps. */
  joinedBlocks: number;
  threadedJumps: number;
}

/** All pairs removed. */
export const removedPairs = (c: StackPairCounts): number => c.trivial + c.duplicate + c.straight + c.threaded;

/** Rewrites `func` in place. */
export function removeStackPairs(func: Func): StackPairCounts {
  const counts: StackPairCounts = {
    pairs: 0,
    trivial: 0,
    duplicate: 0,
    straight: 0,
    threaded: 0,
    joinedBlocks: 0,
    threadedJumps: 0,
  };
  removeUnreachable(func);
  counts.pairs = edgeArguments(func);
  for (let changed = true; changed;) {
    changed = false;
    const slots = removeSlots(func, counts);
    const threaded = threadJumps(func, counts);
    const joined = joinBlocks(func, counts);
    // New trivial slots can only come from edges that went or moved.
    changed = threaded || (slots && joined);
  }
  return counts;
}

function edgeArguments(func: Func): number {
  let n = 0;
  for (const block of func.blocks) for (const edge of block.terminator.edges) n += edge.args.length;
  return n;
}

/** Do two pure instructions compute the same of the same operands? */
function sameComputation(a: Inst, b: Inst): boolean {
  if (a.op !== b.op || a.type !== b.type || a.imm !== b.imm || a.imm2 !== b.imm2 || a.aux !== b.aux) return false;
  if (OPS[a.op]!.effect !== 'pure' || a.op === Op.Param || a.op === Op.Proj) return false;
  return a.args.every((arg, i) => resolve(arg) === resolve(b.args[i]!));
}

/** Removes trivial and duplicate parameters until none is left; true if any went. */
function removeSlots(func: Func, counts: StackPairCounts): boolean {
  const incoming = incomingEdges(func);
  const { order } = controlFlow(func);
  let any = false;
  for (let changed = true; changed;) {
    changed = false;
    for (const block of order) {
      if (block === func.entry || block.params.length === 0) continue;
      const edges = incoming[block.id]!;
      for (const edge of edges) for (let i = 0; i < edge.args.length; i++) edge.args[i] = resolve(edge.args[i]!);
      const trivial = removeTrivial(func, block, edges);
      const duplicate = block.params.length > 1 ? removeDuplicates(block, edges) : 0;
      counts.trivial += trivial * edges.length;
      counts.duplicate += duplicate * edges.length;
      if (trivial + duplicate > 0) changed = true;
    }
    any ||= changed;
  }
  if (any) resolveUses(func);
  return any;
}

function removeTrivial(func: Func, block: Block, edges: readonly Edge[]): number {
  let removed = 0;
  for (let i = block.params.length - 1; i >= 0; i--) {
    const param = block.params[i]!;
    let only: Inst | null = null;
    let computed = false;
    let trivial = true;
    for (const edge of edges) {
      const value = edge.args[i]!;
      if (value === param || value === only) continue;
      if (only === null) only = value;
      else if (sameComputation(only, value)) computed = true;
      else {
        trivial = false;
        break;
      }
    }
    if (!trivial || only === null) continue;
    removeParam(block, i, edges);
    // Computed alike in several places: computed here instead. The operands are there, being there on every way.
    replace(param, computed ? copyTo(func, block, only) : only);
    removed++;
  }
  return removed;
}

function copyTo(func: Func, block: Block, inst: Inst): Inst {
  const copy = func.create(inst.op, inst.args.map(resolve), inst.imm, inst.imm2, inst.type);
  copy.aux = inst.aux;
  copy.block = block;
  copy.loc = inst.loc;
  block.insts.unshift(copy);
  return copy;
}

function removeDuplicates(block: Block, edges: readonly Edge[]): number {
  let removed = 0;
  const seen = new Map<string, Inst>();
  for (let i = 0; i < block.params.length; i++) {
    const param = block.params[i]!;
    let key = '';
    // A slot that is passed around a loop unchanged equals another one that is, if they enter equal.
    for (const edge of edges) key += `${edge.args[i] === param ? 'self' : edge.args[i]!.id},`;
    const first = seen.get(key);
    if (first === undefined) {
      seen.set(key, param);
      continue;
    }
    replace(param, first);
    removeParam(block, i, edges);
    for (const edge of edges) for (let k = 0; k < edge.args.length; k++) edge.args[k] = resolve(edge.args[k]!);
    i--;
    removed++;
  }
  return removed;
}

/** Lets jumps to a block that only jumps on go to its target; true if there were any. */
function threadJumps(func: Func, counts: StackPairCounts): boolean {
  const uses = countUses(func);
  const incoming = incomingEdges(func);
  const positions = paramPositions(func);
  let threaded = false;
  for (const block of func.blocks) {
    if (block === func.entry || block.insts.length !== 1 || block.terminator.op !== Op.Jump) continue;
    const onward = block.terminator.edges[0]!;
    if (onward.block === block) continue;
    // Its parameters must not be used further on.
    const own = new Uint32Array(block.params.length);
    for (const arg of onward.args) if (arg.block === block) own[positions[arg.id]!]!++;
    if (block.params.some((param, i) => uses[param.id] !== own[i])) continue;
    for (const edge of incoming[block.id]!) {
      const given = edge.args;
      edge.args = onward.args.map((arg) => (arg.block === block ? given[positions[arg.id]!]! : arg));
      edge.block = onward.block;
      for (const arg of edge.args) uses[arg.id]!++;
      incoming[onward.block.id]!.push(edge);
      counts.threaded += given.length;
      counts.threadedJumps++;
      threaded = true;
    }
    incoming[block.id] = [];
  }
  if (threaded) removeUnreachable(func);
  return threaded;
}

/** Joins blocks with their only predecessor where that ends in a plain jump, and binds the parameters of the others. */
function joinBlocks(func: Func, counts: StackPairCounts): boolean {
  const incoming = incomingEdges(func);
  const gone = new Set<Block>();
  let bound = false;
  for (const block of func.blocks) {
    if (gone.has(block)) continue;
    for (;;) {
      const last = block.terminator;
      if (last.op !== Op.Jump) break;
      const target = last.edges[0]!.block;
      if (target === block || target === func.entry || incoming[target.id]!.length !== 1) break;
      counts.straight += target.params.length;
      if (target.params.length > 0) bindParams(last.edges[0]!);
      block.insts.pop();
      for (const inst of target.insts) {
        inst.block = block;
        block.insts.push(inst);
      }
      gone.add(target);
      bound = true;
      counts.joinedBlocks++;
    }
    for (const edge of block.terminator.edges) {
      const target = edge.block;
      if (incoming[target.id]!.length !== 1 || target.params.length === 0) continue;
      counts.straight += target.params.length;
      bindParams(edge);
      bound = true;
    }
  }
  if (gone.size > 0) func.blocks = func.blocks.filter((block) => !gone.has(block));
  if (bound) resolveUses(func);
  return bound;
}

function bindParams(edge: Edge): void {
  edge.block.params.forEach((param, i) => replace(param, edge.args[i]!));
  edge.block.params = [];
  edge.args = [];
}
