// A binary heap of bundles: highest priority first, of equals the one with the lower id, so that results do not depend
// on anything but the input. Knows no policy.
import type { Bundle } from './ranges.js';

const before = (a: Bundle, b: Bundle): boolean => a.priority > b.priority || (a.priority === b.priority && a.id < b.id);

export class BundleQueue {
  private readonly heap: Bundle[] = [];

  push(bundle: Bundle): void {
    const { heap } = this;
    let at = heap.length;
    heap.push(bundle);
    while (at > 0) {
      const up = (at - 1) >> 1;
      const parent = heap[up]!;
      if (!before(bundle, parent)) break;
      heap[at] = parent;
      at = up;
    }
    heap[at] = bundle;
  }

  pop(): Bundle | undefined {
    const { heap } = this;
    const top = heap[0];
    const last = heap.pop();
    if (top === undefined || last === undefined || heap.length === 0) return top;
    const n = heap.length;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= n) break;
      if (child + 1 < n && before(heap[child + 1]!, heap[child]!)) child++;
      if (!before(heap[child]!, last)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
    return top;
  }
}
