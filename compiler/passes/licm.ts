// Loop-invariant code motion: takes a function, moves what does not change in a loop in front of it. Checks and loads
// move only from where every entry into the loop reaches them before anything observable. Knows no register pressure
// beyond leaving alone what costs nothing in place.
import { controlFlow, removeUnreachable } from '../analysis/cfg.js';
import { DominatorTree } from '../analysis/dominators.js';
import { isSpeculatable, mayTrap, writes } from '../analysis/effects.js';
import { findLoops, type Loop } from '../analysis/loops.js';
import { readVersions, writtenVersions } from '../analysis/versions.js';
import { type Block, computePreds, type Func, type Inst } from '../ir/function.js';
import { Op, OPS } from '../ir/ops.js';

/** Rewrites `func` in place; gives the number of instructions moved. */
export function hoistInvariants(func: Func): number {
  removeUnreachable(func);
  const cfg = controlFlow(func);
  const { loops } = findLoops(cfg, new DominatorTree(cfg));
  if (loops.length === 0) return 0;
  const pass = new Hoister(func, cfg.number);
  // Inner loops first: what leaves an inner loop may then leave the outer one too.
  for (let i = loops.length - 1; i >= 0; i--) pass.hoistFrom(loops[i]!);
  pass.finish();
  return pass.moved;
}

/** Constants that fit an instruction, and comparisons that fuse with their branch, cost nothing where they are. */
function staysPut(inst: Inst): boolean {
  const { op } = inst;
  if (op === Op.I32Const) return inst.imm >= -2048 && inst.imm <= 2047;
  return (op >= Op.I32Eqz && op <= Op.I32GeU) || (op >= Op.F32Eq && op <= Op.F32Ge) || op === Op.Proj;
}

/** Place of a loop in the Wasm file: its first instruction that has one. */
function startOf({ header }: Loop): number {
  return header.insts.find(({ loc }) => loc !== 0)?.loc ?? 0;
}

/** Stands for "outside the loop" while instructions are on their way to a preheader that may not exist yet. */
const OUTSIDE = { id: -1 } as unknown as Block;

class Hoister {
  moved = 0;
  /** Place of each block in an order in which definitions come before uses, by id. */
  private readonly place: number[];
  /** The loop that was last worked on and holds the block, by block id, as a stamp. */
  private readonly stamp: number[] = [];
  private current = 0;
  /** Preheaders made, by their header. */
  private readonly made = new Map<Block, Block>();

  constructor(
    private readonly func: Func,
    place: Int32Array,
  ) {
    this.place = Array.from(place);
  }

  private inside(block: Block): boolean {
    return block.id >= 0 && this.stamp[block.id] === this.current;
  }

  hoistFrom(loop: Loop): void {
    this.current++;
    const blocks = [...loop.blocks].sort((a, b) => this.place[a.id]! - this.place[b.id]!);
    let written = 0;
    for (const block of blocks) {
      this.stamp[block.id] = this.current;
      for (const inst of block.insts) written |= writtenVersions(inst);
    }
    const moved: Inst[] = [];
    for (const block of blocks) {
      let observable = block !== loop.header;
      const { insts } = block;
      let kept = 0;
      for (const inst of insts) {
        if (this.mayMove(inst, written, observable)) {
          moved.push(inst);
          // Uses in this loop see it as defined outside from here on.
          inst.block = OUTSIDE;
          continue;
        }
        if (writes(inst) !== 0 || mayTrap(inst)) observable = true;
        insts[kept++] = inst;
      }
      insts.length = kept;
    }
    if (moved.length > 0) this.insert(loop, moved);
  }

  private mayMove(inst: Inst, written: number, observable: boolean): boolean {
    const { effect } = OPS[inst.op]!;
    if (effect !== 'pure' && effect !== 'read' && effect !== 'trap') return false;
    for (const arg of inst.args) if (this.inside(arg.block!)) return false;
    if (staysPut(inst) || (readVersions(inst) & written) !== 0) return false;
    return !observable || isSpeculatable(inst);
  }

  private insert(loop: Loop, moved: readonly Inst[]): void {
    this.moved += moved.length;
    const { checks } = this.func;
    if (checks !== null) for (const inst of moved) if (mayTrap(inst)) checks.hoist(inst, startOf(loop));
    const target = this.preheader(loop);
    const jump = target.insts.pop()!;
    for (const inst of moved) {
      inst.block = target;
      target.insts.push(inst);
    }
    target.insts.push(jump);
  }

  /** The block that alone enters the loop and goes nowhere else; made if there is none. */
  private preheader(loop: Loop): Block {
    const { func } = this;
    const { header } = loop;
    const sources = header.preds.filter((block) => !this.inside(block));
    if (sources.length === 1 && sources[0]!.terminator.op === Op.Jump) return sources[0]!;
    const block = func.createBlock();
    const params = header.params.map((param) => func.addParam(block, param.type));
    const jump = func.append(block, func.create(Op.Jump, []));
    jump.edges = [{ block: header, args: params }];
    for (const source of new Set(sources)) {
      for (const edge of source.terminator.edges) if (edge.block === header) edge.block = block;
    }
    block.preds = sources;
    header.preds = [block, ...header.preds.filter((pred) => this.inside(pred))];
    this.made.set(header, block);
    this.place[block.id] = this.place[header.id]! - 0.5;
    for (let outer = loop.parent; outer !== null; outer = outer.parent) (outer.blocks as Block[]).push(block);
    return block;
  }

  /** Puts the new blocks into the layout, each before its header. */
  finish(): void {
    if (this.made.size > 0) {
      this.func.blocks = this.func.blocks.flatMap((block) => {
        const before = this.made.get(block);
        return before === undefined ? [block] : [before, block];
      });
    }
    computePreds(this.func);
  }
}
