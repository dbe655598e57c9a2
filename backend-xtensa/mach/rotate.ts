// Last change of the blocks' order, when allocation has shown which of them need no code: loops whose way back is a jump
// are turned round. Takes blocks in layout order; knows no instruction but which blocks end in a jump.
import { Pseudo, type MachBlock } from './inst.js';

/** Blocks of less weight are not worth an instruction elsewhere. */
const COLD = 0.1;

/**
 * Lays the header of a loop behind the jump that leads back to it: an iteration then falls into the header, whose branch
 * leads on. The jump is left to whoever comes into the loop. Zero-overhead loops stay as they are.
 *
 * @param blocks those with code
 * @param resolve the block with code that a jump to a block reaches in the end
 */
export function rotateLoops(
  blocks: readonly MachBlock[],
  resolve: (block: MachBlock) => MachBlock,
): readonly MachBlock[] {
  let place: Int32Array | null = null;
  /** By place, the header that goes behind a block; and which blocks go elsewhere. */
  const behind = new Map<number, MachBlock>();
  const moved = new Set<MachBlock>();
  for (let i = blocks.length - 1; i > 1; i--) {
    const latch = blocks[i]!;
    if (latch.weight < COLD || latch.insts[latch.insts.length - 1]!.op !== Pseudo.Jump) continue;
    const header = resolve(latch.succs[0]!.target);
    if (header.index >= latch.index || header.succs.length < 2 || header.loopHeader || moved.has(header)) continue;
    place ??= places(blocks);
    const at = place[header.index]!;
    if (at === 0 || at >= i - 1) continue;
    // Its branch has to fall through on one way, as it does where it is.
    const next = blocks[i + 1];
    if (header.table === null && !header.succs.some(({ target }) => resolve(target) === next)) continue;
    moved.add(header);
    behind.set(i, header);
  }
  if (moved.size === 0) return blocks;
  const order: MachBlock[] = [];
  blocks.forEach((block, i) => {
    if (!moved.has(block)) order.push(block);
    const header = behind.get(i);
    if (header !== undefined) order.push(header);
  });
  return order;
}

/** Place in the list by layout index. */
function places(blocks: readonly MachBlock[]): Int32Array {
  const place = new Int32Array(blocks[blocks.length - 1]!.index + 1);
  blocks.forEach((block, i) => (place[block.index] = i));
  return place;
}
