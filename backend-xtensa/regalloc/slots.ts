// Takes the values that live in memory, gives them stack slots: values joined by coalescing share one, and so do values
// whose ranges lie apart. Knows no instruction. Linear scan over hulls (Poletto & Sarkar, TOPLAS 1999): holes in ranges
// are not used, because stack words are cheap and the hull needs no interference graph.
import type { RegisterClass } from './api.js';
import { NIL } from './ranges.js';

export interface SlotDemand {
  /** Vregs with the same home share a slot. */
  readonly home: number;
  readonly classIndex: number;
  from: number;
  to: number;
}

export class SlotFrame {
  /** Slots (words) given out so far. */
  count = 0;
  private readonly temps = new Map<number, number>();
  constructor(private readonly classes: readonly RegisterClass[]) {}

  private fresh(classIndex: number): number {
    const slot = this.count;
    this.count += this.classes[classIndex]!.slotWords;
    return slot;
  }

  /** Slot per home, for demands with distinct homes. */
  assign(demands: SlotDemand[]): Map<number, number> {
    const slotOfHome = new Map<number, number>();
    demands.sort((a, b) => a.from - b.from || a.home - b.home);
    // Slots in use, with the end of their present owner; searched linearly among the few words per slot kinds.
    const active = new Map<number, { slot: number; to: number }[]>();
    for (const demand of demands) {
      const words = this.classes[demand.classIndex]!.slotWords;
      let heap = active.get(words);
      if (heap === undefined) active.set(words, (heap = []));
      const top = heap[0];
      let slot: number;
      if (top !== undefined && top.to <= demand.from) {
        slot = top.slot;
        siftDown(heap, { slot, to: demand.to });
      } else {
        slot = this.fresh(demand.classIndex);
        siftUp(heap, { slot, to: demand.to });
      }
      slotOfHome.set(demand.home, slot);
    }
    return slotOfHome;
  }

  /** A slot of its own for cycles (0) or for putting a register aside (1). */
  temp(classIndex: number, which: 0 | 1): number {
    const key = this.classes[classIndex]!.slotWords * 2 + which;
    const known = this.temps.get(key) ?? NIL;
    if (known !== NIL) return known;
    const slot = this.fresh(classIndex);
    this.temps.set(key, slot);
    return slot;
  }
}

interface Held {
  slot: number;
  to: number;
}

/** Replaces the top of a min-heap by `to`. */
function siftDown(heap: Held[], item: Held): void {
  let at = 0;
  for (;;) {
    let child = 2 * at + 1;
    if (child >= heap.length) break;
    if (child + 1 < heap.length && heap[child + 1]!.to < heap[child]!.to) child++;
    if (heap[child]!.to >= item.to) break;
    heap[at] = heap[child]!;
    at = child;
  }
  heap[at] = item;
}

function siftUp(heap: Held[], item: Held): void {
  let at = heap.length;
  heap.push(item);
  while (at > 0) {
    const up = (at - 1) >> 1;
    if (heap[up]!.to <= item.to) break;
    heap[at] = heap[up]!;
    at = up;
  }
  heap[at] = item;
}
