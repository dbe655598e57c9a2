// Loop-invariant code motion: takes a function, moves what does not change in a loop in front of it. Checks and loads
// move only from where every entry into the loop reaches them before anything observable. Knows no register pressure
// beyond leaving alone what costs nothing in place.
import { controlFlow, removeUnreachable } from '../analysis/cfg.js';
import { DominatorTree } from '../analysis/dominators.js';
import { isSpeculatable, mayTrap, writes } from '../analysis/effects.js';
import { findLoops, type Loop } from '../analysis/loops.js';
import { readVersions, writtenVersions } from '../analysis/versions.js';
import { type Block, computePreds, type Edge, type Func, type Inst } from '../ir/function.js';
import { Op, OPS } from '../ir/ops.js';

/** Rewrites `func` in place; gives the number of instructions moved. */
export function hoistInvariants(func: Func): number {
  removeUnreachable(func);
  const cfg = controlFlow(func);
  const { loops, loopOf } = findLoops(cfg, new DominatorTree(cfg));
  if (loops.length === 0) return 0;
  let moved = 0;
  // Inner loops first: what leaves an inner loop may then leave the outer one too.
  for (let i = loops.length - 1; i >= 0; i--) moved += hoistFrom(func, loops[i]!, loopOf);
  computePreds(func);
  return moved;
}

/** Constants that fit an instruction, and comparisons that fuse with their branch, cost nothing where they are. */
function staysPut(inst: Inst): boolean {
  const { op } = inst;
  if (op === Op.I32Const) return inst.imm >= -2048 && inst.imm <= 2047;
  return (op >= Op.I32Eqz && op <= Op.I32GeU) || (op >= Op.F32Eq && op <= Op.F32Ge) || op === Op.Proj;
}

function hoistFrom(func: Func, loop: Loop, loopOf: readonly (Loop | null)[]): number {
  let written = 0;
  const inside = new Set<Block>(loop.blocks);
  for (const block of loop.blocks) for (const inst of block.insts) written |= writtenVersions(inst);
  const invariant = (inst: Inst): boolean => inst.args.every((arg) => !inside.has(arg.block!));
  const moved: Inst[] = [];
  for (const block of loop.blocks.length === 1 ? loop.blocks : orderOf(func, inside)) {
    let observable = block !== loop.header;
    const { insts } = block;
    let kept = 0;
    for (const inst of insts) {
      const { effect } = OPS[inst.op]!;
      const plain = effect === 'pure' || effect === 'read' || effect === 'trap';
      const safe = !observable || isSpeculatable(inst);
      if (plain && safe && !staysPut(inst) && (readVersions(inst) & written) === 0 && invariant(inst)) {
        moved.push(inst);
        // Uses in this loop see it as defined outside from here on.
        inst.block = PLACEHOLDER;
        continue;
      }
      if (writes(inst) !== 0 || mayTrap(inst)) observable = true;
      insts[kept++] = inst;
    }
    insts.length = kept;
  }
  if (moved.length === 0) return 0;
  const target = preheader(func, loop, inside, loopOf);
  const jump = target.insts.pop()!;
  for (const inst of moved) {
    inst.block = target;
    target.insts.push(inst);
  }
  target.insts.push(jump);
  return moved.length;
}

/** Stands for "outside the loop" while instructions are on their way to a preheader that may not exist yet. */
const PLACEHOLDER = { id: -1 } as unknown as Block;

/** The loop's blocks with definitions before uses. */
function orderOf(func: Func, inside: ReadonlySet<Block>): Block[] {
  return controlFlow(func).order.filter((block) => inside.has(block));
}

/** The block that alone enters the loop and goes nowhere else; made if there is none. */
function preheader(func: Func, loop: Loop, inside: ReadonlySet<Block>, loopOf: readonly (Loop | null)[]): Block {
  const { header } = loop;
  const entering: Edge[] = [];
  const sources: Block[] = [];
  for (const block of func.blocks) {
    if (inside.has(block)) continue;
    for (const edge of block.terminator.edges) {
      if (edge.block !== header) continue;
      entering.push(edge);
      sources.push(block);
    }
  }
  if (sources.length === 1 && sources[0]!.terminator.op === Op.Jump) return sources[0]!;
  const block = func.createBlock();
  const params = header.params.map((param) => func.addParam(block, param.type));
  const jump = func.append(block, func.create(Op.Jump, []));
  jump.edges = [{ block: header, args: params }];
  for (const edge of entering) edge.block = block;
  func.blocks.splice(func.blocks.indexOf(header), 0, block);
  for (let outer = loop.parent; outer !== null; outer = outer.parent) (outer.blocks as Block[]).push(block);
  (loopOf as (Loop | null)[])[block.id] = loop.parent;
  return block;
}
