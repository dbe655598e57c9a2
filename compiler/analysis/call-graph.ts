// Direct calls between the functions of a module. Takes bodies in which `call` and `return_call` name functions by index;
// gives an order from callees to callers, cycles and call counts. Knows nothing of calls through tables.
import type { Func, Inst } from '../ir/function.js';
import type { IrModule } from '../ir/module.js';
import { Op } from '../ir/ops.js';

export interface CallGraph {
  /** All bodies: callees before their callers, the members of a cycle next to each other. */
  readonly order: readonly Func[];
  /** By function index, 1 for functions that can come to call themselves through direct calls. */
  readonly recursive: Uint8Array;
  /** Number of direct call sites of each function, by function index. */
  readonly callSites: Uint32Array;
}

export const isDirectCall = (inst: Inst): boolean => inst.op === Op.Call || inst.op === Op.ReturnCall;

/** Functions with a body that `func` calls directly, once for each call site. */
export function directCallees(func: Func): number[] {
  const callees: number[] = [];
  for (const { insts } of func.blocks) for (const inst of insts) if (isDirectCall(inst)) callees.push(inst.imm);
  return callees;
}

/** Tarjan's strongly connected components, with a stack of its own: call graphs of generated programs are deep. */
export function callGraph(module: IrModule): CallGraph {
  const size = module.funcs.length;
  const bodies: (Func | undefined)[] = [];
  for (const body of module.bodies) bodies[body.index] = body;
  const callees: number[][] = [];
  const callSites = new Uint32Array(size);
  const recursive = new Uint8Array(size);
  for (const body of module.bodies) {
    const list = directCallees(body);
    for (const callee of list) {
      callSites[callee]!++;
      if (callee === body.index) recursive[callee] = 1;
    }
    callees[body.index] = list.filter((callee) => bodies[callee] !== undefined);
  }

  const order: Func[] = [];
  const number = new Int32Array(size);
  const low = new Int32Array(size);
  const onStack = new Uint8Array(size);
  const component: number[] = [];
  let count = 0;
  for (const { index: root } of module.bodies) {
    if (number[root] !== 0) continue;
    const path = [root];
    const next = [0];
    while (path.length > 0) {
      const top = path.length - 1;
      const at = path[top]!;
      if (next[top] === 0) {
        number[at] = low[at] = ++count;
        onStack[at] = 1;
        component.push(at);
      }
      const list = callees[at]!;
      if (next[top]! < list.length) {
        const callee = list[next[top]!++]!;
        if (number[callee] === 0) {
          path.push(callee);
          next.push(0);
        } else if (onStack[callee] !== 0) low[at] = Math.min(low[at]!, number[callee]!);
        continue;
      }
      path.pop();
      next.pop();
      if (top > 0) low[path[top - 1]!] = Math.min(low[path[top - 1]!]!, low[at]!);
      if (low[at] !== number[at]) continue;
      const cyclic = component[component.length - 1] !== at;
      for (;;) {
        const member = component.pop()!;
        onStack[member] = 0;
        if (cyclic) recursive[member] = 1;
        order.push(bodies[member]!);
        if (member === at) break;
      }
    }
  }
  return { order, recursive, callSites };
}

/** By function index, 1 for what the outside, a table or a reference, or such a function's calls can reach. */
export function reachableFunctions(module: IrModule): Uint8Array {
  const reached = new Uint8Array(module.funcs.length);
  const bodies: (Func | undefined)[] = [];
  for (const body of module.bodies) bodies[body.index] = body;
  const work: number[] = [module.initIndex];
  for (const { index, addressTaken, exported } of module.funcs) if (addressTaken || exported) work.push(index);
  while (work.length > 0) {
    const index = work.pop()!;
    if (reached[index] !== 0) continue;
    reached[index] = 1;
    const body = bodies[index];
    if (body !== undefined) for (const callee of directCallees(body)) if (reached[callee] === 0) work.push(callee);
  }
  return reached;
}
