// The flow graph of one function: an order of its blocks in which as many edges as possible lead forwards, and its loops.
// Takes decoded code. Knows no data flow.
import { targetOf, type Code } from './code.js';
import type { Image } from './image.js';

export interface FlowGraph {
  /** Reverse postorder position of each block. */
  readonly order: Int32Array;
  /** Header of the innermost loop that a block is in, or -1; of a header, of the loop around its own. */
  readonly loopOf: Int32Array;
  /** By header: blocks where its loop is entered, the header first; null for blocks that are none. */
  readonly entries: readonly (readonly number[] | null)[];
  /** By block: headers of the loops that are entered there, outermost first. */
  readonly enters: readonly (readonly number[])[];
}

/** True if the block is in the loop with that header. */
export function isInLoop({ loopOf }: FlowGraph, block: number, header: number): boolean {
  let at = block;
  while (at >= 0 && at !== header) at = loopOf[at]!;
  return at >= 0;
}

/** Jump tables count as branches to all their entries. */
export function flowGraph(code: Code, image: Image): FlowGraph {
  const successors = code.blocks.map((_, b) => successorsOf(code, image, b));
  const order = positions(successors);
  return { order, ...findLoops(successors, order) };
}

function successorsOf(code: Code, image: Image, b: number): readonly number[] {
  const { blocks, func } = code;
  const inside = (address: number): number => {
    const offset = address - func.start;
    const at = offset >= 0 && offset < func.size ? code.at[offset]! : -1;
    return at < 0 ? -1 : code.blockOf[at]!;
  };
  const last = blocks[b]!.end - 1;
  const inst = code.instructions[last]!;
  const { flow } = inst.row;
  const list: number[] = [];
  if (flow === 'branch' || flow === 'jump' || flow === 'loop')
    list.push(inside(targetOf(inst, code.addresses[last]! >>> 0)));
  if (flow === 'jumpreg')
    for (let address = func.poolStart; address + 4 <= func.start; address += 4)
      list.push(inside(image.word(address) ?? -1));
  if (flow !== 'jump' && flow !== 'jumpreg' && flow !== 'return' && flow !== 'trap') {
    if (b + 1 < blocks.length) list.push(b + 1);
    for (const back of code.loopBack.get(blocks[b]!.end) ?? []) list.push(code.blockOf[back]!);
  }
  return list.filter((s) => s >= 0);
}

function positions(successors: readonly (readonly number[])[]): Int32Array {
  const position = new Int32Array(successors.length).fill(-1);
  const seen = new Uint8Array(successors.length);
  let next = successors.length - 1;
  const visitFrom = (root: number): void => {
    const stack: { block: number; at: number }[] = [{ block: root, at: 0 }];
    seen[root] = 1;
    while (stack.length > 0) {
      const top = stack[stack.length - 1]!;
      const list = successors[top.block]!;
      if (top.at === list.length) {
        position[top.block] = next--;
        stack.pop();
        continue;
      }
      const s = list[top.at++]!;
      if (seen[s] === 1) continue;
      seen[s] = 1;
      stack.push({ block: s, at: 0 });
    }
  };
  visitFrom(0);
  for (let b = 0; b < successors.length; b++) if (seen[b] === 0) visitFrom(b);
  return position;
}

/** Loops from the innermost outwards; finished loops count as their header. */
function findLoops(
  successors: readonly (readonly number[])[],
  order: Int32Array,
): Pick<FlowGraph, 'loopOf' | 'entries' | 'enters'> {
  const count = successors.length;
  const predecessors: number[][] = successors.map(() => []);
  successors.forEach((list, b) => list.forEach((s) => predecessors[s]!.push(b)));
  const byPosition = new Int32Array(count);
  order.forEach((position, block) => (byPosition[position] = block));
  const loopOf = new Int32Array(count).fill(-1);
  const entries: (number[] | null)[] = successors.map(() => null);
  const outermost = Int32Array.from({ length: count }, (_, b) => b);
  const find = (block: number): number => {
    let root = block;
    while (outermost[root] !== root) root = outermost[root]!;
    while (outermost[block] !== root) [block, outermost[block]] = [outermost[block]!, root];
    return root;
  };
  for (let p = count - 1; p >= 0; p--) {
    const header = byPosition[p]!;
    const back = predecessors[header]!.filter((b) => order[b]! >= p);
    if (back.length === 0) continue;
    const body = new Set<number>();
    const others = new Set<number>();
    const pending = back.map(find).filter((b) => b !== header);
    while (pending.length > 0) {
      const block = pending.pop()!;
      if (body.has(block)) continue;
      body.add(block);
      // An inner loop is entered wherever it may be.
      for (const entry of entries[block] ?? [block])
        for (const b of predecessors[entry]!) {
          if (order[b]! < p) others.add(entry);
          else if (find(b) !== header && find(b) !== block) pending.push(find(b));
        }
    }
    entries[header] = [header, ...others];
    for (const block of body) {
      loopOf[block] = header;
      outermost[block] = header;
    }
  }
  const enters: number[][] = successors.map(() => []);
  for (let p = 0; p < count; p++)
    for (const block of entries[byPosition[p]!] ?? []) enters[block]!.push(byPosition[p]!);
  return { loopOf, entries, enters };
}
