// Takes IR with i64, gives IR where every i64 is a pair of i32: values, block parameters, arguments and results. The
// arithmetic of pairs is in legalize-i64-ops.ts. Runs after legalize-f64; refuses to know registers and conventions.
import type { LibCall } from '../abi/libcalls.js';
import { removeUnreachable, controlFlow } from '../analysis/cfg.js';
import { InternalError } from '../diagnostics.js';
import { type Edge, type Func, type Inst, resolve } from '../ir/function.js';
import { Op, OPS } from '../ir/ops.js';
import { Type } from '../ir/types.js';
import { flattenTypes } from '../ir/verify.js';
import { lowerI64Op, type PairOps } from './legalize-i64-ops.js';
import { Rewriter } from './rewrite.js';

/** Rewrites `func` in place, its signature included. */
export function legalizeI64(func: Func): void {
  func.signature = { params: flattenTypes(func.signature.params), results: flattenTypes(func.signature.results) };
  removeUnreachable(func);
  new Legalizer(func).run();
}

/** Result types of a multi-result call, f64 being i64 already. */
function resultTypes(inst: Inst): readonly Type[] {
  const types = inst.op === Op.LibCall ? (inst.aux as LibCall).results : (inst.aux as readonly Type[]);
  return types.map((t) => (t === Type.F64 ? Type.I64 : t));
}

class Legalizer implements PairOps {
  readonly rewriter: Rewriter;
  private readonly low: (Inst | undefined)[] = [];
  private readonly high: (Inst | undefined)[] = [];
  /** Projections that stand for the old ones, by call id and then old result index: index of the first word. */
  private readonly words = new Map<Inst, { readonly projs: readonly Inst[]; readonly first: readonly number[] }>();

  constructor(private readonly func: Func) {
    this.rewriter = new Rewriter(func);
  }

  run(): void {
    const { func } = this;
    // Definitions come before uses in this order; the layout order of the blocks stays.
    const { order } = controlFlow(func);
    for (const block of order) this.params(block);
    this.rewriter.run(order, (inst) => this.visit(inst));
  }

  private params(block: { params: Inst[] }): void {
    if (!block.params.some((p) => p.type === Type.I64)) return;
    const { func } = this;
    const flat: Inst[] = [];
    for (const param of block.params) {
      if (param.type !== Type.I64) {
        flat.push(param);
        continue;
      }
      const lo = func.create(Op.Param, [], 0, 0, Type.I32);
      const hi = func.create(Op.Param, [], 0, 0, Type.I32);
      lo.block = hi.block = param.block;
      flat.push(lo, hi);
      this.set(param, lo, hi);
    }
    block.params = flat;
  }

  set(inst: Inst, lo: Inst, hi: Inst): void {
    this.low[inst.id] = lo;
    this.high[inst.id] = hi;
  }
  lo(inst: Inst): Inst {
    return resolve(this.low[inst.id] ?? this.missing(inst));
  }
  hi(inst: Inst): Inst {
    return resolve(this.high[inst.id] ?? this.missing(inst));
  }
  /** By record, not by type: a call with an i64 result is a multi-result call once it was visited. */
  private isPair(inst: Inst): boolean {
    return this.low[inst.id] !== undefined;
  }
  private missing(inst: Inst): never {
    throw new InternalError(`no word pair for ${OPS[inst.op]!.name}`);
  }

  private flatten(values: readonly Inst[]): Inst[] {
    const out: Inst[] = [];
    for (const value of values) {
      if (this.isPair(value)) out.push(this.lo(value), this.hi(value));
      else out.push(value);
    }
    return out;
  }

  private visit(inst: Inst): void {
    switch (inst.op) {
      case Op.Call:
      case Op.CallRef:
      case Op.CallIndirect:
      case Op.LibCall:
        return this.call(inst);
      case Op.Proj:
        return this.proj(inst);
      case Op.Return:
      case Op.ReturnCall:
      case Op.ReturnCallRef:
      case Op.ReturnCallIndirect:
        inst.args = this.flatten(inst.args);
        this.rewriter.keep(inst);
        return;
      default:
        if (OPS[inst.op]!.effect === 'terminator') this.terminator(inst);
        else if (inst.type === Type.I64 || inst.args.some((a) => this.isPair(a))) lowerI64Op(this, inst);
        else this.rewriter.keep(inst);
    }
  }

  private terminator(inst: Inst): void {
    for (const edge of inst.edges as Edge[]) edge.args = this.flatten(edge.args.map(resolve));
    this.rewriter.keep(inst);
  }

  private call(inst: Inst): void {
    const { rewriter } = this;
    inst.args = this.flatten(inst.args);
    if (inst.type === Type.I64) {
      inst.type = Type.Multi;
      if (inst.op !== Op.LibCall) inst.aux = [Type.I32, Type.I32];
      rewriter.keep(inst);
      const lo = rewriter.emit(Op.Proj, [inst], 0, 0, Type.I32);
      this.set(inst, lo, rewriter.emit(Op.Proj, [inst], 1, 0, Type.I32));
      return;
    }
    rewriter.keep(inst);
    if (inst.type !== Type.Multi) return;
    const types = resultTypes(inst);
    if (!types.includes(Type.I64)) return;
    const flat = flattenTypes(types);
    if (inst.op !== Op.LibCall) inst.aux = flat;
    const projs = flat.map((type, i) => rewriter.emit(Op.Proj, [inst], i, 0, type));
    let at = 0;
    const first = types.map((type) => {
      const word = at;
      at += type === Type.I64 ? 2 : 1;
      return word;
    });
    this.words.set(inst, { projs, first });
  }

  private proj(inst: Inst): void {
    const words = this.words.get(inst.args[0]!);
    if (words === undefined) {
      this.rewriter.keep(inst);
      return;
    }
    const at = words.first[inst.imm]!;
    if (inst.type === Type.I64) this.set(inst, words.projs[at]!, words.projs[at + 1]!);
    else this.rewriter.replaceBy(inst, words.projs[at]!);
  }
}
