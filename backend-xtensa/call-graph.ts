// Takes the lowered functions of a module, gives the order to compile them in, callees first, and which of them have to
// check the stack themselves. Knows calls and exports; no frame, no register.
import type { Func } from '../compiler/ir/function.js';
import type { IrModule } from '../compiler/ir/module.js';
import { Op } from '../compiler/ir/ops.js';

export interface CompileOrder {
  /** All bodies; whoever is called directly comes before its callers, but for cycles. */
  readonly functions: readonly Func[];
  /**
   * Indices of functions whose callers cannot check the stack for them: called from outside or through a reference, part
   * of a cycle, or the target of a tail call, whose caller's frame has gone by then.
   */
  readonly ownCheck: ReadonlySet<number>;
}

interface Node {
  readonly func: Func;
  readonly callees: readonly Node[];
  /** Depth-first number; 0 before the visit. */
  number: number;
  low: number;
  onStack: boolean;
}

export function compileOrder(ir: IrModule): CompileOrder {
  // The runtime calls the init function.
  const ownCheck = new Set([ir.initIndex]);
  for (const { index } of ir.bodies) if (ir.funcs[index]?.addressTaken ?? true) ownCheck.add(index);
  const functions: Func[] = [];
  const stack: Node[] = [];
  let count = 0;
  const enter = (node: Node): void => {
    node.number = node.low = ++count;
    node.onStack = true;
    stack.push(node);
  };
  /** Tarjan's algorithm with a stack of its own: call graphs of generated programs are deep. */
  const visit = (root: Node): void => {
    const path: { readonly node: Node; next: number }[] = [{ node: root, next: 0 }];
    enter(root);
    while (path.length > 0) {
      const top = path[path.length - 1]!;
      const { node } = top;
      const callee = node.callees[top.next++];
      if (callee === undefined) {
        path.pop();
        if (node.low === node.number) close(node);
        const caller = path[path.length - 1]?.node;
        if (caller !== undefined) caller.low = Math.min(caller.low, node.low);
      } else if (callee.number === 0) {
        enter(callee);
        path.push({ node: callee, next: 0 });
      } else if (callee.onStack) {
        node.low = Math.min(node.low, callee.number);
        if (callee === node) ownCheck.add(node.func.index);
      }
    }
  };
  /** Takes the finished component of `root` off the stack. */
  const close = (root: Node): void => {
    const alone = stack[stack.length - 1] === root;
    for (let node: Node; ;) {
      node = stack.pop()!;
      node.onStack = false;
      functions.push(node.func);
      if (!alone) ownCheck.add(node.func.index);
      if (node === root) return;
    }
  };
  for (const node of callGraph(ir, ownCheck)) if (node.number === 0) visit(node);
  return { functions, ownCheck };
}

function callGraph(ir: IrModule, ownCheck: Set<number>): Node[] {
  const byIndex = new Map<number, Node & { callees: Node[] }>();
  for (const func of ir.bodies) {
    byIndex.set(func.index, { func, callees: [], number: 0, low: 0, onStack: false });
  }
  for (const { func, callees } of byIndex.values()) {
    const seen = new Set<number>();
    for (const { insts } of func.blocks) {
      for (let i = 0; i < insts.length; i++) {
        const { op, imm } = insts[i]!;
        if (op === Op.ReturnCall) ownCheck.add(imm);
        else if (op !== Op.Call) continue;
        const callee = byIndex.get(imm);
        if (callee === undefined || seen.has(imm)) continue;
        seen.add(imm);
        callees.push(callee);
      }
    }
  }
  return [...byIndex.values()];
}
