// Upper bounds of i32 values read as unsigned, from constants, masks, loads, comparisons that dominate the place, and loop
// counters with constant ends. Takes a function's control flow; gives a number, 2^32 - 1 when it knows nothing.
import type { Block, Func, Inst } from '../ir/function.js';
import { Op } from '../ir/ops.js';
import { Type } from '../ir/types.js';
import type { ControlFlow } from './cfg.js';
import type { DominatorTree } from './dominators.js';
import { incomingEdges } from './edges.js';

export const UNBOUNDED = 0xffffffff;
const MAX_DEPTH = 12;
/** Dominating branches looked at for one value. */
const MAX_GUARDS = 24;

const constant = (inst: Inst | undefined): number | null =>
  inst !== undefined && inst.op === Op.I32Const ? inst.imm >>> 0 : null;

interface Guard {
  readonly cond: Inst;
  /** The branch was taken with the condition true. */
  readonly holds: boolean;
}

export class Ranges {
  private readonly known = new Map<Inst, number>();
  private readonly guards: (Guard | null)[] = [];
  private readonly incoming;

  constructor(
    func: Func,
    private readonly cfg: ControlFlow,
    private readonly tree: DominatorTree,
  ) {
    this.incoming = incomingEdges(func);
    for (const block of cfg.order) this.guards[block.id] = this.guardOf(block);
  }

  /** What entering `block` says about its predecessor's condition. */
  private guardOf(block: Block): Guard | null {
    const edges = this.incoming[block.id]!;
    if (edges.length !== 1) return null;
    const last = block.preds[0]!.terminator;
    if (last.op !== Op.BrIf) return null;
    return { cond: last.args[0]!, holds: last.edges[0] === edges[0] };
  }

  /** Upper bound of `value`, as u32, whenever `block` runs. */
  upper(value: Inst, block: Block): number {
    return Math.min(this.guarded(value, block), this.bound(value, MAX_DEPTH));
  }

  /** The tightest bound that a branch on the way to `block` gives. */
  private guarded(value: Inst, block: Block): number {
    let best = UNBOUNDED;
    let at = this.cfg.number[block.id]!;
    for (let i = 0; i < MAX_GUARDS; i++) {
      const guard = this.guards[this.cfg.order[at]!.id] ?? null;
      if (guard !== null) best = Math.min(best, limitFrom(guard, value, this));
      if (at === 0 || value.block === this.cfg.order[at]) break;
      at = this.tree.idom[at]!;
    }
    return best;
  }

  /** A bound that holds wherever the value exists. */
  bound(value: Inst, depth: number): number {
    const c = constant(value);
    if (c !== null) return c;
    if (value.type !== Type.I32) return UNBOUNDED;
    const cached = this.known.get(value);
    if (cached !== undefined) return cached;
    if (depth === 0) return UNBOUNDED;
    // While it is computed, a cycle through the value knows nothing.
    this.known.set(value, UNBOUNDED);
    const result = this.compute(value, depth - 1);
    this.known.set(value, result);
    return result;
  }

  private compute(value: Inst, depth: number): number {
    const { op, args } = value;
    const sub = (i: number): number => this.bound(args[i]!, depth);
    const c = constant(args[1]);
    switch (op) {
      case Op.I32And:
        return Math.min(sub(0), sub(1));
      case Op.I32Or:
      case Op.I32Xor: {
        const both = Math.max(sub(0), sub(1));
        return both === 0 ? 0 : 2 ** (32 - Math.clz32(both)) - 1;
      }
      case Op.I32ShrU:
        return c === null ? sub(0) : sub(0) >>> (c & 31);
      case Op.I32ShrS:
        return c !== null && sub(0) <= 0x7fffffff ? sub(0) >>> (c & 31) : UNBOUNDED;
      case Op.I32Shl:
        return c === null ? UNBOUNDED : fits(sub(0) * 2 ** (c & 31));
      case Op.I32Add:
        return fits(sub(0) + sub(1));
      case Op.I32Mul:
        return fits(sub(0) * sub(1));
      case Op.I32DivU:
        return c !== null && c > 0 ? Math.floor(sub(0) / c) : sub(0);
      case Op.I32RemU:
        return Math.max(sub(1) - 1, 0);
      case Op.I32MinU:
        return Math.min(sub(0), sub(1));
      case Op.I32MaxU:
        return Math.max(sub(0), sub(1));
      case Op.Select:
        return Math.max(sub(1), sub(2));
      case Op.I32Load8U:
        return 0xff;
      case Op.I32Load16U:
        return 0xffff;
      case Op.I32Clz:
      case Op.I32Ctz:
      case Op.I32Popcnt:
        return 32;
      case Op.Param:
        return this.param(value, depth);
      default:
        if ((op >= Op.I32Eqz && op <= Op.I32GeU) || (op >= Op.I64Eqz && op <= Op.I64GeU)) return 1;
        return UNBOUNDED;
    }
  }

  private param(param: Inst, depth: number): number {
    const block = param.block!;
    const edges = this.incoming[block.id]!;
    if (edges.length === 0) return UNBOUNDED;
    const index = block.params.indexOf(param);
    let start = 0;
    let entries = 0;
    let exactStart: number | null = null;
    let back: { readonly from: Block; readonly next: Inst } | null = null;
    for (let i = 0; i < edges.length; i++) {
      const value = edges[i]!.args[index]!;
      const from = block.preds[i]!;
      if (value === param) continue;
      if (this.tree.dominates(block, from)) {
        if (back !== null) return UNBOUNDED;
        back = { from, next: value };
        continue;
      }
      const bound = Math.min(this.bound(value, depth), this.guarded(value, from));
      exactStart = entries++ === 0 ? constant(value) : null;
      start = Math.max(start, bound);
    }
    if (back === null) return start;
    return this.counter(param, back.from, back.next, start, exactStart);
  }

  /** Loop counter: starts at most at `start`, and goes on from `from` with `next` = param + step. */
  private counter(param: Inst, from: Block, next: Inst, start: number, exactStart: number | null): number {
    if (next.op !== Op.I32Add || next.args[0] !== param) return UNBOUNDED;
    const step = constant(next.args[1]);
    if (step === null || step === 0) return UNBOUNDED;
    // Guards between the header and the back edge hold for the value that goes round.
    const last = from.terminator;
    const header = param.block!;
    const guards: Guard[] = [];
    if (last.op === Op.BrIf && last.edges[0]!.block !== last.edges[1]!.block) {
      guards.push({ cond: last.args[0]!, holds: last.edges[0]!.block === header });
    }
    for (let at = this.cfg.number[from.id]!, i = 0; this.cfg.order[at] !== header && i < MAX_GUARDS; i++) {
      const guard = this.guards[this.cfg.order[at]!.id] ?? null;
      if (guard !== null) guards.push(guard);
      at = this.tree.idom[at]!;
    }
    const up = step <= 0x7fffffff;
    for (const guard of guards) {
      const exact = exactEnd(guard, next);
      if (exact !== null && exactStart !== null) {
        const distance = up ? exact - exactStart : exactStart - exact;
        const by = up ? step : 2 ** 32 - step;
        if (distance > 0 && distance % by === 0) return up ? exact - by : exactStart;
      }
      if (!up) continue;
      // next <= limit (when going round), or param <= limit before the step, which then must not wrap.
      const nextLimit = limitFrom(guard, next, this);
      if (nextLimit <= 0x7fffffff && start <= 0x7fffffff - step) return Math.max(start, nextLimit);
      const paramLimit = limitFrom(guard, param, this);
      if (paramLimit <= 0x7fffffff - step) return Math.max(start, paramLimit + step);
    }
    return UNBOUNDED;
  }
}

const fits = (value: number): number => (value > UNBOUNDED ? UNBOUNDED : value);

/** The constant that `next` differs from as long as the loop goes on. */
function exactEnd({ cond, holds }: Guard, next: Inst): number | null {
  if (cond === next && holds) return 0;
  if (cond.args[0] !== next) return null;
  if (cond.op === Op.I32Ne && holds) return constant(cond.args[1]);
  if (cond.op === Op.I32Eq && !holds) return constant(cond.args[1]);
  return cond.op === Op.I32Eqz && !holds ? 0 : null;
}

/** Upper bound of `value` as u32 that the guard implies. Signed comparisons bound it only if it is known not to be negative. */
function limitFrom({ cond, holds }: Guard, value: Inst, ranges: Ranges): number {
  const [a, b] = cond.args;
  if (b === undefined) return cond.op === Op.I32Eqz && holds && a === value ? 0 : UNBOUNDED;
  let { op } = cond;
  let other: Inst;
  if (a === value) other = b;
  else if (b === value) {
    other = a!;
    op = MIRROR.get(op) ?? op;
  } else return UNBOUNDED;
  if (!holds) op = NEGATED.get(op) ?? -1;
  const limit = ranges.bound(other, 4);
  switch (op) {
    case Op.I32LtU:
      return limit === 0 ? 0 : limit === UNBOUNDED ? UNBOUNDED : limit - 1;
    case Op.I32LeU:
    case Op.I32Eq:
      return limit;
    default:
      return UNBOUNDED;
  }
}

const MIRROR: ReadonlyMap<number, number> = new Map([
  [Op.I32LtU, Op.I32GtU],
  [Op.I32GtU, Op.I32LtU],
  [Op.I32LeU, Op.I32GeU],
  [Op.I32GeU, Op.I32LeU],
]);
const NEGATED: ReadonlyMap<number, number> = new Map([
  [Op.I32LtU, Op.I32GeU],
  [Op.I32GeU, Op.I32LtU],
  [Op.I32GtU, Op.I32LeU],
  [Op.I32LeU, Op.I32GtU],
  [Op.I32Eq, Op.I32Ne],
  [Op.I32Ne, Op.I32Eq],
]);
