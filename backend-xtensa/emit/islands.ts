// Decides where stubs of checks go: behind instructions that end the flow when one is in reach (free), else in an island with
// a jump over it at the least executed place in reach. Takes a code buffer and estimated offsets; a stub that ends up
// out of reach all the same is mended by relaxation, so nothing here need be exact.
import { type CodeBuffer, stubBytes } from './code-buffer.js';
import { ItemKind, branchInfo } from './label-use.js';

export interface Island {
  /** The island lies before this item (or at the end, if it is the item count). */
  readonly item: number;
  /** True if control falls into it and must jump over it. */
  readonly jumpOver: boolean;
  readonly stubs: number[];
  /** Of all stubs. */
  bytes: number;
}

/** Room left for what relaxation may insert between a check and its stub. */
const MARGIN = 16;

/** Where the next stub of an island would be. */
const room = (offsets: Int32Array, island: Island): number => offsets[island.item]! + island.bytes;

/**
 * @param offsets estimated offset of each item, and of the end
 * @returns islands in item order
 */
export function placeIslands(buffer: CodeBuffer, offsets: Int32Array): Island[] {
  const { count, stubs, frameStart } = buffer;
  const islands: Island[] = [];
  // The next place behind the flow's end, searched forwards only once.
  let natural = 0;
  let last: Island | null = null;
  for (let s = 0; s < stubs.length; s++) {
    const { item } = stubs[s]!;
    const bytes = stubBytes(stubs[s]!);
    const info = branchInfo(buffer.op[item]!);
    const from = offsets[item]!;
    const end = from + info.maximum - MARGIN;
    // An island already planned ahead.
    if (last !== null && last.item > item && room(offsets, last) <= end) {
      add(last, s, bytes);
      continue;
    }
    if (natural <= item) natural = item + 1;
    // A trap's address tells whether there is a frame.
    const until = item < frameStart ? frameStart : count;
    while (natural < until && !buffer.endsFlow(natural - 1)) natural++;
    const naturalFits = offsets[natural]! <= end && (natural < until || buffer.endsFlow(until - 1));
    // One behind us, if nothing free lies ahead.
    const isBehind = last !== null && last.item <= item && (last.item > frameStart || item < frameStart);
    if (!naturalFits && last !== null && isBehind && room(offsets, last) + MARGIN >= from + info.minimum) {
      const grown = room(offsets, last) + bytes;
      if (grown - MARGIN >= from + info.minimum) {
        add(last, s, bytes);
        continue;
      }
    }
    last = naturalFits
      ? { item: natural, jumpOver: false, stubs: [s], bytes }
      : { item: coldestItem(buffer, offsets, item, end, until), jumpOver: true, stubs: [s], bytes };
    islands.push(last);
  }
  // A check of short reach may have got an island before that of an earlier one of long reach.
  return islands.sort((a, b) => a.item - b.item);
}

function add(island: Island, stub: number, bytes: number): void {
  island.stubs.push(stub);
  island.bytes += bytes;
}

/**
 * True where an island would part a zero-overhead loop: at LEND the jump over it would leave the loop, behind LOOP it
 * would run in every iteration.
 */
const splitsLoop = (buffer: CodeBuffer, item: number): boolean =>
  buffer.loopEnds.has(item) || buffer.kind[item - 1] === ItemKind.Loop;

/** The least executed, then latest, place after `item`, not behind `until`, whose offset is at most `end`. */
function coldestItem(buffer: CodeBuffer, offsets: Int32Array, item: number, end: number, until: number): number {
  let best = item + 1;
  while (splitsLoop(buffer, best)) best++;
  for (let i = best; i < buffer.count && i <= until && offsets[i]! <= end; i++) {
    if (splitsLoop(buffer, i)) continue;
    const at = Math.min(buffer.weight[i]!, buffer.weight[i - 1]!);
    if (at <= Math.min(buffer.weight[best]!, buffer.weight[best - 1]!)) best = i;
  }
  return best;
}
