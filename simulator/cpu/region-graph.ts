// Collects the hot code around an address into a control-flow graph ready for structured emission: basic blocks, edges,
// reverse post-order, dominators. Takes decoded blocks, gives nodes; knows no semantics and emits nothing.

import type { DecodedOp } from './decoded.js';
import { TEMPLATES } from './templates.js';

/**
 * Instructions of one region at most. The JavaScript engine's optimising compiler takes more than linear time: at 360 a
 * region could wait a second for its machine code, at 160 it is some 20 ms.
 */
const MAX_OPS = 160;

/** Where control goes: a node of the region, or out of it to `pc`. */
export interface Edge {
  readonly pc: number;
  /** Index of the node, or -1: leave the region. */
  node: number;
}

/** How a node ends. `op` is its last instruction where that is a control transfer. */
export type Terminator =
  /** Falls or jumps to the one successor. */
  | { readonly kind: 'goto' }
  /** Conditional branch: edges[0] taken, edges[1] not. */
  | { readonly kind: 'branch'; readonly op: DecodedOp }
  /** LOOP family: edges[0] the body, edges[1] the skip target. */
  | { readonly kind: 'loop'; readonly op: DecodedOp }
  /** CALL0: a0 := return address, edges[0] the callee. */
  | { readonly kind: 'call'; readonly op: DecodedOp }
  /** Computed target (ret, jx, callx0): edges are the targets worth comparing with. */
  | { readonly kind: 'computed'; readonly op: DecodedOp }
  /** Leaves before the instruction at edges[0]. */
  | { readonly kind: 'exit' };

export interface Node {
  readonly pc: number;
  /** Every instruction of the node, a control transfer at its end included. */
  readonly ops: readonly DecodedOp[];
  readonly terminator: Terminator;
  readonly edges: Edge[];
  /** Set when the last instruction ends at a known LEND: the address, and the edge back to LBEG. */
  readonly loopEnd: { readonly end: number; readonly back: Edge } | undefined;
}

export interface RegionGraph {
  /** In reverse post-order; node 0 is the entry. */
  readonly nodes: readonly Node[];
  /** Immediate dominator of each node; the entry's is itself. */
  readonly dominators: Int32Array;
  /** Number of edges from earlier nodes. */
  readonly forwardPredecessors: Int32Array;
  /** Nodes that some later node (or itself) goes back to. */
  readonly loopHeaders: Uint8Array;
}

/** What the graph builder asks about code. */
export interface CodeSource {
  /** The decoded block at an address if it has run before (or is the entry), else undefined. */
  warmBlock(pc: number): readonly DecodedOp[] | undefined;
  /** LBEG that belongs to a known LEND. */
  loopBegin(end: number): number | undefined;
  isBarrier(pc: number): boolean;
  /** True when the instruction may be in translated code at all. */
  isTranslatable(op: DecodedOp): boolean;
}

/** Edges of a node under construction, as addresses. */
interface Draft {
  pc: number;
  ops: DecodedOp[];
  terminator: Terminator;
  targets: number[];
  loopEnd: number | undefined;
}

export function buildRegionGraph(entry: number, code: CodeSource): RegionGraph | undefined {
  const heads = collectHeads(entry, code);
  const drafts = new Map<number, Draft>();
  for (const [pc, ops] of heads) drafts.set(pc, draftNode(pc, ops, heads, code));
  const first = drafts.get(entry);
  if (first === undefined || first.ops.length === 0) return undefined;
  addReturnEdges(drafts);
  return finish(entry, drafts, code);
}

/** Addresses that begin a node, each with the decoded instructions from there. Breadth first, so near code wins. */
function collectHeads(entry: number, code: CodeSource): Map<number, readonly DecodedOp[]> {
  const heads = new Map<number, readonly DecodedOp[]>();
  const queue = [entry];
  let budget = MAX_OPS;
  for (let i = 0; i < queue.length && budget > 0; i++) {
    const pc = queue[i] as number;
    if (heads.has(pc) || (pc !== entry && code.isBarrier(pc))) continue;
    const ops = code.warmBlock(pc);
    if (ops === undefined) continue;
    heads.set(pc, ops);
    for (const op of ops) {
      budget--;
      queue.push(...successors(op, code));
      if (!isPlain(op, code)) break;
    }
    const last = ops[ops.length - 1];
    if (last !== undefined && isPlain(last, code)) queue.push(last.next);
  }
  return heads;
}

/** Static targets of one instruction that begin nodes; a plain one has some only at the end of a hardware loop. */
function successors(op: DecodedOp, code: CodeSource): number[] {
  const list: number[] = [];
  const begin = code.loopBegin(op.next);
  if (begin !== undefined && op.row.flow !== 'jump') list.push(begin, op.next);
  switch (op.row.flow) {
    case 'branch':
    case 'loop':
      list.push(op.target, op.next);
      break;
    case 'jump':
      list.push(op.target);
      break;
    case 'call':
      if (op.row.name === 'call0') list.push(op.target, op.next);
      break;
    default:
  }
  return list;
}

function isPlain(op: DecodedOp, code: CodeSource): boolean {
  return TEMPLATES.plain[op.row.name] !== undefined && code.isTranslatable(op);
}

function draftNode(
  pc: number,
  ops: readonly DecodedOp[],
  heads: ReadonlyMap<number, unknown>,
  code: CodeSource,
): Draft {
  const draft: Draft = { pc, ops: [], terminator: { kind: 'goto' }, targets: [], loopEnd: undefined };
  for (const op of ops) {
    if (!isPlain(op, code)) {
      endWithControl(draft, op, code);
      return draft;
    }
    draft.ops.push(op);
    if (code.loopBegin(op.next) !== undefined) draft.loopEnd = op.next;
    if (draft.loopEnd !== undefined || heads.has(op.next)) {
      draft.targets = [op.next];
      return draft;
    }
  }
  const last = draft.ops[draft.ops.length - 1];
  draft.targets = [last === undefined ? pc : last.next];
  return draft;
}

function endWithControl(draft: Draft, op: DecodedOp, code: CodeSource): void {
  const end = (terminator: Terminator, targets: number[]): void => {
    draft.ops.push(op);
    draft.terminator = terminator;
    draft.targets = targets;
  };
  const { name, flow } = op.row;
  if (!code.isTranslatable(op)) {
    draft.terminator = { kind: 'exit' };
    draft.targets = [op.pc];
  } else if (flow === 'branch') {
    end({ kind: 'branch', op }, [op.target, op.next]);
    if (code.loopBegin(op.next) !== undefined) draft.loopEnd = op.next;
  } else if (flow === 'loop') {
    end({ kind: 'loop', op }, [op.next, op.target]);
  } else if (name === 'j') {
    end({ kind: 'goto' }, [op.target]);
  } else if (name === 'call0') {
    end({ kind: 'call', op }, [op.target]);
  } else if (name === 'ret' || name === 'ret.n' || name === 'jx' || name === 'callx0') {
    end({ kind: 'computed', op }, []);
  } else {
    draft.terminator = { kind: 'exit' };
    draft.targets = [op.pc];
  }
}

/** Returns are compared with the return addresses of the region's own calls. */
function addReturnEdges(drafts: ReadonlyMap<number, Draft>): void {
  const sites: number[] = [];
  for (const draft of drafts.values()) {
    const { terminator } = draft;
    if (terminator.kind === 'call' && drafts.has(terminator.op.target) && drafts.has(terminator.op.next)) {
      sites.push(terminator.op.next);
    }
  }
  const unique = [...new Set(sites)].slice(0, 4);
  for (const draft of drafts.values()) {
    if (draft.terminator.kind === 'computed' && draft.terminator.op.row.flow === 'return') draft.targets = unique;
  }
}

/** Orders the nodes, resolves edges, and cuts those that would make the graph irreducible. */
function finish(entry: number, drafts: ReadonlyMap<number, Draft>, code: CodeSource): RegionGraph {
  const order = reversePostOrder(entry, drafts, code);
  const index = new Map(order.map((draft, i) => [draft.pc, i]));
  const edge = (pc: number): Edge => ({ pc, node: index.get(pc) ?? -1 });
  const nodes = order.map((draft): Node => {
    const begin = draft.loopEnd === undefined ? undefined : code.loopBegin(draft.loopEnd);
    return {
      pc: draft.pc,
      ops: draft.ops,
      terminator: draft.terminator,
      // A node without instructions would give the region a way to do nothing at all: it is an exit like any other.
      edges:
        draft.terminator.kind === 'exit' ? [{ pc: draft.targets[0] as number, node: -1 }] : draft.targets.map(edge),
      loopEnd: begin === undefined ? undefined : { end: draft.loopEnd as number, back: edge(begin) },
    };
  });
  let dominators = computeDominators(nodes);
  let cut = false;
  nodes.forEach((node, from) => {
    for (const target of allEdges(node)) {
      if (target.node >= 0 && target.node <= from && !dominates(dominators, target.node, from)) {
        target.node = -1;
        cut = true;
      }
    }
  });
  if (cut) dominators = computeDominators(nodes);
  const forwardPredecessors = new Int32Array(nodes.length);
  const loopHeaders = new Uint8Array(nodes.length);
  nodes.forEach((node, from) => {
    for (const target of allEdges(node)) {
      if (target.node < 0) continue;
      if (target.node <= from) loopHeaders[target.node] = 1;
      else forwardPredecessors[target.node] = (forwardPredecessors[target.node] as number) + 1;
    }
  });
  return { nodes, dominators, forwardPredecessors, loopHeaders };
}

export function allEdges(node: Node): Edge[] {
  return node.loopEnd === undefined ? node.edges : [...node.edges, node.loopEnd.back];
}

function reversePostOrder(entry: number, drafts: ReadonlyMap<number, Draft>, code: CodeSource): Draft[] {
  const seen = new Set<number>();
  const post: Draft[] = [];
  const targetsOf = (draft: Draft): number[] => {
    const begin = draft.loopEnd === undefined ? undefined : code.loopBegin(draft.loopEnd);
    const targets = draft.terminator.kind === 'exit' ? [] : draft.targets;
    return begin === undefined ? targets : [...targets, begin];
  };
  const stack: { draft: Draft; targets: number[]; next: number }[] = [];
  const enter = (pc: number): void => {
    const draft = drafts.get(pc);
    if (draft === undefined || seen.has(pc)) return;
    seen.add(pc);
    stack.push({ draft, targets: targetsOf(draft), next: 0 });
  };
  enter(entry);
  for (;;) {
    const top = stack[stack.length - 1];
    if (top === undefined) break;
    const target = top.targets[top.next++];
    if (target === undefined) {
      post.push(top.draft);
      stack.pop();
    } else {
      enter(target);
    }
  }
  return post.reverse();
}

/** Cooper, Harvey and Kennedy: "A simple, fast dominance algorithm". Node numbers are reverse post-order. */
function computeDominators(nodes: readonly Node[]): Int32Array {
  const predecessors: number[][] = nodes.map(() => []);
  nodes.forEach((node, from) => {
    for (const target of allEdges(node)) if (target.node >= 0) predecessors[target.node]?.push(from);
  });
  const dominators = new Int32Array(nodes.length).fill(-1);
  dominators[0] = 0;
  const meet = (a: number, b: number): number => {
    while (a !== b) {
      while (a > b) a = dominators[a] as number;
      while (b > a) b = dominators[b] as number;
    }
    return a;
  };
  for (let changed = true; changed;) {
    changed = false;
    for (let i = 1; i < nodes.length; i++) {
      let best = -1;
      for (const from of predecessors[i] as number[]) {
        if (dominators[from] === -1) continue;
        best = best === -1 ? from : meet(from, best);
      }
      if (best !== dominators[i]) {
        dominators[i] = best;
        changed = true;
      }
    }
  }
  return dominators;
}

function dominates(dominators: Int32Array, above: number, below: number): boolean {
  let node = below;
  while (node > above) node = dominators[node] as number;
  return node === above;
}
