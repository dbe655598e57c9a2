// Ranges of i32 values, from constants, masks, loads, comparisons that dominate the place, and loop counters. Takes a
// function's control flow; gives intervals, ANY when it knows nothing. Every rule is exact modulo 2^32.
import type { Block, Func, Inst } from '../ir/function.js';
import { Op } from '../ir/ops.js';
import { Type } from '../ir/types.js';
import type { ControlFlow } from './cfg.js';
import type { DominatorTree } from './dominators.js';
import { incomingEdges } from './edges.js';
import {
  add,
  ANY,
  ANY_SIGNED,
  type Interval,
  intersect,
  interval,
  scale,
  signed,
  single,
  sub,
  union,
  unsigned,
} from './interval.js';

const MAX_DEPTH = 12;
/** Operands followed for the low bits of a counter's start. */
const ZEROS_DEPTH = 4;
/** Dominating branches looked at for one value. */
const MAX_GUARDS = 24;
const WORD = 2 ** 32;

/** The back edge of a loop, as one parameter sees it: where it leaves from, what it gives. */
interface Back {
  readonly from: Block;
  readonly next: Inst;
}

/** What a parameter can be: from outside in `start`, with so many low bits zero, and from at most one back edge. */
interface Flow {
  readonly start: Interval;
  readonly zeros: number;
  readonly back: Back | null;
}

/** What is known of a loop counter: its values in the header, and how often the back edge can be passed. */
interface Counter {
  readonly range: Interval;
  readonly rounds: number;
}

/** What a branch that was taken says. */
interface Guard {
  readonly cond: Inst;
  readonly holds: boolean;
}

const constant = (inst: Inst | undefined): number | null =>
  inst !== undefined && inst.op === Op.I32Const ? inst.imm : null;

export class Ranges {
  private readonly known = new Map<Inst, Interval>();
  private readonly roundsOf = new Map<Block, number>();
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
    if (last.op !== Op.BrIf || last.edges[0]!.block === last.edges[1]!.block) return null;
    return { cond: last.args[0]!, holds: last.edges[0] === edges[0] };
  }

  /** Largest value, read as unsigned, that `value` can have when `block` runs. */
  upper(value: Inst, block: Block): number {
    return unsigned(this.at(value, block, MAX_DEPTH)).hi;
  }

  /** Range of `value` when `block` runs: what holds everywhere, narrowed by the branches on the way. */
  private at(value: Inst, block: Block, depth: number): Interval {
    let range = this.bound(value, depth);
    let at = this.cfg.number[block.id]!;
    for (let i = 0; i < MAX_GUARDS; i++) {
      const here = this.cfg.order[at]!;
      const guard = this.guards[here.id] ?? null;
      if (guard !== null) range = intersect(range, this.implied(guard, value));
      if (at === 0 || value.block === here) break;
      at = this.tree.idom[at]!;
    }
    // An offset from a value that is narrower here than where it was computed.
    if (depth > 0 && value.op === Op.I32Add && constant(value.args[1]) !== null && value.args[0]!.type === Type.I32) {
      range = intersect(range, add(this.at(value.args[0]!, block, depth - 4), single(constant(value.args[1])!)));
    } else if (depth > 0 && value.op === Op.I32Shl && constant(value.args[1]) !== null) {
      range = intersect(range, scale(this.at(value.args[0]!, block, depth - 4), 2 ** (constant(value.args[1])! & 31)));
    }
    return range;
  }

  /** A range that holds wherever the value exists. */
  private bound(value: Inst, depth: number): Interval {
    const c = constant(value);
    if (c !== null) return single(c);
    if (value.type !== Type.I32) return ANY;
    const cached = this.known.get(value);
    if (cached !== undefined) return cached;
    if (depth <= 0) return ANY;
    // While it is computed, a cycle through the value knows nothing.
    this.known.set(value, ANY);
    const result = this.compute(value, depth - 1);
    this.known.set(value, result);
    return result;
  }

  private compute(value: Inst, depth: number): Interval {
    const { op, args } = value;
    const arg = (i: number): Interval => this.bound(args[i]!, depth);
    const c = constant(args[1]);
    switch (op) {
      case Op.I32Add:
        return add(arg(0), arg(1));
      case Op.I32Sub:
        return sub(arg(0), arg(1));
      case Op.I32Mul:
        return c === null ? ANY : scale(arg(0), c);
      case Op.I32Shl:
        return c === null ? ANY : scale(arg(0), 2 ** (c & 31));
      case Op.I32And: {
        const [a, b] = [arg(0), arg(1)];
        if (a.lo >= 0 && b.lo >= 0) return { lo: 0, hi: Math.min(a.hi, b.hi) };
        return { lo: 0, hi: a.lo >= 0 ? a.hi : unsigned(b).hi };
      }
      case Op.I32Or:
      case Op.I32Xor: {
        const both = Math.max(unsigned(arg(0)).hi, unsigned(arg(1)).hi);
        return { lo: 0, hi: both === 0 ? 0 : 2 ** (32 - Math.clz32(both)) - 1 };
      }
      case Op.I32ShrU: {
        const a = unsigned(arg(0));
        return c === null ? { lo: 0, hi: a.hi } : { lo: a.lo >>> (c & 31), hi: a.hi >>> (c & 31) };
      }
      case Op.I32ShrS: {
        const a = signed(arg(0));
        return c === null ? ANY : { lo: a.lo >> (c & 31), hi: a.hi >> (c & 31) };
      }
      case Op.I32DivU: {
        const a = unsigned(arg(0));
        return c !== null && c > 0 ? { lo: 0, hi: Math.floor(a.hi / c) } : { lo: 0, hi: a.hi };
      }
      case Op.I32RemU:
        return { lo: 0, hi: Math.min(Math.max(unsigned(arg(1)).hi - 1, 0), unsigned(arg(0)).hi) };
      case Op.I32MinU:
        return { lo: 0, hi: Math.min(unsigned(arg(0)).hi, unsigned(arg(1)).hi) };
      case Op.I32MaxU:
        return { lo: 0, hi: Math.max(unsigned(arg(0)).hi, unsigned(arg(1)).hi) };
      case Op.I32MinS: {
        const [a, b] = [signed(arg(0)), signed(arg(1))];
        return { lo: Math.min(a.lo, b.lo), hi: Math.min(a.hi, b.hi) };
      }
      case Op.I32MaxS: {
        const [a, b] = [signed(arg(0)), signed(arg(1))];
        return { lo: Math.max(a.lo, b.lo), hi: Math.max(a.hi, b.hi) };
      }
      case Op.Select:
        return union(arg(1), arg(2));
      case Op.I32Load8U:
        return { lo: 0, hi: 0xff };
      case Op.I32Load16U:
        return { lo: 0, hi: 0xffff };
      case Op.I32Load8S:
      case Op.I32Extend8S:
        return { lo: -0x80, hi: 0x7f };
      case Op.I32Load16S:
      case Op.I32Extend16S:
        return { lo: -0x8000, hi: 0x7fff };
      case Op.I32Clz:
      case Op.I32Ctz:
      case Op.I32Popcnt:
        return { lo: 0, hi: 32 };
      case Op.Param:
        return this.param(value, depth);
      default:
        return (op >= Op.I32Eqz && op <= Op.I32GeU) || (op >= Op.I64Eqz && op <= Op.I64GeU) ? { lo: 0, hi: 1 } : ANY;
    }
  }

  private param(param: Inst, depth: number): Interval {
    const flow = this.flow(param, depth);
    if (flow === null) return ANY;
    const { start, back } = flow;
    if (back === null) return start;
    const step = stepOf(param, back.next);
    if (step === 0) return ANY;
    const { range } = this.counter(param, { ...flow, back }, step);
    // Whatever else counts the rounds of the loop bounds this one too.
    const rounds = this.rounds(param.block!, depth);
    if (rounds === Infinity) return range;
    return intersect(range, add(start, interval(Math.min(0, step * rounds), Math.max(0, step * rounds))));
  }

  /** Where a parameter's values come from. Null if that is unknown. */
  private flow(param: Inst, depth: number): Flow | null {
    const block = param.block!;
    const edges = this.incoming[block.id]!;
    const index = block.params.indexOf(param);
    let start: Interval | null = null;
    let zeros = 32;
    let back: Back | null = null;
    for (let i = 0; i < edges.length; i++) {
      const value = edges[i]!.args[index]!;
      const from = block.preds[i]!;
      if (value === param) continue;
      if (this.tree.dominates(block, from)) {
        if (back !== null) return null;
        back = { from, next: value };
        continue;
      }
      const range = this.at(value, from, depth);
      start = start === null ? range : union(start, range);
      zeros = Math.min(zeros, lowZeros(value, ZEROS_DEPTH));
    }
    return start === null ? null : { start, zeros, back };
  }

  /** How often the back edge of the loop with this header can be passed after each entry; Infinity if unknown. */
  private rounds(header: Block, depth: number): number {
    const known = this.roundsOf.get(header);
    if (known !== undefined) return known;
    // While it is computed, a cycle through it knows nothing.
    this.roundsOf.set(header, Infinity);
    let least = Infinity;
    if (depth > 0 && header.preds.filter((from) => this.tree.dominates(header, from)).length === 1) {
      for (const param of header.params) {
        const flow = param.type === Type.I32 ? this.flow(param, depth - 1) : null;
        if (flow === null || flow.back === null) continue;
        const step = stepOf(param, flow.back.next);
        if (step !== 0) least = Math.min(least, this.counter(param, { ...flow, back: flow.back }, step).rounds);
      }
    }
    this.roundsOf.set(header, least);
    return least;
  }

  /** Loop counter: begins in `start` and goes on with param + step. */
  private counter(param: Inst, flow: Flow & { readonly back: Back }, step: number): Counter {
    const { start, zeros } = flow;
    const { from, next } = flow.back;
    let range = ANY;
    let rounds = Infinity;
    for (const guard of this.guardsOfBackEdge(param.block!, from)) {
      const exact = untilEqual(exactEnd(guard, next) ?? stepped(exactEnd(guard, param), step), start, zeros, step);
      if (exact !== null) return { range: exact, rounds: Math.floor((exact.hi - exact.lo) / Math.abs(step)) };
      // What goes round is `next`, and was in `round` when the guard was passed.
      const direct = this.implied(guard, next);
      const through = add(this.implied(guard, param), single(step));
      for (const round of [direct, through]) {
        if (round === ANY || round === ANY_SIGNED) continue;
        const passed = monotone(signed(start), signed(round), step);
        range = intersect(range, passed ?? union(start, round));
        if (passed !== null) rounds = Math.min(rounds, Math.floor((passed.hi - passed.lo) / Math.abs(step)));
      }
    }
    return { range, rounds };
  }

  /** Branches that every way from the header back to it passes: those that lead to `from`, and its own. */
  private guardsOfBackEdge(header: Block, from: Block): Guard[] {
    const guards: Guard[] = [];
    const last = from.terminator;
    if (last.op === Op.BrIf && last.edges[0]!.block !== last.edges[1]!.block) {
      guards.push({ cond: last.args[0]!, holds: last.edges[0]!.block === header });
    }
    for (let at = this.cfg.number[from.id]!, i = 0; this.cfg.order[at] !== header && i < MAX_GUARDS; i++) {
      const guard = this.guards[this.cfg.order[at]!.id] ?? null;
      if (guard !== null) guards.push(guard);
      at = this.tree.idom[at]!;
    }
    return guards;
  }

  /** Range of `value` that the guard implies. */
  private implied({ cond, holds }: Guard, value: Inst): Interval {
    if (cond === value) return holds ? ANY : single(0);
    const [a, b] = cond.args;
    if (a === value && cond.op === Op.I32Eqz) return holds ? single(0) : ANY;
    if (b === undefined || cond.op < Op.I32Eq || cond.op > Op.I32GeU) return ANY;
    let { op } = cond;
    if (a !== value) {
      if (b !== value) return ANY;
      op = MIRROR.get(op) ?? op;
    }
    if (!holds) op = NEGATED.get(op)!;
    const other = this.bound(a === value ? b : a!, 4);
    const [u, s] = [unsigned(other), signed(other)];
    switch (op) {
      case Op.I32Eq:
        return other;
      case Op.I32LtU:
        return u.hi === 0 ? ANY : { lo: 0, hi: u.hi - 1 };
      case Op.I32LeU:
        return { lo: 0, hi: u.hi };
      case Op.I32GtU:
        return u.lo === WORD - 1 ? ANY : { lo: u.lo + 1, hi: WORD - 1 };
      case Op.I32GeU:
        return { lo: u.lo, hi: WORD - 1 };
      case Op.I32LtS:
        return s.hi === ANY_SIGNED.lo ? ANY : { lo: ANY_SIGNED.lo, hi: s.hi - 1 };
      case Op.I32LeS:
        return { lo: ANY_SIGNED.lo, hi: s.hi };
      case Op.I32GtS:
        return s.lo === ANY_SIGNED.hi ? ANY : { lo: s.lo + 1, hi: ANY_SIGNED.hi };
      case Op.I32GeS:
        return { lo: s.lo, hi: ANY_SIGNED.hi };
      default:
        return ANY;
    }
  }
}

/**
 * Signed range of a counter that starts in `start`, is in `round` each time it goes round, and moves by `step`: where the
 * step cannot overflow, it never passes its start on the other side. Null if it may overflow.
 */
function monotone(start: Interval, round: Interval, step: number): Interval | null {
  if (step > 0) {
    const hi = Math.max(start.hi, round.hi);
    return hi + step <= ANY_SIGNED.hi ? { lo: start.lo, hi } : null;
  }
  const lo = Math.min(start.lo, round.lo);
  return lo + step >= ANY_SIGNED.lo ? { lo, hi: start.hi } : null;
}

/**
 * Range of a counter whose loop goes on until the stepped counter equals `end`, if the steps hit it exactly. `zeros`: low
 * bits of its start that are zero.
 */
function untilEqual(end: number | null, start: Interval, zeros: number, step: number): Interval | null {
  if (end === null) return null;
  if (start.lo !== start.hi) {
    const by = Math.abs(step);
    // All starts are on the near side of the end and, being multiples of the step as it is, do not jump over it.
    if (2 ** zeros % by !== 0 || end % by !== 0) return null;
    if (step > 0) return start.hi <= end - by ? { lo: start.lo, hi: end - by } : null;
    return start.lo >= end + by ? { lo: end + by, hi: start.hi } : null;
  }
  const towards = step > 0 ? end - start.lo : start.lo - end;
  const distance = ((towards % WORD) + WORD) % WORD;
  const by = Math.abs(step);
  if (distance === 0 || distance % by !== 0) return null;
  return step > 0 ? interval(start.lo, start.lo + distance - by) : interval(start.lo - distance + by, start.lo);
}

/** Constant that a round adds to a parameter; 0 if it does anything else. */
const stepOf = (param: Inst, next: Inst): number =>
  next.op === Op.I32Add && next.args[0] === param ? (constant(next.args[1]) ?? 0) : 0;

/** Low bits of a value that are certainly zero. */
function lowZeros({ op, args, imm }: Inst, depth: number): number {
  if (op === Op.I32Const) return imm === 0 ? 32 : 31 - Math.clz32(imm & -imm);
  if (depth === 0) return 0;
  const of = (i: number): number => lowZeros(args[i]!, depth - 1);
  switch (op) {
    case Op.I32Shl: {
      const by = constant(args[1]);
      return by === null ? 0 : Math.min(32, of(0) + (by & 31));
    }
    case Op.I32Mul:
      return Math.min(32, of(0) + of(1));
    case Op.I32And:
      return Math.max(of(0), of(1));
    case Op.I32Add:
    case Op.I32Sub:
    case Op.I32Or:
    case Op.I32Xor:
      return Math.min(of(0), of(1));
    case Op.Select:
      return Math.min(of(1), of(2));
    default:
      return 0;
  }
}

const stepped = (end: number | null, step: number): number | null => (end === null ? null : end + step);

/** The constant that `value` differs from as long as the loop goes on. */
function exactEnd({ cond, holds }: Guard, value: Inst): number | null {
  if (cond === value && holds) return 0;
  if (cond.args[0] !== value) return null;
  if (cond.op === Op.I32Ne && holds) return constant(cond.args[1]);
  if (cond.op === Op.I32Eq && !holds) return constant(cond.args[1]);
  return cond.op === Op.I32Eqz && !holds ? 0 : null;
}

const MIRROR: ReadonlyMap<number, number> = new Map([
  [Op.I32LtU, Op.I32GtU],
  [Op.I32GtU, Op.I32LtU],
  [Op.I32LeU, Op.I32GeU],
  [Op.I32GeU, Op.I32LeU],
  [Op.I32LtS, Op.I32GtS],
  [Op.I32GtS, Op.I32LtS],
  [Op.I32LeS, Op.I32GeS],
  [Op.I32GeS, Op.I32LeS],
]);
const NEGATED: ReadonlyMap<number, number> = new Map([
  [Op.I32Eq, Op.I32Ne],
  [Op.I32Ne, Op.I32Eq],
  [Op.I32LtU, Op.I32GeU],
  [Op.I32GeU, Op.I32LtU],
  [Op.I32GtU, Op.I32LeU],
  [Op.I32LeU, Op.I32GtU],
  [Op.I32LtS, Op.I32GeS],
  [Op.I32GeS, Op.I32LtS],
  [Op.I32GtS, Op.I32LeS],
  [Op.I32LeS, Op.I32GtS],
]);
