// Takes the call graphs of linked modules, gives the worst native stack depth of every exported function where it can
// be bounded. Refuses to know addresses and bytes.
import { STACK_RESERVE_BYTES } from '../compiler/abi/linker-symbols.js';
import type { LinkedModule } from './linked.js';

/** Bytes, or why there is no bound. */
export type StackDepth =
  | { readonly bytes: number; readonly unbounded?: undefined }
  | { readonly bytes: null; readonly unbounded: 'recursion' | 'indirect call' };

export interface ExportDepth {
  readonly module: string;
  readonly name: string;
  readonly depth: StackDepth;
}

interface Node {
  readonly frame: number;
  readonly indirect: boolean;
  readonly callees: Node[];
  /** True if it calls the runtime or the host. */
  callsRuntime: boolean;
  state: 'new' | 'open' | 'done';
  depth: StackDepth;
}

const RECURSION: StackDepth = { bytes: null, unbounded: 'recursion' };
const INDIRECT: StackDepth = { bytes: null, unbounded: 'indirect call' };

/**
 * Depth of each export. Runtime and host functions count as the reserve that lies below every stack limit
 * (STACK_RESERVE_BYTES): that is what the compiler's stack check leaves them.
 * @param reserve bytes to count for them
 */
export function stackDepths(modules: readonly LinkedModule[], reserve = STACK_RESERVE_BYTES): ExportDepth[] {
  const graph = buildGraph(modules);
  const depths: ExportDepth[] = [];
  for (const { info } of modules) {
    for (const entry of info.exports) {
      const node = entry.target === undefined ? undefined : graph.get(`${info.module}\0${entry.target}`);
      if (node === undefined) continue;
      visit(node, reserve);
      depths.push({ module: info.module, name: entry.name, depth: node.depth });
    }
  }
  return depths;
}

function buildGraph(modules: readonly LinkedModule[]): Map<string, Node> {
  const graph = new Map<string, Node>();
  const exported = new Map<string, string>();
  for (const { info } of modules) {
    for (const { symbol, target } of info.exports)
      if (target !== undefined) exported.set(symbol, `${info.module}\0${target}`);
    for (const { symbol, frameBytes, indirectCalls } of info.functions) {
      const node: Node = {
        frame: frameBytes,
        indirect: indirectCalls,
        callees: [],
        callsRuntime: false,
        state: 'new',
        depth: { bytes: 0 },
      };
      graph.set(`${info.module}\0${symbol}`, node);
    }
  }
  for (const { info } of modules) {
    for (const { symbol, callees } of info.functions) {
      const node = graph.get(`${info.module}\0${symbol}`)!;
      for (const callee of callees) {
        const target = graph.get(`${info.module}\0${callee}`) ?? graph.get(exported.get(callee) ?? '');
        if (target === undefined) node.callsRuntime = true;
        else node.callees.push(target);
      }
    }
  }
  return graph;
}

/** Depth-first with its own stack: call graphs of generated programs are deep. */
function visit(root: Node, reserve: number): void {
  if (root.state === 'done') return;
  const path: { node: Node; next: number }[] = [{ node: root, next: 0 }];
  root.state = 'open';
  while (path.length > 0) {
    const top = path[path.length - 1]!;
    const { node } = top;
    const callee = node.callees[top.next];
    if (callee !== undefined) {
      top.next++;
      if (callee.state === 'new') {
        callee.state = 'open';
        path.push({ node: callee, next: 0 });
      } else if (callee.state === 'open') {
        node.depth = RECURSION;
      } else {
        absorb(node, callee);
      }
      continue;
    }
    if (node.indirect && node.depth.bytes !== null) node.depth = INDIRECT;
    if (node.depth.bytes !== null) {
      const below = Math.max(node.depth.bytes, node.callsRuntime ? reserve : 0);
      node.depth = { bytes: below + node.frame };
    }
    node.state = 'done';
    path.pop();
    const caller = path[path.length - 1]?.node;
    if (caller !== undefined) absorb(caller, node);
  }
}

/** A function is as deep as its deepest callee; what has no bound below has none above. */
function absorb(caller: Node, callee: Node): void {
  if (caller.depth.bytes === null) return;
  if (callee.depth.bytes === null) caller.depth = callee.depth;
  else if (callee.depth.bytes > caller.depth.bytes) caller.depth = { bytes: callee.depth.bytes };
}
