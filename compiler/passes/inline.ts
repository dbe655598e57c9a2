// Decides which direct calls become copies of the callee's body, and drops functions that nobody can reach any more. Takes
// a module as it was translated; works from callees to callers. Copies nothing itself (inline-body.ts).
import { callGraph, directCallees, reachableFunctions } from '../analysis/call-graph.js';
import { markBlocks } from '../analysis/loops.js';
import type { Block, Func, Inst } from '../ir/function.js';
import type { IrModule } from '../ir/module.js';
import { Op, OPS } from '../ir/ops.js';
import { Type } from '../ir/types.js';
import { inlineBodies } from './inline-body.js';

/** Limits in weights: about one machine instruction each. */
export interface InlineBudget {
  /** Callees this light cost hardly more than the call, whatever surrounds it. */
  readonly small: number;
  /** The same for calls within a loop. */
  readonly inLoop: number;
  /** Callees with a single call site, whose own body then goes. */
  readonly once: number;
  /** Weight beyond which a function takes in no more. */
  readonly caller: number;
  /** Share of the module's weight that copies may add. */
  readonly growth: number;
}

export const FAST: InlineBudget = { small: 12, inLoop: 40, once: 400, caller: 2500, growth: 0.1 };
/** Only what makes the module smaller: a body in its only place needs no call, no prologue and no second copy of literals. */
export const SMALL: InlineBudget = { small: 5, inLoop: 5, once: 1000, caller: 5000, growth: 0 };

export interface InlineCounts {
  calls: number;
  /** Functions dropped because no call of them is left, or nobody ever could call them. */
  dropped: number;
}

/** Growth that is always allowed, so that small modules gain too. */
const FREE_GROWTH = 120;
/** What a call costs in weights, without its arguments. */
const CALL_WEIGHT = 3;

const WEIGHTS = Uint8Array.from(OPS, ({ effect, operands, result }, op) => {
  if (op === Op.Param || op === Op.Proj || op === Op.Jump || (effect === 'pure' && operands?.length === 0)) return 0;
  const wide = (type: Type | 'dynamic'): boolean => type === Type.I64 || type === Type.F64;
  const weight = wide(result) || operands?.some(wide) === true ? 3 : 1;
  if (op === Op.MemAddr) return 2;
  return effect === 'call' || op === Op.ReturnCall || op === Op.ReturnCallIndirect ? CALL_WEIGHT : weight;
});

/** About the machine instructions of a body, without prologue and constants. */
export function weightOf(func: Func): number {
  let weight = 0;
  for (const { insts } of func.blocks) {
    for (const { op, args, edges } of insts) {
      weight += WEIGHTS[op]!;
      if (op === Op.Call || op === Op.CallIndirect) weight += args.length;
      else if (op === Op.BrTable) weight += edges.length >> 1;
    }
  }
  return weight;
}

/**
 * Inlines within `module`; `cleanUp` runs once on every function, after it took bodies in and before its own callers look at
 * it. Functions that can call themselves are never copied, so that endless recursion still meets its stack check.
 */
export function inlineCalls(module: IrModule, budget: InlineBudget, cleanUp: (func: Func) => void): InlineCounts {
  const counts: InlineCounts = { calls: 0, dropped: dropUnreachable(module) };
  const inliner = new Inliner(module, budget, cleanUp);
  counts.calls = inliner.run();
  counts.dropped += dropUnreachable(module);
  return counts;
}

/** Removes bodies that no export, table, reference or reachable function leads to. */
export function dropUnreachable(module: IrModule): number {
  const reached = reachableFunctions(module);
  const { bodies } = module;
  let kept = 0;
  for (const body of bodies) if (reached[body.index] !== 0) bodies[kept++] = body;
  const dropped = bodies.length - kept;
  bodies.length = kept;
  return dropped;
}

class Inliner {
  private readonly graph;
  private readonly weights: number[] = [];
  /** Bodies that may be copied at all; by function index. */
  private readonly candidates: (Func | undefined)[] = [];
  /** Weight that copies may still add. */
  private growth: number;

  constructor(
    private readonly module: IrModule,
    private readonly budget: InlineBudget,
    private readonly cleanUp: (func: Func) => void,
  ) {
    this.graph = callGraph(module);
    let total = 0;
    for (const body of module.bodies) total += this.weights[body.index] = weightOf(body);
    this.growth = budget.growth === 0 ? 0 : FREE_GROWTH + total * budget.growth;
  }

  /** Number of calls inlined. */
  run(): number {
    const { module, candidates, weights, budget } = this;
    let total = 0;
    for (const func of this.graph.order) {
      // What instantiation runs runs once.
      if (func.index !== module.initIndex) total += this.inlineInto(func);
      this.cleanUp(func);
      weights[func.index] = weightOf(func);
      const light = weights[func.index]! <= Math.max(budget.once, budget.inLoop);
      if (light && this.graph.recursive[func.index] === 0 && returns(func)) candidates[func.index] = func;
    }
    return total;
  }

  private inlineInto(func: Func): number {
    if (!directCallees(func).some((callee) => this.candidates[callee] !== undefined)) return 0;
    markBlocks(func);
    let weight = this.weights[func.index]!;
    return inlineBodies(func, (call, block) => {
      const callee = this.candidates[call.imm];
      if (callee === undefined || !this.pays(call, block, weight)) return null;
      weight += this.weights[callee.index]!;
      this.account(callee);
      return callee;
    });
  }

  private isOnly(callee: number): boolean {
    const decl = this.module.funcs[callee]!;
    return this.graph.callSites[callee] === 1 && !decl.addressTaken && !decl.exported;
  }

  private pays(call: Inst, block: Block, callerWeight: number): boolean {
    const { budget } = this;
    const weight = this.weights[call.imm]!;
    const saved = CALL_WEIGHT + call.args.length;
    if (callerWeight + weight > budget.caller) return false;
    if (this.isOnly(call.imm)) return weight <= budget.once && !block.cold;
    if (weight <= Math.min(saved, budget.small)) return true;
    if (block.cold || weight - saved > this.growth) return false;
    return weight <= (block.loopDepth > 0 ? budget.inLoop : budget.small);
  }

  /** Notes that one more copy of `callee` exists and one call of it less. */
  private account(callee: Func): void {
    const { callSites } = this.graph;
    const weight = this.weights[callee.index]!;
    if (this.isOnly(callee.index)) {
      // Its own calls move with it.
      callSites[callee.index] = 0;
      return;
    }
    callSites[callee.index]!--;
    this.growth -= Math.max(0, weight - CALL_WEIGHT);
    for (const inner of directCallees(callee)) callSites[inner]!++;
  }
}

/** Does the function ever return? Calls of those that do not are cold. */
function returns(func: Func): boolean {
  return func.blocks.some(({ terminator: { op } }) => {
    return op === Op.Return || op === Op.ReturnCall || op === Op.ReturnCallIndirect;
  });
}
