// Puts copies of callees' bodies in place of direct calls. Takes a function and a choice of calls, gives the function with
// its blocks split and the copies between them. Decides nothing (inline.ts); knows calls and returns, no other op.
import { isDirectCall } from '../analysis/call-graph.js';
import {
  type Block,
  computePreds,
  type Edge,
  type Func,
  INLINED,
  type Inst,
  replace,
  resolveUses,
} from '../ir/function.js';
import { Op } from '../ir/ops.js';
import { Type } from '../ir/types.js';

/**
 * Replaces every call of `func` for which `choose` gives the callee's body. A callee's own tail calls become calls where the
 * replaced call was none: its frame is the caller's, which has to stay.
 * @returns number of calls replaced
 */
export function inlineBodies(func: Func, choose: (call: Inst, block: Block) => Func | null): number {
  let replaced = 0;
  const blocks: Block[] = [];
  for (const block of func.blocks) {
    blocks.push(block);
    if (!block.insts.some(isDirectCall)) continue;
    const { insts } = block;
    let current = block;
    let kept: Inst[] = [];
    for (let i = 0; i < insts.length; i++) {
      const inst = insts[i]!;
      const callee = isDirectCall(inst) ? choose(inst, block) : null;
      inst.block = current;
      if (callee === null) {
        kept.push(inst);
        continue;
      }
      replaced++;
      current.insts = kept;
      kept = [];
      inst.block = null;
      const tail = inst.op === Op.ReturnCall;
      let after: Block | null = null;
      if (!tail) {
        after = func.createBlock();
        after.loopDepth = block.loopDepth;
        after.cold = block.cold;
        for (const type of callee.signature.results) func.addParam(after, type);
        while (insts[i + 1]!.op === Op.Proj) {
          const projection = insts[++i]!;
          projection.block = null;
          replace(projection, after.params[projection.imm]!);
        }
        if (after.params.length === 1) replace(inst, after.params[0]!);
      }
      const copies = new Copier(func, callee, inst.loc, after).copy();
      const jump = func.create(Op.Jump, []);
      jump.loc = inst.loc;
      jump.edges = [{ block: copies[0]!, args: inst.args }];
      func.append(current, jump);
      for (const copy of copies) blocks.push(copy);
      if (after === null) break;
      blocks.push(after);
      current = after;
    }
    if (kept.length > 0) current.insts = kept;
  }
  if (replaced === 0) return 0;
  func.blocks = blocks;
  resolveUses(func);
  computePreds(func);
  return replaced;
}

/** Copies one body into `func`. */
class Copier {
  private readonly values: Inst[];
  private readonly blocks: Block[] = [];
  /** Places of the callee and what they are called in `func`. */
  private readonly locs = new Map<number, number>();

  constructor(
    private readonly func: Func,
    private readonly callee: Func,
    private readonly callLoc: number,
    /** Where returns go; null if they are the function's own. */
    private readonly after: Block | null,
  ) {
    this.values = new Array<Inst>(callee.instCount);
  }

  copy(): Block[] {
    const { func, callee } = this;
    for (const block of callee.blocks) {
      const copy = (this.blocks[block.id] = func.createBlock());
      for (const param of block.params) this.values[param.id] = func.addParam(copy, param.type);
      for (const inst of block.insts) {
        const twin = func.create(inst.op, [], inst.imm, inst.imm2, inst.type);
        twin.aux = inst.aux;
        twin.loc = this.place(inst.loc);
        this.values[inst.id] = twin;
      }
    }
    return callee.blocks.map((block) => this.fill(block));
  }

  private fill(block: Block): Block {
    const copy = this.blocks[block.id]!;
    for (const inst of block.insts) {
      const twin = this.values[inst.id]!;
      twin.args = inst.args.map((arg) => this.values[arg.id]!);
      if (this.after !== null && inst.op === Op.Return) this.jump(copy, twin, twin.args);
      else if (this.after !== null && (inst.op === Op.ReturnCall || inst.op === Op.ReturnCallIndirect)) {
        this.call(copy, twin);
      } else {
        if (inst.edges.length > 0) twin.edges = inst.edges.map((edge) => this.edge(edge));
        this.func.append(copy, twin);
      }
    }
    return copy;
  }

  private edge({ block, args }: Edge): Edge {
    return { block: this.blocks[block.id]!, args: args.map((arg) => this.values[arg.id]!) };
  }

  /** A tail call of the callee: an ordinary one, then what a return does. */
  private call(copy: Block, twin: Inst): void {
    const { func } = this;
    const { results } = this.callee.signature;
    const indirect = twin.op === Op.ReturnCallIndirect;
    const call = func.create(indirect ? Op.CallIndirect : Op.Call, twin.args, twin.imm, twin.imm2, callType(results));
    call.loc = twin.loc;
    func.append(copy, call);
    let values: Inst[] = [call];
    if (results.length === 0) values = [];
    else if (results.length > 1) {
      call.aux = results;
      values = results.map((type, i) => {
        const value = func.create(Op.Proj, [call], i, 0, type);
        value.loc = twin.loc;
        return func.append(copy, value);
      });
    }
    this.jump(copy, twin, values);
  }

  private jump(copy: Block, twin: Inst, values: Inst[]): void {
    twin.op = Op.Jump;
    twin.type = Type.Void;
    twin.args = [];
    twin.imm = twin.imm2 = 0;
    twin.edges = [{ block: this.after!, args: values }];
    this.func.append(copy, twin);
  }

  /** The number under which `func` knows a place of the callee. */
  private place(loc: number): number {
    if (loc === 0) return 0;
    let place = this.locs.get(loc);
    if (place !== undefined) return place;
    const { callee, func } = this;
    const own = loc < INLINED;
    const from = own ? null : callee.inlined[loc - INLINED]!;
    const call = from === null ? this.callLoc : this.place(from.call);
    place = INLINED + func.inlined.length;
    func.inlined.push({ offset: from?.offset ?? loc, func: from?.func ?? callee.index, call });
    this.locs.set(loc, place);
    return place;
  }
}

function callType(results: readonly Type[]): Type {
  return results.length === 0 ? Type.Void : results.length === 1 ? results[0]! : Type.Multi;
}
